//! The words of ZooKeeper: ids, records, requests, replies, transactions, and their bytes.
//!
//! Everything that crosses a socket or lies in a file is defined here once, and the definition writes both
//! directions. Decoders are total: any bytes give a value or a [`DecodeError`], never a panic, and never more
//! memory than a small multiple of the bytes given.
//!
//! Nothing here knows a clock, a socket, a file or a thread.
#![no_std]
extern crate alloc;

mod acl;
mod code;
mod handshake;
mod id;
mod multi;
mod opcode;
pub mod quorum;
mod record;
mod reply;
mod request;
mod stat;
mod txn;
mod watch;
pub mod wire;

pub use acl::{Acl, AclList, Id, Perms};
pub use code::Code;
pub use handshake::{ConnectRequest, ConnectResponse, PASSWORD_LEN, session_password};
pub use id::{Epoch, SessionId, Sid, Xid, Zxid};
pub use multi::{MultiHeader, MultiItem, MultiResult, decode_multi, decode_multi_read, decode_multi_results};
pub use opcode::OpCode;
pub use reply::{
    AclReply, AddWatchReply, Children2Reply, ChildrenReply, ClientInfo, Create2Reply, CreateReply, DataReply,
    EphemeralsReply, ReplyHeader, SaslReply, StatReply, SyncReply, TotalReply, WhoAmIReply,
};
pub use request::{
    AddWatchRequest, AuthPacket, CheckVersionRequest, CreateRequest, CreateTtlRequest,
    DeleteContainerRequest, DeleteRequest, GetEphemeralsRequest, PathRequest, PathWatchRequest,
    ReconfigRequest, RequestHeader, SaslRequest, SetAclRequest, SetDataRequest, SetWatches, SetWatches2,
    WatchesRequest,
};
pub use stat::{Stat, StatPersisted};
pub use txn::{
    CheckVersionTxn, CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn, CreateTxn,
    CreateTxnV0, DeleteTxn, Entry, ErrorTxn, SetAclTxn, SetDataTxn, SubTxn, Txn, TxnDigest, TxnError,
    TxnHeader, TxnKind,
};
pub use watch::{EventKind, WATCH_STATE_CONNECTED, WatcherEvent};
pub use wire::{Buffer, Decode, DecodeError, Encode, Reader, Text};
