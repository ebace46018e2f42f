//! Limit probes: the least a server must do for a workload, so that a result can be said in percent of the possible.
//!
//! L1, L3 and L4 speak enough of the protocol for the load generator to need no special mode.

mod disk;
mod echo;
mod hops;
mod log;
mod quorum;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

pub(crate) use disk::{fdatasync_loop, snapshot_copy};
pub(crate) use hops::{ping_pong, sends};

/// One probe; each prints one JSON object, except the servers, which print the address they listen on.
#[derive(Debug, Subcommand)]
pub(crate) enum Probe {
    /// Echo server with ZooKeeper's framing: one thread, one epoll, one write for all replies of a read.
    #[command(name = "L1", alias = "l1")]
    Echo(EchoOptions),
    /// L1 that has each batch of write requests on disk before it answers.
    #[command(name = "L3", alias = "l3")]
    LogEcho {
        /// Directory of the log file, to be on the servers' file system.
        #[arg(long)]
        dir: PathBuf,
        #[command(flatten)]
        echo: EchoOptions,
    },
    /// L3 with two followers: answers when one of them has the batch on disk, too.
    #[command(name = "L4", alias = "l4")]
    QuorumEcho {
        /// Directory of the leader's log file.
        #[arg(long)]
        dir: PathBuf,
        /// The followers, each started with `L4-follower`.
        #[arg(long, required = true)]
        follower: Vec<SocketAddr>,
        #[command(flatten)]
        echo: EchoOptions,
    },
    /// A follower of L4.
    #[command(name = "L4-follower")]
    QuorumFollower {
        /// Directory of the follower's log file.
        #[arg(long)]
        dir: PathBuf,
    },
    /// A loop of overwrite and fdatasync on a zero-filled file.
    #[command(name = "L2", alias = "l2")]
    Fdatasync {
        #[arg(long)]
        dir: PathBuf,
        /// Bytes for each sync.
        #[arg(long, default_value_t = 512)]
        size: usize,
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
    /// The bytes of a tree by arithmetic: name, data and 28 for what every znode must remember.
    #[command(name = "L5", alias = "l5")]
    Bytes {
        #[arg(long, default_value_t = 1_000_000)]
        nodes: u64,
        #[arg(long, default_value_t = 8)]
        name: u64,
        #[arg(long, default_value_t = 100)]
        data: u64,
    },
    /// Reads the newest snapshot of a data directory and copies each znode's bytes.
    #[command(name = "L6", alias = "l6")]
    Snapshot {
        #[arg(long)]
        dir: PathBuf,
    },
    /// Sends one 60-byte frame to each of N sockets.
    #[command(name = "L7", alias = "l7")]
    Sends {
        #[arg(long, default_value_t = 5_000)]
        sockets: usize,
    },
    /// Two threads wake each other through eventfds.
    #[command(name = "L8", alias = "l8")]
    PingPong {
        #[arg(long, default_value_t = 20_000)]
        rounds: u32,
    },
    /// Keeps a CPU from halting until killed; to be started with the SCHED_IDLE policy.
    #[command(name = "spin")]
    Spin,
}

/// What the echo servers need to know.
#[derive(Debug, clap::Args)]
pub(crate) struct EchoOptions {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Bytes behind the reply header for an opcode, as OPCODE=BYTES; may be given several times.
    #[arg(long = "reply", value_parser = parse_reply)]
    replies: Vec<(i32, usize)>,
}

fn parse_reply(text: &str) -> Result<(i32, usize)> {
    let (opcode, bytes) = text.split_once('=').context("expected OPCODE=BYTES")?;
    Ok((opcode.parse()?, bytes.parse()?))
}

/// Name and data and what no server can do without: czxid, mzxid, a version and a parent.
pub(crate) const NODE_LEAST_BYTES: u64 = 28;

impl Probe {
    /// Runs the probe; the servers among them until they are killed.
    pub(crate) fn run(self) -> Result<()> {
        let result: Value = match self {
            Self::Echo(options) => return echo::serve(options.listen, &options.replies, None, &[]),
            Self::LogEcho { dir, echo } => return echo::serve(echo.listen, &echo.replies, Some(&dir), &[]),
            Self::QuorumEcho { dir, follower, echo } => {
                return echo::serve(echo.listen, &echo.replies, Some(&dir), &follower);
            }
            Self::QuorumFollower { dir } => return quorum::follow(&dir),
            Self::Fdatasync { dir, size, seconds } => {
                serde_json::to_value(fdatasync_loop(&dir, size, Duration::from_secs_f64(seconds))?)?
            }
            Self::Bytes { nodes, name, data } => {
                let each = name + data + NODE_LEAST_BYTES;
                json!({ "bytes_per_node": each, "bytes": nodes * each })
            }
            Self::Snapshot { dir } => serde_json::to_value(snapshot_copy(&dir)?)?,
            Self::Sends { sockets } => serde_json::to_value(sends(sockets)?)?,
            Self::PingPong { rounds } => serde_json::to_value(ping_pong(rounds)?)?,
            Self::Spin => loop {
                std::hint::spin_loop();
            },
        };
        crate::say::line(&serde_json::to_string_pretty(&result)?)
    }
}
