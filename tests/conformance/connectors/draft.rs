//! A server of an earlier draft of resumable uploads (draft-ietf-httpbis-resumable-upload, interop versions 3 to 7), which knows no other
//! version and does not say at `OPTIONS` that it takes uploads.

use std::collections::BTreeMap;

use afterglow_model::{Connector, Evidence, FailureCode};
use afterglow_tests::model_server::{Answer, Object, Protocol, Request};
use afterglow_transfer::{Account, Outcome};

use crate::{
    every::{Bench, Peer, conformance},
    rig::MIB,
};

const SECRET: &str = "canary-token";

#[derive(Debug, Clone, Default)]
struct Upload {
    name: String,
    bytes: Vec<u8>,
    complete: bool,
    /// Somebody has asked for it since its creation. What nobody ever asks for expires while it is empty.
    known: bool,
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
        match self.speaks {
            ..=3 => answer.with("Upload-Incomplete", flag(!upload.complete)),
            _ => answer.with("Upload-Complete", flag(upload.complete)),
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
        self.begun += 1;
        let path = format!("/files/{}", self.begun);
        let name = request.header("content-disposition").unwrap_or_default().to_owned();
        let upload = Upload { name, bytes: request.body.clone(), complete, known: false };
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
        if upload.complete || offset != Some(upload.bytes.len()) {
            return self.says(Answer::new("409 Conflict"), &upload);
        }
        upload.bytes.extend_from_slice(&request.body);
        (upload.complete, upload.known) = (complete, true);
        let answer = self.says(Answer::new("201 Created"), &upload);
        self.uploads.insert(request.target().to_owned(), upload);
        answer
    }
}

impl Protocol for DraftServer {
    fn refuses(&self, head: &Request) -> Option<Answer> {
        if head.header("authorization") != Some(&format!("Bearer {SECRET}")) {
            return Some(Answer::new("401 Unauthorized"));
        }
        // To a server of another version it is a request like any other, which means nothing here.
        let is_known = head.header("upload-draft-interop-version") == Some(&self.speaks.to_string());
        (!is_known && head.method != "OPTIONS").then(|| Answer::new("400 Bad Request"))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        match request.method.as_str() {
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
        self.uploads.values().filter(|upload| upload.known && !upload.complete).count()
    }
}

/// A server of one version.
pub(crate) struct Draft<const VERSION: u8>;

impl<const VERSION: u8> Peer for Draft<VERSION> {
    type Server = DraftServer;
    const CONNECTOR: Connector = Connector::Resumable;
    const EVIDENCE: Evidence = Evidence::Sized;
    // Idempotency keys are of no earlier draft.
    const KNOWS_CONTENT: bool = false;

    fn server() -> DraftServer {
        DraftServer::new(VERSION)
    }

    fn account(origin: &str) -> Account {
        Account { secret: Some(SECRET.to_owned()), ..Account::at(format!("{origin}/files/").parse().unwrap()) }
    }
}

conformance!(draft_3, Draft<3>);

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
