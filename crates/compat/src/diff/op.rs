//! Requests as values: what can be sent, and how it is shown in a report.

use std::fmt;

use super::show;
use super::wire::{Acl, List, Text, Writer};

/// Numbers of the requests, as `ZooDefs.OpCode` has them.
pub mod code {
    #![expect(missing_docs, reason = "each is the number of the request of that name")]
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const EXISTS: i32 = 3;
    pub const GET_DATA: i32 = 4;
    pub const SET_DATA: i32 = 5;
    pub const GET_ACL: i32 = 6;
    pub const SET_ACL: i32 = 7;
    pub const GET_CHILDREN: i32 = 8;
    pub const SYNC: i32 = 9;
    pub const PING: i32 = 11;
    pub const GET_CHILDREN2: i32 = 12;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CHECK_WATCHES: i32 = 17;
    pub const REMOVE_WATCHES: i32 = 18;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const DELETE_CONTAINER: i32 = 20;
    pub const CREATE_TTL: i32 = 21;
    pub const MULTI_READ: i32 = 22;
    pub const AUTH: i32 = 100;
    pub const SET_WATCHES: i32 = 101;
    pub const SASL: i32 = 102;
    pub const GET_EPHEMERALS: i32 = 103;
    pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub const SET_WATCHES2: i32 = 105;
    pub const ADD_WATCH: i32 = 106;
    pub const WHO_AM_I: i32 = 107;
    pub const CREATE_SESSION: i32 = -10;
    pub const CLOSE_SESSION: i32 = -11;
}

/// The requests that carry a path and one flag; they differ in their number and their reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// `exists`
    Exists,
    /// `getData`
    GetData,
    /// `getChildren`, names only
    GetChildren,
    /// `getChildren2`, names and Stat
    GetChildren2,
}

/// The requests whose body is a `CreateRequest`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Create {
    /// `create`
    Create,
    /// `create2`
    Create2,
    /// `createContainer`
    Container,
}

/// One request without its xid.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the request of the same name in zookeeper.jute")]
pub enum Op {
    Create {
        kind: Create,
        path: Text,
        data: Option<Vec<u8>>,
        acl: List<Acl>,
        flags: i32,
    },
    CreateTtl {
        path: Text,
        data: Option<Vec<u8>>,
        acl: List<Acl>,
        flags: i32,
        ttl: i64,
    },
    Delete {
        path: Text,
        version: i32,
    },
    Read {
        kind: Read,
        path: Text,
        watch: bool,
    },
    SetData {
        path: Text,
        data: Option<Vec<u8>>,
        version: i32,
    },
    GetAcl {
        path: Text,
    },
    SetAcl {
        path: Text,
        acl: List<Acl>,
        version: i32,
    },
    Sync {
        path: Text,
    },
    Ping,
    Check {
        path: Text,
        version: i32,
    },
    /// `multi` or, with `read`, `multiRead`. `end` is the type in the last header, -1 from honest clients.
    Multi {
        read: bool,
        items: Vec<Op>,
        end: i32,
    },
    Reconfig {
        joining: Text,
        leaving: Text,
        members: Text,
        config: i64,
    },
    CheckWatches {
        path: Text,
        kind: i32,
    },
    RemoveWatches {
        path: Text,
        kind: i32,
    },
    AddWatch {
        path: Text,
        mode: i32,
    },
    /// `setWatches` with three lists, `setWatches2` with five.
    SetWatches {
        relative: i64,
        lists: Vec<List<Text>>,
    },
    GetEphemerals {
        prefix: Text,
    },
    GetAllChildrenNumber {
        path: Text,
    },
    WhoAmI,
    Auth {
        kind: i32,
        scheme: Text,
        auth: Option<Vec<u8>>,
    },
    Sasl {
        token: Option<Vec<u8>>,
    },
    CloseSession,
    /// Any number with any body.
    Other {
        code: i32,
        body: Vec<u8>,
    },
}

