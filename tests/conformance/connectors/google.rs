//! The connector for Google Photos, put to the suite and to what is special to Google.

mod server;

use std::fs;

use afterglow_model::{Connector, Evidence, Failure, FailureClass, FailureCode};
use afterglow_tests::model_server::{Answer, Fault};
use afterglow_transfer::{Account, Consent, Delivered, OauthClient, Order, Outcome, Transfer};

use self::server::{CLIENT, GRANULARITY, GoogleServer, refusal, secret};
use crate::{
    every::{Bench, Peer, conformance},
    rig::{MIB, options},
};

struct Google;

impl Peer for Google {
    type Server = GoogleServer;
    const CONNECTOR: Connector = Connector::GooglePhotos;
    const EVIDENCE: Evidence = Evidence::Accepted;
    // The answer to the last part is the token for all of them, and Google says it only once.
    const RESENT_MAX: u64 = u64::MAX;
    const TAKES_EMPTY: bool = false;
    // Google is said to keep the same bytes once, and does not promise it.
    const KNOWS_CONTENT: bool = false;

    fn server() -> GoogleServer {
        GoogleServer::default()
    }

    fn account(origin: &str) -> Account {
        Account { secret: Some(secret()), ..Account::at(origin.parse().unwrap()) }
    }
}

conformance!(every, Google);

/// Sizes that take each way through the connector: in one request, and in parts.
const SIZES: [u64; 3] = [20_000, 3 * MIB, 9 * MIB + 5];

async fn delivered(bench: &Bench<Google>, order: &Order) -> Delivered {
    match bench.attempt(order).await {
        Outcome::Delivered(delivered) => delivered,
        other => panic!("{other:?}"),
    }
}

async fn refused(bench: &Bench<Google>, order: &Order, class: FailureClass, code: FailureCode) -> Failure {
    let failure = bench.failed(order, code, "refused").await;
    assert_eq!(failure.class, class, "{}", failure.message);
    failure
}

fn count(bench: &Bench<Google>, method: &str, target: &str) -> usize {
    let requests = bench.server.truth().requests;
    requests.iter().filter(|request| request.method == method && request.target() == target).count()
}

/// An account that is known to take photos, so that the next requests are those of a file alone.
async fn warm() -> Bench<Google> {
    let bench = Bench::<Google>::new().await;
    bench.transfer.probe(Connector::GooglePhotos, &bench.account).await.unwrap();
    bench
}

/// Requests before `batchCreate` of a file of this size.
fn before_creation(bytes: u64) -> usize {
    match bytes {
        // Raw; or start and two parts.
        ..=8_388_608 => 1,
        _ => 3,
    }
}

#[tokio::test]
async fn the_same_token_is_asked_for_again_when_the_answer_was_lost() {
    for bytes in SIZES {
        let bench = warm().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.fail(before_creation(bytes), Fault::CutAfter);
        let delivered = delivered(&bench, &order).await;
        let truth = bench.stored_once(&order, "a lost answer");
        assert_eq!(bench.server.with(|server| server.items[0].id.clone()), delivered.remote_id);
        assert_eq!(count(&bench, "POST", "/v1/mediaItems:batchCreate"), 2);
        assert!(truth.content_bytes < bytes + 8 * 1024, "the bytes were sent again");
    }
}

#[tokio::test]
async fn a_crash_after_the_upload_sends_no_byte_again() {
    for bytes in SIZES {
        let mut bench = warm().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.always(None);
        bench.server.fail(before_creation(bytes), Fault::Silence);
        let reached = bench.server.truth().requests.len() + before_creation(bytes) + 1;
        tokio::select! {
            biased;
            () = bench.server.requests_reach(reached) => {}
            outcome = bench.attempt(&order) => panic!("{outcome:?}"),
        }
        bench.transfer = Transfer::new(options()).unwrap();
        let sent = bench.server.truth().content_bytes;
        delivered(&bench, &order).await;
        let truth = bench.stored_once(&order, "after a crash");
        assert!(truth.content_bytes < sent + 8 * 1024, "the bytes were sent again");
    }
}

