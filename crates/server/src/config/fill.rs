//! The fields of [`Config`] that Java reads from system properties, wherever in the server that happens.

use std::time::Duration;

use admin::words::Whitelist;
use tree::auth::DigestAlgorithm;

use super::error::ConfigError;
use super::load::refusal;
use super::place::Setting;
use super::types::{
    ConnectionThrottle, ContainerSweep, LargeRequests, RequestThrottle, Secret, SessionWeights,
    SnapshotCompression,
};
use super::values::{Properties, millis, millis_if_positive};
use super::{Config, EnsembleConfig, Note};

const ENSEMBLE_PROVIDER: &str = "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider";
const DIGEST_PROVIDER: &str = "org.apache.zookeeper.server.auth.DigestAuthenticationProvider";
const IP_PROVIDER: &str = "org.apache.zookeeper.server.auth.IPAuthenticationProvider";

/// Puts every property that works into `config`.
///
/// # Errors
/// Only where Java does not start either, and for what is refused because it is not built.
pub(crate) fn fill(config: &mut Config, properties: &mut Properties<'_>) -> Result<(), ConfigError> {
    connections(config, properties);
    log(config, properties);
    storage(config, properties);
    tree(config, properties);
    config.container_sweep = container_sweep(properties);
    config.large_requests = large_requests(properties);
    config.request_throttle = request_throttle(properties);
    config.connection_throttle = connection_throttle(properties)?;
    if let Some(mut ensemble) = config.ensemble.take() {
        fill_ensemble(&mut ensemble, config, properties)?;
        config.ensemble = Some(ensemble);
    }
    authentication(config, properties)
}

fn fill_ensemble(
    ensemble: &mut EnsembleConfig,
    config: &Config,
    properties: &mut Properties<'_>,
) -> Result<(), ConfigError> {
    ensemble.leader_serves = !properties.is_exactly("leaderServes", "no", "yes");
    ensemble.election_port_bind_retry = match properties.integer("electionPortBindRetry", 3) {
        0 => None,
        times => Some(u32::try_from(times).unwrap_or_else(|_| {
            properties.warn(format!("electionPortBindRetry = {times} is too small, 3 is used"));
            3
        })),
    };
    if let Some(at) = properties.text("cnxTimeout") {
        // Java reads it without a net.
        let ms: i32 = at.value.parse().map_err(|_| ConfigError::NotANumber { at: at.clone() })?;
        let ms = u64::try_from(ms).map_err(|_| ConfigError::NegativeTime { at: at.clone() })?;
        ensemble.cnx_timeout = Duration::from_millis(ms);
    }
    let interval = |properties: &mut Properties<'_>, key: &str, default: Duration| {
        let ms = properties.integer(key, i32::try_from(default.as_millis()).unwrap_or(i32::MAX));
        millis_if_positive(ms.into()).unwrap_or_else(|| {
            properties.warn(format!("{key} = {ms} is too small, {} is used", default.as_millis()));
            default
        })
    };
    let (min, max) = (ensemble.min_notification_interval, ensemble.max_notification_interval);
    ensemble.min_notification_interval = interval(properties, "fastleader.minNotificationInterval", min);
    ensemble.max_notification_interval = interval(properties, "fastleader.maxNotificationInterval", max);
    ensemble.tcp_keep_alive = properties.boolean("tcpKeepAlive", false);
    let is_on = |name| properties.setting(name).is_none_or(|at| at.value == "true");
    ensemble.leader_nodelay = is_on("leader.nodelay");
    ensemble.follower_nodelay = is_on("follower.nodelay");
    ensemble.commit_log_count = commit_log_count(properties);
    ensemble.snapshot_size_factor = snapshot_size_factor(properties);
    let extra = i32::try_from(config.jute_max_buffer_bytes.max(1024)).unwrap_or(i32::MAX);
    let extra = properties.integer("jute.maxbuffer.extrasize", extra);
    ensemble.jute_max_buffer_extra_bytes = usize::try_from(extra).unwrap_or(0).max(1024);
    Ok(())
}

/// Both are read by `parseInt` and `parseDouble`: decimal alone.
fn commit_log_count(properties: &mut Properties<'_>) -> u32 {
    const LEAST: u32 = 500;
    let Some(at) = properties.text("commitLogCount").cloned() else { return LEAST };
    let count = at.value.parse::<i32>().ok();
    let count = count.map(|count| u32::try_from(count).unwrap_or(0));
    match count {
        Some(count) if count >= LEAST => count,
        Some(_) => {
            let text = format!(
                "The configured commitLogCount {} is less than the recommended {LEAST}, going to use the recommended one",
                at.value
            );
            properties.warn(text);
            LEAST
        }
        None => {
            properties.warn(format!("{at} is not a number Java accepts, {LEAST} is used"));
            LEAST
        }
    }
}

