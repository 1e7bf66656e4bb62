//! Pausing, hurrying, taking back, trying again, and asking why.

use std::fs;

use afterglow_model::WaitingReason;
use afterglow_tests::stage::{Receiver, Stage, photo};

/// A stage that is paused, with `n` files for a receiver in its queue, and their jobs' ids by name.
async fn paused(n: u64) -> (Stage, Receiver, Vec<String>) {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    stage.does(&["pause"]).await.unwrap();
    for seed in 0..n {
        let name = format!("{seed}.jpg");
        photo(&stage.path(&name), seed + 1, 30_000).unwrap();
        stage.does(&["add", &name, "--to", "Archive"]).await.unwrap();
    }
    let mut jobs = stage.asks(&["jobs"]).await.unwrap().as_array().unwrap().clone();
    jobs.sort_by_key(|job| job["filename"].as_str().unwrap().to_owned());
    let ids = jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    (stage, archive, ids)
}

#[tokio::test]
async fn a_pause_holds_what_is_not_hurried_or_taken_back() {
    let (stage, archive, ids) = paused(3).await;
    let why = stage.asks(&["why", &ids[0]]).await.unwrap();
    assert_eq!(why["waiting"][0]["reason"], serde_json::to_value(WaitingReason::PausedByUser).unwrap(), "{why}");
    assert!(stage.does(&["why"]).await.unwrap().to_lowercase().contains("paused"));

    stage.does(&["now", "--job", &ids[1]]).await.unwrap();
    stage.until_status("the hurried one", |status| status.jobs.succeeded == 1).await.unwrap();
    stage.does(&["cancel", &ids[2]]).await.unwrap();
    let status = stage.status().await.unwrap();
    assert_eq!((status.jobs.open(), status.jobs.cancelled), (1, 1));
    assert_eq!(archive.files().unwrap().into_keys().collect::<Vec<_>>(), ["1.jpg"]);

    stage.does(&["resume"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().into_keys().collect::<Vec<_>>(), ["0.jpg", "1.jpg"]);
}

#[tokio::test]
async fn waiting_ends_in_time() {
    let (stage, _archive, _) = paused(1).await;
    let waited = stage.cli(&["wait", "--timeout", "1s"]).await.unwrap();
    assert_eq!(waited.code, Some(4), "{waited:?}");
}

#[tokio::test]
async fn what_failed_can_be_tried_again() {
    let (stage, archive, ids) = paused(1).await;
    fs::rename(stage.path("0.jpg"), stage.path("elsewhere")).unwrap();
    stage.does(&["resume"]).await.unwrap();
    let waited = stage.cli(&["wait", "--timeout", "60s"]).await.unwrap();
    assert_eq!(waited.code, Some(3), "{waited:?}");
    fs::rename(stage.path("elsewhere"), stage.path("0.jpg")).unwrap();
    stage.does(&["retry", &ids[0]]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
}
