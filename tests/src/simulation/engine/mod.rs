//! What holds the parts together in a simulation, as the service's loop does: it reads lanes and heads, asks the scheduler for a plan,
//! starts and stops deliveries, and writes down how they end. All decisions are the scheduler's.

mod adrift;
mod beliefs;
mod carry;
mod lanes;
mod notebook;
mod reasons;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use afterglow_model::{
    App, AppId, Conditions, Destination, DestinationId, JobId, Metered, NetworkKind, PowerSource, Reachability, SourceId,
    Timestamp, UploadJobOptions,
};
use afterglow_queue::{FileClass, Finished, LaneKey, Queue, QueuedJob, SMALL_BYTES};
use afterglow_scheduler::{Active, Candidate, DestinationFacts, Health, Lane, Limits, Memory, Now, Plan, Policy, plan, strictest};
use tokio::{task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Invariant, Plant, World, lock, server::Server, steady};
use beliefs::withdrawn;
use lanes::Lanes;
use told::Told;

/// Files up to this size go in one request; the simulation's files are small, so that a week takes a moment.
pub(crate) const SMALL: u64 = 4 * 1024;
/// How often a folder that is away is looked for.
const SOURCES_EVERY: Duration = Duration::from_secs(300);
/// How often the day's bytes are compared with its budget while something is sent. The service does so with every status it tells.
const BUDGET_EVERY: Duration = Duration::from_secs(1);
/// What expires within this time goes first: `EXPIRES_SOON_MS` of the scheduler.
const EXPIRES_SOON_MS: i64 = 24 * 3_600_000;
/// By so much an answer may be late, and what is written down of a lifetime too long.
const ANSWER_MS: i64 = 60_000;
/// The simulation's slots.
pub(crate) const SMALL_AT_ONCE: usize = 4;
pub(crate) const LARGE_AT_ONCE: usize = 2;

/// A folder of the library.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) id: SourceId,
    pub(crate) root: PathBuf,
}

/// What a life of the service begins with.
#[derive(Clone)]
pub(crate) struct Premises {
    pub(crate) world: Arc<World>,
    pub(crate) servers: Vec<(DestinationId, Arc<Mutex<Server>>)>,
    pub(crate) apps: Vec<AppId>,
    pub(crate) sources: Vec<Source>,
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
    running: BTreeMap<u64, Running>,
    health: Health,
    memory: Memory,
    lanes: Lanes,
    lanes_stale: bool,
    destinations: Vec<Destination>,
    apps: BTreeMap<AppId, App>,
    network_key: Option<String>,
    /// Where a delivery stands, by job.
    confirmed: BTreeMap<JobId, u64>,
    /// Folders that are away.
    away: BTreeSet<usize>,
    /// The local day, and the payload of it that is written down.
    day: (i64, u64),
    /// The lines' counter as of what is written down.
    counted: u64,
    /// When jobs are put back into the line that nobody carries; none if there are none.
    adrift: Option<Instant>,
    /// Whether a notice says that something needs the person.
    attention: bool,
}

/// The service of a simulation.
pub(crate) struct Engine {
    pub(crate) premises: Premises,
    pub(crate) world: Arc<World>,
    pub(crate) queue: Queue,
    mind: Mutex<Mind>,
    told: Mutex<Told>,
}

impl Engine {
    /// Reads what is written down, and looks at the folders.
    pub(crate) fn new(premises: Premises, queue: Queue) -> anyhow::Result<Self> {
        let world = premises.world.clone();
        let mind = Mind { lanes_stale: true, counted: *lock(&world.sent), day: (i64::MIN, 0), ..Mind::default() };
        let told = Mutex::new(Told::by(&queue));
        let engine = Self { world, premises, queue, mind: Mutex::new(mind), told };
        for (destination, until) in steady(engine.queue.asked_until())? {
            lock(&engine.mind).health.remember(&destination, until);
        }
        engine.reload()?;
        engine.follow_grants()?;
        engine.look_at_sources()?;
        Ok(engine)
    }

