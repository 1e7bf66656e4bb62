//! One resource to one destination, and everything that can become of it.

use std::collections::BTreeMap;

use crate::{
    AppId, AssetId, AssetResourceType, BatchId, Certificate, DestinationId, JobId, Priority, Receipt, ResourceId, Timestamp,
    Waiting, names, words,
};

names! {
    /// PhotoKit's job states; raw values are those of `PHAssetResourceUploadJob.State`.
    pub enum JobState {
        /// Known, nothing sent yet.
        Registered,
        /// Under way: something was or is being sent.
        Pending,
        /// Given up; what happened is in `failure`.
        Failed,
        /// Delivered, to the grade in `receipt`.
        Succeeded,
        /// Taken back.
        Cancelled,
    }

    /// Where inside registered and pending a job is.
    pub enum Phase {
        /// Next in line.
        Queued,
        /// May not move: see the waiting reasons.
        Waiting,
        /// The file is opened and pinned.
        Preparing,
        /// The server is asked what it has.
        CheckingServer,
        /// Bytes move.
        Transferring,
        /// The server's proof is compared.
        Verifying,
        /// A failed attempt is followed by a later one.
        BackingOff,
        /// Stopped until somebody acts.
        Held,
    }

    /// What a failure means for the future.
    pub enum FailureClass {
        /// Goes away by itself: try again later.
        Transient,
        /// Goes away when the person does something.
        NeedsUser,
        /// Does not go away.
        Permanent,
    }

    /// What failed, in words that code may branch on.
    pub enum FailureCode {
        /// No answer in time, or a line gone silent.
        TimedOut,
        /// The connection could not be made or broke.
        ConnectionLost,
        /// The server's certificate does not hold.
        TlsFailed,
        /// The server shows another certificate than the one that is trusted.
        CertificateChanged,
        /// A sign-in page answered instead of the server.
        CaptivePortal,
        /// The URL is not under what the person allowed.
        DestinationNotAllowed,
        /// Photos and password would go unencrypted through the local network, which the person has not allowed.
        Unencrypted,
        /// The credential was not accepted.
        AuthenticationRequired,
        /// No room at the destination.
        QuotaExceeded,
        /// Larger than the destination takes.
        PayloadTooLarge,
        /// The server lost bytes it had confirmed.
        OffsetMismatch,
        /// The server disagrees about the size.
        LengthInconsistent,
        /// The server holds other bytes than were sent.
        DigestMismatch,
        /// The file changed on its way.
        SourceChanged,
        /// The file is gone.
        SourceVanished,
        /// The file's folder is not there.
        SourceOffline,
        /// The file cannot be read.
        SourceUnreadable,
        /// The server said no.
        ServerRejected,
        /// The server has a fault.
        ServerError,
        /// The server asks for patience.
        Throttled,
        /// The server's answer makes no sense.
        UnexpectedAnswer,
        /// The server does not speak the protocol.
        ProtocolUnsupported,
        /// The app may no longer see this photo.
        AccessDenied,
        /// The upload whose answer this one needs was not delivered.
        DependencyFailed,
        /// A fault of ours.
        Internal,
    }

    /// One mark for an asset, from all of its jobs; the worst wins.
    pub enum JobBadge {
        /// Delivered wherever it should be.
        Delivered,
        /// Bytes move.
        Uploading,
        /// Waits.
        Waiting,
        /// Needs the person.
        Attention,
    }
}

impl JobState {
    /// Whether nothing more will happen by itself.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Registered | Self::Pending => false,
            Self::Failed | Self::Succeeded | Self::Cancelled => true,
        }
    }
}

words! {
    /// What went wrong with an attempt.
    pub struct Failure {
        /// What it means for the future.
        pub class: FailureClass,
        /// What failed.
        pub code: FailureCode,
        /// What failed and what the person can do, one sentence or two.
        pub message: String,
        /// The earliest time to try again that the server asked for, as a delay in milliseconds.
        pub retry_after_ms: Option<u64>,
        /// The certificate that the server showed and that is not trusted.
        #[serde(default)]
        pub certificate: Option<Box<Certificate>>,
    }

    /// What a server answered, as far as it is kept.
    #[derive(Eq)]
    pub struct JobResponse {
        /// The status.
        pub status: u16,
        /// Header fields, names in lower case; without `set-cookie`, and no more than 8 KiB of them.
        pub headers: BTreeMap<String, String>,
        /// The first 16 KiB of the body, as text.
        pub body: String,
        /// Whether the body goes on.
        pub truncated: bool,
    }

    /// One resource to one destination.
    pub struct UploadJob {
        /// Stable id.
        pub id: JobId,
        /// The jobs asked for together with it.
        pub batch_id: BatchId,
        /// Who asked.
        pub app_id: AppId,
        /// Where to.
        pub destination_id: DestinationId,
        /// The asset, if it is in the library.
        pub asset_id: Option<AssetId>,
        /// The file, if it is in the library.
        pub resource_id: Option<ResourceId>,
        /// Its part in the asset.
        pub resource_type: AssetResourceType,
        /// Name it is sent under.
        pub filename: String,
        /// Size in bytes.
        pub byte_count: u64,
        /// PhotoKit's state.
        pub state: JobState,
        /// Where inside it.
        pub phase: Phase,
        /// How it came to be.
        pub priority: Priority,
        /// Why it does not move; never empty while it waits, backs off or is held.
        pub waiting: Vec<Waiting>,
        /// Attempts made.
        pub attempts: u32,
        /// Bytes that the server confirmed, of this content.
        pub bytes_sent: u64,
        /// When the next attempt is due.
        pub next_attempt_at: Option<Timestamp>,
        /// What went wrong last.
        pub failure: Option<Failure>,
        /// Proof, once delivered.
        pub receipt: Option<Receipt>,
        /// Whether the app has taken note of the end.
        pub acknowledged: bool,
        /// The app's own name for it. The same twice is the same job.
        pub client_reference: Option<String>,
        /// The job that goes before it.
        pub after: Option<JobId>,
        /// What the server last answered, of a job whose request an app describes.
        pub response: Option<JobResponse>,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it ended.
        pub finished_at: Option<Timestamp>,
    }

    /// Jobs that were asked for together.
    pub struct Batch {
        /// Stable id.
        pub id: BatchId,
        /// For people: what it is.
        pub title: String,
        /// Who asked.
        pub app_id: AppId,
        /// Where to.
        pub destination_id: DestinationId,
        /// How it came to be.
        pub priority: Priority,
        /// Jobs in it.
        pub jobs: JobCounts,
        /// Bytes in it.
        pub bytes_total: u64,
        /// Bytes delivered or confirmed.
        pub bytes_sent: u64,
        /// An asset to show for it.
        pub key_asset: Option<AssetId>,
        /// When it was made.
        pub created_at: Timestamp,
        /// When its last job ended.
        pub finished_at: Option<Timestamp>,
    }

    /// Jobs by state.
    #[derive(Default, Copy, Eq)]
    pub struct JobCounts {
        /// Known.
        pub registered: u64,
        /// Under way.
        pub pending: u64,
        /// Delivered.
        pub succeeded: u64,
        /// Given up.
        pub failed: u64,
        /// Taken back.
        pub cancelled: u64,
    }
}

impl JobCounts {
    /// Jobs that will still move.
    pub fn open(&self) -> u64 {
        self.registered + self.pending
    }

    /// All jobs.
    pub fn total(&self) -> u64 {
        self.open() + self.succeeded + self.failed + self.cancelled
    }
}
