//! One look through a source, or a part of it: walk, compare with the index, read what is new, take out what is gone.
//!
//! A file whose size, times and inode are as they were is not opened. A file that is young, or that changes while it is read, is left
//! and reported as unsettled. A file is taken out only if the folder that should hold it could be listed and lies on the same drive as
//! before: nothing is ever lost to an unplugged disk.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use afterglow_model::ScanProgress;
use nom_exif::MediaParser;

use crate::{
    Result,
    content::{self, Kind, Stat},
    index::{self, Examined, Finding},
    metadata::{self, Metadata},
    names, now,
    store::Store,
    table::{
        change,
        file::{self, Content, FileState, KnownFile},
        source::{self, SourceRow},
    },
};

/// Threads that read files.
const WORKERS: usize = 2;
/// Files per commit.
const BATCH_FILES: usize = 128;
/// Bytes per commit, so that progress is seen while videos are read.
const BATCH_BYTES: i64 = 256 * 1024 * 1024;

/// How much of a source is looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of it.
    Whole,
    /// These files and folders (absolute), and what is below the folders.
    Paths(BTreeSet<PathBuf>),
}

/// What a scan came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether the source is there.
    pub(crate) online: bool,
    /// Whether assets changed.
    pub(crate) changed: bool,
    /// Files to look at again once they have settled.
    pub(crate) unsettled: BTreeSet<PathBuf>,
}

/// A scan under way.
pub(crate) struct Scan<'a> {
    store: &'a Store,
    source: SourceRow,
    settle: Duration,
    report: &'a (dyn Fn(ScanProgress) + Sync),
    cancelled: &'a AtomicBool,
    pending: Vec<Pending>,
    pending_bytes: i64,
    gone: Vec<i64>,
    /// Folders whose files cannot be told to be gone.
    unlisted: Vec<PathBuf>,
    visited: BTreeSet<PathBuf>,
    found: u64,
    indexed: u64,
    counted: bool,
    outcome: Outcome,
}

/// A file that is new or changed.
struct Pending {
    folder: PathBuf,
    name: OsString,
    stat: Stat,
    is_known: bool,
}

impl<'a> Scan<'a> {
    /// A scan of a source. `report` is told how far it is; it stops early if `cancelled` becomes true.
    pub(crate) fn new(
        store: &'a Store,
        source: SourceRow,
        settle: Duration,
        report: &'a (dyn Fn(ScanProgress) + Sync),
        cancelled: &'a AtomicBool,
    ) -> Self {
        Self {
            store,
            source,
            settle,
            report,
            cancelled,
            pending: Vec::new(),
            pending_bytes: 0,
            gone: Vec::new(),
            unlisted: Vec::new(),
            visited: BTreeSet::new(),
            found: 0,
            indexed: 0,
            counted: false,
            outcome: Outcome::default(),
        }
    }

    /// Looks. Blocks until done.
    pub(crate) fn run(mut self, scope: &Scope) -> Result<Outcome> {
        let online = self.is_there()?;
        let id = self.source.id.clone();
        self.outcome.online = online;
        self.store.write_blocking(move |db| source::set_online(db, &id, online))?;
        if !online {
            return Ok(self.outcome);
        }
        match scope {
            Scope::Whole => {
                self.walk(PathBuf::new(), true)?;
                self.collect_vanished(Path::new(""))?;
            }
            Scope::Paths(paths) => {
                for path in paths {
                    self.look_at(path)?;
                }
            }
        }
        self.counted = true;
        self.flush()?;
        self.remove_gone()?;
        if *scope == Scope::Whole && !self.cancelled.load(Ordering::Relaxed) {
            let (id, changed) = (self.source.id.clone(), self.outcome.changed);
            self.store.write_blocking(move |db| {
                source::set_scanned(db, &id, now())?;
                if changed {
                    file::prune_content(db)?;
                    change::prune(db, change::KEPT)?;
                }
                Ok(())
            })?;
        }
        self.progress(true);
        Ok(self.outcome)
    }

    /// Whether the source's folder is there: a folder that can be listed, and not the empty mount point of a drive that is unplugged.
    fn is_there(&self) -> Result<bool> {
        let Ok(mut listing) = fs::read_dir(&self.source.path) else { return Ok(false) };
        if listing.next().is_some() {
            return Ok(true);
        }
        let Ok(root) = fs::metadata(&self.source.path) else { return Ok(false) };
        let dev = Stat::of(&root).dev;
        let on_another_drive = self.store.read_blocking(|db| file::any_elsewhere(db, &self.source.id, dev))?;
        Ok(!on_another_drive)
    }

