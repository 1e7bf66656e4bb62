//! A file in parts: "CreateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload" and "AbortMultipartUpload".
//!
//! All that must be known of an upload after a crash is in its session's URL: the object, the upload's id, the size of its parts and
//! whether they go without checksums, and the size and the SHA-256 of the content. What was learnt of parts in this delivery is kept
//! beside, but the server's list decides.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{Method, StatusCode};
use sha2::{Digest, Sha256};
use url::Url;

use super::{CHECKSUM, CHECKSUM_ALGORITHM, CREATE_ONLY, Habits, MADE_FOR, S3, Standing, field, refusal, single::kind, xml};
use crate::{
    destination::{Begun, Content, Held, Proof, Setback},
    driver::base16,
    failure,
    fields::Limits,
    payload::Payload,
};

/// "Amazon S3 multipart upload limits": the least of a part but for the last, and how many parts there can be. The least is the usual size: a
/// break costs half of a part, and each transfer holds one in memory, since its digest is said before its bytes.
const PART_BYTES_MIN: u64 = 5 << 20;
const PARTS_MAX: u64 = 10_000;
/// A larger part, of a file of more than 160 GB, is sent as it is read, without a digest.
const PART_IN_MEMORY_MAX: u64 = 16 << 20;
/// Parts asked for at a time: an answer has to fit into what is read of one.
const PARTS_A_PAGE: &str = "100";

/// What this delivery has learnt of parts.
#[derive(Default)]
pub(super) struct Parts(Mutex<Learnt>);

#[derive(Default)]
struct Learnt {
    /// What was sent as each part.
    sent: BTreeMap<u64, Sent>,
    /// The server's list when it was last asked.
    listed: Vec<xml::Part>,
    /// The creation of an upload was asked for, and no answer came.
    is_unanswered: bool,
}

struct Sent {
    /// Base64 of its SHA-256.
    checksum: Option<String>,
    etag: String,
}

impl Parts {
    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upload under way, as its session's URL tells.
struct Upload {
    object: Url,
    id: String,
    part_bytes: u64,
    /// Its parts go without checksums. A server that was told of checksums at the creation wants one with each.
    is_bare: bool,
    byte_count: u64,
    digest: [u8; 32],
}

impl Upload {
    fn of(upload_url: &Url) -> Option<Self> {
        let query: HashMap<_, _> = upload_url.query_pairs().collect();
        let digest: Vec<u8> = STANDARD.decode(query.get("sha256")?.as_bytes()).ok()?;
        let mut object = upload_url.clone();
        object.set_query(None);
        let part_bytes = query.get("part_bytes")?.parse().ok().filter(|bytes| *bytes > 0)?;
        Some(Self {
            object,
            id: query.get("upload_id")?.to_string(),
            part_bytes,
            is_bare: part_bytes > PART_IN_MEMORY_MAX || query.contains_key("bare"),
            byte_count: query.get("byte_count")?.parse().ok()?,
            digest: digest.try_into().ok()?,
        })
    }

    fn url(&self) -> Url {
        let mut url = self.object.clone();
        url.query_pairs_mut()
            .append_pair("upload_id", &self.id)
            .append_pair("part_bytes", &self.part_bytes.to_string())
            .append_pair("byte_count", &self.byte_count.to_string())
            .append_pair("sha256", &STANDARD.encode(self.digest));
        if self.is_bare {
            url.query_pairs_mut().append_key_only("bare");
        }
        url
    }

    /// How many parts the content has.
    fn parts(&self) -> u64 {
        self.byte_count.div_ceil(self.part_bytes)
    }

