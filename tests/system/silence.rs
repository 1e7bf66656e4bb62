//! Every source of the buses, hung, absent and back again: what it would say is unknown, and the others are heard.

use afterglow_model::{Conditions, Metered, PowerSource, Reachability};
use tokio::task::JoinSet;

use crate::{
    bus::{Machine, offer, until},
    fakes::{DisplayDevice, LoginSession, Logind, NetworkManager, Portal, PowerProfiles, UPower},
};

/// A source by its name on the bus, and whether conditions say nothing that only it could know.
struct Source {
    name: &'static str,
    on_session_bus: bool,
    is_unknown: fn(&Conditions) -> bool,
}

static SOURCES: [Source; 5] = [
    // Without UPower the batteries speak for the charger.
    Source { name: "org.freedesktop.UPower", on_session_bus: false, is_unknown: |now| now.power.source != PowerSource::Battery },
    Source {
        name: "org.freedesktop.UPower.PowerProfiles",
        on_session_bus: false,
        is_unknown: |now| now.power.power_saver.is_none(),
    },
    Source {
        name: "org.freedesktop.NetworkManager",
        on_session_bus: false,
        is_unknown: |now| now.network.metered != Metered::GuessYes,
    },
    Source { name: "org.freedesktop.login1", on_session_bus: false, is_unknown: |now| now.session.locked.is_none() },
    Source {
        name: "org.freedesktop.portal.Desktop",
        on_session_bus: true,
        is_unknown: |now| now.network.reachability != Reachability::CaptivePortal,
    },
];

/// Puts a service with facts of its own on the machine, until the connection ends.
async fn serve(machine: &Machine, name: &'static str) -> zbus::Connection {
    let bus = if name == "org.freedesktop.portal.Desktop" { &machine.session } else { &machine.system };
    if name == "org.freedesktop.NetworkManager" {
        return NetworkManager::on_wifi(3).serve(bus, true).await.0;
    }
    let peer = bus.peer().await;
    let server = peer.object_server();
    match name {
        "org.freedesktop.UPower" => {
            server.at("/org/freedesktop/UPower", UPower { on_battery: true }).await.unwrap();
            let display = DisplayDevice { percentage: 50.0 };
            server.at("/org/freedesktop/UPower/devices/DisplayDevice", display).await.unwrap();
        }
        "org.freedesktop.UPower.PowerProfiles" => {
            server.at("/org/freedesktop/UPower/PowerProfiles", PowerProfiles("power-saver")).await.unwrap();
        }
        "org.freedesktop.login1" => {
            let (inhibitors, _) = tokio::sync::mpsc::unbounded_channel();
            server.at("/org/freedesktop/login1", Logind { inhibitors }).await.unwrap();
            server.at("/org/freedesktop/login1/session/auto", LoginSession { locked: true, idle: true }).await.unwrap();
        }
        "org.freedesktop.portal.Desktop" => {
            server.at("/org/freedesktop/portal/desktop", Portal { metered: false, connectivity: 3 }).await.unwrap();
        }
        other => panic!("no service is called {other}"),
    }
    offer(&peer, name).await;
    peer
}

#[tokio::test]
async fn a_source_that_hangs_is_unknown_and_the_others_are_heard() {
    SOURCES.iter().map(hangs).collect::<JoinSet<()>>().join_all().await;
}

async fn hangs(hung: &Source) {
    let Some(machine) = Machine::start().await else { return };
    let bus = if hung.on_session_bus { &machine.session } else { &machine.system };
    let _hung = bus.hung(hung.name).await;
    let (other, of_other): (_, fn(&Conditions) -> bool) = if hung.name == "org.freedesktop.UPower.PowerProfiles" {
        ("org.freedesktop.login1", |now| now.session.locked == Some(true))
    } else {
        ("org.freedesktop.UPower.PowerProfiles", |now| now.power.power_saver == Some(true))
    };
    let _other = serve(&machine, other).await;
    let sensors = machine.sensors().await;
    let now = sensors.conditions().borrow().clone();
    assert!((hung.is_unknown)(&now), "{} hangs: {now:?}", hung.name);
    assert!(of_other(&now), "{} hangs: {now:?}", hung.name);
    sensors.stop().await;
}

#[tokio::test]
async fn a_source_is_followed_as_it_goes_and_comes_back() {
    SOURCES.iter().map(goes_and_comes_back).collect::<JoinSet<()>>().join_all().await;
}

async fn goes_and_comes_back(source: &Source) {
    let Some(machine) = Machine::start().await else { return };
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    assert!((source.is_unknown)(&conditions.borrow()), "{} is absent", source.name);
    for round in 0..2 {
        let served = serve(&machine, source.name).await;
        until(&mut conditions, &format!("{}, round {round}", source.name), |now| !(source.is_unknown)(now)).await;
        served.close().await.unwrap();
        until(&mut conditions, &format!("the end of {}", source.name), |now| (source.is_unknown)(now)).await;
    }
    sensors.stop().await;
}
