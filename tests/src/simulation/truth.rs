//! What really is: files and their versions, what servers hold, what was allowed, and what was promised. Everything that the parts claim is
//! held against it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use afterglow_model::{AssetId, BatchId, Evidence, JobId, JobState, Priority, UploadJobOptions};

use super::{
    invariant::{Broken, Invariant},
    law::Facts,
    plan::{Asker, NewFile, Poison, clock},
};

/// Lines of the trace that are kept for people; all of them are in its hash.
const LINES_KEPT: usize = 60;
/// Payload that a forbidding condition may still let pass: what is on its way for so long.
const POLICY_MS: u64 = 2_000;
/// The same for access that was withdrawn.
const ACCESS_MS: u64 = 1_000;
/// After so long nothing is sent, and nothing arrives, that was taken back.
const CANCEL_MS: u64 = 2_000;
/// Attempts without progress that a job may have in an hour.
const ATTEMPTS_PER_HOUR: usize = 12;
/// Failures that a job may have in an hour, those that brought something among them.
const FAILURES_PER_HOUR: usize = 60;
/// Times that a job may be stopped while nothing changes.
const STOPS_FOR_NOTHING: u32 = 3;

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
    /// When the last file arrived that nothing is wrong with.
    pub last_ms: u64,
    /// Milliseconds lived.
    pub lived_ms: u64,
    /// The first thing that broke.
    pub broken: Option<Broken>,
    /// The last lines before it, or before the end.
    pub lines: Vec<String>,
}

/// A job as the simulation knows it, under a number that is the same in every run: a hundred times the file's, ten times its version's,
/// and the server's.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) batch_id: Option<BatchId>,
    pub(crate) number: u64,
    pub(crate) file: u64,
    pub(crate) server: usize,
    pub(crate) app: usize,
    pub(crate) asset: AssetId,
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) is_video: bool,
    pub(crate) priority: Priority,
    pub(crate) options: UploadJobOptions,
    pub(crate) poison: Poison,
    pub(crate) delivered: bool,
    /// Given up for a reason that is real, or its file is another one now.
    pub(crate) ended: bool,
    /// When the person took it back.
    pub(crate) cancelled_at: Option<u64>,
    /// Since when its app may not send it.
    pub(crate) refused_since: Option<u64>,
    /// When attempts began that have brought nothing since.
    pub(crate) attempts: VecDeque<u64>,
    /// When attempts failed.
    pub(crate) failures: VecDeque<u64>,
    /// When it was last tried.
    pub(crate) tried_at: Option<u64>,
    /// Times that it was stopped since anything changed.
    pub(crate) stops: u32,
    /// Payload that was put on the line.
    pub(crate) sent: u64,
    /// What may have been lost of it.
    pub(crate) lost_at_most: u64,
    /// Of the request that is under way, if it is all or nothing.
    pub(crate) in_one: u64,
    /// Most bytes that a session of its ever held.
    pub(crate) held_at_most: u64,
    /// The upload that the journal knows.
    pub(crate) stored_session: Option<String>,
    /// How the queue last showed it.
    pub(crate) shown: Option<JobState>,
}

/// A file as it is now.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) on_stick: bool,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    pub(crate) version: u64,
    pub(crate) asset: AssetId,
    /// As it came.
    pub(crate) new: NewFile,
    pub(crate) asker: Asker,
}

/// What the person said to an app.
#[derive(Debug, Clone)]
pub(crate) enum Grant {
    Full,
    Selected(BTreeSet<AssetId>),
    Nothing,
}

