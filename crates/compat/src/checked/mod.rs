//! Clients that write down what they saw, and a check of it that needs no second server.
//!
//! [`Load`] runs one worker per member: each has a session, writes values nobody else writes, reads, lists, syncs, watches, opens and
//! closes sessions, moves between members, and records everything in a [`History`]. [`check`] then looks at the history in (nearly)
//! linear time, because replies carry the zxid of the state they show:
//!
//! * `registers`: nothing acknowledged is lost, versions have no hole that no unknown result explains, each read equals the register at
//!   its zxid, nothing is read that was not written (C1, C4, C6, C7, C12);
//! * `order`: zxids agree with real time, belong to one write each, and `sync` shows what was finished before it (C1, C5);
//! * `sessions`: zxids of a session never decrease, also over members; events come once and before newer data (C2, C3, C8);
//! * `lifetimes`: a znode is there from its creation to its deletion, an ephemeral one exactly as long as its session (C9, C10).
//!
//! The letters are those of the reliability requirements, §4.

mod audit;
mod check;
mod connection;
mod history;
mod load;
mod worker;

pub use audit::{Auditor, equal_trees};
pub use check::{Allowances, check};
pub use connection::{Connection, Identity, Opened};
pub use history::{
    At, End, Entry, History, Lasting, Node, Op, Outcome, Put, REGISTERS, Record, Register, SessionLog, Value,
};
pub use load::{Finished, Load, LoadPlan};
