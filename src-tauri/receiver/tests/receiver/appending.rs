//! `/uploads/{id}`.

use crate::support::*;

const MISMATCHING_OFFSET: &str = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";
const INCONSISTENT_LENGTH: &str = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";
const COMPLETED: &str = "https://iana.org/assignments/http-problem-types#completed-upload";

#[tokio::test]
async fn a_careful_upload_in_parts() {
    let house = House::new().await;
    let photo = content(3_000_000, 1);
    let upload = house.careful("a.jpg", &photo).await;
    let first = house.append(&upload, 0, "?0", &photo[..2_000_000]).send().await.unwrap();
    assert_eq!(first.status(), 204);
    assert_eq!(header(first.headers(), "upload-complete"), "?0");
    assert_eq!(header(first.headers(), "repr-digest"), repr_digest(&photo[..2_000_000]));
    assert_eq!(house.append(&upload, 2_000_000, "?0", &photo[2_000_000..]).send().await.unwrap().status(), 204);

    let state = house.request("HEAD", &upload).send().await.unwrap();
    assert_eq!(state.status(), 204);
    for (name, value) in
        [("upload-offset", "3000000"), ("upload-length", "3000000"), ("upload-complete", "?0"), ("cache-control", "no-store")]
    {
        assert_eq!(header(state.headers(), name), value, "{name}");
    }
    assert_eq!(header(state.headers(), "repr-digest"), repr_digest(&photo), "to compare before completing");
    assert!(header(state.headers(), "upload-limit").contains("max-age="));
    assert!(house.files().is_empty(), "nothing is visible before it is complete");

    let done = house.append(&upload, 3_000_000, "?1", b"").send().await.unwrap();
    assert_eq!((done.status().as_u16(), header(done.headers(), "upload-complete")), (201, "?1".to_owned()));
    assert_eq!(header(done.headers(), "repr-digest"), repr_digest(&photo));
    assert_eq!(house.files(), [("2026/03/a.jpg".to_owned(), photo.clone())]);

    // The answer may be lost: its repetition tells the same, and the resource tells that all is done.
    let again = house.append(&upload, 3_000_000, "?1", b"").send().await.unwrap();
    assert_eq!((again.status().as_u16(), header(again.headers(), "location")), (200, header(done.headers(), "location")));
    let state = house.request("HEAD", &upload).send().await.unwrap();
    assert_eq!(header(state.headers(), "upload-complete"), "?1");
    assert_eq!(header(state.headers(), "upload-offset"), "3000000");
    assert_eq!(header(state.headers(), "location"), header(done.headers(), "location"));

    assert_eq!(
        problem(house.append(&upload, 3_000_000, "?1", b"more").send().await.unwrap(), 400).await["type"],
        INCONSISTENT_LENGTH
    );
    assert_eq!(problem(house.append(&upload, 3_000_000, "?0", b"").send().await.unwrap(), 400).await["type"], COMPLETED);
    assert_eq!(house.files().len(), 1);
}

#[tokio::test]
async fn a_partial_creation_goes_on() {
    let house = House::new().await;
    let request = replace(house.whole("a.jpg", b"hello world"), "Upload-Complete", "?0").body("hello");
    let created = request.send().await.unwrap();
    assert_eq!((created.status().as_u16(), header(created.headers(), "upload-offset")), (201, "5".to_owned()));
    let upload = header(created.headers(), "location");
    let state = house.request("HEAD", &upload).send().await.unwrap();
    assert!(state.headers().get("upload-length").is_none(), "not told yet");
    assert_eq!(house.append(&upload, 5, "?1", b" world").send().await.unwrap().status(), 201);
    assert_eq!(house.files(), [("2026/03/a.jpg".to_owned(), b"hello world".to_vec())]);
}

