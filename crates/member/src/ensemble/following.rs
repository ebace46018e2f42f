//! Packets of a leader.

use alloc::vec::Vec;

use mutants::mutant;
use proto::quorum::{LeaderPacket, LearnerPacket, PacketError, SessionTouch, packet_length};
use proto::{Encode as _, Entry, Reader, Zxid};
use zab::Violation;

use super::observation::Observation;
use super::order::{Incoming, LinkId, Order};
use super::receive::Received;
use crate::{Member, Now};

impl Member {
    /// Bytes of the leader, behind those that had to wait.
    pub(super) fn on_leader_bytes(&mut self, link: LinkId, bytes: &[u8], now: Now) {
        let Some(entry) = self.ensemble.as_mut().and_then(|ensemble| ensemble.links.get_mut(&link)) else {
            return;
        };
        let mut input = core::mem::take(&mut entry.input);
        if input.is_empty() {
            let taken = self.take_leader_packets(link, bytes, now);
            self.keep_input(link, bytes.get(taken..).unwrap_or_default().to_vec());
        } else {
            input.extend_from_slice(bytes);
            let taken = self.take_leader_packets(link, &input, now);
            input.drain(..taken);
            self.keep_input(link, input);
        }
    }

    pub(super) fn keep_input(&mut self, link: LinkId, rest: Vec<u8>) {
        if let Some(entry) = self.ensemble.as_mut().and_then(|ensemble| ensemble.links.get_mut(&link)) {
            entry.input = rest;
        }
    }

