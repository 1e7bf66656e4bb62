//! Prints what one plan costs for 50 destinations with three lanes of 256 heads and a million jobs behind each.
//!
//! `cargo run --release -p afterglow-scheduler --example plan_cost`
#![allow(clippy::disallowed_methods, clippy::print_stdout)] // A stopwatch is what this is.

use std::time::Instant;

use afterglow_model::{Conditions, DestinationId, JobId, Metered, Priority, Settings, Timestamp, UploadJobOptions};
use afterglow_scheduler::{Candidate, DestinationFacts, Lane, Limits, Local, Memory, Now, Policy, plan};

const DESTINATIONS: usize = 50;
const HEADS: usize = 256;
const ROUNDS: u32 = 200;

fn main() {
    let mut conditions = Conditions::unknown();
    report("all free", &conditions);
    conditions.network.metered = Metered::Yes;
    report("all wait", &conditions);
}

fn report(name: &str, conditions: &Conditions) {
    let ids: Vec<DestinationId> = (0..DESTINATIONS).map(|n| DestinationId(format!("destination-{n}"))).collect();
    let lanes: Vec<Lane> = ids
        .iter()
        .flat_map(|id| [Priority::Backup, Priority::App, Priority::UserInitiated].map(|priority| lane(id, priority)))
        .collect();
    let facts = ids.into_iter().map(DestinationFacts::unknown);
    let facts: Vec<DestinationFacts> = facts.collect();
    let settings = Settings::default();
    let policy = Policy { settings: &settings, pause: None, overrides: &[], bytes_today: 0, memory: Memory::default() };
    let now = Now { wall: Timestamp(1_800_000_000_000), boot_ms: 0, local: Local::default() };

    let start = Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(plan(std::hint::black_box(&lanes), &facts, &[], conditions, &policy, &Limits::default(), now));
    }
    println!("{name}: {:.2} ms a plan", start.elapsed().as_secs_f64() * 1000.0 / f64::from(ROUNDS));
}

fn lane(destination_id: &DestinationId, priority: Priority) -> Lane {
    let head = |n: usize| Candidate {
        job_id: JobId(format!("{destination_id}-{priority:?}-{n}")),
        batch_id: "batch".into(),
        byte_count: if n.is_multiple_of(2) { 300_000 } else { 30_000_000 },
        options: UploadJobOptions::default(),
        session_expires_at: None,
    };
    Lane {
        destination_id: destination_id.clone(),
        priority,
        heads: (0..HEADS).map(head).collect(),
        ready_jobs: 1_000_000,
        ready_bytes: 1 << 42,
        backing_off_jobs: 0,
        backing_off_bytes: 0,
        next_attempt_at: None,
        following_jobs: 0,
        following_bytes: 0,
        offline_jobs: 0,
        offline_bytes: 0,
        oldest_at: None,
        options: UploadJobOptions::default(),
    }
}
