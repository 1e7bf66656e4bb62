//! The two database files: an index that can be rebuilt, and what the person decided, which cannot.
//!
//! `library.sqlite` is written with `synchronous=NORMAL`; if it is damaged it is moved aside and made anew. `curation.sqlite` (albums,
//! favourites, sources; `synchronous=FULL`) is attached to it and never moved. One thread writes; readers stand beside it and never wait
//! for it (WAL). A file of a newer schema is refused before anything is written.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};
use rusqlite_migration::{M, Migrations};
use tokio::sync::{Semaphore, oneshot};

use crate::{LibraryError, Result, table};

/// Read connections at most. Each costs its page cache, so a few.
const READERS_MAX: usize = 3;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Reads and writes of the index.
pub(crate) struct Store {
    index: PathBuf,
    writer: Mutex<Option<(mpsc::Sender<Job>, JoinHandle<()>)>>,
    idle_readers: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Store {
    /// Opens both files, bringing them up to date, and brings the index in line with what the person decided. Blocks.
    pub(crate) fn open(data_dir: &Path) -> Result<Self> {
        fs::create_dir_all(data_dir).map_err(|source| LibraryError::Io { path: data_dir.to_owned(), source })?;
        let (index, curation) = (data_dir.join("library.sqlite"), data_dir.join("curation.sqlite"));
        migrate(&curation, table::CURATION, "FULL").map_err(|error| match is_damage(&error) {
            true => LibraryError::CurationDamaged { path: curation.clone() },
            false => error,
        })?;
        if marker(&index).exists() {
            move_aside(&index)?;
        }
        let connection = match open_index(&index, &curation) {
            Err(error) if is_damage(&error) => {
                tracing::warn!(%error, "the library's index is damaged; it is moved aside and made anew");
                move_aside(&index)?;
                open_index(&index, &curation)?
            }
            other => other?,
        };
        let (sender, jobs) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("library-writer".to_owned()).spawn(move || {
            let mut connection = connection;
            for job in jobs {
                job(&mut connection);
            }
        });
        let thread = thread.map_err(|source| LibraryError::Io { path: index.clone(), source })?;
        Ok(Self {
            index,
            writer: Mutex::new(Some((sender, thread))),
            idle_readers: Mutex::default(),
            permits: Semaphore::new(READERS_MAX),
        })
    }

    /// Runs a read beside the writer, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        self: &std::sync::Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = std::sync::Arc::clone(self);
        let _permit = self.permits.acquire().await.map_err(|_| LibraryError::Closed)?;
        tokio::task::spawn_blocking(move || store.read_blocking(read)).await.map_err(|_| LibraryError::Closed)?
    }

    /// Runs a read on this thread.
    pub(crate) fn read_blocking<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| open_reader(&self.index), Ok)?;
        let outcome = read(&connection);
        self.note_damage(&outcome);
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        outcome
    }

    /// Runs a transaction on the writer's thread; it is committed if it succeeds.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let outcome = self.send(write)?.await.map_err(|_| LibraryError::Closed)?;
        self.note_damage(&outcome);
        outcome
    }

    /// The same, for a thread that may block.
    pub(crate) fn write_blocking<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let outcome = self.send(write)?.blocking_recv().map_err(|_| LibraryError::Closed)?;
        self.note_damage(&outcome);
        outcome
    }

    /// Ends the writer after what it was given, and closes every connection. Blocks.
    pub(crate) fn close(&self) {
        // The readers first: the last connection to close folds the log into the file, and a reader may not.
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((sender, thread)) = writer {
            drop(sender);
            if thread.join().is_err() {
                tracing::error!("the library's writer ended by a panic");
            }
        }
    }

    fn send<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (reply, outcome) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody may be waiting any more; the write stands either way.
            let _ = reply.send(in_transaction(connection, write));
        });
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, _) = writer.as_ref().ok_or(LibraryError::Closed)?;
        sender.send(job).map_err(|_| LibraryError::Closed)?;
        Ok(outcome)
    }

    /// Damage found while running leaves a mark, by which the next start makes the index anew.
    fn note_damage<T>(&self, outcome: &Result<T>) {
        if let Err(error) = outcome
            && is_damage(error)
            && let Err(error) = fs::write(marker(&self.index), b"")
        {
            tracing::error!(%error, "the damaged index could not be marked for rebuilding");
        }
    }
}

fn in_transaction<T>(connection: &mut Connection, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let value = write(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn open_index(index: &Path, curation: &Path) -> Result<Connection> {
    let mut connection = migrate(index, table::INDEX, "NORMAL")?;
    let curation = curation.to_str().ok_or_else(|| LibraryError::Io {
        path: curation.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidFilename, "the data folder's path must be UTF-8"),
    })?;
    connection.execute("ATTACH DATABASE ?1 AS curation", [curation])?;
    connection.pragma_update(Some("curation"), "synchronous", "FULL")?;
    in_transaction(&mut connection, crate::index::reconcile)?;
    Ok(connection)
}

fn open_reader(index: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(index, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -1000)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a file for writing with its tables up to date.
fn migrate(path: &Path, migrations: &[&'static str], synchronous: &str) -> Result<Connection> {
    refuse_newer(path, migrations.len())?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Migrations::new(migrations.iter().map(|sql| M::up(sql)).collect()).to_latest(&mut connection)?;
    Ok(connection)
}

/// Reads the schema's version without opening the file for writing.
fn refuse_newer(path: &Path, known: usize) -> Result<()> {
    if !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    let known = u32::try_from(known).unwrap_or(u32::MAX);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(LibraryError::NewerSchema { path: path.to_owned(), found, known });
    }
    Ok(())
}

fn is_damage(error: &LibraryError) -> bool {
    let code = match error {
        LibraryError::Database(error) => error.sqlite_error_code(),
        LibraryError::Migration(rusqlite_migration::Error::RusqliteError { err, .. }) => err.sqlite_error_code(),
        _ => None,
    };
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn marker(index: &Path) -> PathBuf {
    index.with_extension("damaged")
}

/// Keeps the damaged file as `library.sqlite.bad`, for whoever wants to look, and makes room for a new one.
fn move_aside(index: &Path) -> Result<()> {
    let failed = |source| LibraryError::Io { path: index.to_owned(), source };
    if index.exists() {
        fs::rename(index, index.with_extension("sqlite.bad")).map_err(failed)?;
    }
    for rest in ["sqlite-wal", "sqlite-shm", "damaged"] {
        match fs::remove_file(index.with_extension(rest)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
