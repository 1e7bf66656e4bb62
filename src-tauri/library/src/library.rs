//! The handle: opening, sources, events. Reading is in `reading`, albums in `albums`, pictures in `thumbnail`.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use afterglow_model::{ScanProgress, Source, SourceId};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, oneshot};

use crate::{
    LibraryError, Result, SourceProblem,
    conductor::{Command, Conductor},
    identity, index, names, now,
    store::Store,
    table::{
        curation,
        source::{self, SourceRow},
    },
};

/// Pictures decoded at once: each may need as much memory as the picture has pixels.
const DECODES_MAX: usize = 2;

/// Where a library keeps what, and how patient it is.
#[derive(Debug, Clone)]
pub struct LibraryOptions {
    /// For the index and for albums, favourites and sources.
    pub data_dir: PathBuf,
    /// For thumbnails.
    pub cache_dir: PathBuf,
    /// A file younger than this is still being written. 2 s serve well.
    pub settle: Duration,
    /// How often a source that cannot be watched is looked through. 10 min serve well.
    pub rescan_unwatched: Duration,
    /// The program whose `decode` command runs [`crate::decode_worker`]; none to decode in this process.
    pub decoder: Option<PathBuf>,
}

/// What a listener is told.
#[derive(Debug, Clone, PartialEq)]
pub enum LibraryEvent {
    /// A scan moved on.
    Scan(ScanProgress),
    /// Assets or albums changed; told at most five times a second.
    Changed,
    /// Sources came, went, were unplugged, or are watched differently.
    SourcesChanged,
}

/// All photos of a person. A cheap handle; when the last one is dropped, scanning and watching end.
#[derive(Clone)]
pub struct Library {
    pub(crate) shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
}

/// What the handle and the conductor share.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) options: LibraryOptions,
    pub(crate) dirty: Notify,
    pub(crate) decodes: Semaphore,
    /// Scans asked for that the conductor has not seen yet.
    pub(crate) requested: AtomicUsize,
    /// Whether the conductor has something to look at.
    pub(crate) busy: AtomicBool,
    events: broadcast::Sender<LibraryEvent>,
    watch_problems: Mutex<HashMap<SourceId, String>>,
}

impl Shared {
    /// Tells whoever listens.
    pub(crate) fn tell(&self, event: LibraryEvent) {
        // An error only says that nobody listens.
        let _ = self.events.send(event);
    }

    /// Notes why a source is not watched, or that it is.
    pub(crate) fn set_watch_problem(&self, id: &SourceId, problem: Option<String>) {
        let mut problems = self.watch_problems.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => problems.insert(id.clone(), problem),
            None => problems.remove(id),
        };
    }
}

