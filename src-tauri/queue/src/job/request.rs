//! The request of a job that has one of its own: another in its place, and what the secret store keeps of it without need.

use afterglow_model::{AppId, AssetId, JobId};
use rusqlite::{OptionalExtension, params};

use super::{change, control};
use crate::event::JobChange;
use crate::text::{self, Word};
use crate::{Queue, QueueError};

/// What a job's request is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// Creation URL.
    pub url: String,
    /// Handle of header fields in the secret store.
    pub headers_handle: Option<String>,
    /// Handle of what the request is made of in the secret store, if an app says so.
    pub body_handle: Option<String>,
}

/// The job, unless it is under way or has ended otherwise than by a failure.
const OPEN: &str = "id = ?1 AND (phase <> 'preparing' OR state = 'failed')";

impl Queue {
    /// Gives a job another request and takes it up again. An upload goes on where it was if only the header fields are others. Returns the
    /// handles of the old one; none if the job is under way, or has ended otherwise than by a failure.
    pub async fn retry_with(&self, job: &JobId, request: JobRequest) -> Result<Option<Vec<String>>, QueueError> {
        let job = job.clone();
        self.write(move |db, changes| {
            let handles = format!("SELECT headers_handle, body_handle FROM job WHERE {OPEN}");
            let handles =
                db.prepare_cached(&handles)?.query_row([job.as_str()], |row| Ok([row.get(0)?, row.get(1)?])).optional()?;
            let Some(handles): Option<[Option<String>; 2]> = handles else { return Ok(None) };
            let JobRequest { url, headers_handle, body_handle } = request;
            let elsewhere = format!(
                "UPDATE job SET upload_url = NULL, pin = NULL, session_expires_at = NULL, bytes_sent = 0
                 WHERE {OPEN} AND (url IS NOT ?2 OR body_handle IS NOT ?3)"
            );
            db.prepare_cached(&elsewhere)?.execute(params![job.as_str(), url, body_handle])?;
            let other = format!("UPDATE job SET url = ?2, body_handle = ?3, headers_handle = ?4 WHERE {OPEN}");
            change(db, &other, params![job.as_str(), url, body_handle, headers_handle])?;
            if control::retry(db, Some(&text::list([job.as_str()])))? == 0 {
                // It stands where it stood, but whoever has read it already must read it again.
                let mut stands = db.prepare_cached("SELECT asset_id, app_id, state FROM job WHERE id = ?1")?;
                changes.job(stands.query_row([job.as_str()], |row| {
                    let (asset_id, app_id) = (row.get::<_, Option<String>>("asset_id")?.map(AssetId), AppId(row.get("app_id")?));
                    Ok(JobChange { job_id: job.clone(), asset_id, app_id, state: row.get::<_, Word<_>>("state")?.0 })
                })?);
            }
            Ok(Some(handles.into_iter().flatten().collect()))
        })
        .await
    }

    /// Handles that jobs name although they were delivered or cancelled, and that no other job needs.
    pub async fn spent_requests(&self) -> Result<Vec<String>, QueueError> {
        self.read(|db| {
            let mut spent = db.prepare_cached(
                "SELECT headers_handle AS handle FROM job
                 WHERE headers_handle IS NOT NULL GROUP BY headers_handle HAVING min(state IN ('succeeded', 'cancelled'))
                 UNION SELECT body_handle FROM job
                 WHERE body_handle IS NOT NULL GROUP BY body_handle HAVING min(state IN ('succeeded', 'cancelled'))",
            )?;
            let handles = spent.query_map([], |row| row.get(0))?;
            Ok(handles.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes that these handles lead to nothing any more.
    pub async fn forget_requests(&self, handles: &[String]) -> Result<(), QueueError> {
        let handles = text::list(handles.iter().map(String::as_str));
        self.write(move |db, _| {
            for handle in ["headers_handle", "body_handle"] {
                let forget = format!("UPDATE job SET {handle} = NULL WHERE {handle} IN (SELECT value FROM json_each(?1))");
                db.prepare_cached(&forget)?.execute([&handles])?;
            }
            Ok(())
        })
        .await
    }

    /// Whether a job names this handle.
    pub async fn is_request_named(&self, handle: &str) -> Result<bool, QueueError> {
        let handle = handle.to_owned();
        self.read(move |db| {
            let mut named = db
                .prepare_cached("SELECT 1 FROM job WHERE headers_handle = ?1 UNION ALL SELECT 1 FROM job WHERE body_handle = ?1")?;
            Ok(named.exists([handle])?)
        })
        .await
    }
}
