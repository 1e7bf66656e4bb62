//! Who may send: a token each. What one sender stores is invisible to the others.

use std::io;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, EXPECT, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use crate::digest::Digest;
use crate::intake;
use crate::private;
use crate::problem::Problem;
use crate::server::Server;

/// What a token starts with that is given as its SHA-256 in hexadecimal.
const HASHED: &str = "sha256:";

/// A sender and the secret it shows (`Authorization: Bearer`, RFC 6750).
#[derive(Clone, PartialEq, Eq)]
pub struct SenderToken {
    /// Names the sender in the ledger; objects belong to this name, so keep it when the token changes.
    pub name: String,
    /// The token, or `sha256:` and the 64 hexadecimal digits of its SHA-256, for configurations that should not hold it.
    pub token: String,
}

impl std::fmt::Debug for SenderToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SenderToken").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SenderToken {
    /// The name of the one sender of a folder that was not told of others, whatever its token.
    pub const FOLDER_OWNER: &str = "default";

    /// The token of the receiver's folder `dir`: made at the first call, kept in `dir/.afterglow/token` for its owner alone.
    pub fn of_folder(dir: &Path) -> io::Result<Self> {
        let token = private::word(&private::folder(dir)?.join("token"))?;
        Ok(Self { name: Self::FOLDER_OWNER.to_owned(), token })
    }
}

/// The senders, by the digests of their tokens.
pub(crate) struct Senders(RwLock<Vec<(String, Digest)>>);

/// The sender of a request, once it is known.
#[derive(Debug, Clone)]
pub(crate) struct Sender(pub(crate) String);

impl Senders {
    /// `None` if a token is empty or a hash malformed.
    pub(crate) fn new(tokens: &[SenderToken]) -> Option<Self> {
        let digest = |token: &str| match token.strip_prefix(HASHED) {
            Some(hex) => Digest::from_hex(hex),
            None => (!token.is_empty()).then(|| Digest::of(token.as_bytes())),
        };
        let senders: Option<Vec<_>> = tokens.iter().map(|sender| Some((sender.name.clone(), digest(&sender.token)?))).collect();
        senders.map(|senders| Self(RwLock::new(senders)))
    }

    /// One more, from now on.
    pub(crate) fn add(&self, name: String, token: Digest) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push((name, token));
    }

    /// Whose token the request shows. All senders are compared, each in constant time, so that time tells nothing about any
    /// token.
    fn identify(&self, headers: &HeaderMap) -> Option<Sender> {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let shown = Digest::of(token.trim().as_bytes());
        // Each of them is compared, so that the time tells nothing.
        let senders = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let matching = senders.iter().filter(|(_, known)| bool::from(known.bytes().ct_eq(shown.bytes())));
        matching.fold(None, |_, found| Some(found)).map(|(name, _)| Sender(name.clone()))
    }
}

/// Lets requests of known senders through, and tells the handlers whose they are.
pub(crate) async fn authorize(State(server): State<Server>, mut request: Request, next: Next) -> Response {
    if let Some(sender) = server.senders.identify(request.headers()) {
        request.extensions_mut().insert(sender);
        return next.run(request).await;
    }
    if !request.headers().contains_key(EXPECT) {
        intake::drain(request.into_body()).await;
    }
    Problem::new(StatusCode::UNAUTHORIZED, "A valid token is needed: Authorization: Bearer TOKEN.")
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Afterglow\""))
        .into_response()
}
