//! Another computer: found in the local network, paired by the code that it shows.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
};

use afterglow_model::shown_fingerprint;
use afterglow_tests::{
    process::afterglow,
    stage::{Stage, files_below, photo, same},
    tls::TlsFront,
};
use axum::{Router, extract::Request, response::IntoResponse};
use tokio::net::TcpListener;
use url::Url;

/// A receiver that announces itself, and what it shows.
struct Other {
    child: Child,
    dir: PathBuf,
    url: String,
    fingerprint: String,
    code: String,
}

impl Other {
    fn start(stage: &Stage, name: &str) -> Self {
        Self::at(stage, name, "127.0.0.1:0")
    }

    fn at(stage: &Stage, name: &str, listen: &str) -> Self {
        let dir = stage.path("other computer");
        let mut command = stage.command(&afterglow().unwrap());
        command.arg("receive").arg("--dir").arg(&dir).args(["--listen", listen, "--announce", name]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut said = |start: &str| {
            let line = lines.by_ref().find(|line| line.starts_with(start)).unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        };
        let (url, fingerprint, code) = (said("Senders use"), said("and trust the certificate"), said("Code for one computer"));
        // What it says later must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, dir, url, fingerprint, code }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.end();
    }
}

/// Somebody on the way to a receiver, who hands on what comes, unencrypted. Tells where.
async fn somebody_between(receiver: &Other) -> Url {
    let receiver = Url::parse(&receiver.url).unwrap();
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/files", listener.local_addr().unwrap());
    let hand_on = async move |request: Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 4096).await.unwrap();
        let to = receiver.join(parts.uri.path()).unwrap();
        let answer = client.request(parts.method, to).header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap()).into_response()
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(hand_on)).into_future());
    Url::parse(&url).unwrap()
}

/// Host and port of a URL.
fn address(url: &str) -> String {
    Url::parse(url).unwrap().authority().to_owned()
}

fn another(code: &str) -> &'static str {
    if code.starts_with('0') { "1000-0000" } else { "0000-0000" }
}

