//! The one way in which a file gets to a destination, whatever its protocol.
//!
//! Guarantees: no payload before the session is stored in the journal · the completing request is sent only when the server holds as
//! many bytes as the file has, the bytes sent have the digest that was ordered, and the file is still the version it was pinned as ·
//! after any doubt the server is asked before anything is repeated · attempts within one delivery are bounded unless bytes arrive · what is
//! delivered stays delivered, whether or not it can be put beside what it belongs to.

use std::{path::PathBuf, sync::Arc, time::Duration};

use afterglow_model::{Evidence, Failure, FailureClass, FailureCode, Phase};
use bytes::Bytes;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    destination::{Content, Destination, Proof, Setback, Sha1Wanted},
    failure,
    order::{Companions, Delivered, Journal, Order, Progress, Sidecar},
    reading::Reading,
    source::{Source, SourceError, Whole},
    steps::RESTARTS_MAX,
    transfer::TransferOptions,
};

/// Attempts without a new byte at the server before the delivery is given back to the queue.
const STUMBLES_MAX: u32 = 4;

/// Pause before the second and later attempts without progress. The first is made at once.
const PAUSE: Duration = Duration::from_millis(250);

/// A sidecar is text of a few kilobytes; with masks of an editor, some hundred. Bytes.
const SIDECAR_BYTES_MAX: u64 = 1 << 20;

/// How a delivery that did not arrive ended.
#[derive(Debug)]
pub enum End {
    /// It was asked to stop.
    Stopped,
    /// It did not work.
    Failed(Failure),
}

/// One file on its way.
pub struct Delivery<'a, D: ?Sized> {
    /// The protocol.
    pub destination: &'a D,
    /// How transfers are made.
    pub options: &'a TransferOptions,
    /// Where small files are read.
    pub reading: &'a Reading,
    /// What goes where.
    pub order: &'a Order,
    /// Where it is written down what must be known after a crash.
    pub journal: &'a dyn Journal,
    /// Who is told how it goes on.
    pub progress: &'a dyn Progress,
    /// Asks it to stop.
    pub cancel: &'a CancellationToken,
}

/// The file once it is open, and its content if it is small.
struct Opened {
    source: Arc<Source>,
    whole: Option<Bytes>,
}

