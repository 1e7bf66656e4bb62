//! Faults that are planted, to see that they are caught.

use super::Invariant;

/// A planted fault. Each stands for a mistake that somebody could make in the service's loop, in its journal or in a connector; those in
/// the product's own code are patches, in `tests/simulate/faults`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plant {
    /// A session is told to the server before it is written down.
    IntentIsSkipped,
    /// The journal forgets sessions: every attempt begins anew.
    SessionsAreForgotten,
    /// A server's wish to be left alone is not heard.
    RetryAfterIsIgnored,
    /// A job that is told to stop goes on.
    StopsAreIgnored,
    /// Failed jobs are tried again at once.
    BackoffIsSkipped,
    /// The end of a wait is slept through.
    WakeUpsAreMissed,
    /// What is delivered is not written down.
    ReceiptsAreLost,
    /// A failed attempt counts as delivered.
    FailureIsSuccess,
    /// Large files are never looked at.
    LargeFilesAreForgotten,
    /// A job is started although it is under way.
    JobsAreStartedTwice,
    /// Jobs of a service that died stay as they were.
    NothingIsTakenUpAgain,
    /// A transient failure is taken for a final one.
    EverythingIsFinal,
    /// What must wait for the person is dropped.
    HeldJobsAreDropped,
    /// The network's price is not looked at.
    MeteredIsIgnored,
    /// The charge is not looked at.
    BatteryIsIgnored,
    /// A pause is not looked at.
    PauseIsIgnored,
    /// That the machine goes to sleep is not looked at.
    SleepIsIgnored,
    /// That the network is a tunnel is not looked at.
    TunnelsAreIgnored,
    /// Whether somebody uses the computer is not looked at.
    UseIsIgnored,
    /// That the machine is busy is not looked at.
    LoadIsIgnored,
    /// That there is no room for our own state is not looked at.
    RoomIsIgnored,
    /// That the machine is about to be switched off is not looked at.
    EndIsIgnored,
    /// The lifetime of sessions is not written down.
    LifetimesAreForgotten,
    /// A server that does not answer is asked again and again.
    SilenceIsIgnored,
    /// After a commit that failed, nothing is read again.
    FailedCommitsAreIgnored,
    /// What a destination asks for is not looked at.
    OptionsAreIgnored,
    /// The day's bytes are not counted.
    BytesAreNotCounted,
    /// An answer that never came is taken for a good one.
    NoAnswerIsTrusted,
    /// The digest that the server tells is not compared.
    DigestsAreBelieved,
    /// What was committed before a crash is not there after it.
    CommitsAreLost,
    /// Grants are not asked when a job starts.
    GrantsAreNotAsked,
    /// What is under way goes on after its app's access was withdrawn.
    WithdrawalStopsNothing,
    /// Access that is given back releases nothing after a restart.
    ReleaseIsForgotten,
    /// A folder that is away counts as a failure of its files.
    AwayIsFailure,
    /// A folder that came back is not noticed.
    ReturnIsMissed,
    /// What the person takes back goes on.
    CancelStopsNothing,
    /// Every return of the network is worth a notice.
    NoticesArePiled,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 37] = [
        Self::IntentIsSkipped,
        Self::SessionsAreForgotten,
        Self::RetryAfterIsIgnored,
        Self::StopsAreIgnored,
        Self::BackoffIsSkipped,
        Self::WakeUpsAreMissed,
        Self::ReceiptsAreLost,
        Self::FailureIsSuccess,
        Self::LargeFilesAreForgotten,
        Self::JobsAreStartedTwice,
        Self::NothingIsTakenUpAgain,
        Self::EverythingIsFinal,
        Self::HeldJobsAreDropped,
        Self::MeteredIsIgnored,
        Self::BatteryIsIgnored,
        Self::PauseIsIgnored,
        Self::SleepIsIgnored,
        Self::TunnelsAreIgnored,
        Self::UseIsIgnored,
        Self::LoadIsIgnored,
        Self::RoomIsIgnored,
        Self::EndIsIgnored,
        Self::LifetimesAreForgotten,
        Self::SilenceIsIgnored,
        Self::FailedCommitsAreIgnored,
        Self::OptionsAreIgnored,
        Self::BytesAreNotCounted,
        Self::NoAnswerIsTrusted,
        Self::DigestsAreBelieved,
        Self::CommitsAreLost,
        Self::GrantsAreNotAsked,
        Self::WithdrawalStopsNothing,
        Self::ReleaseIsForgotten,
        Self::AwayIsFailure,
        Self::ReturnIsMissed,
        Self::CancelStopsNothing,
        Self::NoticesArePiled,
    ];

    /// What must catch it; none if any may.
    pub fn breaks(self) -> Option<Invariant> {
        match self {
            Self::IntentIsSkipped => Some(Invariant::IntentFirst),
            Self::MeteredIsIgnored
            | Self::BatteryIsIgnored
            | Self::PauseIsIgnored
            | Self::SleepIsIgnored
            | Self::TunnelsAreIgnored
            | Self::UseIsIgnored
            | Self::LoadIsIgnored
            | Self::RoomIsIgnored
            | Self::EndIsIgnored
            | Self::OptionsAreIgnored
            | Self::BytesAreNotCounted => Some(Invariant::PolicyGate),
            Self::LifetimesAreForgotten => Some(Invariant::ExpiringFirst),
            Self::SilenceIsIgnored => Some(Invariant::NoHotLoop),
            Self::GrantsAreNotAsked | Self::WithdrawalStopsNothing => Some(Invariant::PermissionGate),
            Self::AwayIsFailure => Some(Invariant::SourceAway),
            Self::CancelStopsNothing => Some(Invariant::CancelMeansCancel),
            Self::JobsAreStartedTwice => Some(Invariant::SingleWriter),
            Self::NoticesArePiled => Some(Invariant::OneNotice),
            Self::SessionsAreForgotten
            | Self::RetryAfterIsIgnored
            | Self::StopsAreIgnored
            | Self::BackoffIsSkipped
            | Self::WakeUpsAreMissed
            | Self::ReceiptsAreLost
            | Self::FailureIsSuccess
            | Self::LargeFilesAreForgotten
            | Self::NothingIsTakenUpAgain
            | Self::EverythingIsFinal
            | Self::HeldJobsAreDropped
            | Self::NoAnswerIsTrusted
            | Self::DigestsAreBelieved
            | Self::CommitsAreLost
            | Self::ReleaseIsForgotten
            | Self::ReturnIsMissed
            | Self::FailedCommitsAreIgnored => None,
        }
    }
}
