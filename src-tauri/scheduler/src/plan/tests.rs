//! Single plans by example, and what holds of every plan.

use afterglow_model::{
    BatteryRule, Metered, NetworkAccess, NetworkRule, Override, OverrideScope, Pause, PauseUntil, PowerSource, Reachability,
    Settings,
};
use proptest::prelude::*;

use super::*;
use crate::Local;

const NOW: Now = Now { wall: Timestamp(1_800_000_000_000), boot_ms: 5_000, local: LOCAL };
/// Monday, 12:00:30.
const LOCAL: Local = Local { minute_of_week: 720, ms_of_minute: 30_000, jumps_at: None };
const SMALL: u64 = 20_000;
const LARGE: u64 = 40_000_000;
const PRIORITIES: [Priority; 3] = [Priority::Backup, Priority::App, Priority::UserInitiated];

#[derive(Debug, Clone)]
struct World {
    lanes: Vec<Lane>,
    destinations: Vec<DestinationFacts>,
    active: Vec<Active>,
    conditions: Conditions,
    settings: Settings,
    pause: Option<Pause>,
    overrides: Vec<Override>,
    limits: Limits,
    bytes_today: u64,
    memory: Memory,
}

impl World {
    fn new(lanes: Vec<Lane>) -> Self {
        Self {
            lanes,
            destinations: Vec::new(),
            active: Vec::new(),
            conditions: Conditions::unknown(),
            settings: Settings::default(),
            pause: None,
            overrides: Vec::new(),
            limits: Limits::default(),
            bytes_today: 0,
            memory: Memory::default(),
        }
    }

    fn policy(&self) -> Policy<'_> {
        Policy {
            settings: &self.settings,
            pause: self.pause.as_ref(),
            overrides: &self.overrides,
            bytes_today: self.bytes_today,
            memory: self.memory,
        }
    }

    fn plan(&self) -> Plan {
        plan(&self.lanes, &self.destinations, &self.active, &self.conditions, &self.policy(), &self.limits, NOW)
    }

    fn reasons(&self, priority: Priority, job: (&JobId, &BatchId), options: &UploadJobOptions, to: &DestinationId) -> Vec<Reason> {
        let known = self.destinations.iter().find(|facts| facts.id == *to).cloned();
        let facts = known.unwrap_or_else(|| DestinationFacts::unknown(to.clone()));
        crate::reasons(priority, Some(job), options, &facts, &self.conditions, &self.policy(), NOW)
    }
}

fn candidate(name: &str, byte_count: u64) -> Candidate {
    Candidate {
        job_id: name.into(),
        batch_id: "batch".into(),
        byte_count,
        options: UploadJobOptions::default(),
        session_expires_at: None,
    }
}

fn lane(priority: Priority, heads: Vec<Candidate>) -> Lane {
    Lane {
        destination_id: "archive".into(),
        priority,
        ready_jobs: heads.len() as u64,
        ready_bytes: heads.iter().map(|head| head.byte_count).sum(),
        heads,
        backing_off_jobs: 0,
        backing_off_bytes: 0,
        next_attempt_at: None,
        following_jobs: 0,
        following_bytes: 0,
        offline_jobs: 0,
        offline_bytes: 0,
        oldest_at: Some(NOW.wall),
        options: UploadJobOptions::default(),
    }
}

fn many(prefix: &str, n: usize, byte_count: u64) -> Vec<Candidate> {
    (0..n).map(|i| candidate(&format!("{prefix}{i}"), byte_count)).collect()
}

fn under_way(job: &Candidate, priority: Priority) -> Active {
    Active {
        job_id: job.job_id.clone(),
        batch_id: job.batch_id.clone(),
        destination_id: "archive".into(),
        priority,
        byte_count: job.byte_count,
        options: job.options.clone(),
    }
}

fn names(jobs: &[JobId]) -> Vec<&str> {
    jobs.iter().map(JobId::as_str).collect()
}

/// What waits: jobs, bytes, and the reasons.
fn waiting(plan: &Plan) -> Vec<(u64, u64, Vec<WaitingReason>)> {
    plan.waiting.iter().map(|wait| (wait.jobs, wait.bytes, wait.reasons.iter().map(|found| found.reason).collect())).collect()
}

