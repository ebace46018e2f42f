//! What can be asked for, as bytes, with what a success means for the watches.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use proto::{
    Acl, AddWatchRequest, CreateRequest, CreateTtlRequest, DeleteRequest, Encode, GetEphemeralsRequest,
    MultiHeader, MultiItem, OpCode, PathRequest, PathWatchRequest, ReconfigRequest, SetAclRequest,
    SetDataRequest, Text, WatchesRequest,
};

/// The kinds of znode. Source: `CreateMode`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CreateMode {
    /// Stays until it is deleted.
    Persistent,
    /// Goes with its session.
    Ephemeral,
    /// Persistent, with a number behind its name.
    PersistentSequential,
    /// Ephemeral, with a number behind its name.
    EphemeralSequential,
    /// Goes when its last child has gone.
    Container,
    /// Goes when it has been childless and unset for so many milliseconds.
    Ttl(i64),
    /// The same, with a number behind its name.
    TtlSequential(i64),
}

impl CreateMode {
    /// The number on the wire.
    fn flags(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => 1,
            Self::PersistentSequential => 2,
            Self::EphemeralSequential => 3,
            Self::Container => 4,
            Self::Ttl(_) => 5,
            Self::TtlSequential(_) => 6,
        }
    }

    /// Whether the server appends a number to the name.
    #[must_use]
    pub fn is_sequential(self) -> bool {
        matches!(self, Self::PersistentSequential | Self::EphemeralSequential | Self::TtlSequential(_))
    }
}

/// Which watches a removal is about. Source: `Watcher.WatcherType`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WatchKind {
    /// Those of `getChildren`.
    Children,
    /// Those of `getData` and `exists`.
    Data,
    /// All.
    Any,
    /// Those of `addWatch`.
    Persistent,
    /// Those of `addWatch` with everything below.
    PersistentRecursive,
}

impl WatchKind {
    /// The number on the wire.
    fn number(self) -> i32 {
        match self {
            Self::Children => 1,
            Self::Data => 2,
            Self::Any => 3,
            Self::Persistent => 4,
            Self::PersistentRecursive => 5,
        }
    }
}

/// The lists a watch can stand in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum List {
    Data,
    Exist,
    Child,
    Persistent,
    PersistentRecursive,
}

/// What an answer changes about the watches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum WatchChange {
    /// A success adds it.
    Add(List, String),
    /// A success adds it to the data watches, `NoNode` to the exist watches.
    AddExist(String),
    /// A success drops them; with `local` any answer does.
    Remove { kind: WatchKind, path: String, local: bool },
}

/// One request. Paths are those the server knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    pub(crate) op: OpCode,
    pub(crate) body: Vec<u8>,
    pub(crate) watch: Option<WatchChange>,
}

fn text(text: &str) -> Text<'_> {
    Some(Cow::Borrowed(text))
}

impl Request {
    fn new(op: OpCode, body: &impl Encode) -> Self {
        let mut bytes = Vec::new();
        body.encode(&mut bytes);
        Self { op, body: bytes, watch: None }
    }

    fn with(mut self, watch: Option<WatchChange>) -> Self {
        self.watch = watch;
        self
    }

