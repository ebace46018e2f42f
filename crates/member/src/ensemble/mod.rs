//! A member among others: what it asks of its driver, and its connections.
//!
//! [`zab::Peer`] says what is to be done, [`Mesh`] keeps the election port, and here the effects are spelled out: in
//! packets on quorum links, in transactions handed to the core, in orders to the driver.

mod effects;
mod following;
mod gate;
mod leading;
mod link;
mod mesh;
mod observation;
mod options;
mod order;
mod receive;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use mutants::mutant;
use proto::quorum::Notification;
use proto::{Epoch, Sid, Zxid};
use zab::{LearnerView, Peer, Seen};

use crate::core::Payloads;
use crate::{Core, Front, Member, Now};
use link::Link;
pub use mesh::{LinkIds, Mesh, MeshEvent, MeshOptions};
pub use observation::Observation;
pub use options::{EnsembleOptions, PeerAddress};
pub use order::{Address, DiskJob, Done, EpochFile, Halt, Incoming, LinkId, Order, Port};
use receive::{Receiving, Saving};
pub use zab::{Plan, Role as PeerRole};

/// What a member is, as an operator sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The only server there is.
    Standalone,
    /// It looks for a leader.
    Looking,
    /// It follows, and votes.
    Following,
    /// It leads.
    Leading,
    /// It follows without a vote.
    Observing,
}

/// The part of a member that an ensemble needs.
#[derive(Debug)]
pub(crate) struct Ensemble {
    peer: Peer,
    mesh: Mesh,
    ids: LinkIds,
    orders: VecDeque<Order>,
    observations: VecDeque<Observation>,
    /// Links of the quorum port, accepted or called.
    links: BTreeMap<LinkId, Link>,
    dirty: VecDeque<LinkId>,
    /// The link to the leader.
    leader: Option<LinkId>,
    quorum_addresses: BTreeMap<Sid, Vec<Address>>,
    config_text: String,
    leader_serves: bool,
    counter_max: u32,
    tells_deliveries: bool,
    dial_timeout_ms: u64,
    /// So long the disk may take no byte of a leader's snapshot before that goes on without it.
    disk_patience_ms: u64,
    packet_bytes_max: usize,
    step_nodes: usize,
    /// A snapshot that is coming in.
    receiving: Option<Receiving>,
    /// The same on its way to a file, until that is installed or given up.
    saving: Option<Saving>,
    /// Leader: learners were sent proposals up to here.
    sent: Zxid,
    /// Leader: learners were told of commits up to here.
    told: Zxid,
    /// Leader: learners that wait for a SYNC, and for which commit and which answer.
    syncs: VecDeque<(Zxid, u64, LinkId)>,
    /// Leader: the newest question that a quorum has answered.
    answered: u64,
    /// Disk jobs whose end has not been told.
    jobs: usize,
    /// The last transaction handed to the log.
    taken: Zxid,
    /// The last transaction on disk.
    logged: Zxid,
    /// From here on the log has no hole.
    whole_from: Zxid,
    /// The role is over, and the log is not still yet.
    is_draining: bool,
    /// The tree is not that of the files: it came from a leader and was not saved, or it is not to be trusted.
    is_tree_unsaved: bool,
    /// How often the tree differed from the leader's.
    differences: u32,
    tick_ms: u64,
    /// When time was last looked at.
    ticked_ms: u64,
    now: Now,
}

impl Member {
    /// A member of an ensemble: it looks for a leader. `core` stands behind the recovered tree.
    ///
    /// * `whole_from` of the options: the zxid of the snapshot that recovery started from.
    #[must_use]
    pub fn in_ensemble(mut core: Core, mut front: Front, options: EnsembleOptions, now: Now) -> Self {
        let last = core.tree().last_zxid();
        core.join(options.commit_log_count);
        front.serve(false);
        let mesh = Mesh::new(options.mesh());
        let peer = Peer::new(options.peer(), last, now.mono_ms);
        let limits = options.peer().limits;
        let quorum_addresses = options.members.iter().map(|(&sid, at)| (sid, at.quorum.clone())).collect();
        let ensemble = Ensemble {
            peer,
            mesh,
            ids: LinkIds::default(),
            orders: VecDeque::new(),
            observations: VecDeque::new(),
            links: BTreeMap::new(),
            dirty: VecDeque::new(),
            leader: None,
            quorum_addresses,
            config_text: options.config_text,
            leader_serves: options.leader_serves,
            counter_max: options.counter_max,
            tells_deliveries: options.tells_deliveries,
            dial_timeout_ms: limits.connect_ms,
            // The leader waits for `init_ms`.
            disk_patience_ms: limits.init_ms / 2,
            packet_bytes_max: options.packet_bytes_max,
            step_nodes: options.step_nodes,
            receiving: None,
            saving: None,
            sent: Zxid::ZERO,
            told: Zxid::ZERO,
            syncs: VecDeque::new(),
            answered: 0,
            jobs: 0,
            taken: last,
            logged: last,
            whole_from: options.whole_from,
            is_draining: false,
            is_tree_unsaved: false,
            differences: 0,
            tick_ms: options.tick_ms,
            ticked_ms: now.mono_ms,
            now,
        };
        let mut member = Self { core, front, ensemble: Some(alloc::boxed::Box::new(ensemble)) };
        member.settle(now);
        member
    }

