//! What is remembered of a time in which uploads went on.

use afterglow_model::{Timestamp, UploadRun, WaitingReason, waiting_headline};
use afterglow_queue::Run;

/// The present one. Pauses between files belong to it; it ends when nothing has moved for a while.
#[derive(Debug, Default)]
pub(super) struct Present(Option<Run>);

impl Present {
    /// Something is under way.
    pub(super) fn goes_on(&mut self, now: Timestamp) {
        let run = self.0.get_or_insert(Run { started_at: now, ended_at: now, files: 0, bytes: 0, failures: 0, stopped_by: None });
        run.ended_at = now;
    }

    /// A file was delivered.
    pub(super) fn delivered(&mut self, bytes: u64) {
        if let Some(run) = &mut self.0 {
            run.files += 1;
            run.bytes += bytes;
        }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self) {
        if let Some(run) = &mut self.0 {
            run.failures += 1;
        }
    }

    /// As it stands; none between two.
    pub(super) fn so_far(&self) -> Option<Run> {
        self.0.clone()
    }

    /// It is over, and what is left waits for this. None if there was none.
    pub(super) fn end(&mut self, stopped_by: Option<WaitingReason>) -> Option<Run> {
        self.0.take().map(|run| Run { stopped_by, ..run })
    }
}

/// The present time as it is shown.
pub(crate) fn under_way(run: Run) -> UploadRun {
    UploadRun {
        started_at: run.started_at,
        ended_at: None,
        files: run.files,
        bytes: run.bytes,
        failures: run.failures,
        stopped_by: None,
        sentence: "Under way.".to_owned(),
    }
}

/// A remembered time as it is shown.
pub(crate) fn shown(run: Run, battery_minimum_percent: u8) -> UploadRun {
    let sentence = match run.stopped_by {
        None => "Everything was delivered.".to_owned(),
        Some(reason) => format!("{}.", waiting_headline(reason, "the destination", battery_minimum_percent)),
    };
    UploadRun {
        started_at: run.started_at,
        ended_at: Some(run.ended_at),
        files: run.files,
        bytes: run.bytes,
        failures: run.failures,
        stopped_by: run.stopped_by,
        sentence,
    }
}
