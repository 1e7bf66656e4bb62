//! The connections that read. They see the last commit and never wait for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{QueueError, database};

/// Reads at the same time.
const READERS_MAX: usize = 4;
/// Connections kept between reads; each holds up to 1 MB of pages.
const IDLE_MAX: usize = 2;

/// A few connections, opened as they are needed.
pub(crate) struct Readers {
    pub(crate) path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    /// Held shared by each read, alone while the file is opened again.
    gate: RwLock<()>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default(), permits: Semaphore::new(READERS_MAX), gate: RwLock::new(()) }
    }

    /// Runs a read on a thread that may block; all of its statements see the same commit.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, QueueError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, QueueError> + Send + 'static,
    {
        let _permit = self.permits.acquire().await.map_err(|_| QueueError::Closed)?;
        let readers = Arc::clone(self);
        tokio::task::spawn_blocking(move || readers.read_now(work)).await.map_err(|_| QueueError::Closed)?
    }

    fn read_now<T>(&self, work: impl FnOnce(&Connection) -> Result<T, QueueError>) -> Result<T, QueueError> {
        let _open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match kept {
            Some(db) => db,
            None => database::open_reader(&self.path)?,
        };
        let snapshot = db.unchecked_transaction()?;
        let result = work(&snapshot)?;
        snapshot.finish()?;
        // Only a connection that worked is used again.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(db);
        }
        Ok(result)
    }

    /// Waits for the reads under way, closes their connections and keeps new ones out as long as the guard lives.
    pub(crate) fn shut_out(&self) -> RwLockWriteGuard<'_, ()> {
        let alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(database::abandon);
        alone
    }

    /// Ends reading for good.
    pub(crate) fn close(&self) {
        self.permits.close();
        drop(self.shut_out());
    }
}
