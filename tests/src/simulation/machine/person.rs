//! What the person says: pauses, rules, *Upload anyway*, access, and what is taken back.

use std::collections::BTreeSet;

use afterglow_model::{
    AssetId, AuthorizationStatus, DestinationState, JobId, Override, OverrideScope, Pause, PauseUntil, Settings, UploadJobOptions,
};

use super::{Machine, files::number, lock, steady};
use crate::simulation::{
    plan::{Answer, Scope, Step, Until},
    truth::Grant,
};

impl Machine {
    pub(super) fn pause(&self, until: Option<Until>) -> anyhow::Result<()> {
        let since = self.world.now().wall;
        let pause = until.map(|until| {
            let until = match until {
                Until::Resumed => PauseUntil::Resumed,
                Until::Minutes(minutes) => PauseUntil::Time { at: since.plus_ms(i64::try_from(minutes * 60_000).unwrap_or(0)) },
                Until::PluggedIn => PauseUntil::PluggedIn,
                Until::Home => PauseUntil::Network { key: "home".to_owned(), name: "home".to_owned() },
            };
            Pause { since, until }
        });
        steady(self.engine.queue.set_pause(pause))?;
        self.engine.reload()
    }

    pub(super) fn rules(&self, settings: Settings) -> anyhow::Result<()> {
        steady(self.engine.queue.set_settings(settings))?;
        self.engine.reload()
    }

    pub(super) fn options(&self, server: usize, options: UploadJobOptions) -> anyhow::Result<()> {
        steady(self.engine.queue.set_destination_options(self.destination(server), options))?;
        self.engine.reload()
    }

    pub(super) fn lift(&self, scope: Scope) -> anyhow::Result<()> {
        let now = self.world.now().wall;
        let network_key = lock(&self.world.conditions).network.key.clone();
        let (scope, network_key, until) = match scope {
            Scope::Hour => (OverrideScope::Hour, None, Some(now.plus_ms(3_600_000))),
            Scope::Network => (OverrideScope::Network, network_key, None),
            Scope::Job { file, server } => match self.newest(file, server) {
                Some((job_id, _)) => (OverrideScope::Job { job_id }, None, None),
                None => return Ok(()),
            },
            Scope::Batch { file, server } => match self.newest(file, server) {
                Some((_, Some(batch_id))) => (OverrideScope::Batch { batch_id }, None, None),
                Some((_, None)) | None => return Ok(()),
            },
        };
        steady(self.engine.queue.add_override(Override { scope, network_key, until, created_at: now }))?;
        self.engine.reload()?;
        self.engine.forgive();
        Ok(())
    }

    /// The job of a file's newest version to a server.
    fn newest(&self, file: u64, server: usize) -> Option<(JobId, Option<afterglow_model::BatchId>)> {
        let truth = lock(&self.world.truth);
        let wanted = number(file, truth.files.get(&file)?.version, server);
        truth.jobs.values().find(|job| job.number == wanted).map(|job| (job.id.clone(), job.batch_id.clone()))
    }

    pub(super) fn cancel(&self, file: u64, server: usize) -> anyhow::Result<()> {
        let Some((id, _)) = self.newest(file, server) else { return Ok(()) };
        let taken_back = steady(self.engine.queue.cancel_jobs(std::slice::from_ref(&id), self.world.now().wall))?;
        self.engine.cancelled(&id);
        let at_ms = self.world.boot_ms();
        if taken_back > 0
            && let Some(job) = lock(&self.world.truth).jobs.get_mut(&id)
        {
            job.cancelled_at = Some(at_ms);
        }
        Ok(())
    }

    pub(super) fn sign_in(&self) -> anyhow::Result<()> {
        for (id, server) in &self.premises.servers {
            lock(server).locked_out = false;
            steady(self.engine.queue.set_destination_state(id, DestinationState::Ready, None))?;
            steady(self.engine.queue.release_destination(id))?;
        }
        self.engine.reload()?;
        self.engine.forgive();
        Ok(())
    }

    /// What an app may see, step by step as the service does it.
    pub(super) fn access(&mut self, app: usize, answer: &Answer, dies_after: Option<Step>) -> anyhow::Result<()> {
        let (status, selection, grant) = match answer {
            Answer::Full => (AuthorizationStatus::Authorized, None, Grant::Full),
            Answer::Deny => (AuthorizationStatus::Denied, None, Grant::Nothing),
            Answer::Selected(files) => {
                let truth = lock(&self.world.truth);
                let assets: BTreeSet<AssetId> =
                    files.iter().filter_map(|id| truth.files.get(id)).map(|file| file.asset.clone()).collect();
                (AuthorizationStatus::Limited, Some(assets.iter().cloned().collect::<Vec<_>>()), Grant::Selected(assets))
            }
        };
        let (queue, id) = (self.engine.queue.clone(), self.app(app).clone());
        steady(queue.set_access(&id, status, selection.as_deref(), self.world.now().wall))?;
        lock(&self.world.truth).grant(app, grant, self.world.boot_ms());
        if dies_after == Some(Step::Written) {
            self.die()?;
            return self.follow_all();
        }
        self.engine.reload()?;
        if dies_after == Some(Step::Stopped) {
            self.die()?;
            return self.follow_all();
        }
        self.engine.follow_grant(&id, status)?;
        self.follow_all()
    }
}
