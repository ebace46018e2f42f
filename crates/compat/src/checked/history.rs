//! What clients did and saw.

use std::time::Duration;

/// The number of a register: a znode that is only ever set and read.
pub type Register = usize;
/// What a register holds. Every write writes another one; 0 is what it was created with.
pub type Value = u64;
/// The number of a znode that is created once and deleted at most once.
pub type Node = u64;
/// Time since the history began.
pub type At = Duration;

/// Registers there are.
pub const REGISTERS: usize = 6;

/// One setData, alone or in a multi.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Put {
    /// Where.
    pub register: Register,
    /// What.
    pub value: Value,
    /// The version the register has to have; -1 for any.
    pub expected: i32,
}

/// A request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Op {
    /// A setData, or a multi of several.
    Set(Vec<Put>),
    /// A create.
    Create(Node, Lasting),
    /// A delete.
    Delete(Node),
    /// A getData with a data watch or without.
    Get(Register, bool),
    /// An exists.
    Exists(Node),
    /// The getChildren that shows all nodes.
    List,
    /// A sync.
    Sync,
    /// A closeSession.
    Close,
}

/// How long a znode lasts by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lasting {
    /// Until it is deleted.
    Persistent,
    /// Until it is deleted or its session ends.
    Ephemeral,
}

/// What came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Nothing: the connection broke.
    Unknown,
    /// This error.
    Failed(i32),
    /// It was done; there is nothing to say beyond the zxid.
    Done,
    /// The versions of the registers after a set.
    Versions(Vec<i32>),
    /// What a register holds, its version, and the zxid of the write that did it.
    Holds(Value, i32, i64),
    /// The zxid of a node's creation, or that it is not there.
    There(Option<i64>),
    /// All nodes that are there.
    Nodes(Vec<Node>),
}

/// A request and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// What was asked.
    pub op: Op,
    /// When it was sent.
    pub invoked: At,
    /// When the reply was there; `None` when there was none.
    pub returned: Option<At>,
    /// The zxid in the reply's header; 0 when there was none.
    pub zxid: i64,
    /// What the reply says.
    pub outcome: Outcome,
}

/// What happened to a session, in the order its client saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// It is connected to the member with this number.
    Connected(u64),
    /// A reply; or, behind [`Entry::Lost`], a request whose reply is lost.
    Record(Record),
    /// An event for a register's data watch, with its zxid (0 or less when the server sends none).
    Event(Register, i64),
    /// The connection is gone, and its watches with it.
    Lost,
    /// The server sent what no server may send.
    Nonsense(String),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// It did not.
    Alive,
    /// By a closeSession, which may have been answered; the zxid then.
    Closed(Option<i64>),
    /// A server said that it is gone.
    Expired,
    /// Its client went away without a word. The time when it sent the last request that was answered.
    Abandoned(At),
}

/// One session from its opening to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionLog {
    /// What the server calls it.
    pub id: i64,
    /// What was agreed on.
    pub timeout: Duration,
    /// What its client saw.
    pub entries: Vec<Entry>,
    /// How it ended.
    pub end: End,
}

impl SessionLog {
    /// Its requests.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Record(record) => Some(record),
            Entry::Connected(_) | Entry::Event(..) | Entry::Lost | Entry::Nonsense(_) => None,
        })
    }
}

/// Everything all clients saw.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// One log per session.
    pub sessions: Vec<SessionLog>,
}

impl History {
    /// The requests of all sessions.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.sessions.iter().flat_map(SessionLog::records)
    }

    /// One line that says how much there is.
    pub fn summary(&self) -> String {
        let count = |wanted: fn(&Record) -> bool| self.records().filter(|record| wanted(record)).count();
        let entries = |wanted: fn(&Entry) -> bool| {
            self.sessions.iter().flat_map(|session| &session.entries).filter(|entry| wanted(entry)).count()
        };
        format!(
            "{} sessions, {} writes and {} reads answered, {} events, {} connections lost, {} results unknown",
            self.sessions.len(),
            count(|record| record.op.writes() && record.outcome != Outcome::Unknown),
            count(|record| !record.op.writes() && record.outcome != Outcome::Unknown),
            entries(|entry| matches!(entry, Entry::Event(..))),
            entries(|entry| matches!(entry, Entry::Lost)),
            count(|record| record.op.writes() && record.outcome == Outcome::Unknown),
        )
    }
}

impl Op {
    /// Whether it owns a zxid, also when it fails.
    pub fn writes(&self) -> bool {
        match self {
            Self::Set(_) | Self::Create(..) | Self::Delete(_) | Self::Close => true,
            Self::Get(..) | Self::Exists(_) | Self::List | Self::Sync => false,
        }
    }
}
