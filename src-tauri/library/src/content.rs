//! What a file is and what its bytes are: extension and magic bytes, the stat that pins it, one pass of SHA-256.

use std::{
    ffi::OsStr,
    fs::{File, Metadata, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use afterglow_model::MediaType;
use sha2::{Digest as _, Sha256};

use crate::{identity::Digest, names};

/// What a file can be to an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A developed still.
    Still,
    /// A camera's undeveloped data.
    Raw,
    /// A moving picture.
    Video,
    /// What an editor wrote beside a photo.
    Sidecar,
}

/// Extensions by kind, and the content type where magic bytes do not tell (RAW formats are mostly TIFF inside).
const EXTENSIONS: [(&str, Kind, &str); 50] = [
    ("jpg", Kind::Still, "image/jpeg"),
    ("jpeg", Kind::Still, "image/jpeg"),
    ("jpe", Kind::Still, "image/jpeg"),
    ("png", Kind::Still, "image/png"),
    ("webp", Kind::Still, "image/webp"),
    ("gif", Kind::Still, "image/gif"),
    ("heic", Kind::Still, "image/heic"),
    ("heif", Kind::Still, "image/heif"),
    ("hif", Kind::Still, "image/heif"),
    ("avif", Kind::Still, "image/avif"),
    ("jxl", Kind::Still, "image/jxl"),
    ("tif", Kind::Still, "image/tiff"),
    ("tiff", Kind::Still, "image/tiff"),
    ("bmp", Kind::Still, "image/bmp"),
    ("jp2", Kind::Still, "image/jp2"),
    ("psd", Kind::Still, "image/vnd.adobe.photoshop"),
    ("dng", Kind::Raw, "image/x-adobe-dng"),
    ("cr2", Kind::Raw, "image/x-canon-cr2"),
    ("cr3", Kind::Raw, "image/x-canon-cr3"),
    ("crw", Kind::Raw, "image/x-canon-crw"),
    ("nef", Kind::Raw, "image/x-nikon-nef"),
    ("nrw", Kind::Raw, "image/x-nikon-nrw"),
    ("arw", Kind::Raw, "image/x-sony-arw"),
    ("sr2", Kind::Raw, "image/x-sony-sr2"),
    ("raf", Kind::Raw, "image/x-fuji-raf"),
    ("rw2", Kind::Raw, "image/x-panasonic-rw2"),
    ("orf", Kind::Raw, "image/x-olympus-orf"),
    ("pef", Kind::Raw, "image/x-pentax-pef"),
    ("srw", Kind::Raw, "image/x-samsung-srw"),
    ("x3f", Kind::Raw, "image/x-sigma-x3f"),
    ("iiq", Kind::Raw, "image/x-phaseone-iiq"),
    ("3fr", Kind::Raw, "image/x-hasselblad-3fr"),
    ("rwl", Kind::Raw, "image/x-leica-rwl"),
    ("mov", Kind::Video, "video/quicktime"),
    ("mp4", Kind::Video, "video/mp4"),
    ("m4v", Kind::Video, "video/x-m4v"),
    ("3gp", Kind::Video, "video/3gpp"),
    ("3g2", Kind::Video, "video/3gpp2"),
    ("mkv", Kind::Video, "video/x-matroska"),
    ("webm", Kind::Video, "video/webm"),
    ("avi", Kind::Video, "video/x-msvideo"),
    ("mpg", Kind::Video, "video/mpeg"),
    ("mpeg", Kind::Video, "video/mpeg"),
    ("mts", Kind::Video, "video/mp2t"),
    ("m2ts", Kind::Video, "video/mp2t"),
    ("wmv", Kind::Video, "video/x-ms-wmv"),
    ("ogv", Kind::Video, "video/ogg"),
    ("flv", Kind::Video, "video/x-flv"),
    ("xmp", Kind::Sidecar, "application/rdf+xml"),
    ("aae", Kind::Sidecar, "application/x-apple-aae"),
];

impl Kind {
    /// The kind that an extension (lower case) names.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        EXTENSIONS.iter().find(|(known, _, _)| *known == extension).map(|(_, kind, _)| *kind)
    }

    /// What the index keeps.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Still => 1,
            Self::Raw => 2,
            Self::Video => 3,
            Self::Sidecar => 4,
        }
    }

    /// The kind with this code.
    pub(crate) fn of_code(code: i64) -> Option<Self> {
        [Self::Still, Self::Raw, Self::Video, Self::Sidecar].into_iter().find(|kind| kind.code() == code)
    }

    /// What an asset with a primary resource of this kind is.
    pub(crate) fn media_type(self) -> MediaType {
        match self {
            Self::Still | Self::Raw => MediaType::Image,
            Self::Video => MediaType::Video,
            Self::Sidecar => MediaType::Unknown,
        }
    }
}

