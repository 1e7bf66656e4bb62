//! A server of resumable uploads (draft-ietf-httpbis-resumable-upload) that knows one version and no other.
//!
//! Those of earlier drafts (interop versions 3 to 7) do not say at `OPTIONS` that they take uploads. The one of version 8 says so, with its
//! limits, asks for digests (RFC 9530), compares them, and knows a repeated creation by its `Idempotency-Key`.

use std::collections::BTreeMap;

use afterglow_model::{Connector, Evidence, FailureCode};
use afterglow_tests::model_server::{Answer, Object, Protocol, Request};
use afterglow_transfer::{Account, Outcome};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{
    every::{Bench, Peer, conformance},
    rig::MIB,
};

const SECRET: &str = "canary-token";

/// The largest request that version 8 takes, so that a larger file needs several.
const APPEND_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Clone, Default)]
struct Upload {
    name: String,
    bytes: Vec<u8>,
    complete: bool,
    /// What its creation said of it, as far as version 8 looks at it.
    creation: Creation,
    /// Somebody has asked for it since its creation. What nobody ever asks for expires while it is empty.
    known: bool,
}

#[derive(Debug, Clone, Default)]
struct Creation {
    key: Option<String>,
    length: Option<usize>,
    digest: Option<String>,
    wants_digest: bool,
}

