//! Landscapes, drawn: a sky with its light, hills in layers, and what lies before them.

use image::{Rgb, RgbImage};

/// What lies under the sky.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Land {
    Coast,
    Mountains,
    Dunes,
    Plain,
}

/// The hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Light {
    Dawn,
    Morning,
    Noon,
    Evening,
    Dusk,
    Night,
}

/// What to draw.
pub(super) struct Scene {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) land: Land,
    pub(super) light: Light,
    pub(super) seed: u32,
}

type Colour = [f32; 3];

struct Palette {
    zenith: Colour,
    horizon: Colour,
    sun: Colour,
    near: Colour,
}

impl Light {
    pub(super) const ALL: [Self; 6] = [Self::Dawn, Self::Morning, Self::Evening, Self::Dusk, Self::Noon, Self::Night];

    /// The hour of the day it belongs to.
    pub(super) fn hour(self) -> i64 {
        match self {
            Self::Dawn => 6,
            Self::Morning => 9,
            Self::Noon => 13,
            Self::Evening => 19,
            Self::Dusk => 21,
            Self::Night => 23,
        }
    }

    fn palette(self) -> Palette {
        let of = |zenith, horizon, sun, near| Palette { zenith, horizon, sun, near };
        match self {
            Self::Dawn => of([0.36, 0.42, 0.66], [1.0, 0.72, 0.62], [1.0, 0.9, 0.75], [0.24, 0.2, 0.3]),
            Self::Morning => of([0.25, 0.55, 0.82], [0.78, 0.89, 0.95], [1.0, 0.98, 0.88], [0.13, 0.26, 0.27]),
            Self::Noon => of([0.16, 0.45, 0.78], [0.68, 0.85, 0.95], [1.0, 1.0, 0.95], [0.16, 0.3, 0.22]),
            Self::Evening => of([0.48, 0.3, 0.5], [1.0, 0.6, 0.32], [1.0, 0.85, 0.5], [0.22, 0.12, 0.16]),
            Self::Dusk => of([0.16, 0.14, 0.36], [0.82, 0.4, 0.52], [1.0, 0.7, 0.65], [0.1, 0.08, 0.18]),
            Self::Night => of([0.03, 0.05, 0.14], [0.16, 0.24, 0.42], [0.9, 0.93, 1.0], [0.02, 0.03, 0.08]),
        }
    }
}

/// Draws the scene. The same scene gives the same picture.
pub(super) fn picture(scene: Scene) -> RgbImage {
    let palette = scene.light.palette();
    let (width, height) = (scene.width as f32, scene.height as f32);
    let horizon = match scene.land {
        Land::Coast => 0.58,
        Land::Mountains => 0.66,
        Land::Dunes => 0.55,
        Land::Plain => 0.62,
    } + (noise(scene.seed, 1) - 0.5) * 0.08;
    let sun = (0.18 + 0.64 * noise(scene.seed, 2), horizon - 0.06 - 0.28 * noise(scene.seed, 3) * sun_height(scene.light));
    let aspect = width / height;
    let layers = layers(&scene, horizon);
    let ridges: Vec<Vec<f32>> =
        layers.iter().map(|layer| (0..scene.width).map(|x| layer.top(x as f32 / width, aspect)).collect()).collect();
    RgbImage::from_fn(scene.width, scene.height, |x, y| {
        let (u, v) = (x as f32 / width, y as f32 / height);
        let mut colour = sky(&palette, scene.light, (u, v), sun, horizon, aspect, scene.seed);
        if scene.land == Land::Coast && v > horizon {
            colour = water(&palette, scene.light, (u, v), sun, horizon, aspect, scene.seed);
        }
        for (layer, ridge) in layers.iter().zip(&ridges) {
            let top = ridge[x as usize];
            // The coast's hills end at the sea.
            if v > top && (scene.land != Land::Coast || v < horizon) {
                let edge = ((v - top) * height).min(1.0);
                let shade = 1.0 - 0.25 * ((v - top) / (1.0 - top)).min(1.0);
                colour = mix(colour, layer.colour.map(|part| part * shade), edge);
            }
        }
        // A little grain, as every sensor has it; it also keeps skies from banding.
        let grain = (noise(x.wrapping_mul(7919) ^ y.wrapping_mul(104_729), scene.seed) - 0.5) * 0.014;
        let vignette = 1.0 - 0.22 * ((u - 0.5).powi(2) + (v - 0.5).powi(2));
        Rgb(colour.map(|part| (((part + grain) * vignette).clamp(0.0, 1.0) * 255.0) as u8))
    })
}

fn sun_height(light: Light) -> f32 {
    match light {
        Light::Dawn | Light::Dusk => 0.25,
        Light::Evening => 0.4,
        Light::Morning => 0.9,
        Light::Noon | Light::Night => 1.4,
    }
}

