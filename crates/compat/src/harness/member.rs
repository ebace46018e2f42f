//! One member of an ensemble: its directories, its process, what it says of itself.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::ports::free_port;
use super::target::Target;
use super::until::until;
use super::words::ask;

/// How long an orderly stop may take. A Java member that is in the middle of an election takes some seconds.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the threads of a member may take to stand still.
const PAUSE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a member may take to say which role it has. One that is stopped or cut off says nothing at all.
const ROLE_TIME_MAX: Duration = Duration::from_secs(2);
/// How much of a member's log goes into an error.
const LOG_TAIL_BYTES: usize = 3000;
/// What makes a virtual machine start sooner and use one thread for its garbage: a lane runs several at once.
const JAVA_OPTIONS: &str = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto";

/// What a member's line in the list of servers says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It counts for the quorum.
    Voter,
    /// It does not.
    Observer,
}

/// What a member says it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// `Mode: leader`.
    Leader,
    /// `Mode: follower`.
    Follower,
    /// `Mode: observer`.
    Observer,
}

/// Where a member runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The address it listens at.
    pub host: IpAddr,
    /// The network namespace it is started in; `None` for this process's own.
    pub namespace: Option<String>,
}

impl Place {
    /// On this machine's loopback address.
    pub fn loopback() -> Self {
        Self { host: IpAddr::V4(Ipv4Addr::LOCALHOST), namespace: None }
    }
}

/// A member to be.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) target: Target,
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// Where it keeps its data and logs, if that is a place of its own.
    pub(super) files: Option<PathBuf>,
}

/// A member, running or not. Dropping it kills the process it started.
#[derive(Debug)]
pub struct Member {
    sid: u64,
    target: Target,
    kind: Kind,
    place: Place,
    /// Configuration and output.
    dir: PathBuf,
    /// What it keeps.
    files: PathBuf,
    client_port: u16,
    quorum_port: u16,
    election_port: u16,
    properties: Vec<(String, String)>,
    child: Option<Child>,
}

impl Member {
    /// A member that has not been started, with ports of its own.
    ///
    /// * `dir`: for its configuration and output, and for what it keeps, unless its seat says where that is.
    pub(super) fn new(sid: u64, seat: Seat, dir: PathBuf, properties: Vec<(String, String)>) -> Result<Self> {
        let Seat { target, kind, place, files } = seat;
        let member = Self {
            sid,
            target,
            kind,
            place,
            files: files.unwrap_or_else(|| dir.clone()),
            dir,
            client_port: free_port()?,
            quorum_port: free_port()?,
            election_port: free_port()?,
            properties,
            child: None,
        };
        fs::create_dir_all(&member.dir)?;
        fs::create_dir_all(member.data_dir())?;
        fs::create_dir_all(member.log_dir())?;
        fs::write(member.data_dir().join("myid"), format!("{sid}\n"))?;
        Ok(member)
    }

    /// Its number.
    pub fn sid(&self) -> u64 {
        self.sid
    }

    /// Which program it is now.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Voter or observer.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where clients connect.
    pub fn client_address(&self) -> SocketAddr {
        SocketAddr::new(self.place.host, self.client_port)
    }

    /// Where learners connect while it leads.
    pub fn quorum_address(&self) -> SocketAddr {
        SocketAddr::new(self.place.host, self.quorum_port)
    }

    /// Where votes are exchanged.
    pub fn election_address(&self) -> SocketAddr {
        SocketAddr::new(self.place.host, self.election_port)
    }

    /// `dataDir`: snapshots, epochs and `myid`.
    pub fn data_dir(&self) -> PathBuf {
        self.files.join("data")
    }

    /// `dataLogDir`.
    pub fn log_dir(&self) -> PathBuf {
        self.files.join("log")
    }

    /// The configuration file.
    pub fn cfg_file(&self) -> PathBuf {
        self.dir.join("zoo.cfg")
    }

