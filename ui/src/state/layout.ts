/**
 * Where everything stands in a grid: months become rows of a title and rows of tiles. Pure.
 *
 * A position (`index`) is that of an asset in its collection, newest first.
 */
import type { MonthSection } from "../api/types";

export interface MonthRow {
  kind: "month";
  month: string;
  count: number;
  /** Position of the month's first asset. */
  first: number;
}

export interface TileRow {
  kind: "tiles";
  month: string;
  first: number;
  count: number;
}

export type Row = MonthRow | TileRow;

/** Pixels between tiles. */
export const GAP = 4;
/** The narrowest tile, pixels. */
export const TILE_MIN = 126;

export function columnsFor(width: number, tile_min = TILE_MIN): number {
  return Math.max(2, Math.floor((width + GAP) / (tile_min + GAP)));
}

export function layRows(months: readonly MonthSection[], columns: number): Row[] {
  const rows: Row[] = [];
  let first = 0;
  for (const { month, count } of months) {
    rows.push({ kind: "month", month, count, first });
    for (let done = 0; done < count; done += columns) {
      rows.push({ kind: "tiles", month, first: first + done, count: Math.min(columns, count - done) });
    }
    first += count;
  }
  return rows;
}

/** The row of tiles that holds a position, by bisection; -1 if none does. */
export function rowOf(rows: readonly Row[], index: number): number {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (rows[middle]!.first <= index) low = middle;
    else high = middle - 1;
  }
  const row = rows[low];
  return row?.kind === "tiles" && index >= row.first && index < row.first + row.count ? low : -1;
}

/** Where a key leads from a position; `null` if the key moves nothing. `page` is the rows of a page. */
export function move(rows: readonly Row[], index: number, key: string, page: number): number | null {
  const last = rows.at(-1);
  if (last === undefined) return null;
  const total = last.first + last.count;
  switch (key) {
    case "ArrowLeft":
      return Math.max(0, index - 1);
    case "ArrowRight":
      return Math.min(total - 1, index + 1);
    case "ArrowUp":
      return step(rows, index, -1);
    case "ArrowDown":
      return step(rows, index, 1);
    case "PageUp":
      return step(rows, index, -page);
    case "PageDown":
      return step(rows, index, page);
    case "Home":
      return 0;
    case "End":
      return total - 1;
    default:
      return null;
  }
}

/** The same column some rows of tiles further, or the nearest there is. */
function step(rows: readonly Row[], index: number, by: number): number {
  let at = rowOf(rows, index);
  if (at < 0) return index;
  const column = index - rows[at]!.first;
  const direction = Math.sign(by);
  let left = Math.abs(by);
  for (let next = at + direction; left > 0 && next >= 0 && next < rows.length; next += direction) {
    if (rows[next]!.kind !== "tiles") continue;
    at = next;
    left -= 1;
  }
  const row = rows[at]!;
  return row.first + Math.min(column, row.count - 1);
}
