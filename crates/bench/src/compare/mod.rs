//! Apache's server, ours and the limit probes, measured side by side on this machine.
//!
//! Three phases, each with fresh servers: empty (start, idle sessions, connecting), the small tree, the large tree.
//! Ensembles have their own, see [`ensemble`].

mod connect;
mod durability;
mod ensemble;
mod fan;
mod memory;
mod report;
mod rounds;
mod server;
mod snapshot;
mod start;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::measure;
use crate::progress::Progress;
use crate::say;
use crate::workload::{ENSEMBLE_WORKLOADS, FILLS, Tree, WORKLOADS, Workload, main_fill};
use report::Row;
use server::{Kind, Server};

/// A round during which the hypervisor took more than this does not count.
const STEAL_MAX_PERCENT: f64 = 2.0;

/// `oxkeeper-bench compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// A file that holds the class path of Apache ZooKeeper.
    #[arg(long)]
    apache_classpath: PathBuf,
    /// The server to compare, started as `BINARY zoo.cfg`.
    #[arg(long)]
    server: PathBuf,
    /// Compares three members of each in place of one server.
    #[arg(long)]
    ensemble: bool,
    /// The table to write, bench/RESULTS.md or bench/ENSEMBLE.md; its JSON and plots/ go beside it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the servers keep their data; must be on the file system to be measured.
    #[arg(long, default_value = "target/bench")]
    work: PathBuf,
    /// Only these ids, separated by commas; the beginning of an id is enough.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    #[arg(long)]
    rounds: Option<usize>,
    /// Fewer and shorter rounds; for seeing that all works rather than for figures.
    #[arg(long)]
    quick: bool,
    /// Maximum heap of the Java server on small trees.
    #[arg(long, default_value = "512m")]
    heap_small: String,
    /// Maximum heap of the Java server on a million znodes: twice its live heap with a million watches.
    #[arg(long, default_value = "1400m")]
    heap_large: String,
    /// G1 or Parallel.
    #[arg(long, default_value = "G1")]
    collector: String,
    /// A round counts only when all other programs together used less than this much of one CPU.
    #[arg(long, default_value_t = 5.0)]
    foreign_max_percent: f64,
}

/// The options, worked out.
pub(crate) struct Plan {
    ensemble: bool,
    class_path: String,
    binary: PathBuf,
    out: PathBuf,
    work: PathBuf,
    only: Vec<String>,
    quick: bool,
    rounds: usize,
    warm: Duration,
    run: Duration,
    java_warm: Duration,
    foreign_max_percent: f64,
    heap_small: String,
    heap_large: String,
    collector: String,
    command: String,
}

impl Plan {
    fn new(options: CompareOptions) -> Result<Self> {
        let class_path = std::fs::read_to_string(&options.apache_classpath)
            .with_context(|| format!("reading {}", options.apache_classpath.display()))?;
        let binary = options.server.canonicalize();
        std::fs::create_dir_all(&options.work)?;
        let (rounds, run_ms, java_warm_s) = if options.quick { (3, 1_200, 10) } else { (5, 1_500, 20) };
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let usual_out = if options.ensemble { "bench/ENSEMBLE.md" } else { "bench/RESULTS.md" };
        Ok(Self {
            ensemble: options.ensemble,
            class_path: class_path.trim().to_owned(),
            binary: binary.with_context(|| format!("no server {}", options.server.display()))?,
            out: options.out.unwrap_or_else(|| usual_out.into()),
            work: options.work.canonicalize()?,
            only: options.only,
            quick: options.quick,
            rounds: options.rounds.unwrap_or(rounds),
            warm: Duration::from_millis(400),
            run: Duration::from_millis(run_ms),
            java_warm: Duration::from_secs(java_warm_s),
            foreign_max_percent: options.foreign_max_percent,
            heap_small: options.heap_small,
            heap_large: options.heap_large,
            collector: options.collector,
            command: format!("oxkeeper-bench {}", arguments.join(" ")),
        })
    }

    /// The directory of the report.
    fn out_dir(&self) -> &Path {
        self.out.parent().unwrap_or(Path::new("."))
    }

    /// The raw figures of the report.
    fn json(&self) -> PathBuf {
        let stem = self.out.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        self.out.with_file_name(format!("{stem}.json"))
    }