#[test]
fn small_and_large_do_not_keep_each_other_waiting() {
    let heads = [many("large", 5, LARGE), many("small", 20, SMALL)].concat();
    let plan = World::new(vec![lane(Priority::Backup, heads)]).plan();
    assert_eq!(plan.start.iter().filter(|job| job.as_str().starts_with("large")).count(), 3);
    assert_eq!(plan.start.iter().filter(|job| job.as_str().starts_with("small")).count(), 16);
    assert_eq!(waiting(&plan), [(6, 2 * LARGE + 4 * SMALL, vec![WaitingReason::JobLimit])]);
}

#[test]
fn the_person_s_own_goes_first_then_apps_then_backups() {
    let lanes = PRIORITIES.map(|priority| lane(priority, many(&format!("{priority:?}"), 2, LARGE)));
    let plan = World::new(lanes.to_vec()).plan();
    assert_eq!(names(&plan.start), ["UserInitiated0", "UserInitiated1", "App0"]);
}

/// Many jobs to each of these destinations, of these apps, with room for so many at once.
fn crowd(destinations: &[(&str, &str)], jobs: usize) -> World {
    let lanes = destinations
        .iter()
        .map(|(id, _)| Lane { destination_id: (*id).into(), ..lane(Priority::Backup, many(&format!("{id}-"), 30, SMALL)) });
    let mut world = World::new(lanes.collect());
    let facts =
        |(id, app): &(&str, &str)| DestinationFacts { app_id: Some((*app).into()), ..DestinationFacts::unknown((*id).into()) };
    world.destinations = destinations.iter().map(facts).collect();
    world.limits.jobs = jobs;
    world
}

fn started_at(plan: &Plan, destination: &str) -> usize {
    plan.start.iter().filter(|job| job.as_str().starts_with(destination)).count()
}

#[test]
fn destinations_take_turns_for_what_all_of_them_may_have() {
    let world = crowd(&[("nas", "photos"), ("cloud", "photos"), ("attic", "photos")], 12);
    let plan = world.plan();
    assert_eq!(["nas", "cloud", "attic"].map(|id| started_at(&plan, id)), [4, 4, 4]);
    assert_eq!(names(&plan.start)[..3], ["nas-0", "cloud-0", "attic-0"]);
}

#[test]
fn an_app_with_many_destinations_gets_no_more_than_one_with_one() {
    let world = crowd(&[("a1", "greedy"), ("a2", "greedy"), ("a3", "greedy"), ("b", "modest")], 12);
    let plan = world.plan();
    assert_eq!(started_at(&plan, "a"), 6);
    assert_eq!(started_at(&plan, "b"), 6);
}

#[test]
fn who_has_least_under_way_goes_first() {
    let mut world = crowd(&[("archive", "one"), ("cloud", "two")], 8);
    world.active = many("active", 6, SMALL).iter().map(|job| under_way(job, Priority::Backup)).collect();
    let plan = world.plan();
    assert_eq!(names(&plan.start), ["cloud-0", "cloud-1"]);
}

#[test]
fn the_person_s_own_has_room_beside_all_backups() {
    let mut world = crowd(&[("archive", "one"), ("cloud", "two")], 6);
    world.active = many("active", 6, SMALL).iter().map(|job| under_way(job, Priority::Backup)).collect();
    world.lanes.push(lane(Priority::UserInitiated, many("mine", 2, SMALL)));
    assert_eq!(names(&world.plan().start), ["mine0", "mine1"]);
}

#[test]
fn an_upload_that_expires_soon_goes_before_older_ones() {
    let mut heads = many("file", 20, SMALL);
    heads[17].session_expires_at = Some(NOW.wall.plus_ms(23 * 3_600_000));
    heads[18].session_expires_at = Some(NOW.wall.plus_ms(3_600_000));
    heads[19].session_expires_at = Some(NOW.wall.plus_ms(7 * 24 * 3_600_000));
    let plan = World::new(vec![lane(Priority::Backup, heads)]).plan();
    assert_eq!(names(&plan.start)[..3], ["file18", "file17", "file0"]);
    assert!(!names(&plan.start).contains(&"file19"), "a week is long");
}

