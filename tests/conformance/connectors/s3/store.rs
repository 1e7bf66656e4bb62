//! The store: objects and multipart uploads, by the Amazon S3 API Reference, version 2006-03-01.

use std::collections::BTreeMap;

use afterglow_tests::model_server::{Answer, Object, Protocol, Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

pub(crate) const BUCKET: &str = "pictures";
pub(crate) const KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "canary+secret/key";
pub(crate) const REGION: &str = "eu-west-3";

const PART_BYTES_MIN: usize = 5 << 20;
/// Fewer than are asked for, as a server may.
const PARTS_A_PAGE: usize = 2;

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    bytes: Vec<u8>,
    made_for: Option<String>,
    checksum: Option<String>,
    etag: String,
}

#[derive(Debug)]
pub(crate) struct Upload {
    key: String,
    made_for: Option<String>,
    wants_checksums: bool,
    parts: BTreeMap<u64, Stored>,
}

/// Header fields that a store does not take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refuses {
    /// Those of checksums, with the creation of an upload of parts.
    ChecksumsOfUploads,
    /// Those of checksums, with the parts themselves (Cloudflare R2).
    ChecksumsOfParts,
    /// Those of checksums, with everything (Backblaze B2 until 2025).
    Checksums,
    /// Those of checksums, with everything and without naming them.
    ChecksumsUnnamed,
    /// `If-None-Match`, without naming it.
    Conditions,
}

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    /// It computes checksums, compares and tells them.
    pub(crate) compares: bool,
    /// It keeps to `If-None-Match`.
    pub(crate) conditions: bool,
    /// Which header fields it refuses, and how.
    pub(crate) refuses: Option<Refuses>,
    /// How often it did.
    pub(crate) refusals: usize,
    /// What is stored is not what came.
    pub(crate) damages: bool,
    pub(crate) secret: &'static str,
    /// What lies before it takes no larger bodies.
    pub(crate) largest_body: Option<u64>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    pub(crate) objects: BTreeMap<String, Stored>,
    pub(crate) begun: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            compares: false,
            conditions: false,
            refuses: None,
            refusals: 0,
            damages: false,
            secret: SECRET,
            largest_body: None,
            uploads: BTreeMap::new(),
            objects: BTreeMap::new(),
            begun: 0,
        }
    }
}

pub(crate) fn error(status: &str, code: &str) -> Answer {
    refusal(status, code, "")
}

pub(crate) fn refusal(status: &str, code: &str, more: &str) -> Answer {
    Answer::new(status).body("application/xml", format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code>{more}</Error>"))
}

fn document(root: &str, content: &str) -> Answer {
    let xml = format!("<?xml version=\"1.0\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{content}</{root}>");
    Answer::new("200 OK").body("application/xml", xml)
}

fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = if byte == b'%' { rest.next().zip(rest.next()) } else { None };
        bytes.push(digits.map_or(byte, |(a, b)| u8::from_str_radix(&String::from_utf8_lossy(&[a, b]), 16).unwrap_or(b'?')));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Section "Create a canonical request": everything but unreserved characters is encoded, a `/` of a path aside.
fn encoded(text: &str, keeps_slash: bool) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keeps_slash && byte == b'/');
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    let short: Vec<u8> = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block[..short.len()].copy_from_slice(&short);
    let inner = Sha256::digest([block.map(|byte| byte ^ 0x36).as_slice(), data].concat());
    Sha256::digest([block.map(|byte| byte ^ 0x5c).as_slice(), &inner].concat()).to_vec()
}

fn elements<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    body.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

impl Store {
    pub(crate) fn put_by_another(&mut self, key: &str, bytes: &[u8]) {
        let stored = Stored { bytes: bytes.to_vec(), made_for: None, checksum: None, etag: "\"x\"".to_owned() };
        self.objects.insert(key.to_owned(), stored);
    }