#[tokio::test]
async fn an_upload_that_google_has_forgotten_begins_anew() {
    let bench = warm().await;
    let order = bench.file("IMG_0001.jpg", 9 * MIB);
    bench.server.fail(2, Fault::Answer(Answer::new("503 Service Unavailable").with("Retry-After", 0)));
    assert!(matches!(bench.attempt(&order).await, Outcome::Failed(_)));
    bench.server.with(|server| server.uploads.clear());
    delivered(&bench, &order).await;
    bench.stored_once(&order, "forgotten");
}

#[tokio::test]
async fn a_token_that_is_too_old_is_asked_for_anew() {
    for bytes in SIZES {
        for is_strict in [false, true] {
            let bench = warm().await;
            let order = bench.file("IMG_0001.jpg", bytes);
            bench.server.with(|server| server.is_strict = is_strict);
            bench.server.fail(before_creation(bytes), Fault::Answer(Answer::new("429 Too Many Requests")));
            refused(&bench, &order, FailureClass::Transient, FailureCode::Throttled).await;
            bench.server.with(|server| server.tokens.clear());
            delivered(&bench, &order).await;
            bench.stored_once(&order, "a new token");
        }
    }
}

#[tokio::test]
async fn what_is_no_picture_is_refused_for_good_with_the_reason() {
    for bytes in SIZES {
        let bench = warm().await;
        let failure = refused(&bench, &bench.file("notes.txt", bytes), FailureClass::Permanent, FailureCode::ServerRejected).await;
        assert!(failure.message.contains("BAD_IMAGE"), "{}", failure.message);
        assert_eq!(*bench.memory.session.lock().unwrap(), None);
        assert_eq!(bench.server.truth().objects.len(), 0);
    }
}

#[tokio::test]
async fn a_sign_in_that_has_ended_is_named() {
    let bench = Bench::<Google>::new().await;
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.server.with(|server| server.refresh_tokens.clear());
    let failure = refused(&bench, &order, FailureClass::NeedsUser, FailureCode::AuthenticationRequired).await;
    assert!(failure.message.contains("invalid_grant") && failure.message.contains("127.0.0.1"), "{}", failure.message);
    assert_eq!(bench.server.truth().requests.len(), 2, "it was asked again and again");
    let unsigned = Account { secret: None, ..bench.account.clone() };
    let failure = bench.transfer.probe(Connector::GooglePhotos, &unsigned).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::AuthenticationRequired);
}

#[tokio::test]
async fn what_passes_at_the_sign_in_ends_none() {
    for (status, error) in [
        ("500 Internal Server Error", "internal_failure"),
        ("503 Service Unavailable", "temporarily_unavailable"),
        ("429 Too Many Requests", "slow_down"),
    ] {
        let bench = Bench::<Google>::new().await;
        let order = bench.file("IMG_0001.jpg", 20_000);
        let body = format!(r#"{{"error":"{error}"}}"#);
        bench.server.fail(0, Fault::Answer(Answer::new(status).body("application/json", body)));
        match bench.attempt(&order).await {
            Outcome::Failed(failure) => assert_eq!(failure.class, FailureClass::Transient, "{status}: {}", failure.message),
            outcome => assert!(matches!(outcome, Outcome::Delivered(_)), "{status}: {outcome:?}"),
        }
        delivered(&bench, &order).await;
    }
}

#[tokio::test]
async fn an_access_token_that_ends_is_renewed_once() {
    for bytes in SIZES {
        let bench = warm().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.with(|server| server.access_token = "another".to_owned());
        delivered(&bench, &order).await;
        bench.stored_once(&order, "renewed");
        assert_eq!(count(&bench, "POST", "/token"), 2);
        let second = Order { job_id: "second".into(), ..bench.file("IMG_0002.jpg", 20_001) };
        *bench.memory.session.lock().unwrap() = None;
        delivered(&bench, &second).await;
        assert_eq!(count(&bench, "POST", "/token"), 2, "a token that is good was thrown away");
    }
}

#[tokio::test]
async fn a_rate_that_is_too_high_is_no_refusal() {
    let limits = [
        refusal("403 Forbidden", "RESOURCE_EXHAUSTED", "Rate limit exceeded."),
        Answer::new("403 Forbidden").body(
            "application/json",
            r#"{"error":{"code":403,"message":"User Rate Limit Exceeded","errors":[{"reason":"userRateLimitExceeded"}]}}"#,
        ),
        refusal("429 Too Many Requests", "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'All requests'."),
    ];
    for limit in limits {
        for bytes in SIZES {
            for n in 0..=before_creation(bytes) {
                let bench = warm().await;
                let order = bench.file("IMG_0001.jpg", bytes);
                bench.server.fail(n, Fault::Answer(limit.clone()));
                refused(&bench, &order, FailureClass::Transient, FailureCode::Throttled).await;
                delivered(&bench, &order).await;
                bench.stored_once(&order, "a rate");
            }
        }
    }
}

#[tokio::test]
async fn a_project_without_the_api_is_told_so() {
    let bench = Bench::<Google>::new().await;
    let words = "Photos Library API has not been used in project 1 before or it is disabled.";
    bench.server.fail(1, Fault::Answer(refusal("403 Forbidden", "PERMISSION_DENIED", words)));
    let failure = bench.transfer.probe(Connector::GooglePhotos, &bench.account).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::NeedsUser, FailureCode::AuthenticationRequired));
    assert!(failure.message.contains(words), "{}", failure.message);
}

