//! How jobs come to be: together, and never twice for the same content at the same place.

use std::path::PathBuf;

use afterglow_model::{
    AppId, AssetId, AssetResourceType, BatchId, DestinationId, JobId, JobState, Priority, ResourceId, RuleId, SourceId, Timestamp,
    UploadJobOptions,
};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{FileClass, class_number, path, rank};
use crate::text::{self, Digest, Json, Word};
use crate::{Queue, QueueError, app, destination, receipt};

/// What jobs asked for together have in common.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// For people: what it is.
    pub title: String,
    /// Who asks.
    pub app_id: AppId,
    /// Where to.
    pub destination_id: DestinationId,
    /// How the jobs come to be.
    pub priority: Priority,
    /// The rule that makes them.
    pub rule_id: Option<RuleId>,
}

/// A file that a job is to be made for.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The asset, if it is in the library.
    pub asset_id: Option<AssetId>,
    /// The file, if it is in the library.
    pub resource_id: Option<ResourceId>,
    /// Its part in the asset.
    pub resource_type: AssetResourceType,
    /// Name to send it under.
    pub filename: String,
    /// Size in bytes.
    pub byte_count: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// When it was taken; milliseconds since 1970 UTC.
    pub created_ms: Option<i64>,
    /// The folder of the library beneath which it lies.
    pub source_id: Option<SourceId>,
    /// Absolute path of the file.
    pub path: PathBuf,
    /// The app's own name for the job. The same twice is the same job.
    pub client_reference: Option<String>,
    /// What the job asks for beyond the settings.
    pub options: UploadJobOptions,
    /// Creation URL if it differs from the destination's.
    pub url: Option<String>,
    /// Handle of header fields in the secret store.
    pub headers_handle: Option<String>,
    /// Handle of what the request is made of in the secret store, if an app says so.
    pub body_handle: Option<String>,
    /// What goes first.
    pub after: Option<First>,
}

impl NewJob {
    /// A file of no asset, asked for with nothing special.
    pub fn of(path: PathBuf, filename: String, resource_type: AssetResourceType, byte_count: u64, sha256: String) -> Self {
        Self {
            asset_id: None,
            resource_id: None,
            resource_type,
            filename,
            byte_count,
            sha256,
            created_ms: None,
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
}

/// What has to end before a job may go, if it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// This job.
    Job(JobId),
    /// The job of this content at the same destination: SHA-256 in hexadecimal.
    Content(String),
}

/// What became of a list of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Created {
    /// The batch; none if there was nothing to send.
    pub batch_id: Option<BatchId>,
    /// The jobs that now stand for files of the list, in its order: new ones, waiting backups that were moved into this batch because the
    /// person asked, and those that the app had named before.
    pub jobs: Vec<JobId>,
    /// Files that the destination holds.
    pub already_delivered: u64,
    /// Files that have an open job, which stays as it was.
    pub already_queued: u64,
    /// Files that a rule may not send again: the person took them back, or they failed for good.
    pub refused: u64,
}

/// What a file would become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A new job.
    New,
    /// It has an open job.
    Queued,
    /// The destination holds it.
    Delivered,
}

/// What becomes of one file.
enum Outcome {
    Delivered,
    Queued,
    Refused,
    /// The app has named this job before, and it stands in this state.
    Named(JobId, JobState),
    /// An open backup that the person now asks for.
    Raise(JobId),
    New,
}

impl Queue {
    /// Makes the jobs that a list of files needs, all of them or none.
    ///
    /// Per destination a content has one open or delivered job, unless a job has a reference or a URL of its own. A file that failed or was
    /// cancelled gets a new job if the person or an app asks, never if a rule does.
    ///
    /// Of a long list, no more than one file need be a [`NewJob`] at a time.
    pub async fn create_jobs(
        &self,
        batch: NewBatch,
        files: impl IntoIterator<Item = NewJob> + Send + 'static,
        now: Timestamp,
    ) -> Result<Created, QueueError> {
        self.write(move |db, _| {
            app::known(db, &batch.app_id)?;
            destination::known(db, &batch.destination_id)?;
            let mut created = Created::default();
            for file in files {
                create(db, &batch, &file, now, &mut created)?;
            }
            Ok(created)
        })
        .await
    }

