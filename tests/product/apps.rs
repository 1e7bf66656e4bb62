//! Other programs.

use afterglow_client::{AppClient, ClientError};
use afterglow_model::{
    AppId, AssetPage, AuthorizationStatus, CreateJob, DestinationRequest, FailureCode, JobPage, JobState, PairRequest, Paired,
    Phase, SmartAlbum, UploadJobOptions,
};
use afterglow_tests::{
    process::{example, until},
    proxy::Proxy,
    stage::{Stage, photo, run, same},
};
use url::Url;

/// A stage whose library has `n` photos of `len` bytes.
async fn with_photos(n: u64, len: usize) -> Stage {
    let stage = Stage::new().await.unwrap();
    for seed in 0..n {
        photo(&stage.photos().join(format!("{seed}.jpg")), seed + 1, len).unwrap();
    }
    stage.library().await.unwrap();
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await.unwrap();
    stage
}

/// Pairs a program called "Reel", whose question is answered with `app grant Reel WORDS`.
async fn pair(stage: &Stage, url: &Url, words: &[&str]) -> (AppClient, AppId) {
    let request = PairRequest { name: "Reel".to_owned(), url_bases: vec![url.to_string()] };
    let home = stage.home.clone();
    let asked = tokio::spawn(async move { AppClient::pair(&home, &request).await });
    stage.until_status("the question", |status| !status.prompts.is_empty()).await.unwrap();
    stage.does(&[&["app", "grant", "Reel"], words].concat()).await.unwrap();
    let (app, Paired { app_id, .. }) = asked.await.unwrap().unwrap();
    (app, app_id)
}

/// A job for the newest photo the app may see.
async fn job(app: &AppClient, url: &str) -> CreateJob {
    let photo = app.assets(&SmartAlbum::AllPhotos.id(), 0, 1).await.unwrap().assets.remove(0);
    let resource = app.resources(&photo.id).await.unwrap().remove(0);
    let headers = [("authorization".to_owned(), "Bearer a token".to_owned())].into();
    CreateJob {
        asset_id: photo.id,
        resource_id: resource.id,
        destination: DestinationRequest { url: url.to_owned(), headers },
        client_reference: None,
        options: UploadJobOptions::default(),
    }
}

#[tokio::test]
async fn an_editor_hands_over_and_quits() {
    let stage = with_photos(1, 50_000).await;
    let archive = stage.receiver("archive").await.unwrap();
    stage.does(&["pause"]).await.unwrap();
    let program = example("editor").unwrap();
    let editor = async || {
        let mut command = stage.command(&program);
        command.args(["--send-to", archive.url.as_str(), "--token", "a token", "--key", "key.json"]);
        run(&mut command, "").await
    };
    let answer = async {
        stage.until_status("the question", |status| !status.prompts.is_empty()).await.unwrap();
        stage.does(&["app", "grant", "Reel Editor", "--full"]).await.unwrap();
    };
    let (first, ()) = tokio::join!(editor(), answer);
    let first = first.unwrap();
    assert!(first.code == Some(0) && first.out.contains("handed over 0.jpg"), "{first:?}");

    stage.does(&["resume"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert!(same(&stage.photos().join("0.jpg"), &archive.files().unwrap()["0.jpg"]).unwrap());
    let second = editor().await.unwrap();
    assert!(second.out.contains("delivered, verified by digest") && second.out.contains("acknowledged 1"), "{second:?}");
}

#[tokio::test]
async fn a_selection_is_all_an_app_sees() {
    let stage = with_photos(3, 1000).await;
    let album = format!("/v1/collections/{}/assets", SmartAlbum::AllPhotos.id());
    let page: AssetPage = stage.owner().unwrap().get(&album).await.unwrap();
    let url = Url::parse("http://127.0.0.1:9/files").unwrap();
    let (app, _) = pair(&stage, &url, &["--asset", page.assets[0].id.as_str()]).await;
    assert_eq!(app.authorization().await.unwrap().status, AuthorizationStatus::Limited);
    let seen = app.assets(&SmartAlbum::AllPhotos.id(), 0, 10).await.unwrap();
    assert_eq!((seen.total, seen.assets.len()), (1, 1));
    assert!(app.resources(&page.assets[1].id).await.is_err());
}

#[tokio::test]
async fn an_app_sends_only_where_it_said() {
    let stage = with_photos(1, 1000).await;
    let url = Url::parse("http://127.0.0.1:9/files").unwrap();
    let (app, _) = pair(&stage, &url, &["--full"]).await;
    for elsewhere in
        ["http://127.0.0.1:10/files", "http://127.0.0.1:9/filesystem", "http://127.0.0.1:9/files/../x", "ftp://127.0.0.1:9/files"]
    {
        let refused = app.create_job(&job(&app, elsewhere).await).await;
        assert!(matches!(refused, Err(ClientError::Refused(_))), "{elsewhere}: {refused:?}");
    }
    assert_eq!(stage.status().await.unwrap().jobs.total(), 0);
}

#[tokio::test]
async fn access_taken_back_stops_what_is_under_way() {
    let len = 30_000_000;
    let stage = with_photos(1, len).await;
    let archive = stage.receiver("archive").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    let url = line.over(&archive.url).unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(5_000_000)).await.unwrap();
    let (app, _) = pair(&stage, &url, &["--full"]).await;
    let made = app.create_job(&job(&app, url.as_str()).await).await.unwrap();
    stage.until_status("bytes", |_| line.up() > 1_000_000).await.unwrap();
    stage.does(&["app", "revoke", "Reel"]).await.unwrap();
    assert_eq!(app.authorization().await.unwrap().status, AuthorizationStatus::Denied);
    stage.until_status("nothing under way", |status| status.state != afterglow_model::ServiceState::Uploading).await.unwrap();

    assert!(line.up() < len as u64 && archive.files().unwrap().is_empty());
    let page: JobPage = stage.owner().unwrap().get("/v1/jobs").await.unwrap();
    let held = page.jobs.iter().find(|job| job.id == made.id).unwrap();
    assert_ne!(held.state, JobState::Succeeded);
    assert!(app.create_job(&job_again(&made, url.as_str())).await.is_err());
}

#[tokio::test]
async fn what_goes_to_a_destination_without_access_is_held_until_it_has_it_again() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["app", "revoke", "Archive"]).await.unwrap();
    stage.does(&["add", "one.jpg", "--to", "Archive"]).await.unwrap();
    let held = async || {
        let page: JobPage = stage.owner()?.get("/v1/jobs?attention=true").await?;
        Ok(page.jobs.into_iter().find(|job| job.phase == Phase::Held))
    };
    let job = until("a job that is held", held).await.unwrap();
    assert_eq!(job.failure.unwrap().code, FailureCode::AccessDenied);
    assert!(archive.files().unwrap().is_empty());

    stage.does(&["app", "grant", "Archive", "--full"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
}

/// The job again, by an app that may not look any more.
fn job_again(made: &afterglow_model::UploadJob, url: &str) -> CreateJob {
    CreateJob {
        asset_id: made.asset_id.clone().unwrap(),
        resource_id: made.resource_id.clone().unwrap(),
        destination: DestinationRequest { url: url.to_owned(), headers: [].into() },
        client_reference: None,
        options: UploadJobOptions::default(),
    }
}
