//! Folders, the files in them, and the content that files hold. Many files may hold one content; each is one place where it is found.

use std::{
    collections::HashMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use afterglow_model::{AssetResourceType, SourceId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::asset::{role_code, role_of_code};
use crate::{
    Result,
    content::{Kind, Stat},
    identity::{AssetKey, Digest},
    metadata::{Metadata, Taken},
    names,
};

pub(crate) const MIGRATION: &str = "
CREATE TABLE folder (
    num INTEGER PRIMARY KEY,
    source TEXT NOT NULL REFERENCES source (id),
    path BLOB NOT NULL,             -- below the source's root
    collection INTEGER NOT NULL,    -- its album
    UNIQUE (source, path)
) STRICT;
CREATE TABLE file (
    num INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL REFERENCES folder (num),
    name BLOB NOT NULL,
    stem BLOB NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, ino INTEGER NOT NULL, dev INTEGER NOT NULL,
    state INTEGER NOT NULL,
    sha256 BLOB,                    -- of what was last read here
    asset BLOB, role INTEGER,       -- the asset it belongs to, and its part in it
    UNIQUE (folder, name)
) STRICT;
CREATE INDEX file_stem ON file (folder, stem);
CREATE INDEX file_asset ON file (asset);
CREATE INDEX file_sha256 ON file (sha256);
CREATE INDEX file_inode ON file (ino, size);
CREATE INDEX file_unreadable ON file (folder) WHERE state = 2;
CREATE TABLE content (
    sha256 BLOB PRIMARY KEY,
    kind INTEGER NOT NULL, content_type TEXT NOT NULL, byte_count INTEGER NOT NULL,
    taken_utc INTEGER, taken_local INTEGER,
    width INTEGER NOT NULL, height INTEGER NOT NULL, orientation INTEGER NOT NULL, duration_ms INTEGER,
    camera TEXT, latitude REAL, longitude REAL, animated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What is known of a file's readability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileState {
    /// Read, and unchanged since.
    Present,
    /// Being written.
    Changing,
    /// It could not be read.
    Unreadable,
    /// Neither photo nor video.
    NotMedia,
    /// On a drive within the source that is not plugged in.
    Offline,
}

impl FileState {
    const ALL: [Self; 5] = [Self::Present, Self::Changing, Self::Unreadable, Self::NotMedia, Self::Offline];

    fn code(self) -> i64 {
        match self {
            Self::Present => 0,
            Self::Changing => 1,
            Self::Unreadable => 2,
            Self::NotMedia => 3,
            Self::Offline => 4,
        }
    }

    fn of_code(code: i64) -> Self {
        Self::ALL.into_iter().find(|state| state.code() == code).unwrap_or(Self::Changing)
    }
}

/// What a rescan compares with.
#[derive(Debug, Clone)]
pub(crate) struct KnownFile {
    pub(crate) num: i64,
    pub(crate) stat: Stat,
    pub(crate) state: FileState,
}

/// Content and what it says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    pub(crate) sha256: Digest,
    pub(crate) kind: Kind,
    pub(crate) content_type: String,
    pub(crate) byte_count: i64,
    pub(crate) metadata: Metadata,
}

/// A file within its asset, with its content.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) num: i64,
    pub(crate) name: OsString,
    pub(crate) folder: PathBuf,
    pub(crate) collection: i64,
    pub(crate) source: SourceId,
    pub(crate) root: PathBuf,
    pub(crate) online: bool,
    pub(crate) state: FileState,
    pub(crate) mtime_ms: i64,
    pub(crate) role: AssetResourceType,
    pub(crate) content: Content,
}

impl Place {
    /// Absolute.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(&self.folder).join(&self.name)
    }

    /// Whether it can be read now, as far as is known.
    pub(crate) fn is_present(&self) -> bool {
        self.online && self.state == FileState::Present
    }
}

