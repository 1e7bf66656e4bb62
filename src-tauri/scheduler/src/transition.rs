//! What an event makes of a job: one closed table.
//!
//! | phase | what may come next |
//! |---|---|
//! | queued, waiting, backing_off | `Start`, `Retry` |
//! | preparing, checking_server, transferring, verifying (under way) | the next step, `Delivered`, `Interrupted`, `Stop`, `Restart` |
//! | held | `Retry` |
//! | any of these | `Cancel`, `Hold`, `Changed`; `Stop` and `Restart` leave what does not move as it is |
//!
//! A job that has ended stays so, but for `Retry` of one that failed or was cancelled. Its phase is then a fixed one:
//! verifying for what was delivered, held for the others.

use afterglow_model::{FailureClass, JobState, Phase};

/// Something that happened to a job, or was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobEvent {
    /// The plan starts it.
    Start,
    /// Its file is opened and pinned; the server is asked what it has.
    Check,
    /// The intent to send is stored; from here on bytes may be at the server.
    Session,
    /// The server confirmed bytes.
    Bytes,
    /// All bytes are there; the server's proof is compared.
    Verify,
    /// The proof holds and is stored.
    Delivered,
    /// The attempt failed.
    Interrupted(FailureClass),
    /// The plan stops it: see its waiting reasons.
    Stop,
    /// The service came back after its end: what was under way is next in line.
    Restart,
    /// It may not move until somebody acts, as when access is withdrawn.
    Hold,
    /// Its file is another one now, or gone: these bytes can never be sent. A new job takes its place if there is a file.
    Changed,
    /// The person or the app takes it back.
    Cancel,
    /// The person or the app wants it tried again, now.
    Retry,
    /// The app took note of its end.
    Acknowledge,
}

/// The event does not fit the job. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} does not apply to a job that is {state:?} and {phase:?}; read the job again and decide anew")]
pub struct Illegal {
    /// The job's state.
    pub state: JobState,
    /// Its phase.
    pub phase: Phase,
    /// What does not fit.
    pub event: JobEvent,
}

/// What `event` makes of a job in the given state and phase.
///
/// # Errors
/// [`Illegal`] if the event does not fit. Events that would change nothing, such as stopping what does not move, fit.
pub fn transition((state, phase): (JobState, Phase), event: &JobEvent) -> Result<(JobState, Phase), Illegal> {
    let to = match state {
        JobState::Registered | JobState::Pending => from_open(state, phase, event),
        JobState::Succeeded => from_ended((state, phase), event, None),
        JobState::Failed | JobState::Cancelled => from_ended((state, phase), event, Some((JobState::Registered, Phase::Queued))),
    };
    to.ok_or(Illegal { state, phase, event: *event })
}

fn from_open(state: JobState, phase: Phase, event: &JobEvent) -> Option<(JobState, Phase)> {
    use Phase::{BackingOff, CheckingServer, Held, Preparing, Queued, Transferring, Verifying, Waiting};
    let under_way = match phase {
        Preparing | CheckingServer | Transferring | Verifying => true,
        Queued | Waiting | BackingOff | Held => false,
    };
    match event {
        JobEvent::Start => (!under_way && phase != Held).then_some((state, Preparing)),
        JobEvent::Check => (phase == Preparing).then_some((state, CheckingServer)),
        // A session that the server lost is followed by another one in mid-transfer.
        JobEvent::Session => (under_way && phase != Verifying).then_some((JobState::Pending, Transferring)),
        JobEvent::Bytes => (phase == Transferring).then_some((JobState::Pending, Transferring)),
        // Straight from checking_server if the server has it already.
        JobEvent::Verify => (phase == CheckingServer || phase == Transferring).then_some((JobState::Pending, Verifying)),
        JobEvent::Delivered => under_way.then_some((JobState::Succeeded, Verifying)),
        JobEvent::Interrupted(FailureClass::Transient) => under_way.then_some((state, BackingOff)),
        JobEvent::Interrupted(FailureClass::NeedsUser) => under_way.then_some((state, Held)),
        JobEvent::Interrupted(FailureClass::Permanent) => under_way.then_some((JobState::Failed, Held)),
        JobEvent::Stop => Some((state, if under_way { Waiting } else { phase })),
        JobEvent::Restart => Some((state, if under_way { Queued } else { phase })),
        JobEvent::Hold => Some((state, Held)),
        JobEvent::Changed => Some((JobState::Failed, Held)),
        JobEvent::Cancel => Some((JobState::Cancelled, Held)),
        JobEvent::Retry => (!under_way).then_some((state, Queued)),
        JobEvent::Acknowledge => None,
    }
}

fn from_ended(ended: (JobState, Phase), event: &JobEvent, retried: Option<(JobState, Phase)>) -> Option<(JobState, Phase)> {
    match event {
        JobEvent::Retry => retried,
        JobEvent::Acknowledge => Some(ended),
        JobEvent::Start
        | JobEvent::Check
        | JobEvent::Session
        | JobEvent::Bytes
        | JobEvent::Verify
        | JobEvent::Delivered
        | JobEvent::Interrupted(FailureClass::Transient | FailureClass::NeedsUser | FailureClass::Permanent)
        | JobEvent::Stop
        | JobEvent::Restart
        | JobEvent::Hold
        | JobEvent::Changed
        | JobEvent::Cancel => None,
    }
}

