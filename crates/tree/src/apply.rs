//! The one function that changes the tree: live, in synchronization and in replay. Source: `DataTree#processTxn`;
//! storage.md §4.4 and §7.
//!
//! Replay may start from a snapshot that already holds what comes, so each transaction meets what it finds: a create
//! that comes late sets the access control list, versions are absolute, parents only ever rise.

use alloc::vec::Vec;

use mutants::mutant;
use proto::{
    Acl, Buffer, Code, Entry, SessionId, Stat, SubTxn, Text, Txn, TxnDigest, TxnError, TxnKind, Zxid,
};

use crate::digest::DigestCheck;
use crate::nodes::{Changed, NodeId};
use crate::owner::{Owner, TTL_MS_MAX};
use crate::store::NewNode;
use crate::tree::Tree;

/// Hears what a transaction does, while it does it: where watches fire.
pub trait Observer {
    /// A znode was created.
    fn created(&mut self, zxid: Zxid, at: &Touched<'_>);
    /// A znode was deleted. Its id is still good for [`Touched`]'s sake, and for nothing after this call.
    fn deleted(&mut self, zxid: Zxid, at: &Touched<'_>);
    /// A znode's data was set.
    fn data_changed(&mut self, zxid: Zxid, at: &Touched<'_>);
}

/// Nobody listens.
impl Observer for () {
    fn created(&mut self, _: Zxid, _: &Touched<'_>) {}
    fn deleted(&mut self, _: Zxid, _: &Touched<'_>) {}
    fn data_changed(&mut self, _: Zxid, _: &Touched<'_>) {}
}

/// A znode that a transaction created, deleted or set.
#[derive(Clone, Copy, Debug)]
pub struct Touched<'a> {
    /// Its path; `/` for the root.
    pub path: &'a str,
    /// Its id.
    pub node: NodeId,
    /// Its access control list; of a deleted one, as it was.
    pub acl: &'a [Acl<'static>],
    /// Its parent; `None` for the root.
    pub parent: Option<NodeId>,
    /// The list of the parent; empty for the root.
    pub parent_acl: &'a [Acl<'static>],
}

/// What a transaction came to: what the reply is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A delete, check, or session transaction.
    Done,
    /// A create; the `Stat` of the new znode.
    Created(Stat),
    /// A setData, reconfig or setACL; the `Stat` after it.
    Set(Stat),
    /// Nothing was done. Beside a failed item of a multi: [`Code::Ok`] before it, [`Code::RuntimeInconsistency`] behind.
    Failed(Code),
    /// A multi, item by item.
    Multi(Vec<Outcome>),
}

/// A transaction that was applied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// What it came to.
    pub outcome: Outcome,
    /// Whether the tree is now what the writer of the transaction said it would be.
    pub digest: DigestCheck,
}

/// Why a transaction cannot be applied. The tree is as before. No server writes such a transaction.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// A path is null, has no `/`, or has an empty name where a znode of that name would be made or another one found:
    /// `/a/`, `//a`.
    #[error("transaction {zxid} names no path")]
    Path {
        /// Of the transaction.
        zxid: Zxid,
    },
    /// It deletes a znode that is there in every tree.
    #[error("transaction {zxid} deletes a built-in znode")]
    Root {
        /// Of the transaction.
        zxid: Zxid,
    },
    /// Its TTL is not positive or has more than 40 bits.
    #[error("transaction {zxid} creates a znode with the TTL {ttl_ms} ms")]
    Ttl {
        /// Of the transaction.
        zxid: Zxid,
        /// What it asks for.
        ttl_ms: i64,
    },
    /// An item of a multi cannot be read, or is of a kind that no multi holds.
    #[error("item {item} of transaction {zxid}: {source}")]
    Item {
        /// Of the transaction.
        zxid: Zxid,
        /// Which, from 0.
        item: usize,
        /// Why.
        source: TxnError,
    },
}

