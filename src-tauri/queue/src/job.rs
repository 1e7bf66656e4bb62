//! Jobs: one resource to one destination each. The table and its rows; how jobs come to be, move, are steered and are read stands below.

use std::path::PathBuf;

use afterglow_model::{
    AppId, AssetId, AssetResourceType, BatchId, DestinationId, Failure, JobId, JobResponse, JobState, Phase, Priority, ResourceId,
    SourceId, Timestamp, UploadJob, UploadJobOptions,
};
use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, Params, Row};

use crate::QueueError;
use crate::receipt::receipt_row;
use crate::text::{self, Json, Word};

pub(crate) mod control;
pub(crate) mod create;
pub(crate) mod moved;
pub(crate) mod moves;
mod path;
pub(crate) mod read;
pub(crate) mod request;

/// What holds for each row is said without lists of more than two words: SQLite would make a table for every one of them, at each change.
pub(crate) const SCHEMA: &str = "
CREATE TABLE job (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- What changes on the way comes first: SQLite reads all columns of a changed row for a trigger that names one beyond the 32nd.
    state TEXT NOT NULL CHECK (state = 'registered' OR state = 'pending' OR state = 'succeeded' OR state = 'failed' OR state = 'cancelled'),
    -- None once it ended. 'waiting' is for the job that goes first; 'preparing' stands for every phase of a job under way; which one, only the service knows.
    phase TEXT CHECK (phase = 'queued' OR phase = 'waiting' OR phase = 'preparing' OR phase = 'backing_off' OR phase = 'held'),
    -- Grows each time that an ended job is taken up again.
    epoch INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Failed attempts in a row that brought no byte further.
    setbacks INTEGER NOT NULL DEFAULT 0 CHECK (setbacks >= 0),
    -- When the next attempt is due; 0 for now.
    due_at INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    bytes_sent INTEGER NOT NULL DEFAULT 0 CHECK (bytes_sent BETWEEN 0 AND byte_count),
    acknowledged INTEGER NOT NULL DEFAULT 0,
    -- It ended without a delivery. A column, since an index whose condition names another one is written anew with that.
    given_up INTEGER NOT NULL DEFAULT 0,
    -- The person took it back: no rule may make it again.
    refused INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    upload_url TEXT,
    -- What the source file was when the upload began.
    pin TEXT,
    -- When the server forgets what it holds, if it said so.
    session_expires_at INTEGER,
    batch_id TEXT NOT NULL REFERENCES batch (id),
    -- 0 backup, 1 app, 2 user_initiated.
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    app_id TEXT NOT NULL REFERENCES app (id),
    destination_id TEXT NOT NULL REFERENCES destination (id),
    -- Files of one class wait and go together: 0 small, in one request each; 1 large; 2 videos, which may have rules of their own.
    class INTEGER NOT NULL CHECK (class BETWEEN 0 AND 2),
    -- Empty for a file outside the library's folders.
    source_id TEXT NOT NULL,
    byte_count INTEGER NOT NULL CHECK (byte_count >= 0),
    asset_id TEXT,
    -- The rule that made it; the rule itself may be gone.
    rule_id TEXT,
    resource_id TEXT,
    resource_type TEXT NOT NULL,
    filename TEXT NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    taken_at INTEGER,
    path BLOB NOT NULL,
    client_reference TEXT,
    options TEXT NOT NULL,
    url TEXT,
    headers_handle TEXT,
    -- Where the secret store keeps what the request is made of, if an app says so.
    body_handle TEXT,
    -- The job that goes first.
    after_job TEXT REFERENCES job (id),
    -- What the server last answered, if an app wants to know.
    response TEXT,
    created_at INTEGER NOT NULL,
    CHECK ((phase IS NULL) = (state <> 'registered' AND state <> 'pending')),
    CHECK (given_up = (state = 'failed' OR state = 'cancelled')),
    CHECK ((finished_at IS NULL) = (phase IS NOT NULL)),
    CHECK (phase <> 'preparing' OR state = 'pending'),
    CHECK (phase <> 'held' OR failure IS NOT NULL),
    CHECK (phase <> 'waiting' OR after_job IS NOT NULL)
) STRICT;

-- An index is written at each change of a column that it or its condition names. What happens to every job names few of them: its start the
-- state, the phase and when it is due, its end also when it ended.

