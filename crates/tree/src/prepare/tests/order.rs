//! Every row of client-protocol.md §5.1 and §5.5, and that of two faults the earlier row is told.

use super::*;
use proto::{DeleteContainerRequest, ReconfigRequest};

#[test]
fn create_tells_the_first_fault() {
    let mut world = World::new();
    world.make("/a", 0);
    world.make("/e", 1);
    world.make_closed("/closed", 1);
    let table = [
        // §5.1, as observed on a fresh tree.
        ("foo", 0, Code::BadArguments),
        ("", 0, Code::BadArguments),
        ("/", 0, Code::NodeExists),
        ("//", 0, Code::BadArguments),
        ("/x/", 0, Code::NoNode),
        ("/a/", 0, Code::BadArguments),
        ("/a//b", 0, Code::NoNode),
        ("/nope/b", 0, Code::NoNode),
        ("/zookeeper", 0, Code::NodeExists),
        ("/zookeeper/config/x", 0, Code::NoAuth),
        ("/a\0", 0, Code::BadArguments),
        ("/a/\u{1}", 0, Code::BadArguments),
        ("/a/..", 0, Code::BadArguments),
        // Flags come first; kinds without a TTL have no place for one.
        ("/b", -1, Code::BadArguments),
        ("/b", 7, Code::BadArguments),
        ("/b", 5, Code::BadArguments),
        ("foo", 7, Code::BadArguments),
        // The permission on the parent beats what is wrong with the final path.
        ("/closed/x", 0, Code::NoAuth),
        ("/closed/..", 0, Code::NoAuth),
        // What is there beats what its parent is.
        ("/a", 0, Code::NodeExists),
        ("/e/x", 0, Code::NoChildrenForEphemerals),
        ("/e/..", 0, Code::BadArguments),
    ];
    for (path, flags, code) in table {
        for op in [OpCode::Create, OpCode::Create2, OpCode::CreateContainer] {
            assert_eq!(world.run(op, &create(path, flags)), Err(code), "{op:?} {path:?} {flags}");
        }
    }
    assert_eq!(
        world.run(OpCode::Create, &CreateRequest { path: None, ..create("", 0) }),
        Err(Code::MarshallingError)
    );
}

#[test]
fn an_invalid_list_beats_parent_and_permission_but_not_the_path() {
    let mut world = World::new();
    world.make_closed("/closed", 1);
    let bad = |path| CreateRequest { acl: Some(vec![]), ..create(path, 0) };
    assert_eq!(world.run(OpCode::Create, &bad("/nope/x")), Err(Code::InvalidAcl));
    assert_eq!(world.run(OpCode::Create, &bad("/closed/x")), Err(Code::InvalidAcl));
    assert_eq!(world.run(OpCode::Create, &bad("foo")), Err(Code::BadArguments));
    let null = CreateRequest { acl: None, ..create("/x", 0) };
    assert_eq!(world.run(OpCode::Create, &null), Err(Code::InvalidAcl));
    let nobody = Acl { perms: 31, id: Id { scheme: text("world"), id: None } };
    let null = CreateRequest { acl: Some(vec![nobody]), ..create("/x", 0) };
    assert_eq!(world.run(OpCode::Create, &null), Err(Code::MarshallingError));
}

#[test]
fn a_ttl_needs_its_mode_and_its_switch() {
    let mut world = World::new();
    for (flags, ttl_ms, code) in [
        (5, 0, Code::BadArguments),
        (5, -1, Code::BadArguments),
        (5, 0x100_0000_0000, Code::BadArguments),
        (0, 1, Code::BadArguments),
        // On these Java stops, and again at every start.
        (0, -1, Code::BadArguments),
        (1, -1, Code::BadArguments),
        (4, -1, Code::BadArguments),
    ] {
        let request = create_ttl("/t", flags, ttl_ms);
        assert_eq!(world.run(OpCode::CreateTtl, &request), Err(code), "{flags} {ttl_ms}");
    }
    for (path, flags, ttl_ms) in [("/t", 5, 1), ("/u", 6, 0xff_ffff_ffff)] {
        assert_eq!(world.run(OpCode::CreateTtl, &create_ttl(path, flags, ttl_ms)), Ok(TxnKind::CreateTtl));
    }
    let mut plain = World::with(OwnerRules::default());
    assert_eq!(plain.run(OpCode::CreateTtl, &create_ttl("/t", 5, 1)), Err(Code::Unimplemented));
    assert_eq!(plain.run(OpCode::CreateTtl, &create_ttl("/t", 5, -1)), Err(Code::Unimplemented));
    assert_eq!(plain.run(OpCode::Create, &create("/t", 6)), Err(Code::Unimplemented));
}