/// A file of a pairing group.
pub(crate) struct Grouped {
    pub(crate) num: i64,
    pub(crate) name: OsString,
    pub(crate) content: Digest,
    pub(crate) kind: Kind,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) size: i64,
    pub(crate) asset: Option<AssetKey>,
    pub(crate) role: Option<i64>,
}

fn stat_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Stat> {
    Ok(Stat {
        size: row.get(at)?,
        mtime_ns: row.get(at + 1)?,
        ctime_ns: row.get(at + 2)?,
        ino: row.get(at + 3)?,
        dev: row.get(at + 4)?,
    })
}

const CONTENT_COLUMNS: &str = "content.sha256, content.kind, content.content_type, content.byte_count, content.taken_utc,
    content.taken_local, content.width, content.height, content.orientation, content.duration_ms, content.camera, content.latitude,
    content.longitude, content.animated";

fn content_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Content> {
    let taken = row.get::<_, Option<i64>>(at + 4)?.zip(row.get(at + 5)?);
    let place = row.get::<_, Option<f64>>(at + 11)?.zip(row.get(at + 12)?);
    Ok(Content {
        sha256: row.get(at)?,
        kind: Kind::of_code(row.get(at + 1)?).unwrap_or(Kind::Sidecar),
        content_type: row.get(at + 2)?,
        byte_count: row.get(at + 3)?,
        metadata: Metadata {
            taken: taken.map(|(utc_ms, local_ms)| Taken { utc_ms, local_ms }),
            width: row.get(at + 6)?,
            height: row.get(at + 7)?,
            orientation: row.get(at + 8)?,
            duration_ms: row.get(at + 9)?,
            camera: row.get(at + 10)?,
            location: place.map(|(latitude, longitude)| afterglow_model::Location { latitude, longitude }),
            animated: row.get(at + 13)?,
        },
    })
}

/// The folder's number, if it is known.
pub(crate) fn find_folder(db: &Connection, source: &SourceId, path: &Path) -> Result<Option<i64>> {
    let mut statement = db.prepare_cached("SELECT num FROM folder WHERE source = ?1 AND path = ?2")?;
    Ok(statement.query_row(params![source.0, names::to_bytes(path.as_os_str())], |row| row.get(0)).optional()?)
}

/// Adds a folder whose album has this number.
pub(crate) fn insert_folder(db: &Connection, source: &SourceId, path: &Path, collection: i64) -> Result<i64> {
    db.prepare_cached("INSERT INTO folder (source, path, collection) VALUES (?1, ?2, ?3)")?.execute(params![
        source.0,
        names::to_bytes(path.as_os_str()),
        collection
    ])?;
    Ok(db.last_insert_rowid())
}

/// Every known folder of a source that still holds files, with its path below the root.
pub(crate) fn folders(db: &Connection, source: &SourceId) -> Result<Vec<(i64, PathBuf)>> {
    let sql = "SELECT num, path FROM folder WHERE source = ?1 AND EXISTS (SELECT 1 FROM file WHERE file.folder = folder.num)";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([&source.0], |row| Ok((row.get(0)?, names::from_bytes(row.get(1)?).into())))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The files of a folder by name.
pub(crate) fn in_folder(db: &Connection, folder: i64) -> Result<HashMap<OsString, KnownFile>> {
    let sql = "SELECT name, num, size, mtime_ns, ctime_ns, ino, dev, state FROM file WHERE folder = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([folder], |row| {
        let known = KnownFile { num: row.get(1)?, stat: stat_of(row, 2)?, state: FileState::of_code(row.get(7)?) };
        Ok((names::from_bytes(row.get(0)?), known))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a source's files were last seen, and on another device than `dev`.
pub(crate) fn any_elsewhere(db: &Connection, source: &SourceId, dev: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM folder JOIN file ON file.folder = folder.num WHERE folder.source = ?1 AND file.dev <> ?2 LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row(params![source.0, dev], |_| Ok(())).optional()?.is_some())
}

/// What a file held that is now elsewhere: same device, inode, size and modification time. Its change time moves with a rename.
pub(crate) fn renamed(db: &Connection, stat: &Stat) -> Result<Option<Digest>> {
    let sql =
        "SELECT sha256 FROM file WHERE ino = ?1 AND size = ?2 AND dev = ?3 AND mtime_ns = ?4 AND state = 0 AND sha256 IS NOT NULL";
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_row([stat.ino, stat.size, stat.dev, stat.mtime_ns], |row| row.get(0)).optional()?)
}

