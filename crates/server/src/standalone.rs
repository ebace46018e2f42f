//! A standalone server, from its configuration to its last word.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use member::{CleanerOptions, Core, CoreOptions, Front, FrontOptions, Member, ThrottleOptions, Weights};
use proto::Zxid;
use socket2::{Domain, Socket, Type};
use store::log::{LogOptions, LogWriter};
use store::snapshot::{Compression, SnapshotDigest, SnapshotOptions, SnapshotWriter, put_acl, put_session};
use store::{
    DirError, Dirs, DirsLock, DiskError, RecoverError, RecoverOptions, Recovered, SinceSnapshot,
    SnapshotPolicy, recover,
};
use tree::auth::{AuthOptions, Ensemble, SuperDigest};
use tree::{Tree, TreeOptions};

use crate::clock::Clock;
use crate::config::{Config, SnapshotCompression};
use crate::disk::FileDisk;
use crate::driver::snapshots::{SnapshotPlan, Snapshots};
use crate::driver::{Driver, DriverError, Handle, Loop};
use crate::history::{History, HistoryError};
use crate::limits;
use crate::log_thread::LogThread;

/// The listen backlog where none is configured; the system may cap it. Java's is 50, and a connection beyond it costs its
/// client a second or more of silence, which a storm of reconnecting clients soon comes to (reliability.md P18).
const BACKLOG: i32 = 1024;

/// The server id in session ids of a standalone server.
const SESSION_SID: u8 = 1;

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
    /// The configuration makes a member, which this build cannot start.
    #[error(
        "ensembles are not part of this build yet; leave one server line or none for a standalone server"
    )]
    Ensemble,
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
            Self::Disk(_) | Self::Recover(_) | Self::History(_) | Self::Bind { .. } | Self::System(_) => 1,
            Self::Ensemble => 2,
            Self::Driver(_) => 1,
        }
    }
}

/// A server that is ready to serve.
pub struct Standalone {
    driver: Driver,
    handle: Handle,
    /// Where it listens, if anywhere.
    pub address: Option<SocketAddr>,
    _lock: DirsLock<FileDisk>,
}

impl Standalone {
    /// Reads the history, takes the port, starts the threads.
    ///
    /// # Errors
    /// [`ServerError`]
    pub fn start(config: Config) -> Result<Self, ServerError> {
        if config.ensemble.is_some() {
            return Err(ServerError::Ensemble);
        }
        let config = Arc::new(config);
        let clock = Clock::start();
        let disk = FileDisk;
        let dirs = Dirs::new(&text(&config.data_dir), &text(&config.data_log_dir));
        dirs.prepare(&disk, config.datadir_autocreate)?;
        let lock = dirs.lock(&disk)?;
        let (mut tree, recovered, mismatches) = load(&config, &disk, &dirs)?;
        let since = since_snapshot(&config, &disk, &dirs, &mut tree, &recovered)?;
        let listener = listen(&config)?;
        let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;

        let ears = Loop::new()?;
        let handle = ears.handle();
        let log_options = LogOptions {
            prealloc_bytes: config.pre_alloc_size_bytes,
            size_limit_bytes: config.txn_log_size_limit_bytes.unwrap_or(0),
            force_sync: config.force_sync,
        };
        let writer = LogWriter::new(disk, &dirs.log, log_options, recovered.last.max(Zxid::ZERO));
        let log = LogThread::start(writer, config.fsync_warning_threshold, handle.clone())?;
        let seed = random()?;
        let snapshots = Snapshots::start(plan(&config, dirs), disk, handle.clone(), since, seed)?;
        let mut member = member(&config, tree, clock, seed);
        member.core_mut().metrics.digest_mismatches_count.add(mismatches);
        let driver = Driver::new(ears, config, clock, member, listener, log, snapshots)?;
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

fn random() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(error.to_string()))
}

