//! Reading the sources: names, paths and numbers as their documentation gives them.

use std::collections::HashMap;

use afterglow_model::{Metered, NetworkKind, Reachability};
use zbus::{
    Connection, Proxy,
    proxy::{CacheProperties, MethodFlags},
    zvariant::{DynamicDeserialize, DynamicType, OwnedFd, OwnedObjectPath, OwnedValue},
};

use crate::sensors::facts::{Hold, Logind, NetworkManager, Portal, PowerProfile, Reading, Source, UPower};

pub(super) const UPOWER: &str = "org.freedesktop.UPower";
pub(super) const UPOWER_PATH: &str = "/org/freedesktop/UPower";
const UPOWER_DISPLAY_DEVICE: &str = "/org/freedesktop/UPower/devices/DisplayDevice";

/// A name of power-profiles-daemon.
pub(super) struct ProfilesName {
    pub(super) service: &'static str,
    pub(super) path: &'static str,
}

/// The name since power-profiles-daemon 0.20, and the one before.
pub(super) const POWER_PROFILES: [ProfilesName; 2] = [
    ProfilesName { service: "org.freedesktop.UPower.PowerProfiles", path: "/org/freedesktop/UPower/PowerProfiles" },
    ProfilesName { service: "net.hadess.PowerProfiles", path: "/net/hadess/PowerProfiles" },
];

pub(super) const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";
pub(super) const NETWORK_MANAGER_PATH: &str = "/org/freedesktop/NetworkManager";

pub(super) const LOGIND: &str = "org.freedesktop.login1";
pub(super) const LOGIND_MANAGER: &str = "org.freedesktop.login1.Manager";
pub(super) const LOGIND_SESSION: &str = "org.freedesktop.login1.Session";
const LOGIND_PATH: &str = "/org/freedesktop/login1";
/// The caller's session, or its user's graphical one (org.freedesktop.login1(5)).
const LOGIND_SESSION_PATH: &str = "/org/freedesktop/login1/session/auto";

pub(crate) const PORTAL: &str = "org.freedesktop.portal.Desktop";
pub(crate) const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
pub(super) const NETWORK_MONITOR: &str = "org.freedesktop.portal.NetworkMonitor";

/// Reads a source. None inside the reading: it is not there. None: it is not on a bus.
pub(super) async fn read(connection: &Connection, source: Source, default_interface: Option<&str>) -> Option<Reading> {
    Some(match source {
        Source::UPower => Reading::UPower(upower(connection).await),
        Source::PowerProfiles => Reading::PowerProfiles(power_profile(connection).await),
        Source::NetworkManager => Reading::NetworkManager(network_manager(connection, default_interface).await),
        Source::Portal => Reading::Portal(portal(connection).await),
        Source::Logind => Reading::Logind(logind(connection).await),
        Source::Batteries | Source::Interface | Source::Resources => return None,
    })
}

/// Takes logind's lock for sleep and shutdown; it holds until the descriptor is closed.
pub(super) async fn inhibit(connection: &Connection, hold: Hold) -> Option<OwnedFd> {
    let logind = Remote { connection, service: LOGIND, starts: false };
    let why = match hold {
        Hold::Delay => ("sleep:shutdown", "Afterglow", "Uploads are being brought to rest", "delay"),
        // Of the two that block, this one yields to a person who closes the lid or says sleep.
        Hold::Block => ("idle", "Afterglow", "Photos are being uploaded", "block"),
    };
    logind.call(LOGIND_PATH, LOGIND_MANAGER, "Inhibit", &why).await
}

async fn upower(connection: &Connection) -> Option<UPower> {
    let upower = Remote { connection, service: UPOWER, starts: false };
    let on_battery = upower.properties(UPOWER_PATH, UPOWER).await?.get("OnBattery")?;
    let mut display = upower.properties(UPOWER_DISPLAY_DEVICE, "org.freedesktop.UPower.Device").await.unwrap_or_default();
    let present = display.get::<bool>("IsPresent") == Some(true);
    let level = display.get::<f64>("Percentage").filter(|level| present && level.is_finite());
    Some(UPower { on_battery, level_percent: level.map(|level| level.clamp(0.0, 100.0).round() as u8) })
}

async fn power_profile(connection: &Connection) -> Option<PowerProfile> {
    for ProfilesName { service, path } in POWER_PROFILES {
        let daemon = Remote { connection, service, starts: false };
        if let Some(mut properties) = daemon.properties(path, service).await
            && let Some(active) = properties.get::<String>("ActiveProfile")
        {
            return Some(PowerProfile { saver: active == "power-saver" });
        }
    }
    None
}

