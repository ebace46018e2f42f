//! What the parts of a member are told, from its configuration.

use std::io;
use std::time::Duration;

use member::{CleanerOptions, CoreOptions, FrontOptions, ThrottleOptions, Weights};
use proto::SessionId;
use store::log::LogOptions;
use store::snapshot::{Compression, SnapshotOptions};
use store::{Dirs, RecoverOptions, SnapshotPolicy};
use tree::TreeOptions;
use tree::auth::{AuthOptions, Ensemble, SuperDigest};

use crate::config::{Config, SnapshotCompression};
use crate::driver::snapshots::SnapshotPlan;
use crate::limits;
use crate::log_thread::LogPlan;

/// The byte in session ids of a standalone server.
const STANDALONE_SID: u8 = 1;

/// A seed nobody can guess.
pub(crate) fn random() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(error.to_string()))
}

pub(crate) fn tree(config: &Config) -> io::Result<TreeOptions> {
    Ok(TreeOptions {
        hash_seed: random()?,
        extended_types: config.extended_types_enabled,
        emulate_353_ttl: config.emulate_353_ttl_nodes,
        digest: config.digest_enabled,
    })
}

pub(crate) fn recover(config: &Config) -> RecoverOptions {
    RecoverOptions { trust_empty: config.snapshot_trust_empty, autocreate: config.db_autocreate }
}

pub(crate) fn log(config: &Config, dirs: &Dirs, tree: TreeOptions) -> LogPlan {
    LogPlan {
        dirs: dirs.clone(),
        log: LogOptions {
            prealloc_bytes: config.pre_alloc_size_bytes,
            size_limit_bytes: config.txn_log_size_limit_bytes.unwrap_or(0),
            force_sync: config.force_sync,
        },
        warn_after: config.fsync_warning_threshold,
        recover: recover(config),
        tree,
    }
}

/// The top byte of the session ids that this server gives.
pub(crate) fn session_sid(config: &Config) -> u8 {
    config.ensemble.as_ref().map_or(STANDALONE_SID, |member| {
        u8::try_from(member.my_id).expect("an id that does not fit was refused")
    })
}

pub(crate) fn core(config: &Config, auth: AuthOptions, first_session: SessionId) -> CoreOptions {
    let sweep = &config.container_sweep;
    let never_used = sweep.max_never_used_interval;
    CoreOptions {
        prepare: tree::prepare::Options {
            enforce_quota: config.enforce_quota,
            close_session_paths: config.close_session_txn_enabled,
            reconfig_enabled: config.reconfig_enabled,
            auth,
            txn_bytes_max: txn_bytes_max(config),
            ..tree::prepare::Options::default()
        },
        tick_ms: millis(config.tick_time),
        first_session,
        cleaner: CleanerOptions {
            interval_ms: millis(sweep.check_interval),
            per_minute_max: sweep.max_per_minute,
            never_used_ms: never_used.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
        },
    }
}

/// What a transaction may hold so that every reader of the log and of the quorum port takes it: less than
/// `jute.maxbuffer` and its extra size by what frames it.
fn txn_bytes_max(config: &Config) -> usize {
    const FRAME_BYTES: usize = 1024;
    let limit = config.jute_max_buffer_bytes;
    let extra = config.ensemble.as_ref().map_or(limit, |ensemble| ensemble.jute_max_buffer_extra_bytes);
    limit.saturating_add(extra).saturating_sub(FRAME_BYTES)
}

pub(crate) fn compression(config: &Config) -> Compression {
    match config.snapshot_compression {
        SnapshotCompression::None => Compression::Plain,
        SnapshotCompression::Gzip => Compression::Gzip,
        SnapshotCompression::Snappy => Compression::Snappy,
    }
}

/// Java's own limits count only where somebody changed them (performance.md §4.7).
pub(crate) fn snapshots(config: &Config, dirs: Dirs) -> SnapshotPlan {
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

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn auth(config: &Config) -> AuthOptions {
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

pub(crate) fn front(config: &Config) -> FrontOptions {
    let int = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
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