fn load(config: &Config, disk: &FileDisk, dirs: &Dirs) -> Result<(Tree, Recovered, u64), ServerError> {
    let started = Instant::now();
    let mut history = History::new(TreeOptions {
        hash_seed: random()?,
        extended_types: config.extended_types_enabled,
        emulate_353_ttl: config.emulate_353_ttl_nodes,
        digest: config.digest_enabled,
    });
    let options =
        RecoverOptions { trust_empty: config.snapshot_trust_empty, autocreate: config.db_autocreate };
    let recovered = recover(disk, dirs, options, &mut history)?;
    for note in &recovered.notes {
        tracing::warn!("{note}");
    }
    let mismatches = history.digest_mismatches();
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
    let options = SnapshotOptions { compression: compression(config) };
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

fn compression(config: &Config) -> Compression {
    match config.snapshot_compression {
        SnapshotCompression::None => Compression::Plain,
        SnapshotCompression::Gzip => Compression::Gzip,
        SnapshotCompression::Snappy => Compression::Snappy,
    }
}

/// Java's own limits count only where somebody changed them (performance.md §4.7).
fn plan(config: &Config, dirs: Dirs) -> SnapshotPlan {
    const SNAP_COUNT: u32 = 100_000;
    const SNAP_SIZE_BYTES: u64 = 4 << 30;
    let snap_size_limit_bytes = match config.snap_size_limit_bytes {
        Some(SNAP_SIZE_BYTES) => None,
        Some(bytes) => Some(bytes),
        None => Some(0),
    };
    SnapshotPlan {
        dirs,
        options: SnapshotOptions { compression: compression(config) },
        digest: config.digest_enabled,
        last_zxid: config.serialize_last_processed_zxid,
        policy: SnapshotPolicy {
            snap_count: (config.snap_count != SNAP_COUNT).then_some(u64::from(config.snap_count)),
            snap_size_limit_bytes,
        },
        retain: usize::try_from(config.autopurge.snap_retain_count).unwrap_or(usize::MAX),
        purge_every: config.autopurge.purge_interval,
    }
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

fn member(config: &Config, tree: Tree, clock: Clock, seed: u64) -> Member {
    let now = clock.now();
    let auth = auth(config);
    let orphans: Vec<_> = tree.orphans().collect();
    let core = CoreOptions {
        prepare: tree::prepare::Options {
            enforce_quota: config.enforce_quota,
            close_session_paths: config.close_session_txn_enabled,
            reconfig_enabled: config.reconfig_enabled,
            auth: auth.clone(),
            ..tree::prepare::Options::default()
        },
        tick_ms: millis(config.tick_time),
        session_sid: SESSION_SID,
        cleaner: CleanerOptions {
            interval_ms: millis(config.container_sweep.check_interval),
            per_minute_max: config.container_sweep.max_per_minute,
            never_used_ms: config
                .container_sweep
                .max_never_used_interval
                .map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
        },
    };
    let mut member = Member::new(Core::new(tree, core, now), Front::new(front_options(config), auth, seed));
    // Ephemerals whose session is gone, as a fuzzy snapshot of Java's can leave them.
    for session in orphans {
        tracing::warn!(%session, "ephemerals without their session; they are removed");
        member.end_session(session, now);
    }
    member
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn auth(config: &Config) -> AuthOptions {
    AuthOptions {
        skip_acl: config.skip_acl,
        digest_enabled: config.digest_auth_enabled,
        digest_algorithm: config.digest_alg,
        super_digest: config.super_digest.as_ref().map(|secret| SuperDigest::new(secret.reveal().to_owned())),
        ensemble: match &config.ensemble_auth_names {
            None => Ensemble::Off,
            Some(names) if names.is_empty() => Ensemble::AnyName,
            Some(names) => Ensemble::Names(names.iter().cloned().collect()),
        },
    }
}

fn front_options(config: &Config) -> FrontOptions {
    let int = |time: std::time::Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let allowed = limits::connections_max();
    let throttle = &config.connection_throttle;
    let weights = throttle.weights.map_or(Weights { global: 1, renew: 1 }, |weights| Weights {
        global: weights.global.into(),
        renew: weights.renew.into(),
    });
    FrontOptions {
        session_timeout_min_ms: int(config.min_session_timeout),
        session_timeout_max_ms: int(config.max_session_timeout),
        outstanding_max: size(config.global_outstanding_limit),
        per_address_max: size(config.max_client_cnxns),
        connections_max: if config.max_cnxns == 0 { allowed } else { size(config.max_cnxns).min(allowed) },
        sessionless_ms: millis(config.nio_sessionless_cnxn_timeout),
        required_schemes: config.enforce_auth_schemes.clone(),
        pipeline_max: config.request_throttle.max_requests.map_or(0, size),
        drop_late: config.request_throttle.drop_stale && config.request_throttle.stale_latency_check,
        large_bytes_min: config.large_requests.threshold_bytes.map(size),
        large_bytes_max: size(config.large_requests.max_bytes),
        throttled_op_wait_ms: config.request_throttle.throttled_op_wait_time.map_or(0, millis),
        throttle: ThrottleOptions {
            tokens: throttle.tokens.into(),
            fill_ms: millis(throttle.fill_time),
            fill_count: throttle.fill_count.into(),
            freeze_ms: throttle.freeze_time.map(millis),
            drop_increase: throttle.drop_increase,
            drop_decrease: throttle.drop_decrease,
            decrease_ratio: throttle.decrease_ratio,
            weights,
        },
    }
}
