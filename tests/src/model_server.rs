//! Servers of many protocols that are strict by their documents, fail on command, and know the truth.
//!
//! A protocol is a pure state machine: a request in, an answer out. Everything that can happen to the line around it happens here, to
//! the n-th request of the server's life, so that one suite can let every request of every protocol fail in every way. What happened is
//! read from [`Truth`], never from what the client believes.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time,
};

use crate::http::{Connection, Head};

/// A request as it came, with what came of its content.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its target: path and query.
    pub path: String,
    /// Its header fields, names in lower case.
    pub headers: HashMap<String, String>,
    /// Its content, as far as it came.
    pub body: Vec<u8>,
}

impl Request {
    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The target without its query.
    pub fn target(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The parameters of the query, decoded.
    pub fn query(&self) -> HashMap<String, String> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status line's end, such as `201 Created`.
    pub status: String,
    /// Header fields, without `Content-Length`.
    pub fields: Vec<(String, String)>,
    /// Its content.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer without content.
    pub fn new(status: &str) -> Self {
        Self { status: status.to_owned(), fields: Vec::new(), body: Vec::new() }
    }

    /// With a header field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    /// With content of this type.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.with("Content-Type", content_type) }
    }
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The server's name for it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The serving side of a protocol.
pub trait Protocol: Send + 'static {
    /// Whether the content is refused on seeing the head alone, as servers do that want no megabytes of a stranger.
    fn refuses(&self, _head: &Request) -> Option<Answer> {
        None
    }

    /// Applies a request that came whole.
    fn apply(&mut self, request: &Request) -> Answer;

    /// A request whose content ended too early. A server that keeps what it got keeps it here.
    fn cut(&mut self, _request: &Request) {}

    /// Files that a person would see there.
    fn objects(&self) -> Vec<Object>;

    /// Begun uploads, parts and temporary files that nobody would see.
    fn leftovers(&self) -> usize;
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is reset before anything is applied.
    CutBefore,
    /// The connection is reset in the middle of the content; before the request is applied, if it has none.
    CutMidway,
    /// Everything is applied, then the connection is reset: the acknowledgement is lost.
    CutAfter,
    /// Nothing is applied; this is the answer, after the content was read.
    Answer(Answer),
    /// Applied, but answered with this.
    AnswerAfter(Answer),
    /// Nothing more is read or said until the client leaves: a silent line.
    Silence,
    /// Applied, and answered only after so long, which passes at once: the clock jumps.
    Slow(Duration),
}

/// What really happened.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Files that are stored.
    pub objects: Vec<Object>,
    /// Begun uploads, parts and temporary files.
    pub leftovers: usize,
    /// Requests in the order in which they came, with their content's length but not the content.
    pub requests: Vec<Request>,
    /// Bytes of content that came, stored or not.
    pub content_bytes: u64,
}

/// A server, on a port of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct ModelServer<P> {
    address: SocketAddr,
    shared: Arc<Shared<P>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared<P> {
    state: Mutex<State<P>>,
    content: watch::Sender<u64>,
    requests: watch::Sender<usize>,
    under_way: watch::Sender<usize>,
}

/// A request between its head and what comes of it.
struct UnderWay<'a>(&'a watch::Sender<usize>);

impl<'a> UnderWay<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[derive(Debug)]
struct State<P> {
    protocol: P,
    faults: HashMap<usize, Fault>,
    always: Option<Fault>,
    requests: Vec<Request>,
}

impl<P: Protocol> ModelServer<P> {
    /// Starts to listen on the loopback.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(protocol: P) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = State { protocol, faults: HashMap::new(), always: None, requests: Vec::new() };
        let (content, requests, under_way) = (watch::Sender::new(0), watch::Sender::new(0), watch::Sender::new(0));
        let shared = Arc::new(Shared { state: Mutex::new(state), content, requests, under_way });
        let task = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { address, shared, task })
    }

    /// `http://address`, without a path.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The n-th request from now on, counted from 0, meets this fault.
    pub fn fail(&self, n: usize, fault: Fault) {
        let mut state = self.shared.state();
        let at = state.requests.len() + n;
        state.faults.insert(at, fault);
    }

    /// Every request meets this fault, or none any more.
    pub fn always(&self, fault: Option<Fault>) {
        self.shared.state().always = fault;
    }

    /// Looks at the protocol's state, or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut P) -> T) -> T {
        act(&mut self.shared.state().protocol)
    }

    /// Waits until so many bytes of content have come in all.
    pub async fn content_reaches(&self, bytes: u64) {
        // The sender lives as long as `self`.
        let _ = self.shared.content.subscribe().wait_for(|came| *came >= bytes).await;
    }

    /// Waits until so many requests have come in all.
    pub async fn requests_reach(&self, requests: usize) {
        // The sender lives as long as `self`.
        let _ = self.shared.requests.subscribe().wait_for(|came| *came >= requests).await;
    }

    /// Waits until nothing more will come of the requests that have come; those that meet silence are over with what was read of them.
    pub async fn at_rest(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// What happened so far.
    pub fn truth(&self) -> Truth {
        let state = self.shared.state();
        Truth {
            objects: state.protocol.objects(),
            leftovers: state.protocol.leftovers(),
            requests: state.requests.clone(),
            content_bytes: *self.shared.content.borrow(),
        }
    }
}

