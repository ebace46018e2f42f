//! A turn of the driver: time passes, the member is asked what it wants, and what it did is seen.

use member::ensemble::{Halt, Observation, Plan};
use proto::Sid;

use super::files::Job;
use super::{DiskSpeed, Machine};
use crate::invariants::{Broken, Seen};
use crate::outside::{Event, Moment, Outside};

impl Machine {
    /// Time has passed.
    pub fn wake(&mut self, out: &mut Outside) {
        if self.is_paused {
            return;
        }
        let now = self.now(out);
        let Some(process) = &mut self.process else { return };
        process.wake_at_us = u64::MAX;
        process.rouse(now, out);
        if now.mono_ms >= process.member.deadline_ms() {
            process.member.tick(now);
        }
        self.settle(out);
    }

    /// Carries out what the member asks for until it asks for nothing.
    pub fn settle(&mut self, out: &mut Outside) {
        let now = self.now(out);
        let (at, incarnation) = (self.at, self.incarnation);
        if let Some(process) = &mut self.process {
            process.member.look_back(now);
        }
        loop {
            // Before anything goes out: who leads is known before it proposes.
            self.observe(out);
            let Some(process) = &mut self.process else { return };
            let mut moved = false;
            while let Some(order) = process.member.next_order() {
                moved = true;
                if let Err(halt) = process.carry_out(order, incarnation, &self.disk, &self.dirs, now, out) {
                    return self.halt(halt, out);
                }
            }
            moved |= process.submit(now, out);
            while let Some(link) = process.member.next_dirty_link() {
                moved = true;
                process.flush_link(link, &self.skew, out);
                if let Some(&(key, side)) = process.links.get(&link) {
                    process.read_link(link, key, side, now, out);
                }
            }
            while let Some(id) = process.member.next_dirty() {
                moved = true;
                process.flush_client(id, out);
                if let Some(&(_, key)) = process.conns.get(&id.slot) {
                    process.read_client(id, key, now, out);
                }
            }
            if !process.busy && !process.jobs.is_empty() {
                process.busy = true;
                process.busy_since = (out.now_us, process.reign());
                let DiskSpeed { min_us, max_us } = self.speed;
                let takes_us = self.rng.range(min_us, max_us + 1);
                out.after(takes_us, Event::Disk { machine: at, incarnation });
            }
            if !moved {
                break;
            }
        }
        self.observe(out);
        self.see_to_snapshot(out);
        let Some(process) = &mut self.process else { return };
        let deadline_ms = process.member.deadline_ms();
        if deadline_ms == u64::MAX {
            return;
        }
        let due_us = self.skew.until_us(deadline_ms).max(out.now_us + 1000);
        if due_us < process.wake_at_us {
            process.wake_at_us = due_us;
            out.at(due_us, Event::Wake { machine: at, incarnation });
        }
    }

    /// The member wants its process to end. With a damaged disk it may find that out in a truncation.
    fn halt(&mut self, halt: Halt, out: &mut Outside) {
        let is_told = self.is_damaged && matches!(halt, Halt::LogLost { .. });
        if !is_told {
            out.evidence.fail(Broken(format!("member {} halts: {halt}", self.sid().0)));
            return;
        }
        out.line(format_args!("member {} halts: {halt}", self.sid().0));
        out.evidence.hit("damage halts");
        self.kill(false, out);
        out.after(1_000_000, Event::Start { machine: self.at });
    }

    fn see_to_snapshot(&mut self, out: &mut Outside) {
        let due = out.snap_count;
        let Some(process) = &self.process else { return };
        if due > 0
            && process.logged_since_snapshot >= due
            && process.writing.is_none()
            && process.jobs.iter().all(|job| matches!(job, Job::Write(..) | Job::StoreEpoch(..)))
            && process.member.is_live()
        {
            self.begin_snapshot(out);
        }
    }

