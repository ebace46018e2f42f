//! Events: who is told of a change, in which order, and who may not be. Source: `DataTree`, `WatchManager#triggerWatch`;
//! client-protocol.md §7.3, §7.4.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use proto::wire::put_frame;
use proto::{
    Acl, Encode as _, EventKind, Perms, ReplyHeader, WATCH_STATE_CONNECTED, WatcherEvent, Xid, Zxid,
};
use tree::{NodeId, Observer, Touched, auth};

use super::watch_table::Table;
use super::{Front, index};

/// A client that watches and never reads is cut off when so much waits for it (S6).
const EVENT_BACKLOG_BYTES_MAX: usize = 64 << 20;

impl Observer for Front {
    fn created(&mut self, zxid: Zxid, at: &Touched<'_>) {
        if self.table.is_empty() {
            return;
        }
        self.trigger(Table::Data, EventKind::Created, zxid, at.path, at.node, at.acl);
        self.finish();
        self.parent_changed(zxid, at);
    }

    fn deleted(&mut self, zxid: Zxid, at: &Touched<'_>) {
        if self.table.is_empty() {
            return;
        }
        self.trigger(Table::Data, EventKind::Deleted, zxid, at.path, at.node, at.acl);
        // Whoever watches both data and children of the znode is told once.
        let told = core::mem::take(&mut self.selected);
        self.fired.clear();
        self.trigger_but(Table::Child, EventKind::Deleted, zxid, at.path, at.node, at.acl, &told);
        self.finish();
        self.parent_changed(zxid, at);
    }

    fn data_changed(&mut self, zxid: Zxid, at: &Touched<'_>) {
        if self.table.is_empty() {
            return;
        }
        self.trigger(Table::Data, EventKind::DataChanged, zxid, at.path, at.node, at.acl);
        self.finish();
    }
}

impl Front {
    fn parent_changed(&mut self, zxid: Zxid, at: &Touched<'_>) {
        let Some(parent) = at.parent else { return };
        let path = match at.path.rfind('/') {
            Some(0) | None => "/",
            Some(end) => &at.path[..end],
        };
        self.trigger(Table::Child, EventKind::ChildrenChanged, zxid, path, parent, at.parent_acl);
        self.finish();
    }

    fn trigger(
        &mut self,
        table: Table,
        kind: EventKind,
        zxid: Zxid,
        path: &str,
        node: NodeId,
        acl: &[Acl<'static>],
    ) {
        self.trigger_but(table, kind, zxid, path, node, acl, &[]);
    }

    #[expect(clippy::too_many_arguments, reason = "an event has as many parts")]
    fn trigger_but(
        &mut self,
        table: Table,
        kind: EventKind,
        zxid: Zxid,
        path: &str,
        node: NodeId,
        acl: &[Acl<'static>],
        told: &[u32],
    ) {
        self.selected.clear();
        self.table.trigger(table, path, node, &mut self.selected, &mut self.fired);
        if self.selected.is_empty() {
            return;
        }
        self.event.clear();
        put_event(kind, zxid, path, &mut self.event);
        for at in 0..self.selected.len() {
            let watcher = self.selected[at];
            if told.binary_search(&watcher).is_err() {
                self.tell(watcher, acl);
            }
        }
        self.use_up();
    }

    /// The one-shot watches that fired are gone from their connections' counts.
    fn use_up(&mut self) {
        let fired = core::mem::take(&mut self.fired);
        for &watcher in &fired {
            match self.watchers.get(&watcher) {
                Some(&slot) => self.uncount_watches(slot, 1),
                None => self.table.dead_fired(),
            }
        }
        self.fired = fired;
        self.fired.clear();
    }

    /// Sends the event at hand to one connection, unless it may not read what the event is about.
    fn tell(&mut self, watcher: u32, acl: &[Acl<'static>]) {
        let Some(&slot) = self.watchers.get(&watcher) else { return };
        let conn = &mut self.conns[index(slot)];
        if !auth::permits(&self.auth, acl, Perms::READ, &conn.ids) {
            return;
        }
        if conn.out.len() > EVENT_BACKLOG_BYTES_MAX {
            conn.out = Vec::new();
            return self.close(slot);
        }
        conn.out.extend_from_slice(&self.event);
        conn.stats.sent += 1;
        self.stats.packets_sent += 1;
        self.mark_dirty(slot);
    }

    fn finish(&mut self) {
        self.selected.clear();
    }

    /// A catch-up event of `setWatches`: of no transaction, and for this connection alone.
    pub(super) fn catch_up(&mut self, slot: u32, kind: EventKind, path: &str) {
        let conn = &mut self.conns[index(slot)];
        put_event(kind, Zxid::NONE, path, &mut conn.out);
        conn.stats.sent += 1;
        self.stats.packets_sent += 1;
        self.mark_dirty(slot);
    }
}

fn put_event(kind: EventKind, zxid: Zxid, path: &str, out: &mut Vec<u8>) {
    put_frame(out, |out| {
        ReplyHeader { xid: Xid::NOTIFICATION, zxid, err: 0 }.encode(out);
        let path = Some(Cow::Borrowed(path));
        WatcherEvent { kind: kind.number(), state: WATCH_STATE_CONNECTED, path }.encode(out);
    });
}
