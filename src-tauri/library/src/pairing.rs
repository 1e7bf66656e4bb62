//! Which files of a folder are one asset.
//!
//! Pure: it sees the files that share a stem ([`crate::names::pairing_stem`]) and gives each a part. A file that fits nowhere is an
//! asset of its own, so nothing that could be shown is lost; only a sidecar without a photo is in no asset.

use std::ffi::OsStr;

use afterglow_model::AssetResourceType;

use crate::content::Kind;

/// The longest video of a Live Photo. Phones write 3 s; some write more.
const LIVE_MS_MAX: i64 = 10_000;
/// The largest video of a Live Photo if its length is unknown.
const LIVE_BYTES_MAX: i64 = 20_000_000;

/// A file as pairing sees it.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// What it is.
    pub(crate) kind: Kind,
    /// Whether its name says that it is an edit.
    pub(crate) is_edit: bool,
    /// Lower-case extension.
    pub(crate) extension: String,
    /// The name without `.xmp` or `.aae`, lower case: which photo a sidecar with a full name means.
    pub(crate) full_stem: Vec<u8>,
    /// The name, lower case.
    pub(crate) name: Vec<u8>,
    /// Length, if it is a video and it is known.
    pub(crate) duration_ms: Option<i64>,
    /// Bytes.
    pub(crate) size: i64,
}

impl Candidate {
    /// A file by its name and what is known of its content.
    pub(crate) fn new(name: &OsStr, kind: Kind, duration_ms: Option<i64>, size: i64) -> Self {
        let lower = name.as_encoded_bytes().to_ascii_lowercase();
        let stem_length = lower.iter().rposition(|byte| *byte == b'.').unwrap_or(lower.len());
        Self {
            kind,
            is_edit: crate::names::is_edit(name),
            extension: crate::names::extension(name),
            full_stem: lower[..stem_length].to_vec(),
            name: lower,
            duration_ms,
            size,
        }
    }
}

/// The part of one file: the index of the asset's primary file among the candidates, and what this file is to it.
pub(crate) type Part = Option<(usize, AssetResourceType)>;

/// Gives every candidate its part. The same set gives the same parts, whatever the order in which files arrived, as long as the
/// candidates are sorted by name.
pub(crate) fn pair(candidates: &[Candidate]) -> Vec<Part> {
    let mut parts: Vec<Part> = vec![None; candidates.len()];
    let of_kind = |kind: Kind, edit: bool| {
        candidates.iter().enumerate().filter(move |(_, file)| file.kind == kind && file.is_edit == edit).map(|(index, _)| index)
    };
    for index in of_kind(Kind::Still, false) {
        parts[index] = Some((index, AssetResourceType::Photo));
    }
    let still = of_kind(Kind::Still, false).min_by_key(|index| still_rank(&candidates[*index].extension));

    let mut raws = of_kind(Kind::Raw, false).chain(of_kind(Kind::Raw, true));
    let first_raw = raws.next();
    let photo = still.or(first_raw);
    for index in first_raw.into_iter().chain(raws) {
        parts[index] = match still {
            Some(still) if Some(index) == first_raw => Some((still, AssetResourceType::AlternatePhoto)),
            Some(_) | None => Some((index, AssetResourceType::Photo)),
        };
    }

    let live = photo.and_then(|_| {
        of_kind(Kind::Video, false)
            .filter(|index| is_short(&candidates[*index]))
            .min_by_key(|index| candidates[*index].extension != "mov")
    });
    for index in of_kind(Kind::Video, false) {
        parts[index] = match (photo, live == Some(index)) {
            (Some(photo), true) => Some((photo, AssetResourceType::PairedVideo)),
            (Some(_) | None, _) => Some((index, AssetResourceType::Video)),
        };
    }
    let video = of_kind(Kind::Video, false).find(|index| live != Some(*index));

    for (nth, index) in of_kind(Kind::Still, true).enumerate() {
        parts[index] = match photo {
            Some(photo) if nth == 0 => Some((photo, AssetResourceType::FullSizePhoto)),
            Some(_) | None => Some((index, AssetResourceType::Photo)),
        };
    }
    for (nth, index) in of_kind(Kind::Video, true).enumerate() {
        parts[index] = match (live.and(photo), video) {
            (Some(photo), _) if nth == 0 => Some((photo, AssetResourceType::FullSizePairedVideo)),
            (None, Some(video)) if nth == 0 => Some((video, AssetResourceType::FullSizeVideo)),
            (Some(_) | None, _) => Some((index, AssetResourceType::Video)),
        };
    }
    let main = photo.or(video).or_else(|| parts.iter().position(Option::is_some));
    for index in of_kind(Kind::Sidecar, false).chain(of_kind(Kind::Sidecar, true)) {
        let named = candidates.iter().position(|file| file.kind != Kind::Sidecar && file.name == candidates[index].full_stem);
        let host = named.and_then(|named| parts[named]).map(|(primary, _)| primary).or(main);
        parts[index] = host.map(|host| (host, AssetResourceType::AdjustmentData));
    }
    parts
}

/// Which still of one stem is the photo that companions belong to: phones write HEIC or JPEG, the rest are exports.
fn still_rank(extension: &str) -> u8 {
    match extension {
        "heic" | "heif" | "hif" => 0,
        "jpg" | "jpeg" | "jpe" => 1,
        _ => 2,
    }
}

fn is_short(video: &Candidate) -> bool {
    match video.duration_ms {
        Some(duration) => duration <= LIVE_MS_MAX,
        None => matches!(video.extension.as_str(), "mov" | "mp4") && video.size < LIVE_BYTES_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AssetResourceType::*;

    fn parts(files: &[(&str, Option<i64>)]) -> Vec<Part> {
        let candidate = |(name, duration): &(&str, Option<i64>)| {
            let kind = Kind::of_extension(&crate::names::extension(OsStr::new(name))).unwrap();
            Candidate::new(OsStr::new(name), kind, *duration, 1000)
        };
        pair(&files.iter().map(candidate).collect::<Vec<_>>())
    }

    #[test]
    fn a_phones_files_are_one_asset() {
        let files = [("IMG_1.AAE", None), ("IMG_0001.HEIC", None), ("IMG_0001.MOV", Some(2900)), ("IMG_E0001.JPG", None)];
        assert_eq!(parts(&files[1..]), [Some((0, Photo)), Some((0, PairedVideo)), Some((0, FullSizePhoto))]);
        assert_eq!(parts(&files[..1]), [None]);
    }

    #[test]
    fn raw_stands_beside_the_jpeg_and_alone_is_the_photo() {
        assert_eq!(parts(&[("a.arw", None), ("a.jpg", None)]), [Some((1, AlternatePhoto)), Some((1, Photo))]);
        assert_eq!(parts(&[("a.arw", None), ("a.xmp", None)]), [Some((0, Photo)), Some((0, AdjustmentData))]);
    }

    #[test]
    fn a_long_video_is_its_own_asset() {
        assert_eq!(parts(&[("a.jpg", None), ("a.mp4", Some(60_000))]), [Some((0, Photo)), Some((1, Video))]);
    }

    #[test]
    fn a_sidecar_with_a_full_name_belongs_to_that_file() {
        let files = [("a.jpg", None), ("a.png", None), ("a.png.xmp", None)];
        assert_eq!(parts(&files), [Some((0, Photo)), Some((1, Photo)), Some((1, AdjustmentData))]);
    }

    #[test]
    fn an_edit_without_its_original_is_a_photo() {
        assert_eq!(parts(&[("IMG_E0001.JPG", None)]), [Some((0, Photo))]);
    }
}
