//! START: from kill -9 to the first reply.

use anyhow::Result;

use super::report::{Row, at_most};
use super::server::Server;
use super::{Pair, Plan};
use crate::numbers::{median, short};
use crate::probe;

/// Kills and starts both servers several times. `bars`: must and aim in seconds.
pub(crate) fn compare(
    id: &str,
    what: &str,
    pair: &mut Pair,
    path: &str,
    plan: &Plan,
    bars: (f64, f64),
) -> Result<Row> {
    // Each round of Java costs ten seconds on a million znodes and hardly varies.
    let apache = times(&mut pair.apache, path, if plan.quick { 1 } else { 2 })?;
    let ours = times(&mut pair.ours, path, plan.rounds)?;
    let copied = probe::snapshot_copy(&pair.apache.dir.join("data")).ok();
    let (apache_s, ours_s) = (median(apache.iter().copied()), median(ours.iter().copied()));
    let limit_s = copied.as_ref().map_or(f64::NAN, |copied| copied.seconds);
    Ok(Row {
        id: id.to_owned(),
        what: what.to_owned(),
        must: format!("≤ {} s", bars.0),
        aim: format!("≤ {} s", bars.1),
        apache: format!("{apache_s:.2} s"),
        ours: format!("{ours_s:.3} s"),
        limit: format!("L6: {limit_s:.3} s"),
        ratio: format!("{}x", short(apache_s / ours_s)),
        of_limit: format!("{} x time", short(ours_s / limit_s)),
        verdict: at_most(ours_s, bars.0, Some(bars.1)),
        raw: serde_json::json!({ "apache_s": apache, "ours_s": ours, "limit": copied }),
    })
}

fn times(server: &mut Server, path: &str, rounds: usize) -> Result<Vec<f64>> {
    let one = |_| {
        server.kill()?;
        Ok(server.restart(path)?.as_secs_f64())
    };
    (0..rounds).map(one).collect()
}
