//! The gate: why something may not move now. What [`crate::plan()`] starts and stops by, and the answer to "why?".

use afterglow_model::{
    AppId, BatchId, BatteryRule, Conditions, DestinationId, DestinationState, JobId, NetworkAccess, NetworkKind, Override,
    PowerSource, Priority, Rate, Reachability, Timestamp, UploadJobOptions, UserInitiatedRules, WaitingReason,
};

use crate::policy::{Subject, lifts, pause_end};
use crate::{Memory, Now, Policy, end_of_pause, is_due};

/// One reason for which something does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Which.
    pub reason: WaitingReason,
    /// When it ends by itself, if that is known.
    pub until: Option<Timestamp>,
}

/// What is known of a destination beside its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationFacts {
    /// Which.
    pub id: DestinationId,
    /// Whose it is; none if that is not known.
    pub app_id: Option<AppId>,
    /// Whether it can be sent to. One that is unreachable gets one job at a time until an answer makes it ready.
    pub state: DestinationState,
    /// Not before this: the server's `Retry-After`, or the backoff of the whole host.
    pub not_before: Option<Timestamp>,
    /// On this machine or in the local network: reached without the internet, and at no cost by the byte.
    pub local: bool,
}

impl DestinationFacts {
    /// A destination of which nothing is known.
    pub fn unknown(id: DestinationId) -> Self {
        Self { id, app_id: None, state: DestinationState::Ready, not_before: None, local: false }
    }
}

/// Why a job may not move now; empty if it may.
///
/// `job` is none for a lane as a whole: then *Upload anyway* for single jobs and batches lifts nothing. `options` is the
/// strictest of the app's and the job's.
///
/// The strongest comes first: the person's pause, then what no *Upload anyway* lifts, then what it does.
pub fn reasons(
    priority: Priority,
    job: Option<(&JobId, &BatchId)>,
    options: &UploadJobOptions,
    destination: &DestinationFacts,
    conditions: &Conditions,
    policy: &Policy<'_>,
    now: Now,
) -> Vec<Reason> {
    let subject = job.map_or(Subject::Each, |(job_id, batch_id)| Subject::One(job_id, batch_id));
    Gate { conditions, policy, now }.reasons(priority, subject, options, destination)
}

/// The gate as it stands now.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'a> {
    pub(crate) conditions: &'a Conditions,
    pub(crate) policy: &'a Policy<'a>,
    pub(crate) now: Now,
}

