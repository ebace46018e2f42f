//! Reads: answered from the tree as it is, without anybody else.
//!
//! The order of checks is that of client-protocol.md §2.6. Source: `FinalRequestProcessor`.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use proto::wire::{length_of, put_bytes};
use proto::{
    Code, DataReply, DecodeError, Encode as _, GetEphemeralsRequest, Id, MultiHeader, MultiItem, OpCode,
    PathRequest, PathWatchRequest, Perms, Reader, StatReply, SyncReply, TotalReply, WhoAmIReply,
    decode_multi_read,
};
use tree::auth::{self, AuthOptions};
use tree::{Node, NodeId, Tree};

use super::watch_table::Table;
use super::{Ask, Front, index};
use crate::core::{Core, top_namespace};

/// No reply is longer; it would be the names of tens of millions of children.
const REPLY_BYTES_MAX: usize = 512 << 20;

/// A request of 1 MiB may ask for the same large znode 50,000 times. Java runs out of memory; here the connection
/// closes.
const MULTI_READ_BYTES_MAX: usize = 32 << 20;

/// What stands before the names in a list of them.
const COUNT_BYTES: usize = 4;

/// How a read ends: with an error, or with a body appended to the reply.
type Read = Result<(), Code>;

/// What cannot be decoded, and what Java stumbles over, such as a null path.
fn decoded<T>(result: Result<T, DecodeError>) -> Result<T, Code> {
    result.map_err(|_| Code::MarshallingError)
}

