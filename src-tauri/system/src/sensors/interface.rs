//! The interface of the default route, by netdev, and the kernel's word that something changed, by netwatcher (rtnetlink on Linux:
//! no polling).

use afterglow_model::NetworkKind;
use netdev::interface::{interface::Interface as NetworkInterface, types::InterfaceType};
use netwatcher::{AsyncWatch, async_adapter::Tokio};

use super::facts::{DefaultInterface, Interface};

/// Reads the interfaces and the routes. Blocks for some milliseconds.
pub(super) fn read() -> Interface {
    match netdev::get_default_interface() {
        Ok(default) => Interface { any_up: true, default: Some(described(&default)) },
        Err(_) => Interface { any_up: netdev::get_interfaces().iter().any(is_up), default: None },
    }
}

/// Tells when interfaces or addresses change.
pub(super) struct Changes(Option<AsyncWatch>);

impl Changes {
    /// Must be called within a tokio runtime. Without kernel events, nothing is told.
    pub(super) fn watch() -> Self {
        let watch = netwatcher::watch_interfaces_async::<Tokio>();
        Self(watch.inspect_err(|error| tracing::info!(%error, "interface changes are not seen")).ok())
    }

    /// Waits for a change.
    pub(super) async fn next(&mut self) {
        let Some(watch) = &mut self.0 else { return std::future::pending().await };
        while watch.changed().await.is_initial {}
    }
}

fn is_up(interface: &NetworkInterface) -> bool {
    !interface.is_loopback() && interface.is_up() && (interface.has_ipv4() || interface.has_ipv6())
}

/// The gateway's hardware address tells a network from others that use the same numbers; without one the interface has to do.
fn described(interface: &NetworkInterface) -> DefaultInterface {
    let name = interface.friendly_name.clone().unwrap_or_else(|| interface.name.clone());
    let gateway = interface.gateway.as_ref();
    let mac = gateway.map(|gateway| gateway.mac_addr).filter(|mac| mac.octets() != [0; 6]);
    let address = gateway.and_then(|gateway| gateway.ipv4.first());
    let key = match (mac, address) {
        (Some(mac), _) => format!("gateway:{mac}"),
        (None, Some(address)) => format!("gateway:{address}"),
        (None, None) => format!("interface:{}", interface.name),
    };
    DefaultInterface { name, kind: kind(interface.if_type), key }
}

fn kind(kind: InterfaceType) -> NetworkKind {
    match kind {
        InterfaceType::Wireless80211 => NetworkKind::Wifi,
        InterfaceType::Ethernet
        | InterfaceType::Ethernet3Megabit
        | InterfaceType::FastEthernetT
        | InterfaceType::FastEthernetFx
        | InterfaceType::GigabitEthernet => NetworkKind::Wired,
        InterfaceType::Wman | InterfaceType::Wwan | InterfaceType::Wwanpp | InterfaceType::Wwanpp2 => NetworkKind::Cellular,
        InterfaceType::Tunnel => NetworkKind::Vpn,
        _ => NetworkKind::Unknown,
    }
}
