//! The connectors against real servers of others, and the model servers against real clients of others: what was not written by us
//! judges what was. A program that is not installed skips its tests, and says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod immich;
mod nextcloud;
mod owncloud;
mod s3;
mod sending;
mod tus;
mod webdav;
