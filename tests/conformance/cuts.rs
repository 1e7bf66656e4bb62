//! Connections that break, at every place, and lines that go silent.

use std::time::Duration;

use afterglow_model::{Evidence, FailureCode};
use afterglow_tests::fault_server::{Fault, Step, Traits};
use afterglow_transfer::TransferOptions;

use crate::rig::{MIB, Rig, options};

#[tokio::test]
async fn a_file_arrives_once_and_is_verified() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 9 * MIB + 13);
    let delivered = rig.delivered(&order).await;
    assert_eq!(delivered.evidence, Evidence::Hashed);
    assert_eq!((delivered.byte_count, &delivered.sha256), (order.byte_count, &order.sha256));
    let truth = rig.stored_once(&order);
    assert_eq!(truth.payload_bytes, order.byte_count);
    assert_eq!(truth.objects[0].name, "a.jpg");
    assert_eq!(rig.transfer.bytes_sent(), order.byte_count);
    assert_eq!(*rig.memory.offsets.lock().unwrap(), [4 * MIB, 8 * MIB, order.byte_count], "checkpoints");
}

#[tokio::test]
async fn ten_cuts_in_one_file_cost_hardly_a_byte() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 44 * MIB);
    for n in 0..10 {
        rig.server.fail(Step::Append, Fault::CutAfterBytes(3 * MIB + n * 7919));
        rig.server.fail(Step::Append, Fault::CutAfterBytes(MIB / 2));
    }
    rig.delivered(&order).await;
    let truth = rig.stored_once(&order);
    // What the server took in; what it never read lay in buffers when the line was cut.
    assert!(truth.payload_bytes * 100 <= order.byte_count * 102, "{} of {}", truth.payload_bytes, order.byte_count);
    assert_eq!(*rig.memory.sessions_opened.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_cut_at_any_request_before_or_after_it_was_applied_makes_no_second_object() {
    for step in [Step::Create, Step::Ask, Step::Append, Step::Complete] {
        for fault in [Fault::CutBefore, Fault::CutAfter] {
            let rig = Rig::new().await;
            let order = rig.file("a.jpg", 6 * MIB);
            rig.server.fail(step, fault.clone());
            let delivered = rig.delivered(&order).await;
            assert_eq!(delivered.evidence, Evidence::Hashed, "{step:?} {fault:?}");
            let truth = rig.stored_once(&order);
            assert_eq!(truth.open_uploads, 0, "{step:?} {fault:?} left an upload behind");
            assert_eq!(truth.payload_bytes, order.byte_count, "{step:?} {fault:?} sent bytes twice");
        }
    }
}

#[tokio::test]
async fn a_lost_last_answer_is_asked_for_after_a_restart() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 2 * MIB);
    // Stored by the server, and then nobody is there any more: one answer before the end, none after it.
    rig.server.fail(Step::Ask, Fault::Nothing);
    rig.server.fail(Step::Complete, Fault::CutAfter);
    rig.server.always(Step::Ask, Fault::CutBefore);
    rig.failed(&order, FailureCode::ConnectionLost).await;
    rig.stored_once(&order);

    rig.server.always(Step::Ask, Fault::Nothing);
    assert_eq!(rig.delivered(&rig.again(&order)).await.evidence, Evidence::Hashed);
    let truth = rig.stored_once(&order);
    assert_eq!((truth.count(Step::Create), truth.payload_bytes), (1, order.byte_count));
}

#[tokio::test]
async fn after_a_crash_the_session_goes_on_where_the_server_is() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 20 * MIB);
    rig.server.fail(Step::Append, Fault::HoldAfterBytes(3 * MIB));
    {
        let delivery = rig.deliver(&order);
        tokio::pin!(delivery);
        tokio::select! {
            _ = &mut delivery => panic!("ended early"),
            () = rig.server.payload_reaches(3 * MIB) => {}
        }
        // Dropped in mid-flight, as a killed process is.
    }
    let session = rig.again(&order);
    assert!(session.session.is_some());
    rig.delivered(&session).await;
    let truth = rig.stored_once(&order);
    assert!(truth.payload_bytes <= order.byte_count + MIB, "{} of {}", truth.payload_bytes, order.byte_count);
    assert_eq!(truth.count(Step::Create), 1);
}

#[tokio::test]
async fn a_line_gone_silent_is_left_and_taken_up_again() {
    let stall = Duration::from_millis(300);
    let rig = Rig::with(Traits { digests: true, ..Traits::default() }, TransferOptions { stall, ..options() }).await;
    let order = rig.file("a.mov", 12 * MIB);
    rig.server.fail(Step::Append, Fault::HoldAfterBytes(MIB));
    rig.server.fail(Step::Append, Fault::HoldAfterBytes(2 * MIB));
    rig.delivered(&order).await;
    let truth = rig.stored_once(&order);
    assert!(truth.payload_bytes * 100 <= order.byte_count * 102, "{}", truth.payload_bytes);
}

#[tokio::test]
async fn a_server_that_is_gone_is_given_up_after_a_few_attempts() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 2 * MIB);
    rig.server.always(Step::Create, Fault::CutBefore);
    let failure = rig.failed(&order, FailureCode::ConnectionLost).await;
    assert!(failure.message.contains("127.0.0.1"), "{}", failure.message);
    assert!(rig.server.truth().requests.len() <= 5);
}

#[tokio::test]
async fn a_session_that_expired_is_begun_anew() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 6 * MIB);
    rig.server.fail(Step::Append, Fault::CutAfterBytes(MIB));
    rig.server.fail(Step::Ask, Fault::ForgetSession);
    rig.delivered(&order).await;
    let truth = rig.stored_once(&order);
    assert_eq!(truth.count(Step::Create), 2);
}

#[tokio::test]
async fn an_offset_that_goes_back_ends_the_session() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 10 * MIB);
    rig.server.fail(Step::Append, Fault::CutAfterBytes(5 * MIB));
    rig.server.fail(Step::Append, Fault::CutAfterBytes(MIB));
    rig.server.fail(Step::Ask, Fault::LoseAllBut(MIB));
    rig.delivered(&order).await;
    let truth = rig.stored_once(&order);
    assert_eq!((truth.count(Step::Create), truth.count(Step::Cancel), truth.open_uploads), (2, 1, 0));
}

#[tokio::test]
async fn a_stale_offset_is_corrected_by_the_servers() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 10 * MIB);
    rig.server.fail(Step::Append, Fault::CutAfterBytes(2 * MIB));
    let stale = "HTTP/1.1 204 No Content\r\nUpload-Offset: 0\r\nUpload-Complete: ?0\r\n\r\n";
    rig.server.fail(Step::Ask, Fault::Answer(stale.to_owned()));
    rig.delivered(&order).await;
    let truth = rig.stored_once(&order);
    assert_eq!(truth.count(Step::Create), 1);
}
