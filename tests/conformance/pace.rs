//! Stopping, going on, and the cap.

use afterglow_tests::fault_server::{Fault, Step};
use afterglow_transfer::Outcome;

use crate::rig::{MIB, Rig};

#[tokio::test]
async fn a_stop_is_obeyed_at_once_and_the_rest_comes_later() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 16 * MIB);
    rig.transfer.set_bandwidth(Some(4 * MIB));
    let stop = async {
        rig.server.payload_reaches(MIB).await;
        rig.cancel.cancel();
        rig.transfer.bytes_sent()
    };
    let (outcome, sent) = tokio::join!(rig.deliver(&order), stop);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(rig.transfer.bytes_sent() <= sent + 256 * 1024);
    assert_eq!(rig.server.truth().count(Step::Cancel), 0, "the session is kept");

    let mut rig = rig;
    rig.cancel = tokio_util::sync::CancellationToken::new();
    rig.transfer.set_bandwidth(None);
    rig.delivered(&rig.again(&order)).await;
    let truth = rig.stored_once(&order);
    assert!(truth.payload_bytes <= order.byte_count + 256 * 1024, "{}", truth.payload_bytes);
    assert_eq!(truth.count(Step::Create), 1);
}

#[tokio::test]
async fn a_stop_while_the_line_is_silent_is_obeyed() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 8 * MIB);
    rig.server.fail(Step::Append, Fault::HoldAfterBytes(MIB));
    let stop = async {
        rig.server.payload_reaches(MIB).await;
        rig.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(rig.deliver(&order), stop);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(rig.again(&order).session.is_some());
}

#[tokio::test]
async fn a_cap_can_be_lifted_while_a_transfer_waits_under_it() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 24 * MIB);
    // At this rate the file would take longer than any test may.
    rig.transfer.set_bandwidth(Some(64 * 1024));
    let lift = async {
        rig.server.payload_reaches(1).await;
        assert!(rig.transfer.bytes_sent() < MIB);
        rig.transfer.set_bandwidth(None);
    };
    tokio::join!(rig.delivered(&order), lift);
    rig.stored_once(&order);
}

#[tokio::test]
async fn a_cap_applies_to_a_transfer_that_is_under_way() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 64 * MIB);
    rig.server.fail(Step::Append, Fault::HoldAfterBytes(MIB));
    let cap_and_stop = async {
        rig.server.payload_reaches(MIB).await;
        rig.transfer.set_bandwidth(Some(1));
        rig.server.release();
        // What the line had taken before arrives; of the rest, not even one append does.
        rig.server.payload_reaches(rig.transfer.bytes_sent()).await;
        rig.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(rig.deliver(&order), cap_and_stop);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(rig.server.truth().payload_bytes <= 4 * MIB);
}
