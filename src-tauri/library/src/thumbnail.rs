//! Small pictures: JPEG files in the cache, made when first asked for.
//!
//! A picture is refused by its header before its pixels are touched if it is larger than 256 megapixels, at most two are decoded at
//! once, and one that cannot be decoded is tried twice and then remembered as broken.

use std::{
    fs,
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
};

use afterglow_model::AssetId;
use base64::Engine as _;
use fast_image_resize::{ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, metadata::Orientation};

use crate::{
    Library, LibraryError, ThumbnailError, content,
    identity::AssetKey,
    reading,
    table::{asset, file::Place},
};

/// Longer side in pixels.
const SIZES: [u32; 3] = [256, 512, 1024];
/// Pixels of a picture that is still decoded.
const PIXELS_MAX: u64 = 256_000_000;
/// Bytes that decoding one picture may take: 256 megapixels in RGB.
const DECODE_BYTES_MAX: u64 = 3 * PIXELS_MAX;
/// How often a broken picture is tried.
const FAILURES_MAX: u32 = 2;
/// Quality of the JPEG, 1 to 100.
const QUALITY: u8 = 80;
/// Longer side of what a thumbhash is computed from; the format's own limit is 100.
const HASHED_SIZE: u32 = 64;

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
        let drawn = tokio::task::spawn_blocking(move || {
            let draw = std::panic::AssertUnwindSafe(|| draw(&place, size, &path));
            std::panic::catch_unwind(draw).unwrap_or_else(|_| Err(ThumbnailError::Broken("its decoder gave up".to_owned())))
        });
        let drawn = drawn.await.map_err(|error| ThumbnailError::Unavailable(error.to_string()))?;
        self.remember(key, has_hash, &drawn).await;
        drawn.map(|(jpeg, _)| jpeg)
    }

    /// Keeps the small hash, or that decoding failed.
    async fn remember(&self, key: AssetKey, has_hash: bool, drawn: &Result<(Vec<u8>, String), ThumbnailError>) {
        let noted = match drawn {
            Ok((_, hash)) if !has_hash => {
                let hash = hash.clone();
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

/// Decodes, makes small, turns upright, writes to the cache. Gives the JPEG and the thumbhash.
fn draw(place: &Place, size: u32, cached: &Path) -> Result<(Vec<u8>, String), ThumbnailError> {
    let unavailable = |error: io::Error| ThumbnailError::Unavailable(error.to_string());
    let file = content::open(&place.path()).map_err(unavailable)?;
    if file.metadata().map_err(unavailable)?.len() != place.content.byte_count.cast_unsigned() {
        return Err(ThumbnailError::Unavailable("it was changed and is about to be read again".to_owned()));
    }
    let mut small = shrunk(decode(file)?, size)?;
    small.apply_orientation(Orientation::from_exif(place.content.metadata.orientation).unwrap_or(Orientation::NoTransforms));
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    small.write_with_encoder(encoder).map_err(|error| ThumbnailError::Broken(error.to_string()))?;
    if let Err(error) = keep(cached, &jpeg) {
        tracing::warn!(%error, "a thumbnail could not be kept; it is made again when asked for");
    }
    let tiny = shrunk(small, HASHED_SIZE)?.into_rgba8();
    let hash = thumbhash::rgba_to_thumb_hash(tiny.width() as usize, tiny.height() as usize, tiny.as_raw());
    Ok((jpeg, base64::engine::general_purpose::STANDARD.encode(hash)))
}

/// The picture as RGB, transparent parts on white.
fn decode(file: fs::File) -> Result<DynamicImage, ThumbnailError> {
    let broken = |error: image::ImageError| match error {
        image::ImageError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof && error.raw_os_error().is_some() => {
            ThumbnailError::Unavailable(error.to_string())
        }
        other => ThumbnailError::Broken(other.to_string()),
    };
    let mut reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|error| broken(error.into()))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(ThumbnailError::Broken("it is larger than 256 megapixels".to_owned()));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    if !picture.color().has_alpha() {
        return Ok(picture.into_rgb8().into());
    }
    let mut flat = image::RgbImage::new(width, height);
    for (to, from) in flat.pixels_mut().zip(picture.into_rgba8().pixels()) {
        let alpha = u32::from(from.0[3]);
        to.0 = [0, 1, 2].map(|channel| ((u32::from(from.0[channel]) * alpha + 255 * (255 - alpha)) / 255) as u8);
    }
    Ok(flat.into())
}

/// The picture with its longer side at most `size`; never larger than it was.
fn shrunk(picture: DynamicImage, size: u32) -> Result<DynamicImage, ThumbnailError> {
    let (width, height) = (picture.width(), picture.height());
    let longer = width.max(height);
    if longer <= size {
        return Ok(picture);
    }
    let scaled = |side: u32| (f64::from(side) * f64::from(size) / f64::from(longer)).round().max(1.0) as u32;
    let mut small = DynamicImage::new_rgb8(scaled(width), scaled(height));
    let resized = Resizer::new().resize(&picture, &mut small, &ResizeOptions::new());
    resized.map_err(|error| ThumbnailError::Broken(error.to_string()))?;
    Ok(small)
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
