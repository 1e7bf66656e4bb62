//! The one task: events in, conditions out.

use std::{collections::BTreeMap, future::pending, time::Duration};

use afterglow_model::Conditions;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

#[cfg(target_os = "linux")]
use super::dbus::{Buses, Inhibitor, Live};
#[cfg(not(target_os = "linux"))]
use super::elsewhere::{Buses, Inhibitor, Live};
use super::{
    Command, SensorOptions,
    battery::BatteryThread,
    facts::{Facts, Hint, Hold, Reading, Side, Source},
    interface::{self, Changes},
    resources::ResourceReader,
    steady::SteadyNetwork,
};
use crate::{ANSWER_TIME, RETRY_TIME};

/// How often the batteries are looked at, where they have to be.
const BATTERY_INTERVAL: Duration = Duration::from_secs(60);

/// How often load and room are looked at while that matters: the kernel's own averages reach back 10 s.
const RESOURCES_INTERVAL: Duration = Duration::from_secs(10);

/// How long the kernel's events are collected: a change of network fires many.
const INTERFACE_SETTLING: Duration = Duration::from_secs(2);

/// What was asked for and takes time.
enum Done {
    /// A source answered; none inside: it hung.
    Read(Source, Option<Reading>),
    Dialled(Side, Option<Live>),
    Inhibited(Hold, Option<Inhibitor>),
}

/// What a timer is for. At most one of each runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The first round has taken long enough.
    Settle,
    /// A network may be told to be better.
    Network,
    Batteries,
    Interface,
    /// What hung or broke is tried again.
    Retry,
    /// The machine may sleep, or end, now.
    Sleep,
    /// Load and room are looked at again.
    Resources,
}

/// Everything that the task owns.
struct Task {
    facts: Facts,
    steady: SteadyNetwork,
    buses: Buses,
    batteries: Option<BatteryThread>,
    resources: ResourceReader,
    /// Whether load and room matter now.
    resources_wanted: bool,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Readings under way, and whether to read once more after them.
    reading: BTreeMap<Source, bool>,
    timers: BTreeMap<Timer, Instant>,
    /// What hung, to be tried again.
    hung: Vec<Source>,
    /// Buses that are not there, to be tried again.
    away: Vec<Side>,
    inhibitor: Option<Inhibitor>,
    /// Whether the machine is to be kept awake, and what keeps it so.
    awake_wanted: bool,
    awake: Option<Inhibitor>,
    settling: watch::Sender<bool>,
    told: watch::Sender<Conditions>,
}

pub(super) async fn run(
    options: SensorOptions,
    told: watch::Sender<Conditions>,
    settling: watch::Sender<bool>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let mut changes = Changes::watch();
    let batteries = BatteryThread::start().inspect_err(|error| tracing::warn!(%error, "no thread for the batteries")).ok();
    let mut task = Task {
        facts: Facts::default(),
        steady: SteadyNetwork::default(),
        resources: ResourceReader::new(&options),
        resources_wanted: false,
        buses: Buses::new(options),
        batteries,
        work: FuturesUnordered::new(),
        reading: BTreeMap::new(),
        timers: BTreeMap::from([(Timer::Settle, Instant::now() + ANSWER_TIME)]),
        hung: Vec::new(),
        away: Vec::new(),
        inhibitor: None,
        awake_wanted: false,
        awake: None,
        settling,
        told,
    };
    task.read(Source::Batteries);
    task.read(Source::Interface);
    Buses::SIDES.iter().for_each(|side| task.dial(*side));
    loop {
        let due = task.next_timer();
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::ReadyToSleep) => task.let_sleep(),
                Some(Command::KeepAwake(wanted)) => task.keep_awake(wanted),
                Some(Command::WatchResources(wanted)) => task.watch_resources(wanted),
                Some(Command::Stop) | None => return,
            },
            Some(done) = task.work.next() => task.absorb(done),
            hint = task.buses.next() => task.follow(hint),
            () = changes.next() => task.set_earliest(Timer::Interface, INTERFACE_SETTLING),
            () = until(due) => task.tick(Instant::now()),
        }
        task.tell(Instant::now());
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

