import { render, screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Mock } from "../src/api/mock";
import type { ApiError } from "../src/api/types";
import MainWindow from "../src/features/main/MainWindow.svelte";

let mock: Mock;

beforeEach(() => {
  location.hash = "#/settings";
  mock = new Mock("empty");
});
afterEach(() => void (location.hash = ""));

const idle = () => screen.findByRole<HTMLInputElement>("switch", { name: "Wait until nobody uses this computer" });

test("what is changed is saved at once, and nothing else with it", async () => {
  const before = await mock.settings();
  const saved = vi.spyOn(mock, "saveSettings");
  render(MainWindow, { backend: mock });
  await userEvent.click(await idle());
  expect(saved.mock.calls).toEqual([[{ ...before, only_when_idle: true }]]);
  expect((await idle()).checked).toBe(true);
});

test("uploads wait for a computer that is busy only if that is said", async () => {
  const saved = vi.spyOn(mock, "saveSettings");
  render(MainWindow, { backend: mock });
  const busy = await screen.findByRole<HTMLInputElement>("switch", {
    name: "Wait while this computer is busy with other work",
  });
  expect(busy.checked).toBe(false);
  await userEvent.click(busy);
  expect(saved.mock.calls[0]?.[0].spare_load).toBe(true);
  await screen.findByText("Uploads go on by themselves when it is less busy.");
});

test("what is refused is as it was, and why is said", async () => {
  const refusal: ApiError = {
    domain: "request",
    code: "internal",
    message: "The disk is full. Make room and try again.",
  };
  vi.spyOn(mock, "saveSettings").mockRejectedValue(refusal);
  render(MainWindow, { backend: mock });
  await userEvent.click(await idle());
  await screen.findByText(refusal.message);
  await waitFor(async () => expect((await idle()).checked).toBe(false));
});

test("an hour painted by keyboard is in the timetable that is saved", async () => {
  const saved = vi.spyOn(mock, "saveSettings");
  render(MainWindow, { backend: mock });
  const cell = await screen.findByRole("gridcell", { name: /^Monday.*09:00|^Monday.*9:00\sAM–10/ });
  cell.focus();
  await userEvent.keyboard(" ");
  expect(saved.mock.calls[0]?.[0].timetable).toEqual([
    { minute_of_week: 540, rate: { kind: "stopped" } },
    { minute_of_week: 600, rate: { kind: "unlimited" } },
  ]);
});