    fn wants(&self, id: &str) -> bool {
        let begins = |part: &String| id.to_ascii_lowercase().starts_with(&part.to_ascii_lowercase());
        self.only.is_empty() || self.only.iter().any(begins)
    }

    fn workloads(&self, tree: Tree) -> Vec<&'static Workload> {
        WORKLOADS.iter().filter(|workload| workload.tree == tree && self.wants(workload.id)).collect()
    }

    /// The version in the jar's name.
    fn apache_version(&self) -> String {
        let jars = self.class_path.split(':').filter_map(|jar| jar.rsplit('/').next());
        let mut versions = jars.filter_map(|jar| jar.strip_prefix("zookeeper-")?.strip_suffix(".jar"));
        versions.find(|version| version.starts_with(char::is_numeric)).unwrap_or("unknown").to_owned()
    }

    fn apache_settings(&self) -> String {
        format!(
            "{} collector, -Xmx{} (small) and -Xmx{} (large)",
            self.collector, self.heap_small, self.heap_large
        )
    }

    /// Apache's server, with the heap for this tree.
    fn apache(&self, tree: Tree) -> Kind {
        let heap = if tree == Tree::Large { &self.heap_large } else { &self.heap_small };
        Kind::Apache {
            class_path: self.class_path.clone(),
            heap: heap.clone(),
            collector: self.collector.clone(),
        }
    }

    /// Our server.
    fn ours(&self) -> Kind {
        Kind::Ours { binary: self.binary.clone() }
    }

    /// A fresh pair of servers on empty directories.
    fn pair(&self, tree: Tree) -> Result<Pair> {
        let apache = Server::start(&self.apache(tree), &self.work)?;
        Ok(Pair { apache, ours: Server::start(&self.ours(), &self.work)? })
    }
}

/// The two servers.
pub(crate) struct Pair {
    pub(crate) apache: Server,
    pub(crate) ours: Server,
}

/// Runs the whole comparison. The report is written anew after each phase, so that an aborted run leaves one.
pub(crate) fn run(options: CompareOptions) -> Result<()> {
    let plan = Plan::new(options)?;
    let (workloads, scenarios, phases): (_, &[&str], &[Phase]) = if plan.ensemble {
        (ENSEMBLE_WORKLOADS, &ensemble::SCENARIOS, &ensemble::PHASES)
    } else {
        (WORKLOADS, &SCENARIOS, &[empty, small, large])
    };
    let known = |part: &String| {
        let begins = |id: &str| id.to_ascii_lowercase().starts_with(&part.to_ascii_lowercase());
        workloads.iter().any(|workload| begins(workload.id)) || scenarios.iter().any(|id| begins(id))
    };
    let unknown: Vec<_> = plan.only.iter().filter(|part| !known(part)).collect();
    ensure!(unknown.is_empty(), "no workload or scenario {unknown:?}; see `list` and {scenarios:?}");

    let mut rows = Table::default();
    let mut notes = vec![probe_note(&plan)?];
    for phase in phases {
        let result = phase(&plan, &mut rows, &mut notes);
        if let Err(error) = &result {
            notes.push(format!("**Aborted**: {error:#}"));
        }
        report::write(&plan, &rows.0, &notes)?;
        result?;
    }
    say::line(&format!("{} written", plan.out.display()))
}

/// The lines so far; each is told as it comes.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    fn push(&mut self, row: Row) {
        say::note(&format!("{:<10} {}", row.id, row.summary()));
        self.0.push(row);
    }
}

/// Adds lines and notes.
type Phase = fn(&Plan, &mut Table, &mut Vec<String>) -> Result<()>;

/// What is measured beside the workloads.
const SCENARIOS: [&str; 9] =
    ["START-0", "MEM3", "CONN", "FAN", "MEM1", "MEM2-1M", "SNAP", "START-1M", "MEM2-1k"];

/// L2 and L8 of the day, on the directory of the servers.
fn probe_note(plan: &Plan) -> Result<String> {
    let syncs = crate::probe::fdatasync_loop(&plan.work, 512, Duration::from_secs(1))?;
    let hop = crate::probe::ping_pong(20_000)?;
    Ok(format!(
        "L2: fdatasync of 512 B {:.0}/s, p50 {:.0} us, p99 {:.0} us. L8: eventfd round trip p50 {:.1} us, p99 {:.1} us. \
         A workload takes at least {:.0} s.",
        syncs.per_second,
        syncs.p50_us,
        syncs.p99_us,
        hop.round_trip_p50_us,
        hop.round_trip_p99_us,
        rounds::least_duration(plan).as_secs_f64(),
    ))
}

