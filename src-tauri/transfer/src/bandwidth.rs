//! One cap on the bytes per second of all transfers together, which may change while they run.
//!
//! A token bucket kept as one instant: the moment at which all bytes granted so far will have been paid for. Without a cap a grant
//! costs one atomic load. A change of the cap wakes whoever waits, so that no transfer sleeps by an old rate.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// What may be sent at once after a pause, so that a cap does not turn into one packet at a time.
const BURST: Duration = Duration::from_millis(100);

/// The shared cap.
#[derive(Debug)]
pub(crate) struct Bandwidth {
    /// Bytes per second; 0 stands for no cap.
    rate: AtomicU64,
    paid_until: Mutex<Instant>,
    changed: Notify,
}

impl Bandwidth {
    pub(crate) fn unlimited() -> Self {
        Self { rate: AtomicU64::new(0), paid_until: Mutex::new(Instant::now()), changed: Notify::new() }
    }

    /// Sets the cap in bytes per second; none lifts it. A cap of 0 is taken as 1: stopping is not this type's business. The cap that
    /// holds already changes nothing: whoever waits keeps the place in line.
    pub(crate) fn set(&self, bytes_per_s: Option<u64>) {
        let rate = bytes_per_s.map_or(0, |rate| rate.max(1));
        if self.rate.load(Ordering::Acquire) == rate {
            return;
        }
        *self.paid_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.rate.store(rate, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Whether there is a cap at the moment.
    pub(crate) fn is_capped(&self) -> bool {
        self.rate.load(Ordering::Acquire) != 0
    }

    /// Waits until `bytes` more may be sent.
    pub(crate) async fn grant(&self, bytes: usize) {
        loop {
            if !self.is_capped() {
                return;
            }
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the rate is read, so that a change in between is not missed.
            changed.as_mut().enable();
            let Some(due) = self.reserve(bytes) else { return };
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                () = changed => {}
            }
        }
    }

    /// Takes the next place in line for `bytes` and says when it comes up; none without a cap.
    fn reserve(&self, bytes: usize) -> Option<Instant> {
        let rate = self.rate.load(Ordering::Acquire);
        if rate == 0 {
            return None;
        }
        let now = Instant::now();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paid_until = (*paid_until).max(earliest) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        Some(*paid_until)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cap_spaces_the_bytes_of_all_transfers_together() {
        let bandwidth = Bandwidth::unlimited();
        bandwidth.set(Some(1000));
        let start = Instant::now();
        tokio::join!(bandwidth.grant(500), bandwidth.grant(500), bandwidth.grant(1000));
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(1900) && elapsed <= Duration::from_millis(2100), "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_cap_said_again_and_again_starves_nobody() {
        let bandwidth = Arc::new(Bandwidth::unlimited());
        bandwidth.set(Some(1000));
        let waiter = tokio::spawn({
            let bandwidth = bandwidth.clone();
            async move { bandwidth.grant(2000).await }
        });
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            bandwidth.set(Some(1000));
        }
        assert!(waiter.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn lifting_the_cap_wakes_who_waits_by_the_old_rate() {
        let bandwidth = Arc::new(Bandwidth::unlimited());
        bandwidth.set(Some(1));
        let start = Instant::now();
        let waiter = tokio::spawn({
            let bandwidth = bandwidth.clone();
            async move { bandwidth.grant(1_000_000).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        bandwidth.set(None);
        waiter.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}
