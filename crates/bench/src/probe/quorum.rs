//! The quorum of L4: two followers that do nothing but append and sync.
//!
//! A batch goes to both as four bytes of length and its bytes; a follower puts all whole batches it has on disk with
//! one sync and sends back how many it has so far, eight bytes. One of the two makes a quorum with the leader.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use super::log::Log;
use crate::engine::write_some;
use crate::wire;

/// Tokens of the followers; the one above is the listener's.
const FIRST_FOLLOWER: usize = usize::MAX - 8;
/// How much a follower reads at a time.
const READ_BYTES: usize = 1024 * 1024;

/// The leader's side.
pub(super) struct Quorum {
    followers: Vec<Follower>,
    /// How many batches were proposed.
    proposed: u64,
    held: VecDeque<Held>,
}

/// Answers that wait for a quorum.
pub(super) struct Held {
    /// The batch that must be on disk first.
    batch: u64,
    pub(super) connection: usize,
    pub(super) answers: Vec<u8>,
}

struct Follower {
    stream: TcpStream,
    out: Vec<u8>,
    sent: usize,
    /// Bytes of an unfinished ack.
    partial: Vec<u8>,
    acked: u64,
}

impl Quorum {
    /// Connects to followers that listen already.
    pub(super) fn connect(addrs: &[SocketAddr], poll: &Poll) -> Result<Self> {
        let mut followers = Vec::new();
        for (addr, token) in addrs.iter().zip(FIRST_FOLLOWER..usize::MAX) {
            let stream = std::net::TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(token), both)?;
            followers.push(Follower { stream, out: Vec::new(), sent: 0, partial: Vec::new(), acked: 0 });
        }
        Ok(Self { followers, proposed: 0, held: VecDeque::new() })
    }

    /// Whether an event is one of a follower rather than of a client.
    pub(super) fn is_follower(token: Token) -> bool {
        (FIRST_FOLLOWER..usize::MAX).contains(&token.0)
    }

    /// Sends a batch to all followers.
    pub(super) fn propose(&mut self, batch: &[u8]) -> Result<()> {
        let length = u32::try_from(batch.len()).context("a batch is below 4 GiB")?.to_be_bytes();
        for follower in &mut self.followers {
            follower.out.extend_from_slice(&length);
            follower.out.extend_from_slice(batch);
            write_some(&mut follower.stream, &mut follower.out, &mut follower.sent)?;
        }
        self.proposed += 1;
        Ok(())
    }

    /// Keeps answers until a quorum has everything proposed so far.
    pub(super) fn hold(&mut self, connection: usize, answers: Vec<u8>) {
        self.held.push_back(Held { batch: self.proposed, connection, answers });
    }

    /// Reads acks and hands out the answers that may go.
    pub(super) fn released(&mut self) -> Result<Vec<Held>> {
        for follower in &mut self.followers {
            write_some(&mut follower.stream, &mut follower.out, &mut follower.sent)?;
            follower.read_acks()?;
        }
        let acked = self.followers.iter().map(|follower| follower.acked).max().unwrap_or(0);
        let count = self.held.iter().take_while(|held| held.batch <= acked).count();
        Ok(self.held.drain(..count).collect())
    }
}

impl Follower {
    fn read_acks(&mut self) -> Result<()> {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => anyhow::bail!("a follower of the probe is gone"),
                Ok(read) => self.partial.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("reading acks"),
            }
        }
        let whole = self.partial.len() / 8 * 8;
        if let Some(last) = whole.checked_sub(8) {
            self.acked = u64::try_from(wire::long_at(&self.partial, last))?;
            self.partial.drain(..whole);
        }
        Ok(())
    }
}

/// A follower: serves one leader until it goes. The first line on standard output is the address.
pub(super) fn follow(dir: &Path) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut log = Log::create(dir)?;
    crate::say::line(&listener.local_addr()?.to_string())?;
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut bytes, mut batches) = (vec![0; READ_BYTES], Vec::new(), 0_u64);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&buffer[..read]);
        let mut at = 0;
        while bytes.len() - at >= 4 {
            let length = usize::try_from(wire::int_at(&bytes, at)).context("negative length")?;
            let Some(batch) = bytes.get(at + 4..at + 4 + length) else { break };
            log.batch.extend_from_slice(batch);
            at += 4 + length;
            batches += 1;
        }
        bytes.drain(..at);
        if !log.batch.is_empty() {
            log.sync()?;
            stream.write_all(&batches.to_be_bytes())?;
        }
    }
}
