//! One request and its answer, with what holds for every protocol: credentials go to the account's addresses only, a silent line is
//! left, a stop is obeyed at once, an answer is bounded, and a web page is no answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use afterglow_model::{Connector, DestinationConfig, Failure, FailureClass, FailureCode, JobResponse};
use reqwest::{
    Client, Method, Request, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    destination::Setback,
    failure,
    fields::{self, Fields},
    near,
    order::Account,
    payload::{Pace, Payload, Pulse, Tap},
    response, route,
    transfer::Shared,
};

/// What is read of an answer at most. Whoever sends more does not speak the protocol.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What is read at most of an answer that describes many resources (207, RFC 4918 section 13), which WebDAV cannot page.
const MULTISTATUS_BYTES_MAX: usize = 1024 * 1024;

/// What is read at most of the answers of servers whose lists have no pages.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Redirects followed for one request; more is a loop.
const REDIRECTS_MAX: usize = 3;

/// A line to one account's server.
pub(crate) struct Wire<'a> {
    client: Client,
    pace: Pace,
    shared: &'a Shared,
    connector: Connector,
    account: &'a Account,
    headers: HeaderMap,
    host: String,
    cancel: &'a CancellationToken,
    /// Whether an answer that goes on too long is cut instead of refused.
    cuts: bool,
    /// Whether what a portal answers may be the server's own answer.
    takes_pages: bool,
    answer_bytes_max: usize,
    /// What an app is handed back, if it is.
    response: Option<Mutex<Option<JobResponse>>>,
}

/// An answer whose sense the protocol has to judge: any status but a redirect.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
    /// The body goes on.
    pub(crate) is_cut: bool,
    /// The URL that answered.
    pub(crate) url: Url,
    /// It came before all of the content was sent (RFC 9110 section 7.5), so it cannot be about all of it.
    pub(crate) is_early: bool,
}

enum Reply {
    Answer(Box<Answer>),
    /// 307 or 308 to the same origin.
    Moved(Url),
}

impl<'a> Wire<'a> {
    /// `Err` if a header field of the account cannot be sent.
    /// `credential` are the header fields by which the protocol carries the account's secret.
    pub(crate) fn new(
        shared: &'a Shared,
        connector: Connector,
        account: &'a Account,
        credential: &[(&str, String)],
        cancel: &'a CancellationToken,
    ) -> Result<Self, Failure> {
        if account.socket.is_none() {
            near::allow(&account.url, account.config.cleartext)?;
        }
        let host = account.url.host_str().unwrap_or("The server").to_owned();
        let mut headers = HeaderMap::with_capacity(account.headers.len() + credential.len());
        let own = credential.iter().map(|(name, value)| (*name, value));
        for (name, value) in own.chain(account.headers.iter().map(|(name, value)| (name.as_str(), value))) {
            let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                return Err(failure::failure(
                    FailureClass::NeedsUser,
                    FailureCode::AuthenticationRequired,
                    format!("The credential of {host} holds characters that cannot be sent. Sign in again."),
                ));
            };
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let (client, pace) = (shared.client(account)?, shared.pace(&account.url));
        Ok(Self {
            client,
            pace,
            shared,
            connector,
            account,
            headers,
            host,
            cancel,
            cuts: false,
            takes_pages: false,
            answer_bytes_max: ANSWER_BYTES_MAX,
            response: None,
        })
    }

    /// The same for servers that may answer at length: what is too much is left unread.
    pub(crate) fn cutting_answers(self) -> Self {
        Self { cuts: true, ..self }
    }

    /// The same for servers of which nothing is known but that they are the right ones: a page may be how they say that all is well.
    pub(crate) fn taking_pages(self) -> Self {
        Self { takes_pages: true, ..self }
    }

    /// The same for an app, which is handed back what the server [answered](Self::response).
    pub(crate) fn handing_back(self) -> Self {
        Self { response: Some(Mutex::default()), ..self }
    }

    /// The answer to the last request that carried or completed something, else to the last question; none if it is not handed back.
    pub(crate) fn response(&self) -> Option<JobResponse> {
        self.response.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same for servers whose lists have no pages.
    pub(crate) fn with_long_answers(self) -> Self {
        Self { answer_bytes_max: LIST_BYTES_MAX, ..self }
    }

    /// Whether every request carries this header field already.
    pub(crate) fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.contains_key(name)
    }

    /// The server's name, for sentences.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Where uploads are created.
    pub(crate) fn url(&self) -> &Url {
        &self.account.url
    }

    /// What the connector has to know beyond the address.
    pub(crate) fn config(&self) -> &DestinationConfig {
        &self.account.config
    }

    /// The largest body that the way to the server is known to take, in bytes; `u64::MAX` if none was refused yet.
    pub(crate) fn largest_body(&self) -> u64 {
        self.shared.largest_body(&self.account.url)
    }

    /// What the connector has [noted](Self::note) of this account's server; none if nothing is known yet.
    pub(crate) fn noted(&self) -> Option<u8> {
        self.shared.notes.get(self.connector, &self.account.url)
    }

