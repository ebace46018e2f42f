//! What members say to each other on the quorum port, read off the wire: for evidence, for traces, for scenarios.

use proto::quorum::{LeaderPacket, LearnerPacket, packet_length};
use proto::{AclList, Encode as _, Reader, SessionId, Zxid};
use store::snapshot::{NodeRecord, Progress, SnapshotSink, StreamDecoder};

/// The longest field that is believed.
const FIELD_MAX: usize = 1 << 22;

/// Passes over a snapshot.
struct Nowhere;

impl SnapshotSink for Nowhere {
    type Error = core::convert::Infallible;

    fn begin(&mut self, _zxid: Zxid) {}

    fn session(&mut self, _id: SessionId, _timeout_ms: i32) -> Result<(), Self::Error> {
        Ok(())
    }

    fn acl(&mut self, _acl_id: i64, _acl: AclList) -> Result<(), Self::Error> {
        Ok(())
    }

    fn node(&mut self, _node: NodeRecord<'_>) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// One direction of a connection on the quorum port.
#[derive(Debug, Default)]
pub struct Tap {
    bytes: Vec<u8>,
    snapshot: Option<StreamDecoder>,
}

impl Tap {
    /// The next bytes of a learner, packet by packet: each with where it begins in these bytes, or 0 if before.
    pub fn learner(&mut self, bytes: &[u8], mut each: impl FnMut(usize, &LearnerPacket<'_>)) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let mut taken = 0;
        while let Ok(Some(length)) = packet_length(&self.bytes[taken..], FIELD_MAX) {
            if let Ok(packet) = LearnerPacket::decode(&mut Reader::new(&self.bytes[taken..taken + length])) {
                each(taken.saturating_sub(before), &packet);
            }
            taken += length;
        }
        self.bytes.drain(..taken);
    }

    /// The next bytes of a leader, packet by packet, as those of a learner; snapshots are passed over.
    pub fn leader(&mut self, bytes: &[u8], mut each: impl FnMut(usize, &LeaderPacket<'_>)) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let mut taken = 0;
        loop {
            if let Some(decoder) = &mut self.snapshot {
                match decoder.feed(&self.bytes[taken..], &mut Nowhere) {
                    Ok(Progress::Done { taken: of_it }) => {
                        taken += of_it;
                        self.snapshot = None;
                    }
                    Ok(Progress::More) | Err(_) => {
                        taken = self.bytes.len();
                        break;
                    }
                }
            }
            let Ok(Some(length)) = packet_length(&self.bytes[taken..], FIELD_MAX) else { break };
            if let Ok(packet) = LeaderPacket::decode(&mut Reader::new(&self.bytes[taken..taken + length])) {
                if let LeaderPacket::Snap { zxid } = packet {
                    self.snapshot = Some(StreamDecoder::begin(zxid, FIELD_MAX, &mut Nowhere));
                }
                each(taken.saturating_sub(before), &packet);
            }
            taken += length;
        }
        self.bytes.drain(..taken);
    }
}

/// A direction of a connection as a member of Java's would fill it.
///
/// * Leaders of Java's send PING from the moment NEWLEADER is queued (quorum-protocol.md §3.10).
/// * Members of Java's repeat their last vote on each new connection, and so it may come behind newer ones (§12).
#[derive(Debug, Default)]
pub struct Accent {
    bytes: Vec<u8>,
    snapshot: Option<StreamDecoder>,
    /// The vote before the last one.
    vote: Vec<u8>,
    chunks: u64,
}

impl Accent {
    /// What a leader sends, with a PING behind NEWLEADER. What is not whole yet waits.
    pub fn leader(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.bytes.extend_from_slice(bytes);
        let mut out = Vec::new();
        let mut taken = 0;
        loop {
            if let Some(decoder) = &mut self.snapshot {
                let rest = &self.bytes[taken..];
                match decoder.feed(rest, &mut Nowhere) {
                    Ok(Progress::Done { taken: of_it }) => {
                        out.extend_from_slice(&rest[..of_it]);
                        taken += of_it;
                        self.snapshot = None;
                    }
                    Ok(Progress::More) | Err(_) => {
                        out.extend_from_slice(rest);
                        taken = self.bytes.len();
                        break;
                    }
                }
            }
            let Ok(Some(length)) = packet_length(&self.bytes[taken..], FIELD_MAX) else { break };
            let packet = &self.bytes[taken..taken + length];
            out.extend_from_slice(packet);
            match LeaderPacket::decode(&mut Reader::new(packet)) {
                Ok(LeaderPacket::Snap { zxid }) => {
                    self.snapshot = Some(StreamDecoder::begin(zxid, FIELD_MAX, &mut Nowhere));
                }
                Ok(LeaderPacket::NewLeader { zxid, .. }) => LeaderPacket::Ping { zxid }.encode(&mut out),
                Ok(_) | Err(_) => {}
            }
            taken += length;
        }
        self.bytes.drain(..taken);
        out
    }

    /// Whether it has said on the election port who it is.
    #[must_use]
    pub fn has_greeted(&self) -> bool {
        self.chunks > 1
    }

    /// What is sent on the election port, and behind it once more what was sent before. The greeting is sent once.
    pub fn voter(&mut self, bytes: Vec<u8>, again: bool) -> Vec<u8> {
        self.chunks += 1;
        if self.chunks == 1 {
            return bytes;
        }
        let before = std::mem::replace(&mut self.vote, bytes.clone());
        if again { [bytes, before].concat() } else { bytes }
    }
}

/// A learner's packet as a line shows it; nothing for what comes by the clock.
#[must_use]
pub fn show_learner(packet: &LearnerPacket<'_>) -> Option<String> {
    let name = packet.name();
    Some(match packet {
        LearnerPacket::FollowerInfo { accepted_epoch, .. }
        | LearnerPacket::ObserverInfo { accepted_epoch, .. } => {
            format!("{name} epoch {accepted_epoch}")
        }
        LearnerPacket::AckEpoch { last_zxid, .. } => format!("{name} {last_zxid}"),
        LearnerPacket::Ack { zxid } => format!("{name} {zxid}"),
        LearnerPacket::Ping { .. } => return None,
        LearnerPacket::Revalidate { .. } | LearnerPacket::Request { .. } => name.to_owned(),
    })
}

/// A leader's packet as a line shows it; nothing for what comes by the clock.
#[must_use]
pub fn show_leader(packet: &LeaderPacket<'_>) -> Option<String> {
    let name = packet.name();
    Some(match packet {
        LeaderPacket::LeaderInfo { epoch, .. } => format!("{name} epoch {epoch}"),
        LeaderPacket::Diff { zxid }
        | LeaderPacket::Trunc { zxid }
        | LeaderPacket::Snap { zxid }
        | LeaderPacket::NewLeader { zxid, .. }
        | LeaderPacket::Proposal { zxid, .. }
        | LeaderPacket::Commit { zxid }
        | LeaderPacket::CommitAndActivate { zxid, .. }
        | LeaderPacket::Inform { zxid, .. }
        | LeaderPacket::InformAndActivate { zxid, .. } => format!("{name} {zxid}"),
        LeaderPacket::Ping { .. } => return None,
        LeaderPacket::UpToDate | LeaderPacket::Sync | LeaderPacket::Revalidate { .. } => name.to_owned(),
    })
}
