//! The entry: what all transfers share, and the four things that can be asked for.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use afterglow_model::{
    Capabilities, Connector, DestinationConfig, DestinationTest, Evidence, Failure, FailureClass, FailureCode, JobBody, Visibility,
};
use afterglow_nearby::Code;
use reqwest::Client;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    bandwidth::Bandwidth,
    destination::{Destination, Setback},
    driver::{Delivery, End},
    failure,
    folder::Folder,
    google::{self, Google},
    immich::{self, Immich},
    line::Line,
    nextcloud::{Nextcloud, login::Credential},
    notes::{Notebook, Notes},
    order::{Account, Album, Described, Journal, Mirrored, Order, Outcome, Progress, Session},
    pair::{self, Paired},
    payload::Pace,
    proxies::{DesktopProxy, Proxies},
    reading::Reading,
    request::Requests,
    resumable::Resumable,
    route::{self, Errand, Remembering},
    s3::{self, S3},
    trial,
    trust::System,
    tus::Tus,
    webdav::Webdav,
    wire::Wire,
};

/// Kilobytes of small files in memory at a time, of all transfers together: on a line of 40 ms, enough for a hundred megabytes a second.
const ROOM_KB: u32 = 4 * 1024;

/// How transfers are made. The defaults are meant for use; tests shorten them.
#[derive(Debug, Clone)]
pub struct TransferOptions {
    /// Files up to this size are read whole and sent in one request where the server makes that safe. Bytes.
    pub small_bytes: u64,
    /// Larger files are read in blocks of this size. Bytes.
    pub block_bytes: usize,
    /// A line on which nothing moves for this long is left.
    pub stall: Duration,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// The server's offset is confirmed and written down at least every so many bytes.
    pub checkpoint_bytes: u64,
    /// How we name ourselves.
    pub user_agent: String,
    /// Who knows the desktop's proxy; none where nobody is to be asked.
    pub desktop_proxy: Option<Arc<dyn DesktopProxy>>,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            small_bytes: 1 << 20,
            block_bytes: 256 * 1024,
            stall: Duration::from_secs(25),
            connect: Duration::from_secs(15),
            checkpoint_bytes: 32 << 20,
            user_agent: concat!("Afterglow/", env!("CARGO_PKG_VERSION")).to_owned(),
            desktop_proxy: None,
        }
    }
}

/// The HTTP client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Of HTTP.
    #[error("the HTTP client could not be set up: {0}")]
    Http(#[from] reqwest::Error),
    /// Of TLS.
    #[error("the system's certificates could not be read: {0}")]
    Tls(#[from] rustls::Error),
}

/// All transfers of the service: their connections, their common cap and their counter. Clones share them.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    system: System,
    pub(crate) options: TransferOptions,
    pub(crate) bandwidth: Arc<Bandwidth>,
    pub(crate) sent: Arc<AtomicU64>,
    reading: Reading,
    /// Room for small files, which are in memory as long as they are under way: kilobytes.
    room: Semaphore,
    proxies: Arc<Proxies>,
    /// Connections, by the way in which servers are reached.
    lines: Mutex<HashMap<Line, Client>>,
    /// How quick the way to a server was, by origin.
    paces: Mutex<HashMap<url::Origin, Pace>>,
    /// Which of several addresses of a server is used, by the first of them.
    used: Mutex<HashMap<Url, Url>>,
    /// What servers were found to prove, by the URL where uploads are created. Asked anew after a restart.
    learnt: Mutex<HashMap<Url, Evidence>>,
    /// The largest bodies that were not refused as too large, by origin.
    largest_bodies: Mutex<HashMap<url::Origin, u64>>,
    pub(crate) notes: Notes,
    /// Accounts at Google.
    pub(crate) google: google::Accounts,
    /// What deliveries to Immich ask for at the same time.
    questions: immich::Questions,
    /// Keys of buckets that deliveries under way are about to store under.
    reserved: s3::Reserved,
}

