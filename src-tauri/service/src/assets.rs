//! The files of an asset: which of them go to a destination, in which order, and what goes along.

use std::collections::HashMap;

use afterglow_library::UploadFile;
use afterglow_model::{AssetId, AssetResourceType, Connector, Destination, Versions};
use afterglow_queue::{First, NewJob, QueuedJob};
use afterglow_transfer::{Companions, Sidecar};

use crate::{core::Core, error::Answer};

/// What an editor writes and a server can take along with its photo.
const XMP: &str = ".xmp";

/// What assets would become.
pub(crate) struct Gathered {
    /// The jobs.
    pub(crate) drafts: Vec<NewJob>,
    /// A sentence for each file that is left out.
    pub(crate) refused: Vec<String>,
}

/// The files of these assets that the destination is to have, as jobs, each after the one that it belongs to where it knows such a thing.
///
/// A sidecar that goes along with its photo is no job; one that cannot is left out.
pub(crate) async fn drafts(core: &Core, destination: &Destination, assets: &[AssetId]) -> Answer<Gathered> {
    if assets.is_empty() {
        return Ok(Gathered { drafts: Vec::new(), refused: Vec::new() });
    }
    let mut files = core.library.upload_files(assets).await?;
    retain_versions(&mut files, destination.config.versions);
    if !destination.connector.knows_assets() {
        return Ok(Gathered { drafts: files.into_iter().map(draft).collect(), refused: Vec::new() });
    }
    let (sidecars, mut files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_sidecar(file.resource_type));
    let refused = sidecars.iter().filter(|file| !is_xmp(&file.filename)).map(|file| unknown(&file.filename)).collect();
    // What goes first is made first.
    files.sort_by_key(|file| standing(file.resource_type));
    let firsts: HashMap<AssetId, Vec<(AssetResourceType, String)>> = files.iter().fold(HashMap::new(), |mut of, file| {
        of.entry(file.asset_id.clone()).or_default().push((file.resource_type, file.sha256.clone()));
        of
    });
    let ordered = |file: UploadFile| {
        let others = firsts.get(&file.asset_id).map(Vec::as_slice).unwrap_or_default();
        let after = first_of(file.resource_type, &file.sha256, others).map(|sha256| First::Content(sha256.to_owned()));
        NewJob { after, ..draft(file) }
    };
    Ok(Gathered { drafts: files.into_iter().map(ordered).collect(), refused })
}

pub(crate) fn is_sidecar(kind: AssetResourceType) -> bool {
    kind == AssetResourceType::AdjustmentData
}

pub(crate) fn is_xmp(filename: &str) -> bool {
    filename.to_ascii_lowercase().ends_with(XMP)
}

/// Why a sidecar is left out of a server that takes some.
pub(crate) fn unknown(filename: &str) -> String {
    format!("{filename}: This destination takes only XMP sidecars. The photo goes without it.")
}

/// Keeps what goes there of edited photos.
fn retain_versions(files: &mut Vec<UploadFile>, versions: Versions) {
    let kinds: HashMap<AssetId, Vec<AssetResourceType>> = files.iter().fold(HashMap::new(), |mut of, file| {
        of.entry(file.asset_id.clone()).or_default().push(file.resource_type);
        of
    });
    files.retain(|file| kinds.get(&file.asset_id).is_none_or(|all| versions.include(file.resource_type, all)));
}

/// The file that goes before one of this kind: the nearest of a lower standing in its asset. A still that was asked for before its video
/// was there goes first, so that one of the two finds the other delivered.
fn first_of<'a>(kind: AssetResourceType, sha256: &str, others: &'a [(AssetResourceType, String)]) -> Option<&'a str> {
    let others = || others.iter().filter(|(_, content)| content != sha256);
    let before = others().filter(|(other, _)| standing(*other) < standing(kind)).max_by_key(|(other, _)| standing(*other));
    before.or_else(|| others().find(|(other, _)| still_of(kind) == Some(*other))).map(|(_, content)| content.as_str())
}

/// Where a kind of file stands in its asset: a Live Photo's video, then what shows the asset, then what stands beside that, then what is
/// shown instead. No two stand alike of those that a server puts together, so that the later one always finds the earlier one there.
fn standing(kind: AssetResourceType) -> u8 {
    match kind {
        AssetResourceType::PairedVideo => 0,
        AssetResourceType::Photo | AssetResourceType::Video => 1,
        AssetResourceType::AlternatePhoto
        | AssetResourceType::Audio
        | AssetResourceType::AdjustmentData
        | AssetResourceType::AdjustmentBasePhoto
        | AssetResourceType::AdjustmentBasePairedVideo
        | AssetResourceType::AdjustmentBaseVideo
        | AssetResourceType::PhotoProxy
        | AssetResourceType::Unknown => 2,
        AssetResourceType::FullSizePairedVideo => 3,
        AssetResourceType::FullSizePhoto | AssetResourceType::FullSizeVideo => 4,
    }
}

/// The kind of still that a Live Photo's video belongs to.
fn still_of(video: AssetResourceType) -> Option<AssetResourceType> {
    match video {
        AssetResourceType::PairedVideo => Some(AssetResourceType::Photo),
        AssetResourceType::FullSizePairedVideo => Some(AssetResourceType::FullSizePhoto),
        AssetResourceType::Photo
        | AssetResourceType::Video
        | AssetResourceType::Audio
        | AssetResourceType::AlternatePhoto
        | AssetResourceType::FullSizePhoto
        | AssetResourceType::FullSizeVideo
        | AssetResourceType::AdjustmentData
        | AssetResourceType::AdjustmentBasePhoto
        | AssetResourceType::AdjustmentBasePairedVideo
        | AssetResourceType::AdjustmentBaseVideo
        | AssetResourceType::PhotoProxy
        | AssetResourceType::Unknown => None,
    }
}

