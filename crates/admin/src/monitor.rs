//! The long list of `mntr`, as pairs that any rendering can use.
//!
//! Source: `ZooKeeperServer#dumpMonitorValues`, `DefaultMetricsProvider#dump`, `ZooKeeperServer#registerMetrics`.
//! Apache prints each kind of metric in the order of its hash tables; here it is the order of the table.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::time::Duration;

use member::metrics::{PercentileSummary, Registry, Summary, Value};

use crate::java::Double;
use crate::status::{EnsembleGauges, Gauges, NamespaceQuota, Status};

/// A value of `mntr`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shown<'a> {
    /// A word or a sentence.
    Text(&'a str),
    /// What cannot be negative.
    Count(u64),
    /// What can.
    Integer(i64),
    /// What Java holds as a double and therefore prints with a fraction.
    Decimal(f64),
}

/// As `mntr` prints it.
impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Decimal(decimal) => write!(f, "{}", Double(decimal)),
        }
    }
}

/// Takes a key, without the prefix `zk_`, and its value.
pub type Sink<'a> = dyn FnMut(&str, Shown<'_>) + 'a;

/// Shows everything `mntr` shows, in its order.
pub fn monitor(status: &Status, gauges: &Gauges, registry: &Registry, sink: &mut Sink<'_>) {
    sink("version", Shown::Text(&status.version));
    sink("server_state", Shown::Text(&status.mode.to_string()));
    if let Some(ensemble) = &gauges.ensemble {
        sink("peer_state", Shown::Text(&ensemble.peer_state));
        if let Some(master) = ensemble.observer_master_id {
            sink("observer_master_id", Shown::Integer(master.0));
        }
    }
    server_gauges(status, gauges, sink);
    if let Some(ensemble) = &gauges.ensemble {
        ensemble_gauges(status, ensemble, sink);
    }
    quota_gauges(&gauges.quotas, sink);
    registry.visit(&mut |metric, value| show_metric(metric.name, value, sink));
    trouble(status, sink);
}

fn server_gauges(status: &Status, gauges: &Gauges, sink: &mut Sink<'_>) {
    let stats = &status.stats;
    sink("avg_latency", Shown::Decimal(stats.latency.average()));
    sink("max_latency", Shown::Integer(stats.latency.max()));
    sink("min_latency", Shown::Integer(stats.latency.min()));
    sink("packets_received", Shown::Count(stats.packets_received));
    sink("packets_sent", Shown::Count(stats.packets_sent));
    sink("num_alive_connections", Shown::Count(status.connections));
    sink("outstanding_requests", Shown::Count(status.outstanding));
    sink("uptime", millis(status.uptime));
    sink("znode_count", Shown::Count(status.znode_count));
    sink("watch_count", Shown::Count(gauges.watch_count));
    sink("ephemerals_count", Shown::Count(gauges.ephemerals_count));
    sink("approximate_data_size", Shown::Count(gauges.approximate_data_size));
    sink("global_sessions", Shown::Count(gauges.global_sessions));
    sink("local_sessions", Shown::Count(gauges.local_sessions));
    for (key, count) in [
        ("open_file_descriptor_count", gauges.open_file_descriptor_count),
        ("max_file_descriptor_count", gauges.max_file_descriptor_count),
    ] {
        // Java shows -1 where the system does not tell.
        sink(key, count.map_or(Shown::Integer(-1), Shown::Count));
    }
    sink("connection_drop_probability", Shown::Decimal(gauges.connection_drop_probability));
    sink("last_client_response_size", Shown::Integer(stats.client_response.last));
    sink("max_client_response_size", Shown::Integer(stats.client_response.max));
    sink("min_client_response_size", Shown::Integer(stats.client_response.min));
    sink("outstanding_tls_handshake", Shown::Count(gauges.outstanding_tls_handshake));
    sink("auth_failed_count", Shown::Count(stats.auth_failed_count));
    sink("non_mtls_remote_conn_count", Shown::Count(stats.non_mtls_remote_conn_count));
    sink("non_mtls_local_conn_count", Shown::Count(stats.non_mtls_local_conn_count));
}

