//! What the person decides: albums, favourites. And what the service knows: which assets are delivered.

use afterglow_model::{AssetCollection, AssetId, CollectionId};
use rusqlite::Connection;

use crate::{
    Library, LibraryError, Result,
    identity::AssetKey,
    index, now,
    table::{
        asset,
        change::{self, Change},
        collection, curation,
    },
};

impl Library {
    /// Makes an empty album. Two albums may have one title.
    ///
    /// # Errors
    /// [`LibraryError::NotAllowed`] if the title is empty.
    pub async fn create_album(&self, title: &str) -> Result<AssetCollection> {
        let title = clean_title(title)?;
        let id = format!("album:{}", uuid::Uuid::new_v4().simple());
        self.decide(move |db| {
            curation::insert_album(db, &id, &title, now())?;
            collection::put_album(db, &id, &title)?;
            found(db, &CollectionId(id))
        })
        .await
    }

    /// Gives an album another title.
    ///
    /// # Errors
    /// [`LibraryError::NotFound`] if it is not an album of the person, [`LibraryError::NotAllowed`] if the title is empty.
    pub async fn rename_album(&self, id: &CollectionId, title: &str) -> Result<AssetCollection> {
        let (id, title) = (id.clone(), clean_title(title)?);
        self.decide(move |db| {
            if !curation::rename_album(db, &id.0, &title)? {
                return Err(missing(&id));
            }
            collection::put_album(db, &id.0, &title)?;
            found(db, &id)
        })
        .await
    }

    /// Removes an album; its photos stay.
    ///
    /// # Errors
    /// [`LibraryError::NotFound`] if it is not an album of the person.
    pub async fn delete_album(&self, id: &CollectionId) -> Result<()> {
        let id = id.clone();
        self.decide(move |db| {
            if !curation::delete_album(db, &id.0)? {
                return Err(missing(&id));
            }
            collection::delete(db, &id)
        })
        .await
    }

    /// Puts assets into an album and takes others out. Unknown assets are passed over.
    ///
    /// # Errors
    /// [`LibraryError::NotFound`] if it is not an album of the person.
    pub async fn edit_album(&self, id: &CollectionId, add: &[AssetId], remove: &[AssetId]) -> Result<AssetCollection> {
        let (id, add, remove) = (id.clone(), keys(add), keys(remove));
        self.decide(move |db| {
            if !curation::albums(db)?.iter().any(|(known, _)| *known == id.0) {
                return Err(missing(&id));
            }
            for (assets, member) in [(&add, true), (&remove, false)] {
                for key in assets {
                    if let Some(content) = asset::primary(db, *key)? {
                        curation::set_member(db, &id.0, &content, member)?;
                        // Whoever follows the album sees no other sign of it.
                        change::insert(db, *key, Change::Updated)?;
                    }
                }
            }
            index::refresh(db, add.into_iter().chain(remove))?;
            found(db, &id)
        })
        .await
    }

    /// Marks assets, or takes the mark away. Unknown assets are passed over.
    pub async fn set_favorite(&self, assets: &[AssetId], marked: bool) -> Result<()> {
        let assets = keys(assets);
        self.decide(move |db| {
            for key in &assets {
                if let Some(content) = asset::primary(db, *key)? {
                    curation::set_favorite(db, &content, marked)?;
                }
            }
            index::refresh(db, assets)?;
            Ok(())
        })
        .await
    }

    /// Says of assets whether they are delivered wherever rules want them. The album *Not backed up* holds the others. A rebuilt index
    /// has forgotten it: say it again.
    pub async fn set_backed_up(&self, assets: &[AssetId], backed_up: bool) -> Result<()> {
        let assets = keys(assets);
        self.decide(move |db| {
            let mut news = Vec::new();
            for key in assets {
                if asset::set_backed_up(db, key, backed_up)? {
                    news.push(key);
                }
            }
            index::refresh(db, news)?;
            Ok(())
        })
        .await
    }

    /// Writes, and tells listeners.
    async fn decide<T: Send + 'static>(
        &self,
        write: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let value = self.shared.store.write(write).await?;
        self.shared.dirty.notify_one();
        Ok(value)
    }
}

/// The keys of the ids that are ours.
pub(crate) fn keys(ids: &[AssetId]) -> Vec<AssetKey> {
    ids.iter().filter_map(AssetKey::parse).collect()
}

fn found(db: &Connection, id: &CollectionId) -> Result<AssetCollection> {
    collection::find(db, id)?.ok_or_else(|| missing(id))
}

fn missing(id: &CollectionId) -> LibraryError {
    LibraryError::NotFound { what: "album", id: id.0.clone() }
}

fn clean_title(title: &str) -> Result<String> {
    let title = crate::names::display(title.trim().as_ref());
    if title.is_empty() || title.chars().count() > 200 {
        return Err(LibraryError::NotAllowed("An album needs a title of 1 to 200 characters.".to_owned()));
    }
    Ok(title)
}
