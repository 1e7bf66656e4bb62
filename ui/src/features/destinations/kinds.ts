/** The kinds of places that have to be described before photos can go there: what each asks for, and what is made of the answers. */
import Cloud from "@lucide/svelte/icons/cloud";
import CloudUpload from "@lucide/svelte/icons/cloud-upload";
import Database from "@lucide/svelte/icons/database";
import FolderOpen from "@lucide/svelte/icons/folder-open";
import HardDrive from "@lucide/svelte/icons/hard-drive";
import ImageUp from "@lucide/svelte/icons/image-up";
import Images from "@lucide/svelte/icons/images";
import MonitorUp from "@lucide/svelte/icons/monitor-up";
import Server from "@lucide/svelte/icons/server";
import type { AddDestination, BeginSignIn, Connector, Layout, SignInId, Versions, Visibility } from "../../api/types";
import type { Icon } from "../../components/icon";
import { lastPart } from "../../messages/format";
import { kindName } from "../../messages/names";

/** Every kind but the archive, which needs no answer. */
export type DescribedKind = Exclude<Connector, "archive">;

/** In the order in which they are offered. */
export const DESCRIBED_KINDS = [
  "immich",
  "nextcloud",
  "google_photos",
  "webdav",
  "s3",
  "folder",
  "resumable",
  "tus",
] as const satisfies DescribedKind[];

type Asked = "never" | "optional" | "required";

/** What a kind asks for. */
export interface Asks {
  /** An example of its address; for a folder, of its path. None where it has only one. */
  example: string | null;
  user: Asked;
  secret: Asked;
  /** A folder there, or the prefix of a bucket's keys. */
  folder: boolean;
  /** Where a bucket is, and how it is spoken to. */
  bucket: boolean;
  /** Whether it is signed in to in the browser: as well as with a secret, or in no other way. */
  browser: "never" | "also" | "only";
  /** Whether each delivery can be read back. */
  read_back: boolean;
  /** Whether it has albums that those of the library can be made in. */
  albums: boolean;
  /** Whether it shows photos in other places than among all of them. */
  visibility: boolean;
}

const NOTHING = {
  user: "never",
  secret: "never",
  folder: false,
  bucket: false,
  browser: "never",
  read_back: false,
  albums: false,
  visibility: false,
} as const;

export const ASKS: Record<DescribedKind, Asks> = {
  immich: { ...NOTHING, example: "https://photos.example.com", secret: "required", albums: true, visibility: true },
  nextcloud: {
    ...NOTHING,
    example: "https://cloud.example.com",
    user: "required",
    secret: "required",
    folder: true,
    browser: "also",
  },
  google_photos: { ...NOTHING, example: null, user: "required", secret: "required", folder: true, browser: "only" },
  webdav: {
    ...NOTHING,
    example: "https://nas.example.com/dav/",
    user: "optional",
    secret: "optional",
    folder: true,
    read_back: true,
  },
  s3: {
    ...NOTHING,
    example: "https://s3.eu-central-1.amazonaws.com/my-photos",
    user: "required",
    secret: "required",
    folder: true,
    bucket: true,
    read_back: true,
  },
  folder: { ...NOTHING, example: "/media/ada/Drive/Photos", read_back: true },
  resumable: { ...NOTHING, example: "https://photos.example.com/uploads", secret: "optional" },
  tus: { ...NOTHING, example: "https://tus.example.com/files/", secret: "optional" },
};

export const KIND_ICONS: Record<Connector, Icon> = {
  archive: HardDrive,
  immich: Images,
  nextcloud: Cloud,
  webdav: Server,
  s3: Database,
  google_photos: ImageUp,
  folder: FolderOpen,
  resumable: MonitorUp,
  tus: CloudUpload,
};

/** What the person has written, field by field. */
export interface Answers {
  url: string;
  name: string;
  user: string;
  secret: string;
  folder: string;
  region: string;
  /** Where a bucket's name is; "suggested" by its address. */
  path_style: "suggested" | "path" | "host";
  /** How the objects of a bucket are named. */
  layout: Layout;
  read_back: boolean;
  /** Whether the library's albums are made there, too. */
  albums: boolean;
  visibility: Visibility;
  versions: Versions;
  /** Further addresses of the same server. */
  addresses: string[];
  cleartext: boolean;
  /** The fingerprint of the certificate that is trusted although nobody vouches for it. */
  certificate: string | null;
}

export const NO_ANSWERS: Answers = {
  url: "",
  name: "",
  user: "",
  secret: "",
  folder: "",
  region: "",
  path_style: "suggested",
  layout: "names",
  read_back: false,
  albums: false,
  visibility: "timeline",
  versions: "both",
  addresses: [],
  cleartext: false,
  certificate: null,
};

