//! Agreement: which transactions are committed, and in which order.
//!
//! A [`Peer`] is one member among others. It is told what came and what became durable, and then asked what to do
//! ([`Effect`]). Transactions pass by it as zxids only; who holds their bytes spells effects out. A server without an
//! ensemble is a [`Sole`] voter, whose own disk is the quorum.
//!
//! Source: the package `org.apache.zookeeper.server.quorum`; quorum-protocol.md.
#![no_std]
extern crate alloc;

mod effect;
mod election;
mod leader;
mod learner;
mod peer;
mod quorum;
mod sole;
mod sync;
mod violation;

pub use effect::{Effect, Limits, LinkId, PeerOptions, Role};
pub use election::{ElectionTimes, Seen};
pub use leader::{LearnerView, Resigned};
pub use peer::Peer;
pub use quorum::Quorum;
pub use sole::Sole;
pub use sync::{Held, Plan, plan};
pub use violation::Violation;
