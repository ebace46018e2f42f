//! Sessions open and close.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use mutants::mutant;
use proto::{CloseSessionTxn, Code, CreateSessionTxn, Encode, SessionId};

use super::pending::{Known, SessionChange, Usage};
use super::quota;
use super::view::View;

impl View<'_> {
    /// Whether the caller's session is open. Source: `SessionTrackerImpl#checkSession`; a leader that does not
    /// know a session calls it expired, a single server unknown.
    pub(super) fn check_session(&self) -> Result<(), Code> {
        let session = self.caller.session;
        match self.pending.session(session) {
            Some(SessionChange::Opening) => Ok(()),
            Some(SessionChange::Closing) if mutant!(CreateAfterClose) => Ok(()),
            Some(SessionChange::Closing) => Err(Code::SessionExpired),
            None if self.tree.sessions().contains_key(&session) => Ok(()),
            None => Err(self.options.unknown_session),
        }
    }

    pub(super) fn create_session(&mut self, txn: CreateSessionTxn, out: &mut Vec<u8>) {
        txn.encode(out);
        self.pending.change_session(self.caller.session, self.zxid, SessionChange::Opening);
    }

    /// Takes every ephemeral the session will have with it. Never fails: an expired session is closed by the
    /// server, and one that is closed already has nothing left.
    ///
    /// Source: `PrepRequestProcessor`, case `closeSession`. Unlike there, the parents' children are counted down at
    /// once, so that a request in flight behind it is judged as it would be later.
    pub(super) fn close_session(&mut self, out: &mut Vec<u8>) {
        let session = self.caller.session;
        let paths = self.ephemerals(session);
        for path in &paths {
            self.drop_ephemeral(path);
        }
        let bytes: usize = paths.iter().map(|path| path.len() + 4).sum();
        // A list that no member would take is left out, and every member looks into its own tree.
        if self.options.close_session_paths && bytes < self.options.txn_bytes_max {
            let paths = paths.into_iter().map(|path| Some(Cow::Owned(path))).collect();
            CloseSessionTxn { paths: Some(paths) }.encode(out);
        }
        self.pending.change_session(session, self.zxid, SessionChange::Closing);
    }

    /// Those of the tree that nothing pending touches, and those that the overlay knows.
    fn ephemerals(&self, session: SessionId) -> Vec<String> {
        let untouched = |path: &String| matches!(self.pending.known(self.pending.spot(path)), Known::Nothing);
        let mut paths: Vec<String> =
            self.tree.ephemerals(session).map(|id| self.tree.node(id).path()).filter(untouched).collect();
        if !mutant!(OrphanLeft) {
            paths.extend(self.pending.ephemerals(session).map(String::from));
        }
        paths
    }

    fn drop_ephemeral(&mut self, path: &str) {
        let Ok(node) = self.look(path) else {
            return;
        };
        let parent_path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if let Ok(parent) = self.look(parent_path) {
            self.lose_child(parent_path, parent);
        }
        self.remove(path, &node);
        self.use_quota(path, Usage { nodes: -1, bytes: -quota::signed(node.state.data_bytes) });
    }
}
