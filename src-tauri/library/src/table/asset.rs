//! Assets: one row for one photo or video as a person sees it, made from the files that hold it.

use afterglow_model::{Asset, AssetResourceType, AssetTile, Location, MediaSubtype, MediaType, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    Result,
    identity::{AssetKey, Digest},
};

pub(crate) const MIGRATION: &str = "
CREATE TABLE asset (
    key BLOB PRIMARY KEY,
    sha256 BLOB NOT NULL,           -- of the primary resource
    media_type INTEGER NOT NULL,
    subtypes INTEGER NOT NULL,
    creation_date INTEGER NOT NULL,
    taken_local INTEGER NOT NULL,   -- what the camera's clock showed, as if it were UTC
    added_date INTEGER NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, duration_ms INTEGER, orientation INTEGER NOT NULL,
    camera TEXT, latitude REAL, longitude REAL,
    is_favorite INTEGER NOT NULL,
    filename TEXT NOT NULL,
    byte_count INTEGER NOT NULL,
    parts BLOB NOT NULL,            -- digest of the set of resources
    backed_up INTEGER NOT NULL DEFAULT 0,
    recent INTEGER NOT NULL DEFAULT 1,
    thumb_hash TEXT,
    decode_failures INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_recent ON asset (added_date) WHERE recent = 1;
";

/// What follows from an asset's files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AssetRow {
    pub(crate) sha256: Digest,
    pub(crate) media_type: MediaType,
    pub(crate) subtypes: Vec<MediaSubtype>,
    pub(crate) creation_date: i64,
    pub(crate) taken_local: i64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) orientation: u8,
    pub(crate) camera: Option<String>,
    pub(crate) location: Option<Location>,
    pub(crate) is_favorite: bool,
    pub(crate) filename: String,
    pub(crate) byte_count: i64,
    pub(crate) parts: Digest,
}

/// What the index adds of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) added_date: Timestamp,
    pub(crate) backed_up: bool,
    pub(crate) recent: bool,
}

/// A part's number. Those of `PHAssetResourceType`; what it has no number for is 0.
pub(crate) fn role_code(role: AssetResourceType) -> i64 {
    match role {
        AssetResourceType::Unknown => 0,
        AssetResourceType::Photo => 1,
        AssetResourceType::Video => 2,
        AssetResourceType::Audio => 3,
        AssetResourceType::AlternatePhoto => 4,
        AssetResourceType::FullSizePhoto => 5,
        AssetResourceType::FullSizeVideo => 6,
        AssetResourceType::AdjustmentData => 7,
        AssetResourceType::AdjustmentBasePhoto => 8,
        AssetResourceType::PairedVideo => 9,
        AssetResourceType::FullSizePairedVideo => 10,
        AssetResourceType::AdjustmentBasePairedVideo => 11,
        AssetResourceType::AdjustmentBaseVideo => 13,
        AssetResourceType::PhotoProxy => 19,
    }
}

/// The part with this number.
pub(crate) fn role_of_code(code: i64) -> AssetResourceType {
    match code {
        1 => AssetResourceType::Photo,
        2 => AssetResourceType::Video,
        3 => AssetResourceType::Audio,
        4 => AssetResourceType::AlternatePhoto,
        5 => AssetResourceType::FullSizePhoto,
        6 => AssetResourceType::FullSizeVideo,
        7 => AssetResourceType::AdjustmentData,
        8 => AssetResourceType::AdjustmentBasePhoto,
        9 => AssetResourceType::PairedVideo,
        10 => AssetResourceType::FullSizePairedVideo,
        11 => AssetResourceType::AdjustmentBasePairedVideo,
        13 => AssetResourceType::AdjustmentBaseVideo,
        19 => AssetResourceType::PhotoProxy,
        _ => AssetResourceType::Unknown,
    }
}

/// Whether this part is what the asset's id is derived from.
pub(crate) fn is_primary(role: AssetResourceType) -> bool {
    matches!(role, AssetResourceType::Photo | AssetResourceType::Video | AssetResourceType::Audio)
}

const SUBTYPES: [(MediaSubtype, i64); 6] = [
    (MediaSubtype::Panorama, 1),
    (MediaSubtype::Screenshot, 4),
    (MediaSubtype::Live, 8),
    (MediaSubtype::Raw, 1 << 20),
    (MediaSubtype::Animation, 1 << 21),
    (MediaSubtype::Edited, 1 << 22),
];

