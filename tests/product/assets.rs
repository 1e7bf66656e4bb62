//! Files that belong together, at a server that knows it.

use std::{fs, path::Path};

use afterglow_model::{
    AddDestination, AddedDestination, Connector, CreateUpload, Destination, DestinationConfig, JobPage, ServiceState, Status,
    UploadPreview, Visibility,
};
use afterglow_tests::{
    model_server::{Answer, ModelServer, Object, Protocol, Request},
    stage::{Stage, photo},
};
use serde_json::{Value, json};

use crate::immich_server::{Asset, ImmichServer, KEY};

/// As much of Immich as takes files, and remembers in which order and under which video.
#[derive(Default)]
pub(crate) struct Gallery {
    /// SHA-1, name and, of a still, its video.
    assets: Vec<(String, String, Option<String>)>,
    /// Photos that came with a sidecar, and its content.
    sidecars: Vec<(String, String)>,
    /// Names of what lies in the trash.
    trashed: Vec<String>,
}

impl Gallery {
    /// Somebody puts a file into the server's trash.
    pub(crate) fn trash(&mut self, name: &str) {
        self.trashed.push(name.to_owned());
    }

    fn check(&self, request: &Request) -> Answer {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let result = |asset: &Value| {
            let known = self.assets.iter().position(|(sha1, ..)| asset["checksum"] == sha1.as_str());
            match known {
                Some(at) => {
                    let is_trashed = self.trashed.contains(&self.assets[at].1);
                    json!({ "id": asset["id"], "action": "reject", "reason": "duplicate", "assetId": format!("asset-{at}"), "isTrashed": is_trashed })
                }
                None => json!({ "id": asset["id"], "action": "accept" }),
            }
        };
        let results: Vec<Value> = asked["assets"].as_array().unwrap().iter().map(result).collect();
        Answer::new("200 OK").body("application/json", json!({ "results": results }).to_string())
    }

    fn upload(&mut self, request: &Request) -> Answer {
        let text = String::from_utf8_lossy(&request.body);
        let field = |name: &str| {
            let rest = text.split(&format!("name=\"{name}\"\r\n\r\n")).nth(1)?;
            Some(rest.split("\r\n").next()?.to_owned())
        };
        if let Some((_, rest)) = text.split_once("name=\"sidecarData\"") {
            let content = rest.split("\r\n\r\n").nth(1).unwrap().split("\r\n").next().unwrap();
            self.sidecars.push((field("filename").unwrap(), content.to_owned()));
        }
        let sha1 = request.header("x-immich-checksum").unwrap().to_owned();
        self.assets.push((sha1, field("filename").unwrap(), field("livePhotoVideoId")));
        let id = format!("asset-{}", self.assets.len() - 1);
        Answer::new("201 Created").body("application/json", json!({ "id": id, "status": "created" }).to_string())
    }
}

