//! Network: NetworkManager, the portal, neither.

use afterglow_model::{Metered, NetworkKind, Reachability};

use crate::{
    bus::{Machine, offer, sensors, until},
    fakes::{NetworkManager, Portal, set_connectivity, set_metered},
};

#[tokio::test]
async fn network_manager_is_read_and_followed() {
    let Some(machine) = Machine::start().await else { return };
    let (_nm, manager) = NetworkManager::on_wifi(2).serve(&machine.system, true).await;
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();

    let network = conditions.borrow().network.clone();
    assert_eq!((network.reachability, network.metered, network.kind), (Reachability::Full, Metered::No, NetworkKind::Wifi));
    assert_eq!((network.name.as_deref(), network.key.as_deref()), (Some("Home"), Some("connection:8a4b")));

    set_metered(&manager, 3).await;
    until(&mut conditions, "a guess that it is metered", |now| now.network.metered == Metered::GuessYes).await;
    set_metered(&manager, 2).await;
    until(&mut conditions, "the end of metered", |now| now.network.metered == Metered::No).await;
    set_connectivity(&manager, 2).await;
    until(&mut conditions, "the sign-in page", |now| now.network.reachability == Reachability::CaptivePortal).await;
    set_connectivity(&manager, 1).await;
    until(&mut conditions, "no way out", |now| now.network.reachability == Reachability::None).await;
    sensors.stop().await;
}

#[tokio::test]
async fn a_network_is_named_and_told_from_others_whatever_carries_it() {
    let kinds = [("802-3-ethernet", NetworkKind::Wired), ("gsm", NetworkKind::Cellular), ("wireguard", NetworkKind::Vpn)];
    for (kind, expected) in kinds {
        let Some(machine) = Machine::start().await else { return };
        let _nm = NetworkManager::on(kind).serve(&machine.system, true).await;
        let sensors = machine.sensors().await;
        let network = sensors.conditions().borrow().network.clone();
        assert_eq!((network.kind, network.metered), (expected, Metered::GuessNo), "{kind}");
        assert_eq!((network.name.as_deref(), network.key.as_deref()), (Some("Office"), Some("connection:77c0")), "{kind}");
    }
}

#[tokio::test]
async fn a_flapping_network_stays_metered() {
    let Some(machine) = Machine::start().await else { return };
    let (_nm, manager) = NetworkManager::on_wifi(1).serve(&machine.system, true).await;
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    assert!(conditions.borrow_and_update().network.metered.is_metered());

    for _ in 0..50 {
        set_metered(&manager, 2).await;
        set_metered(&manager, 1).await;
    }
    // A change of another fact proves that all of the above was seen.
    set_connectivity(&manager, 3).await;
    let changed = async {
        loop {
            conditions.changed().await.unwrap();
            let now = conditions.borrow_and_update().clone();
            assert!(now.network.metered.is_metered());
            if now.network.reachability == Reachability::Limited {
                return;
            }
        }
    };
    tokio::time::timeout(crate::bus::PATIENCE, changed).await.unwrap();
}

#[tokio::test]
async fn network_manager_may_restart() {
    let Some(machine) = Machine::start().await else { return };
    let (first, _) = NetworkManager::on_wifi(1).serve(&machine.system, true).await;
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    assert_eq!(conditions.borrow().network.metered, Metered::Yes);

    first.close().await.unwrap();
    until(&mut conditions, "nobody who knows", |now| now.network.metered == Metered::Unknown).await;
    let _second = NetworkManager::on_wifi(3).serve(&machine.system, true).await;
    until(&mut conditions, "the new NetworkManager", |now| now.network.metered == Metered::GuessYes).await;
}

#[tokio::test]
async fn network_manager_does_not_speak_for_an_interface_it_leaves_alone() {
    let Some(machine) = Machine::start().await else { return };
    let has_default = machine.sensors().await.conditions().borrow().network.key.is_some();
    if !has_default {
        eprintln!("SKIPPED: this machine has no default interface");
        return;
    }
    for (managed, expected) in [(true, Reachability::None), (false, Reachability::Unknown)] {
        let (nm, _) = NetworkManager::offline().serve(&machine.system, managed).await;
        let sensors = machine.sensors().await;
        // Before the interface was read, NetworkManager's word is all there is.
        until(&mut sensors.conditions(), "the reachability", |now| now.network.reachability == expected).await;
        nm.close().await.unwrap();
    }
}

#[tokio::test]
async fn without_network_manager_the_portal_speaks() {
    let Some(machine) = Machine::start().await else { return };
    let portal = machine.session.peer().await;
    portal.object_server().at("/org/freedesktop/portal/desktop", Portal { metered: true, connectivity: 4 }).await.unwrap();
    offer(&portal, "org.freedesktop.portal.Desktop").await;
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    let network = conditions.borrow().network.clone();
    assert_eq!((network.reachability, network.metered), (Reachability::Full, Metered::Yes));

    let object = portal.object_server().interface::<_, Portal>("/org/freedesktop/portal/desktop").await.unwrap();
    object.get_mut().await.connectivity = 3;
    Portal::changed(object.signal_emitter()).await.unwrap();
    until(&mut conditions, "the sign-in page", |now| now.network.reachability == Reachability::CaptivePortal).await;

    // NetworkManager comes late, and is believed.
    let _nm = NetworkManager::on_wifi(2).serve(&machine.system, true).await;
    until(&mut conditions, "NetworkManager's word", |now| now.network.metered == Metered::No).await;
}

#[tokio::test]
async fn a_network_manager_that_hangs_is_unknown_and_holds_up_nobody() {
    let Some(machine) = Machine::start().await else { return };
    let _hung = machine.system.hung("org.freedesktop.NetworkManager").await;
    let profiles = machine.system.peer().await;
    profiles.object_server().at("/org/freedesktop/UPower/PowerProfiles", crate::fakes::PowerProfiles("power-saver")).await.unwrap();
    offer(&profiles, "org.freedesktop.UPower.PowerProfiles").await;
    let sensors = machine.sensors().await;
    let now = sensors.conditions().borrow().clone();
    assert_eq!(now.network.metered, Metered::Unknown);
    assert_eq!(now.power.power_saver, Some(true));
    sensors.stop().await;
}

#[tokio::test]
async fn without_any_service_nothing_is_claimed() {
    let Some(machine) = Machine::start().await else { return };
    let sensors = machine.sensors().await;
    let now = sensors.conditions().borrow().clone();
    assert_eq!(now.network.metered, Metered::Unknown);
    assert!(matches!(now.network.reachability, Reachability::Unknown | Reachability::None));
    assert_eq!((now.power.power_saver, now.session.locked, now.session.suspending), (None, None, false));
}

#[tokio::test]
async fn buses_that_are_missing_or_silent_hold_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let silent = dir.path().join("silent");
    let _listener = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    let missing = format!("unix:path={}/missing", dir.path().display());
    let sensors = sensors(&missing, &format!("unix:path={}", silent.display())).await;
    assert_eq!(sensors.conditions().borrow().network.metered, Metered::Unknown);
    sensors.stop().await;
}

#[tokio::test]
async fn a_bus_that_dies_takes_its_facts_with_it() {
    let Some(mut machine) = Machine::start().await else { return };
    let _nm = NetworkManager::on_wifi(1).serve(&machine.system, true).await;
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    assert_eq!(conditions.borrow().network.metered, Metered::Yes);
    let Some(other) = crate::bus::Bus::start().await else { return };
    drop(std::mem::replace(&mut machine.system, other));
    until(&mut conditions, "nobody who knows", |now| now.network.metered == Metered::Unknown).await;
}
