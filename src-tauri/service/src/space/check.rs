//! Looking at every asset: whether all of its files are held elsewhere, by what the destination shows now.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use afterglow_library::UploadFile;
use afterglow_model::{
    Asset, AssetId, CollectionId, Connector, Destination, DestinationId, Evidence, Failure, FailureCode, KeptReason, Receipt,
    SourceState, SpaceCheckId, SpareAsset, SpareFile, Timestamp,
};
use afterglow_transfer::{Again, Holding};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{PinnedFile, Spare, VALID_FOR};
use crate::{
    archives::{self, Access},
    clock,
    core::Core,
    error::Answer,
    host,
};

/// Assets read from the library in one go.
const PAGE: u32 = 200;
/// Assets looked at at once: most of the time a server is waited for.
const AT_ONCE: usize = 4;

/// Which assets, and what counts.
pub(super) struct Wishes {
    pub(super) named: Option<DestinationId>,
    pub(super) collection: CollectionId,
    pub(super) taken_before: Option<Timestamp>,
    pub(super) added_before: Option<Timestamp>,
    pub(super) limit: usize,
    pub(super) read_back: bool,
}

/// A check under way.
pub(super) struct Check<'a> {
    core: &'a Core,
    wishes: Wishes,
    destinations: HashMap<DestinationId, Asked>,
    cancel: &'a CancellationToken,
}

/// A destination, and what stands against asking it.
struct Asked {
    destination: Destination,
    access: Answer<Access>,
    /// What it failed with in a way that the next question would, too.
    away: Mutex<Option<Failure>>,
}

/// Why an asset stays, and what a person is told if that is more than the reason.
struct Stays(KeptReason, Option<String>);

impl From<KeptReason> for Stays {
    fn from(reason: KeptReason) -> Self {
        Self(reason, None)
    }
}

impl<'a> Check<'a> {
    /// Looks at the assets of the collection until it offers as many as it may.
    pub(super) async fn run(core: &'a Core, id: &SpaceCheckId, wishes: Wishes, cancel: &'a CancellationToken) -> Answer<()> {
        let mut destinations = HashMap::new();
        for destination in core.queue.destinations().await? {
            let mut access = match destination.connector {
                // Opening one for this is of no use: it is on this computer.
                Connector::Archive => continue,
                Connector::Resumable
                | Connector::Tus
                | Connector::Immich
                | Connector::Nextcloud
                | Connector::Webdav
                | Connector::S3
                | Connector::GooglePhotos
                | Connector::Folder => core.access(&destination).await,
            };
            if let Ok(access) = &mut access {
                access.account.config.read_back |= wishes.read_back;
            }
            destinations.insert(destination.id.clone(), Asked { destination, access, away: Mutex::default() });
        }
        let check = Self { core, wishes, destinations, cancel };
        let mut after: Option<AssetId> = None;
        loop {
            let page = core.library.members(&check.wishes.collection, after.take(), PAGE).await?;
            if check.page(id, &page).await? || page.len() < PAGE as usize {
                return Ok(());
            }
            after = page.last().cloned();
        }
    }

