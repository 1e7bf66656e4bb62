//! A library in a temporary folder, and pictures to put into it.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use afterglow_library::{Library, LibraryOptions};
use afterglow_model::{Asset, AssetId, SmartAlbum, SourceId};
use tempfile::TempDir;

/// A person's folder and a library of it.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) photos: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let photos = dir.path().canonicalize().unwrap().join("photos");
        fs::create_dir(&photos).unwrap();
        Self { dir, photos }
    }

    pub(crate) fn options(&self) -> LibraryOptions {
        LibraryOptions {
            data_dir: self.dir.path().join("data"),
            cache_dir: self.dir.path().join("cache"),
            settle: Duration::ZERO,
            rescan_unwatched: Duration::from_secs(600),
            decoder: None,
        }
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.photos.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Opens the library with the folder as its source, scanned.
    pub(crate) async fn open(&self) -> (Library, SourceId) {
        let library = Library::open(self.options()).await.unwrap();
        let known = library.sources().await.unwrap().pop();
        let source = match known {
            Some(source) => source.id,
            None => library.add_source(&self.photos).await.unwrap().id,
        };
        scanned(&library).await;
        (library, source)
    }
}

/// Waits until nothing is scanned or due.
pub(crate) async fn scanned(library: &Library) {
    until(|| async { !library.is_scanning() }).await;
}

/// Looks through all sources and waits for the end.
pub(crate) async fn rescan(library: &Library) {
    library.scan_all().await.unwrap();
    scanned(library).await;
}

/// Waits for a condition, for half a minute at most.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "what was waited for did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn all(library: &Library) -> Vec<Asset> {
    library.assets(&SmartAlbum::AllPhotos.id(), 0, 500).await.unwrap().0
}

pub(crate) async fn ids_in(library: &Library, album: SmartAlbum) -> Vec<AssetId> {
    library.members(&album.id(), None, 500).await.unwrap()
}

/// A JPEG that differs by `seed`.
pub(crate) fn jpeg(seed: u8, width: u32, height: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([seed, (x * 3) as u8, (y * 3) as u8]));
    let mut bytes = Vec::new();
    picture.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)).unwrap();
    bytes
}

/// What goes into an EXIF block.
#[derive(Default, Clone)]
pub(crate) struct Exif<'a> {
    /// `2026:05:31 23:30:00`
    pub(crate) taken: Option<&'a str>,
    /// `+09:00`
    pub(crate) offset: Option<&'a str>,
    pub(crate) orientation: Option<u16>,
    pub(crate) make: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    /// Whole degrees north and east.
    pub(crate) place: Option<(u32, u32)>,
}

/// A JPEG with an EXIF block (EXIF 2.32, 4.5) put right after its start marker.
pub(crate) fn jpeg_with(seed: u8, width: u32, height: u32, exif: &Exif<'_>) -> Vec<u8> {
    let plain = jpeg(seed, width, height);
    let tiff = tiff(exif);
    let mut bytes = plain[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(&plain[2..]);
    bytes
}

struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    bytes: Vec<u8>,
}

fn ascii(tag: u16, text: &str) -> Entry {
    let bytes = [text.as_bytes(), &[0]].concat();
    Entry { tag, kind: 2, count: bytes.len() as u32, bytes }
}

fn degrees(tag: u16, value: u32) -> Entry {
    let bytes = [value, 1, 0, 1, 0, 1].iter().flat_map(|number| number.to_le_bytes()).collect();
    Entry { tag, kind: 5, count: 3, bytes }
}

fn pointer(tag: u16, to: usize) -> Entry {
    Entry { tag, kind: 4, count: 1, bytes: (to as u32).to_le_bytes().to_vec() }
}

/// One directory at `start`: its entries, and behind them the values that are longer than four bytes.
fn directory(start: usize, entries: &[Entry]) -> Vec<u8> {
    let mut table = (entries.len() as u16).to_le_bytes().to_vec();
    let mut values = Vec::new();
    let values_at = start + 2 + 12 * entries.len() + 4;
    for entry in entries {
        table.extend(entry.tag.to_le_bytes());
        table.extend(entry.kind.to_le_bytes());
        table.extend(entry.count.to_le_bytes());
        if entry.bytes.len() <= 4 {
            let mut inline = entry.bytes.clone();
            inline.resize(4, 0);
            table.extend(inline);
        } else {
            table.extend(((values_at + values.len()) as u32).to_le_bytes());
            values.extend(&entry.bytes);
            values.resize(values.len().next_multiple_of(2), 0);
        }
    }
    table.extend([0; 4]);
    table.extend(values);
    table
}

fn tiff(exif: &Exif<'_>) -> Vec<u8> {
    let main = |exif_at: usize, gps_at: usize| {
        let mut entries = Vec::new();
        entries.extend(exif.make.map(|text| ascii(0x010f, text)));
        entries.extend(exif.model.map(|text| ascii(0x0110, text)));
        entries.extend(exif.orientation.map(|value| Entry { tag: 0x0112, kind: 3, count: 1, bytes: value.to_le_bytes().to_vec() }));
        entries.push(pointer(0x8769, exif_at));
        entries.extend(exif.place.map(|_| pointer(0x8825, gps_at)));
        entries
    };
    let mut details = Vec::new();
    details.extend(exif.taken.map(|text| ascii(0x9003, text)));
    details.extend(exif.offset.map(|text| ascii(0x9011, text)));
    let mut gps = Vec::new();
    if let Some((north, east)) = exif.place {
        gps.extend([ascii(1, "N"), degrees(2, north), ascii(3, "E"), degrees(4, east)]);
    }
    let exif_at = 8 + directory(8, &main(0, 0)).len();
    let gps_at = exif_at + directory(exif_at, &details).len();
    let mut bytes = b"II\x2a\0\x08\0\0\0".to_vec();
    bytes.extend(directory(8, &main(exif_at, gps_at)));
    bytes.extend(directory(exif_at, &details));
    bytes.extend(directory(gps_at, &gps));
    bytes
}

/// Name, bytes and modification time of everything below a folder.
pub(crate) fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            found.push((path.clone(), fs::read(&path).unwrap(), modified));
        }
    }
    found.sort();
    found
}
