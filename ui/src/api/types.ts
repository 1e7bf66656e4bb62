// Written by `./dev bindings` from src-tauri/model. Do not edit.

/**
 * The person's answer.
 */
export type AccessAnswer = { "access": "selected", 
/**
 * Which.
 */
asset_ids: Array<AssetId>, } | { "access": "full" } | { "access": "deny" };

/**
 * What the Uploads pane draws.
 */
export type Activity = { 
/**
 * Payload bytes per second, one figure for each of the last 60 ten-second steps, oldest first.
 */
recent_bytes_per_s: Array<number>, 
/**
 * Payload bytes per day, local time, the last 30 days, oldest first.
 */
days: Array<DayBytes>, 
/**
 * Batches that move or have jobs left.
 */
open_batches: Array<Batch>, 
/**
 * Batches that ended, newest first, at most 50.
 */
finished_batches: Array<Batch>, };

/**
 * Adds a destination, after a test upload.
 */
export type AddDestination = { 
/**
 * Its protocol.
 */
connector: Connector, 
/**
 * Where uploads are created; of an archive, its folder: a path, a `file:` URL, or nothing for the usual place.
 */
url: string, 
/**
 * What the person calls it.
 */
name: string, 
/**
 * What its connector has to know beyond the address.
 */
config: DestinationConfig, 
/**
 * A token, password or key, if it wants one. Kept in the secret store.
 */
token: string | null, 
/**
 * Instead of a token, a sign-in in the browser that is done.
 */
sign_in: SignInId | null, 
/**
 * Add it even if the test fails.
 */
skip_test: boolean, };

/**
 * Makes a rule.
 */
export type AddRule = { 
/**
 * What to deliver.
 */
collection_id: CollectionId, 
/**
 * Where to.
 */
destination_id: DestinationId, };

/**
 * Gives a folder to the library.
 */
export type AddSource = { 
/**
 * Absolute path.
 */
path: string, };

/**
 * A destination and what its test showed.
 */
export type AddedDestination = { 
/**
 * The destination.
 */
destination: Destination, 
/**
 * The test; none if it was skipped.
 */
test: DestinationTest | null, };

/**
 * Makes an album, or renames it.
 */
export type AlbumTitle = { 
/**
 * What it is called.
 */
title: string, };

/**
 * What failed, in a word for code and a sentence for people.
 */
export type ApiError = { 
/**
 * `photos` for PhotoKit's codes, `transfer` for a delivery, `request` for a bad call.
 */
domain: string, 
/**
 * snake_case; documented with the verb that returns it.
 */
code: string, 
/**
 * What failed and what to do about it.
 */
message: string, 
/**
 * The certificate that a server showed and that is not trusted. Who knows it to be the server's can have exactly this one trusted.
 */
certificate?: Certificate | null, };

/**
 * Someone who asks for photos, and what the person answered.
 */
export type App = { 
/**
 * Stable id.
 */
id: AppId, 
/**
 * What it calls itself, or the destination's name.
 */
name: string, 
/**
 * Ours or another's.
 */
kind: AppKind, 
/**
 * Path of the program that paired, as the system saw it.
 */
executable: string | null, 
/**
 * What it may see.
 */
status: AuthorizationStatus, 
/**
 * Assets in the selection of a limited grant.
 */
selected: number, 
/**
 * URL bases that it may send to, as shown in the prompt.
 */
url_bases: Array<string>, 
/**
 * The destination of a connector.
 */
destination_id: DestinationId | null, 
/**
 * Bytes sent for it.
 */
bytes_sent: number, 
/**
 * When it first asked.
 */
created_at: Timestamp, 
/**
 * When it last did something.
 */
last_used_at: Timestamp | null, };

/**
 * A program that asks for photos, or one of our own connectors.
 */
export type AppId = string;

/**
 * What kind of program asks.
 */
export type AppKind = "connector" | "external";

/**
 * Something an app did or was told.
 */
export type AppLogEntry = { 
/**
 * When.
 */
at: Timestamp, 
/**
 * One sentence.
 */
sentence: string, };

/**
 * One photo or video as a person sees it.
 */
export type Asset = { 
/**
 * Derived from the content of the primary resource: the same after a move, a rename or a rebuilt index.
 */
id: AssetId, 
/**
 * What it is.
 */
media_type: MediaType, 
/**
 * What is special about it.
 */
media_subtypes: Array<MediaSubtype>, 
/**
 * When it was taken, by its metadata, else the file's modification time.
 */
creation_date: Timestamp, 
/**
 * When the library first saw it.
 */
added_date: Timestamp, 
/**
 * Width as shown, orientation applied. 0 if unknown.
 */
pixel_width: number, 
/**
 * Height as shown, orientation applied. 0 if unknown.
 */
pixel_height: number, 
/**
 * Length of a video in milliseconds.
 */
duration_ms: number | null, 
/**
 * EXIF orientation of the original, 1 to 8 (EXIF 2.32, tag 0x0112).
 */
orientation: number, 
/**
 * Maker and model.
 */
camera: string | null, 
/**
 * Where it was taken.
 */
location: Location | null, 
/**
 * Marked by the person.
 */
is_favorite: boolean, 
/**
 * Name of the primary resource.
 */
filename: string, 
/**
 * Bytes of all resources.
 */
byte_count: number, };

/**
 * An album of any kind.
 */
export type AssetCollection = { 
/**
 * Stable id.
 */
id: CollectionId, 
/**
 * What it is called.
 */
title: string, 
/**
 * What it is.
 */
kind: CollectionKind, 
/**
 * Which smart album, if it is one.
 */
smart_album: SmartAlbum | null, 
/**
 * The folder it belongs to, if it is one.
 */
source_id: SourceId | null, 
/**
 * Assets in it.
 */
count: number, };

/**
 * An asset with everything the detail pane shows.
 */
export type AssetDetail = { 
/**
 * The asset.
 */
asset: Asset, 
/**
 * Its files.
 */
resources: Array<AssetResource>, 
/**
 * Its jobs, newest first.
 */
jobs: Array<UploadJob>, };

/**
 * One photo or video as a person sees it.
 */
export type AssetId = string;

/**
 * A page of a grid.
 */
