import { afterEach, beforeEach, expect, test, vi, type MockInstance } from "vitest";
import type { Backend } from "../src/api/backend";
import { Mock } from "../src/api/mock";
import { Grid, PAGE } from "../src/state/grid.svelte";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function grid(): { grid: Grid; asked: MockInstance<Backend["assets"]> } {
  const backend: Backend = new Mock("delivered");
  const asked = vi.spyOn(backend, "assets");
  return { grid: new Grid(backend, "smart:all_photos"), asked };
}

test("only the pages on the screen are asked for, once, and after the scrolling rests", async () => {
  const { grid: shown, asked } = grid();
  await shown.open();
  for (let first = 0; first < 5_000; first += 50) shown.show(first, first + 40);
  await vi.runAllTimersAsync();
  expect(asked.mock.calls.map(([, offset]) => offset)).toEqual([24 * PAGE]);
  expect(shown.tile(4_950)?.id).toBe("asset-4950");
  expect(shown.tile(0)).toBeUndefined();
  shown.show(4_950, 4_990);
  await vi.runAllTimersAsync();
  expect(asked).toHaveBeenCalledTimes(1);
});

test("changed badges refetch what is shown, and only if it is shown", async () => {
  const { grid: shown, asked } = grid();
  await shown.open();
  shown.show(0, 40);
  await vi.runAllTimersAsync();
  shown.badgesChanged(["asset-9000"]);
  await vi.runAllTimersAsync();
  expect(asked).toHaveBeenCalledTimes(1);
  for (let change = 0; change < 20; change++) shown.badgesChanged(["asset-3"]);
  await vi.runAllTimersAsync();
  expect(asked).toHaveBeenCalledTimes(2);
});

test("ids of a range come from every page it touches, in order", async () => {
  const { grid: shown } = grid();
  await shown.open();
  const ids = await shown.ids(PAGE - 2, 2 * PAGE + 1);
  expect(ids).toEqual(Array.from({ length: PAGE + 4 }, (_, step) => `asset-${PAGE - 2 + step}`));
});

test("an answer that a change has overtaken is dropped", async () => {
  const { grid: shown, asked } = grid();
  await shown.open();
  let answer = () => {};
  asked.mockImplementationOnce(
    () =>
      new Promise((done) => {
        answer = () => done({ assets: [], offset: 0, total: 0 });
      }),
  );
  shown.show(0, 40);
  await vi.advanceTimersByTimeAsync(100);
  shown.libraryChanged();
  await vi.runAllTimersAsync();
  answer();
  await vi.runAllTimersAsync();
  expect(shown.tile(0)?.id).toBe("asset-0");
});