/// What of a job's asset concerns the job.
#[derive(Default)]
pub(crate) struct Beside {
    /// What else of it the destination holds.
    pub(crate) companions: Companions,
    /// What goes along.
    pub(crate) sidecar: Option<Sidecar>,
}

/// What of a job's asset concerns it, where the destination knows assets.
pub(crate) async fn beside(core: &Core, job: &QueuedJob, connector: Connector) -> Answer<Beside> {
    let Some(asset) = job.asset_id.as_ref().filter(|_| connector.knows_assets()) else { return Ok(Beside::default()) };
    let files = core.library.upload_files(std::slice::from_ref(asset)).await?;
    let Some(own) = files.iter().find(|file| file.sha256 == job.sha256) else { return Ok(Beside::default()) };
    let sidecar = sidecar_of(own, &files);
    Ok(Beside {
        companions: companions(core, job, own.resource_type, &files).await?,
        sidecar: sidecar.map(|file| Sidecar { root: file.root.clone(), path: file.path.clone() }),
    })
}

/// The XMP that goes with a file: `IMG.jpg.xmp` with that very file, `IMG.xmp` with the one that shows the asset.
fn sidecar_of<'a>(own: &UploadFile, files: &'a [UploadFile]) -> Option<&'a UploadFile> {
    let meant =
        |sidecar: &UploadFile, by: &UploadFile| sidecar.filename.to_lowercase() == format!("{}{XMP}", by.filename.to_lowercase());
    let mut sidecars = files.iter().filter(|file| is_sidecar(file.resource_type) && is_xmp(&file.filename));
    let named = sidecars.clone().find(|sidecar| meant(sidecar, own));
    let shows = matches!(own.resource_type, AssetResourceType::Photo | AssetResourceType::Video);
    named.or_else(|| sidecars.find(|sidecar| shows && !files.iter().any(|file| meant(sidecar, file))))
}

async fn companions(core: &Core, job: &QueuedJob, own: AssetResourceType, files: &[UploadFile]) -> Answer<Companions> {
    let held = async |wanted: &[AssetResourceType]| {
        let of_them = files.iter().filter(|file| wanted.contains(&file.resource_type) && file.sha256 != job.sha256);
        let contents: Vec<String> = of_them.map(|file| file.sha256.clone()).collect();
        let names = core.queue.remote_ids(&job.destination_id, &contents).await?;
        Answer::Ok(names.into_iter().flatten().next())
    };
    // A file of this asset's, not only one that is held: its still may come later.
    let is_there = |kind: AssetResourceType| files.iter().any(|file| file.resource_type == kind);
    let edit = [AssetResourceType::FullSizePhoto, AssetResourceType::FullSizeVideo];
    let original = [AssetResourceType::Photo, AssetResourceType::Video];
    let raw = [AssetResourceType::AlternatePhoto];
    Ok(match own {
        AssetResourceType::PairedVideo | AssetResourceType::FullSizePairedVideo => match still_of(own) {
            Some(still) if is_there(still) => {
                Companions { still: held(&[still]).await?, is_paired_video: true, ..Companions::default() }
            }
            Some(_) | None => Companions::default(),
        },
        AssetResourceType::FullSizePhoto | AssetResourceType::FullSizeVideo => Companions {
            paired_video: held(&[AssetResourceType::FullSizePairedVideo]).await?,
            beside: held(&original).await?.into_iter().chain(held(&raw).await?).collect(),
            ..Companions::default()
        },
        AssetResourceType::Photo | AssetResourceType::Video => Companions {
            paired_video: held(&[AssetResourceType::PairedVideo]).await?,
            shown: held(&edit).await?,
            beside: held(&raw).await?.into_iter().collect(),
            ..Companions::default()
        },
        AssetResourceType::AlternatePhoto => {
            let (edit, original) = (held(&edit).await?, held(&original).await?);
            match edit {
                Some(edit) => Companions { shown: Some(edit), beside: original.into_iter().collect(), ..Companions::default() },
                None => Companions { shown: original, ..Companions::default() },
            }
        }
        AssetResourceType::Audio
        | AssetResourceType::AdjustmentData
        | AssetResourceType::AdjustmentBasePhoto
        | AssetResourceType::AdjustmentBasePairedVideo
        | AssetResourceType::AdjustmentBaseVideo
        | AssetResourceType::PhotoProxy
        | AssetResourceType::Unknown => Companions::default(),
    })
}

/// A file of the library, as a job.
pub(crate) fn draft(file: UploadFile) -> NewJob {
    NewJob {
        asset_id: Some(file.asset_id),
        resource_id: Some(file.resource_id),
        created_ms: Some(file.created.0),
        source_id: Some(file.source_id),
        ..NewJob::of(file.path, file.filename, file.resource_type, file.byte_count, file.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AssetResourceType::*;

    #[test]
    fn what_belongs_together_goes_one_after_another() {
        let asset =
            [PairedVideo, Photo, AlternatePhoto, FullSizePairedVideo, FullSizePhoto].map(|kind| (kind, format!("{kind:?}")));
        let before = |kind: AssetResourceType, there: &[(AssetResourceType, String)]| {
            first_of(kind, &format!("{kind:?}"), there).map(str::to_owned)
        };
        for pair in asset.windows(2) {
            assert_eq!(before(pair[1].0, &asset).as_ref(), Some(&pair[0].1));
        }
        // If the still's job is there already, which is made after the video's else.
        assert_eq!(before(PairedVideo, &asset).as_deref(), Some("Photo"));
        assert_eq!(before(FullSizePairedVideo, &asset[3..]).as_deref(), Some("FullSizePhoto"));
        assert_eq!(before(Photo, &asset[1..]), None);
    }
}
