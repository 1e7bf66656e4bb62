//! What the person's rules forbid, said once more and simpler than the scheduler says it. Where the two could differ by right (a clock
//! that was set back, a charge that hovers), this forbids less.

use afterglow_model::{
    BatteryRule, Conditions, NetworkAccess, NetworkKind, Override, OverrideScope, Pause, PauseUntil, PowerSource, Priority, Rate,
    Reachability, Settings, Timestamp, UploadJobOptions, UserInitiatedRules,
};

use super::{MONDAY_MS, truth::Job};

/// Under so much room for our own state nothing goes.
const ROOM_MIN: u64 = 64 << 20;
/// Above such a load, percent, the machine is busy with other work.
const LOAD_MAX: u8 = 60;

/// Everything that decides, as it was from some moment on.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) conditions: Conditions,
    pub(crate) settings: Settings,
    pub(crate) pause: Option<Pause>,
    pub(crate) overrides: Vec<Override>,
    /// What each server's destination asks for.
    pub(crate) options: Vec<UploadJobOptions>,
    /// How far the wall clock was set.
    pub(crate) clock_set_ms: i64,
}

impl Facts {
    /// The wall clock at a moment.
    pub(crate) fn wall(&self, at_ms: u64) -> Timestamp {
        Timestamp(MONDAY_MS + i64::try_from(at_ms).unwrap_or(0) + self.clock_set_ms)
    }

    /// The local day at a moment.
    pub(crate) fn day(&self, at_ms: u64) -> i64 {
        (self.wall(at_ms).0 - MONDAY_MS).div_euclid(86_400_000)
    }

    fn minute_of_week(&self, at_ms: u64) -> u16 {
        let minute = (self.wall(at_ms).0 - MONDAY_MS).div_euclid(60_000).rem_euclid(7 * 24 * 60);
        u16::try_from(minute).unwrap_or(0)
    }

    /// Why this job may not send at a moment. `spent` says that the day's budget is used up.
    pub(crate) fn forbids(&self, job: &Job, at_ms: u64, spent: bool) -> Option<&'static str> {
        let now = self.wall(at_ms);
        let lifted: Vec<&Override> = self.overrides.iter().filter(|given| self.holds(given, job, now)).collect();
        self.never(job, now, &lifted).or_else(|| if lifted.is_empty() { self.rules(job, at_ms, spent) } else { None })
    }

    /// What no *Upload anyway* lifts, and a pause that was said after it.
    fn never(&self, _: &Job, now: Timestamp, lifted: &[&Override]) -> Option<&'static str> {
        let paused = self.pause.as_ref().filter(|pause| match &pause.until {
            PauseUntil::Resumed => true,
            PauseUntil::Time { at } => pause.since <= now && now < *at,
            PauseUntil::PluggedIn => self.conditions.power.source != PowerSource::Ac,
            PauseUntil::Network { key, .. } => self.conditions.network.key.as_ref() != Some(key),
        });
        if paused.is_some_and(|pause| lifted.iter().all(|given| given.created_at < pause.since)) {
            return Some("paused");
        }
        if self.conditions.session.suspending {
            return Some("asleep");
        }
        if self.conditions.session.ending {
            return Some("about to be switched off");
        }
        if self.conditions.resources.state_free_bytes.is_some_and(|free| free < ROOM_MIN) {
            return Some("no room for our own state");
        }
        match self.conditions.network.reachability {
            Reachability::None | Reachability::Limited => Some("no network"),
            Reachability::CaptivePortal => Some("a sign-in page"),
            Reachability::Unknown | Reachability::Full => None,
        }
    }

    /// Whether an *Upload anyway* may hold for a job.
    fn holds(&self, given: &Override, job: &Job, now: Timestamp) -> bool {
        let covered = match &given.scope {
            OverrideScope::Hour | OverrideScope::Network => true,
            OverrideScope::Job { job_id } => *job_id == job.id,
            OverrideScope::Batch { batch_id } => Some(batch_id) == job.batch_id.as_ref(),
        };
        let here = given.network_key.is_none() || given.network_key == self.conditions.network.key;
        covered && here && given.until.is_none_or(|until| now < until)
    }

    fn rules(&self, job: &Job, at_ms: u64, spent: bool) -> Option<&'static str> {
        let settings = &self.settings;
        let asked: Vec<&UploadJobOptions> =
            [Some(&self.options[job.server]), Some(&job.options), job.is_video.then_some(&settings.videos)]
                .into_iter()
                .flatten()
                .collect();
        let patient = job.priority != Priority::UserInitiated || settings.user_initiated == UserInitiatedRules::All;
        self.network(&asked).or_else(|| self.power(&asked, patient)).or_else(|| {
            let session = &self.conditions.session;
            let used = session.idle == Some(false) && session.locked != Some(true);
            let wants_idle = (patient && settings.only_when_idle) || asked.iter().any(|options| options.requires_idle);
            if used && wants_idle {
                Some("in use")
            } else if patient && settings.spare_load && self.conditions.resources.load_percent.is_some_and(|load| load > LOAD_MAX) {
                Some("busy with other work")
            } else if patient && settings.timetable.rate_at(self.minute_of_week(at_ms)) == Rate::Stopped {
                Some("outside the hours")
            } else if patient && spent && settings.bytes_per_day_max.is_some() {
                Some("the day's bytes are spent")
            } else {
                None
            }
        })
    }

    fn network(&self, asked: &[&UploadJobOptions]) -> Option<&'static str> {
        let (settings, network) = (&self.settings, &self.conditions.network);
        let is_here = |key: &String| Some(key) == network.key.as_ref();
        let said = settings.networks.iter().find(|rule| is_here(&rule.key)).map(|rule| rule.access);
        let allowed = said == Some(NetworkAccess::Allowed);
        if said == Some(NetworkAccess::Denied) {
            return Some("a denied network");
        }
        if asked.iter().any(|options| !options.trusted_networks.is_empty() && !options.trusted_networks.iter().any(is_here)) {
            return Some("a network that is not trusted");
        }
        if settings.only_allowed_networks && !allowed {
            return Some("a network that was not named");
        }
        if network.kind == NetworkKind::Vpn && !settings.allow_vpn && !allowed {
            return Some("a tunnel");
        }
        let free = settings.allow_metered || allowed;
        let sparing = asked.iter().any(|options| options.prevents_expensive_network_access);
        (network.metered.is_metered() && (!free || sparing)).then_some("a metered network")
    }

    fn power(&self, asked: &[&UploadJobOptions], patient: bool) -> Option<&'static str> {
        let (settings, power) = (&self.settings, &self.conditions.power);
        let rule = if patient { settings.battery } else { BatteryRule::Always };
        if power.source == PowerSource::Battery {
            if rule == BatteryRule::OnlyPluggedIn || asked.iter().any(|options| options.requires_external_power) {
                return Some("not plugged in");
            }
            let person = (rule == BatteryRule::AboveMinimum).then_some(settings.battery_minimum_percent);
            let minimum = asked.iter().filter_map(|options| options.minimum_battery_percent).chain(person).max();
            if power.level_percent.is_some_and(|level| minimum.is_some_and(|minimum| level < minimum)) {
                return Some("a low battery");
            }
        }
        (patient && power.power_saver == Some(true) && !settings.allow_power_saver).then_some("power saver")
    }
}
