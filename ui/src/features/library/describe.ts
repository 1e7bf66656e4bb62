/** A tile in words, for who does not see it. */
import type { AssetTile, JobBadge } from "../../api/types";
import { m } from "../../messages";
import { clock, dateTime, plain } from "../../messages/format";
import { mediaSubtype } from "../../messages/names";

function badge(of: JobBadge): string {
  switch (of) {
    case "delivered":
      return m.badge_delivered();
    case "uploading":
      return m.badge_uploading();
    case "waiting":
      return m.badge_waiting();
    case "attention":
      return m.badge_attention();
  }
}

export function describeTile(tile: AssetTile): string {
  return [
    plain(tile.filename),
    dateTime(tile.creation_date),
    tile.media_type === "video" && tile.duration_ms !== null ? m.video_of({ length: clock(tile.duration_ms) }) : null,
    ...tile.media_subtypes.map(mediaSubtype),
    tile.is_favorite ? m.favourite() : null,
    tile.badge === null ? null : badge(tile.badge),
  ]
    .filter((part) => part !== null)
    .join(", ");
}
