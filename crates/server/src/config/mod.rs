//! What the operator asked for: `zoo.cfg`, `-D` properties, environment and command line, as one value.
//!
//! [`Config`] holds everything a server can act on, with units in types. [`Config::load`] fills it as
//! Java does and adds one [`Note`] per thing worth a log line; what cannot be honoured is a [`ConfigError`].
//!
//! Source: `QuorumPeerConfig`, `ServerConfig` and the classes that read `zookeeper.*` properties.

mod arguments;
mod ensemble;
mod environment;
mod error;
mod fill;
pub mod keys;
mod load;
pub mod membership;
mod myid;
mod note;
mod place;
pub mod properties;
mod sources;
mod types;
mod values;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use admin::words::Whitelist;
use tree::auth::DigestAlgorithm;

pub use arguments::{Arguments, Form};
pub use environment::Environment;
pub use error::{ConfigError, USAGE};
use membership::Membership;
pub use myid::{initialize_marker, read_my_id};
pub use note::{Level, Note};
pub use place::{Place, Setting};
pub use types::{
    Autopurge, ConnectionThrottle, ContainerSweep, EnsembleConfig, LargeRequests, RequestThrottle, Secret,
    SessionWeights, SnapshotCompression,
};

/// Everything a server is told from outside. Times are [`Duration`]s, sizes are bytes.
///
/// A field is named after the key that sets it (`docs/config.md` lists them); only values whose Java encoding is a
/// trick (`-1`, `0` for "off") are `Option`s here.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The configuration file that was read; `None` for the embedded default, the environment or `port datadir`.
    pub config_file: Option<PathBuf>,
    /// `server.id` of `conf` and `mntr`: `myid` in an ensemble, and always 0 on a standalone server. The byte in
    /// session ids is 1 there all the same.
    pub server_id: i64,
    /// `myid`, when the file exists. On a standalone server it only chooses the line of the membership whose client
    /// address is honoured.
    pub my_id: Option<i64>,

    /// The `server.N` lines; empty without any.
    pub membership: Membership,
    /// What a member of an ensemble needs; `None` on a standalone server.
    pub ensemble: Option<EnsembleConfig>,

    /// `clientPort`: `None` is no plain listener, 0 any free port.
    pub client_port: Option<u16>,
    /// `clientPortAddress`: the address to bind; unspecified is all interfaces.
    pub client_port_address: IpAddr,
    /// `clientPortListenBacklog`: `None` (-1) leaves it to the server; Java takes 50.
    pub client_port_listen_backlog: Option<u32>,
    /// `maxClientCnxns`: connections of one source address, 0 for no limit.
    pub max_client_cnxns: u32,
    /// `maxCnxns`: connections in all, 0 for no limit.
    pub max_cnxns: u32,
    /// `nio.sessionlessCnxnTimeout`: how long a connection may stay without a session.
    pub nio_sessionless_cnxn_timeout: Duration,
    /// `clientTcpKeepAlive`: `SO_KEEPALIVE` on client sockets.
    pub client_tcp_keep_alive: bool,
    /// `4lw.commands.whitelist`, with the words that are always in it.
    pub four_letter_whitelist: Whitelist,
    /// `jute.maxbuffer` (`-D` only): bytes of the largest packet of a client.
    pub jute_max_buffer_bytes: usize,

    /// `dataDir`: snapshots and `myid`; the files stand in `version-2` below it.
    pub data_dir: PathBuf,
    /// `dataLogDir`: transaction logs; the same as `data_dir` unless set.
    pub data_log_dir: PathBuf,
    /// `datadir.autocreate`: missing `version-2` folders are made.
    pub datadir_autocreate: bool,
    /// `db.autocreate`: an empty folder is a new database.
    pub db_autocreate: bool,

    /// `tickTime`.
    pub tick_time: Duration,
    /// `minSessionTimeout`: 2 ticks unless set.
    pub min_session_timeout: Duration,
    /// `maxSessionTimeout`: 20 ticks unless set.
    pub max_session_timeout: Duration,

    /// `globalOutstandingLimit`: requests in the pipeline before connections are throttled.
    pub global_outstanding_limit: u32,
    /// `preAllocSize`: the log file grows in steps of this many bytes; 0 is no preallocation.
    pub pre_alloc_size_bytes: u64,
    /// `snapCount`: transactions of a snapshot cycle, at least 2.
    pub snap_count: u32,
    /// `snapSizeLimitInKb`, in bytes: log bytes of a snapshot cycle; `None` is off.
    pub snap_size_limit_bytes: Option<u64>,
    /// `txnLogSizeLimitInKb`, in bytes: a log file above this is rolled; `None` is off.
    pub txn_log_size_limit_bytes: Option<u64>,
    /// `fsync.warningthresholdms`: a slower fsync is logged and counted.
    pub fsync_warning_threshold: Duration,
    /// `forceSync`: `false` answers before the disk has the data. Unsafe.
    pub force_sync: bool,
    /// `flushDelay`: how long a group commit may wait for company; zero is off.
    pub flush_delay: Duration,
    /// `maxBatchSize`: requests of one flush; `None` (0 or less) is no limit.
    pub max_batch_size: Option<u32>,
    /// `autopurge.*`.
    pub autopurge: Autopurge,
    /// `snapshot.compression.method`.
    pub snapshot_compression: SnapshotCompression,
    /// `snapshot.trust.empty`: logs without a snapshot are replayed over an empty tree.
    pub snapshot_trust_empty: bool,
    /// `serializeLastProcessedZxid.enabled`: the last section of snapshots.
    pub serialize_last_processed_zxid: bool,

    /// `extendedTypesEnabled`: TTL nodes.
    pub extended_types_enabled: bool,
    /// `emulate353TTLNodes`: the TTL encoding of 3.5.3 is understood.
    pub emulate_353_ttl_nodes: bool,
    /// `digest.enabled`: tree digests.
    pub digest_enabled: bool,
    /// `closeSessionTxn.enabled`: closeSession transactions list the ephemerals.
    pub close_session_txn_enabled: bool,
    /// `enforceQuota`: hard quotas reject.
    pub enforce_quota: bool,
    /// `skipACL=yes`: no ACL is checked. Unsafe.
    pub skip_acl: bool,
    /// `znode.container.*` (`-D` only).
    pub container_sweep: ContainerSweep,
    /// `reconfigEnabled`.
    pub reconfig_enabled: bool,
    /// `readonlymode.enabled` (`-D` only): only adds `isro` to the whitelist, a standalone server is never partitioned.
    pub read_only_mode_enabled: bool,

    /// `largeRequest*`.
    pub large_requests: LargeRequests,
    /// `request_throttle_*`, `request_stale_*`, `throttled_op_wait_time`.
    pub request_throttle: RequestThrottle,
    /// `connection_throttle_*`.
    pub connection_throttle: ConnectionThrottle,

    /// `DigestAuthenticationProvider.enabled`: the scheme `digest` exists.
    pub digest_auth_enabled: bool,
    /// `DigestAuthenticationProvider.digestAlg`.
    pub digest_alg: DigestAlgorithm,
    /// `DigestAuthenticationProvider.superDigest`: `super:<base64>`.
    pub super_digest: Option<Secret>,
    /// `authProvider.*` with the provider of the scheme `ensemble`: the accepted names (`ensembleAuthName`), empty for
    /// all; `None` when the scheme is not registered.
    pub ensemble_auth_names: Option<Vec<String>>,
    /// `enforce.auth.*`: one of these schemes is needed before any operation; empty is no such rule.
    pub enforce_auth_schemes: Vec<String>,
}

