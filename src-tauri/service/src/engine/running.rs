//! The jobs under way, from the intent on disk to the end on disk.

use std::{collections::HashMap, sync::Arc};

use afterglow_model::{DestinationId, JobId};
use afterglow_queue::QueuedJob;
use tokio_util::sync::CancellationToken;

/// All of them.
#[derive(Default)]
pub(super) struct Running {
    jobs: HashMap<JobId, Carried>,
    by_destination: HashMap<DestinationId, usize>,
}

/// A job that a transfer carries.
pub(super) struct Carried {
    pub(super) job: Arc<QueuedJob>,
    cancel: CancellationToken,
    /// Whether its transfer was told to stop.
    pub(super) stopping: bool,
}

impl Carried {
    fn stop(&mut self) {
        self.stopping = true;
        self.cancel.cancel();
    }
}

impl Running {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn contains(&self, id: &JobId) -> bool {
        self.jobs.contains_key(id)
    }

    /// How many go to a destination.
    pub(super) fn at(&self, destination: &DestinationId) -> usize {
        self.by_destination.get(destination).copied().unwrap_or(0)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &JobId> {
        self.jobs.keys()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Carried> {
        self.jobs.values()
    }

    /// Those that were not told to stop.
    pub(super) fn going_on(&self) -> impl Iterator<Item = &Carried> {
        self.jobs.values().filter(|carried| !carried.stopping)
    }

    /// Adds a job; what it returns tells its transfer to stop.
    pub(super) fn begin(&mut self, job: Arc<QueuedJob>) -> CancellationToken {
        let cancel = CancellationToken::new();
        *self.by_destination.entry(job.destination_id.clone()).or_default() += 1;
        self.jobs.insert(job.id.clone(), Carried { job, cancel: cancel.clone(), stopping: false });
        cancel
    }

    /// Takes a job out.
    pub(super) fn end(&mut self, id: &JobId) -> Option<Carried> {
        let carried = self.jobs.remove(id)?;
        if let Some(count) = self.by_destination.get_mut(&carried.job.destination_id) {
            *count -= 1;
        }
        Some(carried)
    }

    pub(super) fn stop(&mut self, id: &JobId) {
        if let Some(carried) = self.jobs.get_mut(id) {
            carried.stop();
        }
    }

    /// Nothing more can be sent there: what still arrives from now on began before.
    pub(super) fn stop_at(&mut self, destination: &DestinationId) {
        self.jobs.values_mut().filter(|carried| carried.job.destination_id == *destination).for_each(Carried::stop);
    }

    pub(super) fn stop_all(&mut self) {
        self.jobs.values_mut().for_each(Carried::stop);
    }
}
