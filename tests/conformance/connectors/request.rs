//! Requests that an app describes, put to as much of the suite as holds where nothing can be asked, and to their own rules.

use std::collections::BTreeMap;

use afterglow_model::{
    CompletingRequest, Connector, DigestAlgorithm, DigestRule, Evidence, FailureClass, FailureCode, FormField, JobBody,
    JobResponse, RequestMethod, SuccessRule,
};
use afterglow_tests::model_server::{Answer, Fault, Object, Protocol, Request};
use afterglow_transfer::{Account, Delivered, Described, Order, Outcome};
use sha2::{Digest, Sha256};

use super::{draft::Draft, tus::Tus};
use crate::{
    every::{Bench, Peer},
    rig::{MIB, content},
};

/// A server that stores what comes by its `Idempotency-Key`, takes forms, and puts parts together.
#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, Vec<u8>>,
    fields: BTreeMap<String, String>,
    parts: BTreeMap<String, Vec<u8>>,
    /// Says that all is well on seeing the head alone.
    is_hasty: bool,
    /// Says that all is well with a web page.
    says_pages: bool,
}

impl Shelf {
    fn store(&mut self, request: &Request, bytes: Vec<u8>) -> Answer {
        let Some(key) = request.header("idempotency-key") else { return Answer::new("400 Bad Request") };
        let sha256 = hex(&Sha256::digest(&bytes));
        self.objects.insert(key.to_owned(), bytes);
        if self.says_pages {
            return Answer::new("200 OK").body("text/html; charset=UTF-8", "ok");
        }
        Answer::new("201 Created")
            .with("Location", format!("/objects/{key}"))
            .with("X-Sha256", &sha256)
            .with("Set-Cookie", "secret=1")
            .body("application/json", serde_json::json!({ "id": key, "sha256": sha256 }).to_string())
    }

    /// The file's part of a form; the other fields are remembered.
    fn form(&mut self, request: &Request) -> Option<Vec<u8>> {
        let boundary = request.header("content-type")?.strip_prefix("multipart/form-data; boundary=")?.to_owned();
        let mut rest = request.body.as_slice();
        let mut file = None;
        loop {
            rest = rest.strip_prefix(format!("--{boundary}").as_bytes())?;
            if rest == b"--\r\n" {
                return file;
            }
            rest = rest.strip_prefix(b"\r\n")?;
            let head_ends = find(rest, b"\r\n\r\n")?;
            let head = std::str::from_utf8(&rest[..head_ends]).ok()?.to_owned();
            rest = &rest[head_ends + 4..];
            let ends = find(rest, format!("\r\n--{boundary}").as_bytes())?;
            let value = rest[..ends].to_vec();
            rest = &rest[ends + 2..];
            let name = head.split("name=\"").nth(1)?.split('"').next()?.to_owned();
            if head.contains("filename=\"") {
                file = Some(value);
            } else {
                self.fields.insert(name, String::from_utf8(value).ok()?);
            }
        }
    }

    fn complete(&mut self, request: &Request) -> Answer {
        let mut whole = Vec::new();
        for line in String::from_utf8_lossy(&request.body).lines() {
            let Some((number, etag)) = line.split_once(' ') else { return Answer::new("400 Bad Request") };
            match self.parts.get(number) {
                Some(part) if etag == tag(part) => whole.extend_from_slice(part),
                _ if self.objects.contains_key("signed") => {}
                _ => return Answer::new("400 Bad Request"),
            }
        }
        if !self.parts.is_empty() {
            self.objects.insert("signed".to_owned(), whole);
            self.parts.clear();
        }
        Answer::new("200 OK").with("X-Sha256", hex(&Sha256::digest(&self.objects["signed"])))
    }
}

