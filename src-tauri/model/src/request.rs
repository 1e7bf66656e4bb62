//! Bodies of calls to the service.

use std::collections::BTreeMap;

use crate::{
    AccessAnswer, AppId, Asset, AssetCollection, AssetId, AssetResource, AuthorizationStatus, BatchId, CollectionId, Conditions,
    Connector, Destination, DestinationConfig, DestinationId, DestinationTest, JobBody, JobCounts, JobId, JobState, OverrideScope,
    Priority, Rate, ResourceId, SignInId, Timestamp, UploadJob, UploadJobOptions, Waiting, WaitingReason, names, words,
};

names! {
    /// PhotoKit's query classes, and `all`.
    pub enum JobAction {
        /// Ended and not acknowledged.
        Acknowledge,
        /// Failed.
        Retry,
        /// Registered or pending.
        Process,
        /// Every one.
        All,
    }
}

words! {
    /// Gives a folder to the library.
    pub struct AddSource {
        /// Absolute path.
        pub path: String,
    }

    /// Makes an album, or renames it.
    pub struct AlbumTitle {
        /// What it is called.
        pub title: String,
    }

    /// Puts assets into an album, or takes them out.
    pub struct EditAlbum {
        /// To put in.
        #[serde(default)]
        pub add: Vec<AssetId>,
        /// To take out.
        #[serde(default)]
        pub remove: Vec<AssetId>,
    }

    /// Marks assets, or takes the mark away.
    pub struct SetFavorite {
        /// Which.
        pub asset_ids: Vec<AssetId>,
        /// Marked or not.
        pub is_favorite: bool,
    }

    /// An asset with everything the detail pane shows.
    pub struct AssetDetail {
        /// The asset.
        pub asset: Asset,
        /// Its files.
        pub resources: Vec<AssetResource>,
        /// Its jobs, newest first.
        pub jobs: Vec<UploadJob>,
    }

    /// Adds a destination, after a test upload.
    pub struct AddDestination {
        /// Its protocol.
        pub connector: Connector,
        /// Where uploads are created; of an archive, its folder: a path, a `file:` URL, or nothing for the usual place.
        pub url: String,
        /// What the person calls it.
        pub name: String,
        /// What its connector has to know beyond the address.
        #[serde(default)]
        pub config: DestinationConfig,
        /// A token, password or key, if it wants one. Kept in the secret store.
        pub token: Option<String>,
        /// Instead of a token, a sign-in in the browser that is done.
        pub sign_in: Option<SignInId>,
        /// Add it even if the test fails.
        #[serde(default)]
        pub skip_test: bool,
    }

    /// A receiver that says in the local network that it is there. Nothing of it is proved.
    pub struct FoundReceiver {
        /// What it calls itself: one short line.
        pub name: String,
        /// Where uploads would be created, at an address of a local network.
        pub url: String,
        /// By which it is known again; may be empty.
        pub id: String,
    }

    /// Adds a receiver as a destination, by the code that it shows.
    pub struct PairReceiver {
        /// Where uploads are created.
        pub url: String,
        /// What the person calls it.
        pub name: String,
        /// The code: eight digits, however they are parted.
        pub code: String,
    }

    /// A destination and what its test showed.
    pub struct AddedDestination {
        /// The destination.
        pub destination: Destination,
        /// The test; none if it was skipped.
        pub test: Option<DestinationTest>,
    }

    /// Changes what a destination's connector has to know beyond the addresses, after a test upload.
    pub struct SetConfig {
        /// All of it, with the addresses as they are.
        pub config: DestinationConfig,
        /// Change it even if the test fails.
        #[serde(default)]
        pub skip_test: bool,
    }

    /// The addresses of a destination.
    pub struct DestinationAddresses {
        /// All of them, in the order in which they are tried.
        pub addresses: Vec<String>,
        /// The one that is used now; none if none of several was used yet in this network.
        pub used: Option<String>,
    }

    /// Replaces the addresses of a destination, once the same server was found at each that is new.
    pub struct SetAddresses {
        /// All of them, in the order in which they are to be tried.
        pub addresses: Vec<String>,
        /// Whether photos and password may go unencrypted, as far as they stay in the local network; as it is if left out.
        #[serde(default)]
        pub cleartext: Option<bool>,
    }

    /// Gives a destination a new credential: a token or a sign-in.
    pub struct SetCredential {
        /// The account, if it is another one now: a user's name, the id of an access key.
        #[serde(default)]
        pub user: Option<String>,
        /// A token, password or key.
        pub token: Option<String>,
        /// A sign-in in the browser that is done.
        pub sign_in: Option<SignInId>,
    }

    /// Begins a sign-in in the browser, to Nextcloud or Google Photos.
    pub struct BeginSignIn {
        /// Where to.
        pub connector: Connector,
        /// The server's address; of Google Photos nothing for the usual one.
        pub url: String,
        /// What the connector has to know beyond the address; of Google Photos the id of the person's own OAuth client as `user`.
        #[serde(default)]
        pub config: DestinationConfig,
        /// The secret of that OAuth client.
        pub client_secret: Option<String>,
        /// A destination whose OAuth client is used again if no secret is given.
        pub destination_id: Option<DestinationId>,
    }

    /// A sign-in that waits for the person.
    pub struct SignIn {
        /// Names it, until it is used, cancelled or too old.
        pub id: SignInId,
        /// The page at which the person says yes, to be opened in a browser.
        pub open_url: String,
    }

    /// How a sign-in stands. What it gives stays in the service.
    #[serde(tag = "state", rename_all = "snake_case")]
    pub enum SignInState {
        /// The person has not answered yet.
        Waiting,
        /// It can be used.
        Done {
            /// The account's name, if the server tells.
            user: Option<String>,
        },
        /// It cannot be used.
        Failed {
            /// One sentence that says why.
            message: String,
        },
    }

    /// Makes a rule.
    pub struct AddRule {
        /// What to deliver.
        pub collection_id: CollectionId,
        /// Where to.
        pub destination_id: DestinationId,
    }

    /// Uploads files or assets now.
    pub struct CreateUpload {
        /// Absolute paths of files and folders; folders are opened up.
        #[serde(default)]
        pub paths: Vec<String>,
        /// Assets of the library.
        #[serde(default)]
        pub asset_ids: Vec<AssetId>,
        /// Where to.
        pub destination_id: DestinationId,
    }

    /// What an upload would do, or did.
    pub struct UploadPreview {
        /// Files to send.
        pub files: u64,
        /// Their bytes.
        pub bytes: u64,
        /// Files that the destination has already.
        pub already_delivered: u64,
        /// Files that cannot be sent, each with a sentence; at most 20.
        pub refused: Vec<String>,
        /// The jobs made; none for a preview, or if there was nothing to send.
        pub batch_id: Option<BatchId>,
    }

    /// Which jobs.
    pub struct JobIds {
        /// Empty for every job that the call can apply to.
        pub job_ids: Vec<JobId>,
    }

    /// How many jobs a call changed.
    pub struct Changed {
        /// Jobs.
        pub changed: u64,
    }

    /// A page of jobs, newest first.
    pub struct JobPage {
        /// Them.
        pub jobs: Vec<UploadJob>,
        /// Hand this back for the next page.
        pub cursor: Option<String>,
        /// All jobs by state.
        pub counts: JobCounts,
    }

    /// Pauses everything.
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum PauseRequest {
        /// Until the person resumes.
        Indefinitely,
        /// For so many seconds.
        For {
            /// Seconds.
            seconds: u64,
        },
        /// Until the next local midnight's morning, 06:00.
        UntilTomorrow,
        /// Until the charger is connected.
        UntilPluggedIn,
        /// Until the computer is on this network.
        UntilNetwork {
            /// Which, by `Network::key`.
            key: String,
            /// Its name for people.
            name: String,
        },
    }

    /// *Upload anyway*.
    pub struct UploadAnyway {
        /// What to lift.
        pub scope: OverrideScope,
    }

    /// The person's answer to a prompt, or a change of mind about an app.
    pub struct SetAccess {
        /// The answer.
        pub answer: AccessAnswer,
    }

    /// Asks for a window.
    pub struct OpenPane {
        /// Which pane: `library`, `uploads`, `apps`, `destinations`, `settings`, `drop`.
        pub pane: String,
    }

    /// Introduces a program. The call answers once the person has.
    pub struct PairRequest {
        /// What the program calls itself; shown to the person.
        pub name: String,
        /// URL bases it wants to send to: scheme, host, optional port and path.
        pub url_bases: Vec<String>,
    }

    /// What a paired program keeps.
    pub struct Paired {
        /// Its id.
        pub app_id: AppId,
        /// Its key: `Authorization: Bearer` on every further call.
        pub key: String,
        /// What the person answered.
        pub status: AuthorizationStatus,
    }

    /// Asks the person. Answers at once if they were asked before.
    pub struct RequestAuthorization {
        /// Further URL bases; the person is asked again if there are new ones.
        #[serde(default)]
        pub url_bases: Vec<String>,
    }

    /// What an app may see.
    pub struct Authorization {
        /// In one word.
        pub status: AuthorizationStatus,
        /// Where it may send.
        pub url_bases: Vec<String>,
    }

    /// Albums within the grant.
    pub struct Collections {
        /// Them.
        pub collections: Vec<AssetCollection>,
    }

    /// A page of assets within the grant.
    pub struct Assets {
        /// Them.
        pub assets: Vec<Asset>,
        /// Position of the first of them.
        pub offset: u64,
        /// Assets in all.
        pub total: u64,
    }

    /// The request that carries a resource.
    pub struct DestinationRequest {
        /// Where uploads are created, under one of the app's bases. May hold `{{name}}` where `JobBody` may.
        pub url: String,
        /// Header fields to add, such as `authorization`. Kept in the secret store, never shown again.
        #[serde(default)]
        pub headers: BTreeMap<String, String>,
    }

    /// Hands over one upload.
    pub struct CreateJob {
        /// The asset, as the app knows it.
        pub asset_id: AssetId,
        /// The file of it, as the app knows it.
        pub resource_id: ResourceId,
        /// Where to.
        pub destination: DestinationRequest,
        /// The requests that carry the file. Kept in the secret store.
        #[serde(default)]
        pub body: JobBody,
        /// A job of the same app that goes first. If it is not delivered, neither is this one.
        #[serde(default)]
        pub after: Option<JobId>,
        /// The app's own name for the job. The same twice is the same job.
        pub client_reference: Option<String>,
        /// What it asks for beyond the person's settings.
        #[serde(default)]
        pub options: UploadJobOptions,
    }

    /// Another request for a job, in place of the one that it had: an address signed anew for instance, or fresh header fields.
    pub struct RetryJob {
        /// Where to, of the same origin as before.
        pub destination: DestinationRequest,
        /// The requests that carry the file. Where address and requests stay the same, an upload goes on where it was.
        #[serde(default)]
        pub body: JobBody,
    }

    /// Narrows a list of jobs.
    #[derive(Default)]
    #[serde(default)]
    pub struct JobQuery {
        /// Only this state.
        pub state: Option<JobState>,
        /// Only those that need the person.
        pub attention: bool,
        /// Only this batch.
        pub batch_id: Option<BatchId>,
        /// Only this destination.
        pub destination_id: Option<DestinationId>,
        /// Only of this app.
        pub app_id: Option<AppId>,
        /// Only this asset.
        pub asset_id: Option<AssetId>,
        /// From a previous page.
        pub cursor: Option<String>,
        /// At most so many; 100 unless told, 1,000 at most.
        pub limit: Option<u32>,
    }
}

