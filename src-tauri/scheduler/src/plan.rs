//! What starts, what stops, what waits and why, and when to look again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use afterglow_model::{
    AppId, BatchId, Conditions, DestinationId, DestinationState, JobId, PowerSource, Priority, Rate, Settings, Timestamp,
    UploadJobOptions, WaitingReason,
};

use crate::gate::{Gate, untimed};
use crate::gathering::Gathering;
use crate::policy::{Subject, override_end, pause_end};
use crate::{DestinationFacts, Memory, Now, Policy, Reason, end_of_pause, strictest};

/// An upload that its server will forget within a day goes first: what it holds would have to be sent again. Milliseconds.
const EXPIRES_SOON_MS: i64 = 24 * 3_600_000;

/// A job at the head of a lane, ready to go as far as the queue knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Which.
    pub job_id: JobId,
    /// The jobs asked for together with it.
    pub batch_id: BatchId,
    /// Size in bytes.
    pub byte_count: u64,
    /// What the job asks for.
    pub options: UploadJobOptions,
    /// When the server forgets what it holds of the file, if it holds some and said so.
    pub session_expires_at: Option<Timestamp>,
}

/// The jobs to one destination of one priority, as the queue sees them: the first few, and sums of the rest.
///
/// A head that may not move does not hold up the heads behind it, but what is not among the heads cannot start. So small and
/// large files should both be among them, and so must the jobs of an *Upload anyway* for a job or batch. A lane may be handed
/// in as several, for instance one for each set of options.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Where to.
    pub destination_id: DestinationId,
    /// How patient.
    pub priority: Priority,
    /// The first ready jobs, in the order in which to start them but for uploads that expire soon. Those under way may be among them.
    pub heads: Vec<Candidate>,
    /// Jobs that are ready, the heads among them, those under way not.
    pub ready_jobs: u64,
    /// Their bytes.
    pub ready_bytes: u64,
    /// Jobs whose next attempt is not due.
    pub backing_off_jobs: u64,
    /// Their bytes.
    pub backing_off_bytes: u64,
    /// When the first of these is due.
    pub next_attempt_at: Option<Timestamp>,
    /// Jobs that come after another one, which has not ended.
    pub following_jobs: u64,
    /// Their bytes.
    pub following_bytes: u64,
    /// Jobs whose source is not there.
    pub offline_jobs: u64,
    /// Their bytes.
    pub offline_bytes: u64,
    /// When the oldest of the ready ones was made.
    pub oldest_at: Option<Timestamp>,
    /// What holds for every job of the lane beyond the person's settings: the strictest of what the destination and the kind of file
    /// ask for.
    pub options: UploadJobOptions,
}

/// A job under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// Which.
    pub job_id: JobId,
    /// The jobs asked for together with it.
    pub batch_id: BatchId,
    /// Where to.
    pub destination_id: DestinationId,
    /// How patient.
    pub priority: Priority,
    /// Size in bytes.
    pub byte_count: u64,
    /// The strictest of what destination, kind of file, app and job ask for; see [`strictest`].
    pub options: UploadJobOptions,
}

/// How many jobs go at once. Small and large files have slots of their own, so that neither keeps the other waiting.
///
/// A job counts the jobs under way of its own priority and above. What the person asks for therefore starts at once, beside
/// backups that are under way, and nothing that was begun is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size in bytes up to which a file is small.
    pub small_bytes: u64,
    /// Small files at once to one destination.
    pub small_jobs_per_destination: usize,
    /// Large files at once to one destination.
    pub large_jobs_per_destination: usize,
    /// Files at once to all destinations: each is held in memory.
    pub jobs: usize,
}

impl Default for Limits {
    /// 1 MiB; 16 small, since round trips are what they cost; 3 large, which fill any line; 256 in all.
    fn default() -> Self {
        Self { small_bytes: 1 << 20, small_jobs_per_destination: 16, large_jobs_per_destination: 3, jobs: 256 }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// To start, in this order.
    pub start: Vec<JobId>,
    /// To stop.
    pub stop: Vec<Stop>,
    /// What waits, in groups of equal reasons. Jobs that are held are not among them: they say their own reason.
    pub waiting: Vec<LaneWait>,
    /// When to look again if nothing happens; none if only an event can change anything.
    pub wake_at: Option<Wake>,
    /// How fast everything together may go.
    pub rate: Rate,
    /// Whether the computer is to be kept from going to sleep by itself.
    pub keep_awake: bool,
    /// Hand this to the next plan.
    pub memory: Memory,
}

impl Default for Plan {
    /// Nothing runs, nothing waits.
    fn default() -> Self {
        Self {
            start: Vec::new(),
            stop: Vec::new(),
            waiting: Vec::new(),
            wake_at: None,
            rate: Rate::Unlimited,
            keep_awake: false,
            memory: Memory::default(),
        }
    }
}

/// A job to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Which.
    pub job_id: JobId,
    /// Why, the strongest first; never empty.
    pub reasons: Vec<WaitingReason>,
}

