//! The loop: one owner of what is under way.
//!
//! It waits for one of a closed set of events, reads what the event says has changed, asks [`afterglow_scheduler::plan`] what should
//! run, and makes it so. Between events it sleeps until the one wake-up that the plan names. Order that makes a crash harmless: a job
//! is marked as started, in one commit for all that start together, before its first byte leaves.

mod beliefs;
mod carry;
mod endings;
mod hearing;
pub(crate) mod history;
mod lanes;
mod report;
mod running;
mod starting;
mod telling;
mod turns;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use afterglow_model::{
    App, AppId, AssetId, AuthorizationStatus, Conditions, Destination, DestinationId, JobId, Override, OverrideScope, Pause, Rate,
    Reachability, ScanProgress, Settings, SourceId, Timestamp,
};
use afterglow_queue::{QueueError, SMALL_BYTES};
use afterglow_scheduler::{Active, Concurrency, DestinationFacts, Health, Limits, Memory, Plan};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};

use crate::{activity::Throughput, apps::requests, clock, core::Core, run::Senders};
use carry::Ended;
use endings::Endings;
pub(crate) use hearing::Command;
use hearing::Inbox;
use lanes::Lanes;
use running::Running;
pub(crate) use starting::withdrawn;
use turns::Turns;

/// Small jobs started in one commit; those without a turn wait in memory, their intent written.
const SMALL_JOBS_STARTED: usize = 512;
/// Files at once that are larger than `SMALL_BYTES`.
const LARGE_JOBS_STARTED: usize = 3;
/// Files at once to all destinations, those without a turn too.
const JOBS_STARTED: usize = 1024;
/// Jobs of a batch that *Upload anyway* brings to the front at a time.
const BATCH_JOBS_AHEAD: u32 = 256;
/// How often a folder that is away is looked for.
const SOURCES_EVERY: Duration = Duration::from_secs(30);
/// How often it is tried to write again after a write of the loop's failed.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long an app's request may lie in the secret store after its job.
const SPENT_EVERY: Duration = Duration::from_secs(1);
/// After so long without work the memory that it took goes back to the system.
const REST_AFTER: Duration = Duration::from_secs(10);
/// At most four status events in a second while something is under way.
const STATUS_EVERY: Duration = Duration::from_millis(250);
/// That nothing is under way any more is told sooner: somebody may wait for it.
const END_TOLD_AFTER: Duration = Duration::from_millis(25);
/// Days of which the bytes are read, to find today's: more than a clock is likely to be set back.
const DAYS_READ: u32 = 32;
/// Bytes that a kill may take out of the day's count.
const UNCOUNTED_MAX: u64 = 16 << 20;
/// While something is under way, time between two plans at least: of a thousand photos a second, five end and five start with each.
const PLAN_EVERY: Duration = Duration::from_millis(5);
/// A plan looks at all that is under way, and costs as much. Of hundreds, one in so many ends before the next is made ...
const ENDED_FOR_PLAN: usize = 8;
/// ... or so many times `PLAN_EVERY` has passed, or somebody asked for something.
const RESTS_MAX: usize = 5;

/// Since when something waits for a reason, so that the status can say so.
type WaitingSince = HashMap<(DestinationId, afterglow_model::WaitingReason), Timestamp>;