/** Asks for what the person described. What its kind does not ask for is left out. */
export function describedRequest(
  kind: DescribedKind,
  answers: Answers,
  sign_in: SignInId | null = null,
): AddDestination {
  const asks = ASKS[kind];
  const given = (asked: boolean, text: string) => (asked && text.trim() ? text.trim() : null);
  return {
    connector: kind,
    url: answers.url.trim(),
    name: answers.name.trim() || suggestedName(kind, answers.url),
    config: {
      user: given(asks.user !== "never", answers.user),
      folder: given(asks.folder, answers.folder),
      region: given(asks.bucket, answers.region),
      path_style: asks.bucket && answers.path_style !== "suggested" ? answers.path_style === "path" : null,
      layout: asks.bucket ? answers.layout : "names",
      read_back: asks.read_back && answers.read_back,
      versions: answers.versions,
      certificate: kind === "folder" ? null : answers.certificate,
      cleartext: goesInTheOpen(kind, answers) && answers.cleartext,
      addresses: furtherAddresses(kind, answers),
      former_addresses: [],
      identity: null,
      // What is locked is in no album.
      albums: asks.albums && answers.albums && answers.visibility !== "locked",
      visibility: asks.visibility ? answers.visibility : "timeline",
    },
    // As it was written: a password may end in a space.
    token: asks.secret !== "never" && asks.browser !== "only" && !sign_in && answers.secret ? answers.secret : null,
    sign_in,
    skip_test: false,
  };
}

/** The further addresses that were filled in. */
function furtherAddresses(kind: DescribedKind, { addresses }: Answers): string[] {
  return kind === "folder" ? [] : addresses.map((address) => address.trim()).filter(Boolean);
}

/** Whether anything would go unencrypted over a network. */
export function goesInTheOpen(kind: DescribedKind, answers: Answers): boolean {
  return kind !== "folder" && [answers.url, ...furtherAddresses(kind, answers)].some(isInTheOpen);
}

/** Whether what goes to an address is unencrypted, and leaves this computer. */
export function isInTheOpen(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return protocol === "http:" && !/^(localhost|.+\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/** As many addresses as the service takes. */
export const ADDRESSES_MAX = 5;

/** Whether a destination of this kind is reached at addresses that can be changed. */
export function hasAddresses(kind: Connector): boolean {
  return kind !== "archive" && kind !== "folder" && ASKS[kind].example !== null;
}

/** A fingerprint as people compare it: `AB:CD:…`. */
export function shownFingerprint(sha256: string): string {
  return (sha256.match(/../g) ?? []).join(":").toUpperCase();
}

/** Asks for a sign-in in the browser to what the person described. */
export function signInRequest(kind: DescribedKind, answers: Answers): BeginSignIn {
  const { connector, url, config } = describedRequest(kind, answers);
  const client_secret = ASKS[kind].browser === "only" ? answers.secret.trim() || null : null;
  return { connector, url, config, client_secret, destination_id: null };
}

/** A name to start from: the server's, the bucket's or the folder's; none if the address does not say. */
export function suggestedName(kind: DescribedKind, address: string): string {
  const text = address.trim();
  if (kind === "folder") return text ? lastPart(text) : "";
  if (kind === "google_photos") return kindName(kind);
  if (!URL.canParse(text)) return "";
  const { host, pathname } = new URL(text);
  return kind === "s3" ? lastPart(pathname).replace(/^\/$/, "") || host : host;
}

/** An address as people write it: a server's name alone means its secure site. */
export function completeAddress(text: string): string {
  const address = text.trim();
  return !address || address.includes("://") ? address : `https://${address}`;
}

/** Where OAuth clients are made. */
const GOOGLE_CLIENTS = "https://console.cloud.google.com/apis/credentials";

/** The page of the person's own server where keys are made; none where the kind has no such page, or no server is named yet. */
export function keysPage(kind: Connector, address: string): string | null {
  if (kind === "google_photos") return GOOGLE_CLIENTS;
  if (!URL.canParse(address)) return null;
  const { origin, pathname, protocol } = new URL(address);
  if (!protocol.startsWith("http")) return null;
  switch (kind) {
    case "immich":
      return `${origin}/user-settings?isOpen=api-keys`;
    case "nextcloud": {
      // It may live beneath a folder of its server; what follows is its own.
      const [base = ""] = pathname.split(/\/(?:index|remote)\.php/);
      return `${origin}${base.replace(/\/+$/, "")}/index.php/settings/user/security`;
    }
    case "archive":
    case "webdav":
    case "s3":
    case "folder":
    case "resumable":
    case "tus":
      return null;
  }
}

/** The field that a refusal is about; none if it is about none of them. */
export function fieldAtFault(code: string): "url" | "name" | "secret" | null {
  switch (code) {
    case "bad_name":
    case "name_taken":
      return "name";
    case "authentication_required":
    case "no_oauth_client":
      return "secret";
    case "bad_url":
    case "bad_folder":
    case "connection_lost":
    case "timed_out":
    case "tls_failed":
    case "destination_not_allowed":
    case "unencrypted":
    case "protocol_unsupported":
      return "url";
    default:
      return null;
  }
}
