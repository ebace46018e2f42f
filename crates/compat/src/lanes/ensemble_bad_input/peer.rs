//! The bytes a peer sends, right and wrong ones.
//!
//! Source: `QuorumCnxManager.InitialMessage`, `FastLeaderElection#buildMsg`, `QuorumPacket` and `LearnerInfo` of zookeeper.jute.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::diff::wire::Writer;

/// How long connecting may take, and how long an attacker looks at what comes back.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);
/// The version in the first message of an election connection.
const PROTOCOL: i64 = -65536;
/// The version in `LearnerInfo`.
pub(super) const LEARNER_PROTOCOL: i32 = 0x10000;

/// Types of quorum packets. Source: `Leader`.
pub(super) mod packet {
    pub(in super::super) const REQUEST: i32 = 1;
    pub(in super::super) const ACK: i32 = 3;
    pub(in super::super) const PING: i32 = 5;
    pub(in super::super) const FOLLOWERINFO: i32 = 11;
    pub(in super::super) const OBSERVERINFO: i32 = 16;
    pub(in super::super) const ACKEPOCH: i32 = 18;
}

/// Connections that say nothing, as long as they are kept.
pub(super) fn silent(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>> {
    (0..count).map(|_| Ok(TcpStream::connect_timeout(&address, CONNECT_TIME_MAX)?)).collect()
}

/// Connects, sends, and takes what comes back for a moment. That the server closes early is what it should do.
pub(super) fn say(address: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIME_MAX)?;
    stream.set_write_timeout(Some(CONNECT_TIME_MAX))?;
    stream.set_read_timeout(Some(LOOK))?;
    let mut answer = Vec::new();
    if stream.write_all(bytes).is_ok() {
        let mut piece = [0; 4096];
        // A stranger may be sent every transaction there is: the look ends by the clock.
        let end = Instant::now() + LOOK;
        while Instant::now() < end {
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => answer.extend(piece.iter().take(length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }
    Ok(answer)
}

/// Connects, sends, and goes. Whether somebody listens.
pub(super) fn call_out(address: SocketAddr, bytes: &[u8]) -> bool {
    TcpStream::connect_timeout(&address, CONNECT_TIME_MAX)
        .is_ok_and(|mut stream| stream.write_all(bytes).is_ok())
}

/// The first message of an election connection.
pub(super) fn hello(sid: i64, address: &str) -> Vec<u8> {
    let mut out = Writer::default();
    out.long(PROTOCOL);
    out.long(sid);
    out.buffer(Some(address.as_bytes()));
    out.into_bytes()
}

/// The first message with any version and any length of its address.
pub(super) fn hello_of(version: i64, sid: i64, length: i32) -> Vec<u8> {
    let mut out = Writer::default();
    out.long(version);
    out.long(sid);
    out.int(length);
    out.into_bytes()
}

/// A vote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notification {
    pub(super) state: i32,
    pub(super) leader: i64,
    pub(super) zxid: i64,
    pub(super) round: i64,
    pub(super) epoch: i64,
}

impl Notification {
    /// As it is framed.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut body = Writer::default();
        body.int(self.state);
        body.long(self.leader);
        body.long(self.zxid);
        body.long(self.round);
        body.long(self.epoch);
        body.int(2);
        body.buffer(Some(b"version=0"));
        crate::diff::wire::frame(&body.into_bytes())
    }
}

/// A packet of the quorum port.
pub(super) fn quorum_packet(kind: i32, zxid: i64, data: Option<&[u8]>) -> Vec<u8> {
    let mut out = Writer::default();
    out.int(kind);
    out.long(zxid);
    out.buffer(data);
    out.int(-1);
    out.into_bytes()
}

/// What a learner says first.
pub(super) fn learner_info(kind: i32, sid: i64, accepted_epoch: i64) -> Vec<u8> {
    let mut info = Writer::default();
    info.long(sid);
    info.int(LEARNER_PROTOCOL);
    info.long(0);
    quorum_packet(kind, accepted_epoch << 32, Some(&info.into_bytes()))
}
