//! Signing in in the browser: the person's browser is played by the test, the servers by models of them.

use std::{fs, net::SocketAddr, process::Stdio};

use afterglow_tests::{
    model_server::ModelServer,
    process::{Said, afterglow, until},
    stage::{Stage, photo},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};
use url::Url;

use crate::{
    google_server::{CLIENT, GoogleServer},
    nextcloud_server::{BASE, NextcloudServer, USER},
};

/// A command line that waits for the browser, and the page that it waits for.
async fn waiting(stage: &Stage, args: &[&str], input: &str) -> (Child, Url) {
    let mut command = stage.command(&afterglow().unwrap());
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Command::from(command).kill_on_drop(true).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let says_aside = args.contains(&"--json");
    let said = if says_aside { line(child.stderr.as_mut().unwrap()).await } else { line(child.stdout.as_mut().unwrap()).await };
    match said.strip_prefix("Sign in in your browser: ") {
        Some(page) => (child, page.parse().unwrap()),
        None => panic!("{args:?}: {said} {:?}", ended(child).await),
    }
}

async fn line(from: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = String::new();
    // A byte at a time: what follows is read by others.
    BufReader::with_capacity(1, from).read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

async fn ended(mut child: Child) -> Said {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.as_mut().unwrap().read_to_string(&mut out).await.unwrap();
    child.stderr.as_mut().unwrap().read_to_string(&mut err).await.unwrap();
    Said { code: child.wait().await.unwrap().code(), out, err }
}

/// The person opens the page and says yes.
async fn browse(page: &Url) -> String {
    let answer = reqwest::get(page.clone()).await.unwrap();
    assert!(answer.status().is_success(), "{page}: {}", answer.status());
    answer.text().await.unwrap()
}

async fn sends_a_photo(stage: &Stage, to: &str) {
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", to]).await.unwrap();
    stage.delivered().await.unwrap();
}

#[tokio::test]
async fn nextcloud_is_signed_in_to_and_out_of_again() {
    let stage = Stage::new().await.unwrap();
    let server = ModelServer::start(NextcloudServer::default()).await.unwrap();
    let url = format!("{}{BASE}", server.origin());
    let args = ["destination", "add", "nextcloud", &url, "--name", "Cloud", "--folder", "Photos", "--sign-in", "--no-browser"];
    let (child, page) = waiting(&stage, &args, "").await;
    browse(&page).await;
    let said = ended(child).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains(&format!("Signed in as {USER}.")) && said.out.contains("digest"), "{said:?}");

    sends_a_photo(&stage, "Cloud").await;
    let stored = server.truth().objects;
    assert_eq!(stored.iter().map(|object| object.bytes.clone()).collect::<Vec<_>>(), [fs::read(stage.path("one.jpg")).unwrap()]);

    // The same account again, and then no more.
    let (child, page) = waiting(&stage, &["destination", "sign-in", "Cloud", "--sign-in", "--no-browser"], "").await;
    browse(&page).await;
    assert_eq!(ended(child).await.code, Some(0));
    assert_eq!(server.with(|server| server.app_passwords.len()), 2);
    stage.does(&["destination", "remove", "Cloud"]).await.unwrap();
    assert_eq!(server.with(|server| server.app_passwords.clone()), ["made-0"]);
}

#[tokio::test]
async fn google_photos_is_signed_in_to_with_a_client_of_ones_own() {
    let stage = Stage::new().await.unwrap();
    let server = ModelServer::start(GoogleServer::default()).await.unwrap();
    let origin = server.origin();
    let add = ["--json", "destination", "add", "google-photos", &origin, "--name", "Google", "--no-browser"];
    let client = ["--client-id", CLIENT.0, "--client-secret-stdin", "--folder", "Holidays"];
    let (child, page) = waiting(&stage, &[add.as_slice(), &client].concat(), CLIENT.1).await;
    let shown = browse(&page).await;
    assert!(shown.contains("You can close this page"), "{shown}");
    let said = ended(child).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let added: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&added["destination"]["connector"], &added["test"]["capabilities"]["evidence"]),
        (&"google_photos".into(), &"accepted".into())
    );
    assert!(added["test"]["sentence"].as_str().unwrap().contains("proves nothing"), "{added}");

    sends_a_photo(&stage, "Google").await;
    server.with(|server| {
        assert_eq!(server.items.len(), 1);
        assert_eq!(server.items[0].bytes, fs::read(stage.path("one.jpg")).unwrap());
        assert!(server.items[0].album.as_ref().is_some_and(|album| server.albums[album] == "Holidays"));
    });
    let queue = fs::read(stage.home.data.join("queue.sqlite")).unwrap();
    let is_there = |secret: &str| queue.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(!is_there(CLIENT.1) && !is_there("1//refresh"), "a secret lies in the database");

    // Access is taken away; the client is known from before.
    server.with(|server| server.refresh_tokens.clear());
    let tested = stage.cli(&["destination", "test", "Google"]).await.unwrap();
    assert!(tested.code == Some(1) || tested.code == Some(0), "{tested:?}");
    let (child, page) = waiting(&stage, &["destination", "sign-in", "Google", "--no-browser"], "").await;
    browse(&page).await;
    assert_eq!(ended(child).await.code, Some(0));
}

#[tokio::test]
async fn a_sign_in_that_is_cancelled_leaves_nothing_open() {
    let stage = Stage::new().await.unwrap();
    let server = ModelServer::start(GoogleServer::default()).await.unwrap();
    let origin = server.origin();
    let args = ["destination", "add", "google-photos", &origin, "--name", "Google", "--no-browser", "--client-id", CLIENT.0];
    let (child, page) = waiting(&stage, &[args.as_slice(), &["--client-secret-stdin"]].concat(), CLIENT.1).await;
    let redirect = page.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1;
    let port: SocketAddr = redirect.strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap();
    // Somebody else's answer is none.
    assert_eq!(reqwest::get(format!("{redirect}?state=guessed&code=stolen")).await.unwrap().status(), 404);

    kill_process(Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap(), Signal::INT).unwrap();
    let said = ended(child).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("cancelled"), "{said:?}");
    until("a closed port", async || Ok(tokio::net::TcpStream::connect(port).await.err())).await.unwrap();
    assert_eq!(stage.asks(&["destination", "list"]).await.unwrap().as_array().unwrap().len(), 0);
}
