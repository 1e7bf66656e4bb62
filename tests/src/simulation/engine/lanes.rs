//! The lanes as the queue last told them, and their first jobs, held ready as the service holds them.

use std::collections::BTreeMap;

use afterglow_model::{JobId, Phase, Priority, Timestamp, UploadJobOptions};
use afterglow_queue::{Lane as Counts, LaneKey, QueuedJob};
use afterglow_scheduler::{Candidate, Lane, is_due};

use super::{Engine, SMALL, steady};
use crate::simulation::Plant;

/// Heads of a lane that a plan sees.
const HEADS: u32 = 32;

/// See the module.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Vec<(Counts, Vec<QueuedJob>)>,
    /// Lanes of which jobs were started or ended since.
    touched: Vec<LaneKey>,
    /// Something outside of the loop changed jobs: all is read again.
    forgotten: bool,
}

impl Lanes {
    /// Reads counts again, and the heads of lanes in which something may have changed. `taken` are jobs that are under way.
    pub(super) fn refresh(mut self, engine: &Engine, now: Timestamp, taken: &[JobId]) -> anyhow::Result<Self> {
        let mut counts = steady(engine.queue.lanes())?;
        // The ids of destinations are random; their order must not be.
        let server_of = |key: &LaneKey| engine.premises.servers.iter().position(|(id, _)| *id == key.destination_id);
        counts.sort_by_key(|lane| (server_of(&lane.key), rank(lane.key.priority), lane.key.class));
        let mut lanes = Vec::new();
        for lane in counts {
            let due = lane.next_attempt_at.is_some_and(|at| is_due(at, now));
            let known = self.lanes.iter().position(|(known, _)| *known == lane);
            let known = known.filter(|_| !due && !self.forgotten && !self.touched.contains(&lane.key));
            let mut heads = match known {
                Some(at) => std::mem::take(&mut self.lanes[at].1),
                None if lane.ready.jobs > 0 || due => steady(engine.queue.heads(&lane.key, HEADS, now, taken))?,
                None => Vec::new(),
            };
            if engine.world.has_planted(Plant::LargeFilesAreForgotten) {
                heads.retain(|job| job.byte_count <= SMALL);
            }
            lanes.push((lane, heads));
        }
        Ok(Self { lanes, ..Self::default() })
    }

    /// A job of this lane was started, or ended.
    pub(super) fn touch(&mut self, key: LaneKey) {
        self.touched.push(key);
    }

    pub(super) fn forget(&mut self) {
        self.forgotten = true;
    }

    /// Whether something that backs off is due now, and so among the heads if they were read again.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.lanes.iter().any(|(lane, heads)| {
            let in_time = heads.iter().all(|job| job.phase != Phase::BackingOff);
            in_time && lane.backing_off.jobs > 0 && lane.next_attempt_at.is_some_and(|at| is_due(at, now))
        })
    }

    /// The lanes as the scheduler wants them; `options` says what holds for all of one.
    pub(super) fn for_plan(&self, now: Timestamp, options: impl Fn(&LaneKey) -> UploadJobOptions) -> Vec<Lane> {
        let lane = |(counts, heads): &(Counts, Vec<QueuedJob>)| {
            // What is due has stopped waiting, and a deadline that has come is none any more.
            let due: Vec<&QueuedJob> = heads.iter().filter(|job| job.phase == Phase::BackingOff).collect();
            let (due_jobs, due_bytes) = (due.len() as u64, due.iter().map(|job| job.byte_count).sum::<u64>());
            Lane {
                destination_id: counts.key.destination_id.clone(),
                priority: counts.key.priority,
                heads: heads.iter().map(candidate).collect(),
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
                options: options(&counts.key),
            }
        };
        self.lanes.iter().map(lane).collect()
    }

    /// Takes jobs out, in the order of `ids`.
    pub(super) fn take(&mut self, ids: &[JobId]) -> Vec<QueuedJob> {
        let mut taken = BTreeMap::new();
        for (_, heads) in &mut self.lanes {
            for job in heads.extract_if(.., |job| ids.contains(&job.id)) {
                taken.insert(job.id.clone(), job);
            }
        }
        ids.iter().filter_map(|id| taken.remove(id)).collect()
    }
}

/// How urgent; the less so, the smaller.
pub(super) fn rank(priority: Priority) -> u8 {
    match priority {
        Priority::Backup => 0,
        Priority::App => 1,
        Priority::UserInitiated => 2,
    }
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
