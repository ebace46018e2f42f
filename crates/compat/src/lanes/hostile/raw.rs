//! A client that sends whatever it likes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::lanes::wire::Body;

/// How long a reply may take.
const REPLY_TIME_MAX: Duration = Duration::from_secs(20);
/// The shortest time a read waits; a socket takes no zero.
const READ_TIME_MIN: Duration = Duration::from_millis(1);

/// A connection without manners.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) stream: TcpStream,
}

impl Raw {
    /// Connects and says nothing.
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIME_MAX))?;
        Ok(Self { stream })
    }

    /// Connects and opens a session, as everybody would.
    pub(super) fn session(port: u16, timeout: Duration) -> Result<Self> {
        let mut raw = Self::connect(port)?;
        raw.send(&connect_request(timeout)?)?;
        raw.frame().context("opening a session")?;
        Ok(raw)
    }

    /// Sends bytes as they are.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("sending")
    }

    /// Receives the bytes of one frame.
    pub(super) fn frame(&mut self) -> Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length))?];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Waits until the server has closed the connection, and gives what it sent before and how long the wait was.
    ///
    /// # Errors
    /// When the connection is still open after `time_max`.
    pub(super) fn closed_within(&mut self, time_max: Duration) -> Result<(usize, Duration)> {
        let began = Instant::now();
        let mut received = 0;
        let mut chunk = vec![0; 64 << 10];
        loop {
            let left = time_max.saturating_sub(began.elapsed()).max(READ_TIME_MIN);
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok((received, began.elapsed())),
                Ok(count) => received += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // A reset is an end as well: the server closed before it had read everything.
                Err(_) => return Ok((received, began.elapsed())),
            }
            if began.elapsed() > time_max {
                bail!("the server still holds the connection after {time_max:?}");
            }
        }
    }
}

/// Bytes with their length in front.
pub(super) fn framed(bytes: &[u8]) -> Vec<u8> {
    Body::default().bytes(bytes).as_bytes().to_vec()
}

/// The frame that asks for a new session.
pub(super) fn connect_request(timeout: Duration) -> Result<Vec<u8>> {
    let timeout_ms = i32::try_from(timeout.as_millis())?;
    let body = Body::default().int(0).long(0).int(timeout_ms).long(0).bytes(&[0; 16]).flag(false);
    Ok(framed(body.as_bytes()))
}

/// The frame of a request.
pub(super) fn request(xid: i32, op: i32, body: &[u8]) -> Vec<u8> {
    let header = Body::default().int(xid).int(op);
    framed(&[header.as_bytes(), body].concat())
}
