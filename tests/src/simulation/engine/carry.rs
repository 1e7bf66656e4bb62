//! One delivery, from its start to the commit that says how it ended.

use std::sync::{Arc, Mutex};

use afterglow_model::{Evidence, Failure, FailureClass, FailureCode, Priority, Receipt};
use afterglow_queue::{Finished, QueuedJob};
use afterglow_scheduler::{Next, next_attempt};
use afterglow_transfer::{Companions, Delivered, Delivery, End, Order, Reading, Session, TransferOptions};
use tokio_util::sync::CancellationToken;

use super::{Engine, SMALL, notebook::Notebook};
use crate::simulation::{Invariant, Plant, line::Line, lock, plan::Poison, server::Server, steady, turn::Seat};

/// Carries a started job to its end and writes that down.
pub(super) async fn carry(engine: Arc<Engine>, job: QueuedJob, number: u64, cancel: CancellationToken) {
    let world = engine.world.clone();
    let Some((_, server)) = engine.premises.servers.iter().find(|(id, _)| *id == job.destination_id).cloned() else { return };
    let seat = Seat::new(world.clone(), cancel.clone());
    seat.take().await;
    let poison = {
        let mut truth = lock(&world.truth);
        truth.begins(number);
        truth.jobs.get(&job.id).map_or(Poison::Nothing, |known| known.poison)
    };
    let line =
        Line { world: world.clone(), server: server.clone(), job: job.id.clone(), number, poison, seat, told: Mutex::default() };
    let session = job.session.as_ref().filter(|_| !world.has_planted(Plant::SessionsAreForgotten)).and_then(|session| {
        let pin = serde_json::from_str(&session.pin_json).ok()?;
        Some(Session { upload_url: session.upload_url.clone(), pin, max_age_s: None })
    });
    let order = Order {
        job_id: job.id.clone(),
        // The destination's own id is random, and the key must not be.
        destination_id: format!("server-{}", lock(&server).number).as_str().into(),
        root: engine.root_of(&job),
        path: job.path.clone(),
        filename: job.filename.clone(),
        content_type: None,
        byte_count: job.byte_count,
        sha256: job.sha256.clone(),
        created_ms: None,
        companions: Companions::default(),
        sidecar: None,
        session,
    };
    let options =
        TransferOptions { small_bytes: SMALL, block_bytes: 4096, checkpoint_bytes: 64 * 1024, ..TransferOptions::default() };
    let journal = Notebook { engine: engine.clone(), line: &line };
    let delivery = Delivery {
        destination: &line,
        options: &options,
        reading: &Reading::default(),
        order: &order,
        journal: &journal,
        progress: engine.as_ref(),
        cancel: &cancel,
    };
    let strong = lock(&server).evidence >= Evidence::Hashed;
    let ended = line.seat.drive(delivery.run(async || Ok(strong))).await;
    if let Err(error) = engine.settle(&job, number, &server, &ended) {
        lock(&world.truth).broken(Invariant::LegalMove, format!("the queue refused how job {number} ended: {error:#}"));
    }
    lock(&world.truth).ends(number);
    lock(&engine.mind).running.remove(&number);
    line.seat.give();
    world.stir.notify_one();
}

impl Engine {
    /// The folder beneath which a job's file is opened.
    fn root_of(&self, job: &QueuedJob) -> std::path::PathBuf {
        let known = self.premises.sources.iter().find(|source| Some(&source.id) == job.source_id.as_ref());
        known.map(|source| source.root.clone()).unwrap_or_default()
    }

