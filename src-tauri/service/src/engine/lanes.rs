//! The heads of the queue, held ready so that starting the next file asks no disk.

use std::collections::{HashMap, HashSet, VecDeque};

use afterglow_model::{DestinationId, JobId, Priority, UploadJobOptions};
use afterglow_queue::{Lane as Counts, QueuedJob, Queue, QueueError};
use afterglow_scheduler::{Candidate, Lane};

use crate::clock;

/// Jobs held ready for each lane. The scheduler sees no more, however long the queue is.
const HEADS_MAX: usize = 256;
/// With fewer than so many ready, more are read.
const HEADS_LOW: usize = 64;

/// Which jobs: those of one destination and one patience.
pub(super) type LaneKey = (DestinationId, Priority);

/// The lanes as the queue last told them, and their first jobs.
#[derive(Default)]
pub(super) struct Lanes {
    counts: Vec<Counts>,
    heads: HashMap<LaneKey, VecDeque<QueuedJob>>,
}

impl Lanes {
    /// Reads the counts again, and heads where few are left. `taken` are jobs that are under way.
    pub(super) async fn refresh(&mut self, queue: &Queue, taken: &HashSet<JobId>) -> Result<(), QueueError> {
        self.counts = queue.lanes().await?;
        let counts = &self.counts;
        self.heads.retain(|key, _| counts.iter().any(|lane| &key_of(lane) == key));
        for lane in counts {
            let key = key_of(lane);
            let heads = self.heads.entry(key.clone()).or_default();
            heads.retain(|job| !taken.contains(&job.id));
            if heads.len() < HEADS_LOW && (heads.len() as u64) < lane.ready_jobs {
                let mut known: Vec<JobId> = heads.iter().map(|job| job.id.clone()).collect();
                known.extend(taken.iter().cloned());
                heads.extend(queue.heads(&key.0, key.1, HEADS_MAX, clock::wall(), &known).await?);
            }
        }
        Ok(())
    }

    /// Drops what is held ready: something outside the loop changed jobs.
    pub(super) fn forget(&mut self) {
        self.heads.clear();
    }

    /// Whether a lane has more in the queue than is held ready, and little of it.
    pub(super) fn run_low(&self) -> bool {
        self.counts.iter().any(|lane| {
            let held = self.heads.get(&key_of(lane)).map_or(0, VecDeque::len);
            held < HEADS_LOW && (held as u64) < lane.ready_jobs
        })
    }

    /// The lanes as the scheduler wants them.
    pub(super) fn for_plan(&self) -> Vec<Lane> {
        let lane = |counts: &Counts| {
            let key = key_of(counts);
            let heads = self.heads.get(&key).into_iter().flatten();
            Lane {
                destination_id: key.0.clone(),
                priority: key.1,
                heads: heads.map(candidate).collect(),
                ready_jobs: counts.ready_jobs,
                ready_bytes: counts.ready_bytes,
                backing_off_jobs: counts.backing_off_jobs,
                backing_off_bytes: counts.backing_off_bytes,
                next_attempt_at: counts.next_attempt_at,
                offline_jobs: counts.offline_jobs,
                offline_bytes: counts.offline_bytes,
                app_options: UploadJobOptions::default(),
            }
        };
        self.counts.iter().map(lane).collect()
    }

    /// Takes jobs out, in the order of `ids`.
    pub(super) fn take(&mut self, ids: &[JobId]) -> Vec<QueuedJob> {
        let wanted: HashSet<&JobId> = ids.iter().collect();
        let mut taken = HashMap::new();
        for heads in self.heads.values_mut() {
            if heads.iter().any(|job| wanted.contains(&job.id)) {
                let (out, kept): (VecDeque<_>, VecDeque<_>) =
                    std::mem::take(heads).into_iter().partition(|job| wanted.contains(&job.id));
                taken.extend(out.into_iter().map(|job| (job.id.clone(), job)));
                *heads = kept;
            }
        }
        ids.iter().filter_map(|id| taken.remove(id)).collect()
    }

    /// Bytes that are queued, without those under way.
    pub(super) fn bytes(&self) -> u64 {
        self.counts.iter().map(|lane| lane.ready_bytes + lane.backing_off_bytes).sum()
    }
}

fn key_of(lane: &Counts) -> LaneKey {
    (lane.destination_id.clone(), lane.priority)
}

fn candidate(job: &QueuedJob) -> Candidate {
    Candidate {
        job_id: job.id.clone(),
        batch_id: job.batch_id.clone(),
        byte_count: job.byte_count,
        options: job.options.clone(),
    }
}
