//! One TCP connection to one server: bytes out, frames in.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::step::Cut;

/// How long an answer, or the end of a connection, may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What came next on a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Got {
    /// The payload of a frame.
    Frame(Vec<u8>),
    /// The server ended the connection.
    Closed,
    /// Nothing in time.
    Nothing,
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    inbox: Vec<u8>,
}

impl Link {
    /// Connects to a loopback port.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("connecting to port {port}; has the server died?"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, inbox: Vec::new() })
    }

    /// Sends bytes. A connection the server has closed is no error here: what was sent is lost, and reading will tell.
    pub fn send(&mut self, bytes: &[u8], cut: Cut) {
        let piece = match cut {
            Cut::Whole => bytes.len(),
            Cut::Bytes => 1,
            Cut::Pieces(length) => length,
        };
        for part in bytes.chunks(piece.max(1)) {
            if self.stream.write_all(part).is_err() {
                return;
            }
        }
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// When the socket refuses a time limit, which it does not.
    pub fn frame(&mut self) -> Result<Got> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(payload) = self.take_frame() {
                return Ok(Got::Frame(payload));
            }
            match self.read_more(deadline)? {
                Got::Frame(_) => {}
                end @ (Got::Closed | Got::Nothing) => return Ok(end),
            }
        }
    }

    /// Everything up to the end of the connection, framed or not, and how it ended.
    ///
    /// # Errors
    /// As [`Link::frame`].
    pub fn to_end(&mut self) -> Result<(Vec<u8>, Got)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.read_more(deadline)? {
                Got::Frame(_) => {}
                end @ (Got::Closed | Got::Nothing) => return Ok((std::mem::take(&mut self.inbox), end)),
            }
        }
    }

    /// Ends the connection from this side and waits until the server has noticed, so that whatever it forgets with it is
    /// forgotten when the next step begins. Apache, for one, would otherwise unlink the *next* connection of the session.
    ///
    /// # Errors
    /// As [`Link::frame`].
    ///
    /// Source: `ServerCnxnFactory#removeCnxnFromSessionMap`.
    pub fn drop_and_wait(mut self) -> Result<()> {
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            self.to_end()?;
        }
        Ok(())
    }

    /// A whole frame from what was read already.
    fn take_frame(&mut self) -> Option<Vec<u8>> {
        let length: [u8; 4] = self.inbox.get(..4)?.try_into().expect("four bytes");
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a server sends no negative length");
        let payload = self.inbox.get(4..4 + length)?.to_vec();
        self.inbox.drain(..4 + length);
        Some(payload)
    }

    /// Reads what is there; `Got::Frame(vec![])` says that something was.
    fn read_more(&mut self, deadline: Instant) -> Result<Got> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Got::Nothing);
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => Ok(Got::Closed),
            Ok(length) => {
                self.inbox.extend(bytes.iter().take(length));
                Ok(Got::Frame(Vec::new()))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(Got::Nothing)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Got::Frame(Vec::new())),
            // A reset: the server closed while bytes from here were unread.
            Err(_) => Ok(Got::Closed),
        }
    }
}
