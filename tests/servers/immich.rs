//! The model of Immich against Immich's own command line (`@immich/cli`, on Node): what its makers' client sends is taken, and what the
//! connector has sent is a duplicate to it. And the connector's form against the parser that Immich's server uses.

#[path = "../conformance/connectors/immich/server.rs"]
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use afterglow_model::{Connector, Evidence};
use afterglow_tests::{
    model_server::ModelServer,
    servers::{Running, has_package, program, servers},
};
use afterglow_transfer::{Account, Order, Outcome, Sidecar};

use self::server::{ImmichServer, KEY};
use crate::sending::{MIB, Sender};

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
    fs::write(folder.path().join("a.xmp"), "<x:xmpmeta/>").unwrap();

    let ran = upload(immich.clone(), &server.origin(), folder.path()).await;
    assert!(ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("uploaded 3 new assets"));
    assert_eq!(server.truth().objects.len(), 3);
    let sidecars: Vec<_> = server.with(|server| server.assets.values().filter_map(|asset| asset.sidecar.clone()).collect());
    assert_eq!(sidecars, [b"<x:xmpmeta/>"]);
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

#[tokio::test]
async fn the_form_is_read_by_the_parser_that_immich_uses() {
    let Some(node) = program("node") else { return };
    if !has_package("multer") {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/immich.mjs");
    let running = Running::start(|port| {
        let mut command = Command::new(node);
        command.arg(script).arg(port.to_string()).env("SERVERS", servers());
        command
    });
    let server = running.await.unwrap();
    let account = Account { secret: Some(KEY.to_owned()), ..Account::at(server.origin().parse().unwrap()) };
    let mut sender = Sender::new(Connector::Immich, account);
    let files = [("empty.jpg", 0), ("a.jpg", 1), ("Grüße \"; name=x, 写真.jpg", 30_000), ("film.mov", 21 * MIB + 13)];
    for (name, bytes) in files {
        let (order, _) = sender.file(name, bytes);
        fs::write(order.root.join("sidecar.xmp"), b"<x:xmpmeta/>").unwrap();
        let order = Order { sidecar: Some(Sidecar { root: order.root.clone(), path: "sidecar.xmp".into() }), ..order };
        let delivered = sender.deliver(&order).await;
        assert_eq!(delivered.evidence, Evidence::Hashed, "{name}");
        assert_eq!(sender.deliver(&order).await.remote_id, delivered.remote_id, "{name}, again");
    }
    let (refused, _) = sender.file("notes.txt", 3 * MIB);
    match sender.attempt(&refused).await {
        Outcome::Failed(failure) => assert!(failure.message.contains("Unsupported file type notes.txt"), "{}", failure.message),
        other => panic!("{other:?}"),
    }
    let stored = reqwest::get(format!("{}/assets", server.origin())).await.unwrap().text().await.unwrap();
    let stored: Vec<serde_json::Value> = serde_json::from_str(&stored).unwrap();
    for ((name, bytes), asset) in files.into_iter().zip(stored) {
        assert_eq!(asset["filename"], name.replace('"', "_"));
        assert_eq!((&asset["size"], &asset["sidecar"]), (&bytes.into(), &12.into()));
        assert_eq!((&asset["type"], &asset["fileCreatedAt"]), (&"image/jpeg".into(), &"2023-11-14T22:13:20Z".into()));
    }
}
