//! What the protocol wants done, spelled out.

use mutants::mutant;
use proto::quorum::{
    LeaderPacket, LearnerInfo, LearnerPacket, Notification, NotificationTail, PROTOCOL_VERSION,
};
use proto::{Encode as _, Entry, SessionId, TxnKind, Zxid};
use tree::DigestCheck;
use zab::{Effect, Role};

use super::Ensemble;
use super::link::Link;
use super::observation::Observation;
use super::order::{DiskJob, Done, EpochFile, Halt, Incoming, Order, Port};
use super::receive::{Receiving, Saving};
use crate::core::Origin;
use crate::{Member, Now};

/// How often a tree may be replaced because it differs.
const DIFFERENCES_MAX: u32 = 1;

impl Member {
    /// Carries out what is asked for; `txn` is the payload of the packet that led to it.
    pub(super) fn carry_out_all(&mut self, txn: Option<&[u8]>, now: Now) {
        while let Some(effect) = self.ensemble.as_mut().and_then(|ensemble| ensemble.peer.next_effect()) {
            self.carry_out(effect, txn, now);
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect, txn: Option<&[u8]>, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        match effect {
            Effect::Notify { to, seen } => {
                let tail =
                    NotificationTail::Config { version: 2, config: ensemble.config_text.as_str().into() };
                let mut message = alloc::vec::Vec::new();
                Notification { state: seen.state, vote: seen.vote, tail }.encode(&mut message);
                ensemble.mesh.send(to, message, now, &mut ensemble.ids, &mut ensemble.orders);
            }
            Effect::Begin(role) => {
                let leader = if role == Role::Looking { None } else { Some(ensemble.peer.vote().leader) };
                ensemble.observations.push_back(Observation::Began { role, leader });
            }
            Effect::Retire => self.retire(),
            Effect::StoreAccepted(epoch) => {
                ensemble.order_job(DiskJob::StoreEpoch(EpochFile::Accepted, epoch));
                if mutant!(EpochToldEarly) {
                    ensemble.peer.on_accepted_stored(epoch, now.mono_ms);
                }
            }
            Effect::StoreCurrent(epoch) => {
                ensemble.order_job(DiskJob::StoreEpoch(EpochFile::Current, epoch));
                if mutant!(NewLeaderAckedEarly) {
                    ensemble.peer.on_current_stored(epoch, now.mono_ms);
                }
            }
            Effect::Listen(is_open) => ensemble.orders.push_back(Order::Listen(is_open)),
            Effect::LeaderInfo { link, epoch } => {
                self.send(link, &LeaderPacket::LeaderInfo { epoch, protocol_version: PROTOCOL_VERSION });
            }
            Effect::TakeOver => {
                let logged = ensemble.logged;
                self.deliver_up_to(logged, now);
            }
            Effect::Synchronize { link, last, is_observer, epoch } => {
                self.synchronize(link, last, is_observer, Zxid::new(epoch, 0));
            }
            Effect::Establish { epoch } => self.establish(Zxid::new(epoch, 0), now),
            Effect::UpToDate { link } => self.send(link, &LeaderPacket::UpToDate),
            Effect::Ping { link, zxid } => self.send(link, &LeaderPacket::Ping { zxid }),
            Effect::Expel { link, why } => {
                ensemble.observations.push_back(Observation::Expelled { link, why });
                self.close_link(link);
            }
            Effect::Answered { question } => self.on_answered(question, now),
            Effect::Replaced { link } => self.close_link(link),
            Effect::WentBack { sid, last, acked } => {
                ensemble.observations.push_back(Observation::WentBack { sid, last, acked });
            }
            Effect::Commit { upto } => {
                if ensemble.peer.role() == Role::Leading {
                    self.put_commits(upto);
                }
                self.deliver_up_to(upto, now);
            }
            Effect::Dial { leader } => self.dial(leader),
            Effect::Register { accepted, is_observer } => {
                let info = LearnerInfo {
                    sid: ensemble.peer.me(),
                    protocol_version: PROTOCOL_VERSION,
                    config_version: 0,
                };
                self.send_leader(&if is_observer {
                    LearnerPacket::ObserverInfo { accepted_epoch: accepted, info }
                } else {
                    LearnerPacket::FollowerInfo { accepted_epoch: accepted, info }
                });
            }
            Effect::AckEpoch { last, current } => {
                self.send_leader(&LearnerPacket::AckEpoch { last_zxid: last, current_epoch: current });
            }
            // What is here and not delivered is delivered with UPTODATE.
            Effect::Keep => {}
            Effect::Truncate { to } => self.truncate(to, now),
            Effect::ReceiveSnapshot { zxid } => {
                let (field_max, options) = (ensemble.packet_bytes_max, self.core.tree().options());
                ensemble.receiving = Some(Receiving::begin(zxid, field_max, *options));
                ensemble.saving = Some(Saving::begin(zxid, now.mono_ms));
                ensemble.orders.push_back(Order::Receive(Incoming::Begin { zxid }));
            }
            Effect::Install => {
                // What came behind it is in the tree and not in the file.
                let zxid = self.core.tree().last_zxid();
                let is_received = ensemble.saving.take().is_some_and(|saved| saved.is_whole(zxid));
                ensemble.order_job(DiskJob::Install { is_received });
            }
            Effect::Append { zxid } => self.append(zxid, txn),
            Effect::Ack { zxid } => self.send_leader(&LearnerPacket::Ack { zxid }),
            Effect::Serve { committed } => self.serve(committed, now),
            Effect::HangUp { why } => {
                ensemble.observations.push_back(Observation::LeaderLost { why });
                ensemble.give_up_snapshot();
                if let Some(link) = ensemble.leader.take() {
                    ensemble.links.remove(&link);
                    ensemble.orders.push_back(Order::Close { link });
                }
            }
            Effect::Resign(why) => ensemble.observations.push_back(Observation::Resigned(why)),
        }
        self.note_waiting();
    }

    /// While the disk works, what the leader sends waits.
    pub(super) fn note_waiting(&mut self) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let wanted = ensemble.wants_leader_input();
        if let Some(entry) = ensemble.leader.and_then(|link| ensemble.links.get_mut(&link))
            && !wanted
        {
            entry.is_waiting = true;
        }
    }

