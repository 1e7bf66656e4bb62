//! `/uploads/{id}`: an upload resource (draft-ietf-httpbis-resumable-upload-11, sections "Offset Retrieval" to "Upload
//! Cancellation").

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::active::Claim;
use crate::digest::Digest;
use crate::fields;
use crate::finish;
use crate::http::{Content, creation, detached, insert, objects, stored};
use crate::intake::{self, Interruption};
use crate::ledger::uploads::{self, Outcome, Upload};
use crate::problem::Problem;
use crate::senders::Sender;
use crate::server::Server;
use crate::staging::Staged;

/// `HEAD`: how much is stored, durably. Ends an append that still runs.
pub(crate) async fn head(State(server): State<Server>, Extension(sender): Extension<Sender>, Path(id): Path<String>) -> Response {
    detached(async move {
        let (mut upload, claim) = claim(&server, &sender.0, &id).await?;
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        let (offset, digest) = match upload.outcome {
            None => {
                let staged = acknowledge(&server, &mut upload, &claim).await?;
                (staged.length(), staged.digest())
            }
            Some(Outcome::Stored(digest)) => {
                if let Some(object) = finish::stored(&server, &sender.0, &digest).await? {
                    insert(headers, LOCATION, &objects::url(&object.path));
                }
                (upload.acknowledged, digest)
            }
            Some(Outcome::Mismatched(digest)) => (upload.acknowledged, digest),
        };
        insert(headers, fields::UPLOAD_OFFSET, &offset.to_string());
        insert(headers, fields::UPLOAD_COMPLETE, if upload.outcome.is_some() { fields::TRUE } else { fields::FALSE });
        insert(headers, fields::UPLOAD_LIMIT, &server.limits(server.now_ms() - upload.created_ms));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(length) = upload.about.length {
            insert(headers, fields::UPLOAD_LENGTH, &length.to_string());
        }
        // So that the sender can compare before it completes: the digest of all that is stored.
        insert(headers, fields::REPR_DIGEST, &digest.field());
        Ok(response)
    })
    .await
}

/// `PATCH`: adds content, and completes the upload if told so.
pub(crate) async fn patch(
    State(server): State<Server>,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (headers, mut content) = Content::of(request);
    detached(async move {
        let answer = append(&server, &sender.0, &id, &headers, &mut content).await;
        content.drain().await;
        answer
    })
    .await
}

