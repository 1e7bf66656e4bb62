//! A tus server by its specification, 1.0.0: the core, and the extensions Creation, Expiration, Termination and, if it is to, Checksum.

use afterglow_model::{Connector, Evidence, FailureClass, FailureCode};
use afterglow_tests::model_server::{Answer, Fault, Object, Protocol, Request};
use afterglow_transfer::{Account, Outcome};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::Digest;
use std::collections::BTreeMap;

use crate::{
    every::{Bench, Peer, conformance},
    rig::MIB,
};

const SECRET: &str = "canary-token";

/// An upload resource.
#[derive(Debug, Clone)]
struct Upload {
    name: String,
    metadata: BTreeMap<String, String>,
    length: u64,
    bytes: Vec<u8>,
    /// Somebody has asked for it since its creation. What nobody ever asks for expires while it is empty.
    known: bool,
}

/// The server.
#[derive(Debug, Default)]
pub(crate) struct TusServer {
    uploads: BTreeMap<String, Upload>,
    begun: usize,
    max_size: Option<u64>,
    expires: Option<&'static str>,
    /// Completed uploads are put elsewhere at once, as hooks of servers do.
    takes_away: bool,
    taken_away: Vec<Object>,
    /// The algorithms of the Checksum extension; empty if it is not offered.
    checksums: &'static str,
    /// Requests whose content is damaged on the way.
    damages: usize,
}

fn with_version(answer: Answer) -> Answer {
    answer.with("Tus-Resumable", "1.0.0")
}

fn refusal(status: &str) -> Answer {
    with_version(Answer::new(status))
}

fn integer(request: &Request, name: &str) -> Option<u64> {
    let text = request.header(name)?;
    // "A non-negative integer", and nothing else.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// "Upload-Metadata"; none if it is not as it must be.
fn metadata(text: &str) -> Option<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for pair in text.split(',') {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_key || pairs.insert(key.to_owned(), value).is_some() {
            return None;
        }
    }
    Some(pairs)
}

/// "Upload-Checksum" against the content.
fn compared(checksum: &str, offered: &str, content: &[u8]) -> Result<(), &'static str> {
    let (algorithm, value) = checksum.split_once(' ').ok_or("400 Bad Request")?;
    let digest = match algorithm {
        _ if !offered.split(',').any(|known| known == algorithm) => return Err("400 Bad Request"),
        "sha1" => sha1::Sha1::digest(content).to_vec(),
        "sha256" => sha2::Sha256::digest(content).to_vec(),
        _ => return Err("400 Bad Request"),
    };
    if STANDARD.encode(digest) == value { Ok(()) } else { Err("460 Checksum Mismatch") }
}

impl TusServer {
    fn create(&mut self, request: &Request) -> Answer {
        if request.target() != "/files/" {
            return refusal("404 Not Found");
        }
        let described = request.header("upload-metadata").map(metadata);
        let (Some(length), Some(Some(metadata))) = (integer(request, "upload-length"), described) else {
            return refusal("400 Bad Request");
        };
        if self.max_size.is_some_and(|most| length > most) {
            return refusal("413 Request Entity Too Large");
        }
        if !request.body.is_empty() {
            // Creation With Upload is not offered.
            return refusal("400 Bad Request");
        }
        self.begun += 1;
        let path = format!("/files/{}", self.begun);
        let name = metadata.get("filename").cloned().unwrap_or_default();
        self.uploads.insert(path.clone(), Upload { name, metadata, length, bytes: Vec::new(), known: false });
        let answer = with_version(Answer::new("201 Created")).with("Location", path);
        match self.expires {
            Some(expires) => answer.with("Upload-Expires", expires),
            None => answer,
        }
    }

    fn ask(&mut self, request: &Request) -> Answer {
        let Some(upload) = self.uploads.get_mut(request.target()) else { return refusal("404 Not Found") };
        upload.known = true;
        with_version(Answer::new("200 OK"))
            .with("Upload-Offset", upload.bytes.len())
            .with("Upload-Length", upload.length)
            .with("Cache-Control", "no-store")
    }

    fn append(&mut self, request: &Request) -> Answer {
        if request.header("content-type") != Some("application/offset+octet-stream") {
            return refusal("415 Unsupported Media Type");
        }
        let Some(upload) = self.uploads.get_mut(request.target()) else { return refusal("404 Not Found") };
        let held = upload.bytes.len() as u64;
        match integer(request, "upload-offset") {
            None => return refusal("400 Bad Request"),
            Some(offset) if offset != held => return refusal("409 Conflict"),
            Some(_) => {}
        }
        if held + request.body.len() as u64 > upload.length {
            return refusal("413 Request Entity Too Large");
        }
        upload.known = true;
        let mut content = request.body.clone();
        if self.damages > 0 {
            self.damages -= 1;
            content[0] ^= 1;
        }
        match (request.header("upload-checksum").map(|checksum| compared(checksum, self.checksums, &content)), self.checksums) {
            // A client may leave it out; ours does not where it knows the algorithm.
            (None, checksums) if checksums.contains("sha") => return refusal("400 Bad Request"),
            (Some(Err(status)), _) => return refusal(status),
            (None | Some(Ok(())), _) => {}
        }
        upload.bytes.extend_from_slice(&content);
        let answer = with_version(Answer::new("204 No Content")).with("Upload-Offset", upload.bytes.len());
        if self.takes_away
            && upload.bytes.len() as u64 == upload.length
            && let Some(upload) = self.uploads.remove(request.target())
        {
            self.taken_away.push(Object { name: upload.name, bytes: upload.bytes });
        }
        answer
    }
}

