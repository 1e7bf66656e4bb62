//! Albums, at a server that has them, too.

use afterglow_model::{
    AddDestination, AddRule, AddedDestination, AlbumTitle, AssetCollection, AssetId, AssetPage, CollectionId, CollectionKind,
    Connector, Destination, DestinationConfig, DestinationState, EditAlbum, PauseRequest, Rule, SmartAlbum, Status,
};
use afterglow_tests::{
    model_server::ModelServer,
    process::until,
    stage::{Stage, photo},
};
use serde_json::Value;

use crate::immich_server::{Album, ImmichServer, KEY};

/// Photos in the library.
const PHOTOS: u64 = 4;

/// A library, and a server at which albums are wanted and everything is delivered.
async fn delivered(permissions: &[&'static str]) -> (Stage, ModelServer<ImmichServer>) {
    let stage = Stage::new().await.unwrap();
    for n in 0..PHOTOS {
        photo(&stage.photos().join(format!("IMG_{n}.jpg")), n + 1, 3000).unwrap();
    }
    stage.library().await.unwrap();
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await.unwrap();
    let server = ModelServer::start(ImmichServer::default()).await.unwrap();
    server.with(|server| server.permissions = permissions.to_vec());
    stage.rule(&gallery(&stage, &server).await.destination).await.unwrap();
    stage.delivered().await.unwrap();
    (stage, server)
}

async fn gallery(stage: &Stage, server: &ModelServer<ImmichServer>) -> AddedDestination {
    let request = AddDestination {
        connector: Connector::Immich,
        config: DestinationConfig { albums: true, ..DestinationConfig::default() },
        url: server.origin(),
        name: "Gallery".to_owned(),
        token: Some(KEY.to_owned()),
        sign_in: None,
        skip_test: false,
    };
    stage.owner().unwrap().post("/v1/destinations", &request).await.unwrap()
}

#[tokio::test]
async fn the_test_says_what_is_proved_and_what_the_key_may_not_do() {
    let stage = Stage::new().await.unwrap();
    let server = ModelServer::start(ImmichServer::default()).await.unwrap();
    let said = gallery(&stage, &server).await.test.unwrap().sentence;
    assert!(said.starts_with("Gallery works: it proves each delivery with a digest."), "{said}");
    assert!(said.contains("Its API key lacks asset.read, asset.update, stack.create"), "{said}");
}

async fn assets(stage: &Stage) -> Vec<AssetId> {
    let path = format!("/v1/collections/{}/assets", SmartAlbum::AllPhotos.id());
    let page: AssetPage = stage.owner().unwrap().get(&path).await.unwrap();
    page.assets.into_iter().map(|tile| tile.id).collect()
}

async fn album(stage: &Stage, title: &str) -> CollectionId {
    let request = AlbumTitle { title: title.to_owned() };
    let made: AssetCollection = stage.owner().unwrap().post("/v1/collections", &request).await.unwrap();
    made.id
}

async fn put(stage: &Stage, album: &CollectionId, add: &[AssetId]) {
    let request = EditAlbum { add: add.to_vec(), remove: Vec::new() };
    stage.owner().unwrap().post::<Value>(&format!("/v1/collections/{album}/assets"), &request).await.unwrap();
}

async fn until_filled(server: &ModelServer<ImmichServer>, title: &str, count: usize) -> Vec<Album> {
    let full = async || {
        let albums = server.with(|server| server.albums.clone());
        Ok(albums.iter().any(|album| album.title == title && album.assets.len() == count).then_some(albums))
    };
    until("a full album", full).await.unwrap()
}

fn requests(server: &ModelServer<ImmichServer>) -> usize {
    server.truth().requests.iter().filter(|request| request.target().starts_with("/api/albums")).count()
}

#[tokio::test]
async fn an_album_is_mirrored_and_filled_up() {
    let (mut stage, server) = delivered(&["all"]).await;
    let photos = assets(&stage).await;
    let trip = album(&stage, "Trip").await;
    put(&stage, &trip, &photos[..2]).await;
    until_filled(&server, "Trip", 2).await;
    put(&stage, &trip, &photos[2..3]).await;
    until_filled(&server, "Trip", 3).await;
    assert_eq!(requests(&server), 4, "asked for, made, and filled twice");

    // What was put there is known after a crash, but for what it came too soon to note; the rest is looked for.
    stage.service().unwrap().kill().unwrap();
    stage.serve().await.unwrap();
    put(&stage, &trip, &photos[3..]).await;
    let albums = until_filled(&server, "Trip", 4).await;
    assert!(albums.len() == 1 && requests(&server) <= 6, "{} requests", requests(&server));

    // Taken away there, it is made anew with the next photo, and whole.
    server.with(|server| server.albums.clear());
    photo(&stage.photos().join("late.jpg"), 99, 3000).unwrap();
    stage.until_status("a delivery", |status| status.jobs.succeeded == PHOTOS + 1).await.unwrap();
    put(&stage, &trip, &assets(&stage).await).await;
    assert_eq!(until_filled(&server, "Trip", 5).await.len(), 1);
}

#[tokio::test]
async fn a_folder_is_an_album_once_a_rule_names_it() {
    let (stage, server) = delivered(&["all"]).await;
    let collections: Vec<AssetCollection> = stage.owner().unwrap().get("/v1/collections").await.unwrap();
    let folder = collections.into_iter().find(|collection| collection.kind == CollectionKind::Folder).unwrap();
    let destinations: Vec<Destination> = stage.owner().unwrap().get("/v1/destinations").await.unwrap();
    let request = AddRule { collection_id: folder.id, destination_id: destinations[0].id.clone() };
    stage.owner().unwrap().post::<Rule>("/v1/rules", &request).await.unwrap();
    let albums = until_filled(&server, &folder.title, PHOTOS as usize).await;
    assert_eq!(albums.len(), 1, "and nothing else is one");
}

#[tokio::test]
async fn nothing_is_mirrored_during_a_pause() {
    let (stage, server) = delivered(&["all"]).await;
    stage.owner().unwrap().post::<Status>("/v1/pause", &PauseRequest::Indefinitely).await.unwrap();
    let trip = album(&stage, "Trip").await;
    put(&stage, &trip, &assets(&stage).await).await;
    // Long enough for a pass: another photo is found, and waits.
    photo(&stage.photos().join("late.jpg"), 99, 3000).unwrap();
    stage.until_status("a photo that waits", |status| status.jobs.open() == 1).await.unwrap();
    assert_eq!(requests(&server), 0);
    stage.owner().unwrap().post::<Status>("/v1/resume", &Value::Null).await.unwrap();
    until_filled(&server, "Trip", PHOTOS as usize).await;
}

#[tokio::test]
async fn a_key_that_may_make_no_albums_delivers_all_the_same() {
    let (stage, server) = delivered(&["asset.upload", "album.read"]).await;
    let trip = album(&stage, "Trip").await;
    put(&stage, &trip, &assets(&stage).await).await;
    let problem = async || {
        let destinations: Vec<Destination> = stage.owner()?.get("/v1/destinations").await?;
        assert_eq!(destinations[0].state, DestinationState::Ready);
        Ok(destinations[0].problem.clone())
    };
    let said = until("what it lacks", problem).await.unwrap();
    assert!(said.message.contains("lacks the permission album.create."), "{}", said.message);
    assert_eq!(stage.status().await.unwrap().attention, 0);

    // Each delivery is a reason to try again, and the trial itself is none.
    photo(&stage.photos().join("late.jpg"), 99, 3000).unwrap();
    stage.until_status("a delivery", |status| status.jobs.succeeded == PHOTOS + 1).await.unwrap();
    assert!(requests(&server) < 40, "asked {} times", requests(&server));

    server.with(|server| server.permissions = vec!["all"]);
    photo(&stage.photos().join("later.jpg"), 100, 3000).unwrap();
    until_filled(&server, "Trip", PHOTOS as usize).await;
    until("nothing that it lacks", async || Ok(problem().await?.is_none().then_some(()))).await.unwrap();
}

#[tokio::test]
async fn a_photo_that_is_not_taken_into_an_album_is_said_and_asked_for_again_with_the_next_pass() {
    let (stage, server) = delivered(&["all"]).await;
    // Out of the album's reach, as what lies in the trash is.
    let trash = |trashed: bool| server.with(|server| server.assets.values_mut().next().unwrap().trashed = trashed);
    trash(true);
    let trip = album(&stage, "Trip").await;
    put(&stage, &trip, &assets(&stage).await).await;
    until_filled(&server, "Trip", PHOTOS as usize - 1).await;
    let problem = async || {
        let destinations: Vec<Destination> = stage.owner()?.get("/v1/destinations").await?;
        assert_eq!(destinations[0].state, DestinationState::Ready);
        Ok(destinations[0].problem.clone())
    };
    let said = until("what it lacks", problem).await.unwrap();
    assert!(said.message.starts_with("Gallery did not take 1 photo into its albums."), "{}", said.message);
    assert_eq!(stage.status().await.unwrap().attention, 0);

    // Each delivery is a reason to ask again, and the asking itself is none.
    photo(&stage.photos().join("late.jpg"), 99, 3000).unwrap();
    stage.until_status("a delivery", |status| status.jobs.succeeded == PHOTOS + 1).await.unwrap();
    assert!(requests(&server) < 40, "asked {} times", requests(&server));

    trash(false);
    photo(&stage.photos().join("later.jpg"), 100, 3000).unwrap();
    until_filled(&server, "Trip", PHOTOS as usize).await;
    until("nothing that it lacks", async || Ok(problem().await?.is_none().then_some(()))).await.unwrap();
}
