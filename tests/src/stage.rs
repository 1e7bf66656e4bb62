//! A machine for the product: a home, a library, a service, receivers. Nothing of it touches the real desktop.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use afterglow_client::owner::Owner;
use afterglow_model::{AddDestination, AddRule, AddSource, Connector, Destination, DestinationConfig, Home, Settings, Status};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::process::{Process, Said, afterglow, until};

/// Where no bus is.
const NO_BUS: &str = "unix:path=/nonexistent";

/// A home and what runs in it.
#[derive(Debug)]
pub struct Stage {
    dir: TempDir,
    /// The home's folders.
    pub home: Home,
    /// The service, while it runs.
    pub service: Option<Process>,
    /// The address of the system bus.
    pub system_bus: String,
    /// The address of the session bus, on which notices are shown; none for no bus and no notices.
    pub session_bus: Option<String>,
    /// What else programs find in their environment, such as the system's proxy.
    pub environment: Vec<(&'static str, String)>,
}

impl Stage {
    /// An empty home; no service runs.
    pub fn empty() -> Result<Self> {
        // Short, for the path of a socket has 107 bytes at most (unix(7)).
        let dir = tempfile::Builder::new().prefix("ag").tempdir()?;
        let home = Home::resolve(Some(dir.path().join("home")), |_| None).context("a home")?;
        fs::create_dir(dir.path().join("photos"))?;
        Ok(Self { dir, home, service: None, system_bus: NO_BUS.to_owned(), session_bus: None, environment: Vec::new() })
    }

    /// A home with a service.
    pub async fn new() -> Result<Self> {
        let mut stage = Self::empty()?;
        stage.serve().await?;
        Ok(stage)
    }

    /// A path on this machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder of the library.
    pub fn photos(&self) -> PathBuf {
        self.path("photos")
    }

    /// `program` as it runs on this machine.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("AFTERGLOW_HOME", self.dir.path().join("home"))
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.system_bus)
            .env("DBUS_SESSION_BUS_ADDRESS", self.session_bus.as_deref().unwrap_or(NO_BUS))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path());
        command
    }

    /// Starts the service, and waits until it answers.
    pub async fn serve(&mut self) -> Result<()> {
        let mut command = self.command(&afterglow()?);
        command.args(["serve", "--no-tray"]);
        if self.session_bus.is_none() {
            command.arg("--no-notifications");
        }
        self.service = Some(Process::start(&mut command)?);
        until("a service that answers", async || Ok(Owner::connect(&self.home).await.ok())).await?;
        Ok(())
    }

    /// The service's process.
    pub fn service(&mut self) -> Result<&mut Process> {
        self.service.as_mut().context("no service runs")
    }

    /// The owner's side of the service.
    pub fn owner(&self) -> Result<Owner> {
        Ok(Owner::new(&self.home)?)
    }

    /// Runs the command line.
    pub async fn cli(&self, args: &[&str]) -> Result<Said> {
        self.cli_reading(args, "").await
    }

    /// Runs the command line with `input` on its standard input.
    pub async fn cli_reading(&self, args: &[&str], input: &str) -> Result<Said> {
        run(self.command(&afterglow()?).args(args), input).await
    }

    /// Runs the command line, which has to end well.
    pub async fn does(&self, args: &[&str]) -> Result<String> {
        let said = self.cli(args).await?;
        ensure!(said.code == Some(0), "{args:?}: {said:?}");
        Ok(said.out)
    }

    /// Runs the command line for its answer in JSON.
    pub async fn asks(&self, args: &[&str]) -> Result<Value> {
        let args: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
        Ok(serde_json::from_str(&self.does(&args).await?)?)
    }

    /// What the service says of itself.
    pub async fn status(&self) -> Result<Status> {
        Ok(self.owner()?.get("/v1/status").await?)
    }

    /// Waits for a status that is as wanted.
    pub async fn until_status(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Result<Status> {
        until(what, async || Ok(Some(self.status().await?).filter(&is_so))).await
    }

    /// Waits until everything is delivered.
    pub async fn delivered(&self) -> Result<()> {
        self.does(&["wait", "--timeout", "120s"]).await.map(drop)
    }

    /// Starts a receiver called `name`.
    pub async fn receiver(&self, name: &str) -> Result<Receiver> {
        Receiver::start(self, name, "127.0.0.1:0", "a token").await
    }

    /// Adds a destination at `url`, with the token of [`Stage::receiver`].
    pub async fn destination(&self, name: &str, url: &Url) -> Result<Destination> {
        let request = AddDestination {
            connector: Connector::Resumable,
            config: DestinationConfig { cleartext: true, ..DestinationConfig::default() },
            url: url.to_string(),
            name: name.to_owned(),
            token: Some("a token".to_owned()),
            sign_in: None,
            skip_test: false,
        };
        let added: afterglow_model::AddedDestination = self.owner()?.post("/v1/destinations", &request).await?;
        Ok(added.destination)
    }

    /// Gives the library's folder to the service.
    pub async fn library(&self) -> Result<()> {
        let path = self.photos().display().to_string();
        self.owner()?.post::<Value>("/v1/sources", &AddSource { path }).await?;
        Ok(())
    }

    /// Has everything delivered to `destination`.
    pub async fn rule(&self, destination: &Destination) -> Result<()> {
        let request = AddRule { collection_id: "All Photos".into(), destination_id: destination.id.clone() };
        self.owner()?.post::<Value>("/v1/rules", &request).await?;
        Ok(())
    }

    /// Changes settings.
    pub async fn settings(&self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        let owner = self.owner()?;
        let mut settings: Settings = owner.get("/v1/settings").await?;
        change(&mut settings);
        owner.put::<Value>("/v1/settings", &settings).await?;
        Ok(())
    }
}

