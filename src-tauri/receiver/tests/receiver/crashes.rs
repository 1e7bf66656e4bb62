//! The receiver ends without notice, and begins again in the same folder.

use tokio::io::AsyncReadExt as _;

use crate::support::*;

#[tokio::test]
async fn uploads_go_on_after_a_crash() {
    let mut house = House::new().await;
    let photo = content(4_000_000, 1);
    let upload = house.careful("a.jpg", &photo).await;
    let mut offset = 0;
    for _ in 0..3 {
        let mut stream = house.connect().await;
        begin_append(&mut stream, &upload, offset, photo.len() - offset, &photo[offset..offset + 1_300_000]).await;
        house.await_staged(offset as u64 + 1_000_000).await;
        house = house.restart().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let now = usize::try_from(house.offset(&upload).await).unwrap();
        assert!(now >= offset + 1_000_000, "{now} after {offset}");
        let state = house.request("HEAD", &upload).send().await.unwrap();
        assert_eq!(header(state.headers(), "repr-digest"), repr_digest(&photo[..now]), "what is told is what is on disk");
        offset = now;
    }
    assert_eq!(house.append(&upload, offset, "?1", &photo[offset..]).send().await.unwrap().status(), 201);
    assert_eq!(house.files(), [("2026/03/a.jpg".to_owned(), photo)]);
}

#[tokio::test]
async fn answers_survive_a_crash() {
    let house = House::new().await;
    let keyed = |house: &House, content: &[u8]| house.whole("a.jpg", content).header("Idempotency-Key", "\"k\"");
    assert_eq!(keyed(&house, b"one").send().await.unwrap().status(), 201);
    let upload = house.careful("b.jpg", b"hello").await;
    house.append(&upload, 0, "?1", b"hello").send().await.unwrap();
    let house = house.restart().await;
    assert_eq!(keyed(&house, b"one").send().await.unwrap().status(), 200);
    problem(keyed(&house, b"two").send().await.unwrap(), 422).await;
    assert_eq!(house.append(&upload, 5, "?1", b"").send().await.unwrap().status(), 200);
    assert_eq!(house.files().len(), 2);
}

/// What a power cut may leave: fewer bytes than were told, or more than the ledger knows.
#[tokio::test]
async fn a_torn_tail_is_noticed() {
    let house = House::new().await;
    let lost = house.careful("lost.jpg", b"0123456789").await;
    house.append(&lost, 0, "?0", b"01234567").send().await.unwrap();
    let grown = house.careful("grown.jpg", b"abcdefghij").await;
    house.append(&grown, 0, "?0", b"abcd").send().await.unwrap();
    let file = |upload: &str| house.dir.path().join(".afterglow/uploads").join(upload.rsplit('/').next().unwrap());
    let (lost_file, grown_file) = (file(&lost), file(&grown));
    let house = {
        std::fs::OpenOptions::new().write(true).open(&lost_file).unwrap().set_len(3).unwrap();
        std::fs::write(&grown_file, "abcdXX").unwrap();
        house.restart().await
    };
    // Told bytes are gone: the upload ends (draft, section "Offset").
    let answer = house.request("HEAD", &lost).send().await.unwrap();
    assert_eq!(answer.status(), 410);
    assert_eq!(house.request("HEAD", &lost).send().await.unwrap().status(), 404);
    // Untold bytes are there: the digest shows that they are wrong, and completing them is refused.
    let state = house.request("HEAD", &grown).send().await.unwrap();
    assert_eq!(header(state.headers(), "upload-offset"), "6");
    assert_eq!(header(state.headers(), "repr-digest"), repr_digest(b"abcdXX"));
    problem(house.append(&grown, 6, "?1", b"ghij").send().await.unwrap(), 400).await;
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
}