impl<P> Drop for ModelServer<P> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<P> Shared<P> {
    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve<P: Protocol>(listener: TcpListener, shared: Arc<Shared<P>>) {
    // Dropped with this task, and with it every connection.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move { converse(stream, &shared).await });
        while connections.try_join_next().is_some() {}
    }
}

/// How an exchange left the connection.
enum After {
    Open,
    Closing,
    Reset,
}

async fn converse<P: Protocol>(stream: TcpStream, shared: &Shared<P>) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(head)) = connection.head().await {
        match exchange(&mut connection, shared, head).await {
            Ok(After::Open) => {}
            Ok(After::Closing) => {
                let _ = connection.end().await;
                return;
            }
            Ok(After::Reset) => {
                let _ = connection.reset();
                return;
            }
            Err(_) => return,
        }
    }
}

async fn exchange<P: Protocol>(connection: &mut Connection, shared: &Shared<P>, head: Head) -> io::Result<After> {
    let length = head.integer("content-length").unwrap_or(0);
    let mut request = Request { method: head.method, path: head.path, headers: head.headers, body: Vec::new() };
    let under_way = UnderWay::new(&shared.under_way);
    let (fault, refusal) = {
        let mut state = shared.state();
        let n = state.requests.len();
        state.requests.push(request.clone());
        shared.requests.send_replace(n + 1);
        let fault = state.faults.remove(&n).or_else(|| state.always.clone());
        (fault, state.protocol.refuses(&request))
    };
    if matches!(fault, Some(Fault::CutBefore)) {
        return Ok(After::Reset);
    }
    if request.header("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) && refusal.is_none() {
        connection.raw("HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    if let Some(refusal) = refusal.filter(|_| fault.is_none()) {
        say(connection, &request, &refusal).await?;
        return Ok(if length == 0 { After::Open } else { After::Closing });
    }
    let wanted = match fault {
        Some(Fault::CutMidway | Fault::Silence) => length / 2,
        Some(Fault::CutBefore | Fault::CutAfter | Fault::Answer(_) | Fault::AnswerAfter(_) | Fault::Slow(_)) | None => length,
    };
    while (request.body.len() as u64) < wanted {
        match connection.content(wanted - request.body.len() as u64).await {
            Ok(piece) => {
                request.body.extend_from_slice(&piece);
                shared.content.send_modify(|came| *came += piece.len() as u64);
            }
            Err(error) => {
                shared.state().protocol.cut(&request);
                return Err(error);
            }
        }
    }
    match fault {
        None => {
            let answer = shared.state().protocol.apply(&request);
            say(connection, &request, &answer).await?;
            Ok(After::Open)
        }
        Some(Fault::Slow(delay)) => {
            let answer = shared.state().protocol.apply(&request);
            time::pause();
            time::advance(delay).await;
            time::resume();
            say(connection, &request, &answer).await?;
            Ok(After::Open)
        }
        Some(Fault::CutBefore) => Ok(After::Reset),
        Some(Fault::CutMidway) => {
            shared.state().protocol.cut(&request);
            Ok(After::Reset)
        }
        Some(Fault::Silence) => {
            shared.state().protocol.cut(&request);
            drop(under_way);
            // Until the client leaves.
            while connection.content(u64::MAX).await.is_ok() {
                std::future::pending::<()>().await;
            }
            Ok(After::Reset)
        }
        Some(Fault::CutAfter) => {
            shared.state().protocol.apply(&request);
            Ok(After::Reset)
        }
        Some(Fault::Answer(answer)) => {
            say(connection, &request, &answer).await?;
            Ok(After::Closing)
        }
        Some(Fault::AnswerAfter(answer)) => {
            shared.state().protocol.apply(&request);
            say(connection, &request, &answer).await?;
            Ok(After::Open)
        }
    }
}

async fn say(connection: &mut Connection, request: &Request, answer: &Answer) -> io::Result<()> {
    let mut fields: Vec<String> = answer.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    if request.method == "HEAD" {
        // A length of what is not there is the protocol's to say.
        fields.insert(0, format!("HTTP/1.1 {}", answer.status));
        return connection.raw(&format!("{}\r\n\r\n", fields.join("\r\n"))).await;
    }
    connection.answer(&answer.status, &fields, &answer.body).await
}
