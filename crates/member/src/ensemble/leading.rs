//! Packets of learners, and what they are sent.

use alloc::vec::Vec;

use mutants::mutant;
use proto::quorum::{LeaderPacket, LearnerPacket, PacketError, SessionTouch, packet_length};
use proto::{Code, Encode as _, Id, OpCode, Reader, SessionId, Zxid};
use tree::prepare::Caller;
use zab::{Plan, Violation};

use super::Ensemble;
use super::link::{Feed, Link, Stream};
use super::observation::Observation;
use super::order::{DiskJob, LinkId, Order};
use crate::core::{Core, Origin, SessionOwner, Submitted};
use crate::{Member, Now};

/// The same for one that is in no configuration, with what its snapshot needs.
const STRANGERS_WAITING_BYTES_MAX: usize = 32 << 20;
/// What may wait to be sent to a learner. One that falls behind further comes back and is brought level.
const WAITING_BYTES_MAX: usize = 512 << 20;

impl Member {
    /// Bytes of a learner.
    pub(super) fn on_learner_bytes(&mut self, link: LinkId, bytes: &[u8], now: Now) {
        let Some(entry) = self.ensemble.as_mut().and_then(|ensemble| ensemble.links.get_mut(&link)) else {
            return;
        };
        let mut input = core::mem::take(&mut entry.input);
        if input.is_empty() {
            let taken = self.take_learner_packets(link, bytes, now);
            self.keep_input(link, bytes.get(taken..).unwrap_or_default().to_vec());
        } else {
            input.extend_from_slice(bytes);
            let taken = self.take_learner_packets(link, &input, now);
            input.drain(..taken);
            self.keep_input(link, input);
        }
    }

