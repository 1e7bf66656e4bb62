import { expect, test } from "vitest";
import type { Network, NetworkRule } from "../src/api/types";
import { awaitable, namedNetworks, presentNetwork, withAccess } from "../src/features/settings/networks";

const RULES: NetworkRule[] = [
  { key: "home", name: "Home", access: "allowed" },
  { key: "cafe", name: "Café", access: "denied" },
  { key: "work", name: "Work", access: "allowed" },
];
const HERE: Network = { reachability: "full", metered: "no", kind: "wifi", name: "Home", key: "home" };

test("a network is known by its key, and called by its name if it has one", () => {
  expect(presentNetwork(HERE)).toEqual({ key: "home", name: "Home" });
  expect(presentNetwork({ ...HERE, name: null })).toEqual({ key: "home", name: "home" });
  expect(presentNetwork({ ...HERE, key: null })).toBeNull();
  expect(presentNetwork(undefined)).toBeNull();
});

test("a rule is made, changed in its place, and taken back", () => {
  const harbour = { key: "harbour", name: "Harbour" };
  expect(withAccess(RULES, harbour, "denied").at(-1)).toEqual({ ...harbour, access: "denied" });
  const changed = withAccess(RULES, { key: "cafe", name: "Café" }, "allowed");
  expect(changed.map(({ key, access }) => [key, access])).toEqual([
    ["home", "allowed"],
    ["cafe", "allowed"],
    ["work", "allowed"],
  ]);
  expect(withAccess(RULES, { key: "cafe", name: "Café" }, null).map(({ key }) => key)).toEqual(["home", "work"]);
  expect(withAccess(RULES, harbour, null)).toEqual(RULES);
});

test("what was chosen can be seen and taken back, also after its rule is gone", () => {
  const present = { key: "here", name: "Here" };
  expect(namedNetworks(RULES, present, ["gone", "home"]).map(({ name }) => name)).toEqual([
    "gone",
    "Here",
    "Home",
    "Work",
  ]);
});

test("a network that is forbidden is not offered, and stands there if it was chosen", () => {
  const cafe = { key: "cafe", name: "Café" };
  expect(namedNetworks(RULES, cafe, []).map(({ key }) => key)).toEqual(["home", "work"]);
  expect(namedNetworks(RULES, null, ["cafe"])).toContainEqual(cafe);
});

test("one waits for a network that is allowed, and not for the one one is on", () => {
  expect(awaitable(RULES, presentNetwork(HERE)).map(({ key }) => key)).toEqual(["work"]);
  expect(awaitable(RULES, null).map(({ key }) => key)).toEqual(["home", "work"]);
});
