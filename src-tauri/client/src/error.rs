//! What can go wrong between a program and the service.

use std::{io, path::PathBuf};

use afterglow_model::ApiError;

/// An error of a call.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing answers on the socket.
    #[error("Afterglow is not running: nothing answers on {}. Start it with `afterglow serve`.", .0.display())]
    NotRunning(PathBuf),
    /// The service answered, and refused.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The service could not be started.
    #[error("Afterglow's service could not be started: {0}")]
    Start(String),
    /// No home folder is known.
    #[error("there is no home folder: set HOME, or give --home DIR")]
    NoHome,
    /// The connection broke, or what came over it made no sense.
    #[error("the connection to Afterglow broke: {0}")]
    Broken(String),
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl ClientError {
    /// The error as a window or a script gets it.
    pub fn into_api_error(self) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::NotRunning(_) => ApiError::new("request", "not_running", self.to_string()),
            Self::Start(_) | Self::NoHome | Self::Broken(_) | Self::File { .. } => {
                ApiError::new("request", "connection", self.to_string())
            }
        }
    }
}
