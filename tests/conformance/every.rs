//! The suite for every connector: the same cases, whatever the protocol. A connector is put to it by a [`Peer`] and a line in
//! [`connectors`](crate::connectors).
//!
//! Faults strike the n-th request of a delivery, for every n: so no request of a protocol is forgotten, and none has to be known here.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use afterglow_model::{Evidence, FailureClass, FailureCode};
use afterglow_tests::{
    model_server::{Answer, Fault, ModelServer},
    process::until,
    proxy::Proxy,
};
use afterglow_transfer::{Again, Holding, Order, Outcome, TransferOptions};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) use crate::bench::{Bench, Peer};
use crate::{
    bench::{cost, hex},
    rig::{content, options},
};

pub(crate) async fn files_of_every_size_arrive_once<P: Peer>() {
    let sizes = [1, 20_000, P::LARGE].into_iter().chain(P::TAKES_EMPTY.then_some(0));
    for bytes in sizes {
        let mut bench = Bench::<P>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        let delivered = bench.delivered(&order, &format!("{bytes} bytes")).await;
        assert_eq!(delivered.evidence, P::EVIDENCE, "{bytes} bytes");
        bench.stored_at_cost(&order, 0, &format!("{bytes} bytes"));
    }
}

pub(crate) async fn hostile_names_arrive<P: Peer>() {
    let long = "n".repeat(200) + ".jpg";
    let names = [
        "with spaces.jpg",
        "Grüße aus Köln.jpg",
        "写真.jpg",
        "a?b#c%20d&e=f+g.jpg",
        "-rf.jpg",
        ".hidden.jpg",
        "new\nline.jpg",
        "quote\"back\\slash'.jpg",
        "<img onerror=alert(1)>.jpg",
        "\u{202e}gpj.exe.jpg",
        "CON.jpg",
        "trailing dot..jpg",
        long.as_str(),
    ];
    for name in names {
        let mut bench = Bench::<P>::new().await;
        let order = bench.file(name, 3000);
        bench.delivered(&order, name).await;
        bench.stored_once(&order, name);
    }
}

/// The ways in which a request may fail and the next attempt may succeed.
fn passing_faults() -> Vec<(&'static str, Fault)> {
    let busy = Answer::new("503 Service Unavailable").with("Retry-After", 0);
    vec![
        ("cut before", Fault::CutBefore),
        ("cut midway", Fault::CutMidway),
        ("acknowledgement lost", Fault::CutAfter),
        ("fault of the server", Fault::Answer(Answer::new("500 Internal Server Error"))),
        ("applied, but a gateway says no", Fault::AnswerAfter(Answer::new("502 Bad Gateway"))),
        ("busy", Fault::Answer(busy)),
        ("a portal", Fault::Answer(portal())),
    ]
}

fn portal() -> Answer {
    Answer::new("200 OK").body("text/html; charset=utf-8", "<html><body>Welcome to Hotel Wi-Fi. Please sign in.</body></html>")
}

/// How many requests an undisturbed delivery of so many bytes takes.
async fn requests<P: Peer>(bytes: u64) -> usize {
    let mut bench = Bench::<P>::new().await;
    let order = bench.file("IMG_0001.jpg", bytes);
    bench.delivered(&order, "undisturbed").await;
    bench.server.truth().requests.len()
}

pub(crate) async fn every_request_may_fail_in_every_way<P: Peer>() {
    for bytes in [20_000, P::LARGE] {
        for n in 0..requests::<P>(bytes).await {
            for (what, fault) in passing_faults() {
                let mut bench = Bench::<P>::new().await;
                let order = bench.file("IMG_0001.jpg", bytes);
                let cost = cost::<P>(&fault, bytes);
                bench.server.fail(n, fault);
                let why = format!("{bytes} bytes, request {n}: {what}");
                let delivered = bench.delivered(&order, &why).await;
                assert_eq!(delivered.evidence, P::EVIDENCE, "{why}");
                bench.stored_at_cost(&order, cost, &why);
            }
        }
    }
}

