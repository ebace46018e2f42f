//! Clients of a script, each called by a capital letter.
//!
//! * `open A N [timeout=MS]`: A gets a session at member N, or moves there with the one it has and leaves its watches again;
//!   `open A N unheard`: what is answered never reaches it
//! * `A create /x [ephemeral|ttl=MS]`, `A set /x`, `A delete /x`, `A multi /x /y` (sets both), `A get /x [watch]`,
//!   `A exists /x [watch]`, `A sync`, `A close`
//! * `A ask …`: the same without waiting; `A hears`: what came meanwhile
//! * `A leave`: the connection ends, not the session; `A silent`: no more signs of life
//! * `crowd N COUNT`: so many more want a session at member N, all at once, and never say anything again
//!
//! Each answer is a line: what was asked, and the zxid of the transaction or of the state shown, or the error.

use std::collections::VecDeque;

use proto::wire::put_frame;
use proto::{
    Acl, ConnectRequest, ConnectResponse, CreateRequest, CreateTtlRequest, DeleteRequest, Encode,
    MultiHeader, MultiItem, OpCode, PathRequest, PathWatchRequest, Reader, ReplyHeader, RequestHeader,
    SessionId, SetDataRequest, SetWatches, WatcherEvent, Xid, Zxid,
};

use super::{PATIENCE_US, SECOND_US, Stage, number, place};
use crate::model::{Value, Write};
use crate::net::{Class, Host, Key, Side};
use crate::world::World;

/// The host of the first of them.
const HOSTS: Host = crate::setup::CLIENTS + 60;
/// What a session without a wish gets.
const TIMEOUT_MS: i32 = 10_000;
/// `PERSISTENT_WITH_TTL`.
const TTL_FLAGS: i32 = 5;
/// xid of SetWatches.
const SET_WATCHES: Xid = Xid(-8);

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    name: char,
    key: Option<Key>,
    id: SessionId,
    password: [u8; 16],
    timeout_ms: i32,
    is_silent: bool,
    next_xid: i32,
    next_value: Value,
    /// The newest state it has seen.
    last: Zxid,
    /// What it waits for.
    asked: VecDeque<(Xid, String)>,
    watched: Vec<String>,
    input: Vec<u8>,
}

impl Session {
    fn new(name: char) -> Self {
        Self {
            name,
            key: None,
            id: SessionId::NONE,
            password: [0; 16],
            timeout_ms: TIMEOUT_MS,
            is_silent: false,
            next_xid: 1,
            next_value: u64::from(u32::from(name)) << 40,
            last: Zxid::ZERO,
            asked: VecDeque::new(),
            watched: Vec::new(),
            input: Vec::new(),
        }
    }

    fn host(&self) -> Host {
        HOSTS + (self.name as usize).saturating_sub('A' as usize)
    }

