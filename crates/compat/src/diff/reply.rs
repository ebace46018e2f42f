//! What a server sends, taken apart.

use std::fmt;

use super::op::{Create, Op, Read, code};
use super::show;
use super::wire::{Acl, Header, Reader, Stat, Text, WireError};

/// The body of a reply. Which one it has to be follows from the request alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// No bytes behind the header.
    None,
    /// `CreateResponse`, `SyncResponse`
    Path(Text),
    /// `Create2Response`
    PathStat(Text, Stat),
    /// `ExistsResponse`, `SetDataResponse`, `SetACLResponse`
    Stat(Stat),
    /// `GetDataResponse`
    Data(Option<Vec<u8>>, Stat),
    /// `GetACLResponse`
    Acl(Option<Vec<Acl>>, Stat),
    /// `GetChildrenResponse`, `GetChildren2Response`
    Children(Option<Vec<Text>>, Option<Stat>),
    /// `GetEphemeralsResponse`
    Ephemerals(Option<Vec<Text>>),
    /// `GetAllChildrenNumberResponse`
    Number(i32),
    /// `ErrorResponse`
    Error(i32),
    /// `WhoAmIResponse`: pairs of scheme and user.
    Identities(Option<Vec<(Text, Text)>>),
    /// `SetSASLResponse`
    Token(Option<Vec<u8>>),
    /// `MultiResponse`: per item the type, the error and the body.
    Multi(Vec<(i32, i32, Body)>),
    /// Anything else, as it came, and what is wrong with it.
    Raw(Vec<u8>, Option<WireError>),
}

/// One thing a client sees on a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    /// The answer to a `ConnectRequest`.
    Connected(Connected),
    /// A watch event.
    Event {
        /// Of the transaction, or -1.
        zxid: i64,
        /// The header's error, always 0.
        err: i32,
        /// What happened.
        kind: i32,
        /// Always 3.
        state: i32,
        /// To which znode.
        path: Text,
    },
    /// The answer to a request.
    Reply {
        /// Its first 16 bytes.
        header: Header,
        /// The others.
        body: Body,
    },
    /// A frame too short for a header.
    Short(Vec<u8>),
    /// The server ended the connection.
    Closed,
    /// Nothing came although something had to: an answer, or the end of the connection.
    Silence,
}

/// `ConnectResponse`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connected {
    /// Always 0.
    pub protocol: i32,
    /// Negotiated, in milliseconds; 0 refuses.
    pub timeout: i32,
    /// Whose connection this now is.
    pub session: i64,
    /// 16 bytes that prove it later.
    pub password: Option<Vec<u8>>,
    /// Absent when the request had none.
    pub read_only: Option<u8>,
}

impl Connected {
    /// Takes a frame's payload apart.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        let mut from = Reader::new(payload);
        let (protocol, timeout, session) = (from.int()?, from.int()?, from.long()?);
        let password = from.buffer()?;
        let read_only = if from.rest().is_empty() { None } else { Some(from.byte()?) };
        from.end()?;
        Ok(Self { protocol, timeout, session, password, read_only })
    }
}

/// Takes a frame apart that came after the handshake. `asked`: the oldest request without an answer.
pub fn decode(payload: &[u8], asked: Option<&Op>) -> Seen {
    let mut from = Reader::new(payload);
    let Ok(header) = from.header() else { return Seen::Short(payload.to_vec()) };
    if header.xid == -1 {
        return match event(&mut from) {
            Ok((kind, state, path)) => Seen::Event { zxid: header.zxid, err: header.err, kind, state, path },
            Err(error) => Seen::Reply { header, body: Body::Raw(payload.to_vec(), Some(error)) },
        };
    }
    let rest = from.rest();
    let body = match asked {
        _ if rest.is_empty() => Body::None,
        Some(op) if header.err == 0 || op.code() == code::SASL || op.code() == code::MULTI_READ => {
            let decoded = body(&mut from, op).and_then(|body| from.end().map(|()| body));
            decoded.unwrap_or_else(|error| Body::Raw(rest.to_vec(), Some(error)))
        }
        Some(_) | None => Body::Raw(rest.to_vec(), None),
    };
    Seen::Reply { header, body }
}

fn event(from: &mut Reader<'_>) -> Result<(i32, i32, Text), WireError> {
    let event = (from.int()?, from.int()?, from.text()?);
    from.end()?;
    Ok(event)
}