impl Config {
    /// Java's defaults for every key but the two that have none.
    ///
    /// * `client_port`: 0 is any free port.
    /// * `data_dir`: also the folder of the transaction log.
    ///
    /// Source: the field initialisers of `QuorumPeerConfig` and the readers of `zookeeper.*` properties.
    pub fn with_defaults(client_port: u16, data_dir: PathBuf) -> Self {
        let tick_time = Duration::from_secs(3);
        Self {
            config_file: None,
            server_id: 0,
            my_id: None,
            membership: Membership::default(),
            ensemble: None,
            client_port: Some(client_port),
            client_port_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            client_port_listen_backlog: None,
            max_client_cnxns: 60,
            max_cnxns: 0,
            nio_sessionless_cnxn_timeout: Duration::from_secs(10),
            client_tcp_keep_alive: false,
            four_letter_whitelist: Whitelist::parse(None, false),
            jute_max_buffer_bytes: 0xF_FFFF,
            data_log_dir: data_dir.clone(),
            data_dir,
            datadir_autocreate: true,
            db_autocreate: true,
            tick_time,
            min_session_timeout: tick_time * 2,
            max_session_timeout: tick_time * 20,
            global_outstanding_limit: 1000,
            pre_alloc_size_bytes: 64 << 20,
            snap_count: 100_000,
            snap_size_limit_bytes: Some(4 << 30),
            txn_log_size_limit_bytes: None,
            fsync_warning_threshold: Duration::from_secs(1),
            force_sync: true,
            flush_delay: Duration::ZERO,
            max_batch_size: Some(1000),
            autopurge: Autopurge::default(),
            snapshot_compression: SnapshotCompression::None,
            snapshot_trust_empty: false,
            serialize_last_processed_zxid: true,
            extended_types_enabled: false,
            emulate_353_ttl_nodes: false,
            digest_enabled: true,
            close_session_txn_enabled: true,
            enforce_quota: false,
            skip_acl: false,
            container_sweep: ContainerSweep::default(),
            reconfig_enabled: false,
            read_only_mode_enabled: false,
            large_requests: LargeRequests::default(),
            request_throttle: RequestThrottle::default(),
            connection_throttle: ConnectionThrottle::default(),
            digest_auth_enabled: true,
            digest_alg: DigestAlgorithm::Sha1,
            super_digest: None,
            ensemble_auth_names: None,
            enforce_auth_schemes: Vec::new(),
        }
    }
}
