/** The mock's queue: jobs that move, wait, fail and arrive, and the sentence that says so. */
import type {
  Activity,
  AssetId,
  Batch,
  Conditions,
  Failure,
  JobBadge,
  JobCounts,
  Override,
  Pause,
  Prompt,
  ServiceState,
  Status,
  StatusAction,
  UploadJob,
  Waiting,
  WaitingGroup,
  WaitingReason,
} from "../types";
import type { Jobs } from "../backend";
import type { Photos } from "./photos";
import { random } from "./pictures";
import type { Scenario } from "./scenario";

/** Bytes that move in one step of the mock's clock. */
const STEP_BYTES = 2_050_000;
const AT_ONCE = 4;
const MINUTE_MS = 60_000;

const METERED = "Waiting: Pixel hotspot is metered. Uploads continue on an unmetered one.";
const PLUG_IN = "Waiting: the battery is at 34 %. Uploads continue above 40 % or when plugged in.";
const GATHERING = "Gathering, to go together and spare the battery: in 38 minutes at the latest, or when plugged in.";

/** What the person's own rules forbid. */
const OVERRIDABLE = new Set<WaitingReason>(["expensive_network", "battery_low", "gathering"]);

export class Queue {
  readonly jobs: UploadJob[] = [];
  readonly batches: Batch[] = [];
  readonly overrides: Override[] = [];
  pause: Pause | null = null;
  prompts: Prompt[] = [];
  #made = 0;

  constructor(
    readonly scenario: Scenario,
    readonly photos: Photos,
    readonly now: number,
  ) {
    if (photos.total === 0) return;
    this.#finished("148 photos to Home server", "home", 148, 652_000_000, 42 * MINUTE_MS);
    this.#finished("Lisbon, May to photos.example.com", "example", 48, 212_000_000, 190 * MINUTE_MS);
    this.#finished("61 photos to Archive", "archive", 61, 274_000_000, 300 * MINUTE_MS);
    if (scenario === "delivered" || scenario === "kinds" || scenario === "disconnected") return;
    this.#reel();
    this.#backup();
    if (scenario === "waiting") {
      this.#videos();
      this.#gathered();
    }
    if (scenario === "attention") this.#refused();
  }

  /** Lets time pass; returns the assets whose badge changed. */
  step(): AssetId[] {
    const changed: AssetId[] = [];
    if (this.pause) return changed;
    const open = this.jobs.filter(
      (job) => !job.waiting.length && (job.state === "pending" || job.state === "registered"),
    );
    for (const job of open.slice(0, AT_ONCE)) {
      if (job.asset_id) changed.push(job.asset_id);
      job.state = "pending";
      job.phase = "transferring";
      job.attempts = 1;
      job.bytes_sent = Math.min(job.byte_count, job.bytes_sent + STEP_BYTES / AT_ONCE);
      if (job.bytes_sent === job.byte_count) this.#deliver(job, Date.now());
    }
    return changed;
  }

