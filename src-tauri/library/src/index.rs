//! What one look at the disk makes of the index: files are written, their groups paired anew, and the assets that this touches made
//! again from their files. Assets are never edited: each is a function of its files and of what the person decided about its content.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsString,
    path::PathBuf,
};

use afterglow_model::{AssetResourceType, MediaSubtype, MediaType, SmartAlbum, SourceId, Timestamp};
use rusqlite::Connection;

use crate::{
    Result,
    content::{Kind, Stat},
    identity::{AssetKey, Digest},
    metadata::Taken,
    names, now, pairing,
    table::{
        asset::{self, AssetRow, Marks},
        change::{self, Change},
        collection, curation,
        entry::{self, Position},
        file::{self, Content, FileState, Place},
        source::{self, SourceRow},
    },
};

/// How long an asset counts as recent.
const RECENT_MS: i64 = 30 * 24 * 3600 * 1000;

/// What was found at one path.
#[derive(Debug)]
pub(crate) enum Finding {
    /// This content.
    Content(Box<Content>),
    /// Content that the index knows: the file was only moved here.
    Known(Digest),
    /// It is being written.
    Changing,
    /// It cannot be read.
    Unreadable,
    /// Neither photo nor video.
    NotMedia,
}

/// One file that was looked at.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Below the source's root.
    pub(crate) folder: PathBuf,
    pub(crate) name: OsString,
    pub(crate) stat: Stat,
    pub(crate) finding: Finding,
}

/// Files that share a folder and a stem.
type Group = (i64, Vec<u8>);

/// Brings the index in line with what was found. True if assets changed.
pub(crate) fn apply(db: &Connection, source: &SourceRow, examined: &[Examined]) -> Result<bool> {
    let mut groups = BTreeSet::<Group>::new();
    for found in examined {
        let folder = match file::find_folder(db, &source.id, &found.folder)? {
            Some(folder) => folder,
            None => {
                let album = collection::ensure_folder(db, &source.id, &source.path, &found.folder)?;
                file::insert_folder(db, &source.id, &found.folder, album)?
            }
        };
        let put = |state, content| file::put(db, folder, &found.name, &found.stat, state, content);
        match &found.finding {
            Finding::Content(content) => {
                file::put_content(db, content)?;
                carry_over(db, folder, found, &content.sha256)?;
                put(FileState::Present, Some(&content.sha256))?;
            }
            Finding::Known(content) => {
                carry_over(db, folder, found, content)?;
                put(FileState::Present, Some(content))?;
            }
            Finding::Changing => put(FileState::Changing, None)?,
            Finding::Unreadable => put(FileState::Unreadable, None)?,
            Finding::NotMedia => {
                put(FileState::NotMedia, None)?;
                file::forget_content(db, folder, &found.name)?;
            }
        }
        groups.insert((folder, names::pairing_stem(&found.name)));
    }
    regroup(db, groups, BTreeSet::new())
}

/// A file rewritten in place keeps its albums and its mark.
fn carry_over(db: &Connection, folder: i64, found: &Examined, to: &Digest) -> Result<()> {
    match file::content_at(db, folder, &found.name)? {
        Some(from) if from != *to => curation::carry_over(db, &from, to),
        Some(_) | None => Ok(()),
    }
}

/// Removes files. True if assets changed.
pub(crate) fn remove_files(db: &Connection, files: &[i64]) -> Result<bool> {
    let (mut groups, mut assets) = (BTreeSet::new(), BTreeSet::new());
    for num in files {
        if let Some((folder, stem, asset)) = file::delete(db, *num)? {
            groups.insert((folder, stem));
            assets.extend(asset);
        }
    }
    regroup(db, groups, assets)
}

/// Removes a source and what only it holds. The person's albums keep what they know of its content.
pub(crate) fn remove_source(db: &Connection, id: &SourceId) -> Result<bool> {
    let changed = remove_files(db, &file::of_source(db, id)?)?;
    file::delete_folders(db, id)?;
    collection::delete_of_source(db, id)?;
    source::delete(db, id)?;
    file::prune_content(db)?;
    Ok(changed)
}

