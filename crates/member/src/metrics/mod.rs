//! What a member counts about itself, under ZooKeeper's own names.
//!
//! One [`Registry`] holds every metric of Apache ZooKeeper 3.9.5 as a plain field. The code that sees something
//! happen writes it there (`registry.commit_count.inc()`), and everything an operator reads comes out of
//! [`Registry::visit`]: `mntr`, the AdminServer, the Prometheus endpoint. Gauges are not kept here: they are facts
//! about the present and are asked for when somebody wants to see them.
//!
//! The types are not atomic. One thread owns a registry; a member with several threads gives each its own.
//!
//! Source: `org.apache.zookeeper.server.ServerMetrics`, `org.apache.zookeeper.metrics.impl.DefaultMetricsProvider`.

mod keyed;
mod percentile;
mod registry;
mod server_stats;
mod summary;

pub use keyed::{CounterSet, Keyed, OTHERS, PercentileSet, Reset, SummarySet};
pub use percentile::{PercentileSummary, SAMPLES_MAX};
pub use registry::{Kind, Metric, Registry, Value};
pub use server_stats::{BufferStats, ServerStats};
pub use summary::{Counter, Summary, average};
