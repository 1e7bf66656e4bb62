/** Times in which uploads went on, as the history shows them. */
import type { Timestamp, UploadRun } from "../../api/types";

export interface DayOfRuns {
  /** When the day's newest run began. */
  at: Timestamp;
  runs: UploadRun[];
}

/** Runs by the local day they began on, in the order they came in. */
export function byDay(runs: UploadRun[]): DayOfRuns[] {
  const days: DayOfRuns[] = [];
  for (const run of runs) {
    const last = days.at(-1);
    if (last && new Date(last.at).toDateString() === new Date(run.started_at).toDateString()) last.runs.push(run);
    else days.push({ at: run.started_at, runs: [run] });
  }
  return days;
}
