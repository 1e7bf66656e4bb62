//! Why something does not move.

use crate::{DestinationId, JobId, Timestamp, names, words};

names! {
    /// Every reason for which a job may not move. None is a failure; each has something that lifts it.
    pub enum WaitingReason {
        /// No way out.
        NoNetwork,
        /// A sign-in page stands before the network.
        CaptivePortal,
        /// The server does not answer.
        DestinationUnreachable,
        /// The network costs by the byte.
        ExpensiveNetwork,
        /// The person or the app wants another network.
        UntrustedNetwork,
        /// Not at this hour.
        OutsideWindow,
        /// The day's bytes are used up.
        DataCapReached,
        /// Somebody uses the computer.
        DeviceBusy,
        /// On battery, gathered with others to go together.
        Gathering,
        /// The charge is under what the person set.
        BatteryLow,
        /// The system saves power.
        PowerSaver,
        /// Only when plugged in, and it is not.
        NotCharging,
        /// The machine is going to sleep.
        Suspending,
        /// The machine is being switched off or started anew.
        SessionEnding,
        /// The machine is busy with other work.
        ThermalOrLoad,
        /// The file's folder is not there.
        SourceOffline,
        /// The file is being written.
        SourceChanging,
        /// A failed attempt is followed by a later one.
        Backoff,
        /// Others go first.
        JobLimit,
        /// Another upload goes first, whose answer this one uses.
        GroupMember,
        /// The person paused.
        PausedByUser,
        /// The server did not accept the credential.
        AuthRequired,
        /// The destination has no room.
        QuotaExceeded,
        /// The destination shows another certificate than the one that is trusted.
        CertificateChanged,
        /// The app may not see this photo any more.
        AccessWithdrawn,
        /// Our own disk is full.
        DiskFull,
    }
}

words! {
    /// One reason, of one job or of many.
    pub struct Waiting {
        /// Which.
        pub reason: WaitingReason,
        /// Since when.
        pub since: Timestamp,
        /// Until when, if that is known.
        pub until: Option<Timestamp>,
        /// What is true, why, and what would change it.
        pub sentence: String,
    }

    /// The jobs that wait for the same reason at the same destination.
    pub struct WaitingGroup {
        /// Which reason.
        pub reason: WaitingReason,
        /// Where the jobs go.
        pub destination_id: DestinationId,
        /// How many.
        pub jobs: u64,
        /// Their bytes.
        pub bytes: u64,
        /// Since when.
        pub since: Timestamp,
        /// Until when, if that is known.
        pub until: Option<Timestamp>,
        /// What is true, why, and what would change it.
        pub sentence: String,
        /// Whether *Upload anyway* lifts it.
        pub can_override: bool,
    }

    /// The answer to "why does this not move?".
    pub struct Explanation {
        /// The job asked for; none if the question was about everything.
        pub job_id: Option<JobId>,
        /// One sentence.
        pub sentence: String,
        /// Every reason, the strongest first; empty if it moves or has ended.
        pub waiting: Vec<Waiting>,
    }
}

impl WaitingReason {
    /// Whether *Upload anyway* lifts it: only what the person's own rules forbid, never what cannot work.
    pub fn can_override(self) -> bool {
        match self {
            Self::ExpensiveNetwork
            | Self::UntrustedNetwork
            | Self::OutsideWindow
            | Self::DataCapReached
            | Self::DeviceBusy
            | Self::ThermalOrLoad
            | Self::Gathering
            | Self::BatteryLow
            | Self::PowerSaver
            | Self::NotCharging
            | Self::PausedByUser => true,
            Self::NoNetwork
            | Self::CaptivePortal
            | Self::DestinationUnreachable
            | Self::Suspending
            | Self::SessionEnding
            | Self::SourceOffline
            | Self::SourceChanging
            | Self::Backoff
            | Self::JobLimit
            | Self::GroupMember
            | Self::AuthRequired
            | Self::QuotaExceeded
            | Self::CertificateChanged
            | Self::AccessWithdrawn
            | Self::DiskFull => false,
        }
    }
}