export type AssetPage = { 
/**
 * Assets, newest first.
 */
assets: Array<AssetTile>, 
/**
 * Position of the first of them in the collection.
 */
offset: number, 
/**
 * Assets in the collection.
 */
total: number, };

/**
 * One file of an asset.
 */
export type AssetResource = { 
/**
 * Derived from the file's content and its part in the asset.
 */
id: ResourceId, 
/**
 * The asset it belongs to.
 */
asset_id: AssetId, 
/**
 * Its part in the asset.
 */
resource_type: AssetResourceType, 
/**
 * Name on disk.
 */
original_filename: string, 
/**
 * Media type, by content.
 */
content_type: string, 
/**
 * Size in bytes.
 */
byte_count: number, 
/**
 * SHA-256 of the content, lower-case hexadecimal.
 */
sha256: string, 
/**
 * Whether it can be read now.
 */
source_state: SourceState, 
/**
 * Absolute paths of every place that holds these bytes, for people.
 */
paths: Array<string>, };

/**
 * What a file is to its asset. Names of `PHAssetResourceType`; an unknown kind is kept and delivered as it is.
 */
export type AssetResourceType = "photo" | "video" | "audio" | "alternate_photo" | "full_size_photo" | "full_size_video" | "adjustment_data" | "adjustment_base_photo" | "paired_video" | "full_size_paired_video" | "adjustment_base_paired_video" | "adjustment_base_video" | "photo_proxy" | "unknown";

/**
 * An asset as a tile of the grid shows it.
 */
export type AssetTile = { 
/**
 * The asset.
 */
id: AssetId, 
/**
 * Image or video.
 */
media_type: MediaType, 
/**
 * Badges.
 */
media_subtypes: Array<MediaSubtype>, 
/**
 * When it was taken.
 */
creation_date: Timestamp, 
/**
 * Width as shown; 0 if unknown.
 */
pixel_width: number, 
/**
 * Height as shown; 0 if unknown.
 */
pixel_height: number, 
/**
 * Length of a video.
 */
duration_ms: number | null, 
/**
 * Marked by the person.
 */
is_favorite: boolean, 
/**
 * Name of the primary resource, for screen readers.
 */
filename: string, 
/**
 * A thumbhash (21 bytes or so, base64) to show until the thumbnail is there.
 */
thumb_hash: string | null, 
/**
 * Where it stands on its way; none if no job is about it.
 */
badge: JobBadge | null, };

/**
 * Names of `PHAuthorizationStatus`.
 */
export type AuthorizationStatus = "not_determined" | "denied" | "limited" | "authorized";

/**
 * Jobs that were asked for together.
 */
export type Batch = { 
/**
 * Stable id.
 */
id: BatchId, 
/**
 * For people: what it is.
 */
title: string, 
/**
 * Who asked.
 */
app_id: AppId, 
/**
 * Where to.
 */
destination_id: DestinationId, 
/**
 * How it came to be.
 */
priority: Priority, 
/**
 * Jobs in it.
 */
jobs: JobCounts, 
/**
 * Bytes in it.
 */
bytes_total: number, 
/**
 * Bytes delivered or confirmed.
 */
bytes_sent: number, 
/**
 * An asset to show for it.
 */
key_asset: AssetId | null, 
/**
 * When it was made.
 */
created_at: Timestamp, 
/**
 * When its last job ended.
 */
finished_at: Timestamp | null, };

/**
 * A group of jobs that were asked for together.
 */
export type BatchId = string;

/**
 * What a battery allows.
 */
export type BatteryRule = "always" | "above_minimum" | "only_plugged_in";

/**
 * Begins a sign-in in the browser, to Nextcloud or Google Photos.
 */
export type BeginSignIn = { 
/**
 * Where to.
 */
connector: Connector, 
/**
 * The server's address; of Google Photos nothing for the usual one.
 */
url: string, 
/**
 * What the connector has to know beyond the address; of Google Photos the id of the person's own OAuth client as `user`.
 */
config: DestinationConfig, 
/**
 * The secret of that OAuth client.
 */
client_secret: string | null, 
/**
 * A destination whose OAuth client is used again if no secret is given.
 */
destination_id: DestinationId | null, };

/**
 * Begins a check of what could go to the trash. Nothing is moved by it.
 */
export type BeginSpaceCheck = { 
/**
 * Only what this destination holds, by id or name. A server at an address of this computer counts only if it is named here.
 */
destination_id: DestinationId | null, 
/**
 * Only assets of this collection, by id or title.
 */
collection_id: CollectionId | null, 
/**
 * Only assets taken before.
 */
taken_before: Timestamp | null, 
/**
 * Only assets that the library first saw before.
 */
added_before: Timestamp | null, 
/**
 * Offer at most so many assets: 1 to 10,000, else 1000.
 */
limit: number | null, 
/**
 * Have the files fetched back and compared where a destination shows no digest. Costs a download of each.
 */
read_back: boolean, };

/**
 * What was learnt of a server by asking it.
 */
export type Capabilities = { 
/**
 * The best grade it can give without a download.
 */
evidence: Evidence, 
/**
 * Largest upload in bytes.
 */
max_size: number | null, 
/**
 * Largest request body in bytes.
 */
max_append_size: number | null, 
/**
 * Whether an interrupted upload goes on where it stopped.
 */
resumable: boolean, 
/**
 * What the server calls itself, and its version; none if it does not say.
 */
server: string | null, 
/**
 * When it was asked.
 */
probed_at: Timestamp, };

/**
 * A certificate that a server showed and that is not trusted. All but its fingerprint is what it says of itself: nobody vouches for it.
 */
export type Certificate = { 
/**
 * SHA-256 of its DER form, lower-case hexadecimal.
 */
sha256: string, 
/**
 * Whom it was made for: its common name and organisation, one short line. None if it does not say.
 */
subject: string | null, 
/**
 * Who made it, likewise.
 */
issuer: string | null, 
/**
 * From when it is valid. None if the certificate cannot be read.
 */
valid_from: Timestamp | null, 
/**
 * Until when it is valid, likewise.
 */
valid_until: Timestamp | null, };

/**
 * How many jobs a call changed.
 */
export type Changed = { 
/**
 * Jobs.
 */
changed: number, };

/**
 * An album of any kind.
 */
export type CollectionId = string;

/**
 * What an album is.
 */
export type CollectionKind = "folder" | "album" | "smart_album";