    /// "Authenticating Requests: Using Query Parameters".
    fn unsigned(&self, request: &Request) -> Option<Answer> {
        let (query, denied) = (request.query(), || Some(error("403 Forbidden", "AccessDenied")));
        let get = |name: &str| query.get(name).cloned().unwrap_or_default();
        let date = get("X-Amz-Date");
        let day = date.split('T').next().unwrap_or_default().to_owned();
        let scope = format!("{day}/{REGION}/s3/aws4_request");
        if get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" || get("X-Amz-Expires").parse().is_ok_and(|s: u64| s > 604_800) {
            return denied();
        }
        if get("X-Amz-Credential") != format!("{KEY_ID}/{scope}") {
            return Some(error("403 Forbidden", "InvalidAccessKeyId"));
        }
        let signed = get("X-Amz-SignedHeaders");
        let names: Vec<&str> = signed.split(';').collect();
        let must = request.headers.keys().filter(|name| name.starts_with("x-amz-") || *name == "if-none-match" || *name == "host");
        if must.into_iter().any(|name| !names.contains(&name.as_str())) || !names.is_sorted() {
            return denied();
        }
        let mut pairs: Vec<String> = query
            .iter()
            .filter(|(name, _)| *name != "X-Amz-Signature")
            .map(|(name, value)| format!("{}={}", encoded(name, false), encoded(value, false)))
            .collect();
        pairs.sort();
        let headers: String =
            names.iter().map(|name| format!("{name}:{}\n", request.header(name).unwrap_or_default().trim())).collect();
        let path = encoded(&decoded(request.target()), true);
        let canonical = format!("{}\n{path}\n{}\n{headers}\n{signed}\nUNSIGNED-PAYLOAD", request.method, pairs.join("&"));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let first = hmac(format!("AWS4{}", self.secret).as_bytes(), day.as_bytes());
        let key = [REGION, "s3", "aws4_request"].iter().fold(first, |key, part| hmac(&key, part.as_bytes()));
        (get("X-Amz-Signature") != hex(&hmac(&key, text.as_bytes()))).then(|| error("403 Forbidden", "SignatureDoesNotMatch"))
    }

    /// The content with its checksum, or why it is not taken.
    fn taken(&self, request: &Request, wants_checksum: bool) -> Result<Stored, Answer> {
        let computed = sha256(&request.body);
        let said = request.header("x-amz-checksum-sha256");
        if self.compares {
            if said.is_some_and(|said| said != computed) {
                return Err(error("400 Bad Request", "BadDigest"));
            }
            if wants_checksum && said.is_none() {
                return Err(error("400 Bad Request", "InvalidRequest"));
            }
        }
        let checksum = said.filter(|_| self.compares).map(|_| computed);
        let etag = format!("\"{}\"", &hex(&Sha256::digest(&request.body))[..32]);
        let mut bytes = request.body.clone();
        if self.damages
            && let Some(byte) = bytes.last_mut()
        {
            *byte = !*byte;
        }
        Ok(Stored { bytes, made_for: made_for(request), checksum, etag })
    }

    /// A header field that it does not take.
    fn refused_field(&self, request: &Request, of_parts: bool) -> Option<Answer> {
        let carries = |name: &str| request.headers.keys().find(|carried| carried.starts_with(name));
        let checksum = carries("x-amz-checksum-");
        let named = |name: &String| {
            let message = format!("<Message>Header '{name}' with value 'x' not implemented</Message>");
            refusal("501 Not Implemented", "NotImplemented", &message)
        };
        match self.refuses? {
            Refuses::ChecksumsOfUploads if of_parts && request.method == "POST" => checksum.map(named),
            Refuses::ChecksumsOfParts if of_parts && request.method == "PUT" => checksum.map(named),
            Refuses::ChecksumsOfUploads | Refuses::ChecksumsOfParts => None,
            Refuses::Checksums => checksum.map(|name| {
                let message = format!("<Message>Unsupported header '{name}' received for this API call.</Message>");
                refusal("400 Bad Request", "InvalidArgument", &message)
            }),
            Refuses::ChecksumsUnnamed => checksum.map(|_| error("501 Not Implemented", "NotImplemented")),
            Refuses::Conditions => carries("if-none-match").map(|_| error("501 Not Implemented", "NotImplemented")),
        }
    }

    fn is_refused(&self, request: &Request, key: &str) -> Option<Answer> {
        match request.header("if-none-match") {
            Some("*") if self.conditions && self.objects.contains_key(key) => {
                Some(error("412 Precondition Failed", "PreconditionFailed"))
            }
            Some(other) if self.conditions && other != "*" => Some(error("501 Not Implemented", "NotImplemented")),
            Some(_) | None => None,
        }
    }

    fn put(&mut self, request: &Request, key: &str) -> Answer {
        if let Some(refused) = self.is_refused(request, key) {
            return refused;
        }
        match self.taken(request, false) {
            Ok(stored) => {
                let answer = tagged(&stored);
                self.objects.insert(key.to_owned(), stored);
                answer
            }
            Err(refused) => refused,
        }
    }

    fn put_part(&mut self, request: &Request, key: &str, id: &str, number: &str) -> Answer {
        let Some(upload) = self.uploads.get(id).filter(|upload| upload.key == key) else {
            return error("404 Not Found", "NoSuchUpload");
        };
        let Some(number) = number.parse().ok().filter(|number| (1..=10_000).contains(number)) else {
            return error("400 Bad Request", "InvalidArgument");
        };
        match self.taken(request, upload.wants_checksums) {
            Ok(part) => {
                let answer = tagged(&part);
                self.uploads.entry(id.to_owned()).and_modify(|upload| drop(upload.parts.insert(number, part)));
                answer
            }
            Err(refused) => refused,
        }
    }

    fn create(&mut self, request: &Request, key: &str) -> Answer {
        self.begun += 1;
        // Characters that a client must encode.
        let id = format!("up+{}/=&", self.begun);
        let wants_checksums = request.header("x-amz-checksum-algorithm") == Some("SHA256");
        let upload = Upload { key: key.to_owned(), made_for: made_for(request), wants_checksums, parts: BTreeMap::new() };
        let written = id.replace('&', "&amp;");
        self.uploads.insert(id, upload);
        document("InitiateMultipartUploadResult", &format!("<Bucket>{BUCKET}</Bucket><UploadId>{written}</UploadId>"))
    }

    fn list_parts(&self, key: &str, id: &str, after: u64) -> Answer {
        let Some(upload) = self.uploads.get(id).filter(|upload| upload.key == key) else {
            return error("404 Not Found", "NoSuchUpload");
        };
        let page: Vec<_> = upload.parts.range(after + 1..).take(PARTS_A_PAGE).collect();
        let last = page.last().map_or(after, |(number, _)| **number);
        let is_truncated = upload.parts.range(last + 1..).next().is_some();
        let mut content = format!("<IsTruncated>{is_truncated}</IsTruncated><NextPartNumberMarker>{last}</NextPartNumberMarker>");
        for (number, part) in page {
            let checksum = part.checksum.as_ref().map(|checksum| format!("<ChecksumSHA256>{checksum}</ChecksumSHA256>"));
            content += &format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag><Size>{}</Size>{}</Part>",
                part.etag.replace('"', "&quot;"),
                part.bytes.len(),
                checksum.unwrap_or_default()
            );
        }
        document("ListPartsResult", &content)
    }

    fn list_uploads(&self, prefix: &str) -> Answer {
        let here = self.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix));
        let written = here.map(|(id, upload)| {
            let (key, id) = (upload.key.replace('&', "&amp;"), id.replace('&', "&amp;"));
            format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
        });
        document("ListMultipartUploadsResult", &written.collect::<String>())
    }

    fn complete(&mut self, request: &Request, key: &str, id: &str) -> Answer {
        let Some(upload) = self.uploads.get(id).filter(|upload| upload.key == key) else {
            return error("404 Not Found", "NoSuchUpload");
        };
        let body = String::from_utf8_lossy(&request.body).replace("&quot;", "\"");
        let (mut bytes, mut checksums, mut last) = (Vec::new(), Vec::new(), 0);
        let named = elements(&body, "Part");
        for (index, part) in named.iter().enumerate() {
            let one = |name: &str| elements(part, name).first().map(|text| (*text).to_owned());
            let number = one("PartNumber").and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
            let Some(held) = upload.parts.get(&number) else { return error("400 Bad Request", "InvalidPart") };
            if number <= last {
                return error("400 Bad Request", "InvalidPartOrder");
            }
            if one("ETag").as_ref() != Some(&held.etag) || (upload.wants_checksums && one("ChecksumSHA256") != held.checksum) {
                return error("400 Bad Request", "InvalidPart");
            }
            if held.bytes.len() < PART_BYTES_MIN && index + 1 < named.len() {
                return error("400 Bad Request", "EntityTooSmall");
            }
            last = number;
            bytes.extend_from_slice(&held.bytes);
            checksums.extend(held.checksum.as_ref().and_then(|checksum| STANDARD.decode(checksum).ok()).unwrap_or_default());
        }
        let size = request.header("x-amz-mp-object-size").and_then(|size| size.parse().ok());
        if named.is_empty() || size.is_some_and(|size: usize| size != bytes.len()) {
            return error("400 Bad Request", "InvalidRequest");
        }
        if let Some(refused) = self.is_refused(request, key) {
            return refused;
        }
        let checksum = (self.compares && upload.wants_checksums).then(|| format!("{}-{}", sha256(&checksums), named.len()));
        let made_for = upload.made_for.clone();
        let written = checksum.as_ref().map(|checksum| format!("<ChecksumSHA256>{checksum}</ChecksumSHA256>"));
        self.uploads.remove(id);
        let etag = format!("\"{}-{}\"", self.begun, named.len());
        self.objects.insert(key.to_owned(), Stored { bytes, made_for, checksum, etag });
        document("CompleteMultipartUploadResult", &format!("<Key>k</Key>{}", written.unwrap_or_default()))
    }

    fn look(&self, request: &Request, key: &str) -> Answer {
        let Some(stored) = self.objects.get(key) else { return Answer::new("404 Not Found") };
        let mut answer = Answer::new("200 OK").with("Content-Length", stored.bytes.len()).with("ETag", &stored.etag);
        if let Some(made_for) = &stored.made_for {
            answer = answer.with("x-amz-meta-sha256", made_for);
        }
        match &stored.checksum {
            Some(checksum) if request.header("x-amz-checksum-mode") == Some("ENABLED") => {
                answer.with("x-amz-checksum-sha256", checksum)
            }
            Some(_) | None => answer,
        }
    }
}

