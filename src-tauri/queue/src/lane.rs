//! Lanes: the jobs of one destination, priority and class of file. Their heads, and the counts of everything.

use std::collections::{BTreeMap, HashSet};

use afterglow_model::{DestinationId, FailureCode, JobCounts, JobId, JobState, Phase, Priority, SourceId, Timestamp};
use rusqlite::{Connection, Rows, named_params, params};

use crate::job::QUEUED;
use crate::text::Word;
use crate::{FileClass, Queue, QueueError, QueuedJob, job};

pub(crate) const SCHEMA: &str = "
-- Jobs and bytes of every kind of job that there is; each count is a sum over a few of these rows.
CREATE TABLE tally (
    destination_id TEXT NOT NULL,
    priority INTEGER NOT NULL,
    class INTEGER NOT NULL,
    source_id TEXT NOT NULL,
    state TEXT NOT NULL,
    phase TEXT NOT NULL,
    held_code TEXT NOT NULL,
    acknowledged INTEGER NOT NULL,
    jobs INTEGER NOT NULL CHECK (jobs >= 0),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (destination_id, priority, class, source_id, state, phase, held_code, acknowledged)
) STRICT, WITHOUT ROWID;

-- Folders that are not there. Their jobs stay as they are and are passed over.
CREATE TABLE offline_source (
    source_id TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;
";

/// A row of the tally: jobs that are counted together.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) destination_id: String,
    pub(crate) priority: i64,
    pub(crate) class: i64,
    pub(crate) source_id: String,
    pub(crate) state: JobState,
    pub(crate) phase: Option<Phase>,
    pub(crate) held_code: String,
    pub(crate) acknowledged: bool,
}

/// Adds to a row of the tally, or takes from it.
pub(crate) fn count(db: &Connection, kind: &Kind, jobs: i64, bytes: i64) -> Result<(), QueueError> {
    let sql = if jobs < 0 || bytes < 0 {
        "UPDATE tally SET jobs = jobs + :jobs, bytes = bytes + :bytes
         WHERE destination_id = :destination_id AND priority = :priority AND class = :class AND source_id = :source_id
            AND state = :state AND phase = coalesce(:phase, '') AND held_code = :held_code AND acknowledged = :acknowledged"
    } else {
        "INSERT INTO tally (destination_id, priority, class, source_id, state, phase, held_code, acknowledged, jobs, bytes)
         VALUES (:destination_id, :priority, :class, :source_id, :state, coalesce(:phase, ''), :held_code, :acknowledged, :jobs, :bytes)
         ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs, bytes = bytes + excluded.bytes"
    };
    db.prepare_cached(sql)?.execute(named_params! {
        ":destination_id": kind.destination_id, ":priority": kind.priority, ":class": kind.class, ":source_id": kind.source_id,
        ":state": Word(kind.state), ":phase": kind.phase.map(Word), ":held_code": kind.held_code, ":acknowledged": kind.acknowledged,
        ":jobs": jobs, ":bytes": bytes,
    })?;
    Ok(())
}

/// Jobs and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Jobs.
    pub jobs: u64,
    /// Their bytes, in full.
    pub bytes: u64,
}

/// Jobs that are stopped for the same reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// What the last attempt ran into.
    pub code: FailureCode,
    /// How much.
    pub load: Load,
}

/// What the jobs of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// Where they go.
    pub destination_id: DestinationId,
    /// How they came to be.
    pub priority: Priority,
    /// What kind of files they are of.
    pub class: FileClass,
}

/// The open jobs of one destination, priority and class.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Which.
    pub key: LaneKey,
    /// In line.
    pub ready: Load,
    /// Under way.
    pub under_way: Load,
    /// After a failed attempt; ready once it is due.
    pub backing_off: Load,
    /// When the first of those is due; may be past.
    pub next_attempt_at: Option<Timestamp>,
    /// Behind another job, whose end they wait for; counted nowhere else.
    pub following: Load,
    /// Stopped until somebody acts.
    pub held: Vec<Held>,
    /// In line or backing off, of a folder that is not there; counted nowhere else.
    pub source_offline: Load,
}

impl Load {
    fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.bytes += other.bytes;
    }
}

impl Queue {
    /// The first jobs of a lane that may be started: those never tried, by age, then those whose next attempt is due; of uploads that the
    /// server will forget, the first to expire are among them. Jobs under way, held or of a folder that is not there are not. Costs the same however long the lane is.
    pub async fn heads(&self, lane: &LaneKey, limit: u32, now: Timestamp, exclude: &[JobId]) -> Result<Vec<QueuedJob>, QueueError> {
        let lane = lane.clone();
        let exclude = exclude.to_vec();
        self.read(move |db| heads(db, &lane, limit, now, &exclude)).await
    }