impl Op {
    /// The number in the request header.
    pub fn code(&self) -> i32 {
        match self {
            Self::Create { kind: Create::Create, .. } => code::CREATE,
            Self::Create { kind: Create::Create2, .. } => code::CREATE2,
            Self::Create { kind: Create::Container, .. } => code::CREATE_CONTAINER,
            Self::CreateTtl { .. } => code::CREATE_TTL,
            Self::Delete { .. } => code::DELETE,
            Self::Read { kind: Read::Exists, .. } => code::EXISTS,
            Self::Read { kind: Read::GetData, .. } => code::GET_DATA,
            Self::Read { kind: Read::GetChildren, .. } => code::GET_CHILDREN,
            Self::Read { kind: Read::GetChildren2, .. } => code::GET_CHILDREN2,
            Self::SetData { .. } => code::SET_DATA,
            Self::GetAcl { .. } => code::GET_ACL,
            Self::SetAcl { .. } => code::SET_ACL,
            Self::Sync { .. } => code::SYNC,
            Self::Ping => code::PING,
            Self::Check { .. } => code::CHECK,
            Self::Multi { read: false, .. } => code::MULTI,
            Self::Multi { read: true, .. } => code::MULTI_READ,
            Self::Reconfig { .. } => code::RECONFIG,
            Self::CheckWatches { .. } => code::CHECK_WATCHES,
            Self::RemoveWatches { .. } => code::REMOVE_WATCHES,
            Self::AddWatch { .. } => code::ADD_WATCH,
            Self::SetWatches { lists, .. } if lists.len() == 3 => code::SET_WATCHES,
            Self::SetWatches { .. } => code::SET_WATCHES2,
            Self::GetEphemerals { .. } => code::GET_EPHEMERALS,
            Self::GetAllChildrenNumber { .. } => code::GET_ALL_CHILDREN_NUMBER,
            Self::WhoAmI => code::WHO_AM_I,
            Self::Auth { .. } => code::AUTH,
            Self::Sasl { .. } => code::SASL,
            Self::CloseSession => code::CLOSE_SESSION,
            Self::Other { code, .. } => *code,
        }
    }

    /// Whether a server may answer it by closing the connection, or before requests that were sent earlier. Such a request
    /// travels alone, because what is pipelined behind it may be lost with the connection.
    pub fn may_close(&self) -> bool {
        matches!(
            self,
            Self::Auth { .. }
                | Self::Sasl { .. }
                | Self::CloseSession
                | Self::Check { .. }
                | Self::Other { .. }
        )
    }

    /// The body behind the request header.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.into_bytes()
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Create { path, data, acl, flags, .. } => {
                out.text(path);
                out.buffer(data.as_deref());
                out.acls(acl);
                out.int(*flags);
            }
            Self::CreateTtl { path, data, acl, flags, ttl } => {
                out.text(path);
                out.buffer(data.as_deref());
                out.acls(acl);
                out.int(*flags);
                out.long(*ttl);
            }
            Self::Read { path, watch, .. } => {
                out.text(path);
                out.flag(*watch);
            }
            Self::SetData { path, data, version } => {
                out.text(path);
                out.buffer(data.as_deref());
                out.int(*version);
            }
            Self::SetAcl { path, acl, version } => {
                out.text(path);
                out.acls(acl);
                out.int(*version);
            }
            Self::GetAcl { path }
            | Self::Sync { path }
            | Self::GetEphemerals { prefix: path }
            | Self::GetAllChildrenNumber { path } => out.text(path),
            Self::Delete { path, version: number }
            | Self::Check { path, version: number }
            | Self::CheckWatches { path, kind: number }
            | Self::RemoveWatches { path, kind: number }
            | Self::AddWatch { path, mode: number } => {
                out.text(path);
                out.int(*number);
            }
            Self::Multi { items, end, .. } => {
                for item in items {
                    multi_header(out, item.code(), false);
                    item.write(out);
                }
                multi_header(out, *end, true);
            }
            Self::Reconfig { joining, leaving, members, config } => {
                [joining, leaving, members].into_iter().for_each(|text| out.text(text));
                out.long(*config);
            }
            Self::SetWatches { relative, lists } => {
                out.long(*relative);
                lists.iter().for_each(|list| out.list(list, Writer::text));
            }
            Self::Auth { kind, scheme, auth } => {
                out.int(*kind);
                out.text(scheme);
                out.buffer(auth.as_deref());
            }
            Self::Sasl { token } => out.buffer(token.as_deref()),
            Self::Ping | Self::WhoAmI | Self::CloseSession => {}
            Self::Other { body, .. } => out.raw(body),
        }
    }

    /// The path it is about, for the ones that have a single one.
    pub fn path(&self) -> Option<&Text> {
        match self {
            Self::Create { path, .. }
            | Self::CreateTtl { path, .. }
            | Self::Delete { path, .. }
            | Self::Read { path, .. }
            | Self::SetData { path, .. }
            | Self::GetAcl { path }
            | Self::SetAcl { path, .. }
            | Self::Sync { path }
            | Self::Check { path, .. }
            | Self::CheckWatches { path, .. }
            | Self::RemoveWatches { path, .. }
            | Self::AddWatch { path, .. }
            | Self::GetEphemerals { prefix: path }
            | Self::GetAllChildrenNumber { path } => Some(path),
            Self::Multi { .. }
            | Self::Ping
            | Self::Reconfig { .. }
            | Self::SetWatches { .. }
            | Self::WhoAmI
            | Self::Auth { .. }
            | Self::Sasl { .. }
            | Self::CloseSession
            | Self::Other { .. } => None,
        }
    }
}

