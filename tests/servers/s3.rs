//! S3 against stores of others: moto, which keeps to conditions; rclone, which serves a folder; and s3s-fs, which checks every signature.

use std::{fs, path::Path, process::Command};

use afterglow_model::{Connector, DestinationConfig, Evidence, FailureCode};
use afterglow_tests::{
    proxy::Proxy,
    servers::{self, Running, program},
};
use afterglow_transfer::{Account, Outcome};

use crate::sending::{MIB, Sender};

const BUCKET: &str = "pictures";
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "canary+secret/key";

async fn moto() -> Option<Running> {
    program("aws")?;
    servers::moto(BUCKET).await.unwrap()
}

async fn s3s_fs(folder: &Path) -> Option<Running> {
    program("aws")?;
    let program = program("s3s-fs")?;
    fs::create_dir(folder.join(BUCKET)).unwrap();
    let running = Running::start(|port| {
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--access-key", KEY, "--secret-key", SECRET]).arg(folder);
        command
    });
    Some(running.await.unwrap())
}

/// rclone as a server.
async fn rclone(folder: &Path) -> Option<Running> {
    program("aws")?;
    let program = program("rclone")?;
    fs::create_dir(folder.join(BUCKET)).unwrap();
    let running = Running::start(|port| {
        let mut command = Command::new(program);
        command.args(["serve", "s3", "--config", "/dev/null", "--auth-key", &format!("{KEY},{SECRET}")]);
        command.args(["--addr", &format!("127.0.0.1:{port}")]).arg(folder);
        command
    });
    Some(running.await.unwrap())
}

fn account(origin: &str) -> Account {
    let config =
        DestinationConfig { user: Some(KEY.to_owned()), folder: Some("Photos, mine".to_owned()), ..DestinationConfig::default() };
    let url = format!("{}/{BUCKET}", origin.trim_end_matches('/'));
    Account { config, secret: Some(SECRET.to_owned()), ..Account::at(url.parse().unwrap()) }
}

/// What Amazon's own client reads there; none if it finds nothing.
fn read(server: &Running, remote_id: &str) -> Option<Vec<u8>> {
    let path = remote_id.split_once(&format!("/{BUCKET}/")).unwrap().1;
    // Everything that this decoding has a meaning for is encoded in a path of ours.
    let (key, _) = url::form_urlencoded::parse(path.as_bytes()).next().unwrap();
    let into = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(program("aws").unwrap());
    command.args(["--endpoint-url", &server.origin(), "--region", "us-east-1", "s3api", "get-object", "--bucket", BUCKET]);
    command.args(["--checksum-mode", "ENABLED", "--key", &key]).arg(into.path());
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_CONFIG_FILE", "/dev/null");
    let done = command.output().unwrap();
    done.status.success().then(|| fs::read(into.path()).unwrap())
}

/// Files of every size and of difficult names, each twice, and two of one name.
async fn everything_arrives(server: &Running, small: Evidence, large: Evidence) {
    let mut sender = Sender::new(Connector::S3, account(&server.origin()));
    let files = [("empty.jpg", 0), ("a.jpg", 1), ("Grüße, 写真 + (1) & 'more'.jpg", 30_000), ("film.mov", 21 * MIB + 13)];
    for (name, bytes) in files {
        let (order, content) = sender.file(name, bytes);
        let delivered = sender.deliver(&order).await;
        let evidence = if bytes > MIB { large } else { small };
        assert_eq!(delivered.evidence, evidence, "{name}");
        assert!(read(server, &delivered.remote_id) == Some(content), "{name}");
        let again = sender.deliver(&order).await;
        assert_eq!((again.remote_id, again.evidence), (delivered.remote_id, evidence), "{name} again");
    }
    for bytes in [40_000, 9 * MIB] {
        let (order, content) = sender.file("a.jpg", bytes);
        let delivered = sender.deliver(&order).await;
        assert!(
            delivered.remote_id.ends_with(&format!("/2023/11/a%20%28{}%29.jpg", &order.sha256[..8])),
            "{}",
            delivered.remote_id
        );
        assert!(read(server, &delivered.remote_id) == Some(content));
    }
}

async fn a_broken_line_costs_little(server: &Running, evidence: Evidence) {
    let line = Proxy::start(&server.origin().parse().unwrap()).await.unwrap();
    let over = line.over(&server.origin().parse().unwrap()).unwrap();
    let mut sender = Sender::new(Connector::S3, account(over.as_str()));
    line.cut_at((1..=4).map(|n| n * 11 * MIB).collect());
    let (order, content) = sender.file("film.mov", 60 * MIB);
    let delivered = sender.deliver(&order).await;
    assert_eq!(delivered.evidence, evidence);
    assert!(read(server, &delivered.remote_id) == Some(content));
    assert_eq!(line.cuts(), 4);
    assert!(line.up() < 60 * MIB + 4 * 8 * MIB + MIB, "{} bytes went up", line.up());
}

async fn the_test_leaves_nothing(server: &Running, evidence: Evidence) {
    let sender = Sender::new(Connector::S3, account(&server.origin()));
    let tested = sender.transfer.test(Connector::S3, &sender.account).await.unwrap();
    assert_eq!(tested.capabilities.evidence, evidence);
    let left = format!("{}/{BUCKET}/Photos%2C%20mine/undated/Afterglow%20test.jpg", server.origin());
    assert_eq!(read(server, &left), None);
}

#[tokio::test]
async fn moto_takes_everything() {
    let Some(server) = moto().await else { return };
    // It keeps the checksum that it is told, and does not compare.
    everything_arrives(&server, Evidence::Sized, Evidence::Sized).await;
    a_broken_line_costs_little(&server, Evidence::Sized).await;
    the_test_leaves_nothing(&server, Evidence::Sized).await;

    let mut sender = Sender::new(Connector::S3, account(&server.origin()));
    sender.account.url.set_path("nowhere");
    let (order, _) = sender.file("a.jpg", 1000);
    match sender.attempt(&order).await {
        Outcome::Failed(failure) => assert!(failure.message.contains("no bucket"), "{failure:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn s3s_fs_takes_everything() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = s3s_fs(folder.path()).await else { return };
    // It compares, but does not tell the checksums of parts.
    everything_arrives(&server, Evidence::Hashed, Evidence::Sized).await;
    a_broken_line_costs_little(&server, Evidence::Sized).await;
    the_test_leaves_nothing(&server, Evidence::Sized).await;
}

#[tokio::test]
async fn rclone_takes_everything() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = rclone(folder.path()).await else { return };
    everything_arrives(&server, Evidence::Sized, Evidence::Sized).await;
    a_broken_line_costs_little(&server, Evidence::Sized).await;
    the_test_leaves_nothing(&server, Evidence::Sized).await;
}

#[tokio::test]
async fn s3s_fs_takes_nothing_with_a_wrong_secret() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = s3s_fs(folder.path()).await else { return };
    let mut sender = Sender::new(Connector::S3, account(&server.origin()));
    sender.account.secret = Some("wrong".to_owned());
    let (order, _) = sender.file("a.jpg", 1000);
    match sender.attempt(&order).await {
        Outcome::Failed(failure) => assert_eq!(failure.code, FailureCode::AuthenticationRequired, "{failure:?}"),
        other => panic!("{other:?}"),
    }
    assert!(!fs::exists(folder.path().join(BUCKET).join("Photos, mine")).unwrap());
}
