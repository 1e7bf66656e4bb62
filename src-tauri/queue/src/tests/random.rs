//! Any sequence of calls: the counts stay a recount, and reopening changes nothing but what was under way.

use afterglow_model::{FailureCode, JobState, Priority};
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Create(Priority, Vec<u8>),
    CreateNamed(u8),
    Start(u8),
    Offset(u8, u64),
    Deliver(u8),
    Retry(u8),
    Hold(u8),
    Fail(u8),
    Stop(u8),
    Cancel(u8),
    TakeUp,
    Acknowledge(u8),
    HoldApp,
    ReleaseApp,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop_oneof![Just(Priority::Backup), Just(Priority::App), Just(Priority::UserInitiated)];
    let job = 0u8..8;
    prop_oneof![
        4 => (priority, prop::collection::vec(0u8..6, 1..4)).prop_map(|(priority, contents)| Step::Create(priority, contents)),
        1 => (0u8..6).prop_map(Step::CreateNamed),
        6 => job.clone().prop_map(Step::Start),
        2 => (job.clone(), 0u64..900).prop_map(|(job, offset)| Step::Offset(job, offset)),
        3 => job.clone().prop_map(Step::Deliver),
        2 => job.clone().prop_map(Step::Retry),
        1 => job.clone().prop_map(Step::Hold),
        2 => job.clone().prop_map(Step::Fail),
        1 => job.clone().prop_map(Step::Stop),
        2 => job.clone().prop_map(Step::Cancel),
        1 => Just(Step::TakeUp),
        1 => job.prop_map(Step::Acknowledge),
        1 => Just(Step::HoldApp),
        1 => Just(Step::ReleaseApp),
        1 => Just(Step::Reopen),
    ]
}

/// Takes a step; calls that are illegal where a job happens to be are refused, which is what they should be.
async fn take(bench: &mut Bench, jobs: &mut Vec<(JobId, u8)>, step: Step) {
    let pick = |n: u8| jobs.get(usize::from(n) % jobs.len().max(1)).cloned();
    let end = match step {
        Step::Create(priority, contents) => {
            let files = contents.iter().map(|content| file(*content)).collect();
            for id in bench.create(priority, files).await.jobs {
                let job = bench.queue.queued_job(&id).await.unwrap().unwrap();
                jobs.push((id, u8::from_str_radix(&job.sha256[..2], 16).unwrap()));
            }
            return;
        }
        Step::CreateNamed(content) => {
            let named = NewJob { client_reference: Some(format!("mine {content}")), ..file(content) };
            jobs.extend(bench.create(Priority::App, vec![named]).await.jobs.into_iter().map(|job| (job, content)));
            return;
        }
        Step::Start(n) => {
            if let Some((job, _)) = pick(n) {
                bench.queue.start(&[job], NOW).await.unwrap();
            }
            return;
        }
        Step::Offset(n, offset) => {
            if let Some((job, _)) = pick(n) {
                let _ = bench.queue.session_offset(&job, offset).await;
            }
            return;
        }
        Step::Cancel(n) => {
            if let Some((job, _)) = pick(n) {
                bench.queue.cancel_jobs(&[job], NOW).await.unwrap();
            }
            return;
        }
        Step::Acknowledge(n) => {
            if let Some((job, _)) = pick(n) {
                bench.queue.acknowledge(&bench.destination.app_id, &[job]).await.unwrap();
            }
            return;
        }
        Step::TakeUp => {
            bench.queue.retry_jobs(None).await.unwrap();
            return;
        }
        Step::HoldApp => {
            bench.queue.hold_app(&bench.destination.app_id, failure(FailureCode::AccessDenied)).await.unwrap();
            return;
        }
        Step::ReleaseApp => {
            bench.queue.release_app(&bench.destination.app_id).await.unwrap();
            return;
        }
        Step::Reopen => {
            bench.queue.clone().close().await;
            bench.queue = Queue::open(&bench.path()).unwrap();
            return;
        }
        Step::Deliver(n) => pick(n).map(|(job, content)| bench.delivered(&job, content)),
        Step::Retry(n) => {
            pick(n).map(|(job, _)| Finished::Retry { job, failure: failure(FailureCode::TimedOut), at: NOW, setbacks: 1 })
        }
        Step::Hold(n) => pick(n).map(|(job, _)| Finished::Held { job, failure: failure(FailureCode::QuotaExceeded) }),
        Step::Fail(n) => pick(n).map(|(job, _)| Finished::Failed { job, failure: failure(FailureCode::PayloadTooLarge) }),
        Step::Stop(n) => pick(n).map(|(job, _)| Finished::Stopped { job }),
    };
    if let Some(end) = end {
        let _ = bench.queue.finish(vec![end], NOW).await;
    }
}

/// The counts that are served, against the jobs one by one.
async fn assert_counts(bench: &Bench) {
    let page = bench.queue.jobs(&afterglow_model::JobQuery { limit: Some(1000), ..Default::default() }).await.unwrap();
    let of = |state| page.jobs.iter().filter(|job| job.state == state).count() as u64;
    assert_eq!(page.counts.registered, of(JobState::Registered));
    assert_eq!(page.counts.pending, of(JobState::Pending));
    assert_eq!(page.counts.succeeded, of(JobState::Succeeded));
    assert_eq!(page.counts.failed, of(JobState::Failed));
    assert_eq!(page.counts.cancelled, of(JobState::Cancelled));
    let attention = bench.queue.jobs(&afterglow_model::JobQuery { attention: true, limit: Some(1000), ..Default::default() }).await;
    assert_eq!(bench.queue.attention_count().await.unwrap(), attention.unwrap().jobs.len() as u64);
    let lanes = bench.queue.lanes().await.unwrap();
    let open: u64 = lanes
        .iter()
        .map(|lane| {
            lane.ready.jobs + lane.under_way.jobs + lane.backing_off.jobs + lane.held.iter().map(|held| held.load.jobs).sum::<u64>()
        })
        .sum();
    assert_eq!(open, page.counts.open(), "every open job is in one place of one lane");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_counts_are_always_a_recount(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new().await;
            let mut jobs = Vec::new();
            for step in steps {
                take(&mut bench, &mut jobs, step).await;
            }
            bench.queue.read(sound).await.unwrap();
            assert_counts(&bench).await;
            bench.queue.clone().close().await;
        });
    }
}
