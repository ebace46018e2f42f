//! Requests that come while others are in flight.

use super::*;

fn body(record: &impl Encode) -> Vec<u8> {
    bytes(record)
}

fn ask(world: &mut World, op: OpCode, record: &impl Encode) -> Result<TxnKind, Code> {
    outcome(world.ask(op, record))
}

#[test]
fn what_is_in_flight_counts() {
    let mut world = World::new();
    assert_eq!(ask(&mut world, OpCode::Create, &create("/a", 0)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/a", 0)), Err(Code::NodeExists));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/a/b", 0)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Delete, &delete("/a", -1)), Err(Code::NotEmpty));
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/a", 0)), Ok(TxnKind::SetData));
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/a", 0)), Err(Code::BadVersion));
    assert_eq!(ask(&mut world, OpCode::Delete, &delete("/a/b", 0)), Ok(TxnKind::Delete));
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/a/b", 0)), Err(Code::NoNode));
    assert_eq!(ask(&mut world, OpCode::Delete, &delete("/a", 1)), Ok(TxnKind::Delete));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/a/b", 0)), Err(Code::NoNode));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/a", 1)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/a/b", 0)), Err(Code::NoChildrenForEphemerals));
    world.settle();
}

#[test]
fn a_list_in_flight_counts() {
    let mut world = World::new();
    world.make("/a", 0);
    let closed = SetAclRequest { acl: Some(vec![anyone(16)]), ..set_acl("/a", -1) };
    assert_eq!(ask(&mut world, OpCode::SetAcl, &closed), Ok(TxnKind::SetAcl));
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/a", -1)), Err(Code::NoAuth));
    assert_eq!(ask(&mut world, OpCode::SetAcl, &set_acl("/a", 1)), Ok(TxnKind::SetAcl));
    assert!(world.apply_one());
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/a", 0)), Ok(TxnKind::SetData));
    world.settle();
}

#[test]
fn numbers_go_on_in_flight_and_over_all_kinds() {
    let mut world = World::new();
    for (path, flags, wanted) in [
        ("/s", 2, "/s0000000000"),
        ("/plain", 0, "/plain"),
        ("/s", 3, "/s0000000002"),
        ("/", 2, "/0000000003"),
        ("/s0000000000/", 2, "/s0000000000/0000000000"),
    ] {
        assert_eq!(ask(&mut world, OpCode::Create, &create(path, flags)), Ok(TxnKind::Create));
        assert_eq!(created(&world.newest()), wanted);
    }
    assert_eq!(ask(&mut world, OpCode::Delete, &delete("/plain", -1)), Ok(TxnKind::Delete));
    world.settle();
    assert_eq!(ask(&mut world, OpCode::Create, &create("/s", 2)), Ok(TxnKind::Create));
    assert_eq!(created(&world.newest()), "/s0000000004", "deletions do not count");
}

#[test]
fn a_session_takes_its_ephemerals_along_also_those_in_flight() {
    let mut world = World::new();
    for path in ["/kept", "/gone"] {
        world.make(path, 1);
    }
    world.make("/p", 0);
    assert_eq!(ask(&mut world, OpCode::Delete, &delete("/gone", -1)), Ok(TxnKind::Delete));
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/kept", -1)), Ok(TxnKind::SetData));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/p/new", 1)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/p/brief", 1)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Delete, &delete("/p/brief", -1)), Ok(TxnKind::Delete));
    let others = body(&create("/gone", 1));
    assert_eq!(outcome(world.ask_as(OTHER, OpCode::Create, &others)), Ok(TxnKind::Create));

    assert_eq!(outcome(world.ask_as(ME, OpCode::CloseSession, &[])), Ok(TxnKind::CloseSession));
    {
        let entry = world.newest();
        let Txn::CloseSession(Some(txn)) = entry.txn else { panic!("{entry:?}") };
        let mut paths: Vec<_> =
            txn.paths.unwrap().into_iter().map(|path| path.unwrap().into_owned()).collect();
        paths.sort();
        assert_eq!(paths, ["/kept", "/p/new"]);
    }
    // Behind it the parent is empty, and a second close finds nothing.
    assert_eq!(outcome(world.ask_as(OTHER, OpCode::Delete, &body(&delete("/p", -1)))), Ok(TxnKind::Delete));
    assert_eq!(outcome(world.ask_as(ME, OpCode::CloseSession, &[])), Ok(TxnKind::CloseSession));
    world.settle();
    for path in ["/kept", "/p"] {
        assert_eq!(world.tree.find(path), None, "{path}");
    }
    assert!(world.tree.find("/gone").is_some());
}

