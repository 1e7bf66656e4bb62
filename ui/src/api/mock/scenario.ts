/** What the mock can play; chosen by `?scenario=`. */
import { NO_CONFIG } from "../config";
import type {
  App,
  Certificate,
  Connector,
  Destination,
  DestinationConfig,
  Evidence,
  NetworkRule,
  Settings,
  Source,
  Timetable,
  UploadJobOptions,
  UploadRun,
} from "../types";

export const SCENARIOS = [
  "uploading",
  "waiting",
  "attention",
  "delivered",
  "kinds",
  "empty",
  "first-run",
  "disconnected",
  "huge",
] as const;
export type Scenario = (typeof SCENARIOS)[number];

const DAY_MS = 86_400_000;

export function assetsIn(scenario: Scenario): number {
  switch (scenario) {
    case "huge":
      return 200_000;
    case "empty":
    case "first-run":
      return 0;
    case "uploading":
    case "waiting":
    case "attention":
    case "delivered":
    case "kinds":
    case "disconnected":
      return 18_204;
  }
}

export const NO_OPTIONS: UploadJobOptions = {
  prevents_expensive_network_access: false,
  requires_external_power: false,
  minimum_battery_percent: null,
  requires_idle: false,
  trusted_networks: [],
};

const NETWORKS: NetworkRule[] = [
  { key: "home", name: "Home", access: "allowed" },
  { key: "studio", name: "Studio 5 GHz", access: "allowed" },
  { key: "station", name: "Station guest", access: "denied" },
];

/** Slow while Ada works, nothing while she is out on Wednesdays. */
function workdays(): Timetable {
  return [0, 1, 2, 3, 4].flatMap((day): Timetable => {
    const at = (hour: number) => (day * 24 + hour) * 60;
    return [
      { minute_of_week: at(9), rate: day === 2 ? { kind: "stopped" } : { kind: "limited", bytes_per_s: 2_000_000 } },
      { minute_of_week: at(18), rate: { kind: "unlimited" } },
    ];
  });
}

export function settingsIn(scenario: Scenario): Settings {
  const settled = scenario !== "first-run" && scenario !== "empty";
  return {
    allow_metered: false,
    battery: "above_minimum",
    battery_minimum_percent: 40,
    allow_power_saver: false,
    allow_vpn: true,
    networks: settled ? NETWORKS : [],
    only_allowed_networks: false,
    timetable: settled ? workdays() : [],
    bytes_per_day_max: settled ? 20_000_000_000 : null,
    only_when_idle: false,
    spare_load: false,
    videos: { ...NO_OPTIONS, requires_external_power: settled },
    user_initiated: "network",
    gather_bytes: 32_000_000,
    gather_minutes: 60,
    stay_awake: false,
    bandwidth_bytes_per_s: null,
    start_at_login: true,
    notifications: true,
    onboarded: scenario !== "first-run",
  };
}

export function sourcesIn(scenario: Scenario, now: number): Source[] {
  if (scenario === "empty" || scenario === "first-run") return [];
  const source = (id: string, path: string, assets: number): Source => ({
    id,
    path,
    online: true,
    assets,
    watched: true,
    watch_problem: null,
    scanned_at: now - 1_200_000,
    unreadable: 0,
  });
  return [
    source("source-1", "/home/ada/Pictures", 9_102),
    { ...source("source-2", "/home/ada/Camera", 9_102), unreadable: 2 },
    {
      ...source("source-3", "/media/ada/Archive drive/Photos", 4_410),
      online: false,
      watched: false,
      watch_problem: "This folder is on a drive that is not connected.",
    },
  ];
}

/** One of a server's own making, out of date as those that nobody looks after are. */
export const A_CERTIFICATE: Certificate = {
  sha256: "5e0b9a3c71d24f8890ab4cde1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c",
  subject: "self-made.home.arpa",
  issuer: "Home CA, Ada",
  valid_from: Date.UTC(2023, 4, 2),
  valid_until: Date.UTC(2025, 4, 2),
};

/** What each kind proves here. */
export function evidenceOf(connector: Connector, config: DestinationConfig): Evidence {
  switch (connector) {
    case "resumable":
    case "archive":
    case "immich":
    case "nextcloud":
    case "s3":
      return "hashed";
    case "webdav":
    case "folder":
      return config.read_back ? "read_back" : "sized";
    case "tus":
      return "sized";
    case "google_photos":
      return "accepted";
  }
}

