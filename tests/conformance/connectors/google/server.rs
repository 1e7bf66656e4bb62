//! Google Photos by its Library API, and Google's OAuth for programs on a computer: as far as photos are added to it.

use std::collections::BTreeMap;

use afterglow_tests::model_server::{Answer, Object, Protocol, Request};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

/// The OAuth client that it knows, as the person has made it.
pub(crate) const CLIENT: (&str, &str) = ("canary.apps.googleusercontent.com", "canary-client-secret");
/// The lasting access of a sign-in that was before.
pub(crate) const REFRESH_TOKEN: &str = "1//canary-refresh-token";

pub(crate) const GRANULARITY: usize = 256 * 1024;

const SCOPES: &str = "https://www.googleapis.com/auth/photoslibrary.appendonly \
                      https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata \
                      https://www.googleapis.com/auth/photoslibrary.edit.appcreateddata";

/// Endings of files that it takes.
const TAKEN: [&str; 5] = ["avif", "heic", "jpg", "mp4", "png"];

/// What the secret store holds of [`REFRESH_TOKEN`].
pub(crate) fn secret() -> String {
    json!({ "client_id": CLIENT.0, "client_secret": CLIENT.1, "refresh_token": REFRESH_TOKEN }).to_string()
}

/// A resumable upload.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    size: usize,
    bytes: Vec<u8>,
    state: State,
    /// Somebody has used its URL.
    known: bool,
}

#[derive(Debug, Default, PartialEq, Clone, Copy)]
enum State {
    #[default]
    Active,
    Final,
    Cancelled,
}

/// A photo.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) filename: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) album: Option<String>,
}

/// What the person was asked, by the code that they were given for it.
#[derive(Debug)]
struct Asked {
    challenge: String,
    redirect: String,
}

/// The server.
#[derive(Debug)]
pub(crate) struct GoogleServer {
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// Bytes by their token, and the photo that they were made.
    pub(crate) tokens: BTreeMap<String, (Vec<u8>, Option<String>)>,
    pub(crate) items: Vec<Item>,
    /// Titles by id.
    pub(crate) albums: BTreeMap<String, String>,
    /// Sign-ins that are good.
    pub(crate) refresh_tokens: Vec<String>,
    /// The access token that is good; older ones have ended.
    pub(crate) access_token: String,
    /// What the person allows, and whether at all.
    pub(crate) scopes: &'static str,
    pub(crate) allows: bool,
    /// Says `RESOURCE_EXHAUSTED` of each new photo.
    pub(crate) is_full: bool,
    /// Refuses the whole request for a token that it does not know, instead of its item.
    pub(crate) is_strict: bool,
    codes: BTreeMap<String, Asked>,
    made: usize,
}

impl Default for GoogleServer {
    fn default() -> Self {
        Self {
            uploads: BTreeMap::new(),
            tokens: BTreeMap::new(),
            items: Vec::new(),
            albums: BTreeMap::new(),
            refresh_tokens: vec![REFRESH_TOKEN.to_owned()],
            access_token: "none yet".to_owned(),
            scopes: SCOPES,
            allows: true,
            is_full: false,
            is_strict: false,
            codes: BTreeMap::new(),
            made: 0,
        }
    }
}

fn answer(status: &str, body: &Value) -> Answer {
    Answer::new(status).body("application/json; charset=UTF-8", body.to_string())
}

/// An error as Google's APIs write it.
pub(crate) fn refusal(status: &str, name: &str, message: &str) -> Answer {
    let (code, _) = status.split_once(' ').unwrap();
    answer(status, &json!({ "error": { "code": code.parse::<u16>().unwrap(), "message": message, "status": name } }))
}

fn invalid(message: &str) -> Answer {
    refusal("400 Bad Request", "INVALID_ARGUMENT", message)
}

/// An error as OAuth writes it (RFC 6749 section 5.2).
fn oauth(status: &str, error: &str) -> Answer {
    answer(status, &json!({ "error": error, "error_description": "Bad Request" }))
}

