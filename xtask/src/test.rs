//! `cargo xtask test`: what CI runs.

use anyhow::Result;

use crate::compat::{Options, build, run_lanes};
use crate::run::{cargo, run_and_read, succeeds};
use crate::setup::setup;
use crate::summary::{Summary, numbers};

/// Setup, release build, unit tests, and every lane against this server; at the end what each came to.
///
/// # Errors
/// When a step breaks or any check fails. A failing unit test does not hide what the lanes find.
pub(crate) fn test() -> Result<()> {
    setup()?;
    build()?;
    let mut summary = Summary::default();
    unit_tests(&mut summary)?;
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
    let (mut passed, mut failed) = (0, 0);
    let succeeded = run_and_read(&mut command, |line| {
        if let Some((more_passed, more_failed)) = numbers(line) {
            passed += more_passed;
            failed += more_failed;
        }
    })?;
    summary.add_ended("unit", (passed, failed), succeeded);
    Ok(())
}
