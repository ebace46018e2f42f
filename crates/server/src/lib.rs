//! The outside world: sockets, threads, clock, disk, configuration.

pub mod config;
pub mod disk;
pub mod probe;
pub mod version;
