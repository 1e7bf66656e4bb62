/** What the person says of networks. */
import type { Network, NetworkAccess, NetworkRule } from "../../api/types";

/** A network that can be told from others again. */
export type KnownNetwork = Pick<NetworkRule, "key" | "name">;

/** The present network, if a rule can be made for it. */
export function presentNetwork(network: Network | undefined): KnownNetwork | null {
  return network && network.key !== null ? { key: network.key, name: network.name ?? network.key } : null;
}

/** The rules with what is said of one network, or without a rule for it. */
export function withAccess(rules: NetworkRule[], network: KnownNetwork, access: NetworkAccess | null): NetworkRule[] {
  const others = rules.filter(({ key }) => key !== network.key);
  if (access === null) return others;
  const rule = { key: network.key, name: network.name, access };
  // In its place if it had one, so that the list does not jump.
  const at = rules.findIndex(({ key }) => key === network.key);
  return at < 0 ? [...rules, rule] : rules.with(at, rule);
}

/**
 * Networks that can be chosen by name: those that are not forbidden by a rule, the present one among them, and keys that a choice
 * names already.
 */
export function namedNetworks(rules: NetworkRule[], present: KnownNetwork | null, chosen: string[]): KnownNetwork[] {
  const known = new Map<string, KnownNetwork>();
  for (const key of chosen) known.set(key, { key, name: key });
  if (present) known.set(present.key, present);
  for (const { key, name, access } of rules) {
    if (access === "allowed" || chosen.includes(key)) known.set(key, { key, name });
    else known.delete(key);
  }
  return [...known.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Where one could wait to be: allowed, and not where the computer is. */
export function awaitable(rules: NetworkRule[], present: KnownNetwork | null): KnownNetwork[] {
  return rules.filter(({ access, key }) => access === "allowed" && key !== present?.key);
}
