//! What every protocol has to offer to the driver, and the ways in which a step can go wrong.

use afterglow_model::{Capabilities, Evidence, Failure, JobResponse};
use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use crate::{
    fields::Limits,
    order::{Album, Companions, Mirrored},
    payload::Payload,
};

/// What is delivered, as the server is told.
#[derive(Debug, Clone)]
pub struct Content {
    /// The name it is sent under.
    pub filename: String,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its size in bytes.
    pub byte_count: u64,
    /// Its SHA-256.
    pub digest: [u8; 32],
    /// Its SHA-1, once a destination [wants it](Destination::sha1).
    pub sha1: Option<[u8; 20]>,
    /// When the picture was taken, milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// What else of its asset is there.
    pub companions: Companions,
    /// The same for the same content at the same destination, so that a repeated request makes no second object.
    pub key: String,
}

/// When the SHA-1 of a content has to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sha1Wanted {
    /// Never.
    Never,
    /// Before anything is asked or sent, at the price of another reading of a large file.
    First,
    /// Once everything is sent; it is computed on the way.
    Last,
}

/// What the server says it holds.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The server's name for it.
    pub remote_id: String,
    /// SHA-256 that the server computed. A server that computes another digest proves as much: a connector that has found it to be the
    /// content's says the content's SHA-256.
    pub digest: Option<[u8; 32]>,
    /// Size that the server states.
    pub byte_count: Option<u64>,
}

/// How creating an upload ended.
#[derive(Debug)]
pub enum Begun {
    /// A session to append to.
    Session {
        /// Where to append.
        upload_url: Url,
        /// Bytes that it holds already.
        offset: u64,
        /// What the server takes.
        limits: Limits,
    },
    /// An earlier request with this key had already delivered it.
    Delivered(Proof),
}

/// The state of a session.
#[derive(Debug, Clone)]
pub struct Held {
    /// Bytes that it holds.
    pub offset: u64,
    /// Whether it was completed.
    pub complete: bool,
    /// SHA-256 of what it holds, if the server tells.
    pub digest: Option<[u8; 32]>,
    /// What the server takes.
    pub limits: Limits,
}

/// Why a step did not end well. The driver decides what follows.
#[derive(Debug, Clone)]
pub enum Setback {
    /// Somebody asked us to stop.
    Stopped,
    /// What became of the request is not known, or it may work at once: ask the server and go on.
    Doubt(Failure),
    /// The server's offset is another than ours.
    OffsetIs(u64),
    /// The request was too large; one of at most this many bytes may do.
    TooLarge {
        /// Bytes, if the server tells.
        limit: Option<u64>,
        /// What to say if no request is small enough.
        failure: Failure,
    },
    /// The session goes on at another URL of the same origin.
    Moved(Url),
    /// The session is not there any more.
    SessionGone(Failure),
    /// The session is spoilt: begin anew.
    Spoilt(Failure),
    /// The server has received everything and does not want it: the session is over.
    Verdict(Failure),
    /// The file is not the version that was begun with.
    Source(Failure),
    /// Nothing to be done within this delivery.
    Failed(Failure),
}

/// What a server takes that wants a file in one request, from its first byte.
pub(crate) const IN_ONE_REQUEST: Limits =
    Limits { max_size: None, max_append_size: None, min_append_size: Some(u64::MAX), max_age: None };

/// A protocol. Steps are called in the order `probe`, `find`, `begin`, then `offset` and `send` until all bytes are held, then
/// `finish`; `whole` stands for all of them where one request will do.
#[async_trait]
pub trait Destination: Send + Sync {
    /// The server's name, for sentences.
    fn host(&self) -> &str;

    /// Asks what the server can do, without leaving anything there.
    async fn probe(&self) -> Result<Capabilities, Setback>;

    /// How many bytes the account may still store; none if there is no limit or the server does not tell.
    async fn room(&self) -> Result<Option<u64>, Setback> {
        Ok(None)
    }

    /// Whether a small file may go by [`whole`](Self::whole), to a server of which this evidence is known: only where a repeat is
    /// harmless.
    fn takes_whole(&self, evidence: Evidence) -> bool {
        evidence >= Evidence::Hashed
    }

    /// When [`Content::sha1`] is needed.
    fn sha1(&self) -> Sha1Wanted {
        Sha1Wanted::Never
    }

    /// Takes what goes along with the file, before anything of it is sent.
    fn carry(&self, _sidecar: Bytes) {}

    /// Whether the last byte sent completes the upload. Then it leaves only once the whole file was read and is what was ordered.
    fn completes_with_last_byte(&self) -> bool {
        false
    }

    /// What a digest that it proves is worth: [`Evidence::Hashed`] if the server computed it, [`Evidence::ReadBack`] if the bytes were
    /// fetched and compared here.
    fn digest_grade(&self) -> Evidence {
        Evidence::Hashed
    }

    /// Looks for the content where a protocol can ask for it without a trace. Where it cannot, `begin` with the same key asks.
    async fn find(&self, _content: &Content) -> Result<Option<Proof>, Setback> {
        Ok(None)
    }

    /// What the server proves this moment of a content that it was given before, under its own name for it; none if it does not hold it.
    /// A proof of nothing where it cannot be asked without a download.
    async fn still_holds(&self, remote_id: &str, _content: &Content) -> Result<Option<Proof>, Setback> {
        Ok(Some(Proof { remote_id: remote_id.to_owned(), digest: None, byte_count: None }))
    }

    /// Delivers in one request, where [`takes_whole`](Self::takes_whole) says so.
    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback>;

    /// Creates a session, without content.
    async fn begin(&self, content: &Content) -> Result<Begun, Setback>;

    /// Asks how far the session has come.
    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback>;

    /// Appends, never completing. The offset that the server states, if it states one.
    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback>;

    /// Completes a session that holds everything.
    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback>;

    /// Puts what was delivered beside the other files of its asset, where a server knows such a thing. Repeated after any doubt, a few times.
    async fn arrange(&self, _remote_id: &str, _companions: &Companions) -> Result<(), Setback> {
        Ok(())
    }

    /// Puts what was delivered into an album, which is made if the account has none of that title. Nothing is taken out of it, and a repeat
    /// changes nothing. What it refuses keeps no other out. None if the album that was named is not there any more.
    async fn mirror(&self, _album: &Album) -> Result<Option<Mirrored>, Setback> {
        Ok(None)
    }

    /// What the account may not do beyond sending files, in sentences for people. Known once it was [probed](Self::probe).
    fn lack(&self) -> Option<String> {
        None
    }

    /// What the server answered last, for the app that described the request.
    fn answer(&self) -> Option<JobResponse> {
        None
    }

    /// Gives a session up. Best effort.
    async fn abort(&self, upload_url: &Url);

    /// Whether what was delivered can be [removed](Self::remove). Where it cannot, the test of a destination ends before the completing
    /// request.
    fn can_remove(&self) -> bool {
        true
    }

    /// Removes what was delivered; only ever what the test of a destination has left. Best effort.
    async fn remove(&self, _remote_id: &str) {}
}
