//! A client: the protocol's other half over real frames, with a wish list drawn from its seed, that believes nothing.
//!
//! It keeps a session over connections with any member, as ZooKeeper's clients do, and holds each reply and event against
//! the model.

mod replies;
mod watches;
mod wishes;

use std::collections::{BTreeMap, VecDeque};

use proto::wire::put_frame;
use proto::{
    ConnectRequest, ConnectResponse, Encode, OpCode, Reader, ReplyHeader, RequestHeader, SessionId,
    WatcherEvent, Xid, Zxid,
};

use crate::invariants::{Broken, Seen};
use crate::model::{Value, Watched, Write};
use crate::net::{Class, Host, Key, Side};
use crate::outside::{Caller, Event, Outside};
use crate::rng::Rng;
use watches::{Lasting, Watch};
use wishes::Asked;

/// Registers that all clients write to.
pub const REGISTERS: usize = 4;
/// The parent of what clients create and delete.
pub const NODES: &str = "/n";
/// The parent of what only one client may read and write.
pub const SECRETS: &str = "/p";
/// The wish for a time after which a session without a sign of life ends, in milliseconds.
const TIMEOUT_MS: i32 = 6000;
/// How long a call may take.
const CALL_US: u64 = 1_000_000;
/// What a client keeps in mind to delete or look at.
const OWN_MAX: usize = 12;
/// Watches a client leaves at the most, beside those that last.
const WATCHES_MAX: usize = 4;

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Between two requests, on average, in microseconds.
    pub pause_us: u64,
    /// Requests under way at the most.
    pub depth: usize,
    /// In so many of 1000 cases a request is a write.
    pub writes_permille: u64,
    /// In so many of 1000 cases it closes its session and begins another.
    pub closes_permille: u64,
    /// In so many of 1000 cases another process goes on with its session, at another member, before the old one closes it.
    pub hands_over_permille: u64,
    /// Large znodes that it sees to: with them, a snapshot takes a while to be sent.
    pub large: usize,
}

#[derive(Debug)]
struct Pending {
    xid: i32,
    asked: Asked,
    /// Answered to anybody before this was asked.
    floor: Zxid,
    sent_us: u64,
}

/// The connection of a process that gave its session to another one, and is going to close it.
#[derive(Clone, Copy, Debug)]
struct Old {
    key: Key,
    session: SessionId,
    xid: i32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Without a connection.
    Apart,
    /// A call is under way.
    Calling,
    /// The session is asked for.
    Greeting(Key),
    /// Watches are being left again.
    Rearming(Key),
    /// Requests are answered.
    Open(Key),
}

/// See the module.
#[derive(Debug)]
pub struct Client {
    at: usize,
    /// Where it is.
    pub host: Host,
    members: usize,
    habits: Habits,
    rng: Rng,
    state: State,
    old: Option<Old>,
    /// Requests that it makes without a pause.
    haste: u8,
    attempt: u64,
    /// Its session, once it was answered.
    pub session: SessionId,
    password: [u8; 16],
    timeout_us: u64,
    /// The newest state it has seen in this session.
    last: Zxid,
    /// What a sync promised.
    synced: Zxid,
    input: Vec<u8>,
    pending: VecDeque<Pending>,
    ping_sent_us: Option<u64>,
    next_xid: i32,
    next_value: Value,
    watches: BTreeMap<(String, Watched), Watch>,
    lasting: BTreeMap<String, Lasting>,
    own: Vec<String>,
    heard_us: u64,
    sent_us: u64,
    ask_at_us: u64,
    /// When it is to be woken.
    wakes_at_us: u64,
    /// It has come back and wants to see the newest first: so many requests of that kind are left.
    fresh: u8,
    /// When requests of this session that were answered were sent.
    sure_us: VecDeque<u64>,
    /// Requests answered.
    pub answered: u64,
    /// It asks for nothing new.
    pub is_quiet: bool,
    is_closing: bool,
    events: u64,
}

