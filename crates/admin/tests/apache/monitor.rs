//! `mntr`, against what Apache printed in each role.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::server::{Fake, ask, feed, golden, pairs, sizes, status, summary};
use admin::status::{EnsembleGauges, Gauges, LeaderGauges, Mode, NamespaceQuota, Status};
use admin::words::Word;
use member::metrics::Registry;
use proto::Sid;

macro_rules! feed_summaries {
    ($feeding:ident: $($name:ident),*) => {$(
        let mut summary = core::mem::take(&mut $feeding.registry.$name);
        $feeding.feed(stringify!($name), &mut |value| summary.add(value));
        $feeding.registry.$name = summary;
    )*};
}
fn mntr(status: Status, gauges: Gauges, registry: Registry) -> String {
    let mut server = Fake::new();
    server.status = Some(status);
    server.gauges = Some(gauges);
    server.registry = Some(registry);
    ask(Word::Mntr, &mut server)
}

fn keys(text: &str) -> Vec<String> {
    pairs(text).into_keys().collect()
}

fn ensemble(peer_state: &str) -> EnsembleGauges {
    EnsembleGauges {
        peer_state: peer_state.into(),
        quorum_size: 2,
        observer_master_id: None,
        synced_observers: None,
        leader: None,
    }
}

/// Namespaces and learners come into being with their first value.
fn with_keys(namespaces: &[&str], read: &[&str], learners: &[&str]) -> Registry {
    let mut registry = Registry::default();
    for namespace in namespaces {
        registry.write_per_namespace.at(namespace).add(1);
    }
    for namespace in read {
        registry.read_per_namespace.at(namespace).add(1);
    }
    for learner in learners {
        registry.learner_handler_qp_size.at(learner).add(1);
        registry.learner_handler_qp_time_ms.at(learner).add(1);
    }
    registry
}

#[test]
fn an_unused_server_shows_apaches_lines() {
    let mut status = status(Mode::Standalone, 0);
    status.stats.packets_received = 5;
    status.stats.packets_sent = 4;
    status.uptime = Duration::from_millis(231);
    let gauges = Gauges {
        approximate_data_size: 44,
        open_file_descriptor_count: Some(54),
        max_file_descriptor_count: Some(20000),
        ..Gauges::default()
    };
    let apache = golden("fresh/mntr");
    let mut feeding = Feeding { apache: pairs(&apache), registry: Registry::default() };
    feeding.start();
    feeding.registry.bytes_received_count.add(20);
    feeding.registry.prep_processor_queue_size.add(0);
    feeding.registry.sync_processor_queue_size.add(0);
    let ours = mntr(status, gauges, feeding.registry);
    assert_eq!(pairs(&ours), pairs(&apache));
    assert_eq!(ours.lines().count(), apache.lines().count(), "no key twice");
    // Who reads only the head finds it.
    let head = |text: &str| text.lines().take(2).map(String::from).collect::<Vec<_>>();
    assert_eq!(head(&ours), head(&apache));
}

/// Fills our registry with the numbers Apache has shown.
struct Feeding {
    apache: BTreeMap<String, String>,
    registry: Registry,
}

impl Feeding {
    fn number(&self, key: &str) -> i64 {
        self.apache[&format!("zk_{key}")].parse().unwrap()
    }

    fn feed(&self, name: &str, add: &mut dyn FnMut(i64)) {
        let [min, max, sum, count] =
            ["min", "max", "sum", "cnt"].map(|kind| self.number(&format!("{kind}_{name}")));
        feed(min, max, sum, count, add);
    }

    /// What every start leaves behind.
    fn start(&mut self) {
        feed_summaries!(self: dbinittime, startup_snap_load_time, snapshottime);
    }
}

#[test]
fn a_used_server_shows_apaches_numbers() {
    let apache = golden("standalone/mntr");
    let mut feeding = Feeding { apache: pairs(&apache), registry: Registry::default() };
    feeding.start();
    feed_counters(&mut feeding);
    feed_work(&mut feeding);
    feed_namespaces(&mut feeding);
    let (mut status, gauges) = used_server(&feeding);
    status.uptime = Duration::from_millis(1788);
    let ours = mntr(status, gauges, feeding.registry);
    // The sample is not known, only its extremes; percentiles have a test of their own.
    let without_percentiles = |text: &str| {
        let mut pairs = pairs(text);
        pairs
            .retain(|key, _| !key.starts_with("zk_p") || !key[4..].starts_with(|c: char| c.is_ascii_digit()));
        pairs
    };
    assert_eq!(keys(&ours), keys(&apache));
    assert_eq!(without_percentiles(&ours), without_percentiles(&apache));
}

fn feed_counters(feeding: &mut Feeding) {
    macro_rules! counters {
        ($($name:ident),*) => {$(
            let count = feeding.number(stringify!($name));
            feeding.registry.$name.add(count.try_into().unwrap());
        )*};
    }
    counters!(response_packet_cache_hits, response_packet_cache_misses, bytes_received_count, response_bytes);
    counters!(prep_processor_request_queued, sync_processor_request_queued, connection_request_count);
    counters!(outstanding_changes_queued, outstanding_changes_removed);
}

