//! tus 1.0.0, the older protocol of resumable uploads: its core, and the extensions Creation, Expiration, Termination and Checksum.
//!
//! An empty `POST` creates the upload, so that its URL is stored before the first byte of payload; `PATCH` appends; the byte with which
//! the upload has its length completes it. Creation With Upload is never used: its answer, if lost, would leave a whole file that nobody
//! can ask for. What a server says it holds is an offset, so a delivery is proved by its size. Where checksums are offered, each request carries
//! one and is a megabyte at most, since of one that was cut nothing can be checked; they find damage on the way, and prove nothing of the whole:
//! what a server keeps of a request that was cut was never compared.
//!
//! An upload whose creation was not answered stays at the server, empty, until it expires there: tus has no way to ask for it. For the
//! same reason an empty file may arrive twice. The once-key and the SHA-256 are in the metadata, for servers that look at them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use afterglow_model::{Capabilities, Evidence, FailureClass, FailureCode, JobResponse, Timestamp};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use sha2::Digest;
use url::Url;

use crate::{
    destination::{Begun, Content, Destination, Held, Proof, Setback},
    driver::base16,
    failure,
    fields::Limits,
    payload::Payload,
    wire::{Answer, Wire},
};

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

const VERSION: &str = "1.0.0";

/// Checksum Mismatch, of the Checksum extension.
const CHECKSUM_MISMATCH: u16 = 460;

/// The largest request that carries a checksum, which is said before its content. Bytes.
const CHECKED_BYTES: u64 = 1 << 20;

/// What the server compares of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checksum {
    Nothing,
    Sha1,
    Sha256,
}

impl Checksum {
    /// By "Tus-Extension" and "Tus-Checksum-Algorithm".
    fn offered(headers: &HeaderMap) -> Self {
        if !lists(headers, &TUS_EXTENSION, "checksum") {
            return Self::Nothing;
        }
        match (lists(headers, &TUS_CHECKSUM_ALGORITHM, "sha256"), lists(headers, &TUS_CHECKSUM_ALGORITHM, "sha1")) {
            (true, _) => Self::Sha256,
            (false, true) => Self::Sha1,
            (false, false) => Self::Nothing,
        }
    }

    /// As it is noted of a server.
    fn note(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Sha1 => 1,
            Self::Sha256 => 2,
        }
    }

    fn noted(note: u8) -> Self {
        match note {
            1 => Self::Sha1,
            2 => Self::Sha256,
            _ => Self::Nothing,
        }
    }

    /// "Upload-Checksum"; none if nothing is compared.
    fn of(self, content: &[u8]) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Sha1 => Some(format!("sha1 {}", STANDARD.encode(sha1::Sha1::digest(content)))),
            Self::Sha256 => Some(format!("sha256 {}", STANDARD.encode(sha2::Sha256::digest(content)))),
        }
    }
}

/// A way that refused requests of this size is not believed to refuse smaller ones. Bytes.
const APPEND_BYTES_MIN: u64 = 64 * 1024;

/// A server that speaks tus.
pub(crate) struct Tus<'a> {
    wire: Wire<'a>,
    /// The server has answered that it holds the last byte. It may take the upload away then, as servers do that put it elsewhere.
    taken: AtomicBool,
}

impl<'a> Tus<'a> {
    pub(crate) fn new(wire: Wire<'a>) -> Self {
        Self { wire, taken: AtomicBool::new(false) }
    }

