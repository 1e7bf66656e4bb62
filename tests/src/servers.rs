//! Servers of others, started on the loopback for as long as somebody needs them.
#![allow(clippy::print_stdout, reason = "what is missing is said loudly")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::net::TcpStream;

use crate::process::Process;

/// Who may write to [`apache`]'s folder.
pub const DAV_USER: &str = "anna";
/// That user's password.
pub const DAV_SECRET: &str = "canary-password";
/// The same as Apache's files of users hold it: SHA-1.
const DAV_HASHED: &str = "{SHA}wCa8SCxS1gLvyQ+oHOEOQMVev9U=";

/// Longest that a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server under way. It ends when it is dropped.
#[derive(Debug)]
pub struct Running {
    // Held for its end.
    _process: Process,
    port: u16,
}

impl Running {
    /// Starts `command` with a port of its own, which `command` is told, and waits until it takes connections.
    pub async fn start(command: impl FnOnce(u16) -> Command) -> Result<Self> {
        let port = free_port()?;
        let mut command = command(port);
        let mut process = Process::start(&mut command)?;
        let answers = async {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            while TcpStream::connect(address).await.is_err() {
                let ended = process.ended()?;
                ensure!(ended.is_none(), "the server ended: {ended:?}: {command:?}");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, answers).await.with_context(|| format!("no answer: {command:?}"))??;
        Ok(Self { _process: process, port })
    }

    /// `http://127.0.0.1:port`, without a path.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A port that is free now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Where `./dev setup --servers` puts what is no package of the system.
pub fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers")
}

/// A program of that name: one that `./dev setup --servers` has installed, or the system's. None, and loudly, if there is none.
pub fn program(name: &str) -> Option<PathBuf> {
    let ours = ["venv/bin", "node_modules/.bin", "cargo/bin"].map(|dir| servers().join(dir));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let everywhere = ours.into_iter().chain(std::env::split_paths(&path)).chain([PathBuf::from("/usr/sbin")]);
    let found = everywhere.map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        missing(name);
    }
    found
}

/// Whether Node has a package from `./dev setup --servers`. If not, it is said.
pub fn has_package(name: &str) -> bool {
    let has = servers().join("node_modules").join(name).is_dir();
    if !has {
        missing(name);
    }
    has
}

fn missing(name: &str) {
    println!("SKIPPED: {name} is not installed (./dev setup --servers)");
}

/// moto, a store that speaks S3 and checks no signature, with an empty bucket.
pub async fn moto(bucket: &str) -> Result<Option<Running>> {
    let Some(program) = program("moto_server") else { return Ok(None) };
    let running = Running::start(|port| {
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    });
    let running = running.await?;
    reqwest::Client::new().put(format!("{}/{bucket}", running.origin())).send().await?.error_for_status()?;
    Ok(Some(running))
}

/// The tus project's own server, which keeps its files in `folder` and takes none larger than `max_size` bytes. Uploads are created at
/// `/files`.
pub async fn tus(folder: &Path, max_size: u64) -> Result<Option<Running>> {
    let Some(node) = program("node") else { return Ok(None) };
    if !has_package("@tus/server") {
        return Ok(None);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/tus.mjs");
    let running = Running::start(|port| {
        let mut command = Command::new(node);
        command.arg(script).arg(folder).args([port.to_string(), max_size.to_string()]).env("SERVERS", servers());
        command
    });
    Ok(Some(running.await?))
}

/// tuspyserver, a tus server on FastAPI, in the same way.
pub async fn tuspyserver(folder: &Path, max_size: u64) -> Result<Option<Running>> {
    if program("uvicorn").is_none() {
        return Ok(None);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/tus.py");
    let running = Running::start(|port| {
        let mut command = Command::new(servers().join("venv/bin/python"));
        command.arg(script).arg(folder).args([port.to_string(), max_size.to_string()]);
        command
    });
    Ok(Some(running.await?))
}

/// Apache's mod_dav in one process: it serves `files` to [`DAV_USER`], and keeps its own in `here`.
pub async fn apache(here: &Path, files: &Path) -> Result<Option<Running>> {
    let Some(apache) = program("apache2") else { return Ok(None) };
    fs::write(here.join("users"), format!("{DAV_USER}:{DAV_HASHED}\n"))?;
    let settings = here.join("apache.conf");
    let running = Running::start(|port| {
        // If this fails, so does Apache's start.
        let _ = fs::write(&settings, apache_settings(here, files, port));
        let mut command = Command::new(apache);
        command.arg("-X").arg("-f").arg(&settings);
        command
    });
    Ok(Some(running.await?))
}

fn apache_settings(here: &Path, files: &Path, port: u16) -> String {
    let modules = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs"];
    let loaded = modules.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")).concat();
    let (here, files) = (here.display(), files.display());
    format!(
        "{loaded}
         ServerName localhost
         Listen 127.0.0.1:{port}
         User www-data
         Group www-data
         PidFile {here}/pid
         Mutex default:{here}
         DefaultRuntimeDir {here}
         ErrorLog {here}/errors
         DavLockDB {here}/locks
         DocumentRoot {files}
         <Directory {files}>
             Dav On
             AuthType Basic
             AuthName photos
             AuthUserFile {here}/users
             Require valid-user
         </Directory>\n"
    )
}
