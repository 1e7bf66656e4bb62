import { expect, test } from "vitest";
import { AMOUNT_UNITS, amountOf, bytesOfAmount } from "../src/features/settings/amount";

const [MB, GB] = AMOUNT_UNITS;

test("bytes are read in the unit that suits them", () => {
  expect([500_000, 33_554_432, 999_000_000, 1_000_000_000, 2_500_000_000].map(amountOf)).toEqual([
    { amount: 0.5, unit: MB },
    { amount: 33.55, unit: MB },
    { amount: 999, unit: MB },
    { amount: 1, unit: GB },
    { amount: 2.5, unit: GB },
  ]);
});

test("what is typed is bytes, or nothing that can be meant", () => {
  expect(bytesOfAmount(2.5, GB)).toBe(2_500_000_000);
  expect([0, -1, Number.NaN, Infinity, 1e20].map((amount) => bytesOfAmount(amount, MB))).toEqual([
    null,
    null,
    null,
    null,
    null,
  ]);
});
