//! How jobs move on their way: the intent before the request, the upload session, and the end of an attempt.
//!
//! Which state may follow which is held by `moved.rs`, whatever a statement says. [`Place::allows`] says the same of a transfer's own changes, so that
//! a wrong one is told by name.

use std::collections::HashMap;
use std::sync::Arc;

use afterglow_model::{AppId, DestinationId, Failure, JobId, JobResponse, JobState, Phase, Receipt, Timestamp};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::change;
use crate::event::Changes;
use crate::text::{self, Digest, Json, Word};
use crate::{Queue, QueueError, UploadSession, receipt};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Finished {
    /// The destination holds the bytes.
    Delivered {
        /// Which job.
        job: JobId,
        /// The proof; its digest, size and destination must be the job's.
        receipt: Receipt,
    },
    /// Try again later.
    Retry {
        /// Which job.
        job: JobId,
        /// What happened.
        failure: Failure,
        /// When.
        at: Timestamp,
        /// Failed attempts in a row that brought no byte further, this one among them; 0 if it did bring some.
        setbacks: u32,
    },
    /// Somebody must act first.
    Held {
        /// Which job.
        job: JobId,
        /// What happened.
        failure: Failure,
    },
    /// Given up.
    Failed {
        /// Which job.
        job: JobId,
        /// What happened.
        failure: Failure,
    },
    /// Conditions forbade to go on: back into the line; the attempt does not count.
    Stopped {
        /// Which job.
        job: JobId,
    },
    /// The file is another one now; its new content is a new job's.
    Replaced {
        /// Which job.
        job: JobId,
        /// What happened.
        failure: Failure,
    },
}

/// Where a job is, as far as a transfer's changes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Never started.
    Registered,
    /// Started before; in line or backing off.
    Resting,
    /// A transfer has it.
    UnderWay,
    /// Started before; stopped until somebody acts.
    Held,
    Succeeded,
    Failed,
    Cancelled,
}

/// What a transfer may ask of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// To note the upload's session.
    Note,
    /// To end the attempt with a proof.
    Deliver,
    /// To end it otherwise.
    EndAttempt,
}

impl Place {
    /// Whether a change may begin here.
    fn allows(self, change: Change) -> bool {
        match (self, change) {
            (Self::UnderWay, Change::Note | Change::Deliver | Change::EndAttempt) => true,
            // A proof may come in after the transfer was told to stop: it is the truth, whatever was decided meanwhile.
            (Self::Resting | Self::Held, Change::Deliver) => true,
            (Self::Resting | Self::Held, Change::Note | Change::EndAttempt) => false,
            (
                Self::Registered | Self::Succeeded | Self::Failed | Self::Cancelled,
                Change::Note | Change::Deliver | Change::EndAttempt,
            ) => false,
        }
    }

