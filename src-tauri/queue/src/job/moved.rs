//! What follows from every change of a job, whichever statement makes it: whether it is legal, the counts, who is told, and who goes next.
//!
//! Triggers hand each changed row to this file, so that no statement can forget it, and what is counted is written once for all rows of a
//! call: a trigger that wrote the counts itself would cost more than the change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use afterglow_model::{AppId, AssetId, JobId, JobState, Phase};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Null;
use rusqlite::{Connection, named_params};

use crate::QueueError;
use crate::event::{Changes, JobChange};
use crate::lane::{self, Kind};
use crate::text::Word;

pub(crate) const SCHEMA: &str = "
CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
    SELECT job_added(
        NEW.seq, NEW.id, NEW.asset_id, NEW.app_id, NEW.destination_id, NEW.class, NEW.source_id, NEW.byte_count, NEW.finished_at,
        NEW.state, NEW.phase, CASE NEW.phase WHEN 'held' THEN NEW.failure ->> '$.code' ELSE '' END, NEW.acknowledged, NEW.priority,
        NEW.batch_id, NEW.bytes_sent, NEW.epoch);
END;
CREATE TRIGGER job_moved AFTER UPDATE OF state, phase, failure, acknowledged, priority, batch_id, bytes_sent ON job BEGIN
    SELECT job_moved(
        NEW.seq, NEW.id, NEW.asset_id, NEW.app_id, NEW.destination_id, NEW.class, NEW.source_id, NEW.byte_count, NEW.finished_at,
        NEW.state, NEW.phase, CASE NEW.phase WHEN 'held' THEN NEW.failure ->> '$.code' ELSE '' END, NEW.acknowledged, NEW.priority,
        NEW.batch_id, NEW.bytes_sent, NEW.epoch,
        OLD.state, OLD.phase, CASE OLD.phase WHEN 'held' THEN OLD.failure ->> '$.code' ELSE '' END, OLD.acknowledged, OLD.priority,
        OLD.batch_id, OLD.bytes_sent, OLD.epoch);
END;
";

/// Where the changing columns begin among the arguments: those of the new row, then those of the old one.
const NEW: usize = 9;
const OLD: usize = 17;

/// The changes of the present call that are not counted yet.
#[derive(Clone, Default)]
pub(crate) struct Moves(Arc<Mutex<Sums>>);

#[derive(Default)]
struct Sums {
    told: Changes,
    /// Jobs and bytes that came to each kind of job, or left it. A call changes jobs of few kinds.
    tally: Vec<(Kind, (i64, i64))>,
    batches: HashMap<String, BatchSum>,
    /// The rows of jobs that ended; others may wait for them.
    ended: Vec<i64>,
}

/// What is added to the counts of a batch.
#[derive(Default)]
struct BatchSum {
    registered: i64,
    pending: i64,
    succeeded: i64,
    failed: i64,
    cancelled: i64,
    bytes_total: i64,
    bytes_sent: i64,
    /// When the last of its jobs ended.
    finished_at: Option<i64>,
    /// Whether another batch took a job over.
    is_robbed: bool,
}

/// The columns of a job that change, as far as anything follows from them.
struct Standing<'a> {
    state: JobState,
    phase: Option<Phase>,
    held_code: &'a str,
    acknowledged: bool,
    priority: i64,
    batch_id: &'a str,
    bytes_sent: i64,
    epoch: i64,
}

impl<'a> Standing<'a> {
    fn read(arguments: &'a Context<'_>, from: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            state: arguments.get::<Word<_>>(from)?.0,
            phase: arguments.get::<Option<Word<_>>>(from + 1)?.map(|Word(phase)| phase),
            held_code: arguments.get_raw(from + 2).as_str()?,
            acknowledged: arguments.get(from + 3)?,
            priority: arguments.get(from + 4)?,
            batch_id: arguments.get_raw(from + 5).as_str()?,
            bytes_sent: arguments.get(from + 6)?,
            epoch: arguments.get(from + 7)?,
        })
    }

    /// Whether the tally has both in one row.
    fn is_of_one_kind(&self, other: &Standing<'_>) -> bool {
        (self.state, self.phase, self.acknowledged, self.priority) == (other.state, other.phase, other.acknowledged, other.priority)
            && self.held_code == other.held_code
    }
}

