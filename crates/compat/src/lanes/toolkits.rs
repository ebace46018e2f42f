//! The file tools: Apache's classes and our scripts on the same logs, snapshots and directories.
//!
//! Both servers write data directories with sessions, ephemerals, multis, access control lists, TTL znodes and containers,
//! plain, gzip and snappy. Their files are damaged in many ways, and then each tool runs on each: standard output, standard
//! error, exit code and the files it leaves behind have to be the same. Apache's tools all run in one virtual machine.

mod history;
mod layout;
mod originals;
mod plan;
mod seen;

use anyhow::Result;

use super::Case;
use crate::harness::Target;
use history::Histories;
use originals::run_originals;
use plan::Plan;
use seen::Seen;

/// Runs every tool on every file.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let dir = tempfile::Builder::new().prefix("compat-toolkits-").tempdir()?;
    let histories = Histories::write(target, dir.path())?;
    let plan = Plan::new(&histories, &dir.path().join("runs"))?;
    plan.lay_out()?;
    run_originals(plan.dir())?;
    let wanted = plan.runs().iter().map(|run| Seen::of_original(&run.dir)).collect::<Result<Vec<_>>>()?;
    plan.lay_out()?;
    // Against Apache's own tools the lane shows that its mappings hide no difference that is always there.
    if matches!(target, Target::Apache { .. }) {
        run_originals(plan.dir())?;
    }
    let mut cases = Vec::new();
    for (run, wanted) in plan.runs().iter().zip(wanted) {
        let got = match target {
            Target::Apache { .. } => Seen::of_original(&run.dir)?,
            Target::Oxkeeper => Seen::of_script(run)?,
        };
        cases.push(Case::equal(&run.name, &wanted.text, &got.text));
    }
    if *target == Target::Oxkeeper {
        cases.extend(layout::run(&histories)?);
    }
    Ok(cases)
}
