//! How many requests go to a destination at once: found by trying one more, and halved at the first sign that it is too many.
//!
//! What more of them give depends on the line and on the server, and neither says so. A long line carries more the more there are,
//! since each of them waits for its answer; a small server answers none of them sooner. So the number climbs as long as more gets
//! done for it, steps back when not, and tries again later. Trouble halves it (the additive increase and multiplicative decrease of
//! TCP, RFC 5681), at most once for all requests that ran into the same trouble.

use std::collections::BTreeMap;

use afterglow_model::{DestinationId, FailureCode};

/// Requests at once before anything is known: eight fill a 40 ms line with 180 small files a second.
const FIRST: usize = 8;
/// The most. Beyond this a home server only queues, and a proxy begins to refuse.
const MOST: usize = 32;
/// How long at least a number is tried. Shorter, and a single large photo decides.
const WINDOW_MS: u64 = 2_000;
/// How many files at least for each request, for the same reason.
const FILES_PER_REQUEST: usize = 2;
/// More requests stay if a tenth more is done.
const GAIN_PERCENT: u64 = 110;
/// Windows to stay at a number that no more gained upon, before more is tried again.
const REST_WINDOWS: u32 = 15;
/// A file costs a server about as much as so many bytes of another, whatever its size.
const FILE_BYTES: u64 = 64 * 1024;

/// How a request to a destination ended, as far as the number of them goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A file of so many bytes is there.
    Delivered {
        /// Its size.
        bytes: u64,
    },
    /// It failed.
    Failed(FailureCode),
}

/// What has been found out about each destination. Forgotten with the service.
#[derive(Debug, Default)]
pub struct Concurrency {
    climbs: BTreeMap<DestinationId, Climb>,
}

/// One destination's number, on its way.
#[derive(Debug)]
struct Climb {
    limit: usize,
    /// The number before the last step up, and what was done with it in a second; none if none is being tried.
    tried: Option<(usize, u64)>,
    rest_windows: u32,
    window: Option<Window>,
    spared_until_ms: u64,
}

/// The time in which a number is tried.
#[derive(Debug)]
struct Window {
    since_ms: u64,
    files: usize,
    work: u64,
}

impl Concurrency {
    /// Requests that may go to a destination at once; never 0.
    pub fn limit(&self, destination: &DestinationId) -> usize {
        self.climbs.get(destination).map_or(FIRST, |climb| climb.limit)
    }

    /// A request has ended while `in_line` more jobs were started or ready: with fewer than the limit, nothing is learnt of it.
    pub fn ended(&mut self, destination: &DestinationId, ending: Ending, in_line: usize, boot_ms: u64) {
        let climb = self.climbs.entry(destination.clone()).or_insert_with(Climb::new);
        match ending {
            Ending::Delivered { bytes } => climb.delivered(bytes, in_line, boot_ms),
            Ending::Failed(code) if is_too_many(code) => climb.trouble(boot_ms),
            Ending::Failed(_) => {}
        }
    }
}

/// Whether fewer requests at once may help against such a failure.
fn is_too_many(code: FailureCode) -> bool {
    match code {
        FailureCode::Throttled | FailureCode::TimedOut | FailureCode::ServerError => true,
        FailureCode::ConnectionLost
        | FailureCode::TlsFailed
        | FailureCode::CertificateChanged
        | FailureCode::CaptivePortal
        | FailureCode::UnexpectedAnswer
        | FailureCode::AuthenticationRequired
        | FailureCode::QuotaExceeded
        | FailureCode::DestinationNotAllowed
        | FailureCode::Unencrypted
        | FailureCode::PayloadTooLarge
        | FailureCode::OffsetMismatch
        | FailureCode::LengthInconsistent
        | FailureCode::DigestMismatch
        | FailureCode::SourceChanged
        | FailureCode::SourceVanished
        | FailureCode::SourceOffline
        | FailureCode::SourceUnreadable
        | FailureCode::ServerRejected
        | FailureCode::ProtocolUnsupported
        | FailureCode::AccessDenied
        | FailureCode::DependencyFailed
        | FailureCode::Internal => false,
    }
}

impl Climb {
    fn new() -> Self {
        Self { limit: FIRST, tried: None, rest_windows: 0, window: None, spared_until_ms: 0 }
    }

    fn delivered(&mut self, bytes: u64, in_line: usize, boot_ms: u64) {
        if in_line < self.limit {
            // The line was not full: what got done says nothing of what could be.
            self.window = None;
            return;
        }
        let window = self.window.get_or_insert(Window { since_ms: boot_ms, files: 0, work: 0 });
        window.files += 1;
        window.work = window.work.saturating_add(bytes.saturating_add(FILE_BYTES));
        let elapsed_ms = boot_ms.saturating_sub(window.since_ms);
        if elapsed_ms < WINDOW_MS || window.files < self.limit * FILES_PER_REQUEST {
            return;
        }
        let rate = window.work.saturating_mul(1000) / elapsed_ms;
        self.window = None;
        self.weigh(rate);
    }

