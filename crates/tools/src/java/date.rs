//! Times in the three forms the tools show, in the words of the English locale that a server's JVM usually has.
//!
//! Source: `java.text.DateFormat`, `java.util.Date#toString`.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The calendar repeats after so many milliseconds: 400 years. Times outside of what `jiff` knows, as a damaged entry can
/// claim them, are shown by it.
const CYCLE_MS: i64 = 146_097 * 24 * 3600 * 1000;
const CYCLE_YEARS: i64 = 400;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A moment where it is shown.
pub(crate) struct Date {
    zoned: Zoned,
    year: i64,
}

impl Date {
    /// Milliseconds since 1970, shown in `zone`.
    pub(crate) fn new(ms: i64, zone: &TimeZone) -> Self {
        let cycles = ms.div_euclid(CYCLE_MS);
        let base = Timestamp::from_millisecond(ms.rem_euclid(CYCLE_MS)).expect("between 1970 and 2370");
        let zoned = base.to_zoned(zone.clone());
        let year = i64::from(zoned.year()) + cycles * CYCLE_YEARS;
        Self { zoned, year }
    }

    fn month(&self) -> usize {
        usize::try_from(self.zoned.month() - 1).expect("from 1 to 12")
    }

    fn zone(&self) -> String {
        match self.zoned.time_zone().to_offset_info(self.zoned.timestamp()).abbreviation() {
            // Places without letters of their own are given as numbers in the system's data, and so in Java.
            "" => "UTC".to_owned(),
            name => name.to_owned(),
        }
    }

    /// `1:02:03 PM`.
    fn clock(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, half) = (self.zoned.hour(), if self.zoned.hour() < 12 { "AM" } else { "PM" });
        let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
        write!(f, "{hour}:{:02}:{:02} {half}", self.zoned.minute(), self.zoned.second())
    }

    /// `11/25/26, 1:02:03 PM UTC`: `DateFormat.getDateTimeInstance(SHORT, LONG)`.
    pub(crate) fn short(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            let (month, day) = (self.zoned.month(), self.zoned.day());
            write!(f, "{month}/{day}/{:02}, ", self.year.rem_euclid(100))?;
            self.clock(f)?;
            write!(f, " {}", self.zone())
        })
    }

    /// `Nov 25, 2026, 1:02:03 PM`: `DateFormat.getDateTimeInstance()`.
    pub(crate) fn medium(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{} {}, {}, ", MONTHS[self.month()], self.zoned.day(), self.year)?;
            self.clock(f)
        })
    }

    /// `Wed Nov 25 13:02:03 UTC 2026`: `Date#toString`.
    pub(crate) fn long(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            let weekday = usize::try_from(self.zoned.weekday().to_monday_zero_offset()).expect("from 0 to 6");
            write!(f, "{} {} ", WEEKDAYS[weekday], MONTHS[self.month()])?;
            let (hour, minute, second) = (self.zoned.hour(), self.zoned.minute(), self.zoned.second());
            write!(f, "{:02} {hour:02}:{minute:02}:{second:02} ", self.zoned.day())?;
            write!(f, "{} {:04}", self.zone(), self.year)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ms: i64, zone: &str) -> [String; 3] {
        let zone = TimeZone::get(zone).unwrap();
        let date = Date::new(ms, &zone);
        [date.short().to_string(), date.medium().to_string(), date.long().to_string()]
    }

    #[test]
    fn a_time_is_shown_in_javas_three_forms() {
        assert_eq!(
            all(1_795_347_327_809, "UTC"),
            ["11/22/26, 11:35:27 AM UTC", "Nov 22, 2026, 11:35:27 AM", "Sun Nov 22 11:35:27 UTC 2026"]
        );
        assert_eq!(
            all(0, "UTC"),
            ["1/1/70, 12:00:00 AM UTC", "Jan 1, 1970, 12:00:00 AM", "Thu Jan 01 00:00:00 UTC 1970"]
        );
        assert_eq!(
            all(1_751_374_800_000, "Europe/Berlin")[2],
            "Tue Jul 01 15:00:00 CEST 2025",
            "the zone's own letters, also in summer"
        );
    }

    #[test]
    fn times_that_a_damaged_entry_claims_are_shown_too() {
        assert_eq!(all(253_402_300_800_000, "UTC")[2], "Sat Jan 01 00:00:00 UTC 10000");
        assert_eq!(all(-1, "UTC")[0], "12/31/69, 11:59:59 PM UTC");
        all(i64::MIN, "UTC");
        all(i64::MAX, "UTC");
    }
}
