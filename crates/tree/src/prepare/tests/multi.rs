//! Several operations as one; client-protocol.md §5.9.

use super::*;
use proto::{CheckVersionRequest, MultiHeader, SubTxn};

/// A multi of these items.
fn multi(items: &[(OpCode, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![];
    for (op, body) in items {
        MultiHeader { kind: op.number(), done: false, err: -1 }.encode(&mut out);
        out.extend_from_slice(body);
    }
    MultiHeader::END.encode(&mut out);
    out
}

fn check(path: &str, version: i32) -> (OpCode, Vec<u8>) {
    (OpCode::Check, bytes(&CheckVersionRequest { path: text(path), version }))
}

fn made(path: &str, flags: i32) -> (OpCode, Vec<u8>) {
    (OpCode::Create, bytes(&create(path, flags)))
}

fn deleted(path: &str) -> (OpCode, Vec<u8>) {
    (OpCode::Delete, bytes(&delete(path, -1)))
}

fn set(path: &str, version: i32) -> (OpCode, Vec<u8>) {
    (OpCode::SetData, bytes(&set_data(path, version)))
}

/// The kinds of the sub-transactions of the newest entry, and the codes of those that are errors.
fn subs(world: &World) -> Vec<(i32, Option<i32>)> {
    let entry = world.newest();
    let Txn::Multi(subs) = &entry.txn else { panic!("{entry:?}") };
    let shape = |sub: &SubTxn<'_>| match Txn::decode_sub(sub).unwrap() {
        Txn::Error(error) => (sub.kind, Some(error.err)),
        _ => (sub.kind, None),
    };
    subs.iter().map(shape).collect()
}

fn ask(world: &mut World, items: &[(OpCode, Vec<u8>)]) -> Prepared {
    world.ask_as(ME, OpCode::Multi, &multi(items))
}

const DONE: Prepared = Prepared::Logged { kind: TxnKind::Multi, error: None };

#[test]
fn each_item_sees_those_before_it() {
    let mut world = World::new();
    let items = [
        made("/a", 0),
        set("/a", 0),
        check("/a", 1),
        made("/a/s-", 2),
        made("/a/s-", 2),
        deleted("/a/s-0000000000"),
        deleted("/a/s-0000000001"),
        deleted("/a"),
        made("/a", 1),
    ];
    assert_eq!(ask(&mut world, &items), DONE);
    let kinds: Vec<i32> = subs(&world).iter().map(|&(kind, _)| kind).collect();
    assert_eq!(kinds, [1, 5, 13, 1, 1, 2, 2, 2, 1]);
    world.settle();
    assert!(world.tree.find("/a").is_some());
}

#[test]
fn a_failed_item_undoes_those_before_and_spoils_those_behind() {
    let error = |code: Code| (-1, Some(code.number()));
    let spoiled = error(Code::RuntimeInconsistency);
    let cases = [
        (vec![deleted("/nope"), made("/x", 0)], vec![error(Code::NoNode), spoiled]),
        (
            vec![made("/x", 0), deleted("/nope"), made("/y", 0), made("/z", 0)],
            vec![(1, None), error(Code::NoNode), spoiled, spoiled],
        ),
        (vec![made("/x", 0), made("/x", 0)], vec![(1, None), error(Code::NodeExists)]),
        (vec![check("/nope", -1)], vec![error(Code::NoNode)]),
        (vec![check("/", 3)], vec![error(Code::BadVersion)]),
        (
            vec![(OpCode::CreateTtl, bytes(&create_ttl("/x", 5, 0))), made("/y", 0)],
            vec![error(Code::BadArguments), spoiled],
        ),
    ];
    for (items, shape) in cases {
        let mut world = World::new();
        assert_eq!(ask(&mut world, &items), DONE);
        assert_eq!(subs(&world), shape);
        assert!(world.pending.is_empty(), "{items:?}");
        // Its digest is that of before, which `settle` compares.
        assert!(world.newest().digest.is_some());
        world.settle();
        assert_eq!(world.tree.find("/x"), None);
    }
}

#[test]
fn a_failed_multi_leaves_what_was_pending_as_it_was() {
    let mut world = World::new();
    world.make("/p", 0);
    // In flight: a child, a set, an ephemeral deleted.
    world.make("/p/e", 1);
    for (op, body) in [made("/p/a-", 2), set("/p", 0), deleted("/p/e")] {
        outcome(world.ask_as(ME, op, &body)).unwrap();
    }
    let items = [made("/p/a-", 2), set("/p", 1), made("/p/e", 0), deleted("/p/a-0000000001"), check("/p", 9)];
    assert_eq!(ask(&mut world, &items), DONE);
    assert_eq!(subs(&world)[4], (-1, Some(Code::BadVersion.number())));
    assert_eq!(outcome(world.ask_as(ME, OpCode::Create, &bytes(&create("/p/a-", 2)))), Ok(TxnKind::Create));
    assert_eq!(created(&world.newest()), "/p/a-0000000002", "the counter is restored");
    assert_eq!(outcome(world.ask_as(ME, OpCode::SetData, &bytes(&set_data("/p", 1)))), Ok(TxnKind::SetData));
    assert_eq!(outcome(world.ask_as(ME, OpCode::Delete, &bytes(&delete("/p/e", -1)))), Err(Code::NoNode));
    world.settle();
}

#[test]
fn an_empty_multi_succeeds() {
    let mut world = World::new();
    assert_eq!(ask(&mut world, &[]), DONE);
    assert_eq!(subs(&world), []);
    world.settle();
}

#[test]
fn what_cannot_be_decoded_spends_a_zxid() {
    let failed = Prepared::Logged { kind: TxnKind::Error, error: Some(Code::MarshallingError) };
    let mut world = World::new();
    let acl = bytes(&set_acl("/", -1));
    let read = [bytes(&text("/")), vec![0]].concat();
    let null = bytes(&DeleteRequest { path: None, version: -1 });
    for items in [
        vec![(OpCode::SetAcl, acl)],
        vec![(OpCode::GetData, read.clone())],
        vec![made("/x", 0), (OpCode::GetData, read)],
        vec![made("/x", 7)],
        vec![made("/x", 5)],
        vec![made("/x", 0), (OpCode::Delete, null)],
    ] {
        assert_eq!(ask(&mut world, &items), failed, "{items:?}");
        assert_eq!(world.newest().digest, None);
        world.settle();
    }
    assert_eq!(world.ask_as(ME, OpCode::Multi, &[1, 2, 3]), failed);
    world.settle();
    assert_eq!(world.tree.find("/x"), None);
}

#[test]
fn a_null_list_fails_before_a_zxid_is_taken_unless_the_flags_do_first() {
    let refused = Prepared::Refused(Code::MarshallingError);
    let failed = Prepared::Logged { kind: TxnKind::Error, error: Some(Code::MarshallingError) };
    for (flags, answer) in [(0, refused), (4, refused), (6, refused), (7, failed), (-1, failed)] {
        let mut world = World::new();
        let without = CreateRequest { acl: None, ..create("/y", flags) };
        let items = [made("/x", 0), (OpCode::Create, bytes(&without)), made("/z", 9)];
        assert_eq!(ask(&mut world, &items), answer, "{flags}");
        assert!(world.pending.is_empty());
    }
}

#[test]
fn a_null_in_a_list_fails_the_whole_multi_and_leaves_nothing() {
    let mut world = World::new();
    let nobody = Acl { perms: 31, id: Id { scheme: text("world"), id: None } };
    let bad = CreateRequest { acl: Some(vec![nobody]), ..create("/y", 0) };
    let items = [made("/x", 0), (OpCode::Create, bytes(&bad))];
    let failed = Prepared::Logged { kind: TxnKind::Error, error: Some(Code::MarshallingError) };
    assert_eq!(ask(&mut world, &items), failed);
    assert!(world.pending.is_empty());
    assert_eq!(outcome(world.ask_as(ME, OpCode::Create, &bytes(&create("/x", 0)))), Ok(TxnKind::Create));
    world.settle();
}

#[test]
fn kinds_turn_while_they_are_decoded() {
    let mut world = World::new();
    let items = [
        made("/container", 4),
        (OpCode::CreateTtl, bytes(&create_ttl("/plain", 0, -1))),
        (OpCode::CreateTtl, bytes(&create_ttl("/ttl", 5, 9))),
        (OpCode::Create2, bytes(&create("/two", 0))),
    ];
    assert_eq!(ask(&mut world, &items), DONE);
    let kinds: Vec<i32> = subs(&world).iter().map(|&(kind, _)| kind).collect();
    assert_eq!(kinds, [19, 1, 21, 15]);
    world.settle();
}
