//! What the loop believes, and reads again when it is told that it has changed: settings, destinations, grants, folders, the bytes of
//! the day.

use std::{path::PathBuf, sync::Arc};

use afterglow_model::{
    AuthorizationStatus, Conditions, Destination, JobId, JobQuery, OverrideScope, SourceId, Timestamp, UploadJobOptions,
    WaitingReason,
};
use afterglow_queue::{LaneKey, QueueError, QueuedJob};
use afterglow_scheduler::{Active, DestinationFacts, Policy, strictest};
use tokio::time::Instant;

use super::{BATCH_JOBS_AHEAD, DAYS_READ, Engine, SOURCES_EVERY};
use crate::{clock, host, rules};

impl Engine {
    /// Reads settings, pause, overrides, destinations and grants again.
    pub(super) async fn reload(&mut self) {
        if let Err(error) = self.try_reload().await {
            tracing::error!(%error, "settings could not be read; the last known ones hold");
        }
    }

    pub(super) async fn try_reload(&mut self) -> Result<(), QueueError> {
        let queue = &self.core.queue;
        self.settings = queue.settings().await?;
        self.pause = queue.pause().await?;
        self.overrides = queue.overrides().await?;
        self.destinations = queue.destinations().await?.into_iter().map(Arc::new).collect();
        self.apps = queue.apps().await?.into_iter().map(|app| (app.id.clone(), app)).collect();
        let mut stop = Vec::new();
        for carried in self.running.going_on() {
            if !self.has_access(&carried.job).await {
                stop.push(carried.job.id.clone());
            }
        }
        for job in stop {
            self.running.stop(&job);
        }
        Ok(())
    }

    /// Whether a job's app may still see its asset.
    pub(super) async fn has_access(&self, job: &QueuedJob) -> bool {
        match self.apps.get(&job.app_id).map(|app| app.status) {
            Some(AuthorizationStatus::Authorized) => true,
            Some(AuthorizationStatus::Limited) => match &job.asset_id {
                Some(asset) => {
                    self.core.queue.may_see(&job.app_id, std::slice::from_ref(asset)).await.is_ok_and(|may| may == [true])
                }
                // A file that the person dropped themself is not the library's to withhold.
                None => true,
            },
            Some(AuthorizationStatus::Denied | AuthorizationStatus::NotDetermined) | None => false,
        }
    }

    pub(super) async fn sources_changed(&mut self) {
        if let Err(error) = self.note_sources().await {
            tracing::warn!(%error, "whether folders are there could not be written down");
        }
    }

    pub(super) async fn note_sources(&mut self) -> Result<(), QueueError> {
        let sources = match self.core.library.sources().await {
            Ok(sources) => sources,
            Err(error) => {
                tracing::warn!(%error, "the folders could not be read");
                return Ok(());
            }
        };
        self.roots = sources.iter().map(|source| (source.id.clone(), PathBuf::from(&source.path))).collect();
        self.unreadable = sources.iter().map(|source| source.unreadable).sum();
        let away = sources.iter().any(|source| !source.online);
        self.sources_due = away.then(|| Instant::now() + SOURCES_EVERY);
        for source in sources {
            self.core.queue.set_source_offline(&source.id, !source.online).await?;
        }
        self.lanes.forget();
        self.lanes_stale = true;
        Ok(())
    }

    /// A transfer found a folder gone before the library did: its jobs wait until the library has seen it again.
    pub(super) async fn source_away(&mut self, source: Option<&SourceId>) {
        if let Some(source) = source
            && let Err(error) = self.core.queue.set_source_offline(source, true).await
        {
            tracing::warn!(%error, "that a folder is away could not be written down");
        }
        self.sources_due = Some(Instant::now() + SOURCES_EVERY);
        self.lanes.forget();
        self.lanes_stale = true;
    }

    pub(super) async fn expire(&mut self, conditions: &Conditions, now: afterglow_scheduler::Now) {
        if self.pause.as_ref().is_some_and(|pause| afterglow_scheduler::end_of_pause(pause, conditions, now)) {
            if let Err(error) = self.core.queue.set_pause(None).await {
                tracing::warn!(%error, "the end of a pause could not be written down");
            }
            self.pause = None;
            self.status_changed();
        }
        if self.overrides.iter().any(|over| afterglow_scheduler::expired(over, conditions, now)) {
            let key = conditions.network.key.as_deref();
            if let Err(error) = self.core.queue.remove_expired_overrides(now.wall, key).await {
                tracing::warn!(%error, "the end of an override could not be written down");
            }
            self.overrides.retain(|over| !afterglow_scheduler::expired(over, conditions, now));
            self.status_changed();
        }
    }

