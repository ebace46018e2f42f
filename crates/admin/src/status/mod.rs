//! The plain values a server fills in when it is asked about itself.
//!
//! They carry no behaviour but their text forms. Times of day come as finished text, because only the server knows
//! the time zone; everything else is a number with its unit in the name or the documentation.

mod configuration;
mod connection;
mod dump;
mod environment;
mod gauges;
mod server;

pub use configuration::{ConfigView, DirectorySizes, EnsembleConfig};
pub use connection::Connection;
pub use dump::{Bucket, ConnectionExpiry, GlobalSessions, SessionDump, WatchSummary, ZxidDigest};
pub use environment::Environment;
pub use gauges::{EnsembleGauges, Gauges, LeaderGauges, NamespaceQuota};
pub use server::{Mode, Status};
