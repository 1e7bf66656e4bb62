//! tus against the tus project's own server (`@tus/server` with `@tus/file-store`, on Node), and tuspyserver, on Python.

use std::{fs, path::Path};

use afterglow_model::{Connector, Evidence, FailureCode};
use afterglow_tests::{
    proxy::Proxy,
    servers::{self, Running},
};
use afterglow_transfer::{Account, Outcome};

use tempfile::TempDir;

use crate::sending::{MIB, Sender};

/// The project's own server, with an empty folder.
async fn its_own() -> Option<(Running, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    servers::tus(folder.path(), 64 * MIB).await.unwrap().map(|server| (server, folder))
}

/// Each server that is installed. What became of a request that was cut, tuspyserver mostly lets go of, and only after half a minute: so lines
/// that break are for the other.
async fn each() -> Vec<(Running, TempDir)> {
    let mut all = Vec::from_iter(its_own().await);
    let folder = tempfile::tempdir().unwrap();
    all.extend(servers::tuspyserver(folder.path(), 64 * MIB).await.unwrap().map(|server| (server, folder)));
    all
}

fn account(origin: &str) -> Account {
    Account::at(format!("{}/files/", origin.trim_end_matches('/')).parse().unwrap())
}

/// The stored files: those beside which the store keeps a description.
fn stored(folder: &Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file() && path.extension().is_none()).map(|path| fs::read(path).unwrap()).collect()
}

#[tokio::test]
async fn files_of_every_size_and_name_arrive() {
    for (server, folder) in each().await {
        let mut sender = Sender::new(Connector::Tus, account(&server.origin()));
        for (name, bytes) in [("empty.jpg", 0), ("a.jpg", 1), ("Grüße, 写真.jpg", 30_000), ("film.mov", 21 * MIB + 13)] {
            let (order, content) = sender.file(name, bytes);
            let delivered = sender.deliver(&order).await;
            assert_eq!(delivered.evidence, Evidence::Sized, "{name}");
            let id = delivered.remote_id.rsplit('/').next().unwrap();
            assert_eq!(fs::read(folder.path().join(id)).unwrap(), content, "{name}");
        }
        assert_eq!(stored(folder.path()).len(), 4);
    }
}

#[tokio::test]
async fn a_line_that_breaks_again_and_again_costs_no_byte_twice() {
    let Some((server, folder)) = its_own().await else { return };
    let line = Proxy::start(&server.origin().parse().unwrap()).await.unwrap();
    let over = line.over(&server.origin().parse().unwrap()).unwrap();
    let mut sender = Sender::new(Connector::Tus, account(over.as_str().trim_end_matches('/')));
    line.cut_at((1..=6).map(|n| n * 3 * MIB + 77).collect());
    let (order, content) = sender.file("film.mov", 21 * MIB);
    sender.deliver(&order).await;
    assert_eq!(stored(folder.path()), [content]);
    assert_eq!(line.cuts(), 6);
    assert!(line.up() < 21 * MIB + 6 * MIB, "{} bytes went up", line.up());
}

#[tokio::test]
async fn a_session_that_the_server_lost_is_begun_anew_and_a_limit_is_said() {
    let Some((server, folder)) = its_own().await else { return };
    let line = Proxy::start(&server.origin().parse().unwrap()).await.unwrap();
    let over = line.over(&server.origin().parse().unwrap()).unwrap();
    let mut sender = Sender::new(Connector::Tus, account(over.as_str().trim_end_matches('/')));
    let (order, content) = sender.file("film.mov", 9 * MIB);
    // More cuts than one delivery bears.
    line.cut_at((0..8).map(|n| 5 * MIB + n * 1024).collect());
    while line.cuts() == 0 {
        let _ = sender.attempt(&order).await;
    }
    for entry in fs::read_dir(folder.path()).unwrap() {
        let _ = fs::remove_file(entry.unwrap().path());
    }
    sender.deliver(&order).await;
    assert_eq!(stored(folder.path()), [content]);

    let (order, _) = sender.file("too large.mov", 65 * MIB);
    match sender.attempt(&order).await {
        Outcome::Failed(failure) => assert_eq!(failure.code, FailureCode::PayloadTooLarge),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_test_of_a_destination_leaves_nothing() {
    for (server, folder) in each().await {
        let sender = Sender::new(Connector::Tus, account(&server.origin()));
        let tested = sender.transfer.test(Connector::Tus, &sender.account).await.unwrap();
        assert_eq!((tested.capabilities.evidence, tested.capabilities.max_size), (Evidence::Sized, Some(64 * MIB)));
        assert_eq!(stored(folder.path()), Vec::<Vec<u8>>::new());
    }
}
