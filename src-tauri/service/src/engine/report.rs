//! The status: made from what the loop knows, the same value for tray, windows, notices and command line.

use std::sync::Arc;

use afterglow_model::{
    Conditions, Destination, DestinationId, DestinationState, JobCounts, Metered, Override, Pause, PowerSource, Prompt,
    RunProgress, ScanProgress, ServiceState, Settings, Status, StatusAction, Timestamp, WaitingGroup, WaitingReason, about, bytes,
    count, waiting_headline,
};

/// What a status is made of.
pub(super) struct Facts<'a> {
    pub(super) counts: JobCounts,
    pub(super) attention: u64,
    pub(super) active: usize,
    pub(super) active_destinations: Vec<&'a Arc<Destination>>,
    pub(super) run: RunProgress,
    pub(super) waiting: Vec<WaitingGroup>,
    pub(super) destinations: &'a [Arc<Destination>],
    pub(super) conditions: &'a Conditions,
    pub(super) bytes_per_s: u64,
    pub(super) scan: Option<ScanProgress>,
    /// Files of the library that could not be read in the last scans.
    pub(super) unreadable: u64,
    pub(super) looking: bool,
    pub(super) settings: &'a Settings,
    pub(super) pause: Option<Pause>,
    pub(super) overrides: Vec<Override>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) now: Timestamp,
}

/// Puts the facts into a status with its sentence.
pub(super) fn status(facts: Facts<'_>) -> Status {
    let state = state(&facts);
    let (sentence, detail) = match state {
        ServiceState::Uploading => uploading(&facts),
        ServiceState::Paused => paused(&facts),
        ServiceState::Waiting => waiting(&facts),
        ServiceState::Attention => attention(&facts),
        ServiceState::Idle => idle(&facts),
    };
    let action = match state {
        ServiceState::Uploading => Some(StatusAction::Pause),
        ServiceState::Paused => Some(StatusAction::Resume),
        ServiceState::Waiting => Some(if facts.waiting.iter().any(|group| group.can_override) {
            StatusAction::UploadAnyway
        } else {
            StatusAction::Pause
        }),
        ServiceState::Attention => Some(StatusAction::Show),
        ServiceState::Idle => None,
    };
    Status {
        state,
        sentence,
        detail,
        action,
        jobs: facts.counts,
        run: facts.run,
        attention: facts.attention,
        attention_destinations: needing_attention(facts.destinations),
        waiting: facts.waiting,
        conditions: facts.conditions.clone(),
        bytes_per_s: facts.bytes_per_s,
        scan: facts.scan,
        looking: facts.looking,
        pause: facts.pause,
        overrides: facts.overrides,
        prompts: facts.prompts,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    }
}

fn needing_attention(destinations: &[Arc<Destination>]) -> Vec<DestinationId> {
    destinations.iter().filter(|destination| needs_person(destination)).map(|destination| destination.id.clone()).collect()
}

fn needs_person(destination: &Destination) -> bool {
    match destination.state {
        DestinationState::AuthRequired | DestinationState::QuotaExceeded | DestinationState::CertificateChanged => true,
        DestinationState::Ready | DestinationState::Unreachable => false,
    }
}

fn state(facts: &Facts<'_>) -> ServiceState {
    let needs_person = facts.attention > 0 || !needing_attention(facts.destinations).is_empty();
    if facts.active > 0 {
        ServiceState::Uploading
    } else if facts.pause.is_some() && facts.waiting.iter().any(|group| group.reason == WaitingReason::PausedByUser) {
        ServiceState::Paused
    } else if facts.waiting.iter().any(|group| !is_for_person(group.reason)) {
        ServiceState::Waiting
    } else if needs_person {
        ServiceState::Attention
    } else if facts.pause.is_some() {
        ServiceState::Paused
    } else {
        ServiceState::Idle
    }
}

/// Reasons that the person has to lift at the destination, and that therefore count as attention.
fn is_for_person(reason: WaitingReason) -> bool {
    matches!(
        reason,
        WaitingReason::AuthRequired
            | WaitingReason::QuotaExceeded
            | WaitingReason::CertificateChanged
            | WaitingReason::AccessWithdrawn
    )
}

