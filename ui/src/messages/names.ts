/** The model's words in the person's language. */
import type {
  AssetCollection,
  AssetResourceType,
  AuthorizationStatus,
  Connector,
  Destination,
  Evidence,
  KeptReason,
  MediaSubtype,
  NetworkAccess,
  NetworkRule,
  Rate,
  SmartAlbum,
  UploadJob,
  UploadJobOptions,
  Versions,
  Visibility,
} from "../api/types";
import { m } from ".";
import { bytesPerSecond, day, isToday, isolate, list, percent, plain, time } from "./format";

export function smartAlbum(album: SmartAlbum): string {
  switch (album) {
    case "all_photos":
      return m.all_photos();
    case "recents":
      return m.recents();
    case "favourites":
      return m.favourites();
    case "videos":
      return m.videos();
    case "live_photos":
      return m.live_photos();
    case "raw":
      return m.raw();
    case "screenshots":
      return m.screenshots();
    case "panoramas":
      return m.panoramas();
    case "not_backed_up":
      return m.not_backed_up();
  }
}

export function collectionTitle({ smart_album, title }: Pick<AssetCollection, "smart_album" | "title">): string {
  return smart_album === null ? plain(title) : smartAlbum(smart_album);
}

export function mediaSubtype(subtype: MediaSubtype): string {
  switch (subtype) {
    case "panorama":
      return m.panorama();
    case "screenshot":
      return m.screenshot();
    case "live":
      return m.live_photo();
    case "raw":
      return m.raw();
    case "animation":
      return m.animation();
    case "edited":
      return m.edited();
  }
}

export function resourceType(type: AssetResourceType): string {
  switch (type) {
    case "photo":
      return m.resource_photo();
    case "video":
      return m.resource_video();
    case "audio":
      return m.resource_audio();
    case "alternate_photo":
      return m.resource_alternate_photo();
    case "full_size_photo":
    case "full_size_video":
      return m.resource_full_size();
    case "paired_video":
    case "full_size_paired_video":
      return m.resource_paired_video();
    case "adjustment_data":
      return m.resource_adjustment_data();
    case "adjustment_base_photo":
    case "adjustment_base_paired_video":
    case "adjustment_base_video":
      return m.resource_adjustment_base();
    case "photo_proxy":
    case "unknown":
      return m.resource_other();
  }
}

export function access(status: AuthorizationStatus): string {
  switch (status) {
    case "not_determined":
      return m.access_not_determined();
    case "denied":
      return m.access_denied();
    case "limited":
      return m.access_limited();
    case "authorized":
      return m.access_full();
  }
}

/** What a kind of destination is called. */
export function kindName(connector: Connector): string {
  switch (connector) {
    case "archive":
      return m.archive_name();
    case "immich":
      return m.kind_immich();
    case "nextcloud":
      return m.kind_nextcloud();
    case "webdav":
      return m.kind_webdav();
    case "s3":
      return m.kind_s3();
    case "google_photos":
      return m.kind_google();
    case "tus":
      return m.kind_tus();
    case "resumable":
      return m.kind_resumable();
    case "folder":
      return m.kind_folder();
  }
}

/** What it is, and what it can prove. */
export function kindText(connector: Connector): string {
  switch (connector) {
    case "archive":
      return m.archive_text();
    case "immich":
      return m.immich_text();
    case "nextcloud":
      return m.nextcloud_text();
    case "webdav":
      return m.webdav_text();
    case "s3":
      return m.s3_text();
    case "google_photos":
      return m.google_text();
    case "tus":
      return m.tus_text();
    case "resumable":
      return m.resumable_text();
    case "folder":
      return m.folder_text();
  }
}

/** What its credential is called there, and how changing it is said; none where there is nothing to sign in to. */
export function secretName(connector: Connector): { name: string; change: string } | null {
  switch (connector) {
    case "immich":
      return { name: m.api_key(), change: m.change_api_key() };
    case "nextcloud":
      return { name: m.app_password(), change: m.change_app_password() };
    case "webdav":
      return { name: m.password(), change: m.change_password() };
    case "s3":
      return { name: m.secret_key(), change: m.change_secret_key() };
    case "google_photos":
      return { name: m.client_secret(), change: m.change_sign_in() };
    case "tus":
    case "resumable":
      return { name: m.token(), change: m.change_token() };
    case "archive":
    case "folder":
      return null;
  }
}

/** The digest that a kind of server computes; none where it depends on the store. */
function digestOf(connector: Connector): string | null {
  switch (connector) {
    case "immich":
      return "SHA-1";
    case "archive":
    case "resumable":
    case "nextcloud":
    case "folder":
      return "SHA-256";
    case "s3":
    case "webdav":
    case "tus":
    case "google_photos":
      return null;
  }
}

/** What a destination can prove of each delivery; nothing before its first test. */
export function canProve({ connector, capabilities }: Pick<Destination, "connector" | "capabilities">): string {
  if (!capabilities) return "";
  switch (capabilities.evidence) {
    case "accepted":
      return m.proves_accepted();
    case "sized":
      return m.proves_sized();
    case "hashed": {
      if (connector === "nextcloud") return m.proves_small_hashed();
      const digest = digestOf(connector);
      return digest === null ? m.proves_checksum() : m.proves_hashed({ digest });
    }
    case "read_back":
      return m.proves_read_back();
  }
}

