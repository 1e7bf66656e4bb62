//! What one decision costs with a million jobs in the queue.

use std::time::{Duration, Instant};

use afterglow_model::{
    AssetResourceType, Conditions, Connector, Metered, Priority, Settings, SourceId, Timestamp, UploadJobOptions,
};
use afterglow_queue::{Lane as Counts, NewBatch, NewDestination, NewJob, Queue};
use afterglow_scheduler::{Candidate, DestinationFacts, Lane, Limits, Local, Memory, Now, Policy, plan};
use anyhow::Result;

use crate::row;

const JOBS: usize = 1_000_000;
const DESTINATIONS: usize = 4;
const AT_ONCE: usize = 5_000;
const HEADS: u32 = 256;
const ROUNDS: usize = 51;
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Fills a queue, and prints what reading its lanes and heads and planning with them takes.
pub(crate) async fn print() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let queue = Queue::open(&dir.path().join("queue.sqlite"))?;
    let begun = Instant::now();
    let facts = fill(&queue).await?;
    println!("a decision with {JOBS} jobs for {DESTINATIONS} destinations in the queue");
    row("making them, s", format!("{:.1}", begun.elapsed().as_secs_f64()));

    let mut free = Conditions::unknown();
    free.network.metered = Metered::No;
    let mut metered = Conditions::unknown();
    metered.network.metered = Metered::Yes;
    for (what, conditions) in [("some start", &free), ("all wait", &metered)] {
        let (mut reading, mut planning) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let lanes = lanes(&queue).await?;
            reading.push(begun.elapsed());
            let begun = Instant::now();
            std::hint::black_box(decide(&lanes, &facts, conditions));
            planning.push(begun.elapsed());
        }
        row(&format!("{what}: lanes and heads read anew, ms"), figures(reading));
        row(&format!("{what}: plan(), ms"), figures(planning));
    }
    queue.close().await;
    Ok(())
}

/// Median and worst.
fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    format!("{:.2} ({:.2})", ms(times.get(times.len() / 2)), ms(times.last()))
}

fn decide(lanes: &[Lane], facts: &[DestinationFacts], conditions: &Conditions) -> afterglow_scheduler::Plan {
    let settings = Settings::default();
    let policy = Policy { settings: &settings, pause: None, overrides: &[], bytes_today: 0, memory: Memory::default() };
    let now = Now { wall: NOW, boot_ms: 0, local: Local::default() };
    plan(lanes, facts, &[], conditions, &policy, &Limits::default(), now)
}

async fn fill(queue: &Queue) -> Result<Vec<DestinationFacts>> {
    let mut facts = Vec::new();
    for number in 0..DESTINATIONS {
        let name = format!("destination {number}");
        let url = format!("https://{number}.example/files");
        let new = NewDestination {
            name,
            connector: Connector::Resumable,
            url,
            config: Default::default(),
            capabilities: None,
            has_credential: false,
            app_id: None,
        };
        let destination = queue.add_destination(new, NOW).await?;
        for from in (0..JOBS / DESTINATIONS).step_by(AT_ONCE) {
            let batch = NewBatch {
                title: "photos".to_owned(),
                app_id: destination.app_id.clone(),
                destination_id: destination.id.clone(),
                priority: Priority::Backup,
                rule_id: None,
            };
            queue.create_jobs(batch, (from..from + AT_ONCE).map(job), NOW).await?;
        }
        facts.push(DestinationFacts::unknown(destination.id));
    }
    Ok(facts)
}

fn job(number: usize) -> NewJob {
    let name = format!("{number}.jpg");
    let byte_count = if number.is_multiple_of(5) { 4_000_000 } else { 300_000 };
    NewJob {
        asset_id: Some(afterglow_model::AssetId(format!("asset-{number}"))),
        source_id: Some(SourceId::from("source")),
        ..NewJob::of(format!("/photos/{name}").into(), name, AssetResourceType::Photo, byte_count, format!("{number:064x}"))
    }
}

async fn lanes(queue: &Queue) -> Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for counts in queue.lanes().await? {
        let heads = queue.heads(&counts.key, HEADS, NOW, &[]).await?;
        let heads = heads.into_iter().map(|job| Candidate {
            job_id: job.id,
            batch_id: job.batch_id,
            byte_count: job.byte_count,
            options: job.options,
            session_expires_at: None,
        });
        lanes.push(lane(&counts, heads.collect()));
    }
    Ok(lanes)
}

fn lane(counts: &Counts, heads: Vec<Candidate>) -> Lane {
    Lane {
        destination_id: counts.key.destination_id.clone(),
        priority: counts.key.priority,
        heads,
        ready_jobs: counts.ready.jobs,
        ready_bytes: counts.ready.bytes,
        backing_off_jobs: 0,
        backing_off_bytes: 0,
        next_attempt_at: None,
        following_jobs: 0,
        following_bytes: 0,
        offline_jobs: 0,
        offline_bytes: 0,
        oldest_at: Some(NOW),
        options: UploadJobOptions::default(),
    }
}
