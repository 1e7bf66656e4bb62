//! What is under way this moment: phase and confirmed bytes of every running transfer. Too quick for the database, and not needed
//! after a crash: the server's offset is the truth then.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use afterglow_model::{BatchId, JobId, JobResponse, Phase};
use afterglow_transfer::Progress;

/// Where one transfer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) phase: Phase,
    pub(crate) confirmed: u64,
    /// What the server answered last to requests that an app describes.
    pub(crate) response: Option<JobResponse>,
    batch: BatchId,
    /// What the database knew when the transfer began.
    recorded: u64,
}

/// Where every running transfer is.
#[derive(Debug, Default)]
pub(crate) struct Live {
    points: Mutex<HashMap<JobId, Point>>,
}

impl Live {
    pub(crate) fn begin(&self, job: &JobId, batch: &BatchId, confirmed: u64) {
        let point = Point { phase: Phase::Preparing, confirmed, response: None, batch: batch.clone(), recorded: confirmed };
        self.with(|points| points.insert(job.clone(), point));
    }

    pub(crate) fn end(&self, job: &JobId) {
        self.with(|points| points.remove(job));
    }

    pub(crate) fn get(&self, job: &JobId) -> Option<Point> {
        self.with(|points| points.get(job).cloned())
    }

    /// Bytes confirmed since the running transfers began, by batch.
    pub(crate) fn by_batch(&self) -> HashMap<BatchId, u64> {
        self.with(|points| {
            let mut sums = HashMap::new();
            for point in points.values() {
                *sums.entry(point.batch.clone()).or_default() += point.confirmed.saturating_sub(point.recorded);
            }
            sums
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<JobId, Point>) -> T) -> T {
        // A panic elsewhere cannot leave a half-made point behind.
        act(&mut self.points.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress for Live {
    fn phase(&self, job: &JobId, phase: Phase) {
        self.with(|points| {
            if let Some(point) = points.get_mut(job) {
                point.phase = phase;
            }
        });
    }

    fn confirmed(&self, job: &JobId, bytes: u64) {
        self.with(|points| {
            if let Some(point) = points.get_mut(job) {
                point.confirmed = bytes;
            }
        });
    }

    fn answered(&self, job: &JobId, response: JobResponse) {
        self.with(|points| {
            if let Some(point) = points.get_mut(job) {
                point.response = Some(response);
            }
        });
    }
}
