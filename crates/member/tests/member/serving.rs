//! What clients are promised of order, sessions, and being kept waiting.

use crate::common::{Rig, TICK_MS, TIMEOUT_MS, front_options};
use member::{ConnId, FrontOptions};
use proto::{ChildrenReply, Code, DeleteRequest, OpCode, PathWatchRequest, Reader, SessionId};
use std::collections::BTreeSet;

const EPHEMERAL: i32 = 1;
const EVENT: i32 = -1;
const PING: i32 = -2;

#[test]
fn replies_come_in_the_order_of_their_requests() {
    let mut rig = Rig::new(front_options());
    let (one, _) = rig.connect();
    let (two, _) = rig.connect();
    rig.create(one, 1, "/a", 0);
    rig.get(one, 2, "/a", false);
    rig.ping(one);
    rig.set(one, 3, "/a", b"set");
    rig.get(one, 4, "/a", false);
    rig.get(two, 1, "/", false);
    assert_eq!(rig.xids(one), [0; 0], "nothing is told before it is durable");
    assert_eq!(rig.xids(two), [1], "and nobody else waits for that");
    rig.persist();
    let replies = rig.replies(one);
    assert_eq!(replies.iter().map(|reply| reply.xid).collect::<Vec<_>>(), [1, 2, PING, 3, 4]);
    assert!(
        replies[1].body.starts_with(b"\0\0\0\x03new"),
        "a read sees the writes before it, not those behind"
    );
    assert!(replies[4].body.starts_with(b"\0\0\0\x03set"));
    assert!(replies.is_sorted_by_key(|reply| reply.zxid), "{replies:?}");
}

#[test]
fn an_event_stands_before_whatever_shows_its_change() {
    let mut rig = Rig::new(front_options());
    let (writer, _) = rig.connect();
    let (watcher, _) = rig.connect();
    rig.create(writer, 1, "/a", 0);
    rig.persist();
    rig.get(watcher, 1, "/a", true);
    assert_eq!(rig.xids(watcher), [1]);
    rig.set(writer, 2, "/a", b"2");
    rig.set(watcher, 2, "/a", b"3");
    rig.get(watcher, 3, "/a", false);
    rig.persist();
    assert_eq!(rig.xids(watcher), [EVENT, 2, 3], "one event, for the first change");
    assert_eq!(rig.xids(writer), [1, 2]);
    rig.set(writer, 3, "/a", b"4");
    rig.persist();
    assert_eq!(rig.xids(watcher), [0; 0], "the watch was for one event");
}

#[test]
fn a_session_ends_with_its_ephemerals_but_never_early() {
    let mut rig = Rig::new(front_options());
    let (id, session) = rig.connect();
    rig.create(id, 1, "/e", EPHEMERAL);
    rig.persist();
    assert_eq!(rig.xids(id), [1]);
    let timeout_ms = u64::try_from(TIMEOUT_MS).unwrap();
    for _ in 0..5 {
        rig.pass(timeout_ms - 1);
        rig.ping(id);
        assert_eq!(rig.xids(id), [PING]);
    }
    rig.pass(timeout_ms - 1);
    rig.persist();
    assert!(rig.member.core().clock().find(session).is_some());
    rig.pass(TICK_MS + 1);
    assert!(rig.member.core().clock().find(session).is_none(), "a tick late at most");
    rig.persist();
    assert!(rig.member.core().tree().find("/e").is_none());
    assert!(rig.member.is_closing(id));
    assert!(rig.member.core().clock().is_empty());
}

#[test]
fn a_session_moves_to_the_connection_that_resumes_it() {
    let mut rig = Rig::new(front_options());
    let (old, session) = rig.connect();
    rig.create(old, 1, "/e", EPHEMERAL);
    let new = rig.accept();
    rig.greet(new, session);
    assert_eq!(rig.greeting(new).session_id, session);
    assert!(rig.member.is_closing(old) && !rig.member.is_closing(new));
    rig.persist();
    assert_eq!(rig.xids(old), [0; 0], "nobody is told on the connection that was given up");
    rig.member.lost(old);
    rig.get(new, 1, "/e", false);
    rig.send(new, 2, OpCode::CloseSession, &0_i32);
    rig.persist();
    let replies = rig.replies(new);
    assert_eq!(replies.iter().map(|reply| (reply.xid, reply.err)).collect::<Vec<_>>(), [(1, 0), (2, 0)]);
    assert!(rig.member.is_closing(new));
    let late = rig.accept();
    rig.greet(late, session);
    assert_eq!(rig.greeting(late).session_id, SessionId::NONE, "the session is over");
}

#[test]
fn who_does_not_read_is_not_read_from() {
    let mut rig = Rig::new(front_options());
    let (id, _) = rig.connect();
    rig.create(id, 1, "/a", 0);
    rig.persist();
    rig.set(id, 2, "/a", &[7; 1 << 19]);
    rig.persist();
    rig.xids(id);
    rig.get(id, 3, "/a", false);
    assert!(rig.member.wants_input(id));
    rig.get(id, 4, "/a", false);
    assert!(!rig.member.wants_input(id));
    assert_eq!(rig.xids(id), [3, 4]);
    assert!(rig.member.wants_input(id), "it read");
}

#[test]
fn a_line_is_bounded_and_moves_on() {
    let mut rig = Rig::new(FrontOptions { outstanding_max: 3, ..front_options() });
    let (id, _) = rig.connect();
    let (other, _) = rig.connect();
    rig.create(id, 1, "/a", 0);
    for _ in 0..3 {
        assert!(rig.member.wants_input(id));
        rig.ping(id);
    }
    assert!(!rig.member.wants_input(id), "pings are requests to memory");
    assert!(rig.member.wants_input(other), "who waits for nothing is heard");
    rig.dirty();
    rig.persist();
    assert_eq!(rig.dirty(), [id]);
    assert!(rig.member.wants_input(id));
    assert_eq!(rig.xids(id), [1, PING, PING, PING]);
}

