//! Asking again: whether the person's file is still what was delivered, and whether the destination still holds that, this moment.

use std::path::PathBuf;

use afterglow_model::{Connector, Evidence, Failure};
use tokio_util::sync::CancellationToken;

use crate::{
    destination::{Content, Destination, Setback, Sha1Wanted},
    driver::hex,
    failure,
    order::Account,
    route::Errand,
    source::{Pin, Source, SourceError},
    transfer::Transfer,
    trial::failure_of,
};

/// A file that was delivered before.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The folder that the person gave us.
    pub root: PathBuf,
    /// The file beneath it.
    pub path: PathBuf,
    /// Its name, for sentences.
    pub filename: String,
    /// Its size in bytes.
    pub byte_count: u64,
    /// SHA-256 of what was delivered, hexadecimal.
    pub sha256: String,
    /// The server's name for it.
    pub remote_id: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Again {
    /// The file is what was delivered, and the destination proves, to this grade, that it holds it. Less than [`Evidence::Hashed`] says
    /// nothing of the content.
    Held {
        /// The version of the file that was read.
        pin: Pin,
        /// What the destination proved.
        evidence: Evidence,
    },
    /// The destination does not hold it any more.
    Gone,
    /// The file is not what was delivered, or cannot be read.
    Unfit(Failure),
    /// The destination could not be asked.
    Unasked(Failure),
}

impl Transfer {
    /// Reads the file, and asks the destination for it. Nothing is left there.
    pub async fn ask_again(&self, connector: Connector, account: &Account, holding: &Holding, cancel: &CancellationToken) -> Again {
        let by = match self.shared.route(connector, account, Errand::Delivery, cancel).await {
            Ok(by) => by,
            Err(setback) => return Again::Unasked(failure_of(setback)),
        };
        let destination = match self.connect(connector, &by, cancel) {
            Ok(destination) => destination,
            Err(failure) => return Again::Unasked(failure),
        };
        let (pin, content) = match self.read(destination.as_ref(), holding).await {
            Ok(read) => read,
            Err(failure) => return Again::Unfit(failure),
        };
        let mut told = destination.still_holds(&holding.remote_id, &content).await;
        if let Err(Setback::Doubt(_)) = told {
            told = destination.still_holds(&holding.remote_id, &content).await;
        }
        match told {
            Ok(None) => Again::Gone,
            Ok(Some(proof)) => match (proof.digest, proof.byte_count) {
                (Some(digest), _) if digest == content.digest => Again::Held { pin, evidence: destination.digest_grade() },
                (None, Some(byte_count)) if byte_count == content.byte_count => Again::Held { pin, evidence: Evidence::Sized },
                (None, None) => Again::Held { pin, evidence: Evidence::Accepted },
                (Some(_), _) | (None, Some(_)) => Again::Gone,
            },
            Err(setback) => Again::Unasked(failure_of(setback)),
        }
    }

    /// The file as the one version that was delivered, and what its server is asked with.
    async fn read(&self, destination: &dyn Destination, holding: &Holding) -> Result<(Pin, Content), Failure> {
        let digest = hex(&holding.sha256).ok_or_else(|| failure::internal("the digest of a receipt is unreadable"))?;
        let (root, path, byte_count) = (holding.root.clone(), holding.path.clone(), holding.byte_count);
        let (wants_sha1, block_bytes) = (destination.sha1() != Sha1Wanted::Never, self.shared.options.block_bytes);
        let reading = tokio::task::spawn_blocking(move || {
            let source = Source::open(&root, &path)?;
            let (found, sha1) = match (source.pin().size == byte_count, wants_sha1) {
                (false, _) => return Err(SourceError::Changed),
                (true, true) => source.digests(block_bytes).map(|(sha256, sha1)| (sha256, Some(sha1)))?,
                (true, false) => (source.digest(block_bytes)?, None),
            };
            if found == digest { Ok((source.pin(), sha1)) } else { Err(SourceError::Changed) }
        });
        let read = reading.await.map_err(|_| failure::internal("reading the file"))?;
        let (pin, sha1) = read.map_err(|error| failure::of_source(&holding.filename, &error))?;
        let content = Content {
            filename: holding.filename.clone(),
            content_type: None,
            byte_count,
            digest,
            sha1,
            created_ms: None,
            companions: Default::default(),
            key: String::new(),
        };
        Ok((pin, content))
    }
}