impl Library {
    /// Opens the library, and begins to watch and to look through its sources in the background.
    ///
    /// # Errors
    /// [`LibraryError::NewerSchema`] and [`LibraryError::CurationDamaged`] before anything is written. A damaged index is no error: it
    /// is made anew.
    pub async fn open(options: LibraryOptions) -> Result<Self> {
        let data_dir = options.data_dir.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&data_dir)).await.map_err(|_| LibraryError::Closed)??;
        let (commands, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            store: Arc::new(store),
            options,
            dirty: Notify::new(),
            decodes: Semaphore::new(DECODES_MAX),
            requested: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
            events: broadcast::Sender::new(256),
            watch_problems: Mutex::default(),
        });
        tokio::spawn(Conductor::new(Arc::clone(&shared), receiver).run());
        let library = Self { shared, commands };
        library.scan_all().await?;
        Ok(library)
    }

    /// Stops watching and scanning and closes the files. Calls after this fail with [`LibraryError::Closed`].
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).is_ok() {
            // An error says that the loop had ended already.
            let _ = closed.await;
        }
        let store = Arc::clone(&self.shared.store);
        // Closing cannot fail in a way that anybody could mend.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }

    /// What happens from now on. A listener that is too slow loses the oldest events and is told so by the channel.
    pub fn subscribe(&self) -> broadcast::Receiver<LibraryEvent> {
        self.shared.events.subscribe()
    }

    /// Whether a scan runs or is due, or a file is waited for to settle.
    pub fn is_scanning(&self) -> bool {
        self.shared.requested.load(Ordering::SeqCst) > 0 || self.shared.busy.load(Ordering::SeqCst)
    }

    /// The folders that the person gave us, by path.
    pub async fn sources(&self) -> Result<Vec<Source>> {
        let rows =
            self.shared.store.read(|db| source::all(db)?.into_iter().map(|row| with_counts(db, row)).collect::<Result<Vec<_>>>());
        Ok(rows.await?.into_iter().map(|(row, assets, unreadable)| self.described(row, assets, unreadable)).collect())
    }

    /// Whether a source's folder was there when last looked.
    pub async fn source_online(&self, id: &SourceId) -> Result<bool> {
        let id = id.clone();
        self.shared.store.read(move |db| Ok(source::find(db, &id)?.is_some_and(|row| row.online))).await
    }

    /// Adds a folder, and looks through it in the background.
    ///
    /// # Errors
    /// [`LibraryError::Source`] with a sentence if it is not an absolute path of a folder that can be read, or overlaps a source.
    pub async fn add_source(&self, path: &Path) -> Result<Source> {
        let given = path.to_owned();
        let path = tokio::task::spawn_blocking(move || readable_folder(&given)).await.map_err(|_| LibraryError::Closed)??;
        let row = self.shared.store.write(move |db| {
            for known in source::all(db)? {
                let source_path = names::display(known.path.as_os_str());
                if path.starts_with(&known.path) {
                    return Err(SourceProblem::Inside { path, source_path }.into());
                }
                if known.path.starts_with(&path) {
                    return Err(SourceProblem::Contains { path, source_path }.into());
                }
            }
            let id = identity::source_id(&path);
            curation::insert_source(db, &id, &path, now())?;
            source::insert(db, &id, &path)?;
            Ok(SourceRow { id, path, online: true, scanned_at: None })
        });
        let row = row.await?;
        self.request(Command::Scan(row.clone()))?;
        self.shared.tell(LibraryEvent::SourcesChanged);
        Ok(self.described(row, 0, 0))
    }

    /// Takes a folder out of the library. The files stay; albums remember what was in them, should the folder come back.
    ///
    /// # Errors
    /// [`LibraryError::NotFound`] if there is no such source.
    pub async fn remove_source(&self, id: &SourceId) -> Result<()> {
        let wanted = id.clone();
        if self.shared.store.read(move |db| source::find(db, &wanted)).await?.is_none() {
            return Err(LibraryError::NotFound { what: "folder", id: id.0.clone() });
        }
        let (reply, forgotten) = oneshot::channel();
        self.commands.send(Command::Forget(id.clone(), reply)).map_err(|_| LibraryError::Closed)?;
        forgotten.await.map_err(|_| LibraryError::Closed)?;
        let id = id.clone();
        self.shared
            .store
            .write(move |db| {
                curation::delete_source(db, &id)?;
                index::remove_source(db, &id)
            })
            .await?;
        self.shared.dirty.notify_one();
        self.shared.tell(LibraryEvent::SourcesChanged);
        Ok(())
    }

    /// Looks through every source again, in the background.
    pub async fn scan_all(&self) -> Result<()> {
        for row in self.shared.store.read(source::all).await? {
            self.request(Command::Scan(row))?;
        }
        Ok(())
    }

    /// Looks whether each source is there, and through those that came back. Cheap; for when a drive was plugged in or out.
    pub async fn recheck_sources(&self) -> Result<()> {
        self.request(Command::Recheck)
    }

    fn request(&self, command: Command) -> Result<()> {
        self.shared.requested.fetch_add(1, Ordering::SeqCst);
        self.commands.send(command).map_err(|_| {
            self.shared.requested.fetch_sub(1, Ordering::SeqCst);
            LibraryError::Closed
        })
    }

    fn described(&self, row: SourceRow, assets: u64, unreadable: u64) -> Source {
        let problems = self.shared.watch_problems.lock().unwrap_or_else(PoisonError::into_inner);
        let watch_problem = problems.get(&row.id).cloned();
        Source {
            id: row.id,
            path: names::display(row.path.as_os_str()),
            online: row.online,
            assets,
            watched: watch_problem.is_none(),
            watch_problem,
            scanned_at: row.scanned_at,
            unreadable,
        }
    }
}

fn with_counts(db: &rusqlite::Connection, row: SourceRow) -> Result<(SourceRow, u64, u64)> {
    let (assets, unreadable) = (source::assets(db, &row.id)?, source::unreadable(db, &row.id)?);
    Ok((row, assets, unreadable))
}

/// The folder without links in its path, if it can become a source.
fn readable_folder(path: &Path) -> Result<PathBuf, SourceProblem> {
    if !path.is_absolute() {
        return Err(SourceProblem::Relative(path.to_owned()));
    }
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => SourceProblem::NotAFolder(path.to_owned()),
        _ => SourceProblem::Unreadable { path: path.to_owned(), problem: error.to_string() },
    };
    let real = path.canonicalize().map_err(unreadable)?;
    fs::read_dir(&real).map_err(unreadable)?;
    Ok(real)
}