#[test]
fn a_full_pipeline_stops_all_and_lets_all_go_on() {
    let mut rig = Rig::new(FrontOptions { pipeline_max: 2, ..front_options() });
    let (one, _) = rig.connect();
    let (two, _) = rig.connect();
    rig.create(one, 1, "/a", 0);
    assert!(rig.member.wants_input(two));
    rig.create(one, 2, "/b", 0);
    for _ in 0..3 {
        assert!(!rig.member.wants_input(one) && !rig.member.wants_input(two));
    }
    rig.dirty();
    rig.persist();
    let mut dirty = rig.dirty();
    dirty.sort_by_key(|id| id.slot);
    assert_eq!(dirty, [one, two], "each is told once that it may go on");
    assert!(rig.member.wants_input(one) && rig.member.wants_input(two));
}

#[test]
fn a_lost_connection_leaves_nothing_to_wait_for() {
    let mut rig = Rig::new(FrontOptions { outstanding_max: 1, ..front_options() });
    let (gone, session) = rig.connect();
    rig.create(gone, 1, "/a", 0);
    rig.sync(gone, 2);
    rig.member.lost(gone);
    assert_eq!(rig.member.front().outstanding(), 0);
    rig.persist();
    assert!(rig.member.core().tree().find("/a").is_some(), "what was proposed is done all the same");
    assert!(rig.member.core().clock().find(session).is_some());
    let reused = rig.accept();
    assert_eq!(reused.slot, gone.slot);
    assert_ne!(reused, gone);
    assert!(rig.member.output(gone).is_none());
}

#[test]
fn a_ttl_znode_that_was_set_meanwhile_stays() {
    let mut rig = Rig::new(front_options());
    let (id, _) = rig.connect();
    for (xid, path) in [(1, "/t1"), (2, "/t2"), (3, "/t3")] {
        let request = proto::CreateTtlRequest {
            path: Some(path.into()),
            data: None,
            acl: Some(vec![proto::Acl::open()]),
            flags: 5,
            ttl_ms: 1000,
        };
        rig.send(id, xid, OpCode::CreateTtl, &request);
    }
    rig.persist();
    assert!(rig.replies(id).iter().all(|reply| reply.err == Code::Ok.number()));
    for _ in 0..30 {
        rig.pass(2000);
        rig.ping(id);
    }
    // One a second goes; the others still wait for their turn when one of them is set.
    rig.persist();
    let left = |rig: &Rig| {
        ["/t1", "/t2", "/t3"]
            .into_iter()
            .filter(|path| rig.member.core().tree().find(path).is_some())
            .collect()
    };
    let before: Vec<&str> = left(&rig);
    assert!(before.len() >= 2, "{before:?}");
    for path in &before {
        rig.set(id, 9, path, b"x");
    }
    rig.persist();
    rig.pass(500);
    rig.persist();
    rig.pass(500);
    rig.persist();
    assert_eq!(left(&rig), before);
}

/// What a client is told of the children of `/r`.
fn listed(rig: &mut Rig, id: ConnId) -> BTreeSet<String> {
    rig.send(id, 1, OpCode::GetChildren, &PathWatchRequest { path: Some("/r".into()), watch: false });
    let replies = rig.replies(id);
    let reply: ChildrenReply<'_> = Reader::new(&replies.last().unwrap().body).take().unwrap();
    reply.children.unwrap().into_iter().map(|name| name.unwrap().into_owned()).collect()
}

#[test]
fn a_list_that_is_kept_is_never_an_old_one() {
    let mut rig = Rig::new(front_options());
    let (id, _) = rig.connect();
    let mut wanted = BTreeSet::new();
    let delete = |rig: &mut Rig, path: &str| {
        rig.send(id, 1, OpCode::Delete, &DeleteRequest { path: Some(path.into()), version: -1 });
    };
    rig.create(id, 1, "/r", 0);
    for number in 0..200 {
        rig.create(id, 1, &format!("/r/{number}"), 0);
        wanted.insert(number.to_string());
    }
    rig.persist();
    for round in 0..3 {
        for _ in 0..4 {
            assert_eq!(listed(&mut rig, id), wanted);
        }
        rig.create(id, 1, &format!("/r/new{round}"), 0);
        wanted.insert(format!("new{round}"));
        rig.persist();
        assert_eq!(listed(&mut rig, id), wanted);
        assert_eq!(listed(&mut rig, id), wanted);
        // As many children as before, by two changes of which each alone makes another list.
        delete(&mut rig, &format!("/r/{round}"));
        rig.create(id, 1, &format!("/r/other{round}"), 0);
        wanted.remove(&round.to_string());
        wanted.insert(format!("other{round}"));
        rig.persist();
    }
    // The same path, and perhaps the same place in memory, but another znode.
    wanted.iter().for_each(|name| delete(&mut rig, &format!("/r/{name}")));
    delete(&mut rig, "/r");
    rig.create(id, 1, "/r", 0);
    let names: BTreeSet<String> = (0..wanted.len()).map(|number| format!("second{number}")).collect();
    names.iter().for_each(|name| rig.create(id, 1, &format!("/r/{name}"), 0));
    rig.persist();
    for _ in 0..3 {
        assert_eq!(listed(&mut rig, id), names);
    }
}
