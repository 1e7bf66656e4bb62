//! Sleep, shutdown and lock, by logind.

use std::os::fd::OwnedFd;

use afterglow_system::Sensors;
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use zbus::Connection;

use crate::{
    bus::{Machine, PATIENCE, offer, until},
    fakes::{LoginSession, Logind},
};

const MANAGER: &str = "/org/freedesktop/login1";
const SESSION: &str = "/org/freedesktop/login1/session/auto";

struct Fixture {
    machine: Machine,
    logind: Connection,
    inhibitors: UnboundedReceiver<(String, OwnedFd)>,
    sensors: Sensors,
}

async fn logind(machine: &Machine, inhibitors: UnboundedSender<(String, OwnedFd)>) -> Connection {
    let logind = machine.system.peer().await;
    logind.object_server().at(MANAGER, Logind { inhibitors }).await.unwrap();
    logind.object_server().at(SESSION, LoginSession { locked: false, idle: false }).await.unwrap();
    offer(&logind, "org.freedesktop.login1").await;
    logind
}

async fn start() -> Option<Fixture> {
    let machine = Machine::start().await?;
    let (inhibitors, taken) = unbounded_channel();
    let logind = logind(&machine, inhibitors).await;
    let sensors = machine.sensors().await;
    Some(Fixture { machine, logind, inhibitors: taken, sensors })
}

impl Fixture {
    async fn announce(&self, sleep: bool) {
        let manager = self.logind.object_server().interface::<_, Logind>(MANAGER).await.unwrap();
        Logind::prepare_for_sleep(manager.signal_emitter(), sleep).await.unwrap();
    }

    async fn announce_end(&self, end: bool) {
        let manager = self.logind.object_server().interface::<_, Logind>(MANAGER).await.unwrap();
        Logind::prepare_for_shutdown(manager.signal_emitter(), end).await.unwrap();
    }

    async fn inhibitor(&mut self) -> pipe::Receiver {
        self.inhibitor_for("sleep:shutdown:delay").await
    }

    async fn inhibitor_for(&mut self, expected: &str) -> pipe::Receiver {
        let (what, fd) = timeout(PATIENCE, self.inhibitors.recv()).await.expect("an inhibitor is taken").unwrap();
        assert_eq!(what, expected);
        pipe::Receiver::from_owned_fd(fd).unwrap()
    }
}

/// The pipe ends once its other end, the inhibitor, is closed.
async fn released(inhibitor: &mut pipe::Receiver) {
    let read = timeout(PATIENCE, inhibitor.read_u8()).await.expect("the inhibitor is given back");
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn the_machine_is_held_awake_until_the_service_is_ready() {
    let Some(mut fixture) = start().await else { return };
    let mut conditions = fixture.sensors.conditions();
    assert_eq!(conditions.borrow().session.locked, Some(false));
    for _ in 0..2 {
        let mut inhibitor = fixture.inhibitor().await;
        fixture.announce(true).await;
        until(&mut conditions, "sleep", |now| now.session.suspending).await;
        fixture.sensors.ready_to_sleep();
        released(&mut inhibitor).await;
        fixture.announce(false).await;
        until(&mut conditions, "the end of sleep", |now| !now.session.suspending).await;
    }
}

#[tokio::test]
async fn the_machine_is_not_held_awake_for_ever() {
    let Some(mut fixture) = start().await else { return };
    let mut inhibitor = fixture.inhibitor().await;
    fixture.announce(true).await;
    released(&mut inhibitor).await;
}

#[tokio::test]
async fn the_machine_ends_once_the_service_is_ready_and_goes_on_if_that_is_taken_back() {
    let Some(mut fixture) = start().await else { return };
    let mut conditions = fixture.sensors.conditions();
    assert!(!conditions.borrow().session.ending);
    for _ in 0..2 {
        let mut inhibitor = fixture.inhibitor().await;
        fixture.announce_end(true).await;
        until(&mut conditions, "the end", |now| now.session.ending && !now.session.suspending).await;
        fixture.sensors.ready_to_sleep();
        released(&mut inhibitor).await;
        fixture.announce_end(false).await;
        until(&mut conditions, "that it goes on", |now| !now.session.ending).await;
    }
}

#[tokio::test]
async fn the_end_is_not_held_up_for_ever() {
    let Some(mut fixture) = start().await else { return };
    let mut inhibitor = fixture.inhibitor().await;
    fixture.announce_end(true).await;
    released(&mut inhibitor).await;
}

#[tokio::test]
async fn a_logind_that_comes_back_is_asked_again() {
    let Some(mut fixture) = start().await else { return };
    let mut conditions = fixture.sensors.conditions();
    let mut first = fixture.inhibitor().await;
    fixture.logind.clone().close().await.unwrap();
    until(&mut conditions, "nobody who knows", |now| now.session.locked.is_none()).await;
    released(&mut first).await;
    let (inhibitors, taken) = unbounded_channel();
    (fixture.logind, fixture.inhibitors) = (logind(&fixture.machine, inhibitors).await, taken);
    until(&mut conditions, "the new logind", |now| now.session.locked == Some(false)).await;
    let mut second = fixture.inhibitor().await;
    fixture.announce_end(true).await;
    until(&mut conditions, "the end", |now| now.session.ending).await;
    fixture.sensors.ready_to_sleep();
    released(&mut second).await;
}

#[tokio::test]
async fn a_logind_that_vanishes_leaves_nobody_asleep() {
    let Some(mut fixture) = start().await else { return };
    let _inhibitor = fixture.inhibitor().await;
    let mut conditions = fixture.sensors.conditions();
    fixture.announce(true).await;
    until(&mut conditions, "sleep", |now| now.session.suspending).await;
    fixture.logind.clone().close().await.unwrap();
    until(&mut conditions, "nobody who knows", |now| !now.session.suspending && now.session.locked.is_none()).await;
}

#[tokio::test]
async fn the_lock_is_seen() {
    let Some(fixture) = start().await else { return };
    let object = fixture.logind.object_server().interface::<_, LoginSession>(SESSION).await.unwrap();
    let mut state = object.get_mut().await;
    state.locked = true;
    state.locked_hint_changed(object.signal_emitter()).await.unwrap();
    drop(state);
    until(&mut fixture.sensors.conditions(), "the lock", |now| now.session.locked == Some(true)).await;
}

#[tokio::test]
async fn that_nobody_uses_the_computer_is_seen() {
    let Some(fixture) = start().await else { return };
    assert_eq!(fixture.sensors.conditions().borrow().session.idle, Some(false));
    let object = fixture.logind.object_server().interface::<_, LoginSession>(SESSION).await.unwrap();
    let mut state = object.get_mut().await;
    state.idle = true;
    state.idle_hint_changed(object.signal_emitter()).await.unwrap();
    drop(state);
    until(&mut fixture.sensors.conditions(), "nobody", |now| now.session.idle == Some(true)).await;
}

#[tokio::test]
async fn the_machine_is_kept_from_sleeping_by_itself_only_while_that_is_wanted() {
    let Some(mut fixture) = start().await else { return };
    let _delay = fixture.inhibitor().await;
    fixture.sensors.keep_awake(true);
    let mut block = fixture.inhibitor_for("idle:block").await;
    fixture.sensors.keep_awake(false);
    released(&mut block).await;
}
