//! Shared commits, and what a failing one does.

use afterglow_model::Priority;
use tokio::sync::oneshot;

use super::*;
use crate::{QueueError, QueueEvent};

/// Keeps the writer busy until the sender is used or dropped, so that what is asked meanwhile becomes one group.
async fn occupy(queue: &Queue) -> (oneshot::Sender<()>, tokio::task::JoinHandle<Result<(), QueueError>>) {
    let (release, released) = oneshot::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let writer = queue.clone();
    let task = tokio::spawn(async move {
        writer
            .write(move |_, _| {
                let _ = begun.send(());
                let _ = released.blocking_recv();
                Ok(())
            })
            .await
    });
    has_begun.await.unwrap();
    (release, task)
}

async fn wait_for(queue: &Queue, calls: usize) {
    while queue.waiting() < calls {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn calls_that_wait_share_a_commit_and_a_failing_one_falls_alone() {
    let bench = Bench::new().await;
    let mut events = bench.queue.subscribe();
    let (release, busy) = occupy(&bench.queue).await;
    let mut calls = Vec::new();
    for content in 0..100 {
        let (queue, batch) = (bench.queue.clone(), bench.batch(Priority::Backup));
        let bad = NewJob { sha256: "no digest".to_owned(), ..file(content) };
        let files = if content == 50 { vec![file(200), bad] } else { vec![file(content)] };
        calls.push(tokio::spawn(async move { queue.create_jobs(batch, files, NOW).await }));
    }
    wait_for(&bench.queue, 100).await;
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
    let mut failed = 0;
    for call in calls {
        failed += u32::from(call.await.unwrap().is_err());
    }
    assert_eq!(failed, 1);
    assert_eq!(
        bench.queue.counts().await.unwrap().registered,
        99,
        "nothing of the failed call is left, everything of the others is"
    );
    let QueueEvent::JobsChanged { jobs, more } = events.try_recv().unwrap() else { panic!("jobs changed") };
    assert_eq!((jobs.len(), more), (99, 0), "one commit tells of all");
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn a_failed_commit_is_unknown_to_all_of_its_calls_and_the_next_one_reads_the_truth() {
    let bench = Bench::new().await;
    let mut events = bench.queue.subscribe();
    bench.queue.counts().await.unwrap();
    let (release, busy) = occupy(&bench.queue).await;
    let (queue, batch) = (bench.queue.clone(), bench.batch(Priority::Backup));
    let innocent = tokio::spawn(async move { queue.create_jobs(batch, vec![file(1)], NOW).await });
    wait_for(&bench.queue, 1).await;
    let queue = bench.queue.clone();
    // A foreign key that is only looked at by the commit makes the commit itself fail.
    let breaks_the_commit = "PRAGMA defer_foreign_keys = ON; INSERT INTO selection (app_id, asset_id) VALUES ('nobody', 'nothing')";
    let guilty = tokio::spawn(async move { queue.write(move |db, _| Ok(db.execute_batch(breaks_the_commit)?)).await });
    wait_for(&bench.queue, 2).await;
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
    assert!(matches!(innocent.await.unwrap(), Err(QueueError::UnknownCommit { .. })));
    assert!(matches!(guilty.await.unwrap(), Err(QueueError::UnknownCommit { .. })));
    assert!(events.try_recv().is_err(), "nobody is told of what may not have happened");

    assert_eq!(bench.queue.counts().await.unwrap().total(), 0);
    bench.job(1).await;
    assert_eq!(bench.queue.counts().await.unwrap().registered, 1);
    bench.queue.read(sound).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_said_and_the_queue_goes_on_once_there_is_room() {
    let bench = Bench::new().await;
    bench.job(1).await;
    let limit = bench.queue.write(|db, _| {
        let pages: u32 = db.pragma_query_value(None, "page_count", |row| row.get(0))?;
        Ok(db.pragma_update(None, "max_page_count", pages + 2)?)
    });
    limit.await.unwrap();
    let many: Vec<_> = (2..=255).map(file).collect();
    let error = bench.queue.create_jobs(bench.batch(Priority::Backup), many.clone(), NOW).await.unwrap_err();
    assert!(matches!(error, QueueError::DiskFull), "{error}");
    assert_eq!(bench.queue.counts().await.unwrap().total(), 1);

    // The limit was the connection's; after an error that took the transaction, the next write has another one.
    bench.queue.write(|db, _| Ok(db.pragma_update(None, "max_page_count", 1_000_000)?)).await.unwrap();
    assert_eq!(bench.create(Priority::Backup, many).await.jobs.len(), 254);
    bench.queue.read(sound).await.unwrap();
}

#[tokio::test]
async fn an_event_names_a_thousand_jobs_and_counts_the_rest() {
    let bench = Bench::new().await;
    let app = bench.destination.app_id.clone();
    let files: Vec<_> = (0..1500).map(|n| NewJob { client_reference: Some(format!("job {n}")), ..file(1) }).collect();
    bench.create(Priority::App, files).await;
    let mut events = bench.queue.subscribe();
    bench.queue.hold_app(&app, failure(afterglow_model::FailureCode::AccessDenied)).await.unwrap();
    let QueueEvent::JobsChanged { jobs, more } = events.recv().await.unwrap() else { panic!("jobs changed") };
    assert_eq!((jobs.len(), more), (1000, 500));
}