/// Between the ledger's commit and the file's move into its folder.
#[tokio::test]
async fn a_recorded_file_is_placed_at_the_next_start() {
    let house = House::new().await;
    house.whole("a.jpg", b"photo").send().await.unwrap();
    let (dir, ledger) = (house.dir.path().to_owned(), house.dir.path().join(".afterglow/ledger.sqlite"));
    let edit = |sql: &str| rusqlite::Connection::open(&ledger).unwrap().execute_batch(sql).unwrap();
    let staged: String = {
        let connection = rusqlite::Connection::open(&ledger).unwrap();
        connection.query_row("SELECT staged FROM objects", [], |row| row.get(0)).unwrap()
    };
    // That the file is placed is noted a moment after the answer.
    let unplaced = || {
        rusqlite::Connection::open(&ledger)
            .unwrap()
            .query_row("SELECT count(*) FROM objects WHERE placed = 0", [], |row| row.get(0))
    };
    until(|| unplaced() == Ok(0)).await;
    let put_back = || std::fs::rename(dir.join("2026/03/a.jpg"), dir.join(".afterglow/uploads").join(&staged)).unwrap();

    put_back();
    edit("UPDATE objects SET placed = 0");
    std::fs::write(dir.join(".afterglow/uploads/orphan"), "of a whole upload that was cut").unwrap();
    let house = house.restart().await;
    assert_eq!(house.files(), [("2026/03/a.jpg".to_owned(), b"photo".to_vec())]);
    assert!(house.staged().is_empty());

    // The move was noted, and the disk forgot it when the power failed.
    until(|| unplaced() == Ok(0)).await;
    put_back();
    let house = house.restart().await;
    assert_eq!(house.files(), [("2026/03/a.jpg".to_owned(), b"photo".to_vec())]);
    assert!(house.staged().is_empty());

    // Meanwhile another file has taken the place.
    until(|| unplaced() == Ok(0)).await;
    put_back();
    edit("UPDATE objects SET placed = 0");
    std::fs::write(dir.join("2026/03/a.jpg"), "another").unwrap();
    let house = house.restart().await;
    assert_eq!(house.whole("a.jpg", b"photo").send().await.unwrap().status(), 200);
    assert_eq!(
        house.files(),
        [("2026/03/a (2).jpg".to_owned(), b"photo".to_vec()), ("2026/03/a.jpg".to_owned(), b"another".to_vec())]
    );
}

#[tokio::test]
async fn old_uploads_are_dropped_at_the_start() {
    let house = House::new().await;
    let old = house.careful("old.jpg", b"hello").await;
    house.append(&old, 0, "?0", b"he").send().await.unwrap();
    let fresh = house.careful("fresh.jpg", b"hallo").await;
    let ledger = rusqlite::Connection::open(house.dir.path().join(".afterglow/ledger.sqlite")).unwrap();
    ledger.execute("UPDATE uploads SET created_ms = created_ms - 8 * 24 * 3600 * 1000 WHERE name = 'old.jpg'", []).unwrap();
    let house = house.restart().await;
    assert_eq!(house.request("HEAD", &old).send().await.unwrap().status(), 404);
    assert_eq!(house.offset(&fresh).await, 0);
    assert!(house.staged().is_empty());
}

#[tokio::test]
async fn shutdown_keeps_what_came_and_ends_soon() {
    let house = House::new().await;
    let photo = content(3_000_000, 1);
    let upload = house.careful("a.jpg", &photo).await;
    let mut stream = house.connect().await;
    begin_append(&mut stream, &upload, 0, photo.len(), &photo[..1_500_000]).await;
    house.await_staged(1_000_000).await;
    let House { dir, receiver, .. } = house;
    receiver.shutdown().await;
    let staged: u64 = std::fs::read_dir(dir.path().join(".afterglow/uploads"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!((1_000_000..=1_500_000).contains(&staged), "{staged}");
}

#[tokio::test]
async fn one_receiver_at_a_time_uses_a_folder() {
    let house = House::new().await;
    let second = afterglow_receiver::start(options(house.dir.path())).await;
    assert!(matches!(second, Err(afterglow_receiver::ReceiverError::InUse(_))), "{second:?}");
}

#[cfg(unix)]
#[test]
fn the_folders_own_token_is_made_once_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let token = afterglow_receiver::SenderToken::of_folder(dir.path()).unwrap();
    assert!(token.token.len() >= 40);
    assert_eq!(afterglow_receiver::SenderToken::of_folder(dir.path()).unwrap(), token);
    let mode = |path: &str| dir.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".afterglow"), mode(".afterglow/token")), (0o700, 0o600));
    assert!(!format!("{token:?}").contains(&token.token));
}
