//! Figures that ZooKeeper 3.9.5 showed: storage.md §15, client-protocol.md §12.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use proto::{
    Acl, CreateSessionTxn, CreateTxn, Id, Perms, SessionId, Stat, StatPersisted, Txn, TxnDigest, Zxid,
};

use super::{OPTIONS, SESSION, create, entry, open, readable, set_data};
use crate::auth::{AuthOptions, permits};
use crate::{DigestCheck, Outcome, Tree, TreeLoader};

/// The log of storage.md §15.1, with the digests the original computed.
fn written_by_java() -> Tree {
    let mut tree = Tree::new(OPTIONS);
    let digest_auth = Acl { perms: 31, id: Id::new("digest", "u:5w9W4eL3797Y4Wq8AcKUPPk8ha4=") };
    let ephemeral = CreateTxn {
        path: Some("/a/e".into()),
        data: Some(b""),
        acl: Some(Vec::from([digest_auth, readable().remove(0)])),
        ephemeral: true,
        parent_cversion: 1,
    };
    let log = [
        (0x1a2_030a_2b41, Txn::CreateSession(CreateSessionTxn { timeout_ms: 30_000 }), 1_371_985_504),
        (0x1a2_030a_2b5c, create("/a", b"hi"), 3_033_494_698),
        (0x1a2_030a_2b7b, Txn::Create(ephemeral), 5_757_234_073),
        (0x1a2_030a_2b86, set_data("/a", b"hi2", 1), 5_346_163_756),
    ];
    for (zxid, (time, txn, tree_digest)) in (1..).zip(log) {
        let digest = Some(TxnDigest { version: 2, tree_digest });
        let applied = tree.apply(&proto::Entry { digest, ..entry(zxid, time, txn) }, &mut ()).unwrap();
        assert_eq!(applied.digest, DigestCheck::Match, "zxid {zxid}");
    }
    tree
}

#[test]
fn a_new_tree_is_what_java_starts_with() {
    let tree = Tree::new(OPTIONS);
    assert_eq!(tree.digest(), 1_371_985_504);
    assert_eq!((tree.node_count(), tree.ephemerals_count(), tree.approximate_data_size()), (5, 0, 44));
    let stat = |path| tree.node(tree.find(path).unwrap()).stat();
    assert_eq!(stat("/"), Stat { cversion: -1, num_children: 1, ..Stat::default() });
    assert_eq!(stat("/zookeeper"), Stat { cversion: -2, num_children: 2, ..Stat::default() });
    assert_eq!(stat("/zookeeper/quota"), Stat::default());
    assert_eq!(stat("/zookeeper/config"), Stat { aversion: -1, ..Stat::default() });
    let config = tree.node(tree.find("/zookeeper/config").unwrap());
    assert_eq!((config.acl(), config.acl_id(), config.data()), (&readable(), 1, Some(&b""[..])));
    assert_eq!(tree.node(tree.find("").unwrap()).acl_id(), -1);
    let children: BTreeSet<_> = tree.node(tree.find("/zookeeper").unwrap()).children().collect();
    assert_eq!(children, BTreeSet::from(["config", "quota"]));
}

#[test]
fn the_digests_of_a_log_of_java_match() {
    let tree = written_by_java();
    assert_eq!(tree.sessions().get(&SESSION), Some(&30_000));
    let persisted = |path| tree.node(tree.find(path).unwrap()).persisted();
    assert_eq!(persisted("/"), StatPersisted { cversion: 1, pzxid: Zxid(2), ..StatPersisted::default() });
    let a = StatPersisted {
        czxid: Zxid(2),
        mzxid: Zxid(4),
        ctime: 0x1a2_030a_2b5c,
        mtime: 0x1a2_030a_2b86,
        version: 1,
        cversion: 1,
        aversion: 0,
        ephemeral_owner: 0,
        pzxid: Zxid(3),
    };
    assert_eq!(persisted("/a"), a);
    assert_eq!(persisted("/a/e").ephemeral_owner, SESSION.0);
    assert_eq!(tree.ephemerals(SESSION).collect::<Vec<_>>(), [tree.find("/a/e").unwrap()]);
}

#[test]
fn a_wrong_digest_is_noticed_and_a_foreign_version_is_not_compared() {
    let mut tree = Tree::new(OPTIONS);
    let mut check = |zxid, version, tree_digest| {
        let digest = Some(TxnDigest { version, tree_digest });
        let entry = proto::Entry { digest, ..entry(zxid, 0, set_data("/none", b"", 1)) };
        tree.apply(&entry, &mut ()).unwrap().digest
    };
    assert_eq!(check(1, 2, 7), DigestCheck::Mismatch { expected: 7, actual: 1_371_985_504 });
    assert_eq!(check(2, 3, 7), DigestCheck::NotCompared);
    assert_eq!(check(3, 2, 1_371_985_504), DigestCheck::Match);
}

