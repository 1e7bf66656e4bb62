//! WaitReason, held against the scheduler itself: once everything that a group of jobs waits for is lifted, it waits for none of it.

use afterglow_model::{
    BatteryRule, Conditions, DestinationState, Metered, NetworkKind, PowerSource, Reachability, Settings, WaitingReason,
};
use afterglow_scheduler::{Active, DestinationFacts, Lane, LaneWait, Memory, Now, Policy, plan};

use super::{Engine, Mind, limits};
use crate::simulation::{Invariant, Rules, lock, machine};

/// What a plan is made from, so that single reasons can be lifted.
struct Inputs {
    lanes: Vec<Lane>,
    active: Vec<Active>,
    facts: Vec<DestinationFacts>,
    conditions: Conditions,
    rules: Rules,
    bytes_today: u64,
    memory: Memory,
}

impl Engine {
    /// Lifts what each group of waiting jobs names, one group after the other, and sees whether it moves.
    pub(crate) fn audit_reasons(&self) -> anyhow::Result<()> {
        if self.world.options.plant.is_some() {
            return Ok(());
        }
        let now = self.world.now();
        let taken: Vec<_> = lock(&self.mind).running.values().map(|running| running.job.id.clone()).collect();
        self.refresh(now.wall, &taken)?;
        let inputs = self.inputs(&lock(&self.mind), now);
        for wait in inputs.waiting(now) {
            let mut lifted = inputs.clone_for(&wait);
            wait.reasons.iter().for_each(|found| lifted.lift(found.reason));
            let left =
                lifted.waiting(now).into_iter().flat_map(|other| other.reasons).find(|other| {
                    !is_a_matter_of_turns(other.reason) && wait.reasons.iter().any(|found| found.reason == other.reason)
                });
            if let Some(left) = left {
                let (reasons, left) = (wait.reasons.iter().map(|found| found.reason).collect::<Vec<_>>(), left.reason);
                let what = format!("{} jobs wait for {reasons:?}; without them they wait for {left:?} still", wait.jobs);
                lock(&self.world.truth).broken(Invariant::WaitReason, what);
            }
        }
        Ok(())
    }

    fn inputs(&self, mind: &Mind, now: Now) -> Inputs {
        Inputs {
            lanes: mind.lanes.for_plan(now.wall, |key| self.lane_options(mind, key)),
            active: mind
                .running
                .values()
                .filter(|running| !running.stopping)
                .map(|running| self.active(mind, &running.job))
                .collect(),
            facts: self.facts(mind, now.wall),
            conditions: self.seen(),
            rules: lock(&self.world.rules).clone(),
            bytes_today: mind.day.1 + *lock(&self.world.sent) - mind.counted,
            memory: mind.memory,
        }
    }
}

impl Inputs {
    fn waiting(&self, now: Now) -> Vec<LaneWait> {
        let policy = Policy {
            settings: &self.rules.settings,
            pause: self.rules.pause.as_ref(),
            overrides: &self.rules.overrides,
            bytes_today: self.bytes_today,
            memory: self.memory,
        };
        plan(&self.lanes, &self.facts, &self.active, &self.conditions, &policy, &limits(), now).waiting
    }

    /// The same, with the lane of these jobs alone.
    fn clone_for(&self, wait: &LaneWait) -> Self {
        let of_wait = |lane: &&Lane| lane.destination_id == wait.destination_id && lane.priority == wait.priority;
        Self {
            lanes: self.lanes.iter().filter(of_wait).cloned().collect(),
            active: self.active.clone(),
            facts: self.facts.clone(),
            conditions: self.conditions.clone(),
            rules: self.rules.clone(),
            bytes_today: self.bytes_today,
            memory: self.memory,
        }
    }

    fn settings(&mut self) -> &mut Settings {
        &mut self.rules.settings
    }

    fn lift(&mut self, reason: WaitingReason) {
        match reason {
            WaitingReason::NoNetwork | WaitingReason::CaptivePortal => self.conditions.network.reachability = Reachability::Full,
            WaitingReason::ExpensiveNetwork => self.conditions.network.metered = Metered::No,
            WaitingReason::UntrustedNetwork => {
                (self.conditions.network.kind, self.conditions.network.key) = (NetworkKind::Wifi, Some("home".to_owned()));
                (self.settings().only_allowed_networks, self.settings().networks) = (false, Vec::new());
            }
            WaitingReason::OutsideWindow => self.settings().timetable = Default::default(),
            WaitingReason::DataCapReached => self.settings().bytes_per_day_max = None,
            WaitingReason::DeviceBusy => self.conditions.session.idle = Some(true),
            WaitingReason::Gathering => self.settings().gather_minutes = 0,
            WaitingReason::BatteryLow => self.conditions.power = machine::calm().power,
            WaitingReason::NotCharging => self.conditions.power.source = PowerSource::Ac,
            WaitingReason::PowerSaver => self.conditions.power.power_saver = Some(false),
            WaitingReason::Suspending => self.conditions.session.suspending = false,
            WaitingReason::SessionEnding => self.conditions.session.ending = false,
            WaitingReason::ThermalOrLoad => self.settings().spare_load = false,
            WaitingReason::PausedByUser => self.rules.pause = None,
            WaitingReason::DestinationUnreachable
            | WaitingReason::AuthRequired
            | WaitingReason::QuotaExceeded
            | WaitingReason::CertificateChanged => {
                self.facts.iter_mut().for_each(|facts| (facts.state, facts.not_before) = (DestinationState::Ready, None));
            }
            WaitingReason::Backoff => {
                self.lanes.iter_mut().for_each(|lane| (lane.backing_off_jobs, lane.next_attempt_at) = (0, None));
            }
            WaitingReason::SourceOffline => self.lanes.iter_mut().for_each(|lane| lane.offline_jobs = 0),
            WaitingReason::DiskFull => self.conditions.resources.state_free_bytes = None,
            // Nothing comes after another here.
            WaitingReason::GroupMember
            | WaitingReason::JobLimit
            | WaitingReason::SourceChanging
            | WaitingReason::AccessWithdrawn => {}
        }
        if self.settings().battery == BatteryRule::OnlyPluggedIn && reason == WaitingReason::NotCharging {
            self.settings().battery = BatteryRule::Always;
        }
    }
}

/// Whether others only go first.
fn is_a_matter_of_turns(reason: WaitingReason) -> bool {
    matches!(reason, WaitingReason::JobLimit | WaitingReason::SourceChanging | WaitingReason::AccessWithdrawn)
}
