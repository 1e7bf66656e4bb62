//! The kernel's interfaces and its word of their changes, in a network of the test's own. No service speaks for it.

use std::{env, process::Command};

use afterglow_model::{NetworkKind, Reachability};

use crate::bus::{again, is_inside, sensors, until};

/// Root in a network of its own, with `/sys` showing that network.
fn alone(program: &str) -> Command {
    let mut command = Command::new("unshare");
    let within = r#"mount -t sysfs none /sys && exec "$0" "$@""#;
    command.args(["--net", "--mount", "--map-root-user", "sh", "-c", within, program]);
    command
}

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_network_that_comes_changes_and_goes_is_seen_by_the_kernel_s_word() {
    if is_inside() {
        return tokio::runtime::Runtime::new().unwrap().block_on(comes_changes_and_goes());
    }
    let possible = alone("ip").args(["tuntap", "add", "dev", "tun9", "mode", "tun"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no network of the test's own can be made here");
        return;
    }
    let mut inside = alone(env::current_exe().unwrap().to_str().unwrap());
    again(&mut inside, "interfaces::a_network_that_comes_changes_and_goes_is_seen_by_the_kernel_s_word").unwrap();
}

async fn comes_changes_and_goes() {
    let nowhere = "unix:path=/nowhere/bus";
    let sensors = sensors(nowhere, nowhere).await;
    let mut conditions = sensors.conditions();
    assert_eq!(conditions.borrow().network.reachability, Reachability::None);

    ip("link add wire0 type veth peer name wire1");
    ip("link set wire1 up");
    ip("link set wire0 up");
    ip("addr add 10.9.0.2/24 dev wire0");
    ip("route add default via 10.9.0.1");
    let name = |now: &afterglow_model::Conditions| now.network.name.clone();
    let wire = until(&mut conditions, "the cable", |now| name(now).as_deref() == Some("wire0")).await.network;
    assert_eq!((wire.reachability, wire.kind), (Reachability::Unknown, NetworkKind::Wired));
    assert_eq!(wire.key.as_deref(), Some("gateway:10.9.0.1"));

    ip("tuntap add dev tun0 mode tun");
    ip("addr add 10.8.0.2/24 dev tun0");
    ip("link set tun0 up");
    ip("route replace default dev tun0");
    let tunnel = until(&mut conditions, "the tunnel", |now| name(now).as_deref() == Some("tun0")).await.network;
    assert_eq!(tunnel.kind, NetworkKind::Vpn);

    ip("link del tun0");
    ip("link del wire0");
    until(&mut conditions, "no way out", |now| now.network.reachability == Reachability::None).await;
    sensors.stop().await;
}