/// When something happens, and for whom.
#[derive(Clone, Copy)]
struct Moment {
    zxid: Zxid,
    time: i64,
    session: SessionId,
}

/// A transaction in which nothing is missing.
enum Step<'t> {
    Create(Create<'t>),
    Delete { path: &'t str },
    SetData { path: &'t str, data: Buffer<'t>, version: i32 },
    SetAcl { path: &'t str, acl: Option<&'t [Acl<'t>]>, version: i32 },
    OpenSession { timeout_ms: i32 },
    CloseSession { listed: &'t [Text<'t>] },
    Check,
    Fail(Code),
}

struct Create<'t> {
    path: &'t str,
    data: Buffer<'t>,
    acl: Option<&'t [Acl<'t>]>,
    owner: Owner,
    parent_cversion: i32,
    /// Whether the parent's counters rise although the znode is there already: type 1 only.
    counts_when_late: bool,
}

fn given<'t>(path: &'t Text<'_>, zxid: Zxid) -> Result<&'t str, ApplyError> {
    path.as_deref()
        .filter(|path| path.contains('/') && !has_an_empty_name(path))
        .ok_or(ApplyError::Path { zxid })
}

/// Whether the last name is empty, or the first, which would make the root the parent under a name it does not have.
///
/// An empty name elsewhere needs no look: no znode has one, so the parent is not found.
fn has_an_empty_name(path: &str) -> bool {
    path.starts_with("//") || (path.ends_with('/') && path != "/")
}

/// The znodes that are there in every tree. No server decides to delete one of them (client-protocol.md §5.1, P3).
const BUILT_IN: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

fn deleted<'t>(path: &'t Text<'_>, zxid: Zxid) -> Result<&'t str, ApplyError> {
    let path = given(path, zxid)?;
    if BUILT_IN.contains(&path) { Err(ApplyError::Root { zxid }) } else { Ok(path) }
}

impl<'t> Step<'t> {
    fn of(txn: &'t Txn<'t>, now: Moment) -> Result<Self, ApplyError> {
        let zxid = now.zxid;
        Ok(match txn {
            Txn::Create(create) | Txn::Create2(create) => Self::Create(Create {
                path: given(&create.path, zxid)?,
                data: create.data,
                acl: create.acl.as_deref(),
                owner: if create.ephemeral { Owner::Ephemeral(now.session) } else { Owner::Persistent },
                parent_cversion: create.parent_cversion,
                counts_when_late: matches!(txn, Txn::Create(_)),
            }),
            Txn::CreateContainer(create) => Self::Create(Create {
                path: given(&create.path, zxid)?,
                data: create.data,
                acl: create.acl.as_deref(),
                owner: Owner::Container,
                parent_cversion: create.parent_cversion,
                counts_when_late: false,
            }),
            Txn::CreateTtl(create) if !(1..=TTL_MS_MAX).contains(&create.ttl_ms) => {
                return Err(ApplyError::Ttl { zxid, ttl_ms: create.ttl_ms });
            }
            Txn::CreateTtl(create) => Self::Create(Create {
                path: given(&create.path, zxid)?,
                data: create.data,
                acl: create.acl.as_deref(),
                owner: Owner::Ttl { ms: create.ttl_ms },
                parent_cversion: create.parent_cversion,
                counts_when_late: false,
            }),
            Txn::Delete(delete) | Txn::DeleteContainer(delete) => {
                Self::Delete { path: deleted(&delete.path, zxid)? }
            }
            Txn::SetData(set) | Txn::Reconfig(set) => {
                Self::SetData { path: given(&set.path, zxid)?, data: set.data, version: set.version }
            }
            Txn::SetAcl(set) => {
                Self::SetAcl { path: given(&set.path, zxid)?, acl: set.acl.as_deref(), version: set.version }
            }
            Txn::CreateSession(create) => Self::OpenSession { timeout_ms: create.timeout_ms },
            Txn::CloseSession(close) => {
                let listed = close.as_ref().and_then(|close| close.paths.as_deref()).unwrap_or_default();
                listed.iter().try_for_each(|path| deleted(path, zxid).map(drop))?;
                Self::CloseSession { listed }
            }
            Txn::Check(_) => Self::Check,
            // Clients cannot map an unknown code, and no server writes one.
            Txn::Error(error) => {
                Self::Fail(Code::from_number(error.err).unwrap_or(Code::RuntimeInconsistency))
            }
            Txn::Multi(_) => {
                let source = TxnError::Kind(TxnKind::Multi.number());
                return Err(ApplyError::Item { zxid, item: 0, source });
            }
        })
    }
}

