//! What listeners are told after a commit.

use afterglow_model::{AppId, AssetId, JobId, JobState};

/// Jobs that one event names at most; beyond that, listeners read again.
const JOBS_MAX: usize = 1000;

/// Something changed and is durable.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueEvent {
    /// Jobs were made or changed.
    JobsChanged {
        /// At most 1,000 of them, in the order of the changes.
        jobs: Vec<JobChange>,
        /// Further ones that are not named.
        more: u64,
    },
    /// Apps, grants or an app's log.
    Apps,
    /// Destinations.
    Destinations,
    /// Rules.
    Rules,
    /// Settings, pause or overrides.
    Settings,
}

/// A job as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct JobChange {
    /// Which.
    pub job_id: JobId,
    /// Its asset, whose badge may have changed.
    pub asset_id: Option<AssetId>,
    /// Whose it is.
    pub app_id: AppId,
    /// Its state now.
    pub state: JobState,
}

/// What a write changed; becomes events once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    jobs: Vec<JobChange>,
    more: u64,
    pub(crate) apps: bool,
    pub(crate) destinations: bool,
    pub(crate) rules: bool,
    pub(crate) settings: bool,
}

impl Changes {
    pub(crate) fn job(&mut self, change: JobChange) {
        if self.jobs.len() < JOBS_MAX {
            self.jobs.push(change);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.more += other.more;
        for change in other.jobs {
            self.job(change);
        }
        self.apps |= other.apps;
        self.destinations |= other.destinations;
        self.rules |= other.rules;
        self.settings |= other.settings;
    }

    pub(crate) fn into_events(self) -> impl Iterator<Item = QueueEvent> {
        let jobs = (!self.jobs.is_empty()).then_some(QueueEvent::JobsChanged { jobs: self.jobs, more: self.more });
        let flags = [
            (self.apps, QueueEvent::Apps),
            (self.destinations, QueueEvent::Destinations),
            (self.rules, QueueEvent::Rules),
            (self.settings, QueueEvent::Settings),
        ];
        jobs.into_iter().chain(flags.into_iter().filter_map(|(changed, event)| changed.then_some(event)))
    }
}
