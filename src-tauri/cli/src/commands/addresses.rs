//! The addresses of a destination.

use afterglow_client::model::{Destination, DestinationAddresses, SetAddresses};

use super::{Call, certificate};
use crate::{args::AddressCommand, output};

/// What is to become of the addresses, and what is said of it.
struct Wish {
    addresses: Vec<String>,
    cleartext: bool,
    said: String,
}

pub(super) async fn run(call: &Call, found: &Destination, command: AddressCommand) -> anyhow::Result<()> {
    let known: Vec<String> = found.addresses().map(str::to_owned).collect();
    let name = &found.name;
    let wish = match command {
        AddressCommand::List => return list(call, found).await,
        AddressCommand::Add { url, place, open } => {
            let said = format!("{name} is also looked for at {url}.");
            let at = place.map_or(known.len(), |place| place.saturating_sub(1)).min(known.len());
            let mut addresses = known;
            addresses.insert(at, url);
            Wish { addresses, cleartext: open.cleartext, said }
        }
        AddressCommand::Change { url, to, open } => {
            let at = position(found, &url)?;
            let said = format!("{name} is looked for at {to} instead of {url}.");
            let mut addresses = known;
            addresses[at] = to;
            Wish { addresses, cleartext: open.cleartext, said }
        }
        AddressCommand::Move { url, place } => {
            let mut addresses = known;
            let moved = addresses.remove(position(found, &url)?);
            let at = place.saturating_sub(1).min(addresses.len());
            addresses.insert(at, moved);
            Wish { addresses, cleartext: false, said: format!("{name} is looked for at {url} as number {}.", at + 1) }
        }
        AddressCommand::Remove { url } => {
            let at = position(found, &url)?;
            anyhow::ensure!(known.len() > 1, "{url} is the only address of {name}: change it, or remove the destination");
            let mut addresses = known;
            addresses.remove(at);
            Wish { addresses, cleartext: false, said: format!("{name} is looked for at {url} no more.") }
        }
    };
    set(call, found, wish).await
}

async fn list(call: &Call, found: &Destination) -> anyhow::Result<()> {
    let seen: DestinationAddresses = call.owner.get(&path(found)).await?;
    if call.json {
        return output::json(&seen);
    }
    for (at, address) in seen.addresses.iter().enumerate() {
        let used = if seen.used.as_ref() == Some(address) { ", used now" } else { "" };
        output::line(format!("{}. {address}{used}", at + 1));
    }
    Ok(())
}

async fn set(call: &Call, found: &Destination, wish: Wish) -> anyhow::Result<()> {
    let request = SetAddresses { addresses: wish.addresses, cleartext: wish.cleartext.then_some(true) };
    let changed: Result<Destination, _> = call.owner.put(&path(found), &request).await;
    let changed = changed.map_err(|error| certificate::how_to_trust(error, &found.name))?;
    if call.json {
        return output::json(&changed);
    }
    output::line(wish.said);
    Ok(())
}

fn path(found: &Destination) -> String {
    format!("/v1/destinations/{}/addresses", found.id)
}

/// Where an address stands, however its end is written.
fn position(found: &Destination, url: &str) -> anyhow::Result<usize> {
    let bare = |address: &str| address.trim_end_matches('/').to_owned();
    let at = found.addresses().position(|address| bare(address) == bare(url));
    at.ok_or_else(|| {
        anyhow::anyhow!("{url} is no address of {name}: see `afterglow destination address '{name}' list`", name = found.name)
    })
}
