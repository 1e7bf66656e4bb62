//! Every change from every place: which are legal, and what becomes of the others.

use afterglow_model::{FailureCode, JobState, Phase, Priority};

use super::*;
use crate::{QueueError, UploadSession};

#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    Registered,
    BackingOff,
    UnderWay,
    Held,
    Succeeded,
    Failed,
    Cancelled,
}

const EVERYWHERE: [From; 7] =
    [From::Registered, From::BackingOff, From::UnderWay, From::Held, From::Succeeded, From::Failed, From::Cancelled];

async fn job_at(bench: &Bench, from: From) -> JobId {
    if from == From::Registered {
        return bench.job(1).await;
    }
    let job = bench.started(1).await;
    let end = match from {
        From::Registered | From::UnderWay => return job,
        From::BackingOff => {
            Finished::Retry { job: job.clone(), failure: failure(FailureCode::TimedOut), at: NOW.plus_ms(500), setbacks: 1 }
        }
        From::Held => Finished::Held { job: job.clone(), failure: failure(FailureCode::AuthenticationRequired) },
        From::Succeeded => bench.delivered(&job, 1),
        From::Failed => Finished::Failed { job: job.clone(), failure: failure(FailureCode::PayloadTooLarge) },
        From::Cancelled => {
            bench.queue.cancel_jobs(std::slice::from_ref(&job), NOW).await.unwrap();
            return job;
        }
    };
    assert!(bench.finish(end).await.is_empty());
    job
}

fn session(offset: u64) -> UploadSession {
    UploadSession { upload_url: "https://attic.example/u/1".to_owned(), offset, pin_json: "{}".to_owned(), expires_at: None }
}

/// What a list of one was told: it went through, it came too late, or it was wrong.
#[derive(Debug, PartialEq)]
enum Told {
    Done,
    Late,
    Illegal,
}

