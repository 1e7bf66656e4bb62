//! An archive on this computer, and what else the service does in places of its own.

use std::fs;

use afterglow_model::{AssetPage, SmartAlbum, WaitingReason};
use afterglow_tests::{
    process::until,
    stage::{Stage, files_below, photo, same},
};

/// Whether a receiver listens in the home.
fn is_open(stage: &Stage) -> bool {
    let mut names = fs::read_dir(&stage.home.runtime).unwrap().map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().starts_with("archive-"))
}

#[tokio::test]
async fn an_archive_works_at_once_and_is_closed_when_nothing_is_sent() {
    let stage = Stage::new().await.unwrap();
    let said = stage.does(&["destination", "add", "archive", "kept", "--name", "Archive"]).await.unwrap();
    assert!(said.contains("digest"), "{said}");
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    photo(&stage.path("film.mp4"), 2, 3_000_000).unwrap();
    stage.does(&["add", "one.jpg", "film.mp4", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();
    let stored = files_below(&stage.path("kept")).unwrap();
    for name in ["one.jpg", "film.mp4"] {
        assert!(same(&stage.path(name), &stored[name]).unwrap(), "{name}");
    }
    until("a closed archive", async || Ok((!is_open(&stage)).then_some(()))).await.unwrap();
}

#[tokio::test]
async fn an_archive_that_is_unplugged_waits_for_its_drive() {
    let stage = Stage::new().await.unwrap();
    stage.does(&["destination", "add", "archive", "drive", "--name", "Drive"]).await.unwrap();
    until("a closed archive", async || Ok((!is_open(&stage)).then_some(()))).await.unwrap();
    fs::rename(stage.path("drive"), stage.path("unplugged")).unwrap();
    // The place where it is mounted stays.
    fs::create_dir(stage.path("drive")).unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Drive"]).await.unwrap();
    let status = stage.until_status("a wait", |status| !status.waiting.is_empty()).await.unwrap();
    let reason = status.waiting[0].reason;
    assert!(matches!(reason, WaitingReason::DestinationUnreachable | WaitingReason::Backoff), "{status:?}");
    assert_eq!(fs::read_dir(stage.path("drive")).unwrap().count(), 0, "nothing is written where the drive was");

    fs::remove_dir(stage.path("drive")).unwrap();
    fs::rename(stage.path("unplugged"), stage.path("drive")).unwrap();
    stage.does(&["now"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert!(same(&stage.path("one.jpg"), &files_below(&stage.path("drive")).unwrap()["one.jpg"]).unwrap());
}

#[tokio::test]
async fn a_picture_that_breaks_its_decoder_harms_nothing_else() {
    let stage = Stage::new().await.unwrap();
    image::RgbImage::from_pixel(900, 600, image::Rgb([200, 40, 90])).save(stage.photos().join("good.png")).unwrap();
    let png = fs::read(stage.photos().join("good.png")).unwrap();
    fs::write(stage.photos().join("torn.png"), &png[..png.len() / 2]).unwrap();
    stage.library().await.unwrap();
    let owner = stage.owner().unwrap();
    let all = format!("/v1/collections/{}/assets?limit=10", SmartAlbum::AllPhotos.id());
    let page = until("two pictures", async || {
        let page: AssetPage = owner.get(&all).await?;
        Ok((page.assets.len() == 2).then_some(page))
    });
    let page = page.await.unwrap();
    let mut widths = Vec::new();
    for asset in page.assets {
        let thumbnail = owner.bytes(&format!("/v1/assets/{}/thumbnail?size=256", asset.id)).await;
        widths.push(thumbnail.ok().map(|(_, jpeg)| image::load_from_memory(&jpeg).unwrap().width()));
    }
    widths.sort_unstable();
    assert_eq!(widths, [None, Some(256)]);
    stage.status().await.unwrap();
}