pub(crate) async fn after_a_crash_at_any_request_it_goes_on<P: Peer>() {
    for bytes in [20_000, P::LARGE] {
        for n in 0..requests::<P>(bytes).await {
            let mut bench = Bench::<P>::new().await;
            let order = bench.file("IMG_0001.jpg", bytes);
            bench.server.fail(n, Fault::Silence);
            let server = &bench.server;
            tokio::select! {
                biased;
                () = server.requests_reach(n + 1) => {}
                outcome = bench.attempt(&order) => panic!("request {n} never came: {outcome:?}"),
            }
            // The attempt was dropped in mid-flight, as a killed process is, and the server has seen it.
            bench.server.at_rest().await;
            bench.restart();
            let why = format!("{bytes} bytes, killed in request {n}");
            bench.delivered(&order, &why).await;
            bench.stored_at_cost(&order, cost::<P>(&Fault::Silence, bytes), &why);
        }
    }
}

pub(crate) async fn what_the_person_must_mend_is_said_and_loses_nothing<P: Peer>() {
    let cases = [
        (Answer::new("401 Unauthorized"), FailureCode::AuthenticationRequired),
        (Answer::new("403 Forbidden"), FailureCode::AuthenticationRequired),
        (Answer::new("507 Insufficient Storage"), FailureCode::QuotaExceeded),
    ];
    for bytes in [20_000, P::LARGE] {
        let all = requests::<P>(bytes).await;
        // Of a large file the request in the middle, when a session is open where there is one.
        let tried = if bytes < P::LARGE { 0..all } else { all / 2..all / 2 + 1 };
        for (n, (answer, code)) in tried.flat_map(|n| cases.clone().map(|case| (n, case))) {
            let mut bench = Bench::<P>::new().await;
            let order = bench.file("IMG_0001.jpg", bytes);
            let fault = Fault::Answer(answer.clone());
            let cost = cost::<P>(&fault, bytes);
            bench.server.fail(n, fault);
            let why = format!("{bytes} bytes, {} at request {n}", answer.status);
            // A first question that is not needed may be let go.
            if let Outcome::Failed(failure) = bench.attempt(&order).await {
                assert_eq!((failure.code, failure.class), (code, FailureClass::NeedsUser), "{why}: {}", failure.message);
                assert!(failure.message.contains("127.0.0.1"), "{why}: {}", failure.message);
                let is_kept = bench.memory.session.lock().unwrap().is_some();
                assert_eq!(is_kept, *bench.memory.sessions_opened.lock().unwrap() > 0, "{why}: the session");
            }
            bench.delivered(&order, &why).await;
            bench.stored_at_cost(&order, cost, &why);
        }
    }
}

pub(crate) async fn a_wish_for_patience_is_heard<P: Peer>() {
    let (many, busy) = ("429 Too Many Requests", "503 Service Unavailable");
    let ahead = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
    let past = "Sun, 06 Nov 1994 08:49:37 GMT".to_owned();
    let day_ms = 24 * 60 * 60 * 1000;
    let cases = [
        (many, None, FailureCode::Throttled, None),
        (many, Some("soon".to_owned()), FailureCode::Throttled, None),
        (many, Some("0".to_owned()), FailureCode::Throttled, Some(0..=0)),
        (busy, Some("0".to_owned()), FailureCode::Throttled, Some(0..=0)),
        (many, Some("70".to_owned()), FailureCode::Throttled, Some(70_000..=70_000)),
        (busy, Some("70".to_owned()), FailureCode::Throttled, Some(70_000..=70_000)),
        // How long it is until then depends on the clock.
        (busy, Some(ahead), FailureCode::Throttled, Some(30_000..=90_000)),
        (busy, Some(past), FailureCode::Throttled, Some(0..=0)),
        (many, Some("9".repeat(30)), FailureCode::Throttled, Some(day_ms..=day_ms)),
        (busy, Some("99999999999".to_owned()), FailureCode::Throttled, Some(day_ms..=day_ms)),
        // Without a wish it is a fault as any other.
        (busy, None, FailureCode::ServerError, None),
    ];
    for (status, wish, code, wanted) in cases {
        let bench = Bench::<P>::new().await;
        let order = bench.file("IMG_0001.jpg", 20_000);
        let why = format!("{status}, Retry-After: {wish:?}");
        let answer = wish.iter().fold(Answer::new(status), |answer, wish| answer.with("Retry-After", wish));
        bench.server.always(Some(Fault::Answer(answer)));
        let failure = bench.failed(&order, code, &why).await;
        assert_eq!(failure.class, FailureClass::Transient, "{why}");
        let heard = failure.retry_after_ms;
        let is_heard = wanted.map_or(heard.is_none(), |wanted| heard.is_some_and(|ms| wanted.contains(&ms)));
        assert!(is_heard, "{why}: {heard:?}");
        let asked = bench.server.truth().requests.len();
        assert!(code != FailureCode::Throttled || asked <= 2, "{why}: it was asked again although it wants peace");
    }
}

