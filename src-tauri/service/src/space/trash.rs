//! Moving what the person confirmed to the desktop's trash, after a last look at each file.

use afterglow_model::{AssetId, MoveToTrash, MovedToTrash, SpaceCheckId, SpaceCheckState, Timestamp, TrashedFile, bytes};
use afterglow_transfer::Pin;

use super::{PinnedFile, Spare, gone};
use crate::{
    clock,
    core::Core,
    error::{Answer, Refusal},
};

/// Moves assets that a check offers, whole or not at all as far as that can be known before. What stands against one leaves the others.
pub(crate) async fn move_to_trash(core: &Core, id: &SpaceCheckId, request: MoveToTrash) -> Answer<MovedToTrash> {
    match core.space_checks.change(id, |open| open.check.state).ok_or_else(gone)? {
        SpaceCheckState::Done => {}
        SpaceCheckState::Running | SpaceCheckState::Failed => {
            return Err(Refusal::bad("check_not_done", "This check is not done. Wait for its end, or check again."));
        }
    }
    let mut moved = MovedToTrash { files: Vec::new(), moved: 0, byte_count: 0 };
    for asset in request.asset_ids {
        // Taken out, whatever becomes of it: a proof is good for one try.
        let spare = core.space_checks.change(id, |open| {
            open.check.assets.retain(|offered| offered.asset_id != asset);
            open.spares.remove(&asset)
        });
        moved.files.extend(asset_to_trash(core, asset, spare.flatten()).await?);
    }
    let gone: Vec<&TrashedFile> = moved.files.iter().filter(|file| file.problem.is_none()).collect();
    (moved.moved, moved.byte_count) = (gone.len() as u64, gone.iter().map(|file| file.byte_count).sum());
    tracing::info!(files = moved.moved, size = bytes(moved.byte_count), "moved to the trash, as the person confirmed");
    Ok(moved)
}

async fn asset_to_trash(core: &Core, asset: AssetId, spare: Option<Spare>) -> Answer<Vec<TrashedFile>> {
    let Some(spare) = spare else {
        let problem = Some("The check does not offer this photo, or it was tried already. Check again.".to_owned());
        return Ok(vec![TrashedFile { asset_id: asset, path: None, byte_count: 0, problem }]);
    };
    let contents: Vec<String> = spare.files.iter().map(|file| file.sha256.clone()).collect();
    let against = if is_too_old(&spare, clock::wall()) {
        Some("Its destination was asked more than 15 minutes ago. Check again.")
    } else if core.queue.is_wanted(&asset, &contents).await? {
        Some("An upload of it has not ended. Wait for it, then check again.")
    } else {
        None
    };
    if let Some(problem) = against {
        return Ok(spare.files.iter().map(|file| told(&asset, file, Some(problem.to_owned()))).collect());
    }
    let moving = tokio::task::spawn_blocking(move || files_to_trash(&asset, &spare.files));
    moving.await.map_err(|_| Refusal::internal("moving to the trash was cut off. Look into the trash, then check again."))
}

fn is_too_old(spare: &Spare, now: Timestamp) -> bool {
    now >= spare.valid_until
}

/// All files of an asset, if every one is still what was read. Blocks.
fn files_to_trash(asset: &AssetId, files: &[PinnedFile]) -> Vec<TrashedFile> {
    if files.iter().any(|file| !is_same(file)) {
        let problem = |file: &PinnedFile| match is_same(file) {
            true => "Another file of this photo changed since the check. Check again.",
            false => "It changed since the check, or is not there any more. Check again.",
        };
        return files.iter().map(|file| told(asset, file, Some(problem(file).to_owned()))).collect();
    }
    files.iter().map(|file| told(asset, file, file_to_trash(file).err())).collect()
}

/// No system knows a move of exactly this version: what somebody puts in its place between the look and the move, a moment, goes to the
/// trash instead, from which it can be restored.
fn file_to_trash(file: &PinnedFile) -> Result<(), String> {
    if !is_same(file) {
        return Err("It changed since the check. Check again.".to_owned());
    }
    afterglow_system::move_to_trash(&file.path).map_err(|error| error.to_string())
}

fn is_same(file: &PinnedFile) -> bool {
    Pin::of(&file.root, &file.path) == Some(file.pin)
}

fn told(asset: &AssetId, file: &PinnedFile, problem: Option<String>) -> TrashedFile {
    TrashedFile { asset_id: asset.clone(), path: Some(file.shown.clone()), byte_count: file.pin.size, problem }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn pinned(root: &Path, name: &str) -> PinnedFile {
        let path = root.join(name);
        fs::write(&path, name).unwrap();
        let pin = Pin::of(root, &path).unwrap();
        PinnedFile { root: root.to_owned(), shown: path.display().to_string(), path, sha256: String::new(), pin }
    }

    #[test]
    fn a_proof_ends_on_the_moment() {
        let spare = Spare { valid_until: Timestamp(900_000), files: Vec::new() };
        assert!(!is_too_old(&spare, Timestamp(899_999)));
        assert!(is_too_old(&spare, Timestamp(900_000)));
    }

    #[test]
    fn an_asset_of_which_one_file_changed_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let files = [pinned(folder.path(), "still.jpg"), pinned(folder.path(), "moving.mov")];
        fs::write(&files[1].path, "another content").unwrap();
        let told = files_to_trash(&"asset".into(), &files);
        assert!(told.iter().all(|file| file.problem.is_some()), "{told:?}");
        assert!(files.iter().all(|file| file.path.exists()));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_file_is_not_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = pinned(folder.path(), "a.jpg");
        let elsewhere = folder.path().join("elsewhere.jpg");
        fs::rename(&file.path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file.path).unwrap();
        assert!(!is_same(&file));
    }
}
