//! Receivers in the local network. It is searched while somebody asks, and at no other time.

use std::time::Duration;

use afterglow_model::{AddDestination, AddedDestination, Connector, DestinationConfig, FoundReceiver, PairReceiver};
use afterglow_nearby::{Code, discover};
use afterglow_transfer::{Account, Paired};

use crate::{
    core::{Core, parse_url},
    destinations,
    error::{Answer, Refusal},
};

/// Longest that a search may take.
const SEARCH_MAX: Duration = Duration::from_secs(30);

/// Searches for so long.
pub(crate) async fn search(time: Duration) -> Answer<Vec<FoundReceiver>> {
    let searched = tokio::task::spawn_blocking(move || discover(time.min(SEARCH_MAX))).await;
    let found = searched.map_err(|error| Refusal::internal(error.to_string()))?;
    let found = found.map_err(|error| Refusal::bad("no_local_network", format!("{error}")))?;
    Ok(found.into_iter().map(|found| FoundReceiver { name: found.name, url: found.url, id: found.id }).collect())
}

/// Pairs with a receiver, and adds it as a destination with the token that this gives. If adding fails, the code is used up all the same.
pub(crate) async fn pair(core: &Core, request: PairReceiver) -> Answer<AddedDestination> {
    let Some(code) = Code::read(&request.code) else {
        return Err(Refusal::bad(
            "bad_code",
            "A code has eight digits, such as 1234-5678. Read it again from the receiver's screen.",
        ));
    };
    destinations::check_name(core, &request.name).await?;
    // Whoever reads a code off the receiver's screen stands in its network, so one without TLS may be paired with, too.
    let url = parse_url(&request.url)?;
    let config = DestinationConfig { cleartext: url.scheme() == "http", ..DestinationConfig::default() };
    let account = Account { config, ..Account::at(url) };
    let Paired { token, certificate } = core.transfer.pair(&account, &code).await?;
    let add = AddDestination {
        connector: Connector::Resumable,
        url: request.url,
        name: request.name,
        config: DestinationConfig { certificate, ..account.config },
        token: Some(token),
        sign_in: None,
        skip_test: false,
    };
    destinations::add(core, add).await
}
