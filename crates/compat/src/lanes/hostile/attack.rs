//! The list of attacks.

use anyhow::Result;

use super::{framing, greedy, silence};
use crate::harness::Server;

/// Against whom an attack is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    /// Apache's server bears it as well.
    Everybody,
    /// Apache's server is known not to, or to behave otherwise.
    OursOnly,
}

/// One attack.
pub(super) struct Attack {
    /// What it is called in the results.
    pub(super) name: &'static str,
    pub(super) who: Who,
    /// Makes it, and says what the server did wrong.
    pub(super) run: fn(&Server) -> Result<()>,
}

/// All of them, in the order they are made.
pub(super) const ALL: &[Attack] = &[
    Attack { name: "nonsense before the handshake", who: Who::Everybody, run: framing::before_the_handshake },
    Attack { name: "nonsense in a session", who: Who::Everybody, run: framing::in_a_session },
    Attack { name: "frames cut off by the end", who: Who::Everybody, run: framing::cut_off },
    Attack { name: "a flood of connections", who: Who::Everybody, run: framing::flood },
    Attack { name: "silent connections", who: Who::Everybody, run: silence::silent },
    Attack { name: "dripping connections", who: Who::OursOnly, run: silence::dripping },
    Attack { name: "2000 announced and never sent", who: Who::OursOnly, run: silence::announced },
    Attack { name: "2000 half sent", who: Who::OursOnly, run: silence::half_sent },
    Attack { name: "half sent in sessions", who: Who::OursOnly, run: silence::half_sent_in_sessions },
    Attack { name: "large replies never read", who: Who::OursOnly, run: greedy::never_reads },
    Attack { name: "large replies behind a write", who: Who::OursOnly, run: greedy::behind_a_write },
    Attack { name: "a multiRead of a large reply", who: Who::OursOnly, run: greedy::multi_read },
    Attack { name: "a four-letter answer never read", who: Who::OursOnly, run: greedy::unread_word },
    Attack { name: "slow readers of many events", who: Who::Everybody, run: greedy::slow_readers },
    Attack { name: "giant setWatches", who: Who::Everybody, run: greedy::giant_set_watches },
    Attack { name: "giant multi", who: Who::Everybody, run: greedy::giant_multi },
    Attack { name: "giant and deep paths", who: Who::Everybody, run: greedy::giant_paths },
    Attack { name: "sessions with ephemerals dropped", who: Who::Everybody, run: greedy::dropped_sessions },
];
