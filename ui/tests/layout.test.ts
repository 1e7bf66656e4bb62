import { describe, expect, test } from "vitest";
import { columnsFor, layRows, move, rowOf, type Row } from "../src/state/layout";

const MONTHS = [
  { month: "2026-05", count: 5 },
  { month: "2026-04", count: 1 },
  { month: "2026-03", count: 7 },
];
const rows = layRows(MONTHS, 3);
const firsts = (of: Row[]) => of.map((row) => `${row.kind} ${row.first}+${row.count}`);

test("months become a title and rows of tiles", () => {
  expect(firsts(rows)).toEqual([
    "month 0+5",
    "tiles 0+3",
    "tiles 3+2",
    "month 5+1",
    "tiles 5+1",
    "month 6+7",
    "tiles 6+3",
    "tiles 9+3",
    "tiles 12+1",
  ]);
});

test("every position of a large library is in exactly the row that is found for it", () => {
  const months = Array.from({ length: 300 }, (_, at) => ({ month: `${2000 + at}-01`, count: (at * 37) % 90 }));
  const large = layRows(months, 7);
  const total = months.reduce((sum, { count }) => sum + count, 0);
  for (let index = 0; index < total; index++) {
    const row = large[rowOf(large, index)]!;
    expect(row.kind).toBe("tiles");
    expect(index).toBeGreaterThanOrEqual(row.first);
    expect(index).toBeLessThan(row.first + row.count);
  }
  expect(rowOf(large, total)).toBe(-1);
  expect(rowOf([], 0)).toBe(-1);
});

test("columns fill the width and are never fewer than two", () => {
  expect(columnsFor(920)).toBe(7);
  expect(columnsFor(10)).toBe(2);
  expect(columnsFor(420, 96)).toBe(4);
});

describe("keys", () => {
  const to = (index: number, key: string) => move(rows, index, key, 2);

  test("left and right stop at the ends", () => {
    expect(to(0, "ArrowLeft")).toBe(0);
    expect(to(4, "ArrowRight")).toBe(5);
    expect(to(12, "ArrowRight")).toBe(12);
  });

  test("up and down keep the column, pass titles, and settle for a shorter row", () => {
    expect(to(2, "ArrowDown")).toBe(4);
    expect(to(4, "ArrowDown")).toBe(5);
    expect(to(5, "ArrowDown")).toBe(6);
    expect(to(6, "ArrowUp")).toBe(5);
    expect(to(1, "ArrowUp")).toBe(1);
    expect(to(12, "ArrowDown")).toBe(12);
  });

  test("a page is rows of tiles; home and end are the ends", () => {
    expect(to(0, "PageDown")).toBe(5);
    expect(to(12, "PageUp")).toBe(6);
    expect(to(7, "Home")).toBe(0);
    expect(to(0, "End")).toBe(12);
    expect(to(0, "a")).toBeNull();
    expect(move([], 0, "End", 2)).toBeNull();
  });
});