    /// Evidence of what the member did in this turn.
    fn observe(&mut self, out: &mut Outside) {
        let sid = self.sid();
        let at = self.at;
        let Some(process) = &mut self.process else { return };
        let is_live = process.member.is_live();
        let (accepted, current) = process.member.epochs().unwrap_or_default();
        let durable = &out.evidence.durable[at];
        if accepted > durable.accepted || current > durable.current {
            let text = format!("member {} takes epochs {accepted} and {current} for stored (R3)", sid.0);
            out.evidence.fail(Broken(text));
        }
        let tree = process.member.core().tree();
        let (zxid, digest) = (tree.last_zxid(), tree.digest());
        let mut delivered = Vec::new();
        while let Some(observation) = process.member.next_observation() {
            match observation {
                Observation::Delivered { zxid, digest } => delivered.push((zxid, digest)),
                Observation::Established { epoch } => {
                    out.trace.note(u64::from(epoch.0));
                    out.line(format_args!("member {} is established in epoch {epoch}", sid.0));
                    let lacks = out.evidence.lacks(at, epoch);
                    out.evidence.established.insert(epoch, sid);
                    out.evidence.see(&Seen::Established { sid, epoch, lacks });
                    if out.evidence.durable[at].current < epoch {
                        let text = format!("member {} leads before epoch {epoch} is on its disk (R3)", sid.0);
                        out.evidence.fail(Broken(text));
                    }
                    if !self.setup.quorum().is_voter(sid) {
                        out.evidence.fail(Broken(format!("member {} leads and has no vote", sid.0)));
                    }
                }
                Observation::Began { role, leader } => {
                    let whom = leader.map_or(0, |leader| leader.0);
                    out.line(format_args!("member {} begins {role:?} {whom}", sid.0));
                    out.changes += 1;
                    out.moment = Some((Moment::Role, at));
                    if let Some(leader) = leader {
                        let heard = &process.heard;
                        let votes = |voter: Sid| voter == sid || heard.votes_for(voter, leader);
                        let is_backed = self.setup.quorum().is_met(&votes);
                        out.evidence.see(&Seen::Decided { sid, leader, is_backed });
                        process.heard.decided();
                    }
                }
                Observation::TreeDiffers { zxid } => {
                    out.evidence.fail(Broken(format!("the tree of member {} differs at {zxid} (M1)", sid.0)));
                }
                Observation::WentBack { sid: whose, .. } => {
                    out.line(format_args!("member {}: {observation:?}", sid.0));
                    out.evidence.hit("lost history is noticed");
                    out.evidence.said_to_have_gone_back(whose);
                }
                Observation::Synchronizing { link, plan, .. } => {
                    if plan == Plan::Snap {
                        let hosts = process.links.get(&link).and_then(|(key, _)| out.net.hosts(*key));
                        out.moment = hosts.map(|(learner, _)| (Moment::Sent, learner));
                    }
                    out.line(format_args!("member {}: {observation:?}", sid.0));
                }
                Observation::SnapshotReceived { .. } => {
                    out.moment = Some((Moment::Received, at));
                    out.line(format_args!("member {}: {observation:?}", sid.0));
                }
                Observation::Serving { .. }
                | Observation::Resigned(_)
                | Observation::LeaderLost { .. }
                | Observation::Expelled { .. } => {
                    out.line(format_args!("member {}: {observation:?}", sid.0));
                }
            }
        }
        let was_live = std::mem::replace(&mut process.is_live, is_live);
        if !is_live {
            return;
        }
        if !was_live {
            out.evidence.show_up_to(at, zxid);
            // What was delivered in the same turn came before it served, or is what it serves from.
            let behind = out.evidence.behind(zxid);
            out.evidence.see(&Seen::Entered { sid, zxid, behind, digest });
            process.shows = zxid;
            return;
        }
        for (zxid, digest) in delivered {
            out.evidence.show_up_to(at, zxid);
            out.evidence.see(&Seen::Delivered { sid, zxid, digest });
            out.trace.note(digest);
            process.shows = zxid;
        }
    }
}
