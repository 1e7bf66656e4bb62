//! How values stand in a column: names as their snake_case words, structures as JSON, digests as 32 bytes.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use serde::{Deserialize, Serialize};

use crate::QueueError;

/// A name of the model, stored as its word.
pub(crate) struct Word<T>(pub(crate) T);

/// A structure of the model, stored as JSON.
pub(crate) struct Json<T>(pub(crate) T);

/// A SHA-256, stored as its bytes.
pub(crate) type Digest = [u8; 32];

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(word)) => Ok(word.into()),
            Ok(other) => Err(rusqlite::Error::ToSqlConversionFailure(format!("{other} is not a name").into())),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: for<'de> Deserialize<'de>> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word: value::StrDeserializer<'_, value::Error> = value.as_str()?.into_deserializer();
        T::deserialize(word).map(Self).map_err(|error| FromSqlError::Other(error.into()))
    }
}

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(text.into())
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// The bytes of a digest written in hexadecimal.
pub(crate) fn digest(hex: &str) -> Result<Digest, QueueError> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| QueueError::Invalid(format!("“{hex}” is not a SHA-256 in hexadecimal.")))
}

/// A digest in lower-case hexadecimal.
pub(crate) fn hex(digest: &Digest) -> String {
    HEXLOWER.encode(digest)
}

/// A list of ids as the JSON that `json_each` reads, so that a list of any length is one parameter of one prepared statement.
pub(crate) fn list<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(ids.into_iter().map(str::to_owned)).to_string()
}

/// A new id: unique over restarts, without a meaning.
pub(crate) fn mint<T: From<String>>() -> T {
    T::from(uuid::Uuid::now_v7().simple().to_string())
}
