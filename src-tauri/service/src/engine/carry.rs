//! One job's way through the transfer, and what becomes of it in the queue.

use std::{path::PathBuf, sync::Arc};

use afterglow_model::{Destination, Failure, FailureClass, FailureCode, JobId, JobState, Priority, Receipt};
use afterglow_queue::{Finished, Queue, QueueError, QueuedJob, UploadSession};
use afterglow_scheduler::Next;
use afterglow_transfer::{Delivered, Journal, JournalError, Order, Outcome, Session};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{endings::Endings, turns::Queueing};
use crate::{
    assets::{self, Beside},
    clock,
    core::Core,
    uploads,
};

/// A job with where it goes and the folder that its file lies beneath.
pub(super) struct Errand {
    pub(super) root: PathBuf,
    pub(super) destination: Arc<Destination>,
    pub(super) job: Arc<QueuedJob>,
}

/// What the loop is told when a job's turn has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) job: Arc<QueuedJob>,
    pub(super) result: Result<Delivered, Option<Failure>>,
    /// Whether the queue could not take note. The loop then reads everything again.
    pub(super) unrecorded: bool,
}

/// The transfer's journal is the queue.
pub(super) struct QueueJournal(pub(super) Queue);

#[async_trait]
impl Journal for QueueJournal {
    async fn session_opened(&self, job: &JobId, session: &Session) -> Result<(), JournalError> {
        let pin_json = serde_json::to_string(&session.pin).map_err(|error| JournalError(error.to_string()))?;
        let expires_at =
            session.max_age_s.map(|s| clock::wall().plus_ms(i64::try_from(s.saturating_mul(1000)).unwrap_or(i64::MAX)));
        let session = UploadSession { upload_url: session.upload_url.clone(), offset: 0, pin_json, expires_at };
        self.0.session_opened(job, session).await.map_err(journal_error)
    }

    async fn offset(&self, job: &JobId, offset: u64) -> Result<(), JournalError> {
        self.0.session_offset(job, offset).await.map_err(journal_error)
    }

    async fn session_lost(&self, job: &JobId) -> Result<(), JournalError> {
        self.0.session_lost(job).await.map_err(journal_error)
    }
}

/// The session as the transfer knows it; one whose pin cannot be read is begun anew.
fn resumable(session: &UploadSession) -> Option<Session> {
    let pin = serde_json::from_str(&session.pin_json).ok()?;
    Some(Session { upload_url: session.upload_url.clone(), pin, max_age_s: None })
}

fn journal_error(error: QueueError) -> JournalError {
    JournalError(error.to_string())
}