fn snapshot_size_factor(properties: &mut Properties<'_>) -> Option<f64> {
    const DEFAULT: f64 = 0.33;
    let Some(at) = properties.text("snapshotSizeFactor").cloned() else { return Some(DEFAULT) };
    let factor = at.value.trim().parse::<f64>().ok().filter(|factor| *factor <= 1.0);
    if factor.is_none() {
        properties.warn(format!("{at} is no number up to 1, {DEFAULT} is used"));
    }
    Some(factor.unwrap_or(DEFAULT)).filter(|factor| *factor >= 0.0)
}

fn connections(config: &mut Config, properties: &mut Properties<'_>) {
    config.max_cnxns = properties.at_least("maxCnxns", 0, 0);
    config.global_outstanding_limit = properties.at_least("globalOutstandingLimit", 1000, 0);
    config.nio_sessionless_cnxn_timeout =
        millis(properties.integer("nio.sessionlessCnxnTimeout", 10_000).into());
    config.client_tcp_keep_alive = properties.boolean("clientTcpKeepAlive", false);
    config.read_only_mode_enabled = properties.boolean_of("readonlymode.enabled", false);
    if config.read_only_mode_enabled {
        properties
            .notes
            .push(Note::info("readonlymode.enabled only adds isro to the four-letter words here"));
    }
    let isro_added = properties.setting("readonlymode.enabled").is_some_and(|at| at.value == "true");
    let listed = properties.text("4lw.commands.whitelist").map_or("", |at| &at.value);
    config.four_letter_whitelist = Whitelist::parse(Some(listed), isro_added);
    for unknown in config.four_letter_whitelist.unknown() {
        properties.warn(format!("4lw.commands.whitelist: {unknown} is no four-letter word"));
    }
    config.jute_max_buffer_bytes = bytes_of(properties, "jute.maxbuffer", 0xF_FFFF);
}

/// A size in bytes from a `-D` property; one below 1 would refuse every packet and is not taken.
fn bytes_of(properties: &mut Properties<'_>, name: &str, default: i32) -> usize {
    let value = properties.integer_of(name, default);
    usize::try_from(value).ok().filter(|&value| value > 0).unwrap_or_else(|| {
        properties.warn(format!("{name} = {value} is too small, {default} is used"));
        usize::try_from(default).unwrap_or(usize::MAX)
    })
}

fn log(config: &mut Config, properties: &mut Properties<'_>) {
    config.force_sync = !properties.is_exactly("forceSync", "no", "yes");
    if !config.force_sync {
        properties
            .warn("forceSync=no: UNSAFE, acknowledged writes are lost when the machine stops".to_owned());
    }
    let fsync_names = ["zookeeper.fsync.warningthresholdms", "fsync.warningthresholdms"];
    let threshold = fsync_names.iter().find_map(|name| properties.long_of(name, i64::MIN..=i64::MAX));
    config.fsync_warning_threshold = millis(threshold.unwrap_or(1000));
    config.flush_delay = millis(properties.long("flushDelay", 0));
    let batch = properties.integer("maxBatchSize", 1000);
    config.max_batch_size = u32::try_from(batch).ok().filter(|&size| size > 0);
    config.pre_alloc_size_bytes = pre_alloc_size_bytes(properties);
    let limit = properties.long("txnLogSizeLimitInKb", -1);
    config.txn_log_size_limit_bytes = kib_if_positive(limit);
}

/// The only number here that is read by `Long.parseLong`: decimal alone.
fn pre_alloc_size_bytes(properties: &mut Properties<'_>) -> u64 {
    const DEFAULT: u64 = 64 << 20;
    let Some(at) = properties.text("preAllocSize") else { return DEFAULT };
    let Ok(kib) = at.value.parse::<i64>() else {
        let text = format!("{} is not a valid value for preAllocSize ({at}); 65536 is used", at.value);
        properties.warn(text);
        return DEFAULT;
    };
    kib_if_positive(kib).unwrap_or(0)
}

fn kib_if_positive(kib: i64) -> Option<u64> {
    u64::try_from(kib).ok().filter(|&kib| kib > 0).map(|kib| kib.saturating_mul(1024))
}

