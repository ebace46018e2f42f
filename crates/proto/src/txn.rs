//! Transactions: what was decided, as logs keep it and members tell each other.
//!
//! Source: `zookeeper.jute`, `txn`; `SerializeUtils`; storage.md §4.

use alloc::vec::Vec;

use crate::multi::whole;
use crate::record::record;
use crate::{Acl, Buffer, Code, DecodeError, Encode, Reader, SessionId, Text, Zxid};

record! {
    /// Before every transaction. 32 bytes.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct TxnHeader {
        /// The session that wished it; of a `createSession` the new one.
        pub session: SessionId,
        /// The xid of the request.
        pub cxid: i32,
        /// Its place in the history.
        pub zxid: Zxid,
        /// When it was decided, in milliseconds since 1970; becomes ctime and mtime.
        pub time: i64,
        /// A [`TxnKind`] as number.
        pub kind: i32,
    }
}

record! {
    /// What the tree's digest is once the transaction is applied. 12 bytes. Source: `txn.TxnDigest`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct TxnDigest {
        /// 2 for the digest of this version of ZooKeeper.
        pub version: i32,
        /// See storage.md §5.
        pub tree_digest: i64,
    }
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $value:literal,)*) => {
        /// What a transaction does.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum TxnKind { $($(#[$meta])* $name,)* }

        impl TxnKind {
            /// The number in headers.
            #[must_use]
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $value,)* }
            }

            /// The kind with this number.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number { $($value => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// Ends a session and removes its ephemerals.
    CloseSession = -11,
    /// Opens a session.
    CreateSession = -10,
    /// A write that failed; it keeps its place in the history.
    Error = -1,
    /// A new znode, answered with its path.
    Create = 1,
    /// A znode removed.
    Delete = 2,
    /// Data set.
    SetData = 5,
    /// An access control list set.
    SetAcl = 7,
    /// A version tested; inside a multi only.
    Check = 13,
    /// Several in one.
    Multi = 14,
    /// A new znode, answered with path and `Stat`.
    Create2 = 15,
    /// The ensemble's configuration set.
    Reconfig = 16,
    /// A new container.
    CreateContainer = 19,
    /// An empty container or expired TTL znode removed by the server.
    DeleteContainer = 20,
    /// A new TTL znode.
    CreateTtl = 21,
}

record! {
    /// A new znode, as ZooKeeper before 3.4 wrote it.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CreateTxnV0<'a> {
        /// The whole path.
        pub path: Text<'a>,
        /// What it holds.
        pub data: Buffer<'a>,
        /// Who may do what with it.
        pub acl: Option<Vec<Acl<'a>>>,
        /// Whether it belongs to the session.
        pub ephemeral: bool,
    }
}

record! {
    /// A new znode.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CreateTxn<'a> {
        /// The whole path.
        pub path: Text<'a>,
        /// What it holds.
        pub data: Buffer<'a>,
        /// Who may do what with it.
        pub acl: Option<Vec<Acl<'a>>>,
        /// Whether it belongs to the session.
        pub ephemeral: bool,
        /// The parent's stored cversion after this; -1 for one more than it is.
        pub parent_cversion: i32,
    }
}

record! {
    /// A new container.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CreateContainerTxn<'a> {
        /// The whole path.
        pub path: Text<'a>,
        /// What it holds.
        pub data: Buffer<'a>,
        /// Who may do what with it.
        pub acl: Option<Vec<Acl<'a>>>,
        /// As in [`CreateTxn`].
        pub parent_cversion: i32,
    }
}

record! {
    /// A new TTL znode.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CreateTtlTxn<'a> {
        /// The whole path.
        pub path: Text<'a>,
        /// What it holds.
        pub data: Buffer<'a>,
        /// Who may do what with it.
        pub acl: Option<Vec<Acl<'a>>>,
        /// As in [`CreateTxn`].
        pub parent_cversion: i32,
        /// In milliseconds.
        pub ttl_ms: i64,
    }
}

record! {
    /// A znode removed.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct DeleteTxn<'a> {
        /// Which.
        pub path: Text<'a>,
    }
}

record! {
    /// Data set.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SetDataTxn<'a> {
        /// Whose.
        pub path: Text<'a>,
        /// What it holds from now on.
        pub data: Buffer<'a>,
        /// The version it has from now on.
        pub version: i32,
    }
}

record! {
    /// A version tested.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CheckVersionTxn<'a> {
        /// Whose.
        pub path: Text<'a>,
        /// One more than it was; nothing reads it.
        pub version: i32,
    }
}

