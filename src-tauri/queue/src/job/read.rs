//! How jobs are read: one by one, page by page, and as the mark of an asset.

use std::collections::HashMap;

use afterglow_model::{AppId, AssetId, BatchId, DestinationId, JobAction, JobBadge, JobId, JobPage, JobQuery, JobState, UploadJob};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::{QUEUED, queued_job_row, select, upload_job_row};
use crate::text;
use crate::{Queue, QueueError, QueuedJob, lane, receipt};

/// Jobs on a page unless told, and at most.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// The jobs that the person ought to see: held, given up, or failing again and again although their destination answers others.
const ATTENTION: &str =
    "(job.phase = 'held' OR (job.state = 'failed' AND job.acknowledged = 0) OR (job.setbacks >= 3 AND job.finished_at IS NULL
    AND job.phase <> 'held' AND job.phase <> 'waiting' AND job.destination_id IN (SELECT id FROM destination WHERE state = 'ready')))";

/// The condition of a page: terms that must all hold, with what stands for their parameters.
#[derive(Default)]
struct Filter {
    terms: Vec<&'static str>,
    values: Vec<String>,
}

impl Filter {
    /// Adds a term with one parameter, if there is a value for it.
    fn is(&mut self, term: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.terms.push(term);
            self.values.push(value.to_owned());
        }
    }
}

impl Queue {
    /// A job as other programs and people see it; `waiting` is empty, since only the scheduler knows.
    pub async fn job(&self, id: &JobId) -> Result<Option<UploadJob>, QueueError> {
        let id = id.clone();
        self.read(move |db| Ok(db.prepare_cached(&select("job.id = ?1"))?.query_row([id.as_str()], upload_job_row).optional()?))
            .await
    }

    /// A job as a transfer needs it.
    pub async fn queued_job(&self, id: &JobId) -> Result<Option<QueuedJob>, QueueError> {
        let id = id.clone();
        self.read(move |db| {
            let mut found = db.prepare_cached(&format!("SELECT {QUEUED} FROM job WHERE id = ?1"))?;
            Ok(found.query_row([id.as_str()], queued_job_row).optional()?.map(|(_, job)| job))
        })
        .await
    }

    /// A page of jobs, newest first.
    pub async fn jobs(&self, query: &JobQuery) -> Result<JobPage, QueueError> {
        let mut filter = Filter::default();
        if query.attention {
            filter.terms.push(ATTENTION);
        }
        match query.state {
            Some(JobState::Registered) => filter.terms.push("job.state = 'registered'"),
            Some(JobState::Pending) => filter.terms.push("job.state = 'pending'"),
            Some(JobState::Failed) => filter.terms.push("job.state = 'failed'"),
            Some(JobState::Succeeded) => filter.terms.push("job.state = 'succeeded'"),
            Some(JobState::Cancelled) => filter.terms.push("job.state = 'cancelled'"),
            None => {}
        }
        filter.is("job.batch_id = ?", query.batch_id.as_ref().map(BatchId::as_str));
        filter.is("job.destination_id = ?", query.destination_id.as_ref().map(DestinationId::as_str));
        filter.is("job.app_id = ?", query.app_id.as_ref().map(AppId::as_str));
        filter.is("job.asset_id = ?", query.asset_id.as_ref().map(AssetId::as_str));
        self.page(filter, query.cursor.as_deref(), query.limit.unwrap_or(PAGE)).await
    }

    /// A page of an app's jobs by PhotoKit's query classes, newest first.
    pub async fn job_action(
        &self,
        app: &AppId,
        action: JobAction,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<JobPage, QueueError> {
        let mut filter = Filter::default();
        filter.is("job.app_id = ?", Some(app.as_str()));
        match action {
            JobAction::Acknowledge => filter.terms.push("job.phase IS NULL AND job.acknowledged = 0"),
            JobAction::Retry => filter.terms.push("job.state = 'failed'"),
            JobAction::Process => filter.terms.push("job.phase IS NOT NULL AND job.acknowledged = 0"),
            JobAction::All => {}
        }
        self.page(filter, cursor, limit).await
    }

    /// How many of an app's jobs are open, or ended without being acknowledged: what counts against its limit.
    pub async fn unacknowledged(&self, app: &AppId) -> Result<u64, QueueError> {
        let app = app.clone();
        self.read(move |db| {
            let mut count =
                db.prepare_cached("SELECT count(*) FROM job WHERE app_id = ?1 AND acknowledged = 0 AND state <> 'cancelled'")?;
            Ok(count.query_row([app.as_str()], |row| row.get(0))?)
        })
        .await
    }

    async fn page(&self, filter: Filter, cursor: Option<&str>, limit: u32) -> Result<JobPage, QueueError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let before = receipt::position(cursor)?;
        let terms: String = filter.terms.iter().flat_map(|term| [term, " AND "]).collect();
        let sql = select(&format!("{terms}job.seq < {before} ORDER BY job.seq DESC LIMIT {limit}"));
        self.read(move |db| {
            let mut page = db.prepare(&sql)?;
            let rows =
                page.query_map(params_from_iter(filter.values), |row| Ok((row.get::<_, i64>("seq")?, upload_job_row(row)?)))?;
            let (seqs, jobs): (Vec<_>, Vec<_>) = rows.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            Ok(JobPage { jobs, cursor: receipt::next(&seqs, limit), counts: lane::counts(db)? })
        })
        .await
    }

