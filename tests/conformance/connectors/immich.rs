//! The connector for Immich, put to the suite and to what is special to Immich.

mod albums;
mod server;

use afterglow_model::{Connector, Evidence, Failure, FailureClass, FailureCode, Visibility};
use afterglow_tests::model_server::{Answer, Fault};
use afterglow_transfer::{Account, Companions, Delivered, Order, Outcome, Sidecar};
use tokio_util::sync::CancellationToken;

use self::server::{Asset, ImmichServer, KEY, sha1};
use crate::{
    every::{Bench, Peer, conformance},
    rig::{MIB, Memory, content},
};

/// A server of the current version.
struct Immich;

impl Peer for Immich {
    type Server = ImmichServer;
    const CONNECTOR: Connector = Connector::Immich;
    const EVIDENCE: Evidence = Evidence::Hashed;

    fn server() -> ImmichServer {
        ImmichServer::default()
    }

    fn account(origin: &str) -> Account {
        Account { secret: Some(KEY.to_owned()), ..Account::at(origin.parse().unwrap()) }
    }
}

conformance!(every, Immich);

/// Sizes that take each way through the connector.
const SIZES: [u64; 2] = [20_000, 3 * MIB];

async fn delivered(bench: &Bench<Immich>, order: &Order) -> Delivered {
    match bench.attempt(order).await {
        Outcome::Delivered(delivered) => delivered,
        other => panic!("{other:?}"),
    }
}

async fn refused(bench: &Bench<Immich>, order: &Order, class: FailureClass, code: FailureCode) -> Failure {
    let failure = bench.failed(order, code, "refused").await;
    assert_eq!(failure.class, class, "{}", failure.message);
    failure
}

fn posts(bench: &Bench<Immich>) -> usize {
    bench.server.truth().requests.iter().filter(|request| request.method == "POST" && request.target() == "/api/assets").count()
}

fn put(bench: &Bench<Immich>, bytes: u64, trashed: bool) {
    let bytes = content(bytes);
    let fields = [("filename".to_owned(), "before.jpg".to_owned())].into();
    let asset = Asset { id: "asset-of-before".to_owned(), fields, bytes: bytes.clone(), sidecar: None, trashed };
    bench.server.with(|server| drop(server.assets.insert(sha1(&bytes), asset)));
}

#[tokio::test]
async fn both_versions_get_what_they_want_to_know() {
    for version in [[2, 0, 0], [2, 7, 5], [3, 0, 0]] {
        for bytes in SIZES {
            let bench = Bench::<Immich>::new().await;
            bench.server.with(|server| server.version = version);
            let order = Order { filename: "Grüße \"1\".jpg".to_owned(), ..bench.file("IMG_0001.jpg", bytes) };
            let delivered = delivered(&bench, &order).await;
            bench.stored_once(&order, "a version");
            let asset = bench.server.with(|server| server.assets.values().next().cloned().unwrap());
            assert_eq!(delivered.remote_id, asset.id);
            assert_eq!(asset.fields["filename"], "Grüße _1_.jpg");
            assert_eq!(asset.fields["fileCreatedAt"], "2023-11-14T22:13:20Z");
        }
    }
}

#[tokio::test]
async fn the_address_may_have_a_path_and_the_api_in_it() {
    for (base, suffix) in [("", "/"), ("", "/api"), ("/photos", "/photos"), ("/photos", "/photos/api/")] {
        let mut bench = Bench::<Immich>::new().await;
        bench.server.with(|server| server.base = base);
        bench.account.url = format!("{}{suffix}", bench.server.origin()).parse().unwrap();
        for bytes in SIZES {
            *bench.memory.session.lock().unwrap() = None;
            let order = bench.file("IMG_0001.jpg", bytes);
            delivered(&bench, &order).await;
        }
        assert_eq!(bench.server.truth().objects.len(), 2, "{suffix}");
    }
}

