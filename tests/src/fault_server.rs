//! A server for resumable uploads that is strict by the draft, fails on command, and knows the truth.
//!
//! It refuses whatever draft-ietf-httpbis-resumable-upload-11 lets a server refuse, so that a client that passes here takes no
//! liberties. What happened is read from [`Truth`], never from what the client believes. Each fault is set for a kind of request and
//! used up by the next request of that kind, unless it was set for all.

mod protocol;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// The kinds of requests, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// `OPTIONS`: what is supported.
    Probe,
    /// `POST` with `Upload-Complete: ?0`.
    Create,
    /// `POST` with `Upload-Complete: ?1`: a file in one request.
    Whole,
    /// `HEAD`: how far.
    Ask,
    /// `PATCH` with `?0`.
    Append,
    /// `PATCH` with `?1`.
    Complete,
    /// `DELETE`.
    Cancel,
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// None: this request is spared.
    Nothing,
    /// The connection is reset before anything is applied.
    CutBefore,
    /// Everything is applied, then the connection is reset: the acknowledgement is lost.
    CutAfter,
    /// The connection is reset after so many payload bytes of this request were stored.
    CutAfterBytes(u64),
    /// After so many payload bytes of this request nothing is read or said until [`FaultServer::release`]: a silent line.
    HoldAfterBytes(u64),
    /// This text is sent as the answer, nothing is applied, and the connection ends once the client is done with it.
    Answer(String),
    /// As `Answer`, after so many payload bytes of this request were stored.
    AnswerAfterBytes(u64, String),
    /// Applied, with a digest in the answer that is not that of the bytes.
    WrongDigest,
    /// The session loses all but so many bytes before the request is looked at.
    LoseAllBut(u64),
    /// The session is forgotten before the request is looked at.
    ForgetSession,
}

/// What kind of server it is.
#[derive(Debug, Clone, Default)]
pub struct Traits {
    /// Asks for digests, compares them and states its own.
    pub digests: bool,
    /// Credential that it wants as `Authorization`.
    pub authorization: Option<String>,
    /// Largest file in bytes.
    pub max_size: Option<u64>,
    /// Largest request in bytes.
    pub max_append_size: Option<u64>,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The `filename*` that it came with, still encoded.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The idempotency key that it came with.
    pub key: Option<String>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it was for; none if it fits no kind.
    pub step: Option<Step>,
    /// Its target.
    pub path: String,
    /// Its header fields, names in lower case.
    pub headers: HashMap<String, String>,
}

/// What really happened.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Files that are stored.
    pub objects: Vec<Object>,
    /// Payload bytes that came, stored or not.
    pub payload_bytes: u64,
    /// Requests in the order in which they came.
    pub requests: Vec<Received>,
    /// Uploads that were begun and neither completed nor cancelled.
    pub open_uploads: usize,
}

impl Truth {
    /// How many requests of a kind came.
    pub fn count(&self, step: Step) -> usize {
        self.requests.iter().filter(|request| request.step == Some(step)).count()
    }
}

/// The server, on a port of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    traits: Traits,
    state: Mutex<State>,
    payload: watch::Sender<u64>,
    releases: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    once: HashMap<Step, VecDeque<Fault>>,
    always: HashMap<Step, Fault>,
    uploads: HashMap<String, Upload>,
    uploads_begun: u64,
    objects: Vec<Object>,
    requests: Vec<Received>,
}

/// An upload resource.
#[derive(Debug, Clone)]
struct Upload {
    name: String,
    key: Option<String>,
    length: u64,
    announced: Option<String>,
    bytes: Vec<u8>,
    complete: bool,
    /// Grows with each request; a request that finds another number was overtaken and must stop.
    writer: u64,
}

impl FaultServer {
    /// Starts to listen on the loopback.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(traits: Traits) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (payload, _) = watch::channel(0);
        let (releases, _) = watch::channel(0);
        let shared = Arc::new(Shared { traits, state: Mutex::default(), payload, releases });
        let task = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { address, shared, task })
    }

    /// Where uploads are created.
    pub fn url(&self) -> String {
        format!("http://{}/files", self.address)
    }

    /// The next request of this kind that has no fault yet gets this one.
    pub fn fail(&self, step: Step, fault: Fault) {
        self.shared.state().once.entry(step).or_default().push_back(fault);
    }

    /// Every request of this kind gets this fault once those set by [`Self::fail`] are used up.
    pub fn always(&self, step: Step, fault: Fault) {
        self.shared.state().always.insert(step, fault);
    }

    /// Lets go of every request that [`Fault::HoldAfterBytes`] holds at this moment.
    pub fn release(&self) {
        self.shared.releases.send_modify(|releases| *releases += 1);
    }

    /// Waits until so many payload bytes have come in all.
    pub async fn payload_reaches(&self, bytes: u64) {
        let mut payload = self.shared.payload.subscribe();
        // The sender lives as long as `self`.
        let _ = payload.wait_for(|came| *came >= bytes).await;
    }

    /// What happened so far.
    pub fn truth(&self) -> Truth {
        let state = self.shared.state();
        Truth {
            objects: state.objects.clone(),
            payload_bytes: *self.shared.payload.borrow(),
            requests: state.requests.clone(),
            open_uploads: state.uploads.values().filter(|upload| !upload.complete).count(),
        }
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, step: Step) -> Option<Fault> {
        let mut state = self.state();
        let once = state.once.get_mut(&step).and_then(VecDeque::pop_front);
        once.or_else(|| state.always.get(&step).cloned())
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and with it every connection.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move { protocol::converse(stream, &shared).await });
        while connections.try_join_next().is_some() {}
    }
}
