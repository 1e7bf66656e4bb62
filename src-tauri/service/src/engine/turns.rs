//! Turns: how many requests go to one destination at once, and to all of them together.
//!
//! A job waits for its destination's turn first and then for one of all, in the order in which they came. So a destination never waits
//! behind more of another's jobs than that one may have under way: they take turns by themselves.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use afterglow_model::DestinationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests at once to all destinations together: each has a connection, a buffer and a file open.
const TURNS_OF_ALL: usize = 48;

/// The turns of every destination.
pub(super) struct Turns {
    all: Arc<Semaphore>,
    by_destination: HashMap<DestinationId, Arc<Queueing>>,
}

/// Those who wait for a turn at one destination.
#[derive(Debug)]
pub(super) struct Queueing {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
    /// How many there are.
    limit: AtomicUsize,
    /// How many are to be given up as soon as they are handed back.
    surplus: AtomicUsize,
}

/// A turn; given back when it is dropped.
pub(super) struct Turn {
    own: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
    queueing: Arc<Queueing>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(TURNS_OF_ALL)), by_destination: HashMap::new() }
    }
}

impl Turns {
    /// Where jobs for a destination wait, `limit` of them going at once from now on.
    pub(super) fn at(&mut self, destination: &DestinationId, limit: usize) -> Arc<Queueing> {
        let queueing = self.by_destination.entry(destination.clone()).or_insert_with(|| {
            Arc::new(Queueing {
                own: Arc::new(Semaphore::new(limit)),
                all: self.all.clone(),
                limit: AtomicUsize::new(limit),
                surplus: AtomicUsize::new(0),
            })
        });
        queueing.set_limit(limit);
        queueing.clone()
    }
}

impl Queueing {
    /// Only the engine calls this; turns are handed back by whoever has them.
    fn set_limit(&self, limit: usize) {
        let before = self.limit.swap(limit, Ordering::Relaxed);
        for _ in limit..before {
            if self.own.forget_permits(1) == 0 {
                self.surplus.fetch_add(1, Ordering::Relaxed);
            }
        }
        for _ in before..limit {
            if !self.take_surplus() {
                self.own.add_permits(1);
            }
        }
    }

    fn take_surplus(&self) -> bool {
        self.surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |surplus| surplus.checked_sub(1)).is_ok()
    }

    /// Waits for a turn. None: there are none any more, which is at the end of the service.
    pub(super) async fn turn(self: Arc<Self>) -> Option<Turn> {
        let own = self.own.clone().acquire_owned().await.ok()?;
        let all = self.all.clone().acquire_owned().await.ok()?;
        Some(Turn { own: Some(own), _all: all, queueing: self })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(own) = self.own.take()
            && self.queueing.take_surplus()
        {
            own.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn taken(queueing: &Arc<Queueing>) -> Option<Turn> {
        queueing.clone().turn().now_or_never().flatten()
    }

    #[test]
    fn a_limit_that_falls_counts_once_turns_come_back_and_one_that_rises_at_once() {
        let (mut turns, id) = (Turns::default(), DestinationId::from("d"));
        let queueing = turns.at(&id, 3);
        let mut held: Vec<Turn> = (0..3).filter_map(|_| taken(&queueing)).collect();
        assert_eq!(held.len(), 3);
        turns.at(&id, 1);
        held.pop();
        held.pop();
        assert!(taken(&queueing).is_none(), "one is still out, and there is only one");
        turns.at(&id, 2);
        held.extend(taken(&queueing));
        assert_eq!(held.len(), 2);
        assert!(taken(&queueing).is_none());
        held.clear();
        assert_eq!((0..4).filter_map(|_| taken(&queueing).map(std::mem::forget)).count(), 2);
    }

    #[test]
    fn destinations_share_the_turns_of_all() {
        let mut turns = Turns::default();
        let one = turns.at(&DestinationId::from("one"), TURNS_OF_ALL);
        let held: Vec<Turn> = (0..TURNS_OF_ALL).filter_map(|_| taken(&one)).collect();
        let other = turns.at(&DestinationId::from("other"), 1);
        assert!(taken(&other).is_none());
        drop(held);
        assert!(taken(&other).is_some());
    }
}
