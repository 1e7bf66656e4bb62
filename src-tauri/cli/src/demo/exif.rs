//! EXIF for the drawn photos, and the least that is a video.

use std::io::Cursor;

use anyhow::Context;
use exif::{Field, In, Rational, Tag, Value, experimental::Writer};

/// A JPEG with date, place and camera put in behind its first marker (JPEG: SOI, then APP1; EXIF 2.32, section 4.7.2).
pub(super) fn with_metadata(jpeg: &[u8], taken: jiff::civil::DateTime, place: (f64, f64)) -> anyhow::Result<Vec<u8>> {
    let date = taken.strftime("%Y:%m:%d %H:%M:%S").to_string();
    let text = |tag, text: &str| Field { tag, ifd_num: In::PRIMARY, value: Value::Ascii(vec![text.as_bytes().to_vec()]) };
    let fields = [
        text(Tag::Make, "Afterglow"),
        text(Tag::Model, "Sample One"),
        text(Tag::DateTimeOriginal, &date),
        text(Tag::DateTimeDigitized, &date),
        text(Tag::OffsetTimeOriginal, "+00:00"),
        text(Tag::GPSLatitudeRef, if place.0 < 0.0 { "S" } else { "N" }),
        degrees(Tag::GPSLatitude, place.0),
        text(Tag::GPSLongitudeRef, if place.1 < 0.0 { "W" } else { "E" }),
        degrees(Tag::GPSLongitude, place.1),
    ];
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut tiff = Cursor::new(Vec::new());
    writer.write(&mut tiff, false).context("the EXIF of a sample photo")?;
    let payload = [b"Exif\0\0".as_slice(), tiff.get_ref()].concat();
    let length = u16::try_from(payload.len() + 2).context("the EXIF of a sample photo is too long")?;
    let start = jpeg.get(..2).filter(|start| *start == [0xff, 0xd8]).context("the sample photo is no JPEG")?;
    Ok([start, &[0xff, 0xe1], &length.to_be_bytes(), &payload, &jpeg[2..]].concat())
}

/// Degrees, minutes and seconds with four decimals.
fn degrees(tag: Tag, value: f64) -> Field {
    let value = value.abs();
    let minutes = value.fract() * 60.0;
    let seconds = minutes.fract() * 60.0;
    let parts = vec![
        Rational { num: value as u32, denom: 1 },
        Rational { num: minutes as u32, denom: 1 },
        Rational { num: (seconds * 10_000.0).round() as u32, denom: 10_000 },
    ];
    Field { tag, ifd_num: In::PRIMARY, value: Value::Rational(parts) }
}

/// A QuickTime file of one and a half seconds without a track: file type and movie header (QuickTime File Format, "Movie Header
/// Atoms"). Enough to be recognised, sized and dated.
pub(super) fn moment_of_video() -> Vec<u8> {
    const TIME_SCALE: u32 = 600;
    let mut header = Vec::new();
    header.extend([0; 4]); // version and flags
    header.extend([0; 8]); // created, modified
    header.extend(TIME_SCALE.to_be_bytes());
    header.extend((TIME_SCALE * 3 / 2).to_be_bytes());
    header.extend(0x0001_0000_u32.to_be_bytes()); // rate 1.0
    header.extend(0x0100_u16.to_be_bytes()); // volume 1.0
    header.extend([0; 10]);
    for (at, value) in [(0, 0x0001_0000_u32), (4, 0x0001_0000), (8, 0x4000_0000)] {
        // The unit matrix: only its diagonal is not zero.
        header.resize(36 + at * 4, 0);
        header.extend(value.to_be_bytes());
    }
    header.extend([0; 24]); // preview, poster, selection, current time
    header.extend(1_u32.to_be_bytes()); // next track
    let movie = atom(b"moov", &atom(b"mvhd", &header));
    [atom(b"ftyp", b"qt  \0\0\0\0qt  "), atom(b"mdat", b"a moment"), movie].concat()
}

fn atom(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u32 + 8).to_be_bytes();
    [&size, name.as_slice(), content].concat()
}