#[test]
fn the_person_s_own_starts_beside_backups_that_fill_every_slot() {
    let mut world =
        World::new(vec![lane(Priority::UserInitiated, many("mine", 4, LARGE)), lane(Priority::Backup, many("b", 1, LARGE))]);
    world.active = many("active", 3, LARGE).iter().map(|job| under_way(job, Priority::Backup)).collect();
    let plan = world.plan();
    assert_eq!(names(&plan.start), ["mine0", "mine1", "mine2"]);
    assert_eq!(plan.stop, []);
}

#[test]
fn a_destination_that_did_not_answer_gets_one_job_to_try_with() {
    let mut world = World::new(vec![lane(Priority::Backup, many("job", 10, SMALL))]);
    let facts = DestinationFacts::unknown("archive".into());
    world.destinations = vec![DestinationFacts { state: DestinationState::Unreachable, ..facts }];
    let plan = world.plan();
    assert_eq!(names(&plan.start), ["job0"]);
    assert_eq!(waiting(&plan), [(9, 9 * SMALL, vec![WaitingReason::DestinationUnreachable])]);
}

#[test]
fn a_head_that_may_not_move_lets_those_behind_it_pass() {
    let mut heads = many("job", 2, SMALL);
    heads[0].options.requires_external_power = true;
    let mut world = World::new(vec![lane(Priority::Backup, heads)]);
    world.conditions.power.source = PowerSource::Battery;
    world.settings.gather_bytes = 0;
    let plan = world.plan();
    assert_eq!(names(&plan.start), ["job1"]);
    assert_eq!(waiting(&plan), [(1, SMALL, vec![WaitingReason::NotCharging])]);
}

#[test]
fn one_reason_for_heads_and_queue_is_one_group() {
    let mut metered = lane(Priority::Backup, many("job", 2, SMALL));
    metered.ready_jobs = 1_000_000;
    metered.ready_bytes = 1_000_000 * SMALL;
    let mut world = World::new(vec![metered]);
    world.conditions.network.metered = Metered::Yes;
    assert_eq!(waiting(&world.plan()), [(1_000_000, 1_000_000 * SMALL, vec![WaitingReason::ExpensiveNetwork])]);
}

#[test]
fn an_active_job_stops_with_its_reason_and_does_not_start_again_in_the_same_plan() {
    let heads = many("job", 1, SMALL);
    let mut world = World::new(vec![lane(Priority::Backup, heads.clone())]);
    world.active = vec![under_way(&heads[0], Priority::Backup)];
    world.conditions.network.metered = Metered::GuessYes;
    let plan = world.plan();
    assert_eq!(plan.stop, [Stop { job_id: "job0".into(), reasons: vec![WaitingReason::ExpensiveNetwork] }]);
    assert!(plan.start.is_empty());
}

#[test]
fn what_follows_another_folders_that_are_away_and_attempts_not_due_say_so() {
    let due = NOW.wall.plus_ms(7_000);
    let lane = Lane {
        backing_off_jobs: 2,
        backing_off_bytes: 20,
        next_attempt_at: Some(due),
        following_jobs: 4,
        following_bytes: 40,
        offline_jobs: 3,
        offline_bytes: 30,
        ..lane(Priority::Backup, Vec::new())
    };
    let plan = World::new(vec![lane]).plan();
    let told = [
        (4, 40, vec![WaitingReason::GroupMember]),
        (3, 30, vec![WaitingReason::SourceOffline]),
        (2, 20, vec![WaitingReason::Backoff]),
    ];
    assert_eq!(waiting(&plan), told);
    assert_eq!(plan.wake_at, Some(Wake { at: due, boot_ms: 12_000, reason: WakeReason::RetryDue }));
}

#[test]
fn nobody_is_woken_for_an_attempt_that_could_not_be_made() {
    let backing_off =
        Lane { backing_off_jobs: 1, next_attempt_at: Some(NOW.wall.plus_ms(7_000)), ..lane(Priority::Backup, Vec::new()) };
    let mut world = World::new(vec![backing_off]);
    world.conditions.network.metered = Metered::Yes;
    assert_eq!(world.plan().wake_at, None, "only another network changes anything");

    let scope = OverrideScope::Job { job_id: "one of them".into() };
    world.overrides = vec![Override { scope, network_key: None, until: None, created_at: NOW.wall }];
    assert_eq!(world.plan().wake_at.map(|wake| wake.reason), Some(WakeReason::RetryDue), "it may be the job that is due");
}