    /// Writes down how a delivery ended.
    fn settle(&self, job: &QueuedJob, number: u64, server: &Mutex<Server>, ended: &Result<Delivered, End>) -> anyhow::Result<()> {
        let world = &self.world;
        let now = world.now().wall;
        self.count_bytes()?;
        let (finished, change) = match ended {
            Ok(done) => {
                self.is_done(job, server, done.evidence);
                world.trace(&format!("job {number} is delivered: {:?}", done.evidence));
                let mut mind = lock(&self.mind);
                let stopping = mind.running.get(&number).is_some_and(|running| running.stopping);
                (delivered(job, done, now), mind.health.delivered(&job.destination_id, stopping))
            }
            Err(End::Stopped) => {
                lock(&world.truth).forgive(&job.id);
                // What is stopped and goes on as its conditions come and go has no time to learn that nobody answers.
                lock(server).may_be_back();
                world.trace(&format!("job {number} stops"));
                (Finished::Stopped { job: job.id.clone() }, None)
            }
            Err(End::Failed(failure)) if world.has_planted(Plant::FailureIsSuccess) => {
                world.trace(&format!("job {number} fails: {:?}", failure.code));
                let (remote_id, evidence) = ("?".to_owned(), Evidence::Hashed);
                self.is_done(job, server, evidence);
                let done = Delivered { remote_id, evidence, sha256: job.sha256.clone(), byte_count: job.byte_count };
                (delivered(job, &done, now), None)
            }
            Err(End::Failed(failure)) => {
                world.trace(&format!("job {number} fails: {:?}", failure.code));
                if failure.code == FailureCode::SourceOffline {
                    self.source_away(job.source_id.as_ref())?;
                }
                lock(&world.truth).failed(&job.id, world.boot_ms());
                let deaf = world.has_planted(Plant::SilenceIsIgnored) && failure.code == FailureCode::ConnectionLost;
                let change = if deaf { None } else { lock(&self.mind).health.failed(&job.destination_id, &job.id, failure, now) };
                let asked = lock(&self.mind).health.asked_until(&job.destination_id);
                if let Some(until) = asked {
                    steady(self.queue.set_asked_until(&job.destination_id, until))?;
                }
                (self.failed(job, number, failure), change)
            }
        };
        let known = lock(&self.mind).destinations.iter().find(|known| known.id == job.destination_id).map(|known| known.state);
        if let Some((state, problem)) = change.filter(|(state, _)| known != Some(*state)) {
            steady(self.queue.set_destination_state(&job.destination_id, state, problem))?;
            lock(&self.mind).destinations = steady(self.queue.destinations())?;
        }
        self.moved(job);
        if world.has_planted(Plant::ReceiptsAreLost) && ended.is_ok() {
            return Ok(());
        }
        match self.write(self.queue.finish(vec![finished], now)) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.lost_sight(error)?;
                self.learn(&job.id)
            }
        }
    }

    /// Tells the truth that a receipt is about to be written.
    fn is_done(&self, job: &QueuedJob, server: &Mutex<Server>, evidence: Evidence) {
        if !self.world.has_planted(Plant::ReceiptsAreLost) {
            let held = lock(server).holds(&job.sha256).then_some(job.sha256.as_str());
            lock(&self.world.truth).done(&job.id, evidence, held, self.world.boot_ms());
        }
    }

    /// What a failure means for the job, as the service has it.
    fn failed(&self, job: &QueuedJob, number: u64, failure: &Failure) -> Finished {
        let (world, id) = (&self.world, job.id.clone());
        let failure = failure.clone();
        let before = job.session.as_ref().map_or(0, |session| session.offset);
        let confirmed = lock(&self.mind).confirmed.get(&id).is_some_and(|confirmed| *confirmed > before);
        // Of a file that changed nothing came further, however much was sent of it.
        let moved = confirmed && failure.code != FailureCode::SourceChanged;
        let setbacks = if moved { 0 } else { job.setbacks };
        if moved {
            lock(&world.truth).forgive(&id);
        }
        if failure.code == FailureCode::SourceChanged && job.priority == Priority::Backup {
            self.is_over(job);
            return Finished::Replaced { job: id, failure };
        }
        if failure.code == FailureCode::SourceOffline && !world.has_planted(Plant::AwayIsFailure) {
            lock(&world.truth).forgive(&id);
            return Finished::Stopped { job: id };
        }
        let away = failure.code == FailureCode::SourceOffline;
        let is_final = away || world.has_planted(Plant::EverythingIsFinal);
        let class = if is_final { FailureClass::Permanent } else { failure.class };
        let now = world.now().wall;
        match next_attempt(&Failure { class, ..failure.clone() }, setbacks, world.seed ^ number, now) {
            Next::Retry { at } => {
                let at = if world.has_planted(Plant::BackoffIsSkipped) { now } else { at };
                Finished::Retry { job: id, failure, at, setbacks: setbacks + 1 }
            }
            Next::NeedsUser if world.has_planted(Plant::HeldJobsAreDropped) => Finished::Failed { job: id, failure },
            Next::NeedsUser => Finished::Held { job: id, failure },
            Next::GiveUp => {
                // A server that says no for good is a real end; nothing else is.
                let poison = lock(&world.truth).jobs.get(&id).map(|known| known.poison);
                if poison == Some(Poison::Refused) {
                    self.is_over(job);
                }
                Finished::Failed { job: id, failure }
            }
        }
    }

    fn is_over(&self, job: &QueuedJob) {
        if let Some(known) = lock(&self.world.truth).jobs.get_mut(&job.id) {
            known.ended = true;
        }
    }
}

fn delivered(job: &QueuedJob, done: &Delivered, now: afterglow_model::Timestamp) -> Finished {
    Finished::Delivered {
        job: job.id.clone(),
        receipt: Receipt {
            job_id: job.id.clone(),
            destination_id: job.destination_id.clone(),
            sha256: done.sha256.clone(),
            byte_count: done.byte_count,
            remote_id: done.remote_id.clone(),
            evidence: done.evidence,
            delivered_at: now,
        },
    }
}
