/** A check of what could go to the trash: done after the second question, and good for one move. */
import type { BeginSpaceCheck, Destination, Kept, MovedToTrash, SpaceCheck, SpareAsset } from "../types";
import type { Photos } from "./photos";

const OFFERED = 24;
/** A library in which everything has gone somewhere. */
const HUGE = 100_000;
const VALID_FOR_MS = 15 * 60_000;

const KEPT: Kept[] = [
  { reason: "not_delivered", assets: 31, sentence: "not delivered, or not verified there by a digest" },
  { reason: "not_held", assets: 2, sentence: "the destination does not hold it any more" },
  { reason: "wanted", assets: 1, sentence: "an upload of it has not ended" },
];

export class SpaceCheckMock {
  readonly check: SpaceCheck;
  readonly #offered: SpareAsset[];

  constructor(
    id: string,
    { taken_before, limit }: BeginSpaceCheck,
    destination: Destination,
    photos: Photos,
    now: number,
  ) {
    const offered = photos.total > HUGE ? (limit ?? OFFERED) : OFFERED;
    const positions = Array.from({ length: Math.min(offered, photos.total) }, (_, at) => photos.total - 1 - at);
    // A destination that proves nothing by a digest offers nothing.
    const proves =
      destination.capabilities?.evidence === "hashed" || destination.capabilities?.evidence === "read_back";
    this.#offered = positions
      .filter((at) => proves && photos.date(at) < (taken_before ?? Infinity))
      .map((at) => this.#asset(at, destination, photos, now));
    this.check = {
      id,
      state: "running",
      problem: null,
      looked_at: 0,
      total: photos.total,
      assets: [],
      byte_count: 0,
      kept: [],
      more: false,
    };
  }

  #asset(at: number, { id, name, capabilities }: Destination, photos: Photos, now: number): SpareAsset {
    const resources = photos.resources(at);
    return {
      asset_id: photos.asset(at).id,
      filename: photos.asset(at).filename,
      byte_count: resources.reduce((sum, { byte_count }) => sum + byte_count, 0),
      files: resources.map(({ paths, byte_count }) => ({
        path: paths[0]!,
        byte_count,
        destination_id: id,
        destination_name: name,
        evidence: capabilities!.evidence,
        asked_at: now,
      })),
      valid_until: now + VALID_FOR_MS,
    };
  }

  /** How far it is, one step further each time. */
  look(): SpaceCheck {
    const { check } = this;
    if (check.looked_at === 0) check.looked_at = Math.ceil(check.total / 2);
    else if (check.state === "running") {
      check.state = "done";
      check.looked_at = check.total;
      check.assets = this.#offered;
      check.byte_count = this.#offered.reduce((sum, { byte_count }) => sum + byte_count, 0);
      check.kept = check.total ? KEPT : [];
    }
    return { ...check };
  }

  /** The first of several has changed meanwhile. */
  move(ids: string[]): MovedToTrash {
    const going = this.check.assets.filter(({ asset_id }) => ids.includes(asset_id));
    this.check.assets = this.check.assets.filter(({ asset_id }) => !ids.includes(asset_id));
    const files = going.flatMap(({ asset_id, files }, at) =>
      files.map(({ path, byte_count }) => ({
        asset_id,
        path,
        byte_count,
        problem: at === 0 && going.length > 1 ? "It changed since the check. Check again." : null,
      })),
    );
    const moved = files.filter(({ problem }) => problem === null);
    return { files, moved: moved.length, byte_count: moved.reduce((sum, { byte_count }) => sum + byte_count, 0) };
  }
}
