//! The machine's moods: a network that costs, a system that saves power.

use afterglow_model::{BatteryRule, NetworkAccess, NetworkRule, ServiceState, Settings, Status, WaitingReason};
use afterglow_tests::{
    process::until,
    proxy::Proxy,
    stage::{Stage, photo, same},
};
use tokio::io::AsyncReadExt;
use url::Url;
use zbus::Connection;

use crate::{
    bus::{Bus, offer},
    fakes::{DisplayDevice, LoginSession, Logind, NetworkManager, Notifications, NotifierCall, PowerProfiles, UPower, set_metered},
};

const UPOWER: &str = "/org/freedesktop/UPower";
const DISPLAY_DEVICE: &str = "/org/freedesktop/UPower/devices/DisplayDevice";
const SESSION: &str = "/org/freedesktop/login1/session/auto";

const PROFILES: &str = "/org/freedesktop/UPower/PowerProfiles";
const MIB: u64 = 1 << 20;

/// The receiver under an address that the service takes for another computer's: to Linux, 0.0.0.0 is this one (ip(7)).
fn from_afar(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_host(Some("0.0.0.0")).unwrap();
    url
}

fn waits_for(reason: WaitingReason) -> impl Fn(&Status) -> bool {
    move |status| status.state == ServiceState::Waiting && status.waiting.iter().any(|group| group.reason == reason)
}

#[tokio::test]
async fn a_network_that_costs_stops_the_payload() {
    let Some(bus) = Bus::start().await else { return };
    let (_nm, manager) = NetworkManager::on_wifi(2).serve(&bus, true).await;
    let mut stage = Stage::empty().unwrap();
    stage.system_bus = bus.address.clone();
    stage.serve().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let near = stage.receiver("near").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    stage.destination("Archive", &from_afar(&line.over(&archive.url).unwrap())).await.unwrap();
    stage.destination("Near", &near.url).await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(10_000_000)).await.unwrap();
    for (name, seed, len) in [("film.mp4", 1, 30_000_000), ("one.jpg", 2, 30_000), ("two.jpg", 3, 30_000)] {
        photo(&stage.path(name), seed, len).unwrap();
    }
    let before = line.up();
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    until("bytes on the line", async || Ok((line.up() - before > 4 * MIB).then_some(()))).await.unwrap();

    set_metered(&manager, 1).await;
    stage.until_status("the wait for a network that is free", waits_for(WaitingReason::ExpensiveNetwork)).await.unwrap();
    let mut seen = Vec::new();
    for name in ["one.jpg", "two.jpg"] {
        // What goes to this computer costs nothing; its delivery is time in which nothing may go elsewhere.
        stage.does(&["add", name, "--to", "Near"]).await.unwrap();
        until("the file nearby", async || Ok(near.files()?.remove(name))).await.unwrap();
        seen.push(line.up());
    }
    assert_eq!(seen[0], seen[1], "bytes went on over a network that costs");
    assert!(archive.files().unwrap().is_empty());

    set_metered(&manager, 2).await;
    stage.delivered().await.unwrap();
    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
}

/// Every three seconds the network costs, or is free again; of three free ones the product waits two to see whether it stays so.
#[tokio::test]
async fn a_network_that_flaps_lets_uploads_make_headway_and_tells_nobody() {
    let (Some(system), Some(session)) = (Bus::start().await, Bus::start().await) else { return };
    let (_nm, manager) = NetworkManager::on_wifi(2).serve(&system, true).await;
    let (calls, mut notices) = tokio::sync::mpsc::unbounded_channel();
    let notifier = session.peer().await;
    notifier.object_server().at("/org/freedesktop/Notifications", Notifications { calls, last_id: 0 }).await.unwrap();
    offer(&notifier, "org.freedesktop.Notifications").await;
    let mut stage = Stage::empty().unwrap();
    (stage.system_bus, stage.session_bus) = (system.address.clone(), Some(session.address.clone()));
    stage.serve().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    stage.destination("Archive", &from_afar(&line.over(&archive.url).unwrap())).await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(4_000_000)).await.unwrap();
    let len = 24_000_000;
    photo(&stage.path("film.mp4"), 1, len).unwrap();
    let before = line.up();
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();

    let mut flips = tokio::time::interval(std::time::Duration::from_secs(3));
    flips.tick().await;
    let mut sent = Vec::new();
    for metered in [1, 2, 1, 2] {
        flips.tick().await;
        set_metered(&manager, metered).await;
        sent.push(line.up() - before);
    }
    assert!(sent[0] > MIB && sent[3] < len as u64, "it was to flap in mid-transfer: {sent:?}");
    assert!(sent[2] > sent[1], "three free seconds brought nothing: {sent:?}");
    stage.delivered().await.unwrap();
    let all = line.up() - before;
    assert!(all as f64 <= 1.1 * len as f64, "{all} bytes for {len}: {sent:?}");
    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
    let mut told = Vec::new();
    while let Ok(call) = notices.try_recv() {
        if let NotifierCall::Show(shown) = call {
            told.push(shown.title);
        }
    }
    assert!(told.len() <= 1, "{told:?}");
}

