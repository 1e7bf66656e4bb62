//! Nextcloud: its WebDAV (developer manual, "WebDAV: Basic APIs"), and chunked upload v2 ("Chunked file upload").
//!
//! A file of up to 8 MiB goes in one `PUT` with `If-None-Match: *`: the server shows it whole or not at all, and `X-Hash` makes it say the
//! SHA-256 of what it took (`Connector/Sabre/File.php`). A larger one goes in numbered parts of one size to a folder of its own beneath
//! `uploads`, whose name follows from the content; `MOVE` with `Overwrite: F` puts them together under the file's name.
//!
//! The bulk endpoint (`BulkUpload/BulkUploadPlugin.php`) is left alone: it writes over whatever has the name, and knows no condition. A
//! small photo of somebody else's would be gone, for the price of a round trip.
//!
//! What is stored is proved by the digest that the server computes from it when asked by `PATCH` with `X-Recalculate-Hash`
//! (`ChecksumUpdatePlugin.php`, since Nextcloud 23), else by its size. The checksum property is never a proof: the client sets it.

pub(crate) mod login;
mod quota;

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use afterglow_model::{Capabilities, Evidence, Failure, FailureClass, FailureCode, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH},
};
use url::Url;

use crate::{
    dav::{Dav, Digests, Found, Marked, OC_CHECKSUM, Renamed, beneath, created_s, dated, plain},
    destination::{Begun, Content, Destination, Held, IN_ONE_REQUEST, Proof, Setback},
    driver::{base16, hex},
    failure,
    fields::Limits,
    name,
    payload::Payload,
    wire::Wire,
};

const OCS_APIREQUEST: HeaderName = HeaderName::from_static("ocs-apirequest");
const OC_TOTAL_LENGTH: HeaderName = HeaderName::from_static("oc-total-length");
const X_HASH: HeaderName = HeaderName::from_static("x-hash");
const X_HASH_SHA256: HeaderName = HeaderName::from_static("x-hash-sha256");

/// Up to this size a file goes in one request. Bytes.
const SINGLE_BYTES_MAX: u64 = 8 << 20;

/// Sizes of parts. "The size of chunks must be between 5MB and 5GB"; proxies in front take 100 MB at most. Bytes.
const PART_BYTES: RangeInclusive<u64> = 5 << 20..=64 << 20;

/// A cut costs a part at most: a twentieth of the file where the sizes of parts allow it.
const PARTS_WANTED: u64 = 20;

/// A list of so many parts fits into what is read of one. The server takes 10000.
const PARTS_MAX: u64 = 2000;

/// An account at a Nextcloud server.
pub(crate) struct Nextcloud<'a> {
    dav: Dav<'a>,
    /// The server's own address.
    server: Url,
    /// The folder of the account's files.
    files: Url,
    /// The folder of its uploads under way.
    uploads: Url,
    /// What the server said of the file that it took last in this delivery: its place and its SHA-256.
    taken: Mutex<Option<(Url, [u8; 32])>>,
}

impl<'a> Nextcloud<'a> {
    /// `Err` without a user's name, which is part of every path.
    pub(crate) fn new(wire: Wire<'a>) -> Result<Self, Failure> {
        let Some(user) = wire.config().user.as_deref().filter(|user| !user.is_empty()) else {
            let message = format!("{} asks for a user's name. Sign in again.", wire.host());
            return Err(failure::failure(FailureClass::NeedsUser, FailureCode::AuthenticationRequired, message));
        };
        let server = server_of(wire.url());
        let dav = beneath(&server, ["remote.php", "dav"]);
        let (files, uploads) = (beneath(&dav, ["files", user]), beneath(&dav, ["uploads", user]));
        Ok(Self { dav: Dav { wire, digests: Digests::Computed }, server, files, uploads, taken: Mutex::new(None) })
    }

    fn reads_back(&self) -> bool {
        self.dav.wire.config().read_back
    }

    fn folders(&self, content: &Content) -> Vec<String> {
        name::folders(self.dav.wire.config().folder.as_deref(), content.created_ms)
    }