/// Source: the inner switch of `DataTree#processTxn`, case `multi`.
fn is_item(txn: &Txn<'_>) -> bool {
    match txn {
        Txn::Create(_)
        | Txn::Create2(_)
        | Txn::CreateContainer(_)
        | Txn::CreateTtl(_)
        | Txn::Delete(_)
        | Txn::DeleteContainer(_)
        | Txn::SetData(_)
        | Txn::Check(_)
        | Txn::Error(_) => true,
        Txn::CreateSession(_) | Txn::CloseSession(_) | Txn::Reconfig(_) | Txn::SetAcl(_) | Txn::Multi(_) => {
            false
        }
    }
}

fn items<'t>(subs: &[SubTxn<'t>], zxid: Zxid) -> Result<Vec<Txn<'t>>, ApplyError> {
    let read = |(item, sub): (usize, &SubTxn<'t>)| match Txn::decode_sub(sub) {
        Ok(txn) if is_item(&txn) => Ok(txn),
        Ok(_) => Err(ApplyError::Item { zxid, item, source: TxnError::Kind(sub.kind) }),
        Err(source) => Err(ApplyError::Item { zxid, item, source }),
    };
    subs.iter().enumerate().map(read).collect()
}

impl Tree {
    /// Carries a transaction out, in whatever state it finds the tree, and tells `observer` each change in order.
    ///
    /// The last zxid rises to the transaction's, also when it records a failure or meets one; it never falls.
    ///
    /// # Errors
    /// [`ApplyError`]: the transaction says nothing that could be done. The tree and its zxid are as before.
    pub fn apply(&mut self, entry: &Entry<'_>, observer: &mut dyn Observer) -> Result<Applied, ApplyError> {
        let header = &entry.header;
        let now = Moment { zxid: header.zxid, time: header.time, session: header.session };
        let outcome = if let Txn::Multi(subs) = &entry.txn {
            self.apply_multi(subs, now, observer)?
        } else {
            let step = Step::of(&entry.txn, now)?;
            self.take(&step, now, observer)
        };
        self.last_zxid = self.last_zxid.max(now.zxid);
        Ok(Applied { outcome, digest: self.check_digest(now.zxid, entry.digest) })
    }

