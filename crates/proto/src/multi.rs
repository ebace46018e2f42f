//! Several operations in one request. Source: `MultiOperationRecord`, `MultiResponse`; client-protocol.md §5.9.

use alloc::vec::Vec;

use crate::record::record;
use crate::{
    CheckVersionRequest, Code, CreateRequest, CreateTtlRequest, Decode, DecodeError, DeleteRequest, Encode,
    OpCode, PathWatchRequest, Reader, SetDataRequest, Stat,
};

record! {
    /// Before each item of a multi and of its response, and once more, with `done`, behind the last. 9 bytes.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct MultiHeader {
        /// An opcode, or -1.
        pub kind: i32,
        /// Whether this is the end.
        pub done: bool,
        /// In a response the item's code; in a request -1.
        pub err: i32,
    }
}

impl MultiHeader {
    /// What stands behind the last item.
    pub const END: Self = Self { kind: -1, done: true, err: -1 };
}

/// One operation of a multi or multiRead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MultiItem<'a> {
    /// `create`, `create2` or `createContainer`, as `op` says.
    Create {
        /// Which of the three.
        op: OpCode,
        /// Its body.
        request: CreateRequest<'a>,
    },
    /// `createTTL`.
    CreateTtl(CreateTtlRequest<'a>),
    /// `delete`.
    Delete(DeleteRequest<'a>),
    /// `setData`.
    SetData(SetDataRequest<'a>),
    /// `check`.
    Check(CheckVersionRequest<'a>),
    /// `getData`; in a multiRead only.
    GetData(PathWatchRequest<'a>),
    /// `getChildren`; in a multiRead only.
    GetChildren(PathWatchRequest<'a>),
}

impl MultiItem<'_> {
    /// Whether it belongs in a multiRead rather than in a multi.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::GetData(_) | Self::GetChildren(_))
    }
}

impl Encode for MultiItem<'_> {
    /// The item with its header; behind the last one [`MultiHeader::END`] must follow.
    fn encode(&self, out: &mut Vec<u8>) {
        let header = |op: OpCode| MultiHeader { kind: op.number(), done: false, err: -1 };
        match self {
            Self::Create { op, request } => {
                header(*op).encode(out);
                request.encode(out);
            }
            Self::CreateTtl(request) => {
                header(OpCode::CreateTtl).encode(out);
                request.encode(out);
            }
            Self::Delete(request) => {
                header(OpCode::Delete).encode(out);
                request.encode(out);
            }
            Self::SetData(request) => {
                header(OpCode::SetData).encode(out);
                request.encode(out);
            }
            Self::Check(request) => {
                header(OpCode::Check).encode(out);
                request.encode(out);
            }
            Self::GetData(request) => {
                header(OpCode::GetData).encode(out);
                request.encode(out);
            }
            Self::GetChildren(request) => {
                header(OpCode::GetChildren).encode(out);
                request.encode(out);
            }
        }
    }
}

const CONTAINER: i32 = 4;
const TTL_MODES: core::ops::RangeInclusive<i32> = 5..=6;

/// Java turns items around while it decodes them: flags 4 makes any create a container, and a TTL item without
/// a TTL mode is a plain create. Source: `Op.Create`, `Op.CreateTTL`, `CreateOptions`.
fn create_item<'a>(op: OpCode, request: CreateRequest<'a>) -> Result<MultiItem<'a>, DecodeError> {
    match request.flags {
        0..=6 if request.acl.is_none() => Err(DecodeError::Null { what: "access control list" }),
        CONTAINER => Ok(MultiItem::Create { op: OpCode::CreateContainer, request }),
        0..=3 => Ok(MultiItem::Create { op, request }),
        // The modes with a TTL are among these: there is none in this item.
        flags => Err(DecodeError::Unknown { what: "create mode", value: flags.into() }),
    }
}

/// Flags and list are looked at when the item is prepared: a TTL item has no decoder of its own to complain.
fn ttl_item<'a>(request: CreateTtlRequest<'a>) -> MultiItem<'a> {
    if TTL_MODES.contains(&request.flags) {
        return MultiItem::CreateTtl(request);
    }
    let CreateTtlRequest { path, data, acl, flags, ttl_ms: _ } = request;
    let op = if flags == CONTAINER { OpCode::CreateContainer } else { OpCode::Create };
    MultiItem::Create { op, request: CreateRequest { path, data, acl, flags } }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the items of a multi are these and no others")]
fn item<'a>(kind: i32, reader: &mut Reader<'a>) -> Result<MultiItem<'a>, DecodeError> {
    let unknown = DecodeError::Unknown { what: "multi item", value: kind.into() };
    let op = OpCode::from_number(kind).ok_or(unknown)?;
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => create_item(op, reader.take()?),
        OpCode::CreateTtl => reader.take().map(ttl_item),
        OpCode::Delete => reader.take().map(MultiItem::Delete),
        OpCode::SetData => reader.take().map(MultiItem::SetData),
        OpCode::Check => reader.take().map(MultiItem::Check),
        OpCode::GetData => reader.take().map(MultiItem::GetData),
        OpCode::GetChildren => reader.take().map(MultiItem::GetChildren),
        _ => Err(unknown),
    }
}

