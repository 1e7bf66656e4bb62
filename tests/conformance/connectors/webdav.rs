//! The connector for WebDAV, put to the suite: at servers that state digests, at others, and with everything read back.

mod server;

use afterglow_model::{Connector, DestinationConfig, Evidence, FailureClass, FailureCode};
use afterglow_tests::model_server::{Answer, Fault};
use afterglow_transfer::{Account, Order, Outcome};

use self::server::{File, ROOT, SECRET, USER, WebdavServer};
use crate::{
    every::{Bench, Peer, conformance},
    rig::MIB,
};

pub(crate) struct Webdav;

impl Peer for Webdav {
    type Server = WebdavServer;
    const CONNECTOR: Connector = Connector::Webdav;
    const EVIDENCE: Evidence = Evidence::Sized;
    const TRIES_OUT: bool = true;

    fn server() -> WebdavServer {
        WebdavServer::default()
    }

    fn account(origin: &str) -> Account {
        let config = DestinationConfig { user: Some(USER.to_owned()), folder: Some("phone".to_owned()), ..Default::default() };
        Account { secret: Some(SECRET.to_owned()), config, ..Account::at(format!("{origin}{ROOT}/").parse().unwrap()) }
    }
}

conformance!(webdav, Webdav);

/// The same at a server that states digests, such as ownCloud.
struct Owncloud;

impl Peer for Owncloud {
    type Server = WebdavServer;
    const CONNECTOR: Connector = Connector::Webdav;
    const EVIDENCE: Evidence = Evidence::Hashed;
    const TRIES_OUT: bool = true;

    fn server() -> WebdavServer {
        WebdavServer { states_digests: true, ..WebdavServer::default() }
    }

    fn account(origin: &str) -> Account {
        Webdav::account(origin)
    }
}

conformance!(owncloud, Owncloud);

/// The same, where each delivery is read back.
pub(crate) struct ReadBack;

impl Peer for ReadBack {
    type Server = WebdavServer;
    const CONNECTOR: Connector = Connector::Webdav;
    const EVIDENCE: Evidence = Evidence::ReadBack;
    const TRIES_OUT: bool = true;

    fn server() -> WebdavServer {
        WebdavServer::default()
    }

    fn account(origin: &str) -> Account {
        let account = Webdav::account(origin);
        Account { config: DestinationConfig { read_back: true, ..account.config.clone() }, ..account }
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

const PLACE: &str = "/dav/photos/phone/2023/11/IMG_0001.jpg";

/// Somebody else's file of that name and size.
fn foreign(bytes: usize) -> File {
    File { bytes: vec![7; bytes], modified: None }
}

#[tokio::test]
async fn a_photo_lies_in_the_folder_of_its_month_with_its_date() {
    for bytes in [3000, 2 * MIB] {
        let bench = Bench::<Webdav>::new().await;
        bench.server.with(|server| server.folders = ["/dav", ROOT].map(str::to_owned).into());
        let order = bench.file("IMG_0001.jpg", bytes);
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
        let file = bench.server.with(|server| server.files[PLACE].clone());
        assert_eq!((file.bytes.len() as u64, file.modified.as_deref()), (bytes, Some("1700000000")));
        let undated = Order { created_ms: None, job_id: "undated".into(), ..bench.file("IMG_0002.jpg", bytes) };
        *bench.memory.session.lock().unwrap() = None;
        assert!(matches!(bench.attempt(&undated).await, Outcome::Delivered(_)));
        let path = "/dav/photos/phone/undated/IMG_0002.jpg";
        assert_eq!(bench.server.with(|server| server.files[path].modified.clone()), None);
    }
}

#[tokio::test]
async fn a_file_of_that_name_and_size_is_kept_and_not_taken_for_ours() {
    for bytes in [3000, 2 * MIB] {
        let bench = Bench::<Webdav>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        let theirs = foreign(usize::try_from(bytes).unwrap());
        bench.server.with(|server| {
            server
                .folders
                .extend(["", "/afterglow", "/afterglow/2023", "/afterglow/2023/11"].map(|path| format!("{ROOT}/from{path}")));
            server.files.insert(PLACE.to_owned(), theirs.clone());
        });
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
        let files = bench.server.with(|server| server.files.clone());
        let ours = format!("/dav/photos/phone/2023/11/IMG_0001%20({}).jpg", &order.sha256[..8]);
        assert_eq!((files.len(), &files[PLACE], files[&ours].bytes.len() as u64), (2, &theirs, bytes));
    }
}

#[tokio::test]
async fn a_name_that_was_taken_meanwhile_costs_no_byte_twice() {
    let bench = Bench::<Webdav>::new().await;
    let order = bench.file("IMG_0001.jpg", 2 * MIB);
    let length = usize::try_from(2 * MIB).unwrap();
    // Once the part is there, and before it is renamed.
    let taken = async {
        bench.server.content_reaches(2 * MIB).await;
        bench.server.with(|server| server.files.insert(PLACE.to_owned(), foreign(length)));
    };
    let (outcome, ()) = tokio::join!(bench.attempt(&order), taken);
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    let truth = bench.server.truth();
    assert_eq!((truth.objects.len(), truth.leftovers), (2, 0));
    assert!(truth.content_bytes < 2 * MIB + 64 * 1024, "{} bytes", truth.content_bytes);
}

#[tokio::test]
async fn a_part_that_is_gone_is_no_delivery_because_of_another_file_of_that_size() {
    let bench = Bench::<Webdav>::new().await;
    let order = bench.file("IMG_0001.jpg", 2 * MIB);
    bench.server.fail(3, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
    assert!(bench.memory.session.lock().unwrap().is_some());
    bench.server.with(|server| {
        server.files.clear();
        server.files.insert(PLACE.to_owned(), foreign(usize::try_from(2 * MIB).unwrap()));
    });
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    assert_eq!(bench.server.truth().objects.len(), 2);
}

#[tokio::test]
async fn a_proxy_that_ends_tls_is_no_hindrance() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.with(|server| server.is_behind_proxy = true);
    let order = bench.file("IMG_0001.jpg", 3000);
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    bench.stored_once(&order, "behind a proxy");
}

#[tokio::test]
async fn a_folder_that_another_upload_made_first_is_taken() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.with(|server| server.forbids_twice = true);
    for name in ["IMG_0001.jpg", "IMG_0002.jpg"] {
        let order = bench.file(name, 2 * MIB);
        *bench.memory.session.lock().unwrap() = None;
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)), "{name}");
    }
    assert_eq!(bench.server.truth().objects.len(), 2);
}