fn empty(plan: &Plan, rows: &mut Table, _notes: &mut Vec<String>) -> Result<()> {
    if !["START-0", "MEM3", "CONN"].iter().any(|id| plan.wants(id)) {
        return Ok(());
    }
    let mut pair = plan.pair(Tree::Small)?;
    if plan.wants("START-0") {
        rows.push(start::compare(
            "START-0",
            "kill -9 to first reply, empty",
            &mut pair,
            "/",
            plan,
            (0.1, 0.05),
        )?);
    }
    if plan.wants("MEM3") {
        rows.push(memory::idle_sessions(&pair)?);
    }
    if plan.wants("CONN") {
        connect::compare(&pair, plan)?.into_iter().for_each(|row| rows.push(row));
    }
    Ok(())
}

fn small(plan: &Plan, rows: &mut Table, notes: &mut Vec<String>) -> Result<()> {
    let workloads = plan.workloads(Tree::Small);
    if workloads.is_empty() && !["FAN", "MEM2-1k"].iter().any(|id| plan.wants(id)) {
        return Ok(());
    }
    let pair = plan.pair(Tree::Small)?;
    for server in [&pair.apache, &pair.ours] {
        measure::load_tree(server.addr, Tree::Small, &Progress::new("load"))?;
    }
    // Memory first: what earlier work left free would be used again and not show.
    if plan.wants("MEM2-1k") {
        rows.push(memory::watches_of_many_sessions(&pair)?);
    }
    for workload in workloads {
        rows.push(rounds::compare(workload, &pair.apache.target(), &pair.ours.target(), plan)?);
    }
    if plan.wants("W2") {
        notes.push(durability::note(&pair)?);
    }
    if plan.wants("FAN") {
        for watchers in [1_000, 5_000] {
            rows.push(fan::compare(&pair, watchers, plan)?);
        }
    }
    Ok(())
}

fn large(plan: &Plan, rows: &mut Table, notes: &mut Vec<String>) -> Result<()> {
    let workloads = plan.workloads(Tree::Large);
    if workloads.is_empty() && !["MEM1", "MEM2-1M", "SNAP", "START-1M"].iter().any(|id| plan.wants(id)) {
        return Ok(());
    }
    let mut pair = plan.pair(Tree::Large)?;
    let mut memory = memory::Nodes::before(&pair)?;
    for server in [&pair.apache, &pair.ours] {
        measure::make_parents(server.addr)?;
        measure::fill(server.addr, &main_fill(Tree::Large), &Progress::new("load 1 M"))?;
    }
    if plan.wants("MEM1") {
        rows.push(memory.row("MEM1-load", "RSS per znode of 100 B, 1 M, after load", &pair)?);
    }
    for server in [&pair.apache, &pair.ours] {
        FILLS.iter().try_for_each(|fill| measure::fill(server.addr, fill, &Progress::new("load")))?;
    }
    if plan.wants("MEM2-1M") {
        rows.push(memory::watches_of_many_paths(&pair)?);
    }
    for workload in workloads {
        rows.push(rounds::compare(workload, &pair.apache.target(), &pair.ours.target(), plan)?);
    }
    if plan.wants("SNAP") {
        snapshot::compare(&pair, plan)?.into_iter().for_each(|row| rows.push(row));
    }
    if plan.wants("MEM1") {
        notes.push(memory::overwrite(&pair, plan)?);
        rows.push(memory.row("MEM1-set", "the same after overwrites", &pair)?);
    }
    if plan.wants("START-1M") || plan.wants("MEM1") {
        let path = "/b/00000000";
        rows.push(start::compare(
            "START-1M",
            "kill -9 to first reply, 1 M znodes",
            &mut pair,
            path,
            plan,
            (0.7, 0.4),
        )?);
        rows.push(memory.row("MEM1-start", "RSS per znode after restart", &pair)?);
    }
    Ok(())
}