/// The loop's state.
pub(crate) struct Engine {
    core: Arc<Core>,
    senders: Senders,
    settings: Settings,
    pause: Option<Pause>,
    overrides: Vec<Override>,
    destinations: Vec<Arc<Destination>>,
    apps: HashMap<AppId, App>,
    lanes: Lanes,
    lanes_stale: bool,
    running: Running,
    turns: Turns,
    concurrency: Concurrency,
    tasks: JoinSet<Ended>,
    endings: Endings,
    health: Health,
    throughput: Throughput,
    plan: Plan,
    memory: Memory,
    /// Whether the machine is kept awake.
    awake: bool,
    /// Whether load and room are looked at.
    resources_watched: bool,
    /// The local day, and the payload of it that is written down.
    day: (String, u64),
    /// The transfer's counter as of what is written down.
    counted: u64,
    waiting_since: WaitingSince,
    scans: HashMap<SourceId, ScanProgress>,
    touched: HashSet<AssetId>,
    run: Run,
    present: history::Present,
    status_due: Option<Instant>,
    /// When the last one was told.
    status_told: Instant,
    /// Who waits for the next status.
    listeners: Vec<oneshot::Sender<()>>,
    network_key: Option<String>,
    /// Where the library's folders are.
    roots: HashMap<SourceId, PathBuf>,
    /// Files of the library that could not be read in the last scans.
    unreadable: u64,
    /// When folders that are away are looked for again.
    sources_due: Option<Instant>,
    /// When jobs are put back into the line that the queue says are under way and that nobody carries; none if there are none.
    adrift_due: Option<Instant>,
    /// When requests of apps are thrown away that no job needs any more.
    spent_due: Option<Instant>,
    /// When memory is given back; none if that is done, or something is under way.
    rest_due: Option<Instant>,
}

/// The present run, for progress: from the first job queued to the last one ended.
#[derive(Default)]
struct Run {
    open: bool,
    done: u64,
    bytes_done: u64,
}

impl Engine {
    pub(crate) fn new(core: Arc<Core>, senders: Senders) -> Self {
        Self {
            endings: Endings::new(core.queue.clone()),
            core,
            senders,
            settings: Settings::default(),
            pause: None,
            overrides: Vec::new(),
            destinations: Vec::new(),
            apps: HashMap::new(),
            lanes: Lanes::default(),
            lanes_stale: true,
            running: Running::default(),
            turns: Turns::default(),
            concurrency: Concurrency::default(),
            tasks: JoinSet::new(),
            health: Health::default(),
            throughput: Throughput::default(),
            plan: Plan::default(),
            memory: Memory::default(),
            awake: false,
            resources_watched: false,
            day: Default::default(),
            counted: 0,
            waiting_since: HashMap::new(),
            scans: HashMap::new(),
            touched: HashSet::new(),
            run: Run::default(),
            present: history::Present::default(),
            status_due: None,
            status_told: Instant::now(),
            listeners: Vec::new(),
            network_key: None,
            roots: HashMap::new(),
            unreadable: 0,
            sources_due: None,
            adrift_due: None,
            spent_due: None,
            rest_due: Some(Instant::now() + REST_AFTER),
        }
    }