/// A time in which the network flaps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flapping {
    /// When it was over; none as long as it lasts.
    pub(crate) ended_at: Option<u64>,
    /// Notices that were shown meanwhile.
    pub(crate) notices: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Truth {
    seed: u64,
    hash: u64,
    events: u64,
    /// Lines that are not of the machine.
    moves: u64,
    /// How many of them there were when the jobs were last looked at.
    looked_at: u64,
    lines: VecDeque<String>,
    broken: Option<Broken>,
    pub(crate) files: BTreeMap<u64, File>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) grants: Vec<Grant>,
    /// Contents that a file had at some time.
    pub(crate) versions: BTreeSet<String>,
    pub(crate) crashes: u64,
    /// Deliveries under way, by the numbers of their jobs.
    pub(crate) under_way: BTreeSet<u64>,
    /// Sessions to which data goes now, by server and URL.
    pub(crate) writing: BTreeSet<(usize, String)>,
    /// Whether the removable folder is there.
    pub(crate) stick_there: bool,
    pub(crate) flapping: Flapping,
    /// When the last job was delivered that has no poison.
    last_ms: u64,
    /// What decides, and since when; as far back as anything asks.
    facts: VecDeque<(u64, Arc<Facts>)>,
    /// Payload by day, and since when the present one is used up.
    days: BTreeMap<i64, u64>,
    spent_since: Option<u64>,
}

