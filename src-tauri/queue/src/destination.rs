//! Where photos go.

use afterglow_model::{
    AppId, AppKind, AuthorizationStatus, Capabilities, Connector, Destination, DestinationConfig, DestinationId, DestinationState,
    Failure, Timestamp, UploadJobOptions,
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, named_params, params};

use crate::text::{self, Json, Word};
use crate::{NewApp, Queue, QueueError, app, job};

pub(crate) const SCHEMA: &str = "
CREATE TABLE destination (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    connector TEXT NOT NULL,
    url TEXT NOT NULL,
    config TEXT NOT NULL,
    app_id TEXT NOT NULL REFERENCES app (id),
    state TEXT NOT NULL DEFAULT 'ready',
    problem TEXT,
    -- Until when the server asked to be left alone.
    asked_until INTEGER,
    capabilities TEXT,
    created_at INTEGER NOT NULL,
    -- Receipts and their bytes; kept with them.
    delivered INTEGER NOT NULL DEFAULT 0,
    delivered_bytes INTEGER NOT NULL DEFAULT 0,
    -- Kept for the jobs and receipts that name it.
    removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX destination_name ON destination (name) WHERE removed_at IS NULL;
";

/// The rules of its own.
pub(crate) const OPTIONS: &str = "ALTER TABLE destination ADD COLUMN options TEXT NOT NULL DEFAULT '{}';";

/// Whether the secret store has a credential of it; of those that were there before, it may.
pub(crate) const HAS_CREDENTIAL: &str = "ALTER TABLE destination ADD COLUMN has_credential INTEGER NOT NULL DEFAULT 1;";

/// A destination to add.
#[derive(Debug, Clone)]
pub struct NewDestination {
    /// What the person calls it; unique.
    pub name: String,
    /// Its protocol.
    pub connector: Connector,
    /// Where uploads are created.
    pub url: String,
    /// What its connector has to know beyond that.
    pub config: DestinationConfig,
    /// What its test showed.
    pub capabilities: Option<Capabilities>,
    /// Whether a credential of it is kept in the secret store.
    pub has_credential: bool,
    /// The program whose uploads go there; none for the person's own, which gets a connector with the whole library in sight.
    pub app_id: Option<AppId>,
}

impl Queue {
    /// Every destination, oldest first.
    pub async fn destinations(&self) -> Result<Vec<Destination>, QueueError> {
        self.read(|db| {
            let mut all = db.prepare_cached(&select("removed_at IS NULL ORDER BY created_at, id"))?;
            Ok(all.query_map([], destination_row)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The destination of this id or name.
    pub async fn destination(&self, id_or_name: &str) -> Result<Option<Destination>, QueueError> {
        let wanted = id_or_name.to_owned();
        self.read(move |db| find(db, "(id = ?1 OR name = ?1)", &wanted)).await
    }

    /// Adds a destination and the app that answers for it.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`] if another one has the name.
    pub async fn add_destination(&self, new: NewDestination, now: Timestamp) -> Result<Destination, QueueError> {
        self.write(move |db, changes| {
            if find(db, "name = ?1", &new.name)?.is_some() {
                return Err(QueueError::NameTaken { name: new.name });
            }
            changes.destinations = true;
            let id: DestinationId = text::mint();
            let app_id = match new.app_id {
                Some(app_id) => app_id,
                None => app::add(db, changes, &connector_app(&new), now)?.id,
            };
            db.execute(
                "INSERT INTO destination (id, name, connector, url, config, app_id, capabilities, has_credential, created_at)
                 VALUES (:id, :name, :connector, :url, :config, :app_id, :capabilities, :has_credential, :created_at)",
                named_params! {
                    ":id": id.as_str(), ":name": new.name, ":connector": Word(new.connector), ":url": new.url,
                    ":config": Json(&new.config),
                    ":app_id": app_id.as_str(), ":capabilities": new.capabilities.as_ref().map(Json),
                    ":has_credential": new.has_credential, ":created_at": now.0,
                },
            )?;
            app::update(db, &app_id, "destination_id = coalesce(destination_id, ?2)", &id.as_str())?;
            known(db, &id)
        })
        .await
    }

    /// Removes a destination, its rules and its connector, and cancels what was on its way. Jobs that ended and receipts stay. Returns how
    /// many jobs were cancelled.
    pub async fn remove_destination(&self, id: &DestinationId, now: Timestamp) -> Result<u64, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            known(db, &id)?;
            changes.destinations = true;
            changes.apps = true;
            changes.rules = true;
            let cancelled = job::control::cancel_at_destination(db, &id, now)?;
            job::control::dismiss_at_destination(db, &id)?;
            db.execute("DELETE FROM rule WHERE destination_id = ?1", [id.as_str()])?;
            db.execute("DELETE FROM mirror WHERE destination_id = ?1", [id.as_str()])?;
            db.execute("UPDATE destination SET removed_at = ?2 WHERE id = ?1", params![id.as_str(), now.0])?;
            db.execute(
                "UPDATE app SET removed_at = ?2, grant_version = grant_version + 1 WHERE destination_id = ?1 AND kind = 'connector'",
                params![id.as_str(), now.0],
            )?;
            Ok(cancelled)
        })
        .await
    }

    /// Notes whether a destination can be sent to, and what stands against it.
    pub async fn set_destination_state(
        &self,
        id: &DestinationId,
        state: DestinationState,
        problem: Option<Failure>,
    ) -> Result<Destination, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.destinations = true;
            update(db, &id, "state = ?2", &Word(state))?;
            update(db, &id, "problem = ?2", &problem.as_ref().map(Json))
        })
        .await
    }

    /// Notes what a destination lacks that can be sent to; none once it lacks nothing.
    pub async fn set_lack(&self, id: &DestinationId, lack: Option<Failure>) -> Result<(), QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            let note = "UPDATE destination SET problem = ?2 WHERE id = ?1 AND state = 'ready' AND removed_at IS NULL";
            changes.destinations |= db.execute(note, params![id.as_str(), lack.as_ref().map(Json)])? > 0;
            Ok(())
        })
        .await
    }

    /// Notes until when a server asked to be left alone.
    pub async fn set_asked_until(&self, id: &DestinationId, until: Timestamp) -> Result<(), QueueError> {
        let id = id.clone();
        self.write(move |db, _| {
            db.prepare_cached("UPDATE destination SET asked_until = ?2 WHERE id = ?1")?.execute(params![id.as_str(), until.0])?;
            Ok(())
        })
        .await
    }

    /// Until when servers asked to be left alone, also where that is over.
    pub async fn asked_until(&self) -> Result<Vec<(DestinationId, Timestamp)>, QueueError> {
        self.read(|db| {
            let mut all = db.prepare_cached("SELECT id, asked_until FROM destination WHERE asked_until IS NOT NULL")?;
            let rows = all.query_map([], |row| Ok((DestinationId(row.get("id")?), Timestamp(row.get("asked_until")?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Replaces a destination's own rules.
    pub async fn set_destination_options(&self, id: &DestinationId, options: UploadJobOptions) -> Result<Destination, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.destinations = true;
            update(db, &id, "options = ?2", &Json(options))
        })
        .await
    }

    /// Replaces what a destination's connector has to know beyond the address.
    pub async fn set_config(&self, id: &DestinationId, config: DestinationConfig) -> Result<Destination, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.destinations = true;
            update(db, &id, "config = ?2", &Json(config))
        })
        .await
    }

    /// Replaces the addresses of a destination: its first, and the others with what else its connector has to know. Its connector sends there.
    pub async fn set_addresses(
        &self,
        id: &DestinationId,
        first: String,
        config: DestinationConfig,
    ) -> Result<Destination, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.destinations = true;
            changes.apps = true;
            update(db, &id, "url = ?2", &first)?;
            let changed = update(db, &id, "config = ?2", &Json(config))?;
            let bases: Vec<&str> = changed.addresses().collect();
            db.execute(
                "UPDATE app SET url_bases = ?2 WHERE destination_id = ?1 AND kind = 'connector'",
                params![id.as_str(), Json(bases)],
            )?;
            Ok(changed)
        })
        .await
    }

    /// Notes that a credential of a destination is kept in the secret store.
    pub async fn set_has_credential(&self, id: &DestinationId) -> Result<Destination, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.destinations = true;
            update(db, &id, "has_credential = ?2", &true)
        })
        .await
    }

    /// Notes what was learnt of a destination.
    pub async fn set_capabilities(&self, id: &DestinationId, capabilities: Capabilities) -> Result<Destination, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.destinations = true;
            update(db, &id, "capabilities = ?2", &Json(capabilities))
        })
        .await
    }
}