/// Carries a started job to its end and writes that down, before anybody is told.
pub(super) async fn carry(
    core: Arc<Core>,
    endings: Endings,
    errand: Errand,
    queueing: Arc<Queueing>,
    cancel: CancellationToken,
) -> Ended {
    let renewed = renew(&core, &errand.job).await;
    let outcome = match (&renewed, unmet(&core, &errand.job).await) {
        (Some(_), _) => Outcome::Stopped,
        (None, Some(failure)) => Outcome::Failed(failure),
        (None, None) => attempt(&core, &errand, queueing, &cancel).await,
    };
    let Errand { job, .. } = errand;
    let now = clock::now();
    let (finished, result) = match outcome {
        Outcome::Stopped if let Some(failure) = renewed => {
            (Finished::Replaced { job: job.id.clone(), failure: failure.clone() }, Err(Some(failure)))
        }
        Outcome::Delivered(delivered) => {
            let receipt = Receipt {
                job_id: job.id.clone(),
                destination_id: job.destination_id.clone(),
                sha256: delivered.sha256.clone(),
                byte_count: delivered.byte_count,
                remote_id: delivered.remote_id.clone(),
                evidence: delivered.evidence,
                delivered_at: now.wall,
            };
            (Finished::Delivered { job: job.id.clone(), receipt }, Ok(delivered))
        }
        Outcome::Stopped => (Finished::Stopped { job: job.id.clone() }, Err(None)),
        Outcome::Failed(failure) => {
            let failure = passing(&core, failure, &job).await;
            // A line that carries something, however often it breaks, is not a line to wait longer and longer for.
            let before = job.session.as_ref().map_or(0, |session| session.offset);
            // Nor is a file that changes under way one that comes further: what was sent of it is of no use.
            let kept = failure.code != FailureCode::SourceChanged;
            let moved = kept && core.live.get(&job.id).is_some_and(|point| point.confirmed > before);
            let setbacks = if moved { 0 } else { job.setbacks };
            (after_failure(&job, &failure, setbacks, now), Err(Some(failure)))
        }
    };
    let answered = match core.live.get(&job.id).and_then(|point| point.response) {
        // Before the end: what comes after this job begins with it, and with the answer.
        Some(response) => core.queue.answered(&job.id, response).await,
        None => Ok(()),
    };
    let recorded = match answered {
        // Taken away in the meantime. A proof counts nevertheless.
        Ok(()) | Err(QueueError::IllegalMove { .. }) => endings.write(finished).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &recorded {
        tracing::error!(job = %job.id, %error, "the end of a job could not be written down; it is looked at again");
    }
    core.live.end(&job.id);
    Ended { job, result, unrecorded: recorded.is_err() }
}

/// What a person asked to upload and has changed since is asked for anew, as it is now. The new job is made before the old one ends, so that
/// neither a crash nor a file that is still being written loses it. Why the old one ends; none if the job goes on as it is.
async fn renew(core: &Core, job: &QueuedJob) -> Option<Failure> {
    let failure = job.failure.clone().filter(|failure| failure.code == FailureCode::SourceChanged)?;
    if job.priority != Priority::UserInitiated || job.url.is_some() {
        return None;
    }
    match uploads::again(core, job).await {
        Ok(true) => Some(failure),
        Ok(false) => None,
        Err(refusal) => {
            tracing::info!(job = %job.id, error = refusal.error.message, "a changed file could not be asked for anew");
            None
        }
    }
}

/// Why an app's job cannot go: it needs the answer to another one, and there is none, or not what it needs.
async fn unmet(core: &Core, job: &QueuedJob) -> Option<Failure> {
    let (Some(first), Some(url)) = (&job.after, &job.url) else { return None };
    // What cannot be read now is not what is missing: the attempt says so.
    let first = core.queue.job(first).await.ok()??;
    if first.state != JobState::Succeeded {
        return Some(Failure {
            class: FailureClass::Permanent,
            code: FailureCode::DependencyFailed,
            message: format!("{} goes after {}, which was not delivered.", job.filename, first.filename),
            retry_after_ms: None,
            certificate: None,
        });
    }
    afterglow_transfer::filled_url(url, first.response.as_ref()).err()
}

async fn attempt(core: &Core, errand: &Errand, queueing: Arc<Queueing>, cancel: &CancellationToken) -> Outcome {
    let _turn = tokio::select! {
        biased;
        () = cancel.cancelled() => return Outcome::Stopped,
        turn = queueing.turn() => turn,
    };
    // Of hundreds that wait for their turn or for their end to be written down, none holds the memory of a transfer.
    Box::pin(deliver(core, errand, cancel)).await
}

async fn deliver(core: &Core, errand: &Errand, cancel: &CancellationToken) -> Outcome {
    let Errand { root, destination, job } = errand;
    let access = match core.job_access(job, destination).await {
        Ok(access) => access,
        Err(failure) => return Outcome::Failed(failure),
    };
    let Beside { companions, sidecar } = match assets::beside(core, job, destination.connector).await {
        Ok(beside) => beside,
        Err(refusal) => {
            return Outcome::Failed(Failure {
                class: FailureClass::Transient,
                code: FailureCode::Internal,
                message: refusal.error.message,
                retry_after_ms: None,
                certificate: None,
            });
        }
    };
    let order = Order {
        job_id: job.id.clone(),
        destination_id: job.destination_id.clone(),
        root: root.clone(),
        path: job.path.clone(),
        filename: job.filename.clone(),
        content_type: afterglow_library::content_type(&job.filename).map(str::to_owned),
        byte_count: job.byte_count,
        sha256: job.sha256.clone(),
        created_ms: job.created_ms,
        companions,
        sidecar,
        session: job.session.as_ref().and_then(resumable),
    };
    let journal = QueueJournal(core.queue.clone());
    core.transfer.deliver(destination.connector, &access.account, &order, &journal, core.live.as_ref(), cancel).await
}

/// A destination that took files and now has nothing at its address will have it again: a proxy answers so while the server behind it starts,
/// and a disk of it may not be there. Jobs that were held for that would wait for the person, one after the other.
async fn passing(core: &Core, failure: Failure, job: &QueuedJob) -> Failure {
    if failure.code != FailureCode::ProtocolUnsupported || job.url.is_some() {
        return failure;
    }
    match core.queue.destination(job.destination_id.as_str()).await {
        Ok(Some(destination)) if destination.delivered > 0 => Failure { class: FailureClass::Transient, ..failure },
        Ok(_) | Err(_) => failure,
    }
}

/// What a failure means for the job: tried again, held for the person, or given up.
fn after_failure(job: &QueuedJob, failure: &Failure, setbacks: u32, now: afterglow_scheduler::Now) -> Finished {
    tracing::info!(job = %job.id, code = ?failure.code, class = ?failure.class, message = failure.message, "attempt failed");
    if failure.code == FailureCode::SourceChanged {
        match job.priority {
            // The new content is another asset; its own job is made when the library has seen it.
            Priority::Backup => return Finished::Replaced { job: job.id.clone(), failure: failure.clone() },
            // The app handed over what the file was.
            Priority::App => {
                let message = format!("{} changed after the upload was asked for. Ask again for the new version.", job.filename);
                return Finished::Failed { job: job.id.clone(), failure: Failure { message, ..failure.clone() } };
            }
            // The person means the file, whatever is in it: see `renew`.
            Priority::UserInitiated => {}
        }
    }
    if failure.code == FailureCode::AuthenticationRequired && job.has_own_credential() {
        // The app's own credential, for this job alone: nobody but the app can mend it.
        return Finished::Failed { job: job.id.clone(), failure: failure.clone() };
    }
    if failure.code == FailureCode::SourceOffline && job.source_id.is_some() {
        // Nothing failed at the destination: the job waits for its folder, and the wait is no attempt.
        return Finished::Stopped { job: job.id.clone() };
    }
    match afterglow_scheduler::next_attempt(failure, setbacks, seed(&job.id), now.wall) {
        Next::Retry { at } => Finished::Retry { job: job.id.clone(), failure: failure.clone(), at, setbacks: setbacks + 1 },
        Next::NeedsUser => Finished::Held { job: job.id.clone(), failure: failure.clone() },
        Next::GiveUp => Finished::Failed { job: job.id.clone(), failure: failure.clone() },
    }
}

/// A seed for the jitter: jobs that failed together do not come back together.
fn seed(job: &JobId) -> u64 {
    job.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
