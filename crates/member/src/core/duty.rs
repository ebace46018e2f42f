//! What a core does with writes: decide them, hand them on, or nothing.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use hashbrown::HashMap;
use proto::quorum::LearnerPacket;
use proto::{Encode as _, Id, OpCode, SessionId, Zxid};
use zab::Sole;

use super::Origin;
use crate::front::ConnId;

/// See the module.
#[derive(Debug)]
pub(super) enum Duty {
    /// It decides, and its own disk is the quorum.
    Sole(Sole),
    /// It decides for an ensemble.
    Lead {
        /// The newest proposal.
        proposed: Zxid,
        /// The counter of the last one it may make.
        counter_max: u32,
    },
    /// It hands writes on to its leader.
    Follow(Follow),
    /// Nobody is led or served.
    Idle,
}

/// A learner's book of what it asked its leader.
#[derive(Debug, Default)]
pub(super) struct Follow {
    /// Packets for the leader, as bytes.
    pub(super) out: Vec<u8>,
    /// Connections whose new session is not open yet.
    pub(super) opening: HashMap<SessionId, ConnId>,
    /// Connections that want a session of another connection, perhaps of another member.
    pub(super) revalidating: HashMap<SessionId, ConnId>,
    /// Connections that wait for a SYNC, which carries no name: the oldest gets the next.
    pub(super) syncs: VecDeque<ConnId>,
}

impl Follow {
    /// REQUEST.
    pub(super) fn request(
        &mut self,
        session: SessionId,
        cxid: i32,
        op: OpCode,
        body: &[u8],
        ids: Option<&[Id<'static>]>,
    ) {
        let identities = ids.map(<[Id<'static>]>::to_vec);
        LearnerPacket::Request { session, cxid, kind: op.number(), body, identities }.encode(&mut self.out);
    }

    /// Who waits for a transaction that opens `session`.
    pub(super) fn opened(&mut self, session: SessionId) -> Origin {
        self.opening.remove(&session).map_or(Origin::Server, Origin::Connect)
    }
}
