//! `cargo xtask soak`: the lanes that crash, cut and mix, again and again.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::compat::build;
use crate::run::{release_program, run_and_read, say};
use crate::setup::setup;
use crate::summary::{Summary, numbers};

/// What is repeated, and how many rounds of each make one pass.
const LANES: [(&str, u32); 4] = [("mixed", 1), ("faults", 4), ("ensemble_bad_input", 1), ("kill9", 100)];
/// How long it goes on when nobody says.
const HOURS: u32 = 1;

/// Repeats all lanes until the time is over; the pass that has begun is finished.
///
/// # Errors
/// When a lane cannot be run, or any check fails: then it ends with the pass, so that what failed can be looked at.
pub(crate) fn soak(words: &[String]) -> Result<()> {
    let hours = hours(words)?;
    setup()?;
    build()?;
    let end = Instant::now() + Duration::from_secs(u64::from(hours) * 3600);
    for pass in 1.. {
        say(&format!("pass {pass}"));
        let mut summary = Summary::default();
        for (lane, rounds) in LANES {
            let mut command = Command::new(release_program("lane"));
            command.args([lane, "--rounds", &rounds.to_string()]);
            let mut last = (0, 0);
            let succeeded = run_and_read(&mut command, |line| last = numbers(line).unwrap_or(last))?;
            summary.add_ended(lane, last, succeeded);
        }
        summary.close()?;
        if Instant::now() > end {
            break;
        }
    }
    Ok(())
}

/// Reads the words after `soak`.
fn hours(words: &[String]) -> Result<u32> {
    match words {
        [] => Ok(HOURS),
        [option, hours] if option == "--hours" => hours.parse().with_context(|| format!("--hours {hours}")),
        _ => bail!("`{}` is no option of soak", words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_other_words_refused() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(hours(&words("")).unwrap(), HOURS);
        assert_eq!(hours(&words("--hours 12")).unwrap(), 12);
        for wrong in ["--hours", "--hours many", "--rounds 3"] {
            assert!(hours(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
