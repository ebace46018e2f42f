//! FAIL: kill -9 of the leader, and the time to the first new write that any survivor acknowledges.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::members::Ensemble;
use crate::compare::report::{Row, at_most};
use crate::measure::SESSION_TIMEOUT_MS;
use crate::numbers::{median, short};
use crate::session::{Opening, Session, close_all};
use crate::wire::Call;

const PATH: &str = "/b/00000001";
/// No new leader for this long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(120);
/// A request or handshake unanswered for this long is tried again on a new connection.
const ANSWER_PATIENCE: Duration = Duration::from_millis(250);
/// How often a survivor that refuses is tried.
const STEP: Duration = Duration::from_millis(1);

/// One failover.
pub(crate) struct Once {
    /// The kind of the leader that was killed.
    killed: &'static str,
    ms: f64,
}

/// Kills the leader `rounds` times; each comes back and serves before the next is killed.
pub(crate) fn rounds(ensemble: &mut Ensemble, rounds: usize) -> Result<Vec<Once>> {
    (0..rounds).map(|_| once(ensemble)).collect()
}

/// The line for three of each.
pub(crate) fn row(id: &str, what: &str, apache: &[Once], ours: &[Once]) -> Row {
    let (java_ms, ours_ms) = (middle(apache), middle(ours));
    Row {
        id: id.to_owned(),
        what: what.to_owned(),
        must: "≤ 200 ms".to_owned(),
        aim: "≤ 60 ms".to_owned(),
        apache: cell(apache),
        ours: cell(ours),
        ratio: format!("1/{}", short(java_ms / ours_ms)),
        verdict: at_most(ours_ms, 200.0, Some(60.0)),
        raw: json!({ "apache_ms": all(apache), "ours_ms": all(ours) }),
        ..Row::default()
    }
}

/// The line for an ensemble of both: not slower than Apache's alone, whoever is killed.
pub(crate) fn mixed_row(id: &str, what: &str, apache: &[Once], mixed: &[Once]) -> Row {
    let of = |killed: &str| median(mixed.iter().filter(|once| once.killed == killed).map(|once| once.ms));
    let (java_ms, mixed_ms) = (middle(apache), middle(mixed));
    Row {
        id: id.to_owned(),
        what: what.to_owned(),
        must: "not slower than Apache's".to_owned(),
        apache: cell(apache),
        ours: format!(
            "{}; killed Apache {} ms, killed ours {} ms",
            cell(mixed),
            short(of("apache")),
            short(of("ours"))
        ),
        ratio: format!("1/{}", short(java_ms / mixed_ms)),
        verdict: at_most(mixed_ms, java_ms, None),
        raw: json!({
            "apache_ms": all(apache),
            "mixed": mixed.iter().map(|once| json!([once.killed, once.ms])).collect::<Vec<_>>(),
        }),
        ..Row::default()
    }
}

fn all(rounds: &[Once]) -> Vec<f64> {
    rounds.iter().map(|once| once.ms).collect()
}

fn middle(rounds: &[Once]) -> f64 {
    median(all(rounds))
}

fn cell(rounds: &[Once]) -> String {
    let [least, most] =
        [f64::min, f64::max].map(|pick| rounds.iter().map(|once| once.ms).reduce(pick).unwrap_or(f64::NAN));
    format!("{} ms ({}–{})", short(middle(rounds)), short(least), short(most))
}

fn once(ensemble: &mut Ensemble) -> Result<Once> {
    let (leader, followers) = ensemble.leader_and_followers()?;
    let addrs: Vec<SocketAddr> = followers.iter().map(|&index| ensemble.member(index).addr).collect();
    // As clients would: sessions that are there already and come back when their connection breaks.
    let open = |&addr| Session::open(addr, SESSION_TIMEOUT_MS);
    let sessions = addrs.iter().map(open).collect::<Result<Vec<_>>>()?;
    let killed = ensemble.member(leader).kind.name();
    let done = &AtomicBool::new(false);
    let start = Instant::now();
    ensemble.member(leader).strike()?;
    let first = std::thread::scope(|scope| {
        let write = |(session, &addr)| scope.spawn(move || write(session, addr, start, done));
        let writers: Vec<_> = sessions.into_iter().zip(&addrs).map(write).collect();
        let times = writers.into_iter().map(|writer| writer.join().expect("a writer returns its errors"));
        times.collect::<Result<Vec<_>>>()
    })?;
    let first = first.into_iter().flatten().min();
    let elapsed = first.context("no survivor took a write")?;
    ensemble.member(leader).kill()?;
    ensemble.member(leader).restart(PATH)?;
    ensemble.leader_and_followers()?;
    Ok(Once { killed, ms: elapsed.as_secs_f64() * 1e3 })
}

/// Writes to one survivor until it or another acknowledges; the time when this one did.
fn write(session: Session, addr: SocketAddr, start: Instant, done: &AtomicBool) -> Result<Option<Duration>> {
    let known = (session.id, session.password);
    let mut session = Some(session);
    while !done.load(Ordering::Relaxed) {
        ensure!(start.elapsed() < PATIENCE, "{addr} takes no write after the leader's end");
        let answer = match &mut session {
            Some(session) => attempt(session),
            None => Opening::start(addr, SESSION_TIMEOUT_MS, Some(known)).and_then(|opening| {
                opening.stream().set_read_timeout(Some(ANSWER_PATIENCE))?;
                let back = session.insert(opening.finish()?);
                attempt(back)
            }),
        };
        if answer.is_ok() {
            done.store(true, Ordering::Relaxed);
            let elapsed = start.elapsed();
            close_all(session.into_iter().collect())?;
            return Ok(Some(elapsed));
        }
        session = None;
        std::thread::sleep(STEP);
    }
    Ok(None)
}

fn attempt(session: &mut Session) -> Result<()> {
    session.stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    let err = session.call(Call::Set { size: 100 }, PATH)?.err;
    ensure!(err == 0, "error {err}");
    Ok(())
}
