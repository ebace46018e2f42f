//! What strangers send to the ports of a running ensemble.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use super::peer::{
    Notification, call_out, hello, hello_of, learner_info, packet, quorum_packet, say, silent,
};
use crate::diff::rng::Rng;
use crate::harness::{Ensemble, Member, Role};

/// An attack.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// Whether it is made on our members only, because Apache's do not survive it.
    pub(super) ours_only: bool,
    pub(super) run: fn(&Ensemble) -> Result<()>,
}

/// An attack on everybody.
const fn on_all(name: &'static str, run: fn(&Ensemble) -> Result<()>) -> Attack {
    Attack { name, ours_only: false, run }
}

/// Connections of a flood, for each port.
const FLOOD: usize = 200;
/// Connections of everything else.
const SOME: usize = 20;
/// An epoch nobody will reach.
const FAR_EPOCH: i64 = 1_000_000;
/// The last that a zxid can have, less one that would come behind it.
const LAST_EPOCH: i64 = 0x7fff_fffe;

/// Every attack.
pub(super) const ALL: &[Attack] = &[
    on_all("garbage on the election ports", election_garbage),
    on_all("wrong first messages on the election ports", election_hello),
    // `InetSocketAddress` throws at a port above 65535, and the thread that accepts election connections ends with that: the member can
    // take part in no election any more. Seen with 3.9.5. Source: `QuorumCnxManager.InitialMessage#parse`.
    Attack { name: "impossible addresses on the election ports", ours_only: true, run: election_addresses },
    on_all("frames that lie on the election ports", election_frames),
    on_all("votes of strangers", strangers_vote),
    on_all("votes under a member's number", claimed_votes),
    // Apache's acceptor waits for the first message of each connection before it accepts the next. Seen with 3.9.5.
    // Source: `QuorumCnxManager.Listener.ListenerHandler#acceptConnections`.
    Attack { name: "a flood on the election ports", ours_only: true, run: election_flood },
    on_all("garbage on the quorum port", quorum_garbage),
    on_all("packets that lie on the quorum port", quorum_lengths),
    on_all("learners with wrong numbers", wrong_learners),
    on_all("a learner from a far epoch", far_epoch),
    on_all("packets out of place", out_of_place),
    on_all("a flood on the quorum port", quorum_flood),
];

fn leader(ensemble: &Ensemble) -> Result<&Member> {
    ensemble.members().find(|member| member.role() == Some(Role::Leader)).context("nobody leads")
}

fn signed(sid: u64) -> i64 {
    i64::try_from(sid).expect("members have small numbers")
}

fn election_garbage(ensemble: &Ensemble) -> Result<()> {
    let mut rng = Rng::new(7);
    for member in ensemble.members() {
        for length in 1..=SOME {
            say(member.election_address(), &rng.bytes(length * 13))?;
        }
    }
    Ok(())
}

/// Versions nobody speaks, and addresses of impossible lengths.
fn election_hello(ensemble: &Ensemble) -> Result<()> {
    for member in ensemble.members() {
        let address = member.election_address();
        for version in [i64::MIN, -1, -65534, 0, 1] {
            say(address, &hello_of(version, 2, 4))?;
        }
        for length in [i32::MIN, -1, 0, 2049, i32::MAX] {
            say(address, &hello_of(-65536, 9, length))?;
        }
        for text in ["", "nonsense", "\u{0}\u{1}"] {
            say(address, &hello(99, text))?;
        }
    }
    Ok(())
}

fn election_addresses(ensemble: &Ensemble) -> Result<()> {
    for member in ensemble.members() {
        for text in ["127.0.0.1:99999", "127.0.0.1:-1", "256.0.0.1:1", ":::", "[::1", "nowhere.invalid:1"] {
            say(member.election_address(), &hello(99, text))?;
        }
    }
    Ok(())
}

/// A first message of a number above everybody's, so that the connection is kept, and then a frame that is none.
fn election_frames(ensemble: &Ensemble) -> Result<()> {
    for member in ensemble.members() {
        for length in [i32::MIN, -1, 0, 524_289, i32::MAX] {
            let mut bytes = hello(99, "127.0.0.1:1");
            bytes.extend(length.to_be_bytes());
            bytes.extend([0; 64]);
            say(member.election_address(), &bytes)?;
        }
        for length in [1_usize, 27, 29, 39, 41, 43] {
            let mut bytes = hello(99, "127.0.0.1:1");
            bytes.extend(crate::diff::wire::frame(&vec![255; length]));
            say(member.election_address(), &bytes)?;
        }
    }
    Ok(())
}

