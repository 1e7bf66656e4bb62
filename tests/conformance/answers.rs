//! Servers that refuse, ask for patience, lie or are not there at all.

use afterglow_model::{Connector, Evidence, FailureClass, FailureCode};
use afterglow_tests::fault_server::{Fault, FaultServer, Step, Traits};

use crate::rig::{MIB, Rig, options};

fn answer(head: &str, body: &str) -> Fault {
    Fault::Answer(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

#[tokio::test]
async fn refusals_say_who_has_to_act() {
    let table = [
        ("401 Unauthorized", FailureCode::AuthenticationRequired, FailureClass::NeedsUser),
        ("403 Forbidden", FailureCode::AuthenticationRequired, FailureClass::NeedsUser),
        ("404 Not Found", FailureCode::ProtocolUnsupported, FailureClass::NeedsUser),
        ("405 Method Not Allowed", FailureCode::ProtocolUnsupported, FailureClass::NeedsUser),
        ("413 Content Too Large", FailureCode::PayloadTooLarge, FailureClass::Permanent),
        ("415 Unsupported Media Type", FailureCode::ServerRejected, FailureClass::Permanent),
        ("422 Unprocessable Content", FailureCode::ServerRejected, FailureClass::Permanent),
        ("500 Internal Server Error", FailureCode::ServerError, FailureClass::Transient),
        ("502 Bad Gateway", FailureCode::ServerError, FailureClass::Transient),
        ("507 Insufficient Storage", FailureCode::QuotaExceeded, FailureClass::NeedsUser),
        ("511 Network Authentication Required", FailureCode::CaptivePortal, FailureClass::Transient),
    ];
    for (status, code, class) in table {
        let rig = Rig::new().await;
        let order = rig.file("a.jpg", 2 * MIB);
        rig.server.always(Step::Create, answer(status, ""));
        let failure = rig.failed(&order, code).await;
        assert_eq!(failure.class, class, "{status}");
        assert!(failure.message.contains("127.0.0.1"), "{status}: {}", failure.message);
        assert_eq!(rig.server.truth().payload_bytes, 0, "{status}");
    }
}

#[tokio::test]
async fn patience_is_passed_on_and_nothing_is_tried_before() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let rig = Rig::new().await;
        let order = rig.file("a.jpg", 2 * MIB);
        rig.server.always(Step::Append, answer(&format!("{status}\r\nRetry-After: 120"), ""));
        let failure = rig.failed(&order, FailureCode::Throttled).await;
        assert_eq!(failure.retry_after_ms, Some(120_000));
        assert_eq!(rig.server.truth().count(Step::Append), 1);
        assert!(rig.again(&order).session.is_some(), "the session is kept for later");
    }
}

#[tokio::test]
async fn a_credential_that_runs_out_midway_keeps_the_session() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 10 * MIB);
    rig.server.fail(Step::Append, Fault::CutAfterBytes(2 * MIB));
    rig.server.fail(Step::Append, answer("401 Unauthorized", ""));
    rig.failed(&order, FailureCode::AuthenticationRequired).await;
    rig.delivered(&rig.again(&order)).await;
    let truth = rig.stored_once(&order);
    assert!(truth.payload_bytes * 100 <= order.byte_count * 102);
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_the_content_is_heard() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 10 * MIB);
    let full = "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
    rig.server.always(Step::Append, Fault::AnswerAfterBytes(MIB, full));
    rig.failed(&order, FailureCode::QuotaExceeded).await;
    assert!(rig.server.truth().objects.is_empty());
}

#[tokio::test]
async fn a_login_page_is_no_success() {
    let page = "<html>Welcome to our hotel</html>";
    for head in ["200 OK\r\nContent-Type: text/html; charset=utf-8", "302 Found\r\nLocation: http://login.example/"] {
        for step in [Step::Create, Step::Ask, Step::Append, Step::Complete] {
            let rig = Rig::new().await;
            let order = rig.file("a.jpg", 2 * MIB);
            rig.server.always(step, answer(head, page));
            let failure = rig.failed(&order, FailureCode::CaptivePortal).await;
            assert_eq!(failure.class, FailureClass::Transient);
            assert!(rig.server.truth().objects.is_empty());
        }
    }
}

#[tokio::test]
async fn nonsense_is_no_success() {
    let endless = "x".repeat(100_000);
    let table = [
        (Step::Create, answer("200 OK", "{}")),
        (Step::Create, answer("201 Created\r\nLocation: http://[", "")),
        (Step::Create, answer("201 Created\r\nLocation: /uploads/1", &endless)),
        (Step::Ask, answer("204 No Content\r\nUpload-Offset: -5\r\nUpload-Complete: ?0", "")),
        (Step::Ask, answer("204 No Content\r\nUpload-Complete: ?0", "")),
        (Step::Append, answer("200 OK\r\nUpload-Complete: ?1", "")),
        (Step::Complete, answer("200 OK\r\nUpload-Complete: ?0", "")),
        (Step::Complete, answer("200 OK", "ok")),
    ];
    for (step, fault) in table {
        let rig = Rig::new().await;
        let order = rig.file("a.jpg", 2 * MIB);
        rig.server.always(step, fault.clone());
        rig.failed(&order, FailureCode::UnexpectedAnswer).await;
        assert!(rig.server.truth().objects.is_empty(), "{step:?} {fault:?}");
    }
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 2 * MIB);
    rig.server.always(Step::Create, Fault::Answer("SSH-2.0-OpenSSH_9.6\r\n".to_owned()));
    rig.failed(&order, FailureCode::ConnectionLost).await;
}

