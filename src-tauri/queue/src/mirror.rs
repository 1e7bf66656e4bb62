//! What was put into albums at destinations, so that nothing is put there twice.

use afterglow_model::{CollectionId, DestinationId};
use rusqlite::{OptionalExtension, params};

use crate::{Queue, QueueError, text};

pub(crate) const SCHEMA: &str = "
CREATE TABLE mirror (
    destination_id TEXT NOT NULL REFERENCES destination (id),
    collection_id TEXT NOT NULL,
    -- The server's name for the album.
    remote_id TEXT NOT NULL,
    PRIMARY KEY (destination_id, collection_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE mirrored (
    destination_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    -- The server's name for what was put into it.
    asset TEXT NOT NULL,
    PRIMARY KEY (destination_id, collection_id, asset),
    FOREIGN KEY (destination_id, collection_id) REFERENCES mirror ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
";

impl Queue {
    /// The server's name for the album that stands for a collection; none if there was none yet.
    pub async fn mirror(&self, destination: &DestinationId, collection: &CollectionId) -> Result<Option<String>, QueueError> {
        let (destination, collection) = (destination.clone(), collection.clone());
        self.read(move |db| {
            let mut found = db.prepare_cached("SELECT remote_id FROM mirror WHERE destination_id = ?1 AND collection_id = ?2")?;
            Ok(found.query_row(params![destination.as_str(), collection.as_str()], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Those of these, by the server's names, that were not put into the album yet.
    pub async fn not_mirrored(
        &self,
        destination: &DestinationId,
        collection: &CollectionId,
        assets: &[String],
    ) -> Result<Vec<String>, QueueError> {
        let (destination, collection) = (destination.clone(), collection.clone());
        let assets = text::list(assets.iter().map(String::as_str));
        self.read(move |db| {
            let mut left = db.prepare_cached(
                "SELECT value FROM json_each(?3) WHERE value NOT IN
                    (SELECT asset FROM mirrored WHERE destination_id = ?1 AND collection_id = ?2) ORDER BY key",
            )?;
            let rows = left.query_map(params![destination.as_str(), collection.as_str(), assets], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes what was put into the album that stands for a collection.
    pub async fn set_mirrored(
        &self,
        destination: &DestinationId,
        collection: &CollectionId,
        remote_id: &str,
        assets: &[String],
    ) -> Result<(), QueueError> {
        let (destination, collection, remote_id) = (destination.clone(), collection.clone(), remote_id.to_owned());
        let assets = text::list(assets.iter().map(String::as_str));
        self.write(move |db, _| {
            db.execute(
                "INSERT INTO mirror (destination_id, collection_id, remote_id) VALUES (?1, ?2, ?3)
                 ON CONFLICT (destination_id, collection_id) DO UPDATE SET remote_id = excluded.remote_id",
                params![destination.as_str(), collection.as_str(), remote_id],
            )?;
            db.execute(
                "INSERT OR IGNORE INTO mirrored (destination_id, collection_id, asset) SELECT ?1, ?2, value FROM json_each(?3)",
                params![destination.as_str(), collection.as_str(), assets],
            )?;
            Ok(())
        })
        .await
    }

    /// Forgets an album that is not there any more.
    pub async fn forget_mirror(&self, destination: &DestinationId, collection: &CollectionId) -> Result<(), QueueError> {
        let (destination, collection) = (destination.clone(), collection.clone());
        self.write(move |db, _| {
            let forget = "DELETE FROM mirror WHERE destination_id = ?1 AND collection_id = ?2";
            db.execute(forget, params![destination.as_str(), collection.as_str()])?;
            Ok(())
        })
        .await
    }
}
