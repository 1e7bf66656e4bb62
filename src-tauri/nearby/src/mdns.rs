//! Saying that a receiver is there, and looking for those that are: multicast DNS (RFC 6762) with services (RFC 6763).

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};

/// The service that is announced.
const SERVICE: &str = "_afterglow._tcp.local.";
/// The version of the protocol of pairing and sending; others are not shown.
const VERSION: &str = "1";
/// Longest name that is announced or shown, in bytes: it has to fit a label of DNS, 63 bytes.
const NAME_BYTES_MAX: usize = 60;
/// Receivers that are shown; the network may pretend any number.
const FOUND_MAX: usize = 32;

/// The local network cannot be spoken to.
#[derive(Debug, thiserror::Error)]
#[error("the local network cannot be searched: {0}; is a network connected, and multicast allowed?")]
pub struct NearbyError(#[from] mdns_sd::Error);

/// A receiver that says that it is there. Anybody in the network can say so: it is what was found, and nothing is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it calls itself.
    pub name: String,
    /// Where uploads would be created: `https://ADDRESS:PORT/files`, or `http` if it speaks no TLS, at an address of a local network.
    pub url: String,
    /// By which it is known again: up to 64 letters and digits.
    pub id: String,
}

/// An announcement; it is taken back when this is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    fullname: String,
}

/// Says in the local network that the receiver `id` listens at `address`, and whether it speaks TLS there. Blocks for a moment.
///
/// # Errors
/// If the network cannot be spoken to.
pub fn announce(name: &str, id: &str, address: SocketAddr, tls: bool) -> Result<Announcement, NearbyError> {
    let daemon = ServiceDaemon::new()?;
    let host = format!("afterglow-{}.local.", plain(id).chars().take(16).collect::<String>());
    let about = [("v", VERSION), ("id", id), ("scheme", if tls { "https" } else { "http" })];
    let everywhere = address.ip().is_unspecified();
    let ip = if everywhere { String::new() } else { address.ip().to_string() };
    let service = ServiceInfo::new(SERVICE, &shown(name), &host, ip.as_str(), address.port(), &about[..])?;
    let service = if everywhere { service.enable_addr_auto() } else { service };
    let fullname = service.get_fullname().to_owned();
    daemon.register(service)?;
    Ok(Announcement { daemon, fullname })
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Others see it end by itself within two minutes, if the farewell cannot be said.
        if let Ok(said) = self.daemon.unregister(&self.fullname) {
            let _ = said.recv_timeout(Duration::from_secs(1));
        }
        let _ = self.daemon.shutdown();
    }
}

/// Asks the local network for so long, and tells who answered. Blocks.
///
/// # Errors
/// If the network cannot be spoken to.
pub fn discover(time: Duration) -> Result<Vec<Found>, NearbyError> {
    let daemon = ServiceDaemon::new()?;
    let answers = daemon.browse(SERVICE)?;
    let until = Instant::now() + time;
    let mut found = BTreeMap::new();
    while let Ok(event) = answers.recv_deadline(until) {
        if let ServiceEvent::ServiceResolved(service) = event
            && let Some(receiver) = receiver(&service)
            && (found.len() < FOUND_MAX || found.contains_key(&receiver.url))
        {
            found.insert(receiver.url.clone(), receiver);
        }
    }
    let _ = daemon.shutdown();
    Ok(found.into_values().collect())
}

fn receiver(service: &ResolvedService) -> Option<Found> {
    if service.get_property_val_str("v") != Some(VERSION) || service.get_port() == 0 {
        return None;
    }
    let name = service.get_fullname().strip_suffix(&format!(".{SERVICE}"))?;
    let mut addresses: Vec<IpAddr> = service.get_addresses().iter().map(|address| address.to_ip_addr()).filter(is_local).collect();
    // IPv4 first, as nearly every home network has it; then by value, so that two searches say the same.
    addresses.sort();
    let address = SocketAddr::new(*addresses.first()?, service.get_port());
    let id = plain(service.get_property_val_str("id").unwrap_or_default());
    let scheme = if service.get_property_val_str("scheme") == Some("http") { "http" } else { "https" };
    Some(Found { name: shown(name), url: format!("{scheme}://{address}/files"), id })
}

/// Whether an address is one of a local network. What somebody announces must not lead anywhere else.
fn is_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_loopback(),
        // Those of one link need a zone, which no URL can carry (RFC 9844).
        IpAddr::V6(address) => address.is_unique_local() || *address == Ipv6Addr::LOCALHOST,
    }
}

/// A name as it may be shown: one line of bounded length.
fn shown(name: &str) -> String {
    let mut shown = String::new();
    for c in name.chars().filter(|c| !c.is_control() && !is_invisible(*c)) {
        if shown.len() + c.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        shown.push(c);
    }
    let shown = shown.trim();
    if shown.is_empty() { "Afterglow receiver".to_owned() } else { shown.to_owned() }
}

/// Characters that turn or hide what stands beside them (Unicode's bidirectional controls and zero-width characters).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Letters and digits alone.
fn plain(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_network_is_one_short_line() {
        assert_eq!(shown("Küche"), "Küche");
        assert_eq!(shown(" \u{1b}[2Ja\r\nb\u{202e}c\0 "), "[2Jabc");
        assert_eq!(shown("\n\u{200b}"), "Afterglow receiver");
        assert_eq!(shown(&"ü".repeat(1000)), "ü".repeat(30));
        assert_eq!(plain("ab-../\n12"), "ab12");
    }

    #[test]
    fn an_announced_address_leads_into_the_local_network_alone() {
        for address in ["192.168.1.4", "10.0.0.1", "172.16.0.9", "169.254.3.3", "127.0.0.1", "::1", "fd00::1"] {
            assert!(is_local(&address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "0.0.0.0", "255.255.255.255", "172.32.0.1", "2001:db8::1", "fe80::1", "::ffff:8.8.8.8"] {
            assert!(!is_local(&address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn receivers_that_say_that_they_are_there_are_found() {
        let announced = [(true, "https://127.0.0.1:4711/files"), (false, "http://127.0.0.1:4712/files")].map(|(tls, url)| {
            let name = format!("Test {}.\\ {tls}", std::process::id());
            let id = uuid::Uuid::new_v4().simple().to_string();
            let address = url.split('/').nth(2).unwrap().parse().unwrap();
            announce(&name, &id, address, tls).map(|announcement| (announcement, Found { name, url: url.to_owned(), id }))
        });
        let seen = discover(Duration::from_secs(3));
        let (Ok(seen), [Ok((_one, one)), Ok((_other, other))]) = (seen, announced) else {
            println!("SKIPPED: multicast DNS cannot be spoken here");
            return;
        };
        for expected in [one, other] {
            match seen.iter().find(|found| found.id == expected.id) {
                Some(found) => assert_eq!(*found, expected),
                None => println!("SKIPPED: multicast does not come back here"),
            }
        }
    }
}
