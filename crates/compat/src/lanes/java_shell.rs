//! Apache's own shell, `org.apache.zookeeper.ZooKeeperMain` of two releases, with the same scripts on Apache and on the target.
//!
//! Everything printed has to be equal once zxids, session ids and times are named or masked. Watch events are printed by a thread of
//! their own at any place between the answers, so they are compared apart, in their order.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Case;
use super::mapping::{mask_after, name_hex};
use super::process::{Output, run as run_program};
use crate::harness::{APACHE_NEWEST, APACHE_OLDER, Server, Spec, Target, apache_file, class_path};

/// One start of the shell, with Java's own start in it.
const SHELL_TIME_MAX: Duration = Duration::from_secs(60);

/// Scripts for the shell's standard input. A line `-- name` begins the next one.
const SCRIPTS: &str = include_str!("../../data/shell-scripts.txt");

/// Commands given as arguments: each is a start, a session that is left to expire, and an exit code.
const ONE_SHOTS: [&[&str]; 8] = [
    &["create", "/once", "data"],
    &["get", "/once"],
    &["create", "/once"],
    &["ls", "/"],
    &["set", "-v", "7", "/once", "x"],
    &["stat", "/nothing"],
    &["deleteall", "/once"],
    &["nosuch"],
];

/// Runs both shells on both servers.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for release in [APACHE_NEWEST, APACHE_OLDER] {
        let (apache, ours) = (start(&Target::apache())?, start(target)?);
        for (name, script) in scripts() {
            cases.extend(compare(
                &format!("{release} {name}"),
                |server| shell(release, server, &[], script),
                &apache,
                &ours,
            )?);
        }
        for words in ONE_SHOTS {
            let name = format!("{release} one-shot {}", words.join(" "));
            cases.extend(compare(&name, |server| shell(release, server, words, ""), &apache, &ours)?);
        }
    }
    Ok(cases)
}

/// Starts a server that knows TTL znodes, a super user, and quotas with force.
pub(crate) fn start(target: &Target) -> Result<Server> {
    // The password is `test`, as in Apache's own documentation of `DigestAuthenticationProvider`.
    let super_user = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
    let spec = Spec::new(target.clone()).property("zookeeper.extendedTypesEnabled", "true");
    let spec = spec.property("zookeeper.DigestAuthenticationProvider.superDigest", super_user);
    spec.cfg("enforceQuota", "true").start()
}

/// The scripts by name.
pub(crate) fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
    scripts_of(SCRIPTS)
}

/// The scripts of a file by name.
pub(crate) fn scripts_of(file: &str) -> impl Iterator<Item = (&str, &str)> {
    file.split("\n-- ").skip(1).filter_map(|part| part.split_once('\n'))
}

/// Runs the shell to its end.
fn shell(release: &str, server: &Server, words: &[&str], input: &str) -> Result<Output> {
    let mut java = Command::new("java");
    java.arg(format!("-Dlogback.configurationFile={}", apache_file("logback.xml").display()));
    java.args(["-Dcompat.log.level=OFF", "-XX:TieredStopAtLevel=1", "-cp"]).arg(class_path(release)?);
    java.args(["org.apache.zookeeper.ZooKeeperMain", "-waitforconnection", "-server", &server.address()]);
    java.args(words).current_dir(server.dir());
    run_program(&mut java, input, SHELL_TIME_MAX)
}

/// Runs one shell on each server and compares answers, errors, events and the exit code.
fn compare(
    name: &str,
    shell: impl Fn(&Server) -> Result<Output>,
    apache: &Server,
    ours: &Server,
) -> Result<Vec<Case>> {
    let wanted = Seen::of(&shell(apache).with_context(|| format!("{name} on Apache"))?, apache);
    let got = match shell(ours) {
        Ok(output) => Seen::of(&output, ours),
        Err(error) => return Ok(vec![Case::of(name, Err(error))]),
    };
    Ok(vec![
        Case::equal(format!("{name}: answers"), &wanted.answers, &got.answers),
        Case::equal(format!("{name}: errors"), &wanted.errors, &got.errors),
        Case::equal(format!("{name}: events"), &wanted.events, &got.events),
    ])
}

/// What one run of the shell showed, ready to be compared.
pub(crate) struct Seen {
    /// Standard output without events.
    pub(crate) answers: String,
    /// Standard error and the exit code.
    pub(crate) errors: String,
    pub(crate) events: String,
}

impl Seen {
    /// Takes an output apart and takes the moment out of it.
    pub(crate) fn of(output: &Output, server: &Server) -> Self {
        let text = output.stdout.replace(&server.address(), "SERVER");
        let text = ["ctime = ", "mtime = "].iter().fold(text, |text, label| mask_after(&text, label, &[]));
        let is_event = |line: &&str| line.contains("WatchedEvent ");
        let is_frame = |line: &str| line.is_empty() || line == "WATCHER::";
        let events: Vec<&str> = text.lines().filter(is_event).collect();
        let answers = text.lines().filter(|line| !is_event(line) && !is_frame(line));
        let answers: Vec<String> = answers.map(sort_ephemerals).collect();
        let of_a_stack = |line: &&str| line.trim_start().starts_with("at ") || line.starts_with("\t... ");
        let errors: Vec<&str> = output.stderr.lines().filter(|line| !of_a_stack(line)).collect();
        Self {
            answers: name_hex(&answers.join("\n")),
            errors: format!(
                "{}\nexit code {}",
                errors.join("\n").replace(&server.address(), "SERVER"),
                output.code
            ),
            // Sessions left to expire take zxids at moments of their own.
            events: mask_after(&events.join("\n"), "zxid: ", &[]),
        }
    }
}

/// Sorts the list of paths that `getEphemerals` prints as it was received: in the order of a Java hash table.
fn sort_ephemerals(line: &str) -> String {
    let list = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let Some(list) = list.filter(|list| list.starts_with('/')) else { return line.to_owned() };
    let mut paths: Vec<&str> = list.split(", ").collect();
    paths.sort_unstable();
    format!("[{}]", paths.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_of_paths_are_sorted() {
        assert_eq!(sort_ephemerals("[/b, /a]"), "[/a, /b]");
        assert_eq!(sort_ephemerals("[b, a]"), "[b, a]");
    }

    #[test]
    fn every_script_has_a_name_and_lines() {
        let all: Vec<_> = scripts().collect();
        assert!(all.len() > 5);
        assert!(all.iter().all(|(name, script)| !name.is_empty() && script.lines().count() > 1));
    }
}
