//! Google Photos, by its Library API ("Upload media", "Resumable uploads", `mediaItems.batchCreate`).
//!
//! Bytes are uploaded for a token, and the token is made a photo by `batchCreate`. The token is stored in the session before that, so that
//! a lost answer is asked for again with the same token; bytes whose token was lost are sent again and forgotten by Google within a day.
//! Creations of one account go one after the other, as Google asks.
//!
//! A file of up to 8 MiB goes in one request: of the 10 000 requests that Google grants to a project for a day, two instead of three. A
//! larger one goes in parts, and after a break Google is asked how far it has come.
//!
//! Google says that it has accepted a photo and nothing more: neither its size nor a digest can be asked for, and nothing can be removed.
//! Afterglow sees only what it has added itself.

mod account;
mod creation;
pub(crate) mod oauth;
mod refusal;
mod session;

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use afterglow_model::{Capabilities, Connector, Evidence, Failure, FailureClass, FailureCode, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) use self::account::Accounts;
use self::{
    account::{State, Token},
    oauth::{Grant, must_sign_in},
    session::Session,
};
use crate::{
    dav::plain,
    destination::{Begun, Content, Destination, Held, IN_ONE_REQUEST, Proof, Setback},
    failure,
    fields::Limits,
    order::Account,
    payload::Payload,
    transfer::Shared,
    wire::{Answer, Wire},
};

const COMMAND: HeaderName = HeaderName::from_static("x-goog-upload-command");
const KIND: HeaderName = HeaderName::from_static("x-goog-upload-content-type");
const OFFSET: HeaderName = HeaderName::from_static("x-goog-upload-offset");
const PROTOCOL: HeaderName = HeaderName::from_static("x-goog-upload-protocol");
const RAW_SIZE: HeaderName = HeaderName::from_static("x-goog-upload-raw-size");

/// Up to this size a file goes in one request. Bytes.
const SINGLE_BYTES_MAX: u64 = 8 << 20;

/// Sizes of parts, before they are fitted to what Google asks for. Bytes.
const PART_BYTES: RangeInclusive<u64> = 8 << 20..=64 << 20;

/// So many parts are wanted, where their sizes allow it.
const PARTS_WANTED: u64 = 20;

/// Sizes of parts are multiples of this, if Google names no other. Bytes.
const GRANULARITY: u64 = 256 * 1024;

/// The largest photo and the largest video that are taken. Bytes.
const PHOTO_BYTES_MAX: u64 = 200 << 20;
const VIDEO_BYTES_MAX: u64 = 20 << 30;

/// "Upload tokens are valid for one day."
const SESSION_S: u64 = 24 * 60 * 60;

/// A token is some hundred bytes. Bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// An account at Google Photos.
pub(crate) struct Google<'a> {
    wire: Wire<'a>,
    shared: Arc<Shared>,
    cancel: &'a CancellationToken,
    grant: Grant,
    state: Arc<State>,
    /// An access token was refused in this delivery, and another was asked for.
    renewed: AtomicBool,
}

impl<'a> Google<'a> {
    /// `Err` without a sign-in.
    pub(crate) fn new(shared: &'a Arc<Shared>, account: &'a Account, cancel: &'a CancellationToken) -> Result<Self, Failure> {
        let wire = Wire::new(shared, Connector::GooglePhotos, account, &[], cancel)?;
        let secret = account.secret.as_deref().unwrap_or_default();
        let grant = Grant::of(secret)
            .ok_or_else(|| must_sign_in(format!("{} takes photos only after a sign-in in the browser. Sign in.", wire.host())))?;
        Ok(Self { wire, shared: shared.clone(), cancel, grant, state: shared.google.of(secret), renewed: AtomicBool::new(false) })
    }

