//! Resumable Uploads for HTTP: draft-ietf-httpbis-resumable-upload-11, interop version 8, and the versions 3 to 7 of earlier drafts for
//! servers that speak no later one.
//!
//! "Careful creation": an empty `POST` creates the upload, so that its URL is stored before the first byte of payload; `PATCH`
//! appends with `Upload-Complete: ?0`; an empty `PATCH` with `?1` completes. Interim `104` answers are not needed. Servers that ask
//! for digests (`Want-Repr-Digest` in the answer to `OPTIONS`) check what they store, and take a small file in one `POST`.
//!
//! What differs between versions: up to 3 (draft -01) a field says `Upload-Incomplete`, and up to 5 (draft -03) appended content has no
//! type of its own. Servers of the versions before 8 need not answer `OPTIONS`, so an empty creation finds out, and is cancelled. The fragment
//! of a session's URL, which never leaves this computer, holds a version other than the newest.

use std::time::{SystemTime, UNIX_EPOCH};

use afterglow_model::{Capabilities, Evidence, FailureClass, FailureCode, JobResponse, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED},
};
use url::Url;

use crate::{
    destination::{Begun, Content, Destination, Held, Proof, Setback},
    failure,
    fields::{self, Fields},
    payload::Payload,
    wire::{Answer, Wire},
};

const INTEROP_VERSION: HeaderName = HeaderName::from_static("upload-draft-interop-version");
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const UPLOAD_INCOMPLETE: HeaderName = HeaderName::from_static("upload-incomplete");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

const YES: HeaderValue = HeaderValue::from_static("?1");
const NO: HeaderValue = HeaderValue::from_static("?0");
const PARTIAL_UPLOAD: &str = "application/partial-upload";

/// A version of the draft, by its interop number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version(u8);

impl Version {
    const NEWEST: Self = Self(8);
    const OLDEST: Self = Self(3);

    /// What a server states, or was noted, if it is spoken.
    fn known(number: u8) -> Option<Self> {
        (Self::OLDEST.0..=Self::NEWEST.0).contains(&number).then_some(Self(number))
    }

    /// The version that an upload was begun with.
    fn of(upload_url: &Url) -> Self {
        upload_url.fragment().and_then(|number| number.parse().ok()).and_then(Self::known).unwrap_or(Self::NEWEST)
    }

    /// The address of an upload with the version that it was begun with.
    fn in_url(self, mut upload_url: Url) -> Url {
        upload_url.set_fragment((self != Self::NEWEST).then(|| self.0.to_string()).as_deref());
        upload_url
    }

    /// Header fields of every request: section 10 of the draft asks for the version while it is one.
    fn common(self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(INTEROP_VERSION, HeaderValue::from(u16::from(self.0)));
        headers
    }

    /// The same for one that carries content, the last of it or not.
    fn carrying(self, complete: bool) -> HeaderMap {
        let mut headers = self.common();
        let yes_or_no = |yes| if yes { YES } else { NO };
        if self.0 <= 3 {
            headers.insert(UPLOAD_INCOMPLETE, yes_or_no(!complete));
        } else {
            headers.insert(UPLOAD_COMPLETE, yes_or_no(complete));
        }
        headers
    }

    fn appending(self, offset: u64, complete: bool) -> HeaderMap {
        let mut headers = self.carrying(complete);
        headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
        if self.0 >= 6 {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(PARTIAL_UPLOAD));
        }
        headers
    }
}

/// A server that speaks the draft.
pub(crate) struct Resumable<'a> {
    wire: Wire<'a>,
}

impl<'a> Resumable<'a> {
    pub(crate) fn new(wire: Wire<'a>) -> Self {
        Self { wire }
    }

    /// The version that the server was found to speak; the newest until it has refused it.
    fn version(&self) -> Version {
        self.wire.noted().and_then(Version::known).unwrap_or(Version::NEWEST)
    }

    /// Header fields of a creation. `Idempotency-Key` is a structured string (draft-ietf-httpapi-idempotency-key-header section 2.1).
    fn creation(&self, content: &Content, complete: bool) -> Result<HeaderMap, Setback> {
        let text =
            |value: String| HeaderValue::try_from(value).map_err(|_| Setback::Failed(failure::internal("an unsendable field")));
        let mut headers = self.version().carrying(complete);
        headers.insert(UPLOAD_LENGTH, HeaderValue::from(content.byte_count));
        headers.insert(REPR_DIGEST, text(fields::repr_digest(&content.digest))?);
        headers.insert(WANT_REPR_DIGEST, HeaderValue::from_static("sha-256=10"));
        headers.insert(IDEMPOTENCY_KEY, text(format!("\"{}\"", content.key))?);
        headers.insert(CONTENT_DISPOSITION, text(fields::content_disposition(&content.filename))?);
        if let Some(taken) = content.created_ms.and_then(fields::http_date) {
            headers.insert(LAST_MODIFIED, text(taken)?);
        }
        let kind = content.content_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
        headers.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
        Ok(headers)
    }