/// Jobs of one lane that wait for the same reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneWait {
    /// Where to.
    pub destination_id: DestinationId,
    /// How patient.
    pub priority: Priority,
    /// How many; never 0.
    pub jobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why, the strongest first; never empty. All of them must end before the jobs move.
    pub reasons: Vec<Reason>,
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// By wall time; not in the past.
    pub at: Timestamp,
    /// The same instant on [`Now::boot_ms`]'s clock, so that setting the wall clock moves no sleep.
    pub boot_ms: u64,
    /// What happens then.
    pub reason: WakeReason,
}

/// What a wake-up is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WakeReason {
    /// A pause is over.
    PauseEnds,
    /// An *Upload anyway* is over.
    OverrideEnds,
    /// A job or a destination may be tried again.
    RetryDue,
    /// Hours begin or end in which uploads may go, or go faster or slower.
    TimetableChanges,
    /// A new day with a new budget begins.
    DayBegins,
    /// What was gathered goes.
    BatchDue,
}

/// Decides for all jobs at once. Those of higher priority choose first; within a lane the order of its heads counts, and uploads that
/// expire soon go before it. Lanes of one priority take turns, the app first that has least under way, then the destination; of equals
/// the order of `lanes` counts. Facts about a destination that are missing count as unknown.
pub fn plan(
    lanes: &[Lane],
    destinations: &[DestinationFacts],
    active: &[Active],
    conditions: &Conditions,
    policy: &Policy<'_>,
    limits: &Limits,
    now: Now,
) -> Plan {
    let gate = Gate { conditions, policy, now };
    let facts = destinations.iter().map(|known| (&known.id, known)).collect();
    let gathering = Gathering::of(&gate, lanes, destinations, active);
    let mut planner = Planner {
        gate,
        facts,
        gathering,
        slots: Slots::new(limits),
        taken: BTreeSet::new(),
        plan: Plan::default(),
        timers: Vec::new(),
    };
    for job in active {
        planner.keep_or_stop(job);
    }
    for priority in [Priority::UserInitiated, Priority::App, Priority::Backup] {
        planner.deal(lanes.iter().filter(|lane| lane.priority == priority));
    }
    planner.finish()
}

/// A plan in the making.
struct Planner<'a> {
    gate: Gate<'a>,
    facts: BTreeMap<&'a DestinationId, &'a DestinationFacts>,
    gathering: Gathering,
    slots: Slots<'a>,
    /// Jobs that were under way or are started.
    taken: BTreeSet<&'a JobId>,
    plan: Plan,
    timers: Vec<(Timestamp, WakeReason)>,
}

