//! The person's settings, and the pause.

use afterglow_model::{Pause, Settings};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use crate::text::Json;
use crate::{Queue, QueueError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE setting (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

impl Queue {
    /// The settings; what was never set is as [`Settings::default`] has it.
    pub async fn settings(&self) -> Result<Settings, QueueError> {
        self.read(|db| {
            let mut settings = serde_json::json!(Settings::default());
            // Laid over the defaults, so that a setting newer than the stored ones has a value.
            if let (Value::Object(all), Some(Value::Object(stored))) = (&mut settings, value(db, "settings")?) {
                all.extend(stored);
            }
            serde_json::from_value(settings)
                .map_err(|error| QueueError::Invalid(format!("The stored settings cannot be read: {error}.")))
        })
        .await
    }

    /// Replaces the settings.
    pub async fn set_settings(&self, settings: Settings) -> Result<(), QueueError> {
        self.write(move |db, changes| {
            changes.settings = true;
            set(db, "settings", &serde_json::json!(settings))
        })
        .await
    }

    /// The pause that holds.
    pub async fn pause(&self) -> Result<Option<Pause>, QueueError> {
        self.read(|db| {
            let stored = value(db, "pause")?.unwrap_or(Value::Null);
            serde_json::from_value(stored)
                .map_err(|error| QueueError::Invalid(format!("The stored pause cannot be read: {error}.")))
        })
        .await
    }

    /// Pauses, or ends the pause.
    pub async fn set_pause(&self, pause: Option<Pause>) -> Result<(), QueueError> {
        self.write(move |db, changes| {
            changes.settings = true;
            set(db, "pause", &serde_json::json!(pause))
        })
        .await
    }
}

fn value(db: &Connection, key: &str) -> Result<Option<Value>, QueueError> {
    let mut found = db.prepare_cached("SELECT value FROM setting WHERE key = ?1")?;
    Ok(found.query_row([key], |row| row.get("value").map(|Json(value)| value)).optional()?)
}

fn set(db: &Connection, key: &str, value: &Value) -> Result<(), QueueError> {
    db.execute(
        "INSERT INTO setting (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![key, Json(value)],
    )?;
    Ok(())
}
