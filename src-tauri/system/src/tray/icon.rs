//! The icon, drawn: the app's glowing square, and a white mark for the state. Drawn in code, so that it is sharp at every size and
//! no icon theme is needed.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux draws a tray"))]

use std::f32::consts::TAU;

use super::TrayIcon;

/// Samples per pixel and axis, against jagged edges.
const SAMPLES: u32 = 4;

const TOP: [f32; 3] = [240.0, 160.0, 84.0];
const BOTTOM: [f32; 3] = [203.0, 74.0, 72.0];
const WHITE: [f32; 3] = [255.0; 3];
const ALERT: [f32; 3] = [190.0, 30.0, 45.0];

/// The icon of `size` × `size` pixels as ARGB32 in network byte order, as a StatusNotifierItem's `IconPixmap` wants it. Alpha is not
/// premultiplied.
pub(super) fn argb(icon: TrayIcon, size: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity((size * size * 4) as usize);
    for y in 0..size {
        for x in 0..size {
            out.extend(pixel(icon, size, x, y));
        }
    }
    out
}

fn pixel(icon: TrayIcon, size: u32, x: u32, y: u32) -> [u8; 4] {
    let mut sum = [0.0; 3];
    let mut hits = 0.0;
    for sample in 0..SAMPLES * SAMPLES {
        let at = |pixel: u32, step: u32| (pixel as f32 + (step as f32 + 0.5) / SAMPLES as f32) / size as f32;
        if let Some(color) = color(icon, at(x, sample % SAMPLES), at(y, sample / SAMPLES)) {
            hits += 1.0;
            (0..3).for_each(|channel| sum[channel] += color[channel]);
        }
    }
    if hits == 0.0 {
        return [0; 4];
    }
    let [red, green, blue] = sum.map(|channel| (channel / hits) as u8);
    [(255.0 * hits / (SAMPLES * SAMPLES) as f32) as u8, red, green, blue]
}

/// The colour at a point of the unit square; none where the icon is transparent.
fn color(icon: TrayIcon, x: f32, y: f32) -> Option<[f32; 3]> {
    let radius = (x - 0.5).hypot(y - 0.5);
    let mark = match icon {
        TrayIcon::Idle => (radius < 0.17).then_some(WHITE),
        TrayIcon::Uploading { percent } => {
            // Clockwise from the top; never empty, so that it differs from the others at once.
            let turn = ((x - 0.5).atan2(0.5 - y) / TAU).rem_euclid(1.0);
            let filled = turn <= f32::from(percent.clamp(8, 100)) / 100.0;
            (filled && (0.24..0.36).contains(&radius)).then_some(WHITE)
        }
        TrayIcon::Waiting => {
            ((0.30..0.44).contains(&x) || (0.56..0.70).contains(&x)).then_some(WHITE).filter(|_| (0.28..0.72).contains(&y))
        }
        TrayIcon::Attention => match (x - 0.74).hypot(y - 0.74) {
            d if d < 0.19 => return Some(ALERT),
            d if d < 0.26 => return Some(WHITE),
            _ => None,
        },
    };
    let corner = 0.26;
    let beyond = |v: f32| ((v - 0.5).abs() - (0.5 - corner)).max(0.0);
    let inside = beyond(x).hypot(beyond(y)) <= corner;
    inside.then(|| mark.unwrap_or_else(|| [0, 1, 2].map(|channel| TOP[channel] + (BOTTOM[channel] - TOP[channel]) * y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn white(pixels: &[u8]) -> usize {
        pixels.chunks(4).filter(|pixel| pixel[1..].iter().all(|channel| *channel > 240)).count()
    }

    #[test]
    fn the_icon_is_a_rounded_square_of_the_asked_size() {
        let pixels = argb(TrayIcon::Idle, 22);
        assert_eq!(pixels.len(), 22 * 22 * 4);
        assert_eq!(pixels[0], 0, "the corner is transparent");
        assert_eq!(pixels[(11 * 22 + 1) * 4], 255, "the side is not");
    }

    #[test]
    fn the_arc_grows_and_the_states_differ() {
        let arcs = [10, 50, 90].map(|percent| white(&argb(TrayIcon::Uploading { percent }, 32)));
        assert!(arcs[0] < arcs[1] && arcs[1] < arcs[2], "{arcs:?}");
        let states = [TrayIcon::Idle, TrayIcon::Uploading { percent: 50 }, TrayIcon::Waiting, TrayIcon::Attention];
        for (at, state) in states.iter().enumerate() {
            assert!(states[at + 1..].iter().all(|other| argb(*state, 22) != argb(*other, 22)), "{state:?}");
        }
    }
}
