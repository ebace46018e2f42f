//! Single rules, each in a few lines.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proto::{
    CloseSessionTxn, Code, CreateTtlTxn, CreateTxn, DeleteTxn, SessionId, StatPersisted, SubTxn, Txn,
    TxnError, Zxid,
};

use super::{OPTIONS, SESSION, create, data, delete, entry, next, open, set_data};
use crate::digest::node_digest;
use crate::{ApplyError, DigestCheck, LoadError, Observer, Outcome, Touched, Tree, TreeLoader, TreeOptions};

fn ephemeral(path: &str) -> Txn<'_> {
    let path = Some(path.into());
    Txn::Create(CreateTxn { path, data: None, acl: Some(open()), ephemeral: true, parent_cversion: -1 })
}

/// Writes down what it hears.
#[derive(Default)]
struct Heard(Vec<String>);

impl Heard {
    fn note(&mut self, what: &str, zxid: Zxid, at: &Touched<'_>) {
        let lists = (at.acl.len(), at.parent_acl.len());
        self.0.push(format!(
            "{what} {} at {zxid} lists {lists:?} parent {:?}",
            at.path,
            at.parent.map(|id| id.0)
        ));
    }
}

impl Observer for Heard {
    fn created(&mut self, zxid: Zxid, at: &Touched<'_>) {
        self.note("created", zxid, at);
    }
    fn deleted(&mut self, zxid: Zxid, at: &Touched<'_>) {
        self.note("deleted", zxid, at);
    }
    fn data_changed(&mut self, zxid: Zxid, at: &Touched<'_>) {
        self.note("set", zxid, at);
    }
}

#[test]
fn observers_hear_each_change_in_order() {
    let mut tree = Tree::new(OPTIONS);
    let mut heard = Heard::default();
    let close = Txn::CloseSession(Some(CloseSessionTxn { paths: Some(Vec::from([Some("/b".into())])) }));
    let log = [create("/a", b""), ephemeral("/b"), ephemeral("/a/c"), set_data("/", b"x", 1), close];
    for (zxid, txn) in (1..).zip(log) {
        tree.apply(&entry(zxid, 0, txn), &mut heard).unwrap();
    }
    let expected = [
        "created /a at 0x1 lists (1, 1) parent Some(0)",
        "created /b at 0x2 lists (1, 1) parent Some(0)",
        "created /a/c at 0x3 lists (1, 1) parent Some(4)",
        "set / at 0x4 lists (1, 0) parent None",
        "deleted /b at 0x5 lists (1, 1) parent Some(0)",
        // Not listed, and still the session's.
        "deleted /a/c at 0x5 lists (1, 1) parent Some(4)",
    ];
    assert_eq!(heard.0, expected);
}

/// Ids differ between a member that lived through the log and one that loaded a snapshot; what they do may not.
#[test]
fn what_a_session_leaves_behind_goes_in_the_order_of_paths() {
    let mut tree = Tree::new(OPTIONS);
    for path in ["/z", "/a", "/m"] {
        next(&mut tree, ephemeral(path));
    }
    let mut heard = Heard::default();
    tree.apply(&entry(4, 0, Txn::CloseSession(None)), &mut heard).unwrap();
    let paths: Vec<_> = heard.0.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(paths, ["/a", "/m", "/z"]);
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let mut tree = Tree::new(OPTIONS);
    let zxid = Zxid(1);
    let nowhere = |path| Txn::Delete(DeleteTxn { path });
    let ttl = CreateTtlTxn { path: Some("/t".into()), data: None, acl: None, parent_cversion: -1, ttl_ms: 0 };
    let good = {
        let mut body = Vec::new();
        proto::Encode::encode(&create("/g", b""), &mut body);
        body
    };
    let multi = |kind, data| {
        let good = SubTxn { kind: 1, data: Some(good.as_slice()) };
        Txn::Multi(Vec::from([good, SubTxn { kind, data }]))
    };
    let item = |source| ApplyError::Item { zxid, item: 1, source };
    let cases = [
        (nowhere(None), ApplyError::Path { zxid }),
        (nowhere(Some("".into())), ApplyError::Path { zxid }),
        (nowhere(Some("no-slash".into())), ApplyError::Path { zxid }),
        (nowhere(Some("/".into())), ApplyError::Root { zxid }),
        (Txn::CreateTtl(ttl), ApplyError::Ttl { zxid, ttl_ms: 0 }),
        (multi(14, None), item(TxnError::Kind(14))),
        (multi(7, Some(&[0; 12])), item(TxnError::Kind(7))),
        (multi(1, Some(&[0; 3])), item(TxnError::Malformed(proto::DecodeError::Truncated))),
    ];
    for (txn, error) in cases {
        assert_eq!(tree.apply(&entry(1, 0, txn), &mut ()), Err(error));
        assert_eq!((tree.last_zxid(), tree.digest(), tree.node_count()), (Zxid(0), 1_371_985_504, 5));
    }
}

