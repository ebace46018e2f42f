//! Real faults on an ensemble: cut, slow and lossy networks, processes that stand still or die, a full disk.
//!
//! Three members, each in a network namespace, go through every fault while a client at each writes and reads; after each the members
//! have to settle and every client has to get on. The history of the whole run is checked at the end. Member 1 lives on a small file
//! system of its own.

mod field;
mod trouble;

use std::time::Instant;

use anyhow::{Context, Result};

use super::Case;
use crate::harness::{APACHE_OLDER, Target};
use field::Field;

/// Ours alone, and ours between Apache's; in the long form both many times.
pub(crate) fn run(target: &Target, rounds: Option<u32>) -> Result<Vec<Case>> {
    let older = Target::Apache { version: APACHE_OLDER.to_owned() };
    let teams = [[target.clone(), target.clone(), target.clone()], [target.clone(), Target::apache(), older]];
    let mut cases = Vec::new();
    for round in 0..rounds.unwrap_or(1) {
        for (number, team) in (1..).zip(&teams) {
            cases.extend(through_everything(team, u64::from(round) * 10 + number)?);
        }
    }
    Ok(cases)
}

/// One ensemble and all faults, one after the other.
#[expect(
    clippy::print_stdout,
    reason = "the lane program prints what this returns too; a long form wants it at once"
)]
fn through_everything(team: &[Target; 3], seed: u64) -> Result<Vec<Case>> {
    let [one, two, three] = team;
    let name = format!("{one}, {two}, {three}");
    let mut cases = Vec::new();
    let mut field = Field::start(team, seed).with_context(|| name.clone())?;
    let mut times = Vec::new();
    for (trouble, run) in trouble::ALL {
        let began = Instant::now();
        times.push(format!("{trouble} from {:.1?}", field.run.load.began().elapsed()));
        let result = run(&mut field).and_then(|()| field.recovered());
        println!(
            "{name}: {trouble}: {:.1?}{}",
            began.elapsed(),
            if result.is_err() { ", FAILED" } else { "" }
        );
        let broken = result.is_err();
        cases.push(Case::of(format!("{name}: {trouble}"), field.run.ensemble.keep_on_failure(result)));
        if broken {
            return Ok(cases);
        }
    }
    let verdict = field.close().with_context(|| times.join("; "));
    if let Ok(summary) = &verdict {
        println!("{name}: {summary}");
    }
    cases.push(Case::of(format!("{name}: the history"), verdict.map(drop)));
    Ok(cases)
}
