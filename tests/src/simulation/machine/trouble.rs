//! What goes wrong with the machine itself: it sleeps, its network flaps, its folders go, and the service on it dies.

use std::{sync::Arc, time::Duration};

use afterglow_model::{JobCounts, JobId};
use afterglow_queue::{Lane, Queue};

use super::{Machine, home, lock, steady, worse};
use crate::simulation::{Invariant, Plant, engine::Engine, plan::Flap, truth::Flapping};

/// How often a network that flaps changes.
const FLAP_EVERY: Duration = Duration::from_secs(3);
/// How long a network must have been better before the sensors tell of it: `CLEARING_TIME` of `system/src/sensors/steady.rs`, which is
/// private to that crate and runs on its own clock.
const CLEARING_TIME: Duration = Duration::from_secs(2);

/// Every so many starts the queue is opened twice; opening takes its time.
const TWICE_EVERY: u64 = 4;
/// Trouble that comes back so soon is the same trouble.
const SAME_TROUBLE_MS: u64 = 60_000;

impl Machine {
    pub(super) async fn sleep(&self, minutes: u64) {
        for (suspending, then) in [(true, Duration::from_secs(minutes * 60)), (false, Duration::ZERO)] {
            let turn = self.world.turn().await;
            self.conditions(|conditions| conditions.session.suspending = suspending);
            drop(turn);
            self.world.stir.notify_one();
            tokio::time::sleep(then).await;
        }
    }

    /// The machine says that it ends; then it does, and the service begins anew, or it goes on as if nothing had been.
    pub(super) async fn switch_off(&mut self, seconds: u64, dies: bool) -> anyhow::Result<()> {
        let turn = self.world.turn().await;
        self.conditions(|conditions| conditions.session.ending = true);
        drop(turn);
        self.world.stir.notify_one();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let _turn = self.world.turn().await;
        self.conditions(|conditions| conditions.session.ending = false);
        if dies {
            self.die()?;
            self.engine.audit(true)?;
        }
        self.world.stir.notify_one();
        Ok(())
    }

    /// For a while the network gets worse and better every three seconds. What is worse is told at once, what is better after two.
    pub(super) async fn flap(&self, minutes: u64, what: Flap) {
        let end = tokio::time::Instant::now() + Duration::from_secs(minutes * 60);
        self.flapping_begins();
        while tokio::time::Instant::now() < end && !self.world.is_broken() {
            for (seen, lasts) in [(worse(what), FLAP_EVERY + CLEARING_TIME), (home(), FLAP_EVERY - CLEARING_TIME)] {
                let turn = self.world.turn().await;
                self.conditions(|conditions| conditions.network = seen);
                drop(turn);
                self.world.stir.notify_one();
                tokio::time::sleep(lasts).await;
            }
        }
        let now = self.world.boot_ms();
        lock(&self.world.truth).flapping.ended_at = Some(now);
    }

    /// What follows at once is the same trouble still.
    fn flapping_begins(&self) {
        let now = self.world.boot_ms();
        let flapping = &mut lock(&self.world.truth).flapping;
        let notices = if flapping.ended_at.is_none_or(|at| now - at < SAME_TROUBLE_MS) { flapping.notices } else { 0 };
        *flapping = Flapping { ended_at: None, notices };
    }

    /// The removable folder is taken away, or put back.
    pub(super) fn stick(&self, there: bool, told: bool) -> anyhow::Result<()> {
        let root = self.root(true);
        let away = root.with_extension("away");
        if there && away.is_dir() {
            std::fs::rename(&away, &root)?;
        } else if !there && root.is_dir() {
            std::fs::rename(&root, &away)?;
        }
        lock(&self.world.truth).stick_there = there;
        if told && !self.world.has_planted(Plant::ReturnIsMissed) { self.engine.look_at_sources() } else { Ok(()) }
    }

    /// Killed at whatever it was doing, and started again.
    pub(super) fn die(&mut self) -> anyhow::Result<()> {
        self.running.abort();
        self.engine.kill();
        // What was learnt of the servers' silence died with it.
        self.premises.servers.iter().for_each(|(_, server)| lock(server).may_be_back());
        lock(&self.world.truth).died();
        steady(self.engine.queue.clone().close());
        let path = self.folder.join("queue.sqlite");
        if self.world.has_planted(Plant::CommitsAreLost) {
            let kept = self.folder.join("kept.sqlite");
            if kept.exists() {
                std::fs::rename(&kept, &path)?;
            }
            std::fs::copy(&path, &kept)?;
        }
        let mut queue = Queue::open(&path)?;
        if lock(&self.world.truth).crashes % TWICE_EVERY == 1 {
            let once = written(&queue)?;
            steady(queue.close());
            queue = Queue::open(&path)?;
            if written(&queue)? != once {
                lock(&self.world.truth).broken(Invariant::ReconcileIdempotent, "opened again, the queue is another one");
            }
        }
        if self.world.has_planted(Plant::NothingIsTakenUpAgain) {
            let forgotten: Vec<JobId> = lock(&self.world.truth).jobs.keys().cloned().collect();
            // A start that nothing follows.
            steady(queue.start(&forgotten, self.world.now().wall))?;
        }
        self.engine = Arc::new(Engine::new(self.premises.clone(), queue)?);
        self.engine.audit_start()?;
        self.running = tokio::spawn(self.engine.clone().run());
        Ok(())
    }
}

/// What a start finds.
fn written(queue: &Queue) -> anyhow::Result<(Vec<Lane>, JobCounts)> {
    Ok((steady(queue.lanes())?, steady(queue.counts())?))
}