/// `//ea` made a znode below the root that counted in the root's digest under another path, `/a/` one without a name.
#[test]
fn a_path_with_an_empty_name_is_no_path() {
    let mut tree = Tree::new(OPTIONS);
    tree.apply(&entry(1, 0, create("/a", b"")), &mut ()).unwrap();
    let zxid = Zxid(2);
    let before = (tree.digest(), tree.node_count());
    for path in ["//ea", "//a", "///a", "/a/", "//", "/a//", "/zookeeper/quota/", "a/"] {
        let listed = CloseSessionTxn { paths: Some([Some(path.into())].into()) };
        let gone = Txn::Delete(DeleteTxn { path: Some(path.into()) });
        for txn in [create(path, b""), set_data(path, b"x", 1), gone, Txn::CloseSession(Some(listed))] {
            assert_eq!(tree.apply(&entry(2, 0, txn), &mut ()), Err(ApplyError::Path { zxid }), "{path}");
        }
    }
    // Deeper ones find no parent.
    for path in ["/a//b", "/zookeeper//quota"] {
        let applied = tree.apply(&entry(2, 0, create(path, b"")), &mut ()).unwrap();
        assert_eq!(applied.outcome, Outcome::Failed(Code::NoNode), "{path}");
    }
    assert_eq!((tree.digest(), tree.node_count()), before);
}

#[test]
fn the_zxid_rises_over_failures_and_never_falls() {
    let mut tree = Tree::new(OPTIONS);
    let failed = tree.apply(&entry(9, 0, delete("/none")), &mut ()).unwrap();
    assert_eq!((failed.outcome, tree.last_zxid()), (Outcome::Failed(Code::NoNode), Zxid(9)));
    // A parent takes part even if the child is gone.
    assert_eq!(tree.node(tree.find("/").unwrap()).stat().pzxid, Zxid(9));
    tree.apply(&entry(3, 0, create("/late", b"")), &mut ()).unwrap();
    assert_eq!(tree.last_zxid(), Zxid(9));
}

#[test]
fn a_quota_counts_what_is_below_it() {
    let mut tree = Tree::new(OPTIONS);
    for path in ["/q", "/q/before", "/other"] {
        next(&mut tree, create(path, b"12345"));
    }
    assert_eq!(tree.quota("/q"), None);
    next(&mut tree, create("/zookeeper/quota/q", b""));
    next(&mut tree, create("/zookeeper/quota/q/zookeeper_limits", b"count=9,bytes=-1=;byteHardLimit=100"));
    next(&mut tree, create("/zookeeper/quota/q/zookeeper_stats", b"count=0,bytes=0"));
    let stats = "/zookeeper/quota/q/zookeeper_stats";
    assert_eq!(data(&tree, stats).unwrap(), "count=2,bytes=10");
    next(&mut tree, create("/q/after", b"123"));
    next(&mut tree, create("/qq", b"123"));
    next(&mut tree, set_data("/q/before", b"1234567", 1));
    assert_eq!(data(&tree, stats).unwrap(), "count=3,bytes=15");
    let quota = tree.quota("/q/after/deeper").unwrap();
    assert_eq!((quota.prefix.as_str(), quota.usage.count, quota.usage.bytes), ("/q", 3, 15));
    assert_eq!((quota.limits.count, quota.limits.byte_hard_limit), (9, 100));
    // Bookkeeping shows in the data alone.
    assert_eq!(tree.node(tree.find(stats).unwrap()).stat().version, 0);
    next(&mut tree, delete("/zookeeper/quota/q/zookeeper_limits"));
    next(&mut tree, delete("/q/after"));
    assert_eq!(data(&tree, stats).unwrap(), "count=3,bytes=15");
    // A quota that comes back counts anew.
    next(&mut tree, create("/zookeeper/quota/q/zookeeper_limits", b"count=9"));
    assert_eq!(data(&tree, stats).unwrap(), "count=2,bytes=12");
    // What no number can be read from is unlimited, and goes on from there.
    next(&mut tree, set_data(stats, b"count=x,bytes", 1));
    next(&mut tree, create("/q/more", b""));
    assert_eq!(data(&tree, stats).unwrap(), "count=0,bytes=-1");
}