/// Pairs groups anew and makes the assets again that this touches, and `assets`.
fn regroup(db: &Connection, groups: BTreeSet<Group>, mut assets: BTreeSet<AssetKey>) -> Result<bool> {
    for (folder, stem) in groups {
        assets.extend(file::ungroup_empty(db, folder, &stem)?);
        let files = file::group(db, folder, &stem)?;
        let candidates: Vec<_> =
            files.iter().map(|file| pairing::Candidate::new(&file.name, file.kind, file.duration_ms, file.size)).collect();
        for (file, part) in files.iter().zip(pairing::pair(&candidates)) {
            let part = part.map(|(primary, role)| (AssetKey::of(&files[primary].content), role));
            assets.extend(file.asset);
            assets.extend(part.map(|(asset, _)| asset));
            if part.map(|(asset, role)| (asset, asset::role_code(role))) != file.asset.zip(file.role) {
                file::set_part(db, file.num, part)?;
            }
        }
    }
    refresh(db, assets)
}

/// Makes assets again from their files. True if any changed.
pub(crate) fn refresh(db: &Connection, assets: impl IntoIterator<Item = AssetKey>) -> Result<bool> {
    let now = now();
    let mut changed = false;
    for key in assets {
        changed |= refresh_one(db, key, now)?;
    }
    Ok(changed)
}

fn refresh_one(db: &Connection, key: AssetKey, now: Timestamp) -> Result<bool> {
    let places = file::places(db, key)?;
    let before = asset::find_row(db, key)?;
    let Some(row) = row_of(db, &places)? else {
        for (collection, _) in entry::of_asset(db, key)? {
            entry::delete(db, collection, key)?;
        }
        let existed = asset::delete(db, key)?;
        if existed {
            change::insert(db, key, Change::Deleted)?;
        }
        return Ok(existed);
    };
    let marks = before.as_ref().map_or(Marks { added_date: now, backed_up: false, recent: true }, |(_, marks)| *marks);
    let change = match &before {
        None => Some(Change::Inserted),
        Some((known, _)) if *known != row => Some(Change::Updated),
        Some(_) => None,
    };
    if let Some(change) = change {
        asset::put(db, key, &row, now)?;
        change::insert(db, key, change)?;
    }
    Ok(place_in_collections(db, key, &row, marks, &places)? || change.is_some())
}

/// What the files of an asset say; none if its primary resource is nowhere any more.
fn row_of(db: &Connection, places: &[Place]) -> Result<Option<AssetRow>> {
    let primaries = || places.iter().filter(|place| asset::is_primary(place.role));
    let Some(primary) = primaries().min_by_key(|place| place.num) else { return Ok(None) };
    let (content, metadata) = (&primary.content, &primary.content.metadata);
    let oldest = primaries().map(|place| place.mtime_ms).min().unwrap_or(primary.mtime_ms);
    let taken = metadata.taken.unwrap_or_else(|| Taken::at(oldest));
    let parts: BTreeSet<_> = places.iter().map(|place| (asset::role_code(place.role), place.content.sha256)).collect();
    let mut counted = HashSet::new();
    let new_content = |place: &&Place| counted.insert((asset::role_code(place.role), place.content.sha256));
    let byte_count = places.iter().filter(new_content).map(|place| place.content.byte_count).sum();
    let mut digest = blake3::Hasher::new();
    for (role, sha256) in &parts {
        digest.update(&role.to_be_bytes()).update(sha256);
    }
    Ok(Some(AssetRow {
        sha256: content.sha256,
        media_type: content.kind.media_type(),
        subtypes: subtypes(primary, places),
        creation_date: taken.utc_ms,
        taken_local: taken.local_ms,
        width: metadata.width,
        height: metadata.height,
        duration_ms: metadata.duration_ms,
        orientation: metadata.orientation,
        camera: metadata.camera.clone(),
        location: metadata.location.clone(),
        is_favorite: curation::is_favorite(db, &content.sha256)?,
        filename: names::display(&primary.name),
        byte_count,
        parts: *digest.finalize().as_bytes(),
    }))
}

fn subtypes(primary: &Place, places: &[Place]) -> Vec<MediaSubtype> {
    let metadata = &primary.content.metadata;
    let has = |wanted: &[AssetResourceType]| places.iter().any(|place| wanted.contains(&place.role));
    let is_image = primary.content.kind.media_type() == MediaType::Image;
    let (long, short) = (metadata.width.max(metadata.height), metadata.width.min(metadata.height));
    let facts = [
        (MediaSubtype::Panorama, is_image && metadata.camera.is_some() && short > 0 && f64::from(long) >= 2.5 * f64::from(short)),
        (MediaSubtype::Screenshot, is_image && metadata.camera.is_none() && names::is_screenshot(&primary.name, &primary.folder)),
        (MediaSubtype::Live, has(&[AssetResourceType::PairedVideo])),
        (MediaSubtype::Raw, places.iter().any(|place| place.content.kind == Kind::Raw)),
        (MediaSubtype::Animation, metadata.animated),
        (
            MediaSubtype::Edited,
            has(&[
                AssetResourceType::FullSizePhoto,
                AssetResourceType::FullSizeVideo,
                AssetResourceType::FullSizePairedVideo,
                AssetResourceType::AdjustmentData,
            ]),
        ),
    ];
    facts.into_iter().filter(|(_, holds)| *holds).map(|(subtype, _)| subtype).collect()
}

