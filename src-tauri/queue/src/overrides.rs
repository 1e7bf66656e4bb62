//! Every *Upload anyway* that holds.

use afterglow_model::{Override, Timestamp};
use rusqlite::params;

use crate::text::Json;
use crate::{Queue, QueueError};

pub(crate) const SCHEMA: &str = "
-- An UPLOAD ANYWAY. The same scope given twice is one, with the later end.
CREATE TABLE override (
    scope TEXT PRIMARY KEY NOT NULL,
    network_key TEXT,
    until INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
";

impl Queue {
    /// Those that hold, oldest first. Call [`Queue::remove_expired_overrides`] before.
    pub async fn overrides(&self) -> Result<Vec<Override>, QueueError> {
        self.read(|db| {
            let mut all =
                db.prepare_cached("SELECT scope, network_key, until, created_at FROM override ORDER BY created_at, scope")?;
            let rows = all.query_map([], |row| {
                let Json(scope) = row.get("scope")?;
                let until: Option<i64> = row.get("until")?;
                let created_at = Timestamp(row.get("created_at")?);
                Ok(Override { scope, network_key: row.get("network_key")?, until: until.map(Timestamp), created_at })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Adds one, or prolongs the one of the same scope.
    pub async fn add_override(&self, given: Override) -> Result<(), QueueError> {
        self.write(move |db, changes| {
            changes.settings = true;
            db.execute(
                "INSERT INTO override (scope, network_key, until, created_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (scope) DO UPDATE SET network_key = excluded.network_key, until = excluded.until",
                params![Json(&given.scope), given.network_key, given.until.map(|at| at.0), given.created_at.0],
            )?;
            Ok(())
        })
        .await
    }

    /// Removes those that ended: by time, with their job or batch, or because the machine is on another network now. While it is on none
    /// (`network_key` is `None`), those bound to a network stay. Returns how many were removed.
    pub async fn remove_expired_overrides(&self, now: Timestamp, network_key: Option<&str>) -> Result<u64, QueueError> {
        let network_key = network_key.map(str::to_owned);
        self.write(move |db, changes| {
            let removed = db.execute(
                "DELETE FROM override
                 WHERE until <= ?1 OR network_key <> ?2
                    OR (scope ->> '$.kind' = 'job' AND NOT EXISTS (
                        SELECT 1 FROM job WHERE id = scope ->> '$.job_id' AND phase IS NOT NULL))
                    OR (scope ->> '$.kind' = 'batch' AND NOT EXISTS (
                        SELECT 1 FROM batch WHERE id = scope ->> '$.batch_id' AND finished_at IS NULL))",
                params![now.0, network_key],
            )?;
            changes.settings = removed > 0;
            Ok(removed as u64)
        })
        .await
    }
}
