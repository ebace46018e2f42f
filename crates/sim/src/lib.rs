//! Whole ensembles on one thread: virtual time, network and disks, invariants, scenarios.
//!
//! The members are those that ship, with their real frames, log files and snapshots; what is simulated is everything they
//! cannot name: time, sockets, the disk, chance. A run follows from its seed alone, so that it can be had again.

pub mod client;
pub mod evidence;
pub mod heard;
pub mod invariants;
pub mod machine;
pub mod model;
pub mod net;
pub mod outside;
#[cfg(mutants)]
pub mod plants;
pub mod rng;
pub mod scenario;
pub mod setup;
pub mod swarm;
pub mod trace;
pub mod wire;
pub mod world;