#[tokio::test]
async fn what_is_there_already_is_not_sent_again() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        put(&bench, bytes, false);
        let order = bench.file("IMG_0001.jpg", bytes);
        let delivered = delivered(&bench, &order).await;
        assert_eq!((delivered.remote_id.as_str(), delivered.evidence), ("asset-of-before", Evidence::Hashed));
        bench.stored_once(&order, "there already");
        assert!(bytes < MIB || posts(&bench) == 0, "a large file was sent");
    }
    let bench = Bench::<Immich>::new().await;
    put(&bench, 300_000, false);
    assert_eq!(delivered(&bench, &bench.file("IMG_0001.jpg", 300_000)).await.remote_id, "asset-of-before");
    assert_eq!(posts(&bench), 0, "a photo was sent");
}

#[tokio::test]
async fn what_lies_in_the_trash_is_not_delivered() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        put(&bench, bytes, true);
        let order = bench.file("IMG_0001.jpg", bytes);
        let failure = refused(&bench, &order, FailureClass::NeedsUser, FailureCode::ServerRejected).await;
        assert!(failure.message.contains("trash") && failure.message.contains("Restore it there"), "{}", failure.message);
        assert!(bench.server.truth().objects.is_empty());
        bench.server.with(|server| server.assets.values_mut().for_each(|asset| asset.trashed = false));
        delivered(&bench, &order).await;
    }
}

#[tokio::test]
async fn a_key_that_may_not_is_told_what_it_lacks() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        bench.server.with(|server| server.permissions = vec!["asset.read", "user.read"]);
        let order = bench.file("IMG_0001.jpg", bytes);
        let failure = refused(&bench, &order, FailureClass::NeedsUser, FailureCode::AuthenticationRequired).await;
        assert!(failure.message.contains("permission asset.upload"), "{}", failure.message);
        let probed = bench.transfer.probe(Connector::Immich, &bench.account).await.unwrap_err();
        assert!(probed.message.contains("permission asset.upload"), "{}", probed.message);
        bench.server.with(|server| server.permissions = vec!["all"]);
        delivered(&bench, &order).await;
    }
}

#[tokio::test]
async fn a_full_account_is_said() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        bench.server.with(|server| server.quota = Some(10_000));
        let order = bench.file("IMG_0001.jpg", bytes);
        refused(&bench, &order, FailureClass::NeedsUser, FailureCode::QuotaExceeded).await;
        bench.server.with(|server| server.quota = None);
        delivered(&bench, &order).await;
        bench.stored_once(&order, "with room again");
    }
}

#[tokio::test]
async fn what_is_no_picture_is_refused_for_good_with_the_reason() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        let failure = refused(&bench, &bench.file("notes.txt", bytes), FailureClass::Permanent, FailureCode::ServerRejected).await;
        assert!(failure.message.contains("Unsupported file type notes.txt"), "{}", failure.message);
        assert_eq!(*bench.memory.session.lock().unwrap(), None);
    }
}

#[tokio::test]
async fn what_a_proxy_does_not_let_through_is_said_once() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        let before = if bytes < MIB { 2 } else { 1 };
        bench.server.fail(before, Fault::Answer(Answer::new("413 Request Entity Too Large")));
        refused(&bench, &order, FailureClass::Permanent, FailureCode::PayloadTooLarge).await;
        assert_eq!(posts(&bench), 1);
    }
}

#[tokio::test]
async fn only_what_the_server_knows_afterwards_is_delivered() {
    for bytes in SIZES {
        for damages in [false, true] {
            let bench = Bench::<Immich>::new().await;
            bench.server.with(|server| (server.forgets, server.damages) = (!damages, damages));
            match bench.attempt(&bench.file("IMG_0001.jpg", bytes)).await {
                Outcome::Failed(failure) => assert_eq!(failure.class, FailureClass::Transient, "{}", failure.message),
                other => panic!("{other:?}"),
            }
            assert!(posts(&bench) <= 4, "sent again and again");
        }
    }
}

