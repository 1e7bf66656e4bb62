//! The one thread that writes. It takes every call that waits into one transaction, each in its own savepoint, commits once and then
//! answers them all: a sync of the disk is what a write costs, and many share it.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::database::{self, WriteConnection};
use crate::event::Changes;
use crate::readers::Readers;
use crate::{QueueError, QueueEvent};

/// Calls in one transaction at most, so that the first does not wait for an endless stream of others.
const GROUP_MAX: usize = 512;

/// A write that waits for its turn.
pub(crate) trait Call: Send {
    /// Does the work inside the call's savepoint. The error is what the group is told if the database gave up the whole transaction.
    fn run(&mut self, on: &WriteConnection, changes: &mut Changes) -> Result<(), QueueError>;

    /// Tells the caller, once it is known what became of the transaction.
    fn answer(self: Box<Self>, group: Result<(), QueueError>);
}

/// What the thread is sent.
pub(crate) enum Message {
    /// Work.
    Write(Box<dyn Call>),
    /// The next commit fails.
    #[cfg(feature = "faults")]
    Fail(crate::CommitFault),
    /// Finish what was sent before, and end.
    Close,
}

/// The usual call: a closure and the place where its result is awaited.
pub(crate) struct Write<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, QueueError>>,
    reply: oneshot::Sender<Result<T, QueueError>>,
}

impl<T, F> Write<T, F> {
    pub(crate) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, QueueError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work: Some(work), outcome: None, reply }, answer)
    }
}

impl<T, F> Call for Write<T, F>
where
    T: Send,
    F: FnOnce(&Connection, &mut Changes) -> Result<T, QueueError> + Send,
{
    fn run(&mut self, on: &WriteConnection, changes: &mut Changes) -> Result<(), QueueError> {
        let outcome = match self.work.take() {
            Some(work) => work(&on.db, changes).and_then(|done| on.moves.settle(&on.db, changes).map(|()| done)),
            None => Err(QueueError::Closed),
        };
        let kept = outcome.as_ref().map(|_| ()).map_err(QueueError::for_the_group);
        self.outcome = Some(outcome);
        kept
    }

    fn answer(self: Box<Self>, group: Result<(), QueueError>) {
        let answer = match (group, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(QueueError::Closed),
        };
        // A caller that has gone away does not undo its write.
        let _ = self.reply.send(answer);
    }
}

/// The thread's state.
pub(crate) struct Writer {
    /// None after an error, until the file could be opened again.
    pub(crate) db: Option<WriteConnection>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) messages: mpsc::Receiver<Message>,
    pub(crate) events: broadcast::Sender<QueueEvent>,
    /// What befalls the next commit.
    #[cfg(feature = "faults")]
    pub(crate) fault: Option<crate::CommitFault>,
}

impl Writer {
    /// Runs until it is told to close or nobody is left to call.
    pub(crate) fn run(mut self) {
        let mut open = true;
        while open {
            let mut group = Vec::new();
            let mut next = self.messages.blocking_recv();
            loop {
                match next {
                    Some(Message::Write(call)) => group.push(call),
                    #[cfg(feature = "faults")]
                    Some(Message::Fail(fault)) => self.fault = Some(fault),
                    Some(Message::Close) => self.messages.close(),
                    None => {
                        open = false;
                        break;
                    }
                }
                if group.len() == GROUP_MAX {
                    break;
                }
                match self.messages.try_recv() {
                    Ok(message) => next = Some(message),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => next = None,
                }
            }
            if !group.is_empty() {
                self.write(group);
            }
        }
        self.readers.close();
        if let Some(WriteConnection { db, .. }) = self.db
            && let Err(error) = db.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))
        {
            tracing::warn!(%error, "the queue's log was not folded into its file; the next start does it");
        }
    }

    /// One transaction: all of the calls, one commit, all of the answers.
    fn write(&mut self, mut group: Vec<Box<dyn Call>>) {
        let mut changes = Changes::default();
        let outcome = self.transact(&mut group, &mut changes);
        match &outcome {
            Ok(()) => changes.into_events().for_each(|event| {
                // Nobody listening is no error.
                let _ = self.events.send(event);
            }),
            Err(error) => {
                tracing::error!(%error, calls = group.len(), "a commit to the queue failed; the file is opened again");
                self.forget();
            }
        }
        for call in group {
            call.answer(outcome.as_ref().map(|_| ()).map_err(QueueError::for_the_group));
        }
    }

    fn transact(&mut self, group: &mut [Box<dyn Call>], changes: &mut Changes) -> Result<(), QueueError> {
        let db = match self.db.take() {
            Some(db) => db,
            None => database::open_writer(&self.readers.path)?,
        };
        let on @ WriteConnection { db, moves } = &*self.db.insert(db);
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // What a call alone did wrong is undone with the transaction; SQLite copies each page that is changed inside a savepoint.
        let alone = group.len() == 1;
        for call in group {
            if !alone {
                db.prepare_cached("SAVEPOINT call")?.execute([])?;
            }
            let mut changed = Changes::default();
            let done = call.run(on, &mut changed);
            moves.forget();
            match done {
                Ok(()) => {
                    if !alone {
                        db.prepare_cached("RELEASE call")?.execute([])?;
                    }
                    changes.absorb(changed);
                }
                // SQLite gives up the whole transaction on some errors, such as a full disk (lang_transaction.html, section 3.1).
                Err(error) if db.is_autocommit() => return Err(error),
                Err(_) if alone => return Ok(db.execute_batch("ROLLBACK")?),
                Err(_) => db.execute_batch("ROLLBACK TO call; RELEASE call")?,
            }
        }
        #[cfg(feature = "faults")]
        if let Some(fault) = self.fault.take() {
            return fault.befall(db);
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Drops every connection, so that the next one recovers the log from the file. Were one left open, its index of the log would go on
    /// hiding a commit that did reach the disk, and a restart would bring it back.
    fn forget(&mut self) {
        let _no_reader = self.readers.shut_out();
        if let Some(opened) = self.db.take() {
            database::abandon(opened.db);
        }
    }
}
