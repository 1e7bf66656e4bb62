/**
 * Whether the window has been in view long enough to be answered on purpose.
 *
 * A window that appears under a click, or comes back from behind another one, is not answered by that click.
 */
import type { Unsubscribe } from "../../api/backend";

/** How long a question must be seen before it can be allowed. */
export const ARMED_AFTER_MS = 500;

export class Armed {
  ready = $state(false);
  #timer: ReturnType<typeof setTimeout> | null = null;
  #left = false;

  restart(): void {
    this.#stop();
    if (document.visibilityState === "hidden") return;
    this.#timer = setTimeout(() => (this.ready = true), ARMED_AFTER_MS);
  }

  /** Follows the window's visibility and focus until the returned function is called. */
  listen(): Unsubscribe {
    const left = () => {
      this.#left = true;
      this.#stop();
    };
    // The first focus a fresh window gets is part of its appearing; the clock runs already.
    const came = () => {
      if (this.#left || this.#timer === null) this.restart();
      this.#left = false;
    };
    const seen = () => (document.visibilityState === "hidden" ? left() : came());
    window.addEventListener("blur", left);
    window.addEventListener("focus", came);
    document.addEventListener("visibilitychange", seen);
    this.restart();
    return () => {
      this.#stop();
      window.removeEventListener("blur", left);
      window.removeEventListener("focus", came);
      document.removeEventListener("visibilitychange", seen);
    };
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.ready = false;
  }
}