#[test]
fn the_opcode_decides_the_kind() {
    let mut world = World::new();
    for flags in 0..=4 {
        for (op, prefix) in [(OpCode::Create, "/c"), (OpCode::Create2, "/d"), (OpCode::CreateContainer, "/e")]
        {
            let given = alloc::format!("{prefix}{flags}");
            let kind = outcome(world.ask(op, &create(&given, flags))).unwrap();
            let (entry, path) = (world.newest(), created(&world.newest()));
            assert_eq!(path != given, matches!(flags, 2 | 3));
            match entry.txn {
                Txn::Create(txn) | Txn::Create2(txn) => assert_eq!(txn.ephemeral, matches!(flags, 1 | 3)),
                other => assert_eq!(other.kind(), kind),
            }
            world.settle();
            let id = world.tree.find(&path).unwrap();
            let owner = world.tree.node(id).persisted().ephemeral_owner;
            let wanted = match op {
                OpCode::CreateContainer => i64::MIN,
                _ if matches!(flags, 1 | 3) => ME.0,
                _ => 0,
            };
            assert_eq!(owner, wanted, "{op:?} {flags}");
        }
    }
}

#[test]
fn delete_tells_the_first_fault() {
    let mut world = World::new();
    world.make("/a", 0);
    world.make("/a/b", 0);
    world.make_closed("/closed", 4);
    world.make("/closed/x", 0);
    for (path, version, code) in [
        ("foo", -1, Code::BadArguments),
        ("", -1, Code::BadArguments),
        ("/", -1, Code::BadArguments),
        ("/zookeeper", -1, Code::BadArguments),
        ("/zookeeper/quota", -1, Code::BadArguments),
        ("/zookeeper/config", -1, Code::BadArguments),
        ("/a\0", -1, Code::BadArguments),
        ("/nope/x", -1, Code::NoNode),
        ("/closed/x", -1, Code::NoAuth),
        ("/closed/nope", -1, Code::NoAuth),
        ("/nope", -1, Code::NoNode),
        ("/a/", -1, Code::NoNode),
        ("//", -1, Code::NoNode),
        ("/a", 1, Code::BadVersion),
        ("/a", -2, Code::BadVersion),
        ("/a", 0, Code::NotEmpty),
        ("/a", -1, Code::NotEmpty),
    ] {
        assert_eq!(world.run(OpCode::Delete, &delete(path, version)), Err(code), "{path:?} {version}");
    }
    let null = DeleteRequest { path: None, version: -1 };
    assert_eq!(world.run(OpCode::Delete, &null), Err(Code::MarshallingError));
    assert_eq!(world.run(OpCode::Delete, &delete("/a/b", 0)), Ok(TxnKind::Delete));
    assert_eq!(world.run(OpCode::Delete, &delete("/a", -1)), Ok(TxnKind::Delete));
}

#[test]
fn set_data_tells_the_first_fault() {
    let mut world = World::new();
    world.make("/a", 0);
    world.make_closed("/closed", 1);
    for (path, version, code) in [
        ("foo", -1, Code::BadArguments),
        ("", -1, Code::BadArguments),
        ("/a/", -1, Code::BadArguments),
        ("/nope", 3, Code::NoNode),
        ("/closed", 3, Code::NoAuth),
        ("/a", 3, Code::BadVersion),
        ("/a", -2, Code::BadVersion),
        ("/zookeeper/config", -1, Code::NoAuth),
    ] {
        assert_eq!(world.run(OpCode::SetData, &set_data(path, version)), Err(code), "{path:?} {version}");
    }
    let null = SetDataRequest { path: None, ..set_data("", -1) };
    assert_eq!(world.run(OpCode::SetData, &null), Err(Code::BadArguments));
    for path in ["/", "/zookeeper", "/zookeeper/quota", "/a"] {
        assert_eq!(world.run(OpCode::SetData, &set_data(path, 0)), Ok(TxnKind::SetData), "{path}");
    }
}

#[test]
fn set_acl_tells_the_first_fault() {
    let mut world = World::new();
    world.make("/a", 0);
    world.make_closed("/closed", 1);
    let bad = |path| SetAclRequest { acl: None, ..set_acl(path, 3) };
    assert_eq!(world.run(OpCode::SetAcl, &bad("foo")), Err(Code::BadArguments));
    assert_eq!(world.run(OpCode::SetAcl, &bad("/nope")), Err(Code::InvalidAcl));
    for (path, version, code) in
        [("/nope", 3, Code::NoNode), ("/closed", 3, Code::NoAuth), ("/a", 3, Code::BadVersion)]
    {
        assert_eq!(world.run(OpCode::SetAcl, &set_acl(path, version)), Err(code), "{path} {version}");
    }
    assert_eq!(world.run(OpCode::SetAcl, &set_acl("/a", 0)), Ok(TxnKind::SetAcl));
    assert_eq!(world.run(OpCode::SetAcl, &set_acl("/a", 1)), Ok(TxnKind::SetAcl));
    assert_eq!(world.run(OpCode::SetAcl, &set_acl("/", -1)), Ok(TxnKind::SetAcl));
}