fn made_for(request: &Request) -> Option<String> {
    request.header("x-amz-meta-sha256").map(str::to_owned)
}

fn tagged(stored: &Stored) -> Answer {
    let answer = Answer::new("200 OK").with("ETag", &stored.etag);
    match &stored.checksum {
        Some(checksum) => answer.with("x-amz-checksum-sha256", checksum),
        None => answer,
    }
}

impl Protocol for Store {
    fn refuses(&self, head: &Request) -> Option<Answer> {
        let length = head.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if matches!(head.method.as_str(), "PUT" | "POST") && length.is_none() {
            return Some(error("411 Length Required", "MissingContentLength"));
        }
        if self.largest_body.is_some_and(|most| length.unwrap_or(0) > most) {
            // Not the store's own answer: of a proxy before it.
            return Some(Answer::new("413 Request Entity Too Large"));
        }
        self.unsigned(head)
    }

    fn apply(&mut self, request: &Request) -> Answer {
        let path = decoded(request.target());
        let Some(key) = path.strip_prefix(&format!("/{BUCKET}")) else { return error("404 Not Found", "NoSuchBucket") };
        let (key, query) = (key.trim_start_matches('/').to_owned(), request.query());
        let get = |name: &str| query.get(name).map(String::as_str);
        if let Some(refused) = self.refused_field(request, get("uploads").is_some() || get("uploadId").is_some()) {
            self.refusals += 1;
            return refused;
        }
        match (request.method.as_str(), get("uploads").is_some(), get("uploadId"), get("partNumber")) {
            ("GET", true, None, None) if key.is_empty() => self.list_uploads(get("prefix").unwrap_or_default()),
            _ if key.is_empty() => error("405 Method Not Allowed", "MethodNotAllowed"),
            ("PUT", false, None, None) => self.put(request, &key),
            ("PUT", false, Some(id), Some(number)) => self.put_part(request, &key, id, number),
            ("POST", true, None, None) => self.create(request, &key),
            ("POST", false, Some(id), None) => self.complete(request, &key, id),
            ("GET", false, Some(id), None) => {
                let after = get("part-number-marker").and_then(|after| after.parse().ok()).unwrap_or(0);
                self.list_parts(&key, id, after)
            }
            ("HEAD", false, None, None) => self.look(request, &key),
            ("GET", false, None, None) => match self.objects.get(&key) {
                Some(stored) => Answer::new("200 OK").body("application/octet-stream", stored.bytes.clone()),
                None => error("404 Not Found", "NoSuchKey"),
            },
            ("DELETE", false, None, None) => {
                self.objects.remove(&key);
                Answer::new("204 No Content")
            }
            ("DELETE", false, Some(id), None) => match self.uploads.remove(id) {
                Some(_) => Answer::new("204 No Content"),
                None => error("404 Not Found", "NoSuchUpload"),
            },
            _ => error("405 Method Not Allowed", "MethodNotAllowed"),
        }
    }

    fn objects(&self) -> Vec<Object> {
        self.objects.iter().map(|(key, stored)| Object { name: key.clone(), bytes: stored.bytes.clone() }).collect()
    }

    fn leftovers(&self) -> usize {
        self.uploads.len()
    }
}
