//! A session's connection to one member: requests out, replies and events in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::history::{Lasting, Node, Op, Outcome, Put, Register, Value};
use crate::diff::wire::{Acl, Header, List, Reader, Stat, Text, Writer, frame};

/// How long connecting and each reply may take before the connection counts as broken.
const PATIENCE: Duration = Duration::from_secs(5);
/// No reply of a lane is longer.
const FRAME_BYTES_MAX: i32 = 16 << 20;
/// The znode everything of the checked clients lies below.
pub(super) const ROOT: &str = "/checked";
/// The parent of the nodes.
const NODES: &str = "/checked/nodes";
/// The xid of an event. Source: `ClientCnxn`.
const EVENT_XID: i32 = -1;

/// Operation codes. Source: `ZooDefs.OpCode`.
mod opcode {
    pub(super) const CREATE: i32 = 1;
    pub(super) const DELETE: i32 = 2;
    pub(super) const EXISTS: i32 = 3;
    pub(super) const GET_DATA: i32 = 4;
    pub(super) const SET_DATA: i32 = 5;
    pub(super) const GET_ACL: i32 = 6;
    pub(super) const GET_CHILDREN: i32 = 8;
    pub(super) const SYNC: i32 = 9;
    pub(super) const MULTI: i32 = 14;
    pub(super) const CLOSE: i32 = -11;
}

/// Error codes. Source: `KeeperException.Code`.
pub(super) const NO_NODE: i32 = -101;
/// The version is another one.
pub(super) const BAD_VERSION: i32 = -103;
/// It is there already.
pub(super) const NODE_EXISTS: i32 = -110;

/// What proves a session, and how far it has seen.
#[derive(Clone, Debug)]
pub struct Identity {
    /// 0 for a new one.
    pub id: i64,
    /// As the server gave it.
    pub password: Vec<u8>,
    /// The highest zxid seen: no member that knows less may take the session.
    pub zxid: i64,
    /// What is asked for.
    pub timeout: Duration,
}

impl Identity {
    /// Nobody yet.
    pub fn fresh(timeout: Duration) -> Self {
        Self { id: 0, password: vec![0; 16], zxid: 0, timeout }
    }
}

/// What a server says to a connect request.
#[derive(Debug)]
pub enum Opened {
    /// The session is there, with this timeout.
    Session(Connection, Identity),
    /// The session is gone.
    Gone,
}

/// One frame from the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Frame {
    /// The reply to a request, without its header.
    Reply(Header, Vec<u8>),
    /// A change of a register that was watched.
    Event(Register, i64),
}

/// A connection with a session.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    sent: i32,
}

