//! Finding a short sequence that still shows a difference, by leaving steps out.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::run::{Outcome, Setup, replayed};

/// Leaves out ever smaller pieces as long as some difference remains and time is left; each attempt needs two fresh servers.
///
/// A step whose connection is missing is skipped by itself, so any selection of steps can be done.
///
/// # Errors
/// When a server does not start.
pub fn shrink(setup: &Setup, found: Outcome, budget: Duration) -> Result<Outcome> {
    let deadline = Instant::now() + budget;
    let mut best = found;
    let mut piece = best.steps.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < best.steps.len() {
            if Instant::now() > deadline {
                return Ok(best);
            }
            let (before, rest) = best.steps.split_at(at);
            let after = rest.get(piece..).unwrap_or_default();
            let attempt = replayed(setup, &[before, after].concat())?;
            if attempt.difference.is_some() {
                best = attempt;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    Ok(best)
}
