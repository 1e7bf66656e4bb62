//! What is in which collection, in the order of the grid: newest first by the camera's clock.
//!
//! Every album, smart ones too, is a run of this table, so that any page is a walk along one index; `section` counts each month of each
//! collection by trigger, so that counts cost nothing and a far page is found by skipping whole months.

use afterglow_model::{Asset, AssetTile, MonthSection};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::asset;
use crate::{Result, identity::AssetKey};

pub(crate) const MIGRATION: &str = "
CREATE TABLE entry (
    collection INTEGER NOT NULL,
    month INTEGER NOT NULL,         -- yyyymm
    taken_local INTEGER NOT NULL,
    asset BLOB NOT NULL,
    PRIMARY KEY (collection, month, taken_local, asset)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entry_member ON entry (collection, asset);
CREATE INDEX entry_asset ON entry (asset);
CREATE TABLE section (
    collection INTEGER NOT NULL,
    month INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (collection, month)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entry_inserted AFTER INSERT ON entry BEGIN
    INSERT INTO section (collection, month, count) VALUES (new.collection, new.month, 1)
        ON CONFLICT (collection, month) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER entry_deleted AFTER DELETE ON entry BEGIN
    UPDATE section SET count = count - 1 WHERE collection = old.collection AND month = old.month;
    DELETE FROM section WHERE collection = old.collection AND month = old.month AND count = 0;
END;
";

/// Where an asset stands in the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) month: i64,
    pub(crate) taken_local: i64,
}

/// The collections that hold an asset.
pub(crate) fn of_asset(db: &Connection, key: AssetKey) -> Result<Vec<(i64, Position)>> {
    let mut statement = db.prepare_cached("SELECT collection, month, taken_local FROM entry WHERE asset = ?1")?;
    let rows = statement.query_map([key], |row| Ok((row.get(0)?, Position { month: row.get(1)?, taken_local: row.get(2)? })))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Puts an asset into a collection.
pub(crate) fn insert(db: &Connection, collection: i64, key: AssetKey, at: Position) -> Result<()> {
    db.prepare_cached("INSERT INTO entry (collection, month, taken_local, asset) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        collection,
        at.month,
        at.taken_local,
        key
    ])?;
    Ok(())
}

/// Takes an asset out of a collection.
pub(crate) fn delete(db: &Connection, collection: i64, key: AssetKey) -> Result<()> {
    db.prepare_cached("DELETE FROM entry WHERE collection = ?1 AND asset = ?2")?.execute(params![collection, key])?;
    Ok(())
}

/// Empties a collection.
pub(crate) fn clear(db: &Connection, collection: i64) -> Result<()> {
    db.execute("DELETE FROM entry WHERE collection = ?1", [collection])?;
    Ok(())
}

/// Assets in a collection.
pub(crate) fn count(db: &Connection, collection: i64) -> Result<u64> {
    let mut statement = db.prepare_cached("SELECT coalesce(sum(count), 0) FROM section WHERE collection = ?1")?;
    Ok(statement.query_row([collection], |row| row.get(0))?)
}

/// The months of a collection, newest first.
pub(crate) fn months(db: &Connection, collection: i64) -> Result<Vec<MonthSection>> {
    let mut statement = db.prepare_cached("SELECT month, count FROM section WHERE collection = ?1 ORDER BY month DESC")?;
    let rows = statement.query_map([collection], |row| {
        let month: i64 = row.get(0)?;
        Ok(MonthSection { month: format!("{:04}-{:02}", month / 100, month % 100), count: row.get(1)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A page of tiles.
pub(crate) fn tiles(db: &Connection, collection: i64, offset: u64, limit: u32) -> Result<Vec<AssetTile>> {
    page(db, collection, offset, limit, asset::TILE_COLUMNS, asset::tile_of)
}

/// A page of assets.
pub(crate) fn assets(db: &Connection, collection: i64, offset: u64, limit: u32) -> Result<Vec<Asset>> {
    page(db, collection, offset, limit, asset::ASSET_COLUMNS, asset::asset_of)
}

/// Skips whole months by their counts, and the rest along the primary key; assets are looked up for the page alone.
fn page<T>(
    db: &Connection,
    collection: i64,
    offset: u64,
    limit: u32,
    columns: &str,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let Some((month, rest)) = month_at(db, collection, offset)? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT {columns} FROM (
             SELECT asset AS key, month, taken_local FROM entry WHERE collection = ?1 AND month <= ?2
             ORDER BY month DESC, taken_local DESC, asset DESC LIMIT ?3 OFFSET ?4
         ) AS page JOIN asset ON asset.key = page.key
         ORDER BY page.month DESC, page.taken_local DESC, page.key DESC"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![collection, month, limit, rest], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The month that holds the asset at `offset`, and how many of the month come before it.
fn month_at(db: &Connection, collection: i64, offset: u64) -> Result<Option<(i64, u64)>> {
    let mut statement = db.prepare_cached("SELECT month, count FROM section WHERE collection = ?1 ORDER BY month DESC")?;
    let mut rows = statement.query([collection])?;
    let mut rest = offset;
    while let Some(row) = rows.next()? {
        let count: u64 = row.get(1)?;
        if rest < count {
            return Ok(Some((row.get(0)?, rest)));
        }
        rest -= count;
    }
    Ok(None)
}

/// The members after `after` by id, which no change of the library reorders.
pub(crate) fn members(db: &Connection, collection: i64, after: Option<AssetKey>, limit: u32) -> Result<Vec<AssetKey>> {
    let sql = "SELECT asset FROM entry WHERE collection = ?1 AND asset > coalesce(?2, x'') ORDER BY asset LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![collection, after, limit], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether an asset is in a collection.
pub(crate) fn contains(db: &Connection, collection: i64, key: AssetKey) -> Result<bool> {
    let mut statement = db.prepare_cached("SELECT 1 FROM entry WHERE collection = ?1 AND asset = ?2")?;
    Ok(statement.query_row(params![collection, key], |_| Ok(())).optional()?.is_some())
}