    /// Takes whole packets as long as they are wanted; returns how many bytes that were.
    fn take_leader_packets(&mut self, link: LinkId, bytes: &[u8], now: Now) -> usize {
        let mut taken = 0;
        while let Some(ensemble) = &mut self.ensemble
            && ensemble.leader == Some(link)
            && ensemble.wants_leader_input()
        {
            let rest = &bytes[taken..];
            if ensemble.receiving.is_some() {
                if rest.is_empty() {
                    break;
                }
                taken += self.receive_snapshot(rest, now);
                continue;
            }
            let length = match packet_length(rest, ensemble.packet_bytes_max) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                Err(_) => {
                    self.leader_is_malformed("a length in a packet is impossible", now);
                    break;
                }
            };
            taken += length;
            match LeaderPacket::decode(&mut Reader::new(&rest[..length])) {
                Ok(packet) => self.on_leader_packet(&packet, now),
                // Java logs a type it does not know and reads on.
                Err(PacketError::Kind(_)) => {}
                Err(PacketError::Malformed(_)) => {
                    self.leader_is_malformed("a packet cannot be decoded", now);
                }
            }
        }
        taken
    }

    fn leader_is_malformed(&mut self, what: &'static str, now: Now) {
        if let Some(ensemble) = &mut self.ensemble {
            ensemble.peer.on_leader_malformed(Violation::Malformed(what));
        }
        self.carry_out_all(None, now);
    }

    fn receive_snapshot(&mut self, piece: &[u8], now: Now) -> usize {
        let Some(ensemble) = &mut self.ensemble else { return piece.len() };
        let Some(receiving) = &mut ensemble.receiving else { return 0 };
        ensemble.peer.on_snapshot_bytes(now.mono_ms);
        match receiving.feed(piece) {
            Received::More => {
                self.save_snapshot(piece, false, now);
                piece.len()
            }
            Received::Whole { taken, tree, nodes } => {
                ensemble.receiving = None;
                // What is on disk is of another history until NEWLEADER: nothing is added to it.
                ensemble.is_tree_unsaved = !mutant!(SnapshotTrusted);
                let zxid = tree.last_zxid();
                ensemble.observations.push_back(Observation::SnapshotReceived { zxid, nodes });
                ensemble.peer.on_snapshot(now.mono_ms);
                self.core.replace_tree(*tree, true);
                self.save_snapshot(&piece[..taken], true, now);
                taken
            }
            Received::Broken => {
                ensemble.give_up_snapshot();
                self.leader_is_malformed("the snapshot is broken", now);
                piece.len()
            }
        }
    }

    /// Bytes of a snapshot go on their way to a file. `is_end`: they are its last ones.
    fn save_snapshot(&mut self, bytes: &[u8], is_end: bool, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(saving) = &mut ensemble.saving else { return };
        let mut piece = saving.push(bytes, now.mono_ms);
        if is_end {
            ensemble.orders.extend(piece.take().map(|piece| Order::Receive(Incoming::Bytes(piece))));
            piece = saving.finish();
        }
        ensemble.orders.extend(piece.map(|piece| Order::Receive(Incoming::Bytes(piece))));
        self.note_waiting();
    }

    /// [`Incoming::Bytes`] were written, or nobody writes them.
    pub fn snapshot_bytes_written(&mut self, piece: Vec<u8>, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(saving) = &mut ensemble.saving else { return };
        let was_stuck = !saving.has_room();
        saving.give_back(piece, now.mono_ms);
        if was_stuck {
            // Nobody listened to the leader meanwhile.
            ensemble.peer.on_snapshot_bytes(now.mono_ms);
        }
        self.settle(now);
    }

    fn on_leader_packet(&mut self, packet: &LeaderPacket<'_>, now: Now) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let was_live = ensemble.peer.is_live();
        let is_fine = ensemble.peer.on_leader_packet(packet, now.mono_ms);
        let txn = match packet {
            LeaderPacket::Proposal { txn, .. }
            | LeaderPacket::Inform { txn, .. }
            | LeaderPacket::InformAndActivate { txn, .. } => Some(*txn),
            LeaderPacket::UpToDate
            | LeaderPacket::Sync
            | LeaderPacket::LeaderInfo { .. }
            | LeaderPacket::Diff { .. }
            | LeaderPacket::Trunc { .. }
            | LeaderPacket::Snap { .. }
            | LeaderPacket::NewLeader { .. }
            | LeaderPacket::Commit { .. }
            | LeaderPacket::CommitAndActivate { .. }
            | LeaderPacket::Ping { .. }
            | LeaderPacket::Revalidate { .. } => None,
        };
        self.carry_out_all(txn, now);
        if is_fine && was_live {
            self.on_session_packet(packet, now);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others say nothing of sessions")]
    fn on_session_packet(&mut self, packet: &LeaderPacket<'_>, now: Now) {
        match *packet {
            LeaderPacket::Ping { zxid } => self.answer_ping(zxid),
            LeaderPacket::Sync => {
                if let Some(conn) = self.core.on_sync() {
                    self.front.on_synced(&mut self.core, conn, now);
                }
            }
            LeaderPacket::Revalidate { session, valid } => {
                if let Some(conn) = self.core.on_revalidated(session) {
                    self.front.on_revalidated(&mut self.core, conn, session, valid, now);
                }
            }
            _ => {}
        }
    }

    /// Says who was heard of since the last time.
    fn answer_ping(&mut self, zxid: Zxid) {
        let heard = self.core.clock_mut().take_heard();
        let touched = heard.into_iter().map(|(session, timeout_ms)| SessionTouch {
            session,
            timeout_ms: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
        });
        self.send_leader(&LearnerPacket::Ping { zxid, touched: touched.collect() });
    }

    pub(super) fn send_leader(&mut self, packet: &LearnerPacket<'_>) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(link) = ensemble.leader else { return };
        if let Some(entry) = ensemble.links.get_mut(&link) {
            packet.encode(&mut entry.out);
            ensemble.touch(link);
        }
    }

    /// Requests of this member's clients go to the leader.
    pub(super) fn put_requests(&mut self) {
        let Some(ensemble) = &mut self.ensemble else { return };
        let Some(link) = ensemble.leader else { return };
        if let Some(entry) = ensemble.links.get_mut(&link)
            && self.core.take_packets(&mut entry.out)
        {
            ensemble.touch(link);
        }
    }

    /// What had to wait is taken in when it is wanted again. Whether anything was.
    pub(super) fn go_on_with_leader(&mut self, now: Now) -> bool {
        let Some(ensemble) = &mut self.ensemble else { return false };
        let Some(link) = ensemble.leader.filter(|_| ensemble.wants_leader_input()) else { return false };
        let Some(entry) = ensemble.links.get_mut(&link) else { return false };
        if !core::mem::take(&mut entry.is_waiting) {
            return false;
        }
        ensemble.touch(link);
        self.on_leader_bytes(link, &[], now);
        true
    }

    /// A proposal of the leader goes to the log.
    pub(super) fn append(&mut self, zxid: Zxid, txn: Option<&[u8]>) {
        let sound = txn.filter(|txn| Entry::decode(txn).is_ok_and(|entry| entry.header.zxid == zxid));
        match (sound, &mut self.ensemble) {
            (Some(txn), _) => self.core.append(zxid, txn),
            // Source: `SerializeUtils#deserializeTxn`; quorum-protocol.md §4.3.
            (None, Some(ensemble)) => {
                ensemble.peer.on_leader_malformed(Violation::Malformed("a proposal cannot be decoded"));
            }
            (None, None) => {}
        }
    }
}
