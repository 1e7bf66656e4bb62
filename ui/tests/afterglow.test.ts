import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Mock } from "../src/api/mock";
import { Afterglow } from "../src/state/afterglow.svelte";

let mock: Mock;
let afterglow: Afterglow;
let end: () => void;

beforeEach(async () => {
  vi.useFakeTimers();
  location.hash = "";
  mock = new Mock("uploading");
  afterglow = new Afterglow(mock);
  end = afterglow.start();
  await vi.runAllTimersAsync();
});
afterEach(() => {
  end();
  vi.useRealTimers();
});

test("the status is the service's, word for word", async () => {
  expect(afterglow.status?.sentence).toBe((await mock.status()).sentence);
  await mock.pause({ kind: "indefinitely" });
  await vi.runAllTimersAsync();
  expect(afterglow.status?.state).toBe("paused");
});

test("what is shown follows the events, what is not is left alone", async () => {
  const apps = vi.spyOn(mock, "apps");
  const collections = vi.spyOn(mock, "collections");
  afterglow.collections.watch();
  await vi.runAllTimersAsync();
  await mock.createAlbum("Harbour");
  await vi.runAllTimersAsync();
  expect(afterglow.collections.value.some(({ title }) => title === "Harbour")).toBe(true);
  expect(collections).toHaveBeenCalledTimes(2);
  expect(apps).not.toHaveBeenCalled();
});

test("who shows assets is told which changed", async () => {
  const badgesChanged = vi.fn();
  const libraryChanged = vi.fn();
  const unsubscribe = afterglow.view({ badgesChanged, libraryChanged });
  afterglow.apply({ type: "jobs_changed", asset_ids: ["a", "b"] });
  afterglow.apply({ type: "library_changed" });
  expect([badgesChanged.mock.calls, libraryChanged.mock.calls.length]).toEqual([[[["a", "b"]]], 1]);
  unsubscribe();
  afterglow.apply({ type: "library_changed" });
  expect(libraryChanged).toHaveBeenCalledTimes(1);
});

test("an event opens a pane, but none that does not exist", async () => {
  afterglow.apply({ type: "open", pane: "uploads" });
  expect(location.hash).toBe("#/uploads");
  afterglow.apply({ type: "open", pane: "nonsense" });
  expect(location.hash).toBe("#/uploads");
});

test("what fails is said in the service's words", async () => {
  const result = await afterglow.attempt(() => mock.testDestination("no such"));
  expect(result).toBeUndefined();
  expect(afterglow.notices.list.map(({ text, tone }) => [text, tone])).toEqual([
    ["This destination is gone.", "error"],
  ]);
});

test("a service that does not run is said to be, and is looked for again", async () => {
  const lonely = new Afterglow(new Mock("disconnected"));
  await lonely.connect();
  expect(lonely.connection.connected).toBe(false);
  await lonely.connect();
  expect([lonely.connection.connected, lonely.status?.state]).toEqual([true, "idle"]);
});
