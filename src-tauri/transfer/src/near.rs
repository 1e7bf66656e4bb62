//! Where unencrypted requests may go: to this computer, and to the local network if the person has said so for that server. Never further.
//!
//! An address in a URL is judged as it stands. A name is judged by what it leads to at the moment of each connection: a name of the local
//! network that leads elsewhere today (another network, a name server that lies) is refused before a byte is sent.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use afterglow_model::{Failure, FailureClass, FailureCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::failure;

/// How far away an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nearness {
    /// This computer.
    Here,
    /// The local network: private and link-local addresses (RFC 1918, 3927, 4193, 4291), and the unspecified one, which leads to this
    /// computer or nowhere (RFC 1122, section 3.2.1.3).
    Local,
    /// Anywhere.
    Far,
}

/// A name leads to no address that unencrypted requests may go to.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads to no address in the local network")]
pub(crate) struct LeadsAway(String);

/// Finds the addresses of names for unencrypted requests, and keeps only those that these may go to.
#[derive(Debug)]
pub(crate) struct NearNames;

impl Resolve for NearNames {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let most = if is_name_of_this_computer(&name) { Nearness::Here } else { Nearness::Local };
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let near: Vec<SocketAddr> = found.filter(|address| of_address(address.ip()) <= most).collect();
            if near.is_empty() {
                return Err(LeadsAway(name).into());
            }
            Ok(Box::new(near.into_iter()) as Addrs)
        })
    }
}

/// Whether a server is this computer by its address alone, so that no network stands between.
pub(crate) fn is_here(url: &Url) -> bool {
    of_host(url) == Some(Nearness::Here)
}

/// Refuses an address that photos and password would go to unencrypted, unless it is this computer or, where the person has said so, in the
/// local network.
pub(crate) fn allow(url: &Url, cleartext: bool) -> Result<(), Failure> {
    if url.scheme() != "http" {
        return Ok(());
    }
    let host = url.host_str().unwrap_or("The server");
    let (code, message) = match of_host(url) {
        Some(Nearness::Here) => return Ok(()),
        Some(Nearness::Far) => (
            FailureCode::DestinationNotAllowed,
            format!("{host} is not in the local network, so nothing goes there unencrypted. Use its https address."),
        ),
        Some(Nearness::Local) | None if cleartext => return Ok(()),
        Some(Nearness::Local) | None => (
            FailureCode::Unencrypted,
            format!(
                "Photos and password would go to {host} unencrypted. Use its https address, or allow it for a server in your own \
                 network."
            ),
        ),
    };
    Err(failure::failure(FailureClass::NeedsUser, code, message))
}

/// None for a name that only its addresses can tell.
fn of_host(url: &Url) -> Option<Nearness> {
    match url.host()? {
        Host::Ipv4(address) => Some(of_address(address.into())),
        Host::Ipv6(address) => Some(of_address(address.into())),
        Host::Domain(name) => is_name_of_this_computer(name).then_some(Nearness::Here),
    }
}

/// RFC 6761, section 6.3.
fn is_name_of_this_computer(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn of_address(address: IpAddr) -> Nearness {
    let address = address.to_canonical();
    let is_local = address.is_unspecified()
        || match address {
            IpAddr::V4(address) => address.is_private() || address.is_link_local(),
            IpAddr::V6(address) => Ipv6Addr::is_unique_local(&address) || address.is_unicast_link_local(),
        };
    match (address.is_loopback(), is_local) {
        (true, _) => Nearness::Here,
        (false, true) => Nearness::Local,
        (false, false) => Nearness::Far,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn allowed(url: &str, cleartext: bool) -> bool {
        allow(&url.parse().unwrap(), cleartext).is_ok()
    }

    #[test]
    fn only_this_computer_is_spoken_to_unencrypted_without_a_word() {
        for here in
            ["http://127.0.0.1:1/", "http://[::1]/", "http://localhost/", "http://nas.localhost/", "http://[::ffff:127.0.0.1]/"]
        {
            assert!(allowed(here, false), "{here}");
        }
        for local in [
            "http://192.168.1.5/",
            "http://10.0.0.1/",
            "http://169.254.1.1/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://0.0.0.0/",
        ] {
            assert!(!allowed(local, false), "{local}");
            assert!(allowed(local, true), "{local}");
        }
        for name in ["http://nas/", "http://nas.local/", "http://nas.fritz.box/"] {
            assert!(!allowed(name, false), "{name}");
            assert!(allowed(name, true), "{name}: its addresses decide");
        }
        for far in ["http://93.184.215.14/", "http://[2001:db8::1]/", "http://172.32.0.1/", "http://100.64.0.1/"] {
            assert!(!allowed(far, true), "{far}");
        }
        assert!(allowed("https://93.184.215.14/", false));
    }

    #[tokio::test]
    async fn a_name_is_followed_to_near_addresses_only() {
        let lead = async |name: &str| NearNames.resolve(Name::from_str(name).unwrap()).await.map(Iterator::collect::<Vec<_>>);
        let here = lead("localhost").await.unwrap();
        assert!(here.iter().all(|address| address.ip().is_loopback()), "{here:?}");
        // An address is a name of itself, which needs no name server.
        let Err(refused) = lead("93.184.215.14").await else { panic!("led away") };
        assert!(refused.is::<LeadsAway>(), "{refused}");
        assert_eq!(lead("192.168.1.5").await.unwrap().len(), 1);
    }

    /// What a name server says in another network.
    struct Elsewhere;

    impl Resolve for Elsewhere {
        fn resolve(&self, name: Name) -> Resolving {
            Box::pin(async move { Err(LeadsAway(name.as_str().to_owned()).into()) })
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_away_is_a_server_that_is_not_there() {
        let client = reqwest::Client::builder().dns_resolver(Elsewhere).no_proxy().build().unwrap();
        let error = client.get("http://nas.local/").send().await.unwrap_err();
        let failure = failure::of_transport("nas.local", &error);
        assert_eq!((failure.class, failure.code), (FailureClass::Transient, FailureCode::ConnectionLost));
        assert!(failure.message.contains("no address in the local network"), "{}", failure.message);
    }
}
