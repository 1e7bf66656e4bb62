//! Becoming a sender of a receiver by the code that it shows. The exchange is described in `afterglow-nearby`.

use afterglow_model::{Failure, FailureClass, FailureCode};
use afterglow_nearby::{Agreed, Claim, Code, Greeting, Side, Welcome};
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{failure, payload::Payload, trial::failure_of, wire::Wire};

/// What pairing gives.
#[derive(Debug, Clone)]
pub struct Paired {
    /// The token by which the receiver knows us from now on.
    pub token: String,
    /// The certificate by which we know the receiver, SHA-256 of its DER form in lower-case hexadecimal; none if it speaks no TLS.
    pub certificate: Option<String>,
}

/// Shows that we know the code. Whoever else is on the line learns nothing by which to be the receiver or us.
pub(crate) async fn run(wire: Wire<'_>, code: &Code) -> Result<Paired, Failure> {
    let greeting: Greeting = ask(&wire, "pairing", &()).await?;
    let side = Side::sender(code);
    let message = side.message.clone();
    let agreed = side.agree(&greeting.message).ok_or_else(|| nonsense(&wire))?;
    // Only what such an id is made of may become part of an address.
    if greeting.id.len() > 64 || !greeting.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(nonsense(&wire));
    }
    let claim = Claim { message, proof: agreed.proof_of_sender() };
    let welcome: Welcome = ask(&wire, &format!("pairing/{}", greeting.id), &claim).await?;
    // Who cannot prove it does not know the code either: no receiver of this person's.
    let Welcome { proof, certificate } = welcome;
    if !Agreed::is(&agreed.proof_of_receiver(certificate.as_deref()), &proof) {
        return Err(wrong(&wire));
    }
    let is_direct = match (&wire.config().certificate, &certificate) {
        (Some(shown), own) => own.as_ref() == Some(shown),
        // What the system vouches for is not looked at; from now on only the receiver's own is believed.
        (None, Some(_)) => wire.url().scheme() == "https",
        (None, None) => true,
    };
    if is_direct { Ok(Paired { token: agreed.token(), certificate }) } else { Err(between(&wire)) }
}

async fn ask<T: DeserializeOwned>(wire: &Wire<'_>, at: &str, body: &impl Serialize) -> Result<T, Failure> {
    let url = wire.resolve(wire.url(), at).map_err(failure_of)?;
    let body = serde_json::to_vec(body).map_err(|error| failure::internal(&error.to_string()))?;
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let answer = wire.exchange(Method::POST, &url, headers, Payload::Whole(Bytes::from(body))).await.map_err(failure_of)?;
    let host = wire.host();
    match answer.status {
        status if status.is_success() => serde_json::from_slice(&answer.body).map_err(|_| nonsense(wire)),
        StatusCode::FORBIDDEN => Err(wrong(wire)),
        StatusCode::GONE | StatusCode::NOT_FOUND => Err(refused(format!(
            "{host} shows no valid code. Have it show a new one: start afterglow receive with --announce there."
        ))),
        // A receiver without pairing wants a token for everything, and other servers know nothing of it.
        StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED => Err(refused(format!(
            "{host} cannot be paired with. Is it a receiver of this version of Afterglow? Else use its token."
        ))),
        _ => Err(answer.failure(host)),
    }
}

fn wrong(wire: &Wire<'_>) -> Failure {
    refused(format!("This is not the code that {} shows. Read it again; after five wrong ones it shows another.", wire.host()))
}

fn between(wire: &Wire<'_>) -> Failure {
    let host = wire.host();
    refused(format!(
        "Something stands between {host} and its receiver, so nothing was added. Use the https address that the receiver shows; through a \
         reverse proxy, add it with its token."
    ))
}

fn refused(message: String) -> Failure {
    failure::failure(FailureClass::NeedsUser, FailureCode::AuthenticationRequired, message)
}

fn nonsense(wire: &Wire<'_>) -> Failure {
    failure::unexpected(wire.host(), "no answer of a receiver")
}
