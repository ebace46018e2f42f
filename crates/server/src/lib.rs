//! The outside world: sockets, threads, clock, disk, configuration.

pub mod clock;
pub mod config;
pub mod disk;
pub mod driver;
pub mod history;
mod limits;
pub mod log_thread;
pub mod logging;
pub mod probe;
pub mod standalone;
pub mod version;
