//! What a server's refusals mean: the error codes of the Amazon S3 API Reference ("Error Responses"), and those of other stores that go
//! their own way. What has no code of its own is read by the one table.

use std::time::SystemTime;

use afterglow_model::{Failure, FailureClass, FailureCode};
use reqwest::{StatusCode, header::DATE};

use super::{CHECKSUM, CHECKSUM_ALGORITHM, IF_NONE_MATCH, xml};
use crate::{destination::Setback, failure, wire::Answer};

use FailureClass::{NeedsUser, Permanent, Transient};

/// Clocks that are further apart than this make signatures invalid, somewhere beyond it. Seconds.
const SKEW_S_MAX: u64 = 5 * 60;

/// Whether the server has compared a digest and found it wrong.
pub(super) fn is_wrong_digest(code: &str) -> bool {
    matches!(code, "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch")
}

/// The code of a refusal; empty if it has none.
pub(super) fn code(answer: &Answer) -> String {
    xml::error(&answer.body).map(|error| error.code).unwrap_or_default()
}

/// Whether the condition that there is no such object yet was not met. Some stores answer 304, as to a `GET`.
pub(super) fn is_taken(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::PRECONDITION_FAILED | StatusCode::NOT_MODIFIED)
}

/// Which of the header fields that can be done without, of those that the request carried, was refused: the one that the answer names, or
/// by "NotImplemented" ("a header you provided implies functionality that is not implemented") the one that is most seldom known.
pub(super) fn refused_field(answer: &Answer, sent: &[(&'static str, &str)]) -> Option<&'static str> {
    let is_unnamed = answer.status == StatusCode::NOT_IMPLEMENTED;
    if !is_unnamed && (answer.status != StatusCode::BAD_REQUEST || is_wrong_digest(&code(answer))) {
        return None;
    }
    let told = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    let dispensable = [IF_NONE_MATCH, CHECKSUM, CHECKSUM_ALGORITHM].into_iter();
    let mut sent = dispensable.filter(|field| sent.iter().any(|(name, _)| name == field));
    sent.clone().find(|field| told.contains(field)).or_else(|| sent.next().filter(|_| is_unnamed))
}

/// What an answer other than success means for the delivery.
pub(super) fn setback(host: &str, region: &str, answer: &Answer) -> Setback {
    let error = xml::error(&answer.body).unwrap_or_default();
    let table = answer.failure(host);
    let real_region = error.region.or_else(|| Some(answer.headers.get("x-amz-bucket-region")?.to_str().ok()?.to_owned()));
    match error.code.as_str() {
        "RequestTimeTooSkewed" => Setback::Failed(clock(host)),
        code if is_wrong_digest(code) => Setback::Spoilt(failure::damaged_on_the_way(host)),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" => Setback::Failed(wrong_key(host)),
        "NoSuchBucket" | "InvalidBucketName" => Setback::Failed(no_bucket(host)),
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "AuthorizationQueryParametersError"
        | "IllegalLocationConstraintException"
            if real_region.as_deref().is_some_and(|real| real != region) =>
        {
            Setback::Failed(elsewhere(host, region, real_region.as_deref()))
        }
        "SlowDown" | "RequestLimitExceeded" | "TooManyRequests" => Setback::Failed(Failure {
            retry_after_ms: table.retry_after_ms,
            ..failure::of_status(host, StatusCode::TOO_MANY_REQUESTS, None)
        }),
        "EntityTooLarge" => {
            Setback::TooLarge { limit: None, failure: failure::of_status(host, StatusCode::PAYLOAD_TOO_LARGE, None) }
        }
        "RequestTimeout" => Setback::Doubt(failure::timed_out(host)),
        code if code.contains("Quota") || code.contains("StorageFull") => {
            Setback::Failed(failure::of_status(host, StatusCode::INSUFFICIENT_STORAGE, None))
        }
        _ => by_status(host, region, real_region.as_deref(), answer, table),
    }
}

fn by_status(host: &str, region: &str, real_region: Option<&str>, answer: &Answer, table: Failure) -> Setback {
    match answer.status {
        StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST if is_skewed(answer, SystemTime::now()) => Setback::Failed(clock(host)),
        status
            if status.is_redirection() || (status == StatusCode::BAD_REQUEST && real_region.is_some_and(|real| real != region)) =>
        {
            Setback::Failed(elsewhere(host, region, real_region))
        }
        StatusCode::PAYLOAD_TOO_LARGE => Setback::TooLarge { limit: None, failure: table },
        // ConditionalRequestConflict and OperationAborted: somebody else is at the same key.
        StatusCode::CONFLICT => Setback::Doubt(table),
        _ if table.class == Transient && table.retry_after_ms.is_none() && table.code != FailureCode::Throttled => {
            Setback::Doubt(table)
        }
        _ => Setback::Failed(table),
    }
}

/// Whether the clock of the server, as it says in `Date`, is far from ours. A presigned request that is too early or too late is
/// `AccessDenied`, without a code of its own.
fn is_skewed(answer: &Answer, now: SystemTime) -> bool {
    let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(|date| httpdate::parse_http_date(date).ok());
    date.is_some_and(|date| {
        let apart = now.duration_since(date).or_else(|_| date.duration_since(now)).unwrap_or_default();
        apart.as_secs() > SKEW_S_MAX
    })
}

fn clock(host: &str) -> Failure {
    let message =
        format!("The clocks of this computer and of {host} differ, so it accepts nothing. Set this computer's clock, then retry.");
    failure::failure(NeedsUser, FailureCode::AuthenticationRequired, message)
}

fn wrong_key(host: &str) -> Failure {
    let message = format!("{host} did not accept the access key. Check its id, its secret and the region.");
    failure::failure(NeedsUser, FailureCode::AuthenticationRequired, message)
}

fn no_bucket(host: &str) -> Failure {
    failure::failure(NeedsUser, FailureCode::ProtocolUnsupported, format!("{host} has no bucket of this name. Check the address."))
}

fn elsewhere(host: &str, region: &str, real: Option<&str>) -> Failure {
    let message = match real {
        Some(real) => format!("The bucket at {host} is in the region {real}, not in {region}. Set this region and its address."),
        None => format!("The bucket is not at {host} in the region {region}. Check the address and the region."),
    };
    failure::failure(NeedsUser, FailureCode::ProtocolUnsupported, message)
}

/// An account without a key.
pub(super) fn no_key(host: &str) -> Failure {
    let message = format!("{host} wants an access key. Enter its id and its secret.");
    failure::failure(NeedsUser, FailureCode::AuthenticationRequired, message)
}

/// An address without a bucket.
pub(super) fn no_bucket_named(host: &str) -> Failure {
    let message = format!("The address of {host} names no bucket. Add the bucket's name to it.");
    failure::failure(NeedsUser, FailureCode::ProtocolUnsupported, message)
}

/// It knows fewer header fields than others of its kind.
pub(super) fn takes_less(host: &str) -> Failure {
    let message = format!("{host} does not take all that can be said of a file. It is tried again with less.");
    failure::failure(Transient, FailureCode::ServerRejected, message)
}

/// Another file is at the key, or on its way there.
pub(super) fn name_taken(host: &str) -> Failure {
    let message = format!("Another file has taken this one's name at {host}. It is tried again under another.");
    failure::failure(Transient, FailureCode::ServerRejected, message)
}

/// Other files lie under every name that the content could have.
pub(super) fn no_name_left(host: &str) -> Failure {
    let message = format!("{host} holds other files under every name for this one. Remove one of them, then retry.");
    failure::failure(NeedsUser, FailureCode::ServerRejected, message)
}

/// The way takes less than the smallest part.
pub(super) fn parts_too_large(host: &str) -> Failure {
    let message = format!("What lies before {host} does not take requests of 5 MiB, the least that a large file needs.");
    failure::failure(Permanent, FailureCode::PayloadTooLarge, message)
}
