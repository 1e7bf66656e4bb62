//! Everything that is asked of the library without changing it.

use std::path::PathBuf;

use afterglow_model::{
    Asset, AssetCollection, AssetId, AssetResource, AssetResourceType, AssetTile, ChangeToken, CollectionId, MonthSection,
    PersistentChanges, ResourceId, SourceId, SourceState, Timestamp,
};
use rusqlite::Connection;

use crate::{
    Library, LibraryError, Result,
    albums::keys,
    identity::{self, AssetKey},
    index, names, now,
    table::{
        asset, change, collection, entry,
        file::{self, FileState, Place},
    },
};

/// One resource and the best place to read it from.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadFile {
    /// Its asset.
    pub asset_id: AssetId,
    /// The resource.
    pub resource_id: ResourceId,
    /// Its part in the asset.
    pub resource_type: AssetResourceType,
    /// Its name, safe to show.
    pub filename: String,
    /// Bytes.
    pub byte_count: u64,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
    /// When the asset was taken.
    pub created: Timestamp,
    /// The source that holds it.
    pub source_id: SourceId,
    /// The source's folder, beneath which the file is to be opened.
    pub root: PathBuf,
    /// The file; absolute, any bytes.
    pub path: PathBuf,
    /// Media type, by content.
    pub content_type: String,
    /// Whether it can be read now, as far as is known.
    pub source_state: SourceState,
}

impl Library {
    /// Smart albums in their order, folders that hold assets by path, the person's albums by title.
    pub async fn collections(&self) -> Result<Vec<AssetCollection>> {
        let is_outdated = self.shared.store.read(|db| index::has_outdated_recents(db, now())).await?;
        if is_outdated {
            self.shared.store.write(|db| index::prune_recents(db, now())).await?;
        }
        self.shared.store.read(collection::all).await
    }

    /// The collection with this id, else the first with this title whatever its case, else the folder with this path.
    pub async fn find_collection(&self, id_or_title: &str) -> Result<Option<AssetCollection>> {
        let text = id_or_title.to_owned();
        self.shared
            .store
            .read(move |db| {
                if let Some(found) = collection::find(db, &CollectionId(text.clone()))? {
                    return Ok(Some(found));
                }
                let wanted = text.trim().to_lowercase();
                if let Some(found) = collection::all(db)?.into_iter().find(|found| found.title.to_lowercase() == wanted) {
                    return Ok(Some(found));
                }
                let path = if text.len() > 1 { text.trim_end_matches('/') } else { &text };
                collection::find_path(db, path)
            })
            .await
    }

    /// The months of a collection, newest first, by the clock on the camera.
    ///
    /// # Errors
    /// [`LibraryError::NotFound`] if there is no such collection; the same for every call that takes one.
    pub async fn months(&self, id: &CollectionId) -> Result<Vec<MonthSection>> {
        self.within(id, entry::months).await
    }

    /// A page of tiles, newest first, and how many there are in all. At most 500 at a time.
    pub async fn tiles(&self, id: &CollectionId, offset: u64, limit: u32) -> Result<(Vec<AssetTile>, u64)> {
        self.within(id, move |db, num| Ok((entry::tiles(db, num, offset, limit.min(PAGE_MAX))?, entry::count(db, num)?))).await
    }

    /// A page of assets, newest first, and how many there are in all. At most 500 at a time.
    pub async fn assets(&self, id: &CollectionId, offset: u64, limit: u32) -> Result<(Vec<Asset>, u64)> {
        self.within(id, move |db, num| Ok((entry::assets(db, num, offset, limit.min(PAGE_MAX))?, entry::count(db, num)?))).await
    }

    /// The members of a collection after one of them, in an order that no change reorders: for walking all of it.
    pub async fn members(&self, id: &CollectionId, after: Option<AssetId>, limit: u32) -> Result<Vec<AssetId>> {
        let after = after.as_ref().and_then(AssetKey::parse);
        self.within(id, move |db, num| Ok(entry::members(db, num, after, limit)?.into_iter().map(AssetKey::id).collect())).await
    }

    /// Of each asset, whether it is in a collection.
    pub async fn contains(&self, id: &CollectionId, assets: &[AssetId]) -> Result<Vec<bool>> {
        let assets = assets.to_vec();
        self.within(id, move |db, num| {
            let is_in = |id: &AssetId| AssetKey::parse(id).map_or(Ok(false), |key| entry::contains(db, num, key));
            assets.iter().map(is_in).collect()
        })
        .await
    }

    /// One asset.
    pub async fn asset(&self, id: &AssetId) -> Result<Option<Asset>> {
        let Some(key) = AssetKey::parse(id) else { return Ok(None) };
        self.shared.store.read(move |db| asset::find(db, key)).await
    }

    /// Assets in the order asked for; unknown ones are left out.
    pub async fn assets_by_id(&self, ids: &[AssetId]) -> Result<Vec<Asset>> {
        let keys = keys(ids);
        self.shared.store.read(move |db| keys.into_iter().filter_map(|key| asset::find(db, key).transpose()).collect()).await
    }