    fn connect(&mut self, at: usize, hears: bool, world: &mut World) -> Result<String, String> {
        if let Some(key) = self.key.take() {
            world.out.close(key, Side::Caller);
        }
        self.asked.clear();
        self.input.clear();
        let host = self.host();
        if !world.machines[at].listens(Class::Client) {
            return Ok("nobody there".into());
        }
        let key = world.out.net.connect(host, at, Class::Client);
        world.machines[at].on_call(Class::Client, key, host, &mut world.out);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last,
            timeout_ms: self.timeout_ms,
            session_id: self.id,
            password: Some(&self.password),
            read_only: Some(false),
        };
        send(world, key, &request);
        if !hears {
            world.run_until(world.out.now_us + SECOND_US / 5);
            world.out.close(key, Side::Caller);
            return Ok("unheard".into());
        }
        let Ok(frame) = answer(world, key, PATIENCE_US) else {
            world.out.close(key, Side::Caller);
            return Ok("no answer".into());
        };
        let response: ConnectResponse = Reader::new(&frame).take().map_err(|error| error.to_string())?;
        if response.timeout_ms == 0 {
            world.out.close(key, Side::Caller);
            self.id = SessionId::NONE;
            return Ok("expired".into());
        }
        let is_new = self.id == SessionId::NONE;
        self.key = Some(key);
        (self.id, self.password, self.timeout_ms) =
            (response.session_id, response.password, response.timeout_ms);
        if !self.watched.is_empty() {
            let data = self.watched.iter().map(|path| Some(path.clone().into())).collect();
            let request = SetWatches {
                relative_zxid: self.last,
                data: Some(data),
                exist: Some(Vec::new()),
                child: Some(Vec::new()),
            };
            self.send(SET_WATCHES, OpCode::SetWatches, &request, world);
            self.asked.push_back((SET_WATCHES, "watches".into()));
        }
        Ok(if is_new { "a session".into() } else { "its session".into() })
    }

    fn send(&mut self, xid: Xid, op: OpCode, body: &impl Encode, world: &mut World) {
        let Some(key) = self.key else { return };
        let mut bytes = Vec::new();
        RequestHeader { xid, kind: op.number() }.encode(&mut bytes);
        body.encode(&mut bytes);
        send(world, key, &Raw(bytes));
    }

    fn ask(&mut self, words: &[&str], world: &mut World) -> Result<(), String> {
        let xid = Xid(self.next_xid);
        self.next_xid += 1;
        self.next_value += 2;
        let value = self.next_value;
        let data = value.to_be_bytes();
        let path = words.get(1).copied();
        let text = || path.map(|path| path.to_owned().into());
        let owned = || path.unwrap_or_default().to_owned();
        let tail = words.get(2).copied();
        let mut write = |write: Write| world.out.evidence.model.ask(self.id, xid.0, write);
        self.asked.push_back((xid, words.join(" ")));
        match words.first().copied() {
            Some("create") => {
                let ephemeral = tail == Some("ephemeral");
                let ttl_ms = tail.and_then(|word| word.strip_prefix("ttl=")).map(number).transpose()?;
                write(Write::Create { path: owned(), value, ephemeral, sequential: false });
                let (acl, flags) = (Some(vec![Acl::open()]), i32::from(ephemeral));
                if let Some(ttl_ms) = ttl_ms {
                    let ttl_ms = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
                    let flags = TTL_FLAGS;
                    let request = CreateTtlRequest { path: text(), data: Some(&data), acl, flags, ttl_ms };
                    self.send(xid, OpCode::CreateTtl, &request, world);
                } else {
                    let request = CreateRequest { path: text(), data: Some(&data), acl, flags };
                    self.send(xid, OpCode::Create, &request, world);
                }
            }
            Some("set") => {
                write(Write::Set(vec![(owned(), value)], None));
                let request = SetDataRequest { path: text(), data: Some(&data), version: -1 };
                self.send(xid, OpCode::SetData, &request, world);
            }
            Some("multi") => {
                let puts: Vec<_> = words[1..].iter().map(|path| ((*path).to_owned(), value)).collect();
                write(Write::Set(puts.clone(), None));
                let mut body = Vec::new();
                for (path, _) in puts {
                    let item = SetDataRequest { path: Some(path.into()), data: Some(&data), version: -1 };
                    MultiItem::SetData(item).encode(&mut body);
                }
                MultiHeader::END.encode(&mut body);
                self.send(xid, OpCode::Multi, &Raw(body), world);
            }
            Some("delete") => {
                write(Write::Delete(owned()));
                self.send(xid, OpCode::Delete, &DeleteRequest { path: text(), version: -1 }, world);
            }
            Some("close") => {
                write(Write::Close);
                self.send(xid, OpCode::CloseSession, &Raw(Vec::new()), world);
            }
            Some(op @ ("get" | "exists")) => {
                let watch = tail == Some("watch");
                if watch {
                    self.watched.push(owned());
                }
                let op = if op == "get" { OpCode::GetData } else { OpCode::Exists };
                self.send(xid, op, &PathWatchRequest { path: text(), watch }, world);
            }
            Some("sync") => self.send(xid, OpCode::Sync, &PathRequest { path: Some("/".into()) }, world),
            other => return Err(format!("{other:?} is nothing a client asks for")),
        }
        Ok(())
    }

    /// Takes what arrived; the lines of it.
    fn hear(&mut self, world: &mut World) -> Result<Vec<String>, String> {
        let Some(key) = self.key else { return Ok(Vec::new()) };
        let mut piece = world.out.read(key, Side::Caller);
        while !piece.is_empty() {
            self.input.append(&mut piece);
            piece = world.out.read(key, Side::Caller);
        }
        let mut lines = Vec::new();
        while let Some(length) = self.input.first_chunk::<4>() {
            let end = u32::from_be_bytes(*length) as usize + 4;
            let Some(frame) = self.input.get(4..end) else { break };
            let mut reader = Reader::new(frame);
            let header: ReplyHeader = reader.take().map_err(|error| error.to_string())?;
            if header.xid == Xid::NOTIFICATION {
                let event: WatcherEvent<'_> = reader.take().map_err(|error| error.to_string())?;
                let path = event.path.as_deref().unwrap_or_default();
                let what = ["", "created", "deleted", "set", "children"]
                    .get(usize::try_from(event.kind).unwrap_or(0))
                    .copied()
                    .unwrap_or_default();
                self.watched.retain(|watched| watched != path);
                lines.push(format!("{}: event {what} {path} {}", self.name, header.zxid));
            } else if header.xid != Xid::PING {
                let Some((xid, asked)) = self.asked.pop_front() else {
                    return Err("an answer to nothing".into());
                };
                if xid != header.xid {
                    return Err(format!("{} is answered out of turn", header.xid.0));
                }
                let end =
                    if header.err == 0 { header.zxid.to_string() } else { format!("error {}", header.err) };
                lines.push(format!("{}: {asked} {end}", self.name));
            }
            self.last = self.last.max(header.zxid);
            self.input.drain(..end);
        }
        if world.out.net.peek(key, Side::Caller) == (0, true) {
            world.out.close(key, Side::Caller);
            self.key = None;
            lines.extend(
                self.asked.drain(..).map(|(_, asked)| format!("{}: {asked} not answered", self.name)),
            );
        }
        Ok(lines)
    }
}