    /// Notes what was found out about the server, in the connector's own terms, for this and later deliveries.
    pub(crate) fn note(&self, found: u8) {
        self.shared.notes.put(self.connector, &self.account.url, found, None);
    }

    /// The same, and keeps `lasting` for later runs: what does no harm where the server is another by then.
    pub(crate) fn note_lastingly(&self, found: u8, lasting: u8) {
        self.shared.notes.put(self.connector, &self.account.url, found, Some(lasting));
    }

    /// A URL that the server named, if it lies at one of the account's addresses: as it is reached by the one in use.
    pub(crate) fn resolve(&self, base: &Url, reference: &str) -> Result<Url, Setback> {
        let unreadable = |_| Setback::Failed(failure::unexpected(&self.host, "an unreadable Location"));
        self.at_home(base.join(reference).map_err(unreadable)?)
    }

    /// A URL that lies at one of the account's addresses, as it is reached by the one in use.
    fn at_home(&self, url: Url) -> Result<Url, Setback> {
        if url.origin() == self.account.url.origin() {
            return Ok(url);
        }
        if let Some(led) = route::led_over(self.connector, &url, &self.account.ever(), &self.account.url) {
            return Ok(led);
        }
        Err(Setback::Failed(failure::sent_elsewhere(&self.host, url.host_str().unwrap_or("another address"))))
    }

