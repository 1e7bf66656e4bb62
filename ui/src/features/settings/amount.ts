/** Bytes as a person types them: a number and a unit. */

export const AMOUNT_UNITS = [
  { bytes: 1_000_000, name: "MB" },
  { bytes: 1_000_000_000, name: "GB" },
] as const;
export type AmountUnit = (typeof AMOUNT_UNITS)[number];

/** The unit in which the number is shortest to read: the largest that leaves 1 or more. */
export function amountOf(bytes: number): { amount: number; unit: AmountUnit } {
  const unit = AMOUNT_UNITS.findLast((known) => bytes >= known.bytes) ?? AMOUNT_UNITS[0];
  // A hundredth is as exact as anybody types; what was set elsewhere more exactly stays until it is changed here.
  return { amount: Math.round((bytes / unit.bytes) * 100) / 100, unit };
}

/** None if the number is none that can be meant. */
export function bytesOfAmount(amount: number, unit: AmountUnit): number | null {
  const bytes = Math.round(amount * unit.bytes);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}
