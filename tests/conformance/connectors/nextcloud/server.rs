//! A Nextcloud server by its developer manual ("Basic APIs", "Chunked file upload") and, where that is silent, by its own code
//! (`apps/dav/lib`): an account's files, and its uploads under way. It stands beneath a path, as many do.
//!
//! Clients encode paths as they like, so all of them are decoded as soon as they come.

use std::collections::{BTreeMap, BTreeSet};

use afterglow_tests::model_server::{Answer, Object, Protocol, Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

pub(crate) const USER: &str = "anna@example.org";
/// Another name by which the same account signs in. Paths know only [`USER`].
pub(crate) const LOGIN: &str = "anna";
pub(crate) const SECRET: &str = "canary-app-password";
pub(crate) const BASE: &str = "/cloud";
pub(crate) const FILES: &str = "/cloud/remote.php/dav/files/anna@example.org";
const UPLOADS: &str = "/cloud/remote.php/dav/uploads/anna@example.org";

/// "The size of chunks must be between 5MB and 5GB (except for the last chunk, which can be smaller)."
const PART_BYTES_MIN: usize = 5_000_000;

/// A stored file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) modified: Option<String>,
    /// What a client said; never looked at.
    pub(crate) checksum: Option<String>,
}

impl File {
    fn etag(&self) -> String {
        format!("\"{}\"", &hex(&self.bytes)[..32])
    }
}

/// An upload under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Upload {
    pub(crate) parts: BTreeMap<String, Vec<u8>>,
}

/// The server.
#[derive(Debug)]
pub(crate) struct NextcloudServer {
    pub(crate) folders: BTreeSet<String>,
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// Bytes that may still come.
    pub(crate) room: usize,
    /// Version 2 wants `Destination` with every request and numbers for names. Else any client of version 1 is served too.
    pub(crate) is_strict: bool,
    /// It answers `X-Hash` and `X-Recalculate-Hash`.
    pub(crate) hashes: bool,
    /// So many questions after a `MOVE` are answered with 423: parts are being put together.
    pub(crate) assembling: usize,
    /// What is stored is not what came.
    pub(crate) damages: bool,
    /// A proxy in front takes bodies up to this size.
    pub(crate) largest_body: usize,
    /// Passwords that were made for sign-ins in the browser. Each belongs to [`LOGIN`] and no other name (`Session::validateToken`).
    pub(crate) app_passwords: Vec<String>,
    /// Where it believes to be, as `overwrite.cli.url` says; none for where it was asked.
    pub(crate) overwritten: Option<&'static str>,
    /// Sign-ins under way, by the token that is asked with, and whether the person has said yes.
    pub(crate) logins: BTreeMap<String, bool>,
}

impl Default for NextcloudServer {
    fn default() -> Self {
        let folders = [FILES.to_owned(), format!("{FILES}/Photos"), format!("{FILES}/Photos/2023")];
        Self {
            folders: folders.into(),
            files: BTreeMap::new(),
            uploads: BTreeMap::new(),
            room: usize::MAX,
            is_strict: true,
            hashes: true,
            assembling: 0,
            damages: false,
            largest_body: usize::MAX,
            app_passwords: Vec::new(),
            overwritten: None,
            logins: BTreeMap::new(),
        }
    }
}

/// Where a request leads.
enum Place {
    /// A file or folder of the account: its path.
    File(String),
    /// The folder of an upload.
    Upload(String),
    /// Something in it.
    Part(String, String),
    Nowhere,
}

/// A path as the server's library writes it (`Sabre\HTTP\encodePath`).
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b'~').remove(b'(').remove(b')').remove(b'/');

