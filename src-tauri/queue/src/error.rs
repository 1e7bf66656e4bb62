//! What can go wrong with the file, and what was asked of it wrongly.

use std::path::PathBuf;

use afterglow_model::JobId;
use rusqlite::ErrorCode;

/// Why a call to the queue failed. Unless the variant says otherwise, nothing of the call happened.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The file was written by a newer version; it was not touched.
    #[error("{} was written by a newer version of Afterglow. Install that version again; nothing was changed.", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error("{} cannot be read: {source}. See to its permissions or its disk, then start Afterglow again.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The disk that holds the file is full. At the commit this is as uncertain as [`QueueError::UnknownCommit`]: read again.
    #[error("This computer's disk is full, so the upload queue cannot be saved. Make room to go on.")]
    DiskFull,
    /// The commit failed: the change may or may not have happened. Forget what memory believes and read again.
    #[error("It is not known whether a change to the upload queue was saved ({cause}). It is read again.")]
    UnknownCommit {
        /// What SQLite said.
        cause: String,
    },
    /// The job is not where this change begins.
    #[error("Job {job} is {from}, so it cannot {change}.")]
    IllegalMove {
        /// Which job.
        job: JobId,
        /// Where it is.
        from: &'static str,
        /// What was asked.
        change: &'static str,
    },
    /// Nothing has this id.
    #[error("There is no {what} {id}.")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Two destinations cannot share a name.
    #[error("There is a destination called {name} already. Choose another name.")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A value that cannot be stored.
    #[error("{0}")]
    Invalid(String),
    /// The queue was closed.
    #[error("The upload queue is closed.")]
    Closed,
    /// The file cannot be opened, read or written.
    #[error("The upload queue cannot be used: {0}. If its disk is well, restart Afterglow; nothing that was confirmed is lost.")]
    Database(#[source] rusqlite::Error),
    /// The tables cannot be brought to this version.
    #[error("The upload queue could not be brought to this version: {0}")]
    Migration(#[source] rusqlite_migration::Error),
}

impl QueueError {
    /// Whether the change may have happened nevertheless, so that the caller must read before it goes on.
    pub fn must_read_again(&self) -> bool {
        match self {
            Self::UnknownCommit { .. } | Self::DiskFull => true,
            Self::NewerSchema { .. }
            | Self::Unreadable { .. }
            | Self::IllegalMove { .. }
            | Self::NotFound { .. }
            | Self::NameTaken { .. }
            | Self::Invalid(_)
            | Self::Closed
            | Self::Database(_)
            | Self::Migration(_) => false,
        }
    }

    /// What the other calls of the same commit are told when this error took the whole commit with it.
    pub(crate) fn for_the_group(&self) -> Self {
        match self {
            Self::DiskFull => Self::DiskFull,
            other => Self::UnknownCommit { cause: other.to_string() },
        }
    }
}

impl From<rusqlite::Error> for QueueError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Database(error),
        }
    }
}
