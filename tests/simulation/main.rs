//! A few hundred simulated weeks. `./dev simulate` lives as many as one likes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on fails, and says what it saw")]

mod patches;

use afterglow_tests::simulation::{Caught, Options, Outcome, Plant, Scenario, catch_all, live_all, shrink};

const SEEDS: u64 = 200;
/// A planted fault has to be caught within so many seeds.
const SEEDS_PER_PLANT: u64 = 100;

/// What a seed that broke shrinks to.
fn told(outcome: &Outcome, options: &Options) -> String {
    let broken = outcome.broken.as_ref().map_or_else(|| "nothing broke".to_owned(), ToString::to_string);
    match shrink(outcome.seed, options).unwrap() {
        Some(shrunk) => {
            let (events, lines) = (shrunk.events.join("\n"), shrunk.outcome.lines.join("\n"));
            format!("seed {}: {broken}\nIt takes no more than:\n{events}\nand ends with:\n{lines}", outcome.seed)
        }
        None => format!("seed {}: {broken}, but not when lived again: something is left to chance", outcome.seed),
    }
}

/// Lives seeds of which none may break; gives how many files arrived.
fn nothing_breaks(seeds: std::ops::Range<u64>, options: &Options) -> u64 {
    let mut delivered = 0;
    live_all(seeds, options, |outcome| {
        assert!(outcome.broken.is_none(), "{}", told(&outcome, options));
        delivered += outcome.delivered;
        true
    })
    .unwrap();
    delivered
}

#[test]
fn hundreds_of_weeks_break_nothing() {
    let delivered = nothing_breaks(0..SEEDS, &Options::default());
    assert!(delivered > SEEDS * 10, "only {delivered} files arrived in all");
}

#[test]
fn on_a_network_that_flaps_for_hours_everything_arrives_and_little_is_said() {
    nothing_breaks(0..10, &Options { scenario: Scenario::Flapping, ..Options::default() });
}

#[test]
fn what_fails_for_ever_holds_nothing_else_up() {
    nothing_breaks(0..6, &Options { scenario: Scenario::Poisoned, ..Options::default() });
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
fn every_planted_fault_is_caught_by_what_it_breaks() {
    let mut missed = Vec::new();
    catch_all(&Plant::ALL, 0..SEEDS_PER_PLANT, &Options::default(), |Caught { plant, by }| match by {
        Some((seed, broken)) => eprintln!("{plant:?}: seed {seed}: {broken}"),
        None => missed.push(plant),
    })
    .unwrap();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn a_seed_that_breaks_is_shrunk_to_a_few_events() {
    let options = Options { plant: Some(Plant::PauseIsIgnored), ..Options::default() };
    let mut breaks = None;
    live_all(0..SEEDS_PER_PLANT, &options, |outcome| {
        breaks = breaks.take().or(outcome.broken.map(|broken| (outcome.seed, broken.invariant)));
        breaks.is_none()
    })
    .unwrap();
    let (seed, invariant) = breaks.unwrap();
    let shrunk = shrink(seed, &options).unwrap().unwrap();
    assert_eq!(shrunk.outcome.broken.unwrap().invariant, invariant);
    assert!(shrunk.events.len() < shrunk.of / 2, "{} of {} events are left: {:#?}", shrunk.events.len(), shrunk.of, shrunk.events);
    assert!(shrunk.events.iter().any(|event| event.contains("pauses")), "{:#?}", shrunk.events);
}
