//! Connections of clients: accepted, read frame by frame, sent to, closed.

use std::io;
use std::net::SocketAddr;

use member::{ConnId, Now};
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::socket::{Found, Socket, cut};
use super::{ACCEPT_PAUSE_MS, ACCEPTS_MAX, Driver};

/// The longest connect request taken. Java's and every other client's has 45 bytes; whoever has proved nothing may not
/// leave more here. Source: reliability.md §6, "memory".
const FIRST_FRAME_BYTES_MAX: usize = 16 * 1024;

/// How long a closing connection may take to read what it was still sent. Source: reliability.md §6, "text commands".
const LINGER_MS: u64 = 5000;

impl Driver {
    pub(super) fn accept(&mut self, now: Now) {
        // Whoever comes sees everything that was committed when it came.
        if let Some((links, mut turn)) = self.links(now) {
            links.rouse(&mut turn);
        }
        for _ in 0..ACCEPTS_MAX {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, peer)) => self.take_in(stream, peer, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted; raise the limit of open files");
                    self.accept_at_ms = Some(now.mono_ms + ACCEPT_PAUSE_MS);
                    return;
                }
            }
        }
        // The edge was used up, the queue was not.
        self.accept_at_ms = Some(now.mono_ms);
    }

    fn take_in(&mut self, mut stream: TcpStream, peer: SocketAddr, now: Now) {
        let id = match self.member.accept(peer, now) {
            Ok(id) => id,
            Err(refused) => {
                self.member.core_mut().metrics.connection_rejected.inc();
                tracing::warn!(%peer, ?refused, "too many connections; see maxClientCnxns and maxCnxns");
                return;
            }
        };
        let slot = usize::try_from(id.slot).expect("a slot fits a pointer");
        let ready = stream.set_nodelay(true).and_then(|()| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(slot), interest)
        });
        if let Err(error) = ready {
            tracing::warn!(%peer, %error, "a connection cannot be served");
            self.member.lost(id);
            return;
        }
        if self.config.client_tcp_keep_alive
            && let Err(error) = socket2::SockRef::from(&stream).set_keepalive(true)
        {
            tracing::warn!(%peer, %error, "keep-alive cannot be set");
        }
        if self.sockets.len() <= slot {
            self.sockets.resize_with(slot + 1, || None);
        }
        self.sockets[slot] = Some(Socket::new(stream, id));
    }

    pub(super) fn socket(&mut self, id: ConnId) -> Option<&mut Socket> {
        let slot = usize::try_from(id.slot).expect("a slot fits a pointer");
        self.sockets.get_mut(slot).and_then(Option::as_mut).filter(|socket| socket.id == id)
    }

    /// Hands in what a connection has sent, as long as the member wants it and for one turn at most.
    pub(super) fn serve(&mut self, id: ConnId, now: Now) {
        let Some(socket) = self.socket(id) else { return };
        let had_input = socket.has_input();
        if had_input {
            let (input, taken) = socket.take_input();
            let rest = self.hand_in(id, &input[taken..], now);
            if let Some(socket) = self.socket(id) {
                let taken = input.len() - rest;
                socket.put_input(input, taken);
            }
        }
        let wanted = self.member.wants_input(id);
        let Some(socket) = self.socket(id) else { return };
        if !wanted || !socket.readable {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let Some(socket) = self.socket(id) else { return };
        let alive = match socket.fill(&mut scratch) {
            Ok(bytes) => {
                let ended = socket.ended;
                let more = socket.readable || socket.has_input();
                if !bytes.is_empty() {
                    let rest = self.hand_in(id, bytes, now);
                    let kept = &bytes[bytes.len() - rest..];
                    if let Some(socket) = self.socket(id) {
                        socket.keep(kept);
                    }
                } else if !ended && more {
                    // What was appended to an unfinished frame is cut in the same turn.
                    self.cut_kept(id, now);
                }
                !ended
            }
            Err(_) => false,
        };
        self.scratch = scratch;
        if !alive {
            self.drop_connection(id);
        } else {
            self.serve_again(id);
        }
    }

    /// Puts a connection that has more off to the next turn, after all others. A paused one comes back when it is
    /// dirty.
    pub(super) fn serve_again(&mut self, id: ConnId) {
        let wanted = self.member.wants_input(id);
        let limit = self.frame_bytes_max;
        if let Some(socket) = self.socket(id)
            && wanted
            && !socket.again
            && (socket.readable || socket.has_frame(limit))
        {
            socket.again = true;
            self.unread.push(id);
        }
    }

    fn cut_kept(&mut self, id: ConnId, now: Now) {
        let Some(socket) = self.socket(id) else { return };
        let (input, taken) = socket.take_input();
        let rest = self.hand_in(id, &input[taken..], now);
        if let Some(socket) = self.socket(id) {
            let taken = input.len() - rest;
            socket.put_input(input, taken);
        }
    }

    /// Cuts frames off `bytes` and hands them in. Returns how many bytes are left at the end.
    fn hand_in(&mut self, id: ConnId, bytes: &[u8], now: Now) -> usize {
        let mut rest = bytes;
        while self.member.wants_input(id) {
            let longest = self.frame_bytes_max;
            let Some(socket) = self.socket(id) else { return 0 };
            let limit = if socket.handshaken { longest } else { longest.min(FIRST_FRAME_BYTES_MAX) };
            let (found, length) = cut(rest, limit, socket.handshaken);
            match found {
                Found::Frame(frame) => {
                    socket.handshaken = true;
                    self.member.receive(id, frame, now);
                    rest = &rest[length..];
                }
                Found::Nothing => break,
                Found::BadLength(announced) => {
                    let peer = socket.stream.peer_addr().ok();
                    tracing::warn!(?peer, announced, limit, "Len error: no frame is so long");
                    self.drop_connection(id);
                    return 0;
                }
                Found::Word(word, behind) => {
                    self.answer_word(id, word, behind, now);
                    return 0;
                }
            }
        }
        rest.len()
    }

    fn answer_word(&mut self, id: ConnId, word: [u8; 4], behind: &[u8], now: Now) {
        self.member.on_word(id);
        let text = self.admin.answer(&mut self.member, word, behind, now);
        self.member.answer_word(id, text.as_bytes());
    }

    pub(super) fn send(&mut self, id: ConnId, now: Now) {
        let slot = usize::try_from(id.slot).expect("a slot fits a pointer");
        let Some(socket) =
            self.sockets.get_mut(slot).and_then(Option::as_mut).filter(|socket| socket.id == id)
        else {
            return;
        };
        let Some(out) = self.member.output(id) else { return };
        if !out.is_empty() {
            let sent = socket.send(out);
            socket.is_full = matches!(sent, Ok(false));
            match sent {
                Ok(true) => self.member.on_sent(id),
                Ok(false) => {
                    if self.member.is_closing(id) && !socket.lingers {
                        socket.lingers = true;
                        self.lingering.push_back((now.mono_ms.saturating_add(LINGER_MS), id));
                    }
                    return;
                }
                Err(_) => return self.drop_connection(id),
            }
        }
        if self.member.is_closing(id) {
            self.drop_connection(id);
        }
    }

    pub(super) fn drop_connection(&mut self, id: ConnId) {
        let slot = usize::try_from(id.slot).expect("a slot fits a pointer");
        if let Some(place) = self.sockets.get_mut(slot)
            && let Some(mut socket) = place.take_if(|socket| socket.id == id)
        {
            // Closing the descriptor takes it out of the poll as well.
            if let Err(error) = self.poll.registry().deregister(&mut socket.stream) {
                tracing::debug!(%error, "a connection was not registered");
            }
        }
        self.member.lost(id);
    }
}
