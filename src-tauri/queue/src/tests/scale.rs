//! A long queue: what is asked all the time looks at a few rows, whatever the length.

use afterglow_model::{FailureCode, Phase, Priority};
use rusqlite::Connection;

use super::*;
use crate::{Held, Load, UploadSession, lane};

fn plan(db: &Connection, sql: &str) -> Vec<String> {
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = plan.parameter_count();
    let nulls = rusqlite::params_from_iter(vec![None::<String>; parameters]);
    plan.query_map(nulls, |row| row.get("detail")).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn no_frequent_question_reads_the_whole_table_or_sorts_it() {
    let bench = Bench::new().await;
    let questions = [
        lane::heads_of_source(),
        lane::NEXT_ATTEMPT.to_owned(),
        lane::expiring(),
        crate::job::select("job.id = ?1"),
        crate::job::select("job.state = 'failed' AND job.seq < 9 ORDER BY job.seq DESC LIMIT 100"),
        crate::job::select(
            "job.app_id = ?1 AND job.phase IS NULL AND job.acknowledged = 0 AND job.seq < 9 ORDER BY job.seq DESC LIMIT 100",
        ),
        crate::job::select(
            "(job.phase = 'held' OR (job.state = 'failed' AND job.acknowledged = 0)) AND job.seq < 9 ORDER BY job.seq DESC LIMIT 100",
        ),
        lane::ATTENTION_COUNT.to_owned(),
        crate::job::select("job.batch_id = ?1 AND job.seq < 9 ORDER BY job.seq DESC LIMIT 100"),
        "SELECT * FROM batch WHERE finished_at IS NULL ORDER BY seq DESC LIMIT 10".to_owned(),
        "SELECT * FROM batch WHERE finished_at IS NOT NULL ORDER BY finished_at DESC, seq DESC LIMIT 10".to_owned(),
        "UPDATE job SET phase = 'queued' WHERE phase = 'preparing'".to_owned(),
    ];
    let plans = move |db: &Connection, _: &mut _| Ok(questions.map(|question| (plan(db, &question), question)));
    for (plan, question) in bench.queue.write(plans).await.unwrap() {
        for step in plan {
            // A scan of a partial index reads only what the index is of.
            let whole_table = step.starts_with("SCAN job") || step.starts_with("SCAN batch");
            assert!(!whole_table || step.contains("USING"), "{step}\n{question}");
            let lane = question == lane::heads_of_source() || question == lane::NEXT_ATTEMPT;
            assert!(!lane || !step.contains(" job") || step.contains("SEARCH job USING"), "{step}\n{question}");
            assert!(!step.contains("TEMP B-TREE"), "{step}\n{question}");
        }
    }
}

#[tokio::test]
async fn a_small_file_is_not_hidden_behind_large_ones_or_videos() {
    use afterglow_model::AssetResourceType::{PairedVideo, Photo, Video};
    let bench = Bench::new().await;
    let one = |n: u32, byte_count, resource_type| NewJob { sha256: format!("{n:064x}"), byte_count, resource_type, ..file(1) };
    let mut files: Vec<NewJob> = (0..300).map(|n| one(n, 50_000_000, Video)).collect();
    files.extend((300..600).map(|n| one(n, 5_000_000, Photo)));
    files.extend([one(600, 20_000, Photo), one(601, 900_000, PairedVideo)]);
    let jobs = bench.create(Priority::Backup, files).await.jobs;
    assert_eq!(bench.heads(Priority::Backup, NOW).await, jobs[600..]);
    let classes: Vec<_> = bench.queue.lanes().await.unwrap().into_iter().map(|lane| (lane.key.class, lane.ready.jobs)).collect();
    assert_eq!(classes, [(FileClass::Small, 2), (FileClass::Large, 300), (FileClass::Video, 300)]);
}

#[tokio::test]
async fn the_heads_of_a_long_lane_come_in_order() {
    let bench = Bench::new().await;
    let files = |source: &str, from: u32| -> Vec<NewJob> {
        let file = |n: u32| NewJob { sha256: format!("{n:064x}"), source_id: Some(source.into()), ..file(1) };
        (from..from + 10_000).map(file).collect()
    };
    let disk = bench.create(Priority::Backup, files("disk", 0)).await.jobs;
    let stick = bench.create(Priority::Backup, files("stick", 10_000)).await.jobs;
    assert_eq!(bench.heads(Priority::Backup, NOW).await, disk[..10]);

    bench.queue.start(&disk[..3], NOW).await.unwrap();
    let later = |job: &JobId, ms| Finished::Retry {
        job: job.clone(),
        failure: failure(FailureCode::TimedOut),
        at: NOW.plus_ms(ms),
        setbacks: 1,
    };
    bench.queue.finish(vec![later(&disk[0], 900), later(&disk[1], 500)], NOW).await.unwrap();
    assert_eq!(bench.heads(Priority::Backup, NOW.plus_ms(1000)).await, disk[3..13], "what was never tried goes first");
    let exclude = &disk[3..9];
    let heads = bench.queue.heads(&bench.lane(Priority::Backup), 2, NOW, exclude).await.unwrap();
    assert_eq!(heads.iter().map(|job| &job.id).collect::<Vec<_>>(), [&disk[9], &disk[10]]);
    assert_eq!((heads[0].phase, heads[0].path.to_str()), (Phase::Queued, Some("/photos/1.jpg")));

    bench.queue.set_source_offline(&"disk".into(), true).await.unwrap();
    assert_eq!(bench.heads(Priority::Backup, NOW).await, stick[..10]);
    bench.queue.start(&stick[..1], NOW).await.unwrap();
    bench.finish(Finished::Held { job: stick[0].clone(), failure: failure(FailureCode::AuthenticationRequired) }).await;
    let lane = bench.queue.lanes().await.unwrap().remove(0);
    let load = |jobs| Load { jobs, bytes: jobs * 1001 };
    assert_eq!((lane.ready, lane.under_way, lane.backing_off), (load(9999), load(1), load(0)));
    assert_eq!(lane.source_offline, load(9999));
    assert_eq!(lane.held, [Held { code: FailureCode::AuthenticationRequired, load: load(1) }]);

    bench.queue.set_source_offline(&"disk".into(), false).await.unwrap();
    let lane = bench.queue.lanes().await.unwrap().remove(0);
    assert_eq!((lane.backing_off, lane.next_attempt_at), (load(2), Some(NOW.plus_ms(500))));
}

/// What is undone if a call fails is more than stays in memory.
#[tokio::test]
async fn a_call_may_change_any_number_of_jobs() {
    let bench = Bench::new().await;
    let files = (0..20_000u32).map(|n| NewJob { sha256: format!("{n:064x}"), ..file(1) }).collect();
    bench.create(Priority::Backup, files).await;
    let app = &bench.destination.app_id;
    assert_eq!(bench.queue.hold_app(app, failure(FailureCode::AccessDenied)).await.unwrap(), 20_000);
    assert_eq!(bench.queue.release_app(app).await.unwrap(), 20_000);
    bench.queue.read(sound).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_expires_is_a_head_however_far_back_it_stands() {
    let bench = Bench::new().await;
    let files = (0..50).map(|n: u32| NewJob { sha256: format!("{n:064x}"), ..file(1) }).collect();
    let jobs = bench.create(Priority::Backup, files).await.jobs;
    bench.queue.start(&jobs[40..42], NOW).await.unwrap();
    for (job, hours) in [(&jobs[40], 30), (&jobs[41], 2)] {
        let session = UploadSession {
            upload_url: "https://attic.example/u/1".to_owned(),
            offset: 0,
            pin_json: "{}".to_owned(),
            expires_at: Some(NOW.plus_ms(hours * 3_600_000)),
        };
        bench.queue.session_opened(job, session).await.unwrap();
        bench.finish(Finished::Stopped { job: job.clone() }).await;
    }
    let heads = bench.queue.heads(&bench.lane(Priority::Backup), 10, NOW, &[]).await.unwrap();
    let ids: Vec<_> = heads.iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids, [&jobs[..8], &jobs[40..42]].concat());
    assert_eq!(heads[9].session.as_ref().unwrap().expires_at, Some(NOW.plus_ms(2 * 3_600_000)));
    bench.queue.set_source_offline(&"source".into(), true).await.unwrap();
    assert_eq!(bench.heads(Priority::Backup, NOW).await, []);
}

#[tokio::test]
async fn a_job_that_fails_again_and_again_is_shown_and_stands_behind_all_others() {
    let bench = Bench::new().await;
    let poison = bench.create(Priority::Backup, vec![file(1)]).await.jobs.remove(0);
    let others = bench.create(Priority::Backup, vec![file(2), file(3)]).await.jobs;
    for setbacks in 1..=3 {
        assert_eq!(bench.queue.attention_count().await.unwrap(), 0);
        bench.queue.start(std::slice::from_ref(&poison), NOW).await.unwrap();
        let failure = failure(FailureCode::ServerError);
        bench.finish(Finished::Retry { job: poison.clone(), failure, at: NOW, setbacks }).await;
    }
    assert_eq!(bench.heads(Priority::Backup, NOW).await, [&others[..], std::slice::from_ref(&poison)].concat());
    let attention = afterglow_model::JobQuery { attention: true, ..Default::default() };
    let shown = bench.queue.jobs(&attention).await.unwrap().jobs;
    assert_eq!(shown.iter().map(|job| &job.id).collect::<Vec<_>>(), [&poison]);
    assert_eq!(bench.queue.attention_count().await.unwrap(), 1);

    // While it is tried once more it is no better.
    bench.queue.start(std::slice::from_ref(&poison), NOW).await.unwrap();
    assert_eq!(bench.queue.attention_count().await.unwrap(), 1);
    assert_eq!(bench.queue.jobs(&attention).await.unwrap().jobs.len(), 1);
    let again = Finished::Retry { job: poison.clone(), failure: failure(FailureCode::ServerError), at: NOW, setbacks: 4 };
    bench.finish(again).await;

    // When its destination answers nobody, it is not the job that needs attention.
    let (id, gone) = (&bench.destination.id, afterglow_model::DestinationState::Unreachable);
    bench.queue.set_destination_state(id, gone, None).await.unwrap();
    assert_eq!(bench.queue.attention_count().await.unwrap(), 0);
    bench.queue.set_destination_state(id, afterglow_model::DestinationState::Ready, None).await.unwrap();
    bench.queue.retry_jobs(Some(std::slice::from_ref(&poison))).await.unwrap();
    assert_eq!(bench.queue.attention_count().await.unwrap(), 0, "the person has seen it");
}

/// Prints what the budgets ask for; run by hand with `--run-ignored all --no-capture`, on a release build.
#[tokio::test]
#[ignore = "a measurement of a million jobs, not a test"]
async fn measure_a_million_jobs() {
    let bench = Bench::new().await;
    let begun = std::time::Instant::now();
    for thousand in 0..1000u32 {
        let file = |n: u32| NewJob { sha256: format!("{n:064x}"), ..file(1) };
        bench.create(Priority::Backup, (thousand * 1000..(thousand + 1) * 1000).map(file).collect()).await;
    }
    println!("1,000,000 jobs made in {:?}", begun.elapsed());
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        let heads = bench.queue.heads(&bench.lane(Priority::Backup), 64, NOW, &[]).await.unwrap();
        println!("{} heads in {:?}", heads.len(), begun.elapsed());
        let begun = std::time::Instant::now();
        let lanes = bench.queue.lanes().await.unwrap();
        println!("{} lanes in {:?}", lanes.len(), begun.elapsed());
        let jobs: Vec<_> = heads.into_iter().map(|job| job.id).collect();
        let begun = std::time::Instant::now();
        bench.queue.start(&jobs, NOW).await.unwrap();
        println!("{} started in {:?}", jobs.len(), begun.elapsed());
    }
    let begun = std::time::Instant::now();
    let held = bench.queue.hold_app(&bench.destination.app_id, failure(FailureCode::AccessDenied)).await.unwrap();
    println!("{held} held in {:?}", begun.elapsed());
    bench.queue.clone().close().await;
    let begun = std::time::Instant::now();
    Queue::open(&bench.path()).unwrap();
    println!("opened in {:?}", begun.elapsed());
    println!("{} MB on disk", std::fs::metadata(bench.path()).unwrap().len() / 1_000_000);
}
