//! What the whole product promises, with real processes, sockets and files. Every test has a home, a service and receivers of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's support fails as the test does, and says what it skips"
)]

mod addresses;
mod albums;
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
#[path = "../conformance/connectors/google/server.rs"]
#[allow(dead_code, reason = "shared with the suite of the connectors, which uses all of it")]
mod google_server;
#[path = "../conformance/connectors/immich/server.rs"]
#[allow(dead_code, reason = "shared with the suite of the connectors, which uses all of it")]
mod immich_server;
mod interruptions;
mod machine;
mod nearby;
#[path = "../conformance/connectors/nextcloud/server.rs"]
#[allow(dead_code, reason = "shared with the suite of the connectors, which uses all of it")]
mod nextcloud_server;
mod orders;
#[path = "../conformance/connectors/s3/store.rs"]
#[allow(dead_code, reason = "shared with the suite of the connectors, which uses all of it")]
mod s3_store;
mod signing_in;
mod sockets;
mod space;
mod trouble;
mod words;