impl Connection {
    /// Opens a session, or takes it up again.
    ///
    /// # Errors
    /// When the member does not answer, or closes the connection: it may know less than the session has seen.
    pub fn open(address: SocketAddr, identity: &Identity) -> Result<Opened> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut connection = Self { stream, sent: 0 };
        let mut request = Writer::default();
        request.int(0);
        request.long(identity.zxid);
        request.int(i32::try_from(identity.timeout.as_millis())?);
        request.long(identity.id);
        request.buffer(Some(&identity.password));
        request.flag(false);
        connection.stream.write_all(&frame(&request.into_bytes()))?;
        let answer = connection.receive_bytes()?;
        let mut answer = Reader::new(&answer);
        let (_version, timeout) = (answer.int()?, answer.int()?);
        let (id, password) = (answer.long()?, answer.buffer()?.unwrap_or_default());
        if id == 0 || timeout <= 0 {
            return Ok(Opened::Gone);
        }
        let timeout = Duration::from_millis(u64::try_from(timeout)?);
        Ok(Opened::Session(connection, Identity { id, password, zxid: identity.zxid, timeout }))
    }

    /// Sends a request without waiting, and gives its xid.
    ///
    /// # Errors
    /// When the connection is broken. The request may have arrived nevertheless.
    pub(super) fn send(&mut self, op: &Op) -> Result<i32> {
        let mut body = Writer::default();
        let code = write_request(&mut body, op);
        self.send_raw(code, body)
    }

    /// Sends a request with a body made elsewhere.
    fn send_raw(&mut self, code: i32, body: Writer) -> Result<i32> {
        self.sent += 1;
        let mut request = Writer::default();
        request.int(self.sent);
        request.int(code);
        request.raw(&body.into_bytes());
        self.stream.write_all(&frame(&request.into_bytes()))?;
        Ok(self.sent)
    }

    /// Waits for the next reply or event.
    ///
    /// # Errors
    /// When the connection is broken or nothing comes.
    pub(super) fn receive(&mut self) -> Result<Frame> {
        let bytes = self.receive_bytes()?;
        let mut reader = Reader::new(&bytes);
        let header = reader.header()?;
        if header.xid != EVENT_XID {
            return Ok(Frame::Reply(header, reader.rest().to_vec()));
        }
        let (_kind, _state, path) = (reader.int()?, reader.int()?, reader.text()?.lossy());
        let register = path.strip_prefix(ROOT).and_then(|name| name.strip_prefix("/r")?.parse().ok());
        Ok(Frame::Event(
            register.with_context(|| format!("an event for {path}, which nobody watches"))?,
            header.zxid,
        ))
    }

    /// Sends one request and waits for its reply, leaving out events.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) fn call(&mut self, op: &Op) -> Result<(i64, Outcome)> {
        let xid = self.send(op)?;
        let (header, body) = self.reply(xid)?;
        Ok((header.zxid, read_reply(op, header.err, &body)?))
    }

    /// The reply with this xid, which has to be the next.
    fn reply(&mut self, xid: i32) -> Result<(Header, Vec<u8>)> {
        loop {
            if let Frame::Reply(header, body) = self.receive()? {
                ensure!(header.xid == xid, "the reply to {xid} says {}", header.xid);
                return Ok((header, body));
            }
        }
    }

    /// Creates a persistent znode, unless it is there.
    ///
    /// # Errors
    /// When the connection breaks, or another error is answered.
    pub(super) fn make(&mut self, path: &str, data: &[u8]) -> Result<()> {
        let mut body = Writer::default();
        write_create(&mut body, path, data, 0);
        let xid = self.send_raw(opcode::CREATE, body)?;
        let (header, _) = self.reply(xid)?;
        ensure!(
            header.err == 0 || header.err == NODE_EXISTS,
            "creating {path} was answered with {}",
            header.err
        );
        Ok(())
    }

    /// One line about a znode: data, Stat and access control list; and its children. `None` when it is not there.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) fn show(&mut self, path: &str) -> Result<Option<(String, Vec<String>)>> {
        let request = |flag: Option<bool>| {
            let mut body = Writer::default();
            body.text(&Text::of(path));
            if let Some(flag) = flag {
                body.flag(flag);
            }
            body
        };
        let asked = [
            self.send_raw(opcode::GET_DATA, request(Some(false)))?,
            self.send_raw(opcode::GET_ACL, request(None))?,
            self.send_raw(opcode::GET_CHILDREN, request(Some(false)))?,
        ];
        let [data, acl, children] = asked.map(|xid| self.reply(xid));
        let ((data_header, data), (_, acl), (_, children)) = (data?, acl?, children?);
        if data_header.err == NO_NODE {
            return Ok(None);
        }
        let mut data = Reader::new(&data);
        let bytes = data.buffer()?;
        let stat = data.stat()?;
        let acl: Vec<Acl> = Reader::new(&acl).vector(Reader::acl)?.unwrap_or_default();
        let acl: Vec<String> = acl.iter().map(Acl::to_string).collect();
        let mut children: Vec<String> = Reader::new(&children)
            .vector(Reader::text)?
            .unwrap_or_default()
            .iter()
            .map(Text::lossy)
            .collect();
        children.sort_unstable();
        let line = format!("{path} {} {stat} {}", Text(bytes), acl.join(" "));
        Ok(Some((line, children)))
    }

    /// The bytes of one frame.
    fn receive_bytes(&mut self) -> Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = i32::from_be_bytes(length);
        if !(0..=FRAME_BYTES_MAX).contains(&length) {
            bail!("the server sent a frame of {length} bytes");
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Where a register lies.
pub(super) fn register_path(register: Register) -> String {
    format!("{ROOT}/r{register}")
}

/// Makes everything the clients expect to be there.
///
/// # Errors
/// When the connection breaks.
pub(super) fn prepare(connection: &mut Connection) -> Result<()> {
    connection.make(ROOT, b"")?;
    connection.make(NODES, b"")?;
    (0..super::history::REGISTERS).try_for_each(|register| connection.make(&register_path(register), b"0"))
}

/// The body of a request, and its operation code.
fn write_request(body: &mut Writer, op: &Op) -> i32 {
    match op {
        Op::Set(puts) => match puts.as_slice() {
            [put] => {
                write_set(body, put);
                opcode::SET_DATA
            }
            several => {
                for put in several {
                    body.int(opcode::SET_DATA);
                    body.flag(false);
                    body.int(-1);
                    write_set(body, put);
                }
                body.int(-1);
                body.flag(true);
                body.int(-1);
                opcode::MULTI
            }
        },
        Op::Create(node, lasting) => {
            let flags = i32::from(*lasting == Lasting::Ephemeral);
            write_create(body, &node_path(*node), node.to_string().as_bytes(), flags);
            opcode::CREATE
        }
        Op::Delete(node) => {
            body.text(&Text::of(&node_path(*node)));
            body.int(-1);
            opcode::DELETE
        }
        Op::Get(register, watch) => {
            body.text(&Text::of(&register_path(*register)));
            body.flag(*watch);
            opcode::GET_DATA
        }
        Op::Exists(node) => {
            body.text(&Text::of(&node_path(*node)));
            body.flag(false);
            opcode::EXISTS
        }
        Op::List => {
            body.text(&Text::of(NODES));
            body.flag(false);
            opcode::GET_CHILDREN
        }
        Op::Sync => {
            body.text(&Text::of(ROOT));
            opcode::SYNC
        }
        Op::Close => opcode::CLOSE,
    }
}

/// Where a node lies.
fn node_path(node: Node) -> String {
    format!("{NODES}/n{node}")
}

fn write_set(body: &mut Writer, put: &Put) {
    body.text(&Text::of(&register_path(put.register)));
    body.buffer(Some(put.value.to_string().as_bytes()));
    body.int(put.expected);
}

fn write_create(body: &mut Writer, path: &str, data: &[u8], flags: i32) {
    body.text(&Text::of(path));
    body.buffer(Some(data));
    body.acls(&List::Of(vec![Acl { perms: 31, scheme: Text::of("world"), id: Text::of("anyone") }]));
    body.int(flags);
}

/// What a reply says.
///
/// # Errors
/// When its bytes do not fit the request.
pub(super) fn read_reply(op: &Op, error: i32, body: &[u8]) -> Result<Outcome> {
    let mut body = Reader::new(body);
    Ok(match (op, error) {
        (Op::Exists(_), NO_NODE) => Outcome::There(None),
        (_, 1..) | (_, ..0) => Outcome::Failed(error),
        (Op::Set(puts), 0) if puts.len() == 1 => Outcome::Versions(vec![body.stat()?.version]),
        (Op::Set(puts), 0) => read_multi(&mut body, puts.len())?,
        (Op::Get(..), 0) => {
            let data = body.buffer()?.unwrap_or_default();
            let value: Value = std::str::from_utf8(&data)?.parse()?;
            let Stat { version, mzxid, .. } = body.stat()?;
            Outcome::Holds(value, version, mzxid)
        }
        (Op::Exists(_), 0) => Outcome::There(Some(body.stat()?.czxid)),
        (Op::List, 0) => {
            let names = body.vector(Reader::text)?.unwrap_or_default();
            let node = |name: &Text| {
                let name = name.lossy();
                let number = name.strip_prefix('n').and_then(|number| number.parse().ok());
                number.with_context(|| format!("a child {name} that nobody created"))
            };
            Outcome::Nodes(names.iter().map(node).collect::<Result<_>>()?)
        }
        (Op::Create(..) | Op::Delete(_) | Op::Sync | Op::Close, 0) => Outcome::Done,
    })
}

/// The results of a multi of setData, all of which went well: the others have no condition that could fail.
fn read_multi(body: &mut Reader<'_>, count: usize) -> Result<Outcome> {
    let mut versions = Vec::new();
    for _ in 0..count {
        let (kind, _done, error) = (body.int()?, body.byte()?, body.int()?);
        if kind != opcode::SET_DATA {
            return Ok(Outcome::Failed(if error == 0 { body.int()? } else { error }));
        }
        versions.push(body.stat()?.version);
    }
    Ok(Outcome::Versions(versions))
}
