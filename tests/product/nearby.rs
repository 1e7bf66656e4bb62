//! Another computer: found in the local network, paired by the code that it shows.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
};

use afterglow_tests::{
    process::afterglow,
    stage::{Stage, files_below, photo, same},
};

/// A receiver that announces itself, and what it shows.
struct Other {
    child: Child,
    dir: PathBuf,
    url: String,
    code: String,
}

impl Other {
    fn start(stage: &Stage, name: &str) -> Self {
        let dir = stage.path("other computer");
        let mut command = stage.command(&afterglow().unwrap());
        command.arg("receive").arg("--dir").arg(&dir).args(["--listen", "127.0.0.1:0", "--announce", name]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut said = |start: &str| {
            let line = lines.by_ref().find(|line| line.starts_with(start)).unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        };
        let (url, code) = (said("Senders use"), said("Code for one computer"));
        // What it says later must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, dir, url, code }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