#[test]
fn the_first_of_all_ends_wakes() {
    let backing_off =
        Lane { backing_off_jobs: 1, next_attempt_at: Some(NOW.wall.plus_ms(1_000)), ..lane(Priority::Backup, Vec::new()) };
    let mut world = World::new(vec![backing_off]);
    world.pause = Some(Pause { since: NOW.wall, until: PauseUntil::Time { at: NOW.wall.plus_ms(3_000) } });
    assert_eq!(world.plan().wake_at, Some(Wake { at: NOW.wall.plus_ms(3_000), boot_ms: 8_000, reason: WakeReason::PauseEnds }));

    let hour = Override {
        scope: OverrideScope::Hour,
        network_key: None,
        until: Some(NOW.wall.plus_ms(2_000)),
        created_at: NOW.wall.plus_ms(-1),
    };
    world.overrides = vec![hour];
    assert_eq!(world.plan().wake_at.map(|wake| wake.reason), Some(WakeReason::OverrideEnds));
}

/// On battery, with `bytes` ready since `minutes`.
fn gathering(bytes: u64, minutes: i64) -> World {
    let mut lane = lane(Priority::Backup, many("photo", 3, bytes / 3));
    lane.oldest_at = Some(NOW.wall.plus_ms(-minutes * 60_000));
    let mut world = World::new(vec![lane]);
    world.conditions.power.source = PowerSource::Battery;
    world.conditions.power.level_percent = Some(90);
    world
}

#[test]
fn on_battery_backups_are_gathered_until_it_is_worth_it_or_long_enough() {
    let few = gathering(3_000_000, 4).plan();
    assert!(few.start.is_empty());
    assert_eq!(waiting(&few), [(3, 3_000_000, vec![WaitingReason::Gathering])]);
    let due = NOW.wall.plus_ms(6 * 60_000);
    assert_eq!(few.waiting[0].reasons[0].until, Some(due));
    assert_eq!(few.wake_at.map(|wake| (wake.at, wake.reason)), Some((due, WakeReason::BatchDue)));

    assert_eq!(gathering(3_000_000, 10).plan().start.len(), 3, "long enough");
    assert_eq!(gathering(90_000_000, 0).plan().start.len(), 3, "worth it");
    let mut plugged_in = gathering(3_000_000, 4);
    plugged_in.conditions.power.source = PowerSource::Ac;
    assert_eq!(plugged_in.plan().start.len(), 3);
    let mut asked = gathering(3_000_000, 4);
    asked.lanes[0].priority = Priority::UserInitiated;
    assert_eq!(asked.plan().start.len(), 3, "what the person asked for is not gathered");
}

#[test]
fn a_batch_that_is_open_stays_open_until_nothing_of_it_is_left() {
    let mut world = gathering(90_000_000, 0);
    world.memory = world.plan().memory;
    assert!(world.memory.batch_open);
    world.lanes = gathering(3_000_000, 1).lanes;
    let rest = world.plan();
    assert_eq!(rest.start.len(), 3, "the rest goes on, small as it is");
    world.lanes.clear();
    world.memory = world.plan().memory;
    assert!(!world.memory.batch_open, "and then it is gathered anew");
}

#[test]
fn the_hours_end_with_a_wake_up_at_the_full_minute_or_when_the_clocks_change() {
    let mut world = World::new(vec![lane(Priority::Backup, many("photo", 1, SMALL))]);
    world.settings.timetable = "09:00,stop 17:00,1M 20:00,off".parse().unwrap();
    let plan = world.plan();
    let five = NOW.wall.plus_ms(5 * 3_600_000 - 30_000);
    assert_eq!(waiting(&plan), [(1, SMALL, vec![WaitingReason::OutsideWindow])]);
    assert_eq!(plan.wake_at.map(|wake| wake.at), Some(five));
    let at = |minute_of_week| Now { local: Local { minute_of_week, ..LOCAL }, ..NOW };
    let evening = plan_at(&world, at(18 * 60));
    assert_eq!((evening.start.len(), evening.rate), (1, Rate::Limited { bytes_per_s: 1 << 20 }));
    assert_eq!(evening.wake_at.map(|wake| wake.reason), Some(WakeReason::TimetableChanges));
    let jump = NOW.wall.plus_ms(1000);
    let early = plan_at(&world, Now { local: Local { jumps_at: Some(jump), ..LOCAL }, ..NOW });
    assert_eq!(early.wake_at.map(|wake| wake.at), Some(jump));
}

