//! The other tables: settings, overrides, apps, grants, destinations, rules, batches, the ledger and the traffic.

use afterglow_model::{
    AppKind, AuthorizationStatus, Connector, DestinationState, FailureCode, JobAction, JobBadge, JobQuery, Override, OverrideScope,
    Pause, PauseUntil, Priority, Settings,
};

use super::*;
use crate::{NewApp, Note, QueueError, QueueEvent};

fn program(name: &str, key: u8) -> NewApp {
    NewApp {
        name: name.to_owned(),
        kind: AppKind::External,
        executable: Some("/usr/bin/editor".to_owned()),
        url_bases: vec!["https://upload.example".to_owned()],
        destination_id: None,
        status: AuthorizationStatus::NotDetermined,
        key_hash: Some([key; 32]),
        id_key: [key; 16],
    }
}

#[tokio::test]
async fn settings_and_pause_are_kept_and_newer_settings_have_a_default() {
    let bench = Bench::new().await;
    assert_eq!(bench.queue.settings().await.unwrap(), Settings::default());
    assert_eq!(bench.queue.pause().await.unwrap(), None);
    let settings = Settings { allow_metered: true, bandwidth_bytes_per_s: Some(9), ..Settings::default() };
    let pause = Some(Pause { since: NOW, until: PauseUntil::PluggedIn });
    let mut events = bench.queue.subscribe();
    bench.queue.set_settings(settings.clone()).await.unwrap();
    bench.queue.set_pause(pause.clone()).await.unwrap();
    assert_eq!(events.try_recv(), Ok(QueueEvent::Settings));
    bench.queue.clone().close().await;
    let queue = Queue::open(&bench.path()).unwrap();
    assert_eq!((queue.settings().await.unwrap(), queue.pause().await.unwrap()), (settings.clone(), pause));
    let forget_one = "UPDATE setting SET value = json_remove(value, '$.notifications') WHERE key = 'settings'";
    queue.write(move |db, _| Ok(db.execute(forget_one, [])?)).await.unwrap();
    assert_eq!(queue.settings().await.unwrap(), settings);
    queue.set_pause(None).await.unwrap();
    assert_eq!(queue.pause().await.unwrap(), None);
}

