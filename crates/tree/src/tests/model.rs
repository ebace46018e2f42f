//! A tree that is obviously right and obviously slow: a map from path to everything.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proto::{Acl, AclList, Code, Id, Stat, StatPersisted, Zxid};

use super::script::{Kind, Op, effective};
use crate::{Outcome, Owner, QuotaNumbers, Tree, node_digest};

const QUOTA: &str = "/zookeeper/quota";

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Znode {
    pub(super) data: Option<Vec<u8>>,
    pub(super) acl: AclList,
    pub(super) stat: StatPersisted,
}

/// Keyed by path; the root is the empty one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Model {
    pub(super) znodes: BTreeMap<String, Znode>,
    pub(super) sessions: BTreeMap<i64, i32>,
    pub(super) zxid: i64,
}

fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

fn up(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

fn length(data: &Option<Vec<u8>>) -> i64 {
    i64::try_from(data.as_ref().map_or(0, Vec::len)).unwrap()
}

impl Model {
    pub(super) fn new() -> Self {
        let open =
            Znode { data: Some(Vec::new()), acl: Vec::from([Acl::open()]), stat: StatPersisted::default() };
        let config = Znode {
            acl: Vec::from([Acl { perms: 1, id: Id::new("world", "anyone") }]),
            stat: StatPersisted { aversion: -1, ..open.stat },
            ..open.clone()
        };
        let paths = ["", "/zookeeper", QUOTA].map(|path| (path.to_string(), open.clone()));
        let mut znodes = BTreeMap::from(paths);
        znodes.insert("/zookeeper/config".to_string(), config);
        Self { znodes, sessions: BTreeMap::new(), zxid: 0 }
    }

    pub(super) fn children(&self, path: &str) -> BTreeSet<String> {
        let children = self.znodes.keys().filter(|other| up(other) == Some(path));
        children.map(|child| child[path.len() + 1..].to_string()).collect()
    }

    fn below(&self, path: &str) -> Vec<String> {
        let inside = |other: &&String| **other == path || other.starts_with(&(path.to_string() + "/"));
        self.znodes.keys().filter(inside).cloned().collect()
    }

    pub(super) fn stat(&self, path: &str) -> Stat {
        let Znode { data, stat, .. } = &self.znodes[path];
        let num_children = i32::try_from(self.children(path).len()).unwrap();
        let length = data.as_ref().map_or(0, Vec::len);
        let ephemeral = Owner::Ephemeral(proto::SessionId(stat.ephemeral_owner));
        let special = stat.ephemeral_owner == i64::MIN || stat.ephemeral_owner >> 56 == -1;
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            cversion: stat.cversion.wrapping_mul(2).wrapping_sub(num_children),
            aversion: stat.aversion,
            ephemeral_owner: if special { proto::SessionId::NONE } else { ephemeral.session() },
            data_length: i32::try_from(length).unwrap(),
            num_children,
            pzxid: stat.pzxid,
        }
    }

    pub(super) fn digest(&self) -> u64 {
        let each = self
            .znodes
            .iter()
            .map(|(path, znode)| node_digest(path, znode.data.as_deref().unwrap_or_default(), &znode.stat));
        each.fold(0, u64::wrapping_add)
    }

    pub(super) fn apply(&mut self, op: &Op, session: i64, zxid: i64) -> Outcome {
        self.zxid = self.zxid.max(zxid);
        let Op::Multi(items) = op else { return self.one(op, session, zxid) };
        let failure = items.iter().position(|item| matches!(item, Op::Fail));
        let results = items.iter().enumerate().map(|(at, item)| match failure {
            None => self.one(item, session, zxid),
            Some(_) if matches!(item, Op::Fail) => Outcome::Failed(Code::BadVersion),
            Some(failure) if at < failure => Outcome::Failed(Code::Ok),
            Some(_) => Outcome::Failed(Code::RuntimeInconsistency),
        });
        Outcome::Multi(results.collect())
    }

    fn one(&mut self, op: &Op, session: i64, zxid: i64) -> Outcome {
        let time = 1000 + zxid;
        match op {
            Op::Create { kind, path, data, acl, parent_cversion } => {
                let owner = match kind {
                    Kind::Plain | Kind::Plain2 => 0,
                    Kind::Ephemeral => session,
                    Kind::Container => i64::MIN,
                    Kind::Ttl => Owner::Ttl { ms: 1234 }.encode(),
                };
                let stat = StatPersisted {
                    czxid: Zxid(zxid),
                    mzxid: Zxid(zxid),
                    ctime: time,
                    mtime: time,
                    ephemeral_owner: owner,
                    pzxid: Zxid(zxid),
                    ..StatPersisted::default()
                };
                let late = matches!(kind, Kind::Plain | Kind::Ephemeral);
                let znode = Znode { data: data.clone(), acl: effective(*acl), stat };
                self.create(path, znode, *parent_cversion, late, zxid)
            }
            Op::Delete { path } => self.delete(path, zxid),
            Op::SetData { path, data, version } => {
                let Some(znode) = self.znodes.get_mut(key(path)) else {
                    return Outcome::Failed(Code::NoNode);
                };
                let old = core::mem::replace(&mut znode.data, data.clone());
                (znode.stat.version, znode.stat.mzxid, znode.stat.mtime) = (*version, Zxid(zxid), time);
                let stat = self.stat(key(path));
                self.count(path, 0, length(data) - length(&old));
                Outcome::Set(stat)
            }
            Op::SetAcl { path, acl, version } => {
                let Some(znode) = self.znodes.get_mut(key(path)) else {
                    return Outcome::Failed(Code::NoNode);
                };
                (znode.acl, znode.stat.aversion) = (effective(*acl), *version);
                Outcome::Set(self.stat(key(path)))
            }
            Op::OpenSession { timeout_ms } => {
                self.sessions.insert(session, *timeout_ms);
                Outcome::Done
            }
            Op::CloseSession { listed } => {
                for path in listed {
                    self.delete(path, zxid);
                }
                let owned = self.znodes.iter().filter(|(_, znode)| znode.stat.ephemeral_owner == session);
                for path in owned.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
                    if self.znodes.contains_key(&path) {
                        self.delete(&path, zxid);
                    }
                }
                self.sessions.remove(&session);
                Outcome::Done
            }
            Op::Check { .. } => Outcome::Done,
            Op::Fail => Outcome::Failed(Code::BadVersion),
            Op::Multi(_) => unreachable!("a multi has no multi inside"),
        }
    }

    fn raise(&mut self, parent: &str, given: i32, zxid: i64) {
        let stat = &mut self.znodes.get_mut(parent).unwrap().stat;
        let cversion = if given == -1 { stat.cversion.wrapping_add(1) } else { given };
        if cversion > stat.cversion {
            (stat.cversion, stat.pzxid) = (cversion, Zxid(zxid));
        }
    }

    fn create(&mut self, path: &str, znode: Znode, given: i32, late: bool, zxid: i64) -> Outcome {
        let parent = up(path).unwrap();
        if !self.znodes.contains_key(parent) {
            return Outcome::Failed(Code::NoNode);
        }
        if let Some(there) = self.znodes.get_mut(key(path)) {
            there.acl = znode.acl;
            if late {
                self.raise(parent, given, zxid);
            }
            return Outcome::Failed(Code::NodeExists);
        }
        self.raise(parent, given, zxid);
        let bytes = length(&znode.data);
        self.znodes.insert(path.to_string(), znode);
        let stat = self.stat(path);
        let subject = path.strip_prefix(QUOTA).and_then(|rest| {
            let limits = rest.strip_suffix("/zookeeper_limits").filter(|subject| !subject.is_empty());
            limits.or(rest.strip_suffix("/zookeeper_stats"))
        });
        if let Some(subject) = subject {
            let below = if self.znodes.contains_key(subject) { self.below(subject) } else { Vec::new() };
            let bytes: i64 = below.iter().map(|path| length(&self.znodes[path].data)).sum();
            let text = alloc::format!("count={},bytes={bytes}", below.len());
            let stats = alloc::format!("{}/zookeeper_stats", up(path).unwrap());
            if let Some(stats) = self.znodes.get_mut(&stats) {
                stats.data = Some(text.into_bytes());
            }
        }
        self.count(path, 1, bytes);
        Outcome::Created(stat)
    }

    fn delete(&mut self, path: &str, zxid: i64) -> Outcome {
        let Some(parent) = self.znodes.get_mut(up(path).unwrap()) else {
            return Outcome::Failed(Code::NoNode);
        };
        parent.stat.pzxid = parent.stat.pzxid.max(Zxid(zxid));
        if !self.znodes.contains_key(path) {
            return Outcome::Failed(Code::NoNode);
        }
        // Children before their parents.
        let mut gone = self.below(path);
        gone.reverse();
        for path in gone {
            let znode = self.znodes.remove(&path).unwrap();
            self.count(&path, -1, -length(&znode.data));
        }
        Outcome::Done
    }

    /// Counts in the deepest quota above `path`.
    fn count(&mut self, path: &str, count: i64, bytes: i64) {
        let mut at = path;
        while !at.is_empty() && at != "/" {
            if self.znodes.contains_key(&alloc::format!("{QUOTA}{at}/zookeeper_limits")) {
                let Some(stats) = self.znodes.get_mut(&alloc::format!("{QUOTA}{at}/zookeeper_stats")) else {
                    return;
                };
                let old = QuotaNumbers::parse(stats.data.as_deref().unwrap_or_default());
                let (count, bytes) = (old.count + count, old.bytes + bytes);
                stats.data = Some(alloc::format!("count={count},bytes={bytes}").into_bytes());
                return;
            }
            at = up(at).unwrap();
        }
    }

    /// Everything a tree shows, against everything known here.
    pub(super) fn assert_shown_by(&self, tree: &Tree) {
        assert_eq!(tree.last_zxid(), Zxid(self.zxid));
        assert_eq!(tree.digest(), self.digest());
        assert_eq!(tree.node_count(), self.znodes.len() as u64 + 1);
        let sessions = tree.sessions().iter().map(|(session, timeout_ms)| (session.0, *timeout_ms));
        assert_eq!(sessions.collect::<BTreeMap<_, _>>(), self.sessions);
        let mut owners: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        let (mut size, mut lists) = (1, BTreeMap::new());
        for (path, znode) in &self.znodes {
            let node = tree.node(tree.find(path).unwrap_or_else(|| panic!("{path} is missing")));
            assert_eq!(node.persisted(), znode.stat, "{path}");
            assert_eq!(node.stat(), self.stat(path), "{path}");
            assert_eq!(node.data(), znode.data.as_deref(), "{path}");
            assert_eq!(node.acl(), &znode.acl, "{path}");
            assert_eq!(node.path(), if path.is_empty() { "/" } else { path });
            assert_eq!(node.parent().is_none(), path.is_empty());
            assert_eq!(node.digest(), node_digest(path, node.data().unwrap_or_default(), &znode.stat));
            let children: Vec<String> = node.children().map(Into::into).collect();
            assert_eq!(children.len(), node.child_count() as usize);
            assert_eq!(children.into_iter().collect::<BTreeSet<_>>(), self.children(path), "{path}");
            assert_eq!(tree.descendants(node.id()), self.below(path).len() as u64 - 1, "{path}");
            owners.entry(znode.stat.ephemeral_owner).or_default().insert(node.path());
            size += path.encode_utf16().count() as u64 + znode.data.as_ref().map_or(0, Vec::len) as u64;
            *lists.entry(node.acl_id()).or_insert(0) += 1;
        }
        assert_eq!(tree.approximate_data_size(), size);
        lists.remove(&-1);
        assert_eq!(tree.acls.uses(), lists);
        let paths = |ids: &mut dyn Iterator<Item = crate::NodeId>| -> BTreeSet<String> {
            ids.map(|id| tree.node(id).path()).collect()
        };
        owners.remove(&0);
        let ttl = Owner::Ttl { ms: 1234 }.encode();
        assert_eq!(paths(&mut tree.containers()), owners.remove(&i64::MIN).unwrap_or_default());
        assert_eq!(paths(&mut tree.ttl_nodes()), owners.remove(&ttl).unwrap_or_default());
        let ephemerals = tree.sessions_with_ephemerals();
        let ephemerals = ephemerals.map(|session| (session.0, paths(&mut tree.ephemerals(session))));
        assert_eq!(ephemerals.collect::<BTreeMap<_, _>>(), owners);
        self.assert_quotas_shown_by(tree);
    }

    fn assert_quotas_shown_by(&self, tree: &Tree) {
        let subject = |path: &String| {
            let subject = path.strip_prefix(QUOTA)?.strip_suffix("/zookeeper_limits")?;
            (!subject.is_empty()).then(|| subject.to_string())
        };
        let subjects: BTreeSet<String> = self.znodes.keys().filter_map(subject).collect();
        assert_eq!(tree.quotas().map(|quota| quota.prefix).collect::<BTreeSet<_>>(), subjects);
        for path in self.znodes.keys() {
            let covers =
                |subject: &&String| *subject == path || path.starts_with(&alloc::format!("{subject}/"));
            let deepest = subjects.iter().filter(covers).max_by_key(|subject| subject.len());
            assert_eq!(tree.quota(path).map(|quota| quota.prefix).as_ref(), deepest, "{path}");
        }
    }
}
