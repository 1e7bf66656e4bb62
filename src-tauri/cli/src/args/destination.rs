//! The words of where photos go, and which.

use std::time::Duration;

use afterglow_client::model::{Layout, Versions, Visibility};
use clap::{Subcommand, ValueEnum};

use super::parse_duration;

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