#[test]
fn a_snapshot_holds_the_bytes_java_writes() {
    let mut tree = written_by_java();
    let (walk, head) = tree.snapshot_begin();
    assert_eq!((head.zxid, head.digest), (Zxid(4), 5_346_163_756));
    assert_eq!(head.sessions, [(SESSION, 30_000)]);
    assert_eq!(head.acls.iter().map(|(id, list)| (*id, list.len())).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    let mut out = Vec::new();
    assert!(tree.snapshot_step(walk, 100, &mut out));
    let root = "00000000 00000000 ffffffffffffffff
        0000000000000000 0000000000000000 0000000000000000 0000000000000000
        00000000 00000001 00000000 0000000000000000 0000000000000002";
    assert!(hex(&out).starts_with(&root.split_whitespace().collect::<alloc::string::String>()));
    // The open list has no id of its own here, where Java counted it as 2.
    let a = "00000002 2f61 00000003 686932 ffffffffffffffff 0000000000000002 0000000000000004
        000001a2030a2b5c 000001a2030a2b86 00000001 00000001 00000000 0000000000000000 0000000000000003";
    assert!(hex(&out).contains(&a.split_whitespace().collect::<alloc::string::String>()));
}

fn hex(bytes: &[u8]) -> alloc::string::String {
    bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
}

#[test]
fn a_snapshot_of_java_loads_with_its_ids() {
    let mut loader = TreeLoader::new(OPTIONS);
    loader.add_session(SESSION, 30_000);
    loader.add_acl(1, readable());
    loader.add_acl(2, open());
    loader.add_acl(9, Vec::new());
    let java = written_by_java();
    for (path, acl_id) in [("", -1), ("/a", 2), ("/a/e", 3), ("/zookeeper", -1), ("/zookeeper/config", 1)] {
        let node = java.node(java.find(path).unwrap());
        loader.add_node(path, node.data(), acl_id, &node.persisted()).unwrap();
    }
    let mut tree = loader.finish(Zxid(4)).unwrap();
    assert_eq!(tree.digest(), 5_346_163_756);
    assert!(tree.find("/zookeeper/quota").is_some(), "what is built in comes back");
    assert_eq!(tree.node(tree.find("/a").unwrap()).acl_id(), 2);
    // The list of id 3 was not in the table: nobody may do anything.
    let lost = tree.node(tree.find("/a/e").unwrap()).acl();
    assert!(!permits(&AuthOptions::default(), lost, Perms::ALL, &[]));
    assert_eq!(tree.acl_id_of(&[]), None, "nobody uses list 9");
    super::next(&mut tree, create("/b", b""));
    let own = Txn::SetAcl(proto::SetAclTxn { path: Some("/b".into()), acl: Some(Vec::new()), version: 1 });
    super::next(&mut tree, own);
    assert_eq!(tree.node(tree.find("/b").unwrap()).acl_id(), 10);
}

#[test]
fn stats_are_those_of_the_worked_frames() {
    let mut tree = Tree::new(OPTIONS);
    let (session, created, set) = (SessionId(0x0100_0021_c96c_0000), 0x1a2_0307_6ac6, 0x1a2_0307_76fe);
    let mut apply = |zxid, time, txn| {
        let mut entry = entry(zxid, time, txn);
        entry.header.session = session;
        tree.apply(&entry, &mut ()).unwrap().outcome
    };
    apply(2, created, create("/a", b"hi"));
    let sequential = CreateTxn {
        path: Some("/a/e-0000000000".into()),
        data: Some(b""),
        acl: Some(open()),
        ephemeral: true,
        parent_cversion: 1,
    };
    let stat = Stat {
        czxid: Zxid(3),
        mzxid: Zxid(3),
        ctime: 0x1a2_0307_6d21,
        mtime: 0x1a2_0307_6d21,
        ephemeral_owner: session,
        pzxid: Zxid(3),
        ..Stat::default()
    };
    assert_eq!(apply(3, 0x1a2_0307_6d21, Txn::Create2(sequential)), Outcome::Created(stat));
    let stat = Stat {
        czxid: Zxid(2),
        mzxid: Zxid(5),
        ctime: created,
        mtime: set,
        version: 1,
        cversion: 1,
        data_length: 3,
        num_children: 1,
        pzxid: Zxid(3),
        ..Stat::default()
    };
    assert_eq!(apply(5, set, set_data("/a", b"yo!", 1)), Outcome::Set(stat));
    let node = tree.node(tree.find("/a").unwrap());
    assert_eq!((node.stat(), node.children().collect::<Vec<_>>()), (stat, Vec::from(["e-0000000000"])));
}