/**
 * Everything the scheduler knows of the machine.
 */
export type Conditions = { 
/**
 * Battery, charger, profile.
 */
power: Power, 
/**
 * Network.
 */
network: Network, 
/**
 * Session.
 */
session: Session, 
/**
 * Load and room.
 */
resources: Resources, };

/**
 * The protocol of a destination.
 */
export type Connector = "resumable" | "archive" | "tus" | "immich" | "nextcloud" | "webdav" | "s3" | "google_photos" | "folder";

/**
 * Uploads files or assets now.
 */
export type CreateUpload = { 
/**
 * Absolute paths of files and folders; folders are opened up.
 */
paths: Array<string>, 
/**
 * Assets of the library.
 */
asset_ids: Array<AssetId>, 
/**
 * Where to.
 */
destination_id: DestinationId, };

/**
 * Bytes of one day.
 */
export type DayBytes = { 
/**
 * `2026-05-03`.
 */
day: string, 
/**
 * Payload bytes sent.
 */
bytes: number, };

/**
 * An account at a server.
 */
export type Destination = { 
/**
 * Stable id.
 */
id: DestinationId, 
/**
 * What the person calls it; unique.
 */
name: string, 
/**
 * Its protocol.
 */
connector: Connector, 
/**
 * Where uploads are created; of an archive, its folder as a `file:` URL.
 */
url: string, 
/**
 * What its connector has to know beyond the address.
 */
config: DestinationConfig, 
/**
 * Its own rules, beyond the person's settings.
 */
options: UploadJobOptions, 
/**
 * The app that answers for its photos' visibility: a connector of ours, or another program.
 */
app_id: AppId, 
/**
 * Whether it can be sent to.
 */
state: DestinationState, 
/**
 * What stands against it, if anything.
 */
problem: Failure | null, 
/**
 * What it can do; none before the first test.
 */
capabilities: Capabilities | null, 
/**
 * Whether the secret store has a credential of it.
 */
has_credential: boolean, 
/**
 * When it was added.
 */
created_at: Timestamp, 
/**
 * Files delivered.
 */
delivered: number, 
/**
 * Bytes delivered.
 */
delivered_bytes: number, };

/**
 * The addresses of a destination.
 */
export type DestinationAddresses = { 
/**
 * All of them, in the order in which they are tried.
 */
addresses: Array<string>, 
/**
 * The one that is used now; none if none of several was used yet in this network.
 */
used: string | null, };

/**
 * What a connector has to know beyond the address. Nothing of it is secret; what is missing has a usual value.
 */
export type DestinationConfig = { 
/**
 * The account: a user's name, the id of an access key or of an OAuth client.
 */
user: string | null, 
/**
 * Folder beneath which photos are put, with `/` between its parts; of a bucket, the prefix of its
 * keys; of Google Photos, the title of an album.
 */
folder: string | null, 
/**
 * Region of a bucket.
 */
region: string | null, 
/**
 * Whether a bucket's name is in the path instead of the host's name; none for what its address suggests.
 */
path_style: boolean | null, 
/**
 * How the objects of a bucket are named. Another layout later renames nothing.
 */
layout: Layout, 
/**
 * Whether each delivery is read back and compared, where that is possible.
 */
read_back: boolean, 
/**
 * Which versions of edited photos go there. Another wish later takes nothing back.
 */
versions: Versions, 
/**
 * The certificate that is trusted although nobody vouches for it: SHA-256 of its DER form, lower-case hexadecimal.
 */
certificate: string | null, 
/**
 * Whether photos and password may go unencrypted, as far as they stay in the local network.
 */
cleartext: boolean, 
/**
 * Further addresses of the same server, such as the one from outside of the home. They are tried in their order.
 */
addresses: Array<string>, 
/**
 * Addresses that it had before, newest first: what was delivered is named by them. Nothing is sent there.
 */
former_addresses: Array<string>, 
/**
 * What the server said of itself when it was tested, where it can be asked without a password. By it a server that is reached
 * unencrypted at another address is known again.
 */
identity: string | null, 
/**
 * Whether the albums of the library are made there as well, with what was delivered of them.
 */
albums: boolean, 
/**
 * Where the server shows photos.
 */
visibility: Visibility, };

/**
 * An account at a server.
 */
export type DestinationId = string;

/**
 * Whether a destination can be sent to.
 */
export type DestinationState = "ready" | "auth_required" | "unreachable" | "quota_exceeded" | "certificate_changed";

/**
 * What a test upload showed.
 */
export type DestinationTest = { 
/**
 * What it can do.
 */
capabilities: Capabilities, 
/**
 * Bytes that the account may still store; none if there is no limit or the server does not tell.
 */
room: number | null, 
/**
 * Milliseconds for the whole test.
 */
took_ms: number, 
/**
 * One sentence for people: what it can prove.
 */
sentence: string, };

/**
 * Puts assets into an album, or takes them out.
 */
export type EditAlbum = { 
/**
 * To put in.
 */
add: Array<AssetId>, 
/**
 * To take out.
 */
remove: Array<AssetId>, };

/**
 * One event of the owner's stream.
 */
export type Event = { "type": "snapshot", 
/**
 * Everything that the status line needs.
 */
status: Status, } | { "type": "status", 
/**
 * All of it.
 */
status: Status, } | { "type": "jobs_changed", 
/**
 * The assets whose badge may have changed, at most 500; empty for "ask for all".
 */
asset_ids: Array<AssetId>, } | { "type": "scan", 
/**
 * How far.
 */
progress: ScanProgress, } | { "type": "library_changed" } | { "type": "destinations_changed" } | { "type": "apps_changed" } | { "type": "prompts", 
/**
 * Those that wait now.
 */
prompts: Array<Prompt>, } | { "type": "settings_changed", 
/**
 * All of them.
 */
settings: Settings, } | { "type": "open", 
/**
 * Which pane: `library`, `uploads`, `apps`, `destinations`, `settings`, `drop`.
 */
pane: string, } | { "type": "overflow", 
/**
 * How many.
 */
missed: number, };

/**
 * How much a destination proved of a delivery, weakest first.
 */
export type Evidence = "accepted" | "sized" | "hashed" | "read_back";

/**
 * The answer to "why does this not move?".
 */
