//! The two buses: what is listened to, and how a signal becomes a hint.
//!
//! A signal only says that something changed; the value is always read from the source itself, so there is one way to learn a fact.
//! The rules are narrow: NetworkManager alone would otherwise wake the service with every change of a signal's strength.

mod read;

pub(crate) use read::{PORTAL, PORTAL_PATH};

use std::{future::pending, os::fd::OwnedFd};

use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use zbus::{Connection, MatchRule, Message, MessageStream, connection::Builder, fdo::DBusProxy, message, zvariant};

use super::{
    SensorOptions,
    facts::{Hint, Hold, Reading, Side, Source},
};
use crate::ANSWER_TIME;

const SYSTEM_SOURCES: &[Source] = &[Source::UPower, Source::PowerProfiles, Source::NetworkManager, Source::Logind];
const SESSION_SOURCES: &[Source] = &[Source::Portal];

/// Names on the buses, and whose they are.
const NAMES: [(Side, &str, Source); 6] = [
    (Side::System, read::UPOWER, Source::UPower),
    (Side::System, read::POWER_PROFILES[0].service, Source::PowerProfiles),
    (Side::System, read::POWER_PROFILES[1].service, Source::PowerProfiles),
    (Side::System, read::NETWORK_MANAGER, Source::NetworkManager),
    (Side::System, read::LOGIND, Source::Logind),
    (Side::Session, read::PORTAL, Source::Portal),
];

/// Objects whose properties are facts.
const OBJECTS: [(&str, Source); 4] = [
    (read::UPOWER_PATH, Source::UPower),
    (read::POWER_PROFILES[0].path, Source::PowerProfiles),
    (read::POWER_PROFILES[1].path, Source::PowerProfiles),
    (read::NETWORK_MANAGER_PATH, Source::NetworkManager),
];

/// Below it are the sessions, whose lock is a fact.
const SESSIONS: &str = "/org/freedesktop/login1/session";

const PROPERTIES_CHANGED: &str = "type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'";

/// A connection whose rules are in place.
pub(super) struct Live {
    connection: Connection,
    messages: MessageStream,
}

/// Holds the machine awake while it is kept; one that delays sleep and shutdown as long as logind allows (5 s by default, logind.conf
/// `InhibitDelayMaxSec`).
pub(super) struct Inhibitor {
    _held: OwnedFd,
}

/// The buses, as far as they are connected.
pub(super) struct Buses {
    options: SensorOptions,
    system: Option<Live>,
    session: Option<Live>,
}

impl Buses {
    pub(super) const SIDES: &[Side] = &[Side::System, Side::Session];

    pub(super) fn new(options: SensorOptions) -> Self {
        Self { options, system: None, session: None }
    }

    /// Connects to a bus and asks for what is to be told; none if that fails. May hang.
    pub(super) fn dial(&self, side: Side) -> BoxFuture<'static, Option<Live>> {
        let address = match side {
            Side::System => self.options.system_bus.clone(),
            Side::Session => self.options.session_bus.clone(),
        };
        let log = move |error: &zbus::Error| tracing::debug!(?side, %error, "no bus");
        async move { connect(side, address).await.inspect_err(log).ok() }.boxed()
    }

    /// Takes a connection into use and says which sources are on it.
    pub(super) fn attach(&mut self, side: Side, live: Live) -> &'static [Source] {
        match side {
            Side::System => self.system = Some(live),
            Side::Session => self.session = Some(live),
        }
        Self::sources(side)
    }

    pub(super) fn sources(side: Side) -> &'static [Source] {
        match side {
            Side::System => SYSTEM_SOURCES,
            Side::Session => SESSION_SOURCES,
        }
    }

    /// Waits until a bus tells something. Nothing is lost if the wait is given up.
    pub(super) async fn next(&mut self) -> Hint {
        loop {
            let (side, message) = tokio::select! {
                message = hear(&mut self.system) => (Side::System, message),
                message = hear(&mut self.session) => (Side::Session, message),
            };
            match message {
                Some(message) => {
                    if let Some(hint) = hint(&message) {
                        return hint;
                    }
                }
                None => {
                    match side {
                        Side::System => self.system = None,
                        Side::Session => self.session = None,
                    }
                    return Hint::Lost(side);
                }
            }
        }
    }

    /// Reads a source; none if it is on no bus, or its bus is not there. May hang.
    pub(super) fn read(&self, source: Source, default_interface: Option<&str>) -> BoxFuture<'static, Option<Reading>> {
        let live = if SESSION_SOURCES.contains(&source) { &self.session } else { &self.system };
        let connection = live.as_ref().map(|live| live.connection.clone());
        let default_interface = default_interface.map(str::to_owned);
        async move { read::read(&connection?, source, default_interface.as_deref()).await }.boxed()
    }

    /// Asks logind to hold the machine awake; none if it may not or will not. May hang.
    pub(super) fn inhibit(&self, hold: Hold) -> BoxFuture<'static, Option<Inhibitor>> {
        let connection = self.system.as_ref().map(|live| live.connection.clone());
        async move {
            let fd: zvariant::OwnedFd = read::inhibit(&connection?, hold).await?;
            Some(Inhibitor { _held: fd.into() })
        }
        .boxed()
    }
}

