//! What tests of several modules need: a member without sockets, and where its log goes.

use std::sync::Arc;
use std::time::Duration;

use member::{CleanerOptions, Core, CoreOptions, Front, FrontOptions, Member, Payloads, ThrottleOptions};
use proto::{ConnectRequest, Encode as _, SessionId, Zxid, session_password};
use store::log::LogOptions;
use store::{Dirs, RecoverOptions};
use tree::{Tree, TreeOptions, auth::AuthOptions, prepare};

use crate::clock::Clock;
use crate::log_thread::LogPlan;

fn tree_options() -> TreeOptions {
    TreeOptions { hash_seed: 1, extended_types: false, emulate_353_ttl: false, digest: true }
}

/// A standalone member with an empty tree.
pub(crate) fn member() -> Member {
    let prepare = prepare::Options::default();
    let (first_session, cleaner) = (SessionId::first(1, 0), CleanerOptions::default());
    let core = CoreOptions { prepare, tick_ms: 2000, first_session, cleaner };
    let tree = Tree::new(tree_options());
    let front = FrontOptions {
        session_timeout_min_ms: 4000,
        session_timeout_max_ms: 40_000,
        outstanding_max: 1000,
        per_address_max: 0,
        connections_max: 0,
        sessionless_ms: 10_000,
        required_schemes: Vec::new(),
        pipeline_max: 0,
        drop_late: false,
        large_bytes_min: None,
        large_bytes_max: 0,
        throttled_op_wait_ms: 0,
        throttle: ThrottleOptions::default(),
    };
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
