//! One conversation with a Java 3.9.5 server, captured whole; client-protocol.md §12. Every frame is read, compared in
//! its telling fields, and written again to the same bytes.

mod common;
#[path = "common/records.rs"]
mod records;

use common::{bytes, encoded};
use proto::{
    AclReply, AddWatchReply, AddWatchRequest, AuthPacket, Children2Reply, ChildrenReply, Code,
    ConnectRequest, ConnectResponse, Create2Reply, CreateReply, CreateRequest, CreateTtlRequest, DataReply,
    Encode, EventKind, MultiHeader, MultiItem, MultiResult, OpCode, PathRequest, PathWatchRequest, Reader,
    ReplyHeader, RequestHeader, SaslReply, SaslRequest, SessionId, SetDataRequest, SetWatches2, StatReply,
    SyncReply, WATCH_STATE_CONNECTED, WatcherEvent, WatchesRequest, WhoAmIReply, Xid, Zxid, decode_multi,
    decode_multi_results, session_password,
};
use records::{last, payload, take};

const SESSION: SessionId = SessionId(0x0100_0021_c96c_0000);
const OPEN: &str = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";
const STAT_OF_A: &str = "0000000000000002 0000000000000005 000001a203076ac6 000001a2030776fe \
                         00000001 00000001 00000000 0000000000000000 00000003 00000001 0000000000000003";

/// Reads a request's header; its opcode must be `op`, and `xid` its number.
fn request(reader: &mut Reader<'_>, xid: i32, op: OpCode) {
    let header: RequestHeader = take(reader);
    assert_eq!((header.xid, OpCode::from_number(header.kind)), (Xid(xid), Some(op)));
}

/// Reads a reply's header.
fn reply(reader: &mut Reader<'_>, xid: i32, zxid: i64, code: Code) {
    let header: ReplyHeader = take(reader);
    assert_eq!(header, ReplyHeader { xid: Xid(xid), zxid: Zxid(zxid), err: code.number() });
    assert!(code == Code::Ok || reader.rest().is_empty(), "an error has no body");
}

/// Reads a whole notification.
fn event(frame: &str, zxid: i64, kind: EventKind, path: &str) {
    let frame = bytes(frame);
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, Xid::NOTIFICATION.0, zxid, Code::Ok);
    let event: WatcherEvent<'_> = last(&mut reader);
    assert_eq!((event.kind, event.state), (kind.number(), WATCH_STATE_CONNECTED));
    assert_eq!(event.path.as_deref(), Some(path));
}

/// Reads a frame that is a request header and nothing else.
fn bare_request(frame: &str, xid: i32, op: OpCode) {
    let frame = bytes(frame);
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, xid, op);
    assert_eq!(reader.rest(), [0_u8; 0]);
}

/// Reads a frame that is a reply header and nothing else.
fn bare_reply(frame: &str, xid: i32, zxid: i64, code: Code) {
    let frame = bytes(frame);
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, xid, zxid, code);
    assert_eq!(reader.rest(), [0_u8; 0]);
}

#[test]
fn connect() {
    let frame = bytes(
        "0000002d 00000000 0000000000000000 00007530 0000000000000000 00000010 00000000000000000000000000000000 00",
    );
    let wish: ConnectRequest<'_> = last(&mut Reader::new(payload(&frame)));
    assert_eq!((wish.timeout_ms, wish.session_id, wish.read_only), (30_000, SessionId::NONE, Some(false)));
    let frame =
        bytes("00000025 00000000 00007530 01000021c96c0000 00000010 76960382cb45126a44e5a09d8cfece93 00");
    let answer: ConnectResponse = last(&mut Reader::new(payload(&frame)));
    assert_eq!((answer.timeout_ms, answer.session_id), (30_000, SESSION));
    assert_eq!(answer.password, session_password(SESSION));
}

#[test]
fn a_connect_without_the_read_only_byte() {
    let frame = bytes(
        "0000002c 00000000 0000000000000000 00007530 0000000000000000 00000010 00000000000000000000000000000000",
    );
    let wish: ConnectRequest<'_> = last(&mut Reader::new(payload(&frame)));
    assert_eq!(wish.read_only, None);
    let answer = ConnectResponse { read_only: wish.read_only, ..ConnectResponse::expired(None) };
    assert_eq!(encoded(&answer).len(), 36);
}

