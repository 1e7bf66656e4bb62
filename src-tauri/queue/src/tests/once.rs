//! Never the same content twice at the same place.

use afterglow_model::{FailureCode, JobState, Phase, Priority};

use super::*;
use crate::Known;

#[tokio::test]
async fn a_content_has_one_open_job_also_within_one_list() {
    let bench = Bench::new().await;
    let created = bench.create(Priority::Backup, vec![file(1), file(2), file(1)]).await;
    assert_eq!((created.jobs.len(), created.already_queued), (2, 1));
    let again = bench.create(Priority::Backup, vec![file(1)]).await;
    assert_eq!(again, Created { already_queued: 1, ..Created::default() });
}

#[tokio::test]
async fn what_the_ledger_has_is_not_sent_again() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    assert!(bench.finish(bench.delivered(&job, 1)).await.is_empty());
    for priority in [Priority::Backup, Priority::App, Priority::UserInitiated] {
        let again = bench.create(priority, vec![file(1)]).await;
        assert_eq!(again, Created { already_delivered: 1, ..Created::default() });
    }
    bench.job(2).await;
    let known = bench.queue.known(&bench.destination.id, &[sha256(1), sha256(2), sha256(3)]).await.unwrap();
    assert_eq!(known, [Known::Delivered, Known::Queued, Known::New]);
}

#[tokio::test]
async fn another_destination_is_another_matter() {
    let bench = Bench::new().await;
    bench.job(1).await;
    let other = bench.queue.add_destination(new_destination("Cellar"), NOW).await.unwrap();
    let batch = NewBatch { app_id: other.app_id, destination_id: other.id, ..bench.batch(Priority::Backup) };
    assert_eq!(bench.queue.create_jobs(batch, vec![file(1)], NOW).await.unwrap().jobs.len(), 1);
}

#[tokio::test]
async fn the_person_raises_a_waiting_backup_into_their_batch() {
    let bench = Bench::new().await;
    let backup = bench.create(Priority::Backup, vec![file(1), file(2)]).await;
    let raised = bench.create(Priority::UserInitiated, vec![file(1), file(3)]).await;
    assert_eq!(raised.jobs[0], backup.jobs[0]);
    assert_eq!((raised.jobs.len(), raised.already_queued), (2, 0));
    let job = bench.queue.job(&backup.jobs[0]).await.unwrap().unwrap();
    assert_eq!((Some(job.batch_id), job.priority), (raised.batch_id.clone(), Priority::UserInitiated));
    assert_eq!(bench.heads(Priority::UserInitiated, NOW).await, raised.jobs);

    bench.create(Priority::UserInitiated, vec![file(2)]).await;
    let open = bench.queue.batches_open(10).await.unwrap();
    assert!(!open.iter().any(|batch| Some(&batch.id) == backup.batch_id.as_ref()), "a batch that lost its last job is gone");
    bench.queue.read(sound).await.unwrap();
}

#[tokio::test]
async fn a_rule_never_repeats_what_the_person_took_back_or_what_failed() {
    let bench = Bench::new().await;
    let cancelled = bench.job(1).await;
    assert_eq!(bench.queue.cancel_jobs(&[cancelled], NOW).await.unwrap(), 1);
    let failed = bench.started(2).await;
    bench.finish(Finished::Failed { job: failed.clone(), failure: failure(FailureCode::PayloadTooLarge) }).await;
    assert_eq!(bench.queue.attention_count().await.unwrap(), 1);

    let by_rule = bench.create(Priority::Backup, vec![file(1), file(2)]).await;
    assert_eq!(by_rule, Created { refused: 2, ..Created::default() });

    let by_person = bench.create(Priority::UserInitiated, vec![file(1), file(2)]).await;
    assert_eq!(by_person.jobs.len(), 2);
    assert_eq!(bench.queue.attention_count().await.unwrap(), 0, "the new job answers for the failed one");
    assert_eq!(bench.queue.retry_jobs(Some(&[failed])).await.unwrap(), 0, "two jobs would deliver the same content");
}

#[tokio::test]
async fn a_rule_made_again_goes_on_where_it_was_removed() {
    let bench = Bench::new().await;
    let rule = bench.queue.add_rule(&"album".into(), "Summer", &bench.destination.id, NOW).await.unwrap();
    let batch = || NewBatch { rule_id: Some(rule.id.clone()), ..bench.batch(Priority::Backup) };
    bench.queue.create_jobs(batch(), vec![file(1), file(2)], NOW).await.unwrap();
    bench.create(Priority::UserInitiated, vec![file(2)]).await;
    assert!(bench.queue.remove_rule(&rule.id).await.unwrap());
    assert_eq!(bench.queue.cancel_rule_jobs(&rule.id, NOW).await.unwrap(), 1, "what the person asked for stays");
    assert_eq!(bench.queue.create_jobs(batch(), vec![file(1)], NOW).await.unwrap().jobs.len(), 1);
}

#[tokio::test]
async fn an_app_names_its_jobs() {
    let bench = Bench::new().await;
    let named = |reference: &str, url: &str| NewJob {
        client_reference: Some(reference.to_owned()),
        url: Some(format!("https://attic.example/{url}")),
        ..file(1)
    };
    let first = bench.create(Priority::App, vec![named("a", "x")]).await;
    let same = bench.create(Priority::App, vec![named("a", "x")]).await;
    assert_eq!((same.jobs, same.batch_id, same.already_queued), (first.jobs.clone(), None, 1));
    let other = bench.create(Priority::App, vec![named("b", "y")]).await;
    assert_ne!(other.jobs, first.jobs, "the same content under another name is another upload");

    bench.queue.start(&[first.jobs[0].clone(), other.jobs[0].clone()], NOW).await.unwrap();
    bench.queue.finish(vec![bench.delivered(&first.jobs[0], 1), bench.delivered(&other.jobs[0], 1)], NOW).await.unwrap();
    for job in [&first.jobs[0], &other.jobs[0]] {
        let receipt = bench.queue.job(job).await.unwrap().unwrap().receipt.unwrap();
        assert_eq!(receipt.job_id, *job, "each has its own proof");
    }
    assert_eq!(bench.create(Priority::UserInitiated, vec![file(1)]).await.jobs.len(), 1, "an app's upload elsewhere is no backup");
}

#[tokio::test]
async fn a_failed_job_that_is_taken_up_again_begins_anew() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    let session = crate::UploadSession {
        upload_url: "https://attic.example/u/1".to_owned(),
        offset: 10,
        pin_json: "{}".to_owned(),
        expires_at: None,
    };
    bench.queue.session_opened(&job, session).await.unwrap();
    bench.finish(Finished::Failed { job: job.clone(), failure: failure(FailureCode::DigestMismatch) }).await;
    assert_eq!(bench.queue.retry_jobs(None).await.unwrap(), 1);
    let again = bench.queue.queued_job(&job).await.unwrap().unwrap();
    assert_eq!((again.state, again.phase, again.epoch, again.session), (JobState::Registered, Phase::Queued, 1, None));
}

#[tokio::test]
async fn a_wrong_digest_makes_nothing_of_the_list() {
    let bench = Bench::new().await;
    let bad = NewJob { sha256: "abc".to_owned(), ..file(2) };
    assert!(bench.queue.create_jobs(bench.batch(Priority::Backup), vec![file(1), bad], NOW).await.is_err());
    assert_eq!(bench.queue.counts().await.unwrap().total(), 0);
    assert!(bench.queue.batches_open(10).await.unwrap().is_empty());
}
