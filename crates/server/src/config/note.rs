//! A log line that reading the configuration gives rise to, before there is a log to write it to.

use std::fmt;

/// How loud a [`Note`] is. Java logs the same facts on the same levels.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Worth knowing: a key without effect here and why.
    Info,
    /// Probably not what was meant: an unknown key, a value that was replaced by its default, an unsafe choice.
    Warn,
    /// Java calls it an error and goes on.
    Error,
}

/// One log line: what the configuration says that an operator should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// How loud.
    pub level: Level,
    /// One sentence without a newline. Values of secret keys are masked.
    pub text: String,
}

impl Note {
    pub(crate) fn info(text: impl Into<String>) -> Self {
        Self { level: Level::Info, text: text.into() }
    }

    pub(crate) fn warn(text: impl Into<String>) -> Self {
        Self { level: Level::Warn, text: text.into() }
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
