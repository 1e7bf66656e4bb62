//! What must hold, whatever happens.

use std::fmt;

/// The invariants that a simulation holds against the truth after every event. What is not here has no place in a simulation without
/// sockets, windows and power cuts, and is held by the other tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// What is shown as delivered was held by the server, those exact bytes, to the grade shown.
    NoFalseDone,
    /// Every job that was made is in the queue, once, in one state; none is lost.
    NoLoss,
    /// A server holds a content once.
    AtMostOne,
    /// Every object of a server is one version of a file, never old and new bytes.
    NoChimera,
    /// What the journal and the person are told is confirmed, the server holds; sending goes on at the offset that it told.
    OffsetSound,
    /// At most one data request is under way in a session, and one delivery of a job.
    SingleWriter,
    /// A job that ended stays as it ended, until somebody takes it up again.
    LegalMove,
    /// No payload goes to a session that the journal does not know, and none before the start of its job is written down.
    IntentFirst,
    /// After a kill every commit is there, nothing is under way, and what was told as delivered still is.
    CrashAtomic,
    /// Opening the queue twice gives the same as opening it once.
    ReconcileIdempotent,
    /// No payload of an app later than a second after its access was withdrawn, over restarts too.
    PermissionGate,
    /// No payload later than two seconds after a rule or a condition forbids it.
    PolicyGate,
    /// Attempts without progress are at most twelve in an hour, a server's wish to be left alone is kept, one that does not answer gets no
    /// more than six requests a minute, and nothing is stopped and started over and over while nothing changes.
    NoHotLoop,
    /// A job that fails for ever is not given up, and is tried at least once a day; the others take a tenth longer at most beside it.
    PoisonIsolated,
    /// Of two uploads of one lane that could go the one goes first that its server will forget within a day.
    ExpiringFirst,
    /// In the calm every job arrives, or has ended for a reason that is real; on a network that flaps what fits into its windows arrives.
    Progress,
    /// No more is sent than the file, and what a cut may cost.
    BoundedResend,
    /// The person's files are what the person made them.
    ReadOnlyLibrary,
    /// No step of the clock starts more at once than there are slots.
    TimeFree,
    /// An asset is shown as delivered when all of its files are, and not before.
    GroupWhole,
    /// What the person took back is not sent any more, and does not arrive later.
    CancelMeansCancel,
    /// What does not move has a reason that is true, and moves once all of its reasons are lifted.
    WaitReason,
    /// The sums over the lanes are the number of jobs.
    Conservation,
    /// A folder that is away fails nothing.
    SourceAway,
    /// Every change of a job's state is told once it is committed: what was told last of a job is how it stands.
    EventsTold,
    /// Trouble that comes and goes is told once.
    OneNotice,
}

/// The first thing that did not hold.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}
