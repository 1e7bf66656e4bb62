//! A system without D-Bus: what its own interfaces say of network and power, each in a small file of its own. They stand where
//! NetworkManager and power-profiles-daemon do on Linux; sleep and lock are not read yet.

use std::{
    future::{Ready, pending, ready},
    sync::Arc,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::mpsc, task::spawn_blocking};

#[cfg(target_os = "macos")]
use super::macos::Watch;
#[cfg(windows)]
use super::windows::Watch;
use super::{
    SensorOptions,
    facts::{Hint, Hold, Reading, Side, Source},
};

const SOURCES: &[Source] = &[Source::NetworkManager, Source::PowerProfiles];

/// The system's word that something changed.
pub(super) struct Live {
    watch: Arc<Watch>,
    changes: mpsc::UnboundedReceiver<Source>,
}

/// Holds the machine awake; there is none.
pub(super) enum Inhibitor {}

/// The system's interfaces, once they are listened to.
pub(super) struct Buses(Option<Live>);

impl Buses {
    pub(super) const SIDES: &[Side] = &[Side::System];

    pub(super) fn new(_options: SensorOptions) -> Self {
        Self(None)
    }

    /// Asks to be told of changes. May hang.
    pub(super) fn dial(&self, _side: Side) -> BoxFuture<'static, Option<Live>> {
        let listen = spawn_blocking(|| {
            let (changed, changes) = mpsc::unbounded_channel();
            Some(Live { watch: Arc::new(Watch::start(changed)?), changes })
        });
        listen.map(|live| live.ok().flatten()).boxed()
    }

    pub(super) fn attach(&mut self, side: Side, live: Live) -> &'static [Source] {
        self.0 = Some(live);
        Self::sources(side)
    }

    pub(super) fn sources(_side: Side) -> &'static [Source] {
        SOURCES
    }

    /// Waits until the system tells something. Nothing is lost if the wait is given up.
    pub(super) async fn next(&mut self) -> Hint {
        let Some(live) = &mut self.0 else { return pending().await };
        match live.changes.recv().await {
            Some(source) => Hint::Changed(source),
            None => {
                self.0 = None;
                Hint::Lost(Side::System)
            }
        }
    }

    /// Reads a source; none if it could not be read. May hang.
    pub(super) fn read(&self, source: Source, _default_interface: Option<&str>) -> BoxFuture<'static, Option<Reading>> {
        let watch = self.0.as_ref().map(|live| live.watch.clone());
        let read = move || match source {
            Source::NetworkManager => Some(Reading::NetworkManager(watch?.network())),
            Source::PowerProfiles => Some(Reading::PowerProfiles(watch?.power_profile())),
            // Not there, which is an answer.
            Source::UPower => Some(Reading::UPower(None)),
            Source::Portal => Some(Reading::Portal(None)),
            Source::Logind => Some(Reading::Logind(None)),
            Source::Batteries | Source::Interface | Source::Resources => None,
        };
        spawn_blocking(read).map(|reading| reading.ok().flatten()).boxed()
    }

    pub(super) fn inhibit(&self, _hold: Hold) -> Ready<Option<Inhibitor>> {
        ready(None)
    }
}

/// A system of which nothing is known.
#[cfg(not(any(target_os = "macos", windows)))]
mod nothing {
    use tokio::sync::mpsc;

    use crate::sensors::facts::{NetworkManager, PowerProfile, Source};

    pub(super) enum Watch {}

    impl Watch {
        pub(super) fn start(_changed: mpsc::UnboundedSender<Source>) -> Option<Self> {
            None
        }

        pub(super) fn network(&self) -> Option<NetworkManager> {
            match *self {}
        }

        pub(super) fn power_profile(&self) -> Option<PowerProfile> {
            match *self {}
        }
    }
}

#[cfg(not(any(target_os = "macos", windows)))]
use nothing::Watch;
