//! A seed that breaks, shrunk to the few events that it takes.

use std::time::{Duration, Instant};

use super::{Invariant, Options, Outcome, Plan, live, plan::Event, scratch, week};

/// Lives that shrinking may take, and the time.
const LIVES_MAX: u32 = 300;
const TIME_MAX: Duration = Duration::from_secs(60);

/// The least that still breaks.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// What happens, in sentences.
    pub events: Vec<String>,
    /// How many events there were.
    pub of: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// Lives that it took to find out.
    pub lives: u32,
}

/// Leaves out of a seed what is not needed to break the same invariant (delta debugging: Zeller, Hildebrandt 2002). None if it does
/// not break.
///
/// # Errors
/// A simulation could not go on.
pub fn shrink(seed: u64, options: &Options) -> anyhow::Result<Option<Shrunk>> {
    let dir = scratch()?;
    let plan = week::draw(seed, options);
    let of = plan.events.len();
    let outcome = live(seed, dir.path(), options, &plan)?;
    let Some(broken) = &outcome.broken else { return Ok(None) };
    let mut search =
        Search { seed, options, dir, invariant: broken.invariant, began: Instant::now(), lives: 1, events: plan.events, outcome };
    search.forget_the_end();
    search.leave_out()?;
    let events = search.events.iter().map(ToString::to_string).collect();
    Ok(Some(Shrunk { events, of, outcome: search.outcome, lives: search.lives }))
}

struct Search<'a> {
    seed: u64,
    options: &'a Options,
    dir: tempfile::TempDir,
    invariant: Invariant,
    began: Instant,
    lives: u32,
    /// The least so far, and how it ended.
    events: Vec<Event>,
    outcome: Outcome,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.lives >= LIVES_MAX || self.began.elapsed() > TIME_MAX
    }

    /// What comes after the end breaks nothing.
    fn forget_the_end(&mut self) {
        let end = self.outcome.lived_ms;
        self.events.retain(|event| event.at_ms <= end);
    }

    /// Leaves out larger, then smaller parts, for as long as the same breaks.
    fn leave_out(&mut self) -> anyhow::Result<()> {
        let mut part = self.events.len().div_ceil(2).max(1);
        loop {
            let mut shorter = false;
            let mut at = 0;
            while at < self.events.len() && !self.is_over() {
                let mut rest = self.events.clone();
                rest.drain(at..(at + part).min(rest.len()));
                if self.breaks(rest)? { shorter = true } else { at += part }
            }
            if self.is_over() || (part == 1 && !shorter) {
                return Ok(());
            }
            part = part.div_ceil(2);
        }
    }

    /// Whether less breaks the same; then it is the least so far. The calm begins where it does, or soon after the last event.
    fn breaks(&mut self, events: Vec<Event>) -> anyhow::Result<bool> {
        self.lives += 1;
        let last = events.last().map_or(0, |event| event.at_ms);
        let calm_at_ms = (last + 24 * 3_600_000).max(self.outcome.lived_ms.min(last + 8 * 24 * 3_600_000));
        let outcome = live(self.seed, self.dir.path(), self.options, &Plan { events: events.clone(), calm_at_ms })?;
        let same = outcome.broken.as_ref().is_some_and(|broken| broken.invariant == self.invariant);
        if same {
            (self.events, self.outcome) = (events, outcome);
            self.forget_the_end();
        }
        Ok(same)
    }
}
