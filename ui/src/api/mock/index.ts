/**
 * A backend without a service: a library that does not exist, whose jobs progress, so that every screen can be opened, tested
 * and photographed in a plain browser. `?scenario=` chooses the story, `?still` stops its clock.
 */
import { NO_CONFIG } from "../config";
import type { Backend, Connection, FileDrag, Jobs } from "../backend";
import type {
  AccessAnswer,
  AddDestination,
  ApiError,
  App,
  AppLogEntry,
  AssetDetail,
  AssetTile,
  BeginSignIn,
  BeginSpaceCheck,
  Connector,
  CreateUpload,
  Destination,
  DestinationConfig,
  DestinationTest,
  Event,
  Evidence,
  FoundReceiver,
  PairReceiver,
  PauseRequest,
  PauseUntil,
  Rule,
  SetCredential,
  Settings,
  SignInState,
  Source,
  UploadJobOptions,
  UploadPreview,
} from "../types";
import { Photos } from "./photos";
import { picture, thumbHash } from "./pictures";
import { Queue } from "./queue";
import {
  A_CERTIFICATE,
  NO_OPTIONS,
  SCENARIOS,
  appsIn,
  assetsIn,
  destinationsIn,
  evidenceOf,
  historyIn,
  settingsIn,
  sourcesIn,
  type Scenario,
} from "./scenario";
import { SpaceCheckMock } from "./space";

const STEP_MS = 250;
const USUAL_ARCHIVE = "/home/ada/Afterglow Archive";

export function createMock(query: URLSearchParams): Backend {
  const scenario = SCENARIOS.find((known) => known === query.get("scenario")) ?? "uploading";
  const mock = new Mock(scenario);
  if (query.has("prompt")) mock.ask();
  if (!query.has("still")) setInterval(() => mock.step(), STEP_MS);
  return mock;
}

function refuse(code: string, message: string): never {
  throw { domain: "request", code, message } satisfies ApiError;
}

export class Mock implements Backend {
  readonly #now = Date.now();
  readonly #photos: Photos;
  readonly #queue: Queue;
  #settings: Settings;
  #sources: Source[];
  #destinations: Destination[];
  #apps: App[];
  #rules: Rule[] = [];
  readonly #signIns = new Map<string, { request: BeginSignIn; asked: number }>();
  #spaceCheck: SpaceCheckMock | null = null;
  #selections = new Map<string, string[]>();
  #connection: Connection;
  #serial = 0;
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #connections = new Set<(connection: Connection) => void>();