    /// Jobs that an *Upload anyway* of their own lifts out of the line.
    pub(super) async fn wanted_anyway(&self) -> Vec<JobId> {
        let mut wanted = Vec::new();
        for over in &self.overrides {
            match &over.scope {
                OverrideScope::Job { job_id } => wanted.push(job_id.clone()),
                OverrideScope::Batch { batch_id } => {
                    let query = JobQuery { batch_id: Some(batch_id.clone()), limit: Some(BATCH_JOBS_AHEAD), ..JobQuery::default() };
                    match self.core.queue.jobs(&query).await {
                        Ok(page) => wanted.extend(page.jobs.into_iter().filter(|job| !job.state.is_terminal()).map(|job| job.id)),
                        Err(error) => tracing::warn!(%error, "the jobs of a batch could not be read"),
                    }
                }
                OverrideScope::Hour | OverrideScope::Network => {}
            }
        }
        wanted
    }

    /// What a lane's destination and kind of file ask for beyond the settings.
    pub(super) fn options_of(&self, key: &LaneKey) -> UploadJobOptions {
        let destination = self.destinations.iter().find(|destination| destination.id == key.destination_id);
        destination.map(|destination| rules::lane_options(destination, key.class, &self.settings)).unwrap_or_default()
    }

    pub(super) fn facts(&self, destination: &Destination, now: Timestamp) -> DestinationFacts {
        DestinationFacts {
            id: destination.id.clone(),
            app_id: Some(destination.app_id.clone()),
            state: destination.state,
            not_before: self.health.not_before(&destination.id, now),
            local: destination.addresses().all(host::is_local),
        }
    }

    pub(super) fn active(&self, job: &QueuedJob) -> Active {
        let key = LaneKey { destination_id: job.destination_id.clone(), priority: job.priority, class: job.class };
        Active {
            job_id: job.id.clone(),
            batch_id: job.batch_id.clone(),
            destination_id: job.destination_id.clone(),
            priority: job.priority,
            byte_count: job.byte_count,
            options: strictest(&self.options_of(&key), &job.options),
        }
    }

    pub(super) fn policy(&self) -> Policy<'_> {
        Policy {
            settings: &self.settings,
            pause: self.pause.as_ref(),
            overrides: &self.overrides,
            bytes_today: self.day.1 + self.uncounted(),
            memory: self.memory,
        }
    }

    /// Whether load and room on the disk matter: something is under way, starts, or waits for them. What waits for the network, an hour
    /// or the person does not wake the machine for them.
    pub(super) fn has_use_for_resources(&self) -> bool {
        let holds = |reason: &WaitingReason| matches!(reason, WaitingReason::DiskFull | WaitingReason::ThermalOrLoad);
        let mut waits = self.plan.waiting.iter().flat_map(|wait| &wait.reasons).map(|found| found.reason);
        !self.running.is_empty() || !self.plan.start.is_empty() || waits.any(|reason| holds(&reason))
    }

    /// Begins a new day if there is one.
    pub(super) async fn note_day(&mut self) {
        let today = clock::today();
        if self.day.0 == today {
            return;
        }
        if !self.day.0.is_empty() {
            self.count_bytes().await;
        }
        // A clock that was set back begins no day anew.
        match self.core.queue.bytes_by_day(DAYS_READ).await {
            Ok(days) => {
                let sent = days.into_iter().find(|known| known.day == today).map_or(0, |known| known.bytes);
                self.day = (today, sent);
            }
            Err(error) => tracing::warn!(%error, "the bytes of the day could not be read"),
        }
    }

    /// Writes down what was sent since the last time, for the day's budget and the chart.
    pub(super) async fn count_bytes(&mut self) {
        let bytes = self.uncounted();
        if bytes == 0 {
            return;
        }
        match self.core.queue.add_bytes(&self.day.0, bytes).await {
            Ok(()) => {
                self.day.1 += bytes;
                self.counted += bytes;
            }
            Err(error) => tracing::warn!(%error, "the day's bytes could not be counted"),
        }
    }

    /// Payload that is not written down yet.
    pub(super) fn uncounted(&self) -> u64 {
        self.core.transfer.bytes_sent() - self.counted
    }
}
