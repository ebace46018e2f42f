//! The table of all keys: where each may stand, its default, and what this server does with it.
//!
//! `docs/config.md` is printed from this table and compared by a test. A name that ends in `*` stands for all keys
//! that start with the rest.
//!
//! Source: `QuorumPeerConfig#parseProperties` and every reader of a system property in the server of 3.9.5.

/// Where a key may be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// In the file only; no property of that name is read.
    File,
    /// In the file as `<key>` or as the property `-Dzookeeper.<key>`; the file wins.
    Both,
    /// As the property `-D<key>` only; in the file it has no effect.
    Property,
}

/// What this server does with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Treatment {
    /// It has a field in [`Config`](super::Config), or decides how the file is read.
    Works,
    /// It concerns the members of an ensemble; a standalone server has no use for it, in Java neither.
    Ensemble(InEnsemble),
    /// It works on a standalone server; in an ensemble more is asked for than is built.
    Standalone {
        /// Which values ask for what is missing in an ensemble.
        asks: Asks,
        /// What to do instead.
        cure: &'static str,
    },
    /// Accepted without effect; the text says why that is harmless.
    Harmless(&'static str),
    /// Not built, and ignoring it would change safety, security or results.
    Refused {
        /// Which values ask for what is missing; others are accepted.
        asks: Asks,
        /// What to do instead.
        cure: &'static str,
    },
    /// Documented, but read by nobody in Java; the text is the key that works.
    Renamed(&'static str),
}

/// What a member of an ensemble does with a key that only an ensemble has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InEnsemble {
    /// It has a field in [`EnsembleConfig`](super::EnsembleConfig), or decides how the file is read.
    Works,
    /// Accepted without effect; the text says why that is harmless.
    Harmless(&'static str),
    /// Not built, and ignoring it would change safety, security or results.
    Refused {
        /// Which values ask for what is missing; others are accepted.
        asks: Asks,
        /// What to do instead.
        cure: &'static str,
    },
}

/// Which values of a refused key ask for the missing thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asks {
    /// Every value.
    Always,
    /// `true` in any case.
    True,
    /// `false` in any case.
    False,
    /// A number above 0.
    Positive,
    /// Everything but exactly `false`.
    UnlessFalse,
    /// It depends on the value in its own way; decided where the value is read.
    Sometimes,
}

impl Asks {
    pub(crate) fn is_asked_by(self, value: &str) -> bool {
        match self {
            Self::Always => true,
            Self::True => value.eq_ignore_ascii_case("true"),
            Self::False => value.eq_ignore_ascii_case("false"),
            Self::Positive => value.parse().is_ok_and(|number: i32| number > 0),
            Self::UnlessFalse => value != "false",
            Self::Sometimes => false,
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key {
    /// As it is written in the file, or for [`Class::Property`] after `-D`.
    pub name: &'static str,
    /// Where it may stand.
    pub class: Class,
    /// Java's default with its unit, empty if it has none.
    pub default: &'static str,
    /// What happens to it here.
    pub treatment: Treatment,
}

/// The row of a name given in the file (or after `-Dzookeeper.`), whatever its class.
///
/// Rows with the whole name come before rows that end in `*`; [`Class::Property`] rows are only found here to say
/// that the file is the wrong place.
pub fn find_in_file(name: &str) -> Option<&'static Key> {
    find(name, |key| key.class != Class::Property).or_else(|| find(name, |key| key.class == Class::Property))
}

/// The row of a property given after `-D` without the prefix `zookeeper.`.
pub fn find_property(name: &str) -> Option<&'static Key> {
    find(name, |key| key.class == Class::Property)
}

fn find(name: &str, class: impl Fn(&Key) -> bool) -> Option<&'static Key> {
    let mut rows = KEYS.iter().filter(|key| class(key));
    let starts = |key: &&Key| key.name.strip_suffix('*').is_some_and(|start| name.starts_with(start));
    rows.clone().find(|key| key.name == name).or_else(|| rows.find(starts))
}

/// Whether the value of `name` must never be shown.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_path = name.ends_with("path");
    !is_path && ["password", "passwd", "superdigest", "secret"].iter().any(|word| name.contains(word))
}

const fn works(name: &'static str, class: Class, default: &'static str) -> Key {
    Key { name, class, default, treatment: Treatment::Works }
}

/// Works in an ensemble.
const fn ensemble(name: &'static str, class: Class, default: &'static str) -> Key {
    Key { name, class, default, treatment: Treatment::Ensemble(InEnsemble::Works) }
}

