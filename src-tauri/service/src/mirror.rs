//! Albums at destinations that want them: what was delivered of an album of the person's, or of a folder that a rule names, is in an album of
//! the same title there.
//!
//! A pass is made at the start, and when something has changed and deliveries have settled; never while one is under way, and only where a
//! backup might go. What was put into an album is written down after the server said so, so that a pass that is cut short is repeated
//! harmlessly, and one without news asks the server nothing. What a server refuses to put into an album is asked again with the next pass,
//! never within one, and said at the destination. Nothing is ever taken out of an album there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use afterglow_library::LibraryError;
use afterglow_model::{
    AssetCollection, AssetId, AssetResourceType, ChangeToken, CollectionId, CollectionKind, Destination, DestinationId,
    DestinationState, Event, Failure, FailureClass, FailureCode, Rule, ServiceState,
};
use afterglow_transfer::{Album, Mirrored};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    core::Core,
    error::{Answer, Refusal},
    rules,
};

/// Assets looked at in one go, and put into an album with one request.
const PAGE: u32 = Album::ASSETS_MAX as u32;
/// Assets that are remembered one by one; where more have changed, everything is looked at.
const TOUCHED_MAX: usize = 10_000;

/// Up to where a destination's albums were brought. Lost with the process: the first pass looks at everything.
struct Seen {
    token: ChangeToken,
    /// Those that are whole there.
    collections: HashSet<CollectionId>,
    /// Assets whose jobs have changed since.
    touched: HashSet<AssetId>,
}

/// How a pass over one destination ended.
enum Passed {
    /// All is as it should be, but for these, by the server's names, which it did not take.
    Done(HashSet<String>),
    /// It may not be spoken to now.
    NotNow,
    /// It did not take it.
    Failed(Failure),
}

/// Mirrors albums until the service ends.
pub(crate) struct Mirror {
    core: Arc<Core>,
    seen: HashMap<DestinationId, Seen>,
}

