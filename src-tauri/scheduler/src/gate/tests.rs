//! Every reason with what causes it and what lifts it.

use afterglow_model::{
    Metered, NetworkAccess, NetworkKind, NetworkRule, Override, OverrideScope, Pause, PauseUntil, Settings, Timetable,
    UserInitiatedRules,
};
use rstest::rstest;

use super::*;
use crate::{Local, Memory};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const HOUR_MS: i64 = 3_600_000;
const MONDAY_NOON: u16 = 12 * 60;

/// Everything that the gate looks at. As made, nothing is known and nothing forbids.
struct World {
    priority: Priority,
    options: UploadJobOptions,
    destination: DestinationFacts,
    conditions: Conditions,
    settings: Settings,
    pause: Option<Pause>,
    overrides: Vec<Override>,
    memory: Memory,
    bytes_today: u64,
    minute_of_week: u16,
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
            memory: Memory::default(),
            bytes_today: 0,
            minute_of_week: MONDAY_NOON,
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
            bytes_today: self.bytes_today,
            memory: self.memory,
        };
        let now = Now { wall: NOW, boot_ms: 0, local: Local { minute_of_week: self.minute_of_week, ..Local::default() } };
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
        self.settings.spare_load = true;
        self.conditions.resources.load_percent = Some(100);
        self.pause = Some(Pause { since: NOW.plus_ms(-HOUR_MS), until: PauseUntil::Resumed });
    }
}

fn anyway(scope: OverrideScope) -> Override {
    Override { scope, network_key: None, until: None, created_at: NOW }
}

fn named(key: &str, access: NetworkAccess) -> NetworkRule {
    NetworkRule { key: key.to_owned(), name: key.to_owned(), access }
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
            w.memory.low_percent = Some(29);
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
        "a denied network",
        |w| {
            w.settings.networks = vec![named("cafe", NetworkAccess::Denied)];
            w.conditions.network.key = Some("cafe".to_owned());
            w.priority = Priority::UserInitiated
        },
        WaitingReason::UntrustedNetwork,
        &[
            |w| w.conditions.network.key = Some("home".to_owned()),
            |w| w.conditions.network.key = None,
            |w| w.settings.networks.clear(),
            |w| w.destination.local = true,
        ],
    ),
    (
        "only allowed networks",
        |w| {
            w.settings.networks = vec![named("home", NetworkAccess::Allowed)];
            w.settings.only_allowed_networks = true
        },
        WaitingReason::UntrustedNetwork,
        &[|w| w.conditions.network.key = Some("home".to_owned()), |w| w.settings.only_allowed_networks = false],
    ),
    (
        "metered, and not the one that is allowed",
        |w| {
            w.settings.networks = vec![named("phone", NetworkAccess::Allowed)];
            w.conditions.network.metered = Metered::Yes
        },
        WaitingReason::ExpensiveNetwork,
        &[|w| w.conditions.network.key = Some("phone".to_owned())],
    ),
    (
        "a tunnel",
        |w| {
            w.settings.allow_vpn = false;
            w.conditions.network.kind = NetworkKind::Vpn
        },
        WaitingReason::UntrustedNetwork,
        &[|w| w.settings.allow_vpn = true, |w| w.conditions.network.kind = NetworkKind::Wifi],
    ),
    (
        "trusted by option",
        |w| w.options.trusted_networks = vec!["office".to_owned()],
        WaitingReason::UntrustedNetwork,
        &[|w| w.conditions.network.key = Some("office".to_owned()), |w| w.options.trusted_networks.clear()],
    ),
    (
        "outside the hours",
        |w| w.settings.timetable = "09:00,stop 17:00,off".parse().unwrap(),
        WaitingReason::OutsideWindow,
        &[
            |w| w.minute_of_week = 17 * 60,
            |w| w.settings.timetable = Timetable::default(),
            |w| w.priority = Priority::UserInitiated,
        ],
    ),
    (
        "outside the hours binds the person's own if they say so",
        |w| {
            w.settings.timetable = "stop".parse().unwrap();
            w.settings.user_initiated = UserInitiatedRules::All;
            w.priority = Priority::UserInitiated
        },
        WaitingReason::OutsideWindow,
        &[|w| w.settings.user_initiated = UserInitiatedRules::Network],
    ),
    (
        "the day's bytes",
        |w| {
            w.settings.bytes_per_day_max = Some(1000);
            w.bytes_today = 1000
        },
        WaitingReason::DataCapReached,
        &[|w| w.bytes_today = 999, |w| w.settings.bytes_per_day_max = None, |w| w.priority = Priority::UserInitiated],
    ),
    (
        "in use",
        |w| {
            w.settings.only_when_idle = true;
            w.conditions.session.idle = Some(false)
        },
        WaitingReason::DeviceBusy,
        &[
            |w| w.conditions.session.idle = Some(true),
            |w| w.conditions.session.idle = None,
            |w| w.conditions.session.locked = Some(true),
            |w| w.settings.only_when_idle = false,
            |w| w.priority = Priority::UserInitiated,
        ],
    ),
    (
        "in use, by option",
        |w| {
            w.options.requires_idle = true;
            w.conditions.session.idle = Some(false);
            w.priority = Priority::UserInitiated
        },
        WaitingReason::DeviceBusy,
        &[|w| w.conditions.session.idle = Some(true), |w| w.options.requires_idle = false],
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
        "shutting down, for the person's own too",
        |w| {
            w.conditions.session.ending = true;
            w.destination.local = true;
            w.priority = Priority::UserInitiated
        },
        WaitingReason::SessionEnding,
        &[|w| w.conditions.session.ending = false],
    ),
    (
        "no room for our own state, for the person's own and for an archive here too",
        |w| {
            w.conditions.resources.state_free_bytes = Some((64 << 20) - 1);
            w.destination.local = true;
            w.priority = Priority::UserInitiated
        },
        WaitingReason::DiskFull,
        &[|w| w.conditions.resources.state_free_bytes = Some(64 << 20), |w| w.conditions.resources.state_free_bytes = None],
    ),
    (
        "there was no room",
        |w| {
            w.memory.disk_full = true;
            w.conditions.resources.state_free_bytes = Some((128 << 20) - 1)
        },
        WaitingReason::DiskFull,
        &[|w| w.conditions.resources.state_free_bytes = Some(128 << 20)],
    ),
    (
        "busy with other work",
        |w| {
            w.settings.spare_load = true;
            w.conditions.resources.load_percent = Some(61)
        },
        WaitingReason::ThermalOrLoad,
        &[
            |w| w.settings.spare_load = false,
            |w| w.conditions.resources.load_percent = Some(60),
            |w| w.conditions.resources.load_percent = None,
            |w| w.priority = Priority::UserInitiated,
        ],
    ),
    (
        "was busy with other work",
        |w| {
            w.settings.spare_load = true;
            w.memory.busy = true;
            w.priority = Priority::App;
            w.conditions.resources.load_percent = Some(40)
        },
        WaitingReason::ThermalOrLoad,
        &[|w| w.conditions.resources.load_percent = Some(39)],
    ),
    (
        "busy binds the person's own if they say so",
        |w| {
            w.settings.spare_load = true;
            w.settings.user_initiated = UserInitiatedRules::All;
            w.priority = Priority::UserInitiated;
            w.conditions.resources.load_percent = Some(100)
        },
        WaitingReason::ThermalOrLoad,
        &[|w| w.settings.user_initiated = UserInitiatedRules::Network],
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
                requires_idle: true,
                // Naming networks asks for a known one.
                trusted_networks: Vec::new(),
            };
            w.settings.only_when_idle = true;
            w.settings.spare_load = true;
            w.memory = Memory { disk_full: true, busy: true, ..Memory::default() };
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
        w.conditions.session.ending = true;
        w.conditions.resources.state_free_bytes = Some(0);
    });
    use WaitingReason::{
        AuthRequired, BatteryLow, DiskFull, ExpensiveNetwork, NoNetwork, NotCharging, PausedByUser, PowerSaver, SessionEnding,
        Suspending, ThermalOrLoad,
    };
    let cannot = [PausedByUser, Suspending, SessionEnding, DiskFull, NoNetwork, AuthRequired];
    let must_not = [ExpensiveNetwork, NotCharging, BatteryLow, PowerSaver, ThermalOrLoad];
    let all = cannot.into_iter().chain(must_not).collect::<Vec<_>>();
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
    assert!(before.iter().all(|reason| reason.can_override()) && before.len() == 6);
    world.overrides = vec![anyway(scope)];
    assert_eq!(world.waits_for(), if lifted { Vec::new() } else { before });
}