impl Task {
    fn dial(&mut self, side: Side) {
        let dialled = timeout(ANSWER_TIME, self.buses.dial(side));
        self.work.push(dialled.map(move |live| Done::Dialled(side, live.ok().flatten())).boxed());
    }

    /// Reads a source, or again once the reading under way is over.
    fn read(&mut self, source: Source) {
        // Asking the portal may start it, which only makes sense where it is needed.
        if source == Source::Portal && self.facts.has_network_manager() {
            return;
        }
        if let Some(again) = self.reading.get_mut(&source) {
            *again = true;
            return;
        }
        self.reading.insert(source, false);
        let reading: BoxFuture<'static, Option<Reading>> = match source {
            Source::Batteries => {
                let answer = self.batteries.as_ref().map(BatteryThread::ask);
                async move { Some(Reading::Batteries(answer?.await.ok()?)) }.boxed()
            }
            Source::Interface => async {
                let interface = tokio::task::spawn_blocking(interface::read).await;
                Some(Reading::Interface(Some(interface.ok()?)))
            }
            .boxed(),
            Source::Resources => {
                self.resources.read().map(|resources| resources.map(|read| Reading::Resources(Some(read)))).boxed()
            }
            Source::UPower | Source::PowerProfiles | Source::NetworkManager | Source::Portal | Source::Logind => {
                self.buses.read(source, self.facts.default_interface()).boxed()
            }
        };
        let reading = timeout(ANSWER_TIME, reading);
        self.work.push(reading.map(move |reading| Done::Read(source, reading.ok().flatten())).boxed());
    }

    fn absorb(&mut self, done: Done) {
        match done {
            Done::Read(source, reading) => self.take(source, reading),
            Done::Dialled(side, Some(live)) => self.buses.attach(side, live).iter().for_each(|source| self.read(*source)),
            Done::Dialled(side, None) => {
                self.away.push(side);
                self.set_earliest(Timer::Retry, RETRY_TIME);
            }
            Done::Inhibited(Hold::Block, inhibitor) => self.awake = inhibitor.filter(|_| self.awake_wanted),
            Done::Inhibited(Hold::Delay, inhibitor) => {
                // Taken too late if sleep or the end was announced meanwhile; then it must not hold the machine.
                self.inhibitor = inhibitor.filter(|_| !self.facts.is_leaving());
            }
        }
    }

    fn take(&mut self, source: Source, reading: Option<Reading>) {
        match reading {
            Some(reading) => self.facts.take(reading),
            None => {
                tracing::debug!(?source, "does not answer; unknown from now on");
                self.facts.forget(source);
                self.hung.push(source);
                self.set_earliest(Timer::Retry, RETRY_TIME);
            }
        }
        if self.reading.remove(&source) == Some(true) {
            self.read(source);
        }
        if source == Source::Interface && self.reading.contains_key(&Source::NetworkManager) {
            // Its reading began before this interface was known.
            self.read(Source::NetworkManager);
        }
        self.facts.followers(source).into_iter().for_each(|follower| self.read(follower));
        match source {
            Source::Logind => {
                self.hold_awake();
                self.keep_awake(self.awake_wanted);
            }
            Source::Batteries | Source::UPower => self.watch_batteries(),
            Source::Resources => self.watch_resources(self.resources_wanted),
            Source::Interface | Source::PowerProfiles | Source::NetworkManager | Source::Portal => {}
        }
    }

    fn follow(&mut self, hint: Hint) {
        match hint {
            Hint::Changed(source) => self.read(source),
            Hint::Suspending(true) => {
                self.facts.suspending(true);
                self.set_earliest(Timer::Sleep, ANSWER_TIME);
            }
            Hint::Suspending(false) => {
                self.facts.suspending(false);
                self.stays();
                [Source::Batteries, Source::Interface].into_iter().for_each(|source| self.read(source));
            }
            Hint::Ending(true) => {
                self.facts.ending(true);
                self.set_earliest(Timer::Sleep, ANSWER_TIME);
            }
            Hint::Ending(false) => {
                self.facts.ending(false);
                self.stays();
            }
            Hint::Lost(side) => {
                Buses::sources(side).iter().for_each(|source| self.facts.forget(*source));
                (self.inhibitor, self.awake) = (None, None);
                self.away.push(side);
                self.set_earliest(Timer::Retry, RETRY_TIME);
            }
        }
    }

    /// The machine does not sleep or end, or no longer.
    fn stays(&mut self) {
        if !self.facts.is_leaving() {
            self.timers.remove(&Timer::Sleep);
            self.hold_awake();
        }
    }

    /// Takes logind's lock, if it is there and not held.
    fn hold_awake(&mut self) {
        if !self.facts.has_logind() {
            self.inhibitor = None;
        } else if self.inhibitor.is_none() && !self.facts.is_leaving() {
            self.inhibit(Hold::Delay);
        }
    }

    fn keep_awake(&mut self, wanted: bool) {
        self.awake_wanted = wanted;
        if !wanted {
            self.awake = None;
        } else if self.awake.is_none() && self.facts.has_logind() {
            self.inhibit(Hold::Block);
        }
    }

    fn inhibit(&mut self, hold: Hold) {
        let inhibit = timeout(ANSWER_TIME, self.buses.inhibit(hold));
        self.work.push(inhibit.map(move |inhibitor| Done::Inhibited(hold, inhibitor.ok().flatten())).boxed());
    }

    fn let_sleep(&mut self) {
        if self.facts.is_leaving() {
            self.timers.remove(&Timer::Sleep);
            self.inhibitor = None;
        }
    }

    fn watch_batteries(&mut self) {
        if self.facts.must_watch_batteries() {
            self.set_earliest(Timer::Batteries, BATTERY_INTERVAL);
        } else {
            self.timers.remove(&Timer::Batteries);
        }
    }

    /// Looks at load and room now and then, or no longer; then they are unknown.
    fn watch_resources(&mut self, wanted: bool) {
        let begins = wanted && !self.resources_wanted;
        self.resources_wanted = wanted;
        if begins {
            self.read(Source::Resources);
        } else if !wanted {
            self.timers.remove(&Timer::Resources);
            self.facts.forget(Source::Resources);
        } else if !self.reading.contains_key(&Source::Resources) {
            self.set_earliest(Timer::Resources, RESOURCES_INTERVAL);
        }
    }

    fn set_earliest(&mut self, timer: Timer, after: Duration) {
        self.timers.entry(timer).or_insert_with(|| Instant::now() + after);
    }

    fn next_timer(&self) -> Option<Instant> {
        self.timers.values().min().copied()
    }

    fn tick(&mut self, now: Instant) {
        let due: Vec<Timer> = self.timers.iter().filter(|(_, due)| **due <= now).map(|(timer, _)| *timer).collect();
        for timer in due {
            self.timers.remove(&timer);
            match timer {
                Timer::Settle => drop(self.settling.send_replace(true)),
                // `tell` looks at the clock.
                Timer::Network => {}
                Timer::Batteries => self.read(Source::Batteries),
                Timer::Resources => self.read(Source::Resources),
                Timer::Interface => self.read(Source::Interface),
                Timer::Retry => {
                    std::mem::take(&mut self.hung).into_iter().for_each(|source| self.read(source));
                    std::mem::take(&mut self.away).into_iter().for_each(|side| self.dial(side));
                }
                Timer::Sleep => self.let_sleep(),
            }
        }
    }

    /// Tells what has changed. Nothing is told before the first round is over: half of the facts could make a network look good.
    fn tell(&mut self, now: Instant) {
        if self.timers.contains_key(&Timer::Settle) && !self.work.is_empty() {
            return;
        }
        let seen = self.facts.conditions();
        let conditions = Conditions { network: self.steady.see(seen.network.clone(), now), ..seen };
        match self.steady.due() {
            Some(due) => self.timers.insert(Timer::Network, due),
            None => self.timers.remove(&Timer::Network),
        };
        self.told.send_if_modified(|told| {
            let changed = *told != conditions;
            *told = conditions;
            changed
        });
        if self.timers.remove(&Timer::Settle).is_some() {
            self.settling.send_replace(true);
        }
    }
}
