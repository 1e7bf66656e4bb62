//! Fake services, each with just what the real one is asked for.

use std::{collections::HashMap, os::fd::OwnedFd};

use zbus::{
    Connection, interface,
    object_server::{InterfaceRef, SignalEmitter},
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

use crate::bus::{Bus, offer};

pub(crate) fn path(path: &str) -> OwnedObjectPath {
    ObjectPath::try_from(path.to_owned()).unwrap().into()
}

/// NetworkManager's manager object.
pub(crate) struct NetworkManager {
    pub(crate) connectivity: u32,
    pub(crate) metered: u32,
    pub(crate) primary: &'static str,
    pub(crate) primary_type: &'static str,
}

#[interface(name = "org.freedesktop.NetworkManager")]
impl NetworkManager {
    fn get_device_by_ip_iface(&self, _interface: &str) -> OwnedObjectPath {
        path("/org/freedesktop/NetworkManager/Devices/1")
    }
    #[zbus(property)]
    fn connectivity(&self) -> u32 {
        self.connectivity
    }
    #[zbus(property)]
    fn metered(&self) -> u32 {
        self.metered
    }
    #[zbus(property)]
    fn primary_connection(&self) -> OwnedObjectPath {
        path(self.primary)
    }
    #[zbus(property)]
    fn primary_connection_type(&self) -> String {
        self.primary_type.to_owned()
    }
}

/// A connection that is up.
pub(crate) struct ActiveConnection {
    id: &'static str,
    uuid: &'static str,
    kind: &'static str,
    access_point: &'static str,
}

#[interface(name = "org.freedesktop.NetworkManager.Connection.Active")]
impl ActiveConnection {
    #[zbus(property)]
    fn id(&self) -> String {
        self.id.to_owned()
    }
    #[zbus(property)]
    fn uuid(&self) -> String {
        self.uuid.to_owned()
    }
    #[zbus(property, name = "Type")]
    fn kind(&self) -> String {
        self.kind.to_owned()
    }
    #[zbus(property)]
    fn specific_object(&self) -> OwnedObjectPath {
        path(self.access_point)
    }
}

/// A Wi-Fi access point.
pub(crate) struct AccessPoint;

#[interface(name = "org.freedesktop.NetworkManager.AccessPoint")]
impl AccessPoint {
    #[zbus(property)]
    fn ssid(&self) -> Vec<u8> {
        b"Home".to_vec()
    }
}

/// An interface.
pub(crate) struct Device {
    pub(crate) managed: bool,
}

#[interface(name = "org.freedesktop.NetworkManager.Device")]
impl Device {
    #[zbus(property)]
    fn managed(&self) -> bool {
        self.managed
    }
}

impl NetworkManager {
    /// With a Wi-Fi that reaches everything.
    pub(crate) fn on_wifi(metered: u32) -> Self {
        Self {
            connectivity: 4,
            metered,
            primary: "/org/freedesktop/NetworkManager/ActiveConnection/1",
            primary_type: "802-11-wireless",
        }
    }

    /// With a connection of this kind that reaches everything, called `Office` and without an access point.
    pub(crate) fn on(kind: &'static str) -> Self {
        Self { connectivity: 4, metered: 4, primary: "/org/freedesktop/NetworkManager/ActiveConnection/2", primary_type: kind }
    }

    /// Without any connection.
    pub(crate) fn offline() -> Self {
        Self { connectivity: 1, metered: 0, primary: "/", primary_type: "" }
    }

    pub(crate) async fn serve(self, bus: &Bus, managed: bool) -> (Connection, InterfaceRef<Self>) {
        let connection = bus.peer().await;
        let server = connection.object_server();
        let wifi = ActiveConnection {
            id: "Home 5 GHz profile",
            uuid: "8a4b",
            kind: "802-11-wireless",
            access_point: "/org/freedesktop/NetworkManager/AccessPoint/1",
        };
        let other = ActiveConnection { id: "Office", uuid: "77c0", kind: self.primary_type, access_point: "/" };
        server.at("/org/freedesktop/NetworkManager", self).await.unwrap();
        server.at("/org/freedesktop/NetworkManager/ActiveConnection/1", wifi).await.unwrap();
        server.at("/org/freedesktop/NetworkManager/ActiveConnection/2", other).await.unwrap();
        server.at("/org/freedesktop/NetworkManager/AccessPoint/1", AccessPoint).await.unwrap();
        server.at("/org/freedesktop/NetworkManager/Devices/1", Device { managed }).await.unwrap();
        offer(&connection, "org.freedesktop.NetworkManager").await;
        let manager = server.interface("/org/freedesktop/NetworkManager").await.unwrap();
        (connection.clone(), manager)
    }
}

pub(crate) async fn set_metered(manager: &InterfaceRef<NetworkManager>, metered: u32) {
    let mut state = manager.get_mut().await;
    state.metered = metered;
    state.metered_changed(manager.signal_emitter()).await.unwrap();
}

pub(crate) async fn set_connectivity(manager: &InterfaceRef<NetworkManager>, connectivity: u32) {
    let mut state = manager.get_mut().await;
    state.connectivity = connectivity;
    state.connectivity_changed(manager.signal_emitter()).await.unwrap();
}

/// The desktop portal's network monitor.
pub(crate) struct Portal {
    pub(crate) metered: bool,
    pub(crate) connectivity: u32,
}

#[interface(name = "org.freedesktop.portal.NetworkMonitor")]
impl Portal {
    fn get_status(&self) -> HashMap<String, OwnedValue> {
        HashMap::from([
            ("available".to_owned(), OwnedValue::from(true)),
            ("metered".to_owned(), OwnedValue::from(self.metered)),
            ("connectivity".to_owned(), OwnedValue::from(self.connectivity)),
        ])
    }
    #[zbus(signal, name = "changed")]
    pub(crate) async fn changed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

/// power-profiles-daemon since 0.20.
pub(crate) struct PowerProfiles(pub(crate) &'static str);

#[interface(name = "org.freedesktop.UPower.PowerProfiles")]
impl PowerProfiles {
    #[zbus(property)]
    fn active_profile(&self) -> String {
        self.0.to_owned()
    }
}

/// power-profiles-daemon before 0.20.
pub(crate) struct OldPowerProfiles(pub(crate) &'static str);

#[interface(name = "net.hadess.PowerProfiles")]
impl OldPowerProfiles {
    #[zbus(property)]
    fn active_profile(&self) -> String {
        self.0.to_owned()
    }
}

/// UPower's manager object.
pub(crate) struct UPower {
    pub(crate) on_battery: bool,
}

#[interface(name = "org.freedesktop.UPower")]
impl UPower {
    #[zbus(property)]
    fn on_battery(&self) -> bool {
        self.on_battery
    }
}

/// UPower's sum of all batteries.
pub(crate) struct DisplayDevice {
    pub(crate) percentage: f64,
}

#[interface(name = "org.freedesktop.UPower.Device")]
impl DisplayDevice {
    #[zbus(property)]
    fn is_present(&self) -> bool {
        true
    }
    #[zbus(property)]
    fn percentage(&self) -> f64 {
        self.percentage
    }
}

/// logind's manager object. Hands the other end of each inhibitor to the test.
pub(crate) struct Logind {
    pub(crate) inhibitors: tokio::sync::mpsc::UnboundedSender<(String, OwnedFd)>,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn inhibit(&self, what: &str, _who: &str, _why: &str, mode: &str) -> zbus::zvariant::OwnedFd {
        let (ours, theirs) = rustix::pipe::pipe().unwrap();
        self.inhibitors.send((format!("{what}:{mode}"), ours)).unwrap();
        theirs.into()
    }
    #[zbus(property)]
    fn preparing_for_sleep(&self) -> bool {
        false
    }
    #[zbus(property)]
    fn preparing_for_shutdown(&self) -> bool {
        false
    }
    #[zbus(signal)]
    pub(crate) async fn prepare_for_sleep(emitter: &SignalEmitter<'_>, start: bool) -> zbus::Result<()>;
    #[zbus(signal)]
    pub(crate) async fn prepare_for_shutdown(emitter: &SignalEmitter<'_>, start: bool) -> zbus::Result<()>;
}

/// A session of logind.
pub(crate) struct LoginSession {
    pub(crate) locked: bool,
    pub(crate) idle: bool,
}

#[interface(name = "org.freedesktop.login1.Session")]
impl LoginSession {
    #[zbus(property)]
    fn idle_hint(&self) -> bool {
        self.idle
    }
    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.locked
    }
}

/// What a notifier was told to show.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) id: u32,
    pub(crate) replaces: u32,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) actions: Vec<String>,
    pub(crate) resident: bool,
    pub(crate) timeout: i32,
}

/// What a notifier was told.
#[derive(Debug)]
pub(crate) enum NotifierCall {
    Show(Shown),
    Close(u32),
}

/// A notifier. Hands what it was told to the test.
pub(crate) struct Notifications {
    pub(crate) calls: tokio::sync::mpsc::UnboundedSender<NotifierCall>,
    pub(crate) last_id: u32,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[expect(clippy::too_many_arguments, reason = "the specification's call")]
    fn notify(
        &mut self,
        _app: &str,
        replaces: u32,
        _icon: &str,
        title: &str,
        body: &str,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        timeout: i32,
    ) -> u32 {
        let id = if replaces == 0 { self.last_id + 1 } else { replaces };
        self.last_id = self.last_id.max(id);
        let resident = hints.get("resident").is_some_and(|value| **value == Value::from(true));
        let shown = Shown { id, replaces, title: title.to_owned(), body: body.to_owned(), actions, resident, timeout };
        self.calls.send(NotifierCall::Show(shown)).unwrap();
        id
    }
    fn close_notification(&self, id: u32) {
        self.calls.send(NotifierCall::Close(id)).unwrap();
    }
    #[zbus(signal)]
    pub(crate) async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action: &str) -> zbus::Result<()>;
}

/// The panel's register of tray icons.
pub(crate) struct Watcher {
    pub(crate) registered: tokio::sync::mpsc::UnboundedSender<String>,
}

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str) {
        self.registered.send(service.to_owned()).unwrap();
    }
    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}
