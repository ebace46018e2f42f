//! Settings of a client: the properties file of `-client-configuration`, and `-D` words.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Settings by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration(BTreeMap<String, String>);

/// Why settings cannot be used.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum ConfigurationError {
    /// The file is not there, in the original's words.
    Missing(String),
    /// The file cannot be read.
    Unreadable(String),
    /// It asks for something that is not built.
    NotBuilt {
        /// The key.
        key: String,
        /// What it would switch on.
        what: &'static str,
    },
    /// The value of a key is not what it has to be.
    Value(String),
}

impl std::fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(file) => write!(
                f,
                "org.apache.zookeeper.server.quorum.QuorumPeerConfig$ConfigException: Error while processing {file}\n\
                 Caused by: java.lang.IllegalArgumentException: {file} file is missing"
            ),
            Self::Unreadable(text) => f.write_str(text),
            Self::NotBuilt { key, what } => {
                write!(f, "{key} asks for {what}, which this build does not have; remove the key")
            }
            Self::Value(key) => write!(f, "{key} does not have a value that it can have"),
        }
    }
}

/// Keys of the original's client that have no effect here because they have none without what is refused, or only choose between
/// pieces of the Java program. Source: `ZKClientConfig`, `ZKConfig`.
const WITHOUT_EFFECT: [&str; 9] = [
    "zookeeper.clientCnxnSocket",
    "zookeeper.sasl.client.username",
    "zookeeper.sasl.client.canonicalize.hostname",
    "zookeeper.sasl.clientconfig",
    "zookeeper.sasl.client",
    "zookeeper.server.realm",
    "zookeeper.server.principal",
    "zookeeper.kinit",
    "jute.maxbuffer",
];

/// How keys begin that tell a Java virtual machine something. `JVMFLAGS` is full of them, and there is none here.
const THE_VIRTUAL_MACHINES: [&str; 7] = ["java.", "javax.", "sun.", "com.sun.", "jdk.", "log4j", "logback"];

impl Configuration {
    /// Sets one key in place of an earlier value.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.to_owned());
    }

    /// Takes in a properties file. Its keys come before those that are there.
    pub(crate) fn load(&mut self, file: &Path) -> Result<(), ConfigurationError> {
        if !file.exists() {
            return Err(ConfigurationError::Missing(file.display().to_string()));
        }
        let bytes = fs::read(file)
            .map_err(|error| ConfigurationError::Unreadable(format!("{}: {error}", file.display())))?;
        for (key, value) in properties(&String::from_utf8_lossy(&bytes)) {
            self.set(&key, &value);
        }
        Ok(())
    }

    /// The keys that this program knows nothing about, to be told.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        let is_known = |key: &str| {
            WITHOUT_EFFECT.contains(&key)
                || key.starts_with("zookeeper.ssl.")
                || key.starts_with("zookeeper.log")
                || THE_VIRTUAL_MACHINES.iter().any(|start| key.starts_with(start))
                || matches!(
                    key,
                    "zookeeper.client.secure"
                        | "zookeeper.disableAutoWatchReset"
                        | "zookeeper.request.timeout"
                )
        };
        self.0.keys().map(String::as_str).filter(move |key| !is_known(key))
    }

    /// Whether anything is asked for that is not built.
    pub(crate) fn check(&self) -> Result<(), ConfigurationError> {
        let refused = |key: &str, what| Err(ConfigurationError::NotBuilt { key: key.to_owned(), what });
        if self.is_true("zookeeper.client.secure") {
            return refused("zookeeper.client.secure", "TLS");
        }
        let login = "java.security.auth.login.config";
        if self.0.contains_key(login) {
            return refused(login, "SASL");
        }
        Ok(())
    }

    fn is_true(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// Whether watches are set again after a reconnect.
    pub(crate) fn keeps_watches(&self) -> bool {
        !self.is_true("zookeeper.disableAutoWatchReset")
    }

    /// How long an answer may take; 0 is for ever.
    pub(crate) fn request_timeout(&self) -> Result<Option<Duration>, ConfigurationError> {
        let key = "zookeeper.request.timeout";
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let millis: u64 = value.trim().parse().map_err(|_| ConfigurationError::Value(key.to_owned()))?;
        Ok(Some(Duration::from_millis(millis)).filter(|timeout| !timeout.is_zero()))
    }
}

/// The pairs of a Java properties text, in their order.
///
/// Source: `java.util.Properties#load`: comments, continued lines, escapes, and `=`, `:` or a blank between key and value.
pub(crate) fn properties(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while line.chars().rev().take_while(|&sign| sign == '\\').count() % 2 == 1 {
            line.pop();
            let Some(next) = lines.next() else { break };
            line.push_str(next.trim_start());
        }
        pairs.push(pair(&line));
    }
    pairs
}

fn pair(line: &str) -> (String, String) {
    let mut is_escaped = false;
    let end = line.find(|sign: char| {
        let ends = !is_escaped && (matches!(sign, '=' | ':') || sign.is_ascii_whitespace());
        is_escaped = !is_escaped && sign == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    (unescaped(key), unescaped(value))
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        if sign != '\\' {
            out.push(sign);
            continue;
        }
        match signs.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = signs.by_ref().take(4).collect();
                let sign = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(sign.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_properties_text_is_read_like_java_does() {
        let text = "# no\n! no\n a = b c \nd:e\nf g\nh\\\n   i=1\\\n  2\nk\\=l=\\u0041\\t\nm\n";
        let read = properties(text);
        let pairs: Vec<(&str, &str)> =
            read.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "b c "), ("d", "e"), ("f", "g"), ("hi", "12"), ("k=l", "A\t"), ("m", "")]);
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        let mut configuration = Configuration::default();
        configuration.set("zookeeper.client.secure", "false");
        configuration.set("zookeeper.ssl.trustStore.location", "x");
        assert_eq!(configuration.check(), Ok(()));
        configuration.set("zookeeper.client.secure", "true");
        assert!(
            configuration
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("zookeeper.client.secure asks for TLS")
        );
        configuration.set("zookeeper.new", "1");
        assert_eq!(configuration.unknown().collect::<Vec<_>>(), ["zookeeper.new"]);
        configuration.set("zookeeper.request.timeout", "0");
        assert_eq!(configuration.request_timeout(), Ok(None));
    }
}