/// The app of a destination that the person added: they gave it the whole library by adding it.
fn connector_app(new: &NewDestination) -> NewApp {
    NewApp {
        name: new.name.clone(),
        kind: AppKind::Connector,
        executable: None,
        url_bases: vec![new.url.clone()],
        destination_id: None,
        status: AuthorizationStatus::Authorized,
        key_hash: None,
        id_key: *uuid::Uuid::new_v4().as_bytes(),
    }
}

pub(crate) fn known(db: &Connection, id: &DestinationId) -> Result<Destination, QueueError> {
    find(db, "id = ?1", id.as_str())?.ok_or_else(|| QueueError::NotFound { what: "destination", id: id.to_string() })
}

fn find(db: &Connection, condition: &str, value: &str) -> Result<Option<Destination>, QueueError> {
    let mut found = db.prepare_cached(&select(&format!("{condition} AND removed_at IS NULL ORDER BY id = ?1 DESC LIMIT 1")))?;
    Ok(found.query_row([value], destination_row).optional()?)
}

fn update(db: &Connection, id: &DestinationId, assignment: &str, value: &dyn ToSql) -> Result<Destination, QueueError> {
    db.prepare_cached(&format!("UPDATE destination SET {assignment} WHERE id = ?1 AND removed_at IS NULL"))?
        .execute(params![id.as_str(), value])?;
    known(db, id)
}

fn select(condition: &str) -> String {
    format!(
        "SELECT id, name, connector, url, config, app_id, state, problem, capabilities, has_credential, options, created_at, delivered,
            delivered_bytes
         FROM destination WHERE {condition}"
    )
}

fn destination_row(row: &Row<'_>) -> rusqlite::Result<Destination> {
    let Word(connector) = row.get("connector")?;
    let Word(state) = row.get("state")?;
    let Json(options) = row.get("options")?;
    let Json(config) = row.get("config")?;
    Ok(Destination {
        id: DestinationId(row.get("id")?),
        name: row.get("name")?,
        connector,
        url: row.get("url")?,
        config,
        options,
        app_id: AppId(row.get("app_id")?),
        state,
        problem: row.get::<_, Option<Json<Failure>>>("problem")?.map(|Json(problem)| problem),
        capabilities: row.get::<_, Option<Json<Capabilities>>>("capabilities")?.map(|Json(capabilities)| capabilities),
        has_credential: row.get("has_credential")?,
        created_at: Timestamp(row.get("created_at")?),
        delivered: row.get("delivered")?,
        delivered_bytes: row.get("delivered_bytes")?,
    })
}
