//! The proxies of the desktop, where the environment names none.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use url::{Origin, Url};

/// The way to a server that the desktop is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Without a proxy.
    Direct,
    /// By this proxy.
    By(Url),
}

/// Who knows what the desktop is set to. May block for a moment, once for each server and network.
pub trait DesktopProxy: Debug + Send + Sync {
    /// The way to this URL; none if there is no answer.
    fn way(&self, url: &Url) -> Option<Way>;
}

/// Whom it cost a moment to ask in vain is asked again only after this time.
const ASKED_AGAIN: Duration = Duration::from_secs(180);

/// By which a proxy is named to programs; they go before what the desktop is set to.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// What the desktop said of servers.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    desktop: Option<Arc<dyn DesktopProxy>>,
    known: Mutex<HashMap<Origin, Said>>,
}

#[derive(Debug)]
struct Said {
    way: Option<Way>,
    at: Instant,
}

impl Proxies {
    pub(crate) fn new(desktop: Option<Arc<dyn DesktopProxy>>) -> Self {
        let is_named = VARIABLES.into_iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        Self { desktop: desktop.filter(|_| !is_named), known: Mutex::default() }
    }

    /// Whether the desktop is asked at all.
    pub(crate) fn are_asked_for(&self) -> bool {
        self.desktop.is_some()
    }

    /// The proxy for this URL; none for a direct way.
    pub(crate) fn of(&self, url: &Url) -> Option<Url> {
        let desktop = self.desktop.as_ref()?;
        // Held while it is asked, so that of many connections at once one asks.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, said| said.way.is_some() || said.at.elapsed() < ASKED_AGAIN);
        let said = known.entry(url.origin()).or_insert_with(|| Said { way: desktop.way(url), at: Instant::now() });
        match &said.way {
            Some(Way::By(proxy)) => Some(proxy.clone()),
            Some(Way::Direct) | None => None,
        }
    }

    /// Another network may have another.
    pub(crate) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
