//! The text of each word.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::Display;

use proto::{SessionId, Sid};

use super::answer::Answer;
use crate::java::{Address, Double};
use crate::monitor;
use crate::source::{Item, Source};
use crate::status::{
    Bucket, ConfigView, DirectorySizes, EnsembleConfig, Environment, GlobalSessions, Mode, SessionDump,
    Status, WatchSummary, ZxidDigest,
};

/// Source: `StatCommand`, `ServerStats#toString`.
pub(super) fn srvr(status: &Status, out: &mut Answer) {
    heading(status, out);
    body(status, out);
}

/// `srvr` with the connections in the middle.
pub(super) fn stat(source: &mut dyn Source, out: &mut Answer) {
    let status = source.status();
    heading(&status, out);
    out.line(format_args!("Clients:"));
    source.connections(&mut |connection| {
        out.line(format_args!("{}", connection.brief()));
        out.room()
    });
    out.line(format_args!(""));
    body(&status, out);
}

fn heading(status: &Status, out: &mut Answer) {
    out.line(format_args!("Zookeeper version: {}", status.version));
    if status.mode == Mode::ReadOnly {
        out.line(format_args!("READ-ONLY mode; serving only read-only clients"));
    }
}

fn body(status: &Status, out: &mut Answer) {
    let latency = &status.stats.latency;
    let average = Double(latency.average());
    out.line(format_args!("Latency min/avg/max: {}/{average}/{}", latency.min(), latency.max()));
    out.line(format_args!("Received: {}", status.stats.packets_received));
    out.line(format_args!("Sent: {}", status.stats.packets_sent));
    out.line(format_args!("Connections: {}", status.connections));
    out.line(format_args!("Outstanding: {}", status.outstanding));
    out.line(format_args!("Zxid: {}", status.zxid));
    out.line(format_args!("Mode: {}", status.mode));
    out.line(format_args!("Node count: {}", status.znode_count));
    if let Some(sizes) = status.proposals {
        out.line(format_args!("Proposal sizes last/min/max: {}/{}/{}", sizes.last, sizes.min, sizes.max));
    }
    // Ours, and last, so that whoever reads by line number finds Apache's lines where they always were.
    if let Some(reason) = &status.fenced {
        out.line(format_args!("Fenced: {reason}"));
    }
    if !status.unsafe_settings.is_empty() {
        out.line(format_args!("Unsafe settings: {}", status.unsafe_settings.join(", ")));
    }
    if status.forgotten_histories > 0 {
        out.line(format_args!("Forgotten histories: {}", status.forgotten_histories));
    }
}

/// Source: `ZooKeeperServer#dumpConf`.
pub(super) fn conf(conf: &ConfigView, out: &mut Answer) {
    let port = |port: Option<u16>| port.map_or(-1, i32::from);
    out.line(format_args!("clientPort={}", port(conf.client_port)));
    out.line(format_args!("secureClientPort={}", port(conf.secure_client_port)));
    out.line(format_args!("dataDir={}", conf.data_dir));
    out.line(format_args!("dataDirSize={}", conf.sizes.data_bytes));
    out.line(format_args!("dataLogDir={}", conf.data_log_dir));
    out.line(format_args!("dataLogSize={}", conf.sizes.log_bytes));
    out.line(format_args!("tickTime={}", conf.tick_time));
    out.line(format_args!("maxClientCnxns={}", conf.max_client_cnxns));
    out.line(format_args!("minSessionTimeout={}", conf.min_session_timeout));
    out.line(format_args!("maxSessionTimeout={}", conf.max_session_timeout));
    out.line(format_args!("clientPortListenBacklog={}", conf.client_port_listen_backlog));
    let Sid(server_id) = conf.server_id;
    out.line(format_args!("serverId={server_id}"));
    if let Some(ensemble) = &conf.ensemble {
        ensemble_conf(ensemble, out);
    }
}

fn ensemble_conf(ensemble: &EnsembleConfig, out: &mut Answer) {
    let joined = |ports: &[u16]| {
        let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
        ports.join("|")
    };
    out.line(format_args!("initLimit={}", ensemble.init_limit));
    out.line(format_args!("syncLimit={}", ensemble.sync_limit));
    out.line(format_args!("electionAlg=3"));
    out.line(format_args!("electionPort={}", joined(&ensemble.election_ports)));
    out.line(format_args!("quorumPort={}", joined(&ensemble.quorum_ports)));
    out.line(format_args!("peerType={}", u8::from(ensemble.observer)));
    out.line(format_args!("membership: "));
    out.bare(format_args!("{}", ensemble.membership));
}

