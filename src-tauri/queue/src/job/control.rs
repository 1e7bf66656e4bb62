//! What the person, an app or a withdrawn grant does to jobs. Each call changes the jobs that it can apply to and leaves the others.

use afterglow_model::{AppId, DestinationId, Failure, FailureCode, JobId, RuleId, Timestamp};
use rusqlite::{Connection, params};

use super::{IN_LINE, change};
use crate::text::{self, Json, Word};
use crate::{Queue, QueueError};

impl Queue {
    /// Takes up failed and held jobs again: these, or every one for `None`. A held job goes on where it was; a failed one begins anew,
    /// unless another job delivers or has delivered its content. A named job that backs off is due at once. Returns how many.
    pub async fn retry_jobs(&self, jobs: Option<&[JobId]>) -> Result<u64, QueueError> {
        let jobs = jobs.map(|jobs| text::list(jobs.iter().map(JobId::as_str)));
        self.write(move |db, _| retry(db, jobs.as_deref())).await
    }

    /// The person takes open jobs back; no rule makes them again. Returns how many.
    pub async fn cancel_jobs(&self, jobs: &[JobId], now: Timestamp) -> Result<u64, QueueError> {
        let jobs = text::list(jobs.iter().map(JobId::as_str));
        self.write(move |db, _| cancel(db, "refused = 1", "id IN (SELECT value FROM json_each(?1))", &jobs, now)).await
    }

    /// Cancels the open backups that a rule made. Another rule, or the same one made again, may make them anew. Returns how many.
    pub async fn cancel_rule_jobs(&self, rule: &RuleId, now: Timestamp) -> Result<u64, QueueError> {
        let rule = rule.clone();
        self.write(move |db, _| cancel(db, "refused = 0", "rule_id = ?1 AND priority = 0", rule.as_str(), now)).await
    }

    /// An app takes note that jobs of its own ended. Returns how many it had not noted before.
    pub async fn acknowledge(&self, app: &AppId, jobs: &[JobId]) -> Result<u64, QueueError> {
        let (app, jobs) = (app.clone(), text::list(jobs.iter().map(JobId::as_str)));
        self.write(move |db, _| {
            let sql = "UPDATE job SET acknowledged = 1
                WHERE id IN (SELECT value FROM json_each(?2)) AND app_id = ?1 AND phase IS NULL AND acknowledged = 0";
            change(db, sql, params![app.as_str(), jobs])
        })
        .await
    }

    /// What stood against a destination is gone: the jobs held for it go on. Those held for a reason of their own stay. Returns how many.
    pub async fn release_destination(&self, id: &DestinationId) -> Result<u64, QueueError> {
        let id = id.clone();
        self.write(move |db, _| {
            let mut held =
                db.prepare_cached("SELECT DISTINCT held_code FROM tally WHERE destination_id = ?1 AND held_code <> ''")?;
            let held = held.query_map([id.as_str()], |row| row.get(0).map(|Word(code)| code))?.collect::<Result<Vec<_>, _>>()?;
            let codes: Vec<_> = held.into_iter().filter(|code| lies_with_the_destination(*code)).collect();
            let sql = format!(
                "UPDATE job SET phase = {IN_LINE}, due_at = 0
                 WHERE destination_id = ?1 AND phase = 'held' AND failure ->> '$.code' IN (SELECT value FROM json_each(?2))"
            );
            change(db, &sql, params![id.as_str(), Json(codes)])
        })
        .await
    }

    /// Holds every open job of an app, those under way too: its grant was withdrawn. Stop their transfers. Returns how many.
    pub async fn hold_app(&self, app: &AppId, failure: Failure) -> Result<u64, QueueError> {
        let app = app.clone();
        self.write(move |db, _| {
            let sql = "UPDATE job SET phase = 'held', failure = ?2 WHERE app_id = ?1 AND phase <> 'held'";
            change(db, sql, params![app.as_str(), Json(failure)])
        })
        .await
    }

