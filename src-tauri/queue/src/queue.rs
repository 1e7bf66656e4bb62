//! The handle. What can be asked of it stands in the file of the table that answers.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc};

use crate::event::Changes;
use crate::readers::Readers;
use crate::writer::{Message, Write, Writer};
use crate::{QueueError, QueueEvent, database};

/// Writes that may wait; the next caller then waits for room.
const WAITING_MAX: usize = 4096;
/// Events that a listener may be behind before it is told that it missed some.
const EVENTS_MAX: usize = 1024;

/// The durable queue. Clones share one file, one writing thread and a few readers.
///
/// A write is on disk when its call returns. Dropping the future of a write does not undo it.
#[derive(Clone)]
pub struct Queue {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) messages: mpsc::Sender<Message>,
    readers: Arc<Readers>,
    events: broadcast::Sender<QueueEvent>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Queue {
    /// Opens the file, or makes it; its folder must exist and be private to the person. Jobs that were under way when the last process
    /// ended go back to the line and keep their upload session; nothing else changes, and doing it twice changes nothing more.
    ///
    /// Blocks for the time of a few disk accesses, or of the migration after an update.
    pub fn open(path: &Path) -> Result<Self, QueueError> {
        let db = database::prepare(path)?;
        let readers = Arc::new(Readers::new(path.to_owned()));
        let (messages, received) = mpsc::channel(WAITING_MAX);
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let writer = Writer {
            db: Some(db),
            readers: Arc::clone(&readers),
            messages: received,
            events: events.clone(),
            #[cfg(feature = "faults")]
            fault: None,
        };
        let thread = std::thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| QueueError::Invalid(format!("The queue's thread could not be started: {error}.")))?;
        Ok(Self { shared: Arc::new(Shared { messages, readers, events, thread: Mutex::new(Some(thread)) }) })
    }

    /// Finishes the writes that wait, folds the log into the file and lets go of it. Every clone then answers [`QueueError::Closed`].
    pub async fn close(self) {
        // An error means that the thread has ended already.
        let _ = self.shared.messages.send(Message::Close).await;
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// What changes from now on, each after its commit. A listener that falls behind is told how many events it lost.
    pub fn subscribe(&self) -> broadcast::Receiver<QueueEvent> {
        self.shared.events.subscribe()
    }

    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, QueueError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Changes) -> Result<T, QueueError> + Send + 'static,
    {
        let (write, answer) = Write::new(work);
        self.shared.messages.send(Message::Write(Box::new(write))).await.map_err(|_| QueueError::Closed)?;
        answer.await.map_err(|_| QueueError::Closed)?
    }

    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, QueueError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, QueueError> + Send + 'static,
    {
        self.shared.readers.read(work).await
    }

    /// Writes that the writer has not taken yet.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.shared.messages.max_capacity() - self.shared.messages.capacity()
    }
}
