//! How jobs start: the intent is on disk, and the grant is asked, before the first byte leaves.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use afterglow_model::{Failure, FailureClass, FailureCode, JobId, Timestamp};
use afterglow_queue::{Finished, QueuedJob};

use super::{
    Engine,
    carry::{Errand, carry},
};

impl Engine {
    /// Starts jobs: the intent is committed, their grants are looked at, and then they run.
    pub(super) async fn start(&mut self, ids: &[JobId], now: Timestamp) {
        let mut jobs = self.lanes.take(ids);
        let wanted: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        let started = match self.core.queue.start(&wanted, now).await {
            Ok(started) => started.into_iter().collect::<HashSet<_>>(),
            Err(error) => {
                tracing::error!(%error, "jobs could not be started");
                self.adrift();
                return;
            }
        };
        if started.len() < wanted.len() {
            // Some were changed by others in the meantime: what is held ready is old.
            self.lanes.forget();
            self.lanes_stale = true;
        }
        jobs.retain(|job| started.contains(&job.id));
        let jobs = self.with_access(jobs, now).await;
        if !std::mem::replace(&mut self.run.open, true) {
            // What looking at files took is not what sending them takes.
            afterglow_system::give_back();
        }
        for mut job in jobs {
            let Some(destination) = self.destinations.iter().find(|other| other.id == job.destination_id).cloned() else {
                continue;
            };
            Arc::make_mut(&mut job).attempts += 1;
            let queueing = self.turns.at(&job.destination_id, self.concurrency.limit(&job.destination_id));
            let confirmed = job.session.as_ref().map_or(0, |session| session.offset);
            self.core.live.begin(&job.id, &job.batch_id, confirmed);
            let errand = Errand { root: self.root_of(&job), destination, job: job.clone() };
            let cancel = self.running.begin(job);
            self.tasks.spawn(carry(self.core.clone(), self.endings.clone(), errand, queueing, cancel));
        }
        self.lanes_stale |= self.lanes.run_low();
    }

    /// The folder beneath which a job's file is opened: the library's, or for a file from elsewhere the one it lies in.
    fn root_of(&self, job: &QueuedJob) -> PathBuf {
        let known = job.source_id.as_ref().and_then(|source| self.roots.get(source)).filter(|root| job.path.starts_with(root));
        known.cloned().or_else(|| job.path.parent().map(PathBuf::from)).unwrap_or_default()
    }

    /// Of started jobs, those whose app may still see their asset; the others are held. Asked at every start, so that a withdrawn grant
    /// counts at once.
    async fn with_access(&mut self, jobs: Vec<Arc<QueuedJob>>, now: Timestamp) -> Vec<Arc<QueuedJob>> {
        let mut kept = Vec::with_capacity(jobs.len());
        let mut held = Vec::new();
        for job in jobs {
            let may = self.has_access(&job).await;
            if may { kept.push(job) } else { held.push(Finished::Held { job: job.id.clone(), failure: withdrawn() }) }
        }
        if !held.is_empty()
            && let Err(error) = self.core.queue.finish(held, now).await
        {
            tracing::error!(%error, "jobs without access could not be held");
            self.adrift();
        }
        kept
    }
}

/// What a job is that its app may no longer send.
pub(crate) fn withdrawn() -> Failure {
    Failure {
        class: FailureClass::NeedsUser,
        code: FailureCode::AccessDenied,
        message: "Access to this photo was withdrawn. Allow it again under Apps to go on.".to_owned(),
        retry_after_ms: None,
        certificate: None,
    }
}
