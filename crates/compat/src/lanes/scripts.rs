//! `bin/zkServer.sh` and `conf/ensemble/ensemble.sh` as an operator calls them.
//!
//! What Apache's script of the first name prints is written down here: it is not among what `cargo xtask setup` installs. The
//! ensemble runs once with our servers and once with Apache's in their place.

mod ensemble;
mod status;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use ensemble::Servers;

use super::Case;
use super::process::{Output, run as run_program};
use crate::harness::{free_port, oxkeeper_binary, repository};

/// One call of a script; some wait for seconds by themselves.
const SCRIPT_TIME_MAX: Duration = Duration::from_secs(60);
/// What a script may find in the environment of whoever runs the lane.
const VARIABLES: [&str; 9] = [
    "OXKEEPER_BIN",
    "ZOOCFG",
    "ZOOCFGDIR",
    "ZOO_LOG_DIR",
    "ZOOPIDFILE",
    "ZOO_DATADIR_AUTOCREATE_DISABLE",
    "JVMFLAGS",
    "SERVER_JVMFLAGS",
    "CLIENT_JVMFLAGS",
];

/// Every call.
pub(crate) fn run() -> Result<Vec<Case>> {
    let dir = tempfile::Builder::new().prefix("compat-scripts-").tempdir()?;
    let mut cases = status::run(dir.path())?;
    cases.push(Case::of("start, start again, status, stop, stop again", life(dir.path())));
    for servers in [Servers::Ours, Servers::Apache] {
        cases.push(Case::of(format!("an ensemble of four: {servers:?}"), ensemble::run(dir.path(), servers)));
    }
    Ok(cases)
}

/// A script in an environment that says nothing, with the program of ours.
fn script(path: &Path, dir: &Path) -> Result<Command> {
    let mut command = Command::new(path);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.env("OXKEEPER_BIN", oxkeeper_binary()?).env("ZOO_LOG_DIR", dir.join("out")).current_dir(dir);
    Ok(command)
}

/// `bin/zkServer.sh` with these words, called in `dir`.
fn zk_server(words: &[&str], dir: &Path) -> Result<Output> {
    run_program(script(&repository().join("bin/zkServer.sh"), dir)?.args(words), "", SCRIPT_TIME_MAX)
}

/// One server's life, with a relative configuration and a relative directory.
fn life(dir: &Path) -> Result<()> {
    let port = free_port()?;
    std::fs::write(dir.join("one.cfg"), format!("dataDir=one/data\nclientPort={port}\n"))?;
    let address = format!("Client port found: {port}. Client address: localhost. Client SSL: false.\n");
    let pid_file = dir.join("one/data/zookeeper_server.pid");
    let check = |word: &str, wanted: &str, code: i32| -> Result<()> {
        let got = zk_server(&[word, "./one.cfg"], dir)?;
        let wanted_stderr = "Using config: ./one.cfg\n";
        ensure!(
            got.stdout == wanted && got.stderr == wanted_stderr && got.code == code,
            "{word}: {got:?} instead of {wanted:?}"
        );
        Ok(())
    };
    check("start", "Starting zookeeper ... STARTED\n", 0)?;
    let pid = std::fs::read_to_string(&pid_file).context("the file with the pid")?;
    let running = check("start", &format!("Starting zookeeper ... already running as process {pid}.\n"), 1)
        .and_then(|()| check("status", &format!("{address}Mode: standalone\n"), 0));
    // Whatever was wrong, the server does not stay.
    check("stop", "Stopping zookeeper ... STOPPED\n", 0)?;
    running?;
    let none =
        "Stopping zookeeper ... no zookeeper to stop (could not find file one/data/zookeeper_server.pid)\n";
    check("stop", none, 0)?;
    check("status", &format!("{address}Error contacting service. It is probably not running.\n"), 1)?;
    let usage = zk_server(&["upgrade"], dir)?;
    let line = "[--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}\n";
    ensure!(usage.stderr.ends_with(line) && usage.stdout.is_empty() && usage.code == 0, "{usage:?}");
    Ok(())
}
