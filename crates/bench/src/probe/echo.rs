//! L1, L3 and L4: the least that a server can do for a request.
//!
//! Per wake: read what each ready connection has, append the write requests among it to one buffer, put that buffer
//! on disk with one `pwrite` and one `fdatasync`, then answer each connection with one write. Connections that sent
//! only reads are answered before the disk is asked.
//!
//! L4 sends the buffer to two followers before it syncs, and answers when one of them has it on disk too.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::log::Log;
use super::quorum::{Held, Quorum};
use crate::engine::write_some;
use crate::wire::{self, Frame, opcode};

const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 64 * 1024;

struct Peer {
    stream: TcpStream,
    connected: bool,
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    /// Answers of this connection that wait for a quorum; later ones wait behind them.
    held: usize,
}

struct Echo {
    /// Whole reply frames by opcode, with xid 0.
    replies: BTreeMap<i32, Vec<u8>>,
    log: Option<Log>,
    quorum: Option<Quorum>,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    next_session: i64,
}

/// Serves until killed. The first line on standard output is the address. `followers` are those of L4.
pub(crate) fn serve(
    listen: SocketAddr,
    replies: &[(i32, usize)],
    log_dir: Option<&Path>,
    followers: &[SocketAddr],
) -> Result<()> {
    // A backlog as deep as the kernel allows: thousands of sessions come at once.
    let socket = socket2::Socket::new(socket2::Domain::for_address(listen), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    socket.listen(4096)?;
    let mut listener = TcpListener::from_std(socket.into());
    crate::say::line(&listener.local_addr()?.to_string())?;

    let usual =
        [(opcode::EXISTS, wire::STAT), (opcode::SET_DATA, wire::STAT), (opcode::GET_DATA, 4 + wire::STAT)];
    let replies = usual.iter().chain(replies).map(|&(opcode, body)| (opcode, reply(body))).collect();
    let log = log_dir.map(Log::create).transpose()?;
    let mut poll = Poll::new()?;
    let quorum = (!followers.is_empty()).then(|| Quorum::connect(followers, &poll)).transpose()?;
    let mut echo = Echo { replies, log, quorum, peers: Vec::new(), free: Vec::new(), next_session: 1 };

    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; READ_BYTES];
    let mut waiting = Vec::new();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                echo.accept(&listener, &poll)?;
            } else if !Quorum::is_follower(event.token()) {
                echo.on_ready(event.token().0, &mut buffer, &mut waiting);
            }
        }
        if let Some(log) = echo.log.as_mut().filter(|log| !log.batch.is_empty()) {
            if let Some(quorum) = &mut echo.quorum {
                quorum.propose(&log.batch)?;
            }
            log.sync()?;
        }
        if echo.quorum.is_some() {
            echo.hold(&mut waiting);
            echo.release()?;
        }
        for index in waiting.drain(..) {
            echo.answer(index);
        }
    }
}

/// A reply frame with this many bytes behind the header, all zero.
fn reply(body: usize) -> Vec<u8> {
    let mut bytes = Frame::bare().int(0).long(0).int(0).finish();
    bytes.resize(wire::REPLY_HEAD + body, 0);
    let length = i32::try_from(bytes.len() - 4).expect("replies of workloads are below 2 GiB").to_be_bytes();
    bytes[..4].copy_from_slice(&length);
    bytes
}

