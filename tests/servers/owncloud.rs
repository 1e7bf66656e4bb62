//! The model of a WebDAV server that states digests against a client of others: rclone, as it speaks to ownCloud.

#[path = "../conformance/connectors/webdav/server.rs"]
mod server;

use std::process::Command;

use afterglow_model::{Connector, DestinationConfig, Evidence};
use afterglow_tests::{model_server::ModelServer, servers::program};
use afterglow_transfer::Account;
use sha1::{Digest, Sha1};

use self::server::{ROOT, SECRET, USER, WebdavServer};
use crate::sending::{MIB, Sender};

#[tokio::test]
async fn rclone_reads_the_digests_that_we_believe() {
    let Some(program) = program("rclone") else { return };
    let model = WebdavServer { states_digests: true, ..WebdavServer::default() };
    let server = ModelServer::start(model).await.unwrap();
    let url = format!("{}{ROOT}/", server.origin());
    let config = DestinationConfig { user: Some(USER.to_owned()), folder: Some("phone".to_owned()), ..Default::default() };
    let account = Account { secret: Some(SECRET.to_owned()), config, ..Account::at(url.parse().unwrap()) };
    let mut sender = Sender::new(Connector::Webdav, account);
    let mut contents = Vec::new();
    for (name, bytes) in [("a.jpg", 30_000), ("film.mov", 3 * MIB)] {
        let (order, content) = sender.file(name, bytes);
        assert_eq!(sender.deliver(&order).await.evidence, Evidence::Hashed, "{name}");
        contents.push((name, content));
    }
    let obscured = Command::new(&program).args(["obscure", SECRET]).output().unwrap().stdout;
    let mut command = Command::new(&program);
    command
        .args(["hashsum", "sha1", "cloud:phone/2023/11"])
        .args(["--config", "/dev/null", "--retries", "1", "--low-level-retries", "1"])
        .env("RCLONE_CONFIG_CLOUD_TYPE", "webdav")
        .env("RCLONE_CONFIG_CLOUD_VENDOR", "owncloud")
        .env("RCLONE_CONFIG_CLOUD_URL", url)
        .env("RCLONE_CONFIG_CLOUD_USER", USER)
        .env("RCLONE_CONFIG_CLOUD_PASS", String::from_utf8_lossy(&obscured).trim());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    for (name, content) in contents {
        let digest: String = Sha1::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(said.contains(&format!("{digest}  {name}")), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
}
