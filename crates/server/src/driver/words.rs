//! Answers to four-letter words, out of the member and the machine.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use admin::status::{
    Bucket, ConfigView, Connection, ConnectionExpiry, DirectorySizes, EnsembleConfig, EnsembleGauges,
    Environment, Gauges, GlobalSessions, LeaderGauges, Mode, NamespaceQuota, SessionDump, Status,
    WatchSummary, ZxidDigest,
};
use admin::words::{ANSWER_BYTES_MAX, Word, answer};
use admin::{Item, Serving, Source};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use member::ensemble::{Observation, Role};
use member::metrics::{BufferStats, Registry};
use member::{ConnView, Member, Now, Payloads};
use proto::{SessionId, Sid};

use crate::config::{Config, membership};
use crate::version;

/// Java's default trace mask, which nothing here looks at.
const TRACE_MASK: i64 = 306;

/// What an operator asks about that is not the member's.
pub(super) struct Admin {
    config: Arc<Config>,
    client_address: Option<SocketAddr>,
    started: Now,
    fenced: Option<String>,
    trace_mask: i64,
    /// Since when a quorum follows this member.
    leading_since: Now,
    /// What this member has proposed as a leader.
    proposals: BufferStats,
    /// How often a voter came back with less than it had acknowledged (R15).
    forgotten_histories: u64,
}

impl Admin {
    pub(super) fn new(config: Arc<Config>, client_address: Option<SocketAddr>, started: Now) -> Self {
        Self {
            config,
            client_address,
            started,
            fenced: None,
            trace_mask: TRACE_MASK,
            leading_since: started,
            proposals: BufferStats::default(),
            forgotten_histories: 0,
        }
    }

    /// Takes note of what an operator may ask about later.
    pub(super) fn on_observation(&mut self, observation: &Observation, now: Now) {
        if let Observation::Established { .. } = observation {
            self.leading_since = now;
            self.proposals.reset();
        }
        if let Observation::WentBack { .. } = observation {
            self.forgotten_histories += 1;
        }
    }

    /// A leader's proposals go to its log.
    pub(super) fn on_proposals(&mut self, batch: &Payloads) {
        batch.iter().for_each(|(_, payload)| self.proposals.record(payload.len()));
    }

    /// Writes stand still, and why.
    pub(super) fn fence(&mut self, reason: String) {
        self.fenced = Some(reason);
    }

    /// Writes go on.
    pub(super) fn unfence(&mut self) {
        self.fenced = None;
    }

    pub(super) fn answer(&mut self, member: &mut Member, first: [u8; 4], rest: &[u8], now: Now) -> String {
        let Some(word) = Word::parse(first) else { return String::new() };
        tracing::debug!(word = word.name(), "four-letter word");
        if let Some(refusal) = self.config.four_letter_whitelist.refusal(word) {
            return refusal;
        }
        answer(word, rest, &mut View { admin: self, member, now }, ANSWER_BYTES_MAX)
    }

    fn sizes(&self) -> DirectorySizes {
        let of = |dir: &std::path::Path| directory_bytes(&dir.join("version-2"));
        DirectorySizes { data_bytes: of(&self.config.data_dir), log_bytes: of(&self.config.data_log_dir) }
    }

    fn ensemble(&self) -> Option<EnsembleConfig> {
        let Config { ensemble, membership, .. } = &*self.config;
        let ensemble = ensemble.as_ref()?;
        let me = membership.members.get(&ensemble.my_id)?;
        Some(EnsembleConfig {
            init_limit: ensemble.init_limit,
            sync_limit: ensemble.sync_limit,
            election_ports: me.addresses.iter().map(|at| at.election_port).collect(),
            quorum_ports: me.addresses.iter().map(|at| at.quorum_port).collect(),
            observer: me.role == membership::Role::Observer,
            membership: membership.to_string(),
        })
    }

    fn unsafe_settings(&self) -> Vec<String> {
        let config = &self.config;
        [(config.skip_acl, "skipACL=yes"), (!config.force_sync, "forceSync=no")]
            .into_iter()
            .filter(|(set, _)| *set)
            .map(|(_, name)| name.to_owned())
            .collect()
    }
}

