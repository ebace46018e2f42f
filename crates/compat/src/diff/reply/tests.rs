//! Frames captured from Apache ZooKeeper 3.9.5, in one run on a fresh standalone server.

use super::super::op::{Create, Op, Read};
use super::super::wire::{Acl, List, Text, frame};
use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Checks the request's bytes and takes the reply apart.
fn exchange(xid: i32, op: &Op, sent: &str, received: &str) -> Seen {
    let mut payload = [xid.to_be_bytes(), op.code().to_be_bytes()].concat();
    payload.extend(op.body());
    assert_eq!(frame(&payload), bytes(sent), "{op}");
    decode(&bytes(received)[4..], Some(op))
}

fn open() -> List<Acl> {
    List::Of(vec![Acl { perms: 31, scheme: Text::of("world"), id: Text::of("anyone") }])
}

const A_STAT: &str = "0000000000000002 0000000000000005 000001a203076ac6 000001a2030776fe
    00000001 00000001 00000000 0000000000000000 00000003 00000001 0000000000000003";

fn a_stat() -> Stat {
    Stat {
        czxid: 2,
        mzxid: 5,
        ctime: 0x01a2_0307_6ac6,
        mtime: 0x01a2_0307_76fe,
        version: 1,
        cversion: 1,
        aversion: 0,
        owner: 0,
        data_length: 3,
        children: 1,
        pzxid: 3,
    }
}

#[test]
fn a_connect_response_has_a_password_and_may_have_a_last_byte() {
    let with = bytes("00000000 00007530 01000021c96c0000 00000010 76960382cb45126a44e5a09d8cfece93 00");
    let expected = Connected {
        protocol: 0,
        timeout: 30_000,
        session: 0x0100_0021_c96c_0000,
        password: Some(bytes("76960382cb45126a44e5a09d8cfece93")),
        read_only: Some(0),
    };
    assert_eq!(Connected::decode(&with).unwrap(), expected);
    let without = Connected { read_only: None, ..expected };
    assert_eq!(Connected::decode(&with[..36]).unwrap(), without);
    assert!(Connected::decode(&with[..35]).is_err());
}

#[test]
fn create_answers_with_the_path() {
    let op = Op::Create {
        kind: Create::Create,
        path: Text::of("/a"),
        data: Some(b"hi".to_vec()),
        acl: open(),
        flags: 0,
    };
    let sent = "00000033 00000001 00000001 00000002 2f61 00000002 6869
        00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000";
    let seen = exchange(1, &op, sent, "00000016 00000001 0000000000000002 00000000 00000002 2f61");
    let header = Header { xid: 1, zxid: 2, err: 0 };
    assert_eq!(seen, Seen::Reply { header, body: Body::Path(Text::of("/a")) });
}

#[test]
fn create2_answers_with_path_and_stat() {
    let op = Op::Create {
        kind: Create::Create2,
        path: Text::of("/a/e-"),
        data: Some(vec![]),
        acl: open(),
        flags: 3,
    };
    let sent = "00000034 00000002 0000000f 00000005 2f612f652d 00000000
        00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000003";
    let received = "00000067 00000002 0000000000000003 00000000 0000000f 2f612f652d30303030303030303030
        0000000000000003 0000000000000003 000001a203076d21 000001a203076d21
        00000000 00000000 00000000 01000021c96c0000 00000000 00000000 0000000000000003";
    let Seen::Reply { body: Body::PathStat(path, stat), .. } = exchange(2, &op, sent, received) else {
        panic!("no create2 reply");
    };
    assert_eq!(path, Text::of("/a/e-0000000000"));
    assert_eq!((stat.owner, stat.pzxid, stat.ctime), (0x0100_0021_c96c_0000, 3, 0x01a2_0307_6d21));
}

#[test]
fn an_error_is_a_header_alone() {
    let op = Op::Read { kind: Read::Exists, path: Text::of("/m"), watch: true };
    let seen = exchange(
        4,
        &op,
        "0000000f 00000004 00000003 00000002 2f6d 01",
        "00000010 00000004 0000000000000004 ffffff9b",
    );
    assert_eq!(seen, Seen::Reply { header: Header { xid: 4, zxid: 4, err: -101 }, body: Body::None });
}

