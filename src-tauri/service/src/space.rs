//! Freeing up space: which files a destination was found to hold just now, and moving those that the person names to the trash.
//!
//! This is the only door by which a file of the person's is ever touched. A check moves nothing. Moving takes the id of a check and
//! the assets that the person confirmed; each is looked at once more immediately before. What a check found lives in memory, is good for
//! 15 minutes and for one move, and the next check forgets it.

mod check;
mod trash;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use afterglow_model::{
    AssetId, BeginSpaceCheck, Kept, KeptReason, SmartAlbum, SpaceCheck, SpaceCheckId, SpaceCheckState, SpareAsset, Timestamp,
};
use afterglow_transfer::Pin;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use trash::move_to_trash;

use self::check::{Check, Wishes};
use crate::{
    core::Core,
    error::{Answer, Refusal},
};

/// How long after a destination was asked a file may be moved.
const VALID_FOR: Duration = Duration::from_secs(15 * 60);
/// Assets that a check offers unless told, and at most.
const LIMIT: u32 = 1000;
const LIMIT_MAX: u32 = 10_000;

/// The check that was begun last; no other is remembered.
#[derive(Default)]
pub(crate) struct SpaceChecks {
    last: Mutex<Option<Open>>,
}

struct Open {
    check: SpaceCheck,
    /// The files of each asset that is offered.
    spares: HashMap<AssetId, Spare>,
    /// Ends it when it is forgotten.
    _ends: DropGuard,
}

/// The files of an asset that may be moved, as they were when they were read.
struct Spare {
    valid_until: Timestamp,
    files: Vec<PinnedFile>,
}

/// A file, and the version of it that was read.
struct PinnedFile {
    root: PathBuf,
    path: PathBuf,
    shown: String,
    sha256: String,
    pin: Pin,
}

/// Begins a check, and forgets the one before.
pub(crate) async fn begin(core: &Arc<Core>, request: BeginSpaceCheck) -> Answer<SpaceCheck> {
    let named = match &request.destination_id {
        Some(id) => Some(core.destination(id.as_str()).await?.id),
        None => None,
    };
    let everything = SmartAlbum::AllPhotos.id();
    let wanted = request.collection_id.as_ref().unwrap_or(&everything);
    let collection = core.library.find_collection(wanted.as_str()).await?.ok_or_else(|| Refusal::not_found("album", wanted))?;
    let check = SpaceCheck {
        id: SpaceCheckId(uuid::Uuid::new_v4().simple().to_string()),
        state: SpaceCheckState::Running,
        problem: None,
        looked_at: 0,
        total: collection.count,
        assets: Vec::new(),
        byte_count: 0,
        kept: Vec::new(),
        more: false,
    };
    let wishes = Wishes {
        named,
        collection: collection.id,
        taken_before: request.taken_before,
        added_before: request.added_before,
        limit: request.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX) as usize,
        read_back: request.read_back,
    };
    let cancel = core.quit.child_token();
    let open = Open { check: check.clone(), spares: HashMap::new(), _ends: cancel.clone().drop_guard() };
    *core.space_checks.last() = Some(open);
    tokio::spawn(live(core.clone(), check.id.clone(), wishes, cancel));
    Ok(check)
}

/// A check from its beginning until nothing of it is valid any more.
async fn live(core: Arc<Core>, id: SpaceCheckId, wishes: Wishes, cancel: CancellationToken) {
    tokio::select! {
        ended = Check::run(&core, &id, wishes, &cancel) => {
            core.space_checks.change(&id, |open| {
                open.check.state = if ended.is_ok() { SpaceCheckState::Done } else { SpaceCheckState::Failed };
                open.check.problem = ended.err().map(|refusal| refusal.error.message);
            });
        }
        () = cancel.cancelled() => return,
    }
    tokio::select! {
        () = tokio::time::sleep(VALID_FOR) => drop(forget(&core, &id)),
        () = cancel.cancelled() => {}
    }
}

/// Ends a check, and forgets what it found.
pub(crate) fn forget(core: &Core, id: &SpaceCheckId) -> Answer<()> {
    let mut last = core.space_checks.last();
    last.take_if(|open| open.check.id == *id).map(drop).ok_or_else(gone)
}

/// How far a check is. What it offers is told once it is done.
pub(crate) fn state(core: &Core, id: &SpaceCheckId) -> Answer<SpaceCheck> {
    let told = |open: &mut Open| match open.check.state {
        SpaceCheckState::Done => open.check.clone(),
        SpaceCheckState::Running | SpaceCheckState::Failed => SpaceCheck { assets: Vec::new(), ..open.check.clone() },
    };
    core.space_checks.change(id, told).ok_or_else(gone)
}

fn gone() -> Refusal {
    Refusal::gone("This check is not there any more: it is too old, or another was begun. Check again.")
}

impl SpaceChecks {
    fn last(&self) -> MutexGuard<'_, Option<Open>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on a check, if it is the one that is remembered.
    fn change<T>(&self, id: &SpaceCheckId, act: impl FnOnce(&mut Open) -> T) -> Option<T> {
        self.last().as_mut().filter(|open| open.check.id == *id).map(act)
    }
}

impl Open {
    fn offer(&mut self, asset: SpareAsset, spare: Spare) {
        self.check.byte_count += asset.byte_count;
        self.spares.insert(asset.asset_id.clone(), spare);
        self.check.assets.push(asset);
    }

    fn keep(&mut self, reason: KeptReason, told: Option<String>) {
        match self.check.kept.iter_mut().find(|kept| kept.reason == reason) {
            Some(kept) => kept.assets += 1,
            None => {
                let sentence = told.unwrap_or_else(|| reason.sentence().to_owned());
                self.check.kept.push(Kept { reason, assets: 1, sentence });
            }
        }
    }
}
