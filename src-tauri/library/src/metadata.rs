//! What a photo or video says of itself: date, size, orientation, camera, place, length.
//!
//! Broken metadata never fails an asset; what cannot be read is absent.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use afterglow_model::Location;
use nom_exif::{Exif, ExifDateTime, ExifTag, MediaKind, MediaParser, MediaSource, TrackInfo, TrackInfoTag};

use crate::content::Kind;

/// Bytes read at most in search of metadata. The index of a film of some hours takes less; a file that is none of what it begins like would
/// be taken into memory as a whole.
const READ_MAX: u64 = 16 << 20;

/// Bytes read at most in search of a picture's size, which lies behind the preview and the colour profile.
const HEADER_MAX: u64 = 2 << 20;

/// A file that ends when so much of it was read.
struct Bounded {
    file: File,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&mut self.file).take(self.left).read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// What was found in a file's content.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Metadata {
    /// When it was taken.
    pub(crate) taken: Option<Taken>,
    /// Width as shown; 0 if unknown.
    pub(crate) width: u32,
    /// Height as shown; 0 if unknown.
    pub(crate) height: u32,
    /// EXIF orientation (EXIF 2.32, tag 0x0112), 1 to 8.
    pub(crate) orientation: u8,
    /// Length of a video in milliseconds.
    pub(crate) duration_ms: Option<i64>,
    /// Maker and model.
    pub(crate) camera: Option<String>,
    /// Where it was taken.
    pub(crate) location: Option<Location>,
    /// Whether it moves without being a video.
    pub(crate) animated: bool,
}

/// An instant and what the camera's clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Milliseconds since 1970, UTC.
    pub(crate) utc_ms: i64,
    /// The clock on the wall, as if it were UTC.
    pub(crate) local_ms: i64,
}

impl Taken {
    /// An instant of which only UTC is known, seen from where this computer is.
    pub(crate) fn at(utc_ms: i64) -> Self {
        let offset_s = jiff::Timestamp::from_millisecond(utc_ms)
            .map_or(0, |instant| jiff::tz::TimeZone::system().to_offset(instant).seconds());
        Self { utc_ms, local_ms: utc_ms + i64::from(offset_s) * 1000 }
    }

    /// The camera's clock without a time zone: taken for this computer's.
    fn naive(local_ms: i64) -> Self {
        let utc_ms = jiff::Timestamp::from_millisecond(local_ms).ok().and_then(|as_utc| {
            let local = as_utc.to_zoned(jiff::tz::TimeZone::UTC).datetime();
            Some(local.to_zoned(jiff::tz::TimeZone::system()).ok()?.timestamp().as_millisecond())
        });
        Self { utc_ms: utc_ms.unwrap_or(local_ms), local_ms }
    }

    /// The month on the camera's clock as `yyyymm`.
    pub(crate) fn month(&self) -> i64 {
        jiff::Timestamp::from_millisecond(self.local_ms).map_or(197_001, |instant| {
            let date = instant.to_zoned(jiff::tz::TimeZone::UTC).date();
            i64::from(date.year()) * 100 + i64::from(date.month())
        })
    }
}

/// Reads the metadata of a file whose kind is known.
pub(crate) fn read(parser: &mut MediaParser, file: &File, kind: Kind, head: &[u8]) -> Metadata {
    let mut found = Metadata { orientation: 1, ..Metadata::default() };
    if kind == Kind::Sidecar {
        return found;
    }
    if let Some(source) = rewound(file, READ_MAX).and_then(|file| MediaSource::seekable(file).ok()) {
        match source.kind() {
            MediaKind::Image => {
                if let Ok(entries) = parser.parse_exif(source) {
                    found.take_exif(&entries.into());
                }
            }
            MediaKind::Track => {
                if let Ok(track) = parser.parse_track(source) {
                    found.take_track(&track);
                }
            }
        }
    }
    if let Some((width, height)) = drawn_size(file) {
        (found.width, found.height) = (width, height);
    }
    if found.orientation >= 5 {
        (found.width, found.height) = (found.height, found.width);
    }
    found.animated = is_animated(head);
    found
}

impl Metadata {
    fn take_exif(&mut self, exif: &Exif) {
        let time = [ExifTag::DateTimeOriginal, ExifTag::CreateDate, ExifTag::ModifyDate]
            .into_iter()
            .find_map(|tag| exif.get(tag).and_then(nom_exif::EntryValue::as_datetime));
        self.taken = time.map(|time| match time {
            ExifDateTime::Aware(time) => Taken {
                utc_ms: time.timestamp_millis(),
                local_ms: time.timestamp_millis() + i64::from(time.offset().local_minus_utc()) * 1000,
            },
            ExifDateTime::Naive(time) => Taken::naive(time.and_utc().timestamp_millis()),
        });
        let number = |tag| exif.get(tag).and_then(nom_exif::EntryValue::try_as_integer);
        self.orientation = number(ExifTag::Orientation)
            .and_then(|value| u8::try_from(value).ok())
            .filter(|value| (1..=8).contains(value))
            .unwrap_or(1);
        let pixels = |tag| number(tag).and_then(|value| u32::try_from(value).ok());
        self.width = pixels(ExifTag::ExifImageWidth).or_else(|| pixels(ExifTag::ImageWidth)).unwrap_or(0);
        self.height = pixels(ExifTag::ExifImageHeight).or_else(|| pixels(ExifTag::ImageHeight)).unwrap_or(0);
        let text = |tag| exif.get(tag).and_then(nom_exif::EntryValue::as_str);
        self.camera = camera(text(ExifTag::Make), text(ExifTag::Model));
        self.location = exif.gps_info().and_then(location);
    }