fn subtype_bits(subtypes: &[MediaSubtype]) -> i64 {
    SUBTYPES.iter().filter(|(subtype, _)| subtypes.contains(subtype)).map(|(_, bit)| bit).sum()
}

fn subtypes_of(bits: i64) -> Vec<MediaSubtype> {
    SUBTYPES.iter().filter(|(_, bit)| bits & bit != 0).map(|(subtype, _)| *subtype).collect()
}

fn media_type_code(media_type: MediaType) -> i64 {
    match media_type {
        MediaType::Unknown => 0,
        MediaType::Image => 1,
        MediaType::Video => 2,
        MediaType::Audio => 3,
    }
}

fn media_type_of(code: i64) -> MediaType {
    match code {
        1 => MediaType::Image,
        2 => MediaType::Video,
        3 => MediaType::Audio,
        _ => MediaType::Unknown,
    }
}

fn location_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Location>> {
    let place = row.get::<_, Option<f64>>(at)?.zip(row.get(at + 1)?);
    Ok(place.map(|(latitude, longitude)| Location { latitude, longitude }))
}

/// The stored row and marks of an asset.
pub(crate) fn find_row(db: &Connection, key: AssetKey) -> Result<Option<(AssetRow, Marks)>> {
    let sql = "SELECT sha256, media_type, subtypes, creation_date, taken_local, width, height, duration_ms, orientation, camera,
        latitude, longitude, is_favorite, filename, byte_count, parts, added_date, backed_up, recent FROM asset WHERE key = ?1";
    let row = db.prepare_cached(sql)?.query_row([key], |row| {
        let asset = AssetRow {
            sha256: row.get(0)?,
            media_type: media_type_of(row.get(1)?),
            subtypes: subtypes_of(row.get(2)?),
            creation_date: row.get(3)?,
            taken_local: row.get(4)?,
            width: row.get(5)?,
            height: row.get(6)?,
            duration_ms: row.get(7)?,
            orientation: row.get(8)?,
            camera: row.get(9)?,
            location: location_of(row, 10)?,
            is_favorite: row.get(12)?,
            filename: row.get(13)?,
            byte_count: row.get(14)?,
            parts: row.get(15)?,
        };
        Ok((asset, Marks { added_date: Timestamp(row.get(16)?), backed_up: row.get(17)?, recent: row.get(18)? }))
    });
    Ok(row.optional()?)
}

/// Writes what follows from the files; marks and thumbnail stay.
pub(crate) fn put(db: &Connection, key: AssetKey, row: &AssetRow, added: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO asset (key, sha256, media_type, subtypes, creation_date, taken_local, added_date, width, height, duration_ms,
             orientation, camera, latitude, longitude, is_favorite, filename, byte_count, parts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (key) DO UPDATE SET media_type = excluded.media_type, subtypes = excluded.subtypes,
             creation_date = excluded.creation_date, taken_local = excluded.taken_local, width = excluded.width,
             height = excluded.height, duration_ms = excluded.duration_ms, orientation = excluded.orientation,
             camera = excluded.camera, latitude = excluded.latitude, longitude = excluded.longitude,
             is_favorite = excluded.is_favorite, filename = excluded.filename, byte_count = excluded.byte_count, parts = excluded.parts",
    )?
    .execute(params![
        key,
        row.sha256,
        media_type_code(row.media_type),
        subtype_bits(&row.subtypes),
        row.creation_date,
        row.taken_local,
        added.0,
        row.width,
        row.height,
        row.duration_ms,
        row.orientation,
        row.camera,
        row.location.as_ref().map(|place| place.latitude),
        row.location.as_ref().map(|place| place.longitude),
        row.is_favorite,
        row.filename,
        row.byte_count,
        row.parts
    ])?;
    Ok(())
}

/// Removes an asset; true if it was there.
pub(crate) fn delete(db: &Connection, key: AssetKey) -> Result<bool> {
    Ok(db.prepare_cached("DELETE FROM asset WHERE key = ?1")?.execute([key])? > 0)
}

