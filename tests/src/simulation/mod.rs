//! Simulated weeks: the real scheduler, the real queue on its file, and the real transfer driver, against model servers and a model
//! machine, in virtual time, from one seed.
//!
//! One thread and one turn: whoever acts on the real world (a file, the queue's file) holds the turn, and gives it back only to let
//! virtual time pass, as a server's answer or a sleep does. So everything happens in one order, and the same seed gives the same trace.
//! What is checked, after every event, stands in [`truth`]; what can happen to a machine in [`machine`], and to a server in [`server`].

mod engine;
mod machine;
mod server;
mod truth;

use std::{path::Path, sync::Arc, time::Duration};

use afterglow_model::{Conditions, Timestamp};
use afterglow_scheduler::{Local, Now};
use tokio::{
    sync::{Mutex, Notify, OwnedMutexGuard},
    time::Instant,
};

pub use engine::Plant;
pub use truth::Outcome;
use truth::Truth;

/// When every simulation begins: a Monday, 00:00 UTC.
const MONDAY_MS: i64 = 1_799_625_600_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Days of trouble, before the calm in which everything has to arrive.
    pub days: u32,
    /// A fault that is planted into what holds the parts together, to see that it is caught.
    pub plant: Option<Plant>,
}

impl Default for Options {
    fn default() -> Self {
        Self { days: 7, plant: None }
    }
}

/// Numbers from a seed: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `end`.
    pub(crate) fn under(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True in so many of a thousand cases.
    pub(crate) fn permille(&mut self, cases: u64) -> bool {
        self.under(1000) < cases
    }

    /// One of a list.
    pub(crate) fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.under(list.len() as u64)).unwrap_or(0)].clone()
    }
}

/// What everything in a simulation shares.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) options: Options,
    began: Instant,
    turn: Arc<Mutex<()>>,
    /// How far the wall clock was set, in milliseconds.
    clock_set_ms: std::sync::Mutex<i64>,
    pub(crate) conditions: std::sync::Mutex<Conditions>,
    /// Something happened that the engine has to look at.
    pub(crate) stir: Notify,
    pub(crate) truth: std::sync::Mutex<Truth>,
}

impl World {
    /// Both clocks. Local time is UTC.
    pub(crate) fn now(&self) -> Now {
        let boot_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
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

    /// Sets the wall clock.
    pub(crate) fn set_clock(&self, by_ms: i64) {
        *lock(&self.clock_set_ms) += by_ms;
    }

    /// Waits for the turn.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// Writes a line of the trace.
    pub(crate) fn trace(&self, line: String) {
        let at = self.now().boot_ms;
        lock(&self.truth).trace(at, line);
    }
}

/// A lock that a panic elsewhere does not poison: the simulation reports the first thing that broke.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits for something that takes real time, while virtual time stands still.
pub(crate) async fn steady<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> anyhow::Result<T> {
    let handle = tokio::runtime::Handle::current();
    Ok(tokio::task::spawn_blocking(move || handle.block_on(work)).await?)
}

/// Lives one seed in a folder of its own beneath `dir`.
///
/// # Errors
/// The simulation itself could not go on. What it found to be broken is in the outcome.
pub fn run(seed: u64, dir: &Path, options: &Options) -> anyhow::Result<Outcome> {
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
            stir: Notify::new(),
            truth: std::sync::Mutex::new(Truth::new(seed)),
        });
        machine::live(world.clone(), folder.path()).await?;
        let outcome = lock(&world.truth).outcome(world.now().boot_ms);
        Ok::<_, anyhow::Error>(outcome)
    })?;
    runtime.shutdown_background();
    Ok(outcome)
}

/// Lives seeds on all processors, each in a folder of its own on a disk in memory where there is one. `tell` hears of every one, in no
/// particular order, and ends it all by saying no.
///
/// # Errors
/// A simulation could not go on.
pub fn live_all(seeds: std::ops::Range<u64>, options: &Options, mut tell: impl FnMut(Outcome) -> bool) -> anyhow::Result<()> {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let over = std::sync::atomic::AtomicBool::new(false);
    let (sender, receiver) = std::sync::mpsc::channel();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, dir, next, over, end) = (sender.clone(), dir.path(), &next, &over, seeds.end);
            scope.spawn(move || {
                use std::sync::atomic::Ordering::SeqCst;
                while !over.load(SeqCst) {
                    let seed = next.fetch_add(1, SeqCst);
                    if seed >= end || sender.send(run(seed, dir, options)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for outcome in receiver {
            let goes_on = outcome.map(&mut tell);
            if !matches!(goes_on, Ok(true)) {
                over.store(true, std::sync::atomic::Ordering::SeqCst);
                return goes_on.map(drop);
            }
        }
        Ok(())
    })
}