-- AtMostOne: a destination is sent a content once, unless the app names the upload or its URL itself.
CREATE UNIQUE INDEX job_once ON job (destination_id, sha256) WHERE client_reference IS NULL AND url IS NULL AND NOT given_up;
CREATE UNIQUE INDEX job_reference ON job (app_id, client_reference) WHERE client_reference IS NOT NULL;
CREATE INDEX job_given_up ON job (destination_id, sha256) WHERE given_up;
CREATE INDEX job_ready ON job (destination_id, priority, class, source_id, due_at, seq) WHERE phase IN ('queued', 'backing_off');
CREATE INDEX job_under_way ON job (seq) WHERE phase = 'preparing';
CREATE INDEX job_held ON job (destination_id) WHERE phase = 'held';
CREATE INDEX job_expiring ON job (destination_id, priority, class, session_expires_at)
    WHERE session_expires_at IS NOT NULL AND finished_at IS NULL;
-- What fails again and again is that while it is being tried, too: otherwise the person would be told anew with every attempt.
CREATE INDEX job_stuck ON job (seq) WHERE setbacks >= 3 AND finished_at IS NULL;
CREATE INDEX job_attention ON job (seq) WHERE phase = 'held' OR (state = 'failed' AND acknowledged = 0);
CREATE INDEX job_rule ON job (rule_id) WHERE rule_id IS NOT NULL AND finished_at IS NULL;
CREATE INDEX job_state ON job (state);
CREATE INDEX job_batch ON job (batch_id);
CREATE INDEX job_app ON job (app_id);
CREATE INDEX job_unacknowledged ON job (app_id) WHERE acknowledged = 0;
CREATE INDEX job_asset ON job (asset_id) WHERE asset_id IS NOT NULL;
CREATE INDEX job_after ON job (after_job) WHERE after_job IS NOT NULL AND finished_at IS NULL;
-- The secret store is told what it may throw away: what no job names any more.
CREATE INDEX job_headers ON job (headers_handle) WHERE headers_handle IS NOT NULL;
CREATE INDEX job_body ON job (body_handle) WHERE body_handle IS NOT NULL;
";

/// An upload that a server has opened, as it must be known to go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadSession {
    /// Where the bytes are appended.
    pub upload_url: String,
    /// Bytes that the server confirmed.
    pub offset: u64,
    /// What the source file was when the upload began, as JSON of the transfer's.
    pub pin_json: String,
    /// When the server forgets it, if it said so.
    pub expires_at: Option<Timestamp>,
}

/// Everything that a transfer needs of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedJob {
    /// Which.
    pub id: JobId,
    /// What kind of file it is.
    pub class: FileClass,
    /// When it was made.
    pub registered_at: Timestamp,
    /// Grows each time that the ended job is taken up again.
    pub epoch: u64,
    /// The jobs asked for together with it.
    pub batch_id: BatchId,
    /// Who asked.
    pub app_id: AppId,
    /// Where to.
    pub destination_id: DestinationId,
    /// The asset, if it is in the library.
    pub asset_id: Option<AssetId>,
    /// PhotoKit's state.
    pub state: JobState,
    /// Where inside it; `Preparing` for every phase of a job under way.
    pub phase: Phase,
    /// How it came to be.
    pub priority: Priority,
    /// Attempts made.
    pub attempts: u32,
    /// Failed attempts in a row that brought no byte further.
    pub setbacks: u32,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
    /// What went wrong last.
    pub failure: Option<Failure>,
    /// The file.
    pub path: PathBuf,
    /// The folder of the library beneath which it lies.
    pub source_id: Option<SourceId>,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub byte_count: u64,
    /// Name it is sent under.
    pub filename: String,
    /// When it was taken; milliseconds since 1970 UTC.
    pub created_ms: Option<i64>,
    /// Creation URL if it differs from the destination's.
    pub url: Option<String>,
    /// Handle of header fields in the secret store.
    pub headers_handle: Option<String>,
    /// Handle of what the request is made of in the secret store, if an app says so.
    pub body_handle: Option<String>,
    /// The job that went first.
    pub after: Option<JobId>,
    /// What the job asks for beyond the settings.
    pub options: UploadJobOptions,
    /// The upload to go on with.
    pub session: Option<UploadSession>,
}

impl QueuedJob {
    /// Whether its request holds a credential of the app's: header fields, or URLs and forms that it describes. If that is refused, nothing
    /// is said about other jobs of the destination.
    pub fn has_own_credential(&self) -> bool {
        self.headers_handle.is_some() || self.body_handle.is_some()
    }
}