fn plan_at(world: &World, now: Now) -> Plan {
    plan(&world.lanes, &world.destinations, &world.active, &world.conditions, &world.policy(), &world.limits, now)
}

fn options() -> impl Strategy<Value = UploadJobOptions> {
    let networks = prop::collection::vec("[ab]", 0..2);
    (any::<bool>(), any::<bool>(), proptest::option::of(0..=100_u8), any::<bool>(), networks).prop_map(
        |(metered, power, minimum, idle, trusted_networks)| UploadJobOptions {
            prevents_expensive_network_access: metered,
            requires_external_power: power,
            minimum_battery_percent: minimum,
            requires_idle: idle,
            trusted_networks,
        },
    )
}

fn destination_id() -> impl Strategy<Value = DestinationId> {
    prop::sample::select(vec!["archive", "cloud", "never heard of"]).prop_map(DestinationId::from)
}

fn priority() -> impl Strategy<Value = Priority> {
    prop::sample::select(PRIORITIES.to_vec())
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (-100_000_000..100_000_000_i64).prop_map(|ms| NOW.wall.plus_ms(ms))
}

fn job() -> impl Strategy<Value = Candidate> {
    (0..200_u32, 0..4_u32, prop::sample::select(vec![SMALL, LARGE]), options()).prop_map(|(job, batch, byte_count, options)| {
        Candidate {
            job_id: JobId(format!("job{job}")),
            batch_id: BatchId(format!("batch{batch}")),
            byte_count,
            options,
            session_expires_at: None,
        }
    })
}

fn any_lane() -> impl Strategy<Value = Lane> {
    let sums = (0..3_u64, 0..3_u64, 0..3_u64, 0..3_u64);
    (destination_id(), priority(), prop::collection::vec(job(), 0..30), sums, instant(), options()).prop_map(
        |(destination_id, priority, heads, (behind, backing_off_jobs, offline_jobs, following_jobs), at, options)| Lane {
            destination_id,
            ready_jobs: heads.len() as u64 + behind,
            backing_off_jobs,
            next_attempt_at: (backing_off_jobs > 0).then_some(at),
            offline_jobs,
            following_jobs,
            options,
            ..lane(priority, heads)
        },
    )
}

fn facts() -> impl Strategy<Value = Vec<DestinationFacts>> {
    use DestinationState::{AuthRequired, QuotaExceeded, Ready, Unreachable};
    let one = |id: &'static str| {
        let state = prop::sample::select(vec![Ready, Ready, Unreachable, AuthRequired, QuotaExceeded]);
        (state, proptest::option::of(instant()), any::<bool>()).prop_map(move |(state, not_before, local)| DestinationFacts {
            id: id.into(),
            app_id: None,
            state,
            not_before,
            local,
        })
    };
    (one("archive"), one("cloud")).prop_map(|(archive, cloud)| vec![archive, cloud])
}

fn conditions() -> impl Strategy<Value = Conditions> {
    use PowerSource::{Ac, Battery};
    let power =
        (prop::sample::select(vec![PowerSource::Unknown, Ac, Battery]), proptest::option::of(0..=100_u8), any::<Option<bool>>());
    let reach =
        vec![Reachability::Unknown, Reachability::None, Reachability::CaptivePortal, Reachability::Limited, Reachability::Full];
    let metered = vec![Metered::Unknown, Metered::No, Metered::GuessNo, Metered::GuessYes, Metered::Yes];
    let network = (prop::sample::select(reach), prop::sample::select(metered), proptest::option::of("[ab]"));
    let session = (prop::bool::weighted(0.1), any::<Option<bool>>());
    (power, network, session).prop_map(|((source, level, saver), (reachability, metered, key), (suspending, idle))| {
        let mut conditions = Conditions::unknown();
        conditions.power.source = source;
        conditions.power.level_percent = level;
        conditions.power.power_saver = saver;
        conditions.network.reachability = reachability;
        conditions.network.metered = metered;
        conditions.network.key = key;
        conditions.session.suspending = suspending;
        conditions.session.idle = idle;
        conditions
    })
}

