//! `cargo xtask sim`: whole ensembles in virtual time.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, repository, run, target_dir};
use crate::summary::Summary;
use crate::test::count;

/// Builds the simulator and hands the words on to it: `--seeds N`, `--from S`, `--seconds T`, `--seed S --trace`,
/// `--script FILE`; with `--plants`, `--plant NAME` one in which mistakes can be switched on.
///
/// # Errors
/// When it does not build, or any promise is broken.
pub(crate) fn sim(words: &[String]) -> Result<()> {
    let plants = words.iter().any(|word| word.starts_with("--plant"));
    let program = if plants { program_with_mistakes()? } else { program()? };
    run(Command::new(program).current_dir(repository()).args(words))
}

/// What every change has to hold (reliability.md §7): at least 1,000 seeds and 100 simulated hours in five minutes on two
/// cores; and it finds every mistake of `mutants`.
///
/// # Errors
/// When it does not build.
pub(crate) fn long(summary: &mut Summary) -> Result<()> {
    part(&["--seeds", "1000", "--chaos", "360"], "sim", summary)?;
    let words = ["--plants", "--seeds", "300"];
    count(
        Command::new(program_with_mistakes()?).current_dir(repository()).args(words),
        "sim, mistakes found",
        summary,
    )
}

/// A few seconds of it.
///
/// # Errors
/// When it does not build.
pub(crate) fn short(summary: &mut Summary) -> Result<()> {
    part(&["--seeds", "60", "--chaos", "60"], "sim", summary)
}

fn part(words: &[&str], name: &str, summary: &mut Summary) -> Result<()> {
    count(Command::new(program()?).current_dir(repository()).args(words), name, summary)
}

/// Optimized, and yet with every assertion; a panic has to come back as a finding.
fn program() -> Result<PathBuf> {
    run(cargo().args(["build", "--profile", "sim", "--package", "sim", "--locked"]))?;
    Ok(target_dir().join("sim").join("sim"))
}

/// The same with the mistakes of `mutants` in it, in a place of its own: nothing else is ever built there.
fn program_with_mistakes() -> Result<PathBuf> {
    let target = target_dir().join("mutants");
    let mut command = cargo();
    command.env("RUSTFLAGS", "--cfg mutants").env("CARGO_TARGET_DIR", &target);
    run(command.args(["build", "--profile", "sim", "--package", "sim", "--locked"]))?;
    Ok(target.join("sim").join("sim"))
}