fn integer(request: &Request, name: &str) -> Option<usize> {
    request.header(name)?.parse().ok()
}

impl GoogleServer {
    fn serial(&mut self, what: &str) -> String {
        self.made += 1;
        // As long as real ones, with what has to be encoded in a URL.
        format!("{what}-{}/{}+_=", self.made, "A9".repeat(60))
    }

    /// The page at which the person says yes at once.
    fn consent(&mut self, request: &Request) -> Answer {
        let query = request.query();
        let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let wanted =
            [("client_id", CLIENT.0), ("response_type", "code"), ("code_challenge_method", "S256"), ("access_type", "offline")];
        let redirect = Url::parse(of("redirect_uri"));
        let loopback = redirect.as_ref().is_ok_and(|url| url.scheme() == "http" && url.host_str() == Some("127.0.0.1"));
        let names_all = wanted.iter().all(|(name, value)| of(name) == *value) && of("scope").split(' ').eq(SCOPES.split(' '));
        if !names_all || !loopback || of("code_challenge").len() != 43 || of("state").len() < 16 {
            return Answer::new("400 Bad Request").body("text/html", "Error 400: invalid_request");
        }
        let mut back = redirect.unwrap();
        if self.allows {
            let code = self.serial("code");
            back.query_pairs_mut().append_pair("state", of("state")).append_pair("code", &code).append_pair("scope", self.scopes);
            let (challenge, redirect) = (of("code_challenge").to_owned(), of("redirect_uri").to_owned());
            self.codes.insert(code, Asked { challenge, redirect });
        } else {
            back.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", of("state"));
        }
        Answer::new("302 Found").with("Location", back)
    }

    fn token(&mut self, request: &Request) -> Answer {
        if request.header("content-type") != Some("application/x-www-form-urlencoded") {
            return oauth("400 Bad Request", "invalid_request");
        }
        let form: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if (of("client_id"), of("client_secret")) != CLIENT {
            return oauth("401 Unauthorized", "invalid_client");
        }
        let mut given = json!({ "expires_in": 3599, "scope": self.scopes, "token_type": "Bearer" });
        match of("grant_type") {
            "refresh_token" if self.refresh_tokens.iter().any(|known| known == of("refresh_token")) => {}
            "authorization_code" => {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier")));
                let fits = |asked: Asked| asked.challenge == challenge && asked.redirect == of("redirect_uri");
                if !self.codes.remove(of("code")).is_some_and(fits) {
                    return oauth("400 Bad Request", "invalid_grant");
                }
                let refresh_token = self.serial("1//refresh");
                given["refresh_token"] = refresh_token.as_str().into();
                self.refresh_tokens.push(refresh_token);
            }
            "refresh_token" => return oauth("400 Bad Request", "invalid_grant"),
            _ => return oauth("400 Bad Request", "unsupported_grant_type"),
        }
        self.access_token = self.serial("ya29.access");
        given["access_token"] = self.access_token.as_str().into();
        answer("200 OK", &given)
    }

    fn stored(&mut self, bytes: Vec<u8>) -> Answer {
        let token = self.serial("CAISiQ");
        self.tokens.insert(token.clone(), (bytes, None));
        Answer::new("200 OK").with("X-Goog-Upload-Status", "final").body("text/plain", token)
    }

