//! A system without D-Bus: none of its sources is there.

use std::future::{Ready, pending, ready};

use super::{
    SensorOptions,
    facts::{Hint, Hold, Reading, Side, Source},
};

/// A connection; there is none.
pub(super) enum Live {}

/// Holds the machine awake; there is none.
pub(super) enum Inhibitor {}

/// No buses.
pub(super) struct Buses;

impl Buses {
    pub(super) const SIDES: &[Side] = &[];

    pub(super) fn new(_options: SensorOptions) -> Self {
        Self
    }

    pub(super) fn dial(&self, _side: Side) -> Ready<Option<Live>> {
        ready(None)
    }

    pub(super) fn attach(&mut self, _side: Side, live: Live) -> &'static [Source] {
        match live {}
    }

    pub(super) fn sources(_side: Side) -> &'static [Source] {
        &[]
    }

    pub(super) async fn next(&mut self) -> Hint {
        pending().await
    }

    pub(super) fn read(&self, _source: Source, _default_interface: Option<&str>) -> Ready<Option<Reading>> {
        ready(None)
    }

    pub(super) fn inhibit(&self, _hold: Hold) -> Ready<Option<Inhibitor>> {
        ready(None)
    }
}
