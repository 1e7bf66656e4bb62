//! `/files`: where uploads begin (draft-ietf-httpbis-resumable-upload-11, section "Upload Creation").
//!
//! Careful (`?0`, no content), partial (`?0`) and whole (`?1`, or without `Upload-Complete`) creations are taken. No `104` is
//! sent, since the HTTP library cannot; senders that want to resume create carefully.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::fields;
use crate::finish;
use crate::http::{Content, detached, insert, stored, upload};
use crate::intake::{self, Interruption};
use crate::ledger::objects::{self, Object};
use crate::ledger::uploads::{self, Description, Upload};
use crate::name;
use crate::problem::Problem;
use crate::senders::Sender;
use crate::server::{OPEN_UPLOADS_MAX, Server};
use crate::staging::Staged;

/// RFC 5789, section 3.1; the draft's section "Limits" makes it the mark of a resource that takes resumable uploads.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What is known of the file that a creation describes.
enum Known {
    Object(Object),
    Upload(Upload),
    Nothing,
}

/// `OPTIONS /files`: what is taken.
pub(crate) async fn options(State(server): State<Server>) -> Response {
    let offered = [
        (fields::UPLOAD_LIMIT, server.limits(0)),
        // A digest with a creation is checked, and makes its repeat harmless (RFC 9530, section 4).
        (fields::WANT_REPR_DIGEST, "sha-256=10".into()),
        (ACCEPT_PATCH, fields::PARTIAL_UPLOAD.into()),
        (ALLOW, "OPTIONS, POST".into()),
    ];
    (StatusCode::NO_CONTENT, offered).into_response()
}

/// `POST /files`.
pub(crate) async fn post(State(server): State<Server>, Extension(sender): Extension<Sender>, request: Request) -> Response {
    let (headers, mut content) = Content::of(request);
    detached(async move {
        let answer = create(&server, &sender.0, &headers, &mut content).await;
        content.drain().await;
        answer
    })
    .await
}

async fn create(server: &Server, sender: &str, headers: &HeaderMap, content: &mut Content) -> Result<Response, Problem> {
    let is_whole = fields::boolean(headers, fields::UPLOAD_COMPLETE).unwrap_or(true);
    let about = describe(headers, is_whole)?;
    if let (Some(length), Some(max)) = (about.length, server.size_max)
        && length > max
    {
        return Err(Problem::too_large(server.limits(0)));
    }
    match find(server, sender, &about).await? {
        Known::Object(object) => return Ok(stored(&object, false)),
        Known::Upload(upload) if !is_whole => return upload::describe_again(server, upload).await,
        Known::Upload(_) | Known::Nothing => {}
    }
    if is_whole {
        whole(server, sender, headers, &about, content.take()).await
    } else {
        partial(server, sender, headers, about, content).await
    }
}

/// The description in the request's header, with consistent statements about the length (draft, section "Length").
fn describe(headers: &HeaderMap, is_whole: bool) -> Result<Description, Problem> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let refused =
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Files are stored as they come; send them without Content-Encoding.");
        return Err(refused.with(ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    let (told, content) = (fields::integer(headers, fields::UPLOAD_LENGTH), fields::content_length(headers));
    let length = match (told, content) {
        (Some(told), Some(content)) if content > told || (is_whole && content != told) => {
            return Err(Problem::inconsistent_length(format!("Upload-Length says {told}, Content-Length {content}.")));
        }
        (Some(told), _) => Some(told),
        (None, content) => content.filter(|_| is_whole),
    };
    Ok(Description {
        key: fields::idempotency_key(headers)?,
        length,
        announced: fields::sha256(headers, fields::REPR_DIGEST)?,
        name: name::safe_name(&fields::filename(headers).unwrap_or_default()),
        modified_ms: fields::last_modified_ms(headers),
        media_type: headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned),
    })
}

