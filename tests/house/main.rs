//! Who may depend on whom. The crate graph holds the rooms of the house apart; this holds the crate graph. A new edge fails here, and
//! is either a mistake or a change of the table in ARCHITECTURE.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on fails.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Every crate of ours, the crates of ours that it may use, and what it must never contain.
const TABLE: [Row; 13] = [
    Row { name: "afterglow-model", uses: &[], never: &[SENSORS, IO, NETWORK, DATABASE, DESKTOP, BUS] },
    Row { name: "afterglow-scheduler", uses: &["model"], never: &[SENSORS, IO, CLOCK, NETWORK, DATABASE, DESKTOP, BUS] },
    Row { name: "afterglow-library", uses: &["model"], never: &[SENSORS, NETWORK, DESKTOP, BUS] },
    Row { name: "afterglow-queue", uses: &["model"], never: &[SENSORS, NETWORK, DESKTOP, BUS] },
    Row { name: "afterglow-nearby", uses: &[], never: &[SENSORS, DATABASE, DESKTOP, BUS, NETWORK] },
    Row { name: "afterglow-transfer", uses: &["model", "nearby"], never: &[SENSORS, DATABASE, DESKTOP, BUS] },
    Row { name: "afterglow-system", uses: &["model"], never: &[DATABASE, DESKTOP, NETWORK] },
    Row {
        name: "afterglow-service",
        uses: &["model", "scheduler", "library", "queue", "transfer", "system", "nearby"],
        never: &[SENSORS, DATABASE, DESKTOP, BUS, NETWORK],
    },
    Row { name: "afterglow-client", uses: &["model"], never: &[SENSORS, DATABASE, DESKTOP, BUS] },
    // The receiver keeps a ledger of its own.
    Row { name: "afterglow-receiver", uses: &["model", "nearby"], never: &[SENSORS, DESKTOP, BUS] },
    Row {
        name: "afterglow-cli",
        uses: &["model", "client", "service", "receiver", "nearby"],
        never: &[SENSORS, DATABASE, DESKTOP, BUS],
    },
    Row { name: "afterglow-desktop", uses: &["model", "client"], never: &[SENSORS, DATABASE, NETWORK, BUS] },
    Row {
        name: "afterglow-tests",
        uses: &["model", "scheduler", "library", "queue", "transfer", "system", "service", "client", "receiver"],
        never: &[DESKTOP],
    },
];

// Packages by the names they are published under.
const IO: Group = &["tokio", "rustix", "notify", "dirs"];
const CLOCK: Group = &["jiff", "chrono", "time", "rand", "fastrand", "uuid"];
const NETWORK: Group = &["reqwest", "hyper", "rustls", "native-tls"];
const SENSORS: Group = &["starship-battery", "netdev", "netwatcher"];
const DATABASE: Group = &["rusqlite", "rusqlite_migration"];
const DESKTOP: Group = &["tauri", "wry", "tao", "gtk"];
const BUS: Group = &["zbus", "ksni", "notify-rust", "keyring-core"];

type Group = &'static [&'static str];

struct Row {
    name: &'static str,
    uses: &'static [&'static str],
    never: &'static [Group],
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).exec().unwrap()
}

/// What a crate is built from; its own tests may use more.
fn dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn every_crate_stands_in_the_table() {
    let metadata = metadata();
    let there: BTreeSet<&str> = metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let listed: BTreeSet<&str> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(there, listed);
}

#[test]
fn no_crate_uses_more_of_ours_than_the_table_allows() {
    let metadata = metadata();
    let packages: BTreeMap<&str, &Package> =
        metadata.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect();
    let mut beyond = Vec::new();
    for row in &TABLE {
        for used in dependencies(packages[row.name]).filter(|name| packages.contains_key(name)) {
            if !row.uses.iter().any(|allowed| used.strip_prefix("afterglow-") == Some(allowed)) {
                beyond.push(format!("{} uses {used}", row.name));
            }
        }
    }
    assert_eq!(beyond, Vec::<String>::new());
}

#[test]
fn no_crate_contains_what_belongs_to_another_room() {
    let metadata = metadata();
    let mut beyond = Vec::new();
    for package in metadata.workspace_packages() {
        let row = TABLE.iter().find(|row| row.name == package.name.as_str()).unwrap();
        let forbidden: BTreeSet<&str> = row.never.iter().copied().flatten().copied().collect();
        beyond.extend(
            dependencies(package)
                // `tauri-plugin-…` and `tauri-build` belong with `tauri`.
                .filter(|name| forbidden.contains(name) || name.starts_with("tauri-") && forbidden.contains("tauri"))
                .map(|name| format!("{} contains {name}", package.name)),
        );
    }
    assert_eq!(beyond, Vec::<String>::new());
}

/// Rules for one crate are worth little if a dependency brings the thing in through the back door.
#[test]
fn what_must_stay_pure_or_small_is_so_through_all_its_dependencies() {
    let metadata = metadata();
    for (root, forbidden) in [
        ("afterglow-scheduler", [IO, CLOCK, NETWORK, DATABASE].concat()),
        ("afterglow-model", [IO, CLOCK, NETWORK, DATABASE].concat()),
        // The background service links no GUI toolkit.
        ("afterglow-cli", DESKTOP.to_vec()),
    ] {
        let reached = reachable(&metadata, root);
        let found: Vec<&&str> = forbidden.iter().filter(|name| reached.contains(**name)).collect();
        assert!(found.is_empty(), "{root} reaches {found:?}");
    }
}

fn reachable(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let mut open = vec![&metadata.packages.iter().find(|package| package.name.as_str() == root).unwrap().id];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let node = nodes.iter().find(|node| node.id == *id).unwrap();
            open.extend(
                node.deps
                    .iter()
                    .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal))
                    .map(|dep| &dep.pkg),
            );
        }
    }
    metadata.packages.iter().filter(|package| seen.contains(&package.id)).map(|package| package.name.to_string()).collect()
}