impl<D: Destination + ?Sized> Delivery<'_, D> {
    /// Delivers. `takes_whole` is asked only if the file is small: whether the server takes it in one request.
    ///
    /// # Errors
    /// Why it is not delivered. Safe to repeat with what the journal last held.
    pub async fn run(&self, takes_whole: impl AsyncFnOnce() -> Result<bool, Setback>) -> Result<Delivered, End> {
        let delivered = self.bring(takes_whole).await?;
        if self.order.companions != Companions::default() {
            self.arrange(&delivered.remote_id).await?;
        }
        Ok(delivered)
    }

    /// Puts what is delivered beside the other files of its asset. It stays delivered if that does not go well: a server that never answers
    /// to it would else be sent to for ever, and nobody would know of what it holds.
    async fn arrange(&self, remote_id: &str) -> Result<(), End> {
        let mut stumbles = 0;
        let setback = loop {
            match self.destination.arrange(remote_id, &self.order.companions).await {
                Ok(()) => return Ok(()),
                Err(Setback::Doubt(failure)) => {
                    stumbles += 1;
                    if let Err(setback) = self.pause(stumbles, failure).await {
                        break setback;
                    }
                }
                Err(setback) => break setback,
            }
        };
        match self.end(setback) {
            End::Stopped => Err(End::Stopped),
            End::Failed(failure) => {
                let (host, file) = (self.destination.host(), &self.order.filename);
                tracing::warn!(host, file, reason = failure.message, "what belongs together was not put together");
                Ok(())
            }
        }
    }

    async fn bring(&self, takes_whole: impl AsyncFnOnce() -> Result<bool, Setback>) -> Result<Delivered, End> {
        self.phase(Phase::Preparing);
        let mut content = content_of(self.order)?;
        let opened = self.open(content.digest).await?;
        content.sha1 = match (self.destination.sha1(), &opened.whole) {
            (Sha1Wanted::Never, _) | (Sha1Wanted::Last, None) => None,
            (Sha1Wanted::First | Sha1Wanted::Last, Some(whole)) => Some(Sha1::digest(whole).into()),
            (Sha1Wanted::First, None) => Some(self.sha1(opened.source.clone()).await?),
        };
        if let Some(sidecar) = &self.order.sidecar {
            self.carry(sidecar.clone()).await?;
        }
        if let Some(body) = opened.whole {
            match self.in_one_request(&content, body, takes_whole).await {
                // A proxy on the way may take less than the server; appending in parts may still do.
                Err(Setback::TooLarge { .. }) => content.key = key(self.order, RESTARTS_MAX + 1),
                Ok(Some(proof)) => return self.delivered(&content, proof),
                Ok(None) => {}
                Err(setback) => return Err(self.end(setback)),
            }
        }
        self.in_steps(content, opened.source).await
    }

    /// Opens and pins the file; reads it, if it is small and no session waits for it.
    async fn open(&self, digest: [u8; 32]) -> Result<Opened, End> {
        let (root, path): (PathBuf, PathBuf) = (self.order.root.clone(), self.order.path.clone());
        let (byte_count, session_pin) = (self.order.byte_count, self.order.session.as_ref().map(|session| session.pin));
        let opened = async {
            if byte_count <= self.options.small_bytes && session_pin.is_none() {
                let Whole { source, content, digest: found } = self.reading.whole(&root, &path, byte_count).await?;
                return if found == digest {
                    Ok(Opened { source: Arc::new(source), whole: Some(content) })
                } else {
                    Err(SourceError::Changed)
                };
            }
            let block_bytes = self.options.block_bytes;
            let opening = tokio::task::spawn_blocking(move || {
                let source = Source::open(&root, &path)?;
                // Touched since the session began, or the drive has another number now? The content decides, before a byte is sent.
                let is_touched = session_pin.is_some_and(|pin| pin != source.pin());
                if source.pin().size != byte_count || (is_touched && source.digest(block_bytes)? != digest) {
                    return Err(SourceError::Changed);
                }
                Ok(Opened { source: Arc::new(source), whole: None })
            });
            opening.await.unwrap_or(Err(SourceError::Broken))
        };
        let opened = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(End::Stopped),
            opened = opened => opened,
        };
        match opened {
            Ok(opened) => Ok(opened),
            Err(error) => Err(self.unfit(&error).await),
        }
    }

    /// A file that cannot be sent; a session for another version of it is given up.
    async fn unfit(&self, error: &SourceError) -> End {
        if let (SourceError::Changed, Some(session)) = (error, &self.order.session)
            && let Err(end) = self.give_up(Url::parse(&session.upload_url).ok().as_ref()).await
        {
            return end;
        }
        End::Failed(self.source_failure(error))
    }

    /// The SHA-1 of the file as it lies there. Whether that is what was ordered is known once it is sent, or vouched for.
    async fn sha1(&self, source: Arc<Source>) -> Result<[u8; 20], End> {
        let block_bytes = self.options.block_bytes;
        match self.off_the_workers(move || source.sha1(block_bytes)).await? {
            Ok(sha1) => Ok(sha1),
            Err(error) => Err(self.unfit(&error).await),
        }
    }

    /// Runs what blocks, unless it is to stop.
    pub(crate) async fn off_the_workers<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, End> {
        let working = tokio::task::spawn_blocking(work);
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(End::Stopped),
            worked = working => worked.map_err(|_| End::Failed(failure::internal("reading the file"))),
        }
    }

    /// Reads what goes along with the file. The file goes without what cannot be read.
    async fn carry(&self, sidecar: Sidecar) -> Result<(), End> {
        let buffers = self.reading.buffers();
        let read = self.off_the_workers(move || {
            let source = Source::open(&sidecar.root, &sidecar.path)?;
            if source.pin().size > SIDECAR_BYTES_MAX {
                Ok(None)
            } else {
                source.read_whole(&buffers).map(|whole| Some(whole.content))
            }
        });
        match read.await? {
            Ok(Some(content)) => self.destination.carry(content),
            Ok(None) => tracing::warn!(file = self.order.filename, "its sidecar is too large to go with it"),
            Err(error) => tracing::warn!(file = self.order.filename, %error, "its sidecar cannot be read; it goes without"),
        }
        Ok(())
    }

    async fn in_one_request(
        &self,
        content: &Content,
        body: Bytes,
        takes_whole: impl AsyncFnOnce() -> Result<bool, Setback>,
    ) -> Result<Option<Proof>, Setback> {
        if !takes_whole().await? {
            return Ok(None);
        }
        self.phase(Phase::Transferring);
        let mut stumbles = 0;
        loop {
            match self.destination.whole(content, body.clone()).await {
                Ok(proof) => return Ok(Some(proof)),
                // The key and the digest make the repeat harmless.
                Err(Setback::Doubt(failure) | Setback::Spoilt(failure)) => {
                    stumbles += 1;
                    self.pause(stumbles, failure).await?;
                }
                Err(setback) => return Err(setback),
            }
        }
    }

    pub(crate) async fn give_up(&self, upload_url: Option<&Url>) -> Result<(), End> {
        if let Some(upload_url) = upload_url {
            self.destination.abort(upload_url).await;
        }
        let written = self.journal.session_lost(&self.order.job_id).await;
        written.map_err(|error| End::Failed(failure::internal(&error.to_string())))
    }

    /// Waits before the next attempt, or gives up with the reason of the last.
    pub(crate) async fn pause(&self, stumbles: u32, failure: Failure) -> Result<(), Setback> {
        if stumbles >= STUMBLES_MAX {
            return Err(Setback::Failed(failure));
        }
        if stumbles < 2 {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Setback::Stopped),
            () = tokio::time::sleep(PAUSE * stumbles) => Ok(()),
        }
    }

    pub(crate) fn delivered(&self, content: &Content, proof: Proof) -> Result<Delivered, End> {
        let evidence = match (proof.digest, proof.byte_count) {
            (Some(digest), _) if digest == content.digest => self.destination.digest_grade(),
            (Some(_), _) => return Err(End::Failed(failure::digest_mismatch(self.destination.host()))),
            (None, Some(byte_count)) if byte_count == content.byte_count => Evidence::Sized,
            (None, Some(held)) => return Err(End::Failed(self.disagrees(held))),
            (None, None) => Evidence::Accepted,
        };
        self.progress.confirmed(&self.order.job_id, content.byte_count);
        let sha256 = self.order.sha256.to_ascii_lowercase();
        Ok(Delivered { remote_id: proof.remote_id, evidence, sha256, byte_count: content.byte_count })
    }

    pub(crate) fn end(&self, setback: Setback) -> End {
        match setback {
            Setback::Stopped => End::Stopped,
            Setback::Doubt(failure)
            | Setback::TooLarge { failure, .. }
            | Setback::SessionGone(failure)
            | Setback::Spoilt(failure)
            | Setback::Verdict(failure)
            | Setback::Source(failure)
            | Setback::Failed(failure) => End::Failed(failure),
            Setback::OffsetIs(offset) => End::Failed(self.disagrees(offset)),
            Setback::Moved(_) => End::Failed(failure::unexpected(self.destination.host(), "a redirect")),
        }
    }

    pub(crate) fn disagrees(&self, held: u64) -> Failure {
        let message = format!(
            "{} holds {held} bytes of this file, which has {}. It is tried again.",
            self.destination.host(),
            self.order.byte_count
        );
        failure::failure(FailureClass::Transient, FailureCode::OffsetMismatch, message)
    }

    pub(crate) fn source_failure(&self, error: &SourceError) -> Failure {
        failure::of_source(&self.order.filename, error)
    }

    pub(crate) fn phase(&self, phase: Phase) {
        self.progress.phase(&self.order.job_id, phase);
    }
}

fn content_of(order: &Order) -> Result<Content, End> {
    let digest = hex(&order.sha256).ok_or_else(|| End::Failed(failure::internal("the digest of a job is unreadable")))?;
    Ok(Content {
        filename: order.filename.clone(),
        content_type: order.content_type.clone(),
        byte_count: order.byte_count,
        digest,
        sha1: None,
        created_ms: order.created_ms,
        companions: order.companions.clone(),
        key: key(order, 0),
    })
}

/// The idempotency key: the same for this content at this destination, another for every session begun anew on purpose.
pub(crate) fn key(order: &Order, restarts: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(order.destination_id.as_str());
    hasher.update([0]);
    hasher.update(order.sha256.to_ascii_lowercase());
    hasher.update(restarts.to_be_bytes());
    base16(&hasher.finalize()[..16])
}

/// Lower-case hexadecimal.
pub(crate) fn base16(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

pub(crate) fn hex(text: &str) -> Option<[u8; 32]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