/// Writes what is known of a file; content that is known stays if `content` is none.
pub(crate) fn put(
    db: &Connection,
    folder: i64,
    name: &std::ffi::OsStr,
    stat: &Stat,
    state: FileState,
    content: Option<&Digest>,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO file (folder, name, stem, size, mtime_ns, ctime_ns, ino, dev, state, sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (folder, name) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,
             ino = excluded.ino, dev = excluded.dev, state = excluded.state, sha256 = coalesce(excluded.sha256, file.sha256)",
    )?
    .execute(params![
        folder,
        names::to_bytes(name),
        names::pairing_stem(name),
        stat.size,
        stat.mtime_ns,
        stat.ctime_ns,
        stat.ino,
        stat.dev,
        state.code(),
        content
    ])?;
    Ok(())
}

/// What a file held when it was last read.
pub(crate) fn content_at(db: &Connection, folder: i64, name: &std::ffi::OsStr) -> Result<Option<Digest>> {
    let mut statement = db.prepare_cached("SELECT sha256 FROM file WHERE folder = ?1 AND name = ?2")?;
    let found = statement.query_row(params![folder, names::to_bytes(name)], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}

/// Says of a file that it is no more than a name: what it held is not there any longer.
pub(crate) fn forget_content(db: &Connection, folder: i64, name: &std::ffi::OsStr) -> Result<()> {
    db.prepare_cached("UPDATE file SET sha256 = NULL WHERE folder = ?1 AND name = ?2")?
        .execute(params![folder, names::to_bytes(name)])?;
    Ok(())
}

/// Marks a file's state alone.
pub(crate) fn set_state(db: &Connection, num: i64, state: FileState) -> Result<()> {
    db.prepare_cached("UPDATE file SET state = ?2 WHERE num = ?1")?.execute([num, state.code()])?;
    Ok(())
}

/// What a removed file leaves behind: its folder, its stem and its asset.
pub(crate) type Removed = (i64, Vec<u8>, Option<AssetKey>);

/// Removes a file.
pub(crate) fn delete(db: &Connection, num: i64) -> Result<Option<Removed>> {
    let mut statement = db.prepare_cached("DELETE FROM file WHERE num = ?1 RETURNING folder, stem, asset")?;
    Ok(statement.query_row([num], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?)
}

/// The files of a source.
pub(crate) fn of_source(db: &Connection, source: &SourceId) -> Result<Vec<i64>> {
    let mut statement = db.prepare("SELECT file.num FROM folder JOIN file ON file.folder = folder.num WHERE folder.source = ?1")?;
    let rows = statement.query_map([&source.0], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes the folders of a source, whose files must be gone.
pub(crate) fn delete_folders(db: &Connection, source: &SourceId) -> Result<()> {
    db.execute("DELETE FROM folder WHERE source = ?1", [&source.0])?;
    Ok(())
}

/// Keeps content and what it says of itself.
pub(crate) fn put_content(db: &Connection, content: &Content) -> Result<()> {
    let metadata = &content.metadata;
    db.prepare_cached(
        "INSERT OR REPLACE INTO content (sha256, kind, content_type, byte_count, taken_utc, taken_local, width, height, orientation,
             duration_ms, camera, latitude, longitude, animated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        content.sha256,
        content.kind.code(),
        content.content_type,
        content.byte_count,
        metadata.taken.map(|taken| taken.utc_ms),
        metadata.taken.map(|taken| taken.local_ms),
        metadata.width,
        metadata.height,
        metadata.orientation,
        metadata.duration_ms,
        metadata.camera,
        metadata.location.as_ref().map(|place| place.latitude),
        metadata.location.as_ref().map(|place| place.longitude),
        metadata.animated
    ])?;
    Ok(())
}

/// Forgets content that no file holds.
pub(crate) fn prune_content(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM content WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.sha256 = content.sha256)", [])?;
    Ok(())
}

/// The files of a folder that share a stem and hold something, by name.
pub(crate) fn group(db: &Connection, folder: i64, stem: &[u8]) -> Result<Vec<Grouped>> {
    let sql = "SELECT file.num, file.name, file.sha256, content.kind, content.duration_ms, file.size, file.asset, file.role
        FROM file JOIN content ON content.sha256 = file.sha256 WHERE file.folder = ?1 AND file.stem = ?2 ORDER BY file.name";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![folder, stem], |row| {
        Ok(Grouped {
            num: row.get(0)?,
            name: names::from_bytes(row.get(1)?),
            content: row.get(2)?,
            kind: Kind::of_code(row.get(3)?).unwrap_or(Kind::Sidecar),
            duration_ms: row.get(4)?,
            size: row.get(5)?,
            asset: row.get(6)?,
            role: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Files of a folder and stem that hold nothing but are still counted to an asset: taken out of it.
pub(crate) fn ungroup_empty(db: &Connection, folder: i64, stem: &[u8]) -> Result<Vec<AssetKey>> {
    let sql = "SELECT asset FROM file WHERE folder = ?1 AND stem = ?2 AND sha256 IS NULL AND asset IS NOT NULL";
    let mut statement = db.prepare_cached(sql)?;
    let assets = statement.query_map(params![folder, stem], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    if !assets.is_empty() {
        db.prepare_cached("UPDATE file SET asset = NULL, role = NULL WHERE folder = ?1 AND stem = ?2 AND sha256 IS NULL")?
            .execute(params![folder, stem])?;
    }
    Ok(assets)
}

/// Gives a file its part.
pub(crate) fn set_part(db: &Connection, num: i64, part: Option<(AssetKey, AssetResourceType)>) -> Result<()> {
    db.prepare_cached("UPDATE file SET asset = ?2, role = ?3 WHERE num = ?1")?.execute(params![
        num,
        part.map(|(asset, _)| asset),
        part.map(|(_, role)| role_code(role))
    ])?;
    Ok(())
}

/// Every place of every resource of an asset: by part, those that can be read first, the oldest row first.
pub(crate) fn places(db: &Connection, asset: AssetKey) -> Result<Vec<Place>> {
    let sql = format!(
        "SELECT file.num, file.name, folder.path, folder.collection, source.id, source.path, source.online, file.state, file.mtime_ns,
             file.role, {CONTENT_COLUMNS}
         FROM file JOIN folder ON folder.num = file.folder JOIN source ON source.id = folder.source
             JOIN content ON content.sha256 = file.sha256
         WHERE file.asset = ?1 ORDER BY file.role, source.online DESC, file.state, file.num"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([asset], |row| {
        Ok(Place {
            num: row.get(0)?,
            name: names::from_bytes(row.get(1)?),
            folder: names::from_bytes(row.get(2)?).into(),
            collection: row.get(3)?,
            source: SourceId(row.get(4)?),
            root: names::from_bytes(row.get(5)?).into(),
            online: row.get(6)?,
            state: FileState::of_code(row.get(7)?),
            mtime_ms: row.get::<_, i64>(8)? / 1_000_000,
            role: role_of_code(row.get(9)?),
            content: content_of(row, 10)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// An asset and its part that holds this content, if any does.
pub(crate) fn part_with(db: &Connection, content: &Digest) -> Result<Option<(AssetKey, AssetResourceType)>> {
    let mut statement =
        db.prepare_cached("SELECT asset, role FROM file WHERE sha256 = ?1 AND asset IS NOT NULL ORDER BY role LIMIT 1")?;
    Ok(statement.query_row([content], |row| Ok((row.get(0)?, role_of_code(row.get(1)?)))).optional()?)
}
