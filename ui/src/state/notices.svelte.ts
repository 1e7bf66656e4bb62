/** Short sentences at the foot of the window: what was just done, or why it could not be. */
export interface Notice {
  id: number;
  text: string;
  tone: "done" | "error";
}

/** Long enough to read a sentence twice. */
const SHOWN_MS = 8_000;

export class Notices {
  list = $state.raw<Notice[]>([]);
  #next = 1;

  say(text: string, tone: Notice["tone"] = "done"): void {
    const notice = { id: this.#next++, text, tone };
    this.list = [...this.list.slice(-2), notice];
    setTimeout(() => this.dismiss(notice.id), SHOWN_MS);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }
}