async fn told(bench: &Bench, finished: Finished) -> Told {
    match bench.queue.finish(vec![finished], NOW).await {
        Ok(late) if late.is_empty() => Told::Done,
        Ok(_) => Told::Late,
        Err(QueueError::IllegalMove { .. }) => Told::Illegal,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_job_starts_only_from_the_line_and_when_due() {
    for from in EVERYWHERE {
        let bench = Bench::new().await;
        let job = job_at(&bench, from).await;
        let early = bench.queue.start(std::slice::from_ref(&job), NOW).await.unwrap();
        assert_eq!(!early.is_empty(), from == From::Registered, "{from:?}");
        let due = bench.queue.start(std::slice::from_ref(&job), NOW.plus_ms(500)).await.unwrap();
        assert_eq!(!due.is_empty(), from == From::BackingOff, "{from:?}");
    }
}

#[tokio::test]
async fn an_attempt_ends_once_and_only_where_one_was() {
    for from in EVERYWHERE {
        let ends = |job: &JobId| {
            let (job, failure) = (job.clone(), failure(FailureCode::TimedOut));
            [
                (
                    Finished::Retry { job: job.clone(), failure: failure.clone(), at: NOW, setbacks: 1 },
                    (JobState::Pending, Phase::BackingOff),
                ),
                (Finished::Held { job: job.clone(), failure: failure.clone() }, (JobState::Pending, Phase::Held)),
                (Finished::Failed { job: job.clone(), failure: failure.clone() }, (JobState::Failed, Phase::Queued)),
                (Finished::Stopped { job: job.clone() }, (JobState::Pending, Phase::Queued)),
                (Finished::Replaced { job, failure }, (JobState::Cancelled, Phase::Queued)),
            ]
        };
        for which in 0..5 {
            let bench = Bench::new().await;
            let job = job_at(&bench, from).await;
            let before = bench.state(&job).await;
            let (end, after) = ends(&job)[which].clone();
            let (expected, place) = match from {
                From::UnderWay => (Told::Done, after),
                From::BackingOff | From::Held | From::Cancelled => (Told::Late, before),
                From::Registered | From::Succeeded | From::Failed => (Told::Illegal, before),
            };
            assert_eq!(told(&bench, end.clone()).await, expected, "{from:?} {end:?}");
            assert_eq!(bench.state(&job).await, place, "{from:?} {end:?}");
            bench.queue.read(sound).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_proof_is_never_thrown_away() {
    for from in EVERYWHERE {
        let bench = Bench::new().await;
        let job = job_at(&bench, from).await;
        let before = bench.state(&job).await;
        let delivered = (JobState::Succeeded, Phase::Queued);
        let (expected, place, receipts) = match from {
            From::UnderWay | From::Succeeded => (Told::Done, delivered, 1),
            From::BackingOff | From::Held => (Told::Late, delivered, 1),
            From::Cancelled => (Told::Late, before, 1),
            From::Registered | From::Failed => (Told::Illegal, before, 0),
        };
        assert_eq!(told(&bench, bench.delivered(&job, 1)).await, expected, "{from:?}");
        assert_eq!(bench.state(&job).await, place, "{from:?}");
        let ledger = bench.queue.receipts(&bench.destination.id, None, 10).await.unwrap();
        assert_eq!(ledger.receipts.len(), receipts, "{from:?}");
        bench.queue.read(sound).await.unwrap();
    }
}

#[tokio::test]
async fn a_proof_of_other_bytes_is_refused() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    let wrong = Finished::Delivered { job: job.clone(), receipt: receipt(&job, &bench.destination, 2) };
    assert!(matches!(bench.queue.finish(vec![wrong], NOW).await, Err(QueueError::Invalid(_))));
    assert_eq!(bench.state(&job).await, (JobState::Pending, Phase::Preparing));
}

#[tokio::test]
async fn one_wrong_end_takes_back_the_whole_call() {
    let bench = Bench::new().await;
    let (good, never_started) = (bench.started(1).await, bench.job(2).await);
    let ends = vec![bench.delivered(&good, 1), Finished::Stopped { job: never_started }];
    assert!(matches!(bench.queue.finish(ends, NOW).await, Err(QueueError::IllegalMove { .. })));
    assert_eq!(bench.state(&good).await, (JobState::Pending, Phase::Preparing));
}

#[tokio::test]
async fn a_session_is_noted_only_while_the_job_is_under_way() {
    for from in EVERYWHERE {
        let bench = Bench::new().await;
        let job = job_at(&bench, from).await;
        let told = [
            bench.queue.session_opened(&job, session(5)).await,
            bench.queue.session_offset(&job, 7).await,
            bench.queue.session_lost(&job).await,
        ];
        for told in told {
            match told {
                Ok(()) => assert_eq!(from, From::UnderWay),
                Err(QueueError::IllegalMove { .. }) => assert_ne!(from, From::UnderWay),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn more_than_the_file_cannot_be_confirmed() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    assert!(matches!(bench.queue.session_offset(&job, 1002).await, Err(QueueError::Invalid(_))));
    bench.queue.session_offset(&job, 1001).await.unwrap();
}

#[tokio::test]
async fn what_the_person_does_applies_where_it_can() {
    for from in EVERYWHERE {
        let one = |job: &JobId| vec![job.clone()];
        let bench = Bench::new().await;
        let job = job_at(&bench, from).await;
        let retried = bench.queue.retry_jobs(Some(&one(&job))).await.unwrap();
        assert_eq!(retried == 1, matches!(from, From::BackingOff | From::Held | From::Failed), "retry {from:?}");

        let bench = Bench::new().await;
        let job = job_at(&bench, from).await;
        let cancelled = bench.queue.cancel_jobs(&one(&job), NOW).await.unwrap();
        let open = matches!(from, From::Registered | From::BackingOff | From::UnderWay | From::Held);
        assert_eq!(cancelled == 1, open, "cancel {from:?}");

        let bench = Bench::new().await;
        let job = job_at(&bench, from).await;
        let noted = bench.queue.acknowledge(&bench.destination.app_id, &one(&job)).await.unwrap();
        assert_eq!(noted == 1, !open, "acknowledge {from:?}");
        assert_eq!(bench.queue.acknowledge(&"another".into(), &one(&job)).await.unwrap(), 0);

        let bench = Bench::new().await;
        job_at(&bench, from).await;
        let held = bench.queue.hold_app(&bench.destination.app_id, failure(FailureCode::AccessDenied)).await.unwrap();
        assert_eq!(held == 1, open && from != From::Held, "hold {from:?}");
        assert_eq!(bench.queue.release_app(&bench.destination.app_id).await.unwrap(), held, "release {from:?}");
        bench.queue.read(sound).await.unwrap();
    }
}

#[tokio::test]
async fn the_schema_itself_refuses_a_move_outside_the_table() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    bench.finish(bench.delivered(&job, 1)).await;
    for wrong in [
        "state = 'pending', phase = 'queued', finished_at = NULL",
        "state = 'failed', given_up = 1",
        "state = 'cancelled', given_up = 1",
    ] {
        let refused = bench.queue.write(move |db, _| Ok(db.execute(&format!("UPDATE job SET {wrong}"), [])?)).await;
        assert!(refused.unwrap_err().to_string().contains("illegal move"), "{wrong}");
    }
    assert_eq!(bench.state(&job).await.0, JobState::Succeeded);
}

#[tokio::test]
async fn a_stopped_attempt_does_not_count_and_keeps_its_upload() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    bench.queue.session_opened(&job, session(5)).await.unwrap();
    bench.queue.session_offset(&job, 700).await.unwrap();
    bench.finish(Finished::Stopped { job: job.clone() }).await;
    let stopped = bench.queue.queued_job(&job).await.unwrap().unwrap();
    assert_eq!((stopped.attempts, stopped.session), (0, Some(session(700))));
    assert_eq!(bench.heads(Priority::UserInitiated, NOW).await, [job]);
}

#[tokio::test]
async fn a_mended_destination_releases_what_it_held_and_nothing_else() {
    let bench = Bench::new().await;
    let (auth, unreadable) = (bench.started(1).await, bench.started(2).await);
    bench.finish(Finished::Held { job: auth.clone(), failure: failure(FailureCode::AuthenticationRequired) }).await;
    bench.finish(Finished::Held { job: unreadable.clone(), failure: failure(FailureCode::SourceUnreadable) }).await;
    assert_eq!(bench.queue.attention_count().await.unwrap(), 2);
    assert_eq!(bench.queue.release_destination(&bench.destination.id).await.unwrap(), 1);
    assert_eq!(bench.state(&auth).await, (JobState::Pending, Phase::Queued));
    assert_eq!(bench.state(&unreadable).await, (JobState::Pending, Phase::Held));
}

#[tokio::test]
async fn what_nobody_carries_goes_back_into_the_line_and_the_rest_goes_on() {
    let bench = Bench::new().await;
    let (carried, adrift, held) = (bench.started(1).await, bench.started(2).await, bench.started(3).await);
    let session = UploadSession {
        upload_url: "https://attic.example/u/2".to_owned(),
        offset: 7,
        pin_json: "{}".to_owned(),
        expires_at: None,
    };
    bench.queue.session_opened(&adrift, session.clone()).await.unwrap();
    bench.finish(Finished::Held { job: held.clone(), failure: failure(FailureCode::AccessDenied) }).await;
    assert_eq!(bench.queue.put_back(std::slice::from_ref(&carried)).await.unwrap(), 1);
    assert_eq!(bench.state(&carried).await, (JobState::Pending, Phase::Preparing));
    assert_eq!(bench.state(&adrift).await, (JobState::Pending, Phase::Queued));
    assert_eq!(bench.state(&held).await, (JobState::Pending, Phase::Held));
    assert_eq!(bench.queue.queued_job(&adrift).await.unwrap().unwrap().session, Some(session));
    assert_eq!(bench.queue.put_back(&[carried]).await.unwrap(), 0, "doing it twice changes nothing more");
}
