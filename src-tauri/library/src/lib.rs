//! Photos on disk to assets: scan, watch, metadata, pairing, albums, changes, thumbnails.
//!
//! The way of a file: `watch` or a request says that something may be new, `conductor` decides when to look, `scan` walks and compares
//! with the index, `content` and `metadata` read what is new, `pairing` says which files of a folder are one asset, and `index` writes
//! that down in one transaction. [`Library`] is the handle through which everything is asked.
//!
//! Guarantees:
//! - The person's files are only read. No link is followed, no pipe or device opened.
//! - An asset's id follows from the bytes of its primary resource: it survives moves, renames and a rebuilt index.
//! - Albums, favourites and sources are durable and apart from the index, which can be thrown away at any time.
//! - An unplugged drive or an unreadable folder takes nothing out of the index.
//! - What decodes pictures runs in a process of its own: a picture that breaks or bloats it harms nothing else.
//! - Nothing wakes up while nothing happens: no local folder that can be watched is polled.

mod albums;
mod conductor;
mod content;
mod decode;
mod error;
mod identity;
mod index;
mod library;
mod loose;
mod metadata;
mod names;
mod pairing;
mod reading;
mod scan;
mod store;
mod table;
mod thumbnail;
mod watch;

pub use content::content_type;
pub use decode::decode_worker;
pub use error::{LibraryError, SourceProblem, ThumbnailError};
pub use library::{Library, LibraryEvent, LibraryOptions};
pub use loose::LooseFile;
pub use reading::UploadFile;

/// What a call to the library gives.
pub type Result<T, E = LibraryError> = std::result::Result<T, E>;

/// Wall time.
fn now() -> afterglow_model::Timestamp {
    afterglow_model::Timestamp(jiff::Timestamp::now().as_millisecond())
}
