//! What a scan makes of files: found, recognised, paired, moved, rewritten, gone, unreadable, unplugged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's support fails as the test does, and says what it skips"
)]

mod support;

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, os::unix::fs::symlink, time::Duration};

use afterglow_library::{LibraryError, SourceProblem};
use afterglow_model::{AssetResourceType, MediaSubtype, SmartAlbum, SourceState, Timestamp};
use support::{Exif, Home, all, ids_in, jpeg, jpeg_with, rescan, scanned, tree, until};

#[tokio::test(flavor = "multi_thread")]
async fn exif_gives_date_month_size_camera_and_place() {
    let home = Home::new();
    let exif = Exif {
        taken: Some("2026:05:31 23:30:00"),
        offset: Some("+09:00"),
        orientation: Some(6),
        make: Some("Canon"),
        model: Some("Canon EOS R5"),
        place: Some((35, 139)),
    };
    home.put("a.jpg", &jpeg_with(1, 40, 30, &exif));
    let (library, _) = home.open().await;
    let asset = all(&library).await.pop().unwrap();
    assert_eq!(asset.creation_date, Timestamp(1_780_237_800_000));
    assert_eq!((asset.pixel_width, asset.pixel_height, asset.orientation), (30, 40, 6));
    assert_eq!(asset.camera.as_deref(), Some("Canon EOS R5"));
    let place = asset.location.unwrap();
    assert_eq!((place.latitude.round(), place.longitude.round()), (35.0, 139.0));
    let months = library.months(&SmartAlbum::AllPhotos.id()).await.unwrap();
    assert_eq!((months[0].month.as_str(), months[0].count), ("2026-05", 1), "the month on the camera's clock");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_in_two_folders_are_one_asset() {
    let home = Home::new();
    home.put("one/a.jpg", &jpeg(1, 8, 8));
    home.put("two/b.jpg", &jpeg(1, 8, 8));
    let (library, source) = home.open().await;
    let assets = all(&library).await;
    assert_eq!(assets.len(), 1);
    let resources = library.resources(&assets[0].id).await.unwrap();
    assert_eq!((resources.len(), resources[0].paths.len()), (1, 2));
    assert_eq!(library.sources().await.unwrap()[0].assets, 1);
    for folder in ["one", "two"] {
        let found = library.find_collection(folder).await.unwrap().unwrap();
        assert_eq!((found.count, found.source_id.as_ref()), (1, Some(&source)));
    }
    let by_path = library.find_collection(home.photos.join("one").to_str().unwrap()).await.unwrap();
    assert_eq!(by_path.unwrap().title, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_one_stem_are_one_asset_and_a_late_video_joins() {
    let home = Home::new();
    home.put("IMG_0001.JPG", &jpeg(1, 8, 8));
    home.put("IMG_E0001.JPG", &jpeg(2, 8, 8));
    home.put("IMG_0001.AAE", b"<plist/>");
    home.put("raw.ARW", b"II*\0 sensor");
    home.put("raw.jpg", &jpeg(3, 8, 8));
    let (library, _) = home.open().await;
    assert_eq!(all(&library).await.len(), 2);
    home.put("IMG_0001.MOV", b"\0\0\0\x14ftypqt  \0\0\0\0qt  ");
    rescan(&library).await;
    let live = ids_in(&library, SmartAlbum::LivePhotos).await;
    let roles: Vec<_> = library.resources(&live[0]).await.unwrap().iter().map(|resource| resource.resource_type).collect();
    assert_eq!(
        roles,
        [
            AssetResourceType::Photo,
            AssetResourceType::FullSizePhoto,
            AssetResourceType::AdjustmentData,
            AssetResourceType::PairedVideo
        ]
    );
    let asset = library.asset(&live[0]).await.unwrap().unwrap();
    assert_eq!(asset.media_subtypes, [MediaSubtype::Live, MediaSubtype::Edited]);
    assert_eq!(ids_in(&library, SmartAlbum::Raw).await.len(), 1);
    assert_eq!(library.upload_files(&live).await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_and_a_move_keep_id_album_and_mark() {
    let home = Home::new();
    let path = home.put("a.jpg", &jpeg(1, 8, 8));
    let (library, _) = home.open().await;
    let id = all(&library).await[0].id.clone();
    let album = library.create_album("Trip").await.unwrap();
    library.edit_album(&album.id, std::slice::from_ref(&id), &[]).await.unwrap();
    library.set_favorite(std::slice::from_ref(&id), true).await.unwrap();
    let token = library.change_token().await.unwrap();
    fs::create_dir(home.photos.join("new")).unwrap();
    fs::rename(path, home.photos.join("new/b.jpg")).unwrap();
    rescan(&library).await;
    let asset = library.asset(&id).await.unwrap().unwrap();
    assert_eq!((asset.filename.as_str(), asset.is_favorite), ("b.jpg", true));
    assert_eq!(library.contains(&album.id, &[id]).await.unwrap(), [true]);
    let changes = library.changes(Some(&token), 100).await.unwrap();
    assert!(changes.deleted.is_empty() && changes.inserted.is_empty(), "a moved photo never ceases to be: {changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_rewritten_in_place_keeps_album_and_mark_as_a_new_asset() {
    let home = Home::new();
    home.put("a.jpg", &jpeg(1, 8, 8));
    let (library, _) = home.open().await;
    let old = all(&library).await[0].id.clone();
    let album = library.create_album("Trip").await.unwrap();
    library.edit_album(&album.id, std::slice::from_ref(&old), &[]).await.unwrap();
    library.set_favorite(std::slice::from_ref(&old), true).await.unwrap();
    home.put("a.jpg", &jpeg(2, 9, 9));
    rescan(&library).await;
    let new = all(&library).await.pop().unwrap();
    assert_ne!(new.id, old);
    assert!(new.is_favorite);
    assert_eq!(library.asset(&old).await.unwrap(), None);
    assert_eq!(library.contains(&album.id, &[new.id, old]).await.unwrap(), [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_files_go_and_an_absent_source_loses_nothing() {
    let home = Home::new();
    home.put("a.jpg", &jpeg(1, 8, 8));
    let b = home.put("sub/b.jpg", &jpeg(2, 8, 8));
    let (library, source) = home.open().await;
    fs::remove_file(b).unwrap();
    rescan(&library).await;
    assert_eq!(all(&library).await.len(), 1);
    let away = home.dir.path().join("away");
    fs::rename(&home.photos, &away).unwrap();
    library.recheck_sources().await.unwrap();
    scanned(&library).await;
    assert!(!library.source_online(&source).await.unwrap());
    let assets = all(&library).await;
    assert_eq!(assets.len(), 1, "offline is not gone");
    assert_eq!(library.resources(&assets[0].id).await.unwrap()[0].source_state, SourceState::Offline);
    fs::rename(&away, &home.photos).unwrap();
    library.recheck_sources().await.unwrap();
    scanned(&library).await;
    let sources = library.sources().await.unwrap();
    assert!(sources[0].online && sources[0].watched);
    assert_eq!(library.resources(&assets[0].id).await.unwrap()[0].source_state, SourceState::Present);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_seen_by_watching() {
    let home = Home::new();
    let (library, _) = home.open().await;
    assert!(library.sources().await.unwrap()[0].watched);
    home.put("new/folder/a.jpg", &jpeg(1, 8, 8));
    until(|| async { all(&library).await.len() == 1 }).await;
    fs::remove_dir_all(home.photos.join("new")).unwrap();
    until(|| async { all(&library).await.is_empty() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_file_is_left_until_it_settles() {
    let home = Home::new();
    let path = home.put("a.jpg", &jpeg(1, 8, 8));
    let mut options = home.options();
    options.settle = Duration::from_secs(3600);
    let library = afterglow_library::Library::open(options).await.unwrap();
    library.add_source(&home.photos).await.unwrap();
    let source = || async { library.sources().await.unwrap().pop().unwrap() };
    until(|| async { source().await.scanned_at.is_some() }).await;
    assert!(all(&library).await.is_empty());
    assert!(library.is_scanning(), "an unsettled file is waited for");
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    library.scan_all().await.unwrap();
    until(|| async { all(&library).await.len() == 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_links_hidden_files_and_archives() {
    let home = Home::new();
    let hostile = home.photos.join(OsStr::from_bytes(b"line\nbreak \xff \xe2\x80\xaegpj.jpg"));
    fs::write(&hostile, jpeg(1, 8, 8)).unwrap();
    home.put(".hidden/b.jpg", &jpeg(2, 8, 8));
    home.put("quiet/.nomedia", b"");
    home.put("quiet/c.jpg", &jpeg(3, 8, 8));
    home.put("Archive/.afterglow/ledger.sqlite", b"");
    home.put("Archive/2026/03/d.jpg", &jpeg(5, 8, 8));
    let outside = home.dir.path().join("outside.jpg");
    fs::write(&outside, jpeg(4, 8, 8)).unwrap();
    symlink(&outside, home.photos.join("link.jpg")).unwrap();
    symlink(home.dir.path(), home.photos.join("loop")).unwrap();
    home.put("notes.txt", b"no picture");
    home.put("empty.jpg", b"");
    let (library, _) = home.open().await;
    let assets = all(&library).await;
    assert_eq!(assets.len(), 1, "{assets:?}");
    assert!(!assets[0].filename.contains(['\n', '\u{202e}']));
    assert_eq!(library.upload_files(&[assets[0].id.clone()]).await.unwrap()[0].path, hostile);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_file_is_counted_and_the_others_go_on() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.put("a.jpg", &jpeg(1, 8, 8));
    let locked = home.put("b.jpg", &jpeg(2, 8, 8));
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&locked).is_ok() {
        eprintln!("SKIPPED: this user may read everything, so no file is unreadable");
        return;
    }
    let (library, _) = home.open().await;
    assert_eq!(all(&library).await.len(), 1);
    assert_eq!(library.sources().await.unwrap()[0].unreadable, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_persons_files_are_only_read() {
    let home = Home::new();
    home.put("a.jpg", &jpeg(1, 8, 8));
    home.put("sub/b.png", b"\x89PNG\r\n\x1a\nbroken");
    let before = tree(&home.photos);
    let (library, source) = home.open().await;
    for asset in all(&library).await {
        let _ = library.thumbnail(&asset.id, 256).await;
    }
    library.remove_source(&source).await.unwrap();
    assert_eq!(tree(&home.photos), before);
    assert!(all(&library).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_a_source_is_refused_with_its_reason() {
    let home = Home::new();
    fs::create_dir_all(home.photos.join("sub")).unwrap();
    let file = home.put("a.jpg", &jpeg(1, 8, 8));
    let (library, _) = home.open().await;
    let problem = |path: std::path::PathBuf| {
        let library = library.clone();
        async move {
            match library.add_source(&path).await {
                Err(LibraryError::Source(problem)) => problem,
                other => panic!("{other:?}"),
            }
        }
    };
    assert!(matches!(problem("photos".into()).await, SourceProblem::Relative(_)));
    assert!(matches!(problem(file).await, SourceProblem::NotAFolder(_)));
    assert!(matches!(problem(home.photos.join("none")).await, SourceProblem::NotAFolder(_)));
    assert!(matches!(problem(home.photos.join("sub")).await, SourceProblem::Inside { .. }));
    let parent = home.photos.parent().unwrap().to_owned();
    assert!(matches!(problem(parent).await, SourceProblem::Contains { .. }));
}
