//! Trees compared as a whole: digests say nothing of lists, sessions and quotas.

use member::history::History;
use store::disk::join;
use store::names::{self, Named};
use store::snapshot::verify_snapshot;
use store::{Disk as _, RecoverError, RecoverOptions, recover};
use tree::{NodeId, Tree};

use super::Machine;
use crate::invariants::Broken;
use crate::outside::Outside;

/// What each member shows on its own account.
const OWN: &str = "/zookeeper/config";

/// The first thing in which two trees of the same zxid differ.
fn difference(one: &Tree, other: &Tree) -> Option<String> {
    if one.sessions() != other.sessions() {
        return Some(format!("sessions {:?} and {:?}", one.sessions(), other.sessions()));
    }
    let mut left: Vec<NodeId> = one.find("/").into_iter().collect();
    while let Some(id) = left.pop() {
        let node = one.node(id);
        left.extend(node.child_ids());
        let path = node.path();
        let Some(there) = other.find(&path).map(|id| other.node(id)) else {
            return Some(format!("{path}, which is in one only"));
        };
        let same = node.acl() == there.acl() && node.data() == there.data() && node.stat() == there.stat();
        if !same && path != OWN {
            return Some(format!(
                "{path}: {:?} {:?} {:?} and {:?} {:?} {:?}",
                node.acl(),
                node.data(),
                node.stat(),
                there.acl(),
                there.data(),
                there.stat()
            ));
        }
    }
    (one.node_count() != other.node_count()).then(|| "the number of znodes".to_owned())
}

impl Machine {
    /// M1, M3: its tree is another's in every part. Only while both show the same.
    pub fn compare_with(&self, other: &Self, out: &mut Outside) {
        let trees = self.process.as_ref().zip(other.process.as_ref());
        let differs =
            trees.and_then(|(one, other)| difference(one.member.core().tree(), other.member.core().tree()));
        if let Some(text) = differs {
            let (one, other) = (self.sid().0, other.sid().0);
            out.evidence
                .fail(Broken(format!("the trees of members {one} and {other} differ in {text} (M3)")));
        }
    }

    /// M2, R7: all snapshots are sound, and the oldest makes the tree in memory with the log behind it. Only while nothing is
    /// on its way to the files, and if the disk has changed nothing at rest.
    pub fn compare_oldest(&self, out: &mut Outside) {
        let Some(process) = &self.process else { return };
        let core = process.member.core();
        let is_still = process.jobs.is_empty() && core.in_flight() == 0 && process.member.is_live();
        if !is_still || self.is_damaged {
            return;
        }
        let broken = match self.replay_oldest() {
            Ok(Some(tree)) => difference(core.tree(), &tree),
            Ok(None) => None,
            Err(text) => Some(text),
        };
        if let Some(text) = broken {
            let sid = self.sid().0;
            out.evidence.fail(Broken(format!(
                "from its oldest snapshot on, member {sid} has another tree: {text} (M2)"
            )));
        }
    }

    /// M2: what was written while it came from a leader makes the tree that it became.
    pub(super) fn compare_received(&self, tree: &Tree, out: &mut Outside) {
        if self.is_damaged {
            return;
        }
        let mut history = History::new(self.setup.tree());
        // Faults that still lie in wait strike the disk itself.
        let broken = match recover(&self.disk.copy(), &self.dirs, RecoverOptions::default(), &mut history) {
            Ok(_) => match history.into_tree() {
                Ok(written) => difference(tree, &written),
                Err(error) => Some(error.to_string()),
            },
            Err(error) => Some(error.to_string()),
        };
        out.evidence.hit("snapshot written as it came");
        if let Some(text) = broken {
            let sid = self.sid().0;
            out.evidence
                .fail(Broken(format!("member {sid} wrote another tree than the leader sent: {text} (M2)")));
        }
    }

    /// The tree from the oldest snapshot of the history that the member has now; those before another leader's are of
    /// another.
    fn replay_oldest(&self) -> Result<Option<Tree>, String> {
        // Faults that still lie in wait strike the disk itself.
        let disk = self.disk.copy();
        let snapshots = names::list_snapshots(&disk, &self.dirs.snap).map_err(|error| error.to_string())?;
        for Named { name, .. } in &snapshots {
            verify_snapshot(&disk, &self.dirs.snap, name).map_err(|error| format!("{name}: {error}"))?;
        }
        for (at, oldest) in snapshots.iter().enumerate() {
            let copy = disk.copy();
            for newer in &snapshots[at + 1..] {
                copy.remove(&join(&self.dirs.snap, &newer.name)).map_err(|error| error.to_string())?;
            }
            let mut history = History::new(self.setup.tree());
            match recover(&copy, &self.dirs, RecoverOptions::default(), &mut history) {
                Ok(_) => return history.into_tree().map(Some).map_err(|error| error.to_string()),
                Err(RecoverError::OnlyBeforeBase { .. }) => {}
                Err(error) => return Err(format!("{}: {error}", oldest.name)),
            }
        }
        Ok(None)
    }
}