    /// What files of these SHA-256 would become at a destination, in their order.
    pub async fn known(&self, destination: &DestinationId, sha256: &[String]) -> Result<Vec<Known>, QueueError> {
        let (destination, sha256) = (destination.clone(), sha256.to_vec());
        self.read(move |db| {
            let known = |hex: &String| {
                let digest = text::digest(hex)?;
                if receipt::holds(db, &destination, &digest)? {
                    Ok(Known::Delivered)
                } else if open_job(db, &destination, &digest)?.is_some() {
                    Ok(Known::Queued)
                } else {
                    Ok(Known::New)
                }
            };
            sha256.iter().map(known).collect()
        })
        .await
    }
}

fn create(db: &Connection, batch: &NewBatch, file: &NewJob, now: Timestamp, created: &mut Created) -> Result<(), QueueError> {
    let digest = text::digest(&file.sha256)?;
    match outcome(db, batch, file, &digest)? {
        Outcome::Delivered => created.already_delivered += 1,
        Outcome::Queued => created.already_queued += 1,
        Outcome::Refused => created.refused += 1,
        Outcome::Named(id, state) => {
            match state {
                JobState::Registered | JobState::Pending => created.already_queued += 1,
                JobState::Succeeded => created.already_delivered += 1,
                JobState::Failed | JobState::Cancelled => {}
            }
            created.jobs.push(id);
        }
        Outcome::Raise(id) => {
            let batch_id = batch_of(db, batch, file, now, created)?;
            db.prepare_cached(
                "UPDATE job SET batch_id = ?2, priority = ?3, rule_id = NULL, due_at = 0,
                    phase = CASE phase WHEN 'backing_off' THEN 'queued' ELSE phase END
                 WHERE id = ?1",
            )?
            .execute(params![id.as_str(), batch_id.as_str(), rank(batch.priority)])?;
            created.jobs.push(id);
        }
        Outcome::New => {
            let batch_id = batch_of(db, batch, file, now, created)?;
            created.jobs.push(insert(db, batch, &batch_id, file, &digest, now)?);
        }
    }
    Ok(())
}

