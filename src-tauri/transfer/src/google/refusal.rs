//! What Google's refusals mean: of requests, by status and `google.rpc.Status`; of items, by `google.rpc.Code`.

use afterglow_model::{Failure, FailureClass, FailureCode};
use reqwest::StatusCode;
use serde::Deserialize;

use super::oauth::must_sign_in;
use crate::{destination::Setback, failure, wire::Answer};

/// How much of Google's own words is passed on, in characters.
const REASON_CHARS_MAX: usize = 160;

/// The body of a refused request.
#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: Said,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    status: String,
    message: String,
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

/// The `status` of an item.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ItemStatus {
    pub(super) code: i64,
    message: String,
}

/// What a status other than success means.
pub(super) fn of_answer(host: &str, answer: &Answer) -> Setback {
    let Said { status, message, errors } = serde_json::from_slice(&answer.body).map(|body: Refused| body.error).unwrap_or_default();
    let failure = answer.failure(host);
    let of = |status| Failure { retry_after_ms: failure.retry_after_ms, ..failure::of_status(host, status, None) };
    let is_rate = status == "RESOURCE_EXHAUSTED" || errors.iter().any(|Reason { reason }| reason.contains("ateLimitExceeded"));
    match answer.status {
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS if is_about(&message, "storage") => {
            Setback::Failed(of(StatusCode::INSUFFICIENT_STORAGE))
        }
        StatusCode::FORBIDDEN if is_rate => Setback::Failed(of(StatusCode::TOO_MANY_REQUESTS)),
        StatusCode::FORBIDDEN if !message.is_empty() => Setback::Failed(must_sign_in(format!(
            "{host} does not let this account upload: {} Mend that, or sign in again.",
            sentence(&message)
        ))),
        StatusCode::BAD_REQUEST if is_about(&message, "upload token") => Setback::Spoilt(failure::lost_bytes(host)),
        StatusCode::BAD_REQUEST if !message.is_empty() => Setback::Verdict(refused(host, &message)),
        // "The operation was aborted": two creations at once.
        _ if failure::may_work_at_once(&failure) => Setback::Doubt(failure),
        _ => Setback::Failed(failure),
    }
}

/// Why an item was not created.
pub(super) fn of_item(host: &str, status: &ItemStatus) -> Setback {
    let of = |status| failure::of_status(host, status, None);
    match status.code {
        // INVALID_ARGUMENT and NOT_FOUND, of a token that is a day old.
        3 | 5 if is_about(&status.message, "token") => Setback::Spoilt(failure::lost_bytes(host)),
        // CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, ABORTED, INTERNAL, UNAVAILABLE.
        1 | 2 | 4 | 10 | 13 | 14 => Setback::Doubt(of(StatusCode::INTERNAL_SERVER_ERROR)),
        // PERMISSION_DENIED, UNAUTHENTICATED.
        7 => Setback::Failed(of(StatusCode::FORBIDDEN)),
        16 => Setback::Failed(of(StatusCode::UNAUTHORIZED)),
        // RESOURCE_EXHAUSTED.
        8 if is_about(&status.message, "storage") => Setback::Failed(of(StatusCode::INSUFFICIENT_STORAGE)),
        8 => Setback::Failed(of(StatusCode::TOO_MANY_REQUESTS)),
        _ => Setback::Verdict(refused(host, &status.message)),
    }
}

/// Whether a request was refused because of the album that it names.
pub(super) fn is_of_album(answer: &Answer) -> bool {
    let said: Refused = serde_json::from_slice(&answer.body).unwrap_or_default();
    matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) && is_about(&said.error.message, "album")
}

fn is_about(message: &str, what: &str) -> bool {
    message.to_ascii_lowercase().contains(what)
}

fn refused(host: &str, reason: &str) -> Failure {
    failure::failure(
        FailureClass::Permanent,
        FailureCode::ServerRejected,
        format!("{host} refused this file: {}", sentence(reason)),
    )
}

/// Google's words as one sentence.
fn sentence(words: &str) -> String {
    let said: String = words.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    format!("{}.", said.trim_end_matches('.'))
}
