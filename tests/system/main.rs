//! The edges to the desktop, against real buses with fake services on them: every source read, changed, absent, hung, restarted.
//!
//! Each test starts bus daemons of its own, so no test sees another's services or this machine's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's support fails as the test does, and says what it skips"
)]

mod battery;
mod bus;
mod fakes;
mod interfaces;
mod network;
mod notices;
mod power;
mod resources;
mod secrets;
mod session;
mod silence;
mod tray;
