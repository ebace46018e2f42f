//! From what was given to a [`Config`], in Java's order of checks.
//!
//! Source: `QuorumPeerConfig#parse`, `#parseProperties`.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use super::arguments::Arguments;
use super::ensemble::{self, Ensemble};
use super::environment::Environment;
use super::error::ConfigError;
use super::keys::{self, Class, InEnsemble, Treatment};
use super::note::Note;
use super::place::Setting;
use super::sources::Sources;
use super::values::{FileValues, Properties};
use super::{Autopurge, Config, fill, myid};

impl Config {
    /// The configuration of this process: its arguments, its environment, and the file they name.
    ///
    /// The notes are to be logged in their order once there is a log, also when something else fails later.
    ///
    /// # Errors
    /// [`ConfigError`]: the process says so and leaves with [`ConfigError::exit_code`].
    pub fn load(arguments: &Arguments) -> Result<(Self, Vec<Note>), ConfigError> {
        Self::load_with(arguments, &Environment::of_process())
    }

    /// The same with a given environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<(Self, Vec<Note>), ConfigError> {
        let mut notes = Vec::new();
        let sources = Sources::gather(arguments, environment, &mut notes)?;
        let values = FileValues(&sources.file);
        check_quorum_keys(&values)?;
        let mut config = file_part(&values, &mut notes)?;
        config.config_file.clone_from(&sources.config_file);
        check_remaining(&values, &sources)?;
        let multi_address = sources.properties.get("zookeeper.multiAddress.enabled");
        let multi_address = multi_address.is_some_and(|at| at.value.eq_ignore_ascii_case("true"));
        let ensemble = Ensemble::read(&sources.file, multi_address)?;
        let distributed = ensemble.is_distributed(&sources.file, &mut notes)?;
        config.my_id = my_id(&config, &sources)?;
        client_port(&mut config, &ensemble, &values)?;
        ensemble.check_role(config.my_id, &sources.file, &mut notes);
        treat_all(&sources, distributed, &mut notes)?;
        if distributed {
            let mut member = ensemble.config(config.my_id, &sources.file, &config.data_dir)?;
            member.multi_address = values.boolean("multiAddress.enabled", multi_address)?;
            config.server_id = member.my_id;
            config.ensemble = Some(member);
        }
        config.membership = ensemble.membership;
        let mut properties = Properties { settings: merged(&sources), notes: &mut notes };
        fill::fill(&mut config, &mut properties)?;
        match &config.ensemble {
            None => {
                let text = "Either no config or no quorum defined in config, running in standalone mode";
                notes.push(Note::warn(text));
            }
            Some(member) => {
                let max = if config.extended_types_enabled { 254 } else { 255 };
                if !(0..=max).contains(&member.my_id) {
                    return Err(ConfigError::MyIdTooLarge { path: config.data_dir.join("myid"), max });
                }
                notes.push(Note::info(format!("Starting quorum peer, myid={}", member.my_id)));
            }
        }
        Ok((config, notes))
    }
}

/// Keys with a check of their own that change nothing in a standalone server.
fn check_quorum_keys(values: &FileValues<'_>) -> Result<(), ConfigError> {
    if let Some(at) = values.setting("electionAlg")
        && values.integer("electionAlg")? != Some(3)
    {
        return Err(ConfigError::ElectionAlg { at: at.clone() });
    }
    if let Some(at) = values.setting("peerType")
        && !["observer", "participant"].contains(&at.value.to_lowercase().as_str())
    {
        return Err(ConfigError::PeerType { at: at.clone() });
    }
    const INTEGERS: [&str; 6] = [
        "observerMasterPort",
        "initLimit",
        "syncLimit",
        "connectToLearnerMasterLimit",
        "quorum.cnxn.threads.size",
        "multiAddress.reachabilityCheckTimeoutMs",
    ];
    const LONGS: [&str; 3] =
        ["jvm.pause.info-threshold.ms", "jvm.pause.warn-threshold.ms", "jvm.pause.sleep.time.ms"];
    const BOOLEANS: [&str; 11] = [
        "localSessionsEnabled",
        "localSessionsUpgradingEnabled",
        "quorumListenOnAllIPs",
        "syncEnabled",
        "standaloneEnabled",
        "sslQuorum",
        "portUnification",
        "sslQuorumReloadCertFiles",
        "jvm.pause.monitor",
        "multiAddress.enabled",
        "multiAddress.reachabilityCheckEnabled",
    ];
    INTEGERS.iter().try_for_each(|key| values.integer(key).map(drop))?;
    LONGS.iter().try_for_each(|key| values.long(key).map(drop))?;
    BOOLEANS.iter().try_for_each(|key| values.boolean(key, false).map(drop))?;
    check_quorum_sasl(values)
}

