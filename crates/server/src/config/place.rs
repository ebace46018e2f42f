//! Where a value was given, for every message that has to say so.

use std::fmt;
use std::path::PathBuf;

use super::{keys, membership};

/// The place of one value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A line of a configuration file.
    File {
        /// As it was named on the command line or in `dynamicConfigFile`.
        path: PathBuf,
        /// From 1.
        line: u32,
    },
    /// An argument of this process.
    CommandLine,
    /// An environment variable.
    Variable(&'static str),
    /// The configuration inside the program.
    Embedded,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::CommandLine => f.write_str("command line"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Embedded => f.write_str("built-in configuration"),
        }
    }
}

/// One value that was given: key, value and place. Shown as `zoo.cfg line 3: tickTime=0`, secrets as three stars.
#[derive(Clone, Eq, PartialEq)]
pub struct Setting {
    /// As it was written, trimmed; for `-D` with everything before the `=`.
    pub key: String,
    /// Trimmed as Java trims it.
    pub value: String,
    /// Where.
    pub place: Place,
}

impl Setting {
    /// Key and value without their outer blanks, which in Java are all characters up to the space.
    pub(crate) fn trimmed(key: &str, value: &str, place: Place) -> Self {
        let trim = |text: &str| text.trim_matches(|c| c <= ' ').to_owned();
        Self { key: trim(key), value: trim(value), place }
    }

    /// A line of a configuration file. Java reads membership lines once more, untrimmed: a blank at their end is an
    /// error there, and here.
    pub(crate) fn from_file(key: &str, value: &str, place: Place) -> Self {
        let trimmed = Self::trimmed(key, value, place);
        if membership::is_membership_key(&trimmed.key) {
            return Self { value: value.to_owned(), ..trimmed };
        }
        trimmed
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if keys::is_secret(&self.key) { "***" } else { &self.value };
        write!(f, "{}: {}={}", self.place, Escaped(&self.key), Escaped(value))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A foreign text in a log line: control characters escaped, at most 256 characters.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(256) {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}
