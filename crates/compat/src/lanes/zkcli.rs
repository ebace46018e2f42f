//! Our shell beside Apache's: the original on an Apache server, ours on an Apache server and on the target.
//!
//! The same scripts and single commands, each on a server that nobody else uses; standard output, standard error, events and exit
//! codes have to be equal once zxids, session ids and times are named or masked.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::door::Door;
use super::java_shell::{self, Seen};
use super::mapping::name_hex;
use super::process::{Output, run as run_program};
use super::{Case, terminal};
use crate::harness::{APACHE_NEWEST, Server, Target, apache_file, class_path, cli_binary};

/// One start of a shell, with Java's own start in it.
const SHELL_TIME_MAX: Duration = Duration::from_secs(90);

/// Scripts of this lane, about the shell itself; `SERVER` stands for the address. Those of the lane `java_shell` follow.
const SCRIPTS: &str = include_str!("../../data/zkcli-scripts.txt");

/// Commands that only ours has, and what they print.
const BEYOND: &str = include_str!("../../data/zkcli-beyond.txt");

/// Whole command lines; `SERVER` stands for the address.
const ONE_SHOTS: [&[&str]; 13] = [
    &["-server", "SERVER", "create", "/once", "some data"],
    &["-server", "SERVER", "-timeout", "5000", "get", "-s", "/once"],
    &["-r", "-server", "SERVER", "-waitforconnection", "get", "/once"],
    &["-server", "SERVER/once", "-waitforconnection", "ls", "/"],
    &["-server", "SERVER", "-waitforconnection", "set", "-v", "7", "/once", "x"],
    &["-server", "SERVER", "-waitforconnection", "nosuch"],
    &["-server", "127.0.0.1:1", "get", "/once"],
    &["-server", "127.0.0.1:1,SERVER", "-waitforconnection", "get", "/once"],
    &["-server", "127.0.0.1:1", "-timeout", "300", "-waitforconnection", "ls", "/"],
    &["-server", "SERVER/bad/", "ls", "/"],
    &["-server", "SERVER", "-timeout", "soon", "ls", "/"],
    &["-client-configuration", "/nonexistent", "-server", "SERVER", "ls", "/"],
    &["-server", "SERVER", "-waitforconnection", "set", "/once"],
];

/// Runs everything.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let originals = java_shell::start(&Target::apache())?;
    let apache = java_shell::start(&Target::apache())?;
    let ours = java_shell::start(target)?;
    let mut cases = Vec::new();
    let long = long_session();
    let scripts = java_shell::scripts_of(SCRIPTS).chain([("a long session", long.as_str())]);
    for (name, script) in scripts {
        let words = ["-waitforconnection", "-server", "SERVER"];
        cases.extend(compare(name, &words, script, &originals, &[&apache, &ours])?);
    }
    for words in ONE_SHOTS {
        let name = format!("one-shot {}", words.join(" "));
        cases.extend(compare(&name, words, "", &originals, &[&apache, &ours])?);
    }
    for (server, other) in [(&ours, &apache), (&apache, &ours)] {
        cases.push(beyond(server, other)?);
    }
    cases.push(json(&ours)?);
    cases.extend(terminal::run(&ours)?);
    Ok(cases)
}

/// All scripts of the lane `java_shell`, with a new session for each.
fn long_session() -> String {
    let lines = java_shell::scripts().flat_map(|(_, script)| script.lines().chain(["connect"]));
    lines.filter(|line| *line != "quit").map(|line| format!("{line}\n")).collect()
}

