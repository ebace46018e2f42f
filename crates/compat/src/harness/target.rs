//! Which server a lane drives, and how its command line begins.

use std::fmt;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::paths::{apache_file, class_path, oxkeeper_binary};

/// The release every lane compares with.
pub const APACHE_NEWEST: &str = "3.9.5";
/// The older line whose files and shell have to work as well.
pub const APACHE_OLDER: &str = "3.8.6";

/// A server program that takes a `zoo.cfg`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// The original, from the class path `cargo xtask setup` resolved.
    Apache {
        /// A release, for example `3.9.5`.
        version: String,
    },
    /// Ours.
    Oxkeeper,
}

impl Target {
    /// Apache 3.9.5.
    pub fn apache() -> Self {
        Self::Apache { version: APACHE_NEWEST.to_owned() }
    }

    /// The command line up to the configuration file, which the caller appends.
    ///
    /// * `properties`: Java system properties without `-D`; both servers are given them alike.
    ///
    /// # Errors
    /// When the program or its class path is missing.
    ///
    /// Source: `QuorumPeerMain#main`, `bin/zkServer.sh`.
    pub fn command(&self, properties: &[(String, String)]) -> Result<Command> {
        let mut command = match self {
            Self::Apache { version } => {
                let mut java = Command::new("java");
                java.args(["-Xmx512m", "-Dzookeeper.admin.enableServer=false"]);
                java.arg(format!("-Dlogback.configurationFile={}", apache_file("logback.xml").display()));
                java.arg("-cp").arg(class_path(version)?);
                java
            }
            Self::Oxkeeper => Command::new(oxkeeper_binary()?),
        };
        command.args(properties.iter().map(|(key, value)| format!("-D{key}={value}")));
        if matches!(self, Self::Apache { .. }) {
            command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain");
        }
        Ok(command)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apache { version } => write!(out, "apache-{version}"),
            Self::Oxkeeper => out.write_str("oxkeeper"),
        }
    }
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "oxkeeper" => Ok(Self::Oxkeeper),
            "apache" => Ok(Self::apache()),
            other => match other.strip_prefix("apache-") {
                Some(version) => Ok(Self::Apache { version: version.to_owned() }),
                None => {
                    bail!("`{other}` is no target; say oxkeeper, apache, or a release such as apache-3.8.6")
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_named_as_it_is_shown() {
        for name in ["oxkeeper", "apache-3.9.5", "apache-3.8.6"] {
            assert_eq!(name.parse::<Target>().unwrap().to_string(), name);
        }
        assert_eq!("apache".parse::<Target>().unwrap(), Target::apache());
        assert!("etcd".parse::<Target>().is_err());
    }
}
