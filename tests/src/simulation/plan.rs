//! What happens to the machine, as data: a list of moments. Each says all of what becomes of what it names, so that any of them can be
//! left out and the rest still means the same.

use std::fmt;

use afterglow_model::{
    AssetResourceType, Metered, Network, NetworkKind, Power, PowerSource, Reachability, Settings, UploadJobOptions,
};

/// Something happens.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Milliseconds since the simulation began.
    pub(crate) at_ms: u64,
    pub(crate) what: Happening,
}

/// Everything that happens in a simulation, in the order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) events: Vec<Event>,
    /// When the calm begins.
    pub(crate) calm_at_ms: u64,
}

/// What can happen.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// A photo or video comes, of one file or two.
    Comes(NewAsset),
    /// A file gets other content: as another file in its place, as editors write, or in the file itself.
    Edited {
        file: u64,
        version: u64,
        size: u64,
        in_place: bool,
    },
    Network(Network),
    Power(Power),
    /// Somebody uses the computer, or locks its screen.
    Used {
        idle: Option<bool>,
        locked: Option<bool>,
    },
    /// How busy the machine is, and how much room there is for our own state.
    Spares {
        load_percent: Option<u8>,
        free_mib: Option<u64>,
    },
    /// The machine is about to be switched off: it is, or somebody thinks better of it.
    SwitchesOff {
        seconds: u64,
        dies: bool,
    },
    /// A commit of the loop fails, and may have happened nevertheless.
    CommitFails {
        kept: bool,
    },
    /// For a while nothing of the loop can be written down.
    WritesFail {
        minutes: u64,
    },
    /// The wall clock is set.
    Clock {
        hours: i64,
    },
    Sleeps {
        minutes: u64,
    },
    /// The service is killed at whatever it is doing, and started again.
    Dies,
    Server {
        server: usize,
        down: bool,
    },
    /// A server does not accept the credential any more.
    LocksOut {
        server: usize,
    },
    /// The person signs in everywhere.
    SignsIn,
    Pauses(Until),
    Resumes,
    /// *Upload anyway*.
    Lifts(Scope),
    /// The person takes a job back.
    Cancels {
        file: u64,
        server: usize,
    },
    Rules(Box<Settings>),
    Options {
        server: usize,
        options: UploadJobOptions,
    },
    /// The person gives or withdraws access; the service may die before all of that is done.
    Access {
        app: usize,
        answer: Answer,
        dies_after: Option<Step>,
    },
    /// The removable folder goes or comes back. The service hears of it at once, or finds out.
    Stick {
        there: bool,
        told: bool,
    },
    /// For a while the network or its price changes every three seconds.
    Flaps {
        minutes: u64,
        what: Flap,
    },
}

impl Happening {
    /// Whether it makes jobs, or moves them by itself.
    pub(crate) fn touches_jobs(&self) -> bool {
        match self {
            Self::Comes(_)
            | Self::Edited { .. }
            | Self::Dies
            | Self::SignsIn
            | Self::Cancels { .. }
            | Self::Access { .. }
            | Self::Stick { .. } => true,
            Self::Network(_)
            | Self::Power(_)
            | Self::Used { .. }
            | Self::CommitFails { .. }
            | Self::WritesFail { .. }
            | Self::Spares { .. }
            | Self::SwitchesOff { .. }
            | Self::Clock { .. }
            | Self::Sleeps { .. }
            | Self::Server { .. }
            | Self::LocksOut { .. }
            | Self::Pauses(_)
            | Self::Resumes
            | Self::Lifts(_)
            | Self::Rules(_)
            | Self::Options { .. }
            | Self::Flaps { .. } => false,
        }
    }
}

/// A photo or video.
#[derive(Debug, Clone)]
pub(crate) struct NewAsset {
    pub(crate) asker: Asker,
    pub(crate) on_stick: bool,
    /// The second belongs to the first, as the video of a Live Photo.
    pub(crate) files: Vec<NewFile>,
    /// What the jobs ask for beyond the settings.
    pub(crate) options: UploadJobOptions,
}

/// A file, under a number that nothing else has.
#[derive(Debug, Clone)]
pub(crate) struct NewFile {
    pub(crate) id: u64,
    pub(crate) kind: AssetResourceType,
    pub(crate) size: u64,
    pub(crate) poison: Poison,
}

/// Who asks for a file to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The rules of both connectors.
    Rule,
    /// The person, at both.
    Person,
    /// Another program, to a server of its own.
    App(usize),
}

/// What a server has against a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    Nothing,
    /// It says no, for good.
    Refused,
    /// It has a fault with it, again and again.
    Stubborn,
}

/// What ends a pause.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Resumed,
    Minutes(u64),
    PluggedIn,
    Home,
}

/// What an *Upload anyway* lifts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    Hour,
    Network,
    Job { file: u64, server: usize },
    Batch { file: u64, server: usize },
}

/// What the person says to an app.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Full,
    /// The assets of these files.
    Selected(Vec<u64>),
    Deny,
}

/// How far a change of access came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Written,
    Stopped,
}

/// What flaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flap {
    Reach,
    Price,
}

/// The network at home.
pub(crate) fn home() -> Network {
    network(Reachability::Full, Metered::No, NetworkKind::Wifi, Some("home"))
}