    fn nonsense(&self, what: &str) -> Setback {
        Setback::Failed(failure::unexpected(self.wire.host(), what))
    }

    /// Praise before the work is no success.
    fn early(&self) -> Setback {
        Setback::Doubt(failure::unexpected(self.wire.host(), "an answer before the file was sent"))
    }

    /// What a status other than success means for the delivery (sections 4.2.1, 4.3.1 and 4.4.1).
    fn setback(&self, answer: &Answer, session: bool) -> Setback {
        let host = self.wire.host();
        let failure = answer.failure(host);
        let problem = answer.problem();
        let problem = problem.as_deref().unwrap_or_default();
        if problem.contains("digest") {
            return Setback::Spoilt(failure::damaged_on_the_way(host));
        }
        // An answer about the upload and not about its content, though it may say as well that the upload is complete: what completed it
        // was repeated for an answer that was lost.
        match (answer.status, answer.fields.offset) {
            (StatusCode::CONFLICT, Some(offset)) => return Setback::OffsetIs(offset),
            _ if problem == "completed-upload" => return Setback::SessionGone(failure),
            _ if answer.fields.complete == Some(true) => return Setback::Verdict(failure),
            _ => {}
        }
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE if session => Setback::SessionGone(failure),
            StatusCode::CONFLICT => Setback::Doubt(failure),
            StatusCode::PAYLOAD_TOO_LARGE => Setback::TooLarge { limit: answer.fields.limits.max_append_size, failure },
            _ if problem == "inconsistent-upload-length" => Setback::Verdict(failure::failure(
                FailureClass::Permanent,
                FailureCode::LengthInconsistent,
                format!("{host} disagrees about the size of this file. Check the file, then retry."),
            )),
            _ if failure::may_work_at_once(&failure) => Setback::Doubt(failure),
            _ => Setback::Failed(failure),
        }
    }

    /// Asks what versions the server speaks, newest first, and notes the answer.
    async fn negotiate(&self) -> Result<Answer, Setback> {
        let newest = self.wire.exchange(Method::OPTIONS, self.wire.url(), Version::NEWEST.common(), Payload::empty()).await?;
        let accepts = newest.headers.get_all(ACCEPT_PATCH).iter().filter_map(|value| value.to_str().ok());
        if accepts.flat_map(|value| value.split([',', ';'])).any(|kind| kind.trim().eq_ignore_ascii_case(PARTIAL_UPLOAD)) {
            self.wire.note(stated(&newest).unwrap_or(Version::NEWEST).0);
            return Ok(newest);
        }
        if tells_nothing(newest.status) {
            return Err(self.setback(&newest, false));
        }
        for version in (Version::OLDEST.0..Version::NEWEST.0).rev().map(Version) {
            let trial = self.wire.exchange(Method::POST, self.wire.url(), version.carrying(false), Payload::empty()).await?;
            if tells_nothing(trial.status) {
                return Err(self.setback(&trial, false));
            }
            let begun = trial.status.is_success() && trial.fields.complete == Some(false);
            let Some(location) = trial.location().filter(|_| begun) else { continue };
            let upload_url = version.in_url(self.wire.resolve(&trial.url, location)?);
            self.abort(&upload_url).await;
            self.wire.note(version.0);
            return Ok(trial);
        }
        Err(Setback::Failed(failure::of_status(self.wire.host(), StatusCode::NOT_IMPLEMENTED, None)))
    }

    /// Creates an upload, without content.
    async fn create(&self, content: &Content) -> Result<Answer, Setback> {
        let headers = self.creation(content, false)?;
        self.wire.exchange(Method::POST, self.wire.url(), headers, Payload::empty()).await
    }

    /// What an answer to a completing request proves. Its `Location`, if any, is the stored file's (section 4.2.2).
    fn proof(&self, answer: &Answer, fallback: &Url) -> Proof {
        let Fields { digest, offset, length, .. } = answer.fields;
        let location = answer.location().and_then(|location| answer.url.join(location).ok());
        Proof { remote_id: location.as_ref().unwrap_or(fallback).to_string(), digest, byte_count: offset.or(length) }
    }
}

