//! Load and room: the kernel's averages and the disk of our state, looked at only while asked for.

use std::{fs, path::Path};

use afterglow_model::{Conditions, Resources};
use afterglow_system::{SensorOptions, Sensors};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::bus::{started, until};

fn pressure(proc_dir: &Path, percent: u8) {
    let line = format!("some avg10={percent}.00 avg60=0.00 avg300=0.00 total=1\n");
    fs::write(proc_dir.join("pressure/cpu"), line).unwrap();
}

/// Sensors on no bus, with files of the kernel of their own.
async fn sensors(proc_dir: &TempDir, state_dir: &Path) -> Sensors {
    fs::create_dir(proc_dir.path().join("pressure")).unwrap();
    pressure(proc_dir.path(), 81);
    let nowhere = Some("unix:path=/nowhere/bus".to_owned());
    started(SensorOptions {
        system_bus: nowhere.clone(),
        session_bus: nowhere,
        state_dir: Some(state_dir.to_owned()),
        proc_dir: Some(proc_dir.path().to_owned()),
    })
    .await
}

fn unknown() -> Resources {
    Conditions::unknown().resources
}

#[tokio::test]
async fn load_and_room_are_known_while_somebody_asks_and_unknown_otherwise() {
    let (proc_dir, state_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sensors = sensors(&proc_dir, state_dir.path()).await;
    let mut conditions = sensors.conditions();
    assert_eq!(conditions.borrow().resources, unknown());

    sensors.watch_resources(true);
    let seen = until(&mut conditions, "load and room", |now| now.resources != unknown()).await.resources;
    assert_eq!(seen.load_percent, Some(81));
    assert!(seen.state_free_bytes.is_some_and(|free| free % (1 << 20) == 0), "{seen:?}");

    sensors.watch_resources(false);
    until(&mut conditions, "that nobody asks", |now| now.resources == unknown()).await;
    pressure(proc_dir.path(), 7);
    sensors.watch_resources(true);
    until(&mut conditions, "the load as it is now", |now| now.resources.load_percent == Some(7)).await;
    sensors.stop().await;
}

#[tokio::test]
async fn a_folder_that_is_gone_is_unknown_and_the_load_is_not() {
    let (proc_dir, state_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sensors = sensors(&proc_dir, &state_dir.path().join("gone")).await;
    sensors.watch_resources(true);
    let seen = until(&mut sensors.conditions(), "the load", |now| now.resources != unknown()).await.resources;
    assert_eq!(seen, Resources { load_percent: Some(81), state_free_bytes: None });
}

#[tokio::test(start_paused = true)]
async fn load_and_room_are_looked_at_every_ten_seconds() {
    let (proc_dir, state_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sensors = sensors(&proc_dir, state_dir.path()).await;
    let mut conditions = sensors.conditions();
    sensors.watch_resources(true);
    until(&mut conditions, "the load", |now| now.resources.load_percent == Some(81)).await;
    for (load, expected) in [(20, Some(20)), (90, Some(90))] {
        let before = Instant::now();
        pressure(proc_dir.path(), load);
        until(&mut conditions, "the next look", |now| now.resources.load_percent == expected).await;
        let took = before.elapsed();
        assert!((9..=11).contains(&took.as_secs()), "looked again after {took:?}");
    }
}