fn given() -> impl Strategy<Value = Override> {
    let scope = prop_oneof![
        Just(OverrideScope::Hour),
        Just(OverrideScope::Network),
        (0..200_u32).prop_map(|n| OverrideScope::Job { job_id: JobId(format!("job{n}")) }),
        (0..4_u32).prop_map(|n| OverrideScope::Batch { batch_id: BatchId(format!("batch{n}")) }),
    ];
    (scope, proptest::option::of("[ab]"), proptest::option::of(instant()), instant())
        .prop_map(|(scope, network_key, until, created_at)| Override { scope, network_key, until, created_at })
}

fn world() -> impl Strategy<Value = World> {
    let until =
        prop_oneof![Just(PauseUntil::Resumed), Just(PauseUntil::PluggedIn), instant().prop_map(|at| PauseUntil::Time { at })];
    let pause = prop::option::weighted(0.2, (instant(), until).prop_map(|(since, until)| Pause { since, until }));
    let battery = prop::sample::select(vec![BatteryRule::Always, BatteryRule::AboveMinimum, BatteryRule::OnlyPluggedIn]);
    let hours = prop::sample::select(vec!["off", "stop", "09:00,stop 17:00,off", "09:00,1M 17:00,stop"]);
    let access = prop::sample::select(vec![NetworkAccess::Allowed, NetworkAccess::Denied]);
    let networks = prop::collection::vec(("[ab]", access), 0..2);
    let time = (hours, proptest::option::of(0..2000_u64), any::<bool>());
    let settings = ((any::<bool>(), battery, 0..=100_u8, any::<bool>()), time, networks).prop_map(
        |((allow_metered, battery, minimum, allow_power_saver), (hours, bytes_per_day_max, only_when_idle), networks)| Settings {
            allow_metered,
            battery,
            battery_minimum_percent: minimum,
            allow_power_saver,
            timetable: hours.parse().unwrap(),
            bytes_per_day_max,
            only_when_idle,
            networks: networks.into_iter().map(|(key, access)| NetworkRule { name: key.clone(), key, access }).collect(),
            ..Settings::default()
        },
    );
    let active = prop::collection::btree_map(0..200_u32, (job(), destination_id(), priority()), 0..12);
    let active = active.prop_map(|jobs| {
        let named = jobs.into_iter().map(|(n, (job, destination_id, priority))| Active {
            job_id: JobId(format!("job{n}")),
            destination_id,
            ..under_way(&job, priority)
        });
        named.collect::<Vec<_>>()
    });
    let lanes = prop::collection::vec(any_lane(), 0..6);
    let told = (prop::collection::vec(given(), 0..3), 0..2000_u64, any::<bool>());
    (lanes, facts(), active, conditions(), settings, pause, told).prop_map(
        |(lanes, destinations, active, conditions, settings, pause, (overrides, bytes_today, batch_open))| World {
            destinations,
            active,
            conditions,
            settings,
            pause,
            overrides,
            limits: Limits { small_jobs_per_destination: 5, large_jobs_per_destination: 2, ..Limits::default() },
            bytes_today,
            memory: Memory { batch_open, ..Memory::default() },
            ..World::new(lanes)
        },
    )
}

