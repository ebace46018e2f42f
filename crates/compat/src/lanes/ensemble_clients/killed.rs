//! Shells whose server is killed while they wait for events: the session goes on at another member, or when the server is back, and
//! every watch with it.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{FOLLOWER, OBSERVER, SESSION_TIMEOUT, clear};
use crate::harness::{APACHE_NEWEST, Ensemble, Member, until};
use crate::lanes::Case;
use crate::lanes::c_client;
use crate::lanes::door::Door;
use crate::lanes::java_shell;
use crate::lanes::typed::{Reads, Typed};
use crate::lanes::wire::{Session, create, op, set_data};

/// How long anything may take: an election among virtual machines, and a start of one.
const TIME_MAX: Duration = Duration::from_secs(60);
/// A follower that is never killed while another one is.
const WRITES: u64 = 2;

/// A shell that waits for events.
struct Guest {
    name: &'static str,
    start: fn(&Door) -> Result<Typed>,
    /// What it is told before its server is killed.
    typed: &'static [&'static str],
    /// What it has to print of [`change`], whether it was connected then or not.
    events: &'static [&'static str],
    /// What it has to print of [`change_below`], for which it has to be connected.
    below: &'static [&'static str],
    /// The last line typed, before and after, and what it prints while the session is the same.
    mine: (&'static str, &'static str),
}

const JAVA: Guest = Guest {
    name: "the Java shell",
    start: |door| Typed::start(java_shell::command(APACHE_NEWEST, door)?, Reads::Stdout),
    typed: &[
        "create /killed-data one",
        "get -w /killed-data",
        "create /killed-list",
        "ls -w /killed-list",
        "stat -w /killed-later",
        "create /killed-below",
        "addWatch -m PERSISTENT_RECURSIVE /killed-below",
        "create -e /killed-mine",
    ],
    events: &[
        "state:SyncConnected type:NodeDataChanged path:/killed-data",
        "state:SyncConnected type:NodeChildrenChanged path:/killed-list",
        "state:SyncConnected type:NodeCreated path:/killed-later",
    ],
    below: &["state:SyncConnected type:NodeCreated path:/killed-below/child"],
    mine: ("getEphemerals", "[/killed-mine]"),
};

const C: Guest = Guest {
    name: "the C client",
    start: |door| Typed::start(c_client::command(door), Reads::Stderr),
    // Its `get` and `ls` leave watches.
    typed: &[
        "create /killed-data",
        "get /killed-data",
        "create /killed-list",
        "ls /killed-list",
        "wexists /killed-later",
        "create /killed-below",
        "create +e /killed-mine",
    ],
    events: &[
        "CHANGED_EVENT state = CONNECTED_STATE for path /killed-data",
        "CHILD_EVENT state = CONNECTED_STATE for path /killed-list",
        "CREATED_EVENT state = CONNECTED_STATE for path /killed-later",
    ],
    below: &[],
    mine: ("get /killed-mine", "/killed-mine: rc = 0"),
};

/// Every guest, both ways.
pub(super) fn run(ensemble: &mut Ensemble) -> Vec<Case> {
    let mut cases = Vec::new();
    for guest in [JAVA, C] {
        let result = goes_elsewhere(ensemble, &guest);
        cases.push(Case::of(format!("{}: its server is killed", guest.name), result));
        for (role, sid) in [("follower", FOLLOWER), ("observer", OBSERVER)] {
            let result = waits(ensemble, &guest, sid);
            let name = format!("{}: its only server, a {role}, is killed and comes back", guest.name);
            cases.push(Case::of(name, result));
        }
    }
    cases
}

/// The guest knows all members and is told what happens after its move to another.
fn goes_elsewhere(ensemble: &mut Ensemble, guest: &Guest) -> Result<()> {
    let shell = guest.arrive(&Door::to_all(ensemble))?;
    let first = until("the guest's session", TIME_MAX, || Ok(home(ensemble)))?;
    ensemble.member_mut(first).kill9()?;
    let next = until("the session at another member", TIME_MAX, || Ok(home(ensemble)))?;
    change(ensemble, next)?;
    let left = guest.leave(shell, || change_below(ensemble, next));
    ensemble.start(&[first])?;
    ensemble.serving(&[first])?;
    left.with_context(|| format!("connected to member {first}, which was killed, then to {next}"))?;
    clear(ensemble)
}

/// The guest knows one member, and is told what happened while that was down when it is back.
fn waits(ensemble: &mut Ensemble, guest: &Guest, sid: u64) -> Result<()> {
    let shell = guest.arrive(&Door::to(ensemble, sid))?;
    ensemble.member_mut(sid).kill9()?;
    change(ensemble, WRITES)?;
    ensemble.start(&[sid])?;
    ensemble.serving(&[sid])?;
    guest.leave(shell, || change_below(ensemble, WRITES))?;
    clear(ensemble)
}

impl Guest {
    /// Starts it and lets it watch.
    fn arrive(&self, door: &Door) -> Result<Typed> {
        let mut shell = (self.start)(door)?;
        self.typed.iter().try_for_each(|line| shell.types(line))?;
        // Answers come in order: with the last one all watches are set.
        shell.types(self.mine.0)?;
        shell.expect(self.mine.1, TIME_MAX)?;
        Ok(shell)
    }

    /// Hears what has happened, and what happens now, still has its ephemeral znode, and ends its session.
    fn leave(&self, mut shell: Typed, change_below: impl FnOnce() -> Result<()>) -> Result<()> {
        shell.expect_all(self.events, TIME_MAX)?;
        change_below()?;
        shell.expect_all(self.below, TIME_MAX)?;
        shell.types(self.mine.0)?;
        shell.expect(self.mine.1, TIME_MAX)?;
        shell.types("quit")?;
        shell.ends()
    }
}

/// The member that a client is connected to with a session.
fn home(ensemble: &Ensemble) -> Option<u64> {
    let has_session = |member: &&Member| member.word("cons").is_ok_and(|answer| answer.contains("sid=0x"));
    ensemble.members().filter(|member| member.pid().is_some()).find(has_session).map(Member::sid)
}

/// Changes what is watched, through a member that may be without a leader at first.
fn change(ensemble: &Ensemble, sid: u64) -> Result<()> {
    let port = ensemble.member(sid).client_address().port();
    let mut session =
        until("a session to write", TIME_MAX, || Ok(Session::open(port, SESSION_TIMEOUT).ok()))?;
    session.call(op::SET_DATA, &set_data("/killed-data", b"two"))?;
    session.call(op::CREATE, &create("/killed-list/child", b"", 0))?;
    session.call(op::CREATE, &create("/killed-later", b"", 0))?;
    session.close()
}

/// Changes what a persistent watch watches: such changes are told to those who are connected.
fn change_below(ensemble: &Ensemble, sid: u64) -> Result<()> {
    let mut session = Session::open(ensemble.member(sid).client_address().port(), SESSION_TIMEOUT)?;
    session.call(op::CREATE, &create("/killed-below/child", b"", 0))?;
    session.close()
}