#[tokio::test]
async fn an_override_ends_with_its_time_its_job_its_batch_or_its_network() {
    let bench = Bench::new().await;
    let created = bench.create(Priority::Backup, vec![file(1)]).await;
    let job_id = created.jobs[0].clone();
    let over = |scope, network_key: Option<&str>, until| Override {
        scope,
        network_key: network_key.map(str::to_owned),
        until,
        created_at: NOW,
    };
    let given = [
        over(OverrideScope::Job { job_id: job_id.clone() }, None, None),
        over(OverrideScope::Batch { batch_id: created.batch_id.unwrap() }, None, None),
        over(OverrideScope::Hour, None, Some(NOW.plus_ms(3_600_000))),
        over(OverrideScope::Network, Some("home"), None),
    ];
    for given in &given {
        bench.queue.add_override(given.clone()).await.unwrap();
        bench.queue.add_override(given.clone()).await.unwrap();
    }
    assert_eq!(bench.queue.overrides().await.unwrap().len(), 4, "the same twice is one");
    assert_eq!(bench.queue.remove_expired_overrides(NOW, Some("home")).await.unwrap(), 0);
    assert_eq!(bench.queue.remove_expired_overrides(NOW, None).await.unwrap(), 0, "no network is no other network");
    bench.queue.cancel_jobs(&[job_id], NOW).await.unwrap();
    assert_eq!(bench.queue.remove_expired_overrides(NOW, Some("home")).await.unwrap(), 2);
    assert_eq!(bench.queue.remove_expired_overrides(NOW, Some("café")).await.unwrap(), 1);
    assert_eq!(bench.queue.remove_expired_overrides(NOW.plus_ms(3_600_000), None).await.unwrap(), 1);
    assert!(bench.queue.overrides().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_app_sees_what_it_was_granted() {
    let bench = Bench::new().await;
    let app = bench.queue.add_app(program("Editor", 7), NOW).await.unwrap();
    let assets = ["a".into(), "b".into()];
    let sees = async |id: &afterglow_model::AppId| bench.queue.may_see(id, &assets).await.unwrap();
    assert_eq!(sees(&app.id).await, [false, false]);
    let version = bench.queue.grant_version(&app.id).await.unwrap();

    let limited = bench.queue.set_access(&app.id, AuthorizationStatus::Limited, Some(&assets[1..]), NOW).await.unwrap();
    assert_eq!((limited.status, limited.selected), (AuthorizationStatus::Limited, 1));
    assert_eq!(sees(&app.id).await, [false, true]);
    assert_eq!(bench.queue.grant_version(&app.id).await.unwrap(), version + 1);
    bench.queue.set_access(&app.id, AuthorizationStatus::Limited, Some(&assets[..1]), NOW).await.unwrap();
    assert_eq!(bench.queue.selection(&app.id).await.unwrap(), assets[..1], "a selection replaces the former one");

    bench.queue.set_access(&app.id, AuthorizationStatus::Authorized, None, NOW).await.unwrap();
    assert_eq!(sees(&app.id).await, [true, true]);
    bench.queue.set_access(&app.id, AuthorizationStatus::Denied, None, NOW).await.unwrap();
    assert_eq!(sees(&app.id).await, [false, false]);
    assert_eq!(sees(&"nobody".into()).await, [false, false]);
}

#[tokio::test]
async fn an_app_is_found_by_its_key_and_its_log_keeps_the_newest() {
    let bench = Bench::new().await;
    let app = bench.queue.add_app(program("Editor", 7), NOW).await.unwrap();
    assert_eq!(bench.queue.app_by_key_hash(&[7; 32]).await.unwrap(), Some((app.clone(), [7; 16])));
    assert_eq!(bench.queue.app_by_key_hash(&[8; 32]).await.unwrap(), None);
    for n in 0..1005 {
        bench.queue.log_app(&app.id, &format!("Line {n}."), NOW.plus_ms(n)).await.unwrap();
    }
    let log = bench.queue.app_log(&app.id).await.unwrap();
    assert_eq!((log.len(), log[0].sentence.as_str(), log[999].sentence.as_str()), (1000, "Line 1004.", "Line 5."));
    bench.queue.touch_app(&app.id, NOW).await.unwrap();
    let based = bench.queue.set_url_bases(&app.id, vec!["https://other.example".to_owned()]).await.unwrap();
    assert_eq!((based.last_used_at, based.url_bases), (Some(NOW), vec!["https://other.example".to_owned()]));
}

#[tokio::test]
async fn a_destination_has_a_connector_a_state_and_a_name_of_its_own() {
    let bench = Bench::new().await;
    let connector = bench.queue.app(&bench.destination.app_id).await.unwrap().unwrap();
    assert_eq!((connector.kind, connector.status), (AppKind::Connector, AuthorizationStatus::Authorized));
    assert_eq!(connector.destination_id, Some(bench.destination.id.clone()));
    let taken = bench.queue.add_destination(new_destination("Attic"), NOW).await.unwrap_err();
    assert!(matches!(&taken, QueueError::NameTaken { name } if name == "Attic"));
    assert_eq!(bench.queue.destination("Attic").await.unwrap(), Some(bench.destination.clone()));
    assert_eq!(bench.queue.destination(bench.destination.id.as_str()).await.unwrap(), Some(bench.destination.clone()));

    let problem = Some(failure(FailureCode::AuthenticationRequired));
    let id = &bench.destination.id;
    let set = bench.queue.set_destination_state(id, DestinationState::AuthRequired, problem.clone()).await.unwrap();
    assert_eq!((set.state, set.problem), (DestinationState::AuthRequired, problem));
    let missing = bench.queue.set_destination_state(&"gone".into(), DestinationState::Ready, None).await;
    assert!(matches!(missing, Err(QueueError::NotFound { .. })));
}

#[tokio::test]
async fn a_program_may_have_destinations_of_its_own() {
    let bench = Bench::new().await;
    let app = bench.queue.add_app(program("Editor", 7), NOW).await.unwrap();
    let new = crate::NewDestination { app_id: Some(app.id.clone()), ..new_destination("upload.example") };
    let destination = bench.queue.add_destination(new, NOW).await.unwrap();
    assert_eq!(destination.app_id, app.id);
    assert_eq!(bench.queue.apps().await.unwrap().len(), 2, "no connector is made for it");
    bench.queue.remove_destination(&destination.id, NOW).await.unwrap();
    assert!(bench.queue.app(&app.id).await.unwrap().is_some(), "the program outlives its destination");
}

#[tokio::test]
async fn a_removed_destination_takes_its_queue_and_leaves_the_ledger() {
    let bench = Bench::new().await;
    bench.queue.add_rule(&"album".into(), "Summer", &bench.destination.id, NOW).await.unwrap();
    let done = bench.started(1).await;
    bench.finish(bench.delivered(&done, 1)).await;
    let open = bench.job(2).await;
    assert_eq!(bench.queue.remove_destination(&bench.destination.id, NOW).await.unwrap(), 1);
    assert_eq!(bench.state(&open).await.0, JobState::Cancelled);
    assert!(bench.queue.destinations().await.unwrap().is_empty());
    assert!(bench.queue.apps().await.unwrap().is_empty());
    assert!(bench.queue.rules().await.unwrap().is_empty());
    assert_eq!(bench.queue.receipts(&bench.destination.id, None, 10).await.unwrap().receipts.len(), 1);
    assert!(bench.queue.job(&done).await.unwrap().unwrap().receipt.is_some());
    bench.queue.add_destination(new_destination("Attic"), NOW).await.unwrap();
}

#[tokio::test]
async fn the_same_rule_twice_is_one() {
    let bench = Bench::new().await;
    let first = bench.queue.add_rule(&"album".into(), "Summer", &bench.destination.id, NOW).await.unwrap();
    let again = bench.queue.add_rule(&"album".into(), "Sommer", &bench.destination.id, NOW.plus_ms(1)).await.unwrap();
    assert_eq!((again.id.clone(), again.created_at, again.collection_title.as_str()), (first.id, NOW, "Sommer"));
    assert_eq!(bench.queue.rules().await.unwrap(), [again]);
    assert!(!bench.queue.remove_rule(&"gone".into()).await.unwrap());
}

#[tokio::test]
async fn a_delivery_is_counted_everywhere_at_once() {
    let bench = Bench::new().await;
    let created = bench.create(Priority::UserInitiated, vec![file(1), file(2)]).await;
    bench.queue.start(&created.jobs, NOW).await.unwrap();
    bench.finish(bench.delivered(&created.jobs[0], 1)).await;
    assert!(bench.queue.batches_finished(10).await.unwrap().is_empty());
    bench.finish(bench.delivered(&created.jobs[1], 2)).await;
    bench.finish(bench.delivered(&created.jobs[1], 2)).await;

    let destination = bench.queue.destination("Attic").await.unwrap().unwrap();
    assert_eq!((destination.delivered, destination.delivered_bytes), (2, 2003), "the same delivery twice counts once");
    assert_eq!(bench.queue.app(&bench.destination.app_id).await.unwrap().unwrap().bytes_sent, 2003);
    let batch = bench.queue.batches_finished(10).await.unwrap().remove(0);
    assert_eq!((batch.jobs.succeeded, batch.bytes_total, batch.bytes_sent), (2, 2003, 2003));
    assert_eq!((batch.finished_at, batch.key_asset), (Some(NOW), Some("asset-1".into())));
    assert_eq!(bench.queue.delivered_since(NOW).await.unwrap(), crate::Delivered { files: 2, bytes: 2003 });
    assert_eq!(bench.queue.delivered_since(NOW.plus_ms(1)).await.unwrap(), crate::Delivered::default());
    let first = bench.queue.receipts(&destination.id, None, 1).await.unwrap();
    let second = bench.queue.receipts(&destination.id, first.cursor.as_deref(), 1).await.unwrap();
    assert_eq!([first.receipts[0].byte_count, second.receipts[0].byte_count], [1002, 1001], "newest first");
}

#[tokio::test]
async fn an_asset_bears_the_mark_of_its_worst_job() {
    let bench = Bench::new().await;
    let of_asset = |content| NewJob { asset_id: Some("asset".into()), ..file(content) };
    let jobs = bench.create(Priority::Backup, vec![of_asset(1), of_asset(2)]).await.jobs;
    let assets = ["asset".into(), "other".into()];
    let mark = async || bench.queue.badges(&assets).await.unwrap().get(&assets[0]).copied();
    let delivered = async || bench.queue.delivered_assets(&assets).await.unwrap();
    assert_eq!(mark().await, Some(JobBadge::Waiting));
    bench.queue.start(&jobs, NOW).await.unwrap();
    assert_eq!(mark().await, Some(JobBadge::Uploading));
    bench.finish(bench.delivered(&jobs[0], 1)).await;
    assert_eq!(delivered().await, [false, false], "a unit is complete only together");
    bench.finish(Finished::Failed { job: jobs[1].clone(), failure: failure(FailureCode::SourceUnreadable) }).await;
    assert_eq!(mark().await, Some(JobBadge::Attention));
    let again = bench.create(Priority::UserInitiated, vec![of_asset(2)]).await.jobs;
    bench.queue.start(&again, NOW).await.unwrap();
    bench.finish(bench.delivered(&again[0], 2)).await;
    assert_eq!((mark().await, delivered().await), (Some(JobBadge::Delivered), vec![true, false]));
    assert_eq!(bench.queue.badges(&assets).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_asset_is_wanted_until_every_upload_of_it_has_ended_well() {
    let bench = Bench::new().await;
    let jobs = bench.create(Priority::Backup, vec![NewJob { asset_id: Some("asset".into()), ..file(1) }, file(2)]).await.jobs;
    let wanted = async |asset: &str, content| bench.queue.is_wanted(&asset.into(), &[file(content).sha256]).await.unwrap();
    assert!(wanted("asset", 9).await, "by its id");
    assert!(wanted("other", 2).await, "by its content");
    assert!(!wanted("other", 9).await);
    bench.queue.start(&jobs, NOW).await.unwrap();
    bench.finish(Finished::Failed { job: jobs[0].clone(), failure: failure(FailureCode::SourceUnreadable) }).await;
    assert!(wanted("asset", 9).await, "what was given up may be tried again");
    bench.finish(bench.delivered(&jobs[1], 2)).await;
    assert!(!wanted("other", 2).await);
    let held = bench.queue.holdings(&[file(1).sha256, file(2).sha256]).await.unwrap();
    assert_eq!(held.iter().map(|receipt| &receipt.sha256).collect::<Vec<_>>(), [&file(2).sha256]);
    let destination = held[0].destination_id.clone();
    bench.queue.remove_destination(&destination, NOW).await.unwrap();
    assert!(bench.queue.holdings(&[file(2).sha256]).await.unwrap().is_empty(), "nobody can ask there any more");
}

#[tokio::test]
async fn an_asset_of_which_a_file_was_taken_back_is_not_delivered() {
    let bench = Bench::new().await;
    let of_asset = |content| NewJob { asset_id: Some("asset".into()), ..file(content) };
    let jobs = bench.create(Priority::Backup, vec![of_asset(1), of_asset(2)]).await.jobs;
    bench.queue.start(&jobs[..1], NOW).await.unwrap();
    bench.finish(bench.delivered(&jobs[0], 1)).await;
    bench.queue.cancel_jobs(&jobs[1..], NOW).await.unwrap();
    let assets = ["asset".into()];
    assert_eq!(bench.queue.delivered_assets(&assets).await.unwrap(), [false]);

    let again = bench.create(Priority::UserInitiated, vec![of_asset(2)]).await.jobs;
    bench.queue.start(&again, NOW).await.unwrap();
    bench.finish(bench.delivered(&again[0], 2)).await;
    assert_eq!(bench.queue.delivered_assets(&assets).await.unwrap(), [true]);
}

#[tokio::test]
async fn what_was_given_up_at_a_destination_that_is_gone_needs_nobody_and_is_not_taken_up_again() {
    let bench = Bench::new().await;
    let job = bench.started(1).await;
    bench.finish(Finished::Failed { job: job.clone(), failure: failure(FailureCode::PayloadTooLarge) }).await;
    assert_eq!(bench.queue.attention_count().await.unwrap(), 1);
    bench.queue.remove_destination(&bench.destination.id, NOW).await.unwrap();
    assert_eq!(bench.queue.attention_count().await.unwrap(), 0);
    assert_eq!(bench.queue.retry_jobs(None).await.unwrap(), 0);
    assert_eq!(bench.queue.retry_jobs(Some(std::slice::from_ref(&job))).await.unwrap(), 0);
}

#[tokio::test]
async fn jobs_are_listed_newest_first_page_by_page() {
    let bench = Bench::new().await;
    let jobs = bench.create(Priority::Backup, (1..=5).map(file).collect()).await.jobs;
    let query = |cursor| JobQuery { limit: Some(2), cursor, ..JobQuery::default() };
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = bench.queue.jobs(&query(cursor)).await.unwrap();
        assert_eq!(page.counts.registered, 5);
        seen.extend(page.jobs.into_iter().map(|job| job.id));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    seen.reverse();
    assert_eq!(seen, jobs);
    assert!(bench.queue.jobs(&query(Some("nonsense".to_owned()))).await.is_err());

    let app = &bench.destination.app_id;
    bench.queue.cancel_jobs(&jobs[..1], NOW).await.unwrap();
    let listed = async |action| bench.queue.job_action(app, action, None, 10).await.unwrap().jobs.len();
    assert_eq!(listed(JobAction::Acknowledge).await, 1);
    assert_eq!(listed(JobAction::Process).await, 4);
    assert_eq!(listed(JobAction::Retry).await, 0);
    assert_eq!(bench.queue.acknowledge(app, &jobs).await.unwrap(), 1);
    assert_eq!((listed(JobAction::Acknowledge).await, listed(JobAction::All).await), (0, 5));
    assert_eq!(bench.queue.unacknowledged(app).await.unwrap(), 4);
    let cancelled = JobQuery { state: Some(JobState::Cancelled), asset_id: Some("asset-1".into()), ..JobQuery::default() };
    assert_eq!(bench.queue.jobs(&cancelled).await.unwrap().jobs.len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_that_is_no_text_is_kept_as_it_is() {
    use std::os::unix::ffi::OsStringExt;
    let bench = Bench::new().await;
    let path = PathBuf::from(std::ffi::OsString::from_vec(b"/photos/\xff\xfe.jpg".to_vec()));
    let job = bench.create(Priority::Backup, vec![NewJob { path: path.clone(), ..file(1) }]).await.jobs.remove(0);
    assert_eq!(bench.queue.queued_job(&job).await.unwrap().unwrap().path, path);
}

#[tokio::test]
async fn bytes_add_up_by_day() {
    let bench = Bench::new().await;
    for (day, bytes) in [("2026-05-03", 5), ("2026-05-01", 1), ("2026-05-03", 2), ("2026-05-02", 3)] {
        bench.queue.add_bytes(day, bytes).await.unwrap();
    }
    let days = bench.queue.bytes_by_day(2).await.unwrap();
    let days: Vec<_> = days.iter().map(|day| (day.day.as_str(), day.bytes)).collect();
    assert_eq!(days, [("2026-05-02", 3), ("2026-05-03", 7)]);
}

#[tokio::test]
async fn what_was_put_into_an_album_is_known_until_the_album_is_gone() {
    let bench = Bench::new().await;
    let (destination, trip, home) = (&bench.destination.id, "album:trip".into(), "album:home".into());
    let all = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(bench.queue.mirror(destination, &trip).await.unwrap(), None);
    assert_eq!(bench.queue.not_mirrored(destination, &trip, &all).await.unwrap(), all);
    // Again, as after a pass that was cut short.
    for _ in 0..2 {
        bench.queue.set_mirrored(destination, &trip, "there", &all[..2]).await.unwrap();
    }
    assert_eq!(bench.queue.mirror(destination, &trip).await.unwrap().as_deref(), Some("there"));
    assert_eq!(bench.queue.not_mirrored(destination, &trip, &all).await.unwrap(), all[2..]);
    assert_eq!(bench.queue.not_mirrored(destination, &home, &all).await.unwrap(), all);

    bench.queue.clone().close().await;
    let queue = Queue::open(&bench.path()).unwrap();
    assert_eq!(queue.not_mirrored(destination, &trip, &all).await.unwrap(), all[2..]);
    queue.forget_mirror(destination, &trip).await.unwrap();
    assert_eq!(queue.mirror(destination, &trip).await.unwrap(), None);
    assert_eq!(queue.not_mirrored(destination, &trip, &all).await.unwrap(), all);
}

#[tokio::test]
async fn a_note_is_kept_until_it_is_outdated() {
    let bench = Bench::new().await;
    let note = |url: &str, found| Note { connector: Connector::S3, url: url.to_owned(), found };
    bench.queue.note(note("https://a.example/", 1), Timestamp(10), Timestamp(0)).await.unwrap();
    bench.queue.note(note("https://b.example/", 255), Timestamp(20), Timestamp(0)).await.unwrap();
    bench.queue.note(note("https://a.example/", 2), Timestamp(30), Timestamp(0)).await.unwrap();
    bench.queue.clone().close().await;
    let queue = Queue::open(&bench.path()).unwrap();
    let mut notes = queue.notes(Timestamp(20)).await.unwrap();
    notes.sort_by(|a, b| a.url.cmp(&b.url));
    assert_eq!(notes, [note("https://a.example/", 2), note("https://b.example/", 255)]);
    assert_eq!(queue.notes(Timestamp(21)).await.unwrap(), [note("https://a.example/", 2)]);
    queue.note(note("https://c.example/", 3), Timestamp(40), Timestamp(30)).await.unwrap();
    assert_eq!(queue.notes(Timestamp(0)).await.unwrap().len(), 2, "the outdated one is gone");
}

#[tokio::test]
async fn what_a_destination_lacks_hides_nothing_worse() {
    let bench = Bench::new().await;
    let id = &bench.destination.id;
    let lack = failure(FailureCode::AuthenticationRequired);
    let shown = async || bench.queue.destination(id.as_str()).await.unwrap().unwrap().problem;
    bench.queue.set_lack(id, Some(lack.clone())).await.unwrap();
    assert_eq!(shown().await, Some(lack.clone()));
    bench.queue.set_lack(id, None).await.unwrap();
    assert_eq!(shown().await, None);
    let worse = failure(FailureCode::QuotaExceeded);
    bench.queue.set_destination_state(id, DestinationState::QuotaExceeded, Some(worse.clone())).await.unwrap();
    for lack in [Some(lack), None] {
        bench.queue.set_lack(id, lack).await.unwrap();
        assert_eq!(shown().await, Some(worse.clone()));
    }
}