    fn api(&self, path: &str) -> Url {
        let mut url = self.wire.url().clone();
        let path = format!("{}/v1/{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(None);
        url
    }

    fn nonsense(&self, what: &str) -> Setback {
        Setback::Failed(failure::unexpected(self.wire.host(), what))
    }

    fn lost(&self) -> Setback {
        Setback::SessionGone(failure::lost_bytes(self.wire.host()))
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Setback> {
        serde_json::from_slice(&answer.body).map_err(|_| self.nonsense("not in the way that Google Photos does"))
    }

    /// Waits for what deliveries of one account share.
    async fn turn<'l, T>(&self, lock: &'l tokio::sync::Mutex<T>) -> Result<MutexGuard<'l, T>, Setback> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Setback::Stopped),
            guard = lock.lock() => Ok(guard),
        }
    }

    /// An access token that is good, and not the one that was `refused`.
    async fn bearer(&self, refused: Option<&HeaderValue>) -> Result<HeaderValue, Setback> {
        let mut known = self.turn(&self.state.token).await?;
        if let Some(bearer) = known.as_ref().and_then(|token| token.unless(refused)) {
            return Ok(bearer);
        }
        let (token, seconds) = self.grant.refresh(self.shared.clone(), self.wire.url(), self.cancel).await?;
        let token = Token::new(&token, seconds).ok_or_else(|| self.nonsense("an unsendable token"))?;
        let bearer = token.bearer.clone();
        *known = Some(token);
        Ok(bearer)
    }

    /// Makes a request, and makes it again with a new access token if that was refused. Content that cannot be sent again is in doubt.
    async fn exchange(&self, method: Method, url: &Url, headers: HeaderMap, payload: Payload) -> Result<Answer, Setback> {
        let again = match &payload {
            Payload::Whole(bytes) => Some(Payload::Whole(bytes.clone())),
            Payload::Blocks(_) => None,
        };
        let with = |bearer: &HeaderValue| {
            let mut headers = headers.clone();
            headers.insert(AUTHORIZATION, bearer.clone());
            headers
        };
        let bearer = self.bearer(None).await?;
        let answer = self.wire.exchange(method.clone(), url, with(&bearer), payload).await?;
        if answer.status != StatusCode::UNAUTHORIZED || self.renewed.swap(true, Ordering::Relaxed) {
            return Ok(answer);
        }
        let bearer = self.bearer(Some(&bearer)).await?;
        match again {
            Some(payload) => self.wire.exchange(method, url, with(&bearer), payload).await,
            None => Err(Setback::Doubt(answer.failure(self.wire.host()))),
        }
    }

    /// Asks the API, and reads its answer.
    async fn ask<T: DeserializeOwned>(&self, method: Method, url: &Url, question: Option<Value>) -> Result<T, Setback> {
        let answer = self.pose(method, url, question).await?;
        if answer.status.is_success() { self.read(&answer) } else { Err(refusal::of_answer(self.wire.host(), &answer)) }
    }

    async fn pose(&self, method: Method, url: &Url, question: Option<Value>) -> Result<Answer, Setback> {
        let mut headers = HeaderMap::with_capacity(3);
        let payload = match question {
            Some(question) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Payload::Whole(question.to_string().into())
            }
            None => Payload::empty(),
        };
        self.exchange(method, url, headers, payload).await
    }

    /// Gives a session a command (`X-Goog-Upload-Command`) without content.
    async fn command(&self, upload_url: &Url, command: &'static str, offset: Option<u64>) -> Result<Answer, Setback> {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(COMMAND, HeaderValue::from_static(command));
        if let Some(offset) = offset {
            headers.insert(OFFSET, HeaderValue::from(offset));
        }
        let answer = self.exchange(Method::POST, &plain(upload_url), headers, Payload::empty()).await?;
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(self.of_session(&answer)) }
    }

    /// What it means that the URL of a session does not answer well.
    fn of_session(&self, answer: &Answer) -> Setback {
        match answer.status {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::GONE => self.lost(),
            StatusCode::PAYLOAD_TOO_LARGE => Setback::TooLarge { limit: None, failure: answer.failure(self.wire.host()) },
            status if status.is_success() => self.nonsense("neither stored nor refused"),
            _ => refusal::of_answer(self.wire.host(), answer),
        }
    }

    /// The session once Google has all bytes: it goes on with their token, which is stored thereby.
    fn uploaded(&self, session: Session, upload_url: &Url, answer: &Answer) -> Setback {
        if answer.is_early {
            return Setback::Doubt(failure::unexpected(self.wire.host(), "an answer before the file was sent"));
        }
        match std::str::from_utf8(&answer.body).map(str::trim) {
            Ok(token) if (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Setback::Moved(Session { token: Some(token.to_owned()), ..session }.on(upload_url.clone()))
            }
            Ok(_) | Err(_) => self.nonsense("no token for the file"),
        }
    }

    fn part_bytes(&self, byte_count: u64, granularity: u64) -> u64 {
        let wanted = (byte_count / PARTS_WANTED).clamp(*PART_BYTES.start(), *PART_BYTES.end()).min(self.wire.largest_body());
        (wanted / granularity * granularity).max(granularity)
    }
}

fn text(value: &str) -> Result<HeaderValue, Setback> {
    HeaderValue::try_from(value).map_err(|_| Setback::Failed(failure::internal("an unsendable media type")))
}

