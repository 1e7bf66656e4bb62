//! The connector for Nextcloud, put to the suite and to what is special to Nextcloud.

mod server;

use afterglow_model::{Connector, DestinationConfig, Evidence, FailureClass, FailureCode};
use afterglow_tests::model_server::{Answer, Fault};
use afterglow_transfer::{Account, Order, Outcome};

use self::server::{BASE, FILES, File, LOGIN, NextcloudServer, SECRET, USER};
use crate::{
    every::{Bench, Peer, conformance},
    rig::MIB,
};

/// A server of the current version.
struct Nextcloud;

impl Peer for Nextcloud {
    type Server = NextcloudServer;
    const CONNECTOR: Connector = Connector::Nextcloud;
    const EVIDENCE: Evidence = Evidence::Hashed;
    const TRIES_OUT: bool = true;
    // A part: no server takes less.
    const RESENT_MAX: u64 = 5 * MIB;

    fn server() -> NextcloudServer {
        NextcloudServer::default()
    }

    fn account(origin: &str) -> Account {
        let config = DestinationConfig { user: Some(USER.to_owned()), folder: Some("Photos".to_owned()), ..Default::default() };
        Account { secret: Some(SECRET.to_owned()), config, ..Account::at(format!("{origin}{BASE}").parse().unwrap()) }
    }
}

conformance!(every, Nextcloud);

/// One that computes no digests, as ownCloud: what is stored is proved by its size.
struct WithoutDigests;

impl Peer for WithoutDigests {
    type Server = NextcloudServer;
    const CONNECTOR: Connector = Connector::Nextcloud;
    const EVIDENCE: Evidence = Evidence::Sized;
    const TRIES_OUT: bool = true;

    fn server() -> NextcloudServer {
        NextcloudServer { hashes: false, ..NextcloudServer::default() }
    }

    fn account(origin: &str) -> Account {
        let account = Nextcloud::account(origin);
        // An address as it is copied from another client.
        Account { url: format!("{origin}{FILES}/").parse().unwrap(), ..account }
    }
}

mod without_digests {
    use super::WithoutDigests;
    crate::every::cases! { WithoutDigests;
        files_of_every_size_arrive_once
        two_files_of_one_name_are_two_objects
        the_test_of_a_destination_leaves_nothing
    }
}

/// Each delivery is read back.
struct ReadBack;

impl Peer for ReadBack {
    type Server = NextcloudServer;
    const CONNECTOR: Connector = Connector::Nextcloud;
    const EVIDENCE: Evidence = Evidence::ReadBack;
    const TRIES_OUT: bool = true;

    fn server() -> NextcloudServer {
        NextcloudServer::default()
    }

    fn account(origin: &str) -> Account {
        let account = Nextcloud::account(origin);
        Account { config: DestinationConfig { read_back: true, ..account.config.clone() }, ..account }
    }
}

mod read_back {
    use super::ReadBack;
    crate::every::cases! { ReadBack;
        files_of_every_size_arrive_once
        the_same_twice_is_one_object
        the_test_of_a_destination_leaves_nothing
    }
}

/// Sizes that take each way through the connector: in one request, in one request after a session was stored, in parts.
const SIZES: [u64; 3] = [3000, 3 * MIB, 12 * MIB + 1];

fn at(name: &str) -> String {
    format!("{FILES}/Photos/2023/11/{name}")
}

async fn delivered(bench: &Bench<Nextcloud>, order: &Order) -> Evidence {
    match bench.attempt(order).await {
        Outcome::Delivered(delivered) => delivered.evidence,
        other => panic!("{other:?}"),
    }
}

fn requests(bench: &Bench<Nextcloud>, method: &str) -> usize {
    bench.server.truth().requests.iter().filter(|request| request.method == method).count()
}

#[tokio::test]
async fn a_photo_lies_in_the_folder_of_its_month_with_its_date() {
    for bytes in SIZES {
        let bench = Bench::<Nextcloud>::new().await;
        bench.server.with(|server| server.folders = [FILES.to_owned()].into());
        let order = bench.file("IMG_0001.jpg", bytes);
        assert_eq!(delivered(&bench, &order).await, Evidence::Hashed);
        let file = bench.server.with(|server| server.files[&at("IMG_0001.jpg")].clone());
        assert_eq!((file.bytes.len() as u64, file.modified.as_deref()), (bytes, Some("1700000000")));
    }
}