fn items<'a>(body: &'a [u8]) -> Result<Vec<MultiItem<'a>>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut all: Vec<MultiItem<'a>> = Vec::new();
    loop {
        let header: MultiHeader = reader.take()?;
        if header.done {
            return Ok(all);
        }
        let next = item(header.kind, &mut reader)?;
        if all.first().is_some_and(|first| first.is_read() != next.is_read()) {
            return Err(DecodeError::Unknown {
                what: "multi item beside the others",
                value: header.kind.into(),
            });
        }
        all.push(next);
    }
}

/// The items of a multi, which may be none.
///
/// # Errors
/// [`DecodeError`] for anything a Java server answers with `MarshallingError`, reads among the items included; for
/// [`DecodeError::Null`] it does so before it takes a zxid.
pub fn decode_multi(body: &[u8]) -> Result<Vec<MultiItem<'_>>, DecodeError> {
    let all = items(body)?;
    match all.first() {
        Some(first) if first.is_read() => {
            Err(DecodeError::Unknown { what: "write in a multi", value: OpCode::GetData.number().into() })
        }
        _ => Ok(all),
    }
}

/// The items of a multiRead, which may be none; or `Ok(None)` if they are writes, which is answered differently
/// from bytes that cannot be decoded.
///
/// # Errors
/// [`DecodeError`] when the bytes are no list of items.
pub fn decode_multi_read(body: &[u8]) -> Result<Option<Vec<MultiItem<'_>>>, DecodeError> {
    let all = items(body)?;
    Ok(if all.first().is_some_and(|first| !first.is_read()) { None } else { Some(all) })
}

/// The result of one item of a multi.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MultiResult<'a> {
    /// `create`.
    Created {
        /// The whole path.
        path: &'a str,
    },
    /// `create2`, `createContainer`, `createTTL`.
    Created2 {
        /// The whole path.
        path: &'a str,
        /// Of the new znode.
        stat: Stat,
    },
    /// `delete`.
    Deleted,
    /// `setData`.
    DataSet(Stat),
    /// `check`.
    Checked,
    /// The item failed, or stands beside one that did.
    Failed(Code),
}

impl Encode for MultiResult<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let header = |op: OpCode| MultiHeader { kind: op.number(), done: false, err: 0 };
        match self {
            Self::Created { path } => {
                header(OpCode::Create).encode(out);
                crate::wire::put_bytes(path.as_bytes(), out);
            }
            Self::Created2 { path, stat } => {
                header(OpCode::Create2).encode(out);
                crate::wire::put_bytes(path.as_bytes(), out);
                stat.encode(out);
            }
            Self::Deleted => header(OpCode::Delete).encode(out),
            Self::DataSet(stat) => {
                header(OpCode::SetData).encode(out);
                stat.encode(out);
            }
            Self::Checked => header(OpCode::Check).encode(out),
            Self::Failed(code) => {
                MultiHeader { kind: -1, done: false, err: code.number() }.encode(out);
                code.encode(out);
            }
        }
    }
}

/// The results in the reply to a multi, as a client reads them.
///
/// # Errors
/// [`DecodeError`] when the bytes are no list of results, or a path is null or not UTF-8.
///
/// Source: `MultiResponse#deserialize`.
pub fn decode_multi_results(body: &[u8]) -> Result<Vec<MultiResult<'_>>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut all = Vec::new();
    loop {
        let header: MultiHeader = reader.take()?;
        if header.done {
            return Ok(all);
        }
        all.push(result(header.kind, &mut reader)?);
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the results of a multi are these and no others")]
fn result<'a>(kind: i32, reader: &mut Reader<'a>) -> Result<MultiResult<'a>, DecodeError> {
    if kind == -1 {
        return reader.take().map(MultiResult::Failed);
    }
    let unknown = DecodeError::Unknown { what: "multi result", value: kind.into() };
    match OpCode::from_number(kind).ok_or(unknown)? {
        OpCode::Create => Ok(MultiResult::Created { path: path(reader)? }),
        OpCode::Create2 => Ok(MultiResult::Created2 { path: path(reader)?, stat: reader.take()? }),
        OpCode::Delete => Ok(MultiResult::Deleted),
        OpCode::SetData => reader.take().map(MultiResult::DataSet),
        OpCode::Check => Ok(MultiResult::Checked),
        _ => Err(unknown),
    }
}

fn path<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let bytes = reader.take::<crate::Buffer<'a>>()?.ok_or(DecodeError::Length(-1))?;
    core::str::from_utf8(bytes).map_err(|_| DecodeError::Unknown { what: "path", value: -1 })
}

/// A decoder that takes a whole record off bytes that hold nothing else; bytes behind it are ignored, as Java does.
pub(crate) fn whole<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    Reader::new(bytes).take()
}
