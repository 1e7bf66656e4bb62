//! Every reason with what causes it and what lifts it.

use afterglow_model::{Metered, Override, OverrideScope, Pause, PauseUntil, Settings};
use rstest::rstest;

use super::*;
use crate::Hysteresis;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const HOUR_MS: i64 = 3_600_000;

/// Everything that the gate looks at. As made, nothing is known and nothing forbids.
struct World {
    priority: Priority,
    options: UploadJobOptions,
    destination: DestinationFacts,
    conditions: Conditions,
    settings: Settings,
    pause: Option<Pause>,
    overrides: Vec<Override>,
    hysteresis: Hysteresis,
}

impl World {
    fn new() -> Self {
        Self {
            priority: Priority::Backup,
            options: UploadJobOptions::default(),
            destination: DestinationFacts::unknown("archive".into()),
            conditions: Conditions::unknown(),
            settings: Settings::default(),
            pause: None,
            overrides: Vec::new(),
            hysteresis: Hysteresis::default(),
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut world = Self::new();
        change(&mut world);
        world
    }

    fn reasons_of(&self, job: Option<(&str, &str)>) -> Vec<Reason> {
        let job = job.map(|(job, batch)| (JobId::from(job), BatchId::from(batch)));
        let job = job.as_ref().map(|(job, batch)| (job, batch));
        let policy = Policy {
            settings: &self.settings,
            pause: self.pause.as_ref(),
            overrides: &self.overrides,
            hysteresis: self.hysteresis,
        };
        let now = Now { wall: NOW, boot_ms: 0 };
        reasons(self.priority, job, &self.options, &self.destination, &self.conditions, &policy, now)
    }

    fn waits_for(&self) -> Vec<WaitingReason> {
        self.reasons_of(Some(("job", "batch"))).into_iter().map(|found| found.reason).collect()
    }

    fn on_battery(&mut self, level: Option<u8>) {
        self.conditions.power.source = PowerSource::Battery;
        self.conditions.power.level_percent = level;
    }

    fn everything_the_rules_forbid(&mut self) {
        self.conditions.network.metered = Metered::Yes;
        self.conditions.network.key = Some("home".to_owned());
        self.conditions.power.power_saver = Some(true);
        self.on_battery(Some(10));
        self.options.requires_external_power = true;
        self.pause = Some(Pause { since: NOW.plus_ms(-HOUR_MS), until: PauseUntil::Resumed });
    }
}

fn anyway(scope: OverrideScope) -> Override {
    Override { scope, network_key: None, until: None, created_at: NOW }
}

type Change = fn(&mut World);

/// A situation, what causes it, the one reason it gives, and every single change that lifts it.
const REASONS: &[(&str, Change, WaitingReason, &[Change])] = &[
    (
        "no network",
        |w| w.conditions.network.reachability = Reachability::None,
        WaitingReason::NoNetwork,
        &[
            |w| w.conditions.network.reachability = Reachability::Full,
            |w| w.conditions.network.reachability = Reachability::Unknown,
            |w| w.destination.local = true,
        ],
    ),
    (
        "no internet",
        |w| w.conditions.network.reachability = Reachability::Limited,
        WaitingReason::NoNetwork,
        &[|w| w.conditions.network.reachability = Reachability::Full, |w| w.destination.local = true],
    ),
    (
        "captive portal",
        |w| w.conditions.network.reachability = Reachability::CaptivePortal,
        WaitingReason::CaptivePortal,
        &[|w| w.conditions.network.reachability = Reachability::Full, |w| w.destination.local = true],
    ),
    (
        "metered",
        |w| w.conditions.network.metered = Metered::Yes,
        WaitingReason::ExpensiveNetwork,
        &[|w| w.conditions.network.metered = Metered::No, |w| w.settings.allow_metered = true, |w| w.destination.local = true],
    ),
    (
        "metered by guess",
        |w| w.conditions.network.metered = Metered::GuessYes,
        WaitingReason::ExpensiveNetwork,
        &[|w| w.conditions.network.metered = Metered::GuessNo, |w| w.settings.allow_metered = true],
    ),
    (
        "metered binds the person's own",
        |w| {
            w.conditions.network.metered = Metered::Yes;
            w.priority = Priority::UserInitiated
        },
        WaitingReason::ExpensiveNetwork,
        &[|w| w.settings.allow_metered = true],
    ),
    (
        "metered by option",
        |w| {
            w.conditions.network.metered = Metered::Yes;
            w.settings.allow_metered = true;
            w.options.prevents_expensive_network_access = true
        },
        WaitingReason::ExpensiveNetwork,
        &[|w| w.options.prevents_expensive_network_access = false],
    ),
    (
        "battery low",
        |w| w.on_battery(Some(29)),
        WaitingReason::BatteryLow,
        &[
            |w| w.on_battery(Some(30)),
            |w| w.on_battery(None),
            |w| w.settings.battery = BatteryRule::Always,
            |w| w.priority = Priority::UserInitiated,
            |w| w.conditions.power.source = PowerSource::Ac,
            |w| w.conditions.power.source = PowerSource::Unknown,
        ],
    ),
    (
        "battery was low",
        |w| {
            w.hysteresis.low_percent = Some(29);
            w.on_battery(Some(32))
        },
        WaitingReason::BatteryLow,
        &[|w| w.on_battery(Some(33))],
    ),
    (
        "battery low by option",
        |w| {
            w.on_battery(Some(50));
            w.options.minimum_battery_percent = Some(60);
            w.priority = Priority::UserInitiated
        },
        WaitingReason::BatteryLow,
        &[|w| w.options.minimum_battery_percent = None, |w| w.on_battery(Some(60))],
    ),
    (
        "only plugged in",
        |w| {
            w.on_battery(Some(99));
            w.settings.battery = BatteryRule::OnlyPluggedIn
        },
        WaitingReason::NotCharging,
        &[
            |w| w.conditions.power.source = PowerSource::Ac,
            |w| w.conditions.power.source = PowerSource::Unknown,
            |w| w.priority = Priority::UserInitiated,
        ],
    ),
    (
        "plugged in by option",
        |w| {
            w.on_battery(Some(99));
            w.options.requires_external_power = true;
            w.priority = Priority::UserInitiated
        },
        WaitingReason::NotCharging,
        &[|w| w.conditions.power.source = PowerSource::Ac, |w| w.options.requires_external_power = false],
    ),
    (
        "power saver",
        |w| w.conditions.power.power_saver = Some(true),
        WaitingReason::PowerSaver,
        &[
            |w| w.conditions.power.power_saver = Some(false),
            |w| w.conditions.power.power_saver = None,
            |w| w.settings.allow_power_saver = true,
            |w| w.priority = Priority::UserInitiated,
        ],
    ),
    (
        "paused",
        |w| w.pause = Some(Pause { since: NOW, until: PauseUntil::Resumed }),
        WaitingReason::PausedByUser,
        &[|w| w.pause = None],
    ),
    (
        "paused for the person's own too",
        |w| {
            w.pause = Some(Pause { since: NOW, until: PauseUntil::Resumed });
            w.priority = Priority::UserInitiated
        },
        WaitingReason::PausedByUser,
        &[|w| w.pause = None],
    ),
    (
        "paused for a time",
        |w| w.pause = Some(Pause { since: NOW, until: PauseUntil::Time { at: NOW.plus_ms(1) } }),
        WaitingReason::PausedByUser,
        &[
            |w| w.pause = Some(Pause { since: NOW.plus_ms(-1), until: PauseUntil::Time { at: NOW } }),
            |w| {
                w.pause =
                    Some(Pause { since: NOW.plus_ms(9000 * HOUR_MS), until: PauseUntil::Time { at: NOW.plus_ms(9001 * HOUR_MS) } })
            },
        ],
    ),
    (
        "paused until plugged in",
        |w| w.pause = Some(Pause { since: NOW, until: PauseUntil::PluggedIn }),
        WaitingReason::PausedByUser,
        &[|w| w.conditions.power.source = PowerSource::Ac],
    ),
    (
        "suspending",
        |w| w.conditions.session.suspending = true,
        WaitingReason::Suspending,
        &[|w| w.conditions.session.suspending = false],
    ),
    (
        "auth required",
        |w| w.destination.state = DestinationState::AuthRequired,
        WaitingReason::AuthRequired,
        &[|w| w.destination.state = DestinationState::Ready],
    ),
    (
        "quota exceeded",
        |w| w.destination.state = DestinationState::QuotaExceeded,
        WaitingReason::QuotaExceeded,
        &[|w| w.destination.state = DestinationState::Ready],
    ),
    (
        "destination unreachable",
        |w| w.destination.not_before = Some(NOW.plus_ms(1)),
        WaitingReason::DestinationUnreachable,
        &[
            |w| w.destination.not_before = Some(NOW),
            |w| w.destination.not_before = None,
            |w| w.destination.not_before = Some(NOW.plus_ms(crate::LONGEST_WAIT_MS + 1)),
        ],
    ),
];

#[test]
fn a_reason_holds_until_it_is_lifted() {
    for (situation, cause, reason, lifts) in REASONS {
        assert_eq!(World::with(cause).waits_for(), [*reason], "{situation}");
        for (index, lift) in lifts.iter().enumerate() {
            let mut world = World::with(cause);
            lift(&mut world);
            assert_eq!(world.waits_for(), [], "{situation}, lift {index}");
        }
    }
}

#[test]
fn unknown_facts_never_wait() {
    for battery in [BatteryRule::Always, BatteryRule::AboveMinimum, BatteryRule::OnlyPluggedIn] {
        let world = World::with(|w| {
            w.settings.battery = battery;
            w.options = UploadJobOptions {
                prevents_expensive_network_access: true,
                requires_external_power: true,
                minimum_battery_percent: Some(100),
            };
        });
        assert_eq!(world.waits_for(), []);
    }
}

#[test]
fn the_strongest_reason_comes_first() {
    let world = World::with(|w| {
        w.everything_the_rules_forbid();
        w.conditions.network.reachability = Reachability::None;
        w.destination.state = DestinationState::AuthRequired;
        w.conditions.session.suspending = true;
    });
    use WaitingReason::{AuthRequired, BatteryLow, ExpensiveNetwork, NoNetwork, NotCharging, PausedByUser, PowerSaver, Suspending};
    let all = [PausedByUser, Suspending, NoNetwork, AuthRequired, ExpensiveNetwork, NotCharging, BatteryLow, PowerSaver];
    assert_eq!(world.waits_for(), all);
}

#[rstest]
#[case::hour(OverrideScope::Hour, true)]
#[case::its_job(OverrideScope::Job { job_id: "job".into() }, true)]
#[case::its_batch(OverrideScope::Batch { batch_id: "batch".into() }, true)]
#[case::another_job(OverrideScope::Job { job_id: "other".into() }, false)]
#[case::another_batch(OverrideScope::Batch { batch_id: "other".into() }, false)]
fn upload_anyway_lifts_the_rules_for_what_it_covers(#[case] scope: OverrideScope, #[case] lifted: bool) {
    let mut world = World::with(World::everything_the_rules_forbid);
    let before = world.waits_for();
    assert!(before.iter().all(|reason| reason.can_override()) && before.len() == 5);
    world.overrides = vec![anyway(scope)];
    assert_eq!(world.waits_for(), if lifted { Vec::new() } else { before });
}

#[test]
fn upload_anyway_never_lifts_what_cannot_work() {
    let mut world = World::with(|w| {
        w.conditions.network.reachability = Reachability::None;
        w.conditions.session.suspending = true;
        w.destination.state = DestinationState::QuotaExceeded;
        w.destination.not_before = Some(NOW.plus_ms(1));
    });
    let before = world.waits_for();
    world.overrides = vec![anyway(OverrideScope::Hour)];
    assert_eq!(world.waits_for(), before);
    assert!(before.iter().all(|reason| !reason.can_override()));
}

#[test]
fn a_lane_as_a_whole_is_lifted_by_what_covers_all_of_it() {
    let mut world = World::with(World::everything_the_rules_forbid);
    world.overrides = vec![anyway(OverrideScope::Batch { batch_id: "batch".into() })];
    assert!(!world.reasons_of(None).is_empty());
    world.overrides = vec![anyway(OverrideScope::Hour)];
    assert_eq!(world.reasons_of(None), []);
}

#[test]
fn an_hour_ends() {
    let given = |until: i64| Override {
        until: Some(NOW.plus_ms(until)),
        created_at: NOW.plus_ms(until - HOUR_MS),
        ..anyway(OverrideScope::Hour)
    };
    let mut world = World::with(|w| w.conditions.network.metered = Metered::Yes);
    world.overrides = vec![given(1)];
    assert_eq!(world.waits_for(), []);
    world.overrides = vec![given(0)];
    assert_eq!(world.waits_for(), [WaitingReason::ExpensiveNetwork]);
    world.overrides = vec![given(9000 * HOUR_MS)];
    assert_eq!(world.waits_for(), [WaitingReason::ExpensiveNetwork], "given before the clock was set back");
}

#[rstest]
#[case::same(Some("home"), Some("home"), true, false)]
#[case::another(Some("home"), Some("train"), false, true)]
#[case::between_networks(Some("home"), None, false, false)]
#[case::never_known(None, None, false, true)]
fn a_network_s_override_lasts_as_long_as_the_network(
    #[case] bound: Option<&str>,
    #[case] present: Option<&str>,
    #[case] lifted: bool,
    #[case] over: bool,
) {
    let given = Override { network_key: bound.map(str::to_owned), ..anyway(OverrideScope::Network) };
    let mut world = World::with(|w| w.conditions.network.metered = Metered::Yes);
    world.conditions.network.key = present.map(str::to_owned);
    world.overrides = vec![given.clone()];
    assert_eq!(world.waits_for().is_empty(), lifted);
    assert_eq!(crate::expired(&given, &world.conditions, Now { wall: NOW, boot_ms: 0 }), over);
}

#[test]
fn of_pause_and_upload_anyway_the_later_word_counts() {
    let mut world = World::with(|w| w.conditions.network.metered = Metered::Yes);
    world.overrides = vec![anyway(OverrideScope::Hour)];
    world.pause = Some(Pause { since: NOW, until: PauseUntil::Resumed });
    assert_eq!(world.waits_for(), []);
    world.pause = Some(Pause { since: NOW.plus_ms(1), until: PauseUntil::Resumed });
    assert_eq!(world.waits_for(), [WaitingReason::PausedByUser]);
}

#[test]
fn the_end_is_said_where_it_is_known() {
    let at = NOW.plus_ms(HOUR_MS);
    let world = World::with(|w| {
        w.pause = Some(Pause { since: NOW, until: PauseUntil::Time { at } });
        w.destination.not_before = Some(at.plus_ms(1));
        w.conditions.network.metered = Metered::Yes;
    });
    let ends: Vec<_> = world.reasons_of(None).into_iter().map(|found| found.until).collect();
    assert_eq!(ends, [Some(at), Some(at.plus_ms(1)), None]);
}

#[test]
fn an_app_and_a_job_can_only_be_stricter() {
    let app = UploadJobOptions { minimum_battery_percent: Some(50), requires_external_power: true, ..UploadJobOptions::default() };
    let job = UploadJobOptions {
        minimum_battery_percent: Some(40),
        prevents_expensive_network_access: true,
        ..UploadJobOptions::default()
    };
    let both = UploadJobOptions {
        prevents_expensive_network_access: true,
        requires_external_power: true,
        minimum_battery_percent: Some(50),
    };
    assert_eq!(crate::strictest(&app, &job), both);
    assert_eq!(crate::strictest(&job, &app), both);
}
