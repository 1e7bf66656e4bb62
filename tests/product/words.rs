//! What the command line and the sockets answer to what makes no sense.

use std::process::Stdio;

use afterglow_model::{Activity, ApiError};
use afterglow_tests::{
    process::afterglow,
    stage::{Stage, photo},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn what_is_not_there_is_named() {
    let stage = Stage::new().await.unwrap();
    for words in [
        &["retry", "0123"][..],
        &["cancel", "0123"],
        &["now", "--job", "0123"],
        &["why", "0123"],
        &["rule", "remove", "0123"],
        &["destination", "test", "0123"],
        &["app", "log", "0123"],
        &["rules", "simulate", "--to", "0123"],
        &["free-up-space", "--album", "0123"],
        &["free-up-space", "--destination", "0123"],
    ] {
        let said = stage.cli(words).await.unwrap();
        assert!(said.code == Some(1) && said.err.contains("0123"), "{words:?}: {said:?}");
    }
}

#[tokio::test]
async fn an_unknown_upload_keeps_the_others_from_being_taken_back() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    stage.does(&["pause"]).await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Archive"]).await.unwrap();
    let jobs = stage.asks(&["jobs"]).await.unwrap();
    let refused = stage.cli(&["cancel", jobs[0]["id"].as_str().unwrap(), "0123"]).await.unwrap();
    assert!(refused.code == Some(1) && refused.err.contains("There is no upload 0123."), "{refused:?}");
    assert_eq!(stage.status().await.unwrap().jobs.open(), 1);
}

#[tokio::test]
async fn a_film_is_no_photo() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    stage.does(&["pause"]).await.unwrap();
    for (seed, name) in (1..).zip(["film.mp4", "one.jpg", "two.jpg", "second.mp4"]) {
        photo(&stage.path(name), seed, 30_000).unwrap();
    }
    for files in [&["film.mp4"][..], &["one.jpg", "two.jpg", "second.mp4"]] {
        stage.does(&[&["add"], files, &["--to", "Archive"]].concat()).await.unwrap();
    }
    let activity: Activity = stage.owner().unwrap().get("/v1/activity").await.unwrap();
    let mut titles: Vec<String> = activity.open_batches.into_iter().map(|batch| batch.title).collect();
    titles.sort();
    assert_eq!(titles, ["1 video", "2 photos and 1 video"]);
}

#[tokio::test]
async fn a_reader_that_has_read_enough_is_no_error() {
    let stage = Stage::empty().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let mut command = stage.command(&afterglow().unwrap());
        let child = command.args(["completions", shell]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap()), (Some(0), String::new()), "{shell}");
    }
}

#[tokio::test]
async fn a_scan_says_what_it_looks_through() {
    let stage = Stage::new().await.unwrap();
    stage.library().await.unwrap();
    let folders = stage.asks(&["library", "scan"]).await.unwrap();
    assert_eq!(folders[0]["path"], stage.photos().to_str().unwrap(), "{folders}");
    assert!(stage.does(&["library", "scan"]).await.unwrap().contains("1 folder."));
}

#[tokio::test]
async fn every_refusal_of_a_socket_is_the_error_of_its_api() {
    let stage = Stage::new().await.unwrap();
    for socket in [stage.home.owner_socket(), stage.home.apps_socket()] {
        let http = reqwest::Client::builder().unix_socket(socket.clone()).no_proxy().build().unwrap();
        let json = ("content-type", "application/json");
        for (method, path, kind, body, status) in [
            (Method::POST, "/v1/pair", json, "{".to_owned(), StatusCode::BAD_REQUEST),
            (Method::POST, "/v1/pause", json, "{".to_owned(), StatusCode::BAD_REQUEST),
            (Method::POST, "/v1/pause", json, json!({ "kind": "never" }).to_string(), StatusCode::UNPROCESSABLE_ENTITY),
            (Method::POST, "/v1/pause", ("content-type", "text/plain"), "x".to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
            (Method::PUT, "/v1/health", json, String::new(), StatusCode::METHOD_NOT_ALLOWED),
            (Method::GET, "/v1/nothing", json, String::new(), StatusCode::NOT_FOUND),
        ] {
            let request = http.request(method, format!("http://afterglow{path}")).header(kind.0, kind.1).body(body);
            let answer = request.send().await.unwrap();
            // What the one socket has the other has not.
            assert!([status, StatusCode::NOT_FOUND].contains(&answer.status()), "{path}: {}", answer.status());
            let error: ApiError = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert!(error.message.contains(path), "{error:?}");
        }
    }
}