fn uploading(facts: &Facts<'_>) -> (String, Option<String>) {
    let at = (facts.run.done + 1).min(facts.run.total);
    let to = match facts.active_destinations.as_slice() {
        [one] => format!(" to {}", one.name),
        _ => String::new(),
    };
    let mut detail = Vec::new();
    if facts.bytes_per_s > 0 {
        detail.push(format!("{}/s", bytes(facts.bytes_per_s)));
    }
    if let Some(seconds) = facts.run.remaining_s {
        detail.push(about(seconds));
    }
    detail.push(machine(facts.conditions));
    let total = count(facts.run.total, "", "").trim_end().to_owned();
    (format!("Uploading {} of {total}{to}", count(at, "", "").trim_end()), Some(detail.join(" · ")))
}

fn paused(facts: &Facts<'_>) -> (String, Option<String>) {
    let until = match facts.pause.as_ref().map(|pause| &pause.until) {
        Some(afterglow_model::PauseUntil::Time { at }) => {
            format!("Paused, for {} more", about(u64::try_from(at.ms_since(facts.now) / 1000).unwrap_or(0)))
        }
        Some(afterglow_model::PauseUntil::Network { name, .. }) => format!("Paused until you are on {name}"),
        Some(afterglow_model::PauseUntil::PluggedIn) => "Paused until plugged in".to_owned(),
        Some(afterglow_model::PauseUntil::Resumed) | None => "Paused".to_owned(),
    };
    let open = facts.counts.open();
    (until, (open > 0).then(|| format!("{} on their way", count(open, "file", "files"))))
}

fn waiting(facts: &Facts<'_>) -> (String, Option<String>) {
    let Some(group) = facts.waiting.iter().filter(|group| !is_for_person(group.reason)).max_by_key(|group| group.jobs) else {
        return ("Waiting".to_owned(), None);
    };
    let name = facts.destinations.iter().find(|other| other.id == group.destination_id).map_or("", |other| other.name.as_str());
    let headline = waiting_headline(group.reason, name, facts.settings.battery_minimum_percent);
    (headline, Some(format!("{} {}", group.sentence, amount(group))))
}

fn amount(group: &WaitingGroup) -> String {
    format!("{} ({}).", count(group.jobs, "file waits", "files wait"), bytes(group.bytes))
}

fn attention(facts: &Facts<'_>) -> (String, Option<String>) {
    let bad: Vec<&Arc<Destination>> = facts.destinations.iter().filter(|destination| needs_person(destination)).collect();
    match bad.as_slice() {
        [] => (count(facts.attention, "file needs your attention", "files need your attention"), None),
        [one, ..] => {
            let sentence =
                one.problem.as_ref().map_or_else(|| format!("{} needs you", one.name), |problem| problem.message.clone());
            let waits: u64 = facts.waiting.iter().map(|group| group.jobs).sum();
            (sentence, Some(format!("Nothing is lost: {}.", count(waits.max(facts.attention), "file waits", "files wait"))))
        }
    }
}

fn idle(facts: &Facts<'_>) -> (String, Option<String>) {
    if facts.scan.is_some() || facts.looking {
        let found = facts.scan.as_ref().map(|scan| count(scan.found, "file found", "files found"));
        return ("Looking through your photos".to_owned(), found);
    }
    if facts.unreadable > 0 {
        let rest = count(facts.counts.succeeded, "other file is delivered", "other files are delivered");
        return (
            count(facts.unreadable, "file cannot be read", "files cannot be read"),
            Some(format!("Check the permissions in the folder of your photos; {rest}.")),
        );
    }
    if facts.counts.succeeded > 0 {
        return ("Everything is delivered".to_owned(), Some(count(facts.counts.succeeded, "file delivered", "files delivered")));
    }
    ("Nothing to upload yet".to_owned(), None)
}

/// Power and network in a few words; what is not known is said.
fn machine(conditions: &Conditions) -> String {
    let power = match (conditions.power.source, conditions.power.level_percent) {
        (PowerSource::Ac, _) => "plugged in".to_owned(),
        (PowerSource::Battery, Some(level)) => format!("battery {level} %"),
        (PowerSource::Battery, None) => "on battery".to_owned(),
        (PowerSource::Unknown, _) => "power unknown".to_owned(),
    };
    let network = match (&conditions.network.name, conditions.network.metered) {
        (Some(name), Metered::Yes | Metered::GuessYes) => format!("on {name}, metered"),
        (Some(name), Metered::No | Metered::GuessNo) => format!("on {name}"),
        (Some(name), Metered::Unknown) => format!("on {name}, cost unknown"),
        (None, Metered::Yes | Metered::GuessYes) => "metered network".to_owned(),
        (None, Metered::No | Metered::GuessNo) => "unmetered network".to_owned(),
        (None, Metered::Unknown) => "network cost unknown".to_owned(),
    };
    format!("{power}, {network}")
}
