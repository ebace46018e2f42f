//! The bytes that Java members of an ensemble send each other, captured on loopback; quorum-protocol.md, appendix A.
//! What the appendix abbreviates is written out to the length it gives.

mod common;
#[path = "common/records.rs"]
mod records;

use common::{bytes, encoded};
use proto::quorum::{
    AddressForm, AuthStatus, Greeting, HostPort, LeaderPacket, LearnerInfo, LearnerPacket, Notification,
    PROTOCOL_VERSION, PeerState, QuorumAuthPacket, SessionTouch, Vote, auth_packet_length, packet_length,
};
use proto::{
    Encode, Entry, Epoch, ErrorTxn, Id, OpCode, Reader, ReconfigRequest, SessionId, Sid, Txn, TxnKind, Zxid,
};
use records::{last, payload};

const SESSION: SessionId = SessionId(0x0100_0017_9de7_0000);
const CONFIG: &str = "server.1=127.0.0.1:23101:23201:participant\n\
                      server.2=127.0.0.1:23102:23202:participant\n\
                      server.3=127.0.0.1:23103:23203:participant\n\
                      version=0";

/// `golden` is what Java sends for `packet`: the one becomes the other in both directions.
fn learner(golden: &str, packet: &LearnerPacket<'_>) {
    let golden = bytes(golden);
    let mut reader = Reader::new(&golden);
    assert_eq!(LearnerPacket::decode(&mut reader).as_ref(), Ok(packet));
    assert_eq!(reader.rest(), [0_u8; 0]);
    assert_eq!(encoded(packet), golden, "{}", packet.name());
    assert_eq!(packet_length(&golden, 1000), Ok(Some(golden.len())));
}

fn leader(golden: &str, packet: &LeaderPacket<'_>) {
    let golden = bytes(golden);
    let mut reader = Reader::new(&golden);
    assert_eq!(LeaderPacket::decode(&mut reader).as_ref(), Ok(packet));
    assert_eq!(reader.rest(), [0_u8; 0]);
    assert_eq!(encoded(packet), golden, "{}", packet.name());
    assert_eq!(packet_length(&golden, 1000), Ok(Some(golden.len())));
}

/// The transaction that `golden` spells.
fn entry(golden: &[u8]) -> Entry<'_> {
    let entry = Entry::decode(golden).expect("a golden transaction decodes");
    assert_eq!(encoded(&entry), golden);
    entry
}

#[test]
fn greetings() {
    let of = |form, sid, port| Greeting::Addressed {
        form,
        sid: Sid(sid),
        addresses: vec![HostPort { host: "127.0.0.1", port }],
    };
    for (golden, greeting) in [
        (
            "ffffffffffff0000 0000000000000001 0000000f 3132372e302e302e313a3233323031",
            of(AddressForm::One, 1, 23_201),
        ),
        (
            "ffffffffffff0001 0000000000000002 0000000f 3132372e302e302e313a3233323032",
            of(AddressForm::Many, 2, 23_202),
        ),
    ] {
        let golden = bytes(golden);
        assert_eq!(Greeting::decode(&mut Reader::new(&golden)), Ok(greeting.clone()));
        assert_eq!(encoded(&greeting), golden);
    }
}

#[test]
fn notifications() {
    let text = CONFIG.replace('\n', "\\n");
    let golden = bytes(&format!(
        "000000b6 00000000 0000000000000002 0000000000000000 0000000000000001 0000000000000000 00000002 \
         0000008a \"{text}\""
    ));
    let vote = Vote { leader: Sid(2), zxid: Zxid(0), round: 1, peer_epoch: 0 };
    let looking = Notification::new(PeerState::Looking, vote, CONFIG);
    assert_eq!(Notification::decode(payload(&golden)).as_ref(), Ok(&looking));
    let mut frame = Vec::new();
    proto::wire::put_frame(&mut frame, |out| looking.encode(out));
    assert_eq!(frame, golden);

    let observer = bytes(
        "00000000 8000000000000000 8000000000000000 0000000000000001 8000000000000000 00000002 00000009 \
         \"version=0\"",
    );
    let vote = Vote { leader: Sid(i64::MIN), zxid: Zxid(i64::MIN), round: 1, peer_epoch: i64::MIN };
    let looking = Notification::new(PeerState::Looking, vote, "version=0");
    assert_eq!(Notification::decode(&observer).as_ref(), Ok(&looking));
    assert_eq!(encoded(&looking), observer);
}

