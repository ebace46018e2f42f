//! A client for single requests, which are recorded too; and the comparison of whole trees.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::connection::{Connection, Identity, Opened};
use super::history::{End, Entry, Op, Outcome, Record, SessionLog};

/// What members keep for themselves: their own configuration is shown in it.
const NOT_COMPARED: &str = "/zookeeper/config";

/// One session at one member, used step by step.
#[derive(Debug)]
pub struct Auditor {
    connection: Connection,
    log: SessionLog,
    began: Instant,
}

impl Auditor {
    /// Opens a session at a member.
    ///
    /// * `began`: when the history began to which its log will be added.
    ///
    /// # Errors
    /// When the member does not serve.
    pub fn open(sid: u64, address: SocketAddr, identity: &Identity, began: Instant) -> Result<Self> {
        match Connection::open(address, identity)? {
            Opened::Session(connection, identity) => {
                let entries = vec![Entry::Connected(sid)];
                let log = SessionLog { id: identity.id, timeout: identity.timeout, entries, end: End::Alive };
                Ok(Self { connection, log, began })
            }
            Opened::Gone => bail!("member {sid} does not know the session"),
        }
    }

    /// Sends one request, waits for its reply and records both.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn call(&mut self, op: Op) -> Result<Outcome> {
        let invoked = self.began.elapsed();
        let (zxid, outcome) = self.connection.call(&op)?;
        let returned = Some(self.began.elapsed());
        self.log.entries.push(Entry::Record(Record {
            op,
            invoked,
            returned,
            zxid,
            outcome: outcome.clone(),
        }));
        Ok(outcome)
    }

    /// Sends one request whose reply will never be read.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn send_and_forget(&mut self, op: Op) -> Result<()> {
        let invoked = self.began.elapsed();
        self.connection.send(&op)?;
        let record = Record { op, invoked, returned: None, zxid: 0, outcome: Outcome::Unknown };
        self.log.entries.push(Entry::Record(record));
        Ok(())
    }

    /// Ends the session in order and gives what it saw.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn close(mut self) -> Result<SessionLog> {
        self.call(Op::Close)?;
        let zxid = self.log.records().last().map(|record| record.zxid);
        Ok(SessionLog { end: End::Closed(zxid), ..self.log })
    }

    /// Drops the connection without a word and gives what it saw.
    pub fn abandon(self) -> SessionLog {
        let heard_of = self.log.records().last().map_or(self.began.elapsed(), |record| record.invoked);
        SessionLog { end: End::Abandoned(heard_of), ..self.log }
    }

    /// The whole tree as text, one znode a line, as this member shows it after a sync.
    ///
    /// # Errors
    /// When the connection breaks.
    fn tree(&mut self) -> Result<Vec<String>> {
        ensure!(self.call(Op::Sync)? == Outcome::Done, "sync was refused");
        let mut lines = Vec::new();
        let mut to_show = vec!["/".to_owned()];
        while let Some(path) = to_show.pop() {
            let Some((line, children)) = self.connection.show(&path)? else { continue };
            if path != NOT_COMPARED {
                lines.push(line);
            }
            let parent = if path == "/" { "" } else { path.as_str() };
            to_show.extend(children.iter().map(|child| format!("{parent}/{child}")));
        }
        Ok(lines)
    }
}

/// Walks the tree through every member and compares paths, data, Stats and access control lists. Nobody may be writing.
///
/// # Errors
/// When two members differ; the message shows the first znodes that do.
pub fn equal_trees(auditors: &mut [(u64, Auditor)]) -> Result<usize> {
    let mut first: Option<(u64, Vec<String>)> = None;
    for (sid, auditor) in auditors {
        let tree = auditor.tree().with_context(|| format!("walking the tree of member {sid}"))?;
        match &first {
            None => first = Some((*sid, tree)),
            Some((other, wanted)) if *wanted != tree => {
                let different = wanted.iter().zip(&tree).find(|(one, two)| one != two);
                let (one, two) = different.map_or(("", ""), |(one, two)| (one, two));
                bail!(
                    "the trees of members {other} ({} znodes) and {sid} ({} znodes) differ, first here:\n{one}\n{two}",
                    wanted.len(),
                    tree.len()
                );
            }
            Some(_) => {}
        }
    }
    Ok(first.map_or(0, |(_, tree)| tree.len()))
}