/// Votes that say everything: a leader nobody knows, a round and an epoch far away.
fn votes(leader: i64) -> Vec<u8> {
    let far = |state| Notification { state, leader, zxid: i64::MAX, round: FAR_EPOCH, epoch: FAR_EPOCH };
    (0..4).flat_map(|state| far(state).bytes()).collect()
}

fn strangers_vote(ensemble: &Ensemble) -> Result<()> {
    for member in ensemble.members() {
        for sid in [99, i64::MAX, 0, -5] {
            let bytes = [hello(sid, "127.0.0.1:1"), votes(sid), votes(signed(member.sid()))].concat();
            say(member.election_address(), &bytes)?;
        }
    }
    Ok(())
}

/// Every member is told by somebody who claims to be another, or itself, that there is a better leader.
fn claimed_votes(ensemble: &Ensemble) -> Result<()> {
    for member in ensemble.members() {
        for other in ensemble.members() {
            let claimed = signed(other.sid());
            let bytes = [hello(claimed, "127.0.0.1:1"), votes(claimed)].concat();
            say(member.election_address(), &bytes)?;
        }
    }
    Ok(())
}

fn election_flood(ensemble: &Ensemble) -> Result<()> {
    let mut open = Vec::new();
    for member in ensemble.members() {
        open.push(silent(member.election_address(), FLOOD)?);
    }
    Ok(())
}

fn quorum_garbage(ensemble: &Ensemble) -> Result<()> {
    let mut rng = Rng::new(8);
    let address = leader(ensemble)?.quorum_address();
    for length in 1..=SOME {
        say(address, &rng.bytes(length * 17))?;
    }
    Ok(())
}

/// A packet whose data would fill the memory.
fn quorum_lengths(ensemble: &Ensemble) -> Result<()> {
    let address = leader(ensemble)?.quorum_address();
    for length in [i32::MIN, -2, 0, 1 << 24, i32::MAX] {
        let mut bytes = packet::FOLLOWERINFO.to_be_bytes().to_vec();
        bytes.extend(0_i64.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend([0; 256]);
        say(address, &bytes)?;
    }
    Ok(())
}

/// Numbers that no member has, or that somebody else has.
fn wrong_learners(ensemble: &Ensemble) -> Result<()> {
    let leader = leader(ensemble)?;
    for kind in [packet::FOLLOWERINFO, packet::OBSERVERINFO] {
        for sid in [99, 0, -1, i64::MIN, i64::MAX, signed(leader.sid())] {
            say(leader.quorum_address(), &learner_info(kind, sid, 1))?;
        }
    }
    Ok(())
}

/// Under a follower's number: an accepted epoch that would use up all others, and a history nobody has.
fn far_epoch(ensemble: &Ensemble) -> Result<()> {
    let leader = leader(ensemble)?;
    let follower = ensemble.members().find(|member| member.sid() != leader.sid()).context("a follower")?;
    let epoch = i32::try_from(FAR_EPOCH)?.to_be_bytes();
    let bytes = [
        learner_info(packet::FOLLOWERINFO, signed(follower.sid()), FAR_EPOCH),
        quorum_packet(packet::ACKEPOCH, FAR_EPOCH << 32 | 1, Some(&epoch)),
    ];
    say(leader.quorum_address(), &bytes.concat())?;
    Ok(())
}

/// Says under a member's number, at any of these ports that is open, that the last of all epochs was accepted, until it is over. How
/// often somebody listened.
pub(super) fn say_far_epochs(addresses: &[SocketAddr], sid: u64, is_over: &AtomicBool) -> usize {
    let mut said = 0;
    while !is_over.load(Ordering::Relaxed) {
        for &address in addresses {
            for accepted in [FAR_EPOCH, LAST_EPOCH] {
                let hello = learner_info(packet::FOLLOWERINFO, signed(sid), accepted);
                // Only who leads listens there.
                said += usize::from(call_out(address, &hello));
            }
        }
    }
    said
}

/// Right packets at the wrong time.
fn out_of_place(ensemble: &Ensemble) -> Result<()> {
    let address = leader(ensemble)?.quorum_address();
    for kind in 0..22 {
        say(address, &quorum_packet(kind, 1 << 32, None))?;
    }
    let hello = learner_info(packet::OBSERVERINFO, 99, 1);
    for kind in [packet::REQUEST, packet::PING, packet::ACK] {
        let again = quorum_packet(kind, 1 << 32, Some(&[0; 20])).repeat(100);
        say(address, &[hello.clone(), again].concat())?;
    }
    Ok(())
}

fn quorum_flood(ensemble: &Ensemble) -> Result<()> {
    let open = silent(leader(ensemble)?.quorum_address(), FLOOD)?;
    drop(open);
    Ok(())
}
