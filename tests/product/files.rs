//! Files that are named one by one, and files that are not what they seem.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    os::unix::fs::symlink,
};

use afterglow_model::JobState;
use afterglow_tests::{
    process::until,
    proxy::Proxy,
    stage::{Stage, photo, same},
};
use rustix::fs::{CWD, FileType, Mode, mknodat};

#[tokio::test]
async fn what_is_no_file_is_refused_and_the_rest_is_delivered() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    fs::create_dir_all(stage.path("trip/day")).unwrap();
    photo(&stage.path("trip/two.jpg"), 2, 30_000).unwrap();
    photo(&stage.path("trip/day/three.jpg"), 3, 30_000).unwrap();
    symlink(stage.path("one.jpg"), stage.path("link.jpg")).unwrap();
    mknodat(CWD, stage.path("pipe.jpg"), FileType::Fifo, Mode::RUSR, 0).unwrap();

    let names = ["one.jpg", "trip", "link.jpg", "pipe.jpg", "missing.jpg"];
    let said = stage.cli(&[&["add", "--to", "Archive"], names.as_slice()].concat()).await.unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    for (name, why) in [("link.jpg", "a link"), ("pipe.jpg", "not a file"), ("missing.jpg", "no such file")] {
        assert!(said.out.lines().any(|line| line.contains(name) && line.contains(why)), "{name}: {said:?}");
    }
    stage.delivered().await.unwrap();
    let stored = archive.files().unwrap();
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["one.jpg", "three.jpg", "two.jpg"]);
    assert!(same(&stage.path("trip/day/three.jpg"), &stored["three.jpg"]).unwrap());

    let alone = stage.cli(&["add", "missing.jpg", "--to", "Archive"]).await.unwrap();
    assert_eq!(alone.code, Some(1));
    assert!(alone.err.contains("missing.jpg: There is no such file."), "{alone:?}");
    assert_eq!(stage.status().await.unwrap().jobs.total(), 3);
}

#[tokio::test]
async fn what_is_there_already_is_not_sent_again() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();
    fs::copy(stage.path("one.jpg"), stage.path("copy.jpg")).unwrap();
    let said = stage.does(&["add", "copy.jpg", "--to", "Archive"]).await.unwrap();
    assert!(said.contains("1 file is there already"), "{said}");
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_changes_on_its_way_is_never_stored_as_a_mixture() {
    let len = 40_000_000;
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    let destination = stage.destination("Archive", &line.over(&archive.url).unwrap()).await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(20_000_000)).await.unwrap();
    let (film, old, before) = (stage.photos().join("film.mp4"), stage.path("old"), line.up());
    photo(&film, 1, len).unwrap();
    fs::copy(&film, &old).unwrap();
    stage.library().await.unwrap();
    stage.rule(&destination).await.unwrap();

    until("a third on the line", async || Ok((line.up() - before > len as u64 / 3).then_some(()))).await.unwrap();
    let mut writer = fs::OpenOptions::new().write(true).open(&film).unwrap();
    writer.seek(SeekFrom::Start(len as u64 / 2)).unwrap();
    writer.write_all(&vec![7; 1_000_000]).unwrap();
    drop(writer);

    let new = async || {
        let stored = archive.files()?;
        for path in stored.values() {
            assert!(same(path, &film)? || same(path, &old)?, "a mixture: {}", path.display());
        }
        for path in stored.values() {
            if same(path, &film)? {
                return Ok(Some(()));
            }
        }
        Ok(None)
    };
    until("the changed file", new).await.unwrap();
    let jobs: afterglow_model::JobPage = stage.owner().unwrap().get("/v1/jobs").await.unwrap();
    let succeeded = jobs.jobs.iter().filter(|job| job.state == JobState::Succeeded).count();
    assert!(succeeded <= archive.files().unwrap().len(), "a delivery was claimed that is not there: {:?}", jobs.jobs);
}

/// The person means the file, not what was in it when they asked. As slow as the first wait after a failure.
#[tokio::test]
async fn a_file_that_the_person_asked_for_and_edits_arrives_as_it_is_then() {
    let len = 20_000_000;
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    stage.destination("Archive", &line.over(&archive.url).unwrap()).await.unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(10_000_000)).await.unwrap();
    let (film, before) = (stage.path("film.mp4"), line.up());
    photo(&film, 1, len).unwrap();
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    until("a third on the line", async || Ok((line.up() - before > len as u64 / 3).then_some(()))).await.unwrap();
    photo(&film, 2, len).unwrap();

    stage.delivered().await.unwrap();
    let stored = archive.files().unwrap();
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert!(same(&film, stored.values().next().unwrap()).unwrap());
    let sent = line.up() - before;
    assert!(sent <= 2 * len as u64 + 1_000_000, "{sent} bytes for {len}: it was sent over and over");
}