    /// Runs until the service is told to end; then stops what is under way and waits until that is written down.
    pub(crate) async fn run(mut self, commands: mpsc::Receiver<Command>) {
        let mut conditions = self.core.conditions.clone();
        let (queue_events, library_events) = (self.core.queue.subscribe(), self.core.library.subscribe());
        let mut inbox = Inbox { commands, queue_events, library_events };
        let quit = self.core.quit.clone();
        self.take_up().await;
        self.reload().await;
        self.sources_changed().await;
        loop {
            self.step(&conditions.borrow_and_update().clone()).await;
            let (wake, mut rested) = (self.next_wake(), Instant::now() + PLAN_EVERY);
            let (under_way, mut soon) = (self.running.len(), false);
            tokio::select! {
                biased;
                () = quit.cancelled() => break,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => self.ended(ended).await,
                Some(command) = inbox.commands.recv() => {
                    self.command(command).await;
                    soon = true;
                }
                changed = conditions.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    soon = true;
                }
                event = inbox.queue_events.recv() => self.queue_event(event),
                event = inbox.library_events.recv() => self.library_event(event).await,
                () = sleep_until(wake) => {}
            }
            for _ in 0..RESTS_MAX {
                if !self.running.is_empty() {
                    tokio::time::sleep_until(rested).await;
                    rested += PLAN_EVERY;
                }
                soon |= self.take_events(&mut inbox).await;
                let ended = under_way.saturating_sub(self.running.len());
                if soon || self.running.is_empty() || ended > under_way / ENDED_FOR_PLAN {
                    break;
                }
            }
        }
        self.stop_all().await;
    }

    /// What an earlier life has left: the wishes of servers, and grants whose change was written down while their jobs' was not.
    async fn take_up(&mut self) {
        if let Err(error) = self.try_take_up().await {
            tracing::error!(%error, "what an earlier start has left could not be read");
        }
    }

    async fn try_take_up(&mut self) -> Result<(), QueueError> {
        for (destination, until) in self.core.queue.asked_until().await? {
            self.health.remember(&destination, until);
        }
        for app in self.core.queue.apps().await? {
            if may_send(&app) {
                self.core.queue.release_app(&app.id).await?;
            } else {
                self.core.queue.hold_app(&app.id, withdrawn()).await?;
            }
        }
        self.spent_due = Some(Instant::now());
        Ok(())
    }

    /// Throws away what no job needs any more, beside the loop: the secret store may be slow.
    fn forget_spent(&mut self) {
        if self.spent_due.is_some_and(|due| due <= Instant::now()) {
            self.spent_due = None;
            let core = self.core.clone();
            tokio::spawn(async move { requests::forget_spent(&core).await });
        }
    }

    async fn stop_all(&mut self) {
        self.running.stop_all();
        while self.tasks.join_next().await.is_some() {}
        self.count_bytes().await;
        self.remember().await;
    }

    /// Writes down the time of work that is over.
    async fn remember(&mut self) {
        let waits = self.plan.waiting.iter().filter_map(|wait| Some((wait.jobs, wait.reasons.first()?.reason)));
        let stopped_by = waits.max_by_key(|(jobs, _)| *jobs).map(|(_, reason)| reason);
        if let Some(run) = self.present.end(stopped_by)
            && let Err(error) = self.core.queue.add_run(run).await
        {
            tracing::warn!(%error, "what was uploaded when could not be written down");
        }
    }

    /// One turn: refresh, plan, act, tell.
    async fn step(&mut self, conditions: &Conditions) {
        let now = clock::now();
        if self.network_key != conditions.network.key || !reachable(conditions) {
            self.network_key.clone_from(&conditions.network.key);
            self.health.forgive();
            self.core.transfer.network_changed();
        }
        if self.sources_due.is_some_and(|due| due <= Instant::now()) {
            if let Err(error) = self.core.library.recheck_sources().await {
                tracing::warn!(%error, "folders that are away could not be looked for");
            }
            self.sources_changed().await;
        }
        self.expire(conditions, now).await;
        self.take_up_adrift().await;
        self.forget_spent();
        // What backed off and is due now is in the queue, not among the heads; no event tells of it.
        if self.lanes_stale || self.lanes.run_low() {
            let wanted = self.wanted_anyway().await;
            match self.lanes.refresh(&self.core.queue, &self.running, &wanted).await {
                Ok(()) => self.lanes_stale = false,
                Err(error) => tracing::error!(%error, "the queue could not be read"),
            }
        }
        self.note_day().await;
        if self.uncounted() > UNCOUNTED_MAX || self.running.is_empty() {
            self.count_bytes().await;
        }
        self.plan = self.make_plan(conditions, now);
        if self.plan.keep_awake != self.awake {
            self.awake = self.plan.keep_awake;
            self.core.sensors.keep_awake(self.awake);
        }
        let watched = self.has_use_for_resources();
        if watched != self.resources_watched {
            self.resources_watched = watched;
            self.core.sensors.watch_resources(watched);
        }
        self.memory = self.plan.memory;
        self.core.transfer.set_bandwidth(bytes_per_s(self.plan.rate));
        for stop in std::mem::take(&mut self.plan.stop) {
            self.running.stop(&stop.job_id);
        }
        if (conditions.session.suspending || conditions.session.ending) && self.running.is_empty() {
            self.core.sensors.ready_to_sleep();
        }
        let start = std::mem::take(&mut self.plan.start);
        if !start.is_empty() && self.adrift_due.is_none() {
            self.start(&start, now.wall).await;
            self.status_changed();
        }
        if !self.running.is_empty() {
            self.present.goes_on(now.wall);
        }
        if !self.running.is_empty() || self.core.is_looking() {
            self.rest_due = Some(Instant::now() + REST_AFTER);
        } else {
            self.core.archives.rest().await;
            if self.rest_due.is_some_and(|due| due <= Instant::now()) {
                self.rest_due = None;
                self.remember().await;
                self.senders.present.send_replace(None);
                self.core.transfer.rest();
                afterglow_system::give_back();
            }
        }
        self.report(conditions, now).await;
    }

    /// A write of the loop's failed, and may have happened nevertheless: nothing is started until the queue is read anew.
    fn adrift(&mut self) {
        self.adrift_due.get_or_insert_with(Instant::now);
        self.lanes.forget();
        self.lanes_stale = true;
    }

    /// Puts jobs back into the line that the queue says are under way and that nobody carries, if there may be any.
    async fn take_up_adrift(&mut self) {
        if self.adrift_due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        let carried: Vec<JobId> = self.running.ids().cloned().collect();
        match self.core.queue.put_back(&carried).await {
            Ok(_) => self.adrift_due = None,
            Err(error) => {
                tracing::error!(%error, "the queue cannot be written; it is tried again");
                self.adrift_due = Some(Instant::now() + WRITE_AGAIN_AFTER);
            }
        }
        self.lanes.forget();
        self.lanes_stale = true;
    }

    fn make_plan(&self, conditions: &Conditions, now: afterglow_scheduler::Now) -> Plan {
        let lanes = self.lanes.for_plan(|key| self.options_of(key));
        let facts: Vec<DestinationFacts> = self.destinations.iter().map(|destination| self.facts(destination, now.wall)).collect();
        let active: Vec<Active> = self.running.going_on().map(|carried| self.active(&carried.job)).collect();
        let policy = self.policy();
        let limits = Limits {
            small_bytes: SMALL_BYTES,
            small_jobs_per_destination: SMALL_JOBS_STARTED,
            large_jobs_per_destination: LARGE_JOBS_STARTED,
            jobs: JOBS_STARTED,
        };
        afterglow_scheduler::plan(&lanes, &facts, &active, conditions, &policy, &limits, now)
    }

    /// When the loop wakes by itself: for the plan's next deadline, or to tell a status that is due.
    fn next_wake(&self) -> Option<Instant> {
        let planned = self.plan.wake_at.as_ref().map(|wake| {
            let ms = wake.boot_ms.saturating_sub(clock::now().boot_ms);
            // At least a moment: a deadline that does not lift what it promised must not become a busy loop.
            Instant::now() + Duration::from_millis(ms.max(50))
        });
        let progress = (!self.running.is_empty()).then(|| Instant::now() + STATUS_EVERY);
        [planned, progress, self.status_due, self.sources_due, self.adrift_due, self.spent_due, self.rest_due]
            .into_iter()
            .flatten()
            .min()
    }
}

fn may_send(app: &App) -> bool {
    matches!(app.status, AuthorizationStatus::Authorized | AuthorizationStatus::Limited)
}

fn reachable(conditions: &Conditions) -> bool {
    !matches!(conditions.network.reachability, Reachability::None | Reachability::CaptivePortal)
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn bytes_per_s(rate: Rate) -> Option<u64> {
    match rate {
        Rate::Limited { bytes_per_s } => Some(bytes_per_s),
        Rate::Unlimited | Rate::Stopped => None,
    }
}

/// An *Upload anyway* with its end.
pub(crate) fn new_override(scope: OverrideScope, conditions: &Conditions, now: Timestamp) -> Override {
    let (network_key, until) = match &scope {
        OverrideScope::Hour => (None, Some(now.plus_ms(3600 * 1000))),
        OverrideScope::Network => (conditions.network.key.clone(), None),
        OverrideScope::Job { .. } | OverrideScope::Batch { .. } => (None, None),
    };
    Override { scope, network_key, until, created_at: now }
}
