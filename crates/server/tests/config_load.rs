//! What a configuration means: every rule with the text of its error or the field it sets.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use admin::words::Whitelist;
use server::config::{
    Arguments, Config, ConfigError, EnsembleConfig, Environment, Form, Level, Note, SessionWeights,
    SnapshotCompression,
};
use tempfile::TempDir;
use tree::auth::DigestAlgorithm;

/// A folder with `zoo.cfg`, in which `@` stands for the folder.
struct Folder(TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("zoo.cfg", text);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text.replace('@', self.0.path().to_str().unwrap())).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, properties: &[&str]) -> Result<(Config, Vec<Note>), ConfigError> {
        let words = properties.iter().map(Into::into).chain([self.path("zoo.cfg").into_os_string()]);
        let arguments = Arguments::parse(words)?;
        Config::load_with(&arguments, &Environment::default())
    }
}

const MINIMAL: &str = "dataDir=@\nclientPort=2181\n";

fn load(lines: &str, properties: &[&str]) -> (Config, Vec<Note>) {
    Folder::with(&format!("{MINIMAL}{lines}")).load(properties).unwrap()
}

fn error(text: &str, properties: &[&str]) -> String {
    Folder::with(text).load(properties).unwrap_err().to_string()
}

fn words(words: &[&str]) -> Result<Arguments, ConfigError> {
    Arguments::parse(words.iter().map(Into::into))
}

#[test]
fn a_minimal_file_has_the_defaults_of_java() {
    let folder = Folder::with(MINIMAL);
    let (config, notes) = folder.load(&[]).unwrap();
    let mut expected = Config::with_defaults(2181, folder.0.path().to_owned());
    expected.config_file = Some(folder.path("zoo.cfg"));
    assert_eq!(config, expected);
    let texts: Vec<_> = notes.iter().map(|note| note.text.as_str()).collect();
    for text in [
        "autopurge.snapRetainCount set to 3",
        "autopurge.purgeInterval set to 0",
        "clientPortAddress is 0.0.0.0:2181",
        "secureClientPort is not set",
        "observerMasterPort is not set",
        "Either no config or no quorum defined in config, running in standalone mode",
    ] {
        assert!(texts.contains(&text), "{text} not in {texts:?}");
    }
    assert!(texts.iter().any(|text| text.starts_with("there is no AdminServer in this build yet")));
}