    /// Everything it has printed over all its starts, whichever program it was.
    pub fn output_file(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The process id, or `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its line in everybody's list of servers.
    pub(super) fn line(&self) -> String {
        let Self { sid, quorum_port, election_port, .. } = self;
        let role = match self.kind {
            Kind::Voter => "",
            Kind::Observer => ":observer",
        };
        format!("server.{sid}={}:{quorum_port}:{election_port}{role}\n", self.place.host)
    }

    /// Writes its `zoo.cfg`.
    ///
    /// * `common`: the lines every member has.
    pub(super) fn write_cfg(&self, common: &str) -> Result<()> {
        let mut text = format!("dataDir={}\n", self.data_dir().display());
        text.push_str(&format!("dataLogDir={}\n", self.log_dir().display()));
        text.push_str(&format!("clientPort={}\nclientPortAddress={}\n", self.client_port, self.place.host));
        if self.kind == Kind::Observer {
            text.push_str("peerType=observer\n");
        }
        text.push_str(common);
        fs::write(self.cfg_file(), text)?;
        Ok(())
    }

    /// Starts the process, without waiting for anything.
    ///
    /// # Errors
    /// When it is running already, or the program is missing.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "member {} is still running", self.sid);
        let log = OpenOptions::new().create(true).append(true).open(self.output_file())?;
        let server = self.target.command(&self.properties)?;
        let mut command = match &self.place.namespace {
            None => server,
            Some(namespace) => {
                // `ip` replaces itself by the program, so that the process id stays the one we know.
                let mut within = Command::new("ip");
                within.args(["netns", "exec", namespace]).arg(server.get_program()).args(server.get_args());
                within
            }
        };
        command.arg(self.cfg_file()).current_dir(&self.dir).stdin(Stdio::null());
        command.env("JDK_JAVA_OPTIONS", JAVA_OPTIONS);
        command.stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("starting {self}"))?;
        self.child = Some(child);
        Ok(())
    }

    /// Ends the process at once, as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// When it is down already.
    pub fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().with_context(|| format!("{self} is already down"))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Ends the process in order, with SIGTERM, and waits until it is gone.
    ///
    /// # Errors
    /// When it is down already, or still there after 30 s (then it has been killed).
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(STOP_TIME_MAX)
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// When it was not running, or still is after `time_max` (then it has been killed).
    pub fn ended(&mut self, time_max: Duration) -> Result<ExitStatus> {
        let mut child = self.child.take().with_context(|| format!("{self} is not running"))?;
        let ended = until(&format!("{self} to end"), time_max, || Ok(child.try_wait()?));
        if ended.is_err() {
            child.kill()?;
            child.wait()?;
        }
        ended
    }

    /// Stops all its threads where they are, until [`Member::resume`].
    ///
    /// # Errors
    /// When it is down, or a thread goes on for long.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        // A thread stops when it is scheduled next; on a busy machine it could still read what is sent to it from now on.
        until(&format!("{self} to stand still"), PAUSE_TIME_MAX, || {
            for task in fs::read_dir(format!("/proc/{}/task", self.pid().unwrap_or_default()))? {
                let status = fs::read_to_string(task?.path().join("status"))?;
                if !status.contains("\nState:\tT") {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Lets it go on after [`Member::pause`].
    ///
    /// # Errors
    /// When it is down.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends a signal.
    fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().with_context(|| format!("{self} is down"))?;
        kill_process(Pid::from_child(child), signal)?;
        Ok(())
    }

    /// Removes everything it ever kept, except its number. It has to be down.
    ///
    /// # Errors
    /// When it is running, or the files cannot be removed.
    pub fn wipe(&self) -> Result<()> {
        ensure!(self.child.is_none(), "{self} is running");
        for dir in [self.data_dir(), self.log_dir()] {
            match fs::remove_dir_all(dir.join("version-2")) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// From now on another program works on its directories. It has to be down.
    ///
    /// # Errors
    /// When it is running.
    pub fn replace_by(&mut self, target: Target) -> Result<()> {
        ensure!(self.child.is_none(), "{self} is running");
        self.target = target;
        Ok(())
    }

    /// Sends it a four-letter word.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub fn word(&self, word: &str) -> Result<String> {
        ask(self.client_address(), word.as_bytes(), ROLE_TIME_MAX)
    }

    /// Its role, or `None` while it serves nobody.
    pub fn role(&self) -> Option<Role> {
        let answer = self.word("srvr").ok()?;
        match answer.lines().find_map(|line| line.strip_prefix("Mode: "))? {
            "leader" => Some(Role::Leader),
            "follower" => Some(Role::Follower),
            "observer" => Some(Role::Observer),
            _ => None,
        }
    }

    /// The last transaction it has applied, or `None` while it serves nobody.
    pub fn zxid(&self) -> Option<i64> {
        let answer = self.word("srvr").ok()?;
        let text = answer.lines().find_map(|line| line.strip_prefix("Zxid: 0x"))?;
        i64::from_str_radix(text, 16).ok()
    }

    /// A number `mntr` shows.
    ///
    /// # Errors
    /// When it does not answer, or has no such number.
    pub fn metric(&self, name: &str) -> Result<i64> {
        let answer = self.word("mntr")?;
        let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        let value = value.with_context(|| format!("mntr of {self} has no {name}"))?;
        // Apache prints averages and the like with a point.
        let whole = value.split('.').next().unwrap_or(value);
        whole.parse().with_context(|| format!("{name} of {self} is {value}"))
    }

    /// Whether its process, which should be running, still is.
    ///
    /// # Errors
    /// When it has ended; the message carries the end of its log.
    pub fn check_running(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        match child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                self.child = None;
                Err(anyhow!("{self} ended by itself with {status}\n{}", self.output_tail()))
            }
        }
    }

    /// Everything it has printed.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_file()).unwrap_or_default()).into_owned()
    }

    /// The end of what it has printed.
    pub fn output_tail(&self) -> String {
        let bytes = fs::read(self.output_file()).unwrap_or_default();
        let from = bytes.len().saturating_sub(LOG_TAIL_BYTES);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }

    /// Whether these bytes stand in its transaction log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_logged(&self, bytes: &[u8]) -> Result<bool> {
        for entry in fs::read_dir(self.log_dir().join("version-2"))? {
            let path = entry?.path();
            if is_log(&path) && contains(&fs::read(&path)?, bytes) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether this is a transaction log by its name.
fn is_log(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log."))
}

/// Whether `needle` is somewhere in `hay`.
fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

impl fmt::Display for Member {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "member {} ({})", self.sid, self.target)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; there is nobody to tell either way.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
