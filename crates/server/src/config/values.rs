//! Values by key, read as Java reads them: strictly from the file, leniently from properties.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::ConfigError;
use super::note::Note;
use super::place::Setting;

/// The parser keys ([`Class::File`](super::keys::Class)): a bad value is an error.
pub(crate) struct FileValues<'a>(pub(crate) &'a [Setting]);

impl<'a> FileValues<'a> {
    pub(crate) fn setting(&self, key: &str) -> Option<&'a Setting> {
        self.0.iter().find(|setting| setting.key == key)
    }

    /// `Integer.parseInt`.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i32>, ConfigError> {
        self.number(key)
    }

    /// `Long.parseLong`.
    pub(crate) fn long(&self, key: &str) -> Result<Option<i64>, ConfigError> {
        self.number(key)
    }

    fn number<N: std::str::FromStr>(&self, key: &str) -> Result<Option<N>, ConfigError> {
        let Some(at) = self.setting(key) else { return Ok(None) };
        at.value.parse().map(Some).map_err(|_| ConfigError::NotANumber { at: at.clone() })
    }

    /// `true` or `false` in any case.
    pub(crate) fn boolean(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(at) = self.setting(key) else { return Ok(default) };
        match at.value.to_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(ConfigError::NotABoolean { at: at.clone() }),
        }
    }

    /// A TCP port; Java finds out when it makes the address.
    pub(crate) fn port(&self, key: &str) -> Result<Option<u16>, ConfigError> {
        let Some(number) = self.integer(key)? else { return Ok(None) };
        let at = || self.setting(key).expect("it was just read").clone();
        u16::try_from(number).map(Some).map_err(|_| ConfigError::PortOutOfRange { at: at() })
    }
}

/// System properties by their whole name, the keys of the file put over the `-D` ones: a bad value is the default.
///
/// Java takes the default without a word; here it is worth a warning.
pub(crate) struct Properties<'a> {
    pub(crate) settings: BTreeMap<String, Setting>,
    pub(crate) notes: &'a mut Vec<Note>,
}

impl Properties<'_> {
    /// A property by its whole name.
    pub(crate) fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name)
    }

    /// The value of a key that stands in the file or as `-Dzookeeper.<key>`.
    pub(crate) fn text(&self, key: &str) -> Option<&Setting> {
        self.setting(&format!("zookeeper.{key}"))
    }

    pub(crate) fn warn(&mut self, text: String) {
        self.notes.push(Note::warn(text));
    }

    /// `Boolean.parseBoolean`: anything but `true` in any case is false.
    pub(crate) fn boolean(&mut self, key: &str, default: bool) -> bool {
        let name = format!("zookeeper.{key}");
        self.boolean_of(&name, default)
    }

    /// The same for a property by its whole name.
    pub(crate) fn boolean_of(&mut self, name: &str, default: bool) -> bool {
        let Some(at) = self.setting(name) else { return default };
        let value = at.value.eq_ignore_ascii_case("true");
        if !value && !at.value.eq_ignore_ascii_case("false") {
            let text = format!("{at} is neither true nor false and counts as false");
            self.warn(text);
        }
        value
    }

    /// A key with two words, of which exactly `unusual` changes anything.
    pub(crate) fn is_exactly(&mut self, key: &str, unusual: &str, usual: &str) -> bool {
        let Some(at) = self.text(key) else { return false };
        if at.value == unusual {
            return true;
        }
        if at.value != usual {
            let text = format!("{at} counts as {usual}; only exactly {unusual} changes anything");
            self.warn(text);
        }
        false
    }

    /// `Integer.getInteger`.
    pub(crate) fn integer(&mut self, key: &str, default: i32) -> i32 {
        let value = self.long_of(&format!("zookeeper.{key}"), i64::from(i32::MIN)..=i64::from(i32::MAX));
        value.and_then(|value| i32::try_from(value).ok()).unwrap_or(default)
    }

    /// `Integer.getInteger` of a property by its whole name.
    pub(crate) fn integer_of(&mut self, name: &str, default: i32) -> i32 {
        let value = self.long_of(name, i64::from(i32::MIN)..=i64::from(i32::MAX));
        value.and_then(|value| i32::try_from(value).ok()).unwrap_or(default)
    }

    /// `Long.getLong`.
    pub(crate) fn long(&mut self, key: &str, default: i64) -> i64 {
        self.long_of(&format!("zookeeper.{key}"), i64::MIN..=i64::MAX).unwrap_or(default)
    }

    /// A number within `range` of a property by its whole name, `None` if there is none or it is none.
    pub(crate) fn long_of(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let at = self.setting(name)?;
        let value = decode(&at.value).filter(|value| range.contains(value));
        if value.is_none() {
            let text = format!("{at} is not a number Java accepts, the default is used");
            self.warn(text);
        }
        value
    }

    /// `Double.parseDouble`, where Java does not start with a bad value.
    pub(crate) fn double(&self, key: &str, default: f64) -> Result<f64, ConfigError> {
        let Some(at) = self.text(key) else { return Ok(default) };
        at.value.trim().parse().map_err(|_| ConfigError::NotANumber { at: at.clone() })
    }

    /// A count that cannot be below `least`; a smaller one becomes `least` with a warning.
    pub(crate) fn at_least(&mut self, key: &str, default: i32, least: u32) -> u32 {
        let value = self.integer(key, default);
        match u32::try_from(value) {
            Ok(value) if value >= least => value,
            _ => {
                self.warn(format!("{key} = {value} is too small, {least} is used"));
                least
            }
        }
    }
}

/// `Long.decode`: sign, then decimal, `0x`, `0X` or `#` hexadecimal, or `0` octal.
pub(crate) fn decode(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1) {
        Some(("-", rest)) => ("-", rest),
        Some(("+", rest)) => ("", rest),
        _ => ("", text),
    };
    let hexadecimal = ["0x", "0X", "#"].iter().find_map(|prefix| digits.strip_prefix(prefix));
    let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (digits, 10),
    };
    // A second sign is refused here and in Java.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// Milliseconds; what is below zero is zero.
pub(crate) fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

/// Milliseconds; zero and less is off.
pub(crate) fn millis_if_positive(value: i64) -> Option<Duration> {
    u64::try_from(value).ok().filter(|&value| value > 0).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_reads_what_java_reads() {
        let table = [
            ("10", Some(10)),
            ("+10", Some(10)),
            ("-10", Some(-10)),
            ("0x10", Some(16)),
            ("-0X10", Some(-16)),
            ("#ff", Some(255)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("09", None),
            ("", None),
            ("-", None),
            ("+-1", None),
            ("0x", None),
            (" 1", None),
            ("1k", None),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
        ];
        for (text, value) in table {
            assert_eq!(decode(text), value, "{text:?}");
        }
    }
}
