//! A battery, faked below the `battery` crate.

use std::{env, io::Write, process::Command};

use afterglow_model::PowerSource;

use crate::bus::{again, is_inside, sensors};

const BATTERY: &str = "P: /devices/platform/NAME/power_supply/NAME
E: SUBSYSTEM=power_supply
E: POWER_SUPPLY_NAME=NAME
A: type=Battery\\n
A: present=1\\n
A: scope=System\\n
A: status=STATUS\\n
A: energy_full_design=50000000\\n
A: energy_full=50000000\\n
A: energy_now=ENERGY\\n
A: power_now=10000000\\n
A: voltage_now=12000000\\n
A: voltage_min_design=11000000\\n
A: capacity=CHARGE\\n
A: technology=Li-ion\\n
";

/// A battery in a state of the kernel's, with its charge in percent.
fn battery(name: &str, status: &str, charge: u32) -> String {
    let energy = (charge * 500_000).to_string();
    let filled = BATTERY.replace("NAME", name).replace("STATUS", status).replace("ENERGY", &energy);
    filled.replace("CHARGE", &charge.to_string())
}

/// Runs the test named `test` again under umockdev with these batteries, and inside of it reads the power.
fn with_batteries(test: &str, batteries: &[String], expected: PowerSource, level_percent: Option<u8>) {
    if is_inside() {
        let nowhere = "unix:path=/nowhere/bus";
        let power = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let sensors = sensors(nowhere, nowhere).await;
            sensors.conditions().borrow().power.clone()
        });
        assert_eq!((power.source, power.level_percent), (expected, level_percent));
        return;
    }
    let mut description = tempfile::NamedTempFile::new().unwrap();
    description.write_all(batteries.join("\n").as_bytes()).unwrap();
    let mut command = Command::new("umockdev-run");
    command.arg("-d").arg(description.path()).arg("--").arg(env::current_exe().unwrap());
    if let Err(error) = again(&mut command, test) {
        eprintln!("SKIPPED: umockdev-run cannot be started: {error}");
    }
}

#[test]
fn a_battery_that_is_emptied_is_seen_with_its_charge() {
    let test = "battery::a_battery_that_is_emptied_is_seen_with_its_charge";
    with_batteries(test, &[battery("BAT0", "Discharging", 17)], PowerSource::Battery, Some(17));
}

#[test]
fn a_battery_that_is_charged_means_the_charger() {
    let test = "battery::a_battery_that_is_charged_means_the_charger";
    with_batteries(test, &[battery("BAT0", "Charging", 17)], PowerSource::Ac, Some(17));
}

#[test]
fn of_several_batteries_the_emptied_one_decides_and_the_emptiest_gives_the_charge() {
    let test = "battery::of_several_batteries_the_emptied_one_decides_and_the_emptiest_gives_the_charge";
    let both = [battery("BAT0", "Full", 98), battery("BAT1", "Discharging", 23)];
    with_batteries(test, &both, PowerSource::Battery, Some(23));
}

#[test]
fn a_machine_without_a_battery_is_plugged_in() {
    with_batteries("battery::a_machine_without_a_battery_is_plugged_in", &[], PowerSource::Ac, None);
}