record! {
    /// An access control list set.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SetAclTxn<'a> {
        /// Whose.
        pub path: Text<'a>,
        /// The list from now on.
        pub acl: Option<Vec<Acl<'a>>>,
        /// The aversion from now on.
        pub version: i32,
    }
}

record! {
    /// A session opened.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct CreateSessionTxn {
        /// The timeout agreed on, in milliseconds.
        pub timeout_ms: i32,
    }
}

record! {
    /// A session ended.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CloseSessionTxn<'a> {
        /// Its ephemerals when that was decided.
        pub paths: Option<Vec<Text<'a>>>,
    }
}

record! {
    /// A write that failed.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct ErrorTxn {
        /// A [`Code`] as number.
        pub err: i32,
    }
}

impl ErrorTxn {
    /// The transaction that records `code`.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { err: code.number() }
    }
}

record! {
    /// One transaction inside a multi: a kind, and its body as bytes. Source: `txn.Txn`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SubTxn<'a> {
        /// A [`TxnKind`] as number.
        pub kind: i32,
        /// The body, without header.
        pub data: Buffer<'a>,
    }
}

/// Why the bytes of a transaction cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TxnError {
    /// Header or body are cut short or hold an impossible length.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// No version of ZooKeeper writes such a transaction.
    #[error("unsupported transaction type {0}")]
    Kind(i32),
}

