//! Simulated weeks: the real scheduler, the real queue on its file, and the real transfer driver, against model servers and a model
//! machine, in virtual time, from one seed.
//!
//! One thread and one turn: whoever acts on the real world (a file, the queue's file) holds the turn, and gives it back only to let
//! virtual time pass, as a server's answer or a sleep does. So everything happens in one order, and the same seed gives the same trace.
//!
//! What happens in a week is drawn first, as data ([`plan`], [`week`]), so that a seed that breaks can be shrunk to the few events that
//! it takes ([`shrink`]). What must hold is listed in [`Invariant`], and held against [`truth`] by whoever sees it: the servers, the loop
//! ([`engine`]) and the [`audit`] after every event. What the rules forbid is said a second time in [`law`].

mod audit;
mod dice;
mod engine;
mod invariant;
mod law;
mod line;
mod machine;
mod plan;
mod plant;
mod poison;
mod server;
mod shrink;
mod truth;
mod turn;
mod week;

use std::{path::Path, sync::Arc, time::Duration};

use afterglow_model::{Conditions, Override, Pause, Settings, Timestamp, UploadJobOptions};
use afterglow_queue::CommitFault;
use afterglow_scheduler::{Local, Now};
use tokio::{
    sync::{Mutex, Notify},
    time::Instant,
};

pub(crate) use dice::Dice;
pub use invariant::{Broken, Invariant};
use plan::Plan;
pub use plant::Plant;
pub use shrink::{Shrunk, shrink};
pub use truth::Outcome;
use truth::Truth;
use turn::steady;

/// When every simulation begins: a Monday, 00:00 UTC.
const MONDAY_MS: i64 = 1_799_625_600_000;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Our own connectors, each with a server.
const CONNECTORS: usize = 2;
/// Other programs, each with a server.
const PROGRAMS: usize = 2;
/// Servers, each with a destination and an app: first those of the connectors.
const SERVERS: usize = CONNECTORS + PROGRAMS;
const APPS: usize = SERVERS;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Days of trouble, before the calm in which everything has to arrive.
    pub days: u32,
    /// A fault that is planted into what holds the parts together, to see that it is caught.
    pub plant: Option<Plant>,
    /// What kind of time is lived.
    pub scenario: Scenario,
}

/// What kind of time is lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Days in which anything happens.
    Week,
    /// Hours in which the network comes and goes every three seconds, and nothing else goes wrong.
    Flapping,
    /// An hour with a file that fails for ever, compared with the same hour without it.
    Poisoned,
}

impl Default for Options {
    fn default() -> Self {
        Self { days: 7, plant: None, scenario: Scenario::Week }
    }
}

/// What the person wants, as the queue has it.
#[derive(Debug, Clone, Default)]
struct Rules {
    settings: Settings,
    pause: Option<Pause>,
    overrides: Vec<Override>,
    /// Of each server's destination.
    options: Vec<UploadJobOptions>,
}

/// The disk that holds the queue, as far as it fails.
#[derive(Debug, Default)]
struct Disk {
    /// What befalls the next commit.
    next: Option<CommitFault>,
    /// Until when nothing can be written down, on [`World::boot_ms`]'s clock.
    fails_until_ms: u64,
}

/// What everything in a simulation shares.
pub(crate) struct World {
    seed: u64,
    options: Options,
    began: Instant,
    turn: Arc<Mutex<()>>,
    /// How far the wall clock was set, in milliseconds.
    clock_set_ms: std::sync::Mutex<i64>,
    conditions: std::sync::Mutex<Conditions>,
    rules: std::sync::Mutex<Rules>,
    /// Payload that was put on lines since the beginning.
    sent: std::sync::Mutex<u64>,
    /// What befalls the loop's commits.
    disk: std::sync::Mutex<Disk>,
    /// Something happened that the engine has to look at.
    stir: Notify,
    truth: std::sync::Mutex<Truth>,
}

impl World {
    fn boot_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Both clocks. Local time is UTC.
    fn now(&self) -> Now {
        let boot_ms = self.boot_ms();
        let wall = MONDAY_MS + i64::try_from(boot_ms).unwrap_or(0) + *lock(&self.clock_set_ms);
        let minute = (wall - MONDAY_MS).div_euclid(60_000).rem_euclid(7 * 24 * 60);
        Now {
            wall: Timestamp(wall),
            boot_ms,
            local: Local {
                minute_of_week: u16::try_from(minute).unwrap_or(0),
                ms_of_minute: u16::try_from(wall.rem_euclid(60_000)).unwrap_or(0),
                jumps_at: None,
            },
        }
    }

    /// What befalls a commit now.
    fn commit_fault(&self) -> Option<CommitFault> {
        let mut disk = lock(&self.disk);
        if self.boot_ms() < disk.fails_until_ms { Some(CommitFault::Lost) } else { disk.next.take() }
    }

    /// Writes a line of the trace.
    fn trace(&self, line: &str) {
        let at = self.boot_ms();
        lock(&self.truth).trace(at, line);
    }

    /// Something that decides has changed.
    fn note(&self) {
        let (conditions, rules, at_ms) = (lock(&self.conditions).clone(), lock(&self.rules).clone(), self.boot_ms());
        let Rules { settings, pause, overrides, options } = rules;
        let clock_set_ms = *lock(&self.clock_set_ms);
        lock(&self.truth).note(at_ms, law::Facts { conditions, settings, pause, overrides, options, clock_set_ms });
    }

    fn has_planted(&self, plant: Plant) -> bool {
        self.options.plant == Some(plant)
    }

