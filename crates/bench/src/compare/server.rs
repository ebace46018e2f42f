//! The servers under comparison as child processes: equal configuration, own directories, killed by pid at the end.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::measure::{SESSION_TIMEOUT_MS, Target};
use crate::session::{Opening, close_all};
use crate::wire::Call;
use crate::workload::{Limit, Workload};

/// The longest any server may take to its first reply.
const START_PATIENCE: Duration = Duration::from_secs(180);
/// After this long without an answer a starting server is asked on a new connection.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);
/// How often a starting server is tried.
const START_STEP: Duration = Duration::from_millis(1);

/// What Apache's server logs with.
const LOGBACK_FILE: &str = "logback.xml";
/// INFO to the console, as the file in Apache's `conf` says. Without any, logback tells of every request.
const LOGBACK: &str = r#"<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="CONSOLE" /></root>
</configuration>
"#;

/// Which program.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Apache's, from a class path, with this heap and collector.
    Apache { class_path: String, heap: String, collector: String },
    /// Ours, an executable that takes a `zoo.cfg`.
    Ours { binary: PathBuf },
}

impl Kind {
    /// How it is called in tables.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Apache { .. } => "apache",
            Self::Ours { .. } => "ours",
        }
    }

    fn command(&self, dir: &Path) -> Command {
        let config = dir.join("zoo.cfg");
        match self {
            Self::Apache { class_path, heap, collector } => {
                let mut command = leashed("java".as_ref());
                let logging = dir.join(LOGBACK_FILE);
                command.arg(format!("-Dlogback.configurationFile={}", logging.display()));
                command.arg("-Dzookeeper.admin.enableServer=false").arg(format!("-Xmx{heap}"));
                command.arg(format!("-XX:+Use{collector}GC")).args(["-cp", class_path]);
                command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(config);
                command
            }
            Self::Ours { binary } => {
                let mut command = leashed(binary.as_os_str());
                command.arg(config);
                command
            }
        }
    }
}

/// A running server with its directory; dropping it kills the process and keeps the directory.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) addr: SocketAddr,
    pub(crate) dir: PathBuf,
    child: Child,
}

impl Server {
    /// Starts on an empty data directory below `root` and waits for the first reply.
    pub(crate) fn start(kind: &Kind, root: &Path) -> Result<Self> {
        let dir = empty_dir(root.join(kind.name()))?;
        let addr = free_address()?;
        let mut server = Self::begin(kind, dir, addr, "")?;
        server.first_reply("/")?;
        Ok(server)
    }

    /// Starts on what `dir` holds and waits for nothing. `more`: lines of the configuration beside those all have.
    pub(crate) fn begin(kind: &Kind, dir: PathBuf, addr: SocketAddr, more: &str) -> Result<Self> {
        fs::write(dir.join("zoo.cfg"), config(&dir, addr) + more)?;
        let child = spawn(kind, &dir)?;
        Ok(Self { kind: kind.clone(), addr, dir, child })
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The server as what a load goes to.
    pub(crate) fn target(&self) -> Target {
        Target { addrs: vec![self.addr], pids: vec![self.pid()] }
    }

    /// kill -9 without waiting until the kernel has taken the process apart.
    pub(crate) fn strike(&mut self) -> Result<()> {
        Ok(self.child.kill()?)
    }

    /// kill -9, and the end of it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts again on the same data; the time from the start of the process to its first reply, for `path`.
    pub(crate) fn restart(&mut self, path: &str) -> Result<Duration> {
        let start = Instant::now();
        self.child = spawn(&self.kind, &self.dir)?;
        self.first_reply(path)?;
        Ok(start.elapsed())
    }

    /// Waits until it answers that `path` is there.
    pub(crate) fn first_reply(&mut self, path: &str) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            // A server that loads its data may refuse, accept and close, or accept and never answer.
            let answered = Opening::start(self.addr, SESSION_TIMEOUT_MS, None).and_then(|opening| {
                opening.stream().set_read_timeout(Some(ANSWER_PATIENCE))?;
                let mut session = opening.finish()?;
                let err = session.call(Call::Exists, path)?.err;
                Ok((session, err))
            });
            match answered {
                Ok((session, 0)) => return close_all(vec![session]),
                Ok((_, err)) => bail!("{} answers error {err} for {path} after its start", self.kind.name()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => {}
            }
            if let Some(status) = self.child.try_wait()? {
                let log = self.dir.join("server.log");
                bail!("{} ended at its start: {status}; see {}", self.kind.name(), log.display());
            }
            std::thread::sleep(START_STEP);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.kill();
    }
}

/// A command whose process is killed when this program ends, even by a signal; `setpriv` is of util-linux.
fn leashed(program: &OsStr) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

fn spawn(kind: &Kind, dir: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(dir.join("server.log"))?;
    if matches!(kind, Kind::Apache { .. }) {
        fs::write(dir.join(LOGBACK_FILE), LOGBACK)?;
    }
    let mut command = kind.command(dir);
    command.current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("starting {}", kind.name()))
}

