//! The tree as it will be, and how one request looks at it and changes it.

use alloc::vec::Vec;

use mutants::mutant;
use proto::{Acl, Code, Perms, StatPersisted, Zxid};

use super::pending::{FutureAcl, Known, Pending, Spot, State};
use super::{Caller, Options, digest};
use crate::auth;
use crate::{Owner, Tree};

/// One request, and all it is judged by.
pub(super) struct View<'a> {
    pub(super) tree: &'a Tree,
    pub(super) pending: &'a mut Pending,
    pub(super) options: &'a Options,
    pub(super) caller: &'a Caller<'a>,
    pub(super) zxid: Zxid,
    pub(super) time_ms: i64,
}

/// A znode that will be there.
pub(super) struct Found {
    pub(super) spot: Spot,
    pub(super) state: State,
    pub(super) acl: FutureAcl,
}

/// The empty path is the root's other name, as the parent of `/a` shows. One name for it here, so that what is
/// pending for the root is found under both; Java keeps two records.
fn named(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

impl View<'_> {
    /// The znode that will be at `path`, or where it would be entered.
    pub(super) fn look(&self, path: &str) -> Result<Found, Spot> {
        let path = named(path);
        let spot = self.pending.spot(path);
        match self.pending.known(spot) {
            Known::Gone => Err(spot),
            Known::There(state, acl) => Ok(Found { spot, state: *state, acl: acl.clone() }),
            Known::Nothing => {
                let id = self.tree.find(path).ok_or(spot)?;
                let node = self.tree.node(id);
                let state = State {
                    stat: node.persisted(),
                    children: node.child_count(),
                    data_bytes: node.data().map_or(0, <[u8]>::len),
                    digest: self.tree.digest_of(id, path).into(),
                    digest_prefix: None,
                };
                Ok(Found { spot, state, acl: FutureAcl::Applied(id) })
            }
        }
    }

    pub(super) fn find(&self, path: &str) -> Result<Found, Code> {
        self.look(path).map_err(|_| Code::NoNode)
    }

    /// Whether the caller may do `wanted` with a znode.
    pub(super) fn permit(&self, node: &Found, wanted: Perms) -> Result<(), Code> {
        let list: &[Acl<'_>] = match &node.acl {
            FutureAcl::Open => return Ok(()),
            FutureAcl::Applied(id) => self.tree.node(*id).acl(),
            FutureAcl::List(list) => list,
        };
        if auth::permits(&self.options.auth, list, wanted, self.caller.ids) {
            Ok(())
        } else {
            Err(Code::NoAuth)
        }
    }

    pub(super) fn owner(&self, node: &Found) -> Owner {
        self.tree.owner_rules().decode(node.state.stat.ephemeral_owner)
    }

    /// A znode changes, but not its data.
    pub(super) fn update(&mut self, path: &str, node: Found, change: impl FnOnce(&mut State)) {
        let Found { spot, mut state, acl } = node;
        let path = named(path);
        change(&mut state);
        if self.tree.options().digest && digest::covers(path) {
            let prefix = state.digest_prefix.unwrap_or_else(|| self.applied_prefix(path, &acl));
            self.redigest(&mut state, prefix);
        }
        self.pending.put(spot, path, self.zxid, state, acl);
    }

    /// A znode is new, or gets new data: `state` is the one before, with an old digest of zero if it is new.
    pub(super) fn renew(&mut self, path: &str, node: Found, data: Option<&[u8]>) {
        let Found { spot, mut state, acl } = node;
        let data = data.unwrap_or_default();
        state.data_bytes = data.len();
        if self.tree.options().digest && digest::covers(path) {
            self.redigest(&mut state, digest::prefix(path, data));
        }
        self.pending.put(spot, path, self.zxid, state, acl);
    }

    pub(super) fn remove(&mut self, path: &str, node: &Found) {
        self.pending.digest = self.pending.digest.wrapping_sub(node.state.digest);
        self.pending.remove(node.spot, path, self.zxid);
    }

    fn redigest(&mut self, state: &mut State, prefix: u32) {
        let new = digest::finish(prefix, &state.stat);
        self.pending.digest = self.pending.digest.wrapping_sub(state.digest).wrapping_add(new);
        (state.digest, state.digest_prefix) = (new, Some(prefix));
    }

    /// A znode whose prefix is unknown has the data it has in the tree: it was not made or set in the overlay.
    fn applied_prefix(&self, path: &str, acl: &FutureAcl) -> u32 {
        let id = match acl {
            FutureAcl::Applied(id) => Some(*id),
            FutureAcl::Open | FutureAcl::List(_) => self.tree.find(path),
        };
        digest::prefix(path, id.and_then(|id| self.tree.node(id).data()).unwrap_or_default())
    }

    /// The parent loses the child that was at the end of `path`.
    pub(super) fn lose_child(&mut self, parent_path: &str, parent: Found) {
        let zxid = self.zxid;
        self.update(parent_path, parent, |state| {
            state.children = state.children.saturating_sub(1);
            if !mutant!(PzxidStale) {
                state.stat.pzxid = state.stat.pzxid.max(zxid);
            }
        });
    }

    pub(super) fn new_stat(&self, owner: Owner) -> StatPersisted {
        StatPersisted {
            czxid: self.zxid,
            mzxid: self.zxid,
            ctime: self.time_ms,
            mtime: self.time_ms,
            version: 0,
            cversion: 0,
            aversion: 0,
            ephemeral_owner: owner.encode(),
            pzxid: self.zxid,
        }
    }
}

/// A new list, as the overlay keeps it.
pub(super) fn future_acl(list: &[Acl<'_>]) -> FutureAcl {
    if *list == [Acl::open()] {
        return FutureAcl::Open;
    }
    let owned: Vec<Acl<'static>> = list.iter().cloned().map(Acl::into_owned).collect();
    FutureAcl::List(owned.into())
}

/// The version that follows, or that the one given is not the znode's.
///
/// -1 means any to clients, so it is never given to a znode: 3.10 does it so, 3.9 wraps through it.
/// Source: `PrepRequestProcessor#checkAndIncVersion`; ZOOKEEPER-4743.
pub(super) fn next_version(current: i32, expected: i32) -> Result<i32, Code> {
    if expected != -1 && expected != current {
        return Err(Code::BadVersion);
    }
    Ok(match current.wrapping_add(1) {
        -1 => 0,
        next => next,
    })
}
