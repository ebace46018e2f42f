//! What lies between machines and clients: time, the network, chance, and the evidence.

use core::cmp::Reverse;
use core::fmt;
use std::collections::BinaryHeap;

use member::ensemble::LinkId;
use proto::Zxid;
use proto::quorum::LearnerPacket;

use crate::evidence::Evidence;
use crate::invariants::Seen;
use crate::net::{Class, Host, Key, Net, Side};
use crate::rng::Rng;
use crate::setup::sid;
use crate::trace::Trace;
use crate::wire::{self, Tap};

/// Who dialed.
#[derive(Clone, Copy, Debug)]
pub struct What {
    /// Which machine.
    pub machine: usize,
    /// In which life of its process.
    pub incarnation: u64,
    /// What it will call the connection.
    pub link: LinkId,
}

/// Whose call it is.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    /// A member's.
    Member(What),
    /// A client's, in its n-th attempt.
    Client(usize, u64),
}

/// Something that is going to happen.
#[derive(Debug)]
pub enum Event {
    /// A piece arrives.
    Arrive {
        /// On which connection.
        key: Key,
        /// Who sent it.
        from: Side,
    },
    /// There is room again for this end.
    Room {
        /// On which connection.
        key: Key,
        /// Whose.
        side: Side,
    },
    /// A call reaches the machine it is meant for.
    Call {
        /// Whose it is.
        caller: Caller,
        /// Where it comes from.
        from: Host,
        /// Where it goes.
        to: Host,
        /// Which port.
        class: Class,
    },
    /// A call came through, or not.
    Dialed {
        /// Whose it is.
        caller: Caller,
        /// The connection, unless it was refused or lost.
        key: Option<(Key, Class)>,
    },
    /// A member's time has come.
    Wake {
        /// Which machine.
        machine: usize,
        /// In which life of its process.
        incarnation: u64,
    },
    /// A disk job ends.
    Disk {
        /// Which machine.
        machine: usize,
        /// In which life of its process.
        incarnation: u64,
    },
    /// A snapshot goes on.
    Snapshot {
        /// Which machine.
        machine: usize,
        /// In which life of its process.
        incarnation: u64,
    },
    /// A piece of the log was read.
    LogRead {
        /// Which machine.
        machine: usize,
        /// In which life of its process.
        incarnation: u64,
        /// For whom.
        link: LinkId,
        /// What was read.
        piece: Option<Vec<(Zxid, Vec<u8>)>>,
    },
    /// A machine starts its process.
    Start {
        /// Which.
        machine: usize,
    },
    /// A machine that stood still goes on.
    Resume {
        /// Which.
        machine: usize,
    },
    /// A client has something to do.
    Client {
        /// Which.
        client: usize,
    },
    /// The next fault.
    Fault,
}

/// A moment at which much can go wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// A role begins.
    Role,
    /// A leader begins to send its tree.
    Sent,
    /// A learner has a leader's tree, and not yet on its disk.
    Received,
    /// It has.
    Installed,
}

struct Due {
    at_us: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at_us, self.number).cmp(&(other.at_us, other.number))
    }
}

/// See the module.
pub struct Outside {
    /// True time.
    pub now_us: u64,
    due: BinaryHeap<Reverse<Due>>,
    number: u64,
    /// The network.
    pub net: Net,
    /// What is known.
    pub evidence: Evidence,
    /// What happened.
    pub trace: Trace,
    /// Bytes are handed in one by one, or nearly.
    pub reads_in_bits: bool,
    /// Members speak with the accent of Java's on connections made from now on.
    pub accents: bool,
    /// Members let short packets of the leader wait while nobody sees the difference, as `server` does.
    pub lulls: bool,
    /// See [`crate::setup::Setup`].
    pub snap_count: u64,
    /// How often a role began.
    pub changes: u64,
    /// What just happened to which machine, for a fault that waits for it.
    pub moment: Option<(Moment, usize)>,
    /// How many events there were.
    pub events: u64,
    /// Which machines are dark, which do not even refuse.
    pub dark: Vec<bool>,
    /// The way from one member to another is blocked when the first sends a packet of this name; told once.
    pub holds: Vec<(Host, Host, String)>,
    rng: Rng,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("now_us", &self.now_us).field("due", &self.due.len()).finish()
    }
}

impl Outside {
    /// Nothing has happened.
    #[must_use]
    pub fn new(net: Net, evidence: Evidence, trace: Trace, members: usize, rng: Rng) -> Self {
        Self {
            now_us: 0,
            due: BinaryHeap::new(),
            number: 0,
            net,
            evidence,
            trace,
            reads_in_bits: false,
            accents: false,
            lulls: false,
            snap_count: 0,
            changes: 0,
            moment: None,
            events: 0,
            dark: vec![false; members],
            holds: Vec::new(),
            rng,
        }
    }

    /// Something is going to happen at some time.
    pub fn at(&mut self, at_us: u64, event: Event) {
        self.number += 1;
        self.due.push(Reverse(Due { at_us: at_us.max(self.now_us), number: self.number, event }));
    }

    /// Something is going to happen in so many microseconds.
    pub fn after(&mut self, us: u64, event: Event) {
        self.at(self.now_us + us, event);
    }

