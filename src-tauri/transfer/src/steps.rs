//! A file in steps: a session that is created, stored, filled, compared and completed, and taken up again after whatever happens.

use std::sync::Arc;

use afterglow_model::{Failure, Phase};
use url::Url;

use crate::{
    destination::{Begun, Content, Destination, Held, Proof, Setback, Sha1Wanted},
    driver::{Delivery, End, key},
    failure,
    fields::Limits,
    order::{Delivered, Session},
    payload::{self, Reading},
    source::{Prefix, Source, SourceError},
};

/// Sessions begun anew within one delivery.
pub(crate) const RESTARTS_MAX: u32 = 1;

/// Sessions begun anew with smaller parts within one delivery; each time they are half as large at most.
const SHRINKS_MAX: u32 = 8;

/// Requests are not made smaller than this to please a server that refuses large ones.
const APPEND_BYTES_MIN: u64 = 64 * 1024;

/// A session under way.
struct Stage {
    content: Content,
    source: Arc<Source>,
    prefix: Prefix,
    upload_url: Option<Url>,
    /// Where the server stands; none after a doubt.
    offset: Option<u64>,
    /// The most that the server has confirmed in this session.
    confirmed: u64,
    limits: Limits,
    append_bytes: u64,
    stumbles: u32,
    restarts: u32,
    shrinks: u32,
    /// The completing request may have been made in this session: in this delivery, or in the one that it is from.
    completing: bool,
}

impl Stage {
    /// Whether all of it was read, and found to be what was ordered.
    fn is_read_through(&self) -> bool {
        self.prefix.at() == self.content.byte_count && self.prefix.digest() == self.content.digest
    }
}

