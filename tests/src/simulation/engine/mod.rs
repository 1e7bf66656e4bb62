//! What holds the parts together in a simulation, as the service's loop does: it reads lanes and heads, asks the scheduler for a plan,
//! starts and stops deliveries, and writes down how they end. All decisions are the scheduler's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use afterglow_model::{
    DestinationId, Failure, FailureClass, FailureCode, JobId, Override, Pause, Phase, Priority, Receipt, Settings,
};
use afterglow_queue::{Finished, LaneKey, Queue, QueuedJob, SMALL_BYTES, UploadSession};
use afterglow_scheduler::{
    Active, Candidate, DestinationFacts, Health, Lane, Limits, Memory, Next, Plan, Policy, is_due, next_attempt, plan, strictest,
};
use afterglow_transfer::{Delivered, Delivery, End, Journal, JournalError, Order, Progress, Session, TransferOptions};
use async_trait::async_trait;
use tokio::{task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    World, lock,
    server::{Line, Server},
    steady,
};

/// Heads of a lane that a plan sees.
const HEADS: u32 = 32;
/// Files up to this size go in one request; the simulation's files are small, so that a week takes a moment.
pub(crate) const SMALL: u64 = 4 * 1024;

/// A fault that is planted, to see that it is caught. Each stands for a mistake that somebody could make in the service's loop, in its
/// journal or in a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plant {
    /// A session is told to the server before it is written down.
    IntentIsSkipped,
    /// The journal forgets sessions: every attempt begins anew.
    SessionsAreForgotten,
    /// A server's wish to be left alone is not heard.
    RetryAfterIsIgnored,
    /// A job that is told to stop goes on.
    StopsAreIgnored,
    /// Failed jobs are tried again at once.
    BackoffIsSkipped,
    /// The end of a wait is slept through.
    WakeUpsAreMissed,
    /// What is delivered is not written down.
    ReceiptsAreLost,
    /// A failed attempt counts as delivered.
    FailureIsSuccess,
    /// Large files are never looked at.
    LargeFilesAreForgotten,
    /// A job is started although it is under way.
    JobsAreStartedTwice,
    /// Jobs of a service that died stay as they were.
    NothingIsTakenUpAgain,
    /// A transient failure is taken for a final one.
    EverythingIsFinal,
    /// What must wait for the person is dropped.
    HeldJobsAreDropped,
    /// The network's price is not looked at.
    MeteredIsIgnored,
    /// The charge is not looked at.
    BatteryIsIgnored,
    /// A pause is not looked at.
    PauseIsIgnored,
    /// That the machine goes to sleep is not looked at.
    SleepIsIgnored,
    /// An answer that never came is taken for a good one.
    NoAnswerIsTrusted,
    /// The digest that the server tells is not compared.
    DigestsAreBelieved,
    /// What was committed before a crash is not there after it.
    CommitsAreLost,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::IntentIsSkipped,
        Self::SessionsAreForgotten,
        Self::RetryAfterIsIgnored,
        Self::StopsAreIgnored,
        Self::BackoffIsSkipped,
        Self::WakeUpsAreMissed,
        Self::ReceiptsAreLost,
        Self::FailureIsSuccess,
        Self::LargeFilesAreForgotten,
        Self::JobsAreStartedTwice,
        Self::NothingIsTakenUpAgain,
        Self::EverythingIsFinal,
        Self::HeldJobsAreDropped,
        Self::MeteredIsIgnored,
        Self::BatteryIsIgnored,
        Self::PauseIsIgnored,
        Self::SleepIsIgnored,
        Self::NoAnswerIsTrusted,
        Self::DigestsAreBelieved,
        Self::CommitsAreLost,
    ];
}

struct Running {
    job: QueuedJob,
    cancel: CancellationToken,
    stopping: bool,
    task: AbortHandle,
}

/// What one life of the service knows.
#[derive(Default)]
struct Mind {
    running: BTreeMap<usize, Running>,
    health: Health,
    memory: Memory,
    /// Where a delivery stands, by job.
    confirmed: BTreeMap<JobId, u64>,
}

/// The service of a simulation.
pub(crate) struct Engine {
    pub(crate) world: Arc<World>,
    pub(crate) queue: Queue,
    pub(crate) servers: Vec<(DestinationId, Arc<Mutex<Server>>)>,
    pub(crate) root: PathBuf,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) pause: Mutex<Option<Pause>>,
    pub(crate) overrides: Mutex<Vec<Override>>,
    mind: Mutex<Mind>,
}