#[async_trait]
impl Destination for Google<'_> {
    fn host(&self) -> &str {
        self.wire.host()
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        self.albums(1, None).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: Evidence::Accepted,
            max_size: Some(VIDEO_BYTES_MAX),
            max_append_size: None,
            resumable: true,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// A photo that was created stays.
    fn can_remove(&self) -> bool {
        false
    }

    /// Never asked for: a repeat would make a second photo, since the token of the first is not stored.
    async fn whole(&self, _content: &Content, _body: Bytes) -> Result<Proof, Setback> {
        Err(Setback::Failed(failure::internal("a photo for Google without a session")))
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let host = self.wire.host();
        let byte_count = content.byte_count;
        if byte_count == 0 {
            let message = format!("{host} takes no empty file, and {} is one.", content.filename);
            return Err(Setback::Failed(failure::failure(FailureClass::Permanent, FailureCode::ServerRejected, message)));
        }
        let content_type = content.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
        let largest = if content_type.starts_with("image/") { PHOTO_BYTES_MAX } else { VIDEO_BYTES_MAX };
        if byte_count > largest {
            return Err(Setback::Failed(failure::too_large(host, largest)));
        }
        let uploads = self.api("uploads");
        let session = Session { byte_count, part_bytes: 0, content_type, token: None };
        if byte_count <= SINGLE_BYTES_MAX.min(self.wire.largest_body()) {
            return Ok(Begun::Session { upload_url: session.on(uploads), offset: 0, limits: IN_ONE_REQUEST });
        }
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(COMMAND, HeaderValue::from_static("start"));
        headers.insert(PROTOCOL, HeaderValue::from_static("resumable"));
        headers.insert(KIND, text(&session.content_type)?);
        headers.insert(RAW_SIZE, HeaderValue::from(byte_count));
        let answer = self.exchange(Method::POST, &uploads, headers, Payload::empty()).await?;
        if answer.status != StatusCode::OK {
            let is_done = answer.status.is_success();
            return Err(if is_done { self.nonsense("no upload begun") } else { refusal::of_answer(host, &answer) });
        }
        let said = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let named = said("x-goog-upload-url").ok_or_else(|| self.nonsense("no address for the upload"))?;
        let upload_url = self.wire.resolve(&uploads, named)?;
        let granularity = said("x-goog-upload-chunk-granularity").and_then(|bytes| bytes.parse().ok()).filter(|bytes| *bytes > 0);
        let part_bytes = self.part_bytes(byte_count, granularity.unwrap_or(GRANULARITY));
        let limits = Limits { max_age: Some(SESSION_S), ..Limits::parts(part_bytes) };
        Ok(Begun::Session { upload_url: Session { part_bytes, ..session }.on(upload_url), offset: 0, limits })
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let session = Session::of(upload_url).ok_or_else(|| self.lost())?;
        let limits = if session.part_bytes == 0 { IN_ONE_REQUEST } else { Limits::parts(session.part_bytes) };
        let held = |offset| Ok(Held { offset, complete: false, digest: None, limits });
        if session.token.is_some() {
            return held(session.byte_count);
        }
        if session.part_bytes == 0 {
            return held(0);
        }
        let answer = self.command(upload_url, "query", None).await?;
        let said = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        match (said("x-goog-upload-status"), said("x-goog-upload-size-received").and_then(|bytes| bytes.parse().ok())) {
            (Some("active"), Some(offset)) => held(offset),
            // Complete, but its token was in the answer that was lost.
            (Some("final" | "cancelled"), _) => Err(self.lost()),
            _ => Err(self.nonsense("no state of the upload")),
        }
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let session = Session::of(upload_url).ok_or_else(|| self.lost())?;
        let completes = offset + payload.length() == session.byte_count;
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        if session.part_bytes == 0 {
            headers.insert(PROTOCOL, HeaderValue::from_static("raw"));
            headers.insert(KIND, text(&session.content_type)?);
        } else {
            headers.insert(COMMAND, HeaderValue::from_static(if completes { "upload, finalize" } else { "upload" }));
            headers.insert(OFFSET, HeaderValue::from(offset));
        }
        let answer = self.exchange(Method::POST, &plain(upload_url), headers, payload).await?;
        match answer.status {
            StatusCode::OK if completes => Err(self.uploaded(session, upload_url, &answer)),
            StatusCode::OK => Ok(None),
            // There is no session that could be lost.
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::GONE if session.part_bytes == 0 => {
                Err(refusal::of_answer(self.wire.host(), &answer))
            }
            _ => Err(self.of_session(&answer)),
        }
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        let session = Session::of(upload_url).ok_or_else(|| self.lost())?;
        match &session.token {
            Some(token) => self.create(token, content).await,
            // All bytes came, and not that they are all.
            None => {
                let answer = self.command(upload_url, "finalize", Some(session.byte_count)).await?;
                Err(self.uploaded(session, upload_url, &answer))
            }
        }
    }

    /// What is not cancelled is forgotten by itself.
    async fn abort(&self, upload_url: &Url) {
        if let Some(Session { part_bytes: 1.., token: None, .. }) = Session::of(upload_url)
            && let Err(setback) = self.command(upload_url, "cancel", None).await
        {
            tracing::debug!(host = self.wire.host(), ?setback, "an upload was left to be forgotten");
        }
    }
}
