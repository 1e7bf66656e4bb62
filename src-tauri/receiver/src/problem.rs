//! Refusals: each is a problem document (RFC 9457) that says what was wrong and what to do.

use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::fields;

/// Base of the problem types that the draft registers (draft-ietf-httpbis-resumable-upload-11, section "Problem Types").
const REGISTRY: &str = "https://iana.org/assignments/http-problem-types#";

/// A refused request.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: Option<&'static str>,
    detail: String,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// A problem whose status says what kind it is (RFC 9457, section 4.2.1: `about:blank`).
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into(), members: Map::new(), headers: HeaderMap::new() }
    }

    /// The request cannot be understood.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Nothing is there, or nothing that this sender may know of.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing here for this sender.")
    }

    /// 409: the request continues at another place than the upload ends. The right offset is told.
    pub(crate) fn mismatching_offset(expected: u64, provided: u64) -> Self {
        Self {
            kind: Some("mismatching-upload-offset"),
            members: Map::from_iter([
                ("expected-offset".to_owned(), expected.into()),
                ("provided-offset".to_owned(), provided.into()),
            ]),
            ..Self::new(StatusCode::CONFLICT, format!("The upload goes on at byte {expected}, not at {provided}."))
        }
        .with(fields::UPLOAD_OFFSET, expected.to_string())
        .with(fields::UPLOAD_COMPLETE, fields::FALSE)
    }

    /// 400: two statements about the length contradict each other.
    pub(crate) fn inconsistent_length(detail: impl Into<String>) -> Self {
        Self { kind: Some("inconsistent-upload-length"), ..Self::bad_request(detail) }
    }

    /// 400: the upload is complete; nothing can be added.
    pub(crate) fn completed_upload() -> Self {
        Self { kind: Some("completed-upload"), ..Self::bad_request("This upload is already complete.") }
    }

    /// 400: the bytes that came are not the bytes that were announced.
    pub(crate) fn mismatching_digest(what: &str, received: &str) -> Self {
        Self {
            kind: Some("digest-mismatching-values"),
            members: Map::from_iter([("received-digest".to_owned(), received.into())]),
            ..Self::bad_request(format!(
                "The {what} that was announced is not that of the bytes received. Send them again from the start."
            ))
        }
    }

    /// 413: more bytes than the receiver takes. The limits are told (draft, section "Limits": MUST).
    pub(crate) fn too_large(limits: String) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "The file is larger than this receiver accepts.")
            .with(fields::UPLOAD_LIMIT, limits)
    }

    /// 500 or 507: this computer could not do it. What exactly is for the log alone.
    pub(crate) fn internal(what: &str, error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "{what}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("The receiver failed: {what}. Its log says why; try again later."))
    }

    /// As [`Problem::internal`], telling a full disk apart.
    pub(crate) fn from_io(what: &str, error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                tracing::warn!(%error, "{what}");
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "The receiver's disk is full. Free some space there and try again.")
            }
            _ => Self::internal(what, error),
        }
    }

    /// Adds a response header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.insert(name, value);
        }
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = self.members;
        document
            .insert("type".into(), self.kind.map_or_else(|| "about:blank".to_owned(), |kind| format!("{REGISTRY}{kind}")).into());
        let title =
            self.kind.map_or_else(|| self.status.canonical_reason().unwrap_or("Refused").to_owned(), |kind| kind.replace('-', " "));
        document.insert("title".into(), title.into());
        document.insert("status".into(), self.status.as_u16().into());
        document.insert("detail".into(), self.detail.into());
        let mut response = (self.status, self.headers, Value::Object(document).to_string()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