#[tokio::test]
async fn another_version_of_the_file_proves_nothing() {
    let bench = Bench::<Immich>::new().await;
    let order = bench.file("IMG_0001.jpg", 3 * MIB);
    // The library has seen other bytes of the same number; the server has those that are there now.
    put(&bench, 3 * MIB, false);
    let order = Order { sha256: "ab".repeat(32), ..order };
    refused(&bench, &order, FailureClass::Transient, FailureCode::SourceChanged).await;
}

/// The session of an attempt that was stopped before the file was there.
async fn begun(bench: &Bench<Immich>, order: &Order) {
    bench.server.fail(1, Fault::Answer(Answer::new("401 Unauthorized")));
    refused(bench, order, FailureClass::NeedsUser, FailureCode::AuthenticationRequired).await;
    assert!(bench.memory.session.lock().unwrap().is_some());
}

#[tokio::test]
async fn what_somebody_else_brought_meanwhile_is_looked_at_before_it_is_called_delivered() {
    let bench = Bench::<Immich>::new().await;
    let order = bench.file("IMG_0001.jpg", 3 * MIB);
    begun(&bench, &order).await;
    put(&bench, 3 * MIB, false);
    let other = Order { sha256: "ab".repeat(32), ..order.clone() };
    refused(&bench, &other, FailureClass::Transient, FailureCode::SourceChanged).await;
    assert_eq!(delivered(&bench, &order).await.remote_id, "asset-of-before");
    assert_eq!(posts(&bench), 1);
}

#[tokio::test]
async fn many_are_asked_for_together() {
    const PHOTOS: u64 = 60;
    let bench = Bench::<Immich>::new().await;
    let orders: Vec<Order> = (0..PHOTOS).map(|n| bench.file(&format!("IMG_{n}.jpg"), 2 * MIB + n)).collect();
    let cancel = CancellationToken::new();
    let all = orders.iter().map(async |order| {
        let memory = Memory::default();
        bench.transfer.deliver(Connector::Immich, &bench.account, order, &memory, &memory, &cancel).await
    });
    for outcome in futures_util::future::join_all(all).await {
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    }
    let truth = bench.server.truth();
    assert_eq!(truth.objects.len() as u64, PHOTOS);
    let asked = truth.requests.len() - posts(&bench);
    // Before and after each, and once in between, if each asked for itself.
    assert!((asked as u64) < 3 * PHOTOS, "{asked} questions");
}

#[tokio::test]
async fn an_old_server_is_named() {
    let bench = Bench::<Immich>::new().await;
    bench.server.with(|server| server.version = [1, 144, 1]);
    let failure = bench.transfer.probe(Connector::Immich, &bench.account).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::NeedsUser, FailureCode::ProtocolUnsupported));
    assert!(failure.message.contains("Immich 1.144.1"), "{}", failure.message);
}

#[tokio::test]
async fn it_is_known_again_by_its_domain_without_a_key() {
    let bench = Bench::<Immich>::new().await;
    let said = bench.transfer.identify(Connector::Immich, &bench.account).await.unwrap();
    assert_eq!(said.as_deref(), Some("immich https://photos.example"));
    assert!(bench.server.truth().requests.iter().all(|request| request.header("x-api-key").is_none()));
}

#[tokio::test]
async fn another_server_at_a_further_address_is_told_by_its_domain_before_a_key_is_shown() {
    for (domain, is_it) in [("https://photos.example", true), ("https://others.example", false)] {
        let (bench, other) = (Bench::<Immich>::new().await, Bench::<Immich>::new().await);
        other.server.with(|server| server.domain = domain);
        let mut proposed = bench.account.clone();
        proposed.config.addresses = vec![other.account.url.to_string()];
        let tried = bench.transfer.try_addresses(Connector::Immich, &bench.account, &proposed, &[]).await;
        let keys = other.server.truth().requests.iter().filter(|request| request.header("x-api-key").is_some()).count();
        if is_it {
            assert_eq!(tried.unwrap().as_deref(), Some("immich https://photos.example"));
            assert!(keys > 0, "it was not tried out");
            assert!(other.server.with(|server| server.assets.is_empty()), "what was tried out was left there");
        } else {
            assert!(tried.unwrap_err().message.contains("Another server"));
            assert_eq!(keys, 0);
        }
    }
}

