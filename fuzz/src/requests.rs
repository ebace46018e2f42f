//! Requests that mostly make sense: well-formed, on few paths, so that many of them succeed.

use arbitrary::{Result, Unstructured};
use proto::{
    Acl, AddWatchRequest, AuthPacket, CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteRequest,
    Encode, GetEphemeralsRequest, Id, MultiHeader, MultiItem, OpCode, PathRequest, PathWatchRequest,
    RequestHeader, SetAclRequest, SetDataRequest, SetWatches2, Text, WatchesRequest, Xid, Zxid,
};

const PATHS: &[&str] = &[
    "/",
    "/a",
    "/b",
    "/a/a",
    "/a/b",
    "/a/b/c",
    "/c",
    "/a-",
    "/zookeeper",
    "/zookeeper/config",
    "/zookeeper/quota",
    "/zookeeper/quota/a",
    "/zookeeper/quota/a/zookeeper_limits",
    "/a/",
    "a",
    "",
    "/\u{e9}",
    "/a//b",
    "/./a",
    "/a0000000000",
    "/b0000000001",
];
const DATA: &[&[u8]] = &[b"", b"x", b"0123456789", b"count=1,bytes=-1", b"count=-1,bytes=5;byteHardLimit=9"];
const OPS: &[OpCode] = &[
    OpCode::Create,
    OpCode::Create2,
    OpCode::CreateContainer,
    OpCode::CreateTtl,
    OpCode::Delete,
    OpCode::SetData,
    OpCode::SetAcl,
    OpCode::Multi,
    OpCode::MultiRead,
    OpCode::Exists,
    OpCode::GetData,
    OpCode::GetAcl,
    OpCode::GetChildren,
    OpCode::GetChildren2,
    OpCode::GetAllChildrenNumber,
    OpCode::GetEphemerals,
    OpCode::Sync,
    OpCode::Ping,
    OpCode::Check,
    OpCode::AddWatch,
    OpCode::CheckWatches,
    OpCode::RemoveWatches,
    OpCode::SetWatches2,
    OpCode::Auth,
    OpCode::WhoAmI,
    OpCode::CloseSession,
    OpCode::DeleteContainer,
    OpCode::Reconfig,
    OpCode::CreateSession,
];