/// Puts an asset where it belongs and nowhere else. True if that changed something.
fn place_in_collections(db: &Connection, key: AssetKey, row: &AssetRow, marks: Marks, places: &[Place]) -> Result<bool> {
    let is_in = |album: SmartAlbum| match album {
        SmartAlbum::AllPhotos => true,
        SmartAlbum::Recents => marks.recent,
        SmartAlbum::Favourites => row.is_favorite,
        SmartAlbum::Videos => row.media_type == MediaType::Video,
        SmartAlbum::LivePhotos => row.subtypes.contains(&MediaSubtype::Live),
        SmartAlbum::Raw => row.subtypes.contains(&MediaSubtype::Raw),
        SmartAlbum::Screenshots => row.subtypes.contains(&MediaSubtype::Screenshot),
        SmartAlbum::Panoramas => row.subtypes.contains(&MediaSubtype::Panorama),
        SmartAlbum::NotBackedUp => !marks.backed_up,
    };
    let mut wanted: BTreeSet<i64> = SmartAlbum::ALL.into_iter().filter(|album| is_in(*album)).map(collection::smart_num).collect();
    wanted.extend(places.iter().filter(|place| asset::is_primary(place.role)).map(|place| place.collection));
    for album in curation::albums_of(db, &row.sha256)? {
        wanted.extend(collection::num(db, &album.into())?);
    }
    let at =
        Position { month: Taken { utc_ms: row.creation_date, local_ms: row.taken_local }.month(), taken_local: row.taken_local };
    let mut changed = false;
    for (collection, position) in entry::of_asset(db, key)? {
        if position == at && wanted.remove(&collection) {
            continue;
        }
        entry::delete(db, collection, key)?;
        changed = true;
    }
    for collection in wanted {
        entry::insert(db, collection, key, at)?;
        changed = true;
    }
    Ok(changed)
}

/// Recents are those of the last 30 days: takes out what is older. True if there was any.
pub(crate) fn prune_recents(db: &Connection, now: Timestamp) -> Result<bool> {
    let outdated = asset::outdated_recents(db, now.plus_ms(-RECENT_MS), u32::MAX)?;
    for key in &outdated {
        asset::clear_recent(db, *key)?;
    }
    refresh(db, outdated)
}

/// Whether [`prune_recents`] has something to do.
pub(crate) fn has_outdated_recents(db: &Connection, now: Timestamp) -> Result<bool> {
    Ok(!asset::outdated_recents(db, now.plus_ms(-RECENT_MS), 1)?.is_empty())
}

/// Brings the index in line with what the person decided: after a rebuilt index, and after a crash between the two files' commits.
pub(crate) fn reconcile(db: &rusqlite::Transaction<'_>) -> Result<()> {
    collection::put_smart(db)?;
    let sources = curation::sources(db)?;
    for known in source::all(db)? {
        if !sources.iter().any(|(id, _)| *id == known.id) {
            remove_source(db, &known.id)?;
        }
    }
    for (id, path) in &sources {
        source::insert(db, id, path)?;
    }
    let albums = curation::albums(db)?;
    for known in collection::albums(db)? {
        if !albums.iter().any(|(id, _)| *id == known.0) {
            collection::delete(db, &known)?;
        }
    }
    let mut stale = BTreeSet::new();
    for (id, title) in &albums {
        collection::put_album(db, id, title)?;
        let members = curation::members(db, id)?.iter().map(AssetKey::of).collect();
        if let Some(num) = collection::num(db, &id.as_str().into())? {
            stale.extend(difference(db, num, members)?);
        }
    }
    let favorites = curation::favorites(db)?.iter().map(AssetKey::of).collect();
    stale.extend(difference(db, collection::smart_num(SmartAlbum::Favourites), favorites)?);
    refresh(db, stale)?;
    prune_recents(db, now())?;
    Ok(())
}

fn difference(db: &Connection, collection: i64, wanted: BTreeSet<AssetKey>) -> Result<Vec<AssetKey>> {
    let held: BTreeSet<_> = entry::members(db, collection, None, u32::MAX)?.into_iter().collect();
    Ok(held.symmetric_difference(&wanted).copied().collect())
}