#[tokio::test]
async fn a_small_photo_is_one_request() {
    let bench = Bench::<Nextcloud>::new().await;
    bench.server.with(|server| server.folders.insert(format!("{FILES}/Photos/2023/11")));
    for n in 0..5 {
        assert_eq!(delivered(&bench, &bench.file(&format!("IMG_{n}.jpg"), 3000 + n)).await, Evidence::Hashed);
    }
    assert_eq!(bench.server.truth().requests.len(), 5);
}

#[tokio::test]
async fn a_file_of_that_name_and_size_is_kept_and_not_taken_for_ours() {
    for bytes in SIZES {
        let bench = Bench::<Nextcloud>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        let theirs = vec![7; usize::try_from(bytes).unwrap()];
        bench.server.with(|server| {
            server.folders.insert(format!("{FILES}/Photos/2023/11"));
            server.files.insert(at("IMG_0001.jpg"), File { bytes: theirs.clone(), ..File::default() });
        });
        assert_eq!(delivered(&bench, &order).await, Evidence::Hashed);
        let files = bench.server.with(|server| server.files.clone());
        let ours = at(&format!("IMG_0001 ({}).jpg", &order.sha256[..8]));
        assert_eq!((files.len(), &files[&at("IMG_0001.jpg")].bytes, server::hex(&files[&ours].bytes)), (2, &theirs, order.sha256));
        assert_eq!(requests(&bench, "GET"), 0, "nothing is fetched to compare");
    }
}

#[tokio::test]
async fn a_name_that_was_taken_meanwhile_loses_nothing() {
    for bytes in [3 * MIB, 12 * MIB + 1] {
        let bench = Bench::<Nextcloud>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        // The last question before the payload.
        let taken = async {
            bench.server.requests_reach(2).await;
            bench.server.with(|server| {
                let theirs = File { bytes: vec![7; usize::try_from(bytes).unwrap()], ..File::default() };
                server.files.insert(at("IMG_0001.jpg"), theirs);
            });
        };
        let (outcome, ()) = tokio::join!(bench.attempt(&order), taken);
        assert!(matches!(outcome, Outcome::Delivered(_)), "{bytes}: {outcome:?}");
        let truth = bench.server.truth();
        assert_eq!((truth.objects.len(), truth.leftovers), (2, 0), "{bytes}");
        assert!(truth.objects.iter().any(|object| server::hex(&object.bytes) == order.sha256));
    }
}

#[tokio::test]
async fn what_took_the_name_while_a_session_waited_is_not_taken_for_ours() {
    let bytes = 3 * MIB;
    let mut met = 0;
    for n in 0..8 {
        let bench = Bench::<Nextcloud>::new().await;
        // By size alone it would pass.
        bench.server.with(|server| server.hashes = false);
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.server.fail(n, Fault::Answer(Answer::new("401 Unauthorized")));
        if !matches!(bench.attempt(&order).await, Outcome::Failed(_)) || bench.memory.session.lock().unwrap().is_none() {
            continue;
        }
        met += 1;
        let theirs = vec![7; usize::try_from(bytes).unwrap()];
        bench.server.with(|server| server.files.insert(at("IMG_0001.jpg"), File { bytes: theirs.clone(), ..File::default() }));
        delivered(&bench, &order).await;
        let truth = bench.server.truth();
        assert_eq!(truth.objects.len(), 2, "request {n}");
        assert!(truth.objects.iter().any(|object| server::hex(&object.bytes) == order.sha256), "request {n}");
    }
    assert!(met > 0, "no session was left waiting");
}

