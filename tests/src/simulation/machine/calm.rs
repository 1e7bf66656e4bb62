//! The calm: nothing goes wrong any more, everything is allowed, and everything has to arrive.

use std::{collections::BTreeMap, time::Duration};

use afterglow_model::{Evidence, JobState, Phase, Settings, UploadJobOptions};
use sha2::{Digest, Sha256};

use super::{Machine, calm, lock, steady};
use crate::simulation::{
    APPS, Disk, Invariant, SERVERS,
    plan::{Answer, Poison},
    server::hex,
    truth::Job,
};

/// In the calm everything arrives within this time: the longest backoff is five hours (and what it is spread by).
const CALM: Duration = Duration::from_secs(2 * 24 * 3600);
/// A job that fails for ever is tried at least so often.
const TRIED_EVERY_MS: u64 = 24 * 3_600_000;

impl Machine {
    pub(super) async fn calm_down(&mut self, has_arrived: bool) -> anyhow::Result<()> {
        let world = self.world.clone();
        if has_arrived && let Some(number) = self.missing() {
            let what = format!("job {number} did not arrive before the calm");
            lock(&world.truth).broken(Invariant::Progress, what);
        }
        let turn = world.turn().await;
        world.trace("calm");
        self.conditions(|conditions| *conditions = calm());
        *lock(&world.disk) = Disk::default();
        self.rules(Settings { gather_minutes: 0, ..Settings::default() })?;
        self.pause(None)?;
        self.stick(true, true)?;
        (0..SERVERS).try_for_each(|server| self.options(server, UploadJobOptions::default()))?;
        for app in 0..APPS {
            self.access(app, &Answer::Full, None)?;
        }
        self.sign_in()?;
        for (_, server) in &self.premises.servers {
            let mut server = lock(server);
            server.calm_down();
            // One last trouble that nobody tells the service the end of: it has to look again by itself.
            server.goes(true);
        }
        self.engine.audit(true)?;
        drop(turn);
        world.stir.notify_one();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let turn = world.turn().await;
        self.premises.servers.iter().for_each(|(_, server)| lock(server).goes(false));
        drop(turn);
        let since = world.began.elapsed();
        while world.began.elapsed() < since + CALM && !world.is_broken() && self.missing().is_some() {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        let _turn = world.turn().await;
        self.engine.audit(true)?;
        self.account()?;
        self.look_at_library()
    }

    /// A job that has yet to arrive.
    fn missing(&self) -> Option<u64> {
        let truth = lock(&self.world.truth);
        let missing = |job: &&Job| !job.delivered && !job.is_over() && job.poison != Poison::Stubborn;
        truth.jobs.values().find(missing).map(|job| job.number)
    }

    /// Progress: in the end every job is delivered, or ended for a reason that is real; one that fails for ever is still tried.
    fn account(&self) -> anyhow::Result<()> {
        let jobs: Vec<Job> = lock(&self.world.truth).jobs.values().cloned().collect();
        let now = self.world.boot_ms();
        for job in jobs {
            let Some(found) = steady(self.engine.queue.job(&job.id))? else { continue };
            let holds = lock(&self.premises.servers[job.server].1).holds(&job.sha256);
            let sized = found.receipt.as_ref().is_some_and(|receipt| receipt.evidence >= Evidence::Sized);
            let mut truth = lock(&self.world.truth);
            let number = job.number;
            match found.state {
                JobState::Succeeded if !holds && sized => {
                    truth.broken(Invariant::NoFalseDone, format!("job {number} is delivered, and the server does not hold it"));
                }
                JobState::Succeeded => {}
                JobState::Registered | JobState::Pending | JobState::Failed | JobState::Cancelled if job.is_over() => {}
                JobState::Registered | JobState::Pending if job.poison == Poison::Stubborn && found.phase != Phase::Held => {
                    if job.tried_at.is_none_or(|at| now - at > TRIED_EVERY_MS) {
                        let what = format!("job {number} fails again and again, and was last tried at {:?}", job.tried_at);
                        truth.broken(Invariant::PoisonIsolated, what);
                    }
                }
                state => {
                    let (phase, failure) = (found.phase, found.failure.map(|failure| failure.code));
                    let what = format!("two calm days later job {number} is {state:?}, {phase:?}, {failure:?}");
                    truth.broken(Invariant::Progress, what);
                }
            }
        }
        Ok(())
    }

    /// ReadOnlyLibrary: in the folders lies what the person put there, and nothing else.
    fn look_at_library(&self) -> anyhow::Result<()> {
        let known: BTreeMap<String, String> =
            lock(&self.world.truth).files.values().map(|file| (file.name.clone(), file.sha256.clone())).collect();
        let mut found = BTreeMap::new();
        for source in &self.premises.sources {
            for entry in std::fs::read_dir(&source.root)? {
                let entry = entry?;
                let sha256 = hex(&Sha256::digest(std::fs::read(entry.path())?));
                found.insert(entry.file_name().to_string_lossy().into_owned(), sha256);
            }
        }
        if found != known {
            lock(&self.world.truth).broken(Invariant::ReadOnlyLibrary, "the folders are not as the person left them");
        }
        Ok(())
    }
}
