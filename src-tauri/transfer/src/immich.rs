//! Immich, servers 2 and 3, by its OpenAPI document (2.7.5 and 3.2.2) and the server's own source.
//!
//! The server knows each of a user's assets by its SHA-1, which it computes while it receives, and keeps one asset for one SHA-1. So
//! `POST /assets/bulk-upload-check` is the question before, after any doubt, and at the end, for many files at a time: a delivery is proved
//! when the server says that it holds that SHA-1. What it holds in its trash is not delivered, and not resurrected behind the person's back.
//!
//! A file goes in one form (`POST /assets`), since the server keeps nothing of one that was cut; its last block leaves only once the whole
//! file is known to be what was ordered. A session is therefore nothing at the server: the fragment of its URL, which never leaves this
//! computer, holds what the form says.
//!
//! What an editor wrote beside a photo goes in the photo's form, as far as it is XMP: the server takes it in no other way, says nothing
//! of it, and does not take a later one.
//!
//! Of a Live Photo the video goes first, and the form of the still names it. A still that was there before its video is linked by a change
//! of the asset. A RAW beside a JPEG, and an edit, are stacked with what they belong to, by whichever of them arrives last. A key that may
//! not do this does not keep the file from being delivered.

mod albums;
mod form;
mod questions;
mod together;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use afterglow_model::{Capabilities, Evidence, Failure, FailureClass, FailureCode, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

pub(crate) use self::questions::Questions;
use self::{
    form::Form,
    questions::{Asking, Turn},
};
use crate::{
    destination::{Begun, Content, Destination, Held, IN_ONE_REQUEST, Proof, Setback, Sha1Wanted},
    failure,
    fields::Limits,
    order::{Account, Album, Companions, Mirrored},
    payload::Payload,
    wire::{Answer, Wire},
};

const CHECKSUM: HeaderName = HeaderName::from_static("x-immich-checksum");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The oldest version that is spoken to.
const MAJOR_MIN: u64 = 2;

/// Permissions that do more, and what is not done without them.
type Wanted = (&'static [&'static str], &'static str);

/// All that a key must be allowed to: sending and asking for what is there.
const PERMISSION: &str = "asset.upload";
/// What it takes to put together what belongs together, and what becomes of that without.
const TOGETHER: Wanted =
    (&["asset.read", "asset.update", "stack.create"], "Live Photos, RAW files and edits may stay apart from their photos");
/// What it takes to make albums.
const ALBUMS: Wanted = (&["album.read", "album.create", "albumAsset.create"], "photos are not put into albums");
/// What it takes to see what the quota leaves.
const ROOM: Wanted = (&["user.read"], "how much room is left is not known");
/// What it takes to remove the picture of the test.
const REMOVAL: Wanted = (&["asset.delete"], "the picture of the test stays there, and can be deleted by hand");
/// The permission that includes every other.
const EVERYTHING: &str = "all";

/// From this size on a file is asked for before it is sent: in a moment in which it would be sent on a line of 10 Mbit/s. A smaller one is sent
/// at once, with its SHA-1 in the header, by which the server knows it again.
const ASKED_FIRST_BYTES: u64 = 64 * 1024;

/// How much of a server's own words is passed on, in characters.
const REASON_CHARS_MAX: usize = 120;

/// A user's account at a server.
pub(crate) struct Immich<'a> {
    wire: Wire<'a>,
    /// What this and other deliveries ask for.
    asking: Arc<Asking>,
    /// The asset that the last upload of this delivery was answered with.
    uploaded: Mutex<Option<String>>,
    /// What goes in the form beside the file; none once the server has refused a form with it.
    sidecar: Mutex<Option<Bytes>>,
    /// What the key was not allowed to when it was probed.
    lack: OnceLock<String>,
}

/// What the server knows of a SHA-1.
#[derive(Debug, Clone)]
enum Known {
    Nothing,
    Asset(String),
    Trashed,
}

/// `AssetBulkUploadCheckResponseDto`.
#[derive(Deserialize)]
struct Checks {
    results: Vec<Check>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    action: String,
    reason: Option<String>,
    asset_id: Option<String>,
    is_trashed: Option<bool>,
}

