//! What the queue told of its jobs.

use std::collections::BTreeMap;

use afterglow_model::{JobId, JobState, UploadJob};
use afterglow_queue::{Queue, QueueEvent};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::Engine;
use crate::simulation::{Invariant, lock};

/// See the module.
pub(super) struct Told {
    events: Receiver<QueueEvent>,
    /// The last of each job.
    states: BTreeMap<JobId, JobState>,
}

impl Told {
    pub(super) fn by(queue: &Queue) -> Self {
        Self { events: queue.subscribe(), states: BTreeMap::new() }
    }

    fn listen(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(QueueEvent::JobsChanged { jobs, more: _ }) => {
                    self.states.extend(jobs.into_iter().map(|change| (change.job_id, change.state)));
                }
                Ok(QueueEvent::Apps | QueueEvent::Destinations | QueueEvent::Rules | QueueEvent::Settings) => {}
                // Who falls behind is told so, and reads again.
                Err(TryRecvError::Lagged(_)) => self.states.clear(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// After a commit that failed everything is read again.
    pub(super) fn forget(&mut self) {
        self.listen();
        self.states.clear();
    }
}

impl Engine {
    /// EventsTold: what was told last of each job is how it stands.
    pub(crate) fn audit_told(&self, shown: &BTreeMap<JobId, UploadJob>) {
        let mut told = lock(&self.told);
        told.listen();
        let wrong = shown.values().find_map(|job| {
            let state = told.states.get(&job.id).filter(|state| **state != job.state)?;
            Some((&job.id, *state, job.state))
        });
        if let Some((id, state, is)) = wrong {
            let mut truth = lock(&self.world.truth);
            let number = truth.number(id);
            truth.broken(Invariant::EventsTold, format!("job {number} was told as {state:?}, and is {is:?}"));
        }
    }
}