    /// What it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.ensemble.as_ref().map_or(Role::Standalone, |ensemble| match ensemble.peer.role() {
            zab::Role::Looking => Role::Looking,
            zab::Role::Following => Role::Following,
            zab::Role::Leading => Role::Leading,
            zab::Role::Observing => Role::Observing,
        })
    }

    /// Whether clients are served.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.front.is_serving()
    }

    /// Whether this member has an established leader, be it itself; a standalone server has.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.ensemble.as_ref().is_none_or(|ensemble| ensemble.peer.is_live())
    }

    /// The learners of a leader.
    #[must_use]
    pub fn learners(&self) -> Vec<LearnerView> {
        self.ensemble.as_ref().map(|ensemble| ensemble.peer.learners()).unwrap_or_default()
    }

    /// Who leads, as far as this member knows.
    #[must_use]
    pub fn leader(&self) -> Option<Sid> {
        self.ensemble.as_ref().and_then(|ensemble| ensemble.peer.leader())
    }

    /// `acceptedEpoch` and `currentEpoch`, as they are on disk.
    #[must_use]
    pub fn epochs(&self) -> Option<(Epoch, Epoch)> {
        self.ensemble.as_ref().map(|ensemble| ensemble.peer.epochs())
    }

    /// Syncs of learners that wait for a commit.
    #[must_use]
    pub fn pending_syncs(&self) -> usize {
        self.ensemble.as_ref().map_or(0, |ensemble| ensemble.syncs.len())
    }

    /// The last transaction on this member's disk.
    #[must_use]
    pub fn logged(&self) -> Zxid {
        self.ensemble.as_ref().map_or(self.core.tree().last_zxid(), |ensemble| ensemble.logged)
    }

    /// Whether everything up to `zxid`, which the tree shows, is on this member's disk too. A commit may come sooner.
    /// A mark that opens an epoch has no entry, and what is before it was on disk when it was opened.
    #[must_use]
    pub fn is_logged(&self, zxid: Zxid) -> bool {
        zxid.counter() == 0 || self.logged() >= zxid
    }

    /// What happened that somebody may want to read.
    pub fn next_observation(&mut self) -> Option<Observation> {
        self.ensemble.as_mut()?.observations.pop_front()
    }

    /// What the driver has to do next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.ensemble.as_mut()?.orders.pop_front()
    }

    /// Somebody called one of this member's ports. `None`: close the connection at once.
    pub fn link_accepted(&mut self, port: Port, peer: SocketAddr, now: Now) -> Option<LinkId> {
        let ensemble = self.ensemble.as_mut()?;
        let link = ensemble.ids.give();
        match port {
            Port::Election => ensemble.mesh.accepted(link, peer, now, &mut ensemble.orders),
            Port::Quorum if !self.admit(link, peer.ip(), now) => return None,
            Port::Quorum => {}
        }
        self.settle(now);
        Some(link)
    }

    /// What a name meant when it was looked up, for a call or because somebody called; told before the call is.
    pub fn link_resolved(&mut self, host: &str, addresses: &[IpAddr]) {
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.mesh.resolved(host, addresses);
        }
    }

    /// A call came through.
    pub fn link_opened(&mut self, link: LinkId, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        if ensemble.leader == Some(link) {
            ensemble.peer.on_leader_connected(now.mono_ms);
        } else {
            ensemble.mesh.opened(link, now, &mut ensemble.orders);
        }
        self.settle(now);
    }

    /// A link's socket is gone, or a call failed.
    pub fn link_lost(&mut self, link: LinkId, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        if ensemble.leader == Some(link) {
            ensemble.leader = None;
            ensemble.links.remove(&link);
            ensemble.give_up_snapshot();
            ensemble.peer.on_leader_lost(now.mono_ms);
        } else if ensemble.links.contains_key(&link) {
            self.forget_link(link);
            if let Some(ensemble) = &mut self.ensemble {
                ensemble.peer.on_learner_lost(link);
            }
        } else {
            ensemble.mesh.lost(link);
        }
        self.settle(now);
    }

    /// Bytes came. All are taken; call only while [`Self::link_wants_input`].
    pub fn link_receive(&mut self, link: LinkId, bytes: &[u8], now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        if ensemble.leader == Some(link) {
            self.on_leader_bytes(link, bytes, now);
        } else if ensemble.links.contains_key(&link) {
            self.on_learner_bytes(link, bytes, now);
        } else {
            ensemble.mesh.receive(link, bytes, now, &mut ensemble.ids, &mut ensemble.orders);
        }
        self.settle(now);
    }

    /// Whether bytes may be handed in. When that changes, the link comes up in [`Self::next_dirty_link`].
    #[must_use]
    pub fn link_wants_input(&self, link: LinkId) -> bool {
        self.ensemble
            .as_ref()
            .is_some_and(|ensemble| ensemble.leader != Some(link) || ensemble.wants_leader_input())
    }

    /// The link to the leader, while short packets on it may wait for the next long one: what this member has logged only
    /// lacks its commit, and no client is here to see whether that has come.
    ///
    /// The driver still has to read the link before a client's connection is accepted, and now and then, for a heartbeat
    /// is short too.
    #[must_use]
    pub fn link_that_may_wait(&self) -> Option<LinkId> {
        let ensemble = self.ensemble.as_ref()?;
        let leader = ensemble.leader?;
        // Whose packet came in two pieces waits for the second, however short it is.
        let is_whole = ensemble.links.get(&leader).is_some_and(|link| link.input.is_empty());
        let may_wait = is_whole
            && ensemble.peer.role() == zab::Role::Following
            && ensemble.peer.is_live()
            && self.front.connections() == 0
            && self.core.has_undelivered();
        may_wait.then_some(leader)
    }

    /// The next link that has something to send, or wants to be read from again.
    pub fn next_dirty_link(&mut self) -> Option<LinkId> {
        self.send_out();
        self.expel_the_stuck();
        let ensemble = self.ensemble.as_mut()?;
        while let Some(link) = ensemble.dirty.pop_front() {
            if let Some(entry) = ensemble.links.get_mut(&link) {
                entry.is_dirty = false;
                return Some(link);
            }
        }
        ensemble.mesh.next_dirty()
    }

    /// Proposals and requests that were made since the last time go out, with what follows from that.
    pub(crate) fn send_out(&mut self) {
        self.put_proposals();
        self.put_requests();
        if let Some(now) = self.ensemble.as_ref().map(|ensemble| ensemble.now) {
            self.carry_out_all(None, now);
        }
    }

    /// What is to be sent on a link; remove what was sent. `None`: there is no such link.
    pub fn link_output(&mut self, link: LinkId) -> Option<&mut Vec<u8>> {
        let ensemble = self.ensemble.as_mut()?;
        match ensemble.links.get_mut(&link) {
            Some(entry) => Some(&mut entry.out),
            None => ensemble.mesh.output(link),
        }
    }

    /// Some output of a link is sent, and there is more.
    pub fn link_sends(&mut self, link: LinkId, now: Now) {
        // Whoever has proved nothing has to take whole steps of a tree to be waited for.
        if self.is_member_brought_level(link) {
            self.note_sync_progress(link, now);
        }
    }

    /// All output of a link is sent.
    pub fn link_sent(&mut self, link: LinkId, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        ensemble.now = now;
        if ensemble.links.contains_key(&link) {
            self.note_sync_progress(link, now);
            self.go_on_with_stream(link);
        } else {
            ensemble.mesh.sent(link, now, &mut ensemble.orders);
        }
        self.settle(now);
    }

    /// The quorum port cannot be opened: somebody else may lead.
    pub fn quorum_port_failed(&mut self, now: Now) {
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.peer.on_port_failed();
            self.settle(now);
        }
    }

    pub(crate) fn on_ensemble_persisted(&mut self, zxid: Zxid, now: Now) {
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.logged = ensemble.logged.max(zxid);
            ensemble.peer.on_persisted(zxid);
            self.settle(now);
        }
    }

    pub(crate) fn on_batch_taken(&mut self, batch: &Arc<Payloads>) {
        if let (Some(ensemble), Some(last)) = (&mut self.ensemble, batch.last()) {
            ensemble.taken = last;
        }
    }

    pub(crate) fn tick_ensemble(&mut self, now: Now) {
        if let Some(ensemble) = &mut self.ensemble {
            // A leader hears of its learners' sessions only when it asks, every half tick. If it stood still, nobody
            // was asked, and no session ends for that (P10).
            let gap_ms = now.mono_ms.saturating_sub(core::mem::replace(&mut ensemble.ticked_ms, now.mono_ms));
            if gap_ms > ensemble.tick_ms {
                self.core.clock_mut().postpone(gap_ms);
            }
            ensemble.go_on_without_file(now);
            ensemble.peer.tick(now.mono_ms);
            ensemble.mesh.tick(now, &mut ensemble.orders);
            self.settle(now);
        }
    }

    /// A turn of the driver begins, perhaps long after the last: a leader that stood still does not lead any more when
    /// what came meanwhile is handed in (R16).
    pub fn look_back(&mut self, now: Now) {
        if let Some(ensemble) = &mut self.ensemble
            && ensemble.peer.look_back(now.mono_ms)
        {
            self.settle(now);
        }
    }

    pub(crate) fn ensemble_deadline_ms(&self) -> u64 {
        self.ensemble.as_ref().map_or(u64::MAX, |ensemble| {
            let patience_ends_ms = ensemble.patience_ends_ms().unwrap_or(u64::MAX);
            ensemble.peer.deadline_ms().min(ensemble.mesh.deadline_ms()).min(patience_ends_ms)
        })
    }

    /// Carries out everything that follows from what was just told.
    fn settle(&mut self, now: Now) {
        loop {
            let Some(ensemble) = &mut self.ensemble else { return };
            ensemble.now = now;
            if let Some(effect) = ensemble.peer.next_effect() {
                self.carry_out(effect, None, now);
            } else if let Some(event) = ensemble.mesh.next_event() {
                ensemble.on_mesh(event, now);
            } else if !self.go_on_with_leader(now) && !self.drain(now) {
                return;
            }
        }
    }
}

