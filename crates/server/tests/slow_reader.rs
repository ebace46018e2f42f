//! A client that sends many requests and reads late gets every reply.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use proto::{
    Acl, ConnectRequest, CreateRequest, Encode, OpCode, PathWatchRequest, RequestHeader, SessionId, Xid,
    Zxid, wire,
};
use server::config::Config;
use server::start::Server;

/// More than a socket's two buffers and the server's own together.
const REPLIES: i32 = 64;
const DATA_BYTES: usize = 900_000;

fn put_request(xid: i32, op: OpCode, body: &dyn Encode, out: &mut Vec<u8>) {
    wire::put_frame(out, |out| {
        RequestHeader { xid: Xid(xid), kind: op.number() }.encode(out);
        body.encode(out);
    });
}

/// Reads one frame and returns the first four bytes behind its length, which are the xid of a reply.
fn read_frame(stream: &mut TcpStream) -> i32 {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut frame).unwrap();
    i32::from_be_bytes(*frame.first_chunk().unwrap())
}

fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    // Nothing here takes long: this is for the failing test to fail.
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut out = Vec::new();
    let greeting = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 60_000,
        session_id: SessionId::NONE,
        password: None,
        read_only: Some(false),
    };
    wire::put_frame(&mut out, |out| greeting.encode(out));
    stream.write_all(&out).unwrap();
    read_frame(&mut stream);
    stream
}

#[test]
fn who_reads_late_gets_all_replies() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::with_defaults(0, dir.path().join("data"));
    config.client_port_address = Ipv4Addr::LOCALHOST.into();
    let server = Server::start(config).unwrap();
    let (address, handle) = (server.address.unwrap(), server.handle());
    let serving = thread::spawn(move || server.run());

    let mut stream = connect(address);
    let mut out = Vec::new();
    let path = || Some("/big".into());
    let data = vec![7; DATA_BYTES];
    let create = CreateRequest { path: path(), data: Some(&data), acl: Some(vec![Acl::open()]), flags: 0 };
    put_request(1, OpCode::Create, &create, &mut out);
    stream.write_all(&out).unwrap();
    assert_eq!(read_frame(&mut stream), 1);

    out.clear();
    for xid in 2..2 + REPLIES {
        put_request(xid, OpCode::GetData, &PathWatchRequest { path: path(), watch: false }, &mut out);
    }
    stream.write_all(&out).unwrap();
    // Another client is served meanwhile, and its reply says that the server has done what it could for the first.
    let mut other = connect(address);
    out.clear();
    put_request(1, OpCode::Exists, &PathWatchRequest { path: path(), watch: false }, &mut out);
    other.write_all(&out).unwrap();
    assert_eq!(read_frame(&mut other), 1);
    for xid in 2..2 + REPLIES {
        assert_eq!(read_frame(&mut stream), xid);
    }
    handle.stop();
    serving.join().unwrap().unwrap();
}
