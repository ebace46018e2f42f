//! `differential --a apache --b oxkeeper --seed N --steps N --sessions N --rounds N`: the randomised comparison of two servers.
//!
//! Ends with the line `N passed, N failed`, counting rounds, and with 1 when one failed. The seed of a failed round repeats it
//! with `--rounds 1`.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use compat::diff::report::Report;
use compat::diff::run::{Setup, generated};
use compat::diff::shrink::shrink;
use compat::diff::tally::Tally;
use compat::harness::Target;

const USAGE: &str = "differential [--a apache] [--b oxkeeper] [--seed 1] [--steps 1000] [--sessions 4] [--rounds 5] \
                     [--shrink-seconds 60] [--tally yes] [--trace yes]";

struct Options {
    a: Target,
    b: Target,
    seed: u64,
    steps: usize,
    sessions: usize,
    rounds: u64,
    shrink: Duration,
    /// Print what was touched.
    tally: bool,
    /// Print every step.
    trace: bool,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            a: Target::apache(),
            b: Target::Oxkeeper,
            seed: 1,
            steps: 1000,
            sessions: 4,
            rounds: 5,
            shrink: Duration::from_secs(60),
            tally: false,
            trace: false,
        };
        while let Some(name) = words.next() {
            let value = words.next().with_context(|| format!("{name} needs a value; {USAGE}"))?;
            let wrong = || format!("{name} {value}; {USAGE}");
            match name.as_str() {
                "--a" => options.a = value.parse()?,
                "--b" => options.b = value.parse()?,
                "--seed" => options.seed = value.parse().with_context(wrong)?,
                "--steps" => options.steps = value.parse().with_context(wrong)?,
                "--sessions" => {
                    options.sessions = value.parse::<std::num::NonZeroUsize>().with_context(wrong)?.get()
                }
                "--rounds" => options.rounds = value.parse().with_context(wrong)?,
                "--shrink-seconds" => {
                    options.shrink = Duration::from_secs(value.parse().with_context(wrong)?)
                }
                "--tally" => options.tally = value == "yes",
                "--trace" => options.trace = value == "yes",
                unknown => bail!("{unknown} is no option; {USAGE}"),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut failed = 0;
    let mut tally = Tally::default();
    for round in 0..options.rounds {
        failed += u64::from(!passes(&options, options.seed.wrapping_add(round), &mut tally)?);
    }
    if options.tally {
        write!(stdout(), "{tally}")?;
    }
    writeln!(stdout(), "{} passed, {failed} failed", options.rounds - failed)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one round and prints how it went.
fn passes(options: &Options, seed: u64, tally: &mut Tally) -> Result<bool> {
    let mut out = stdout();
    let setup = Setup::draw(options.a.clone(), options.b.clone(), options.sessions, seed);
    writeln!(out, "seed {seed}: {setup}")?;
    let started = Instant::now();
    let outcome = generated(&setup, seed, options.steps)?;
    tally.merge(&outcome.tally);
    if options.trace {
        outcome.steps.iter().try_for_each(|step| writeln!(out, "{step}"))?;
    }
    let (steps, compared) = (outcome.steps.len(), outcome.compared);
    writeln!(out, "seed {seed}: {steps} steps, {compared} answers and events, {:.1?}", started.elapsed())?;
    let mut rules = outcome.allowed.clone();
    rules.sort_unstable();
    rules.dedup();
    rules.iter().try_for_each(|rule| writeln!(out, "seed {seed}: allowed by rule {rule}"))?;
    outcome.silences.iter().try_for_each(|step| writeln!(out, "seed {seed}: no answer at all to: {step}"))?;
    let Some(difference) = &outcome.difference else { return Ok(true) };
    write!(out, "{}", Report { seed, outcome: &outcome, difference })?;
    if !options.shrink.is_zero() {
        let shorter = shrink(&setup, outcome.clone(), options.shrink)?;
        if let Some(difference) = shorter.difference.as_ref().filter(|_| shorter.steps.len() < steps) {
            writeln!(out, "shrunk:")?;
            write!(out, "{}", Report { seed, outcome: &shorter, difference })?;
        }
    }
    Ok(false)
}
