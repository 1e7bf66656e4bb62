//! WebDAV (RFC 4918): a NAS, PhotoPrism, ownCloud, or any other server of files.
//!
//! A plain `PUT` is neither resumable nor whole or nothing: a server may keep and show what came before the line broke. So a file goes to
//! `.<name>.<key>.partial` beside its place, its size is asked for, and `MOVE` with `Overwrite: F` gives it its name. What can be seen is
//! whole, and nothing is replaced. (`.part` would be ownCloud's own: it keeps no digest of such a file, and Nextcloud takes none.)
//!
//! A file of that name is the content itself only if its bytes are: equal sizes are common among photos of one camera. So one of the
//! same size is read back and compared, which happens only where a delivery was forgotten or two photos share name and size.
//! A delivery is proved by its size; or by its SHA-1, where the server states one of each file as a property, as ownCloud does (10 and
//! Infinite Scale: `checksums` in `http://owncloud.org/ns`). It is the server's own, since a file that we store is sent with none. Whether
//! it does is noted with the first file that it is given, and none is believed before; until then, and where it does, our SHA-1 is computed
//! while the file is sent. Or, if the person wants that, each file is read back.

use std::{
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use afterglow_model::{Capabilities, Evidence, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use url::Url;

use crate::{
    dav::{Dav, Digests, Found, Marked, Renamed, Resource, beneath, created_s, dated, plain},
    destination::{Begun, Content, Destination, Held, IN_ONE_REQUEST, Proof, Setback, Sha1Wanted},
    failure, name,
    payload::Payload,
    wire::Wire,
};

/// What is left of a file's name in the name of its part, so that its key always fits. Bytes.
const PART_NAME_BYTES_MAX: usize = 200;

/// A collection of a WebDAV server.
pub(crate) struct Webdav<'a> {
    dav: Dav<'a>,
    /// The part that was found complete last.
    complete: Mutex<Option<Resource>>,
}

impl<'a> Webdav<'a> {
    pub(crate) fn new(wire: Wire<'a>) -> Self {
        Self { dav: Dav { wire, digests: Digests::Stated }, complete: Mutex::default() }
    }

    fn base(&self) -> &Url {
        self.dav.wire.url()
    }

    fn folders(&self, content: &Content) -> Vec<String> {
        name::folders(self.dav.wire.config().folder.as_deref(), content.created_ms)
    }

    fn part(&self, folders: &[String], content: &Content) -> Url {
        let safe = name::safe(&content.filename);
        let part = format!(".{}.{}.partial", name::start(&safe, PART_NAME_BYTES_MAX), content.key);
        beneath(self.base(), folders.iter().chain([&part]))
    }

    /// The places under which the content may be stored, in the order in which they are tried.
    fn targets(&self, folders: &[String], content: &Content) -> [Url; 4] {
        name::candidates(&content.filename, &content.digest).map(|name| beneath(self.base(), folders.iter().chain([&name])))
    }

    /// Header fields of the upload itself: the date stays with the file when it is renamed.
    fn uploading(created_s: u64) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        dated(&mut headers, created_s);
        headers
    }

    /// Stores a part, replacing what an attempt with the same key has left there. False if its folder is missing.
    async fn put(&self, part: &Url, headers: HeaderMap, payload: Payload) -> Result<bool, Setback> {
        let answer = self.dav.wire.exchange(Method::PUT, &plain(part), headers, payload).await?;
        match answer.status {
            // Section 9.7.1; Go's server says 404.
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok(false),
            // Parts do not go beside each other here, so smaller requests are of no use.
            status if status.is_success() && answer.is_early => {
                Err(Setback::Doubt(failure::unexpected(self.dav.wire.host(), "an answer before the file was sent")))
            }
            status if status.is_success() => Ok(true),
            _ => Err(self.dav.setback(&answer)),
        }
    }

    fn reads_back(&self) -> bool {
        self.dav.wire.config().read_back
    }

    /// Takes note of what the server says of a part that holds everything.
    fn heed(&self, part: Resource) {
        self.dav.note_digest(part.sha1.is_some());
        *self.complete.lock().unwrap_or_else(PoisonError::into_inner) = Some(part);
    }

    /// Before a part gets its name: it is not damaged, as far as the server tells. Its bytes decide where it seems to be; a server whose
    /// digests are of something else is not heard any more.
    async fn ensure_intact(&self, part: &Url, content: &Content) -> Result<(), Setback> {
        let complete = self.complete.lock().unwrap_or_else(PoisonError::into_inner).take();
        if complete.and_then(|complete| self.dav.is_said_to_be(&complete, content)) != Some(false) {
            return Ok(());
        }
        if self.dav.wire.read_back(part).await?.is_some_and(|(digest, _)| digest == content.digest) {
            self.dav.disbelieve_digests();
            return Ok(());
        }
        Err(Setback::Spoilt(failure::damaged_on_the_way(self.dav.wire.host())))
    }

    /// The part is gone: the answer to its renaming was lost, if the target is the content. Its size alone would not tell, since another
    /// photo of that name and size may have come meanwhile.
    async fn renamed_before(&self, target: &Url, content: &Content) -> Result<Proof, Setback> {
        match self.dav.compare(target, content).await? {
            Found::Same(proof) => Ok(proof),
            Found::Nothing | Found::Other => Err(Setback::Spoilt(failure::lost_bytes(self.dav.wire.host()))),
        }
    }
}