/// `DELETE`: cancels the upload; of a complete one, only the resource goes, not the object.
pub(crate) async fn delete(State(server): State<Server>, Extension(sender): Extension<Sender>, Path(id): Path<String>) -> Response {
    detached(async move {
        let (upload, claim) = claim(&server, &sender.0, &id).await?;
        discard(&server, &upload, claim).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// Answers a creation that repeats the one of `upload`: its URL and offset again.
pub(crate) async fn describe_again(server: &Server, upload: Upload) -> Result<Response, Problem> {
    let (mut upload, claim) = claim(server, &upload.sender, &upload.id).await?;
    let offset = acknowledge(server, &mut upload, &claim).await?.length();
    Ok(creation::created(server, &upload, offset))
}

/// Takes the content of the creation request itself. Returns the offset after it.
pub(crate) async fn take_first(server: &Server, upload: &Upload, headers: &HeaderMap, body: Body) -> Result<u64, Problem> {
    let (mut upload, claim) = claim(server, &upload.sender, &upload.id).await?;
    let expected = fields::sha256(headers, fields::CONTENT_DIGEST)?;
    let claim = take(server, &upload, claim, body, expected).await?;
    Ok(acknowledge(server, &mut upload, &claim).await?.length())
}

async fn append(server: &Server, sender: &str, id: &str, headers: &HeaderMap, content: &mut Content) -> Result<Response, Problem> {
    let (mut upload, claim) = claim(server, sender, id).await?;
    if let Some(outcome) = upload.outcome {
        return replay(server, &upload, outcome, headers).await;
    }
    let (is_last, expected) = check(server, &mut upload, &claim, headers).await?;
    let claim = match fields::content_length(headers) {
        Some(0) => claim,
        Some(_) | None => take(server, &upload, claim, content.take(), expected).await?,
    };
    if is_last { complete(server, &upload, claim).await } else { acknowledged(server, &mut upload, &claim).await }
}

/// The checks of an append before any of its content is read. Returns whether it completes the upload, and its announced digest.
async fn check(
    server: &Server,
    upload: &mut Upload,
    claim: &Claim,
    headers: &HeaderMap,
) -> Result<(bool, Option<Digest>), Problem> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(fields::PARTIAL_UPLOAD) {
        let refused = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("Content is added as {}.", fields::PARTIAL_UPLOAD));
        return Err(refused.with(HeaderName::from_static("accept-patch"), fields::PARTIAL_UPLOAD));
    }
    let is_last = fields::boolean(headers, fields::UPLOAD_COMPLETE)
        .ok_or_else(|| Problem::bad_request("Upload-Complete must say ?1 or ?0."))?;
    let provided = fields::integer(headers, fields::UPLOAD_OFFSET)
        .ok_or_else(|| Problem::bad_request("Upload-Offset must say where the content belongs."))?;
    let expected = fields::sha256(headers, fields::CONTENT_DIGEST)?;
    let offset = file(claim)?.length();
    if provided != offset {
        acknowledge(server, upload, claim).await?;
        return Err(Problem::mismatching_offset(offset, provided));
    }
    check_length(server, upload, offset, is_last, headers).await?;
    Ok((is_last, expected))
}

/// Compares all that is said about the length, and records it when it becomes known (draft, section "Length").
async fn check_length(
    server: &Server,
    upload: &mut Upload,
    offset: u64,
    is_last: bool,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let end = fields::content_length(headers).map(|content| offset.saturating_add(content));
    let told = fields::integer(headers, fields::UPLOAD_LENGTH);
    let mut length = upload.about.length;
    for indicated in [told, end.filter(|_| is_last)].into_iter().flatten() {
        if length.is_some_and(|length| length != indicated) {
            return Err(Problem::inconsistent_length(format!(
                "This request means {indicated} bytes in all, which is not what was told before."
            )));
        }
        length = Some(indicated);
    }
    if let (Some(end), Some(length)) = (end, length)
        && end > length
    {
        return Err(Problem::inconsistent_length(format!("The content would end at byte {end} of {length}.")));
    }
    if server.size_max.is_some_and(|max| length.or(end).is_some_and(|bytes| bytes > max)) {
        return Err(Problem::too_large(server.limits(server.now_ms() - upload.created_ms)));
    }
    if let Some(length) = length
        && upload.about.length.is_none()
    {
        let id = upload.id.clone();
        server.ledger.write(move |transaction| uploads::set_length(transaction, &id, length)).await?;
        upload.about.length = Some(length);
    }
    Ok(())
}

/// Adds content to the file of a claim. If it is cut, what came is kept; if it is too long, the upload is discarded, as the
/// draft demands (section "Upload Append"); if its own digest is wrong, it is dropped.
async fn take(server: &Server, upload: &Upload, mut claim: Claim, body: Body, expected: Option<Digest>) -> Result<Claim, Problem> {
    let staged = claim.staged.take().ok_or_else(Problem::not_found)?;
    let before = staged.clone();
    let length_max = upload.about.length.or(server.size_max).unwrap_or(u64::MAX);
    let (staged, received) = intake::receive(staged, body, length_max, &claim.stop, server.silence_max).await;
    *claim.staged = staged;
    match received {
        Ok(()) => {}
        Err(Interruption::TooLong) => {
            let by_limit = upload.about.length.is_none();
            discard(server, upload, claim).await?;
            let too_large = || Problem::too_large(server.limits(server.now_ms() - upload.created_ms));
            return Err(if by_limit { too_large() } else { Interruption::TooLong.into_problem() });
        }
        Err(Interruption::Disk(error)) => {
            // How much of the last write is there is for the disk to say.
            *claim.staged = None;
            return Err(Interruption::Disk(error).into_problem());
        }
        Err(interruption @ (Interruption::Cut | Interruption::Superseded | Interruption::Silent)) => {
            return Err(interruption.into_problem());
        }
    }
    if let Some(expected) = expected {
        let content = content_digest(server, file(&claim)?.clone(), before.length()).await?;
        if content != expected {
            let (staged, rewound) = server.blocking(file(&claim)?.clone(), move |staged| staged.rewind(before)).await?;
            *claim.staged = Some(staged);
            rewound.map_err(|error| Problem::from_io("content could not be dropped", error))?;
            return Err(Problem::mismatching_digest("Content-Digest", &content.field()));
        }
    }
    Ok(claim)
}

async fn content_digest(server: &Server, staged: Staged, from: u64) -> Result<Digest, Problem> {
    let (_, digest) = server.blocking(staged, move |staged| staged.digest_from(from)).await?;
    digest.map_err(|error| Problem::from_io("content could not be read again", error))
}

/// The sender says that all has come.
async fn complete(server: &Server, upload: &Upload, mut claim: Claim) -> Result<Response, Problem> {
    let length = file(&claim)?.length();
    if let Some(told) = upload.about.length
        && told != length
    {
        return Err(Problem::inconsistent_length(format!("The upload has {length} bytes, but {told} were told.")));
    }
    let staged = claim.staged.take().ok_or_else(Problem::not_found)?;
    let (object, is_new) = finish::complete(server, &upload.sender, &upload.about, staged, Some(&upload.id)).await?;
    server.active.forget(&upload.id);
    Ok(stored(&object, is_new))
}

/// An append after the end. The draft lets an empty `?1` have the final response again, and demands refusal of all else.
async fn replay(server: &Server, upload: &Upload, outcome: Outcome, headers: &HeaderMap) -> Result<Response, Problem> {
    if fields::content_length(headers) != Some(0) {
        return Err(Problem::inconsistent_length("This upload is complete; nothing can be added to it."));
    }
    if fields::boolean(headers, fields::UPLOAD_COMPLETE) != Some(true) {
        return Err(Problem::completed_upload());
    }
    match outcome {
        Outcome::Mismatched(digest) => Err(finish::mismatch(&digest)),
        Outcome::Stored(digest) => match finish::stored(server, &upload.sender, &digest).await? {
            Some(object) => Ok(stored(&object, false)),
            None => Err(Problem::new(StatusCode::GONE, "The file was stored, but it has been removed since. Upload it anew.")),
        },
    }
}

/// 204 for an append that does not complete.
async fn acknowledged(server: &Server, upload: &mut Upload, claim: &Claim) -> Result<Response, Problem> {
    let staged = acknowledge(server, upload, claim).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    insert(headers, fields::UPLOAD_COMPLETE, fields::FALSE);
    insert(headers, fields::UPLOAD_OFFSET, &staged.length().to_string());
    insert(headers, fields::UPLOAD_LIMIT, &server.limits(server.now_ms() - upload.created_ms));
    insert(headers, fields::REPR_DIGEST, &staged.digest().field());
    Ok(response)
}

/// Takes an upload for this request, with what is on disk of it. If less is there than the sender was told, the upload is lost
/// and ends (draft, section "Offset": MUST).
async fn claim(server: &Server, sender: &str, id: &str) -> Result<(Upload, Claim), Problem> {
    // Asked first, so that a stranger's request cannot end the sender's own.
    row(server, sender, id).await?;
    let mut claim = server.active.claim(id).await;
    let upload = match row(server, sender, id).await {
        Ok(upload) => upload,
        Err(problem) => {
            server.active.forget(id);
            return Err(problem);
        }
    };
    if upload.outcome.is_some() {
        server.active.forget(id);
        return Ok((upload, claim));
    }
    if claim.staged.is_none() {
        let path = server.staged_path(id);
        let (_, staged) = server.blocking(Staged::new(path.clone()), move |_| Staged::reopen(path)).await?;
        *claim.staged = Some(staged.map_err(|error| Problem::from_io("an upload could not be read", error))?);
    }
    if file(&claim)?.length() < upload.acknowledged {
        tracing::warn!(id, "bytes of an upload were lost; it has to begin anew");
        discard(server, &upload, claim).await?;
        return Err(Problem::new(StatusCode::GONE, "The receiver lost a part of this upload. Begin it anew."));
    }
    Ok((upload, claim))
}

async fn row(server: &Server, sender: &str, id: &str) -> Result<Upload, Problem> {
    let (owner, wanted) = (sender.to_owned(), id.to_owned());
    let found = server.ledger.read(move |connection| uploads::by_id(connection, &owner, &wanted)).await?;
    found.ok_or_else(Problem::not_found)
}

/// Makes all that came durable and notes it, so that it may be told.
async fn acknowledge<'c>(server: &Server, upload: &mut Upload, claim: &'c Claim) -> Result<&'c Staged, Problem> {
    let staged = file(claim)?;
    let offset = staged.length();
    if offset > upload.acknowledged {
        let (_, synced) = server.blocking(staged.clone(), |staged| staged.sync()).await?;
        synced.map_err(|error| Problem::from_io("an upload could not be made durable", error))?;
        let id = upload.id.clone();
        server.ledger.write(move |transaction| uploads::set_acknowledged(transaction, &id, offset)).await?;
        upload.acknowledged = offset;
    }
    Ok(staged)
}

async fn discard(server: &Server, upload: &Upload, claim: Claim) -> Result<(), Problem> {
    let id = upload.id.clone();
    server.ledger.write(move |transaction| uploads::delete(transaction, &id)).await?;
    if upload.outcome.is_none() {
        server.blocking(Staged::new(server.staged_path(&upload.id)), |staged| staged.remove()).await?;
    }
    server.active.forget(&upload.id);
    drop(claim);
    Ok(())
}

fn file(claim: &Claim) -> Result<&Staged, Problem> {
    claim.staged.as_ref().ok_or_else(Problem::not_found)
}
