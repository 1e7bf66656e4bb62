//! The addresses of a destination: at which it is reached now, and changing them.

use afterglow_model::{Connector, Destination, DestinationAddresses, DestinationConfig, SetAddresses};
use afterglow_transfer::Account;
use url::Url;

use crate::{
    core::{Core, parse_url},
    destinations::{self, FURTHER_ADDRESSES_MAX},
    error::{Answer, Refusal},
};

/// Addresses that a destination had before and is still known by.
const FORMER_MAX: usize = 16;
/// Files that a server at a new address is asked for, the last that were delivered.
const ASKED_FOR: u32 = 3;

/// The addresses as they are, and the one that is used.
pub(crate) fn look(core: &Core, destination: &Destination) -> Answer<DestinationAddresses> {
    let addresses = destination.addresses().map(str::to_owned).collect();
    let used = if has_addresses(destination.connector) {
        let account = Account { config: destination.config.clone(), ..Account::at(parse_url(&destination.url)?) };
        core.transfer.used(&account).map(String::from)
    } else {
        None
    };
    Ok(DestinationAddresses { addresses, used })
}

/// Replaces the addresses, once the same server was found at each that is new. What is under way goes on by those that it knows.
pub(crate) async fn set(core: &Core, destination: &Destination, request: SetAddresses) -> Answer<Destination> {
    if !has_addresses(destination.connector) {
        return Err(Refusal::bad("bad_config", format!("{} has no address that could be another one.", destination.name)));
    }
    let (first, further) = checked(&request.addresses)?;
    let known = core.access(destination).await?.account;
    let cleartext = request.cleartext.unwrap_or(known.config.cleartext);
    let config = DestinationConfig { addresses: further, cleartext, ..known.config.clone() };
    let proposed = Account { url: first, config, ..known.clone() };
    let delivered = core.queue.receipts(&destination.id, None, ASKED_FOR).await?.receipts;
    let identity = core.transfer.try_addresses(destination.connector, &known, &proposed, &delivered).await?;

    // What else was changed during the test stays changed.
    let now = core.destination(destination.id.as_str()).await?;
    let Account { url, config: DestinationConfig { addresses, .. }, .. } = proposed;
    let kept: Vec<&str> = std::iter::once(url.as_str()).chain(addresses.iter().map(String::as_str)).collect();
    let is_tried = kept.iter().any(|address| now.addresses().all(|known| known != *address));
    let mut former_addresses: Vec<String> = now.addresses().map(str::to_owned).collect();
    former_addresses.extend(now.config.former_addresses.iter().cloned());
    former_addresses.retain(|address| !kept.contains(&address.as_str()));
    former_addresses.truncate(FORMER_MAX);
    let config = DestinationConfig { addresses, cleartext, identity, former_addresses, ..now.config.clone() };
    let changed = core.queue.set_addresses(&now.id, url.into(), config).await?;
    if is_tried {
        // It works: what waited for that goes on.
        return destinations::mended(core, &changed).await;
    }
    destinations::changed(core).await;
    Ok(changed)
}

/// Whether a destination of this kind is reached at addresses of the person's.
fn has_addresses(connector: Connector) -> bool {
    match connector {
        Connector::Resumable | Connector::Tus | Connector::Immich | Connector::Nextcloud | Connector::Webdav | Connector::S3 => {
            true
        }
        Connector::Archive | Connector::GooglePhotos | Connector::Folder => false,
    }
}

/// What a person has written, in the one spelling that is kept: the first, and the others.
fn checked(addresses: &[String]) -> Answer<(Url, Vec<String>)> {
    let mut urls: Vec<Url> = Vec::with_capacity(addresses.len());
    for address in addresses {
        let url = parse_url(address.trim())?;
        if urls.contains(&url) {
            return Err(Refusal::bad("bad_url", format!("{url} stands there twice. Remove it once.")));
        }
        urls.push(url);
    }
    let mut urls = urls.into_iter();
    let first = urls.next().ok_or_else(|| Refusal::bad("bad_url", "A destination needs an address. Give at least one."))?;
    if urls.len() > FURTHER_ADDRESSES_MAX {
        let most = FURTHER_ADDRESSES_MAX + 1;
        return Err(Refusal::bad("bad_url", format!("A destination can have {most} addresses. Remove some.")));
    }
    Ok((first, urls.map(String::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(addresses: &[&str]) -> String {
        let addresses: Vec<String> = addresses.iter().map(|&address| address.to_owned()).collect();
        checked(&addresses).map_err(|refusal| refusal.error.message).unwrap_err()
    }

    #[test]
    fn an_address_is_one_of_a_few_and_stands_there_once() {
        assert!(refused(&[]).contains("at least one"));
        assert!(refused(&["https://nas.local", "https://nas.local/"]).contains("twice"));
        assert!(refused(&["nas.local"]).contains("nas.local"));
        let many: Vec<String> = (0..6).map(|at| format!("https://{at}.example.com")).collect();
        assert!(refused(&many.iter().map(String::as_str).collect::<Vec<_>>()).contains("5 addresses"));
        let (first, further) = checked(&["https://a.example".to_owned(), " https://b.example/up ".to_owned()]).unwrap();
        assert_eq!((first.as_str(), further), ("https://a.example/", vec!["https://b.example/up".to_owned()]));
    }
}
