//! What changed, in order, for readers that keep a token.
//!
//! A token names this index and a place in its history. A rebuilt index has another name, and history is kept for the last
//! [`KEPT`] changes, so a token may expire; its reader then lists everything anew.

use afterglow_model::{ChangeToken, PersistentChanges};
use rusqlite::{Connection, params};

use crate::{LibraryError, Result, identity::AssetKey};

pub(crate) const MIGRATION: &str = "
CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, asset BLOB NOT NULL, kind INTEGER NOT NULL) STRICT;
CREATE TABLE history (name TEXT NOT NULL, pruned INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO history (name) VALUES (lower(hex(randomblob(8))));
";

/// Changes that are kept: a reader may miss about this many.
pub(crate) const KEPT: i64 = 500_000;

/// What happened to an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new.
    Inserted,
    /// Something of it changed.
    Updated,
    /// It is gone.
    Deleted,
}

impl Change {
    fn code(self) -> i64 {
        match self {
            Self::Inserted => 0,
            Self::Updated => 1,
            Self::Deleted => 2,
        }
    }

    fn of_code(code: i64) -> Self {
        match code {
            0 => Self::Inserted,
            2 => Self::Deleted,
            _ => Self::Updated,
        }
    }

    /// What two changes in a row come to; none if nothing is left of them.
    fn then(self, later: Self) -> Option<Self> {
        match (self, later) {
            (Self::Inserted, Self::Deleted) => None,
            (Self::Inserted, Self::Inserted | Self::Updated) => Some(Self::Inserted),
            (Self::Deleted, Self::Inserted | Self::Updated) => Some(Self::Updated),
            (Self::Updated | Self::Deleted, Self::Deleted) => Some(Self::Deleted),
            (Self::Updated, Self::Inserted | Self::Updated) => Some(Self::Updated),
        }
    }
}

/// Notes a change.
pub(crate) fn insert(db: &Connection, key: AssetKey, change: Change) -> Result<()> {
    db.prepare_cached("INSERT INTO change (asset, kind) VALUES (?1, ?2)")?.execute(params![key, change.code()])?;
    Ok(())
}

/// Forgets all but the last `kept` changes.
pub(crate) fn prune(db: &Connection, kept: i64) -> Result<()> {
    let limit = last(db)? - kept;
    if db.execute("DELETE FROM change WHERE seq <= ?1", [limit])? > 0 {
        db.execute("UPDATE history SET pruned = ?1", [limit])?;
    }
    Ok(())
}

fn last(db: &Connection) -> Result<i64> {
    Ok(db.query_row("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0)", [], |row| row.get(0))?)
}

fn history(db: &Connection) -> Result<(String, i64)> {
    Ok(db.query_row("SELECT name, pruned FROM history", [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The present place.
pub(crate) fn token(db: &Connection) -> Result<ChangeToken> {
    Ok(ChangeToken(format!("{}-{}", history(db)?.0, last(db)?)))
}

/// At most `limit` changes after a token, or from the beginning.
///
/// # Errors
/// [`LibraryError::TokenExpired`] if the token is of another index, or older than what is kept.
pub(crate) fn since(db: &Connection, token: Option<&ChangeToken>, limit: u32) -> Result<PersistentChanges> {
    let (name, pruned) = history(db)?;
    let after = match token {
        None => 0,
        Some(ChangeToken(text)) => {
            let place = text.split_once('-').filter(|(of, _)| *of == name).and_then(|(_, seq)| seq.parse().ok());
            place.filter(|seq| (0..=last(db).unwrap_or(0)).contains(seq)).ok_or(LibraryError::TokenExpired)?
        }
    };
    if after < pruned {
        return Err(LibraryError::TokenExpired);
    }
    let mut statement = db.prepare_cached("SELECT seq, asset, kind FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = statement.query(params![after, limit])?;
    let mut net = std::collections::BTreeMap::<AssetKey, Option<Change>>::new();
    let mut reached = after;
    while let Some(row) = rows.next()? {
        reached = row.get(0)?;
        let later = Change::of_code(row.get(2)?);
        net.entry(row.get(1)?)
            .and_modify(|change| *change = change.map_or(Some(later), |earlier| earlier.then(later)))
            .or_insert(Some(later));
    }
    let of = |wanted: Change| net.iter().filter(|(_, change)| **change == Some(wanted)).map(|(key, _)| key.id()).collect();
    Ok(PersistentChanges {
        inserted: of(Change::Inserted),
        updated: of(Change::Updated),
        deleted: of(Change::Deleted),
        change_token: ChangeToken(format!("{name}-{reached}")),
        more: reached < last(db)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_expires_when_its_changes_are_forgotten() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(MIGRATION).unwrap();
        let mut tokens = vec![token(&db).unwrap()];
        for content in 0..5 {
            insert(&db, AssetKey::of(&[content; 32]), Change::Inserted).unwrap();
            tokens.push(token(&db).unwrap());
        }
        prune(&db, 2).unwrap();
        for expired in &tokens[..3] {
            assert!(matches!(since(&db, Some(expired), 10), Err(LibraryError::TokenExpired)));
        }
        assert_eq!(since(&db, Some(&tokens[3]), 10).unwrap().inserted.len(), 2);
        assert!(matches!(since(&db, None, 10), Err(LibraryError::TokenExpired)));
    }

    #[test]
    fn changes_in_a_row_come_to_one() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(MIGRATION).unwrap();
        let [come_and_gone, back_again] = [AssetKey::of(&[1; 32]), AssetKey::of(&[2; 32])];
        insert(&db, back_again, Change::Inserted).unwrap();
        let start = token(&db).unwrap();
        for (key, change) in [
            (come_and_gone, Change::Inserted),
            (come_and_gone, Change::Deleted),
            (back_again, Change::Deleted),
            (back_again, Change::Inserted),
        ] {
            insert(&db, key, change).unwrap();
        }
        let changes = since(&db, Some(&start), 10).unwrap();
        assert_eq!((changes.inserted, changes.updated, changes.deleted), (vec![], vec![back_again.id()], vec![]));
    }
}