impl Stage {
    /// Whether it was such a command.
    pub(super) fn on_session(&mut self, command: &str, seen: &mut Vec<String>) -> Result<bool, String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (&verb, rest) = words.split_first().ok_or("an empty command")?;
        let letter = |word: &str| match word.as_bytes() {
            [letter @ b'A'..=b'Z'] => Some(char::from(*letter)),
            _ => None,
        };
        if verb == "open" {
            let name = rest.first().and_then(|word| letter(word)).ok_or("who?")?;
            let at = place(rest.get(1).copied().unwrap_or_default())?;
            let mut session = self.sessions.remove(&name).unwrap_or_else(|| Session::new(name));
            if let Some(ms) = rest.iter().find_map(|word| word.strip_prefix("timeout=")) {
                session.timeout_ms = i32::try_from(number(ms)?).unwrap_or(TIMEOUT_MS);
            }
            let came = session.connect(at, !rest.contains(&"unheard"), self.world()?)?;
            seen.push(format!("{name}: {came}"));
            self.sessions.insert(name, session);
            self.hear(name, seen)?;
            return Ok(true);
        }
        if verb == "crowd" {
            let at = place(rest.first().copied().unwrap_or_default())?;
            let count = number(rest.get(1).copied().unwrap_or_default())?;
            crowd(self.world()?, at, count);
            return Ok(true);
        }
        let Some(name) = letter(verb) else { return Ok(false) };
        let mut session = self.sessions.remove(&name).ok_or("it has no session")?;
        let world = self.world()?;
        let mut waits = false;
        match rest {
            ["leave"] => {
                if let Some(key) = session.key.take() {
                    world.out.close(key, Side::Caller);
                }
            }
            ["silent"] => session.is_silent = true,
            ["hears"] => {}
            ["ask", asked @ ..] => session.ask(asked, world)?,
            asked => {
                waits = true;
                session.ask(asked, world)?;
            }
        }
        self.sessions.insert(name, session);
        if waits {
            self.hear(name, seen)?;
        } else if rest == ["hears"] {
            let Self { world: Some(world), sessions, .. } = self else { return Ok(true) };
            if let Some(session) = sessions.get_mut(&name) {
                seen.extend(session.hear(world)?);
            }
        }
        Ok(true)
    }

    /// Waits until everything is answered that one of them asked for.
    fn hear(&mut self, name: char, seen: &mut Vec<String>) -> Result<(), String> {
        let Self { world: Some(world), sessions, .. } = self else { return Ok(()) };
        let Some(session) = sessions.get_mut(&name) else { return Ok(()) };
        let until_us = world.out.now_us + PATIENCE_US;
        loop {
            seen.extend(session.hear(world)?);
            let Some(key) = session.key.filter(|_| !session.asked.is_empty()) else { return Ok(()) };
            let before = world.out.net.peek(key, Side::Caller);
            let came =
                world.run_until_holds(until_us, |world| world.out.net.peek(key, Side::Caller) != before);
            if !came {
                return Err(format!("there is no answer; {:?}", world.broken()));
            }
        }
    }

    /// Each gives a sign of life.
    pub(super) fn ping(&mut self) {
        let Self { world: Some(world), sessions, .. } = self else { return };
        for session in sessions.values_mut().filter(|session| !session.is_silent) {
            session.send(Xid::PING, OpCode::Ping, &Raw(Vec::new()), world);
        }
    }
}

