//! The replicated state: znodes, ACLs, quotas, the session table, the digest.
//!
//! Only what is identical on every member at the same zxid is here, and [`Tree::digest`] proves that it is.
//! [`Tree::apply`] is the one function that changes it: live, while a learner is brought level, and in replay.
#![no_std]
extern crate alloc;

mod acls;
mod apply;
pub mod auth;
mod blobs;
mod children;
mod digest;
mod hash;
mod load;
mod nodes;
mod owner;
pub mod prepare;
mod quota;
mod slab;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod view;

pub use apply::{Applied, ApplyError, Observer, Outcome, Touched};
pub use digest::{DIGEST_VERSION, DigestCheck, node_digest};
pub use load::{LoadError, TreeLoader};
pub use nodes::NodeId;
pub use owner::{Owner, OwnerRules, TTL_MS_MAX};
pub use quota::{QuotaNumbers, QuotaUsage};
pub use snapshot::{SnapshotHead, WalkId};
pub use tree::{Tree, TreeOptions};
pub use view::Node;
