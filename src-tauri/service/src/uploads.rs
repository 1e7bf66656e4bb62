//! What a person asks to upload, files and photos, becomes jobs.

use std::path::PathBuf;

use afterglow_library::LooseFile;
use afterglow_model::{
    AssetId, AssetResourceType, CreateUpload, Destination, Priority, ResourceId, Timestamp, UploadPreview, bytes, photos_and_videos,
};
use afterglow_queue::{Known, NewBatch, NewJob, QueuedJob};

use crate::{
    assets::{self, Gathered},
    clock,
    core::Core,
    engine::Command,
    error::{Answer, Refusal},
};

/// Files of one call: what a person can drop at once.
const FILES_MAX: usize = 100_000;
/// Refusals that are told one by one.
const REFUSED_SHOWN_MAX: usize = 20;

/// What an upload is of.
struct Asked {
    /// From the library.
    assets: Vec<NewJob>,
    /// From anywhere.
    files: Vec<Loose>,
    /// A sentence for each file that is left out.
    refused: Vec<String>,
}

/// A file from outside the library, as little of it as makes a job: a hundred thousand are remembered until the last one is read.
struct Loose {
    path: PathBuf,
    filename: Box<str>,
    byte_count: u64,
    sha256: Box<str>,
    created: Timestamp,
    resource_type: AssetResourceType,
    known: Option<Box<(AssetId, ResourceId)>>,
}

impl Asked {
    /// Kind, size and SHA-256 of each.
    fn each(&self) -> impl Iterator<Item = (AssetResourceType, u64, &str)> {
        let assets = self.assets.iter().map(|draft| (draft.resource_type, draft.byte_count, draft.sha256.as_str()));
        assets.chain(self.files.iter().map(|file| (file.resource_type, file.byte_count, &*file.sha256)))
    }
}

impl From<Loose> for NewJob {
    fn from(file: Loose) -> Self {
        let (asset_id, resource_id) = file.known.map(|known| *known).unzip();
        let (filename, sha256) = (file.filename.into_string(), file.sha256.into_string());
        Self {
            asset_id,
            resource_id,
            created_ms: Some(file.created.0),
            ..Self::of(file.path, filename, file.resource_type, file.byte_count, sha256)
        }
    }
}

/// What an upload would do.
pub(crate) async fn preview(core: &Core, request: CreateUpload) -> Answer<UploadPreview> {
    let destination = core.destination(request.destination_id.as_str()).await?;
    let asked = gather(core, &destination, &request).await?;
    let digests: Vec<String> = asked.each().map(|(_, _, sha256)| sha256.to_owned()).collect();
    let known = core.queue.known(&destination.id, &digests).await?;
    let delivered = known.iter().filter(|known| matches!(known, Known::Delivered)).count() as u64;
    let fresh = asked.each().zip(&known).filter(|(_, known)| !matches!(known, Known::Delivered));
    let bytes = fresh.map(|((_, byte_count, _), _)| byte_count).sum();
    Ok(UploadPreview {
        files: known.len() as u64 - delivered,
        bytes,
        already_delivered: delivered,
        refused: asked.refused,
        batch_id: None,
    })
}

/// Makes the jobs of an upload that the person asked for.
pub(crate) async fn create(core: &Core, request: CreateUpload) -> Answer<UploadPreview> {
    let destination = core.destination(request.destination_id.as_str()).await?;
    let asked = gather(core, &destination, &request).await?;
    let files = asked.each().count() as u64;
    if files == 0 {
        let why = asked.refused.first().cloned().unwrap_or_else(|| "There is nothing to upload in what was given.".to_owned());
        return Err(Refusal::bad("nothing_to_upload", why));
    }
    let total: u64 = asked.each().map(|(_, byte_count, _)| byte_count).sum();
    let batch = NewBatch {
        title: photos_and_videos(asked.each().map(|(kind, _, _)| kind)),
        app_id: destination.app_id.clone(),
        destination_id: destination.id.clone(),
        priority: Priority::UserInitiated,
        rule_id: None,
    };
    let Asked { assets, files: loose, refused } = asked;
    let made = core.queue.create_jobs(batch, assets.into_iter().chain(loose.into_iter().map(NewJob::from)), clock::wall()).await?;
    tracing::info!(files, size = bytes(total), destination = destination.name, "upload asked for");
    core.command(Command::Jobs).await;
    Ok(UploadPreview {
        files: files - made.already_delivered,
        bytes: total,
        already_delivered: made.already_delivered,
        refused,
        batch_id: made.batch_id,
    })
}

/// Asks anew for a file whose content is another than its job's by now. False if it is not.
pub(crate) async fn again(core: &Core, job: &QueuedJob) -> Answer<bool> {
    let described = core.library.describe_file(&job.path).await?;
    if described.sha256 == job.sha256 {
        return Ok(false);
    }
    let batch = NewBatch {
        title: job.filename.clone(),
        app_id: job.app_id.clone(),
        destination_id: job.destination_id.clone(),
        priority: job.priority,
        rule_id: None,
    };
    let draft = NewJob { options: job.options.clone(), ..loose(job.path.clone(), described).into() };
    core.queue.create_jobs(batch, [draft], clock::wall()).await?;
    core.command(Command::Jobs).await;
    Ok(true)
}

async fn gather(core: &Core, destination: &Destination, request: &CreateUpload) -> Answer<Asked> {
    let Gathered { drafts, refused: left_out } = assets::drafts(core, destination, &request.asset_ids).await?;
    let roots: Vec<PathBuf> = request.paths.iter().map(PathBuf::from).collect();
    if let Some(relative) = roots.iter().find(|path| path.is_relative()) {
        return Err(Refusal::bad("relative_path", format!("{}: give the whole path.", relative.display())));
    }
    let (files, mut refused) = core.library.expand_paths(&roots, FILES_MAX).await;
    refused.extend(left_out);
    let mut taken = Vec::new();
    for file in files {
        match core.library.describe_file(&file).await {
            Ok(described) if assets::is_sidecar(described.resource_type) && destination.connector.knows_assets() => {
                refused.push(alone(&described.filename));
            }
            Ok(described) => taken.push(loose(file, described)),
            Err(error) => refused.push(error.to_string()),
        }
    }
    if refused.len() > REFUSED_SHOWN_MAX {
        let more = refused.len() - REFUSED_SHOWN_MAX + 1;
        refused.truncate(REFUSED_SHOWN_MAX - 1);
        refused.push(format!("And {more} more."));
    }
    Ok(Asked { assets: drafts, files: taken, refused })
}

/// Why a sidecar cannot be uploaded by itself.
fn alone(filename: &str) -> String {
    if assets::is_xmp(filename) {
        format!("{filename}: Sidecars go with their photos from the library, not alone.")
    } else {
        assets::unknown(filename)
    }
}

fn loose(path: PathBuf, file: LooseFile) -> Loose {
    Loose {
        path,
        filename: file.filename.into(),
        byte_count: file.byte_count,
        sha256: file.sha256.into(),
        created: file.created,
        resource_type: file.resource_type,
        known: file.known.map(Box::new),
    }
}
