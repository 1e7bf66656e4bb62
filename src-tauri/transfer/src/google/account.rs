//! What all deliveries to one account share: its access token, its turn to create, and its album.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::header::HeaderValue;

/// A token is not used any more so shortly before its end.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// How long a token is used whose end Google does not say.
const TOKEN_TIME: Duration = Duration::from_secs(600);

/// The accounts that something was sent to since we started, by what the secret store holds of them.
#[derive(Default)]
pub(crate) struct Accounts(Mutex<HashMap<String, Arc<State>>>);

/// One of them. Both locks are held while Google is asked.
#[derive(Default)]
pub(super) struct State {
    pub(super) token: tokio::sync::Mutex<Option<Token>>,
    /// Held while something is created, which Google wants one after the other.
    pub(super) creating: tokio::sync::Mutex<Option<Album>>,
}

/// An access token.
pub(super) struct Token {
    /// As requests carry it.
    pub(super) bearer: HeaderValue,
    until: Instant,
}

/// An album that Afterglow has made.
pub(super) struct Album {
    pub(super) title: String,
    pub(super) id: String,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    pub(super) fn of(&self, secret: &str) -> Arc<State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(secret.to_owned()).or_default().clone()
    }
}

impl Token {
    /// None if it cannot be sent.
    pub(super) fn new(token: &str, seconds: Option<u64>) -> Option<Self> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        bearer.set_sensitive(true);
        let time = seconds.map_or(TOKEN_TIME, Duration::from_secs).saturating_sub(TOKEN_MARGIN);
        Some(Self { bearer, until: Instant::now() + time })
    }

    /// The token, while it is good and not the one that was `refused`.
    pub(super) fn unless(&self, refused: Option<&HeaderValue>) -> Option<HeaderValue> {
        (self.until > Instant::now() && refused != Some(&self.bearer)).then(|| self.bearer.clone())
    }
}
