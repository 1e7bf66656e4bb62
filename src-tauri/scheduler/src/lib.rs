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

mod concurrency;
mod gate;
mod gathering;
mod health;
mod memory;
mod plan;
mod policy;
mod retry;
mod transition;

pub use concurrency::{Concurrency, Ending};
pub use gate::{DestinationFacts, Reason, reasons};
pub use health::{Health, StateChange};
pub use memory::Memory;
pub use plan::{Active, Candidate, Lane, LaneWait, Limits, Plan, Stop, Wake, WakeReason, plan, rate};
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
    /// What the clock on the wall shows.
    pub local: Local,
}

/// Local time, as far as rules ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Local {
    /// Minutes since Monday 00:00; under 10,080.
    pub minute_of_week: u16,
    /// Milliseconds since that minute began.
    pub ms_of_minute: u16,
    /// When local time next jumps against wall time: summer time begins or ends.
    pub jumps_at: Option<Timestamp>,
}

impl Now {
    /// When local time is `minutes` further, or jumps before that: then somebody has to look again.
    fn in_local_minutes(&self, minutes: u16) -> Timestamp {
        let at = self.wall.plus_ms(i64::from(minutes) * 60_000 - i64::from(self.local.ms_of_minute));
        self.local.jumps_at.map_or(at, |jump| at.min(jump))
    }

    /// When the next local day begins.
    fn tomorrow(&self) -> Timestamp {
        self.in_local_minutes(DAY_MINUTES - self.local.minute_of_week % DAY_MINUTES)
    }
}

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