export type Explanation = { 
/**
 * The job asked for; none if the question was about everything.
 */
job_id: JobId | null, 
/**
 * One sentence.
 */
sentence: string, 
/**
 * Every reason, the strongest first; empty if it moves or has ended.
 */
waiting: Array<Waiting>, };

/**
 * What went wrong with an attempt.
 */
export type Failure = { 
/**
 * What it means for the future.
 */
class: FailureClass, 
/**
 * What failed.
 */
code: FailureCode, 
/**
 * What failed and what the person can do, one sentence or two.
 */
message: string, 
/**
 * The earliest time to try again that the server asked for, as a delay in milliseconds.
 */
retry_after_ms: number | null, 
/**
 * The certificate that the server showed and that is not trusted.
 */
certificate: Certificate | null, };

/**
 * What a failure means for the future.
 */
export type FailureClass = "transient" | "needs_user" | "permanent";

/**
 * What failed, in words that code may branch on.
 */
export type FailureCode = "timed_out" | "connection_lost" | "tls_failed" | "certificate_changed" | "captive_portal" | "destination_not_allowed" | "unencrypted" | "authentication_required" | "quota_exceeded" | "payload_too_large" | "offset_mismatch" | "length_inconsistent" | "digest_mismatch" | "source_changed" | "source_vanished" | "source_offline" | "source_unreadable" | "server_rejected" | "server_error" | "throttled" | "unexpected_answer" | "protocol_unsupported" | "access_denied" | "dependency_failed" | "internal";

/**
 * A receiver that says in the local network that it is there. Nothing of it is proved.
 */
export type FoundReceiver = { 
/**
 * What it calls itself: one short line.
 */
name: string, 
/**
 * Where uploads would be created, at an address of a local network.
 */
url: string, 
/**
 * By which it is known again; may be empty.
 */
id: string, };

/**
 * Whether the service answers, and for how long.
 */
export type Health = { 
/**
 * Version of the service.
 */
version: string, 
/**
 * Its process.
 */
pid: number, 
/**
 * When it started.
 */
started_at: Timestamp, };

/**
 * One mark for an asset, from all of its jobs; the worst wins.
 */
export type JobBadge = "delivered" | "uploading" | "waiting" | "attention";

/**
 * Jobs by state.
 */
export type JobCounts = { 
/**
 * Known.
 */
registered: number, 
/**
 * Under way.
 */
pending: number, 
/**
 * Delivered.
 */
succeeded: number, 
/**
 * Given up.
 */
failed: number, 
/**
 * Taken back.
 */
cancelled: number, };

/**
 * One resource to one destination.
 */
export type JobId = string;

/**
 * Which jobs.
 */
export type JobIds = { 
/**
 * Empty for every job that the call can apply to.
 */
job_ids: Array<JobId>, };

/**
 * A page of jobs, newest first.
 */
export type JobPage = { 
/**
 * Them.
 */
jobs: Array<UploadJob>, 
/**
 * Hand this back for the next page.
 */
cursor: string | null, 
/**
 * All jobs by state.
 */
counts: JobCounts, };

/**
 * Narrows a list of jobs.
 */
export type JobQuery = { 
/**
 * Only this state.
 */
state: JobState | null, 
/**
 * Only those that need the person.
 */
attention: boolean, 
/**
 * Only this batch.
 */
batch_id: BatchId | null, 
/**
 * Only this destination.
 */
destination_id: DestinationId | null, 
/**
 * Only of this app.
 */
app_id: AppId | null, 
/**
 * Only this asset.
 */
asset_id: AssetId | null, 
/**
 * From a previous page.
 */
cursor: string | null, 
/**
 * At most so many; 100 unless told, 1,000 at most.
 */
limit: number | null, };

/**
 * What a server answered, as far as it is kept.
 */
export type JobResponse = { 
/**
 * The status.
 */
status: number, 
/**
 * Header fields, names in lower case; without `set-cookie`, and no more than 8 KiB of them.
 */
headers: { [key in string]: string }, 
/**
 * The first 16 KiB of the body, as text.
 */
body: string, 
/**
 * Whether the body goes on.
 */
truncated: boolean, };

/**
 * PhotoKit's job states; raw values are those of `PHAssetResourceUploadJob.State`.
 */
export type JobState = "registered" | "pending" | "failed" | "succeeded" | "cancelled";

/**
 * Assets that stay for one reason.
 */
export type Kept = { 
/**
 * Why.
 */
reason: KeptReason, 
/**
 * How many assets.
 */
assets: number, 
/**
 * The same for people; where there is one, what the first of them was told.
 */
sentence: string, };

/**
 * Why an asset stays where it is.
 */
export type KeptReason = "not_delivered" | "on_this_computer" | "wanted" | "offline" | "read_only" | "destination_folder" | "changed" | "not_held" | "cannot_be_asked" | "unreachable";

/**
 * How the objects of a bucket are named.
 */
export type Layout = "names" | "content";

/**
 * Where a photo was taken, WGS 84 degrees.
 */
export type Location = { 
/**
 * North positive, -90 to 90.
 */
latitude: number, 
/**
 * East positive, -180 to 180.
 */
longitude: number, };

/**
 * What is special about an asset. A subset of `PHAssetMediaSubtype`, and `raw`.
 */
export type MediaSubtype = "panorama" | "screenshot" | "live" | "raw" | "animation" | "edited";

/**
 * What an asset is. Raw values are those of `PHAssetMediaType`.
 */
export type MediaType = "unknown" | "image" | "video" | "audio";

/**
 * Whether the network costs by the byte. NetworkManager's `Metered`.
 */
export type Metered = "unknown" | "no" | "guess_no" | "guess_yes" | "yes";

/**
 * A run of a grid: one month.
 */
export type MonthSection = { 
/**
 * `2026-05`, by local time at the camera.
 */
month: string, 
/**
 * Assets in it.
 */
count: number, };

/**
 * The person's word: these assets of a check may go to the trash.
 */
export type MoveToTrash = { 
/**
 * Which.
 */
asset_ids: Array<AssetId>, };

/**
 * What became of it.
 */
export type MovedToTrash = { 
/**
 * Every file, and of an asset that the check does not offer one entry without a path.
 */
files: Array<TrashedFile>, 
/**
 * Files that are in the trash now.
 */
moved: number, 
/**
 * Bytes of them.
 */
byte_count: number, };

