//! A server, from its configuration to its last word. Standalone server and member of an ensemble start from the same
//! parts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use member::{Core, Front, Member, first_session};
use proto::{SessionId, Zxid};
use socket2::{Domain, Socket, Type};
use store::epoch::{EpochError, Epochs, load_epochs};
use store::snapshot::{SnapshotDigest, SnapshotOptions, SnapshotWriter, put_acl, put_session};
use store::{
    DirError, Dirs, DirsLock, DiskError, RecoverError, Recovered, SESSIONS_NAME, SinceSnapshot,
    claim_session_ids, recover,
};
use tree::{Tree, TreeOptions};

use crate::clock::Clock;
use crate::config::{Config, EnsembleConfig};
use crate::disk::FileDisk;
use crate::driver::snapshots::Snapshots;
use crate::driver::{Driver, DriverError, EnsembleParts, Handle, Loop, Parts};
use crate::history::{History, HistoryError, Mismatch};
use crate::log_reader::{LogReader, ReadPlan};
use crate::log_thread::LogThread;
use crate::{ensemble, options};

/// The listen backlog where none is configured; the system may cap it. Java's is 50, and a connection beyond it costs its
/// client a second or more of silence, which a storm of reconnecting clients soon comes to (reliability.md P18).
const BACKLOG: i32 = 1024;

