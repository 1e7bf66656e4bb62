//! Small pictures: JPEG files in the cache, made when first asked for.
//!
//! At most two are decoded at once, and one that cannot be decoded is tried twice and then remembered as broken.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use afterglow_model::AssetId;

use crate::{
    Library, LibraryError, ThumbnailError, content,
    decode::{self, Drawing},
    identity::AssetKey,
    reading,
    table::{asset, file::Place},
};

/// Longer side in pixels.
const SIZES: [u32; 3] = [256, 512, 1024];
/// How often a broken picture is tried.
const FAILURES_MAX: u32 = 2;

impl Library {
    /// A JPEG of an asset's primary resource, upright, its longer side at most the next of 256, 512 and 1024 pixels from `size` on.
    pub async fn thumbnail(&self, id: &AssetId, size: u32) -> Result<Vec<u8>, ThumbnailError> {
        let key = AssetKey::parse(id).ok_or(ThumbnailError::NotFound)?;
        let size = SIZES.into_iter().find(|known| *known >= size).unwrap_or(SIZES[SIZES.len() - 1]);
        let path = self.cached(id, size);
        if let Ok(jpeg) = tokio::fs::read(&path).await {
            return Ok(jpeg);
        }
        let (failures, place) = self
            .shared
            .store
            .read(move |db| Ok((asset::drawing(db, key)?, reading::primary_place(db, key)?)))
            .await
            .map_err(|error| ThumbnailError::Unavailable(error.to_string()))?;
        let ((failures, has_hash), place) = failures.zip(place).ok_or(ThumbnailError::NotFound)?;
        if !matches!(place.content.content_type.as_str(), "image/jpeg" | "image/png" | "image/webp" | "image/gif") {
            return Err(ThumbnailError::Unsupported);
        }
        if failures >= FAILURES_MAX {
            return Err(ThumbnailError::Broken("it could not be decoded".to_owned()));
        }
        let _permit =
            self.shared.decodes.acquire().await.map_err(|_| ThumbnailError::Unavailable(LibraryError::Closed.to_string()))?;
        if let Ok(jpeg) = tokio::fs::read(&path).await {
            return Ok(jpeg);
        }
        let drawn = self.draw(&place, size).await;
        self.remember(key, has_hash, &drawn).await;
        let jpeg = drawn?.jpeg;
        let kept = jpeg.clone();
        let keeping = tokio::task::spawn_blocking(move || keep(&path, &kept)).await.map_err(io::Error::other);
        if let Err(error) = keeping.flatten() {
            tracing::warn!(%error, "a thumbnail could not be kept; it is made again when asked for");
        }
        Ok(jpeg)
    }

    async fn draw(&self, place: &Place, size: u32) -> Result<Drawing, ThumbnailError> {
        let (path, byte_count) = (place.path(), place.content.byte_count.cast_unsigned());
        let opened = tokio::task::spawn_blocking(move || {
            let file = content::open(&path)?;
            let present = file.metadata()?.len();
            Ok::<_, io::Error>((file, present))
        });
        let opened = opened.await.map_err(io::Error::other).flatten();
        let (file, present) = opened.map_err(|error| ThumbnailError::Unavailable(error.to_string()))?;
        if present != byte_count {
            return Err(ThumbnailError::Unavailable("it was changed and is about to be read again".to_owned()));
        }
        decode::draw(self.shared.options.decoder.as_deref(), file, size, place.content.metadata.orientation).await
    }

    /// Keeps the small hash, or that decoding failed.
    async fn remember(&self, key: AssetKey, has_hash: bool, drawn: &Result<Drawing, ThumbnailError>) {
        let noted = match drawn {
            Ok(drawing) if !has_hash => {
                let hash = drawing.hash.clone();
                self.shared.store.write(move |db| asset::set_thumb_hash(db, key, &hash)).await
            }
            Err(ThumbnailError::Broken(_)) => self.shared.store.write(move |db| asset::count_failure(db, key)).await,
            Ok(_) | Err(ThumbnailError::NotFound | ThumbnailError::Unsupported | ThumbnailError::Unavailable(_)) => Ok(()),
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "what was learnt of a thumbnail could not be kept");
        }
    }

    /// The file of a thumbnail, in one of 256 folders.
    fn cached(&self, id: &AssetId, size: u32) -> PathBuf {
        self.shared.options.cache_dir.join("thumbnails").join(&id.0[..2]).join(format!("{id}-{size}.jpg"))
    }
}

/// Written beside and moved into place, so that nobody reads half a picture.
fn keep(path: &Path, jpeg: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension("part");
    fs::File::create(&partial)?.write_all(jpeg)?;
    fs::rename(partial, path)
}
