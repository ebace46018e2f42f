//! What happens to an ensemble in one run.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::harness::{Ensemble, Kind, Plan, Target};
use crate::lanes::run::{Run, Sync, syncs};

/// How many transactions a member misses that shall get a snapshot: more than a leader remembers.
/// Source: `ZKDatabase#commitLogCount`, 500.
const LONG_ABSENCE: u64 = 700;
/// Every member writes a snapshot and a new log after so many transactions.
const SNAP_COUNT: u32 = 150;

/// The configuration of all stories.
pub(super) fn plan() -> Plan {
    // Small log files too: they are searched for a proposal.
    let plan = Plan::new().cfg("snapCount", SNAP_COUNT).cfg("preAllocSize", 1024);
    plan.property("zookeeper.snapCount", SNAP_COUNT).property("zookeeper.preAllocSize", 1024)
}

/// Three voters, of which the third leads first, and an observer.
pub(super) fn three_and_an_observer(seats: [Target; 4], seed: u64) -> (String, Result<String>) {
    let [one, two, three, four] = &seats;
    let name = format!("{three} leads {one} and {two}, {four} observes");
    let kinds = [Kind::Voter, Kind::Voter, Kind::Voter, Kind::Observer];
    let plan = seats.iter().zip(kinds).fold(plan(), |plan, (target, kind)| plan.member(target.clone(), kind));
    let began = Instant::now();
    let result = Run::start(plan, 3, 2, seed).and_then(|mut run| {
        let happened = three_happenings(&mut run);
        run.ensemble.keep_on_failure(happened)?;
        run.close()
    });
    (name, result.map(|summary| format!("{:.1?}, {summary}", began.elapsed())))
}

/// Each part by its name, so that an error tells where it came up.
fn three_happenings(run: &mut Run) -> Result<()> {
    run.each_written(10).context("writes through each member")?;
    short_absence(run).context("a follower and an observer are away for a while")?;
    long_absence(run).context("a follower is away for long, another is wiped with the observer")?;
    leftover(run).context("the leader comes back with a proposal that nobody else has")?;
    leader_killed(run).context("the leader is killed")
}

/// DIFF: what a learner missed is still in the leader's memory.
fn short_absence(run: &mut Run) -> Result<()> {
    let before = [1, 4].map(|sid| syncs(&run.ensemble, sid, Sync::Diff));
    for sid in [1, 4] {
        run.ensemble.member_mut(sid).kill9()?;
    }
    run.written(40)?;
    // A virtual machine takes longer to start than the workers take to write more than the leader remembers.
    run.load.pause()?;
    run.ensemble.start(&[1, 4])?;
    run.ensemble.serving(&[1, 4])?;
    run.load.resume();
    for (sid, before) in [1, 4].into_iter().zip(before) {
        expect(&run.ensemble, sid, Sync::Diff, before)?;
    }
    run.each_written(10)
}

/// SNAP: the leader remembers less than a learner missed, or the learner has nothing at all.
fn long_absence(run: &mut Run) -> Result<()> {
    let before = syncs(&run.ensemble, 1, Sync::Snap);
    run.ensemble.member_mut(1).kill9()?;
    run.written(LONG_ABSENCE)?;
    run.ensemble.start(&[1])?;
    run.ensemble.serving(&[1])?;
    expect(&run.ensemble, 1, Sync::Snap, before)?;
    let before = syncs(&run.ensemble, 2, Sync::Snap);
    for sid in [2, 4] {
        run.ensemble.member_mut(sid).kill9()?;
        run.ensemble.member(sid).wipe()?;
    }
    run.written(20)?;
    run.ensemble.start(&[2, 4])?;
    run.ensemble.serving(&[2, 4])?;
    expect(&run.ensemble, 2, Sync::Snap, before)?;
    run.each_written(10)
}

/// TRUNC: the followers stand still while the leader logs a proposal; then all three crash, and the followers go on without it.
fn leftover(run: &mut Run) -> Result<()> {
    run.load.pause()?;
    let leader = run.ensemble.leader()?;
    let mut auditor = run.auditor(leader)?;
    // The end of a guest's session would be a transaction of the next leader, and the old one's history part from it in an earlier epoch.
    run.guests_gone(leader)?;
    let followers: Vec<u64> = [1, 2, 3].into_iter().filter(|sid| *sid != leader).collect();
    for sid in &followers {
        run.ensemble.member(*sid).pause()?;
    }
    let left = run.leave_a_tail(leader, &mut auditor);
    run.add(auditor.abandon());
    left?;
    // Killed while they stand still: what lies in their sockets goes with them.
    for sid in [1, 2, 3] {
        run.ensemble.member_mut(sid).kill9()?;
    }
    run.ensemble.start(&followers)?;
    run.ensemble.serving(&followers)?;
    let before = syncs(&run.ensemble, leader, Sync::Trunc);
    run.ensemble.start(&[leader])?;
    run.ensemble.serving(&[leader, 4])?;
    expect(&run.ensemble, leader, Sync::Trunc, before)?;
    run.load.resume();
    run.each_written(10)
}

/// The others elect one of theirs and go on; the old leader comes back as a follower.
pub(super) fn leader_killed(run: &mut Run) -> Result<()> {
    let leader = run.ensemble.leader()?;
    run.ensemble.member_mut(leader).kill9()?;
    run.written(30)?;
    run.ensemble.start(&[leader])?;
    run.ensemble.serving(&[leader])?;
    run.each_written(10)
}

/// Holds what the logs tell of a synchronization against what it should have been.
fn expect(ensemble: &Ensemble, sid: u64, way: Sync, before: usize) -> Result<()> {
    let now = syncs(ensemble, sid, way);
    ensure!(now > before, "no log says that {} was brought level by {way:?}", ensemble.member(sid));
    Ok(())
}

/// Five voters and an observer: leaders are killed until two are gone, and come back together.
pub(super) fn five_and_an_observer(ours: &Target, seed: u64) -> (String, Result<String>) {
    let older = super::older();
    let voters = [ours.clone(), older, Target::apache(), ours.clone(), Target::apache()];
    let plan = voters.iter().fold(plan(), |plan, target| plan.member(target.clone(), Kind::Voter));
    let plan = plan.member(ours.clone(), Kind::Observer);
    let began = Instant::now();
    let result = plan_of_five(plan, seed);
    let name = format!("five voters, {ours} among them, two leaders killed");
    (name, result.map(|summary| format!("{:.1?}, {summary}", began.elapsed())))
}

/// Cold start of all at once, and the two crashes.
fn plan_of_five(plan: Plan, seed: u64) -> Result<String> {
    let mut run = Run::start_together(plan, seed)?;
    let happened = five_happenings(&mut run);
    run.ensemble.keep_on_failure(happened)?;
    run.close()
}

fn five_happenings(run: &mut Run) -> Result<()> {
    run.each_written(10).context("writes through each member")?;
    let mut down = Vec::new();
    for _ in 0..2 {
        let leader = run.ensemble.leader()?;
        run.ensemble.member_mut(leader).kill9()?;
        down.push(leader);
        run.written(30).with_context(|| format!("without {down:?}"))?;
    }
    run.ensemble.start(&down)?;
    run.ensemble.serving(&down)?;
    run.each_written(10).context("with all members again")
}
