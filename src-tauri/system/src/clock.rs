//! The clock that counts suspend and never goes back.

/// Milliseconds since an arbitrary point before this process began, suspend included: `CLOCK_BOOTTIME` on Linux, `CLOCK_MONOTONIC`
/// on macOS, where it counts sleep.
#[cfg(unix)]
pub fn boot_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(target_os = "linux")]
    let now = clock_gettime(ClockId::Boottime);
    #[cfg(not(target_os = "linux"))]
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Milliseconds since the first call. Windows counts suspend in the performance counter that `Instant` reads.
#[cfg(not(unix))]
pub fn boot_ms() -> u64 {
    use std::{sync::OnceLock, time::Instant};
    static FIRST: OnceLock<Instant> = OnceLock::new();
    u64::try_from(FIRST.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_does_not_go_back() {
        let first = super::boot_ms();
        assert!(first > 0);
        assert!(super::boot_ms() >= first);
    }
}
