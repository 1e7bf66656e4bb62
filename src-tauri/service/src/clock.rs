//! The clocks, read in one place and passed on.

use afterglow_model::Timestamp;
use afterglow_scheduler::{Local, Now};

/// Wall time.
pub(crate) fn wall() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// Both clocks.
pub(crate) fn now() -> Now {
    let zoned = jiff::Zoned::now();
    Now { wall: Timestamp(zoned.timestamp().as_millisecond()), boot_ms: afterglow_system::boot_ms(), local: local(&zoned) }
}

/// What rules ask of local time.
fn local(zoned: &jiff::Zoned) -> Local {
    let day = i32::from(zoned.weekday().to_monday_zero_offset());
    let minute = day * 24 * 60 + i32::from(zoned.hour()) * 60 + i32::from(zoned.minute());
    let jump = zoned.time_zone().following(zoned.timestamp()).next();
    Local {
        minute_of_week: u16::try_from(minute).unwrap_or(0),
        ms_of_minute: u16::try_from(i32::from(zoned.second()) * 1000 + i32::from(zoned.millisecond())).unwrap_or(0),
        jumps_at: jump.map(|transition| Timestamp(transition.timestamp().as_millisecond())),
    }
}

/// Today by local time, `2026-05-03`.
pub(crate) fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// The last `count` days by local time with today as the last of them.
pub(crate) fn last_days(count: u32) -> Vec<String> {
    let today = jiff::Zoned::now().date();
    (0..i64::from(count)).rev().map(|ago| today.saturating_sub(jiff::Span::new().days(ago)).to_string()).collect()
}

/// 06:00 of the next day by local time; 24 hours from now where the calendar has no answer.
pub(crate) fn tomorrow_morning() -> Timestamp {
    let now = jiff::Zoned::now();
    now.tomorrow()
        .and_then(|day| day.with().hour(6).minute(0).second(0).subsec_nanosecond(0).build())
        .map_or_else(|_| wall().plus_ms(24 * 3600 * 1000), |at| Timestamp(at.timestamp().as_millisecond()))
}
