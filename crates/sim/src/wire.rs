//! What members say to each other on the quorum port, read off the wire: for evidence, for traces, for scenarios.

use proto::quorum::{LeaderPacket, LearnerPacket, packet_length};
use proto::{AclList, Reader, SessionId, Zxid};
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
    /// The next bytes of a learner, packet by packet.
    pub fn learner(&mut self, bytes: &[u8], mut each: impl FnMut(&LearnerPacket<'_>)) {
        self.bytes.extend_from_slice(bytes);
        let mut taken = 0;
        while let Ok(Some(length)) = packet_length(&self.bytes[taken..], FIELD_MAX) {
            if let Ok(packet) = LearnerPacket::decode(&mut Reader::new(&self.bytes[taken..taken + length])) {
                each(&packet);
            }
            taken += length;
        }
        self.bytes.drain(..taken);
    }

    /// The next bytes of a leader, packet by packet; snapshots are passed over.
    pub fn leader(&mut self, bytes: &[u8], mut each: impl FnMut(&LeaderPacket<'_>)) {
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
                each(&packet);
            }
            taken += length;
        }
        self.bytes.drain(..taken);
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