    /// Waits for something, unless it is to stop.
    pub(crate) async fn unless_stopped<T>(&self, something: impl Future<Output = T>) -> Result<T, Setback> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Setback::Stopped),
            done = something => Ok(done),
        }
    }

    /// Sends a request and reads the answer. Redirects to the same origin are followed where the content can be sent again; else
    /// the new URL is a setback.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        payload: Payload,
    ) -> Result<Answer, Setback> {
        self.exchange_at_leisure(method, url, headers, payload, Duration::ZERO).await
    }

    /// The same where the server has work to do before it can answer, for which it may be silent so much longer.
    pub(crate) async fn exchange_at_leisure(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        payload: Payload,
        work: Duration,
    ) -> Result<Answer, Setback> {
        let silence = self.shared.options.stall + work;
        let mut url = self.at_home(url.clone())?;
        let again = match &payload {
            Payload::Whole(bytes) => Some(bytes.clone()),
            Payload::Blocks(_) => None,
        };
        let mut payload = payload;
        for _ in 0..=REDIRECTS_MAX {
            match self.exchange_once(method.clone(), &url, headers.clone(), payload, silence).await? {
                Reply::Answer(answer) => {
                    self.keep(&method, &answer);
                    return Ok(*answer);
                }
                Reply::Moved(to) => match &again {
                    Some(bytes) => {
                        payload = Payload::Whole(bytes.clone());
                        url = to;
                    }
                    None => return Err(Setback::Moved(to)),
                },
            }
        }
        Err(Setback::Failed(failure::unexpected(&self.host, "redirects without end")))
    }

    fn keep(&self, method: &Method, answer: &Answer) {
        let Some(response) = &self.response else { return };
        let mut response = response.lock().unwrap_or_else(PoisonError::into_inner);
        match *method {
            Method::POST | Method::PATCH => *response = Some(response::kept(answer)),
            Method::HEAD if response.is_none() => *response = Some(response::kept(answer)),
            _ => {}
        }
    }

    async fn exchange_once(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        payload: Payload,
        silence: Duration,
    ) -> Result<Reply, Setback> {
        let length = payload.length();
        let tap = Arc::new(Tap {
            bandwidth: self.shared.bandwidth.clone(),
            sent: self.shared.sent.clone(),
            pace: self.pace.clone(),
            cancel: self.cancel.clone(),
            pulse: Pulse::new(),
        });
        let mut request = Request::new(method, url.clone());
        *request.headers_mut() = headers;
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        // A GET-like request has no content and no length; one that carries content says so even when it is empty.
        if length > 0 || matches!(*request.method(), Method::POST | Method::PATCH | Method::PUT) {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            *request.body_mut() = Some(tap.body(payload));
        }
        let reply = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Setback::Stopped),
            () = tap.pulse.stalled(silence) => {
                self.pace.is(false);
                return Err(Setback::Doubt(failure::timed_out(&self.host)));
            }
            reply = self.converse(&self.client, request, &tap.pulse) => reply?,
        };
        Ok(match reply {
            Reply::Answer(mut answer) => {
                answer.is_early = tap.pulse.taken() < length;
                if answer.status == StatusCode::PAYLOAD_TOO_LARGE && length > 0 {
                    self.shared.refused(&self.account.url, answer.fields.limits.max_append_size.unwrap_or(length / 2));
                }
                Reply::Answer(answer)
            }
            Reply::Moved(to) => Reply::Moved(to),
        })
    }

    /// Reads what is stored at a URL, and says its SHA-256 and its size; none if nothing is there. Constant memory, whatever the size.
    pub(crate) async fn read_back(&self, url: &Url) -> Result<Option<([u8; 32], u64)>, Setback> {
        let mut request = Request::new(Method::GET, self.at_home(url.clone())?);
        request.headers_mut().extend(self.headers.clone());
        let pulse = Pulse::new();
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Setback::Stopped),
            () = pulse.stalled(self.shared.options.stall) => Err(Setback::Doubt(failure::timed_out(&self.host))),
            read = self.digest(request, &pulse) => read,
        }
    }

    async fn digest(&self, request: Request, pulse: &Pulse) -> Result<Option<([u8; 32], u64)>, Setback> {
        let mut response = self.client.execute(request).await.map_err(|error| self.broken(&error))?;
        pulse.beat();
        match response.status() {
            StatusCode::OK if is_web_page(response.headers()) => return Err(Setback::Failed(failure::captive_portal(&self.host))),
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => {
                let failure = failure::of_status(&self.host, status, fields::retry_after_ms(response.headers(), SystemTime::now()));
                let is_passing = failure::may_work_at_once(&failure);
                return Err(if is_passing { Setback::Doubt(failure) } else { Setback::Failed(failure) });
            }
        }
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            pulse.beat();
            hasher.update(&chunk);
            bytes += chunk.len() as u64;
        }
        Ok(Some((hasher.finalize().into(), bytes)))
    }

    async fn converse(&self, client: &Client, request: Request, pulse: &Pulse) -> Result<Reply, Setback> {
        let url = request.url().clone();
        let mut response = client.execute(request).await.map_err(|error| self.broken(&error))?;
        pulse.beat();
        let status = response.status();
        // Some protocols say with such a status what is no redirect: the region of a bucket, that an object is there already.
        let leads_nowhere = !response.headers().contains_key(LOCATION) && !is_web_page(response.headers());
        if status.is_redirection() && !leads_nowhere {
            return self.redirected(&url, status, response.headers()).map(Reply::Moved);
        }
        if is_portals(status, response.headers()) && !self.takes_pages {
            return Err(Setback::Failed(failure::captive_portal(&self.host)));
        }
        let most = if status == StatusCode::MULTI_STATUS { MULTISTATUS_BYTES_MAX } else { self.answer_bytes_max };
        let (mut body, mut is_cut) = (Vec::new(), false);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > most && self.cuts {
                is_cut = true;
                body.extend_from_slice(&chunk[..most - body.len()]);
                break;
            }
            if body.len() + chunk.len() > most {
                return Err(Setback::Failed(failure::unexpected(&self.host, "an answer without end")));
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        let fields = Fields::of(&headers);
        Ok(Reply::Answer(Box::new(Answer { status, headers, fields, body, is_cut, url, is_early: false })))
    }

    fn redirected(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Url, Setback> {
        let to = headers.get(LOCATION).and_then(|location| location.to_str().ok()).and_then(|location| url.join(location).ok());
        let Some(to) = to.filter(|_| !is_web_page(headers)) else {
            return Err(Setback::Failed(failure::captive_portal(&self.host)));
        };
        if to.host_str() != url.host_str() {
            // 302 and 303 to another host is how sign-in pages catch a request.
            return Err(Setback::Failed(match status {
                StatusCode::FOUND | StatusCode::SEE_OTHER => failure::captive_portal(&self.host),
                _ => failure::sent_elsewhere(&self.host, to.host_str().unwrap_or("another address")),
            }));
        }
        if to.origin() != url.origin() {
            return Err(Setback::Failed(failure::sent_elsewhere(&self.host, &to.origin().ascii_serialization())));
        }
        match status {
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => Ok(to),
            _ => Err(Setback::Failed(failure::unexpected(&self.host, &format!("status {}", status.as_u16())))),
        }
    }

    fn broken(&self, error: &reqwest::Error) -> Setback {
        let failure = failure::of_transport(&self.host, error);
        tracing::debug!(host = self.host, error = %Causes(error), "request broke");
        let is_tls = matches!(failure.code, FailureCode::TlsFailed | FailureCode::CertificateChanged);
        if is_tls { Setback::Failed(failure) } else { Setback::Doubt(failure) }
    }
}

impl Answer {
    /// The failure that a status other than success stands for.
    pub(crate) fn failure(&self, host: &str) -> Failure {
        failure::of_status(host, self.status, fields::retry_after_ms(&self.headers, SystemTime::now()))
    }

    /// The last part of the problem's type (RFC 9457), such as `inconsistent-upload-length`.
    pub(crate) fn problem(&self) -> Option<String> {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let kind = problem.get("type")?.as_str()?;
        kind.rsplit(['#', '/', ':']).next().map(str::to_owned)
    }

    /// Whether it is such as a portal gives.
    pub(crate) fn is_portals(&self) -> bool {
        is_portals(self.status, &self.headers)
    }

    /// The `Location` of the answer.
    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION)?.to_str().ok()
    }
}

/// A portal answers with a page; some servers of files answer with one that says what they made, and then with 201. One without content is
/// no page, whatever its type is said to be.
fn is_portals(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_empty = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    status == StatusCode::OK && is_web_page(headers) && !is_empty
}

fn is_web_page(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// An error and what caused it, in one line. Its URL is left out: it may hold a secret.
struct Causes<'a>(&'a reqwest::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut cause = std::error::Error::source(self.0);
        f.write_str("request failed")?;
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