#[test]
fn create() {
    let frame = bytes(&format!("00000033 00000001 00000001 00000002 2f61 00000002 6869 {OPEN} 00000000"));
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 1, OpCode::Create);
    let body: CreateRequest<'_> = last(&mut reader);
    assert_eq!((body.path.as_deref(), body.data, body.flags), (Some("/a"), Some(&b"hi"[..]), 0));
    let frame = bytes("00000016 00000001 0000000000000002 00000000 00000002 2f61");
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 1, 2, Code::Ok);
    assert_eq!(last::<CreateReply<'_>>(&mut reader).path.as_deref(), Some("/a"));
}

#[test]
fn create_ephemeral_sequential() {
    let frame = bytes(&format!("00000034 00000002 0000000f 00000005 2f612f652d 00000000 {OPEN} 00000003"));
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 2, OpCode::Create2);
    let body: CreateRequest<'_> = last(&mut reader);
    assert_eq!((body.data, body.flags), (Some(&b""[..]), 3));
    let frame = bytes(
        "00000067 00000002 0000000000000003 00000000 0000000f 2f612f652d30303030303030303030 \
         0000000000000003 0000000000000003 000001a203076d21 000001a203076d21 \
         00000000 00000000 00000000 01000021c96c0000 00000000 00000000 0000000000000003",
    );
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 2, 3, Code::Ok);
    let body: Create2Reply<'_> = last(&mut reader);
    assert_eq!(body.path.as_deref(), Some("/a/e-0000000000"));
    assert_eq!((body.stat.ephemeral_owner, body.stat.ctime), (SESSION, 0x01a2_0307_6d21));
}

#[test]
fn create_with_null_data() {
    let frame = bytes(&format!("00000031 00000003 00000001 00000002 2f65 ffffffff {OPEN} 00000001"));
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 3, OpCode::Create);
    assert_eq!(last::<CreateRequest<'_>>(&mut reader).data, None);
    let frame = bytes("00000016 00000003 0000000000000004 00000000 00000002 2f65");
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 3, 4, Code::Ok);
    last::<CreateReply<'_>>(&mut reader);
}

#[test]
fn exists_and_get_data_with_watches() {
    for (frame, xid, op, path) in [
        ("0000000f 00000004 00000003 00000002 2f6d 01", 4, OpCode::Exists, "/m"),
        ("0000000f 00000005 00000004 00000002 2f61 01", 5, OpCode::GetData, "/a"),
    ] {
        let frame = bytes(frame);
        let mut reader = Reader::new(payload(&frame));
        request(&mut reader, xid, op);
        let body: PathWatchRequest<'_> = last(&mut reader);
        assert_eq!((body.path.as_deref(), body.watch), (Some(path), true));
    }
    bare_reply("00000010 00000004 0000000000000004 ffffff9b", 4, 4, Code::NoNode);
    let frame = bytes(
        "0000005a 00000005 0000000000000004 00000000 00000002 6869 \
         0000000000000002 0000000000000002 000001a203076ac6 000001a203076ac6 \
         00000000 00000001 00000000 0000000000000000 00000002 00000001 0000000000000003",
    );
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 5, 4, Code::Ok);
    let body: DataReply<'_> = last(&mut reader);
    assert_eq!((body.data, body.stat.data_length), (Some(&b"hi"[..]), 2));
    assert_eq!((body.stat.cversion, body.stat.num_children, body.stat.pzxid), (1, 1, Zxid(3)));
}

#[test]
fn set_data_with_a_fired_watch() {
    let frame = bytes("00000019 00000006 00000005 00000002 2f61 00000003 796f21 00000000");
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 6, OpCode::SetData);
    let body: SetDataRequest<'_> = last(&mut reader);
    assert_eq!((body.data, body.version), (Some(&b"yo!"[..]), 0));
    let fired = "0000001e ffffffff 0000000000000005 00000000 00000003 00000003 00000002 2f61";
    event(fired, 5, EventKind::DataChanged, "/a");
    let frame = bytes(&format!("00000054 00000006 0000000000000005 00000000 {STAT_OF_A}"));
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 6, 5, Code::Ok);
    let StatReply { stat } = last(&mut reader);
    assert_eq!((stat.mzxid, stat.version, stat.data_length), (Zxid(5), 1, 3));
}