#[tokio::test]
async fn parts_are_put_together_in_their_own_time() {
    for assembling in [1, 3, 6] {
        let bench = Bench::<Nextcloud>::new().await;
        bench.server.with(|server| server.assembling = assembling);
        let order = bench.file("film.mov", 12 * MIB);
        let outcome = bench.attempt(&order).await;
        if assembling == 6 {
            // Longer than one delivery waits.
            assert!(matches!(&outcome, Outcome::Failed(failure) if failure.class == FailureClass::Transient), "{outcome:?}");
            delivered(&bench, &order).await;
        } else {
            assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        }
        let truth = bench.stored_once(&order, "assembled");
        assert!(truth.content_bytes < 12 * MIB + 64 * 1024, "{} bytes", truth.content_bytes);
    }
}

#[tokio::test]
async fn a_cut_costs_one_part() {
    let bench = Bench::<Nextcloud>::new().await;
    let order = bench.file("film.mov", 23 * MIB);
    // The third part.
    bench.server.fail(5, Fault::CutMidway);
    delivered(&bench, &order).await;
    let truth = bench.stored_once(&order, "cut");
    assert!(truth.content_bytes < 28 * MIB + 64 * 1024, "{} bytes", truth.content_bytes);
}

#[tokio::test]
async fn an_expired_upload_is_begun_anew() {
    let bench = Bench::<Nextcloud>::new().await;
    let order = bench.file("film.mov", 12 * MIB);
    bench.server.fail(5, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
    bench.server.with(|server| server.uploads.clear());
    delivered(&bench, &order).await;
    bench.stored_once(&order, "expired");
}

#[tokio::test]
async fn what_an_attempt_that_nobody_remembers_has_left_is_not_used() {
    let bench = Bench::<Nextcloud>::new().await;
    let order = bench.file("film.mov", 12 * MIB);
    bench.server.fail(5, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
    *bench.memory.session.lock().unwrap() = None;
    // Of another version of the file, as it may be.
    bench
        .server
        .with(|server| server.uploads.values_mut().flat_map(|upload| upload.parts.values_mut()).for_each(|part| part.fill(7)));
    delivered(&bench, &order).await;
    bench.stored_once(&order, "forgotten");
}

#[tokio::test]
async fn a_proxy_that_takes_less_gets_smaller_parts() {
    for largest in [6 * MIB, 2 * MIB, 512 * 1024] {
        for bytes in [MIB, 7 * MIB, 12 * MIB] {
            let bench = Bench::<Nextcloud>::new().await;
            bench.server.with(|server| server.largest_body = usize::try_from(largest).unwrap());
            let order = bench.file("film.mov", bytes);
            let why = format!("{bytes} bytes, {largest} at most");
            assert_eq!(delivered(&bench, &order).await, Evidence::Hashed, "{why}");
            bench.stored_once(&order, &why);
        }
    }
}

#[tokio::test]
async fn what_was_damaged_is_taken_away_and_sent_again() {
    for bytes in SIZES {
        let bench = Bench::<Nextcloud>::new().await;
        bench.server.with(|server| server.damages = true);
        let order = bench.file("IMG_0001.jpg", bytes);
        let failure = bench.failed(&order, FailureCode::DigestMismatch, "damaged").await;
        assert_eq!(failure.class, FailureClass::Transient);
        assert_eq!(bench.server.truth().objects.len(), 0, "{bytes}");
        bench.server.with(|server| server.damages = false);
        delivered(&bench, &order).await;
        bench.stored_once(&order, "sound again");
    }
}

#[tokio::test]
async fn no_room_is_said_before_the_bytes_are_sent() {
    let bench = Bench::<Nextcloud>::new().await;
    bench.server.with(|server| server.room = 11 << 20);
    let order = bench.file("film.mov", 23 * MIB);
    let failure = bench.failed(&order, FailureCode::QuotaExceeded, "no room").await;
    assert_eq!(failure.class, FailureClass::NeedsUser);
    assert!(bench.server.truth().content_bytes < 6 * MIB);
    bench.server.with(|server| server.room = usize::MAX);
    delivered(&bench, &order).await;
    bench.stored_once(&order, "room again");
}

#[tokio::test]
async fn an_account_without_a_user_is_said() {
    let bench = Bench::<Nextcloud>::new().await;
    let account = Account { config: DestinationConfig::default(), ..Nextcloud::account(&bench.server.origin()) };
    let transfer = afterglow_transfer::Transfer::new(crate::rig::options()).unwrap();
    let failure = transfer.test(Connector::Nextcloud, &account).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::NeedsUser, FailureCode::AuthenticationRequired));
    assert_eq!(bench.server.truth().requests.len(), 0);
}

