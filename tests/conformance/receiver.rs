//! The transfer against our own receiver, as the two are shipped.

use afterglow_model::{Connector, Evidence, FailureCode};
use afterglow_receiver::{Receiver, ReceiverOptions, SenderToken};
use afterglow_transfer::Account;

use crate::rig::{MIB, Rig};

/// A rig whose account is a receiver's, and the receiver.
async fn rig() -> (Rig, Receiver, tempfile::TempDir) {
    let storage = tempfile::tempdir().unwrap();
    let token = SenderToken { name: "laptop".to_owned(), token: "canary-token".to_owned() };
    let options =
        ReceiverOptions::new(storage.path().to_owned(), afterglow_receiver::Listen::Tcp(([127, 0, 0, 1], 0).into()), vec![token]);
    let receiver = afterglow_receiver::start(options).await.unwrap();
    let mut rig = Rig::new().await;
    let credential = ("Authorization".to_owned(), "Bearer canary-token".to_owned());
    rig.account = Account { headers: vec![credential], ..Account::at(receiver.url().parse().unwrap()) };
    (rig, receiver, storage)
}

#[tokio::test]
async fn small_and_large_files_arrive_verified_and_only_once() {
    let (rig, _receiver, storage) = rig().await;
    for (name, bytes) in [("empty.jpg", 0), ("small.jpg", 30_000), ("photo.jpg", 900_000), ("film.mov", 9 * MIB + 1)] {
        let order = rig.file(name, bytes);
        let delivered = rig.delivered(&order).await;
        assert_eq!(delivered.evidence, Evidence::Hashed, "{name}");
        assert_eq!(rig.delivered(&order).await.remote_id, delivered.remote_id, "{name} again");
        let path = delivered.remote_id.split_once("/objects/").unwrap().1;
        assert_eq!(std::fs::read(storage.path().join(path)).unwrap(), std::fs::read(rig.path(name)).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn a_test_upload_is_verified_and_removed() {
    let (rig, _receiver, _storage) = rig().await;
    let tested = rig.transfer.test(Connector::Resumable, &rig.account).await.unwrap();
    assert_eq!(tested.capabilities.evidence, Evidence::Hashed);
}

#[tokio::test]
async fn a_stranger_is_told_to_sign_in() {
    let (mut rig, _receiver, _storage) = rig().await;
    rig.account.headers[0].1 = "Bearer wrong".to_owned();
    for bytes in [1000, 3 * MIB] {
        let order = rig.file("a.jpg", bytes);
        rig.failed(&order, FailureCode::AuthenticationRequired).await;
    }
}
