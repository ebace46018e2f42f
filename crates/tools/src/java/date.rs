//! Times in the three forms the tools show, in the words of the English locale that a server's JVM usually has.
//!
//! Source: `java.text.DateFormat`, `java.util.Date#toString`.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

const DAY_MS: i128 = 24 * 3600 * 1000;
/// The calendar repeats after so many milliseconds, 400 years. For times that the system's rules of time zones do not
/// reach, and that only a damaged entry claims, the offset is that of a time which they do.
const CYCLE_MS: i64 = 146_097 * 24 * 3600 * 1000;
/// 15 October 1582 in days since 1970. Before it Java counts days as Julius Caesar did.
const GREGORIAN_START_DAY: i128 = -141_427;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// 1 January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment where it is shown.
pub(crate) struct Date {
    /// Before our era it counts backwards.
    year: i128,
    /// From 0.
    month: usize,
    day: i128,
    weekday: usize,
    /// Since midnight.
    second: i128,
    /// `UTC`, `CET`, …
    zone: String,
}

impl Date {
    /// Milliseconds since 1970, shown in `zone`.
    pub(crate) fn new(ms: i64, zone: &TimeZone) -> Self {
        let reachable = Timestamp::from_millisecond(ms).or_else(|_| {
            // Between 1970 and 2370.
            Timestamp::from_millisecond(ms.rem_euclid(CYCLE_MS))
        });
        let offset = zone.to_offset_info(reachable.unwrap_or_default());
        let local = i128::from(ms) + i128::from(offset.offset().seconds()) * 1000;
        let days = local.div_euclid(DAY_MS);
        let (year, month, day) = if days < GREGORIAN_START_DAY { julian(days) } else { gregorian(days) };
        Self {
            year: if year > 0 { year } else { 1 - year },
            month,
            day,
            weekday: usize::try_from(days.rem_euclid(7)).expect("below 7"),
            second: local.rem_euclid(DAY_MS) / 1000,
            zone: offset.abbreviation().to_owned(),
        }
    }

    /// `1:02:03 PM`.
    fn clock(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.time();
        let (hour, half) = (hour % 12, if hour < 12 { "AM" } else { "PM" });
        write!(f, "{}:{minute:02}:{second:02} {half}", if hour == 0 { 12 } else { hour })
    }

    /// Hour, minute, second.
    fn time(&self) -> (i128, i128, i128) {
        (self.second / 3600, self.second / 60 % 60, self.second % 60)
    }

    /// `11/25/26, 1:02:03 PM UTC`: `DateFormat.getDateTimeInstance(SHORT, LONG)`.
    pub(crate) fn short(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{}/{}/{:02}, ", self.month + 1, self.day, self.year % 100)?;
            self.clock(f)?;
            write!(f, " {}", self.zone)
        })
    }

    /// `Nov 25, 2026, 1:02:03 PM`: `DateFormat.getDateTimeInstance()`.
    pub(crate) fn medium(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{} {}, {}, ", MONTHS[self.month], self.day, self.year)?;
            self.clock(f)
        })
    }

    /// `Wed Nov 25 13:02:03 UTC 2026`: `Date#toString`.
    pub(crate) fn long(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            let Self { year, day, zone, .. } = self;
            let (hour, minute, second) = self.time();
            write!(f, "{} {} {day:02} ", WEEKDAYS[self.weekday], MONTHS[self.month])?;
            write!(f, "{hour:02}:{minute:02}:{second:02} {zone} {year}")
        })
    }
}

/// Year, month from 0 and day of so many days since 1970.
fn gregorian(days: i128) -> (i128, usize, i128) {
    // From 1 March of the year 0, in cycles of 400 years.
    let days = days + 719_468;
    let (cycle, of_cycle) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    from_march(year + cycle * 400, of_year)
}

/// The same in the calendar before, where every fourth year has a leap day.
fn julian(days: i128) -> (i128, usize, i128) {
    // From 1 March of the year 0, in cycles of four years.
    let days = days + 719_470;
    let (cycle, of_cycle) = (days.div_euclid(1461), days.rem_euclid(1461));
    let year = (of_cycle - of_cycle / 1460) / 365;
    from_march(year + cycle * 4, of_cycle - 365 * year)
}

/// Takes apart the day of a year that starts in March.
fn from_march(year: i128, of_year: i128) -> (i128, usize, i128) {
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 2) } else { (year + 1, month - 10) };
    (year, usize::try_from(month).expect("from 0 to 11"), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ms: i64, zone: &str) -> [String; 3] {
        // In the system's notation, so that no database of time zones is needed.
        let zone = if zone == "UTC" { TimeZone::UTC } else { TimeZone::posix(zone).unwrap() };
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
            all(1_751_374_800_000, "CET-1CEST,M3.5.0,M10.5.0/3")[2],
            "Tue Jul 01 15:00:00 CEST 2025",
            "the zone's own letters, also in summer"
        );
    }

    #[test]
    fn times_that_a_damaged_entry_claims_are_shown_too() {
        assert_eq!(all(253_402_300_800_000, "UTC")[2], "Sat Jan 01 00:00:00 UTC 10000");
        assert_eq!(all(-1, "UTC")[0], "12/31/69, 11:59:59 PM UTC");
        assert_eq!(all(-12_219_292_800_001, "UTC")[2], "Thu Oct 04 23:59:59 UTC 1582");
        assert_eq!(all(-12_219_292_800_000, "UTC")[2], "Fri Oct 15 00:00:00 UTC 1582");
        assert_eq!(all(-62_135_769_600_001, "UTC")[1], "Dec 31, 1, 11:59:59 PM");
        assert_eq!(all(i64::MIN, "UTC")[2], "Sun Dec 02 16:47:04 UTC 292269055");
        assert_eq!(all(i64::MAX, "UTC")[2], "Sun Aug 17 07:12:55 UTC 292278994");
    }
}
