//! The sources as the index knows them: where they are, whether they are there. Which there are is [`super::curation`]'s.

use std::path::PathBuf;

use afterglow_model::{SourceId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Result, names};

pub(crate) const MIGRATION: &str = "
CREATE TABLE source (
    id TEXT PRIMARY KEY,
    path BLOB NOT NULL,
    online INTEGER NOT NULL DEFAULT 1,
    scanned_at INTEGER
) STRICT, WITHOUT ROWID;
";

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceRow {
    pub(crate) id: SourceId,
    pub(crate) path: PathBuf,
    pub(crate) online: bool,
    pub(crate) scanned_at: Option<Timestamp>,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow {
        id: SourceId(row.get(0)?),
        path: names::from_bytes(row.get(1)?).into(),
        online: row.get(2)?,
        scanned_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
    })
}

/// Every source, by path.
pub(crate) fn all(db: &Connection) -> Result<Vec<SourceRow>> {
    let mut statement = db.prepare_cached("SELECT id, path, online, scanned_at FROM source ORDER BY path")?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One source.
pub(crate) fn find(db: &Connection, id: &SourceId) -> Result<Option<SourceRow>> {
    let mut statement = db.prepare_cached("SELECT id, path, online, scanned_at FROM source WHERE id = ?1")?;
    Ok(statement.query_row([&id.0], from_row).optional()?)
}

/// Adds a source, unless it is there.
pub(crate) fn insert(db: &Connection, id: &SourceId, path: &std::path::Path) -> Result<()> {
    db.execute("INSERT OR IGNORE INTO source (id, path) VALUES (?1, ?2)", params![id.0, names::to_bytes(path.as_os_str())])?;
    Ok(())
}

/// Removes a source. Its folders must be gone.
pub(crate) fn delete(db: &Connection, id: &SourceId) -> Result<()> {
    db.execute("DELETE FROM source WHERE id = ?1", [&id.0])?;
    Ok(())
}

/// Whether it is there now; true if that is news.
pub(crate) fn set_online(db: &Connection, id: &SourceId, online: bool) -> Result<bool> {
    Ok(db.execute("UPDATE source SET online = ?2 WHERE id = ?1 AND online <> ?2", params![id.0, online])? > 0)
}

/// When all of it was last looked through.
pub(crate) fn set_scanned(db: &Connection, id: &SourceId, at: Timestamp) -> Result<()> {
    db.execute("UPDATE source SET scanned_at = ?2 WHERE id = ?1", params![id.0, at.0])?;
    Ok(())
}

/// Files that could not be read.
pub(crate) fn unreadable(db: &Connection, id: &SourceId) -> Result<u64> {
    let sql = "SELECT count(*) FROM file JOIN folder ON folder.num = file.folder WHERE folder.source = ?1 AND file.state = 2";
    Ok(db.prepare_cached(sql)?.query_row([&id.0], |row| row.get(0))?)
}

/// Assets with at least one file in it.
pub(crate) fn assets(db: &Connection, id: &SourceId) -> Result<u64> {
    let sql = "SELECT count(DISTINCT file.asset) FROM folder JOIN file ON file.folder = folder.num WHERE folder.source = ?1";
    Ok(db.prepare_cached(sql)?.query_row([&id.0], |row| row.get(0))?)
}