pub(crate) async fn a_portal_is_never_a_delivery<P: Peer>() {
    let bench = Bench::<P>::new().await;
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.server.always(Some(Fault::Answer(portal())));
    let failure = bench.failed(&order, FailureCode::CaptivePortal, "a portal").await;
    assert_eq!(failure.class, FailureClass::Transient);
}

pub(crate) async fn nonsense_is_no_delivery_and_no_crash<P: Peer>() {
    let endless = "x".repeat(2 << 20);
    let answers = [
        Answer::new("200 OK"),
        Answer::new("204 No Content"),
        Answer::new("200 OK").body("application/json", "{"),
        Answer::new("200 OK").body("application/json", "[]"),
        Answer::new("207 Multi-Status").body("application/xml", "<a><b></a>"),
        Answer::new("201 Created").with("Location", "https://elsewhere.example/x"),
        Answer::new("200 OK").body("application/octet-stream", endless),
        Answer::new("418 I'm a teapot"),
    ];
    for answer in answers {
        let bench = Bench::<P>::new().await;
        let order = bench.file("IMG_0001.jpg", 20_000);
        bench.server.always(Some(Fault::Answer(answer.clone())));
        match bench.attempt(&order).await {
            Outcome::Failed(_) => {}
            Outcome::Delivered(delivered) if delivered.evidence == Evidence::Accepted && P::EVIDENCE == Evidence::Accepted => {}
            other => panic!("{}: {other:?}", answer.status),
        }
    }
}

pub(crate) async fn a_redirect_takes_no_credential_elsewhere<P: Peer>() {
    let bench = Bench::<P>::new().await;
    let other = ModelServer::start(P::server()).await.unwrap();
    let order = bench.file("IMG_0001.jpg", 20_000);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        // Another name of the same machine is another host.
        let elsewhere = other.origin().replace("127.0.0.1", "localhost");
        bench.server.always(Some(Fault::Answer(Answer::new(status).with("Location", format!("{elsewhere}/")))));
        assert!(matches!(bench.attempt(&order).await, Outcome::Failed(_)), "{status}");
    }
    assert_eq!(other.truth().requests.len(), 0);
}

pub(crate) async fn a_file_goes_on_at_another_address<P: Peer>() {
    let mut bench = Bench::<P>::new().await;
    let home: Url = bench.server.origin().parse().unwrap();
    let away = Proxy::start(&home).await.unwrap();
    let direct = bench.account.url.to_string();
    bench.account.url = away.over(&bench.account.url).unwrap();
    bench.account.config.addresses = vec![direct];
    let order = bench.file("IMG_0001.jpg", P::LARGE);
    away.cut_at(vec![P::LARGE / 2]);
    let dies = async {
        until("half of the file", async || Ok((away.cuts() > 0).then_some(()))).await.unwrap();
        drop(away);
    };
    let (outcome, ()) = tokio::join!(bench.attempt(&order), dies);
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    // The line is cut twice, in the middle and as it ends. A server may be asked how far it has come while it has yet to read what came
    // last, so that even where it keeps that, a request may be in vain.
    bench.stored_at_cost(&order, 2 * P::RESENT_MAX.min(P::LARGE), "over two addresses");
}