fn check_quorum_sasl(values: &FileValues<'_>) -> Result<(), ConfigError> {
    const ENABLE: &str = "quorum.auth.enableSasl";
    const SERVER: &str = "quorum.auth.serverRequireSasl";
    const LEARNER: &str = "quorum.auth.learnerRequireSasl";
    let (enabled, server, learner) =
        (values.boolean(ENABLE, false)?, values.boolean(SERVER, false)?, values.boolean(LEARNER, false)?);
    let broken = |key, needs| {
        let at = values.setting(key).expect("it is on").clone();
        Err(ConfigError::QuorumSasl { at, needs })
    };
    match (enabled, server, learner) {
        (false, true, _) => broken(SERVER, ENABLE),
        (false, _, true) => broken(LEARNER, ENABLE),
        (_, true, false) => broken(SERVER, LEARNER),
        _ => Ok(()),
    }
}

/// The fields that come from parser keys.
fn file_part(values: &FileValues<'_>, notes: &mut Vec<Note>) -> Result<Config, ConfigError> {
    let autopurge = autopurge(values, notes)?;
    let Some(data_dir) = values.setting("dataDir") else {
        return Err(ConfigError::DataDirNotSet { file: ensemble::place_of(values.0) });
    };
    let folder = |at: &Setting, notes: &mut Vec<Note>| {
        let path = PathBuf::from(&at.value);
        if path.is_relative() && !at.value.starts_with("./") {
            let text = format!("{} is relative. Prepend ./ to indicate that you're sure!", at.value);
            notes.push(Note::warn(text));
        }
        path
    };
    let mut config = Config::with_defaults(0, folder(data_dir, notes));
    if let Some(at) = values.setting("dataLogDir") {
        config.data_log_dir = folder(at, notes);
    }
    config.autopurge = autopurge;
    listener(&mut config, values, notes)?;
    let positive =
        |value: Option<i32>, default: u32| value.map_or(default, |v| u32::try_from(v).unwrap_or(0));
    config.max_client_cnxns = positive(values.integer("maxClientCnxns")?, config.max_client_cnxns);
    let backlog = positive(values.integer("clientPortListenBacklog")?, 0);
    config.client_port_listen_backlog = Some(backlog).filter(|&backlog| backlog > 0);
    config.reconfig_enabled = values.boolean("reconfigEnabled", false)?;
    times(&mut config, values)?;
    Ok(config)
}

fn autopurge(values: &FileValues<'_>, notes: &mut Vec<Note>) -> Result<Autopurge, ConfigError> {
    let mut snap_retain_count = values.integer("autopurge.snapRetainCount")?.unwrap_or(3);
    let hours = values.integer("autopurge.purgeInterval")?.unwrap_or(0);
    if snap_retain_count < 3 {
        let text = format!("Invalid autopurge.snapRetainCount: {snap_retain_count}. Defaulting to 3");
        notes.push(Note::warn(text));
        snap_retain_count = 3;
    }
    notes.push(Note::info(format!("autopurge.snapRetainCount set to {snap_retain_count}")));
    notes.push(Note::info(format!("autopurge.purgeInterval set to {hours}")));
    let hours = u64::try_from(hours).ok().filter(|&hours| hours > 0);
    Ok(Autopurge {
        snap_retain_count: u32::try_from(snap_retain_count).unwrap_or(3),
        purge_interval: hours.map(|hours| Duration::from_secs(hours * 3600)),
    })
}

fn listener(config: &mut Config, values: &FileValues<'_>, notes: &mut Vec<Note>) -> Result<(), ConfigError> {
    config.client_port = values.port("clientPort")?;
    let address = values.setting("clientPortAddress");
    match (config.client_port, address) {
        (None, Some(at)) => {
            return Err(ConfigError::AddressWithoutPort { at: at.clone(), port_key: "clientPort" });
        }
        (None, None) => notes.push(Note::info("clientPort is not set")),
        (Some(port), at) => {
            if let Some(at) = at {
                config.client_port_address = resolve(&at.value, at)?;
            }
            let address = SocketAddr::new(config.client_port_address, port);
            notes.push(Note::info(format!("clientPortAddress is {address}")));
        }
    }
    let secure = values.port("secureClientPort")?;
    if let (None, Some(at)) = (secure, values.setting("secureClientPortAddress")) {
        return Err(ConfigError::AddressWithoutPort { at: at.clone(), port_key: "secureClientPort" });
    }
    if secure.is_none() {
        notes.push(Note::info("secureClientPort is not set"));
    }
    if values.integer("observerMasterPort")?.unwrap_or(0) <= 0 {
        notes.push(Note::info("observerMasterPort is not set"));
    }
    Ok(())
}

