//! Requests become transactions: every check, in the order clients can observe, and the decision in the bytes the
//! log keeps.
//!
//! One caller, in request order. Each request is judged by the tree as it will be once all transactions prepared
//! before are applied: [`Pending`] over [`Tree`]. A request that fails becomes an error transaction and takes its
//! zxid all the same. What is written here can always be applied (R13).
//!
//! Source: `PrepRequestProcessor`; client-protocol.md §5, storage.md §4.

mod change;
mod create;
mod digest;
mod multi;
mod path;
mod pending;
mod quota;
mod session;
#[cfg(test)]
mod tests;
mod view;

use alloc::vec::Vec;

use proto::{
    Code, CreateRequest, CreateSessionTxn, CreateTtlRequest, DecodeError, DeleteRequest, Encode, ErrorTxn,
    Id, MultiItem, OpCode, Reader, ReconfigRequest, SessionId, SetAclRequest, SetDataRequest, TxnDigest,
    TxnHeader, TxnKind, Zxid, decode_multi,
};

use crate::auth::AuthOptions;
use crate::{DIGEST_VERSION, Tree};
pub use pending::Pending;
use view::View;

/// Who asks, as known when the request came in.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The session; [`SessionId::NONE`] is the server itself.
    pub session: SessionId,
    /// The xid of the request.
    pub cxid: i32,
    /// The identities of the connection at the time.
    pub ids: &'a [Id<'static>],
}

/// What an operator can say about writes, besides what the tree itself was made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// `zookeeper.enforceQuota`: hard limits refuse. Off unless said otherwise.
    pub enforce_quota: bool,
    /// `zookeeper.closeSessionTxn.enabled`: the end of a session lists its ephemerals. On unless said otherwise.
    pub close_session_paths: bool,
    /// `reconfigEnabled`. Off unless said otherwise.
    pub reconfig_enabled: bool,
    /// Bytes of a transaction that every member takes, and every server reads back from its log: `jute.maxbuffer` and
    /// its extra size (R13, ZOOKEEPER-3496). No limit unless said otherwise.
    pub txn_bytes_max: usize,
    /// What a session that is not known is told: a leader calls it expired, a single server unknown.
    pub unknown_session: Code,
    /// Identities and access control.
    pub auth: AuthOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enforce_quota: false,
            close_session_paths: true,
            reconfig_enabled: false,
            txn_bytes_max: usize::MAX,
            unknown_session: Code::UnknownSession,
            auth: AuthOptions::default(),
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prepared {
    /// The payload of a log entry was appended, and the zxid is spent.
    Logged {
        /// What the entry is.
        kind: TxnKind,
        /// Why it is an error, if it is. A failed multi is none: its items say what failed.
        error: Option<Code>,
    },
    /// Nothing was appended and nothing is spent: the body cannot be decoded, or this is no write.
    Refused(Code),
}

/// Decides what the request `op` will do, appends the transaction to `out`, and notes in `pending` what it changes.
///
/// * `body`: what follows the request header.
/// * `zxid`: the next one; unused if the answer is [`Prepared::Refused`].
/// * `time_ms`: milliseconds since 1970; becomes ctime and mtime.
///
/// `pending` must have forgotten exactly the transactions that `tree` has applied.
///
/// A `check` is only an item of a multi, `deleteContainer` only the server's own: asked for otherwise, both are
/// refused as [`Code::Unimplemented`].
#[expect(
    clippy::too_many_arguments,
    reason = "a request and all it is judged by; each is given by another owner"
)]
pub fn prepare(
    tree: &Tree,
    pending: &mut Pending,
    options: &Options,
    op: OpCode,
    body: &[u8],
    caller: &Caller<'_>,
    zxid: Zxid,
    time_ms: i64,
    out: &mut Vec<u8>,
) -> Prepared {
    if pending.is_empty() {
        pending.digest = tree.digest().cast_signed();
    }
    if bytes_at_most(op, body, caller.ids) > options.txn_bytes_max {
        return Prepared::Refused(Code::MarshallingError);
    }
    let mut view = View { tree, pending, options, caller, zxid, time_ms };
    let start = out.len();
    let result = view.write(op, body, out);
    match result {
        Ok(Ok(kind)) => {
            if tree.options().digest {
                TxnDigest { version: DIGEST_VERSION, tree_digest: view.pending.digest }.encode(out);
            }
            Prepared::Logged { kind, error: None }
        }
        Ok(Err(code)) => {
            out.truncate(start);
            view.header(TxnKind::Error).encode(out);
            ErrorTxn::new(code).encode(out);
            Prepared::Logged { kind: TxnKind::Error, error: Some(code) }
        }
        Err(code) => {
            out.truncate(start);
            Prepared::Refused(code)
        }
    }
}