fn storage(config: &mut Config, properties: &mut Properties<'_>) {
    config.snap_count = properties.at_least("snapCount", 100_000, 2);
    let limit = properties.long("snapSizeLimitInKb", 4_194_304);
    if limit == 0 {
        // Java divides by it and stops right after the start; the guide says it means off.
        properties.warn("snapSizeLimitInKb=0 is taken as off; Java stops with it".to_owned());
    }
    config.snap_size_limit_bytes = kib_if_positive(limit);
    config.snapshot_compression = match properties.text("snapshot.compression.method") {
        None => SnapshotCompression::None,
        Some(at) => match at.value.to_lowercase().as_str() {
            "gz" => SnapshotCompression::Gzip,
            "snappy" => SnapshotCompression::Snappy,
            other => {
                let text = format!("{at} is no known method and counts as none; gz and snappy are known");
                if !other.is_empty() {
                    properties.warn(text);
                }
                SnapshotCompression::None
            }
        },
    };
    config.snapshot_trust_empty = properties.boolean("snapshot.trust.empty", false);
    config.serialize_last_processed_zxid = properties.boolean("serializeLastProcessedZxid.enabled", true);
    config.datadir_autocreate = properties.boolean("datadir.autocreate", true);
    config.db_autocreate = properties.boolean("db.autocreate", true);
}

fn tree(config: &mut Config, properties: &mut Properties<'_>) {
    config.extended_types_enabled = properties.boolean("extendedTypesEnabled", false);
    config.emulate_353_ttl_nodes = properties.boolean("emulate353TTLNodes", false);
    config.digest_enabled = properties.boolean("digest.enabled", true);
    config.close_session_txn_enabled = properties.boolean("closeSessionTxn.enabled", true);
    config.enforce_quota = properties.boolean("enforceQuota", false);
    config.skip_acl = properties.is_exactly("skipACL", "yes", "no");
    if config.skip_acl {
        let text =
            "zookeeper.skipACL==\"yes\", ACL checks will be skipped: UNSAFE, everybody may do everything";
        properties.warn(text.to_owned());
    }
}

fn container_sweep(properties: &mut Properties<'_>) -> ContainerSweep {
    let default = ContainerSweep::default();
    let interval = properties.integer_of("znode.container.checkIntervalMs", 60_000);
    let per_minute = properties.integer_of("znode.container.maxPerMinute", 10_000);
    let unused = properties.long_of("znode.container.maxNeverUsedIntervalMs", i64::MIN..=i64::MAX);
    ContainerSweep {
        check_interval: millis_if_positive(interval.into()).unwrap_or_else(|| {
            properties
                .warn(format!("znode.container.checkIntervalMs = {interval} is too small, 60000 is used"));
            default.check_interval
        }),
        max_per_minute: u32::try_from(per_minute).ok().filter(|&count| count > 0).unwrap_or_else(|| {
            properties
                .warn(format!("znode.container.maxPerMinute = {per_minute} is too small, 10000 is used"));
            default.max_per_minute
        }),
        max_never_used_interval: millis_if_positive(unused.unwrap_or(0)),
    }
}

fn large_requests(properties: &mut Properties<'_>) -> LargeRequests {
    let default = LargeRequests::default();
    let max = properties.integer("largeRequestMaxBytes", 100 * 1024 * 1024);
    let max_bytes = u32::try_from(max).ok().filter(|&max| max > 0).unwrap_or_else(|| {
        properties
            .warn(format!("Invalid max bytes for all large requests {max}. It should be a positive number."));
        default.max_bytes
    });
    let threshold = properties.integer("largeRequestThreshold", -1);
    if threshold == 0 || threshold < -1 {
        let text = format!(
            "Invalid large request threshold {threshold}. It should be -1 or positive. Setting to -1 "
        );
        properties.warn(text.trim_end().to_owned());
    }
    let threshold_bytes = u32::try_from(threshold).ok().filter(|&bytes| bytes > 0);
    LargeRequests { max_bytes, threshold_bytes }
}

fn request_throttle(properties: &mut Properties<'_>) -> RequestThrottle {
    let max = properties.integer("request_throttle_max_requests", 0);
    let wait = properties.integer("throttled_op_wait_time", 0);
    RequestThrottle {
        max_requests: u32::try_from(max).ok().filter(|&max| max > 0),
        drop_stale: properties.boolean("request_throttle_drop_stale", true),
        stale_latency_check: properties.boolean("request_stale_latency_check", false),
        throttled_op_wait_time: millis_if_positive(wait.into()),
    }
}

fn connection_throttle(properties: &mut Properties<'_>) -> Result<ConnectionThrottle, ConfigError> {
    let weights =
        properties.boolean("connection_throttle_weight_enabled", false).then(|| weights(properties));
    // The numbers are meant for global sessions, which cost more than one token when weights are on.
    let factor = weights.map_or(1, |weights| weights.global);
    let count = |value: i32| u32::try_from(value).unwrap_or(0).saturating_mul(factor);
    let freeze = properties.integer("connection_throttle_freeze_time", -1);
    Ok(ConnectionThrottle {
        tokens: count(properties.integer("connection_throttle_tokens", 0)),
        fill_time: millis(properties.integer("connection_throttle_fill_time", 1).into()),
        fill_count: count(properties.integer("connection_throttle_fill_count", 1)),
        freeze_time: u64::try_from(freeze).ok().map(Duration::from_millis),
        drop_increase: properties.double("connection_throttle_drop_increase", 0.02)?,
        drop_decrease: properties.double("connection_throttle_drop_decrease", 0.002)?,
        decrease_ratio: properties.double("connection_throttle_decrease_ratio", 0.0)?,
        weights,
    })
}

