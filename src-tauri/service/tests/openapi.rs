//! The API documents in `docs/` are those that the sockets serve. `./dev bindings` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's support fails as the test does, and says what it skips"
)]

use std::path::Path;

use utoipa::openapi::OpenApi;

fn holds(document: &OpenApi, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let text = format!("{}\n", document.to_pretty_json().unwrap());
    if std::env::var_os("AFTERGLOW_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap_or_default() == text, "docs/{name} has drifted: run ./dev bindings");
}

#[test]
fn the_owners_document_is_the_one_served() {
    holds(&afterglow_service::owner_openapi(), "owner-api.json");
}

#[test]
fn the_apps_document_is_the_one_served() {
    holds(&afterglow_service::apps_openapi(), "apps-api.json");
}
