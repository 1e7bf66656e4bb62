//! A receiver in a folder of its own, and a sender that speaks to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use afterglow_receiver::{Listen, Receiver, ReceiverOptions, SenderToken, start};
use base64::Engine as _;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The token of the sender `anna`.
pub(crate) const ANNA: &str = "annas-secret";
/// The token of the sender `ben`.
pub(crate) const BEN: &str = "bens-secret";
/// 2026-03-05, as `Last-Modified`.
pub(crate) const TAKEN: &str = "Thu, 05 Mar 2026 10:00:00 GMT";

pub(crate) fn options(dir: &Path) -> ReceiverOptions {
    let token = |name: &str, token: &str| SenderToken { name: name.to_owned(), token: token.to_owned() };
    ReceiverOptions::new(dir.to_owned(), Listen::Tcp(([127, 0, 0, 1], 0).into()), vec![token("anna", ANNA), token("ben", BEN)])
}

/// A folder and the receiver in it.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) receiver: Receiver,
    client: reqwest::Client,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ReceiverOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(dir.path());
        change(&mut options);
        let receiver = start(options).await.unwrap();
        // Which certificate is believed is a sender's to say.
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
        Self { dir, receiver, client }
    }

    /// Ends the receiver as a crash would, and starts another in the same folder.
    pub(crate) async fn restart(self) -> Self {
        let Self { dir, receiver, client } = self;
        drop(receiver);
        let receiver = start(options(dir.path())).await.unwrap();
        Self { dir, receiver, client }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let url = self.receiver.url().replace("/files", path);
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(ANNA)
    }

    /// A creation of a whole file called `name`.
    pub(crate) fn whole(&self, name: &str, content: &[u8]) -> RequestBuilder {
        self.request("POST", "/files")
            .header("Upload-Complete", "?1")
            .header("Upload-Draft-Interop-Version", "8")
            .header("Repr-Digest", repr_digest(content))
            .header("Content-Disposition", format!("inline; filename*=UTF-8''{}", percent(name)))
            .header("Last-Modified", TAKEN)
            .body(content.to_vec())
    }

    /// Creates an upload carefully. Returns its URL path.
    pub(crate) async fn careful(&self, name: &str, content: &[u8]) -> String {
        let answer = self.whole(name, content).header("Upload-Length", content.len());
        let answer = replace(answer, "Upload-Complete", "?0").body("").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(header(answer.headers(), "upload-complete"), "?0");
        header(answer.headers(), "location")
    }

    pub(crate) fn append(&self, upload: &str, offset: usize, complete: &str, content: &[u8]) -> RequestBuilder {
        self.request("PATCH", upload)
            .header("Content-Type", "application/partial-upload")
            .header("Upload-Offset", offset)
            .header("Upload-Complete", complete)
            .body(content.to_vec())
    }

    pub(crate) async fn offset(&self, upload: &str) -> u64 {
        let answer = self.request("HEAD", upload).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        header(answer.headers(), "upload-offset").parse().unwrap()
    }

    /// The photos in the folder, with their contents, by path.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = vec![];
        collect(self.dir.path(), self.dir.path(), &mut found);
        found.sort();
        found
    }

    /// What lies in staging.
    pub(crate) fn staged(&self) -> Vec<PathBuf> {
        let folder = self.dir.path().join(".afterglow/uploads");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Asks until the upload's offset is as expected; each time anew, as a sender would.
    pub(crate) async fn await_staged(&self, bytes: u64) {
        let condition = || self.staged().iter().any(|path| path.metadata().is_ok_and(|meta| meta.len() >= bytes));
        until(condition).await;
    }

    /// A raw connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.receiver.address().to_string()).await.unwrap()
    }
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != ".afterglow" {
            collect(root, &path, found);
        } else if path.is_file() {
            found.push((path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
        }
    }
}

/// The request with one header set anew.
pub(crate) fn replace(request: RequestBuilder, name: &'static str, value: &str) -> RequestBuilder {
    request.headers(HeaderMap::from_iter([(name.to_ascii_lowercase().parse().unwrap(), value.parse().unwrap())]))
}

pub(crate) fn percent(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(crate) fn repr_digest(content: &[u8]) -> String {
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(content)))
}

pub(crate) fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).unwrap_or_else(|| panic!("no {name} in {headers:?}")).to_str().unwrap().to_owned()
}

/// Checks that the answer is a problem document of that status, and returns it.
pub(crate) async fn problem(answer: Response, status: u16) -> Value {
    assert_eq!(answer.status().as_u16(), status, "{answer:?}");
    assert_eq!(header(answer.headers(), "content-type"), "application/problem+json");
    let document: Value = answer.json().await.unwrap();
    assert_eq!(document["status"], status);
    for member in ["type", "title", "detail"] {
        assert!(document[member].as_str().is_some_and(|text| !text.is_empty()), "{document}");
    }
    document
}

/// Content that differs at every place.
pub(crate) fn content(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|n| (n.wrapping_mul(31) >> 3) as u8 ^ seed).collect()
}

/// Polls a condition for 20 s at most.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let polled = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polled).await.expect("the condition never came true");
}

/// Sends the head of an append of `announced` bytes and the bytes themselves as far as given.
pub(crate) async fn begin_append(stream: &mut TcpStream, upload: &str, offset: usize, announced: usize, bytes: &[u8]) {
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANNA}\r\nContent-Type: application/partial-upload\r\n\
         Upload-Offset: {offset}\r\nUpload-Complete: ?1\r\nContent-Length: {announced}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
}

/// Sends raw text and reads until the receiver closes the connection.
pub(crate) async fn exchange(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