    /// Header fields of every request but `OPTIONS` ("Tus-Resumable").
    fn common() -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
        headers
    }

    fn nonsense(&self, what: &str) -> Setback {
        Setback::Failed(failure::unexpected(self.wire.host(), what))
    }

    /// Praise before the work is no success.
    fn early(&self) -> Setback {
        Setback::Doubt(failure::unexpected(self.wire.host(), "an answer before the file was sent"))
    }

    /// What a status other than success means for the delivery.
    fn setback(&self, answer: &Answer, session: bool) -> Setback {
        let host = self.wire.host();
        let failure = answer.failure(host);
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE if session => Setback::SessionGone(failure),
            // "If the offsets do not match": the right one is asked for, unless the server was so kind as to say it.
            StatusCode::CONFLICT => answer.fields.offset.map_or(Setback::Doubt(failure), Setback::OffsetIs),
            StatusCode::PAYLOAD_TOO_LARGE => Setback::TooLarge { limit: None, failure },
            StatusCode::PRECONDITION_FAILED => Setback::Failed(self.other_version()),
            // "The uploaded chunk MUST be discarded": it is sent again.
            status if status.as_u16() == CHECKSUM_MISMATCH => Setback::Doubt(failure::damaged_on_the_way(host)),
            _ if failure::may_work_at_once(&failure) => Setback::Doubt(failure),
            _ => Setback::Failed(failure),
        }
    }

    /// The answer to another protocol than the server's ("Tus-Resumable": 412).
    fn other_version(&self) -> afterglow_model::Failure {
        let message =
            format!("{} takes no uploads by tus {VERSION}. Check the address, or choose another protocol.", self.wire.host());
        failure::failure(FailureClass::NeedsUser, FailureCode::ProtocolUnsupported, message)
    }

    /// Asks what the server offers, once.
    async fn learn(&self) -> Result<(), Setback> {
        if self.wire.noted().is_none() {
            self.probe().await?;
        }
        Ok(())
    }

    /// What is compared of each request, as far as the server was asked.
    fn checksum(&self) -> Checksum {
        self.wire.noted().map_or(Checksum::Nothing, Checksum::noted)
    }

    /// What the server takes, as this answer and earlier refusals tell.
    fn limits(&self, answer: &Answer) -> Limits {
        let checked = if self.checksum() == Checksum::Nothing { u64::MAX } else { CHECKED_BYTES };
        let largest = self.wire.largest_body().min(checked);
        Limits {
            max_size: integer(&answer.headers, &TUS_MAX_SIZE),
            max_append_size: (APPEND_BYTES_MIN..u64::MAX).contains(&largest).then_some(largest),
            min_append_size: None,
            max_age: expires_in_s(&answer.headers, SystemTime::now()),
        }
    }
}

#[async_trait]
impl Destination for Tus<'_> {
    fn host(&self) -> &str {
        self.wire.host()
    }

    /// "OPTIONS": the request carries no `Tus-Resumable`; versions, extensions and the largest size are in the answer.
    async fn probe(&self) -> Result<Capabilities, Setback> {
        let answer = self.wire.exchange(Method::OPTIONS, self.wire.url(), HeaderMap::new(), Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, false));
        }
        if !lists(&answer.headers, &TUS_VERSION, VERSION) || !lists(&answer.headers, &TUS_EXTENSION, "creation") {
            return Err(Setback::Failed(self.other_version()));
        }
        self.wire.note(Checksum::offered(&answer.headers).note());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: Evidence::Sized,
            max_size: integer(&answer.headers, &TUS_MAX_SIZE),
            max_append_size: None,
            resumable: true,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// Never: a repeat would make a second upload.
    fn takes_whole(&self, _evidence: Evidence) -> bool {
        false
    }

    fn completes_with_last_byte(&self) -> bool {
        true
    }

    async fn whole(&self, _content: &Content, _body: Bytes) -> Result<Proof, Setback> {
        Err(Setback::Failed(failure::internal("tus was asked for one request")))
    }

    /// "Creation". An empty file is complete with it.
    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        self.taken.store(false, Ordering::Relaxed);
        self.learn().await?;
        let mut headers = Self::common();
        headers.insert(UPLOAD_LENGTH, HeaderValue::from(content.byte_count));
        let described = HeaderValue::try_from(metadata(content));
        headers.insert(UPLOAD_METADATA, described.map_err(|_| Setback::Failed(failure::internal("an unsendable field")))?);
        let answer = self.wire.exchange(Method::POST, self.wire.url(), headers, Payload::empty()).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, false));
        }
        let location = answer.location().filter(|_| answer.status == StatusCode::CREATED);
        let location = location.ok_or_else(|| self.nonsense("an upload without an address"))?;
        let mut upload_url = self.wire.resolve(&answer.url, location)?;
        upload_url.set_fragment(Some(&content.byte_count.to_string()));
        Ok(Begun::Session { upload_url, offset: answer.fields.offset.unwrap_or(0), limits: self.limits(&answer) })
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        self.learn().await?;
        let answer = self.wire.exchange(Method::HEAD, upload_url, Self::common(), Payload::empty()).await?;
        let length = length(upload_url);
        if let Some(length) = length
            && matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE)
            && self.taken.load(Ordering::Relaxed)
        {
            return Ok(Held { offset: length, complete: true, digest: None, limits: Limits::default() });
        }
        // Section "HEAD": without an offset this says as well that it is gone. Whether the account may upload at all, a creation tells.
        let is_refused = answer.status == StatusCode::FORBIDDEN && answer.fields.offset.is_none();
        if is_refused && !self.taken.load(Ordering::Relaxed) {
            return Err(Setback::SessionGone(answer.failure(self.wire.host())));
        }
        if !answer.status.is_success() {
            return Err(self.setback(&answer, true));
        }
        let offset = answer.fields.offset.ok_or_else(|| self.nonsense("an upload without an offset"))?;
        let stated = answer.fields.length.or(length);
        if length.is_some() && stated != length {
            return Err(Setback::Spoilt(failure::unexpected(self.wire.host(), "an upload of another length")));
        }
        Ok(Held { offset, complete: stated == Some(offset), digest: None, limits: self.limits(&answer) })
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let mut headers = Self::common();
        headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/offset+octet-stream"));
        let mut payload = payload;
        if self.checksum() != Checksum::Nothing {
            // Why the file cannot be read, the driver knows better.
            let content = payload.in_memory().await.map_err(|_| Setback::Doubt(failure::internal("reading the file")))?;
            let checksum = self.checksum().of(&content).and_then(|checksum| HeaderValue::try_from(checksum).ok());
            headers.extend(checksum.map(|checksum| (UPLOAD_CHECKSUM, checksum)));
            payload = Payload::Whole(content);
        }
        let answer = self.wire.exchange(Method::PATCH, upload_url, headers, payload).await?;
        if !answer.status.is_success() {
            return Err(self.setback(&answer, true));
        }
        if answer.is_early {
            return Err(self.early());
        }
        // "It MUST include the Upload-Offset header": an answer without it is somebody else's.
        let held = answer.fields.offset.ok_or_else(|| self.nonsense("bytes taken without an offset"))?;
        self.taken.store(length(upload_url) == Some(held), Ordering::Relaxed);
        Ok(Some(held))
    }

    /// The last byte has completed it, and [`offset`](Self::offset) has asked for its size.
    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        let mut stored = upload_url.clone();
        stored.set_fragment(None);
        Ok(Proof { remote_id: stored.to_string(), digest: None, byte_count: Some(content.byte_count) })
    }

    /// "Termination".
    async fn abort(&self, upload_url: &Url) {
        if let Err(setback) = self.wire.exchange(Method::DELETE, upload_url, Self::common(), Payload::empty()).await {
            tracing::debug!(host = self.wire.host(), ?setback, "an abandoned upload was left to expire");
        }
    }

    fn answer(&self) -> Option<JobResponse> {
        self.wire.response()
    }

    async fn remove(&self, remote_id: &str) {
        if let Ok(stored) = Url::parse(remote_id) {
            self.abort(&stored).await;
        }
    }
}

