//! The outside world: sockets, threads, clock, disk, configuration.

#[cfg(mutants)]
compile_error!(
    "nothing that ships can be told to make a mistake: `--cfg mutants` is for the simulator alone"
);

mod background;
mod baton;
pub mod clock;
pub mod config;
pub mod disk;
pub mod driver;
mod ensemble;
mod limits;
pub mod log_reader;
pub mod log_thread;
pub mod logging;
mod low_water;
pub mod memory;
mod options;
pub mod probe;
pub mod start;
#[cfg(test)]
mod testing;
pub mod version;

pub use member::history;
