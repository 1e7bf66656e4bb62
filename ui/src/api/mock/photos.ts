/** The mock's library: any number of assets, each a pure function of its position, and the albums they are in. */
import type {
  Asset,
  AssetCollection,
  AssetId,
  AssetResource,
  CollectionId,
  MediaSubtype,
  MonthSection,
  SmartAlbum,
} from "../types";
import { random } from "./pictures";

const CAMERAS = ["FUJIFILM X-T5", "Apple iPhone 17 Pro", "Google Pixel 10", "SONY ILCE-7CM2", null];
const DAY_MS = 86_400_000;
/** A name that tries to turn the line around and to be markup. */
export const HOSTILE_NAME = "IMG_\u202egpj.<img src=x onerror=alert(1)>.jpg";

interface Month extends MonthSection {
  first: number;
  start_ms: number;
  end_ms: number;
}

export class Photos {
  readonly favourites = new Set<number>();
  readonly collections: AssetCollection[] = [];
  readonly #months: Month[] = [];
  /** Positions in a collection, newest first; all photos have none. */
  readonly #members = new Map<CollectionId, number[]>();
  #albums = 0;

  constructor(
    readonly total: number,
    readonly now: number,
  ) {
    this.#layMonths();
    for (let at = 0; at < total; at++) if (at % 86 === 5) this.favourites.add(at);
    if (total > 0) this.#makeCollections();
    else this.#addCollection("smart:all_photos", "All Photos", "smart_album", "all_photos");
  }

  asset(at: number): Asset {
    const next = random(at + 11);
    const subtypes = this.subtypes(at);
    const video = this.isVideo(at);
    const wide = next() > 0.3;
    const size = subtypes.includes("panorama") ? [9000, 2400] : wide ? [6240, 4160] : [4160, 6240];
    const place = at % 3 === 0 ? { latitude: 38.71 + next() / 50, longitude: -9.14 - next() / 50 } : null;
    return {
      id: `asset-${at}`,
      media_type: video ? "video" : "image",
      media_subtypes: subtypes,
      creation_date: this.date(at),
      added_date: this.date(at) + 3_600_000,
      pixel_width: size[0]!,
      pixel_height: size[1]!,
      duration_ms: video ? 8_000 + Math.floor(next() * 90_000) : null,
      orientation: 1,
      camera: CAMERAS[at % CAMERAS.length] ?? null,
      location: place,
      is_favorite: this.favourites.has(at),
      filename:
        at === 12
          ? HOSTILE_NAME
          : `${video ? "MVI" : "DSCF"}_${String(9999 - (at % 9000)).padStart(4, "0")}.${video ? "MP4" : "JPG"}`,
      byte_count: this.bytes(at),
    };
  }

  position(id: AssetId): number {
    return Number(id.slice("asset-".length));
  }

  resources(at: number): AssetResource[] {
    const { id, filename, byte_count, media_type, media_subtypes } = this.asset(at);
    const file = (
      resource_type: AssetResource["resource_type"],
      name: string,
      bytes: number,
      content_type: string,
    ) => ({
      id: `${id}-${resource_type}`,
      asset_id: id,
      resource_type,
      original_filename: name,
      content_type,
      byte_count: bytes,
      sha256: Array.from({ length: 64 }, (_, place) => ((at * 31 + place * 7) % 16).toString(16)).join(""),
      source_state: "present" as const,
      paths: [`/home/ada/Pictures/${new Date(this.date(at)).getFullYear()}/${name}`],
    });
    const files = [
      file(
        media_type === "video" ? "video" : "photo",
        filename,
        byte_count,
        media_type === "video" ? "video/mp4" : "image/jpeg",
      ),
    ];
    if (media_subtypes.includes("raw"))
      files.push(file("alternate_photo", filename.replace("JPG", "RAF"), 48_200_000, "image/x-fuji-raf"));
    if (media_subtypes.includes("live"))
      files.push(file("paired_video", filename.replace("JPG", "MOV"), 3_900_000, "video/quicktime"));
    return files;
  }

  isVideo(at: number): boolean {
    return at % 30 === 11;
  }

  subtypes(at: number): MediaSubtype[] {
    if (this.isVideo(at)) return [];
    if (at % 9 === 2) return ["live"];
    if (at % 21 === 6) return ["raw"];
    if (at % 97 === 40) return ["panorama"];
    if (at % 61 === 30) return ["screenshot"];
    if (at % 45 === 20) return ["edited"];
    return [];
  }

  bytes(at: number): number {
    const next = random(at + 77);
    return Math.floor(this.isVideo(at) ? 40e6 + next() * 160e6 : 2.5e6 + next() * 9e6);
  }

  date(at: number): number {
    const month = this.#months.findLast(({ first }) => first <= at)!;
    return Math.floor(month.end_ms - ((at - month.first + 0.5) / month.count) * (month.end_ms - month.start_ms));
  }

