//! One of the two servers and everything this round has open on it.

use std::collections::VecDeque;

use anyhow::{Context, Result};

use super::link::{Got, Link};
use super::op::Op;
use super::reply::{Connected, Seen, decode};
use super::step::{Connect, Cut, LastZxid, Password, Request, Step, Which, ends_connection};
use super::wire::{Writer, frame};
use crate::harness::Server;

/// A session as its server named it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: i64,
    /// What proves it.
    pub password: Vec<u8>,
}

/// What was heard on each slot, in order, while one step was done.
pub type Heard = Vec<Vec<Seen>>;

/// A server under comparison.
#[derive(Debug)]
pub struct Side {
    /// The process.
    pub server: Server,
    /// In the order they were created, so that the same number means the same session on both sides.
    pub sessions: Vec<Session>,
    /// The newest zxid any reply named.
    pub zxid: i64,
    links: Vec<Option<Link>>,
    /// Per slot the number of its session.
    holds: Vec<Option<usize>>,
}

impl Side {
    /// A started server, with nothing open yet.
    pub fn new(server: Server, slots: usize) -> Self {
        let links = std::iter::repeat_with(|| None).take(slots).collect();
        Self { server, sessions: Vec::new(), zxid: 0, links, holds: vec![None; slots] }
    }

    /// Whether a slot has a connection.
    pub fn is_open(&self, slot: usize) -> bool {
        self.links.get(slot).is_some_and(Option::is_some)
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.links.len()
    }

    /// Ends a slot's connection.
    ///
    /// # Errors
    /// As [`Link::frame`].
    pub fn drop_slot(&mut self, slot: usize) -> Result<()> {
        self.holds[slot] = None;
        self.links[slot].take().map_or(Ok(()), Link::drop_and_wait)
    }

    /// Does one step and then pings every open connection, so that every event has come before the next step.
    ///
    /// # Errors
    /// When the server has died.
    pub fn perform(&mut self, step: &Step) -> Result<Heard> {
        let mut heard: Heard = vec![Vec::new(); self.slots()];
        let mut done = None;
        match step {
            Step::Connect { slot, connect } => {
                self.drop_slot(*slot)?;
                self.connect(*slot, connect, &mut heard)?;
            }
            Step::Burst { slot, requests, cut } if self.is_open(*slot) => {
                heard[*slot] = self.burst(*slot, requests, *cut)?;
                done = Some(*slot);
            }
            Step::Junk { slot, bytes } if self.is_open(*slot) => {
                self.link(*slot).send(bytes, Cut::Whole);
                heard[*slot] = self.until_closed(*slot)?;
            }
            Step::Burst { .. } | Step::Junk { .. } => return Ok(heard),
            Step::First { bytes } => {
                let mut link = Link::open(self.server.port())?;
                link.send(bytes, Cut::Whole);
                let (answer, end) = link.to_end()?;
                heard[0] = vec![Seen::Short(answer), ended(&end)];
            }
            Step::Drop { slot, partial } => {
                if self.is_open(*slot) {
                    self.link(*slot).send(partial, Cut::Whole);
                }
                self.drop_slot(*slot)?;
            }
            Step::Restart => self.restart()?,
        }
        for slot in (0..self.slots()).filter(|slot| Some(*slot) != done) {
            if self.is_open(slot) {
                heard[slot].extend(self.ping(slot)?);
            }
        }
        Ok(heard)
    }

    fn link(&mut self, slot: usize) -> &mut Link {
        self.links[slot].as_mut().expect("asked only for open slots")
    }

    fn restart(&mut self) -> Result<()> {
        self.links.iter_mut().for_each(|link| *link = None);
        self.holds.fill(None);
        self.server.stop()?;
        self.server.restart().context("starting on what the server itself left behind")
    }

    fn ping(&mut self, slot: usize) -> Result<Vec<Seen>> {
        self.link(slot).send(&Request::ping().frame(), Cut::Whole);
        self.answers(slot, VecDeque::from([&Op::Ping]))
    }

    /// Sends requests and hears their replies, with a ping behind them unless one may end the connection.
    fn burst(&mut self, slot: usize, requests: &[Request], cut: Cut) -> Result<Vec<Seen>> {
        let mut bytes: Vec<u8> = requests.iter().flat_map(Request::frame).collect();
        let mut asked: VecDeque<&Op> = requests.iter().map(|request| &request.op).collect();
        let pinged = !asked.iter().any(|op| op.may_close());
        if pinged {
            bytes.extend(Request::ping().frame());
            asked.push_back(&Op::Ping);
        }
        self.link(slot).send(&bytes, cut);
        let mut seen = self.answers(slot, asked)?;
        if pinged || !self.is_open(slot) {
            return Ok(seen);
        }
        let ends = match (seen.last(), requests.last()) {
            (Some(Seen::Reply { header, .. }), Some(last)) => {
                ends_connection(&last.op, header.zxid, header.err)
            }
            _ => false,
        };
        seen.extend(if ends { self.until_closed(slot)? } else { self.ping(slot)? });
        Ok(seen)
    }

