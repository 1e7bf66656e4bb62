//! Another address of a server that is known: whether the same server answers there, and takes uploads.
//!
//! It is known by what it says of itself, where its protocol has such a word ([`identity`]), and else by what it was given: whoever holds
//! none of the files that were delivered last is another server, whatever credential it takes.

use afterglow_model::{Connector, Failure, Receipt, Visibility};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    destination::{Content, Destination, Setback, Sha1Wanted},
    driver::hex,
    failure, identity,
    order::Account,
    route::{self, Errand},
    transfer::Transfer,
    trial::{self, failure_of},
};

impl Transfer {
    /// Tries out each address that `proposed` has beyond those of `known`, with a real small upload. What the server says of itself, to be
    /// kept as the account's `identity`. `delivered` are receipts of the server's, of which a few will do.
    ///
    /// # Errors
    /// What stands against the first address that will not do.
    pub async fn try_addresses(
        &self,
        connector: Connector,
        known: &Account,
        proposed: &Account,
        delivered: &[Receipt],
    ) -> Result<Option<String>, Failure> {
        Self::allow(connector, proposed)?;
        let cancel = CancellationToken::new();
        let mut identity = known.config.identity.clone();
        if identity.is_none() && identity::is_told(connector) {
            // A server that is away says nothing: what it was given tells it then.
            identity = self.identify(connector, known).await.ok().flatten();
        }
        let bases = known.bases();
        for address in proposed.bases().into_iter().filter(|address| !bases.contains(address)) {
            let there = known.also_at(address, proposed.config.cleartext);
            let found = self.shared.who(connector, &there, &cancel).await.map_err(failure_of)?;
            if identity.is_some() && identity != found {
                return Err(failure::another_server(host(&there)));
            }
            identity = found;
            if self.holds_any(connector, &there, delivered, &cancel).await? == Some(false)
                && !matches!(self.holds_any_at_all(connector, known, delivered, &cancel).await, Ok(Some(false)))
            {
                return Err(failure::another_server(host(&there)));
            }
            let destination = self.connect(connector, &there, &cancel)?;
            let tested = trial::run(destination.as_ref()).await?;
            self.shared.learn(&there.url, tested.capabilities.evidence);
        }
        let in_the_open = proposed.bases().into_iter().find(route::is_in_the_open);
        match in_the_open.filter(|_| identity.is_none() && !proposed.config.addresses.is_empty()) {
            Some(address) => Err(failure::not_told_apart(address.host_str().unwrap_or("The server"))),
            None => Ok(identity),
        }
    }

    /// The same of the addresses that are known. What the person has removed at their server proves nothing against another address.
    async fn holds_any_at_all(
        &self,
        connector: Connector,
        known: &Account,
        delivered: &[Receipt],
        cancel: &CancellationToken,
    ) -> Result<Option<bool>, Failure> {
        let by = self.route(connector, known, Errand::Delivery, cancel).await?;
        self.holds_any(connector, &by, delivered, cancel).await
    }

    /// Whether the server at the account's own address holds any of these; none if it cannot tell, or there is nothing to ask for.
    async fn holds_any(
        &self,
        connector: Connector,
        account: &Account,
        delivered: &[Receipt],
        cancel: &CancellationToken,
    ) -> Result<Option<bool>, Failure> {
        let destination = self.connect(connector, account, cancel)?;
        // The receipt knows no SHA-1; servers that are asked by it say who they are.
        if destination.sha1() == Sha1Wanted::First {
            return Ok(None);
        }
        let mut any = None;
        for receipt in delivered {
            match holds(destination.as_ref(), receipt).await.map_err(failure_of)? {
                Some(true) => return Ok(Some(true)),
                Some(false) => any = Some(false),
                None => {}
            }
        }
        Ok(any)
    }
}

impl Account {
    /// The same server at a further address. What is named by a former one is asked for there.
    fn also_at(&self, address: Url, cleartext: bool) -> Self {
        let addresses = self.bases().into_iter().map(String::from).collect();
        let mut config = self.config.clone();
        (config.addresses, config.cleartext) = (addresses, cleartext);
        // Nothing is fetched for this, and what is locked up could not be removed again.
        (config.read_back, config.visibility) = (false, Visibility::Timeline);
        Self { url: address, config, ..self.clone() }
    }
}

fn host(account: &Account) -> &str {
    account.url.host_str().unwrap_or("The server")
}

/// Whether the server holds what the receipt proves; none if it cannot tell.
async fn holds(destination: &dyn Destination, receipt: &Receipt) -> Result<Option<bool>, Setback> {
    let Some(digest) = hex(&receipt.sha256) else { return Ok(None) };
    let content = Content {
        filename: String::new(),
        content_type: None,
        byte_count: receipt.byte_count,
        digest,
        sha1: None,
        created_ms: None,
        companions: Default::default(),
        key: String::new(),
    };
    let Some(proof) = destination.still_holds(&receipt.remote_id, &content).await? else { return Ok(Some(false)) };
    Ok(match (proof.digest, proof.byte_count) {
        (Some(held), _) => Some(held == digest),
        (None, Some(byte_count)) => Some(byte_count == receipt.byte_count),
        (None, None) => None,
    })
}
