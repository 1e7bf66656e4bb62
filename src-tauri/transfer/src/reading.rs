//! Small files are read by few threads.
//!
//! Each file on a thread of its own, as they come, would wake one for every photo, which costs more than to read it, and would leave dozens
//! of them with a stack each. Every folder has threads of its own, so that a drive that hangs keeps none of another's files waiting.

use std::{
    collections::{HashMap, VecDeque},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    buffers::Buffers,
    cached,
    source::{self, SourceError, Whole},
};

/// Threads that read from one folder at once: enough to keep a disk busy that answers late.
const THREADS: usize = 4;

type Work = Box<dyn FnOnce() + Send>;

/// Folders of which it is remembered where they lie. A library has few; files from elsewhere lie in any.
const FOLDERS_MAX: usize = 64;

/// Reads small files.
#[derive(Clone, Default)]
pub struct Reading {
    folders: Arc<Mutex<Folders>>,
    buffers: Buffers,
}

#[derive(Default)]
struct Folders {
    /// The files that wait to be read, by the folder beneath which they lie.
    lines: HashMap<PathBuf, Line>,
    /// Whether a folder lies on a disk of this computer.
    locality: HashMap<PathBuf, bool>,
}

impl Folders {
    fn learn(&mut self, root: &Path, is_local: bool) {
        if self.locality.len() >= FOLDERS_MAX {
            self.locality.clear();
        }
        self.locality.insert(root.to_owned(), is_local);
    }
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Work>,
    threads: usize,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl Reading {
    /// Opens and reads a small file that is as large as it is said to be.
    pub(crate) async fn whole(&self, root: &Path, path: &Path, byte_count: u64) -> Result<Whole, SourceError> {
        let is_local = self.folders().locality.get(root).copied();
        if is_local == Some(true)
            && let Some(whole) = cached::read(root, path, byte_count, &self.buffers)
        {
            return Ok(whole);
        }
        let (at, path, buffers) = (root.to_owned(), path.to_owned(), self.buffers.clone());
        let (whole, found) = self
            .read(root, move || {
                (source::whole(&at, &path, byte_count, &buffers), is_local.is_none().then(|| cached::is_local(&at)))
            })
            .await
            .map_err(|_| SourceError::Broken)?;
        if let Some(is_local) = found {
            self.folders().learn(root, is_local);
        }
        whole
    }

    /// Runs `work`, which reads a file beneath `root`, where it may block. The receiver fails only if `work` panics. Work that nobody waits
    /// for any more when its turn comes is dropped.
    fn read<T: Send + 'static>(&self, root: &Path, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move || {
            if !reply.is_closed() {
                // Who has gone need not be told.
                let _ = reply.send(work());
            }
        });
        let mut folders = self.folders();
        let line = folders.lines.entry(root.to_owned()).or_default();
        line.waiting.push_back(work);
        if line.threads < THREADS {
            line.threads += 1;
            let (reading, root) = (self.clone(), root.to_owned());
            tokio::task::spawn_blocking(move || {
                while let Some(work) = reading.next(&root) {
                    // As with any task, a panic is its own end and nobody else's; who waits for it finds the channel closed.
                    let _ = std::panic::catch_unwind(AssertUnwindSafe(work));
                }
            });
        }
        answer
    }

    /// The next file of a folder; without one the thread that asks gives up its place.
    fn next(&self, root: &Path) -> Option<Work> {
        let lines = &mut self.folders().lines;
        let line = lines.get_mut(root)?;
        let next = line.waiting.pop_front();
        if next.is_none() {
            line.threads -= 1;
            if line.threads == 0 {
                lines.remove(root);
            }
        }
        next
    }

    /// Where memory for files comes from.
    pub(crate) fn buffers(&self) -> Buffers {
        self.buffers.clone()
    }

    fn folders(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_folder_that_hangs_keeps_no_other_waiting_and_a_panic_nobody() {
        let reading = Reading::default();
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        let hanging: Vec<_> = (0..THREADS)
            .map(|_| {
                let hang = hang.clone();
                reading.read(Path::new("/gone"), move || hang.lock().unwrap().recv().is_ok())
            })
            .collect();
        let behind = reading.read(Path::new("/gone"), || true);
        let panics = reading.read(Path::new("/here"), || -> bool { panic!("on purpose") });
        assert!(panics.await.is_err());
        for n in 0..3 * THREADS {
            assert_eq!(reading.read(Path::new("/here"), move || n).await, Ok(n));
        }
        (0..THREADS).for_each(|_| release.send(()).unwrap());
        for answer in hanging {
            assert_eq!(answer.await, Ok(true));
        }
        assert_eq!(behind.await, Ok(true));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_read() {
        let reading = Reading::default();
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        let busy: Vec<_> = (0..THREADS)
            .map(|_| {
                let hang = hang.clone();
                reading.read(Path::new("/slow"), move || hang.lock().unwrap().recv().is_ok())
            })
            .collect();
        drop(reading.read(Path::new("/slow"), || panic!("nobody asked")));
        let last = reading.read(Path::new("/slow"), || ());
        (0..THREADS).for_each(|_| release.send(()).unwrap());
        assert_eq!(last.await, Ok(()));
        for answer in busy {
            assert_eq!(answer.await, Ok(true));
        }
    }
}
