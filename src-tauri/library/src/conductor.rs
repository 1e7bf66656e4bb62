//! When to look at which source: the one loop that owns what is due.
//!
//! Commands, hints of the watcher, a scan's end and the clock come in; scans go out, one at a time, on a thread of their own. A timer
//! exists only while something is due: a hint that waits for its like, a file that settles, a source that cannot be watched.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use afterglow_model::SourceId;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    Result,
    library::{LibraryEvent, Shared},
    scan::{Outcome, Scan, Scope},
    table::source::{self, SourceRow},
    watch::{Hint, Watch},
};

/// Hints are collected for this long after the last of them,
const QUIET: Duration = Duration::from_millis(300);
/// but no longer than this after the first.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// Changes of assets and albums are told at most this often.
const ANNOUNCE: Duration = Duration::from_millis(200);
/// More changed paths than this are cheaper to find by a walk.
const PATHS_MAX: usize = 1000;

/// What the handle asks for.
pub(crate) enum Command {
    /// Look through all of a source.
    Scan(SourceRow),
    /// Forget a source; answered when nothing looks at it any more.
    Forget(SourceId, oneshot::Sender<()>),
    /// Sources came or went: look at each whose presence is not as it was.
    Recheck,
    /// Stop.
    Close(oneshot::Sender<()>),
}

/// What is due for one source.
struct Agenda {
    source: SourceRow,
    watched: bool,
    /// Look at this from then on.
    due: Option<(Instant, Scope)>,
    /// When the oldest hint of `due` came.
    since: Instant,
    /// When to look through all of it although nothing is known to have changed.
    rescan_at: Option<Instant>,
}

struct Running {
    id: SourceId,
    cancelled: Arc<AtomicBool>,
    task: JoinHandle<(Result<(), String>, Result<Outcome>)>,
}

/// The loop's state.
pub(crate) struct Conductor {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    hints: mpsc::UnboundedReceiver<Hint>,
    watch: Watch,
    agendas: BTreeMap<SourceId, Agenda>,
    running: Option<Running>,
    announce_at: Option<Instant>,
}

impl Conductor {
    /// Takes commands until the last handle is gone.
    pub(crate) fn new(shared: Arc<Shared>, commands: mpsc::UnboundedReceiver<Command>) -> Self {
        let (sender, hints) = mpsc::unbounded_channel();
        Self { shared, commands, hints, watch: Watch::new(sender), agendas: BTreeMap::new(), running: None, announce_at: None }
    }

    /// Runs the loop.
    pub(crate) async fn run(mut self) {
        let closed = loop {
            self.start_due();
            let is_busy = self.running.is_some() || self.agendas.values().any(|agenda| agenda.due.is_some());
            self.shared.busy.store(is_busy, Ordering::SeqCst);
            let (shared, wake) = (Arc::clone(&self.shared), self.next_wake());
            tokio::select! {
                command = self.commands.recv() => match command {
                    None => break None,
                    Some(Command::Close(reply)) => break Some(reply),
                    Some(command) => self.obey(command).await,
                },
                Some(hint) = self.hints.recv() => self.take_hint(hint),
                ended = ended(&mut self.running) => self.scan_ended(ended),
                () = until(wake) => self.announce(),
                () = shared.dirty.notified(), if self.announce_at.is_none() => self.announce_at = Some(Instant::now() + ANNOUNCE),
            }
        };
        self.stop_scan().await;
        if let Some(reply) = closed {
            // Nobody need be waiting for the end.
            let _ = reply.send(());
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Scan(source) => {
                self.plan(&source, Instant::now(), Scope::Whole);
                self.shared.busy.store(true, Ordering::SeqCst);
                self.shared.requested.fetch_sub(1, Ordering::SeqCst);
            }
            Command::Forget(id, reply) => {
                if self.running.as_ref().is_some_and(|running| running.id == id) {
                    self.stop_scan().await;
                }
                if let Some(agenda) = self.agendas.remove(&id) {
                    self.watch.remove(&agenda.source.path);
                }
                self.shared.set_watch_problem(&id, None);
                // Whoever asked may have gone.
                let _ = reply.send(());
            }
            Command::Recheck => {
                for source in self.shared.store.read(source::all).await.unwrap_or_default() {
                    let path = source.path.clone();
                    let is_there = tokio::task::spawn_blocking(move || path.is_dir()).await.unwrap_or(source.online);
                    if is_there != source.online {
                        self.plan(&source, Instant::now(), Scope::Whole);
                    }
                }
                self.shared.busy.store(true, Ordering::SeqCst);
                self.shared.requested.fetch_sub(1, Ordering::SeqCst);
            }
            Command::Close(_) => {}
        }
    }

    /// Adds to what is due for a source.
    fn plan(&mut self, source: &SourceRow, at: Instant, scope: Scope) {
        let new = || Agenda { source: source.clone(), watched: false, due: None, since: at, rescan_at: None };
        let agenda = self.agendas.entry(source.id.clone()).or_insert_with(new);
        agenda.due = Some(match agenda.due.take() {
            None => {
                agenda.since = Instant::now();
                (at, scope)
            }
            Some((before, waiting)) => (at.max(before).min(agenda.since + QUIET_MAX), merged(waiting, scope)),
        });
        if let Some((due, Scope::Whole)) = &mut agenda.due {
            *due = at.min(*due);
        }
    }

