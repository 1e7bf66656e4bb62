import { afterEach, expect, test } from "vitest";
import type { UploadRun } from "../src/api/types";
import { byDay } from "../src/features/uploads/history";
import { speak } from "../src/messages";
import { duration, hourOfDay, weekday } from "../src/messages/format";
import { ownRules, rateInWords } from "../src/messages/names";

afterEach(() => speak(["en"]));

const run = (day: number, hour: number): UploadRun => ({
  started_at: new Date(2026, 4, day, hour).getTime(),
  ended_at: new Date(2026, 4, day, hour, 20).getTime(),
  files: 3,
  bytes: 9_000_000,
  failures: 0,
  stopped_by: null,
  sentence: "Everything was delivered.",
});

test("runs stand under the day they began on, newest first", () => {
  const days = byDay([run(3, 18), run(3, 9), run(2, 23), run(1, 8)]);
  expect(days.map(({ at, runs }) => [new Date(at).getDate(), runs.length])).toEqual([
    [3, 2],
    [2, 1],
    [1, 1],
  ]);
  expect(byDay([])).toEqual([]);
});

test("how long something took, in the unit that suits it", () => {
  expect([200, 40_000, 28 * 60_000, 60 * 60_000, 74 * 60_000].map(duration)).toEqual([
    "1 sec",
    "40 sec",
    "28 min",
    "1 hr",
    "1 hr 14 min",
  ]);
});

test("days and hours are named in the reader's language", () => {
  speak(["de-DE"]);
  expect([weekday(0), weekday(6, "short"), hourOfDay(9), hourOfDay(24)]).toEqual(["Montag", "So", "09:00", "00:00"]);
});

test("rules and rates are told in words", () => {
  speak(["en-GB"]);
  expect(rateInWords({ kind: "limited", bytes_per_s: 2_000_000 })).toBe("at most 2.0 MB/s");
  const options = {
    prevents_expensive_network_access: true,
    requires_external_power: false,
    minimum_battery_percent: 60,
    requires_idle: false,
    trusted_networks: ["home"],
  };
  expect(
    ownRules(options, [
      { key: "home", name: "Home" },
      { key: "work", name: "Work" },
    ]),
  ).toEqual(["battery above 60%", "never metered", "only over \u2068Home\u2069"]);
  expect(
    ownRules(
      { ...options, prevents_expensive_network_access: false, minimum_battery_percent: null, trusted_networks: [] },
      [],
    ),
  ).toEqual([]);
});