impl Protocol for Gallery {
    fn apply(&mut self, request: &Request) -> Answer {
        let json = |body: Value| Answer::new("200 OK").body("application/json", body.to_string());
        match (request.method.as_str(), request.target()) {
            ("GET", "/api/server/version") => json(json!({ "major": 3, "minor": 0, "patch": 0 })),
            ("GET", "/api/api-keys/me") => json(json!({ "permissions": ["asset.upload"] })),
            ("POST", "/api/assets/bulk-upload-check") => self.check(request),
            ("POST", "/api/assets") => self.upload(request),
            _ => Answer::new("403 Forbidden").body("application/json", r#"{"message":"Missing required permission: asset.read"}"#),
        }
    }

    fn objects(&self) -> Vec<Object> {
        Vec::new()
    }

    fn leftovers(&self) -> usize {
        0
    }
}

async fn add(stage: &Stage, url: String, key: &str) -> Destination {
    add_with(stage, url, key, DestinationConfig::default()).await
}

async fn add_with(stage: &Stage, url: String, key: &str, config: DestinationConfig) -> Destination {
    let request = AddDestination {
        connector: Connector::Immich,
        config,
        url,
        name: "Gallery".to_owned(),
        token: Some(key.to_owned()),
        sign_in: None,
        skip_test: true,
    };
    let added: AddedDestination = stage.owner().unwrap().post("/v1/destinations", &request).await.unwrap();
    added.destination
}

/// Writes what looks like a video that is short enough for a Live Photo.
fn movie(path: &Path, seed: u64, bytes: usize) {
    photo(path, seed, bytes).unwrap();
    let bytes = [b"\0\0\0\x14ftypqt  \0\0\0\0qt  ".as_slice(), &fs::read(path).unwrap()].concat();
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn the_still_of_a_live_photo_follows_its_video() {
    let stage = Stage::new().await.unwrap();
    for n in 0..4 {
        photo(&stage.photos().join(format!("IMG_{n}.jpg")), n + 1, 3000).unwrap();
        // Larger than a small file: it would be the last to arrive, were it not waited for.
        movie(&stage.photos().join(format!("IMG_{n}.mov")), n + 100, 1_500_000);
    }
    stage.library().await.unwrap();
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await.unwrap();
    let server = ModelServer::start(Gallery::default()).await.unwrap();
    let destination = add(&stage, server.origin(), "key").await;
    stage.rule(&destination).await.unwrap();
    stage.delivered().await.unwrap();

    let assets = server.with(|server| server.assets.clone());
    assert_eq!(assets.len(), 8);
    for (at, (_, name, video)) in assets.iter().enumerate().filter(|(_, (_, name, _))| name.ends_with(".jpg")) {
        let movie = name.replace(".jpg", ".mov");
        let movie = assets[..at].iter().position(|(_, other, _)| *other == movie);
        assert_eq!(*video, movie.map(|at| format!("asset-{at}")), "{name}");
        assert!(movie.is_some(), "{name} came before its video");
    }
}

/// What the server has under this name.
fn named(server: &ModelServer<ImmichServer>, name: &str) -> Asset {
    server.with(|server| server.assets.values().find(|asset| asset.fields["filename"] == name).cloned().unwrap())
}

#[tokio::test]
async fn a_live_photo_whose_video_comes_later_is_linked() {
    let stage = Stage::new().await.unwrap();
    photo(&stage.photos().join("IMG_1.jpg"), 1, 3000).unwrap();
    stage.library().await.unwrap();
    let server = ModelServer::start(ImmichServer::default()).await.unwrap();
    server.with(|server| server.permissions = vec!["all"]);
    let destination = add(&stage, server.origin(), KEY).await;
    stage.rule(&destination).await.unwrap();
    stage.delivered().await.unwrap();

    movie(&stage.photos().join("IMG_1.mov"), 2, 3000);
    stage.until_status("the video", |status| status.jobs.succeeded == 2).await.unwrap();
    let video = named(&server, "IMG_1.mov");
    assert_eq!(named(&server, "IMG_1.jpg").fields.get("livePhotoVideoId"), Some(&video.id));
    assert_eq!(video.fields["visibility"], "hidden");
}

#[tokio::test]
async fn each_still_of_an_edited_live_photo_has_its_own_video_and_the_edit_is_shown() {
    let stage = Stage::new().await.unwrap();
    for (seed, name) in (1..).zip(["IMG_0001", "IMG_E0001"]) {
        photo(&stage.photos().join(format!("{name}.jpg")), seed, 3000).unwrap();
        movie(&stage.photos().join(format!("{name}.mov")), seed + 100, 1_500_000);
    }
    stage.library().await.unwrap();
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await.unwrap();
    let server = ModelServer::start(ImmichServer::default()).await.unwrap();
    server.with(|server| server.permissions = vec!["all"]);
    let config = DestinationConfig { visibility: Visibility::Archive, ..DestinationConfig::default() };
    let destination = add_with(&stage, server.origin(), KEY, config).await;
    stage.rule(&destination).await.unwrap();
    stage.delivered().await.unwrap();

    for name in ["IMG_0001", "IMG_E0001"] {
        let (still, video) = (named(&server, &format!("{name}.jpg")), named(&server, &format!("{name}.mov")));
        assert_eq!(still.fields.get("livePhotoVideoId"), Some(&video.id), "{name}");
        assert_eq!((still.fields["visibility"].as_str(), video.fields["visibility"].as_str()), ("archive", "hidden"), "{name}");
    }
    let stack = ["IMG_E0001.jpg", "IMG_0001.jpg"].map(|name| named(&server, name).id);
    assert_eq!(server.with(|server| server.stacks.clone()), [stack]);
}

#[tokio::test]
async fn what_an_editor_wrote_goes_with_its_photo_and_is_no_job() {
    let stage = Stage::new().await.unwrap();
    for (n, sidecar) in ["IMG_1.xmp", "IMG_2.jpg.XMP", "IMG_3.AAE"].into_iter().enumerate() {
        photo(&stage.photos().join(format!("IMG_{}.jpg", n + 1)), n as u64 + 1, 3000).unwrap();
        fs::write(stage.photos().join(sidecar), format!("<x of=\"{sidecar}\"/>")).unwrap();
    }
    stage.library().await.unwrap();
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await.unwrap();
    let server = ModelServer::start(Gallery::default()).await.unwrap();
    let destination = add(&stage, server.origin(), "key").await;
    stage.rule(&destination).await.unwrap();
    stage.delivered().await.unwrap();

    let mut sidecars = server.with(|server| server.sidecars.clone());
    sidecars.sort();
    let expected = [("IMG_1.jpg", "IMG_1.xmp"), ("IMG_2.jpg", "IMG_2.jpg.XMP")];
    assert_eq!(sidecars, expected.map(|(photo, sidecar)| (photo.to_owned(), format!("<x of=\"{sidecar}\"/>"))));
    let jobs: JobPage = stage.owner().unwrap().get("/v1/jobs").await.unwrap();
    let mut names: Vec<_> = jobs.jobs.iter().map(|job| job.filename.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg"]);
    assert_eq!((jobs.counts.succeeded, jobs.counts.failed), (3, 0));

    // Asked for by itself, it is said why it does not go.
    let request = CreateUpload {
        destination_id: destination.id.clone(),
        asset_ids: Vec::new(),
        paths: vec![stage.photos().join("IMG_3.AAE").to_string_lossy().into_owned()],
    };
    let preview: UploadPreview = stage.owner().unwrap().post("/v1/uploads/preview", &request).await.unwrap();
    assert_eq!(preview.files, 0);
    assert!(preview.refused[0].starts_with("IMG_3.AAE: This destination takes only XMP sidecars."), "{:?}", preview.refused);
}

#[tokio::test]
async fn a_full_account_stops_its_destination_and_loses_nothing() {
    let stage = Stage::new().await.unwrap();
    for n in 0..6 {
        photo(&stage.photos().join(format!("IMG_{n}.jpg")), n + 1, 3000).unwrap();
    }
    stage.library().await.unwrap();
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await.unwrap();
    let server = ModelServer::start(ImmichServer::default()).await.unwrap();
    server.with(|server| server.quota = Some(10_000));
    let destination = add(&stage, server.origin(), KEY).await;
    stage.rule(&destination).await.unwrap();
    let full = |status: &Status| status.state == ServiceState::Attention;
    let status = stage.until_status("an account without room", full).await.unwrap();
    assert_eq!((status.jobs.failed, status.jobs.open() + status.jobs.succeeded), (0, 6));
    assert_eq!(server.truth().objects.len() as u64, status.jobs.succeeded);
    assert!(status.jobs.open() > 0, "all of it has found room");

    server.with(|server| server.quota = None);
    stage.does(&["destination", "test", "Gallery"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(server.truth().objects.len(), 6);
}

#[tokio::test]
async fn a_destination_gets_the_versions_that_it_is_wished_and_another_wish_takes_nothing_back() {
    let stage = Stage::new().await.unwrap();
    let server = stage.receiver("server").await.unwrap();
    for (seed, name) in (1..).zip(["IMG_0001.jpg", "IMG_E0001.jpg", "IMG_0001.aae", "IMG_0002.jpg"]) {
        photo(&stage.photos().join(name), seed, 20_000).unwrap();
    }
    let words =
        ["destination", "add", "resumable", server.url.as_str(), "--name", "Server", "--token-stdin", "--versions", "edits"];
    let added = stage.cli_reading(&words, "a token\n").await.unwrap();
    assert_eq!(added.code, Some(0), "{added:?}");
    stage.library().await.unwrap();
    stage.does(&["rule", "add", "--album", "All Photos", "--to", "Server"]).await.unwrap();
    stage.delivered().await.unwrap();
    let held = || server.files().unwrap().into_keys().collect::<Vec<_>>();
    assert_eq!(held(), ["IMG_0002.jpg", "IMG_E0001.jpg"], "the edit, and the original of what has none");

    stage.does(&["destination", "versions", "Server", "originals"]).await.unwrap();
    stage.until_status("the original and what the editor wrote", |status| status.jobs.succeeded == 4).await.unwrap();
    assert_eq!(held(), ["IMG_0001.aae", "IMG_0001.jpg", "IMG_0002.jpg", "IMG_E0001.jpg"]);
}