/// LegalMove: the closed table of changes. Every statement selects the jobs that its change may begin at; this is what holds it to that.
fn is_legal(old: &Standing<'_>, new: &Standing<'_>) -> bool {
    if (old.state, old.phase) == (new.state, new.phase) {
        return true;
    }
    let stays = old.state == new.state;
    // A proof may come in late, also for a job that was stopped.
    let ends = new.state == JobState::Cancelled || (old.state == JobState::Pending && new.state == JobState::Succeeded);
    match old.phase {
        // In line: it is put back to the front, held, started, or cancelled.
        Some(Phase::Queued | Phase::BackingOff) => {
            (stays && matches!(new.phase, Some(Phase::Queued | Phase::Held)))
                || (new.state == JobState::Pending && new.phase == Some(Phase::Preparing))
                || ends
        }
        // Behind another: it is released, held, or cancelled.
        Some(Phase::Waiting) => (stays && matches!(new.phase, Some(Phase::Queued | Phase::Held))) || ends,
        // Under way: anything but never to have been started.
        Some(Phase::Preparing) => new.state != JobState::Registered,
        Some(Phase::Held) => (stays && matches!(new.phase, Some(Phase::Queued | Phase::Waiting))) || ends,
        // Of a job under way the file says no more than that.
        Some(Phase::CheckingServer | Phase::Transferring | Phase::Verifying) => false,
        // Taken up again, by the person or the app.
        None => {
            old.state == JobState::Failed
                && new.state == JobState::Registered
                && matches!(new.phase, Some(Phase::Queued | Phase::Waiting))
                && new.epoch > old.epoch
        }
    }
}

impl Moves {
    /// Lets the triggers of this connection reach it. Without it no statement can change a job.
    pub(crate) fn watch(&self, db: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8;
        let sums = Arc::clone(&self.0);
        db.create_scalar_function("job_added", 17, flags, move |row| {
            let new = Standing::read(row, NEW)?;
            sums.lock().unwrap_or_else(PoisonError::into_inner).note(row, None, &new).map(|()| Null)
        })?;
        let sums = Arc::clone(&self.0);
        db.create_scalar_function("job_moved", 25, flags, move |row| {
            let (old, new) = (Standing::read(row, OLD)?, Standing::read(row, NEW)?);
            if !is_legal(&old, &new) {
                return Err(rusqlite::Error::UserFunctionError("illegal move".into()));
            }
            sums.lock().unwrap_or_else(PoisonError::into_inner).note(row, Some(&old), &new).map(|()| Null)
        })
    }

    /// Writes the counts of a call, releases what waited for the jobs that ended, and hands over what listeners are told.
    pub(crate) fn settle(&self, db: &Connection, changes: &mut Changes) -> Result<(), QueueError> {
        loop {
            let Sums { told, tally, batches, ended } = self.take();
            changes.absorb(told);
            for (kind, (jobs, bytes)) in tally {
                lane::count(db, &kind, jobs, bytes)?;
            }
            for (batch, sum) in batches {
                sum.write(db, &batch)?;
            }
            if ended.is_empty() {
                return Ok(());
            }
            release(db, &ended)?;
        }
    }

    /// Forgets the changes of a call that is undone.
    pub(crate) fn forget(&self) {
        self.take();
    }