impl Truth {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            hash: seed,
            events: 0,
            moves: 0,
            looked_at: 0,
            lines: VecDeque::new(),
            broken: None,
            files: BTreeMap::new(),
            jobs: BTreeMap::new(),
            grants: Vec::new(),
            versions: BTreeSet::new(),
            crashes: 0,
            under_way: BTreeSet::new(),
            writing: BTreeSet::new(),
            stick_there: true,
            flapping: Flapping { ended_at: Some(0), notices: 0 },
            last_ms: 0,
            facts: VecDeque::new(),
            days: BTreeMap::new(),
            spent_since: None,
        }
    }

    pub(crate) fn trace(&mut self, at_ms: u64, line: &str) {
        if self.broken.is_some() {
            return;
        }
        self.events += 1;
        self.moves += u64::from(line.starts_with("job "));
        for byte in at_ms.to_le_bytes().into_iter().chain(line.bytes()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.lines.len() == LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{}  {line}", clock(at_ms)));
    }

    /// Whether jobs moved since they were last looked at.
    pub(crate) fn has_moved(&mut self) -> bool {
        std::mem::replace(&mut self.looked_at, self.moves) != self.moves
    }

    /// Something does not hold. The first counts.
    pub(crate) fn broken(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(Broken { invariant, what: what.into() });
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(crate) fn number(&self, job: &JobId) -> u64 {
        self.jobs.get(job).map_or(u64::MAX, |job| job.number)
    }

    // ---- what decides ----

    /// Other facts hold from now on.
    pub(crate) fn note(&mut self, at_ms: u64, facts: Facts) {
        while self.facts.get(1).is_some_and(|(since, _)| since + 2 * POLICY_MS < at_ms) {
            self.facts.pop_front();
        }
        self.facts.push_back((at_ms, Arc::new(facts)));
        self.changed();
        self.count(at_ms, 0);
    }

    /// Something changed for which jobs may be stopped.
    pub(crate) fn changed(&mut self) {
        self.jobs.values_mut().for_each(|job| job.stops = 0);
    }

    /// Whether an app may send an asset.
    pub(crate) fn may_send(&self, app: usize, asset: &AssetId) -> bool {
        match self.grants.get(app) {
            Some(Grant::Full) => true,
            Some(Grant::Selected(assets)) => assets.contains(asset),
            Some(Grant::Nothing) | None => false,
        }
    }

    /// The person answers an app.
    pub(crate) fn grant(&mut self, app: usize, grant: Grant, at_ms: u64) {
        self.grants[app] = grant;
        let refused: Vec<JobId> =
            self.jobs.iter().filter(|(_, job)| !self.may_send(job.app, &job.asset)).map(|(id, _)| id.clone()).collect();
        for (id, job) in &mut self.jobs {
            job.refused_since = refused.contains(id).then(|| job.refused_since.unwrap_or(at_ms));
        }
    }

    /// Payload of the day, and whether it is used up. A day that was not written down before a kill is forgotten with it.
    fn count(&mut self, at_ms: u64, bytes: u64) {
        let Some((_, facts)) = self.facts.back() else { return };
        let sent = self.days.entry(facts.day(at_ms)).or_default();
        *sent += bytes;
        let spent = facts.settings.bytes_per_day_max.is_some_and(|max| *sent >= max);
        self.spent_since = spent.then(|| self.spent_since.unwrap_or(at_ms));
    }

    /// The day's payload as it is written down.
    pub(crate) fn counted(&mut self, day: i64, bytes: u64, at_ms: u64) {
        self.days.insert(day, bytes);
        self.count(at_ms, 0);
    }

    /// Why a job may not send now, if that held without a break for as long as payload may still be on its way.
    fn forbidden(&self, job: &Job, at_ms: u64) -> Option<&'static str> {
        let from = at_ms.checked_sub(POLICY_MS)?;
        let spent = self.spent_since.is_some_and(|since| since <= from);
        let mut why = None;
        for (at, (since, facts)) in self.facts.iter().enumerate() {
            let until = self.facts.get(at + 1).map_or(at_ms, |(next, _)| *next);
            if until < from {
                continue;
            }
            facts.forbids(job, from.max(*since), spent)?;
            why = Some(facts.forbids(job, until, spent)?);
        }
        why
    }

    // ---- what happens ----

    /// A delivery begins; a job has one at a time.
    pub(crate) fn begins(&mut self, number: u64) {
        if !self.under_way.insert(number) {
            self.broken(Invariant::SingleWriter, format!("job {number} is under way twice"));
        }
    }

    /// A delivery ends.
    pub(crate) fn ends(&mut self, number: u64) {
        self.under_way.remove(&number);
    }

    /// Everything that was under way died.
    pub(crate) fn died(&mut self) {
        self.crashes += 1;
        self.under_way.clear();
        self.writing.clear();
        for job in self.jobs.values_mut() {
            job.lost_at_most += std::mem::take(&mut job.in_one);
        }
    }

    /// An attempt begins.
    pub(crate) fn attempt(&mut self, id: &JobId, at_ms: u64) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.tried_at = Some(at_ms);
        job.attempts.push_back(at_ms);
        while job.attempts.front().is_some_and(|first| at_ms - first > 3_600_000) {
            job.attempts.pop_front();
        }
        if job.attempts.len() > ATTEMPTS_PER_HOUR {
            let (number, attempts) = (job.number, job.attempts.len());
            self.broken(
                Invariant::NoHotLoop,
                format!("job {number} was tried {attempts} times in an hour without a byte of progress"),
            );
        }
    }

    /// An attempt failed, with progress or without. What its destination is spared for is a change as well.
    pub(crate) fn failed(&mut self, id: &JobId, at_ms: u64) {
        self.changed();
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.failures.push_back(at_ms);
        while job.failures.front().is_some_and(|first| at_ms - first > 3_600_000) {
            job.failures.pop_front();
        }
        if job.failures.len() > FAILURES_PER_HOUR {
            let (number, failures) = (job.number, job.failures.len());
            self.broken(Invariant::NoHotLoop, format!("job {number} failed {failures} times in an hour"));
        }
    }

    /// A job is told to stop.
    pub(crate) fn stopped(&mut self, id: &JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.stops += 1;
        if job.stops > STOPS_FOR_NOTHING {
            let (number, stops) = (job.number, job.stops);
            self.broken(Invariant::NoHotLoop, format!("job {number} was stopped {stops} times while nothing changed"));
        }
    }

    /// An attempt brought something, or was no failure.
    pub(crate) fn forgive(&mut self, id: &JobId) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.attempts.clear();
        }
    }

    /// Payload was put on a line at a moment.
    pub(crate) fn payload(&mut self, id: &JobId, bytes: u64, at_ms: u64) {
        if bytes == 0 {
            return;
        }
        self.count(at_ms, 0);
        let Some(job) = self.jobs.get(id) else { return };
        let number = job.number;
        let late = job.refused_since.map(|since| at_ms.saturating_sub(since)).filter(|ms| *ms > ACCESS_MS);
        let taken_back = job.cancelled_at.map(|since| at_ms.saturating_sub(since)).filter(|ms| *ms > CANCEL_MS);
        let why = self.forbidden(job, at_ms);
        if let Some(ms) = taken_back {
            self.broken(Invariant::CancelMeansCancel, format!("job {number} sends {ms} ms after the person took it back"));
        }
        if let Some(ms) = late {
            self.broken(Invariant::PermissionGate, format!("job {number} sent {bytes} bytes {ms} ms after access was withdrawn"));
        }
        if let Some(why) = why {
            self.broken(Invariant::PolicyGate, format!("job {number} sent {bytes} bytes, long after this forbade it: {why}"));
        }
        if let Some(job) = self.jobs.get_mut(id) {
            job.sent += bytes;
        }
        self.count(at_ms, bytes);
    }

    /// Payload of a request that is all or nothing: if it dies, it is sent again.
    pub(crate) fn in_one(&mut self, id: &JobId, bytes: u64) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.in_one += bytes;
        }
    }

    /// Such a request is over.
    pub(crate) fn in_one_ends(&mut self, id: &JobId) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.in_one = 0;
        }
    }

    /// Of so much sent again nobody is surprised.
    pub(crate) fn excuse(&mut self, id: &JobId, bytes: u64) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.lost_at_most += bytes;
        }
    }

    /// A server holds so much of a job.
    pub(crate) fn holds(&mut self, id: &JobId, bytes: u64) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.held_at_most = job.held_at_most.max(bytes);
        }
    }

    /// So much is told as confirmed.
    pub(crate) fn confirmed(&mut self, id: &JobId, bytes: u64) {
        let Some(job) = self.jobs.get(id) else { return };
        let (number, held) = (job.number, job.held_at_most);
        if bytes > held {
            self.broken(
                Invariant::OffsetSound,
                format!("job {number}: {bytes} bytes are confirmed, the server held {held} at most"),
            );
        }
    }

    /// The queue holds a receipt.
    pub(crate) fn done(&mut self, id: &JobId, evidence: Evidence, held: Option<&str>, at_ms: u64) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.delivered = true;
        if job.poison == Poison::Nothing {
            self.last_ms = at_ms;
        }
        let (number, sha256) = (job.number, job.sha256.clone());
        let (size, sent, lost) = (job.size, job.sent, job.lost_at_most);
        if held != Some(sha256.as_str()) && evidence >= Evidence::Sized {
            self.broken(Invariant::NoFalseDone, format!("job {number} is shown as {evidence:?}, and the server holds {held:?}"));
        }
        // What is left over of a cut is sent again, and a session that was lost is begun anew.
        if sent > size + lost {
            self.broken(
                Invariant::BoundedResend,
                format!("job {number} sent {sent} bytes for {size}, {lost} of them lost at most"),
            );
        }
    }

    /// A server completed an object.
    pub(crate) fn object(&mut self, server: usize, id: &JobId, sha256: &str, copies: usize, at_ms: u64) {
        if !self.versions.contains(sha256) {
            self.broken(Invariant::NoChimera, format!("server {server} holds an object that no file ever was"));
        }
        if copies > 1 {
            self.broken(Invariant::AtMostOne, format!("server {server} holds {copies} objects of the same content"));
        }
        let Some(job) = self.jobs.get(id) else { return };
        let (number, since) = (job.number, job.cancelled_at.map(|since| at_ms.saturating_sub(since)));
        if let Some(ms) = since.filter(|ms| *ms > CANCEL_MS) {
            self.broken(Invariant::CancelMeansCancel, format!("job {number} arrives {ms} ms after the person took it back"));
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
            last_ms: self.last_ms,
            lived_ms,
            broken: self.broken.clone(),
            lines: self.lines.iter().cloned().collect(),
        }
    }
}