#[tokio::test]
async fn a_locked_file_waits() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.with(|server| server.locked = true);
    let order = bench.file("IMG_0001.jpg", 2 * MIB);
    let failure = bench.failed(&order, FailureCode::ServerError, "locked").await;
    assert_eq!(failure.class, FailureClass::Transient);
    bench.server.with(|server| server.locked = false);
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    let truth = bench.stored_once(&order, "unlocked");
    assert!(truth.content_bytes < 2 * MIB + 64 * 1024, "{} bytes", truth.content_bytes);
}

#[tokio::test]
async fn what_is_read_back_must_be_what_was_sent() {
    let bench = Bench::<ReadBack>::new().await;
    bench.server.with(|server| server.damages = true);
    let failure = bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::DigestMismatch, "damaged").await;
    assert_eq!(failure.class, FailureClass::NeedsUser);
}

#[tokio::test]
async fn what_is_no_folder_of_a_webdav_server_is_said() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.always(Some(Fault::Answer(Answer::new("405 Method Not Allowed"))));
    let failure = bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::ProtocolUnsupported, "no WebDAV").await;
    assert!(failure.class == FailureClass::NeedsUser && failure.message.contains("WebDAV"), "{}", failure.message);
    bench.server.always(None);
    bench.server.with(|server| server.folders.clear());
    bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::ProtocolUnsupported, "no such folder").await;
}

#[tokio::test]
async fn what_was_damaged_gets_no_name_where_digests_are_stated() {
    for bytes in [3000, 2 * MIB] {
        let bench = Bench::<Owncloud>::new().await;
        bench.server.with(|server| server.damages = true);
        let order = bench.file("IMG_0001.jpg", bytes);
        match bench.attempt(&order).await {
            Outcome::Failed(failure) => assert_eq!(failure.class, FailureClass::Transient, "{}", failure.message),
            other => panic!("{other:?}"),
        }
        assert!(bench.server.truth().objects.is_empty());
        bench.server.with(|server| server.damages = false);
        match bench.attempt(&order).await {
            Outcome::Delivered(delivered) => assert_eq!(delivered.evidence, Evidence::Hashed),
            other => panic!("{other:?}"),
        }
        bench.stored_once(&order, "intact");
    }
}

#[tokio::test]
async fn the_test_of_a_destination_finds_out_whether_digests_are_stated() {
    for (states_digests, evidence) in [(true, Evidence::Hashed), (false, Evidence::Sized)] {
        let bench = Bench::<Webdav>::new().await;
        bench.server.with(|server| server.states_digests = states_digests);
        for _ in 0..2 {
            let tested = bench.transfer.test(Connector::Webdav, &bench.account).await.unwrap();
            assert_eq!(tested.capabilities.evidence, evidence);
            assert_eq!(bench.transfer.probe(Connector::Webdav, &bench.account).await.unwrap().evidence, evidence);
        }
    }
}

#[tokio::test]
async fn digests_of_something_else_are_not_believed_and_keep_nothing_away() {
    let bench = Bench::<Owncloud>::new().await;
    bench.server.with(|server| server.states_nonsense = true);
    for n in 0..4 {
        for bytes in [3000 + n, 2 * MIB + n] {
            *bench.memory.session.lock().unwrap() = None;
            match bench.attempt(&bench.file(&format!("{bytes}.jpg"), bytes)).await {
                Outcome::Delivered(delivered) => assert_eq!(delivered.evidence, Evidence::Sized),
                other => panic!("{other:?}"),
            }
        }
    }
    let truth = bench.server.truth();
    assert_eq!((truth.objects.len(), truth.leftovers), (8, 0));
    assert_eq!(truth.requests.iter().filter(|request| request.method == "GET").count(), 1, "read back more than once");
}
