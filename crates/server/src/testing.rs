//! What tests of several modules need: a member without sockets, and where its log goes.

use std::sync::Arc;
use std::time::Duration;

use member::{Core, CoreOptions, Front, FrontOptions, Member, Payloads};
use proto::{ConnectRequest, Encode as _, SessionId, Zxid, session_password};
use store::log::LogOptions;
use store::{Dirs, RecoverOptions};
use tree::{Tree, TreeOptions, auth::AuthOptions};

use crate::clock::Clock;
use crate::log_thread::LogPlan;

fn tree_options() -> TreeOptions {
    TreeOptions { hash_seed: 1, extended_types: false, emulate_353_ttl: false, digest: true }
}

/// A standalone member with an empty tree.
pub(crate) fn member() -> Member {
    let core = CoreOptions::with_defaults(2000, SessionId::first(1, 0));
    let tree = Tree::new(tree_options());
    let front = FrontOptions { per_address_max: 0, ..FrontOptions::with_defaults(2000) };
    let now = Clock::start().now();
    Member::new(Core::new(tree, core, now), Front::new(front, AuthOptions::default(), 1))
}

/// The next batch of `member`: a new session.
pub(crate) fn batch(member: &mut Member) -> Arc<Payloads> {
    let now = Clock::start().now();
    let id = member.accept("127.0.0.1:1".parse().unwrap(), now).unwrap();
    let mut frame = Vec::new();
    let connect = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 4000,
        session_id: SessionId::NONE,
        password: Some(&session_password(SessionId::NONE)),
        read_only: Some(false),
    };
    connect.encode(&mut frame);
    member.receive(id, &frame, now);
    member.take_batch().unwrap()
}

/// A log in `dirs`, without zeroes ahead.
pub(crate) fn log_plan(dirs: &Dirs) -> LogPlan {
    LogPlan {
        dirs: dirs.clone(),
        log: LogOptions { prealloc_bytes: 0, ..LogOptions::default() },
        warn_after: Duration::from_secs(1),
        recover: RecoverOptions::default(),
        tree: tree_options(),
    }
}
