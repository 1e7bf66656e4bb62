import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Live } from "../src/state/live.svelte";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("nothing is asked while nobody looks", async () => {
  const fetch = vi.fn(async () => 1);
  const live = new Live(0, fetch);
  live.invalidate();
  await vi.runAllTimersAsync();
  expect(fetch).not.toHaveBeenCalled();
  const end = live.watch();
  await vi.runAllTimersAsync();
  expect([fetch.mock.calls.length, live.value, live.loaded]).toEqual([1, 1, true]);
  end();
  live.invalidate();
  await vi.runAllTimersAsync();
  expect(fetch).toHaveBeenCalledTimes(1);
  live.watch();
  await vi.runAllTimersAsync();
  expect(fetch).toHaveBeenCalledTimes(2);
});

test("a hundred changes within the interval cost one request", async () => {
  const fetch = vi.fn(async () => 1);
  const live = new Live(0, fetch, 300);
  live.watch();
  await vi.runAllTimersAsync();
  for (let change = 0; change < 100; change++) live.invalidate();
  await vi.runAllTimersAsync();
  expect(fetch).toHaveBeenCalledTimes(2);
});

test("a refresh asked for during another one asks again, and one at a time", async () => {
  const answers: ((value: number) => void)[] = [];
  const live = new Live(0, () => new Promise<number>((answer) => answers.push(answer)));
  const first = live.refresh();
  const second = live.refresh();
  await vi.runAllTimersAsync();
  expect(answers.length).toBe(1);
  answers[0]!(1);
  await first;
  await vi.runAllTimersAsync();
  expect(answers.length).toBe(2);
  answers[1]!(2);
  await second;
  expect(live.value).toBe(2);
});

test("a failure keeps the last good value and says why", async () => {
  let works = true;
  const live = new Live("old", async () => {
    if (works) return "good";
    throw { domain: "request", code: "gone", message: "The service has gone." };
  });
  await live.refresh();
  works = false;
  await live.refresh();
  expect([live.value, live.error?.message]).toEqual(["good", "The service has gone."]);
  works = true;
  await live.refresh();
  expect(live.error).toBeNull();
});