/// An order of a file that belongs to others.
fn beside(bench: &Bench<Immich>, name: &str, bytes: u64, companions: Companions) -> Order {
    Order { companions, ..bench.file(name, bytes) }
}

fn everything(bench: &Bench<Immich>) {
    bench.server.with(|server| server.permissions.extend(["asset.read", "asset.update", "stack.create"]));
}

#[tokio::test]
async fn the_still_of_a_live_photo_names_its_video() {
    for bytes in SIZES {
        for may in [true, false] {
            let bench = Bench::<Immich>::new().await;
            if may {
                everything(&bench);
            }
            let video = delivered(&bench, &bench.file("IMG_1.mov", 30_000)).await.remote_id;
            *bench.memory.session.lock().unwrap() = None;
            let companions = Companions { paired_video: Some(video.clone()), ..Companions::default() };
            let still = delivered(&bench, &beside(&bench, "IMG_1.jpg", bytes, companions)).await.remote_id;
            let linked = bench.server.with(|server| server.assets.values().find(|asset| asset.id == still).unwrap().fields.clone());
            assert_eq!(linked.get("livePhotoVideoId"), Some(&video), "{bytes}, {may}");
        }
    }
}

#[tokio::test]
async fn a_still_that_was_there_before_is_linked() {
    let bench = Bench::<Immich>::new().await;
    everything(&bench);
    put(&bench, 20_000, false);
    let video = delivered(&bench, &bench.file("IMG_1.mov", 30_000)).await.remote_id;
    let companions = Companions { paired_video: Some(video.clone()), ..Companions::default() };
    let order = beside(&bench, "IMG_1.jpg", 20_000, companions);
    for _ in 0..2 {
        assert_eq!(delivered(&bench, &order).await.remote_id, "asset-of-before");
    }
    let fields = bench.server.with(|server| server.by_id("asset-of-before").unwrap().fields.clone());
    assert_eq!(fields["livePhotoVideoId"], video);
    let changes = bench.server.truth().requests.into_iter().filter(|request| request.method == "PUT").count();
    assert_eq!(changes, 1, "what is linked is left alone");
}

#[tokio::test]
async fn a_video_that_comes_after_its_still_is_linked() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        everything(&bench);
        let still = delivered(&bench, &bench.file("IMG_1.jpg", 30_000)).await.remote_id;
        let companions = Companions { still: Some(still.clone()), is_paired_video: true, ..Companions::default() };
        let order = beside(&bench, "IMG_1.mov", bytes, companions);
        let video = delivered(&bench, &order).await.remote_id;
        *bench.memory.session.lock().unwrap() = None;
        assert_eq!(delivered(&bench, &order).await.remote_id, video);
        let (still, video_is) = bench.server.with(|server| {
            (server.by_id(&still).unwrap().fields.clone(), server.by_id(&video).unwrap().fields["visibility"].clone())
        });
        assert_eq!((still.get("livePhotoVideoId"), video_is.as_str()), (Some(&video), "hidden"));
        let changes = bench.server.truth().requests.into_iter().filter(|request| request.method == "PUT").count();
        assert_eq!(changes, 1, "what is linked is left alone");
    }
}

#[tokio::test]
async fn a_video_that_its_locked_still_cannot_name_is_locked_beside_it() {
    let mut bench = Bench::<Immich>::new().await;
    everything(&bench);
    bench.account.config.visibility = Visibility::Locked;
    let still = delivered(&bench, &bench.file("IMG_1.jpg", 30_000)).await.remote_id;
    let companions = Companions { still: Some(still), is_paired_video: true, ..Companions::default() };
    delivered(&bench, &beside(&bench, "IMG_1.mov", 20_000, companions)).await;
    let expected = ["IMG_1.jpg", "IMG_1.mov"].map(|name| (name.to_owned(), Some("locked".to_owned())));
    assert_eq!(shown(&bench), expected);
}

