//! Connections in virtual time: what is sent arrives later, in order, in pieces, or never.
//!
//! A partition holds back what is under way in a direction; when it heals, everything comes in a burst, as TCP's
//! repetitions would bring it. A reset loses what has not arrived, also in the middle of a frame.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::rng::Rng;

/// A machine, or a client's.
pub type Host = usize;

/// What a connection is for; partitions may concern one kind only.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// Votes.
    Election,
    /// Learners and their leader.
    Quorum,
    /// Clients.
    Client,
}

/// A connection. Never given twice.
pub type Key = u64;

/// Which of the two ends: who called, or who was called.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// Who called.
    Caller,
    /// Who was called.
    Called,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Caller => Self::Called,
            Self::Called => Self::Caller,
        }
    }
}

/// What goes over a connection.
#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// The sender closed its end behind what it sent.
    End,
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    flying: VecDeque<Piece>,
    /// Sent while the way was blocked.
    held: VecDeque<Piece>,
    /// When the last piece arrives; no later one comes before.
    last_at_us: u64,
    /// Bytes that are neither at the reader nor read by it.
    unread: usize,
    /// Arrived and not read.
    arrived: Vec<u8>,
    ended: bool,
    /// The sender has more.
    wants_room: bool,
}

/// One connection.
#[derive(Debug)]
struct Conn {
    hosts: (Host, Host),
    class: Class,
    /// Caller to called, and back.
    pipes: [Pipe; 2],
    /// Which ends are open.
    open: [bool; 2],
}

/// What a network is like in a run.
#[derive(Clone, Copy, Debug)]
pub struct NetOptions {
    /// The shortest way, in microseconds.
    pub delay_min_us: u64,
    /// The longest, as a rule.
    pub delay_max_us: u64,
    /// In so many of 1000 cases it takes up to `late_us`.
    pub late_permille: u64,
    /// See there.
    pub late_us: u64,
    /// What fits between sender and reader.
    pub window_bytes: usize,
}