#[test]
fn introductions() {
    let info =
        |sid, config_version| LearnerInfo { sid: Sid(sid), protocol_version: 0x1_0000, config_version };
    learner(
        "0000000b 0000000000000000 00000014 0000000000000001 00010000 0000000000000000 ffffffff",
        &LearnerPacket::FollowerInfo { accepted_epoch: Epoch(0), info: info(1, 0) },
    );
    learner(
        "0000000b 0000000000000000 00000014 0000000000000005 00010000 0000000100000000 ffffffff",
        &LearnerPacket::FollowerInfo { accepted_epoch: Epoch(0), info: info(5, 0x1_0000_0000) },
    );
    learner(
        "00000010 0000000000000000 00000014 0000000000000004 00010000 0000000000000000 ffffffff",
        &LearnerPacket::ObserverInfo { accepted_epoch: Epoch(0), info: info(4, 0) },
    );
    // Before 3.5, and before 3.4.
    for (golden, protocol_version) in [
        ("0000000b 0000000700000000 0000000c 0000000000000001 00010000 ffffffff", PROTOCOL_VERSION),
        ("0000000b 0000000700000000 00000008 0000000000000001 ffffffff", 1),
    ] {
        let info = LearnerInfo { sid: Sid(1), protocol_version, config_version: 0 };
        let packet = LearnerPacket::FollowerInfo { accepted_epoch: Epoch(7), info };
        assert_eq!(LearnerPacket::decode(&mut Reader::new(&bytes(golden))), Ok(packet));
    }
}

#[test]
fn discovery() {
    leader(
        "00000011 0000000100000000 00000004 00010000 ffffffff",
        &LeaderPacket::LeaderInfo { epoch: Epoch(1), protocol_version: PROTOCOL_VERSION },
    );
    learner(
        "00000012 0000000000000000 00000004 00000000 ffffffff",
        &LearnerPacket::AckEpoch { last_zxid: Zxid(0), current_epoch: Some(Epoch(0)) },
    );
    learner(
        "00000012 0000000100000014 00000004 ffffffff ffffffff",
        &LearnerPacket::AckEpoch { last_zxid: Zxid(0x1_0000_0014), current_epoch: None },
    );
}

#[test]
fn synchronization() {
    leader("0000000d 0000000000000000 ffffffff ffffffff", &LeaderPacket::Diff { zxid: Zxid(0) });
    leader("0000000e 0000000100000005 ffffffff ffffffff", &LeaderPacket::Trunc { zxid: Zxid(0x1_0000_0005) });
    leader("0000000f 0000000100000000 ffffffff ffffffff", &LeaderPacket::Snap { zxid: Zxid(0x1_0000_0000) });
    let text = CONFIG.replace('\n', "\\n");
    leader(
        &format!("0000000a 0000000100000000 0000008a \"{text}\" ffffffff"),
        &LeaderPacket::NewLeader { zxid: Zxid(0x1_0000_0000), config: CONFIG.into() },
    );
    learner("00000003 0000000100000000 ffffffff ffffffff", &LearnerPacket::Ack { zxid: Zxid(0x1_0000_0000) });
    leader("0000000c ffffffffffffffff ffffffff ffffffff", &LeaderPacket::UpToDate);
}

#[test]
fn pings() {
    leader("00000005 0000000100000000 ffffffff ffffffff", &LeaderPacket::Ping { zxid: Zxid(0x1_0000_0000) });
    learner(
        "00000005 0000000100000000 00000000 ffffffff",
        &LearnerPacket::Ping { zxid: Zxid(0x1_0000_0000), touched: vec![] },
    );
    learner(
        "00000005 0000000100000001 0000000c 010000179de70000 00001f40 ffffffff",
        &LearnerPacket::Ping {
            zxid: Zxid(0x1_0000_0001),
            touched: vec![SessionTouch { session: SESSION, timeout_ms: 8000 }],
        },
    );
}

#[test]
fn requests() {
    learner(
        "00000001 ffffffffffffffff 00000014 010000179de70000 00000000 fffffff6 00001f40 ffffffff",
        &LearnerPacket::Request {
            session: SESSION,
            cxid: 0,
            kind: OpCode::CreateSession.number(),
            body: &[0, 0, 0x1f, 0x40],
            identities: None,
        },
    );
    let body = bytes(
        "00000002 2f61 00000005 68656c6c6f 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000",
    );
    learner(
        "00000001 ffffffffffffffff 0000003e 010000179de70000 00000001 00000001 000000022f61 0000000568656c6c6f \
         00000001 0000001f 00000005776f726c64 00000006616e796f6e65 00000000 \
         00000001 000000026970 000000093132372e302e302e31",
        &LearnerPacket::Request {
            session: SESSION,
            cxid: 1,
            kind: OpCode::Create.number(),
            body: &body,
            identities: Some(vec![Id::new("ip", "127.0.0.1")]),
        },
    );
    learner(
        "00000001 ffffffffffffffff 00000016 010000179de70000 0000000c 00000009 000000022f61 ffffffff",
        &LearnerPacket::Request {
            session: SESSION,
            cxid: 12,
            kind: OpCode::Sync.number(),
            body: &[0, 0, 0, 2, b'/', b'a'],
            identities: None,
        },
    );
    leader("00000007 0000000000000000 ffffffff ffffffff", &LeaderPacket::Sync);
}

#[test]
fn a_request_to_reconfigure() {
    let golden = bytes(
        "0000003a \"server.5=127.0.0.1:23105:23205:participant;127.0.0.1:23005\" ffffffff ffffffff ffffffffffffffff",
    );
    let request: ReconfigRequest<'_> = last(&mut Reader::new(&golden));
    assert_eq!(request.leaving, None);
    assert_eq!(request.current_config, -1);
}