    /// Decides after a window what number is tried next.
    fn weigh(&mut self, rate: u64) {
        match self.tried.take() {
            Some((fewer, before)) if rate < before.saturating_mul(GAIN_PERCENT) / 100 => {
                self.limit = fewer;
                self.rest_windows = REST_WINDOWS;
            }
            Some(_) | None if self.rest_windows > 0 => self.rest_windows -= 1,
            Some(_) | None => {
                let more = (self.limit + (self.limit / 4).max(1)).min(MOST);
                if more > self.limit {
                    self.tried = Some((self.limit, rate));
                    self.limit = more;
                }
            }
        }
    }

    fn trouble(&mut self, boot_ms: u64) {
        if boot_ms < self.spared_until_ms {
            return;
        }
        self.limit = (self.limit / 2).max(1);
        self.spared_until_ms = boot_ms + WINDOW_MS;
        (self.tried, self.window, self.rest_windows) = (None, None, REST_WINDOWS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lives `seconds` of a server that needs `answer_ms` for a request and does not do more than `most_per_s` of them a second.
    fn live(concurrency: &mut Concurrency, from_ms: u64, seconds: u64, answer_ms: u64, most_per_s: u64) -> u64 {
        let id = DestinationId::from("d");
        let end = from_ms + seconds * 1000;
        let mut thousandths = from_ms * 1000;
        while thousandths < end * 1000 {
            let per_s = (concurrency.limit(&id) as u64 * 1000 / answer_ms).clamp(1, most_per_s);
            thousandths += 1_000_000 / per_s;
            concurrency.ended(&id, Ending::Delivered { bytes: 300_000 }, 64, thousandths / 1000);
        }
        end
    }

    fn limit(concurrency: &Concurrency) -> usize {
        concurrency.limit(&DestinationId::from("d"))
    }

    #[test]
    fn a_long_line_is_filled() {
        let mut concurrency = Concurrency::default();
        assert_eq!(limit(&concurrency), FIRST);
        live(&mut concurrency, 0, 60, 200, 10_000);
        assert_eq!(limit(&concurrency), MOST);
    }

    #[test]
    fn a_server_that_does_no_more_for_more_is_asked_no_more_for_long() {
        let mut concurrency = Concurrency::default();
        let end = live(&mut concurrency, 0, 10, 20, 100);
        assert_eq!(limit(&concurrency), FIRST, "ten more were tried and given up");
        live(&mut concurrency, end, 20, 20, 100);
        assert_eq!(limit(&concurrency), FIRST);
    }

    #[test]
    fn trouble_halves_once_for_all_that_ran_into_it() {
        let (mut concurrency, id) = (Concurrency::default(), DestinationId::from("d"));
        for _ in 0..8 {
            concurrency.ended(&id, Ending::Failed(FailureCode::Throttled), 64, 1_000);
        }
        assert_eq!(limit(&concurrency), FIRST / 2);
        for second in 2..60 {
            concurrency.ended(&id, Ending::Failed(FailureCode::TimedOut), 64, second * 3_000);
        }
        assert_eq!(limit(&concurrency), 1, "never none");
    }

    #[test]
    fn what_was_halved_climbs_again_once_more_helps() {
        let (mut concurrency, id) = (Concurrency::default(), DestinationId::from("d"));
        concurrency.ended(&id, Ending::Failed(FailureCode::ServerError), 64, 0);
        concurrency.ended(&id, Ending::Failed(FailureCode::ServerError), 64, 5_000);
        assert_eq!(limit(&concurrency), 2);
        live(&mut concurrency, 10_000, 180, 40, 10_000);
        assert!(limit(&concurrency) > FIRST, "{}", limit(&concurrency));
    }

    #[test]
    fn a_line_that_is_not_full_teaches_nothing() {
        let (mut concurrency, id) = (Concurrency::default(), DestinationId::from("d"));
        for at in 0..1000 {
            concurrency.ended(&id, Ending::Delivered { bytes: 1 }, 3, at * 100);
        }
        assert_eq!(limit(&concurrency), FIRST);
    }

    #[test]
    fn what_says_nothing_of_the_number_leaves_it() {
        let (mut concurrency, id) = (Concurrency::default(), DestinationId::from("d"));
        for code in [FailureCode::SourceVanished, FailureCode::ConnectionLost, FailureCode::ServerRejected] {
            concurrency.ended(&id, Ending::Failed(code), 64, 0);
        }
        assert_eq!(limit(&concurrency), FIRST);
    }
}