/// Up to so many bytes a file is small: one request, and many of them at once.
pub const SMALL_BYTES: u64 = 1 << 20;

/// Files that wait and go together, so that none of another kind is in their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileClass {
    /// At most [`SMALL_BYTES`].
    Small,
    /// Larger.
    Large,
    /// A video of any size. That of a Live Photo goes with its still and is none.
    Video,
}

impl FileClass {
    /// The class of a file.
    pub(crate) fn of(resource_type: AssetResourceType, byte_count: u64) -> Self {
        match resource_type {
            AssetResourceType::Video | AssetResourceType::FullSizeVideo | AssetResourceType::AdjustmentBaseVideo => Self::Video,
            AssetResourceType::Photo
            | AssetResourceType::Audio
            | AssetResourceType::AlternatePhoto
            | AssetResourceType::FullSizePhoto
            | AssetResourceType::AdjustmentData
            | AssetResourceType::AdjustmentBasePhoto
            | AssetResourceType::PairedVideo
            | AssetResourceType::FullSizePairedVideo
            | AssetResourceType::AdjustmentBasePairedVideo
            | AssetResourceType::PhotoProxy
            | AssetResourceType::Unknown => {
                if byte_count > SMALL_BYTES {
                    Self::Large
                } else {
                    Self::Small
                }
            }
        }
    }
}

/// The number of a class in a column.
pub(crate) fn class_number(class: FileClass) -> i64 {
    match class {
        FileClass::Small => 0,
        FileClass::Large => 1,
        FileClass::Video => 2,
    }
}

/// The class of a column.
pub(crate) fn class_of(number: i64) -> rusqlite::Result<FileClass> {
    match number {
        0 => Ok(FileClass::Small),
        1 => Ok(FileClass::Large),
        2 => Ok(FileClass::Video),
        other => Err(rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, format!("{other} is no class").into())),
    }
}

/// Puts jobs that were under way back into the line; session, offset and attempts stay. Returns how many.
pub(crate) fn recover(db: &Connection) -> Result<usize, QueueError> {
    Ok(db.execute("UPDATE job SET phase = 'queued' WHERE phase = 'preparing'", [])?)
}

/// Where a job stands that is put in line: behind the job that goes first, while that is open.
pub(crate) const IN_LINE: &str =
    "CASE WHEN EXISTS (SELECT 1 FROM job AS first WHERE first.id = job.after_job AND first.phase IS NOT NULL)
    THEN 'waiting' ELSE 'queued' END";

/// Runs an `UPDATE job`. Returns how many it changed.
pub(crate) fn change(db: &Connection, sql: &str, params: impl Params) -> Result<u64, QueueError> {
    Ok(db.prepare_cached(sql)?.execute(params)? as u64)
}

/// How a priority stands in a column: the more urgent, the larger.
pub(crate) fn rank(priority: Priority) -> i64 {
    match priority {
        Priority::Backup => 0,
        Priority::App => 1,
        Priority::UserInitiated => 2,
    }
}

/// The priority of a column.
pub(crate) fn priority_of(rank: i64) -> rusqlite::Result<Priority> {
    match rank {
        0 => Ok(Priority::Backup),
        1 => Ok(Priority::App),
        2 => Ok(Priority::UserInitiated),
        other => Err(rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, format!("{other} is no priority").into())),
    }
}

/// The jobs that meet a condition, as [`upload_job_row`] reads them: each with its receipt, if it succeeded.
pub(crate) fn select(condition: &str) -> String {
    format!(
        "SELECT job.*, receipt.job_id, receipt.remote_id, receipt.evidence, receipt.delivered_at FROM job
         LEFT JOIN receipt ON job.state = 'succeeded' AND receipt.destination_id = job.destination_id AND receipt.sha256 = job.sha256
            AND receipt.slot = CASE WHEN job.client_reference IS NULL AND job.url IS NULL THEN '' ELSE job.id END
         WHERE {condition}"
    )
}

