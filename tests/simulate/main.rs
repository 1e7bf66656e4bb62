//! `./dev simulate`: lives seeds until one breaks, or all have been lived.
#![allow(clippy::print_stdout, reason = "a report is what this is")]

use std::time::Instant;

use afterglow_tests::simulation::{Options, Plant, live_all};
use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut seeds, mut from, mut days, mut plants) = (1000_u64, 0_u64, 7_u32, Vec::new());
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--seeds" => seeds = value.parse()?,
            "--from" => from = value.parse()?,
            "--days" => days = value.parse()?,
            "--plant" => {
                plants.extend(Plant::ALL.into_iter().filter(|plant| value == "all" || format!("{plant:?}") == value));
                anyhow::ensure!(!plants.is_empty(), "{value} is no fault; there are: {:?}", Plant::ALL);
            }
            _ => bail!("usage: simulate [--seeds N] [--from S] [--days D] [--plant NAME|all]"),
        }
    }
    if plants.is_empty() {
        return live(from..from + seeds, days);
    }
    let mut missed = 0;
    for plant in plants {
        let began = Instant::now();
        let mut lived = 0;
        let mut caught = None;
        live_all(from..from + seeds, &Options { days, plant: Some(plant) }, |outcome| {
            lived += 1;
            caught = caught.take().or_else(|| outcome.broken.map(|broken| (outcome.seed, broken)));
            caught.is_none()
        })?;
        match caught {
            Some((seed, broken)) => println!("{plant:?}: caught by seed {seed}, of {lived} lived: {broken}"),
            None => {
                missed += 1;
                println!("{plant:?}: NOT CAUGHT by {lived} seeds in {:.1} s", began.elapsed().as_secs_f64());
            }
        }
    }
    anyhow::ensure!(missed == 0, "{missed} planted faults were not caught");
    Ok(())
}

fn live(seeds: std::ops::Range<u64>, days: u32) -> anyhow::Result<()> {
    let began = Instant::now();
    let (mut lived, mut lived_ms, mut jobs, mut delivered, mut crashes, mut events) = (0_u64, 0_u64, 0, 0, 0, 0);
    let mut broken = None;
    live_all(seeds, &Options { days, plant: None }, |outcome| {
        lived += 1;
        lived_ms += outcome.lived_ms;
        jobs += outcome.jobs;
        delivered += outcome.delivered;
        crashes += outcome.crashes;
        events += outcome.events;
        if lived.is_multiple_of(1000) {
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
    if let Some(outcome) = broken {
        for line in &outcome.lines {
            println!("  {line}");
        }
        bail!("seed {} broke: {}", outcome.seed, outcome.broken.unwrap_or_default());
    }
    Ok(())
}
