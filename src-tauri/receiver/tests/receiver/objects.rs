//! `/objects`.

use serde_json::Value;

use crate::support::*;

#[tokio::test]
async fn objects_are_listed_with_digests_page_by_page() {
    let house = House::new().await;
    for n in 0..5u8 {
        house.whole(&format!("{n}.jpg"), &[n; 10]).send().await.unwrap();
    }
    let mut listed = vec![];
    let mut after = Some(0);
    while let Some(from) = after {
        let page: Value =
            house.request("GET", &format!("/objects?limit=2&after={from}")).send().await.unwrap().json().await.unwrap();
        listed.extend(page["objects"].as_array().unwrap().clone());
        after = page["next"].as_i64();
    }
    let paths: Vec<_> = listed.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["2026/03/0.jpg", "2026/03/1.jpg", "2026/03/2.jpg", "2026/03/3.jpg", "2026/03/4.jpg"]);
    assert_eq!(listed[3]["length"], 10);

    let digest = listed[3]["sha256"].as_str().unwrap();
    let found: Value = house.request("GET", &format!("/objects?sha256={digest}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(found["objects"], Value::Array(vec![listed[3].clone()]));
    problem(house.request("GET", "/objects?sha256=xyz").send().await.unwrap(), 400).await;
    problem(house.request("GET", "/objects?limit=many").send().await.unwrap(), 400).await;
}

#[tokio::test]
async fn an_object_is_read_back_whole_or_in_part() {
    let house = House::new().await;
    let photo = content(100_000, 1);
    let stored = house.whole("100% #1 ü.jpg", &photo).header("Content-Type", "image/jpeg").send().await.unwrap();
    let object = header(stored.headers(), "location");
    let whole = house.request("GET", &object).send().await.unwrap();
    assert_eq!(header(whole.headers(), "repr-digest"), repr_digest(&photo));
    assert_eq!(header(whole.headers(), "content-type"), "image/jpeg");
    assert_eq!(header(whole.headers(), "x-content-type-options"), "nosniff");
    assert_eq!(whole.bytes().await.unwrap(), photo);

    let head = house.request("HEAD", &object).send().await.unwrap();
    assert_eq!(
        (header(head.headers(), "content-length"), header(head.headers(), "repr-digest")),
        ("100000".to_owned(), repr_digest(&photo))
    );

    for (range, start, end) in
        [("bytes=10-19", 10, 20), ("bytes=99990-", 99_990, 100_000), ("bytes=-7", 99_993, 100_000), ("bytes=5-999999", 5, 100_000)]
    {
        let part = house.request("GET", &object).header("Range", range).send().await.unwrap();
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(header(part.headers(), "content-range"), format!("bytes {start}-{}/100000", end - 1));
        assert_eq!(part.bytes().await.unwrap(), photo[start..end], "{range}");
    }
    let beyond = house.request("GET", &object).header("Range", "bytes=100000-").send().await.unwrap();
    assert_eq!(header(beyond.headers(), "content-range"), "bytes */100000");
    problem(beyond, 416).await;
    let several = house.request("GET", &object).header("Range", "bytes=0-1,4-5").send().await.unwrap();
    assert_eq!(several.status(), 200, "several ranges are answered with the whole");
}

#[tokio::test]
async fn who_wants_a_digest_is_told_of_the_bytes_as_they_are_now() {
    let house = House::new().await;
    let photo = content(50_000, 1);
    let stored = house.whole("a.jpg", &photo).send().await.unwrap();
    let object = header(stored.headers(), "location");
    let asked = async || house.request("HEAD", &object).header("Want-Repr-Digest", "sha-256=10").send().await.unwrap();
    let held = asked().await;
    assert_eq!((held.status().as_u16(), header(held.headers(), "repr-digest")), (200, repr_digest(&photo)));

    let path = house.dir.path().join(object.strip_prefix("/objects/").unwrap());
    std::fs::write(&path, content(50_000, 2)).unwrap();
    assert_eq!(asked().await.status(), 404, "other bytes of that size");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(asked().await.status(), 404, "no file");
    std::fs::write(&path, &photo).unwrap();
    assert_eq!(asked().await.status(), 200, "put back");
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let house = House::new().await;
    house.whole("a.jpg", b"photo").send().await.unwrap();
    std::fs::write(house.dir.path().join("2026/03/own.txt"), "the person's own").unwrap();
    for path in [
        "/objects/%2e%2e/%2e%2e/etc/passwd",
        "/objects/..%2f..%2fetc%2fpasswd",
        "/objects/../../etc/passwd",
        "/objects/.afterglow/token",
        "/objects/2026/03/../../.afterglow/ledger.sqlite",
        "/objects/2026/03/own.txt",
        "/objects/2026/03/A.JPG",
        "/objects/2026/03/a.jpg%00",
        "/objects//2026/03/a.jpg",
        "/objects/%ff",
        "/uploads/..%2f..%2f2026%2f03%2fa.jpg",
    ] {
        for method in ["GET", "DELETE"] {
            // Raw, since a client would resolve the dots itself.
            let mut stream = house.connect().await;
            let answer = exchange(
                &mut stream,
                &format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANNA}\r\nConnection: close\r\n\r\n"),
            )
            .await;
            assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 405"), "{method} {path}: {answer}");
            assert!(answer.contains("application/problem+json"), "{method} {path}: {answer}");
        }
    }
    assert_eq!(house.files().len(), 2);
}

#[tokio::test]
async fn what_one_sender_stores_does_not_exist_for_another() {
    let house = House::new().await;
    let stored = house.whole("a.jpg", b"photo").send().await.unwrap();
    let object = header(stored.headers(), "location");
    let ben = |request| replace(request, "Authorization", &format!("Bearer {BEN}"));
    for method in ["GET", "DELETE"] {
        problem(ben(house.request(method, &object)).send().await.unwrap(), 404).await;
    }
    let list: Value = ben(house.request("GET", "/objects")).send().await.unwrap().json().await.unwrap();
    assert_eq!(list["objects"], Value::Array(vec![]));
    // The same content is the other's own object, so that its answer tells nothing about the first.
    assert_eq!(ben(house.whole("a.jpg", b"photo")).send().await.unwrap().status(), 201);
    assert_eq!(house.files().len(), 2);
}

#[tokio::test]
async fn a_test_upload_can_be_taken_back_a_photo_cannot() {
    let house = House::new().await;
    let test = house.whole("Afterglow test.txt", b"hello").send().await.unwrap();
    let object = header(test.headers(), "location");
    assert_eq!(house.request("DELETE", &object).send().await.unwrap().status(), 204);
    assert_eq!(house.request("GET", &object).send().await.unwrap().status(), 404);
    assert!(house.files().is_empty());
    assert_eq!(house.whole("Afterglow test.txt", b"hello").send().await.unwrap().status(), 201, "and be made again");

    let photo = house.whole("photo.jpg", &content(64 * 1024, 1)).send().await.unwrap();
    problem(house.request("DELETE", &header(photo.headers(), "location")).send().await.unwrap(), 403).await;
    let ledger = rusqlite::Connection::open(house.dir.path().join(".afterglow/ledger.sqlite")).unwrap();
    ledger.execute("UPDATE objects SET created_ms = created_ms - 11 * 60 * 1000", []).unwrap();
    problem(house.request("DELETE", &object).send().await.unwrap(), 403).await;
    assert_eq!(house.files().len(), 2);
}
