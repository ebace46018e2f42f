//! The Java system properties that mean something to a file tool.

use jiff::tz::TimeZone;

/// `jute.maxbuffer` unless it is set.
const MAX_BUFFER: i64 = 0xf_ffff;
/// What `zookeeper.jute.maxbuffer.extrasize` never falls below.
const EXTRA_MIN: i64 = 1024;
/// `zookeeper.preAllocSize` unless it is set, in KiB.
const PRE_ALLOC_KIB: i64 = 65_536;

/// The values in force.
#[derive(Debug)]
pub(crate) struct Properties {
    /// No string or buffer may be longer. Source: `BinaryInputArchive`.
    pub(crate) length_max: i32,
    /// By how much a recovered log grows ahead of its entries; 0 or less is not at all. Source: `FilePadding`.
    pub(crate) pre_alloc_bytes: i64,
    /// Where times are shown: `user.timezone`, or the system's.
    pub(crate) time_zone: TimeZone,
}

impl Properties {
    /// Reads words of the form `-Dkey=value`. Others of Java's have no meaning here and are passed over.
    pub(crate) fn parse(words: &[String]) -> Self {
        let value = |key: &str| {
            // As in Java the last one counts.
            let pairs = words.iter().rev().filter_map(|word| word.strip_prefix("-D")?.split_once('='));
            pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        let max = value("jute.maxbuffer").and_then(decode).unwrap_or(MAX_BUFFER);
        let extra = value("zookeeper.jute.maxbuffer.extrasize").and_then(decode).unwrap_or(max);
        let length_max = max.saturating_add(extra.max(EXTRA_MIN));
        let pre_alloc_kib = value("zookeeper.preAllocSize").and_then(|text| text.parse().ok());
        Self {
            length_max: i32::try_from(length_max).unwrap_or(i32::MAX),
            pre_alloc_bytes: pre_alloc_kib.unwrap_or(PRE_ALLOC_KIB).saturating_mul(1024),
            time_zone: value("user.timezone")
                .and_then(|name| TimeZone::get(name).ok())
                .unwrap_or_else(TimeZone::system),
        }
    }
}

/// A whole number in decimal, hexadecimal (`0x`, `#`) or octal (`0`) digits. Source: `Long#decode`.
pub(crate) fn decode(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let hexadecimal = ["0x", "0X", "#"].iter().find_map(|prefix| digits.strip_prefix(prefix));
    let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        (None, _) => (digits, 10),
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Properties {
        Properties::parse(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn lengths_are_bounded_as_in_java() {
        assert_eq!(parse("").length_max, 2_097_150);
        assert_eq!(parse("-Djute.maxbuffer=4096").length_max, 8192);
        assert_eq!(parse("-Djute.maxbuffer=10").length_max, 1034);
        assert_eq!(parse("-Djute.maxbuffer=1 -Djute.maxbuffer=0x1000000").length_max, 0x200_0000);
        assert_eq!(parse("-Djute.maxbuffer=2147483647").length_max, i32::MAX);
        assert_eq!(parse("-Djute.maxbuffer=nothing -Dzookeeper.preAllocSize=64").pre_alloc_bytes, 65_536);
    }

    #[test]
    fn numbers_are_decoded_as_in_java() {
        for (text, number) in [("0x1f", 31), ("#1F", 31), ("017", 15), ("-0X10", -16), ("+9", 9), ("0", 0)] {
            assert_eq!(decode(text), Some(number), "{text}");
        }
        for text in ["", "-", "0x", "1x", "08", "0x-1", "--1", "99999999999999999999"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
