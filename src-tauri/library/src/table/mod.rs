//! A table is a file: its migrations, its row, its reads and its writes.

pub(crate) mod asset;
pub(crate) mod change;
pub(crate) mod collection;
pub(crate) mod curation;
pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod source;

/// The index's migrations, oldest first. One is never changed once released.
pub(crate) const INDEX: &[&str] =
    &[source::MIGRATION, file::MIGRATION, asset::MIGRATION, collection::MIGRATION, entry::MIGRATION, change::MIGRATION];

/// The migrations of what the person decided.
pub(crate) const CURATION: &[&str] = &[curation::MIGRATION];