impl Engine {
    pub(crate) fn new(
        world: Arc<World>,
        queue: Queue,
        servers: Vec<(DestinationId, Arc<Mutex<Server>>)>,
        root: PathBuf,
        settings: Settings,
    ) -> Self {
        Self {
            world,
            queue,
            servers,
            root,
            settings: Mutex::new(settings),
            pause: Mutex::default(),
            overrides: Mutex::default(),
            mind: Mutex::default(),
        }
    }

    /// The loop. Ends when it is aborted, or when something broke.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let turn = self.world.turn().await;
            let wake = match self.step().await {
                Ok(plan) => plan.wake_at.map(|wake| {
                    let ms = wake.boot_ms.saturating_sub(self.world.now().boot_ms);
                    Instant::now() + Duration::from_millis(ms.max(50))
                }),
                Err(error) => {
                    lock(&self.world.truth).broken(format!("the queue gave up: {error:#}"));
                    None
                }
            };
            drop(turn);
            if lock(&self.world.truth).is_broken() {
                return;
            }
            let wake = wake.filter(|_| self.world.options.plant != Some(Plant::WakeUpsAreMissed));
            tokio::select! {
                biased;
                () = self.world.stir.notified() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Ends everything at once, as a kill does.
    pub(crate) fn kill(&self) {
        for (_, running) in std::mem::take(&mut lock(&self.mind).running) {
            running.task.abort();
        }
    }

    /// The network changed or the person said so: what was spared is tried again.
    pub(crate) fn forgive(&self) {
        lock(&self.mind).health.forgive();
    }

    /// A job that the person took back.
    pub(crate) fn cancelled(&self, job: &JobId) {
        if let Some(running) = lock(&self.mind).running.values_mut().find(|running| running.job.id == *job) {
            running.stopping = true;
            running.cancel.cancel();
        }
    }

    async fn step(self: &Arc<Self>) -> anyhow::Result<Plan> {
        let now = self.world.now();
        let conditions = lock(&self.world.conditions).clone();
        let (settings, pause, overrides) = (lock(&self.settings).clone(), lock(&self.pause).clone(), lock(&self.overrides).clone());
        let taken: BTreeSet<JobId> = lock(&self.mind).running.values().map(|running| running.job.id.clone()).collect();
        let exclude: Vec<JobId> = taken.iter().cloned().collect();

        let mut counts = self.queue.lanes().await?;
        // The ids of destinations are random; their order must not be.
        counts.sort_by_key(|lane| (self.server_of(&lane.key), lane.key.priority, lane.key.class));
        let mut lanes = Vec::new();
        let mut heads = BTreeMap::new();
        for lane in counts {
            let mut found = self.queue.heads(&lane.key, HEADS, now.wall, &exclude).await?;
            if self.world.options.plant == Some(Plant::LargeFilesAreForgotten) {
                found.retain(|job| job.byte_count <= SMALL);
            }
            let due: Vec<&QueuedJob> = found.iter().filter(|job| job.phase == Phase::BackingOff).collect();
            let (due_jobs, due_bytes) = (due.len() as u64, due.iter().map(|job| job.byte_count).sum::<u64>());
            lanes.push(Lane {
                destination_id: lane.key.destination_id.clone(),
                priority: lane.key.priority,
                heads: found.iter().map(candidate).collect(),
                ready_jobs: lane.ready.jobs + due_jobs,
                ready_bytes: lane.ready.bytes + due_bytes,
                backing_off_jobs: lane.backing_off.jobs.saturating_sub(due_jobs),
                backing_off_bytes: lane.backing_off.bytes.saturating_sub(due_bytes),
                next_attempt_at: lane.next_attempt_at.filter(|at| !is_due(*at, now.wall)),
                offline_jobs: lane.source_offline.jobs,
                offline_bytes: lane.source_offline.bytes,
                oldest_at: found.iter().map(|job| job.registered_at).min(),
                options: Default::default(),
            });
            heads.extend(found.into_iter().map(|job| (job.id.clone(), job)));
        }

        let facts = self.facts(now).await?;
        let (plan, held) = {
            let mut mind = lock(&self.mind);
            let active: Vec<Active> =
                mind.running.values().filter(|running| !running.stopping).map(|running| active(&running.job)).collect();
            let policy =
                Policy { settings: &settings, pause: pause.as_ref(), overrides: &overrides, bytes_today: 0, memory: mind.memory };
            let mut seen = conditions.clone();
            match self.world.options.plant {
                Some(Plant::MeteredIsIgnored) => seen.network.metered = afterglow_model::Metered::No,
                Some(Plant::SleepIsIgnored) => seen.session.suspending = false,
                Some(Plant::BatteryIsIgnored) => seen.power.source = afterglow_model::PowerSource::Ac,
                _ => {}
            }
            let policy = match self.world.options.plant {
                Some(Plant::PauseIsIgnored) => Policy { pause: None, ..policy },
                _ => policy,
            };
            let limits = Limits { small_bytes: SMALL, small_jobs_per_destination: 4, large_jobs_per_destination: 2 };
            let plan = plan(&lanes, &facts, &active, &seen, &policy, &limits, now);
            mind.memory = plan.memory;
            for stop in &plan.stop {
                if let Some(running) = mind.running.values_mut().find(|running| running.job.id == stop.job_id) {
                    running.stopping = true;
                    running.cancel.cancel();
                }
            }
            (plan, mind.running.len() as u64)
        };
        self.check(&plan, &lanes, held).await?;
        let start: Vec<QueuedJob> = plan.start.iter().filter_map(|id| heads.remove(id)).collect();
        if !start.is_empty() {
            self.start(start, &overrides, now.wall).await?;
        }
        Ok(plan)
    }

    /// Conservation and WaitReason: every open job is under way, starts, is held, or waits for a reason that is told.
    async fn check(&self, plan: &Plan, lanes: &[Lane], running: u64) -> anyhow::Result<()> {
        let waiting: u64 = plan.waiting.iter().map(|wait| wait.jobs).sum();
        let known: u64 = lanes.iter().map(|lane| lane.ready_jobs + lane.backing_off_jobs + lane.offline_jobs).sum();
        let told = waiting + plan.start.len() as u64;
        let mut truth = lock(&self.world.truth);
        if told != known && self.world.options.plant.is_none() {
            truth.broken(format!("WaitReason: of {known} jobs in line {told} start or have a reason, beside {running} under way"));
        }
        if plan.waiting.iter().any(|wait| wait.reasons.is_empty()) {
            truth.broken("WaitReason: jobs wait without a reason");
        }
        Ok(())
    }

    fn server_of(&self, key: &LaneKey) -> usize {
        self.servers.iter().position(|(id, _)| *id == key.destination_id).unwrap_or(usize::MAX)
    }

    async fn facts(&self, now: afterglow_scheduler::Now) -> anyhow::Result<Vec<DestinationFacts>> {
        let known = self.queue.destinations().await?;
        let mind = lock(&self.mind);
        let ignored = self.world.options.plant == Some(Plant::RetryAfterIsIgnored);
        Ok(known
            .into_iter()
            .map(|destination| DestinationFacts {
                not_before: mind.health.not_before(&destination.id, now.wall).filter(|_| !ignored),
                state: destination.state,
                id: destination.id,
                local: false,
            })
            .collect())
    }

    async fn start(
        self: &Arc<Self>,
        jobs: Vec<QueuedJob>,
        overrides: &[Override],
        now: afterglow_model::Timestamp,
    ) -> anyhow::Result<()> {
        let (queue, ids): (Queue, Vec<JobId>) = (self.queue.clone(), jobs.iter().map(|job| job.id.clone()).collect());
        let started: BTreeSet<JobId> = steady(async move { queue.start(&ids, now).await }).await??.into_iter().collect();
        for mut job in jobs {
            if !started.contains(&job.id) {
                continue;
            }
            job.attempts += 1;
            let number = lock(&self.world.truth).number(&job.id);
            lock(&self.world.truth).attempt(&job.id, self.world.now().boot_ms);
            self.world.trace(format!("job {number} starts, attempt {}", job.attempts));
            let cancel = CancellationToken::new();
            let is_wanted_now = job.priority == Priority::UserInitiated || !overrides.is_empty();
            if self.world.options.plant == Some(Plant::JobsAreStartedTwice) {
                tokio::spawn(carry(self.clone(), job.clone(), number, is_wanted_now, cancel.clone()));
            }
            let carried = carry(self.clone(), job.clone(), number, is_wanted_now, cancel.clone());
            let task = tokio::spawn(carried).abort_handle();
            lock(&self.mind).running.insert(number, Running { job, cancel, stopping: false, task });
        }
        Ok(())
    }
}

/// One delivery, from its start to the commit that says how it ended.
async fn carry(engine: Arc<Engine>, job: QueuedJob, number: usize, is_wanted_now: bool, cancel: CancellationToken) {
    let world = engine.world.clone();
    let turn = world.turn().await;
    let Some((_, server)) = engine.servers.iter().find(|(id, _)| *id == job.destination_id).cloned() else { return };
    let poison = {
        let mut truth = lock(&world.truth);
        truth.begins(number);
        truth.jobs.get(&job.id).is_some_and(|known| truth.files[known.file].poison)
    };
    let line = Line {
        world: world.clone(),
        server: server.clone(),
        job: job.id.clone(),
        number,
        poison,
        is_wanted_now,
        cancel: cancel.clone(),
        turn: Mutex::new(Some(turn)),
    };
    let plant = world.options.plant;
    let session = job.session.as_ref().filter(|_| plant != Some(Plant::SessionsAreForgotten)).and_then(|session| {
        Some(Session { upload_url: session.upload_url.clone(), pin: serde_json::from_str(&session.pin_json).ok()? })
    });
    let order = Order {
        job_id: job.id.clone(),
        // The destination's own id is random, and the key must not be.
        destination_id: format!("server-{}", lock(&server).number).as_str().into(),
        root: engine.root.clone(),
        path: job.path.clone(),
        filename: job.filename.clone(),
        content_type: None,
        byte_count: job.byte_count,
        sha256: job.sha256.clone(),
        created_ms: None,
        session,
    };
    let options =
        TransferOptions { small_bytes: SMALL, block_bytes: 4096, checkpoint_bytes: 64 * 1024, ..TransferOptions::default() };
    let journal = Notebook { engine: engine.clone() };
    let delivery = Delivery {
        destination: &line,
        options: &options,
        order: &order,
        journal: &journal,
        progress: engine.as_ref(),
        cancel: &cancel,
    };
    let strong = lock(&server).evidence >= afterglow_model::Evidence::Hashed;
    let ended = delivery.run(async || Ok(strong)).await;
    let turn = lock(&line.turn).take();
    if let Err(error) = settle(&engine, &job, number, &server, ended).await {
        lock(&world.truth).broken(format!("the queue refused how job {number} ended: {error:#}"));
    }
    lock(&world.truth).ends(number);
    lock(&engine.mind).running.remove(&number);
    drop(turn);
    world.stir.notify_one();
}

/// Writes down how a delivery ended.
async fn settle(
    engine: &Arc<Engine>,
    job: &QueuedJob,
    number: usize,
    server: &Arc<Mutex<Server>>,
    ended: Result<Delivered, End>,
) -> anyhow::Result<()> {
    let world = &engine.world;
    let now = world.now().wall;
    let plant = world.options.plant;
    let id = job.id.clone();
    let delivered = |delivered: &Delivered| Finished::Delivered {
        job: id.clone(),
        receipt: Receipt {
            job_id: id.clone(),
            destination_id: job.destination_id.clone(),
            sha256: delivered.sha256.clone(),
            byte_count: delivered.byte_count,
            remote_id: delivered.remote_id.clone(),
            evidence: delivered.evidence,
            delivered_at: now,
        },
    };
    let (finished, change) = match &ended {
        Ok(done) => {
            let held = lock(server).holds(&done.sha256).then_some(done.sha256.as_str());
            if plant != Some(Plant::ReceiptsAreLost) {
                lock(&world.truth).done(&id, done.evidence, held);
            }
            world.trace(format!("job {number} is delivered: {:?}", done.evidence));
            (delivered(done), lock(&engine.mind).health.delivered(&job.destination_id))
        }
        Err(End::Stopped) => {
            lock(&world.truth).forgive(&id);
            world.trace(format!("job {number} stops"));
            (Finished::Stopped { job: id.clone() }, None)
        }
        Err(End::Failed(failure)) if plant == Some(Plant::FailureIsSuccess) => {
            world.trace(format!("job {number} fails: {:?}", failure.code));
            let done = Delivered {
                remote_id: "?".to_owned(),
                evidence: afterglow_model::Evidence::Hashed,
                sha256: job.sha256.clone(),
                byte_count: job.byte_count,
            };
            let held = lock(server).holds(&done.sha256).then_some(done.sha256.as_str());
            lock(&world.truth).done(&id, done.evidence, held);
            (delivered(&done), None)
        }
        Err(End::Failed(failure)) => {
            world.trace(format!("job {number} fails: {:?}", failure.code));
            let change = lock(&engine.mind).health.failed(&job.destination_id, failure, now);
            (failed(engine, job, number, failure), change)
        }
    };
    if let Some((state, problem)) = change {
        let (queue, destination) = (engine.queue.clone(), job.destination_id.clone());
        steady(async move { queue.set_destination_state(&destination, state, problem).await }).await??;
    }
    if plant == Some(Plant::ReceiptsAreLost) && ended.is_ok() {
        return Ok(());
    }
    let queue = engine.queue.clone();
    steady(async move { queue.finish(vec![finished], now).await }).await??;
    Ok(())
}

/// What a failure means for the job, as the service has it.
fn failed(engine: &Engine, job: &QueuedJob, number: usize, failure: &Failure) -> Finished {
    let world = &engine.world;
    let id = job.id.clone();
    let before = job.session.as_ref().map_or(0, |session| session.offset);
    let moved = lock(&engine.mind).confirmed.get(&id).is_some_and(|confirmed| *confirmed > before);
    let setbacks = if moved { 0 } else { job.attempts.saturating_sub(1) };
    if moved {
        lock(&world.truth).forgive(&id);
    }
    let plant = world.options.plant;
    if failure.code == FailureCode::SourceChanged {
        if let Some(job) = lock(&world.truth).jobs.get_mut(&id) {
            job.ended = true;
        }
        return Finished::Replaced { job: id, failure: failure.clone() };
    }
    let class = if plant == Some(Plant::EverythingIsFinal) { FailureClass::Permanent } else { failure.class };
    let now = world.now().wall;
    match next_attempt(&Failure { class, ..failure.clone() }, setbacks, world.seed ^ number as u64, now) {
        Next::Retry { .. } if plant == Some(Plant::BackoffIsSkipped) => {
            Finished::Retry { job: id, failure: failure.clone(), at: now }
        }
        Next::Retry { at } => Finished::Retry { job: id, failure: failure.clone(), at },
        Next::NeedsUser if plant == Some(Plant::HeldJobsAreDropped) => Finished::Failed { job: id, failure: failure.clone() },
        Next::NeedsUser => Finished::Held { job: id, failure: failure.clone() },
        Next::GiveUp => {
            // A server that says no for good is a real end; nothing else is.
            let mut truth = lock(&world.truth);
            let real = truth.jobs.get(&id).is_some_and(|known| truth.files[known.file].poison);
            if let Some(job) = truth.jobs.get_mut(&id).filter(|_| real) {
                job.ended = true;
            }
            Finished::Failed { job: id, failure: failure.clone() }
        }
    }
}

/// The driver's journal: the queue, and what the truth must know of it.
struct Notebook {
    engine: Arc<Engine>,
}

impl Notebook {
    fn stored(&self, job: &JobId, url: Option<&str>) {
        if let Some(job) = lock(&self.engine.world.truth).jobs.get_mut(job) {
            job.stored_session = url.map(str::to_owned);
        }
    }
}

#[async_trait]
impl Journal for Notebook {
    async fn session_opened(&self, job: &JobId, session: &Session) -> Result<(), JournalError> {
        if self.engine.world.options.plant == Some(Plant::IntentIsSkipped) {
            return Ok(());
        }
        let pin_json = serde_json::to_string(&session.pin).map_err(|error| JournalError(error.to_string()))?;
        let stored = UploadSession { upload_url: session.upload_url.clone(), offset: 0, pin_json };
        let (queue, id) = (self.engine.queue.clone(), job.clone());
        let written = steady(async move { queue.session_opened(&id, stored).await }).await;
        written.map_err(|error| JournalError(error.to_string()))?.map_err(|error| JournalError(error.to_string()))?;
        self.stored(job, Some(&session.upload_url));
        Ok(())
    }

