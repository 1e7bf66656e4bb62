//! A server that receives resumable uploads: the embedded default destination, and `afterglow receive` on another computer.
//!
//! It speaks "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload-11, interop version 8). Resources: `/files`,
//! `/uploads/{id}`, `/objects`, `/objects/{yyyy}/{mm}/{name}`; all need a sender's token. `/pairing` gives one to whoever knows the
//! code that the receiver shows, if it shows one.
//!
//! Guarantees:
//! - An upload that was answered as stored is durable, its bytes have the SHA-256 that the answer tells, and it stands whole in
//!   its folder.
//!   Half of a file is never visible there, and no file is ever overwritten.
//! - The same content of one sender is one object, whatever the order of requests, crashes and repetitions.
//! - An offset that was told is on disk; uploads go on where they were after a crash of the sender or of the receiver.
//! - What one sender stores or uploads does not exist for another.
//!
//! - In the network it speaks TLS, unless it is told not to, with a certificate of its own that senders hold to.
//!
//! Deliberately absent: certificates that others vouch for (put a reverse proxy before it), accounts, and reading what is
//! uploaded.
//!
//! The folder holds `yyyy/mm/name` with the photos (by their `Last-Modified`, UTC) and `.afterglow/` with the ledger, uploads
//! under way, the token, and the certificate with its key.

mod active;
mod certificate;
mod digest;
mod fields;
mod finish;
mod http;
mod intake;
mod ledger;
mod name;
mod pairing;
mod private;
mod problem;
mod senders;
mod server;
mod staging;
mod store;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use afterglow_nearby::Code;
pub use ledger::LedgerError;
pub use pairing::PairingEnd;
pub use senders::SenderToken;

use certificate::Certificate;
use http::listener::{Conversation, Listener};
use ledger::Ledger;
use pairing::Pairing;
use senders::Senders;
use server::Server;
use store::Store;

/// How long [`Receiver::shutdown`] waits for running requests.
const SHUTDOWN_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long [`start`] waits for a receiver of the same folder that is just ending.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(3);
/// How often the lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// How often uploads that are too old are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// In the network, by TLS; port 0 takes a free one.
    Tls(SocketAddr),
    /// In the network, unencrypted: behind a reverse proxy, or where nobody else listens.
    Tcp(SocketAddr),
    /// At a Unix socket, for this user alone. A socket that lies there from an earlier receiver is replaced.
    #[cfg(unix)]
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tls(address) | Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// How to receive.
#[derive(Debug, Clone)]
pub struct ReceiverOptions {
    /// The folder that takes the photos; made if it is not there.
    pub dir: PathBuf,
    /// Where to listen.
    pub listen: Listen,
    /// Who may send. Without any, nobody may.
    pub tokens: Vec<SenderToken>,
    /// Largest file that is taken, in bytes; told to senders as `max-size`.
    pub max_size: Option<u64>,
    /// Keeps finished files in this bucket (`s3://bucket/prefix`) instead of `dir`; region, endpoint and keys come from the
    /// `AWS_*` environment variables. Uploads under way stay in `dir`.
    pub bucket: Option<String>,
    /// How long a sender may pause inside a request before it is ended; what came is kept. It is the time to agree on keys as well, up
    /// to ten seconds.
    pub silence_max: Duration,
}

impl ReceiverOptions {
    /// A folder as storage, no limit of size, and 60 s of patience.
    pub fn new(dir: PathBuf, listen: Listen, tokens: Vec<SenderToken>) -> Self {
        Self { dir, listen, tokens, max_size: None, bucket: None, silence_max: Duration::from_secs(60) }
    }
}