    /// The files of an asset, the primary one first; empty if there is no such asset.
    pub async fn resources(&self, id: &AssetId) -> Result<Vec<AssetResource>> {
        let Some(key) = AssetKey::parse(id) else { return Ok(Vec::new()) };
        self.shared
            .store
            .read(move |db| Ok(by_resource(file::places(db, key)?).iter().map(|places| resource(key, places)).collect()))
            .await
    }

    /// Every resource of these assets with the best place to read it from: one that is there before one that is not.
    pub async fn upload_files(&self, assets: &[AssetId]) -> Result<Vec<UploadFile>> {
        let keys = keys(assets);
        self.shared
            .store
            .read(move |db| {
                let mut files = Vec::new();
                for key in keys {
                    let Some(asset) = asset::find(db, key)? else { continue };
                    files.extend(by_resource(file::places(db, key)?).iter().filter_map(|places| upload_file(&asset, key, places)));
                }
                Ok(files)
            })
            .await
    }

    /// Every place of every resource of an asset; the same content in two places is there twice.
    pub async fn places(&self, id: &AssetId) -> Result<Vec<UploadFile>> {
        let Some(key) = AssetKey::parse(id) else { return Ok(Vec::new()) };
        self.shared
            .store
            .read(move |db| {
                let Some(asset) = asset::find(db, key)? else { return Ok(Vec::new()) };
                let places = file::places(db, key)?;
                Ok(places.iter().filter_map(|place| upload_file(&asset, key, std::slice::from_ref(place))).collect())
            })
            .await
    }

    /// What changed after a token, or since the beginning; at most `limit` changes, and where to go on.
    ///
    /// # Errors
    /// [`LibraryError::TokenExpired`] if the index was rebuilt or too much has changed since.
    pub async fn changes(&self, since: Option<&ChangeToken>, limit: u32) -> Result<PersistentChanges> {
        let since = since.cloned();
        self.shared.store.read(move |db| change::since(db, since.as_ref(), limit)).await
    }

    /// The present place in the history of the library.
    pub async fn change_token(&self) -> Result<ChangeToken> {
        self.shared.store.read(change::token).await
    }

    async fn within<T: Send + 'static>(
        &self,
        id: &CollectionId,
        read: impl FnOnce(&Connection, i64) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let id = id.clone();
        self.shared
            .store
            .read(move |db| {
                let num = collection::num(db, &id)?.ok_or_else(|| LibraryError::NotFound { what: "album", id: id.0.clone() })?;
                read(db, num)
            })
            .await
    }
}

/// Rows of a page at most.
const PAGE_MAX: u32 = 500;

/// Places grouped by what they hold: the same content in the same part is one resource.
fn by_resource(places: Vec<Place>) -> Vec<Vec<Place>> {
    let mut resources: Vec<Vec<Place>> = Vec::new();
    for place in places {
        let same = |known: &&mut Vec<Place>| known[0].role == place.role && known[0].content.sha256 == place.content.sha256;
        match resources.iter_mut().find(same) {
            Some(known) => known.push(place),
            None => resources.push(vec![place]),
        }
    }
    resources
}

fn state(places: &[Place]) -> SourceState {
    if places.iter().any(Place::is_present) {
        SourceState::Present
    } else if places.iter().any(|place| place.online && place.state == FileState::Changing) {
        SourceState::Changing
    } else {
        SourceState::Offline
    }
}

fn resource(key: AssetKey, places: &[Place]) -> AssetResource {
    let Place { role, content, name, .. } = &places[0];
    AssetResource {
        id: identity::resource_id(key, *role, &content.sha256),
        asset_id: key.id(),
        resource_type: *role,
        original_filename: names::display(name),
        content_type: content.content_type.clone(),
        byte_count: content.byte_count.cast_unsigned(),
        sha256: identity::hex(&content.sha256),
        source_state: state(places),
        paths: places.iter().map(|place| names::display(place.path().as_os_str())).collect(),
    }
}

fn upload_file(asset: &Asset, key: AssetKey, places: &[Place]) -> Option<UploadFile> {
    let best = places.iter().find(|place| place.is_present()).or(places.first())?;
    Some(UploadFile {
        asset_id: key.id(),
        resource_id: identity::resource_id(key, best.role, &best.content.sha256),
        resource_type: best.role,
        filename: names::display(&best.name),
        byte_count: best.content.byte_count.cast_unsigned(),
        sha256: identity::hex(&best.content.sha256),
        created: asset.creation_date,
        source_id: best.source.clone(),
        root: best.root.clone(),
        path: best.path(),
        content_type: best.content.content_type.clone(),
        source_state: state(places),
    })
}

/// The first place of an asset's primary resource that can be read, else any.
pub(crate) fn primary_place(db: &Connection, key: AssetKey) -> Result<Option<Place>> {
    let mut places: Vec<_> = file::places(db, key)?.into_iter().filter(|place| asset::is_primary(place.role)).collect();
    let at = places.iter().position(Place::is_present).unwrap_or(0);
    Ok((at < places.len()).then(|| places.swap_remove(at)))
}
