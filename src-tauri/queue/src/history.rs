//! Times in which uploads went on, and why they ended.

use afterglow_model::{Timestamp, WaitingReason};
use rusqlite::named_params;

use crate::text::Word;
use crate::{Queue, QueueError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE history (
    started_at INTEGER PRIMARY KEY NOT NULL,
    ended_at INTEGER NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    stopped_by TEXT
) STRICT;
";

/// So many times are remembered.
const KEPT: u32 = 1000;

/// A time in which uploads went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When the first began; two never begin in the same millisecond.
    pub started_at: Timestamp,
    /// When the last ended.
    pub ended_at: Timestamp,
    /// Files delivered.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// What the rest waited for; none if nothing was left.
    pub stopped_by: Option<WaitingReason>,
}

impl Queue {
    /// Remembers a time that is over, and forgets those long past.
    pub async fn add_run(&self, run: Run) -> Result<(), QueueError> {
        self.write(move |db, _| {
            db.execute(
                "INSERT OR REPLACE INTO history (started_at, ended_at, files, bytes, failures, stopped_by)
                 VALUES (:started_at, :ended_at, :files, :bytes, :failures, :stopped_by)",
                named_params! {
                    ":started_at": run.started_at.0, ":ended_at": run.ended_at.0, ":files": run.files, ":bytes": run.bytes,
                    ":failures": run.failures, ":stopped_by": run.stopped_by.map(Word),
                },
            )?;
            db.execute(
                "DELETE FROM history WHERE started_at <= (SELECT started_at FROM history ORDER BY started_at DESC LIMIT 1 OFFSET ?1)",
                [KEPT],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest `last` of them, newest first.
    pub async fn runs(&self, last: u32) -> Result<Vec<Run>, QueueError> {
        self.read(move |db| {
            let mut newest = db.prepare_cached("SELECT * FROM history ORDER BY started_at DESC LIMIT ?1")?;
            let rows = newest.query_map([last], |row| {
                Ok(Run {
                    started_at: Timestamp(row.get("started_at")?),
                    ended_at: Timestamp(row.get("ended_at")?),
                    files: row.get("files")?,
                    bytes: row.get("bytes")?,
                    failures: row.get("failures")?,
                    stopped_by: row.get::<_, Option<Word<WaitingReason>>>("stopped_by")?.map(|Word(reason)| reason),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
