//! The records of a snapshot, read: sessions, lists, nodes, and the slash behind them, wherever the bytes come from.
//!
//! A file and the stream of a leader have them alike; they differ in what stands before and behind.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use proto::wire::text_lossy;
use proto::{Acl, AclList, Buffer, DecodeError, Reader, SessionId, StatPersisted, Zxid};

use super::format::SLASH;

/// One node of a snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeRecord<'a> {
    /// The whole path; empty for the root.
    pub path: Cow<'a, str>,
    /// What it holds.
    pub data: Buffer<'a>,
    /// The number of its access control list, or -1 for "everything to everybody".
    pub acl_id: i64,
    /// The rest.
    pub stat: StatPersisted,
}

/// Takes what a snapshot holds, in its order: sessions, lists, nodes with parents before children.
pub trait SnapshotSink {
    /// Why a record is not accepted; the snapshot then counts as damaged.
    type Error;

    /// A snapshot starts. Whatever came before is to be forgotten: it was not sound to its end.
    fn begin(&mut self, zxid: Zxid);

    /// A session and its timeout.
    ///
    /// # Errors
    /// The sink's own.
    fn session(&mut self, id: SessionId, timeout_ms: i32) -> Result<(), Self::Error>;

    /// An access control list and its number.
    ///
    /// # Errors
    /// The sink's own.
    fn acl(&mut self, acl_id: i64, acl: AclList) -> Result<(), Self::Error>;

