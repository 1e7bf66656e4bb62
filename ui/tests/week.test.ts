import { describe, expect, test } from "vitest";
import type { Rate, Timetable } from "../src/api/types";
import { DAYS, HOURS, UNLIMITED, blockOf, contains, painted, rateAt, weekOf } from "../src/features/settings/week";

const STOPPED: Rate = { kind: "stopped" };
const SLOW: Rate = { kind: "limited", bytes_per_s: 2_000_000 };
const at = (day: number, hour: number, minute = 0) => (day * 24 + hour) * 60 + minute;
const block = (from: [number, number], to: [number, number]) =>
  blockOf({ day: from[0], hour: from[1] }, { day: to[0], hour: to[1] });
const WHOLE = block([0, 0], [6, 23]);

/** A timetable that says what the hours say, painted hour by hour. */
function fromHours(week: Rate[][]): Timetable {
  return week.reduce(
    (table, day, row) =>
      day.reduce((known, rate, hour) => painted(known, block([row, hour], [row, hour]), rate), table),
    [] as Timetable,
  );
}

describe("reading", () => {
  test("a week without changes has no limits", () => {
    expect(weekOf([]).flat()).toEqual(Array.from({ length: DAYS * HOURS }, () => UNLIMITED));
  });

  test("before the first change the last one of the week holds", () => {
    const table: Timetable = [
      { minute_of_week: at(0, 8), rate: UNLIMITED },
      { minute_of_week: at(6, 22), rate: STOPPED },
    ];
    expect(
      [at(0, 0), at(0, 7, 59), at(0, 8), at(6, 21, 59), at(6, 22)].map((minute) => rateAt(table, minute).kind),
    ).toEqual(["stopped", "stopped", "unlimited", "unlimited", "stopped"]);
  });
});

describe("painting", () => {
  test("a block holds on each of its days, and nowhere else", () => {
    const table = painted([], block([4, 16], [0, 9]), SLOW);
    expect(table).toHaveLength(10);
    for (const [day, hours] of weekOf(table).entries())
      for (const [hour, rate] of hours.entries())
        expect(rate).toEqual(day <= 4 && hour >= 9 && hour <= 16 ? SLOW : UNLIMITED);
  });

  test("nights are one stretch over midnight and over the end of the week", () => {
    const late = painted([], block([6, 22], [6, 23]), STOPPED);
    expect(late).toEqual([
      { minute_of_week: 0, rate: UNLIMITED },
      { minute_of_week: at(6, 22), rate: STOPPED },
    ]);
    expect(painted(late, block([0, 0], [0, 5]), STOPPED)).toEqual([
      { minute_of_week: at(0, 6), rate: UNLIMITED },
      { minute_of_week: at(6, 22), rate: STOPPED },
    ]);
  });

  test("a whole week is one change, and without limits it is none", () => {
    const always = painted([], WHOLE, STOPPED);
    expect(always).toEqual([{ minute_of_week: 0, rate: STOPPED }]);
    expect(painted(always, WHOLE, UNLIMITED)).toEqual([]);
    expect(painted([], block([2, 3], [2, 3]), UNLIMITED)).toEqual([]);
  });

  test("a limit is not another limit", () => {
    const table = painted(painted([], block([0, 9], [0, 9]), SLOW), block([0, 10], [0, 10]), {
      ...SLOW,
      bytes_per_s: 1,
    });
    expect(table.map(({ minute_of_week }) => minute_of_week)).toEqual([at(0, 9), at(0, 10), at(0, 11)]);
  });

  test("hours survive the way there and back, whatever they are", () => {
    const RATES = [UNLIMITED, SLOW, STOPPED];
    // Every sequence of three differs from its neighbours, and none repeats by the day.
    const week = Array.from({ length: DAYS }, (_, day) =>
      Array.from({ length: HOURS }, (_, hour) => RATES[(day * 7 + hour * hour) % 3]!),
    );
    expect(weekOf(fromHours(week))).toEqual(week);
  });

  test("a half hour that is not painted stays", () => {
    const table: Timetable = [
      { minute_of_week: at(1, 8, 30), rate: STOPPED },
      { minute_of_week: at(1, 17, 15), rate: UNLIMITED },
    ];
    const changed = painted(table, block([3, 0], [3, 23]), SLOW);
    expect(changed.slice(0, 2)).toEqual(table);
    // A painted hour covers what lay within it.
    expect(painted(table, block([1, 8], [1, 8]), UNLIMITED)[0]).toEqual({ minute_of_week: at(1, 9), rate: STOPPED });
  });
});

test("a block contains its corners, whichever way it was drawn", () => {
  const drawn = block([5, 20], [2, 3]);
  expect(
    [
      { day: 2, hour: 3 },
      { day: 5, hour: 20 },
      { day: 1, hour: 3 },
      { day: 5, hour: 21 },
    ].map((cell) => contains(drawn, cell)),
  ).toEqual([true, true, false, false]);
});