/// No effect in an ensemble either.
const fn idle(name: &'static str, class: Class, default: &'static str, why: &'static str) -> Key {
    Key { name, class, default, treatment: Treatment::Ensemble(InEnsemble::Harmless(why)) }
}

/// Refused in an ensemble.
const fn unbuilt(
    name: &'static str,
    class: Class,
    default: &'static str,
    asks: Asks,
    cure: &'static str,
) -> Key {
    Key { name, class, default, treatment: Treatment::Ensemble(InEnsemble::Refused { asks, cure }) }
}

/// Works alone, and is refused in an ensemble.
const fn standalone(
    name: &'static str,
    class: Class,
    default: &'static str,
    asks: Asks,
    cure: &'static str,
) -> Key {
    Key { name, class, default, treatment: Treatment::Standalone { asks, cure } }
}

const fn harmless(name: &'static str, class: Class, default: &'static str, why: &'static str) -> Key {
    Key { name, class, default, treatment: Treatment::Harmless(why) }
}

const fn refused(
    name: &'static str,
    class: Class,
    default: &'static str,
    asks: Asks,
    cure: &'static str,
) -> Key {
    Key { name, class, default, treatment: Treatment::Refused { asks, cure } }
}

const fn renamed(name: &'static str, effective: &'static str) -> Key {
    Key { name, class: Class::Both, default: "", treatment: Treatment::Renamed(effective) }
}

const JVM: &str = "there is no Java virtual machine here";
const THREADS: &str = "threads are laid out by this server itself";
const NO_TLS: &str = "it only matters with TLS, which is refused where it is asked for";
const NO_SASL: &str = "it only matters with SASL, which is refused where it is asked for";
const NO_ADMIN: &str = "there is no AdminServer in this build yet";
const WATCHES: &str = "watches are kept compactly and cleaned at once";
const NO_CACHE: &str = "replies are made from the tree directly and need no cache";
const METRICS: &str = "there is no other metrics provider in this build yet; mntr shows all metrics";
const STATISTICS: &str = "these extra statistics are not collected here";
const LOGGING: &str = "this server logs to stderr in its own way";

const TLS_CURE: &str =
    "remove it and use clientPort, or keep Apache ZooKeeper for TLS until this server has it";
const SASL_CURE: &str = "remove it, or keep Apache ZooKeeper for SASL until this server has it";

const REACHABLE: &str = "whichever address answers first is used";
const OBSERVER: &str = "an observer that lost its leader looks for it at once";
const ONE_LOOP: &str = "one thread serves all members, and none of them waits for another";
const QUORUM_TLS_CURE: &str =
    "remove it and keep the members on a network of their own, or keep Apache ZooKeeper";
const QUORUM_SASL_CURE: &str =
    "remove it and keep the members on a network of their own, or keep Apache ZooKeeper";
const LOCAL_CURE: &str = "remove it; every session is known to all members here";
const LOG_CURE: &str = "remove it; an observer without files is not built";
const TEST_CURE: &str = "remove it; it is for tests of Apache ZooKeeper";

use Class::{Both, File, Property};

