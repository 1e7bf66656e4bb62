import { expect, test } from "vitest";
import { curve, points } from "../src/components/charts";

test("the largest figure reaches the top, nothing leaves the box", () => {
  expect(points([0, 5, 10], 100, 50)).toEqual([
    { x: 0, y: 50 },
    { x: 50, y: 25 },
    { x: 100, y: 0 },
  ]);
  expect(points([0, 0], 100, 50).every(({ y }) => y === 50)).toBe(true);
  expect(points([], 100, 50)).toEqual([]);
});

test("a curve does not overshoot its points", () => {
  const path = curve(points([0, 10, 10, 0, 0, 8], 100, 50));
  const heights = path
    .replace(/[MC]/g, " ")
    .trim()
    .split(" ")
    .map(Number)
    .filter((_, place) => place % 2 === 1);
  expect(Math.min(...heights)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...heights)).toBeLessThanOrEqual(50);
});
