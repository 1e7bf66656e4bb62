//! `/files`.

use crate::support::*;

#[tokio::test]
async fn options_tell_what_is_taken() {
    let house = House::with(|options| options.max_size = Some(5000)).await;
    let answer = house.request("OPTIONS", "/files").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(header(answer.headers(), "accept-patch"), "application/partial-upload");
    assert_eq!(header(answer.headers(), "upload-limit"), "max-size=5000, min-size=0, max-age=604800");
    assert_eq!(header(answer.headers(), "upload-draft-interop-version"), "8");
}

#[tokio::test]
async fn a_whole_file_is_stored_by_date_with_its_digest_told() {
    let house = House::new().await;
    let photo = content(300_000, 1);
    let answer = house.whole("Grüße.jpg", &photo).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(header(answer.headers(), "upload-complete"), "?1");
    assert_eq!(header(answer.headers(), "repr-digest"), repr_digest(&photo));
    assert_eq!(header(answer.headers(), "location"), "/objects/2026/03/Gr%C3%BC%C3%9Fe.jpg");
    assert_eq!(house.files(), [("2026/03/Grüße.jpg".to_owned(), photo)]);
    assert!(house.staged().is_empty());
    let modified = house.dir.path().join("2026/03/Grüße.jpg").metadata().unwrap().modified().unwrap();
    assert_eq!(httpdate::fmt_http_date(modified), TAKEN);
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let house = House::new().await;
    let answer = house.whole("empty.jpg", b"").send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(house.files(), [("2026/03/empty.jpg".to_owned(), vec![])]);
}

#[tokio::test]
async fn a_wrong_digest_leaves_nothing() {
    let house = House::new().await;
    let request = replace(house.whole("a.jpg", b"what came"), "Repr-Digest", &repr_digest(b"what was announced"));
    let answer = request.send().await.unwrap();
    assert_eq!(header(answer.headers(), "upload-complete"), "?1", "a verdict on the file, not a broken transfer");
    let document = problem(answer, 400).await;
    assert_eq!(document["received-digest"], repr_digest(b"what came"));
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
    assert!(
        problem(replace(house.whole("a.jpg", b"x"), "Repr-Digest", "sha-256=:AAAA:").send().await.unwrap(), 400).await.is_object()
    );
    let content_digest = house.whole("a.jpg", b"what came").header("Content-Digest", repr_digest(b"other"));
    problem(content_digest.send().await.unwrap(), 400).await;
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
}

#[tokio::test]
async fn the_same_content_is_one_object() {
    let house = House::new().await;
    let photo = content(1000, 2);
    let first = house.whole("a.jpg", &photo).send().await.unwrap();
    let place = header(first.headers(), "location");
    for name in ["a.jpg", "copy of a.jpg"] {
        let again = house.whole(name, &photo).send().await.unwrap();
        assert_eq!((again.status().as_u16(), header(again.headers(), "location")), (200, place.clone()));
        assert_eq!(header(again.headers(), "repr-digest"), repr_digest(&photo));
        assert_eq!(header(again.headers(), "upload-complete"), "?1");
    }
    // Without an announced digest the content has to come before it can be known.
    let mut silent = house.request("POST", "/files").body(photo.clone());
    silent = silent.header("Upload-Complete", "?1");
    assert_eq!(silent.send().await.unwrap().status(), 200);
    assert_eq!(house.files().len(), 1);
    assert!(house.staged().is_empty());
}

#[tokio::test]
async fn concurrent_uploads_of_the_same_content_are_one_object() {
    let house = House::new().await;
    let photo = content(50_000, 3);
    let answers = futures_util::future::join_all((0..16).map(|n| {
        let request = house.whole(&format!("{n}.jpg"), &photo);
        async move { request.send().await.unwrap() }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status().is_success()), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status() == 201).count(), 1);
    assert_eq!(house.files().len(), 1);
}

