//! What the whole product promises, with real processes, sockets and files. Every test has a home, a service and receivers of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's support fails as the test does, and says what it skips"
)]

mod addresses;
mod apps;
mod archive;
mod assets;
#[path = "../system/bus.rs"]
#[allow(dead_code, reason = "shared with the tests of the sensors, which use all of it")]
mod bus;
mod delivery;
#[path = "../system/fakes.rs"]
#[allow(dead_code, reason = "shared with the tests of the sensors, which use all of it")]
mod fakes;
mod files;
mod interruptions;
mod machine;
mod nearby;
mod orders;
mod sockets;
mod trouble;
