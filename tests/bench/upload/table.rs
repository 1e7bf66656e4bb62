//! Tables for reading.

use std::time::Duration;

use super::{files::Files, measure::Figures};

/// What each client took for a set. The first is ours; ratios are ours by theirs.
pub(crate) fn uploads(set: &Files, rows: &[(&str, Figures)]) {
    println!("  {}", set.title);
    println!(
        "    {:<18} {:>8} {:>7} {:>9} {:>9} {:>8} {:>6} {:>14} {:>12}",
        "", "files/s", "MB/s", "CPU s/GB", "ms/file", "peak MB", "stored", "files/s ours/", "CPU ours/"
    );
    let ours = rows.first().map(|(_, figures)| figures);
    for (name, figures) in rows {
        let (files, gb) = (set.sizes.len() as f64, set.bytes() as f64 / 1e9);
        let ratio = |of: fn(&Figures) -> f64| ours.map_or(0.0, |ours| of(ours) / of(figures));
        println!(
            "    {name:<18} {:>8.0} {:>7.0} {:>9.2} {:>9.2} {:>8.1} {:>6} {:>13.2}x {:>11.2}x",
            files / seconds(figures.took),
            gb * 1e3 / seconds(figures.took),
            seconds(figures.cpu) / gb,
            seconds(figures.cpu) * 1e3 / files,
            figures.peak as f64 / 1e6,
            if figures.delivered { "all" } else { "NO" },
            ratio(|figures| 1.0 / seconds(figures.took)),
            ratio(|figures| seconds(figures.cpu)),
        );
    }
}

/// Not zero: what took no tick took at most one.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64().max(0.01)
}
