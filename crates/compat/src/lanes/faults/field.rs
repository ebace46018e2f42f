//! The ensemble, its network and its small disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::harness::{Kind, Network, Plan, Station, Target, Wire, until};
use crate::lanes::mount::Mount;
use crate::lanes::run::{PROGRESS_TIME_MAX, Run};

/// The member on the small file system.
pub(super) const ON_SMALL_DISK: u64 = 1;
/// All members.
pub(super) const MEMBERS: [u64; 3] = [1, 2, 3];
/// Enough writes to be sure that they were not on the way before.
const PROGRESS: u64 = 30;

/// What the faults are done to.
pub(super) struct Field {
    pub(super) run: Run,
    pub(super) network: Network,
    mount: Mount,
}

impl Field {
    /// Starts everything.
    pub(super) fn start(team: &[Target; 3], seed: u64) -> Result<Self> {
        let mount = Mount::tmpfs("48m")?;
        let network = Network::new(3)?;
        let mut plan = Plan::new()
            .cfg("initLimit", 12)
            .cfg("syncLimit", 6)
            .cfg("snapCount", 500)
            .cfg("preAllocSize", 1024);
        plan = plan.property("zookeeper.snapCount", 500).property("zookeeper.preAllocSize", 1024);
        for (sid, target) in MEMBERS.into_iter().zip(team) {
            plan = plan.member_at(target.clone(), Kind::Voter, network.place(sid));
            if sid == ON_SMALL_DISK {
                plan = plan.keeps_files_in(mount.path().join("member"));
            }
        }
        Ok(Self { run: Run::start_together(plan, seed)?, network, mount })
    }

    /// The others of these members.
    pub(super) fn others(sid: u64) -> impl Iterator<Item = u64> {
        MEMBERS.into_iter().filter(move |other| *other != sid)
    }

    /// Makes the wires from one member to all others, and back, what they say.
    pub(super) fn around(&mut self, sid: u64, out: Option<Wire>, back: Option<Wire>) -> Result<()> {
        for other in Self::others(sid) {
            let (here, there) = (Station::Member(sid), Station::Member(other));
            if let Some(wire) = out {
                self.network.set(here, there, wire)?;
            }
            if let Some(wire) = back {
                self.network.set(there, here, wire)?;
            }
        }
        Ok(())
    }

    /// Writes go on although the trouble lasts.
    pub(super) fn progress(&mut self) -> Result<()> {
        self.run.written(PROGRESS).context("while it lasts")
    }

    /// Everything is repaired: the members settle, and every client gets on.
    pub(super) fn recovered(&mut self) -> Result<()> {
        self.network.heal()?;
        let settled = self.run.ensemble.settled();
        settled.with_context(|| self.run.ensemble.tails()).context("afterwards")?;
        self.run.each_written(5).context("afterwards")
    }

    /// Fills the small disk until its member has met that and writes have gone on without it, then makes room.
    pub(super) fn fill_disk(&mut self) -> Result<()> {
        let ballast = self.mount.path().join("ballast");
        let member = self.run.ensemble.member(ON_SMALL_DISK);
        let complaints = || member.output().to_lowercase().matches("no space left").count();
        let before = complaints();
        let filled = until("the member to meet its full disk", PROGRESS_TIME_MAX, || {
            fill(&ballast)?;
            Ok((complaints() > before).then_some(()))
        });
        let progress = filled.and_then(|()| self.progress());
        fs::remove_file(&ballast)?;
        progress
    }

    /// Starts a member again that has ended by itself.
    pub(super) fn start_if_ended(&mut self, sid: u64) -> Result<()> {
        let member = self.run.ensemble.member_mut(sid);
        if member.check_running().is_err() {
            member.start()?;
        }
        Ok(())
    }

    /// The verdict on all of it. The network has to be there until then.
    pub(super) fn close(self) -> Result<String> {
        let Self { run, network, mount } = self;
        let verdict = run.close();
        drop((network, mount));
        verdict
    }
}

/// Lets time pass: for how long a fault lasts.
pub(super) fn last(time: Duration) {
    std::thread::sleep(time);
}

/// Writes until nothing more goes into the file system.
fn fill(ballast: &std::path::Path) -> Result<()> {
    let mut file = File::options().create(true).append(true).open(ballast)?;
    let chunk = vec![1; 4096];
    loop {
        match file.write_all(&chunk) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error).context("filling the disk"),
        }
    }
}
