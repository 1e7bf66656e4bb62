//! What servers that speak WebDAV (RFC 4918) have in common: places, folders, looking, renaming.
//!
//! A session's URL carries in its fragment, which never leaves this computer, what has to be known between two steps: see [`Marked`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use afterglow_model::FailureClass;
use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use percent_encoding::percent_decode_str;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use roxmltree::{Document, Node};
use url::Url;

use crate::{
    destination::{Content, Proof, Setback},
    driver::hex,
    failure,
    payload::Payload,
    wire::{Answer, Wire},
};

const DEPTH: HeaderName = HeaderName::from_static("depth");
const DESTINATION: HeaderName = HeaderName::from_static("destination");
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");
/// A date for the file, in seconds since 1970. ownCloud's; Nextcloud, PhotoPrism and others take it too, and the rest ignore it.
const X_OC_MTIME: HeaderName = HeaderName::from_static("x-oc-mtime");

const X_RECALCULATE_HASH: HeaderName = HeaderName::from_static("x-recalculate-hash");
pub(crate) const OC_CHECKSUM: HeaderName = HeaderName::from_static("oc-checksum");

/// Bytes of a file that a server digests in a second at least: a small NAS with a busy disk.
const DIGESTED_PER_S: u64 = 10_000_000;

const NAMESPACE: &str = "DAV:";

/// How long a server may read in a file of so many bytes.
fn digesting(byte_count: u64) -> Duration {
    Duration::from_secs(byte_count / DIGESTED_PER_S)
}

/// Where ownCloud's own properties are.
const OWNCLOUD: &str = "http://owncloud.org/ns";

/// The two properties that tell a file of so many bytes from a folder (sections 15.4 and 15.9), and ownCloud's digests.
const LOOK: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:" xmlns:oc="http://owncloud.org/ns">"#,
    r#"<prop><getcontentlength/><resourcetype/><oc:checksums/></prop></propfind>"#
);

/// Something that is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The last part of its path, decoded.
    pub(crate) name: String,
    /// Its size in bytes, if it is a file and the server says it.
    pub(crate) byte_count: Option<u64>,
    /// The SHA-1 that the server states of it: its own, unless whoever stored the file has sent one along, as we never do.
    pub(crate) sha1: Option<[u8; 20]>,
}

/// What became of giving a file another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renamed {
    /// It has it.
    Done,
    /// Something else has that name.
    Taken,
    /// There is no such file, or not any more.
    Gone,
}

/// What a session's URL carries besides where the bytes go: the fragment `byte count,part bytes,date,path of the target`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    /// The size of the whole file.
    pub(crate) byte_count: u64,
    /// The size of its parts; 0 where it goes in one piece.
    pub(crate) part_bytes: u64,
    /// The file's date, in seconds since 1970; 0 for none.
    pub(crate) created_s: u64,
    /// The file that the session becomes.
    pub(crate) target: Url,
}

impl Marked {
    /// `place` with this in its fragment.
    pub(crate) fn on(&self, mut place: Url) -> Url {
        let Self { byte_count, part_bytes, created_s, target } = self;
        place.set_fragment(Some(&format!("{byte_count},{part_bytes},{created_s},{}", target.path())));
        place
    }

    /// None for the URL of no session of ours.
    pub(crate) fn of(session: &Url) -> Option<Self> {
        let mut fields = session.fragment()?.splitn(4, ',');
        let mut number = || fields.next()?.parse().ok();
        let (byte_count, part_bytes, created_s) = (number()?, number()?, number()?);
        let mut target = plain(session);
        target.set_path(fields.next()?);
        Some(Self { byte_count, part_bytes, created_s, target })
    }
}

/// A URL without its fragment.
pub(crate) fn plain(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

/// `base` with further parts of a path, each encoded so that it stays one part.
pub(crate) fn beneath<S: AsRef<str>>(base: &Url, parts: impl IntoIterator<Item = S>) -> Url {
    let mut url = plain(base);
    url.set_query(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// The photo's date in seconds since 1970; 0 for one that a server may not take: before 1970 or in the future.
pub(crate) fn created_s(content: &Content) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let created = content.created_ms.and_then(|ms| u64::try_from(ms / 1000).ok());
    created.filter(|seconds| *seconds <= now).unwrap_or(0)
}

/// The header field with the file's date, if it has one.
pub(crate) fn dated(headers: &mut HeaderMap, created_s: u64) {
    if created_s > 0 {
        headers.insert(X_OC_MTIME, HeaderValue::from(created_s));
    }
}

/// What is at a place, compared with a content.
pub(crate) enum Found {
    Nothing,
    Other,
    Same(Proof),
}

/// How a server that computes digests of what it stores may tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digests {
    /// When it is asked for one, as Nextcloud does. The property is there whatever others have said.
    Computed,
    /// As a property of each file, as ownCloud does.
    Stated,
}

/// What was found out about a server's digests, as it is noted.
const STATES_NOTHING: u8 = 0;
const STATES: u8 = 1;
const STATES_NONSENSE: u8 = 2;

/// A line to a WebDAV server.
pub(crate) struct Dav<'a> {
    pub(crate) wire: Wire<'a>,
    pub(crate) digests: Digests,
}