#[test]
fn a_parent_that_was_deleted_too_early_takes_its_children_along() {
    let mut tree = Tree::new(OPTIONS);
    for path in ["/p", "/p/c", "/p/c/d", "/p/e"] {
        next(&mut tree, create(path, b""));
    }
    let mut heard = Heard::default();
    tree.apply(&entry(5, 0, delete("/p")), &mut heard).unwrap();
    assert_eq!((heard.0.len(), tree.node_count()), (4, 5));
    assert!(heard.0[3].starts_with("deleted /p at"));
}

#[test]
fn digests_are_noted_at_every_128th_zxid() {
    let mut tree = Tree::new(OPTIONS);
    for zxid in 1..=128 * 1030 {
        tree.apply(&entry(zxid, 0, set_data("/none", b"", 0)), &mut ()).unwrap();
    }
    assert_eq!(tree.digest_log().len(), 1024);
    assert_eq!(tree.digest_log().next(), Some((Zxid(128 * 7), tree.digest())));
}

#[test]
fn without_digests_nothing_is_computed_or_compared() {
    let mut tree = Tree::new(TreeOptions { digest: false, ..OPTIONS });
    let digest = Some(proto::TxnDigest { version: 2, tree_digest: 1 });
    let applied = tree.apply(&proto::Entry { digest, ..entry(128, 0, create("/a", b"")) }, &mut ()).unwrap();
    assert_eq!((applied.digest, tree.digest(), tree.digest_log().len()), (DigestCheck::NotCompared, 0, 0));
    assert_eq!(tree.node(tree.find("/").unwrap()).digest(), 0);
}

fn loader() -> TreeLoader {
    let mut loader = TreeLoader::new(OPTIONS);
    loader.add_node("", Some(b""), -1, &StatPersisted::default()).unwrap();
    loader
}

#[test]
fn a_fuzzy_snapshot_is_compared_where_it_says() {
    let load = |digest| {
        let mut loader = loader();
        loader.expect_digest(Zxid(3), digest);
        loader.finish(Zxid(1)).unwrap()
    };
    let expected = load(0).digest();
    let mut tree = load(expected);
    let mut check = |zxid| tree.apply(&entry(zxid, 0, set_data("/none", b"", 0)), &mut ()).unwrap().digest;
    assert_eq!(
        [check(2), check(3), check(4)],
        [DigestCheck::NotCompared, DigestCheck::Match, DigestCheck::NotCompared]
    );
    let mut tree = load(5);
    let wrong = tree.apply(&entry(3, 0, set_data("/none", b"", 0)), &mut ()).unwrap().digest;
    assert_eq!(wrong, DigestCheck::Mismatch { expected: 5, actual: expected });
}

/// A znode that never changed keeps no digest before it has a child.
#[test]
fn the_digest_of_a_loaded_tree_is_that_of_its_znodes() {
    let stat = StatPersisted::default();
    let of_all = |tree: &Tree| {
        let nodes = tree.subtree(tree.find("/").unwrap()).map(|id| tree.node(id));
        nodes
            .map(|node| node_digest(&node.path(), node.data().unwrap_or_default(), &node.persisted()))
            .sum::<u64>()
    };
    let mut loader = loader();
    for path in ["/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/1"] {
        loader.add_node(path, Some(b"data"), -1, &stat).unwrap();
    }
    let mut tree = loader.finish(Zxid(1)).unwrap();
    assert_eq!(tree.digest(), of_all(&tree));
    for (zxid, path) in (2..).zip(["/c", "/a/z", "/a/x/2", "/a/y/1", "/b/x/1"]) {
        tree.apply(&entry(zxid, 0, create(path, b"")), &mut ()).unwrap();
        assert_eq!(tree.digest(), of_all(&tree), "behind {path}");
    }
}