    /// The bytes of the first parts of which none is missing or of another size than it must have.
    fn held(&self, listed: &[xml::Part]) -> u64 {
        let mut held = 0;
        for (part, number) in listed.iter().zip(1..) {
            if part.number != number || part.bytes != self.part_bytes.min(self.byte_count.saturating_sub(held)) {
                break;
            }
            held += part.bytes;
        }
        held
    }
}

impl S3<'_> {
    /// Begins an upload for an object that is not there.
    pub(super) async fn create(&self, object: &Url, content: &Content) -> Result<Begun, Setback> {
        let (habits, part_bytes) = (self.habits().await?, self.part_bytes(content.byte_count)?);
        let is_bare = habits.bare_parts || part_bytes > PART_IN_MEMORY_MAX;
        if self.parts.learnt().is_unanswered {
            self.abandon_unknown(object).await?;
        }
        *self.parts.learnt() = Learnt { is_unanswered: true, ..Learnt::default() };
        let made_for = base16(&content.digest);
        let mut headers = vec![(MADE_FOR, made_for.as_str()), ("content-type", kind(content))];
        if !is_bare {
            headers.push((CHECKSUM_ALGORITHM, "SHA256"));
        }
        let answer = self.ask(Method::POST, object, &[("uploads", "")], &headers, Payload::empty()).await?;
        if !answer.status.is_success() {
            let learnt = self.learns(&answer, &headers, true).await?;
            return Err(learnt.map_or_else(|| self.setback(&answer), Setback::Doubt));
        }
        let id = xml::upload_id(&answer.body).ok_or_else(|| self.nonsense("an upload without an id"))?;
        self.parts.learnt().is_unanswered = false;
        let (object, byte_count, digest) = (object.clone(), content.byte_count, content.digest);
        let upload = Upload { object, id, part_bytes, is_bare, byte_count, digest };
        Ok(Begun::Session { upload_url: upload.url(), offset: 0, limits: Limits::parts(part_bytes) })
    }

    /// The size of parts for a file of so many bytes, on the way as it is known.
    fn part_bytes(&self, byte_count: u64) -> Result<u64, Setback> {
        let needed = byte_count.div_ceil(PARTS_MAX).next_multiple_of(1 << 20);
        let most = self.wire.largest_body();
        // What is known of the way is half of what was refused: the least may do until it was refused itself.
        if most <= PART_BYTES_MIN / 2 && most < byte_count {
            return Err(Setback::Failed(refusal::parts_too_large(self.wire.host())));
        }
        Ok(PART_BYTES_MIN.max(needed))
    }

    /// Aborts the uploads of this key whose ids were lost with an answer: "ListMultipartUploads".
    async fn abandon_unknown(&self, object: &Url) -> Result<(), Setback> {
        let key = self.bucket.key_of(object);
        let answer = self.ask(Method::GET, self.bucket.root(), &[("uploads", ""), ("prefix", &key)], &[], Payload::empty()).await?;
        for id in xml::uploads(&answer.body, &key).unwrap_or_default() {
            self.ask(Method::DELETE, object, &[("uploadId", &id)], &[], Payload::empty()).await?;
        }
        Ok(())
    }

    fn upload(&self, upload_url: &Url) -> Result<Upload, Setback> {
        // A session that is unreadable is of no use.
        Upload::of(upload_url).ok_or_else(|| Setback::Spoilt(failure::internal("the address of an upload is unreadable")))
    }

    /// How far an upload has come. If it is gone, the object tells whether it was completed.
    pub(super) async fn held(&self, upload_url: &Url) -> Result<Held, Setback> {
        let upload = self.upload(upload_url)?;
        // One that was begun before: another file may be on its way to its key by now.
        if !self.reserves(&upload.object, &upload.digest) {
            return Err(Setback::Spoilt(refusal::name_taken(self.wire.host())));
        }
        let limits = Limits::parts(upload.part_bytes);
        match self.list(&upload).await {
            Ok(()) => {
                let offset = upload.held(&self.parts.learnt().listed);
                Ok(Held { offset, complete: false, digest: None, limits })
            }
            Err(Setback::SessionGone(failure)) => {
                let proof = self.completed_before(&upload, failure).await?;
                Ok(Held { offset: upload.byte_count, complete: true, digest: proof.digest, limits })
            }
            Err(setback) => Err(setback),
        }
    }

    /// "ListParts", page by page.
    async fn list(&self, upload: &Upload) -> Result<(), Setback> {
        let mut listed: Vec<xml::Part> = Vec::new();
        let mut after = 0;
        loop {
            let marker = after.to_string();
            let query = [("uploadId", upload.id.as_str()), ("max-parts", PARTS_A_PAGE), ("part-number-marker", &marker)];
            let answer = self.ask(Method::GET, &upload.object, &query, &[], Payload::empty()).await?;
            if answer.status == StatusCode::NOT_FOUND {
                return Err(Setback::SessionGone(answer.failure(self.wire.host())));
            }
            if !answer.status.is_success() {
                return Err(self.setback(&answer));
            }
            let page = xml::parts(&answer.body).ok_or_else(|| self.nonsense("an unreadable list of parts"))?;
            listed.extend(page.parts);
            match page.next {
                Some(next) if next > after && next <= PARTS_MAX => after = next,
                Some(_) => return Err(self.nonsense("a list of parts without end")),
                None => break,
            }
        }
        // Not every store lists them in their order.
        listed.sort_by_key(|part| part.number);
        self.parts.learnt().listed = listed;
        Ok(())
    }