impl Front {
    /// Answers a read, or a request about watches.
    pub(super) fn on_read(&mut self, core: &mut Core, ask: Ask, body: &[u8], ids: &[Id<'static>]) {
        self.reads += u64::from(ask.op != OpCode::Ping);
        if matches!(ask.op, OpCode::SetWatches | OpCode::SetWatches2) {
            // What the client missed stands before the reply.
            let code = self.set_watches(core.tree(), ask, body).err().unwrap_or(Code::Ok);
            let answer = ask.answer(core, code);
            return self.respond(ask.slot, answer, &mut core.metrics, ask.now, |_| {});
        }
        let (mut out, start) = self.open_reply(ask.slot);
        let head_end = out.len();
        let result = self.answer_read(core, ask, body, ids, &mut out);
        let limit = if ask.op == OpCode::MultiRead { MULTI_READ_BYTES_MAX } else { REPLY_BYTES_MAX };
        if out.len() - start > limit {
            core.metrics.large_requests_rejected.inc();
            return self.close(ask.slot);
        }
        let code = result.err().unwrap_or(Code::Ok);
        // A multiRead that holds writes is the one error with a body.
        if code != Code::Ok && ask.op != OpCode::MultiRead {
            out.truncate(head_end);
        }
        let answer = ask.answer(core, code);
        self.seal_reply(ask.slot, out, start, answer, &mut core.metrics, ask.now);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "writes and proofs went other ways")]
    fn answer_read(
        &mut self,
        core: &mut Core,
        ask: Ask,
        body: &[u8],
        ids: &[Id<'static>],
        out: &mut Vec<u8>,
    ) -> Read {
        match ask.op {
            OpCode::Exists => self.exists(core, ask, body, ids, out),
            OpCode::GetData => self.get_data(core, ask, body, ids, out),
            OpCode::GetChildren | OpCode::GetChildren2 => self.get_children(core, ask, body, ids, out),
            OpCode::GetAcl => self.get_acl(core.tree(), body, ids, out),
            OpCode::GetAllChildrenNumber => self.total(core.tree(), body, ids, out),
            OpCode::GetEphemerals => self.ephemerals(core.tree(), ask.slot, body, out),
            OpCode::WhoAmI => who_am_i(&self.auth, ids, out),
            OpCode::MultiRead => self.multi_read(core.tree(), body, ids, out),
            OpCode::Sync => sync(body, out),
            OpCode::AddWatch => self.add_watch(ask, body, out),
            OpCode::CheckWatches | OpCode::RemoveWatches => self.check_or_remove(core.tree(), ask, body),
            _ => Ok(()),
        }
    }

    fn permits(&self, ids: &[Id<'static>], node: &Node<'_>, perms: Perms) -> Read {
        if auth::permits(&self.auth, node.acl(), perms, ids) { Ok(()) } else { Err(Code::NoAuth) }
    }

    fn find<'t>(tree: &'t Tree, path: &str) -> Result<(NodeId, Node<'t>), Code> {
        let id = tree.find(path).ok_or(Code::NoNode)?;
        Ok((id, tree.node(id)))
    }

    fn exists(
        &mut self,
        core: &mut Core,
        ask: Ask,
        body: &[u8],
        ids: &[Id<'static>],
        out: &mut Vec<u8>,
    ) -> Read {
        let request: PathWatchRequest<'_> = decoded(Reader::new(body).take())?;
        let path = request.path.ok_or(Code::MarshallingError)?;
        if path.contains('\0') {
            return Err(Code::BadArguments);
        }
        let found = core.tree().find(&path);
        if let Some(id) = found {
            self.permits(ids, &core.tree().node(id), Perms::READ)?;
        }
        if request.watch {
            self.watch(ask.slot, Table::Data, &path, found);
        }
        let stat = core.tree().node(found.ok_or(Code::NoNode)?).stat();
        StatReply { stat }.encode(out);
        Ok(())
    }

    fn get_data(
        &mut self,
        core: &mut Core,
        ask: Ask,
        body: &[u8],
        ids: &[Id<'static>],
        out: &mut Vec<u8>,
    ) -> Read {
        let request: PathWatchRequest<'_> = decoded(Reader::new(body).take())?;
        let path = request.path.ok_or(Code::MarshallingError)?;
        let (id, node) = Self::find(core.tree(), &path)?;
        self.permits(ids, &node, Perms::READ)?;
        DataReply { data: node.data(), stat: node.stat() }.encode(out);
        if request.watch {
            self.watch(ask.slot, Table::Data, &path, Some(id));
        }
        let read_bytes = path.len() + node.data().map_or(0, <[u8]>::len);
        count_namespace(core, &path, read_bytes);
        Ok(())
    }

    fn get_children(
        &mut self,
        core: &mut Core,
        ask: Ask,
        body: &[u8],
        ids: &[Id<'static>],
        out: &mut Vec<u8>,
    ) -> Read {
        let request: PathWatchRequest<'_> = decoded(Reader::new(body).take())?;
        let path = request.path.ok_or(Code::MarshallingError)?;
        let (id, node) = Self::find(core.tree(), &path)?;
        self.permits(ids, &node, Perms::READ)?;
        let bytes = self.listings.append(&node, out, put_children);
        if ask.op == OpCode::GetChildren2 {
            node.stat().encode(out);
        }
        if request.watch {
            self.watch(ask.slot, Table::Child, &path, Some(id));
        }
        count_namespace(core, &path, path.len() + bytes - COUNT_BYTES);
        Ok(())
    }

    fn get_acl(&self, tree: &Tree, body: &[u8], ids: &[Id<'static>], out: &mut Vec<u8>) -> Read {
        let request: PathRequest<'_> = decoded(Reader::new(body).take())?;
        let (_, node) = Self::find(tree, &request.path.ok_or(Code::MarshallingError)?)?;
        self.permits(ids, &node, Perms(Perms::READ.0 | Perms::ADMIN.0))?;
        if self.permits(ids, &node, Perms::ADMIN).is_ok() {
            proto::wire::put_all(node.acl().iter(), out);
        } else {
            proto::wire::put_all(auth::masked(node.acl()).iter(), out);
        }
        node.stat().encode(out);
        Ok(())
    }

    fn total(&self, tree: &Tree, body: &[u8], ids: &[Id<'static>], out: &mut Vec<u8>) -> Read {
        let request: PathRequest<'_> = decoded(Reader::new(body).take())?;
        let path = request.path.ok_or(Code::MarshallingError)?;
        let (id, node) = Self::find(tree, &path)?;
        self.permits(ids, &node, Perms::READ)?;
        // Java counts paths that begin with this one. The root has two, and the empty one begins the other.
        let total = tree.descendants(id) + u64::from(path.is_empty());
        TotalReply { total: i32::try_from(total).unwrap_or(i32::MAX) }.encode(out);
        Ok(())
    }

    fn ephemerals(&self, tree: &Tree, slot: u32, body: &[u8], out: &mut Vec<u8>) -> Read {
        let request: GetEphemeralsRequest<'_> = decoded(Reader::new(body).take())?;
        let prefix = request.prefix.unwrap_or_default();
        // As Java trims: everything up to the blank, and no other white space.
        let trimmed = prefix.trim_matches(|c| c <= ' ');
        let all = trimmed.is_empty() || trimmed == "/";
        let start = out.len();
        let mut count = 0_usize;
        length_of(count).encode(out);
        let mut path = String::new();
        for id in tree.ephemerals(self.conns[index(slot)].session) {
            path.clear();
            tree.node(id).write_path(&mut path);
            if all || path.starts_with(&*prefix) {
                put_bytes(path.as_bytes(), out);
                count += 1;
            }
        }
        out[start..start + 4].copy_from_slice(&length_of(count).to_be_bytes());
        Ok(())
    }

    fn multi_read(&self, tree: &Tree, body: &[u8], ids: &[Id<'static>], out: &mut Vec<u8>) -> Read {
        let Some(items) = decoded(decode_multi_read(body))? else {
            MultiHeader::END.encode(out);
            return Err(Code::MarshallingError);
        };
        let first = out.len();
        for item in &items {
            let start = out.len();
            if start - first > MULTI_READ_BYTES_MAX {
                break;
            }
            if let Err(code) = self.multi_read_item(tree, item, ids, out) {
                out.truncate(start);
                // Java stumbles here, and what it has done so far goes out.
                if code == Code::MarshallingError {
                    MultiHeader::END.encode(out);
                    return Err(code);
                }
                MultiHeader { kind: -1, done: false, err: code.number() }.encode(out);
                code.encode(out);
            }
        }
        MultiHeader::END.encode(out);
        Ok(())
    }

    fn multi_read_item(
        &self,
        tree: &Tree,
        item: &MultiItem<'_>,
        ids: &[Id<'static>],
        out: &mut Vec<u8>,
    ) -> Read {
        let (op, request) = match item {
            MultiItem::GetData(request) => (OpCode::GetData, request),
            MultiItem::GetChildren(request) => (OpCode::GetChildren, request),
            MultiItem::Create { .. }
            | MultiItem::CreateTtl(_)
            | MultiItem::Delete(_)
            | MultiItem::SetData(_)
            | MultiItem::Check(_) => return Err(Code::MarshallingError),
        };
        let path = request.path.as_deref().ok_or(Code::MarshallingError)?;
        let (_, node) = Self::find(tree, path)?;
        self.permits(ids, &node, Perms::READ)?;
        MultiHeader { kind: op.number(), done: false, err: 0 }.encode(out);
        if op == OpCode::GetData {
            DataReply { data: node.data(), stat: node.stat() }.encode(out);
        } else {
            put_children(&node, out);
        }
        Ok(())
    }
}

/// Appends a vector of names.
fn put_children(node: &Node<'_>, out: &mut Vec<u8>) {
    i32::try_from(node.child_count()).expect("fewer than 2^31 children").encode(out);
    let start = out.len();
    node.each_child_name(|name| {
        put_bytes(name, out);
        // Nobody will see more of it: the reply is too long.
        if out.len() - start > REPLY_BYTES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
}

fn sync(body: &[u8], out: &mut Vec<u8>) -> Read {
    let request: PathRequest<'_> = decoded(Reader::new(body).take())?;
    SyncReply { path: request.path }.encode(out);
    Ok(())
}

fn who_am_i(options: &AuthOptions, ids: &[Id<'static>], out: &mut Vec<u8>) -> Read {
    WhoAmIReply { clients: Some(auth::client_infos(options, ids)) }.encode(out);
    Ok(())
}

/// Source: `DataTree#updateReadStat`.
fn count_namespace(core: &mut Core, path: &str, bytes: usize) {
    if let Some(namespace) = top_namespace(path) {
        core.metrics.read_per_namespace.at(namespace).add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
