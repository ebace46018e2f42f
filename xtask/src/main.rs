//! The project's own commands. `cargo xtask` without a word prints them.
//!
//! They are one program instead of shell scripts so that a developer's machine and CI run the very same steps.

mod arrows;
mod bench;
mod check;
mod compat;
mod fuzz;
mod licences;
mod run;
mod setup;
mod sim;
mod soak;
mod summary;
mod test;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask COMMAND

  setup                       install what the compatibility lanes need, below target/compat
  check                       formatting, lints, documentation, crate arrows, licences, unit tests, fuzz seeds, a short simulation
  test                        everything CI runs: setup, release build, unit tests, fuzz seeds, simulation, all lanes
  compat [--lane NAME]...     setup, release build, and the named lanes (all without --lane)
         [--target T]         oxkeeper (default), apache, or a release such as apache-3.8.6
         [--rounds N]         crashes of the kill9 lane, scripts of the differential lane, long forms of mixed and faults
  soak [--hours N]            the lanes that crash, cut and mix, in their long form, for N hours (default 1)
  fuzz [--seconds N]          run each fuzz target for N seconds (default 600), two at a time
  sim [--seeds N] [--from S]  simulate ensembles from seeds; --seconds T: for so long; --seed S --trace: one, line by line;
                              --plants: find every mistake of `mutants`; --script FILE: a scenario
  bench --against apache      compare speed and memory with Apache, write bench/RESULTS.md (--ensemble: three members, bench/ENSEMBLE.md)
";

/// Says what came out as an exit code: 0, or 1 with the error on stderr.
#[expect(clippy::print_stderr, reason = "a command line program tells its error here")]
fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command the first word names.
fn dispatch(words: &[String]) -> Result<()> {
    let Some((command, rest)) = words.split_first() else {
        bail!("which command?\n\n{USAGE}");
    };
    match (command.as_str(), rest) {
        ("setup", []) => setup::setup(),
        ("check", []) => check::check(),
        ("test", []) => test::test(),
        ("compat", rest) => compat::compat(rest),
        ("soak", rest) => soak::soak(rest),
        ("fuzz", rest) => fuzz::fuzz(rest),
        ("sim", rest) => sim::sim(rest),
        ("bench", rest) => bench::bench(rest),
        _ => bail!("`{}` is no command\n\n{USAGE}", words.join(" ")),
    }
}
