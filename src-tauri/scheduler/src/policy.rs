//! What the person, the app and the job allow, and how long a pause or an *Upload anyway* holds.

use afterglow_model::{
    BatchId, Conditions, JobId, Override, OverrideScope, Pause, PauseUntil, PowerSource, Settings, Timestamp, UploadJobOptions,
};

use crate::{LONGEST_BACKOFF_MS, Memory, Now};

/// What the person wants, as of now.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The standing rules.
    pub settings: &'a Settings,
    /// A pause, if one was given. One that has ended is ignored.
    pub pause: Option<&'a Pause>,
    /// Every *Upload anyway* that was given. Those that have expired are ignored.
    pub overrides: &'a [Override],
    /// Payload bytes of this local day.
    pub bytes_today: u64,
    /// What [`crate::Plan::memory`] of the plan before was; the default at first.
    pub memory: Memory,
}

/// The strictest of what an app and a job ask for.
pub fn strictest(app: &UploadJobOptions, job: &UploadJobOptions) -> UploadJobOptions {
    UploadJobOptions {
        prevents_expensive_network_access: app.prevents_expensive_network_access || job.prevents_expensive_network_access,
        requires_external_power: app.requires_external_power || job.requires_external_power,
        minimum_battery_percent: app.minimum_battery_percent.max(job.minimum_battery_percent),
        requires_idle: app.requires_idle || job.requires_idle,
        trusted_networks: both(&app.trusted_networks, &job.trusted_networks),
    }
}

/// The networks that both trust. Nobody's wish is an empty list; a wish that nothing fulfils is a list that names no network.
fn both(one: &[String], other: &[String]) -> Vec<String> {
    match (one, other) {
        ([], any) | (any, []) => any.to_vec(),
        (one, other) => {
            let common: Vec<String> = one.iter().filter(|key| other.contains(key)).cloned().collect();
            if common.is_empty() { vec![String::new()] } else { common }
        }
    }
}

/// Whether a pause is over by itself. A pause for the charger needs a charger that is known to be there.
pub fn end_of_pause(pause: &Pause, conditions: &Conditions, now: Now) -> bool {
    match &pause.until {
        PauseUntil::Resumed => false,
        PauseUntil::Time { at } => has_lapsed(pause.since, *at, now),
        PauseUntil::PluggedIn => conditions.power.source == PowerSource::Ac,
        PauseUntil::Network { key, .. } => conditions.network.key.as_ref() == Some(key),
    }
}

/// Whether an *Upload anyway* is over and can be forgotten: its time is up, or another network took the place of the one it
/// is bound to. While no network is known it lifts nothing, and comes back with its network.
/// Those of a job or batch end with it, which only the queue knows.
pub fn expired(given: &Override, conditions: &Conditions, now: Now) -> bool {
    let out_of_time = given.until.is_some_and(|until| has_lapsed(given.created_at, until, now));
    let elsewhere = match (bound_network(given), &conditions.network.key) {
        (Bound::Nowhere, _) => true,
        (Bound::To(key), Some(present)) => key != present,
        (Bound::To(_), None) | (Bound::Anywhere, _) => false,
    };
    out_of_time || elsewhere
}

/// What an *Upload anyway* is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// This job.
    One(&'a JobId, &'a BatchId),
    /// Each job of a lane: what lifts only some does not count.
    Each,
    /// The luckiest job of a lane: what lifts any counts.
    Luckiest,
}

/// Whether an *Upload anyway* holds now and covers the subject.
pub(crate) fn lifts(given: &Override, subject: Subject<'_>, conditions: &Conditions, now: Now) -> bool {
    let here = match bound_network(given) {
        Bound::Nowhere => false,
        Bound::To(key) => conditions.network.key.as_deref() == Some(key),
        Bound::Anywhere => true,
    };
    here && !expired(given, conditions, now) && covers(&given.scope, subject)
}

/// The end of an *Upload anyway* that holds, if it has one.
pub(crate) fn override_end(given: &Override, conditions: &Conditions, now: Now) -> Option<Timestamp> {
    given.until.filter(|_| !expired(given, conditions, now))
}

/// The end of a pause that holds, if it is a point in time.
pub(crate) fn pause_end(pause: &Pause) -> Option<Timestamp> {
    match pause.until {
        PauseUntil::Time { at } => Some(at),
        PauseUntil::Resumed | PauseUntil::PluggedIn | PauseUntil::Network { .. } => None,
    }
}

fn covers(scope: &OverrideScope, subject: Subject<'_>) -> bool {
    match (scope, subject) {
        (OverrideScope::Hour | OverrideScope::Network, _) => true,
        (OverrideScope::Job { job_id }, Subject::One(job, _)) => job_id == job,
        (OverrideScope::Batch { batch_id }, Subject::One(_, batch)) => batch_id == batch,
        (OverrideScope::Job { .. } | OverrideScope::Batch { .. }, Subject::Each) => false,
        (OverrideScope::Job { .. } | OverrideScope::Batch { .. }, Subject::Luckiest) => true,
    }
}

/// Where an *Upload anyway* may hold.
enum Bound<'a> {
    Anywhere,
    To(&'a str),
    /// For a network that had no key when it was given: it can never be recognised again.
    Nowhere,
}

fn bound_network(given: &Override) -> Bound<'_> {
    match (&given.scope, given.network_key.as_deref()) {
        (_, Some(key)) => Bound::To(key),
        (OverrideScope::Network, None) => Bound::Nowhere,
        (OverrideScope::Job { .. } | OverrideScope::Batch { .. } | OverrideScope::Hour, None) => Bound::Anywhere,
    }
}

/// Whether a span of wall time is over. One that lies in the future by more than the longest backoff was given before the
/// clock was set back; it is over as well, since its end would be no end that anybody meant.
fn has_lapsed(since: Timestamp, until: Timestamp, now: Now) -> bool {
    now.wall >= until || since.ms_since(now.wall) > LONGEST_BACKOFF_MS
}