/**
 * The network as it is now.
 */
export type Network = { 
/**
 * How far it reaches.
 */
reachability: Reachability, 
/**
 * Whether it costs by the byte.
 */
metered: Metered, 
/**
 * What carries it.
 */
kind: NetworkKind, 
/**
 * Name for people: the Wi-Fi's name, else the connection's or the interface's.
 */
name: string | null, 
/**
 * What tells this network from others, stable over reconnects; for *Upload anyway on this network*.
 */
key: string | null, };

/**
 * What the person says of a network.
 */
export type NetworkAccess = "allowed" | "denied";

/**
 * What carries the network.
 */
export type NetworkKind = "unknown" | "wired" | "wifi" | "cellular" | "vpn";

/**
 * What the person says of one network.
 */
export type NetworkRule = { 
/**
 * Which, by `Network::key`.
 */
key: string, 
/**
 * Its name for people, as it was when the rule was made.
 */
name: string, 
/**
 * What holds there.
 */
access: NetworkAccess, };

/**
 * Asks for a window.
 */
export type OpenPane = { 
/**
 * Which pane: `library`, `uploads`, `apps`, `destinations`, `settings`, `drop`.
 */
pane: string, };

/**
 * An *Upload anyway* that holds.
 */
export type Override = { 
/**
 * What it lifts.
 */
scope: OverrideScope, 
/**
 * The network it is bound to, by `Network::key`.
 */
network_key: string | null, 
/**
 * When it ends; none if it ends with its job, batch or network.
 */
until: Timestamp | null, 
/**
 * When it was given.
 */
created_at: Timestamp, };

/**
 * What *Upload anyway* lifts.
 */
export type OverrideScope = { "kind": "job", 
/**
 * Which.
 */
job_id: JobId, } | { "kind": "batch", 
/**
 * Which.
 */
batch_id: BatchId, } | { "kind": "hour" } | { "kind": "network" };

/**
 * Adds a receiver as a destination, by the code that it shows.
 */
export type PairReceiver = { 
/**
 * Where uploads are created.
 */
url: string, 
/**
 * What the person calls it.
 */
name: string, 
/**
 * The code: eight digits, however they are parted.
 */
code: string, };

/**
 * A pause that holds.
 */
export type Pause = { 
/**
 * When it was given.
 */
since: Timestamp, 
/**
 * What ends it.
 */
until: PauseUntil, };

/**
 * Pauses everything.
 */
export type PauseRequest = { "kind": "indefinitely" } | { "kind": "for", 
/**
 * Seconds.
 */
seconds: number, } | { "kind": "until_tomorrow" } | { "kind": "until_plugged_in" } | { "kind": "until_network", 
/**
 * Which, by `Network::key`.
 */
key: string, 
/**
 * Its name for people.
 */
name: string, };

/**
 * What ends a pause.
 */
export type PauseUntil = { "kind": "resumed" } | { "kind": "time", 
/**
 * Which.
 */
at: Timestamp, } | { "kind": "plugged_in" } | { "kind": "network", 
/**
 * Which, by `Network::key`.
 */
key: string, 
/**
 * Its name for people.
 */
name: string, };

/**
 * Where inside registered and pending a job is.
 */
export type Phase = "queued" | "waiting" | "preparing" | "checking_server" | "transferring" | "verifying" | "backing_off" | "held";

/**
 * Battery, charger and power profile.
 */
export type Power = { 
/**
 * Charger or battery.
 */
source: PowerSource, 
/**
 * Charge of the emptiest battery in percent; none without a battery or a reading.
 */
level_percent: number | null, 
/**
 * Whether the person asked the system to save power; none if no source could be read.
 */
power_saver: boolean | null, };

/**
 * Where the power comes from.
 */
export type PowerSource = "unknown" | "ac" | "battery";

/**
 * How a job came to be, and so how patient it is.
 */
export type Priority = "backup" | "app" | "user_initiated";

/**
 * A question that waits for the person.
 */
export type Prompt = { 
/**
 * Stable id.
 */
id: PromptId, 
/**
 * Who asks.
 */
app_id: AppId, 
/**
 * What it calls itself.
 */
app_name: string, 
/**
 * Path of the program, as the system saw it.
 */
executable: string | null, 
/**
 * Where it may send, if the person agrees.
 */
url_bases: Array<string>, 
/**
 * When it asked.
 */
created_at: Timestamp, };

/**
 * A question that waits for the person.
 */
export type PromptId = string;

/**
 * How fast uploads may go.
 */
export type Rate = { "kind": "unlimited" } | { "kind": "limited", 
/**
 * Bytes per second; never 0.
 */
bytes_per_s: number, } | { "kind": "stopped" };

/**
 * How far the network reaches. NetworkManager's `Connectivity`.
 */
export type Reachability = "unknown" | "none" | "captive_portal" | "limited" | "full";

/**
 * Proof of delivery.
 */
export type Receipt = { 
/**
 * The job that delivered it.
 */
job_id: JobId, 
/**
 * Where it is.
 */
destination_id: DestinationId, 
/**
 * SHA-256 of the bytes sent, lower-case hexadecimal.
 */
sha256: string, 
/**
 * Size in bytes.
 */
byte_count: number, 
/**
 * The server's name for it: a URL or an id.
 */
remote_id: string, 
/**
 * What was proved.
 */
evidence: Evidence, 
/**
 * When.
 */
delivered_at: Timestamp, };

/**
 * One file of an asset.
 */
export type ResourceId = string;

/**
 * What the machine has to spare. Looked at every 10 s while there is work that it matters to, and unknown otherwise, so that an
 * idle service sleeps.
 */
export type Resources = { 
/**
 * How busy the processors are, percent: of the last 10 s, the share in which something had to wait for one (Linux's pressure
 * stall information). Without it the load of the last minute by processor, 100 at most. None if no source could be read,
 * which holds nothing back.
 */
load_percent: number | null, 
/**
 * Room on the disk that holds the queue and the library's index, in whole MiB. None if it could not be read, which holds
 * nothing back.
 */
state_free_bytes: number | null, };

/**
 * A standing wish: keep this collection delivered to that destination.
 */
