//! The senders that were paired.

use rusqlite::{Connection, Transaction};

use crate::digest::Digest;

/// Remembers a sender.
pub(crate) fn insert(transaction: &Transaction<'_>, sender: &str, token: &Digest, created_ms: i64) -> rusqlite::Result<()> {
    let row = rusqlite::params![sender, token.bytes(), created_ms];
    transaction.execute("INSERT INTO paired (sender, token_sha256, created_ms) VALUES (?1, ?2, ?3)", row)?;
    Ok(())
}

/// Every sender and the digest of its token.
pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<(String, Digest)>> {
    let mut query = connection.prepare("SELECT sender, token_sha256 FROM paired")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let known = rows.map(|row| row.map(|(sender, digest)| Digest::from_bytes(&digest).map(|digest| (sender, digest))));
    known.filter_map(Result::transpose).collect()
}
