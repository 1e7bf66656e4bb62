//! Payload bytes per day, for the chart.

use afterglow_model::DayBytes;

use crate::{Queue, QueueError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE traffic (
    day TEXT PRIMARY KEY NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

impl Queue {
    /// Adds payload bytes to a day of local time, `2026-05-03`.
    pub async fn add_bytes(&self, day: &str, bytes: u64) -> Result<(), QueueError> {
        let day = day.to_owned();
        self.write(move |db, _| {
            let add =
                "INSERT INTO traffic (day, bytes) VALUES (?1, ?2) ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes";
            db.prepare_cached(add)?.execute((&day, bytes))?;
            Ok(())
        })
        .await
    }

    /// The newest `last` days that have bytes, oldest first.
    pub async fn bytes_by_day(&self, last: u32) -> Result<Vec<DayBytes>, QueueError> {
        self.read(move |db| {
            let mut newest = db.prepare_cached("SELECT day, bytes FROM traffic ORDER BY day DESC LIMIT ?1")?;
            let rows = newest.query_map([last], |row| Ok(DayBytes { day: row.get("day")?, bytes: row.get("bytes")? }))?;
            let mut days = rows.collect::<Result<Vec<_>, _>>()?;
            days.reverse();
            Ok(days)
        })
        .await
    }
}