impl Protocol for Shelf {
    fn refuses(&self, _head: &Request) -> Option<Answer> {
        self.is_hasty.then(|| Answer::new("201 Created"))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        if request.header("authorization") != Some("Bearer a token") {
            return Answer::new("401 Unauthorized");
        }
        match (request.method.as_str(), request.target()) {
            ("POST", "/raw") => self.store(request, request.body.clone()),
            ("POST", "/form") => match self.form(request) {
                Some(file) => self.store(request, file),
                None => Answer::new("400 Bad Request"),
            },
            ("POST", "/complete") => self.complete(request),
            ("PUT", part) => {
                let etag = tag(&request.body);
                self.parts.insert(part.trim_start_matches("/part/").to_owned(), request.body.clone());
                Answer::new("200 OK").with("ETag", etag)
            }
            _ => Answer::new("404 Not Found"),
        }
    }

    fn objects(&self) -> Vec<Object> {
        self.objects.iter().map(|(name, bytes)| Object { name: name.clone(), bytes: bytes.clone() }).collect()
    }

    fn leftovers(&self) -> usize {
        self.parts.len()
    }
}

fn tag(part: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(part))[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

fn described(origin: &str, path: &str, body: JobBody) -> Account {
    Account {
        headers: vec![("authorization".to_owned(), "Bearer a token".to_owned())],
        described: Some(Described { body, after: None }),
        ..Account::at(format!("{origin}{path}").parse().unwrap())
    }
}

fn by_header() -> SuccessRule {
    let digest = DigestRule { algorithm: DigestAlgorithm::Sha256, header: Some("X-Sha256".to_owned()), json: None };
    SuccessRule { digest: Some(digest), ..SuccessRule::default() }
}

/// The bytes as they are.
struct Raw;

impl Peer for Raw {
    type Server = Shelf;
    const CONNECTOR: Connector = Connector::Resumable;
    const EVIDENCE: Evidence = Evidence::Hashed;
    const SHOWS_AGAIN: Evidence = Evidence::Accepted;

    fn server() -> Shelf {
        Shelf::default()
    }

    fn account(origin: &str) -> Account {
        described(origin, "/raw", JobBody::Raw { method: RequestMethod::Post, success: by_header() })
    }
}

/// A form, whose answer says the digest in its body.
struct Form;

impl Peer for Form {
    type Server = Shelf;
    const CONNECTOR: Connector = Connector::Resumable;
    const EVIDENCE: Evidence = Evidence::Hashed;
    const SHOWS_AGAIN: Evidence = Evidence::Accepted;

    fn server() -> Shelf {
        Shelf::default()
    }

    fn account(origin: &str) -> Account {
        let field = |name: &str, value: &str| FormField { name: name.to_owned(), value: value.to_owned() };
        let digest = DigestRule { algorithm: DigestAlgorithm::Sha256, header: None, json: Some("/sha256".to_owned()) };
        let body = JobBody::Multipart {
            method: RequestMethod::Post,
            file_field: "file".to_owned(),
            fields: vec![field("size", "{{byte_count}}"), field("taken", "{{created_at}}"), field("sum", "sha1:{{sha1}}")],
            success: SuccessRule { digest: Some(digest), ..SuccessRule::default() },
        };
        described(origin, "/form", body)
    }
}

/// Parts to signed URLs.
struct Signed;

impl Peer for Signed {
    type Server = Shelf;
    const CONNECTOR: Connector = Connector::Resumable;
    const EVIDENCE: Evidence = Evidence::Hashed;
    // A part, as the app has described it.
    const RESENT_MAX: u64 = 4 * MIB;
    const SHOWS_AGAIN: Evidence = Evidence::Accepted;

    fn server() -> Shelf {
        Shelf::default()
    }

    fn account(origin: &str) -> Account {
        let body = JobBody::PresignedParts {
            part_bytes: 4 * MIB,
            part_urls: (1..=3).map(|n| format!("{origin}/part/{n}?signature=x")).collect(),
            complete: Some(CompletingRequest {
                url: format!("{origin}/complete"),
                method: RequestMethod::Post,
                content_type: "text/plain".to_owned(),
                part: "{{number}} {{etag}}\n".to_owned(),
                content: "{{parts}}".to_owned(),
            }),
            success: by_header(),
        };
        described(origin, "/part/1", body)
    }
}

mod raw {
    use super::*;
    crate::every::cases! { Raw;
        files_of_every_size_arrive_once
        hostile_names_arrive
        every_request_may_fail_in_every_way
        after_a_crash_at_any_request_it_goes_on
        what_the_person_must_mend_is_said_and_loses_nothing
        a_wish_for_patience_is_heard
        a_portal_is_never_a_delivery
        nonsense_is_no_delivery_and_no_crash
        a_redirect_takes_no_credential_elsewhere
        a_silent_line_is_left
        a_server_that_takes_its_time_is_not_left
        a_file_that_changes_is_never_a_mixture
        the_same_twice_is_one_object
        two_files_of_one_name_are_two_objects
    }
}

mod form {
    use super::*;
    crate::every::cases! { Form;
        files_of_every_size_arrive_once
        hostile_names_arrive
        nonsense_is_no_delivery_and_no_crash
    }
}

mod signed {
    use super::*;
    crate::every::cases! { Signed;
        files_of_every_size_arrive_once
        every_request_may_fail_in_every_way
        after_a_crash_at_any_request_it_goes_on
        what_the_person_must_mend_is_said_and_loses_nothing
        a_redirect_takes_no_credential_elsewhere
        a_file_that_changes_is_never_a_mixture
    }
}

async fn delivered<P: Peer>(bench: &Bench<P>, order: &Order) -> Delivered {
    match bench.attempt(order).await {
        Outcome::Delivered(delivered) => delivered,
        other => panic!("{other:?}"),
    }
}

fn rule(bench: &mut Bench<Raw>, success: SuccessRule) {
    bench.account.described = Some(Described { body: JobBody::Raw { method: RequestMethod::Post, success }, after: None });
}

#[tokio::test]
async fn a_form_says_what_the_app_wrote() {
    let bench = Bench::<Form>::new().await;
    delivered(&bench, &bench.file("IMG_0001.jpg", 3 * MIB)).await;
    let fields = bench.server.with(|shelf| shelf.fields.clone());
    assert_eq!((fields["size"].as_str(), fields["taken"].as_str()), ("3145728", "2023-11-14T22:13:20Z"));
    let sha1: [u8; 20] = sha1::Sha1::digest(content(3 * MIB)).into();
    assert_eq!(fields["sum"], format!("sha1:{}", hex(&sha1)));
}

#[tokio::test]
async fn the_app_gets_the_answer_but_no_cookie() {
    let bench = Bench::<Raw>::new().await;
    let order = bench.file("IMG_0001.jpg", 3000);
    let key = delivered(&bench, &order).await.remote_id.rsplit('/').next().unwrap().to_owned();
    let response = bench.memory.response.lock().unwrap().clone().unwrap();
    assert_eq!((response.status, response.truncated), (201, false));
    assert_eq!(response.headers.get("location"), Some(&format!("/objects/{key}")));
    assert_eq!(response.headers.get("set-cookie"), None);
    assert!(response.body.contains(&key), "{}", response.body);
}

#[tokio::test]
async fn an_answer_at_length_is_cut_and_still_a_success() {
    let mut bench = Bench::<Raw>::new().await;
    rule(&mut bench, SuccessRule::default());
    let order = bench.file("IMG_0001.jpg", 3000);
    bench.server.fail(0, Fault::AnswerAfter(Answer::new("200 OK").body("text/plain", "x".repeat(1 << 20))));
    assert_eq!(delivered(&bench, &order).await.evidence, Evidence::Accepted);
    let response: JobResponse = bench.memory.response.lock().unwrap().clone().unwrap();
    assert_eq!((response.body.len(), response.truncated), (16 * 1024, true));
}

#[tokio::test]
async fn the_app_says_what_a_success_is() {
    let header =
        |name: &str, value: &str| SuccessRule { headers: [(name.to_owned(), value.to_owned())].into(), ..SuccessRule::default() };
    let statuses = |status: &[u16]| SuccessRule { status: status.to_vec(), ..SuccessRule::default() };
    let cases = [
        (SuccessRule::default(), "204 No Content", true),
        (statuses(&[200, 409]), "409 Conflict", true),
        (statuses(&[200]), "204 No Content", false),
        (header("OC-FileId", ""), "201 Created", false),
        (header("X-Kind", "photo"), "201 Created", true),
        (header("X-Kind", "video"), "201 Created", false),
    ];
    for (success, status, is_success) in cases {
        let mut bench = Bench::<Raw>::new().await;
        rule(&mut bench, success.clone());
        let order = bench.file("IMG_0001.jpg", 3000);
        bench.server.fail(0, Fault::AnswerAfter(Answer::new(status).with("X-Kind", "photo")));
        match bench.attempt(&order).await {
            Outcome::Delivered(_) if is_success => {}
            Outcome::Failed(failure) if !is_success => {
                assert_eq!((failure.class, failure.code), (FailureClass::Permanent, FailureCode::ServerRejected), "{success:?}");
            }
            other => panic!("{success:?}, {status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_digest_of_other_bytes_is_no_success() {
    let bench = Bench::<Raw>::new().await;
    let order = bench.file("IMG_0001.jpg", 3000);
    bench.server.fail(0, Fault::AnswerAfter(Answer::new("201 Created").with("X-Sha256", "00".repeat(32))));
    bench.failed(&order, FailureCode::DigestMismatch, "another digest").await;
}

#[tokio::test]
async fn parts_that_are_there_are_not_sent_again() {
    let bench = Bench::<Signed>::new().await;
    let order = bench.file("IMG_0001.jpg", 11 * MIB);
    bench.server.fail(2, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "the third part").await;
    delivered(&bench, &order).await;
    let truth = bench.stored_once(&order, "resumed");
    let puts: Vec<&str> = truth.requests.iter().filter(|request| request.method == "PUT").map(Request::target).collect();
    assert_eq!(puts, ["/part/1", "/part/2", "/part/3", "/part/3"]);
}

#[tokio::test]
async fn a_page_may_be_how_a_server_says_that_all_is_well() {
    let mut bench = Bench::<Raw>::new().await;
    rule(&mut bench, SuccessRule::default());
    bench.server.with(|shelf| shelf.says_pages = true);
    let order = bench.file("IMG_0001.jpg", 20_000);
    delivered(&bench, &order).await;
    assert_eq!(bench.memory.response.lock().unwrap().as_ref().unwrap().body, "ok");
    bench.stored_once(&order, "a page");
}

#[tokio::test]
async fn a_success_before_the_file_was_sent_is_none() {
    let mut bench = Bench::<Raw>::new().await;
    rule(&mut bench, SuccessRule::default());
    bench.server.with(|shelf| shelf.is_hasty = true);
    let order = bench.file("IMG_0001.jpg", 11 * MIB);
    match bench.attempt(&order).await {
        Outcome::Failed(failure) => assert_eq!(failure.class, FailureClass::Transient, "{}", failure.message),
        other => panic!("{other:?}"),
    }
}

/// What an app is handed back of its upload by a protocol.
async fn handed_back<P: Peer>(body: JobBody, bytes: u64) -> JobResponse {
    let mut bench = Bench::<P>::new().await;
    bench.account.described = Some(Described { body, after: None });
    let outcome = bench.attempt(&bench.file("IMG_0001.jpg", bytes)).await;
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    let response = bench.memory.response.lock().unwrap().take();
    response.unwrap()
}

#[tokio::test]
async fn an_app_is_handed_the_answer_that_completed_its_upload() {
    for bytes in [20_000, 11 * MIB] {
        let tus = handed_back::<Tus>(JobBody::Tus, bytes).await;
        assert_eq!((tus.status, tus.headers["upload-offset"].as_str()), (204, bytes.to_string().as_str()));
        let draft = handed_back::<Draft<6>>(JobBody::Resumable, bytes).await;
        assert_eq!((draft.status / 100, draft.headers["upload-complete"].as_str()), (2, "?1"));
    }
}
