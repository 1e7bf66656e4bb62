//! Immich by its OpenAPI document (2.7.5 and 3.2.2) and the source of its server: as far as photos are sent to it.

use std::collections::BTreeMap;

use afterglow_tests::model_server::{Answer, Object, Protocol, Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// The API key that it knows.
pub(crate) const KEY: &str = "canary-key";

/// What it takes, as it says in `GET /server/media-types`.
const IMAGES: [&str; 7] = [".avif", ".dng", ".heic", ".jpeg", ".jpg", ".png", ".webp"];
const VIDEOS: [&str; 3] = [".mkv", ".mov", ".mp4"];
const SIDECARS: [&str; 1] = [".xmp"];

/// `AssetVisibility`.
const VISIBILITIES: [&str; 4] = ["archive", "timeline", "hidden", "locked"];

/// An asset of the key's user.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) id: String,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) sidecar: Option<Vec<u8>>,
    pub(crate) trashed: bool,
}

/// An album in sight of the key's user.
#[derive(Debug, Clone)]
pub(crate) struct Album {
    pub(crate) id: String,
    pub(crate) title: String,
    /// Of the user's own; others share theirs.
    pub(crate) is_own: bool,
    pub(crate) assets: Vec<String>,
}

/// The server.
#[derive(Debug)]
pub(crate) struct ImmichServer {
    pub(crate) version: [u64; 3],
    /// What the key may do.
    pub(crate) permissions: Vec<&'static str>,
    pub(crate) quota: Option<u64>,
    /// Path before `/api`.
    pub(crate) base: &'static str,
    /// What its administrator says that it is called outside.
    pub(crate) domain: &'static str,
    /// By the SHA-1 that was computed while they were received: the one constraint, of owner and checksum.
    pub(crate) assets: BTreeMap<String, Asset>,
    /// Stacks, the shown asset first.
    pub(crate) stacks: Vec<Vec<String>>,
    pub(crate) albums: Vec<Album>,
    /// Refuses forms with a sidecar.
    pub(crate) hates_sidecars: bool,
    /// Says that it has made an asset, and has not.
    pub(crate) forgets: bool,
    /// Damages what it receives, and knows its SHA-1.
    pub(crate) damages: bool,
    made: usize,
}

impl Default for ImmichServer {
    fn default() -> Self {
        Self {
            version: [3, 2, 2],
            permissions: vec!["asset.upload", "asset.delete", "user.read"],
            quota: None,
            base: "",
            domain: "https://photos.example",
            assets: BTreeMap::new(),
            stacks: Vec::new(),
            albums: Vec::new(),
            hates_sidecars: false,
            forgets: false,
            damages: false,
            made: 0,
        }
    }
}

/// A part of a form (RFC 7578).
struct Part {
    name: String,
    filename: Option<String>,
    body: Vec<u8>,
}

fn answer(status: &str, body: &Value) -> Answer {
    Answer::new(status).body("application/json; charset=utf-8", body.to_string())
}

/// An error as the server's framework writes it.
fn refusal(status: &str, message: impl Into<Value>) -> Answer {
    let (code, error) = status.split_once(' ').unwrap();
    answer(status, &json!({ "message": message.into(), "error": error, "statusCode": code.parse::<u16>().unwrap() }))
}