pub(crate) async fn no_credential_goes_to_an_address_before_its_server_answers<P: Peer>() {
    let mut bench = Bench::<P>::new().await;
    let gateway = ModelServer::start(P::server()).await.unwrap();
    gateway.always(Some(Fault::Answer(Answer::new("502 Bad Gateway"))));
    let there = bench.account.url.to_string();
    bench.account.url = P::account(&gateway.origin()).url;
    bench.account.config.addresses = vec![there];
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.delivered(&order, "by the second address").await;
    bench.stored_once(&order, "by the second address");
    let asked = gateway.truth().requests;
    assert!(!asked.is_empty(), "the first address was not tried");
    for request in asked {
        let secret = ["authorization", "x-api-key"].iter().find(|name| request.header(name).is_some());
        assert!(secret.is_none() && !request.path.contains("Signature"), "{request:?}");
    }
}

pub(crate) async fn a_silent_line_is_left<P: Peer>() {
    for n in 0..requests::<P>(20_000).await {
        let stall = Duration::from_millis(200);
        let mut bench = Bench::<P>::with(TransferOptions { stall, ..options() }).await;
        let order = bench.file("IMG_0001.jpg", 20_000);
        bench.server.fail(n, Fault::Silence);
        let why = format!("silence at request {n}");
        bench.delivered(&order, &why).await;
        bench.stored_once(&order, &why);
    }
}

/// A line may be silent for 25 seconds here, as in use. None of it is waited for: the clock jumps, and what is left of the limit is what the
/// machine may dawdle.
pub(crate) async fn a_server_that_takes_its_time_is_not_left<P: Peer>() {
    let stall = TransferOptions::default().stall;
    for bytes in [20_000, P::LARGE] {
        let undisturbed = requests::<P>(bytes).await;
        let bench = Bench::<P>::with(TransferOptions { stall, ..options() }).await;
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.always(Some(Fault::Slow(stall * 3 / 4)));
        let outcome = bench.attempt(&order).await;
        assert!(matches!(outcome, Outcome::Delivered(_)), "{bytes} bytes: {outcome:?}");
        let truth = bench.stored_once(&order, &format!("{bytes} bytes"));
        assert_eq!(truth.requests.len(), undisturbed, "{bytes} bytes: requests were repeated");
    }
}

pub(crate) async fn a_file_that_changes_is_never_a_mixture<P: Peer>() {
    for n in 0..requests::<P>(P::LARGE).await {
        let mut bench = Bench::<P>::new().await;
        let order = bench.file("IMG_0001.jpg", P::LARGE);
        bench.server.fail(n, Fault::CutMidway);
        let server = &bench.server;
        let path = bench.folder.path().join("IMG_0001.jpg");
        let changed = content(P::LARGE).into_iter().map(|byte| !byte).collect::<Vec<u8>>();
        let change = async {
            server.requests_reach(n + 1).await;
            fs::write(&path, &changed).unwrap();
        };
        let (outcome, ()) = tokio::join!(bench.attempt(&order), change);
        match outcome {
            // It was all sent before the change.
            Outcome::Delivered(_) => drop(bench.stored_once(&order, &format!("request {n}"))),
            Outcome::Failed(_) => {
                let new = Order { sha256: hex(&Sha256::digest(&changed)), job_id: "new".into(), ..order.clone() };
                *bench.memory.session.lock().unwrap() = None;
                bench.delivered(&new, &format!("request {n}, the new version")).await;
                for object in bench.server.truth().objects {
                    let digest = hex(&Sha256::digest(&object.bytes));
                    assert!(digest == order.sha256 || digest == new.sha256, "request {n}: a mixture is stored");
                }
            }
            Outcome::Stopped => panic!("nobody stopped it"),
        }
    }
}

pub(crate) async fn the_same_twice_is_one_object<P: Peer>() {
    let mut bench = Bench::<P>::new().await;
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.delivered(&order, "the first").await;
    *bench.memory.session.lock().unwrap() = None;
    bench.memory.confirmed.lock().unwrap().clear();
    bench.delivered(&order, "the second").await;
    if P::KNOWS_CONTENT {
        bench.stored_once(&order, "twice");
    }
}

