//! What the tree as a whole promises.

mod golden;
mod model;
mod picture;
mod properties;
mod replay;
mod rules;
mod script;

use alloc::string::String;
use alloc::vec::Vec;

use proto::{Acl, AclList, CreateTxn, DeleteTxn, Entry, Id, SessionId, SetDataTxn, Txn, TxnHeader, Zxid};

use crate::{Applied, Outcome, Tree, TreeOptions};

pub(super) const OPTIONS: TreeOptions =
    TreeOptions { hash_seed: 11, extended_types: true, emulate_353_ttl: false, digest: true };
pub(super) const SESSION: SessionId = SessionId(0x0100_0024_8dd1_0000);

/// A transaction at this zxid and time.
pub(super) fn entry(zxid: i64, time: i64, txn: Txn<'_>) -> Entry<'_> {
    let header = TxnHeader { session: SESSION, cxid: 0, zxid: Zxid(zxid), time, kind: txn.kind().number() };
    Entry { header, txn, digest: None }
}

pub(super) fn open() -> AclList {
    Vec::from([Acl::open()])
}

pub(super) fn readable() -> AclList {
    Vec::from([Acl { perms: 1, id: Id::new("world", "anyone") }])
}

pub(super) fn create<'a>(path: &'a str, data: &'a [u8]) -> Txn<'a> {
    let path = Some(path.into());
    Txn::Create(CreateTxn {
        path,
        data: Some(data),
        acl: Some(open()),
        ephemeral: false,
        parent_cversion: -1,
    })
}

pub(super) fn delete(path: &str) -> Txn<'_> {
    Txn::Delete(DeleteTxn { path: Some(path.into()) })
}

pub(super) fn set_data<'a>(path: &'a str, data: &'a [u8], version: i32) -> Txn<'a> {
    Txn::SetData(SetDataTxn { path: Some(path.into()), data: Some(data), version })
}

/// Applies `txn` as the next transaction, at a time equal to its zxid.
pub(super) fn next(tree: &mut Tree, txn: Txn<'_>) -> Outcome {
    let zxid = tree.last_zxid().0 + 1;
    let Applied { outcome, .. } = tree.apply(&entry(zxid, zxid, txn), &mut ()).unwrap();
    outcome
}

pub(super) fn data(tree: &Tree, path: &str) -> Option<String> {
    let data = tree.node(tree.find(path)?).data()?;
    Some(String::from_utf8(data.into()).unwrap())
}