  query({ state, attention, batch_id, destination_id, app_id, asset_id, cursor, limit }: Jobs): {
    jobs: UploadJob[];
    cursor: string | null;
  } {
    const wanted = this.jobs.filter(
      (job) =>
        (!state || job.state === state) &&
        (!attention || this.#needsPerson(job)) &&
        (!batch_id || job.batch_id === batch_id) &&
        (!destination_id || job.destination_id === destination_id) &&
        (!app_id || job.app_id === app_id) &&
        (!asset_id || job.asset_id === asset_id),
    );
    const from = Number(cursor ?? 0);
    const to = from + (limit ?? 100);
    return { jobs: wanted.slice(from, to), cursor: to < wanted.length ? String(to) : null };
  }

  badge(id: AssetId): JobBadge | null {
    let badge: JobBadge | null = null;
    for (const job of this.#of(id)) {
      if (this.#needsPerson(job)) return "attention";
      if (job.state === "pending" && !job.waiting.length) badge = "uploading";
      else if (job.state !== "succeeded" && job.state !== "cancelled") badge ??= "waiting";
    }
    if (badge) return badge;
    const at = this.photos.position(id);
    return at % 23 === 19 && at > 400 ? null : "delivered";
  }

  /** The jobs of an asset; one long delivered is told as such. */
  jobsOf(at: number): UploadJob[] {
    const id = `asset-${at}`;
    const known = this.#of(id);
    if (known.length || this.badge(id) === null) return known;
    const job = this.#job(at, "home", "batch-old", "registered");
    this.#deliver(job, this.now - (at + 2) * MINUTE_MS * 20);
    return [job];
  }

  add(positions: number[], destination: string, title: string): Batch {
    const batch = this.#batch(title, destination, "user_initiated");
    for (const at of positions) this.jobs.unshift(this.#job(at, destination, batch.id, "registered"));
    batch.key_asset = positions.length ? `asset-${positions[0]}` : null;
    return batch;
  }

  /** Upload anyway: what a rule held goes. */
  lift(wanted: (job: UploadJob) => boolean): void {
    for (const job of this.jobs)
      if (job.waiting.some(({ reason }) => OVERRIDABLE.has(reason)) && wanted(job)) this.#release(job);
  }

  retry(ids: string[]): number {
    const failed = this.jobs.filter((job) => this.#needsPerson(job) && (ids.length === 0 || ids.includes(job.id)));
    for (const job of failed) this.#release(job);
    return failed.length;
  }

  cancel(ids: string[]): number {
    const open = this.jobs.filter((job) => job.state !== "succeeded" && (ids.length === 0 || ids.includes(job.id)));
    for (const job of open) Object.assign(job, { state: "cancelled", waiting: [], finished_at: Date.now() });
    return open.length;
  }

  signedIn(destination: string): void {
    for (const job of this.jobs) if (job.destination_id === destination && this.#needsPerson(job)) this.#release(job);
  }

  activity(): Activity {
    const next = random(3);
    const moving = this.#moves();
    const recent = Array.from({ length: 60 }, (_, step) => {
      const wave = 6 + 2.6 * Math.sin(step / 5) + 1.4 * Math.sin(step / 2.3) + next();
      return moving || step < 44 ? Math.max(0, wave) * 1e6 : 0;
    });
    const days = Array.from({ length: 30 }, (_, step) => ({
      day: new Date(this.now - (29 - step) * 86_400_000).toISOString().slice(0, 10),
      bytes: Math.floor((step % 7 === 3 ? 0.05 : next()) * 4.2e9),
    }));
    const batches = this.batches.map((batch) => this.#counted(batch));
    return {
      recent_bytes_per_s: this.photos.total ? recent : recent.map(() => 0),
      days: this.photos.total ? days : days.map(({ day }) => ({ day, bytes: 0 })),
      open_batches: batches.filter(({ finished_at }) => finished_at === null),
      finished_batches: batches
        .filter(({ finished_at }) => finished_at !== null)
        .toSorted((a, b) => b.finished_at! - a.finished_at!),
    };
  }

  counts(): JobCounts {
    return count(this.jobs);
  }

  status(scanning: boolean): Status {
    const jobs = count(this.jobs);
    const run = this.jobs.filter(({ batch_id }) => !batch_id.startsWith("done"));
    const attention = this.jobs.filter((job) => this.#needsPerson(job));
    const waiting = this.#groups();
    const { state, sentence, detail, action } = this.#say(run, attention.length, waiting);
    const sum = (value: (job: UploadJob) => number) => run.reduce((total, job) => total + value(job), 0);
    return {
      state,
      looking: false,
      sentence,
      detail,
      action,
      jobs,
      run: {
        done: run.filter((job) => job.state === "succeeded").length,
        total: run.length,
        bytes_done: sum((job) => job.bytes_sent),
        bytes_total: sum((job) => job.byte_count),
        remaining_s: state === "uploading" ? 240 : null,
      },
      attention: attention.length,
      attention_destinations: [
        ...new Set(attention.filter((job) => job.waiting.length).map((job) => job.destination_id)),
      ],
      waiting,
      conditions: this.#conditions(),
      bytes_per_s: state === "uploading" ? 8_200_000 : 0,
      scan: scanning ? { source_id: "source-1", found: 2_400, indexed: 1_100, counted: true, finished: false } : null,
      pause: this.pause,
      overrides: this.overrides,
      prompts: this.prompts,
      version: "0.1.0",
      pid: 4711,
    };
  }

  #say(
    run: UploadJob[],
    attention: number,
    waiting: WaitingGroup[],
  ): { state: ServiceState; sentence: string; detail: string | null; action: StatusAction | null } {
    const left = run.filter((job) => job.state === "pending" || job.state === "registered").length;
    if (this.pause)
      return {
        state: "paused",
        sentence: pausedSentence(this.pause),
        detail: `${left} photos wait. Nothing is lost.`,
        action: "resume",
      };
    if (this.#moves()) {
      if (this.scenario === "waiting" && waiting.length && !this.overrides.length)
        return {
          state: "waiting",
          sentence: "Waiting for an unmetered network",
          detail: "Pixel hotspot is metered. 214 photos (1.9 GB) go on by themselves on Home or any unmetered network.",
          action: "upload_anyway",
        };
      const done = run.filter((job) => job.state === "succeeded").length;
      return {
        state: "uploading",
        sentence: `Uploading ${done + 1} of ${run.length} to Home server`,
        detail: "8.2 MB/s · about 4 minutes · plugged in, on Home",
        action: "pause",
      };
    }
    if (attention > 0)
      return {
        state: "attention",
        sentence: `${attention} photos need your attention`,
        detail: "Nothing is lost. The rest is delivered.",
        action: "show",
      };
    if (waiting.length)
      return {
        state: "waiting",
        sentence: "Waiting for an unmetered network",
        detail: waiting[0]!.sentence,
        action: "upload_anyway",
      };
    return this.photos.total
      ? {
          state: "idle",
          sentence: "Everything is delivered",
          detail: "18,204 photos, each verified where it can be.",
          action: null,
        }
      : { state: "idle", sentence: "There are no photos yet", detail: "Add a folder under Settings.", action: null };
  }

  #groups(): WaitingGroup[] {
    const groups = new Map<string, WaitingGroup>();
    for (const job of this.jobs) {
      const [first] =
        this.pause && job.state !== "succeeded" && job.state !== "cancelled" && job.state !== "failed"
          ? [this.#wait("paused_by_user", pausedSentence(this.pause))]
          : job.waiting;
      if (!first) continue;
      const key = `${first.reason} ${job.destination_id}`;
      const group = groups.get(key) ?? {
        ...first,
        destination_id: job.destination_id,
        jobs: 0,
        bytes: 0,
        can_override: first.reason !== "auth_required",
      };
      groups.set(key, { ...group, jobs: group.jobs + 1, bytes: group.bytes + job.byte_count });
    }
    return [...groups.values()];
  }

  #conditions(): Conditions {
    const metered = this.scenario === "waiting";
    return {
      power: { source: metered ? "battery" : "ac", level_percent: metered ? 34 : 81, power_saver: false },
      network: {
        reachability: "full",
        metered: metered ? "yes" : "no",
        kind: "wifi",
        name: metered ? "Pixel hotspot" : "Home",
        key: metered ? "hotspot" : "home",
      },
      session: { suspending: false, ending: false, idle: false, locked: false },
      resources: { load_percent: 12, state_free_bytes: 48_000_000_000 },
    };
  }

  #moves(): boolean {
    return (
      !this.pause &&
      this.jobs.some((job) => !job.waiting.length && (job.state === "pending" || job.state === "registered"))
    );
  }

  #needsPerson(job: UploadJob): boolean {
    return job.state === "failed" || job.waiting.some(({ reason }) => reason === "auth_required");
  }

  #of(id: AssetId): UploadJob[] {
    return this.jobs.filter((job) => job.asset_id === id);
  }

  #release(job: UploadJob): void {
    Object.assign(job, { state: "registered", phase: "queued", waiting: [], failure: null, finished_at: null });
  }

  #deliver(job: UploadJob, at: number): void {
    Object.assign(job, {
      state: "succeeded",
      bytes_sent: job.byte_count,
      finished_at: at,
      receipt: {
        job_id: job.id,
        destination_id: job.destination_id,
        sha256: "9f2c".repeat(16),
        byte_count: job.byte_count,
        remote_id: `/objects/${job.id}`,
        evidence: "hashed",
        delivered_at: at,
      },
    });
  }

