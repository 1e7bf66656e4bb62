//! What needs the person, and what goes on meanwhile.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use afterglow_model::{DestinationState, Home, Status, WaitingReason};
use afterglow_tests::{
    fault_server::{Fault, FaultServer, Step, Traits},
    stage::{Stage, photo},
};

#[tokio::test]
async fn a_wrong_token_is_told_before_anything_is_added() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let words = ["destination", "add", "resumable", archive.url.as_str(), "--name", "Archive", "--token-stdin"];
    let said = stage.cli_reading(&words, "wrong\n").await.unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("did not accept the password"), "{said:?}");
    assert_eq!(stage.asks(&["destination", "list"]).await.unwrap(), serde_json::json!([]));
}

#[tokio::test]
async fn a_token_that_holds_no_more_stops_its_destination_alone() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let other = stage.receiver("other").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    stage.destination("Other", &other.url).await.unwrap();
    let archive = archive.again(&stage, "another token").await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Archive"]).await.unwrap();
    stage.does(&["add", "one.jpg", "--to", "Other"]).await.unwrap();

    let waited = stage.cli(&["wait", "--timeout", "60s"]).await.unwrap();
    assert_eq!(waited.code, Some(3), "{waited:?}");
    assert_eq!((archive.files().unwrap().len(), other.files().unwrap().len()), (0, 1));
    let list = stage.asks(&["destination", "list"]).await.unwrap();
    let state = list.as_array().unwrap().iter().find(|destination| destination["name"] == "Archive").unwrap()["state"].clone();
    assert_eq!(state, serde_json::to_value(DestinationState::AuthRequired).unwrap());

    let again = stage.cli_reading(&["destination", "sign-in", "Archive"], "another token").await.unwrap();
    assert_eq!(again.code, Some(0), "{again:?}");
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
}

/// A home of its own never asks for a keyring; the home of a person does.
#[tokio::test]
async fn without_a_keyring_what_needs_no_password_goes_on() {
    let mut stage = Stage::empty().unwrap();
    let folder = |name: &str| {
        fs::create_dir(stage.path(name)).unwrap();
        fs::set_permissions(stage.path(name), Permissions::from_mode(0o700)).unwrap();
        stage.path(name).to_str().unwrap().to_owned()
    };
    let mut environment = vec![("AFTERGLOW_HOME", String::new()), ("HOME", folder("person")), ("XDG_RUNTIME_DIR", folder("run"))];
    environment.extend(["XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|name| (name, String::new())));
    let value = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    stage.home = Home::resolve(None, value).unwrap();
    stage.environment = environment;
    stage.serve().await.unwrap();
    fs::create_dir(stage.path("drive")).unwrap();
    stage.does(&["destination", "add", "folder", "drive", "--name", "Drive"]).await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Drive"]).await.unwrap();
    stage.delivered().await.unwrap();
}

/// Behind a proxy, a server that restarts is an address with nothing at it.
#[tokio::test]
async fn a_server_that_is_away_behind_its_proxy_holds_up_nothing_for_good() {
    let stage = Stage::new().await.unwrap();
    let server = FaultServer::start(Traits { digests: true, ..Traits::default() }).await.unwrap();
    stage.destination("Home", &server.url().parse().unwrap()).await.unwrap();
    for (name, seed) in [("one.jpg", 1), ("two.jpg", 2)] {
        photo(&stage.path(name), seed, 30_000).unwrap();
    }
    stage.does(&["add", "one.jpg", "--to", "Home"]).await.unwrap();
    stage.delivered().await.unwrap();
    let nothing_here = Fault::Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned());
    for step in [Step::Whole, Step::Create] {
        server.always(step, nothing_here.clone());
    }
    stage.does(&["add", "two.jpg", "--to", "Home"]).await.unwrap();
    let comes_again = |status: &Status| status.waiting.iter().any(|group| group.reason == WaitingReason::Backoff);
    stage.until_status("the next attempt", comes_again).await.unwrap();
}

#[tokio::test]
async fn a_file_that_may_not_be_read_holds_up_no_other() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: a file that may not be read, for root may read every file");
        return;
    }
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    photo(&stage.path("secret.jpg"), 2, 30_000).unwrap();
    fs::set_permissions(stage.path("secret.jpg"), Permissions::from_mode(0o000)).unwrap();
    let said = stage.cli(&["add", "one.jpg", "secret.jpg", "--to", "Archive"]).await.unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("may not be read"), "{said:?}");
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
}

#[tokio::test]
async fn a_folder_that_is_away_is_waited_for() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let destination = stage.destination("Archive", &archive.url).await.unwrap();
    stage.does(&["pause"]).await.unwrap();
    photo(&stage.photos().join("one.jpg"), 1, 30_000).unwrap();
    stage.library().await.unwrap();
    stage.rule(&destination).await.unwrap();
    stage.until_status("a job", |status| status.jobs.registered == 1).await.unwrap();

    fs::rename(stage.photos(), stage.path("away")).unwrap();
    stage.does(&["resume"]).await.unwrap();
    let waits = |status: &Status| status.waiting.iter().any(|group| group.reason == WaitingReason::SourceOffline);
    stage.until_status("a job that waits for its folder", waits).await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 0);

    fs::rename(stage.path("away"), stage.photos()).unwrap();
    stage.does(&["library", "scan"]).await.unwrap();
    stage.until_status("the delivery", |status| status.jobs.succeeded == 1).await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
}
