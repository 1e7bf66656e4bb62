//! What one plan leaves to the next. Keeps a battery that hovers about the minimum from starting and stopping uploads with every
//! reading, and a batch that has begun to go from being gathered anew.

use afterglow_model::{Power, PowerSource};

/// How far the charge must rise above a minimum that it fell under, in percent points, before uploads go on.
const PLAY_PERCENT: u8 = 3;

/// The charge has play in it: it falls with the reading at once, rises [`PLAY_PERCENT`] points behind it.
///
/// Compared with a minimum it gives: uploads stop under the minimum and go on at the minimum plus three. One number does so
/// for every minimum, the person's, an app's and a job's, and a first reading counts as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// The charge that counts, percent; none off battery and before the first reading.
    pub low_percent: Option<u8>,
    /// Whether what was gathered on battery is going.
    pub batch_open: bool,
}

impl Memory {
    /// The state after a reading. A reading without a level changes nothing; the charger starts anew. Following the same
    /// reading twice is following it once.
    pub fn follow(self, power: &Power) -> Self {
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

    fn battery(level: u8) -> Power {
        Power { source: PowerSource::Battery, level_percent: Some(level), power_saver: None }
    }

    fn low_after(levels: &[u8]) -> u8 {
        let end = levels.iter().fold(Memory::default(), |state, level| state.follow(&battery(*level)));
        end.low_percent.unwrap()
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
        let low = Memory { low_percent: Some(29), batch_open: true };
        let no_level = Power { level_percent: None, ..battery(0) };
        assert_eq!(low.follow(&no_level), low);
        let ac = Power { source: PowerSource::Ac, ..battery(31) };
        assert_eq!(low.follow(&ac), Memory::default());
    }
}
