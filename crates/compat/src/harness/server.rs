//! Starting, killing, stopping and restarting one server process.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tempfile::TempDir;

use super::ports::free_port;
use super::target::Target;
use super::words::four_letter;

/// How long a start may take. A Java virtual machine under a busy machine needs some of it.
const START_TIME_MAX: Duration = Duration::from_secs(90);
/// How long an orderly stop may take before it counts as a hang.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
/// Time between two looks at a process that is starting or stopping.
const POLL: Duration = Duration::from_millis(5);
/// How many ports are tried when another process was faster.
const PORTS_TRIED_MAX: u32 = 3;
/// How much of a dead server's log goes into the error.
const LOG_TAIL_BYTES: usize = 4000;

/// What to start: a program, lines of `zoo.cfg`, system properties, and where.
#[derive(Clone, Debug)]
pub struct Spec {
    target: Target,
    cfg: Vec<(String, String)>,
    properties: Vec<(String, String)>,
    dir: Option<PathBuf>,
}

impl Spec {
    /// A server with every four-letter word allowed, no connection limit and no AdminServer, in a temporary directory.
    pub fn new(target: Target) -> Self {
        let defaults = [
            ("tickTime", "2000"),
            ("clientPortAddress", "127.0.0.1"),
            ("maxClientCnxns", "0"),
            ("4lw.commands.whitelist", "*"),
            ("admin.enableServer", "false"),
        ];
        let cfg = defaults.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        Self { target, cfg, properties: Vec::new(), dir: None }
    }

    /// Sets one key of `zoo.cfg`, in place of an earlier value. `dataDir` and `clientPort` are the harness's own.
    #[must_use]
    pub fn cfg(mut self, key: &str, value: impl ToString) -> Self {
        self.cfg.retain(|(known, _)| known != key);
        self.cfg.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds a Java system property, without its `-D`, for example `zookeeper.snapCount`.
    #[must_use]
    pub fn property(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.push((key.to_owned(), value.to_string()));
        self
    }

    /// Works in `dir` (configuration, log, and the data below `dir/data`) instead of a temporary directory, and leaves it there.
    /// So one server can be started on what another one left behind.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Starts the server and waits until `srvr` answers.
    ///
    /// # Errors
    /// When the program is missing, exits, or does not answer in 90 s; the message carries the end of its log.
    pub fn start(self) -> Result<Server> {
        let temporary = match self.dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("compat-").tempdir()?),
        };
        let dir = match (&self.dir, &temporary) {
            (Some(dir), _) => dir.clone(),
            (None, made) => made.as_ref().expect("made when no directory was named").path().to_path_buf(),
        };
        fs::create_dir_all(dir.join("data"))?;
        let mut server = Server {
            spec: self,
            dir,
            port: 0,
            child: None,
            start_took: Duration::ZERO,
            _temporary: temporary,
        };
        for attempt in 1.. {
            server.port = free_port()?;
            match server.launch() {
                Err(error) if attempt < PORTS_TRIED_MAX && server.lost_its_port() => drop(error),
                other => return other.map(|()| server),
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// A running (or stopped) server and its directory. Dropping it kills the process it started.
#[derive(Debug)]
pub struct Server {
    spec: Spec,
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
    start_took: Duration,
    /// Removed last; `None` when the caller named the directory.
    _temporary: Option<TempDir>,
}

impl Server {
    /// The client port on 127.0.0.1. It stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:port`, as clients take it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id, or `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Which program this is.
    pub fn target(&self) -> &Target {
        &self.spec.target
    }

    /// The directory with `zoo.cfg`, `server.log` and `data`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `dataDir` as configured: `version-2` lies below it.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Everything the server has printed over all its starts.
    pub fn log_file(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// How long the last start took, from the process's birth to the first answer to `srvr`.
    pub fn start_took(&self) -> Duration {
        self.start_took
    }

    /// Sends a four-letter word.
    ///
    /// # Errors
    /// As [`four_letter`].
    pub fn word(&self, word: &str) -> Result<String> {
        four_letter(self.port, word.as_bytes())
    }

    /// Ends the process at once, as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// When the server is already down.
    pub fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server is already down")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Ends the process in order, with SIGTERM, and says how it ended.
    ///
    /// # Errors
    /// When the server is already down, or is still there after 30 s (then it has been killed).
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the server is already down")?;
        let pid = child.id();
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status()?;
        ensure!(sent.success(), "SIGTERM could not be sent to {pid}");
        let deadline = Instant::now() + STOP_TIME_MAX;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("{} was still running {STOP_TIME_MAX:?} after SIGTERM", self.spec.target);
            }
            thread::sleep(POLL);
        }
    }

    /// Starts the same program with the same configuration on the same port and directory. The server has to be down.
    ///
    /// # Errors
    /// As [`Spec::start`].
    pub fn restart(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the server is still running");
        self.launch()
    }

    /// Writes `zoo.cfg`, starts the process and waits for its first answer.
    fn launch(&mut self) -> Result<()> {
        let cfg = self.dir.join("zoo.cfg");
        let mut text = format!("dataDir={}\nclientPort={}\n", self.data_dir().display(), self.port);
        for (key, value) in &self.spec.cfg {
            text.push_str(&format!("{key}={value}\n"));
        }
        fs::write(&cfg, text)?;
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let mut command = self.spec.target.command(&self.spec.properties)?;
        command.arg(&cfg).current_dir(&self.dir).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let born = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", self.spec.target))?;
        self.child = Some(child);
        self.wait_until_it_answers(born)?;
        self.start_took = born.elapsed();
        Ok(())
    }

    /// Asks `srvr` until the server serves, exits, or runs out of time.
    fn wait_until_it_answers(&mut self, born: Instant) -> Result<()> {
        loop {
            if self.word("srvr").is_ok_and(|answer| answer.contains("Mode: ")) {
                return Ok(());
            }
            let child = self.child.as_mut().expect("just started");
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Err(anyhow!("{} ended with {status}\n{}", self.spec.target, self.log_tail()));
            }
            if born.elapsed() > START_TIME_MAX {
                self.kill9()?;
                bail!("{} did not answer in {START_TIME_MAX:?}\n{}", self.spec.target, self.log_tail());
            }
            thread::sleep(POLL);
        }
    }

    /// Whether the log says that the port was taken.
    fn lost_its_port(&self) -> bool {
        self.log_tail().contains("Address already in use")
    }

    /// The end of the log, for errors.
    fn log_tail(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        let from = bytes.len().saturating_sub(LOG_TAIL_BYTES);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; there is nobody to tell either way.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