pub(crate) async fn two_files_of_one_name_are_two_objects<P: Peer>() {
    let mut bench = Bench::<P>::new().await;
    let first = bench.file("IMG_0001.jpg", 20_000);
    bench.delivered(&first, "the first").await;
    *bench.memory.session.lock().unwrap() = None;
    bench.memory.confirmed.lock().unwrap().clear();
    let second = Order { job_id: "second".into(), ..bench.file("IMG_0001.jpg", 20_001) };
    bench.delivered(&second, "the second").await;
    let stored: Vec<u64> = bench.server.truth().objects.iter().map(|object| object.bytes.len() as u64).collect();
    assert_eq!(stored.len(), 2, "{stored:?}");
    assert!(stored.contains(&20_000) && stored.contains(&20_001), "{stored:?}");
}

pub(crate) async fn the_test_of_a_destination_leaves_nothing<P: Peer>() {
    let bench = Bench::<P>::new().await;
    let tested = bench.transfer.test(P::CONNECTOR, &bench.account).await.unwrap();
    assert_eq!(tested.capabilities.evidence, P::EVIDENCE);
    let truth = bench.server.truth();
    assert_eq!((truth.objects.len(), truth.leftovers), (0, 0), "{:?}", truth.objects);
    bench.server.always(Some(Fault::Answer(Answer::new("401 Unauthorized"))));
    let refused = bench.transfer.test(P::CONNECTOR, &bench.account).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::AuthenticationRequired);
}

pub(crate) async fn what_was_delivered_can_be_asked_for_again<P: Peer>() {
    for bytes in [20_000, P::LARGE] {
        let mut bench = Bench::<P>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        let delivered = bench.delivered(&order, "before").await;
        let held = holding(&order, delivered.remote_id);
        bench.restart();
        let cancel = CancellationToken::new();
        let ask = async |held: &Holding| bench.transfer.ask_again(P::CONNECTOR, &bench.account, held, &cancel).await;
        match ask(&held).await {
            Again::Held { evidence, .. } => assert_eq!(evidence, P::SHOWS_AGAIN),
            other => panic!("{other:?}"),
        }
        bench.stored_once(&order, "asked for again");

        if P::SHOWS_AGAIN > Evidence::Accepted {
            let never = bench.file("IMG_0002.jpg", bytes + 1);
            assert_eq!(ask(&holding(&never, held.remote_id.clone())).await, Again::Gone, "other bytes are there");
            assert_eq!(ask(&holding(&never, format!("{}-never", held.remote_id))).await, Again::Gone, "nothing is there");
        }
        fs::write(order.root.join(&order.path), vec![0; usize::try_from(bytes).unwrap()]).unwrap();
        assert!(matches!(ask(&held).await, Again::Unfit(_)), "another file of that size");
    }
}

fn holding(order: &Order, remote_id: String) -> Holding {
    Holding {
        root: order.root.clone(),
        path: order.path.clone(),
        filename: order.filename.clone(),
        byte_count: order.byte_count,
        sha256: order.sha256.clone(),
        remote_id,
    }
}

/// The suite, put to a connector.
macro_rules! conformance {
    ($name:ident, $peer:ty) => {
        mod $name {
            use super::*;
            $crate::every::cases! { $peer;
                files_of_every_size_arrive_once
                hostile_names_arrive
                every_request_may_fail_in_every_way
                after_a_crash_at_any_request_it_goes_on
                what_the_person_must_mend_is_said_and_loses_nothing
                a_wish_for_patience_is_heard
                a_portal_is_never_a_delivery
                nonsense_is_no_delivery_and_no_crash
                a_redirect_takes_no_credential_elsewhere
                a_file_goes_on_at_another_address
                no_credential_goes_to_an_address_before_its_server_answers
                a_silent_line_is_left
                a_server_that_takes_its_time_is_not_left
                a_file_that_changes_is_never_a_mixture
                the_same_twice_is_one_object
                two_files_of_one_name_are_two_objects
                the_test_of_a_destination_leaves_nothing
                what_was_delivered_can_be_asked_for_again
            }
        }
    };
}

macro_rules! cases {
    ($peer:ty; $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::every::$case::<$peer>().await;
            }
        )*
    };
}

pub(crate) use {cases, conformance};