impl Transfer {
    /// Sets up connections; nothing is sent.
    ///
    /// # Errors
    /// If the system's TLS certificates cannot be read.
    pub fn new(options: TransferOptions) -> Result<Self, SetupError> {
        Self::with_notes(options, Notes::default())
    }

    /// The same, with what was found out about servers in earlier runs: what `notebook` was given to keep, unless that was long ago.
    ///
    /// # Errors
    /// If the system's TLS certificates cannot be read.
    pub fn remembering(
        options: TransferOptions,
        kept: impl IntoIterator<Item = (Connector, Url, u8)>,
        notebook: Box<dyn Notebook>,
    ) -> Result<Self, SetupError> {
        Self::with_notes(options, Notes::of(kept, notebook))
    }

    fn with_notes(options: TransferOptions, notes: Notes) -> Result<Self, SetupError> {
        let proxies = Arc::new(Proxies::new(options.desktop_proxy.clone()));
        let shared = Shared {
            system: System::new()?,
            options,
            reading: Reading::default(),
            room: Semaphore::new(ROOM_KB as usize),
            proxies,
            lines: Mutex::new(HashMap::new()),
            paces: Mutex::new(HashMap::new()),
            used: Mutex::new(HashMap::new()),
            bandwidth: Arc::new(Bandwidth::unlimited()),
            sent: Arc::new(AtomicU64::new(0)),
            learnt: Mutex::new(HashMap::new()),
            largest_bodies: Mutex::new(HashMap::new()),
            notes,
            google: google::Accounts::default(),
            questions: immich::Questions::default(),
            reserved: s3::Reserved::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Caps all transfers together, in bytes per second, from now on; none lifts the cap.
    pub fn set_bandwidth(&self, bytes_per_s: Option<u64>) {
        self.shared.bandwidth.set(bytes_per_s);
    }

    /// Payload bytes handed to the network since the start, repeats included. Never decreases.
    pub fn bytes_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Delivers one file. Returns once it is delivered, cannot be for now, or `cancel` asks to stop.
    ///
    /// Safe to repeat with what the journal last held, after any end and after a crash.
    pub async fn deliver(
        &self,
        connector: Connector,
        account: &Account,
        order: &Order,
        journal: &dyn Journal,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Outcome {
        let journal = Remembering::new(journal, order.session.clone());
        let ever = account.ever();
        let addresses = account.bases().len();
        let mut left = addresses;
        loop {
            let by = match self.shared.route(connector, account, Errand::Delivery, cancel).await {
                Ok(by) => by,
                Err(Setback::Stopped) => return Outcome::Stopped,
                Err(setback) => return Outcome::Failed(trial::failure_of(setback)),
            };
            let session = journal.session().and_then(|session| route::session_over(connector, session, &ever, &by.url));
            let order =
                if session == order.session { Cow::Borrowed(order) } else { Cow::Owned(Order { session, ..order.clone() }) };
            left -= 1;
            match self.deliver_by(connector, &by, &order, &journal, progress, cancel).await {
                Outcome::Failed(failure) if route::lies_on_the_way(&failure) => {
                    self.shared.leave(&account.url, &by.url);
                    if left == 0 {
                        return Outcome::Failed(if addresses > 1 { route::elsewhere(failure) } else { failure });
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Delivers over the account's own address.
    async fn deliver_by(
        &self,
        connector: Connector,
        account: &Account,
        order: &Order,
        journal: &dyn Journal,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Outcome {
        let destination = match self.connect(connector, account, cancel) {
            Ok(destination) => destination,
            Err(failure) => return Outcome::Failed(failure),
        };
        let Shared { options, reading, .. } = &*self.shared;
        let _room = tokio::select! {
            biased;
            () = cancel.cancelled() => return Outcome::Stopped,
            room = self.shared.room(order) => room,
        };
        let delivery = Delivery { destination: destination.as_ref(), options, reading, order, journal, progress, cancel };
        let described = account.described.as_ref().is_some_and(Described::is_without_protocol);
        let takes_whole = async || match self.shared.learnt(&account.url) {
            // Each may have a URL of its own, of which there is nothing to learn.
            _ if described => Ok(destination.takes_whole(Evidence::Accepted)),
            // Whatever the server proves, and so it need not be asked.
            None if destination.takes_whole(Evidence::Accepted) => Ok(true),
            Some(evidence) => Ok(destination.takes_whole(evidence)),
            None => match destination.probe().await {
                Ok(capabilities) => {
                    self.shared.learn(&account.url, capabilities.evidence);
                    Ok(destination.takes_whole(capabilities.evidence))
                }
                // What stands against it, creating an upload will tell better.
                Err(setback @ (Setback::Stopped | Setback::Doubt(_))) => Err(setback),
                Err(_) => Ok(false),
            },
        };
        let ended = delivery.run(takes_whole).await;
        if let Some(response) = destination.answer() {
            progress.answered(&order.job_id, response);
        }
        match ended {
            Ok(delivered) => {
                if !described {
                    // A server that computed a digest once does so for small files as well.
                    self.shared.learn(&account.url, delivered.evidence);
                }
                Outcome::Delivered(delivered)
            }
            Err(End::Stopped) => Outcome::Stopped,
            Err(End::Failed(failure)) => Outcome::Failed(failure),
        }
    }

    /// Asks what a server can do. Nothing is left there.
    ///
    /// # Errors
    /// What stands against sending to it.
    pub async fn probe(&self, connector: Connector, account: &Account) -> Result<Capabilities, Failure> {
        let cancel = CancellationToken::new();
        let account = &*self.route(connector, account, Errand::Trial, &cancel).await?;
        let destination = self.connect(connector, account, &cancel)?;
        let capabilities = destination.probe().await.map_err(trial::failure_of)?;
        self.shared.learn(&account.url, capabilities.evidence);
        Ok(capabilities)
    }

    /// Uploads a small picture, compares what the server proves, and removes it again if the server lets us.
    ///
    /// # Errors
    /// What stands against sending to it.
    pub async fn test(&self, connector: Connector, account: &Account) -> Result<DestinationTest, Failure> {
        let cancel = CancellationToken::new();
        let mut account = self.route(connector, account, Errand::Trial, &cancel).await?.into_owned();
        // What is locked up could not be removed again.
        account.config.visibility = Visibility::Timeline;
        let destination = self.connect(connector, &account, &cancel)?;
        let tested = match trial::run(destination.as_ref()).await {
            // What it does not take is known by now, and left out.
            Err(Failure { class: FailureClass::Transient, code: FailureCode::ServerRejected, .. }) => {
                trial::run(destination.as_ref()).await?
            }
            tested => tested?,
        };
        self.shared.learn(&account.url, tested.capabilities.evidence);
        Ok(tested)
    }

    /// Puts what was delivered into an album there: see [`Album`]. None if the one that was named is not there any more. Safe to repeat.
    ///
    /// # Errors
    /// What stands against it. It says nothing of deliveries.
    pub async fn mirror(&self, connector: Connector, account: &Account, album: &Album) -> Result<Option<Mirrored>, Failure> {
        let cancel = CancellationToken::new();
        let account = &*self.route(connector, account, Errand::Delivery, &cancel).await?;
        self.connect(connector, account, &cancel)?.mirror(album).await.map_err(trial::failure_of)
    }

    /// Shows a receiver that we know the code on its screen.
    ///
    /// # Errors
    /// What stands against it; the code may be used up.
    pub async fn pair(&self, account: &Account, code: &Code) -> Result<Paired, Failure> {
        let cancel = CancellationToken::new();
        if account.url.scheme() != "http" && account.url.scheme() != "https" {
            return Err(failure::no_address(account.url.as_str()));
        }
        let exchange =
            async |account: &Account| pair::run(Wire::new(&self.shared, Connector::Resumable, account, &[], &cancel)?, code).await;
        match exchange(account).await {
            // Nobody vouches for a receiver. The exchange goes over whatever is shown, and proves whether it is the receiver's.
            Err(Failure { code: FailureCode::TlsFailed, certificate: Some(shown), .. }) => {
                let config = DestinationConfig { certificate: Some(shown.sha256), ..account.config.clone() };
                exchange(&Account { config, ..account.clone() }).await
            }
            paired => paired,
        }
    }

    /// Who the server says it is to somebody without a credential; none if it does not say. To be kept as the account's `identity` once the
    /// person has seen it work.
    ///
    /// # Errors
    /// What stands against asking it.
    pub async fn identify(&self, connector: Connector, account: &Account) -> Result<Option<String>, Failure> {
        let cancel = CancellationToken::new();
        let account = self.route(connector, account, Errand::Trial, &cancel).await?;
        self.shared.knock(connector, &account, Errand::Trial, &cancel).await.map_err(trial::failure_of)
    }

    /// Refuses an account whose addresses may not be used together, or at all. Nothing is sent.
    ///
    /// # Errors
    /// A sentence that says which address, and why.
    pub fn allow(connector: Connector, account: &Account) -> Result<(), Failure> {
        route::allow(connector, account)
    }

    /// Another network: of several addresses, the first that answers there is used, and how quick the ways are is found out anew.
    pub fn network_changed(&self) {
        self.shared.paces.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.shared.proxies.forget();
        self.shared.leave_all();
    }

    /// Nothing is to be sent for a while: lets go of the memory that was kept for it.
    pub fn rest(&self) {
        self.shared.reading.buffers().clear();
    }

    /// Gives up a session that is of no use any more, so that the server need not keep it. Best effort.
    pub async fn abort(&self, connector: Connector, account: &Account, session: &Session) {
        let cancel = CancellationToken::new();
        let Ok(by) = self.route(connector, account, Errand::Delivery, &cancel).await else { return };
        let session = route::session_over(connector, session.clone(), &account.ever(), &by.url);
        let upload_url = session.and_then(|session| Url::parse(&session.upload_url).ok());
        if let (Ok(destination), Some(upload_url)) = (self.connect(connector, &by, &cancel), upload_url) {
            destination.abort(&upload_url).await;
        }
    }

    /// Which of its addresses an account is reached by now; none if none of several was used yet in this network.
    pub fn used(&self, account: &Account) -> Option<Url> {
        if account.config.addresses.is_empty() {
            return Some(account.url.clone());
        }
        self.shared.used(&account.url).filter(|used| account.bases().contains(used))
    }

    pub(crate) async fn route<'a>(
        &self,
        connector: Connector,
        account: &'a Account,
        errand: Errand,
        cancel: &CancellationToken,
    ) -> Result<Cow<'a, Account>, Failure> {
        self.shared.route(connector, account, errand, cancel).await.map_err(trial::failure_of)
    }

    pub(crate) fn connect<'a>(
        &'a self,
        connector: Connector,
        account: &'a Account,
        cancel: &'a CancellationToken,
    ) -> Result<Box<dyn Destination + 'a>, Failure> {
        let by_http = matches!(account.url.scheme(), "http" | "https") && account.url.host_str().is_some();
        if !by_http && connector != Connector::Folder {
            return Err(failure::no_address(account.url.as_str()));
        }
        let wire = || Wire::new(&self.shared, connector, account, &credential(connector, account), cancel);
        if let Some(described) = &account.described {
            return Ok(match described.body {
                JobBody::Resumable => Box::new(Resumable::new(wire()?.handing_back())),
                JobBody::Tus => Box::new(Tus::new(wire()?.handing_back())),
                JobBody::Raw { .. } | JobBody::Multipart { .. } | JobBody::PresignedParts { .. } => {
                    Box::new(Requests::new(wire()?, described))
                }
            });
        }
        Ok(match connector {
            // An archive is a receiver of ours at a socket.
            Connector::Resumable | Connector::Archive => Box::new(Resumable::new(wire()?)),
            Connector::Tus => Box::new(Tus::new(wire()?)),
            Connector::Webdav => Box::new(Webdav::new(wire()?)),
            Connector::Nextcloud => Box::new(Nextcloud::new(wire()?)?),
            Connector::Immich => Box::new(Immich::new(wire()?, account, &self.shared.questions)),
            Connector::S3 => Box::new(S3::new(wire()?, account, &self.shared.reserved)?),
            Connector::GooglePhotos => Box::new(Google::new(&self.shared, account, cancel)?),
            Connector::Folder => Box::new(Folder::new(&self.shared, account, cancel)?),
        })
    }
}

/// The header fields by which a protocol carries the account's secret. Those that sign each request carry none.
fn credential(connector: Connector, account: &Account) -> Vec<(&'static str, String)> {
    let Some(secret) = &account.secret else { return Vec::new() };
    match connector {
        Connector::Resumable | Connector::Archive | Connector::Tus => vec![("authorization", format!("Bearer {secret}"))],
        Connector::Immich => vec![("x-api-key", secret.clone())],
        Connector::Nextcloud | Connector::Webdav => {
            use base64::{Engine, engine::general_purpose::STANDARD};
            let user = account.config.user.as_deref().unwrap_or_default();
            let by_hand = || format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")));
            vec![("authorization", Credential::of(secret).map_or_else(by_hand, |credential| credential.basic()))]
        }
        Connector::S3 | Connector::GooglePhotos | Connector::Folder => Vec::new(),
    }
}

impl Shared {
    /// Waits until there is room for a file that is read whole; none if it is not.
    async fn room(&self, order: &Order) -> Option<SemaphorePermit<'_>> {
        let read_whole = order.session.is_none() && order.byte_count <= self.options.small_bytes;
        let kb = u32::try_from(order.byte_count / 1024 + 1).unwrap_or(ROOM_KB).min(ROOM_KB);
        // It is never closed.
        if read_whole { self.room.acquire_many(kb).await.ok() } else { None }
    }

    /// The connections to an account's server.
    pub(crate) fn client(&self, account: &Account) -> Result<Client, Failure> {
        let line = Line::of(account);
        let mut known = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(&line) {
            return Ok(client.clone());
        }
        let made =
            line.client(&self.options, &self.system, &self.proxies).map_err(|error| failure::internal(&error.to_string()))?;
        known.insert(line, made.clone());
        Ok(made)
    }

    /// How quick the way to this server was.
    pub(crate) fn pace(&self, url: &Url) -> Pace {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner).entry(url.origin()).or_default().clone()
    }

    /// The largest body, in bytes, that the way to this server is known to take; `u64::MAX` if none was refused.
    pub(crate) fn largest_body(&self, url: &Url) -> u64 {
        let known = self.largest_bodies.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&url.origin()).copied().unwrap_or(u64::MAX)
    }

    /// A body was too large: one of so many bytes may do.
    pub(crate) fn refused(&self, url: &Url, at_most: u64) {
        let mut known = self.largest_bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let largest = known.entry(url.origin()).or_insert(u64::MAX);
        *largest = (*largest).min(at_most);
    }

    pub(crate) fn used(&self, first: &Url) -> Option<Url> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).get(first).cloned()
    }

    pub(crate) fn use_from_now_on(&self, first: &Url, used: Url) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(first.clone(), used);
    }

    /// An address does not work any more, unless another is used already.
    fn leave(&self, first: &Url, used: &Url) {
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(first) == Some(used) {
            all.remove(first);
        }
    }

    fn leave_all(&self) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn learnt(&self, url: &Url) -> Option<Evidence> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner).get(url).copied()
    }

    pub(crate) fn learn(&self, url: &Url, evidence: Evidence) {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone(), evidence);
    }
}
