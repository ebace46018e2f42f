//! What one session sees: never backwards, no event lost, doubled or late, no error that its requests do not explain.

use std::collections::BTreeMap;

use super::registers::Registers;
use super::{Allowances, Findings, show};
use crate::checked::connection::BAD_VERSION;
use crate::checked::history::{End, Entry, History, Op, Outcome, Record, Register, SessionLog};

pub(super) fn check(history: &History, registers: &Registers, allowed: &Allowances, findings: &mut Findings) {
    for log in &history.sessions {
        let mut session = Session { id: log.id, zxid: 0, member: 0, watches: BTreeMap::new() };
        for entry in &log.entries {
            session.step(entry, registers, findings);
        }
        if log.end == End::Expired && !allowed.expiry {
            findings.add(format!("session 0x{:x} is gone although its client was there", log.id));
        }
    }
    unique(&history.sessions, findings);
}

/// No two sessions have one id.
fn unique(sessions: &[SessionLog], findings: &mut Findings) {
    let mut ids: Vec<i64> = sessions.iter().map(|log| log.id).collect();
    ids.sort_unstable();
    for pair in ids.windows(2) {
        if let [one, two] = pair
            && one == two
        {
            findings.add(format!("two sessions have the id 0x{one:x}"));
        }
    }
}

/// A session as far as it has been read.
struct Session {
    id: i64,
    /// The highest zxid it has been shown.
    zxid: i64,
    /// Where it is connected.
    member: u64,
    /// The watches of its connection: since which zxid.
    watches: BTreeMap<Register, i64>,
}

impl Session {
    fn step(&mut self, entry: &Entry, registers: &Registers, findings: &mut Findings) {
        match entry {
            Entry::Connected(member) => self.member = *member,
            Entry::Lost => self.watches.clear(),
            Entry::Nonsense(text) => {
                findings.add(format!("session 0x{:x} at member {}: {text}", self.id, self.member))
            }
            Entry::Event(register, zxid) => self.on_event(*register, *zxid, findings),
            Entry::Record(record) if record.returned.is_some() => self.on_reply(record, registers, findings),
            Entry::Record(_) => {}
        }
    }

    /// An event has a watch, and is newer than everything shown before.
    fn on_event(&mut self, register: Register, zxid: i64, findings: &mut Findings) {
        let (id, member) = (self.id, self.member);
        if self.watches.remove(&register).is_none() {
            findings.add(format!(
                "session 0x{id:x} at member {member}: an event for register {register}, unwatched"
            ));
        }
        // Apache 3.8 sends no zxid with its events.
        if zxid > 0 && zxid <= self.zxid {
            findings.add(format!(
                "session 0x{id:x} at member {member}: the event 0x{zxid:x} for register {register} comes after 0x{:x} \
                 was shown",
                self.zxid
            ));
        }
    }

    fn on_reply(&mut self, record: &Record, registers: &Registers, findings: &mut Findings) {
        let (id, member) = (self.id, self.member);
        if record.zxid < self.zxid {
            findings.add(format!(
                "session 0x{id:x} at member {member} goes back from 0x{:x}: {}",
                self.zxid,
                show(record)
            ));
        }
        self.zxid = self.zxid.max(record.zxid);
        for (register, since) in &self.watches {
            if let Some(write) = registers.next_write(*register, *since).filter(|write| *write <= record.zxid)
            {
                findings.add(format!(
                    "session 0x{id:x} at member {member}: no event for 0x{write:x}, which set register {register} \
                     watched since 0x{since:x}, before {}",
                    show(record)
                ));
            }
        }
        // Told once.
        let zxid = record.zxid;
        self.watches.retain(|register, since| {
            registers.next_write(*register, *since).is_none_or(|write| write > zxid)
        });
        if let (Op::Get(register, true), Outcome::Holds(..)) = (&record.op, &record.outcome) {
            self.watches.entry(*register).or_insert(record.zxid);
        }
        if let Outcome::Failed(error) = record.outcome {
            let conditional =
                matches!(&record.op, Op::Set(puts) if puts.iter().any(|put| put.expected != -1));
            if !(conditional && error == BAD_VERSION) {
                findings.add(format!(
                    "session 0x{id:x} at member {member}, an error to a client: {}",
                    show(record)
                ));
            }
        }
    }
}
