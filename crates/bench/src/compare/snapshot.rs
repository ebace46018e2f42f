//! SNAP: what a snapshot of a million znodes does to the latency of others, and how much is written.
//!
//! Writes go on until the server makes snapshots by its own rule; a watcher of the directory notes when a snapshot
//! file grows. Requests of those stretches are held against the others of the same run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::report::{Row, at_most};
use super::server::Server;
use super::{Pair, Plan};
use crate::engine::{self, Latencies, Outcome, SLOT, latencies};
use crate::load::{Load, Pace, Step, Until};
use crate::measure::SESSION_TIMEOUT_MS;
use crate::numbers::{per, short};
use crate::session::{close_all, open_many};
use crate::wire;
use crate::workload::Workload;

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Writing back and forcing a snapshot's last pages goes on after the file has its length.
const AFTERMATH: Duration = Duration::from_secs(1);

/// What one run showed.
struct Seen {
    quiet_p999_us: f64,
    snapshot_p999_us: f64,
    snapshots: usize,
    /// Bytes of transactions and of snapshots since the server started on an empty directory, for each byte of
    /// transactions: over a few seconds the one snapshot that falls into them would say little. The files say it, because
    /// what the system counts as written by a process is whole folios of the page cache: a megabyte for a batch of three
    /// kilobytes, of which four go to the disk.
    amplification: f64,
}

/// Both lines.
pub(crate) fn compare(pair: &Pair, plan: &Plan) -> Result<Vec<Row>> {
    let run = Duration::from_secs(if plan.quick { 12 } else { 25 });
    ["W2", "R3"]
        .into_iter()
        .map(|id| {
            let workload = Workload::find(id).context("a workload of the table")?;
            Ok(row(id, &observe(&pair.apache, workload, run)?, &observe(&pair.ours, workload, run)?))
        })
        .collect()
}

fn row(id: &str, apache: &Seen, ours: &Seen) -> Row {
    let cell = |seen: &Seen| {
        format!(
            "p99.9 {} -> {} us, {} snapshots, writes {} x log",
            short(seen.quiet_p999_us),
            short(seen.snapshot_p999_us),
            seen.snapshots,
            short(seen.amplification)
        )
    };
    let rise = ours.snapshot_p999_us / ours.quiet_p999_us;
    let verdict = if ours.snapshots == 0 {
        "no snapshot came".to_owned()
    } else if ours.amplification > 3.0 {
        format!("MISSED: wrote {} x", short(ours.amplification))
    } else {
        at_most(rise, 2.0, None)
    };
    Row {
        id: format!("SNAP-{id}"),
        what: format!("{id} while 1 M znodes are snapshotted, against not"),
        must: "p99.9 ≤ 2x; written ≤ 3x log".to_owned(),
        apache: cell(apache),
        ours: cell(ours),
        ratio: format!(
            "rises {}x (Apache {}x)",
            short(rise),
            short(apache.snapshot_p999_us / apache.quiet_p999_us)
        ),
        verdict,
        raw: json!({ "apache": apache.raw(), "ours": ours.raw() }),
        ..Row::default()
    }
}

impl Seen {
    fn raw(&self) -> serde_json::Value {
        json!({
            "quiet_p999_us": self.quiet_p999_us, "snapshot_p999_us": self.snapshot_p999_us,
            "snapshots": self.snapshots, "amplification": self.amplification,
        })
    }
}