async fn connect(side: Side, address: Option<String>) -> zbus::Result<Live> {
    let builder = match (address, side) {
        (Some(address), _) => Builder::address(address.as_str())?,
        (None, Side::System) => Builder::system()?,
        (None, Side::Session) => Builder::session()?,
    };
    let connection = builder.method_timeout(ANSWER_TIME).build().await?;
    let bus = DBusProxy::new(&connection).await?;
    for rule in rules(side) {
        bus.add_match_rule(MatchRule::try_from(rule.as_str())?).await?;
    }
    let messages = MessageStream::from(&connection);
    Ok(Live { connection, messages })
}

fn rules(side: Side) -> Vec<String> {
    let names = NAMES
        .iter()
        .filter(|(of, ..)| *of == side)
        .map(|(_, name, _)| format!("type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{name}'"));
    let of_side: Vec<String> = match side {
        Side::System => OBJECTS
            .iter()
            .map(|(path, _)| format!("{PROPERTIES_CHANGED},path='{path}'"))
            .chain([format!("{PROPERTIES_CHANGED},path_namespace='{SESSIONS}',arg0='{}'", read::LOGIND_SESSION)])
            .chain(["PrepareForSleep", "PrepareForShutdown"].map(|member| {
                format!("type='signal',sender='{}',interface='{}',member='{member}'", read::LOGIND, read::LOGIND_MANAGER)
            }))
            .collect(),
        Side::Session => vec![format!("type='signal',sender='{}',interface='{}'", read::PORTAL, read::NETWORK_MONITOR)],
    };
    names.chain(of_side).collect()
}

/// The next message; none if the connection broke.
async fn hear(live: &mut Option<Live>) -> Option<Message> {
    match live {
        Some(live) => live.messages.next().await?.ok(),
        None => pending().await,
    }
}

/// What a message means for us.
fn hint(message: &Message) -> Option<Hint> {
    let header = message.header();
    if header.message_type() != message::Type::Signal {
        return None;
    }
    let path = header.path()?.as_str();
    match header.member()?.as_str() {
        "NameOwnerChanged" => {
            let (name, _, _): (String, String, String) = message.body().deserialize().ok()?;
            NAMES.iter().find(|(_, known, _)| *known == name).map(|(_, _, source)| Hint::Changed(*source))
        }
        "PropertiesChanged" if path.starts_with(SESSIONS) => Some(Hint::Changed(Source::Logind)),
        "PropertiesChanged" => OBJECTS.iter().find(|(object, _)| *object == path).map(|(_, source)| Hint::Changed(*source)),
        "PrepareForSleep" => message.body().deserialize().ok().map(Hint::Suspending),
        "PrepareForShutdown" => message.body().deserialize().ok().map(Hint::Ending),
        "changed" if path == read::PORTAL_PATH => Some(Hint::Changed(Source::Portal)),
        _ => None,
    }
}