proptest! {
    #[test]
    fn the_same_world_gives_the_same_plan(world in world()) {
        prop_assert_eq!(world.plan(), world.clone().plan());
    }

    #[test]
    fn exactly_the_active_jobs_with_a_reason_stop(world in world()) {
        let stopped: Vec<JobId> = world.plan().stop.into_iter().map(|stop| stop.job_id).collect();
        let barred = world.active.iter().filter(|job| {
            !world.reasons(job.priority, (&job.job_id, &job.batch_id), &job.options, &job.destination_id).is_empty()
        });
        prop_assert_eq!(stopped, barred.map(|job| job.job_id.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn what_starts_has_no_reason_was_not_under_way_and_starts_once(world in world()) {
        let mut started = BTreeSet::new();
        for job in world.plan().start {
            prop_assert!(started.insert(job.clone()), "{job} starts twice");
            prop_assert!(world.active.iter().all(|active| active.job_id != job), "{job} is under way");
            let free = world.lanes.iter().any(|lane| lane.heads.iter().filter(|head| head.job_id == job).any(|head| {
                let options = strictest(&lane.options, &head.options);
                world.reasons(lane.priority, (&head.job_id, &head.batch_id), &options, &lane.destination_id).is_empty()
            }));
            prop_assert!(free, "{job} has a reason wherever it stands");
        }
    }

    #[test]
    fn no_more_start_than_there_are_slots(mut world in world()) {
        // Job ids that belong to one lane only, so that a started id names its destination and size.
        for (n, lane) in world.lanes.iter_mut().enumerate() {
            for head in &mut lane.heads {
                head.job_id = JobId(format!("lane{n} {} {}", head.byte_count, head.job_id));
            }
        }
        let plan = world.plan();
        let kept = world.active.iter().filter(|job| plan.stop.iter().all(|stop| stop.job_id != job.job_id));
        let mut taken = BTreeMap::new();
        for job in kept {
            taken.entry((job.destination_id.clone(), job.byte_count)).or_insert_with(Vec::new).push(job.priority);
        }
        for (job, lane, head) in plan.start.iter().filter_map(|job| {
            let lane = world.lanes.iter().find(|lane| lane.heads.iter().any(|head| head.job_id == *job))?;
            Some((job, lane, lane.heads.iter().find(|head| head.job_id == *job)?))
        }) {
            let slots = taken.entry((lane.destination_id.clone(), head.byte_count)).or_insert_with(Vec::new);
            slots.push(lane.priority);
            let at_most = if head.byte_count == SMALL { 5 } else { 2 };
            let own_and_above = slots.iter().filter(|priority| **priority >= lane.priority).count();
            prop_assert!(own_and_above <= at_most, "{job} is number {own_and_above}");
        }
    }

    #[test]
    fn every_job_that_does_not_start_is_counted_with_a_reason(mut world in world()) {
        for (n, lane) in world.lanes.iter_mut().enumerate() {
            lane.destination_id = DestinationId(format!("{n}"));
            for (m, head) in lane.heads.iter_mut().enumerate() {
                head.job_id = JobId(format!("{n} {m}"));
            }
        }
        let plan = world.plan();
        prop_assert!(plan.waiting.iter().all(|wait| wait.jobs > 0 && !wait.reasons.is_empty()));
        for lane in &world.lanes {
            let started = lane.heads.iter().filter(|head| plan.start.contains(&head.job_id)).count() as u64;
            let waiting: u64 = plan.waiting.iter().filter(|wait| wait.destination_id == lane.destination_id).map(|wait| wait.jobs).sum();
            prop_assert_eq!(started + waiting, lane.ready_jobs + lane.backing_off_jobs + lane.offline_jobs + lane.following_jobs);
        }
    }

    #[test]
    fn wake_ups_are_not_in_the_past_and_agree_on_both_clocks(world in world()) {
        if let Some(wake) = world.plan().wake_at {
            prop_assert!(wake.at >= NOW.wall);
            prop_assert_eq!(wake.boot_ms - NOW.boot_ms, wake.at.ms_since(NOW.wall).unsigned_abs());
        }
    }

    #[test]
    fn a_pause_or_override_that_ends_by_time_always_wakes(world in world()) {
        let wake = world.plan().wake_at.map(|wake| wake.at);
        for given in world.overrides.iter().filter(|given| !crate::expired(given, &world.conditions, NOW)) {
            prop_assert!(given.until.is_none_or(|until| wake.is_some_and(|at| at <= until)));
        }
        if let Some(Pause { since, until: PauseUntil::Time { at: end } }) = world.pause
            && end > NOW.wall && since <= NOW.wall
        {
            prop_assert!(wake.is_some_and(|at| at <= end));
        }
    }

    #[test]
    fn with_nothing_known_every_lane_with_ready_heads_moves(mut world in world()) {
        world.conditions = Conditions::unknown();
        world.destinations.clear();
        world.active.clear();
        world.pause = None;
        world.settings = Settings::default();
        for lane in &mut world.lanes {
            lane.options = UploadJobOptions::default();
            lane.heads.iter_mut().for_each(|head| head.options = UploadJobOptions::default());
        }
        let plan = world.plan();
        prop_assert_eq!(plan.start.is_empty(), world.lanes.iter().all(|lane| lane.heads.is_empty()));
    }
}
