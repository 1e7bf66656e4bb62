//! Jobs that come after another one.

use super::*;
use crate::First;

impl Bench {
    /// A job of the second content that comes after one of the first.
    async fn follower(&self) -> (JobId, JobId) {
        let second = NewJob { after: Some(First::Content(file(1).sha256)), ..file(2) };
        let mut jobs = self.create(Priority::UserInitiated, vec![file(1), second]).await.jobs;
        (jobs.remove(0), jobs.remove(0))
    }

    async fn start_all(&self, jobs: &[&JobId]) -> Vec<JobId> {
        let jobs: Vec<JobId> = jobs.iter().map(|job| (*job).clone()).collect();
        self.queue.start(&jobs, NOW).await.unwrap()
    }
}

fn failure() -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: FailureCode::ServerRejected,
        message: "No.".to_owned(),
        retry_after_ms: None,
        certificate: None,
    }
}

#[tokio::test]
async fn a_job_waits_for_the_one_before_it() {
    let bench = Bench::new().await;
    let (first, second) = bench.follower().await;
    assert_eq!(bench.state(&second).await, (JobState::Registered, Phase::Waiting));
    let lanes = bench.queue.lanes().await.unwrap();
    assert_eq!((lanes[0].ready.jobs, lanes[0].following.jobs), (1, 1));
    assert_eq!(bench.start_all(&[&first, &second]).await, std::slice::from_ref(&first));
    bench.finish(bench.delivered(&first, 1)).await;
    assert_eq!(bench.state(&second).await, (JobState::Registered, Phase::Queued));
    assert_eq!(bench.start_all(&[&second]).await, [second]);
}

#[tokio::test]
async fn however_the_first_ends_the_second_goes_on() {
    let bench = Bench::new().await;
    let (first, second) = bench.follower().await;
    bench.start_all(&[&first]).await;
    bench.finish(Finished::Failed { job: first.clone(), failure: failure() }).await;
    assert_eq!(bench.state(&second).await.1, Phase::Queued);

    bench.start_all(&[&second]).await;
    bench.finish(Finished::Failed { job: second.clone(), failure: failure() }).await;
    bench.queue.retry_jobs(None).await.unwrap();
    assert_eq!(bench.state(&second).await, (JobState::Registered, Phase::Waiting), "the first is open again");
    bench.queue.cancel_jobs(std::slice::from_ref(&first), NOW).await.unwrap();
    assert_eq!(bench.state(&second).await.1, Phase::Queued);
}

#[tokio::test]
async fn what_has_ended_already_is_not_waited_for() {
    let bench = Bench::new().await;
    let first = bench.started(1).await;
    bench.finish(bench.delivered(&first, 1)).await;
    let second = NewJob { after: Some(First::Job(first)), ..file(2) };
    let second = bench.create(Priority::UserInitiated, vec![second]).await.jobs.remove(0);
    assert_eq!(bench.state(&second).await.1, Phase::Queued);
}

#[tokio::test]
async fn access_that_comes_back_does_not_let_a_job_pass_the_one_before_it() {
    let bench = Bench::new().await;
    let (_, second) = bench.follower().await;
    let app = bench.destination.app_id.clone();
    let withdrawn = Failure { code: FailureCode::AccessDenied, class: FailureClass::NeedsUser, ..failure() };
    bench.queue.hold_app(&app, withdrawn).await.unwrap();
    assert_eq!(bench.state(&second).await.1, Phase::Held);
    bench.queue.release_app(&app).await.unwrap();
    assert_eq!(bench.state(&second).await.1, Phase::Waiting);
}

#[tokio::test]
async fn both_can_be_taken_back_at_once() {
    let bench = Bench::new().await;
    let (first, second) = bench.follower().await;
    assert_eq!(bench.queue.cancel_jobs(&[first, second.clone()], NOW).await.unwrap(), 2);
    assert_eq!(bench.state(&second).await.0, JobState::Cancelled);
    assert_eq!(bench.queue.lanes().await.unwrap(), []);
}