    /// "UploadPart". Returns the offset behind it.
    pub(super) async fn send_part(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<u64, Setback> {
        let upload = self.upload(upload_url)?;
        if !offset.is_multiple_of(upload.part_bytes) {
            return Err(Setback::Spoilt(failure::internal("a part was to begin within another")));
        }
        let part = offset / upload.part_bytes + 1;
        let (number, end) = (part.to_string(), offset + payload.length());
        let (payload, checksum) = if upload.is_bare { (payload, None) } else { self.in_memory(payload).await? };
        let headers = checksum.as_deref().map(|checksum| (CHECKSUM, checksum));
        let query = [("partNumber", number.as_str()), ("uploadId", &upload.id)];
        let answer = self.ask(Method::PUT, &upload.object, &query, headers.as_slice(), payload).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(Setback::SessionGone(answer.failure(self.wire.host())));
        }
        if !answer.status.is_success() {
            if let Some(failure) = self.learns(&answer, headers.as_slice(), true).await? {
                // It was told of checksums when it was created, and would want them in the end.
                self.abandon(upload_url).await?;
                return Err(Setback::SessionGone(failure));
            }
            return Err(match self.setback(&answer) {
                // Only this part is: the server keeps none of it.
                Setback::Spoilt(failure) => Setback::Doubt(failure),
                setback => setback,
            });
        }
        let etag = field(&answer, "etag").ok_or_else(|| self.nonsense("a part without a tag"))?.to_owned();
        if checksum.as_deref().zip(field(&answer, CHECKSUM)).is_some_and(|(sent, stated)| sent != stated) {
            return Err(Setback::Doubt(failure::damaged_on_the_way(self.wire.host())));
        }
        self.parts.learnt().sent.insert(part, Sent { checksum, etag });
        Ok(end)
    }

    /// The content of a part and its SHA-256, which goes before it.
    async fn in_memory(&self, payload: Payload) -> Result<(Payload, Option<String>), Setback> {
        // Why the file cannot be read, the driver knows better.
        let bytes = payload.in_memory().await.map_err(|_| Setback::Doubt(failure::internal("reading the file")))?;
        let checksum = STANDARD.encode(Sha256::digest(&bytes));
        Ok((Payload::Whole(bytes), Some(checksum)))
    }

    /// "CompleteMultipartUpload", of all that the server has listed.
    pub(super) async fn complete(&self, upload_url: &Url) -> Result<Proof, Setback> {
        let upload = self.upload(upload_url)?;
        let habits = self.habits().await?;
        if upload.held(&self.parts.learnt().listed) != upload.byte_count {
            match self.list(&upload).await {
                Err(Setback::SessionGone(failure)) => return self.completed_before(&upload, failure).await,
                listed => listed?,
            }
        }
        let parts = self.parts_to_complete(&upload)?;
        // A store may keep to conditions of a "PutObject" and not to those of this.
        match self.standing(&upload.object, upload.byte_count, &upload.digest).await? {
            Standing::Free => {}
            standing => return self.taken_meanwhile(upload_url, standing).await,
        }
        let size = upload.byte_count.to_string();
        let mut headers = vec![("content-type", "application/xml"), ("x-amz-mp-object-size", size.as_str())];
        if habits.conditions != Some(false) {
            headers.push(CREATE_ONLY);
        }
        let body = Payload::Whole(Bytes::from(xml::completion(&parts)));
        let answer = self.ask(Method::POST, &upload.object, &[("uploadId", &upload.id)], &headers, body).await?;
        let failed = answer.failure(self.wire.host());
        if answer.status == StatusCode::NOT_FOUND {
            return self.completed_before(&upload, failed).await;
        }
        if refusal::is_taken(&answer) {
            self.note(|habits| habits.conditions = Some(true));
            let standing = self.standing(&upload.object, upload.byte_count, &upload.digest).await?;
            return self.taken_meanwhile(upload_url, standing).await;
        }
        // "On a 409 failure you should re-initiate the multipart upload"; what is at the key is asked for before.
        if answer.status == StatusCode::CONFLICT {
            return Err(Setback::Spoilt(failed));
        }
        if let Some(failure) = self.learns(&answer, &headers, true).await? {
            return Err(Setback::Doubt(failure));
        }
        // A refusal may come with 200, since the status is sent before the work is done.
        let Some(checksum) = xml::completed(&answer.body).filter(|_| answer.status.is_success()) else {
            return Err(self.not_completed(&answer));
        };
        self.completed(&upload, &parts, habits, checksum).await
    }

