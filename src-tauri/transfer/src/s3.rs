//! Amazon S3, and the stores that speak its protocol (Amazon S3 API Reference, version 2006-03-01).
//!
//! An object's key is `prefix/YYYY/MM/name`, or with a part of the digest in its name if another file is there; or, if the person wants
//! that, `prefix/sha256/ab/digest.extension`, so that a changed name makes no second object. A file of up to 8 MiB is one
//! `PutObject`, which creates only (`If-None-Match: *`); a larger one is a multipart upload, whose id, part size and content are in the
//! session's URL. The server is given the SHA-256 of all that it is sent. Whether it compares is tried out, once, with a digest that is
//! wrong: what a server proves that does is a digest, what any other proves is a size. Whether it knows conditions is tried out on the
//! first small file that it was given, in each run; until that is known, and where it does not, it is asked for the key before. Before a
//! file of more
//! than a megabyte goes it is asked always, since it costs less than to send it in vain, and immediately before an upload of parts is
//! completed. A key is reserved within this process before it is asked for, so that of two files of one name on
//! their way at once the second gets the other name. If the person wants that, each object is read back instead, and its bytes decide.
//! Some stores refuse the header field of a checksum, with parts or with everything; they get none, and prove a size.
//!
//! A multipart upload whose creation was not answered is looked for and aborted in the same delivery; after a crash in that moment it
//! stays until the bucket's own rules remove it.

mod bucket;
mod parts;
mod refusal;
mod reserved;
mod single;
mod xml;

use std::{
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use afterglow_model::{Capabilities, Evidence, Failure, Timestamp};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue},
};
use sha2::{Digest, Sha256};
use url::Url;

pub(crate) use self::reserved::Reserved;
use self::{
    bucket::Bucket,
    parts::Parts,
    reserved::Reservation,
    single::{SINGLE_BYTES, Single},
};
use crate::{
    destination::{Begun, Content, Destination, Held, IN_ONE_REQUEST, Proof, Setback},
    driver::base16,
    failure,
    order::Account,
    payload::Payload,
    wire::{Answer, Wire},
};

const CHECKSUM: &str = "x-amz-checksum-sha256";
const CHECKSUM_ALGORITHM: &str = "x-amz-checksum-algorithm";
/// Which content an object was made for. It is our word, not the server's.
const MADE_FOR: &str = "x-amz-meta-sha256";
const CREATE_ONLY: (&str, &str) = (IF_NONE_MATCH, "*");
const IF_NONE_MATCH: &str = "if-none-match";

/// A bucket.
pub(crate) struct S3<'a> {
    wire: Wire<'a>,
    bucket: Bucket,
    parts: Parts,
    reserved: &'a Reserved,
    /// The server, whichever of its addresses is in use.
    server: String,
    /// The key that this delivery is about to store under.
    reservation: Mutex<Option<Reservation<'a>>>,
    /// What the server proved of the object that it took last in this delivery.
    stored: Mutex<Option<Proof>>,
}

/// What a server was found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Habits {
    /// It refuses content whose SHA-256 is another than was said.
    compares: bool,
    /// It keeps to `If-None-Match: *`; none if that is not known yet.
    conditions: Option<bool>,
    /// It takes objects only without a checksum.
    bare_objects: bool,
    /// It takes parts only without a checksum.
    bare_parts: bool,
}

/// What is at a key.
enum Standing {
    Free,
    /// The content.
    Ours(Proof),
    /// Something else.
    Other,
}

impl Habits {
    fn of(noted: u8) -> Self {
        let conditions = match noted & 6 {
            2 => Some(false),
            4 => Some(true),
            _ => None,
        };
        Self { compares: noted & 1 != 0, conditions, bare_objects: noted & 8 != 0, bare_parts: noted & 16 != 0 }
    }

    fn note(self) -> u8 {
        let conditions = match self.conditions {
            Some(true) => 4,
            Some(false) => 2,
            None => 0,
        };
        u8::from(self.compares) | conditions | u8::from(self.bare_objects) << 3 | u8::from(self.bare_parts) << 4
    }

    /// What is still believed after a restart. A server that keeps to conditions no more, or another one in its place, would have what is
    /// there written over: so that is found out in each run.
    fn lasting(self) -> Self {
        Self { conditions: self.conditions.filter(|keeps_to| !keeps_to), ..self }
    }
}

