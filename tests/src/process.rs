//! The product's programs as processes. Each ends with its value, by its own process id.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Far longer than anything here takes; what has not come by then does not come.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often a condition is looked at that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running program.
#[derive(Debug)]
pub struct Process(Child);

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Process {
    /// Starts `command` with nothing on its input and its output thrown away.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.with_context(|| format!("{command:?}")).map(Self)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it without warning.
    pub fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits for its end.
    pub async fn end(&mut self) -> Result<ExitStatus> {
        let ended = async {
            loop {
                if let Some(status) = self.ended()? {
                    return Ok(status);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.context("the program does not end")?
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is no fault.
        let _ = self.kill();
    }
}

/// `afterglow`: the one that `AFTERGLOW_BIN` names, else the one built beside this program.
pub fn afterglow() -> Result<PathBuf> {
    let given = std::env::var_os("AFTERGLOW_BIN").map(PathBuf::from);
    let program = given.map_or_else(|| Ok(target()?.join("afterglow")), anyhow::Ok)?;
    ensure!(
        program.is_file(),
        "{} is not there. Build it with `cargo build -p afterglow-cli`, or name another one in AFTERGLOW_BIN.",
        program.display()
    );
    Ok(program)
}

/// An example of the SDK.
pub fn example(name: &str) -> Result<PathBuf> {
    let program = target()?.join("examples").join(name);
    ensure!(program.is_file(), "{} is not there. Build it with `cargo build -p afterglow-client --examples`.", program.display());
    Ok(program)
}

/// Where cargo puts programs of the profile that this one was built with: `target/debug`.
fn target() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let dir = own.parent().context("a program lies in a folder")?;
    Ok(if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir }.to_owned())
}

/// Waits until `look` finds something.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(what: &str, mut look: impl FnMut() -> F) -> Result<T> {
    let seen = async {
        loop {
            if let Some(found) = look().await? {
                return anyhow::Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.with_context(|| format!("never seen: {what}"))?
}

/// The inodes of this process's open sockets.
pub fn sockets_of(pid: u32) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd"))?;
    let targets = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let names = targets.filter_map(|target| target.to_str().map(str::to_owned));
    Ok(names.filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect())
}