/// Runs the original on one server and ours on others, and compares.
fn compare(
    name: &str,
    words: &[&str],
    script: &str,
    original: &Server,
    others: &[&Server],
) -> Result<Vec<Case>> {
    let mut java = Command::new("java");
    java.arg(format!("-Dlogback.configurationFile={}", apache_file("logback.xml").display()));
    java.args(["-Dcompat.log.level=OFF", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp"]);
    java.arg(class_path(APACHE_NEWEST)?).arg("org.apache.zookeeper.ZooKeeperMain");
    let wanted =
        shell(java, words, script, original).with_context(|| format!("{name} with Apache's shell"))?;
    let wanted = seen(&wanted, original);
    let mut cases = Vec::new();
    for server in others {
        let name = format!("{name}, ours on {}", server.target());
        let got = match shell(Command::new(cli_binary()?), words, script, server) {
            Ok(output) => seen(&output, server),
            Err(error) => {
                cases.push(Case::of(name, Err(error)));
                continue;
            }
        };
        cases.push(Case::equal(format!("{name}: answers"), &wanted.answers, &got.answers));
        cases.push(Case::equal(format!("{name}: errors"), &wanted.errors, &got.errors));
        // Without it the original may end before it has told that it is connected.
        if words.contains(&"-waitforconnection") {
            cases.push(Case::equal(format!("{name}: events"), &wanted.events, &got.events));
        }
    }
    Ok(cases)
}

/// Types the commands that only ours has, each into a shell of its own; what they print has to be what the file says.
fn beyond(server: &Server, other: &Server) -> Result<Case> {
    let file = server.dir().join("exported").display().to_string();
    let (_, wanted) = BEYOND.split_once("\n\n").context("a remark before the first command")?;
    let mut got = String::new();
    for typed in wanted.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let line = typed.replace("FILE", &file).replace("OTHER", &other.address());
        let output = shell(Command::new(cli_binary()?), &["-server", "SERVER"], &line, server)?;
        let is_answer = |line: &&str| {
            let of_the_shell =
                ["Connecting to ", "Welcome to ", "JLine support ", "WATCHER::", "WatchedEvent "];
            !line.is_empty() && !of_the_shell.iter().any(|start| line.starts_with(start))
        };
        let lines = output.stdout.lines().filter(is_answer).chain(output.stderr.lines());
        got.push_str(&format!("$ {typed}\n"));
        got.extend(lines.map(|line| format!("{line}\n")));
    }
    Ok(Case::equal(format!("beyond the original, on {}", server.target()), wanted, &name_hex(&got)))
}

/// Everything that is printed as JSON is JSON, a value a line, the commands of the original included.
fn json(server: &Server) -> Result<Case> {
    let typed: Vec<&str> = java_shell::scripts().flat_map(|(_, script)| script.lines()).collect();
    let typed: Vec<&str> = typed.into_iter().filter(|line| *line != "quit").collect();
    let mut ours = Command::new(cli_binary()?);
    ours.args(["--output", "json", "-server", &server.address()]);
    let output = run_program(&mut ours, &typed.join("\n"), SHELL_TIME_MAX)?;
    let lines = output.stdout.lines();
    let told = output.stderr.lines().filter(|line| line.starts_with('{'));
    let wrong: Vec<&str> =
        lines.chain(told).filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err()).collect();
    let count = output.stdout.lines().count();
    let held = ensure_held(count > typed.len() / 4, &wrong);
    Ok(Case::of("answers as JSON", held))
}

fn ensure_held(is_enough: bool, wrong: &[&str]) -> Result<()> {
    ensure!(wrong.is_empty(), "no JSON: {wrong:?}");
    ensure!(is_enough, "hardly anything was printed");
    Ok(())
}

/// Runs one shell to its end.
fn shell(mut program: Command, words: &[&str], script: &str, server: &Server) -> Result<Output> {
    let address = server.address();
    program.args(words.iter().map(|word| word.replace("SERVER", &address)));
    program.current_dir(server.dir());
    run_program(&mut program, &script.replace("SERVER", &address), SHELL_TIME_MAX)
}

/// What a run showed, without the version, which is each shell's own.
fn seen(output: &Output, server: &Server) -> Seen {
    let mut seen = Seen::of(output, &Door::of(server));
    let version = "ZooKeeper CLI version: ";
    seen.answers = super::mapping::mask_after(&seen.answers, version, &[]);
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_lines_of_every_kind() {
        let lines: Vec<&str> =
            java_shell::scripts_of(SCRIPTS).flat_map(|(_, script)| script.lines()).collect();
        assert!(lines.len() > 200, "{}", lines.len());
    }
}
