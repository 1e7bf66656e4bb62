//! Files that change, vanish, or are not what they seem.

use std::{fs, io::Write};

use afterglow_model::{FailureClass, FailureCode};
use afterglow_tests::fault_server::{Fault, Step};
use afterglow_transfer::Order;

use crate::rig::{MIB, Rig, content};

/// Delivers, and does something to the file once the server has its first 2 MiB.
async fn changed_midway(change: impl FnOnce(&Rig)) {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 12 * MIB);
    rig.server.fail(Step::Append, Fault::HoldAfterBytes(2 * MIB));
    let meddler = async {
        rig.server.payload_reaches(2 * MIB).await;
        change(&rig);
        rig.server.release();
    };
    let (failure, ()) = tokio::join!(rig.failed(&order, FailureCode::SourceChanged), meddler);
    assert!(failure.message.contains("a.mov"), "{}", failure.message);
    let truth = rig.server.truth();
    assert!(truth.objects.is_empty(), "a mixture was stored");
    assert_eq!(truth.open_uploads, 0, "the spoilt session was left open");
    assert_eq!(truth.count(Step::Complete), 0);
    assert!(rig.again(&order).session.is_none());
}

#[tokio::test]
async fn a_file_appended_to_midway_is_never_stored() {
    changed_midway(|rig| {
        fs::File::options().append(true).open(rig.path("a.mov")).unwrap().write_all(b"more").unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_cut_short_midway_is_never_stored() {
    changed_midway(|rig| fs::File::options().write(true).open(rig.path("a.mov")).unwrap().set_len(MIB).unwrap()).await;
}

#[tokio::test]
async fn a_file_rewritten_in_place_with_its_time_set_back_is_never_stored() {
    changed_midway(|rig| {
        let path = rig.path("a.mov");
        let modified = path.metadata().unwrap().modified().unwrap();
        let mut other = content(12 * MIB);
        other.reverse();
        fs::write(&path, other).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_replaced_by_a_rename_midway_is_never_stored() {
    changed_midway(|rig| {
        fs::write(rig.path("new"), vec![1; 12 << 20]).unwrap();
        fs::rename(rig.path("new"), rig.path("a.mov")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_that_changed_between_two_attempts_is_not_resumed() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 8 * MIB);
    rig.server.fail(Step::Append, Fault::CutAfterBytes(3 * MIB));
    rig.server.fail(Step::Ask, Fault::Answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned()));
    rig.failed(&order, FailureCode::AuthenticationRequired).await;
    let mut other = content(8 * MIB);
    other.reverse();
    fs::write(rig.path("a.mov"), other).unwrap();
    let sent = rig.server.truth().payload_bytes;
    rig.failed(&rig.again(&order), FailureCode::SourceChanged).await;
    let truth = rig.server.truth();
    assert_eq!((truth.payload_bytes, truth.objects.len(), truth.open_uploads), (sent, 0, 0));
}

#[tokio::test]
async fn a_file_that_was_only_touched_between_two_attempts_is_sent_anew() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 8 * MIB);
    rig.server.fail(Step::Append, Fault::CutAfterBytes(3 * MIB));
    rig.server.fail(Step::Ask, Fault::Answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned()));
    rig.failed(&order, FailureCode::AuthenticationRequired).await;
    fs::write(rig.path("a.mov"), content(8 * MIB)).unwrap();
    rig.delivered(&rig.again(&order)).await;
    assert_eq!(rig.stored_once(&order).open_uploads, 0);
}

#[tokio::test]
async fn other_bytes_than_ordered_are_never_stored() {
    for bytes in [20_000, 3 * MIB] {
        let rig = Rig::new().await;
        let mut order = rig.file("a.jpg", bytes);
        order.sha256 = "ab".repeat(32);
        rig.failed(&order, FailureCode::SourceChanged).await;
        let truth = rig.server.truth();
        assert_eq!((truth.objects.len(), truth.open_uploads, truth.count(Step::Complete)), (0, 0, 0));
    }
}

#[tokio::test]
async fn what_is_not_a_file_beneath_its_root_is_refused_without_a_request() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 1000);
    let root = rig.path("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("real.jpg"), content(1000)).unwrap();
    std::os::unix::fs::symlink("../a.jpg", root.join("link.jpg")).unwrap();
    std::os::unix::fs::symlink("..", root.join("up")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo.jpg"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let at = |path: &str| Order { root: root.clone(), path: path.into(), ..order.clone() };

    for path in ["link.jpg", "up/a.jpg", "../a.jpg", "/etc/passwd", "fifo.jpg", "."] {
        let failure = rig.failed(&at(path), FailureCode::SourceUnreadable).await;
        assert_eq!(failure.class, FailureClass::Permanent, "{path}");
    }
    rig.failed(&at("gone.jpg"), FailureCode::SourceVanished).await;
    let offline = Order { root: rig.path("unplugged"), ..at("real.jpg") };
    assert_eq!(rig.failed(&offline, FailureCode::SourceOffline).await.class, FailureClass::Transient);
    assert!(rig.server.truth().requests.is_empty());

    rig.delivered(&at("real.jpg")).await;
}
