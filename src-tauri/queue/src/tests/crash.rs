//! What a crash leaves: at every byte of the log, a file that opens and is sound.

use std::path::Path;

use afterglow_model::{FailureCode, JobState, Phase, Priority};

use super::*;
use crate::{QueueError, UploadSession};

/// The file and its log as they are now, in another folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["queue.db", "queue.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// A life with every kind of write in it.
async fn live(bench: &Bench) {
    let jobs = bench.create(Priority::Backup, (1..6).map(file).collect()).await.jobs;
    bench.queue.start(&jobs[..4], NOW).await.unwrap();
    let session = UploadSession {
        upload_url: "https://attic.example/u/1".to_owned(),
        offset: 0,
        pin_json: "{}".to_owned(),
        expires_at: None,
    };
    bench.queue.session_opened(&jobs[0], session).await.unwrap();
    bench.queue.session_offset(&jobs[0], 500).await.unwrap();
    let ends = vec![
        bench.delivered(&jobs[1], 2),
        Finished::Retry { job: jobs[2].clone(), failure: failure(FailureCode::TimedOut), at: NOW.plus_ms(9), setbacks: 1 },
        Finished::Failed { job: jobs[3].clone(), failure: failure(FailureCode::PayloadTooLarge) },
    ];
    bench.queue.finish(ends, NOW).await.unwrap();
    bench.create(Priority::UserInitiated, vec![file(5), file(6)]).await;
    bench.queue.cancel_jobs(&jobs[4..], NOW).await.unwrap();
    bench.queue.retry_jobs(None).await.unwrap();
    bench.queue.add_rule(&"album".into(), "Summer", &bench.destination.id, NOW).await.unwrap();
    bench.queue.remove_destination(&bench.destination.id, NOW).await.unwrap();
}

#[tokio::test]
async fn a_log_cut_anywhere_leaves_a_sound_file() {
    let bench = Bench::new().await;
    live(&bench).await;
    let image = tempfile::tempdir().unwrap();
    copy(bench.dir.path(), image.path());
    let log = std::fs::read(image.path().join("queue.db-wal")).unwrap();
    let mut versions = std::collections::BTreeSet::new();
    // Every frame is a header of 24 bytes and a page of 4,096 (fileformat2.html, section 4.1): cut within each and between all.
    for cut in (0..=log.len()).step_by(2741) {
        std::fs::write(image.path().join("queue.db-wal"), &log[..cut]).unwrap();
        let crashed = tempfile::tempdir().unwrap();
        copy(image.path(), crashed.path());
        let path = crashed.path().join("queue.db");
        let queue = Queue::open(&path).unwrap();
        let jobs = queue.counts().await.unwrap();
        let receipts = queue.receipts(&bench.destination.id, None, 10).await.unwrap().receipts.len();
        versions.insert((jobs.registered, jobs.pending, jobs.succeeded, jobs.failed, jobs.cancelled, receipts));
        queue.read(sound).await.unwrap();
        queue.close().await;
    }
    assert!(versions.len() >= 7, "the cuts fell before and after every kind of write: {versions:?}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_crash() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    let session = UploadSession {
        upload_url: "https://attic.example/u/1".to_owned(),
        offset: 0,
        pin_json: "{\"ino\":7}".to_owned(),
        expires_at: None,
    };
    bench.queue.session_opened(&job, session.clone()).await.unwrap();
    bench.queue.session_offset(&job, 900).await.unwrap();
    let crashed = tempfile::tempdir().unwrap();
    copy(bench.dir.path(), crashed.path());
    let path = crashed.path().join("queue.db");

    let mut seen = Vec::new();
    for _ in 0..2 {
        let queue = Queue::open(&path).unwrap();
        seen.push(queue.queued_job(&job).await.unwrap().unwrap());
        queue.close().await;
    }
    assert_eq!((seen[0].state, seen[0].phase, seen[0].attempts), (JobState::Pending, Phase::Queued, 1));
    assert_eq!(seen[0].session, Some(UploadSession { offset: 900, ..session }));
    assert_eq!(seen[0], seen[1], "recovering twice changes nothing more");
}

#[tokio::test]
async fn a_newer_file_is_refused_byte_for_byte() {
    let bench = Bench::new().await;
    bench.job(1).await;
    bench.queue.write(|db, _| Ok(db.pragma_update(None, "user_version", 9999)?)).await.unwrap();
    let newer = tempfile::tempdir().unwrap();
    // The newer version is in the log alone here, and in the file below.
    copy(bench.dir.path(), newer.path());
    for folded in [false, true] {
        if folded {
            let db = rusqlite::Connection::open(newer.path().join("queue.db")).unwrap();
            db.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).unwrap();
        }
        let bytes = || ["queue.db", "queue.db-wal"].map(|name| std::fs::read(newer.path().join(name)).ok());
        let before = bytes();
        let refused = Queue::open(&newer.path().join("queue.db"));
        assert!(matches!(refused.err(), Some(QueueError::NewerSchema { .. })));
        assert!(bytes() == before, "folded: {folded}");
    }
}

#[tokio::test]
async fn a_closed_queue_answers_so_and_leaves_one_file() {
    let bench = Bench::new().await;
    bench.job(1).await;
    let other = bench.queue.clone();
    bench.queue.clone().close().await;
    assert!(matches!(other.set_pause(None).await, Err(QueueError::Closed)));
    assert!(matches!(other.counts().await, Err(QueueError::Closed)));
    assert!(!bench.dir.path().join("queue.db-wal").exists());
    assert_eq!(Queue::open(&bench.path()).unwrap().counts().await.unwrap().registered, 1);
}
