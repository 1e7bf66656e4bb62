//! A file in one request: "PutObject". The server shows it whole or not at all, so that a cut costs a repeat and never leaves a piece.
//!
//! A small file is in memory. A larger one is read while it is sent: its session is its key, and how far it has come is whether the object
//! is there. Its SHA-256 goes before it, and its last byte leaves only once the whole file was read and has it.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{MutexGuard, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{
    Method,
    header::{ETAG, HeaderValue},
};
use url::Url;

use super::{CHECKSUM, CREATE_ONLY, Habits, MADE_FOR, S3, Standing, field, refusal};
use crate::{
    destination::{Content, Held, IN_ONE_REQUEST, Proof, Setback},
    driver::base16,
    failure,
    payload::Payload,
};

/// The sizes of files that are read while they are sent in one request. Of a larger one a cut would cost too much. A smaller one comes to
/// a session only where one request would not do, or to try out the steps of larger files. Bytes.
pub(super) const SINGLE_BYTES: RangeInclusive<u64> = 1 << 20..=8 << 20;

/// An object to be, as its session's URL tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Single {
    object: Url,
    byte_count: u64,
    digest: [u8; 32],
    /// Its media type.
    kind: String,
}

impl Single {
    pub(super) fn new(object: &Url, content: &Content) -> Self {
        let (object, kind) = (object.clone(), kind(content).to_owned());
        Self { object, byte_count: content.byte_count, digest: content.digest, kind }
    }

    /// None for the session of an upload of parts.
    pub(super) fn of(upload_url: &Url) -> Option<Self> {
        let query: HashMap<_, _> = upload_url.query_pairs().collect();
        let digest = STANDARD.decode(query.get("sha256")?.as_bytes()).ok()?;
        let mut object = upload_url.clone();
        object.set_query(None);
        Some(Self {
            object,
            byte_count: query.get("byte_count")?.parse().ok()?,
            digest: digest.try_into().ok()?,
            kind: query.get("kind")?.to_string(),
        })
    }

    pub(super) fn url(&self) -> Url {
        let mut url = self.object.clone();
        url.query_pairs_mut()
            .append_pair("byte_count", &self.byte_count.to_string())
            .append_pair("sha256", &STANDARD.encode(self.digest))
            .append_pair("kind", &self.kind);
        url
    }
}

impl S3<'_> {
    /// "PutObject". None if something is at the key already.
    pub(super) async fn put(&self, single: &Single, payload: Payload) -> Result<Option<Proof>, Setback> {
        let Single { object, byte_count, digest, kind } = single;
        let habits = self.habits().await?;
        let (checksum, made_for) = (STANDARD.encode(digest), base16(digest));
        let mut headers = vec![(MADE_FOR, made_for.as_str()), ("content-type", kind)];
        if !habits.bare_objects {
            headers.push((CHECKSUM, &checksum));
        }
        if habits.conditions != Some(false) {
            headers.push(CREATE_ONLY);
        }
        let answer = self.ask(Method::PUT, object, &[], &headers, payload).await?;
        if refusal::is_taken(&answer) {
            self.note(|habits| habits.conditions = Some(true));
            return Ok(None);
        }
        if !answer.status.is_success() {
            let learnt = self.learns(&answer, &headers, false).await?;
            return Err(learnt.map_or_else(|| self.setback(&answer), Setback::Doubt));
        }
        if answer.headers.get(ETAG).is_none() {
            return Err(self.nonsense("an object without a tag"));
        }
        let stated = field(&answer, CHECKSUM);
        if stated.is_some_and(|stated| stated != checksum) {
            return Err(Setback::Spoilt(failure::damaged_on_the_way(self.wire.host())));
        }
        if habits.compares && stated.is_some() && !self.reads_back() {
            let (digest, byte_count) = (Some(*digest), Some(*byte_count));
            return Ok(Some(Proof { remote_id: object.to_string(), digest, byte_count }));
        }
        match self.standing(object, *byte_count, digest).await? {
            Standing::Ours(proof) => Ok(Some(proof)),
            Standing::Other if self.reads_back() => Err(Setback::Failed(failure::digest_mismatch(self.wire.host()))),
            Standing::Free | Standing::Other => Err(self.nonsense("another object than was put there")),
        }
    }

    /// Puts what is there already once more: a server that keeps to conditions refuses, and with any other nothing changes.
    pub(super) async fn try_conditions(&self, single: &Single, body: Bytes) {
        if self.wire.noted().map(Habits::of).is_some_and(|habits| habits.conditions.is_none())
            && let Ok(Some(_)) = self.put(single, Payload::Whole(body)).await
        {
            self.note(|habits| habits.conditions = Some(false));
        }
    }

    /// Sends the file of a session.
    pub(super) async fn send_whole(&self, single: &Single, payload: Payload) -> Result<(), Setback> {
        match self.put(single, payload).await {
            Ok(Some(proof)) => {
                *self.stored() = Some(proof);
                Ok(())
            }
            // It is asked what is there.
            Ok(None) => Err(Setback::Doubt(refusal::name_taken(self.wire.host()))),
            // The way takes less than the server: another session goes in parts.
            Err(Setback::TooLarge { failure, .. }) => Err(Setback::Spoilt(failure)),
            // The server keeps none of it.
            Err(Setback::Spoilt(failure)) => Err(Setback::Doubt(failure)),
            Err(setback) => Err(setback),
        }
    }

    /// Whether the object of a session is there.
    pub(super) async fn held_whole(&self, single: &Single) -> Result<Held, Setback> {
        let held = |offset, complete, digest| Held { offset, complete, digest, limits: IN_ONE_REQUEST };
        if self.stored().as_ref().is_some_and(|proof| proof.remote_id == single.object.as_str()) {
            return Ok(held(single.byte_count, false, None));
        }
        let is_reserved = self.reserves(&single.object, &single.digest);
        match self.standing(&single.object, single.byte_count, &single.digest).await? {
            Standing::Free if is_reserved => Ok(held(0, false, None)),
            Standing::Ours(proof) => {
                let digest = proof.digest;
                *self.stored() = Some(proof);
                Ok(held(single.byte_count, true, digest))
            }
            Standing::Free | Standing::Other => Err(Setback::Spoilt(refusal::name_taken(self.wire.host()))),
        }
    }

    /// What was proved of the object of a session.
    pub(super) fn proved_whole(&self, single: &Single) -> Result<Proof, Setback> {
        let proof = self.stored().take().filter(|proof| proof.remote_id == single.object.as_str());
        proof.ok_or_else(|| Setback::Spoilt(failure::lost_bytes(self.wire.host())))
    }

    fn stored(&self) -> MutexGuard<'_, Option<Proof>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn kind(content: &Content) -> &str {
    let kind = content.content_type.as_deref().filter(|kind| HeaderValue::from_str(kind).is_ok());
    kind.unwrap_or("application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_to_be_is_read_from_its_session() {
        let object: Url = "https://s3.example/pictures/a%20%28b%29.jpg".parse().unwrap();
        let single = Single { object, byte_count: 3 << 20, digest: [0xfe; 32], kind: "image/svg+xml; a=\"&\"".to_owned() };
        assert_eq!(Single::of(&single.url()).as_ref(), Some(&single));
        let parts = "https://s3.example/a?upload_id=a&part_bytes=5&byte_count=9&sha256=%2F".parse().unwrap();
        assert!(Single::of(&parts).is_none() && Single::of(&single.object).is_none());
    }
}
