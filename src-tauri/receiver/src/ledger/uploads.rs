//! The table `uploads`: the upload resources.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use crate::digest::Digest;

/// What a creation request says about its file.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    /// Names the request, so that its repetition is known.
    pub(crate) key: Option<String>,
    /// Bytes of the whole file, once known.
    pub(crate) length: Option<u64>,
    /// SHA-256 of the whole file, if announced.
    pub(crate) announced: Option<Digest>,
    /// File name, made safe.
    pub(crate) name: String,
    /// When the photo was taken or last changed (`Last-Modified`), in milliseconds since 1970.
    pub(crate) modified_ms: Option<i64>,
    pub(crate) media_type: Option<String>,
}

/// How an upload ended. The digest is that of the bytes received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It became an object.
    Stored(Digest),
    /// Its bytes were not those announced; they are discarded.
    Mismatched(Digest),
}

/// An upload resource.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// Random; part of its URL.
    pub(crate) id: String,
    pub(crate) sender: String,
    pub(crate) about: Description,
    pub(crate) created_ms: i64,
    /// Bytes that the sender was told are stored.
    pub(crate) acknowledged: u64,
    /// `None` while it is open.
    pub(crate) outcome: Option<Outcome>,
}

const COLUMNS: &str =
    "id, sender, key, length, sha256, name, modified_ms, media_type, created_ms, acknowledged, outcome, received_sha256";

/// A column that holds a SHA-256.
pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    optional_digest(row, column)?.ok_or(rusqlite::Error::InvalidQuery)
}

fn optional_digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Digest>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    Ok(bytes.and_then(|bytes| Digest::from_bytes(&bytes)))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let outcome: Option<String> = row.get(10)?;
    let outcome = match outcome.as_deref() {
        None => None,
        Some("stored") => Some(Outcome::Stored(digest(row, 11)?)),
        Some(_) => Some(Outcome::Mismatched(digest(row, 11)?)),
    };
    Ok(Upload {
        id: row.get(0)?,
        sender: row.get(1)?,
        about: Description {
            key: row.get(2)?,
            length: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
            announced: optional_digest(row, 4)?,
            name: row.get(5)?,
            modified_ms: row.get(6)?,
            media_type: row.get(7)?,
        },
        created_ms: row.get(8)?,
        acknowledged: row.get::<_, i64>(9)?.unsigned_abs(),
        outcome,
    })
}

/// The sender's upload of that id.
pub(crate) fn by_id(connection: &Connection, sender: &str, id: &str) -> rusqlite::Result<Option<Upload>> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE id = ?1 AND sender = ?2");
    connection.prepare_cached(&sql)?.query_row([id, sender], from_row).optional()
}

/// The sender's upload that `key` created.
pub(crate) fn by_key(connection: &Connection, sender: &str, key: &str) -> rusqlite::Result<Option<Upload>> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE sender = ?1 AND key = ?2");
    connection.prepare_cached(&sql)?.query_row([sender, key], from_row).optional()
}

/// The ids of all uploads that are open.
pub(crate) fn open(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT id FROM uploads WHERE outcome IS NULL")?.query_map([], |row| row.get(0))?.collect()
}

/// How many uploads of the sender are open.
pub(crate) fn count_open(connection: &Connection, sender: &str) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT count(*) FROM uploads WHERE sender = ?1 AND outcome IS NULL")?
        .query_row([sender], |row| row.get(0))
}

/// The ids of uploads, open or not, that began before `created_ms`.
pub(crate) fn older_than(connection: &Connection, created_ms: i64) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT id FROM uploads WHERE created_ms < ?1")?.query_map([created_ms], |row| row.get(0))?.collect()
}

/// Enters a new upload.
pub(crate) fn insert(connection: &Connection, upload: &Upload) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO uploads (id, sender, key, length, sha256, name, modified_ms, media_type, created_ms, acknowledged)
             VALUES (:id, :sender, :key, :length, :sha256, :name, :modified_ms, :media_type, :created_ms, 0)",
        )?
        .execute(named_params! {
            ":id": upload.id, ":sender": upload.sender, ":key": upload.about.key, ":length": upload.about.length.map(u64::cast_signed),
            ":sha256": upload.about.announced.map(|digest| *digest.bytes()), ":name": upload.about.name,
            ":modified_ms": upload.about.modified_ms, ":media_type": upload.about.media_type, ":created_ms": upload.created_ms,
        })?;
    Ok(())
}

/// Records the length of the file.
pub(crate) fn set_length(connection: &Connection, id: &str, length: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE uploads SET length = ?2 WHERE id = ?1")?.execute(params![id, length.cast_signed()])?;
    Ok(())
}

/// Records what the sender is about to be told as stored.
pub(crate) fn set_acknowledged(connection: &Connection, id: &str, offset: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE uploads SET acknowledged = ?2 WHERE id = ?1")?.execute(params![id, offset.cast_signed()])?;
    Ok(())
}

/// Ends an upload of `length` bytes.
pub(crate) fn finish(connection: &Connection, id: &str, outcome: Outcome, length: u64) -> rusqlite::Result<()> {
    let (word, digest) = match outcome {
        Outcome::Stored(digest) => ("stored", digest),
        Outcome::Mismatched(digest) => ("mismatched", digest),
    };
    connection
        .prepare_cached("UPDATE uploads SET outcome = ?2, received_sha256 = ?3, length = ?4, acknowledged = ?4 WHERE id = ?1")?
        .execute(params![id, word, digest.bytes(), length.cast_signed()])?;
    Ok(())
}

/// Forgets an upload.
pub(crate) fn delete(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM uploads WHERE id = ?1")?.execute([id])?;
    Ok(())
}
