//! One client: a session at a time, a few requests on the way, now and then something unusual.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::connection::{Connection, Frame, Identity, Opened, read_reply};
use super::history::{At, End, Entry, Lasting, Node, Op, Outcome, Put, REGISTERS, Record, SessionLog};
use super::load::Shared;
use crate::diff::rng::Rng;

/// Requests on the way at a time, at most.
const BATCH_MAX: usize = 4;
/// Time between two attempts to connect, and two looks whether the rest is over.
const POLL: Duration = Duration::from_millis(20);
/// How long a worker tries to end its last session in order.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(30);
/// Persistent nodes of one worker before it deletes rather than creates.
const NODES_MAX: usize = 12;

/// What a worker does next.
#[derive(Clone, Copy)]
enum Turn {
    Requests,
    /// Ends the session and opens another.
    Close,
    /// Goes on at another member.
    Move,
    /// Opens a second session, leaves an ephemeral znode, and goes away without a word.
    Abandon,
}

pub(super) struct Worker {
    number: usize,
    shared: Arc<Shared>,
    rng: Rng,
    /// Where it wants to be, as an index of the members.
    home: usize,
    /// Numbers its values and nodes.
    made: u64,
    /// The version of each register when it was last seen.
    versions: [i32; REGISTERS],
    /// Persistent nodes it knows to be there.
    nodes: Vec<Node>,
    session: Option<Session>,
    ended: Vec<SessionLog>,
}

/// A session that has not ended, connected or not.
struct Session {
    identity: Identity,
    connection: Option<Connection>,
    log: SessionLog,
}

impl Worker {
    pub(super) fn new(number: usize, shared: Arc<Shared>) -> Self {
        let seed =
            shared.plan.seed.wrapping_mul(1000).wrapping_add(u64::try_from(number).expect("few workers"));
        Self {
            number,
            shared,
            rng: Rng::new(seed),
            home: number,
            made: 0,
            versions: [-1; REGISTERS],
            nodes: Vec::new(),
            session: None,
            ended: Vec::new(),
        }
    }

    /// Works until it is told to stop, and gives the logs of its sessions.
    pub(super) fn run(mut self) -> Vec<SessionLog> {
        while !self.shared.is_stopped() {
            self.rest();
            if !self.connect() {
                thread::sleep(POLL);
                continue;
            }
            let turns = [(970, Turn::Requests), (8, Turn::Close), (12, Turn::Move), (10, Turn::Abandon)];
            match self.rng.weighted(&turns) {
                Turn::Requests => self.requests(),
                Turn::Close => self.close(),
                Turn::Move => self.move_on(),
                Turn::Abandon => self.abandon(),
            }
            // Not a wait for anything: it sets how much load there is.
            thread::sleep(self.shared.plan.pace.mul_f64(f64::from(self.rng.byte()) / 255.0));
        }
        self.farewell();
        self.ended
    }

