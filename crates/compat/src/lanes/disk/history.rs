//! A data directory with a history whose every write was acknowledged, and a look at what a server makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::harness::{Server, Spec, Target, free_port};
use crate::lanes::process::{Output, run as run_program};
use crate::lanes::wire::{Fields, Session, create, op, read, set_data};

/// The znode that is written, and its writes from one start to the next.
const PATH: &str = "/history";
const WRITES: u32 = 200;
/// Starts, each of which makes a log file.
const STARTS: u32 = 3;
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server that does not start may take to say so.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(20);
/// How long snapshots may take to come.
const SNAPSHOTS_TIME_MAX: Duration = Duration::from_secs(20);

/// A directory as a server left it that was killed.
#[derive(Debug)]
pub(super) struct History {
    dir: TempDir,
    target: Target,
    /// The last value acknowledged.
    last: u32,
}

impl History {
    /// Three log files behind one snapshot.
    pub(super) fn with_logs(target: &Target) -> Result<Self> {
        let mut made = Self { dir: temporary()?, target: target.clone(), last: 0 };
        for _ in 0..STARTS {
            let mut server = made.spec().start()?;
            let mut session = made.session(&server)?;
            for _ in 0..WRITES {
                made.write(&mut session)?;
            }
            server.kill9()?;
        }
        ensure!(made.files("log.").len() == 3, "three starts make three log files: {:?}", made.files("log."));
        Ok(made)
    }

    /// At least two snapshots besides the first empty one.
    pub(super) fn with_snapshots(target: &Target) -> Result<Self> {
        let mut made = Self { dir: temporary()?, target: target.clone(), last: 0 };
        let mut server = made.spec().cfg("snapCount", 100).property("zookeeper.snapCount", 100).start()?;
        let mut session = made.session(&server)?;
        let deadline = Instant::now() + SNAPSHOTS_TIME_MAX;
        while made.files("snapshot.").len() < 3 {
            ensure!(Instant::now() < deadline, "no two snapshots after {} writes", made.last);
            made.write(&mut session)?;
        }
        server.kill9()?;
        Ok(made)
    }

    /// The same in a directory of its own, to be damaged.
    pub(super) fn copy(&self) -> Result<Self> {
        let dir = temporary()?;
        let (from, to) = (self.version_dir(), dir.path().join("data/version-2"));
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(Self { dir, target: self.target.clone(), last: self.last })
    }

    /// Files of one kind, the oldest first.
    pub(super) fn files(&self, prefix: &str) -> Vec<PathBuf> {
        let zxid = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            i64::from_str_radix(name.strip_prefix(prefix)?, 16).ok()
        };
        let entries = fs::read_dir(self.version_dir()).into_iter().flatten().flatten();
        let mut files: Vec<_> =
            entries.filter_map(|entry| Some((zxid(&entry.path())?, entry.path()))).collect();
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }

    /// Starts on it and holds what is there to what was acknowledged. Gives what the server printed.
    ///
    /// * `lost_max`: how many of the last writes may be gone.
    pub(super) fn starts(&self, lost_max: u32) -> Result<String> {
        let server = self.spec().start()?;
        let mut session = Session::open(server.port(), SESSION_TIMEOUT)?;
        let body = session.call(op::GET_DATA, &read(PATH, false))?;
        let value: u32 = std::str::from_utf8(Fields(&body).bytes()?)?.parse()?;
        ensure!(
            (self.last - lost_max..=self.last).contains(&value),
            "the last write acknowledged was {}, {value} is there",
            self.last
        );
        // And the server is one that can be written to.
        session.call(op::SET_DATA, &set_data(PATH, b"0"))?;
        session.close()?;
        Ok(fs::read_to_string(server.log_file())?)
    }

    /// Starts on it and expects to be refused with exit code 1 and all of `words`.
    pub(super) fn refused(&self, words: &[&str]) -> Result<()> {
        let cfg = self.dir.path().join("zoo.cfg");
        let data = self.dir.path().join("data");
        let port = free_port()?;
        let text = format!("dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n", data.display());
        fs::write(&cfg, text)?;
        expect_refusal(&refusal(&self.target, &cfg)?, 1, words)
    }

    fn spec(&self) -> Spec {
        // Without a snapshot at the end of each start, and with files that can be copied often.
        Spec::new(self.target.clone()).dir(self.dir.path()).cfg("preAllocSize", 64)
    }

    fn version_dir(&self) -> PathBuf {
        self.dir.path().join("data/version-2")
    }

    fn session(&self, server: &Server) -> Result<Session> {
        let mut session = Session::open(server.port(), SESSION_TIMEOUT)?;
        if self.last == 0 {
            session.call(op::CREATE, &create(PATH, b"0", 0))?;
        }
        Ok(session)
    }

    fn write(&mut self, session: &mut Session) -> Result<()> {
        let value = (self.last + 1).to_string();
        session.call(op::SET_DATA, &set_data(PATH, value.as_bytes()))?;
        self.last += 1;
        Ok(())
    }
}

/// Runs a server that should not come up.
///
/// # Errors
/// When it is still there after a while.
pub(super) fn refusal(target: &Target, cfg: &Path) -> Result<Output> {
    let mut command: Command = target.command(&[])?;
    command.arg(cfg).current_dir(cfg.parent().context("the configuration lies in a directory")?);
    run_program(&mut command, "", REFUSAL_TIME_MAX)
}

/// Holds how a server ended to what it should have said.
pub(super) fn expect_refusal(output: &Output, code: i32, words: &[&str]) -> Result<()> {
    let said = format!("{}{}", output.stderr, output.stdout);
    ensure!(output.code == code, "exit code {}, not {code}:\n{said}", output.code);
    match words.iter().find(|word| !said.contains(**word)) {
        None => Ok(()),
        Some(word) => bail!("nothing of `{word}` in what the server said:\n{said}"),
    }
}

fn temporary() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("compat-disk-").tempdir()?)
}
