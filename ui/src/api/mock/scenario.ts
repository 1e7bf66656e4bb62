/** What the mock can play; chosen by `?scenario=`. */
import type { App, Destination, Settings, Source } from "../types";

export const SCENARIOS = [
  "uploading",
  "waiting",
  "attention",
  "delivered",
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
    case "disconnected":
      return 18_204;
  }
}

export function settingsIn(scenario: Scenario): Settings {
  return {
    allow_metered: false,
    battery: "above_minimum",
    battery_minimum_percent: 40,
    allow_power_saver: false,
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
    app_id: `app-${id}`,
    state: "ready",
    problem: null,
    capabilities: {
      evidence: "hashed",
      max_size: null,
      max_append_size: null,
      resumable: true,
      probed_at: now - DAY_MS,
    },
    created_at: now - 90 * DAY_MS,
    delivered,
    delivered_bytes,
  });
  const archive = destination("archive", "Archive on this computer", "http://127.0.0.1:7410/uploads", 0, 0);
  if (scenario === "empty" || scenario === "first-run") return [archive];
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
          },
        }
      : destination("example", "photos.example.com", "https://photos.example.com/files/", 2_041, 9_400_000_000),
    { ...archive, delivered: 18_204, delivered_bytes: 91_000_000_000 },
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