fn ensemble_gauges(status: &Status, ensemble: &EnsembleGauges, sink: &mut Sink<'_>) {
    sink("quorum_size", Shown::Count(ensemble.quorum_size));
    if let Some(observers) = ensemble.synced_observers {
        sink("synced_observers", Shown::Count(observers));
    }
    if let Some(leader) = &ensemble.leader {
        sink("learners", Shown::Count(leader.learners));
        sink("synced_followers", Shown::Count(leader.synced_followers));
        sink("synced_non_voting_followers", Shown::Count(leader.synced_non_voting_followers));
        sink("pending_syncs", Shown::Count(leader.pending_syncs));
        sink("leader_uptime", millis(leader.uptime));
    }
    if let Some(sizes) = status.proposals {
        sink("last_proposal_size", Shown::Integer(sizes.last));
        sink("max_proposal_size", Shown::Integer(sizes.max));
        sink("min_proposal_size", Shown::Integer(sizes.min));
    }
}

fn quota_gauges(quotas: &[NamespaceQuota], sink: &mut Sink<'_>) {
    for quota in quotas {
        for (name, value) in [
            ("quota_count_limit_per_namespace", quota.count_limit),
            ("quota_bytes_limit_per_namespace", quota.bytes_limit),
            ("quota_count_usage_per_namespace", quota.count_usage),
            ("quota_bytes_usage_per_namespace", quota.bytes_usage),
        ] {
            sink(&format!("{}_{name}", quota.namespace), Shown::Integer(value));
        }
    }
}

fn show_metric(name: &str, value: Value<'_>, sink: &mut Sink<'_>) {
    let of_key = |key: &str| format!("{key}_{name}");
    match value {
        Value::Counter(counter) => sink(name, Shown::Count(counter.get())),
        Value::CounterSet(set) => {
            set.iter().for_each(|(key, counter)| sink(&of_key(key), Shown::Count(counter.get())));
        }
        Value::Summary(summary) => show_summary(name, summary, sink),
        Value::PercentileSummary(summary) => show_percentiles(name, summary, sink),
        Value::SummarySet(set) => {
            set.iter().for_each(|(key, summary)| show_summary(&of_key(key), summary, sink));
        }
        Value::PercentileSet(set) => {
            set.iter().for_each(|(key, summary)| show_percentiles(&of_key(key), summary, sink));
        }
    }
}

fn show_summary(name: &str, summary: &Summary, sink: &mut Sink<'_>) {
    sink(&prefixed("avg", name), Shown::Decimal(summary.average()));
    sink(&prefixed("min", name), Shown::Integer(summary.min()));
    sink(&prefixed("max", name), Shown::Integer(summary.max()));
    sink(&prefixed("cnt", name), Shown::Count(summary.count()));
    sink(&prefixed("sum", name), Shown::Integer(summary.sum()));
}

fn show_percentiles(name: &str, summary: &PercentileSummary, sink: &mut Sink<'_>) {
    show_summary(name, summary.summary(), sink);
    let quantiles = summary.quantiles([500, 950, 990, 999]);
    for (prefix, quantile) in ["p50", "p95", "p99", "p999"].into_iter().zip(quantiles) {
        sink(&prefixed(prefix, name), Shown::Integer(quantile));
    }
}

/// What Apache has no key for. Nothing while all is well, so that the list is Apache's then.
fn trouble(status: &Status, sink: &mut Sink<'_>) {
    if let Some(reason) = &status.fenced {
        sink("fenced", Shown::Text(reason));
    }
    if !status.unsafe_settings.is_empty() {
        sink("unsafe_settings", Shown::Text(&status.unsafe_settings.join(", ")));
    }
    if status.forgotten_histories > 0 {
        sink("forgotten_history_count", Shown::Count(status.forgotten_histories));
    }
}

fn prefixed(prefix: &str, name: &str) -> String {
    format!("{prefix}_{name}")
}

fn millis(duration: Duration) -> Shown<'static> {
    Shown::Count(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
