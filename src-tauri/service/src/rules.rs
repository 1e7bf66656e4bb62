//! The person's rules as the scheduler wants them, the answer to "why?", and to "what if?". Both come from the function that decides.

use afterglow_model::{
    Conditions, Destination, DestinationState, FailureCode, Metered, NetworkKind, Override, Pause, Phase, PowerSource, Priority,
    Rate, Reachability, SentenceContext, Settings, Simulate, Simulation, Timestamp, UploadJob, UploadJobOptions, Waiting,
    WaitingReason, waiting_sentence,
};
use afterglow_queue::FileClass;
use afterglow_scheduler::{DestinationFacts, Memory, Now, Policy, Reason, reasons, strictest};

use crate::{
    clock,
    core::Core,
    error::{Answer, Refusal},
    host,
};

/// What the person wants, as it is written down now.
struct Rules {
    settings: Settings,
    pause: Option<Pause>,
    overrides: Vec<Override>,
    bytes_today: u64,
}

impl Rules {
    async fn read(core: &Core) -> Answer<Self> {
        let today = clock::today();
        let days = core.queue.bytes_by_day(1).await?;
        Ok(Self {
            settings: core.queue.settings().await?,
            pause: core.queue.pause().await?,
            overrides: core.queue.overrides().await?,
            bytes_today: days.into_iter().find(|known| known.day == today).map_or(0, |known| known.bytes),
        })
    }

    fn policy(&self, conditions: &Conditions) -> Policy<'_> {
        Policy {
            settings: &self.settings,
            pause: self.pause.as_ref(),
            overrides: &self.overrides,
            bytes_today: self.bytes_today,
            memory: Memory::default().follow(conditions),
        }
    }
}

/// What a destination and a class of files ask for beyond the settings.
pub(crate) fn lane_options(destination: &Destination, class: FileClass, settings: &Settings) -> UploadJobOptions {
    match class {
        FileClass::Video => strictest(&destination.options, &settings.videos),
        FileClass::Small | FileClass::Large => destination.options.clone(),
    }
}

/// A job with what only this moment knows: where a running transfer is, and why a waiting one waits.
pub(crate) async fn explain(core: &Core, mut job: UploadJob) -> UploadJob {
    if job.state.is_terminal() {
        return job;
    }
    if let Some(point) = core.live.get(&job.id) {
        job.phase = point.phase;
        job.bytes_sent = point.confirmed.max(job.bytes_sent);
        return job;
    }
    match waiting(core, &job).await {
        Ok(waiting) => {
            if !waiting.is_empty() && matches!(job.phase, Phase::Queued) {
                job.phase = Phase::Waiting;
            }
            job.waiting = waiting;
        }
        Err(refusal) => tracing::warn!(error = refusal.error.message, "why a job waits could not be found out"),
    }
    job
}