    /// The places under which the content may be stored, in the order in which they are tried.
    fn targets(&self, content: &Content) -> [Url; 4] {
        let folders = self.folders(content);
        name::candidates(&content.filename, &content.digest).map(|name| beneath(&self.files, folders.iter().chain([&name])))
    }

    /// There is nothing for this user: whoever signs in by another name, such as an e-mail address, is told the one that paths want
    /// (OCS, `cloud/user`).
    async fn unknown_user(&self) -> Result<Failure, Setback> {
        let id = user_id(&self.dav.wire, &self.server).await?;
        let host = self.dav.wire.host();
        Ok(match id {
            Some(id) if self.dav.wire.config().user.as_ref() != Some(&id) => {
                let message = format!("{host} knows this account as {id}. Enter that as the user's name.");
                failure::failure(FailureClass::NeedsUser, FailureCode::AuthenticationRequired, message)
            }
            Some(_) | None => failure::of_status(host, StatusCode::NOT_FOUND, None),
        })
    }

    /// Bytes of each part of a file of this size, as far as the way to the server takes them.
    fn part_bytes(&self, byte_count: u64) -> u64 {
        let least = *PART_BYTES.start();
        let wanted = (byte_count / PARTS_WANTED).clamp(least, *PART_BYTES.end()).max(byte_count.div_ceil(PARTS_MAX));
        // A refusal leaves half of what was refused. The smallest part is tried before a smaller one, which old servers alone take.
        match self.dav.wire.largest_body() {
            largest if largest < least && largest.saturating_mul(2) > least => least,
            largest => wanted.min(largest).max(1),
        }
    }

    /// What the server proves of what a request of ours has made under a name that was free; `stated` is what the answer said. If it is damaged it
    /// goes again.
    async fn prove_ours(&self, target: &Url, stated: Option<[u8; 32]>, content: &Content) -> Result<Proof, Setback> {
        let proof = match stated.filter(|digest| !self.reads_back() || *digest != content.digest) {
            Some(_) => Proof { remote_id: target.to_string(), digest: stated, byte_count: None },
            None => self.dav.prove(target, content).await?.ok_or_else(|| self.dav.lost())?,
        };
        if proof.digest.is_none_or(|digest| digest == content.digest) {
            return Ok(proof);
        }
        self.dav.delete(target).await;
        Err(Setback::Spoilt(failure::damaged_on_the_way(self.dav.wire.host())))
    }

