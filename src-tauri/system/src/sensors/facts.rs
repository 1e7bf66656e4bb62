//! The last reading of each source, and the conditions that follow from them. Pure.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "most sources are Linux's"))]

use std::collections::BTreeSet;

use afterglow_model::{Conditions, Metered, Network, NetworkKind, Power, PowerSource, Reachability, Resources, Session};

/// Where facts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Batteries,
    Interface,
    UPower,
    PowerProfiles,
    NetworkManager,
    Portal,
    Logind,
    Resources,
}

/// A bus that sources are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    System,
    Session,
}

/// How the machine is held awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "logind is Linux's"))]
pub(super) enum Hold {
    /// For a moment, once it is about to sleep or to be switched off.
    Delay,
    /// As long as the hold lasts, it does not go to sleep by itself.
    Block,
}

/// What a bus tells by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// The source has something new, or came, or went.
    Changed(Source),
    /// The machine is about to sleep, or has woken.
    Suspending(bool),
    /// The machine is about to be switched off, or is not after all.
    Ending(bool),
    /// The connection broke.
    Lost(Side),
}

/// What a source said. None: the source is not there, or said nothing of use.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    Batteries(Option<Batteries>),
    Interface(Option<Interface>),
    UPower(Option<UPower>),
    PowerProfiles(Option<PowerProfile>),
    NetworkManager(Option<NetworkManager>),
    Portal(Option<Portal>),
    Logind(Option<Logind>),
    Resources(Option<Resources>),
}

/// What the batteries say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Batteries {
    /// There are none.
    None,
    /// There are some.
    Some { source: PowerSource, level_percent: Option<u8> },
}

/// The interface of the default route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    /// Whether any interface but loopback is up and has an address.
    pub(super) any_up: bool,
    /// The interface that the default route leaves by.
    pub(super) default: Option<DefaultInterface>,
}

/// What is known of the default interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DefaultInterface {
    pub(super) name: String,
    pub(super) kind: NetworkKind,
    pub(super) key: String,
}

/// What UPower says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UPower {
    pub(super) on_battery: bool,
    pub(super) level_percent: Option<u8>,
}

/// What power-profiles-daemon says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PowerProfile {
    pub(super) saver: bool,
}

/// What NetworkManager says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NetworkManager {
    pub(super) reachability: Reachability,
    pub(super) metered: Metered,
    pub(super) kind: NetworkKind,
    pub(super) name: Option<String>,
    pub(super) key: Option<String>,
}

/// What the portal's network monitor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portal {
    pub(super) reachability: Reachability,
    pub(super) metered: Metered,
}

/// What logind says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logind {
    pub(super) suspending: bool,
    pub(super) ending: bool,
    pub(super) idle: Option<bool>,
    pub(super) locked: Option<bool>,
}

/// The last reading of each source.
#[derive(Debug, Default)]
pub(super) struct Facts {
    batteries: Option<Batteries>,
    interface: Option<Interface>,
    upower: Option<UPower>,
    power_profile: Option<PowerProfile>,
    network_manager: Option<NetworkManager>,
    portal: Option<Portal>,
    logind: Option<Logind>,
    resources: Option<Resources>,
}

impl Facts {
    /// Takes a reading in place of the source's last one.
    pub(super) fn take(&mut self, reading: Reading) {
        match reading {
            Reading::Batteries(batteries) => self.batteries = batteries,
            Reading::Interface(interface) => self.interface = interface,
            Reading::UPower(upower) => self.upower = upower,
            Reading::PowerProfiles(power_profile) => self.power_profile = power_profile,
            Reading::NetworkManager(network_manager) => self.network_manager = network_manager,
            Reading::Portal(portal) => self.portal = portal,
            Reading::Logind(logind) => self.logind = logind,
            Reading::Resources(resources) => self.resources = resources,
        }
    }

    /// Forgets a source that cannot be heard any more.
    pub(super) fn forget(&mut self, source: Source) {
        self.take(match source {
            Source::Batteries => Reading::Batteries(None),
            Source::Interface => Reading::Interface(None),
            Source::UPower => Reading::UPower(None),
            Source::PowerProfiles => Reading::PowerProfiles(None),
            Source::NetworkManager => Reading::NetworkManager(None),
            Source::Portal => Reading::Portal(None),
            Source::Logind => Reading::Logind(None),
            Source::Resources => Reading::Resources(None),
        });
    }

    /// Logind announced sleep, or the end of it.
    pub(super) fn suspending(&mut self, suspending: bool) {
        self.announced().suspending = suspending;
    }

