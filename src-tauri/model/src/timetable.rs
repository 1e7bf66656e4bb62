//! A week of hours and speeds.

use std::{fmt, str::FromStr};

use crate::words;

/// Minutes of a week.
pub const WEEK_MINUTES: u16 = 7 * 24 * 60;
const DAY_MINUTES: u16 = 24 * 60;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

words! {
    /// How fast uploads may go.
    #[derive(Copy, Eq)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum Rate {
        /// As fast as it goes.
        Unlimited,
        /// Everything together at most so fast.
        Limited {
            /// Bytes per second; never 0.
            bytes_per_s: u64,
        },
        /// Not at all.
        Stopped,
    }

    /// From this minute of the week on, this rate holds.
    #[derive(Copy, Eq)]
    pub struct TimetableChange {
        /// Minutes since Monday 00:00, local time; under 10,080.
        pub minute_of_week: u16,
        /// What holds from then on.
        pub rate: Rate,
    }

    /// What holds when, through a week of local time that begins anew every Monday. Ascending by minute, each minute once; empty for
    /// a week without limits. Before the first change the last one holds.
    #[derive(Default, Eq)]
    #[serde(transparent)]
    pub struct Timetable(pub Vec<TimetableChange>);
}

impl Timetable {
    /// What holds at a minute of the week.
    pub fn rate_at(&self, minute_of_week: u16) -> Rate {
        let before = self.0.iter().rev().find(|change| change.minute_of_week <= minute_of_week);
        before.or(self.0.last()).map_or(Rate::Unlimited, |change| change.rate)
    }

    /// Minutes from a minute of the week to the next one at which another rate holds; none if the same holds all week.
    pub fn minutes_to_change(&self, minute_of_week: u16) -> Option<u16> {
        let present = self.rate_at(minute_of_week);
        let wait = |change: &TimetableChange| match (change.minute_of_week + WEEK_MINUTES - minute_of_week) % WEEK_MINUTES {
            0 => WEEK_MINUTES,
            minutes => minutes,
        };
        self.0.iter().filter(|change| change.rate != present).map(wait).min()
    }

    /// Whether the changes are ascending, within the week, and none limits to 0.
    pub fn is_valid(&self) -> bool {
        let ascending = self.0.windows(2).all(|pair| pair[0].minute_of_week < pair[1].minute_of_week);
        let within = self.0.last().is_none_or(|last| last.minute_of_week < WEEK_MINUTES);
        ascending && within && self.0.iter().all(|change| change.rate != Rate::Limited { bytes_per_s: 0 })
    }
}

/// A part of a timetable cannot be read. Says which, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimetableError(String);

impl fmt::Display for TimetableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is no part of a timetable: write TIME,RATE as in \"08:00,512k\" or \"Mon-09:00,stop\", where RATE is a number \
             of KiB/s, a number with B, K, M, G, T or P, \"off\" for no limit or \"stop\" for no uploads.",
            self.0
        )
    }
}

impl std::error::Error for TimetableError {}

/// A number of KiB/s, a number with B, K, M, G, T or P for powers of 1024, `off` for no limit or `stop`.
impl FromStr for Rate {
    type Err = TimetableError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        rate(text).ok_or_else(|| TimetableError(text.to_owned()))
    }
}

/// The notation of rclone's `--bwlimit` (rclone.org/docs, "--bwlimit BwTimetable"): `08:00,512k 12:00,10M 18:00,off`, with `Mon-`
/// before the time for a single day; `10M:1M` gives an upload and a download rate, of which the first counts; a rate alone holds all
/// week. `stop` is ours: rclone has no word for it.
impl FromStr for Timetable {
    type Err = TimetableError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut changes = std::collections::BTreeMap::new();
        let parts: Vec<&str> = text.split_whitespace().collect();
        if let [alone] = parts.as_slice()
            && !alone.contains(',')
        {
            return Ok(match rate(alone).ok_or_else(|| TimetableError((*alone).to_owned()))? {
                Rate::Unlimited => Self::default(),
                rate => Self(vec![TimetableChange { minute_of_week: 0, rate }]),
            });
        }
        // What is said of one day goes before what is said of every day.
        for named_days in [false, true] {
            for part in &parts {
                let wrong = || TimetableError((*part).to_owned());
                let (at, told) = part.split_once(',').ok_or_else(wrong)?;
                let (day, time) = match at.split_once('-') {
                    Some((day, time)) => (Some(day_of_week(day).ok_or_else(wrong)?), time),
                    None => (None, at),
                };
                let minute = minute_of_day(time).ok_or_else(wrong)?;
                let rate = rate(told).ok_or_else(wrong)?;
                match day {
                    Some(day) if named_days => {
                        changes.insert(day * DAY_MINUTES + minute, rate);
                    }
                    None if !named_days => {
                        changes.extend((0..7).map(|day| (day * DAY_MINUTES + minute, rate)));
                    }
                    Some(_) | None => {}
                }
            }
        }
        Ok(Self(changes.into_iter().map(|(minute_of_week, rate)| TimetableChange { minute_of_week, rate }).collect()))
    }
}