    /// Looks at one path that something happened to.
    fn look_at(&mut self, path: &Path) -> Result<()> {
        let Ok(below) = path.strip_prefix(&self.source.path) else { return Ok(()) };
        let below = below.to_owned();
        if below.components().any(|part| is_hidden(part.as_os_str())) {
            return Ok(());
        }
        let parent = below.parent().unwrap_or(Path::new("")).to_owned();
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {
                self.walk(below.clone(), true)?;
                self.collect_vanished(&below)?;
            }
            Ok(_) => self.walk(parent, false)?,
            Err(_) => {
                self.collect_vanished(&below)?;
                if self.absolute(&parent).is_dir() {
                    self.walk(parent, false)?;
                } else {
                    self.collect_vanished(&parent)?;
                }
            }
        }
        Ok(())
    }

    /// Visits a folder (below the root), and those below it if `deep`.
    fn walk(&mut self, start: PathBuf, deep: bool) -> Result<()> {
        let mut stack = vec![start];
        while let Some(folder) = stack.pop() {
            if self.cancelled.load(Ordering::Relaxed) {
                self.unlisted.push(folder);
                continue;
            }
            if !self.visited.insert(folder.clone()) {
                continue;
            }
            let below = self.visit(&folder)?;
            if deep {
                stack.extend(below);
            }
        }
        Ok(())
    }

    /// Compares one folder with the index; gives the folders in it.
    fn visit(&mut self, folder: &Path) -> Result<Vec<PathBuf>> {
        let path = self.absolute(folder);
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        if !self.is_excluded(folder) {
            let listing =
                ignore::WalkBuilder::new(&path).standard_filters(false).hidden(true).follow_links(false).max_depth(Some(1)).build();
            for entry in listing {
                let metadata = entry.and_then(|entry| entry.metadata().map(|metadata| (entry, metadata)));
                let (entry, metadata) = match metadata {
                    Ok(found) => found,
                    Err(error) => {
                        tracing::warn!(folder = %names::display(path.as_os_str()), %error, "this folder cannot be read; its photos are kept as they were");
                        self.unlisted.push(folder.to_owned());
                        continue;
                    }
                };
                if entry.depth() == 0 {
                    continue;
                } else if metadata.is_dir() {
                    folders.push(folder.join(entry.file_name()));
                } else if metadata.is_file() {
                    files.push((entry.file_name().to_owned(), Stat::of(&metadata)));
                }
            }
        }
        let id = self.source.id.clone();
        let mut known = self.store.read_blocking(|db| {
            file::find_folder(db, &id, folder)?.map_or_else(|| Ok(HashMap::new()), |num| file::in_folder(db, num))
        })?;
        let is_empty = files.is_empty() && folders.is_empty();
        for (name, stat) in files {
            let before = known.remove(&name);
            self.compare(folder, name, stat, before)?;
        }
        if !self.unlisted.iter().any(|unlisted| unlisted == folder) {
            self.miss(&path, is_empty, known.into_values())?;
        }
        Ok(folders)
    }

    /// Whether a `.nomedia` file here or above asks to leave this folder alone, or an archive of ours lies here: what was delivered
    /// into it is no second library. An archive that the person gave as a source is one.
    fn is_excluded(&self, folder: &Path) -> bool {
        folder.ancestors().any(|ancestor| {
            let here = self.absolute(ancestor);
            let is_root = ancestor.as_os_str().is_empty();
            here.join(".nomedia").exists() || (!is_root && here.join(".afterglow/ledger.sqlite").exists())
        })
    }

    fn compare(&mut self, folder: &Path, name: OsString, stat: Stat, before: Option<KnownFile>) -> Result<()> {
        let is_seen = before.as_ref().is_some_and(|known| known.stat.same_file(&stat));
        match before.as_ref().filter(|_| is_seen).map(|known| known.state) {
            Some(FileState::NotMedia) => return Ok(()),
            Some(FileState::Present) => {
                self.found += 1;
                self.indexed += 1;
                return Ok(());
            }
            Some(FileState::Changing | FileState::Unreadable | FileState::Offline) | None => {}
        }
        self.found += 1;
        self.pending_bytes += stat.size;
        self.pending.push(Pending { folder: folder.to_owned(), name, stat, is_known: before.is_some() });
        if self.pending.len() >= BATCH_FILES || self.pending_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Files that the index knows in this folder and that are not there.
    fn miss(&mut self, folder: &Path, is_empty: bool, missing: impl Iterator<Item = KnownFile>) -> Result<()> {
        let dev = fs::metadata(folder).map(|metadata| Stat::of(&metadata).dev).ok();
        for file in missing {
            if is_empty && dev.is_some_and(|dev| dev != file.stat.dev) {
                self.store.write_blocking(move |db| file::set_state(db, file.num, FileState::Offline))?;
            } else {
                self.gone.push(file.num);
            }
        }
        Ok(())
    }

    /// Folders at or below `start` that the index knows, that were not visited and that are not there.
    fn collect_vanished(&mut self, start: &Path) -> Result<()> {
        let id = self.source.id.clone();
        for (num, folder) in self.store.read_blocking(|db| file::folders(db, &id))? {
            let is_unlisted = self.unlisted.iter().any(|unlisted| folder.starts_with(unlisted));
            if !folder.starts_with(start) || self.visited.contains(&folder) || is_unlisted {
                continue;
            }
            let files = self.store.read_blocking(|db| file::in_folder(db, num))?;
            self.gone.extend(files.values().map(|file| file.num));
        }
        Ok(())
    }

    /// Reads what is pending and commits it.
    fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        if pending.is_empty() || self.cancelled.load(Ordering::Relaxed) {
            return Ok(());
        }
        let examined = self.examine_all(&pending);
        for found in examined.iter().filter(|found| matches!(found.finding, Finding::Changing)) {
            self.outcome.unsettled.insert(self.absolute(&found.folder).join(&found.name));
        }
        self.indexed += pending.len() as u64;
        let source = self.source.clone();
        self.outcome.changed |= self.store.write_blocking(move |db| index::apply(db, &source, &examined))?;
        self.progress(false);
        Ok(())
    }

    /// Reads files with a few threads of low priority.
    fn examine_all(&self, pending: &[Pending]) -> Vec<Examined> {
        let (next, examined) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(pending.len())));
        std::thread::scope(|scope| {
            for _ in 0..WORKERS.min(pending.len()) {
                scope.spawn(|| {
                    lower_priority();
                    let mut parser = MediaParser::new();
                    while let Some(file) = pending.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.cancelled.load(Ordering::Relaxed) {
                            break;
                        }
                        if let Some(found) = self.examine(&mut parser, file) {
                            examined.lock().unwrap_or_else(PoisonError::into_inner).push(found);
                        }
                    }
                });
            }
        });
        examined.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one file; none if it is gone again, or is not ours at all.
    fn examine(&self, parser: &mut MediaParser, pending: &Pending) -> Option<Examined> {
        let path = self.absolute(&pending.folder).join(&pending.name);
        let found = |stat, finding| Some(Examined { folder: pending.folder.clone(), name: pending.name.clone(), stat, finding });
        let age_ms = now().ms_since(afterglow_model::Timestamp(pending.stat.mtime_ms()));
        let is_ours = Kind::of_extension(&names::extension(&pending.name)).is_some();
        if is_ours && (0..i64::try_from(self.settle.as_millis()).unwrap_or(i64::MAX)).contains(&age_ms) {
            return found(pending.stat, Finding::Changing);
        }
        match self.read(parser, &path, pending, is_ours) {
            Ok((stat, finding)) => found(stat, finding),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(_) if !is_ours => None,
            Err(error) => {
                tracing::warn!(file = %names::display(path.as_os_str()), %error, "this photo cannot be read; it is tried again at the next scan");
                found(pending.stat, Finding::Unreadable)
            }
        }
    }

    fn read(&self, parser: &mut MediaParser, path: &Path, pending: &Pending, is_ours: bool) -> std::io::Result<(Stat, Finding)> {
        let mut file = content::open(path)?;
        let before = Stat::of(&file.metadata()?);
        if !pending.is_known
            && let Ok(Some(sha256)) = self.store.read_blocking(|db| file::renamed(db, &before))
        {
            return Ok((before, Finding::Known(sha256)));
        }
        let extension = names::extension(&pending.name);
        if !is_ours && content::recognise(&extension, &content::head(&mut file, 512)?).is_none() {
            return Ok((before, Finding::NotMedia));
        }
        let (sha256, head) = content::read(&mut file)?;
        let Some((kind, content_type)) = content::recognise(&extension, &head) else { return Ok((before, Finding::NotMedia)) };
        let metadata = read_metadata(parser, &file, kind, &head);
        let after = Stat::of(&file.metadata()?);
        if after != before {
            return Ok((after, Finding::Changing));
        }
        let content = Content { sha256, kind, content_type, byte_count: before.size, metadata };
        Ok((before, Finding::Content(Box::new(content))))
    }

    /// Takes out what is gone, after what is new was put in: so a moved photo never ceases to be.
    fn remove_gone(&mut self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Ok(());
        }
        for chunk in std::mem::take(&mut self.gone).chunks(500) {
            let chunk = chunk.to_vec();
            self.outcome.changed |= self.store.write_blocking(move |db| index::remove_files(db, &chunk))?;
        }
        Ok(())
    }

    fn absolute(&self, below: &Path) -> PathBuf {
        // Joining an empty path would leave a slash at the end.
        if below.as_os_str().is_empty() { self.source.path.clone() } else { self.source.path.join(below) }
    }

    fn progress(&self, finished: bool) {
        let source_id = self.source.id.clone();
        (self.report)(ScanProgress { source_id, found: self.found, indexed: self.indexed, counted: self.counted, finished });
    }
}

/// A parser that meets a file made to break it may panic; that costs the metadata and not the photo.
pub(crate) fn read_metadata(parser: &mut MediaParser, file: &fs::File, kind: Kind, head: &[u8]) -> Metadata {
    let read = std::panic::AssertUnwindSafe(|| metadata::read(parser, file, kind, head));
    std::panic::catch_unwind(read).unwrap_or_else(|_| Metadata { orientation: 1, ..Metadata::default() })
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// On Linux priorities are per thread: reading photos yields to everything else.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // Refused at worst; then the thread is as important as the others.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 15);
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