/// A moment's answerer.
struct View<'a> {
    admin: &'a mut Admin,
    member: &'a mut Member,
    now: Now,
}

impl View<'_> {
    /// Source: `QuorumZooKeeperServer`, `LeaderZooKeeperServer`, `ObserverZooKeeperServer`.
    fn ensemble_gauges(&self) -> Option<EnsembleGauges> {
        self.admin.config.ensemble.as_ref()?;
        let role = self.member.role();
        let voters = self.admin.config.membership.with_role(membership::Role::Participant);
        let learners = self.member.learners();
        let leading_ms = self.now.mono_ms.saturating_sub(self.admin.leading_since.mono_ms);
        let mut leader = LeaderGauges {
            learners: count(learners.len()),
            pending_syncs: count(self.member.pending_syncs()),
            uptime: Duration::from_millis(leading_ms),
            ..LeaderGauges::default()
        };
        let mut synced_observers = 0;
        for learner in learners.iter().filter(|learner| learner.is_synced) {
            if learner.is_observer {
                synced_observers += 1;
            } else {
                leader.synced_followers += 1;
                leader.synced_non_voting_followers += u64::from(!learner.counts);
            }
        }
        let is_leader = role == Role::Leading;
        let state = match role {
            Role::Leading => "leading",
            Role::Observing => "observing",
            Role::Following | Role::Looking | Role::Standalone => "following",
        };
        let master = self.member.leader().unwrap_or(Sid(-1));
        Some(EnsembleGauges {
            // Only who serves is asked, and who serves is that far.
            peer_state: format!("{state} - broadcast"),
            quorum_size: count(voters.count()),
            observer_master_id: (role == Role::Observing).then_some(master),
            synced_observers: is_leader.then_some(synced_observers),
            leader: is_leader.then_some(leader),
        })
    }

    /// A moment of the monotonic clock as Java prints dates, and in milliseconds since 1970.
    fn wall(&self, mono_ms: u64) -> (String, i64) {
        let ahead = i64::try_from(mono_ms).unwrap_or(i64::MAX) - i64::try_from(self.now.mono_ms).unwrap_or(0);
        let wall_ms = self.now.wall_ms.saturating_add(ahead);
        let text = Timestamp::from_millisecond(wall_ms)
            .map(|at| at.to_zoned(TimeZone::system()).strftime("%a %b %d %H:%M:%S %Z %Y").to_string())
            .unwrap_or_default();
        (text, wall_ms)
    }
}

