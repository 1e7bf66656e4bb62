//! Whose turn it is, and how virtual time stands still while something real is done.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::Duration,
};

use tokio::{
    sync::OwnedMutexGuard,
    time::{Sleep, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{World, lock};

impl World {
    /// Waits for the turn.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for something that takes real time, while virtual time stands still and nobody else acts.
pub(crate) fn steady<T>(work: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    // Without a budget: it would have to be given back to the runtime, which waits.
    let mut work = pin!(tokio::task::unconstrained(work));
    loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// The turn of one delivery: it is held whenever the delivery acts, and given back while it waits.
pub(crate) struct Seat {
    world: Arc<World>,
    cancel: CancellationToken,
    held: Mutex<Option<OwnedMutexGuard<()>>>,
}

impl Seat {
    pub(crate) fn new(world: Arc<World>, cancel: CancellationToken) -> Self {
        Self { world, cancel, held: Mutex::default() }
    }

    /// Waits for the turn, unless it is held.
    pub(crate) async fn take(&self) {
        if lock(&self.held).is_none() {
            let turn = self.world.turn().await;
            *lock(&self.held) = Some(turn);
        }
    }

    pub(crate) fn give(&self) {
        lock(&self.held).take();
    }

    /// Lets the others act for a while; false if somebody asked to stop meanwhile.
    pub(crate) async fn pass(&self, time: Duration, deaf: bool) -> bool {
        self.give();
        let goes_on = tokio::select! {
            biased;
            () = self.cancel.cancelled(), if !deaf => false,
            () = sleep(time) => true,
        };
        self.take().await;
        goes_on
    }

    /// Drives a delivery. Virtual time moves only when nobody does anything real: if it does while the turn is held, the driver sleeps,
    /// and the turn is given back meanwhile.
    pub(crate) async fn drive<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut nap: Option<Pin<Box<Sleep>>> = None;
        let done = poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if lock(&self.held).is_none() {
                nap = None;
                return Poll::Pending;
            }
            let sleeping = nap.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(1))));
            if sleeping.as_mut().poll(cx).is_ready() {
                self.give();
                nap = None;
            }
            Poll::Pending
        })
        .await;
        self.take().await;
        done
    }
}