impl Protocol for TusServer {
    fn refuses(&self, head: &Request) -> Option<Answer> {
        if head.method == "OPTIONS" {
            return None;
        }
        if head.header("tus-resumable") != Some("1.0.0") {
            return Some(refusal("412 Precondition Failed").with("Tus-Version", "1.0.0"));
        }
        (head.header("authorization") != Some(&format!("Bearer {SECRET}"))).then(|| refusal("401 Unauthorized"))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        match request.method.as_str() {
            "OPTIONS" => {
                let answer = with_version(Answer::new("204 No Content")).with("Tus-Version", "1.0.0,0.2.2");
                let answer = if self.checksums.is_empty() {
                    answer.with("Tus-Extension", "creation,expiration,termination")
                } else {
                    let answer = answer.with("Tus-Extension", "creation,expiration,termination,checksum");
                    answer.with("Tus-Checksum-Algorithm", self.checksums)
                };
                match self.max_size {
                    Some(most) => answer.with("Tus-Max-Size", most),
                    None => answer,
                }
            }
            "POST" => self.create(request),
            "HEAD" => self.ask(request),
            "PATCH" => self.append(request),
            "DELETE" => match self.uploads.remove(request.target()) {
                Some(_) => refusal("204 No Content"),
                None => refusal("404 Not Found"),
            },
            _ => refusal("405 Method Not Allowed"),
        }
    }

    fn cut(&mut self, request: &Request) {
        // "The Server SHOULD always attempt to store as much of the received data as possible."
        // What carried a checksum cannot be compared any more.
        if request.method == "PATCH" && self.refuses(request).is_none() && self.checksums.is_empty() {
            self.append(request);
        }
    }

    fn objects(&self) -> Vec<Object> {
        let complete = self.uploads.values().filter(|upload| upload.bytes.len() as u64 == upload.length);
        let here = complete.map(|upload| Object { name: upload.name.clone(), bytes: upload.bytes.clone() });
        here.chain(self.taken_away.iter().cloned()).collect()
    }

    fn leftovers(&self) -> usize {
        self.uploads.values().filter(|upload| upload.known && upload.bytes.len() as u64 != upload.length).count()
    }
}

pub(crate) struct Tus;

impl Peer for Tus {
    type Server = TusServer;
    const CONNECTOR: Connector = Connector::Tus;
    const EVIDENCE: Evidence = Evidence::Sized;
    // By offset: a request ends where the offset is written down.
    const RESENT_MAX: u64 = 4 * MIB;
    const KEEPS_WHAT_CAME: bool = true;
    const SHOWS_AGAIN: Evidence = Evidence::Accepted;
    // There is no way to ask for anything but an upload whose URL is known.
    const KNOWS_CONTENT: bool = false;

    fn server() -> TusServer {
        TusServer::default()
    }

    fn account(origin: &str) -> Account {
        Account { secret: Some(SECRET.to_owned()), ..Account::at(format!("{origin}/files/").parse().unwrap()) }
    }
}

/// A server that compares the checksum of each request.
pub(crate) struct TusChecked;

impl Peer for TusChecked {
    type Server = TusServer;
    const CONNECTOR: Connector = Connector::Tus;
    const EVIDENCE: Evidence = Evidence::Sized;
    // A request that was cut has no checksum, so it is as short as the connector makes it here.
    const RESENT_MAX: u64 = MIB;
    const SHOWS_AGAIN: Evidence = Evidence::Accepted;
    const KNOWS_CONTENT: bool = false;

    fn server() -> TusServer {
        TusServer { checksums: "md5,sha1,sha256", ..TusServer::default() }
    }

    fn account(origin: &str) -> Account {
        Tus::account(origin)
    }
}

conformance!(tus, Tus);
conformance!(tus_with_checksums, TusChecked);

#[tokio::test]
async fn damage_on_the_way_is_found_where_checksums_are_offered() {
    for checksums in ["md5,sha1,sha256", "md5,sha1"] {
        for bytes in [20_000, 11 * MIB] {
            let bench = Bench::<TusChecked>::new().await;
            bench.server.with(|server| (server.checksums, server.damages) = (checksums, 1));
            let order = bench.file("IMG_0001.jpg", bytes);
            assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)), "{checksums}");
            let truth = bench.stored_once(&order, checksums);
            assert!(truth.content_bytes <= bytes + MIB, "{} bytes of content for {bytes}", truth.content_bytes);
        }
    }
}

