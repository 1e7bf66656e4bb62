//! What a window needs behind it: a home of its own, the built service in it, a receiving server and a few photos.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    ops::AsyncFnMut,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use afterglow_client::{
    model::{
        AddDestination, AddSource, AddedDestination, AssetPage, Connector, CreateUpload, Destination, DestinationId, Home,
        Settings, Source, Status, UploadPreview,
    },
    owner::Owner,
};
use image::{Rgb, RgbImage};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

/// Photos in the stage's folder.
pub(crate) const PHOTOS: u64 = 4;

/// The service, the receiver and their folders. All of it ends with the value.
pub(crate) struct Stage {
    folder: TempDir,
    owner: Owner,
    archive: Option<DestinationId>,
    service: Child,
    _receiver: Option<Child>,
}

/// Waits until `seen` sees something; fails after a minute, which is far beyond what any of it takes.
pub(crate) async fn until<T>(what: &str, mut seen: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = seen().await {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// One of the built programs, by the variable that names it.
pub(crate) fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} names no program: use ./dev test"));
    PathBuf::from(path)
}

impl Stage {
    /// A service past its first run, with a receiver as its destination `Archive`, and no folder yet.
    pub(crate) async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        draw_photos(&folder.path().join("Photos"));
        let (receiver, url) = receive(folder.path(), &["--cleartext"]).await;
        let mut stage = Self::serve(folder).await;
        stage._receiver = Some(receiver);
        let destination = AddDestination {
            connector: Connector::Resumable,
            config: Default::default(),
            url,
            name: "Archive".to_owned(),
            token: Some(TOKEN.to_owned()),
            sign_in: None,
            skip_test: false,
        };
        let added: AddedDestination = stage.owner.post("/v1/destinations", &destination).await.unwrap();
        stage.archive = Some(added.destination.id);
        stage.settings(|settings| settings.onboarded = true).await;
        stage
    }

    /// The home that `afterglow demo` leaves behind: a library of drawn photos, all of them delivered.
    pub(crate) async fn after_the_demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let demo =
            Command::new(program("AFTERGLOW_BIN")).arg("--home").arg(folder.path()).args(["demo", "--no-window"]).output().await;
        let demo = demo.unwrap();
        assert!(demo.status.success(), "the demo failed: {}", String::from_utf8_lossy(&demo.stderr));
        Self::serve(folder).await
    }

    async fn serve(folder: TempDir) -> Self {
        let mut command = Command::new(program("AFTERGLOW_BIN"));
        command.arg("--home").arg(folder.path()).args(["serve", "--no-tray", "--no-notifications"]);
        // Without a display the service opens no window by itself: the journeys do, so that they can drive it.
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        let home = home(folder.path());
        let mut service = quietly(&mut command);
        let owner = until("the service answers", async || {
            // One that is on its way out still holds the home, and sends a second one away.
            if service.try_wait().unwrap().is_some() {
                service = quietly(&mut command);
            }
            Owner::connect(&home).await.ok()
        })
        .await;
        Self { folder, owner, archive: None, service, _receiver: None }
    }

    /// The folders of the service.
    pub(crate) fn home(&self) -> Home {
        home(self.folder.path())
    }

    /// Gives the folder with the photos to the library and waits until they are in it.
    pub(crate) async fn add_folder(&self) {
        let path = self.folder.path().join("Photos").to_string_lossy().into_owned();
        let _: Source = self.owner.post("/v1/sources", &AddSource { path }).await.unwrap();
        until("the photos are in the library", async || (self.page().await.total == PHOTOS).then_some(())).await;
    }

    /// Sends every photo of the library to the receiver.
    pub(crate) async fn upload_everything(&self) {
        let asset_ids = self.page().await.assets.into_iter().map(|asset| asset.id).collect();
        let upload = CreateUpload { paths: Vec::new(), asset_ids, destination_id: self.archive.clone().unwrap() };
        let made: UploadPreview = self.owner.post("/v1/uploads", &upload).await.unwrap();
        assert_eq!(made.files, PHOTOS);
    }

    /// Caps the speed of everything together.
    pub(crate) async fn limit_bandwidth(&self, bytes_per_s: Option<u64>) {
        self.settings(|settings| settings.bandwidth_bytes_per_s = bytes_per_s).await;
    }

    /// Another receiver, with a certificate of its own, and its address. It ends with the value.
    pub(crate) async fn encrypted_receiver(&self) -> (Child, String) {
        let folder = self.folder.path().join("Another computer");
        fs::create_dir(&folder).unwrap();
        receive(&folder, &[]).await
    }

    /// The destinations.
    pub(crate) async fn destinations(&self) -> Vec<Destination> {
        self.owner.get("/v1/destinations").await.unwrap()
    }

    /// What the service says.
    pub(crate) async fn status(&self) -> Status {
        self.owner.get("/v1/status").await.unwrap()
    }

    /// Waits until no job is left, and says how it ended.
    pub(crate) async fn everything_is_delivered(&self) -> Status {
        until("everything is delivered", async || {
            let status = self.status().await;
            (status.jobs.succeeded > 0 && status.jobs.open() == 0).then_some(status)
        })
        .await
    }

    /// Kills the service as the system does when memory runs out.
    pub(crate) async fn kill_service(&mut self) {
        self.service.kill().await.unwrap();
    }

    /// Ends a service that a window has started.
    pub(crate) async fn quit(&self) {
        self.owner.post::<()>("/v1/quit", &serde_json::Value::Null).await.unwrap();
    }

    /// Whether no process shows windows of this home: it holds a lock for as long as it lives.
    pub(crate) fn no_windows(&self) -> bool {
        File::open(self.home().runtime.join("windows.lock")).is_ok_and(|lock| lock.try_lock().is_ok())
    }

    /// Digests of the photos in the library's folder.
    pub(crate) fn photos(&self) -> BTreeSet<String> {
        digests(&self.folder.path().join("Photos"))
    }

    /// Digests of the photos that the receiver shows.
    pub(crate) fn received(&self) -> BTreeSet<String> {
        digests(&self.folder.path().join("Archive"))
    }

    async fn page(&self) -> AssetPage {
        self.owner.get("/v1/collections/smart:all_photos/assets?offset=0&limit=100").await.unwrap()
    }

    async fn settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings: Settings = self.owner.get("/v1/settings").await.unwrap();
        change(&mut settings);
        let _: Settings = self.owner.put("/v1/settings", &settings).await.unwrap();
    }
}

