//! What a delivery is asked for with, what it reports, and how it ends.

use std::{fmt, path::PathBuf};

use afterglow_model::{DestinationConfig, DestinationId, Evidence, Failure, JobBody, JobId, JobResponse, Phase};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

pub use crate::source::Pin;

/// Where to, and as whom.
#[derive(Clone)]
pub struct Account {
    /// Where uploads are created. Credentials are sent to this origin only, and to those of its further addresses in `config`.
    pub url: Url,
    /// What the connector has to know beyond the address.
    pub config: DestinationConfig,
    /// The token, password or key, if there is one. Each connector knows how its server wants it; `Debug` does not show it.
    pub secret: Option<String>,
    /// Header fields of every request beyond the connector's own. Secret, too.
    pub headers: Vec<(String, String)>,
    /// A Unix socket that is connected to instead of the URL's host, for a server inside this computer.
    pub socket: Option<PathBuf>,
    /// The requests, if an app describes them, instead of the connector's.
    pub described: Option<Described>,
}

/// The requests that an app describes.
#[derive(Debug, Clone)]
pub struct Described {
    /// Of what they are made.
    pub body: JobBody,
    /// The answer to the job that went first.
    pub after: Option<JobResponse>,
}

impl Described {
    /// Whether its requests are the app's own instead of a protocol's.
    pub(crate) fn is_without_protocol(&self) -> bool {
        match self.body {
            JobBody::Resumable | JobBody::Tus => false,
            JobBody::Raw { .. } | JobBody::Multipart { .. } | JobBody::PresignedParts { .. } => true,
        }
    }
}

impl Account {
    /// An account without a credential.
    pub fn at(url: Url) -> Self {
        Self { url, config: DestinationConfig::default(), secret: None, headers: Vec::new(), socket: None, described: None }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Account")
            .field("url", &self.url.as_str())
            .field("config", &self.config)
            .field("headers", &names)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// One file to one destination.
#[derive(Debug, Clone)]
pub struct Order {
    /// The job, for journal and progress.
    pub job_id: JobId,
    /// The destination, part of the key that makes a repeat harmless.
    pub destination_id: DestinationId,
    /// The folder that the person gave us.
    pub root: PathBuf,
    /// The file beneath it: relative to `root`, or absolute and beginning with it.
    pub path: PathBuf,
    /// The name it is sent under.
    pub filename: String,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its size in bytes.
    pub byte_count: u64,
    /// SHA-256 of its content, hexadecimal. Other bytes are never completed.
    pub sha256: String,
    /// When the picture was taken, milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// What else of its asset is there.
    pub companions: Companions,
    /// What an editor wrote beside it, for a protocol that [carries](afterglow_model::Connector::knows_assets) it along.
    pub sidecar: Option<Sidecar>,
    /// A session of an earlier attempt.
    pub session: Option<Session>,
}

/// An XMP file that goes with a photo. It is opened as the photo is; one that cannot be read stays behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// The folder that the person gave us.
    pub root: PathBuf,
    /// The file beneath it.
    pub path: PathBuf,
}

/// What else of a file's asset the destination holds, by the server's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Companions {
    /// The video of the Live Photo whose still this file is.
    pub paired_video: Option<String>,
    /// The still of the Live Photo whose video this file is.
    pub still: Option<String>,
    /// Whether this file is a Live Photo's video, its still being there already or yet to come.
    pub is_paired_video: bool,
    /// The file that shows the asset, if this one only stands beside it.
    pub shown: Option<String>,
    /// The others that stand beside the one that shows the asset.
    pub beside: Vec<String>,
}

/// An upload that the server has begun for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The server's URL for it.
    pub upload_url: String,
    /// The version of the file that it was begun with.
    pub pin: Pin,
    /// Seconds after which the server forgets it, as it said when it began.
    pub max_age_s: Option<u64>,
}

/// An album that a server is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Album {
    /// What it is called.
    pub title: String,
    /// The server's name for it, if it was made or found before.
    pub remote_id: Option<String>,
    /// The server's names for what is to be in it; at most [`Album::ASSETS_MAX`].
    pub assets: Vec<String>,
}

impl Album {
    /// So many go with one request, and their answer is not too long to be read.
    pub const ASSETS_MAX: usize = 250;
}

/// What a server has of an [`Album`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// The server's name for the album.
    pub remote_id: String,
    /// What is in it, of what was to be. The server refused the rest.
    pub assets: Vec<String>,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The server has it.
    Delivered(Delivered),
    /// It was asked to stop. The session is kept for later.
    Stopped,
    /// It did not work.
    Failed(Failure),
}

/// What the server proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The server's name for it.
    pub remote_id: String,
    /// To what grade.
    pub evidence: Evidence,
    /// SHA-256 of the bytes sent, lower-case hexadecimal.
    pub sha256: String,
    /// Their number.
    pub byte_count: u64,
}

/// What could not be written down.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct JournalError(pub String);

/// Where a delivery writes down what it must know after a crash. A call returns once that is durable.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The server has begun an upload. No payload is sent before this returns.
    async fn session_opened(&self, job_id: &JobId, session: &Session) -> Result<(), JournalError>;
    /// The server confirmed the first `bytes` bytes.
    async fn offset(&self, job_id: &JobId, bytes: u64) -> Result<(), JournalError>;
    /// The session is of no use any more.
    async fn session_lost(&self, job_id: &JobId) -> Result<(), JournalError>;
}

/// Who is told how a delivery goes on. Must not block.
pub trait Progress: Send + Sync {
    /// Where inside the delivery it is.
    fn phase(&self, job_id: &JobId, phase: Phase);
    /// The server confirmed the first `bytes` bytes.
    fn confirmed(&self, job_id: &JobId, bytes: u64);
    /// What the server answered last to requests that an app describes.
    fn answered(&self, _job_id: &JobId, _response: JobResponse) {}
}