/// Looks for what this creation would repeat: an object of its content, or an upload of its key.
async fn find(server: &Server, sender: &str, about: &Description) -> Result<Known, Problem> {
    let (owner, key) = (sender.to_owned(), about.key.clone());
    let (of_key, upload) = server
        .ledger
        .read(move |connection| {
            let Some(key) = key else { return Ok((None, None)) };
            Ok((objects::key(connection, &owner, &key)?, uploads::by_key(connection, &owner, &key)?))
        })
        .await?;
    let of_upload = upload.as_ref().and_then(|upload| upload.about.announced);
    if let Some(announced) = about.announced {
        if of_key.or(of_upload).is_some_and(|earlier| earlier != announced) {
            return Err(finish::key_taken());
        }
        if let Some(object) = finish::stored(server, sender, &announced).await? {
            return Ok(Known::Object(object));
        }
    }
    Ok(match upload {
        Some(upload) if upload.outcome.is_none() && upload.about.length == about.length => Known::Upload(upload),
        Some(_) | None => Known::Nothing,
    })
}

/// The whole file in this request. If it is cut, nothing stays.
async fn whole(server: &Server, sender: &str, headers: &HeaderMap, about: &Description, body: Body) -> Result<Response, Problem> {
    let expected_content = fields::sha256(headers, fields::CONTENT_DIGEST)?;
    let path = server.staged_path(&new_id());
    let length_max = about.length.or(server.size_max).unwrap_or(u64::MAX);
    let stop = server.closing.child_token();
    let (staged, received) = intake::receive(Staged::new(path.clone()), body, length_max, &stop, server.silence_max).await;
    let staged = staged.unwrap_or_else(|| Staged::new(path));
    let digest = staged.digest();
    let refusal = match received {
        Err(Interruption::TooLong) if about.length.is_none() => Some(Problem::too_large(server.limits(0))),
        Err(interruption) => Some(interruption.into_problem()),
        Ok(()) if about.length.is_some_and(|length| length != staged.length()) => {
            Some(Problem::inconsistent_length(format!("The content has {} bytes, not the length that was told.", staged.length())))
        }
        Ok(()) if expected_content.is_some_and(|expected| expected != digest) => {
            Some(Problem::mismatching_digest("Content-Digest", &digest.field()))
        }
        Ok(()) => None,
    };
    if let Some(refusal) = refusal {
        server.blocking(staged, |staged| staged.remove()).await?;
        return Err(refusal);
    }
    let (object, is_new) = finish::complete(server, sender, about, staged, None).await?;
    Ok(stored(&object, is_new))
}

/// A new upload resource, with the file's first bytes if the request has any.
async fn partial(
    server: &Server,
    sender: &str,
    headers: &HeaderMap,
    about: Description,
    content: &mut Content,
) -> Result<Response, Problem> {
    let upload =
        Upload { id: new_id(), sender: sender.to_owned(), about, created_ms: server.now_ms(), acknowledged: 0, outcome: None };
    let row = upload.clone();
    let entered = server.ledger.write(move |transaction| {
        if uploads::count_open(transaction, &row.sender)? >= OPEN_UPLOADS_MAX {
            return Ok(false);
        }
        // A key's earlier upload that cannot be continued (finished, or of another length) gives way.
        if let Some(key) = &row.about.key
            && let Some(earlier) = uploads::by_key(transaction, &row.sender, key)?
        {
            uploads::delete(transaction, &earlier.id)?;
        }
        uploads::insert(transaction, &row)?;
        Ok(true)
    });
    if !entered.await? {
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many uploads are open. Finish or cancel some."));
    }
    let offset = match fields::content_length(headers) {
        Some(0) => 0,
        Some(_) | None => upload::take_first(server, &upload, headers, content.take()).await?,
    };
    Ok(created(server, &upload, offset))
}

/// 201 with the upload's URL and limits (draft, section "Upload Creation": MUST).
pub(crate) fn created(server: &Server, upload: &Upload, offset: u64) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    insert(headers, LOCATION, &format!("/uploads/{}", upload.id));
    insert(headers, fields::UPLOAD_COMPLETE, fields::FALSE);
    insert(headers, fields::UPLOAD_OFFSET, &offset.to_string());
    insert(headers, fields::UPLOAD_LIMIT, &server.limits(server.now_ms() - upload.created_ms));
    response
}

/// Random, since whoever knows an upload's URL is half way to touching it (draft, section "Security Considerations").
fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
