//! Changes as the system tells them. Only hints: what they mean is found by looking.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use notify::{
    Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::mpsc;

/// Something may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// At these paths.
    Paths(Vec<PathBuf>),
    /// Anywhere: the system lost count.
    Overflow,
    /// Folders below these paths, or anywhere if there are none, are no longer watched, for this reason.
    Failed(Vec<PathBuf>, String),
}

/// Watches folders, all with one thread that sleeps until something happens.
#[derive(Clone)]
pub(crate) struct Watch {
    watcher: Arc<Mutex<Result<RecommendedWatcher, String>>>,
}

impl Watch {
    /// Sends hints into `hints`.
    pub(crate) fn new(hints: mpsc::UnboundedSender<Hint>) -> Self {
        let handler = move |event| {
            if let Some(hint) = hint_of(event) {
                // The library may have been closed just now.
                let _ = hints.send(hint);
            }
        };
        let watcher = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false));
        Self { watcher: Arc::new(Mutex::new(watcher.map_err(|error| sentence(&error)))) }
    }

    /// Watches a folder and all below it. Walks it, so it blocks.
    ///
    /// # Errors
    /// A sentence for people; the folder is then not watched at all.
    pub(crate) fn add(&self, root: &Path) -> Result<(), String> {
        match &mut *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) {
            Err(problem) => Err(problem.clone()),
            Ok(watcher) => watcher.watch(root, RecursiveMode::Recursive).map_err(|error| {
                // Half a watched tree would only look like a watched one.
                let _ = watcher.unwatch(root);
                sentence(&error)
            }),
        }
    }

    /// Watches a folder no longer.
    pub(crate) fn remove(&self, root: &Path) {
        if let Ok(watcher) = &mut *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) {
            // A folder that is gone took its watch along.
            let _ = watcher.unwatch(root);
        }
    }
}

/// What an event hints at. Reading a file is no change.
fn hint_of(event: notify::Result<Event>) -> Option<Hint> {
    let event = match event {
        Ok(event) => event,
        Err(error) => return Some(Hint::Failed(error.paths.clone(), sentence(&error))),
    };
    if event.need_rescan() {
        return Some(Hint::Overflow);
    }
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Hint::Paths(event.paths)),
        EventKind::Access(_) => None,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => {
            Some(Hint::Paths(event.paths))
        }
    }
}

fn sentence(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "The system's limit of watched folders is reached. Raise fs.inotify.max_user_watches to see changes at once; \
             until then this folder is looked through every few minutes."
                .to_owned()
        }
        ErrorKind::PathNotFound => "The folder is not there.".to_owned(),
        ErrorKind::Generic(_) | ErrorKind::Io(_) | ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) => {
            format!("Changes in this folder cannot be watched ({error}); it is looked through every few minutes.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_asks_for_a_full_look_and_reading_for_none() {
        let overflow = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert_eq!(hint_of(Ok(overflow)), Some(Hint::Overflow));
        assert_eq!(hint_of(Ok(Event::new(EventKind::Access(AccessKind::Open(AccessMode::Any))))), None);
    }

    #[test]
    fn the_limit_of_watches_is_said_with_its_remedy() {
        let Some(Hint::Failed(_, problem)) = hint_of(Err(notify::Error::new(ErrorKind::MaxFilesWatch))) else { panic!("no hint") };
        assert!(problem.contains("max_user_watches"), "{problem}");
    }
}