    fn take(&self) -> Sums {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// However the first ends, what comes after it is in line.
fn release(db: &Connection, ended: &[i64]) -> Result<(), QueueError> {
    if !db.prepare_cached("SELECT 1 FROM job WHERE after_job IS NOT NULL AND finished_at IS NULL LIMIT 1")?.exists([])? {
        return Ok(());
    }
    let mut next = db.prepare_cached(
        "UPDATE job SET phase = 'queued'
         WHERE after_job = (SELECT id FROM job WHERE seq = ?1) AND finished_at IS NULL AND phase = 'waiting'",
    )?;
    ended.iter().try_for_each(|seq| next.execute([seq]).map(drop))?;
    Ok(())
}

impl Sums {
    fn note(&mut self, row: &Context<'_>, old: Option<&Standing<'_>>, new: &Standing<'_>) -> rusqlite::Result<()> {
        let byte_count: i64 = row.get(7)?;
        let finished_at: Option<i64> = row.get(8)?;
        let moved = old.is_none_or(|old| !old.is_of_one_kind(new));
        if moved {
            if let Some(old) = old {
                self.add_to_tally(row, old, -1, -byte_count)?;
            }
            self.add_to_tally(row, new, 1, byte_count)?;
        }
        if moved || old.is_some_and(|old| old.batch_id != new.batch_id) {
            self.told.job(JobChange {
                job_id: JobId(row.get(1)?),
                asset_id: row.get::<Option<String>>(2)?.map(AssetId),
                app_id: AppId(row.get(3)?),
                state: new.state,
            });
        }
        if old.is_some_and(|old| old.phase.is_some() && new.phase.is_none()) {
            self.ended.push(row.get(0)?);
        }
        match old {
            Some(old) if old.batch_id == new.batch_id && old.state == new.state && old.bytes_sent == new.bytes_sent => {}
            Some(old) => {
                let is_robbed = old.batch_id != new.batch_id;
                let sum = self.batch(old.batch_id);
                sum.add(old, -1, -byte_count);
                sum.is_robbed |= is_robbed;
                let sum = self.batch(new.batch_id);
                sum.add(new, 1, byte_count);
                sum.finished_at = sum.finished_at.max(finished_at);
            }
            None => self.batch(new.batch_id).add(new, 1, byte_count),
        }
        Ok(())
    }

    fn add_to_tally(&mut self, row: &Context<'_>, standing: &Standing<'_>, jobs: i64, bytes: i64) -> rusqlite::Result<()> {
        let (destination_id, class, source_id) = (row.get_raw(4).as_str()?, row.get(5)?, row.get_raw(6).as_str()?);
        let Standing { state, phase, held_code, acknowledged, priority, .. } = *standing;
        let known = self.tally.iter_mut().find(|(kind, _)| {
            (kind.state, kind.phase, kind.class, kind.priority, kind.acknowledged) == (state, phase, class, priority, acknowledged)
                && (&*kind.held_code, &*kind.source_id, &*kind.destination_id) == (held_code, source_id, destination_id)
        });
        match known {
            Some((_, sum)) => *sum = (sum.0 + jobs, sum.1 + bytes),
            None => {
                let (destination_id, source_id) = (destination_id.to_owned(), source_id.to_owned());
                let held_code = held_code.to_owned();
                let kind = Kind { destination_id, priority, class, source_id, state, phase, held_code, acknowledged };
                self.tally.push((kind, (jobs, bytes)));
            }
        }
        Ok(())
    }

    fn batch(&mut self, id: &str) -> &mut BatchSum {
        self.batches.entry(id.to_owned()).or_default()
    }
}

impl BatchSum {
    fn add(&mut self, standing: &Standing<'_>, jobs: i64, bytes: i64) {
        let count = match standing.state {
            JobState::Registered => &mut self.registered,
            JobState::Pending => &mut self.pending,
            JobState::Succeeded => &mut self.succeeded,
            JobState::Failed => &mut self.failed,
            JobState::Cancelled => &mut self.cancelled,
        };
        *count += jobs;
        self.bytes_total += bytes;
        self.bytes_sent += jobs * standing.bytes_sent;
    }

    fn write(&self, db: &Connection, batch: &str) -> Result<(), QueueError> {
        db.prepare_cached(
            "UPDATE batch SET
                registered = registered + :registered, pending = pending + :pending, succeeded = succeeded + :succeeded,
                failed = failed + :failed, cancelled = cancelled + :cancelled,
                bytes_total = bytes_total + :bytes_total, bytes_sent = bytes_sent + :bytes_sent,
                finished_at = CASE WHEN registered + :registered + pending + :pending = 0
                    THEN coalesce(:finished_at, finished_at, (SELECT max(job.finished_at) FROM job WHERE batch_id = batch.id)) END
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":id": batch, ":registered": self.registered, ":pending": self.pending, ":succeeded": self.succeeded,
            ":failed": self.failed, ":cancelled": self.cancelled, ":bytes_total": self.bytes_total, ":bytes_sent": self.bytes_sent,
            ":finished_at": self.finished_at,
        })?;
        if self.is_robbed {
            let empty = "DELETE FROM batch WHERE id = ?1 AND registered + pending + succeeded + failed + cancelled = 0";
            db.prepare_cached(empty)?.execute([batch])?;
        }
        Ok(())
    }
}
