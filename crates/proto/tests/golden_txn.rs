//! Transactions as Java 3.9.5 wrote them to its log; storage.md §15.

mod common;

use common::{bytes, encoded};
use proto::{Acl, CloseSessionTxn, Entry, Id, SessionId, SubTxn, Txn, TxnDigest, TxnError, TxnKind, Zxid};

const SESSION: SessionId = SessionId(0x0100_0024_8dd1_0000);
const OPEN: &str = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";

/// The transaction that `golden` spells, which must encode to the same bytes.
fn entry(golden: &[u8]) -> Entry<'_> {
    let entry = Entry::decode(golden).expect("a golden transaction decodes");
    assert_eq!(encoded(&entry), golden, "{entry:?}");
    assert_eq!(Entry::zxid(golden), Ok(entry.header.zxid));
    entry
}

/// A payload with a header of `kind` before `body`.
fn with_header(kind: TxnKind, body: &str) -> Vec<u8> {
    let mut out = bytes("010000248dd10000 00000009 0000000000000007 000001a2030a2b86");
    out.extend(kind.number().to_be_bytes());
    out.extend(bytes(body));
    out
}

#[test]
fn a_session() {
    let golden = bytes(
        "010000248dd10000 00000000 0000000000000001 000001a2030a2b41 fffffff6 00007530 00000002 0000000051c6d660",
    );
    assert_eq!(golden.len(), 48);
    let entry = entry(&golden);
    assert_eq!((entry.header.session, entry.header.zxid), (SESSION, Zxid(1)));
    assert_eq!(entry.header.time, 1_795_347_327_809);
    assert!(matches!(entry.txn, Txn::CreateSession(session) if session.timeout_ms == 30_000));
    assert_eq!(entry.digest, Some(TxnDigest { version: 2, tree_digest: 1_371_985_504 }));
}

#[test]
fn a_znode() {
    let golden = bytes(&format!(
        "010000248dd10000 00000001 0000000000000002 000001a2030a2b5c 00000001 00000002 2f61 00000002 6869 \
         {OPEN} 00 00000001 00000002 00000000b4cf74aa"
    ));
    assert_eq!(golden.len(), 88);
    let Txn::Create(create) = entry(&golden).txn else { panic!("a create") };
    assert_eq!((create.path.as_deref(), create.data), (Some("/a"), Some(&b"hi"[..])));
    assert_eq!((create.ephemeral, create.parent_cversion), (false, 1));
}

#[test]
fn an_ephemeral_znode_with_two_acls() {
    let golden = bytes(
        "010000248dd10000 00000002 0000000000000003 000001a2030a2b7b 00000001 00000004 2f612f65 00000000 \
         00000002 0000001f 00000006 646967657374 0000001e \"u:5w9W4eL3797Y4Wq8AcKUPPk8ha4=\" \
         00000001 00000005 776f726c64 00000006 616e796f6e65 01 00000001 00000002 0000000157286b99",
    );
    assert_eq!(golden.len(), 136);
    let Txn::Create(create) = entry(&golden).txn else { panic!("a create") };
    assert_eq!((create.ephemeral, create.data), (true, Some(&b""[..])));
    let acl = create.acl.expect("a list");
    assert_eq!(acl[0].id, Id::new("digest", "u:5w9W4eL3797Y4Wq8AcKUPPk8ha4="));
    assert_eq!(acl[1], Acl { perms: 1, id: Id::new("world", "anyone") });
}

#[test]
fn data() {
    let golden = bytes(
        "010000248dd10000 00000003 0000000000000004 000001a2030a2b86 00000005 \
         00000002 2f61 00000003 686932 00000001 00000002 000000013ea7fc2c",
    );
    assert_eq!(golden.len(), 61);
    assert!(matches!(entry(&golden).txn, Txn::SetData(set) if set.version == 1));
}

#[test]
fn other_ways_to_create() {
    let golden = with_header(TxnKind::Create2, &format!("00000004 2f612f62 00000000 {OPEN} 00 00000002"));
    assert_eq!(entry(&golden).txn.kind(), TxnKind::Create2);
    let golden =
        with_header(TxnKind::Create, &format!("0000000f \"/a/s-0000000001\" ffffffff {OPEN} 00 00000002"));
    assert!(matches!(entry(&golden).txn, Txn::Create(create) if create.data.is_none()));
    let golden = with_header(TxnKind::CreateContainer, &format!("00000002 2f63 00000000 {OPEN} 00000003"));
    assert!(matches!(entry(&golden).txn, Txn::CreateContainer(create) if create.parent_cversion == 3));
    let golden =
        with_header(TxnKind::CreateTtl, &format!("00000002 2f74 00000000 {OPEN} 00000004 000000000000ea60"));
    assert!(matches!(entry(&golden).txn, Txn::CreateTtl(create) if create.ttl_ms == 60_000));
}

