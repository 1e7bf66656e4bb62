//! A WebDAV server by RFC 4918, of the kind that writes straight to the place that is named: what came before a line broke stays and is
//! seen.

use std::collections::{BTreeMap, BTreeSet};

use afterglow_model::{Connector, DestinationConfig, Evidence, FailureClass, FailureCode};
use afterglow_tests::model_server::{Answer, Fault, Object, Protocol, Request};
use afterglow_transfer::{Account, Order, Outcome};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    every::{Bench, Peer, conformance},
    rig::MIB,
};

const USER: &str = "anna";
const SECRET: &str = "canary-password";
const ROOT: &str = "/dav/photos";

/// The server. Paths are as they come, encoded.
#[derive(Debug)]
pub(crate) struct WebdavServer {
    folders: BTreeSet<String>,
    files: BTreeMap<String, File>,
    /// The server sits behind a proxy that ends TLS, and takes an absolute `Destination` for another server's.
    is_behind_proxy: bool,
    /// Forbids to make a folder that is there, as mod_dav does to all but the first of several at once.
    forbids_twice: bool,
    /// Whether an occupied place is refused as a lock.
    locked: bool,
    /// What is stored is not what came.
    damages: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    bytes: Vec<u8>,
    modified: Option<String>,
}

fn parent(path: &str) -> &str {
    path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// One resource of a multistatus answer (section 14.24).
fn described(path: &str, file: Option<&File>) -> String {
    let properties = match file {
        Some(file) => format!("<D:getcontentlength>{}</D:getcontentlength><D:resourcetype/>", file.bytes.len()),
        None => "<D:resourcetype><D:collection/></D:resourcetype>".to_owned(),
    };
    let path = path.replace('&', "&amp;");
    format!(
        "<D:response><D:href>{path}</D:href><D:propstat><D:prop>{properties}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

impl WebdavServer {
    fn is_folder(&self, path: &str) -> bool {
        self.folders.contains(path.trim_end_matches('/'))
    }

    fn put(&mut self, request: &Request) -> Answer {
        let path = request.target();
        if self.is_folder(path) || path.ends_with('/') {
            return Answer::new(if self.forbids_twice { "403 Forbidden" } else { "405 Method Not Allowed" });
        }
        if !self.is_folder(parent(path)) {
            return Answer::new("409 Conflict");
        }
        let modified = request.header("x-oc-mtime").map(str::to_owned);
        if modified.as_ref().is_some_and(|seconds| seconds.is_empty() || !seconds.bytes().all(|byte| byte.is_ascii_digit())) {
            return Answer::new("400 Bad Request");
        }
        let mut bytes = request.body.clone();
        if self.damages
            && let Some(byte) = bytes.last_mut()
        {
            *byte = !*byte;
        }
        match self.files.insert(path.to_owned(), File { bytes, modified }) {
            None => Answer::new("201 Created"),
            Some(_) => Answer::new("204 No Content"),
        }
    }

    fn make(&mut self, request: &Request) -> Answer {
        let path = request.target().trim_end_matches('/').to_owned();
        if !request.body.is_empty() {
            return Answer::new("415 Unsupported Media Type");
        }
        if self.is_folder(&path) || self.files.contains_key(&path) {
            return Answer::new(if self.forbids_twice { "403 Forbidden" } else { "405 Method Not Allowed" });
        }
        if !self.is_folder(parent(&path)) {
            return Answer::new("409 Conflict");
        }
        self.folders.insert(path);
        Answer::new("201 Created")
    }

    fn look(&self, request: &Request) -> Answer {
        let asked = String::from_utf8_lossy(&request.body).into_owned();
        if !asked.contains("propfind xmlns=\"DAV:\"") || !asked.contains("<getcontentlength/>") {
            return Answer::new("400 Bad Request");
        }
        let (path, depth) = (request.target(), request.header("depth"));
        let mut found = Vec::new();
        match (self.files.get(path), depth) {
            // Without it, everything beneath would be meant, which this server does not do.
            (_, None | Some("infinity")) => return Answer::new("403 Forbidden"),
            (Some(file), _) => found.push(described(path, Some(file))),
            (None, Some(depth)) if self.is_folder(path) => {
                found.push(described(path, None));
                if depth == "1" {
                    let here = self.files.iter().filter(|(file, _)| parent(file) == path.trim_end_matches('/'));
                    found.extend(here.map(|(path, file)| described(path, Some(file))));
                }
            }
            (None, Some(_)) => return Answer::new("404 Not Found"),
        }
        let body = format!("<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">{}</D:multistatus>", found.concat());
        Answer::new("207 Multi-Status").body("application/xml; charset=\"utf-8\"", body)
    }

    fn rename(&mut self, request: &Request) -> Answer {
        let Some(destination) = request.header("destination") else { return Answer::new("400 Bad Request") };
        let here = format!("http://{}", request.header("host").unwrap_or_default());
        let path = match destination.strip_prefix(&here) {
            Some(_) if self.is_behind_proxy => return Answer::new("502 Bad Gateway"),
            Some(path) => path.to_owned(),
            None if destination.starts_with('/') => destination.to_owned(),
            None => return Answer::new("502 Bad Gateway"),
        };
        if !self.files.contains_key(request.target()) {
            return Answer::new("404 Not Found");
        }
        if self.locked {
            return Answer::new("423 Locked");
        }
        if !self.is_folder(parent(&path)) {
            return Answer::new("409 Conflict");
        }
        let is_there = self.files.contains_key(&path) || self.is_folder(&path);
        if is_there && request.header("overwrite") == Some("F") {
            return Answer::new("412 Precondition Failed");
        }
        if let Some(file) = self.files.remove(request.target()) {
            self.files.insert(path, file);
        }
        Answer::new(if is_there { "204 No Content" } else { "201 Created" })
    }
}

impl Default for WebdavServer {
    fn default() -> Self {
        let folders = ["/dav", ROOT, "/dav/photos/phone", "/dav/photos/phone/2023"].map(str::to_owned).into();
        Self { folders, files: BTreeMap::new(), is_behind_proxy: false, forbids_twice: false, locked: false, damages: false }
    }
}

impl Protocol for WebdavServer {
    fn refuses(&self, head: &Request) -> Option<Answer> {
        let wanted = format!("Basic {}", STANDARD.encode(format!("{USER}:{SECRET}")));
        if head.header("authorization") != Some(&wanted) {
            return Some(Answer::new("401 Unauthorized").with("WWW-Authenticate", "Basic realm=\"photos\""));
        }
        (!head.target().starts_with(ROOT)).then(|| Answer::new("404 Not Found"))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        match request.method.as_str() {
            "PROPFIND" => self.look(request),
            "MKCOL" => self.make(request),
            "PUT" => self.put(request),
            "MOVE" => self.rename(request),
            "GET" => match self.files.get(request.target()) {
                Some(file) => Answer::new("200 OK").body("image/jpeg", file.bytes.clone()),
                None => Answer::new("404 Not Found"),
            },
            "DELETE" => match self.files.remove(request.target()) {
                Some(_) => Answer::new("204 No Content"),
                None => Answer::new("404 Not Found"),
            },
            _ => Answer::new("405 Method Not Allowed"),
        }
    }

    fn cut(&mut self, request: &Request) {
        if request.method == "PUT" && self.refuses(request).is_none() {
            self.put(request);
        }
    }

    fn objects(&self) -> Vec<Object> {
        let seen = self.files.iter().filter(|(path, _)| !path.rsplit('/').next().unwrap_or_default().starts_with('.'));
        seen.map(|(path, file)| Object { name: path.clone(), bytes: file.bytes.clone() }).collect()
    }

    fn leftovers(&self) -> usize {
        self.files.len() - self.objects().len()
    }
}

pub(crate) struct Webdav;

impl Peer for Webdav {
    type Server = WebdavServer;
    const CONNECTOR: Connector = Connector::Webdav;
    const EVIDENCE: Evidence = Evidence::Sized;

    fn server() -> WebdavServer {
        WebdavServer::default()
    }

    fn account(origin: &str) -> Account {
        let config = DestinationConfig { user: Some(USER.to_owned()), folder: Some("phone".to_owned()), ..Default::default() };
        Account { secret: Some(SECRET.to_owned()), config, ..Account::at(format!("{origin}{ROOT}/").parse().unwrap()) }
    }
}

conformance!(webdav, Webdav);

/// The same, where each delivery is read back.
pub(crate) struct ReadBack;

impl Peer for ReadBack {
    type Server = WebdavServer;
    const CONNECTOR: Connector = Connector::Webdav;
    const EVIDENCE: Evidence = Evidence::ReadBack;

    fn server() -> WebdavServer {
        WebdavServer::default()
    }

    fn account(origin: &str) -> Account {
        let account = Webdav::account(origin);
        Account { config: DestinationConfig { read_back: true, ..account.config.clone() }, ..account }
    }
}

mod read_back {
    use super::ReadBack;
    crate::every::cases! { ReadBack;
        files_of_every_size_arrive_once
        after_a_crash_at_any_request_it_goes_on
        the_same_twice_is_one_object
        the_test_of_a_destination_leaves_nothing
    }
}

const PLACE: &str = "/dav/photos/phone/2023/11/IMG_0001.jpg";

/// Somebody else's file of that name and size.
fn foreign(bytes: usize) -> File {
    File { bytes: vec![7; bytes], modified: None }
}

#[tokio::test]
async fn a_photo_lies_in_the_folder_of_its_month_with_its_date() {
    for bytes in [3000, 2 * MIB] {
        let bench = Bench::<Webdav>::new().await;
        bench.server.with(|server| server.folders = ["/dav", ROOT].map(str::to_owned).into());
        let order = bench.file("IMG_0001.jpg", bytes);
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
        let file = bench.server.with(|server| server.files[PLACE].clone());
        assert_eq!((file.bytes.len() as u64, file.modified.as_deref()), (bytes, Some("1700000000")));
        let undated = Order { created_ms: None, job_id: "undated".into(), ..bench.file("IMG_0002.jpg", bytes) };
        *bench.memory.session.lock().unwrap() = None;
        assert!(matches!(bench.attempt(&undated).await, Outcome::Delivered(_)));
        let path = "/dav/photos/phone/undated/IMG_0002.jpg";
        assert_eq!(bench.server.with(|server| server.files[path].modified.clone()), None);
    }
}

#[tokio::test]
async fn a_file_of_that_name_and_size_is_kept_and_not_taken_for_ours() {
    for bytes in [3000, 2 * MIB] {
        let bench = Bench::<Webdav>::new().await;
        let order = bench.file("IMG_0001.jpg", bytes);
        let theirs = foreign(usize::try_from(bytes).unwrap());
        bench.server.with(|server| {
            server
                .folders
                .extend(["", "/afterglow", "/afterglow/2023", "/afterglow/2023/11"].map(|path| format!("{ROOT}/from{path}")));
            server.files.insert(PLACE.to_owned(), theirs.clone());
        });
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
        let files = bench.server.with(|server| server.files.clone());
        let ours = format!("/dav/photos/phone/2023/11/IMG_0001%20({}).jpg", &order.sha256[..8]);
        assert_eq!((files.len(), &files[PLACE], files[&ours].bytes.len() as u64), (2, &theirs, bytes));
    }
}

#[tokio::test]
async fn a_name_that_was_taken_meanwhile_costs_no_byte_twice() {
    let bench = Bench::<Webdav>::new().await;
    let order = bench.file("IMG_0001.jpg", 2 * MIB);
    let length = usize::try_from(2 * MIB).unwrap();
    // Once the part is there, and before it is renamed.
    let taken = async {
        bench.server.content_reaches(2 * MIB).await;
        bench.server.with(|server| server.files.insert(PLACE.to_owned(), foreign(length)));
    };
    let (outcome, ()) = tokio::join!(bench.attempt(&order), taken);
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    let truth = bench.server.truth();
    assert_eq!((truth.objects.len(), truth.leftovers), (2, 0));
    assert!(truth.content_bytes < 2 * MIB + 64 * 1024, "{} bytes", truth.content_bytes);
}

#[tokio::test]
async fn a_part_that_is_gone_is_no_delivery_because_of_another_file_of_that_size() {
    let bench = Bench::<Webdav>::new().await;
    let order = bench.file("IMG_0001.jpg", 2 * MIB);
    bench.server.fail(3, Fault::Answer(Answer::new("401 Unauthorized")));
    bench.failed(&order, FailureCode::AuthenticationRequired, "in mid-session").await;
    assert!(bench.memory.session.lock().unwrap().is_some());
    bench.server.with(|server| {
        server.files.clear();
        server.files.insert(PLACE.to_owned(), foreign(usize::try_from(2 * MIB).unwrap()));
    });
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    assert_eq!(bench.server.truth().objects.len(), 2);
}

#[tokio::test]
async fn a_proxy_that_ends_tls_is_no_hindrance() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.with(|server| server.is_behind_proxy = true);
    let order = bench.file("IMG_0001.jpg", 3000);
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    bench.stored_once(&order, "behind a proxy");
}

#[tokio::test]
async fn a_folder_that_another_upload_made_first_is_taken() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.with(|server| server.forbids_twice = true);
    for name in ["IMG_0001.jpg", "IMG_0002.jpg"] {
        let order = bench.file(name, 2 * MIB);
        *bench.memory.session.lock().unwrap() = None;
        assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)), "{name}");
    }
    assert_eq!(bench.server.truth().objects.len(), 2);
}

