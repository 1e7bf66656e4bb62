//! Private buses.

use std::{
    env, io,
    process::{Child, Command, Stdio},
    time::Duration,
};

use afterglow_model::Conditions;
use afterglow_system::{SensorOptions, Sensors};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};
use zbus::{Connection, connection::Builder, fdo::DBusProxy};

/// Far longer than anything here takes; what has not come by then does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=ADDRESS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"#;

/// A bus daemon that knows no services to start; it ends with this value.
pub(crate) struct Bus {
    /// None if another process started it.
    daemon: Option<(Child, TempDir)>,
    pub(crate) address: String,
}

impl Bus {
    /// Starts a daemon. None, said loudly, where there is none to start.
    pub(crate) async fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("bus");
        let config = dir.path().join("bus.conf");
        std::fs::write(&config, CONFIG.replace("ADDRESS", socket.to_str().unwrap())).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--nofork").arg("--config-file").arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let Ok(daemon) = command.spawn() else {
            eprintln!("SKIPPED: dbus-daemon is not installed");
            return None;
        };
        let bus = Self { daemon: Some((daemon, dir)), address: format!("unix:path={}", socket.display()) };
        drop(bus.peer().await);
        Some(bus)
    }

    /// A connection to the bus, once it answers.
    pub(crate) async fn peer(&self) -> Connection {
        let connected = async {
            loop {
                match Builder::address(self.address.as_str()).unwrap().build().await {
                    Ok(connection) => return connection,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        timeout(PATIENCE, connected).await.expect("the bus daemon answers")
    }

    /// A peer that owns `name` and never answers.
    pub(crate) async fn hung(&self, name: &'static str) -> Connection {
        let connection = self.peer().await;
        let bus = DBusProxy::new(&connection).await.unwrap();
        bus.request_name(name.try_into().unwrap(), Default::default()).await.unwrap();
        connection
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        if let Some((daemon, _)) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Takes `name` once the objects behind the connection answer: they are served by a task that starts in its own time, and what is
/// asked before is lost.
pub(crate) async fn offer(connection: &Connection, name: &'static str) {
    let own = connection.unique_name().unwrap();
    let ping = || connection.call_method(Some(own), "/", Some("org.freedesktop.DBus.Peer"), "Ping", &());
    while timeout(Duration::from_millis(100), ping()).await.is_err() {}
    connection.request_name(name).await.unwrap();
}

/// A system and a session bus.
pub(crate) struct Machine {
    pub(crate) system: Bus,
    pub(crate) session: Bus,
}

impl Machine {
    pub(crate) async fn start() -> Option<Self> {
        Some(Self { system: Bus::start().await?, session: Bus::start().await? })
    }

    /// Sensors on these buses, after their first round.
    pub(crate) async fn sensors(&self) -> Sensors {
        sensors(&self.system.address, &self.session.address).await
    }
}

/// Sensors on buses at these addresses, after their first round.
pub(crate) async fn sensors(system: &str, session: &str) -> Sensors {
    let options =
        SensorOptions { system_bus: Some(system.to_owned()), session_bus: Some(session.to_owned()), ..SensorOptions::default() };
    started(options).await
}

/// Sensors with these options, after their first round.
pub(crate) async fn started(options: SensorOptions) -> Sensors {
    let sensors = Sensors::start(options);
    timeout(PATIENCE, sensors.settled()).await.expect("the first round ends whatever the sources do");
    sensors
}

/// Waits until the conditions are as wanted.
pub(crate) async fn until(
    conditions: &mut watch::Receiver<Conditions>,
    what: &str,
    is_so: impl Fn(&Conditions) -> bool,
) -> Conditions {
    if let Ok(Ok(now)) = timeout(PATIENCE, conditions.wait_for(|now| is_so(now))).await {
        return now.clone();
    }
    panic!("never seen: {what}; last: {:?}", conditions.borrow());
}

/// Set in the process that [`again`] starts.
const INSIDE: &str = "AFTERGLOW_TEST_INSIDE";

/// Whether this is the process that [`again`] started.
pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Runs `command`, which starts this program again, with the arguments to run only `test`, and expects it to pass.
pub(crate) fn again(command: &mut Command, test: &str) -> io::Result<()> {
    let output = command.args([test, "--exact", "--nocapture"]).env(INSIDE, "1").output()?;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
    Ok(())
}

/// Runs a test in a process whose session bus is a private one: libraries find the session bus by the environment only.
/// `test` is the test's full name.
pub(crate) fn with_session_bus<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Bus) -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if is_inside() {
        let address = env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
        return runtime.block_on(body(Bus { daemon: None, address }));
    }
    let Some(bus) = runtime.block_on(Bus::start()) else { return };
    again(Command::new(env::current_exe().unwrap()).env("DBUS_SESSION_BUS_ADDRESS", &bus.address), test).unwrap();
}