    fn take_hint(&mut self, hint: Hint) {
        let sources: Vec<SourceRow> = self.agendas.values().map(|agenda| agenda.source.clone()).collect();
        let at = Instant::now() + QUIET;
        match hint {
            Hint::Overflow => sources.iter().for_each(|source| self.plan(source, at, Scope::Whole)),
            Hint::Paths(paths) => {
                for path in paths {
                    if let Some(source) = sources.iter().find(|source| path.starts_with(&source.path)) {
                        self.plan(source, at, scope_of(source, path));
                    }
                }
            }
            Hint::Failed(paths, problem) => {
                let is_hit = |root: &Path| paths.is_empty() || paths.iter().any(|path| path.starts_with(root));
                for source in sources.iter().filter(|source| is_hit(&source.path)) {
                    self.unwatched(&source.id, problem.clone());
                }
            }
        }
    }

    /// Starts the scan that has waited longest, if none runs.
    fn start_due(&mut self) {
        let now = Instant::now();
        if self.running.is_some() {
            return;
        }
        for agenda in self.agendas.values_mut() {
            if agenda.rescan_at.is_some_and(|at| at <= now) {
                agenda.rescan_at = None;
                agenda.due = Some((now, Scope::Whole));
            }
        }
        let ready = self.agendas.values_mut().filter_map(|agenda| Some((agenda.due.as_ref()?.0, agenda))).min_by_key(|(at, _)| *at);
        let Some((at, agenda)) = ready else { return };
        if at > now {
            return;
        }
        let Some((_, scope)) = agenda.due.take() else { return };
        let cancelled = Arc::new(AtomicBool::new(false));
        let (shared, watch, source) = (Arc::clone(&self.shared), self.watch.clone(), agenda.source.clone());
        let (needs_watch, flag) = (!agenda.watched, Arc::clone(&cancelled));
        let task = tokio::task::spawn_blocking(move || {
            // Watched before it is walked, so that nothing falls between.
            let watched = if needs_watch { watch.add(&source.path) } else { Ok(()) };
            let report = |progress| shared.tell(LibraryEvent::Scan(progress));
            (watched, Scan::new(&shared.store, source, shared.options.settle, &report, &flag).run(&scope))
        });
        self.running = Some(Running { id: agenda.source.id.clone(), cancelled, task });
    }

    fn scan_ended(&mut self, (id, watched, outcome): (SourceId, Result<(), String>, Result<Outcome>)) {
        let Some(agenda) = self.agendas.get_mut(&id) else { return };
        let source = agenda.source.clone();
        match watched {
            Ok(()) => {
                agenda.watched = true;
                self.shared.set_watch_problem(&id, None);
            }
            Err(problem) => self.unwatched(&id, problem),
        }
        match outcome {
            Ok(outcome) => {
                if !outcome.online {
                    self.watch.remove(&source.path);
                    self.unwatched(&id, "The folder is not there.".to_owned());
                }
                if outcome.changed {
                    self.shared.dirty.notify_one();
                }
                if !outcome.unsettled.is_empty() {
                    let at = Instant::now() + self.shared.options.settle.max(ANNOUNCE);
                    self.plan(&source, at, Scope::Paths(outcome.unsettled));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a scan could not be finished; it is begun again later");
                self.rescan_later(&id);
            }
        }
        self.shared.tell(LibraryEvent::SourcesChanged);
    }

    fn unwatched(&mut self, id: &SourceId, problem: String) {
        if let Some(agenda) = self.agendas.get_mut(id) {
            agenda.watched = false;
        }
        self.shared.set_watch_problem(id, Some(problem));
        self.rescan_later(id);
    }

    fn rescan_later(&mut self, id: &SourceId) {
        if let Some(agenda) = self.agendas.get_mut(id) {
            agenda.rescan_at = Some(Instant::now() + self.shared.options.rescan_unwatched);
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let due = self.agendas.values().filter_map(|agenda| agenda.due.as_ref().map(|(at, _)| *at)).min();
        let rescan = self.agendas.values().filter_map(|agenda| agenda.rescan_at).min();
        let scans = if self.running.is_some() { None } else { due.into_iter().chain(rescan).min() };
        scans.into_iter().chain(self.announce_at).min()
    }

    fn announce(&mut self) {
        if self.announce_at.is_some_and(|at| at <= Instant::now()) {
            self.announce_at = None;
            self.shared.tell(LibraryEvent::Changed);
        }
    }

    async fn stop_scan(&mut self) {
        if let Some(running) = self.running.take() {
            running.cancelled.store(true, Ordering::SeqCst);
            // It ends after the file it reads; what it came to is of no interest.
            let _ = running.task.await;
        }
    }
}

/// The running scan's end; never, if none runs.
async fn ended(running: &mut Option<Running>) -> (SourceId, Result<(), String>, Result<Outcome>) {
    let Some(scan) = running else { return std::future::pending().await };
    let result = (&mut scan.task).await;
    let id = scan.id.clone();
    *running = None;
    match result {
        Ok((watched, outcome)) => (id, watched, outcome),
        Err(_) => (id, Ok(()), Err(crate::LibraryError::Closed)),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What to look at when something happened at a path: a `.nomedia` file hides or shows all that is below its folder, and a source's own
/// folder is all of the source.
fn scope_of(source: &SourceRow, path: PathBuf) -> Scope {
    if path == source.path {
        return Scope::Whole;
    }
    match path.parent() {
        Some(folder) if path.file_name() == Some(std::ffi::OsStr::new(".nomedia")) => scope_of(source, folder.to_owned()),
        Some(_) | None => Scope::Paths(BTreeSet::from([path])),
    }
}

fn merged(one: Scope, other: Scope) -> Scope {
    match (one, other) {
        (Scope::Paths(mut one), Scope::Paths(other)) if one.len() + other.len() <= PATHS_MAX => {
            one.extend(other);
            Scope::Paths(one)
        }
        (Scope::Paths(_) | Scope::Whole, Scope::Paths(_) | Scope::Whole) => Scope::Whole,
    }
}