/// The first address of a host, as `InetAddress.getByName` gives it. An empty name is the loopback there and here.
fn resolve(host: &str, at: &Setting) -> Result<IpAddr, ConfigError> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let bare = if bare.is_empty() { "127.0.0.1" } else { bare };
    let found = (bare, 0).to_socket_addrs().ok().and_then(|addresses| {
        let all: Vec<_> = addresses.map(|address| address.ip()).collect();
        // Java prefers IPv4 unless told otherwise.
        all.iter().copied().find(IpAddr::is_ipv4).or_else(|| all.first().copied())
    });
    found.ok_or_else(|| ConfigError::AddressUnknown { at: at.clone(), host: host.to_owned() })
}

fn times(config: &mut Config, values: &FileValues<'_>) -> Result<(), ConfigError> {
    let tick = values.integer("tickTime")?.unwrap_or(3000);
    let min = values.integer("minSessionTimeout")?.filter(|&ms| ms != -1);
    let max = values.integer("maxSessionTimeout")?.filter(|&ms| ms != -1);
    let at = |key: &str| values.setting(key).expect("the default is a good one").clone();
    if tick == 0 {
        return Err(ConfigError::TickTimeNotSet { at: at("tickTime") });
    }
    let tick = u32::try_from(tick).map_err(|_| ConfigError::NegativeTime { at: at("tickTime") })?;
    let bound = |given: Option<i32>, ticks: u64, key: &str| match given {
        Some(ms) => u64::try_from(ms).map_err(|_| ConfigError::NegativeTime { at: at(key) }),
        None => Ok(u64::from(tick) * ticks),
    };
    let min = bound(min, 2, "minSessionTimeout")?;
    let max = bound(max, 20, "maxSessionTimeout")?;
    if min > max {
        let (file, show) = (ensemble::place_of(values.0), |ms| i64::try_from(ms).unwrap_or(i64::MAX));
        return Err(ConfigError::SessionTimeoutsCrossed { file, min_ms: show(min), max_ms: show(max) });
    }
    config.tick_time = Duration::from_millis(u64::from(tick));
    config.min_session_timeout = Duration::from_millis(min);
    config.max_session_timeout = Duration::from_millis(max);
    Ok(())
}

/// Java's last checks before the membership.
fn check_remaining(values: &FileValues<'_>, sources: &Sources) -> Result<(), ConfigError> {
    let properties = merged(sources);
    if values.setting("secureClientPort").is_some()
        && let Some(at) = properties.get("zookeeper.ssl.authProvider")
        && at.value != "x509"
        && !properties.contains_key(&format!("zookeeper.authProvider.{}", at.value))
    {
        return Err(ConfigError::NoSslAuthProvider { at: at.clone() });
    }
    let Some(at) = values.setting("metricsProvider.className") else { return Ok(()) };
    match at.value.strip_prefix("org.apache.zookeeper.metrics.") {
        Some("impl.DefaultMetricsProvider" | "impl.NullMetricsProvider") => Ok(()),
        Some("prometheus.PrometheusMetricsProvider") => Err(refusal(at)),
        _ => Err(ConfigError::MetricsProvider { at: at.clone() }),
    }
}

/// The refusal of a key whose row in the table is [`Treatment::Refused`].
pub(crate) fn refusal(at: &Setting) -> ConfigError {
    let name = at.key.strip_prefix("zookeeper.").unwrap_or(&at.key);
    let row = keys::find_in_file(name).or_else(|| keys::find_property(&at.key));
    let cure = match row.map(|row| row.treatment) {
        Some(Treatment::Refused { cure, .. }) => cure,
        _ => "remove it",
    };
    ConfigError::Refused { at: at.clone(), cure }
}

fn my_id(config: &Config, sources: &Sources) -> Result<Option<i64>, ConfigError> {
    if let Some(id) = myid::read_my_id(&config.data_dir)? {
        return Ok(Some(id));
    }
    let Some(at) = &sources.my_id else { return Ok(None) };
    at.value.parse().map(Some).map_err(|_| ConfigError::NotANumber { at: at.clone() })
}

/// The client address in this server's own line wins, and must not contradict the static one.
fn client_port(config: &mut Config, ensemble: &Ensemble, values: &FileValues<'_>) -> Result<(), ConfigError> {
    let Some((sid, (client, at))) = config.my_id.and_then(|sid| Some((sid, ensemble.client_of(sid)?))) else {
        return Ok(());
    };
    let address = resolve(&client.host, &at)?;
    if let Some(port) = values.port("clientPort")? {
        let fixed = config.client_port_address;
        if port != client.port || (!fixed.is_unspecified() && fixed != address) {
            let fixed = SocketAddr::new(fixed, port).to_string();
            return Err(ConfigError::ClientAddressDiffers {
                at: Box::new(at),
                sid,
                fixed,
                member: client.to_string(),
            });
        }
    }
    config.client_port = Some(client.port);
    config.client_port_address = address;
    Ok(())
}