#[test]
fn records_that_are_no_tree_are_refused_by_name() {
    let stat = StatPersisted::default();
    let missing = LoadError::ParentMissing { path: "/a/b".into(), parent: "/a".into() };
    assert_eq!(loader().add_node("/a/b", None, -1, &stat), Err(missing));
    assert_eq!(loader().add_node("", None, -1, &stat), Err(LoadError::Twice { path: "".into() }));
    assert_eq!(loader().add_node("/", None, -1, &stat), Err(LoadError::Path { path: "/".into() }));
    assert_eq!(loader().add_node("a", None, -1, &stat), Err(LoadError::Path { path: "a".into() }));
    let mut twice = loader();
    twice.add_node("/a", None, -1, &stat).unwrap();
    twice.add_node("/a", None, -1, &stat).unwrap();
    assert_eq!(twice.end_of_nodes(), Err(LoadError::Twice { path: "/a".into() }));
    assert!(matches!(TreeLoader::new(OPTIONS).finish(Zxid(0)), Err(LoadError::NoRoot)));
}

#[test]
fn sessions_that_own_but_are_not_listed_are_orphans() {
    let mut loader = loader();
    loader.add_session(SessionId(5), 4000);
    for (path, owner) in [("/x", 5), ("/y", 6), ("/z", 6)] {
        let stat = StatPersisted { ephemeral_owner: owner, ..StatPersisted::default() };
        loader.add_node(path, None, -1, &stat).unwrap();
    }
    let tree = loader.finish(Zxid(1)).unwrap();
    assert_eq!(tree.orphans().collect::<Vec<_>>(), [SessionId(6)]);
    assert_eq!(tree.ephemerals(SessionId(6)).count(), 2);
    assert_eq!(tree.ephemerals(SESSION).count(), 0);
}

#[test]
fn a_znode_costs_what_the_design_says() {
    let shape = |name_len: usize, data: &[u8], fan_out: usize| {
        let mut tree = Tree::new(OPTIONS);
        let start = tree.memory_bytes();
        let count = 100_000;
        for n in 0..count {
            let parent = format!("/p{:05}", n / fan_out);
            if n % fan_out == 0 {
                next(&mut tree, create(&parent, b""));
            }
            next(&mut tree, create(&format!("{parent}/{n:0name_len$}"), data));
        }
        (tree.memory_bytes() - start) / count
    };
    let (flat, production) = (shape(8, &[7; 100], 100_000), shape(24, &[7; 46], 1000));
    assert!(flat <= 160, "8-character names, 100 bytes of data: {flat} bytes per znode");
    assert!(production <= 120, "24-character names, 46 bytes of data: {production} bytes per znode");
}

/// A first setData makes a znode longer, so all of them move, one by one and in no order.
#[test]
fn overwriting_leaves_no_holes_behind() {
    let (count, data) = (100_000, [7; 100]);
    let mut tree = Tree::new(OPTIONS);
    let start = tree.memory_bytes();
    for n in 0..count {
        next(&mut tree, create(&format!("/{n:08}"), &data));
    }
    let each = |tree: &Tree| (tree.memory_bytes() - start) / count;
    let loaded = each(&tree);
    let (mut most, mut at) = (0, 1_usize);
    for version in 0..2 * count {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let path = format!("/{:08}", (at >> 20) % count);
        next(&mut tree, set_data(&path, &data, i32::try_from(version).unwrap()));
        most = most.max(each(&tree));
    }
    let left = each(&tree);
    assert!(left <= loaded + 24, "{loaded} bytes per znode, {left} after overwriting");
    assert!(most <= loaded + 64, "{loaded} bytes per znode, {most} in between");
}

#[test]
fn very_long_names_and_data_and_depths_are_kept() {
    let mut tree = Tree::new(OPTIONS);
    let name = "n".repeat(70_000);
    let path = format!("/{name}");
    let (big, small) = (alloc::vec![1; 100_000], [2; 10]);
    assert!(
        matches!(next(&mut tree, create(&path, &big)), Outcome::Created(stat) if stat.data_length == 100_000)
    );
    next(&mut tree, create(&format!("{path}/c"), b""));
    assert!(
        matches!(next(&mut tree, set_data(&path, &small, 1)), Outcome::Set(stat) if stat.num_children == 1)
    );
    let node = tree.node(tree.find(&path).unwrap());
    assert_eq!((node.name(), node.data(), node.path()), (name.as_str(), Some(&small[..]), path.clone()));
    next(&mut tree, set_data(&path, &big, 2));
    assert_eq!(tree.node(tree.find(&path).unwrap()).data(), Some(big.as_slice()));
    next(&mut tree, delete(&path));
    let mut deep = String::new();
    for _ in 0..2000 {
        deep.push_str("/d");
        next(&mut tree, create(&deep, b""));
    }
    assert_eq!(tree.descendants(tree.find("/d").unwrap()), 1999);
    next(&mut tree, delete("/d"));
    assert_eq!(tree.node_count(), 5);
}
