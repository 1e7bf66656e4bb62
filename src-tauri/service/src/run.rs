//! Starting and ending.

use std::{path::PathBuf, sync::Arc, time::Duration};

use afterglow_library::{Library, LibraryOptions};
use afterglow_model::{AssetId, Event, Home, Status};
use afterglow_queue::Queue;
use afterglow_system::{Notifier, Secrets, SecretsOptions, SensorOptions, Sensors, Tray};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    archives::{ArchiveHost, Archives},
    clock,
    core::{Core, EVENTS_KEPT},
    desk::{self, Desk},
    engine::Engine,
    error::ServeError,
    follow::{Follower, Passes},
    live::Live,
    mirror::Mirror,
    paths,
    prompts::Prompts,
    sign_ins::SignIns,
    space::SpaceChecks,
    transfers,
};

/// A file is left alone until nobody has written to it for so long.
const SETTLE: Duration = Duration::from_secs(2);
/// How often a folder that cannot be watched is looked through.
const RESCAN_UNWATCHED: Duration = Duration::from_secs(600);
/// Commands that may wait for the loop.
const COMMANDS_WAITING: usize = 256;
/// Time that what is under way gets to stop, of the 2 s in which the service ends.
const STOP_WITHIN: Duration = Duration::from_millis(1500);

/// How to serve.
#[derive(Clone)]
pub struct ServeOptions {
    /// Whose folders and sockets.
    pub home: Home,
    /// Whether to show a tray icon.
    pub tray: bool,
    /// Whether to show notices.
    pub notifications: bool,
    /// Who receives into archives on this computer.
    pub archives: Arc<dyn ArchiveHost>,
}

/// What the loop sends, and to whom.
pub(crate) struct Senders {
    pub(crate) status: watch::Sender<Arc<Status>>,
    pub(crate) throughput: watch::Sender<Vec<u64>>,
    /// The time in which uploads are going on; none between two.
    pub(crate) present: watch::Sender<Option<afterglow_queue::Run>>,
    backed_up: mpsc::UnboundedSender<Vec<AssetId>>,
}

impl Senders {
    /// Has the mark of these assets made anew.
    pub(crate) fn backed_up(&self, assets: Vec<AssetId>) {
        // The receiver lives as long as the service.
        let _ = self.backed_up.send(assets);
    }
}

