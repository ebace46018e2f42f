//! MEM1, MEM2, MEM3: bytes for each znode, watch and idle session.
//!
//! A Java heap grows as far as it is allowed to, so Apache is shown with its live heap after a forced collection
//! beside its RSS; ours only with RSS, which flatters it in nothing.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::report::{Row, at_most};
use super::server::Server;
use super::{Pair, Plan};
use crate::engine;
use crate::load::{Load, Pace, Pick, Step, Until};
use crate::measure::{SESSION_TIMEOUT_MS, every_over};
use crate::numbers::{per, short};
use crate::probe::NODE_LEAST_BYTES;
use crate::process::resident_bytes;
use crate::progress::Progress;
use crate::session::{Session, close_all, open_many};
use crate::wire::Call;
use crate::workload::{Tree, nodes};

/// What a server held at a moment.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident: u64,
    /// Live heap of a JVM after a collection; 0 for ours.
    heap: u64,
}

impl Held {
    fn of(server: &Server) -> Result<Self> {
        let heap = if server.kind.name() == "apache" { live_heap(server.pid())? } else { 0 };
        Ok(Self { resident: resident_bytes(server.pid())?, heap })
    }

    /// Growth since `before` for each of `count` things: RSS and heap.
    fn each_since(self, before: Self, count: u64) -> (f64, f64) {
        let each = |now: u64, before: u64| per(now.saturating_sub(before), count);
        (each(self.resident, before.resident), each(self.heap, before.heap))
    }
}

/// Bytes in use after a full collection, by `jcmd`.
fn live_heap(pid: u32) -> Result<u64> {
    let pid = pid.to_string();
    let jcmd = |command: &str| Command::new("jcmd").args([&pid, command]).output().context("starting jcmd");
    jcmd("GC.run")?;
    let output = jcmd("GC.heap_info")?.stdout;
    let text = String::from_utf8_lossy(&output);
    // `garbage-first heap   total 1048576K, used 11573K [...`; Parallel has one such part for each generation.
    let heap = text.lines().take_while(|line| !line.contains("Metaspace"));
    let used = heap.filter(|line| !line.contains("% used")).filter_map(|line| {
        let number = line.split_once("used ")?.1.split('K').next()?;
        number.parse::<u64>().ok()
    });
    Ok(used.sum::<u64>() * 1024)
}

/// RSS per znode, against what the servers held when empty.
pub(crate) struct Nodes {
    apache: Held,
    ours: Held,
}

impl Nodes {
    /// Looks at both servers before anything is loaded.
    pub(crate) fn before(pair: &Pair) -> Result<Self> {
        Ok(Self { apache: Held::of(&pair.apache)?, ours: Held::of(&pair.ours)? })
    }

    /// The line for the present moment.
    pub(crate) fn row(&mut self, id: &str, what: &str, pair: &Pair) -> Result<Row> {
        let count = nodes(Tree::Large);
        let (apache_rss, apache_heap) = Held::of(&pair.apache)?.each_since(self.apache, count);
        let (ours, _) = Held::of(&pair.ours)?.each_since(self.ours, count);
        let limit = per(8 + 100 + NODE_LEAST_BYTES, 1);
        let (must, aim) = (210.0, 160.0);
        Ok(Row {
            id: id.to_owned(),
            what: what.to_owned(),
            must: format!("≤ {must} B"),
            aim: format!("≤ {aim} B"),
            apache: format!("{apache_rss:.0} B RSS, {apache_heap:.0} B live heap"),
            ours: format!("{ours:.0} B RSS"),
            limit: format!("L5: {limit} B"),
            ratio: format!("1/{} RSS, 1/{} heap", short(apache_rss / ours), short(apache_heap / ours)),
            of_limit: format!("{} x", short(ours / limit)),
            verdict: at_most(ours, must, Some(aim)),
            raw: json!({ "apache_rss": apache_rss, "apache_heap": apache_heap, "ours_rss": ours }),
        })
    }
}

/// Overwrites the data of the million znodes: ours ten million times, Apache, which is slower, a million times.
pub(crate) fn overwrite(pair: &Pair, plan: &Plan) -> Result<String> {
    let (ours, apache) = if plan.quick { (2_000_000, 200_000) } else { (10_000_000, 1_000_000) };
    for (server, count) in [(&pair.ours, ours), (&pair.apache, apache)] {
        let call = Call::Set { size: 100 };
        let pick = Pick::Uniform(u32::try_from(nodes(Tree::Large))?);
        let steps = vec![Step { call, path: "/b/########", pick, weight: 1, reply: 0 }];
        let load = Load { steps, pace: Pace::Closed { depth: 100 }, until: Until::Count(count) };
        let mut sessions = open_many(server.addr, 10, SESSION_TIMEOUT_MS)?;
        let progress = Progress::new("overwrite");
        let show = |answered, _| progress.count(answered, count);
        let outcome = engine::run(&load, &mut sessions, 1, &[], &[], &show)?;
        ensure!(outcome.errors.is_empty(), "overwriting: errors {:?}", outcome.errors);
        close_all(sessions)?;
    }
    Ok(format!("MEM1-set: {ours} overwrites on ours, {apache} on Apache."))
}