impl<'a> Planner<'a> {
    fn facts(&self, id: &DestinationId) -> Cow<'a, DestinationFacts> {
        self.facts.get(id).map_or_else(|| Cow::Owned(DestinationFacts::unknown(id.clone())), |known| Cow::Borrowed(*known))
    }

    /// A job that stops gives its slot back with this plan; it may start again with a later one.
    fn keep_or_stop(&mut self, job: &'a Active) {
        let destination = self.facts(&job.destination_id);
        let subject = Subject::One(&job.job_id, &job.batch_id);
        let reasons = self.gate.reasons(job.priority, subject, &job.options, &destination);
        self.taken.insert(&job.job_id);
        if reasons.is_empty() {
            self.slots.take(&job.destination_id, destination.app_id.as_ref(), job.priority, job.byte_count);
        } else {
            self.plan
                .stop
                .push(Stop { job_id: job.job_id.clone(), reasons: reasons.into_iter().map(|found| found.reason).collect() });
        }
    }

    /// Lets lanes of one priority start their heads by turns.
    fn deal(&mut self, lanes: impl Iterator<Item = &'a Lane>) {
        let mut hands: Vec<Hand<'a>> = lanes.map(|lane| Hand::of(lane, self.facts(&lane.destination_id), self.gate.now)).collect();
        let mut open: Vec<usize> = (0..hands.len()).collect();
        while let Some(next) = (0..open.len()).min_by_key(|at| self.slots.share(&hands[open[*at]].destination)) {
            if !self.start_next(&mut hands[open[next]]) {
                open.remove(next);
            }
        }
        for hand in hands {
            self.explain(hand);
        }
    }

    /// Starts the lane's next head that may start; says why those before it do not. False: there was none.
    fn start_next(&mut self, hand: &mut Hand<'a>) -> bool {
        let lane = hand.lane;
        for head in hand.heads.by_ref() {
            if self.taken.contains(&head.job_id) {
                continue;
            }
            hand.seen_jobs += 1;
            hand.seen_bytes = hand.seen_bytes.saturating_add(head.byte_count);
            let reasons = self.consider(lane, head, &hand.destination);
            if reasons.is_empty() {
                self.taken.insert(&head.job_id);
                self.slots.take(&lane.destination_id, hand.destination.app_id.as_ref(), lane.priority, head.byte_count);
                self.plan.start.push(head.job_id.clone());
                return true;
            }
            hand.waits.add(1, head.byte_count, reasons);
        }
        false
    }

    /// Says why the rest of a lane waits, and when that may end.
    fn explain(&mut self, hand: Hand<'a>) {
        let Hand { lane, destination, mut waits, seen_jobs, seen_bytes, .. } = hand;
        let together = self.gate.reasons(lane.priority, Subject::Each, &lane.options, &destination);
        let behind = lane.ready_jobs.saturating_sub(seen_jobs);
        let mut last = self.gathered(lane.priority, Subject::Each, together.clone());
        if last.is_empty() {
            last.push(in_line(&destination));
        }
        waits.add(behind, lane.ready_bytes.saturating_sub(seen_bytes), last);
        waits.add(lane.following_jobs, lane.following_bytes, with(together.clone(), untimed(WaitingReason::GroupMember)));
        waits.add(lane.offline_jobs, lane.offline_bytes, with(together.clone(), untimed(WaitingReason::SourceOffline)));
        let backoff = Reason { reason: WaitingReason::Backoff, until: lane.next_attempt_at };
        waits.add(lane.backing_off_jobs, lane.backing_off_bytes, with(together, backoff));

        self.timers.extend(waits.groups.iter().filter_map(|(reasons, ..)| end_of_all(reasons)));
        if lane.backing_off_jobs > 0 {
            let luckiest = self.gate.reasons(lane.priority, Subject::Luckiest, &lane.options, &destination);
            self.timers.extend(end_of_all(&with(luckiest, backoff)));
        }
        self.plan.waiting.extend(waits.groups.into_iter().map(|(reasons, jobs, bytes)| LaneWait {
            destination_id: lane.destination_id.clone(),
            priority: lane.priority,
            jobs,
            bytes,
            reasons,
        }));
    }

    /// Why a head does not start; empty if it does.
    fn consider(&self, lane: &Lane, head: &Candidate, destination: &DestinationFacts) -> Vec<Reason> {
        let options = strictest(&lane.options, &head.options);
        let subject = Subject::One(&head.job_id, &head.batch_id);
        let found = self.gate.reasons(lane.priority, subject, &options, destination);
        let found = self.gathered(lane.priority, subject, found);
        if !found.is_empty() {
            return found;
        }
        let probing = destination.state == DestinationState::Unreachable;
        let alone = !probing || !self.slots.any_taken(&lane.destination_id);
        if alone && self.slots.has_room(&lane.destination_id, lane.priority, head.byte_count) {
            return Vec::new();
        }
        vec![in_line(destination)]
    }

    /// With the wait for a batch, if there is one.
    fn gathered(&self, priority: Priority, subject: Subject<'_>, mut reasons: Vec<Reason>) -> Vec<Reason> {
        reasons.extend(self.gathering.reason(priority).filter(|_| !self.gate.is_lifted(subject)));
        reasons
    }

    fn finish(mut self) -> Plan {
        let Gate { conditions, policy, now } = self.gate;
        let pause = policy.pause.filter(|pause| !end_of_pause(pause, conditions, now)).and_then(pause_end);
        self.timers.extend(pause.map(|at| (at, WakeReason::PauseEnds)));
        let overrides = policy.overrides.iter().filter_map(|given| override_end(given, conditions, now));
        self.timers.extend(overrides.map(|at| (at, WakeReason::OverrideEnds)));
        let (settings, minute) = (policy.settings, now.local.minute_of_week);
        let change = settings.timetable.minutes_to_change(minute).map(|minutes| now.in_local_minutes(minutes));
        self.plan.rate = rate(settings, minute);
        self.plan.keep_awake = settings.stay_awake && conditions.power.source == PowerSource::Ac && self.slots.is_any_taken();
        // An idle service has nobody to tell that the hours change.
        if !self.plan.waiting.is_empty() || !self.plan.start.is_empty() || self.slots.is_any_taken() {
            self.timers.extend(change.map(|at| (at, WakeReason::TimetableChanges)));
        }
        self.plan.wake_at = self.timers.into_iter().min().map(|(at, reason)| {
            let at = at.max(now.wall);
            let boot_ms = now.boot_ms.saturating_add(at.ms_since(now.wall).unsigned_abs());
            Wake { at, boot_ms, reason }
        });
        self.plan.memory = policy.memory.follow(conditions);
        let left = self.plan.waiting.iter().any(|wait| wait.priority == Priority::Backup && is_in_line(wait));
        self.plan.memory.batch_open = conditions.power.source == PowerSource::Battery
            && self.gathering == Gathering::Open
            && (left || self.slots.any_backup());
        self.plan
    }
}

