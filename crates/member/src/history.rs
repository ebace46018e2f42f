//! From the files to the tree: what recovery reads, the tree takes in.

use alloc::boxed::Box;

use proto::{AclList, Entry, SessionId, TxnError, Zxid};
use store::RecoverSink;
use store::snapshot::{NodeRecord, SnapshotEnd, SnapshotSink};
use tree::{ApplyError, DIGEST_VERSION, DigestCheck, LoadError, Tree, TreeLoader, TreeOptions};

/// Why the files do not make a tree.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A snapshot holds what no tree can be.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The payload of an entry is whole and yet no transaction.
    #[error("the transaction {zxid} in the log cannot be read: {error}")]
    Txn {
        /// Which.
        zxid: Zxid,
        /// What is wrong with it.
        error: TxnError,
    },
    /// A transaction does not fit any tree.
    #[error("the transaction {zxid} in the log cannot be applied: {error}")]
    Apply {
        /// Which.
        zxid: Zxid,
        /// Why.
        error: ApplyError,
    },
}

/// The digest of the tree after a transaction was not what the log says it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// Which transaction.
    pub zxid: Zxid,
    /// A [`TxnKind`](proto::TxnKind) as number.
    pub kind: i32,
    /// Whose.
    pub session: SessionId,
    /// What the log says.
    pub expected: u64,
    /// What the tree says.
    pub actual: u64,
}

/// A tree in the making.
#[derive(Debug)]
pub struct History {
    options: TreeOptions,
    stage: Stage,
    mismatches: u64,
    first_mismatch: Option<Mismatch>,
    /// The transaction at which the snapshot's own digest is compared.
    snapshot_digest: Option<Zxid>,
    /// It did not match, and nothing has been compared since.
    suspect: bool,
}

#[derive(Debug)]
enum Stage {
    Empty,
    /// Without records it is the empty history of a new server.
    Loading {
        zxid: Zxid,
        loader: Box<TreeLoader>,
        records: bool,
    },
    Replaying(Box<Tree>),
}

impl History {
    /// Nothing read yet.
    #[must_use]
    pub fn new(options: TreeOptions) -> Self {
        Self {
            options,
            stage: Stage::Empty,
            mismatches: 0,
            first_mismatch: None,
            snapshot_digest: None,
            suspect: false,
        }
    }

    /// The first of [`Self::digest_mismatches`], for a log line.
    #[must_use]
    pub fn first_mismatch(&self) -> Option<Mismatch> {
        self.first_mismatch
    }

    /// Transactions after which the tree's digest was not what the log says it should be.
    #[must_use]
    pub fn digest_mismatches(&self) -> u64 {
        self.mismatches + u64::from(self.suspect)
    }

    /// Java takes the digest of a snapshot while transactions go on, so that the znodes may be one transaction
    /// ahead of it. The next digest decides: if it matches, the tree is right.
    fn note(&mut self, entry: &Entry<'_>, check: DigestCheck) {
        let zxid = entry.header.zxid;
        match check {
            DigestCheck::NotCompared => {}
            DigestCheck::Match => self.suspect = false,
            DigestCheck::Mismatch { .. } if self.snapshot_digest.take_if(|at| *at == zxid).is_some() => {
                self.suspect = true;
            }
            DigestCheck::Mismatch { expected, actual } => {
                self.mismatches += 1;
                let (kind, session) = (entry.header.kind, entry.header.session);
                self.first_mismatch.get_or_insert(Mismatch { zxid, kind, session, expected, actual });
            }
        }
    }

    /// The tree, once all is read.
    ///
    /// # Errors
    /// [`HistoryError::Load`] if the snapshot was no tree after all.
    pub fn into_tree(mut self) -> Result<Tree, HistoryError> {
        self.tree()?;
        match self.stage {
            Stage::Replaying(tree) => Ok(*tree),
            Stage::Empty | Stage::Loading { .. } => unreachable!("the line above made it a tree"),
        }
    }

    /// Ends the loading of nodes, if it has not ended.
    fn tree(&mut self) -> Result<&mut Tree, HistoryError> {
        self.stage = match core::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Empty => Stage::Replaying(Box::new(Tree::new(self.options))),
            Stage::Loading { zxid, loader, records: true } => {
                Stage::Replaying(Box::new(loader.finish(zxid)?))
            }
            Stage::Loading { records: false, .. } => Stage::Replaying(Box::new(Tree::new(self.options))),
            Stage::Replaying(tree) => Stage::Replaying(tree),
        };
        match &mut self.stage {
            Stage::Replaying(tree) => Ok(tree),
            Stage::Empty | Stage::Loading { .. } => unreachable!("it was just made a tree"),
        }
    }

    fn loader(&mut self) -> &mut TreeLoader {
        match &mut self.stage {
            Stage::Loading { loader, records, .. } => {
                *records = true;
                loader
            }
            Stage::Empty | Stage::Replaying(_) => {
                unreachable!("records come between begin and the first entry")
            }
        }
    }
}

impl SnapshotSink for History {
    type Error = HistoryError;

    fn begin(&mut self, zxid: Zxid) {
        self.snapshot_digest = None;
        self.stage = Stage::Loading { zxid, loader: Box::new(TreeLoader::new(self.options)), records: false };
    }

    fn session(&mut self, id: SessionId, timeout_ms: i32) -> Result<(), HistoryError> {
        self.loader().add_session(id, timeout_ms);
        Ok(())
    }

    fn acl(&mut self, acl_id: i64, acl: AclList) -> Result<(), HistoryError> {
        self.loader().add_acl(acl_id, acl);
        Ok(())
    }

    fn node(&mut self, node: NodeRecord<'_>) -> Result<(), HistoryError> {
        self.loader().add_node(&node.path, node.data, node.acl_id, &node.stat)?;
        Ok(())
    }

    fn nodes_end(&mut self) -> Result<(), HistoryError> {
        match &mut self.stage {
            Stage::Loading { loader, .. } => Ok(loader.end_of_nodes()?),
            Stage::Empty | Stage::Replaying(_) => Ok(()),
        }
    }
}

impl RecoverSink for History {
    fn snapshot_end(&mut self, end: &SnapshotEnd) {
        let zxid_in_name = match &self.stage {
            Stage::Loading { zxid, .. } => *zxid,
            Stage::Empty | Stage::Replaying(_) => return,
        };
        if let Some(digest) = end.digest
            && digest.version == DIGEST_VERSION
            && digest.zxid > Zxid::ZERO
            && digest.zxid >= zxid_in_name
        {
            self.snapshot_digest = Some(digest.zxid);
            self.loader().expect_digest(digest.zxid, digest.digest.cast_unsigned());
        }
    }

    fn txn(&mut self, zxid: Zxid, payload: &[u8]) -> Result<(), HistoryError> {
        let entry = Entry::decode(payload).map_err(|error| HistoryError::Txn { zxid, error })?;
        let applied =
            self.tree()?.apply(&entry, &mut ()).map_err(|error| HistoryError::Apply { zxid, error })?;
        self.note(&entry, applied.digest);
        Ok(())
    }
}
