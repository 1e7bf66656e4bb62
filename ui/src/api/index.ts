/** Chooses the backend: the desktop's if the page runs inside Tauri, else the living mock. */
import type { Backend } from "./backend";

export async function chooseBackend(): Promise<Backend> {
  if ("__TAURI_INTERNALS__" in window) return (await import("./tauri")).tauri;
  return (await import("./mock")).createMock(new URLSearchParams(location.search));
}
