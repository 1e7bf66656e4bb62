//! The words of the command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use afterglow_client::model::{Layout, Rate, Timetable, Versions, Visibility};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

/// Uploads photos in the background: with the window closed, when it is sensible, and until they are proved to have arrived.
#[derive(Debug, Parser)]
#[command(
    name = "afterglow",
    version,
    after_help = "Exit codes: 0 done · 1 error · 2 wrong usage · 3 something needs your attention (wait) · 4 timed out (wait)"
)]
pub(crate) struct Args {
    /// Keep all state, configuration, cache and sockets in this folder (also AFTERGLOW_HOME).
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the background service.
    Serve(ServeArgs),
    /// Receive uploads from other computers, or from this one.
    Receive(ReceiveArgs),
    /// Show everything at work, on sample photos or your own.
    Demo(DemoArgs),
    /// Say what Afterglow is doing.
    Status,
    /// The folders of the library.
    #[command(subcommand)]
    Library(LibraryCommand),
    /// Albums.
    #[command(subcommand)]
    Album(AlbumCommand),
    /// Where photos go.
    #[command(subcommand)]
    Destination(DestinationCommand),
    /// Keep an album delivered to a destination.
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Upload files and folders now.
    Add {
        /// Files and folders.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The destination's name.
        #[arg(long, value_name = "NAME")]
        to: String,
    },
    /// Wait until everything is delivered.
    Wait {
        /// Give up after so long: 90s, 5m, 2h.
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        timeout: Option<Duration>,
    },
    /// List uploads.
    Jobs {
        /// Only those in this state.
        #[arg(long)]
        state: Option<StateArg>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Say why an upload, or everything, does not move.
    Why {
        /// The upload's id.
        job: Option<String>,
    },
    /// Other programs, and what they may see.
    #[command(subcommand)]
    App(AppCommand),
    /// The rules of when uploads go.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// When uploads went on, and why they stopped.
    History {
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Stop uploading for a while.
    Pause {
        /// For so long: 30m, 1h. Without it until `resume`.
        #[arg(long = "for", value_parser = parse_duration, value_name = "TIME")]
        time: Option<Duration>,
    },
    /// Go on uploading.
    Resume,
    /// Upload anyway: lift what your own rules hold back.
    Now {
        /// Only this upload.
        #[arg(long, conflicts_with = "network")]
        job: Option<String>,
        /// As long as this network lasts; without it for an hour.
        #[arg(long)]
        network: bool,
    },
    /// Try failed uploads again; all of them if none is named.
    Retry {
        /// Uploads' ids.
        jobs: Vec<String>,
    },
    /// Take uploads back.
    Cancel {
        /// Uploads' ids.
        #[arg(required = true)]
        jobs: Vec<String>,
    },
    /// Say which files could go to the trash, since a destination shows now that it holds them; move them if you say so.
    FreeUpSpace(FreeUpSpaceArgs),
    /// Open a window.
    Open {
        /// Which pane.
        #[arg(default_value = "library")]
        pane: String,
    },
    /// End the background service. What is under way goes on at its next start.
    Quit,
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Draw a thumbnail of the picture on standard input; the service's worker.
    #[command(hide = true)]
    Decode {
        /// Longer side in pixels.
        #[arg(long)]
        size: u32,
        /// EXIF orientation, 1 to 8.
        #[arg(long)]
        orientation: u8,
    },
    /// Print the OpenAPI document of a socket.
    #[command(hide = true)]
    Openapi {
        /// Which socket.
        socket: Socket,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Socket {
    /// The windows' and command line's.
    Owner,
    /// Other programs'.
    Apps,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Show no tray icon.
    #[arg(long)]
    pub(crate) no_tray: bool,
    /// Show no notices.
    #[arg(long)]
    pub(crate) no_notifications: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReceiveArgs {
    /// The folder that uploads go into.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// Write the URL for senders into this file once it listens.
    #[arg(long, value_name = "FILE")]
    pub(crate) url_file: Option<PathBuf>,
    /// The token that senders show. Without it one is made, and kept in the folder. Prefer AFTERGLOW_RECEIVE_TOKEN: other
    /// users can read a command line.
    #[arg(long, env = "AFTERGLOW_RECEIVE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Keep finished files in this bucket instead of the folder; region, endpoint and keys come from the AWS_* variables.
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub(crate) bucket: Option<String>,
    /// Say in the local network, under this name, that it is here, and show a code by which a computer becomes a sender.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "Afterglow receiver")]
    pub(crate) announce: Option<String>,
    /// Largest file taken, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_size: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Use these photos instead of drawn ones.
    #[arg(long, value_name = "DIR")]
    pub(crate) photos: Option<PathBuf>,
    /// Open no window.
    #[arg(long)]
    pub(crate) no_window: bool,
    /// Stop the service and the receiver at the end, even if a window is open.
    #[arg(long)]
    pub(crate) stop: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FreeUpSpaceArgs {
    /// Only what this destination holds. A server at an address of this computer counts only if you name it: a tunnel may lead on.
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<String>,
    /// Only photos of this album: its title or id.
    #[arg(long)]
    pub(crate) album: Option<String>,
    /// Only photos taken before this day: 2026-01-31.
    #[arg(long, value_name = "DATE")]
    pub(crate) before: Option<jiff::civil::Date>,
    /// Only photos that the library first saw before this day.
    #[arg(long, value_name = "DATE")]
    pub(crate) added_before: Option<jiff::civil::Date>,
    /// At most so many photos, 1 to 10000; 1000 unless said.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: Option<u32>,
    /// Fetch each file back and compare it, where a destination shows no digest.
    #[arg(long)]
    pub(crate) read_back: bool,
    /// Move what is found to the trash, after asking you.
    #[arg(long)]
    pub(crate) move_to_trash: bool,
    /// Do not ask, for scripts.
    #[arg(long, requires = "move_to_trash")]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LibraryCommand {
    /// Add a folder.
    Add {
        /// The folder.
        folder: PathBuf,
    },
    /// List the folders.
    List,
    /// Look through all folders again.
    Scan,
    /// Forget a folder; its files stay.
    Remove {
        /// The folder, or its id.
        folder: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlbumCommand {
    /// List the albums.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DestinationCommand {
    /// Add a destination, after a real test upload.
    Add {
        /// Its protocol.
        connector: ConnectorArg,
        /// Its address: a URL. Of a folder or archive its path; an archive and Google Photos have a usual one. Of a receiver its URL,
        /// or the name that `discover` shows.
        url: Option<String>,
        /// What you call it.
        #[arg(long)]
        name: String,
        /// The code that a receiver shows.
        #[arg(long, value_name = "1234-5678")]
        code: Option<String>,
        /// Your account there: a user's name; of a bucket, the id of the access key.
        #[arg(long, conflicts_with = "client_id")]
        user: Option<String>,
        /// Folder there beneath which photos are put; of a bucket, the prefix of its keys; of Google Photos, an album.
        #[arg(long)]
        folder: Option<String>,
        /// Region of a bucket.
        #[arg(long)]
        region: Option<String>,
        /// Whether the bucket's name is in the path of the address instead of its host.
        #[arg(long)]
        path_style: Option<bool>,
        /// How the objects of a bucket are named.
        #[arg(long, default_value = "names")]
        layout: LayoutArg,
        /// Read back and compare each delivery, where that is possible.
        #[arg(long)]
        read_back: bool,
        /// Of Immich: make the library's albums there, too.
        #[arg(long)]
        albums: bool,
        /// Of Immich: where photos are shown there.
        #[arg(long, value_enum, default_value = "timeline")]
        visibility: VisibilityArg,
        /// Which versions of edited photos go there.
        #[arg(long, default_value = "both")]
        versions: VersionsArg,
        /// Another address of the same server, tried if the first does not answer; may be given several times.
        #[arg(long, value_name = "URL")]
        also: Vec<String>,
        /// Trust exactly the certificate with this fingerprint, although nobody vouches for it.
        #[arg(long, value_name = "SHA256")]
        trust_certificate: Option<String>,
        #[command(flatten)]
        open: CleartextArg,
        /// Read the token, password or key from the standard input.
        #[arg(long, conflicts_with_all = ["sign_in", "client_secret_stdin"])]
        token_stdin: bool,
        #[command(flatten)]
        browser: BrowserArgs,
        /// Add it without a test.
        #[arg(long)]
        no_test: bool,
    },
    /// Search the local network for receivers that announce themselves.
    Discover {
        /// Search for so long: 3s.
        #[arg(long, value_parser = parse_duration, value_name = "TIME", default_value = "3s")]
        timeout: Duration,
    },
    /// List the destinations.
    List,
    /// Test a destination with a real small upload.
    Test {
        /// Its name.
        name: String,
    },
    /// Give a destination a new token, password or key, read from the standard input, or sign in again in the browser.
    SignIn {
        /// Its name.
        name: String,
        /// Your account there, if it is another one now: a user's name; of a bucket, the id of the access key.
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        browser: BrowserArgs,
    },
    /// Trust exactly the certificate with this fingerprint: of a server for which nobody vouches, or whose certificate has changed.
    Trust {
        /// Its name.
        name: String,
        /// The fingerprint, as it was shown.
        sha256: String,
    },
    /// Say which versions of edited photos go to a destination. What is missing there is sent; nothing there is removed.
    Versions {
        /// Its name.
        name: String,
        /// Which.
        versions: VersionsArg,
    },
    /// Say whether the library's albums are made at Immich, too. No album there is ever removed.
    Albums {
        /// Its name.
        name: String,
        /// Whether they are.
        wish: Switch,
    },
    /// Say where Immich shows photos that are sent from now on.
    Visibility {
        /// Its name.
        name: String,
        /// Where.
        visibility: VisibilityArg,
    },
    /// The addresses at which a destination is reached.
    Address {
        /// Its name.
        name: String,
        #[command(subcommand)]
        command: AddressCommand,
    },
    /// Remove a destination. What was delivered stays there.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AddressCommand {
    /// List them in the order in which they are tried.
    List,
    /// Add one, once the same server was found there.
    Add {
        /// The address.
        url: String,
        /// Its place, 1 for the first to be tried; without it, it is the last.
        #[arg(long, value_name = "PLACE")]
        place: Option<usize>,
        #[command(flatten)]
        open: CleartextArg,
    },
    /// Replace one by another, once the same server was found there.
    Change {
        /// The address as it is.
        url: String,
        /// The address as it is to be.
        to: String,
        #[command(flatten)]
        open: CleartextArg,
    },
    /// Try one earlier or later than the others.
    Move {
        /// The address.
        url: String,
        /// Its place, 1 for the first to be tried.
        place: usize,
    },
    /// Remove one; not the last.
    Remove {
        /// The address.
        url: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct CleartextArg {
    /// Let photos and password go unencrypted, only within the local network.
    #[arg(long)]
    pub(crate) cleartext: bool,
}

/// Signing in in the browser.
#[derive(Debug, clap::Args)]
pub(crate) struct BrowserArgs {
    /// Sign in in the browser instead; Nextcloud and Google Photos.
    #[arg(long)]
    pub(crate) sign_in: bool,
    /// The id of your OAuth client for Google Photos.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Read the secret of your OAuth client from the standard input.
    #[arg(long)]
    pub(crate) client_secret_stdin: bool,
    /// Open no browser, only say which page is to be opened.
    #[arg(long)]
    pub(crate) no_browser: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ConnectorArg {
    /// IETF resumable uploads for HTTP: `afterglow receive` and others.
    Resumable,
    /// An archive on this computer: a folder.
    Archive,
    /// tus 1.0.
    Tus,
    /// Immich, with an API key.
    Immich,
    /// Nextcloud, after a sign-in in the browser or with an app password.
    Nextcloud,
    /// Any WebDAV server, such as a NAS.
    Webdav,
    /// A bucket of S3, or of a store that speaks its protocol.
    S3,
    /// Google Photos, with an OAuth client of your own.
    GooglePhotos,
    /// A folder or drive.
    Folder,
    /// Another computer that runs `afterglow receive --announce`, with the code that it shows.
    Receiver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum VisibilityArg {
    /// Among all photos.
    Timeline,
    /// Apart from them.
    Archive,
    /// Only behind a code.
    Locked,
}

impl From<VisibilityArg> for Visibility {
    fn from(arg: VisibilityArg) -> Self {
        match arg {
            VisibilityArg::Timeline => Self::Timeline,
            VisibilityArg::Archive => Self::Archive,
            VisibilityArg::Locked => Self::Locked,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LayoutArg {
    /// By date, and by their own names.
    Names,
    /// By their content: a name that is changed makes no second object.
    Content,
}

impl From<LayoutArg> for Layout {
    fn from(arg: LayoutArg) -> Self {
        match arg {
            LayoutArg::Names => Self::Names,
            LayoutArg::Content => Self::Content,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum VersionsArg {
    /// The original and what came of it by editing.
    Both,
    /// What the camera wrote.
    Originals,
    /// What came of it by editing; the original where there is none.
    Edits,
}

impl From<VersionsArg> for Versions {
    fn from(arg: VersionsArg) -> Self {
        match arg {
            VersionsArg::Both => Self::Both,
            VersionsArg::Originals => Self::Originals,
            VersionsArg::Edits => Self::Edits,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuleCommand {
    /// Make a rule.
    Add {
        /// The album: its title or id. "All Photos" is everything.
        #[arg(long)]
        album: String,
        /// The destination's name.
        #[arg(long)]
        to: String,
    },
    /// List the rules.
    List,
    /// Remove a rule.
    Remove {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List apps and connectors.
    List,
    /// Let an app see photos; answers its question if it waits.
    Grant {
        /// Its name or id.
        app: String,
        /// The whole library.
        #[arg(long, conflicts_with_all = ["album", "asset"])]
        full: bool,
        /// The photos that are in this album now.
        #[arg(long)]
        album: Option<String>,
        /// These photos.
        #[arg(long)]
        asset: Vec<String>,
    },
    /// Take access away. Uploads under way stop at once.
    Revoke {
        /// Its name or id.
        app: String,
    },
    /// What an app did and was told.
    Log {
        /// Its name or id.
        app: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Say what the rules are.
    Show,
    /// Change them. What is left out stays as it is.
    Set(Box<SetRules>),
    /// Say what would happen: "on battery at 30 % on a hotspot at 3 am?" What is left out is as it is now.
    Simulate(Box<SimulateArgs>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetRules {
    /// Whether uploads go over metered networks.
    #[arg(long, value_name = "true|false")]
    pub(crate) metered: Option<bool>,
    /// What a battery allows.
    #[arg(long)]
    pub(crate) battery: Option<BatteryArg>,
    /// Charge under which uploads wait on battery.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) battery_minimum: Option<u8>,
    /// Whether uploads go on while the system saves power.
    #[arg(long, value_name = "true|false")]
    pub(crate) power_saver: Option<bool>,
    /// Whether uploads go through a VPN.
    #[arg(long, value_name = "true|false")]
    pub(crate) vpn: Option<bool>,
    /// Uploads always go on this network; "this" is the present one.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_network: Vec<String>,
    /// Uploads never go on this network; "this" is the present one.
    #[arg(long, value_name = "NAME")]
    pub(crate) deny_network: Vec<String>,
    /// Nothing is said of this network any more.
    #[arg(long, value_name = "NAME")]
    pub(crate) forget_network: Vec<String>,
    /// Whether uploads go over no other network than the allowed ones.
    #[arg(long, value_name = "true|false")]
    pub(crate) only_allowed_networks: Option<bool>,
    /// Hours and speeds of the week, as rclone has them: "08:00,512k 18:00,off Sat-00:00,stop". "off" is no limit, "stop" no uploads.
    #[arg(long)]
    pub(crate) timetable: Option<Timetable>,
    /// Most bytes per second: 500k, 2M, off.
    #[arg(long, value_name = "RATE")]
    pub(crate) bandwidth: Option<Rate>,
    /// Most bytes per day: 2G, off.
    #[arg(long, value_name = "SIZE")]
    pub(crate) bytes_per_day: Option<Rate>,
    /// Whether uploads wait until nobody uses the computer.
    #[arg(long, value_name = "true|false")]
    pub(crate) only_when_idle: Option<bool>,
    /// Whether uploads wait while the computer is busy with other work.
    #[arg(long, value_name = "true|false")]
    pub(crate) spare_load: Option<bool>,
    /// Whether videos go only when plugged in.
    #[arg(long, value_name = "true|false")]
    pub(crate) videos_only_plugged_in: Option<bool>,
    /// Whether videos go only over unmetered networks.
    #[arg(long, value_name = "true|false")]
    pub(crate) videos_only_unmetered: Option<bool>,
    /// Whether videos go only when nobody uses the computer.
    #[arg(long, value_name = "true|false")]
    pub(crate) videos_only_when_idle: Option<bool>,
    /// Whether all rules also hold for what you ask for yourself.
    #[arg(long, value_name = "true|false")]
    pub(crate) mine_waits_too: Option<bool>,
    /// On battery, backups go once so much is ready: 16M.
    #[arg(long, value_name = "SIZE")]
    pub(crate) gather_bytes: Option<Rate>,
    /// On battery, backups wait for others so long at most; 0 to send each at once.
    #[arg(long, value_name = "MINUTES")]
    pub(crate) gather_minutes: Option<u32>,
    /// Whether the computer is kept awake while it is plugged in and uploads go on.
    #[arg(long, value_name = "true|false")]
    pub(crate) stay_awake: Option<bool>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// On battery, with this charge in percent.
    #[arg(long, value_name = "PERCENT", conflicts_with = "plugged_in", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) battery: Option<u8>,
    /// Plugged in.
    #[arg(long)]
    pub(crate) plugged_in: bool,
    /// Whether the system saves power.
    #[arg(long, value_name = "true|false")]
    pub(crate) power_saver: Option<bool>,
    /// Without a network.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Whether the network is metered.
    #[arg(long, value_name = "true|false")]
    pub(crate) metered: Option<bool>,
    /// On this network.
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Whether it is a VPN.
    #[arg(long, value_name = "true|false")]
    pub(crate) vpn: Option<bool>,
    /// Whether nobody uses the computer.
    #[arg(long, value_name = "true|false")]
    pub(crate) idle: Option<bool>,
    /// With the processors so busy, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) load: Option<u8>,
    /// With so much room on the disk that holds the queue: 50M.
    #[arg(long, value_name = "SIZE")]
    pub(crate) disk_free: Option<Rate>,
    /// At this time: 03:00, Mon-03:00.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// With so much sent today: 1G.
    #[arg(long, value_name = "SIZE")]
    pub(crate) bytes_today: Option<Rate>,
    /// For something you ask for yourself, not a backup.
    #[arg(long)]
    pub(crate) mine: bool,
    /// For a video.
    #[arg(long)]
    pub(crate) video: bool,
    /// To this destination.
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum BatteryArg {
    /// As if plugged in.
    Always,
    /// While the charge is above the minimum.
    AboveMinimum,
    /// Not on battery.
    OnlyPluggedIn,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StateArg {
    /// Known, nothing sent yet.
    Registered,
    /// Under way.
    Pending,
    /// Given up.
    Failed,
    /// Delivered.
    Succeeded,
    /// Taken back.
    Cancelled,
}

/// `90s`, `5m`, `1h`, `1h30m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text.parse().map_err(|_| format!("{text} is no length of time. Write 90s, 5m or 2h."))?;
    let duration = jiff::SignedDuration::try_from(span).map_err(|error| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a length of time is not negative".to_owned())
}

/// Prints completions.
pub(crate) fn completions(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Args::command(), "afterglow", &mut std::io::stdout());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(parse_duration("-5m").is_err());
        assert!(parse_duration("soon").is_err());
    }
}
