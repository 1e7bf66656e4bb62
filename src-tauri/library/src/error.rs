//! What can fail, said for people.

use std::path::PathBuf;

/// A call to the library that did not work.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The index or the albums were written by a newer Afterglow. Nothing was changed.
    #[error("{path} was written by a newer Afterglow (version {found}, this one knows {known}). Update Afterglow to open it.")]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its `user_version`.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// The durable file with albums and favourites cannot be read; it is never rebuilt or moved by itself.
    #[error("{path}, which holds your albums and folders, is damaged. Restore it from a backup, or move it away to start anew.")]
    CurationDamaged {
        /// The file.
        path: PathBuf,
    },
    /// A folder cannot become a source.
    #[error("{0}")]
    Source(#[from] SourceProblem),
    /// There is no album, source or asset with this id.
    #[error("There is no {what} {id}. It may have been removed; look again.")]
    NotFound {
        /// What was asked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The album's title is empty, or the collection is not one that a person can change.
    #[error("{0}")]
    NotAllowed(String),
    /// The changes since this token are no longer known. List everything, and take a new token.
    #[error("The changes since this token are no longer known. Read the library anew.")]
    TokenExpired,
    /// A file dropped from outside cannot be used.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A folder or file of the library itself cannot be used.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refused. Nothing of the call was done; it can be repeated.
    #[error("The library's database failed: {0}. Try again; if it stays so, restart Afterglow.")]
    Database(#[from] rusqlite::Error),
    /// The tables could not be brought up to date.
    #[error("The library's tables could not be brought up to date: {0}")]
    Migration(#[from] rusqlite_migration::Error),
    /// The library is being closed.
    #[error("The library is closing.")]
    Closed,
}

/// Why a folder cannot become a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceProblem {
    /// Not an absolute path.
    #[error("{0} is not a full path. Name the folder from the root, as in /home/ada/Pictures.")]
    Relative(PathBuf),
    /// No folder there.
    #[error("{0} is not a folder.")]
    NotAFolder(PathBuf),
    /// It cannot be listed.
    #[error("{path} cannot be read: {problem}. Change its permissions, or choose another folder.")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// Already in the library.
    #[error("{path} is already in the library, as part of {source_path}.")]
    Inside {
        /// The folder.
        path: PathBuf,
        /// The source that holds it.
        source_path: String,
    },
    /// It would hold another source twice.
    #[error("{path} contains {source_path}, which is already in the library. Remove that one first.")]
    Contains {
        /// The folder.
        path: PathBuf,
        /// The source within it.
        source_path: String,
    },
}

/// Why there is no thumbnail.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum ThumbnailError {
    /// No such asset.
    #[error("There is no such photo.")]
    NotFound,
    /// A format that is listed but not drawn.
    #[error("Previews of this format are not drawn.")]
    Unsupported,
    /// The picture cannot be decoded, or is larger than 256 megapixels.
    #[error("This picture cannot be shown: {0}")]
    Broken(String),
    /// Its folder is unplugged, or the file cannot be read now.
    #[error("The file cannot be read now: {0}")]
    Unavailable(String),
}
