//! What an app may see: its status, and the assets of a limited selection.

use std::collections::HashSet;

use afterglow_model::{App, AppId, AssetId, AuthorizationStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::text::{self, Word};
use crate::{Queue, QueueError, app};

pub(crate) const SCHEMA: &str = "
-- The assets of a limited grant.
CREATE TABLE selection (
    app_id TEXT NOT NULL REFERENCES app (id),
    asset_id TEXT NOT NULL,
    PRIMARY KEY (app_id, asset_id)
) STRICT, WITHOUT ROWID;
";

impl Queue {
    /// Sets what an app may see. A selection replaces the former one; `None` leaves it as it is. The grant's version grows.
    pub async fn set_access(
        &self,
        id: &AppId,
        status: AuthorizationStatus,
        selection: Option<&[AssetId]>,
        now: Timestamp,
    ) -> Result<App, QueueError> {
        let (id, selection) = (id.clone(), selection.map(<[AssetId]>::to_vec));
        self.write(move |db, changes| {
            changes.apps = true;
            if let Some(assets) = selection {
                db.execute("DELETE FROM selection WHERE app_id = ?1", [id.as_str()])?;
                let assets = text::list(assets.iter().map(AssetId::as_str));
                let add = "INSERT OR IGNORE INTO selection (app_id, asset_id) SELECT ?1, value FROM json_each(?2)";
                db.execute(add, params![id.as_str(), assets])?;
            }
            app::update(db, &id, "last_used_at = ?2", &now.0)?;
            app::update(db, &id, "status = ?2, grant_version = grant_version + 1", &Word(status))
        })
        .await
    }

    /// The version of an app's grant. A request that began under another one must not go on.
    pub async fn grant_version(&self, id: &AppId) -> Result<u64, QueueError> {
        let id = id.clone();
        self.read(move |db| {
            let mut found = db.prepare_cached("SELECT grant_version FROM app WHERE id = ?1 AND removed_at IS NULL")?;
            let version = found.query_row([id.as_str()], |row| row.get(0)).optional()?;
            version.ok_or_else(|| QueueError::NotFound { what: "app", id: id.to_string() })
        })
        .await
    }

    /// The assets of an app's selection.
    pub async fn selection(&self, id: &AppId) -> Result<Vec<AssetId>, QueueError> {
        let id = id.clone();
        self.read(move |db| {
            let mut all = db.prepare_cached("SELECT asset_id FROM selection WHERE app_id = ?1 ORDER BY asset_id")?;
            Ok(all.query_map([id.as_str()], |row| row.get(0).map(AssetId))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Whether an app may see each of these assets, in their order. Nothing, for an app that is not there.
    pub async fn may_see(&self, id: &AppId, assets: &[AssetId]) -> Result<Vec<bool>, QueueError> {
        let (id, assets) = (id.clone(), assets.to_vec());
        self.read(move |db| {
            let mut found = db.prepare_cached("SELECT status FROM app WHERE id = ?1 AND removed_at IS NULL")?;
            let status = found.query_row([id.as_str()], |row| row.get(0).map(|Word(status)| status)).optional()?;
            match status {
                Some(AuthorizationStatus::Authorized) => Ok(vec![true; assets.len()]),
                Some(AuthorizationStatus::Limited) => {
                    let selected = selected_of(db, &id, &assets)?;
                    Ok(assets.iter().map(|asset| selected.contains(asset)).collect())
                }
                Some(AuthorizationStatus::NotDetermined | AuthorizationStatus::Denied) | None => Ok(vec![false; assets.len()]),
            }
        })
        .await
    }
}

fn selected_of(db: &Connection, id: &AppId, assets: &[AssetId]) -> Result<HashSet<AssetId>, QueueError> {
    let mut found =
        db.prepare_cached("SELECT asset_id FROM selection WHERE app_id = ?1 AND asset_id IN (SELECT value FROM json_each(?2))")?;
    let assets = text::list(assets.iter().map(AssetId::as_str));
    Ok(found.query_map(params![id.as_str(), assets], |row| row.get(0).map(AssetId))?.collect::<Result<_, _>>()?)
}
