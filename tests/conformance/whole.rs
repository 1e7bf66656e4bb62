//! Small files: one request each where a repeat is harmless, the careful way where it is not.

use afterglow_model::{Evidence, FailureCode};
use afterglow_tests::fault_server::{Fault, Step, Traits};

use crate::rig::{MIB, Rig, options};

#[tokio::test]
async fn a_small_file_is_one_request() {
    let rig = Rig::new().await;
    for n in 0..20 {
        let order = rig.file(&format!("{n}.jpg"), 20_000 + n);
        assert_eq!(rig.delivered(&order).await.evidence, Evidence::Hashed);
    }
    let truth = rig.server.truth();
    assert_eq!((truth.objects.len(), truth.requests.len()), (20, 21), "one probe, then one request a file");
    let request = truth.requests.last().unwrap();
    for (name, value) in [("upload-complete", "?1"), ("content-length", "20019"), ("upload-length", "20019")] {
        assert_eq!(request.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(request.headers["content-disposition"], "inline; filename*=UTF-8''19.jpg");
    assert_eq!(request.headers["last-modified"], "Tue, 14 Nov 2023 22:13:20 GMT");
    assert!(request.headers["repr-digest"].starts_with("sha-256=:") && request.headers["idempotency-key"].starts_with('"'));
}

#[tokio::test]
async fn a_repeat_after_a_lost_answer_makes_no_second_object() {
    for bytes in [1, 20_000, 300_000, MIB] {
        for fault in [Fault::CutBefore, Fault::CutAfter, Fault::CutAfterBytes(bytes / 2)] {
            let rig = Rig::new().await;
            let order = rig.file("a.jpg", bytes);
            rig.server.fail(Step::Whole, fault.clone());
            assert_eq!(rig.delivered(&order).await.evidence, Evidence::Hashed, "{bytes} {fault:?}");
            assert_eq!(rig.stored_once(&order).count(Step::Whole), 2);
        }
    }
}

#[tokio::test]
async fn the_same_job_again_is_answered_with_what_is_there() {
    for bytes in [20_000, 3 * MIB] {
        let rig = Rig::new().await;
        let order = rig.file("a.jpg", bytes);
        let first = rig.delivered(&order).await;
        let second = rig.delivered(&order).await;
        assert_eq!(first, second);
        assert_eq!(rig.server.truth().objects.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_checks_no_digest_gets_small_files_the_careful_way() {
    let rig = Rig::with(Traits::default(), options()).await;
    let order = rig.file("a.jpg", 20_000);
    assert_eq!(rig.delivered(&order).await.evidence, Evidence::Sized);
    let truth = rig.stored_once(&order);
    assert_eq!((truth.count(Step::Whole), truth.count(Step::Append), truth.count(Step::Complete)), (0, 1, 1));
}

#[tokio::test]
async fn an_empty_file_arrives_by_either_way() {
    for digests in [true, false] {
        let rig = Rig::with(Traits { digests, ..Traits::default() }, options()).await;
        let order = rig.file("empty.jpg", 0);
        rig.delivered(&order).await;
        rig.stored_once(&order);
    }
}

#[tokio::test]
async fn a_small_file_whose_stored_digest_is_wrong_is_not_delivered() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 20_000);
    rig.server.always(Step::Whole, Fault::WrongDigest);
    rig.failed(&order, FailureCode::DigestMismatch).await;
}

#[tokio::test]
async fn a_small_file_too_large_for_one_request_goes_in_parts() {
    let rig = Rig::with(Traits { digests: true, max_append_size: Some(200_000), ..Traits::default() }, options()).await;
    let order = rig.file("a.jpg", 900_000);
    rig.delivered(&order).await;
    assert_eq!(rig.stored_once(&order).count(Step::Append), 5);
}
