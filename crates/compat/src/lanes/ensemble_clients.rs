//! Any client on any server of an ensemble: the same clients on three voters and an observer of Apache's and of the target.
//!
//! Apache's shell, the C client's shell and kazoo talk to the leader, to a follower, to the observer, and are given all members to
//! choose from. What they print has to be equal, once addresses, ids and times are named or masked; then their servers are killed
//! while they wait for events.

mod killed;
mod stories;

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::door::Door;
use super::wire::{Fields, Session, delete, op, read};
use super::{Case, c_client, java_shell};
use crate::harness::{APACHE_NEWEST, Ensemble, Kind, Plan, Target};

/// The script with writes beyond a quota. Apache's leader compares quotas with what it has applied, and any other member may have
/// answered the write before earlier than that (ZOOKEEPER-2559): only at the leader does a quick client always get the same answer.
const QUOTAS: &str = "quotas";
/// How cases at the leader are named.
const AT_LEADER: &str = "the leader";
/// Who leads when nobody has been killed yet; members 1 and 2 follow.
const LEADER: u64 = 3;
/// A voter that follows.
const FOLLOWER: u64 = 1;
/// The one that does not vote.
const OBSERVER: u64 = 4;
/// What the lane's own sessions ask for.
const SESSION_TIMEOUT: Duration = Duration::from_secs(30);

/// The error of a znode that is not there. Source: `KeeperException.Code`.
const NO_NODE: i32 = -101;

/// Starts both ensembles and runs everything on both.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let (apache, ours) = thread::scope(|scope| {
        let apache = scope.spawn(|| start(&Target::apache()));
        let ours = start(target);
        (apache.join().expect("starting does not panic"), ours)
    });
    let (mut apache, mut ours) = (apache?, ours?);
    let compared = compare(&mut apache, &mut ours);
    drop(apache);
    let mut cases = ours.keep_on_failure(compared)?;
    cases.extend(killed::run(&mut ours));
    Ok(cases)
}

/// Everything that two ensembles do alike.
fn compare(apache: &mut Ensemble, ours: &mut Ensemble) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, sid) in [(AT_LEADER, LEADER), ("a follower", FOLLOWER), ("the observer", OBSERVER)] {
        let doors = (Door::to(apache, sid), Door::to(ours, sid));
        cases.extend(shells(name, &doors.0, &doors.1)?);
        clear(apache)?;
        clear(ours)?;
    }
    let doors = (Door::to_all(apache), Door::to_all(ours));
    cases.extend(shells("all members", &doors.0, &doors.1)?);
    clear(apache)?;
    clear(ours)?;
    cases.extend(stories::compare(apache, ours)?);
    Ok(cases)
}

/// Three voters and an observer, led by the third, with all that the scripts need.
fn start(target: &Target) -> Result<Ensemble> {
    let kinds = [Kind::Voter, Kind::Voter, Kind::Voter, Kind::Observer];
    let plan = kinds.into_iter().fold(Plan::new(), |plan, kind| plan.member(target.clone(), kind));
    let plan = java_shell::PROPERTIES.iter().fold(plan, |plan, (key, value)| plan.property(key, value));
    let mut ensemble = plan.make()?;
    let started = ensemble.start_led_by(LEADER, 2);
    ensemble.keep_on_failure(started).with_context(|| format!("starting four members of {target}"))?;
    Ok(ensemble)
}

/// Apache's shell and the C client's through one door of each ensemble.
fn shells(place: &str, apache: &Door, ours: &Door) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, script) in java_shell::scripts() {
        if name == QUOTAS && place != AT_LEADER {
            continue;
        }
        let script = for_members(script);
        let shell = |door: &Door| java_shell::shell(APACHE_NEWEST, door, &[], &script);
        cases.extend(java_shell::compare(
            &format!("the Java shell at {place}: {name}"),
            shell,
            apache,
            ours,
        )?);
    }
    cases.extend(c_client::compare(&format!("the C client at {place}: "), apache, ours)?);
    Ok(cases)
}

/// A script for sessions that may each be at another member: a new one may have not heard of what the one before left behind. And without
/// the end of the session by the server, which the shell may survive or not: in the latter case it leaves its session to expire, and every
/// zxid behind it is another one.
fn for_members(script: &str) -> String {
    let lines = script.lines().take_while(|line| *line != "addauth nosuch x");
    let lines = lines
        .map(|line| if line == "connect" { "connect\nsync /\n".to_owned() } else { format!("{line}\n") });
    format!("sync /\n{}", lines.collect::<String>())
}

/// Removes what clients have left, so that the next ones begin as these did.
fn clear(ensemble: &Ensemble) -> Result<()> {
    let port = ensemble.member(LEADER).client_address().port();
    let mut session = Session::open(port, SESSION_TIMEOUT)?;
    for name in children(&mut session, "/")? {
        if name != "zookeeper" {
            remove(&mut session, &format!("/{name}"))?;
        }
    }
    session.close()
}

/// Removes a znode and all below it.
fn remove(session: &mut Session, path: &str) -> Result<()> {
    for name in children(session, path)? {
        remove(session, &format!("{path}/{name}"))?;
    }
    session.send(op::DELETE, &delete(path))?;
    let error = session.receive()?.error;
    // A container may go by itself.
    ensure!([0, NO_NODE].contains(&error), "deleting {path} was answered with {error}");
    Ok(())
}

/// The names of a znode's children; none when it has gone.
fn children(session: &mut Session, path: &str) -> Result<Vec<String>> {
    session.send(op::GET_CHILDREN, &read(path, false))?;
    let reply = session.receive()?;
    if reply.error == NO_NODE {
        return Ok(Vec::new());
    }
    ensure!(reply.error == 0, "the children of {path} were answered with {}", reply.error);
    let mut fields = Fields(&reply.body);
    let count = fields.int()?;
    (0..count).map(|_| Ok(String::from_utf8_lossy(fields.bytes()?).into_owned())).collect()
}