    /// The next event until then; time goes on to it.
    pub fn next(&mut self, until_us: u64) -> Option<Event> {
        if self.due.peek().is_none_or(|Reverse(due)| due.at_us > until_us) {
            self.now_us = self.now_us.max(until_us);
            return None;
        }
        let Reverse(Due { at_us, event, .. }) = self.due.pop()?;
        self.now_us = at_us;
        self.events += 1;
        Some(event)
    }

    /// True in `permille` of 1000 cases.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.rng.chance(permille)
    }

    /// A state changed.
    pub fn line(&mut self, text: fmt::Arguments<'_>) {
        if self.trace.is_read() {
            self.trace.line(self.now_us, text);
        }
    }

    /// Sends bytes on a connection.
    pub fn send(&mut self, key: Key, side: Side, bytes: Vec<u8>) {
        self.trace.note(self.now_us);
        self.trace.note_bytes(&bytes);
        if let Some(at_us) = self.net.send(key, side, bytes, self.now_us) {
            self.at(at_us, Event::Arrive { key, from: side });
        }
    }

    /// Closes an end of a connection.
    pub fn close(&mut self, key: Key, side: Side) {
        if let Some(at_us) = self.net.close(key, side, self.now_us) {
            self.at(at_us, Event::Arrive { key, from: side });
        }
    }

    /// Takes what arrived, or a piece of it.
    pub fn read(&mut self, key: Key, side: Side) -> Vec<u8> {
        let most = if self.reads_in_bits { 1 + self.rng.index(40) } else { 64 * 1024 };
        let piece = self.net.read(key, side, most);
        if self.net.takes_room(key, side) {
            let us = self.net.delay_us();
            self.after(us, Event::Room { key, side: side.other() });
        }
        piece
    }

    /// Calls a port of a member.
    pub fn dial(&mut self, from: Host, to: Host, class: Class, timeout_ms: u64, what: What) {
        self.call(Caller::Member(what), from, to, class, timeout_ms * 1000);
    }

    /// Calls a port of a member; without an answer the call is given up after some time.
    pub fn call(&mut self, caller: Caller, from: Host, to: Host, class: Class, timeout_us: u64) {
        let us = self.net.delay_us();
        let is_deaf = self.net.is_blocked(from, to, class)
            || self.net.is_blocked(to, from, class)
            || self.dark.get(to).copied().unwrap_or(true);
        if is_deaf {
            self.after(timeout_us, Event::Dialed { caller, key: None });
        } else {
            self.after(us, Event::Call { caller, from, to, class });
        }
    }

    /// What a member says on the quorum port. Returns the place from which on it is to be held back.
    pub fn overhear(
        &mut self,
        at: usize,
        key: Key,
        side: Side,
        tap: &mut Tap,
        bytes: &[u8],
    ) -> Option<usize> {
        let reads = self.trace.is_read();
        let (caller, called) = self.net.hosts(key).unwrap_or_default();
        let to = if side == Side::Caller { called } else { caller };
        let mut lines = Vec::new();
        let (mut acks, mut claims) = (Vec::new(), Vec::new());
        let mut held = None;
        let holds = &mut self.holds;
        let mut look = |start: usize, name: &str| {
            if let Some(hit) = holds.iter().position(|(a, b, packet)| (*a, *b, &**packet) == (at, to, name)) {
                holds.remove(hit);
                held.get_or_insert(start);
            }
        };
        match side {
            Side::Caller => tap.learner(bytes, |start, packet| {
                look(start, packet.name());
                match *packet {
                    LearnerPacket::Ack { zxid } => acks.push(zxid),
                    LearnerPacket::AckEpoch { last_zxid, .. } => claims.push(last_zxid),
                    LearnerPacket::FollowerInfo { .. }
                    | LearnerPacket::ObserverInfo { .. }
                    | LearnerPacket::Ping { .. }
                    | LearnerPacket::Revalidate { .. }
                    | LearnerPacket::Request { .. } => {}
                }
                lines.extend(reads.then(|| wire::show_learner(packet)).flatten());
            }),
            Side::Called => tap.leader(bytes, |start, packet| {
                look(start, packet.name());
                lines.extend(wire::show_leader(packet));
            }),
        }
        for zxid in acks {
            self.on_ack(at, zxid);
        }
        for zxid in claims {
            // A mark that opens an epoch has no entry.
            let is_durable = zxid.counter() == 0 || self.evidence.durable[at].last() >= zxid;
            self.evidence.see(&Seen::Acknowledged { sid: sid(at), zxid, is_durable });
        }
        for line in lines {
            self.line(format_args!("{} -> {}  {line}", at + 1, to + 1));
        }
        held
    }

    /// From here on nothing more comes through in this direction.
    pub fn hold(&mut self, key: Key, side: Side) {
        if let (Some((caller, called)), Some(class)) = (self.net.hosts(key), self.net.class(key)) {
            let (from, to) = if side == Side::Caller { (caller, called) } else { (called, caller) };
            self.net.block(from, to, class);
        }
    }

    fn on_ack(&mut self, at: usize, zxid: Zxid) {
        let durable = &self.evidence.durable[at];
        let is_durable = if zxid.counter() == 0 {
            durable.current >= zxid.epoch()
        } else {
            durable.last() >= zxid && durable.current >= zxid.epoch()
        };
        self.evidence.see(&Seen::Acknowledged { sid: sid(at), zxid, is_durable });
    }
}