/// `AssetMediaResponseDto`.
#[derive(Deserialize)]
struct Uploaded {
    id: String,
    status: String,
}

/// `ServerVersionResponseDto`.
#[derive(Deserialize)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

/// `UserAdminResponseDto`; without a quota there is no limit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    quota_size_in_bytes: Option<u64>,
    quota_usage_in_bytes: Option<u64>,
}

/// `ApiKeyResponseDto`.
#[derive(Deserialize)]
struct Key {
    permissions: Vec<String>,
}

impl Key {
    fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|known| known == EVERYTHING || known == permission)
    }

    /// What is not done for want of these; none if it may do them all.
    fn lack(&self, (wanted, consequence): Wanted) -> Option<String> {
        let lacking: Vec<&str> = wanted.iter().copied().filter(|permission| !self.may(permission)).collect();
        (!lacking.is_empty()).then(|| format!("Its API key lacks {}: {consequence}.", lacking.join(", ")))
    }
}

impl<'a> Immich<'a> {
    pub(crate) fn new(wire: Wire<'a>, account: &Account, questions: &Questions) -> Self {
        Self {
            wire: wire.with_long_answers(),
            asking: questions.of(account),
            uploaded: Mutex::default(),
            sidecar: Mutex::default(),
            lack: OnceLock::new(),
        }
    }

    /// A URL of the API, whether the person gave the address with `/api` or without.
    fn api(&self, path: &str) -> Url {
        let mut url = self.wire.url().clone();
        let base = url.path().trim_end_matches('/');
        let path = format!("{}/api/{path}", base.strip_suffix("/api").unwrap_or(base));
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        url
    }

    async fn ask(&self, method: Method, path: &str, question: Option<Value>) -> Result<Answer, Setback> {
        self.ask_at(method, &self.api(path), question).await
    }

