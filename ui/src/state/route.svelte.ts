/** Which pane is shown. The address is `#/library/<collection>`, `#/uploads` and so on, so that links are links. */
import type { CollectionId } from "../api/types";

export const PANES = ["library", "uploads", "apps", "destinations", "settings"] as const;
export type Pane = (typeof PANES)[number];

export const ALL_PHOTOS: CollectionId = "smart:all_photos";

export interface Place {
  pane: Pane;
  /** What the library shows. */
  collection: CollectionId;
}

export function parsePlace(hash: string): Place {
  const [name, collection] = hash.replace(/^#\/?/, "").split("/");
  const pane = PANES.find((known) => known === name) ?? "library";
  return { pane, collection: collection ? decodeURIComponent(collection) : ALL_PHOTOS };
}

export function address(pane: Pane, collection: CollectionId = ALL_PHOTOS): string {
  return pane === "library" && collection !== ALL_PHOTOS ? `#/library/${encodeURIComponent(collection)}` : `#/${pane}`;
}

export class Route {
  place = $state.raw<Place>(parsePlace(location.hash));

  constructor() {
    window.addEventListener("hashchange", () => (this.place = parsePlace(location.hash)));
  }

  go(pane: Pane, collection?: CollectionId): void {
    location.hash = address(pane, collection);
  }
}