words! {
    /// Asks what would happen. Every fact that is left out is as it is now.
    #[derive(Default)]
    #[serde(default)]
    pub struct Simulate {
        /// On battery or not.
        pub on_battery: Option<bool>,
        /// Charge, percent.
        pub battery_percent: Option<u8>,
        /// Whether the system saves power.
        pub power_saver: Option<bool>,
        /// Whether there is a network at all.
        pub online: Option<bool>,
        /// Whether it is metered.
        pub metered: Option<bool>,
        /// Its name or key, of those that a rule names or the present one.
        pub network: Option<String>,
        /// Whether it is a tunnel.
        pub vpn: Option<bool>,
        /// Whether nobody uses the computer.
        pub idle: Option<bool>,
        /// How busy the processors are, percent.
        pub load_percent: Option<u8>,
        /// Room on the disk of the queue and the library's index.
        pub disk_free_bytes: Option<u64>,
        /// Local minute of the week, since Monday 00:00.
        pub minute_of_week: Option<u16>,
        /// Payload bytes sent today.
        pub bytes_today: Option<u64>,
        /// Who asks; a backup if left out.
        pub priority: Option<Priority>,
        /// Whether it is a video.
        pub is_video: bool,
        /// Where to, by id or name; one without rules of its own if left out.
        pub destination: Option<String>,
    }

    /// What would happen.
    pub struct Simulation {
        /// Whether it would go.
        pub goes: bool,
        /// One sentence.
        pub sentence: String,
        /// Every reason why it would not, the strongest first.
        pub waiting: Vec<Waiting>,
        /// How fast everything together might go.
        pub rate: Rate,
        /// The facts it was asked of.
        pub conditions: Conditions,
    }

    /// A time in which uploads went on.
    pub struct UploadRun {
        /// When the first began.
        pub started_at: Timestamp,
        /// When the last ended; none while it goes on.
        pub ended_at: Option<Timestamp>,
        /// Files delivered.
        pub files: u64,
        /// Payload bytes delivered.
        pub bytes: u64,
        /// Attempts that failed.
        pub failures: u64,
        /// Why it stopped; none if everything was delivered.
        pub stopped_by: Option<WaitingReason>,
        /// One sentence.
        pub sentence: String,
    }
}