    /// The marks of these assets, from all of their jobs, the worst winning; none for an asset that nothing was asked for.
    pub async fn badges(&self, assets: &[AssetId]) -> Result<HashMap<AssetId, JobBadge>, QueueError> {
        let assets = text::list(assets.iter().map(AssetId::as_str));
        self.read(move |db| badges(db, &assets)).await
    }

    /// Whether an upload of one of an asset's files, or of these contents, has not ended: open, or given up and not delivered otherwise.
    pub async fn is_wanted(&self, asset: &AssetId, sha256: &[String]) -> Result<bool, QueueError> {
        let (asset, sha256) = (asset.clone(), sha256.to_vec());
        self.read(move |db| {
            let mut of_asset = db.prepare_cached(
                "SELECT 1 FROM job WHERE asset_id = ?1 AND (phase IS NOT NULL OR (state = 'failed'
                    AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.destination_id = job.destination_id
                        AND receipt.sha256 = job.sha256 AND receipt.slot = '')))",
            )?;
            if of_asset.exists([asset.as_str()])? {
                return Ok(true);
            }
            // In the terms of the index `job_once`.
            let mut of_content = db.prepare_cached(
                "SELECT 1 FROM destination JOIN job ON job.destination_id = destination.id AND job.sha256 = ?1
                 WHERE client_reference IS NULL AND job.url IS NULL AND NOT job.given_up AND job.finished_at IS NULL",
            )?;
            for hex in &sha256 {
                if of_content.exists([text::digest(hex)?])? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    /// Whether each of these assets was delivered and nothing of it is left to deliver, in their order: one destination at least has every
    /// file of it that was asked for, taken back or not.
    pub async fn delivered_assets(&self, assets: &[AssetId]) -> Result<Vec<bool>, QueueError> {
        let assets = text::list(assets.iter().map(AssetId::as_str));
        self.read(move |db| {
            let mut all = db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM job WHERE asset_id = wanted.value AND state = 'succeeded' AND NOT EXISTS (
                        SELECT 1 FROM job AS other WHERE other.asset_id = wanted.value AND other.destination_id = job.destination_id
                            AND other.state = 'cancelled' AND NOT EXISTS (SELECT 1 FROM receipt
                                WHERE receipt.destination_id = other.destination_id AND receipt.sha256 = other.sha256
                                    AND receipt.slot = '')))
                    AND NOT EXISTS (SELECT 1 FROM job WHERE asset_id = wanted.value AND (phase IS NOT NULL OR (state = 'failed'
                        AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.destination_id = job.destination_id
                            AND receipt.sha256 = job.sha256 AND receipt.slot = ''))))
                 FROM json_each(?1) AS wanted ORDER BY wanted.key",
            )?;
            Ok(all.query_map([assets], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn badges(db: &Connection, assets: &str) -> Result<HashMap<AssetId, JobBadge>, QueueError> {
    let mut marks = db.prepare_cached(
        "SELECT asset_id,
            max(phase IS 'held' OR (state = 'failed' AND acknowledged = 0)) AS attention,
            max(coalesce(phase, '') IN ('queued', 'backing_off')) AS waiting,
            max(phase IS 'preparing') AS uploading,
            max(state = 'succeeded') AS delivered
         FROM job WHERE asset_id IN (SELECT value FROM json_each(?1)) GROUP BY asset_id",
    )?;
    let mut badges = HashMap::new();
    let mut rows = marks.query([assets])?;
    while let Some(row) = rows.next()? {
        let worst_first = [
            ("attention", JobBadge::Attention),
            ("waiting", JobBadge::Waiting),
            ("uploading", JobBadge::Uploading),
            ("delivered", JobBadge::Delivered),
        ];
        for (column, badge) in worst_first {
            if row.get(column)? {
                badges.insert(AssetId(row.get("asset_id")?), badge);
                break;
            }
        }
    }
    Ok(badges)
}