    /// Logind announced that the machine is switched off, or that it is not.
    pub(super) fn ending(&mut self, ending: bool) {
        self.announced().ending = ending;
    }

    /// Logind, which has spoken and so is there.
    fn announced(&mut self) -> &mut Logind {
        self.logind.get_or_insert(Logind { suspending: false, ending: false, idle: None, locked: None })
    }

    /// Whether the machine is about to sleep or to be switched off.
    pub(super) fn is_leaving(&self) -> bool {
        self.logind.as_ref().is_some_and(|logind| logind.suspending || logind.ending)
    }

    /// Name of the interface of the default route.
    pub(super) fn default_interface(&self) -> Option<&str> {
        Some(self.interface.as_ref()?.default.as_ref()?.name.as_str())
    }

    /// Whether NetworkManager is there.
    pub(super) fn has_network_manager(&self) -> bool {
        self.network_manager.is_some()
    }

    /// Whether logind is there.
    pub(super) fn has_logind(&self) -> bool {
        self.logind.is_some()
    }

    /// Whether the batteries have to be looked at now and then: on battery for their charge, and without UPower for the charger.
    pub(super) fn must_watch_batteries(&self) -> bool {
        matches!(self.batteries, Some(Batteries::Some { .. }))
            && (self.upower.is_none() || self.power_source() == PowerSource::Battery)
    }

    /// The sources to be read again because this one changed: NetworkManager speaks only for interfaces it manages, and without it
    /// the portal speaks.
    pub(super) fn followers(&self, source: Source) -> BTreeSet<Source> {
        let followers: &[Source] = match source {
            Source::UPower => &[Source::Batteries],
            Source::Interface if self.network_manager.is_some() => &[Source::NetworkManager],
            Source::NetworkManager if self.network_manager.is_none() => &[Source::Portal],
            Source::Batteries
            | Source::Interface
            | Source::PowerProfiles
            | Source::NetworkManager
            | Source::Portal
            | Source::Logind
            | Source::Resources => &[],
        };
        followers.iter().copied().collect()
    }

    /// The conditions.
    pub(super) fn conditions(&self) -> Conditions {
        Conditions {
            power: Power {
                source: self.power_source(),
                level_percent: self.level_percent(),
                power_saver: self.power_profile.as_ref().map(|profile| profile.saver),
            },
            network: self.network(),
            session: Session {
                suspending: self.logind.as_ref().is_some_and(|logind| logind.suspending),
                ending: self.logind.as_ref().is_some_and(|logind| logind.ending),
                idle: self.logind.as_ref().and_then(|logind| logind.idle),
                locked: self.logind.as_ref().and_then(|logind| logind.locked),
            },
            resources: self.resources.clone().unwrap_or_else(|| Conditions::unknown().resources),
        }
    }

    fn power_source(&self) -> PowerSource {
        match (&self.upower, &self.batteries) {
            (Some(UPower { on_battery: true, .. }), _) => PowerSource::Battery,
            (Some(UPower { on_battery: false, .. }), _) | (None, Some(Batteries::None)) => PowerSource::Ac,
            (None, Some(Batteries::Some { source, .. })) => *source,
            (None, None) => PowerSource::Unknown,
        }
    }

    fn level_percent(&self) -> Option<u8> {
        let own = match &self.batteries {
            Some(Batteries::Some { level_percent, .. }) => *level_percent,
            Some(Batteries::None) | None => None,
        };
        own.or_else(|| self.upower.as_ref()?.level_percent)
    }