impl Creation {
    fn of(request: &Request) -> Self {
        let text = |name| request.header(name).map(str::to_owned);
        Self {
            key: text("idempotency-key"),
            length: request.header("upload-length").and_then(|length| length.parse().ok()),
            digest: text("repr-digest"),
            wants_digest: request.header("want-repr-digest").is_some(),
        }
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct DraftServer {
    speaks: u8,
    uploads: BTreeMap<String, Upload>,
    begun: usize,
}

impl DraftServer {
    fn new(speaks: u8) -> Self {
        Self { speaks, uploads: BTreeMap::new(), begun: 0 }
    }

    fn says(&self, answer: Answer, upload: &Upload) -> Answer {
        let flag = |yes| if yes { "?1" } else { "?0" };
        let answer = answer.with("Upload-Offset", upload.bytes.len());
        let answer = match self.speaks {
            ..=3 => answer.with("Upload-Incomplete", flag(!upload.complete)),
            _ => answer.with("Upload-Complete", flag(upload.complete)),
        };
        if self.speaks < 8 {
            return answer;
        }
        let answer = answer.with("Upload-Limit", limits()).with("Upload-Length", upload.creation.length.unwrap_or_default());
        // Whoever wants no digest is told none (RFC 9530, section 4), and of half a file there is none to tell.
        if upload.complete && upload.creation.wants_digest { answer.with("Repr-Digest", digest(&upload.bytes)) } else { answer }
    }

    /// The upload that an earlier request with this key has made.
    fn made_before(&self, key: Option<&String>) -> Option<(&String, &Upload)> {
        self.uploads.iter().find(|(_, upload)| key.is_some() && upload.creation.key.as_ref() == key)
    }

    /// Why content does not complete what was announced (version 8): its length is another, or its digest.
    fn unfit(&self, upload: &Upload) -> Option<Answer> {
        let Creation { length, digest: announced, .. } = &upload.creation;
        let held = upload.bytes.len();
        if self.speaks < 8 {
            None
        } else if length.is_none_or(|length| held > length || (upload.complete && held != length)) {
            Some(problem("inconsistent-upload-length"))
        } else {
            let differs = upload.complete && announced.as_ref().is_some_and(|announced| *announced != digest(&upload.bytes));
            differs.then(|| problem("digest-mismatching-values").with("Upload-Complete", "?1"))
        }
    }

    /// Whether the request carries the last of the content; none if it does not say so in this version.
    fn completes(&self, request: &Request) -> Option<bool> {
        let (own, other, yes) = match self.speaks {
            ..=3 => ("upload-incomplete", "upload-complete", "?0"),
            _ => ("upload-complete", "upload-incomplete", "?1"),
        };
        let flag = request.header(own).filter(|flag| matches!(*flag, "?0" | "?1"))?;
        request.header(other).is_none().then_some(flag == yes)
    }

    fn create(&mut self, request: &Request) -> Answer {
        let (Some(complete), true) = (self.completes(request), request.target() == "/files/") else {
            return Answer::new("400 Bad Request");
        };
        let creation = if self.speaks < 8 { Creation::default() } else { Creation::of(request) };
        if let Some((path, upload)) = self.made_before(creation.key.as_ref()) {
            return self.says(Answer::new("201 Created").with("Location", path), upload);
        }
        self.begun += 1;
        let path = format!("/files/{}", self.begun);
        let name = request.header("content-disposition").unwrap_or_default().to_owned();
        let upload = Upload { name, bytes: request.body.clone(), complete, creation, known: false };
        if let Some(refusal) = self.unfit(&upload) {
            return refusal;
        }
        let answer = self.says(Answer::new("201 Created").with("Location", &path), &upload);
        self.uploads.insert(path, upload);
        answer
    }

    fn append(&mut self, request: &Request) -> Answer {
        let Some(complete) = self.completes(request) else { return Answer::new("400 Bad Request") };
        if self.speaks >= 6 && request.header("content-type") != Some("application/partial-upload") {
            return Answer::new("415 Unsupported Media Type");
        }
        let offset = request.header("upload-offset").and_then(|offset| offset.parse().ok());
        let Some(mut upload) = self.uploads.get(request.target()).cloned() else { return Answer::new("404 Not Found") };
        if upload.complete && self.speaks >= 8 {
            return problem("completed-upload");
        }
        if upload.complete || offset != Some(upload.bytes.len()) {
            return self.says(Answer::new("409 Conflict"), &upload);
        }
        upload.bytes.extend_from_slice(&request.body);
        (upload.complete, upload.known) = (complete, true);
        if let Some(refusal) = self.unfit(&upload) {
            // Nothing that could be sent after it would mend it.
            self.uploads.remove(request.target());
            return refusal;
        }
        let answer = self.says(Answer::new("201 Created"), &upload);
        self.uploads.insert(request.target().to_owned(), upload);
        answer
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

fn problem(kind: &str) -> Answer {
    let body = format!("{{\"type\":\"https://iana.org/assignments/http-problem-types#{kind}\"}}");
    Answer::new("400 Bad Request").body("application/problem+json", body)
}

fn limits() -> String {
    format!("min-size=0, max-append-size={APPEND_BYTES_MAX}")
}

impl Protocol for DraftServer {
    fn refuses(&self, head: &Request) -> Option<Answer> {
        if head.header("authorization") != Some(&format!("Bearer {SECRET}")) {
            return Some(Answer::new("401 Unauthorized"));
        }
        // To a server of another version it is a request like any other, which means nothing here.
        let is_known = head.header("upload-draft-interop-version") == Some(&self.speaks.to_string());
        if !is_known && head.method != "OPTIONS" {
            return Some(Answer::new("400 Bad Request"));
        }
        let length = head.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let too_large = self.speaks >= 8 && length > APPEND_BYTES_MAX;
        too_large.then(|| Answer::new("413 Content Too Large").with("Upload-Limit", limits()))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        match request.method.as_str() {
            "OPTIONS" if self.speaks >= 8 => Answer::new("204 No Content")
                .with("Accept-Patch", "application/partial-upload")
                .with("Upload-Limit", limits())
                .with("Want-Repr-Digest", "sha-256=10"),
            "OPTIONS" => Answer::new("204 No Content").with("Allow", "POST"),
            "POST" => self.create(request),
            "HEAD" => match self.uploads.get_mut(request.target()) {
                Some(upload) => {
                    upload.known = true;
                    let upload = upload.clone();
                    self.says(Answer::new("204 No Content").with("Cache-Control", "no-store"), &upload)
                }
                None => Answer::new("404 Not Found"),
            },
            "PATCH" => self.append(request),
            "DELETE" => match self.uploads.remove(request.target()) {
                Some(_) => Answer::new("204 No Content"),
                None => Answer::new("404 Not Found"),
            },
            _ => Answer::new("405 Method Not Allowed"),
        }
    }

    fn cut(&mut self, request: &Request) {
        if request.method == "PATCH" && self.refuses(request).is_none() {
            let mut request = request.clone();
            let incomplete = if self.speaks <= 3 { ("upload-incomplete", "?1") } else { ("upload-complete", "?0") };
            request.headers.insert(incomplete.0.to_owned(), incomplete.1.to_owned());
            self.append(&request);
        }
    }

    fn objects(&self) -> Vec<Object> {
        let complete = self.uploads.values().filter(|upload| upload.complete);
        complete.map(|upload| Object { name: upload.name.clone(), bytes: upload.bytes.clone() }).collect()
    }

    fn leftovers(&self) -> usize {
        // A creation whose answer was lost is found again by its key.
        self.uploads.values().filter(|upload| (upload.known || self.speaks >= 8) && !upload.complete).count()
    }
}

/// A server of one of the earlier versions.
pub(crate) struct Draft<const VERSION: u8>;

impl<const VERSION: u8> Peer for Draft<VERSION> {
    type Server = DraftServer;
    const CONNECTOR: Connector = Connector::Resumable;
    const EVIDENCE: Evidence = Evidence::Sized;
    // By offset: a request ends where the offset is written down.
    const RESENT_MAX: u64 = 4 * MIB;
    const KEEPS_WHAT_CAME: bool = true;
    // Idempotency keys are of no earlier draft.
    const KNOWS_CONTENT: bool = false;

    fn server() -> DraftServer {
        DraftServer::new(VERSION)
    }

    fn account(origin: &str) -> Account {
        Account { secret: Some(SECRET.to_owned()), ..Account::at(format!("{origin}/files/").parse().unwrap()) }
    }
}

/// A server of the newest version.
pub(crate) struct Newest;

impl Peer for Newest {
    type Server = DraftServer;
    const CONNECTOR: Connector = Connector::Resumable;
    const EVIDENCE: Evidence = Evidence::Hashed;
    // By offset, in requests of the size that the server names.
    const RESENT_MAX: u64 = APPEND_BYTES_MAX as u64;
    const KEEPS_WHAT_CAME: bool = true;
    const LARGE: u64 = 3 * MIB + 13;

    fn server() -> DraftServer {
        DraftServer::new(8)
    }

    fn account(origin: &str) -> Account {
        Draft::<8>::account(origin)
    }
}

conformance!(draft_3, Draft<3>);
conformance!(draft_8, Newest);

/// What differs from the versions before is in the fields of every request, and in none of the faults.
mod draft_6 {
    use super::*;
    crate::every::cases! { Draft<6>;
        files_of_every_size_arrive_once
        after_a_crash_at_any_request_it_goes_on
        a_file_that_changes_is_never_a_mixture
        the_test_of_a_destination_leaves_nothing
        what_was_delivered_can_be_asked_for_again
    }
}

#[tokio::test]
async fn every_earlier_version_is_found_and_spoken_from_then_on() {
    async fn arrives<const VERSION: u8>() {
        let bench = Bench::<Draft<VERSION>>::new().await;
        for (name, bytes) in [("IMG_0001.jpg", 20_000), ("IMG_0002.jpg", 11 * MIB)] {
            let order = bench.file(name, bytes);
            assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)), "version {VERSION}");
            bench.memory.session.lock().unwrap().take();
        }
        let truth = bench.server.truth();
        assert_eq!((truth.objects.len(), truth.leftovers), (2, 0), "version {VERSION}");
        let spoken = truth.requests.iter().rev().map(|request| request.header("upload-draft-interop-version"));
        let asked = spoken.skip_while(|version| *version == Some(&VERSION.to_string())).count();
        assert!(asked <= 7, "version {VERSION}: {asked} requests to find it");
    }
    arrives::<3>().await;
    arrives::<4>().await;
    arrives::<5>().await;
    arrives::<6>().await;
    arrives::<7>().await;
}

#[tokio::test]
async fn a_server_that_speaks_no_version_is_named() {
    let bench = Bench::<Draft<2>>::new().await;
    bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::ProtocolUnsupported, "no version").await;
}