fn path(u: &mut Unstructured<'_>) -> Result<Text<'static>> {
    Ok(if u.ratio(1, 40)? { None } else { Some((*u.choose(PATHS)?).into()) })
}

fn data(u: &mut Unstructured<'_>) -> Result<Option<&'static [u8]>> {
    Ok(if u.ratio(1, 8)? { None } else { Some(*u.choose(DATA)?) })
}

fn acl(u: &mut Unstructured<'_>) -> Result<Option<Vec<Acl<'static>>>> {
    let lists = [
        Some(vec![Acl::open()]),
        Some(vec![Acl { perms: u.int_in_range(0..=31)?, id: Id::new("auth", "") }]),
        Some(vec![Acl { perms: 31, id: Id::new("ip", "127.0.0.1/8") }, Acl::open()]),
        Some(vec![Acl { perms: 1, id: Id::new("digest", "u:5w9W4eL3797Y4Wq8AcKUPPk8ha4=") }]),
        Some(vec![]),
        None,
    ];
    Ok(lists[u.int_in_range(0..=lists.len() - 1)?].clone())
}

fn version(u: &mut Unstructured<'_>) -> Result<i32> {
    Ok(if u.ratio(2, 3)? { -1 } else { u.int_in_range(-2..=3)? })
}

fn create(u: &mut Unstructured<'_>) -> Result<CreateRequest<'static>> {
    Ok(CreateRequest { path: path(u)?, data: data(u)?, acl: acl(u)?, flags: u.int_in_range(-1..=7)? })
}

fn create_ttl(u: &mut Unstructured<'_>) -> Result<CreateTtlRequest<'static>> {
    let CreateRequest { path, data, acl, flags } = create(u)?;
    Ok(CreateTtlRequest {
        path,
        data,
        acl,
        flags,
        ttl_ms: *u.choose(&[1, 60_000, 0, -1, i64::MAX, 1 << 39])?,
    })
}

fn path_watch(u: &mut Unstructured<'_>) -> Result<PathWatchRequest<'static>> {
    Ok(PathWatchRequest { path: path(u)?, watch: u.arbitrary()? })
}

fn paths(u: &mut Unstructured<'_>) -> Result<Option<Vec<Text<'static>>>> {
    if u.ratio(1, 8)? {
        return Ok(None);
    }
    (0..u.int_in_range(0..=3)?).map(|_| path(u)).collect::<Result<_>>().map(Some)
}

fn item(u: &mut Unstructured<'_>, read: bool) -> Result<MultiItem<'static>> {
    if read {
        let request = path_watch(u)?;
        return Ok(if u.arbitrary()? {
            MultiItem::GetData(request)
        } else {
            MultiItem::GetChildren(request)
        });
    }
    Ok(match u.int_in_range(0..=4)? {
        0 => {
            let op = *u.choose(&[OpCode::Create, OpCode::Create2, OpCode::CreateContainer])?;
            MultiItem::Create { op, request: create(u)? }
        }
        1 => MultiItem::CreateTtl(create_ttl(u)?),
        2 => MultiItem::Delete(DeleteRequest { path: path(u)?, version: version(u)? }),
        3 => MultiItem::SetData(SetDataRequest { path: path(u)?, data: data(u)?, version: version(u)? }),
        _ => MultiItem::Check(CheckVersionRequest { path: path(u)?, version: version(u)? }),
    })
}

fn multi(u: &mut Unstructured<'_>, read: bool, out: &mut Vec<u8>) -> Result<()> {
    for _ in 0..u.int_in_range(0..=5)? {
        let read = if u.ratio(1, 20)? { !read } else { read };
        item(u, read)?.encode(out);
    }
    MultiHeader::END.encode(out);
    Ok(())
}

fn body(op: OpCode, u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => create(u)?.encode(out),
        OpCode::CreateTtl => create_ttl(u)?.encode(out),
        OpCode::Delete => DeleteRequest { path: path(u)?, version: version(u)? }.encode(out),
        OpCode::SetData => {
            SetDataRequest { path: path(u)?, data: data(u)?, version: version(u)? }.encode(out);
        }
        OpCode::SetAcl => SetAclRequest { path: path(u)?, acl: acl(u)?, version: version(u)? }.encode(out),
        OpCode::Check => CheckVersionRequest { path: path(u)?, version: version(u)? }.encode(out),
        OpCode::Multi => multi(u, false, out)?,
        OpCode::MultiRead => multi(u, true, out)?,
        OpCode::Exists | OpCode::GetData | OpCode::GetChildren | OpCode::GetChildren2 => {
            path_watch(u)?.encode(out);
        }
        OpCode::GetAcl | OpCode::GetAllChildrenNumber | OpCode::Sync => {
            PathRequest { path: path(u)? }.encode(out);
        }
        OpCode::GetEphemerals => GetEphemeralsRequest { prefix: path(u)? }.encode(out),
        OpCode::AddWatch => {
            AddWatchRequest { path: path(u)?, mode: u.int_in_range(-1..=2)? }.encode(out);
        }
        OpCode::CheckWatches | OpCode::RemoveWatches => {
            WatchesRequest { path: path(u)?, kind: u.int_in_range(0..=6)? }.encode(out);
        }
        OpCode::SetWatches | OpCode::SetWatches2 => SetWatches2 {
            relative_zxid: Zxid(u.int_in_range(-1..=9)?),
            data: paths(u)?,
            exist: paths(u)?,
            child: paths(u)?,
            persistent: paths(u)?,
            persistent_recursive: paths(u)?,
        }
        .encode(out),
        OpCode::Auth => {
            let scheme = *u.choose(&["digest", "ip", "world", "x509", "super", "ensemble"])?;
            AuthPacket { kind: 0, scheme: Some(scheme.into()), auth: Some(b"u:x") }.encode(out);
        }
        OpCode::Ping
        | OpCode::WhoAmI
        | OpCode::CloseSession
        | OpCode::DeleteContainer
        | OpCode::Reconfig
        | OpCode::CreateSession
        | OpCode::Sasl => out.extend_from_slice(u.bytes(u.len().min(16))?),
    }
    Ok(())
}

/// A frame with a request, without its length.
pub(crate) fn request(xid: i32, entropy: &[u8]) -> Vec<u8> {
    let mut u = Unstructured::new(entropy);
    let mut out = Vec::new();
    // `Unstructured` fails only where it is empty, and what stands in `out` then is a request cut short.
    let _ = (|| {
        let op = *u.choose(OPS)?;
        let xid = if u.ratio(1, 20)? { u.arbitrary()? } else { xid };
        RequestHeader { xid: Xid(xid), kind: op.number() }.encode(&mut out);
        body(op, &mut u, &mut out)
    })();
    out
}