    /// Stores a file under a name that is free. The status tells how that went; the digest is the server's, if it computes one.
    async fn create(&self, target: &Url, created_s: u64, payload: Payload) -> Result<(StatusCode, Option<[u8; 32]>), Setback> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        headers.insert(X_HASH, HeaderValue::from_static("sha256"));
        dated(&mut headers, created_s);
        let answer = self.dav.wire.exchange(Method::PUT, target, headers, payload).await?;
        match answer.status {
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok((answer.status, None)),
            StatusCode::PAYLOAD_TOO_LARGE => Err(Setback::TooLarge { limit: None, failure: answer.failure(self.dav.wire.host()) }),
            status if status.is_success() && answer.is_early => Err(self.early()),
            StatusCode::CREATED | StatusCode::NO_CONTENT => {
                let stated = answer.headers.get(X_HASH_SHA256).and_then(|value| value.to_str().ok());
                Ok((answer.status, stated.and_then(hex)))
            }
            status if status.is_success() => Err(self.dav.nonsense("neither stored nor refused")),
            _ => Err(self.dav.setback(&answer)),
        }
    }

    /// Praise before the work is no success.
    fn early(&self) -> Setback {
        Setback::Doubt(failure::unexpected(self.dav.wire.host(), "an answer before the file was sent"))
    }

    /// Makes the folder of an upload, anew if an attempt that nobody remembers has left parts of whatever version of the file there.
    async fn open(&self, upload: &Url, target: &Url) -> Result<(), Setback> {
        let mut headers = HeaderMap::with_capacity(4);
        self.dav.destined(&mut headers, target.as_str())?;
        let mut answer = self.dav.ask("MKCOL", upload, headers.clone()).await?;
        if answer.status == StatusCode::METHOD_NOT_ALLOWED {
            self.dav.delete(upload).await;
            answer = self.dav.ask("MKCOL", upload, headers).await?;
        }
        if answer.status == StatusCode::CREATED { Ok(()) } else { Err(self.dav.setback(&answer)) }
    }

    /// How many bytes of a file lie in parts, from its first without a gap.
    async fn held(&self, upload: &Url, marked: &Marked) -> Result<Option<u64>, Setback> {
        let Some(found) = self.dav.list(upload).await? else { return Ok(None) };
        let parts: BTreeMap<u64, u64> = found.iter().filter_map(|part| Some((part.name.parse().ok()?, part.byte_count?))).collect();
        let whole = (1..).take_while(|number| {
            let expected = marked.part_bytes.min(marked.byte_count.saturating_sub((number - 1) * marked.part_bytes));
            expected > 0 && parts.get(number) == Some(&expected)
        });
        Ok(Some(marked.byte_count.min(whole.count() as u64 * marked.part_bytes)))
    }

    /// Puts the parts together, and what follows where that was done before or the name is taken.
    async fn assemble(&self, upload_url: &Url, marked: Marked, content: &Content) -> Result<Proof, Setback> {
        let upload = plain(upload_url);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(OC_TOTAL_LENGTH, HeaderValue::from(content.byte_count));
        if let Ok(checksum) = HeaderValue::try_from(format!("SHA256:{}", base16(&content.digest))) {
            headers.insert(OC_CHECKSUM, checksum);
        }
        dated(&mut headers, marked.created_s);
        match self.dav.rename(&beneath(&upload, [".file"]), &marked.target, headers).await? {
            Renamed::Done => self.prove_ours(&marked.target, None, content).await,
            Renamed::Taken => match self.dav.place(self.targets(content), content).await? {
                Ok(proof) => {
                    self.dav.delete(&upload).await;
                    Ok(proof)
                }
                Err(target) => Err(Setback::Moved(Marked { target, ..marked }.on(upload))),
            },
            // "404 after 423": the answer was lost, or it took longer than a gateway waits.
            Renamed::Gone => match self.dav.compare(&marked.target, content).await? {
                Found::Same(proof) => Ok(proof),
                Found::Nothing | Found::Other => Err(Setback::Spoilt(failure::lost_bytes(self.dav.wire.host()))),
            },
        }
    }
}

/// The server's own address. One copied from a browser or another client leads deeper.
fn server_of(url: &Url) -> Url {
    let parts: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let server = parts.iter().take_while(|part| !matches!(**part, "remote.php" | "index.php" | ""));
    let mut origin = url.clone();
    origin.set_path("");
    beneath(&origin, server.copied())
}

/// The name of the account in paths (OCS, `cloud/user`); none if the server does not tell.
async fn user_id(wire: &Wire<'_>, server: &Url) -> Result<Option<String>, Setback> {
    let mut url = beneath(server, ["ocs", "v2.php", "cloud", "user"]);
    url.set_query(Some("format=json"));
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(OCS_APIREQUEST, HeaderValue::from_static("true"));
    let answer = wire.exchange(Method::GET, &url, headers, Payload::empty()).await?;
    let answered: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status.is_success());
    Ok(answered.and_then(|answered| answered.pointer("/ocs/data/id")?.as_str().map(str::to_owned)))
}