    /// The server's parts, with the digests that we know.
    fn parts_to_complete(&self, upload: &Upload) -> Result<Vec<xml::Part>, Setback> {
        let learnt = self.parts.learnt();
        if upload.held(&learnt.listed) != upload.byte_count {
            return Err(Setback::OffsetIs(upload.held(&learnt.listed)));
        }
        let mut parts = learnt.listed.clone();
        parts.truncate(usize::try_from(upload.parts()).unwrap_or(usize::MAX));
        for part in &mut parts {
            let Some(sent) = learnt.sent.get(&part.number) else { continue };
            if part.sha256.as_ref().zip(sent.checksum.as_ref()).is_some_and(|(stated, sent)| stated != sent) {
                return Err(Setback::Spoilt(failure::damaged_on_the_way(self.wire.host())));
            }
            part.etag = part.etag.take().or_else(|| Some(sent.etag.clone()));
        }
        Ok(parts)
    }

    fn not_completed(&self, answer: &crate::wire::Answer) -> Setback {
        match refusal::code(answer).as_str() {
            "" if answer.status.is_success() => self.nonsense("neither completed nor refused"),
            "InternalError" | "ServiceUnavailable" => {
                Setback::Doubt(failure::of_status(self.wire.host(), StatusCode::INTERNAL_SERVER_ERROR, None))
            }
            "NoSuchUpload" => Setback::Doubt(failure::lost_bytes(self.wire.host())),
            "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" => Setback::Spoilt(failure::lost_bytes(self.wire.host())),
            _ => self.setback(answer),
        }
    }

    /// What a completion proves: a digest, if the server has compared each part's.
    async fn completed(
        &self,
        upload: &Upload,
        parts: &[xml::Part],
        habits: Habits,
        checksum: Option<String>,
    ) -> Result<Proof, Setback> {
        let compared: Option<Vec<u8>> = parts
            .iter()
            .map(|part| part.sha256.as_ref().and_then(|sha256| STANDARD.decode(sha256).ok()))
            .collect::<Option<Vec<_>>>()
            .map(|digests| digests.concat());
        if let Some(compared) = compared.filter(|_| habits.compares && !self.reads_back()) {
            let expected = format!("{}-{}", STANDARD.encode(Sha256::digest(&compared)), parts.len());
            if checksum.is_some_and(|stated| stated != expected && stated.contains('-')) {
                return Err(Setback::Failed(failure::digest_mismatch(self.wire.host())));
            }
            let (remote_id, byte_count) = (upload.object.to_string(), Some(upload.byte_count));
            return Ok(Proof { remote_id, digest: Some(upload.digest), byte_count });
        }
        match self.standing(&upload.object, upload.byte_count, &upload.digest).await? {
            Standing::Ours(proof) => Ok(proof),
            // Once more under another name would be no better.
            Standing::Free | Standing::Other => Err(Setback::Failed(failure::digest_mismatch(self.wire.host()))),
        }
    }

    /// The upload is not there any more: if the object is, and is the content, it was completed.
    async fn completed_before(&self, upload: &Upload, failed: afterglow_model::Failure) -> Result<Proof, Setback> {
        match self.standing(&upload.object, upload.byte_count, &upload.digest).await? {
            Standing::Ours(proof) => Ok(proof),
            Standing::Free | Standing::Other => Err(Setback::SessionGone(failed)),
        }
    }

