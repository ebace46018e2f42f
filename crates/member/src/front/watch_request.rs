//! Requests about watches. None of them looks at permissions. Source: client-protocol.md §7.2, §7.5, §7.6.

use alloc::vec::Vec;

use mutants::mutant;
use proto::{
    AddWatchReply, AddWatchRequest, Code, Encode as _, EventKind, OpCode, Reader, SetWatches, SetWatches2,
    Text, WatchesRequest,
};
use tree::{NodeId, Tree};

use super::watch_table::{Mode, Table};
use super::{Ask, Front, index};

type Done = Result<(), Code>;

/// `WatcherType` on the wire.
const KIND_CHILDREN: i32 = 1;
const KIND_DATA: i32 = 2;
const KIND_ANY: i32 = 3;
const KIND_PERSISTENT: i32 = 4;
const KIND_PERSISTENT_RECURSIVE: i32 = 5;

impl Front {
    /// Leaves a one-shot watch.
    pub(super) fn watch(&mut self, slot: u32, table: Table, path: &str, node: Option<NodeId>) {
        let watcher = self.conns[index(slot)].watcher();
        let new = self.table.add_standard(table, path, node, watcher);
        self.count_watches(slot, new);
    }

    fn count_watches(&mut self, slot: u32, new: u32) {
        let conn = &mut self.conns[index(slot)];
        if new > 0 && conn.watches == 0 {
            self.watchers.insert(conn.watcher(), slot);
        }
        conn.watches += new;
    }

    /// The counterpart: a connection is in `watchers` as long as it watches anything.
    pub(super) fn uncount_watches(&mut self, slot: u32, gone: u32) {
        let conn = &mut self.conns[index(slot)];
        conn.watches -= gone;
        if gone > 0 && conn.watches == 0 {
            self.watchers.remove(&conn.watcher());
        }
    }

    pub(super) fn add_watch(&mut self, ask: Ask, body: &[u8], out: &mut Vec<u8>) -> Done {
        let request: AddWatchRequest<'_> = Reader::new(body).take().map_err(|_| Code::MarshallingError)?;
        let mode = match request.mode {
            0 => Mode::Persistent,
            1 => Mode::PersistentRecursive,
            _ => return Err(Code::MarshallingError),
        };
        self.persist(ask.slot, mode, request.path.as_deref());
        AddWatchReply { err: 0 }.encode(out);
        Ok(())
    }

    /// Nobody looks at the path: what is no path, null included, is watched in vain.
    fn persist(&mut self, slot: u32, mode: Mode, path: Option<&str>) {
        let watcher = self.conns[index(slot)].watcher();
        let new = self.table.add_persistent(mode, path, watcher);
        self.count_watches(slot, new);
    }

    pub(super) fn check_or_remove(&mut self, tree: &Tree, ask: Ask, body: &[u8]) -> Done {
        let request: WatchesRequest<'_> = Reader::new(body).take().map_err(|_| Code::MarshallingError)?;
        let modes: &[(Table, Mode)] = match request.kind {
            KIND_CHILDREN => &[(Table::Child, Mode::Standard)],
            KIND_DATA => &[(Table::Data, Mode::Standard)],
            KIND_PERSISTENT => &[(Table::Data, Mode::Persistent)],
            KIND_PERSISTENT_RECURSIVE => &[(Table::Data, Mode::PersistentRecursive)],
            KIND_ANY => &[
                (Table::Child, Mode::Standard),
                (Table::Data, Mode::Standard),
                (Table::Data, Mode::Persistent),
                (Table::Data, Mode::PersistentRecursive),
            ],
            _ => return Err(Code::MarshallingError),
        };
        let path = request.path.as_deref();
        let node = path.and_then(|path| tree.find(path));
        let watcher = self.conns[index(ask.slot)].watcher();
        let mut found = false;
        for &(table, mode) in modes {
            if ask.op == OpCode::CheckWatches {
                found |= self.table.contains(table, mode, path, node, watcher);
            } else {
                let removed = self.table.remove(table, mode, path, node, watcher);
                self.uncount_watches(ask.slot, removed);
                found |= removed > 0;
            }
        }
        if found { Ok(()) } else { Err(Code::NoWatcher) }
    }

    /// A client that was elsewhere tells what it watches and how far it has seen; what it missed is told at once.
    pub(super) fn set_watches(&mut self, tree: &Tree, ask: Ask, body: &[u8]) -> Done {
        let mut reader = Reader::new(body);
        let request = if ask.op == OpCode::SetWatches2 {
            reader.take::<SetWatches2<'_>>()
        } else {
            reader.take::<SetWatches<'_>>().map(|SetWatches { relative_zxid, data, exist, child }| {
                SetWatches2 {
                    relative_zxid,
                    data,
                    exist,
                    child,
                    persistent: Some(Vec::new()),
                    persistent_recursive: Some(Vec::new()),
                }
            })
        }
        .map_err(|_| Code::MarshallingError)?;
        let slot = ask.slot;
        let seen = request.relative_zxid;
        for path in paths(request.data.as_ref())? {
            let path = path?;
            match tree.find(path) {
                None => self.catch_up(slot, EventKind::Deleted, path),
                Some(id) if tree.node(id).persisted().mzxid > seen && !mutant!(ChangeMissed) => {
                    self.catch_up(slot, EventKind::DataChanged, path);
                }
                node => self.watch(slot, Table::Data, path, node),
            }
        }
        for path in paths(request.exist.as_ref())? {
            let path = path?;
            match tree.find(path) {
                Some(_) => self.catch_up(slot, EventKind::Created, path),
                None => self.watch(slot, Table::Data, path, None),
            }
        }
        for path in paths(request.child.as_ref())? {
            let path = path?;
            match tree.find(path) {
                None => self.catch_up(slot, EventKind::Deleted, path),
                Some(id) if tree.node(id).persisted().pzxid > seen => {
                    self.catch_up(slot, EventKind::ChildrenChanged, path);
                }
                node => self.watch(slot, Table::Child, path, node),
            }
        }
        for path in list(request.persistent.as_ref())? {
            self.persist(slot, Mode::Persistent, path.as_deref());
        }
        for path in list(request.persistent_recursive.as_ref())? {
            self.persist(slot, Mode::PersistentRecursive, path.as_deref());
        }
        Ok(())
    }
}

/// A null list is what Java stumbles over when it comes to it; what stands in the lists before is done.
fn list<'l, 'b>(list: Option<&'l Vec<Text<'b>>>) -> Result<&'l [Text<'b>], Code> {
    list.map(Vec::as_slice).ok_or(Code::MarshallingError)
}

/// The same for paths that are looked up in the tree: a null one is stumbled over, too.
fn paths<'l>(all: Option<&'l Vec<Text<'_>>>) -> Result<impl Iterator<Item = Result<&'l str, Code>>, Code> {
    Ok(list(all)?.iter().map(|path| path.as_deref().ok_or(Code::MarshallingError)))
}
