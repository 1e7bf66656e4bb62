import { render, screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Mock } from "../src/api/mock";
import { ARMED_AFTER_MS, Armed } from "../src/features/prompt/armed.svelte";
import PromptWindow from "../src/features/prompt/PromptWindow.svelte";

beforeEach(() => void vi.useFakeTimers({ shouldAdvanceTime: true }));
afterEach(() => void vi.useRealTimers());

test("a question can be allowed half a second after it came into view, and again after the window was left", () => {
  const armed = new Armed();
  const end = armed.listen();
  vi.advanceTimersByTime(ARMED_AFTER_MS - 1);
  expect(armed.ready).toBe(false);
  vi.advanceTimersByTime(1);
  expect(armed.ready).toBe(true);
  window.dispatchEvent(new Event("blur"));
  vi.advanceTimersByTime(10 * ARMED_AFTER_MS);
  expect(armed.ready).toBe(false);
  window.dispatchEvent(new Event("focus"));
  expect(armed.ready).toBe(false);
  vi.advanceTimersByTime(ARMED_AFTER_MS);
  expect(armed.ready).toBe(true);
  end();
  expect(armed.ready).toBe(false);
});

test("the prompt names who asks and where it may send, and hands over the answer", async () => {
  const mock = new Mock("delivered");
  mock.ask();
  const answered = vi.spyOn(mock, "answerPrompt");
  render(PromptWindow, { backend: mock });
  await screen.findByRole("heading", { name: /Reel Editor.*would like to see your photos/ });
  expect(screen.getByText("upload.example.com")).toBeTruthy();
  await waitFor(() => expect(document.activeElement?.textContent).toContain("Don’t allow"));
  const full = screen.getByRole<HTMLButtonElement>("button", { name: "Allow full library" });
  await waitFor(() => expect(full.disabled).toBe(false));
  await userEvent.setup({ advanceTimers: vi.advanceTimersByTime }).click(full);
  expect(answered).toHaveBeenCalledWith("prompt-1", { access: "full" });
});