#[tokio::test]
async fn a_system_that_saves_power_holds_backups() {
    let Some(bus) = Bus::start().await else { return };
    let daemon = bus.peer().await;
    daemon.object_server().at(PROFILES, PowerProfiles("power-saver")).await.unwrap();
    daemon.request_name("org.freedesktop.UPower.PowerProfiles").await.unwrap();
    let mut stage = Stage::empty().unwrap();
    stage.system_bus = bus.address.clone();
    stage.serve().await.unwrap();
    stage.until_status("power saver", |status| status.conditions.power.power_saver == Some(true)).await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let destination = stage.destination("Archive", &archive.url).await.unwrap();
    photo(&stage.photos().join("one.jpg"), 1, 30_000).unwrap();
    stage.library().await.unwrap();
    stage.rule(&destination).await.unwrap();
    stage.until_status("the wait for power", waits_for(WaitingReason::PowerSaver)).await.unwrap();
    assert!(archive.files().unwrap().is_empty());

    let object = daemon.object_server().interface::<_, PowerProfiles>(PROFILES).await.unwrap();
    let mut state = object.get_mut().await;
    state.0 = "balanced";
    state.active_profile_changed(object.signal_emitter()).await.unwrap();
    drop(state);
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
}

/// A laptop on a private bus: a charger, a Wi-Fi called Home, a session that nobody uses.
struct Laptop {
    upower: Connection,
    logind: Connection,
    _network: (Connection, zbus::object_server::InterfaceRef<NetworkManager>),
    inhibitors: tokio::sync::mpsc::UnboundedReceiver<(String, std::os::fd::OwnedFd)>,
}

impl Laptop {
    async fn on(bus: &Bus) -> Self {
        let upower = bus.peer().await;
        upower.object_server().at(UPOWER, UPower { on_battery: false }).await.unwrap();
        upower.object_server().at(DISPLAY_DEVICE, DisplayDevice { percentage: 20.0 }).await.unwrap();
        offer(&upower, "org.freedesktop.UPower").await;
        let logind = bus.peer().await;
        let (inhibitors, taken) = tokio::sync::mpsc::unbounded_channel();
        logind.object_server().at("/org/freedesktop/login1", Logind { inhibitors }).await.unwrap();
        logind.object_server().at(SESSION, LoginSession { locked: false, idle: true }).await.unwrap();
        offer(&logind, "org.freedesktop.login1").await;
        let network = NetworkManager::on_wifi(2).serve(bus, true).await;
        Self { upower, logind, _network: network, inhibitors: taken }
    }

    async fn on_battery(&self, on_battery: bool) {
        let object = self.upower.object_server().interface::<_, UPower>(UPOWER).await.unwrap();
        let mut state = object.get_mut().await;
        state.on_battery = on_battery;
        state.on_battery_changed(object.signal_emitter()).await.unwrap();
    }

    async fn idle(&self, idle: bool) {
        let object = self.logind.object_server().interface::<_, LoginSession>(SESSION).await.unwrap();
        let mut state = object.get_mut().await;
        state.idle = idle;
        state.idle_hint_changed(object.signal_emitter()).await.unwrap();
    }