fn home(folder: &Path) -> Home {
    Home::resolve(Some(folder.to_owned()), |_| None).unwrap()
}

/// What receivers here ask for.
pub(crate) const TOKEN: &str = "a token for tests";

async fn receive(folder: &Path, encryption: &[&str]) -> (Child, String) {
    let url_file = folder.join("url");
    let mut command = Command::new(program("AFTERGLOW_BIN"));
    command.arg("--home").arg(folder).arg("receive").arg("--dir").arg(folder.join("Archive")).args(encryption);
    command.args(["--listen", "127.0.0.1:0", "--token", TOKEN]);
    let child = quietly(command.arg("--url-file").arg(&url_file));
    let url = until("the receiver listens", async || fs::read_to_string(&url_file).ok().filter(|url| !url.is_empty())).await;
    (child, url)
}

fn quietly(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

/// Pictures that no codec makes small, so that an upload takes its time.
fn draw_photos(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for photo in 0..PHOTOS {
        let mut state = photo.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let picture = RgbImage::from_fn(400, 300, |_, _| {
            // xorshift64 (Marsaglia 2003): noise that is the same in every run.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let [red, green, blue, ..] = state.to_le_bytes();
            Rgb([red, green, blue])
        });
        picture.save(folder.join(format!("photo-{photo}.jpg"))).unwrap();
    }
}

fn digests(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(digests(&path));
        } else if path.extension().is_some_and(|extension| extension == "jpg") {
            found.insert(Sha256::digest(fs::read(&path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    found
}