    fn take_learner_packets(&mut self, link: LinkId, bytes: &[u8], now: Now) -> usize {
        let mut taken = 0;
        while self.ensemble.as_ref().is_some_and(|ensemble| ensemble.links.contains_key(&link)) {
            let longest = self.learner_field_bytes_max(link);
            let rest = &bytes[taken..];
            let length = match packet_length(rest, longest) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                Err(_) => {
                    self.expel(link, Violation::Malformed("a length in a packet is impossible"));
                    break;
                }
            };
            taken += length;
            match LearnerPacket::decode(&mut Reader::new(&rest[..length])) {
                Ok(packet) => self.on_learner_packet(link, packet, now),
                Err(PacketError::Kind(_)) => {}
                Err(PacketError::Malformed(_)) => {
                    self.expel(link, Violation::Malformed("a packet cannot be decoded"));
                }
            }
        }
        taken
    }

    fn expel(&mut self, link: LinkId, why: Violation) {
        self.close_link(link);
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.peer.on_learner_lost(link);
            ensemble.observations.push_back(Observation::Expelled { link, why });
        }
    }

    /// Forgets a link of the quorum port.
    pub(super) fn forget_link(&mut self, link: LinkId) {
        let Some(ensemble) = &mut self.ensemble else { return };
        if let Some(Link { stream: Some(Stream::Picture(walk)), .. }) = ensemble.links.remove(&link) {
            self.core.tree_mut().snapshot_end(walk);
        }
    }

    pub(super) fn close_link(&mut self, link: LinkId) {
        self.forget_link(link);
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.orders.push_back(Order::Close { link });
        }
    }

    fn on_learner_packet(&mut self, link: LinkId, packet: LearnerPacket<'_>, now: Now) {
        if let Err(why) = self.name(link, &packet) {
            return self.expel(link, why);
        }
        let Some(ensemble) = &mut self.ensemble else { return };
        let visitor = ensemble.links.get(&link).and_then(|entry| entry.visitor);
        let is_proven = visitor.is_some_and(|visitor| visitor.is_proven);
        if let Err(why) = ensemble.peer.on_learner_packet(link, &packet, is_proven, now.mono_ms) {
            self.expel(link, why);
        }
        self.carry_out_all(None, now);
        if self.ensemble.as_ref().is_some_and(|ensemble| ensemble.peer.is_live_learner(link)) {
            self.on_live_packet(link, packet, now);
        }
    }

    fn on_live_packet(&mut self, link: LinkId, packet: LearnerPacket<'_>, now: Now) {
        match packet {
            LearnerPacket::Ping { touched, .. } => {
                for SessionTouch { session, .. } in touched {
                    let clock = self.core.clock_mut();
                    if let Some(key) = clock.find(session) {
                        clock.touch(key, session, now.mono_ms);
                    }
                }
            }
            LearnerPacket::Revalidate { session, timeout_ms } => {
                let owner = SessionOwner::Link(link);
                let valid = self.core.revalidate(session, timeout_ms.max(0).unsigned_abs(), owner, now);
                self.send(link, &LeaderPacket::Revalidate { session, valid });
            }
            LearnerPacket::Request { session, cxid, kind, body, identities } => {
                self.on_learner_request(link, session, cxid, kind, body, identities, now);
            }
            LearnerPacket::FollowerInfo { .. }
            | LearnerPacket::ObserverInfo { .. }
            | LearnerPacket::AckEpoch { .. }
            | LearnerPacket::Ack { .. } => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of REQUEST")]
    fn on_learner_request(
        &mut self,
        link: LinkId,
        session: SessionId,
        cxid: i32,
        kind: i32,
        body: &[u8],
        identities: Option<Vec<Id<'_>>>,
        now: Now,
    ) {
        let op = OpCode::from_number(kind);
        if op == Some(OpCode::Sync) {
            return self.on_learner_sync(link);
        }
        let Some(entry) = self.ensemble.as_mut().and_then(|ensemble| ensemble.links.get_mut(&link)) else {
            return;
        };
        let ids = identities.unwrap_or_default();
        if entry.ids != ids {
            entry.ids = ids.into_iter().map(Id::into_owned).collect();
        }
        let caller = Caller { session, cxid, ids: &entry.ids };
        let origin = Origin::Link(link);
        let submitted = match op {
            Some(op) => self.core.submit(op, body, &caller, origin, now),
            None => Submitted::Refused(Code::Unimplemented),
        };
        if let Submitted::Refused(code) = submitted {
            // There is no packet for "no": the learner waits for a transaction, so there is one.
            self.core.propose_error(code, &caller, origin, now);
        }
    }

    fn on_learner_sync(&mut self, link: LinkId) {
        self.put_proposals();
        let question = self.core.want_answer();
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.syncs.push_back((ensemble.sent, question, link));
        }
    }

    /// A quorum was led by this member when the question was put.
    pub(super) fn on_answered(&mut self, question: u64, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        ensemble.answered = question;
        ensemble.put_syncs(ensemble.told);
        let shown = self.core.tree().last_zxid();
        self.front.on_committed(&mut self.core, shown, question, now);
    }

    pub(super) fn send(&mut self, link: LinkId, packet: &LeaderPacket<'_>) {
        let Some(ensemble) = &mut self.ensemble else { return };
        if let Some(entry) = ensemble.links.get_mut(&link) {
            packet.encode(entry.live());
            ensemble.touch(link);
        }
    }

    /// Proposals that were made since the last time go to everybody who is to have them.
    pub(crate) fn put_proposals(&mut self) {
        let Some(ensemble) = &mut self.ensemble else { return };
        // First, for who asked stands before what is proposed now.
        if let Some(question) = self.core.take_question() {
            ensemble.peer.ask_quorum(question);
        }
        if ensemble.peer.next_zxid().is_none() {
            return;
        }
        let mut some = false;
        for (zxid, txn) in self.core.transactions(ensemble.sent) {
            some = true;
            ensemble.peer.on_proposed(zxid, ensemble.now.mono_ms);
            ensemble.sent = zxid;
            for entry in ensemble.links.values_mut().filter(|entry| entry.feed == Some(Feed::Proposals)) {
                LeaderPacket::Proposal { zxid, txn }.encode(entry.live());
            }
        }
        if some {
            ensemble.touch_fed();
        }
    }

    /// A leader's history is committed up to `upto`.
    pub(super) fn put_commits(&mut self, upto: Zxid) {
        let Some(ensemble) = &mut self.ensemble else { return };
        if ensemble.links.values().any(|entry| entry.feed.is_some()) {
            let committed = self.core.transactions(ensemble.told).take_while(|(zxid, _)| *zxid <= upto);
            for (zxid, txn) in committed {
                for entry in ensemble.links.values_mut() {
                    match entry.feed {
                        Some(Feed::Proposals) => LeaderPacket::Commit { zxid }.encode(entry.live()),
                        Some(Feed::Informs) => LeaderPacket::Inform { zxid, txn }.encode(entry.live()),
                        None => {}
                    }
                }
                // Right behind what it waited for: the same client's next write may be among these commits too.
                ensemble.put_syncs(zxid);
            }
            ensemble.touch_fed();
        }
        ensemble.told = upto;
    }

    /// Puts together what a learner lacks, and registers it for what happens from now on, in one step.
    pub(super) fn synchronize(&mut self, link: LinkId, last: Zxid, is_observer: bool, new_leader: Zxid) {
        self.put_proposals();
        let Some(ensemble) = &mut self.ensemble else { return };
        let base = self.core.committed();
        let delivered = self.core.tree().last_zxid();
        let plan = zab::plan(self.core.held(), delivered, ensemble.whole_from, last);
        ensemble.observations.push_back(Observation::Synchronizing { link, last, plan });
        let Some(entry) = ensemble.links.get_mut(&link) else { return };
        entry.base = base;
        entry.is_leveled = true;
        entry.feed = Some(if is_observer { Feed::Informs } else { Feed::Proposals });
        match plan {
            Plan::Diff { after, last } => {
                LeaderPacket::Diff { zxid: last }.encode(&mut entry.out);
                put_recent(&self.core, after, base, &mut entry.out);
            }
            Plan::Trunc { to } => LeaderPacket::Trunc { zxid: to }.encode(&mut entry.out),
            Plan::Log { after, upto } => {
                entry.stream = Some(Stream::Log { after, upto, is_begun: false });
                // Now, for what is in memory now may be gone when the log has been read.
                let from = if mutant!(DiffGap) { Zxid(upto.0 + 1) } else { upto };
                put_recent(&self.core, from, base, entry.live());
                ensemble.orders.push_back(Order::Disk(DiskJob::ReadLog { link, after, upto }));
            }
            Plan::Snap => begin_snapshot(&mut self.core, entry),
        }
        if !is_observer {
            for (zxid, txn) in self.core.transactions(base.max(delivered)) {
                LeaderPacket::Proposal { zxid, txn }.encode(entry.live());
            }
        }
        entry.end_with(new_leader, &ensemble.config_text);
        ensemble.touch(link);
    }

    /// All output of a link is sent: the next piece of its stream.
    pub(super) fn go_on_with_stream(&mut self, link: LinkId) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(entry) = ensemble.links.get_mut(&link) else { return };
        match entry.stream {
            None => return,
            Some(Stream::Picture(walk)) => {
                if self.core.tree_mut().snapshot_step(walk, ensemble.step_nodes, &mut entry.out) {
                    store::snapshot::put_stream_end(&mut entry.out);
                    entry.end_stream(&ensemble.config_text);
                }
            }
            Some(Stream::Log { is_begun: false, .. }) => return,
            Some(Stream::Log { after, upto, .. }) => {
                ensemble.orders.push_back(Order::Disk(DiskJob::ReadLog { link, after, upto }));
                entry.stream = Some(Stream::Log { after, upto, is_begun: false });
            }
        }
        ensemble.touch(link);
    }

    /// A piece of the log for a learner.
    pub(super) fn on_log_read(&mut self, link: LinkId, piece: Option<Vec<(Zxid, Vec<u8>)>>) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(entry) = ensemble.links.get_mut(&link) else { return };
        let Some(Stream::Log { after, upto, .. }) = entry.stream else { return };
        let is_first = !core::mem::replace(&mut entry.is_begun, true);
        match piece {
            None if is_first => return self.send_snapshot_instead(link),
            // It was promised a DIFF that cannot be kept; it comes again.
            None => return self.expel(link, Violation::Malformed("the log cannot be read to its end")),
            Some(piece) => {
                if is_first {
                    LeaderPacket::Diff { zxid: entry.base.max(upto) }.encode(&mut entry.out);
                }
                for (zxid, txn) in &piece {
                    Link::put_committed(&mut entry.out, *zxid, txn);
                }
                match piece.last() {
                    Some(&(zxid, _)) => {
                        entry.stream = Some(Stream::Log { after: zxid.max(after), upto, is_begun: true });
                    }
                    None => entry.end_stream(&ensemble.config_text),
                }
            }
        }
        ensemble.touch(link);
    }

    /// The log does not lead to what is in memory. What was to follow it is in the snapshot, which is of this moment, so the learner is
    /// registered again.
    fn send_snapshot_instead(&mut self, link: LinkId) {
        self.put_proposals();
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(entry) = ensemble.links.get_mut(&link) else { return };
        entry.forget_behind();
        entry.base = self.core.committed();
        begin_snapshot(&mut self.core, entry);
        if entry.feed == Some(Feed::Proposals) {
            for (zxid, txn) in self.core.transactions(entry.base.max(self.core.tree().last_zxid())) {
                LeaderPacket::Proposal { zxid, txn }.encode(entry.live());
            }
        }
        ensemble.touch(link);
    }

    /// Learners that do not take what they are sent are sent away before memory runs out.
    pub(super) fn expel_the_stuck(&mut self) {
        let Some(ensemble) = &self.ensemble else { return };
        let stuck = |(&link, entry): (&LinkId, &Link)| {
            let bytes = entry.waiting_bytes();
            if entry.feed.is_none() || (bytes <= STRANGERS_WAITING_BYTES_MAX && entry.stream.is_none()) {
                return None;
            }
            let (bytes, max) = match entry.stream {
                // What a member's picture needs is bounded by the tree.
                _ if ensemble.is_member_link(link) => (bytes, WAITING_BYTES_MAX),
                Some(Stream::Picture(walk)) => {
                    (bytes + self.core.tree().snapshot_waiting_bytes(walk), STRANGERS_WAITING_BYTES_MAX)
                }
                Some(Stream::Log { .. }) | None => (bytes, STRANGERS_WAITING_BYTES_MAX),
            };
            (bytes > max).then_some((link, bytes))
        };
        let stuck: Vec<(LinkId, usize)> = ensemble.links.iter().filter_map(stuck).collect();
        for (link, bytes) in stuck {
            self.expel(link, Violation::NotReading(bytes));
        }
    }

    /// Whether a learner of the configuration is still being sent what it lacks.
    pub(super) fn is_member_brought_level(&self, link: LinkId) -> bool {
        self.ensemble.as_ref().is_some_and(|ensemble| {
            let is_leveled = ensemble.links.get(&link).is_some_and(|entry| entry.is_leveled);
            is_leveled && ensemble.is_member_link(link)
        })
    }

    /// A learner took what it lacks, or some of it. What comes behind NEWLEADER the kernel takes without it.
    pub(super) fn note_sync_progress(&mut self, link: LinkId, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(entry) = ensemble.links.get_mut(&link).filter(|entry| entry.is_leveled) else { return };
        entry.is_leveled = entry.stream.is_some() || !entry.out.is_empty();
        ensemble.peer.on_sync_progress(link, now.mono_ms);
    }
}

