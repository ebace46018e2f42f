//! The outside world: sockets, threads, clock, disk, configuration.

pub mod clock;
pub mod config;
pub mod disk;
pub mod driver;
mod ensemble;
pub mod history;
mod limits;
pub mod log_reader;
pub mod log_thread;
pub mod logging;
mod options;
pub mod probe;
pub mod start;
pub mod version;