    /// A node.
    ///
    /// # Errors
    /// The sink's own, above all for a node without parent.
    fn node(&mut self, node: NodeRecord<'_>) -> Result<(), Self::Error>;

    /// Those were all nodes. A sink that looks at each as it comes has nothing to do.
    ///
    /// # Errors
    /// The sink's own.
    fn nodes_end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordError<E> {
    /// It breaks its own rules.
    Broken(&'static str),
    /// A field is longer than the limit.
    TooLong { bytes: usize },
    /// The sink does not take it.
    Sink(E),
}

impl<E> From<DecodeError> for RecordError<E> {
    fn from(_: DecodeError) -> Self {
        Self::Broken("a record breaks its own rules")
    }
}

/// What the front of some bytes was good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Taken {
    /// So many bytes were a record, or the part of one that can be taken alone.
    Bytes(usize),
    /// Nothing can be taken before there are so many bytes, which is more than there are and never more than needed.
    Want(usize),
    /// The last so many bytes: the slash behind the nodes.
    End(usize),
}

/// What comes next.
#[derive(Debug)]
enum Next {
    SessionCount,
    Sessions {
        left: u32,
    },
    AclCount,
    Acls {
        left: u32,
    },
    /// A list is taken entry by entry, because it does not say how long it is.
    Acl {
        lists_left: u32,
        acl_id: i64,
        left: u32,
        list: AclList,
        bytes: usize,
    },
    Nodes,
}

/// How far the reading is.
#[derive(Debug)]
pub(crate) struct Records {
    next: Next,
    field_max: usize,
    nodes: u64,
}

/// Behind a node's data: the number of its list, and `StatPersisted`.
const BEHIND_DATA: usize = 8 + 60;
const SESSION: usize = 12;

impl Records {
    /// At the first one.
    ///
    /// * `field_max`: bytes of a path or of data, and of a whole list, that are accepted.
    pub(crate) fn new(field_max: usize) -> Self {
        Self { next: Next::SessionCount, field_max, nodes: 0 }
    }

    /// How many nodes there were so far.
    pub(crate) fn nodes(&self) -> u64 {
        self.nodes
    }

    /// Takes the next record off the front of `bytes`.
    #[inline]
    pub(crate) fn step<S: SnapshotSink>(
        &mut self,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<Taken, RecordError<S::Error>> {
        match self.next {
            Next::Nodes => self.node(bytes, sink),
            Next::SessionCount
            | Next::Sessions { .. }
            | Next::AclCount
            | Next::Acls { .. }
            | Next::Acl { .. } => self.before_nodes(bytes, sink),
        }
    }

    fn before_nodes<S: SnapshotSink>(
        &mut self,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<Taken, RecordError<S::Error>> {
        let mut reader = Reader::new(bytes);
        match &mut self.next {
            Next::SessionCount => {
                let Some(left) = count(bytes)? else { return Ok(Taken::Want(4)) };
                self.next = Next::Sessions { left };
                Ok(Taken::Bytes(4))
            }
            Next::Sessions { left: 0 } => {
                self.next = Next::AclCount;
                Ok(Taken::Bytes(0))
            }
            Next::Sessions { left } => {
                if bytes.len() < SESSION {
                    return Ok(Taken::Want(SESSION));
                }
                sink.session(reader.take()?, reader.take()?).map_err(RecordError::Sink)?;
                *left -= 1;
                Ok(Taken::Bytes(SESSION))
            }
            Next::AclCount => {
                let Some(left) = count(bytes)? else { return Ok(Taken::Want(4)) };
                self.next = Next::Acls { left };
                Ok(Taken::Bytes(4))
            }
            Next::Acls { left: 0 } => {
                self.next = Next::Nodes;
                Ok(Taken::Bytes(0))
            }
            Next::Acls { left } => {
                if bytes.len() < 12 {
                    return Ok(Taken::Want(12));
                }
                let (acl_id, entries): (i64, i32) = (reader.take()?, reader.take()?);
                // A null list is an empty one, and so is, in Java, a negative number of entries.
                let entries = u32::try_from(entries).unwrap_or(0);
                let lists_left = *left - 1;
                self.next = Next::Acl { lists_left, acl_id, left: entries, list: Vec::new(), bytes: 0 };
                Ok(Taken::Bytes(12))
            }
            Next::Acl { lists_left, acl_id, left: 0, list, .. } => {
                sink.acl(*acl_id, core::mem::take(list)).map_err(RecordError::Sink)?;
                self.next = Next::Acls { left: *lists_left };
                Ok(Taken::Bytes(0))
            }
            Next::Acl { left, list, bytes: so_far, .. } => {
                let room = self.field_max.saturating_sub(*so_far);
                let Some(scheme) = field(bytes, 4, room)? else { return Ok(Taken::Want(8)) };
                let at = 8 + scheme;
                let Some(id) = field(bytes, at, room)? else { return Ok(Taken::Want(at + 4)) };
                let whole = at + 4 + id;
                if whole > room {
                    return Err(RecordError::TooLong { bytes: whole });
                }
                if bytes.len() < whole {
                    return Ok(Taken::Want(whole));
                }
                list.push(reader.take::<Acl<'_>>()?.into_owned());
                *left -= 1;
                *so_far += whole;
                Ok(Taken::Bytes(whole))
            }
            Next::Nodes => unreachable!("the caller took it"),
        }
    }

    #[inline]
    fn node<S: SnapshotSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<Taken, RecordError<S::Error>> {
        let Some(path_len) = field(bytes, 0, self.field_max)? else { return Ok(Taken::Want(4)) };
        let at = 4 + path_len;
        if path_len == 1 {
            if bytes.len() < SLASH.len() {
                return Ok(Taken::Want(SLASH.len()));
            }
            if bytes.starts_with(SLASH) {
                sink.nodes_end().map_err(RecordError::Sink)?;
                return Ok(Taken::End(SLASH.len()));
            }
        }
        let Some(data_len) = field(bytes, at, self.field_max)? else { return Ok(Taken::Want(at + 4)) };
        let whole = at + 4 + data_len + BEHIND_DATA;
        if bytes.len() < whole {
            return Ok(Taken::Want(whole));
        }
        let mut reader = Reader::new(&bytes[..whole]);
        let node = NodeRecord {
            path: text_lossy(reader.take::<Buffer<'_>>()?.unwrap_or_default()),
            data: reader.take()?,
            acl_id: reader.take()?,
            stat: reader.take()?,
        };
        sink.node(node).map_err(RecordError::Sink)?;
        self.nodes += 1;
        Ok(Taken::Bytes(whole))
    }
}

/// The number of records that follow; `None` while it is not there.
fn count<E>(bytes: &[u8]) -> Result<Option<u32>, RecordError<E>> {
    let Some(bytes) = bytes.first_chunk() else { return Ok(None) };
    match u32::try_from(i32::from_be_bytes(*bytes)) {
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(RecordError::Broken("a count is negative")),
    }
}

/// The length that stands at `at`, where null counts as none; `None` while it is not there.
#[inline]
fn field<E>(bytes: &[u8], at: usize, max: usize) -> Result<Option<usize>, RecordError<E>> {
    let Some(bytes) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    let length = i32::from_be_bytes(*bytes);
    if length == -1 {
        return Ok(Some(0));
    }
    let Ok(length) = usize::try_from(length) else {
        return Err(RecordError::Broken("a length is negative"));
    };
    if length > max { Err(RecordError::TooLong { bytes: length }) } else { Ok(Some(length)) }
}
