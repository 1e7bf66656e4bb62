import { expect, test } from "vitest";
import { Selection, type Positions } from "../src/state/selection.svelte";

const NONE = { shift: false, toggle: false };
const SHIFT = { shift: true, toggle: false };
const TOGGLE = { shift: false, toggle: true };

/** Position n holds asset `a<n>`. */
const positions: Positions = {
  total: 100,
  ids: async (first, last) => Array.from({ length: last - first + 1 }, (_, step) => `a${first + step}`),
};
const chosen = (selection: Selection) => [...selection.ids].sort();

test("a click chooses one, and only that one", async () => {
  const selection = new Selection(positions);
  await selection.click(3, NONE);
  await selection.click(5, NONE);
  expect(chosen(selection)).toEqual(["a5"]);
});

test("shift extends from the last click in either direction, and again from the same place", async () => {
  const selection = new Selection(positions);
  await selection.click(5, NONE);
  await selection.click(7, SHIFT);
  expect(chosen(selection)).toEqual(["a5", "a6", "a7"]);
  await selection.click(4, SHIFT);
  expect(chosen(selection)).toEqual(["a4", "a5"]);
});

test("control adds and takes away; control and shift add a range", async () => {
  const selection = new Selection(positions);
  await selection.click(1, NONE);
  await selection.click(3, TOGGLE);
  await selection.click(1, TOGGLE);
  expect(chosen(selection)).toEqual(["a3"]);
  await selection.click(7, TOGGLE);
  await selection.click(8, { shift: true, toggle: true });
  expect(chosen(selection)).toEqual(["a3", "a7", "a8"]);
});

test("in a picker a click adds to what is chosen", async () => {
  const selection = new Selection(positions, true);
  await selection.click(1, NONE);
  await selection.click(4, NONE);
  await selection.click(6, SHIFT);
  await selection.click(1, NONE);
  expect(chosen(selection)).toEqual(["a4", "a5", "a6"]);
});

test("the keyboard moves without choosing, and chooses with shift", async () => {
  const selection = new Selection(positions);
  await selection.moveTo(2, false);
  expect(selection.count).toBe(0);
  await selection.moveTo(4, true);
  expect(chosen(selection)).toEqual(["a2", "a3", "a4"]);
  expect(selection.cursor).toBe(4);
});

test("a long range that arrives after a later click is dropped", async () => {
  let arrive: (ids: string[]) => void = () => {};
  const slow: Positions = {
    total: 100,
    ids: (first, last) => (last - first > 10 ? new Promise((done) => (arrive = done)) : positions.ids(first, last)),
  };
  const selection = new Selection(slow);
  const all = selection.all();
  expect(selection.busy).toBe(true);
  await selection.click(3, NONE);
  arrive(["a0", "a1"]);
  await all;
  expect(chosen(selection)).toEqual(["a3"]);
  expect(selection.busy).toBe(false);
});

test("all of nothing is nothing", async () => {
  const selection = new Selection({ total: 0, ids: async () => ["ghost"] });
  await selection.all();
  expect(selection.count).toBe(0);
});