#[tokio::test]
async fn what_belongs_together_is_stacked_once_whichever_comes_last() {
    // An edit is shown, else the photo; a RAW only stands beside it.
    let ranks = ["edit", "photo", "raw"];
    for arrival in [["photo", "raw", "edit"], ["photo", "edit", "raw"], ["edit", "photo", "raw"], ["raw", "edit", "photo"]] {
        let bench = Bench::<Immich>::new().await;
        everything(&bench);
        let mut there: Vec<(&str, String)> = Vec::new();
        for (bytes, own) in (20_000..).zip(arrival) {
            let rank = |name: &str| ranks.iter().position(|other| *other == name);
            there.sort_by_key(|(other, _)| rank(other));
            let mut others: Vec<String> = there.iter().map(|(_, id)| id.clone()).collect();
            let is_beside = there.first().is_some_and(|(first, _)| rank(first) < rank(own));
            let shown = is_beside.then(|| others.remove(0));
            let order = beside(&bench, &format!("{own}.dng"), bytes, Companions { shown, beside: others, ..Companions::default() });
            let id = delivered(&bench, &order).await.remote_id;
            let requests = bench.server.truth().requests.len();
            delivered(&bench, &order).await;
            let again = bench.server.truth().requests.split_off(requests);
            assert!(again.iter().all(|request| request.target() != "/api/stacks"), "stacked twice: {arrival:?}");
            there.push((own, id));
        }
        let stacks: Vec<Vec<String>> =
            bench.server.with(|server| server.stacks.iter().filter(|s| !s.is_empty()).cloned().collect());
        let id = |name: &str| there.iter().find(|(other, _)| *other == name).unwrap().1.clone();
        let [stack] = stacks.as_slice() else { panic!("{arrival:?}: {stacks:?}") };
        assert_eq!((stack.len(), &stack[0]), (3, &id("edit")), "{arrival:?}");
        assert!(stack.contains(&id("photo")) && stack.contains(&id("raw")), "{arrival:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_put_together_is_delivered_all_the_same() {
    let gone = Companions { shown: Some("nobody".to_owned()), ..Companions::default() };
    for may in [true, false] {
        let bench = Bench::<Immich>::new().await;
        if may {
            everything(&bench);
        }
        let order = beside(&bench, "IMG_1.jpg", 20_000, gone.clone());
        delivered(&bench, &order).await;
        bench.stored_once(&order, "alone");
    }
}

/// A server with a photo, and the order of the RAW that is stacked with it. Of the five requests of its delivery the last makes the stack.
async fn to_be_stacked() -> (Bench<Immich>, Order) {
    let bench = Bench::<Immich>::new().await;
    everything(&bench);
    let primary = delivered(&bench, &bench.file("IMG_1.jpg", 30_000)).await.remote_id;
    let order = beside(&bench, "IMG_1.dng", 20_000, Companions { shown: Some(primary), ..Companions::default() });
    (bench, order)
}

#[tokio::test]
async fn putting_together_is_tried_again_after_trouble() {
    let (bench, order) = to_be_stacked().await;
    let requests = bench.server.truth().requests.len();
    bench.server.fail(4, Fault::Answer(Answer::new("503 Service Unavailable")));
    delivered(&bench, &order).await;
    assert_eq!(bench.server.truth().requests.len(), requests + 5 + 3);
    assert_eq!(bench.server.with(|server| server.stacks.len()), 1);
}

#[tokio::test]
async fn what_a_server_never_puts_together_is_delivered_all_the_same() {
    let nonsense = Answer::new("200 OK").body("text/html", "<html>");
    let cases = [
        // At the fourth time it is let be.
        (Fault::Answer(Answer::new("500 Internal Server Error")), vec![4, 7, 10, 13], 2 + 4 * 3),
        // What an asset belongs to already cannot be read.
        (Fault::Answer(nonsense), vec![2], 3),
        (Fault::Answer(Answer::new("429 Too Many Requests").with("Retry-After", 70)), vec![4], 5),
    ];
    for (fault, at, asked) in cases {
        let (bench, order) = to_be_stacked().await;
        let requests = bench.server.truth().requests.len();
        at.into_iter().for_each(|n| bench.server.fail(n, fault.clone()));
        assert_eq!(delivered(&bench, &order).await.evidence, Evidence::Hashed, "{fault:?}");
        assert_eq!(bench.server.truth().requests.len(), requests + asked, "{fault:?}");
        assert!(bench.server.with(|server| server.stacks.is_empty()), "{fault:?}");
    }
}

#[tokio::test]
async fn putting_together_stops_when_it_is_asked_to() {
    let (bench, order) = to_be_stacked().await;
    let requests = bench.server.truth().requests.len();
    bench.server.fail(4, Fault::Silence);
    let cancel = CancellationToken::new();
    let memory = &bench.memory;
    let stop = async {
        bench.server.requests_reach(requests + 5).await;
        cancel.cancel();
    };
    let delivery = bench.transfer.deliver(Connector::Immich, &bench.account, &order, memory, memory, &cancel);
    let (outcome, ()) = tokio::join!(delivery, stop);
    assert_eq!(outcome, Outcome::Stopped);
    delivered(&bench, &order).await;
    assert_eq!(bench.server.with(|server| server.stacks.len()), 1);
}

/// An order of a photo with the sidecar at this path beneath the photo's folder.
fn with_sidecar(bench: &Bench<Immich>, bytes: u64, path: &str) -> Order {
    let order = bench.file("IMG_1.jpg", bytes);
    Order { sidecar: Some(Sidecar { root: order.root.clone(), path: path.into() }), ..order }
}

fn only_asset(bench: &Bench<Immich>) -> Asset {
    bench.server.with(|server| server.assets.values().next().cloned().unwrap())
}

#[tokio::test]
async fn a_sidecar_goes_in_the_form_of_its_photo() {
    for version in [[2, 7, 5], [3, 2, 2]] {
        for bytes in SIZES {
            let bench = Bench::<Immich>::new().await;
            bench.server.with(|server| server.version = version);
            let order = with_sidecar(&bench, bytes, "IMG_1.xmp");
            std::fs::write(order.root.join("IMG_1.xmp"), content(7000)).unwrap();
            delivered(&bench, &order).await;
            bench.stored_once(&order, "with its sidecar");
            let asset = only_asset(&bench);
            assert_eq!((asset.sidecar, asset.fields["filename"].as_str()), (Some(content(7000)), "IMG_1.jpg"));
            assert_eq!(posts(&bench), 1);
        }
    }
}

#[tokio::test]
async fn a_sidecar_that_cannot_be_read_stays_behind() {
    for bytes in SIZES {
        for path in ["missing.xmp", "link.xmp", "../IMG_1.xmp", "large.xmp", "folder.xmp"] {
            let bench = Bench::<Immich>::new().await;
            let order = with_sidecar(&bench, bytes, path);
            std::fs::write(order.root.join("IMG_1.xmp"), b"<x/>").unwrap();
            std::fs::write(order.root.join("large.xmp"), content(MIB + 1)).unwrap();
            std::fs::create_dir(order.root.join("folder.xmp")).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink("IMG_1.xmp", order.root.join("link.xmp")).unwrap();
            delivered(&bench, &order).await;
            bench.stored_once(&order, path);
            assert_eq!(only_asset(&bench).sidecar, None, "{path}");
        }
    }
}

#[tokio::test]
async fn a_photo_that_is_refused_with_its_sidecar_goes_without() {
    for bytes in SIZES {
        let bench = Bench::<Immich>::new().await;
        bench.server.with(|server| server.hates_sidecars = true);
        let order = with_sidecar(&bench, bytes, "IMG_1.xmp");
        std::fs::write(order.root.join("IMG_1.xmp"), b"<x/>").unwrap();
        delivered(&bench, &order).await;
        bench.stored_once(&order, "without its sidecar");
        assert_eq!(posts(&bench), 2);
    }
}

/// Where each file is shown, by its name.
fn shown(bench: &Bench<Immich>) -> Vec<(String, Option<String>)> {
    let place = |asset: &Asset| (asset.fields["filename"].clone(), asset.fields.get("visibility").cloned());
    let mut shown: Vec<_> = bench.server.with(|server| server.assets.values().map(place).collect());
    shown.sort();
    shown
}

#[tokio::test]
async fn photos_are_shown_where_the_person_wants_them() {
    let wishes = [(Visibility::Timeline, None), (Visibility::Archive, Some("archive")), (Visibility::Locked, Some("locked"))];
    for (visibility, expected) in wishes {
        for bytes in SIZES {
            let mut bench = Bench::<Immich>::new().await;
            bench.account.config.visibility = visibility;
            let companions = Companions { is_paired_video: true, ..Companions::default() };
            let video = delivered(&bench, &beside(&bench, "IMG_1.mov", bytes, companions)).await.remote_id;
            *bench.memory.session.lock().unwrap() = None;
            let companions = Companions { paired_video: Some(video), ..Companions::default() };
            delivered(&bench, &beside(&bench, "IMG_1.jpg", bytes + 1, companions)).await;
            // The video of a Live Photo is nowhere by itself.
            let expected = [("IMG_1.jpg", expected), ("IMG_1.mov", Some("hidden"))];
            assert_eq!(shown(&bench), expected.map(|(name, place)| (name.to_owned(), place.map(str::to_owned))));
        }
    }
}

#[tokio::test]
async fn a_test_leaves_nothing_whatever_is_wanted_later() {
    let mut bench = Bench::<Immich>::new().await;
    bench.account.config.visibility = Visibility::Locked;
    let tested = bench.transfer.test(Connector::Immich, &bench.account).await.unwrap();
    assert_eq!(tested.capabilities.server.as_deref(), Some("Immich 3.2.2"));
    assert!(bench.server.truth().objects.is_empty());
}

#[tokio::test]
async fn a_test_says_what_a_key_may_not_do() {
    let mut bench = Bench::<Immich>::new().await;
    let sentence = async |bench: &Bench<Immich>| bench.transfer.test(Connector::Immich, &bench.account).await.unwrap().sentence;
    let said = sentence(&bench).await;
    assert!(said.contains("lacks asset.read, asset.update, stack.create: Live Photos"), "{said}");
    assert!(!said.contains("album"), "none are wanted: {said}");
    everything(&bench);
    let said = sentence(&bench).await;
    assert!(!said.contains("lacks"), "{said}");
    bench.account.config.albums = true;
    bench.server.with(|server| server.permissions.push("album.read"));
    let said = sentence(&bench).await;
    assert!(said.ends_with("Its API key lacks album.create, albumAsset.create: photos are not put into albums."), "{said}");
    bench.server.with(|server| server.permissions = vec!["all"]);
    let said = sentence(&bench).await;
    assert!(!said.contains("lacks"), "{said}");
    assert!(bench.server.truth().objects.is_empty());
    bench.server.with(|server| server.permissions = vec!["asset.upload"]);
    let said = sentence(&bench).await;
    assert!(said.contains("lacks user.read: how much room") && said.contains("lacks asset.delete: the picture"), "{said}");
    assert_eq!(bench.server.truth().objects.len(), 1, "the picture of the test");
}

#[tokio::test]
async fn the_room_of_an_account_is_what_its_quota_leaves() {
    let bench = Bench::<Immich>::new().await;
    delivered(&bench, &bench.file("IMG_1.jpg", 20_000)).await;
    let room = async || bench.transfer.test(Connector::Immich, &bench.account).await.unwrap().room;
    assert_eq!(room().await, None, "without a quota");
    bench.server.with(|server| server.quota = Some(100_000));
    assert_eq!(room().await, Some(80_000));
    bench.server.with(|server| server.permissions.retain(|permission| *permission != "user.read"));
    assert_eq!(room().await, None, "without the permission");
}
