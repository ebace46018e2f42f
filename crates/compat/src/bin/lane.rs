//! Runs one compatibility lane: `lane NAME [--target oxkeeper|apache|apache-3.8.6] [--rounds N]`.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use compat::harness::Target;
use compat::lanes::{Options, run};

#[expect(clippy::print_stderr, reason = "a command line program tells its error here")]
fn main() -> ExitCode {
    match lane() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lane: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the lane, prints what does not hold and the closing line, and gives how many checks failed.
#[expect(clippy::print_stdout, reason = "a command line program tells its result here")]
fn lane() -> Result<usize> {
    let mut words = env::args().skip(1);
    let name = words.next().context("which lane?")?;
    let mut options = Options::new(Target::Oxkeeper);
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} wants a value"))?;
        match word.as_str() {
            "--target" => options.target = value.parse()?,
            "--rounds" => options.rounds = Some(value.parse()?),
            _ => bail!("`{word}` is no option"),
        }
    }
    let began = Instant::now();
    let cases = run(&name, &options).with_context(|| format!("lane {name} against {}", options.target))?;
    let mut failed = 0;
    for case in &cases {
        if let Some(trouble) = &case.trouble {
            failed += 1;
            println!("FAILED {}\n{}\n", case.name, trouble.trim_end());
        }
    }
    println!("{name} against {} took {:.1} s", options.target, began.elapsed().as_secs_f64());
    println!("{name}: {} passed, {failed} failed", cases.len() - failed);
    Ok(failed)
}