/// A weight below 1 becomes its default, one below the local weight the local weight.
fn weights(properties: &mut Properties<'_>) -> SessionWeights {
    let mut weight = |kind: &str, default: u32| {
        let key = format!("connection_throttle_{kind}_session_weight");
        let value = properties.integer(&key, i32::try_from(default).unwrap_or(1));
        u32::try_from(value).ok().filter(|&value| value > 0).unwrap_or_else(|| {
            properties.warn(format!("Invalid {kind} session weight {value}. It should be larger than 0"));
            default
        })
    };
    let local = weight("local", 1);
    let mut above_local = |kind: &str, default: u32| {
        let value = weight(kind, default);
        (value.max(local), value < local)
    };
    let (global, global_raised) = above_local("global", 3);
    let (renew, renew_raised) = above_local("renew", 2);
    for (kind, raised) in [("global", global_raised), ("renew", renew_raised)] {
        if raised {
            let text = format!(
                "The {kind} session weight is less than the local session weight {local}, which is used"
            );
            properties.warn(text);
        }
    }
    SessionWeights { global, local, renew }
}

/// Java also knows its SHA-2 hashes without the hyphen.
fn digest_algorithm(name: &str) -> Option<DigestAlgorithm> {
    DigestAlgorithm::from_name(name).or_else(|| {
        let (family, rest) = name.split_at_checked(3)?;
        if !family.eq_ignore_ascii_case("SHA") {
            return None;
        }
        DigestAlgorithm::from_name(&format!("SHA-{rest}"))
    })
}

fn authentication(config: &mut Config, properties: &mut Properties<'_>) -> Result<(), ConfigError> {
    if let Some(at) = properties.text("DigestAuthenticationProvider.digestAlg") {
        let unknown = || ConfigError::DigestAlgorithm { at: at.clone() };
        config.digest_alg = digest_algorithm(&at.value).ok_or_else(unknown)?;
    }
    let super_digest = properties.text("DigestAuthenticationProvider.superDigest");
    config.super_digest = super_digest.map(|at| Secret::new(&at.value));
    config.digest_auth_enabled = properties.boolean("DigestAuthenticationProvider.enabled", true);
    for at in providers(properties) {
        match at.value.as_str() {
            // Java registers it here even if `.enabled` says false.
            DIGEST_PROVIDER => config.digest_auth_enabled = true,
            IP_PROVIDER => {}
            ENSEMBLE_PROVIDER => config.ensemble_auth_names = Some(ensemble_names(properties)),
            _ => return Err(refusal(&at)),
        }
    }
    config.enforce_auth_schemes = enforce_auth_schemes(config, properties)?;
    Ok(())
}

/// Every `authProvider.<x>`, in the order of their names.
fn providers(properties: &Properties<'_>) -> Vec<Setting> {
    const PREFIX: &str = "zookeeper.authProvider.";
    let settings = properties.settings.iter().filter(|(name, _)| name.starts_with(PREFIX));
    settings.map(|(_, at)| at.clone()).collect()
}

/// Source: `EnsembleAuthenticationProvider#setEnsembleNames`.
fn ensemble_names(properties: &Properties<'_>) -> Vec<String> {
    let names = properties.text("ensembleAuthName").map(|at| at.value.split(','));
    names.into_iter().flatten().map(|name| name.trim().to_owned()).collect()
}

/// Source: `AuthenticationHelper`. `sessionRequireClientSASLAuth=true` was refused before.
fn enforce_auth_schemes(
    config: &Config,
    properties: &mut Properties<'_>,
) -> Result<Vec<String>, ConfigError> {
    if !properties.boolean("enforce.auth.enabled", false) {
        return Ok(Vec::new());
    }
    let Some(at) = properties.text("enforce.auth.schemes") else {
        let at = properties.text("enforce.auth.enabled").expect("it is true").clone();
        return Err(ConfigError::NoAuthSchemes { at });
    };
    let schemes: Vec<_> = at.value.split(',').map(|scheme| scheme.trim().to_owned()).collect();
    for scheme in &schemes {
        let available = match scheme.as_str() {
            "ip" => true,
            "digest" => config.digest_auth_enabled,
            "ensemble" => config.ensemble_auth_names.is_some(),
            "sasl" | "x509" => return Err(refusal(at)),
            _ => false,
        };
        if !available {
            return Err(ConfigError::AuthSchemeUnavailable { at: at.clone(), scheme: scheme.clone() });
        }
    }
    Ok(schemes)
}