#[async_trait]
impl Destination for Nextcloud<'_> {
    fn host(&self) -> &str {
        self.dav.wire.host()
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        if self.dav.look(&beneath(&self.files, [""]), 0).await?.is_none() {
            return Err(Setback::Failed(self.unknown_user().await?));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: self.digest_grade(),
            max_size: None,
            max_append_size: None,
            resumable: true,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    async fn room(&self) -> Result<Option<u64>, Setback> {
        quota::room(&self.dav.wire, &beneath(&self.files, [""])).await
    }

    /// Always: `If-None-Match: *` makes a repeat harmless, and what it finds there is compared.
    fn takes_whole(&self, _evidence: Evidence) -> bool {
        true
    }

    /// A single request completes the file.
    fn completes_with_last_byte(&self) -> bool {
        true
    }

    fn digest_grade(&self) -> Evidence {
        if self.reads_back() { Evidence::ReadBack } else { Evidence::Hashed }
    }

    async fn still_holds(&self, remote_id: &str, content: &Content) -> Result<Option<Proof>, Setback> {
        self.dav.prove(&self.dav.wire.resolve(self.dav.wire.url(), remote_id)?, content).await
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        let mut has_folders = false;
        let mut targets = self.targets(content).into_iter().peekable();
        while let Some(target) = targets.peek() {
            match self.create(target, created_s(content), Payload::Whole(body.clone())).await? {
                (StatusCode::PRECONDITION_FAILED, _) => {
                    if let Found::Same(proof) = self.dav.compare(target, content).await? {
                        return Ok(proof);
                    }
                    targets.next();
                }
                (StatusCode::CONFLICT | StatusCode::NOT_FOUND, _) if !has_folders => {
                    self.dav.make_folders(&self.files, &self.folders(content)).await?;
                    has_folders = true;
                }
                (StatusCode::CONFLICT | StatusCode::NOT_FOUND, _) => {
                    return Err(Setback::Doubt(failure::unexpected(self.dav.wire.host(), "no folder for the file")));
                }
                (_, stated) => return self.prove_ours(target, stated, content).await,
            }
        }
        Err(Setback::Failed(failure::digest_mismatch(self.dav.wire.host())))
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        if content.byte_count == 0 {
            return self.whole(content, Bytes::new()).await.map(Begun::Delivered);
        }
        let target = match self.dav.place(self.targets(content), content).await? {
            Ok(proof) => return Ok(Begun::Delivered(proof)),
            Err(target) => target,
        };
        self.dav.make_folders(&self.files, &self.folders(content)).await?;
        let (byte_count, created_s) = (content.byte_count, created_s(content));
        if byte_count <= SINGLE_BYTES_MAX.min(self.dav.wire.largest_body()) {
            let upload_url = Marked { byte_count, part_bytes: 0, created_s, target: target.clone() }.on(target);
            return Ok(Begun::Session { upload_url, offset: 0, limits: IN_ONE_REQUEST });
        }
        let upload = beneath(&self.uploads, [&content.key]);
        self.open(&upload, &target).await?;
        let part_bytes = self.part_bytes(byte_count);
        let upload_url = Marked { byte_count, part_bytes, created_s, target }.on(upload);
        Ok(Begun::Session { upload_url, offset: 0, limits: Limits::parts(part_bytes) })
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let marked = Marked::of(upload_url).ok_or_else(|| self.dav.lost())?;
        let limits = if marked.part_bytes == 0 { IN_ONE_REQUEST } else { Limits::parts(marked.part_bytes) };
        let held = |offset, complete| Held { offset, complete, digest: None, limits };
        if marked.part_bytes > 0
            && let Some(offset) = self.held(&plain(upload_url), &marked).await?
        {
            return Ok(held(offset, false));
        }
        match self.dav.look(&marked.target, 0).await? {
            // It was free when the session began. `finish` looks whether it is this content.
            Some(_) => Ok(held(marked.byte_count, true)),
            None if marked.part_bytes == 0 => Ok(held(0, false)),
            // "Nextcloud will expire the upload directory after 24 hours of inactivity."
            None => Err(self.dav.lost()),
        }
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let marked = Marked::of(upload_url).ok_or_else(|| self.dav.lost())?;
        if marked.part_bytes == 0 {
            return match self.create(&marked.target, marked.created_s, payload).await {
                Ok((StatusCode::CONFLICT | StatusCode::NOT_FOUND, _)) => Err(self.dav.lost()),
                Ok((_, digest)) => {
                    let taken = digest.map(|digest| (marked.target, digest));
                    *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
                    Ok(None)
                }
                // The way takes less than the server: another session goes in parts.
                Err(Setback::TooLarge { failure, .. }) => Err(Setback::Spoilt(failure)),
                Err(setback) => Err(setback),
            };
        }
        let part = beneath(upload_url, [format!("{:05}", offset / marked.part_bytes + 1)]);
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(OC_TOTAL_LENGTH, HeaderValue::from(marked.byte_count));
        self.dav.destined(&mut headers, marked.target.as_str())?;
        let answer = self.dav.wire.exchange(Method::PUT, &part, headers, payload).await?;
        match answer.status {
            // 412: the server's cache has forgotten the upload (`ChunkingV2Plugin.php`).
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {
                Err(self.dav.lost())
            }
            StatusCode::PAYLOAD_TOO_LARGE => Err(Setback::TooLarge { limit: None, failure: answer.failure(self.dav.wire.host()) }),
            status if status.is_success() && answer.is_early => Err(self.early()),
            status if status.is_success() => Ok(None),
            _ => Err(self.dav.setback(&answer)),
        }
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        let marked = Marked::of(upload_url).ok_or_else(|| self.dav.lost())?;
        if marked.part_bytes > 0 {
            return self.assemble(upload_url, marked, content).await;
        }
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((_, digest)) = taken.filter(|(place, _)| *place == marked.target) {
            return self.prove_ours(&marked.target, Some(digest), content).await;
        }
        // The answer was lost, or another file was there before.
        match self.dav.compare(&marked.target, content).await? {
            Found::Same(proof) => return Ok(proof),
            Found::Nothing => return Err(self.dav.lost()),
            Found::Other => {}
        }
        match self.dav.place(self.targets(content), content).await? {
            Ok(proof) => Ok(proof),
            Err(target) => Err(Setback::Moved(Marked { target: target.clone(), ..marked }.on(target))),
        }
    }

    /// Only ever the folder of an upload: a session of one request has nothing but the file itself.
    async fn abort(&self, upload_url: &Url) {
        if Marked::of(upload_url).is_some_and(|marked| marked.part_bytes > 0) {
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

#[cfg(test)]
mod tests {
    use afterglow_model::{Connector, DestinationConfig};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        order::Account,
        transfer::{Transfer, TransferOptions},
    };

    #[test]
    fn a_file_of_any_size_has_parts_of_sizes_that_are_taken() {
        let config = DestinationConfig { user: Some("anna".to_owned()), ..DestinationConfig::default() };
        let account = Account { config, ..Account::at("https://cloud.example/".parse().unwrap()) };
        let cancel = CancellationToken::new();
        let sizes = [SINGLE_BYTES_MAX + 1, 100_000_000, 5_000_000_000, 50_000_000_000, 5_000_000_000_000];
        // What the way was found to take, as half of what it refused, and the parts of each size then.
        let ways: [(Option<u64>, RangeInclusive<u64>); 4] = [
            (None, 5 << 20..=5_000_000_000),
            (Some(50 << 20), 5 << 20..=50 << 20),
            // The least was not refused itself yet.
            (Some(3 << 20), 5 << 20..=5 << 20),
            // It was: old servers take less.
            (Some(1 << 20), 1 << 20..=1 << 20),
        ];
        for (largest, taken) in ways {
            let transfer = Transfer::new(TransferOptions::default()).unwrap();
            if let Some(largest) = largest {
                transfer.shared.refused(&account.url, largest);
            }
            let wire = Wire::new(&transfer.shared, Connector::Nextcloud, &account, &[], &cancel).unwrap();
            let nextcloud = Nextcloud::new(wire).unwrap();
            for byte_count in sizes {
                let part_bytes = nextcloud.part_bytes(byte_count);
                let parts = byte_count.div_ceil(part_bytes);
                assert!(taken.contains(&part_bytes), "{byte_count} over {largest:?}: parts of {part_bytes}");
                // A way that takes little leaves no choice.
                assert!(parts <= 2000 || largest.is_some(), "{byte_count}: {parts} parts");
            }
        }
    }
}