    async fn offset(&self, job: &JobId, bytes: u64) -> Result<(), JournalError> {
        let (queue, id) = (self.engine.queue.clone(), job.clone());
        let written = steady(async move { queue.session_offset(&id, bytes).await }).await;
        written.map_err(|error| JournalError(error.to_string()))?.map_err(|error| JournalError(error.to_string()))
    }

    async fn session_lost(&self, job: &JobId) -> Result<(), JournalError> {
        let (queue, id) = (self.engine.queue.clone(), job.clone());
        let written = steady(async move { queue.session_lost(&id).await }).await;
        self.stored(job, None);
        written.map_err(|error| JournalError(error.to_string()))?.map_err(|error| JournalError(error.to_string()))
    }
}

impl Progress for Engine {
    fn phase(&self, _: &JobId, _: Phase) {}

    fn confirmed(&self, job: &JobId, bytes: u64) {
        lock(&self.mind).confirmed.insert(job.clone(), bytes);
    }
}

fn candidate(job: &QueuedJob) -> Candidate {
    Candidate { job_id: job.id.clone(), batch_id: job.batch_id.clone(), byte_count: job.byte_count, options: job.options.clone() }
}

fn active(job: &QueuedJob) -> Active {
    Active {
        job_id: job.id.clone(),
        batch_id: job.batch_id.clone(),
        destination_id: job.destination_id.clone(),
        priority: job.priority,
        byte_count: job.byte_count,
        options: strictest(&job.options, &Default::default()),
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The simulation's small files are the queue's small files too.
const _: () = assert!(SMALL < SMALL_BYTES);