#[tokio::test]
async fn a_wrong_offset_is_refused_with_the_right_one() {
    let house = House::new().await;
    let upload = house.careful("a.jpg", b"hello").await;
    house.append(&upload, 0, "?0", b"he").send().await.unwrap();
    for provided in [0, 3] {
        let answer = house.append(&upload, provided, "?1", b"llo").send().await.unwrap();
        assert_eq!(header(answer.headers(), "upload-offset"), "2");
        let document = problem(answer, 409).await;
        assert_eq!(document["type"], MISMATCHING_OFFSET);
        assert_eq!((document["expected-offset"].as_u64(), document["provided-offset"].as_u64()), (Some(2), Some(provided as u64)));
    }
    assert_eq!(house.append(&upload, 2, "?1", b"llo").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn malformed_appends_are_refused_and_change_nothing() {
    let house = House::new().await;
    let upload = house.careful("a.jpg", b"hello").await;
    let append = || house.append(&upload, 0, "?0", b"he");
    let wrong_type = replace(append(), "Content-Type", "image/jpeg").send().await.unwrap();
    assert_eq!(header(wrong_type.headers(), "accept-patch"), "application/partial-upload");
    problem(wrong_type, 415).await;
    problem(replace(append(), "Upload-Offset", "-1").send().await.unwrap(), 400).await;
    problem(replace(append(), "Upload-Complete", "yes").send().await.unwrap(), 400).await;
    let other_length = append().header("Upload-Length", 6).send().await.unwrap();
    assert_eq!(problem(other_length, 400).await["type"], INCONSISTENT_LENGTH);
    for (complete, content) in [("?0", "hello!"), ("?1", "hello!"), ("?1", "hell"), ("?1", "")] {
        let answer = house.append(&upload, 0, complete, content.as_bytes()).send().await.unwrap();
        assert!(answer.headers().get("upload-complete").is_none());
        assert_eq!(problem(answer, 400).await["type"], INCONSISTENT_LENGTH, "{complete} {content}");
    }
    let wrong_digest = append().header("Content-Digest", repr_digest(b"xx")).send().await.unwrap();
    problem(wrong_digest, 400).await;
    assert_eq!(house.offset(&upload).await, 0);
    let right_digest = append().header("Content-Digest", repr_digest(b"he")).send().await.unwrap();
    assert_eq!(right_digest.status(), 204);
    assert_eq!(house.append(&upload, 2, "?1", b"llo").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn more_than_the_length_ends_the_upload() {
    let house = House::new().await;
    let upload = house.careful("a.jpg", b"hello").await;
    let chunks = futures_util::stream::iter(["hel", "lo!"].map(Ok::<_, std::io::Error>));
    let answer = house.append(&upload, 0, "?0", b"").body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(problem(answer, 400).await["type"], INCONSISTENT_LENGTH);
    assert_eq!(house.request("HEAD", &upload).send().await.unwrap().status(), 404);
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
}

#[tokio::test]
async fn an_upload_over_the_size_limit_is_refused() {
    let house = House::with(|options| options.max_size = Some(6)).await;
    let created = replace(house.whole("a.jpg", b"12345678"), "Upload-Complete", "?0").body("1234").send().await.unwrap();
    let upload = header(created.headers(), "location");
    let answer = house.append(&upload, 4, "?0", b"5678").send().await.unwrap();
    assert!(header(answer.headers(), "upload-limit").starts_with("max-size=6, "));
    problem(answer, 413).await;
    assert_eq!(house.offset(&upload).await, 4);
}

#[tokio::test]
async fn wrong_bytes_are_discarded_and_the_verdict_repeats() {
    let house = House::new().await;
    let upload = house.careful("a.jpg", b"hello").await;
    for (offset, bytes) in [(0, b"jello".as_slice()), (5, b"".as_slice())] {
        let answer = house.append(&upload, offset, "?1", bytes).send().await.unwrap();
        assert_eq!(header(answer.headers(), "upload-complete"), "?1");
        assert_eq!(problem(answer, 400).await["received-digest"], repr_digest(b"jello"));
    }
    let state = house.request("HEAD", &upload).send().await.unwrap();
    assert_eq!(header(state.headers(), "upload-complete"), "?1");
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
    // The right bytes may come in a new upload.
    let upload = house.careful("a.jpg", b"hello").await;
    assert_eq!(house.append(&upload, 0, "?1", b"hello").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let house = House::new().await;
    let upload = house.careful("a.jpg", b"hello").await;
    house.append(&upload, 0, "?0", b"he").send().await.unwrap();
    assert_eq!(house.request("DELETE", &upload).send().await.unwrap().status(), 204);
    assert_eq!(house.request("HEAD", &upload).send().await.unwrap().status(), 404);
    problem(house.append(&upload, 2, "?1", b"llo").send().await.unwrap(), 404).await;
    problem(house.request("DELETE", &upload).send().await.unwrap(), 404).await;
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
}

#[tokio::test]
async fn a_creation_of_stored_content_needs_no_upload() {
    let house = House::new().await;
    house.whole("a.jpg", b"photo").send().await.unwrap();
    let request = house.whole("b.jpg", b"photo").header("Upload-Length", 5);
    let answer = replace(request, "Upload-Complete", "?0").body("").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "upload-complete")), (200, "?1".to_owned()));
    assert_eq!(header(answer.headers(), "location"), "/objects/2026/03/a.jpg");
}

#[tokio::test]
async fn uploads_of_others_do_not_exist() {
    let house = House::new().await;
    let upload = house.careful("a.jpg", b"hello").await;
    for method in ["HEAD", "PATCH", "DELETE"] {
        let request = replace(house.request(method, &upload), "Authorization", &format!("Bearer {BEN}"));
        assert_eq!(request.send().await.unwrap().status(), 404, "{method}");
    }
    assert_eq!(house.append(&upload, 0, "?1", b"hello").send().await.unwrap().status(), 201);
}
