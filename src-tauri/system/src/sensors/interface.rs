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

/// What Linux says of an interface without a link layer, as those of WireGuard and OpenVPN are: `ARPHRD_NONE` (linux/if_arp.h). Modems
/// without one are known by their driver.
#[cfg(target_os = "linux")]
const WITHOUT_LINK_LAYER: u32 = 0xFFFE;

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
        #[cfg(target_os = "linux")]
        InterfaceType::UnknownWithValue(WITHOUT_LINK_LAYER) => NetworkKind::Vpn,
        _ => NetworkKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use netdev::{MacAddr, NetworkDevice};

    use super::*;

    fn wired() -> NetworkInterface {
        NetworkInterface { name: "eth7".to_owned(), if_type: InterfaceType::Ethernet, ..NetworkInterface::dummy() }
    }

    fn gateway(mac: [u8; 6]) -> Option<NetworkDevice> {
        let mut device = NetworkDevice::new();
        device.mac_addr = MacAddr::from_octets(mac);
        device.ipv4 = vec![Ipv4Addr::new(192, 168, 1, 1)];
        Some(device)
    }

    #[test]
    fn a_network_is_told_from_others_by_its_gateway() {
        let by_hardware = described(&NetworkInterface { gateway: gateway([2, 0, 0, 0, 0, 1]), ..wired() });
        assert_eq!((by_hardware.key.as_str(), by_hardware.kind), ("gateway:02:00:00:00:00:01", NetworkKind::Wired));
        assert_eq!(described(&NetworkInterface { gateway: gateway([0; 6]), ..wired() }).key, "gateway:192.168.1.1");
        assert_eq!(described(&NetworkInterface { gateway: None, ..wired() }).key, "interface:eth7");
    }

    #[test]
    fn interfaces_are_known_by_their_type() {
        assert_eq!(kind(InterfaceType::Wireless80211), NetworkKind::Wifi);
        assert_eq!(kind(InterfaceType::Wwan), NetworkKind::Cellular);
        assert_eq!(kind(InterfaceType::Tunnel), NetworkKind::Vpn);
        #[cfg(target_os = "linux")]
        assert_eq!(kind(InterfaceType::UnknownWithValue(0xFFFE)), NetworkKind::Vpn, "WireGuard's and OpenVPN's");
        assert_eq!(kind(InterfaceType::UnknownWithValue(1)), NetworkKind::Unknown);
    }
}
