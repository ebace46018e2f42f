//! Transactions, as they come from a log or a leader.

use proto::{Encode, Entry, Zxid};
use server::history::History;
use store::mem::MemDisk;
use store::snapshot::{
    Compression, SnapshotDigest, SnapshotOptions, SnapshotWriter, load_snapshot, put_acl, put_session,
};
use store::{Disk, RecoverSink};
use tree::Tree;

use crate::client::TREE;
use crate::pieces::Pieces;

/// Entries one behind the other, each applied to a tree; at the end the tree goes through a snapshot and back.
pub fn txn_payload(data: &[u8]) {
    let mut tree = Tree::new(TREE);
    for (control, payload) in Pieces::new(data).take(200) {
        apply(&mut tree, payload);
        if control == 0xff {
            tree = through_snapshot(&mut tree);
        }
    }
    through_snapshot(&mut tree);
}

fn apply(tree: &mut Tree, payload: &[u8]) {
    let Ok(entry) = Entry::decode(payload) else { return };
    let mut again = Vec::new();
    entry.encode(&mut again);
    let reread = Entry::decode(&again).expect("what was written can be read");
    assert_eq!(reread.header, entry.header);
    let before = (tree.last_zxid(), tree.digest(), tree.node_count());
    if tree.apply(&entry, &mut ()).is_err() {
        assert_eq!(
            (tree.last_zxid(), tree.digest(), tree.node_count()),
            before,
            "a refused one changes nothing"
        );
    }
}

/// Writes a snapshot of the tree and reads it back: the same tree.
fn through_snapshot(tree: &mut Tree) -> Tree {
    let disk = MemDisk::new();
    disk.create_dir("d").expect("a disk in memory has room");
    let (walk, head) = tree.snapshot_begin();
    // The name of a file has a zxid that is not negative; transactions made up here may have any.
    let zxid = head.zxid.max(Zxid::ZERO);
    let options = SnapshotOptions { compression: Compression::Plain };
    let mut writer =
        SnapshotWriter::create(disk.clone(), "d", zxid, options, head.sessions.len()).expect("room");
    let mut out = Vec::new();
    for (session, timeout_ms) in &head.sessions {
        put_session(&mut out, *session, *timeout_ms);
    }
    writer.push(&out).expect("room");
    writer.start_acls(head.acls.len()).expect("room");
    out.clear();
    for (id, acl) in &head.acls {
        put_acl(&mut out, *id, acl);
    }
    while !tree.snapshot_step(walk, 7, &mut out) {}
    writer.push(&out).expect("room");
    let digest = SnapshotDigest { zxid, version: 2, digest: head.digest.cast_signed() };
    let (name, _) = writer.finish(Some(digest), Some(zxid)).expect("room");
    let mut history = History::new(TREE);
    let end = load_snapshot(&disk, "d", &name, &mut history).expect("our own snapshot is sound");
    history.snapshot_end(&end);
    let read = history.into_tree().expect("our own snapshot is a tree");
    assert_eq!(read.node_count(), tree.node_count());
    assert_eq!(read.digest(), tree.digest());
    assert_eq!(read.sessions(), tree.sessions());
    assert_eq!(read.ephemerals_count(), tree.ephemerals_count());
    read
}
