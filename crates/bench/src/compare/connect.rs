//! CONN: how fast sessions open, and how fast they all come back after every connection broke.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::report::{Row, at_least};
use super::server::Server;
use super::{Pair, Plan};
use crate::measure::SESSION_TIMEOUT_MS;
use crate::numbers::{median, short};
use crate::process::Sample;
use crate::session::{close_all, open_each, open_many};

/// Sessions in each round.
const COUNT: usize = 10_000;
/// Handshakes under way at once while everyone comes back.
const STORM: usize = 1_000;

/// One round: sessions per second, server CPU for each in us, seconds until all were back.
type Once = (f64, f64, f64);

/// Both lines.
pub(crate) fn compare(pair: &Pair, plan: &Plan) -> Result<Vec<Row>> {
    let rounds = plan.rounds.min(3);
    let mut apache = vec![once(&pair.apache)?];
    let mut ours = vec![once(&pair.ours)?];
    // The first round warms both.
    apache.clear();
    ours.clear();
    for _ in 0..rounds {
        apache.push(once(&pair.apache)?);
        ours.push(once(&pair.ours)?);
    }
    let middle = |rounds: &[Once], value: fn(&Once) -> f64| median(rounds.iter().map(value));
    let rate = [&apache, &ours].map(|rounds| middle(rounds, |once| once.0));
    let cpu = [&apache, &ours].map(|rounds| middle(rounds, |once| once.1));
    let back = [&apache, &ours].map(|rounds| middle(rounds, |once| once.2));
    let opening = Row {
        id: "CONN".to_owned(),
        what: "connect and open a session".to_owned(),
        must: "≥ 4x".to_owned(),
        apache: format!("{}/s, {} us", short(rate[0]), short(cpu[0])),
        ours: format!("{}/s, {} us", short(rate[1]), short(cpu[1])),
        ratio: format!("{}x, 1/{} CPU", short(rate[1] / rate[0]), short(cpu[0] / cpu[1])),
        verdict: at_least(rate[1] / rate[0], 4.0, None),
        raw: json!({ "apache": apache, "ours": ours }),
        ..Row::default()
    };
    let storm = Row {
        id: "CONN-storm".to_owned(),
        what: "10 k sessions come back at once".to_owned(),
        aim: "≤ 1 s".to_owned(),
        apache: format!("{:.2} s", back[0]),
        ours: format!("{:.2} s", back[1]),
        ratio: format!("{}x", short(back[0] / back[1])),
        verdict: if back[1] <= 1.0 { "aim".to_owned() } else { "must".to_owned() },
        ..Row::default()
    };
    Ok(vec![opening, storm])
}

fn once(server: &Server) -> Result<Once> {
    let count = COUNT as f64;
    let before = Sample::take(&[server.pid()])?;
    let start = Instant::now();
    let sessions = open_many(server.addr, COUNT, SESSION_TIMEOUT_MS)?;
    let rate = count / start.elapsed().as_secs_f64();
    let cpu_us = before.cpu_until(&Sample::take(&[server.pid()])?).as_secs_f64() * 1e6 / count;
    let known: Vec<_> = sessions.iter().map(|session| Some((session.id, session.password))).collect();
    for session in &sessions {
        socket2::SockRef::from(&session.stream).set_linger(Some(Duration::ZERO))?;
    }
    drop(sessions);
    let start = Instant::now();
    let sessions = open_each(&[server.addr], SESSION_TIMEOUT_MS, STORM, known.into_iter())?;
    let back_s = start.elapsed().as_secs_f64();
    close_all(sessions)?;
    Ok((rate, cpu_us, back_s))
}
