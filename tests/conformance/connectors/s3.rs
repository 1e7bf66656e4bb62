//! A store by the Amazon S3 API Reference that checks every signature and every checksum, and the ways in which others differ.

mod store;

use std::pin::pin;

use afterglow_model::{Connector, DestinationConfig, Evidence, FailureClass, FailureCode, Layout};
use afterglow_tests::model_server::{Answer, Fault, Request};
use afterglow_transfer::{Account, Order, Outcome};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use self::store::{BUCKET, KEY_ID, REGION, Refuses, SECRET, Store, error, refusal};
use crate::{
    every::{Bench, Peer, conformance},
    rig::{MIB, Memory, content},
};

fn account_at(origin: &str) -> Account {
    let config = DestinationConfig {
        user: Some(KEY_ID.to_owned()),
        folder: Some("Photos of mine".to_owned()),
        region: Some(REGION.to_owned()),
        ..DestinationConfig::default()
    };
    Account { config, secret: Some(SECRET.to_owned()), ..Account::at(format!("{origin}/{BUCKET}").parse().unwrap()) }
}

/// As Amazon's own.
pub(crate) struct S3;

impl Peer for S3 {
    type Server = Store;
    const CONNECTOR: Connector = Connector::S3;
    const EVIDENCE: Evidence = Evidence::Hashed;
    const TRIES_OUT: bool = true;
    // A part: no server takes less.
    const RESENT_MAX: u64 = 5 * MIB;

    fn server() -> Store {
        Store { compares: true, conditions: true, ..Store::default() }
    }

    fn account(origin: &str) -> Account {
        account_at(origin)
    }
}

/// As stores that know neither checksums nor conditions.
pub(crate) struct Simple;

impl Peer for Simple {
    type Server = Store;
    const CONNECTOR: Connector = Connector::S3;
    const EVIDENCE: Evidence = Evidence::Sized;
    const TRIES_OUT: bool = true;
    // A part: no server takes less.
    const RESENT_MAX: u64 = 5 * MIB;

    fn server() -> Store {
        Store::default()
    }

    fn account(origin: &str) -> Account {
        account_at(origin)
    }
}

/// As Amazon's own, with files that are read while they are sent in one request.
pub(crate) struct Photos;

impl Peer for Photos {
    type Server = Store;
    const CONNECTOR: Connector = Connector::S3;
    const EVIDENCE: Evidence = Evidence::Hashed;
    const TRIES_OUT: bool = true;
    const LARGE: u64 = 3 * MIB + 13;

    fn server() -> Store {
        S3::server()
    }

    fn account(origin: &str) -> Account {
        account_at(origin)
    }
}

/// The same at stores that know neither checksums nor conditions.
pub(crate) struct SimplePhotos;

impl Peer for SimplePhotos {
    type Server = Store;
    const CONNECTOR: Connector = Connector::S3;
    const EVIDENCE: Evidence = Evidence::Sized;
    const TRIES_OUT: bool = true;
    const LARGE: u64 = Photos::LARGE;

    fn server() -> Store {
        Store::default()
    }

    fn account(origin: &str) -> Account {
        account_at(origin)
    }
}

/// With objects named by their content.
pub(crate) struct ByContent;

impl Peer for ByContent {
    type Server = Store;
    const CONNECTOR: Connector = Connector::S3;
    const EVIDENCE: Evidence = Evidence::Hashed;
    const TRIES_OUT: bool = true;
    // A part: no server takes less.
    const RESENT_MAX: u64 = 5 * MIB;

    fn server() -> Store {
        S3::server()
    }

    fn account(origin: &str) -> Account {
        let mut account = account_at(origin);
        account.config.layout = Layout::Content;
        account
    }
}

/// Each object is read back, from a store whose word is worth a size.
pub(crate) struct ReadBack;

