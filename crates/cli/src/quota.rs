//! Quota texts. Source: `StatsTrack`, `Quotas`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::answer::object;
use crate::trouble::{Trouble, no_number};

/// Below which all quotas lie.
pub(crate) const QUOTA_ROOT: &str = "/zookeeper/quota";
/// The znode with the limits of a subtree.
pub(crate) const LIMITS: &str = "zookeeper_limits";
/// The znode with what a subtree has.
pub(crate) const STATS: &str = "zookeeper_stats";

/// Numbers by name: the limits of a subtree, or what it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits(BTreeMap<String, i64>);

impl Limits {
    /// The number of this name; -1 without.
    pub(crate) fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(-1)
    }

    /// Sets a number.
    pub(crate) fn set(&mut self, name: &str, number: i64) {
        self.0.insert(name.to_owned(), number);
    }

    /// Reads `name=number` pairs. What is no number is told as the shell does, where it passes for a bad path.
    pub(crate) fn parse(data: &[u8]) -> Result<Self, Trouble> {
        let text = proto::wire::text_lossy(data);
        let mut limits = Self::default();
        for pair in text.split([',', ';']).filter(|pair| !pair.is_empty()) {
            let mut parts = pair.trim_end_matches('=').split('=');
            let (name, number) = (parts.next().unwrap_or_default(), parts.next());
            let Some(number) = number else {
                let exception =
                    "java.lang.ArrayIndexOutOfBoundsException: Index 1 out of bounds for length 1";
                return Err(Trouble::Uncaught(exception.to_owned()));
            };
            let number = if number.is_empty() { "-1" } else { number };
            limits.set(name, number.parse().map_err(|_| Trouble::told(no_number(number)))?);
        }
        Ok(limits)
    }

    /// The numbers as an object.
    pub(crate) fn json(&self) -> Value {
        object(self.0.iter().map(|(name, number)| (name.as_str(), Value::from(*number))))
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.get("count"), self.get("bytes"))?;
        let mut others =
            self.0.iter().filter(|(name, _)| !matches!(name.as_str(), "count" | "bytes")).peekable();
        if others.peek().is_some() {
            // Parsers before 3.7 stop reading here.
            f.write_str("=")?;
        }
        others.try_for_each(|(name, number)| write!(f, ";{name}={number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_texts_are_read_and_written_like_java() {
        for text in ["count=5,bytes=-1", "count=-1,bytes=3=;byteHardLimit=9;countHardLimit=-1"] {
            assert_eq!(Limits::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_eq!(Limits::parse(b"").unwrap().to_string(), "count=-1,bytes=-1");
        assert_eq!(Limits::parse(b"count=x").unwrap_err().to_string(), "For input string: \"x\"");
        assert!(matches!(Limits::parse(b"count"), Err(Trouble::Uncaught(_))));
    }
}
