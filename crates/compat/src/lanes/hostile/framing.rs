//! Bytes that are no requests.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::raw::{Raw, connect_request, framed, request};
use crate::harness::Server;
use crate::lanes::wire::{op, read};

/// How soon the server closes a connection that sent nonsense: at once, not when some time is up.
const CLOSE_TIME_MAX: Duration = Duration::from_millis(1500);
/// The shortest session.
const SESSION_TIMEOUT: Duration = Duration::from_secs(1);
/// `jute.maxbuffer`.
const FRAME_BYTES_MAX: i32 = 0xf_ffff;
/// Threads of the flood, and connections of each. In all fewer than there are ports for.
const FLOODERS: usize = 4;
const FLOOD_CONNECTIONS: usize = 2500;

/// Bytes that end a connection before it has a session. No byte comes back.
pub(super) fn before_the_handshake(server: &Server) -> Result<()> {
    let garbage: Vec<u8> = (0..=u8::MAX).rev().map(|byte| byte.wrapping_mul(167) | 0x80).collect();
    let first: [(&str, Vec<u8>); 10] = [
        ("length -1", (-1_i32).to_be_bytes().to_vec()),
        ("the smallest length", i32::MIN.to_be_bytes().to_vec()),
        ("a length of one too many", (FRAME_BYTES_MAX + 1).to_be_bytes().to_vec()),
        ("the largest length", i32::MAX.to_be_bytes().to_vec()),
        ("an empty frame", framed(b"")),
        ("a connect request cut short", framed(&[0; 10])),
        ("garbage", garbage),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
    ];
    for (name, bytes) in first {
        let mut raw = Raw::connect(server.port())?;
        raw.send(&bytes)?;
        let (received, _) = raw.closed_within(CLOSE_TIME_MAX).context(name)?;
        ensure!(received == 0, "{name}: the server answered with {received} bytes");
    }
    Ok(())
}

/// Frames that end the connection of a session, with a good request before each, which is answered.
pub(super) fn in_a_session(server: &Server) -> Result<()> {
    let frames: [(&str, Vec<u8>); 5] = [
        ("length -1", (-1_i32).to_be_bytes().to_vec()),
        ("a length of one too many", (FRAME_BYTES_MAX + 1).to_be_bytes().to_vec()),
        ("an empty frame", framed(b"")),
        ("half a header", framed(&[0; 4])),
        ("an unknown opcode", request(2, 9999, b"")),
    ];
    for (name, bytes) in frames {
        let mut raw = Raw::session(server.port(), SESSION_TIMEOUT)?;
        raw.send(&request(1, op::EXISTS, read("/", false).as_bytes()))?;
        raw.frame().context("the reply to a good request")?;
        raw.send(&bytes)?;
        raw.closed_within(CLOSE_TIME_MAX).context(name)?;
    }
    Ok(())
}

/// Every beginning of a connection, ended in the middle.
pub(super) fn cut_off(server: &Server) -> Result<()> {
    let mut whole = connect_request(SESSION_TIMEOUT)?;
    whole.extend(request(1, op::GET_DATA, read("/", true).as_bytes()));
    for length in 0..whole.len() {
        let mut raw = Raw::connect(server.port())?;
        raw.send(whole.get(..length).unwrap_or_default())?;
        raw.stream.shutdown(Shutdown::Write)?;
        raw.closed_within(CLOSE_TIME_MAX).with_context(|| format!("ended after {length} bytes"))?;
    }
    Ok(())
}

/// Thousands of connections, as fast as they can be made, each with some nonsense.
pub(super) fn flood(server: &Server) -> Result<()> {
    let port = server.port();
    let flooders: Vec<_> =
        (0..FLOODERS).map(|number| thread::spawn(move || flood_from(port, number))).collect();
    for flooder in flooders {
        flooder.join().expect("a flooder does not panic")?;
    }
    Ok(())
}

/// One thread of the flood.
fn flood_from(port: u16, number: usize) -> Result<()> {
    for at in 0..FLOOD_CONNECTIONS {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connecting in the flood")?;
        let nonsense: &[u8] = match (at + number) % 4 {
            0 => b"",
            1 => b"\0\0\0",
            2 => b"\xff\xff\xff\xffnonsense",
            _ => b"\0\0\0\x2c\0\0\0\0\0\0",
        };
        // The server may have closed already.
        drop(stream.write_all(nonsense));
    }
    Ok(())
}
