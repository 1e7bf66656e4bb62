/**
 * The product's backend: every verb is one call of the desktop's `call` command, which forwards it to the service's socket.
 * The only file that knows Tauri.
 */
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { getCurrentWebview } from "@tauri-apps/api/webview";
import { getCurrentWindow } from "@tauri-apps/api/window";
import type { Backend, Connection, Unsubscribe } from "./backend";
import type { Event } from "./types";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
  return invoke<T>("call", { method, path: `/v1/${path}`, body: body ?? null });
}

function query(fields: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

const id = encodeURIComponent;

/** Tauri subscribes asynchronously; an early end is kept until there is something to end. */
function subscription(started: Promise<Unsubscribe>): Unsubscribe {
  return () => void started.then((end) => end());
}

export const tauri: Backend = {
  connection: () => invoke<Connection>("connection"),
  onEvent: (listener) => subscription(listen<Event>("afterglow", ({ payload }) => listener(payload))),
  onConnection: (listener) =>
    subscription(listen<Connection>("afterglow-connection", ({ payload }) => listener(payload))),

  status: () => call("GET", "status"),
  activity: () => call("GET", "activity"),
  history: () => call("GET", "history"),
  pause: (request) => call("POST", "pause", request),
  resume: () => call("POST", "resume"),
  uploadAnyway: (scope) => call("POST", "now", { scope }),

  collections: () => call("GET", "collections"),
  createAlbum: (title) => call("POST", "collections", { title }),
  renameAlbum: (collection, title) => call("PATCH", `collections/${id(collection)}`, { title }),
  deleteAlbum: (collection) => call("DELETE", `collections/${id(collection)}`),
  editAlbum: (collection, edit) => call("POST", `collections/${id(collection)}/assets`, edit),
  months: (collection) => call("GET", `collections/${id(collection)}/months`),
  assets: (collection, offset, limit) =>
    call("GET", `collections/${id(collection)}/assets?${query({ offset, limit })}`),
  asset: (asset) => call("GET", `assets/${id(asset)}`),
  setFavorite: (asset_ids, is_favorite) => call("POST", "favourites", { asset_ids, is_favorite }),
  thumbnailUrl: (asset, size) => `thumb://localhost/${id(asset)}?size=${size}`,

  jobs: (narrowed) => call("GET", `jobs?${query(narrowed)}`),
  retry: (job_ids) => call("POST", "jobs/retry", { job_ids }),
  cancel: (job_ids) => call("POST", "jobs/cancel", { job_ids }),
  previewUpload: (upload) => call("POST", "uploads/preview", upload),
  upload: (upload) => call("POST", "uploads", upload),

  apps: () => call("GET", "apps"),
  setAccess: (app, answer) => call("PUT", `apps/${id(app)}/access`, { answer }),
  appSelection: (app) => call("GET", `apps/${id(app)}/selection`),
  appLog: (app) => call("GET", `apps/${id(app)}/log`),
  prompts: () => call("GET", "prompts"),
  answerPrompt: (prompt, answer) => call("POST", `prompts/${id(prompt)}`, { answer }),

  destinations: () => call("GET", "destinations"),
  addDestination: (request) => call("POST", "destinations", request),
  receivers: () => call("GET", "receivers"),
  pairReceiver: (request) => call("POST", "receivers", request),
  testDestination: (destination) => call("POST", `destinations/${id(destination)}/test`),
  signIn: (destination, credential) => call("PUT", `destinations/${id(destination)}/credential`, credential),
  setDestinationConfig: (destination, config) =>
    call("PUT", `destinations/${id(destination)}/config`, { config, skip_test: false }),
  addresses: (destination) => call("GET", `destinations/${id(destination)}/addresses`),
  setAddresses: (destination, addresses, cleartext) =>
    call("PUT", `destinations/${id(destination)}/addresses`, { addresses, cleartext }),
  beginSignIn: (request) => call("POST", "sign-ins", request),
  signInState: (sign_in) => call("GET", `sign-ins/${id(sign_in)}`),
  cancelSignIn: (sign_in) => call("DELETE", `sign-ins/${id(sign_in)}`),
  setDestinationOptions: (destination, options) => call("PUT", `destinations/${id(destination)}/options`, options),
  removeDestination: (destination) => call("DELETE", `destinations/${id(destination)}`),
  beginSpaceCheck: (request) => call("POST", "space-checks", request),
  spaceCheck: (check) => call("GET", `space-checks/${id(check)}`),
  forgetSpaceCheck: (check) => call("DELETE", `space-checks/${id(check)}`),
  moveToTrash: (check, asset_ids) => call("POST", `space-checks/${id(check)}/trash`, { asset_ids }),
  rules: () => call("GET", "rules"),
  addRule: (collection_id, destination_id) => call("POST", "rules", { collection_id, destination_id }),
  removeRule: (rule) => call("DELETE", `rules/${id(rule)}`),

  settings: () => call("GET", "settings"),
  saveSettings: (settings) => call("PUT", "settings", settings),
  sources: () => call("GET", "sources"),
  suggestedSources: () => call("GET", "suggested-sources"),
  addSource: (path) => call("POST", "sources", { path }),
  removeSource: (source) => call("DELETE", `sources/${id(source)}`),
  scan: () => call("POST", "sources/scan"),

  pickFolder: () => invoke("pick_folder"),
  pickFiles: () => invoke("pick_files"),
  openPage: (url) => invoke("open_page", { url }),
  reveal: (path) => invoke("reveal", { path }),
  showWindow: (label) => invoke("show_window", { label }),
  closeWindow: () => getCurrentWindow().close(),
  onFileDrag: (listener) =>
    subscription(
      getCurrentWebview().onDragDropEvent(({ payload }) => {
        if (payload.type === "enter" || payload.type === "drop") listener({ type: payload.type, paths: payload.paths });
        else if (payload.type === "leave") listener({ type: "leave" });
      }),
    ),
};
