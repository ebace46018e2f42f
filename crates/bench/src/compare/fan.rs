//! FAN: one setData, thousands of watchers.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use super::report::Row;
use super::server::Server;
use super::{Pair, Plan};
use crate::measure::SESSION_TIMEOUT_MS;
use crate::numbers::{median, short};
use crate::probe;
use crate::process::Sample;
use crate::session::{Session, close_all, open_many};
use crate::wire::Call;

const PATH: &str = "/b/00000001";
/// Sets in each measurement, after [`WARM`] that warm a JVM.
const SETS: usize = 15;
const WARM: usize = 15;

/// The line for this many watchers.
pub(crate) fn compare(pair: &Pair, watchers: usize, plan: &Plan) -> Result<Row> {
    let warm = if plan.quick { 3 } else { WARM };
    let (apache_ms, apache_us) = notify(&pair.apache, watchers, warm)?;
    let (ours_ms, ours_us) = notify(&pair.ours, watchers, warm)?;
    let limit = probe::sends(watchers)?;
    let (times, cpu, of_limit) = (apache_ms / ours_ms, ours_us / apache_us, limit.last_read_ms / ours_ms);
    let verdict = match (times >= 3.0 && cpu <= 0.25, of_limit >= 0.8) {
        (true, true) => "aim".to_owned(),
        (true, false) => "must".to_owned(),
        (false, _) => format!("MISSED: {}x, CPU 1/{}", short(times), short(1.0 / cpu)),
    };
    Ok(Row {
        id: format!("FAN-{watchers}"),
        what: format!("1 set, {watchers} watchers: last notified, CPU each"),
        must: "≥ 3x; CPU ≤ 1/4".to_owned(),
        aim: "80 % of L7".to_owned(),
        apache: format!("{} ms, {} us", short(apache_ms), short(apache_us)),
        ours: format!("{} ms, {} us", short(ours_ms), short(ours_us)),
        limit: format!("L7: {} ms, {} us", short(limit.last_read_ms), short(limit.send_us)),
        ratio: format!("{}x, 1/{} CPU", short(times), short(1.0 / cpu)),
        of_limit: format!("{:.0} %", 100.0 * of_limit),
        verdict,
        raw: json!({ "apache": [apache_ms, apache_us], "ours": [ours_ms, ours_us], "limit": limit }),
    })
}

/// Median milliseconds from the set to the last event read, and server CPU for each event in us.
fn notify(server: &Server, watchers: usize, warm: usize) -> Result<(f64, f64)> {
    let mut setter = Session::open(server.addr, SESSION_TIMEOUT_MS)?;
    let mut sessions = open_many(server.addr, watchers, SESSION_TIMEOUT_MS)?;
    let mut times = Vec::new();
    for _ in 0..warm + SETS {
        for session in &mut sessions {
            session.send(Call::Get { watch: true }.frame(PATH))?;
        }
        for session in &mut sessions {
            ensure!(session.receive()?.err == 0, "setting a watch failed");
        }
        let before = Sample::take(&[server.pid()])?;
        let start = Instant::now();
        let reply = setter.call(Call::Set { size: 100 }, PATH)?;
        ensure!(reply.err == 0, "setData: error {}", reply.err);
        sessions.iter_mut().try_for_each(Session::event)?;
        let elapsed = start.elapsed();
        let cpu = before.cpu_until(&Sample::take(&[server.pid()])?);
        times.push((elapsed.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e6 / (watchers as f64)));
    }
    close_all(sessions)?;
    close_all(vec![setter])?;
    let counted = || times.iter().skip(warm);
    Ok((median(counted().map(|once| once.0)), median(counted().map(|once| once.1))))
}
