//! Jobs that were asked for together. Their counts follow from the changes of the jobs (`job/moved.rs`).

use afterglow_model::{AppId, AssetId, Batch, BatchId, DestinationId, JobCounts, Timestamp};
use rusqlite::Row;

use crate::{Queue, QueueError, job};

pub(crate) const SCHEMA: &str = "
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    app_id TEXT NOT NULL REFERENCES app (id),
    destination_id TEXT NOT NULL REFERENCES destination (id),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    key_asset TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    registered INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    bytes_total INTEGER NOT NULL DEFAULT 0,
    bytes_sent INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX batch_open ON batch (seq) WHERE finished_at IS NULL;
CREATE INDEX batch_finished ON batch (finished_at) WHERE finished_at IS NOT NULL;
";

impl Queue {
    /// Batches with jobs that will still move, newest first.
    pub async fn batches_open(&self, limit: u32) -> Result<Vec<Batch>, QueueError> {
        self.batches("finished_at IS NULL ORDER BY seq DESC", limit).await
    }

    /// Batches that ended, the last to end first.
    pub async fn batches_finished(&self, limit: u32) -> Result<Vec<Batch>, QueueError> {
        self.batches("finished_at IS NOT NULL ORDER BY finished_at DESC, seq DESC", limit).await
    }

    async fn batches(&self, condition: &'static str, limit: u32) -> Result<Vec<Batch>, QueueError> {
        self.read(move |db| {
            let mut found = db.prepare_cached(&format!("SELECT * FROM batch WHERE {condition} LIMIT ?1"))?;
            Ok(found.query_map([limit], batch_row)?.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn batch_row(row: &Row<'_>) -> rusqlite::Result<Batch> {
    Ok(Batch {
        id: BatchId(row.get("id")?),
        title: row.get("title")?,
        app_id: AppId(row.get("app_id")?),
        destination_id: DestinationId(row.get("destination_id")?),
        priority: job::priority_of(row.get("priority")?)?,
        jobs: JobCounts {
            registered: row.get("registered")?,
            pending: row.get("pending")?,
            succeeded: row.get("succeeded")?,
            failed: row.get("failed")?,
            cancelled: row.get("cancelled")?,
        },
        bytes_total: row.get("bytes_total")?,
        bytes_sent: row.get("bytes_sent")?,
        key_asset: row.get::<_, Option<String>>("key_asset")?.map(AssetId),
        created_at: Timestamp(row.get("created_at")?),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
    })
}