    async fn ask_at(&self, method: Method, url: &Url, question: Option<Value>) -> Result<Answer, Setback> {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ACCEPT, JSON);
        let payload = match question {
            Some(question) => {
                headers.insert(CONTENT_TYPE, JSON);
                Payload::Whole(question.to_string().into())
            }
            None => Payload::empty(),
        };
        let answer = self.wire.exchange(method, url, headers, payload).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.setback(&answer)) }
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Setback> {
        serde_json::from_slice(&answer.body).map_err(|_| self.nonsense("not in the way that Immich does"))
    }

    fn nonsense(&self, what: &str) -> Setback {
        Setback::Failed(failure::unexpected(self.wire.host(), what))
    }

    /// Asks for a SHA-1, with those that other deliveries ask for at the same time.
    async fn check(&self, sha1: &str) -> Result<Known, Setback> {
        let asked = async {
            let together = match self.asking.line_up(sha1).await {
                Turn::Answered(answered) => return answered,
                Turn::Asks(together) => together,
            };
            let checks = self.check_all(together.sha1s()).await.map_err(|setback| together.refused(setback));
            together.answer(|sha1| match &checks {
                Ok(checks) => checks.get(sha1).map_or_else(|| Err(self.nonsense("to another question")), |check| self.known(check)),
                Err(setback) => Err(setback.clone()),
            })
        };
        self.wire.unless_stopped(asked).await?
    }

    /// What the server says of each SHA-1.
    async fn check_all(&self, sha1s: impl Iterator<Item = &str>) -> Result<HashMap<String, Check>, Setback> {
        let assets: Vec<Value> = sha1s.map(|sha1| json!({ "id": sha1, "checksum": sha1 })).collect();
        let answer = self.ask(Method::POST, "assets/bulk-upload-check", Some(json!({ "assets": assets }))).await?;
        let checks: Checks = self.read(&answer)?;
        Ok(checks.results.into_iter().map(|check| (check.id.clone(), check)).collect())
    }

    fn known(&self, check: &Check) -> Result<Known, Setback> {
        match (check.action.as_str(), check.reason.as_deref(), &check.asset_id, check.is_trashed) {
            ("accept", ..) => Ok(Known::Nothing),
            ("reject", Some("duplicate"), _, Some(true)) => Ok(Known::Trashed),
            ("reject", Some("duplicate"), Some(id), Some(false) | None) => Ok(Known::Asset(id.clone())),
            ("reject", Some("unsupported-format"), ..) => Err(Setback::Verdict(self.refused("Unsupported file type"))),
            _ => Err(self.nonsense("neither yes nor no")),
        }
    }

    /// What a form says of the content.
    fn form_of(&self, content: &Content) -> Result<Form, Setback> {
        Form::of(content, self.wire.config().visibility)
    }

    /// The content as the server holds it; none if it does not.
    async fn held(&self, content: &Content) -> Result<Option<Proof>, Setback> {
        match self.check(&self.form_of(content)?.sha1).await? {
            Known::Nothing => Ok(None),
            // The SHA-1 is the server's own, and the driver sees to it that ours and the SHA-256 are of one file.
            Known::Asset(id) => Ok(Some(Proof { remote_id: id, digest: Some(content.digest), byte_count: None })),
            Known::Trashed => Err(Setback::Failed(self.in_trash(&content.filename))),
        }
    }

    /// The end of a delivery: the server holds the content, as the asset that it has just told of.
    async fn confirm(&self, content: &Content) -> Result<Proof, Setback> {
        let proof = self.held(content).await?.ok_or_else(|| Setback::Spoilt(failure::lost_bytes(self.wire.host())))?;
        let uploaded = self.uploaded.lock().unwrap_or_else(PoisonError::into_inner).take();
        match uploaded {
            Some(id) if id != proof.remote_id => Err(self.nonsense("two assets for one file")),
            Some(_) | None => Ok(proof),
        }
    }

    fn sidecar(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.sidecar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn upload(&self, url: &Url, form: &Form, payload: Payload) -> Result<(), Setback> {
        let unsendable = |_| Setback::Failed(failure::internal("an unsendable field"));
        let boundary = format!("afterglow-{}", uuid::Uuid::new_v4().simple());
        let sidecar = self.sidecar().clone();
        let (head, tail) = form.frame(&boundary, sidecar.as_deref());
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ACCEPT, JSON);
        let kind = format!("multipart/form-data; boundary={boundary}");
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(kind).map_err(unsendable)?);
        headers.insert(CHECKSUM, HeaderValue::try_from(form.sha1.as_str()).map_err(unsendable)?);
        let answer = self.wire.exchange(Method::POST, url, headers, payload.framed(head, tail)).await?;
        match answer.status {
            StatusCode::OK | StatusCode::CREATED => {}
            status if status.is_success() => return Err(self.nonsense("neither stored nor refused")),
            _ => {
                return Err(match self.setback(&answer) {
                    // Whatever it is about: the file is not to be lost for the sidecar's sake.
                    Setback::Verdict(failure) if self.sidecar().take().is_some() => {
                        tracing::warn!(file = form.filename, reason = failure.message, "refused with its sidecar; it goes without");
                        Setback::Doubt(failure)
                    }
                    setback => setback,
                });
            }
        }
        let uploaded: Uploaded = self.read(&answer)?;
        match (answer.status, uploaded.status.as_str()) {
            (StatusCode::CREATED, "created") if answer.is_early => {
                return Err(Setback::Doubt(failure::unexpected(self.wire.host(), "an answer before the file was sent")));
            }
            // A duplicate may be told as soon as the header fields are there.
            (StatusCode::CREATED, "created") | (StatusCode::OK, "duplicate") => {}
            _ => return Err(self.nonsense("neither stored nor refused")),
        }
        *self.uploaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(uploaded.id);
        Ok(())
    }

    /// What a status other than success means. The server's own words tell what its statuses do not.
    fn setback(&self, answer: &Answer) -> Setback {
        let host = self.wire.host();
        let (failure, said) = (answer.failure(host), said(&answer.body));
        match answer.status {
            StatusCode::BAD_REQUEST if said.to_ascii_lowercase().contains("quota") => {
                Setback::Failed(failure::of_status(host, StatusCode::INSUFFICIENT_STORAGE, None))
            }
            StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY if !said.is_empty() => {
                Setback::Verdict(self.refused(&said))
            }
            StatusCode::FORBIDDEN => match said.rsplit_once("permission: ") {
                Some((_, permission)) => Setback::Failed(self.lacks(permission)),
                None => Setback::Failed(failure),
            },
            // A smaller request is none of the whole file.
            StatusCode::PAYLOAD_TOO_LARGE => Setback::Verdict(failure),
            _ if failure.class == FailureClass::Transient
                && failure.retry_after_ms.is_none()
                && failure.code != FailureCode::Throttled =>
            {
                Setback::Doubt(failure)
            }
            _ => Setback::Failed(failure),
        }
    }

    fn refused(&self, reason: &str) -> Failure {
        let message = format!("{} refused this file: {}.", self.wire.host(), reason.trim_end_matches('.'));
        failure::failure(FailureClass::Permanent, FailureCode::ServerRejected, message)
    }

    fn in_trash(&self, filename: &str) -> Failure {
        let message = format!("{filename} lies in Immich's trash at {}. Restore it there, then retry.", self.wire.host());
        failure::failure(FailureClass::NeedsUser, FailureCode::ServerRejected, message)
    }

    fn lacks(&self, permission: &str) -> Failure {
        let host = self.wire.host();
        let message =
            format!("The API key for {host} lacks the permission {permission}. Allow it in Immich, or sign in with another key.");
        failure::failure(FailureClass::NeedsUser, FailureCode::AuthenticationRequired, message)
    }

    fn too_old(&self, version: &Version) -> Failure {
        let Version { major, minor, patch } = version;
        let message = format!(
            "{} runs Immich {major}.{minor}.{patch}. Afterglow needs version {MAJOR_MIN} or later: update the server.",
            self.wire.host()
        );
        failure::failure(FailureClass::NeedsUser, FailureCode::ProtocolUnsupported, message)
    }

    fn form(&self, upload_url: &Url) -> Result<Form, Setback> {
        Form::from(upload_url).ok_or_else(|| Setback::SessionGone(failure::lost_bytes(self.wire.host())))
    }
}