#[test]
fn a_close_can_leave_its_list_out() {
    let mut world = World::new();
    world.make("/e", 1);
    world.options.close_session_paths = false;
    outcome(world.ask_as(ME, OpCode::CloseSession, &[])).unwrap();
    assert_eq!(world.newest().txn, Txn::CloseSession(None));
    world.settle();
    assert_eq!(world.tree.find("/e"), None);
}

#[test]
fn without_digests_none_is_written() {
    let mut world = World::new();
    world.tree = Tree::new(TreeOptions { digest: false, ..*world.tree.options() });
    world.ask_as(ME, OpCode::CreateSession, &bytes(&30_000_i32));
    ask(&mut world, OpCode::Create, &create("/a", 0)).unwrap();
    assert_eq!(world.newest().digest, None);
}

#[test]
fn the_root_has_one_record_under_both_its_names() {
    let mut world = World::new();
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/", 0)), Ok(TxnKind::SetData));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/a", 0)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::SetData, &set_data("/", 1)), Ok(TxnKind::SetData));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/b", 0)), Ok(TxnKind::Create));
    world.settle();
}

/// Sets a hard quota on `path`, which exists.
fn limit(world: &mut World, path: &str, limits: &'static str) {
    let quota = alloc::format!("/zookeeper/quota{path}");
    world.make(&quota, 0);
    let limits_path = alloc::format!("{quota}/zookeeper_limits");
    let request = CreateRequest { data: Some(limits.as_bytes()), ..create(&limits_path, 0) };
    world.run(OpCode::Create, &request).unwrap();
    let stats_path = alloc::format!("{quota}/zookeeper_stats");
    world
        .run(OpCode::Create, &CreateRequest { data: Some(b"count=0,bytes=0"), ..create(&stats_path, 0) })
        .unwrap();
}

#[test]
fn a_hard_quota_counts_what_is_in_flight() {
    let mut world = World::new();
    world.make("/q", 0);
    limit(&mut world, "/q", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3");
    assert_eq!(world.run(OpCode::Create, &create("/q/0", 0)), Ok(TxnKind::Create), "2 of 3");
    world.options.enforce_quota = true;
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/1", 0)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/2", 0)), Err(Code::QuotaExceeded));
    assert_eq!(ask(&mut world, OpCode::Delete, &delete("/q/0", 0)), Ok(TxnKind::Delete));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/2", 0)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/3", 0)), Err(Code::QuotaExceeded));
    world.settle();
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/3", 0)), Err(Code::QuotaExceeded));
    world.options.enforce_quota = false;
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/3", 0)), Ok(TxnKind::Create));
    world.settle();
}

#[test]
fn a_hard_quota_on_bytes_comes_before_the_version() {
    let mut world = World::new();
    world.make("/q", 0);
    limit(&mut world, "/q", "count=-1,bytes=-1=;byteHardLimit=6;countHardLimit=-1");
    world.options.enforce_quota = true;
    let data =
        |bytes: &'static [u8], version| SetDataRequest { data: Some(bytes), ..set_data("/q", version) };
    assert_eq!(ask(&mut world, OpCode::SetData, &data(b"1234567", 99)), Err(Code::QuotaExceeded));
    assert_eq!(ask(&mut world, OpCode::SetData, &data(b"123456", 0)), Ok(TxnKind::SetData));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/x", 0)), Err(Code::QuotaExceeded));
    assert_eq!(ask(&mut world, OpCode::SetData, &data(b"12", 1)), Ok(TxnKind::SetData));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/q/x", 0)), Ok(TxnKind::Create));
    world.settle();
}