impl Peer for ReadBack {
    type Server = Store;
    const CONNECTOR: Connector = Connector::S3;
    const EVIDENCE: Evidence = Evidence::ReadBack;
    const TRIES_OUT: bool = true;
    // A part: no server takes less.
    const RESENT_MAX: u64 = 5 * MIB;

    fn server() -> Store {
        Store::default()
    }

    fn account(origin: &str) -> Account {
        let mut account = account_at(origin);
        account.config.read_back = true;
        account
    }
}

mod read_back {
    use super::ReadBack;
    crate::every::cases! { ReadBack;
        files_of_every_size_arrive_once
        after_a_crash_at_any_request_it_goes_on
        the_same_twice_is_one_object
        the_test_of_a_destination_leaves_nothing
    }
}

/// As stores that refuse the header fields of checksums.
pub(crate) struct Bare;

impl Peer for Bare {
    type Server = Store;
    const CONNECTOR: Connector = Connector::S3;
    const EVIDENCE: Evidence = Evidence::Sized;
    const TRIES_OUT: bool = true;
    // A part: no server takes less.
    const RESENT_MAX: u64 = 5 * MIB;

    fn server() -> Store {
        Store { compares: true, conditions: true, refuses: Some(Refuses::Checksums), ..Store::default() }
    }

    fn account(origin: &str) -> Account {
        account_at(origin)
    }
}

mod bare {
    use super::Bare;
    crate::every::cases! { Bare;
        files_of_every_size_arrive_once
        every_request_may_fail_in_every_way
        after_a_crash_at_any_request_it_goes_on
        the_same_twice_is_one_object
        two_files_of_one_name_are_two_objects
        the_test_of_a_destination_leaves_nothing
        what_was_delivered_can_be_asked_for_again
    }
}

macro_rules! photos {
    ($name:ident, $peer:ident) => {
        mod $name {
            use super::$peer;
            crate::every::cases! { $peer;
                files_of_every_size_arrive_once
                every_request_may_fail_in_every_way
                after_a_crash_at_any_request_it_goes_on
                a_file_goes_on_at_another_address
                a_file_that_changes_is_never_a_mixture
                what_was_delivered_can_be_asked_for_again
            }
        }
    };
}

photos!(photos, Photos);
photos!(simple_photos, SimplePhotos);
conformance!(s3, S3);
conformance!(by_content, ByContent);
conformance!(simple, Simple);