pub(crate) fn sha1(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// "Base64 or hex encoded SHA1 hash": 28 characters are Base64.
fn checksum(text: &str) -> Option<String> {
    let bytes = if text.len() == 28 {
        STANDARD.decode(text).ok()?
    } else {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect::<Option<Vec<u8>>>()?
    };
    (bytes.len() == 20).then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The parts of a form, in order; none if it is not as it must be.
fn parts(request: &Request) -> Option<Vec<Part>> {
    let boundary = request.header("content-type")?.strip_prefix("multipart/form-data; boundary=")?.trim_matches('"');
    let (first, delimiter) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}"));
    let mut rest = request.body.strip_prefix(first.as_bytes())?;
    let mut parts = Vec::new();
    loop {
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition: form-data;"))?;
        let parameter = |name: &str| {
            let value = disposition.split_once(&format!("; {name}=\""))?.1;
            Some(value.split('"').next()?.to_owned())
        };
        rest = &rest[head_end + 4..];
        let end = delimiter_at(rest, delimiter.as_bytes())?;
        parts.push(Part { name: parameter("name")?, filename: parameter("filename"), body: rest[..end].to_vec() });
        rest = &rest[end + delimiter.len()..];
        match rest.strip_prefix(b"--") {
            Some(b"" | b"\r\n") => return Some(parts),
            Some(_) => return None,
            None => rest = rest.strip_prefix(b"\r\n")?,
        }
    }
}

/// Where the first delimiter begins. Looking where lines end is faster than at every byte.
fn delimiter_at(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| *byte == b'\r') {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// ISO 8601 with an offset; a local time is refused by servers 3.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let offset = text.ends_with('Z') || (bytes.len() > 6 && matches!(bytes[bytes.len() - 6], b'+' | b'-'));
    bytes.len() >= 20 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T' && bytes[13] == b':' && offset
}

fn is_one_of(filename: &str, mut known: impl Iterator<Item = &'static str>) -> bool {
    let extension = filename.rfind('.').map_or(String::new(), |at| filename[at..].to_ascii_lowercase());
    known.any(|known| *known == extension)
}

impl ImmichServer {
    fn may(&self, permission: &str) -> Option<Answer> {
        let allowed = self.permissions.iter().any(|allowed| *allowed == permission || *allowed == "all");
        (!allowed).then(|| refusal("403 Forbidden", format!("Missing required permission: {permission}")))
    }

    /// What an endpoint asks for before it looks at the content.
    fn guard(&self, request: &Request, path: &str) -> Option<Answer> {
        let permission = match (request.method.as_str(), path) {
            (
                "GET",
                "/.well-known/immich"
                | "/api/server/version"
                | "/api/server/ping"
                | "/api/server/config"
                | "/api/server/media-types",
            ) => return None,
            ("GET", "/api/api-keys/me") => None,
            ("GET", "/api/users/me") => Some("user.read"),
            ("POST", "/api/assets" | "/api/assets/bulk-upload-check") => Some("asset.upload"),
            ("GET", asset) if asset.starts_with("/api/assets/") => Some("asset.read"),
            ("PUT", asset) if asset.starts_with("/api/assets/") => Some("asset.update"),
            ("POST", "/api/stacks") => Some("stack.create"),
            ("GET", "/api/albums") => Some("album.read"),
            ("POST", "/api/albums") => Some("album.create"),
            ("PUT", album) if album.starts_with("/api/albums/") && album.ends_with("/assets") => Some("albumAsset.create"),
            ("DELETE", "/api/assets") => Some("asset.delete"),
            _ => return Some(refusal("404 Not Found", format!("Cannot {} {path}", request.method))),
        };
        if request.header("x-api-key") != Some(KEY) {
            return Some(refusal("401 Unauthorized", "Invalid API key"));
        }
        permission.and_then(|permission| self.may(permission))
    }

    pub(crate) fn by_id(&mut self, id: &str) -> Option<&mut Asset> {
        self.assets.values_mut().find(|asset| asset.id == id && !asset.trashed)
    }

    /// What is locked is out of a key's reach.
    fn reach(&mut self, id: &str) -> Option<&mut Asset> {
        self.by_id(id).filter(|asset| asset.fields.get("visibility").is_none_or(|shown| shown != "locked"))
    }

    /// `onBeforeLink`: the video of a Live Photo leaves the timeline.
    fn hide(&mut self, video: &str) {
        let shown = self.by_id(video).unwrap().fields.entry("visibility".to_owned()).or_insert_with(|| "timeline".to_owned());
        if shown == "timeline" {
            *shown = "hidden".to_owned();
        }
    }

    /// `getAssetInfo` and `updateAsset`.
    fn asset(&mut self, request: &Request, id: &str) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let video = body["livePhotoVideoId"].as_str().map(str::to_owned);
        if video.as_deref().is_some_and(|video| self.by_id(video).is_none()) {
            return refusal("400 Bad Request", "Live photo video not found");
        }
        let stack = self.stacks.iter().position(|stack| stack.iter().any(|other| other == id));
        let stack = stack.map(|at| json!({ "id": format!("stack-{at}"), "primaryAssetId": self.stacks[at][0], "assetCount": 2 }));
        if self.reach(id).is_none() {
            return refusal("400 Bad Request", "Not found or no asset.read access");
        }
        if let Some(video) = &video {
            self.hide(video);
        }
        let asset = self.by_id(id).unwrap();
        if let Some(video) = video {
            asset.fields.insert("livePhotoVideoId".to_owned(), video);
        }
        answer("200 OK", &json!({ "id": id, "livePhotoVideoId": asset.fields.get("livePhotoVideoId"), "stack": stack }))
    }

    /// `createStack`: those that are in other stacks leave them.
    fn stack(&mut self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let ids: Vec<String> =
            body["assetIds"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if ids.len() < 2 || ids.iter().any(|id| self.reach(id).is_none()) {
            return refusal("400 Bad Request", "Not found or no asset.update access");
        }
        self.stacks.iter_mut().for_each(|stack| stack.retain(|id| !ids.contains(id)));
        self.stacks.push(ids);
        answer("201 Created", &json!({ "id": format!("stack-{}", self.stacks.len() - 1) }))
    }

    /// `getAllAlbums`. Servers 2 list own albums and do not know the question; servers 3 list those that others share, too.
    fn list_albums(&self, request: &Request) -> Answer {
        let only_own = self.version[0] < 3 || request.query().get("isOwned").is_some_and(|own| own == "true");
        let shown = self.albums.iter().filter(|album| album.is_own || !only_own);
        let shown = shown.map(|album| {
            let owner = if album.is_own { "user" } else { "other" };
            let users = json!([{ "role": "owner", "user": { "id": owner } }]);
            json!({ "id": album.id, "albumName": album.title, "assetCount": album.assets.len(), "albumUsers": users })
        });
        answer("200 OK", &Value::Array(shown.collect()))
    }

    /// `createAlbum`: two may have one title.
    fn create_album(&mut self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(title) = body["albumName"].as_str() else {
            return refusal("400 Bad Request", json!(["albumName must be a string"]));
        };
        let id = format!("00000000-0000-4000-9000-{:012}", self.albums.len() + 1);
        self.albums.push(Album { id: id.clone(), title: title.to_owned(), is_own: true, assets: Vec::new() });
        answer("201 Created", &json!({ "id": id, "albumName": title }))
    }

    /// `addAssetsToAlbum`.
    fn fill_album(&mut self, request: &Request, id: &str) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let ids: Option<Vec<String>> =
            body["ids"].as_array().and_then(|ids| ids.iter().map(|id| id.as_str().map(str::to_owned)).collect());
        let Some(ids) = ids.filter(|ids| !ids.is_empty() && ids.iter().all(|id| uuid::Uuid::try_parse(id).is_ok())) else {
            return refusal("400 Bad Request", json!(["each value in ids must be a UUID"]));
        };
        let Some(at) = self.albums.iter().position(|album| album.id == id) else {
            return refusal("400 Bad Request", "Album not found");
        };
        if !self.albums[at].is_own {
            return refusal("400 Bad Request", "Not found or no albumAsset.create access");
        }
        let results = ids.into_iter().map(|id| {
            if self.albums[at].assets.contains(&id) {
                return json!({ "id": id, "success": false, "error": "duplicate" });
            }
            if self.reach(&id).is_none() {
                return json!({ "id": id, "success": false, "error": "no_permission" });
            }
            self.albums[at].assets.push(id.clone());
            json!({ "id": id, "success": true })
        });
        answer("200 OK", &Value::Array(results.collect()))
    }

    fn check(&self, request: &Request) -> Answer {
        if request.header("content-type").is_none_or(|kind| !kind.starts_with("application/json")) {
            return refusal("400 Bad Request", json!(["assets must be an array"]));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(asked) = body["assets"].as_array() else {
            return refusal("400 Bad Request", json!(["assets must be an array"]));
        };
        let mut results = Vec::new();
        for asset in asked {
            let (Some(id), Some(checksum)) = (asset["id"].as_str(), asset["checksum"].as_str().and_then(checksum)) else {
                return refusal("400 Bad Request", json!(["assets.0.checksum must be a string"]));
            };
            results.push(match self.assets.get(&checksum) {
                Some(Asset { id: asset, trashed, .. }) => {
                    json!({ "id": id, "action": "reject", "reason": "duplicate", "assetId": asset, "isTrashed": trashed })
                }
                None => json!({ "id": id, "action": "accept" }),
            });
        }
        answer("200 OK", &json!({ "results": results }))
    }

    fn used(&self) -> u64 {
        self.assets.values().map(|asset| asset.bytes.len() as u64).sum()
    }

    fn upload(&mut self, request: &Request) -> Answer {
        let Some(parts) = parts(request) else { return refusal("400 Bad Request", "Multipart: Unexpected end of form") };
        let (mut fields, mut file, mut sidecar) = (BTreeMap::new(), None, None);
        for part in parts {
            match (part.name.as_str(), part.filename) {
                // The name that came before the file counts, else the file's own.
                ("assetData", Some(filename)) if file.is_none() => {
                    let name = fields.get("filename").cloned().unwrap_or(filename);
                    if !is_one_of(&name, IMAGES.into_iter().chain(VIDEOS)) {
                        return refusal("400 Bad Request", format!("Unsupported file type {name}"));
                    }
                    file = Some((name, part.body));
                }
                // `canUploadFile` judges it by the same rule.
                ("sidecarData", Some(filename)) if sidecar.is_none() && !self.hates_sidecars => {
                    let name = fields.get("filename").cloned().unwrap_or(filename);
                    if !is_one_of(&name, SIDECARS.into_iter()) {
                        return refusal("400 Bad Request", format!("Unsupported file type {name}"));
                    }
                    sidecar = Some(part.body);
                }
                (
                    "deviceAssetId" | "deviceId" | "fileCreatedAt" | "fileModifiedAt" | "filename" | "duration" | "isFavorite"
                    | "visibility" | "livePhotoVideoId" | "fileSize",
                    None,
                ) => drop(fields.insert(part.name, String::from_utf8(part.body).unwrap())),
                (name, _) => return refusal("400 Bad Request", format!("Unexpected field {name}")),
            }
        }
        let Some((name, mut bytes)) = file else { return refusal("400 Bad Request", "Field assetData should not be empty") };
        fields.insert("filename".to_owned(), name);
        let wanted: &[&str] = if self.version[0] < 3 { &["deviceAssetId", "deviceId"] } else { &[] };
        if let Some(missing) = wanted.iter().find(|name| fields.get(**name).is_none_or(String::is_empty)) {
            return refusal("400 Bad Request", json!([format!("{missing} should not be empty")]));
        }
        for name in ["fileCreatedAt", "fileModifiedAt"] {
            if !fields.get(name).is_some_and(|text| is_date(text)) {
                return refusal("400 Bad Request", json!([format!("{name} must be an ISO 8601 date")]));
            }
        }
        if fields.get("livePhotoVideoId").is_some_and(|video| self.by_id(video).is_none()) {
            return refusal("400 Bad Request", "Live photo video not found");
        }
        if fields.get("visibility").is_some_and(|shown| !VISIBILITIES.contains(&shown.as_str())) {
            return refusal("400 Bad Request", json!(["visibility must be one of archive, timeline, hidden, locked"]));
        }
        if self.quota.is_some_and(|quota| self.used() + bytes.len() as u64 > quota) {
            return refusal("400 Bad Request", "Quota has been exceeded!");
        }
        if self.damages && !bytes.is_empty() {
            bytes[0] ^= 1;
        }
        let checksum = sha1(&bytes);
        if let Some(asset) = self.assets.get(&checksum) {
            return answer("200 OK", &json!({ "id": asset.id, "status": "duplicate" }));
        }
        if let Some(video) = fields.get("livePhotoVideoId") {
            self.hide(video);
        }
        self.made += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.made);
        if !self.forgets {
            self.assets.insert(checksum, Asset { id: id.clone(), fields, bytes, sidecar, trashed: false });
        }
        answer("201 Created", &json!({ "id": id, "status": "created" }))
    }

    fn delete(&mut self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(ids) = body["ids"].as_array() else { return refusal("400 Bad Request", json!(["ids must be an array"])) };
        let ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
        if ids.iter().any(|id| self.reach(id).is_none()) {
            return refusal("400 Bad Request", "Not found or no asset.delete access");
        }
        let named = |asset: &Asset| ids.contains(&asset.id.as_str());
        if body["force"] == true {
            self.assets.retain(|_, asset| !named(asset));
        } else {
            self.assets.values_mut().filter(|asset| named(asset)).for_each(|asset| asset.trashed = true);
        }
        Answer::new("204 No Content")
    }
}

