//! Sessions over plain blocking sockets: opening many at once, single calls, closing.
//!
//! The engine takes over sockets opened here; everything that is not hot uses [`Session::call`].

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::wire::{self, Call, Frame, NOTIFICATION_XID, opcode};

/// How many handshakes may be under way at once; below every usual accept backlog.
const WINDOW: usize = 256;
/// The longest wait for any single reply before the server counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection with an established session.
pub(crate) struct Session {
    pub(crate) stream: TcpStream,
    pub(crate) id: i64,
    pub(crate) password: [u8; 16],
    xid: i32,
}

/// One reply: its header fields and the bytes behind the header.
pub(crate) struct Reply {
    pub(crate) xid: i32,
    pub(crate) err: i32,
    pub(crate) body: Vec<u8>,
}

/// A connection whose `ConnectRequest` is on its way.
pub(crate) struct Opening(TcpStream);

impl Opening {
    /// Connects and sends the handshake; `resume` names a session to come back to.
    pub(crate) fn start(
        server: SocketAddr,
        timeout_ms: i32,
        resume: Option<(i64, [u8; 16])>,
    ) -> Result<Self> {
        let mut stream = TcpStream::connect(server).with_context(|| format!("connecting to {server}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (id, password) = resume.unwrap_or((0, [0; 16]));
        stream.write_all(&wire::connect(timeout_ms, id, &password))?;
        Ok(Self(stream))
    }

    /// The connection, to set how long it waits.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.0
    }

    /// Waits for the `ConnectResponse`.
    pub(crate) fn finish(mut self) -> Result<Session> {
        let payload = read_frame(&mut self.0).context("no answer to the handshake")?;
        ensure!(payload.len() >= 36, "a handshake answer of {} bytes", payload.len());
        let id = wire::long_at(&payload, 8);
        ensure!(wire::int_at(&payload, 4) > 0, "the server refused the session (timeout 0)");
        let password = payload[20..36].try_into().expect("sixteen bytes");
        Ok(Session { stream: self.0, id, password, xid: 0 })
    }
}

impl Session {
    /// A new session.
    pub(crate) fn open(server: SocketAddr, timeout_ms: i32) -> Result<Self> {
        Opening::start(server, timeout_ms, None)?.finish()
    }

    /// Sends one request and waits for its reply; watch events in between are dropped.
    pub(crate) fn call(&mut self, call: Call, path: &str) -> Result<Reply> {
        self.send(call.frame(path))?;
        loop {
            let reply = self.receive()?;
            if reply.xid == self.xid {
                return Ok(reply);
            }
            ensure!(reply.xid < 0, "a reply to xid {} in place of {}", reply.xid, self.xid);
        }
    }

    /// Sends a request frame under the next xid.
    pub(crate) fn send(&mut self, mut frame: Vec<u8>) -> Result<()> {
        self.xid += 1;
        frame[4..8].copy_from_slice(&self.xid.to_be_bytes());
        Ok(self.stream.write_all(&frame)?)
    }

    /// Waits for the next frame, whatever it is.
    pub(crate) fn receive(&mut self) -> Result<Reply> {
        let mut payload = read_frame(&mut self.stream)?;
        ensure!(payload.len() >= 16, "a reply of {} bytes", payload.len());
        let body = payload.split_off(16);
        Ok(Reply { xid: wire::int_at(&payload, 0), err: wire::int_at(&payload, 12), body })
    }

    /// Waits for a watch event.
    pub(crate) fn event(&mut self) -> Result<()> {
        let frame = self.receive()?;
        ensure!(frame.xid == NOTIFICATION_XID, "a reply to xid {} in place of an event", frame.xid);
        Ok(())
    }

    /// Creates a persistent znode; one that is there already is left alone.
    pub(crate) fn create(&mut self, path: &str) -> Result<()> {
        match self.call(Call::Create { size: 0, flags: 0 }, path)?.err {
            0 | -110 => Ok(()),
            err => bail!("create {path}: error {err}"),
        }
    }

    /// How many children were ever created under `path`: the number the next sequential one gets.
    ///
    /// The server shows `cversion` as creates + deletes, which is twice the creates less what is left.
    /// Source: `DataNode#copyStat`.
    pub(crate) fn creates_under(&mut self, path: &str) -> Result<u64> {
        let reply = self.call(Call::Exists, path)?;
        ensure!(reply.err == 0 && reply.body.len() >= wire::STAT, "exists {path}: error {}", reply.err);
        let (cversion, children) = (wire::int_at(&reply.body, 36), wire::int_at(&reply.body, 56));
        Ok(u64::try_from((cversion + children) / 2)?)
    }
}

/// Opens `count` sessions, at most [`WINDOW`] handshakes at a time.
pub(crate) fn open_many(server: SocketAddr, count: usize, timeout_ms: i32) -> Result<Vec<Session>> {
    open_over(&[server], count, timeout_ms)
}

/// As [`open_many`], over several servers in turn.
pub(crate) fn open_over(servers: &[SocketAddr], count: usize, timeout_ms: i32) -> Result<Vec<Session>> {
    open_each(servers, timeout_ms, WINDOW, (0..count).map(|_| None))
}

/// Opens or resumes one session for each item, on the servers in turn, at most `window` handshakes at a time.
pub(crate) fn open_each(
    servers: &[SocketAddr],
    timeout_ms: i32,
    window: usize,
    wanted: impl Iterator<Item = Option<(i64, [u8; 16])>>,
) -> Result<Vec<Session>> {
    let mut opening = VecDeque::with_capacity(window);
    let mut sessions = Vec::new();
    for (resume, &server) in wanted.zip(servers.iter().cycle()) {
        if opening.len() == window {
            sessions.extend(opening.pop_front().map(Opening::finish).transpose()?);
        }
        opening.push_back(Opening::start(server, timeout_ms, resume)?);
    }
    for last in opening {
        sessions.push(last.finish()?);
    }
    Ok(sessions)
}

/// Closes every session and waits until the server said so, so that the next measurement starts clean.
pub(crate) fn close_all(sessions: Vec<Session>) -> Result<()> {
    let mut streams: Vec<TcpStream> = sessions.into_iter().map(|session| session.stream).collect();
    for stream in &mut streams {
        stream.set_nonblocking(false)?;
        // A connection the server dropped already needs no closing.
        let _ = stream.write_all(&Frame::request(opcode::CLOSE_SESSION).finish());
    }
    for mut stream in streams {
        stream.set_read_timeout(Some(PATIENCE))?;
        // Left-over replies and events come first; the answer to the close has xid 0.
        while let Ok(payload) = read_frame(&mut stream) {
            if payload.len() >= 4 && wire::int_at(&payload, 0) == 0 {
                break;
            }
        }
        // Without lingering, thousands of ports would stay in TIME_WAIT.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// Reads one length-prefixed frame.
pub(crate) fn read_frame(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    read_exact(stream, &mut length)?;
    let mut payload = vec![0; usize::try_from(i32::from_be_bytes(length)).context("negative frame length")?];
    read_exact(stream, &mut payload)?;
    Ok(payload)
}

fn read_exact(stream: &mut TcpStream, place: &mut [u8]) -> Result<()> {
    match stream.read_exact(place) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("the server did not answer in time"),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!("the server closed the connection"),
        done => Ok(done?),
    }
}