/// All keys, in the order of ZooKeeper's administrator guide.
pub const KEYS: &[Key] = &[
    // Minimum.
    works("clientPort", File, "none"),
    refused("secureClientPort", File, "none", Asks::Always, TLS_CURE),
    unbuilt(
        "observerMasterPort",
        File,
        "none",
        Asks::Positive,
        "remove it; observers follow the leader itself",
    ),
    works("dataDir", File, "required"),
    works("tickTime", File, "3000 ms"),
    // Advanced.
    works("dataLogDir", File, "dataDir"),
    works("clientPortAddress", File, "all interfaces"),
    refused("secureClientPortAddress", File, "all interfaces", Asks::Always, TLS_CURE),
    works("clientPortListenBacklog", File, "-1"),
    works("maxClientCnxns", File, "60"),
    works("maxCnxns", Both, "0 (off)"),
    works("minSessionTimeout", File, "2 x tickTime, in ms"),
    works("maxSessionTimeout", File, "20 x tickTime, in ms"),
    works("globalOutstandingLimit", Both, "1000"),
    works("preAllocSize", Both, "65536 KiB"),
    works("snapCount", Both, "100000"),
    works("snapSizeLimitInKb", Both, "4194304 KiB"),
    works("txnLogSizeLimitInKb", Both, "-1 (off)"),
    ensemble("commitLogCount", Both, "500"),
    ensemble("snapshotSizeFactor", Both, "0.33"),
    unbuilt("forceSnapshotSync", Both, "false", Asks::True, TEST_CURE),
    works("fsync.warningthresholdms", Both, "1000 ms"),
    works("fsync.warningthresholdms", Property, "1000 ms"),
    works("forceSync", Both, "yes"),
    works("flushDelay", Both, "0 ms"),
    harmless(
        "maxWriteQueuePollTime",
        Both,
        "flushDelay / 3, in ms",
        "a batch goes to the log when flushDelay is over, without polling",
    ),
    works("maxBatchSize", Both, "1000"),
    works("autopurge.snapRetainCount", File, "3"),
    works("autopurge.purgeInterval", File, "0 h (off)"),
    harmless("maxResponseCacheSize", Both, "400", NO_CACHE),
    harmless("maxGetChildrenResponseCacheSize", Both, "400", NO_CACHE),
    unbuilt("syncEnabled", File, "true", Asks::False, LOG_CURE),
    unbuilt("observer.syncEnabled", Both, "true", Asks::False, LOG_CURE),
    works("extendedTypesEnabled", Both, "false"),
    works("emulate353TTLNodes", Both, "false"),
    works("digest.enabled", Both, "true"),
    works("closeSessionTxn.enabled", Both, "true"),
    works("serializeLastProcessedZxid.enabled", Both, "true"),
    works("snapshot.compression.method", Both, "none"),
    works("snapshot.trust.empty", Both, "false"),
    works("datadir.autocreate", Both, "true"),
    works("db.autocreate", Both, "true"),
    works("enforceQuota", Both, "false"),
    idle("enableEagerACLCheck", Both, "false", "the leader checks, with the same answer"),
    works("skipACL", Both, "no"),
    harmless(
        "watchManagerName",
        Both,
        "org.apache.zookeeper.server.watch.WatchManager",
        "there is one kind of watch table, which is compact and has persistent and recursive watches too",
    ),
    harmless("watcherCleanThreadsNum", Both, "2", WATCHES),
    harmless("watcherCleanThreshold", Both, "1000", WATCHES),
    harmless("watcherCleanIntervalInSeconds", Both, "600 s", WATCHES),
    harmless("maxInProcessingDeadWatchers", Both, "-1", WATCHES),
    harmless("bitHashCacheSize", Both, "10", WATCHES),
    works("largeRequestMaxBytes", Both, "104857600 B"),
    works("largeRequestThreshold", Both, "-1 (off)"),
    works("request_throttle_max_requests", Both, "0 (off)"),
    harmless("request_throttle_stall_time", Both, "100 ms", "who waits goes on as soon as there is room"),
    works("request_throttle_drop_stale", Both, "true"),
    works("request_stale_latency_check", Both, "false"),
    harmless(
        "request_stale_connection_check",
        Both,
        "true",
        "reads that wait on a closed connection are always dropped, and writes are never late",
    ),
    harmless(
        "request_throttler.shutdownTimeout",
        Both,
        "10000 ms",
        "a stop writes out what was proposed, which takes one or two syncs",
    ),
    works("throttled_op_wait_time", Both, "0 ms (off)"),
    works("connection_throttle_tokens", Both, "0 (off)"),
    works("connection_throttle_fill_time", Both, "1 ms"),
    works("connection_throttle_fill_count", Both, "1"),
    works("connection_throttle_freeze_time", Both, "-1 ms (off)"),
    works("connection_throttle_drop_increase", Both, "0.02"),
    works("connection_throttle_drop_decrease", Both, "0.002"),
    works("connection_throttle_decrease_ratio", Both, "0"),
    works("connection_throttle_weight_enabled", Both, "false"),
    works("connection_throttle_global_session_weight", Both, "3"),
    works("connection_throttle_local_session_weight", Both, "1"),
    works("connection_throttle_renew_session_weight", Both, "2"),
    harmless("intBufferStartingSizeBytes", Both, "1024 B", "buffers grow with what arrives"),
    works("znode.container.checkIntervalMs", Property, "60000 ms"),
    works("znode.container.maxPerMinute", Property, "10000"),
    works("znode.container.maxNeverUsedIntervalMs", Property, "0 ms (never)"),
    harmless("pathStats.*", Both, "", STATISTICS),
    harmless("messageTracker.Enabled", Both, "false", STATISTICS),
    harmless("messageTracker.BufferSize", Both, "10", STATISTICS),
    harmless("jvm.pause.monitor", File, "false", JVM),
    harmless("jvm.pause.info-threshold.ms", File, "1000 ms", JVM),
    harmless("jvm.pause.warn-threshold.ms", File, "10000 ms", JVM),
    harmless("jvm.pause.sleep.time.ms", File, "500 ms", JVM),
    unbuilt("test.allowDiscontinuousProposals", Both, "false", Asks::True, TEST_CURE),
    unbuilt("testingonly.initialZxid", Both, "none", Asks::Always, TEST_CURE),
    // Ensemble.
    works("server.*", File, ""),
    works("group*", File, ""),
    works("weight*", File, "1"),
    ensemble("initLimit", File, "required in an ensemble, in ticks"),
    ensemble("syncLimit", File, "required in an ensemble, in ticks"),
    ensemble("connectToLearnerMasterLimit", File, "initLimit, in ticks"),
    ensemble("peerType", File, "participant"),
    ensemble("electionAlg", File, "3"),
    ensemble("leaderServes", Both, "yes"),
    idle(
        "leader.maxTimeToWaitForEpoch",
        Both,
        "-1 ms",
        "who waits for learners as leader gives up after initLimit in any case",
    ),
    idle(
        "leader.maxConcurrentSnapSyncs",
        Both,
        "10",
        "syncs go out piece by piece, and none delays the rest",
    ),
    idle(
        "leader.maxConcurrentDiffSyncs",
        Both,
        "100",
        "syncs go out piece by piece, and none delays the rest",
    ),
    idle("leader.ackLoggingFrequency", Both, "1000", LOGGING),
    idle("leader.closeSocketAsync", Both, "false", ONE_LOOP),
    idle("leader.closeSocketAsync", Property, "false", ONE_LOOP),
    idle("learner.closeSocketAsync", Both, "false", ONE_LOOP),
    idle("learner.closeSocketAsync", Property, "false", ONE_LOOP),
    idle("learner.asyncSending", Both, "false", ONE_LOOP),
    idle("learner.asyncSending", Property, "false", ONE_LOOP),
    idle(
        "leaderConnectDelayDuringRetryMs",
        Both,
        "100 ms",
        "a call to the leader is repeated at its own pace",
    ),
    ensemble("cnxTimeout", Both, "5000 ms"),
    idle(
        "quorumCnxnTimeoutMs",
        Both,
        "-1 (syncLimit x tickTime)",
        "a caller on the election port has 5 s to say who it is, and delays nobody",
    ),
    idle("quorum.cnxn.threads.size", File, "20", ONE_LOOP),
    ensemble("electionPortBindRetry", Both, "3"),
    ensemble("fastleader.minNotificationInterval", Both, "200 ms"),
    ensemble("fastleader.maxNotificationInterval", Both, "60000 ms"),
    works("standaloneEnabled", File, "true"),
    standalone(
        "reconfigEnabled",
        File,
        "false",
        Asks::True,
        "remove it and change the server lines on every member, one restart after the other",
    ),
    works("dynamicConfigFile", File, "none"),
    ensemble("quorumListenOnAllIPs", File, "false"),
    unbuilt("localSessionsEnabled", File, "false", Asks::True, LOCAL_CURE),
    unbuilt("localSessionsUpgradingEnabled", File, "false", Asks::True, LOCAL_CURE),
    ensemble("multiAddress.enabled", File, "false"),
    works("zookeeper.multiAddress.enabled", Property, "false"),
    idle("multiAddress.reachabilityCheckTimeoutMs", File, "1000 ms", REACHABLE),
    idle("zookeeper.multiAddress.reachabilityCheckTimeoutMs", Property, "1000 ms", REACHABLE),
    idle("multiAddress.reachabilityCheckEnabled", File, "true", REACHABLE),
    idle("zookeeper.multiAddress.reachabilityCheckEnabled", Property, "true", REACHABLE),
    ensemble("tcpKeepAlive", Both, "false"),
    works("clientTcpKeepAlive", Both, "false"),
    unbuilt("oraclePath", File, "none", Asks::Always, "remove it and run three voters"),
    works("4lw.commands.whitelist", Both, "srvr"),
    idle("forward_learner_requests_to_commit_processor_disabled", Both, "false", THREADS),
    ensemble("leader.nodelay", Property, "true"),
    ensemble("follower.nodelay", Property, "true"),
    // Observers.
    idle("observer.reconnectDelayMs", Both, "0 ms", OBSERVER),
    idle("observer.election.DelayMs", Both, "200 ms", OBSERVER),
    idle("observerMaster.sizeLimit", Both, "33554432 B", "observers follow the leader itself"),
    // Authentication and authorisation.
    works("DigestAuthenticationProvider.enabled", Both, "true"),
    works("DigestAuthenticationProvider.superDigest", Both, "none"),
    works("DigestAuthenticationProvider.digestAlg", Both, "SHA1"),
    harmless("IPAuthenticationProvider.usexforwardedfor", Both, "false", NO_ADMIN),
    harmless("X509AuthenticationProvider.superUser", Both, "none", NO_TLS),
    harmless("superUser", Both, "none", NO_SASL),
    harmless("superUser.*", Both, "none", NO_SASL),
    refused(
        "authProvider.*",
        Both,
        "none",
        Asks::Sometimes,
        "only the digest, ip and ensemble providers are here; remove it, or keep Apache ZooKeeper for this provider",
    ),
    harmless("ssl.authProvider", Both, "x509", NO_TLS),
    works("ensembleAuthName", Both, "none (any name)"),
    refused("sessionRequireClientSASLAuth", Both, "false", Asks::True, SASL_CURE),
    works("enforce.auth.enabled", Both, "false"),
    refused(
        "enforce.auth.schemes",
        Both,
        "none",
        Asks::Sometimes,
        "sasl and x509 are not in this build; name schemes that are (digest, ip), or keep Apache ZooKeeper",
    ),
    harmless("allowSaslFailedClients", Both, "false", NO_SASL),
    harmless("letAnySaslUserDoX", Both, "none", NO_SASL),
    harmless("sasl.serverconfig", Both, "Server", NO_SASL),
    harmless("SASLAuthenticationProvider.superPassword", Both, "none", NO_SASL),
    harmless("kerberos.*", Both, "", NO_SASL),
    harmless("security.auth_to_local", Both, "DEFAULT", NO_SASL),
    harmless("requireKerberosConfig", Both, "false", NO_SASL),
    harmless("zookeeper.server.realm", Property, "none", NO_SASL),
    refused("java.security.auth.login.config", Property, "none", Asks::Always, SASL_CURE),
    unbuilt("quorum.auth.enableSasl", File, "false", Asks::True, QUORUM_SASL_CURE),
    unbuilt("quorum.auth.learnerRequireSasl", File, "false", Asks::True, QUORUM_SASL_CURE),
    unbuilt("quorum.auth.serverRequireSasl", File, "false", Asks::True, QUORUM_SASL_CURE),
    idle("quorum.auth.learner.saslLoginContext", File, "QuorumLearner", NO_SASL),
    idle("quorum.auth.server.saslLoginContext", File, "QuorumServer", NO_SASL),
    idle("quorum.auth.kerberos.servicePrincipal", File, "zkquorum/localhost", NO_SASL),
    harmless("fips-mode", Both, "true", NO_TLS),
    // TLS.
    unbuilt("sslQuorum", File, "false", Asks::True, QUORUM_TLS_CURE),
    unbuilt("portUnification", File, "false", Asks::True, QUORUM_TLS_CURE),
    idle("sslQuorumReloadCertFiles", File, "false", NO_TLS),
    idle("ssl.quorum.*", Both, "", NO_TLS),
    refused("client.portUnification", Both, "false", Asks::True, TLS_CURE),
    harmless("client.certReload", Both, "false", NO_TLS),
    harmless("ssl.*", Both, "", NO_TLS),
    // Networking and performance.
    harmless(
        "serverCnxnFactory",
        Both,
        "org.apache.zookeeper.server.NIOServerCnxnFactory",
        "there is one kind of listener, which does what both of Java's do for clients",
    ),
    harmless("nio.numSelectorThreads", Both, "max(1, sqrt(cores / 2))", THREADS),
    harmless("nio.numWorkerThreads", Both, "2 x cores", THREADS),
    works("nio.sessionlessCnxnTimeout", Both, "10000 ms"),
    harmless("nio.directBufferBytes", Both, "65536 B", JVM),
    harmless("nio.shutdownTimeout", Both, "5000 ms", THREADS),
    harmless("commitProcessor.*", Both, "", THREADS),
    harmless("netty.*", Both, "", "there is no Netty here"),
    works("jute.maxbuffer", Property, "1048575 B"),
    ensemble("jute.maxbuffer.extrasize", Both, "jute.maxbuffer, at least 1024 B"),
    // AdminServer, metrics, audit.
    refused(
        "admin.enableServer",
        Both,
        "true",
        Asks::UnlessFalse,
        "write admin.enableServer=false, or leave it out; use the four-letter words meanwhile",
    ),
    harmless("admin.*", Both, "", NO_ADMIN),
    refused(
        "metricsProvider.className",
        File,
        "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
        Asks::Sometimes,
        "remove it and read the metrics with the four-letter word mntr",
    ),
    harmless("metricsProvider.*", File, "", METRICS),
    standalone(
        "readonlymode.enabled",
        Property,
        "false",
        Asks::True,
        "remove it; a member without its ensemble does not serve here",
    ),
    idle("follower.skipLearnerRequestToNextProcessor", Both, "false", THREADS),
    refused(
        "audit.enable",
        Both,
        "false",
        Asks::True,
        "write audit.enable=false, or keep Apache ZooKeeper where an audit log is required",
    ),
    harmless("audit.impl.class", Both, "org.apache.zookeeper.audit.Slf4jAuditLogger", JVM),
    // The machinery around a Java server.
    harmless("log.*", Both, "", LOGGING),
    harmless("root.logger", Both, "", LOGGING),
    harmless("console.threshold", Both, "", LOGGING),
    harmless("tracelog.*", Both, "", LOGGING),
    harmless("jmx.*", Both, "", JVM),
    harmless("com.sun.management.*", Property, "", JVM),
    harmless("java.*", Property, "", JVM),
    harmless("sun.*", Property, "", JVM),
    harmless("jdk.*", Property, "", JVM),
    harmless("javax.*", Property, "", JVM),
    harmless("file.encoding", Property, "", JVM),
    harmless("user.*", Property, "", JVM),
    harmless("log4j*", Property, "", LOGGING),
    harmless("logback.*", Property, "", LOGGING),
    // Documented names that Java reads under another one.
    renamed("connectionMaxTokens", "connection_throttle_tokens"),
    renamed("connectionTokenFillTime", "connection_throttle_fill_time"),
    renamed("connectionTokenFillCount", "connection_throttle_fill_count"),
    renamed("connectionFreezeTime", "connection_throttle_freeze_time"),
    renamed("connectionDropIncrease", "connection_throttle_drop_increase"),
    renamed("connectionDropDecrease", "connection_throttle_drop_decrease"),
    renamed("connectionDecreaseRatio", "connection_throttle_decrease_ratio"),
    renamed("requestThrottleLimit", "request_throttle_max_requests"),
    renamed("requestThrottleStallTime", "request_throttle_stall_time"),
    renamed("requestThrottleDropStale", "request_throttle_drop_stale"),
    renamed("requestStaleLatencyCheck", "request_stale_latency_check"),
    renamed("requestStaleConnectionCheck", "request_stale_connection_check"),
    renamed("throttledOpWaitTime", "throttled_op_wait_time"),
    renamed("maxConcurrentSnapSyncs", "leader.maxConcurrentSnapSyncs"),
    renamed("maxConcurrentDiffSyncs", "leader.maxConcurrentDiffSyncs"),
    renamed("maxTimeToWaitForEpoch", "leader.maxTimeToWaitForEpoch"),
    renamed("advancedFlowControlEnabled", "netty.advancedFlowControl.enabled"),
    renamed("outstandingHandshake.limit", "netty.server.outstandingHandshake.limit"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_per_place() {
        for (at, key) in KEYS.iter().enumerate() {
            let is_property = key.class == Property;
            let same = |other: &&Key| other.name == key.name && (other.class == Property) == is_property;
            assert_eq!(KEYS[at + 1..].iter().find(same), None);
        }
    }

    #[test]
    fn a_whole_name_comes_before_a_beginning() {
        assert_eq!(find_in_file("admin.enableServer").unwrap().name, "admin.enableServer");
        assert_eq!(find_in_file("server.1").unwrap().name, "server.*");
        assert_eq!(find_in_file("ssl.quorum.keyStore.location").unwrap().name, "ssl.quorum.*");
        assert_eq!(find_in_file("jute.maxbuffer").unwrap().class, Property);
        assert_eq!(find_in_file("noSuchKey"), None);
    }

    #[test]
    fn a_renamed_key_names_one_that_exists() {
        for key in KEYS {
            if let Treatment::Renamed(effective) = key.treatment {
                assert!(find_in_file(effective).is_some(), "{effective}");
            }
        }
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        assert!(is_secret("ssl.keyStore.password"));
        assert!(is_secret("DigestAuthenticationProvider.superDigest"));
        assert!(!is_secret("ssl.keyStore.passwordPath"));
        assert!(!is_secret("dataDir"));
    }
}