#[tokio::test]
async fn praise_before_the_bytes_were_sent_is_no_success() {
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 16 * MIB);
    let praise = "HTTP/1.1 204 No Content\r\nUpload-Complete: ?0\r\nUpload-Offset: 4194304\r\n\r\n";
    rig.server.fail(Step::Append, Fault::AnswerAfterBytes(0, praise.to_owned()));
    rig.delivered(&order).await;
    rig.stored_once(&order);
}

#[tokio::test]
async fn a_digest_that_is_not_ours_is_never_called_delivered() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 2 * MIB);
    rig.server.fail(Step::Complete, Fault::WrongDigest);
    rig.failed(&order, FailureCode::DigestMismatch).await;

    // Before the end, damage is mended by another session.
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 2 * MIB);
    rig.server.fail(Step::Ask, Fault::WrongDigest);
    assert_eq!(rig.delivered(&order).await.evidence, Evidence::Hashed);
    assert_eq!(rig.stored_once(&order).count(Step::Cancel), 1);
}

#[tokio::test]
async fn a_verdict_on_the_whole_file_ends_the_job() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 2 * MIB);
    rig.server.fail(Step::Complete, answer("422 Unprocessable Content\r\nUpload-Complete: ?1", ""));
    let failure = rig.failed(&order, FailureCode::ServerRejected).await;
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(rig.again(&order).session.is_none());
    assert_eq!(rig.server.truth().open_uploads, 0);
}

#[tokio::test]
async fn the_servers_limits_are_kept() {
    let traits = Traits { digests: true, max_append_size: Some(MIB + 1), max_size: Some(6 * MIB), ..Traits::default() };
    let rig = Rig::with(traits, options()).await;
    let order = rig.file("a.jpg", 5 * MIB);
    rig.delivered(&order).await;
    let truth = rig.stored_once(&order);
    assert_eq!((truth.payload_bytes, truth.count(Step::Append)), (order.byte_count, 5));

    let order = rig.file("b.jpg", 7 * MIB);
    rig.failed(&order, FailureCode::PayloadTooLarge).await;
    assert_eq!(rig.server.truth().payload_bytes, 5 * MIB);
}

#[tokio::test]
async fn requests_shrink_for_a_proxy_that_takes_less_than_its_server() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 6 * MIB);
    rig.server.fail(Step::Append, answer("413 Content Too Large", ""));
    rig.server.fail(Step::Append, answer("413 Content Too Large", ""));
    rig.delivered(&order).await;
    assert_eq!(rig.stored_once(&order).count(Step::Append), 8);
}

#[tokio::test]
async fn the_credential_stays_with_its_origin() {
    let secret = "Bearer canary-7f3a";
    let elsewhere = FaultServer::start(Traits::default()).await.unwrap();
    let there = elsewhere.url();
    let table = [
        (Step::Create, format!("307 Temporary Redirect\r\nLocation: {there}")),
        (Step::Create, format!("201 Created\r\nUpload-Complete: ?0\r\nLocation: {there}")),
        (Step::Ask, format!("308 Permanent Redirect\r\nLocation: {there}")),
        (Step::Append, format!("307 Temporary Redirect\r\nLocation: {there}")),
        (Step::Complete, format!("302 Found\r\nLocation: {there}")),
    ];
    for (step, head) in table {
        let traits = Traits { digests: true, authorization: Some(secret.to_owned()), ..Traits::default() };
        let mut rig = Rig::with(traits, options()).await;
        rig.account.headers = vec![("Authorization".to_owned(), secret.to_owned())];
        let order = rig.file("a.jpg", 2 * MIB);
        rig.server.always(step, answer(&head, ""));
        let outcome = rig.deliver(&order).await;
        let said = format!("{outcome:?} {:?}", rig.account);
        assert!(said.contains("DestinationNotAllowed"), "{step:?}: {said}");
        assert!(!said.contains("canary"));
        assert!(rig.server.truth().objects.is_empty());
    }
    assert!(elsewhere.truth().requests.is_empty(), "something was sent elsewhere");
}

#[tokio::test]
async fn a_session_of_another_origin_is_not_taken_up() {
    let elsewhere = FaultServer::start(Traits::default()).await.unwrap();
    let rig = Rig::new().await;
    let order = rig.file("a.mov", 6 * MIB);
    rig.server.fail(Step::Append, answer("401 Unauthorized", ""));
    rig.failed(&order, FailureCode::AuthenticationRequired).await;
    let mut order = rig.again(&order);
    order.session.as_mut().unwrap().upload_url = elsewhere.url();
    rig.deliver(&order).await;
    assert!(elsewhere.truth().requests.is_empty());
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed() {
    let rig = Rig::new().await;
    let order = rig.file("a.jpg", 2 * MIB);
    rig.server.fail(Step::Create, answer("308 Permanent Redirect\r\nLocation: /files/", ""));
    rig.server.fail(Step::Append, answer("307 Temporary Redirect\r\nLocation: /uploads/1", ""));
    rig.delivered(&order).await;
    rig.stored_once(&order);
}

#[tokio::test]
async fn probe_and_test_say_what_a_server_proves_and_leave_nothing() {
    for (digests, evidence) in [(true, Evidence::Hashed), (false, Evidence::Sized)] {
        let traits = Traits { digests, max_size: Some(MIB), ..Traits::default() };
        let rig = Rig::with(traits, options()).await;
        let capabilities = rig.transfer.probe(Connector::Resumable, &rig.account).await.unwrap();
        assert_eq!((capabilities.evidence, capabilities.max_size, capabilities.resumable), (evidence, Some(MIB), true));
        let tested = rig.transfer.test(Connector::Resumable, &rig.account).await.unwrap();
        assert_eq!(tested.capabilities.evidence, evidence);
        let truth = rig.server.truth();
        assert!(truth.payload_bytes > 0, "nothing was really sent");
        assert!(truth.objects.is_empty() && truth.open_uploads == 0, "the test left something behind");
    }
}