/// Why a receiver could not start.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The folder cannot be used.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another receiver uses the folder.
    #[error("another receiver uses the folder {}; end it, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {source}; choose another port, or end the program that uses it")]
    Listen {
        /// Which one.
        address: Listen,
        /// Why.
        source: io::Error,
    },
    /// The certificate that was made for the folder cannot be used. Another one would be a stranger to every sender.
    #[error(
        "cannot use the receiver's certificate and key in {}: {why}; restore the file, or remove it to have another made, which \
         each sender then has to be told to trust", path.display()
    )]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A token is empty, or its hash is not 64 hexadecimal digits.
    #[error("a sender's token is empty or malformed; give a text, or sha256: and 64 hexadecimal digits")]
    Token,
    /// The storage is not usable.
    #[error("cannot use the storage: {0}; check the bucket's address and the AWS_* variables")]
    Storage(#[from] object_store::Error),
    /// The ledger is not usable.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A receiver that runs. Dropping it ends it at once, as a crash would; [`Receiver::shutdown`] ends it in good order.
pub struct Receiver {
    address: Listen,
    id: String,
    certificate: Option<String>,
    server: Server,
    closing: CancellationToken,
    abort: CancellationToken,
    tasks: TaskTracker,
}

/// Starts to receive.
pub async fn start(options: ReceiverOptions) -> Result<Receiver, ReceiverError> {
    let unusable = |source| ReceiverError::Folder { path: options.dir.clone(), source };
    let senders = Senders::new(&options.tokens).ok_or(ReceiverError::Token)?;
    let folder = private::folder(&options.dir).map_err(unusable)?;
    let lock = lock(&folder, &options.dir).await?;
    let staging = folder.join("uploads");
    std::fs::create_dir_all(&staging).map_err(unusable)?;
    let ledger = Ledger::open(&folder.join("ledger.sqlite"))?;
    let store = match &options.bucket {
        Some(url) => Store::bucket(url)?,
        None => Store::folder(&options.dir)?,
    };
    let certificate = match &options.listen {
        Listen::Tls(_) => Some(Certificate::of_folder(&folder)?),
        Listen::Tcp(_) => None,
        #[cfg(unix)]
        Listen::Unix(_) => None,
    };
    let (certificate, tls) = certificate.map(|own| (own.sha256, TlsAcceptor::from(own.config))).unzip();
    let server = Server::new(&options, senders, Pairing::new(certificate.clone()), ledger, store, staging, lock);
    server.recover().await?;
    server.admit_again().await?;
    let id = private::word(&folder.join("id")).map_err(unusable)?;

    let refused = |source| ReceiverError::Listen { address: options.listen.clone(), source };
    let (listener, address) = Listener::bind(&options.listen).await.map_err(refused)?;
    let (closing, abort, tasks) = (server.closing.clone(), CancellationToken::new(), TaskTracker::new());
    tasks.spawn(expire(server.clone()));
    let shared = server.clone();
    let conversation = Conversation { tls, patience: options.silence_max, router: http::router(server), closing: closing.clone() };
    tasks.spawn(http::listener::serve(listener, conversation, tasks.clone(), abort.clone()));
    tasks.close();
    tracing::info!(%address, "receiving");
    Ok(Receiver { address, id, certificate, server: shared, closing, abort, tasks })
}

impl Receiver {
    /// Where it listens.
    pub fn address(&self) -> &Listen {
        &self.address
    }

    /// The URL that senders on this computer create uploads at. At a Unix socket the host means nothing.
    pub fn url(&self) -> String {
        let (scheme, mut address) = match &self.address {
            Listen::Tls(address) => ("https", *address),
            Listen::Tcp(address) => ("http", *address),
            #[cfg(unix)]
            Listen::Unix(_) => return "http://archive/files".to_owned(),
        };
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        format!("{scheme}://{address}/files")
    }

    /// SHA-256 of the certificate that it shows, in lower-case hexadecimal; none if it speaks no TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// By which the receiver of this folder is known again: a random word, and no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lets one computer become a sender that shows it knows this code. It is valid once, for ten minutes and four wrong answers; an
    /// earlier one is valid no more.
    pub fn offer_pairing(&self) -> Code {
        self.server.pairing.offer()
    }

    /// Waits until the code that was offered last is valid no more.
    pub async fn pairing_ended(&self) -> PairingEnd {
        self.server.pairing.ended().await
    }

    /// Stops listening, ends transfers (what came is kept), lets running requests answer for 5 s at most, and returns.
    pub async fn shutdown(self) {
        self.closing.cancel();
        if tokio::time::timeout(SHUTDOWN_WAIT_MAX, self.tasks.wait()).await.is_err() {
            tracing::warn!("some senders did not let go in time");
        }
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.closing.cancel();
        self.abort.cancel();
    }
}

async fn lock(folder: &Path, dir: &Path) -> Result<std::fs::File, ReceiverError> {
    let unusable = |source| ReceiverError::Folder { path: dir.to_owned(), source };
    let file = std::fs::File::create(folder.join("lock")).map_err(unusable)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT_MAX => tokio::time::sleep(LOCK_PAUSE).await,
            Err(std::fs::TryLockError::WouldBlock) => return Err(ReceiverError::InUse(dir.to_owned())),
            Err(std::fs::TryLockError::Error(source)) => return Err(unusable(source)),
        }
    }
}

async fn expire(server: Server) {
    let mut interval = tokio::time::interval(EXPIRY_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while server.closing.run_until_cancelled(interval.tick()).await.is_some() {
        if let Err(error) = server.expire().await {
            tracing::warn!(%error, "old uploads could not be ended");
        }
    }
}