/// A row of [`select`] as other programs and people see it. Why it waits is for the service to add.
pub(crate) fn upload_job_row(row: &Row<'_>) -> rusqlite::Result<UploadJob> {
    let Word(state) = row.get("state")?;
    let Word(resource_type): Word<AssetResourceType> = row.get("resource_type")?;
    let delivered = row.get::<_, Option<String>>("remote_id")?.is_some();
    Ok(UploadJob {
        id: JobId(row.get("id")?),
        batch_id: BatchId(row.get("batch_id")?),
        app_id: AppId(row.get("app_id")?),
        destination_id: DestinationId(row.get("destination_id")?),
        asset_id: row.get::<_, Option<String>>("asset_id")?.map(AssetId),
        resource_id: row.get::<_, Option<String>>("resource_id")?.map(ResourceId),
        resource_type,
        filename: row.get("filename")?,
        byte_count: row.get("byte_count")?,
        state,
        phase: shown(row.get("phase")?),
        priority: priority_of(row.get("priority")?)?,
        waiting: Vec::new(),
        attempts: row.get("attempts")?,
        bytes_sent: row.get("bytes_sent")?,
        next_attempt_at: next_attempt_at(row)?,
        failure: failure(row)?,
        receipt: if delivered { Some(receipt_row(row)?) } else { None },
        acknowledged: row.get("acknowledged")?,
        client_reference: row.get("client_reference")?,
        after: row.get::<_, Option<String>>("after_job")?.map(JobId),
        response: row.get::<_, Option<Json<JobResponse>>>("response")?.map(|Json(response)| response),
        created_at: Timestamp(row.get("created_at")?),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
    })
}

/// The columns that [`queued_job_row`] reads, in its order: to look each up by its name, for hundreds of rows, costs as much as to read them.
pub(crate) const QUEUED: &str = "seq, due_at, class, created_at, id, epoch, batch_id, app_id, destination_id, asset_id, state, phase, priority,
    attempts, setbacks, failure, path, source_id, sha256, byte_count, filename, taken_at, url, headers_handle, body_handle, after_job, options,
    upload_url, bytes_sent, pin, session_expires_at";

/// The columns of a row, one after the other.
struct Columns<'r> {
    row: &'r Row<'r>,
    at: usize,
}

impl Columns<'_> {
    fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.at += 1;
        self.row.get(self.at - 1)
    }

    fn named<T: From<String>>(&mut self) -> rusqlite::Result<Option<T>> {
        Ok(self.next::<Option<String>>()?.map(T::from))
    }
}

/// A row of [`QUEUED`] as a transfer needs it, with what its turn goes by: when it is due, and its row.
pub(crate) fn queued_job_row(row: &Row<'_>) -> rusqlite::Result<((i64, i64), QueuedJob)> {
    let mut next = Columns { row, at: 0 };
    let (seq, due_at): (i64, i64) = (next.next()?, next.next()?);
    let job = QueuedJob {
        class: class_of(next.next()?)?,
        registered_at: Timestamp(next.next()?),
        id: JobId(next.next()?),
        epoch: next.next()?,
        batch_id: BatchId(next.next()?),
        app_id: AppId(next.next()?),
        destination_id: DestinationId(next.next()?),
        asset_id: next.named()?,
        state: next.next::<Word<_>>()?.0,
        phase: shown(next.next()?),
        priority: priority_of(next.next()?)?,
        attempts: next.next()?,
        setbacks: next.next()?,
        next_attempt_at: (due_at != 0).then_some(Timestamp(due_at)),
        failure: next.next::<Option<Json<_>>>()?.map(|Json(failure)| failure),
        path: path::from_bytes(next.next()?),
        source_id: next.named()?.filter(|source: &SourceId| !source.as_str().is_empty()),
        sha256: text::hex(&next.next()?),
        byte_count: next.next()?,
        filename: next.next()?,
        created_ms: next.next()?,
        url: next.next()?,
        headers_handle: next.next()?,
        body_handle: next.next()?,
        after: next.named()?,
        options: next.next::<Json<_>>()?.0,
        session: match next.next::<Option<String>>()? {
            Some(upload_url) => Some(UploadSession {
                upload_url,
                offset: next.next()?,
                pin_json: next.next()?,
                expires_at: next.next::<Option<i64>>()?.map(Timestamp),
            }),
            None => None,
        },
    };
    Ok(((due_at, seq), job))
}

/// An ended job has no phase; it is shown as `Queued`, which says nothing beside an end.
fn shown(phase: Option<Word<Phase>>) -> Phase {
    phase.map_or(Phase::Queued, |Word(phase)| phase)
}

fn failure(row: &Row<'_>) -> rusqlite::Result<Option<Failure>> {
    Ok(row.get::<_, Option<Json<Failure>>>("failure")?.map(|Json(failure)| failure))
}

fn next_attempt_at(row: &Row<'_>) -> rusqlite::Result<Option<Timestamp>> {
    let due_at: i64 = row.get("due_at")?;
    Ok((due_at != 0).then_some(Timestamp(due_at)))
}
