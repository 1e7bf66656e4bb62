import { describe, expect, test } from "vitest";
import { NO_CONFIG } from "../src/api/config";
import {
  ASKS,
  DESCRIBED_KINDS,
  NO_ANSWERS,
  completeAddress,
  describedRequest,
  goesInTheOpen,
  keysPage,
  shownFingerprint,
  signInRequest,
  suggestedName,
  type Answers,
} from "../src/features/destinations/kinds";
import type { Destination, Evidence, UploadJob } from "../src/api/types";
import { canProve, jobSentence } from "../src/messages/names";

const EVERYTHING = {
  url: " https://a.example/box ",
  name: "",
  user: "ada",
  secret: "s3cret ",
  folder: "Photos",
  region: "eu-central-1",
  path_style: "host",
  layout: "content",
  read_back: true,
  albums: true,
  visibility: "archive",
  versions: "edits",
  addresses: [" https://b.example ", ""],
  cleartext: true,
  certificate: "ab",
} satisfies Answers;

/** What every kind but a folder is given of it. */
const BY_NETWORK = { certificate: "ab", addresses: ["https://b.example"] };

describe("what is asked for is sent, and nothing else", () => {
  test.each([
    [
      "immich",
      {
        user: null,
        folder: null,
        region: null,
        path_style: null,
        read_back: false,
        albums: true,
        visibility: "archive",
      },
    ],
    ["nextcloud", { user: "ada", folder: "Photos", region: null, path_style: null, read_back: false }],
    ["webdav", { user: "ada", folder: "Photos", region: null, path_style: null, read_back: true }],
    [
      "s3",
      { user: "ada", folder: "Photos", region: "eu-central-1", path_style: false, layout: "content", read_back: true },
    ],
    ["folder", { user: null, folder: null, region: null, path_style: null, read_back: true }],
    ["google_photos", { user: "ada", folder: "Photos", region: null, path_style: null, read_back: false }],
    ["tus", { user: null, folder: null, region: null, path_style: null, read_back: false }],
  ] as const)("%s", (kind, config) => {
    const request = describedRequest(kind, EVERYTHING);
    expect(request.config).toEqual({
      ...NO_CONFIG,
      versions: "edits",
      ...(kind === "folder" ? {} : BY_NETWORK),
      ...config,
    });
    expect(request.url).toBe("https://a.example/box");
    // A space at the end may belong to a password.
    expect(request.token).toBe(kind === "folder" || kind === "google_photos" ? null : "s3cret ");
  });

  test("locked photos are in no album", () => {
    const { config } = describedRequest("immich", { ...EVERYTHING, visibility: "locked" });
    expect([config.albums, config.visibility]).toEqual([false, "locked"]);
  });

  test("what was left empty is not sent as an empty answer", () => {
    for (const kind of DESCRIBED_KINDS) {
      const { config, token } = describedRequest(kind, { ...NO_ANSWERS, url: ASKS[kind].example ?? "", user: "  " });
      expect(config).toEqual(NO_CONFIG);
      expect(token).toBeNull();
    }
  });
});

test("only what leaves this computer unencrypted is asked about", () => {
  const open = (url: string, addresses: string[] = []) => goesInTheOpen("immich", { ...NO_ANSWERS, url, addresses });
  expect(open("http://192.168.1.5:2283")).toBe(true);
  expect(open("https://photos.example", ["http://nas.local"])).toBe(true);
  expect(open("http://127.0.0.1:2283", ["http://localhost", "https://photos.example", "nas"])).toBe(false);
  expect(describedRequest("immich", { ...EVERYTHING, url: "http://nas.local" }).config.cleartext).toBe(true);
});

test("a fingerprint is shown as it is compared", () => {
  expect(shownFingerprint("0aff")).toBe("0A:FF");
});

describe("a sign-in in the browser", () => {
  test("stands instead of a secret", () => {
    const request = describedRequest("nextcloud", EVERYTHING, "sign-in-1");
    expect([request.token, request.sign_in]).toEqual([null, "sign-in-1"]);
  });

  test("takes Google's client along, and no password of another server's", () => {
    expect(signInRequest("google_photos", EVERYTHING)).toMatchObject({
      config: { user: "ada" },
      client_secret: "s3cret",
    });
    expect(signInRequest("nextcloud", EVERYTHING).client_secret).toBeNull();
  });
});

test("a name to start from is the server's, the bucket's or the folder's", () => {
  expect([
    suggestedName("immich", "https://photos.home.arpa:2283/"),
    suggestedName("s3", "https://s3.eu-central-1.amazonaws.com/my-photos/"),
    suggestedName("s3", "https://my-photos.s3.amazonaws.com/"),
    suggestedName("folder", "/media/ada/Drive/Photos/"),
    suggestedName("tus", "not an address"),
    suggestedName("google_photos", ""),
  ]).toEqual(["photos.home.arpa:2283", "my-photos", "my-photos.s3.amazonaws.com", "Photos", "", "Google Photos"]);
});

test("a server's name alone means its secure site", () => {
  expect(["photos.home.arpa", "http://nas:5005/dav", " "].map(completeAddress)).toEqual([
    "https://photos.home.arpa",
    "http://nas:5005/dav",
    "",
  ]);
});

test("keys are made at the person's own server", () => {
  expect([
    keysPage("immich", "https://photos.home.arpa/api"),
    keysPage("nextcloud", "https://a.example/cloud/"),
    keysPage("nextcloud", "https://a.example/cloud/remote.php/dav/"),
    keysPage("nextcloud", "javascript:alert(1)"),
    keysPage("webdav", "https://nas.example"),
  ]).toEqual([
    "https://photos.home.arpa/user-settings?isOpen=api-keys",
    "https://a.example/cloud/index.php/settings/user/security",
    "https://a.example/cloud/index.php/settings/user/security",
    null,
    null,
  ]);
});

describe("a proof is said as it was given, never as more", () => {
  const job = (evidence: Evidence) =>
    ({ state: "succeeded", receipt: { evidence, delivered_at: 0 } }) as unknown as UploadJob;
  const capabilities = (evidence: Evidence) => ({ evidence }) as Destination["capabilities"];

  test("of one delivery", () => {
    const said = (connector: Destination["connector"], evidence: Evidence) =>
      jobSentence(job(evidence), { name: "Box", connector });
    expect(said("immich", "hashed")).toContain("verified by SHA-1");
    expect(said("resumable", "hashed")).toContain("verified by SHA-256");
    expect(said("s3", "hashed")).toContain("verified by checksum");
    expect(said("folder", "read_back")).toContain("read back and compared");
    expect(said("immich", "sized")).toContain("size confirmed");
    expect(jobSentence(job("hashed"), undefined)).toContain("verified by checksum");
  });

  test("of a destination", () => {
    expect(canProve({ connector: "immich", capabilities: capabilities("hashed") })).toContain("SHA-1.");
    expect(canProve({ connector: "nextcloud", capabilities: capabilities("hashed") })).toContain("size of large ones");
    expect(canProve({ connector: "tus", capabilities: null })).toBe("");
  });
});
