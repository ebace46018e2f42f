//! Finding a short sequence that still shows a difference, by leaving steps out.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::run::{Outcome, Setup, replayed};
use super::step::{Connect, Step};

/// Most differences need only what came right before them: how many steps are tried on a fresh session first.
const LAST_STEPS: [usize; 4] = [1, 4, 16, 64];

/// Leaves out ever smaller pieces as long as some difference remains and time is left; each attempt needs two fresh servers.
///
/// A step whose connection is missing is skipped by itself, so any selection of steps can be done.
///
/// # Errors
/// When a server does not start.
pub fn shrink(setup: &Setup, found: Outcome, budget: Duration) -> Result<Outcome> {
    let deadline = Instant::now() + budget;
    let mut best = last_steps(setup, found, deadline)?;
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

/// A new session on every slot and the last few steps, if that is enough.
fn last_steps(setup: &Setup, found: Outcome, deadline: Instant) -> Result<Outcome> {
    let fresh = (0..setup.slots).map(|slot| Step::Connect { slot, connect: Connect::new_session() });
    let fresh: Vec<_> = fresh.collect();
    for keep in LAST_STEPS {
        let Some(from) = found.steps.len().checked_sub(keep + fresh.len()) else { break };
        if Instant::now() > deadline {
            break;
        }
        let last = found.steps.get(from + fresh.len()..).unwrap_or_default();
        let attempt = replayed(setup, &[fresh.as_slice(), last].concat())?;
        if attempt.difference.is_some() {
            return Ok(attempt);
        }
    }
    Ok(found)
}