    /// The loop. Ends when it is aborted, or when something broke.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut wake = None;
        let mut look = true;
        loop {
            let turn = self.world.turn().await;
            if look {
                match self.step() {
                    Ok(at) => wake = at.filter(|_| !self.world.has_planted(Plant::WakeUpsAreMissed)),
                    Err(error) => lock(&self.world.truth).broken(Invariant::NoLoss, format!("the queue gave up: {error:#}")),
                }
            }
            drop(turn);
            if self.world.is_broken() {
                return;
            }
            let away = !lock(&self.mind).away.is_empty() && !self.world.has_planted(Plant::ReturnIsMissed);
            look = tokio::select! {
                biased;
                () = self.world.stir.notified() => true,
                () = sleep_until(wake) => true,
                () = tokio::time::sleep(SOURCES_EVERY), if away => self.something_came_back().await,
            };
        }
    }

    /// Ends everything at once, as a kill does.
    pub(crate) fn kill(&self) {
        for (_, running) in std::mem::take(&mut lock(&self.mind).running) {
            running.task.abort();
        }
    }

    /// A job that the person took back.
    pub(crate) fn cancelled(&self, job: &JobId) {
        self.jobs_changed();
        if !self.world.has_planted(Plant::CancelStopsNothing) {
            self.stop(|running| running.job.id == *job);
        }
    }

    /// The person wants it now: destinations that are left alone are tried again.
    pub(crate) fn forgive(&self) {
        lock(&self.mind).health.forgive();
        self.asks_again();
    }

    /// There is a reason to ask servers that do not answer.
    fn asks_again(&self) {
        self.premises.servers.iter().for_each(|(_, server)| lock(server).may_be_back());
    }

    /// Jobs were made, or released.
    pub(crate) fn jobs_changed(&self) {
        let mut mind = lock(&self.mind);
        mind.lanes_stale = true;
        mind.lanes.forget();
    }

    /// A job was started, or ended.
    fn moved(&self, job: &QueuedJob) {
        let mut mind = lock(&self.mind);
        mind.lanes_stale = true;
        mind.lanes.touch(lane_of(job));
    }

    fn stop(&self, which: impl Fn(&Running) -> bool) {
        for running in lock(&self.mind).running.values_mut().filter(|running| which(running)) {
            running.stopping = true;
            running.cancel.cancel();
        }
    }

    // ---- a turn ----

    /// One turn: refresh, plan, act. Gives when to look again.
    fn step(self: &Arc<Self>) -> anyhow::Result<Option<Instant>> {
        let now = self.world.now();
        let conditions = self.seen();
        self.forgive_on_another_network(&conditions);
        self.expire(&conditions, now)?;
        self.note_day(now)?;
        let sound = self.take_up_adrift()?;
        let (taken, stale) = {
            let mind = lock(&self.mind);
            let taken: Vec<JobId> = mind.running.values().map(|running| running.job.id.clone()).collect();
            (taken, mind.lanes_stale || mind.lanes.is_due(now.wall))
        };
        if stale {
            self.refresh(now.wall, &taken)?;
        }
        let lanes = {
            let mind = lock(&self.mind);
            mind.lanes.for_plan(now.wall, |key| self.lane_options(&mind, key))
        };
        let plan = self.plan(&lanes, &conditions, now);
        lock(&self.mind).memory = plan.memory;
        for stop in &plan.stop {
            lock(&self.world.truth).stopped(&stop.job_id);
            self.stop(|running| running.job.id == stop.job_id);
        }
        self.check(&plan, &lanes);
        self.check_order(&plan, &lanes, now);
        let start = if sound { lock(&self.mind).lanes.take(&plan.start) } else { Vec::new() };
        if !start.is_empty() {
            self.start(start, now)?;
        }
        if stale {
            self.tell_of_attention()?;
        }
        Ok(self.next_wake(&plan))
    }

    fn refresh(&self, now: Timestamp, taken: &[JobId]) -> anyhow::Result<()> {
        let known = std::mem::take(&mut lock(&self.mind).lanes);
        let lanes = known.refresh(self, now, taken)?;
        let mut mind = lock(&self.mind);
        (mind.lanes, mind.lanes_stale) = (lanes, false);
        Ok(())
    }

    fn next_wake(&self, plan: &Plan) -> Option<Instant> {
        let planned = plan.wake_at.map(|wake| {
            let ms = wake.boot_ms.saturating_sub(self.world.boot_ms());
            Instant::now() + Duration::from_millis(ms.max(50))
        });
        let has_budget = lock(&self.world.rules).settings.bytes_per_day_max.is_some();
        let budget = (has_budget && !lock(&self.mind).running.is_empty()).then(|| Instant::now() + BUDGET_EVERY);
        let adrift = lock(&self.mind).adrift;
        planned.into_iter().chain(budget).chain(adrift).min()
    }

    /// The conditions as the sensors tell them; what is planted is not seen.
    fn seen(&self) -> Conditions {
        let mut seen = lock(&self.world.conditions).clone();
        match self.world.options.plant {
            Some(Plant::MeteredIsIgnored) => seen.network.metered = Metered::No,
            Some(Plant::SleepIsIgnored) => seen.session.suspending = false,
            Some(Plant::BatteryIsIgnored) => seen.power.source = PowerSource::Ac,
            Some(Plant::TunnelsAreIgnored) if seen.network.kind == NetworkKind::Vpn => seen.network.kind = NetworkKind::Wifi,
            Some(Plant::UseIsIgnored) => seen.session.idle = None,
            Some(Plant::LoadIsIgnored) => seen.resources.load_percent = None,
            Some(Plant::RoomIsIgnored) => seen.resources.state_free_bytes = None,
            Some(Plant::EndIsIgnored) => seen.session.ending = false,
            Some(_) | None => {}
        }
        seen
    }

    fn plan(&self, lanes: &[Lane], conditions: &Conditions, now: Now) -> Plan {
        let rules = lock(&self.world.rules).clone();
        let mind = lock(&self.mind);
        let active: Vec<Active> =
            mind.running.values().filter(|running| !running.stopping).map(|running| self.active(&mind, &running.job)).collect();
        let counts = !self.world.has_planted(Plant::BytesAreNotCounted);
        let policy = Policy {
            settings: &rules.settings,
            pause: rules.pause.as_ref().filter(|_| !self.world.has_planted(Plant::PauseIsIgnored)),
            overrides: &rules.overrides,
            bytes_today: if counts { mind.day.1 + *lock(&self.world.sent) - mind.counted } else { 0 },
            memory: mind.memory,
        };
        plan(lanes, &self.facts(&mind, now.wall), &active, conditions, &policy, &limits(), now)
    }

    fn facts(&self, mind: &Mind, now: Timestamp) -> Vec<DestinationFacts> {
        let ignored = self.world.has_planted(Plant::RetryAfterIsIgnored);
        let facts = mind.destinations.iter().map(|destination| DestinationFacts {
            app_id: Some(destination.app_id.clone()),
            not_before: mind.health.not_before(&destination.id, now).filter(|_| !ignored),
            state: destination.state,
            ..DestinationFacts::unknown(destination.id.clone())
        });
        facts.collect()
    }

    fn active(&self, mind: &Mind, job: &QueuedJob) -> Active {
        Active {
            job_id: job.id.clone(),
            batch_id: job.batch_id.clone(),
            destination_id: job.destination_id.clone(),
            priority: job.priority,
            byte_count: job.byte_count,
            options: strictest(&self.lane_options(mind, &lane_of(job)), &job.options),
        }
    }

    /// What a lane's destination and kind of file ask for, as the service has it.
    fn lane_options(&self, mind: &Mind, key: &LaneKey) -> UploadJobOptions {
        if self.world.has_planted(Plant::OptionsAreIgnored) {
            return Default::default();
        }
        let destination = mind.destinations.iter().find(|known| known.id == key.destination_id);
        let options = destination.map(|known| known.options.clone()).unwrap_or_default();
        match key.class {
            FileClass::Video => strictest(&options, &lock(&self.world.rules).settings.videos),
            FileClass::Small | FileClass::Large => options,
        }
    }

    /// WaitReason: every open job is under way, starts, is held, or waits for a reason that is told.
    fn check(&self, plan: &Plan, lanes: &[Lane]) {
        let waiting: u64 = plan.waiting.iter().map(|wait| wait.jobs).sum();
        let known: u64 =
            lanes.iter().map(|lane| lane.ready_jobs + lane.backing_off_jobs + lane.offline_jobs + lane.following_jobs).sum();
        let told = waiting + plan.start.len() as u64;
        let mut truth = lock(&self.world.truth);
        if told != known && self.world.options.plant != Some(Plant::LargeFilesAreForgotten) {
            truth.broken(Invariant::WaitReason, format!("of {known} jobs in line {told} start or have a reason"));
        }
        if plan.waiting.iter().any(|wait| wait.reasons.is_empty()) {
            truth.broken(Invariant::WaitReason, "jobs wait without a reason");
        }
    }

    /// ExpiringFirst: of two heads of a lane that ask for the same, the one that its server will forget soon is not left for the other.
    fn check_order(&self, plan: &Plan, lanes: &[Lane], now: Now) {
        // A lifetime is kept by the wall clock: one that was set tells another end of it.
        if !lock(&self.world.rules).overrides.is_empty() || *lock(&self.world.clock_set_ms) != 0 {
            return;
        }
        let soon = now.wall.plus_ms(EXPIRES_SOON_MS - ANSWER_MS);
        for lane in lanes {
            let (goes, waits): (Vec<&Candidate>, Vec<&Candidate>) =
                lane.heads.iter().partition(|head| plan.start.contains(&head.job_id));
            let left = waits.iter().find_map(|waits| {
                let expires_at = self.expires_at(&waits.job_id)?;
                let before = goes.iter().find(|goes| {
                    goes.options == waits.options
                        && (goes.byte_count <= SMALL) == (waits.byte_count <= SMALL)
                        && goes.session_expires_at.is_none_or(|other| other > expires_at.plus_ms(ANSWER_MS))
                })?;
                (expires_at <= soon).then_some((&waits.job_id, &before.job_id))
            });
            let mut truth = lock(&self.world.truth);
            if let Some((waits, goes)) = left.map(|(waits, goes)| (truth.number(waits), truth.number(goes))) {
                truth.broken(Invariant::ExpiringFirst, format!("job {goes} goes before job {waits}, which its server will forget"));
            }
        }
    }

    /// When the server forgets what it holds of a job.
    fn expires_at(&self, job: &JobId) -> Option<Timestamp> {
        let (server, url) = {
            let truth = lock(&self.world.truth);
            let job = truth.jobs.get(job)?;
            (job.server, job.stored_session.clone()?)
        };
        let expires_ms = lock(&self.premises.servers[server].1).sessions.get(&url)?.expires_ms?;
        let left = i64::try_from(expires_ms).ok()? - i64::try_from(self.world.boot_ms()).ok()?;
        Some(self.world.now().wall.plus_ms(left))
    }

    /// A new network, or none: what was spared is tried again.
    fn forgive_on_another_network(&self, conditions: &Conditions) {
        let cut_off = matches!(conditions.network.reachability, Reachability::None | Reachability::CaptivePortal);
        let mut mind = lock(&self.mind);
        if mind.network_key != conditions.network.key || cut_off {
            mind.network_key.clone_from(&conditions.network.key);
            mind.health.forgive();
            self.asks_again();
        }
    }

    // ---- acting ----

    /// Starts jobs: the intent is committed, the grants are asked, and then they run.
    fn start(self: &Arc<Self>, jobs: Vec<QueuedJob>, now: Now) -> anyhow::Result<()> {
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        let started: HashSet<JobId> = match self.write(self.queue.start(&ids, now.wall)) {
            Ok(started) => started.into_iter().collect(),
            Err(error) => return self.lost_sight(error),
        };
        jobs.iter().for_each(|job| self.moved(job));
        for mut job in jobs.into_iter().filter(|job| started.contains(&job.id)) {
            if !self.world.has_planted(Plant::GrantsAreNotAsked) && !self.may_send(&job)? {
                // Only what is under way can be held one by one: so its start is written down first.
                steady(self.queue.finish(vec![Finished::Held { job: job.id, failure: withdrawn() }], now.wall))?;
                continue;
            }
            job.attempts += 1;
            let number = lock(&self.world.truth).number(&job.id);
            lock(&self.world.truth).attempt(&job.id, now.boot_ms);
            self.world.trace(&format!("job {number} starts, attempt {}", job.attempts));
            let cancel = CancellationToken::new();
            if self.world.has_planted(Plant::JobsAreStartedTwice) {
                tokio::spawn(carry::carry(self.clone(), job.clone(), number, cancel.clone()));
            }
            let task = tokio::spawn(carry::carry(self.clone(), job.clone(), number, cancel.clone())).abort_handle();
            lock(&self.mind).running.insert(number, Running { job, cancel, stopping: false, task });
        }
        self.no_more_than_slots();
        Ok(())
    }

    /// What the person asked for starts beside backups that are under way, so that each priority may have all of the slots.
    fn no_more_than_slots(&self) {
        let mind = lock(&self.mind);
        let mut under_way = BTreeMap::new();
        for running in mind.running.values() {
            let job = &running.job;
            let small = job.byte_count <= SMALL;
            let taken: &mut usize = under_way.entry((&job.destination_id, lanes::rank(job.priority), small)).or_default();
            *taken += usize::from(!running.stopping);
            let most = if small { SMALL_AT_ONCE } else { LARGE_AT_ONCE };
            if *taken > most {
                let what = format!("{taken} jobs of one kind are under way at once to one server, where {most} may be");
                lock(&self.world.truth).broken(Invariant::TimeFree, what);
            }
        }
    }

    /// One notice as long as something needs the person, as the desk shows it.
    fn tell_of_attention(&self) -> anyhow::Result<()> {
        if lock(&self.world.truth).flapping.ended_at.is_some() {
            return Ok(());
        }
        let waits = self.world.has_planted(Plant::NoticesArePiled) && lock(&self.mind).running.is_empty();
        let needed = waits || steady(self.queue.attention_count())? > 0;
        let was = std::mem::replace(&mut lock(&self.mind).attention, needed);
        let mut truth = lock(&self.world.truth);
        if needed && !was {
            truth.flapping.notices += 1;
            let notices = truth.flapping.notices;
            if notices > 1 {
                truth.broken(Invariant::OneNotice, format!("{notices} notices while the network flapped"));
            }
        }
        Ok(())
    }
}

fn lane_of(job: &QueuedJob) -> LaneKey {
    LaneKey { destination_id: job.destination_id.clone(), priority: job.priority, class: job.class }
}

/// How many jobs go at once.
pub(crate) fn limits() -> Limits {
    Limits {
        small_bytes: SMALL,
        small_jobs_per_destination: SMALL_AT_ONCE,
        large_jobs_per_destination: LARGE_AT_ONCE,
        ..Limits::default()
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
