//! Other programs.

use std::fs;

use afterglow_client::{AppClient, ClientError};
use afterglow_model::{
    AppId, AssetPage, AuthorizationStatus, CreateJob, DestinationRequest, FailureCode, FormField, JobAction, JobBody, JobPage,
    JobState, PairRequest, Paired, Phase, RetryJob, SmartAlbum, UploadJobOptions,
};
use afterglow_tests::{
    model_server::{Answer, ModelServer, Object, Protocol, Request},
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
        body: JobBody::Resumable,
        after: None,
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
    let unknown = stage.cli(&["app", "grant", "Reel", "--asset", page.assets[1].id.as_str(), "--asset", "0123"]).await.unwrap();
    assert!(unknown.code == Some(1) && unknown.err.contains("There is no photo 0123."), "{unknown:?}");
    assert_eq!(app.assets(&SmartAlbum::AllPhotos.id(), 0, 10).await.unwrap().total, 1, "what was refused was granted");
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
        body: JobBody::Resumable,
        after: None,
        client_reference: None,
        options: UploadJobOptions::default(),
    }
}

/// A server that gives each upload a number, and takes a second file under the number of the first.
#[derive(Default)]
struct Numbers {
    forms: Vec<(String, Vec<u8>)>,
}

impl Protocol for Numbers {
    fn apply(&mut self, request: &Request) -> Answer {
        match request.target() {
            "/photos" => Answer::new("201 Created").body("application/json", r#"{"photo":{"id":"n-7"}}"#),
            "/photos/sly" => Answer::new("201 Created").body("application/json", r#"{"letter":"e"}"#),
            "/expired" => Answer::new("403 Forbidden"),
            "/refused" => Answer::new("422 Unprocessable Content").body("application/json", r#"{"why":"too blue"}"#),
            _ => {
                self.forms.push((request.path.clone(), request.body.clone()));
                Answer::new("204 No Content")
            }
        }
    }

    fn objects(&self) -> Vec<Object> {
        Vec::new()
    }

    fn leftovers(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn a_later_request_uses_what_an_earlier_answer_gave() {
    let stage = with_photos(1, 50_000).await;
    let server = ModelServer::start(Numbers::default()).await.unwrap();
    let (app, _) = pair(&stage, &server.origin().parse().unwrap(), &["--full"]).await;
    let first = job(&app, &format!("{}/photos", server.origin())).await;
    let field = FormField { name: "of".to_owned(), value: "{{after.json./photo/id}} {{byte_count}}".to_owned() };
    let form = JobBody::Multipart {
        method: Default::default(),
        file_field: "file".to_owned(),
        fields: vec![field],
        success: Default::default(),
    };
    let made = app
        .create_job(&CreateJob { body: JobBody::Raw { method: Default::default(), success: Default::default() }, ..first.clone() })
        .await
        .unwrap();
    let url = format!("{}/photos/{{{{after.json./photo/id}}}}/copies", server.origin());
    let destination = DestinationRequest { url, ..first.destination.clone() };
    let second = CreateJob { body: form, after: Some(made.id.clone()), destination, ..first };
    let second = app.create_job(&second).await.unwrap();
    stage.delivered().await.unwrap();

    let (target, body) = server.with(|server| server.forms.remove(0));
    assert_eq!(target, "/photos/n-7/copies");
    assert!(String::from_utf8_lossy(&body).contains("name=\"of\"\r\n\r\nn-7 50000\r\n"));
    let jobs = app.fetch_jobs(JobAction::Acknowledge, None).await.unwrap().jobs;
    let of = |id| jobs.iter().find(|job| &job.id == id).unwrap();
    let answer = of(&made.id).response.clone().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (201, r#"{"photo":{"id":"n-7"}}"#));
    assert_eq!(of(&second.id).after.as_ref(), Some(&made.id));
    assert_eq!(of(&second.id).response.as_ref().unwrap().status, 204);
}

#[tokio::test]
async fn the_signature_of_a_url_is_in_the_secret_store_alone() {
    let stage = with_photos(1, 50_000).await;
    let server = ModelServer::start(Numbers::default()).await.unwrap();
    let (app, _) = pair(&stage, &server.origin().parse().unwrap(), &["--full"]).await;
    let raw = JobBody::Raw { method: Default::default(), success: Default::default() };
    let signed = "/signed?X-Signature=5167";
    let made = app.create_job(&CreateJob { body: raw, ..job(&app, &format!("{}{signed}", server.origin())).await }).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(server.with(|server| server.forms.remove(0).0), signed);
    let kinds: Vec<_> = server.truth().requests.iter().map(|request| request.header("content-type").map(str::to_owned)).collect();
    assert_eq!(kinds, [Some("image/jpeg".to_owned())], "what was signed for a photo is sent as one");
    let shown = serde_json::to_string(&app.fetch_jobs(JobAction::Acknowledge, None).await.unwrap()).unwrap();
    assert!(shown.contains(made.id.as_str()) && !shown.contains("5167"), "{shown}");
    for file in fs::read_dir(&stage.home.data).unwrap() {
        let file = file.unwrap().path();
        let is_database = file.file_name().is_some_and(|name| name.to_string_lossy().contains("sqlite"));
        assert!(
            !is_database || !fs::read(&file).unwrap().windows(16).any(|part| part == b"X-Signature=5167"),
            "{}",
            file.display()
        );
    }
}

#[tokio::test]
async fn an_answer_leads_no_job_out_of_what_was_allowed() {
    let stage = with_photos(1, 50_000).await;
    let server = ModelServer::start(Numbers::default()).await.unwrap();
    let base = format!("{}/photos", server.origin());
    let (app, _) = pair(&stage, &base.parse().unwrap(), &["--full"]).await;
    let raw = JobBody::Raw { method: Default::default(), success: Default::default() };
    let first = CreateJob { body: raw, ..job(&app, &format!("{base}/sly")).await };
    let made = app.create_job(&first).await.unwrap();
    // Once it is filled in, two points in disguise, which lead a step up.
    let url = format!("{base}/%2{{{{after.json./letter}}}}%2{{{{after.json./letter}}}}/elsewhere");
    let destination = DestinationRequest { url, ..first.destination.clone() };
    let second = app.create_job(&CreateJob { after: Some(made.id), destination, ..first }).await.unwrap();
    let failed = async || {
        let jobs = app.fetch_jobs(JobAction::Acknowledge, None).await?.jobs;
        Ok(jobs.into_iter().find(|job| job.id == second.id))
    };
    let failure = until("the end of the second", failed).await.unwrap().failure.unwrap();
    assert_eq!(failure.code, FailureCode::DestinationNotAllowed, "{}", failure.message);
}

#[tokio::test]
async fn an_app_that_is_paired_anew_can_send_where_it_sent() {
    let stage = with_photos(1, 1000).await;
    stage.does(&["pause"]).await.unwrap();
    let url = Url::parse("http://127.0.0.1:9/files").unwrap();
    for _ in 0..2 {
        let (app, _) = pair(&stage, &url, &["--full"]).await;
        let job = job(&app, url.as_str()).await;
        let (one, other) = tokio::join!(app.create_job(&job), app.create_job(&job));
        one.unwrap();
        other.unwrap();
    }
}

#[tokio::test]
async fn what_needs_an_answer_that_never_comes_fails_and_says_so() {
    let stage = with_photos(1, 50_000).await;
    let server = ModelServer::start(Numbers::default()).await.unwrap();
    let (app, _) = pair(&stage, &server.origin().parse().unwrap(), &["--full"]).await;
    let raw = JobBody::Raw { method: Default::default(), success: Default::default() };
    let first = CreateJob { body: raw, ..job(&app, &format!("{}/refused", server.origin())).await };
    let made = app.create_job(&first).await.unwrap();
    let second = app.create_job(&CreateJob { after: Some(made.id.clone()), ..first.clone() }).await.unwrap();
    let ended = async || {
        let jobs = app.fetch_jobs(JobAction::Acknowledge, None).await?.jobs;
        Ok((jobs.len() == 2).then_some(jobs))
    };
    let jobs = until("the end of both", ended).await.unwrap();
    let of = |id| jobs.iter().find(|job| &job.id == id).unwrap();
    assert_eq!(of(&made.id).failure.as_ref().unwrap().code, FailureCode::ServerRejected);
    assert_eq!(of(&made.id).response.as_ref().unwrap().body, r#"{"why":"too blue"}"#);
    let failure = of(&second.id).failure.clone().unwrap();
    assert_eq!(failure.code, FailureCode::DependencyFailed);
    assert!(failure.message.contains("goes after"), "{}", failure.message);

    let unknown = CreateJob { after: Some("nobody".into()), ..first.clone() };
    assert!(matches!(app.create_job(&unknown).await, Err(ClientError::Refused(_))));
    let nonsense = DestinationRequest { url: format!("{}/{{{{nonsense}}}}", server.origin()), headers: [].into() };
    assert!(matches!(app.create_job(&CreateJob { destination: nonsense, ..first }).await, Err(ClientError::Refused(_))));
}

#[tokio::test]
async fn a_signed_url_that_expired_holds_up_no_other_and_is_signed_anew() {
    let stage = with_photos(1, 50_000).await;
    let server = ModelServer::start(Numbers::default()).await.unwrap();
    let (app, _) = pair(&stage, &server.origin().parse().unwrap(), &["--full"]).await;
    let at = |path: &str, key: &str| DestinationRequest {
        url: format!("{}{path}", server.origin()),
        headers: [("x-api-key".to_owned(), key.to_owned())].into(),
    };
    let raw = || JobBody::Raw { method: Default::default(), success: Default::default() };
    let to = async |path: &str, key: &str| {
        let request = CreateJob { body: raw(), destination: at(path, key), ..job(&app, &server.origin()).await };
        app.create_job(&request).await.unwrap().id
    };
    let expired = to("/expired", "old").await;
    let state = async |id: &afterglow_model::JobId, state: JobState| {
        let jobs = app.fetch_jobs(JobAction::All, None).await?.jobs;
        Ok(jobs.into_iter().find(|job| &job.id == id && job.state == state))
    };
    let failed = until("the end of the first", async || state(&expired, JobState::Failed).await).await.unwrap();
    assert_eq!(failed.failure.unwrap().code, FailureCode::AuthenticationRequired);
    let other = to("/photos", "other").await;
    until("the end of the other", async || state(&other, JobState::Succeeded).await).await.unwrap();

    let anew = |destination| RetryJob { destination, body: raw() };
    let elsewhere = DestinationRequest { url: "https://elsewhere.example/".to_owned(), headers: [].into() };
    assert!(matches!(app.retry_with(&expired, &anew(elsewhere)).await, Err(ClientError::Refused(_))));
    let again = app.retry_with(&expired, &anew(at("/photos", "new"))).await.unwrap();
    assert_eq!(again.id, expired);
    until("the end of what was signed anew", async || state(&expired, JobState::Succeeded).await).await.unwrap();
    match app.retry_with(&expired, &anew(at("/photos", "newer"))).await {
        Err(ClientError::Refused(refused)) => assert_eq!(refused.message, "The job was delivered."),
        other => panic!("{other:?}"),
    }
    // Neither of the job that was delivered, nor of the one that got another key.
    let secrets = stage.home.data.join("secrets.json");
    let gone = async || Ok(std::fs::read_to_string(&secrets)?.find("x-api-key").is_none().then_some(()));
    until("the end of the keys of jobs that were delivered", gone).await.unwrap();
}
