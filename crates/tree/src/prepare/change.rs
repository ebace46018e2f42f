//! Everything that is done to a znode that is there. The order of the checks is that of client-protocol.md §5.5.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use proto::{
    CheckVersionRequest, CheckVersionTxn, Code, DeleteContainerRequest, DeleteRequest, DeleteTxn, Encode,
    Perms, SetAclRequest, SetAclTxn, SetDataRequest, SetDataTxn,
};

use super::pending::Usage;
use super::view::{Found, View, future_acl, next_version};
use super::{path, quota};
use crate::Owner;
use crate::auth;

impl View<'_> {
    pub(super) fn delete(&mut self, request: &DeleteRequest<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
        self.check_session()?;
        let path = request.path.as_deref().ok_or(Code::MarshallingError)?;
        let parent_path = path::parent_to_delete_from(path).ok_or(Code::BadArguments)?;
        let parent = self.find(parent_path)?;
        self.permit(&parent, Perms::DELETE)?;
        let node = self.find(path)?;
        next_version(node.state.stat.version, request.version)?;
        if node.state.children > 0 {
            return Err(Code::NotEmpty);
        }
        self.delete_node(path, &node, parent_path, parent, out);
        Ok(())
    }

    /// The server's own: a container or a TTL znode that has no children.
    ///
    /// Whether it is old enough was seen before, by whoever asks. Java would also delete a persistent znode that
    /// took the place of the container in between; that one stays here.
    pub(super) fn delete_container(
        &mut self,
        request: &DeleteContainerRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Code> {
        let bytes = request.path.ok_or(Code::MarshallingError)?;
        let path = core::str::from_utf8(bytes).map_err(|_| Code::BadArguments)?;
        let parent_path = path::parent_to_delete_from(path).ok_or(Code::BadArguments)?;
        let node = self.find(path)?;
        if node.state.children > 0 {
            return Err(Code::NotEmpty);
        }
        match self.owner(&node) {
            Owner::Container | Owner::Ttl { .. } => {}
            Owner::Persistent | Owner::Ephemeral(_) => return Err(Code::BadVersion),
        }
        let parent = self.find(parent_path)?;
        self.delete_node(path, &node, parent_path, parent, out);
        Ok(())
    }

    fn delete_node(&mut self, path: &str, node: &Found, parent_path: &str, parent: Found, out: &mut Vec<u8>) {
        DeleteTxn { path: Some(Cow::Borrowed(path)) }.encode(out);
        self.lose_child(parent_path, parent);
        self.remove(path, node);
        self.use_quota(path, Usage { nodes: -1, bytes: -quota::signed(node.state.data_bytes) });
    }

    pub(super) fn set_data(&mut self, request: SetDataRequest<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
        self.check_session()?;
        let SetDataRequest { path: given, data, version: expected } = request;
        let path = given.as_deref().filter(|path| path::is_valid(path)).ok_or(Code::BadArguments)?;
        let mut node = self.find(path)?;
        self.permit(&node, Perms::WRITE)?;
        let before = quota::signed(node.state.data_bytes);
        let after = quota::signed(data.map_or(0, <[u8]>::len));
        let usage = Usage { nodes: 0, bytes: after - before };
        self.check_quota(path, usage)?;
        let version = next_version(node.state.stat.version, expected)?;
        SetDataTxn { path: Some(Cow::Borrowed(path)), data, version }.encode(out);

        let stat = &mut node.state.stat;
        (stat.version, stat.mtime, stat.mzxid) = (version, self.time_ms, self.zxid);
        self.renew(path, node, data);
        self.use_quota(path, usage);
        Ok(())
    }

    pub(super) fn set_acl(&mut self, request: SetAclRequest<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
        self.check_session()?;
        let SetAclRequest { path: given, acl, version: expected } = request;
        let path = given.as_deref().filter(|path| path::is_valid(path)).ok_or(Code::BadArguments)?;
        let acl = auth::check_acl(&self.options.auth, acl, self.caller.ids)?;
        let mut node = self.find(path)?;
        self.permit(&node, Perms::ADMIN)?;
        let version = next_version(node.state.stat.aversion, expected)?;
        let future = future_acl(&acl);
        SetAclTxn { path: Some(Cow::Borrowed(path)), acl: Some(acl), version }.encode(out);

        node.acl = future;
        self.update(path, node, |state| state.stat.aversion = version);
        Ok(())
    }

    /// Changes nothing; the number written is what a `setData` would have given, and nobody reads it.
    pub(super) fn check(&mut self, request: CheckVersionRequest<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
        self.check_session()?;
        let CheckVersionRequest { path: given, version: expected } = request;
        let path = given.as_deref().filter(|path| path::is_valid(path)).ok_or(Code::BadArguments)?;
        let node = self.find(path)?;
        self.permit(&node, Perms::READ)?;
        let version = next_version(node.state.stat.version, expected)?;
        CheckVersionTxn { path: given, version }.encode(out);
        Ok(())
    }
}
