//! `cargo xtask compat`: the compatibility lanes, each a run of a program of crate `compat`.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, release_program, run, run_and_read};
use crate::setup::setup;
use crate::summary::{Summary, numbers};

/// Every lane, the quick ones first: they tell soonest that something is wrong.
pub(crate) const LANES: [&str; 16] = [
    "four_letter",
    "java_shell",
    "zkcli",
    "c_client",
    "disk",
    "toolkits",
    "scripts",
    "files",
    "kill9",
    "hostile",
    "ensemble_bad_input",
    "ensemble_clients",
    "faults",
    "mixed",
    "differential",
    "kazoo",
];

/// What the command line of `cargo xtask compat` says.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Options {
    lanes: Vec<String>,
    target: Option<String>,
    rounds: Option<u32>,
}

impl Options {
    /// Reads the words after `compat`.
    fn parse(words: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().with_context(|| format!("{word} wants a value"))?;
            match word.as_str() {
                "--lane" if LANES.contains(&value.as_str()) => options.lanes.push(value.clone()),
                "--lane" => bail!("`{value}` is no lane; there are {}", LANES.join(", ")),
                "--target" => options.target = Some(value.clone()),
                "--rounds" => options.rounds = Some(value.parse()?),
                _ => bail!("`{word}` is no option of compat"),
            }
        }
        Ok(options)
    }
}

/// Installs, builds, and runs lanes.
///
/// # Errors
/// When a step breaks or any check fails.
pub(crate) fn compat(words: &[String]) -> Result<()> {
    let options = Options::parse(words)?;
    setup()?;
    build()?;
    let mut summary = Summary::default();
    run_lanes(&options, &mut summary)?;
    summary.close()
}

/// Builds all programs as they are shipped.
pub(crate) fn build() -> Result<()> {
    run(cargo().args(["build", "--release", "--workspace", "--exclude", "xtask", "--locked"]))
}

/// Runs the chosen lanes (all, when none is chosen) one after the other and notes what each came to.
pub(crate) fn run_lanes(options: &Options, summary: &mut Summary) -> Result<()> {
    let target = options.target.as_deref().unwrap_or("oxkeeper");
    let chosen = LANES
        .iter()
        .filter(|lane| options.lanes.is_empty() || options.lanes.iter().any(|chosen| chosen == *lane));
    for lane in chosen {
        let mut command = program(lane, target);
        if let Some(rounds) = options.rounds {
            command.arg("--rounds").arg(rounds.to_string());
        }
        let mut last = (0, 0);
        let succeeded = run_and_read(&mut command, |line| last = numbers(line).unwrap_or(last))?;
        summary.add_ended(lane, last, succeeded);
    }
    Ok(())
}

/// The program of one lane. The differential test is one of its own, which always compares with Apache.
fn program(lane: &str, target: &str) -> Command {
    if lane == "differential" {
        let mut command = Command::new(release_program("differential"));
        command.args(["--a", "apache", "--b", target]);
        return command;
    }
    let mut command = Command::new(release_program("lane"));
    command.args([lane, "--target", target]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_refused() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let options = Options::parse(&words("--lane kill9 --target apache --rounds 1000")).unwrap();
        assert_eq!(options.lanes, ["kill9"]);
        assert_eq!((options.target.as_deref(), options.rounds), (Some("apache"), Some(1000)));
        for wrong in ["--lane nosuch", "--lane", "--rounds many", "kazoo all"] {
            assert!(Options::parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
