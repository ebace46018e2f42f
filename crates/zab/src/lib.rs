//! Agreement: which transactions are committed, and in which order.
//!
//! This build knows one kind of ensemble, that of a single voter, whose own disk is the quorum. Election,
//! discovery, synchronization and the followers' side of broadcast have their place beside [`Broadcast`]: each
//! phase is a type of its own that takes events and returns what to do (ARCHITECTURE.md, "Agreement").
#![no_std]

mod broadcast;

pub use broadcast::{Broadcast, Violation};