    /// Everything is read before anything is done, so that an item which makes no sense leaves nothing half done.
    fn apply_multi(
        &mut self,
        subs: &[SubTxn<'_>],
        now: Moment,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, ApplyError> {
        let txns = items(subs, now.zxid)?;
        let steps = txns.iter().map(|txn| Step::of(txn, now)).collect::<Result<Vec<_>, _>>()?;
        let failure = steps.iter().position(|step| matches!(step, Step::Fail(_)));
        let outcomes = steps.iter().enumerate().map(|(item, step)| match (failure, step) {
            (_, Step::Fail(code)) => Outcome::Failed(*code),
            (Some(failure), _) if item < failure => Outcome::Failed(Code::Ok),
            (Some(_), _) => Outcome::Failed(Code::RuntimeInconsistency),
            (None, step) => self.take(step, now, observer),
        });
        Ok(Outcome::Multi(outcomes.collect()))
    }

    fn take(&mut self, step: &Step<'_>, now: Moment, observer: &mut dyn Observer) -> Outcome {
        let result = match *step {
            Step::Create(ref create) => self.create(create, now, observer),
            Step::Delete { path } => self.delete(path, now, observer),
            Step::SetData { path, data, version } => self.set_data(path, data, version, now, observer),
            Step::SetAcl { path, acl, version } => self.set_acl(path, acl, version),
            Step::OpenSession { timeout_ms } => {
                self.sessions.insert(now.session, timeout_ms);
                Ok(Outcome::Done)
            }
            Step::CloseSession { listed } => {
                self.close_session(listed, now, observer);
                Ok(Outcome::Done)
            }
            Step::Check => Ok(Outcome::Done),
            Step::Fail(code) => Err(code),
        };
        result.unwrap_or_else(Outcome::Failed)
    }

    fn create(
        &mut self,
        create: &Create<'_>,
        now: Moment,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Code> {
        let path = create.path;
        let (parent_path, name) = path.rsplit_once('/').ok_or(Code::NoNode)?;
        let parent = self.find(parent_path).ok_or(Code::NoNode)?;
        let there = if path == "/" { Some(parent) } else { self.child(parent, name) };
        let acl = self.acls.acquire(create.acl);
        if let Some(there) = there {
            self.save_for_snapshot(there);
            let old = self.store.nodes.acl(there);
            self.store.nodes.set_acl(there, acl, self.store.persisted(there).aversion);
            self.acls.release(old);
            if create.counts_when_late {
                self.save_for_snapshot(parent);
                self.subtract_digest(parent, parent_path);
                self.raise_cversion(parent, create.parent_cversion, now.zxid);
                self.add_digest(parent, parent_path);
            }
            return Err(Code::NodeExists);
        }
        self.save_for_snapshot(parent);
        self.subtract_digest(parent, parent_path);
        self.raise_cversion(parent, create.parent_cversion, now.zxid);
        let stat = proto::StatPersisted {
            czxid: now.zxid,
            mzxid: now.zxid,
            ctime: now.time,
            mtime: now.time,
            version: 0,
            cversion: 0,
            aversion: 0,
            ephemeral_owner: create.owner.encode(),
            pzxid: now.zxid,
        };
        let new = NewNode { parent: Some(parent), name: name.as_bytes(), data: create.data, acl, stat };
        let id = self.store.insert(&new);
        self.add_digest(parent, parent_path);
        self.leave_out_of_snapshot(id);
        self.enlist(id, path);
        // Before quotas are counted: they may rewrite the very znode.
        let stat = self.store.stat(id, self.owner_rules());
        self.count_new_quota(path);
        self.count_in_quota(path, 1, signed(create.data.map_or(0, <[u8]>::len)));
        observer.created(now.zxid, &self.touched(id, path));
        Ok(Outcome::Created(stat))
    }

    /// A create counts in its parent, unless one that came later has counted already.
    fn raise_cversion(&mut self, parent: NodeId, given: i32, zxid: Zxid) {
        let family = self.store.family_mut(parent);
        let cversion = if given == -1 { family.cversion.wrapping_add(1) } else { given };
        if cversion > family.cversion {
            family.cversion = cversion;
            family.pzxid = zxid.0;
        }
    }

    fn delete(&mut self, path: &str, now: Moment, observer: &mut dyn Observer) -> Result<Outcome, Code> {
        let (parent_path, name) = path.rsplit_once('/').ok_or(Code::NoNode)?;
        let parent = self.find(parent_path).ok_or(Code::NoNode)?;
        // Also if the znode is gone already: a fuzzy snapshot may have the parent from before.
        if self.store.persisted(parent).pzxid < now.zxid && !mutant!(PzxidStale) {
            self.save_for_snapshot(parent);
            self.subtract_digest(parent, parent_path);
            self.store.family_mut(parent).pzxid = now.zxid.0;
            self.add_digest(parent, parent_path);
        }
        let id = self.child(parent, name).ok_or(Code::NoNode)?;
        // Only in replay over a fuzzy snapshot, where the znode and its children are those of a later life: they all
        // go and come again. Java leaves the children behind without a parent.
        if self.store.child_count(id) > 0 {
            let mut below: Vec<_> = self.subtree(id).skip(1).map(|id| (self.node(id).path(), id)).collect();
            // Children first, and in the same order on every member.
            below.sort_unstable_by(|a, b| b.cmp(a));
            for (path, id) in below {
                self.remove(id, &path, now, observer);
            }
        }
        self.remove(id, path, now, observer);
        Ok(Outcome::Done)
    }

    fn remove(&mut self, id: NodeId, path: &str, now: Moment, observer: &mut dyn Observer) {
        self.save_for_snapshot(id);
        self.delist(id, path);
        self.store.unlist(id);
        self.count_in_quota(path, -1, -signed(self.store.data_len(id)));
        observer.deleted(now.zxid, &self.touched(id, path));
        self.acls.release(self.store.nodes.acl(id));
        self.store.remove(id);
    }

    fn set_data(
        &mut self,
        path: &str,
        data: Buffer<'_>,
        version: i32,
        now: Moment,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Code> {
        let id = self.find(path).ok_or(Code::NoNode)?;
        self.save_for_snapshot(id);
        let (old, new) = (self.store.data_len(id), data.map_or(0, <[u8]>::len));
        self.subtract_digest(id, path);
        self.store.set_data(id, data, Changed { mzxid: now.zxid.0, mtime: now.time, version });
        self.add_digest(id, path);
        self.data_size = self.data_size + new as u64 - old as u64;
        let stat = self.store.stat(id, self.owner_rules());
        self.count_in_quota(path, 0, signed(new) - signed(old));
        observer.data_changed(now.zxid, &self.touched(id, path));
        Ok(Outcome::Set(stat))
    }

    fn set_acl(&mut self, path: &str, acl: Option<&[Acl<'_>]>, version: i32) -> Result<Outcome, Code> {
        let id = self.find(path).ok_or(Code::NoNode)?;
        self.save_for_snapshot(id);
        self.subtract_digest(id, path);
        let old = self.store.nodes.acl(id);
        let new = self.acls.acquire(acl);
        self.store.nodes.set_acl(id, new, version);
        self.acls.release(old);
        self.add_digest(id, path);
        Ok(Outcome::Set(self.store.stat(id, self.owner_rules())))
    }

    /// The listed paths first, whoever owns them, then whatever else the session has.
    fn close_session(&mut self, listed: &[Text<'_>], now: Moment, observer: &mut dyn Observer) {
        for path in listed.iter().flatten() {
            // One that is gone already was deleted by a later transaction.
            let _ = self.delete(path, now, observer);
        }
        // By path, because ids differ between members.
        let mut left: Vec<_> = self.ephemerals(now.session).map(|id| self.node(id).path()).collect();
        left.sort_unstable();
        for path in left {
            if !mutant!(OrphanLeft) {
                let _ = self.delete(&path, now, observer);
            }
        }
        self.sessions.remove(&now.session);
    }

    fn touched<'a>(&'a self, id: NodeId, path: &'a str) -> Touched<'a> {
        let list = |id: NodeId| self.acls.list(self.store.nodes.acl(id)).as_slice();
        let parent = self.store.nodes.parent(id);
        Touched { path, node: id, acl: list(id), parent, parent_acl: parent.map_or(&[], list) }
    }

    fn check_digest(&mut self, zxid: Zxid, given: Option<TxnDigest>) -> DigestCheck {
        if !self.options.digest {
            return DigestCheck::NotCompared;
        }
        match self.pending_digest {
            None => {
                self.digest_log.note(zxid, self.digest);
                DigestCheck::of_txn(given, self.digest)
            }
            Some((pending, _)) if zxid < pending => DigestCheck::NotCompared,
            Some((pending, expected)) => {
                self.pending_digest = None;
                if zxid == pending {
                    DigestCheck::of(expected, self.digest)
                } else {
                    DigestCheck::of_txn(given, self.digest)
                }
            }
        }
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).expect("data is shorter than 2 GiB")
}