fn observe(server: &Server, workload: &'static Workload, run: Duration) -> Result<Seen> {
    let files = server.dir.join("data").join("version-2");
    let stop = AtomicBool::new(false);
    let (outcome, growth) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&files, &stop));
        // Reads cause no snapshots; writes beside them do.
        let is_read = workload.id == "R3";
        let writer = is_read.then(|| scope.spawn(|| drive(server, Workload::find("W3"), (4, 16), run)));
        let outcome = drive(server, Some(workload), (workload.conns, workload.depth), run);
        if let Some(writer) = writer {
            writer.join().expect("the writer returns its errors")?;
        }
        stop.store(true, Ordering::Relaxed);
        let growth = watcher.join().expect("the watcher returns its errors")?;
        Ok::<_, anyhow::Error>((outcome?, growth))
    })?;
    let (quiet, during) = split(&outcome, &growth);
    let us = |slice: &Latencies| slice.value_at_quantile(0.999) as f64 / 1e3;
    Ok(Seen {
        quiet_p999_us: us(&quiet),
        snapshot_p999_us: if during.is_empty() { f64::NAN } else { us(&during) },
        snapshots: growth.files,
        amplification: 1.0 + per(snapshot_sizes(&files)?.values().sum(), log_bytes(&files)?),
    })
}

fn drive(
    server: &Server,
    workload: Option<&'static Workload>,
    shape: (usize, u32),
    run: Duration,
) -> Result<Outcome> {
    let steps: Vec<Step> = workload.context("a workload of the table")?.steps.to_vec();
    let mut sessions = open_many(server.addr, shape.0, SESSION_TIMEOUT_MS)?;
    let until = Until::Time { warm: Duration::from_millis(500), run };
    let load = Load { steps, pace: Pace::Closed { depth: shape.1 }, until };
    let outcome = engine::run(&load, &mut sessions, 1, &[], &[], &|_, _| ())?;
    close_all(sessions)?;
    Ok(outcome)
}

/// When snapshot files grew.
#[derive(Default)]
struct Growth {
    moments: Vec<Instant>,
    files: usize,
}

/// Looks until told to stop. Any file with `snapshot` in its name counts, as servers may write under another name
/// and rename at the end.
fn watch(dir: &Path, stop: &AtomicBool) -> Result<Growth> {
    let first = snapshot_sizes(dir)?;
    let mut sizes = first.clone();
    let mut growth = Growth::default();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        let now = snapshot_sizes(dir)?;
        if now.iter().any(|(path, size)| sizes.get(path) != Some(size)) {
            growth.moments.push(Instant::now());
        }
        sizes = now;
    }
    let unfinished = |path: &PathBuf| path.extension().is_some_and(|end| end == "tmp");
    growth.files = sizes.keys().filter(|path| !first.contains_key(*path) && !unfinished(path)).count();
    Ok(growth)
}

fn snapshot_sizes(dir: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let mut sizes = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains("snapshot") {
            // It may be renamed or purged between listing and looking.
            sizes.extend(entry.metadata().ok().map(|metadata| (entry.path(), metadata.len())));
        }
    }
    Ok(sizes)
}

/// Latencies outside and inside the stretches in which a snapshot grew, aftermath included.
fn split(outcome: &Outcome, growth: &Growth) -> (Latencies, Latencies) {
    let (mut quiet, mut during) = (latencies(), latencies());
    for (slot, begin) in outcome.slots.iter().zip(0_u32..) {
        let begin = outcome.begun + SLOT * begin;
        let grew =
            growth.moments.iter().any(|&moment| moment < begin + SLOT + LOOK && begin < moment + AFTERMATH);
        let target = if grew { &mut during } else { &mut quiet };
        target.add(slot).expect("all histograms have the same bounds");
    }
    (quiet, during)
}

/// Bytes of transactions in all log files: records up to the zero tail. Source: `FileTxnLog`.
fn log_bytes(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("log.") {
            continue;
        }
        let Ok(bytes) = fs::read(entry.path()) else { continue };
        // File header of 16 bytes; each record is checksum 8, length 4, transaction, end mark 1.
        let mut at = 16;
        while bytes.len() >= at + 12 {
            let Ok(length @ 1..) = usize::try_from(wire::int_at(&bytes, at + 8)) else { break };
            at += 12 + length + 1;
        }
        sum += u64::try_from(at.min(bytes.len()))?;
    }
    Ok(sum)
}