#[test]
fn set_data_with_the_wrong_version() {
    let frame = bytes("00000016 00000007 00000005 00000002 2f61 00000000 00000009");
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 7, OpCode::SetData);
    assert_eq!(last::<SetDataRequest<'_>>(&mut reader).version, 9);
    bare_reply("00000010 00000007 0000000000000006 ffffff99", 7, 6, Code::BadVersion);
}

#[test]
fn children() {
    for (frame, xid, op, path) in [
        ("0000000f 00000008 0000000c 00000002 2f61 00", 8, OpCode::GetChildren2, "/a"),
        ("00000017 00000009 00000008 0000000a 2f7a6f6f6b6565706572 00", 9, OpCode::GetChildren, "/zookeeper"),
    ] {
        let frame = bytes(frame);
        let mut reader = Reader::new(payload(&frame));
        request(&mut reader, xid, op);
        assert_eq!(last::<PathWatchRequest<'_>>(&mut reader).path.as_deref(), Some(path));
    }
    let frame = bytes(&format!(
        "00000068 00000008 0000000000000006 00000000 00000001 0000000c 652d30303030303030303030 {STAT_OF_A}"
    ));
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 8, 6, Code::Ok);
    assert_eq!(last::<Children2Reply<'_>>(&mut reader).children, Some(vec![Some("e-0000000000".into())]));
    let frame = bytes(
        "00000027 00000009 0000000000000006 00000000 00000002 00000006 636f6e666967 00000005 71756f7461",
    );
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 9, 6, Code::Ok);
    let body: ChildrenReply<'_> = last(&mut reader);
    assert_eq!(body.children, Some(vec![Some("config".into()), Some("quota".into())]));
}

#[test]
fn get_acl() {
    let frame = bytes("0000000e 0000000a 00000006 00000002 2f61");
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 10, OpCode::GetAcl);
    last::<PathRequest<'_>>(&mut reader);
    let frame = bytes(&format!("0000006f 0000000a 0000000000000006 00000000 {OPEN} {STAT_OF_A}"));
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 10, 6, Code::Ok);
    assert_eq!(last::<AclReply<'_>>(&mut reader).acl, Some(vec![proto::Acl::open()]));
}

#[test]
fn ping() {
    bare_request("00000008 fffffffe 0000000b", Xid::PING.0, OpCode::Ping);
    bare_reply("00000010 fffffffe 0000000000000006 00000000", Xid::PING.0, 6, Code::Ok);
}

/// The items of a multi, which must encode to what they came from.
fn multi_items<'a>(frame: &'a [u8], xid: i32) -> Vec<MultiItem<'a>> {
    let mut reader = Reader::new(payload(frame));
    request(&mut reader, xid, OpCode::Multi);
    let items = decode_multi(reader.rest()).expect("a golden multi decodes");
    let mut again = Vec::new();
    items.iter().for_each(|item| item.encode(&mut again));
    MultiHeader::END.encode(&mut again);
    assert_eq!(again, reader.rest());
    items
}

/// The results of one, likewise.
fn multi_results<'a>(frame: &'a [u8], xid: i32, zxid: i64) -> Vec<MultiResult<'a>> {
    let mut reader = Reader::new(payload(frame));
    reply(&mut reader, xid, zxid, Code::Ok);
    let results = decode_multi_results(reader.rest()).expect("golden results decode");
    let mut again = Vec::new();
    results.iter().for_each(|result| result.encode(&mut again));
    MultiHeader::END.encode(&mut again);
    assert_eq!(again, reader.rest());
    results
}