    fn take_track(&mut self, track: &TrackInfo) {
        let number = |tag| track.get(tag).and_then(nom_exif::EntryValue::try_as_integer);
        self.width = number(TrackInfoTag::Width).and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
        self.height = number(TrackInfoTag::Height).and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
        self.duration_ms = track.get(TrackInfoTag::DurationMs).and_then(nom_exif::EntryValue::as_u64).map(u64::cast_signed);
        // ISO/IEC 14496-12 8.2.2 counts from 1904; a camera without a clock writes 0, which is no date.
        self.taken = track.get(TrackInfoTag::CreateDate).and_then(nom_exif::EntryValue::as_datetime).and_then(|time| {
            let ExifDateTime::Aware(time) = time else { return None };
            let (utc_ms, offset_s) = (time.timestamp_millis(), i64::from(time.offset().local_minus_utc()));
            let taken = if offset_s == 0 { Taken::at(utc_ms) } else { Taken { utc_ms, local_ms: utc_ms + offset_s * 1000 } };
            (utc_ms > 0).then_some(taken)
        });
        let text = |tag| track.get(tag).and_then(nom_exif::EntryValue::as_str);
        self.camera = camera(text(TrackInfoTag::Make), text(TrackInfoTag::Model));
        self.location = track.gps_info().and_then(location);
    }
}

fn rewound(file: &File, left: u64) -> Option<BufReader<Bounded>> {
    let mut file = file.try_clone().ok()?;
    file.seek(SeekFrom::Start(0)).ok()?;
    Some(BufReader::new(Bounded { file, left }))
}

/// Width and height as stored, for the formats that are drawn.
fn drawn_size(file: &File) -> Option<(u32, u32)> {
    let size = imagesize::reader_size(rewound(file, HEADER_MAX)?).ok()?;
    Some((size.width.try_into().ok()?, size.height.try_into().ok()?))
}

/// An animated GIF has a NETSCAPE2.0 loop extension, an animated PNG an `acTL` chunk before its data (PNG 3rd ed. 11.3.6.1), an
/// animated WebP an `ANIM` chunk (RFC 9649 2.7.1.1).
fn is_animated(head: &[u8]) -> bool {
    let has = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    (head.starts_with(b"GIF8") && has(b"NETSCAPE2.0"))
        || (head.starts_with(b"\x89PNG") && has(b"acTL"))
        || (head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") && has(b"ANIM"))
}

fn camera(make: Option<&str>, model: Option<&str>) -> Option<String> {
    let clean = |text: Option<&str>| {
        let text: String = text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(64).collect();
        text.trim().to_owned()
    };
    let (make, model) = (clean(make), clean(model));
    let joined =
        if make.is_empty() || model.to_lowercase().starts_with(&make.to_lowercase()) { model } else { format!("{make} {model}") };
    Some(joined.trim().to_owned()).filter(|name| !name.is_empty())
}

fn location(gps: &nom_exif::GPSInfo) -> Option<Location> {
    let (latitude, longitude) = (gps.latitude_decimal()?, gps.longitude_decimal()?);
    let valid = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) && (latitude, longitude) != (0.0, 0.0);
    valid.then_some(Location { latitude, longitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_the_clock_on_the_camera() {
        // 2026-05-31T23:30 in Tokyo is still May there, and 14:30 UTC.
        let taken = Taken { utc_ms: 1_780_237_800_000, local_ms: 1_780_270_200_000 };
        assert_eq!(taken.month(), 202_605);
    }

    #[test]
    fn of_a_file_without_metadata_only_so_much_is_read() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(READ_MAX + 1).unwrap();
        let mut bounded = Bounded { file, left: READ_MAX };
        assert_eq!(io::copy(&mut bounded, &mut io::sink()).unwrap(), READ_MAX);
        bounded.rewind().unwrap();
        assert_eq!(bounded.read(&mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn a_pictures_size_is_found_behind_its_preview_and_without_the_rest() {
        // ITU-T T.81 B.1: markers with the length of what follows; the frame header says height, then width.
        let mut jpeg = vec![0xff, 0xd8];
        for _ in 0..5 {
            jpeg.extend([0xff, 0xe2, 0xff, 0xff]);
            jpeg.resize(jpeg.len() + 0xfffd, 0);
        }
        jpeg.extend([0xff, 0xc0, 0, 17, 8, 0x0b, 0xd0, 0x0f, 0xc0, 3]);
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &jpeg).unwrap();
        assert_eq!(drawn_size(&file), Some((4032, 3024)));
        file.set_len(jpeg.len() as u64 - 5).unwrap();
        assert_eq!(drawn_size(&file), None, "it ends before that");
    }

    #[test]
    fn a_camera_is_named_once() {
        assert_eq!(camera(Some("Canon"), Some("Canon EOS R5")).as_deref(), Some("Canon EOS R5"));
        assert_eq!(camera(Some("Apple"), Some("iPhone 17\n")).as_deref(), Some("Apple iPhone 17"));
        assert_eq!(camera(None, None), None);
    }
}