/// The configuration of all servers. `snapCount` stays at its default and `forceSync` on.
fn config(dir: &Path, addr: SocketAddr) -> String {
    format!(
        "tickTime=2000\ndataDir={}\nclientPort={}\nclientPortAddress={}\nmaxClientCnxns=0\n\
         minSessionTimeout=4000\nmaxSessionTimeout={SESSION_TIMEOUT_MS}\nclientPortListenBacklog=4096\n\
         globalOutstandingLimit=20000\nautopurge.purgeInterval=0\n",
        dir.join("data").display(),
        addr.port(),
        addr.ip(),
    )
}

/// A directory with nothing in it.
pub(crate) fn empty_dir(dir: PathBuf) -> Result<PathBuf> {
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// A loopback port nobody listens on now.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Different loopback ports that nobody listens on now, below those the kernel gives to clients; each is given once, so
/// that a member that starts later still finds its own free.
pub(crate) fn free_addresses(count: usize) -> Result<Vec<SocketAddr>> {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let mut held = Vec::new();
    while held.len() < count {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        ensure!(tried < COUNT, "no {count} free ports");
        // Programs that run beside this one begin elsewhere.
        let port = FIRST + std::process::id().wrapping_mul(61).wrapping_add(tried) % COUNT;
        held.extend(TcpListener::bind(("127.0.0.1", u16::try_from(port)?)).ok());
    }
    held.iter().map(|listener| Ok(listener.local_addr()?)).collect()
}

/// A probe server for one workload, with its followers; killed when dropped.
pub(crate) struct ProbeServer {
    addr: SocketAddr,
    children: Vec<Child>,
}

impl ProbeServer {
    /// Starts L1, L3 or L4 with the workload's reply sizes, its logs below `dir`.
    pub(crate) fn start(workload: &Workload, dir: &Path) -> Result<Self> {
        let mut probe = Self { addr: SocketAddr::from(([0; 4], 0)), children: Vec::new() };
        let mut arguments = vec![workload.limit.id().to_owned()];
        if workload.limit != Limit::Echo {
            arguments.extend(["--dir".to_owned(), dir.to_string_lossy().into_owned()]);
        }
        if workload.limit == Limit::QuorumEcho {
            for follower in ["follower-1", "follower-2"] {
                let dir = dir.join(follower).to_string_lossy().into_owned();
                let addr = probe.add(&["L4-follower".to_owned(), "--dir".to_owned(), dir])?;
                arguments.extend(["--follower".to_owned(), addr.to_string()]);
            }
        }
        for (opcode, bytes) in workload.replies() {
            arguments.extend(["--reply".to_owned(), format!("{opcode}={bytes}")]);
        }
        probe.addr = probe.add(&arguments)?;
        Ok(probe)
    }

    /// Starts one process; the address it tells.
    fn add(&mut self, arguments: &[String]) -> Result<SocketAddr> {
        let mut command = leashed(std::env::current_exe()?.as_os_str());
        command.arg("probe").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("a piped child has a standard output")?;
        self.children.push(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        line.trim().parse().context("the probe did not say its address")
    }

    /// The probe as what a load goes to.
    pub(crate) fn target(&self) -> Target {
        Target { addrs: vec![self.addr], pids: self.children.iter().map(Child::id).collect() }
    }
}

impl Drop for ProbeServer {
    fn drop(&mut self) {
        // The last started first: a leader does not outlive its followers in peace.
        self.children.iter_mut().rev().for_each(kill);
    }
}

/// Loops under SCHED_IDLE, one for each CPU, that keep the CPUs from halting and give way to everything.
///
/// Without them the same depth-1 echo moves between 25 and 365 us on a virtual machine.
pub(crate) struct Awake {
    children: Vec<Child>,
}

impl Awake {
    /// Starts the loops when `wanted`.
    pub(crate) fn start(wanted: bool) -> Result<Self> {
        let cpus = if wanted { std::thread::available_parallelism()?.get() } else { 0 };
        let exe = std::env::current_exe()?;
        let spin = |_| {
            let mut command = leashed("chrt".as_ref());
            command.args(["-i", "0"]).arg(&exe).args(["probe", "spin"]).stdin(Stdio::null());
            command.spawn().context("starting `chrt -i 0` (package util-linux)")
        };
        Ok(Self { children: (0..cpus).map(spin).collect::<Result<_>>()? })
    }

    /// The processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.children.iter_mut().for_each(kill);
    }
}

/// Kills and reaps a child; one that has ended already is fine.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