/// How fast everything together may go: the slower of the person's limit and the hour's.
pub fn rate(settings: &Settings, minute_of_week: u16) -> Rate {
    let limit = settings.bandwidth_bytes_per_s;
    match settings.timetable.rate_at(minute_of_week) {
        // What goes although the hour is closed goes as at any other hour.
        Rate::Unlimited | Rate::Stopped => limit.map_or(Rate::Unlimited, |bytes_per_s| Rate::Limited { bytes_per_s }),
        Rate::Limited { bytes_per_s } => Rate::Limited { bytes_per_s: limit.map_or(bytes_per_s, |limit| limit.min(bytes_per_s)) },
    }
}

/// Whether jobs wait for nothing but others before them.
fn is_in_line(wait: &LaneWait) -> bool {
    wait.reasons.iter().all(|found| found.reason == WaitingReason::JobLimit)
}

/// A lane whose heads are being started.
struct Hand<'a> {
    lane: &'a Lane,
    destination: Cow<'a, DestinationFacts>,
    /// Those not looked at yet.
    heads: std::vec::IntoIter<&'a Candidate>,
    waits: Waits,
    seen_jobs: u64,
    seen_bytes: u64,
}

impl<'a> Hand<'a> {
    fn of(lane: &'a Lane, destination: Cow<'a, DestinationFacts>, now: Now) -> Self {
        let mut heads: Vec<&Candidate> = lane.heads.iter().collect();
        let soon = now.wall.plus_ms(EXPIRES_SOON_MS);
        heads.sort_by_key(|head| head.session_expires_at.filter(|at| *at <= soon).unwrap_or(Timestamp(i64::MAX)));
        Self { lane, destination, heads: heads.into_iter(), waits: Waits::default(), seen_jobs: 0, seen_bytes: 0 }
    }
}

/// Jobs of a lane that wait, grouped by their reasons.
#[derive(Default)]
struct Waits {
    groups: Vec<(Vec<Reason>, u64, u64)>,
}

impl Waits {
    fn add(&mut self, jobs: u64, bytes: u64, reasons: Vec<Reason>) {
        if jobs == 0 {
            return;
        }
        match self.groups.iter_mut().find(|(known, ..)| *known == reasons) {
            Some((_, group_jobs, group_bytes)) => {
                *group_jobs += jobs;
                *group_bytes = group_bytes.saturating_add(bytes);
            }
            None => self.groups.push((reasons, jobs, bytes)),
        }
    }
}

