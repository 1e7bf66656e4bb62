//! The receiver as senders meet it: real sockets, real files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's support fails as the test does, and says what it skips"
)]

mod appending;
mod connections;
mod crashes;
mod creating;
mod encrypted;
mod objects;
mod pairing;
mod support;
