//! What the loop does when a commit fails: what it believed is forgotten, and what the file says is the truth again.

use std::time::Duration;

use afterglow_model::{JobId, JobState};
use afterglow_queue::QueueError;
use tokio::time::Instant;

use super::Engine;
use crate::simulation::{Plant, lock, steady};

/// How often it is tried to write again, as long as that fails.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

impl Engine {
    /// A write of the loop's, which the disk may let fail.
    pub(super) fn write<T>(&self, call: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
        if let Some(fault) = self.world.commit_fault() {
            self.world.trace(&format!("job writes fail: {fault:?}"));
            steady(self.queue.fail_next_commit(fault))?;
        }
        steady(call)
    }

    /// A write failed: jobs may be under way in the file that nobody carries, or the other way round.
    pub(super) fn lost_sight(&self, error: QueueError) -> anyhow::Result<()> {
        anyhow::ensure!(error.must_read_again(), error);
        self.jobs_changed();
        lock(&self.told).forget();
        if !self.world.has_planted(Plant::FailedCommitsAreIgnored) {
            lock(&self.mind).adrift = Some(Instant::now());
        }
        Ok(())
    }

    /// Puts back what nobody carries, if there may be any. False as long as that cannot be written down: then nothing is started.
    pub(super) fn take_up_adrift(&self) -> anyhow::Result<bool> {
        let Some(due) = lock(&self.mind).adrift else { return Ok(true) };
        if due > Instant::now() {
            return Ok(false);
        }
        let carried: Vec<JobId> = lock(&self.mind).running.values().map(|running| running.job.id.clone()).collect();
        let adrift = match self.write(self.queue.put_back(&carried)) {
            Ok(_) => None,
            Err(error) if error.must_read_again() => Some(Instant::now() + AGAIN_AFTER),
            Err(error) => return Err(error.into()),
        };
        self.jobs_changed();
        lock(&self.mind).adrift = adrift;
        Ok(adrift.is_none())
    }

    /// After a failed write about a job the file alone knows what is true of it.
    pub(super) fn learn(&self, id: &JobId) -> anyhow::Result<()> {
        let state = steady(self.queue.job(id))?.map(|job| job.state);
        let session = steady(self.queue.queued_job(id))?.and_then(|job| job.session);
        if let Some(job) = lock(&self.world.truth).jobs.get_mut(id) {
            if job.delivered && state != Some(JobState::Succeeded) {
                // It was, and is not known to be: it is asked for, or sent, once more.
                job.delivered = false;
                job.lost_at_most += job.size;
            }
            job.stored_session = session.map(|session| session.upload_url);
        }
        Ok(())
    }
}
