//! The driver's journal: the queue, and what the truth must know of it.

use std::sync::Arc;

use afterglow_model::{JobId, Phase};
use afterglow_queue::{QueueError, UploadSession};
use afterglow_transfer::{Journal, JournalError, Progress, Session};
use async_trait::async_trait;

use super::Engine;
use crate::simulation::{Plant, line::Line, lock};

/// See the module. Its line holds the turn for it.
pub(super) struct Notebook<'a> {
    pub(super) engine: Arc<Engine>,
    pub(super) line: &'a Line,
}

impl Notebook<'_> {
    fn stored(&self, job: &JobId, url: Option<&str>) {
        if let Some(job) = lock(&self.engine.world.truth).jobs.get_mut(job) {
            job.stored_session = url.map(str::to_owned);
        }
    }

    /// What could not be written down may be there nevertheless.
    fn read_again(&self, job: &JobId, written: Result<(), QueueError>) -> Result<(), JournalError> {
        written.map_err(|error| match self.engine.learn(job) {
            Ok(()) => JournalError(error.to_string()),
            Err(unread) => JournalError(format!("{error} {unread:#}")),
        })
    }
}

#[async_trait]
impl Journal for Notebook<'_> {
    async fn session_opened(&self, job: &JobId, session: &Session) -> Result<(), JournalError> {
        self.line.seat.take().await;
        if self.engine.world.has_planted(Plant::IntentIsSkipped) {
            return Ok(());
        }
        let pin_json = serde_json::to_string(&session.pin).map_err(|error| JournalError(error.to_string()))?;
        let lifetime = session.max_age_s.filter(|_| !self.engine.world.has_planted(Plant::LifetimesAreForgotten));
        let expires_at = lifetime.map(|s| self.engine.world.now().wall.plus_ms(i64::try_from(s * 1000).unwrap_or(i64::MAX)));
        let stored = UploadSession { upload_url: session.upload_url.clone(), offset: 0, pin_json, expires_at };
        let written = self.engine.write(self.engine.queue.session_opened(job, stored));
        self.stored(job, Some(&session.upload_url));
        self.read_again(job, written)
    }

    async fn offset(&self, job: &JobId, bytes: u64) -> Result<(), JournalError> {
        self.line.seat.take().await;
        lock(&self.engine.world.truth).confirmed(job, bytes);
        let written = self.engine.write(self.engine.queue.session_offset(job, bytes));
        self.read_again(job, written)
    }

    async fn session_lost(&self, job: &JobId) -> Result<(), JournalError> {
        self.line.seat.take().await;
        let written = self.engine.write(self.engine.queue.session_lost(job));
        self.stored(job, None);
        self.read_again(job, written)
    }
}

impl Progress for Engine {
    fn phase(&self, _: &JobId, _: Phase) {}

    fn confirmed(&self, job: &JobId, bytes: u64) {
        lock(&self.world.truth).confirmed(job, bytes);
        lock(&self.mind).confirmed.insert(job.clone(), bytes);
    }
}
