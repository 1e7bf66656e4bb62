//! What the person decided: sources, albums, favourites. Lives in `curation.sqlite`, attached as `curation`.
//!
//! Members and marks are kept by the SHA-256 of an asset's primary resource, so they outlive the index, a move and a rename.

use std::path::{Path, PathBuf};

use afterglow_model::{SourceId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Result, identity::Digest, names};

pub(crate) const MIGRATION: &str = "
CREATE TABLE source (id TEXT PRIMARY KEY, path BLOB NOT NULL UNIQUE, added_at INTEGER NOT NULL) STRICT;
CREATE TABLE album (id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE album_asset (
    album TEXT NOT NULL REFERENCES album (id) ON DELETE CASCADE,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (album, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX album_asset_sha256 ON album_asset (sha256);
CREATE TABLE favorite (sha256 BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
";

/// Remembers a source.
pub(crate) fn insert_source(db: &Connection, id: &SourceId, path: &Path, now: Timestamp) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO curation.source (id, path, added_at) VALUES (?1, ?2, ?3)")?.execute(params![
        id.0,
        names::to_bytes(path.as_os_str()),
        now.0
    ])?;
    Ok(())
}

/// Forgets a source.
pub(crate) fn delete_source(db: &Connection, id: &SourceId) -> Result<()> {
    db.execute("DELETE FROM curation.source WHERE id = ?1", [&id.0])?;
    Ok(())
}

/// Every source.
pub(crate) fn sources(db: &Connection) -> Result<Vec<(SourceId, PathBuf)>> {
    let mut statement = db.prepare("SELECT id, path FROM curation.source ORDER BY added_at, id")?;
    let rows = statement.query_map([], |row| Ok((SourceId(row.get(0)?), names::from_bytes(row.get(1)?).into())))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes an album.
pub(crate) fn insert_album(db: &Connection, id: &str, title: &str, now: Timestamp) -> Result<()> {
    db.execute("INSERT INTO curation.album (id, title, created_at) VALUES (?1, ?2, ?3)", params![id, title, now.0])?;
    Ok(())
}

/// Renames an album; false if there is none.
pub(crate) fn rename_album(db: &Connection, id: &str, title: &str) -> Result<bool> {
    Ok(db.execute("UPDATE curation.album SET title = ?2 WHERE id = ?1", [id, title])? > 0)
}

/// Removes an album; false if there is none.
pub(crate) fn delete_album(db: &Connection, id: &str) -> Result<bool> {
    Ok(db.execute("DELETE FROM curation.album WHERE id = ?1", [id])? > 0)
}

/// Every album with its title, oldest first.
pub(crate) fn albums(db: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = db.prepare("SELECT id, title FROM curation.album ORDER BY created_at, id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Puts content into an album, or takes it out.
pub(crate) fn set_member(db: &Connection, album: &str, content: &Digest, member: bool) -> Result<()> {
    let sql = match member {
        true => "INSERT OR IGNORE INTO curation.album_asset (album, sha256) VALUES (?1, ?2)",
        false => "DELETE FROM curation.album_asset WHERE album = ?1 AND sha256 = ?2",
    };
    db.prepare_cached(sql)?.execute(params![album, content])?;
    Ok(())
}

/// Marks content, or takes the mark away.
pub(crate) fn set_favorite(db: &Connection, content: &Digest, marked: bool) -> Result<()> {
    let sql = match marked {
        true => "INSERT OR IGNORE INTO curation.favorite (sha256) VALUES (?1)",
        false => "DELETE FROM curation.favorite WHERE sha256 = ?1",
    };
    db.prepare_cached(sql)?.execute([content])?;
    Ok(())
}

/// Whether content is marked.
pub(crate) fn is_favorite(db: &Connection, content: &Digest) -> Result<bool> {
    let found =
        db.prepare_cached("SELECT 1 FROM curation.favorite WHERE sha256 = ?1")?.query_row([content], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

/// The albums that hold content.
pub(crate) fn albums_of(db: &Connection, content: &Digest) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached("SELECT album FROM curation.album_asset WHERE sha256 = ?1")?;
    let rows = statement.query_map([content], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The content of an album.
pub(crate) fn members(db: &Connection, album: &str) -> Result<Vec<Digest>> {
    let mut statement = db.prepare("SELECT sha256 FROM curation.album_asset WHERE album = ?1")?;
    let rows = statement.query_map([album], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every content that is marked.
pub(crate) fn favorites(db: &Connection) -> Result<Vec<Digest>> {
    let mut statement = db.prepare("SELECT sha256 FROM curation.favorite")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Gives the marks and albums of a file's old content to what the file was rewritten to.
pub(crate) fn carry_over(db: &Connection, from: &Digest, to: &Digest) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO curation.album_asset (album, sha256)
         SELECT album, ?2 FROM curation.album_asset WHERE sha256 = ?1",
    )?
    .execute([from, to])?;
    db.prepare_cached("INSERT OR IGNORE INTO curation.favorite (sha256) SELECT ?2 FROM curation.favorite WHERE sha256 = ?1")?
        .execute([from, to])?;
    Ok(())
}