    /// Does nothing while the load is paused.
    fn rest(&self) {
        if self.shared.is_paused() {
            self.shared.resting.fetch_add(1, Ordering::SeqCst);
            while self.shared.is_paused() {
                thread::sleep(POLL);
            }
            self.shared.resting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Sees to it that there is a session with a connection; tries each member once, its home first.
    fn connect(&mut self) -> bool {
        if self.session.as_ref().is_some_and(|session| session.connection.is_some()) {
            return true;
        }
        let count = self.shared.members.len();
        (0..count).any(|step| self.connect_to((self.home + step) % count))
    }

    /// Tries one member.
    fn connect_to(&mut self, index: usize) -> bool {
        let Some((sid, address)) = self.shared.members.get(index).copied() else { return false };
        let fresh = || Identity::fresh(self.shared.plan.timeout);
        let identity = self.session.as_ref().map_or_else(fresh, |session| session.identity.clone());
        match Connection::open(address, &identity) {
            Err(_) => false,
            Ok(Opened::Gone) => {
                if let Some(session) = self.session.take() {
                    let asked = session.log.records().any(|record| record.op == Op::Close);
                    let end = if asked { End::Closed(None) } else { End::Expired };
                    self.ended.push(SessionLog { end, ..session.log });
                }
                false
            }
            Ok(Opened::Session(connection, identity)) => {
                let log = SessionLog {
                    id: identity.id,
                    timeout: identity.timeout,
                    entries: Vec::new(),
                    end: End::Alive,
                };
                let session = self.session.get_or_insert_with(|| Session {
                    identity: identity.clone(),
                    connection: None,
                    log,
                });
                session.identity = identity;
                session.connection = Some(connection);
                session.log.entries.push(Entry::Connected(sid));
                true
            }
        }
    }

    /// Sends a few requests and takes their replies.
    fn requests(&mut self) {
        let ops: Vec<Op> = (0..=self.rng.below(BATCH_MAX)).map(|_| self.draw()).collect();
        let Some(session) = &mut self.session else { return };
        let records = session.exchange(ops, &self.shared);
        for record in &records {
            self.learn(record);
        }
    }

    /// One request.
    fn draw(&mut self) -> Op {
        #[derive(Clone, Copy)]
        enum Kind {
            Set,
            SetIf,
            Multi,
            Create,
            Ephemeral,
            Delete,
            Get,
            Watch,
            Exists,
            List,
            Sync,
        }
        let kinds = [
            (20, Kind::Set),
            (10, Kind::SetIf),
            (6, Kind::Multi),
            (8, Kind::Create),
            (6, Kind::Ephemeral),
            (8, Kind::Delete),
            (22, Kind::Get),
            (8, Kind::Watch),
            (6, Kind::Exists),
            (2, Kind::List),
            (4, Kind::Sync),
        ];
        let register = self.rng.below(REGISTERS);
        match self.rng.weighted(&kinds) {
            Kind::Set => Op::Set(vec![self.put(register, -1)]),
            Kind::SetIf => {
                let version = self.versions.get(register).copied().unwrap_or(-1);
                Op::Set(vec![self.put(register, version)])
            }
            Kind::Multi => {
                let other = (register + 1) % REGISTERS;
                Op::Set(vec![self.put(register, -1), self.put(other, -1)])
            }
            Kind::Create if self.nodes.len() < NODES_MAX => {
                Op::Create(self.number_of_its_own(), Lasting::Persistent)
            }
            Kind::Ephemeral => Op::Create(self.number_of_its_own(), Lasting::Ephemeral),
            Kind::Create | Kind::Delete => match self.nodes.pop() {
                Some(node) => Op::Delete(node),
                None => Op::Create(self.number_of_its_own(), Lasting::Persistent),
            },
            Kind::Get => Op::Get(register, false),
            Kind::Watch => Op::Get(register, true),
            Kind::Exists => Op::Exists(self.some_node()),
            Kind::List => Op::List,
            Kind::Sync => Op::Sync,
        }
    }

    /// A write of a value that nobody else writes.
    fn put(&mut self, register: usize, expected: i32) -> Put {
        Put { register, value: self.number_of_its_own(), expected }
    }

    /// A number nobody else uses.
    fn number_of_its_own(&mut self) -> u64 {
        self.made += 1;
        number_of(self.number, self.made)
    }

    /// A node of any worker that may be there.
    fn some_node(&mut self) -> Node {
        let other = self.rng.below(self.shared.members.len());
        let made = u64::try_from(self.rng.below(40)).expect("a small number");
        number_of(other, self.made.saturating_sub(made))
    }

    /// Remembers what later requests are made of.
    fn learn(&mut self, record: &Record) {
        if record.op.writes() && !matches!(record.outcome, Outcome::Unknown | Outcome::Failed(_)) {
            self.shared.count_write(self.number);
        }
        match (&record.op, &record.outcome) {
            (Op::Set(puts), Outcome::Versions(versions)) => {
                for (put, version) in puts.iter().zip(versions) {
                    self.see(put.register, *version);
                }
            }
            (Op::Get(register, _), Outcome::Holds(_, version, _)) => self.see(*register, *version),
            (Op::Create(node, Lasting::Persistent), Outcome::Done) => self.nodes.push(*node),
            _ => {}
        }
    }

    fn see(&mut self, register: usize, version: i32) {
        if let Some(known) = self.versions.get_mut(register) {
            *known = version;
        }
    }

    /// Ends the session by a request.
    fn close(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        let records = session.exchange(vec![Op::Close], &self.shared);
        match records.first().filter(|record| record.returned.is_some()) {
            Some(answered) => {
                self.ended.push(SessionLog { end: End::Closed(Some(answered.zxid)), ..session.log });
            }
            // It may be there still, and is taken up again then.
            None => self.session = Some(session),
        }
    }

    /// Breaks the connection; the session goes on at another member, or at home.
    fn move_on(&mut self) {
        if let Some(session) = &mut self.session {
            session.lose();
        }
        let away = self.home != self.number;
        self.home = if away { self.number } else { self.rng.below(self.shared.members.len()) };
    }

    /// A guest at some member: it creates an ephemeral znode and is never heard of again.
    fn abandon(&mut self) {
        let node = self.number_of_its_own();
        let at = self.rng.below(self.shared.members.len());
        let Some((sid, address)) = self.shared.members.get(at).copied() else { return };
        let Ok(Opened::Session(connection, identity)) =
            Connection::open(address, &Identity::fresh(self.shared.plan.short_timeout))
        else {
            return;
        };
        let entries = vec![Entry::Connected(sid)];
        let log = SessionLog { id: identity.id, timeout: identity.timeout, entries, end: End::Alive };
        let mut guest = Session { identity, connection: Some(connection), log };
        let began = self.shared.now();
        let records =
            guest.exchange(vec![Op::Create(node, Lasting::Ephemeral), Op::Exists(node)], &self.shared);
        let answered = records.iter().filter(|record| record.returned.is_some()).map(|record| record.invoked);
        let heard_of = answered.max().unwrap_or(began);
        self.ended.push(SessionLog { end: End::Abandoned(heard_of), ..guest.log });
    }

    /// Ends the last session, in order if that can be done.
    fn farewell(&mut self) {
        let deadline = Instant::now() + FAREWELL_TIME_MAX;
        while self.session.is_some() && Instant::now() < deadline {
            if self.connect() {
                self.close();
            } else {
                thread::sleep(POLL);
            }
        }
        if let Some(session) = self.session.take() {
            self.ended.push(session.log);
        }
    }
}

/// The number with this number of this worker.
pub(super) fn number_of(worker: usize, made: u64) -> u64 {
    (u64::try_from(worker).expect("few workers") + 1) << 32 | made
}

impl Session {
    /// Sends requests and takes their replies; gives what became of each.
    fn exchange(&mut self, ops: Vec<Op>, shared: &Shared) -> Vec<Record> {
        let mut on_the_way: VecDeque<(i32, At, Op)> = VecDeque::new();
        let mut records = Vec::new();
        let mut broken = false;
        let Some(connection) = &mut self.connection else { return records };
        for op in ops {
            let invoked = shared.now();
            // Even a request whose sending failed may have arrived; those behind it have not been tried.
            let sent = connection.send(&op);
            broken = sent.is_err();
            on_the_way.push_back((sent.unwrap_or(0), invoked, op));
            if broken {
                break;
            }
        }
        while !broken && !on_the_way.is_empty() {
            match connection.receive() {
                Ok(Frame::Event(register, zxid)) => self.log.entries.push(Entry::Event(register, zxid)),
                Ok(Frame::Reply(header, body)) => {
                    let (xid, invoked, op) = on_the_way.pop_front().expect("looked at just now");
                    let outcome = match read_reply(&op, header.err, &body) {
                        _ if header.xid != xid => Err(anyhow!("the reply to {xid} says {}", header.xid)),
                        read => read,
                    };
                    match outcome {
                        Ok(outcome) => {
                            self.identity.zxid = self.identity.zxid.max(header.zxid);
                            let returned = Some(shared.now());
                            let record = Record { op, invoked, returned, zxid: header.zxid, outcome };
                            self.log.entries.push(Entry::Record(record.clone()));
                            records.push(record);
                        }
                        Err(error) => {
                            self.log.entries.push(Entry::Nonsense(format!("{op:?}: {error:#}")));
                            on_the_way.push_front((xid, invoked, op));
                            broken = true;
                        }
                    }
                }
                Err(_) => broken = true,
            }
        }
        if broken {
            self.lose();
        }
        for (_, invoked, op) in on_the_way {
            let record = Record { op, invoked, returned: None, zxid: 0, outcome: Outcome::Unknown };
            self.log.entries.push(Entry::Record(record.clone()));
            records.push(record);
        }
        records
    }

    /// The connection is gone.
    fn lose(&mut self) {
        if self.connection.take().is_some() {
            self.log.entries.push(Entry::Lost);
        }
    }
}