impl Dav<'_> {
    /// What is left of a session that is not there any more.
    pub(crate) fn lost(&self) -> Setback {
        Setback::SessionGone(failure::lost_bytes(self.wire.host()))
    }

    pub(crate) fn nonsense(&self, what: &str) -> Setback {
        Setback::Failed(failure::unexpected(self.wire.host(), what))
    }

    /// What a status other than success means, where it has no meaning of its own in the step.
    pub(crate) fn setback(&self, answer: &Answer) -> Setback {
        let failure = answer.failure(self.wire.host());
        match answer.status {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Setback::Failed(failure::no_webdav(self.wire.host())),
            // No folder where one was made (section 9.7.1): somebody is moving things about.
            StatusCode::CONFLICT => Setback::Doubt(failure::unexpected(self.wire.host(), "no folder for the file")),
            // Nothing that a repeat would change: a session may be spoilt, so another is begun once.
            StatusCode::BAD_REQUEST => Setback::Spoilt(failure),
            _ if failure::may_work_at_once(&failure) => Setback::Doubt(failure),
            _ => Setback::Failed(failure),
        }
    }

    pub(crate) async fn ask(&self, method: &'static str, url: &Url, headers: HeaderMap) -> Result<Answer, Setback> {
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| Setback::Failed(failure::internal("an unsendable method")))?;
        self.wire.exchange(method, url, headers, Payload::empty()).await
    }

    async fn properties(&self, url: &Url, depth: &'static str, byte_count: u64) -> Result<Option<Vec<Resource>>, Setback> {
        let method = Method::from_bytes(b"PROPFIND").map_err(|_| Setback::Failed(failure::internal("an unsendable method")))?;
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(DEPTH, HeaderValue::from_static(depth));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
        let payload = Payload::Whole(Bytes::from_static(LOOK.as_bytes()));
        let answer = self.wire.exchange_at_leisure(method, url, headers, payload, digesting(byte_count)).await?;
        match answer.status {
            StatusCode::MULTI_STATUS => {
                multistatus(&answer.body).map(Some).ok_or_else(|| self.nonsense("an unreadable list of properties"))
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => Err(self.nonsense("no properties where some were asked for")),
            _ => Err(self.setback(&answer)),
        }
    }

    /// What is at a place (section 9.1, `Depth: 0`), for which the server may have to read a file of so many bytes; none if there is nothing.
    pub(crate) async fn look(&self, url: &Url, byte_count: u64) -> Result<Option<Resource>, Setback> {
        match self.properties(url, "0", byte_count).await? {
            None => Ok(None),
            Some(found) => found.into_iter().next().map(Some).ok_or_else(|| self.nonsense("an empty list of properties")),
        }
    }

    /// What is in a folder (`Depth: 1`), the folder itself among it; none if it is not there.
    pub(crate) async fn list(&self, url: &Url) -> Result<Option<Vec<Resource>>, Setback> {
        self.properties(url, "1", 0).await
    }

    /// Makes the folders beneath `base` that are missing. Mostly all are there, so the innermost is tried first.
    pub(crate) async fn make_folders(&self, base: &Url, folders: &[String]) -> Result<(), Setback> {
        let mut there = folders.len();
        while there > 0 && !self.make_folder(base, &folders[..there]).await? {
            there -= 1;
        }
        if there == 0 {
            return Err(Setback::Failed(failure::of_status(self.wire.host(), StatusCode::NOT_FOUND, None)));
        }
        for depth in there + 1..=folders.len() {
            if !self.make_folder(base, &folders[..depth]).await? {
                return Err(Setback::Doubt(failure::unexpected(self.wire.host(), "no folder for the file")));
            }
        }
        Ok(())
    }

    /// False if the folder that it would lie in is missing (section 9.3.1: 409; Go's server says 404). 405: it is there already.
    async fn make_folder(&self, base: &Url, folders: &[String]) -> Result<bool, Setback> {
        let url = beneath(base, folders.iter().map(String::as_str).chain([""]));
        let answer = self.ask("MKCOL", &url, HeaderMap::new()).await?;
        match answer.status {
            StatusCode::METHOD_NOT_ALLOWED => Ok(true),
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            // Of several who make it at once, mod_dav tells all but the first 403.
            _ if self.look(&url, 0).await?.is_some() => Ok(true),
            _ => Err(self.setback(&answer)),
        }
    }

    /// Gives what is at `from` the name `to`, unless something has it (section 9.9, `Overwrite: F`).
    ///
    /// Behind a proxy that ends TLS, some servers (mod_dav, Go's) take the scheme or host in `Destination` for another server's and
    /// answer 502. Section 10.3 lets the path stand alone, so that is tried then; if a gateway only lost the answer, the file is gone.
    pub(crate) async fn rename(&self, from: &Url, to: &Url, headers: HeaderMap) -> Result<Renamed, Setback> {
        let (mut destination, mut tried) = (to.as_str(), false);
        loop {
            let mut headers = headers.clone();
            self.destined(&mut headers, destination)?;
            headers.insert(OVERWRITE, HeaderValue::from_static("F"));
            let answer = self.ask("MOVE", from, headers).await?;
            return match answer.status {
                StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(Renamed::Done),
                StatusCode::PRECONDITION_FAILED => Ok(Renamed::Taken),
                StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Renamed::Gone),
                StatusCode::BAD_GATEWAY if !tried => {
                    (destination, tried) = (to.path(), true);
                    continue;
                }
                status if status.is_success() => Err(self.nonsense("neither renamed nor refused")),
                _ => Err(self.setback(&answer)),
            };
        }
    }

    /// The SHA-256 that the server computes from what it stores; none if it does not, or if nothing is there. Asked for by `PATCH` with
    /// `X-Recalculate-Hash` (Nextcloud 23 and later, `Connector/Sabre/ChecksumUpdatePlugin.php`).
    async fn server_digest(&self, place: &Url, byte_count: u64) -> Result<Option<[u8; 32]>, Setback> {
        if self.digests != Digests::Computed {
            return Ok(None);
        }
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(X_RECALCULATE_HASH, HeaderValue::from_static("sha256"));
        // It reads the whole file before it answers.
        let work = digesting(byte_count);
        let answer = self.wire.exchange_at_leisure(Method::PATCH, place, headers, Payload::empty(), work).await?;
        if answer.status.is_success() {
            let stated = answer.headers.get(OC_CHECKSUM).and_then(|value| value.to_str().ok());
            return Ok(stated.and_then(|stated| hex(stated.strip_prefix("SHA256:")?)));
        }
        match answer.status {
            // Other servers of this kind, and folders that may be added to but not changed.
            StatusCode::NOT_IMPLEMENTED => Ok(None),
            StatusCode::UNAUTHORIZED => Err(self.setback(&answer)),
            status if status.is_client_error() && answer.failure(self.wire.host()).class != FailureClass::Transient => Ok(None),
            _ => Err(self.setback(&answer)),
        }
    }

    /// What the server proves of what it holds at a place where we have put the content; none if nothing is there, or not that any more.
    pub(crate) async fn prove(&self, target: &Url, content: &Content) -> Result<Option<Proof>, Setback> {
        let remote_id = target.to_string();
        if self.wire.config().read_back {
            let read = self.wire.read_back(target).await?;
            return Ok(read.map(|(digest, bytes)| Proof { remote_id, digest: Some(digest), byte_count: Some(bytes) }));
        }
        if let Some(digest) = self.server_digest(target, content.byte_count).await? {
            return Ok(Some(Proof { remote_id, digest: Some(digest), byte_count: None }));
        }
        let found = self.look(target, content.byte_count).await?.filter(|found| self.is_said_to_be(found, content) != Some(false));
        Ok(found.map(|found| {
            let digest = self.is_said_to_be(&found, content).map(|_| content.digest);
            Proof { remote_id, digest, byte_count: found.byte_count }
        }))
    }

    /// Whether a file has the content's SHA-1, by the server's word; none if it has not said, or we do not know.
    pub(crate) fn is_said_to_be(&self, found: &Resource, content: &Content) -> Option<bool> {
        let stated = found.sha1.filter(|_| self.states_digests() == Some(true))?;
        Some(stated == content.sha1?)
    }

    /// Whether the server states digests of its own, as far as is known.
    pub(crate) fn states_digests(&self) -> Option<bool> {
        match self.digests {
            Digests::Computed => Some(false),
            Digests::Stated => self.wire.noted().map(|noted| noted == STATES),
        }
    }

    /// Notes whether a file of ours came with a digest. Of what lies on a mounted drive a server may state none, and one that was not believed
    /// is not believed again.
    pub(crate) fn note_digest(&self, is_stated: bool) {
        let found = if is_stated { STATES } else { STATES_NOTHING };
        if self.wire.noted().is_none_or(|noted| noted == STATES_NOTHING && is_stated) {
            self.wire.note_lastingly(found, found);
        }
    }

    /// Notes that what the server states is of something else than of the bytes that it stores.
    pub(crate) fn disbelieve_digests(&self) {
        self.wire.note_lastingly(STATES_NONSENSE, STATES_NONSENSE);
    }

    /// Whether the file at a place is the content. Its bytes decide, read back if need be: equal sizes are common among photos of one
    /// camera. The proof claims what any other delivery there is able to claim.
    pub(crate) async fn compare(&self, place: &Url, content: &Content) -> Result<Found, Setback> {
        let Some(found) = self.look(place, content.byte_count).await? else { return Ok(Found::Nothing) };
        if found.byte_count != Some(content.byte_count) {
            return Ok(Found::Other);
        }
        let reads_back = self.wire.config().read_back;
        let stated = if reads_back { None } else { self.server_digest(place, content.byte_count).await? };
        let digest = match stated {
            Some(digest) => Some(digest),
            None => self.wire.read_back(place).await?.map(|(digest, _)| digest),
        };
        Ok(match digest {
            None => Found::Nothing,
            Some(digest) if digest != content.digest => Found::Other,
            digest => {
                // The bytes are the content's, and so is what a server of that kind has computed of them.
                let states = self.digests == Digests::Stated && found.sha1.is_some();
                let digest = if reads_back || states { digest } else { stated };
                Found::Same(Proof { remote_id: place.to_string(), digest, byte_count: found.byte_count })
            }
        })
    }

    /// The first of these places that nothing has, or the proof that the content is there. `Err` within: the place.
    pub(crate) async fn place(&self, targets: [Url; 4], content: &Content) -> Result<Result<Proof, Url>, Setback> {
        for target in targets {
            match self.compare(&target, content).await? {
                Found::Nothing => return Ok(Err(target)),
                Found::Same(proof) => return Ok(Ok(proof)),
                Found::Other => {}
            }
        }
        Err(Setback::Failed(failure::digest_mismatch(self.wire.host())))
    }

    pub(crate) fn destined(&self, headers: &mut HeaderMap, destination: &str) -> Result<(), Setback> {
        let value = HeaderValue::from_str(destination).map_err(|_| Setback::Failed(failure::internal("an unsendable field")))?;
        headers.insert(DESTINATION, value);
        Ok(())
    }

    /// Best effort.
    pub(crate) async fn delete(&self, url: &Url) {
        if let Err(setback) = self.ask("DELETE", url, HeaderMap::new()).await {
            tracing::debug!(host = self.wire.host(), ?setback, "something of ours was left");
        }
    }
}