export type Rule = { 
/**
 * Stable id.
 */
id: RuleId, 
/**
 * What to deliver.
 */
collection_id: CollectionId, 
/**
 * Its title when last seen.
 */
collection_title: string, 
/**
 * Where to.
 */
destination_id: DestinationId, 
/**
 * When it was made.
 */
created_at: Timestamp, };

/**
 * A standing wish: keep a collection delivered to a destination.
 */
export type RuleId = string;

/**
 * How far the present run is. A run begins when something is queued and nothing was, and ends when nothing is left.
 */
export type RunProgress = { 
/**
 * Jobs delivered in it.
 */
done: number, 
/**
 * Jobs in it.
 */
total: number, 
/**
 * Bytes delivered or confirmed in it.
 */
bytes_done: number, 
/**
 * Bytes in it.
 */
bytes_total: number, 
/**
 * Seconds to go at the present speed.
 */
remaining_s: number | null, };

/**
 * How far a scan is.
 */
export type ScanProgress = { 
/**
 * The folder being looked through.
 */
source_id: SourceId, 
/**
 * Files found so far.
 */
found: number, 
/**
 * Files whose content is known.
 */
indexed: number, 
/**
 * Whether the walk has ended, so that `found` is final.
 */
counted: boolean, 
/**
 * Whether all is indexed.
 */
finished: boolean, };

/**
 * What the service is doing, in one word.
 */
export type ServiceState = "idle" | "uploading" | "waiting" | "paused" | "attention";

/**
 * The person's session, and the machine's sleep and end.
 */
export type Session = { 
/**
 * Whether the machine is about to sleep or asleep.
 */
suspending: boolean, 
/**
 * Whether the machine is about to be switched off or started anew. A person who only logs out ends the service itself.
 */
ending: boolean, 
/**
 * Whether nobody uses the computer; none if no source could be read, which holds nothing back.
 */
idle: boolean | null, 
/**
 * Whether the screen is locked; none if no source could be read.
 */
locked: boolean | null, };

/**
 * The person's answer to a prompt, or a change of mind about an app.
 */
export type SetAccess = { 
/**
 * The answer.
 */
answer: AccessAnswer, };

/**
 * Replaces the addresses of a destination, once the same server was found at each that is new.
 */
export type SetAddresses = { 
/**
 * All of them, in the order in which they are to be tried.
 */
addresses: Array<string>, 
/**
 * Whether photos and password may go unencrypted, as far as they stay in the local network; as it is if left out.
 */
cleartext: boolean | null, };

/**
 * Gives a destination a new credential: a token or a sign-in.
 */
export type SetCredential = { 
/**
 * The account, if it is another one now: a user's name, the id of an access key.
 */
user: string | null, 
/**
 * A token, password or key.
 */
token: string | null, 
/**
 * A sign-in in the browser that is done.
 */
sign_in: SignInId | null, };

/**
 * Marks assets, or takes the mark away.
 */
export type SetFavorite = { 
/**
 * Which.
 */
asset_ids: Array<AssetId>, 
/**
 * Marked or not.
 */
is_favorite: boolean, };

/**
 * The person's settings.
 */
export type Settings = { 
/**
 * Whether uploads go over a network that costs by the byte.
 */
allow_metered: boolean, 
/**
 * What a battery allows.
 */
battery: BatteryRule, 
/**
 * Charge in percent, 0 to 100, under which uploads wait on battery.
 */
battery_minimum_percent: number, 
/**
 * Whether uploads go on while the system saves power.
 */
allow_power_saver: boolean, 
/**
 * Whether uploads go through a tunnel (VPN).
 */
allow_vpn: boolean, 
/**
 * Networks that the person said something of.
 */
networks: Array<NetworkRule>, 
/**
 * Whether uploads go only over networks that are allowed by name.
 */
only_allowed_networks: boolean, 
/**
 * Hours and speeds of the week. The slower of this and `bandwidth_bytes_per_s` holds.
 */
timetable: Timetable, 
/**
 * Payload bytes in one local day; none for any number.
 */
bytes_per_day_max: number | null, 
/**
 * Whether uploads wait until nobody uses the computer.
 */
only_when_idle: boolean, 
/**
 * Whether uploads wait while the computer is busy with other work.
 */
spare_load: boolean, 
/**
 * What holds for videos beyond all this.
 */
videos: UploadJobOptions, 
/**
 * Which of these rules hold for what the person asked for now.
 */
user_initiated: UserInitiatedRules, 
/**
 * On battery, backups are gathered until so many bytes are ready, so that radio and disk sleep in between.
 */
gather_bytes: number, 
/**
 * On battery, the longest that a backup is gathered, minutes.
 */
gather_minutes: number, 
/**
 * Whether the computer is kept awake while it is plugged in and uploads go on.
 */
stay_awake: boolean, 
/**
 * Bytes per second for everything together; none for as fast as it goes.
 */
bandwidth_bytes_per_s: number | null, 
/**
 * Whether the service starts when the person logs in.
 */
start_at_login: boolean, 
/**
 * Whether notices are shown.
 */
notifications: boolean, 
/**
 * Whether the first run is over.
 */
onboarded: boolean, };

/**
 * A sign-in that waits for the person.
 */
export type SignIn = { 
/**
 * Names it, until it is used, cancelled or too old.
 */
id: SignInId, 
/**
 * The page at which the person says yes, to be opened in a browser.
 */
open_url: string, };

/**
 * A sign-in in the browser.
 */
export type SignInId = string;

/**
 * How a sign-in stands. What it gives stays in the service.
 */
export type SignInState = { "state": "waiting" } | { "state": "done", 
/**
 * The account's name, if the server tells.
 */
user: string | null, } | { "state": "failed", 
/**
 * One sentence that says why.
 */
message: string, };

/**
 * Asks what would happen. Every fact that is left out is as it is now.
 */