async fn network_manager(connection: &Connection, default_interface: Option<&str>) -> Option<NetworkManager> {
    let manager = Remote { connection, service: NETWORK_MANAGER, starts: false };
    let mut properties = manager.properties(NETWORK_MANAGER_PATH, NETWORK_MANAGER).await?;
    let mut reachability = match properties.get("Connectivity").map_or(Reachability::Unknown, reachability) {
        Reachability::Unknown if properties.get("State").is_some_and(is_disconnected) => Reachability::None,
        known => known,
    };
    if reachability == Reachability::None
        && let Some(interface) = default_interface
        && manager.leaves_alone(interface).await
    {
        reachability = Reachability::Unknown;
    }
    let mut answer = NetworkManager {
        reachability,
        metered: properties.get("Metered").map_or(Metered::Unknown, metered),
        kind: properties.get::<String>("PrimaryConnectionType").map_or(NetworkKind::Unknown, |kind| self::kind(&kind)),
        name: None,
        key: None,
    };
    let primary = properties.get::<OwnedObjectPath>("PrimaryConnection").filter(|path| path.as_str() != "/");
    if let Some(primary) = primary
        && let Some(mut active) = manager.properties(&primary, "org.freedesktop.NetworkManager.Connection.Active").await
    {
        answer.key = active.get::<String>("Uuid").filter(|uuid| !uuid.is_empty()).map(|uuid| format!("connection:{uuid}"));
        answer.name = manager.network_name(&mut active).await;
    }
    Some(answer)
}

async fn portal(connection: &Connection) -> Option<Portal> {
    let portal = Remote { connection, service: PORTAL, starts: true };
    let status: HashMap<String, OwnedValue> = portal.call(PORTAL_PATH, NETWORK_MONITOR, "GetStatus", &()).await?;
    let mut status = Properties(status);
    let reachability = match (status.get("available"), status.get("connectivity")) {
        (Some(false), _) => Reachability::None,
        (_, connectivity) => connectivity.map_or(Reachability::Unknown, portal_reachability),
    };
    let metered = match status.get("metered") {
        Some(true) => Metered::Yes,
        // Without NetworkManager the portal cannot know, and says no.
        Some(false) => Metered::GuessNo,
        None => Metered::Unknown,
    };
    Some(Portal { reachability, metered })
}

async fn logind(connection: &Connection) -> Option<Logind> {
    let logind = Remote { connection, service: LOGIND, starts: false };
    let mut manager = logind.properties(LOGIND_PATH, LOGIND_MANAGER).await?;
    let mut session = logind.properties(LOGIND_SESSION_PATH, LOGIND_SESSION).await.unwrap_or_default();
    Some(Logind {
        suspending: manager.get("PreparingForSleep").unwrap_or(false),
        ending: manager.get("PreparingForShutdown").unwrap_or(false),
        idle: session.get("IdleHint"),
        locked: session.get("LockedHint"),
    })
}

/// A service on a bus.
struct Remote<'a> {
    connection: &'a Connection,
    service: &'static str,
    /// Whether a call may start it. We look at what runs on the machine and do not change it; portals are meant to be started.
    starts: bool,
}