impl Client {
    /// A client without a session.
    #[must_use]
    pub fn new(at: usize, members: usize, habits: Habits, rng: Rng) -> Self {
        Self {
            at,
            host: crate::setup::CLIENTS + at,
            members,
            habits,
            rng,
            state: State::Apart,
            old: None,
            haste: 0,
            attempt: 0,
            session: SessionId::NONE,
            password: [0; 16],
            timeout_us: u64::from(TIMEOUT_MS.unsigned_abs()) * 1000,
            last: Zxid::ZERO,
            synced: Zxid::ZERO,
            input: Vec::new(),
            pending: VecDeque::new(),
            ping_sent_us: None,
            next_xid: 1,
            next_value: (at as u64 + 1) << 40,
            watches: BTreeMap::new(),
            lasting: BTreeMap::new(),
            own: Vec::new(),
            heard_us: 0,
            sent_us: 0,
            ask_at_us: 0,
            wakes_at_us: u64::MAX,
            fresh: 0,
            sure_us: VecDeque::new(),
            answered: 0,
            is_quiet: false,
            is_closing: false,
            events: 0,
        }
    }

    /// Whether requests are answered at the moment.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Agreed on, in microseconds.
    #[must_use]
    pub fn timeout_us(&self) -> u64 {
        self.timeout_us
    }

    /// When its session was certainly heard of for the last time, of the times until then.
    #[must_use]
    pub fn sure_by(&self, us: u64) -> Option<u64> {
        self.sure_us.iter().rev().find(|sure_us| **sure_us <= us).copied()
    }

    /// The connection on which it asks, if it has one.
    #[must_use]
    pub fn open_on(&self) -> Option<Key> {
        self.key().filter(|_| self.is_open())
    }

    fn note_sure(&mut self, us: u64) {
        if self.sure_us.back().is_none_or(|last_us| *last_us < us) {
            self.sure_us.push_back(us);
        }
        // No session lasts longer without a sign of life.
        while self.sure_us.front().is_some_and(|first_us| first_us + 4 * self.timeout_us < us) {
            self.sure_us.pop_front();
        }
    }

    fn key(&self) -> Option<Key> {
        match self.state {
            State::Greeting(key) | State::Rearming(key) | State::Open(key) => Some(key),
            State::Apart | State::Calling => None,
        }
    }

    /// It has something to do.
    pub fn wake(&mut self, out: &mut Outside) {
        let now_us = out.now_us;
        if now_us >= self.wakes_at_us {
            self.wakes_at_us = u64::MAX;
        }
        self.see_to_old(out);
        match self.state {
            State::Apart => {
                self.state = State::Calling;
                self.attempt += 1;
                let to = self.rng.index(self.members);
                let caller = Caller::Client(self.at, self.attempt);
                out.call(caller, self.host, to, Class::Client, CALL_US);
                return;
            }
            State::Calling => return,
            State::Greeting(_) | State::Rearming(_) | State::Open(_) => {}
        }
        if now_us >= self.heard_us + self.timeout_us * 2 / 3 {
            self.leave(out);
        } else if let State::Open(key) = self.state {
            if now_us >= self.ask_at_us && self.pending.len() < self.habits.depth && !self.is_closing {
                if self.old.is_none() && !self.is_quiet && self.rng.chance(self.habits.hands_over_permille) {
                    self.hand_over(key, out);
                } else {
                    self.ask(key, out);
                }
                let pause_us = if self.haste > 0 { 4000 } else { self.habits.pause_us };
                self.haste = self.haste.saturating_sub(1);
                let pause_us = self.rng.range(pause_us / 4, pause_us * 2);
                self.ask_at_us = now_us + if self.fresh > 0 { 0 } else { pause_us };
            } else if now_us >= self.sent_us + self.timeout_us / 3 && self.ping_sent_us.is_none() {
                self.ping_sent_us = Some(now_us);
                self.send_header(key, Xid::PING.0, OpCode::Ping, |_| {}, out);
            }
        }
        self.plan(out);
    }

