//! `cargo xtask test`: what CI runs.

use std::process::Command;

use anyhow::Result;

use crate::compat::{Options, build, run_lanes};
use crate::run::{cargo, run_and_read, succeeds};
use crate::setup::setup;
use crate::summary::{Summary, numbers};
use crate::{fuzz, sim};

/// Setup, release build, unit tests, the fuzzer's seeds, the simulation, and every lane against this server; at the end what each came to.
///
/// # Errors
/// When a step breaks or any check fails. A failing unit test does not hide what the lanes find.
pub(crate) fn test() -> Result<()> {
    setup()?;
    build()?;
    let mut summary = Summary::default();
    unit_tests(&mut summary)?;
    fuzz::seeds(&mut summary)?;
    sim::long(&mut summary)?;
    run_lanes(&Options::default(), &mut summary)?;
    summary.close()
}

/// All unit tests, by nextest where it is installed.
pub(crate) fn unit_tests(summary: &mut Summary) -> Result<()> {
    let mut command = cargo();
    if succeeds("cargo", &["nextest", "--version"]) {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--locked"]);
    } else {
        command.args(["test", "--workspace", "--all-targets", "--no-fail-fast", "--locked"]);
    }
    count(&mut command, "unit", summary)
}

/// Runs tests and notes what their closing lines say as one part.
///
/// # Errors
/// When the command cannot be started.
pub(crate) fn count(command: &mut Command, part: &str, summary: &mut Summary) -> Result<()> {
    let (mut passed, mut failed) = (0, 0);
    let succeeded = run_and_read(command, |line| {
        if let Some((more_passed, more_failed)) = numbers(line) {
            passed += more_passed;
            failed += more_failed;
        }
    })?;
    summary.add_ended(part, (passed, failed), succeeded);
    Ok(())
}