  #job(at: number, destination_id: string, batch_id: string, state: UploadJob["state"]): UploadJob {
    const asset = this.photos.asset(at);
    return {
      id: `job-${++this.#made}`,
      batch_id,
      app_id: `app-${destination_id}`,
      destination_id,
      asset_id: asset.id,
      resource_id: `${asset.id}-photo`,
      resource_type: asset.media_type === "video" ? "video" : "photo",
      filename: asset.filename,
      byte_count: asset.byte_count,
      state,
      phase: "queued",
      priority: "backup",
      waiting: [],
      attempts: 0,
      bytes_sent: 0,
      next_attempt_at: null,
      failure: null,
      receipt: null,
      acknowledged: false,
      client_reference: null,
      after: null,
      response: null,
      created_at: this.now - 12 * MINUTE_MS,
      finished_at: null,
    };
  }

  #batch(title: string, destination_id: string, priority: Batch["priority"], id?: string): Batch {
    const batch: Batch = {
      id: id ?? `batch-${this.batches.length + 1}`,
      title,
      app_id: `app-${destination_id}`,
      destination_id,
      priority,
      jobs: count([]),
      bytes_total: 0,
      bytes_sent: 0,
      key_asset: null,
      created_at: this.now - 12 * MINUTE_MS,
      finished_at: null,
    };
    this.batches.push(batch);
    return batch;
  }

  #counted(batch: Batch): Batch {
    if (batch.finished_at !== null) return batch;
    const jobs = this.jobs.filter((job) => job.batch_id === batch.id);
    const counts = count(jobs);
    const ended = jobs.length > 0 && counts.registered + counts.pending === 0;
    if (ended) batch.finished_at = Date.now();
    return {
      ...batch,
      jobs: counts,
      bytes_total: jobs.reduce((sum, job) => sum + job.byte_count, 0),
      bytes_sent: jobs.reduce((sum, job) => sum + job.bytes_sent, 0),
    };
  }

  #finished(title: string, destination: string, photos: number, bytes: number, ago_ms: number): void {
    const batch = this.#batch(title, destination, "backup", `done-${destination}`);
    const first = destination === "home" ? 500 : destination === "example" ? 700 : 900;
    for (let at = first; at < first + photos; at++) {
      const job = this.#job(at, destination, batch.id, "registered");
      this.#deliver(job, this.now - ago_ms - (at - first) * 900);
      this.jobs.push(job);
    }
    Object.assign(batch, {
      jobs: { ...count([]), succeeded: photos },
      bytes_total: bytes,
      bytes_sent: bytes,
      key_asset: `asset-${first}`,
      finished_at: this.now - ago_ms,
    });
  }

  #reel(): void {
    const batch = this.#batch("Reel for the weekend", "example", "user_initiated");
    const job = this.#job(11, "example", batch.id, "pending");
    Object.assign(batch, { app_id: "app-reel", key_asset: "asset-11" });
    Object.assign(job, {
      app_id: "app-reel",
      priority: "user_initiated",
      byte_count: 188_000_000,
      bytes_sent: 117_000_000,
      phase: "transferring",
    });
    this.jobs.unshift(job);
  }

  #backup(): void {
    const metered = this.scenario === "waiting";
    const batch = this.#batch(metered ? "198 photos to Home server" : "340 photos to Home server", "home", "backup");
    batch.key_asset = "asset-3";
    const total = metered ? 198 : 340;
    for (let step = 0; step < total; step++) {
      const at = step < 2 ? step + 3 : step < 129 ? step + 1_000 : ([9, 33, 34, 35, 36, 37][step - 129] ?? step - 80);
      const job = this.#job(at, "home", batch.id, "registered");
      if (metered) Object.assign(job, { phase: "waiting", waiting: [this.#wait("expensive_network", METERED)] });
      else if (step >= 2 && step < 129) this.#deliver(job, this.now - step * 1_000);
      else if (step < 2)
        Object.assign(job, { state: "pending", phase: "transferring", bytes_sent: job.byte_count / 3 });
      this.jobs.push(job);
    }
    if (!metered)
      this.#fail(22, {
        class: "permanent",
        code: "payload_too_large",
        message: "Home server takes files of up to 100 MB. This one is larger.",
        retry_after_ms: null,
        certificate: null,
      });
  }

  #videos(): void {
    const batch = this.#batch("16 videos to photos.example.com", "example", "backup");
    for (let step = 0; step < 16; step++) {
      const job = this.#job(41 + step * 30, "example", batch.id, "registered");
      Object.assign(job, { phase: "waiting", waiting: [this.#wait("battery_low", PLUG_IN)] });
      this.jobs.push(job);
    }
  }

  #gathered(): void {
    const batch = this.#batch("5 photos to Archive", "archive", "backup");
    for (let step = 0; step < 5; step++) {
      const job = this.#job(50 + step, "archive", batch.id, "registered");
      Object.assign(job, { phase: "waiting", waiting: [this.#wait("gathering", GATHERING)] });
      this.jobs.push(job);
    }
  }

  #refused(): void {
    // Only what needs the person is left.
    for (const job of this.jobs)
      if (job.state === "registered" || job.state === "pending") this.#deliver(job, this.now - MINUTE_MS);
    const batch = this.#batch("12 photos to photos.example.com", "example", "backup");
    batch.key_asset = "asset-14";
    for (let step = 0; step < 12; step++) {
      const job = this.#job(14 + step, "example", batch.id, "registered");
      const sentence = "photos.example.com did not accept the password. Sign in again to go on.";
      Object.assign(job, { phase: "held", waiting: [this.#wait("auth_required", sentence)] });
      this.jobs.push(job);
    }
    this.#fail(27, {
      class: "permanent",
      code: "source_vanished",
      message: "The file is gone from its folder. Put it back, then retry, or skip it.",
      retry_after_ms: null,
      certificate: null,
    });
  }

  #fail(at: number, failure: Failure): void {
    const job = this.#job(at, "home", this.batches.at(-1)!.id, "failed");
    Object.assign(job, { failure, attempts: 3, finished_at: this.now - 4 * MINUTE_MS });
    this.jobs.push(job);
  }

  #wait(reason: Waiting["reason"], sentence: string): Waiting {
    return { reason, since: this.now - 12 * MINUTE_MS, until: null, sentence };
  }
}

function count(jobs: UploadJob[]): JobCounts {
  const counts: JobCounts = { registered: 0, pending: 0, succeeded: 0, failed: 0, cancelled: 0 };
  for (const { state } of jobs) counts[state] += 1;
  return counts;
}

function pausedSentence({ until }: Pause): string {
  switch (until.kind) {
    case "resumed":
      return "Paused. Uploads continue when you resume.";
    case "time":
      return "Paused. Uploads continue by themselves.";
    case "plugged_in":
      return "Paused. Uploads continue when plugged in.";
    case "network":
      return `Paused. Uploads continue on ${until.name}.`;
  }
}
