//! Power: UPower and the power profile.

use afterglow_model::PowerSource;

use crate::{
    bus::{Machine, offer, until},
    fakes::{DisplayDevice, OldPowerProfiles, PowerProfiles, UPower},
};

const UPOWER: &str = "/org/freedesktop/UPower";
const PROFILES: &str = "/org/freedesktop/UPower/PowerProfiles";
const OLD_PROFILES: &str = "/net/hadess/PowerProfiles";

#[tokio::test]
async fn upower_tells_when_the_charger_is_pulled() {
    let Some(machine) = Machine::start().await else { return };
    let upower = machine.system.peer().await;
    upower.object_server().at(UPOWER, UPower { on_battery: false }).await.unwrap();
    upower.object_server().at("/org/freedesktop/UPower/devices/DisplayDevice", DisplayDevice { percentage: 41.6 }).await.unwrap();
    offer(&upower, "org.freedesktop.UPower").await;
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    assert_eq!(conditions.borrow().power.source, PowerSource::Ac);
    assert!(conditions.borrow().power.level_percent.is_some());

    let object = upower.object_server().interface::<_, UPower>(UPOWER).await.unwrap();
    for (on_battery, expected) in [(true, PowerSource::Battery), (false, PowerSource::Ac)] {
        let mut state = object.get_mut().await;
        state.on_battery = on_battery;
        state.on_battery_changed(object.signal_emitter()).await.unwrap();
        drop(state);
        until(&mut conditions, "the change of the charger", |now| now.power.source == expected).await;
    }
}

#[tokio::test]
async fn power_saver_is_seen_under_the_new_name() {
    let Some(machine) = Machine::start().await else { return };
    let daemon = machine.system.peer().await;
    daemon.object_server().at(PROFILES, PowerProfiles("balanced")).await.unwrap();
    offer(&daemon, "org.freedesktop.UPower.PowerProfiles").await;
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    assert_eq!(conditions.borrow().power.power_saver, Some(false));

    let object = daemon.object_server().interface::<_, PowerProfiles>(PROFILES).await.unwrap();
    let mut state = object.get_mut().await;
    state.0 = "power-saver";
    state.active_profile_changed(object.signal_emitter()).await.unwrap();
    drop(state);
    until(&mut conditions, "power saver", |now| now.power.power_saver == Some(true)).await;
}

#[tokio::test]
async fn power_saver_is_seen_under_the_old_name_and_comes_and_goes_with_the_daemon() {
    let Some(machine) = Machine::start().await else { return };
    let sensors = machine.sensors().await;
    let mut conditions = sensors.conditions();
    assert_eq!(conditions.borrow().power.power_saver, None);

    let daemon = machine.system.peer().await;
    daemon.object_server().at(OLD_PROFILES, OldPowerProfiles("power-saver")).await.unwrap();
    offer(&daemon, "net.hadess.PowerProfiles").await;
    until(&mut conditions, "power saver", |now| now.power.power_saver == Some(true)).await;

    let object = daemon.object_server().interface::<_, OldPowerProfiles>(OLD_PROFILES).await.unwrap();
    let mut state = object.get_mut().await;
    state.0 = "performance";
    state.active_profile_changed(object.signal_emitter()).await.unwrap();
    drop(state);
    until(&mut conditions, "the end of power saver", |now| now.power.power_saver == Some(false)).await;

    daemon.close().await.unwrap();
    until(&mut conditions, "nobody who knows", |now| now.power.power_saver.is_none()).await;
}
