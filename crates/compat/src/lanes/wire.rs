//! The few requests the lanes send themselves, pipelined, straight from the protocol's byte layout.
//!
//! Written apart from `proto` on purpose: a mistake there must not hide itself here.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How long one reply may take.
const REPLY_TIME_MAX: Duration = Duration::from_secs(20);
/// No reply of a lane is longer.
const FRAME_BYTES_MAX: i32 = 16 << 20;

/// Operation codes. Source: `ZooDefs.OpCode`.
pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const CLOSE: i32 = -11;
}

/// Error codes a lane asks for. Source: `KeeperException.Code`.
pub(crate) const NODE_EXISTS: i32 = -110;

/// A request's body in the making.
#[derive(Default)]
pub(crate) struct Body(Vec<u8>);

impl Body {
    /// Appends an `int`.
    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Appends a `long`.
    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Appends a `boolean`.
    pub(crate) fn flag(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    /// Appends a `buffer` or a `ustring`: both are a length and bytes.
    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let length = i32::try_from(value.len()).expect("a lane sends little");
        let mut body = self.int(length);
        body.0.extend(value);
        body
    }

    /// A body made elsewhere.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// What it has come to.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The body of `create` with world:anyone and all permissions; 1 in `flags` is ephemeral.
pub(crate) fn create(path: &str, data: &[u8], flags: i32) -> Body {
    let body = Body::default().bytes(path.as_bytes()).bytes(data);
    body.int(1).int(31).bytes(b"world").bytes(b"anyone").int(flags)
}

/// The body of `setData` with any version.
pub(crate) fn set_data(path: &str, data: &[u8]) -> Body {
    Body::default().bytes(path.as_bytes()).bytes(data).int(-1)
}

/// The body of `delete` with any version.
pub(crate) fn delete(path: &str) -> Body {
    Body::default().bytes(path.as_bytes()).int(-1)
}

/// The body of `exists`, `getData` and `getChildren`.
pub(crate) fn read(path: &str, watch: bool) -> Body {
    Body::default().bytes(path.as_bytes()).flag(watch)
}

/// Reads fields off a reply's body.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `count` bytes.
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("a reply is too short")?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `int`.
    pub(crate) fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }

    /// The next `long`.
    pub(crate) fn long(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into()?))
    }

    /// The next `buffer` or `ustring`; null is empty.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.int()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }

    /// The `version` of the `Stat` that comes next.
    pub(crate) fn stat_version(&mut self) -> Result<i32> {
        // czxid, mzxid, ctime and mtime come before it.
        self.take(32)?;
        self.int()
    }
}

/// A reply: its header and the bytes after it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) xid: i32,
    pub(crate) error: i32,
    pub(crate) body: Vec<u8>,
}

/// One session on one connection.
#[derive(Debug)]
pub(crate) struct Session {
    stream: TcpStream,
    id: i64,
    password: Vec<u8>,
    sent: i32,
}

impl Session {
    /// Opens a new session.
    pub(crate) fn open(port: u16, timeout: Duration) -> Result<Self> {
        Self::handshake(port, timeout, 0, &[0; 16])
    }

    /// Takes up this session again on a new connection.
    ///
    /// # Errors
    /// Also when the server does not know the session any more.
    pub(crate) fn resume(&self, port: u16, timeout: Duration) -> Result<Self> {
        let resumed = Self::handshake(port, timeout, self.id, &self.password)?;
        ensure!(
            resumed.id == self.id,
            "session {:#x} is gone, the server answered {:#x}",
            self.id,
            resumed.id
        );
        Ok(resumed)
    }

    /// Sends the connect request and reads its answer.
    fn handshake(port: u16, timeout: Duration, id: i64, password: &[u8]) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIME_MAX))?;
        let mut session = Self { stream, id, password: Vec::new(), sent: 0 };
        let timeout_ms = i32::try_from(timeout.as_millis())?;
        let request = Body::default().int(0).long(0).int(timeout_ms).long(id).bytes(password).flag(false);
        session.send_frame(&request.0)?;
        let answer = session.receive_frame()?;
        let mut fields = Fields(&answer);
        let (_version, _timeout) = (fields.int()?, fields.int()?);
        session.id = fields.long()?;
        session.password = fields.bytes()?.to_vec();
        Ok(session)
    }

    /// Sends one request without waiting and gives its xid.
    pub(crate) fn send(&mut self, op: i32, body: &Body) -> Result<i32> {
        self.sent += 1;
        let header = Body::default().int(self.sent).int(op);
        self.send_frame(&[header.0.as_slice(), &body.0].concat())?;
        Ok(self.sent)
    }

    /// Receives the next reply, leaving out watch events.
    pub(crate) fn receive(&mut self) -> Result<Reply> {
        loop {
            let frame = self.receive_frame()?;
            let mut fields = Fields(&frame);
            let (xid, _zxid, error) = (fields.int()?, fields.long()?, fields.int()?);
            if xid != -1 {
                return Ok(Reply { xid, error, body: fields.0.to_vec() });
            }
        }
    }

    /// Sends one request, waits for its reply, and takes an error code for an error.
    pub(crate) fn call(&mut self, op: i32, body: &Body) -> Result<Vec<u8>> {
        let xid = self.send(op, body)?;
        let reply = self.receive()?;
        ensure!(reply.xid == xid, "the reply to {xid} says {}", reply.xid);
        ensure!(reply.error == 0, "request {op} was answered with error {}", reply.error);
        Ok(reply.body)
    }

    /// Ends the session, so that nothing of it is left to expire.
    pub(crate) fn close(mut self) -> Result<()> {
        self.call(op::CLOSE, &Body::default()).map(drop)
    }

    /// Sends bytes with their length in front.
    fn send_frame(&mut self, bytes: &[u8]) -> Result<()> {
        let frame = Body::default().bytes(bytes);
        self.stream.write_all(&frame.0)?;
        Ok(())
    }

    /// Receives the bytes of one frame.
    fn receive_frame(&mut self) -> Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = i32::from_be_bytes(length);
        if !(0..=FRAME_BYTES_MAX).contains(&length) {
            bail!("the server sent a frame of {length} bytes");
        }
        let mut frame = vec![0; usize::try_from(length)?];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }
}