/// The length that the upload was begun with: the fragment of a session's URL, which never leaves this computer.
fn length(upload_url: &Url) -> Option<u64> {
    upload_url.fragment()?.parse().ok()
}

/// "Upload-Metadata": pairs of a key and a value in Base64. `filename` and `filetype` are what servers look for.
fn metadata(content: &Content) -> String {
    let digest = base16(&content.digest);
    let filetype = content.content_type.as_deref().unwrap_or("application/octet-stream");
    let filename = harmless(&content.filename);
    let pairs = [("filename", filename.as_str()), ("filetype", filetype), ("sha256", &digest), ("idempotency_key", &content.key)];
    pairs.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).join(",")
}

/// A name that a server may take for a path by mistake leads nowhere.
fn harmless(filename: &str) -> String {
    let name: String = filename.chars().map(|c| if matches!(c, '/' | '\\') || c.is_control() { '_' } else { c }).collect();
    if name.chars().all(|c| c == '.') { format!("_{name}") } else { name }
}

/// Whether a field with a comma-separated list has this entry.
fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| entry.trim().eq_ignore_ascii_case(wanted))
}

fn integer(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// "Upload-Expires", as seconds from now.
fn expires_in_s(headers: &HeaderMap, now: SystemTime) -> Option<u64> {
    let until = httpdate::parse_http_date(headers.get(UPLOAD_EXPIRES)?.to_str().ok()?).ok()?;
    Some(until.duration_since(now).unwrap_or_default().as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_leads_nowhere() {
        assert_eq!(harmless("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(harmless(".."), "_..");
        assert_eq!(harmless("a\r\nb.jpg"), "a__b.jpg");
        assert_eq!(harmless("Grüße.jpg"), "Grüße.jpg");
    }

    #[test]
    fn an_expiry_is_an_age_from_now() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let mut headers = HeaderMap::new();
        assert_eq!(expires_in_s(&headers, now), None);
        let later = httpdate::fmt_http_date(now + Duration::from_secs(90));
        headers.insert(UPLOAD_EXPIRES, HeaderValue::from_str(&later).unwrap());
        assert_eq!(expires_in_s(&headers, now), Some(90));
        assert_eq!(expires_in_s(&headers, now + Duration::from_secs(100)), Some(0));
    }

    #[test]
    fn lists_are_read_whatever_their_spaces() {
        let mut headers = HeaderMap::new();
        headers.insert(TUS_VERSION, HeaderValue::from_static("1.0.0, 0.2.2"));
        assert!(lists(&headers, &TUS_VERSION, "0.2.2") && !lists(&headers, &TUS_VERSION, "0.2"));
    }
}
