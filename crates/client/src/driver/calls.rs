//! The requests as calls, with paths as the user knows them.

use std::string::{String, ToString};
use std::vec::Vec;

use proto::{Acl, AclList, Code, Stat};

use crate::{Client, CreateMode, Failure, Request, WatchKind};

/// The znode that holds the membership, outside every chroot. Source: `ZooDefs.CONFIG_NODE`.
const CONFIG: &str = "/zookeeper/config";

/// Each sends one request, waits for its answer, and ends with the [`Failure`] of the request when it has one.
#[expect(clippy::missing_errors_doc, reason = "the same for all of them, said above")]
impl Client {
    /// Makes a znode and gives its path.
    pub fn create(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl<'_>],
        mode: CreateMode,
    ) -> Result<String, Failure> {
        let made = self.call(Request::create(&self.chroot().server_path(path), data, acl, mode))?.path()?;
        Ok(self.chroot().client_path(&made).to_string())
    }

    /// Removes a znode.
    pub fn delete(&self, path: &str, version: i32) -> Result<(), Failure> {
        self.call(Request::delete(&self.chroot().server_path(path), version)).map(|_| ())
    }

    /// The `Stat` of a znode that may be there.
    pub fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>, Failure> {
        match self.call(Request::exists(&self.chroot().server_path(path), watch)) {
            Err(Failure::Refused(Code::NoNode)) => Ok(None),
            other => other?.stat().map(Some),
        }
    }

    /// What a znode holds.
    pub fn get_data(&self, path: &str, watch: bool) -> Result<(Option<Vec<u8>>, Stat), Failure> {
        self.call(Request::get_data(&self.chroot().server_path(path), watch))?.data()
    }

    /// Replaces what a znode holds.
    pub fn set_data(&self, path: &str, data: Option<&[u8]>, version: i32) -> Result<Stat, Failure> {
        self.call(Request::set_data(&self.chroot().server_path(path), data, version))?.stat()
    }

    /// Who may do what with a znode.
    pub fn get_acl(&self, path: &str) -> Result<(AclList, Stat), Failure> {
        self.call(Request::get_acl(&self.chroot().server_path(path)))?.acl()
    }

    /// Replaces who may do what with a znode.
    pub fn set_acl(&self, path: &str, acl: &[Acl<'_>], version: i32) -> Result<Stat, Failure> {
        self.call(Request::set_acl(&self.chroot().server_path(path), acl, version))?.stat()
    }

    /// The names of the children, in no order.
    pub fn get_children(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), Failure> {
        self.call(Request::get_children(&self.chroot().server_path(path), watch))?.children()
    }

    /// The paths of this session's ephemeral znodes. The chroot is neither put before `prefix` nor taken off, as in Java.
    pub fn get_ephemerals(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        self.call(Request::get_ephemerals(prefix))?.ephemerals()
    }

    /// How many znodes are below this one.
    pub fn get_all_children_number(&self, path: &str) -> Result<i32, Failure> {
        self.call(Request::get_all_children_number(&self.chroot().server_path(path)))?.total()
    }

    /// The membership of the ensemble.
    pub fn get_config(&self, watch: bool) -> Result<(Option<Vec<u8>>, Stat), Failure> {
        self.call(Request::get_data(CONFIG, watch))?.data()
    }

    /// Changes the membership, and gives the new one.
    pub fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        version: i64,
    ) -> Result<(Option<Vec<u8>>, Stat), Failure> {
        self.call(Request::reconfig(joining, leaving, members, version))?.data()
    }

    /// The identities of the connection, scheme and user.
    pub fn who_am_i(&self) -> Result<Vec<(String, String)>, Failure> {
        self.call(Request::who_am_i())?.identities()
    }

    /// Leaves a persistent watch.
    pub fn add_watch(&self, path: &str, recursive: bool) -> Result<(), Failure> {
        self.call(Request::add_watch(&self.chroot().server_path(path), recursive)).map(|_| ())
    }

    /// Drops watches.
    pub fn remove_watches(&self, path: &str, kind: WatchKind, local: bool) -> Result<(), Failure> {
        self.call(Request::remove_watches(&self.chroot().server_path(path), kind, local)).map(|_| ())
    }
}
