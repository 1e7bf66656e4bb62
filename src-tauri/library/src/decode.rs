//! Decoding, in a process of its own.
//!
//! A picture comes from anywhere, and a decoder is the largest piece of code that looks at it. In its own process a picture that
//! breaks the decoder, hangs it or takes a gigabyte costs the service neither its life nor its memory, which goes back to the system
//! with the process. [`decode_worker`] is what that process runs; [`draw`] starts it.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fast_image_resize::{ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, metadata::Orientation};
use serde::{Deserialize, Serialize};

use crate::ThumbnailError;

/// Pixels of a picture that is still decoded.
const PIXELS_MAX: u64 = 256_000_000;
/// Bytes that decoding one picture may take: 256 megapixels in RGBA.
const DECODE_BYTES_MAX: u64 = 4 * PIXELS_MAX;
/// Address space of the worker: the picture twice, and the program.
const WORKER_BYTES_MAX: u64 = 2 * DECODE_BYTES_MAX + (512 << 20);
/// A picture that takes longer is broken.
const WORKER_WAIT_MAX: Duration = Duration::from_secs(30);
/// Quality of the JPEG, 1 to 100.
const QUALITY: u8 = 80;
/// Longer side of what a thumbhash is computed from; the format's own limit is 100.
const HASHED_SIZE: u32 = 64;

/// A thumbnail.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drawing {
    /// The picture, upright.
    #[serde(with = "text")]
    pub(crate) jpeg: Vec<u8>,
    /// Its thumbhash in base64.
    pub(crate) hash: String,
}

/// Draws the picture in `file` with its longer side at most `size`, turned as `orientation` (EXIF, 1 to 8) says: by the `decode`
/// command of `program`, or in this process if there is none.
pub(crate) async fn draw(program: Option<&Path>, file: File, size: u32, orientation: u8) -> Result<Drawing, ThumbnailError> {
    let unavailable = |error: io::Error| ThumbnailError::Unavailable(error.to_string());
    let Some(program) = program else {
        let drawn = tokio::task::spawn_blocking(move || draw_here(file, size, orientation));
        return drawn.await.map_err(|error| ThumbnailError::Unavailable(error.to_string()))?;
    };
    let child = tokio::process::Command::new(program)
        .args(["decode", "--size", &size.to_string(), "--orientation", &orientation.to_string()])
        .stdin(Stdio::from(file))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(unavailable)?;
    let ended = tokio::time::timeout(WORKER_WAIT_MAX, child.wait_with_output()).await;
    let output = ended.map_err(|_| ThumbnailError::Broken("decoding it took too long".to_owned()))?.map_err(unavailable)?;
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| Err(ThumbnailError::Broken("its decoder gave up".to_owned())))
}

/// The worker: reads a picture from `input`, which must be a regular file, and writes what it came to as JSON to `output`.
///
/// # Errors
/// `output` cannot be written.
pub fn decode_worker(input: File, size: u32, orientation: u8, output: impl Write) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Where it cannot be set, the decoder's own limit still holds.
        let _ = setrlimit(Resource::As, Rlimit { current: Some(WORKER_BYTES_MAX), maximum: Some(WORKER_BYTES_MAX) });
    }
    serde_json::to_writer(output, &draw_here(input, size, orientation))?;
    Ok(())
}

fn draw_here(file: File, size: u32, orientation: u8) -> Result<Drawing, ThumbnailError> {
    let mut small = shrunk(decode(file)?, size)?;
    small.apply_orientation(Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms));
    let tiny = shrunk(small.clone(), HASHED_SIZE)?.into_rgba8();
    let hash = thumbhash::rgba_to_thumb_hash(tiny.width() as usize, tiny.height() as usize, tiny.as_raw());
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    small.into_rgb8().write_with_encoder(encoder).map_err(|error| ThumbnailError::Broken(error.to_string()))?;
    Ok(Drawing { jpeg, hash: STANDARD.encode(hash) })
}

/// The picture as RGBA, transparent parts on white.
fn decode(file: File) -> Result<DynamicImage, ThumbnailError> {
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
    let transparent = picture.color().has_alpha();
    let mut flat = picture.into_rgba8();
    if transparent {
        for pixel in flat.pixels_mut() {
            let [red, green, blue, alpha] = pixel.0.map(u32::from);
            pixel.0 = [red, green, blue, 255].map(|channel| ((channel * alpha + 255 * (255 - alpha)) / 255) as u8);
        }
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
    let mut small = DynamicImage::new_rgba8(scaled(width), scaled(height));
    let resized = Resizer::new().resize(&picture, &mut small, &ResizeOptions::new().use_alpha(false));
    resized.map_err(|error| ThumbnailError::Broken(error.to_string()))?;
    Ok(small)
}

/// Bytes as base64.
mod text {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::Deserialize as _;

    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
