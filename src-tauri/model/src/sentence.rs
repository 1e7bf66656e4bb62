//! How a sentence is made: what is true, why, and what would change it. Written once, here, so that tray, windows, notices and
//! command line say the same.

use crate::{AssetResourceType, Conditions, Metered, WaitingReason};

/// What a waiting sentence is about, beyond the reason.
#[derive(Debug, Clone, Copy, Default)]
pub struct SentenceContext<'a> {
    /// The destination's name.
    pub destination: Option<&'a str>,
    /// The least charge the person allows, percent.
    pub battery_minimum_percent: Option<u8>,
    /// Minutes until it ends by itself.
    pub minutes: Option<u64>,
}

/// `a minute`, `12 minutes`, `3 hours`: a time to wait.
fn in_minutes(minutes: u64) -> String {
    match minutes {
        0 => "less than a minute".to_owned(),
        1 => "a minute".to_owned(),
        2..=90 => format!("{minutes} minutes"),
        91..=2880 => format!("{} hours", (minutes + 30) / 60),
        _ => format!("{} days", (minutes + 720) / 1440),
    }
}

/// The sentence of a waiting reason.
pub fn waiting_sentence(reason: WaitingReason, conditions: &Conditions, context: SentenceContext<'_>) -> String {
    let destination = context.destination.unwrap_or("The destination");
    match reason {
        WaitingReason::NoNetwork => "Waiting: there is no network. Uploads continue once there is one.".to_owned(),
        WaitingReason::CaptivePortal => "Waiting: this network wants you to sign in first. Open a web page to do so.".to_owned(),
        WaitingReason::DestinationUnreachable => format!("Waiting: {destination} does not answer. It is tried again by itself."),
        WaitingReason::ExpensiveNetwork => {
            let network = conditions.network.name.as_deref().unwrap_or("this network");
            match conditions.network.metered {
                Metered::GuessYes => format!("Waiting: {network} seems to be metered. Uploads continue on an unmetered one."),
                Metered::Yes | Metered::No | Metered::GuessNo | Metered::Unknown => {
                    format!("Waiting: {network} is metered. Uploads continue on an unmetered one.")
                }
            }
        }
        WaitingReason::UntrustedNetwork => match conditions.network.name.as_deref() {
            Some(network) => format!("Waiting: no uploads over {network}. They continue on a network that is allowed."),
            None => "Waiting: no uploads over this network. They continue on one that is allowed.".to_owned(),
        },
        WaitingReason::OutsideWindow => match context.minutes {
            Some(minutes) => format!("Waiting: no uploads at this hour. They continue in {}.", in_minutes(minutes)),
            None => "Waiting: the timetable has no hour for uploads. Change it in Settings.".to_owned(),
        },
        WaitingReason::DataCapReached => match context.minutes {
            Some(minutes) => format!("Waiting: today's bytes are used up. Uploads continue in {}.", in_minutes(minutes)),
            None => "Waiting: today's bytes are used up. Uploads continue tomorrow.".to_owned(),
        },
        WaitingReason::DeviceBusy => "Waiting: you are using this computer. Uploads continue when it is idle.".to_owned(),
        WaitingReason::Gathering => match context.minutes {
            Some(minutes) => {
                format!(
                    "Gathering, to go together and spare the battery: in {} at the latest, or when plugged in.",
                    in_minutes(minutes)
                )
            }
            None => "Gathering, to go together and spare the battery. At once when plugged in.".to_owned(),
        },
        WaitingReason::BatteryLow => match (conditions.power.level_percent, context.battery_minimum_percent) {
            (Some(level), Some(minimum)) => {
                format!("Waiting: the battery is at {level} %. Uploads continue above {minimum} % or when plugged in.")
            }
            (Some(level), None) => format!("Waiting: the battery is at {level} %. Uploads continue when plugged in."),
            (None, _) => "Waiting: on battery, charge unknown. Uploads continue when plugged in.".to_owned(),
        },
        WaitingReason::PowerSaver => "Waiting: power saver is on. Uploads continue when it is off.".to_owned(),
        WaitingReason::NotCharging => "Waiting: on battery. Uploads continue when plugged in.".to_owned(),
        WaitingReason::Suspending => "Waiting: this computer is going to sleep. Uploads continue when it wakes.".to_owned(),
        WaitingReason::SessionEnding => {
            "Waiting: this computer is shutting down. Uploads continue after the next start.".to_owned()
        }
        WaitingReason::ThermalOrLoad => {
            "Waiting: this computer is busy with other work. Uploads continue when it is less so.".to_owned()
        }
        WaitingReason::SourceOffline => "Waiting: the folder of these photos is not there. Connect its drive to go on.".to_owned(),
        WaitingReason::SourceChanging => "Waiting: the file is still being written.".to_owned(),
        WaitingReason::Backoff => match context.minutes {
            Some(0) | None => {
                format!("Waiting: the last attempt to reach {destination} failed. It is tried again within a minute.")
            }
            Some(1) => format!("Waiting: the last attempt to reach {destination} failed. It is tried again in a minute."),
            Some(minutes) => {
                format!("Waiting: the last attempt to reach {destination} failed. It is tried again in {minutes} minutes.")
            }
        },
        WaitingReason::JobLimit => "Next in line.".to_owned(),
        WaitingReason::GroupMember => "Waiting: another upload goes first, and this one follows it.".to_owned(),
        WaitingReason::PausedByUser => match context.minutes {
            Some(minutes) => format!("Paused, for {minutes} more minutes."),
            None => "Paused. Uploads continue when you resume.".to_owned(),
        },
        WaitingReason::AuthRequired => format!("{destination} did not accept the password. Sign in again to go on."),
        WaitingReason::QuotaExceeded => format!("{destination} has no room left. Make room there, then retry."),
        WaitingReason::CertificateChanged => {
            format!(
                "{destination} shows another certificate than the one you trust. Test it, and trust the new one if it is yours."
            )
        }
        WaitingReason::AccessWithdrawn => "Access to this photo was withdrawn. Allow it again under Apps to go on.".to_owned(),
        WaitingReason::DiskFull => "Waiting: this computer's disk is full. Make room to go on.".to_owned(),
    }
}

