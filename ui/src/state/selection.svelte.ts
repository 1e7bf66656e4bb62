/**
 * Which assets are chosen, by id, and where the keyboard stands, by position.
 *
 * Ids survive a library that changes under the selection; positions do not, and so are only used for the next step.
 */
import { SvelteSet } from "svelte/reactivity";
import type { AssetId } from "../api/types";

/** Where ids of positions come from: a `Grid`. */
export interface Positions {
  ids(first: number, last: number): Promise<AssetId[]>;
  readonly total: number;
}

export interface Modifiers {
  /** Extend from the anchor. */
  shift: boolean;
  /** Add or take away one. */
  toggle: boolean;
}

export class Selection {
  readonly ids = new SvelteSet<AssetId>();
  /** Where the keyboard stands; -1 before its first use. */
  cursor = $state(-1);
  /** Whether ids of a long range are on their way. */
  busy = $state(false);
  readonly count = $derived(this.ids.size);

  /** Where a range starts. */
  #anchor = 0;
  #latest = 0;

  /** `additive`: a plain click adds, as in a picker. */
  constructor(
    readonly positions: Positions,
    readonly additive = false,
  ) {}

  has(id: AssetId): boolean {
    return this.ids.has(id);
  }

  async click(index: number, { shift, toggle }: Modifiers): Promise<void> {
    if (shift) return this.#range(this.#anchor, index, toggle || this.additive);
    this.cursor = index;
    this.#anchor = index;
    if (toggle || this.additive) return this.toggle(index);
    return this.#range(index, index, false);
  }

  /** Moves the keyboard's place; with shift the selection follows. */
  async moveTo(index: number, shift: boolean): Promise<void> {
    if (shift) return this.#range(this.#anchor, index, this.additive);
    this.cursor = index;
    this.#anchor = index;
  }

  async toggle(index: number): Promise<void> {
    const [id] = await this.positions.ids(index, index);
    if (id === undefined) return;
    if (!this.ids.delete(id)) this.ids.add(id);
  }

  async all(): Promise<void> {
    if (this.positions.total > 0) await this.#range(0, this.positions.total - 1, false);
  }

  clear(): void {
    this.#latest += 1;
    this.ids.clear();
  }

  async #range(from: number, to: number, keep: boolean): Promise<void> {
    this.cursor = to;
    const latest = ++this.#latest;
    this.busy = true;
    try {
      const ids = await this.positions.ids(Math.min(from, to), Math.max(from, to));
      // A later click has decided otherwise.
      if (latest !== this.#latest) return;
      if (!keep) this.ids.clear();
      for (const id of ids) this.ids.add(id);
    } finally {
      if (latest === this.#latest) this.busy = false;
    }
  }
}
