//! Resumable Uploads for HTTP: draft-ietf-httpbis-resumable-upload-11, interop version 8.
//!
//! "Careful creation": an empty `POST` creates the upload, so that its URL is stored before the first byte of payload; `PATCH`
//! appends with `Upload-Complete: ?0`; an empty `PATCH` with `?1` completes. Interim `104` answers are not needed. Servers that ask
//! for digests (`Want-Repr-Digest` in the answer to `OPTIONS`) check what they store, and take a small file in one `POST`.

use std::time::{SystemTime, UNIX_EPOCH};

use afterglow_model::{Capabilities, Evidence, FailureClass, FailureCode, Timestamp};
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
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

const YES: HeaderValue = HeaderValue::from_static("?1");
const NO: HeaderValue = HeaderValue::from_static("?0");
const PARTIAL_UPLOAD: &str = "application/partial-upload";

/// A server that speaks the draft.
pub(crate) struct Resumable<'a> {
    wire: Wire<'a>,
}

impl<'a> Resumable<'a> {
    pub(crate) fn new(wire: Wire<'a>) -> Self {
        Self { wire }
    }

    /// Header fields of every request: section 10 of the draft asks for the version while it is one.
    fn common() -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(INTEROP_VERSION, HeaderValue::from_static("8"));
        headers
    }

    /// Header fields of a creation. `Idempotency-Key` is a structured string (draft-ietf-httpapi-idempotency-key-header section 2.1).
    fn creation(&self, content: &Content, complete: HeaderValue) -> Result<HeaderMap, Setback> {
        let text =
            |value: String| HeaderValue::try_from(value).map_err(|_| Setback::Failed(failure::internal("an unsendable field")));
        let mut headers = Self::common();
        headers.insert(UPLOAD_COMPLETE, complete);
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

    fn appending(offset: u64, complete: HeaderValue) -> HeaderMap {
        let mut headers = Self::common();
        headers.insert(UPLOAD_COMPLETE, complete);
        headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PARTIAL_UPLOAD));
        headers
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
        if answer.fields.complete == Some(true) {
            return Setback::Verdict(failure);
        }
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE if session => Setback::SessionGone(failure),
            StatusCode::CONFLICT => answer.fields.offset.map_or(Setback::Doubt(failure), Setback::OffsetIs),
            StatusCode::PAYLOAD_TOO_LARGE => Setback::TooLarge { limit: answer.fields.limits.max_append_size, failure },
            _ if problem == "completed-upload" => Setback::SessionGone(failure),
            _ if problem == "inconsistent-upload-length" => Setback::Verdict(failure::failure(
                FailureClass::Permanent,
                FailureCode::LengthInconsistent,
                format!("{host} disagrees about the size of this file. Check the file, then retry."),
            )),
            _ if failure::may_work_at_once(&failure) => Setback::Doubt(failure),
            _ => Setback::Failed(failure),
        }
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
        let answer = self.wire.exchange(Method::OPTIONS, self.wire.url(), Self::common(), Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, false));
        }
        let accepts = answer.headers.get_all(ACCEPT_PATCH).iter().filter_map(|value| value.to_str().ok());
        if !accepts.flat_map(|value| value.split([',', ';'])).any(|kind| kind.trim().eq_ignore_ascii_case(PARTIAL_UPLOAD)) {
            return Err(Setback::Failed(failure::of_status(self.wire.host(), StatusCode::NOT_IMPLEMENTED, None)));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: if fields::wants_sha256(&answer.headers) { Evidence::Hashed } else { Evidence::Sized },
            max_size: answer.fields.limits.max_size,
            max_append_size: answer.fields.limits.max_append_size,
            resumable: true,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// A server that is asked for a digest (RFC 9530, section 4) may compute it from what it stores now.
    async fn still_holds(&self, remote_id: &str, _content: &Content) -> Result<Option<Proof>, Setback> {
        let stored = self.wire.resolve(self.wire.url(), remote_id)?;
        let mut headers = Self::common();
        headers.insert(WANT_REPR_DIGEST, HeaderValue::from_static("sha-256=10"));
        let answer = self.wire.exchange(Method::HEAD, &stored, headers, Payload::empty()).await?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => Ok(Some(self.proof(&answer, &stored))),
            _ => Err(self.setback(&answer, false)),
        }
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        let headers = self.creation(content, YES)?;
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
        let headers = self.creation(content, NO)?;
        let answer = self.wire.exchange(Method::POST, self.wire.url(), headers, Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, false));
        }
        if answer.fields.complete == Some(true) {
            return Ok(Begun::Delivered(self.proof(&answer, self.wire.url())));
        }
        let location = answer.location().ok_or_else(|| self.nonsense("an upload without an address"))?;
        let upload_url = self.wire.resolve(&answer.url, location)?;
        Ok(Begun::Session { upload_url, offset: answer.fields.offset.unwrap_or(0), limits: answer.fields.limits })
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let answer = self.wire.exchange(Method::HEAD, upload_url, Self::common(), Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, true));
        }
        let Fields { offset, complete, digest, limits, .. } = answer.fields;
        let offset = offset.ok_or_else(|| self.nonsense("an upload without an offset"))?;
        Ok(Held { offset, complete: complete == Some(true), digest, limits })
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let answer = self.wire.exchange(Method::PATCH, upload_url, Self::appending(offset, NO), payload).await?;
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
        let headers = Self::appending(content.byte_count, YES);
        let answer = self.wire.exchange(Method::PATCH, upload_url, headers, Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, true));
        }
        if answer.fields.complete != Some(true) {
            return Err(self.nonsense("not complete after it was completed"));
        }
        let mut proof = self.proof(&answer, upload_url);
        // The offset was asked for before: the server holds this many bytes.
        proof.byte_count = proof.byte_count.or(Some(content.byte_count));
        Ok(proof)
    }

    async fn abort(&self, upload_url: &Url) {
        if let Err(setback) = self.wire.exchange(Method::DELETE, upload_url, Self::common(), Payload::empty()).await {
            tracing::debug!(host = self.wire.host(), ?setback, "an abandoned upload was left to expire");
        }
    }

    async fn remove(&self, remote_id: &str) {
        if let Ok(stored) = Url::parse(remote_id) {
            self.abort(&stored).await;
        }
    }
}