#[test]
fn a_quota_without_its_counts_refuses_nothing() {
    let mut world = World::new();
    world.make("/q", 0);
    limit(&mut world, "/q", "countHardLimit=0");
    world.options.enforce_quota = true;
    assert_eq!(world.run(OpCode::Create, &create("/q/0", 0)), Err(Code::QuotaExceeded));
    world.run(OpCode::Delete, &delete("/zookeeper/quota/q/zookeeper_stats", -1)).unwrap();
    assert_eq!(world.run(OpCode::Create, &create("/q/0", 0)), Ok(TxnKind::Create));
}

#[test]
fn a_quota_on_the_root_or_in_bad_words_is_harmless() {
    let mut world = World::new();
    world.options.enforce_quota = true;
    for path in ["/zookeeper/quota/zookeeper_limits", "/zookeeper/quota/zookeeper_stats"] {
        assert_eq!(world.run(OpCode::Create, &create(path, 0)), Ok(TxnKind::Create));
    }
    world.make("/q", 0);
    limit(&mut world, "/q", "countHardLimit=none,=,bytes");
    world.make("/q/x", 0);
    assert_eq!(world.run(OpCode::SetData, &set_data("/q", -1)), Ok(TxnKind::SetData));
}

#[test]
fn rooms_are_used_again() {
    let mut world = World::new();
    world.make("/a", 0);
    for _ in 0..100 {
        outcome(world.ask(OpCode::SetData, &set_data("/a", -1))).unwrap();
        world.settle();
    }
    assert!(world.pending.rooms() <= 2, "{}", world.pending.rooms());
    outcome(world.ask(OpCode::SetData, &set_data("/a", -1))).unwrap();
    world.pending.clear();
    assert!(world.pending.is_empty());
}

#[test]
fn a_multi_counts_its_own_items_and_gives_back_what_it_does_not_use() {
    let mut world = World::new();
    world.make("/q", 0);
    limit(&mut world, "/q", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3");
    world.options.enforce_quota = true;
    let multi = |paths: &[&str]| {
        let mut out = vec![];
        for path in paths {
            proto::MultiHeader { kind: 1, done: false, err: -1 }.encode(&mut out);
            create(path, 0).encode(&mut out);
        }
        proto::MultiHeader::END.encode(&mut out);
        out
    };
    let exceeded = |world: &World| {
        let Txn::Multi(subs) = world.newest().txn else { panic!("no multi") };
        let exceeded = Txn::Error(proto::ErrorTxn::new(Code::QuotaExceeded));
        subs.iter().any(|sub| Txn::decode_sub(sub).unwrap() == exceeded)
    };
    outcome(world.ask_as(ME, OpCode::Multi, &multi(&["/q/a", "/q/b", "/q/c"]))).unwrap();
    assert!(exceeded(&world));
    outcome(world.ask_as(ME, OpCode::Multi, &multi(&["/q/a", "/q/b"]))).unwrap();
    assert!(!exceeded(&world));
    world.settle();
}

/// A parent whose counter has come to its end, as after 2^31 creations.
fn spend_counter(world: &mut World, path: &str) {
    let child = alloc::format!("{path}/last");
    let txn = proto::CreateTxn {
        path: text(&child),
        data: None,
        acl: None,
        ephemeral: false,
        parent_cversion: i32::MAX,
    };
    let header = proto::TxnHeader { session: ME, cxid: 0, zxid: world.tree.last_zxid(), time: 0, kind: 1 };
    apply(&mut world.tree, &Entry { header, txn: Txn::Create(txn), digest: None });
}

#[test]
fn a_spent_counter_stays_where_it_is() {
    let mut world = World::new();
    world.make("/p", 0);
    spend_counter(&mut world, "/p");
    assert_eq!(ask(&mut world, OpCode::Create, &create("/p/s", 2)), Ok(TxnKind::Create));
    assert_eq!(created(&world.newest()), "/p/s2147483647");
    // In flight or not: there is no next number, and none is used twice.
    assert_eq!(ask(&mut world, OpCode::Create, &create("/p/s", 2)), Err(Code::NodeExists));
    world.settle();
    assert_eq!(ask(&mut world, OpCode::Create, &create("/p/s", 2)), Err(Code::NodeExists));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/p/t", 2)), Ok(TxnKind::Create));
    assert_eq!(ask(&mut world, OpCode::Create, &create("/p/plain", 0)), Ok(TxnKind::Create));
    world.settle();
}