/// Each line must change exactly what the closure changes in the configuration without it.
#[test]
fn every_key_that_works_sets_its_field() {
    type Change = fn(&mut Config);
    let table: &[(&str, Change)] = &[
        ("clientPort=0", |c| c.client_port = Some(0)),
        ("clientPortAddress=127.0.0.1", |c| c.client_port_address = IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ("clientPortAddress=::1", |c| c.client_port_address = "::1".parse().unwrap()),
        ("clientPortListenBacklog=7", |c| c.client_port_listen_backlog = Some(7)),
        ("maxClientCnxns=0", |c| c.max_client_cnxns = 0),
        ("maxClientCnxns=-5", |c| c.max_client_cnxns = 0),
        ("maxCnxns=12", |c| c.max_cnxns = 12),
        ("maxCnxns=-1", |c| c.max_cnxns = 0),
        ("dataLogDir=/log", |c| c.data_log_dir = "/log".into()),
        ("tickTime=2000", |c| {
            c.tick_time = Duration::from_secs(2);
            c.min_session_timeout = Duration::from_secs(4);
            c.max_session_timeout = Duration::from_secs(40);
        }),
        ("minSessionTimeout=1", |c| c.min_session_timeout = Duration::from_millis(1)),
        ("maxSessionTimeout=70000", |c| c.max_session_timeout = Duration::from_secs(70)),
        ("maxSessionTimeout=-1", |_| {}),
        ("globalOutstandingLimit=0x10", |c| c.global_outstanding_limit = 16),
        ("preAllocSize=1", |c| c.pre_alloc_size_bytes = 1024),
        ("preAllocSize=0", |c| c.pre_alloc_size_bytes = 0),
        ("preAllocSize=0x1", |_| {}),
        ("snapCount=1", |c| c.snap_count = 2),
        ("snapCount=x", |_| {}),
        ("snapSizeLimitInKb=2", |c| c.snap_size_limit_bytes = Some(2048)),
        ("snapSizeLimitInKb=-1", |c| c.snap_size_limit_bytes = None),
        ("snapSizeLimitInKb=0", |c| c.snap_size_limit_bytes = None),
        ("txnLogSizeLimitInKb=3", |c| c.txn_log_size_limit_bytes = Some(3072)),
        ("fsync.warningthresholdms=5", |c| c.fsync_warning_threshold = Duration::from_millis(5)),
        ("forceSync=no", |c| c.force_sync = false),
        ("forceSync=false", |_| {}),
        ("flushDelay=9", |c| {
            c.flush_delay = Duration::from_millis(9);
        }),
        ("maxBatchSize=0", |c| c.max_batch_size = None),
        ("autopurge.snapRetainCount=5", |c| c.autopurge.snap_retain_count = 5),
        ("autopurge.snapRetainCount=1", |_| {}),
        ("autopurge.purgeInterval=2", |c| c.autopurge.purge_interval = Some(Duration::from_secs(7200))),
        ("extendedTypesEnabled=TRUE", |c| c.extended_types_enabled = true),
        ("emulate353TTLNodes=true", |c| c.emulate_353_ttl_nodes = true),
        ("digest.enabled=nonsense", |c| c.digest_enabled = false),
        ("closeSessionTxn.enabled=false", |c| c.close_session_txn_enabled = false),
        ("serializeLastProcessedZxid.enabled=false", |c| c.serialize_last_processed_zxid = false),
        ("snapshot.compression.method=GZ", |c| c.snapshot_compression = SnapshotCompression::Gzip),
        ("snapshot.compression.method=snappy", |c| c.snapshot_compression = SnapshotCompression::Snappy),
        ("snapshot.compression.method=zip", |_| {}),
        ("snapshot.trust.empty=true", |c| c.snapshot_trust_empty = true),
        ("datadir.autocreate=false", |c| c.datadir_autocreate = false),
        ("db.autocreate=false", |c| c.db_autocreate = false),
        ("enforceQuota=true", |c| c.enforce_quota = true),
        ("skipACL=yes", |c| c.skip_acl = true),
        ("skipACL=true", |_| {}),
        ("largeRequestMaxBytes=5", |c| c.large_requests.max_bytes = 5),
        ("largeRequestMaxBytes=0", |_| {}),
        ("largeRequestThreshold=6", |c| c.large_requests.threshold_bytes = Some(6)),
        ("largeRequestThreshold=-2", |_| {}),
        ("request_throttle_max_requests=7", |c| c.request_throttle.max_requests = Some(7)),
        ("request_throttle_drop_stale=false", |c| c.request_throttle.drop_stale = false),
        ("request_stale_latency_check=true", |c| c.request_throttle.stale_latency_check = true),
        ("throttled_op_wait_time=9", |c| {
            c.request_throttle.throttled_op_wait_time = Some(Duration::from_millis(9));
        }),
        ("connection_throttle_tokens=10", |c| c.connection_throttle.tokens = 10),
        ("connection_throttle_fill_time=11", |c| c.connection_throttle.fill_time = Duration::from_millis(11)),
        ("connection_throttle_fill_count=12", |c| c.connection_throttle.fill_count = 12),
        ("connection_throttle_freeze_time=0", |c| c.connection_throttle.freeze_time = Some(Duration::ZERO)),
        ("connection_throttle_drop_increase=0.5", |c| c.connection_throttle.drop_increase = 0.5),
        ("connection_throttle_drop_decrease=0.25", |c| c.connection_throttle.drop_decrease = 0.25),
        ("connection_throttle_decrease_ratio=1", |c| c.connection_throttle.decrease_ratio = 1.0),
        (
            "connection_throttle_weight_enabled=true\nconnection_throttle_tokens=2\n\
             connection_throttle_local_session_weight=4\nconnection_throttle_renew_session_weight=9",
            |c| {
                c.connection_throttle.weights = Some(SessionWeights { global: 4, local: 4, renew: 9 });
                c.connection_throttle.tokens = 8;
                c.connection_throttle.fill_count = 4;
            },
        ),
        ("connection_throttle_weight_enabled=true\nconnection_throttle_global_session_weight=0", |c| {
            c.connection_throttle.weights = Some(SessionWeights::default());
            c.connection_throttle.fill_count = 3;
        }),
        ("4lw.commands.whitelist=stat, ruok ,", |c| {
            c.four_letter_whitelist = Whitelist::parse(Some("stat,ruok"), false);
        }),
        ("4lw.commands.whitelist=stat,*", |c| c.four_letter_whitelist = Whitelist::parse(Some("*"), false)),
        ("nio.sessionlessCnxnTimeout=100", |c| c.nio_sessionless_cnxn_timeout = Duration::from_millis(100)),
        ("clientTcpKeepAlive=true", |c| c.client_tcp_keep_alive = true),
        ("reconfigEnabled=True", |c| c.reconfig_enabled = true),
        ("DigestAuthenticationProvider.enabled=false", |c| c.digest_auth_enabled = false),
        ("DigestAuthenticationProvider.digestAlg=SHA3-256", |c| c.digest_alg = DigestAlgorithm::Sha3Len256),
        ("DigestAuthenticationProvider.digestAlg=sha512/224", |c| {
            c.digest_alg = DigestAlgorithm::Sha512Trunc224
        }),
        ("authProvider.1=org.apache.zookeeper.server.auth.IPAuthenticationProvider", |_| {}),
        (
            "authProvider.e=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider\nensembleAuthName=a, b",
            |c| c.ensemble_auth_names = Some(vec!["a".into(), "b".into()]),
        ),
        ("enforce.auth.enabled=true\nenforce.auth.schemes=digest, ip", |c| {
            c.enforce_auth_schemes = vec!["digest".into(), "ip".into()];
        }),
        ("enforce.auth.schemes=digest", |_| {}),
        ("metricsProvider.className=org.apache.zookeeper.metrics.impl.NullMetricsProvider", |_| {}),
        ("admin.enableServer=false\naudit.enable=false", |_| {}),
        ("standaloneEnabled=true\npeerType=Participant\nelectionAlg=3\ninitLimit=10", |_| {}),
        // The last line of a key wins.
        ("snapCount=7\nsnapCount=9", |c| c.snap_count = 9),
        ("jute.maxbuffer=5\nreadonlymode.enabled=true", |_| {}),
    ];
    for (lines, change) in table {
        let folder = Folder::with(&format!("{MINIMAL}{lines}"));
        let (config, _) = folder.load(&[]).unwrap_or_else(|error| panic!("{lines}: {error}"));
        let mut expected = Config::with_defaults(2181, folder.0.path().to_owned());
        expected.config_file = Some(folder.path("zoo.cfg"));
        change(&mut expected);
        assert_eq!(config, expected, "{lines}");
    }
}

#[test]
fn properties_only_keys_and_precedence() {
    let (config, _) = load(
        "",
        &[
            "-Djute.maxbuffer=5000",
            "-Dreadonlymode.enabled=true",
            "-Dznode.container.checkIntervalMs=7",
            "-Dznode.container.maxPerMinute=8",
            "-Dznode.container.maxNeverUsedIntervalMs=9",
            "-Dfsync.warningthresholdms=11",
            "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:abc",
        ],
    );
    assert_eq!(config.jute_max_buffer_bytes, 5000);
    assert_eq!(config.four_letter_whitelist, Whitelist::parse(Some("isro"), false));
    assert_eq!(config.container_sweep.check_interval, Duration::from_millis(7));
    assert_eq!(config.container_sweep.max_per_minute, 8);
    assert_eq!(config.container_sweep.max_never_used_interval, Some(Duration::from_millis(9)));
    assert_eq!(config.fsync_warning_threshold, Duration::from_millis(11));
    assert_eq!(config.super_digest.unwrap().reveal(), "super:abc");
    let (config, _) = load("snapCount=10\n", &["-Dzookeeper.snapCount=20", "-Dzookeeper.maxCnxns=3"]);
    assert_eq!((config.snap_count, config.max_cnxns), (10, 3), "the file wins over -D");
    let (config, _) =
        load("", &["-Dzookeeper.maxCnxns=3", "-Dzookeeper.maxCnxns=4", "-Dzookeeper.tickTime=7"]);
    assert_eq!((config.max_cnxns, config.tick_time), (4, Duration::from_secs(3)));
}

/// Java's sentence, then file, line, key and value.
#[test]
fn every_error_has_javas_sentence_and_the_place() {
    let table = [
        ("clientPort=2181", "dataDir is not set (@/zoo.cfg"),
        ("dataDir=@\nclientPort=x", "For input string: \"x\" (@/zoo.cfg line 2: clientPort=x"),
        (
            "dataDir=@\nreconfigEnabled=1",
            "Invalid option 1 for reconfigEnabled. Choose 'true' or 'false.' (@/zoo.cfg line 2",
        ),
        ("dataDir=@\nsslQuorum=", "Invalid option  for sslQuorum. Choose 'true' or 'false.'"),
        ("dataDir=@\nquorum.cnxn.threads.size=a", "For input string: \"a\""),
        ("dataDir=@\nelectionAlg=2", "Invalid electionAlg value. Only 3 is supported."),
        ("dataDir=@\npeerType=leader", "Unrecognised peertype: leader"),
        (
            "dataDir=@\nquorum.auth.serverRequireSasl=true",
            "quorum.auth.enableSasl is disabled, so cannot enable quorum.auth.serverRequireSasl",
        ),
        (
            "dataDir=@\nquorum.auth.learnerRequireSasl=true",
            "quorum.auth.enableSasl is disabled, so cannot enable quorum.auth.learnerRequireSasl",
        ),
        (
            "dataDir=@\nquorum.auth.enableSasl=true\nquorum.auth.serverRequireSasl=true",
            "quorum.auth.learnerRequireSasl is disabled, so cannot enable quorum.auth.serverRequireSasl",
        ),
        ("dataDir=@\nclientPortAddress=127.0.0.1", "clientPortAddress is set but clientPort is not set"),
        (
            "dataDir=@\nsecureClientPortAddress=::1",
            "secureClientPortAddress is set but secureClientPort is not set",
        ),
        ("dataDir=@\nclientPort=65536", "port out of range:65536"),
        ("dataDir=@\nclientPort=-1", "port out of range:-1"),
        (
            "dataDir=@\nclientPort=1\nclientPortAddress=no such host",
            "no such host: Name or service not known",
        ),
        (
            "dataDir=@\nsecureClientPort=1\nssl.authProvider=y",
            "No auth provider configured for the SSL authentication scheme 'y'.",
        ),
        ("dataDir=@\ntickTime=0", "tickTime is not set"),
        ("dataDir=@\ntickTime=-2", "tickTime must not be negative"),
        (
            "dataDir=@\nminSessionTimeout=9\nmaxSessionTimeout=8",
            "minSessionTimeout must not be larger than maxSessionTimeout",
        ),
        ("dataDir=@\nmetricsProvider.className=x.Y", "metrics provider class was not found"),
        ("dataDir=@\nx=\\u12", "Error processing @/zoo.cfg: Malformed \\uxxxx encoding. (line 2"),
        ("dataDir=@\nenforce.auth.enabled=true", "zookeeper.enforce.auth.schemes must be  configured."),
        (
            "dataDir=@\nenforce.auth.enabled=true\nenforce.auth.schemes=",
            "Authentication scheme  is not available.",
        ),
        (
            "dataDir=@\nenforce.auth.enabled=true\nenforce.auth.schemes=ensemble",
            "Authentication scheme ensemble is not available.",
        ),
        (
            "dataDir=@\nDigestAuthenticationProvider.digestAlg=CRC",
            "don't support this ACL digest algorithm: CRC in the current environment",
        ),
        ("dataDir=@\nconnection_throttle_drop_increase=x", "For input string: \"x\""),
        // Not built.
        (
            "dataDir=@\nsecureClientPort=2281",
            "secureClientPort is not part of this build (@/zoo.cfg line 2: secureClientPort=2281; remove",
        ),
        ("dataDir=@\nclient.portUnification=true", "client.portUnification is not part of this build"),
        (
            "dataDir=@\nsessionRequireClientSASLAuth=true",
            "sessionRequireClientSASLAuth is not part of this build",
        ),
        (
            "dataDir=@\nauthProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            "authProvider.sasl is not part",
        ),
        (
            "dataDir=@\nenforce.auth.enabled=true\nenforce.auth.schemes=digest,sasl",
            "enforce.auth.schemes is not part of this build",
        ),
        ("dataDir=@\naudit.enable=true", "audit.enable is not part of this build"),
        ("dataDir=@\nadmin.enableServer=true", "admin.enableServer is not part of this build"),
        (
            "dataDir=@\nmetricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
            "metricsProvider.className is not part",
        ),
    ];
    for (text, expected) in table {
        let folder = Folder::with(text);
        let error = folder.load(&[]).unwrap_err().to_string();
        let expected = expected.replace('@', folder.0.path().to_str().unwrap());
        assert!(error.contains(&expected), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    assert!(error(MINIMAL, &["-Djava.security.auth.login.config=/jaas"]).contains("command line"));
    assert!(error(MINIMAL, &["-Dzookeeper.audit.enable=true"]).contains("zookeeper.audit.enable"));
    let folder = Folder::with(MINIMAL);
    fs::remove_file(folder.path("zoo.cfg")).unwrap();
    assert!(folder.load(&[]).unwrap_err().to_string().contains("zoo.cfg file is missing"));
}

#[test]
fn membership_lines_are_checked_as_in_java() {
    let form = "does not have the form server_config or server_config;client_config";
    let table = [
        ("server.x=h:1:2", "For input string: \"x\""),
        ("server.1=h:1", form),
        ("server.1=", form),
        ("server.1=;", form),
        ("server.1=h:1:2:participant:x", form),
        ("server.1=h:1:2;1;2", form),
        ("server.1=h:1:2;a:b:3", form),
        ("server.1=h:a:2", "Address unresolved: h:a"),
        ("server.1=h:1:b", "Address unresolved: h:b"),
        ("server.1=h:1:2 ", "Address unresolved: h:2 "),
        ("server.1=h:1:70000", "port out of range:70000"),
        (
            "server.1=h:1:1",
            "Client and election port must be different! Please update the configuration file on server.1",
        ),
        ("server.1=h:1:2:boss", "Unrecognised peertype: boss"),
        (
            "server.1=h:1:2|g:1:2",
            "Multiple address feature is disabled, but multiple addresses were specified for sid 1",
        ),
        ("server.1=[::1:1:2", "[::1:1:2 starts with '[' but has no matching ']:'"),
        ("server.1=[::1]:", "[::1]: doesn't have a port after colon"),
        ("server.1=h:1:2\nserver.2=h:3:4\ngroup.1=1", "Server 2is not in a group"),
        ("server.1=h:1:2\ngroup.1=1\ngroup.2=1", "Server 1is in multiple groups"),
        ("server.1=h:1:2:observer", "Observers w/o participants is an invalid configuration"),
        ("server.1=h:1:2\nserver.2=h:3:4:observer", "Observers w/o quorum is an invalid configuration"),
        ("standaloneEnabled=false", "standaloneEnabled = false then number of participants should be >0"),
        ("server.1=h:1:2\nserver.2=h:3:4", "initLimit is not set"),
        ("initLimit=1\nserver.1=h:1:2\nserver.2=h:3:4", "syncLimit is not set"),
        ("initLimit=1\nsyncLimit=1\nstandaloneEnabled=false\nserver.1=h:1:2", "myid file is missing"),
        (
            "dynamicConfigFile=@/d\nserver.1=h:1:2",
            "parameter: server.1 must be in a separate dynamic config file",
        ),
        ("dynamicConfigFile=@/nowhere", "nowhere file is missing"),
    ];
    for (lines, expected) in table {
        let error = error(&format!("{MINIMAL}{lines}"), &[]);
        assert!(error.contains(expected), "{lines}: {error}");
    }
    let multi = ["-Dzookeeper.multiAddress.enabled=true"];
    let two_roles = format!("{MINIMAL}server.1=h:1:2:participant|g:1:2:observer");
    assert!(error(&two_roles, &multi).contains("Multiple addresses should have similar roles: "));
    load("server.1=h:1:2|[::1]:1:2", &multi);
}

const ENSEMBLE: &str = "dataDir=@\nclientPort=2181\ninitLimit=10\nsyncLimit=5\nserver.1=a:1:2\nserver.2=b:1:2\n\
                        server.3=c:1:2:observer\n";

fn member(lines: &str, id: &str) -> Folder {
    let folder = Folder::with(&format!("{ENSEMBLE}{lines}"));
    folder.write("myid", id);
    folder
}

#[test]
fn every_key_of_an_ensemble_sets_its_field() {
    type Change = fn(&mut EnsembleConfig);
    let table: &[(&str, Change)] = &[
        ("initLimit=3", |c| (c.init_limit, c.connect_to_learner_master_limit) = (3, 3)),
        ("syncLimit=4", |c| c.sync_limit = 4),
        ("connectToLearnerMasterLimit=6", |c| c.connect_to_learner_master_limit = 6),
        ("connectToLearnerMasterLimit=0", |_| {}),
        ("leaderServes=no", |c| c.leader_serves = false),
        ("leaderServes=false", |_| {}),
        ("quorumListenOnAllIPs=TRUE", |c| c.quorum_listen_on_all_ips = true),
        ("electionPortBindRetry=0", |c| c.election_port_bind_retry = None),
        ("electionPortBindRetry=9", |c| c.election_port_bind_retry = Some(9)),
        ("electionPortBindRetry=-1", |_| {}),
        ("cnxTimeout=700", |c| c.cnx_timeout = Duration::from_millis(700)),
        ("fastleader.minNotificationInterval=7", |c| c.min_notification_interval = Duration::from_millis(7)),
        ("fastleader.maxNotificationInterval=8", |c| c.max_notification_interval = Duration::from_millis(8)),
        ("fastleader.maxNotificationInterval=0", |_| {}),
        ("tcpKeepAlive=true", |c| c.tcp_keep_alive = true),
        ("multiAddress.enabled=true", |c| c.multi_address = true),
        ("commitLogCount=9000", |c| c.commit_log_count = 9000),
        ("commitLogCount=9", |_| {}),
        ("commitLogCount=0x1000", |_| {}),
        ("snapshotSizeFactor=0.5", |c| c.snapshot_size_factor = Some(0.5)),
        ("snapshotSizeFactor=-1", |c| c.snapshot_size_factor = None),
        ("snapshotSizeFactor=1.5", |_| {}),
        ("snapshotSizeFactor=x", |_| {}),
        ("jute.maxbuffer.extrasize=5000", |c| c.jute_max_buffer_extra_bytes = 5000),
        ("jute.maxbuffer.extrasize=5", |c| c.jute_max_buffer_extra_bytes = 1024),
        ("electionAlg=3\nleader.closeSocketAsync=true\nquorumCnxnTimeoutMs=1", |_| {}),
        ("observerMasterPort=0\nsslQuorum=false\nreconfigEnabled=false\nsyncEnabled=true", |_| {}),
    ];
    for (lines, change) in table {
        let folder = member(lines, "2");
        let (config, _) = folder.load(&[]).unwrap_or_else(|error| panic!("{lines}: {error}"));
        let mut expected = Config::with_defaults(2181, folder.0.path().to_owned());
        expected.config_file = Some(folder.path("zoo.cfg"));
        (expected.server_id, expected.my_id) = (2, Some(2));
        expected.membership = config.membership.clone();
        let mut ensemble = EnsembleConfig::with_defaults(2);
        change(&mut ensemble);
        expected.ensemble = Some(ensemble);
        assert_eq!(config, expected, "{lines}");
    }
    let (config, notes) = member("peerType=observer", "2").load(&["-Dleader.nodelay=false"]).unwrap();
    let text = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:observer\nversion=0";
    assert_eq!(config.membership.to_string(), text);
    let ensemble = config.ensemble.unwrap();
    assert!(!ensemble.leader_nodelay && ensemble.follower_nodelay);
    for note in [
        "No server failure will be tolerated.",
        "Defaulting to servers list.",
        "Starting quorum peer, myid=2",
    ] {
        assert!(notes.iter().any(|n| n.text.contains(note)), "{note} not in {notes:?}");
    }
    let multi = ["-Dzookeeper.multiAddress.enabled=true"];
    assert!(member("", "1").load(&multi).unwrap().0.ensemble.unwrap().multi_address);
}

#[test]
fn one_voter_can_be_an_ensemble() {
    let folder = Folder::with(&format!(
        "{MINIMAL}initLimit=1\nsyncLimit=1\nstandaloneEnabled=false\nserver.7=h:1:2;2181\nserver.8=h:3:4:observer"
    ));
    folder.write("myid", "7");
    let (config, _) = folder.load(&[]).unwrap();
    assert_eq!((config.server_id, config.ensemble.unwrap().my_id), (7, 7));
}

#[test]
fn what_an_ensemble_cannot_start_with() {
    let table = [
        ("initLimit=-1", "initLimit must not be negative", 2),
        ("cnxTimeout=0x10", "For input string: \"0x10\"", 2),
        ("reconfigEnabled=true", "reconfigEnabled is not part of this build's ensembles", 2),
        ("sslQuorum=true", "sslQuorum is not part of this build's ensembles", 2),
        ("portUnification=true", "portUnification is not part", 2),
        ("quorum.auth.enableSasl=true", "quorum.auth.enableSasl is not part", 2),
        ("observerMasterPort=2191", "observerMasterPort is not part", 2),
        ("oraclePath=/o", "oraclePath is not part", 2),
        ("localSessionsEnabled=true", "localSessionsEnabled is not part", 2),
        ("localSessionsUpgradingEnabled=true", "localSessionsUpgradingEnabled is not part", 2),
        ("syncEnabled=false", "syncEnabled is not part", 2),
        ("observer.syncEnabled=false", "observer.syncEnabled is not part", 2),
        ("forceSnapshotSync=true", "forceSnapshotSync is not part", 2),
    ];
    for (line, expected, code) in table {
        let error = member(line, "1").load(&[]).unwrap_err();
        assert!(error.to_string().contains(expected), "{line}: {error}");
        assert_eq!(error.exit_code(), code, "{line}");
    }
    let error = member("", "1").load(&["-Dreadonlymode.enabled=true"]).unwrap_err().to_string();
    assert!(error.contains("readonlymode.enabled is not part of this build's ensembles"), "{error}");
    // Alone, none of them matters.
    let (config, _) =
        load("reconfigEnabled=true\nsslQuorum=true\noraclePath=/o", &["-Dreadonlymode.enabled=true"]);
    assert!(config.reconfig_enabled && config.ensemble.is_none());
    let ids = [("x", "serverid x is not a number", 2), ("9", "My id 9 not in the peer list", 1)];
    for (id, expected, code) in ids {
        let error = member("", id).load(&[]).unwrap_err();
        assert!(error.to_string().contains(expected) && error.to_string().contains("myid"), "{error}");
        assert_eq!(error.exit_code(), code);
    }
    for (id, line, fits) in
        [("255", "", true), ("255", "extendedTypesEnabled=true", false), ("256", "", false)]
    {
        let folder = member(&format!("{line}\nserver.{id}=d:1:2"), id);
        let error = folder.load(&[]).err().map(|error| error.to_string());
        assert_eq!(error.is_none(), fits, "{id} {line}: {error:?}");
        assert!(fits || error.unwrap().contains("Server ID is too large."));
    }
}

#[test]
fn one_server_line_alone_is_standalone_and_gives_its_client_port() {
    let folder = Folder::with("dataDir=@\nserver.7=h:1:2;127.0.0.1:2345");
    let (config, notes) = folder.load(&[]).unwrap();
    assert_eq!(config.client_port, None, "without myid no line is this server's");
    let only_one = "Invalid configuration, only one server specified (ignoring)";
    assert!(notes.iter().any(|note| note.level == Level::Error && note.text == only_one));
    folder.write("myid", "7\nnot looked at");
    let (config, _) = folder.load(&[]).unwrap();
    assert_eq!((config.my_id, config.client_port, config.server_id), (Some(7), Some(2345), 0));
    assert_eq!(config.client_port_address, IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_eq!(config.membership.to_string(), "server.7=h:1:2:participant;127.0.0.1:2345\nversion=0");
    folder.write("zoo.cfg", "dataDir=@\nclientPort=1\nserver.7=h:1:2;127.0.0.1:2345");
    let error = folder.load(&[]).unwrap_err().to_string();
    let expected = "client address for this server (id = 7) in static config file is 0.0.0.0:1 is different from \
                    client address found in dynamic file: 127.0.0.1:2345";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_dynamic_file_holds_only_members() {
    let folder = Folder::with(&format!("{MINIMAL}dynamicConfigFile=@/zoo.cfg.dynamic.1f"));
    for (text, expected) in [
        ("version=1", Some("dynamic file shouldn't have version inside")),
        ("tickTime=1", Some("Unrecognised parameter: tickTime")),
        ("server.1=h:1:2", None),
    ] {
        folder.write("zoo.cfg.dynamic.1f", text);
        let error = folder.load(&[]).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{text}: {error:?}");
        assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()), "{text}");
    }
}

#[test]
fn my_id_is_one_decimal_number() {
    let folder = Folder::with(MINIMAL);
    for (text, id) in
        [("5", Some(5)), ("+5\n", Some(5)), ("-3\r\nx", Some(-3)), (" 5", None), ("5 ", None), ("", None)]
    {
        folder.write("myid", text);
        match (folder.load(&[]), id) {
            (Ok((config, _)), Some(id)) => assert_eq!(config.my_id, Some(id)),
            (Err(error), None) => {
                let shown = if text.is_empty() { "null" } else { text };
                assert!(error.to_string().contains(&format!("serverid {shown} is not a number")), "{error}");
            }
            (result, _) => panic!("{text:?}: {result:?}"),
        }
    }
}

#[test]
fn what_has_no_effect_is_said_once_and_why() {
    let (_, notes) = load(
        "jute.maxbuffer=5\nzookeeper.snapCount=1\nconnectionMaxTokens=1\nnoSuchKey=1\nnetty.x=1\ninitLimit=1\n\
         syncLimit=2\nssl.keyStore.password=canary\nwatchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized\n\
         skipACL=yes\nforceSync=no\nsnapCount=abc\nadmin.serverPort=1\n",
        &["-Dzookeeper.tickTime=1", "-Dcom.sun.management.jmxremote", "-Dmine=1", "-Dzookeeper.nope=1"],
    );
    let has = |level, part: &str| {
        let found = notes.iter().filter(|note| note.level == level && note.text.contains(part)).count();
        assert_eq!(found, 1, "{part} in {notes:#?}");
    };
    has(
        Level::Warn,
        "jute.maxbuffer=5 has no effect in the file, in Java neither: start with -Djute.maxbuffer=5",
    );
    has(Level::Warn, "the key is snapCount");
    has(Level::Warn, "the key is connection_throttle_tokens");
    has(Level::Warn, "noSuchKey=1 is unknown");
    has(Level::Info, "netty.x=1 has no effect: there is no Netty here");
    has(Level::Info, "no effect on a standalone server, in Java neither: initLimit, syncLimit");
    has(Level::Info, "ssl.keyStore.password=*** has no effect");
    has(Level::Info, "persistent and recursive watches too");
    has(Level::Warn, "ACL checks will be skipped");
    has(Level::Warn, "forceSync=no: UNSAFE");
    has(Level::Warn, "snapCount=abc is not a number Java accepts, the default is used");
    has(Level::Warn, "zookeeper.tickTime=1 has no effect as a property");
    has(Level::Info, "com.sun.management.jmxremote= has no effect: there is no Java virtual machine here");
    has(Level::Info, "mine=1 has no effect");
    has(Level::Warn, "zookeeper.nope=1 is unknown");
    assert!(!format!("{notes:?}").contains("canary"));
}

#[test]
fn secrets_appear_in_no_text() {
    let (config, notes) = load("DigestAuthenticationProvider.superDigest=super:canary\n", &[]);
    assert_eq!(config.super_digest.as_ref().unwrap().reveal(), "super:canary");
    assert!(!format!("{config:?} {notes:?}").contains("canary"));
}

#[test]
fn relative_folders_are_warned_about() {
    let (config, notes) = Folder::with("dataDir=data\ndataLogDir=./log\nclientPort=1").load(&[]).unwrap();
    assert_eq!((config.data_dir, config.data_log_dir), ("data".into(), "./log".into()));
    let relative: Vec<_> = notes.iter().filter(|note| note.text.contains("is relative")).collect();
    assert_eq!(relative.len(), 1);
    assert_eq!(relative[0].text, "data is relative. Prepend ./ to indicate that you're sure!");
}

#[test]
fn the_command_line_has_three_forms() {
    assert_eq!(words(&[]).unwrap().form, Form::Nothing);
    assert_eq!(
        words(&["-Da=b=c", "-Dd", "zoo.cfg"]).unwrap().properties,
        [("a".to_owned(), "b=c".to_owned()), ("d".to_owned(), String::new())]
    );
    assert_eq!(words(&["--help"]).unwrap().form, Form::Help);
    assert_eq!(words(&["--version"]).unwrap().form, Form::Version);
    for wrong in [&["1", "2", "3", "4", "5"][..], &["-x"]] {
        let error = words(wrong).unwrap_err();
        let usage = "Usage: ZooKeeperServerMain configfile | port datadir [ticktime] [maxcnxns]";
        assert!(error.to_string().starts_with(usage), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    let (config, _) = Config::load_with(&words(&["2999", "/d"]).unwrap(), &Environment::default()).unwrap();
    let mut expected = Config::with_defaults(2999, "/d".into());
    expected.max_client_cnxns = 0;
    assert_eq!(config, expected);
    let all = words(&["2999", "/d", "500", "3"]).unwrap();
    let (config, _) = Config::load_with(&all, &Environment::default()).unwrap();
    assert_eq!((config.tick_time, config.max_client_cnxns), (Duration::from_millis(500), 3));
    assert!(Config::load_with(&words(&["x", "/d"]).unwrap(), &Environment::default()).is_err());
}

#[test]
fn nothing_at_all_is_the_built_in_configuration() {
    let (config, _) = Config::load_with(&words(&[]).unwrap(), &Environment::default()).unwrap();
    assert_eq!(config.client_port, Some(2181));
    assert_eq!(config.client_port_address, IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.tick_time, Duration::from_secs(2));
    assert_eq!(config.max_client_cnxns, 60);
    assert!(config.autopurge.purge_interval.is_some());
}

#[test]
fn the_variables_of_the_official_image_stand_for_a_file() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let variables = [
        ("ZOO_DATA_DIR", data),
        ("ZOO_MAX_CLIENT_CNXNS", "5"),
        ("ZOO_4LW_COMMANDS_WHITELIST", "*"),
        ("ZOO_CFG_EXTRA", "snapCount=77 reconfigEnabled=true"),
        ("JVMFLAGS", "-Xmx1g -Djute.maxbuffer=4096 -Dzookeeper.snapCount=1"),
    ];
    let (config, notes) = Config::load_with(&words(&[]).unwrap(), &Environment::of(variables)).unwrap();
    let mut expected = Config::with_defaults(2181, folder.path().to_owned());
    expected.tick_time = Duration::from_secs(2);
    expected.min_session_timeout = Duration::from_secs(4);
    expected.max_session_timeout = Duration::from_secs(40);
    expected.my_id = Some(1);
    expected.membership = config.membership.clone();
    expected.max_client_cnxns = 5;
    expected.four_letter_whitelist = Whitelist::parse(Some("*"), false);
    expected.snap_count = 77;
    expected.reconfig_enabled = true;
    expected.jute_max_buffer_bytes = 4096;
    assert_eq!(config, expected);
    assert!(notes.iter().any(|note| note.text.contains("no Java virtual machine here: -Xmx1g")));
    let wrong = Environment::of([("ZOO_TICK_TIME", "x")]);
    let error = Config::load_with(&words(&[]).unwrap(), &wrong).unwrap_err().to_string();
    assert!(error.contains("environment variable ZOO_TICK_TIME: tickTime=x"), "{error}");
    let defaults = Environment::of([("ZOO_TICK_TIME", "1000")]);
    let (config, _) = Config::load_with(&words(&[]).unwrap(), &defaults).unwrap();
    assert_eq!((config.data_dir, config.data_log_dir), ("/data".into(), "/datalog".into()));
    // A file named on the command line is read instead.
    let file = Folder::with(MINIMAL);
    let arguments = Arguments::parse([file.path("zoo.cfg").into_os_string()]).unwrap();
    let (config, _) = Config::load_with(&arguments, &wrong).unwrap();
    assert_eq!(config.tick_time, Duration::from_secs(3));
}