fn place(path: &str) -> Place {
    let path = percent_decode_str(path.trim_end_matches('/')).decode_utf8_lossy().into_owned();
    let path = path.as_str();
    if path == FILES || path.starts_with(&format!("{FILES}/")) {
        return Place::File(path.to_owned());
    }
    match path.strip_prefix(&format!("{UPLOADS}/")).map(|rest| rest.split_once('/')) {
        Some(Some((upload, part))) if !part.contains('/') => Place::Part(upload.to_owned(), part.to_owned()),
        Some(None) => Place::Upload(path.strip_prefix(&format!("{UPLOADS}/")).unwrap_or_default().to_owned()),
        Some(Some(_)) | None => Place::Nowhere,
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn error(status: &str, exception: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\
         <s:exception>Sabre\\DAV\\Exception\\{exception}</s:exception></d:error>"
    );
    Answer::new(status).body("application/xml; charset=utf-8", body)
}

/// One resource of a multistatus answer, with what clients ask for.
fn described(path: &str, file: Option<&File>) -> String {
    let properties = match file {
        Some(file) => format!(
            "<d:getcontentlength>{}</d:getcontentlength><d:resourcetype/><d:getetag>&quot;{}&quot;</d:getetag>",
            file.bytes.len(),
            &hex(&file.bytes)[..32]
        ),
        None => "<d:resourcetype><d:collection/></d:resourcetype><d:getetag>&quot;folder&quot;</d:getetag>".to_owned(),
    };
    let (slash, kind) = if file.is_none() { ("/", "CK") } else { ("", "") };
    let seconds = file.and_then(|file| file.modified.as_deref()?.parse().ok()).unwrap_or(1_700_000_000);
    let modified = httpdate_of(seconds);
    let path = utf8_percent_encode(path, PATH).to_string();
    let id: String = hex(path.as_bytes()).chars().filter(char::is_ascii_digit).take(8).collect();
    format!(
        "<d:response><d:href>{path}{slash}</d:href><d:propstat><d:prop>{properties}\
         <d:getlastmodified>{modified}</d:getlastmodified><oc:permissions>RGDNVW{kind}</oc:permissions>\
         <oc:id>{id:0>8}oczn5x60nrdu</oc:id><oc:fileid>{id}</oc:fileid></d:prop>\
         <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )
}

fn httpdate_of(seconds: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

impl NextcloudServer {
    fn is_folder(&self, path: &str) -> bool {
        self.folders.contains(path)
    }

    fn is_there(&self, path: &str) -> bool {
        self.is_folder(path) || self.files.contains_key(path)
    }

    /// `X-OC-MTime`; none for one that is no number.
    fn modified(request: &Request) -> Option<Option<String>> {
        let modified = request.header("x-oc-mtime").map(str::to_owned);
        modified.as_ref().is_none_or(|seconds| seconds.parse::<u64>().is_ok()).then_some(modified)
    }

    /// The path that `Destination` names, if it is this server's.
    fn destination(request: &Request) -> Option<String> {
        let destination = request.header("destination")?;
        let here = format!("http://{}", request.header("host").unwrap_or_default());
        match place(destination.strip_prefix(&here).unwrap_or(destination)) {
            Place::File(path) => Some(path),
            Place::Upload(_) | Place::Part(..) | Place::Nowhere => None,
        }
    }

    fn store(&mut self, path: &str, mut file: File) {
        if self.damages
            && let Some(byte) = file.bytes.last_mut()
        {
            *byte = !*byte;
        }
        self.room = self.room.saturating_sub(file.bytes.len());
        self.files.insert(path.to_owned(), file);
    }

    fn put(&mut self, request: &Request, path: &str) -> Answer {
        if self.is_folder(path) {
            return error("409 Conflict", "Conflict");
        }
        let is_there = self.files.contains_key(path);
        if is_there && request.header("if-none-match") == Some("*") {
            return error("412 Precondition Failed", "PreconditionFailed");
        }
        if !self.is_folder(parent(path)) {
            return error("409 Conflict", "Conflict");
        }
        if request.body.len() > self.room {
            return error("507 Insufficient Storage", "InsufficientStorage");
        }
        let Some(modified) = Self::modified(request) else { return error("400 Bad Request", "BadRequest") };
        let took = modified.is_some();
        let mut answer = Answer::new(if is_there { "204 No Content" } else { "201 Created" })
            .with("OC-FileId", "00000259oczn5x60nrdu")
            .with("OC-ETag", format!("\"{}\"", &hex(&request.body)[..32]))
            .with("ETag", format!("\"{}\"", &hex(&request.body)[..32]));
        let checksum = request.header("oc-checksum").map(str::to_owned);
        self.store(path, File { bytes: request.body.clone(), modified, checksum });
        if took {
            answer = answer.with("X-OC-MTime", "accepted");
        }
        match request.header("x-hash") {
            Some("sha256" | "all") if self.hashes => answer.with("X-Hash-SHA256", hex(&self.files[path].bytes)),
            Some(_) | None => answer,
        }
    }

    fn put_part(&mut self, request: &Request, upload: &str, part: &str) -> Answer {
        let numbered = part.parse::<u32>().is_ok_and(|number| (1..=10_000).contains(&number));
        let described = Self::destination(request).is_some() && request.header("oc-total-length").is_some();
        if self.is_strict && !(numbered && described && part.len() == 5) || part == ".file" {
            return error("400 Bad Request", "BadRequest");
        }
        let total = request.header("oc-total-length").and_then(|total| total.parse().ok()).unwrap_or(0);
        if request.body.len().max(total) > self.room {
            return error("507 Insufficient Storage", "InsufficientStorage");
        }
        let Some(upload) = self.uploads.get_mut(upload) else { return error("404 Not Found", "NotFound") };
        match upload.parts.insert(part.to_owned(), request.body.clone()) {
            None => Answer::new("201 Created"),
            Some(_) => Answer::new("204 No Content"),
        }
    }

    fn assemble(&mut self, request: &Request, id: &str) -> Answer {
        let Some(upload) = self.uploads.get(id).cloned() else { return error("404 Not Found", "NotFound") };
        if self.assembling > 0 {
            self.assembling -= 1;
            return error("423 Locked", "Locked");
        }
        let Some(path) = Self::destination(request) else { return error("400 Bad Request", "BadRequest") };
        let bytes: Vec<u8> = upload.parts.values().flatten().copied().collect();
        let total = request.header("oc-total-length");
        if total.is_some_and(|total| total != bytes.len().to_string()) || self.is_strict && total.is_none() {
            return error("400 Bad Request", "BadRequest");
        }
        // Behind a proxy that takes less, only a server of version 1 is of use, which takes parts of any size.
        let is_version_2 = self.is_strict && self.largest_body >= PART_BYTES_MIN;
        if is_version_2 && upload.parts.values().rev().skip(1).any(|part| part.len() < PART_BYTES_MIN) {
            return error("400 Bad Request", "BadRequest");
        }
        if self.is_there(&path) && request.header("overwrite") == Some("F") {
            return error("412 Precondition Failed", "PreconditionFailed");
        }
        if !self.is_folder(parent(&path)) {
            return error("409 Conflict", "Conflict");
        }
        let Some(modified) = Self::modified(request) else { return error("400 Bad Request", "BadRequest") };
        let was_there = self.is_there(&path);
        let checksum = request.header("oc-checksum").map(str::to_owned);
        self.store(&path, File { bytes, modified, checksum });
        self.uploads.remove(id);
        let answer = Answer::new(if was_there { "204 No Content" } else { "201 Created" });
        let etag = self.files[&path].etag();
        answer.with("OC-FileId", "00000260oczn5x60nrdu").with("OC-ETag", &etag).with("ETag", etag)
    }

    fn make(&mut self, request: &Request) -> Answer {
        match place(request.target()) {
            _ if !request.body.is_empty() => error("415 Unsupported Media Type", "UnsupportedMediaType"),
            Place::File(path) if self.is_there(&path) => error("405 Method Not Allowed", "MethodNotAllowed"),
            Place::File(path) if !self.is_folder(parent(&path)) => error("409 Conflict", "Conflict"),
            Place::File(path) => {
                self.folders.insert(path);
                Answer::new("201 Created")
            }
            Place::Upload(id) if self.uploads.contains_key(&id) => error("405 Method Not Allowed", "MethodNotAllowed"),
            Place::Upload(_) if self.is_strict && Self::destination(request).is_none() => error("400 Bad Request", "BadRequest"),
            Place::Upload(id) => {
                self.uploads.insert(id, Upload::default());
                Answer::new("201 Created")
            }
            Place::Part(..) => error("403 Forbidden", "Forbidden"),
            Place::Nowhere => error("404 Not Found", "NotFound"),
        }
    }

    fn look(&self, request: &Request) -> Answer {
        let is_deep = match request.header("depth") {
            Some("0") => false,
            Some("1") => true,
            Some(_) | None => return error("403 Forbidden", "Forbidden"),
        };
        let mut found = Vec::new();
        match place(request.target()) {
            Place::File(path) => match self.files.get(&path) {
                Some(file) => found.push(described(&path, Some(file))),
                None if self.is_folder(&path) => {
                    found.push(described(&path, None));
                    if is_deep {
                        let folders = self.folders.iter().filter(|folder| parent(folder) == path);
                        let files = self.files.iter().filter(|(file, _)| parent(file) == path);
                        found.extend(folders.map(|folder| described(folder, None)));
                        found.extend(files.map(|(path, file)| described(path, Some(file))));
                    }
                }
                None => return error("404 Not Found", "NotFound"),
            },
            Place::Upload(id) => {
                let Some(upload) = self.uploads.get(&id) else { return error("404 Not Found", "NotFound") };
                let here = format!("{UPLOADS}/{id}");
                found.push(described(&here, None));
                if is_deep {
                    let all = File { bytes: upload.parts.values().flatten().copied().collect(), ..File::default() };
                    found.push(described(&format!("{here}/.file"), Some(&all)));
                    for (name, bytes) in &upload.parts {
                        let part = File { bytes: bytes.clone(), ..File::default() };
                        found.push(described(&format!("{here}/{name}"), Some(&part)));
                    }
                }
            }
            Place::Part(..) | Place::Nowhere => return error("404 Not Found", "NotFound"),
        }
        let spaces = "xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\" xmlns:oc=\"http://owncloud.org/ns\"";
        let asked = String::from_utf8_lossy(&request.body);
        if asked.contains("quota-available-bytes") {
            // `-3`: "unlimited" (`OCP\Files\FileInfo::SPACE_UNLIMITED`).
            let room = i64::try_from(self.room).ok().filter(|_| self.room < usize::MAX).unwrap_or(-3);
            let property = format!("<d:quota-available-bytes>{room}</d:quota-available-bytes>");
            found = vec![format!(
                "<d:response><d:href>{FILES}/</d:href><d:propstat><d:prop>{property}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
            )];
        }
        let body = format!("<?xml version=\"1.0\"?>\n<d:multistatus {spaces}>{}</d:multistatus>", found.concat());
        Answer::new("207 Multi-Status").body("application/xml; charset=utf-8", body)
    }

    /// `ChecksumUpdatePlugin.php`.
    fn recalculate(&mut self, request: &Request, path: &str) -> Answer {
        let hashes = self.hashes;
        let Some(file) = self.files.get_mut(path) else { return error("404 Not Found", "NotFound") };
        let checksum = match request.header("x-recalculate-hash").map(str::to_ascii_lowercase).as_deref() {
            Some("sha256") if hashes => format!("SHA256:{}", hex(&file.bytes)),
            // What rclone asks for.
            Some("sha1") if hashes => {
                let digest = <sha1::Sha1 as sha1::Digest>::digest(&file.bytes);
                format!("SHA1:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            Some(_) | None => return error("501 Not Implemented", "NotImplemented"),
        };
        file.checksum = Some(checksum.clone());
        Answer::new("204 No Content").with("OC-Checksum", checksum)
    }
}

/// What follows the place of login flow v2; none for other paths.
fn login_path(request: &Request) -> Option<&str> {
    let path = request.target().strip_prefix(BASE)?;
    path.strip_prefix("/index.php").unwrap_or(path).strip_prefix("/login/v2")
}

impl NextcloudServer {
    /// `ClientFlowLoginV2Controller.php`. The person says yes as soon as the page is opened.
    fn login(&mut self, request: &Request, path: &str) -> Answer {
        let json =
            |status: &str, body: serde_json::Value| Answer::new(status).body("application/json; charset=utf-8", body.to_string());
        match (request.method.as_str(), path) {
            ("POST", "") if request.header("user-agent").is_some() => {
                let token = format!("poll-{}", "t".repeat(120 + self.logins.len()));
                let here = format!("http://{}", request.header("host").unwrap());
                let at = format!("{}{BASE}", self.overwritten.unwrap_or(&here));
                let answer = serde_json::json!({
                    "poll": { "token": token, "endpoint": format!("{at}/login/v2/poll") },
                    "login": format!("{at}/login/v2/flow/{}", self.logins.len()),
                });
                self.logins.insert(token, false);
                json("200 OK", answer)
            }
            ("GET", path) => match path.strip_prefix("/flow/").and_then(|n| self.logins.values_mut().nth(n.parse().ok()?)) {
                Some(granted) => {
                    *granted = true;
                    Answer::new("200 OK").body("text/html", "Account connected")
                }
                None => error("403 Forbidden", "NotAllowed"),
            },
            ("POST", "/poll") if request.header("content-type") == Some("application/x-www-form-urlencoded") => {
                let token = url::form_urlencoded::parse(&request.body).find(|(name, _)| name == "token").map(|(_, token)| token);
                // Handed out once.
                match token.and_then(|token| self.logins.get_mut(token.as_ref())).map(std::mem::take) {
                    Some(true) => {
                        let password = format!("made-{}", self.app_passwords.len());
                        self.app_passwords.push(password.clone());
                        let server = format!("http://{}{BASE}", request.header("host").unwrap());
                        json("200 OK", serde_json::json!({ "server": server, "loginName": LOGIN, "appPassword": password }))
                    }
                    Some(false) | None => json("404 Not Found", serde_json::json!([])),
                }
            }
            _ => error("405 Method Not Allowed", "NotAllowed"),
        }
    }

    /// `AppPasswordController.php`: only what was made for a sign-in.
    fn sign_out(&mut self, request: &Request) -> Answer {
        let is_used = |password: &String| {
            request.header("authorization") == Some(&format!("Basic {}", STANDARD.encode(format!("{LOGIN}:{password}"))))
        };
        match self.app_passwords.iter().position(is_used) {
            Some(at) => {
                self.app_passwords.remove(at);
                Answer::new("200 OK").body("application/json", ocs(serde_json::json!([])).to_string())
            }
            None => error("403 Forbidden", "NotAllowed"),
        }
    }
}

/// What clients ask for before they begin (OCS). None for other paths.
fn described_server(path: &str) -> Option<Answer> {
    let body = match path.strip_prefix(BASE)? {
        "/status.php" => serde_json::json!({
            "installed": true, "maintenance": false, "needsDbUpgrade": false, "version": "31.0.0.0", "versionstring": "31.0.0",
            "edition": "", "productname": "Nextcloud", "extendedSupport": false,
        }),
        "/ocs/v1.php/cloud/capabilities" | "/ocs/v2.php/cloud/capabilities" => ocs(serde_json::json!({
            "version": { "major": 31, "minor": 0, "micro": 0, "string": "31.0.0", "edition": "", "extendedSupport": false },
            "capabilities": {
                "core": { "pollinterval": 60, "webdav-root": "remote.php/webdav" },
                "dav": { "chunking": "1.0" },
                "checksums": { "supportedTypes": ["SHA1"], "preferredUploadType": "SHA1" },
            },
        })),
        "/ocs/v1.php/cloud/user" | "/ocs/v2.php/cloud/user" => {
            ocs(serde_json::json!({ "id": USER, "display-name": "Anna", "email": null }))
        }
        _ => return None,
    };
    Some(Answer::new("200 OK").body("application/json; charset=utf-8", body.to_string()))
}

fn ocs(data: serde_json::Value) -> serde_json::Value {
    serde_json::json!({ "ocs": { "meta": { "status": "ok", "statuscode": 100, "message": "OK" }, "data": data } })
}

impl Protocol for NextcloudServer {
    fn refuses(&self, head: &Request) -> Option<Answer> {
        if head.target() == format!("{BASE}/status.php") || login_path(head).is_some() {
            return None;
        }
        let basic = |name: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        let by_hand = [USER, LOGIN].map(|name| basic(name, SECRET));
        let made = self.app_passwords.iter().map(|password| basic(LOGIN, password));
        if !by_hand.into_iter().chain(made).any(|wanted| head.header("authorization") == Some(&wanted)) {
            let answer = error("401 Unauthorized", "NotAuthenticated");
            return Some(answer.with("WWW-Authenticate", "Basic realm=\"Nextcloud\", charset=\"UTF-8\""));
        }
        if head.target().contains("/ocs/") && head.header("ocs-apirequest") != Some("true") {
            return Some(error("412 Precondition Failed", "CSRF"));
        }
        let length = head.header("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
        // The proxy's page, not the server's.
        (length > self.largest_body).then(|| Answer::new("413 Request Entity Too Large").body("text/html", "<html>413</html>"))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        if let Some(path) = login_path(request) {
            return self.login(request, path);
        }
        if request.method == "DELETE" && request.target() == format!("{BASE}/ocs/v2.php/core/apppassword") {
            return self.sign_out(request);
        }
        let wants_xml = request.target().contains("/ocs/") && request.query().get("format").is_none_or(|format| format != "json");
        if request.method == "GET"
            && !wants_xml
            && let Some(answer) = described_server(request.target())
        {
            return answer;
        }
        match (request.method.as_str(), place(request.target())) {
            ("PROPFIND", _) => self.look(request),
            ("MKCOL", _) => self.make(request),
            ("PUT", Place::File(path)) => self.put(request, &path),
            ("PUT", Place::Part(upload, part)) => self.put_part(request, &upload, &part),
            ("MOVE", Place::Part(upload, part)) if part == ".file" => self.assemble(request, &upload),
            ("PATCH", Place::File(path)) => self.recalculate(request, &path),
            ("GET", Place::File(path)) => match self.files.get(&path) {
                Some(file) => {
                    let answer = Answer::new("200 OK").body("image/jpeg", file.bytes.clone());
                    answer.with("ETag", file.etag()).with("OC-ETag", file.etag())
                }
                None => error("404 Not Found", "NotFound"),
            },
            ("DELETE", Place::File(path)) if self.files.remove(&path).is_some() => Answer::new("204 No Content"),
            ("DELETE", Place::Upload(id)) if self.uploads.remove(&id).is_some() => Answer::new("204 No Content"),
            ("PUT" | "MOVE" | "PATCH" | "GET" | "DELETE", _) => error("404 Not Found", "NotFound"),
            _ => error("501 Not Implemented", "NotImplemented"),
        }
    }

    fn objects(&self) -> Vec<Object> {
        self.files.iter().map(|(path, file)| Object { name: path.clone(), bytes: file.bytes.clone() }).collect()
    }

    fn leftovers(&self) -> usize {
        self.uploads.len()
    }
}
