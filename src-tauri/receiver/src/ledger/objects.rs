//! The tables `objects` and `keys`: what is stored, for whom, and under which idempotency keys.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use crate::digest::Digest;
use crate::name;

/// A stored file.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Grows with every object; the cursor of the list.
    pub(crate) id: i64,
    /// Whose it is.
    pub(crate) sender: String,
    /// `yyyy/mm/name` below the receiver's folder.
    pub(crate) path: String,
    pub(crate) digest: Digest,
    pub(crate) length: u64,
    pub(crate) media_type: Option<String>,
    pub(crate) created_ms: i64,
    /// Name of the file in staging that became this object.
    pub(crate) staged: String,
    /// Whether it is known to be in its folder.
    pub(crate) placed: bool,
}

/// A file about to become an object.
pub(crate) struct NewObject {
    pub(crate) sender: String,
    pub(crate) folder: String,
    /// Made safe already.
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) length: u64,
    pub(crate) media_type: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) staged: String,
}

/// ` (2)` to ` (9)` are tried before a name gets the content's digest, so that a thousand equal names cost no search.
const NUMBER_MAX: u32 = 9;
const COLUMNS: &str = "id, sender, path, sha256, length, media_type, created_ms, staged, placed";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Object> {
    Ok(Object {
        id: row.get(0)?,
        sender: row.get(1)?,
        path: row.get(2)?,
        digest: super::uploads::digest(row, 3)?,
        length: row.get::<_, i64>(4)?.unsigned_abs(),
        media_type: row.get(5)?,
        created_ms: row.get(6)?,
        staged: row.get(7)?,
        placed: row.get(8)?,
    })
}

/// The sender's object of that content.
pub(crate) fn by_digest(connection: &Connection, sender: &str, digest: &Digest) -> rusqlite::Result<Option<Object>> {
    let sql = format!("SELECT {COLUMNS} FROM objects WHERE sender = ?1 AND sha256 = ?2");
    connection.prepare_cached(&sql)?.query_row(params![sender, digest.bytes()], from_row).optional()
}

/// The sender's object at that path, which must be spelled exactly.
pub(crate) fn by_path(connection: &Connection, sender: &str, path: &str) -> rusqlite::Result<Option<Object>> {
    let sql = format!("SELECT {COLUMNS} FROM objects WHERE sender = ?1 AND path = ?2 COLLATE BINARY");
    connection.prepare_cached(&sql)?.query_row(params![sender, path], from_row).optional()
}