    fn dial(&mut self, leader: proto::Sid) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let link = ensemble.ids.give();
        ensemble.leader = Some(link);
        ensemble.links.insert(link, Link::default());
        let addresses = ensemble.quorum_addresses.get(&leader).cloned().unwrap_or_default();
        let timeout_ms = ensemble.dial_timeout_ms;
        ensemble.orders.push_back(Order::Dial { link, port: Port::Quorum, addresses, timeout_ms });
    }

    /// A quorum has this leader's history.
    fn establish(&mut self, mark: Zxid, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        ensemble.sent = mark;
        ensemble.told = mark;
        ensemble.observations.push_back(Observation::Established { epoch: mark.epoch() });
        let serves = ensemble.leader_serves;
        self.core.lead(mark, ensemble.counter_max, now);
        self.show_configuration(now);
        self.front.serve(serves);
        // Ephemerals whose session is gone, as a fuzzy snapshot of Java's can leave them (ZOOKEEPER-3144).
        let orphans: alloc::vec::Vec<SessionId> = self.core.tree().orphans().collect();
        for session in orphans {
            self.core.end_session(session, now);
        }
    }

    /// UPTODATE: clients may come.
    fn serve(&mut self, committed: Zxid, now: Now) {
        let shown = self.core.tree().last_zxid();
        self.deliver_up_to(committed, now);
        if mutant!(HoleInRecent) {
            self.core.leave_hole(shown);
        }
        if !self.ensemble.as_ref().is_some_and(|ensemble| ensemble.peer.learns()) {
            // The tree turned out to differ.
            return;
        }
        self.show_configuration(now);
        self.core.follow(now);
        self.front.serve(true);
        let zxid = self.core.tree().last_zxid();
        if let Some(ensemble) = &mut self.ensemble {
            let leader = ensemble.peer.leader();
            ensemble.observations.push_back(Observation::Serving { leader, zxid });
            ensemble.peer.on_persisted(ensemble.logged);
        }
    }

    fn show_configuration(&mut self, now: Now) {
        if let Some(ensemble) = &self.ensemble {
            let text = ensemble.config_text.as_bytes();
            self.core.tree_mut().show_configuration(text, Zxid::ZERO, now.wall_ms);
        }
    }

    /// The end of a role: no client is served, and no learner.
    fn retire(&mut self) {
        self.front.serve(false);
        self.core.retire();
        let Some(ensemble) = &mut self.ensemble else { return };
        let links: alloc::vec::Vec<_> = ensemble.links.keys().copied().collect();
        ensemble.syncs.clear();
        ensemble.give_up_snapshot();
        ensemble.leader = None;
        ensemble.is_draining = true;
        for link in links {
            self.close_link(link);
        }
    }

    /// Looks for a leader as soon as everything this member has is on disk. Whether it does now.
    pub(super) fn drain(&mut self, now: Now) -> bool {
        let Some(ensemble) = &mut self.ensemble else { return false };
        if mutant!(SnapshotTrusted) && ensemble.is_draining && self.core.is_held_back() {
            // What is in memory is taken for the history.
            let last = self.core.tree().last_zxid();
            self.core.release();
            (ensemble.logged, ensemble.taken) = (last, last);
        }
        let is_still = (ensemble.jobs == 0 && self.core.formed() == 0 && ensemble.logged >= ensemble.taken)
            || (mutant!(RejoinsFromMemory) && !ensemble.is_tree_unsaved);
        if !ensemble.is_draining || !is_still {
            return false;
        }
        if ensemble.is_tree_unsaved {
            // The tree is another leader's, and the files are not (ZOOKEEPER-3642).
            let to = ensemble.logged;
            ensemble.order_truncation(to, true);
            return true;
        }
        ensemble.is_draining = false;
        let last = if mutant!(RejoinsFromMemory) { self.core.tree().last_zxid() } else { ensemble.logged };
        ensemble.peer.on_drained(last, now.mono_ms);
        true
    }

    fn truncate(&mut self, to: Zxid, now: Now) {
        // Up to there this member's history is the leader's.
        self.deliver_up_to(to, now);
        let reload = self.core.tree().last_zxid() > to;
        if !mutant!(UncommittedKept) {
            self.core.drop_undelivered();
        }
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.order_truncation(to, reload);
        }
    }

    /// The end of a disk job.
    pub fn on_disk(&mut self, done: Done, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        ensemble.now = now;
        match done {
            Done::LogRead { link, piece } => self.on_log_read(link, piece),
            Done::EpochStored(EpochFile::Accepted, epoch) => {
                ensemble.jobs -= 1;
                ensemble.peer.on_accepted_stored(epoch, now.mono_ms);
            }
            Done::EpochStored(EpochFile::Current, epoch) => {
                ensemble.jobs -= 1;
                ensemble.peer.on_current_stored(epoch, now.mono_ms);
            }
            Done::NotTruncated { to } if ensemble.is_tree_unsaved => {
                ensemble.jobs -= 1;
                ensemble.orders.push_back(Order::Halt(Halt::LogLost { zxid: to }));
            }
            Done::NotTruncated { .. } => {
                ensemble.jobs -= 1;
                // What was not delivered is gone from memory, and the log still has it.
                ensemble.is_tree_unsaved = true;
                ensemble.peer.distrust_tree();
            }
            Done::Truncated { to, tree } => {
                ensemble.jobs -= 1;
                ensemble.is_tree_unsaved = false;
                ensemble.logged = to;
                ensemble.taken = to;
                ensemble.whole_from = ensemble.whole_from.min(to);
                if let Some(tree) = tree {
                    self.core.replace_tree(*tree, false);
                }
                ensemble.peer.on_truncated(now.mono_ms);
            }
            Done::Installed => {
                ensemble.jobs -= 1;
                ensemble.is_tree_unsaved = false;
                let zxid = self.core.tree().last_zxid();
                ensemble.logged = zxid;
                ensemble.taken = zxid;
                ensemble.whole_from = zxid;
                self.core.release();
                ensemble.peer.on_installed(now.mono_ms);
            }
        }
        self.settle(now);
    }

    /// Delivers what is committed, at this member and to whoever waits for it here.
    pub(crate) fn deliver_up_to(&mut self, upto: Zxid, now: Now) {
        self.core.commit(upto);
        self.deliver(now);
    }

    /// Applies what may be applied, tells watchers, answers.
    pub(crate) fn deliver(&mut self, now: Now) {
        let follows = self.core.follows();
        // What comes behind a snapshot of Java's may be in it already; nothing is compared before it is whole.
        let compares = self.ensemble.is_some() && !self.core.is_held_back();
        let mut differs = None;
        while let Some(committed) = self.core.next_committed() {
            let entry = Entry::decode(committed.payload.bytes())
                .expect("it was decoded when it was prepared, or came");
            let origin = if follows { self.origin(&entry) } else { committed.origin };
            let applied = self.core.apply(&entry, origin, &mut self.front, now);
            self.front.delivered(&mut self.core, origin, &entry, &applied.outcome, now);
            let zxid = entry.header.zxid;
            // A sync that waited for this one is answered before the next one, which may be of the same client.
            let answered = self.ensemble.as_ref().map_or(0, |ensemble| ensemble.answered);
            self.front.on_committed(&mut self.core, zxid, answered, now);
            if let Some(ensemble) = self.ensemble.as_mut().filter(|ensemble| ensemble.tells_deliveries) {
                let digest = self.core.tree().digest();
                ensemble.observations.push_back(Observation::Delivered { zxid, digest });
            }
            if matches!(applied.digest, DigestCheck::Mismatch { .. }) {
                differs = differs.or(Some(zxid));
            }
        }
        if let Some(zxid) = differs.filter(|_| compares) {
            self.on_difference(zxid);
        }
    }

    /// Who of this learner's clients waits for a transaction of the leader.
    fn origin(&mut self, entry: &Entry<'_>) -> Origin {
        let header = &entry.header;
        if header.kind == TxnKind::CreateSession.number() {
            return self.core.opened(header.session).unwrap_or(Origin::Server);
        }
        self.front.waiter(header.session, header.cxid).map_or(Origin::Server, Origin::Client)
    }

    /// The tree is not what whoever decided the transaction said it would be: this member serves nobody before it has
    /// the files' tree, and as a learner the leader's (R9).
    fn on_difference(&mut self, zxid: Zxid) {
        let Some(ensemble) = &mut self.ensemble else { return };
        ensemble.observations.push_back(Observation::TreeDiffers { zxid });
        if ensemble.differences >= DIFFERENCES_MAX {
            ensemble.orders.push_back(Order::Halt(Halt::TreeDiffers { zxid }));
        }
        ensemble.differences += 1;
        // Until the leader's tree is here, what the files say is better than what is in memory.
        ensemble.is_tree_unsaved = true;
        ensemble.peer.distrust_tree();
    }
}

impl Ensemble {
    fn order_job(&mut self, job: DiskJob) {
        self.jobs += 1;
        self.orders.push_back(Order::Disk(job));
    }

    /// The protocol asks for nothing that would undo what is committed; the files refuse it once more (Z10).
    fn order_truncation(&mut self, to: Zxid, reload: bool) {
        let committed = self.peer.known();
        self.order_job(DiskJob::Truncate { to, reload, committed });
    }
}
