//! Three members of Apache's and three of ours, measured side by side; and ensembles of both.
//!
//! Phases, each with fresh members: the small tree, observers, the large tree.

mod failover;
mod members;
mod observers;
mod sync;

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::report::{Row, at_most};
use super::{Phase, Plan, Table, rounds};
use crate::measure;
use crate::numbers::{per, short};
use crate::process::resident_bytes;
use crate::progress::Progress;
use crate::workload::{ENSEMBLE_WORKLOADS, Tree, main_fill};
use members::Ensemble;

/// In this order.
pub(super) const PHASES: [Phase; 3] = [small, observed, large];

/// What is measured beside the workloads.
pub(super) const SCENARIOS: [&str; 7] =
    ["RSS-idle", "FAIL-1k", "FAIL-mixed-1k", "OBS", "SYNC", "FAIL-1M", "FAIL-mixed-1M"];

/// Three members of each.
struct Pair {
    apache: Ensemble,
    ours: Ensemble,
}

impl Pair {
    fn start(plan: &Plan, tree: Tree, observers: usize) -> Result<Self> {
        let [apache, ours] = [plan.apache(tree), plan.ours()].map(|kind| {
            let dir = plan.work.join(format!("ensemble-{}", kind.name()));
            Ensemble::start(&[kind.clone(), kind.clone(), kind], observers, &dir)
        });
        Ok(Self { apache: apache?, ours: ours? })
    }
}

/// Two of ours and one of Apache's, which leads at first: of equals the highest id wins.
fn mixed(plan: &Plan, tree: Tree) -> Result<Ensemble> {
    let kinds = [plan.ours(), plan.ours(), plan.apache(tree)];
    Ensemble::start(&kinds, 0, &plan.work.join("ensemble-mixed"))
}

fn small(plan: &Plan, rows: &mut Table, _notes: &mut Vec<String>) -> Result<()> {
    let workloads: Vec<_> = ENSEMBLE_WORKLOADS.iter().filter(|workload| plan.wants(workload.id)).collect();
    let scenarios = ["RSS-idle", "FAIL-1k", "FAIL-mixed-1k"];
    if workloads.is_empty() && !scenarios.iter().any(|id| plan.wants(id)) {
        return Ok(());
    }
    let mut pair = Pair::start(plan, Tree::Small, 0)?;
    if plan.wants("RSS-idle") {
        rows.push(idle(&pair)?);
    }
    for ensemble in [&pair.apache, &pair.ours] {
        measure::load_tree(ensemble.leader()?.addr, Tree::Small, &Progress::new("load"))?;
    }
    for workload in workloads {
        let [apache, ours] = [pair.apache.target(workload.via)?, pair.ours.target(workload.via)?];
        rows.push(rounds::compare(workload, &apache, &ours, plan)?);
    }
    fail(plan, rows, &mut pair, Tree::Small, "1k")
}

fn observed(plan: &Plan, rows: &mut Table, _notes: &mut Vec<String>) -> Result<()> {
    if !plan.wants("OBS") {
        return Ok(());
    }
    let most = observers::COUNTS.into_iter().max().unwrap_or(0);
    let mut pair = Pair::start(plan, Tree::Small, most)?;
    for ensemble in [&pair.apache, &pair.ours] {
        measure::load_tree(ensemble.leader()?.addr, Tree::Small, &Progress::new("load"))?;
    }
    rows.push(observers::compare(&mut pair.apache, &mut pair.ours, plan)?);
    Ok(())
}

fn large(plan: &Plan, rows: &mut Table, _notes: &mut Vec<String>) -> Result<()> {
    if !["SYNC", "FAIL-1M", "FAIL-mixed-1M"].iter().any(|id| plan.wants(id)) {
        return Ok(());
    }
    let mut pair = Pair::start(plan, Tree::Large, 0)?;
    for ensemble in [&pair.apache, &pair.ours] {
        load_main(ensemble)?;
    }
    if plan.wants("SYNC") {
        rows.push(sync::compare(&mut pair.apache, &mut pair.ours, plan.rounds)?);
    }
    fail(plan, rows, &mut pair, Tree::Large, "1M")
}

fn load_main(ensemble: &Ensemble) -> Result<()> {
    let leader = ensemble.leader()?.addr;
    measure::make_parents(leader)?;
    measure::fill(leader, &main_fill(Tree::Large), &Progress::new("load 1 M"))
}

/// FAIL for three of each and for both together.
fn fail(plan: &Plan, rows: &mut Table, pair: &mut Pair, tree: Tree, size: &str) -> Result<()> {
    let (alone, together) = (format!("FAIL-{size}"), format!("FAIL-mixed-{size}"));
    if !plan.wants(&alone) && !plan.wants(&together) {
        return Ok(());
    }
    let what = format!("leader killed to first new write, {size} znodes");
    let apache = failover::rounds(&mut pair.apache, plan.rounds)?;
    if plan.wants(&alone) {
        let ours = failover::rounds(&mut pair.ours, plan.rounds)?;
        rows.push(failover::row(&alone, &what, &apache, &ours));
    }
    if plan.wants(&together) {
        let mut ensemble = mixed(plan, tree)?;
        match tree {
            Tree::Small => measure::load_tree(ensemble.leader()?.addr, tree, &Progress::new("load"))?,
            Tree::Large => load_main(&ensemble)?,
        }
        // Killed in turn: whoever comes back has the highest id again, or not.
        let times = failover::rounds(&mut ensemble, 2 * plan.rounds)?;
        let what = format!("{what}; two of ours, one of Apache's");
        rows.push(failover::mixed_row(&together, &what, &apache, &times));
    }
    Ok(())
}

/// The memory of members that have nothing to do.
fn idle(pair: &Pair) -> Result<Row> {
    // What starting needed may be given back.
    std::thread::sleep(Duration::from_secs(1));
    let most = |ensemble: &Ensemble| -> Result<f64> {
        let sizes = ensemble.members().iter().map(|member| resident_bytes(member.pid()));
        let sizes = sizes.collect::<Result<Vec<_>>>()?;
        Ok(per(sizes.into_iter().max().unwrap_or(0), 1_000_000))
    };
    let (apache, ours) = (most(&pair.apache)?, most(&pair.ours)?);
    Ok(Row {
        id: "RSS-idle".to_owned(),
        what: "idle member, the largest of three".to_owned(),
        must: "≤ 15 MB RSS".to_owned(),
        aim: "≤ 10 MB".to_owned(),
        apache: format!("{apache:.0} MB"),
        ours: format!("{ours:.1} MB"),
        ratio: format!("1/{}", short(apache / ours)),
        verdict: at_most(ours, 15.0, Some(10.0)),
        raw: json!({ "apache_mb": apache, "ours_mb": ours }),
        ..Row::default()
    })
}