/// Source: `ConsCommand`.
pub(super) fn cons(source: &mut dyn Source, out: &mut Answer) {
    source.connections(&mut |connection| {
        out.line(format_args!("{}", connection.long()));
        out.room()
    });
    out.line(format_args!(""));
}

/// Source: `DirsCommand`.
pub(super) fn dirs(sizes: DirectorySizes, out: &mut Answer) {
    out.line(format_args!("datadir_size: {}", sizes.data_bytes));
    out.line(format_args!("logdir_size: {}", sizes.log_bytes));
}

/// Source: `DumpCommand`, `ExpiryQueue#dump`, `DataTree#dumpEphemerals`.
pub(super) fn dump(source: &mut dyn Source, out: &mut Answer) {
    out.line(format_args!("SessionTracker dump:"));
    sessions(&source.sessions(), out);
    out.line(format_args!("ephemeral nodes dump:"));
    out.line(format_args!("Sessions with Ephemerals ({}):", source.sessions_with_ephemerals()));
    source.ephemerals(&mut |item| {
        match item {
            Item::Session(session) => out.line(format_args!("{session}:")),
            Item::Path(path) => out.line(format_args!("\t{path}")),
        }
        out.room()
    });
    out.line(format_args!("Connections dump:"));
    if let Some(expiry) = source.connection_expiry() {
        buckets("Connections", &expiry, out, |connection| {
            let (address, session) = (Address(connection.address), connection.session);
            format!("ip: {address} sessionId: {session}")
        });
    }
}

/// Source: `SessionTrackerImpl#dumpSessions`, and the same of `LeaderSessionTracker` and `LearnerSessionTracker`.
fn sessions(sessions: &SessionDump, out: &mut Answer) {
    let id = |session: &SessionId| *session;
    if let Some(local) = &sessions.local {
        buckets("Local Session", local, out, id);
    }
    match &sessions.global {
        GlobalSessions::Tracked(global) => {
            let title = if sessions.local.is_some() { "Global Session" } else { "Session" };
            buckets(title, global, out, id);
        }
        GlobalSessions::Known(global) => {
            out.line(format_args!("Global Sessions({}):", global.len()));
            for (session, timeout) in global {
                out.line(format_args!("{session}\t{timeout}ms"));
            }
        }
    }
}

fn buckets<T, D: Display>(title: &str, buckets: &[Bucket<T>], out: &mut Answer, text: impl Fn(&T) -> D) {
    let members: usize = buckets.iter().map(|bucket| bucket.members.len()).sum();
    out.line(format_args!("{title} Sets ({})/({members}):", buckets.len()));
    for bucket in buckets {
        out.line(format_args!("{} expire at {}:", bucket.members.len(), bucket.expires_at));
        for member in &bucket.members {
            out.line(format_args!("\t{}", text(member)));
        }
    }
}

/// Source: `EnvCommand`.
pub(super) fn envi(environment: &Environment, out: &mut Answer) {
    out.line(format_args!("Environment:"));
    for (key, value) in environment.entries() {
        out.line(format_args!("{key}={value}"));
    }
}

/// Source: `DigestCommand`, which leaves out the `0x` it has everywhere else.
pub(super) fn hash(digests: &[ZxidDigest], out: &mut Answer) {
    for ZxidDigest { zxid, digest, .. } in digests {
        out.line(format_args!("{:x}: {digest}", zxid.0));
    }
}

/// Source: `MonitorCommand`.
pub(super) fn mntr(source: &mut dyn Source, out: &mut Answer) {
    let (status, gauges) = (source.status(), source.gauges());
    monitor::monitor(&status, &gauges, source.registry(), &mut |key, value| {
        out.line(format_args!("zk_{key}\t{value}"));
    });
}

/// Source: `WatchManager#toString`.
pub(super) fn wchs(summary: WatchSummary, out: &mut Answer) {
    let WatchSummary { connections, paths, watches } = summary;
    out.line(format_args!("{connections} connections watching {paths} paths"));
    out.line(format_args!("Total watches:{watches}"));
}

/// Source: `WatchManager#dumpWatches`.
pub(super) fn wchc(source: &mut dyn Source, out: &mut Answer) {
    source.watches_by_session(&mut |item| {
        match item {
            Item::Session(session) => out.line(format_args!("{session}")),
            Item::Path(path) => out.line(format_args!("\t{path}")),
        }
        out.room()
    });
    out.line(format_args!(""));
}

/// Source: `WatchManager#dumpWatches`.
pub(super) fn wchp(source: &mut dyn Source, out: &mut Answer) {
    source.watches_by_path(&mut |item| {
        match item {
            Item::Path(path) => out.line(format_args!("{path}")),
            Item::Session(session) => out.line(format_args!("\t{session}")),
        }
        out.room()
    });
    out.line(format_args!(""));
}