/** "verified by SHA-256": what was proved of one delivery, never more. A removed destination's digest is no longer known. */
export function proof(evidence: Evidence, connector: Connector | undefined): string {
  switch (evidence) {
    case "accepted":
      return m.proof_accepted();
    case "sized":
      return m.proof_sized();
    case "hashed": {
      const digest = connector === undefined ? null : digestOf(connector);
      return digest === null ? m.proof_checksum() : m.proof_hashed({ digest });
    }
    case "read_back":
      return m.proof_read_back();
  }
}

export function destinationState({ state, problem, name }: Destination): string {
  if (problem) return problem.message;
  switch (state) {
    case "ready":
      return m.destination_ready();
    case "auth_required":
      return m.destination_auth_required({ name: isolate(name) });
    case "unreachable":
      return m.destination_unreachable({ name: isolate(name) });
    case "quota_exceeded":
      return m.destination_quota_exceeded({ name: isolate(name) });
    case "certificate_changed":
      return m.destination_certificate_changed({ name: isolate(name) });
  }
}

/** Where a job stands, in one sentence. Its destination is undefined if it was removed. */
export function jobSentence(job: UploadJob, destination: Pick<Destination, "name" | "connector"> | undefined): string {
  const name = isolate(destination?.name ?? m.removed_destination());
  switch (job.state) {
    case "succeeded":
      if (job.receipt) {
        const { delivered_at, evidence } = job.receipt;
        return isToday(delivered_at)
          ? m.delivered_at({ name, time: time(delivered_at), proof: proof(evidence, destination?.connector) })
          : m.delivered_on({ name, day: day(delivered_at), proof: proof(evidence, destination?.connector) });
      }
      return m.delivered_to({ name });
    case "failed":
      return job.failure?.message ?? m.job_failed();
    case "cancelled":
      return m.job_cancelled();
    case "registered":
    case "pending":
      return job.waiting[0]?.sentence ?? phaseSentence(job, name);
  }
}

function phaseSentence(job: UploadJob, name: string): string {
  switch (job.phase) {
    case "transferring":
      return m.job_transferring({ name });
    case "verifying":
      return m.job_verifying();
    case "preparing":
    case "checking_server":
      return m.job_preparing();
    case "queued":
    case "waiting":
    case "backing_off":
    case "held":
      return m.job_queued({ name });
  }
}

/** In the order in which they are offered. */
export const VISIBILITIES = ["timeline", "archive", "locked"] as const satisfies Visibility[];

/** Where Immich shows photos. */
export function visibilityName(visibility: Visibility): string {
  switch (visibility) {
    case "timeline":
      return m.visibility_timeline();
    case "archive":
      return m.visibility_archive();
    case "locked":
      return m.visibility_locked();
  }
}

export const VERSIONS = ["both", "originals", "edits"] as const satisfies Versions[];

/** Which versions of edited photos go to a destination. */
export function versionsName(versions: Versions): string {
  switch (versions) {
    case "both":
      return m.versions_both();
    case "originals":
      return m.versions_originals();
    case "edits":
      return m.versions_edits();
  }
}

/** Why photos stay where they are when space is freed, as a part of a sentence. */
export function keptReason(reason: KeptReason): string {
  switch (reason) {
    case "not_delivered":
      return m.kept_not_delivered();
    case "on_this_computer":
      return m.kept_on_this_computer();
    case "wanted":
      return m.kept_wanted();
    case "offline":
      return m.kept_offline();
    case "read_only":
      return m.kept_read_only();
    case "destination_folder":
      return m.kept_destination_folder();
    case "changed":
      return m.kept_changed();
    case "not_held":
      return m.kept_not_held();
    case "cannot_be_asked":
      return m.kept_cannot_be_asked();
    case "unreachable":
      return m.kept_unreachable();
  }
}

/** The time if it was today, else the day. */
export function whenShort(at: number): string {
  return isToday(at) ? time(at) : day(at);
}

/** "always allowed": what holds on a network, as a part of a sentence. */
export function networkAccess(access: NetworkAccess | null): string {
  switch (access) {
    case "allowed":
      return m.network_allowed();
    case "denied":
      return m.network_denied();
    case null:
      return m.network_without_rule();
  }
}

/** "no uploads": how fast uploads may go, as a part of a sentence. */
export function rateInWords(rate: Rate): string {
  switch (rate.kind) {
    case "unlimited":
      return m.hour_unlimited();
    case "limited":
      return m.hour_limited({ speed: bytesPerSecond(rate.bytes_per_s) });
    case "stopped":
      return m.hour_stopped();
  }
}

/** The rules that something has of its own, each in a few words; none if it has none. */
export function ownRules(options: UploadJobOptions, networks: Pick<NetworkRule, "key" | "name">[]): string[] {
  const trusted = networks.filter(({ key }) => options.trusted_networks.includes(key)).map(({ name }) => isolate(name));
  return [
    options.requires_external_power ? m.own_plugged_in() : null,
    options.minimum_battery_percent !== null
      ? m.own_battery({ percent: percent(options.minimum_battery_percent) })
      : null,
    options.prevents_expensive_network_access ? m.own_unmetered() : null,
    options.requires_idle ? m.own_idle() : null,
    trusted.length ? m.own_networks({ names: list(trusted) }) : null,
  ].filter((rule) => rule !== null);
}
