import type { DestinationConfig } from "./types";

/** What a connector has to know when nobody has said anything. */
export const NO_CONFIG: DestinationConfig = {
  user: null,
  folder: null,
  region: null,
  path_style: null,
  layout: "names",
  read_back: false,
  versions: "both",
  certificate: null,
  cleartext: false,
  addresses: [],
  former_addresses: [],
  identity: null,
  albums: false,
  visibility: "timeline",
};
