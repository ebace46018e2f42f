//! Any requests, any number of them in flight: what is logged can be applied, its digests are true, and the
//! decisions are those of a server that does one thing after another.

use super::*;
use alloc::string::String;
use proptest::prelude::*;
use proto::{CheckVersionRequest, MultiHeader};

#[derive(Clone, Debug)]
enum Step {
    One(SessionId, OpCode, Vec<u8>),
    /// So many of the oldest in flight are applied.
    Apply(u8),
}

/// Few names, so that requests meet.
fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let plain = prop::collection::vec(name, 1..4).prop_map(|names| alloc::format!("/{}", names.join("/")));
    let odd = prop::sample::select(vec![
        "/",
        "",
        "/a/",
        "/a/s-0000000000",
        "/s-0000000001",
        "/zookeeper",
        "/zookeeper/q",
    ]);
    prop_oneof![12 => plain, 2 => odd.prop_map(String::from)]
}

fn version() -> impl Strategy<Value = i32> {
    prop_oneof![4 => Just(-1), 3 => 0..3_i32]
}

fn list() -> impl Strategy<Value = Option<Vec<Acl<'static>>>> {
    prop_oneof![
        12 => Just(Some(vec![anyone(31)])),
        1 => Just(Some(vec![anyone(23)])),
        1 => Just(Some(vec![anyone(31), anyone(31), anyone(1)])),
        1 => Just(Some(vec![])),
        1 => Just(None),
    ]
}

fn data() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::weighted(0.9, prop::collection::vec(any::<u8>(), 0..400))
}

fn item() -> impl Strategy<Value = (OpCode, Vec<u8>)> {
    let ops =
        prop::sample::select(vec![OpCode::Create, OpCode::Create, OpCode::Create2, OpCode::CreateContainer]);
    let create = (ops, path(), data(), list(), 0..5_i32).prop_map(|(op, path, data, acl, flags)| {
        (op, bytes(&CreateRequest { path: text(&path), data: data.as_deref(), acl, flags }))
    });
    let sequential = (path(), data(), 2..4_i32).prop_map(|(path, data, flags)| {
        let path = alloc::format!("{path}/s-");
        (OpCode::Create, bytes(&CreateRequest { data: data.as_deref(), ..super::create(&path, flags) }))
    });
    let ttl = (path(), 4..7_i32, -1..3_i64)
        .prop_map(|(path, flags, ttl_ms)| (OpCode::CreateTtl, bytes(&create_ttl(&path, flags, ttl_ms))));
    let delete = (path(), version())
        .prop_map(|(path, version)| (OpCode::Delete, bytes(&super::delete(&path, version))));
    let set = (path(), data(), version()).prop_map(|(path, data, version)| {
        (OpCode::SetData, bytes(&SetDataRequest { path: text(&path), data: data.as_deref(), version }))
    });
    let check = (path(), version()).prop_map(|(path, version)| {
        (OpCode::Check, bytes(&CheckVersionRequest { path: text(&path), version }))
    });
    prop_oneof![6 => create, 2 => sequential, 1 => ttl, 4 => delete, 4 => set, 1 => check]
}

fn request() -> impl Strategy<Value = (OpCode, Vec<u8>)> {
    let one = item().prop_filter("a check is an item only", |(op, _)| *op != OpCode::Check);
    let acl = (path(), list(), version()).prop_map(|(path, acl, version)| {
        (OpCode::SetAcl, bytes(&SetAclRequest { path: text(&path), acl, version }))
    });
    let multi = prop::collection::vec(item(), 0..5).prop_map(|items| {
        let mut out = vec![];
        for (op, body) in items {
            MultiHeader { kind: op.number(), done: false, err: -1 }.encode(&mut out);
            out.extend_from_slice(&body);
        }
        MultiHeader::END.encode(&mut out);
        (OpCode::Multi, out)
    });
    let session =
        prop_oneof![Just((OpCode::CreateSession, bytes(&9000_i32))), Just((OpCode::CloseSession, vec![])),];
    prop_oneof![12 => one, 2 => acl, 4 => multi, 1 => session]
}

fn step() -> impl Strategy<Value = Step> {
    let session = prop::sample::select(vec![ME, ME, OTHER]);
    let one = (session, request()).prop_map(|(session, (op, body))| Step::One(session, op, body));
    prop_oneof![3 => one, 1 => (0..6_u8).prop_map(Step::Apply)]
}

proptest! {
    #[test]
    fn requests_in_flight_are_decided_as_one_at_a_time(steps in prop::collection::vec(step(), 1..80), quota: bool) {
        let (mut eager, mut patient) = (World::new(), World::new());
        for world in [&mut eager, &mut patient] {
            world.options.enforce_quota = quota;
            if quota {
                for (path, data) in [
                    ("/a", ""),
                    ("/zookeeper/quota/a", ""),
                    ("/zookeeper/quota/a/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=600;countHardLimit=4"),
                    ("/zookeeper/quota/a/zookeeper_stats", ""),
                ] {
                    let request = CreateRequest { data: Some(data.as_bytes()), ..create(path, 0) };
                    world.run(OpCode::Create, &request).unwrap();
                }
            }
        }
        for step in steps {
            match step {
                Step::One(session, op, body) => {
                    let prepared = eager.ask_as(session, op, &body);
                    let alone = patient.ask_as(session, op, &body);
                    // Who closes lists ephemerals in no order, and a session is closing or unknown by whether
                    // its end is applied.
                    let late = |prepared| matches!(prepared, Prepared::Logged {
                        error: Some(Code::SessionExpired | Code::UnknownSession), ..
                    });
                    prop_assert!(prepared == alone || late(prepared) && late(alone), "{prepared:?} {alone:?}");
                    if op != OpCode::CloseSession && !late(alone) && op != OpCode::Multi {
                        prop_assert_eq!(eager.newest_bytes(), patient.newest_bytes());
                    }
                    patient.settle();
                }
                Step::Apply(count) => {
                    for _ in 0..count {
                        eager.apply_one();
                    }
                }
            }
        }
        eager.settle();
        prop_assert_eq!(eager.tree.digest(), patient.tree.digest());
    }
}
