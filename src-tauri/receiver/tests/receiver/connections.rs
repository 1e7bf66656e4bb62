//! Connections that break, stall, compete or carry no valid token.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::*;

#[tokio::test]
async fn what_came_before_a_cut_is_kept() {
    let house = House::new().await;
    let photo = content(5_000_000, 1);
    let upload = house.careful("a.jpg", &photo).await;
    let mut offset = 0;
    for cut in 1..=4 {
        let mut stream = house.connect().await;
        let end = cut * 1_000_001;
        begin_append(&mut stream, &upload, offset, photo.len() - offset, &photo[offset..end]).await;
        // All is with the receiver when it has closed its side in answer to ours.
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        drop(stream);
        offset = usize::try_from(house.offset(&upload).await).unwrap();
        assert_eq!(offset, end, "every byte before the cut");
    }
    assert_eq!(house.append(&upload, offset, "?1", &photo[offset..]).send().await.unwrap().status(), 201);
    assert_eq!(house.files()[0].1, photo);
}

#[tokio::test]
async fn a_newer_request_ends_the_one_that_hangs() {
    let house = House::new().await;
    let photo = content(3_000_000, 2);
    let upload = house.careful("a.jpg", &photo).await;
    let mut hanging = house.connect().await;
    begin_append(&mut hanging, &upload, 0, photo.len(), &photo[..2_000_000]).await;
    house.await_staged(1_000_000).await;

    let offset = usize::try_from(house.offset(&upload).await).unwrap();
    assert!((1_000_000..=2_000_000).contains(&offset), "{offset}");
    let mut answer = Vec::new();
    let _ = hanging.read_to_end(&mut answer).await;
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 503"), "the earlier request ended");
    assert_eq!(house.append(&upload, offset, "?1", &photo[offset..]).send().await.unwrap().status(), 201);
    assert_eq!(house.files()[0].1, photo);
}

#[tokio::test]
async fn cancelling_ends_a_running_append() {
    let house = House::new().await;
    let photo = content(3_000_000, 2);
    let upload = house.careful("a.jpg", &photo).await;
    let mut hanging = house.connect().await;
    begin_append(&mut hanging, &upload, 0, photo.len(), &photo[..2_000_000]).await;
    house.await_staged(1_000_000).await;
    assert_eq!(house.request("DELETE", &upload).send().await.unwrap().status(), 204);
    let _ = hanging.read_to_end(&mut Vec::new()).await;
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
}

#[tokio::test]
async fn two_writers_never_mix() {
    let house = House::new().await;
    let photo = content(400_000, 4);
    let upload = house.careful("a.jpg", &photo).await;
    let writers = (0..8).map(|_| house.append(&upload, 0, "?1", &photo).send());
    let answers = futures_util::future::join_all(writers).await;
    let stored = answers.iter().flatten().filter(|answer| answer.status() == 201).count();
    assert!(stored <= 1, "{answers:?}");
    if stored == 0 {
        // All but the last gave way; whatever is there continues.
        let offset = usize::try_from(house.offset(&upload).await).unwrap();
        assert!(house.append(&upload, offset, "?1", &photo[offset..]).send().await.unwrap().status().is_success());
    }
    assert_eq!(house.files(), [("2026/03/a.jpg".to_owned(), photo)]);
}

#[tokio::test]
async fn a_cut_whole_upload_leaves_nothing() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    let head = format!(
        "POST /files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANNA}\r\nUpload-Complete: ?1\r\nContent-Length: 5000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&content(2_000_000, 5)).await.unwrap();
    house.await_staged(1_000_000).await;
    drop(stream);
    until(|| house.staged().is_empty()).await;
    assert!(house.files().is_empty());
}

#[tokio::test]
async fn a_silent_sender_is_ended_and_its_bytes_kept() {
    let house = House::with(|options| options.silence_max = Duration::from_millis(50)).await;
    let upload = house.careful("a.jpg", b"hello").await;
    let mut stream = house.connect().await;
    begin_append(&mut stream, &upload, 0, 5, b"hel").await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408"), "{answer:?}");
    assert_eq!(house.offset(&upload).await, 3);
}

#[tokio::test]
async fn a_refusal_asks_for_no_content() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    let head = "POST /files HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\nConnection: close\r\n\r\n";
    let answer = exchange(&mut stream, head).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "no 100 Continue before it: {answer}");
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_told() {
    let house = House::new().await;
    let stored = house.whole("a.jpg", b"photo").send().await.unwrap();
    let upload = house.careful("b.jpg", b"hello").await;
    let object = header(stored.headers(), "location");
    let wrong = ["Bearer wrong", "Bearer ", "Basic YW5uYQ==", "annas-secret", &format!("Bearer {ANNA}x")].map(str::to_owned);
    for authorization in wrong {
        for (method, path) in
            [("POST", "/files"), ("OPTIONS", "/files"), ("PATCH", &upload), ("GET", "/objects"), ("GET", &object), ("GET", "/none")]
        {
            let answer = replace(house.request(method, path), "Authorization", &authorization).body("x").send().await.unwrap();
            assert!(header(answer.headers(), "www-authenticate").starts_with("Bearer"));
            problem(answer, 401).await;
        }
    }
    assert_eq!(house.files().len(), 1);
}

#[tokio::test]
async fn tokens_may_be_given_as_hashes() {
    use sha2::Digest as _;
    let hash: String = sha2::Sha256::digest(ANNA).iter().map(|byte| format!("{byte:02x}")).collect();
    let house = House::with(|options| options.tokens[0].token = format!("sha256:{hash}")).await;
    assert_eq!(house.whole("a.jpg", b"photo").send().await.unwrap().status(), 201);
    let with_hash = replace(house.whole("b.jpg", b"x"), "Authorization", &format!("Bearer sha256:{hash}"));
    assert_eq!(with_hash.send().await.unwrap().status(), 401);
    let dir = tempfile::tempdir().unwrap();
    for malformed in ["", "sha256:1234"] {
        let mut options = options(dir.path());
        options.tokens[0].token = malformed.to_owned();
        assert!(matches!(afterglow_receiver::start(options).await, Err(afterglow_receiver::ReceiverError::Token)));
    }
}
