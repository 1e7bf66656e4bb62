//! Who asks: other programs and our own connectors, and what they did.

use afterglow_model::{App, AppId, AppKind, AppLogEntry, AuthorizationStatus, DestinationId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, named_params, params};

use crate::event::Changes;
use crate::text::{self, Json, Word};
use crate::{Queue, QueueError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE app (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('connector', 'external')),
    executable TEXT,
    status TEXT NOT NULL CHECK (status IN ('not_determined', 'denied', 'limited', 'authorized')),
    -- Grows with every change of what it may see; a request made under an older one is stale.
    grant_version INTEGER NOT NULL DEFAULT 1,
    url_bases TEXT NOT NULL,
    destination_id TEXT REFERENCES destination (id),
    -- SHA-256 of the key that it calls with; the key itself is nowhere here.
    key_hash BLOB UNIQUE CHECK (length(key_hash) = 32),
    -- What the ids that it sees are made with, so that two apps cannot compare theirs.
    id_key BLOB NOT NULL CHECK (length(id_key) = 16),
    bytes_sent INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    -- A connector whose destination was removed; kept for the jobs and receipts that name it.
    removed_at INTEGER
) STRICT;

CREATE TABLE app_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id TEXT NOT NULL REFERENCES app (id),
    at INTEGER NOT NULL,
    sentence TEXT NOT NULL
) STRICT;
CREATE INDEX app_log_app ON app_log (app_id);
";

/// Lines of an app's log that are kept.
const LOG_MAX: u32 = 1000;

/// A program that introduces itself, or the connector of a new destination.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// What it calls itself, or the destination's name.
    pub name: String,
    /// Ours or another's.
    pub kind: AppKind,
    /// Path of the program, as the system saw it.
    pub executable: Option<String>,
    /// URL bases that it may send to.
    pub url_bases: Vec<String>,
    /// The destination that it answers for.
    pub destination_id: Option<DestinationId>,
    /// What it may see from the start.
    pub status: AuthorizationStatus,
    /// SHA-256 of its key; none for a connector, which does not call.
    pub key_hash: Option<[u8; 32]>,
    /// Random bytes from which the ids that it sees are made.
    pub id_key: [u8; 16],
}