/// Why a server does not start, or has to end. Each message ends with the cure.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A data directory is missing, not writable, or another's.
    #[error("Unable to access datadir, exiting abnormally: {0}")]
    Dirs(#[from] DirError),
    /// The data directory is in use, or the disk fails.
    #[error("{0}")]
    Disk(#[from] DiskError),
    /// The files do not make a history.
    #[error("Unable to load database on disk: {0}")]
    Recover(#[from] RecoverError<HistoryError>),
    /// The snapshot does not make a tree.
    #[error("Unable to load database on disk: {0}")]
    History(#[from] HistoryError),
    /// The epoch files do not fit the history. Source: `QuorumPeer#loadDataBase`.
    #[error("Unable to load database on disk: {0}")]
    Epochs(#[from] EpochError),
    /// The client port is not to be had.
    #[error("cannot listen on {address}: {error}; stop whatever uses the port, or change clientPort")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The system refuses descriptors, threads or random bytes.
    #[error("the system refuses what a server needs: {0}; raise its limits")]
    System(#[from] io::Error),
    /// Serving ended with an error.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl ServerError {
    /// The exit code, as Java's. Source: `ExitCode`; operations.md §11.2.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Dirs(_) => 3,
            Self::Disk(_) | Self::Recover(_) | Self::History(_) | Self::Epochs(_) => 1,
            Self::Bind { .. } | Self::System(_) => 1,
            Self::Driver(error) => error.exit_code(),
        }
    }
}

/// A server that is ready to serve.
pub struct Server {
    driver: Driver,
    handle: Handle,
    /// Where it listens, if anywhere.
    pub address: Option<SocketAddr>,
    _lock: DirsLock<FileDisk>,
}

impl Server {
    /// Reads the history, takes the port, starts the threads.
    ///
    /// # Errors
    /// [`ServerError`]
    pub fn start(config: Config) -> Result<Self, ServerError> {
        let config = Arc::new(config);
        let clock = Clock::start();
        let disk = FileDisk;
        let dirs = Dirs::new(&text(&config.data_dir), &text(&config.data_log_dir));
        dirs.prepare(&disk, config.datadir_autocreate)?;
        let lock = dirs.lock(&disk)?;
        let tree_options = options::tree(&config)?;
        let (mut tree, recovered, mismatches) = load(&config, &disk, &dirs, tree_options)?;
        let epochs = epochs(&config, &disk, &dirs, recovered.last)?;
        let since = since_snapshot(&config, &disk, &dirs, &mut tree, &recovered)?;
        let by_clock = first_session(&tree, options::session_sid(&config), clock.now());
        let session = session_ids(&disk, &dirs, by_clock)?;
        let listener = listen(&config)?;
        let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;

        let ears = Loop::new()?;
        let handle = ears.handle();
        let log_plan = options::log(&config, &dirs, tree_options);
        let log = LogThread::start(log_plan, recovered.last.max(Zxid::ZERO), handle.clone())?;
        let seed = options::random()?;
        let plan = options::snapshots(&config, dirs.clone());
        let snapshots = Snapshots::start(plan, disk, handle.clone(), since, seed)?;
        let ensemble = config.ensemble.as_ref();
        let parts = ensemble.map(|ensemble| ensemble_parts(&config, ensemble, dirs, &handle)).transpose()?;
        let files = epochs.map(|epochs| (epochs, &recovered));
        let mut member = member(&config, tree, session, files, clock, seed);
        member.core_mut().metrics.digest_mismatches_count.add(mismatches);
        let parts = Parts { member, listener, ensemble: parts, log, snapshots };
        let driver = Driver::new(ears, config, clock, parts)?;
        Ok(Self { driver, handle, address, _lock: lock })
    }

    /// How to stop it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// [`ServerError::Driver`]
    pub fn run(self) -> Result<(), ServerError> {
        Ok(self.driver.run()?)
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn load(
    config: &Config,
    disk: &FileDisk,
    dirs: &Dirs,
    tree: TreeOptions,
) -> Result<(Tree, Recovered, u64), ServerError> {
    let started = Instant::now();
    let mut history = History::new(tree);
    let recovered = recover(disk, dirs, options::recover(config), &mut history)?;
    for note in &recovered.notes {
        tracing::warn!("{note}");
    }
    let mismatches = history.digest_mismatches();
    if let Some(Mismatch { zxid, kind, session, expected, actual }) = history.first_mismatch() {
        tracing::error!(
            %zxid, kind, %session, expected, actual,
            "the digest of the tree is not what the log says; see digest_mismatches_count"
        );
    }
    let tree = history.into_tree()?;
    tracing::info!(
        zxid = %recovered.last,
        txns = recovered.replayed,
        znodes = tree.node_count(),
        digest = tree.digest(),
        millis = started.elapsed().as_millis(),
        "database loaded"
    );
    Ok((tree, recovered, mismatches))
}

/// The promises of a member, made from its history if it has none yet.
fn epochs(config: &Config, disk: &FileDisk, dirs: &Dirs, last: Zxid) -> Result<Option<Epochs>, ServerError> {
    if config.ensemble.is_none() {
        return Ok(None);
    }
    let epochs = load_epochs(disk, &dirs.snap, last)?;
    let Epochs { accepted, current, created } = epochs;
    tracing::info!(%accepted, %current, created, "epochs loaded");
    Ok(Some(epochs))
}

/// What was logged behind the newest snapshot. A new history gets its first snapshot here, before any log: Java
/// refuses a log without one.
fn since_snapshot(
    config: &Config,
    disk: &FileDisk,
    dirs: &Dirs,
    tree: &mut Tree,
    recovered: &Recovered,
) -> Result<SinceSnapshot, ServerError> {
    if let Some((_, end)) = &recovered.snapshot {
        return Ok(SinceSnapshot {
            txns: recovered.replayed,
            log_bytes: recovered.log_bytes,
            snapshot_bytes: end.file_bytes,
        });
    }
    let snapshot_bytes = first_snapshot(config, disk, dirs, tree)?;
    Ok(SinceSnapshot { snapshot_bytes, ..SinceSnapshot::default() })
}

fn first_snapshot(
    config: &Config,
    disk: &FileDisk,
    dirs: &Dirs,
    tree: &mut Tree,
) -> Result<u64, ServerError> {
    let (walk, head) = tree.snapshot_begin();
    let options = SnapshotOptions { compression: options::compression(config) };
    let mut writer = SnapshotWriter::create(*disk, &dirs.snap, head.zxid, options, head.sessions.len())?;
    let mut records = Vec::new();
    // A log without a snapshot that was trusted may have left sessions open.
    for &(session, timeout_ms) in &head.sessions {
        put_session(&mut records, session, timeout_ms);
    }
    writer.push(&records)?;
    writer.start_acls(head.acls.len())?;
    records.clear();
    for (id, acl) in &head.acls {
        put_acl(&mut records, *id, acl);
    }
    while !tree.snapshot_step(walk, usize::MAX, &mut records) {}
    writer.push(&records)?;
    let digest = config.digest_enabled.then_some(SnapshotDigest { zxid: Zxid::ZERO, version: 2, digest: 0 });
    let last = config.serialize_last_processed_zxid.then_some(head.zxid);
    Ok(writer.finish(digest, last)?.1)
}

/// The first session id of this process, above all that were given before. On a full disk it starts all the same.
fn session_ids(disk: &FileDisk, dirs: &Dirs, by_clock: SessionId) -> Result<SessionId, ServerError> {
    let claimed = match claim_session_ids(disk, &dirs.snap, by_clock) {
        Err(error @ DiskError::NoSpace { .. }) => {
            tracing::warn!(%error, "no session ids can be claimed; they come again if the clock is set back");
            return Ok(by_clock);
        }
        claimed => claimed?,
    };
    if claimed.is_unsure {
        tracing::warn!(
            "{}/{SESSIONS_NAME} could not be read and was made anew; session ids come again if the clock was set back",
            dirs.snap
        );
    }
    Ok(claimed.first)
}

fn listen(config: &Config) -> Result<Option<TcpListener>, ServerError> {
    let Some(port) = config.client_port else { return Ok(None) };
    let address = SocketAddr::new(config.client_port_address, port);
    let bound = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        let backlog = config.client_port_listen_backlog.map_or(Ok(BACKLOG), i32::try_from);
        socket.listen(backlog.unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    bound().map(Some).map_err(|error| ServerError::Bind { address, error })
}

fn ensemble_parts(
    config: &Config,
    ensemble: &EnsembleConfig,
    dirs: Dirs,
    handle: &Handle,
) -> io::Result<EnsembleParts> {
    let plan = ReadPlan { dirs, size_factor: ensemble.snapshot_size_factor };
    Ok(EnsembleParts {
        links: ensemble::links(config, ensemble),
        log_reader: LogReader::start(plan, handle.clone())?,
    })
}

fn member(
    config: &Config,
    tree: Tree,
    session: SessionId,
    files: Option<(Epochs, &Recovered)>,
    clock: Clock,
    seed: u64,
) -> Member {
    let now = clock.now();
    let auth = options::auth(config);
    let orphans: Vec<_> = tree.orphans().collect();
    let core = Core::new(tree, options::core(config, auth.clone(), session), now);
    let front = Front::new(options::front(config), auth, seed);
    if let (Some(ensemble), Some((epochs, recovered))) = (&config.ensemble, files) {
        let options = ensemble::options(config, ensemble, epochs, recovered);
        return Member::in_ensemble(core, front, options, now);
    }
    let mut member = Member::new(core, front);
    // Ephemerals whose session is gone, as a fuzzy snapshot of Java's can leave them.
    for session in orphans {
        tracing::warn!(%session, "ephemerals without their session; they are removed");
        member.end_session(session, now);
    }
    member
}