fn feed_work(feeding: &mut Feeding) {
    feed_summaries!(feeding: proposal_process_time, connection_token_deficit, sync_processor_queue_size);
    feed_summaries!(feeding: prep_processor_queue_size, fsynctime, prep_process_time, sync_processor_batch_size);
    feed_summaries!(feeding: sync_process_time, prep_processor_queue_time_ms, updatelatency, readlatency);
    feed_summaries!(feeding: request_throttle_queue_time_ms, sync_processor_queue_and_flush_time_ms);
    feed_summaries!(feeding: propagation_latency, sync_processor_queue_time_ms, sync_processor_queue_flush_time_ms);
}

fn feed_namespaces(feeding: &mut Feeding) {
    let mut registry = core::mem::take(&mut feeding.registry);
    let read = registry.read_per_namespace.at("w");
    feeding.feed("w_read_per_namespace", &mut |value| read.add(value));
    for namespace in ["q", "w", "zookeeper"] {
        let written = registry.write_per_namespace.at(namespace);
        feeding.feed(&format!("{namespace}_write_per_namespace"), &mut |value| written.add(value));
    }
    registry.quota_exceeded_error_per_namespace.at("q").inc();
    feeding.registry = registry;
}

fn used_server(feeding: &Feeding) -> (Status, Gauges) {
    let mut status = status(Mode::Standalone, 0x134);
    let requests = |kind: &str| {
        feeding.number(&format!("{kind}_readlatency")) + feeding.number(&format!("{kind}_updatelatency"))
    };
    status.stats.latency = summary(0, 12, requests("sum"), requests("cnt"));
    status.stats.packets_received = 632;
    status.stats.packets_sent = 632;
    status.stats.client_response = sizes(27, 16, 92);
    status.connections = 2;
    status.znode_count = 11;
    let quota = NamespaceQuota {
        namespace: "q".into(),
        count_limit: 1,
        bytes_limit: 6000,
        count_usage: 1,
        bytes_usage: 0,
    };
    let gauges = Gauges {
        watch_count: 3,
        ephemerals_count: 1,
        approximate_data_size: 215,
        global_sessions: 1,
        open_file_descriptor_count: Some(56),
        max_file_descriptor_count: Some(20000),
        quotas: vec![quota],
        ..Gauges::default()
    };
    (status, gauges)
}

#[test]
fn every_role_has_apaches_keys() {
    let ours = |mode, gauges: Option<EnsembleGauges>, registry| {
        let mut status = status(mode, 0);
        status.proposals = (mode == Mode::Leader).then(|| sizes(438, 48, 438));
        keys(&mntr(status, Gauges { ensemble: gauges, ..Gauges::default() }, registry))
    };
    let leader = EnsembleGauges {
        synced_observers: Some(1),
        leader: Some(LeaderGauges::default()),
        ..ensemble("leading - broadcast")
    };
    let observer = EnsembleGauges { observer_master_id: Some(Sid(2)), ..ensemble("observing - broadcast") };
    let both = ["w", "zookeeper"];
    assert_eq!(
        ours(Mode::Leader, Some(leader), with_keys(&both, &[], &["1", "3"])),
        keys(&golden("leader/mntr"))
    );
    let follower = ensemble("following - broadcast");
    assert_eq!(
        ours(Mode::Follower, Some(follower), with_keys(&both, &[], &[])),
        keys(&golden("follower/mntr"))
    );
    assert_eq!(
        ours(Mode::Observer, Some(observer), with_keys(&both, &[], &[])),
        keys(&golden("observer/mntr"))
    );
    let registry = with_keys(&["zookeeper"], &[], &[]);
    assert_eq!(ours(Mode::ReadOnly, None, registry), keys(&golden("read-only/mntr")));
}

#[test]
fn keys_outlive_a_reset() {
    let mut registry = with_keys(&["q", "w", "zookeeper"], &["w"], &[]);
    registry.quota_exceeded_error_per_namespace.at("q").inc();
    registry.reset();
    let (status, gauges) =
        used_server(&Feeding { apache: pairs(&golden("standalone/mntr")), registry: Registry::default() });
    assert_eq!(keys(&mntr(status, gauges, registry)), keys(&golden("standalone/mntr-after-srst")));
}

#[test]
fn trouble_adds_lines_at_the_end() {
    let mut troubled = status(Mode::Standalone, 0);
    troubled.fenced = Some("disk full: 0 bytes left on /data".into());
    troubled.unsafe_settings = vec!["forceSync=no".into(), "skipACL=yes".into()];
    troubled.forgotten_histories = 2;
    let text = mntr(troubled, Gauges::default(), Registry::default());
    assert!(text.ends_with(
        "zk_fenced\tdisk full: 0 bytes left on /data\nzk_unsafe_settings\tforceSync=no, skipACL=yes\n\
         zk_forgotten_history_count\t2\n"
    ));
}