    /// True once enough is offered.
    async fn page(&self, id: &SpaceCheckId, page: &[AssetId]) -> Answer<bool> {
        let assets = self.core.library.assets_by_id(page).await?;
        let mut looked = futures_util::stream::iter(assets)
            .map(async |asset| if self.is_meant(&asset) { Some(self.look(&asset).await) } else { None })
            .buffered(AT_ONCE);
        while let Some(looked) = looked.next().await {
            let looked = match looked {
                None => None,
                Some(Ok(Err(stays))) => Some(Err(stays)),
                Some(Ok(Ok(offer))) => Some(Ok(offer)),
                Some(Err(refusal)) => return Err(refusal),
            };
            let full = self.core.space_checks.change(id, |open| {
                if open.check.assets.len() >= self.wishes.limit {
                    open.check.more = true;
                    return true;
                }
                open.check.looked_at += 1;
                match looked {
                    None => {}
                    Some(Ok((asset, spare))) => open.offer(asset, spare),
                    Some(Err(Stays(reason, told))) => open.keep(reason, told),
                }
                false
            });
            if full != Some(false) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_meant(&self, asset: &Asset) -> bool {
        self.wishes.taken_before.is_none_or(|before| asset.creation_date < before)
            && self.wishes.added_before.is_none_or(|before| asset.added_date < before)
    }

    /// One asset, with every place of every file of it.
    async fn look(&self, asset: &Asset) -> Answer<Result<(SpareAsset, Spare), Stays>> {
        let files = self.core.library.places(&asset.id).await?;
        if files.is_empty() || files.iter().any(|file| file.source_state != SourceState::Present) {
            return Ok(Err(KeptReason::Offline.into()));
        }
        let contents: Vec<String> = files.iter().map(|file| file.sha256.clone()).collect();
        if self.core.queue.is_wanted(&asset.id, &contents).await? {
            return Ok(Err(KeptReason::Wanted.into()));
        }
        let receipts = self.core.queue.holdings(&contents).await?;
        let mut found = Vec::with_capacity(files.len());
        for file in &files {
            let path = file.path.clone();
            let stays = tokio::task::spawn_blocking(move || stands_against(&path)).await.unwrap_or(Some(KeptReason::Changed));
            if let Some(reason) = stays {
                return Ok(Err(reason.into()));
            }
            match self.ask(file, &receipts).await {
                Ok(held) => found.push(held),
                Err(stays) => return Ok(Err(stays)),
            }
        }
        let (files, pinned): (Vec<SpareFile>, Vec<PinnedFile>) = found.into_iter().unzip();
        let asked_first = files.iter().map(|file| file.asked_at).min().unwrap_or_else(clock::wall);
        let valid_until = asked_first.plus_ms(i64::try_from(VALID_FOR.as_millis()).unwrap_or(0));
        let byte_count = files.iter().map(|file| file.byte_count).sum();
        let spare = Spare { valid_until, files: pinned };
        let offered = SpareAsset { asset_id: asset.id.clone(), filename: asset.filename.clone(), byte_count, files, valid_until };
        Ok(Ok((offered, spare)))
    }

    /// Asks the destinations that ought to hold a file, until one shows that it does.
    async fn ask(&self, file: &UploadFile, receipts: &[Receipt]) -> Result<(SpareFile, PinnedFile), Stays> {
        let delivered = |receipt: &&Receipt| {
            receipt.sha256 == file.sha256
                && (receipt.evidence >= Evidence::Hashed || self.wishes.read_back)
                && self.wishes.named.as_ref().is_none_or(|named| *named == receipt.destination_id)
        };
        let mut stays = Stays::from(KeptReason::NotDelivered);
        for receipt in receipts.iter().filter(delivered) {
            let asked = self.destinations.get(&receipt.destination_id);
            let Some(asked) = asked.filter(|asked| !self.is_here(&asked.destination, &file.path)) else {
                stays = better(stays, KeptReason::OnThisComputer.into());
                continue;
            };
            match self.ask_one(asked, file, receipt).await {
                Ok(held) => return Ok(held),
                Err(other) => stays = better(stays, other),
            }
        }
        Err(stays)
    }

    async fn ask_one(&self, asked: &Asked, file: &UploadFile, receipt: &Receipt) -> Result<(SpareFile, PinnedFile), Stays> {
        let access = asked.access.as_ref().map_err(|refusal| unreachable(&asked.destination, &refusal.error.message))?;
        if let Some(failure) = asked.away.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Err(unreachable(&asked.destination, &failure.message));
        }
        let holding = Holding {
            root: file.root.clone(),
            path: file.path.clone(),
            filename: file.filename.clone(),
            byte_count: file.byte_count,
            sha256: file.sha256.clone(),
            remote_id: receipt.remote_id.clone(),
        };
        let asked_at = clock::wall();
        match self.core.transfer.ask_again(asked.destination.connector, &access.account, &holding, self.cancel).await {
            Again::Held { evidence, .. } if evidence < Evidence::Hashed => Err(KeptReason::CannotBeAsked.into()),
            Again::Held { pin, evidence } => {
                let shown = file.path.to_string_lossy().into_owned();
                let spare = SpareFile {
                    path: shown.clone(),
                    byte_count: file.byte_count,
                    destination_id: asked.destination.id.clone(),
                    destination_name: asked.destination.name.clone(),
                    evidence,
                    asked_at,
                };
                let (root, path, sha256) = (file.root.clone(), file.path.clone(), file.sha256.clone());
                Ok((spare, PinnedFile { root, path, shown, sha256, pin }))
            }
            Again::Gone => Err(KeptReason::NotHeld.into()),
            Again::Unfit(failure) if failure.code == FailureCode::SourceOffline => Err(KeptReason::Offline.into()),
            Again::Unfit(_) => Err(KeptReason::Changed.into()),
            Again::Unasked(failure) => {
                let stays = unreachable(&asked.destination, &failure.message);
                if lasts(failure.code) {
                    *asked.away.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                }
                Err(stays)
            }
        }
    }

    /// Whether what a destination holds is lost together with this computer. A server at an address of this computer is, unless the
    /// person names it: a tunnel may lead on from there.
    fn is_here(&self, destination: &Destination, path: &Path) -> bool {
        match destination.connector {
            Connector::Archive => true,
            Connector::Folder => {
                let folder = Url::parse(&destination.url).ok().and_then(|url| url.to_file_path().ok());
                folder.and_then(|folder| device(&folder)).is_none_or(|there| device(path) == Some(there))
            }
            Connector::Resumable
            | Connector::Tus
            | Connector::Immich
            | Connector::Nextcloud
            | Connector::Webdav
            | Connector::S3
            | Connector::GooglePhotos => {
                let is_local = destination.addresses().any(host::is_local);
                is_local && self.wishes.named.as_ref() != Some(&destination.id)
            }
        }
    }
}

/// The reason that says more: of several destinations that ought to hold a file, what the last that was asked said.
fn better(known: Stays, other: Stays) -> Stays {
    let was_asked = !matches!(other.0, KeptReason::OnThisComputer | KeptReason::NotDelivered);
    if was_asked || known.0 == KeptReason::NotDelivered { other } else { known }
}

fn unreachable(destination: &Destination, why: &str) -> Stays {
    Stays(KeptReason::Unreachable, Some(format!("{} could not be asked: {why}", destination.name)))
}

/// Whether the next question to the same destination would fail in the same way, so that it is not put.
fn lasts(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::ConnectionLost
            | FailureCode::TimedOut
            | FailureCode::AuthenticationRequired
            | FailureCode::CertificateChanged
            | FailureCode::TlsFailed
            | FailureCode::CaptivePortal
            | FailureCode::Throttled
    )
}

/// What stands against moving a file away from where it lies. Blocks.
fn stands_against(path: &Path) -> Option<KeptReason> {
    let folder = path.parent()?;
    if folder.ancestors().any(archives::is_marked) {
        return Some(KeptReason::DestinationFolder);
    }
    (!may_change(folder)).then_some(KeptReason::ReadOnly)
}

#[cfg(unix)]
fn may_change(folder: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn may_change(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| !metadata.permissions().readonly())
}

/// The file system that a path is on; none if that cannot be known, which is as good as the same one.
#[cfg(unix)]
fn device(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|metadata| metadata.dev())
}

#[cfg(not(unix))]
fn device(_path: &Path) -> Option<u64> {
    None
}