#[tokio::test]
async fn a_full_account_is_said() {
    let bench = warm().await;
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.server.with(|server| server.is_full = true);
    refused(&bench, &order, FailureClass::NeedsUser, FailureCode::QuotaExceeded).await;
    bench.server.with(|server| server.is_full = false);
    delivered(&bench, &order).await;
    bench.stored_once(&order, "with room again");
}

#[tokio::test]
async fn what_google_never_takes_is_not_sent() {
    let bench = Bench::<Google>::new().await;
    let order = bench.file("IMG_0001.jpg", 0);
    refused(&bench, &order, FailureClass::Permanent, FailureCode::ServerRejected).await;
    let large = (200 << 20) + 1;
    fs::File::options().write(true).open(order.root.join(&order.path)).unwrap().set_len(large).unwrap();
    let order = Order { byte_count: large, ..order };
    refused(&bench, &order, FailureClass::Permanent, FailureCode::PayloadTooLarge).await;
    assert_eq!(count(&bench, "POST", "/v1/uploads"), 0);
}

#[tokio::test]
async fn after_a_cut_only_what_is_missing_is_sent() {
    let bench = warm().await;
    let order = bench.file("IMG_0001.jpg", 20 * MIB + 3);
    bench.server.fail(2, Fault::CutMidway);
    delivered(&bench, &order).await;
    let truth = bench.stored_once(&order, "after a cut");
    let again = truth.content_bytes - order.byte_count;
    assert!(again < GRANULARITY as u64 + 8 * 1024, "{again} bytes were sent again");
}