#[test]
fn proposals() {
    let create_session = "010000179de70000 00000000 0000000100000001 000001a202fd4412 fffffff6 00001f40 \
                          00000002 0000000051c6d660";
    let txn = bytes(create_session);
    leader(
        &format!("00000002 0000000100000001 00000030 {create_session} ffffffff"),
        &LeaderPacket::Proposal { zxid: Zxid(0x1_0000_0001), txn: &txn },
    );
    leader(
        &format!("00000008 0000000100000001 00000030 {create_session} ffffffff"),
        &LeaderPacket::Inform { zxid: Zxid(0x1_0000_0001), txn: &txn },
    );
    assert_eq!(entry(&txn).digest.unwrap().tree_digest, 0x51c6_d660);
    leader(
        "00000004 0000000100000001 ffffffff ffffffff",
        &LeaderPacket::Commit { zxid: Zxid(0x1_0000_0001) },
    );
    learner("00000003 0000000100000001 ffffffff ffffffff", &LearnerPacket::Ack { zxid: Zxid(0x1_0000_0001) });
}

#[test]
fn proposed_transactions() {
    let create = bytes(
        "010000179de70000 00000001 0000000100000002 000001a202fd4458 00000001 000000022f61 0000000568656c6c6f \
         00000001 0000001f 00000005776f726c64 00000006616e796f6e65 00 00000001 00000002 000000019e3a9784",
    );
    assert!(matches!(entry(&create).txn, Txn::Create(create) if create.parent_cversion == 1));
    let error = bytes("010000179de70000 00000005 0000000100000006 000001a202fd44e7 ffffffff ffffff92");
    assert_eq!(entry(&error).txn, Txn::Error(ErrorTxn { err: -110 }));
    assert_eq!(entry(&error).digest, None);
    let multi = bytes(
        "010000179de70000 00000008 0000000100000009 000001a202fd454b 0000000e 00000002 \
         00000001 0000002c 000000032f6d32 0000000131 00000001 0000001f 00000005776f726c64 00000006616e796f6e65 \
         00 00000003 ffffffff 00000004 ffffff99 00000002 0000000391f62867",
    );
    let Txn::Multi(subs) = entry(&multi).txn else { panic!("a multi") };
    assert!(matches!(Txn::decode_sub(&subs[0]), Ok(Txn::Create(_))));
    assert_eq!(Txn::decode_sub(&subs[1]), Ok(Txn::Error(ErrorTxn { err: -103 })));
    let close = bytes(
        "010000179de70000 00000002 000000010000000f 000001a202fd53f2 fffffff5 00000001 000000022f65 \
         00000002 00000001fa374df6",
    );
    assert!(
        matches!(entry(&close).txn, Txn::CloseSession(Some(close)) if close.paths.as_ref().unwrap().len() == 1)
    );
}

#[test]
fn sessions_that_move() {
    learner(
        "00000006 ffffffffffffffff 0000000c 010000179de70000 00001f40 ffffffff",
        &LearnerPacket::Revalidate { session: SESSION, timeout_ms: 8000 },
    );
    leader(
        "00000006 ffffffffffffffff 00000009 010000179de70000 01 ffffffff",
        &LeaderPacket::Revalidate { session: SESSION, valid: true },
    );
}

#[test]
fn reconfiguration() {
    leader(
        "00000009 0000000100000004 00000008 0000000000000002 ffffffff",
        &LeaderPacket::CommitAndActivate { zxid: Zxid(0x1_0000_0004), leader: Sid(2) },
    );
    let members: String = (1..=5)
        .map(|n| {
            let role = if n == 4 { "observer" } else { "participant" };
            format!("server.{n}=127.0.0.1:2310{n}:2320{n}:{role};127.0.0.1:2300{n}\\n")
        })
        .collect();
    let txn = format!(
        "0100001bac5e0000 00000004 0000000100000004 000001a203016383 00000010 00000011 \"/zookeeper/config\" \
         00000135 \"{members}version=100000004\" ffffffff 00000002 00000001b2c6ef4f"
    );
    let txn_bytes = bytes(&txn);
    leader(
        &format!("00000013 0000000100000004 00000186 0000000000000002 {txn} ffffffff"),
        &LeaderPacket::InformAndActivate { zxid: Zxid(0x1_0000_0004), leader: Sid(2), txn: &txn_bytes },
    );
    assert_eq!(entry(&txn_bytes).txn.kind(), TxnKind::Reconfig);
}

#[test]
fn authentication() {
    for (golden, status, token) in [
        ("5f2435013501edcc 00000000 00000000", AuthStatus::InProgress, &b""[..]),
        ("5f2435013501edcc 00000001 00000008 \"rspauth=\"", AuthStatus::Success, b"rspauth="),
    ] {
        let golden = bytes(golden);
        let packet: QuorumAuthPacket<'_> = last(&mut Reader::new(&golden));
        assert_eq!(packet, QuorumAuthPacket { status, token: Some(token) });
        assert_eq!(auth_packet_length(&golden, 10), Ok(Some(golden.len())));
    }
}
