//! What is looked at after every event: the queue's own word on every job, held against the truth.

use std::collections::BTreeMap;

use afterglow_model::{AssetId, FailureCode, JobBadge, JobId, JobQuery, JobState, Phase, UploadJob};

use afterglow_queue::Lane;

use super::{
    Invariant,
    engine::Engine,
    lock, steady,
    truth::{Job, Truth},
};

impl Engine {
    /// Looks at everything that may have changed. `touched` says that what happened changes jobs by itself.
    pub(crate) fn audit(&self, touched: bool) -> anyhow::Result<()> {
        if lock(&self.world.truth).has_moved() || touched {
            self.audit_jobs()?;
            self.audit_sums()?;
            self.audit_assets()?;
        }
        self.audit_reasons()
    }

    /// Every job as the queue shows it.
    fn shown(&self) -> anyhow::Result<BTreeMap<JobId, UploadJob>> {
        let query = JobQuery { limit: Some(1000), ..JobQuery::default() };
        Ok(steady(self.queue.jobs(&query))?.jobs.into_iter().map(|job| (job.id.clone(), job)).collect())
    }

    fn audit_jobs(&self) -> anyhow::Result<()> {
        let shown = self.shown()?;
        self.audit_told(&shown);
        let mut truth = lock(&self.world.truth);
        for id in truth.jobs.keys().cloned().collect::<Vec<_>>() {
            truth.look_at(&id, shown.get(&id));
        }
        Ok(())
    }

    /// Conservation: the sums over the lanes, and over the states, are the number of jobs.
    fn audit_sums(&self) -> anyhow::Result<()> {
        let open = |lane: &Lane| {
            let held: u64 = lane.held.iter().map(|held| held.load.jobs).sum();
            held + lane.ready.jobs + lane.under_way.jobs + lane.backing_off.jobs + lane.source_offline.jobs
        };
        let in_lanes: u64 = steady(self.queue.lanes())?.iter().map(open).sum();
        let counts = steady(self.queue.counts())?;
        let mut truth = lock(&self.world.truth);
        let made = truth.jobs.len() as u64;
        if counts.open() != in_lanes || counts.total() != made {
            truth.broken(Invariant::Conservation, format!("{in_lanes} jobs in the lanes, {counts:?} counted, {made} made"));
        }
        Ok(())
    }

    /// GroupWhole: an asset is shown as delivered when all of its files are.
    fn audit_assets(&self) -> anyhow::Result<()> {
        let assets: Vec<AssetId> = {
            let truth = lock(&self.world.truth);
            let mut jobs = BTreeMap::new();
            truth.jobs.values().for_each(|job| *jobs.entry(job.asset.clone()).or_insert(0) += 1);
            jobs.into_iter().filter(|(_, count)| *count > 1).map(|(asset, _)| asset).collect()
        };
        let told = steady(self.queue.delivered_assets(&assets))?;
        let badges = steady(self.queue.badges(&assets))?;
        let mut truth = lock(&self.world.truth);
        for (asset, told) in assets.iter().zip(told) {
            let of_asset = |job: &&Job| job.asset == *asset;
            let open = truth.jobs.values().filter(of_asset).find(|job| !job.delivered && !job.is_over()).map(|job| job.number);
            let badge = badges.get(asset) == Some(&JobBadge::Delivered);
            if let Some(number) = open.filter(|_| told || badge) {
                truth.broken(Invariant::GroupWhole, format!("{asset} is shown as delivered, and job {number} of it is not"));
            }
            let whole = truth.jobs.values().filter(of_asset).all(|job| job.delivered && job.cancelled_at.is_none());
            if whole && !told && !truth.is_broken() {
                truth.broken(Invariant::GroupWhole, format!("all of {asset} is delivered, and it is not shown as such"));
            }
        }
        Ok(())
    }

    /// CrashAtomic: what a killed service left behind, before anything is done with it.
    pub(crate) fn audit_start(&self) -> anyhow::Result<()> {
        let lanes = steady(self.queue.lanes())?;
        let under_way: u64 = lanes.iter().map(|lane| lane.under_way.jobs).sum();
        if under_way > 0 {
            let what = format!("{under_way} jobs are under way before anything was started");
            lock(&self.world.truth).broken(Invariant::CrashAtomic, what);
        }
        let shown = self.shown()?;
        let mut truth = lock(&self.world.truth);
        let mut delivered = truth.jobs.values().filter(|job| job.delivered);
        let state = |job: &Job| shown.get(&job.id).map(|shown| shown.state);
        let undone = delivered.find(|job| !matches!(state(job), Some(JobState::Succeeded | JobState::Cancelled)));
        let undone = undone.map(|job| (job.number, state(job)));
        if let Some((number, state)) = undone {
            truth.broken(Invariant::CrashAtomic, format!("job {number} was told as delivered; after a kill it is {state:?}"));
        }
        Ok(())
    }
}

impl Job {
    /// Whether nothing more is to come of it.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || self.cancelled_at.is_some()
    }
}

impl Truth {
    /// Holds what the queue shows of a job against what is known of it.
    fn look_at(&mut self, id: &JobId, shown: Option<&UploadJob>) {
        let Some(job) = self.jobs.get(id).cloned() else { return };
        let number = job.number;
        let Some(shown) = shown else {
            return self.broken(Invariant::NoLoss, format!("job {number} is gone from the queue"));
        };
        let (state, was) = (shown.state, job.shown);
        if was.is_some_and(|was| was.is_terminal() && was != state) {
            self.broken(Invariant::LegalMove, format!("job {number} was {was:?}, and is {state:?}"));
        }
        if job.delivered && job.cancelled_at.is_none() && state != JobState::Succeeded {
            self.broken(Invariant::NoLoss, format!("job {number} was delivered, and is {state:?}"));
        }
        if state == JobState::Succeeded && !job.delivered {
            self.broken(Invariant::NoFalseDone, format!("job {number} is shown as delivered, and nothing was"));
        }
        if job.cancelled_at.is_some() && !matches!(state, JobState::Cancelled | JobState::Succeeded) {
            self.broken(Invariant::CancelMeansCancel, format!("the person took job {number} back, and it is {state:?}"));
        }
        if shown.bytes_sent > job.held_at_most && state != JobState::Succeeded {
            let (told, held) = (shown.bytes_sent, job.held_at_most);
            self.broken(Invariant::OffsetSound, format!("job {number} shows {told} bytes, the server held {held} at most"));
        }
        let code = shown.failure.as_ref().map(|failure| failure.code);
        if state == JobState::Failed && matches!(code, Some(FailureCode::SourceOffline | FailureCode::SourceVanished)) {
            self.broken(Invariant::SourceAway, format!("job {number} failed because its folder was away"));
        }
        self.look_at_hold(&job, shown, code);
        if let Some(job) = self.jobs.get_mut(id) {
            job.shown = Some(state);
        }
    }

    /// WaitReason of what is held: it says why, and if that is access, access is really withdrawn.
    fn look_at_hold(&mut self, job: &Job, shown: &UploadJob, code: Option<FailureCode>) {
        if shown.phase != Phase::Held || shown.state.is_terminal() {
            return;
        }
        let number = job.number;
        match code {
            None => self.broken(Invariant::WaitReason, format!("job {number} is held, and does not say why")),
            Some(FailureCode::AccessDenied) if self.may_send(job.app, &job.asset) => {
                self.broken(Invariant::WaitReason, format!("job {number} waits for access, which it has"));
            }
            Some(_) => {}
        }
    }
}