async fn waiting(core: &Core, job: &UploadJob) -> Answer<Vec<Waiting>> {
    let now = clock::now();
    let conditions = core.conditions.borrow().clone();
    let rules = Rules::read(core).await?;
    let Some(destination) = core.queue.destination(job.destination_id.as_str()).await? else { return Ok(Vec::new()) };
    let queued = core.queue.queued_job(&job.id).await?;
    let options = queued.as_ref().map_or_else(
        || destination.options.clone(),
        |queued| strictest(&lane_options(&destination, queued.class, &rules.settings), &queued.options),
    );
    let ids = Some((&job.id, &job.batch_id));
    let policy = rules.policy(&conditions);
    let mut found = reasons(job.priority, ids, &options, &facts(&destination), &conditions, &policy, now);

    // What only the loop knows: how long a destination is left alone, what has not recovered yet, what was sent of a file under way,
    // and what is gathered.
    let told = core.status.borrow().clone();
    for group in told.waiting.iter().filter(|group| group.destination_id == destination.id) {
        let of_the_loop = match group.reason {
            WaitingReason::DestinationUnreachable
            | WaitingReason::BatteryLow
            | WaitingReason::DataCapReached
            | WaitingReason::DiskFull
            | WaitingReason::ThermalOrLoad => true,
            WaitingReason::Gathering => job.priority == Priority::Backup,
            _ => false,
        };
        if of_the_loop && found.iter().all(|known| known.reason != group.reason) {
            found.push(Reason { reason: group.reason, until: group.until });
        }
    }
    if job.phase == Phase::Held {
        let held = match job.failure.as_ref().map(|failure| failure.code) {
            Some(FailureCode::AccessDenied) => WaitingReason::AccessWithdrawn,
            Some(FailureCode::QuotaExceeded) => WaitingReason::QuotaExceeded,
            Some(FailureCode::CertificateChanged) => WaitingReason::CertificateChanged,
            _ => WaitingReason::AuthRequired,
        };
        found.insert(0, Reason { reason: held, until: None });
    }
    if job.phase == Phase::Waiting {
        found.push(Reason { reason: WaitingReason::GroupMember, until: None });
    }
    if let Some(source) = queued.and_then(|queued| queued.source_id)
        && !core.library.source_online(&source).await?
    {
        found.push(Reason { reason: WaitingReason::SourceOffline, until: None });
    }
    if job.next_attempt_at.is_some_and(|at| at > now.wall) {
        found.push(Reason { reason: WaitingReason::Backoff, until: job.next_attempt_at });
    }
    if found.is_empty() {
        found.push(Reason { reason: WaitingReason::JobLimit, until: None });
    }
    let said = found.into_iter().map(|found| {
        let mut waiting = say(found, Some(&destination.name), &rules.settings, &conditions, now, job.created_at);
        if let (Some(failure), Phase::Held) = (&job.failure, job.phase) {
            waiting.sentence.clone_from(&failure.message);
        }
        waiting
    });
    Ok(said.collect())
}

/// Whether a destination may be spoken to now, as if for a backup.
pub(crate) async fn may_go(core: &Core, destination: &Destination) -> Answer<bool> {
    if destination.state != DestinationState::Ready {
        return Ok(false);
    }
    let conditions = core.conditions.borrow().clone();
    let rules = Rules::read(core).await?;
    let policy = rules.policy(&conditions);
    let against = reasons(Priority::Backup, None, &destination.options, &facts(destination), &conditions, &policy, clock::now());
    Ok(against.is_empty())
}

/// What would happen under the conditions asked about. Pauses and *Upload anyway* are left out: the question is about the rules.
pub(crate) async fn simulate(core: &Core, asked: Simulate) -> Answer<Simulation> {
    let mut rules = Rules::read(core).await?;
    (rules.pause, rules.overrides) = (None, Vec::new());
    rules.bytes_today = asked.bytes_today.unwrap_or(rules.bytes_today);
    let present = core.conditions.borrow().clone();
    let conditions = imagined(present, &asked, &rules.settings)?;
    let mut now = clock::now();
    if let Some(minute) = asked.minute_of_week {
        if minute >= afterglow_model::WEEK_MINUTES {
            return Err(Refusal::bad("bad_time", "A week has 10,080 minutes, counted from Monday 00:00."));
        }
        now = Now { local: afterglow_scheduler::Local { minute_of_week: minute, ms_of_minute: 0, jumps_at: None }, ..now };
    }
    let destination = match &asked.destination {
        Some(named) => Some(core.destination(named).await?),
        None => None,
    };
    let class = if asked.is_video { FileClass::Video } else { FileClass::Small };
    let (facts, options) = match &destination {
        Some(known) => (facts(known), lane_options(known, class, &rules.settings)),
        None => {
            let anywhere = DestinationFacts::unknown("anywhere".into());
            (anywhere, if asked.is_video { rules.settings.videos.clone() } else { UploadJobOptions::default() })
        }
    };
    let priority = asked.priority.unwrap_or(Priority::Backup);
    let policy = rules.policy(&conditions);
    let rate = afterglow_scheduler::rate(&rules.settings, now.local.minute_of_week);
    let found = reasons(priority, None, &options, &facts, &conditions, &policy, now);
    let name = destination.as_ref().map(|known| known.name.as_str());
    let waiting: Vec<Waiting> =
        found.into_iter().map(|found| say(found, name, &rules.settings, &conditions, now, now.wall)).collect();
    let gathers = priority == Priority::Backup && conditions.power.source == PowerSource::Battery;
    let sentence = match (waiting.first(), rate) {
        (Some(first), _) => first.sentence.clone(),
        (None, _) if gathers => "It would go, together with others, to spare the battery.".to_owned(),
        (None, Rate::Limited { bytes_per_s }) => format!("It would go, at {}/s at most.", afterglow_model::bytes(bytes_per_s)),
        (None, Rate::Unlimited | Rate::Stopped) => "It would go at once.".to_owned(),
    };
    Ok(Simulation { goes: waiting.is_empty(), sentence, waiting, rate, conditions })
}

