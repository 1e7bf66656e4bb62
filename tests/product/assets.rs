//! Files that belong together, at a server that knows it.

use std::fs;

use afterglow_model::{AddDestination, AddedDestination, Connector};
use afterglow_tests::{
    model_server::{Answer, ModelServer, Object, Protocol, Request},
    stage::{Stage, photo},
};
use serde_json::{Value, json};

/// As much of Immich as takes files, and remembers in which order and under which video.
#[derive(Default)]
pub(crate) struct Gallery {
    /// SHA-1, name and, of a still, its video.
    assets: Vec<(String, String, Option<String>)>,
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

#[tokio::test]
async fn the_still_of_a_live_photo_follows_its_video() {
    let stage = Stage::new().await.unwrap();
    for n in 0..4 {
        photo(&stage.photos().join(format!("IMG_{n}.jpg")), n + 1, 3000).unwrap();
        // Larger than a small file: it would be the last to arrive, were it not waited for.
        let movie = stage.photos().join(format!("IMG_{n}.mov"));
        photo(&movie, n + 100, 1_500_000).unwrap();
        let bytes = [b"\0\0\0\x14ftypqt  \0\0\0\0qt  ".as_slice(), &fs::read(&movie).unwrap()].concat();
        fs::write(&movie, bytes).unwrap();
    }
    stage.library().await.unwrap();
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await.unwrap();
    let server = ModelServer::start(Gallery::default()).await.unwrap();
    let request = AddDestination {
        connector: Connector::Immich,
        config: Default::default(),
        url: server.origin(),
        name: "Gallery".to_owned(),
        token: Some("key".to_owned()),
        sign_in: None,
        skip_test: true,
    };
    let added: AddedDestination = stage.owner().unwrap().post("/v1/destinations", &request).await.unwrap();
    stage.rule(&added.destination).await.unwrap();
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
