//! On battery, backups go in batches: radio and disk wake once for many photos instead of once for each, and sleep in between.
//!
//! A batch opens when it is worth waking for or has waited long enough, and stays open until nothing of it is left. Plugged in, or where
//! the power source is not known, nothing is gathered.

use afterglow_model::{PowerSource, Priority, Timestamp, WaitingReason};

use crate::gate::{Gate, Reason};
use crate::policy::Subject;
use crate::{Active, DestinationFacts, Lane};

/// Whether a batch is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gathering {
    /// What is ready goes.
    Open,
    /// What is ready waits for more, until then at the latest.
    Closed { until: Timestamp },
}

impl Gathering {
    /// Looks at all backups in lanes that nothing else holds back.
    pub(crate) fn of(gate: &Gate<'_>, lanes: &[Lane], destinations: &[DestinationFacts], active: &[Active]) -> Self {
        let settings = gate.policy.settings;
        if gate.conditions.power.source != PowerSource::Battery {
            return Self::Open;
        }
        let mut bytes = 0_u64;
        let mut oldest: Option<Timestamp> = None;
        for lane in lanes.iter().filter(|lane| lane.priority == Priority::Backup && lane.ready_jobs > 0) {
            let known = destinations.iter().find(|facts| facts.id == lane.destination_id).cloned();
            let facts = known.unwrap_or_else(|| DestinationFacts::unknown(lane.destination_id.clone()));
            if !gate.reasons(lane.priority, Subject::Each, &lane.options, &facts).is_empty() {
                continue;
            }
            bytes = bytes.saturating_add(lane.ready_bytes);
            oldest = oldest.into_iter().chain(lane.oldest_at).min();
        }
        let going = active.iter().any(|job| job.priority == Priority::Backup);
        let until = oldest.map(|at| at.plus_ms(i64::from(settings.gather_minutes) * 60_000));
        match until {
            None => Self::Open,
            Some(_) if going || gate.policy.memory.batch_open || bytes >= settings.gather_bytes => Self::Open,
            // One that lies further away than the wait itself was made before the clock was set back.
            Some(until)
                if until <= gate.now.wall || until.ms_since(gate.now.wall) > i64::from(settings.gather_minutes) * 60_000 =>
            {
                Self::Open
            }
            Some(until) => Self::Closed { until },
        }
    }

    /// Why a job of this priority waits for others, if it does.
    pub(crate) fn reason(self, priority: Priority) -> Option<Reason> {
        match (self, priority) {
            (Self::Closed { until }, Priority::Backup) => Some(Reason { reason: WaitingReason::Gathering, until: Some(until) }),
            (Self::Closed { .. }, Priority::App | Priority::UserInitiated) | (Self::Open, _) => None,
        }
    }
}