#[tokio::test]
async fn a_file_that_the_person_removed_can_be_sent_again() {
    let house = House::new().await;
    assert_eq!(house.whole("a.jpg", b"photo").send().await.unwrap().status(), 201);
    std::fs::remove_file(house.dir.path().join("2026/03/a.jpg")).unwrap();
    assert_eq!(house.whole("a.jpg", b"photo").send().await.unwrap().status(), 201);
    assert_eq!(house.files().len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_content() {
    let house = House::new().await;
    let keyed = |content: &[u8]| house.whole("a.jpg", content).header("Idempotency-Key", "\"key-1\"");
    assert_eq!(keyed(b"one").send().await.unwrap().status(), 201);
    assert_eq!(keyed(b"one").send().await.unwrap().status(), 200);
    problem(keyed(b"two").send().await.unwrap(), 422).await;
    // The same without an announced digest, which shows only when the content has come.
    let silent = house.request("POST", "/files").header("Idempotency-Key", "\"key-1\"").body("three");
    problem(silent.send().await.unwrap(), 422).await;
    // Another sender's keys are its own.
    let ben = house.whole("a.jpg", b"two").header("Idempotency-Key", "\"key-1\"");
    assert_eq!(replace(ben, "Authorization", &format!("Bearer {BEN}")).send().await.unwrap().status(), 201);
    assert_eq!(house.files().len(), 2);
    assert!(house.staged().is_empty());
}

#[tokio::test]
async fn a_repeated_careful_creation_is_the_same_upload() {
    let house = House::new().await;
    let create = |content: &[u8]| {
        let request = house.whole("a.jpg", content).header("Upload-Length", content.len()).header("Idempotency-Key", "\"k\"");
        replace(request, "Upload-Complete", "?0").body("")
    };
    let first = create(b"photo").send().await.unwrap();
    let upload = header(first.headers(), "location");
    assert_eq!(house.append(&upload, 0, "?0", b"pho").send().await.unwrap().status(), 204);
    let again = create(b"photo").send().await.unwrap();
    assert_eq!((header(again.headers(), "location"), header(again.headers(), "upload-offset")), (upload, "3".to_owned()));
    problem(create(b"other").send().await.unwrap(), 422).await;
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let house = House::new().await;
    let inconsistent = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";
    let whole = house.whole("a.jpg", b"12345").header("Upload-Length", 6).send().await.unwrap();
    assert_eq!(problem(whole, 400).await["type"], inconsistent);
    let partial = replace(house.whole("a.jpg", b"12345").header("Upload-Length", 4), "Upload-Complete", "?0");
    assert_eq!(problem(partial.send().await.unwrap(), 400).await["type"], inconsistent);
    // Chunked content shows its length only as it comes.
    for told in [4, 6] {
        let chunks = futures_util::stream::iter(["123", "45"].map(Ok::<_, std::io::Error>));
        let request = house.whole("a.jpg", b"12345").header("Upload-Length", told).body(reqwest::Body::wrap_stream(chunks));
        assert_eq!(problem(request.send().await.unwrap(), 400).await["type"], inconsistent);
    }
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_with_the_limit() {
    let house = House::with(|options| options.max_size = Some(10)).await;
    let told = house.whole("a.jpg", b"12345678901").send().await.unwrap();
    assert!(header(told.headers(), "upload-limit").starts_with("max-size=10, "));
    problem(told, 413).await;
    let chunks = futures_util::stream::iter(["123456", "78901"].map(Ok::<_, std::io::Error>));
    let streamed = house.whole("a.jpg", b"").body(reqwest::Body::wrap_stream(chunks));
    let streamed = replace(streamed, "Repr-Digest", &repr_digest(b"12345678901")).send().await.unwrap();
    assert!(header(streamed.headers(), "upload-limit").starts_with("max-size=10, "));
    problem(streamed, 413).await;
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
    assert_eq!(house.whole("a.jpg", b"1234567890").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn names_collide_without_overwriting() {
    let house = House::new().await;
    std::fs::create_dir_all(house.dir.path().join("2026/03")).unwrap();
    std::fs::write(house.dir.path().join("2026/03/a.jpg"), "the person's own").unwrap();
    for n in 1..=12u8 {
        let name = if n % 2 == 0 { "a.jpg" } else { "A.JPG" };
        assert_eq!(house.whole(name, &[n]).send().await.unwrap().status(), 201, "{n}");
    }
    let files = house.files();
    assert_eq!(files.len(), 13);
    assert!(files.contains(&("2026/03/a.jpg".to_owned(), b"the person's own".to_vec())));
    let lower: std::collections::HashSet<String> = files.iter().map(|(path, _)| path.to_lowercase()).collect();
    assert!(lower.len() >= 12, "names differ by more than case, but for the one that is not the receiver's: {files:?}");
}

#[tokio::test]
async fn hostile_names_stay_in_their_folder() {
    let house = House::new().await;
    let names =
        ["../../../etc/passwd", "..\\x.jpg", "/abs.jpg", "..", ".", "", "CON.jpg", "a\u{202e}gpj.exe", ".afterglow", "nul\0.jpg"];
    for (n, name) in (0u8..).zip(names) {
        let answer = house.whole(name, &[n]).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{name:?}");
        let back = house.request("GET", &header(answer.headers(), "location")).send().await.unwrap();
        assert_eq!(back.bytes().await.unwrap().as_ref(), [n], "{name:?}");
    }
    let files = house.files();
    assert_eq!(files.len(), names.len());
    assert!(files.iter().all(|(path, _)| path.starts_with("2026/03/")), "{files:?}");
}

#[tokio::test]
async fn other_requests_are_refused_with_a_problem() {
    let house = House::new().await;
    problem(house.whole("a.jpg", b"x").header("Content-Encoding", "gzip").send().await.unwrap(), 415).await;
    problem(house.whole("a.jpg", b"x").header("Idempotency-Key", "\"\"").send().await.unwrap(), 400).await;
    problem(house.request("GET", "/elsewhere").send().await.unwrap(), 404).await;
    problem(house.request("PUT", "/files").send().await.unwrap(), 405).await;
    problem(house.request("PATCH", "/uploads/none").send().await.unwrap(), 404).await;
}