    /// Every lane that has open jobs. Costs the same for any number of jobs.
    pub async fn lanes(&self) -> Result<Vec<Lane>, QueueError> {
        self.read(lanes).await
    }

    /// All jobs by state.
    pub async fn counts(&self) -> Result<JobCounts, QueueError> {
        self.read(counts).await
    }

    /// Jobs that the person ought to see: held, failed and not acknowledged, or three times failed without a byte brought further
    /// although their destination answers others. The last are tried again by themselves, behind all others.
    pub async fn attention_count(&self) -> Result<u64, QueueError> {
        self.read(|db| {
            let mut sum = db.prepare_cached(ATTENTION_COUNT)?;
            Ok(sum.query_row([], |row| row.get(0))?)
        })
        .await
    }

    /// Notes that a folder went or came back. Its jobs are passed over while it is away.
    pub async fn set_source_offline(&self, source: &SourceId, offline: bool) -> Result<(), QueueError> {
        let source = source.clone();
        self.write(move |db, _| {
            if offline {
                db.execute("INSERT OR IGNORE INTO offline_source (source_id) VALUES (?1)", [source.as_str()])?;
            } else {
                db.execute("DELETE FROM offline_source WHERE source_id = ?1", [source.as_str()])?;
            }
            Ok(())
        })
        .await
    }
}

/// How many jobs the person ought to see.
pub(crate) const ATTENTION_COUNT: &str = "
SELECT (SELECT coalesce(sum(jobs), 0) FROM tally WHERE phase = 'held' OR (state = 'failed' AND acknowledged = 0))
    + (SELECT count(*) FROM job INDEXED BY job_stuck WHERE setbacks >= 3 AND finished_at IS NULL AND phase <> 'held' AND phase <> 'waiting'
        AND destination_id IN (SELECT id FROM destination WHERE state = 'ready'))";

/// The jobs of a source in a lane, in the order in which they are tried.
pub(crate) fn heads_of_source() -> String {
    format!(
        "SELECT {QUEUED} FROM job
         WHERE destination_id = ?1 AND priority = ?2 AND class = ?3 AND source_id = ?4 AND phase IN ('queued', 'backing_off')
            AND due_at <= ?5
         ORDER BY due_at, seq"
    )
}

/// When the first job of a source in a lane is due again.
pub(crate) const NEXT_ATTEMPT: &str = "
SELECT min(due_at) FROM job
WHERE destination_id = ?1 AND priority = ?2 AND class = ?3 AND source_id = ?4 AND phase IN ('queued', 'backing_off') AND due_at > 0";

/// The uploads of a lane that their server will forget, the first to expire first.
pub(crate) fn expiring() -> String {
    format!(
        "SELECT {QUEUED} FROM job INDEXED BY job_expiring
         WHERE destination_id = ?1 AND priority = ?2 AND class = ?3 AND session_expires_at IS NOT NULL
            AND finished_at IS NULL AND phase IN ('queued', 'backing_off') AND due_at <= ?4
            AND source_id NOT IN (SELECT source_id FROM offline_source)
         ORDER BY session_expires_at"
    )
}

fn heads(db: &Connection, lane: &LaneKey, limit: u32, now: Timestamp, exclude: &[JobId]) -> Result<Vec<QueuedJob>, QueueError> {
    let mut sources = db.prepare_cached(
        "SELECT DISTINCT source_id FROM tally
         WHERE destination_id = ?1 AND priority = ?2 AND class = ?3 AND jobs > 0 AND phase IN ('queued', 'backing_off')
            AND source_id NOT IN (SELECT source_id FROM offline_source)",
    )?;
    let (destination, priority, class) = (lane.destination_id.as_str(), job::rank(lane.priority), job::class_number(lane.class));
    let sources = sources.query_map(params![destination, priority, class], |row| row.get(0))?;
    let (limit, exclude) = (limit as usize, exclude.iter().map(JobId::as_str).collect());
    let mut found = Vec::new();
    let mut of_source = db.prepare_cached(&heads_of_source())?;
    for source in sources.collect::<Result<Vec<String>, _>>()? {
        let rows = of_source.query(params![destination, priority, class, source, now.0])?;
        found.extend(first(rows, limit, &exclude)?);
    }
    let mut of_lane = db.prepare_cached(&expiring())?;
    // However far back they stand, and once only.
    let expiring = first(of_lane.query(params![destination, priority, class, now.0])?, limit, &exclude)?;
    found.retain(|head| expiring.iter().all(|known| known.turn != head.turn));
    found.sort_by_key(|head| head.turn);
    found.truncate(limit.saturating_sub(expiring.len()));
    found.extend(expiring);
    found.sort_by_key(|head| head.turn);
    Ok(found.into_iter().map(|head| head.job).collect())
}

