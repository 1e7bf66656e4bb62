//! What was found out about servers, so that it need not be tried out again after each start.

use afterglow_model::{Connector, Timestamp};
use rusqlite::params;

use crate::{Queue, QueueError, text::Word};

pub(crate) const SCHEMA: &str = "
CREATE TABLE note (
    connector TEXT NOT NULL,
    -- Where uploads are created.
    url TEXT NOT NULL,
    -- In the connector's own terms.
    found INTEGER NOT NULL,
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (connector, url)
) STRICT, WITHOUT ROWID;
";

/// What a connector has noted of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The connector, in whose terms it is.
    pub connector: Connector,
    /// Where uploads are created.
    pub url: String,
    /// What was found.
    pub found: u8,
}

impl Queue {
    /// What was noted since, in no order.
    pub async fn notes(&self, since: Timestamp) -> Result<Vec<Note>, QueueError> {
        self.read(move |db| {
            let mut notes = db.prepare_cached("SELECT connector, url, found FROM note WHERE noted_at >= ?1")?;
            let note = |row: &rusqlite::Row<'_>| {
                let Word(connector) = row.get(0)?;
                Ok(Note { connector, url: row.get(1)?, found: row.get(2)? })
            };
            Ok(notes.query_map([since.0], note)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes something of a server, in place of what was noted of it before; what was noted before `outdated` is let go.
    pub async fn note(&self, note: Note, now: Timestamp, outdated: Timestamp) -> Result<(), QueueError> {
        self.write(move |db, _| {
            db.prepare_cached("DELETE FROM note WHERE noted_at < ?1")?.execute([outdated.0])?;
            db.prepare_cached(
                "INSERT INTO note (connector, url, found, noted_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (connector, url) DO UPDATE SET found = excluded.found, noted_at = excluded.noted_at",
            )?
            .execute(params![Word(note.connector), note.url, note.found, now.0])?;
            Ok(())
        })
        .await
    }
}