/// The `message` of an error, as far as it is worth passing on; servers say one or several.
fn said(body: &[u8]) -> String {
    let message = serde_json::from_slice(body).ok().and_then(|mut body: Value| body.get_mut("message").map(Value::take));
    let said = match message {
        Some(Value::String(said)) => said,
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Some(_) | None => String::new(),
    };
    said.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
}

#[async_trait]
impl Destination for Immich<'_> {
    fn host(&self) -> &str {
        self.wire.host()
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        let version: Version = self.read(&self.ask(Method::GET, "server/version", None).await?)?;
        if version.major < MAJOR_MIN {
            return Err(Setback::Failed(self.too_old(&version)));
        }
        let key: Key = self.read(&self.ask(Method::GET, "api-keys/me", None).await?)?;
        if !key.may(PERMISSION) {
            return Err(Setback::Failed(self.lacks(PERMISSION)));
        }
        let albums = self.wire.config().albums.then_some(ALBUMS);
        let wanted = [TOGETHER].into_iter().chain(albums).chain([ROOM, REMOVAL]);
        let lack: Vec<String> = wanted.filter_map(|wanted| key.lack(wanted)).collect();
        // Of the first probe: nobody probes twice with one of these.
        let _ = self.lack.set(lack.join(" "));
        let server = format!("Immich {}.{}.{}", version.major, version.minor, version.patch);
        tracing::info!(host = self.wire.host(), server);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: Evidence::Hashed,
            max_size: None,
            max_append_size: None,
            resumable: false,
            server: Some(server),
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// A key that may not ask is told nothing.
    async fn room(&self) -> Result<Option<u64>, Setback> {
        let user: User = match self.ask(Method::GET, "users/me", None).await {
            Ok(answer) => self.read(&answer)?,
            Err(Setback::Failed(failure)) if failure.code == FailureCode::AuthenticationRequired => return Ok(None),
            Err(setback) => return Err(setback),
        };
        Ok(user.quota_size_in_bytes.map(|quota| quota.saturating_sub(user.quota_usage_in_bytes.unwrap_or(0))))
    }

    fn sha1(&self) -> Sha1Wanted {
        Sha1Wanted::First
    }

    fn carry(&self, sidecar: Bytes) {
        *self.sidecar() = Some(sidecar);
    }

    fn completes_with_last_byte(&self) -> bool {
        true
    }

    async fn find(&self, content: &Content) -> Result<Option<Proof>, Setback> {
        self.held(content).await
    }

    /// By its SHA-1, whichever asset has it. What lies in the trash is about to be lost.
    async fn still_holds(&self, _remote_id: &str, content: &Content) -> Result<Option<Proof>, Setback> {
        Ok(match self.check(&self.form_of(content)?.sha1).await? {
            Known::Nothing | Known::Trashed => None,
            Known::Asset(id) => Some(Proof { remote_id: id, digest: Some(content.digest), byte_count: None }),
        })
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        if content.byte_count >= ASKED_FIRST_BYTES
            && let Some(proof) = self.held(content).await?
        {
            return Ok(proof);
        }
        match self.upload(&self.api("assets"), &self.form_of(content)?, Payload::Whole(body)).await {
            Ok(()) => self.confirm(content).await,
            // Also when a server that has it already says so and hangs up, before it was heard.
            Err(Setback::Doubt(failure)) => self.held(content).await?.ok_or(Setback::Doubt(failure)),
            Err(setback) => Err(setback),
        }
    }

    /// Nothing at the server, but for an empty file, which is no more than its form.
    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let form = self.form_of(content)?;
        if content.byte_count == 0 {
            return self.whole(content, Bytes::new()).await.map(Begun::Delivered);
        }
        Ok(Begun::Session { upload_url: form.url(self.api("assets")), offset: 0, limits: IN_ONE_REQUEST })
    }

    /// All or nothing: what was cut is not kept.
    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let form = self.form(upload_url)?;
        match self.check(&form.sha1).await? {
            Known::Nothing => Ok(Held { offset: 0, complete: false, digest: None, limits: IN_ONE_REQUEST }),
            Known::Asset(_) => Ok(Held { offset: form.byte_count, complete: true, digest: None, limits: Limits::default() }),
            Known::Trashed => Err(Setback::Failed(self.in_trash(&form.filename))),
        }
    }

    async fn send(&self, upload_url: &Url, _offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let form = self.form(upload_url)?;
        if payload.length() != form.byte_count {
            return Err(Setback::Failed(failure::internal("a part of a file for Immich")));
        }
        let mut url = upload_url.clone();
        url.set_fragment(None);
        match self.upload(&url, &form, payload).await {
            Ok(()) => Ok(Some(form.byte_count)),
            Err(Setback::Moved(to)) => Err(Setback::Moved(form.url(to))),
            Err(setback) => Err(setback),
        }
    }

    async fn finish(&self, _upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        self.confirm(content).await
    }

    fn lack(&self) -> Option<String> {
        self.lack.get().filter(|lack| !lack.is_empty()).cloned()
    }

    async fn arrange(&self, remote_id: &str, companions: &Companions) -> Result<(), Setback> {
        self.put_together(remote_id, companions).await
    }

    async fn mirror(&self, album: &Album) -> Result<Option<Mirrored>, Setback> {
        self.put_into(album).await
    }

    /// There is nothing to give up.
    async fn abort(&self, _upload_url: &Url) {}

    /// For good: what a test has left is not for the trash.
    async fn remove(&self, remote_id: &str) {
        let which = json!({ "ids": [remote_id], "force": true });
        if let Err(setback) = self.ask(Method::DELETE, "assets", Some(which)).await {
            tracing::info!(host = self.wire.host(), ?setback, "the test picture was left in Immich");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_passed_on_whatever_its_shape() {
        assert_eq!(said(br#"{"message":"Quota has been exceeded!","statusCode":400}"#), "Quota has been exceeded!");
        assert_eq!(said(br#"{"message":["a","b"]}"#), "a, b");
        assert_eq!(said(b"<html>"), "");
    }
}
