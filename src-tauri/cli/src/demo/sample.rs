//! The sample library: four folders of drawn photos with dates and places, one of them with a moment of video beside it.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};

use super::{
    draw::{self, Light, Scene},
    exif,
};

struct Trip {
    folder: &'static str,
    place: (f64, f64),
    /// Local date of the first photo.
    first: jiff::civil::DateTime,
    photos: u32,
    land: draw::Land,
}

/// Makes the library; hands back how many files were drawn. Files that are there are left alone.
pub(super) fn library(dir: &Path) -> anyhow::Result<u64> {
    let trips = [
        Trip { folder: "Lisbon, May", place: (38.7223, -9.1393), first: day(2026, 5, 2), photos: 12, land: draw::Land::Coast },
        Trip { folder: "Dolomites", place: (46.4102, 11.8440), first: day(2026, 4, 11), photos: 11, land: draw::Land::Mountains },
        Trip { folder: "Namib", place: (-24.7275, 15.3436), first: day(2025, 10, 20), photos: 9, land: draw::Land::Dunes },
        Trip { folder: "Home", place: (52.3676, 4.9041), first: day(2026, 3, 1), photos: 8, land: draw::Land::Plain },
    ];
    // One thread for each trip: drawing is all that the demo waits for.
    std::thread::scope(|scope| {
        let drawing: Vec<_> = (0..).zip(&trips).map(|(index, trip)| scope.spawn(move || draw_trip(dir, index, trip))).collect();
        drawing.into_iter().map(|trip| trip.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a photo could not be drawn")))).sum()
    })
}

fn draw_trip(dir: &Path, index: u32, trip: &Trip) -> anyhow::Result<u64> {
    let folder = dir.join(trip.folder);
    fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    let mut drawn = 0;
    for photo in 0..trip.photos {
        let path = folder.join(format!("IMG_{}.jpg", 1001 + 100 * index + photo));
        if !path.exists() {
            write(&path, &jpeg(trip, index, photo)?).with_context(|| format!("{}", path.display()))?;
            drawn += 1;
        }
        // The first of the trips has a Live Photo: a still and a short video of the same name.
        let moment = path.with_extension("mov");
        if index == 0 && photo == 3 && !moment.exists() {
            write(&moment, &exif::moment_of_video())?;
            drawn += 1;
        }
    }
    Ok(drawn)
}

fn jpeg(trip: &Trip, index: u32, photo: u32) -> anyhow::Result<Vec<u8>> {
    let light = Light::ALL[(photo as usize + index as usize) % Light::ALL.len()];
    let portrait = photo % 5 == 4;
    let (width, height) = if portrait { (1200, 1600) } else { (1600, 1200) };
    let picture = draw::picture(Scene { width, height, land: trip.land, light, seed: index * 100 + photo });
    let mut pixels = Vec::new();
    JpegEncoder::new_with_quality(&mut pixels, 88).write_image(picture.as_raw(), width, height, ExtendedColorType::Rgb8)?;
    let hours = i64::from(photo) * 7 + light.hour();
    let taken = trip.first.checked_add(jiff::Span::new().hours(hours))?;
    // A few metres on from photo to photo, as people walk.
    let step = f64::from(photo) * 0.0021;
    exif::with_metadata(&pixels, taken, (trip.place.0 + step, trip.place.1 - step / 2.0))
}

/// Written beside and renamed: a service that watches the folder never sees half a photo.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = fs::File::create(&part)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(part, path)
}

fn day(year: i16, month: i8, day: i8) -> jiff::civil::DateTime {
    jiff::civil::date(year, month, day).at(0, 0, 0, 0)
}
