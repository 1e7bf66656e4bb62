//! What really is: files and their versions, what servers hold, and what was promised. Everything that the parts claim is held against
//! it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use afterglow_model::{Evidence, JobId};

/// Lines of the trace that are kept for people; all of them are in its hash.
const LINES_KEPT: usize = 60;
/// Payload that a forbidding condition may still let pass: what is on its way for so long.
const POLICY_MS: u64 = 2_000;
/// Bytes that a cut may cost.
pub(crate) const CUT_BYTES: u64 = 64 * 1024;
/// Attempts without progress that a job may have in an hour.
const ATTEMPTS_PER_HOUR: usize = 12;

/// How a seed ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which.
    pub seed: u64,
    /// The same for the same seed, or something is left to chance.
    pub hash: u64,
    /// Lines of the trace.
    pub events: u64,
    /// Jobs made.
    pub jobs: u64,
    /// Jobs delivered.
    pub delivered: u64,
    /// Times that the service died.
    pub crashes: u64,
    /// Milliseconds lived.
    pub lived_ms: u64,
    /// The first thing that broke.
    pub broken: Option<String>,
    /// The last lines before it, or before the end.
    pub lines: Vec<String>,
}

/// A job as the simulation knows it, under a number that is the same in every run.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) number: usize,
    pub(crate) file: usize,
    pub(crate) server: usize,
    pub(crate) sha256: String,
    pub(crate) delivered: bool,
    /// Cancelled by the person, or given up for a reason that is real.
    pub(crate) ended: bool,
    /// When attempts began that have brought nothing since.
    pub(crate) attempts: VecDeque<u64>,
    /// Payload that was put on the line.
    pub(crate) sent: u64,
    /// What may have been lost of it.
    pub(crate) lost_at_most: u64,
    /// The upload that the journal knows.
    pub(crate) stored_session: Option<String>,
}

/// A file and every content that it ever had.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// A server that says no to it for good.
    pub(crate) poison: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Truth {
    seed: u64,
    hash: u64,
    events: u64,
    lines: VecDeque<String>,
    broken: Option<String>,
    pub(crate) files: Vec<File>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// Contents that a file had at some time.
    pub(crate) versions: BTreeSet<String>,
    pub(crate) crashes: u64,
    /// Deliveries under way, by the numbers of their jobs.
    pub(crate) under_way: BTreeSet<usize>,
    /// Since when nothing may be sent but by the person's word; none while it may.
    pub(crate) forbidden_since: Option<u64>,
}

impl Truth {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            hash: seed,
            events: 0,
            lines: VecDeque::new(),
            broken: None,
            files: Vec::new(),
            jobs: BTreeMap::new(),
            versions: BTreeSet::new(),
            crashes: 0,
            under_way: BTreeSet::new(),
            forbidden_since: None,
        }
    }

    pub(crate) fn trace(&mut self, at_ms: u64, line: String) {
        if self.broken.is_some() {
            return;
        }
        self.events += 1;
        for byte in at_ms.to_le_bytes().into_iter().chain(line.bytes()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.lines.len() == LINES_KEPT {
            self.lines.pop_front();
        }
        let (day, rest) = (at_ms / 86_400_000, at_ms % 86_400_000);
        self.lines.push_back(format!(
            "day {day} {:02}:{:02}:{:02}.{:03}  {line}",
            rest / 3_600_000,
            rest / 60_000 % 60,
            rest / 1000 % 60,
            rest % 1000
        ));
    }

    /// Something does not hold. The first counts.
    pub(crate) fn broken(&mut self, what: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(what.into());
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(crate) fn number(&self, job: &JobId) -> usize {
        self.jobs.get(job).map_or(usize::MAX, |job| job.number)
    }

    /// A delivery begins; a job has one at a time.
    pub(crate) fn begins(&mut self, number: usize) {
        if !self.under_way.insert(number) {
            self.broken(format!("LegalMove: job {number} is under way twice"));
        }
    }

    /// A delivery ends.
    pub(crate) fn ends(&mut self, number: usize) {
        self.under_way.remove(&number);
    }

    /// An attempt begins.
    pub(crate) fn attempt(&mut self, id: &JobId, at_ms: u64) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.attempts.push_back(at_ms);
        while job.attempts.front().is_some_and(|first| at_ms - first > 3_600_000) {
            job.attempts.pop_front();
        }
        if job.attempts.len() > ATTEMPTS_PER_HOUR {
            let (number, attempts) = (job.number, job.attempts.len());
            self.broken(format!("NoHotLoop: job {number} was tried {attempts} times in an hour without a byte of progress"));
        }
    }

    /// An attempt brought something, or was no failure.
    pub(crate) fn forgive(&mut self, id: &JobId) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.attempts.clear();
        }
    }

    /// Payload passes a line now.
    pub(crate) fn payload(&mut self, id: &JobId, bytes: u64, lost_at_most: u64, at_ms: u64, is_wanted_now: bool) {
        let late = self.forbidden_since.filter(|since| !is_wanted_now && at_ms.saturating_sub(*since) > POLICY_MS);
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.sent += bytes;
        job.lost_at_most += lost_at_most;
        let number = job.number;
        if let (Some(since), 1..) = (late, bytes) {
            let after = at_ms - since;
            self.broken(format!("PolicyGate: job {number} sent {bytes} bytes {after} ms after a condition forbade it"));
        }
    }

    /// The queue holds a receipt.
    pub(crate) fn done(&mut self, id: &JobId, evidence: Evidence, held: Option<&str>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.delivered = true;
        let (number, sha256) = (job.number, job.sha256.clone());
        let (size, sent, lost) = (self.files[job.file].size, job.sent, job.lost_at_most);
        if held != Some(sha256.as_str()) && evidence >= Evidence::Sized {
            self.broken(format!("NoFalseDone: job {number} is shown as {evidence:?}, and the server holds {held:?}"));
        }
        // What is left over of a cut is sent again, and a session that was lost is begun anew.
        if sent > size + lost {
            self.broken(format!("BoundedResend: job {number} sent {sent} bytes for {size}, {lost} of them lost at most"));
        }
    }

    /// A server completed an object.
    pub(crate) fn object(&mut self, server: usize, sha256: &str, copies: usize) {
        if !self.versions.contains(sha256) {
            self.broken(format!("NoChimera: server {server} holds an object that no file ever was"));
        }
        if copies > 1 {
            self.broken(format!("AtMostOne: server {server} holds {copies} objects of the same content"));
        }
    }

    pub(crate) fn outcome(&self, lived_ms: u64) -> Outcome {
        Outcome {
            seed: self.seed,
            hash: self.hash,
            events: self.events,
            jobs: self.jobs.len() as u64,
            delivered: self.jobs.values().filter(|job| job.delivered).count() as u64,
            crashes: self.crashes,
            lived_ms,
            broken: self.broken.clone(),
            lines: self.lines.iter().cloned().collect(),
        }
    }
}
