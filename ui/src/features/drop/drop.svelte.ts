/** What hangs over the drop window, and what became of what was dropped. */
import type { Backend, FileDrag, Unsubscribe } from "../../api/backend";
import type { BatchId, DestinationId, UploadPreview } from "../../api/types";
import { problem, type Problem } from "../../state/problem";

export class Drop {
  phase = $state<"idle" | "over" | "sent">("idle");
  preview = $state.raw<UploadPreview | null>(null);
  error = $state.raw<Problem | null>(null);
  batch_id = $state<BatchId | null>(null);
  destination_id = $state<DestinationId | null>(null);
  #latest = 0;

  constructor(readonly backend: Backend) {}

  /** Where to, unless the person chose already. */
  aim(destination: DestinationId | undefined): void {
    if (destination !== undefined) this.destination_id ??= destination;
  }

  listen(): Unsubscribe {
    return this.backend.onFileDrag((drag) => void this.hear(drag));
  }

  async hear(drag: FileDrag): Promise<void> {
    switch (drag.type) {
      case "enter":
        this.phase = "over";
        await this.#ask(drag.paths, (request) => this.backend.previewUpload(request));
        break;
      case "drop":
        await this.send(drag.paths);
        break;
      case "leave":
        this.#latest += 1;
        this.phase = "idle";
        this.preview = null;
        break;
    }
  }

  async send(paths: string[]): Promise<void> {
    const sent = await this.#ask(paths, (request) => this.backend.upload(request));
    this.phase = sent ? "sent" : "idle";
    this.batch_id = sent?.batch_id ?? null;
  }

  async #ask(
    paths: string[],
    call: (request: { paths: string[]; asset_ids: string[]; destination_id: DestinationId }) => Promise<UploadPreview>,
  ): Promise<UploadPreview | null> {
    const latest = ++this.#latest;
    this.error = null;
    this.preview = null;
    if (this.destination_id === null || paths.length === 0) return null;
    try {
      const answer = await call({ paths, asset_ids: [], destination_id: this.destination_id });
      // A later drag has taken the window.
      if (latest === this.#latest) this.preview = answer;
      return answer;
    } catch (error) {
      if (latest === this.#latest) this.error = problem(error);
      return null;
    }
  }
}