fn multi_header(out: &mut Writer, kind: i32, done: bool) {
    out.int(kind);
    out.flag(done);
    out.int(-1);
}

impl fmt::Display for Op {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { kind, path, data, acl, flags } => {
                write!(out, "{kind:?} {path} data {} acl {acl} flags {flags}", show::data(data.as_deref()))
            }
            Self::CreateTtl { path, data, acl, flags, ttl } => {
                let data = show::data(data.as_deref());
                write!(out, "CreateTtl {path} data {data} acl {acl} flags {flags} ttl {ttl}")
            }
            Self::Delete { path, version } => write!(out, "Delete {path} version {version}"),
            Self::Read { kind, path, watch } => write!(out, "{kind:?} {path} watch {watch}"),
            Self::SetData { path, data, version } => {
                write!(out, "SetData {path} data {} version {version}", show::data(data.as_deref()))
            }
            Self::GetAcl { path } => write!(out, "GetAcl {path}"),
            Self::SetAcl { path, acl, version } => write!(out, "SetAcl {path} acl {acl} version {version}"),
            Self::Sync { path } => write!(out, "Sync {path}"),
            Self::Check { path, version } => write!(out, "Check {path} version {version}"),
            Self::Multi { read, items, end } => {
                write!(out, "{} ", if *read { "MultiRead" } else { "Multi" })?;
                show::list(out, items)?;
                if *end == -1 { Ok(()) } else { write!(out, " end {end}") }
            }
            Self::Reconfig { joining, leaving, members, config } => {
                write!(out, "Reconfig joining {joining} leaving {leaving} members {members} config {config}")
            }
            Self::CheckWatches { path, kind } => write!(out, "CheckWatches {path} type {kind}"),
            Self::RemoveWatches { path, kind } => write!(out, "RemoveWatches {path} type {kind}"),
            Self::AddWatch { path, mode } => write!(out, "AddWatch {path} mode {mode}"),
            Self::SetWatches { relative, lists } => {
                write!(out, "SetWatches since {relative} ")?;
                show::list(out, lists)
            }
            Self::GetEphemerals { prefix } => write!(out, "GetEphemerals {prefix}"),
            Self::GetAllChildrenNumber { path } => write!(out, "GetAllChildrenNumber {path}"),
            Self::Auth { kind, scheme, auth } => {
                write!(out, "Auth type {kind} {scheme} {}", show::data(auth.as_deref()))
            }
            Self::Sasl { token } => write!(out, "Sasl {}", show::data(token.as_deref())),
            Self::Ping => out.write_str("Ping"),
            Self::WhoAmI => out.write_str("WhoAmI"),
            Self::CloseSession => out.write_str("CloseSession"),
            Self::Other { code, body } => write!(out, "opcode {code} body {}", show::hex(body)),
        }
    }
}
