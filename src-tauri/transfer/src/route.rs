//! Which of a server's addresses is used: the first, in the person's order, at which the same server answers. The one that worked is kept
//! until it does no more or the network changes.
//!
//! No credential goes to an address before that: see [`identity`]. What a session began at one address goes on at another.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use afterglow_model::{Connector, Failure, FailureClass, FailureCode, JobId};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    dav::Marked,
    destination::Setback,
    failure, identity, near,
    order::{Account, Journal, JournalError, Session},
    transfer::Shared,
    trial,
    wire::Wire,
};

/// How long a server may take to say that it is there. One that is away often says nothing at all, and the next may be near.
const KNOCK: Duration = Duration::from_secs(5);

impl Account {
    /// Every address of the server, in the order in which they are tried. One that is no URL is none.
    pub(crate) fn bases(&self) -> Vec<Url> {
        let further = self.config.addresses.iter().filter_map(|address| Url::parse(address).ok());
        std::iter::once(self.url.clone()).chain(further).collect()
    }

    /// Every address by which the server's URLs were ever named, also those that it has no more.
    pub(crate) fn ever(&self) -> Vec<Url> {
        let former = self.config.former_addresses.iter().filter_map(|address| Url::parse(address).ok());
        self.bases().into_iter().chain(former).collect()
    }

    /// The same account by another of its addresses.
    fn by(&self, base: &Url) -> Self {
        let mut config = self.config.clone();
        config.addresses = self.bases().iter().filter(|other| *other != base).map(Url::to_string).collect();
        Self { url: base.clone(), config, ..self.clone() }
    }
}

/// Refuses an address at which a server could not be told from a stranger, or to which everything would go unencrypted beyond the local
/// network.
pub(crate) fn allow(connector: Connector, account: &Account) -> Result<(), Failure> {
    for base in account.bases() {
        near::allow(&base, account.config.cleartext)?;
        if !account.config.addresses.is_empty() && is_in_the_open(&base) && !identity::is_told(connector) {
            return Err(failure::not_told_apart(base.host_str().unwrap_or("The server")));
        }
    }
    Ok(())
}

/// Whether only its word tells a server at this address from a stranger.
pub(crate) fn is_in_the_open(base: &Url) -> bool {
    base.scheme() == "http" && !near::is_here(base)
}

/// For what a server is looked for at its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// The person tries it out: what it says of itself is learnt by that.
    Trial,
    /// Photos are on their way.
    Delivery,
}

