/**
 * Something the service knows, kept fresh while somebody looks at it.
 *
 * Guarantees: at most one request under way; any number of `invalidate()` calls within `interval_ms` cost one request; nothing is
 * asked while nobody watches; the last good value stays when a request fails.
 */
import type { Unsubscribe } from "../api/backend";
import { problem, type Problem } from "./problem";

export class Live<T> {
  value = $state.raw() as T;
  /** Whether `value` came from the service. */
  loaded = $state(false);
  error = $state.raw<Problem | null>(null);

  readonly #fetch: () => Promise<T>;
  readonly #interval_ms: number;
  #watchers = 0;
  #stale = true;
  #busy: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(initial: T, fetch: () => Promise<T>, interval_ms = 300) {
    this.value = initial;
    this.#fetch = fetch;
    this.#interval_ms = interval_ms;
  }

  /** Keeps the value fresh until the returned function is called. */
  watch(): Unsubscribe {
    this.#watchers += 1;
    if (this.#stale) void this.refresh();
    return () => {
      this.#watchers -= 1;
    };
  }

  /** The value may have changed: ask again, soon, if somebody looks. */
  invalidate(): void {
    this.#stale = true;
    if (this.#watchers === 0 || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#stale && this.#watchers > 0) void this.refresh();
    }, this.#interval_ms);
  }

  /** Asks now; resolves when the answer is in `value` or `error`. */
  async refresh(): Promise<void> {
    // A request under way may have been answered before the change that we are asked about.
    if (this.#busy) await this.#busy;
    this.#busy ??= this.#ask().finally(() => (this.#busy = null));
    return this.#busy;
  }

  /** Takes a value that came as the answer to something else. */
  set(value: T): void {
    this.value = value;
    this.loaded = true;
    this.error = null;
  }

  async #ask(): Promise<void> {
    this.#stale = false;
    try {
      this.set(await this.#fetch());
    } catch (error) {
      this.#stale = true;
      this.error = problem(error);
    }
  }
}