export type Simulate = { 
/**
 * On battery or not.
 */
on_battery: boolean | null, 
/**
 * Charge, percent.
 */
battery_percent: number | null, 
/**
 * Whether the system saves power.
 */
power_saver: boolean | null, 
/**
 * Whether there is a network at all.
 */
online: boolean | null, 
/**
 * Whether it is metered.
 */
metered: boolean | null, 
/**
 * Its name or key, of those that a rule names or the present one.
 */
network: string | null, 
/**
 * Whether it is a tunnel.
 */
vpn: boolean | null, 
/**
 * Whether nobody uses the computer.
 */
idle: boolean | null, 
/**
 * How busy the processors are, percent.
 */
load_percent: number | null, 
/**
 * Room on the disk of the queue and the library's index.
 */
disk_free_bytes: number | null, 
/**
 * Local minute of the week, since Monday 00:00.
 */
minute_of_week: number | null, 
/**
 * Payload bytes sent today.
 */
bytes_today: number | null, 
/**
 * Who asks; a backup if left out.
 */
priority: Priority | null, 
/**
 * Whether it is a video.
 */
is_video: boolean, 
/**
 * Where to, by id or name; one without rules of its own if left out.
 */
destination: string | null, };

/**
 * What would happen.
 */
export type Simulation = { 
/**
 * Whether it would go.
 */
goes: boolean, 
/**
 * One sentence.
 */
sentence: string, 
/**
 * Every reason why it would not, the strongest first.
 */
waiting: Array<Waiting>, 
/**
 * How fast everything together might go.
 */
rate: Rate, 
/**
 * The facts it was asked of.
 */
conditions: Conditions, };

/**
 * The albums that fill themselves. The id of such a collection is `smart:` and this name.
 */
export type SmartAlbum = "all_photos" | "recents" | "favourites" | "videos" | "live_photos" | "raw" | "screenshots" | "panoramas" | "not_backed_up";

/**
 * A folder that the person gave us.
 */
export type Source = { 
/**
 * Stable for this folder.
 */
id: SourceId, 
/**
 * Absolute path, as text for people. Bytes that are no UTF-8 are shown replaced.
 */
path: string, 
/**
 * Whether it is there now.
 */
online: boolean, 
/**
 * Assets with at least one file in it.
 */
assets: number, 
/**
 * Whether changes are seen at once. If not, `watch_problem` says why and the folder is looked through at intervals.
 */
watched: boolean, 
/**
 * Why watching failed, for people.
 */
watch_problem: string | null, 
/**
 * When a scan last went through all of it.
 */
scanned_at: Timestamp | null, 
/**
 * Files that could not be read in the last scan.
 */
unreadable: number, };

/**
 * A folder that the person gave us.
 */
export type SourceId = string;

/**
 * Whether a file can be read now.
 */
export type SourceState = "present" | "offline" | "changing";

/**
 * A check, as far as it is.
 */
export type SpaceCheck = { 
/**
 * Names it, until its proofs are too old.
 */
id: SpaceCheckId, 
/**
 * How far it is.
 */
state: SpaceCheckState, 
/**
 * Why it failed.
 */
problem: string | null, 
/**
 * Assets looked at.
 */
looked_at: number, 
/**
 * Assets to look at, before `taken_before`, `added_before` and `limit` leave some out.
 */
total: number, 
/**
 * What could go, once the check is done.
 */
assets: Array<SpareAsset>, 
/**
 * Bytes of it.
 */
byte_count: number, 
/**
 * What stays, by reason.
 */
kept: Array<Kept>, 
/**
 * Whether there may be more than `limit` let it offer.
 */
more: boolean, };

/**
 * A check of what could go to the trash.
 */
export type SpaceCheckId = string;

/**
 * How far a check is.
 */
export type SpaceCheckState = "running" | "done" | "failed";

/**
 * An asset whose every file a destination was just found to hold.
 */
export type SpareAsset = { 
/**
 * The asset.
 */
asset_id: AssetId, 
/**
 * Name of its primary file.
 */
filename: string, 
/**
 * Bytes of all its files.
 */
byte_count: number, 
/**
 * Its files, which go together.
 */
files: Array<SpareFile>, 
/**
 * Until when it may be moved: 15 minutes after the first of its files was asked for.
 */
valid_until: Timestamp, };

/**
 * A file that could go.
 */
export type SpareFile = { 
/**
 * Where it lies, for people.
 */
path: string, 
/**
 * Bytes.
 */
byte_count: number, 
/**
 * Which destination holds it.
 */
destination_id: DestinationId, 
/**
 * What that is called.
 */
destination_name: string, 
/**
 * What it showed.
 */
evidence: Evidence, 
/**
 * When.
 */
asked_at: Timestamp, };

/**
 * What the tray, the windows, the notices and `afterglow status` say.
 */
export type Status = { 
/**
 * In one word.
 */
state: ServiceState, 
/**
 * In one sentence.
 */
sentence: string, 
/**
 * A second, quieter sentence.
 */
detail: string | null, 
/**
 * The one button.
 */
action: StatusAction | null, 
/**
 * Jobs by state, all of them.
 */
jobs: JobCounts, 
/**
 * Jobs of the present run: those not ended when it began and those that came since.
 */
run: RunProgress, 
/**
 * Jobs that need the person.
 */
attention: number, 
/**
 * Destinations that need the person.
 */
attention_destinations: Array<DestinationId>, 
/**
 * Why what waits waits.
 */
waiting: Array<WaitingGroup>, 
/**
 * The machine.
 */
conditions: Conditions, 
/**
 * Payload of the last seconds.
 */
bytes_per_s: number, 
/**
 * A scan under way.
 */
scan: ScanProgress | null, 
/**
 * Whether the library or a rule is still being looked through, so that jobs may yet come.
 */
looking: boolean, 
/**
 * A pause that holds.
 */
pause: Pause | null, 
/**
 * Every *Upload anyway* that holds.
 */
overrides: Array<Override>, 
/**
 * Questions that wait for the person.
 */
prompts: Array<Prompt>, 
/**
 * Version of the service.
 */
version: string, 
/**
 * Its process.
 */
pid: number, };

/**
 * The one button beside the sentence.
 */
export type StatusAction = "pause" | "resume" | "upload_anyway" | "show";

/**
 * A folder that probably holds photos, offered at the first run.
 */
export type SuggestedSource = { 
/**
 * Absolute path.
 */
path: string, 
/**
 * Photos and videos counted in it; counting stops at 100,000.
 */
photos: number, };

/**
 * Wall time in milliseconds since 1970-01-01T00:00:00Z.
 */
export type Timestamp = number;

/**
 * What holds when, through a week of local time that begins anew every Monday. Ascending by minute, each minute once; empty for
 * a week without limits. Before the first change the last one holds.
 */
