//! WebDAV against two servers of others: WsgiDAV with Cheroot, which writes straight to the place that is named, and Apache's mod_dav.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use afterglow_model::{Connector, DestinationConfig, Evidence, FailureCode};
use afterglow_tests::{
    proxy::Proxy,
    servers::{self, DAV_SECRET, DAV_USER, Running, program},
};
use afterglow_transfer::{Account, Order, Outcome};
use tempfile::TempDir;

use crate::sending::{MIB, Sender};

/// A server and the folder that it serves.
struct Server {
    running: Running,
    folder: TempDir,
    /// The collection's path.
    path: &'static str,
}

impl Server {
    /// WsgiDAV.
    async fn wsgidav() -> Option<Self> {
        let wsgidav = program("wsgidav")?;
        let folder = tempfile::tempdir().unwrap();
        let (files, config) = (files(&folder), folder.path().join("wsgidav.json"));
        let settings = serde_json::json!({
            "provider_mapping": { "/dav": { "root": files } },
            "simple_dc": { "user_mapping": { "*": { DAV_USER: { "password": DAV_SECRET } } } },
            "http_authenticator": { "accept_basic": true, "accept_digest": false, "default_to_digest": false },
            "honor_mtime_header": true,
        });
        fs::write(&config, settings.to_string()).unwrap();
        let running = Running::start(|port| {
            let mut command = Command::new(wsgidav);
            command.arg("--config").arg(config).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            command
        });
        Some(Self { running: running.await.unwrap(), folder, path: "/dav/" })
    }

    /// Apache, in one process.
    async fn apache() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let running = servers::apache(folder.path(), &files(&folder)).await.unwrap()?;
        Some(Self { running, folder, path: "/" })
    }

    fn account(&self, origin: &str, read_back: bool) -> Account {
        let config = DestinationConfig {
            user: Some(DAV_USER.to_owned()),
            folder: Some("From phone".to_owned()),
            read_back,
            ..Default::default()
        };
        let url = format!("{}{}", origin.trim_end_matches('/'), self.path);
        Account { secret: Some(DAV_SECRET.to_owned()), config, ..Account::at(url.parse().unwrap()) }
    }

    fn sender(&self, read_back: bool) -> Sender {
        Sender::new(Connector::Webdav, self.account(&self.running.origin(), read_back))
    }

    /// Everything in the folder that photos of the tests belong to, by name.
    fn stored(&self) -> Vec<(String, Vec<u8>)> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("files/From phone/2023/11")) else { return Vec::new() };
        let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
        let mut stored: Vec<(String, Vec<u8>)> =
            paths.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())).collect();
        stored.sort();
        stored
    }
}

/// A folder that a server may write to, whoever it runs as.
fn files(folder: &TempDir) -> PathBuf {
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&files, fs::Permissions::from_mode(0o777)).unwrap();
    files
}

async fn files_of_every_size_and_name_arrive(server: &Server) {
    for read_back in [false, true] {
        let mut sender = server.sender(read_back);
        for (name, bytes) in
            [("empty.jpg", 0), ("a.jpg", 1), ("Grüße, 写真 a?b#c%20d&e=f+g.jpg", 30_000), ("film.mov", 21 * MIB + 13)]
        {
            let (order, content) = sender.file(name, bytes);
            let delivered = sender.deliver(&order).await;
            assert_eq!(delivered.evidence, if read_back { Evidence::ReadBack } else { Evidence::Sized }, "{name}");
            let held = server.stored();
            assert!(
                held.iter().any(|(_, bytes)| *bytes == content),
                "{name}: {:?}",
                held.iter().map(|(name, _)| name).collect::<Vec<_>>()
            );
        }
        assert_eq!(server.stored().len(), 4, "one file for each, also the second time");
    }
}