/// Runs a program to its end.
pub async fn run(command: &mut Command, input: &str) -> Result<Said> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input is no fault.
        let _ = stdin.write_all(input.as_bytes());
    }
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) })
}

/// A receiving server, without TLS.
#[derive(Debug)]
pub struct Receiver {
    process: Process,
    /// Where its files are.
    pub dir: PathBuf,
    /// Where senders create uploads.
    pub url: Url,
}

impl Receiver {
    async fn start(stage: &Stage, name: &str, listen: &str, token: &str) -> Result<Self> {
        let (dir, url_file) = (stage.path(name), stage.path(&format!("{name}.url")));
        let mut command = stage.command(&afterglow()?);
        command.arg("receive").arg("--dir").arg(&dir).arg("--url-file").arg(&url_file);
        let process = Process::start(command.args(["--cleartext", "--listen", listen]).env("AFTERGLOW_RECEIVE_TOKEN", token))?;
        let read = async || Ok(fs::read_to_string(&url_file).ok().and_then(|url| Url::parse(url.trim()).ok()));
        let url = until("a receiver that listens", read).await?;
        fs::remove_file(&url_file)?;
        Ok(Self { process, dir, url })
    }

    /// Ends it, and starts it on the same folder and port with this token.
    pub async fn again(mut self, stage: &Stage, token: &str) -> Result<Self> {
        self.process.kill()?;
        let name = self.dir.file_name().and_then(|name| name.to_str()).context("a name")?.to_owned();
        let listen = format!("127.0.0.1:{}", self.url.port().context("a port")?);
        Self::start(stage, &name, &listen, token).await
    }

    /// Ends it without warning.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// The files it stored, by name.
    pub fn files(&self) -> Result<BTreeMap<String, PathBuf>> {
        files_below(&self.dir)
    }
}

/// The files of an archive, by name, without what is the receiver's own.
pub fn files_below(dir: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir)? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))?;
            match (path.is_dir(), name.starts_with('.')) {
                (true, false) => open.push(path),
                (false, false) => drop(found.insert(name, path)),
                (_, true) => {}
            }
        }
    }
    Ok(found)
}

/// Writes a file of `len` bytes that no other seed gives, last written a day ago.
pub fn photo(path: &Path, seed: u64, len: usize) -> Result<()> {
    let mut file = fs::File::create(path)?;
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut left = len;
    let mut block = Vec::with_capacity(1 << 20);
    while left > 0 {
        block.clear();
        while block.len() < left.min(1 << 20) {
            // xorshift64 (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        let part = &block[..left.min(block.len())];
        file.write_all(part)?;
        left -= part.len();
    }
    file.set_modified(SystemTime::now() - Duration::from_secs(24 * 3600))?;
    Ok(())
}

/// Whether two files hold the same bytes.
pub fn same(one: &Path, other: &Path) -> Result<bool> {
    Ok(fs::read(one)? == fs::read(other)?)
}