export function destinationsIn(scenario: Scenario, now: number): Destination[] {
  const destination = (
    id: string,
    name: string,
    url: string,
    delivered: number,
    delivered_bytes: number,
  ): Destination => ({
    id,
    name,
    connector: "resumable",
    url,
    config: NO_CONFIG,
    options: NO_OPTIONS,
    app_id: `app-${id}`,
    state: "ready",
    problem: null,
    capabilities: {
      evidence: "hashed",
      max_size: null,
      max_append_size: null,
      resumable: true,
      server: null,
      probed_at: now - DAY_MS,
    },
    has_credential: true,
    created_at: now - 90 * DAY_MS,
    delivered,
    delivered_bytes,
  });
  // Like a service that has just been installed: there is nowhere to send photos.
  if (scenario === "empty" || scenario === "first-run") return [];
  const archive: Destination = {
    ...destination("archive", "Archive", "file:///home/ada/Afterglow%20Archive", 18_204, 91_000_000_000),
    connector: "archive",
    options: { ...NO_OPTIONS, requires_external_power: true, trusted_networks: ["home"] },
  };
  if (scenario === "kinds") {
    const of = (connector: Connector, known: Destination, config: Partial<DestinationConfig> = {}): Destination => {
      const whole = { ...NO_CONFIG, ...config };
      const capabilities = { ...known.capabilities!, evidence: evidenceOf(connector, whole) };
      // Immich has no way to go on with a cut upload.
      return {
        ...known,
        connector,
        config: whole,
        capabilities: {
          ...capabilities,
          resumable: connector !== "immich",
          server: connector === "immich" ? "Immich 3.2.2" : null,
        },
      };
    };
    return [
      of("immich", destination("home", "Immich at home", "https://photos.home.arpa", 17_852, 86_200_000_000), {
        addresses: ["https://photos.example.com"],
      }),
      {
        ...of("nextcloud", destination("example", "Family cloud", "https://cloud.example.com", 2_041, 9_400_000_000), {
          user: "ada",
          folder: "Photos/Ada",
        }),
        state: "auth_required",
        problem: {
          class: "needs_user",
          code: "authentication_required",
          message: "cloud.example.com did not accept the app password. Sign in again to go on.",
          retry_after_ms: null,
          certificate: null,
        },
      },
      of("webdav", destination("nas", "NAS", "https://nas.home.arpa/dav/", 9_102, 44_000_000_000), {
        user: "ada",
        folder: "Pictures",
        read_back: true,
      }),
      of(
        "s3",
        destination("bucket", "ada-photos", "https://s3.eu-central-1.amazonaws.com/ada-photos", 204, 910_000_000),
        { user: "AKIAEXAMPLE", folder: "afterglow", region: "eu-central-1", path_style: true },
      ),
      {
        ...of("tus", destination("tus", "Studio", "https://studio.home.arpa/files/", 48, 212_000_000), {
          certificate: "ab".repeat(32),
          addresses: ["https://tus.example.com/files/"],
        }),
        state: "certificate_changed",
        problem: {
          class: "needs_user",
          code: "certificate_changed",
          message: "studio.home.arpa shows another certificate than the one you trust, so nothing was sent.",
          retry_after_ms: null,
          certificate: A_CERTIFICATE,
        },
      },
      of("folder", destination("drive", "Drive", "file:///media/ada/Drive/Photos", 4_410, 21_000_000_000)),
      archive,
    ];
  }
  return [
    destination("home", "Home server", "https://photos.home.arpa/uploads", 17_852, 86_200_000_000),
    scenario === "attention"
      ? {
          ...destination("example", "photos.example.com", "https://photos.example.com/files/", 2_041, 9_400_000_000),
          state: "auth_required",
          problem: {
            class: "needs_user",
            code: "authentication_required",
            message: "photos.example.com did not accept the password. Sign in again to go on.",
            retry_after_ms: null,
            certificate: null,
          },
        }
      : destination("example", "photos.example.com", "https://photos.example.com/files/", 2_041, 9_400_000_000),
    archive,
  ];
}

export function appsIn(scenario: Scenario, now: number): App[] {
  const connectors = destinationsIn(scenario, now).map((destination): App => ({
    id: destination.app_id,
    name: destination.name,
    kind: "connector",
    executable: null,
    status: "authorized",
    selected: 0,
    url_bases: [destination.url],
    destination_id: destination.id,
    bytes_sent: destination.delivered_bytes,
    created_at: destination.created_at,
    last_used_at: destination.delivered ? now - 600_000 : null,
  }));
  if (scenario === "empty" || scenario === "first-run") return connectors;
  const external = (id: string, name: string, executable: string, base: string): App => ({
    id,
    name,
    kind: "external",
    executable,
    status: "limited",
    selected: 14,
    url_bases: [base],
    destination_id: null,
    bytes_sent: 1_200_000_000,
    created_at: now - 40 * DAY_MS,
    last_used_at: now - 3_600_000,
  });
  return [
    external("app-reel", "Reel Editor", "/usr/bin/reel-editor", "https://upload.example.com/"),
    ...connectors,
    {
      ...external("app-poster", "poster.py", "/home/ada/bin/poster.py", "https://social.example.net/media/"),
      status: "denied",
      selected: 0,
      bytes_sent: 0,
      created_at: now - 21 * DAY_MS,
      last_used_at: null,
    },
  ];
}

/** What the service remembers of the last days. */
export function historyIn(scenario: Scenario, now: number): UploadRun[] {
  if (scenario === "empty" || scenario === "first-run") return [];
  const MINUTE_MS = 60_000;
  const ended = (ago_minutes: number, minutes: number, files: number, bytes: number): UploadRun => ({
    started_at: now - (ago_minutes + minutes) * MINUTE_MS,
    ended_at: now - ago_minutes * MINUTE_MS,
    files,
    bytes,
    failures: 0,
    stopped_by: null,
    sentence: "Everything was delivered.",
  });
  const running: UploadRun = {
    ...ended(0, 4, 127, 588_000_000),
    ended_at: null,
    sentence: "It goes on.",
  };
  return [
    ...(scenario === "uploading" ? [running] : []),
    {
      ...ended(25, 17, 148, 652_000_000),
      stopped_by: "expensive_network",
      sentence: "It stopped when the computer moved to Pixel hotspot, which is metered.",
    },
    ended(190, 6, 48, 212_000_000),
    { ...ended(1_500, 74, 1_204, 5_300_000_000), failures: 2 },
    {
      ...ended(2_900, 31, 402, 1_900_000_000),
      stopped_by: "outside_window",
      sentence: "It stopped at 09:00, when the timetable allows no uploads.",
    },
    {
      ...ended(4_400, 9, 61, 274_000_000),
      stopped_by: "battery_low",
      failures: 1,
      sentence: "It stopped when the battery fell under 40 %.",
    },
  ];
}
