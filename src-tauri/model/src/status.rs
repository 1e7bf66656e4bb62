//! The one sentence, and the numbers behind it.

use crate::{
    Batch, Conditions, DestinationId, JobCounts, Override, Pause, Prompt, ScanProgress, Timestamp, WaitingGroup, names, words,
};

names! {
    /// What the service is doing, in one word.
    pub enum ServiceState {
        /// Everything is delivered, or there is nothing to do.
        Idle,
        /// Bytes move.
        Uploading,
        /// Something waits, nothing moves.
        Waiting,
        /// The person paused.
        Paused,
        /// Something needs the person, nothing moves.
        Attention,
    }

    /// The one button beside the sentence.
    pub enum StatusAction {
        /// Pause.
        Pause,
        /// End the pause.
        Resume,
        /// Upload anyway.
        UploadAnyway,
        /// Show what needs attention.
        Show,
    }
}

words! {
    /// What the tray, the windows, the notices and `afterglow status` say.
    pub struct Status {
        /// In one word.
        pub state: ServiceState,
        /// In one sentence.
        pub sentence: String,
        /// A second, quieter sentence.
        pub detail: Option<String>,
        /// The one button.
        pub action: Option<StatusAction>,
        /// Jobs by state, all of them.
        pub jobs: JobCounts,
        /// Jobs of the present run: those not ended when it began and those that came since.
        pub run: RunProgress,
        /// Jobs that need the person.
        pub attention: u64,
        /// Destinations that need the person.
        pub attention_destinations: Vec<DestinationId>,
        /// Why what waits waits.
        pub waiting: Vec<WaitingGroup>,
        /// The machine.
        pub conditions: Conditions,
        /// Payload of the last seconds.
        pub bytes_per_s: u64,
        /// A scan under way.
        pub scan: Option<ScanProgress>,
        /// Whether the library or a rule is still being looked through, so that jobs may yet come.
        pub looking: bool,
        /// A pause that holds.
        pub pause: Option<Pause>,
        /// Every *Upload anyway* that holds.
        pub overrides: Vec<Override>,
        /// Questions that wait for the person.
        pub prompts: Vec<Prompt>,
        /// Version of the service.
        pub version: String,
        /// Its process.
        pub pid: u32,
    }

    /// How far the present run is. A run begins when something is queued and nothing was, and ends when nothing is left.
    #[derive(Default)]
    pub struct RunProgress {
        /// Jobs delivered in it.
        pub done: u64,
        /// Jobs in it.
        pub total: u64,
        /// Bytes delivered or confirmed in it.
        pub bytes_done: u64,
        /// Bytes in it.
        pub bytes_total: u64,
        /// Seconds to go at the present speed.
        pub remaining_s: Option<u64>,
    }

    /// What the Uploads pane draws.
    pub struct Activity {
        /// Payload bytes per second, one figure for each of the last 60 ten-second steps, oldest first.
        pub recent_bytes_per_s: Vec<u64>,
        /// Payload bytes per day, local time, the last 30 days, oldest first.
        pub days: Vec<DayBytes>,
        /// Batches that move or have jobs left.
        pub open_batches: Vec<Batch>,
        /// Batches that ended, newest first, at most 50.
        pub finished_batches: Vec<Batch>,
    }

    /// Bytes of one day.
    pub struct DayBytes {
        /// `2026-05-03`.
        pub day: String,
        /// Payload bytes sent.
        pub bytes: u64,
    }

    /// Whether the service answers, and for how long.
    pub struct Health {
        /// Version of the service.
        pub version: String,
        /// Its process.
        pub pid: u32,
        /// When it started.
        pub started_at: Timestamp,
    }
}
