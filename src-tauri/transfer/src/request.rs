//! Requests that an app describes, for servers whose protocol is none of ours: the file's bytes as they are, a form, or parts to URLs that
//! somebody has signed.
//!
//! Such a server cannot be asked what it has. So a request whose answer was lost is made again, with the same `Idempotency-Key` (the IETF
//! draft of that name), and arrives at least once. What it proves is what its answer states: by a rule of the app's, a digest.

mod answer;
mod form;
mod session;
pub(crate) mod template;

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use afterglow_model::{
    Capabilities, CompletingRequest, Evidence, FailureClass, FailureCode, JobBody, JobResponse, RequestMethod, SuccessRule,
    Timestamp,
};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use self::{answer::Judged, session::Session, template::Values};
use crate::{
    destination::{Begun, Content, Destination, Held, IN_ONE_REQUEST, Proof, Setback, Sha1Wanted},
    failure,
    fields::Limits,
    order::Described,
    payload::Payload,
    wire::{Answer, Wire},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A server that takes what an app describes.
pub(crate) struct Requests<'a> {
    wire: Wire<'a>,
    described: &'a Described,
    /// The last answer, as it was judged.
    judged: Mutex<Option<Judged>>,
}

impl<'a> Requests<'a> {
    pub(crate) fn new(wire: Wire<'a>, described: &'a Described) -> Self {
        Self { wire: wire.cutting_answers().taking_pages(), described, judged: Mutex::new(None) }
    }

    fn rule(&self) -> Option<&SuccessRule> {
        match &self.described.body {
            JobBody::Raw { success, .. } | JobBody::Multipart { success, .. } | JobBody::PresignedParts { success, .. } => {
                Some(success)
            }
            JobBody::Resumable | JobBody::Tus => None,
        }
    }

    fn values<'v>(&'v self, content: &'v Content) -> Values<'v> {
        Values { content, after: self.described.after.as_ref() }
    }

    /// Sends, and judges the answer by the app's rule.
    async fn send_to(
        &self,
        method: RequestMethod,
        url: &Url,
        content_type: &str,
        content: &Content,
        payload: Payload,
    ) -> Result<(), Setback> {
        let answer = self.request(method, url, content_type, content, payload).await?;
        let mut judged = answer::judge(&answer, self.rule(), content, self.wire.host());
        if judged.verdict.is_none() && answer.is_early {
            judged.verdict = Some(failure::unexpected(self.wire.host(), "an answer before the file was sent"));
        }
        if judged.verdict.is_some() && answer.is_portals() {
            judged.verdict = Some(failure::captive_portal(self.wire.host()));
        }
        let verdict = judged.verdict.clone();
        *self.judged.lock().unwrap_or_else(PoisonError::into_inner) = Some(judged);
        match verdict {
            None => Ok(()),
            Some(failure) if failure::may_work_at_once(&failure) => Err(Setback::Doubt(failure)),
            Some(failure) => Err(Setback::Failed(failure)),
        }
    }

    async fn request(
        &self,
        method: RequestMethod,
        url: &Url,
        content_type: &str,
        content: &Content,
        payload: Payload,
    ) -> Result<Answer, Setback> {
        let unsendable = |_| Setback::Failed(failure::internal("an unsendable field"));
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type).map_err(unsendable)?);
        if !self.wire.has_header(&IDEMPOTENCY_KEY) {
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::try_from(content.key.as_str()).map_err(unsendable)?);
        }
        let method = match method {
            RequestMethod::Post => Method::POST,
            RequestMethod::Put => Method::PUT,
            RequestMethod::Patch => Method::PATCH,
        };
        self.wire.exchange(method, url, headers, payload).await
    }

    /// The whole file in one request.
    async fn once(&self, content: &Content, payload: Payload) -> Result<(), Setback> {
        let url = self.wire.url();
        match &self.described.body {
            JobBody::Raw { method, .. } => self.send_to(*method, url, content_type(content), content, payload).await,
            JobBody::Multipart { method, file_field, fields, .. } => {
                let frame = form::frame(file_field, fields, content, &self.values(content)).map_err(Setback::Failed)?;
                self.send_to(*method, url, &frame.content_type, content, payload.framed(frame.head, frame.tail)).await
            }
            JobBody::PresignedParts { .. } | JobBody::Resumable | JobBody::Tus => {
                Err(Setback::Failed(failure::internal("a request for parts")))
            }
        }
    }

    /// One part to the URL that is signed for it; the session then knows its entity tag.
    async fn part(&self, session: Session, upload_url: &Url, payload: Payload) -> Result<Option<u64>, Setback> {
        let content = &session.content;
        let JobBody::PresignedParts { part_bytes, part_urls, complete, .. } = &self.described.body else {
            return Err(Setback::Failed(failure::internal("parts of a whole request")));
        };
        let number = session.etags.len();
        let url = part_urls.get(number).ok_or_else(|| Setback::Verdict(self.too_few_urls(part_urls.len())))?;
        let url = self.wire.resolve(upload_url, url)?;
        let held = *part_bytes * number as u64 + payload.length();
        if complete.is_none() && held == content.byte_count {
            self.send_to(RequestMethod::Put, &url, content_type(content), content, payload).await?;
            return Ok(Some(held));
        }
        let answer = self.request(RequestMethod::Put, &url, content_type(content), content, payload).await?;
        if !answer.status.is_success() {
            let failure = answer.failure(self.wire.host());
            return Err(if failure::may_work_at_once(&failure) { Setback::Doubt(failure) } else { Setback::Failed(failure) });
        }
        if answer.is_portals() {
            return Err(Setback::Failed(failure::captive_portal(self.wire.host())));
        }
        if answer.is_early {
            return Err(Setback::Doubt(failure::unexpected(self.wire.host(), "an answer before the part was sent")));
        }
        let etag = answer.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
        // What the parts were answered has to be stored before the next: nobody else knows it.
        Err(Setback::Moved(session.url_with(etag, upload_url.clone())))
    }

    /// An empty file is one empty part.
    async fn empty_part(&self, content: &Content) -> Result<Proof, Setback> {
        let session = Session { content: content.clone(), etags: Vec::new() };
        let upload_url = session.url(self.place());
        match self.part(session, &upload_url, Payload::empty()).await {
            Ok(_) => self.finish(&upload_url, content).await,
            Err(Setback::Moved(upload_url)) => self.finish(&upload_url, content).await,
            Err(setback) => Err(setback),
        }
    }

    async fn complete(&self, request: &CompletingRequest, session: &Session, upload_url: &Url) -> Result<(), Setback> {
        let content = &session.content;
        let body = template::parts(request, &session.etags, &self.values(content)).map_err(Setback::Failed)?;
        let url = self.wire.resolve(upload_url, &request.url)?;
        self.send_to(request.method, &url, &request.content_type, content, Payload::Whole(body.into())).await
    }

    fn session(&self, upload_url: &Url) -> Result<Session, Setback> {
        Session::from(upload_url).ok_or_else(|| Setback::SessionGone(failure::lost_bytes(self.wire.host())))
    }

    fn too_few_urls(&self, urls: usize) -> afterglow_model::Failure {
        let message = format!("{urls} signed URLs are too few for this file. Ask again with one for each part.");
        failure::failure(FailureClass::Permanent, FailureCode::ServerRejected, message)
    }

    /// What the last answer proves; none if there was none in this life.
    fn proof(&self, content: &Content) -> Option<Proof> {
        let judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let judged = judged.as_ref().filter(|judged| judged.verdict.is_none())?;
        let remote_id = judged.location.clone().unwrap_or_else(|| self.place().to_string());
        Some(Proof { remote_id, digest: judged.proved.then_some(content.digest), byte_count: None })
    }

    /// The URL without what may be its signature, which is not to be written down.
    fn place(&self) -> Url {
        let mut place = self.wire.url().clone();
        place.set_query(None);
        place
    }

    fn is_done(&self) -> bool {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|judged| judged.verdict.is_none())
    }
}