/// The digest of an asset's primary resource.
pub(crate) fn primary(db: &Connection, key: AssetKey) -> Result<Option<Digest>> {
    Ok(db.prepare_cached("SELECT sha256 FROM asset WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()?)
}

/// Sets whether an asset is delivered wherever rules want it; true if that is news.
pub(crate) fn set_backed_up(db: &Connection, key: AssetKey, backed_up: bool) -> Result<bool> {
    let sql = "UPDATE asset SET backed_up = ?2 WHERE key = ?1 AND backed_up <> ?2";
    Ok(db.prepare_cached(sql)?.execute(params![key, backed_up])? > 0)
}

/// The assets that count as recent but were added before `limit`.
pub(crate) fn outdated_recents(db: &Connection, limit: Timestamp, count: u32) -> Result<Vec<AssetKey>> {
    let mut statement = db.prepare_cached("SELECT key FROM asset WHERE recent = 1 AND added_date < ?1 LIMIT ?2")?;
    let rows = statement.query_map(params![limit.0, count], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// An asset counts as recent no longer.
pub(crate) fn clear_recent(db: &Connection, key: AssetKey) -> Result<()> {
    db.prepare_cached("UPDATE asset SET recent = 0 WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// How often decoding failed, and whether the small hash is known.
pub(crate) fn drawing(db: &Connection, key: AssetKey) -> Result<Option<(u32, bool)>> {
    let mut statement = db.prepare_cached("SELECT decode_failures, thumb_hash IS NOT NULL FROM asset WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Keeps the small hash of a picture that could be drawn.
pub(crate) fn set_thumb_hash(db: &Connection, key: AssetKey, hash: &str) -> Result<()> {
    db.prepare_cached("UPDATE asset SET thumb_hash = ?2, decode_failures = 0 WHERE key = ?1")?.execute(params![key, hash])?;
    Ok(())
}

/// Remembers that decoding failed.
pub(crate) fn count_failure(db: &Connection, key: AssetKey) -> Result<()> {
    db.prepare_cached("UPDATE asset SET decode_failures = decode_failures + 1 WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// The columns that [`tile_of`] reads.
pub(crate) const TILE_COLUMNS: &str = "asset.key, asset.media_type, asset.subtypes, asset.creation_date, asset.width, asset.height,
    asset.duration_ms, asset.is_favorite, asset.filename, asset.thumb_hash";

/// A tile of the grid.
pub(crate) fn tile_of(row: &Row<'_>) -> rusqlite::Result<AssetTile> {
    Ok(AssetTile {
        id: row.get::<_, AssetKey>(0)?.id(),
        media_type: media_type_of(row.get(1)?),
        media_subtypes: subtypes_of(row.get(2)?),
        creation_date: Timestamp(row.get(3)?),
        pixel_width: row.get(4)?,
        pixel_height: row.get(5)?,
        duration_ms: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
        is_favorite: row.get(7)?,
        filename: row.get(8)?,
        thumb_hash: row.get(9)?,
        badge: None,
    })
}

/// The columns that [`asset_of`] reads.
pub(crate) const ASSET_COLUMNS: &str =
    "asset.key, asset.media_type, asset.subtypes, asset.creation_date, asset.added_date, asset.width,
    asset.height, asset.duration_ms, asset.orientation, asset.camera, asset.latitude, asset.longitude, asset.is_favorite,
    asset.filename, asset.byte_count";

/// An asset.
pub(crate) fn asset_of(row: &Row<'_>) -> rusqlite::Result<Asset> {
    Ok(Asset {
        id: row.get::<_, AssetKey>(0)?.id(),
        media_type: media_type_of(row.get(1)?),
        media_subtypes: subtypes_of(row.get(2)?),
        creation_date: Timestamp(row.get(3)?),
        added_date: Timestamp(row.get(4)?),
        pixel_width: row.get(5)?,
        pixel_height: row.get(6)?,
        duration_ms: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
        orientation: row.get(8)?,
        camera: row.get(9)?,
        location: location_of(row, 10)?,
        is_favorite: row.get(12)?,
        filename: row.get(13)?,
        byte_count: row.get::<_, i64>(14)?.cast_unsigned(),
    })
}

/// One asset.
pub(crate) fn find(db: &Connection, key: AssetKey) -> Result<Option<Asset>> {
    let sql = format!("SELECT {ASSET_COLUMNS} FROM asset WHERE key = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([key], asset_of).optional()?)
}