impl Shared {
    /// The account by the address to use now.
    pub(crate) async fn route<'a>(
        &self,
        connector: Connector,
        account: &'a Account,
        errand: Errand,
        cancel: &CancellationToken,
    ) -> Result<Cow<'a, Account>, Setback> {
        if account.config.addresses.is_empty() {
            return Ok(Cow::Borrowed(account));
        }
        let bases = account.bases();
        if let Some(used) = self.used(&account.url).filter(|used| bases.contains(used)) {
            return Ok(Cow::Owned(account.by(&used)));
        }
        let mut failed: Option<Failure> = None;
        for base in &bases {
            let there = account.by(base);
            match self.knock(connector, &there, errand, cancel).await {
                Ok(_) => {
                    tracing::info!(host = base.host_str(), "this address of a destination is used");
                    self.use_from_now_on(&account.url, base.clone());
                    return Ok(Cow::Owned(there));
                }
                Err(Setback::Stopped) => return Err(Setback::Stopped),
                Err(setback) => drop(failed.get_or_insert(elsewhere(trial::failure_of(setback)))),
            }
        }
        Err(Setback::Failed(failed.unwrap_or_else(|| failure::no_address(account.url.as_str()))))
    }

    /// Asks who is at the account's address, without its credential, and refuses a stranger.
    pub(crate) async fn knock(
        &self,
        connector: Connector,
        account: &Account,
        errand: Errand,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, Setback> {
        let found = self.who(connector, account, cancel).await?;
        if is_in_the_open(&account.url) {
            let host = account.url.host_str().unwrap_or("The server");
            admit(account.config.identity.as_deref(), found.as_deref(), errand, host).map_err(Setback::Failed)?;
        }
        Ok(found)
    }

    /// Asks who is at the account's address, without its credential.
    pub(crate) async fn who(
        &self,
        connector: Connector,
        account: &Account,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, Setback> {
        let bare = Account { secret: None, headers: Vec::new(), ..account.clone() };
        let wire = Wire::new(self, connector, &bare, &[], cancel).map_err(Setback::Failed)?;
        let answered = tokio::time::timeout(KNOCK, identity::ask(connector, &wire)).await;
        answered.unwrap_or_else(|_| Err(Setback::Doubt(failure::timed_out(wire.host()))))
    }
}

/// Refuses whoever is not known to be the server, by its word.
fn admit(known: Option<&str>, found: Option<&str>, errand: Errand, host: &str) -> Result<(), Failure> {
    match (known, found) {
        (Some(known), Some(found)) if known == found => Ok(()),
        (None, Some(_)) if errand == Errand::Trial => Ok(()),
        (Some(_) | None, Some(_)) => Err(failure::stranger(host)),
        (Some(_) | None, None) => Err(failure::not_told_apart(host)),
    }
}

/// A failure at one of several addresses. Another network may have another server there, which is nothing for the person to mend.
pub(crate) fn elsewhere(failure: Failure) -> Failure {
    if failure.code != FailureCode::CertificateChanged {
        return failure;
    }
    Failure { class: FailureClass::Transient, code: FailureCode::TlsFailed, ..failure }
}

/// Whether another address of the server may work where this one failed.
pub(crate) fn lies_on_the_way(failure: &Failure) -> bool {
    matches!(
        failure.code,
        FailureCode::ConnectionLost
            | FailureCode::TimedOut
            | FailureCode::TlsFailed
            | FailureCode::CertificateChanged
            | FailureCode::CaptivePortal
            | FailureCode::ServerError
    )
}

/// A URL at one of the server's addresses as it is reached by the address `to`; none if it is at none of them.
pub(crate) fn led_over(connector: Connector, url: &Url, bases: &[Url], to: &Url) -> Option<Url> {
    let beneath = |base: &&Url| base.origin() == url.origin() && rest(connector, base, url.path()).is_some();
    let from = bases.iter().filter(beneath).max_by_key(|base| identity::root(connector, base).len());
    let from = from.or_else(|| bases.iter().find(|base| base.origin() == url.origin()))?;
    if from == to {
        return Some(url.clone());
    }
    let moved = |path: &str| match rest(connector, from, path) {
        Some(rest) => format!("{}{rest}", identity::root(connector, to)),
        None => path.to_owned(),
    };
    let mut led = to.clone();
    led.set_path(&moved(url.path()));
    led.set_query(url.query());
    led.set_fragment(url.fragment());
    let is_dav = matches!(connector, Connector::Webdav | Connector::Nextcloud);
    match Marked::of(&led).filter(|_| is_dav) {
        Some(mut marked) => {
            let target = moved(marked.target.path());
            marked.target.set_path(&target);
            Some(marked.on(led))
        }
        None => Some(led),
    }
}

/// A session as it is reached by the address `to`; none for one at an address that the account never had.
pub(crate) fn session_over(connector: Connector, session: Session, bases: &[Url], to: &Url) -> Option<Session> {
    if !matches!(to.scheme(), "http" | "https") {
        return Some(session);
    }
    let url = Url::parse(&session.upload_url).ok()?;
    let led = led_over(connector, &url, bases, to)?;
    Some(Session { upload_url: led.into(), ..session })
}

/// What of a path lies beneath a base.
fn rest<'a>(connector: Connector, base: &Url, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(identity::root(connector, base)).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A journal that also knows what it was told last, so that a delivery goes on from there over another address.
pub(crate) struct Remembering<'a> {
    journal: &'a dyn Journal,
    session: Mutex<Option<Session>>,
}