impl<'a> S3<'a> {
    /// `Err` if the account has no key or names no bucket.
    pub(crate) fn new(wire: Wire<'a>, account: &Account, reserved: &'a Reserved) -> Result<Self, Failure> {
        let server = account.bases().iter().map(|base| base.origin().ascii_serialization()).min().unwrap_or_default();
        let (bucket, parts) = (Bucket::of(account)?, Parts::default());
        Ok(Self { wire, bucket, parts, reserved, server, reservation: Mutex::default(), stored: Mutex::default() })
    }

    /// Reserves a key for this delivery, in place of the one that it had; false if another file is about to be stored there.
    fn reserves(&self, object: &Url, digest: &[u8; 32]) -> bool {
        let reservation = self.reserved.take(format!("{}{}", self.server, object.path()), digest);
        let is_ours = reservation.is_some();
        *self.reservation.lock().unwrap_or_else(PoisonError::into_inner) = reservation;
        is_ours
    }

    fn nonsense(&self, what: &str) -> Setback {
        Setback::Failed(failure::unexpected(self.wire.host(), what))
    }

    fn setback(&self, answer: &Answer) -> Setback {
        refusal::setback(self.wire.host(), self.bucket.region(), answer)
    }

    /// Notes what was learnt, in addition to what is known by now.
    fn note(&self, learn: impl FnOnce(&mut Habits)) {
        if let Some(mut habits) = self.wire.noted().map(Habits::of) {
            learn(&mut habits);
            self.keep(habits);
        }
    }

    fn keep(&self, habits: Habits) {
        self.wire.note_lastingly(habits.note(), habits.lasting().note());
    }