  readonly #scenario: Scenario;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#photos = new Photos(assetsIn(scenario), this.#now);
    this.#queue = new Queue(scenario, this.#photos, this.#now);
    this.#settings = settingsIn(scenario);
    this.#sources = sourcesIn(scenario, this.#now);
    this.#destinations = destinationsIn(scenario, this.#now);
    this.#apps = appsIn(scenario, this.#now);
    const disconnected = scenario === "disconnected";
    this.#connection = {
      connected: !disconnected,
      message: disconnected ? "Nothing answers at the service's socket." : null,
    };
    this.#selections.set(
      "app-reel",
      Array.from({ length: 14 }, (_, at) => `asset-${at}`),
    );
    if (this.#photos.total) {
      void this.addRule("smart:all_photos", "home");
      void this.addRule("album-2", "example");
    }
  }

  step(): void {
    const changed = this.#queue.step();
    if (changed.length === 0) return;
    this.#emit({ type: "jobs_changed", asset_ids: changed });
    this.#statusChanged();
  }

  /** An app asks for photos. */
  ask(): void {
    this.#queue.prompts = [
      {
        id: "prompt-1",
        app_id: "app-reel",
        app_name: "Reel Editor",
        executable: "/usr/bin/reel-editor",
        url_bases: ["https://upload.example.com/"],
        created_at: this.#now,
      },
    ];
  }

  async connection(): Promise<Connection> {
    const answer = this.#connection;
    // The first look finds nothing; whoever asks again has it started.
    this.#connection = { connected: true, message: null };
    return answer;
  }

  onEvent(listener: (event: Event) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onConnection(listener: (connection: Connection) => void) {
    this.#connections.add(listener);
    return () => void this.#connections.delete(listener);
  }

  async status() {
    return this.#queue.status(false);
  }

  async activity() {
    return this.#queue.activity();
  }

  async history() {
    return historyIn(this.#scenario, this.#now);
  }

  async pause(request: PauseRequest) {
    this.#queue.pause = { since: Date.now(), until: untilOf(request) };
    return this.#statusChanged();
  }

  async resume() {
    this.#queue.pause = null;
    return this.#statusChanged();
  }

  async uploadAnyway(scope: Parameters<Backend["uploadAnyway"]>[0]) {
    this.#queue.pause = null;
    this.#queue.overrides.push({ scope, network_key: null, until: null, created_at: Date.now() });
    this.#queue.lift((job) =>
      scope.kind === "job" ? job.id === scope.job_id : scope.kind === "batch" ? job.batch_id === scope.batch_id : true,
    );
    return this.#statusChanged();
  }

  async collections() {
    return [...this.#photos.collections];
  }

  async createAlbum(title: string) {
    const album = this.#photos.createAlbum(title);
    this.#emit({ type: "library_changed" });
    return album;
  }

  async renameAlbum(id: string, title: string) {
    const at = this.#photos.collections.findIndex((collection) => collection.id === id);
    const album = (this.#photos.collections[at] = { ...this.#photos.collections[at]!, title });
    this.#emit({ type: "library_changed" });
    return album;
  }

  async deleteAlbum(id: string) {
    this.#photos.deleteAlbum(id);
    this.#emit({ type: "library_changed" });
  }

  async editAlbum(id: string, { add, remove }: { add: string[]; remove: string[] }) {
    const positions = new Set([...this.#photos.members(id), ...add.map((asset) => this.#photos.position(asset))]);
    for (const asset of remove) positions.delete(this.#photos.position(asset));
    this.#photos.setMembers(id, positions);
    this.#emit({ type: "library_changed" });
    return this.#photos.collections.find((collection) => collection.id === id)!;
  }

  async months(id: string) {
    if (!this.#photos.collections.some((collection) => collection.id === id))
      refuse("not_found", "This album is gone.");
    return this.#photos.months(id);
  }

  async assets(id: string, offset: number, limit: number) {
    const assets = this.#photos.page(id, offset, limit).map((at) => this.#tile(at));
    return { assets, offset, total: this.#photos.count(id) };
  }

  async asset(id: string): Promise<AssetDetail> {
    const at = this.#photos.position(id);
    return { asset: this.#photos.asset(at), resources: this.#photos.resources(at), jobs: this.#queue.jobsOf(at) };
  }

  async setFavorite(ids: string[], isFavorite: boolean) {
    for (const at of ids.map((id) => this.#photos.position(id))) {
      if (isFavorite) this.#photos.favourites.add(at);
      else this.#photos.favourites.delete(at);
    }
    this.#photos.setMembers("smart:favourites", this.#photos.favourites);
    this.#emit({ type: "library_changed" });
  }

  thumbnailUrl(id: string) {
    return picture(this.#photos.position(id));
  }

  async jobs(query: Jobs) {
    return { ...this.#queue.query(query), counts: this.#queue.counts() };
  }

  async retry(ids: string[]) {
    return this.#jobsDone(this.#queue.retry(ids));
  }

  async cancel(ids: string[]) {
    return this.#jobsDone(this.#queue.cancel(ids));
  }

  async previewUpload({ paths, asset_ids }: CreateUpload): Promise<UploadPreview> {
    const files = paths.length + asset_ids.length;
    // Of what is dropped, a fifth is there already; of the library, what is delivered.
    const already_delivered = paths.length ? Math.round(files / 5) : 0;
    const refused = paths
      .filter((path) => path.endsWith(".txt"))
      .map((path) => `${path} is neither a photo nor a video.`);
    return {
      files: files - already_delivered - refused.length,
      bytes: files * 4_300_000,
      already_delivered,
      refused,
      batch_id: null,
    };
  }

  async upload(upload: CreateUpload): Promise<UploadPreview> {
    const preview = await this.previewUpload(upload);
    const positions = upload.asset_ids.length
      ? upload.asset_ids.map((id) => this.#photos.position(id))
      : Array.from({ length: preview.files }, (_, at) => at + 60);
    const name = this.#destination(upload.destination_id).name;
    const batch = this.#queue.add(positions, upload.destination_id, `${positions.length} photos to ${name}`);
    this.#jobsDone(0);
    return { ...preview, batch_id: batch.id };
  }

  async apps() {
    return [...this.#apps];
  }

  async setAccess(id: string, answer: AccessAnswer) {
    const at = this.#apps.findIndex((app) => app.id === id);
    const app = (this.#apps[at] = { ...this.#apps[at]!, ...granted(answer) });
    if (answer.access === "selected") this.#selections.set(id, answer.asset_ids);
    this.#emit({ type: "apps_changed" });
    return app;
  }

  async appSelection(id: string) {
    return this.#selections.get(id) ?? [];
  }

  async appLog(id: string): Promise<AppLogEntry[]> {
    const app = this.#apps.find((known) => known.id === id);
    if (!app) refuse("not_found", "This app is gone.");
    const entries = [{ at: app.created_at, sentence: "It asked for your photos." }];
    if (app.status === "denied") entries.unshift({ at: app.created_at + 9_000, sentence: "You said no." });
    else entries.unshift({ at: app.created_at + 12_000, sentence: "You allowed it." });
    if (app.last_used_at) entries.unshift({ at: app.last_used_at, sentence: "It handed over an upload of 88 MB." });
    return entries;
  }

  async prompts() {
    return this.#queue.prompts;
  }

  async answerPrompt(id: string, answer: AccessAnswer) {
    const prompt = this.#queue.prompts.find((known) => known.id === id);
    if (!prompt) refuse("not_found", "This question was answered already.");
    this.#queue.prompts = this.#queue.prompts.filter((known) => known.id !== id);
    await this.setAccess(prompt.app_id, answer);
    this.#emit({ type: "prompts", prompts: this.#queue.prompts });
  }

  async destinations() {
    return [...this.#destinations];
  }

  /** Fails on demand: at an address with "nowhere" in it, with the secret "wrong", in a folder "read-only". */
  async addDestination({ connector, url: given, name, config, token, sign_in }: AddDestination) {
    const url = given || (connector === "google_photos" ? "https://photoslibrary.googleapis.com/" : "");
    if (this.#destinations.some((known) => known.name === name))
      refuse("name_taken", `There is a destination called ${name} already. Choose another name.`);
    if (url.includes("nowhere"))
      refuse("connection_lost", `${new URL(url).host} does not answer. Check the address and try again.`);
    if (connector === "folder" && !url.startsWith("/"))
      refuse("bad_folder", `${url} is no folder: give an absolute path.`);
    if (url.includes("read-only")) refuse("bad_folder", `${url} cannot be written to. Choose another folder.`);
    if (url.includes("self-made") && !config.certificate) refuseCertificate(new URL(url).host);
    if (token === "wrong") refuseSecret(new URL(url).host, connector);
    if (sign_in) this.#signIns.delete(sign_in);
    const id = `destination-${++this.#serial}`;
    const destination: Destination = {
      ...destinationsIn("delivered", this.#now)[0]!,
      id,
      name,
      connector,
      url: connector === "archive" || connector === "folder" ? pathToFileURL(url || USUAL_ARCHIVE) : url,
      config,
      options: NO_OPTIONS,
      capabilities: {
        evidence: evidenceOf(connector, config),
        max_size: null,
        max_append_size: null,
        resumable: connector !== "immich",
        server: connector === "immich" ? "Immich 3.2.2" : null,
        probed_at: Date.now(),
      },
      has_credential: connector !== "folder" && connector !== "archive",
      app_id: `app-${id}`,
      created_at: Date.now(),
      delivered: 0,
      delivered_bytes: 0,
    };
    this.#destinations.push(destination);
    this.#emit({ type: "destinations_changed" });
    return { destination, test: await this.testDestination(id) };
  }

  async receivers(): Promise<FoundReceiver[]> {
    return [
      { name: "Küche", url: "https://192.168.1.20:8080/files", id: "kitchen" },
      { name: "Attic", url: "http://192.168.1.21:8080/files", id: "attic" },
    ];
  }

  /** The one right code is 1234-5678. */
  async pairReceiver({ url, name, code }: PairReceiver) {
    if (code.replace(/\D/g, "") !== "12345678")
      refuse(
        "authentication_required",
        `This is not the code that ${new URL(url).hostname} shows. Read it again; after five wrong ones it shows another.`,
      );
    return this.addDestination({
      connector: "resumable",
      url,
      name,
      config: {
        ...NO_CONFIG,
        ...(url.startsWith("http:") ? { cleartext: true } : { certificate: A_CERTIFICATE.sha256 }),
      },
      token: "paired",
      sign_in: null,
      skip_test: false,
    });
  }

  async testDestination(id: string): Promise<DestinationTest> {
    const { capabilities, connector, problem } = this.#destination(id);
    if (problem) {
      const { code, message, certificate } = problem;
      throw { domain: "transfer", code, message, certificate } satisfies ApiError;
    }
    return {
      capabilities: capabilities!,
      room: null,
      took_ms: 84,
      sentence: `The test photo arrived, ${proved(connector, capabilities!.evidence)}.`,
    };
  }

  async signIn(id: string, { user, token, sign_in }: SetCredential) {
    const destination = this.#destination(id);
    if (token === "wrong") refuseSecret(destination.name, destination.connector);
    if (sign_in) this.#signIns.delete(sign_in);
    return this.#mended(id, { ...destination.config, user: user ?? destination.config.user });
  }

  async setDestinationConfig(id: string, config: DestinationConfig) {
    return this.#mended(id, config);
  }

  async addresses(id: string) {
    const { url, config } = this.#destination(id);
    return { addresses: [url, ...config.addresses], used: url };
  }

  /** Nobody is at an address with "nowhere" in it, and another server at one with "stranger". */
  async setAddresses(id: string, addresses: string[], cleartext: boolean) {
    const { config, url: known } = this.#destination(id);
    const [url = "", ...further] = addresses;
    for (const address of addresses) {
      if ([known, ...config.addresses].includes(address)) continue;
      const { host } = new URL(address);
      if (address.includes("nowhere")) refuse("connection_lost", `${host} cannot be reached. Check the address.`);
      if (address.includes("stranger"))
        refuse(
          "destination_not_allowed",
          `Another server than yours answers at ${host}, so nothing was changed. Check the address.`,
        );
    }
    return this.#mended(id, { ...config, addresses: further, cleartext }, url);
  }

  #mended(id: string, config: DestinationConfig, url = this.#destination(id).url): Destination {
    const mended: Destination = { ...this.#destination(id), url, config, state: "ready", problem: null };
    this.#destinations = this.#destinations.map((known) => (known.id === id ? mended : known));
    this.#queue.signedIn(id);
    this.#emit({ type: "destinations_changed" });
    this.#jobsDone(0);
    return mended;
  }

  /** The person says yes after the second question; never with "slow" in the address or client, and no with "refused". */
  async beginSignIn(request: BeginSignIn) {
    const { connector, url, client_secret, destination_id } = request;
    if (url.includes("nowhere"))
      refuse("connection_lost", `${new URL(url).host} does not answer. Check the address and try again.`);
    if (connector === "google_photos" && !client_secret && !destination_id)
      refuse(
        "no_oauth_client",
        "Google Photos needs the id and the secret of an OAuth client of your own. Enter both.",
      );
    const id = `sign-in-${++this.#serial}`;
    this.#signIns.set(id, { request, asked: 0 });
    return { id, open_url: `${url || "https://accounts.google.com"}/sign-in` };
  }

  async signInState(id: string): Promise<SignInState> {
    const known = this.#signIns.get(id) ?? refuse("identifier_not_found", "There is no such sign-in.");
    const { connector, url, config } = known.request;
    const where = url + (config.user ?? "");
    if (where.includes("slow") || ++known.asked < 2) return { state: "waiting" };
    if (where.includes("refused"))
      return { state: "failed", message: "You did not let Afterglow add photos. Sign in again to change that." };
    return { state: "done", user: connector === "nextcloud" ? "ada" : null };
  }

  async cancelSignIn(id: string) {
    if (!this.#signIns.delete(id)) refuse("identifier_not_found", "There is no such sign-in.");
  }

  async beginSpaceCheck(request: BeginSpaceCheck) {
    const destination = this.#destination(request.destination_id ?? "");
    this.#spaceCheck = new SpaceCheckMock(`check-${++this.#serial}`, request, destination, this.#photos, this.#now);
    return { ...this.#spaceCheck.check };
  }

  async spaceCheck(id: string) {
    return this.#checkOf(id).look();
  }

  async forgetSpaceCheck(id: string) {
    this.#checkOf(id);
    this.#spaceCheck = null;
  }

  async moveToTrash(id: string, ids: string[]) {
    return this.#checkOf(id).move(ids);
  }

  #checkOf(id: string): SpaceCheckMock {
    if (this.#spaceCheck?.check.id === id) return this.#spaceCheck;
    refuse("identifier_not_found", "There is no such check; it may be too old. Check again.");
  }

  async setDestinationOptions(id: string, options: UploadJobOptions) {
    const changed = { ...this.#destination(id), options };
    this.#destinations = this.#destinations.map((known) => (known.id === id ? changed : known));
    this.#emit({ type: "destinations_changed" });
    return changed;
  }

  async removeDestination(id: string) {
    this.#destinations = this.#destinations.filter((known) => known.id !== id);
    this.#rules = this.#rules.filter((rule) => rule.destination_id !== id);
    this.#emit({ type: "destinations_changed" });
  }

  async rules() {
    return [...this.#rules];
  }

  async addRule(collection_id: string, destination_id: string) {
    const title =
      this.#photos.collections.find((collection) => collection.id === collection_id)?.title ?? collection_id;
    const rule: Rule = {
      id: `rule-${++this.#serial}`,
      collection_id,
      collection_title: title,
      destination_id,
      created_at: Date.now(),
    };
    this.#rules.push(rule);
    this.#emit({ type: "destinations_changed" });
    return rule;
  }

  async removeRule(id: string) {
    this.#rules = this.#rules.filter((rule) => rule.id !== id);
    this.#emit({ type: "destinations_changed" });
  }

  async settings() {
    return this.#settings;
  }

  async saveSettings(settings: Settings) {
    this.#settings = settings;
    this.#emit({ type: "settings_changed", settings });
    return settings;
  }

  async sources() {
    return [...this.#sources];
  }

  async suggestedSources() {
    return [
      { path: "/home/ada/Pictures", photos: 9_102 },
      { path: "/home/ada/Camera", photos: 4_410 },
      { path: "/home/ada/Downloads", photos: 37 },
    ];
  }

  async addSource(path: string) {
    const known = this.#sources.find((source) => source.path === path);
    if (known) return known;
    const source: Source = {
      id: `source-${++this.#serial + 10}`,
      path,
      online: true,
      assets: 0,
      watched: true,
      watch_problem: null,
      scanned_at: null,
      unreadable: 0,
    };
    this.#sources = [...this.#sources, source];
    this.#emit({
      type: "scan",
      progress: { source_id: source.id, found: 240, indexed: 110, counted: true, finished: false },
    });
    return source;
  }

  async removeSource(id: string) {
    this.#sources = this.#sources.filter((source) => source.id !== id);
    this.#emit({ type: "library_changed" });
  }

  async scan() {
    this.#emit({ type: "library_changed" });
  }

  async pickFolder() {
    return "/home/ada/Pictures/Scans";
  }

  async pickFiles() {
    return Array.from({ length: 14 }, (_, at) => `/home/ada/Desktop/IMG_${at}.jpg`);
  }

  async openPage() {}
  async reveal() {}
  async showWindow() {}
  async closeWindow() {}

  /** The browser's own dragging, with made-up paths: a page is not told the real ones. */
  onFileDrag(listener: (drag: FileDrag) => void) {
    const paths = (event: DragEvent) =>
      Array.from({ length: event.dataTransfer?.items.length ?? 0 }, (_, at) => `/home/ada/Desktop/IMG_${at}.jpg`);
    const enter = (event: DragEvent) => (event.preventDefault(), listener({ type: "enter", paths: paths(event) }));
    const over = (event: DragEvent) => event.preventDefault();
    const drop = (event: DragEvent) => (event.preventDefault(), listener({ type: "drop", paths: paths(event) }));
    const leave = (event: DragEvent) => event.relatedTarget === null && listener({ type: "leave" });
    const heard = { dragenter: enter, dragover: over, drop, dragleave: leave };
    for (const [name, hear] of Object.entries(heard)) window.addEventListener(name, hear as EventListener);
    return () => {
      for (const [name, hear] of Object.entries(heard)) window.removeEventListener(name, hear as EventListener);
    };
  }

  #tile(at: number): AssetTile {
    const asset = this.#photos.asset(at);
    return { ...asset, thumb_hash: thumbHash(at), badge: this.#queue.badge(asset.id) };
  }

  #destination(id: string): Destination {
    return this.#destinations.find((known) => known.id === id) ?? refuse("not_found", "This destination is gone.");
  }

  #jobsDone(changed: number) {
    this.#emit({ type: "jobs_changed", asset_ids: [] });
    this.#statusChanged();
    return { changed };
  }

  #statusChanged() {
    const status = this.#queue.status(false);
    this.#emit({ type: "status", status });
    return status;
  }

  #emit(event: Event): void {
    // As over a socket: never before the caller has its answer.
    setTimeout(() => this.#listeners.forEach((listener) => listener(event)));
  }
}

function refuseCertificate(host: string): never {
  const message = `${host} shows a certificate that nobody vouches for, so nothing was sent.`;
  throw { domain: "transfer", code: "tls_failed", message, certificate: A_CERTIFICATE } satisfies ApiError;
}

function refuseSecret(who: string, connector: Connector): never {
  const secrets: Partial<Record<Connector, string>> = {
    immich: "API key",
    nextcloud: "app password",
    webdav: "password",
    s3: "secret access key",
  };
  refuse("authentication_required", `${who} did not accept the ${secrets[connector] ?? "token"}.`);
}

function proved(connector: Connector, evidence: Evidence): string {
  switch (evidence) {
    case "accepted":
      return "and the server said yes to it";
    case "sized":
      return "and its size was confirmed";
    case "hashed":
      return `and the server proved it by ${connector === "immich" ? "SHA-1" : connector === "s3" ? "checksum" : "SHA-256"}`;
    case "read_back":
      return "and was read back and compared";
  }
}

function granted(answer: AccessAnswer): Pick<App, "status" | "selected"> {
  switch (answer.access) {
    case "selected":
      return { status: "limited", selected: answer.asset_ids.length };
    case "full":
      return { status: "authorized", selected: 0 };
    case "deny":
      return { status: "denied", selected: 0 };
  }
}

function untilOf(request: PauseRequest): PauseUntil {
  switch (request.kind) {
    case "indefinitely":
      return { kind: "resumed" };
    case "for":
      return { kind: "time", at: Date.now() + request.seconds * 1000 };
    case "until_tomorrow":
      return { kind: "time", at: new Date().setHours(24, 0, 0, 0) };
    case "until_plugged_in":
      return { kind: "plugged_in" };
    case "until_network":
      return { kind: "network", key: request.key, name: request.name };
  }
}

function pathToFileURL(path: string): string {
  return `file://${path.split("/").map(encodeURIComponent).join("/")}`;
}
