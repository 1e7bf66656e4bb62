//! What a server's answer says, by the app's rule.

use afterglow_model::{DigestAlgorithm, DigestRule, Failure, FailureClass, FailureCode, JobResponse, SuccessRule};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{destination::Content, driver::base16, failure, response::kept, wire::Answer};

/// An answer and what it is worth.
pub(super) struct Judged {
    pub(super) response: JobResponse,
    /// Why it is no success; none if it is one.
    pub(super) verdict: Option<Failure>,
    /// Whether it states the digest of what was sent.
    pub(super) proved: bool,
    /// Where it says that the upload lies.
    pub(super) location: Option<String>,
}

pub(super) fn judge(answer: &Answer, rule: Option<&SuccessRule>, content: &Content, host: &str) -> Judged {
    let response = kept(answer);
    let (verdict, proved) = match rule {
        None if answer.status.is_success() => (None, false),
        None => (Some(answer.failure(host)), false),
        Some(rule) => match by_rule(answer, &response, rule, content, host) {
            Ok(proved) => (None, proved),
            Err(failure) => (Some(failure), false),
        },
    };
    let location = answer.location().and_then(|location| answer.url.join(location).ok()).map(|url| url.to_string());
    Judged { response, verdict, proved, location }
}

/// Whether the digest is proved, or why it is no success.
fn by_rule(answer: &Answer, response: &JobResponse, rule: &SuccessRule, content: &Content, host: &str) -> Result<bool, Failure> {
    let status = answer.status;
    let is_success = if rule.status.is_empty() { status.is_success() } else { rule.status.contains(&status.as_u16()) };
    if !is_success {
        // A success that the app does not take for one is none that time mends.
        return Err(if status.is_success() { refused(host, &format!("status {}", status.as_u16())) } else { answer.failure(host) });
    }
    for (name, wanted) in &rule.headers {
        match response.headers.get(&name.to_ascii_lowercase()) {
            Some(value) if wanted.is_empty() || value == wanted => {}
            Some(_) | None => return Err(refused(host, &format!("no {name} as the app expects it"))),
        }
    }
    let Some(rule) = &rule.digest else { return Ok(false) };
    match stated(response, rule) {
        Some(stated) if is_digest(&stated, rule.algorithm, content) => Ok(true),
        Some(_) => Err(failure::digest_mismatch(host)),
        None => Err(refused(host, "no digest where the app expects one")),
    }
}

fn stated(response: &JobResponse, rule: &DigestRule) -> Option<String> {
    match (&rule.header, &rule.json) {
        (Some(name), _) => response.headers.get(&name.to_ascii_lowercase()).cloned(),
        (None, Some(pointer)) => {
            let body: serde_json::Value = serde_json::from_str(&response.body).ok()?;
            body.pointer(pointer)?.as_str().map(str::to_owned)
        }
        (None, None) => None,
    }
}

/// Hexadecimal, Base64, or a member of `Repr-Digest` (RFC 9530).
fn is_digest(stated: &str, algorithm: DigestAlgorithm, content: &Content) -> bool {
    let (name, digest): (&str, &[u8]) = match (algorithm, &content.sha1) {
        (DigestAlgorithm::Sha256, _) => ("sha-256", &content.digest),
        (DigestAlgorithm::Sha1, Some(sha1)) => ("sha", sha1),
        (DigestAlgorithm::Sha1, None) => return false,
    };
    let base64 = STANDARD.encode(digest);
    let stated = stated.trim().trim_matches('"');
    stated.eq_ignore_ascii_case(&base16(digest))
        || stated == base64
        || stated.split(',').any(|member| member.trim() == format!("{name}=:{base64}:"))
}

fn refused(host: &str, what: &str) -> Failure {
    failure::failure(FailureClass::Permanent, FailureCode::ServerRejected, format!("{host} did not take this file ({what})."))
}