impl Gate<'_> {
    /// See [`reasons`].
    pub(crate) fn reasons(
        &self,
        priority: Priority,
        subject: Subject<'_>,
        options: &UploadJobOptions,
        destination: &DestinationFacts,
    ) -> Vec<Reason> {
        let mut found = Vec::new();
        found.extend(self.paused(subject));
        if self.conditions.session.suspending {
            found.push(untimed(WaitingReason::Suspending));
        }
        if self.conditions.session.ending {
            found.push(untimed(WaitingReason::SessionEnding));
        }
        if self.memory().disk_full {
            found.push(untimed(WaitingReason::DiskFull));
        }
        if !destination.local {
            found.extend(self.cut_off());
        }
        found.extend(self.refused(destination));
        if !self.is_lifted(subject) {
            if !destination.local {
                found.extend(self.network(options));
            }
            found.extend(self.time(priority));
            found.extend(self.power(priority, options));
            found.extend(self.in_use(priority, options));
            found.extend(self.busy(priority));
        }
        found
    }

    /// What is remembered of the facts up to now, these included.
    fn memory(&self) -> Memory {
        self.policy.memory.follow(self.conditions)
    }

    /// Whether all of the person's rules hold for a job: what the person asked for now is bound by those of the network alone,
    /// unless they said otherwise.
    fn is_patient(&self, priority: Priority) -> bool {
        match (priority, self.policy.settings.user_initiated) {
            (Priority::Backup | Priority::App, _) | (Priority::UserInitiated, UserInitiatedRules::All) => true,
            (Priority::UserInitiated, UserInitiatedRules::Network) => false,
        }
    }

    /// Whether an *Upload anyway* holds for the subject.
    pub(crate) fn is_lifted(&self, subject: Subject<'_>) -> bool {
        self.overrides(subject).any(|_| true)
    }

    /// The *Upload anyway*s that hold for the subject.
    fn overrides<'s>(&'s self, subject: Subject<'s>) -> impl Iterator<Item = &'s Override> {
        self.policy.overrides.iter().filter(move |given| lifts(given, subject, self.conditions, self.now))
    }

    /// A pause holds unless *Upload anyway* was said after it: the later word counts.
    fn paused(&self, subject: Subject<'_>) -> Option<Reason> {
        let pause = self.policy.pause.filter(|pause| !end_of_pause(pause, self.conditions, self.now))?;
        let unsaid = self.overrides(subject).any(|given| given.created_at >= pause.since);
        (!unsaid).then(|| Reason { reason: WaitingReason::PausedByUser, until: pause_end(pause) })
    }

    /// Why nothing beyond the local network can be reached.
    fn cut_off(&self) -> Option<Reason> {
        match self.conditions.network.reachability {
            Reachability::None | Reachability::Limited => Some(untimed(WaitingReason::NoNetwork)),
            Reachability::CaptivePortal => Some(untimed(WaitingReason::CaptivePortal)),
            Reachability::Unknown | Reachability::Full => None,
        }
    }

    /// What the destination itself has against it.
    fn refused(&self, destination: &DestinationFacts) -> impl Iterator<Item = Reason> {
        let state = match destination.state {
            DestinationState::AuthRequired => Some(untimed(WaitingReason::AuthRequired)),
            DestinationState::QuotaExceeded => Some(untimed(WaitingReason::QuotaExceeded)),
            DestinationState::CertificateChanged => Some(untimed(WaitingReason::CertificateChanged)),
            // Only an attempt can tell whether it answers again.
            DestinationState::Ready | DestinationState::Unreachable => None,
        };
        let not_before = destination.not_before.filter(|at| !is_due(*at, self.now.wall));
        let later = not_before.map(|at| Reason { reason: WaitingReason::DestinationUnreachable, until: Some(at) });
        state.into_iter().chain(later)
    }

    /// What the person says of this network, and what it costs. A network that was allowed by name counts as one that costs nothing.
    ///
    /// A network that cannot be told from others is neither allowed nor denied by name, and is none of those that a job trusts:
    /// naming networks asks for a known one.
    fn network(&self, options: &UploadJobOptions) -> Option<Reason> {
        let (settings, network) = (self.policy.settings, &self.conditions.network);
        let key = network.key.as_deref();
        let said = settings.networks.iter().find(|rule| Some(rule.key.as_str()) == key).map(|rule| rule.access);
        let allowed = said == Some(NetworkAccess::Allowed);
        let trusted =
            options.trusted_networks.is_empty() || key.is_some_and(|key| options.trusted_networks.iter().any(|one| one == key));
        let tunnel = network.kind == NetworkKind::Vpn && !settings.allow_vpn;
        if said == Some(NetworkAccess::Denied) || !trusted || (!allowed && (settings.only_allowed_networks || tunnel)) {
            return Some(untimed(WaitingReason::UntrustedNetwork));
        }
        let free = allowed || settings.allow_metered;
        let expensive = network.metered.is_metered() && (!free || options.prevents_expensive_network_access);
        expensive.then(|| untimed(WaitingReason::ExpensiveNetwork))
    }

    /// What the hours and the day's budget forbid.
    fn time(&self, priority: Priority) -> impl Iterator<Item = Reason> {
        let (settings, minute) = (self.policy.settings, self.now.local.minute_of_week);
        let patient = self.is_patient(priority);
        let stopped = patient && settings.timetable.rate_at(minute) == Rate::Stopped;
        let outside = stopped.then(|| Reason {
            reason: WaitingReason::OutsideWindow,
            until: settings.timetable.minutes_to_change(minute).map(|minutes| self.now.in_local_minutes(minutes)),
        });
        let spent = patient && settings.bytes_per_day_max.is_some_and(|max| self.policy.bytes_today >= max);
        let capped = spent.then(|| Reason { reason: WaitingReason::DataCapReached, until: Some(self.now.tomorrow()) });
        outside.into_iter().chain(capped)
    }

    /// Whether the computer is in use where that matters. A locked screen is nobody's.
    fn in_use(&self, priority: Priority, options: &UploadJobOptions) -> Option<Reason> {
        let wanted = (self.is_patient(priority) && self.policy.settings.only_when_idle) || options.requires_idle;
        let session = &self.conditions.session;
        let used = session.idle == Some(false) && session.locked != Some(true);
        (wanted && used).then(|| untimed(WaitingReason::DeviceBusy))
    }

    /// Whether the computer has other work that is not to be held up.
    fn busy(&self, priority: Priority) -> Option<Reason> {
        let wanted = self.is_patient(priority) && self.policy.settings.spare_load;
        (wanted && self.memory().busy).then(|| untimed(WaitingReason::ThermalOrLoad))
    }

    /// What the battery and the power profile forbid. The person's own word of now goes before the person's rules, but not
    /// before what the app or the job asks for.
    fn power(&self, priority: Priority, options: &UploadJobOptions) -> impl Iterator<Item = Reason> {
        let settings = self.policy.settings;
        let patient = self.is_patient(priority);
        let rule = if patient { settings.battery } else { BatteryRule::Always };
        let (charger_only, minimum) = match rule {
            BatteryRule::Always => (false, None),
            BatteryRule::AboveMinimum => (false, Some(settings.battery_minimum_percent)),
            BatteryRule::OnlyPluggedIn => (true, None),
        };
        let power = &self.conditions.power;
        let on_battery = power.source == PowerSource::Battery;
        let charge = self.memory().low_percent;

        let not_charging = on_battery && (charger_only || options.requires_external_power);
        let low =
            matches!((minimum.max(options.minimum_battery_percent), charge), (Some(minimum), Some(charge)) if charge < minimum);
        let saver = patient && power.power_saver == Some(true) && !settings.allow_power_saver;
        [(not_charging, WaitingReason::NotCharging), (low, WaitingReason::BatteryLow), (saver, WaitingReason::PowerSaver)]
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, reason)| untimed(reason))
    }
}

/// A reason that only a change of facts ends.
pub(crate) fn untimed(reason: WaitingReason) -> Reason {
    Reason { reason, until: None }
}

#[cfg(test)]
mod tests;
