//! Programs of others, started on the loopback for as long as a test needs them.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::net::TcpStream;

/// Longest that a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server under way. It ends when it is dropped.
pub(crate) struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Starts `command` with a port of its own, which `command` is told, and waits until it takes connections.
    pub(crate) async fn start(command: impl FnOnce(u16) -> Command) -> Self {
        let port = free_port();
        let mut command = command(port);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts");
        let mut running = Self { child, port };
        let answers = async {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            while TcpStream::connect(address).await.is_err() {
                let ended = running.child.try_wait().expect("the server can be looked at");
                assert!(ended.is_none(), "the server ended: {ended:?}: {command:?}");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, answers).await.expect("the server answers");
        running
    }

    /// `http://127.0.0.1:port`, without a path.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Where `./dev setup --servers` puts servers that are no packages of the system.
pub(crate) fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers")
}

/// A program of that name: one that `./dev setup --servers` has installed, or the system's. None, and loudly, if there is none.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let ours = ["venv/bin", "node_modules/.bin", "cargo/bin"].map(|dir| servers().join(dir));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let everywhere = ours.into_iter().chain(std::env::split_paths(&path)).chain([PathBuf::from("/usr/sbin")]);
    let found = everywhere.map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        println!("SKIPPED: {name} is not installed (./dev setup --servers)");
    }
    found
}
