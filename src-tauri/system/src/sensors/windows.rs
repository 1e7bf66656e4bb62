//! Windows: the internet connection with its cost (`Windows.Networking.Connectivity`), and energy saver (`Windows.System.Power`).

use afterglow_model::{Metered, NetworkKind, Reachability};
use tokio::sync::mpsc;
use windows::{
    Foundation::EventHandler,
    Networking::Connectivity::{
        ConnectionCost, ConnectionProfile, NetworkConnectivityLevel, NetworkCostType, NetworkInformation,
        NetworkStatusChangedEventHandler,
    },
    System::Power::{EnergySaverStatus, PowerManager},
    core::IInspectable,
};

use super::facts::{NetworkManager, PowerProfile, Source};

/// Asks Windows to be told of changes, until this is dropped. An event that Windows refuses is missed; its value is still read.
pub(super) struct Watch {
    network: Option<i64>,
    power: Option<i64>,
}

impl Watch {
    pub(super) fn start(changed: mpsc::UnboundedSender<Source>) -> Option<Self> {
        let told = changed.clone();
        let network = NetworkStatusChangedEventHandler::new(move |_| {
            // Nobody listens any more while the sensors end.
            let _ = told.send(Source::NetworkManager);
            Ok(())
        });
        let power = EventHandler::<IInspectable>::new(move |_, _| {
            let _ = changed.send(Source::PowerProfiles);
            Ok(())
        });
        let missed = |error: &windows::core::Error| tracing::info!(%error, "some changes of this computer are not seen");
        Some(Self {
            network: NetworkInformation::NetworkStatusChanged(&network).inspect_err(missed).ok(),
            power: PowerManager::EnergySaverStatusChanged(&power).inspect_err(missed).ok(),
        })
    }

    /// Without an internet connection Windows gives no profile.
    pub(super) fn network(&self) -> Option<NetworkManager> {
        let profile = match NetworkInformation::GetInternetConnectionProfile() {
            Ok(profile) => profile,
            // Nothing was given, and that is no error.
            Err(nothing) if nothing.code().is_ok() => return Some(offline()),
            Err(error) => {
                tracing::debug!(%error, "Windows does not say how the network is");
                return None;
            }
        };
        let name = profile.ProfileName().ok().map(|name| name.to_string()).filter(|name| !name.is_empty());
        let id = profile.NetworkAdapter().and_then(|adapter| adapter.NetworkItem()).and_then(|item| item.NetworkId());
        Some(NetworkManager {
            reachability: profile.GetNetworkConnectivityLevel().map_or(Reachability::Unknown, reachability),
            metered: profile.GetConnectionCost().map_or(Metered::Unknown, |cost| metered(&cost)),
            kind: kind(&profile),
            name,
            key: id.ok().map(|id| format!("network:{id:?}")),
        })
    }

    pub(super) fn power_profile(&self) -> Option<PowerProfile> {
        let status = PowerManager::EnergySaverStatus().ok()?;
        Some(PowerProfile { saver: status == EnergySaverStatus::On })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // What cannot be taken back sends to nobody.
        if let Some(token) = self.network {
            let _ = NetworkInformation::RemoveNetworkStatusChanged(token);
        }
        if let Some(token) = self.power {
            let _ = PowerManager::RemoveEnergySaverStatusChanged(token);
        }
    }
}

fn offline() -> NetworkManager {
    NetworkManager {
        reachability: Reachability::None,
        metered: Metered::Unknown,
        kind: NetworkKind::Unknown,
        name: None,
        key: None,
    }
}

/// Windows calls a sign-in page constrained access.
fn reachability(level: NetworkConnectivityLevel) -> Reachability {
    match level {
        NetworkConnectivityLevel::None => Reachability::None,
        NetworkConnectivityLevel::LocalAccess => Reachability::Limited,
        NetworkConnectivityLevel::ConstrainedInternetAccess => Reachability::CaptivePortal,
        NetworkConnectivityLevel::InternetAccess => Reachability::Full,
        _ => Reachability::Unknown,
    }
}

/// A connection with a cost, or one that is free no more: roaming, over its limit, or closed to what runs in the background.
fn metered(cost: &ConnectionCost) -> Metered {
    let is = |said: windows::core::Result<bool>| said.unwrap_or(false);
    if is(cost.Roaming()) || is(cost.OverDataLimit()) || is(cost.BackgroundDataUsageRestricted()) {
        return Metered::Yes;
    }
    match cost.NetworkCostType() {
        Ok(NetworkCostType::Unrestricted) => Metered::No,
        Ok(NetworkCostType::Fixed | NetworkCostType::Variable) => Metered::Yes,
        _ => Metered::Unknown,
    }
}

/// The interface types are IANA's: 6 Ethernet, 23 PPP, by which Windows' own VPNs go, 131 a tunnel.
fn kind(profile: &ConnectionProfile) -> NetworkKind {
    if profile.IsWlanConnectionProfile().unwrap_or(false) {
        return NetworkKind::Wifi;
    }
    if profile.IsWwanConnectionProfile().unwrap_or(false) {
        return NetworkKind::Cellular;
    }
    match profile.NetworkAdapter().and_then(|adapter| adapter.IanaInterfaceType()) {
        Ok(6) => NetworkKind::Wired,
        Ok(23 | 131) => NetworkKind::Vpn,
        _ => NetworkKind::Unknown,
    }
}