#[async_trait]
impl Destination for Webdav<'_> {
    fn host(&self) -> &str {
        self.dav.wire.host()
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        if self.dav.look(&beneath(self.base(), [""]), 0).await?.is_none() {
            return Err(Setback::Failed(failure::of_status(self.dav.wire.host(), StatusCode::NOT_FOUND, None)));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: match self.dav.states_digests() {
                _ if self.reads_back() => Evidence::ReadBack,
                Some(true) => Evidence::Hashed,
                Some(false) | None => Evidence::Sized,
            },
            max_size: None,
            max_append_size: None,
            resumable: false,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// Always: what a repeat finds under its name is compared.
    fn takes_whole(&self, _evidence: Evidence) -> bool {
        true
    }

    fn digest_grade(&self) -> Evidence {
        if self.reads_back() { Evidence::ReadBack } else { Evidence::Hashed }
    }

    fn sha1(&self) -> Sha1Wanted {
        if self.reads_back() || self.dav.states_digests() == Some(false) { Sha1Wanted::Never } else { Sha1Wanted::Last }
    }

    async fn still_holds(&self, remote_id: &str, content: &Content) -> Result<Option<Proof>, Setback> {
        self.dav.prove(&self.dav.wire.resolve(self.dav.wire.url(), remote_id)?, content).await
    }

    /// Not one request, but without a session: the part's name follows from the content.
    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        let folders = self.folders(content);
        let part = self.part(&folders, content);
        let headers = Self::uploading(created_s(content));
        if !self.put(&part, headers.clone(), Payload::Whole(body.clone())).await? {
            self.dav.make_folders(self.base(), &folders).await?;
            if !self.put(&part, headers, Payload::Whole(body)).await? {
                return Err(Setback::Doubt(failure::unexpected(self.dav.wire.host(), "no folder for the file")));
            }
        }
        match self.dav.look(&part, content.byte_count).await? {
            Some(held) if held.byte_count == Some(content.byte_count) => self.heed(held),
            Some(_) | None => return Err(Setback::Doubt(failure::damaged_on_the_way(self.dav.wire.host()))),
        }
        self.ensure_intact(&part, content).await?;
        for target in self.targets(&folders, content) {
            match self.dav.rename(&part, &target, HeaderMap::new()).await? {
                Renamed::Done => return self.dav.prove(&target, content).await?.ok_or_else(|| self.dav.lost()),
                Renamed::Taken => {
                    if let Found::Same(proof) = self.dav.compare(&target, content).await? {
                        self.dav.delete(&part).await;
                        return Ok(proof);
                    }
                }
                Renamed::Gone => return self.renamed_before(&target, content).await,
            }
        }
        Err(Setback::Failed(failure::digest_mismatch(self.dav.wire.host())))
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let folders = self.folders(content);
        let target = match self.dav.place(self.targets(&folders, content), content).await? {
            Ok(proof) => return Ok(Begun::Delivered(proof)),
            Err(target) => target,
        };
        self.dav.make_folders(self.base(), &folders).await?;
        let part = self.part(&folders, content);
        // Whatever version of the file a forgotten attempt has left there.
        let answer = self.dav.ask("DELETE", &part, HeaderMap::new()).await?;
        if !answer.status.is_success() && answer.status != StatusCode::NOT_FOUND {
            return Err(self.dav.setback(&answer));
        }
        if content.byte_count == 0 && !self.put(&part, Self::uploading(created_s(content)), Payload::empty()).await? {
            return Err(self.dav.lost());
        }
        let marked = Marked { byte_count: content.byte_count, part_bytes: 0, created_s: created_s(content), target };
        let upload_url = marked.on(part);
        Ok(Begun::Session { upload_url, offset: 0, limits: IN_ONE_REQUEST })
    }

    /// All or nothing: what was cut is sent again from its first byte.
    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let marked = Marked::of(upload_url).ok_or_else(|| self.dav.lost())?;
        let held = |offset, complete| Ok(Held { offset, complete, digest: None, limits: IN_ONE_REQUEST });
        match self.dav.look(&plain(upload_url), marked.byte_count).await? {
            Some(part) if part.byte_count == Some(marked.byte_count) => {
                self.heed(part);
                held(marked.byte_count, false)
            }
            Some(_) => held(0, false),
            None => match self.dav.look(&marked.target, marked.byte_count).await? {
                // The answer to the renaming may have been lost: `finish` looks whether it is this content.
                Some(found) if found.byte_count == Some(marked.byte_count) => held(marked.byte_count, true),
                // Not begun, or swept away: it is sent from its first byte in either case.
                Some(_) | None => held(0, false),
            },
        }
    }

    async fn send(&self, upload_url: &Url, _offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let created_s = Marked::of(upload_url).map_or(0, |marked| marked.created_s);
        if self.put(upload_url, Self::uploading(created_s), payload).await? { Ok(None) } else { Err(self.dav.lost()) }
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        let marked = Marked::of(upload_url).ok_or_else(|| self.dav.lost())?;
        let part = plain(upload_url);
        self.ensure_intact(&part, content).await?;
        match self.dav.rename(&part, &marked.target, HeaderMap::new()).await? {
            Renamed::Done => self.dav.prove(&marked.target, content).await?.ok_or_else(|| self.dav.lost()),
            Renamed::Gone => self.renamed_before(&marked.target, content).await,
            // Somebody has put another file there meanwhile: the session goes on towards another name.
            Renamed::Taken => match self.dav.place(self.targets(&self.folders(content), content), content).await? {
                Ok(proof) => {
                    self.dav.delete(&part).await;
                    Ok(proof)
                }
                Err(target) => Err(Setback::Moved(Marked { target, ..marked }.on(part))),
            },
        }
    }

    /// Only ever a part of ours, whatever a journal says.
    async fn abort(&self, upload_url: &Url) {
        let last = upload_url.path_segments().and_then(|mut parts| parts.next_back());
        // `.part` is what they were called before.
        if last.is_some_and(|name| name.starts_with('.') && (name.ends_with(".partial") || name.ends_with(".part"))) {
            self.dav.delete(&plain(upload_url)).await;
        }
    }

    /// The folders that were made for it stay.
    async fn remove(&self, remote_id: &str) {
        if let Ok(stored) = Url::parse(remote_id) {
            self.dav.delete(&stored).await;
        }
    }
}