/// The present conditions with what is asked about in their place.
fn imagined(mut conditions: Conditions, asked: &Simulate, settings: &Settings) -> Answer<Conditions> {
    let power = &mut conditions.power;
    if [asked.battery_percent, asked.load_percent].into_iter().flatten().any(|percent| percent > 100) {
        return Err(Refusal::bad("bad_percent", "A charge or a load is a percentage, 0 to 100."));
    }
    match asked.on_battery.or(asked.battery_percent.map(|_| true)) {
        Some(true) => power.source = PowerSource::Battery,
        Some(false) => power.source = PowerSource::Ac,
        None => {}
    }
    power.level_percent = asked.battery_percent.or(power.level_percent);
    power.power_saver = asked.power_saver.or(power.power_saver);
    let network = &mut conditions.network;
    if let Some(online) = asked.online {
        network.reachability = if online { Reachability::Full } else { Reachability::None };
    }
    if let Some(metered) = asked.metered {
        network.metered = if metered { Metered::Yes } else { Metered::No };
    }
    if let Some(vpn) = asked.vpn {
        network.kind = if vpn { NetworkKind::Vpn } else { NetworkKind::Unknown };
    }
    if let Some(wanted) = &asked.network {
        let known = settings.networks.iter().find(|rule| rule.key == *wanted || rule.name == *wanted);
        network.key = Some(known.map_or_else(|| wanted.clone(), |rule| rule.key.clone()));
        network.name = Some(known.map_or_else(|| wanted.clone(), |rule| rule.name.clone()));
    }
    (conditions.session.suspending, conditions.session.ending) = (false, false);
    conditions.session.idle = asked.idle.or(conditions.session.idle);
    conditions.resources.load_percent = asked.load_percent.or(conditions.resources.load_percent);
    conditions.resources.state_free_bytes = asked.disk_free_bytes.or(conditions.resources.state_free_bytes);
    if asked.idle == Some(false) {
        conditions.session.locked = Some(false);
    }
    Ok(conditions)
}

fn facts(destination: &Destination) -> DestinationFacts {
    DestinationFacts {
        id: destination.id.clone(),
        app_id: Some(destination.app_id.clone()),
        state: destination.state,
        not_before: None,
        local: host::is_local(&destination.url),
    }
}

fn say(
    found: Reason,
    destination: Option<&str>,
    settings: &Settings,
    conditions: &Conditions,
    now: Now,
    since: Timestamp,
) -> Waiting {
    let context = SentenceContext {
        destination,
        battery_minimum_percent: Some(settings.battery_minimum_percent),
        minutes: found.until.map(|at| u64::try_from((at.ms_since(now.wall) + 30_000) / 60_000).unwrap_or(0)),
    };
    Waiting { reason: found.reason, since, until: found.until, sentence: waiting_sentence(found.reason, conditions, context) }
}