/// Written as it is read.
impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("off");
        }
        for (at, change) in self.0.iter().enumerate() {
            let (day, minute) = (change.minute_of_week / DAY_MINUTES, change.minute_of_week % DAY_MINUTES);
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{}-{:02}:{:02},", DAYS[usize::from(day) % 7], minute / 60, minute % 60)?;
            match change.rate {
                Rate::Unlimited => f.write_str("off")?,
                Rate::Stopped => f.write_str("stop")?,
                Rate::Limited { bytes_per_s } if bytes_per_s % (1 << 20) == 0 => write!(f, "{}M", bytes_per_s >> 20)?,
                Rate::Limited { bytes_per_s } if bytes_per_s % (1 << 10) == 0 => write!(f, "{}k", bytes_per_s >> 10)?,
                Rate::Limited { bytes_per_s } => write!(f, "{bytes_per_s}B")?,
            }
        }
        Ok(())
    }
}

fn day_of_week(text: &str) -> Option<u16> {
    let day = DAYS.iter().position(|day| text.len() >= 3 && text.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case(day)))?;
    u16::try_from(day).ok()
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// A size as rclone has it: KiB without a letter; b, k, m, g, t and p are powers of 1024.
fn rate(text: &str) -> Option<Rate> {
    let text = text.split(':').next()?.to_ascii_lowercase();
    match text.as_str() {
        "off" => return Some(Rate::Unlimited),
        "stop" => return Some(Rate::Stopped),
        _ => {}
    }
    let number = text.trim_end_matches("ib").trim_end_matches(['b', 'k', 'm', 'g', 't', 'p']);
    let shift = match text.get(number.len()..)?.chars().next() {
        Some('b') => 0,
        None | Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        Some('t') => 40,
        Some('p') => 50,
        Some(_) => return None,
    };
    let value: f64 = number.parse().ok()?;
    let bytes = value * (1_u64 << shift) as f64;
    // "0" is how some say no limit, and others no uploads: neither is guessed.
    (bytes >= 1.0 && bytes < u64::MAX as f64).then_some(Rate::Limited { bytes_per_s: bytes as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const K512: Rate = Rate::Limited { bytes_per_s: 512 << 10 };

    fn table(text: &str) -> Timetable {
        text.parse().unwrap()
    }

    #[test]
    fn rclone_s_own_examples_are_understood() {
        let day = table("08:00,512k 12:00,10M 13:00,512k 18:00,30M 23:00,off");
        assert_eq!(day.0.len(), 35);
        assert_eq!(day.rate_at(9 * 60), K512);
        assert_eq!(day.rate_at(12 * 60 + 30), Rate::Limited { bytes_per_s: 10 << 20 });
        assert_eq!(day.rate_at(60), Rate::Unlimited, "what Sunday ended with");
        let week = table("Mon-00:00,512 Fri-23:59,10M Sat-10:00,1M Sun-20:00,off");
        assert_eq!(week.rate_at(0), K512);
        assert_eq!(week.rate_at(5 * DAY_MINUTES + 600), Rate::Limited { bytes_per_s: 1 << 20 });
        let mixed = table("Mon-00:00,512 12:00,1M Sun-20:00,off");
        assert_eq!(mixed.rate_at(12 * 60), Rate::Limited { bytes_per_s: 1 << 20 });
        assert_eq!(table("10M:1M").rate_at(77), Rate::Limited { bytes_per_s: 10 << 20 }, "uploads are the first of two");
        assert_eq!(table("off"), Timetable::default());
        assert_eq!(table("1.5M").rate_at(0), Rate::Limited { bytes_per_s: 3 << 19 });
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["Mon-00:00,512k Fri-23:59,10M Sat-10:00,stop Sun-20:00,off", "off", "Tue-08:30,1000B"] {
            assert_eq!(table(text).to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_named() {
        for text in ["25:00,1M", "Mon-09:00", "08:00,fast", "Someday-08:00,1M", "08:00,0", "08:60,1M"] {
            let told = text.parse::<Timetable>().unwrap_err().to_string();
            assert!(told.contains(text), "{told}");
        }
    }

    #[test]
    fn the_next_change_is_found_over_the_end_of_the_week() {
        let table = table("Mon-08:00,stop Fri-18:00,off");
        assert_eq!(table.rate_at(0), Rate::Unlimited);
        assert_eq!(table.minutes_to_change(0), Some(480));
        assert_eq!(table.minutes_to_change(480), Some(4 * DAY_MINUTES + 600));
        assert_eq!(table.minutes_to_change(6 * DAY_MINUTES), Some(DAY_MINUTES + 480));
        assert_eq!(Timetable::default().minutes_to_change(5), None);
        assert!(table.is_valid());
    }
}
