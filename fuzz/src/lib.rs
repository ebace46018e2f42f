//! One function for each port and each kind of file: it takes any bytes, and must neither panic nor take more memory
//! than a small multiple of them.
//!
//! Beyond that each holds what it decodes to a promise: what was read is written again to something that reads the
//! same; what the core logs, a second tree applies to the same digest; what a tree shows in a snapshot, the store
//! reads back.

mod client;
mod config;
mod files;
mod pieces;
mod ports;
mod requests;
mod txns;
mod words;

pub use client::client_port;
pub use config::{properties, zoo_cfg};
pub use files::{epoch_file, log_file, snapshot_file, snapshot_stream};
pub use ports::{election_port, quorum_port};
pub use txns::txn_payload;
pub use words::four_letter;

/// A function to call with any bytes.
pub type Target = fn(&[u8]);

/// Every function by its name, which is also that of its program and of its seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("client_port", client_port),
    ("quorum_port", quorum_port),
    ("election_port", election_port),
    ("log_file", log_file),
    ("snapshot_file", snapshot_file),
    ("snapshot_stream", snapshot_stream),
    ("epoch_file", epoch_file),
    ("txn_payload", txn_payload),
    ("zoo_cfg", zoo_cfg),
    ("properties", properties),
    ("four_letter", four_letter),
];
