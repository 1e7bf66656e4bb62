//! What the loop tells: the status, at most four times in a second, and who waits for it.

use std::{collections::HashSet, sync::Arc};

use afterglow_model::{
    AssetId, Conditions, DestinationId, Event, RunProgress, SentenceContext, Status, Timestamp, WaitingGroup, WaitingReason,
    waiting_sentence,
};
use afterglow_queue::{QueueError, QueuedJob};
use tokio::time::Instant;

use super::{END_TOLD_AFTER, Engine, Run, STATUS_EVERY, WaitingSince, report};

impl Engine {
    pub(super) fn status_changed(&mut self) {
        if self.status_due.is_none() {
            self.status_due = Some(Instant::now());
        }
    }

    pub(super) async fn report(&mut self, conditions: &Conditions, now: afterglow_scheduler::Now) {
        let moving = !self.running.is_empty();
        if moving {
            self.throughput.sample(self.core.transfer.bytes_sent(), now.boot_ms);
            self.status_changed();
        } else {
            self.throughput.rest();
            self.status_due = self.status_due.map(|due| due.min(self.status_told + END_TOLD_AFTER));
        }
        match self.status_due {
            Some(due) if due <= Instant::now() => {}
            _ => return,
        }
        self.status_due = None;
        self.status_told = Instant::now();
        match self.make_status(conditions, now).await {
            Ok(status) => self.publish(status, now),
            Err(error) => tracing::error!(%error, "the status could not be made"),
        }
        for listener in self.listeners.drain(..) {
            // Who has gone need not be told.
            let _ = listener.send(());
        }
        if moving {
            self.status_due = Some(Instant::now() + STATUS_EVERY);
        }
    }

    pub(super) fn publish(&mut self, status: Status, now: afterglow_scheduler::Now) {
        self.senders.throughput.send_replace(self.throughput.line(now.boot_ms));
        self.senders.present.send_replace(self.present.so_far());
        let changed = self.senders.status.send_if_modified(|shown| {
            let changed = **shown != status;
            *shown = Arc::new(status);
            changed
        });
        if changed {
            self.core.tell(Event::Status { status: Box::new((*self.senders.status.borrow()).as_ref().clone()) });
        }
        if !self.touched.is_empty() {
            let asset_ids: Vec<AssetId> = self.touched.drain().collect();
            self.senders.backed_up(asset_ids.clone());
            let shown = if asset_ids.len() > 500 { Vec::new() } else { asset_ids };
            self.core.tell(Event::JobsChanged { asset_ids: shown });
        }
    }

    pub(super) async fn make_status(
        &mut self,
        conditions: &Conditions,
        now: afterglow_scheduler::Now,
    ) -> Result<Status, QueueError> {
        let counts = self.core.queue.counts().await?;
        let attention = self.core.queue.attention_count().await?;
        if counts.open() == 0 && self.running.is_empty() {
            self.run = Run::default();
        }
        let waiting = self.waiting_groups(conditions, now.wall);
        let bytes_per_s = self.throughput.bytes_per_s(now.boot_ms);
        let destinations: HashSet<&DestinationId> = self.running.iter().map(|carried| &carried.job.destination_id).collect();
        Ok(report::status(report::Facts {
            counts,
            attention,
            active: self.running.going_on().count(),
            active_destinations: self.destinations.iter().filter(|destination| destinations.contains(&destination.id)).collect(),
            run: self.progress(counts.open(), bytes_per_s),
            waiting,
            destinations: &self.destinations,
            conditions,
            bytes_per_s,
            scan: self.scans.values().next().cloned(),
            unreadable: self.unreadable,
            looking: self.core.is_looking(),
            settings: &self.settings,
            pause: self.pause.clone(),
            overrides: self.overrides.clone(),
            prompts: self.core.prompts.list(),
            now: now.wall,
        }))
    }

    pub(super) fn progress(&self, open: u64, bytes_per_s: u64) -> RunProgress {
        let (confirmed, total) = (self.confirmed(), self.running.iter().map(|carried| carried.job.byte_count).sum::<u64>());
        let bytes_total = self.run.bytes_done + total + self.lanes.bytes();
        let bytes_done = self.run.bytes_done + confirmed;
        RunProgress {
            done: self.run.done,
            total: self.run.done + open,
            bytes_done,
            bytes_total,
            remaining_s: (bytes_per_s > 0).then(|| bytes_total.saturating_sub(bytes_done) / bytes_per_s),
        }
    }

    /// Bytes that servers confirmed of what is under way.
    pub(super) fn confirmed(&self) -> u64 {
        self.running.iter().map(|carried| self.confirmed_of(&carried.job)).sum()
    }

    pub(super) fn confirmed_of(&self, job: &QueuedJob) -> u64 {
        self.core.live.get(&job.id).map_or(0, |point| point.confirmed.min(job.byte_count))
    }

    pub(super) fn waiting_groups(&mut self, conditions: &Conditions, now: Timestamp) -> Vec<WaitingGroup> {
        let mut since = WaitingSince::new();
        let mut groups: Vec<WaitingGroup> = Vec::new();
        for wait in &self.plan.waiting {
            let Some(reason) = wait.reasons.first() else { continue };
            if reason.reason == afterglow_model::WaitingReason::JobLimit {
                continue;
            }
            let key = (wait.destination_id.clone(), reason.reason);
            let from = *since.entry(key.clone()).or_insert_with(|| self.waiting_since.get(&key).copied().unwrap_or(now));
            if let Some(group) = groups.iter_mut().find(|group| group.destination_id == key.0 && group.reason == key.1) {
                group.jobs += wait.jobs;
                group.bytes += wait.bytes;
                continue;
            }
            let destination = self.destinations.iter().find(|other| other.id == wait.destination_id);
            let name = destination.map(|other| other.name.as_str());
            // What its last attempts ran into says more than that it does not answer: a sign-in page for instance.
            let problem = destination.and_then(|other| other.problem.as_ref());
            let problem = problem.filter(|_| reason.reason == WaitingReason::DestinationUnreachable);
            groups.push(WaitingGroup {
                reason: reason.reason,
                destination_id: wait.destination_id.clone(),
                jobs: wait.jobs,
                bytes: wait.bytes,
                since: from,
                until: reason.until,
                sentence: match problem {
                    Some(problem) => format!("Waiting: {}", problem.message),
                    None => waiting_sentence(reason.reason, conditions, self.context(name, reason.until, now)),
                },
                can_override: reason.reason.can_override(),
            });
        }
        self.waiting_since = since;
        groups
    }

    pub(super) fn context<'a>(
        &self,
        destination: Option<&'a str>,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> SentenceContext<'a> {
        SentenceContext {
            destination,
            battery_minimum_percent: Some(self.settings.battery_minimum_percent),
            minutes: until.map(|at| u64::try_from((at.ms_since(now) + 30_000) / 60_000).unwrap_or(0)),
        }
    }
}