/// The body of a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Txn<'a> {
    /// Opens a session.
    CreateSession(CreateSessionTxn),
    /// Ends one. `None`: written by a server that does not list the ephemerals (before 3.6).
    CloseSession(Option<CloseSessionTxn<'a>>),
    /// Changes nothing.
    Error(ErrorTxn),
    /// A new znode.
    Create(CreateTxn<'a>),
    /// A new znode; applied as [`Txn::Create`].
    Create2(CreateTxn<'a>),
    /// A new container.
    CreateContainer(CreateContainerTxn<'a>),
    /// A new TTL znode.
    CreateTtl(CreateTtlTxn<'a>),
    /// A znode removed.
    Delete(DeleteTxn<'a>),
    /// A znode removed by the server.
    DeleteContainer(DeleteTxn<'a>),
    /// Data set.
    SetData(SetDataTxn<'a>),
    /// The configuration set.
    Reconfig(SetDataTxn<'a>),
    /// An access control list set.
    SetAcl(SetAclTxn<'a>),
    /// A version tested.
    Check(CheckVersionTxn<'a>),
    /// Several in one.
    Multi(Vec<SubTxn<'a>>),
}

impl<'a> Txn<'a> {
    /// Reads the body that belongs to `kind`, as the log and a proposal hold it. Bytes behind it are left alone.
    ///
    /// # Errors
    /// [`TxnError`]; a check outside a multi is one too. Source: `SerializeUtils#deserializeTxn`.
    pub fn decode(kind: i32, reader: &mut Reader<'a>) -> Result<Self, TxnError> {
        if kind == TxnKind::Check.number() {
            return Err(TxnError::Kind(kind));
        }
        Self::decode_any(kind, reader)
    }

    fn decode_any(kind: i32, reader: &mut Reader<'a>) -> Result<Self, TxnError> {
        Ok(match TxnKind::from_number(kind).ok_or(TxnError::Kind(kind))? {
            TxnKind::CreateSession => Self::CreateSession(reader.take()?),
            TxnKind::CloseSession => Self::CloseSession(close_session(reader)?),
            TxnKind::Error => Self::Error(reader.take()?),
            TxnKind::Create => Self::Create(create(reader)?),
            TxnKind::Create2 => Self::Create2(reader.take()?),
            TxnKind::CreateContainer => Self::CreateContainer(reader.take()?),
            TxnKind::CreateTtl => Self::CreateTtl(reader.take()?),
            TxnKind::Delete => Self::Delete(reader.take()?),
            TxnKind::DeleteContainer => Self::DeleteContainer(reader.take()?),
            TxnKind::SetData => Self::SetData(reader.take()?),
            TxnKind::Reconfig => Self::Reconfig(reader.take()?),
            TxnKind::SetAcl => Self::SetAcl(reader.take()?),
            TxnKind::Check => Self::Check(reader.take()?),
            TxnKind::Multi => Self::Multi(reader.take::<Option<Vec<SubTxn<'a>>>>()?.unwrap_or_default()),
        })
    }

    /// Reads a transaction of a multi.
    ///
    /// # Errors
    /// [`TxnError`]; a multi inside a multi is one too, so that nothing recurses.
    pub fn decode_sub(sub: &SubTxn<'a>) -> Result<Self, TxnError> {
        if sub.kind == TxnKind::Multi.number() {
            return Err(TxnError::Kind(sub.kind));
        }
        Self::decode_any(sub.kind, &mut Reader::new(sub.data.unwrap_or_default()))
    }

    /// What it does.
    #[must_use]
    pub fn kind(&self) -> TxnKind {
        match self {
            Self::CreateSession(_) => TxnKind::CreateSession,
            Self::CloseSession(_) => TxnKind::CloseSession,
            Self::Error(_) => TxnKind::Error,
            Self::Create(_) => TxnKind::Create,
            Self::Create2(_) => TxnKind::Create2,
            Self::CreateContainer(_) => TxnKind::CreateContainer,
            Self::CreateTtl(_) => TxnKind::CreateTtl,
            Self::Delete(_) => TxnKind::Delete,
            Self::DeleteContainer(_) => TxnKind::DeleteContainer,
            Self::SetData(_) => TxnKind::SetData,
            Self::Reconfig(_) => TxnKind::Reconfig,
            Self::SetAcl(_) => TxnKind::SetAcl,
            Self::Check(_) => TxnKind::Check,
            Self::Multi(_) => TxnKind::Multi,
        }
    }
}

impl Encode for Txn<'_> {
    /// The body alone; its kind stands in the header.
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::CreateSession(txn) => txn.encode(out),
            Self::CloseSession(Some(txn)) => txn.encode(out),
            Self::CloseSession(None) => {}
            Self::Error(txn) => txn.encode(out),
            Self::Create(txn) | Self::Create2(txn) => txn.encode(out),
            Self::CreateContainer(txn) => txn.encode(out),
            Self::CreateTtl(txn) => txn.encode(out),
            Self::Delete(txn) | Self::DeleteContainer(txn) => txn.encode(out),
            Self::SetData(txn) | Self::Reconfig(txn) => txn.encode(out),
            Self::SetAcl(txn) => txn.encode(out),
            Self::Check(txn) => txn.encode(out),
            Self::Multi(subs) => crate::wire::put_all(subs.iter(), out),
        }
    }
}

/// Before 3.4 the parent's cversion was missing at the end.
fn create<'a>(reader: &mut Reader<'a>) -> Result<CreateTxn<'a>, DecodeError> {
    let mut old = *reader;
    match reader.take() {
        Err(DecodeError::Truncated) => {
            let CreateTxnV0 { path, data, acl, ephemeral } = old.take()?;
            *reader = old;
            Ok(CreateTxn { path, data, acl, ephemeral, parent_cversion: -1 })
        }
        other => other,
    }
}

/// The list of ephemerals is missing where the writer was older than 3.6 or had it switched off. Twelve bytes
/// that start with 2 are then the digest: two paths do not fit in eight bytes and say anything.
fn close_session<'a>(reader: &mut Reader<'a>) -> Result<Option<CloseSessionTxn<'a>>, DecodeError> {
    let rest = reader.rest();
    if rest.is_empty() || (rest.len() == 12 && rest.starts_with(&[0, 0, 0, 2])) {
        return Ok(None);
    }
    reader.take().map(Some)
}

/// One entry of the log: header, body, and what the digest must be afterwards.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry<'a> {
    /// Who, when, where in the history.
    pub header: TxnHeader,
    /// What.
    pub txn: Txn<'a>,
    /// Absent behind the error of a single operation, and where the writer made no digests.
    pub digest: Option<TxnDigest>,
}

impl<'a> Entry<'a> {
    /// Reads the payload of a log entry, which is also that of a PROPOSAL.
    ///
    /// # Errors
    /// [`TxnError`]
    pub fn decode(payload: &'a [u8]) -> Result<Self, TxnError> {
        Self::read(Reader::new(payload))
    }

    /// The same from a reader that was given a bound on lengths.
    ///
    /// # Errors
    /// [`TxnError`]
    pub fn read(mut reader: Reader<'a>) -> Result<Self, TxnError> {
        let header: TxnHeader = reader.take()?;
        let txn = Txn::decode(header.kind, &mut reader)?;
        let digest = match reader.take() {
            Ok(digest) => Some(digest),
            Err(DecodeError::Truncated) => None,
            Err(other) => return Err(other.into()),
        };
        Ok(Self { header, txn, digest })
    }

    /// The zxid of a payload, without reading the rest.
    ///
    /// # Errors
    /// [`TxnError::Malformed`] if it is shorter than a header.
    pub fn zxid(payload: &[u8]) -> Result<Zxid, TxnError> {
        Ok(whole::<TxnHeader>(payload)?.zxid)
    }
}

impl Encode for Entry<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        self.txn.encode(out);
        if let Some(digest) = &self.digest {
            digest.encode(out);
        }
    }
}
