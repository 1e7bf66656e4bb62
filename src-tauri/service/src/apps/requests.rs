//! The requests that an app describes: what may be in them, where the secret store keeps them, and for how long.

use std::collections::BTreeMap;

use afterglow_model::{DestinationRequest, JobBody};
use afterglow_system::Secret;
use afterglow_transfer::unknown_name;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use url::Url;

use super::{Caller, allowed_url};
use crate::{
    core::{Core, secret_refusal},
    error::{Answer, Refusal},
};

/// Header fields that an app may set. The rest are the transfer's own, or could smuggle another request.
const HEADERS_ALLOWED: [&str; 3] = ["authorization", "idempotency-key", "x-api-key"];

/// The URL's query among the header fields that are kept: no header field can have this name.
pub(crate) const QUERY: &str = ":query";

/// Signed URLs of one job, and fields of one form.
const PARTS_MAX: usize = 1000;
const FIELDS_MAX: usize = 100;

/// Where the secret store keeps what of a request is a secret, and what of its URL is none.
pub(super) struct Kept {
    pub(super) url: String,
    pub(super) headers_handle: Option<String>,
    pub(super) body_handle: Option<String>,
}

impl Kept {
    pub(super) fn handles(&self) -> Vec<String> {
        self.headers_handle.iter().chain(&self.body_handle).cloned().collect()
    }
}

/// The address of a request, if the app may send there and every name in it stands for something.
pub(super) fn checked_url(caller: &Caller, destination: &DestinationRequest, body: &JobBody) -> Answer<Url> {
    if let Some(name) = unknown_name(body, &destination.url) {
        return Err(Refusal::bad("bad_template", format!("{{{{{name}}}}} stands for nothing.")));
    }
    allowed_url(&destination.url, &caller.app.url_bases)
}

/// Puts what of a request is a secret into the secret store, if the request can carry a file of this size. The caller holds
/// [`Core::requests`] until a job says that it needs it.
pub(super) async fn keep(
    core: &Core,
    caller: &Caller,
    destination: &DestinationRequest,
    body: &JobBody,
    byte_count: u64,
) -> Answer<Kept> {
    let url = allowed_url(&destination.url, &caller.app.url_bases)?;
    checked_body(body, &url, &caller.app.url_bases, byte_count)?;
    let (url, query) = without_query(&destination.url);
    Ok(Kept {
        url: url.to_owned(),
        headers_handle: keep_headers(core, caller, &destination.headers, query).await?,
        body_handle: keep_body(core, caller, body).await?,
    })
}

/// Throws away what no job needs any more: those that were delivered or cancelled are not tried again.
pub(crate) async fn forget_spent(core: &Core) {
    let _unspent = core.requests.lock().await;
    let spent = match core.queue.spent_requests().await {
        Ok(spent) => spent,
        Err(error) => {
            tracing::warn!(%error, "which requests of apps are needed no more could not be read");
            return;
        }
    };
    if !spent.is_empty()
        && forget(core, &spent).await
        && let Err(error) = core.queue.forget_requests(&spent).await
    {
        tracing::warn!(%error, "that requests of apps were thrown away could not be written down");
    }
}

/// Throws away those of these that no job names. The caller holds [`Core::requests`].
pub(super) async fn forget_unnamed(core: &Core, handles: impl IntoIterator<Item = String>) {
    for handle in handles {
        match core.queue.is_request_named(&handle).await {
            Ok(true) => {}
            Ok(false) => drop(forget(core, &[handle]).await),
            Err(error) => tracing::warn!(%error, "whether a request of an app's is needed could not be read"),
        }
    }
}

/// Throws these away; false if some are still there.
async fn forget(core: &Core, handles: &[String]) -> bool {
    for handle in handles {
        if let Err(error) = core.secrets.delete(handle).await {
            tracing::warn!(%error, "a request of an app's that no job needs any more stays in the secret store");
            return false;
        }
    }
    true
}

/// A URL and its query, which of a signed one is the key. Names that stand for something are left whole.
fn without_query(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((url, query)) if url.matches("{{").count() == url.matches("}}").count() => (url, Some(query)),
        Some(_) | None => (url, None),
    }
}

/// Puts header fields and the URL's query into the secret store under a name made from them: the same are kept once.
async fn keep_headers(
    core: &Core,
    caller: &Caller,
    headers: &BTreeMap<String, String>,
    query: Option<&str>,
) -> Answer<Option<String>> {
    if headers.is_empty() && query.is_none() {
        return Ok(None);
    }
    let mut fields: Vec<_> = query.map(|query| (QUERY.to_owned(), query.to_owned())).into_iter().collect();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if !HEADERS_ALLOWED.contains(&name.as_str()) {
            let allowed = HEADERS_ALLOWED.join(", ");
            return Err(Refusal::bad(
                "header_not_allowed",
                format!("The header field {name} cannot be set; these can: {allowed}."),
            ));
        }
        if value.is_empty() || !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(Refusal::bad("header_not_allowed", format!("The header field {name} has a value that cannot be sent.")));
        }
        fields.push((name, value.clone()));
    }
    put(core, caller, &fields).await.map(Some)
}

/// Puts a value into the secret store under a name made from it.
async fn put(core: &Core, caller: &Caller, value: &impl serde::Serialize) -> Answer<String> {
    let text = serde_json::to_string(value).map_err(|error| Refusal::internal(error.to_string()))?;
    let handle = format!("app:{}:{}", caller.app.id, &HEXLOWER.encode(&Sha256::digest(text.as_bytes()))[..16]);
    core.secrets.set(&handle, Secret::new(text)).await.map_err(secret_refusal)?;
    Ok(handle)
}

/// Puts a description of requests into the secret store: a form may hold a key, and a signed URL is one.
async fn keep_body(core: &Core, caller: &Caller, body: &JobBody) -> Answer<Option<String>> {
    match body {
        JobBody::Resumable => Ok(None),
        JobBody::Tus | JobBody::Raw { .. } | JobBody::Multipart { .. } | JobBody::PresignedParts { .. } => {
            put(core, caller, body).await.map(Some)
        }
    }
}

/// Whether a description of requests can be carried out for a file of this size.
fn checked_body(body: &JobBody, url: &Url, bases: &[String], byte_count: u64) -> Answer<()> {
    let bad = |message: String| Err(Refusal::bad("bad_body", message));
    match body {
        JobBody::Resumable | JobBody::Tus | JobBody::Raw { .. } => Ok(()),
        JobBody::Multipart { file_field, fields, .. } => {
            if file_field.is_empty() || fields.len() > FIELDS_MAX {
                return bad(format!("A form has a name for its file, and at most {FIELDS_MAX} other fields."));
            }
            Ok(())
        }
        JobBody::PresignedParts { part_bytes, part_urls, complete, .. } => {
            let parts = byte_count.max(1).div_ceil((*part_bytes).max(1));
            if *part_bytes == 0 || part_urls.len() > PARTS_MAX || part_urls.len() as u64 != parts {
                let given = part_urls.len();
                return bad(format!(
                    "A file of {byte_count} bytes has {parts} parts of {part_bytes}, and {given} URLs were given; {PARTS_MAX} can be."
                ));
            }
            for part in part_urls.iter().chain(complete.iter().map(|request| &request.url)) {
                if allowed_url(part, bases)?.origin() != url.origin() {
                    return bad(format!("{part} is of another origin than {url}."));
                }
            }
            Ok(())
        }
    }
}
