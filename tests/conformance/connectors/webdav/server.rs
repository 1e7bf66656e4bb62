//! A WebDAV server by RFC 4918, of the kind that writes straight to the place that is named: what came before a line broke stays and is
//! seen.

use std::collections::{BTreeMap, BTreeSet};

use afterglow_tests::model_server::{Answer, Object, Protocol, Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

pub(crate) const USER: &str = "anna";
pub(crate) const SECRET: &str = "canary-password";
pub(crate) const ROOT: &str = "/dav/photos";

/// The server. Paths are as they come, encoded.
#[derive(Debug)]
pub(crate) struct WebdavServer {
    pub(crate) folders: BTreeSet<String>,
    pub(crate) files: BTreeMap<String, File>,
    /// The server sits behind a proxy that ends TLS, and takes an absolute `Destination` for another server's.
    pub(crate) is_behind_proxy: bool,
    /// Forbids to make a folder that is there, as mod_dav does to all but the first of several at once.
    pub(crate) forbids_twice: bool,
    /// Whether an occupied place is refused as a lock.
    pub(crate) locked: bool,
    /// What is stored is not what came.
    pub(crate) damages: bool,
    /// States digests of what it stores, computed while it was stored, as ownCloud does.
    pub(crate) states_digests: bool,
    /// The digests are of something else.
    pub(crate) states_nonsense: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) modified: Option<String>,
}

fn parent(path: &str) -> &str {
    path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// One resource of a multistatus answer (section 14.24): what it has of what is asked for.
fn described(path: &str, file: Option<&File>, digested: impl Fn(&File) -> Option<Vec<u8>>) -> String {
    let digests = file.and_then(digested).map(|bytes| {
        let digest: String = Sha1::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        // As ownCloud 10 writes them (`ChecksumList.php`, `Storage/Wrapper/Checksum.php`); nobody here reads the others.
        let stated = format!("SHA1:{digest} MD5:00000000000000000000000000000000 ADLER32:00000000");
        format!("<oc:checksums><oc:checksum>{stated}</oc:checksum></oc:checksums>")
    });
    let missing = match &digests {
        Some(_) => "",
        None => "<D:propstat><D:prop><oc:checksums/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>",
    };
    let properties = match file {
        Some(file) => format!("<D:getcontentlength>{}</D:getcontentlength><D:resourcetype/>", file.bytes.len()),
        None => "<D:resourcetype><D:collection/></D:resourcetype>".to_owned(),
    };
    let (path, digests) = (path.replace('&', "&amp;"), digests.unwrap_or_default());
    format!(
        "<D:response><D:href>{path}</D:href><D:propstat><D:prop>{properties}{digests}\
         <D:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</D:getlastmodified></D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat>{missing}</D:response>"
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
        if !asked.contains("propfind") || !asked.contains("=\"DAV:\"") || !asked.contains("getcontentlength") {
            return Answer::new("400 Bad Request");
        }
        let digested = |file: &File| match (self.states_digests, self.states_nonsense) {
            (false, _) => None,
            (true, false) => Some(file.bytes.clone()),
            (true, true) => Some([b"enciphered ", file.bytes.as_slice()].concat()),
        };
        let (path, depth) = (request.target(), request.header("depth"));
        let mut found = Vec::new();
        match (self.files.get(path), depth) {
            // Without it, everything beneath would be meant, which this server does not do.
            (_, None | Some("infinity")) => return Answer::new("403 Forbidden"),
            (Some(file), _) => found.push(described(path, Some(file), digested)),
            (None, Some(depth)) if self.is_folder(path) => {
                found.push(described(path, None, digested));
                if depth == "1" {
                    let here = self.files.iter().filter(|(file, _)| parent(file) == path.trim_end_matches('/'));
                    found.extend(here.map(|(path, file)| described(path, Some(file), digested)));
                }
            }
            (None, Some(_)) => return Answer::new("404 Not Found"),
        }
        let namespaces = "xmlns:D=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\"";
        let body = format!("<?xml version=\"1.0\"?><D:multistatus {namespaces}>{}</D:multistatus>", found.concat());
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
        Self {
            folders,
            files: BTreeMap::new(),
            is_behind_proxy: false,
            forbids_twice: false,
            locked: false,
            damages: false,
            states_digests: false,
            states_nonsense: false,
        }
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