#[test]
fn delete_container_is_the_servers_own() {
    let mut world = World::new();
    let request = |path: &'static str| bytes(&DeleteContainerRequest { path: Some(path.as_bytes()) });
    world.make("/plain", 0);
    world.make("/e", 1);
    for path in ["/c", "/full"] {
        world.run(OpCode::CreateContainer, &create(path, 4)).unwrap();
    }
    world.make("/full/x", 1);
    world.run(OpCode::CreateTtl, &create_ttl("/t", 5, 9)).unwrap();
    assert_eq!(
        world.ask_as(ME, OpCode::DeleteContainer, &request("/c")),
        Prepared::Refused(Code::Unimplemented)
    );
    for (path, result) in [
        ("foo", Err(Code::BadArguments)),
        ("/zookeeper", Err(Code::BadArguments)),
        ("/nope", Err(Code::NoNode)),
        ("/full", Err(Code::NotEmpty)),
        ("/e", Err(Code::BadVersion)),
        ("/plain", Err(Code::BadVersion)),
        ("/c", Ok(TxnKind::DeleteContainer)),
        ("/t", Ok(TxnKind::DeleteContainer)),
    ] {
        let prepared = world.ask_as(SessionId::NONE, OpCode::DeleteContainer, &request(path));
        world.settle();
        assert_eq!(outcome(prepared), result, "{path}");
    }
}

#[test]
fn reconfig_is_not_for_a_single_server() {
    let mut world = World::new();
    let request = ReconfigRequest { joining: None, leaving: None, new_members: None, current_config: -1 };
    assert_eq!(world.run(OpCode::Reconfig, &request), Err(Code::ReconfigDisabled));
    world.options.reconfig_enabled = true;
    assert_eq!(world.run(OpCode::Reconfig, &request), Err(Code::Unimplemented));
    let prepared = world.ask_as(SessionId(99), OpCode::Reconfig, &bytes(&request));
    assert_eq!(outcome(prepared), Err(Code::UnknownSession));
}

#[test]
fn sessions_are_asked_for_before_paths_and_after_flags() {
    let mut world = World::new();
    let nobody = SessionId(99);
    let ask = |world: &mut World, op, body: &[u8]| outcome(world.ask_as(nobody, op, body));
    assert_eq!(ask(&mut world, OpCode::Create, &bytes(&create("foo", 9))), Err(Code::BadArguments));
    for (op, body) in [
        (OpCode::Create, bytes(&create("foo", 0))),
        (OpCode::Delete, bytes(&delete("foo", 0))),
        (OpCode::SetData, bytes(&set_data("foo", 0))),
        (OpCode::SetAcl, bytes(&set_acl("foo", 0))),
    ] {
        assert_eq!(ask(&mut world, op, &body), Err(Code::UnknownSession), "{op:?}");
    }
    // A session that is closing is expired, until it is gone and unknown.
    outcome(world.ask_as(OTHER, OpCode::CloseSession, &[])).unwrap();
    let late = bytes(&create("/late", 0));
    assert_eq!(outcome(world.ask_as(OTHER, OpCode::Create, &late)), Err(Code::SessionExpired));
    world.settle();
    assert_eq!(outcome(world.ask_as(OTHER, OpCode::Create, &late)), Err(Code::UnknownSession));
    // One that is opening is open.
    outcome(world.ask_as(nobody, OpCode::CreateSession, &bytes(&4000_i32))).unwrap();
    assert_eq!(ask(&mut world, OpCode::Create, &late), Ok(TxnKind::Create));
}

#[test]
fn bytes_that_are_no_request_spend_nothing() {
    let mut world = World::new();
    for op in [
        OpCode::Create,
        OpCode::Create2,
        OpCode::CreateContainer,
        OpCode::CreateTtl,
        OpCode::Delete,
        OpCode::SetData,
        OpCode::SetAcl,
        OpCode::Reconfig,
        OpCode::CreateSession,
    ] {
        let prepared = world.ask_as(ME, op, &[0, 0]);
        assert_eq!(prepared, Prepared::Refused(Code::MarshallingError), "{op:?}");
    }
    for op in [OpCode::Check, OpCode::GetData, OpCode::Ping] {
        assert_eq!(world.ask_as(ME, op, &[]), Prepared::Refused(Code::Unimplemented), "{op:?}");
    }
    assert!(world.pending.is_empty());
}

#[test]
fn versions_leave_out_minus_one() {
    use super::super::view::next_version;
    assert_eq!(next_version(0, -1), Ok(1));
    assert_eq!(next_version(i32::MAX, i32::MAX), Ok(i32::MIN));
    assert_eq!(next_version(-2, -2), Ok(0));
    assert_eq!(next_version(-1, -1), Ok(0));
    assert_eq!(next_version(3, -2), Err(Code::BadVersion));
}