async fn two_files_of_one_name_and_size_are_both_kept(server: &Server) {
    let mut sender = server.sender(false);
    for bytes in [3000, 3 * MIB] {
        let (order, content) = sender.file("IMG_0001.jpg", bytes);
        sender.deliver(&order).await;
        let other: Vec<u8> = content.iter().map(|byte| !byte).collect();
        fs::write(order.root.join(&order.path), &other).unwrap();
        let sha256 = {
            use sha2::Digest;
            sha2::Sha256::digest(&other).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let second = Order { sha256: sha256.clone(), job_id: "second".into(), ..order };
        sender.deliver(&second).await;
        let stored = server.stored();
        let named = |wanted: &str| stored.iter().find(|(name, _)| name == wanted).map(|(_, bytes)| bytes);
        if bytes == 3000 {
            assert_eq!(named("IMG_0001.jpg"), Some(&content));
        }
        assert_eq!(named(&format!("IMG_0001 ({}).jpg", &sha256[..8])), Some(&other));
    }
    assert_eq!(server.stored().len(), 4);
}

async fn a_line_that_breaks_again_and_again_shows_no_torn_file(server: &Server) {
    let origin = server.running.origin();
    let line = Proxy::start(&origin.parse().unwrap()).await.unwrap();
    let over = line.over(&origin.parse().unwrap()).unwrap();
    let mut sender = Sender::new(Connector::Webdav, server.account(over.as_str(), false));
    line.cut_at([2, 5, 9].map(|n| n * MIB + 77).to_vec());
    let (order, content) = sender.file("film.mov", 6 * MIB);
    sender.deliver(&order).await;
    assert_eq!(line.cuts(), 3);
    assert_eq!(server.stored(), [("film.mov".to_owned(), content)]);
}

async fn the_test_of_a_destination_leaves_nothing(server: &Server) {
    let sender = server.sender(false);
    let tested = sender.transfer.test(Connector::Webdav, &sender.account).await.unwrap();
    assert_eq!(tested.capabilities.evidence, Evidence::Sized);
    let left = fs::read_dir(server.folder.path().join("files/From phone/undated")).unwrap();
    assert_eq!(left.filter(|entry| entry.as_ref().unwrap().path().is_file()).count(), 0);
}

async fn a_wrong_password_and_a_wrong_address_are_said(server: &Server) {
    let mut sender = server.sender(false);
    let (order, _) = sender.file("IMG_0001.jpg", 3000);
    let right = sender.account.clone();
    sender.account = Account { secret: Some("wrong".to_owned()), ..right.clone() };
    match sender.attempt(&order).await {
        Outcome::Failed(failure) => assert_eq!(failure.code, FailureCode::AuthenticationRequired),
        other => panic!("{other:?}"),
    }
    sender.account = Account { url: right.url.join("nowhere/").unwrap(), ..right };
    match sender.attempt(&order).await {
        Outcome::Failed(failure) => assert_eq!(failure.code, FailureCode::ProtocolUnsupported),
        other => panic!("{other:?}"),
    }
}

macro_rules! against {
    ($name:ident: $($case:ident)*) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $case() {
                    let Some(server) = super::Server::$name().await else { return };
                    super::$case(&server).await;
                }
            )*
        }
    };
}

against!(wsgidav:
    files_of_every_size_and_name_arrive
    two_files_of_one_name_and_size_are_both_kept
    a_line_that_breaks_again_and_again_shows_no_torn_file
    the_test_of_a_destination_leaves_nothing
    a_wrong_password_and_a_wrong_address_are_said
);

against!(apache:
    files_of_every_size_and_name_arrive
    two_files_of_one_name_and_size_are_both_kept
    a_line_that_breaks_again_and_again_shows_no_torn_file
    the_test_of_a_destination_leaves_nothing
    a_wrong_password_and_a_wrong_address_are_said
);

#[tokio::test]
async fn a_date_is_kept() {
    let Some(server) = Server::wsgidav().await else { return };
    let mut sender = server.sender(false);
    for bytes in [3000, 3 * MIB] {
        let (order, _) = sender.file(&format!("{bytes}.jpg"), bytes);
        sender.deliver(&order).await;
        let file = server.folder.path().join(format!("files/From phone/2023/11/{bytes}.jpg"));
        let modified = fs::metadata(file).unwrap().modified().unwrap();
        assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_700_000_000);
    }
}

/// rclone as a server, which computes digests of what it stores and states them as ownCloud does.
#[tokio::test]
async fn a_server_that_states_digests_proves_them() {
    let Some(rclone) = program("rclone") else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder);
    let running = Running::start(|port| {
        let mut command = Command::new(&rclone);
        command
            .args(["serve", "webdav", "--etag-hash", "SHA1", "--config", "/dev/null"])
            .args(["--addr", &format!("127.0.0.1:{port}"), "--user", DAV_USER, "--pass", DAV_SECRET])
            .arg(&files);
        command
    });
    let server = Server { running: running.await.unwrap(), folder, path: "/" };
    let mut sender = server.sender(false);
    for (name, bytes) in [("a.jpg", 30_000), ("b.jpg", 3 * MIB), ("c.jpg", 1)] {
        let (order, _) = sender.file(name, bytes);
        assert_eq!(sender.deliver(&order).await.evidence, Evidence::Hashed, "{name}");
    }
    assert_eq!(server.stored().len(), 3);
}