pub(crate) fn network(reachability: Reachability, metered: Metered, kind: NetworkKind, key: Option<&str>) -> Network {
    Network { reachability, metered, kind, name: None, key: key.map(str::to_owned) }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", clock(self.at_ms), self.what)
    }
}

/// A moment for people.
pub(crate) fn clock(at_ms: u64) -> String {
    let (day, rest) = (at_ms / 86_400_000, at_ms % 86_400_000);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("day {day} {hour:02}:{minute:02}:{second:02}.{:03}", rest % 1000)
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comes(asset) => comes(f, asset),
            Self::Edited { file, version, size, in_place } => {
                write!(f, "file {file} is edited{}: version {version}, {size} bytes", if *in_place { " in place" } else { "" })
            }
            Self::Network(seen) => {
                let key = seen.key.as_deref().unwrap_or("nothing known");
                write!(f, "the network: {key}, {:?}, {:?}, {:?}", seen.reachability, seen.metered, seen.kind)
            }
            Self::Power(power) => power_line(f, power),
            Self::Used { idle, locked } => write!(f, "the computer: idle {idle:?}, locked {locked:?}"),
            Self::CommitFails { kept } => write!(f, "a commit fails, and is {}", if *kept { "kept" } else { "lost" }),
            Self::WritesFail { minutes } => write!(f, "nothing can be written down for {minutes} minutes"),
            Self::Spares { load_percent, free_mib } => write!(f, "the machine: load {load_percent:?} %, room {free_mib:?} MiB"),
            Self::SwitchesOff { seconds, dies } => {
                write!(f, "the machine is to be switched off in {seconds} seconds, and {}", if *dies { "is" } else { "is not" })
            }
            Self::Clock { hours } => write!(f, "the clock is set by {hours} hours"),
            Self::Sleeps { minutes } => write!(f, "the machine sleeps for {minutes} minutes"),
            Self::Dies => write!(f, "the service dies"),
            Self::Server { server, down } => write!(f, "server {server} {}", if *down { "goes down" } else { "comes up" }),
            Self::LocksOut { server } => write!(f, "server {server} locks us out"),
            Self::SignsIn => write!(f, "the person signs in"),
            Self::Pauses(until) => write!(f, "the person pauses: {until:?}"),
            Self::Resumes => write!(f, "the person resumes"),
            Self::Lifts(scope) => write!(f, "the person uploads anyway: {scope:?}"),
            Self::Cancels { file, server } => write!(f, "the person takes file {file} to server {server} back"),
            Self::Rules(settings) => rules(f, settings),
            Self::Options { server, options } => write!(f, "server {server} gets rules of its own: {options:?}"),
            Self::Access { app, answer, dies_after } => {
                write!(f, "app {app} is answered {answer:?}")?;
                dies_after.map_or(Ok(()), |step| write!(f, ", and the service dies once that is {step:?}"))
            }
            Self::Stick { there, told } => {
                write!(f, "the stick {}{}", if *there { "comes back" } else { "goes" }, if *told { "" } else { ", unnoticed" })
            }
            Self::Flaps { minutes, what } => write!(f, "the network's {what:?} flaps for {minutes} minutes"),
        }
    }
}

fn comes(f: &mut fmt::Formatter<'_>, asset: &NewAsset) -> fmt::Result {
    let place = if asset.on_stick { " on the stick" } else { "" };
    write!(f, "a photo comes{place} ({:?}):", asset.asker)?;
    for file in &asset.files {
        write!(f, " file {}, {:?}, {} bytes", file.id, file.kind, file.size)?;
        match file.poison {
            Poison::Nothing => {}
            Poison::Refused | Poison::Stubborn => write!(f, ", {:?}", file.poison)?,
        }
    }
    if asset.options == UploadJobOptions::default() { Ok(()) } else { write!(f, " {:?}", asset.options) }
}

fn power_line(f: &mut fmt::Formatter<'_>, power: &Power) -> fmt::Result {
    let level = power.level_percent.map_or("no reading".to_owned(), |level| format!("{level} %"));
    let source = match power.source {
        PowerSource::Unknown => "unknown",
        PowerSource::Ac => "plugged in",
        PowerSource::Battery => "on battery",
    };
    write!(f, "the power: {source}, {level}, saver {:?}", power.power_saver)
}

fn rules(f: &mut fmt::Formatter<'_>, settings: &Settings) -> fmt::Result {
    write!(
        f,
        "the rules change: metered {}, battery {:?} {} %, saver {}, tunnels {}, networks {:?}, only named {}, hours {}, \
         bytes a day {:?}, only idle {}, sparing {}, videos {:?}, the person's own {:?}",
        settings.allow_metered,
        settings.battery,
        settings.battery_minimum_percent,
        settings.allow_power_saver,
        settings.allow_vpn,
        settings.networks.iter().map(|rule| (rule.key.as_str(), rule.access)).collect::<Vec<_>>(),
        settings.only_allowed_networks,
        settings.timetable,
        settings.bytes_per_day_max,
        settings.only_when_idle,
        settings.spare_load,
        settings.videos,
        settings.user_initiated,
    )
}
