//! What must survive: which uploads are open and which objects are stored, in one SQLite file.
//!
//! One thread writes. It takes all writes that wait, commits them together (`synchronous=FULL`: one sync for all of them) and
//! only then answers each, so an answer means durable, and a thousand small files a second cost few syncs. Readers have a
//! connection of their own. After a failed commit the connection is opened anew, for the outcome is unknown: callers report
//! failure and the sender asks again.

pub(crate) mod objects;
pub(crate) mod paired;
pub(crate) mod uploads;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction};
use rusqlite_migration::{M, Migrations};
use tokio::sync::{mpsc, oneshot};

/// Writes that may wait for the writer before callers wait, too.
const QUEUE_MAX: usize = 1024;
/// Writes that share one commit at most; bounds what one bad commit can fail.
const BATCH_MAX: usize = 256;
/// How long a connection waits for another one's lock.
const BUSY: Duration = Duration::from_secs(10);

/// Every step that brought a ledger to its present form; add, never change.
const MIGRATIONS: &[M<'_>] = &[M::up(include_str!("schema.sql")), M::up(include_str!("paired.sql"))];

/// Why the ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// SQLite refused.
    #[error("the receiver's ledger failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is newer than this program, or its schema is broken.
    #[error("the receiver's ledger cannot be used by this version of Afterglow: {0}")]
    Schema(#[from] rusqlite_migration::Error),
    /// A shared commit failed; whether it happened is unknown.
    #[error("the receiver's ledger could not be committed: {0}")]
    Commit(String),
    /// The writer is gone, which happens when the receiver is being closed.
    #[error("the receiver's ledger is closed")]
    Closed,
}

/// A waiting write: does its work inside the transaction, says whether to keep it, and returns how to answer after the commit.
type Write = Box<dyn FnOnce(&Transaction<'_>) -> (bool, Answer) + Send>;
type Answer = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A handle on the ledger; clones share it.
#[derive(Clone)]
pub(crate) struct Ledger {
    writes: mpsc::Sender<Write>,
    reader: Arc<Mutex<Connection>>,
}

impl Ledger {
    /// Opens or creates the ledger at `path` and starts its writer. Blocks.
    pub(crate) fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut connection = connect(path)?;
        Migrations::from_slice(MIGRATIONS).to_latest(&mut connection)?;
        let reader = connect(path)?;
        let (writes, waiting) = mpsc::channel(QUEUE_MAX);
        let path = path.to_owned();
        std::thread::Builder::new()
            .name("receiver-ledger".into())
            .spawn(move || write_all(&path, connection, waiting))
            .map_err(|error| LedgerError::Commit(error.to_string()))?;
        Ok(Self { writes, reader: Arc::new(Mutex::new(reader)) })
    }

    /// Does `work` in a transaction that it may share with others; its result is durable. An error undoes `work` alone.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply, answered) = oneshot::channel();
        let write: Write = Box::new(move |transaction| {
            let result = work(transaction);
            let keep = result.is_ok();
            let answer: Answer = Box::new(move |committed| {
                let told = committed.map_err(LedgerError::Commit).and_then(|()| Ok(result?));
                // Nobody waits any more when the request was given up; the write stands all the same.
                let _ = reply.send(told);
            });
            (keep, answer)
        });
        self.writes.send(write).await.map_err(|_| LedgerError::Closed)?;
        answered.await.map_err(|_| LedgerError::Closed)?
    }

    /// Does `work` at some later time, without waiting for it; for facts that the next start would find out by itself.
    pub(crate) async fn note(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static) {
        let write: Write = Box::new(move |transaction| {
            let result = work(transaction);
            let keep = result.is_ok();
            let answer: Answer = Box::new(move |committed| {
                if let Err(error) = committed.map_err(LedgerError::Commit).and_then(|()| Ok(result?)) {
                    tracing::warn!(%error, "a note was not kept");
                }
            });
            (keep, answer)
        });
        // A closed writer means a closing receiver.
        let _ = self.writes.send(write).await;
    }

    /// Reads what is committed.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || {
            let connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
            work(&connection)
        });
        Ok(read.await.map_err(|_| LedgerError::Closed)??)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// The writer: one commit for all that waits, until no handle is left.
fn write_all(path: &Path, mut connection: Connection, mut waiting: mpsc::Receiver<Write>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        let mut answers = Vec::with_capacity(batch.len());
        let committed = commit(&mut connection, batch, &mut answers);
        if let Err(error) = &committed {
            tracing::error!(%error, "the ledger could not be committed; opening it anew");
            match connect(path) {
                Ok(fresh) => connection = fresh,
                Err(error) => tracing::error!(%error, "the ledger could not be opened anew"),
            }
        }
        let told = committed.map_err(|error| error.to_string());
        for answer in answers {
            answer(told.clone());
        }
    }
}

fn commit(connection: &mut Connection, batch: Vec<Write>, answers: &mut Vec<Answer>) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for write in batch {
        transaction.execute_batch("SAVEPOINT one")?;
        let (keep, answer) = write(&transaction);
        answers.push(answer);
        if !keep {
            transaction.execute_batch("ROLLBACK TO one")?;
        }
        transaction.execute_batch("RELEASE one")?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_write_undoes_itself_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
        ledger.write(|tx| tx.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)", [])).await.unwrap();
        let insert = |n: i64| ledger.write(move |tx| tx.execute("INSERT INTO t VALUES (?1)", [n]));
        let (one, same, two) = tokio::join!(insert(1), insert(1), insert(2));
        assert_eq!((one.is_ok(), same.is_err(), two.is_ok()), (true, true, true));
        let rows: i64 = ledger.read(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))).await.unwrap();
        assert_eq!(rows, 2);
    }

    #[tokio::test]
    async fn a_newer_ledger_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        drop(Ledger::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Ledger::open(&path), Err(LedgerError::Schema(_))));
    }
}
