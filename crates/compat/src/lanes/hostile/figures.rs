//! What a server holds: memory, descriptors, connections, watches, requests.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::harness::Server;

/// Time between two looks.
const POLL: Duration = Duration::from_millis(20);

/// One look at a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Figures {
    /// Of `mntr`: these return to what they were.
    connections: i64,
    watches: i64,
    ephemerals: i64,
    sessions: i64,
    /// The only one that is not equal at two quiet moments: the neighbour may just be asking. Apache's
    /// server counts below zero at times.
    outstanding: i64,
    /// Open files of the process, sockets among them.
    descriptors: usize,
    rss_kib: u64,
}

impl Figures {
    /// Looks.
    pub(super) fn of(server: &Server) -> Result<Self> {
        let text = server.word("mntr")?;
        let metric = |name: &str| -> Result<i64> {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
            let value = value.with_context(|| format!("mntr has no {name}"))?;
            value.parse().with_context(|| format!("{name} is {value}"))
        };
        let pid = server.pid().context("the server is down")?;
        Ok(Self {
            connections: metric("zk_num_alive_connections")?,
            watches: metric("zk_watch_count")?,
            ephemerals: metric("zk_ephemerals_count")?,
            sessions: metric("zk_global_sessions")?,
            outstanding: metric("zk_outstanding_requests")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            rss_kib: rss_kib(server)?,
        })
    }

    /// Waits until nothing is left of an attack.
    ///
    /// # Errors
    /// When something is after `time_max`.
    pub(super) fn returned(&self, server: &Server, time_max: Duration) -> Result<()> {
        let deadline = Instant::now() + time_max;
        loop {
            let now = Self::of(server)?;
            let same = now.connections == self.connections
                && now.watches == self.watches
                && now.ephemerals == self.ephemerals
                && now.sessions == self.sessions
                && now.outstanding <= 1
                // The pair of a socket and its answered word may still be on the way out.
                && now.descriptors <= self.descriptors + 2;
            if same {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{time_max:?} after the attack: {now:?}, before it: {self:?}");
            thread::sleep(POLL);
        }
    }

    /// Waits until the memory is back, up to what an allocator may keep.
    ///
    /// # Errors
    /// When it is not after `time_max`.
    pub(super) fn memory_returned(
        &self,
        server: &Server,
        kept_kib_max: u64,
        time_max: Duration,
    ) -> Result<()> {
        let deadline = Instant::now() + time_max;
        loop {
            let now = rss_kib(server)?;
            if now <= self.rss_kib + kept_kib_max {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{now} KiB at the end, {} KiB before all attacks",
                self.rss_kib
            );
            thread::sleep(POLL);
        }
    }
}

/// The memory of a running server in KiB. Source: proc(5), `VmRSS`.
pub(super) fn rss_kib(server: &Server) -> Result<u64> {
    let pid = server.pid().context("the server is down")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Looks at the memory for a while and holds it to a bound.
///
/// * `more_kib_max`: how much more than `before_kib` the server may take.
///
/// # Errors
/// As soon as it takes more.
pub(super) fn memory_stays(
    server: &Server,
    before_kib: u64,
    more_kib_max: u64,
    time: Duration,
) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        let now = rss_kib(server)?;
        ensure!(
            now <= before_kib + more_kib_max,
            "memory grew from {before_kib} KiB to {now} KiB, by more than {more_kib_max} KiB"
        );
        thread::sleep(POLL);
    }
    Ok(())
}