#[test]
fn upload_anyway_never_lifts_what_cannot_work() {
    let mut world = World::with(|w| {
        w.conditions.network.reachability = Reachability::None;
        w.conditions.session.suspending = true;
        w.conditions.session.ending = true;
        w.conditions.resources.state_free_bytes = Some(0);
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
    assert_eq!(crate::expired(&given, &world.conditions, Now { wall: NOW, boot_ms: 0, local: Local::default() }), over);
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
    let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let app = UploadJobOptions { trusted_networks: keys(&["home", "office"]), ..app };
    let job = UploadJobOptions {
        minimum_battery_percent: Some(40),
        prevents_expensive_network_access: true,
        requires_idle: true,
        trusted_networks: keys(&["cafe", "office"]),
        ..UploadJobOptions::default()
    };
    let both = UploadJobOptions {
        prevents_expensive_network_access: true,
        requires_external_power: true,
        minimum_battery_percent: Some(50),
        requires_idle: true,
        trusted_networks: keys(&["office"]),
    };
    let nowhere = UploadJobOptions { trusted_networks: keys(&["moon"]), ..UploadJobOptions::default() };
    let world = World::with(|w| {
        w.conditions.network.key = Some("moon".to_owned());
        w.options =
            crate::strictest(&nowhere, &UploadJobOptions { trusted_networks: keys(&["home"]), ..UploadJobOptions::default() });
    });
    assert_eq!(world.waits_for(), [WaitingReason::UntrustedNetwork], "two wishes that no network fulfils");
    assert_eq!(crate::strictest(&app, &job), both);
    assert_eq!(crate::strictest(&job, &app), both);
}
