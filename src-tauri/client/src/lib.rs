//! The SDK of Afterglow.
//!
//! Other programs use [`AppClient`]: pair once (the person is asked), list what they may see, hand over uploads and quit. The
//! transfers go on without them; the next run reads what became of them and acknowledges it. Our own windows and command line use
//! [`Owner`], which may do everything the person may.
//!
//! Both speak HTTP/1.1 with JSON over a Unix socket in a folder that only this user can enter. The OpenAPI document is served at
//! `/v1/openapi.json` and kept in `docs/`.

mod app;
mod call;
mod error;
mod events;
pub mod owner;
mod start;

pub use afterglow_model as model;
pub use app::{AppClient, StoredKey};
pub use error::ClientError;
pub use start::{home_from_env, start_service};
