/** An archive on this computer: a folder that the service itself receives into. */
import type { AddDestination } from "../../api/types";
import { m } from "../../messages";
import { lastPart } from "../../messages/format";
import { NO_CONFIG } from "../../api/config";

/** Asks for an archive in `folder`, or in the usual place, under a name that is free. */
export function archiveRequest(folder: string | null, taken: string[]): AddDestination {
  return {
    connector: "archive",
    url: folder ?? "",
    name: freeName(folder === null ? m.archive_name() : lastPart(folder), taken),
    config: NO_CONFIG,
    token: null,
    sign_in: null,
    skip_test: false,
  };
}

/** `wanted`, numbered if it is taken. */
export function freeName(wanted: string, taken: string[]): string {
  let name = wanted;
  for (let next = 2; taken.includes(name); next++) name = `${wanted} ${next}`;
  return name;
}
