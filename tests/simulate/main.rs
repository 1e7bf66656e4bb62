//! `./dev simulate`: lives seeds until one breaks, or all have been lived; shrinks what breaks.
#![allow(clippy::print_stdout, reason = "a report is what this is")]

use std::{process::ExitCode, time::Instant};

use afterglow_tests::simulation::{Caught, Options, Outcome, Plant, Scenario, catch_all, live_all, shrink};
use anyhow::{Context, bail};

const USAGE: &str =
    "usage: simulate [--seeds N] [--from S] [--days D] [--scenario week|flapping|poisoned] [--plant NAME|all] [--brief]";

/// What is asked for.
struct Wish {
    seeds: std::ops::Range<u64>,
    options: Options,
    plants: Vec<Plant>,
    /// The first seed that breaks is told in one line, and not shrunk.
    brief: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let wish = read(std::env::args().skip(1))?;
    if wish.plants.is_empty() { live(&wish) } else { plant(&wish) }
}

fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Wish> {
    let (mut seeds, mut from, mut plants, mut brief) = (1000_u64, 0_u64, Vec::new(), false);
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        if name == "--brief" {
            brief = true;
            continue;
        }
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--seeds" => seeds = value.parse()?,
            "--from" => from = value.parse()?,
            "--days" => options.days = value.parse()?,
            "--scenario" => {
                options.scenario = match value.as_str() {
                    "week" => Scenario::Week,
                    "flapping" => Scenario::Flapping,
                    "poisoned" => Scenario::Poisoned,
                    _ => bail!(USAGE),
                };
            }
            "--plant" => {
                plants.extend(Plant::ALL.into_iter().filter(|plant| value == "all" || format!("{plant:?}") == value));
                anyhow::ensure!(!plants.is_empty(), "{value} is no fault; there are: {:?}", Plant::ALL);
            }
            _ => bail!(USAGE),
        }
    }
    Ok(Wish { seeds: from..from + seeds, options, plants, brief })
}

fn plant(wish: &Wish) -> anyhow::Result<ExitCode> {
    let mut missed = 0;
    catch_all(&wish.plants, wish.seeds.clone(), &wish.options, |Caught { plant, by }| match by {
        Some((seed, broken)) => println!("{plant:?}: caught by seed {seed}: {broken}"),
        None => {
            missed += 1;
            println!("{plant:?}: NOT CAUGHT by {} seeds", wish.seeds.end - wish.seeds.start);
        }
    })?;
    println!("{} of {} planted faults were caught", wish.plants.len() - missed, wish.plants.len());
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn live(wish: &Wish) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let (mut lived, mut lived_ms, mut jobs, mut delivered, mut crashes, mut events) = (0_u64, 0_u64, 0, 0, 0, 0);
    let mut broken = None;
    live_all(wish.seeds.clone(), &wish.options, |outcome| {
        lived += 1;
        lived_ms += outcome.lived_ms;
        jobs += outcome.jobs;
        delivered += outcome.delivered;
        crashes += outcome.crashes;
        events += outcome.events;
        if lived.is_multiple_of(1000) && !wish.brief {
            println!("{lived} seeds, {:.0} simulated years", lived_ms as f64 / 3.156e10);
        }
        if outcome.broken.is_some() {
            broken = Some(outcome);
            return false;
        }
        true
    })?;
    println!(
        "{lived} seeds, {:.1} simulated years in {:.1} s: {jobs} jobs, {delivered} delivered, {crashes} kills, {events} events",
        lived_ms as f64 / 3.156e10,
        began.elapsed().as_secs_f64()
    );
    match broken {
        Some(outcome) => tell(&outcome, wish),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Tells how a seed broke: shrunk, with the trace of what is left.
fn tell(outcome: &Outcome, wish: &Wish) -> anyhow::Result<ExitCode> {
    let broken = outcome.broken.as_ref().map(ToString::to_string).unwrap_or_default();
    println!("seed {} broke {broken}", outcome.seed);
    if wish.brief {
        return Ok(ExitCode::FAILURE);
    }
    match shrink(outcome.seed, &wish.options)? {
        Some(shrunk) => {
            println!("Shrunk from {} events to {}, in {} lives:", shrunk.of, shrunk.events.len(), shrunk.lives);
            shrunk.events.iter().for_each(|event| println!("  {event}"));
            println!("and the end of its trace:");
            shrunk.outcome.lines.iter().for_each(|line| println!("  {line}"));
            println!("{}", shrunk.outcome.broken.as_ref().map(ToString::to_string).unwrap_or_default());
        }
        None => println!("Lived once more it does not break: something is left to chance."),
    }
    Ok(ExitCode::FAILURE)
}