  count(id: CollectionId): number {
    return this.#members.get(id)?.length ?? this.total;
  }

  /** Positions of a page of a collection. */
  page(id: CollectionId, offset: number, limit: number): number[] {
    const members = this.#members.get(id);
    if (members) return members.slice(offset, offset + limit);
    return Array.from({ length: Math.max(0, Math.min(limit, this.total - offset)) }, (_, step) => offset + step);
  }

  months(id: CollectionId): MonthSection[] {
    const members = this.#members.get(id);
    if (!members) return this.#months.map(({ month, count }) => ({ month, count }));
    const counts = new Map<string, number>();
    for (const at of members) {
      const { month } = this.#months.findLast(({ first }) => first <= at)!;
      counts.set(month, (counts.get(month) ?? 0) + 1);
    }
    return [...counts].map(([month, count]) => ({ month, count }));
  }

  createAlbum(title: string, members: number[] = []): AssetCollection {
    return this.#addCollection(`album-${++this.#albums}`, title, "album", null, members);
  }

  deleteAlbum(id: CollectionId): void {
    this.collections.splice(
      this.collections.findIndex((collection) => collection.id === id),
      1,
    );
    this.#members.delete(id);
  }

  setMembers(id: CollectionId, members: Iterable<number>): void {
    this.#members.set(
      id,
      [...new Set(members)].sort((a, b) => a - b),
    );
    const at = this.collections.findIndex((collection) => collection.id === id);
    if (at >= 0) this.collections[at] = { ...this.collections[at]!, count: this.count(id) };
  }

  members(id: CollectionId): number[] {
    return this.#members.get(id) ?? [];
  }

  #layMonths(): void {
    const next = random(5);
    const today = new Date(this.now);
    for (let back = 0, first = 0; first < this.total; back++) {
      const start = new Date(today.getFullYear(), today.getMonth() - back, 1);
      const end = new Date(today.getFullYear(), today.getMonth() - back + 1, 1);
      // A huge library has no more years than a person, but more photos a month.
      const scale = Math.max(1, this.total / 30_000);
      const wanted = back === 0 ? 148 : back === 1 ? 312 : 60 + next() * 420;
      const count = Math.min(Math.round(wanted * scale), this.total - first);
      this.#months.push({
        month: `${start.getFullYear()}-${String(start.getMonth() + 1).padStart(2, "0")}`,
        count,
        first,
        start_ms: start.getTime(),
        end_ms: Math.min(end.getTime() - 1, this.now),
      });
      first += count;
    }
  }

  #makeCollections(): void {
    const where = (wanted: (at: number) => boolean) =>
      Array.from({ length: this.total }, (_, at) => at).filter((at) => wanted(at));
    const smart = (name: SmartAlbum, title: string, members?: number[]) =>
      this.#addCollection(`smart:${name}`, title, "smart_album", name, members);
    const has = (subtype: MediaSubtype) => where((at) => this.subtypes(at).includes(subtype));

    smart("all_photos", "All Photos");
    smart(
      "not_backed_up",
      "Not Backed Up",
      where((at) => at < 352 && this.total > 352),
    );
    smart(
      "recents",
      "Recents",
      where((at) => this.date(at) > this.now - 14 * DAY_MS),
    );
    smart("favourites", "Favourites", [...this.favourites]);
    smart("live_photos", "Live Photos", has("live"));
    smart("raw", "RAW", has("raw"));
    smart(
      "videos",
      "Videos",
      where((at) => this.isVideo(at)),
    );
    smart("screenshots", "Screenshots", has("screenshot"));
    smart("panoramas", "Panoramas", has("panorama"));
    const half = Math.floor(this.total / 2);
    this.#addCollection(
      "folder:1",
      "Pictures",
      "folder",
      null,
      where((at) => at < half),
      "source-1",
    );
    this.#addCollection(
      "folder:2",
      "Camera",
      "folder",
      null,
      where((at) => at >= half),
      "source-2",
    );
    this.createAlbum(
      "Lisbon, May",
      where((at) => at < 148),
    );
    this.createAlbum(
      "Family",
      where((at) => at % 9 === 4),
    );
    const lastYear = new Date(this.now).getFullYear() - 1;
    this.createAlbum(
      String(lastYear),
      where((at) => new Date(this.date(at)).getFullYear() === lastYear),
    );
  }

  #addCollection(
    id: CollectionId,
    title: string,
    kind: AssetCollection["kind"],
    smart_album: SmartAlbum | null,
    members?: number[],
    source_id: string | null = null,
  ): AssetCollection {
    if (members) this.#members.set(id, members);
    const made: AssetCollection = { id, title, kind, smart_album, source_id, count: this.count(id) };
    this.collections.push(made);
    return made;
  }
}
