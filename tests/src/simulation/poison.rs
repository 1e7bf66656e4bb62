//! What a file that fails for ever costs the others: the same hour is lived without it.

use super::{Broken, Invariant, Outcome, Plan, plan::Happening, plan::Poison};

/// The others may take so much longer, in percent,
const LONGER_PERCENT: u64 = 10;
/// and as long as one large file takes on a slow line, since which of them goes last is another one then.
const LAST_ONE_MS: u64 = 8_000;

/// The same without what fails for ever.
pub(crate) fn without(mut plan: Plan) -> Plan {
    for event in &mut plan.events {
        if let Happening::Comes(asset) = &mut event.what {
            asset.files.retain(|file| file.poison == Poison::Nothing);
        }
    }
    plan
}

/// PoisonIsolated: how the hour ended, held against the one without poison.
pub(crate) fn compare(mut outcome: Outcome, clean: &Outcome) -> Outcome {
    let most = clean.last_ms * (100 + LONGER_PERCENT) / 100 + LAST_ONE_MS;
    if outcome.last_ms > most {
        let what = format!("the others take {} ms beside what fails for ever, and {} without it", outcome.last_ms, clean.last_ms);
        outcome.broken.get_or_insert(Broken { invariant: Invariant::PoisonIsolated, what });
    }
    outcome
}
