/**
 * One collection as a grid sees it: its months, and the pages of tiles that were looked at.
 *
 * Guarantees: a page is asked for at most once at a time; answers that a change has overtaken are dropped; memory is bounded
 * by `PAGES_KEPT`.
 */
import { SvelteMap } from "svelte/reactivity";
import type { Backend } from "../api/backend";
import type { AssetId, AssetTile, CollectionId, MonthSection } from "../api/types";
import type { AssetViewer } from "./afterglow.svelte";
import { problem, type Problem } from "./problem";

/** Tiles asked for at once. */
export const PAGE = 200;
/** 20,000 tiles: many screens in either direction. */
const PAGES_KEPT = 100;
/** A scroll bar dragged through years asks for nothing until it rests. */
const REST_MS = 60;
/** Badges of a running upload change many times a second; a glance needs two. */
const BADGES_MS = 500;

export class Grid implements AssetViewer {
  months = $state.raw<MonthSection[]>([]);
  loaded = $state(false);
  error = $state.raw<Problem | null>(null);
  readonly total = $derived(this.months.reduce((sum, { count }) => sum + count, 0));

  readonly #pages = new SvelteMap<number, readonly AssetTile[]>();
  readonly #asked = new Map<number, Promise<void>>();
  #generation = 0;
  #shown = { first: 0, last: 0 };
  #rest: ReturnType<typeof setTimeout> | null = null;
  #badges: ReturnType<typeof setTimeout> | null = null;

  constructor(
    readonly backend: Backend,
    readonly collection: CollectionId,
  ) {}

  async open(): Promise<void> {
    const generation = this.#generation;
    try {
      const months = await this.backend.months(this.collection);
      if (generation !== this.#generation) return;
      this.months = months;
      this.error = null;
      this.loaded = true;
    } catch (error) {
      this.error = problem(error);
    }
  }

  /** The tile at a position, once its page is here. */
  tile(index: number): AssetTile | undefined {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Says which positions are on the screen, so that they come. */
  show(first: number, last: number): void {
    this.#shown = { first, last };
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      this.#rest = null;
      void this.#ask(this.#shownPages());
    }, REST_MS);
  }

  /** The ids at positions `first..=last`, fetching what is not here. */
  async ids(first: number, last: number): Promise<AssetId[]> {
    const ids: AssetId[] = [];
    const top = Math.floor(last / PAGE);
    for (let page = Math.floor(first / PAGE); page <= top; page++) {
      const tiles = this.#pages.get(page) ?? (await this.backend.assets(this.collection, page * PAGE, PAGE)).assets;
      const from = page === Math.floor(first / PAGE) ? first % PAGE : 0;
      const to = page === top ? (last % PAGE) + 1 : PAGE;
      for (const { id } of tiles.slice(from, to)) ids.push(id);
    }
    return ids;
  }

  badgesChanged(ids: AssetId[]): void {
    if (this.#badges !== null || !this.#shows(ids)) return;
    this.#badges = setTimeout(() => {
      this.#badges = null;
      this.#forgetAllBut(this.#shownPages());
      void this.#ask(this.#shownPages(), true);
    }, BADGES_MS);
  }

  libraryChanged(): void {
    this.#generation += 1;
    this.#asked.clear();
    this.#forgetAllBut(this.#shownPages());
    void this.open();
    void this.#ask(this.#shownPages(), true);
  }

  close(): void {
    this.#generation += 1;
    for (const timer of [this.#rest, this.#badges]) if (timer !== null) clearTimeout(timer);
  }

  #shows(ids: AssetId[]): boolean {
    if (ids.length === 0) return true;
    const changed = new Set(ids);
    return this.#shownPages().some((page) => this.#pages.get(page)?.some(({ id }) => changed.has(id)));
  }

  #shownPages(): number[] {
    const first = Math.floor(this.#shown.first / PAGE);
    const last = Math.floor(this.#shown.last / PAGE);
    return Array.from({ length: last - first + 1 }, (_, step) => first + step);
  }

  async #ask(pages: number[], again = false): Promise<void> {
    await Promise.all(
      pages.filter((page) => again || !this.#pages.has(page)).map((page) => this.#asked.get(page) ?? this.#fetch(page)),
    );
    this.#evict();
  }

  #fetch(page: number): Promise<void> {
    const generation = this.#generation;
    const asked = this.backend
      .assets(this.collection, page * PAGE, PAGE)
      .then(
        ({ assets }) => {
          if (generation === this.#generation) this.#pages.set(page, assets);
        },
        (error: unknown) => {
          if (generation === this.#generation) this.error = problem(error);
        },
      )
      .finally(() => {
        // After a change the page may be asked for anew already.
        if (this.#asked.get(page) === asked) this.#asked.delete(page);
      });
    this.#asked.set(page, asked);
    return asked;
  }

  #forgetAllBut(kept: number[]): void {
    for (const page of [...this.#pages.keys()]) if (!kept.includes(page)) this.#pages.delete(page);
  }

  /** Lets go of the pages farthest from the screen. */
  #evict(): void {
    if (this.#pages.size <= PAGES_KEPT) return;
    const here = this.#shown.first / PAGE;
    const farthest = [...this.#pages.keys()].sort((a, b) => Math.abs(b - here) - Math.abs(a - here));
    for (const page of farthest.slice(0, this.#pages.size - PAGES_KEPT)) this.#pages.delete(page);
  }
}
