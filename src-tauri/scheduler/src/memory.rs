//! What one plan leaves to the next. Keeps a fact that hovers about a mark from starting and stopping uploads with every reading, and
//! a batch that has begun to go from being gathered anew.

use afterglow_model::{Conditions, Power, PowerSource, Resources};

/// How far the charge must rise above a minimum that it fell under, in percent points, before uploads go on.
const PLAY_PERCENT: u8 = 3;

/// Under so much room for our own state nothing goes. A commit for which there is no room leaves in doubt what is written down, so it
/// must not come to that: this is many times what a batch of jobs, its journal (SQLite keeps some 4 MiB of it), a day's log and the
/// pictures made meanwhile can take between two looks, and little beside what a system keeps free for itself.
const STATE_FREE_MIN: u64 = 64 << 20;

/// With so much room uploads go on: twice the mark, so that what they write does not bring them back under it at once.
const STATE_FREE_ENOUGH: u64 = 128 << 20;

/// Above this load the computer is busy with other work: for more than half of the time somebody waits for a processor.
const BUSY_PERCENT: u8 = 60;

/// Under this load it is no longer. The gap is wider than what uploads add themselves, so that they do not hold themselves up.
const EASY_PERCENT: u8 = 40;

/// The charge has play in it: it falls with the reading at once, rises [`PLAY_PERCENT`] points behind it.
///
/// Compared with a minimum it gives: uploads stop under the minimum and go on at the minimum plus three. One number does so
/// for every minimum, the person's, an app's and a job's, and a first reading counts as it is.
///
/// Room and load have two marks each, and between them hold what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// The charge that counts, percent; none off battery and before the first reading.
    pub low_percent: Option<u8>,
    /// Whether what was gathered on battery is going.
    pub batch_open: bool,
    /// Whether there is too little room for our own state: under 64 MiB, until there are 128 again.
    pub disk_full: bool,
    /// Whether the computer is busy with other work: above 60 % load, until it is under 40.
    pub busy: bool,
}

impl Memory {
    /// The state after a reading. A reading without a level changes nothing; the charger starts anew, and so do load and room that
    /// are unknown. Following the same reading twice is following it once.
    pub fn follow(self, conditions: &Conditions) -> Self {
        let Resources { load_percent, state_free_bytes } = conditions.resources;
        Self {
            disk_full: state_free_bytes.is_some_and(|free| free < STATE_FREE_MIN || (self.disk_full && free < STATE_FREE_ENOUGH)),
            busy: load_percent.is_some_and(|load| load > BUSY_PERCENT || (self.busy && load >= EASY_PERCENT)),
            ..self.on_power(&conditions.power)
        }
    }

    fn on_power(self, power: &Power) -> Self {
        match (power.source, power.level_percent) {
            (PowerSource::Ac | PowerSource::Unknown, _) => Self::default(),
            (PowerSource::Battery, None) => self,
            (PowerSource::Battery, Some(level)) => {
                let low = self.low_percent.unwrap_or(level);
                Self { low_percent: Some(low.clamp(level.saturating_sub(PLAY_PERCENT), level)), ..self }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn battery(level: Option<u8>) -> Conditions {
        let power = Power { source: PowerSource::Battery, level_percent: level, power_saver: None };
        Conditions { power, ..Conditions::unknown() }
    }

    fn low_after(levels: &[u8]) -> u8 {
        let end = levels.iter().fold(Memory::default(), |state, level| state.follow(&battery(Some(*level))));
        end.low_percent.unwrap()
    }

    fn with(load_percent: Option<u8>, free_mib: Option<u64>) -> Conditions {
        let resources = Resources { load_percent, state_free_bytes: free_mib.map(|mib| mib << 20) };
        Conditions { resources, ..Conditions::unknown() }
    }

    #[test]
    fn stops_under_the_minimum_and_goes_on_three_points_above() {
        let minimum = 30;
        assert!(low_after(&[31]) >= minimum, "a first reading above the minimum blocks nothing");
        assert!(low_after(&[31, 30]) >= minimum);
        assert!(low_after(&[31, 30, 29]) < minimum);
        assert!(low_after(&[29, 32]) < minimum);
        assert!(low_after(&[29, 33]) >= minimum);
        assert!(low_after(&[29, 33, 30]) >= minimum, "once free, the minimum itself is the mark again");
    }

    #[test]
    fn the_charger_starts_anew_and_a_lost_reading_changes_nothing() {
        let low = Memory { low_percent: Some(29), batch_open: true, ..Memory::default() };
        assert_eq!(low.follow(&battery(None)), low);
        let mut ac = battery(Some(31));
        ac.power.source = PowerSource::Ac;
        assert_eq!(low.follow(&ac), Memory::default());
    }

    #[test]
    fn a_disk_is_full_under_64_mib_and_until_128() {
        let steps = [(64, false), (63, true), (64, true), (127, true), (128, false), (64, false), (63, true)];
        steps.into_iter().fold(Memory::default(), |memory, (mib, full)| {
            let next = memory.follow(&with(None, Some(mib)));
            assert_eq!(next.disk_full, full, "{mib} MiB");
            assert_eq!(next.follow(&with(None, Some(mib))), next, "the same reading twice");
            next
        });
    }

    #[test]
    fn a_computer_is_busy_above_60_percent_and_until_under_40() {
        let steps = [(60, false), (61, true), (60, true), (40, true), (39, false), (60, false), (100, true)];
        steps.into_iter().fold(Memory::default(), |memory, (load, busy)| {
            let next = memory.follow(&with(Some(load), None));
            assert_eq!(next.busy, busy, "{load} %");
            next
        });
    }

    #[test]
    fn load_and_room_that_are_unknown_hold_nothing_and_the_charger_does_not_end_them() {
        let held = Memory { disk_full: true, busy: true, ..Memory::default() };
        assert_eq!(held.follow(&Conditions::unknown()), Memory::default());
        let mut plugged_in = with(Some(50), Some(100));
        plugged_in.power.source = PowerSource::Ac;
        assert_eq!(held.follow(&plugged_in), held);
    }
}