/// Clients at two hosts, so that none has more than an address may have, ask for sessions at once.
fn crowd(world: &mut World, at: usize, count: usize) {
    for one in 0..count {
        let host = HOSTS + 28 + one % 2;
        let key = world.out.net.connect(host, at, Class::Client);
        world.machines[at].on_call(Class::Client, key, host, &mut world.out);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: TIMEOUT_MS,
            session_id: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        send(world, key, &request);
    }
}

/// A client at a host of its own, which connects, creates a znode, and keeps its session.
pub(super) fn write(world: &mut World, at: usize, path: &str, waits: bool) -> Result<(), String> {
    let host = crate::setup::CLIENTS + 50;
    let key = world.out.net.connect(host, at, Class::Client);
    world.machines[at].on_call(Class::Client, key, host, &mut world.out);
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 10_000,
        session_id: SessionId::NONE,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    send(world, key, &request);
    let patience_us = if waits { PATIENCE_US } else { SECOND_US / 20 };
    let frame = match answer(world, key, patience_us) {
        Ok(frame) => frame,
        // The session itself is a transaction, and may be the one that is not committed.
        Err(_) if !waits && world.broken().is_none() => return Ok(()),
        Err(error) => return Err(error),
    };
    let response: ConnectResponse = Reader::new(&frame).take().map_err(|error| error.to_string())?;
    let asked = Write::Create { path: path.into(), value: 0, ephemeral: false, sequential: false };
    world.out.evidence.model.ask(response.session_id, 1, asked);
    let mut body = Vec::new();
    RequestHeader { xid: Xid(1), kind: OpCode::Create.number() }.encode(&mut body);
    let acl = Some(vec![Acl::open()]);
    CreateRequest { path: Some(path.into()), data: Some(&[0; 8]), acl, flags: 0 }.encode(&mut body);
    send(world, key, &Raw(body));
    if !waits {
        return Ok(());
    }
    let frame = answer(world, key, PATIENCE_US)?;
    let header: ReplyHeader = Reader::new(&frame).take().map_err(|error| error.to_string())?;
    if header.err == 0 { Ok(()) } else { Err(format!("the answer is {}", header.err)) }
}

struct Raw(Vec<u8>);

impl Encode for Raw {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

fn send(world: &mut World, key: Key, what: &impl Encode) {
    let mut frame = Vec::new();
    put_frame(&mut frame, |out| what.encode(out));
    world.out.send(key, Side::Caller, frame);
}

/// The next frame.
fn answer(world: &mut World, key: Key, patience_us: u64) -> Result<Vec<u8>, String> {
    let until_us = world.out.now_us + patience_us;
    let came = world.run_until_holds(until_us, |world| {
        let (bytes, ended) = world.out.net.peek(key, Side::Caller);
        bytes >= 4 || ended
    });
    let frame = world.out.read(key, Side::Caller);
    if !came || frame.len() < 4 {
        return Err(format!("there is no answer; {:?}", world.broken()));
    }
    Ok(frame[4..].to_vec())
}