    /// The machine is being switched off, or is not after all.
    async fn shut_down(&self, begins: bool) {
        let manager = self.logind.object_server().interface::<_, Logind>("/org/freedesktop/login1").await.unwrap();
        Logind::prepare_for_shutdown(manager.signal_emitter(), begins).await.unwrap();
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_uploads_to_come_to_rest_and_one_that_is_taken_back_lets_them_go_on() {
    let Some(bus) = Bus::start().await else { return };
    let mut laptop = Laptop::on(&bus).await;
    let mut stage = Stage::empty().unwrap();
    stage.system_bus = bus.address.clone();
    stage.serve().await.unwrap();
    let (what, lock) = tokio::time::timeout(crate::bus::PATIENCE, laptop.inhibitors.recv()).await.unwrap().unwrap();
    assert_eq!(what, "sleep:shutdown:delay");
    let mut lock = tokio::net::unix::pipe::Receiver::from_owned_fd(lock).unwrap();

    let archive = stage.receiver("archive").await.unwrap();
    let destination = stage.destination("Archive", &archive.url).await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(1_000_000)).await.unwrap();
    photo(&stage.photos().join("film.mp4"), 1, 30_000_000).unwrap();
    stage.library().await.unwrap();
    stage.rule(&destination).await.unwrap();
    let watched = "bytes on their way, and load and room looked at";
    stage
        .until_status(watched, |status| status.bytes_per_s > 0 && status.conditions.resources.state_free_bytes.is_some())
        .await
        .unwrap();

    laptop.shut_down(true).await;
    stage.until_status("the end", waits_for(WaitingReason::SessionEnding)).await.unwrap();
    // The service lets go of its end of the pipe as soon as nothing is under way.
    let released = tokio::time::timeout(crate::bus::PATIENCE, lock.read_u8()).await.unwrap();
    assert_eq!(released.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(archive.files().unwrap().is_empty());

    laptop.shut_down(false).await;
    stage.settings(|settings| settings.bandwidth_bytes_per_s = None).await.unwrap();
    stage.delivered().await.unwrap();
    let files = archive.files().unwrap();
    assert_eq!(files.len(), 1);
    assert!(same(&stage.photos().join("film.mp4"), files.values().next().unwrap()).unwrap());
    stage.until_status("rest", |status| status.conditions.resources.state_free_bytes.is_none()).await.unwrap();
}

#[tokio::test]
async fn each_rule_stops_a_backup_and_lets_it_go_on() {
    let Some(bus) = Bus::start().await else { return };
    let laptop = Laptop::on(&bus).await;
    let mut stage = Stage::empty().unwrap();
    stage.system_bus = bus.address.clone();
    stage.serve().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    let destination = stage.destination("Archive", &from_afar(&line.over(&archive.url).unwrap())).await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(4_000_000)).await.unwrap();
    photo(&stage.photos().join("film.mp4"), 1, 30_000_000).unwrap();
    stage.library().await.unwrap();
    stage.rule(&destination).await.unwrap();
    let status = stage.until_status("a transfer", |status| status.state == ServiceState::Uploading).await.unwrap();
    let here = status.conditions.network.key.unwrap();

    for reason in [
        WaitingReason::BatteryLow,
        WaitingReason::DeviceBusy,
        WaitingReason::OutsideWindow,
        WaitingReason::UntrustedNetwork,
        WaitingReason::DataCapReached,
        WaitingReason::NotCharging,
        WaitingReason::PausedByUser,
    ] {
        let before = line.up();
        until("bytes on the line", async || Ok((line.up() > before).then_some(()))).await.unwrap();
        match reason {
            WaitingReason::BatteryLow => laptop.on_battery(true).await,
            WaitingReason::DeviceBusy => {
                stage.settings(|settings| settings.only_when_idle = true).await.unwrap();
                laptop.idle(false).await;
            }
            WaitingReason::OutsideWindow => {
                stage.settings(|settings| settings.timetable = "stop".parse().unwrap()).await.unwrap();
            }
            WaitingReason::UntrustedNetwork => {
                let rule = NetworkRule { key: here.clone(), name: "Home".to_owned(), access: NetworkAccess::Denied };
                stage.settings(|settings| settings.networks = vec![rule]).await.unwrap();
            }
            WaitingReason::DataCapReached => stage.settings(|settings| settings.bytes_per_day_max = Some(1)).await.unwrap(),
            WaitingReason::NotCharging => {
                stage.settings(|settings| settings.videos.requires_external_power = true).await.unwrap();
                stage.settings(|settings| settings.battery = BatteryRule::Always).await.unwrap();
                laptop.on_battery(true).await;
            }
            WaitingReason::PausedByUser => drop(stage.does(&["pause"]).await.unwrap()),
            other => panic!("{other:?} is not among them"),
        }
        if reason == WaitingReason::PausedByUser {
            stage.until_status("the pause", |status| status.state == ServiceState::Paused).await.unwrap();
        } else {
            stage.until_status(&format!("{reason:?}"), waits_for(reason)).await.unwrap();
        }
        // What is told is so: nothing is under way, and nothing goes while something else is asked and answered.
        let stopped = line.up();
        for _ in 0..5 {
            stage.does(&["why"]).await.unwrap();
        }
        assert_eq!(line.up(), stopped, "bytes went on under {reason:?}");
        laptop.on_battery(false).await;
        laptop.idle(true).await;
        stage
            .settings(|settings| {
                let speed = settings.bandwidth_bytes_per_s;
                *settings = Settings { bandwidth_bytes_per_s: speed, ..Settings::default() };
            })
            .await
            .unwrap();
        stage.does(&["resume"]).await.unwrap();
    }
    stage.settings(|settings| settings.bandwidth_bytes_per_s = None).await.unwrap();
    stage.delivered().await.unwrap();
    assert!(same(&stage.photos().join("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
}