    fn is_broken(&self) -> bool {
        lock(&self.truth).is_broken()
    }
}

/// A lock that a panic elsewhere does not poison: the simulation reports the first thing that broke.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Lives one seed in a folder of its own beneath `dir`.
///
/// # Errors
/// The simulation itself could not go on. What it found to be broken is in the outcome.
pub fn run(seed: u64, dir: &Path, options: &Options) -> anyhow::Result<Outcome> {
    let plan = week::draw(seed, options);
    let outcome = live(seed, dir, options, &plan)?;
    match options.scenario {
        Scenario::Week | Scenario::Flapping => Ok(outcome),
        Scenario::Poisoned => Ok(poison::compare(outcome, &live(seed, dir, options, &poison::without(plan))?)),
    }
}

/// Lives what is planned, with the servers and the contents of a seed.
fn live(seed: u64, dir: &Path, options: &Options, plan: &Plan) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let folder = tempfile::Builder::new().prefix(&format!("seed{seed}-")).tempdir_in(dir)?;
    let outcome = runtime.block_on(async {
        let world = Arc::new(World {
            seed,
            options: options.clone(),
            began: Instant::now(),
            turn: Arc::default(),
            clock_set_ms: std::sync::Mutex::new(0),
            conditions: std::sync::Mutex::new(machine::calm()),
            rules: std::sync::Mutex::default(),
            sent: std::sync::Mutex::default(),
            disk: std::sync::Mutex::default(),
            stir: Notify::new(),
            truth: std::sync::Mutex::new(Truth::new(seed)),
        });
        machine::live(world.clone(), folder.path(), plan).await?;
        let outcome = lock(&world.truth).outcome(world.boot_ms());
        Ok::<_, anyhow::Error>(outcome)
    })?;
    runtime.shutdown_background();
    Ok(outcome)
}

/// A folder on a disk in memory, where there is one.
fn scratch() -> anyhow::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? })
}

/// Keeps this thread, and those that it starts, on one processor. A simulation and its queue's threads take turns and never run side by
/// side: on two processors each turn would be a call to the other one.
#[cfg(target_os = "linux")]
fn stay_on_one_processor(nth: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(all) = sched_getaffinity(None) else { return };
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
    let Some(cpu) = allowed.get(nth % allowed.len().max(1)) else { return };
    let mut one = CpuSet::new();
    one.set(*cpu);
    // Where it is not allowed everything takes longer, and is the same.
    let _ = sched_setaffinity(None, &one);
}

#[cfg(not(target_os = "linux"))]
fn stay_on_one_processor(_: usize) {}

/// Does pieces of work on all processors, each in a folder on a disk in memory. `tell` hears of every one, in no particular order, and ends
/// it all by saying no.
fn spread<T: Send>(
    pieces: std::ops::Range<u64>,
    work: impl Fn(u64, &Path) -> anyhow::Result<T> + Sync,
    mut tell: impl FnMut(T) -> bool,
) -> anyhow::Result<()> {
    use std::sync::atomic::Ordering::SeqCst;
    let dir = scratch()?;
    let next = std::sync::atomic::AtomicU64::new(pieces.start);
    let over = std::sync::atomic::AtomicBool::new(false);
    let (sender, receiver) = std::sync::mpsc::channel();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for nth in 0..threads {
            let (sender, dir, next, over, work, end) = (sender.clone(), dir.path(), &next, &over, &work, pieces.end);
            scope.spawn(move || {
                stay_on_one_processor(nth);
                while !over.load(SeqCst) {
                    let piece = next.fetch_add(1, SeqCst);
                    if piece >= end || sender.send(work(piece, dir)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for done in receiver {
            let goes_on = done.map(&mut tell);
            if !matches!(goes_on, Ok(true)) {
                over.store(true, SeqCst);
                return goes_on.map(drop);
            }
        }
        Ok(())
    })
}

/// Lives seeds on all processors. `tell` hears of every one, in no particular order, and ends it all by saying no.
///
/// # Errors
/// A simulation could not go on.
pub fn live_all(seeds: std::ops::Range<u64>, options: &Options, tell: impl FnMut(Outcome) -> bool) -> anyhow::Result<()> {
    spread(seeds, |seed, dir| run(seed, dir, options), tell)
}

/// What became of a planted fault.
#[derive(Debug, Clone)]
pub struct Caught {
    /// Which.
    pub plant: Plant,
    /// The first seed that it breaks, and what; none if it breaks none of them.
    pub by: Option<(u64, Broken)>,
}

/// Plants faults on all processors, one on each, and lives seeds in their order until one breaks what the fault must break. `tell` hears of
/// every fault.
///
/// # Errors
/// A simulation could not go on.
pub fn catch_all(
    plants: &[Plant],
    seeds: std::ops::Range<u64>,
    options: &Options,
    mut tell: impl FnMut(Caught),
) -> anyhow::Result<()> {
    let catch = |nth, dir: &Path| {
        let plant = plants[usize::try_from(nth)?];
        let options = Options { plant: Some(plant), ..options.clone() };
        for seed in seeds.clone() {
            let broken = run(seed, dir, &options)?.broken;
            if let Some(broken) = broken.filter(|broken| plant.breaks().is_none_or(|expected| broken.invariant == expected)) {
                return Ok(Caught { plant, by: Some((seed, broken)) });
            }
        }
        Ok(Caught { plant, by: None })
    };
    spread(0..plants.len() as u64, catch, |caught| {
        tell(caught);
        true
    })
}
