//! What clients may see: the committed transactions, replayed in a model that is too simple to be wrong, and each reply and
//! event held against it.
//!
//! Replies carry the zxid of the state they show, and every write owns one, failed ones too; so one pass in the order of
//! zxids is enough (reliability.md §4 "Checking").

use std::collections::{BTreeMap, BTreeSet};

use proto::{Acl, Code, Entry, EventKind, SessionId, Txn, TxnKind, Zxid};

use crate::invariants::Broken;
use crate::net::Host;
use crate::setup::Setup;

/// What a znode holds: the simulated clients write numbers.
pub type Value = u64;

/// A znode with a quota, which no more than [`LIMIT`] children pass.
pub const LIMITED: &str = "/q";
/// See there.
pub const LIMIT: u64 = 4;

/// A write that a client asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// setData of these paths, in a multi if there are several; with the version the first must have.
    Set(Vec<(String, Value)>, Option<i32>),
    /// create of a znode.
    Create {
        /// Where; of a sequential one, the front of its name.
        path: String,
        /// What it holds.
        value: Value,
        /// Whether it goes with its session.
        ephemeral: bool,
        /// Whether a number is appended.
        sequential: bool,
    },
    /// delete.
    Delete(String),
    /// closeSession.
    Close,
}

/// What happens to what a watch looks at.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Watched {
    /// The znode's coming, going and data.
    Data,
    /// The list of its children.
    Children,
}

/// Something watches may tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// By which transaction.
    pub zxid: Zxid,
    /// What.
    pub kind: EventKind,
    /// Of which znode.
    pub path: String,
    reader: Option<String>,
}

impl Change {
    /// Whether a client may be told of it.
    #[must_use]
    pub fn may_see(&self, host: Host) -> bool {
        is_for(self.reader.as_deref(), host)
    }
}

fn is_for(reader: Option<&str>, host: Host) -> bool {
    reader.is_none_or(|reader| reader == Setup::ip(host).to_string())
}

/// The only address that may read, if there is one.
fn reader_of(acl: Option<&Vec<Acl<'_>>>) -> Option<String> {
    let id = &acl?.first()?.id;
    (id.scheme.as_deref() == Some("ip")).then(|| id.id.as_deref().unwrap_or_default().to_owned())
}

/// The life of a znode.
#[derive(Debug)]
struct Life {
    created: Zxid,
    ended: Option<Zxid>,
    owner: SessionId,
    /// The only address that may read and write it, if there is one.
    reader: Option<String>,
    /// Each write of it, from its creation on.
    values: Vec<(Zxid, Value)>,
}

/// What a znode looks like at some zxid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Look {
    /// czxid
    pub created: Zxid,
    /// mzxid
    pub modified: Zxid,
    /// Its data.
    pub value: Value,
    /// How often its data was set.
    pub version: i32,
    /// Its session, if it is ephemeral.
    pub owner: SessionId,
}