impl Remote<'_> {
    async fn call<B, R>(&self, path: &str, interface: &str, method: &str, body: &B) -> Option<R>
    where
        B: serde::Serialize + DynamicType,
        R: for<'d> DynamicDeserialize<'d>,
    {
        let answer = async {
            let proxy: Proxy<'_> = zbus::proxy::Builder::new(self.connection)
                .destination(self.service)?
                .path(path)?
                .interface(interface)?
                .cache_properties(CacheProperties::No)
                .build()
                .await?;
            let flags = if self.starts { Default::default() } else { MethodFlags::NoAutoStart.into() };
            proxy.call_with_flags(method, flags, body).await
        };
        let log = |error: &zbus::Error| tracing::debug!(service = self.service, path, method, %error, "no answer");
        answer.await.inspect_err(log).ok().flatten()
    }

    async fn properties(&self, path: &str, interface: &str) -> Option<Properties> {
        self.call(path, "org.freedesktop.DBus.Properties", "GetAll", &(interface,)).await.map(Properties)
    }

    /// Whether NetworkManager does not manage the interface that the default route leaves by, as where ifupdown or networkd does.
    /// Then it says that there is no connection, and knows nothing of the one that there is.
    async fn leaves_alone(&self, interface: &str) -> bool {
        let device: Option<OwnedObjectPath> =
            self.call(NETWORK_MANAGER_PATH, NETWORK_MANAGER, "GetDeviceByIpIface", &(interface,)).await;
        let Some(device) = device else { return false };
        let properties = self.properties(&device, "org.freedesktop.NetworkManager.Device").await;
        properties.and_then(|mut properties| properties.get("Managed")) == Some(false)
    }

    /// The Wi-Fi's name, else what the connection is called.
    async fn network_name(&self, active: &mut Properties) -> Option<String> {
        let id = active.get::<String>("Id");
        if active.get::<String>("Type").as_deref() != Some("802-11-wireless") {
            return id;
        }
        let Some(access_point) = active.get::<OwnedObjectPath>("SpecificObject") else { return id };
        let properties = self.properties(&access_point, "org.freedesktop.NetworkManager.AccessPoint").await;
        let ssid: Option<Vec<u8>> = properties.and_then(|mut properties| properties.get("Ssid"));
        ssid.filter(|ssid| !ssid.is_empty()).map(|ssid| String::from_utf8_lossy(&ssid).into_owned()).or(id)
    }
}

/// Properties of an object; each can be taken once.
#[derive(Default)]
struct Properties(HashMap<String, OwnedValue>);

impl Properties {
    /// None if it is missing or of another type.
    fn get<T: TryFrom<OwnedValue>>(&mut self, name: &str) -> Option<T> {
        self.0.remove(name)?.try_into().ok()
    }
}

/// `NMConnectivityState`.
fn reachability(connectivity: u32) -> Reachability {
    match connectivity {
        1 => Reachability::None,
        2 => Reachability::CaptivePortal,
        3 => Reachability::Limited,
        4 => Reachability::Full,
        _ => Reachability::Unknown,
    }
}

/// `NMState`: asleep (10) or disconnected (20).
fn is_disconnected(state: u32) -> bool {
    matches!(state, 10 | 20)
}

/// `NMMetered`.
fn metered(metered: u32) -> Metered {
    match metered {
        1 => Metered::Yes,
        2 => Metered::No,
        3 => Metered::GuessYes,
        4 => Metered::GuessNo,
        _ => Metered::Unknown,
    }
}

/// The connection types of NetworkManager's settings (nm-settings-dbus(5)).
fn kind(kind: &str) -> NetworkKind {
    match kind {
        "802-3-ethernet" | "bond" | "bridge" | "team" | "vlan" | "pppoe" => NetworkKind::Wired,
        "802-11-wireless" => NetworkKind::Wifi,
        "gsm" | "cdma" => NetworkKind::Cellular,
        "vpn" | "wireguard" | "tun" => NetworkKind::Vpn,
        _ => NetworkKind::Unknown,
    }
}

/// `connectivity` of `org.freedesktop.portal.NetworkMonitor.GetStatus`: local only, limited, captive portal, full.
fn portal_reachability(connectivity: u32) -> Reachability {
    match connectivity {
        1 | 2 => Reachability::Limited,
        3 => Reachability::CaptivePortal,
        4 => Reachability::Full,
        _ => Reachability::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_network_manager_and_of_the_portal_are_read_as_documented() {
        use Reachability::{CaptivePortal, Full, Limited, None, Unknown};
        assert_eq!([0, 1, 2, 3, 4, 99].map(reachability), [Unknown, None, CaptivePortal, Limited, Full, Unknown]);
        assert_eq!([0, 1, 2, 3, 4, 5].map(portal_reachability), [Unknown, Limited, Limited, CaptivePortal, Full, Unknown]);
        let expected = [Metered::Unknown, Metered::Yes, Metered::No, Metered::GuessYes, Metered::GuessNo, Metered::Unknown];
        assert_eq!([0, 1, 2, 3, 4, 5].map(metered), expected);
        assert_eq!([10, 20, 40, 70].map(is_disconnected), [true, true, false, false]);
    }

    #[test]
    fn connection_types_are_known() {
        let kinds = ["802-3-ethernet", "802-11-wireless", "gsm", "wireguard", "bluetooth"].map(kind);
        assert_eq!(kinds, [NetworkKind::Wired, NetworkKind::Wifi, NetworkKind::Cellular, NetworkKind::Vpn, NetworkKind::Unknown]);
    }
}
