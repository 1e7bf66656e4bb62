//! The machine's moods: a network that costs, a system that saves power.

use afterglow_model::{ServiceState, Status, WaitingReason};
use afterglow_tests::{
    process::until,
    proxy::Proxy,
    stage::{Stage, photo, same},
};
use url::Url;

use crate::{
    bus::Bus,
    fakes::{NetworkManager, PowerProfiles, set_metered},
};

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
