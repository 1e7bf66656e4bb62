//! Ids that follow from what they name.
//!
//! An asset's id is derived from the bytes of its primary resource, so it survives moves, renames and a rebuilt index. BLAKE3's
//! `derive_key` separates the domains; the first 128 bits are kept, as 32 lower-case hexadecimal digits.

use std::path::Path;

use afterglow_model::{AssetId, AssetResourceType, CollectionId, ResourceId, SourceId};
use data_encoding::HEXLOWER;
use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

/// A SHA-256 digest.
pub(crate) type Digest = [u8; 32];

/// An asset's id as the tables keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AssetKey([u8; 16]);

impl AssetKey {
    /// The asset whose primary resource has this content.
    pub(crate) fn of(primary: &Digest) -> Self {
        Self(derive("afterglow 2026 asset", &[primary]))
    }

    /// The key of an id; none if the id is not one of ours.
    pub(crate) fn parse(id: &AssetId) -> Option<Self> {
        let text = id.as_str().as_bytes();
        let lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.iter().all(lower_hex) {
            return None;
        }
        u128::from_str_radix(id.as_str(), 16).ok().map(|value| Self(value.to_be_bytes()))
    }

    /// The id that others see.
    pub(crate) fn id(self) -> AssetId {
        AssetId(hex(&self.0))
    }
}

impl ToSql for AssetKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for AssetKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        bytes.try_into().map(Self).map_err(|_| FromSqlError::InvalidBlobSize { expected_size: 16, blob_size: bytes.len() })
    }
}

/// The id of one file's part in an asset.
pub(crate) fn resource_id(asset: AssetKey, role: AssetResourceType, content: &Digest) -> ResourceId {
    let role = crate::table::asset::role_code(role).to_be_bytes();
    ResourceId(hex(&derive("afterglow 2026 resource", &[&asset.0, &role, content])))
}

/// The id of a source: the same again when a folder is taken out and given back.
pub(crate) fn source_id(root: &Path) -> SourceId {
    SourceId(hex(&derive("afterglow 2026 source", &[root.as_os_str().as_encoded_bytes()])))
}

/// The id of a folder's album.
pub(crate) fn folder_id(source: &SourceId, folder: &Path) -> CollectionId {
    let digest = derive("afterglow 2026 folder", &[source.as_str().as_bytes(), folder.as_os_str().as_encoded_bytes()]);
    CollectionId(format!("folder:{}", hex(&digest)))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// 128 bits from parts of which each but the last has a length of its own or is fixed in length.
fn derive(domain: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(domain);
    for part in parts {
        hasher.update(part);
    }
    let mut out = [0; 16];
    hasher.finalize_xof().fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_key_reads_its_own_id_and_no_other() {
        let key = AssetKey::of(&[7; 32]);
        assert_eq!(AssetKey::parse(&key.id()), Some(key));
        assert_eq!(AssetKey::parse(&AssetId::from("0123")), None);
        assert_eq!(AssetKey::parse(&AssetId(key.id().0.to_uppercase())), None);
        assert_eq!(AssetKey::parse(&AssetId("+".repeat(32))), None);
    }
}