/// A job that may be started, and what its turn goes by.
struct Head {
    /// When it is due, and its row, of which no two are alike.
    turn: (i64, i64),
    job: QueuedJob,
}

/// The first rows, as many as are wanted. That some are left out is not for the statement: a table of them would cost it more than its rows.
fn first(mut rows: Rows<'_>, limit: usize, exclude: &HashSet<&str>) -> Result<Vec<Head>, QueueError> {
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        if !exclude.contains(row.get_ref("id")?.as_str().map_err(rusqlite::Error::from)?) {
            let (turn, job) = job::queued_job_row(row)?;
            found.push(Head { turn, job });
        }
    }
    Ok(found)
}

/// A row of the tally, of jobs that are open.
struct OpenTally {
    lane: (String, i64, i64),
    source_id: String,
    phase: Phase,
    held_code: Option<FailureCode>,
    offline: bool,
    load: Load,
}

fn open_tallies(db: &Connection) -> Result<Vec<OpenTally>, QueueError> {
    let mut all = db.prepare_cached(
        "SELECT destination_id, priority, class, source_id, phase, nullif(held_code, '') AS held_code, sum(jobs) AS jobs, sum(bytes) AS bytes,
            source_id IN (SELECT source_id FROM offline_source) AS offline
         FROM tally WHERE phase <> '' AND jobs > 0
         GROUP BY destination_id, priority, class, source_id, phase, held_code",
    )?;
    let rows = all.query_map([], |row| {
        let Word(phase) = row.get("phase")?;
        Ok(OpenTally {
            lane: (row.get("destination_id")?, row.get("priority")?, row.get("class")?),
            source_id: row.get("source_id")?,
            phase,
            held_code: row.get::<_, Option<Word<FailureCode>>>("held_code")?.map(|Word(code)| code),
            offline: row.get("offline")?,
            load: Load { jobs: row.get("jobs")?, bytes: row.get("bytes")? },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn lanes(db: &Connection) -> Result<Vec<Lane>, QueueError> {
    let mut lanes = BTreeMap::new();
    let mut next_attempt = db.prepare_cached(NEXT_ATTEMPT)?;
    for tally in open_tallies(db)? {
        let (destination_id, priority, class) = &tally.lane;
        let lane = match lanes.entry(tally.lane.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => new.insert(Lane {
                key: LaneKey {
                    destination_id: DestinationId(destination_id.clone()),
                    priority: job::priority_of(*priority)?,
                    class: job::class_of(*class)?,
                },
                ready: Load::default(),
                under_way: Load::default(),
                backing_off: Load::default(),
                next_attempt_at: None,
                following: Load::default(),
                held: Vec::new(),
                source_offline: Load::default(),
            }),
        };
        match (tally.phase, tally.held_code) {
            (Phase::Waiting, _) => lane.following.add(tally.load),
            (Phase::Queued | Phase::BackingOff, _) if tally.offline => lane.source_offline.add(tally.load),
            (Phase::Queued, _) => lane.ready.add(tally.load),
            (Phase::Preparing | Phase::CheckingServer | Phase::Transferring | Phase::Verifying, _) => {
                lane.under_way.add(tally.load)
            }
            (Phase::BackingOff, _) => {
                lane.backing_off.add(tally.load);
                let due: Option<i64> =
                    next_attempt.query_row(params![destination_id, priority, class, tally.source_id], |row| row.get(0))?;
                lane.next_attempt_at = lane.next_attempt_at.into_iter().chain(due.map(Timestamp)).min();
            }
            (Phase::Held, code) => {
                let code = code.unwrap_or(FailureCode::Internal);
                match lane.held.iter_mut().find(|held| held.code == code) {
                    Some(held) => held.load.add(tally.load),
                    None => lane.held.push(Held { code, load: tally.load }),
                }
            }
        }
    }
    Ok(lanes.into_values().collect())
}

pub(crate) fn counts(db: &Connection) -> Result<JobCounts, QueueError> {
    let mut sums = db.prepare_cached("SELECT state, sum(jobs) AS jobs FROM tally GROUP BY state")?;
    let mut counts = JobCounts::default();
    let mut rows = sums.query([])?;
    while let Some(row) = rows.next()? {
        let Word(state) = row.get("state")?;
        let jobs = row.get("jobs")?;
        match state {
            JobState::Registered => counts.registered = jobs,
            JobState::Pending => counts.pending = jobs,
            JobState::Failed => counts.failed = jobs,
            JobState::Succeeded => counts.succeeded = jobs,
            JobState::Cancelled => counts.cancelled = jobs,
        }
    }
    Ok(counts)
}
