//! A hundred simulated weeks. `./dev simulate` lives as many as one likes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on fails, and says what it saw")]

use afterglow_tests::simulation::{Options, Outcome, Plant, live_all};

const SEEDS: u64 = 100;
/// A planted fault has to be caught within so many seeds.
const SEEDS_PER_PLANT: u64 = 100;

fn told(outcome: &Outcome) -> String {
    let broken = outcome.broken.as_deref().unwrap_or("nothing broke");
    format!("seed {}: {broken}\n{}", outcome.seed, outcome.lines.join("\n"))
}

#[test]
fn a_hundred_weeks_break_nothing() {
    let mut delivered = 0;
    live_all(0..SEEDS, &Options::default(), |outcome| {
        assert!(outcome.broken.is_none(), "{}", told(&outcome));
        delivered += outcome.delivered;
        true
    })
    .unwrap();
    assert!(delivered > SEEDS * 10, "only {delivered} files arrived in all");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let hashes = || {
        let mut hashes = Vec::new();
        live_all(1000..1010, &Options::default(), |outcome| {
            hashes.push((outcome.seed, outcome.hash, outcome.events));
            true
        })
        .unwrap();
        hashes.sort_unstable();
        hashes
    };
    assert_eq!(hashes(), hashes());
}

#[test]
fn every_planted_fault_is_caught() {
    let mut missed = Vec::new();
    for plant in Plant::ALL {
        let mut caught = None;
        live_all(0..SEEDS_PER_PLANT, &Options { plant: Some(plant), ..Options::default() }, |outcome| {
            caught = caught.take().or_else(|| outcome.broken.map(|broken| (outcome.seed, broken)));
            caught.is_none()
        })
        .unwrap();
        match caught {
            Some((seed, broken)) => eprintln!("{plant:?}: seed {seed}: {broken}"),
            None => missed.push(plant),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
