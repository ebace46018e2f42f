//! CONN: how fast sessions open, and how fast they all come back after every connection broke.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::report::{Row, at_least};
use super::server::ProbeServer;
use super::{Pair, Plan};
use crate::measure::{SESSION_TIMEOUT_MS, Target};
use crate::numbers::{median, short};
use crate::process::Sample;
use crate::session::{close_all, open_each, open_over};
use crate::workload::Workload;

/// Sessions in each round.
const COUNT: usize = 10_000;
/// Handshakes under way at once while everyone comes back.
const STORM: usize = 1_000;

/// One round: sessions per second, server CPU for each in us, seconds until all were back.
type Once = (f64, f64, f64);

/// Both lines.
pub(crate) fn compare(pair: &Pair, plan: &Plan) -> Result<Vec<Row>> {
    let echo = Workload::find("R1").context("a workload of the table")?;
    let probe = ProbeServer::start(echo, &plan.work.join("probe"))?;
    let targets = [pair.apache.target(), pair.ours.target(), probe.target()];
    // The first round warms all.
    targets.iter().try_for_each(|target| once(target).map(drop))?;
    let mut rounds: [Vec<Once>; 3] = Default::default();
    for _ in 0..plan.rounds.min(3) {
        for (target, rounds) in targets.iter().zip(&mut rounds) {
            rounds.push(once(target)?);
        }
    }
    let middle = |value: fn(&Once) -> f64| rounds.each_ref().map(|side| median(side.iter().map(value)));
    let (rate, cpu, back) = (middle(|once| once.0), middle(|once| once.1), middle(|once| once.2));
    let [apache, ours, limit] = &rounds;
    let opening = Row {
        id: "CONN".to_owned(),
        what: "connect and open a session".to_owned(),
        must: "≥ 4x".to_owned(),
        apache: format!("{}/s, {} us", short(rate[0]), short(cpu[0])),
        ours: format!("{}/s, {} us", short(rate[1]), short(cpu[1])),
        limit: format!("L1: {}/s, {} us", short(rate[2]), short(cpu[2])),
        ratio: format!("{}x, 1/{} CPU", short(rate[1] / rate[0]), short(cpu[0] / cpu[1])),
        of_limit: format!("{:.0} %, {} x CPU", 100.0 * rate[1] / rate[2], short(cpu[1] / cpu[2])),
        verdict: at_least(rate[1] / rate[0], 4.0, None),
        raw: json!({ "apache": apache, "ours": ours, "limit": limit }),
        ..Row::default()
    };
    let storm = Row {
        id: "CONN-storm".to_owned(),
        what: "10 k sessions come back at once".to_owned(),
        aim: "≤ 1 s".to_owned(),
        apache: format!("{:.2} s", back[0]),
        ours: format!("{:.2} s", back[1]),
        limit: format!("L1: {:.2} s", back[2]),
        ratio: format!("{}x", short(back[0] / back[1])),
        verdict: if back[1] <= 1.0 { "aim".to_owned() } else { "must".to_owned() },
        ..Row::default()
    };
    Ok(vec![opening, storm])
}

fn once(target: &Target) -> Result<Once> {
    let count = COUNT as f64;
    let before = Sample::take(&target.pids)?;
    let start = Instant::now();
    let sessions = open_over(&target.addrs, COUNT, SESSION_TIMEOUT_MS)?;
    let rate = count / start.elapsed().as_secs_f64();
    let cpu_us = before.cpu_until(&Sample::take(&target.pids)?).as_secs_f64() * 1e6 / count;
    let known: Vec<_> = sessions.iter().map(|session| Some((session.id, session.password))).collect();
    for session in &sessions {
        socket2::SockRef::from(&session.stream).set_linger(Some(Duration::ZERO))?;
    }
    drop(sessions);
    let start = Instant::now();
    let sessions = open_each(&target.addrs, SESSION_TIMEOUT_MS, STORM, known.into_iter())?;
    let back_s = start.elapsed().as_secs_f64();
    close_all(sessions)?;
    Ok((rate, cpu_us, back_s))
}
