//! What `/proc` says about a process and about the whole machine.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::numbers::per;

/// Length of the clock tick of `/proc/PID/stat`; 100 Hz on every Linux that matters (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A process, or several taken as one, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// CPU time of all threads, ended ones included, in ticks of 10 ms.
    ticks: Duration,
    /// CPU time of each living thread, to the nanosecond.
    threads: BTreeMap<u32, u64>,
    /// Bytes that went to the block layer.
    pub(crate) written_bytes: u64,
}

impl Sample {
    /// Looks at the processes now.
    pub(crate) fn take(pids: &[u32]) -> Result<Self> {
        let mut sum = Self { ticks: Duration::ZERO, threads: BTreeMap::new(), written_bytes: 0 };
        for &pid in pids {
            sum.ticks += ticks(pid)?;
            // The ids of threads are unique on the whole machine.
            sum.threads.extend(threads(pid)?);
            sum.written_bytes += written_bytes(pid).unwrap_or(0);
        }
        Ok(sum)
    }

    /// CPU time of a process since its start, to a tick or two.
    pub(crate) fn since_start(pid: u32) -> Result<Duration> {
        ticks(pid)
    }

    /// CPU time from `self` to `later`: exact while the same threads live, else within a tick or two.
    pub(crate) fn cpu_until(&self, later: &Self) -> Duration {
        if self.threads.keys().eq(later.threads.keys()) {
            let sum = |sample: &Self| sample.threads.values().sum::<u64>();
            return Duration::from_nanos(sum(later).saturating_sub(sum(self)));
        }
        later.ticks.saturating_sub(self.ticks)
    }
}

fn ticks(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server process is gone")?;
    stat_ticks(&stat).context("/proc/PID/stat has an unknown form")
}

/// utime + stime, the fields 14 and 15 counted from 1; the name in field 2 may hold spaces and parentheses.
fn stat_ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

fn threads(pid: u32) -> Result<BTreeMap<u32, u64>> {
    let mut times = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let entry = entry?;
        let Ok(thread) = entry.file_name().to_string_lossy().parse() else { continue };
        // A thread may end between listing and reading.
        let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
        let run_ns = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
        times.extend(run_ns.map(|run_ns: u64| (thread, run_ns)));
    }
    Ok(times)
}

fn written_bytes(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    field(&io, "write_bytes:")
}

/// Resident memory in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the server process is gone")?;
    Ok(field(&status, "VmRSS:").context("no VmRSS")? * 1024)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The whole machine at one moment.
pub(crate) struct Machine {
    /// Jiffies of all CPUs together, and those stolen by the hypervisor.
    all: u64,
    steal: u64,
    /// CPU time of each process that is not the kernel's.
    processes: BTreeMap<u32, Duration>,
    taken: std::time::Instant,
}

/// How disturbed a stretch of time was; both in percent.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Disturbance {
    pub(crate) steal_percent: f64,
    /// CPU of processes that take no part, of one CPU.
    pub(crate) foreign_percent: f64,
}

impl Machine {
    /// Looks at everything now.
    pub(crate) fn take() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let first = stat.lines().next().unwrap_or_default();
        let fields: Vec<u64> = first.split_ascii_whitespace().skip(1).flat_map(str::parse).collect();
        // user nice system idle iowait irq softirq steal; guest time is contained in user.
        let all = fields.iter().take(8).sum();
        let steal = fields.get(7).copied().unwrap_or(0);
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Ok(pid) = name.to_string_lossy().parse::<u32>() else { continue };
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            if parent(&stat) != Some(KTHREADD) {
                processes.extend(stat_ticks(&stat).map(|ticks| (pid, ticks)));
            }
        }
        Ok(Self { all, steal, processes, taken: std::time::Instant::now() })
    }

    /// What happened since `self`; `ours` are the processes that take part.
    pub(crate) fn disturbance(&self, ours: &[u32]) -> Result<Disturbance> {
        let now = Self::take()?;
        let foreign: Duration = now
            .processes
            .iter()
            .filter(|(pid, _)| !ours.contains(pid))
            .map(|(pid, ticks)| ticks.saturating_sub(self.processes.get(pid).copied().unwrap_or_default()))
            .sum();
        let jiffies = now.all.saturating_sub(self.all).max(1);
        Ok(Disturbance {
            steal_percent: 100.0 * per(now.steal.saturating_sub(self.steal), jiffies),
            foreign_percent: 100.0 * foreign.as_secs_f64() / (now.taken - self.taken).as_secs_f64(),
        })
    }
}

/// The parent of all kernel threads; their work (writing back, interrupts) belongs to whoever caused it.
const KTHREADD: u32 = 2;

fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_parentheses() {
        let stat = "7 (a) b) S 2 0 0 0 0 0 0 0 0 0 13 29 0 0";
        assert_eq!(stat_ticks(stat), Some(TICK * 42));
        assert_eq!(parent(stat), Some(2));
    }

    #[test]
    fn own_cpu_time_grows() {
        let pid = std::process::id();
        let before = Sample::take(&[pid]).unwrap();
        let spun = (0..2_000_000_u64).fold(0, |sum: u64, n| sum.wrapping_mul(31).wrapping_add(n));
        let after = Sample::take(&[pid]).unwrap();
        assert!(spun > 0 && after.ticks >= before.ticks && !after.threads.is_empty());
        assert!(resident_bytes(pid).unwrap() > 100_000);
    }
}