#[cfg(test)]
mod tests {
    use FailureClass::{NeedsUser, Permanent, Transient};
    use JobState::{Cancelled, Failed, Pending, Registered, Succeeded};
    use Phase::{BackingOff, CheckingServer, Held, Preparing, Queued, Transferring, Verifying, Waiting};
    use rstest::rstest;

    use super::*;

    const STATES: [JobState; 5] = [Registered, Pending, Failed, Succeeded, Cancelled];
    const PHASES: [Phase; 8] = [Queued, Waiting, Preparing, CheckingServer, Transferring, Verifying, BackingOff, Held];
    const EVENTS: [JobEvent; 16] = [
        JobEvent::Start,
        JobEvent::Check,
        JobEvent::Session,
        JobEvent::Bytes,
        JobEvent::Verify,
        JobEvent::Delivered,
        JobEvent::Interrupted(Transient),
        JobEvent::Interrupted(NeedsUser),
        JobEvent::Interrupted(Permanent),
        JobEvent::Stop,
        JobEvent::Restart,
        JobEvent::Hold,
        JobEvent::Changed,
        JobEvent::Cancel,
        JobEvent::Retry,
        JobEvent::Acknowledge,
    ];

    fn after(events: &[JobEvent]) -> (JobState, Phase) {
        events.iter().fold((Registered, Queued), |job, event| transition(job, event).unwrap())
    }

    #[rstest]
    #[case::large(&[JobEvent::Start, JobEvent::Check, JobEvent::Session, JobEvent::Bytes, JobEvent::Verify, JobEvent::Delivered])]
    #[case::small_in_one_request(&[JobEvent::Start, JobEvent::Session, JobEvent::Delivered])]
    #[case::there_already(&[JobEvent::Start, JobEvent::Check, JobEvent::Verify, JobEvent::Delivered])]
    #[case::session_lost(&[JobEvent::Start, JobEvent::Session, JobEvent::Bytes, JobEvent::Session, JobEvent::Delivered])]
    #[case::service_killed(&[JobEvent::Start, JobEvent::Session, JobEvent::Restart, JobEvent::Start, JobEvent::Session, JobEvent::Delivered])]
    fn ways_to_delivery(#[case] events: &[JobEvent]) {
        assert_eq!(after(events), (Succeeded, Verifying));
    }

    #[rstest]
    #[case::before_a_byte(&[JobEvent::Start, JobEvent::Interrupted(Transient)], (Registered, BackingOff))]
    #[case::in_transfer(&[JobEvent::Start, JobEvent::Session, JobEvent::Interrupted(Transient)], (Pending, BackingOff))]
    #[case::needs_the_person(&[JobEvent::Start, JobEvent::Session, JobEvent::Interrupted(NeedsUser)], (Pending, Held))]
    #[case::for_good(&[JobEvent::Start, JobEvent::Interrupted(Permanent)], (Failed, Held))]
    #[case::stopped(&[JobEvent::Start, JobEvent::Session, JobEvent::Stop], (Pending, Waiting))]
    #[case::held_then_retried(&[JobEvent::Hold, JobEvent::Retry], (Registered, Queued))]
    #[case::failed_then_retried(&[JobEvent::Changed, JobEvent::Retry], (Registered, Queued))]
    fn ways_off_the_road(#[case] events: &[JobEvent], #[case] end: (JobState, Phase)) {
        assert_eq!(after(events), end);
    }

    #[test]
    fn every_triple_keeps_the_rules_of_the_table() {
        for state in STATES {
            for phase in PHASES {
                for event in EVENTS {
                    let result = transition((state, phase), &event);
                    let told = format!("{state:?} {phase:?} {event:?} -> {result:?}");
                    match result {
                        Err(illegal) => assert_eq!(illegal, Illegal { state, phase, event }),
                        Ok(to) if state.is_terminal() => {
                            let retried = event == JobEvent::Retry && state != Succeeded && to == (Registered, Queued);
                            assert!(retried || to == (state, phase), "what has ended leaves only by Retry: {told}");
                        }
                        Ok((Succeeded, _)) => assert_eq!(event, JobEvent::Delivered, "{told}"),
                        Ok((Registered, to)) => {
                            assert_eq!(state, Registered, "what was sent cannot be unsent: {told}");
                            assert!(to == phase || (to != Transferring && to != Verifying), "{told}");
                        }
                        Ok((Pending | Failed | Cancelled, _)) => {}
                    }
                }
            }
        }
    }

    #[test]
    fn only_somebody_s_word_moves_what_is_held() {
        for event in EVENTS {
            if let Ok((Registered | Pending, phase)) = transition((Pending, Held), &event) {
                assert_eq!(phase == Held, event != JobEvent::Retry, "{event:?}");
            }
        }
    }
}
