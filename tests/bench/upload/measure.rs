//! What an upload took: time, processor time of the client, its memory.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::process::Child;

use crate::cost::{Cost, spent};

/// How often a client's memory is looked at. The kernel keeps each process's peak, so that only what grows in a last moment is missed.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What one upload took.
pub(crate) struct Figures {
    pub(crate) took: Duration,
    /// Processor time of the client and all that it started.
    pub(crate) cpu: Duration,
    /// Most bytes in memory, of the largest of its processes.
    pub(crate) peak: u64,
    /// Whether it said that it ended well, and the server has the files.
    pub(crate) delivered: bool,
}

/// A measurement under way.
pub(crate) struct Meter {
    begun: Instant,
    service: Option<u32>,
    before: Duration,
}

impl Meter {
    /// Of the children that this process will have waited for at the end and, if there is one, of a service.
    pub(crate) fn start(service: Option<u32>) -> Result<Self> {
        Ok(Self { before: total(service)?, begun: Instant::now(), service })
    }

    pub(crate) fn end(self, peak: u64, delivered: bool) -> Result<Figures> {
        Ok(Figures { took: self.begun.elapsed(), cpu: total(self.service)?.saturating_sub(self.before), peak, delivered })
    }
}

fn total(service: Option<u32>) -> Result<Duration> {
    let of_service = match service {
        Some(pid) => spent(pid)?.own + spent(pid)?.children,
        None => Duration::ZERO,
    };
    Ok(of_service + spent(std::process::id())?.children)
}

/// Starts a client whose words nobody wants to see.
pub(crate) fn start(command: Command) -> Result<Child> {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().with_context(|| format!("{command:?}"))
}

/// Runs a client, for so long at most.
pub(crate) async fn run(command: Command, patience: Duration) -> Result<Figures> {
    let meter = Meter::start(None)?;
    let mut child = start(command)?;
    let pid = child.id().context("a process that runs")?;
    let mut peak = 0;
    let until = Instant::now() + patience;
    let well = loop {
        tokio::select! {
            ended = child.wait() => break ended?.success(),
            () = tokio::time::sleep(LOOK_EVERY) => peak = peak.max(peak_of(pid)),
        }
        if Instant::now() > until {
            child.kill().await?;
            break false;
        }
    };
    meter.end(peak, well)
}

/// The peak of the largest process of a tree. One that ends while it is looked at has none.
fn peak_of(pid: u32) -> u64 {
    let own = Cost::of(pid).map_or(0, |cost| cost.peak);
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(peak_of).fold(own, u64::max)
}

/// What else the machine is busy with.
pub(crate) fn machine() -> Result<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    Ok(format!("processors: {}; load in the last 1, 5 and 15 minutes: {}", std::thread::available_parallelism()?, load.join(" ")))
}