/// The object of that id.
pub(crate) fn by_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<Object>> {
    let sql = format!("SELECT {COLUMNS} FROM objects WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], from_row).optional()
}

/// The sender's objects with ids above `after`, oldest first.
pub(crate) fn page(connection: &Connection, sender: &str, after: i64, limit: u32) -> rusqlite::Result<Vec<Object>> {
    let sql = format!("SELECT {COLUMNS} FROM objects WHERE sender = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    connection.prepare_cached(&sql)?.query_map(params![sender, after, limit], from_row)?.collect()
}

/// The objects whose files may still be in staging.
pub(crate) fn to_place(connection: &Connection) -> rusqlite::Result<Vec<Object>> {
    let sql = format!("SELECT {COLUMNS} FROM objects WHERE placed = 0 ORDER BY id");
    connection.prepare(&sql)?.query_map([], from_row)?.collect()
}

/// Enters `new` under a path that no other object has, and returns it with `true`; or the sender's object of the same content,
/// with `false`.
pub(crate) fn insert(connection: &Connection, new: &NewObject) -> rusqlite::Result<(Object, bool)> {
    if let Some(existing) = by_digest(connection, &new.sender, &new.digest)? {
        return Ok((existing, false));
    }
    let path = free_path(connection, &new.folder, &new.name, 1, &new.digest)?;
    connection
        .prepare_cached(
            "INSERT INTO objects (sender, path, sha256, length, media_type, created_ms, staged, placed)
             VALUES (:sender, :path, :sha256, :length, :media_type, :created_ms, :staged, 0)",
        )?
        .execute(named_params! {
            ":sender": new.sender, ":path": path, ":sha256": new.digest.bytes(), ":length": new.length.cast_signed(),
            ":media_type": new.media_type, ":created_ms": new.created_ms, ":staged": new.staged,
        })?;
    let object = Object {
        id: connection.last_insert_rowid(),
        sender: new.sender.clone(),
        path,
        digest: new.digest,
        length: new.length,
        media_type: new.media_type.clone(),
        created_ms: new.created_ms,
        staged: new.staged.clone(),
        placed: false,
    };
    Ok((object, true))
}

/// Gives an object another path, since somebody else's file stands at its present one. `attempt` counts from 2.
pub(crate) fn move_aside(connection: &Connection, object: &Object, attempt: u32) -> rusqlite::Result<()> {
    let (folder, name) = object.path.rsplit_once('/').unwrap_or(("", &object.path));
    let path = free_path(connection, folder, name, attempt, &object.digest)?;
    connection.execute("UPDATE objects SET path = ?2 WHERE id = ?1", params![object.id, path])?;
    Ok(())
}

/// Notes that the object's file is in its folder.
pub(crate) fn set_placed(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE objects SET placed = 1 WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// The files of these names are in staging, whatever was noted: their moves into the folder were not on disk yet when the power failed.
pub(crate) fn set_staged(connection: &Connection, staged: &HashSet<String>) -> rusqlite::Result<()> {
    let names = serde_json::Value::from_iter(staged.iter().cloned()).to_string();
    let noted = "UPDATE objects SET placed = 0 WHERE placed = 1 AND staged IN (SELECT value FROM json_each(?1))";
    connection.execute(noted, [names]).map(drop)
}

/// Forgets an object, and with it the keys and finished uploads that stand for its content.
pub(crate) fn forget(connection: &Connection, object: &Object) -> rusqlite::Result<()> {
    let content = params![object.sender, object.digest.bytes()];
    connection.execute("DELETE FROM objects WHERE id = ?1", [object.id])?;
    connection.execute("DELETE FROM keys WHERE sender = ?1 AND sha256 = ?2", content)?;
    connection.execute("DELETE FROM uploads WHERE sender = ?1 AND received_sha256 = ?2", content)?;
    Ok(())
}

/// The content that a key stands for.
pub(crate) fn key(connection: &Connection, sender: &str, key: &str) -> rusqlite::Result<Option<Digest>> {
    let mut statement = connection.prepare_cached("SELECT sha256 FROM keys WHERE sender = ?1 AND key = ?2")?;
    statement.query_row([sender, key], |row| super::uploads::digest(row, 0)).optional()
}

/// Lets `key` stand for `digest` from now on; the first content of a key stays.
pub(crate) fn set_key(connection: &Connection, sender: &str, key: &str, digest: &Digest, now_ms: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO keys (sender, key, sha256, created_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
        .execute(params![sender, key, digest.bytes(), now_ms])?;
    Ok(())
}

fn free_path(connection: &Connection, folder: &str, name: &str, from: u32, digest: &Digest) -> rusqlite::Result<String> {
    let mut taken = connection.prepare_cached("SELECT 1 FROM objects WHERE path = ?1")?;
    for n in from..=NUMBER_MAX {
        let path = if n == 1 { format!("{folder}/{name}") } else { format!("{folder}/{}", name::numbered(name, n)) };
        if !taken.exists([&path])? {
            return Ok(path);
        }
    }
    // Unique but for the same content of two senders, which the sender's own number then tells apart.
    let digested = name::digested(name, digest);
    let mut path = format!("{folder}/{digested}");
    let mut n = from.max(2);
    while taken.exists([&path])? {
        path = format!("{folder}/{}", name::numbered(&digested, n));
        n += 1;
    }
    Ok(path)
}