impl Default for NetOptions {
    fn default() -> Self {
        Self { delay_min_us: 50, delay_max_us: 500, late_permille: 0, late_us: 0, window_bytes: 256 * 1024 }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Net {
    /// What it is like now.
    pub options: NetOptions,
    conns: BTreeMap<Key, Conn>,
    next: Key,
    blocked: BTreeSet<Way>,
    /// What a way takes more than others.
    longer_us: BTreeMap<Way, u64>,
    /// Ways that are thin by nature.
    thin: BTreeMap<Way, Thin>,
    rng: Rng,
}

/// How little fits on a way, and how long it is.
#[derive(Clone, Copy, Debug)]
pub struct Thin {
    /// What fits between sender and reader.
    pub window_bytes: usize,
    /// What it takes more than others.
    pub longer_us: u64,
}

/// A direction between two hosts, for one kind of connection.
pub type Way = (Host, Host, Class);

fn at(side: Side) -> usize {
    match side {
        Side::Caller => 0,
        Side::Called => 1,
    }
}

impl Conn {
    fn way(&self, from: Side) -> Way {
        let (a, b) = self.hosts;
        match from {
            Side::Caller => (a, b, self.class),
            Side::Called => (b, a, self.class),
        }
    }
}

impl Net {
    /// A network without connections.
    #[must_use]
    pub fn new(options: NetOptions, rng: Rng) -> Self {
        Self {
            options,
            conns: BTreeMap::new(),
            next: 1,
            blocked: BTreeSet::new(),
            longer_us: BTreeMap::new(),
            thin: BTreeMap::new(),
            rng,
        }
    }

    /// A way is thin from now on, whatever heals.
    pub fn make_thin(&mut self, way: Way, thin: Thin) {
        self.thin.insert(way, thin);
    }

    fn window_bytes(&self, way: &Way) -> usize {
        let thin = self.thin.get(way).map_or(usize::MAX, |thin| thin.window_bytes);
        self.options.window_bytes.min(thin)
    }

    /// A way takes so much longer from now on; 0 makes it as any other.
    pub fn lengthen(&mut self, way: Way, us: u64) {
        if us == 0 {
            self.longer_us.remove(&way);
        } else {
            self.longer_us.insert(way, us);
        }
    }

    /// No way is longer than another.
    pub fn shorten(&mut self) {
        self.longer_us.clear();
    }

    /// How long the next piece takes.
    pub fn delay_us(&mut self) -> u64 {
        let NetOptions { delay_min_us, delay_max_us, late_permille, late_us, .. } = self.options;
        if late_permille > 0 && self.rng.chance(late_permille) {
            self.rng.range(delay_min_us, late_us.max(delay_min_us) + 1)
        } else {
            self.rng.range(delay_min_us, delay_max_us + 1)
        }
    }

    /// Whether nothing gets from one host to another.
    #[must_use]
    pub fn is_blocked(&self, from: Host, to: Host, class: Class) -> bool {
        self.blocked.contains(&(from, to, class))
    }

    /// Blocks a direction.
    pub fn block(&mut self, from: Host, to: Host, class: Class) {
        self.blocked.insert((from, to, class));
    }

    /// Ends the blocks of all ways, or of some. What was held back is under way again: these arrive at these times.
    pub fn unblock(&mut self, now_us: u64, ends: impl Fn(Way) -> bool) -> Vec<(u64, Key, Side)> {
        self.blocked.retain(|&way| !ends(way));
        let mut arrivals = Vec::new();
        let keys: Vec<Key> = self.conns.keys().copied().collect();
        for key in keys {
            for side in [Side::Caller, Side::Called] {
                if self.conns.get(&key).is_some_and(|conn| self.blocked.contains(&conn.way(side))) {
                    continue;
                }
                let held =
                    self.conns.get_mut(&key).map(|conn| std::mem::take(&mut conn.pipes[at(side)].held));
                for piece in held.unwrap_or_default() {
                    arrivals.extend(self.launch(key, side, piece, now_us).map(|at_us| (at_us, key, side)));
                }
            }
        }
        arrivals
    }

    /// A connection comes about.
    pub fn connect(&mut self, caller: Host, called: Host, class: Class) -> Key {
        let key = self.next;
        self.next += 1;
        let conn = Conn {
            hosts: (caller, called),
            class,
            pipes: [Pipe::default(), Pipe::default()],
            open: [true, true],
        };
        self.conns.insert(key, conn);
        key
    }

    /// Whether this end is open.
    #[must_use]
    pub fn is_open(&self, key: Key, side: Side) -> bool {
        self.conns.get(&key).is_some_and(|conn| conn.open[at(side)])
    }

    /// The hosts at both ends.
    #[must_use]
    pub fn hosts(&self, key: Key) -> Option<(Host, Host)> {
        self.conns.get(&key).map(|conn| conn.hosts)
    }

    /// What it is for.
    #[must_use]
    pub fn class(&self, key: Key) -> Option<Class> {
        self.conns.get(&key).map(|conn| conn.class)
    }

    /// All connections.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        self.conns.keys().copied().collect()
    }

    fn launch(&mut self, key: Key, from: Side, piece: Piece, now_us: u64) -> Option<u64> {
        let way = self.conns.get(&key)?.way(from);
        let delay_us = self.delay_us()
            + self.longer_us.get(&way).copied().unwrap_or(0)
            + self.thin.get(&way).map_or(0, |thin| thin.longer_us);
        let blocked = self.blocked.contains(&way);
        let conn = self.conns.get_mut(&key)?;
        let pipe = &mut conn.pipes[at(from)];
        if blocked || !pipe.held.is_empty() {
            pipe.held.push_back(piece);
            return None;
        }
        pipe.last_at_us = pipe.last_at_us.max(now_us + delay_us);
        pipe.flying.push_back(piece);
        Some(pipe.last_at_us)
    }

    /// How many more bytes this end may send; 0 makes the other end tell when there is room again.
    pub fn room(&mut self, key: Key, from: Side) -> usize {
        let Some(way) = self.conns.get(&key).map(|conn| conn.way(from)) else { return usize::MAX };
        let window = self.window_bytes(&way);
        let Some(conn) = self.conns.get_mut(&key) else { return usize::MAX };
        let pipe = &mut conn.pipes[at(from)];
        let room = window.saturating_sub(pipe.unread);
        pipe.wants_room |= room == 0;
        room
    }

    /// Sends; returns when it arrives, unless it is held back.
    pub fn send(&mut self, key: Key, from: Side, bytes: Vec<u8>, now_us: u64) -> Option<u64> {
        if let Some(conn) = self.conns.get_mut(&key) {
            conn.pipes[at(from)].unread += bytes.len();
        }
        self.launch(key, from, Piece::Bytes(bytes), now_us)
    }

    /// Closes this end; returns when the other end sees that, unless that is held back.
    pub fn close(&mut self, key: Key, side: Side, now_us: u64) -> Option<u64> {
        let conn = self.conns.get_mut(&key)?;
        if !std::mem::replace(&mut conn.open[at(side)], false) {
            return None;
        }
        if conn.open[at(side.other())] {
            self.launch(key, side, Piece::End, now_us)
        } else {
            self.conns.remove(&key);
            None
        }
    }

    /// This end is gone without a word, as when the power goes.
    pub fn vanish(&mut self, key: Key, side: Side) {
        let Some(conn) = self.conns.get_mut(&key) else { return };
        conn.open[at(side)] = false;
        if !conn.open[at(side.other())] {
            self.conns.remove(&key);
        }
    }

    /// Both ends are told at once that the connection broke. Of what is under way, some still arrives.
    pub fn reset(&mut self, key: Key) {
        let Some(conn) = self.conns.get_mut(&key) else { return };
        for pipe in &mut conn.pipes {
            pipe.held.clear();
            if let Some(Piece::Bytes(bytes)) = pipe.flying.pop_front() {
                let n = self.rng.index(bytes.len() + 1);
                pipe.arrived.extend_from_slice(&bytes[..n]);
            }
            pipe.flying.clear();
            pipe.ended = true;
        }
    }

    /// The next piece of this direction arrives. What its reader has to do.
    pub fn arrive(&mut self, key: Key, from: Side) -> Arrival {
        let Some(conn) = self.conns.get_mut(&key) else { return Arrival::Nothing };
        let reader = from.other();
        let is_there = conn.open[at(reader)];
        let pipe = &mut conn.pipes[at(from)];
        let Some(piece) = pipe.flying.pop_front() else { return Arrival::Nothing };
        if !is_there {
            return Arrival::NobodyThere;
        }
        match piece {
            Piece::Bytes(mut bytes) => {
                if pipe.arrived.is_empty() {
                    pipe.arrived = bytes;
                } else {
                    pipe.arrived.append(&mut bytes);
                }
            }
            Piece::End => pipe.ended = true,
        }
        Arrival::Readable
    }

    /// Takes up to `most` bytes that arrived for this end.
    pub fn read(&mut self, key: Key, reader: Side, most: usize) -> Vec<u8> {
        let Some(conn) = self.conns.get_mut(&key) else { return Vec::new() };
        let pipe = &mut conn.pipes[at(reader.other())];
        let n = most.min(pipe.arrived.len());
        pipe.unread = pipe.unread.saturating_sub(n);
        if n == pipe.arrived.len() {
            std::mem::take(&mut pipe.arrived)
        } else {
            let rest = pipe.arrived.split_off(n);
            std::mem::replace(&mut pipe.arrived, rest)
        }
    }

    /// Bytes that arrived for this end, and whether the end comes behind them.
    #[must_use]
    pub fn peek(&self, key: Key, reader: Side) -> (usize, bool) {
        let Some(conn) = self.conns.get(&key) else { return (0, true) };
        let pipe = &conn.pipes[at(reader.other())];
        (pipe.arrived.len(), pipe.ended)
    }

    /// Whether the other end waits for room, and has some now. Told once.
    pub fn takes_room(&mut self, key: Key, reader: Side) -> bool {
        let Some(way) = self.conns.get(&key).map(|conn| conn.way(reader.other())) else { return false };
        let window = self.window_bytes(&way);
        let Some(conn) = self.conns.get_mut(&key) else { return false };
        let is_there = conn.open[at(reader.other())];
        let pipe = &mut conn.pipes[at(reader.other())];
        let told = pipe.wants_room && pipe.unread < window && is_there;
        pipe.wants_room &= !told;
        told
    }
}

/// What an arrival means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// There is something to read, or the end.
    Readable,
    /// The reader is gone. If its machine works, the sender is told.
    NobodyThere,
    /// It was reset meanwhile.
    Nothing,
}
