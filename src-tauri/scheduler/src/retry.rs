//! What follows a failed attempt, and when.
//!
//! The delay doubles from ten seconds to five hours, the envelope of Android's WorkManager, with *equal jitter*: it lies
//! anywhere in the upper half, so that many jobs that failed together do not return together. Even at its shortest that is
//! ten attempts in the first hour. What is transient is never given up: it stays in the queue, in sight, until it works or
//! the person takes it out.

use afterglow_model::{Failure, FailureClass, Timestamp};

/// The first delay before jitter.
const FIRST_BACKOFF_MS: i64 = 10_000;

/// The longest delay before jitter: 5 hours.
pub const LONGEST_BACKOFF_MS: i64 = 5 * 3_600_000;

/// The longest `Retry-After` that is honoured: 24 hours. A server that names more is asked again after that.
pub const RETRY_AFTER_MAX_MS: i64 = 24 * 3_600_000;

/// The longest that [`next_attempt`] ever puts a job off.
pub const LONGEST_WAIT_MS: i64 = RETRY_AFTER_MAX_MS + LONGEST_BACKOFF_MS / 2;

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another attempt.
    Retry {
        /// Not before this.
        at: Timestamp,
    },
    /// Nothing until the person acts.
    NeedsUser,
    /// Nothing: it would fail again.
    GiveUp,
}

/// What follows `failure`, after `attempts_of_same_class` earlier attempts that failed in the same way without progress in
/// between. `seed` places the attempt within its window: the job's own number, so that jobs spread.
///
/// The server's `Retry-After` (RFC 9110, section 10.2.3) is a floor: never earlier, and spread beyond it.
pub fn next_attempt(failure: &Failure, attempts_of_same_class: u32, seed: u64, now: Timestamp) -> Next {
    match failure.class {
        FailureClass::Transient => Next::Retry { at: now.plus_ms(delay_ms(failure, attempts_of_same_class, seed)) },
        FailureClass::NeedsUser => Next::NeedsUser,
        FailureClass::Permanent => Next::GiveUp,
    }
}

/// Whether a stored "not before" has come. One that is further away than any that is ever stored comes from a clock that has
/// been set back since, and counts as come.
pub fn is_due(at: Timestamp, now: Timestamp) -> bool {
    at <= now || at.ms_since(now) > LONGEST_WAIT_MS
}

fn delay_ms(failure: &Failure, attempts: u32, seed: u64) -> i64 {
    // Eleven doublings pass the cap; stopping there keeps the shift in range.
    let half = (FIRST_BACKOFF_MS << attempts.min(11)).min(LONGEST_BACKOFF_MS) / 2;
    let asked = failure.retry_after_ms.map_or(0, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
    let spread = scramble(seed ^ scramble(u64::from(attempts))) % (half.unsigned_abs() + 1);
    half.max(asked.min(RETRY_AFTER_MAX_MS)) + i64::try_from(spread).unwrap_or(half)
}

/// One step of SplitMix64 (Steele, Lea, Flood: *Fast Splittable Pseudorandom Number Generators*, 2014): neighbouring seeds
/// give unrelated numbers, and the same seed the same number in every release.
fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use afterglow_model::FailureCode;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn failure(class: FailureClass, retry_after_ms: Option<u64>) -> Failure {
        Failure { class, code: FailureCode::ServerError, message: String::new(), retry_after_ms, certificate: None }
    }

    fn delay(retry_after_ms: Option<u64>, attempts: u32, seed: u64) -> i64 {
        match next_attempt(&failure(FailureClass::Transient, retry_after_ms), attempts, seed, NOW) {
            Next::Retry { at } => at.ms_since(NOW),
            Next::NeedsUser | Next::GiveUp => panic!("a transient failure is tried again"),
        }
    }

    #[test]
    fn only_what_can_go_away_by_itself_is_tried_again() {
        assert_eq!(next_attempt(&failure(FailureClass::NeedsUser, Some(1)), 0, 0, NOW), Next::NeedsUser);
        assert_eq!(next_attempt(&failure(FailureClass::Permanent, Some(1)), 0, 0, NOW), Next::GiveUp);
    }

    #[test]
    fn equal_seeds_agree_and_neighbouring_ones_spread() {
        let delays: std::collections::BTreeSet<i64> = (0..100).map(|seed| delay(None, 5, seed)).collect();
        assert_eq!(delays, (0..100).map(|seed| delay(None, 5, seed)).collect());
        assert!(delays.len() > 90, "100 jobs that failed together return at {} moments", delays.len());
    }

    #[test]
    fn a_time_beyond_every_wait_is_from_a_clock_set_back() {
        assert!(is_due(NOW, NOW));
        assert!(!is_due(NOW.plus_ms(LONGEST_WAIT_MS), NOW));
        assert!(is_due(NOW.plus_ms(LONGEST_WAIT_MS + 1), NOW));
    }

    proptest! {
        #[test]
        fn the_delay_lies_in_the_upper_half(attempts: u32, seed: u64) {
            let whole = 10_000_f64 * 2_f64.powi(attempts.min(60).cast_signed());
            let whole = whole.min(5.0 * 3_600_000.0) as i64;
            let delay = delay(None, attempts, seed);
            prop_assert!((whole / 2..=whole).contains(&delay), "{delay} of {whole}");
        }

        #[test]
        fn retry_after_is_a_floor_up_to_a_day(attempts: u32, seed: u64, asked: u64) {
            let delay = delay(Some(asked), attempts, seed);
            let floor = i64::try_from(asked.min(24 * 3_600_000)).unwrap();
            prop_assert!(delay >= floor && delay <= LONGEST_WAIT_MS, "{delay} for {asked}");
        }

        #[test]
        fn at_most_twelve_attempts_in_any_hour_and_never_given_up_in_fourteen_days(seed: u64) {
            let mut attempts_at = vec![0_i64];
            while attempts_at[attempts_at.len() - 1] < 14 * 24 * 3_600_000 {
                let failed = u32::try_from(attempts_at.len() - 1).unwrap();
                attempts_at.push(attempts_at[attempts_at.len() - 1] + delay(None, failed, seed));
            }
            for (first, start) in attempts_at.iter().enumerate() {
                let within = attempts_at[first..].iter().take_while(|at| **at - start < 3_600_000).count();
                prop_assert!(within <= 12, "{within} attempts in an hour");
            }
        }
    }
}
