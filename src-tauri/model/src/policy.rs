//! What the person, an app and a job allow. The strictest wins; an override is explicit and expires.

use crate::{BatchId, JobId, Timestamp, names, words};

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
        /// Bytes per second for everything together; none for as fast as it goes.
        pub bandwidth_bytes_per_s: Option<u64>,
        /// Whether the service starts when the person logs in.
        pub start_at_login: bool,
        /// Whether notices are shown.
        pub notifications: bool,
        /// Whether the first run is over.
        pub onboarded: bool,
    }

    /// What an app or a job asks for beyond the person's settings. It can only make them stricter.
    #[derive(Default)]
    #[serde(default)]
    pub struct UploadJobOptions {
        /// Not over a metered network, whatever the settings say.
        pub prevents_expensive_network_access: bool,
        /// Only when plugged in.
        pub requires_external_power: bool,
        /// Charge in percent under which it waits on battery.
        pub minimum_battery_percent: Option<u8>,
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
            bandwidth_bytes_per_s: None,
            start_at_login: false,
            notifications: true,
            onboarded: false,
        }
    }
}