fn content_type(content: &Content) -> &str {
    content.content_type.as_deref().unwrap_or("application/octet-stream")
}

#[async_trait]
impl Destination for Requests<'_> {
    fn host(&self) -> &str {
        self.wire.host()
    }

    /// Nothing can be asked.
    async fn probe(&self) -> Result<Capabilities, Setback> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: Evidence::Accepted,
            max_size: None,
            max_append_size: None,
            resumable: false,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    fn takes_whole(&self, _evidence: Evidence) -> bool {
        !matches!(self.described.body, JobBody::PresignedParts { .. })
    }

    fn sha1(&self) -> Sha1Wanted {
        if template::wants_sha1(&self.described.body) { Sha1Wanted::First } else { Sha1Wanted::Never }
    }

    fn completes_with_last_byte(&self) -> bool {
        match &self.described.body {
            JobBody::PresignedParts { complete, .. } => complete.is_none(),
            JobBody::Raw { .. } | JobBody::Multipart { .. } | JobBody::Resumable | JobBody::Tus => true,
        }
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        self.once(content, Payload::Whole(body)).await?;
        self.proof(content).ok_or_else(|| Setback::Failed(failure::internal("an upload without an answer")))
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let limits = match &self.described.body {
            JobBody::PresignedParts { part_bytes, .. } => {
                if content.byte_count == 0 {
                    return self.empty_part(content).await.map(Begun::Delivered);
                }
                Limits::parts(*part_bytes)
            }
            JobBody::Raw { .. } | JobBody::Multipart { .. } | JobBody::Resumable | JobBody::Tus => {
                if content.byte_count == 0 {
                    return self.whole(content, Bytes::new()).await.map(Begun::Delivered);
                }
                IN_ONE_REQUEST
            }
        };
        let session = Session { content: content.clone(), etags: Vec::new() };
        Ok(Begun::Session { upload_url: session.url(self.place()), offset: 0, limits })
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let session = self.session(upload_url)?;
        let (offset, limits) = match &self.described.body {
            JobBody::PresignedParts { part_bytes, .. } => {
                let held = part_bytes.saturating_mul(session.etags.len() as u64).min(session.content.byte_count);
                (if self.is_done() { session.content.byte_count } else { held }, Limits::parts(*part_bytes))
            }
            JobBody::Raw { .. } | JobBody::Multipart { .. } | JobBody::Resumable | JobBody::Tus => {
                (if self.is_done() { session.content.byte_count } else { 0 }, IN_ONE_REQUEST)
            }
        };
        Ok(Held { offset, complete: false, digest: None, limits })
    }

    async fn send(&self, upload_url: &Url, _offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let session = self.session(upload_url)?;
        if matches!(self.described.body, JobBody::PresignedParts { .. }) {
            return self.part(session, upload_url, payload).await;
        }
        self.once(&session.content, payload).await?;
        Ok(Some(session.content.byte_count))
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        if let JobBody::PresignedParts { complete: Some(complete), .. } = &self.described.body {
            self.complete(complete, &self.session(upload_url)?, upload_url).await?;
        }
        self.proof(content).ok_or_else(|| Setback::SessionGone(failure::lost_bytes(self.wire.host())))
    }

    /// There is nothing at the server that we could name.
    async fn abort(&self, _upload_url: &Url) {}

    fn answer(&self) -> Option<JobResponse> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|judged| judged.response.clone())
    }
}