    fn network(&self) -> Network {
        let default = self.interface.as_ref().and_then(|interface| interface.default.clone());
        let (kind, name, key) = match default {
            Some(DefaultInterface { name, kind, key }) => (kind, Some(name), Some(key)),
            None => (NetworkKind::Unknown, None, None),
        };
        if let Some(manager) = self.network_manager.clone() {
            // Of a tunnel that carries the default route NetworkManager names the connection beneath: its identity, but not its kind.
            let through_tunnel = kind == NetworkKind::Vpn;
            return Network {
                reachability: manager.reachability,
                metered: manager.metered,
                kind: if through_tunnel || manager.kind == NetworkKind::Unknown { kind } else { manager.kind },
                name: manager.name.or(name),
                key: manager.key.or(key),
            };
        }
        let (reachability, metered) = match (&self.portal, &self.interface) {
            (Some(portal), _) => (portal.reachability, portal.metered),
            (None, Some(Interface { any_up: false, .. })) => (Reachability::None, Metered::Unknown),
            (None, Some(Interface { any_up: true, .. }) | None) => (Reachability::Unknown, Metered::Unknown),
        };
        Network { reachability, metered, kind, name, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_battery(level_percent: u8) -> Reading {
        Reading::Batteries(Some(Batteries::Some { source: PowerSource::Battery, level_percent: Some(level_percent) }))
    }

    fn interface(any_up: bool) -> Reading {
        let default = any_up.then(|| DefaultInterface {
            name: "eth0".to_owned(),
            kind: NetworkKind::Wired,
            key: "gateway:02:00:00:00:00:01".to_owned(),
        });
        Reading::Interface(Some(Interface { any_up, default }))
    }

    #[test]
    fn nothing_known_is_said_to_be_unknown() {
        assert_eq!(Facts::default().conditions(), Conditions::unknown());
    }

    #[test]
    fn upower_knows_the_charger_best_and_the_batteries_their_charge() {
        let mut facts = Facts::default();
        facts.take(Reading::Batteries(Some(Batteries::None)));
        assert_eq!(facts.conditions().power.source, PowerSource::Ac);
        assert!(!facts.must_watch_batteries());

        facts.take(on_battery(40));
        assert_eq!(facts.conditions().power.source, PowerSource::Battery);
        assert!(facts.must_watch_batteries());

        facts.take(Reading::UPower(Some(UPower { on_battery: false, level_percent: Some(90) })));
        assert_eq!(facts.conditions().power.source, PowerSource::Ac);
        assert_eq!(facts.conditions().power.level_percent, Some(40));
        assert!(!facts.must_watch_batteries(), "UPower says when the charger is pulled");

        facts.forget(Source::Batteries);
        assert_eq!(facts.conditions().power.level_percent, Some(90));
    }

    #[test]
    fn network_manager_speaks_before_the_portal_and_the_portal_before_the_interface() {
        let mut facts = Facts::default();
        facts.take(interface(false));
        assert_eq!(facts.conditions().network.reachability, Reachability::None);
        facts.take(interface(true));
        assert_eq!(facts.conditions().network.reachability, Reachability::Unknown);

        facts.take(Reading::Portal(Some(Portal { reachability: Reachability::Full, metered: Metered::Yes })));
        assert_eq!(facts.conditions().network.metered, Metered::Yes);
        assert_eq!(facts.conditions().network.name.as_deref(), Some("eth0"));

        let manager = NetworkManager {
            reachability: Reachability::Limited,
            metered: Metered::No,
            kind: NetworkKind::Unknown,
            name: Some("Home".to_owned()),
            key: None,
        };
        facts.take(Reading::NetworkManager(Some(manager)));
        let network = facts.conditions().network;
        assert_eq!((network.reachability, network.metered, network.kind), (Reachability::Limited, Metered::No, NetworkKind::Wired));
        assert_eq!((network.name.as_deref(), network.key.as_deref()), (Some("Home"), Some("gateway:02:00:00:00:00:01")));
    }

    #[test]
    fn sleep_and_end_are_over_when_logind_is_gone() {
        for announce in [Facts::suspending, Facts::ending] {
            let mut facts = Facts::default();
            announce(&mut facts, true);
            let session = facts.conditions().session;
            assert!((session.suspending || session.ending) && facts.is_leaving());
            facts.forget(Source::Logind);
            assert_eq!(facts.conditions(), Conditions::unknown());
            assert!(!facts.is_leaving());
        }
    }

    #[test]
    fn a_tunnel_is_one_though_network_manager_names_what_is_beneath() {
        let mut facts = Facts::default();
        let tunnel = DefaultInterface { name: "tun0".to_owned(), kind: NetworkKind::Vpn, key: "interface:tun0".to_owned() };
        facts.take(Reading::Interface(Some(Interface { any_up: true, default: Some(tunnel) })));
        let manager = NetworkManager {
            reachability: Reachability::Full,
            metered: Metered::No,
            kind: NetworkKind::Wifi,
            name: Some("Home".to_owned()),
            key: Some("connection:8a4b".to_owned()),
        };
        facts.take(Reading::NetworkManager(Some(manager)));
        let network = facts.conditions().network;
        assert_eq!((network.kind, network.name.as_deref()), (NetworkKind::Vpn, Some("Home")));
        assert_eq!(network.key.as_deref(), Some("connection:8a4b"), "the network keeps its identity");
    }
}
