//! Pure decisions: from conditions, policy, jobs and time to what runs, what waits and why, and when to look again.
//!
//! Guarantees:
//! - The same arguments give the same answer. Nothing here reads a clock, a file or a socket, and randomness comes from a
//!   seed that the caller hands in; `clippy.toml` beside this crate's manifest bans the ways around that.
//! - What does not move has a [`Reason`]: [`plan()`] leaves no job unexplained, and starts none that has one.
//! - An unknown fact never holds anything back.
//! - The cost of [`plan()`] grows with destinations, lane heads and active jobs, never with the length of the queue.
//!
//! [`plan()`] decides for all jobs at once, [`reasons`] is the gate it uses and the answer to "why?", [`next_attempt`] says
//! what follows a failure, and [`transition`] what an event makes of a job.

mod gate;
mod hysteresis;
mod plan;
mod policy;
mod retry;
mod transition;

pub use gate::{DestinationFacts, Reason, reasons};
pub use hysteresis::Hysteresis;
pub use plan::{Active, Candidate, Lane, LaneWait, Limits, Plan, Stop, Wake, WakeReason, plan};
pub use policy::{Policy, end_of_pause, expired, strictest};
pub use retry::{LONGEST_BACKOFF_MS, LONGEST_WAIT_MS, Next, RETRY_AFTER_MAX_MS, is_due, next_attempt};
pub use transition::{Illegal, JobEvent, transition};

use afterglow_model::Timestamp;

/// The present, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall time: what is stored is compared with it.
    pub wall: Timestamp,
    /// Milliseconds on a clock that is never set and counts suspend (Linux: `CLOCK_BOOTTIME`): what is slept by.
    pub boot_ms: u64,
}