#[test]
fn a_create_from_before_3_4_has_no_parent_cversion() {
    let golden = with_header(TxnKind::Create, &format!("00000002 2f61 00000002 6869 {OPEN} 00"));
    let entry = Entry::decode(&golden).expect("the old form decodes");
    assert!(matches!(entry.txn, Txn::Create(create) if create.parent_cversion == -1));
    assert_eq!(entry.digest, None);
}

#[test]
fn an_error_has_no_digest() {
    let golden = with_header(TxnKind::Error, "ffffff92");
    assert_eq!(golden.len(), 36);
    let entry = entry(&golden);
    assert!(matches!(entry.txn, Txn::Error(error) if error.err == -110));
    assert_eq!(entry.digest, None);
}

#[test]
fn removals_and_lists() {
    for kind in [TxnKind::Delete, TxnKind::DeleteContainer] {
        let golden = with_header(kind, "00000002 2f74 00000002 0000000051c6d660");
        assert_eq!(entry(&golden).txn.kind(), kind);
    }
    let golden =
        with_header(TxnKind::SetAcl, &format!("00000002 2f61 {OPEN} 00000001 00000002 0000000051c6d660"));
    assert!(matches!(entry(&golden).txn, Txn::SetAcl(set) if set.version == 1));
}

#[test]
fn the_transactions_of_a_multi() {
    let golden = with_header(
        TxnKind::Multi,
        &format!(
            "00000004 0000000d 0000000a 000000022f61 00000002 \
             00000001 0000002b 000000022f6d 0000000131 {OPEN} 00 00000005 \
             00000005 0000000f 000000022f61 0000000171 00000002 \
             00000002 00000006 000000022f74 00000002 0000000051c6d660"
        ),
    );
    let Txn::Multi(subs) = entry(&golden).txn else { panic!("a multi") };
    let kinds: Vec<_> =
        subs.iter().map(|sub| Txn::decode_sub(sub).expect("a golden one decodes").kind()).collect();
    assert_eq!(kinds, [TxnKind::Check, TxnKind::Create, TxnKind::SetData, TxnKind::Delete]);
    for sub in &subs {
        let txn = Txn::decode_sub(sub).expect("a golden one decodes");
        assert_eq!(Some(&encoded(&txn)[..]), sub.data);
    }
}

#[test]
fn a_failed_multi_keeps_what_came_before() {
    let golden = with_header(
        TxnKind::Multi,
        &format!(
            "00000002 00000001 0000002c 000000032f6d32 0000000131 {OPEN} 00 00000006 \
             ffffffff 00000004 ffffff9b 00000002 0000000051c6d660"
        ),
    );
    let Txn::Multi(subs) = entry(&golden).txn else { panic!("a multi") };
    assert!(matches!(Txn::decode_sub(&subs[1]), Ok(Txn::Error(error)) if error.err == -101));
    let inside = SubTxn { kind: TxnKind::Multi.number(), data: Some(&[0; 4]) };
    assert_eq!(Txn::decode_sub(&inside), Err(TxnError::Kind(14)));
}

#[test]
fn the_end_of_a_session_with_and_without_its_list() {
    let digest = "00000002 00000001fa374df6";
    let close = |body: &str| with_header(TxnKind::CloseSession, body);
    let golden = close(&format!("00000001 00000002 2f65 {digest}"));
    let Txn::CloseSession(Some(CloseSessionTxn { paths: Some(paths) })) = entry(&golden).txn else {
        panic!("a list")
    };
    assert_eq!(paths, [Some("/e".into())]);
    let golden = close(&format!("00000000 {digest}"));
    assert!(matches!(entry(&golden).txn, Txn::CloseSession(Some(_))));
    // Written with closeSessionTxn.enabled=false, with digest and without.
    for (body, digest) in [(digest, true), ("", false)] {
        let golden = close(body);
        let entry = entry(&golden);
        assert_eq!((entry.txn, entry.digest.is_some()), (Txn::CloseSession(None), digest));
    }
}

#[test]
fn a_configuration() {
    let golden = with_header(
        TxnKind::Reconfig,
        "00000011 \"/zookeeper/config\" 00000009 \"version=7\" ffffffff 00000002 0000000051c6d660",
    );
    assert!(matches!(entry(&golden).txn, Txn::Reconfig(set) if set.version == -1));
}

#[test]
fn kinds_that_nobody_writes() {
    let mut golden = bytes("010000248dd10000 00000009 0000000000000007 000001a2030a2b86 00000008");
    assert_eq!(Entry::decode(&golden), Err(TxnError::Kind(8)));
    let check = with_header(TxnKind::Check, "000000022f61 00000002");
    assert_eq!(Entry::decode(&check), Err(TxnError::Kind(13)));
    golden.truncate(31);
    assert!(matches!(Entry::decode(&golden), Err(TxnError::Malformed(_))));
}
