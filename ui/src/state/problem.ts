/** What a failed call has to say. */
import type { ApiError } from "../api/types";
import { m } from "../messages";

export type Problem = ApiError;

/** The service's own words if it gave any; whatever else was thrown becomes a sentence too. */
export function problem(error: unknown): Problem {
  if (typeof error === "object" && error !== null && "message" in error && typeof error.message === "string") {
    const { domain = "request", code = "unknown", certificate = null } = error as Partial<ApiError>;
    return { domain, code, message: error.message, certificate };
  }
  if (typeof error === "string") return { domain: "request", code: "unknown", message: error };
  return { domain: "request", code: "unknown", message: m.unknown_problem() };
}
