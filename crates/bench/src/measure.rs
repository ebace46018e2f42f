//! One workload against one server: prepare, run, and say what came out in plain figures.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::engine::{self, Outcome, SLOT};
use crate::load::{Load, Pace, Pick, Step, Until};
use crate::numbers::short;
use crate::progress::Progress;
use crate::session::{self, Session};
use crate::wire::{Call, NUMBER};
use crate::workload::{FILLS, Fill, PARENTS, Tree, Workload, main_fill};

/// Long enough for no session to expire while others are measured.
pub(crate) const SESSION_TIMEOUT_MS: i32 = 600_000;
/// Connections and depth of loading; within the original's `globalOutstandingLimit`.
const FILL_CONNS: usize = 10;
const FILL_DEPTH: u32 = 100;

/// What a load goes to: one server, or the members of an ensemble taken as one.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Connections go to these in turn.
    pub(crate) addrs: Vec<SocketAddr>,
    /// The processes whose CPU and bytes are summed, also those that no client talks to; may be empty.
    pub(crate) pids: Vec<u32>,
}

/// How a workload is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) target: &'a Target,
    pub(crate) warm: Duration,
    pub(crate) run: Duration,
    /// Requests per second for an open loop; none is a closed loop.
    pub(crate) rate: Option<f64>,
    pub(crate) threads: usize,
}

/// The figures of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) ops_per_second: f64,
    /// Server CPU, user and system, per request.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    pub(crate) requests: u64,
    /// Bytes the server gave to the block layer, per request.
    pub(crate) written_bytes: Option<f64>,
    pub(crate) errors: BTreeMap<i32, u64>,
}

/// The figures with what plots need.
pub(crate) struct Run {
    pub(crate) figures: Figures,
    pub(crate) outcome: Outcome,
}

/// Runs the workload once. The server must hold the workload's tree.
pub(crate) fn run(workload: &Workload, terms: &Terms<'_>, progress: &Progress) -> Result<Run> {
    let mut sessions = session::open_over(&terms.target.addrs, workload.conns, SESSION_TIMEOUT_MS)?;
    let created_before = created_before(workload.steps, &mut sessions)?;
    let pace = match terms.rate {
        Some(per_second) => Pace::Open { per_second },
        None => Pace::Closed { depth: workload.depth },
    };
    let until = Until::Time { warm: terms.warm, run: terms.run };
    let load = Load { steps: workload.steps.to_vec(), pace, until };
    let whole = terms.warm + terms.run;
    let show = |answered, elapsed| progress.at(answered, elapsed, whole);
    let outcome =
        engine::run(&load, &mut sessions, terms.threads, &terms.target.pids, &created_before, &show)
            .with_context(|| format!("workload {}", workload.id))?;
    session::close_all(sessions)?;
    Ok(Run { figures: figures(&outcome), outcome })
}

/// For sequential znodes: how many each connection's parent has seen.
fn created_before(steps: &[Step], sessions: &mut [Session]) -> Result<Vec<u64>> {
    let sequential =
        |step: &&Step| step.pick == Pick::OwnSequence && matches!(step.call, Call::Create { .. });
    let Some(step) = steps.iter().find(sequential) else { return Ok(Vec::new()) };
    let parent = step.path.rsplit_once('/').map_or("/", |(parent, _)| parent);
    sessions
        .iter_mut()
        .enumerate()
        .map(|(index, session)| session.creates_under(&parent.replace(NUMBER, &format!("{index:08}"))))
        .collect()
}