#[test]
fn multi() {
    let frame = bytes(&format!(
        "00000082 0000000b 0000000e \
         00000001 00 ffffffff  00000002 2f6d 00000001 31 {OPEN} 00000000 \
         00000005 00 ffffffff  00000002 2f61 00000001 7a ffffffff \
         0000000d 00 ffffffff  00000002 2f6d 00000000 \
         00000002 00 ffffffff  00000002 2f6d 00000000 \
         ffffffff 01 ffffffff"
    ));
    let [MultiItem::Create { op, .. }, MultiItem::SetData(set), MultiItem::Check(_), MultiItem::Delete(_)] =
        &multi_items(&frame, 11)[..]
    else {
        panic!("create, set, check, delete")
    };
    assert_eq!((*op, set.version), (OpCode::Create, -1));
    let fired = "0000001e ffffffff 0000000000000007 00000000 00000001 00000003 00000002 2f6d";
    event(fired, 7, EventKind::Created, "/m");
    let frame = bytes(
        "00000087 0000000b 0000000000000007 00000000 \
         00000001 00 00000000  00000002 2f6d \
         00000005 00 00000000  0000000000000002 0000000000000007 000001a203076ac6 000001a2030785b5 \
                               00000002 00000001 00000000 0000000000000000 00000001 00000001 0000000000000003 \
         0000000d 00 00000000 \
         00000002 00 00000000 \
         ffffffff 01 ffffffff",
    );
    let [
        MultiResult::Created { path: "/m" },
        MultiResult::DataSet(stat),
        MultiResult::Checked,
        MultiResult::Deleted,
    ] = &multi_results(&frame, 11, 7)[..]
    else {
        panic!("a path, a stat, nothing, nothing")
    };
    assert_eq!((stat.version, stat.mzxid), (2, Zxid(7)));
}

#[test]
fn a_failing_multi() {
    let frame = bytes(
        "00000052 0000000c 0000000e \
         0000000d 00 ffffffff  00000002 2f61 00000002 \
         00000002 00 ffffffff  00000005 2f6e6f7065 ffffffff \
         00000005 00 ffffffff  00000002 2f61 00000001 71 ffffffff \
         ffffffff 01 ffffffff",
    );
    assert_eq!(multi_items(&frame, 12).len(), 3);
    let frame = bytes(
        "00000040 0000000c 0000000000000008 00000000 \
         ffffffff 00 00000000  00000000 \
         ffffffff 00 ffffff9b  ffffff9b \
         ffffffff 00 fffffffe  fffffffe \
         ffffffff 01 ffffffff",
    );
    assert_eq!(
        multi_results(&frame, 12, 8),
        [Code::Ok, Code::NoNode, Code::RuntimeInconsistency].map(MultiResult::Failed)
    );
}

#[test]
fn auth_and_who_am_i() {
    let frame =
        bytes("00000024 fffffffc 00000064 00000000 00000006 646967657374 0000000a 626f623a736563726574");
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, -4, OpCode::Auth);
    let body: AuthPacket<'_> = last(&mut reader);
    assert_eq!((body.scheme.as_deref(), body.auth), (Some("digest"), Some(&b"bob:secret"[..])));
    bare_reply("00000010 fffffffc 0000000000000000 00000000", -4, 0, Code::Ok);
    bare_request("00000008 0000000d 0000006b", 13, OpCode::WhoAmI);
    let frame = bytes(
        "00000038 0000000d 0000000000000008 00000000 00000002 \
         00000006 646967657374 00000003 626f62 00000002 6970 00000009 3132372e302e302e31",
    );
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 13, 8, Code::Ok);
    let clients = last::<WhoAmIReply<'_>>(&mut reader).clients.expect("a list");
    assert_eq!((clients[0].user.as_deref(), clients[1].user.as_deref()), (Some("bob"), Some("127.0.0.1")));
}

#[test]
fn set_watches_with_events_caught_up() {
    let frame = bytes(
        "00000039 fffffff8 00000069 0000000000000002 00000001 00000002 2f61 00000000 \
         00000001 00000005 2f676f6e65 00000000 00000001 00000002 2f72",
    );
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, -8, OpCode::SetWatches2);
    let body: SetWatches2<'_> = last(&mut reader);
    assert_eq!(body.relative_zxid, Zxid(2));
    assert_eq!(body.persistent_recursive, Some(vec![Some("/r".into())]));
    let changed = "0000001e ffffffff ffffffffffffffff 00000000 00000003 00000003 00000002 2f61";
    event(changed, -1, EventKind::DataChanged, "/a");
    let gone = "00000021 ffffffff ffffffffffffffff 00000000 00000002 00000003 00000005 2f676f6e65";
    event(gone, -1, EventKind::Deleted, "/gone");
    bare_reply("00000010 fffffff8 0000000000000008 00000000", -8, 8, Code::Ok);
}

