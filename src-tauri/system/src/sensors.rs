//! What the machine says of itself, as [`Conditions`] that change.
//!
//! One task owns all of it. Every source is read when it says that it changed, by at most one reading at a time; a reading that
//! hangs counts as unknown after [`ANSWER_TIME`](crate::ANSWER_TIME) and is tried again a minute later. A source that appears,
//! vanishes or restarts is followed by its name on the bus.
//!
//! | fact | source | how a change is seen |
//! |---|---|---|
//! | charger | UPower `OnBattery`, else the batteries' state | signal, else once a minute |
//! | charge | the batteries, else UPower's display device | once a minute on battery, never without one |
//! | power saver | power-profiles-daemon, under its new and its old name | signal |
//! | network | NetworkManager, else the desktop portal's network monitor, else the default interface | signal, kernel events |
//! | sleep, lock, shutdown | logind | signal |
//! | load | the kernel's pressure of the processors, else its load | every 10 s while asked for |
//! | room for our own state | the disk of its folder | every 10 s while asked for |
//!
//! These are Linux's. On macOS the path monitor and low power mode, on Windows the connection's cost and energy
//! saver stand where NetworkManager and power-profiles-daemon do (`elsewhere`).
//!
//! A network that gets worse (metered, out of reach) is told at once. One that gets better is told when it has held for two seconds,
//! so that a flapping network does not start transfers only to stop them ([`steady`]).

mod battery;
#[cfg(target_os = "linux")]
mod dbus;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod facts;
mod interface;
#[cfg(target_os = "macos")]
mod macos;
mod resources;
mod steady;
mod task;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use dbus::{PORTAL, PORTAL_PATH};

use std::path::PathBuf;

use afterglow_model::Conditions;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// Where the sources are found.
#[derive(Debug, Clone, Default)]
pub struct SensorOptions {
    /// Address of the system bus; none for the usual one (`DBUS_SYSTEM_BUS_ADDRESS`, else the standard path).
    pub system_bus: Option<String>,
    /// Address of the session bus; none for the usual one (`DBUS_SESSION_BUS_ADDRESS`).
    pub session_bus: Option<String>,
    /// The folder of our own state, whose disk must not run full; none for one that is not looked at.
    pub state_dir: Option<PathBuf>,
    /// The kernel's files; none for `/proc`.
    pub proc_dir: Option<PathBuf>,
}

/// The running sensors. Dropping the handle ends them.
#[derive(Debug)]
pub struct Sensors {
    conditions: watch::Receiver<Conditions>,
    settled: watch::Receiver<bool>,
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Command {
    ReadyToSleep,
    KeepAwake(bool),
    WatchResources(bool),
    Stop,
}

impl Sensors {
    /// Starts reading on the current tokio runtime. Until the first round is over, [`conditions`](Self::conditions) says that
    /// nothing is known.
    pub fn start(options: SensorOptions) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (told, conditions) = watch::channel(Conditions::unknown());
        let (settling, settled) = watch::channel(false);
        let task = tokio::spawn(task::run(options, told, settling, inbox));
        Self { conditions, settled, commands, task }
    }

    /// The conditions now, and their changes.
    pub fn conditions(&self) -> watch::Receiver<Conditions> {
        self.conditions.clone()
    }

    /// Waits until every source has answered once or has taken too long; 2 s at most. To be awaited before the first decision, so
    /// that no transfer starts only because nothing was known yet.
    pub async fn settled(&self) {
        // An error means that the task has ended; then there is nothing to wait for.
        let _ = self.settled.clone().wait_for(|settled| *settled).await;
    }

    /// Says that everything is in order for the machine to sleep or to be switched off, after `session.suspending` or
    /// `session.ending` became true. The machine is held awake until then, 2 s at most.
    pub fn ready_to_sleep(&self) {
        let _ = self.commands.send(Command::ReadyToSleep);
    }

    /// Keeps the machine from going to sleep by itself, or no longer. To be asked for only if the person wants it; a machine that
    /// knows no such request sleeps as it likes.
    pub fn keep_awake(&self, wanted: bool) {
        let _ = self.commands.send(Command::KeepAwake(wanted));
    }

    /// Looks at load and room now and every 10 s from now on, or no longer. To be asked for while there is work that they matter
    /// to; otherwise they are unknown, and nothing wakes for them.
    pub fn watch_resources(&self, wanted: bool) {
        let _ = self.commands.send(Command::WatchResources(wanted));
    }

    /// Ends the sensors and waits until they have.
    pub async fn stop(self) {
        let _ = self.commands.send(Command::Stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the sensors ended badly");
        }
    }
}
