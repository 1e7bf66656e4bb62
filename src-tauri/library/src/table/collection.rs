//! Albums of every kind, by number. What is in them is [`super::entry`]'s.

use std::path::Path;

use afterglow_model::{AssetCollection, CollectionId, CollectionKind, SmartAlbum, SourceId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Result, identity, names};

pub(crate) const MIGRATION: &str = "
CREATE TABLE collection (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind INTEGER NOT NULL,          -- 0 smart, 1 folder, 2 album
    title TEXT NOT NULL,
    position INTEGER NOT NULL,
    source TEXT,                    -- of a folder
    path BLOB                       -- of a folder, absolute
) STRICT;
CREATE INDEX collection_path ON collection (path) WHERE path IS NOT NULL;
";

const COLUMNS: &str =
    "id, kind, title, source, (SELECT coalesce(sum(count), 0) FROM section WHERE section.collection = collection.num)";

fn from_row(row: &Row<'_>) -> rusqlite::Result<AssetCollection> {
    let id = CollectionId(row.get(0)?);
    let kind = match row.get::<_, i64>(1)? {
        0 => CollectionKind::SmartAlbum,
        1 => CollectionKind::Folder,
        _ => CollectionKind::Album,
    };
    Ok(AssetCollection {
        smart_album: SmartAlbum::from_id(&id),
        id,
        kind,
        title: row.get(2)?,
        source_id: row.get::<_, Option<String>>(3)?.map(SourceId),
        count: row.get(4)?,
    })
}

/// A collection's number.
pub(crate) fn num(db: &Connection, id: &CollectionId) -> Result<Option<i64>> {
    Ok(db.prepare_cached("SELECT num FROM collection WHERE id = ?1")?.query_row([&id.0], |row| row.get(0)).optional()?)
}

/// The number of a folder's album, made if it is not there.
pub(crate) fn ensure_folder(db: &Connection, source: &SourceId, root: &Path, folder: &Path) -> Result<i64> {
    let id = identity::folder_id(source, folder);
    if let Some(num) = num(db, &id)? {
        return Ok(num);
    }
    // Joining an empty path would leave a slash at the end.
    let path = if folder.as_os_str().is_empty() { root.to_owned() } else { root.join(folder) };
    let title = names::display(path.file_name().unwrap_or(path.as_os_str()));
    db.prepare_cached("INSERT INTO collection (id, kind, title, position, source, path) VALUES (?1, 1, ?2, 0, ?3, ?4)")?
        .execute(params![id.0, title, source.0, names::to_bytes(path.as_os_str())])?;
    Ok(db.last_insert_rowid())
}

/// The number of a smart album: fixed, so that nothing needs to look it up.
pub(crate) fn smart_num(album: SmartAlbum) -> i64 {
    SmartAlbum::ALL.into_iter().zip(1..).find(|(known, _)| *known == album).map_or(0, |(_, num)| num)
}

/// Writes the smart albums. They come first, so their numbers are free.
pub(crate) fn put_smart(db: &Connection) -> Result<()> {
    for album in SmartAlbum::ALL {
        let num = smart_num(album);
        db.execute(
            "INSERT OR IGNORE INTO collection (num, id, kind, title, position) VALUES (?1, ?2, 0, ?3, ?1)",
            params![num, album.id().0, album.title()],
        )?;
    }
    Ok(())
}

/// Writes a user album as it is now.
pub(crate) fn put_album(db: &Connection, id: &str, title: &str) -> Result<()> {
    db.execute(
        "INSERT INTO collection (id, kind, title, position) VALUES (?1, 2, ?2, 0) ON CONFLICT (id) DO UPDATE SET title = excluded.title",
        [id, title],
    )?;
    Ok(())
}

/// Removes a collection and what was in it.
pub(crate) fn delete(db: &Connection, id: &CollectionId) -> Result<()> {
    if let Some(num) = num(db, id)? {
        super::entry::clear(db, num)?;
        db.execute("DELETE FROM collection WHERE num = ?1", [num])?;
    }
    Ok(())
}

/// The ids of the user albums that the index knows.
pub(crate) fn albums(db: &Connection) -> Result<Vec<CollectionId>> {
    let mut statement = db.prepare("SELECT id FROM collection WHERE kind = 2")?;
    let rows = statement.query_map([], |row| row.get(0).map(CollectionId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes the folder albums of a source.
pub(crate) fn delete_of_source(db: &Connection, source: &SourceId) -> Result<()> {
    db.execute("DELETE FROM collection WHERE source = ?1", [&source.0])?;
    Ok(())
}

/// Smart albums in order, folders that hold assets by path, user albums by title.
pub(crate) fn all(db: &Connection) -> Result<Vec<AssetCollection>> {
    let sql = format!("SELECT {COLUMNS} FROM collection ORDER BY kind, position, path, title COLLATE NOCASE");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], from_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter(|found| found.kind != CollectionKind::Folder || found.count > 0).collect())
}

/// One collection by its id.
pub(crate) fn find(db: &Connection, id: &CollectionId) -> Result<Option<AssetCollection>> {
    let sql = format!("SELECT {COLUMNS} FROM collection WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([&id.0], from_row).optional()?)
}

/// One folder by its absolute path.
pub(crate) fn find_path(db: &Connection, path: &str) -> Result<Option<AssetCollection>> {
    let sql = format!("SELECT {COLUMNS} FROM collection WHERE path = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([path.as_bytes()], from_row).optional()?)
}
