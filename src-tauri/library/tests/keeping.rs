//! What is kept and what can be lost: the index, albums, change tokens, schemas, pages, thumbnails, loose files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's support fails as the test does, and says what it skips"
)]

mod support;

use std::fs;

use afterglow_library::{Library, LibraryError, ThumbnailError};
use afterglow_model::{ChangeToken, CollectionKind, MediaType, SmartAlbum};
use support::{Exif, Home, all, ids_in, jpeg, jpeg_with, rescan, scanned};

#[tokio::test(flavor = "multi_thread")]
async fn albums_sources_and_marks_outlive_the_index() {
    let home = Home::new();
    home.put("a.jpg", &jpeg(1, 8, 8));
    let (library, source) = home.open().await;
    let id = all(&library).await[0].id.clone();
    let token = library.change_token().await.unwrap();
    let album = library.create_album("Trip").await.unwrap();
    library.edit_album(&album.id, std::slice::from_ref(&id), &[]).await.unwrap();
    let changes = library.changes(Some(&token), 10).await.unwrap();
    assert_eq!(changes.updated, std::slice::from_ref(&id), "whoever follows the album hears of it");
    library.set_favorite(std::slice::from_ref(&id), true).await.unwrap();
    library.close().await;
    for name in ["library.sqlite", "library.sqlite-wal", "library.sqlite-shm"] {
        let _ = fs::remove_file(home.options().data_dir.join(name));
    }
    let library = Library::open(home.options()).await.unwrap();
    scanned(&library).await;
    assert_eq!(library.sources().await.unwrap()[0].id, source);
    assert!(library.asset(&id).await.unwrap().unwrap().is_favorite);
    let found = library.find_collection("trip").await.unwrap().unwrap();
    assert_eq!((&found.id, found.count, found.kind), (&album.id, 1, CollectionKind::Album));
    assert!(matches!(library.changes(Some(&token), 10).await, Err(LibraryError::TokenExpired)), "another index, another history");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_made_anew_and_kept_aside() {
    for first_bad_byte in [0, 4096] {
        let home = Home::new();
        home.put("a.jpg", &jpeg(1, 8, 8));
        let (library, _) = home.open().await;
        library.close().await;
        let index = home.options().data_dir.join("library.sqlite");
        let mut bytes = fs::read(&index).unwrap();
        bytes[first_bad_byte..].fill(7);
        fs::write(&index, bytes).unwrap();
        let (library, _) = home.open().await;
        assert_eq!(all(&library).await.len(), 1);
        assert!(index.with_extension("sqlite.bad").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_curation_is_refused_and_left_alone() {
    let home = Home::new();
    let path = home.options().data_dir.join("curation.sqlite");
    fs::create_dir_all(home.options().data_dir).unwrap();
    fs::write(&path, vec![7; 4096]).unwrap();
    assert!(matches!(Library::open(home.options()).await, Err(LibraryError::CurationDamaged { .. })));
    assert_eq!(fs::read(&path).unwrap(), vec![7; 4096]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_without_touching_a_byte() {
    for name in ["library.sqlite", "curation.sqlite"] {
        let home = Home::new();
        let (library, _) = home.open().await;
        library.close().await;
        let path = home.options().data_dir.join(name);
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        connection.close().unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(Library::open(home.options()).await, Err(LibraryError::NewerSchema { found: 99, .. })));
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_from_a_token_in_pages() {
    let home = Home::new();
    home.put("a.jpg", &jpeg(1, 8, 8));
    let (library, _) = home.open().await;
    let a = all(&library).await[0].id.clone();
    let token = library.change_token().await.unwrap();
    home.put("b.jpg", &jpeg(2, 8, 8));
    rescan(&library).await;
    let b = all(&library).await.into_iter().map(|asset| asset.id).find(|id| *id != a).unwrap();
    library.set_favorite(std::slice::from_ref(&a), true).await.unwrap();
    fs::remove_file(home.photos.join("b.jpg")).unwrap();
    rescan(&library).await;
    let first = library.changes(Some(&token), 2).await.unwrap();
    assert_eq!((&first.inserted[..], &first.updated[..], first.more), (std::slice::from_ref(&b), std::slice::from_ref(&a), true));
    let rest = library.changes(Some(&first.change_token), 100).await.unwrap();
    assert_eq!((rest.deleted, rest.more), (vec![b], false));
    assert_eq!(rest.change_token, library.change_token().await.unwrap());
    let from_start = library.changes(None, 100).await.unwrap();
    assert_eq!(from_start.inserted, [a]);
    for wrong in ["", "nonsense", "0123456789abcdef-1"] {
        assert!(matches!(library.changes(Some(&ChangeToken(wrong.to_owned())), 1).await, Err(LibraryError::TokenExpired)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn smart_albums_fill_themselves() {
    let home = Home::new();
    home.put("plain.jpg", &jpeg(1, 8, 8));
    home.put("Screenshot 2026.png", &png());
    home.put("pano.jpg", &jpeg_with(3, 60, 20, &Exif { model: Some("X100"), ..Exif::default() }));
    home.put("film.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42");
    let (library, _) = home.open().await;
    for (album, count) in [
        (SmartAlbum::AllPhotos, 4),
        (SmartAlbum::Recents, 4),
        (SmartAlbum::Favourites, 0),
        (SmartAlbum::Videos, 1),
        (SmartAlbum::Screenshots, 1),
        (SmartAlbum::Panoramas, 1),
        (SmartAlbum::NotBackedUp, 4),
    ] {
        assert_eq!(ids_in(&library, album).await.len(), count, "{album:?}");
    }
    let delivered = ids_in(&library, SmartAlbum::Videos).await;
    library.set_backed_up(&delivered, true).await.unwrap();
    assert_eq!(ids_in(&library, SmartAlbum::NotBackedUp).await.len(), 3);
    let titles: Vec<_> = library.collections().await.unwrap().into_iter().map(|album| album.title).collect();
    assert_eq!(titles[..9], SmartAlbum::ALL.map(SmartAlbum::title));
    assert_eq!(titles[9..], ["photos"]);
}

fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbaImage::new(9, 5).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_large_library_are_whole_and_in_order() {
    const ASSETS: usize = 20_000;
    let home = Home::new();
    let (library, _) = home.open().await;
    library.close().await;
    let db = rusqlite::Connection::open(home.options().data_dir.join("library.sqlite")).unwrap();
    db.execute_batch(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ASSETS})
         INSERT INTO asset (key, sha256, media_type, subtypes, creation_date, taken_local, added_date, width, height, orientation,
             is_favorite, filename, byte_count, parts, recent)
         SELECT randomblob(16), randomblob(32), 1, 0, i * 1000, i * 1000, 0, 4, 3, 1, 0, i, 1, x'00', 0 FROM n;
         INSERT INTO entry (collection, month, taken_local, asset)
         SELECT 1, 202600 + taken_local / 1000 % 12 + 1, taken_local, key FROM asset;"
    ))
    .unwrap();
    drop(db);
    let library = Library::open(home.options()).await.unwrap();
    let album = SmartAlbum::AllPhotos.id();
    let months = library.months(&album).await.unwrap();
    assert_eq!(months.iter().map(|month| month.count).sum::<u64>(), ASSETS as u64);
    let mut seen = Vec::new();
    while seen.len() < ASSETS {
        let (tiles, total) = library.tiles(&album, seen.len() as u64, 500).await.unwrap();
        assert_eq!((tiles.len(), total), (500, ASSETS as u64));
        seen.extend(tiles.into_iter().map(|tile| tile.id));
    }
    let first_month = usize::try_from(months[0].count).unwrap();
    let (page, _) = library.assets(&album, months[0].count - 1, 2).await.unwrap();
    assert_eq!(
        page.iter().map(|asset| &asset.id).collect::<Vec<_>>(),
        seen[first_month - 1..=first_month].iter().collect::<Vec<_>>()
    );
    assert!(library.tiles(&album, ASSETS as u64, 500).await.unwrap().0.is_empty());
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let members = library.members(&album, after, 999).await.unwrap();
        let Some(last) = members.last() else { break };
        after = Some(last.clone());
        walked.extend(members);
    }
    seen.sort();
    assert_eq!(walked, seen, "both walks see every asset once");
}

#[tokio::test(flavor = "multi_thread")]
async fn thumbnails_are_upright_small_and_kept() {
    let home = Home::new();
    home.put("a.jpg", &jpeg_with(1, 600, 300, &Exif { orientation: Some(6), ..Exif::default() }));
    home.put("b.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    home.put("c.jpg", b"\xff\xd8\xff\xe0 not much of a picture");
    let (library, _) = home.open().await;
    let assets = all(&library).await;
    let named = |name: &str| assets.iter().find(|asset| asset.filename == name).unwrap().id.clone();
    let thumbnail = library.thumbnail(&named("a.jpg"), 200).await.unwrap();
    let picture = image::load_from_memory(&thumbnail).unwrap();
    assert_eq!((picture.width(), picture.height()), (128, 256));
    let (tiles, _) = library.tiles(&SmartAlbum::AllPhotos.id(), 0, 10).await.unwrap();
    assert!(tiles.iter().any(|tile| tile.thumb_hash.is_some()));
    fs::remove_file(home.photos.join("a.jpg")).unwrap();
    assert_eq!(library.thumbnail(&named("a.jpg"), 200).await.unwrap(), thumbnail, "from the cache");
    assert_eq!(library.thumbnail(&named("b.heic"), 200).await, Err(ThumbnailError::Unsupported));
    for _ in 0..2 {
        assert!(matches!(library.thumbnail(&named("c.jpg"), 200).await, Err(ThumbnailError::Broken(_))));
    }
    assert_eq!(
        library.thumbnail(&named("c.jpg"), 200).await,
        Err(ThumbnailError::Broken("it could not be decoded".to_owned())),
        "remembered, not tried again"
    );
    assert_eq!(library.thumbnail(&"nonsense".into(), 200).await, Err(ThumbnailError::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn loose_files_are_described_and_folders_opened_up() {
    let home = Home::new();
    home.put("a.jpg", &jpeg(1, 8, 8));
    let (library, _) = home.open().await;
    let id = all(&library).await[0].id.clone();
    let dropped = home.dir.path().join("dropped");
    fs::create_dir_all(dropped.join("sub")).unwrap();
    fs::write(dropped.join("copy.jpg"), jpeg(1, 8, 8)).unwrap();
    fs::write(dropped.join("sub/new.jpg"), jpeg(2, 8, 8)).unwrap();
    fs::write(dropped.join("notes.txt"), b"text").unwrap();
    std::os::unix::fs::symlink(dropped.join("copy.jpg"), dropped.join("link.jpg")).unwrap();
    let copy = library.describe_file(&dropped.join("copy.jpg")).await.unwrap();
    let resource = library.resources(&id).await.unwrap()[0].id.clone();
    assert_eq!((copy.known, copy.media_type), (Some((id, resource)), MediaType::Image));
    assert_eq!(library.describe_file(&dropped.join("sub/new.jpg")).await.unwrap().known, None);
    assert!(matches!(library.describe_file(&dropped.join("link.jpg")).await, Err(LibraryError::File { .. })));
    let (files, refused) = library.expand_paths(&[dropped.clone(), dropped.join("none")], 100).await;
    assert_eq!(files, [dropped.join("copy.jpg"), dropped.join("sub/new.jpg")]);
    assert_eq!(refused.len(), 1);
    let (files, refused) = library.expand_paths(std::slice::from_ref(&dropped), 1).await;
    assert_eq!((files.len(), refused.len()), (1, 1));
    let suggested = library.suggested_sources(vec![dropped, home.dir.path().join("none")]).await;
    assert_eq!(suggested.iter().map(|found| found.photos).collect::<Vec<_>>(), [2]);
}