#[tokio::test]
async fn a_computer_is_paired_by_its_url_and_gets_photos() {
    let stage = Stage::new().await.unwrap();
    let other = Other::start(&stage, "Paired by URL");
    let add = |code| ["destination", "add", "receiver", &other.url, "--name", "Other", "--code", code].map(str::to_owned);
    let run = async |code| {
        let words = add(code);
        stage.cli(&words.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap()
    };
    let wrong = run(another(&other.code)).await;
    assert!(wrong.code == Some(1) && wrong.err.contains("not the code"), "{wrong:?}");
    let nonsense = run("12").await;
    assert!(nonsense.code == Some(1) && nonsense.err.contains("eight digits"), "{nonsense:?}");
    let right = run(&other.code).await;
    assert_eq!(right.code, Some(0), "{right:?}");
    let config = &stage.asks(&["destination", "list"]).await.unwrap()[0]["config"];
    assert_eq!(shown_fingerprint(config["certificate"].as_str().unwrap()), other.fingerprint);
    assert!(other.url.starts_with("https://") && config["cleartext"] == false, "{config}");

    let film = stage.path("film.mp4");
    photo(&film, 1, 3_000_000).unwrap();
    stage.does(&["add", "film.mp4", "--to", "Other"]).await.unwrap();
    stage.delivered().await.unwrap();
    let stored = files_below(&other.dir).unwrap();
    assert!(same(&stored["film.mp4"], &film).unwrap());
    stage.does(&["destination", "remove", "Other"]).await.unwrap();
    let again = run(&other.code).await;
    assert!(again.code == Some(1) && again.err.contains("no valid code"), "{again:?}");
}

#[tokio::test]
async fn nobody_can_stand_between_while_a_computer_is_paired() {
    let stage = Stage::new().await.unwrap();
    let mut other = Other::start(&stage, "Between");
    let unencrypted = somebody_between(&other).await;
    let front = TlsFront::start(&unencrypted).await.unwrap();
    for url in [front.over(&unencrypted).unwrap(), unencrypted] {
        let refused = stage.cli(&["destination", "add", "receiver", url.as_str(), "--name", "Other", "--code", &other.code]).await;
        let refused = refused.unwrap();
        assert!(refused.code == Some(1) && refused.err.contains("stands between"), "{refused:?}");
        assert_eq!(stage.asks(&["destination", "list"]).await.unwrap(), serde_json::json!([]));
        // That code is used up.
        other.end();
        other = Other::at(&stage, "Between", &address(&other.url));
    }
    let open = other.url.replace("https", "http");
    let refused = stage.cli(&["destination", "add", "receiver", &open, "--name", "Other", "--code", &other.code]).await.unwrap();
    assert!(refused.code == Some(1) && refused.err.contains("nothing unencrypted"), "{refused:?}");
}

#[tokio::test]
async fn a_computer_is_added_by_its_fingerprint_and_with_another_one_nothing_goes_there() {
    let stage = Stage::new().await.unwrap();
    let mut other = Other::start(&stage, "By hand");
    let token = fs::read_to_string(other.dir.join(".afterglow/token")).unwrap();
    let add = ["destination", "add", "resumable", &other.url, "--name", "Other", "--token-stdin"].map(str::to_owned);
    let add: Vec<&str> = add.iter().map(String::as_str).collect();
    let refused = stage.cli_reading(&add, &token).await.unwrap();
    assert!(refused.code == Some(1) && refused.err.contains(&other.fingerprint), "{refused:?}");
    assert!(refused.err.contains("made for Afterglow receiver"), "{refused:?}");
    let trusting: Vec<&str> = add.iter().copied().chain(["--trust-certificate", &other.fingerprint]).collect();
    let added = stage.cli_reading(&trusting, &token).await.unwrap();
    assert_eq!(added.code, Some(0), "{added:?}");
    for (seed, name) in [(1, "one.jpg"), (2, "two.jpg")] {
        photo(&stage.path(name), seed, 30_000).unwrap();
    }
    stage.does(&["add", "one.jpg", "--to", "Other"]).await.unwrap();
    stage.delivered().await.unwrap();

    other.end();
    let known = other.fingerprint.clone();
    other = Other::at(&stage, "By hand", &address(&other.url));
    assert_eq!(other.fingerprint, known);
    other.end();
    fs::remove_file(other.dir.join(".afterglow/certificate.pem")).unwrap();
    other = Other::at(&stage, "By hand", &address(&other.url));
    assert_ne!(other.fingerprint, known);
    stage.does(&["add", "two.jpg", "--to", "Other"]).await.unwrap();
    let waited = stage.cli(&["wait", "--timeout", "60s"]).await.unwrap();
    assert_eq!(waited.code, Some(3), "{waited:?}");
    let stopped = &stage.asks(&["destination", "list"]).await.unwrap()[0];
    assert_eq!(stopped["state"], "certificate_changed", "{stopped}");
    assert!(!files_below(&other.dir).unwrap().contains_key("two.jpg"));
    stage.does(&["destination", "trust", "Other", &other.fingerprint]).await.unwrap();
    stage.delivered().await.unwrap();
    assert!(same(&files_below(&other.dir).unwrap()["two.jpg"], &stage.path("two.jpg")).unwrap());
}

#[tokio::test]
async fn a_computer_is_found_and_paired_by_its_name() {
    let stage = Stage::new().await.unwrap();
    let name = format!("Küche {}", std::process::id());
    let other = Other::start(&stage, &name);
    let found = stage.asks(&["destination", "discover", "--timeout", "5s"]).await.unwrap();
    let Some(found) = found.as_array().unwrap().iter().find(|found| found["name"] == name.as_str()) else {
        println!("SKIPPED: multicast does not come back here");
        return;
    };
    assert_eq!(found["url"], other.url.as_str());
    let id = fs::read_to_string(other.dir.join(".afterglow/id")).unwrap();
    assert!(id.len() > 20 && found["id"].as_str().unwrap().len() > 20);
    stage.does(&["destination", "add", "receiver", &name, "--name", "Kitchen", "--code", &other.code]).await.unwrap();
    let listed = stage.does(&["destination", "list"]).await.unwrap();
    assert!(listed.contains("Kitchen") && listed.contains(&other.url), "{listed}");
}
