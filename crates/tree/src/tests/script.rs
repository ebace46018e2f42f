//! Operations that a property test draws, and the transactions they stand for.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;
use proto::{
    Acl, AclList, CheckVersionTxn, CloseSessionTxn, Code, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn,
    CreateTxn, DeleteTxn, Encode, Entry, ErrorTxn, Id, SessionId, SetAclTxn, SetDataTxn, SubTxn, Txn,
    TxnHeader, Zxid,
};

/// What is drawn. It owns everything, so that it can be kept and replayed.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Create { kind: Kind, path: String, data: Option<Vec<u8>>, acl: u8, parent_cversion: i32 },
    Delete { path: String },
    SetData { path: String, data: Option<Vec<u8>>, version: i32 },
    SetAcl { path: String, acl: u8, version: i32 },
    Check { path: String },
    OpenSession { timeout_ms: i32 },
    CloseSession { listed: Vec<String> },
    Fail,
    Multi(Vec<Op>),
}

/// What kind of znode, by which transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Plain,
    Plain2,
    Ephemeral,
    Container,
    Ttl,
}

/// Lists worth telling apart; the first is the open one.
pub(super) fn list(number: u8) -> Option<AclList> {
    let acl = |perms| Acl { perms, id: Id::new("ip", "127.0.0.1") };
    match number {
        0 => Some(Vec::from([Acl::open()])),
        1 => None,
        2 => Some(Vec::new()),
        n => Some(Vec::from([acl(i32::from(n)), acl(1)])),
    }
}

/// What nodes have as list: null is open.
pub(super) fn effective(number: u8) -> AclList {
    list(number).unwrap_or_else(|| Vec::from([Acl::open()]))
}

impl Op {
    pub(super) fn txn(&self) -> Txn<'_> {
        match self {
            Self::Create { kind, path, data, acl, parent_cversion } => {
                create(*kind, path, data.as_deref(), list(*acl), *parent_cversion)
            }
            Self::Delete { path } => Txn::Delete(DeleteTxn { path: Some(path.as_str().into()) }),
            Self::SetData { path, data, version } => Txn::SetData(SetDataTxn {
                path: Some(path.as_str().into()),
                data: data.as_deref(),
                version: *version,
            }),
            Self::SetAcl { path, acl, version } => Txn::SetAcl(SetAclTxn {
                path: Some(path.as_str().into()),
                acl: list(*acl),
                version: *version,
            }),
            Self::Check { path } => {
                Txn::Check(CheckVersionTxn { path: Some(path.as_str().into()), version: 1 })
            }
            Self::OpenSession { timeout_ms } => {
                Txn::CreateSession(CreateSessionTxn { timeout_ms: *timeout_ms })
            }
            Self::CloseSession { listed } => Txn::CloseSession(Some(CloseSessionTxn {
                paths: Some(listed.iter().map(|path| Some(path.as_str().into())).collect()),
            })),
            Self::Fail => Txn::Error(ErrorTxn::new(Code::BadVersion)),
            Self::Multi(_) => unreachable!("a multi is encoded item by item"),
        }
    }

    /// Calls `run` with the transaction as it would come out of a log.
    pub(super) fn with_entry<T>(&self, session: i64, zxid: i64, run: impl FnOnce(&Entry<'_>) -> T) -> T {
        let mut bodies = Vec::new();
        let txn = if let Self::Multi(items) = self {
            bodies.extend(items.iter().map(|item| encoded(&item.txn())));
            Txn::Multi(bodies.iter().map(|(kind, body)| SubTxn { kind: *kind, data: Some(body) }).collect())
        } else {
            self.txn()
        };
        let header = TxnHeader {
            session: SessionId(session),
            cxid: 0,
            zxid: Zxid(zxid),
            time: 1000 + zxid,
            kind: txn.kind().number(),
        };
        run(&Entry { header, txn, digest: None })
    }
}