export type Timetable = Array<TimetableChange>;

/**
 * From this minute of the week on, this rate holds.
 */
export type TimetableChange = { 
/**
 * Minutes since Monday 00:00, local time; under 10,080.
 */
minute_of_week: number, 
/**
 * What holds from then on.
 */
rate: Rate, };

/**
 * One file.
 */
export type TrashedFile = { 
/**
 * Its asset.
 */
asset_id: AssetId, 
/**
 * Where it lay.
 */
path: string | null, 
/**
 * Bytes.
 */
byte_count: number, 
/**
 * Why it stayed; none if it is in the trash.
 */
problem: string | null, };

/**
 * *Upload anyway*.
 */
export type UploadAnyway = { 
/**
 * What to lift.
 */
scope: OverrideScope, };

/**
 * One resource to one destination.
 */
export type UploadJob = { 
/**
 * Stable id.
 */
id: JobId, 
/**
 * The jobs asked for together with it.
 */
batch_id: BatchId, 
/**
 * Who asked.
 */
app_id: AppId, 
/**
 * Where to.
 */
destination_id: DestinationId, 
/**
 * The asset, if it is in the library.
 */
asset_id: AssetId | null, 
/**
 * The file, if it is in the library.
 */
resource_id: ResourceId | null, 
/**
 * Its part in the asset.
 */
resource_type: AssetResourceType, 
/**
 * Name it is sent under.
 */
filename: string, 
/**
 * Size in bytes.
 */
byte_count: number, 
/**
 * PhotoKit's state.
 */
state: JobState, 
/**
 * Where inside it.
 */
phase: Phase, 
/**
 * How it came to be.
 */
priority: Priority, 
/**
 * Why it does not move; never empty while it waits, backs off or is held.
 */
waiting: Array<Waiting>, 
/**
 * Attempts made.
 */
attempts: number, 
/**
 * Bytes that the server confirmed, of this content.
 */
bytes_sent: number, 
/**
 * When the next attempt is due.
 */
next_attempt_at: Timestamp | null, 
/**
 * What went wrong last.
 */
failure: Failure | null, 
/**
 * Proof, once delivered.
 */
receipt: Receipt | null, 
/**
 * Whether the app has taken note of the end.
 */
acknowledged: boolean, 
/**
 * The app's own name for it. The same twice is the same job.
 */
client_reference: string | null, 
/**
 * The job that goes before it.
 */
after: JobId | null, 
/**
 * What the server last answered, of a job whose request an app describes.
 */
response: JobResponse | null, 
/**
 * When it was made.
 */
created_at: Timestamp, 
/**
 * When it ended.
 */
finished_at: Timestamp | null, };

/**
 * What a destination, an app, a kind of file or a job asks for beyond the person's settings. It can only make them stricter.
 */
export type UploadJobOptions = { 
/**
 * Not over a metered network, whatever the settings say.
 */
prevents_expensive_network_access: boolean, 
/**
 * Only when plugged in.
 */
requires_external_power: boolean, 
/**
 * Charge in percent under which it waits on battery.
 */
minimum_battery_percent: number | null, 
/**
 * Only when nobody uses the computer.
 */
requires_idle: boolean, 
/**
 * Only over these networks, by `Network::key`; empty for any.
 */
trusted_networks: Array<string>, };

/**
 * What an upload would do, or did.
 */
export type UploadPreview = { 
/**
 * Files to send.
 */
files: number, 
/**
 * Their bytes.
 */
bytes: number, 
/**
 * Files that the destination has already.
 */
already_delivered: number, 
/**
 * Files that cannot be sent, each with a sentence; at most 20.
 */
refused: Array<string>, 
/**
 * The jobs made; none for a preview, or if there was nothing to send.
 */
batch_id: BatchId | null, };

/**
 * A time in which uploads went on.
 */
export type UploadRun = { 
/**
 * When the first began.
 */
started_at: Timestamp, 
/**
 * When the last ended; none while it goes on.
 */
ended_at: Timestamp | null, 
/**
 * Files delivered.
 */
files: number, 
/**
 * Payload bytes delivered.
 */
bytes: number, 
/**
 * Attempts that failed.
 */
failures: number, 
/**
 * Why it stopped; none if everything was delivered.
 */
stopped_by: WaitingReason | null, 
/**
 * One sentence.
 */
sentence: string, };

/**
 * Which of the person's rules hold for what the person asked for now.
 */
export type UserInitiatedRules = "network" | "all";

/**
 * Which versions of an edited photo go to a destination.
 */
export type Versions = "both" | "originals" | "edits";

/**
 * Where a server shows what is sent to it, if it knows such a thing.
 */
export type Visibility = "timeline" | "archive" | "locked";

/**
 * One reason, of one job or of many.
 */
export type Waiting = { 
/**
 * Which.
 */
reason: WaitingReason, 
/**
 * Since when.
 */
since: Timestamp, 
/**
 * Until when, if that is known.
 */
until: Timestamp | null, 
/**
 * What is true, why, and what would change it.
 */
sentence: string, };

/**
 * The jobs that wait for the same reason at the same destination.
 */
export type WaitingGroup = { 
/**
 * Which reason.
 */
reason: WaitingReason, 
/**
 * Where the jobs go.
 */
destination_id: DestinationId, 
/**
 * How many.
 */
jobs: number, 
/**
 * Their bytes.
 */
bytes: number, 
/**
 * Since when.
 */
since: Timestamp, 
/**
 * Until when, if that is known.
 */
until: Timestamp | null, 
/**
 * What is true, why, and what would change it.
 */
sentence: string, 
/**
 * Whether *Upload anyway* lifts it.
 */
can_override: boolean, };

/**
 * Every reason for which a job may not move. None is a failure; each has something that lifts it.
 */
export type WaitingReason = "no_network" | "captive_portal" | "destination_unreachable" | "expensive_network" | "untrusted_network" | "outside_window" | "data_cap_reached" | "device_busy" | "gathering" | "battery_low" | "power_saver" | "not_charging" | "suspending" | "session_ending" | "thermal_or_load" | "source_offline" | "source_changing" | "backoff" | "job_limit" | "group_member" | "paused_by_user" | "auth_required" | "quota_exceeded" | "certificate_changed" | "access_withdrawn" | "disk_full";

