//! The model of Immich against Immich's own command line (`@immich/cli`, on Node): what its makers' client sends is taken, and what the
//! connector has sent is a duplicate to it.

#[path = "../conformance/connectors/immich/server.rs"]
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use afterglow_model::{Connector, Evidence};
use afterglow_tests::model_server::ModelServer;
use afterglow_transfer::Account;

use self::server::{ImmichServer, KEY};
use crate::{
    running::program,
    sending::{MIB, Sender},
};

/// The oldest Node that the command line runs on.
const NODE_MIN: u32 = 22;

/// Node and the command line, if both are there.
fn immich() -> Option<[PathBuf; 2]> {
    let (node, immich) = (program("node")?, program("immich")?);
    let version = Command::new(&node).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MIN) {
        println!("SKIPPED: Node {NODE_MIN} is not installed (./dev setup --servers)");
        return None;
    }
    Some([node, immich])
}

/// Uploads a folder as a person would who has the command line.
async fn upload([node, immich]: [PathBuf; 2], origin: &str, folder: &Path) -> Output {
    let mut command = Command::new(node);
    command
        .arg(immich)
        .args(["--url", &format!("{origin}/api"), "--key", KEY, "upload", "--recursive", "--no-progress"])
        .arg(folder)
        .env("IMMICH_CONFIG_DIR", folder.join(".config"))
        .stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    println!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_command_line_and_the_connector_mean_the_same() {
    let Some(immich) = immich() else { return };
    let server = ModelServer::start(ImmichServer::default()).await.unwrap();
    let account = Account { secret: Some(KEY.to_owned()), ..Account::at(server.origin().parse().unwrap()) };
    let mut sender = Sender::new(Connector::Immich, account);
    let folder = tempfile::tempdir().unwrap();
    let files = [("a.jpg", 1), ("Grüße.jpg", 30_000), ("film.mov", 5 * MIB + 13)];
    for (name, bytes) in files {
        let (_, content) = sender.file(name, bytes);
        fs::write(folder.path().join(name), content).unwrap();
    }

    let ran = upload(immich.clone(), &server.origin(), folder.path()).await;
    assert!(ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("uploaded 3 new assets"));
    assert_eq!(server.truth().objects.len(), 3);
    let (truth, ids) =
        (server.truth(), server.with(|server| server.assets.values().map(|asset| asset.id.clone()).collect::<Vec<_>>()));
    for (name, bytes) in files {
        let (order, content) = sender.file(name, bytes);
        assert!(truth.objects.iter().any(|object| object.bytes == content), "{name}");
        let delivered = sender.deliver(&order).await;
        assert!(delivered.evidence == Evidence::Hashed && ids.contains(&delivered.remote_id), "{name}: {delivered:?}");
    }
    assert_eq!(server.truth().objects.len(), 3);

    // And what the connector sends first, the command line does not send again.
    let (order, content) = sender.file("later.heic", 40_000);
    sender.deliver(&order).await;
    fs::write(folder.path().join("later.heic"), content).unwrap();
    let ran = upload(immich, &server.origin(), folder.path()).await;
    assert!(ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("Found 0 new files and 4 duplicates"));
    assert_eq!(server.truth().objects.len(), 4);
}