impl Queue {
    /// Every app, oldest first.
    pub async fn apps(&self) -> Result<Vec<App>, QueueError> {
        self.read(|db| {
            let mut all = db.prepare_cached(&select("removed_at IS NULL ORDER BY created_at, id"))?;
            Ok(all.query_map([], app_row)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One app.
    pub async fn app(&self, id: &AppId) -> Result<Option<App>, QueueError> {
        let id = id.clone();
        self.read(move |db| find(db, &id)).await
    }

    /// The app whose key has this SHA-256, and its `id_key`.
    pub async fn app_by_key_hash(&self, key_hash: &[u8; 32]) -> Result<Option<(App, [u8; 16])>, QueueError> {
        let key_hash = *key_hash;
        self.read(move |db| {
            let mut found = db.prepare_cached(&select("key_hash = ?1 AND removed_at IS NULL"))?;
            Ok(found.query_row([key_hash], |row| Ok((app_row(row)?, row.get("id_key")?))).optional()?)
        })
        .await
    }

    /// Adds an app.
    pub async fn add_app(&self, new: NewApp, now: Timestamp) -> Result<App, QueueError> {
        self.write(move |db, changes| add(db, changes, &new, now)).await
    }

    /// Replaces where an app may send.
    pub async fn set_url_bases(&self, id: &AppId, url_bases: Vec<String>) -> Result<App, QueueError> {
        let id = id.clone();
        self.write(move |db, changes| {
            changes.apps = true;
            update(db, &id, "url_bases = ?2, grant_version = grant_version + 1", &Json(url_bases))
        })
        .await
    }

    /// Notes that an app did something now.
    pub async fn touch_app(&self, id: &AppId, now: Timestamp) -> Result<(), QueueError> {
        let id = id.clone();
        self.write(move |db, _| update(db, &id, "last_used_at = ?2", &now.0).map(|_| ())).await
    }

    /// Adds a line to an app's log; the newest 1,000 are kept.
    pub async fn log_app(&self, id: &AppId, sentence: &str, now: Timestamp) -> Result<(), QueueError> {
        let (id, sentence) = (id.clone(), sentence.to_owned());
        self.write(move |db, changes| {
            changes.apps = true;
            let mut add = db.prepare_cached("INSERT INTO app_log (app_id, at, sentence) VALUES (?1, ?2, ?3)")?;
            add.execute(params![id.as_str(), now.0, sentence])?;
            let mut forget = db.prepare_cached(
                "DELETE FROM app_log WHERE app_id = ?1
                 AND seq <= (SELECT seq FROM app_log WHERE app_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            )?;
            forget.execute(params![id.as_str(), LOG_MAX])?;
            Ok(())
        })
        .await
    }

    /// What an app did and was told, newest first.
    pub async fn app_log(&self, id: &AppId) -> Result<Vec<AppLogEntry>, QueueError> {
        let id = id.clone();
        self.read(move |db| {
            let mut lines = db.prepare_cached("SELECT at, sentence FROM app_log WHERE app_id = ?1 ORDER BY seq DESC")?;
            let entry = |row: &Row<'_>| Ok(AppLogEntry { at: Timestamp(row.get("at")?), sentence: row.get("sentence")? });
            Ok(lines.query_map([id.as_str()], entry)?.collect::<Result<_, _>>()?)
        })
        .await
    }
}

pub(crate) fn add(db: &Connection, changes: &mut Changes, new: &NewApp, now: Timestamp) -> Result<App, QueueError> {
    changes.apps = true;
    let id: AppId = text::mint();
    db.execute(
        "INSERT INTO app (id, name, kind, executable, status, url_bases, destination_id, key_hash, id_key, created_at)
         VALUES (:id, :name, :kind, :executable, :status, :url_bases, :destination_id, :key_hash, :id_key, :created_at)",
        named_params! {
            ":id": id.as_str(), ":name": new.name, ":kind": Word(new.kind), ":executable": new.executable, ":status": Word(new.status),
            ":url_bases": Json(&new.url_bases), ":destination_id": new.destination_id.as_ref().map(DestinationId::as_str),
            ":key_hash": new.key_hash, ":id_key": new.id_key, ":created_at": now.0,
        },
    )?;
    known(db, &id)
}

/// Changes columns of an app that is there; the new value is `?2`.
pub(crate) fn update(db: &Connection, id: &AppId, assignments: &str, value: &dyn ToSql) -> Result<App, QueueError> {
    db.prepare_cached(&format!("UPDATE app SET {assignments} WHERE id = ?1 AND removed_at IS NULL"))?
        .execute(params![id.as_str(), value])?;
    known(db, id)
}

pub(crate) fn known(db: &Connection, id: &AppId) -> Result<App, QueueError> {
    find(db, id)?.ok_or_else(|| QueueError::NotFound { what: "app", id: id.to_string() })
}

fn find(db: &Connection, id: &AppId) -> Result<Option<App>, QueueError> {
    let mut found = db.prepare_cached(&select("id = ?1 AND removed_at IS NULL"))?;
    Ok(found.query_row([id.as_str()], app_row).optional()?)
}

fn select(condition: &str) -> String {
    format!(
        "SELECT id, name, kind, executable, status, url_bases, destination_id, id_key, bytes_sent, created_at, last_used_at,
            (SELECT count(*) FROM selection WHERE app_id = app.id) AS selected
         FROM app WHERE {condition}"
    )
}

fn app_row(row: &Row<'_>) -> rusqlite::Result<App> {
    let Word(kind) = row.get("kind")?;
    let Word(status) = row.get("status")?;
    let Json(url_bases) = row.get("url_bases")?;
    Ok(App {
        id: AppId(row.get("id")?),
        name: row.get("name")?,
        kind,
        executable: row.get("executable")?,
        status,
        selected: row.get("selected")?,
        url_bases,
        destination_id: row.get::<_, Option<String>>("destination_id")?.map(DestinationId),
        bytes_sent: row.get("bytes_sent")?,
        created_at: Timestamp(row.get("created_at")?),
        last_used_at: row.get::<_, Option<i64>>("last_used_at")?.map(Timestamp),
    })
}
