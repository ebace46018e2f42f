//! Apache's own shell, `org.apache.zookeeper.ZooKeeperMain` of two releases, with the same scripts on Apache and on the target.
//!
//! Everything printed has to be equal once zxids, session ids and times are named or masked. Watch events are printed by a thread of
//! their own at any place between the answers, so they are compared apart, in their order.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Case;
use super::door::Door;
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
        let servers = (start(&Target::apache())?, start(target)?);
        let (apache, ours) = (Door::of(&servers.0), Door::of(&servers.1));
        for (name, script) in scripts() {
            let name = format!("{release} {name}");
            cases.extend(compare(&name, |door| shell(release, door, &[], script), &apache, &ours)?);
        }
        for words in ONE_SHOTS {
            let name = format!("{release} one-shot {}", words.join(" "));
            cases.extend(compare(&name, |door| shell(release, door, words, ""), &apache, &ours)?);
        }
    }
    Ok(cases)
}

/// What the scripts need of a server: it knows TTL znodes and a super user, holds clients to quotas, and removes nothing by itself
/// while a script runs, however slowly.
///
/// The password is `test`, as in Apache's own documentation of `DigestAuthenticationProvider`.
pub(crate) const PROPERTIES: [(&str, &str); 4] = [
    ("zookeeper.extendedTypesEnabled", "true"),
    ("zookeeper.DigestAuthenticationProvider.superDigest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
    ("zookeeper.enforceQuota", "true"),
    ("znode.container.checkIntervalMs", "3600000"),
];

/// Starts a server with all that the scripts need.
pub(crate) fn start(target: &Target) -> Result<Server> {
    let spec = Spec::new(target.clone());
    PROPERTIES.iter().fold(spec, |spec, (key, value)| spec.property(key, value)).start()
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
pub(crate) fn shell(release: &str, door: &Door, words: &[&str], input: &str) -> Result<Output> {
    run_program(command(release, door)?.args(words), input, SHELL_TIME_MAX)
}

/// The shell's command line, up to a command of its own.
pub(crate) fn command(release: &str, door: &Door) -> Result<Command> {
    let mut java = Command::new("java");
    java.arg(format!("-Dlogback.configurationFile={}", apache_file("logback.xml").display()));
    java.args(["-Dcompat.log.level=OFF", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    java.arg(class_path(release)?).args(["org.apache.zookeeper.ZooKeeperMain", "-waitforconnection"]);
    java.args(["-server", door.address()]).current_dir(door.dir());
    Ok(java)
}

/// Runs one shell on each server, both at once, and compares answers, errors, events and the exit code.
pub(crate) fn compare(
    name: &str,
    shell: impl Fn(&Door) -> Result<Output> + Sync,
    apache: &Door,
    ours: &Door,
) -> Result<Vec<Case>> {
    let (wanted, got) = thread::scope(|scope| {
        let wanted = scope.spawn(|| shell(apache));
        let got = shell(ours);
        (wanted.join().expect("running a shell does not panic"), got)
    });
    let wanted = Seen::of(&wanted.with_context(|| format!("{name} on Apache"))?, apache);
    let got = match got {
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
    pub(crate) fn of(output: &Output, door: &Door) -> Self {
        let text = door.plain(&output.stdout);
        let text = ["ctime = ", "mtime = "].iter().fold(text, |text, label| mask_after(&text, label, &[]));
        let is_event = |line: &&str| line.contains("WatchedEvent ");
        let is_frame = |line: &str| line.is_empty() || line == "WATCHER::";
        let mut events: Vec<&str> = text.lines().filter(is_event).collect();
        // The shell may be gone before it has told that its session has ended.
        events.pop_if(|last| last.contains("state:Closed type:None"));
        let answers = text.lines().filter(|line| !is_event(line) && !is_frame(line));
        let mut answers: Vec<String> = answers.map(sort_ephemerals).collect();
        let of_a_stack = |line: &&str| line.trim_start().starts_with("at ") || line.starts_with("\t... ");
        let mut errors: Vec<&str> = output.stderr.lines().filter(|line| !of_a_stack(line)).collect();
        let mut code = output.code;
        // A server closes the connection of whom it refuses to authenticate. The next command finds the shell before it has noticed, and
        // ends it with this error, or behind.
        if events.iter().any(|event| event.contains("state:AuthFailed")) {
            answers.retain(|line| line != "Not connected");
            errors.retain(|line| !line.starts_with("KeeperErrorCode = AuthFailed"));
            code = 0;
        }
        Self {
            answers: name_hex(&answers.join("\n")),
            errors: format!("{}\nexit code {}", door.plain(&errors.join("\n")), code),
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