#[test]
fn an_event_is_told_by_its_xid() {
    let frame = bytes("ffffffff 0000000000000005 00000000 00000003 00000003 00000002 2f61");
    let expected = Seen::Event { zxid: 5, err: 0, kind: 3, state: 3, path: Text::of("/a") };
    assert_eq!(decode(&frame, Some(&Op::Ping)), expected);
}

#[test]
fn set_data_and_the_reads_carry_a_stat() {
    let op = Op::SetData { path: Text::of("/a"), data: Some(b"yo!".to_vec()), version: 0 };
    let sent = "00000019 00000006 00000005 00000002 2f61 00000003 796f21 00000000";
    let reply = format!("00000054 00000006 0000000000000005 00000000 {A_STAT}");
    let header = Header { xid: 6, zxid: 5, err: 0 };
    assert_eq!(exchange(6, &op, sent, &reply), Seen::Reply { header, body: Body::Stat(a_stat()) });

    let op = Op::Read { kind: Read::GetChildren2, path: Text::of("/a"), watch: false };
    let reply = format!(
        "00000068 00000008 0000000000000006 00000000 00000001 0000000c 652d30303030303030303030 {A_STAT}"
    );
    let header = Header { xid: 8, zxid: 6, err: 0 };
    let body = Body::Children(Some(vec![Text::of("e-0000000000")]), Some(a_stat()));
    let sent = "0000000f 00000008 0000000c 00000002 2f61 00";
    assert_eq!(exchange(8, &op, sent, &reply), Seen::Reply { header, body });

    let op = Op::GetAcl { path: Text::of("/a") };
    let reply = format!(
        "0000006f 0000000a 0000000000000006 00000000
         00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 {A_STAT}"
    );
    let acl = Acl { perms: 31, scheme: Text::of("world"), id: Text::of("anyone") };
    let header = Header { xid: 10, zxid: 6, err: 0 };
    let body = Body::Acl(Some(vec![acl]), a_stat());
    assert_eq!(
        exchange(10, &op, "0000000e 0000000a 00000006 00000002 2f61", &reply),
        Seen::Reply { header, body }
    );
}

#[test]
fn a_multi_answers_item_by_item() {
    let op = Op::Multi {
        read: false,
        items: vec![
            Op::Create {
                kind: Create::Create,
                path: Text::of("/m"),
                data: Some(b"1".to_vec()),
                acl: open(),
                flags: 0,
            },
            Op::SetData { path: Text::of("/a"), data: Some(b"z".to_vec()), version: -1 },
            Op::Check { path: Text::of("/m"), version: 0 },
            Op::Delete { path: Text::of("/m"), version: 0 },
        ],
        end: -1,
    };
    let sent = "00000082 0000000b 0000000e
        00000001 00 ffffffff  00000002 2f6d 00000001 31
            00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000
        00000005 00 ffffffff  00000002 2f61 00000001 7a ffffffff
        0000000d 00 ffffffff  00000002 2f6d 00000000
        00000002 00 ffffffff  00000002 2f6d 00000000
        ffffffff 01 ffffffff";
    let received = format!(
        "00000087 0000000b 0000000000000007 00000000
         00000001 00 00000000  00000002 2f6d
         00000005 00 00000000  {A_STAT}
         0000000d 00 00000000
         00000002 00 00000000
         ffffffff 01 ffffffff"
    );
    let results = vec![
        (1, 0, Body::Path(Text::of("/m"))),
        (5, 0, Body::Stat(a_stat())),
        (13, 0, Body::None),
        (2, 0, Body::None),
    ];
    let header = Header { xid: 11, zxid: 7, err: 0 };
    assert_eq!(exchange(11, &op, sent, &received), Seen::Reply { header, body: Body::Multi(results) });
}