    fn upload(&mut self, request: &Request) -> Answer {
        if let Some(id) = request.query().get("upload_id") {
            return self.go_on(&id.clone(), request);
        }
        let kind = request.header("x-goog-upload-content-type");
        if kind.is_none_or(|kind| !kind.contains('/')) {
            return invalid("no media type");
        }
        match (request.header("x-goog-upload-protocol"), request.header("x-goog-upload-command")) {
            (Some("raw"), None)
                if request.header("content-type") == Some("application/octet-stream") && !request.body.is_empty() =>
            {
                self.stored(request.body.clone())
            }
            (Some("resumable"), Some("start")) if request.body.is_empty() => {
                let Some(size) = integer(request, "x-goog-upload-raw-size").filter(|size| *size > 0) else {
                    return invalid("no size");
                };
                let id = self.serial("AE-upload");
                self.uploads.insert(id.clone(), Upload { size, ..Upload::default() });
                let host = request.header("host").unwrap();
                let query = form_urlencoded::Serializer::new(String::new()).append_pair("upload_id", &id).finish();
                Answer::new("200 OK")
                    .with("X-Goog-Upload-URL", format!("http://{host}/v1/uploads?{query}&upload_protocol=resumable"))
                    .with("X-Goog-Upload-Chunk-Granularity", GRANULARITY)
                    .with("X-Goog-Upload-Status", "active")
            }
            _ => invalid("no upload"),
        }
    }

    fn go_on(&mut self, id: &str, request: &Request) -> Answer {
        let Some(upload) = self.uploads.get_mut(id) else { return Answer::new("404 Not Found") };
        upload.known = true;
        let command = request.header("x-goog-upload-command").unwrap_or_default();
        let state = match upload.state {
            State::Active => "active",
            State::Final => "final",
            State::Cancelled => "cancelled",
        };
        let said = Answer::new("200 OK").with("X-Goog-Upload-Status", state);
        match (command, upload.state) {
            ("query", State::Active) => return said.with("X-Goog-Upload-Size-Received", upload.bytes.len()),
            ("query", _) => return said,
            (_, State::Final | State::Cancelled) => return invalid("Upload has already been terminated."),
            ("cancel", State::Active) => {
                upload.state = State::Cancelled;
                return Answer::new("200 OK").with("X-Goog-Upload-Status", "cancelled");
            }
            (_, State::Active) => {}
        }
        let finalizes = matches!(command, "finalize" | "upload, finalize");
        if !finalizes && command != "upload" || integer(request, "x-goog-upload-offset") != Some(upload.bytes.len()) {
            return invalid("wrong command or offset");
        }
        let total = upload.bytes.len() + request.body.len();
        let is_whole =
            if finalizes { total == upload.size } else { total <= upload.size && request.body.len().is_multiple_of(GRANULARITY) };
        if !is_whole || (command == "finalize") != request.body.is_empty() {
            return invalid("wrong size");
        }
        upload.bytes.extend_from_slice(&request.body);
        if !finalizes {
            return said;
        }
        upload.state = State::Final;
        let bytes = std::mem::take(&mut upload.bytes);
        self.stored(bytes)
    }

    fn create(&mut self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(wanted) = body["newMediaItems"].as_array().filter(|items| (1..=50).contains(&items.len())) else {
            return invalid("Request must have media items.");
        };
        let album = body.get("albumId").map(|id| id.as_str().unwrap_or_default().to_owned());
        if album.as_ref().is_some_and(|id| !self.albums.contains_key(id)) {
            return invalid("Invalid album ID.");
        }
        let mut results = Vec::new();
        for item in wanted {
            let of = |name: &str| item["simpleMediaItem"][name].as_str().unwrap_or_default().to_owned();
            let (token, filename) = (of("uploadToken"), of("fileName"));
            if filename.len() > 255 || self.is_strict && !self.tokens.contains_key(&token) {
                return invalid("Request must contain a valid upload token.");
            }
            results.push(self.result(&token, filename, album.clone()));
        }
        let failed = results.iter().any(|result| result["mediaItem"].is_null());
        let status = if failed { "207 Multi-Status" } else { "200 OK" };
        answer(status, &json!({ "newMediaItemResults": results }))
    }