/// Sums an outcome up.
pub(crate) fn figures(outcome: &Outcome) -> Figures {
    let total = outcome.total();
    let requests = total.len();
    let us = |quantile| total.value_at_quantile(quantile) as f64 / 1e3;
    let each = |value: f64| value / (requests as f64);
    let server = outcome.server.as_ref();
    let seconds = outcome.elapsed.as_secs_f64();
    Figures {
        ops_per_second: requests as f64 / seconds,
        cpu_us: server.map(|(before, after)| each(before.cpu_until(after).as_secs_f64() * 1e6)),
        p50_us: us(0.5),
        p99_us: us(0.99),
        p999_us: us(0.999),
        max_us: total.max() as f64 / 1e3,
        requests,
        written_bytes: server
            .map(|(before, after)| each(after.written_bytes.saturating_sub(before.written_bytes) as f64)),
        errors: outcome.errors.clone(),
    }
}

impl Figures {
    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let cpu = self.cpu_us.map_or_else(|| "-".to_owned(), short);
        let errors =
            if self.errors.is_empty() { String::new() } else { format!(", ERRORS {:?}", self.errors) };
        let [p50, p99, p999] = [self.p50_us, self.p99_us, self.p999_us].map(short);
        format!(
            "{} op/s, {cpu} us CPU, p50 {p50}, p99 {p99}, p99.9 {p999} us{errors}",
            short(self.ops_per_second)
        )
    }
}

/// Requests per second and the median and 99 % latency over time, one row per slot: seconds, op/s, p50, p99 in us.
pub(crate) fn timeline(outcome: &Outcome) -> Vec<[f64; 4]> {
    let slot = SLOT.as_secs_f64();
    let rows = outcome.slots.iter().enumerate().map(|(index, slice)| {
        let us = |quantile| slice.value_at_quantile(quantile) as f64 / 1e3;
        [index as f64 * slot, slice.len() as f64 / slot, us(0.5), us(0.99)]
    });
    rows.collect()
}

/// Creates the parents of all workloads.
pub(crate) fn make_parents(server: SocketAddr) -> Result<()> {
    let mut session = Session::open(server, SESSION_TIMEOUT_MS)?;
    for path in PARENTS {
        session.create(path)?;
    }
    session::close_all(vec![session])
}

/// Brings an empty server to `tree`.
pub(crate) fn load_tree(server: SocketAddr, tree: Tree, progress: &Progress) -> Result<()> {
    make_parents(server)?;
    fill(server, &main_fill(tree), progress)?;
    FILLS.iter().try_for_each(|part| fill(server, part, progress))
}

/// Creates one set of znodes; those that exist already count as created.
pub(crate) fn fill(server: SocketAddr, fill: &Fill, progress: &Progress) -> Result<()> {
    let call = Call::Create { size: fill.size, flags: 0 };
    every(server, call, fill.path, fill.count, progress).with_context(|| format!("creating {}", fill.path))
}

/// Sends `call` once for each number below `count`; the only error let pass is that a znode exists.
pub(crate) fn every(
    server: SocketAddr,
    call: Call,
    path: &'static str,
    count: u64,
    progress: &Progress,
) -> Result<()> {
    let mut sessions = session::open_many(server, FILL_CONNS, SESSION_TIMEOUT_MS)?;
    every_over(&mut sessions, call, path, count, progress)?;
    session::close_all(sessions)
}

/// As [`every`], over given sessions that stay open.
pub(crate) fn every_over(
    sessions: &mut [Session],
    call: Call,
    path: &'static str,
    count: u64,
    progress: &Progress,
) -> Result<()> {
    let steps = vec![Step { call, path, pick: Pick::Each, weight: 1, reply: 0 }];
    let load = Load { steps, pace: Pace::Closed { depth: FILL_DEPTH }, until: Until::Count(count) };
    let show = |answered, _| progress.count(answered, count);
    let outcome = engine::run(&load, sessions, 1, &[], &[], &show)?;
    let failed: BTreeMap<_, _> = outcome.errors.iter().filter(|&(&code, _)| code != NODE_EXISTS).collect();
    anyhow::ensure!(failed.is_empty(), "errors {failed:?}");
    Ok(())
}

/// `KeeperException.Code.NODEEXISTS`.
const NODE_EXISTS: i32 = -110;