#[tokio::test]
async fn a_server_without_an_algorithm_that_is_known_is_sent_no_checksums() {
    let bench = Bench::<TusChecked>::new().await;
    bench.server.with(|server| server.checksums = "md5");
    let order = bench.file("IMG_0001.jpg", 3000);
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    let truth = bench.stored_once(&order, "md5");
    assert!(truth.requests.iter().all(|request| request.header("upload-checksum").is_none()));
}

#[tokio::test]
async fn name_kind_digest_and_key_are_in_the_metadata() {
    let bench = Bench::<Tus>::new().await;
    let order = bench.file("Grüße, Köln.jpg", 3000);
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    let metadata = bench.server.with(|server| server.uploads.values().next().unwrap().metadata.clone());
    assert_eq!((metadata["filename"].as_str(), metadata["filetype"].as_str()), ("Grüße, Köln.jpg", "image/jpeg"));
    assert_eq!(metadata["sha256"], order.sha256);
    assert_eq!(metadata["idempotency_key"].len(), 32);
}

#[tokio::test]
async fn an_expired_session_is_begun_anew() {
    for status in ["404 Not Found", "410 Gone", "403 Forbidden"] {
        let bench = Bench::<Tus>::new().await;
        let order = bench.file("IMG_0001.jpg", 21 * MIB);
        bench.server.fail(4, Fault::Answer(Answer::new("503 Service Unavailable").with("Retry-After", 1)));
        bench.failed(&order, FailureCode::Throttled, "busy").await;
        bench.server.with(|server| server.uploads.clear());
        bench.server.fail(0, Fault::Answer(Answer::new(status)));
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)), "{status}");
        bench.stored_once(&order, status);
    }
}

#[tokio::test]
async fn the_age_of_a_session_is_kept() {
    let bench = Bench::<Tus>::new().await;
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    bench.server.with(|server| server.expires = Some("Fri, 31 Dec 9999 23:59:59 GMT"));
    bench.server.fail(3, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
    let session = bench.memory.session.lock().unwrap().clone().unwrap();
    assert!(session.max_age_s.is_some_and(|seconds| seconds > 1_000_000));
    bench.server.with(|server| server.expires = Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
}

#[tokio::test]
async fn a_server_that_takes_the_file_away_at_once_has_it() {
    for bytes in [20_000, 21 * MIB] {
        let bench = Bench::<Tus>::new().await;
        bench.server.with(|server| server.takes_away = true);
        let order = bench.file("IMG_0001.jpg", bytes);
        match bench.attempt(&order).await {
            Outcome::Delivered(delivered) => assert_eq!(delivered.evidence, Evidence::Sized),
            other => panic!("{other:?}"),
        }
        bench.stored_once(&order, "taken away");
    }
}

#[tokio::test]
async fn what_is_larger_than_the_server_takes_is_said() {
    let bench = Bench::<Tus>::new().await;
    bench.server.with(|server| server.max_size = Some(MIB));
    let failure = bench.failed(&bench.file("IMG_0001.jpg", 2 * MIB), FailureCode::PayloadTooLarge, "too large").await;
    assert_eq!(failure.class, FailureClass::Permanent);
    assert_eq!(bench.server.truth().content_bytes, 0);
}

#[tokio::test]
async fn a_way_that_takes_less_is_used_in_smaller_requests() {
    let bench = Bench::<Tus>::new().await;
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    bench.server.fail(2, Fault::Answer(Answer::new("413 Request Entity Too Large")));
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    let truth = bench.stored_once(&order, "in smaller requests");
    let largest = truth.requests.iter().skip(3).filter_map(|request| request.header("content-length")?.parse::<u64>().ok()).max();
    assert!(largest.is_some_and(|bytes| bytes <= 2 * MIB), "{largest:?}");
}

#[tokio::test]
async fn what_another_request_or_damage_holds_up_goes_on() {
    for status in ["423 Locked", "409 Conflict", "460 Checksum Mismatch"] {
        let bench = Bench::<Tus>::new().await;
        let order = bench.file("IMG_0001.jpg", 21 * MIB);
        bench.server.fail(3, Fault::Answer(Answer::new(status)));
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)), "{status}");
        bench.stored_once(&order, status);
    }
}

#[tokio::test]
async fn a_server_of_another_version_is_named() {
    let bench = Bench::<Tus>::new().await;
    bench.server.always(Some(Fault::Answer(Answer::new("412 Precondition Failed").with("Tus-Version", "2.0.0"))));
    let failure = bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::ProtocolUnsupported, "another version").await;
    assert!(failure.class == FailureClass::NeedsUser && failure.message.contains("tus 1.0.0"), "{}", failure.message);
}