/// The same in a few words, for a title: what is waited for.
pub fn waiting_headline(reason: WaitingReason, destination: &str, battery_minimum_percent: u8) -> String {
    match reason {
        WaitingReason::NoNetwork => "Waiting for a network".to_owned(),
        WaitingReason::CaptivePortal => "Waiting for you to sign in to this network".to_owned(),
        WaitingReason::DestinationUnreachable => format!("Waiting for {destination} to answer"),
        WaitingReason::ExpensiveNetwork => "Waiting for an unmetered network".to_owned(),
        WaitingReason::UntrustedNetwork => "Waiting for a network that is allowed".to_owned(),
        WaitingReason::OutsideWindow => "Waiting for the hours you chose".to_owned(),
        WaitingReason::DataCapReached => "Waiting for tomorrow: today's bytes are used up".to_owned(),
        WaitingReason::DeviceBusy => "Waiting until the computer is idle".to_owned(),
        WaitingReason::Gathering => "Gathering photos to go together".to_owned(),
        WaitingReason::BatteryLow => format!("Waiting for the charger, or {battery_minimum_percent} % of battery"),
        WaitingReason::PowerSaver => "Waiting for power saver to end".to_owned(),
        WaitingReason::NotCharging => "Waiting for the charger".to_owned(),
        WaitingReason::Suspending => "Waiting for this computer to wake".to_owned(),
        WaitingReason::SessionEnding => "Waiting for this computer to start again".to_owned(),
        WaitingReason::ThermalOrLoad => "Waiting until this computer is less busy".to_owned(),
        WaitingReason::SourceOffline => "Waiting for a folder to come back".to_owned(),
        WaitingReason::SourceChanging => "Waiting for a file to be finished".to_owned(),
        WaitingReason::Backoff => format!("Waiting to try {destination} again"),
        WaitingReason::JobLimit => "Next in line".to_owned(),
        WaitingReason::GroupMember => "Waiting for the upload that goes first".to_owned(),
        WaitingReason::PausedByUser => "Paused".to_owned(),
        WaitingReason::AuthRequired => format!("{destination} did not accept the password"),
        WaitingReason::QuotaExceeded => format!("{destination} has no room left"),
        WaitingReason::CertificateChanged => format!("{destination} shows another certificate than before"),
        WaitingReason::AccessWithdrawn => "Access was withdrawn".to_owned(),
        WaitingReason::DiskFull => "Waiting for room on this computer's disk".to_owned(),
    }
}