async fn delivered<P: Peer>(bench: &Bench<P>, order: &Order) -> String {
    match bench.attempt(order).await {
        Outcome::Delivered(delivered) => {
            assert_eq!(delivered.evidence, P::EVIDENCE);
            delivered.remote_id
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_photo_lies_in_its_month_and_another_of_its_name_beside_it() {
    let bench = Bench::<S3>::new().await;
    let first = bench.file("IMG_0001.jpg", 20_000);
    let remote_id = delivered(&bench, &first).await;
    assert!(remote_id.ends_with("/pictures/Photos%20of%20mine/2023/11/IMG_0001.jpg"), "{remote_id}");
    let second = Order { job_id: "second".into(), ..bench.file("IMG_0001.jpg", 21 * MIB) };
    delivered(&bench, &second).await;
    let mut names: Vec<String> = bench.server.truth().objects.into_iter().map(|object| object.name).collect();
    names.sort();
    let suffixed = format!("Photos of mine/2023/11/IMG_0001 ({}).jpg", &second.sha256[..8]);
    assert_eq!(names, [suffixed.as_str(), "Photos of mine/2023/11/IMG_0001.jpg"]);
}

#[tokio::test]
async fn by_content_another_name_and_date_make_no_second_object() {
    for bytes in [20_000, 21 * MIB] {
        let bench = Bench::<ByContent>::new().await;
        let first = bench.file("IMG_0001.jpg", bytes);
        let remote_id = delivered(&bench, &first).await;
        let key = format!("/pictures/Photos%20of%20mine/sha256/{}/{}.jpg", &first.sha256[..2], first.sha256);
        assert!(remote_id.ends_with(&key), "{remote_id}");
        *bench.memory.session.lock().unwrap() = None;
        let content = bench.server.truth().content_bytes;
        let renamed = Order { job_id: "renamed".into(), filename: "Beach.JPG".to_owned(), created_ms: None, ..first.clone() };
        assert_eq!(delivered(&bench, &renamed).await, remote_id);
        let truth = bench.stored_once(&first, "under another name");
        // A small file is offered once more, and refused by its key (412); a larger one is asked for before.
        assert!(truth.content_bytes - content <= 20_000, "{} bytes", truth.content_bytes - content);
    }
}

#[tokio::test]
async fn what_is_read_back_must_be_what_was_sent() {
    // In one request, from memory and from the disk, and in parts.
    for bytes in [20_000, 3 * MIB, 21 * MIB] {
        let bench = Bench::<ReadBack>::new().await;
        bench.server.with(|server| server.damages = true);
        let failure = bench.failed(&bench.file("IMG_0001.jpg", bytes), FailureCode::DigestMismatch, "damaged").await;
        assert_eq!(failure.class, FailureClass::NeedsUser);
    }
}

#[tokio::test]
async fn no_signature_is_kept() {
    // Probe and question, and where it goes in parts the creation; then the content.
    for (bytes, put) in [(3 * MIB, 2), (21 * MIB, 3)] {
        let bench = Bench::<S3>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.fail(put, Fault::Answer(Answer::new("401 Unauthorized")));
        bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
        let session = bench.memory.session.lock().unwrap().clone().unwrap();
        let remote_id = delivered(&bench, &order).await;
        for kept in [&session.upload_url, &remote_id] {
            assert!(!kept.contains("X-Amz") && !kept.contains(SECRET) && !kept.contains(KEY_ID), "{kept}");
        }
    }
}

#[tokio::test]
async fn once_it_is_known_that_conditions_hold_a_photo_is_one_request() {
    let bench = Bench::<S3>::new().await;
    delivered(&bench, &bench.file("IMG_0001.jpg", 20_000)).await;
    let before = bench.server.truth().requests.len();
    *bench.memory.session.lock().unwrap() = None;
    delivered(&bench, &bench.file("IMG_0002.jpg", 20_001)).await;
    let truth = bench.server.truth();
    assert_eq!(truth.requests.len() - before, 1);
    let put = &truth.requests[before];
    assert_eq!((put.method.as_str(), put.header("if-none-match")), ("PUT", Some("*")));
}

#[tokio::test]
async fn a_photo_of_some_megabytes_is_a_question_and_one_request() {
    let bench = Bench::<S3>::new().await;
    delivered(&bench, &bench.file("IMG_0001.jpg", 20_000)).await;
    let before = bench.server.truth().requests.len();
    *bench.memory.session.lock().unwrap() = None;
    let order = bench.file("IMG_0002.jpg", 3 * MIB);
    delivered(&bench, &order).await;
    let requests = bench.server.truth().requests.split_off(before);
    let methods: Vec<&str> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["HEAD", "PUT"]);
    let digest = STANDARD.encode(Sha256::digest(content(order.byte_count)));
    assert_eq!(requests[1].header("x-amz-checksum-sha256"), Some(digest.as_str()));
    assert_eq!((requests[1].header("if-none-match"), requests[1].header("content-type")), (Some("*"), Some("image/jpeg")));
}

#[tokio::test]
async fn a_refusal_that_comes_with_200_is_no_delivery() {
    let bench = Bench::<S3>::new().await;
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    let refused = refusal("200 OK", "InternalError", "");
    // Probe, question, creation, five parts, three pages of the list, question; then the completion.
    bench.server.fail(12, Fault::Answer(refused));
    delivered(&bench, &order).await;
    let truth = bench.stored_once(&order, "refused with 200");
    let completions = truth.requests.iter().filter(|request| request.method == "POST" && request.query().contains_key("uploadId"));
    assert_eq!(completions.count(), 2);
}

#[tokio::test]
async fn an_upload_that_is_gone_was_completed_or_is_begun_anew() {
    let bench = Bench::<S3>::new().await;
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    bench.server.fail(5, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
    bench.server.with(|store| store.uploads.clear());
    delivered(&bench, &order).await;
    bench.stored_once(&order, "begun anew");

    let bench = Bench::<S3>::new().await;
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    bench.server.fail(12, Fault::CutAfter);
    bench.server.fail(13, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "after it was completed").await;
    let content = bench.server.truth().content_bytes;
    delivered(&bench, &order).await;
    let truth = bench.stored_once(&order, "completed before");
    assert!(truth.content_bytes - content < 1000, "it was sent again");
}

#[tokio::test]
async fn another_file_that_takes_the_key_meanwhile_is_kept() {
    async fn kept<P: Peer<Server = Store>>(bytes: u64, request: usize) {
        let bench = Bench::<P>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.fail(request, Fault::Answer(Answer::new("401 Unauthorized")));
        bench.failed(&order, FailureCode::AuthenticationRequired, "before the completion").await;
        bench.server.with(|store| store.put_by_another(&format!("{MONTH}/IMG_0001.jpg"), b"another's"));
        delivered(&bench, &order).await;
        let truth = bench.server.truth();
        assert_eq!((truth.objects.len(), truth.leftovers), (2, 0));
        assert!(truth.objects.iter().any(|object| object.bytes == b"another's"));
    }
    kept::<S3>(21 * MIB, 10).await;
    kept::<Simple>(21 * MIB, 10).await;
    // The request with the content: behind probe and question, and behind the probe's end where a server does not compare.
    kept::<S3>(3 * MIB, 2).await;
    kept::<Simple>(3 * MIB, 3).await;
}

const MONTH: &str = "Photos of mine/2023/11";

/// A job of its own, beside another.
async fn deliver<P: Peer>(bench: &Bench<P>, order: &Order, memory: &Memory) -> Outcome {
    let order = Order { session: memory.session.lock().unwrap().clone(), ..order.clone() };
    bench.transfer.deliver(P::CONNECTOR, &bench.account, &order, memory, memory, &CancellationToken::new()).await
}

/// A delivery that is left alone once the server has so many of its requests, until it is awaited again.
macro_rules! begun {
    ($bench:expr, $delivery:expr, $requests:expr) => {
        let reached = $bench.server.truth().requests.len() + $requests;
        tokio::select! {
            biased;
            () = $bench.server.requests_reach(reached) => {}
            outcome = &mut $delivery => panic!("it ended before: {outcome:?}"),
        }
    };
}

fn names<P: Peer<Server = Store>>(bench: &Bench<P>) -> Vec<(String, usize)> {
    bench.server.truth().objects.into_iter().map(|object| (object.name, object.bytes.len())).collect()
}

#[tokio::test]
async fn of_two_files_of_one_name_at_once_neither_is_overwritten() {
    // The second comes while the first has been told that the key is free; while the first has sent some of its parts.
    for (bytes, requests) in [(20_000, 3), (3 * MIB, 3), (11 * MIB, 5)] {
        let bench = Bench::<Simple>::new().await;
        let first = bench.file("DSC_0001.NEF", bytes);
        let second = Order { filename: "DSC_0001.NEF".to_owned(), ..bench.file("second.NEF", 30_000) };
        let (memory, other) = (Memory::default(), Memory::default());
        let mut delivery = pin!(deliver(&bench, &first, &memory));
        begun!(bench, delivery, requests);
        let outcome = deliver(&bench, &second, &other).await;
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        let outcome = delivery.await;
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        let suffixed = format!("{MONTH}/DSC_0001 ({}).NEF", &second.sha256[..8]);
        assert_eq!(names(&bench), [(suffixed, 30_000), (format!("{MONTH}/DSC_0001.NEF"), usize::try_from(bytes).unwrap())]);
    }
}

#[tokio::test]
async fn the_same_file_at_once_is_one_object() {
    let bench = Bench::<Simple>::new().await;
    let order = bench.file("DSC_0001.NEF", 20_000);
    let (memory, other) = (Memory::default(), Memory::default());
    let mut delivery = pin!(deliver(&bench, &order, &memory));
    begun!(bench, delivery, 3);
    let again = Order { job_id: "again".into(), ..order.clone() };
    for outcome in [deliver(&bench, &again, &other).await, delivery.await] {
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    }
    bench.stored_once(&order, "twice at once");
}

#[tokio::test]
async fn a_delivery_that_was_dropped_keeps_no_name() {
    let bench = Bench::<Simple>::new().await;
    let (first, second) = (bench.file("DSC_0001.NEF", 20_000), bench.file("second.NEF", 30_000));
    let memory = Memory::default();
    {
        let mut delivery = pin!(deliver(&bench, &first, &memory));
        begun!(bench, delivery, 3);
    }
    delivered(&bench, &Order { filename: "DSC_0001.NEF".to_owned(), ..second }).await;
    assert_eq!(names(&bench), [(format!("{MONTH}/DSC_0001.NEF"), 30_000)]);
}

#[tokio::test]
async fn a_session_whose_name_another_file_is_about_to_take_gets_another() {
    let bench = Bench::<Simple>::new().await;
    let (first, second) = (bench.file("DSC_0001.NEF", 11 * MIB), bench.file("second.NEF", 30_000));
    let second = Order { filename: "DSC_0001.NEF".to_owned(), ..second };
    let (memory, other) = (Memory::default(), Memory::default());
    bench.server.fail(5, Fault::Answer(Answer::new("401 Unauthorized")));
    let outcome = deliver(&bench, &first, &memory).await;
    assert!(matches!(outcome, Outcome::Failed(_)) && memory.session.lock().unwrap().is_some(), "{outcome:?}");
    let mut delivery = pin!(deliver(&bench, &second, &other));
    // It tried out what the server does, and was told that the key is free.
    begun!(bench, delivery, 3);
    for outcome in [deliver(&bench, &first, &memory).await, delivery.await] {
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    }
    let suffixed = format!("{MONTH}/DSC_0001 ({}).NEF", &first.sha256[..8]);
    assert_eq!(names(&bench), [(suffixed, 11 << 20), (format!("{MONTH}/DSC_0001.NEF"), 30_000)]);
    assert_eq!(bench.server.truth().leftovers, 0);
}

#[tokio::test]
async fn the_region_is_named_if_it_is_another() {
    let elsewhere = "eu-central-1";
    for answer in [
        refusal("301 Moved Permanently", "PermanentRedirect", "<Endpoint>x</Endpoint>").with("x-amz-bucket-region", elsewhere),
        refusal("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"),
        refusal("400 Bad Request", "AuthorizationQueryParametersError", "<Region>eu-central-1</Region>"),
    ] {
        let bench = Bench::<S3>::new().await;
        bench.server.always(Some(Fault::Answer(answer)));
        let failure = bench.failed(&bench.file("a.jpg", 3000), FailureCode::ProtocolUnsupported, "another region").await;
        assert!(failure.class == FailureClass::NeedsUser && failure.message.contains(elsewhere), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let expired = refusal("403 Forbidden", "AccessDenied", "<Message>Request has expired</Message>");
    for answer in [refusal("403 Forbidden", "RequestTimeTooSkewed", ""), expired.with("Date", "Thu, 01 Jan 1970 00:00:00 GMT")] {
        let bench = Bench::<S3>::new().await;
        bench.server.always(Some(Fault::Answer(answer)));
        let failure = bench.failed(&bench.file("a.jpg", 3000), FailureCode::AuthenticationRequired, "another time").await;
        assert!(failure.message.contains("clock"), "{}", failure.message);
    }
}

#[tokio::test]
async fn what_stands_against_it_is_said() {
    for (answer, code) in [
        (refusal("404 Not Found", "NoSuchBucket", ""), FailureCode::ProtocolUnsupported),
        (refusal("503 Slow Down", "SlowDown", ""), FailureCode::Throttled),
        (refusal("403 Forbidden", "QuotaExceeded", ""), FailureCode::QuotaExceeded),
    ] {
        let bench = Bench::<S3>::new().await;
        bench.server.always(Some(Fault::Answer(answer)));
        bench.failed(&bench.file("a.jpg", 3000), code, "said").await;
    }
    let bench = Bench::<S3>::new().await;
    bench.server.with(|store| store.secret = "another");
    let failure = bench.failed(&bench.file("a.jpg", 3000), FailureCode::AuthenticationRequired, "a wrong secret").await;
    assert!(failure.message.contains("access key"), "{}", failure.message);
}

#[tokio::test]
async fn a_way_that_takes_less_gets_smaller_parts_and_one_that_takes_too_little_is_said() {
    // In parts; in one request, and then in parts.
    for bytes in [21 * MIB, 7 * MIB] {
        let bench = Bench::<S3>::new().await;
        bench.server.with(|store| store.largest_body = Some(6 * MIB));
        let order = bench.file("IMG_0001.jpg", bytes);
        delivered(&bench, &order).await;
        bench.stored_once(&order, "in smaller parts");
    }

    let bench = Bench::<S3>::new().await;
    bench.server.with(|store| store.largest_body = Some(4 * MIB));
    bench.failed(&bench.file("IMG_0001.jpg", 21 * MIB), FailureCode::PayloadTooLarge, "too little").await;
    assert_eq!(bench.server.truth().leftovers, 0);
}

#[tokio::test]
async fn damaged_content_is_sent_again() {
    for (bytes, request) in [(20_000, 2), (3 * MIB, 2), (21 * MIB, 4)] {
        let bench = Bench::<S3>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.fail(request, Fault::Answer(refusal("400 Bad Request", "BadDigest", "")));
        delivered(&bench, &order).await;
        bench.stored_once(&order, "damaged once");
    }
}

/// What a server answers to a small and to a large file, to the test of a destination, and how often it refuses.
async fn taken_without(refuses: Refuses, grades: (Evidence, Evidence), refusals: usize) {
    let bench = Bench::<S3>::new().await;
    bench.server.with(|store| store.refuses = Some(refuses));
    let tested = bench.transfer.test(S3::CONNECTOR, &bench.account).await.unwrap();
    assert_eq!(tested.capabilities.evidence, grades.1, "{refuses:?}");
    for (name, bytes, grade) in [("a.jpg", 20_000, grades.0), ("b.jpg", 11 * MIB, grades.1), ("c.jpg", 12 * MIB, grades.1)] {
        let order = bench.file(name, bytes);
        match deliver(&bench, &order, &Memory::default()).await {
            Outcome::Delivered(delivered) => assert_eq!(delivered.evidence, grade, "{refuses:?}, {bytes} bytes"),
            other => panic!("{refuses:?}, {bytes} bytes: {other:?}"),
        }
    }
    let truth = bench.server.truth();
    assert_eq!((truth.objects.len(), truth.leftovers), (3, 0), "{refuses:?}");
    assert_eq!(bench.server.with(|store| store.refusals), refusals, "{refuses:?}");
}

#[tokio::test]
async fn a_store_that_takes_no_checksums_gets_none_after_one_refusal() {
    use Evidence::{Hashed, Sized};
    taken_without(Refuses::ChecksumsOfUploads, (Hashed, Sized), 1).await;
    taken_without(Refuses::ChecksumsOfParts, (Hashed, Sized), 1).await;
    taken_without(Refuses::Checksums, (Sized, Sized), 1).await;
    taken_without(Refuses::ChecksumsUnnamed, (Sized, Sized), 1).await;
}

#[tokio::test]
async fn a_session_without_checksums_goes_on_without_after_a_restart() {
    let mut bench = Bench::<S3>::new().await;
    bench.server.with(|store| store.refuses = Some(Refuses::ChecksumsOfParts));
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    // Probe, question, creation, a part that is refused, its end; probe, question, creation, two parts.
    bench.server.fail(9, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
    bench.restart();
    let before = bench.server.truth().content_bytes;
    match bench.attempt(&order).await {
        Outcome::Delivered(delivered) => assert_eq!(delivered.evidence, Evidence::Sized),
        other => panic!("{other:?}"),
    }
    assert!(bench.server.truth().content_bytes - before < 17 * MIB, "parts were sent again");
}

#[tokio::test]
async fn only_a_request_with_a_condition_tells_that_conditions_are_not_known() {
    for (refuses, knows) in [(Some(Refuses::Conditions), false), (None, true)] {
        let bench = Bench::<S3>::new().await;
        bench.server.with(|store| store.refuses = refuses);
        // The question for the key, which has no condition.
        bench.server.fail(1, Fault::Answer(error("501 Not Implemented", "NotImplemented")));
        drop(bench.attempt(&bench.file("a.jpg", 20_000)).await);
        for (name, bytes) in [("d.jpg", 3 * MIB), ("a.jpg", 20_000), ("b.jpg", 20_001), ("c.mov", 11 * MIB)] {
            let outcome = deliver(&bench, &bench.file(name, bytes), &Memory::default()).await;
            assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        }
        let requests = bench.server.truth().requests;
        let last = requests.iter().rev().find(|request| request.method == "POST").unwrap();
        assert_eq!(last.header("if-none-match").is_some(), knows);
    }
}

#[tokio::test]
async fn what_was_tried_out_is_known_after_a_restart() {
    for refuses in [None, Some(Refuses::Conditions), Some(Refuses::Checksums)] {
        let mut bench = Bench::<S3>::new().await;
        bench.server.with(|store| store.refuses = refuses);
        let mut asked = Vec::new();
        for (name, bytes) in [("a.jpg", 20_000), ("b.jpg", 20_001)] {
            let before = bench.server.truth().requests.len();
            bench.restart();
            assert!(matches!(deliver(&bench, &bench.file(name, bytes), &Memory::default()).await, Outcome::Delivered(_)));
            asked.push(bench.server.truth().requests.split_off(before));
        }
        let probes = |requests: &[Request]| requests.iter().filter(|request| request.target().contains("probe")).count();
        assert!(probes(&asked[0]) > 0 && probes(&asked[1]) == 0, "{refuses:?}");
        assert!(asked[1].len() < asked[0].len(), "{refuses:?}: a refusal was not remembered");
    }
}

#[tokio::test]
async fn a_bucket_that_keeps_to_conditions_no_more_has_nothing_written_over() {
    for restarts in [true, false] {
        let mut bench = Bench::<S3>::new().await;
        for (name, bytes) in [("a.jpg", 20_000), ("b.jpg", 20_002)] {
            let outcome = deliver(&bench, &bench.file(name, bytes), &Memory::default()).await;
            assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        }
        // Another server at that address, with the same objects.
        bench.server.with(|store| store.conditions = false);
        if restarts {
            bench.restart();
        } else {
            bench.transfer.test(S3::CONNECTOR, &bench.account).await.unwrap();
        }
        let outcome = deliver(&bench, &bench.file("a.jpg", 20_001), &Memory::default()).await;
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        let mut sizes: Vec<usize> = bench.server.truth().objects.iter().map(|object| object.bytes.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [20_000, 20_001, 20_002], "{restarts}");
    }
}
