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

/// The lines of kazoo's `zoo.cfg` that ask for what is left to later work: TLS and SASL. The tests that need them are listed in
/// `data/kazoo.txt`.
const LEFT_OUT: [&str; 3] = ["secureClientPort", "ssl.", "authProvider."];
/// What an ensemble leaves to later work besides, and refuses when it is asked for: to change its members, and to serve without a
/// quorum.
const LEFT_OUT_OF_AN_ENSEMBLE: [&str; 2] = ["reconfigEnabled", "readonlymode."];

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
            let text = fs::read_to_string(cfg).with_context(|| format!("reading {cfg}"))?;
            let left_out = left_out(&text);
            let mut ours = Command::new(oxkeeper_binary()?);
            let properties = line.server_properties().filter(|property| !begins(property, &left_out));
            ours.args(properties.map(|property| format!("-D{property}")));
            let ours_cfg = Path::new(cfg).with_extension("ours.cfg");
            fs::write(&ours_cfg, without(&text, &left_out))?;
            ours.arg(ours_cfg);
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

/// How the lines and properties begin that this configuration's server is not given.
fn left_out(cfg: &str) -> Vec<&'static str> {
    let is_ensemble = cfg.lines().any(|line| line.starts_with("server."));
    let of_an_ensemble = if is_ensemble { LEFT_OUT_OF_AN_ENSEMBLE.as_slice() } else { &[] };
    LEFT_OUT.iter().chain(of_an_ensemble).copied().collect()
}

/// Whether a line begins with one of these.
fn begins(line: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| line.starts_with(start))
}

/// A configuration without such lines.
fn without(cfg: &str, left_out: &[&str]) -> String {
    cfg.lines().filter(|line| !begins(line, left_out)).map(|line| format!("{line}\n")).collect()
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
    fn what_is_left_to_later_work_is_left_out() {
        let alone = "clientPort=1\nsecureClientPort=2\nssl.keyStore.location=x\nreconfigEnabled=true\n";
        assert_eq!(without(alone, &left_out(alone)), "clientPort=1\nreconfigEnabled=true\n");
        let member = format!("{alone}server.1=localhost:3:4:participant\n");
        let left_out = left_out(&member);
        assert_eq!(without(&member, &left_out), "clientPort=1\nserver.1=localhost:3:4:participant\n");
        assert!(begins("readonlymode.enabled=true", &left_out));
    }
}
