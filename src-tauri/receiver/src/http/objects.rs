//! `/objects`: what is stored, with digests, so that a sender can verify.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State, rejection};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use object_store::{GetOptions, GetRange};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::fields;
use crate::http::{detached, insert};
use crate::ledger::objects::{self, Object};
use crate::problem::Problem;
use crate::senders::Sender;
use crate::server::Server;

/// Objects on a page of the list, unless fewer are asked for.
const PAGE_MAX: u32 = 1000;
/// What a sender may take back: the file of a destination's test, just made. Photos cannot be deleted by whoever gets hold of a
/// token.
const TAKE_BACK_BYTES_MAX: u64 = 64 * 1024;
/// See [`TAKE_BACK_BYTES_MAX`].
const TAKE_BACK_AGE_MS_MAX: i64 = 10 * 60 * 1000;

/// An object in the list, and the content of an upload's final response.
#[derive(Serialize)]
pub(crate) struct Entry {
    /// `yyyy/mm/name` below the receiver's folder.
    path: String,
    /// Where to `GET` it.
    url: String,
    /// Bytes.
    length: u64,
    /// SHA-256 in hexadecimal.
    sha256: String,
    /// When it was stored, in milliseconds since 1970.
    created_ms: i64,
}

impl Entry {
    pub(crate) fn of(object: &Object) -> Self {
        let (path, length, created_ms) = (object.path.clone(), object.length, object.created_ms);
        Self { url: url(&path), path, length, sha256: object.digest.hex(), created_ms }
    }
}

/// The URL path of the object at `path`.
pub(crate) fn url(path: &str) -> String {
    let mut encoded = "/objects".to_owned();
    for segment in path.split('/') {
        encoded.push('/');
        for byte in segment.bytes() {
            match byte {
                // RFC 3986, section 2.3: unreserved characters.
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
                other => encoded.push_str(&format!("%{other:02X}")),
            }
        }
    }
    encoded
}

/// What to list.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// Only the object with this SHA-256, in hexadecimal.
    sha256: Option<String>,
    /// `next` of the page before.
    #[serde(default)]
    after: i64,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Page {
    objects: Vec<Entry>,
    /// `after` of the next page, if there is one.
    next: Option<i64>,
}

/// `GET /objects`: the sender's objects in the order in which they came.
pub(crate) async fn list(
    State(server): State<Server>,
    Extension(sender): Extension<Sender>,
    wanted: Result<Query<Wanted>, rejection::QueryRejection>,
) -> Response {
    detached(async move {
        let Query(wanted) = wanted.map_err(|_| Problem::bad_request("Use sha256=HEX, or after=N and limit=N."))?;
        let limit = wanted.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        let found = match wanted.sha256 {
            Some(hex) => {
                let digest =
                    Digest::from_hex(&hex).ok_or_else(|| Problem::bad_request("sha256 must have 64 hexadecimal digits."))?;
                let read = server.ledger.read(move |connection| objects::by_digest(connection, &sender.0, &digest));
                read.await?.into_iter().collect()
            }
            None => server.ledger.read(move |connection| objects::page(connection, &sender.0, wanted.after, limit)).await?,
        };
        let next = found.last().filter(|_| found.len() == limit as usize).map(|object| object.id);
        Ok(axum::Json(Page { objects: found.iter().map(Entry::of).collect(), next }).into_response())
    })
    .await
}

/// `GET` and `HEAD /objects/{path}`: the bytes, or one range of them (RFC 9110, section 14), with the digest of the whole.
///
/// A `HEAD` with `Want-Repr-Digest` (RFC 9530, section 4) is answered from the bytes as they are now, which are read for it: somebody may
/// have changed them in the folder, and what is not that content any more is not there.
pub(crate) async fn get(
    State(server): State<Server>,
    Extension(sender): Extension<Sender>,
    path: Result<Path<String>, rejection::PathRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    detached(async move {
        let object = find(&server, &sender, path).await?;
        let range = range(&headers, object.length)?;
        let options =
            GetOptions { head: method == Method::HEAD, range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let asks_again = method == Method::HEAD && headers.contains_key(fields::WANT_REPR_DIGEST);
        if asks_again {
            let held = server.store.holds_content(&object.path, object.length, &object.digest).await;
            if !held.map_err(|error| Problem::from_io("a stored file could not be read", error))? {
                return Err(Problem::not_found());
            }
        }
        let found = server.store.get(&object.path, options).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => Problem::not_found(),
            other => Problem::internal("a stored file could not be read", other),
        })?;
        let body = if method == Method::HEAD { Body::empty() } else { Body::from_stream(found.into_stream()) };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        describe(headers, &object);
        let length = range.as_ref().map_or(object.length, |range| range.end - range.start);
        insert(headers, CONTENT_LENGTH, &length.to_string());
        if let Some(range) = range {
            insert(headers, CONTENT_RANGE, &format!("bytes {}-{}/{}", range.start, range.end - 1, object.length));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(response)
    })
    .await
}

/// `DELETE /objects/{path}`: takes back a small file that was stored just now (see [`TAKE_BACK_BYTES_MAX`]).
pub(crate) async fn delete(
    State(server): State<Server>,
    Extension(sender): Extension<Sender>,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Response {
    detached(async move {
        let object = find(&server, &sender, path).await?;
        if object.length >= TAKE_BACK_BYTES_MAX || server.now_ms() - object.created_ms > TAKE_BACK_AGE_MS_MAX {
            let detail =
                "Only a file of less than 64 KiB can be taken back, within 10 minutes. Delete it in the receiver's folder.";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        server.store.delete(&object.path).await.map_err(|error| Problem::from_io("a file could not be removed", error))?;
        server.ledger.write(move |transaction| objects::forget(transaction, &object)).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// The sender's object at a path. Paths are compared with those in the ledger and never looked up on disk, so none leads out of
/// the folder.
async fn find(server: &Server, sender: &Sender, path: Result<Path<String>, rejection::PathRejection>) -> Result<Object, Problem> {
    let Path(path) = path.map_err(|_| Problem::not_found())?;
    let owner = sender.0.clone();
    let found = server.ledger.read(move |connection| objects::by_path(connection, &owner, &path)).await?;
    found.ok_or_else(Problem::not_found)
}

/// Content and type come from a sender: a browser is told to save them, never to guess or show.
fn describe(headers: &mut HeaderMap, object: &Object) {
    insert(headers, CONTENT_TYPE, object.media_type.as_deref().unwrap_or("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    insert(headers, ETAG, &format!("\"{}\"", object.digest.hex()));
    insert(headers, fields::REPR_DIGEST, &object.digest.field());
}

/// The one range that is asked for; several, or another unit, mean the whole (RFC 9110, section 14.2: a server may ignore
/// `Range`).
fn range(headers: &HeaderMap, length: u64) -> Result<Option<std::ops::Range<u64>>, Problem> {
    let Some(spec) = headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("bytes=")) else {
        return Ok(None);
    };
    let Some((first, last)) = spec.split_once('-') else { return Ok(None) };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if last >= first => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(suffix)) if first.trim().is_empty() => length.saturating_sub(suffix)..length,
        _ => return Ok(None),
    };
    if range.is_empty() {
        let refused = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("The file has {length} bytes."));
        return Err(refused.with(CONTENT_RANGE, format!("bytes */{length}")));
    }
    Ok(Some(range))
}