impl Mirror {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, seen: HashMap::new() }
    }

    /// Runs a pass whenever one is due.
    pub(crate) async fn run(mut self) {
        let mut events = self.core.events.subscribe();
        let mut due = true;
        loop {
            if due && self.is_settled() {
                // What was refused is not asked for again before something changes; what may not go now is, as soon as it may.
                due = self.pass().await.unwrap_or_else(|refusal| {
                    tracing::warn!(error = refusal.error.message, "the albums could not be looked at");
                    false
                });
            }
            tokio::select! {
                () = self.core.quit.cancelled() => return,
                event = events.recv() => match event {
                    Ok(event) => due |= self.heard(event),
                    Err(RecvError::Lagged(_)) => {
                        self.seen.clear();
                        due = true;
                    }
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// By the status, since each change of it is an event: whoever asked the library or the queue could miss the last one.
    fn is_settled(&self) -> bool {
        let status = self.core.status.borrow();
        status.state != ServiceState::Uploading && status.scan.is_none() && !status.looking
    }

    /// Whether an event makes a pass due.
    fn heard(&mut self, event: Event) -> bool {
        match event {
            Event::JobsChanged { asset_ids } if asset_ids.is_empty() => {
                self.seen.clear();
                true
            }
            Event::JobsChanged { asset_ids } => {
                self.seen.values_mut().for_each(|seen| seen.touched.extend(asset_ids.iter().cloned()));
                self.seen.retain(|_, seen| seen.touched.len() <= TOUCHED_MAX);
                true
            }
            Event::LibraryChanged | Event::DestinationsChanged => true,
            Event::Snapshot { .. }
            | Event::Status { .. }
            | Event::Scan { .. }
            | Event::AppsChanged
            | Event::Prompts { .. }
            | Event::SettingsChanged { .. }
            | Event::Open { .. }
            | Event::Overflow { .. } => false,
        }
    }

    /// Whether a destination is left that may not be spoken to now.
    async fn pass(&mut self) -> Answer<bool> {
        let mut left = false;
        let destinations = self.core.queue.destinations().await?;
        self.seen.retain(|id, _| destinations.iter().any(|known| &known.id == id && known.config.albums));
        for destination in destinations.into_iter().filter(|known| known.config.albums) {
            match self.bring(&destination).await? {
                Passed::Done(refused) => self.note(&destination, incomplete(&destination, refused.len())).await?,
                Passed::NotNow => left = true,
                Passed::Failed(failure) => {
                    tracing::warn!(destination = destination.name, reason = failure.message, "its albums are not up to date");
                    self.note(&destination, Some(failure).filter(|failure| failure.class != FailureClass::Transient)).await?;
                }
            }
        }
        Ok(left)
    }

    /// Shows at the destination what stands against its albums, once.
    async fn note(&self, destination: &Destination, lack: Option<Failure>) -> Answer<()> {
        if destination.state != DestinationState::Ready {
            return Ok(());
        }
        let known = destination.problem.as_ref().map(|problem| &problem.message);
        if known != lack.as_ref().map(|lack| &lack.message) {
            self.core.queue.set_lack(&destination.id, lack).await?;
            self.core.tell(Event::DestinationsChanged);
        }
        Ok(())
    }

    /// Brings a destination's albums up to date.
    async fn bring(&mut self, destination: &Destination) -> Answer<Passed> {
        let token = self.core.library.change_token().await?;
        let rules = self.core.queue.rules().await?;
        let collections = self.core.library.collections().await?;
        let wanted: Vec<AssetCollection> =
            collections.into_iter().filter(|collection| is_wanted(collection, destination, &rules)).collect();
        let touched = self.touched(&destination.id).await?;
        let (mut whole, mut refused) = (HashSet::new(), HashSet::new());
        for collection in wanted {
            let walked = self.seen.get(&destination.id).is_some_and(|seen| seen.collections.contains(&collection.id));
            let passed = match &touched {
                Some(touched) if walked => self.put_touched(destination, &collection, touched).await?,
                Some(_) | None => self.put_all(destination, &collection).await?,
            };
            match passed {
                Passed::Done(lacking) if lacking.is_empty() => drop(whole.insert(collection.id)),
                Passed::Done(lacking) => refused.extend(lacking),
                Passed::NotNow | Passed::Failed(_) => return Ok(passed),
            }
        }
        self.seen.insert(destination.id.clone(), Seen { token, collections: whole, touched: HashSet::new() });
        Ok(Passed::Done(refused))
    }

    /// The assets of which something changed since the last pass; none if that is not known.
    async fn touched(&self, destination: &DestinationId) -> Answer<Option<Vec<AssetId>>> {
        let Some(seen) = self.seen.get(destination) else { return Ok(None) };
        let (mut touched, mut token) = (seen.touched.clone(), seen.token.clone());
        loop {
            let changes = match self.core.library.changes(Some(&token), PAGE).await {
                Ok(changes) => changes,
                Err(LibraryError::TokenExpired) => return Ok(None),
                Err(error) => return Err(Refusal::from(error)),
            };
            touched.extend(changes.inserted.into_iter().chain(changes.updated));
            token = changes.change_token;
            if !changes.more {
                return Ok(Some(touched.into_iter().collect()));
            }
        }
    }

    async fn put_touched(&self, destination: &Destination, collection: &AssetCollection, touched: &[AssetId]) -> Answer<Passed> {
        let mut refused = HashSet::new();
        for page in touched.chunks(PAGE as usize) {
            let inside = self.core.library.contains(&collection.id, page).await?;
            let members: Vec<AssetId> = page.iter().zip(inside).filter(|(_, inside)| *inside).map(|(id, _)| id.clone()).collect();
            match self.put(destination, collection, &members).await? {
                // The album is to be made anew, with all that is in it.
                None => return self.put_all(destination, collection).await,
                Some(Passed::Done(lacking)) => refused.extend(lacking),
                Some(passed) => return Ok(passed),
            }
        }
        Ok(Passed::Done(refused))
    }

    async fn put_all(&self, destination: &Destination, collection: &AssetCollection) -> Answer<Passed> {
        let (mut after, mut anew, mut refused) = (None, false, HashSet::new());
        loop {
            let page = self.core.library.members(&collection.id, after.take(), PAGE).await?;
            match self.put(destination, collection, &page).await? {
                // Once: an album that is gone as soon as it is made is left alone until something changes.
                None if anew => return Ok(Passed::Done(refused)),
                None => {
                    anew = true;
                    continue;
                }
                Some(Passed::Done(lacking)) => refused.extend(lacking),
                Some(passed) => return Ok(passed),
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some(last.clone()),
                Some(_) | None => return Ok(Passed::Done(refused)),
            }
        }
    }

    /// Puts what the destination holds of these assets into the album; none if that is not there any more, and is forgotten now.
    async fn put(&self, destination: &Destination, collection: &AssetCollection, assets: &[AssetId]) -> Answer<Option<Passed>> {
        let queue = &self.core.queue;
        let held = self.held(destination, assets).await?;
        let assets = queue.not_mirrored(&destination.id, &collection.id, &held).await?;
        if assets.is_empty() {
            return Ok(Some(Passed::Done(HashSet::new())));
        }
        if !rules::may_go(&self.core, destination).await? {
            return Ok(Some(Passed::NotNow));
        }
        let remote_id = queue.mirror(&destination.id, &collection.id).await?;
        let album = Album { title: collection.title.clone(), remote_id, assets };
        let access = self.core.access(destination).await?;
        match self.core.transfer.mirror(destination.connector, &access.account, &album).await {
            Ok(Some(Mirrored { remote_id, assets: added })) => {
                queue.set_mirrored(&destination.id, &collection.id, &remote_id, &added).await?;
                tracing::info!(destination = destination.name, album = album.title, added = added.len(), "put into an album");
                Ok(Some(Passed::Done(album.assets.into_iter().filter(|asset| !added.contains(asset)).collect())))
            }
            Ok(None) => {
                queue.forget_mirror(&destination.id, &collection.id).await?;
                Ok(None)
            }
            Err(failure) => Ok(Some(Passed::Failed(failure))),
        }
    }

    /// The server's names for what shows these assets, as far as they were delivered: an edit, else what it was made from.
    async fn held(&self, destination: &Destination, assets: &[AssetId]) -> Answer<Vec<String>> {
        let allowed = self.core.queue.may_see(&destination.app_id, assets).await?;
        let assets: Vec<AssetId> = assets.iter().zip(allowed).filter(|(_, may)| *may).map(|(id, _)| id.clone()).collect();
        let mut files = self.core.library.upload_files(&assets).await?;
        files.retain(|file| rank(file.resource_type).is_some());
        files.sort_by_key(|file| rank(file.resource_type));
        let contents: Vec<String> = files.iter().map(|file| file.sha256.clone()).collect();
        let names = self.core.queue.remote_ids(&destination.id, &contents).await?;
        let mut shown = HashSet::new();
        let held = files.into_iter().zip(names).filter_map(|(file, name)| Some((file.asset_id, name?)));
        Ok(held.filter(|(asset, _)| shown.insert(asset.clone())).map(|(_, name)| name).collect())
    }
}

/// What a destination's albums lack, if it refused so many photos for them.
fn incomplete(destination: &Destination, refused: usize) -> Option<Failure> {
    let photos = match refused {
        0 => return None,
        1 => "1 photo".to_owned(),
        more => format!("{more} photos"),
    };
    let message =
        format!("{} did not take {photos} into its albums. What was deleted or locked there cannot be in one.", destination.name);
    Some(Failure {
        class: FailureClass::Permanent,
        code: FailureCode::ServerRejected,
        message,
        retry_after_ms: None,
        certificate: None,
    })
}

/// Which of an asset's files shows it: the lowest that is there.
fn rank(kind: AssetResourceType) -> Option<u8> {
    match kind {
        AssetResourceType::FullSizePhoto | AssetResourceType::FullSizeVideo => Some(0),
        AssetResourceType::Photo | AssetResourceType::Video => Some(1),
        AssetResourceType::Audio
        | AssetResourceType::AlternatePhoto
        | AssetResourceType::AdjustmentData
        | AssetResourceType::AdjustmentBasePhoto
        | AssetResourceType::PairedVideo
        | AssetResourceType::FullSizePairedVideo
        | AssetResourceType::AdjustmentBasePairedVideo
        | AssetResourceType::AdjustmentBaseVideo
        | AssetResourceType::PhotoProxy
        | AssetResourceType::Unknown => None,
    }
}

/// Every album of the person's, and the folders that rules name; those that fill themselves are views of the library.
fn is_wanted(collection: &AssetCollection, destination: &Destination, rules: &[Rule]) -> bool {
    match collection.kind {
        CollectionKind::Album => true,
        CollectionKind::Folder => {
            rules.iter().any(|rule| rule.destination_id == destination.id && rule.collection_id == collection.id)
        }
        CollectionKind::SmartAlbum => false,
    }
}
