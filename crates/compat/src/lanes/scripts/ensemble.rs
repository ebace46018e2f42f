//! The four servers of `conf/ensemble`, on other ports and in another place.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{SCRIPT_TIME_MAX, script};
use crate::harness::{Target, free_port, oxkeeper_binary, repository};
use crate::lanes::process::{Output, run as run_program};

/// How long four servers, virtual machines at the worst, may take to become an ensemble.
const ELECTION_TIME_MAX: Duration = Duration::from_secs(60);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(200);
/// Where the files of the repository put their directories.
const HOME: &str = "/tmp/zookeeper/ensemble/";

/// Whose servers the scripts start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Servers {
    /// This project's.
    Ours,
    /// Apache's in their place, so that the scripts are tried apart from the server.
    Apache,
}

/// Makes, starts, asks, stops and removes the ensemble.
pub(super) fn run(dir: &Path, servers: Servers) -> Result<()> {
    let place = Place::new(&dir.join(format!("four-{servers:?}")), servers)?;
    let started = place.call("start");
    let served = started.and_then(|got| {
        ensure!(
            got.code == 0 && got.stdout.matches("Starting zookeeper ... STARTED\n").count() == 4,
            "{got:?}"
        );
        place.elect()
    });
    // Whatever was wrong, no server stays.
    let stopped = place.call("stop")?;
    served?;
    ensure!(
        stopped.code == 0 && stopped.stdout.matches("Stopping zookeeper ... STOPPED\n").count() == 4,
        "{stopped:?}"
    );
    for (member, id) in [(1, "1\n"), (4, "4\n")] {
        let file = place.dir.join(format!("here/{member}/data/myid"));
        ensure!(fs::read_to_string(&file)? == id, "{}", file.display());
    }
    let cleaned = place.call("clean")?;
    ensure!(cleaned.code == 0 && !place.dir.join("here/1/data").exists(), "{cleaned:?}");
    Ok(())
}

/// A copy of `bin` and `conf`, as in a release.
struct Place {
    dir: std::path::PathBuf,
    /// What is started, unless it is ours.
    stand_in: Option<std::path::PathBuf>,
}

impl Place {
    fn new(dir: &Path, servers: Servers) -> Result<Self> {
        for folder in ["bin", "conf/ensemble", "here"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        // Every port of the files, and another in its place.
        let mut ports = BTreeMap::new();
        for port in (2181..=2184).chain(2887..=2890).chain(3887..=3890) {
            ports.insert(port.to_string(), free_port()?.to_string());
        }
        for folder in ["bin", "conf/ensemble"] {
            for entry in fs::read_dir(repository().join(folder))? {
                let entry = entry?;
                let to = dir.join(folder).join(entry.file_name());
                fs::copy(entry.path(), &to)?;
                if to.extension().is_some_and(|end| end == "cfg") {
                    let text = fs::read_to_string(&to)?;
                    ensure!(text.contains(HOME), "{} has its directories elsewhere", to.display());
                    // Relative to the folder the script is called in.
                    let text = ports.iter().fold(text, |text, (port, other)| text.replace(port, other));
                    fs::write(&to, text.replace(HOME, ""))?;
                }
            }
        }
        let stand_in = match servers {
            Servers::Ours => None,
            Servers::Apache => {
                let stand_in = dir.join("stand-in");
                fs::write(&stand_in, stand_in_text()?)?;
                fs::set_permissions(&stand_in, Permissions::from_mode(0o755))?;
                Some(stand_in)
            }
        };
        Ok(Self { dir: dir.to_path_buf(), stand_in })
    }

    /// Calls the script by a relative path, from a folder of its own.
    fn call(&self, word: &str) -> Result<Output> {
        let mut command = script(Path::new("../conf/ensemble/ensemble.sh"), &self.dir.join("here"))?;
        if let Some(stand_in) = &self.stand_in {
            command.env("OXKEEPER_BIN", stand_in);
        }
        command.env_remove("ZOO_LOG_DIR").arg(word);
        run_program(&mut command, "", SCRIPT_TIME_MAX)
    }

    /// Waits until every member says what it is.
    fn elect(&self) -> Result<()> {
        let deadline = Instant::now() + ELECTION_TIME_MAX;
        loop {
            let got = self.call("status")?;
            let mut modes: Vec<&str> =
                got.stdout.lines().filter_map(|line| line.strip_prefix("Mode: ")).collect();
            modes.sort_unstable();
            if got.code == 0 && modes == ["follower", "follower", "leader", "observer"] {
                let last = got.stdout.lines().last();
                ensure!(last == Some("Mode: observer"), "the fourth is the observer: {got:?}");
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("no ensemble came to be: {got:?}");
            }
            thread::sleep(POLL);
        }
    }
}

/// A program that is called as ours and is Apache's server; questions are still ours to ask.
fn stand_in_text() -> Result<String> {
    let server = Target::apache().command(&[])?;
    let words = std::iter::once(server.get_program()).chain(server.get_args());
    let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    let ours = oxkeeper_binary()?;
    let ours = quoted(ours.to_str().context("a path that is text")?);
    Ok(format!(
        "#!/bin/sh\nif [ \"$1\" = four-letter ]; then exec {ours} \"$@\"; fi\nexec {} \"$@\"\n",
        words.join(" ")
    ))
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
