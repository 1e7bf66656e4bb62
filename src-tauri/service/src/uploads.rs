//! Turning files and assets into jobs.

use std::path::PathBuf;

use afterglow_library::{LooseFile, UploadFile};
use afterglow_model::{AssetId, CreateUpload, Priority, UploadJobOptions, UploadPreview, bytes, count};
use afterglow_queue::{Known, NewBatch, NewJob, QueuedJob};

use crate::{
    clock,
    core::Core,
    engine::Command,
    error::{Answer, Refusal},
};

/// Files of one call: what a person can drop at once.
const FILES_MAX: usize = 100_000;
/// Refusals that are told one by one.
const REFUSED_SHOWN_MAX: usize = 20;

struct Gathered {
    drafts: Vec<NewJob>,
    refused: Vec<String>,
}

/// What an upload would do.
pub(crate) async fn preview(core: &Core, request: CreateUpload) -> Answer<UploadPreview> {
    let destination = core.destination(request.destination_id.as_str()).await?;
    let gathered = gather(core, &request).await?;
    let digests: Vec<String> = gathered.drafts.iter().map(|draft| draft.sha256.clone()).collect();
    let known = core.queue.known(&destination.id, &digests).await?;
    let delivered = known.iter().filter(|known| matches!(known, Known::Delivered)).count() as u64;
    let fresh = gathered.drafts.iter().zip(&known).filter(|(_, known)| !matches!(known, Known::Delivered));
    let bytes = fresh.map(|(draft, _)| draft.byte_count).sum();
    Ok(UploadPreview {
        files: gathered.drafts.len() as u64 - delivered,
        bytes,
        already_delivered: delivered,
        refused: gathered.refused,
        batch_id: None,
    })
}

/// Makes the jobs of an upload that the person asked for.
pub(crate) async fn create(core: &Core, request: CreateUpload) -> Answer<UploadPreview> {
    let destination = core.destination(request.destination_id.as_str()).await?;
    let gathered = gather(core, &request).await?;
    if gathered.drafts.is_empty() {
        let why = gathered.refused.first().cloned().unwrap_or_else(|| "There is nothing to upload in what was given.".to_owned());
        return Err(Refusal::bad("nothing_to_upload", why));
    }
    let files = gathered.drafts.len() as u64;
    let total: u64 = gathered.drafts.iter().map(|draft| draft.byte_count).sum();
    let batch = NewBatch {
        title: count(files, "photo", "photos"),
        app_id: destination.app_id.clone(),
        destination_id: destination.id.clone(),
        priority: Priority::UserInitiated,
        rule_id: None,
    };
    let made = core.queue.create_jobs(batch, gathered.drafts, clock::wall()).await?;
    tracing::info!(files, size = bytes(total), destination = destination.name, "upload asked for");
    core.command(Command::Jobs).await;
    Ok(UploadPreview {
        files: files - made.already_delivered,
        bytes: total,
        already_delivered: made.already_delivered,
        refused: gathered.refused,
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
    let draft = NewJob { options: job.options.clone(), ..loose_draft(job.path.clone(), described) };
    core.queue.create_jobs(batch, vec![draft], clock::wall()).await?;
    core.command(Command::Jobs).await;
    Ok(true)
}

async fn gather(core: &Core, request: &CreateUpload) -> Answer<Gathered> {
    let mut drafts = asset_drafts(core, &request.asset_ids).await?;
    let roots: Vec<PathBuf> = request.paths.iter().map(PathBuf::from).collect();
    if let Some(relative) = roots.iter().find(|path| path.is_relative()) {
        return Err(Refusal::bad("relative_path", format!("{}: give the whole path.", relative.display())));
    }
    let (files, mut refused) = core.library.expand_paths(&roots, FILES_MAX).await;
    for file in files {
        match core.library.describe_file(&file).await {
            Ok(described) => drafts.push(loose_draft(file, described)),
            Err(error) => refused.push(error.to_string()),
        }
    }
    if refused.len() > REFUSED_SHOWN_MAX {
        let more = refused.len() - REFUSED_SHOWN_MAX + 1;
        refused.truncate(REFUSED_SHOWN_MAX - 1);
        refused.push(format!("And {more} more."));
    }
    Ok(Gathered { drafts, refused })
}

/// Every file of these assets, as jobs.
pub(crate) async fn asset_drafts(core: &Core, assets: &[AssetId]) -> Answer<Vec<NewJob>> {
    if assets.is_empty() {
        return Ok(Vec::new());
    }
    let files = core.library.upload_files(assets).await?;
    Ok(files.into_iter().map(library_draft).collect())
}

/// A file of the library, as a job.
pub(crate) fn library_draft(file: UploadFile) -> NewJob {
    NewJob {
        asset_id: Some(file.asset_id),
        resource_id: Some(file.resource_id),
        resource_type: file.resource_type,
        filename: file.filename,
        byte_count: file.byte_count,
        sha256: file.sha256,
        created_ms: Some(file.created.0),
        source_id: Some(file.source_id),
        path: file.path,
        client_reference: None,
        options: UploadJobOptions::default(),
        url: None,
        headers_handle: None,
        body_handle: None,
        after: None,
    }
}

fn loose_draft(path: PathBuf, file: LooseFile) -> NewJob {
    let (asset_id, resource_id) = file.known.unzip();
    NewJob {
        asset_id,
        resource_id,
        resource_type: file.resource_type,
        filename: file.filename,
        byte_count: file.byte_count,
        sha256: file.sha256,
        created_ms: Some(file.created.0),
        source_id: None,
        path,
        client_reference: None,
        options: UploadJobOptions::default(),
        url: None,
        headers_handle: None,
        body_handle: None,
        after: None,
    }
}