    fn plan(&mut self, out: &mut Outside) {
        let mut at_us = match self.state {
            State::Apart => out.now_us + self.rng.range(10_000, 400_000),
            State::Calling => return,
            State::Greeting(_) | State::Rearming(_) | State::Open(_) => {
                self.heard_us + self.timeout_us * 2 / 3
            }
        };
        if let State::Open(_) = self.state {
            if self.pending.len() < self.habits.depth && !self.is_closing {
                at_us = at_us.min(self.ask_at_us);
            }
            if self.ping_sent_us.is_none() {
                at_us = at_us.min(self.sent_us + self.timeout_us / 3);
            }
        }
        let at_us = at_us.max(out.now_us + 100);
        // Once is enough: what is due later is planned then.
        if at_us < self.wakes_at_us {
            self.wakes_at_us = at_us;
            out.at(at_us, Event::Client { client: self.at });
        }
    }

    /// Another process goes on with the session elsewhere.
    fn hand_over(&mut self, key: Key, out: &mut Outside) {
        out.evidence.hit("session handed over");
        self.old = Some(Old { key, session: self.session, xid: self.next_xid });
        self.next_xid += 1;
        self.lose();
    }

    /// The process that gave its session away closes it while the other one uses it, or just ends.
    fn see_to_old(&mut self, out: &mut Outside) {
        let is_time = self.is_quiet || (self.is_open() && self.haste > 0 && self.rng.chance(150));
        let Some(Old { key, session, xid }) = self.old.take_if(|_| is_time) else { return };
        if !self.is_quiet {
            out.evidence.model.ask(session, xid, Write::Close);
            self.send_header(key, xid, OpCode::CloseSession, |_| {}, out);
        }
        out.close(key, Side::Caller);
    }

    /// Leaves its member for another one. What became of its requests it will never know.
    fn leave(&mut self, out: &mut Outside) {
        if let Some(key) = self.key() {
            out.close(key, Side::Caller);
        }
        self.lose();
    }

    fn lose(&mut self) {
        self.state = State::Apart;
        self.input.clear();
        self.pending.clear();
        self.ping_sent_us = None;
        if std::mem::take(&mut self.is_closing) {
            self.forget_session();
        }
    }

    fn forget_session(&mut self) {
        self.session = SessionId::NONE;
        self.password = [0; 16];
        self.last = Zxid::ZERO;
        self.synced = Zxid::ZERO;
        self.watches.clear();
        self.lasting.clear();
        self.sure_us.clear();
        self.next_xid = 1;
    }