    /// The app may see its photos again: its jobs that were held for that go on. Returns how many.
    pub async fn release_app(&self, app: &AppId) -> Result<u64, QueueError> {
        let app = app.clone();
        self.write(move |db, _| {
            let sql = format!(
                "UPDATE job SET phase = {IN_LINE}, failure = NULL, due_at = 0
                 WHERE app_id = ?1 AND phase = 'held' AND failure ->> '$.code' = ?2"
            );
            change(db, &sql, params![app.as_str(), Word(FailureCode::AccessDenied)])
        })
        .await
    }
}

/// See [`Queue::retry_jobs`].
pub(super) fn retry(db: &Connection, jobs: Option<&str>) -> Result<u64, QueueError> {
    let listed = "(?1 IS NULL OR id IN (SELECT value FROM json_each(?1)))";
    let released = change(
        db,
        &format!(
            "UPDATE job SET phase = {IN_LINE}, due_at = 0, setbacks = 0
             WHERE (phase = 'held' OR (phase = 'backing_off' AND ?1 IS NOT NULL)) AND {listed}"
        ),
        [jobs],
    )?;
    let again = change(
        db,
        &format!(
            "UPDATE OR IGNORE job SET state = 'registered', phase = {IN_LINE}, epoch = epoch + 1, attempts = 0, setbacks = 0, due_at = 0,
                failure = NULL, upload_url = NULL, pin = NULL, session_expires_at = NULL, bytes_sent = 0, acknowledged = 0, given_up = 0,
                finished_at = NULL
             WHERE state = 'failed' AND {listed}
                AND destination_id IN (SELECT id FROM destination WHERE removed_at IS NULL)
                AND (client_reference IS NOT NULL OR url IS NOT NULL OR NOT EXISTS (
                    SELECT 1 FROM receipt
                    WHERE receipt.destination_id = job.destination_id AND receipt.sha256 = job.sha256 AND slot = ''))"
        ),
        [jobs],
    )?;
    Ok(released + again)
}

/// Nobody can mend what was given up at a destination that goes away.
pub(crate) fn dismiss_at_destination(db: &Connection, id: &DestinationId) -> Result<u64, QueueError> {
    let sql = "UPDATE job SET acknowledged = 1 WHERE destination_id = ?1 AND state = 'failed' AND acknowledged = 0";
    change(db, sql, [id.as_str()])
}

/// Cancels what is open at a destination that goes away.
pub(crate) fn cancel_at_destination(db: &Connection, id: &DestinationId, now: Timestamp) -> Result<u64, QueueError> {
    cancel(db, "refused = 0", "destination_id = ?1", id.as_str(), now)
}

fn cancel(db: &Connection, refused: &str, which: &str, value: &str, now: Timestamp) -> Result<u64, QueueError> {
    let sql = format!(
        "UPDATE job SET state = 'cancelled', given_up = 1, phase = NULL, due_at = 0, finished_at = ?2, {refused}
         WHERE {which} AND finished_at IS NULL"
    );
    change(db, &sql, params![value, now.0])
}

/// Whether a failure is one of the whole destination, so that mending the destination mends it.
fn lies_with_the_destination(code: FailureCode) -> bool {
    match code {
        FailureCode::TimedOut
        | FailureCode::ConnectionLost
        | FailureCode::TlsFailed
        | FailureCode::CertificateChanged
        | FailureCode::CaptivePortal
        | FailureCode::DestinationNotAllowed
        | FailureCode::Unencrypted
        | FailureCode::AuthenticationRequired
        | FailureCode::QuotaExceeded
        | FailureCode::ServerError
        | FailureCode::Throttled
        | FailureCode::UnexpectedAnswer
        | FailureCode::ProtocolUnsupported => true,
        FailureCode::PayloadTooLarge
        | FailureCode::OffsetMismatch
        | FailureCode::LengthInconsistent
        | FailureCode::DigestMismatch
        | FailureCode::SourceChanged
        | FailureCode::SourceVanished
        | FailureCode::SourceOffline
        | FailureCode::SourceUnreadable
        | FailureCode::ServerRejected
        | FailureCode::AccessDenied
        | FailureCode::DependencyFailed
        | FailureCode::Internal => false,
    }
}