/// The content type of a photo or video that its name tells; none if the name tells of neither.
pub fn content_type(filename: &str) -> Option<&'static str> {
    let extension = names::extension(OsStr::new(filename));
    EXTENSIONS.iter().find(|(known, _, _)| *known == extension).map(|(_, _, content_type)| *content_type)
}

/// Kind and content type of a file, by its first bytes where they tell and by its extension otherwise. None: nothing of ours.
pub(crate) fn recognise(extension: &str, head: &[u8]) -> Option<(Kind, String)> {
    if head.is_empty() {
        return None;
    }
    let by_name = EXTENSIONS.iter().find(|(known, _, _)| *known == extension);
    if let Some((_, kind @ (Kind::Raw | Kind::Sidecar), content_type)) = by_name {
        return Some((*kind, (*content_type).to_owned()));
    }
    let sniffed = infer::get(head).and_then(|found| {
        let kind = match found.matcher_type() {
            infer::MatcherType::Image => Kind::Still,
            infer::MatcherType::Video => Kind::Video,
            _ => return None,
        };
        Some((kind, found.mime_type().to_owned()))
    });
    sniffed.or_else(|| by_name.map(|(_, kind, content_type)| (*kind, (*content_type).to_owned())))
}

/// What tells a file from a rewritten one without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Bytes.
    pub(crate) size: i64,
    /// Modification time in nanoseconds since 1970.
    pub(crate) mtime_ns: i64,
    /// Change time in nanoseconds since 1970.
    pub(crate) ctime_ns: i64,
    /// Inode.
    pub(crate) ino: i64,
    /// Device. Not compared: it changes when a drive is plugged in anew.
    pub(crate) dev: i64,
}

impl Stat {
    /// From what the system says.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let ns = |seconds: i64, nanoseconds: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
        Self {
            size: metadata.size().cast_signed(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            ino: metadata.ino().cast_signed(),
            dev: metadata.dev().cast_signed(),
        }
    }

    /// From what the system says, where it has neither inode nor change time.
    #[cfg(not(unix))]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let mtime = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let mtime_ns = mtime.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Self { size: metadata.len().cast_signed(), mtime_ns, ctime_ns: mtime_ns, ino: 0, dev: 0 }
    }

    /// Whether the file is the one that was seen: everything but the device, which changes when a drive is plugged in anew.
    pub(crate) fn same_file(&self, seen: &Self) -> bool {
        Self { dev: 0, ..*self } == Self { dev: 0, ..*seen }
    }

    /// Milliseconds since 1970 of the last modification.
    pub(crate) fn mtime_ms(&self) -> i64 {
        self.mtime_ns / 1_000_000
    }
}

/// Opens a file for reading: never a link's target, never blocking on a pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// SHA-256 of the whole file and its first bytes, in one pass.
pub(crate) fn read(file: &mut File) -> io::Result<(Digest, Vec<u8>)> {
    // Small enough to come from the allocator's own store, for each of a hundred thousand files.
    const BLOCK: usize = 64 * 1024;
    const HEAD: usize = 8 * 1024;
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut head = Vec::new();
    let mut block = vec![0; BLOCK];
    loop {
        let length = match file.read(&mut block) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&block[..length]);
        if head.len() < HEAD {
            head.extend_from_slice(&block[..length.min(HEAD - head.len())]);
        }
    }
    Ok((hasher.finalize().into(), head))
}

/// Up to `length` first bytes.
pub(crate) fn head(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_wins_over_the_extension_except_for_raw_and_sidecars() {
        let png = b"\x89PNG\r\n\x1a\n";
        assert_eq!(recognise("jpg", png), Some((Kind::Still, "image/png".to_owned())));
        assert_eq!(recognise("", png), Some((Kind::Still, "image/png".to_owned())));
        assert_eq!(recognise("nef", b"II*\0"), Some((Kind::Raw, "image/x-nikon-nef".to_owned())));
        assert_eq!(recognise("jpg", b"no picture"), Some((Kind::Still, "image/jpeg".to_owned())));
        assert_eq!(recognise("txt", b"no picture"), None);
        assert_eq!(recognise("jpg", b""), None);
    }
}
