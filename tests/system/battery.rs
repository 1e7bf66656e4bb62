//! A battery, faked below the `battery` crate.

use std::{env, io::Write, process::Command};

use afterglow_model::PowerSource;

use crate::bus::{again, is_inside, sensors};

const LAPTOP: &str = "P: /devices/platform/BAT0/power_supply/BAT0
E: SUBSYSTEM=power_supply
E: POWER_SUPPLY_NAME=BAT0
A: type=Battery\\n
A: present=1\\n
A: scope=System\\n
A: status=STATUS\\n
A: energy_full_design=50000000\\n
A: energy_full=50000000\\n
A: energy_now=8500000\\n
A: power_now=10000000\\n
A: voltage_now=12000000\\n
A: voltage_min_design=11000000\\n
A: capacity=17\\n
A: technology=Li-ion\\n
";

/// Runs the test named `test` again under umockdev, and inside of it reads the power.
fn with_battery(test: &str, status: &str, expected: PowerSource) {
    if is_inside() {
        let nowhere = "unix:path=/nowhere/bus";
        let power = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let sensors = sensors(nowhere, nowhere).await;
            sensors.conditions().borrow().power.clone()
        });
        assert_eq!((power.source, power.level_percent), (expected, Some(17)));
        return;
    }
    let mut description = tempfile::NamedTempFile::new().unwrap();
    description.write_all(LAPTOP.replace("STATUS", status).as_bytes()).unwrap();
    let mut command = Command::new("umockdev-run");
    command.arg("-d").arg(description.path()).arg("--").arg(env::current_exe().unwrap());
    if let Err(error) = again(&mut command, test) {
        eprintln!("SKIPPED: umockdev-run cannot be started: {error}");
    }
}

#[test]
fn a_battery_that_is_emptied_is_seen_with_its_charge() {
    with_battery("battery::a_battery_that_is_emptied_is_seen_with_its_charge", "Discharging", PowerSource::Battery);
}

#[test]
fn a_battery_that_is_charged_means_the_charger() {
    with_battery("battery::a_battery_that_is_charged_means_the_charger", "Charging", PowerSource::Ac);
}