    /// Whether a transfer may have been under way when the job was brought here by somebody else.
    fn taken_away(self) -> bool {
        match self {
            Self::Resting | Self::Held | Self::Cancelled => true,
            Self::Registered | Self::UnderWay | Self::Succeeded | Self::Failed => false,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Registered => "not started",
            Self::Resting => "not under way",
            Self::UnderWay => "under way",
            Self::Held => "held",
            Self::Succeeded => "delivered already",
            Self::Failed => "given up",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Change {
    fn sentence(self) -> &'static str {
        match self {
            Self::Note => "note an upload session",
            Self::Deliver => "be delivered",
            Self::EndAttempt => "end an attempt",
        }
    }
}

/// What the moves need to know of a job.
struct Moving {
    seq: i64,
    id: JobId,
    place: Place,
    app_id: AppId,
    destination_id: DestinationId,
    sha256: Digest,
    byte_count: u64,
    /// Where its receipt stands in the ledger.
    slot: String,
}

impl Queue {
    /// The intent, on disk before the first request: these jobs are under way, and an attempt is counted. Returns those that were in line
    /// and due, in the given order; the others are left alone.
    pub async fn start(&self, jobs: &[JobId], now: Timestamp) -> Result<Vec<JobId>, QueueError> {
        let jobs = jobs.to_vec();
        self.write(move |db, _| {
            let mut started = Vec::with_capacity(jobs.len());
            for job in jobs {
                let begin = "UPDATE job SET state = 'pending', phase = 'preparing', attempts = attempts + 1, due_at = 0
                    WHERE id = ?1 AND phase IN ('queued', 'backing_off') AND due_at <= ?2";
                if change(db, begin, params![job.as_str(), now.0])? > 0 {
                    started.push(job);
                }
            }
            Ok(started)
        })
        .await
    }

    /// Puts jobs back into the line that the file says are under way and that are not among those that the caller carries: after a commit
    /// that failed, it may hold what nobody knows of. Session, offset and attempts stay, as at a start of the service. Returns how many.
    pub async fn put_back(&self, carried: &[JobId]) -> Result<u64, QueueError> {
        let carried = text::list(carried.iter().map(JobId::as_str));
        self.write(move |db, _| {
            let back = "UPDATE job SET phase = 'queued'
                WHERE phase = 'preparing' AND id NOT IN (SELECT value FROM json_each(?1))";
            change(db, back, [carried])
        })
        .await
    }

    /// Notes the upload that the server opened, before its completing byte is sent.
    ///
    /// # Errors
    /// [`QueueError::IllegalMove`] if the job is not under way any more: abort the upload.
    pub async fn session_opened(&self, job: &JobId, session: UploadSession) -> Result<(), QueueError> {
        let job = job.clone();
        self.write(move |db, _| {
            let sql = "UPDATE job SET upload_url = ?2, pin = ?3, bytes_sent = ?4, session_expires_at = ?5 WHERE id = ?1";
            let expires_at = session.expires_at.map(|at| at.0);
            let params = params![job.as_str(), session.upload_url, session.pin_json, session.offset, expires_at];
            note(db, &job, sql, session.offset, params)
        })
        .await
    }

    /// Notes how many bytes the server confirmed. The errors are those of [`Queue::session_opened`].
    pub async fn session_offset(&self, job: &JobId, offset: u64) -> Result<(), QueueError> {
        let job = job.clone();
        self.write(move |db, _| {
            note(db, &job, "UPDATE job SET bytes_sent = ?2 WHERE id = ?1", offset, params![job.as_str(), offset])
        })
        .await
    }

    /// Forgets the upload: the server does not know it any more. The errors are those of [`Queue::session_opened`].
    pub async fn session_lost(&self, job: &JobId) -> Result<(), QueueError> {
        let job = job.clone();
        self.write(move |db, _| {
            let sql = "UPDATE job SET upload_url = NULL, pin = NULL, session_expires_at = NULL, bytes_sent = 0 WHERE id = ?1";
            note(db, &job, sql, 0, [job.as_str()])
        })
        .await
    }

    /// Notes what the server answered, for the app that described the request and for the jobs that use the answer. The errors are those of
    /// [`Queue::session_opened`].
    pub async fn answered(&self, job: &JobId, response: JobResponse) -> Result<(), QueueError> {
        let job = job.clone();
        self.write(move |db, _| {
            note(db, &job, "UPDATE job SET response = ?2 WHERE id = ?1", 0, params![job.as_str(), Json(response)])
        })
        .await
    }

    /// Ends attempts, all in one commit; a delivery's receipt, its job's end and its counts are inseparable.
    ///
    /// Returns the jobs that were taken away while they were under way (cancelled, held, or put back in line). Of them, a delivery is kept
    /// nevertheless, since the destination holds the bytes: a cancelled job stays cancelled but the ledger knows; any other succeeds. Their
    /// other outcomes are dropped. The same delivery twice is no error.
    ///
    /// # Errors
    /// [`QueueError::IllegalMove`] if a job cannot have been under way, [`QueueError::Invalid`] if a receipt is not of its job's bytes.
    pub async fn finish(&self, finished: impl Into<Arc<[Finished]>>, now: Timestamp) -> Result<Vec<JobId>, QueueError> {
        let finished = finished.into();
        self.write(move |db, changes| {
            let mut late = Vec::new();
            let mut delivered = Deliveries::default();
            for end in finished.iter() {
                if !apply(db, &mut delivered, end, now)? {
                    late.push(end.job().clone());
                }
            }
            delivered.count(db, changes, now)?;
            Ok(late)
        })
        .await
    }
}

impl Finished {
    /// Which job.
    pub fn job(&self) -> &JobId {
        match self {
            Self::Delivered { job, .. }
            | Self::Retry { job, .. }
            | Self::Held { job, .. }
            | Self::Failed { job, .. }
            | Self::Stopped { job }
            | Self::Replaced { job, .. } => job,
        }
    }
}

/// Applies one end; false if the job had been taken away.
fn apply(db: &Connection, delivered: &mut Deliveries, end: &Finished, now: Timestamp) -> Result<bool, QueueError> {
    let moving = moving(db, end.job())?;
    let (state, phase, failure, due_at, finished_at) = match end {
        Finished::Delivered { receipt, .. } => return deliver(db, delivered, &moving, receipt, now),
        Finished::Retry { failure, at, .. } => ("pending", Some("backing_off"), Some(failure), at.0, None),
        Finished::Held { failure, .. } => ("pending", Some("held"), Some(failure), 0, None),
        Finished::Stopped { .. } => ("pending", Some("queued"), None, 0, None),
        Finished::Failed { failure, .. } => ("failed", None, Some(failure), 0, Some(now.0)),
        Finished::Replaced { failure, .. } => ("cancelled", None, Some(failure), 0, Some(now.0)),
    };
    if moving.place.taken_away() {
        return Ok(false);
    }
    if !moving.place.allows(Change::EndAttempt) {
        return Err(illegal(&moving.id, moving.place, Change::EndAttempt));
    }
    let uncounted = matches!(end, Finished::Stopped { .. });
    let setbacks = match end {
        Finished::Retry { setbacks, .. } => Some(*setbacks),
        Finished::Delivered { .. }
        | Finished::Held { .. }
        | Finished::Failed { .. }
        | Finished::Stopped { .. }
        | Finished::Replaced { .. } => None,
    };
    db.prepare_cached(
        "UPDATE job SET state = :state, phase = :phase, failure = coalesce(:failure, failure), due_at = :due_at,
            given_up = :finished_at IS NOT NULL, finished_at = :finished_at, attempts = attempts - :uncounted, setbacks = coalesce(:setbacks, setbacks)
         WHERE seq = :seq",
    )?
    .execute(named_params! {
        ":seq": moving.seq, ":state": state, ":phase": phase, ":failure": failure.map(Json), ":due_at": due_at,
        ":finished_at": finished_at, ":uncounted": uncounted, ":setbacks": setbacks,
    })?;
    Ok(true)
}

fn deliver(
    db: &Connection,
    delivered: &mut Deliveries,
    moving: &Moving,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<bool, QueueError> {
    let ours = (&moving.destination_id, moving.sha256, moving.byte_count);
    if ours != (&receipt.destination_id, text::digest(&receipt.sha256)?, receipt.byte_count) || receipt.job_id != moving.id {
        return Err(QueueError::Invalid(format!("The receipt is not of the bytes of job {}.", moving.id)));
    }
    if moving.place == Place::Succeeded {
        return Ok(true);
    }
    if !moving.place.allows(Change::Deliver) && !moving.place.taken_away() {
        return Err(illegal(&moving.id, moving.place, Change::Deliver));
    }
    delivered.add(moving, receipt::enter(db, &moving.slot, receipt)?);
    if moving.place.allows(Change::Deliver) {
        db.prepare_cached(
            "UPDATE job SET state = 'succeeded', phase = NULL, bytes_sent = byte_count, failure = NULL, due_at = 0, upload_url = NULL,
                pin = NULL, session_expires_at = NULL, finished_at = :at
             WHERE seq = :seq",
        )?
        .execute(named_params! { ":seq": moving.seq, ":at": now.0 })?;
    }
    Ok(moving.place == Place::UnderWay)
}

/// What a call delivered, by app and by destination, whose rows are so written once for all of its jobs.
#[derive(Default)]
struct Deliveries {
    /// Bytes sent.
    apps: HashMap<AppId, u64>,
    /// Files and their bytes that the ledger did not have.
    destinations: HashMap<DestinationId, (u64, u64)>,
}

impl Deliveries {
    fn add(&mut self, moving: &Moving, is_new: bool) {
        *self.apps.entry(moving.app_id.clone()).or_default() += moving.byte_count;
        let (files, bytes) = self.destinations.entry(moving.destination_id.clone()).or_default();
        if is_new {
            *files += 1;
            *bytes += moving.byte_count;
        }
    }

    fn count(self, db: &Connection, changes: &mut Changes, now: Timestamp) -> Result<(), QueueError> {
        changes.apps |= !self.apps.is_empty();
        changes.destinations |= !self.destinations.is_empty();
        for (app, bytes) in self.apps {
            db.prepare_cached("UPDATE app SET bytes_sent = bytes_sent + ?2, last_used_at = ?3 WHERE id = ?1")?.execute(params![
                app.as_str(),
                bytes,
                now.0
            ])?;
        }
        for (destination, (files, bytes)) in self.destinations {
            db.prepare_cached(
                "UPDATE destination SET delivered = delivered + ?2, delivered_bytes = delivered_bytes + ?3 WHERE id = ?1",
            )?
            .execute(params![destination.as_str(), files, bytes])?;
        }
        Ok(())
    }
}

/// Changes the session of a job under way.
fn note(db: &Connection, job: &JobId, sql: &str, offset: u64, params: impl rusqlite::Params) -> Result<(), QueueError> {
    let moving = moving(db, job)?;
    if !moving.place.allows(Change::Note) {
        return Err(illegal(job, moving.place, Change::Note));
    }
    if offset > moving.byte_count {
        return Err(QueueError::Invalid(format!("The server confirms {offset} bytes of a file of {}.", moving.byte_count)));
    }
    db.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

fn moving(db: &Connection, id: &JobId) -> Result<Moving, QueueError> {
    let mut found = db.prepare_cached(
        "SELECT seq, state, phase, app_id, destination_id, sha256, byte_count,
            CASE WHEN client_reference IS NULL AND url IS NULL THEN '' ELSE id END AS slot
         FROM job WHERE id = ?1",
    )?;
    let moving = found.query_row([id.as_str()], |row| {
        let Word(state) = row.get("state")?;
        let phase = row.get::<_, Option<Word<Phase>>>("phase")?.map(|Word(phase)| phase);
        Ok(Moving {
            seq: row.get("seq")?,
            id: id.clone(),
            place: place(state, phase),
            app_id: AppId(row.get("app_id")?),
            destination_id: DestinationId(row.get("destination_id")?),
            sha256: row.get("sha256")?,
            byte_count: row.get("byte_count")?,
            slot: row.get("slot")?,
        })
    });
    moving.optional()?.ok_or_else(|| QueueError::NotFound { what: "job", id: id.to_string() })
}

/// Where a job in this state and phase is.
fn place(state: JobState, phase: Option<Phase>) -> Place {
    match (state, phase) {
        (JobState::Registered, _) => Place::Registered,
        (JobState::Succeeded, _) => Place::Succeeded,
        (JobState::Failed, _) => Place::Failed,
        (JobState::Cancelled, _) => Place::Cancelled,
        (JobState::Pending, Some(Phase::Preparing | Phase::CheckingServer | Phase::Transferring | Phase::Verifying)) => {
            Place::UnderWay
        }
        (JobState::Pending, Some(Phase::Held)) => Place::Held,
        (JobState::Pending, Some(Phase::Queued | Phase::Waiting | Phase::BackingOff) | None) => Place::Resting,
    }
}

fn illegal(job: &JobId, from: Place, change: Change) -> QueueError {
    QueueError::IllegalMove { job: job.clone(), from: from.sentence(), change: change.sentence() }
}
