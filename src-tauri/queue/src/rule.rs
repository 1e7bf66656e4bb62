//! Standing wishes: keep this collection delivered to that destination.

use afterglow_model::{CollectionId, DestinationId, Rule, RuleId, Timestamp};
use rusqlite::{Row, params};

use crate::{Queue, QueueError, destination, text};

pub(crate) const SCHEMA: &str = "
CREATE TABLE rule (
    id TEXT PRIMARY KEY NOT NULL,
    collection_id TEXT NOT NULL,
    collection_title TEXT NOT NULL,
    destination_id TEXT NOT NULL REFERENCES destination (id),
    created_at INTEGER NOT NULL,
    UNIQUE (destination_id, collection_id)
) STRICT;
";

impl Queue {
    /// Every rule, oldest first.
    pub async fn rules(&self) -> Result<Vec<Rule>, QueueError> {
        self.read(|db| {
            let mut all = db.prepare_cached(
                "SELECT id, collection_id, collection_title, destination_id, created_at FROM rule ORDER BY created_at, id",
            )?;
            Ok(all.query_map([], rule_row)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Makes a rule. The same collection and destination twice is the same rule; its title becomes the newer one.
    pub async fn add_rule(
        &self,
        collection_id: &CollectionId,
        title: &str,
        destination_id: &DestinationId,
        now: Timestamp,
    ) -> Result<Rule, QueueError> {
        let (collection_id, title, destination_id) = (collection_id.clone(), title.to_owned(), destination_id.clone());
        self.write(move |db, changes| {
            destination::known(db, &destination_id)?;
            changes.rules = true;
            let id: RuleId = text::mint();
            Ok(db.query_row(
                "INSERT INTO rule (id, collection_id, collection_title, destination_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (destination_id, collection_id) DO UPDATE SET collection_title = excluded.collection_title
                 RETURNING id, collection_id, collection_title, destination_id, created_at",
                params![id.as_str(), collection_id.as_str(), title, destination_id.as_str(), now.0],
                rule_row,
            )?)
        })
        .await
    }

    /// Removes a rule; false if it was not there. Its jobs stay: see [`Queue::cancel_rule_jobs`].
    pub async fn remove_rule(&self, id: &RuleId) -> Result<bool, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.rules = db.execute("DELETE FROM rule WHERE id = ?1", [id.as_str()])? > 0;
            Ok(changes.rules)
        })
        .await
    }
}

fn rule_row(row: &Row<'_>) -> rusqlite::Result<Rule> {
    Ok(Rule {
        id: RuleId(row.get("id")?),
        collection_id: CollectionId(row.get("collection_id")?),
        collection_title: row.get("collection_title")?,
        destination_id: DestinationId(row.get("destination_id")?),
        created_at: Timestamp(row.get("created_at")?),
    })
}
