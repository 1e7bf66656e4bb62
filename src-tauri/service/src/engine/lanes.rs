//! The heads of the queue, held ready so that starting the next file asks no disk.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use afterglow_model::{JobId, Phase, Timestamp, UploadJobOptions};
use afterglow_queue::{Lane as Counts, LaneKey, Queue, QueueError, QueuedJob};
use afterglow_scheduler::{Candidate, Lane, is_due};

use super::running::Running;
use crate::clock;

/// Jobs held ready for each lane. The scheduler sees no more, however long the queue is.
const HEADS_MAX: u32 = 256;
/// With fewer than so many ready, more are read.
const HEADS_LOW: usize = 128;

/// The lanes as the queue last told them, and their first jobs.
#[derive(Default)]
pub(super) struct Lanes {
    counts: Vec<Counts>,
    /// Behind pointers, since those that stay are moved with every start.
    heads: HashMap<LaneKey, VecDeque<Arc<QueuedJob>>>,
}

impl Lanes {
    /// Reads the counts again, and heads where few are left. `running` are not among them; `wanted` are jobs that the person
    /// wants anyway, and that are held ready however far back they stand.
    pub(super) async fn refresh(&mut self, queue: &Queue, running: &Running, wanted: &[JobId]) -> Result<(), QueueError> {
        self.counts = queue.lanes().await?;
        let now = clock::wall();
        let counts = &self.counts;
        self.heads.retain(|key, _| counts.iter().any(|lane| &lane.key == key));
        for lane in counts {
            let heads = self.heads.entry(lane.key.clone()).or_default();
            heads.retain(|job| !running.contains(&job.id));
            if heads.len() < HEADS_LOW && (heads.len() as u64) < available(lane, now) {
                let known: Vec<JobId> = heads.iter().map(|job| job.id.clone()).collect();
                let found = queue.heads(&lane.key, HEADS_MAX, now, &known).await?;
                // One that has just ended may stand in line again before the loop has heard of it.
                heads.extend(found.into_iter().filter(|job| !running.contains(&job.id)).map(Arc::new));
            }
        }
        for id in wanted.iter().filter(|id| !running.contains(id)) {
            let Some(job) = queue.queued_job(id).await? else { continue };
            let heads = self.heads.entry(key_of(&job)).or_default();
            if matches!(job.phase, Phase::Queued) && !job.state.is_terminal() && heads.iter().all(|held| held.id != job.id) {
                heads.push_front(Arc::new(job));
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
            let held = self.heads.get(&lane.key).map_or(0, VecDeque::len);
            held < HEADS_LOW && (held as u64) < available(lane, clock::wall())
        })
    }

    /// The lanes as the scheduler wants them; `options` says what holds for all of one.
    pub(super) fn for_plan(&self, options: impl Fn(&LaneKey) -> UploadJobOptions) -> Vec<Lane> {
        let now = clock::wall();
        let lane = |counts: &Counts| {
            let key = &counts.key;
            let heads: Vec<&QueuedJob> = self.heads.get(key).into_iter().flatten().map(Arc::as_ref).collect();
            // What is due has stopped waiting, and a deadline that has come is none any more.
            let due: Vec<&&QueuedJob> = heads.iter().filter(|job| job.phase == Phase::BackingOff).collect();
            let (due_jobs, due_bytes) = (due.len() as u64, due.iter().map(|job| job.byte_count).sum::<u64>());
            Lane {
                destination_id: key.destination_id.clone(),
                priority: key.priority,
                heads: heads.iter().map(|job| candidate(job)).collect(),
                ready_jobs: counts.ready.jobs + due_jobs,
                ready_bytes: counts.ready.bytes + due_bytes,
                backing_off_jobs: counts.backing_off.jobs.saturating_sub(due_jobs),
                backing_off_bytes: counts.backing_off.bytes.saturating_sub(due_bytes),
                next_attempt_at: counts.next_attempt_at.filter(|at| !is_due(*at, now)),
                following_jobs: counts.following.jobs,
                following_bytes: counts.following.bytes,
                offline_jobs: counts.source_offline.jobs,
                offline_bytes: counts.source_offline.bytes,
                oldest_at: heads.iter().map(|job| job.registered_at).min(),
                options: options(key),
            }
        };
        self.counts.iter().map(lane).collect()
    }

    /// Takes jobs out, in the order of `ids`.
    pub(super) fn take(&mut self, ids: &[JobId]) -> Vec<Arc<QueuedJob>> {
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
        self.counts.iter().map(|lane| lane.ready.bytes + lane.backing_off.bytes).sum()
    }
}

/// Jobs of the lane that could be read as heads: those in line, and if one is due, those that back off.
fn available(lane: &Counts, now: Timestamp) -> u64 {
    let due = lane.next_attempt_at.is_some_and(|at| is_due(at, now));
    lane.ready.jobs + if due { lane.backing_off.jobs } else { 0 }
}

fn key_of(job: &QueuedJob) -> LaneKey {
    LaneKey { destination_id: job.destination_id.clone(), priority: job.priority, class: job.class }
}

fn candidate(job: &QueuedJob) -> Candidate {
    Candidate {
        job_id: job.id.clone(),
        batch_id: job.batch_id.clone(),
        byte_count: job.byte_count,
        options: job.options.clone(),
        session_expires_at: job.session.as_ref().and_then(|session| session.expires_at),
    }
}