/// `1 photo`, `48 photos`: a count with its noun.
pub fn count(n: u64, one: &str, many: &str) -> String {
    let mut digits = n.to_string();
    let mut at = digits.len();
    while at > 3 {
        at -= 3;
        digits.insert(at, ',');
    }
    format!("{digits} {}", if n == 1 { one } else { many })
}

/// `3 photos and 1 video`; `2 files` where none of them shows a picture.
pub fn photos_and_videos(kinds: impl IntoIterator<Item = AssetResourceType>) -> String {
    use AssetResourceType as Kind;
    let (mut photos, mut videos, mut others) = (0, 0, 0);
    for kind in kinds {
        match kind {
            Kind::Photo => photos += 1,
            Kind::Video => videos += 1,
            Kind::Audio
            | Kind::AlternatePhoto
            | Kind::FullSizePhoto
            | Kind::FullSizeVideo
            | Kind::AdjustmentData
            | Kind::AdjustmentBasePhoto
            | Kind::PairedVideo
            | Kind::FullSizePairedVideo
            | Kind::AdjustmentBasePairedVideo
            | Kind::AdjustmentBaseVideo
            | Kind::PhotoProxy
            | Kind::Unknown => others += 1,
        }
    }
    match (photos, videos) {
        (0, 0) => count(others, "file", "files"),
        (_, 0) => count(photos, "photo", "photos"),
        (0, _) => count(videos, "video", "videos"),
        (_, _) => format!("{} and {}", count(photos, "photo", "photos"), count(videos, "video", "videos")),
    }
}

/// Characters that do something else than be seen, such as turning what stands beside them, with which a name could pretend to be another
/// (Unicode UAX #9).
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Bytes for people, decimal units as file managers and networks use them: `3.2 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64;
    let mut unit = "B";
    for name in UNITS {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = name;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A length of time for people, rounded as a glance needs it: `less than a minute`, `about 4 minutes`.
pub fn about(seconds: u64) -> String {
    match seconds {
        0..=45 => "less than a minute".to_owned(),
        46..=90 => "about a minute".to_owned(),
        91..=3300 => format!("about {} minutes", (seconds + 30) / 60),
        3301..=5400 => "about an hour".to_owned(),
        _ => format!("about {} hours", (seconds + 1800) / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        use AssetResourceType::{AlternatePhoto, FullSizePhoto, PairedVideo, Photo, Video};
        assert_eq!(count(1, "photo", "photos"), "1 photo");
        assert_eq!(count(1204, "photo", "photos"), "1,204 photos");
        assert_eq!(count(1_234_567, "photo", "photos"), "1,234,567 photos");
        assert_eq!(photos_and_videos([Video]), "1 video");
        assert_eq!(photos_and_videos([Photo, PairedVideo, Photo, AlternatePhoto, Photo, Video]), "3 photos and 1 video");
        assert_eq!(photos_and_videos([Photo, Photo]), "2 photos");
        assert_eq!(photos_and_videos([FullSizePhoto]), "1 file");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(8_200_000), "8.2 MB");
        assert_eq!(bytes(999_600), "1.0 MB");
        assert_eq!(about(200), "about 3 minutes");
    }

    #[test]
    fn a_metered_network_is_named_and_a_guess_is_said_to_be_one() {
        let mut conditions = Conditions::unknown();
        conditions.network.metered = Metered::GuessYes;
        conditions.network.name = Some("Pixel hotspot".to_owned());
        let sentence = waiting_sentence(WaitingReason::ExpensiveNetwork, &conditions, SentenceContext::default());
        assert_eq!(sentence, "Waiting: Pixel hotspot seems to be metered. Uploads continue on an unmetered one.");
    }
}