#[test]
fn a_failed_multi_is_all_errors() {
    let op = Op::Multi { read: false, items: vec![], end: -1 };
    let received = bytes(
        "0000000c 0000000000000008 00000000  ffffffff 00 00000000  00000000
         ffffffff 00 ffffff9b  ffffff9b  ffffffff 00 fffffffe  fffffffe  ffffffff 01 ffffffff",
    );
    let results = vec![(-1, 0, Body::Error(0)), (-1, -101, Body::Error(-101)), (-1, -2, Body::Error(-2))];
    let header = Header { xid: 12, zxid: 8, err: 0 };
    assert_eq!(decode(&received, Some(&op)), Seen::Reply { header, body: Body::Multi(results) });
}

#[test]
fn auth_who_am_i_and_the_watch_requests() {
    let auth = Op::Auth { kind: 0, scheme: Text::of("digest"), auth: Some(b"bob:secret".to_vec()) };
    let seen = exchange(
        -4,
        &auth,
        "00000024 fffffffc 00000064 00000000 00000006 646967657374 0000000a 626f623a736563726574",
        "00000010 fffffffc 0000000000000000 00000000",
    );
    assert_eq!(seen, Seen::Reply { header: Header { xid: -4, zxid: 0, err: 0 }, body: Body::None });

    let seen = exchange(
        13,
        &Op::WhoAmI,
        "00000008 0000000d 0000006b",
        "00000038 0000000d 0000000000000008 00000000 00000002
         00000006 646967657374 00000003 626f62 00000002 6970 00000009 3132372e302e302e31",
    );
    let ids = vec![(Text::of("digest"), Text::of("bob")), (Text::of("ip"), Text::of("127.0.0.1"))];
    let header = Header { xid: 13, zxid: 8, err: 0 };
    assert_eq!(seen, Seen::Reply { header, body: Body::Identities(Some(ids)) });

    let seen = exchange(
        14,
        &Op::AddWatch { path: Text::of("/p"), mode: 0 },
        "00000012 0000000e 0000006a 00000002 2f70 00000000",
        "00000014 0000000e 0000000000000008 00000000 00000000",
    );
    let header = Header { xid: 14, zxid: 8, err: 0 };
    assert_eq!(seen, Seen::Reply { header, body: Body::Error(0) });

    let lists = [vec!["/a"], vec![], vec!["/gone"], vec![], vec!["/r"]];
    let lists = lists.map(|paths| List::Of(paths.into_iter().map(Text::of).collect())).to_vec();
    let seen = exchange(
        -8,
        &Op::SetWatches { relative: 2, lists },
        "00000039 fffffff8 00000069 0000000000000002 00000001 00000002 2f61 00000000
         00000001 00000005 2f676f6e65 00000000 00000001 00000002 2f72",
        "00000010 fffffff8 0000000000000008 00000000",
    );
    assert_eq!(seen, Seen::Reply { header: Header { xid: -8, zxid: 8, err: 0 }, body: Body::None });
}

#[test]
fn ttl_sync_and_close() {
    let op = Op::CreateTtl { path: Text::of("/t"), data: Some(vec![]), acl: open(), flags: 5, ttl: 60_000 };
    let sent = "00000039 00000012 00000015 00000002 2f74 00000000
        00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000005 000000000000ea60";
    let received = format!("0000005a 00000012 0000000000000009 00000000 00000002 2f74 {A_STAT}");
    let body = Body::PathStat(Text::of("/t"), a_stat());
    let header = Header { xid: 18, zxid: 9, err: 0 };
    assert_eq!(exchange(18, &op, sent, &received), Seen::Reply { header, body });

    let seen = exchange(
        17,
        &Op::Sync { path: Text::of("/a") },
        "0000000e 00000011 00000009 00000002 2f61",
        "00000016 00000011 0000000000000008 00000000 00000002 2f61",
    );
    let header = Header { xid: 17, zxid: 8, err: 0 };
    assert_eq!(seen, Seen::Reply { header, body: Body::Path(Text::of("/a")) });

    let seen = exchange(
        19,
        &Op::CloseSession,
        "00000008 00000013 fffffff5",
        "00000010 00000013 000000000000000a 00000000",
    );
    assert_eq!(seen, Seen::Reply { header: Header { xid: 19, zxid: 10, err: 0 }, body: Body::None });
}
