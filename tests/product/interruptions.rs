//! What breaks an upload, and what it costs.

use std::time::{Duration, Instant};

use afterglow_model::{AddDestination, AddedDestination, Connector, DestinationConfig};
use afterglow_tests::{
    model_server::ModelServer,
    process::until,
    proxy::Proxy,
    stage::{Receiver, Stage, photo, same},
};
use rustix::process::Signal;

use crate::s3_store::{BUCKET, KEY_ID, REGION, SECRET, Store};

const MB: usize = 1_000_000;
const MIB: u64 = 1 << 20;

/// A stage with one file of `len` bytes on its way to a receiver, over a line that counts.
async fn large(len: usize) -> (Stage, Receiver, Proxy, u64) {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    stage.destination("Archive", &line.over(&archive.url).unwrap()).await.unwrap();
    photo(&stage.path("film.mp4"), 7, len).unwrap();
    let before = line.up();
    (stage, archive, line, before)
}

#[tokio::test]
async fn a_killed_service_sends_at_most_4_mib_again() {
    let len = 300 * MB;
    let (mut stage, archive, line, before) = large(len).await;
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(60_000_000)).await.unwrap();
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    until("a third of the file on the line", async || Ok((line.up() - before > len as u64 / 3).then_some(()))).await.unwrap();
    stage.service().unwrap().kill().unwrap();
    assert!(line.up() - before < len as u64, "the service was to be killed in the middle");

    stage.serve().await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = None).await.unwrap();
    stage.delivered().await.unwrap();
    let again = (line.up() - before).saturating_sub(len as u64);
    assert!(again <= 4 * MIB, "{again} bytes were sent again");
    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
}

#[tokio::test]
async fn ten_cuts_cost_two_percent_at_most() {
    let len = 64 * MB;
    let (stage, archive, line, before) = large(len).await;
    line.cut_at((1..=10).map(|cut| before + cut * len as u64 / 11).collect());
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(line.cuts(), 10);
    let sent = line.up() - before;
    assert!(sent as f64 <= 1.02 * len as f64, "{sent} bytes for {len}");
    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
}

/// With the times that the product has, so it takes as long as the product does.
#[tokio::test]
async fn a_line_gone_silent_is_left_within_30_seconds() {
    let len = 64 * MB;
    let (stage, archive, line, before) = large(len).await;
    line.silence_at(before + len as u64 / 2);
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    until("the silence", async || Ok(line.is_silent().then_some(()))).await.unwrap();
    let (silent_at, begun) = (line.up(), Instant::now());
    until("bytes on another connection", async || Ok((line.up() > silent_at).then_some(()))).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "left after {:?}", begun.elapsed());
    stage.delivered().await.unwrap();
    let sent = line.up() - before;
    assert!(sent as f64 <= 1.1 * len as f64, "{sent} bytes for {len}");
    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
}

#[tokio::test]
async fn sigterm_ends_the_service_and_loses_nothing() {
    let (mut stage, archive, line, before) = large(30 * MB).await;
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(10_000_000)).await.unwrap();
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    until("bytes on the line", async || Ok((line.up() - before > 5 * MIB).then_some(()))).await.unwrap();
    let service = stage.service().unwrap();
    service.signal(Signal::TERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), service.end()).await.expect("the service ends").unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(!stage.home.owner_socket().exists());

    stage.serve().await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = None).await.unwrap();
    stage.delivered().await.unwrap();
    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
}

#[tokio::test]
async fn a_second_service_steps_back() {
    let mut stage = Stage::new().await.unwrap();
    let second = stage.cli(&["serve", "--no-tray", "--no-notifications"]).await.unwrap();
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.out.contains("already running"), "{second:?}");
    assert!(stage.service().unwrap().ended().unwrap().is_none());
    stage.status().await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_the_rest() {
    let (stage, mut archive, line, before) = large(30 * MB).await;
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(15_000_000)).await.unwrap();
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    until("bytes on the line", async || Ok((line.up() - before > 5 * MIB).then_some(()))).await.unwrap();
    archive.kill().unwrap();
    let archive = archive.again(&stage, "a token").await.unwrap();
    stage.does(&["now"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
}

#[tokio::test]
async fn what_was_tried_out_at_a_bucket_is_not_tried_out_after_each_start() {
    let mut stage = Stage::new().await.unwrap();
    let store = Store { compares: true, conditions: true, ..Store::default() };
    let bucket = ModelServer::start(store).await.unwrap();
    let config =
        DestinationConfig { user: Some(KEY_ID.to_owned()), region: Some(REGION.to_owned()), ..DestinationConfig::default() };
    let request = AddDestination {
        connector: Connector::S3,
        config,
        url: format!("{}/{BUCKET}", bucket.origin()),
        name: "Bucket".to_owned(),
        token: Some(SECRET.to_owned()),
        sign_in: None,
        skip_test: false,
    };
    let _: AddedDestination = stage.owner().unwrap().post("/v1/destinations", &request).await.unwrap();
    let mut requests = bucket.truth().requests.len();
    for seed in [1, 2] {
        let service = stage.service().unwrap();
        service.signal(Signal::TERM).unwrap();
        tokio::time::timeout(Duration::from_secs(5), service.end()).await.expect("the service ends").unwrap();
        stage.serve().await.unwrap();
        let name = format!("{seed}.jpg");
        photo(&stage.path(&name), seed, 20_000).unwrap();
        stage.does(&["add", &name, "--to", "Bucket"]).await.unwrap();
        stage.delivered().await.unwrap();
        let truth = bucket.truth();
        assert_eq!(truth.objects.len() as u64, seed);
        let since = &truth.requests[requests..];
        assert!(!since.is_empty() && since.iter().all(|request| !request.target().contains("probe")), "{since:?}");
        requests = truth.requests.len();
    }
}