/// What a header, a digest, and the longest name of a sequential znode add to a request.
const OVERHEAD_BYTES: usize = 256;
/// How an access control list names whoever asks, which is stored as all his identities.
const AUTH: &[u8] = b"\0\0\0\x04auth";

/// Bytes that the transaction of a request cannot exceed, whatever the tree says. `closeSession` sees to itself.
fn bytes_at_most(op: OpCode, body: &[u8], ids: &[Id<'static>]) -> usize {
    let plain = body.len() + OVERHEAD_BYTES;
    let text = |part: &Option<alloc::borrow::Cow<'_, str>>| part.as_ref().map_or(0, |text| text.len());
    let expands = matches!(
        op,
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::SetAcl
            | OpCode::Multi
    );
    let ids_bytes: usize = ids.iter().map(|id| text(&id.scheme) + text(&id.id) + 12).sum();
    // Hardly anybody has so many identities that it is worth a look at the request.
    if !expands || ids_bytes * (body.len() / AUTH.len()) < 64 * 1024 {
        return plain;
    }
    plain + ids_bytes * body.windows(AUTH.len()).filter(|window| *window == AUTH).count()
}

/// Appends the transaction that records why a request fails, without looking at the request.
pub fn refuse(caller: &Caller<'_>, code: Code, zxid: Zxid, time_ms: i64, out: &mut Vec<u8>) {
    let Caller { session, cxid, .. } = *caller;
    TxnHeader { session, cxid, zxid, time: time_ms, kind: TxnKind::Error.number() }.encode(out);
    ErrorTxn::new(code).encode(out);
}

/// Whether a write can be decoded, which is all that a learner looks at before it hands the write on.
///
/// # Errors
/// What the client is answered.
#[expect(clippy::wildcard_enum_match_arm, reason = "reads are no writes, whatever they are")]
pub fn check_form(op: OpCode, body: &[u8]) -> Result<(), Code> {
    let reader = &mut Reader::new(body);
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
            decoded(reader.take::<CreateRequest<'_>>()).map(drop)
        }
        OpCode::CreateTtl => decoded(reader.take::<CreateTtlRequest<'_>>()).map(drop),
        OpCode::Delete => decoded(reader.take::<DeleteRequest<'_>>()).map(drop),
        OpCode::SetData => decoded(reader.take::<SetDataRequest<'_>>()).map(drop),
        OpCode::SetAcl => decoded(reader.take::<SetAclRequest<'_>>()).map(drop),
        OpCode::Reconfig => decoded(reader.take::<ReconfigRequest<'_>>()).map(drop),
        OpCode::CreateSession => decoded(reader.take::<CreateSessionTxn>()).map(drop),
        OpCode::Multi => decode_multi(body).map(drop).map_err(|_| Code::MarshallingError),
        OpCode::CloseSession | OpCode::Sync => Ok(()),
        _ => Err(Code::Unimplemented),
    }
}

/// `Ok(Err(_))` is an error transaction, `Err(_)` no transaction at all.
type Written = Result<Result<TxnKind, Code>, Code>;

impl View<'_> {
    fn header(&self, kind: TxnKind) -> TxnHeader {
        TxnHeader {
            session: self.caller.session,
            cxid: self.caller.cxid,
            zxid: self.zxid,
            time: self.time_ms,
            kind: kind.number(),
        }
    }

    fn write(&mut self, op: OpCode, body: &[u8], out: &mut Vec<u8>) -> Written {
        let reader = &mut Reader::new(body);
        match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                self.one(reader.take().map(|request| MultiItem::Create { op, request }), out)
            }
            OpCode::CreateTtl => self.one(reader.take().map(MultiItem::CreateTtl), out),
            OpCode::Delete => self.one(reader.take().map(MultiItem::Delete), out),
            OpCode::SetData => self.one(reader.take().map(MultiItem::SetData), out),
            OpCode::SetAcl => {
                let request = decoded(reader.take())?;
                self.header(TxnKind::SetAcl).encode(out);
                Ok(self.set_acl(request, out).map(|()| TxnKind::SetAcl))
            }
            OpCode::DeleteContainer if self.caller.session == SessionId::NONE => {
                let request = decoded(reader.take())?;
                self.header(TxnKind::DeleteContainer).encode(out);
                Ok(self.delete_container(&request, out).map(|()| TxnKind::DeleteContainer))
            }
            OpCode::Multi => {
                let items = match decode_multi(body) {
                    Ok(items) => items,
                    Err(DecodeError::Null { .. }) => return Err(Code::MarshallingError),
                    // Of all requests only this one takes a zxid before it is decoded.
                    Err(_) => return Ok(Err(Code::MarshallingError)),
                };
                self.header(TxnKind::Multi).encode(out);
                Ok(self.multi(items, out).map(|()| TxnKind::Multi))
            }
            OpCode::Reconfig => {
                decoded(reader.take::<ReconfigRequest<'_>>())?;
                Ok(Err(self.refuse_reconfig()))
            }
            OpCode::CreateSession => {
                let txn = decoded(reader.take())?;
                self.header(TxnKind::CreateSession).encode(out);
                self.create_session(txn, out);
                Ok(Ok(TxnKind::CreateSession))
            }
            OpCode::CloseSession => {
                self.header(TxnKind::CloseSession).encode(out);
                self.close_session(out);
                Ok(Ok(TxnKind::CloseSession))
            }
            OpCode::Check
            | OpCode::DeleteContainer
            | OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::Sync
            | OpCode::Ping
            | OpCode::GetChildren2
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::MultiRead
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::Sasl
            | OpCode::GetEphemerals
            | OpCode::GetAllChildrenNumber
            | OpCode::SetWatches2
            | OpCode::AddWatch
            | OpCode::WhoAmI => Err(Code::Unimplemented),
        }
    }

    /// A request that could also be an item of a multi.
    fn one(&mut self, item: Result<MultiItem<'_>, DecodeError>, out: &mut Vec<u8>) -> Written {
        let item = decoded(item)?;
        self.header(kind_of(&item)).encode(out);
        let kind = kind_of(&item);
        Ok(self.item(item, out).map(|()| kind))
    }

    /// Appends the body of the item's transaction.
    fn item(&mut self, item: MultiItem<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
        match item {
            MultiItem::Create { op, request } => self.create(op, request, out),
            MultiItem::CreateTtl(request) => self.create_ttl(request, out),
            MultiItem::Delete(request) => self.delete(&request, out),
            MultiItem::SetData(request) => self.set_data(request, out),
            MultiItem::Check(request) => self.check(request, out),
            MultiItem::GetData(_) | MultiItem::GetChildren(_) => Err(Code::MarshallingError),
        }
    }

    /// A single server has no ensemble to change, and looks no further than row 3 of the table for `reconfig`.
    fn refuse_reconfig(&self) -> Code {
        if !self.options.reconfig_enabled {
            return Code::ReconfigDisabled;
        }
        self.check_session().err().unwrap_or(Code::Unimplemented)
    }
}

fn decoded<T>(request: Result<T, DecodeError>) -> Result<T, Code> {
    request.map_err(|_| Code::MarshallingError)
}

fn kind_of(item: &MultiItem<'_>) -> TxnKind {
    match item {
        MultiItem::Create { op: OpCode::Create2, .. } => TxnKind::Create2,
        MultiItem::Create { op: OpCode::CreateContainer, .. } => TxnKind::CreateContainer,
        MultiItem::Create { .. } => TxnKind::Create,
        MultiItem::CreateTtl(_) => TxnKind::CreateTtl,
        MultiItem::Delete(_) => TxnKind::Delete,
        MultiItem::SetData(_) => TxnKind::SetData,
        MultiItem::Check(_) => TxnKind::Check,
        MultiItem::GetData(_) | MultiItem::GetChildren(_) => TxnKind::Error,
    }
}