#[tokio::test]
async fn a_locked_file_waits() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.with(|server| server.locked = true);
    let order = bench.file("IMG_0001.jpg", 2 * MIB);
    let failure = bench.failed(&order, FailureCode::ServerError, "locked").await;
    assert_eq!(failure.class, FailureClass::Transient);
    bench.server.with(|server| server.locked = false);
    assert!(matches!(bench.attempt(&order).await, Outcome::Delivered(_)));
    let truth = bench.stored_once(&order, "unlocked");
    assert!(truth.content_bytes < 2 * MIB + 64 * 1024, "{} bytes", truth.content_bytes);
}

#[tokio::test]
async fn what_is_read_back_must_be_what_was_sent() {
    let bench = Bench::<ReadBack>::new().await;
    bench.server.with(|server| server.damages = true);
    let failure = bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::DigestMismatch, "damaged").await;
    assert_eq!(failure.class, FailureClass::NeedsUser);
}

#[tokio::test]
async fn what_is_no_folder_of_a_webdav_server_is_said() {
    let bench = Bench::<Webdav>::new().await;
    bench.server.always(Some(Fault::Answer(Answer::new("405 Method Not Allowed"))));
    let failure = bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::ProtocolUnsupported, "no WebDAV").await;
    assert!(failure.class == FailureClass::NeedsUser && failure.message.contains("WebDAV"), "{}", failure.message);
    bench.server.always(None);
    bench.server.with(|server| server.folders.clear());
    bench.failed(&bench.file("IMG_0001.jpg", 3000), FailureCode::ProtocolUnsupported, "no such folder").await;
}
