//! What must hold for every connector, whatever the network and the server do. Each test asserts what the scripted server really
//! received and stored, never only what the driver reports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test says what it skips")]

mod answers;
mod bench;
mod certificates;
mod connectors;
mod cuts;
mod every;
mod pace;
mod receiver;
mod rig;
mod source;
mod whole;
