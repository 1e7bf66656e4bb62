/** Pictures for a library that does not exist: evening skies, drawn from a number. */
import { rgbaToThumbHash } from "thumbhash";

/** Small, fast, and the same everywhere (Park and Miller's minimal standard). */
export function random(seed: number): () => number {
  let state = ((seed * 2654435761) % 2147483646) + 1;
  const next = () => (state = (state * 16807) % 2147483647) / 2147483647;
  next();
  return next;
}

interface Sky {
  hue: number;
  light: number;
  horizon: number;
  sun: number;
}

const HUES = [20, 35, 50, 250, 265, 285, 220, 340];

function sky(seed: number): Sky {
  const next = random(seed);
  return {
    hue: HUES[Math.floor(next() * HUES.length)]!,
    light: 45 + next() * 35,
    horizon: 55 + next() * 25,
    sun: 20 + next() * 60,
  };
}

/** A picture as a data URL. Size is nothing to a vector. */
export function picture(seed: number): string {
  const { hue, light, horizon, sun } = sky(seed);
  const color = (l: number, c: number, h: number) => `oklch(${l.toFixed(1)}% ${c} ${h})`;
  const stop = (at: number, fill: string, opacity = 1) =>
    `<stop offset="${at}%" stop-color="${fill}" stop-opacity="${opacity}"/>`;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" preserveAspectRatio="none"><defs>` +
    `<linearGradient id="s" x2="0" y2="1">${stop(0, color(light, 0.09, hue))}${stop(horizon, color(light + 14, 0.11, hue + 25))}` +
    `${stop(horizon, color(light - 22, 0.05, hue - 10))}${stop(100, color(light - 32, 0.03, hue))}</linearGradient>` +
    `<radialGradient id="r" cx="${sun}%" cy="${horizon}%" r="38%">${stop(0, color(light + 20, 0.13, hue + 30))}` +
    `${stop(100, color(light + 20, 0.13, hue + 30), 0)}</radialGradient></defs>` +
    `<rect width="100" height="100" fill="url(#s)"/><rect width="100" height="100" fill="url(#r)"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** What the service would have computed: near enough in colour to be a placeholder. */
export function thumbHash(seed: number): string {
  const { hue, light, horizon } = sky(seed);
  const side = 6;
  const pixels = new Uint8Array(side * side * 4);
  const radians = (hue * Math.PI) / 180;
  for (let row = 0; row < side; row++) {
    const level = ((row / side) * 100 < horizon ? light + 8 : light - 27) * 2.4;
    for (let column = 0; column < side; column++) {
      const rgb = [level * (1 + 0.25 * Math.cos(radians)), level * 0.86, level * (1 - 0.25 * Math.cos(radians)), 255];
      pixels.set(
        rgb.map((part) => Math.max(0, Math.min(255, part))),
        (row * side + column) * 4,
      );
    }
  }
  return btoa(String.fromCharCode(...rgbaToThumbHash(side, side, pixels)));
}
