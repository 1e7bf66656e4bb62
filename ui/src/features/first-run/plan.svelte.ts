/** What the person has chosen so far in the first run. Before the last step only a destination is made, to be tested at once. */
import type { Backend } from "../../api/backend";
import type { DestinationId, Settings, SuggestedSource } from "../../api/types";
import type { DescribedKind } from "../destinations/kinds";

/** "When": each is a set of the same rules that the settings show. */
export const WHEN = {
  sensible: { allow_metered: false, battery: "above_minimum", allow_power_saver: false },
  plugged_in: { allow_metered: false, battery: "only_plugged_in", allow_power_saver: false },
  always: { allow_metered: true, battery: "always", allow_power_saver: true },
} as const satisfies Record<string, Partial<Settings>>;
export type When = keyof typeof WHEN;

export class FirstRunPlan {
  suggested = $state.raw<SuggestedSource[]>([]);
  looked = $state(false);
  /** Folders added by hand; not counted before they are scanned. */
  added = $state.raw<string[]>([]);
  chosen = $state.raw<string[]>([]);
  /** None means the archive on this computer, which is made when the person goes on. */
  destination_id = $state<DestinationId | null>(null);
  /** Where to make it; none is the usual place. */
  archive_folder = $state<string | null>(null);
  /** What the person is describing, if anything. */
  describing = $state<DescribedKind | null>(null);
  answer = $state<When>("sensible");
  readonly when = $derived(WHEN[this.answer]);

  constructor(readonly backend: Backend) {
    void this.#look();
  }

  toggle(path: string): void {
    this.chosen = this.chosen.includes(path) ? this.chosen.filter((known) => known !== path) : [...this.chosen, path];
  }

  add(path: string): void {
    if (!this.suggested.some((known) => known.path === path) && !this.added.includes(path))
      this.added = [...this.added, path];
    if (!this.chosen.includes(path)) this.chosen = [...this.chosen, path];
  }

  async #look(): Promise<void> {
    try {
      this.suggested = await this.backend.suggestedSources();
      // The folder with the most photos is meant most often.
      const [most] = this.suggested.toSorted((a, b) => b.photos - a.photos);
      if (most && this.chosen.length === 0) this.chosen = [most.path];
    } catch {
      // Nothing to suggest: the person adds a folder by hand.
      this.suggested = [];
    } finally {
      this.looked = true;
    }
  }
}
