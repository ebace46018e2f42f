//! What a front can be asked about itself.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::net::SocketAddr;

use proto::SessionId;
use tree::Tree;

use super::conn::{Conn, ConnStats, Phase};
use super::watch_table::Watcher;
use super::{Front, index};

/// One connection, as `cons` and `stat` show it.
#[derive(Clone, Debug)]
pub struct ConnView<'a> {
    /// The client's address.
    pub peer: SocketAddr,
    /// [`SessionId::NONE`] before it has one.
    pub session: SessionId,
    /// The timeout agreed on, in milliseconds.
    pub timeout_ms: u32,
    /// Requests waiting for their reply.
    pub queued: usize,
    /// Whether output waits for the socket.
    pub has_output: bool,
    /// Whether it is being closed.
    pub closing: bool,
    /// Its counters.
    pub stats: &'a ConnStats,
}

/// `wchs`: without child watches, as Java counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WatchSummary {
    /// Connections that watch.
    pub connections: usize,
    /// Watched paths.
    pub paths: usize,
    /// Watches.
    pub total: usize,
}

fn view(conn: &Conn) -> ConnView<'_> {
    ConnView {
        peer: conn.peer,
        session: if conn.phase == Phase::Open { conn.session } else { SessionId::NONE },
        timeout_ms: conn.timeout_ms,
        queued: conn.line.len(),
        has_output: !conn.out.is_empty(),
        closing: conn.phase == Phase::Closing,
        stats: &conn.stats,
    }
}

impl Front {
    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Requests that wait for their reply.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// All connections.
    pub fn views(&self) -> impl Iterator<Item = ConnView<'_>> {
        self.conns.iter().map(|(_, conn)| view(conn))
    }

    /// `crst`.
    pub fn reset_connection_stats(&mut self) {
        for (_, conn) in &mut self.conns {
            conn.stats.reset();
        }
    }

    /// Registrations in both tables, the metric `watch_count`.
    #[must_use]
    pub fn watch_count(&self) -> usize {
        self.table.total()
    }

    /// Refused by the connection throttle lately, as a probability; the metric `connection_drop_probability`.
    #[must_use]
    pub fn connection_drop_probability(&self) -> f64 {
        self.throttle.drop_probability()
    }

    fn session_of(&self, watcher: Watcher) -> Option<SessionId> {
        self.watchers.get(&watcher).map(|&slot| self.conns[index(slot)].session)
    }

    /// Numbers about the watches on data.
    #[must_use]
    pub fn watch_summary(&self, tree: &Tree) -> WatchSummary {
        let by_path = self.watches_by_path(tree);
        let connections: BTreeSet<SessionId> = by_path.values().flatten().copied().collect();
        WatchSummary {
            connections: connections.len(),
            paths: by_path.len(),
            total: by_path.values().map(BTreeSet::len).sum(),
        }
    }

    /// Who watches each path.
    #[must_use]
    pub fn watches_by_path(&self, tree: &Tree) -> BTreeMap<Box<str>, BTreeSet<SessionId>> {
        let all = core::cell::RefCell::new(BTreeMap::<Box<str>, BTreeSet<SessionId>>::new());
        let add = |path: &str, watcher: Watcher| {
            if let Some(session) = self.session_of(watcher) {
                all.borrow_mut().entry(path.into()).or_default().insert(session);
            }
        };
        self.table.each_data(
            &mut |node, watcher| {
                let mut path = String::new();
                tree.node(node).write_path(&mut path);
                add(&path, watcher);
            },
            &mut |path, watcher| add(path, watcher),
        );
        all.into_inner()
    }
}