    /// Something was put at the key meanwhile: the content, or another file, beside which it has to get another name.
    async fn taken_meanwhile(&self, upload_url: &Url, standing: Standing) -> Result<Proof, Setback> {
        match standing {
            Standing::Ours(proof) => {
                self.abandon(upload_url).await?;
                Ok(proof)
            }
            Standing::Free | Standing::Other => Err(Setback::Spoilt(refusal::name_taken(self.wire.host()))),
        }
    }

    /// "AbortMultipartUpload".
    pub(super) async fn abandon(&self, upload_url: &Url) -> Result<(), Setback> {
        let upload = self.upload(upload_url)?;
        self.ask(Method::DELETE, &upload.object, &[("uploadId", &upload.id)], &[], Payload::empty()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use afterglow_model::{Connector, DestinationConfig};
    use tokio_util::sync::CancellationToken;

    use super::{
        super::{Reserved, single::SINGLE_BYTES},
        *,
    };
    use crate::{
        order::Account,
        transfer::{Transfer, TransferOptions},
        wire::Wire,
    };

    fn upload(is_bare: bool) -> Upload {
        let object = "https://s3.example/pictures/a%20%28b%29.jpg".parse().unwrap();
        Upload { object, id: "a+b/c=&d".to_owned(), part_bytes: 8, is_bare, byte_count: 20, digest: [0xfe; 32] }
    }

    fn part(number: u64, bytes: u64) -> xml::Part {
        xml::Part { number, etag: None, bytes, sha256: None }
    }

    #[test]
    fn an_upload_is_read_from_its_session() {
        for is_bare in [true, false] {
            let upload = upload(is_bare);
            let read = Upload::of(&upload.url()).unwrap();
            assert_eq!((&read.object, &read.id, read.digest), (&upload.object, &upload.id, upload.digest));
            assert_eq!((read.part_bytes, read.byte_count, read.parts(), read.is_bare), (8, 20, 3, is_bare));
            assert!(Upload::of(&upload.object).is_none());
        }
    }

    #[test]
    fn only_parts_without_a_gap_count() {
        let upload = upload(false);
        assert_eq!(upload.held(&[]), 0);
        assert_eq!(upload.held(&[part(1, 8), part(3, 4)]), 8);
        assert_eq!(upload.held(&[part(1, 8), part(2, 7), part(3, 4)]), 8);
        assert_eq!(upload.held(&[part(1, 8), part(2, 8), part(3, 4)]), 20);
    }

    #[test]
    fn a_file_of_any_size_has_parts_of_sizes_that_are_taken() {
        let transfer = Transfer::new(TransferOptions::default()).unwrap();
        let config = DestinationConfig { user: Some("key".to_owned()), ..DestinationConfig::default() };
        let at = Account::at("https://s3.example/pictures".parse().unwrap());
        let account = Account { secret: Some("secret".to_owned()), config, ..at };
        let (reserved, cancel) = (Reserved::default(), CancellationToken::new());
        let wire = Wire::new(&transfer.shared, Connector::S3, &account, &[], &cancel).unwrap();
        let s3 = S3::new(wire, &account, &reserved).unwrap();
        let over_single = SINGLE_BYTES.end() + 1;
        let sizes = [over_single, 100_000_000, 5_000_000_000, 50_000_000_000, 5_000_000_000_000];
        // "Amazon S3 multipart upload limits", said a second time.
        for byte_count in sizes {
            let part_bytes = s3.part_bytes(byte_count).unwrap();
            let parts = Upload { part_bytes, byte_count, ..upload(false) }.parts();
            assert!((5 << 20..=5 << 30).contains(&part_bytes), "{byte_count}: parts of {part_bytes}");
            assert!((1..=10_000).contains(&parts), "{byte_count}: {parts} parts");
            assert!(
                ((parts - 1) * part_bytes..parts * part_bytes).contains(&(byte_count - 1)),
                "{byte_count}: {parts} of {part_bytes}"
            );
        }
        // Half of what was refused: the least was not refused itself yet.
        transfer.shared.refused(&account.url, 3 << 20);
        assert_eq!(s3.part_bytes(over_single).unwrap(), 5 << 20);
        transfer.shared.refused(&account.url, (5 << 20) / 2);
        assert!(s3.part_bytes(over_single).is_err(), "no server takes less");
    }
}
