//! Whether a destination answers. One job that fails is that job's affair; when nothing gets through any more it is the
//! destination's, and then one job at a time tries, at growing intervals.

use std::collections::BTreeMap;

use afterglow_model::{DestinationId, DestinationState, Failure, FailureCode, Timestamp};

use crate::{RETRY_AFTER_MAX_MS, is_due};

/// Failures in a row, none delivered in between, after which it is the destination that fails.
const STREAK: u32 = 3;
/// First wait of a destination that fails, and the longest: 10 s to 15 min.
const WAIT_MS: i64 = 10_000;
const WAIT_MS_MAX: i64 = 15 * 60_000;

#[derive(Debug, Default, Clone)]
struct Record {
    failures: u32,
    /// Our own patience.
    spared_until: Option<Timestamp>,
    /// The server's wish (RFC 9110, section 10.2.3). Nobody's word goes before it.
    asked_until: Option<Timestamp>,
}

/// What is known of the destinations' health.
#[derive(Debug, Default)]
pub struct Health {
    records: BTreeMap<DestinationId, Record>,
}

/// A destination's state has changed.
pub type StateChange = Option<(DestinationState, Option<Failure>)>;

impl Health {
    /// A delivery came through.
    pub fn delivered(&mut self, destination: &DestinationId) -> StateChange {
        let record = self.records.get_mut(destination)?;
        let failed = record.failures >= STREAK;
        (record.failures, record.spared_until) = (0, None);
        failed.then_some((DestinationState::Ready, None))
    }

    /// An attempt failed.
    pub fn failed(&mut self, destination: &DestinationId, failure: &Failure, now: Timestamp) -> StateChange {
        match failure.code {
            FailureCode::AuthenticationRequired => return Some((DestinationState::AuthRequired, Some(failure.clone()))),
            FailureCode::QuotaExceeded => return Some((DestinationState::QuotaExceeded, Some(failure.clone()))),
            FailureCode::TimedOut
            | FailureCode::ConnectionLost
            | FailureCode::TlsFailed
            | FailureCode::CaptivePortal
            | FailureCode::ServerError
            | FailureCode::Throttled
            | FailureCode::UnexpectedAnswer => {}
            FailureCode::DestinationNotAllowed
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
            | FailureCode::Internal => return None,
        }
        let record = self.records.entry(destination.clone()).or_default();
        record.failures += 1;
        let asked =
            failure.retry_after_ms.map(|ms| now.plus_ms(i64::try_from(ms.min(RETRY_AFTER_MAX_MS.unsigned_abs())).unwrap_or(0)));
        record.asked_until = record.asked_until.max(asked);
        if record.failures < STREAK {
            return None;
        }
        let doublings = (record.failures - STREAK).min(16);
        let wait = (WAIT_MS << doublings).min(WAIT_MS_MAX);
        record.spared_until = record.spared_until.max(Some(now.plus_ms(wait)));
        (record.failures == STREAK).then(|| (DestinationState::Unreachable, Some(failure.clone())))
    }

    /// The person or the network gave a reason to try again at once.
    pub fn forgive(&mut self) {
        for record in self.records.values_mut() {
            record.spared_until = None;
        }
    }

    /// Before when a destination is left alone.
    pub fn not_before(&self, destination: &DestinationId, now: Timestamp) -> Option<Timestamp> {
        let record = self.records.get(destination)?;
        record.spared_until.max(record.asked_until).filter(|at| !is_due(*at, now))
    }
}

#[cfg(test)]
mod tests {
    use afterglow_model::FailureClass;

    use super::*;

    fn lost() -> Failure {
        Failure {
            class: FailureClass::Transient,
            code: FailureCode::ConnectionLost,
            message: "lost".to_owned(),
            retry_after_ms: None,
        }
    }

    #[test]
    fn a_destination_is_left_alone_after_three_failures_and_back_after_one_success() {
        let (mut health, id) = (Health::default(), DestinationId::from("d"));
        let now = Timestamp(1_000_000);
        assert_eq!(health.failed(&id, &lost(), now), None);
        assert_eq!(health.failed(&id, &lost(), now), None);
        assert!(matches!(health.failed(&id, &lost(), now), Some((DestinationState::Unreachable, Some(_)))));
        assert_eq!(health.not_before(&id, now), Some(now.plus_ms(10_000)));
        assert_eq!(health.failed(&id, &lost(), now), None);
        assert_eq!(health.not_before(&id, now), Some(now.plus_ms(20_000)));
        assert_eq!(health.delivered(&id), Some((DestinationState::Ready, None)));
        assert_eq!(health.not_before(&id, now), None);
    }

    #[test]
    fn the_servers_own_wish_is_kept_from_the_first_failure_on() {
        let (mut health, id) = (Health::default(), DestinationId::from("d"));
        let now = Timestamp(0);
        health.failed(&id, &Failure { retry_after_ms: Some(30_000), ..lost() }, now);
        assert_eq!(health.not_before(&id, now), Some(Timestamp(30_000)));
        health.forgive();
        assert_eq!(health.not_before(&id, now), Some(Timestamp(30_000)), "nobody's word goes before the server's");
    }
}