fn body(from: &mut Reader<'_>, op: &Op) -> Result<Body, WireError> {
    Ok(match op {
        Op::Create { kind: Create::Create, .. } | Op::Sync { .. } => Body::Path(from.text()?),
        Op::Create { kind: Create::Create2 | Create::Container, .. } | Op::CreateTtl { .. } => {
            Body::PathStat(from.text()?, from.stat()?)
        }
        Op::Read { kind: Read::Exists, .. } | Op::SetData { .. } | Op::SetAcl { .. } => {
            Body::Stat(from.stat()?)
        }
        Op::Read { kind: Read::GetData, .. } | Op::Reconfig { .. } => {
            Body::Data(from.buffer()?, from.stat()?)
        }
        Op::Read { kind: Read::GetChildren, .. } => Body::Children(from.vector(Reader::text)?, None),
        Op::Read { kind: Read::GetChildren2, .. } => {
            Body::Children(from.vector(Reader::text)?, Some(from.stat()?))
        }
        Op::GetAcl { .. } => Body::Acl(from.vector(Reader::acl)?, from.stat()?),
        Op::GetEphemerals { .. } => Body::Ephemerals(from.vector(Reader::text)?),
        Op::GetAllChildrenNumber { .. } => Body::Number(from.int()?),
        Op::AddWatch { .. } => Body::Error(from.int()?),
        Op::WhoAmI => Body::Identities(from.vector(|from| Ok((from.text()?, from.text()?)))?),
        Op::Sasl { .. } => Body::Token(from.buffer()?),
        Op::Multi { .. } => multi(from)?,
        Op::Delete { .. }
        | Op::Ping
        | Op::Check { .. }
        | Op::CheckWatches { .. }
        | Op::RemoveWatches { .. }
        | Op::SetWatches { .. }
        | Op::Auth { .. }
        | Op::CloseSession
        | Op::Other { .. } => Body::Raw(from.rest().to_vec(), Some(WireError::Trailing(from.rest().len()))),
    })
}

fn multi(from: &mut Reader<'_>) -> Result<Body, WireError> {
    let mut items = Vec::new();
    loop {
        let (kind, done, err) = (from.int()?, from.byte()? != 0, from.int()?);
        if done {
            // Clients stop at `done`; the other two are still bytes a server has to get right.
            return match (kind, err) {
                (-1, -1) => Ok(Body::Multi(items)),
                (-1, err) => Err(WireError::Unknown(err, "error in the last multi header")),
                (kind, _) => Err(WireError::Unknown(kind, "type in the last multi header")),
            };
        }
        let body = match kind {
            code::CREATE => Body::Path(from.text()?),
            code::CREATE2 | code::CREATE_CONTAINER | code::CREATE_TTL => {
                Body::PathStat(from.text()?, from.stat()?)
            }
            code::DELETE | code::CHECK => Body::None,
            code::SET_DATA => Body::Stat(from.stat()?),
            code::GET_CHILDREN => Body::Children(from.vector(Reader::text)?, None),
            code::GET_DATA => Body::Data(from.buffer()?, from.stat()?),
            -1 => Body::Error(from.int()?),
            unknown => return Err(WireError::Unknown(unknown, "type of a multi result")),
        };
        items.push((kind, err, body));
    }
}

impl fmt::Display for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("-"),
            Self::Path(path) => write!(out, "{path}"),
            Self::PathStat(path, stat) => write!(out, "{path} {stat}"),
            Self::Stat(stat) => write!(out, "{stat}"),
            Self::Data(data, stat) => write!(out, "{} {stat}", show::data(data.as_deref())),
            Self::Acl(acl, stat) => {
                optional(out, acl.as_deref())?;
                write!(out, " {stat}")
            }
            Self::Children(names, stat) => {
                optional(out, names.as_deref())?;
                stat.as_ref().map_or(Ok(()), |stat| write!(out, " {stat}"))
            }
            Self::Ephemerals(paths) => optional(out, paths.as_deref()),
            Self::Number(number) => write!(out, "number {number}"),
            Self::Error(code) => write!(out, "code {code}"),
            Self::Identities(None) => out.write_str("null"),
            Self::Identities(Some(ids)) => {
                let shown: Vec<_> = ids.iter().map(|(scheme, user)| format!("{scheme}:{user}")).collect();
                show::list(out, &shown)
            }
            Self::Token(token) => write!(out, "token {}", show::data(token.as_deref())),
            Self::Multi(items) => {
                let shown: Vec<_> =
                    items.iter().map(|(kind, err, body)| format!("type {kind} err {err} {body}")).collect();
                show::list(out, &shown)
            }
            Self::Raw(bytes, None) => write!(out, "bytes {}", show::hex(bytes)),
            Self::Raw(bytes, Some(error)) => write!(out, "UNREADABLE ({error}) {}", show::hex(bytes)),
        }
    }
}

fn optional<T: fmt::Display>(out: &mut fmt::Formatter<'_>, items: Option<&[T]>) -> fmt::Result {
    match items {
        None => out.write_str("null"),
        Some(items) => show::list(out, items),
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(Connected { protocol, timeout, session, password, read_only }) => {
                let password = show::hex(password.as_deref().unwrap_or_default());
                write!(out, "connected: protocol {protocol} timeout {timeout} session {session:#x} ")?;
                write!(out, "password {password} read-only {read_only:?}")
            }
            Self::Event { zxid, err, kind, state, path } => {
                write!(out, "event: type {kind} {path} zxid {zxid} state {state} err {err}")
            }
            Self::Reply { header: Header { xid, zxid, err }, body } => {
                write!(out, "reply: xid {xid} zxid {zxid} err {err} {body}")
            }
            Self::Short(bytes) => write!(out, "SHORT FRAME {}", show::hex(bytes)),
            Self::Closed => out.write_str("closed by the server"),
            Self::Silence => out.write_str("NOTHING, neither an answer nor the end of the connection"),
        }
    }
}

#[cfg(test)]
mod tests;
