//! Whether a destination answers. One job that fails is that job's affair; when nothing gets through any more it is the
//! destination's, and then one job at a time tries, at growing intervals.

use std::collections::{BTreeMap, BTreeSet};

use afterglow_model::{DestinationId, DestinationState, Failure, FailureCode, JobId, Timestamp};

use crate::{RETRY_AFTER_MAX_MS, is_due};

/// Failures in a row, none delivered in between, after which it is the destination that fails. A job that the server answers, but never
/// well, counts once however often it fails: it may be the job's own fault.
const STREAK: usize = 3;
/// First wait of a destination that fails, and the longest: 10 s to 15 min.
const WAIT_MS: i64 = 10_000;
const WAIT_MS_MAX: i64 = 15 * 60_000;

#[derive(Debug, Default, Clone)]
struct Record {
    /// Attempts that no server answered.
    silences: usize,
    /// Jobs that it answered with a fault of its own. No more are told apart than it takes.
    faulted: BTreeSet<JobId>,
    /// Failures since it was found to fail.
    since: usize,
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
    /// A delivery came through: the destination can be sent to, whoever said otherwise. One that had been told to stop (`stopping`) proves
    /// only that something answers: it may have begun before the account was full, and end after.
    pub fn delivered(&mut self, destination: &DestinationId, stopping: bool) -> StateChange {
        let mut failed = false;
        if let Some(record) = self.records.get_mut(destination) {
            failed = record.streak() >= STREAK;
            *record = Record { asked_until: record.asked_until, ..Record::default() };
        }
        (failed || !stopping).then_some((DestinationState::Ready, None))
    }

    /// An attempt of a job failed. As long as the destination fails, each failure says so: somebody may have said otherwise meanwhile.
    pub fn failed(&mut self, destination: &DestinationId, job: &JobId, failure: &Failure, now: Timestamp) -> StateChange {
        let silence = match failure.code {
            FailureCode::AuthenticationRequired => return Some((DestinationState::AuthRequired, Some(failure.clone()))),
            FailureCode::CertificateChanged => return Some((DestinationState::CertificateChanged, Some(failure.clone()))),
            FailureCode::QuotaExceeded => return Some((DestinationState::QuotaExceeded, Some(failure.clone()))),
            FailureCode::TimedOut
            | FailureCode::ConnectionLost
            | FailureCode::TlsFailed
            | FailureCode::CaptivePortal
            | FailureCode::Throttled => true,
            // Nothing at the address: what stands before the server says so while it is away.
            FailureCode::ServerError | FailureCode::UnexpectedAnswer | FailureCode::ProtocolUnsupported => false,
            FailureCode::DestinationNotAllowed
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
            | FailureCode::AccessDenied
            | FailureCode::DependencyFailed
            | FailureCode::Internal => return None,
        };
        let record = self.records.entry(destination.clone()).or_default();
        if silence {
            record.silences = record.silences.saturating_add(1);
        } else if record.faulted.len() < STREAK {
            record.faulted.insert(job.clone());
        }
        let asked =
            failure.retry_after_ms.map(|ms| now.plus_ms(i64::try_from(ms.min(RETRY_AFTER_MAX_MS.unsigned_abs())).unwrap_or(0)));
        record.asked_until = record.asked_until.max(asked);
        if record.streak() < STREAK {
            return None;
        }
        let wait = (WAIT_MS << record.since.min(16)).min(WAIT_MS_MAX);
        record.since = record.since.saturating_add(1);
        record.spared_until = record.spared_until.max(Some(now.plus_ms(wait)));
        Some((DestinationState::Unreachable, Some(failure.clone())))
    }

    /// Until when the server asked to be left alone, if it did: to be written down, and to be [remembered](Self::remember) after a restart.
    pub fn asked_until(&self, destination: &DestinationId) -> Option<Timestamp> {
        self.records.get(destination)?.asked_until
    }

    /// What a server asked for in an earlier life.
    pub fn remember(&mut self, destination: &DestinationId, asked_until: Timestamp) {
        self.records.entry(destination.clone()).or_default().asked_until = Some(asked_until);
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

impl Record {
    fn streak(&self) -> usize {
        self.silences.saturating_add(self.faulted.len())
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
            certificate: None,
        }
    }

    #[test]
    fn a_destination_is_left_alone_after_three_failures_and_back_after_one_success() {
        let (mut health, id, job) = (Health::default(), DestinationId::from("d"), JobId::from("j"));
        let now = Timestamp(1_000_000);
        assert_eq!(health.failed(&id, &job, &lost(), now), None);
        assert_eq!(health.failed(&id, &job, &lost(), now), None);
        assert!(matches!(health.failed(&id, &job, &lost(), now), Some((DestinationState::Unreachable, Some(_)))));
        assert_eq!(health.not_before(&id, now), Some(now.plus_ms(10_000)));
        assert!(matches!(health.failed(&id, &job, &lost(), now), Some((DestinationState::Unreachable, Some(_)))));
        assert_eq!(health.not_before(&id, now), Some(now.plus_ms(20_000)));
        assert_eq!(health.delivered(&id, false), Some((DestinationState::Ready, None)));
        assert_eq!(health.not_before(&id, now), None);
    }

    #[test]
    fn what_was_told_to_stop_and_arrives_nevertheless_makes_no_room_in_a_full_account() {
        let (mut health, id) = (Health::default(), DestinationId::from("d"));
        let full = Failure { code: FailureCode::QuotaExceeded, ..lost() };
        assert!(matches!(
            health.failed(&id, &"large".into(), &full, Timestamp(0)),
            Some((DestinationState::QuotaExceeded, Some(_)))
        ));
        assert_eq!(health.delivered(&id, true), None);
        assert_eq!(health.delivered(&id, false), Some((DestinationState::Ready, None)), "begun after it was asked again");
    }

    #[test]
    fn one_file_that_a_server_fails_on_condemns_no_server_and_three_do() {
        let (mut health, id) = (Health::default(), DestinationId::from("d"));
        let (now, fault) = (Timestamp(1_000_000), Failure { code: FailureCode::ServerError, ..lost() });
        for _ in 0..20 {
            assert_eq!(health.failed(&id, &"poison".into(), &fault, now), None);
        }
        assert_eq!(health.failed(&id, &"another".into(), &fault, now), None);
        assert!(health.failed(&id, &"a third".into(), &fault, now).is_some());
    }

    #[test]
    fn a_server_at_whose_address_nothing_is_any_more_is_left_alone() {
        let (mut health, id) = (Health::default(), DestinationId::from("d"));
        let gone = Failure { code: FailureCode::ProtocolUnsupported, ..lost() };
        let said = ["one", "two", "three"].map(|job| health.failed(&id, &job.into(), &gone, Timestamp(0)));
        assert!(matches!(said, [None, None, Some((DestinationState::Unreachable, Some(_)))]), "{said:?}");
    }

    #[test]
    fn the_servers_own_wish_is_kept_from_the_first_failure_on_and_over_a_restart() {
        let (mut health, id) = (Health::default(), DestinationId::from("d"));
        let now = Timestamp(0);
        health.failed(&id, &"j".into(), &Failure { retry_after_ms: Some(30_000), ..lost() }, now);
        assert_eq!(health.not_before(&id, now), Some(Timestamp(30_000)));
        health.forgive();
        assert_eq!(health.not_before(&id, now), Some(Timestamp(30_000)), "nobody's word goes before the server's");
        let mut after = Health::default();
        after.remember(&id, health.asked_until(&id).unwrap());
        assert_eq!(after.not_before(&id, now), Some(Timestamp(30_000)));
    }
}
