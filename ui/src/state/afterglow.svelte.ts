/**
 * All that the windows show, in one place: the status, and a `Live` value per concern.
 *
 * One event stream feeds it. An event changes what it carries and invalidates the rest; what nobody looks at is not asked for.
 */
import { createContext } from "svelte";
import type { Backend, Connection, Unsubscribe } from "../api/backend";
import type {
  Activity,
  App,
  AssetCollection,
  AssetId,
  Destination,
  DestinationId,
  Event,
  JobPage,
  Prompt,
  Rule,
  Settings,
  Source,
  Status,
  UploadRun,
} from "../api/types";
import { Live } from "./live.svelte";
import { Notices } from "./notices.svelte";
import { problem } from "./problem";
import { PANES, Route } from "./route.svelte";

export const [getAfterglow, setAfterglow] = createContext<Afterglow>();

const NO_ACTIVITY: Activity = { recent_bytes_per_s: [], days: [], open_batches: [], finished_batches: [] };
const NO_JOBS: JobPage = {
  jobs: [],
  cursor: null,
  counts: { registered: 0, pending: 0, succeeded: 0, failed: 0, cancelled: 0 },
};

/** Who shows assets, and wants to know when they change. */
export interface AssetViewer {
  /** Badges of these changed; empty: of any. */
  badgesChanged(ids: AssetId[]): void;
  libraryChanged(): void;
}

export class Afterglow {
  readonly notices = new Notices();
  readonly route = new Route();

  connection = $state.raw<Connection>({ connected: true, message: null });
  status = $state.raw<Status | null>(null);

  readonly collections: Live<AssetCollection[]>;
  readonly activity: Live<Activity>;
  readonly history: Live<UploadRun[]>;
  readonly attention: Live<JobPage>;
  readonly apps: Live<App[]>;
  readonly destinations: Live<Destination[]>;
  readonly rules: Live<Rule[]>;
  readonly settings: Live<Settings | null>;
  readonly sources: Live<Source[]>;
  readonly prompts: Live<Prompt[]>;

  readonly #viewers = new Set<AssetViewer>();

  constructor(readonly backend: Backend) {
    this.collections = new Live([], () => backend.collections());
    this.activity = new Live(NO_ACTIVITY, () => backend.activity(), 1_000);
    this.history = new Live([], () => backend.history(), 5_000);
    this.attention = new Live(NO_JOBS, () => backend.jobs({ attention: true, limit: 100 }), 1_000);
    this.apps = new Live([], () => backend.apps());
    this.destinations = new Live([], () => backend.destinations(), 1_000);
    this.rules = new Live([], () => backend.rules());
    this.settings = new Live(null, () => backend.settings());
    this.sources = new Live([], () => backend.sources(), 1_000);
    this.prompts = new Live([], () => backend.prompts());
  }

  /** Subscribes and asks for the status. */
  start(): Unsubscribe {
    const ends = [
      this.backend.onEvent((event) => this.apply(event)),
      this.backend.onConnection((connection) => this.#connected(connection)),
    ];
    void this.connect();
    return () => ends.forEach((end) => end());
  }

  /** Looks for the service, and starts it where the desktop can. */
  async connect(): Promise<void> {
    try {
      this.connection = await this.backend.connection();
      if (this.connection.connected) this.status = await this.backend.status();
    } catch (error) {
      this.connection = { connected: false, message: problem(error).message };
    }
  }

  apply(event: Event): void {
    switch (event.type) {
      case "snapshot":
        this.#everythingChanged();
        this.#take(event.status);
        break;
      case "status":
        this.#take(event.status);
        break;
      case "jobs_changed":
        this.#jobsChanged(event.asset_ids);
        break;
      case "scan":
        if (this.status) this.status = { ...this.status, scan: event.progress.finished ? null : event.progress };
        this.sources.invalidate();
        break;
      case "library_changed":
        this.#libraryChanged();
        break;
      case "destinations_changed":
        this.destinations.invalidate();
        this.rules.invalidate();
        break;
      case "apps_changed":
        this.apps.invalidate();
        break;
      case "prompts":
        this.prompts.set(event.prompts);
        if (this.status) this.status = { ...this.status, prompts: event.prompts };
        break;
      case "settings_changed":
        this.settings.set(event.settings);
        break;
      case "open": {
        const pane = PANES.find((known) => known === event.pane);
        if (pane) this.route.go(pane);
        break;
      }
      case "overflow":
        this.#everythingChanged();
        void this.connect();
        break;
    }
  }

  /** Does something the person asked for; if it fails, says why. Resolves to nothing then. */
  async attempt<T>(work: () => Promise<T>, done?: (result: T) => string): Promise<T | undefined> {
    try {
      const result = await work();
      if (done) this.notices.say(done(result));
      return result;
    } catch (error) {
      this.notices.say(problem(error).message, "error");
      return undefined;
    }
  }

  /** Tells `viewer` of changes until the returned function is called. */
  view(viewer: AssetViewer): Unsubscribe {
    this.#viewers.add(viewer);
    return () => this.#viewers.delete(viewer);
  }

  destination(id: DestinationId): Destination | undefined {
    return this.destinations.value.find((destination) => destination.id === id);
  }

  #take(status: Status): void {
    this.status = status;
    this.prompts.set(status.prompts);
    this.activity.invalidate();
    this.history.invalidate();
  }

  #connected(connection: Connection): void {
    const returned = connection.connected && !this.connection.connected;
    this.connection = connection;
    if (returned) {
      this.#everythingChanged();
      void this.connect();
    }
  }

  #jobsChanged(ids: AssetId[]): void {
    this.activity.invalidate();
    this.history.invalidate();
    this.attention.invalidate();
    this.destinations.invalidate();
    // "Not backed up" grows and shrinks with the jobs.
    this.collections.invalidate();
    for (const viewer of this.#viewers) viewer.badgesChanged(ids);
  }

  #libraryChanged(): void {
    this.collections.invalidate();
    this.sources.invalidate();
    for (const viewer of this.#viewers) viewer.libraryChanged();
  }

  #everythingChanged(): void {
    this.apps.invalidate();
    this.rules.invalidate();
    this.settings.invalidate();
    this.#jobsChanged([]);
    this.#libraryChanged();
  }
}
