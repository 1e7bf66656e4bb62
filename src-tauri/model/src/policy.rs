//! What the person, an app and a job allow. The strictest wins; an override is explicit and expires.

use crate::{BatchId, JobId, Timestamp, Timetable, names, words};

names! {
    /// What a battery allows.
    pub enum BatteryRule {
        /// As if plugged in.
        Always,
        /// While the charge is above `battery_minimum_percent`.
        AboveMinimum,
        /// Not on battery.
        OnlyPluggedIn,
    }

    /// What the person says of a network.
    pub enum NetworkAccess {
        /// Uploads go there as over an unmetered one.
        Allowed,
        /// No uploads there.
        Denied,
    }

    /// Which of the person's rules hold for what the person asked for now.
    pub enum UserInitiatedRules {
        /// Those of the network: it does not wait for the battery, for hours, for idleness or for the day's budget.
        Network,
        /// All of them.
        All,
    }

    /// How a job came to be, and so how patient it is.
    pub enum Priority {
        /// A rule made it: it waits for a sensible moment.
        Backup,
        /// An app made it: it waits for a sensible moment, before backups.
        App,
        /// The person asked for it now: it goes on battery and in power-saver, but not over a metered network.
        UserInitiated,
    }
}

words! {
    /// The person's settings.
    pub struct Settings {
        /// Whether uploads go over a network that costs by the byte.
        pub allow_metered: bool,
        /// What a battery allows.
        pub battery: BatteryRule,
        /// Charge in percent, 0 to 100, under which uploads wait on battery.
        pub battery_minimum_percent: u8,
        /// Whether uploads go on while the system saves power.
        pub allow_power_saver: bool,
        /// Whether uploads go through a tunnel (VPN).
        pub allow_vpn: bool,
        /// Networks that the person said something of.
        pub networks: Vec<NetworkRule>,
        /// Whether uploads go only over networks that are allowed by name.
        pub only_allowed_networks: bool,
        /// Hours and speeds of the week. The slower of this and `bandwidth_bytes_per_s` holds.
        pub timetable: Timetable,
        /// Payload bytes in one local day; none for any number.
        pub bytes_per_day_max: Option<u64>,
        /// Whether uploads wait until nobody uses the computer.
        pub only_when_idle: bool,
        /// Whether uploads wait while the computer is busy with other work.
        pub spare_load: bool,
        /// What holds for videos beyond all this.
        pub videos: UploadJobOptions,
        /// Which of these rules hold for what the person asked for now.
        pub user_initiated: UserInitiatedRules,
        /// On battery, backups are gathered until so many bytes are ready, so that radio and disk sleep in between.
        pub gather_bytes: u64,
        /// On battery, the longest that a backup is gathered, minutes.
        pub gather_minutes: u32,
        /// Whether the computer is kept awake while it is plugged in and uploads go on.
        pub stay_awake: bool,
        /// Bytes per second for everything together; none for as fast as it goes.
        pub bandwidth_bytes_per_s: Option<u64>,
        /// Whether the service starts when the person logs in.
        pub start_at_login: bool,
        /// Whether notices are shown.
        pub notifications: bool,
        /// Whether the first run is over.
        pub onboarded: bool,
    }

    /// What the person says of one network.
    pub struct NetworkRule {
        /// Which, by `Network::key`.
        pub key: String,
        /// Its name for people, as it was when the rule was made.
        pub name: String,
        /// What holds there.
        pub access: NetworkAccess,
    }

    /// What a destination, an app, a kind of file or a job asks for beyond the person's settings. It can only make them stricter.
    #[derive(Default)]
    #[serde(default)]
    pub struct UploadJobOptions {
        /// Not over a metered network, whatever the settings say.
        pub prevents_expensive_network_access: bool,
        /// Only when plugged in.
        pub requires_external_power: bool,
        /// Charge in percent under which it waits on battery.
        pub minimum_battery_percent: Option<u8>,
        /// Only when nobody uses the computer.
        pub requires_idle: bool,
        /// Only over these networks, by `Network::key`; empty for any.
        pub trusted_networks: Vec<String>,
    }

    /// What *Upload anyway* lifts.
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum OverrideScope {
        /// One job.
        Job {
            /// Which.
            job_id: JobId,
        },
        /// The jobs that were asked for together.
        Batch {
            /// Which.
            batch_id: BatchId,
        },
        /// Everything, for an hour.
        Hour,
        /// Everything, as long as this network lasts.
        Network,
    }

    /// An *Upload anyway* that holds.
    pub struct Override {
        /// What it lifts.
        pub scope: OverrideScope,
        /// The network it is bound to, by `Network::key`.
        pub network_key: Option<String>,
        /// When it ends; none if it ends with its job, batch or network.
        pub until: Option<Timestamp>,
        /// When it was given.
        pub created_at: Timestamp,
    }

    /// What ends a pause.
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum PauseUntil {
        /// The person.
        Resumed,
        /// A point in time.
        Time {
            /// Which.
            at: Timestamp,
        },
        /// The charger.
        PluggedIn,
        /// A network.
        Network {
            /// Which, by `Network::key`.
            key: String,
            /// Its name for people.
            name: String,
        },
    }

    /// A pause that holds.
    pub struct Pause {
        /// When it was given.
        pub since: Timestamp,
        /// What ends it.
        pub until: PauseUntil,
    }
}

impl Default for Settings {
    /// *Whenever it makes sense*: not over a metered network, on battery down to 30 %, not in power-saver.
    fn default() -> Self {
        Self {
            allow_metered: false,
            battery: BatteryRule::AboveMinimum,
            battery_minimum_percent: 30,
            allow_power_saver: false,
            allow_vpn: true,
            networks: Vec::new(),
            only_allowed_networks: false,
            timetable: Timetable::default(),
            bytes_per_day_max: None,
            only_when_idle: false,
            spare_load: false,
            videos: UploadJobOptions::default(),
            user_initiated: UserInitiatedRules::Network,
            // A handful of photos: a radio stays awake for some ten seconds after the last byte, about as long as it takes to send them.
            gather_bytes: 16 << 20,
            // At most six times an hour the radio is woken for less, and a photo is elsewhere before somebody looks for it there.
            gather_minutes: 10,
            stay_awake: false,
            bandwidth_bytes_per_s: None,
            start_at_login: false,
            notifications: true,
            onboarded: false,
        }
    }
}
