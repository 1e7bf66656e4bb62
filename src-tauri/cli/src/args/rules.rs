//! The words of when uploads go.

use afterglow_client::model::{Rate, Timetable};
use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Say what the rules are.
    Show,
    /// Change them. What is left out stays as it is.
    Set(Box<SetRules>),
    /// Say what would happen: "on battery at 30 % on a hotspot at 3 am?" What is left out is as it is now.
    Simulate(Box<SimulateArgs>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetRules {
    /// Whether uploads go over metered networks.
    #[arg(long, value_name = "true|false")]
    pub(crate) metered: Option<bool>,
    /// What a battery allows.
    #[arg(long)]
    pub(crate) battery: Option<BatteryArg>,
    /// Charge under which uploads wait on battery.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) battery_minimum: Option<u8>,
    /// Whether uploads go on while the system saves power.
    #[arg(long, value_name = "true|false")]
    pub(crate) power_saver: Option<bool>,
    /// Whether uploads go through a VPN.
    #[arg(long, value_name = "true|false")]
    pub(crate) vpn: Option<bool>,
    /// Uploads always go on this network; "this" is the present one.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_network: Vec<String>,
    /// Uploads never go on this network; "this" is the present one.
    #[arg(long, value_name = "NAME")]
    pub(crate) deny_network: Vec<String>,
    /// Nothing is said of this network any more.
    #[arg(long, value_name = "NAME")]
    pub(crate) forget_network: Vec<String>,
    /// Whether uploads go over no other network than the allowed ones.
    #[arg(long, value_name = "true|false")]
    pub(crate) only_allowed_networks: Option<bool>,
    /// Hours and speeds of the week, as rclone has them: "08:00,512k 18:00,off Sat-00:00,stop". "off" is no limit, "stop" no uploads.
    #[arg(long)]
    pub(crate) timetable: Option<Timetable>,
    /// Most bytes per second: 500k, 2M, off.
    #[arg(long, value_name = "RATE")]
    pub(crate) bandwidth: Option<Rate>,
    /// Most bytes per day: 2G, off.
    #[arg(long, value_name = "SIZE")]
    pub(crate) bytes_per_day: Option<Rate>,
    /// Whether uploads wait until nobody uses the computer.
    #[arg(long, value_name = "true|false")]
    pub(crate) only_when_idle: Option<bool>,
    /// Whether uploads wait while the computer is busy with other work.
    #[arg(long, value_name = "true|false")]
    pub(crate) spare_load: Option<bool>,
    /// Whether videos go only when plugged in.
    #[arg(long, value_name = "true|false")]
    pub(crate) videos_only_plugged_in: Option<bool>,
    /// Whether videos go only over unmetered networks.
    #[arg(long, value_name = "true|false")]
    pub(crate) videos_only_unmetered: Option<bool>,
    /// Whether videos go only when nobody uses the computer.
    #[arg(long, value_name = "true|false")]
    pub(crate) videos_only_when_idle: Option<bool>,
    /// Whether all rules also hold for what you ask for yourself.
    #[arg(long, value_name = "true|false")]
    pub(crate) mine_waits_too: Option<bool>,
    /// On battery, backups go once so much is ready: 16M.
    #[arg(long, value_name = "SIZE")]
    pub(crate) gather_bytes: Option<Rate>,
    /// On battery, backups wait for others so long at most; 0 to send each at once.
    #[arg(long, value_name = "MINUTES")]
    pub(crate) gather_minutes: Option<u32>,
    /// Whether the computer is kept awake while it is plugged in and uploads go on.
    #[arg(long, value_name = "true|false")]
    pub(crate) stay_awake: Option<bool>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// On battery, with this charge in percent.
    #[arg(long, value_name = "PERCENT", conflicts_with = "plugged_in", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) battery: Option<u8>,
    /// Plugged in.
    #[arg(long)]
    pub(crate) plugged_in: bool,
    /// Whether the system saves power.
    #[arg(long, value_name = "true|false")]
    pub(crate) power_saver: Option<bool>,
    /// Without a network.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Whether the network is metered.
    #[arg(long, value_name = "true|false")]
    pub(crate) metered: Option<bool>,
    /// On this network.
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Whether it is a VPN.
    #[arg(long, value_name = "true|false")]
    pub(crate) vpn: Option<bool>,
    /// Whether nobody uses the computer.
    #[arg(long, value_name = "true|false")]
    pub(crate) idle: Option<bool>,
    /// With the processors so busy, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) load: Option<u8>,
    /// With so much room on the disk that holds the queue: 50M.
    #[arg(long, value_name = "SIZE")]
    pub(crate) disk_free: Option<Rate>,
    /// At this time: 03:00, Mon-03:00.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// With so much sent today: 1G.
    #[arg(long, value_name = "SIZE")]
    pub(crate) bytes_today: Option<Rate>,
    /// For something you ask for yourself, not a backup.
    #[arg(long)]
    pub(crate) mine: bool,
    /// For a video.
    #[arg(long)]
    pub(crate) video: bool,
    /// To this destination.
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum BatteryArg {
    /// As if plugged in.
    Always,
    /// While the charge is above the minimum.
    AboveMinimum,
    /// Not on battery.
    OnlyPluggedIn,
}
