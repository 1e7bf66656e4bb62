//! What a listener is told: a snapshot first, then changes.

use crate::{AssetId, JobId, JobState, Prompt, ScanProgress, Settings, Status, UploadJob, words};

words! {
    /// One event of the owner's stream.
    #[serde(tag = "type", rename_all = "snake_case")]
    pub enum Event {
        /// Always the first.
        Snapshot {
            /// Everything that the status line needs.
            status: Box<Status>,
        },
        /// The status changed. At most four in a second.
        Status {
            /// All of it.
            status: Box<Status>,
        },
        /// Jobs changed. Readers ask again for what they show.
        JobsChanged {
            /// The assets whose badge may have changed, at most 500; empty for "ask for all".
            asset_ids: Vec<AssetId>,
        },
        /// A scan moved on.
        Scan {
            /// How far.
            progress: ScanProgress,
        },
        /// Assets or albums changed.
        LibraryChanged,
        /// Destinations or rules changed.
        DestinationsChanged,
        /// Apps or grants changed.
        AppsChanged,
        /// A question is asked or answered.
        Prompts {
            /// Those that wait now.
            prompts: Vec<Prompt>,
        },
        /// Settings changed.
        SettingsChanged {
            /// All of them.
            settings: Settings,
        },
        /// A window is wanted: from the tray, a notice or `afterglow open`.
        Open {
            /// Which pane: `library`, `uploads`, `apps`, `destinations`, `settings`, `drop`.
            pane: String,
        },
        /// The listener was too slow; it lost this many events and should ask again for everything.
        Overflow {
            /// How many.
            missed: u64,
        },
    }

    /// One event of an app's stream.
    #[serde(tag = "type", rename_all = "snake_case")]
    pub enum AppEvent {
        /// Always the first: the jobs that have not been acknowledged.
        Snapshot {
            /// Them.
            jobs: Vec<UploadJob>,
        },
        /// A job changed.
        JobChanged {
            /// Which.
            job_id: JobId,
            /// Into what.
            state: JobState,
        },
        /// The person changed what the app may see.
        AuthorizationChanged,
        /// Photos within the grant changed.
        LibraryChanged,
        /// The listener was too slow; it lost this many events.
        Overflow {
            /// How many.
            missed: u64,
        },
    }
}
