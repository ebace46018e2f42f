//! What a member heard on its election port, read off the wire: how others voted since it last decided.

use std::collections::{BTreeMap, BTreeSet};

use proto::quorum::{Greeting, GreetingError, Notification};
use proto::{DecodeError, Reader, Sid};

use crate::net::Key;

/// The longest message that is believed.
const MESSAGE_BYTES_MAX: usize = 1 << 16;

/// One connection, as far as it has been read.
#[derive(Debug)]
struct Line {
    from: Sid,
    /// Whoever calls says first who it is.
    greets: bool,
    bytes: Vec<u8>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Heard {
    lines: BTreeMap<Key, Line>,
    /// For whom each member voted.
    votes: BTreeMap<Sid, BTreeSet<Sid>>,
}

impl Heard {
    /// Bytes came from a member. `greets`: it called.
    pub fn hear(&mut self, key: Key, from: Sid, greets: bool, bytes: &[u8]) {
        let line = self.lines.entry(key).or_insert(Line { from, greets, bytes: Vec::new() });
        line.bytes.extend_from_slice(bytes);
        let mut reader = Reader::new(&line.bytes);
        if line.greets {
            match Greeting::decode(&mut reader) {
                Err(GreetingError::Malformed(DecodeError::Truncated)) => return,
                _ => line.greets = false,
            }
        }
        let mut rest = reader.rest();
        while let Some((length, behind)) = rest.split_first_chunk::<4>()
            && let length = (u32::from_be_bytes(*length) as usize).min(MESSAGE_BYTES_MAX)
            && let Some((message, behind)) = behind.split_at_checked(length)
        {
            if let Ok(Notification { vote, .. }) = Notification::decode(message) {
                self.votes.entry(line.from).or_default().insert(vote.leader);
            }
            rest = behind;
        }
        line.bytes = rest.to_vec();
    }

    /// A connection is gone.
    pub fn forget(&mut self, key: Key) {
        self.lines.remove(&key);
    }

    /// Whether a member was heard to vote for `leader`.
    #[must_use]
    pub fn votes_for(&self, sid: Sid, leader: Sid) -> bool {
        self.votes.get(&sid).is_some_and(|votes| votes.contains(&leader))
    }

    /// An election is over: the next one begins with nothing.
    pub fn decided(&mut self) {
        self.votes.clear();
    }
}
