//! A stand-in for `java`: kazoo's test harness starts ZooKeeper by a Java command line, and this one starts the target instead.
//!
//! The `kazoo` lane puts it first in the search path under the name `java`. Two variables of the environment tell it what to do:
//! `COMPAT_TARGET` as [`Target`] reads it, and `COMPAT_JAVA`, the real Java.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::harness::{Target, apache_file, class_path, oxkeeper_binary};

/// The lines of kazoo's `zoo.cfg` that ask for what the standalone server leaves to later work: TLS and SASL. The tests that need
/// them are listed in `data/kazoo.txt`.
const LEFT_OUT: [&str; 3] = ["secureClientPort", "ssl.", "authProvider."];

/// A Java command line taken apart.
#[derive(Debug, Eq, PartialEq)]
struct CommandLine {
    /// `key=value` of each `-D`.
    properties: Vec<String>,
    main_class: String,
    /// What follows the main class: `zoo.cfg`.
    arguments: Vec<String>,
}

/// Replaces this process by the target.
///
/// # Errors
/// When the command line is none that starts a ZooKeeper server, or the program cannot be started; it does not return otherwise.
pub fn replace_process(arguments: impl Iterator<Item = String>) -> Result<std::convert::Infallible> {
    let line = CommandLine::parse(arguments)?;
    let target: Target = env::var("COMPAT_TARGET").context("COMPAT_TARGET is not set")?.parse()?;
    let mut command = match &target {
        Target::Apache { version } => {
            let mut java = Command::new(env::var_os("COMPAT_JAVA").unwrap_or(OsString::from("java")));
            java.arg(format!("-Dlogback.configurationFile={}", apache_file("logback.xml").display()));
            java.args(line.properties.iter().map(|property| format!("-D{property}")));
            java.arg("-cp").arg(class_path(version)?).arg(&line.main_class).args(&line.arguments);
            java
        }
        Target::Oxkeeper => {
            let [cfg] = line.arguments.as_slice() else {
                bail!("expected one configuration file, got {:?}", line.arguments);
            };
            let mut ours = Command::new(oxkeeper_binary()?);
            ours.args(line.server_properties().map(|property| format!("-D{property}")));
            ours.arg(standalone_part(Path::new(cfg))?);
            ours
        }
    };
    Err(command.exec()).with_context(|| format!("starting {target}"))
}

impl CommandLine {
    /// Takes a Java command line apart.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut properties = Vec::new();
        let mut arguments = arguments;
        while let Some(word) = arguments.next() {
            if let Some(property) = word.strip_prefix("-D") {
                properties.push(property.to_owned());
            } else if word == "-cp" || word == "-classpath" {
                arguments.next();
            } else if !word.starts_with('-') {
                if !word.ends_with("QuorumPeerMain") && !word.ends_with("ZooKeeperServerMain") {
                    bail!("{word} is no server");
                }
                return Ok(Self { properties, main_class: word, arguments: arguments.collect() });
            }
        }
        bail!("the command line names no main class")
    }

    /// The properties that are ZooKeeper's: those of the virtual machine, of log4j and of JAAS mean nothing to another program.
    fn server_properties(&self) -> impl Iterator<Item = &String> {
        let ours = ["zookeeper.", "readonlymode.", "jute."];
        self.properties.iter().filter(move |property| ours.iter().any(|start| property.starts_with(start)))
    }
}

/// Writes what is left of a configuration file beside it and gives the new file's path.
fn standalone_part(cfg: &Path) -> Result<std::path::PathBuf> {
    let text = fs::read_to_string(cfg).with_context(|| format!("reading {}", cfg.display()))?;
    let kept = text.lines().filter(|line| !LEFT_OUT.iter().any(|start| line.starts_with(start)));
    let kept = kept.collect::<Vec<_>>().join("\n") + "\n";
    let file = cfg.with_extension("standalone.cfg");
    fs::write(&file, kept)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kazoos_command_line_is_taken_apart() {
        let line = "-cp a.jar:b.jar -Dfile.encoding=UTF-8 -Dreadonlymode.enabled=true -Dzookeeper.log.dir=/tmp/l \
                    org.apache.zookeeper.server.quorum.QuorumPeerMain /tmp/zoo.cfg";
        let line = CommandLine::parse(line.split_whitespace().map(str::to_owned)).unwrap();
        assert_eq!(line.arguments, ["/tmp/zoo.cfg"]);
        let kept: Vec<_> = line.server_properties().collect();
        assert_eq!(kept, ["readonlymode.enabled=true", "zookeeper.log.dir=/tmp/l"]);
        assert!(CommandLine::parse(["-version".to_owned()].into_iter()).is_err());
    }

    #[test]
    fn tls_and_sasl_lines_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let cfg = dir.path().join("zoo.cfg");
        fs::write(&cfg, "clientPort=1\nsecureClientPort=2\nssl.keyStore.location=x\ntickTime=2000\n")
            .unwrap();
        let kept = fs::read_to_string(standalone_part(&cfg).unwrap()).unwrap();
        assert_eq!(kept, "clientPort=1\ntickTime=2000\n");
    }
}