#[tokio::test]
async fn who_signs_in_by_another_name_is_told_the_one_that_is_wanted() {
    let bench = Bench::<Nextcloud>::new().await;
    let account = Nextcloud::account(&bench.server.origin());
    let account = Account { config: DestinationConfig { user: Some(LOGIN.to_owned()), ..account.config.clone() }, ..account };
    let transfer = afterglow_transfer::Transfer::new(crate::rig::options()).unwrap();
    let failure = transfer.test(Connector::Nextcloud, &account).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::NeedsUser, FailureCode::AuthenticationRequired));
    assert!(failure.message.contains(USER), "{}", failure.message);
}

#[tokio::test]
async fn it_is_known_again_by_its_instance_without_a_password() {
    for account in [Nextcloud::account, WithoutDigests::account] {
        let bench = Bench::<Nextcloud>::new().await;
        let said = bench.transfer.identify(Connector::Nextcloud, &account(&bench.server.origin())).await.unwrap();
        assert_eq!(said.as_deref(), Some("nextcloud ocx3k9qz71mf"));
        assert!(bench.server.truth().requests.iter().all(|request| request.header("authorization").is_none()));
    }
}

/// Opens a page as the person's browser does.
async fn browse(url: &url::Url) {
    assert!(reqwest::get(url.clone()).await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_sign_in_in_the_browser_knows_both_names_of_the_account() {
    let mut bench = Bench::<Nextcloud>::new().await;
    let asked = Account { secret: None, config: DestinationConfig::default(), ..bench.account.clone() };
    let login = bench.transfer.begin_login(&asked).await.unwrap();
    let says_yes = async {
        // Only after it was asked in vain.
        bench.server.requests_reach(2).await;
        browse(&login.open_url).await;
    };
    let (signed_in, ()) = tokio::join!(bench.transfer.finish_login(&asked, &login), says_yes);
    let signed_in = signed_in.unwrap();
    assert_eq!(signed_in.user.as_deref(), Some(USER));
    assert!(!format!("{signed_in:?}").contains("made-0"));
    bench.account.config.user = signed_in.user;
    bench.account.secret = Some(signed_in.secret);
    let order = bench.file("IMG_0001.jpg", 20_000);
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    bench.stored_once(&order, "signed in");

    bench.transfer.sign_out(Connector::Nextcloud, &bench.account).await;
    bench.server.with(|server| assert!(server.app_passwords.is_empty()));
    *bench.memory.session.lock().unwrap() = None;
    bench.failed(&bench.file("IMG_0002.jpg", 20_002), FailureCode::AuthenticationRequired, "signed out").await;
}

#[tokio::test]
async fn a_password_that_was_entered_by_hand_is_not_taken_back() {
    let bench = Bench::<Nextcloud>::new().await;
    bench.transfer.sign_out(Connector::Nextcloud, &bench.account).await;
    assert_eq!(bench.server.truth().requests.len(), 0);
}

#[tokio::test]
async fn a_sign_in_leads_nowhere_else() {
    let bench = Bench::<Nextcloud>::new().await;
    for elsewhere in ["http://localhost", "https://cloud.example.com", "file:///etc/passwd?", "javascript:"] {
        bench.server.with(|server| server.overwritten = Some(elsewhere));
        let Err(failure) = bench.transfer.begin_login(&bench.account).await else { panic!("{elsewhere}") };
        assert_eq!(failure.code, FailureCode::DestinationNotAllowed, "{}", failure.message);
    }
}

#[tokio::test]
async fn the_test_says_how_much_room_there_is() {
    // The model never gives back what the test photo took.
    for (room, stated) in [(usize::MAX, None), (5 << 30, Some("5.4 GB".to_owned()))] {
        let bench = Bench::<Nextcloud>::new().await;
        bench.server.with(|server| server.room = room);
        let tested = bench.transfer.test(Connector::Nextcloud, &bench.account).await.unwrap();
        assert_eq!(tested.room.map(afterglow_model::bytes), stated);
    }
}
