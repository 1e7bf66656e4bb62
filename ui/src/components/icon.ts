import type { Component } from "svelte";

/** A lucide icon, as far as we use it. */
export type Icon = Component<{ size?: number | string; strokeWidth?: number | string; "aria-hidden"?: "true" }>;