/// The system properties Java ends up with: every key of the file that is no parser key replaces the `-D` one.
fn merged(sources: &Sources) -> std::collections::BTreeMap<String, Setting> {
    let mut properties = sources.properties.clone();
    for setting in &sources.file {
        let is_parser_key = keys::find_in_file(&setting.key).is_some_and(|row| row.class == Class::File);
        if !is_parser_key {
            properties.insert(format!("zookeeper.{}", setting.key), setting.clone());
        }
    }
    properties
}

/// Looks up everything that was given: refuses what must be refused, and notes what has no effect.
fn treat_all(sources: &Sources, distributed: bool, notes: &mut Vec<Note>) -> Result<(), ConfigError> {
    let mut ensemble_keys = Vec::new();
    let properties = sources.properties.values().filter(|at| {
        // Replaced by the file, which is looked at anyway.
        let in_file = |key: &str| sources.file.iter().any(|setting| setting.key == key);
        !at.key.strip_prefix("zookeeper.").is_some_and(in_file)
    });
    for at in sources.file.iter().chain(properties) {
        let in_file = sources.file.contains(at);
        let row = match at.key.strip_prefix("zookeeper.") {
            _ if in_file => keys::find_in_file(&at.key),
            Some(name) => keys::find_property(&at.key).or_else(|| keys::find_in_file(name)),
            None => keys::find_property(&at.key),
        };
        let Some(row) = row else {
            notes.push(unknown(at, in_file));
            continue;
        };
        if let Some(note) = misplaced(at, row, in_file) {
            notes.push(note);
            continue;
        }
        match row.treatment {
            Treatment::Works => {}
            Treatment::Ensemble(_) if !distributed => ensemble_keys.push(at.key.as_str()),
            Treatment::Ensemble(InEnsemble::Works) => {}
            Treatment::Harmless(why) | Treatment::Ensemble(InEnsemble::Harmless(why)) => {
                notes.push(Note::info(format!("{at} has no effect: {why}")));
            }
            Treatment::Renamed(effective) => {
                let text = format!("{at} has no effect, in Java neither: the key is {effective}");
                notes.push(Note::warn(text));
            }
            Treatment::Standalone { asks, cure }
            | Treatment::Ensemble(InEnsemble::Refused { asks, cure }) => {
                if distributed && asks.is_asked_by(&at.value) {
                    return Err(ConfigError::RefusedInEnsemble { at: at.clone(), cure });
                }
            }
            Treatment::Refused { asks, cure } => {
                if asks.is_asked_by(&at.value) {
                    return Err(ConfigError::Refused { at: at.clone(), cure });
                }
            }
        }
    }
    if !ensemble_keys.is_empty() {
        let list = ensemble_keys.join(", ");
        notes.push(Note::info(format!("no effect on a standalone server, in Java neither: {list}")));
    }
    if !sources.file.iter().any(|at| at.key == "admin.enableServer") {
        notes.push(Note::info(
            "there is no AdminServer in this build yet; Java would listen on port 8080 unless admin.enableServer=false",
        ));
    }
    Ok(())
}

/// A name nobody knows: accepted as in Java, and probably a slip.
fn unknown(at: &Setting, in_file: bool) -> Note {
    if !in_file && !at.key.starts_with("zookeeper.") {
        return Note::info(format!("{at} has no effect: it is no property of ZooKeeper"));
    }
    let prefixed = at.key.strip_prefix("zookeeper.").filter(|name| keys::find_in_file(name).is_some());
    match prefixed {
        Some(name) if in_file => Note::warn(format!(
            "{at} has no effect, in Java neither: in the file the prefix zookeeper. is left out, the key is {name}"
        )),
        _ => Note::warn(format!("{at} is unknown and has no effect; check its spelling")),
    }
}

/// A known name in the place where Java does not look for it.
fn misplaced(at: &Setting, row: &keys::Key, in_file: bool) -> Option<Note> {
    match row.class {
        Class::Property if in_file => {
            let name = row.name.strip_suffix('*').map_or(row.name, |_| at.key.as_str());
            let text =
                format!("{at} has no effect in the file, in Java neither: start with -D{name}={}", at.value);
            Some(Note::warn(text))
        }
        Class::File if !in_file => {
            let text = format!(
                "{at} has no effect as a property, in Java neither: write {} into the file",
                row.name
            );
            Some(Note::warn(text))
        }
        Class::File | Class::Both | Class::Property => None,
    }
}
