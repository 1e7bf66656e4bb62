//! The model of Nextcloud against clients of others: rclone, and Nextcloud's own `nextcloudcmd`. What they send is taken, and what the
//! connector has sent is the same file to them.

#[path = "../conformance/connectors/nextcloud/server.rs"]
mod server;

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use afterglow_model::{Connector, DestinationConfig, Evidence};
use afterglow_tests::{model_server::ModelServer, servers::program};
use afterglow_transfer::Account;

use self::server::{BASE, FILES, NextcloudServer, SECRET, USER, hex};
use crate::sending::{MIB, Sender};

/// Names and sizes that take each way through a client: in one request, and in parts.
const PHOTOS: [(&str, u64); 4] = [("empty.jpg", 0), ("a.jpg", 1), ("Grüße, 写真 #1.jpg", 30_000), ("film.mov", 21 * MIB + 13)];

fn account(origin: &str) -> Account {
    let config = DestinationConfig { user: Some(USER.to_owned()), folder: Some("Photos".to_owned()), ..Default::default() };
    Account { secret: Some(SECRET.to_owned()), config, ..Account::at(format!("{origin}{BASE}").parse().unwrap()) }
}

/// Runs a program of others beside the server.
async fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Delivers the photos, and leaves them in the sender's folder.
async fn deliver(origin: &str) -> Sender {
    let mut sender = Sender::new(Connector::Nextcloud, account(origin));
    for (name, bytes) in PHOTOS {
        let (order, _) = sender.file(name, bytes);
        assert_eq!(sender.deliver(&order).await.evidence, Evidence::Hashed, "{name}");
    }
    sender
}

fn photos(folder: &Path) {
    for (name, bytes) in PHOTOS {
        let content: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
        fs::write(folder.join(name), content).unwrap();
    }
}

/// The digests of the files in a folder.
fn digests(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).filter(|entry| {
        let name = entry.file_name();
        entry.path().is_file() && !name.to_string_lossy().starts_with('.')
    });
    let mut digests: Vec<String> = files.map(|entry| hex(&fs::read(entry.path()).unwrap())).collect();
    digests.sort();
    digests
}

fn rclone<S: AsRef<OsStr>>(program: &Path, origin: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let obscured = Command::new(program).args(["obscure", SECRET]).output().unwrap().stdout;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(["--config", "/dev/null", "--retries", "1", "--low-level-retries", "1"])
        .env("RCLONE_CONFIG_CLOUD_TYPE", "webdav")
        .env("RCLONE_CONFIG_CLOUD_VENDOR", "nextcloud")
        .env("RCLONE_CONFIG_CLOUD_URL", format!("{origin}{FILES}"))
        .env("RCLONE_CONFIG_CLOUD_USER", USER)
        .env("RCLONE_CONFIG_CLOUD_PASS", String::from_utf8_lossy(&obscured).trim());
    command
}

/// rclone sends parts as version 1 names them.
async fn lenient() -> ModelServer<NextcloudServer> {
    ModelServer::start(NextcloudServer { is_strict: false, ..NextcloudServer::default() }).await.unwrap()
}

#[tokio::test]
async fn rclone_is_served() {
    let Some(program) = program("rclone") else { return };
    let (server, folder) = (lenient().await, tempfile::tempdir().unwrap());
    photos(folder.path());
    let path = folder.path().to_str().unwrap();
    let output = run(rclone(&program, &server.origin(), ["copy", path, "cloud:Photos/of rclone"])).await;
    assert!(output.status.success(), "{}", said(&output));
    let truth = server.truth();
    let mut stored: Vec<String> = truth.objects.iter().map(|object| hex(&object.bytes)).collect();
    stored.sort();
    assert_eq!((stored, truth.leftovers), (digests(folder.path()), 0));
    assert!(truth.requests.iter().any(|request| request.method == "MOVE"), "it sent nothing in parts");
}

#[tokio::test]
async fn what_we_sent_is_the_same_to_rclone() {
    let Some(program) = program("rclone") else { return };
    let server = lenient().await;
    let sender = deliver(&server.origin()).await;
    let folder = sender.file("empty.jpg", 0).0.root;
    let arguments = ["check", "--download", folder.to_str().unwrap(), "cloud:Photos/2023/11"];
    let output = run(rclone(&program, &server.origin(), arguments)).await;
    assert!(output.status.success() && said(&output).contains("4 matching files"), "{}", said(&output));
}

fn nextcloudcmd(program: &Path, origin: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--non-interactive", "--user", USER, "--password", SECRET, "--path", "/Photos/2023/11"])
        .arg(folder)
        .arg(format!("{origin}{BASE}"))
        .env("QT_QPA_PLATFORM", "offscreen")
        .env("HOME", folder.parent().unwrap());
    command
}

#[tokio::test]
async fn nextcloud_s_own_client_is_served_and_gets_what_we_sent() {
    let Some(program) = program("nextcloudcmd") else { return };
    let server = ModelServer::start(NextcloudServer { is_strict: false, ..NextcloudServer::default() }).await.unwrap();
    let sender = deliver(&server.origin()).await;
    let sent = digests(&sender.file("empty.jpg", 0).0.root);
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("photos");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("theirs.jpg"), b"from the other side").unwrap();
    fs::write(folder.join("theirs.mov"), vec![7; 25 << 20]).unwrap();
    let output = run(nextcloudcmd(&program, &server.origin(), &folder)).await;
    let requests: Vec<String> =
        server.truth().requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert!(output.status.success(), "{}\n{}", said(&output), requests.join("\n"));
    let here = digests(&folder);
    assert!(here.len() == 6 && sent.iter().all(|digest| here.contains(digest)), "{}\n{}", said(&output), requests.join("\n"));
    let truth = server.truth();
    let mut stored: Vec<String> = truth.objects.iter().map(|object| hex(&object.bytes)).collect();
    stored.sort();
    assert_eq!((stored, truth.leftovers), (here, 0), "{}", requests.join("\n"));
}