#[test]
fn persistent_watches() {
    let frame = bytes("00000012 0000000e 0000006a 00000002 2f70 00000000");
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 14, OpCode::AddWatch);
    assert_eq!(last::<AddWatchRequest<'_>>(&mut reader).mode, 0);
    let frame = bytes("00000014 0000000e 0000000000000008 00000000 00000000");
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 14, 8, Code::Ok);
    assert_eq!(last::<AddWatchReply>(&mut reader), AddWatchReply { err: 0 });
    for (frame, xid, kind) in [
        ("00000012 0000000f 00000012 00000002 2f70 00000004", 15, 4),
        ("00000012 00000010 00000012 00000002 2f70 00000003", 16, 3),
    ] {
        let frame = bytes(frame);
        let mut reader = Reader::new(payload(&frame));
        request(&mut reader, xid, OpCode::RemoveWatches);
        assert_eq!(last::<WatchesRequest<'_>>(&mut reader).kind, kind);
    }
    bare_reply("00000010 0000000f 0000000000000008 00000000", 15, 8, Code::Ok);
    bare_reply("00000010 00000010 0000000000000008 ffffff87", 16, 8, Code::NoWatcher);
}

#[test]
fn sync_and_create_ttl() {
    let frame = bytes("0000000e 00000011 00000009 00000002 2f61");
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 17, OpCode::Sync);
    last::<PathRequest<'_>>(&mut reader);
    let frame = bytes("00000016 00000011 0000000000000008 00000000 00000002 2f61");
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 17, 8, Code::Ok);
    last::<SyncReply<'_>>(&mut reader);
    let frame =
        bytes(&format!("00000039 00000012 00000015 00000002 2f74 00000000 {OPEN} 00000005 000000000000ea60"));
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 18, OpCode::CreateTtl);
    let body: CreateTtlRequest<'_> = last(&mut reader);
    assert_eq!((body.flags, body.ttl_ms), (5, 60_000));
    let frame = bytes(
        "0000005a 00000012 0000000000000009 00000000 00000002 2f74 \
         0000000000000009 0000000000000009 000001a203079b22 000001a203079b22 \
         00000000 00000000 00000000 0000000000000000 00000000 00000000 0000000000000009",
    );
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 18, 9, Code::Ok);
    assert_eq!(last::<Create2Reply<'_>>(&mut reader).stat.ephemeral_owner, SessionId::NONE);
}

#[test]
fn close_session_and_the_answer_to_a_dead_one() {
    bare_request("00000008 00000013 fffffff5", 19, OpCode::CloseSession);
    bare_reply("00000010 00000013 000000000000000a 00000000", 19, 10, Code::Ok);
    let frame =
        bytes("00000025 00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000 00");
    let answer: ConnectResponse = last(&mut Reader::new(payload(&frame)));
    assert_eq!(answer, ConnectResponse::expired(Some(false)));
}

#[test]
fn an_unknown_opcode() {
    let frame = bytes("00000008 00000001 00000063");
    let header: RequestHeader = last(&mut Reader::new(payload(&frame)));
    assert_eq!(OpCode::from_number(header.kind), None);
    bare_reply("00000010 00000001 ffffffffffffffff fffffffa", 1, -1, Code::Unimplemented);
}

#[test]
fn sasl() {
    let frame = bytes("0000000c 00000001 00000066 00000000");
    let mut reader = Reader::new(payload(&frame));
    request(&mut reader, 1, OpCode::Sasl);
    assert_eq!(last::<SaslRequest<'_>>(&mut reader).token, Some(&b""[..]));
    // The captured token is longer; its nonce differs each time.
    let frame = bytes(
        "0000002e 00000001 0000000000000000 00000000 0000001a \"realm=\" 22 \"zk-sasl-md5\" 22 \",nonce=\"",
    );
    let mut reader = Reader::new(payload(&frame));
    reply(&mut reader, 1, 0, Code::Ok);
    assert_eq!(last::<SaslReply<'_>>(&mut reader).token.map(<[u8]>::len), Some(26));
}