fn sky(palette: &Palette, light: Light, (u, v): (f32, f32), sun: (f32, f32), horizon: f32, aspect: f32, seed: u32) -> Colour {
    let height = (v / horizon).clamp(0.0, 1.0);
    let mut colour = mix(palette.zenith, palette.horizon, height.powf(1.6));
    let distance = (((u - sun.0) * aspect).powi(2) + (v - sun.1).powi(2)).sqrt();
    let glow = (-distance * distance * 14.0).exp() * if light == Light::Night { 0.25 } else { 0.65 };
    colour = mix(colour, palette.sun, glow);
    let radius = if light == Light::Night { 0.022 } else { 0.034 };
    colour = mix(colour, palette.sun, ((radius - distance) * 260.0).clamp(0.0, 1.0));
    if light == Light::Night {
        let star = noise((u * 420.0) as u32 ^ ((v * 420.0 / aspect) as u32).wrapping_mul(9176), seed);
        if star > 0.9975 && v < horizon * 0.9 {
            colour = mix(colour, [1.0, 1.0, 0.96], (star - 0.9975) * 360.0);
        }
    } else {
        let veil = waves(u * 3.0 + v * 1.5, seed ^ 77) * waves(v * 22.0 + u, seed ^ 99);
        colour = mix(colour, [1.0, 0.97, 0.95], (veil - 0.34).max(0.0) * 0.55 * (1.0 - height * 0.4));
    }
    colour
}

/// The sea takes the sky upside down, darker, broken by waves, with the sun's road on it.
fn water(palette: &Palette, light: Light, (u, v): (f32, f32), sun: (f32, f32), horizon: f32, aspect: f32, seed: u32) -> Colour {
    let depth = (v - horizon) / (1.0 - horizon);
    let ripple = (waves(u * 14.0, seed ^ 5) - 0.5) * 0.02 * depth + (noise(((v * 900.0) as u32) ^ 31, seed) - 0.5) * 0.03;
    let mirrored = (u + ripple, (horizon - (v - horizon) * 0.8 + ripple).clamp(0.0, horizon));
    let sky = sky(palette, light, mirrored, (sun.0, -1.0), horizon, aspect, seed ^ 1);
    let colour = mix(sky, palette.near, 0.35 + 0.35 * depth);
    let road = (-((u - sun.0) * aspect / (0.03 + depth * 0.09)).powi(2)).exp();
    let glitter = noise(((u * 260.0) as u32).wrapping_mul(31) ^ ((v * 520.0) as u32).wrapping_mul(17), seed);
    mix(colour, palette.sun, road * (0.18 + 0.55 * (glitter - 0.45).max(0.0)))
}

struct Layer {
    base: f32,
    height: f32,
    scale: f32,
    rough: f32,
    seed: u32,
    colour: Colour,
}

impl Layer {
    /// Where the layer begins at `u`, from the top of the picture.
    fn top(&self, u: f32, aspect: f32) -> f32 {
        let x = u * aspect * self.scale;
        let ridge = waves(x, self.seed) * (1.0 - self.rough)
            + waves(x * 3.1, self.seed ^ 3) * self.rough * 0.6
            + waves(x * 9.7, self.seed ^ 9) * self.rough * 0.4;
        self.base - self.height * ridge
    }
}

fn layers(scene: &Scene, horizon: f32) -> Vec<Layer> {
    let (count, height, rough, scale) = match scene.land {
        Land::Coast => (2, 0.1, 0.35, 1.6),
        Land::Mountains => (4, 0.34, 0.55, 2.1),
        Land::Dunes => (4, 0.16, 0.04, 1.3),
        Land::Plain => (3, 0.07, 0.2, 1.1),
    };
    let palette = scene.light.palette();
    let ground = match scene.land {
        Land::Dunes => mix(palette.near, [0.78, 0.45, 0.22], 0.55),
        Land::Plain => mix(palette.near, [0.3, 0.42, 0.16], 0.4),
        Land::Coast | Land::Mountains => palette.near,
    };
    (0..count)
        .map(|index| {
            let nearness = (index as f32 + 1.0) / count as f32;
            // The coast's hills end at the sea; elsewhere the nearest layer fills the picture's foot.
            let base = if scene.land == Land::Coast { horizon + 0.002 } else { horizon + 0.3 * nearness * nearness + 0.06 };
            Layer {
                base,
                height: height * (1.15 - 0.5 * nearness),
                scale: scale * (0.7 + nearness),
                rough,
                seed: scene.seed.wrapping_mul(31).wrapping_add(index * 17),
                colour: mix(palette.horizon, ground, 0.35 + 0.6 * nearness),
            }
        })
        .filter(|layer| scene.land != Land::Coast || layer.seed % 3 != 0)
        .collect()
}

fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    let t = t.clamp(0.0, 1.0);
    std::array::from_fn(|at| a[at] + (b[at] - a[at]) * t)
}

/// Smooth random hills between 0 and 1.
fn waves(x: f32, seed: u32) -> f32 {
    let cell = x.floor();
    let t = x - cell;
    let t = t * t * (3.0 - 2.0 * t);
    let at = |offset: f32| noise((cell + offset) as i32 as u32, seed);
    at(0.0) + (at(1.0) - at(0.0)) * t
}

/// A number between 0 and 1 that looks random and is not (an integer hash after Wang).
fn noise(x: u32, seed: u32) -> f32 {
    let mut n = x.wrapping_mul(0x9e37_79b9) ^ seed.wrapping_mul(0x85eb_ca6b);
    n = (n ^ (n >> 16)).wrapping_mul(0x7feb_352d);
    n = (n ^ (n >> 15)).wrapping_mul(0x846c_a68b);
    (n ^ (n >> 16)) as f32 / u32::MAX as f32
}