fn encoded(txn: &Txn<'_>) -> (i32, Vec<u8>) {
    let mut body = Vec::new();
    txn.encode(&mut body);
    (txn.kind().number(), body)
}

fn create<'a>(
    kind: Kind,
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: Option<AclList>,
    parent_cversion: i32,
) -> Txn<'a> {
    let path = Some(path.into());
    let ephemeral = kind == Kind::Ephemeral;
    match kind {
        Kind::Plain | Kind::Ephemeral => {
            Txn::Create(CreateTxn { path, data, acl, ephemeral, parent_cversion })
        }
        Kind::Plain2 => Txn::Create2(CreateTxn { path, data, acl, ephemeral, parent_cversion }),
        Kind::Container => Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion }),
        Kind::Ttl => Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl_ms: 1234 }),
    }
}

pub(super) fn any_path() -> impl Strategy<Value = String> {
    let plain =
        prop::collection::vec(prop::sample::select(&["a", "b", "ü", "long-name-of-a-znode"][..]), 1..4)
            .prop_map(|names| names.iter().fold(String::new(), |path, name| path + "/" + name));
    let numbered = (0..40_u8).prop_map(|n| alloc::format!("/a/n{n:010}"));
    let quota = prop::sample::select(
        &[
            "/zookeeper/quota/a",
            "/zookeeper/quota/a/zookeeper_limits",
            "/zookeeper/quota/a/zookeeper_stats",
            "/zookeeper/quota/a/b",
            "/zookeeper/quota/a/b/zookeeper_limits",
            "/zookeeper/quota/a/b/zookeeper_stats",
            "/zookeeper/quota/zookeeper_limits",
            "/",
        ][..],
    )
    .prop_map(ToOwned::to_owned);
    prop_oneof![4 => plain, 4 => numbered, 2 => quota]
}

fn any_data() -> impl Strategy<Value = Option<Vec<u8>>> {
    let length = prop_oneof![8 => 0..40_usize, 2 => 90..140_usize, 1 => 4000..4200_usize];
    prop::option::weighted(0.9, (length, any::<u8>()).prop_map(|(length, byte)| alloc::vec![byte; length]))
}

fn any_item() -> impl Strategy<Value = Op> {
    let kind = prop::sample::select(
        &[Kind::Plain, Kind::Plain2, Kind::Ephemeral, Kind::Ephemeral, Kind::Container, Kind::Ttl][..],
    );
    let version = prop_oneof![Just(i32::MAX), Just(i32::MIN), -1..9_i32];
    let cversion = prop_oneof![6 => Just(-1), 2 => 0..60_i32];
    let set_version = version.clone();
    prop_oneof![
        8 => (kind, any_path(), any_data(), 0..6_u8, cversion)
            .prop_map(|(kind, path, data, acl, parent_cversion)| Op::Create { kind, path, data, acl, parent_cversion }),
        3 => any_path().prop_filter("the root stays", |path| path != "/").prop_map(|path| Op::Delete { path }),
        3 => (any_path(), any_data(), set_version).prop_map(|(path, data, version)| Op::SetData { path, data, version }),
        1 => any_path().prop_map(|path| Op::Check { path }),
    ]
}

pub(super) fn any_op() -> impl Strategy<Value = Op> {
    let acl = (any_path(), 0..6_u8, 0..5_i32);
    let listed = prop::collection::vec(any_path().prop_filter("the root stays", |path| path != "/"), 0..4);
    prop_oneof![
        20 => any_item(),
        2 => acl.prop_map(|(path, acl, version)| Op::SetAcl { path, acl, version }),
        1 => (4000..40_000_i32).prop_map(|timeout_ms| Op::OpenSession { timeout_ms }),
        1 => listed.prop_map(|listed| Op::CloseSession { listed }),
        1 => Just(Op::Fail),
        2 => prop::collection::vec(prop_oneof![12 => any_item(), 1 => Just(Op::Fail)], 0..5).prop_map(Op::Multi),
    ]
}