#[tokio::test]
async fn an_album_is_made_once_and_found_again() {
    let mut bench = Bench::<Google>::new().await;
    bench.account.config.folder = Some(" Holidays ".to_owned());
    bench.server.with(|server| server.albums.extend((0..45).map(|n| (format!("a{n}"), format!("Other {n}")))));
    for n in 0..3 {
        let order = Order { job_id: n.to_string().as_str().into(), ..bench.file("IMG_0001.jpg", 20_000 + n) };
        *bench.memory.session.lock().unwrap() = None;
        delivered(&bench, &order).await;
        // Once more after a restart.
        if n == 1 {
            bench.transfer = Transfer::new(options()).unwrap();
        }
    }
    assert_eq!(count(&bench, "POST", "/v1/albums"), 1);
    bench.server.with(|server| {
        let album = server.albums.iter().find(|(_, title)| *title == "Holidays").map(|(id, _)| id.clone());
        assert!(album.is_some() && server.items.iter().all(|item| item.album == album));
        // The person removes it.
        server.albums.remove(&album.unwrap());
    });
    *bench.memory.session.lock().unwrap() = None;
    delivered(&bench, &bench.file("IMG_0004.jpg", 20_004)).await;
    assert_eq!(count(&bench, "POST", "/v1/albums"), 2);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_album() {
    let mut bench = warm().await;
    bench.account.config.folder = Some("Holidays".to_owned());
    let order = bench.file("IMG_0001.jpg", 20_000);
    // After the bytes and the question for albums.
    bench.server.fail(2, Fault::CutAfter);
    delivered(&bench, &order).await;
    bench.stored_once(&order, "in an album");
    assert_eq!(bench.server.with(|server| server.albums.len()), 1);
}

#[tokio::test]
async fn creations_go_one_after_the_other() {
    let bench = warm().await;
    let (first, second) = (bench.file("IMG_0001.jpg", 20_000), bench.file("IMG_0002.jpg", 20_001));
    bench.server.fail(1, Fault::Silence);
    let all = bench.server.truth().requests.len();
    let (mut other, server) = (Bench::<Google>::new().await, &bench.server);
    (other.account, other.transfer) = (bench.account.clone(), bench.transfer.clone());
    let second = Order { root: first.root.clone(), ..second };
    let begins = async {
        server.requests_reach(all + 2).await;
        other.attempt(&second).await
    };
    let (first, second) = tokio::join!(bench.attempt(&first), begins);
    assert!(matches!((first, second), (Outcome::Delivered(_), Outcome::Delivered(_))));
    let truth = server.truth();
    let order: Vec<&str> = truth.requests[all..].iter().map(|request| request.target()).collect();
    // The second's bytes come while the first creation is silent; its creation waits until that line was left.
    assert_eq!(order[..3], ["/v1/uploads", "/v1/mediaItems:batchCreate", "/v1/uploads"]);
    assert_eq!(truth.objects.len(), 2);
}

#[tokio::test]
async fn a_test_makes_no_photo() {
    let bench = Bench::<Google>::new().await;
    bench.transfer.test(Connector::GooglePhotos, &bench.account).await.unwrap();
    assert_eq!(count(&bench, "POST", "/v1/uploads"), 1);
    assert_eq!(count(&bench, "POST", "/v1/mediaItems:batchCreate"), 0);
}

fn ask(bench: &Bench<Google>, secret: &str) -> Consent {
    let client = OauthClient { id: CLIENT.0.to_owned(), secret: secret.to_owned() };
    bench.transfer.ask_consent(&bench.account.url, client, &"http://127.0.0.1:4711/".parse().unwrap())
}

/// The query that the browser brings back from the page.
async fn browse(consent: &Consent) -> String {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = browser.get(consent.open_url.clone()).send().await.unwrap();
    let back: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    assert_eq!(&back[..url::Position::BeforeQuery], "http://127.0.0.1:4711/?");
    back.query().unwrap().to_owned()
}

#[tokio::test]
async fn a_sign_in_in_the_browser_gives_lasting_access() {
    let mut bench = Bench::<Google>::new().await;
    let consent = ask(&bench, CLIENT.1);
    let code = consent.code(&browse(&consent).await).unwrap().unwrap();
    let signed_in = bench.transfer.redeem(&consent, code.clone()).await.unwrap();
    assert!(!format!("{signed_in:?}").contains("refresh"));
    bench.account.secret = Some(signed_in.secret.clone());
    let order = bench.file("IMG_0001.jpg", 20_000);
    delivered(&bench, &order).await;
    bench.stored_once(&order, "signed in");
    assert_eq!(OauthClient::of(&signed_in.secret).unwrap().secret, CLIENT.1);
    // A code is good once.
    assert!(bench.transfer.redeem(&consent, code).await.is_err());
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_used_says_why() {
    let bench = Bench::<Google>::new().await;
    let denied = ask(&bench, CLIENT.1);
    bench.server.with(|server| server.allows = false);
    let failure = denied.code(&browse(&denied).await).unwrap().unwrap_err();
    assert!(failure.message.contains("did not let Afterglow"), "{}", failure.message);

    bench.server.with(|server| {
        (server.allows, server.scopes) = (true, "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata")
    });
    let unticked = ask(&bench, CLIENT.1);
    let code = unticked.code(&browse(&unticked).await).unwrap().unwrap();
    let failure = bench.transfer.redeem(&unticked, code).await.unwrap_err();
    assert!(failure.message.contains("tick every box"), "{}", failure.message);

    let stranger = ask(&bench, "another secret");
    let code = stranger.code(&browse(&stranger).await).unwrap().unwrap();
    let failure = bench.transfer.redeem(&stranger, code).await.unwrap_err();
    assert!(failure.message.contains("OAuth client"), "{}", failure.message);
}
