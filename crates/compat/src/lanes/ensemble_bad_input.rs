//! Peers that mean no good, and members that are configured wrongly.
//!
//! Garbage, wrong and claimed ids, silence and floods go to the election and quorum ports of a running ensemble while a checked load
//! works: nobody may change its role, no epoch may pass, every client has to get on, and of our members descriptors and memory have to be
//! what they were. Then a leader dies while the election ports are full of silent connections. Last, members whose number, list or epoch
//! files are wrong have to refuse to start, with the cause.

mod attack;
mod figures;
mod peer;
mod refused;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Case;
use super::run::Run;
use crate::harness::{Ensemble, Kind, Member, Plan, Role, Target};
use figures::Figures;

/// How long an election may take, with the first write after it, while the election ports are full of silent connections.
const ELECTION_TIME_MAX: Duration = Duration::from_secs(5);
/// How many silent connections each election port has then.
const SILENT: usize = 40;
/// Elections in which somebody wants to use up all epochs, and how many may pass in each.
const FAR_EPOCH_ELECTIONS: i64 = 4;
const EPOCHS_MAX: i64 = 5;

/// Everything.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let plan = (0..3).fold(Plan::new(), |plan, _| plan.member(target.clone(), Kind::Voter));
    let mut run = Run::start(plan, 3, 2, 1)?;
    let mut cases = attacks(&mut run)?;
    if *target == Target::Oxkeeper {
        let election = election_under_attack(&mut run);
        cases.push(Case::of("an election among silent connections", run.ensemble.keep_on_failure(election)));
        let election = election_of_far_epochs(&mut run);
        cases.push(Case::of("an election among far epochs", run.ensemble.keep_on_failure(election)));
    }
    cases.push(Case::of("the history", run.close().map(drop)));
    cases.extend(refused::run(target));
    Ok(cases)
}

/// Who is what, and in which epoch.
fn roles(ensemble: &Ensemble) -> Vec<(Option<Role>, Option<i64>)> {
    ensemble.members().map(|member| (member.role(), member.zxid().map(|zxid| zxid >> 32))).collect()
}

/// The attacks one after the other, each followed by a look at what it did.
#[expect(clippy::print_stdout, reason = "a lane tells how far it is")]
fn attacks(run: &mut Run) -> Result<Vec<Case>> {
    run.each_written(20)?;
    let roles_before = roles(&run.ensemble);
    let before: Vec<Figures> = run.ensemble.members().map(Figures::of).collect::<Result<_>>()?;
    let mut cases = Vec::new();
    let ours = *run.ensemble.member(1).target() == Target::Oxkeeper;
    for attack in attack::ALL.iter().filter(|attack| ours || !attack.ours_only) {
        let result = (attack.run)(&run.ensemble).and_then(|()| {
            run.each_written(5)?;
            let roles_now = roles(&run.ensemble);
            ensure!(roles_now == roles_before, "roles and epochs were {roles_before:?}, are {roles_now:?}");
            if ours {
                for (member, before) in run.ensemble.members().zip(&before) {
                    before.returned(member).with_context(|| member.to_string())?;
                }
            }
            Ok(())
        });
        println!("{}: {}", attack.name, if result.is_err() { "FAILED" } else { "no effect" });
        let broken = result.is_err();
        cases.push(Case::of(attack.name, run.ensemble.keep_on_failure(result)));
        if broken {
            break;
        }
    }
    Ok(cases)
}

/// The leader dies while every election port has connections that say nothing. Only with our members: Apache's acceptor would wait for
/// each of them.
fn election_under_attack(run: &mut Run) -> Result<()> {
    let silent = run.ensemble.members().map(|member| peer::silent(member.election_address(), SILENT));
    let silent: Vec<_> = silent.collect::<Result<_>>()?;
    let leader = run.ensemble.settled()?;
    run.ensemble.member_mut(leader).kill9()?;
    let died = Instant::now();
    run.written(10)?;
    let took = died.elapsed();
    drop(silent);
    run.ensemble.start(&[leader])?;
    run.ensemble.settled()?;
    ensure!(took <= ELECTION_TIME_MAX, "the first writes came {took:?} after the leader's death");
    run.each_written(5)
}

/// The leader dies, and while the others elect one somebody says in its name, wherever a leader listens, that it accepted the last of
/// all epochs. Apache's leader believes him.
fn election_of_far_epochs(run: &mut Run) -> Result<()> {
    let epoch = |run: &Run| run.ensemble.members().filter_map(Member::zxid).max().map(|zxid| zxid >> 32);
    let before = epoch(run).context("nobody says in which epoch he is")?;
    let addresses: Vec<_> = run.ensemble.members().map(Member::quorum_address).collect();
    let mut said = 0;
    for _ in 0..FAR_EPOCH_ELECTIONS {
        let leader = run.ensemble.settled()?;
        let is_over = AtomicBool::new(false);
        said += std::thread::scope(|scope| {
            let liar = scope.spawn(|| attack::say_far_epochs(&addresses, leader, &is_over));
            let outcome = run.ensemble.member_mut(leader).kill9().and_then(|()| run.written(10));
            is_over.store(true, Ordering::Relaxed);
            let said = liar.join().expect("the liar does not panic");
            outcome.map(|()| said)
        })?;
        run.ensemble.start(&[leader])?;
    }
    run.ensemble.settled()?;
    run.each_written(5)?;
    let after = epoch(run).context("nobody says in which epoch he is")?;
    ensure!(said > 0, "nobody heard of a far epoch: the attack came too late");
    ensure!(after - before <= EPOCHS_MAX * FAR_EPOCH_ELECTIONS, "epoch {after} came behind {before}");
    Ok(())
}
