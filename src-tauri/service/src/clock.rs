//! The clocks, read in one place and passed on.

use afterglow_model::Timestamp;
use afterglow_scheduler::Now;

/// Wall time.
pub(crate) fn wall() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// Both clocks.
pub(crate) fn now() -> Now {
    Now { wall: wall(), boot_ms: afterglow_system::boot_ms() }
}

/// Today by local time, `2026-05-03`.
pub(crate) fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// 06:00 of the next day by local time; 24 hours from now where the calendar has no answer.
pub(crate) fn tomorrow_morning() -> Timestamp {
    let now = jiff::Zoned::now();
    now.tomorrow()
        .and_then(|day| day.with().hour(6).minute(0).second(0).subsec_nanosecond(0).build())
        .map_or_else(|_| wall().plus_ms(24 * 3600 * 1000), |at| Timestamp(at.timestamp().as_millisecond()))
}