/// Serves until `quit` is cancelled or the person quits; `ready` is called when the sockets answer.
///
/// Ends within 2 s. What was under way goes on with the next start.
///
/// # Errors
/// Nothing was started: see [`ServeError`].
pub async fn run(options: ServeOptions, quit: CancellationToken, ready: impl FnOnce()) -> Result<(), ServeError> {
    let home = options.home.clone();
    paths::prepare(&home)?;
    let _lock = paths::lock(&home).await?;

    let queue = Queue::open(&home.data.join("queue.sqlite"))?;
    let library = Library::open(LibraryOptions {
        data_dir: home.data.clone(),
        cache_dir: home.cache.clone(),
        settle: SETTLE,
        rescan_unwatched: RESCAN_UNWATCHED,
        decoder: std::env::current_exe().ok(),
    })
    .await?;
    let (transfer, kept) = transfers::start(&queue, &quit).await?;
    let secrets = Secrets::open(secrets_options(&home)).await;
    let sensors = Sensors::start(SensorOptions { state_dir: Some(home.data.clone()), ..SensorOptions::default() });

    let notifications = options.notifications && queue.settings().await?.notifications;
    let (status, status_seen) = watch::channel(Arc::new(first_status()));
    let (throughput, throughput_seen) = watch::channel(Vec::new());
    let (present, present_seen) = watch::channel(None);
    let (commands, commands_seen) = mpsc::channel(COMMANDS_WAITING);
    let (backed_up, backed_up_seen) = mpsc::unbounded_channel();
    let core = Arc::new(Core {
        home: home.clone(),
        library: library.clone(),
        queue: queue.clone(),
        transfer,
        archives: Archives::new(options.archives.clone(), home.runtime.clone()),
        secrets,
        requests: Default::default(),
        app_destinations: Default::default(),
        live: Arc::new(Live::default()),
        prompts: Prompts::new(),
        sign_ins: SignIns::default(),
        space_checks: SpaceChecks::default(),
        passes: Passes::new(),
        conditions: sensors.conditions(),
        sensors,
        status: status_seen.clone(),
        throughput: throughput_seen,
        present: present_seen,
        notices: watch::channel(notifications).0,
        commands,
        events: broadcast::channel(EVENTS_KEPT).0,
        app_events: broadcast::channel(EVENTS_KEPT).0,
        quit: quit.clone(),
        started_at: clock::wall(),
    });

    let tray = options.tray.then(|| Tray::start(desk::view(&status_seen.borrow())));
    let desk = Desk::new(core.clone(), tray, Notifier::start(notifications), options.notifications);
    let senders = Senders { status, throughput, present, backed_up };
    let servers = api::listen(&core)?;

    let mut rooms = JoinSet::new();
    rooms.spawn(Follower::new(core.clone()).run());
    rooms.spawn(Mirror::new(core.clone()).run());
    rooms.spawn(mark_backed_up(core.clone(), backed_up_seen));
    rooms.spawn(desk.run(status_seen));
    rooms.spawn(servers.serve(core.clone()));
    ready();
    tracing::info!(home = %home.data.display(), "serving");

    // The first decision knows the machine; what does not answer is unknown by then.
    core.sensors.settled().await;
    // The loop ends last of those who write; it ends itself when told to.
    let engine = Engine::new(core.clone(), senders).run(commands_seen);
    tokio::pin!(engine);
    tokio::select! {
        () = &mut engine => {}
        () = quit.cancelled() => {
            if tokio::time::timeout(STOP_WITHIN, &mut engine).await.is_err() {
                tracing::warn!("a transfer did not stop in time; it goes on from the server's offset at the next start");
            }
        }
    }
    quit.cancel();
    rooms.abort_all();
    while rooms.join_next().await.is_some() {}
    api::remove_sockets(&home);
    library.close().await;
    if let Err(error) = kept.await {
        tracing::warn!(%error, "what was found out about servers may not be kept");
    }
    queue.close().await;
    tracing::info!("ended");
    Ok(())
}

/// Under an explicit home everything lies there, secrets too; else the desktop's secret store holds them.
fn secrets_options(home: &Home) -> SecretsOptions {
    let file: PathBuf = home.data.join("secrets.json");
    SecretsOptions { file, use_keyring: home.explicit.is_none() }
}

/// Derives *Not backed up* from the ledger, for the assets whose jobs changed.
async fn mark_backed_up(core: Arc<Core>, mut touched: mpsc::UnboundedReceiver<Vec<AssetId>>) {
    while let Some(assets) = touched.recv().await {
        let delivered = match core.queue.delivered_assets(&assets).await {
            Ok(delivered) => delivered,
            Err(error) => {
                tracing::warn!(%error, "the ledger could not be read");
                continue;
            }
        };
        let (yes, no): (Vec<_>, Vec<_>) = assets.into_iter().zip(delivered).partition(|(_, delivered)| *delivered);
        for (ids, mark) in [(yes, true), (no, false)] {
            let ids: Vec<AssetId> = ids.into_iter().map(|(id, _)| id).collect();
            if let Err(error) = core.library.set_backed_up(&ids, mark).await {
                tracing::warn!(%error, "the library could not be marked");
            }
        }
        core.tell(Event::LibraryChanged);
    }
}

fn first_status() -> Status {
    Status {
        state: afterglow_model::ServiceState::Idle,
        sentence: "Starting".to_owned(),
        detail: None,
        action: None,
        jobs: Default::default(),
        run: Default::default(),
        attention: 0,
        attention_destinations: vec![],
        waiting: vec![],
        conditions: afterglow_model::Conditions::unknown(),
        bytes_per_s: 0,
        scan: None,
        looking: true,
        pause: None,
        overrides: vec![],
        prompts: vec![],
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    }
}