impl Ensemble {
    fn on_mesh(&mut self, event: MeshEvent, now: Now) {
        match event {
            MeshEvent::Linked(sid) => self.peer.on_link(sid, true, now.mono_ms),
            MeshEvent::Unlinked(sid) => self.peer.on_link(sid, false, now.mono_ms),
            MeshEvent::Message { from, bytes } => {
                // Whoever says what cannot be read loses no more than this message (ZOOKEEPER-3769).
                match Notification::decode(&bytes) {
                    Ok(Notification { state, vote, .. }) => {
                        self.peer.on_notification(from, Seen { state, vote }, now.mono_ms);
                    }
                    Err(_) if mutant!(GarbledVoteEnds) => panic!("a vote that cannot be read"),
                    Err(_) => {}
                }
            }
        }
    }

    /// Nothing is read from the leader while the disk works on something that the protocol waits for, or is too far
    /// behind with a snapshot.
    fn wants_leader_input(&self) -> bool {
        self.peer.wants_leader_input() && self.saving.as_ref().is_none_or(Saving::has_room)
    }

    /// A snapshot that was coming in does not come to its end, or one that is here is not installed.
    fn give_up_snapshot(&mut self) {
        self.saving = None;
        if self.receiving.take().is_some() {
            self.orders.push_back(Order::Receive(Incoming::GivenUp));
        }
    }

    /// When the disk has had its time for a leader's snapshot, if that waits for it.
    fn patience_ends_ms(&self) -> Option<u64> {
        Some(self.saving.as_ref()?.stuck_since_ms()? + self.disk_patience_ms)
    }

    /// A snapshot for which the disk takes too long is received all the same, and written when it is here. That nothing
    /// was read from the leader meanwhile is not its silence.
    fn go_on_without_file(&mut self, now: Now) {
        if self.patience_ends_ms().is_some_and(|at_ms| at_ms <= now.mono_ms) {
            self.saving = None;
            self.orders.push_back(Order::Receive(Incoming::GivenUp));
            self.peer.on_snapshot_bytes(now.mono_ms);
        }
    }

    /// A link has something to send, or wants to be read from again.
    fn touch(&mut self, link: LinkId) {
        if let Some(entry) = self.links.get_mut(&link)
            && !core::mem::replace(&mut entry.is_dirty, true)
        {
            self.dirty.push_back(link);
        }
    }
}