    /// Reads until every request has its reply, or the connection is over.
    fn answers(&mut self, slot: usize, mut asked: VecDeque<&Op>) -> Result<Vec<Seen>> {
        let mut seen = Vec::new();
        while !asked.is_empty() {
            match self.link(slot).frame()? {
                Got::Frame(payload) => {
                    let one = decode(&payload, asked.front().copied());
                    if let Seen::Reply { header, .. } = &one {
                        self.zxid = self.zxid.max(header.zxid);
                        asked.pop_front();
                    }
                    seen.push(one);
                }
                end @ (Got::Closed | Got::Nothing) => {
                    seen.push(ended(&end));
                    self.links[slot] = None;
                    self.holds[slot] = None;
                    break;
                }
            }
        }
        Ok(seen)
    }

    /// Reads what still comes on a connection that has to end now.
    fn until_closed(&mut self, slot: usize) -> Result<Vec<Seen>> {
        let mut link = self.links[slot].take().expect("asked only for open slots");
        self.holds[slot] = None;
        until_closed(&mut link)
    }

    /// The handshake. Connections that lose their session to this one have to be closed by the server.
    fn connect(&mut self, slot: usize, connect: &Connect, heard: &mut Heard) -> Result<()> {
        let known = match connect.session {
            Which::Known(number) => number.checked_rem(self.sessions.len()),
            Which::New | Which::Foreign(_) => None,
        };
        let mut link = Link::open(self.server.port())?;
        link.send(&self.connect_frame(connect, known), Cut::Whole);
        let payload = match link.frame()? {
            Got::Frame(payload) => payload,
            end @ (Got::Closed | Got::Nothing) => {
                heard[slot].push(ended(&end));
                return Ok(());
            }
        };
        let Ok(connected) = Connected::decode(&payload) else {
            heard[slot].push(Seen::Short(payload));
            return Ok(());
        };
        let Connected { timeout, session, ref password, .. } = connected;
        if timeout > 0 {
            let number = self.number_of(session, password.as_deref().unwrap_or_default());
            heard[slot].push(Seen::Connected(connected));
            let losers: Vec<_> =
                (0..self.slots()).filter(|other| self.holds[*other] == Some(number)).collect();
            for loser in losers {
                heard[loser] = self.until_closed(loser)?;
            }
            self.links[slot] = Some(link);
            self.holds[slot] = Some(number);
        } else {
            heard[slot].push(Seen::Connected(connected));
            heard[slot].extend(until_closed(&mut link)?);
        }
        Ok(())
    }

    /// The number of a session, which gets the next one when it is new.
    fn number_of(&mut self, id: i64, password: &[u8]) -> usize {
        let found = self.sessions.iter().position(|session| session.id == id);
        found.unwrap_or_else(|| {
            self.sessions.push(Session { id, password: password.to_vec() });
            self.sessions.len() - 1
        })
    }

    fn connect_frame(&self, connect: &Connect, known: Option<usize>) -> Vec<u8> {
        let known = known.and_then(|number| self.sessions.get(number));
        let right = known.map_or_else(|| vec![0; 16], |session| session.password.clone());
        let password = match connect.password {
            Password::Right => Some(right),
            Password::Wrong => Some(right.iter().map(|byte| byte ^ 1).collect()),
            Password::Null => None,
            Password::Empty => Some(Vec::new()),
            Password::Long => Some([right, vec![0]].concat()),
            Password::Short => Some(right.into_iter().take(8).collect()),
        };
        let mut out = Writer::default();
        out.int(connect.protocol);
        out.long(match connect.seen {
            LastZxid::Zero => 0,
            LastZxid::Newest => self.zxid,
            LastZxid::Ahead(by) => self.zxid.saturating_add(by),
            LastZxid::Old(zxid) => zxid,
        });
        out.int(connect.timeout);
        out.long(match (connect.session, known) {
            (Which::Foreign(id), _) => id,
            (_, Some(session)) => session.id,
            (_, None) => 0,
        });
        out.buffer(password.as_deref());
        if let Some(byte) = connect.read_only {
            out.byte(byte);
            out.raw(&connect.trailing);
        }
        frame(&out.into_bytes())
    }
}

fn until_closed(link: &mut Link) -> Result<Vec<Seen>> {
    let mut seen = Vec::new();
    loop {
        match link.frame()? {
            Got::Frame(payload) => seen.push(decode(&payload, None)),
            end @ (Got::Closed | Got::Nothing) => {
                seen.push(ended(&end));
                return Ok(seen);
            }
        }
    }
}

fn ended(got: &Got) -> Seen {
    if *got == Got::Closed { Seen::Closed } else { Seen::Silence }
}