impl Source for View<'_> {
    fn serving(&self) -> Serving {
        if self.member.is_serving() { Serving::ReadWrite } else { Serving::No }
    }

    fn status(&mut self) -> Status {
        let (front, core) = (self.member.front(), self.member.core());
        Status {
            version: version::ZOOKEEPER_VERSION.to_owned(),
            mode: match self.member.role() {
                Role::Standalone => Mode::Standalone,
                Role::Leading => Mode::Leader,
                Role::Observing => Mode::Observer,
                // Who looks serves nobody, and is not asked.
                Role::Following | Role::Looking => Mode::Follower,
            },
            stats: front.stats.clone(),
            connections: count(front.connections()),
            outstanding: count(front.outstanding()),
            zxid: core.tree().last_zxid(),
            znode_count: core.tree().node_count(),
            uptime: Duration::from_millis(self.now.mono_ms.saturating_sub(self.admin.started.mono_ms)),
            proposals: (self.member.role() == Role::Leading).then_some(self.admin.proposals),
            fenced: self.admin.fenced.clone(),
            unsafe_settings: self.admin.unsafe_settings(),
            forgotten_histories: self.admin.forgotten_histories,
        }
    }

    fn gauges(&mut self) -> Gauges {
        let (front, tree) = (self.member.front(), self.member.core().tree());
        let quotas = tree.quotas().map(|quota| NamespaceQuota {
            namespace: quota.prefix.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned(),
            count_limit: quota.limits.count,
            bytes_limit: quota.limits.bytes,
            count_usage: quota.usage.count,
            bytes_usage: quota.usage.bytes,
        });
        Gauges {
            watch_count: count(front.watch_count()),
            ephemerals_count: count(tree.ephemerals_count()),
            approximate_data_size: tree.approximate_data_size(),
            global_sessions: count(self.member.core().clock().len()),
            local_sessions: 0,
            open_file_descriptor_count: open_descriptors(),
            max_file_descriptor_count: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
            connection_drop_probability: front.connection_drop_probability(),
            outstanding_tls_handshake: 0,
            quotas: quotas.collect(),
            ensemble: self.ensemble_gauges(),
        }
    }

    fn registry(&self) -> &Registry {
        &self.member.core().metrics
    }

    fn configuration(&mut self) -> ConfigView {
        let config = &self.admin.config;
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let dir = |dir: &std::path::Path| dir.join("version-2").display().to_string();
        ConfigView {
            client_port: self.admin.client_address.map(|address| address.port()),
            secure_client_port: None,
            data_dir: dir(&config.data_dir),
            data_log_dir: dir(&config.data_log_dir),
            sizes: self.admin.sizes(),
            tick_time: millis(config.tick_time),
            max_client_cnxns: config.max_client_cnxns,
            min_session_timeout: millis(config.min_session_timeout),
            max_session_timeout: millis(config.max_session_timeout),
            client_port_listen_backlog: config
                .client_port_listen_backlog
                .and_then(|backlog| i32::try_from(backlog).ok())
                .unwrap_or(-1),
            server_id: Sid(config.server_id),
            ensemble: self.admin.ensemble(),
        }
    }

    fn directory_sizes(&mut self) -> DirectorySizes {
        self.admin.sizes()
    }

    fn environment(&mut self) -> Environment {
        environment()
    }

    fn connections(&mut self, each: &mut dyn FnMut(&Connection) -> ControlFlow<()>) {
        for view in self.member.front().views() {
            if each(&connection(&view)).is_break() {
                return;
            }
        }
    }

    fn sessions(&mut self) -> SessionDump {
        if matches!(self.member.role(), Role::Following | Role::Observing) {
            let known = self.member.core().tree().sessions().iter();
            let known =
                known.map(|(&session, &timeout_ms)| (session, u32::try_from(timeout_ms).unwrap_or(0)));
            return SessionDump { local: None, global: GlobalSessions::Known(known.collect()) };
        }
        let buckets = self.member.core().clock().by_expiry().into_iter().map(|(mono_ms, members)| {
            let (expires_at, expires_at_ms) = self.wall(mono_ms);
            Bucket { expires_at, expires_at_ms, members }
        });
        SessionDump { local: None, global: GlobalSessions::Tracked(buckets.collect()) }
    }

    fn sessions_with_ephemerals(&mut self) -> usize {
        self.member.core().tree().sessions_with_ephemerals().count()
    }

    fn ephemerals(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        let tree = self.member.core().tree();
        let mut path = String::new();
        for session in tree.sessions_with_ephemerals() {
            if each(Item::Session(session)).is_break() {
                return;
            }
            for id in tree.ephemerals(session) {
                path.clear();
                tree.node(id).write_path(&mut path);
                if each(Item::Path(&path)).is_break() {
                    return;
                }
            }
        }
    }

    fn connection_expiry(&mut self) -> Option<Vec<Bucket<ConnectionExpiry>>> {
        let (expires_at, expires_at_ms) = self.wall(self.now.mono_ms);
        let members: Vec<ConnectionExpiry> = self
            .member
            .front()
            .views()
            .map(|view| ConnectionExpiry { address: view.peer, session: view.session })
            .collect();
        Some(if members.is_empty() {
            Vec::new()
        } else {
            vec![Bucket { expires_at, expires_at_ms, members }]
        })
    }

    fn watch_summary(&mut self) -> WatchSummary {
        let summary = self.member.front().watch_summary(self.member.core().tree());
        WatchSummary {
            connections: count(summary.connections),
            paths: count(summary.paths),
            watches: count(summary.total),
        }
    }

    fn watches_by_session(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        let by_path = self.member.front().watches_by_path(self.member.core().tree());
        let mut by_session = std::collections::BTreeMap::<SessionId, Vec<&str>>::new();
        for (path, sessions) in &by_path {
            for session in sessions {
                by_session.entry(*session).or_default().push(path);
            }
        }
        for (session, paths) in by_session {
            let items = std::iter::once(Item::Session(session)).chain(paths.into_iter().map(Item::Path));
            if items.map(&mut *each).any(|flow| flow.is_break()) {
                return;
            }
        }
    }

    fn watches_by_path(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        for (path, sessions) in self.member.front().watches_by_path(self.member.core().tree()) {
            let items = std::iter::once(Item::Path(&path)).chain(sessions.into_iter().map(Item::Session));
            if items.map(&mut *each).any(|flow| flow.is_break()) {
                return;
            }
        }
    }

    fn digests(&mut self) -> Vec<ZxidDigest> {
        let log = self.member.core().tree().digest_log();
        log.map(|(zxid, digest)| ZxidDigest { zxid, digest: digest.cast_signed(), version: 2 }).collect()
    }

    fn trace_mask(&self) -> i64 {
        self.admin.trace_mask
    }

    fn set_trace_mask(&mut self, mask: i64) {
        self.admin.trace_mask = mask;
    }

    fn reset_connection_stats(&mut self) {
        self.member.front_mut().reset_connection_stats();
    }

    fn reset_server_stats(&mut self) {
        self.admin.proposals.reset();
        self.member.front_mut().stats.reset();
        self.member.core_mut().metrics.reset();
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn connection(view: &ConnView<'_>) -> Connection {
    let stats = view.stats;
    let millis = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let interest_ops = match (view.closing, view.has_output) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 5,
    };
    Connection {
        address: view.peer,
        interest_ops,
        secure: false,
        queued: count(view.queued),
        received: stats.received,
        sent: stats.sent,
        session: view.session,
        last_operation: stats.last_op,
        established_ms: stats.established_ms,
        timeout_ms: view.timeout_ms,
        last_cxid: stats.last_cxid,
        last_zxid: stats.last_zxid,
        last_response_ms: millis(stats.last_response_ms),
        latency_last_ms: millis(stats.last_latency_ms),
        latency_min_ms: if stats.answers == 0 { 0 } else { millis(stats.min_latency_ms) },
        latency_avg_ms: millis(stats.total_latency_ms.checked_div(stats.answers).unwrap_or(0)),
        latency_max_ms: millis(stats.max_latency_ms),
    }
}