    /// A new znode; the reply is a [`CreateReply`](proto::CreateReply), behind a TTL or container a
    /// [`Create2Reply`](proto::Create2Reply), which starts alike.
    #[must_use]
    pub fn create(path: &str, data: Option<&[u8]>, acl: &[Acl<'_>], mode: CreateMode) -> Self {
        let (path, acl, flags) = (text(path), Some(acl.to_vec()), mode.flags());
        let plain = CreateRequest { path, data, acl, flags };
        match mode {
            CreateMode::Ttl(ttl_ms) | CreateMode::TtlSequential(ttl_ms) => {
                let CreateRequest { path, data, acl, flags } = plain;
                Self::new(OpCode::CreateTtl, &CreateTtlRequest { path, data, acl, flags, ttl_ms })
            }
            CreateMode::Container => Self::new(OpCode::CreateContainer, &plain),
            CreateMode::Persistent
            | CreateMode::Ephemeral
            | CreateMode::PersistentSequential
            | CreateMode::EphemeralSequential => Self::new(OpCode::Create, &plain),
        }
    }

    /// Removes a znode; the reply is empty.
    #[must_use]
    pub fn delete(path: &str, version: i32) -> Self {
        Self::new(OpCode::Delete, &DeleteRequest { path: text(path), version })
    }

    /// [`StatReply`](proto::StatReply).
    #[must_use]
    pub fn exists(path: &str, watch: bool) -> Self {
        let change = watch.then(|| WatchChange::AddExist(path.into()));
        Self::new(OpCode::Exists, &PathWatchRequest { path: text(path), watch }).with(change)
    }

    /// [`DataReply`](proto::DataReply).
    #[must_use]
    pub fn get_data(path: &str, watch: bool) -> Self {
        let change = watch.then(|| WatchChange::Add(List::Data, path.into()));
        Self::new(OpCode::GetData, &PathWatchRequest { path: text(path), watch }).with(change)
    }

    /// [`StatReply`](proto::StatReply).
    #[must_use]
    pub fn set_data(path: &str, data: Option<&[u8]>, version: i32) -> Self {
        Self::new(OpCode::SetData, &SetDataRequest { path: text(path), data, version })
    }

    /// [`AclReply`](proto::AclReply).
    #[must_use]
    pub fn get_acl(path: &str) -> Self {
        Self::new(OpCode::GetAcl, &PathRequest { path: text(path) })
    }

    /// [`StatReply`](proto::StatReply).
    #[must_use]
    pub fn set_acl(path: &str, acl: &[Acl<'_>], version: i32) -> Self {
        Self::new(OpCode::SetAcl, &SetAclRequest { path: text(path), acl: Some(acl.to_vec()), version })
    }

    /// [`Children2Reply`](proto::Children2Reply).
    #[must_use]
    pub fn get_children(path: &str, watch: bool) -> Self {
        let change = watch.then(|| WatchChange::Add(List::Child, path.into()));
        Self::new(OpCode::GetChildren2, &PathWatchRequest { path: text(path), watch }).with(change)
    }

    /// [`SyncReply`](proto::SyncReply).
    #[must_use]
    pub fn sync(path: &str) -> Self {
        Self::new(OpCode::Sync, &PathRequest { path: text(path) })
    }

    /// Writes, all or none; the reply is for [`decode_multi_results`](proto::decode_multi_results).
    #[must_use]
    pub fn multi(items: &[MultiItem<'_>]) -> Self {
        let mut body = Vec::new();
        for item in items {
            item.encode(&mut body);
        }
        MultiHeader::END.encode(&mut body);
        Self { op: OpCode::Multi, body, watch: None }
    }

    /// [`DataReply`](proto::DataReply) with the new membership.
    ///
    /// * `version`: of the configuration that is to be changed; -1 for any.
    #[must_use]
    pub fn reconfig(
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        version: i64,
    ) -> Self {
        let own = |given: Option<&str>| given.map(|text| Cow::Owned(text.into()));
        let request = ReconfigRequest {
            joining: own(joining),
            leaving: own(leaving),
            new_members: own(members),
            current_config: version,
        };
        Self::new(OpCode::Reconfig, &request)
    }

    /// [`EphemeralsReply`](proto::EphemeralsReply).
    #[must_use]
    pub fn get_ephemerals(prefix: &str) -> Self {
        Self::new(OpCode::GetEphemerals, &GetEphemeralsRequest { prefix: text(prefix) })
    }

    /// [`TotalReply`](proto::TotalReply).
    #[must_use]
    pub fn get_all_children_number(path: &str) -> Self {
        Self::new(OpCode::GetAllChildrenNumber, &PathRequest { path: text(path) })
    }

    /// [`WhoAmIReply`](proto::WhoAmIReply).
    #[must_use]
    pub fn who_am_i() -> Self {
        Self { op: OpCode::WhoAmI, body: Vec::new(), watch: None }
    }

    /// A persistent watch, which needs no znode.
    #[must_use]
    pub fn add_watch(path: &str, recursive: bool) -> Self {
        let list = if recursive { List::PersistentRecursive } else { List::Persistent };
        let request = AddWatchRequest { path: text(path), mode: i32::from(recursive) };
        Self::new(OpCode::AddWatch, &request).with(Some(WatchChange::Add(list, path.into())))
    }

    /// Drops watches.
    ///
    /// * `local`: drop them here also when no server can be told.
    #[must_use]
    pub fn remove_watches(path: &str, kind: WatchKind, local: bool) -> Self {
        let change = WatchChange::Remove { kind, path: path.into(), local };
        let request = WatchesRequest { path: text(path), kind: kind.number() };
        Self::new(OpCode::RemoveWatches, &request).with(Some(change))
    }
}
