//! What is printed about a round that found a difference.

use std::fmt;

use super::run::{Difference, Outcome};
use super::step::Step;

/// How many steps before the difference are shown.
const STEPS_SHOWN: usize = 20;

/// A difference with what led to it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The round's seed.
    pub seed: u64,
    /// The round itself.
    pub outcome: &'a Outcome,
    /// What it found.
    pub difference: &'a Difference,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, outcome, difference } = self;
        writeln!(out, "DIFFERENCE with seed {seed} after {} steps", outcome.steps.len())?;
        write!(out, "{difference}")?;
        let slot = Some(difference.slot);
        let mine =
            |step: &&Step| step.slot().is_none() || step.slot() == slot || outcome.steps.len() <= STEPS_SHOWN;
        let steps: Vec<_> = outcome.steps.iter().filter(mine).collect();
        let shown = steps.iter().skip(steps.len().saturating_sub(STEPS_SHOWN));
        writeln!(out, "what led to it:")?;
        shown.into_iter().try_for_each(|step| writeln!(out, "  {step}"))
    }
}