impl<'a> Remembering<'a> {
    pub(crate) fn new(journal: &'a dyn Journal, session: Option<Session>) -> Self {
        Self { journal, session: Mutex::new(session) }
    }

    /// The session as it was last written down.
    pub(crate) fn session(&self) -> Option<Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Journal for Remembering<'_> {
    async fn session_opened(&self, job_id: &JobId, session: &Session) -> Result<(), JournalError> {
        self.journal.session_opened(job_id, session).await?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        Ok(())
    }

    async fn offset(&self, job_id: &JobId, bytes: u64) -> Result<(), JournalError> {
        self.journal.offset(job_id, bytes).await
    }

    async fn session_lost(&self, job_id: &JobId) -> Result<(), JournalError> {
        self.journal.session_lost(job_id).await?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(connector: Connector, url: &str, bases: &[&str], to: &str) -> Option<String> {
        let bases: Vec<Url> = bases.iter().map(|base| base.parse().unwrap()).collect();
        led_over(connector, &url.parse().unwrap(), &bases, &to.parse().unwrap()).map(|url| url.to_string())
    }

    #[test]
    fn a_session_goes_on_at_another_address() {
        let bases = ["http://127.0.0.1:1080/files/", "https://up.example.com/tus/files"];
        let there = led(Connector::Tus, "http://127.0.0.1:1080/files/a?b=c#d", &bases, bases[1]);
        assert_eq!(there.as_deref(), Some("https://up.example.com/tus/files/a?b=c#d"));
        let back = led(Connector::Tus, "https://up.example.com/tus/files/a", &bases, bases[0]);
        assert_eq!(back.as_deref(), Some("http://127.0.0.1:1080/files/a"));
        let same = led(Connector::Tus, "http://127.0.0.1:1080/other/a", &bases, bases[0]);
        assert_eq!(same.as_deref(), Some("http://127.0.0.1:1080/other/a"), "where it is, it stays");
        assert_eq!(led(Connector::Tus, "https://elsewhere.example.com/files/a", &bases, bases[0]), None);
    }

    #[test]
    fn where_a_session_leads_moves_with_it() {
        let bases = ["https://nas.local/nc/remote.php/dav/files/anna/", "https://cloud.example.com"];
        let session = "https://nas.local/nc/remote.php/dav/uploads/anna/k#9,3,0,/nc/remote.php/dav/files/anna/a.jpg";
        let there = led(Connector::Nextcloud, session, &bases, bases[1]);
        let wanted = "https://cloud.example.com/remote.php/dav/uploads/anna/k#9,3,0,/remote.php/dav/files/anna/a.jpg";
        assert_eq!(there.as_deref(), Some(wanted));
    }

    #[test]
    fn only_the_server_that_was_tested_is_admitted_in_the_open() {
        let admitted = |known, found, errand| admit(known, found, errand, "nas").is_ok();
        assert!(admitted(Some("a"), Some("a"), Errand::Delivery));
        assert!(!admitted(Some("a"), Some("b"), Errand::Delivery));
        assert!(!admitted(Some("a"), Some("b"), Errand::Trial));
        assert!(!admitted(Some("a"), None, Errand::Trial));
        assert!(admitted(None, Some("a"), Errand::Trial));
        assert!(!admitted(None, Some("a"), Errand::Delivery));
        assert!(!admitted(None, None, Errand::Trial));
    }

    #[test]
    fn an_address_in_the_open_is_for_servers_that_say_who_they_are() {
        let account = |url: &str, further: &str, cleartext| {
            let mut account = Account::at(url.parse().unwrap());
            (account.config.cleartext, account.config.addresses) = (cleartext, vec![further.to_owned()]);
            account
        };
        let home = account("http://192.168.1.5/", "https://up.example.com/", true);
        assert!(allow(Connector::Immich, &home).is_ok());
        assert!(allow(Connector::Webdav, &home).is_err());
        assert!(allow(Connector::Webdav, &account("https://nas.local/", "https://up.example.com/", false)).is_ok());
        assert!(allow(Connector::Immich, &account("https://up.example.com/", "http://192.168.1.5/", false)).is_err());
    }
}