impl<D: Destination + ?Sized> Delivery<'_, D> {
    /// Delivers a file of any size.
    pub(crate) async fn in_steps(&self, content: Content, source: Arc<Source>) -> Result<Delivered, End> {
        let pin = source.pin();
        let mut stage = Stage {
            content,
            source,
            prefix: self.unread(),
            upload_url: None,
            offset: None,
            confirmed: 0,
            limits: Limits::default(),
            append_bytes: self.options.checkpoint_bytes.max(APPEND_BYTES_MIN),
            stumbles: 0,
            restarts: 0,
            shrinks: 0,
            completing: false,
        };
        if let Some(session) = &self.order.session {
            match Url::parse(&session.upload_url) {
                Ok(upload_url) if session.pin == pin => (stage.upload_url, stage.completing) = (Some(upload_url), true),
                url => self.give_up(url.ok().as_ref()).await?,
            }
        }
        loop {
            let setback = match self.attempt(&mut stage).await {
                Ok(proof) => match self.vouch(&stage).await? {
                    None => return self.delivered(&stage.content, proof),
                    Some(setback) => setback,
                },
                Err(setback) => setback,
            };
            self.recover(&mut stage, setback).await?;
        }
    }

    /// Makes sure that a server which was asked by another digest was asked for what was ordered, although not all of it had to be sent.
    async fn vouch(&self, stage: &Stage) -> Result<Option<Setback>, End> {
        if self.destination.sha1() != Sha1Wanted::First || stage.is_read_through() {
            return Ok(None);
        }
        let (source, block_bytes, digest) = (stage.source.clone(), self.options.block_bytes, stage.content.digest);
        let read = self.off_the_workers(move || source.digest(block_bytes)).await?;
        let error = match read {
            Ok(found) if found == digest => return Ok(None),
            Ok(_) => SourceError::Changed,
            Err(error) => error,
        };
        Ok(Some(Setback::Source(self.source_failure(&error))))
    }

    /// One walk from wherever the session stands to its completion.
    async fn attempt(&self, stage: &mut Stage) -> Result<Proof, Setback> {
        let upload_url = match stage.upload_url.clone() {
            Some(upload_url) => upload_url,
            None => match self.begin(stage).await? {
                Ok(upload_url) => upload_url,
                Err(proof) => return Ok(proof),
            },
        };
        if stage.offset.is_none() {
            self.phase(Phase::CheckingServer);
            let held = self.destination.offset(&upload_url).await?;
            if held.complete {
                return self.completed_before(stage, &upload_url, &held).await;
            }
            self.stands_at(stage, held.offset).await?;
            stage.limits = held.limits;
        }
        self.append(stage, &upload_url).await?;
        self.phase(Phase::Verifying);
        self.verify(stage, &upload_url).await?;
        stage.completing = true;
        match self.destination.finish(&upload_url, &stage.content).await {
            Err(Setback::OffsetIs(offset)) => Err(Setback::Spoilt(self.disagrees(offset))),
            result => result,
        }
    }

    /// Creates a session and has it stored. `Err` within: the content is there already.
    async fn begin(&self, stage: &mut Stage) -> Result<Result<Url, Proof>, Setback> {
        self.phase(Phase::CheckingServer);
        if let Some(proof) = self.destination.find(&stage.content).await? {
            return Ok(Err(proof));
        }
        let (upload_url, offset, limits) = match self.destination.begin(&stage.content).await? {
            Begun::Delivered(proof) => return Ok(Err(proof)),
            Begun::Session { upload_url, offset, limits } => (upload_url, offset, limits),
        };
        if let Some(limit) = limits.max_size.filter(|limit| *limit < stage.content.byte_count) {
            self.destination.abort(&upload_url).await;
            return Err(Setback::Failed(failure::too_large(self.destination.host(), limit)));
        }
        stage.upload_url = Some(upload_url.clone());
        if offset > 0 {
            // Bytes of an attempt that nobody remembers: which version of the file they are from is not known.
            return Err(Setback::Spoilt(failure::lost_bytes(self.destination.host())));
        }
        (stage.offset, stage.confirmed, stage.limits) = (Some(0), 0, limits);
        self.store_session(stage, &upload_url).await?;
        Ok(Ok(upload_url))
    }

    /// The digests of nothing yet, as many as are needed.
    fn unread(&self) -> Prefix {
        Prefix::new(self.destination.sha1() == Sha1Wanted::Last)
    }

    async fn store_session(&self, stage: &Stage, upload_url: &Url) -> Result<(), Setback> {
        let session = Session { upload_url: upload_url.to_string(), pin: stage.source.pin(), max_age_s: stage.limits.max_age };
        self.journal
            .session_opened(&self.order.job_id, &session)
            .await
            .map_err(|error| Setback::Failed(failure::internal(&error.to_string())))
    }

    /// Sends what the server does not have yet, in requests after each of which its offset is known and written down.
    async fn append(&self, stage: &mut Stage, upload_url: &Url) -> Result<(), Setback> {
        let end = stage.content.byte_count;
        while let Some(offset) = stage.offset.filter(|offset| *offset < end) {
            self.phase(Phase::Transferring);
            let least = stage.limits.min_append_size.unwrap_or(0);
            let most = stage.append_bytes.max(least).min(stage.limits.max_append_size.unwrap_or(u64::MAX)).max(1);
            let mut until = end.min(offset.saturating_add(most));
            if end - until < least && end - offset <= stage.limits.max_append_size.unwrap_or(u64::MAX) {
                // The rest would be too little for a request of its own.
                until = end;
            }
            // Unknown until the answer says otherwise.
            stage.offset = None;
            let prefix = std::mem::replace(&mut stage.prefix, self.unread());
            let completes = until == end && self.destination.completes_with_last_byte();
            let expected = completes.then_some(stage.content.digest);
            let (block_bytes, buffers) = (self.options.block_bytes, self.reading.buffers());
            let (payload, reading) = payload::read(stage.source.clone(), prefix, offset..until, block_bytes, expected, buffers);
            let sent = self.destination.send(upload_url, offset, payload).await;
            if let Err(Setback::Stopped) = sent {
                return Err(Setback::Stopped);
            }
            stage.prefix = self.finish_reading(reading).await?;
            self.stands_at(stage, sent?.unwrap_or(until)).await?;
        }
        Ok(())
    }

    /// The hash that goes on from here, unless the file could not be read as one version.
    async fn finish_reading(&self, reading: Reading) -> Result<Prefix, Setback> {
        let unreadable = || Setback::Failed(self.source_failure(&SourceError::Unreadable(std::io::ErrorKind::TimedOut.into())));
        let reading = tokio::time::timeout(self.options.stall, reading).await.map_err(|_| unreadable())?;
        let (prefix, result) = reading.map_err(|_| Setback::Failed(failure::internal("reading the file")))?;
        result.map_err(|error| Setback::Source(self.source_failure(&error)))?;
        Ok(prefix)
    }

    /// Takes note of the server's offset, and of what it means.
    async fn stands_at(&self, stage: &mut Stage, offset: u64) -> Result<(), Setback> {
        // Section 4.1.1 of the draft, and every protocol's promise: an offset never goes back, and never beyond what was sent.
        if offset < stage.confirmed || offset > stage.content.byte_count {
            return Err(Setback::Spoilt(failure::lost_bytes(self.destination.host())));
        }
        if offset > stage.confirmed {
            stage.confirmed = offset;
            stage.stumbles = 0;
            let written = self.journal.offset(&self.order.job_id, offset).await;
            written.map_err(|error| Setback::Failed(failure::internal(&error.to_string())))?;
            self.progress.confirmed(&self.order.job_id, offset);
        }
        stage.offset = Some(offset);
        Ok(())
    }

    /// Everything that must hold before the completing request.
    async fn verify(&self, stage: &mut Stage, upload_url: &Url) -> Result<(), Setback> {
        let held = self.destination.offset(upload_url).await?;
        if held.offset != stage.content.byte_count {
            stage.offset = None;
            return Err(Setback::Doubt(self.disagrees(held.offset)));
        }
        let mut prefix = std::mem::replace(&mut stage.prefix, self.unread());
        let (source, end) = (stage.source.clone(), stage.content.byte_count);
        let block_bytes = self.options.block_bytes;
        let reading = tokio::task::spawn_blocking(move || {
            // Reads only after a resumption that found everything sent; else the hash is here already.
            let result = if prefix.at() == end { Ok(()) } else { prefix.seek(&source, end, block_bytes) };
            let result = result.and_then(|()| source.ensure_unchanged());
            (prefix, result)
        });
        // Reading a long prefix again may take longer than a line may be silent.
        let (prefix, result) = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Setback::Stopped),
            reading = reading => reading.map_err(|_| Setback::Failed(failure::internal("reading the file")))?,
        };
        result.map_err(|error| Setback::Source(self.source_failure(&error)))?;
        if prefix.digest() != stage.content.digest {
            return Err(Setback::Source(self.source_failure(&SourceError::Changed)));
        }
        stage.content.sha1 = prefix.sha1().or(stage.content.sha1);
        stage.prefix = prefix;
        match held.digest {
            Some(digest) if digest != stage.content.digest => {
                Err(Setback::Spoilt(failure::damaged_on_the_way(self.destination.host())))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The completing request arrived, its answer did not. It is repeated for the answer; if the server has let go of it, what it
    /// says of the session is the proof.
    async fn completed_before(&self, stage: &Stage, upload_url: &Url, held: &Held) -> Result<Proof, Setback> {
        self.phase(Phase::Verifying);
        if held.offset != stage.content.byte_count {
            return Err(Setback::Spoilt(self.disagrees(held.offset)));
        }
        match self.destination.finish(upload_url, &stage.content).await {
            Err(Setback::SessionGone(_) | Setback::OffsetIs(_)) => {
                Ok(Proof { remote_id: upload_url.to_string(), digest: held.digest, byte_count: Some(held.offset) })
            }
            result => result,
        }
    }

    /// Decides what follows a setback: another attempt (`Ok`), or the end.
    async fn recover(&self, stage: &mut Stage, setback: Setback) -> Result<(), End> {
        match setback {
            Setback::Doubt(failure) => {
                stage.offset = None;
                stage.stumbles += 1;
                self.pause(stage.stumbles, failure).await.map_err(|setback| self.end(setback))
            }
            Setback::OffsetIs(offset) => {
                stage.stumbles += 1;
                self.pause(stage.stumbles, self.disagrees(offset)).await.map_err(|setback| self.end(setback))?;
                match self.stands_at(stage, offset).await {
                    Ok(()) => Ok(()),
                    Err(Setback::Spoilt(failure)) => self.restart(stage, failure, RESTARTS_MAX).await,
                    Err(setback) => Err(self.end(setback)),
                }
            }
            // The destination has learnt how much less it may be; another session takes smaller parts.
            Setback::TooLarge { failure, .. } if stage.limits.are_parts() => {
                stage.shrinks += 1;
                if stage.shrinks > SHRINKS_MAX {
                    return Err(End::Failed(failure));
                }
                self.begin_anew(stage).await
            }
            Setback::TooLarge { limit, failure } => {
                let smaller = limit.unwrap_or(u64::MAX).min(stage.append_bytes / 2);
                if stage.upload_url.is_none() || smaller < APPEND_BYTES_MIN.min(limit.unwrap_or(APPEND_BYTES_MIN)) {
                    return Err(End::Failed(failure));
                }
                stage.append_bytes = smaller;
                stage.offset = None;
                Ok(())
            }
            Setback::Moved(upload_url) => {
                stage.stumbles += 1;
                let moved = failure::unexpected(self.destination.host(), "redirects without end");
                self.pause(stage.stumbles, moved).await.map_err(|setback| self.end(setback))?;
                self.store_session(stage, &upload_url).await.map_err(|setback| self.end(setback))?;
                stage.upload_url = Some(upload_url);
                stage.offset = None;
                Ok(())
            }
            Setback::SessionGone(failure) => {
                // After a completing request the same key asks for what became of it.
                let key = if stage.completing { stage.content.key.clone() } else { key(self.order, stage.restarts + 1) };
                stage.upload_url = None;
                // However often it was begun anew: a later delivery would not know the key.
                let asks_once_more = u32::from(stage.completing);
                self.restart(stage, failure, RESTARTS_MAX + asks_once_more).await?;
                stage.content.key = key;
                Ok(())
            }
            Setback::Spoilt(failure) => self.restart(stage, failure, RESTARTS_MAX).await,
            Setback::Source(failure) | Setback::Verdict(failure) => {
                self.give_up(stage.upload_url.as_ref()).await?;
                Err(End::Failed(failure))
            }
            setback @ (Setback::Stopped | Setback::Failed(_)) => Err(self.end(setback)),
        }
    }

    /// Abandons the session, so that the next attempt begins one.
    async fn begin_anew(&self, stage: &mut Stage) -> Result<(), End> {
        self.give_up(stage.upload_url.take().as_ref()).await?;
        (stage.offset, stage.confirmed, stage.completing) = (None, 0, false);
        stage.prefix = self.unread();
        Ok(())
    }

    /// Abandons the session and prepares for another, a bounded number of times.
    async fn restart(&self, stage: &mut Stage, failure: Failure, most: u32) -> Result<(), End> {
        stage.restarts += 1;
        if stage.restarts > most {
            self.give_up(stage.upload_url.take().as_ref()).await?;
            return Err(End::Failed(failure));
        }
        tracing::info!(job = %self.order.job_id, reason = failure.message, "beginning anew");
        self.begin_anew(stage).await?;
        stage.content.key = key(self.order, stage.restarts);
        Ok(())
    }
}