impl Protocol for ImmichServer {
    /// The guards, and what the header fields of an upload tell of its content.
    fn refuses(&self, head: &Request) -> Option<Answer> {
        let path = head.target().strip_prefix(self.base).unwrap_or_default();
        if let Some(refusal) = self.guard(head, path) {
            return Some(refusal);
        }
        let known = head.header("x-immich-checksum").and_then(checksum).and_then(|checksum| self.assets.get(&checksum));
        let asset = known.filter(|_| (head.method.as_str(), path) == ("POST", "/api/assets"))?;
        Some(answer("200 OK", &json!({ "id": asset.id, "status": "duplicate" })))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        let [major, minor, patch] = self.version;
        match (request.method.as_str(), request.target().strip_prefix(self.base).unwrap_or_default()) {
            ("GET", "/.well-known/immich") => answer("200 OK", &json!({ "api": { "endpoint": format!("{}/api", self.base) } })),
            ("GET", "/api/server/ping") => answer("200 OK", &json!({ "res": "pong" })),
            // `ServerConfigDto`, as far as it is looked at.
            ("GET", "/api/server/config") => answer("200 OK", &json!({ "externalDomain": self.domain, "isInitialized": true })),
            ("GET", "/api/server/version") => answer("200 OK", &json!({ "major": major, "minor": minor, "patch": patch })),
            ("GET", "/api/server/media-types") => {
                answer("200 OK", &json!({ "image": IMAGES, "video": VIDEOS, "sidecar": SIDECARS }))
            }
            ("GET", "/api/api-keys/me") => {
                answer("200 OK", &json!({ "id": "key", "name": "test", "permissions": self.permissions }))
            }
            ("GET", "/api/users/me") => answer(
                "200 OK",
                &json!({ "id": "user", "name": "User", "quotaSizeInBytes": self.quota, "quotaUsageInBytes": self.used() }),
            ),
            ("POST", "/api/assets/bulk-upload-check") => self.check(request),
            ("POST", "/api/assets") => self.upload(request),
            ("DELETE", "/api/assets") => self.delete(request),
            ("POST", "/api/stacks") => self.stack(request),
            ("GET", "/api/albums") => self.list_albums(request),
            ("POST", "/api/albums") => self.create_album(request),
            ("PUT", path) if path.starts_with("/api/albums/") => {
                self.fill_album(request, path["/api/albums/".len()..].trim_end_matches("/assets"))
            }
            ("GET" | "PUT", path) if path.starts_with("/api/assets/") => self.asset(request, &path["/api/assets/".len()..]),
            (method, path) => refusal("404 Not Found", format!("Cannot {method} {path}")),
        }
    }

    fn objects(&self) -> Vec<Object> {
        let visible = self.assets.values().filter(|asset| !asset.trashed);
        visible.map(|asset| Object { name: asset.fields["filename"].clone(), bytes: asset.bytes.clone() }).collect()
    }

    fn leftovers(&self) -> usize {
        0
    }
}