#[async_trait]
impl Destination for Resumable<'_> {
    fn host(&self) -> &str {
        self.wire.host()
    }

    /// Section 4.1.4: a server that takes resumable uploads says so with `Accept-Patch` in its answer to `OPTIONS`.
    async fn probe(&self) -> Result<Capabilities, Setback> {
        let answer = self.negotiate().await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: if fields::wants_sha256(&answer.headers) { Evidence::Hashed } else { Evidence::Sized },
            max_size: answer.fields.limits.max_size,
            max_append_size: answer.fields.limits.max_append_size,
            resumable: true,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// A server that is asked for a digest (RFC 9530, section 4) may compute it from what it stores now.
    async fn still_holds(&self, remote_id: &str, _content: &Content) -> Result<Option<Proof>, Setback> {
        if self.wire.noted().is_none() {
            self.negotiate().await?;
        }
        let stored = self.wire.resolve(self.wire.url(), remote_id)?;
        let mut headers = self.version().common();
        headers.insert(WANT_REPR_DIGEST, HeaderValue::from_static("sha-256=10"));
        let answer = self.wire.exchange(Method::HEAD, &stored, headers, Payload::empty()).await?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => Ok(Some(self.proof(&answer, &stored))),
            _ => Err(self.setback(&answer, false)),
        }
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        let headers = self.creation(content, true)?;
        let answer = self.wire.exchange(Method::POST, self.wire.url(), headers, Payload::Whole(body)).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, false));
        }
        if answer.is_early && answer.fields.digest.is_none() {
            return Err(self.early());
        }
        match (answer.fields.complete, answer.fields.digest) {
            (Some(true), _) | (None, Some(_)) => Ok(self.proof(&answer, self.wire.url())),
            (Some(false), _) | (None, None) => Err(self.nonsense("neither stored nor refused")),
        }
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let mut answer = self.create(content).await?;
        if self.wire.noted().is_none() && speaks_no_such_version(&answer) {
            self.negotiate().await?;
            answer = self.create(content).await?;
        }
        if !answer.status.is_success() {
            return Err(self.setback(&answer, false));
        }
        if answer.fields.complete == Some(true) {
            return Ok(Begun::Delivered(self.proof(&answer, self.wire.url())));
        }
        let location = answer.location().ok_or_else(|| self.nonsense("an upload without an address"))?;
        let upload_url = self.version().in_url(self.wire.resolve(&answer.url, location)?);
        Ok(Begun::Session { upload_url, offset: answer.fields.offset.unwrap_or(0), limits: answer.fields.limits })
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let answer = self.wire.exchange(Method::HEAD, upload_url, Version::of(upload_url).common(), Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, true));
        }
        let Fields { offset, complete, digest, limits, .. } = answer.fields;
        let offset = offset.ok_or_else(|| self.nonsense("an upload without an offset"))?;
        Ok(Held { offset, complete: complete == Some(true), digest, limits })
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let version = Version::of(upload_url);
        let answer = match self.wire.exchange(Method::PATCH, upload_url, version.appending(offset, false), payload).await {
            Err(Setback::Moved(to)) => return Err(Setback::Moved(version.in_url(to))),
            answer => answer?,
        };
        if !answer.status.is_success() {
            return Err(self.setback(&answer, true));
        }
        if answer.is_early {
            return Err(self.early());
        }
        if answer.fields.complete == Some(true) {
            return Err(self.nonsense("complete before it was completed"));
        }
        Ok(answer.fields.offset)
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        let headers = Version::of(upload_url).appending(content.byte_count, true);
        let answer = self.wire.exchange(Method::PATCH, upload_url, headers, Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, true));
        }
        if answer.fields.complete != Some(true) {
            return Err(self.nonsense("not complete after it was completed"));
        }
        let mut stored = upload_url.clone();
        stored.set_fragment(None);
        let mut proof = self.proof(&answer, &stored);
        // The offset was asked for before: the server holds this many bytes.
        proof.byte_count = proof.byte_count.or(Some(content.byte_count));
        Ok(proof)
    }

    async fn abort(&self, upload_url: &Url) {
        if let Err(setback) =
            self.wire.exchange(Method::DELETE, upload_url, Version::of(upload_url).common(), Payload::empty()).await
        {
            tracing::debug!(host = self.wire.host(), ?setback, "an abandoned upload was left to expire");
        }
    }

    fn answer(&self) -> Option<JobResponse> {
        self.wire.response()
    }

    async fn remove(&self, remote_id: &str) {
        if let Ok(stored) = Url::parse(remote_id) {
            self.abort(&self.version().in_url(stored)).await;
        }
    }
}

/// The version that an answer states.
fn stated(answer: &Answer) -> Option<Version> {
    answer.headers.get(INTEROP_VERSION)?.to_str().ok()?.trim().parse().ok().and_then(Version::known)
}

/// Whom a server does not know, or has no time for, it does not tell what it speaks.
fn tells_nothing(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS)
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// Whether a creation was not understood: not refused for what it asks, and not begun either.
fn speaks_no_such_version(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::BAD_REQUEST
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::PRECONDITION_FAILED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::NOT_IMPLEMENTED => answer.problem().is_none(),
        status => status.is_success() && answer.fields.complete.is_none(),
    }
}
