//! The load generator for any ZooKeeper-compatible server, the limit probes, and the comparison with Apache's.

mod compare;
mod connection;
mod engine;
mod load;
mod measure;
mod numbers;
mod plot;
mod probe;
mod process;
mod progress;
mod say;
mod session;
mod wire;
mod workload;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::measure::{Target, Terms};
use crate::plot::{Chart, Curve};
use crate::progress::Progress;
use crate::workload::{ENSEMBLE_WORKLOADS, Tree, WORKLOADS, Workload};

/// Load, limits and comparison for ZooKeeper-compatible servers.
#[derive(Debug, Parser)]
#[command(name = "oxkeeper-bench", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the workloads with their shape and bars.
    List,
    /// Creates the znodes the workloads need.
    Load {
        #[arg(long, default_value = "127.0.0.1:2181", value_parser = resolve)]
        server: SocketAddr,
        #[arg(long, default_value = "small")]
        tree: TreeName,
    },
    /// Runs one workload against a running server.
    Run(RunOptions),
    /// Runs one limit probe.
    #[command(subcommand)]
    Probe(probe::Probe),
    /// Measures Apache's server, another and the limit probes side by side.
    Compare(compare::CompareOptions),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TreeName {
    /// A thousand znodes.
    Small,
    /// A million znodes.
    Large,
}

#[derive(Debug, Args)]
struct RunOptions {
    /// An id of `list`.
    #[arg(long)]
    workload: String,
    /// Several, separated by commas, share the connections.
    #[arg(long, default_value = "127.0.0.1:2181", value_parser = resolve, value_delimiter = ',')]
    server: Vec<SocketAddr>,
    /// The process ids of the servers, separated by commas; with them CPU per request is measured.
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 2.0)]
    warm: f64,
    /// Requests per second in an open loop, in place of the workload's closed loop.
    #[arg(long)]
    rate: Option<f64>,
    /// In place of the workload's number of connections.
    #[arg(long)]
    conns: Option<usize>,
    /// In place of the workload's depth.
    #[arg(long)]
    depth: Option<u32>,
    /// Epoll loops that share the connections.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Creates the tree first.
    #[arg(long)]
    load: bool,
    /// Where to write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to write the plots.
    #[arg(long)]
    svg: Option<PathBuf>,
}

fn resolve(text: &str) -> Result<SocketAddr> {
    text.to_socket_addrs()?.next().with_context(|| format!("{text} has no address"))
}

fn main() -> ExitCode {
    raise_file_limit();
    match perform(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::note(&format!("oxkeeper-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> Result<()> {
    match command {
        Command::List => list(),
        Command::Load { server, tree } => {
            let tree = match tree {
                TreeName::Small => Tree::Small,
                TreeName::Large => Tree::Large,
            };
            measure::load_tree(server, tree, &Progress::new("load"))
        }
        Command::Run(options) => run(&options),
        Command::Probe(probe) => probe.run(),
        Command::Compare(options) => compare::run(options),
    }
}

/// Thousands of connections need as many files; a refusal shows later, as a connection that cannot be opened.
fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn list() -> Result<()> {
    for workload in WORKLOADS.iter().chain(ENSEMBLE_WORKLOADS) {
        let shape = format!("{}x{}", workload.conns, workload.depth);
        let limit = workload.limit.id();
        say::line(&format!("{:<13} {shape:>8}  {limit}  {}", workload.id, workload.what))?;
    }
    Ok(())
}

fn run(options: &RunOptions) -> Result<()> {
    let found = Workload::find(&options.workload);
    let mut workload = *found.with_context(|| format!("no workload {}; see `list`", options.workload))?;
    workload.conns = options.conns.unwrap_or(workload.conns);
    workload.depth = options.depth.unwrap_or(workload.depth);
    let progress = Progress::new(workload.id);
    if options.load {
        let server = options.server.first().context("no server to load")?;
        measure::load_tree(*server, workload.tree, &progress)?;
    }
    let target = Target { addrs: options.server.clone(), pids: options.pid.clone() };
    let terms = Terms {
        target: &target,
        warm: Duration::from_secs_f64(options.warm),
        run: Duration::from_secs_f64(options.seconds),
        rate: options.rate,
        threads: options.threads,
    };
    let run = measure::run(&workload, &terms, &progress)?;
    drop(progress);
    say::line(&format!("{} {}", workload.id, run.figures.line()))?;
    let timeline = measure::timeline(&run.outcome);
    if let Some(path) = &options.json {
        let whole = serde_json::json!({
            "workload": workload.id, "conns": workload.conns, "depth": workload.depth,
            "rate": options.rate, "figures": run.figures, "timeline_s_ops_p50us_p99us": timeline,
        });
        std::fs::write(path, serde_json::to_string_pretty(&whole)?)?;
    }
    if let Some(path) = &options.svg {
        let over_time = timeline.iter().map(|row| (row[0], row[1])).collect();
        let title = format!("{}: {} ({}x{})", workload.id, workload.what, workload.conns, workload.depth);
        let latency = vec![plot::percentiles(workload.id, &run.outcome.total())];
        let throughput = vec![Curve { name: workload.id.to_owned(), points: over_time }];
        plot::write(
            path,
            &Chart { title: &title, x: "percent of requests", y: "latency, us", curves: latency },
            &Chart { title: "", x: "seconds", y: "requests per second", curves: throughput },
        )?;
    }
    Ok(())
}
