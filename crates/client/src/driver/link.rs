//! One connection: its socket, and the frames in its bytes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::vec::Vec;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;
/// A reply beyond this breaks the connection. Java's client takes 1 MiB, and so cannot list a znode with many children.
const FRAME_BYTES_MAX: usize = 1 << 30;

/// How much of what has been sent stays in memory at most.
const SENT_BYTES_KEPT: usize = 1 << 20;

/// A connection that is there or being made.
pub(crate) struct Link {
    stream: TcpStream,
    token: Token,
    pub(crate) is_open: bool,
    received: Vec<u8>,
    /// How much of `received` holds bytes.
    filled: usize,
    /// How much of that has been taken as frames.
    taken: usize,
    /// How much of the session's output is sent.
    sent: usize,
    wants_to_write: bool,
}

impl Link {
    /// Starts to connect.
    pub(crate) fn dial(to: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            token,
            is_open: false,
            received: Vec::new(),
            filled: 0,
            taken: 0,
            sent: 0,
            wants_to_write: true,
        })
    }

    /// Whether the connection that was dialled is there by now.
    pub(crate) fn finish_dialling(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.stream.set_nodelay(true)?;
                self.is_open = true;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what is there, up to [`READ_BYTES`]. `false`: there is nothing more for now.
    pub(crate) fn read(&mut self) -> io::Result<bool> {
        if self.taken > 0 {
            self.received.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        // Room for the whole of a long frame, so that it is not moved piece by piece.
        let room = self.next_length()?.map_or(0, |length| length + 4).max(self.filled + READ_BYTES);
        if self.received.len() < room {
            self.received.resize(room, 0);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.filled += count;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The length of the frame that begins at `taken`, once it is known.
    fn next_length(&self) -> io::Result<Option<usize>> {
        let Some(&length) = self.received[self.taken..self.filled].first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(i32::from_be_bytes(length)).ok();
        let length = length.filter(|&length| length <= FRAME_BYTES_MAX);
        length.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The next whole frame.
    pub(crate) fn next_frame(&mut self) -> io::Result<Option<&[u8]>> {
        let Some(length) = self.next_length()? else { return Ok(None) };
        let start = self.taken + 4;
        if self.filled < start + length {
            return Ok(None);
        }
        self.taken = start + length;
        Ok(Some(&self.received[start..start + length]))
    }

    /// Sends what the socket takes of `out`, and empties it when all is sent.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, registry: &Registry) -> io::Result<()> {
        while self.sent < out.len() {
            match self.stream.write(&out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // What is sent is dropped when that costs little: at the end, or a large piece at a time.
        if self.sent == out.len() || self.sent >= SENT_BYTES_KEPT {
            out.drain(..self.sent);
            self.sent = 0;
        }
        let wants_to_write = !out.is_empty();
        if wants_to_write != self.wants_to_write {
            self.wants_to_write = wants_to_write;
            let readable = Interest::READABLE;
            let interest = if wants_to_write { readable | Interest::WRITABLE } else { readable };
            registry.reregister(&mut self.stream, self.token, interest)?;
        }
        Ok(())
    }
}
