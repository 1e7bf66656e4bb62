//! What a process has used so far, as Linux counts it (proc_pid_stat(5), proc_pid_status(5)).

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};

/// The unit of the times in `stat`: the kernel's `USER_HZ`, 100 on every machine that has a desktop.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used.
pub(crate) struct Cost {
    /// Bytes in memory now.
    pub(crate) resident: u64,
    /// Those of them that are the process's own, not a file's.
    pub(crate) anonymous: u64,
    /// Most bytes in memory so far.
    pub(crate) peak: u64,
    /// Times that a thread of those that run now was taken off a processor, by itself or not: each is a wake-up.
    pub(crate) switches: u64,
    /// Time on a processor, of all threads.
    pub(crate) cpu: Duration,
}

impl Cost {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let status = fs::read_to_string(dir.join("status"))?;
        let kib = |name| Ok::<_, anyhow::Error>(figure(&status, name)? * 1024);
        let mut switches = 0;
        for thread in fs::read_dir(dir.join("task"))? {
            // A thread may end between being listed and being read.
            let Ok(status) = fs::read_to_string(thread?.path().join("status")) else { continue };
            switches += figure(&status, "voluntary_ctxt_switches")? + figure(&status, "nonvoluntary_ctxt_switches")?;
        }
        Ok(Self { resident: kib("VmRSS")?, anonymous: kib("RssAnon")?, peak: kib("VmHWM")?, switches, cpu: spent(pid)?.own })
    }
}

/// Begins to note the most bytes in memory anew (proc_pid_clear_refs(5)).
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// Time on a processor.
pub(crate) struct Spent {
    /// Of all threads.
    pub(crate) own: Duration,
    /// Of the children that have ended and were waited for, and theirs.
    pub(crate) children: Duration,
}

/// What a process has spent so far.
pub(crate) fn spent(pid: u32) -> Result<Spent> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; after it, the 12th to 15th fields are ticks: in user and system mode, and the children's.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).context("stat is too short")?.parse::<u32>().context("ticks");
    Ok(Spent { own: TICK * (ticks(11)? + ticks(12)?), children: TICK * (ticks(13)? + ticks(14)?) })
}

fn figure(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let word = line.and_then(|rest| rest.split_whitespace().next()).with_context(|| format!("{name} is not in status"))?;
    Ok(word.parse()?)
}
