//! The outside world: sockets, threads, clock, disk, configuration.

pub mod config;
pub mod probe;
pub mod version;
