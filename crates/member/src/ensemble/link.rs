//! A connection on the quorum port: bytes that came, bytes to send, and what a learner is being sent.

use alloc::vec::Vec;
use core::net::IpAddr;

use mutants::mutant;
use proto::quorum::LeaderPacket;
use proto::{Encode as _, Id, Sid, Zxid};
use tree::WalkId;

/// What a learner gets as it happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Feed {
    /// A follower: PROPOSAL, and COMMIT later.
    Proposals,
    /// An observer: INFORM.
    Informs,
}

/// What is sent to a learner piece by piece, as it takes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stream {
    /// From the log: what was sent, and where the memory takes over.
    Log { after: Zxid, upto: Zxid, is_begun: bool },
    /// The tree.
    Picture(WalkId),
}

/// Who called this member's quorum port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor {
    pub(super) from: IpAddr,
    /// Who it says it is.
    pub(super) sid: Option<Sid>,
    /// It comes from where that member is configured to be.
    pub(super) is_proven: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// `None` on the link to the leader, which this member called.
    pub(super) visitor: Option<Visitor>,
    /// The front of a packet whose rest has not come, or what has to wait.
    pub(super) input: Vec<u8>,
    /// To be sent.
    pub(super) out: Vec<u8>,
    /// To be sent behind the stream.
    behind: Vec<u8>,
    pub(super) stream: Option<Stream>,
    /// NEWLEADER, which goes out when all before it has.
    new_leader: Option<Zxid>,
    pub(super) feed: Option<Feed>,
    /// Committed when the learner was registered: the last of DIFF.
    pub(super) base: Zxid,
    /// Some of what the learner lacks, or NEWLEADER behind it, may not have been sent.
    pub(super) is_leveled: bool,
    pub(super) is_dirty: bool,
    /// Whether input has to wait until it is wanted again.
    pub(super) is_waiting: bool,
    /// Whether DIFF, or SNAP in its place, went out in front of a stream of the log.
    pub(super) is_begun: bool,
    /// The identities of the last request, for the next is mostly the same client's.
    pub(super) ids: Vec<Id<'static>>,
}

impl Link {
    /// A caller's.
    pub(super) fn called_from(from: IpAddr) -> Self {
        let visitor = Visitor { from: from.to_canonical(), sid: None, is_proven: false };
        Self { visitor: Some(visitor), ..Self::default() }
    }

    /// Where what happens now is appended.
    pub(super) fn live(&mut self) -> &mut Vec<u8> {
        if self.stream.is_some() { &mut self.behind } else { &mut self.out }
    }

    /// Nothing follows the stream any more, but NEWLEADER.
    pub(super) fn forget_behind(&mut self) {
        self.behind.clear();
    }

    /// Bytes that wait to be sent.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.out.len() + self.behind.len()
    }

    /// A committed transaction for a learner that may or may not have heard of it.
    pub(super) fn put_committed(out: &mut Vec<u8>, zxid: Zxid, txn: &[u8]) {
        LeaderPacket::Proposal { zxid, txn }.encode(out);
        LeaderPacket::Commit { zxid }.encode(out);
    }

    /// What stands between the learner and NEWLEADER has been put together; it ends when the stream does.
    pub(super) fn end_with(&mut self, new_leader: Zxid, config: &str) {
        self.new_leader = Some(new_leader);
        if self.stream.is_none() {
            self.end_stream(config);
        }
    }

    /// The stream is out: what waited behind it follows, then NEWLEADER (ZOOKEEPER-3104).
    pub(super) fn end_stream(&mut self, config: &str) {
        self.stream = None;
        let mut behind = core::mem::take(&mut self.behind);
        if !mutant!(NewLeaderOvertakes) {
            self.out.append(&mut behind);
        }
        if let Some(zxid) = self.new_leader.take() {
            LeaderPacket::NewLeader { zxid, config: config.into() }.encode(&mut self.out);
        }
        self.out.append(&mut behind);
    }
}