    /// What to say if a request with these header fields was refused for one that can be done without. That is noted, and it is not sent
    /// again.
    async fn learns(&self, answer: &Answer, sent: &[(&'static str, &str)], of_parts: bool) -> Result<Option<Failure>, Setback> {
        let Some(refused) = refusal::refused_field(answer, sent) else { return Ok(None) };
        // In a session from before we started nothing had to be known until here.
        self.habits().await?;
        self.note(|habits| match refused {
            IF_NONE_MATCH => habits.conditions = Some(false),
            _ if of_parts => habits.bare_parts = true,
            _ => (habits.bare_objects, habits.bare_parts, habits.compares) = (true, true, false),
        });
        Ok(Some(refusal::takes_less(self.wire.host())))
    }

    /// Sends a request, signed. What the server thinks of it is in the answer.
    async fn ask(
        &self,
        method: Method,
        url: &Url,
        query: &[(&str, &str)],
        headers: &[(&'static str, &str)],
        payload: Payload,
    ) -> Result<Answer, Setback> {
        let signed = self.bucket.signed(&method, url, query, headers).map_err(Setback::Failed)?;
        let mut fields = HeaderMap::with_capacity(headers.len() + 2);
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| Setback::Failed(failure::internal("an unsendable field")))?;
            fields.insert(HeaderName::from_static(name), value);
        }
        let answer = self.wire.exchange(method, &signed, fields, payload).await.map_err(|setback| match setback {
            // A signature is for one URL, and no session may keep it.
            Setback::Moved(_) => self.nonsense("a redirect"),
            setback => setback,
        })?;
        if answer.is_early && answer.status.is_success() {
            return Err(Setback::Doubt(failure::unexpected(self.wire.host(), "an answer before the file was sent")));
        }
        Ok(answer)
    }

    /// Whether objects are read back, and nobody's word counts.
    fn reads_back(&self) -> bool {
        self.wire.config().read_back
    }

    /// What the server does, tried out if that is not known yet.
    async fn habits(&self) -> Result<Habits, Setback> {
        if let Some(noted) = self.wire.noted() {
            return Ok(Habits::of(noted));
        }
        self.try_out().await
    }

    /// Offers a few bytes with a digest that is not theirs. A server that compares refuses them, and nothing is left. One that refuses
    /// digests is offered them without.
    async fn try_out(&self) -> Result<Habits, Setback> {
        let url = self.bucket.object(&self.bucket.probe_key());
        let wrong = STANDARD.encode(Sha256::digest(b"other bytes"));
        let offer = async |fields: &[(&'static str, &str)]| {
            self.ask(Method::PUT, &url, &[], fields, Payload::Whole(Bytes::from_static(b"Afterglow"))).await
        };
        let wrongly = [(CHECKSUM, wrong.as_str())];
        let mut answer = offer(&wrongly).await?;
        let is_bare = refusal::refused_field(&answer, &wrongly).is_some();
        if is_bare {
            answer = offer(&[]).await?;
        }
        let compares = refusal::is_wrong_digest(&refusal::code(&answer));
        if !compares {
            if !answer.status.is_success() {
                return Err(self.setback(&answer));
            }
            let removed = self.ask(Method::DELETE, &url, &[], &[], Payload::empty()).await?;
            if !removed.status.is_success() && removed.status != StatusCode::NOT_FOUND {
                return Err(self.setback(&removed));
            }
        }
        let bare_parts = is_bare || self.wire.noted().is_some_and(|noted| Habits::of(noted).bare_parts);
        // What was known of conditions may have been of another server.
        let habits = Habits { compares, conditions: None, bare_objects: is_bare, bare_parts };
        self.keep(habits);
        Ok(habits)
    }

    /// What is at a key: "HeadObject", with the checksum of what the server holds.
    ///
    /// The checksum of an object of parts is one over the checksums of its parts (section "Checking object integrity"), each of which the
    /// server has compared; `MADE_FOR` says that the parts were this content's, since an upload is completed for nothing else.
    async fn standing(&self, object: &Url, byte_count: u64, digest: &[u8; 32]) -> Result<Standing, Setback> {
        let habits = self.habits().await?;
        // The checksum of a server that does not compare is hearsay, and the question is more than some take.
        let mode: &[_] = if habits.compares { &[("x-amz-checksum-mode", "ENABLED")] } else { &[] };
        let answer = self.ask(Method::HEAD, object, &[], mode, Payload::empty()).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Standing::Free);
        }
        if !answer.status.is_success() {
            return Err(self.setback(&answer));
        }
        let held = field(&answer, CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
        let held = held.ok_or_else(|| self.nonsense("an object without a size"))?;
        if self.reads_back() {
            return if held == byte_count { self.read(object, digest).await } else { Ok(Standing::Other) };
        }
        let is_made_for = field(&answer, MADE_FOR) == Some(&base16(digest));
        let checksum = field(&answer, CHECKSUM).filter(|_| habits.compares);
        let (is_ours, is_proved) = match checksum {
            Some(checksum) if checksum.contains('-') => (is_made_for, true),
            Some(checksum) => (checksum == STANDARD.encode(digest), true),
            None => (is_made_for, false),
        };
        if held != byte_count || !is_ours {
            return Ok(Standing::Other);
        }
        let proved = is_proved.then_some(*digest);
        Ok(Standing::Ours(Proof { remote_id: object.to_string(), digest: proved, byte_count: Some(held) }))
    }

    /// What is at a key, by its bytes: "GetObject".
    async fn read(&self, object: &Url, digest: &[u8; 32]) -> Result<Standing, Setback> {
        let signed = self.bucket.signed(&Method::GET, object, &[], &[]).map_err(Setback::Failed)?;
        Ok(match self.wire.read_back(&signed).await? {
            None => Standing::Free,
            Some((read, byte_count)) if read == *digest => {
                Standing::Ours(Proof { remote_id: object.to_string(), digest: Some(read), byte_count: Some(byte_count) })
            }
            Some(_) => Standing::Other,
        })
    }

    /// The first key that is free, and reserved from here on; or the content if it is there already.
    async fn place(&self, content: &Content) -> Result<Result<Url, Proof>, Setback> {
        for key in self.bucket.keys(content) {
            let object = self.bucket.object(&key);
            let is_reserved = self.reserves(&object, &content.digest);
            match self.standing(&object, content.byte_count, &content.digest).await? {
                Standing::Free if is_reserved => return Ok(Ok(object)),
                Standing::Ours(proof) => return Ok(Err(proof)),
                Standing::Free | Standing::Other => {}
            }
        }
        Err(Setback::Failed(refusal::no_name_left(self.wire.host())))
    }
}

#[async_trait]
impl Destination for S3<'_> {
    fn host(&self) -> &str {
        self.wire.host()
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        let habits = self.try_out().await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: match habits.compares {
                _ if self.reads_back() => Evidence::ReadBack,
                true => Evidence::Hashed,
                false => Evidence::Sized,
            },
            max_size: None,
            max_append_size: None,
            resumable: true,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// Always: the key of a content is the same each time.
    fn takes_whole(&self, _evidence: Evidence) -> bool {
        true
    }

    /// A single request completes the object.
    fn completes_with_last_byte(&self) -> bool {
        true
    }

    fn digest_grade(&self) -> Evidence {
        if self.reads_back() { Evidence::ReadBack } else { Evidence::Hashed }
    }

    async fn still_holds(&self, remote_id: &str, content: &Content) -> Result<Option<Proof>, Setback> {
        let object = self.wire.resolve(self.wire.url(), remote_id)?;
        Ok(match self.standing(&object, content.byte_count, &content.digest).await? {
            Standing::Ours(proof) => Some(proof),
            Standing::Free | Standing::Other => None,
        })
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        for key in self.bucket.keys(content) {
            let object = self.bucket.object(&key);
            let mut is_free = self.reserves(&object, &content.digest);
            if !is_free || self.habits().await?.conditions != Some(true) {
                match self.standing(&object, content.byte_count, &content.digest).await? {
                    Standing::Free => {}
                    Standing::Ours(proof) => return Ok(proof),
                    Standing::Other => is_free = false,
                }
            }
            let single = Single::new(&object, content);
            if is_free && let Some(proof) = self.put(&single, Payload::Whole(body.clone())).await? {
                self.try_conditions(&single, body).await;
                return Ok(proof);
            }
            if is_free && let Standing::Ours(proof) = self.standing(&object, content.byte_count, &content.digest).await? {
                return Ok(proof);
            }
        }
        Err(Setback::Failed(refusal::no_name_left(self.wire.host())))
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        if content.byte_count == 0 {
            // A multipart upload has at least one byte.
            return Ok(Begun::Delivered(self.whole(content, Bytes::new()).await?));
        }
        let object = match self.place(content).await? {
            Ok(object) => object,
            Err(proof) => return Ok(Begun::Delivered(proof)),
        };
        if SINGLE_BYTES.contains(&content.byte_count) && content.byte_count <= self.wire.largest_body() {
            let upload_url = Single::new(&object, content).url();
            return Ok(Begun::Session { upload_url, offset: 0, limits: IN_ONE_REQUEST });
        }
        self.create(&object, content).await
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        match Single::of(upload_url) {
            Some(single) => self.held_whole(&single).await,
            None => self.held(upload_url).await,
        }
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        match Single::of(upload_url) {
            Some(single) => self.send_whole(&single, payload).await.map(|()| None),
            None => self.send_part(upload_url, offset, payload).await.map(Some),
        }
    }

    async fn finish(&self, upload_url: &Url, _content: &Content) -> Result<Proof, Setback> {
        match Single::of(upload_url) {
            Some(single) => self.proved_whole(&single),
            None => self.complete(upload_url).await,
        }
    }

    /// Only ever an upload of parts: a session of one request has nothing but the object itself.
    async fn abort(&self, upload_url: &Url) {
        if Single::of(upload_url).is_none()
            && let Err(setback) = self.abandon(upload_url).await
        {
            tracing::debug!(host = self.wire.host(), ?setback, "an abandoned upload was left to the bucket's rules");
        }
    }

    async fn remove(&self, remote_id: &str) {
        if let Ok(object) = Url::parse(remote_id)
            && let Err(setback) = self.ask(Method::DELETE, &object, &[], &[], Payload::empty()).await
        {
            tracing::debug!(host = self.wire.host(), ?setback, "what the test left could not be removed");
        }
    }
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_noted_and_read_again() {
        for bits in 0..8 {
            for conditions in [None, Some(true), Some(false)] {
                let (compares, bare_objects, bare_parts) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
                let habits = Habits { compares, conditions, bare_objects, bare_parts };
                assert_eq!(Habits::of(habits.note()), habits);
            }
        }
    }
}
