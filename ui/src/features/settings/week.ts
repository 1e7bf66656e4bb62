/**
 * A week's timetable as a person paints it: seven days of 24 hours, Monday first.
 *
 * Guarantees: what is not painted stays as it was to the minute, also where a change lies within an hour; a painted timetable is
 * ascending, has each minute once, and says nothing twice.
 */
import type { Rate, Timetable } from "../../api/types";

export const DAYS = 7;
export const HOURS = 24;
const HOUR_MINUTES = 60;
const WEEK_MINUTES = DAYS * HOURS * HOUR_MINUTES;

export const UNLIMITED: Rate = { kind: "unlimited" };

/** One hour of the week. */
export interface Cell {
  /** 0 is Monday. */
  day: number;
  /** 0 to 23. */
  hour: number;
}

/** Days and hours between two corners, both included. */
export interface Block {
  from: Cell;
  to: Cell;
}

export function blockOf(a: Cell, b: Cell): Block {
  return {
    from: { day: Math.min(a.day, b.day), hour: Math.min(a.hour, b.hour) },
    to: { day: Math.max(a.day, b.day), hour: Math.max(a.hour, b.hour) },
  };
}

export function contains({ from, to }: Block, { day, hour }: Cell): boolean {
  return day >= from.day && day <= to.day && hour >= from.hour && hour <= to.hour;
}

export function sameRate(a: Rate, b: Rate): boolean {
  return a.kind === "limited" && b.kind === "limited" ? a.bytes_per_s === b.bytes_per_s : a.kind === b.kind;
}

/** What holds in a minute of the week. Before the first change the last one of the week holds. */
export function rateAt(timetable: Timetable, minute_of_week: number): Rate {
  const change = timetable.findLast((known) => known.minute_of_week <= minute_of_week) ?? timetable.at(-1);
  return change?.rate ?? UNLIMITED;
}

/** What holds when each hour of the week begins: `week[day][hour]`. */
export function weekOf(timetable: Timetable): Rate[][] {
  return Array.from({ length: DAYS }, (_, day) =>
    Array.from({ length: HOURS }, (_, hour) => rateAt(timetable, minuteOf({ day, hour }))),
  );
}

/** The timetable with `rate` in every hour of the block. */
export function painted(timetable: Timetable, block: Block, rate: Rate): Timetable {
  const spans = Array.from({ length: block.to.day - block.from.day + 1 }, (_, step) => {
    const day = block.from.day + step;
    const from = minuteOf({ day, hour: block.from.hour });
    return { from, to: from + (block.to.hour - block.from.hour + 1) * HOUR_MINUTES };
  });
  const within = (minute: number) => spans.some(({ from, to }) => minute >= from && minute < to);
  const minutes = new Set([
    0,
    ...timetable.map(({ minute_of_week }) => minute_of_week),
    ...spans.flatMap(({ from, to }) => [from, to % WEEK_MINUTES]),
  ]);
  const changes = [...minutes]
    .sort((a, b) => a - b)
    .map((minute_of_week) => ({
      minute_of_week,
      rate: within(minute_of_week) ? rate : rateAt(timetable, minute_of_week),
    }));
  return withoutRepeats(changes);
}

/** Drops each change to what holds already; the week is a ring, so the last one comes before the first. */
function withoutRepeats(changes: Timetable): Timetable {
  const kept = changes.filter((change, at) => !sameRate(change.rate, changes.at(at - 1)!.rate));
  if (kept.length) return kept;
  const [always] = changes;
  return always && always.rate.kind !== "unlimited" ? [{ minute_of_week: 0, rate: always.rate }] : [];
}

function minuteOf({ day, hour }: Cell): number {
  return (day * HOURS + hour) * HOUR_MINUTES;
}
