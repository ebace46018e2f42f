//! L1: an election ends with a leader for whom a quorum was heard to vote (ZOOKEEPER-3109). Whoever leads or follows
//! without one waits for nothing, and those who vote with him wait longer.

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct QuorumVotes;

impl Invariant for QuorumVotes {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Decided { sid, leader, is_backed: false } => Err(Broken(format!(
                "member {} takes {} for its leader and has heard no quorum vote so (L1)",
                sid.0, leader.0
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict;
    use super::*;
    use proto::Sid;

    #[test]
    fn canary_a_leader_of_no_quorum() {
        let decided = |is_backed| Seen::Decided { sid: Sid(1), leader: Sid(2), is_backed };
        assert!(verdict(&mut QuorumVotes, &[decided(true)]).is_ok());
        assert!(verdict(&mut QuorumVotes, &[decided(false)]).is_err());
    }
}
