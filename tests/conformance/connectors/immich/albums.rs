//! Albums that are mirrored.

use afterglow_model::{Connector, Failure, FailureClass};
use afterglow_transfer::{Album, Mirrored};

use super::{
    Immich, delivered,
    server::{Album as Known, ImmichServer},
};
use crate::every::Bench;

/// All that mirroring needs.
const PERMISSIONS: [&str; 3] = ["album.read", "album.create", "albumAsset.create"];

async fn bench(photos: u64) -> (Bench<Immich>, Vec<String>) {
    let bench = Bench::<Immich>::new().await;
    bench.server.with(|server| server.permissions.extend(PERMISSIONS));
    let mut assets = Vec::new();
    for n in 0..photos {
        *bench.memory.session.lock().unwrap() = None;
        assets.push(delivered(&bench, &bench.file(&format!("IMG_{n}.jpg"), 20_000 + n)).await.remote_id);
    }
    (bench, assets)
}

fn trip(remote_id: Option<&str>, assets: &[String]) -> Album {
    Album { title: "Trip".to_owned(), remote_id: remote_id.map(str::to_owned), assets: assets.to_vec() }
}

async fn mirror(bench: &Bench<Immich>, album: &Album) -> Result<Option<Mirrored>, Failure> {
    bench.transfer.mirror(Connector::Immich, &bench.account, album).await
}

fn albums(bench: &Bench<Immich>) -> Vec<(String, Vec<String>)> {
    bench
        .server
        .with(|server: &mut ImmichServer| server.albums.iter().map(|album| (album.title.clone(), album.assets.clone())).collect())
}

fn known(id: &str, title: &str, is_own: bool) -> Known {
    Known { id: id.to_owned(), title: title.to_owned(), is_own, assets: Vec::new() }
}

#[tokio::test]
async fn an_album_is_made_once_and_filled() {
    let (bench, assets) = bench(3).await;
    let made = mirror(&bench, &trip(None, &assets[..2])).await.unwrap().unwrap();
    assert_eq!(made.assets, assets[..2]);
    // As after a crash that forgot it, and then as it goes on.
    assert_eq!(mirror(&bench, &trip(None, &assets[..2])).await.unwrap().as_ref(), Some(&made));
    let before = bench.server.truth().requests.len();
    let all = Mirrored { remote_id: made.remote_id.clone(), assets: assets.clone() };
    assert_eq!(mirror(&bench, &trip(Some(&made.remote_id), &assets)).await.unwrap(), Some(all));
    assert_eq!(bench.server.truth().requests.len(), before + 1);
    assert_eq!(albums(&bench), [("Trip".to_owned(), assets)]);
}

#[tokio::test]
async fn an_album_of_that_title_is_taken_if_it_is_the_persons_own() {
    for version in [[2, 7, 5], [3, 2, 2]] {
        for is_own in [true, false] {
            let (bench, assets) = bench(1).await;
            bench.server.with(|server| {
                server.version = version;
                // As many as make a long list.
                server.albums = (0..2000).map(|n| known(&format!("album-{n}"), &format!("Day {n}"), true)).collect();
                server.albums.push(known("trip-of-before", "Trip", is_own));
            });
            let id = mirror(&bench, &trip(None, &assets)).await.unwrap().unwrap().remote_id;
            assert_eq!(id == "trip-of-before", is_own, "{version:?}");
            assert_eq!(albums(&bench).pop().unwrap(), ("Trip".to_owned(), assets));
        }
    }
}

#[tokio::test]
async fn an_album_that_is_gone_is_said_to_be() {
    let (bench, assets) = bench(1).await;
    let id = mirror(&bench, &trip(None, &assets)).await.unwrap().unwrap().remote_id;
    bench.server.with(|server| server.albums.clear());
    assert_eq!(mirror(&bench, &trip(Some(&id), &assets)).await.unwrap(), None);
    assert!(mirror(&bench, &trip(None, &assets)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_photo_that_is_gone_keeps_no_other_out() {
    let (bench, assets) = bench(1).await;
    let gone = "00000000-0000-4000-8000-999999999999".to_owned();
    let made = mirror(&bench, &trip(None, &[gone, assets[0].clone()])).await.unwrap().unwrap();
    assert_eq!(made.assets, assets, "and is not said to be in it");
    assert_eq!(albums(&bench), [("Trip".to_owned(), assets)]);
}

#[tokio::test]
async fn a_key_that_may_not_is_told_what_it_lacks() {
    for lacking in PERMISSIONS {
        let (bench, assets) = bench(1).await;
        bench.server.with(|server| server.permissions.retain(|permission| *permission != lacking));
        let failure = mirror(&bench, &trip(None, &assets)).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::NeedsUser);
        assert!(failure.message.contains(&format!("lacks the permission {lacking}.")), "{}", failure.message);
    }
}