fn outcome(db: &Connection, batch: &NewBatch, file: &NewJob, digest: &Digest) -> Result<Outcome, QueueError> {
    if let Some(reference) = &file.client_reference {
        let mut named = db.prepare_cached("SELECT id, state FROM job WHERE app_id = ?1 AND client_reference = ?2")?;
        let known = named.query_row(params![batch.app_id.as_str(), reference], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        return Ok(known.map_or(Outcome::New, |(id, Word(state))| Outcome::Named(JobId(id), state)));
    }
    if file.url.is_some() {
        return Ok(Outcome::New);
    }
    if receipt::holds(db, &batch.destination_id, digest)? {
        return Ok(Outcome::Delivered);
    }
    if let Some((id, priority)) = open_job(db, &batch.destination_id, digest)? {
        let raise = batch.priority == Priority::UserInitiated && priority < rank(batch.priority);
        return Ok(if raise { Outcome::Raise(id) } else { Outcome::Queued });
    }
    let by_rule = batch.priority == Priority::Backup;
    Ok(if by_rule && given_up(db, &batch.destination_id, digest)? { Outcome::Refused } else { Outcome::New })
}

/// The open job of a content at a destination, and its priority.
fn open_job(db: &Connection, destination: &DestinationId, digest: &Digest) -> Result<Option<(JobId, i64)>, QueueError> {
    let mut found = db.prepare_cached(
        "SELECT id, priority FROM job WHERE destination_id = ?1 AND sha256 = ?2
            AND client_reference IS NULL AND url IS NULL AND NOT given_up",
    )?;
    Ok(found.query_row(params![destination.as_str(), digest], |row| Ok((JobId(row.get(0)?), row.get(1)?))).optional()?)
}

/// Whether the person took this content back, or it failed.
fn given_up(db: &Connection, destination: &DestinationId, digest: &Digest) -> Result<bool, QueueError> {
    let mut found = db.prepare_cached(
        "SELECT 1 FROM job WHERE destination_id = ?1 AND sha256 = ?2 AND given_up
            AND (state = 'failed' OR refused) AND client_reference IS NULL AND url IS NULL",
    )?;
    Ok(found.exists(params![destination.as_str(), digest])?)
}

/// The batch of this call, made with its first job.
fn batch_of(
    db: &Connection,
    batch: &NewBatch,
    file: &NewJob,
    now: Timestamp,
    created: &mut Created,
) -> Result<BatchId, QueueError> {
    if let Some(id) = &created.batch_id {
        return Ok(id.clone());
    }
    let id: BatchId = text::mint();
    db.execute(
        "INSERT INTO batch (id, title, app_id, destination_id, priority, key_asset, created_at)
         VALUES (:id, :title, :app_id, :destination_id, :priority, :key_asset, :created_at)",
        named_params! {
            ":id": id.as_str(), ":title": batch.title, ":app_id": batch.app_id.as_str(),
            ":destination_id": batch.destination_id.as_str(), ":priority": rank(batch.priority),
            ":key_asset": file.asset_id.as_ref().map(AssetId::as_str), ":created_at": now.0,
        },
    )?;
    created.batch_id = Some(id.clone());
    Ok(id)
}

/// The job that goes first, if there is one.
fn first(db: &Connection, batch: &NewBatch, file: &NewJob) -> Result<Option<JobId>, QueueError> {
    match &file.after {
        None => Ok(None),
        Some(First::Job(id)) => Ok(Some(id.clone())),
        Some(First::Content(sha256)) => Ok(open_job(db, &batch.destination_id, &text::digest(sha256)?)?.map(|(id, _)| id)),
    }
}

fn insert(
    db: &Connection,
    batch: &NewBatch,
    batch_id: &BatchId,
    file: &NewJob,
    digest: &Digest,
    now: Timestamp,
) -> Result<JobId, QueueError> {
    let id: JobId = text::mint();
    if file.client_reference.is_none() && file.url.is_none() {
        // What failed before is now this job's to deliver, and needs the person no more.
        let known = "destination_id = ?1 AND sha256 = ?2 AND given_up AND client_reference IS NULL AND url IS NULL";
        let of_content = params![batch.destination_id.as_str(), digest];
        if db.prepare_cached(&format!("SELECT 1 FROM job WHERE {known}"))?.exists(of_content)? {
            db.prepare_cached(&format!("UPDATE job SET acknowledged = 1 WHERE {known}"))?.execute(of_content)?;
        }
    }
    db.prepare_cached(
        "INSERT INTO job (id, batch_id, app_id, destination_id, rule_id, asset_id, resource_id, resource_type, filename, byte_count, sha256,
            taken_at, source_id, path, priority, client_reference, options, url, headers_handle, body_handle, after_job, class, state, phase,
            created_at)
         VALUES (:id, :batch_id, :app_id, :destination_id, :rule_id, :asset_id, :resource_id, :resource_type, :filename, :byte_count,
            :sha256, :taken_at, :source_id, :path, :priority, :client_reference, :options, :url, :headers_handle, :body_handle, :after_job, :class, 'registered',
            CASE WHEN EXISTS (SELECT 1 FROM job WHERE id = :after_job AND phase IS NOT NULL) THEN 'waiting' ELSE 'queued' END,
            :created_at)",
    )?
    .execute(named_params! {
        ":id": id.as_str(), ":batch_id": batch_id.as_str(), ":app_id": batch.app_id.as_str(),
        ":destination_id": batch.destination_id.as_str(), ":rule_id": batch.rule_id.as_ref().map(RuleId::as_str),
        ":asset_id": file.asset_id.as_ref().map(AssetId::as_str), ":resource_id": file.resource_id.as_ref().map(ResourceId::as_str),
        ":resource_type": Word(file.resource_type), ":filename": file.filename, ":byte_count": file.byte_count, ":sha256": digest,
        ":taken_at": file.created_ms, ":source_id": file.source_id.as_ref().map_or("", SourceId::as_str),
        ":path": path::to_bytes(&file.path), ":priority": rank(batch.priority), ":client_reference": file.client_reference,
        ":options": Json(&file.options), ":url": file.url, ":headers_handle": file.headers_handle,
        ":body_handle": file.body_handle, ":class": class_number(FileClass::of(file.resource_type, file.byte_count)),
        ":after_job": first(db, batch, file)?.as_ref().map(JobId::as_str), ":created_at": now.0,
    })?;
    Ok(id)
}
