//! An error as it crosses the socket.

use crate::{Certificate, words};

words! {
    /// What failed, in a word for code and a sentence for people.
    pub struct ApiError {
        /// `photos` for PhotoKit's codes, `transfer` for a delivery, `request` for a bad call.
        pub domain: String,
        /// snake_case; documented with the verb that returns it.
        pub code: String,
        /// What failed and what to do about it.
        pub message: String,
        /// The certificate that a server showed and that is not trusted. Who knows it to be the server's can have exactly this one trusted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub certificate: Option<Box<Certificate>>,
    }
}

impl ApiError {
    /// An error of the given domain and code.
    pub fn new(domain: &str, code: &str, message: impl Into<String>) -> Self {
        Self { domain: domain.to_owned(), code: code.to_owned(), message: message.into(), certificate: None }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