    /// Its call came through, or not.
    pub fn on_dialed(&mut self, attempt: u64, key: Option<Key>, out: &mut Outside) {
        if attempt != self.attempt || self.state != State::Calling {
            if let Some(key) = key {
                out.close(key, Side::Caller);
            }
            return;
        }
        let Some(key) = key else {
            self.state = State::Apart;
            return self.plan(out);
        };
        self.state = State::Greeting(key);
        self.heard_us = out.now_us;
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last,
            timeout_ms: TIMEOUT_MS,
            session_id: self.session,
            password: Some(&self.password),
            read_only: Some(self.rng.chance(300)),
        };
        let mut frame = Vec::new();
        put_frame(&mut frame, |out| request.encode(out));
        self.sent_us = out.now_us;
        out.send(key, Side::Caller, frame);
        self.plan(out);
    }

    /// Something arrived.
    pub fn on_readable(&mut self, key: Key, out: &mut Outside) {
        if self.old.is_some_and(|old| old.key == key) {
            // Nobody reads what comes there.
            while !out.read(key, Side::Caller).is_empty() {}
            if out.net.peek(key, Side::Caller) == (0, true) {
                self.old = None;
                out.close(key, Side::Caller);
            }
            return;
        }
        if self.key() != Some(key) {
            return;
        }
        loop {
            let mut piece = out.read(key, Side::Caller);
            if piece.is_empty() {
                break;
            }
            self.heard_us = out.now_us;
            self.input.append(&mut piece);
        }
        let mut input = std::mem::take(&mut self.input);
        let mut at = 0;
        while self.key() == Some(key)
            && let Some(length) = input[at..].first_chunk::<4>()
            && let length = u32::from_be_bytes(*length) as usize
            && let Some(frame) = input[at + 4..].get(..length)
        {
            let seen = self.on_frame(key, frame, out);
            if let Err(Broken(text)) = seen {
                out.evidence.fail(Broken(format!("client {}: {text}", self.at)));
                return;
            }
            at += 4 + length;
        }
        input.drain(..at);
        if self.key() == Some(key) {
            self.input = input;
            if out.net.peek(key, Side::Caller) == (0, true) {
                self.leave(out);
            }
        }
        self.plan(out);
    }

    fn on_frame(&mut self, key: Key, frame: &[u8], out: &mut Outside) -> Result<(), Broken> {
        let bad = |what: &str| Broken(format!("{what} cannot be read"));
        let mut reader = Reader::new(frame);
        if let State::Greeting(_) = self.state {
            let response: ConnectResponse = reader.take().map_err(|_| bad("a connect response"))?;
            return self.on_greeting(key, &response, out);
        }
        let header: ReplyHeader = reader.take().map_err(|_| bad("a reply's header"))?;
        if header.xid == Xid::NOTIFICATION {
            let event: WatcherEvent<'_> = reader.take().map_err(|_| bad("an event"))?;
            return self.on_event(&event, header.zxid, out);
        }
        self.see(header.zxid, out)?;
        match header.xid.0 {
            xid if xid == Xid::PING.0 => {
                if let Some(sent_us) = self.ping_sent_us.take() {
                    self.note_sure(sent_us);
                }
                Ok(())
            }
            watches::SET_WATCHES => {
                self.on_rearmed(header.zxid, out)?;
                self.state = State::Open(key);
                Ok(())
            }
            xid => {
                let Some(pending) = self.pending.pop_front().filter(|pending| pending.xid == xid) else {
                    return Err(Broken(format!("request {xid} is answered out of turn (C2)")));
                };
                self.note_sure(pending.sent_us);
                self.answered += 1;
                self.overdue(header.zxid, out)?;
                self.on_reply(&pending, header, reader, out)
            }
        }
    }

    fn on_greeting(&mut self, key: Key, response: &ConnectResponse, out: &mut Outside) -> Result<(), Broken> {
        if response.timeout_ms == 0 {
            // The session is gone.
            out.evidence.hit("session expired");
            self.forget_session();
            self.leave(out);
            return Ok(());
        }
        if self.session != SessionId::NONE && response.session_id != self.session {
            return Err(Broken(format!(
                "session {} is answered with {} (C9)",
                self.session, response.session_id
            )));
        }
        if self.session == SessionId::NONE {
            self.session = response.session_id;
            self.password = response.password;
            self.next_xid = 1;
            self.own.clear();
        }
        out.evidence.see(&Seen::Greeted { client: self.at, read_only: response.read_only == Some(true) });
        self.timeout_us = u64::from(response.timeout_ms.unsigned_abs()) * 1000;
        self.note_sure(self.sent_us);
        if self.watches.is_empty() && self.lasting.is_empty() {
            self.state = State::Open(key);
        } else {
            self.state = State::Rearming(key);
            self.rearm(key, out);
        }
        self.ask_at_us = out.now_us;
        self.fresh = if self.rng.chance(300) { 2 } else { 0 };
        self.haste = if self.old.is_some() { 20 } else { 0 };
        Ok(())
    }

    /// C3, and what a sync promised (C5).
    fn see(&mut self, zxid: Zxid, out: &Outside) -> Result<(), Broken> {
        if zxid.0 <= 0 {
            return Ok(());
        }
        if zxid < self.last {
            return Err(Broken(format!("session {} sees {zxid} behind {} (C3)", self.session, self.last)));
        }
        self.last = zxid;
        let tip = out.evidence.tip();
        if zxid > tip && zxid.counter() > 0 {
            return Err(Broken(format!("session {} sees {zxid}, committed is {tip} (C7)", self.session)));
        }
        Ok(())
    }

    fn send_header(
        &mut self,
        key: Key,
        xid: i32,
        op: OpCode,
        body: impl FnOnce(&mut Vec<u8>),
        out: &mut Outside,
    ) {
        let mut frame = Vec::new();
        put_frame(&mut frame, |frame| {
            RequestHeader { xid: Xid(xid), kind: op.number() }.encode(frame);
            body(frame);
        });
        self.sent_us = out.now_us;
        out.send(key, Side::Caller, frame);
    }
}