fn open_descriptors() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    Some(count(entries.count()))
}

fn environment() -> Environment {
    let system = rustix::system::uname();
    let text = |value: &std::ffi::CStr| Some(value.to_string_lossy().into_owned());
    let variable = |name: &str| std::env::var(name).ok();
    Environment {
        version: Some(version::ZOOKEEPER_VERSION.to_owned()),
        host_name: text(system.nodename()),
        temporary_dir: Some(std::env::temp_dir().display().to_string()),
        os_name: text(system.sysname()),
        os_arch: text(system.machine()),
        os_version: text(system.release()),
        user_name: variable("USER").or_else(|| variable("LOGNAME")),
        user_home: variable("HOME"),
        user_dir: std::env::current_dir().ok().map(|dir| dir.display().to_string()),
        memory_total: resident_text(),
        ..Environment::default()
    }
}

/// What the process holds in memory, as Java prints megabytes.
fn resident_text() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(format!("{}MB", kilobytes / 1024))
}

/// The sum of the files in a directory, for `dirs` and `conf`.
fn directory_bytes(dir: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Zxid;

    #[test]
    fn what_a_voter_forgot_is_counted_and_told() {
        let now = crate::clock::Clock::start().now();
        let mut admin = Admin::new(Arc::new(Config::with_defaults(0, "/".into())), None, now);
        let mut member = crate::testing::member();
        let mut told = |admin: &mut Admin| {
            let text = admin.answer(&mut member, *b"srvr", b"", now);
            text.lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(told(&mut admin), "Node count: 5");
        let (last, acked) = (Zxid(0x1_0000_0001), Zxid(0x1_0000_0002));
        for sid in [1, 3] {
            admin.on_observation(&Observation::WentBack { sid: Sid(sid), last, acked }, now);
        }
        assert_eq!(told(&mut admin), "Forgotten histories: 2");
    }
}