/// The slots that are taken.
struct Slots<'a> {
    limits: &'a Limits,
    taken: BTreeMap<(&'a DestinationId, Size, Priority), usize>,
    of_apps: BTreeMap<AppId, usize>,
    of_priorities: BTreeMap<Priority, usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Size {
    Small,
    Large,
}

impl<'a> Slots<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self { limits, taken: BTreeMap::new(), of_apps: BTreeMap::new(), of_priorities: BTreeMap::new() }
    }

    fn size(&self, bytes: u64) -> (Size, usize) {
        if bytes <= self.limits.small_bytes {
            (Size::Small, self.limits.small_jobs_per_destination)
        } else {
            (Size::Large, self.limits.large_jobs_per_destination)
        }
    }

    fn take(&mut self, destination: &'a DestinationId, app: Option<&AppId>, priority: Priority, bytes: u64) {
        let (size, _) = self.size(bytes);
        *self.taken.entry((destination, size, priority)).or_default() += 1;
        *self.of_priorities.entry(priority).or_default() += 1;
        if let Some(app) = app {
            *self.of_apps.entry(app.clone()).or_default() += 1;
        }
    }

    fn has_room(&self, destination: &DestinationId, priority: Priority, bytes: u64) -> bool {
        let (size, limit) = self.size(bytes);
        let same_or_above = (destination, size, priority)..=(destination, size, Priority::UserInitiated);
        self.taken.range(same_or_above).map(|(_, taken)| taken).sum::<usize>() < limit
            && self.of_priorities.range(priority..).map(|(_, taken)| taken).sum::<usize>() < self.limits.jobs
    }

    /// What a destination's app and the destination itself have under way.
    fn share(&self, destination: &DestinationFacts) -> (usize, usize) {
        let app = destination.app_id.as_ref().and_then(|app| self.of_apps.get(app)).copied().unwrap_or(0);
        let all = (&destination.id, Size::Small, Priority::Backup)..=(&destination.id, Size::Large, Priority::UserInitiated);
        (app, self.taken.range(all).map(|(_, taken)| taken).sum())
    }

    fn is_any_taken(&self) -> bool {
        self.taken.values().any(|taken| *taken > 0)
    }

    fn any_backup(&self) -> bool {
        self.taken.iter().any(|((_, _, priority), taken)| *priority == Priority::Backup && *taken > 0)
    }

    fn any_taken(&self, destination: &DestinationId) -> bool {
        let all = (destination, Size::Small, Priority::Backup)..=(destination, Size::Large, Priority::UserInitiated);
        self.taken.range(all).any(|(_, taken)| *taken > 0)
    }
}

/// Why a job that may move does not start: others go first.
fn in_line(destination: &DestinationFacts) -> Reason {
    match destination.state {
        DestinationState::Unreachable => untimed(WaitingReason::DestinationUnreachable),
        DestinationState::Ready
        | DestinationState::AuthRequired
        | DestinationState::QuotaExceeded
        | DestinationState::CertificateChanged => untimed(WaitingReason::JobLimit),
    }
}

fn with(mut reasons: Vec<Reason>, last: Reason) -> Vec<Reason> {
    reasons.push(last);
    reasons
}

/// When all of the reasons have ended by themselves, and by what; none if one of them needs an event.
fn end_of_all(reasons: &[Reason]) -> Option<(Timestamp, WakeReason)> {
    let ends: Option<Vec<_>> = reasons.iter().map(|found| Some((found.until?, wake_reason(found.reason)))).collect();
    ends?.into_iter().max()
}

/// What is waited for with a reason that has an end.
fn wake_reason(reason: WaitingReason) -> WakeReason {
    match reason {
        WaitingReason::PausedByUser => WakeReason::PauseEnds,
        WaitingReason::OutsideWindow => WakeReason::TimetableChanges,
        WaitingReason::DataCapReached => WakeReason::DayBegins,
        WaitingReason::Gathering => WakeReason::BatchDue,
        WaitingReason::NoNetwork
        | WaitingReason::CaptivePortal
        | WaitingReason::DestinationUnreachable
        | WaitingReason::ExpensiveNetwork
        | WaitingReason::UntrustedNetwork
        | WaitingReason::DeviceBusy
        | WaitingReason::BatteryLow
        | WaitingReason::PowerSaver
        | WaitingReason::NotCharging
        | WaitingReason::Suspending
        | WaitingReason::SessionEnding
        | WaitingReason::ThermalOrLoad
        | WaitingReason::SourceOffline
        | WaitingReason::SourceChanging
        | WaitingReason::Backoff
        | WaitingReason::JobLimit
        | WaitingReason::GroupMember
        | WaitingReason::AuthRequired
        | WaitingReason::QuotaExceeded
        | WaitingReason::CertificateChanged
        | WaitingReason::AccessWithdrawn
        | WaitingReason::DiskFull => WakeReason::RetryDue,
    }
}

#[cfg(test)]
mod tests;
