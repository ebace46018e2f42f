//! SYNC: a follower that lost its disk comes back to an ensemble with a million znodes.

use std::fs;

use anyhow::Result;
use serde_json::json;

use super::members::Ensemble;
use crate::compare::report::{Row, at_least};
use crate::numbers::{median, short};
use crate::process::Sample;

/// The last znode of the main part of the tree: who serves it has everything.
const LAST: &str = "/b/00999999";

/// One synchronization: seconds from the start of the process, its CPU and the leader's in seconds.
type Once = (f64, f64, f64);

/// The line.
pub(crate) fn compare(apache: &mut Ensemble, ours: &mut Ensemble, rounds: usize) -> Result<Row> {
    // Each round of Java costs more than ten seconds and hardly varies.
    let apache = times(apache, rounds.min(2))?;
    let ours = times(ours, rounds)?;
    let middle = |rounds: &[Once], value: fn(&Once) -> f64| median(rounds.iter().map(value));
    let cell = |rounds: &[Once]| {
        format!(
            "{:.2} s, CPU {:.2} s and the leader's {:.2} s",
            middle(rounds, |once| once.0),
            middle(rounds, |once| once.1),
            middle(rounds, |once| once.2)
        )
    };
    let times = middle(&apache, |once| once.0) / middle(&ours, |once| once.0);
    Ok(Row {
        id: "SYNC".to_owned(),
        what: "empty follower, 1 M znodes: process start to first reply".to_owned(),
        must: "≥ 10x".to_owned(),
        aim: "≥ 20x".to_owned(),
        apache: cell(&apache),
        ours: cell(&ours),
        ratio: format!("{}x", short(times)),
        verdict: at_least(times, 10.0, Some(20.0)),
        raw: json!({ "apache": apache, "ours": ours }),
        ..Row::default()
    })
}

fn times(ensemble: &mut Ensemble, rounds: usize) -> Result<Vec<Once>> {
    (0..rounds).map(|_| once(ensemble)).collect()
}

fn once(ensemble: &mut Ensemble) -> Result<Once> {
    let (leader, followers) = ensemble.leader_and_followers()?;
    let leader = ensemble.member(leader).pid();
    let follower = ensemble.member(followers[0]);
    follower.kill()?;
    // Everything goes but who it is.
    fs::remove_dir_all(follower.dir.join("data").join("version-2"))?;
    let before = Sample::take(&[leader])?;
    let elapsed = follower.restart(LAST)?;
    let own = Sample::since_start(follower.pid())?;
    let leader = before.cpu_until(&Sample::take(&[leader])?);
    Ok((elapsed.as_secs_f64(), own.as_secs_f64(), leader.as_secs_f64()))
}