impl Echo {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("accepting"),
            };
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.peers.push(None);
                self.peers.len() - 1
            });
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let (partial, out) = (Vec::new(), Vec::new());
            self.peers[index] = Some(Peer { stream, connected: false, partial, out, sent: 0, held: 0 });
        }
    }

    /// Reads and answers, or puts the connection among those that wait for the disk.
    fn on_ready(&mut self, index: usize, buffer: &mut [u8], waiting: &mut Vec<usize>) {
        let logged = |log: &Option<Log>| log.as_ref().map_or(0, |log| log.batch.len());
        let before = logged(&self.log);
        match self.read(index, buffer) {
            Ok(()) if logged(&self.log) > before || self.holds(index) => waiting.push(index),
            Ok(()) => self.answer(index),
            Err(_) => self.drop_peer(index),
        }
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) -> Result<()> {
        let Some(peer) = self.peers.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        loop {
            let read = match peer.stream.read(buffer) {
                Ok(0) => anyhow::bail!("closed"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let session = &mut self.next_session;
            if peer.partial.is_empty() {
                let used = peer.frames(&buffer[..read], &self.replies, &mut self.log, session)?;
                peer.partial.extend_from_slice(&buffer[used..read]);
            } else {
                let mut bytes = std::mem::take(&mut peer.partial);
                bytes.extend_from_slice(&buffer[..read]);
                let used = peer.frames(&bytes, &self.replies, &mut self.log, session)?;
                bytes.drain(..used);
                peer.partial = bytes;
            }
            if read < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Whether answers of this connection wait for a quorum.
    fn holds(&self, index: usize) -> bool {
        self.peers.get(index).and_then(Option::as_ref).is_some_and(|peer| peer.held > 0)
    }

    /// Keeps the answers of these connections until a quorum has what was logged last.
    fn hold(&mut self, waiting: &mut Vec<usize>) {
        for index in waiting.drain(..) {
            let peer = self.peers.get_mut(index).and_then(Option::as_mut);
            let (Some(peer), Some(quorum)) = (peer, &mut self.quorum) else { continue };
            if !peer.out.is_empty() {
                peer.held += 1;
                quorum.hold(index, peer.out.split_off(peer.sent));
                peer.out.clear();
                peer.sent = 0;
            }
        }
    }

    /// Sends what a quorum has by now.
    fn release(&mut self) -> Result<()> {
        let Some(quorum) = &mut self.quorum else { return Ok(()) };
        for Held { connection, answers, .. } in quorum.released()? {
            if let Some(peer) = self.peers.get_mut(connection).and_then(Option::as_mut) {
                peer.held -= 1;
                peer.out.extend_from_slice(&answers);
                self.answer(connection);
            }
        }
        Ok(())
    }

    fn answer(&mut self, index: usize) {
        let Some(peer) = self.peers.get_mut(index).and_then(Option::as_mut) else { return };
        if write_some(&mut peer.stream, &mut peer.out, &mut peer.sent).is_err() {
            self.drop_peer(index);
        }
    }

    fn drop_peer(&mut self, index: usize) {
        if self.peers.get_mut(index).and_then(Option::take).is_some() {
            self.free.push(index);
        }
    }
}

impl Peer {
    /// Answers each whole frame in `bytes`; returns how many bytes they were.
    fn frames(
        &mut self,
        bytes: &[u8],
        replies: &BTreeMap<i32, Vec<u8>>,
        log: &mut Option<Log>,
        next_session: &mut i64,
    ) -> Result<usize> {
        let mut at = 0;
        while bytes.len() - at >= 4 {
            let length = usize::try_from(wire::int_at(bytes, at)).context("negative length")?;
            if bytes.len() - at - 4 < length {
                break;
            }
            let frame = &bytes[at..at + 4 + length];
            at += frame.len();
            if self.connected {
                anyhow::ensure!(length >= 8, "no header");
                let opcode = wire::int_at(frame, 8);
                if let Some(log) = log.as_mut().filter(|_| opcode::is_write(opcode)) {
                    log.batch.extend_from_slice(frame);
                }
                let start = self.out.len();
                match replies.get(&opcode) {
                    Some(reply) => self.out.extend_from_slice(reply),
                    None => self
                        .out
                        .extend_from_slice(&[0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                }
                self.out[start + 4..start + 8].copy_from_slice(&frame[4..8]);
            } else {
                anyhow::ensure!(length >= 28, "no handshake");
                let timeout_ms = wire::int_at(frame, 16);
                let answer = Frame::bare().int(0).int(timeout_ms).long(*next_session).buffer(&[7; 16]);
                self.out.extend_from_slice(&answer.boolean(false).finish());
                *next_session += 1;
                self.connected = true;
            }
        }
        Ok(at)
    }
}
