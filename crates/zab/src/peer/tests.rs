use super::*;
use crate::{ElectionTimes, Limits};

fn peer(me: i64) -> Peer {
    let options = PeerOptions {
        me: Sid(me),
        quorum: Quorum::Majority([1, 2, 3].map(Sid).into()),
        observers: BTreeSet::new(),
        version: 0,
        accepted: Epoch(0),
        current: Epoch(0),
        may_be_blank: true,
        limits: Limits::FOR_TESTS,
        election: ElectionTimes { repeat_min_ms: 200, repeat_max_ms: 60_000, finalize_ms: 200 },
    };
    Peer::new(options, Zxid::ZERO, 0)
}

fn vote_for(leader: i64) -> Seen {
    let vote = Vote { leader: Sid(leader), zxid: Zxid::ZERO, round: 1, peer_epoch: 0 };
    Seen { state: PeerState::Looking, vote }
}

/// Three members that start at once: the port of the third is not open yet when the second calls it.
#[test]
fn who_was_never_in_reach_is_waited_for() {
    let mut peer = peer(2);
    peer.on_link(Sid(3), false, 1);
    peer.on_notification(Sid(1), vote_for(2), 2);
    assert_eq!(peer.role(), Role::Looking);
    peer.on_notification(Sid(3), vote_for(3), 5);
    peer.on_notification(Sid(1), vote_for(3), 6);
    assert_eq!(peer.role(), Role::Following);
}

#[test]
fn a_leader_without_a_port_says_so() {
    let mut peer = peer(2);
    peer.on_link(Sid(3), true, 1);
    peer.on_link(Sid(3), false, 2);
    peer.on_notification(Sid(1), vote_for(2), 3);
    peer.on_port_failed();
    let mut effects = core::iter::from_fn(|| peer.next_effect());
    assert!(effects.any(|effect| effect == Effect::Resign(Resigned::NoPort)));
}

#[test]
fn who_went_out_of_reach_is_not() {
    let mut peer = peer(2);
    peer.on_link(Sid(3), true, 1);
    peer.on_link(Sid(3), false, 2);
    peer.on_notification(Sid(1), vote_for(2), 3);
    assert_eq!(peer.role(), Role::Leading);
}
