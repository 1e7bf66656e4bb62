//! What the service can fail with, for the one who starts it and for the one who calls it.

use std::path::PathBuf;

use afterglow_library::LibraryError;
use afterglow_model::{ApiError, Failure};
use afterglow_queue::QueueError;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// Why the service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another service has this home.
    #[error("Afterglow is already running here (process {pid}). Nothing was started.")]
    AlreadyRunning {
        /// Its process.
        pid: u32,
    },
    /// A folder or socket could not be made or is not ours.
    #[error("{}: {problem}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The queue could not be opened.
    #[error("the queue could not be opened: {0}")]
    Queue(#[from] QueueError),
    /// The library could not be opened.
    #[error("the library could not be opened: {0}")]
    Library(#[from] LibraryError),
    /// The HTTP client could not be made.
    #[error("transfers cannot be made: {0}")]
    Transfer(String),
}

/// A refused call: an HTTP status and what the caller is told.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) error: ApiError,
}

/// What handlers return.
pub(crate) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: ApiError::new("request", code, message) }
    }

    /// Absent and forbidden look the same. `name` is what the caller asked for.
    pub(crate) fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::gone(format!("There is no {what} {name}."))
    }

    /// What was asked for is not there any more, or never was.
    pub(crate) fn gone(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, error: ApiError::new("photos", "identifier_not_found", message) }
    }

    /// What is asked for is at odds with what is there.
    pub(crate) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, error: ApiError::new("photos", code, message) }
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, error: ApiError::new("photos", "access_user_denied", message) }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, error: ApiError::new("photos", "internal_error", message) }
    }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NotFound { what, id } => Self::not_found(what, id),
            QueueError::NameTaken { .. } => Self::bad("name_taken", error.to_string()),
            QueueError::Invalid(_) => Self::bad("invalid", error.to_string()),
            QueueError::DiskFull => Self {
                status: StatusCode::INSUFFICIENT_STORAGE,
                error: ApiError::new("photos", "not_enough_space", error.to_string()),
            },
            other => {
                tracing::error!(error = %other, "queue");
                Self::internal(other.to_string())
            }
        }
    }
}

impl From<LibraryError> for Refusal {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::NotFound { .. } => Self::gone(error.to_string()),
            LibraryError::TokenExpired => Self {
                status: StatusCode::GONE,
                error: ApiError::new("photos", "persistent_change_token_expired", error.to_string()),
            },
            other => Self::bad("library", other.to_string()),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let code = serde_json::to_value(failure.code).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let error = ApiError { certificate: failure.certificate, ..ApiError::new("transfer", &code, failure.message) };
        Self { status: StatusCode::BAD_GATEWAY, error }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.error)).into_response()
    }
}