/// What a committed transaction came to.
#[derive(Clone, Debug)]
struct Done {
    session: SessionId,
    cxid: i32,
    /// The code, if it changed nothing.
    error: Option<i32>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Model {
    lives: BTreeMap<String, Vec<Life>>,
    /// When the list of children of a znode changed.
    lists: BTreeMap<String, Vec<Zxid>>,
    /// When a session was opened and closed.
    sessions: BTreeMap<SessionId, (Zxid, Option<Zxid>)>,
    ephemerals: BTreeMap<SessionId, BTreeSet<String>>,
    done: BTreeMap<Zxid, Done>,
    /// Which transaction a request became.
    by_request: BTreeMap<(SessionId, i32), Zxid>,
    /// What was asked.
    requests: BTreeMap<(SessionId, i32), Write>,
    /// Who has which session.
    hosts: BTreeMap<SessionId, Host>,
    /// What watches may tell, in order.
    changes: Vec<Change>,
    /// The newest write that was answered: whoever writes later must come behind it.
    answered: Zxid,
    /// Children of [`LIMITED`].
    limited: u64,
    /// Sessions that ended without their client's wish, to be looked at by who knows the time.
    pub ended: Vec<SessionId>,
    last: Zxid,
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

fn value_of(data: Option<&[u8]>) -> Value {
    data.and_then(|data| data.try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// Whether it failed. A multi is done as a whole or not at all: with an error in it, it changes nothing.
fn changes_nothing(txn: &Txn<'_>) -> bool {
    if let Txn::Multi(subs) = txn {
        return subs.iter().any(|sub| matches!(Txn::decode_sub(sub), Ok(Txn::Error(_))));
    }
    matches!(txn, Txn::Error(_))
}

fn broken<T>(text: String) -> Result<T, Broken> {
    Err(Broken(text))
}

impl Model {
    /// The newest write that was answered.
    #[must_use]
    pub fn answered(&self) -> Zxid {
        self.answered
    }

    /// A session is that of a client there.
    pub fn is_of(&mut self, session: SessionId, host: Host) {
        self.hosts.insert(session, host);
    }

    /// How many changes there were up to a transaction.
    #[must_use]
    pub fn changes_up_to(&self, zxid: Zxid) -> usize {
        self.changes.partition_point(|change| change.zxid <= zxid)
    }

    /// The changes behind the first `n`.
    #[must_use]
    pub fn changes(&self, n: usize) -> &[Change] {
        self.changes.get(n..).unwrap_or_default()
    }

    /// Whether a client may see a znode as it was at `zxid`, or was at last.
    #[must_use]
    pub fn may_see(&self, path: &str, zxid: Zxid, host: Host) -> bool {
        let life =
            self.lives.get(path).and_then(|lives| lives.iter().rev().find(|life| life.created <= zxid));
        is_for(life.and_then(|life| life.reader.as_deref()), host)
    }

    fn changed(&mut self, zxid: Zxid, kind: EventKind, path: &str, reader: Option<String>) {
        self.changes.push(Change { zxid, kind, path: path.to_owned(), reader });
        if matches!(kind, EventKind::Created | EventKind::Deleted) {
            let (kind, path) = (EventKind::ChildrenChanged, parent(path).to_owned());
            self.changes.push(Change { zxid, kind, path, reader: None });
        }
    }

    /// How many requests became transactions.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.by_request.len()
    }

    /// A client asks for a write.
    pub fn ask(&mut self, session: SessionId, xid: i32, write: Write) {
        self.requests.insert((session, xid), write);
    }

    /// The next committed transaction.
    ///
    /// # Errors
    /// If it does what nobody asked for (C7), does it twice (C12), or does not fit.
    pub fn apply(&mut self, zxid: Zxid, payload: &[u8]) -> Result<(), Broken> {
        let entry = Entry::decode(payload)
            .map_err(|error| Broken(format!("{zxid} is committed and cannot be read: {error}")))?;
        let header = entry.header;
        if header.zxid != zxid {
            return broken(format!("{zxid} is committed with {} in its header", header.zxid));
        }
        self.last = zxid;
        let error = if let Txn::Error(error) = &entry.txn { Some(error.err) } else { None };
        self.done.insert(zxid, Done { session: header.session, cxid: header.cxid, error });
        let is_asked = header.cxid > 0;
        if is_asked && let Some(first) = self.by_request.insert((header.session, header.cxid), zxid) {
            return broken(format!(
                "request {} of session {} became {first} and {zxid}",
                header.cxid, header.session
            ));
        }
        let asked = self.requests.get(&(header.session, header.cxid)).filter(|_| is_asked);
        if error == Some(Code::NodeExists.number())
            && matches!(asked, Some(Write::Create { sequential: true, .. }))
        {
            return broken(format!("the number of {asked:?} was given before (M4)"));
        }
        if error.is_none() && is_asked {
            self.check_asked(zxid, header.session, header.cxid, &entry.txn)?;
        }
        let is_open = self.sessions.get(&header.session).is_some_and(|(_, closed)| closed.is_none());
        // A session may be closed twice, by two processes that use it.
        let of_sessions = [TxnKind::CreateSession, TxnKind::CloseSession].map(TxnKind::number);
        let is_idle = of_sessions.contains(&header.kind) || changes_nothing(&entry.txn);
        if is_asked && !is_open && !is_idle {
            return broken(format!(
                "{zxid} is of session {}, which is not open, and does {:?} (C9)",
                header.session, entry.txn
            ));
        }
        self.carry_out(zxid, header.session, header.cxid, &entry.txn)
    }

    /// C7: what is done was asked for.
    fn check_asked(&self, zxid: Zxid, session: SessionId, cxid: i32, txn: &Txn<'_>) -> Result<(), Broken> {
        let Some(asked) = self.requests.get(&(session, cxid)) else {
            return broken(format!(
                "{zxid} is request {cxid} of session {session}, which its client never made"
            ));
        };
        if let (Txn::SetData(set), Some(&host)) = (txn, self.hosts.get(&session)) {
            let path = set.path.as_deref().unwrap_or_default();
            if !self.may_see(path, zxid, host) {
                return broken(format!("{zxid} sets {path}, which its client may not (C13)"));
            }
        }
        let same = match (asked, txn) {
            (Write::Set(puts, _), Txn::SetData(set)) => {
                let [(path, value)] = &puts[..] else {
                    return broken(format!("{zxid} is half a multi (C6)"));
                };
                set.path.as_deref() == Some(path) && value_of(set.data) == *value
            }
            (Write::Set(puts, _), Txn::Multi(subs)) => {
                puts.len() == subs.len()
                    && puts.iter().zip(subs).all(|((path, value), sub)| match Txn::decode_sub(sub) {
                        Ok(Txn::SetData(set)) => {
                            set.path.as_deref() == Some(path) && value_of(set.data) == *value
                        }
                        Ok(Txn::Error(_)) => true,
                        _ => false,
                    })
            }
            (Write::Create { path, value, sequential, .. }, Txn::Create(create) | Txn::Create2(create)) => {
                let given = create.path.as_deref().unwrap_or_default();
                value_of(create.data) == *value
                    && if *sequential { given.starts_with(path) } else { given == path }
            }
            (Write::Create { path, value, sequential: false, .. }, Txn::CreateTtl(create)) => {
                create.path.as_deref() == Some(path) && value_of(create.data) == *value
            }
            (Write::Delete(path), Txn::Delete(delete)) => delete.path.as_deref() == Some(path),
            (Write::Close, Txn::CloseSession(_)) => true,
            _ => false,
        };
        if same { Ok(()) } else { broken(format!("{zxid} does {txn:?}, asked was {asked:?}")) }
    }

    fn carry_out(&mut self, zxid: Zxid, session: SessionId, cxid: i32, txn: &Txn<'_>) -> Result<(), Broken> {
        match txn {
            Txn::CreateSession(_) => {
                if self.sessions.insert(session, (zxid, None)).is_some() {
                    return broken(format!("{zxid} opens session {session}, which was there before (C9)"));
                }
            }
            Txn::CloseSession(_) => {
                if let Some((_, closed @ None)) = self.sessions.get_mut(&session) {
                    *closed = Some(zxid);
                }
                if cxid == 0 {
                    self.ended.push(session);
                }
                for path in self.ephemerals.remove(&session).unwrap_or_default() {
                    self.end(zxid, &path)?;
                }
            }
            Txn::Create(create) | Txn::Create2(create) => {
                let path = create.path.as_deref().unwrap_or_default().to_owned();
                let owner = if create.ephemeral { session } else { SessionId::NONE };
                if create.ephemeral {
                    self.ephemerals.entry(session).or_default().insert(path.clone());
                }
                self.lists.entry(parent(&path).to_owned()).or_default().push(zxid);
                let lives = self.lives.entry(path.clone()).or_default();
                if lives.last().is_some_and(|life| life.ended.is_none()) {
                    return broken(format!("{zxid} creates {path}, which is there"));
                }
                let values = vec![(zxid, value_of(create.data))];
                let reader = reader_of(create.acl.as_ref());
                lives.push(Life { created: zxid, ended: None, owner, reader: reader.clone(), values });
                self.changed(zxid, EventKind::Created, &path, reader);
                if parent(&path) == LIMITED {
                    self.limited += 1;
                }
                if self.limited > LIMIT {
                    return broken(format!("{zxid} creates {path}, beyond the quota"));
                }
            }
            Txn::Delete(delete) => {
                let path = delete.path.as_deref().unwrap_or_default().to_owned();
                if let Some(of) = self.ephemerals.values_mut().find(|of| of.contains(&path)) {
                    of.remove(&path);
                }
                self.end(zxid, &path)?;
            }
            Txn::SetData(set) => {
                let path = set.path.as_deref().unwrap_or_default();
                let life = self.lives.get_mut(path).and_then(|lives| lives.last_mut());
                let Some(life) = life.filter(|life| life.ended.is_none()) else {
                    return broken(format!("{zxid} sets {path}, which is not there"));
                };
                life.values.push((zxid, value_of(set.data)));
                let reader = life.reader.clone();
                self.changed(zxid, EventKind::DataChanged, path, reader);
            }
            Txn::Multi(subs) => {
                if changes_nothing(txn) {
                    return Ok(());
                }
                for sub in subs.iter().filter_map(|sub| Txn::decode_sub(sub).ok()) {
                    self.carry_out(zxid, session, cxid, &sub)?;
                }
            }
            Txn::Error(_)
            | Txn::CreateContainer(_)
            | Txn::CreateTtl(_)
            | Txn::DeleteContainer(_)
            | Txn::Reconfig(_)
            | Txn::SetAcl(_)
            | Txn::Check(_) => {}
        }
        Ok(())
    }

    fn end(&mut self, zxid: Zxid, path: &str) -> Result<(), Broken> {
        let life = self.lives.get_mut(path).and_then(|lives| lives.last_mut());
        let Some(life) = life.filter(|life| life.ended.is_none()) else {
            return broken(format!("{zxid} deletes {path}, which is not there"));
        };
        life.ended = Some(zxid);
        let reader = life.reader.clone();
        self.changed(zxid, EventKind::Deleted, path, reader);
        if parent(path) == LIMITED {
            self.limited -= 1;
        }
        self.lists.entry(parent(path).to_owned()).or_default().push(zxid);
        Ok(())
    }

    /// What a znode looked like behind `zxid`.
    #[must_use]
    pub fn look(&self, path: &str, zxid: Zxid) -> Option<Look> {
        let life = self.lives.get(path)?.iter().rev().find(|life| life.created <= zxid)?;
        if life.ended.is_some_and(|ended| ended <= zxid) {
            return None;
        }
        let set = life.values.partition_point(|(at, _)| *at <= zxid);
        let &(modified, value) = life.values.get(set.checked_sub(1)?)?;
        let version = i32::try_from(set - 1).unwrap_or(i32::MAX);
        Some(Look { created: life.created, modified, value, version, owner: life.owner })
    }

    /// The names below a znode behind `zxid`.
    #[must_use]
    pub fn list(&self, parent: &str, zxid: Zxid) -> BTreeSet<String> {
        let front = format!("{parent}/");
        self.lives
            .range(front.clone()..)
            .take_while(|(path, _)| path.starts_with(&front))
            .filter(|(path, _)| !path[front.len()..].contains('/') && self.look(path, zxid).is_some())
            .map(|(path, _)| path[front.len()..].to_owned())
            .collect()
    }

    /// The first transaction behind `after` that a watch has to tell.
    #[must_use]
    pub fn first_change(&self, path: &str, what: Watched, after: Zxid) -> Option<Zxid> {
        let first = |at: &[Zxid]| at.get(at.partition_point(|at| *at <= after)).copied();
        let mut found = match what {
            Watched::Children => self.lists.get(path).and_then(|at| first(at)),
            Watched::Data => None,
        };
        for life in self.lives.get(path).into_iter().flatten() {
            let ends = life.ended.filter(|ended| *ended > after);
            let data =
                (what == Watched::Data).then(|| life.values.iter().map(|(at, _)| *at).find(|at| *at > after));
            for at in ends.into_iter().chain(data.flatten()) {
                found = Some(found.map_or(at, |found| found.min(at)));
            }
        }
        found
    }

    /// A session was answered with `zxid` as open.
    ///
    /// # Errors
    /// If it is not (C9).
    pub fn check_open(&self, session: SessionId, zxid: Zxid) -> Result<(), Broken> {
        match self.sessions.get(&session) {
            Some((opened, None)) if *opened <= zxid => Ok(()),
            Some((_, Some(closed))) if zxid < *closed => Ok(()),
            known => broken(format!("session {session} is served at {zxid}, but it is {known:?} (C9)")),
        }
    }

    /// Every session that is open.
    pub fn open_sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.iter().filter(|(_, (_, closed))| closed.is_none()).map(|(&session, _)| session)
    }

    /// Whether a session was closed.
    #[must_use]
    pub fn is_closed(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|(_, closed)| closed.is_some())
    }

    /// The reply to a write: its zxid is the transaction's, its code too, and it comes behind every write that was answered
    /// before it was asked for (C1).
    ///
    /// # Errors
    /// If not.
    pub fn check_write(
        &mut self,
        session: SessionId,
        xid: i32,
        floor: Zxid,
        zxid: Zxid,
        code: i32,
    ) -> Result<(), Broken> {
        let Some(done) = self.done.get(&zxid) else {
            return broken(format!(
                "request {xid} of session {session} is answered with {zxid}, which is not committed"
            ));
        };
        if (done.session, done.cxid) != (session, xid) {
            return broken(format!(
                "request {xid} of session {session} is answered with {zxid}, which is request {} of session {}",
                done.cxid, done.session
            ));
        }
        if done.error.unwrap_or(0) != code {
            return broken(format!("{zxid} came to {:?}, its client is told {code}", done.error));
        }
        if zxid <= floor {
            return broken(format!(
                "request {xid} of session {session} became {zxid}, though {floor} was answered before it was made (C1)"
            ));
        }
        self.answered = self.answered.max(zxid);
        Ok(())
    }

    /// A read showed this at `zxid` (C4).
    ///
    /// # Errors
    /// If it was not so.
    pub fn check_look(&self, path: &str, zxid: Zxid, shown: Option<Look>) -> Result<(), Broken> {
        let there = self.look(path, zxid);
        if there == shown {
            return Ok(());
        }
        broken(format!("{path} is shown as {shown:?} at {zxid}, where it is {there:?} (C4)"))
    }

    /// A list of children shown at `zxid` (C4).
    ///
    /// # Errors
    /// If it was not so.
    pub fn check_list(&self, path: &str, zxid: Zxid, shown: &BTreeSet<String>) -> Result<(), Broken> {
        let there = self.list(path, zxid);
        if &there == shown {
            return Ok(());
        }
        let more: Vec<_> = shown.difference(&there).collect();
        let less: Vec<_> = there.difference(shown).collect();
        broken(format!("the children of {path} at {zxid} are shown with {more:?} and without {less:?} (C4)"))
    }

    /// Ephemerals whose session is closed, or that have none (C10).
    #[must_use]
    pub fn orphans(&self) -> Vec<&str> {
        let open = |owner: &SessionId| self.sessions.get(owner).is_some_and(|(_, closed)| closed.is_none());
        self.lives
            .iter()
            .filter(|(_, lives)| {
                lives.last().is_some_and(|life| {
                    life.ended.is_none() && life.owner != SessionId::NONE && !open(&life.owner)
                })
            })
            .map(|(path, _)| path.as_str())
            .collect()
    }
}
