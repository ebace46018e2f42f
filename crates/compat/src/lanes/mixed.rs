//! Apache's servers and ours in one ensemble, in every combination of roles.
//!
//! One story for each combination of three voters and an observer: cold start, writes through each member, a short absence (DIFF), a
//! long one and an emptied directory (SNAP), a leader that comes back with a proposal nobody else has (TRUNC), kill -9 of followers,
//! observer and leader; and two more stories with five voters, and with members replaced one after the other under load. Beside each
//! runs a checked load with a client at every member, and at its end all members show the same tree and the same digests.

mod rolling;
mod story;

use anyhow::Result;

use super::Case;
use crate::harness::{APACHE_OLDER, Target};

/// The combinations of the short form: members 1 to 3, of which the third leads first, and an observer.
fn short_form(ours: &Target) -> Vec<[Target; 4]> {
    let [ours, newest, older] = [ours.clone(), Target::apache(), older()];
    vec![
        [newest.clone(), older.clone(), ours.clone(), ours.clone()],
        [ours.clone(), older.clone(), newest.clone(), newest.clone()],
        [newest, ours.clone(), older, ours.clone()],
        [ours.clone(), ours.clone(), ours.clone(), ours],
    ]
}

/// The release line before the newest.
fn older() -> Target {
    Target::Apache { version: APACHE_OLDER.to_owned() }
}

/// Every combination: who leads, who follows, and who observes, the followers in either order.
fn long_form(ours: &Target) -> Vec<[Target; 4]> {
    let all = [ours.clone(), Target::apache(), older()];
    let mut seats = Vec::new();
    for (index, leader) in all.iter().enumerate() {
        for one in &all {
            for other in &all {
                // The observer goes round, so that each program observes under each leader.
                let observer = all.iter().cycle().nth(index + seats.len()).expect("a cycle has no end");
                seats.push([one.clone(), other.clone(), leader.clone(), observer.clone()]);
            }
        }
    }
    seats
}

/// The short form, or `rounds` times everything.
pub(crate) fn run(target: &Target, rounds: Option<u32>) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for round in 0..rounds.unwrap_or(1) {
        let seats = if rounds.is_some() { long_form(target) } else { short_form(target) };
        for (number, seats) in (1..).zip(seats) {
            let seed = u64::from(round) * 100 + number;
            cases.push(told(story::three_and_an_observer(seats, seed)));
        }
        cases.push(told(story::five_and_an_observer(target, u64::from(round) + 50)));
        cases.push(told(rolling::there_and_back(target, u64::from(round) + 60)));
    }
    Ok(cases)
}

/// Prints how a story went, and makes it a case.
#[expect(
    clippy::print_stdout,
    reason = "the lane program prints what this returns too; a long form wants it at once"
)]
fn told((name, result): (String, Result<String>)) -> Case {
    match &result {
        Ok(summary) => println!("{name}: {summary}"),
        Err(error) => println!("{name}: FAILED: {error:#}"),
    }
    Case::of(name, result.map(drop))
}
