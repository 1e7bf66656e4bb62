/** Numbers, sizes, dates and names as the person's language writes them. */
import type { Timestamp } from "../api/types";
import { localeTag, m } from ".";

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

/** Making an `Intl` object costs more than using it a thousand times. */
function cached<F extends Intl.NumberFormat | Intl.DateTimeFormat>(key: string, make: (tag: string) => F): F {
  const name = `${localeTag()} ${key}`;
  const known = (formats.get(name) as F | undefined) ?? make(localeTag());
  formats.set(name, known);
  return known;
}

export function number(value: number): string {
  return cached("number", (tag) => new Intl.NumberFormat(tag)).format(value);
}

export function percent(value: number): string {
  return cached("percent", (tag) => new Intl.NumberFormat(tag, { style: "percent" })).format(value / 100);
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

function size(bytes: number, suffix: "" | "-per-second"): string {
  let value = bytes;
  let step = 0;
  // 999.5 would be written as 1,000.
  while (value >= 999.5 && step < UNITS.length - 1) {
    value /= 1000;
    step += 1;
  }
  // No language writes the word out where the others are symbols.
  if (step === 0 && suffix === "") return `${number(value)} B`;
  const digits = step > 0 && value < 9.95 ? 1 : 0;
  const unit = `${UNITS[step]}${suffix}`;
  return cached(
    `${unit} ${digits}`,
    (tag) =>
      new Intl.NumberFormat(tag, {
        style: "unit",
        unit,
        unitDisplay: "short",
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      }),
  ).format(value);
}

/** Decimal units, as file managers and networks use them: `8.2 MB`. */
export function bytes(value: number): string {
  return size(value, "");
}

export function bytesPerSecond(value: number): string {
  return size(value, "-per-second");
}

/** `61 of 88 MB`. */
export function bytesOf(done: number, total: number): string {
  return m.done_of_total({ done: bytes(done), total: bytes(total) });
}

/** A month of the camera's, `2026-05` -> `May 2026`. */
export function month(name: string): string {
  const [year, ordinal] = name.split("-").map(Number);
  if (!year || !ordinal) return name;
  return cached("month", (tag) => new Intl.DateTimeFormat(tag, { month: "long", year: "numeric" })).format(
    new Date(year, ordinal - 1, 1),
  );
}

export function dateTime(at: Timestamp): string {
  return cached("dateTime", (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "long", timeStyle: "short" })).format(
    at,
  );
}

export function date(at: Timestamp): string {
  return cached("date", (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "long" })).format(at);
}

export function time(at: Timestamp): string {
  return cached("time", (tag) => new Intl.DateTimeFormat(tag, { timeStyle: "short" })).format(at);
}

/** `3 May`, or `3 May 2025` if it was another year. */
export function day(at: Timestamp, now: Timestamp = Date.now()): string {
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return cached(
    sameYear ? "day" : "dayYear",
    (tag) => new Intl.DateTimeFormat(tag, { day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }) }),
  ).format(at);
}

export function isToday(at: Timestamp, now: Timestamp = Date.now()): boolean {
  return new Date(at).toDateString() === new Date(now).toDateString();
}

/** Length of a video: `0:42`, `1:07:03`. */
export function clock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : String(part))).join(":");
}

/** `38.72° N, 9.14° W` in the reader's numbers. */
export function coordinates(latitude: number, longitude: number): string {
  const degrees = cached("degrees", (tag) => new Intl.NumberFormat(tag, { maximumFractionDigits: 3 }));
  const part = (value: number, positive: string, negative: string) =>
    `${degrees.format(Math.abs(value))}° ${value < 0 ? negative : positive}`;
  return `${part(latitude, "N", "S")}, ${part(longitude, "E", "W")}`;
}

/** Photos, videos and what belongs to them, where it is not known which. */
export function items(count: number): string {
  return m.items({ count, n: number(count) });
}

/**
 * A stranger's name, made safe to stand inside a sentence: control and direction characters taken out, and isolated so that it
 * cannot turn the rest of the sentence around (Unicode UAX #9, isolates).
 */
export function isolate(name: string): string {
  return `\u2068${plain(name)}\u2069`;
}

/** The same for a name that stands alone, in a `<bdi>`. */
export function plain(name: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is taken out
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, " ").trim();
}

/** Where an app may send, as a person recognises it. Anything but HTTPS is said. */
export function host(base: string): string {
  try {
    const url = new URL(base);
    return url.protocol === "https:" ? url.host : `${url.protocol}//${url.host}`;
  } catch {
    return plain(base);
  }
}

/** Where a destination is, as a person recognises it: an archive's `file:` URL is the path of its folder. */
export function place(url: string): string {
  if (!url.startsWith("file:")) return plain(url);
  try {
    const path = decodeURIComponent(new URL(url).pathname);
    // Windows: `file:///C:/Photos` has a slash before its drive.
    return plain(/^\/[A-Za-z]:/.test(path) ? path.slice(1) : path);
  } catch {
    return plain(url);
  }
}

/** A list of names: `a, b and c`. */
export function list(names: string[]): string {
  return new Intl.ListFormat(localeTag(), { type: "conjunction" }).format(names);
}

/** The last part of a path of any system. */
export function lastPart(path: string): string {
  return path.split(/[/\\]/).filter(Boolean).at(-1) ?? path;
}

/** The name of a day of the week; 0 is Monday. */
export function weekday(day: number, style: "long" | "short" = "long"): string {
  // 1 January 2024 was a Monday.
  return cached(`weekday ${style}`, (tag) => new Intl.DateTimeFormat(tag, { weekday: style })).format(
    new Date(2024, 0, 1 + day),
  );
}

/** A full hour of the day: `09:00`, `9:00 AM`; 24 is the midnight that ends it. */
export function hourOfDay(hour: number): string {
  return time(new Date(2024, 0, 1, hour).getTime());
}

/** `40 sec`, `28 min`, `1 hr 14 min`: how long something took. */
export function duration(ms: number): string {
  const part = (value: number, unit: "second" | "minute" | "hour") =>
    cached(
      `duration ${unit}`,
      (tag) => new Intl.NumberFormat(tag, { style: "unit", unit, unitDisplay: "short" }),
    ).format(value);
  // 59.5 would be written as 60.
  if (ms < 59_500) return part(Math.max(1, Math.round(ms / 1000)), "second");
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return part(minutes, "minute");
  const hours = part(Math.floor(minutes / 60), "hour");
  return minutes % 60 ? `${hours} ${part(minutes % 60, "minute")}` : hours;
}