/// The resources that an answer describes (section 14.16), in its order; none if it is no such answer. What is said to be missing there is
/// left out.
fn multistatus(body: &[u8]) -> Option<Vec<Resource>> {
    let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    let root = document.root_element();
    if !root.has_tag_name((NAMESPACE, "multistatus")) {
        return None;
    }
    let responses = root.children().filter(|node| node.has_tag_name((NAMESPACE, "response")));
    Some(responses.filter_map(resource).collect())
}

fn resource(response: Node<'_, '_>) -> Option<Resource> {
    let named = |node: Node<'_, '_>, name: &str| node.has_tag_name((NAMESPACE, name));
    let text = |node: Node<'_, '_>, name: &str| Some(node.children().find(|node| named(*node, name))?.text()?.trim().to_owned());
    // Alone, or of some properties: `HTTP/1.1 200 OK`.
    let is_fine = |status: &str| status.split_ascii_whitespace().nth(1).is_some_and(|code| code.starts_with('2'));
    if text(response, "status").is_some_and(|status| !is_fine(&status)) {
        return None;
    }
    let href = text(response, "href")?;
    let last = href.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(last).decode_utf8_lossy().into_owned();
    let properties = response.children().filter(|node| named(*node, "propstat"));
    let found = properties.filter(|node| text(*node, "status").is_some_and(|status| is_fine(&status)));
    let found: Vec<Node<'_, '_>> = found.flat_map(|node| node.children().filter(|node| named(*node, "prop"))).collect();
    let is_folder = found.iter().flat_map(Node::descendants).any(|node| named(node, "collection"));
    let byte_count = found.iter().find_map(|prop| text(*prop, "getcontentlength")?.parse().ok()).filter(|_| !is_folder);
    // One element with all algorithms, or one for each (`ChecksumList.php`): `SHA1:… MD5:… ADLER32:…`.
    let checksums = found.iter().flat_map(Node::descendants).filter(|node| node.has_tag_name((OWNCLOUD, "checksum")));
    let mut checksums = checksums.filter_map(|node| node.text()).flat_map(str::split_ascii_whitespace);
    let sha1 = checksums.find_map(|stated| {
        let (algorithm, digest) = stated.split_once(':')?;
        let digest = HEXLOWER_PERMISSIVE.decode(digest.as_bytes()).ok().filter(|_| algorithm.eq_ignore_ascii_case("SHA1"))?;
        digest.try_into().ok()
    });
    Some(Resource { name, byte_count, sha1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_has_is_read_whatever_its_prefixes() {
        let apache = br#"<?xml version="1.0" encoding="utf-8"?>
            <D:multistatus xmlns:D="DAV:" xmlns:ns0="DAV:">
            <D:response xmlns:lp1="DAV:"><D:href>/dav/Gr%C3%BC%C3%9Fe.jpg</D:href>
            <D:propstat><D:prop><lp1:getcontentlength>30000</lp1:getcontentlength><lp1:resourcetype/></D:prop>
            <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
            <D:response><D:href>/dav/gone</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>
            <D:response><D:href>/dav/2023/</D:href>
            <D:propstat><D:prop><resourcetype xmlns="DAV:"><collection/></resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
            <D:propstat><D:prop><D:getcontentlength>7</D:getcontentlength></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>
            </D:response></D:multistatus>"#;
        let named = |name: &str, byte_count| Resource { name: name.to_owned(), byte_count, sha1: None };
        assert_eq!(multistatus(apache), Some(vec![named("Grüße.jpg", Some(30_000)), named("2023", None)]));
        assert_eq!(multistatus(b"<multistatus/>"), None);
        assert_eq!(multistatus(b"<a><b></a>"), None);
        assert_eq!(multistatus(b"<!DOCTYPE a [<!ENTITY b \"c\">]><multistatus xmlns=\"DAV:\">&b;</multistatus>"), None);
    }

    #[test]
    fn a_digest_is_read_as_owncloud_states_it() {
        let of = |checksums: &str| {
            let body = format!(
                r#"<d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:response><d:href>/a</d:href><d:propstat>
                <d:prop><d:getcontentlength>1</d:getcontentlength><oc:checksums>{checksums}</oc:checksums></d:prop>
                <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"#
            );
            multistatus(body.as_bytes()).unwrap()[0].sha1
        };
        let (md5, sha1) = ("d70b40f177b14b470d1756a3c12b963a", "a9993e364706816aba3e25717850c26c9cd0d89d");
        let known = HEXLOWER_PERMISSIVE.decode(sha1.as_bytes()).unwrap().try_into().ok();
        let together = format!("<oc:checksum>SHA1:{sha1} MD5:{md5} ADLER32:024d0127</oc:checksum>");
        assert_eq!(of(&together), known);
        assert_eq!(of(&format!("<oc:checksum>MD5:{md5}</oc:checksum><oc:checksum>sha1:{sha1}</oc:checksum>")), known);
        assert_eq!(of(&format!("<oc:checksum>MD5:{md5}</oc:checksum><oc:checksum>SHA1:{md5}</oc:checksum>")), None);
        assert_eq!(of("<oc:checksum></oc:checksum>"), None);
    }

    #[test]
    fn a_session_remembers_its_target() {
        let base: Url = "https://nas.example:8443/dav/photos".parse().unwrap();
        let target = beneath(&base, ["a?b#c%20d, e.jpg"]);
        assert_eq!(target.as_str(), "https://nas.example:8443/dav/photos/a%3Fb%23c%2520d,%20e.jpg");
        let marked = Marked { byte_count: 7, part_bytes: 0, created_s: 1_700_000_000, target };
        let session = marked.on(beneath(&base, [".part"]));
        assert_eq!(Marked::of(&session.as_str().parse().unwrap()), Some(marked));
        assert_eq!(plain(&session).as_str(), "https://nas.example:8443/dav/photos/.part");
        assert_eq!(Marked::of(&base), None);
    }
}
