//! `cargo xtask fuzz`, and the part of it that every check runs: the seeds.
//!
//! What a target is and holds its code to stands in `fuzz/README.md`.

use std::fs::{self, File};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, repository, run, say, succeeds, target_dir};
use crate::summary::Summary;
use crate::test::count;

const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// How many targets run at once: each takes a core and up to 1.5 GiB.
const AT_ONCE: usize = 2;

/// How long each target runs unless told otherwise.
const SECONDS: NonZeroU32 = NonZeroU32::new(600).expect("600 is not 0");

/// What libFuzzer is told beside the time. An input that takes more memory or 10 seconds is a finding, too.
const LIMITS: [&str; 4] = ["-rss_limit_mb=1500", "-malloc_limit_mb=600", "-timeout=10", "-max_len=6000"];

/// Every seed through its target, in a debug build and without libFuzzer.
///
/// It has a target directory of its own because it is a workspace of its own, with its own lock file.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn seeds(summary: &mut Summary) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--manifest-path", "fuzz/Cargo.toml", "--locked", "--target-dir"]);
    command.arg(target_dir().join("fuzz-seeds"));
    count(&mut command, "fuzz seeds", summary)
}

/// Runs each target from its seeds and what earlier runs found, on stable Rust.
///
/// # Errors
/// When the tool cannot be had, the targets cannot be built, or any target falls.
pub(crate) fn fuzz(words: &[String]) -> Result<()> {
    let seconds = seconds(words)?;
    install()?;
    // Once and alone: two runs would only wait for one another.
    run(cargo_fuzz().args(["build", "--features", "libfuzzer"]))?;
    let targets = targets()?;
    let logs = target_dir().join("fuzz-logs");
    fs::create_dir_all(&logs)?;
    let left = Mutex::new(targets.into_iter());
    let counts = thread::scope(|scope| {
        let worker = || -> Result<(u64, u64)> {
            let (mut passed, mut failed) = (0, 0);
            loop {
                let next = left.lock().expect("nobody panics with the list").next();
                let Some(target) = next else { return Ok((passed, failed)) };
                let held = run_target(&target, seconds, logs.join(format!("{target}.log")))?;
                *if held { &mut passed } else { &mut failed } += 1;
            }
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().expect("a worker returns its errors"));
        ended.collect::<Result<Vec<_>>>()
    })?;
    let mut summary = Summary::default();
    let (passed, failed) = counts.iter().fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
    summary.add_ended("fuzz", (passed, failed), true);
    summary.close()
}

/// Reads the words after `fuzz`.
fn seconds(words: &[String]) -> Result<NonZeroU32> {
    match words {
        [] => Ok(SECONDS),
        [option, value] if option == "--seconds" => {
            // libFuzzer takes 0 for no end.
            value.parse().with_context(|| format!("`--seconds {value}` is no number from 1 on"))
        }
        _ => bail!("say `cargo xtask fuzz` or `cargo xtask fuzz --seconds N`"),
    }
}

fn install() -> Result<()> {
    if succeeds("cargo", &["fuzz", "--version"]) {
        return Ok(());
    }
    run(cargo().args(["install", "cargo-fuzz", "--version", CARGO_FUZZ_VERSION, "--locked"]))
}

/// `cargo fuzz`, in its folder. The sanitizers are behind a switch that stable Rust only takes with this variable.
fn cargo_fuzz() -> Command {
    let mut command = cargo();
    command.current_dir(repository().join("fuzz")).env("RUSTC_BOOTSTRAP", "1").arg("fuzz");
    command
}

fn targets() -> Result<Vec<String>> {
    let listed = cargo_fuzz().arg("list").output().context("starting cargo fuzz list")?;
    ensure!(listed.status.success(), "cargo fuzz list: {}", String::from_utf8_lossy(&listed.stderr));
    let names: Vec<String> = String::from_utf8(listed.stdout)?.lines().map(str::to_owned).collect();
    ensure!(!names.is_empty(), "cargo fuzz list names no target");
    Ok(names)
}

/// Runs one target with its output in `log`; whether it held.
fn run_target(target: &str, seconds: NonZeroU32, log: PathBuf) -> Result<bool> {
    let corpus = format!("corpus/{target}");
    fs::create_dir_all(repository().join("fuzz").join(&corpus))?;
    let out = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
    let mut command = cargo_fuzz();
    command.args(["run", "--features", "libfuzzer", target, &corpus, &format!("seeds/{target}"), "--"]);
    command.arg(format!("-max_total_time={seconds}")).args(LIMITS);
    command.stdout(out.try_clone()?).stderr(out);
    say(&format!("{target} runs for {seconds} s, see {}", log.display()));
    let status = command.status().with_context(|| format!("starting cargo fuzz for {target}"))?;
    if status.success() {
        say(&format!("{target} held"));
    } else {
        say(&format!(
            "{target} fell; the input lies in fuzz/artifacts/{target}, the story in {}",
            log.display()
        ));
    }
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_target_is_given_in_seconds_and_ends() {
        let read = |words: &[&str]| seconds(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&[]).ok(), Some(SECONDS));
        assert_eq!(read(&["--seconds", "5"]).ok(), NonZeroU32::new(5));
        for wrong in [&["--seconds"][..], &["--seconds", "0"], &["--seconds", "x"], &["5"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
