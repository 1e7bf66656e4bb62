//! Opening the file: pragmas, the refusal of newer files, migrations and recovery.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use crate::event::Changes;
use crate::job::moved::Moves;
use crate::{
    QueueError, app, batch, destination, grant, history, job, lane, mirror, notebook, overrides, receipt, rule, settings, traffic,
};

/// One step for each table, in the order of the versions. Only ever add at the end.
const STEPS: &[M<'static>] = &[
    M::up(settings::SCHEMA),
    M::up(overrides::SCHEMA),
    M::up(app::SCHEMA),
    M::up(grant::SCHEMA),
    M::up(destination::SCHEMA),
    M::up(rule::SCHEMA),
    M::up(batch::SCHEMA),
    M::up(job::SCHEMA),
    M::up(job::moved::SCHEMA),
    M::up(lane::SCHEMA),
    M::up(receipt::SCHEMA),
    M::up(traffic::SCHEMA),
    M::up(destination::OPTIONS),
    M::up(history::SCHEMA),
    M::up(mirror::SCHEMA),
    M::up(destination::HAS_CREDENTIAL),
    M::up(notebook::SCHEMA),
];

/// How long a connection waits for another process's lock; only a tool of the person's could hold one.
const BUSY_MS: u32 = 5000;

/// The connection that writes, and what its triggers note.
pub(crate) struct WriteConnection {
    pub(crate) db: Connection,
    pub(crate) moves: Moves,
}

/// Opens the file for writing, brought to this version, with no job under way.
pub(crate) fn prepare(path: &Path) -> Result<WriteConnection, QueueError> {
    refuse_newer(path)?;
    let mut opened = open_writer(path)?;
    Migrations::from_slice(STEPS).to_latest(&mut opened.db).map_err(QueueError::Migration)?;
    let recovery = opened.db.unchecked_transaction()?;
    let interrupted = job::recover(&recovery)?;
    // Nobody listens yet.
    opened.moves.settle(&recovery, &mut Changes::default())?;
    recovery.commit()?;
    if interrupted > 0 {
        tracing::info!(interrupted, "jobs were under way when the service ended; they go on where the server is");
    }
    Ok(opened)
}

/// The writing connection. It is the only one.
pub(crate) fn open_writer(path: &Path) -> Result<WriteConnection, QueueError> {
    let db = Connection::open(path)?;
    db.pragma_update(None, "busy_timeout", BUSY_MS)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "fullfsync", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "cache_size", -1000)?;
    db.set_prepared_statement_cache_capacity(64);
    let moves = Moves::default();
    moves.watch(&db)?;
    Ok(WriteConnection { db, moves })
}

/// A connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, QueueError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.pragma_update(None, "busy_timeout", BUSY_MS)?;
    db.pragma_update(None, "cache_size", -1000)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// Lets go of a connection without writing a byte on the way out.
pub(crate) fn abandon(db: Connection) {
    if let Err(error) = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::warn!(%error, "the queue's file may be written while it is closed");
    }
    if let Err((_, error)) = db.close() {
        tracing::warn!(%error, "the queue's file did not close cleanly");
    }
}

/// Refuses a file of a newer version without changing it: first by the header, where the version is the big-endian number at offset 60
/// (fileformat2.html, section 1.3), then, if there is a log that may hold a newer header, through a connection that can neither write nor
/// fold that log into the file.
fn refuse_newer(path: &Path) -> Result<(), QueueError> {
    let newer = || QueueError::NewerSchema { path: path.to_owned() };
    let unreadable = |source| QueueError::Unreadable { path: path.to_owned(), source };
    let is_known = |version: i64| usize::try_from(version).is_ok_and(|version| version <= STEPS.len());
    let mut header = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(64).read_to_end(&mut header).map_err(unreadable)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    if let Some(version) = header.last_chunk::<4>().filter(|_| header.len() == 64)
        && !is_known(i32::from_be_bytes(*version).into())
    {
        return Err(newer());
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        let db = open_reader(path)?;
        let version = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        abandon(db);
        if !is_known(version) {
            return Err(newer());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_valid() {
        Migrations::from_slice(STEPS).validate().unwrap();
    }
}