    fn result(&mut self, token: &str, filename: String, album: Option<String>) -> Value {
        let failed = |code: u8, message: &str| json!({ "uploadToken": token, "status": { "code": code, "message": message } });
        let id = match self.tokens.get(token).cloned() {
            None => return failed(3, "Invalid upload token."),
            Some((_, Some(id))) => id,
            Some(_) if self.is_full => {
                return failed(8, "The remaining storage in the user's account is not enough to perform this operation.");
            }
            Some(_) if !TAKEN.contains(&filename.rsplit('.').next().unwrap()) => {
                return failed(3, "BAD_IMAGE: There was an error while trying to create this media item.");
            }
            Some((bytes, None)) => {
                let id = self.serial("item");
                self.tokens.insert(token.to_owned(), (bytes.clone(), Some(id.clone())));
                self.items.push(Item { id: id.clone(), filename: filename.clone(), bytes, album });
                id
            }
        };
        json!({ "uploadToken": token, "status": { "message": "Success" }, "mediaItem": { "id": id, "filename": filename } })
    }

    fn albums(&self, request: &Request) -> Answer {
        let query = request.query();
        let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
        let (size, from) = (number("pageSize").unwrap_or(20), number("pageToken").unwrap_or(0));
        if !(1..=50).contains(&size) {
            return invalid("Page size must be at most 50.");
        }
        let page: Vec<Value> =
            self.albums.iter().skip(from).take(size).map(|(id, title)| json!({ "id": id, "title": title })).collect();
        // Like Google: what is empty is left out.
        let mut body = json!({});
        if from + page.len() < self.albums.len() {
            body["nextPageToken"] = (from + page.len()).to_string().into();
        }
        if !page.is_empty() {
            body["albums"] = page.into();
        }
        answer("200 OK", &body)
    }

    fn new_album(&mut self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(title) = body["album"]["title"].as_str().filter(|title| (1..=500).contains(&title.chars().count())) else {
            return invalid("Request must have an album title.");
        };
        let id = self.serial("album");
        self.albums.insert(id.clone(), title.to_owned());
        answer("200 OK", &json!({ "id": id, "title": title, "isWriteable": true }))
    }
}

impl Protocol for GoogleServer {
    fn refuses(&self, head: &Request) -> Option<Answer> {
        let is_oauth = matches!(head.target(), "/token" | "/o/oauth2/v2/auth");
        let signed_in = head.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) == Some(&self.access_token);
        if is_oauth || signed_in {
            return None;
        }
        let message = "Request had invalid authentication credentials.";
        Some(refusal("401 Unauthorized", "UNAUTHENTICATED", message))
    }

    fn apply(&mut self, request: &Request) -> Answer {
        let is_json = request.header("content-type") == Some("application/json");
        match (request.method.as_str(), request.target()) {
            ("GET", "/o/oauth2/v2/auth") => self.consent(request),
            ("POST", "/token") => self.token(request),
            ("POST", "/v1/uploads") => self.upload(request),
            ("POST", "/v1/mediaItems:batchCreate") if is_json => self.create(request),
            ("GET", "/v1/albums") => self.albums(request),
            ("POST", "/v1/albums") if is_json => self.new_album(request),
            _ => refusal("404 Not Found", "NOT_FOUND", "Method not found."),
        }
    }

    /// Whole grains are kept.
    fn cut(&mut self, request: &Request) {
        let id = request.query().get("upload_id").cloned().unwrap_or_default();
        let goes_on = request.header("x-goog-upload-command").is_some_and(|command| command.starts_with("upload"));
        if let Some(upload) = self.uploads.get_mut(&id).filter(|upload| goes_on && upload.state == State::Active) {
            upload.known = true;
            let kept = request.body.len() / GRANULARITY * GRANULARITY;
            upload.bytes.extend_from_slice(&request.body[..kept]);
        }
    }

    fn objects(&self) -> Vec<Object> {
        self.items.iter().map(|item| Object { name: item.filename.clone(), bytes: item.bytes.clone() }).collect()
    }

    /// Bytes with a token are forgotten by themselves.
    fn leftovers(&self) -> usize {
        self.uploads.values().filter(|upload| upload.known && upload.state == State::Active).count()
    }
}
