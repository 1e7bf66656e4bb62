//! From a folder to a destination.

use std::fs;

use afterglow_model::{AssetDetail, AssetPage, SmartAlbum};
use afterglow_tests::{
    process::until,
    proxy::Proxy,
    stage::{Stage, photo, same},
};
use serde_json::Value;

#[tokio::test]
async fn a_folder_is_delivered_and_stays_so() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let words = ["destination", "add", "resumable", archive.url.as_str(), "--name", "Archive", "--token-stdin"];
    let added = stage.cli_reading(&words, "a token\n").await.unwrap();
    assert_eq!(added.code, Some(0), "{added:?}");
    let photos = stage.photos();
    for (seed, len) in [(1, 1), (2, 20_000), (3, 100_000), (4, 3_000_000)] {
        photo(&photos.join(format!("{seed}.jpg")), seed, len).unwrap();
    }
    stage.does(&["library", "add", photos.to_str().unwrap()]).await.unwrap();
    stage.does(&["rule", "add", "--album", "All Photos", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();

    for name in ["1.jpg", "2.jpg", "3.jpg", "4.jpg"] {
        let stored = archive.files().unwrap();
        assert!(same(&photos.join(name), stored.get(name).expect(name)).unwrap(), "{name}");
    }

    photo(&photos.join("late.jpg"), 5, 50_000).unwrap();
    let late = until("the file that came later", async || Ok(archive.files()?.remove("late.jpg"))).await.unwrap();
    assert!(same(&photos.join("late.jpg"), &late).unwrap());
    stage.until_status("five deliveries", |status| status.jobs.succeeded == 5).await.unwrap();
}

#[tokio::test]
async fn what_is_renamed_or_moved_is_not_sent_again() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    let destination = stage.destination("Archive", &line.over(&archive.url).unwrap()).await.unwrap();
    let photos = stage.photos();
    for seed in [1, 2] {
        photo(&photos.join(format!("{seed}.jpg")), seed, 400_000).unwrap();
    }
    stage.library().await.unwrap();
    stage.rule(&destination).await.unwrap();
    stage.delivered().await.unwrap();
    let before = line.up();

    fs::rename(photos.join("1.jpg"), photos.join("renamed.jpg")).unwrap();
    fs::create_dir(photos.join("Trip")).unwrap();
    fs::rename(photos.join("2.jpg"), photos.join("Trip/2.jpg")).unwrap();
    until("the photos where they are now", async || {
        let found: AssetPage = stage.owner()?.get(&format!("/v1/collections/{}/assets", SmartAlbum::AllPhotos.id())).await?;
        let mut paths = Vec::new();
        for tile in found.assets {
            let detail: AssetDetail = stage.owner()?.get(&format!("/v1/assets/{}", tile.id)).await?;
            paths.extend(detail.resources.into_iter().flat_map(|resource| resource.paths));
        }
        paths.sort();
        let now = [photos.join("Trip/2.jpg"), photos.join("renamed.jpg")].map(|path| path.display().to_string());
        Ok((paths == now).then_some(()))
    })
    .await
    .unwrap();
    // What comes later is seen later.
    photo(&photos.join("late.jpg"), 3, 1000).unwrap();
    stage.until_status("the one that came later", |status| status.jobs.succeeded == 3).await.unwrap();
    assert!(line.up() - before < 10_000, "{} bytes went up", line.up() - before);
    let mut stored: Vec<String> = archive.files().unwrap().into_keys().collect();
    stored.sort();
    assert_eq!(stored, ["1.jpg", "2.jpg", "late.jpg"]);
}

#[tokio::test]
async fn the_status_for_programs_has_its_shape() {
    let stage = Stage::new().await.unwrap();
    let status = stage.asks(&["status"]).await.unwrap();
    assert!(status["state"].is_string() && status["sentence"].is_string(), "{status}");
    for state in ["registered", "pending", "succeeded", "failed", "cancelled"] {
        assert_eq!(status["jobs"][state], Value::from(0), "{state}");
    }
    assert!(status["waiting"].is_array() && status["conditions"].is_object() && status["bytes_per_s"].is_u64(), "{status}");
}

#[tokio::test]
async fn two_thousand_small_files_arrive_whole() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    for seed in 0..2000 {
        photo(&stage.photos().join(format!("{seed}.jpg")), seed + 1, 20_000).unwrap();
    }
    let destination = stage.destination("Archive", &archive.url).await.unwrap();
    stage.library().await.unwrap();
    stage.rule(&destination).await.unwrap();
    stage.delivered().await.unwrap();

    let stored = archive.files().unwrap();
    assert_eq!(stored.len(), 2000);
    for entry in fs::read_dir(stage.photos()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(same(&path, &stored[name]).unwrap(), "{name}");
    }
}