/// The committed transactions in memory behind `after`.
fn put_recent(core: &Core, after: Zxid, committed: Zxid, out: &mut Vec<u8>) {
    for (zxid, txn) in core.transactions(after).take_while(|(zxid, _)| *zxid <= committed) {
        Link::put_committed(out, zxid, txn);
    }
}

/// SNAP, and what stands before the znodes.
fn begin_snapshot(core: &mut Core, entry: &mut Link) {
    let (walk, head) = core.tree_mut().snapshot_begin();
    LeaderPacket::Snap { zxid: head.zxid }.encode(&mut entry.out);
    store::snapshot::put_stream_start(&mut entry.out, &head.sessions, &head.acls);
    entry.stream = Some(Stream::Picture(walk));
}

impl Ensemble {
    /// Whether a link is that of a learner in the configuration.
    fn is_member_link(&self, link: LinkId) -> bool {
        let sid = self.links.get(&link).and_then(|entry| entry.visitor).and_then(|visitor| visitor.sid);
        sid.is_some_and(|sid| self.quorum_addresses.contains_key(&sid))
    }

    /// SYNC to those that waited for the commit of `zxid` and an answer that has come.
    fn put_syncs(&mut self, zxid: Zxid) {
        let answered = self.answered;
        let is_due = |&&(waits_for, asked, _): &&(Zxid, u64, LinkId)| waits_for <= zxid && asked <= answered;
        while let Some(&(_, _, link)) = self.syncs.front().filter(is_due) {
            self.syncs.pop_front();
            if let Some(entry) = self.links.get_mut(&link) {
                LeaderPacket::Sync.encode(entry.live());
            }
            self.touch(link);
        }
    }

    /// Everybody who is fed has something to be sent.
    fn touch_fed(&mut self) {
        let fed = self.links.iter_mut().filter(|(_, entry)| entry.feed.is_some() && !entry.is_dirty);
        for (&link, entry) in fed {
            entry.is_dirty = true;
            self.dirty.push_back(link);
        }
    }
}
