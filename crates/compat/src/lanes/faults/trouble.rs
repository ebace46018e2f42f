//! The faults. Each begins with a settled ensemble and leaves it to [`Field::recovered`](super::field::Field::recovered) to repair the
//! network.

use std::time::Duration;

use anyhow::Result;

use super::field::{Field, MEMBERS, ON_SMALL_DISK, last};
use crate::harness::{Station, Wire};

/// A fault by its name.
type Trouble = (&'static str, fn(&mut Field) -> Result<()>);

/// Every fault, in the order in which they are done.
pub(super) const ALL: [Trouble; 14] = [
    ("a follower is cut off", follower_cut_off),
    ("the leader is cut off", leader_cut_off),
    ("nobody hears the leader", leader_unheard),
    ("the leader hears nobody", leader_deaf),
    ("leader and one follower are cut from each other", leader_and_follower_apart),
    ("the followers are cut from each other", followers_apart),
    ("elections are cut off, and the leader dies", elections_cut),
    ("clients do not reach the leader", clients_cut),
    ("every wire is slow and lossy", slow_and_lossy),
    ("the leader's wires flap", flapping),
    ("the leader stands still", leader_stands_still),
    ("a follower stands still", follower_stands_still),
    ("all members are killed", all_killed),
    ("a disk is full", disk_full),
];

fn leader_and_follower(field: &mut Field) -> Result<(u64, u64)> {
    let leader = field.run.ensemble.settled()?;
    let follower = Field::others(leader).next().unwrap_or(leader);
    Ok((leader, follower))
}

fn follower_cut_off(field: &mut Field) -> Result<()> {
    let (_, follower) = leader_and_follower(field)?;
    field.around(follower, Some(Wire::CUT), Some(Wire::CUT))?;
    field.progress()
}

fn leader_cut_off(field: &mut Field) -> Result<()> {
    let (leader, _) = leader_and_follower(field)?;
    field.around(leader, Some(Wire::CUT), Some(Wire::CUT))?;
    field.progress()
}

fn leader_unheard(field: &mut Field) -> Result<()> {
    let (leader, _) = leader_and_follower(field)?;
    field.around(leader, Some(Wire::CUT), None)?;
    field.progress()
}

/// Nobody can promise progress here: the others hear the votes of a member that cannot lead.
fn leader_deaf(field: &mut Field) -> Result<()> {
    let (leader, _) = leader_and_follower(field)?;
    field.around(leader, None, Some(Wire::CUT))?;
    last(Duration::from_secs(5));
    Ok(())
}

fn leader_and_follower_apart(field: &mut Field) -> Result<()> {
    let (leader, follower) = leader_and_follower(field)?;
    field.network.cut(Station::Member(leader), Station::Member(follower))?;
    // Longer than the follower waits for its leader.
    last(Duration::from_secs(4));
    field.progress()
}

fn followers_apart(field: &mut Field) -> Result<()> {
    let (leader, follower) = leader_and_follower(field)?;
    for other in Field::others(leader).filter(|other| *other != follower) {
        field.network.cut(Station::Member(follower), Station::Member(other))?;
    }
    field.progress()
}

/// The election ports of one follower carry nothing, so the others' leader dies with nobody to elect another until they do.
fn elections_cut(field: &mut Field) -> Result<()> {
    let (leader, follower) = leader_and_follower(field)?;
    for other in Field::others(follower) {
        for port_of in [follower, other] {
            let port = field.run.ensemble.member(port_of).election_address().port();
            let ends = (Station::Member(follower), Station::Member(other));
            field.network.set_port(ends.0, ends.1, Wire::CUT, port)?;
            field.network.set_port(ends.1, ends.0, Wire::CUT, port)?;
        }
    }
    field.run.ensemble.member_mut(leader).kill9()?;
    last(Duration::from_secs(1));
    field.network.heal()?;
    field.progress()?;
    field.run.ensemble.member_mut(leader).start()
}

fn clients_cut(field: &mut Field) -> Result<()> {
    let (leader, _) = leader_and_follower(field)?;
    field.network.set(Station::Clients, Station::Member(leader), Wire::CUT)?;
    field.progress()
}

fn slow_and_lossy(field: &mut Field) -> Result<()> {
    let wire = Wire { delay_ms: 20, loss_percent: 4 };
    for sid in MEMBERS {
        field.around(sid, Some(wire), None)?;
        field.network.set(Station::Clients, Station::Member(sid), wire)?;
        field.network.set(Station::Member(sid), Station::Clients, wire)?;
    }
    field.progress()
}

fn flapping(field: &mut Field) -> Result<()> {
    let (leader, _) = leader_and_follower(field)?;
    for _ in 0..5 {
        field.around(leader, Some(Wire::CUT), Some(Wire::CUT))?;
        last(Duration::from_millis(400));
        field.network.heal()?;
        last(Duration::from_millis(200));
    }
    field.progress()
}

fn leader_stands_still(field: &mut Field) -> Result<()> {
    let (leader, _) = leader_and_follower(field)?;
    field.run.ensemble.member(leader).pause()?;
    let progress = field.progress();
    field.run.ensemble.member(leader).resume()?;
    progress
}

fn follower_stands_still(field: &mut Field) -> Result<()> {
    let (_, follower) = leader_and_follower(field)?;
    field.run.ensemble.member(follower).pause()?;
    let progress = field.progress();
    field.run.ensemble.member(follower).resume()?;
    progress
}

fn all_killed(field: &mut Field) -> Result<()> {
    for sid in MEMBERS {
        field.run.ensemble.member_mut(sid).kill9()?;
    }
    field.run.ensemble.start(&MEMBERS)?;
    field.progress()
}

fn disk_full(field: &mut Field) -> Result<()> {
    let filled = field.fill_disk();
    field.start_if_ended(ON_SMALL_DISK)?;
    filled
}
