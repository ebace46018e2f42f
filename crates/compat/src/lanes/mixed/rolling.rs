//! Members replaced one after the other while clients work, and back again.

use std::time::Instant;

use anyhow::{Context, Result};

use super::story::plan;
use crate::harness::{Kind, Target};
use crate::lanes::run::Run;

/// Apache 3.8 → ours → Apache 3.9 on the same directories, never more than one member down.
pub(super) fn there_and_back(ours: &Target, seed: u64) -> (String, Result<String>) {
    let ways = [super::older(), ours.clone(), Target::apache()];
    let name = format!("replaced one by one: {}, {}, {}", ways[0], ways[1], ways[2]);
    let began = Instant::now();
    let result = replace(ways, seed);
    (name, result.map(|summary| format!("{:.1?}, {summary}", began.elapsed())))
}

fn replace([first, rest @ ..]: [Target; 3], seed: u64) -> Result<String> {
    let kinds = [Kind::Voter, Kind::Voter, Kind::Voter, Kind::Observer];
    let plan = kinds.into_iter().fold(plan(), |plan, kind| plan.member(first.clone(), kind));
    let mut run = Run::start(plan, 3, 2, seed)?;
    let mut replaced = run.each_written(10);
    for target in rest {
        replaced = replaced.and_then(|()| replace_all(&mut run, &target));
    }
    run.ensemble.keep_on_failure(replaced)?;
    run.close()
}

/// Every member stops in order, and another program starts on what it leaves behind: the leader last.
fn replace_all(run: &mut Run, target: &Target) -> Result<()> {
    let leader = run.ensemble.leader()?;
    let mut order: Vec<u64> = run.ensemble.sids();
    order.sort_by_key(|sid| *sid == leader);
    for sid in order {
        let replaced = replace_one(run, sid, target);
        replaced.with_context(|| format!("replacing member {sid} by {target}"))?;
    }
    Ok(())
}

fn replace_one(run: &mut Run, sid: u64, target: &Target) -> Result<()> {
    let member = run.ensemble.member_mut(sid);
    member.stop()?;
    member.replace_by(target.clone())?;
    run.written(20)?;
    run.ensemble.start(&[sid])?;
    run.ensemble.serving(&[sid])?;
    run.each_written(5)
}
