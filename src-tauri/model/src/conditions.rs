//! What the machine says of itself: facts, and *unknown* as a fact. No opinions; those are the scheduler's.

use crate::{names, words};

names! {
    /// Where the power comes from.
    pub enum PowerSource {
        /// No source could be read.
        Unknown,
        /// The charger, or a machine without a battery.
        Ac,
        /// A battery that is being emptied.
        Battery,
    }

    /// How far the network reaches. NetworkManager's `Connectivity`.
    pub enum Reachability {
        /// No source could be read. Treated as reachable: the transfer itself will tell.
        Unknown,
        /// No way out.
        None,
        /// A sign-in page stands before the network.
        CaptivePortal,
        /// A network, but no internet. A destination in the local network may still answer.
        Limited,
        /// All of it.
        Full,
    }

    /// Whether the network costs by the byte. NetworkManager's `Metered`.
    pub enum Metered {
        /// No source could be read. Treated as not metered, and said so.
        Unknown,
        /// The person or the network said no.
        No,
        /// The system guesses no.
        GuessNo,
        /// The system guesses yes, as on a phone's hotspot.
        GuessYes,
        /// The person or the network said yes.
        Yes,
    }

    /// What carries the network.
    pub enum NetworkKind {
        /// Not known.
        Unknown,
        /// A cable.
        Wired,
        /// Wi-Fi.
        Wifi,
        /// A modem.
        Cellular,
        /// A tunnel.
        Vpn,
    }
}

impl Metered {
    /// Whether bytes are to be taken as costly.
    pub fn is_metered(self) -> bool {
        match self {
            Self::Yes | Self::GuessYes => true,
            Self::Unknown | Self::No | Self::GuessNo => false,
        }
    }
}

words! {
    /// Battery, charger and power profile.
    pub struct Power {
        /// Charger or battery.
        pub source: PowerSource,
        /// Charge of the emptiest battery in percent; none without a battery or a reading.
        pub level_percent: Option<u8>,
        /// Whether the person asked the system to save power; none if no source could be read.
        pub power_saver: Option<bool>,
    }

    /// The network as it is now.
    pub struct Network {
        /// How far it reaches.
        pub reachability: Reachability,
        /// Whether it costs by the byte.
        pub metered: Metered,
        /// What carries it.
        pub kind: NetworkKind,
        /// Name for people: the Wi-Fi's name, else the connection's or the interface's.
        pub name: Option<String>,
        /// What tells this network from others, stable over reconnects; for *Upload anyway on this network*.
        pub key: Option<String>,
    }

    /// The person's session, and the machine's sleep and end.
    pub struct Session {
        /// Whether the machine is about to sleep or asleep.
        pub suspending: bool,
        /// Whether the machine is about to be switched off or started anew. A person who only logs out ends the service itself.
        pub ending: bool,
        /// Whether nobody uses the computer; none if no source could be read, which holds nothing back.
        pub idle: Option<bool>,
        /// Whether the screen is locked; none if no source could be read.
        pub locked: Option<bool>,
    }

    /// What the machine has to spare. Looked at every 10 s while there is work that it matters to, and unknown otherwise, so that an
    /// idle service sleeps.
    pub struct Resources {
        /// How busy the processors are, percent: of the last 10 s, the share in which something had to wait for one (Linux's pressure
        /// stall information). Without it the load of the last minute by processor, 100 at most. None if no source could be read,
        /// which holds nothing back.
        pub load_percent: Option<u8>,
        /// Room on the disk that holds the queue and the library's index, in whole MiB. None if it could not be read, which holds
        /// nothing back.
        pub state_free_bytes: Option<u64>,
    }

    /// Everything the scheduler knows of the machine.
    pub struct Conditions {
        /// Battery, charger, profile.
        pub power: Power,
        /// Network.
        pub network: Network,
        /// Session.
        pub session: Session,
        /// Load and room.
        pub resources: Resources,
    }
}

impl Conditions {
    /// Nothing is known: what holds before the first reading, and where every source is absent.
    pub fn unknown() -> Self {
        Self {
            power: Power { source: PowerSource::Unknown, level_percent: None, power_saver: None },
            network: Network {
                reachability: Reachability::Unknown,
                metered: Metered::Unknown,
                kind: NetworkKind::Unknown,
                name: None,
                key: None,
            },
            session: Session { suspending: false, ending: false, idle: None, locked: None },
            resources: Resources { load_percent: None, state_free_bytes: None },
        }
    }
}
