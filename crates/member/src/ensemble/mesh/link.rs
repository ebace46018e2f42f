//! What a mesh keeps of another member, of a connection and of a caller.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use proto::Sid;
use proto::quorum::Greeting;

use crate::ensemble::order::{Address, LinkId};

/// How many of the ports that a caller names are tried.
const PORTS_MAX: usize = 8;

/// Another member, or a caller that is in no configuration as long as it has a link.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) addresses: Vec<Address>,
    /// Where a caller that is in no configuration came from.
    pub(super) stranger_from: Option<IpAddr>,
    pub(super) live: Option<LinkId>,
    pub(super) dialling: Option<LinkId>,
    /// Until when it is not asked once more to call.
    pub(super) asked_until_ms: u64,
    /// The last message for it, sent or not.
    pub(super) last: Option<Vec<u8>>,
    pub(super) unsent: bool,
}

impl Other {
    pub(super) fn new(addresses: Vec<Address>, stranger_from: Option<IpAddr>) -> Self {
        let (live, dialling, last) = (None, None, None);
        Self { addresses, stranger_from, live, dialling, asked_until_ms: 0, last, unsent: false }
    }

    pub(super) fn is_member(&self) -> bool {
        self.stranger_from.is_none()
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Called by this member; not connected yet.
    Dialling(Sid),
    /// Connected to a larger id: hangs up when the greeting is out.
    Greeting { to: Sid, deadline_ms: u64 },
    /// Called by another, which has not said who it is.
    Pending { deadline_ms: u64 },
    /// The connection with that member.
    Live(Sid),
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) state: State,
    /// From where it was called; `None` if this member called.
    pub(super) from: Option<IpAddr>,
    /// The other end is where the configuration says.
    pub(super) proven: bool,
    /// When it went live.
    pub(super) live_ms: u64,
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) dirty: bool,
}

impl Link {
    pub(super) fn new(state: State, from: Option<IpAddr>, proven: bool) -> Self {
        let (input, output) = (Vec::new(), Vec::new());
        Self { state, from, proven, live_ms: 0, input, output, dirty: false }
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending { .. })
    }

    /// When it has to be over, if not by a word of the driver.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        match self.state {
            State::Pending { deadline_ms } | State::Greeting { deadline_ms, .. } => Some(deadline_ms),
            State::Dialling(_) | State::Live(_) => None,
        }
    }
}

/// Who calls, by its own word, and where it says it can be called. The hosts it names are not believed.
pub(super) struct Caller {
    pub(super) sid: Sid,
    pub(super) ports: Vec<u16>,
}

impl Caller {
    pub(super) fn of(greeting: &Greeting<'_>) -> Self {
        match greeting {
            Greeting::Sid(sid) => Self { sid: *sid, ports: Vec::new() },
            Greeting::Addressed { sid, addresses, .. } => {
                let mut ports: Vec<_> = addresses.iter().map(|at| at.port).collect();
                ports.sort_unstable();
                ports.dedup();
                ports.truncate(PORTS_MAX);
                Self { sid: *sid, ports }
            }
        }
    }
}

pub(super) fn called_back(from: IpAddr, ports: &[u16]) -> Vec<Address> {
    ports.iter().map(|&port| Address { host: from.to_string(), port }).collect()
}