/// Apache gets a fifth of the watches: it needs minutes for a million, and the cost of each is the same.
fn watches(server: &Server, all: u64) -> u64 {
    if server.kind.name() == "apache" { all / 5 } else { all }
}

/// MEM2, a million paths with one watch each, by ten connections.
pub(crate) fn watches_of_many_paths(pair: &Pair) -> Result<Row> {
    let grown = |server: &Server| -> Result<(f64, f64)> {
        let count = watches(server, nodes(Tree::Large));
        let mut sessions = open_many(server.addr, 10, SESSION_TIMEOUT_MS)?;
        let progress = Progress::new("MEM2");
        let mut read =
            |watch, count| every_over(&mut sessions, Call::Get { watch }, "/b/########", count, &progress);
        // Reading without watches first grows the buffers that are not what is measured here.
        read(false, count / 10)?;
        let before = Held::of(server)?;
        read(true, count)?;
        let grown = Held::of(server)?.each_since(before, count);
        close_all(sessions)?;
        Ok(grown)
    };
    Ok(watch_row("MEM2-1M", "1 M watches: 1 M paths x 1", grown(&pair.apache)?, grown(&pair.ours)?))
}

/// MEM2, a thousand paths each watched by a thousand sessions.
pub(crate) fn watches_of_many_sessions(pair: &Pair) -> Result<Row> {
    let grown = |server: &Server| -> Result<(f64, f64)> {
        let count = watches(server, 1_000_000);
        let mut sessions = open_many(server.addr, 1_000, SESSION_TIMEOUT_MS)?;
        get_all(&mut sessions, 100, false)?;
        let before = Held::of(server)?;
        get_all(&mut sessions, count / 1_000, true)?;
        let grown = Held::of(server)?.each_since(before, count);
        close_all(sessions)?;
        Ok(grown)
    };
    Ok(watch_row(
        "MEM2-1k",
        "1 M watches: 1 k paths x 1 k sessions",
        grown(&pair.apache)?,
        grown(&pair.ours)?,
    ))
}

/// Each session reads the first `count` znodes below `/b` in one batch, ten sessions at a time.
fn get_all(sessions: &mut [Session], count: u64, watch: bool) -> Result<()> {
    let frames = (0..count).flat_map(|number| Call::Get { watch }.frame(&format!("/b/{number:08}")));
    let batch: Vec<u8> = frames.collect();
    for some in sessions.chunks_mut(10) {
        for session in &mut *some {
            session.stream.write_all(&batch)?;
        }
        for session in some {
            for _ in 0..count {
                let reply = session.receive()?;
                ensure!(reply.err == 0, "getData: error {}", reply.err);
            }
        }
    }
    Ok(())
}

fn watch_row(id: &str, what: &str, apache: (f64, f64), ours: (f64, f64)) -> Row {
    // RSS of ours against live heap of Java, whose RSS says nothing about a small growth.
    let (java, ours) = (apache.1, ours.0);
    Row {
        id: id.to_owned(),
        what: what.to_owned(),
        must: "≤ 24 B each".to_owned(),
        aim: "≤ 14 B each".to_owned(),
        apache: format!("{java:.0} B live heap"),
        ours: format!("{ours:.1} B RSS"),
        limit: "two ids: 8 B".to_owned(),
        ratio: format!("1/{}", short(java / ours)),
        of_limit: format!("{} x", short(ours / 8.0)),
        verdict: at_most(ours, 24.0, Some(14.0)),
        raw: json!({ "apache_heap": apache.1, "apache_rss": apache.0, "ours_rss": ours }),
    }
}

/// MEM3: ten thousand sessions that do nothing.
pub(crate) fn idle_sessions(pair: &Pair) -> Result<Row> {
    const COUNT: usize = 10_000;
    // The first few sessions bring buffers and threads into being that are not per session.
    const FIRST: usize = 100;
    let grown = |server: &Server| -> Result<(f64, f64)> {
        let first = open_many(server.addr, FIRST, SESSION_TIMEOUT_MS)?;
        let before = Held::of(server)?;
        let sessions = open_many(server.addr, COUNT - FIRST, SESSION_TIMEOUT_MS)?;
        // A server may tidy up after the rush; so does a user's.
        std::thread::sleep(Duration::from_secs(1));
        let grown = Held::of(server)?.each_since(before, u64::try_from(COUNT - FIRST)?);
        close_all(first)?;
        close_all(sessions)?;
        Ok(grown)
    };
    let (apache, ours) = (grown(&pair.apache)?, grown(&pair.ours)?.0);
    Ok(Row {
        id: "MEM3".to_owned(),
        what: "10 k idle sessions, user memory each".to_owned(),
        must: "≤ 700 B".to_owned(),
        aim: "≤ 400 B".to_owned(),
        apache: format!("{:.0} B live heap, {:.0} B RSS", apache.1, apache.0),
        ours: format!("{ours:.0} B RSS"),
        ratio: format!("1/{}", short(apache.1 / ours)),
        verdict: at_most(ours, 700.0, Some(400.0)),
        raw: json!({ "apache_heap": apache.1, "apache_rss": apache.0, "ours_rss": ours }),
        ..Row::default()
    })
}
