//! The resources: `/files` to create uploads at, `/uploads/{id}` to go on with one, `/objects/…` to see what is stored, and `/pairing`
//! to become a sender.

pub(crate) mod creation;
pub(crate) mod listener;
mod objects;
mod pairing;
mod tls;
mod upload;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, EXPECT, LOCATION, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, head, post};

use crate::fields;
use crate::intake;
use crate::ledger::objects::Object;
use crate::problem::Problem;
use crate::senders;
use crate::server::Server;

/// All resources; every request but those of pairing must show a sender's token.
pub(crate) fn router(server: Server) -> Router {
    Router::new()
        .route("/files", post(creation::post).options(creation::options))
        .route("/uploads/{id}", head(upload::head).patch(upload::patch).delete(upload::delete))
        .route("/objects", get(objects::list))
        .route("/objects/{*path}", get(objects::get).delete(objects::delete))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here."))
        .layer(middleware::from_fn_with_state(server.clone(), senders::authorize))
        .merge(pairing::router())
        .layer(middleware::map_response(mark_version))
        .with_state(server)
}

/// What is said to whoever speaks unencrypted where nothing else than TLS is taken.
pub(crate) fn only_encrypted() -> Router {
    Router::new().fallback(async |request: Request| {
        intake::drain(request.into_body()).await;
        Problem::new(StatusCode::UPGRADE_REQUIRED, "This receiver takes nothing unencrypted. Use its https address.")
            .with(UPGRADE, HeaderValue::from_static("TLS/1.3"))
            .with(CONNECTION, HeaderValue::from_static("upgrade, close"))
    })
}

async fn mark_version(mut response: Response) -> Response {
    response.headers_mut().insert(fields::UPLOAD_DRAFT_INTEROP_VERSION, HeaderValue::from_static(fields::INTEROP_VERSION));
    response
}

/// The content of a request: taken by whom reads it, else read away before the answer.
pub(crate) struct Content {
    body: Option<Body>,
    /// A sender that waits for `100 Continue` sends nothing unless the content is read.
    waits: bool,
}

impl Content {
    fn of(request: Request) -> (HeaderMap, Self) {
        let (parts, body) = request.into_parts();
        let waits = parts.headers.contains_key(EXPECT);
        (parts.headers, Self { body: Some(body), waits })
    }

    fn take(&mut self) -> Body {
        self.body.take().unwrap_or_else(Body::empty)
    }

    async fn drain(&mut self) {
        if let Some(body) = self.body.take()
            && !self.waits
        {
            intake::drain(body).await;
        }
    }
}

/// Does the work of a request in a task of its own, so that a connection that breaks ends its content, but not the keeping of
/// what came.
async fn detached(work: impl Future<Output = Result<Response, Problem>> + Send + 'static) -> Response {
    let done = tokio::spawn(work).await;
    let answer = done.unwrap_or_else(|error| Err(Problem::internal("a request ended early", error)));
    answer.into_response()
}

/// The final response of an upload: 201 for a new object, 200 for one of the same content that was there.
fn stored(object: &Object, is_new: bool) -> Response {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, axum::Json(objects::Entry::of(object))).into_response();
    let headers = response.headers_mut();
    headers.insert(fields::UPLOAD_COMPLETE, HeaderValue::from_static(fields::TRUE));
    insert(headers, fields::UPLOAD_OFFSET, &object.length.to_string());
    insert(headers, fields::REPR_DIGEST, &object.digest.field());
    insert(headers, LOCATION, &objects::url(&object.path));
    response
}

/// Sets a header; all values that come here are visible ASCII.
fn insert(headers: &mut HeaderMap, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
