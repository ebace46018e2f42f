//! Whether both servers force their writes to disk equally often: nobody wins by forgetting to.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::Pair;
use super::server::Server;
use crate::measure::{self, Figures, Terms};
use crate::numbers::short;
use crate::progress::Progress;
use crate::workload::Workload;

/// A note with forced writes per second and per request under W2; and at depth 1, where one each is due, under W1.
pub(crate) fn note(pair: &Pair) -> Result<String> {
    let mut parts = Vec::new();
    for id in ["W1", "W2"] {
        for server in [&pair.apache, &pair.ours] {
            parts.push(format!("{} {id} {}", server.kind.name(), observe(server, id)?));
        }
    }
    Ok(format!("Durability: {}.", parts.join("; ")))
}

fn observe(server: &Server, id: &str) -> Result<String> {
    let workload = Workload::find(id).context("a workload of the table")?;
    let run = Duration::from_secs(2);
    let warm = Duration::from_millis(200);
    let target = server.target();
    let terms = Terms { target: &target, warm, run, rate: None, threads: 1 };
    let calls = "trace=fdatasync,fsync,sync_file_range,msync";
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-U", "calls,name", "-e", calls, "-p", &server.pid().to_string()]);
    let tracer = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let Figures { requests, written_bytes, .. } =
        measure::run(workload, &terms, &Progress::new("sync"))?.figures;
    let Ok(tracer) = tracer else {
        let written = written_bytes.map_or_else(|| "?".to_owned(), short);
        return Ok(format!("(no strace) {written} B written per request"));
    };
    let pid = Pid::from_raw(i32::try_from(tracer.id())?).context("a process has an id")?;
    kill_process(pid, Signal::INT)?;
    let output = tracer.wait_with_output()?.stderr;
    let syncs = forced(&String::from_utf8_lossy(&output));
    // The traced stretch is a little longer than the counted one, warm-up and closing included.
    Ok(format!("{syncs} forced writes for {requests} requests"))
}

/// Calls of fdatasync and fsync in strace's summary.
fn forced(summary: &str) -> u64 {
    let count = |line: &str| {
        let (calls, name) = line.trim().split_once(char::is_whitespace)?;
        matches!(name.trim(), "fdatasync" | "fsync").then(|| calls.parse::<u64>().ok())?
    };
    summary.lines().filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::forced;

    #[test]
    fn a_summary_is_summed_up() {
        let summary = "    calls syscall\n--------- ----------------\n     1200 fdatasync\n        3 fsync\n      9 total\n";
        assert_eq!(forced(summary), 1_203);
    }
}
