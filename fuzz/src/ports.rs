//! The quorum port and the election port.

use proto::quorum::{
    Greeting, LeaderPacket, LearnerPacket, Notification, PacketError, QuorumAuthPacket, auth_packet_length,
    packet_length,
};
use proto::{Decode, DecodeError, Encode, Entry, Reader};

const DATA_BYTES_MAX: usize = 2_097_150;

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

/// A stream of packets, read as both ends of a connection would.
pub fn quorum_port(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some(length)) = packet_length(rest, DATA_BYTES_MAX) {
        let (packet, behind) = rest.split_at(length);
        learner_packet(packet);
        leader_packet(packet);
        rest = behind;
    }
    // Without the length first: the decoders alone must stand anything.
    learner_packet(rest);
    leader_packet(rest);
    auth_packet(data);
}

fn learner_packet(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    match LearnerPacket::decode(&mut reader) {
        Ok(packet) => {
            let taken = bytes.len() - reader.rest().len();
            // The length has a limit for fields that the decoder has not; below it the two agree.
            if let Ok(length) = packet_length(bytes, DATA_BYTES_MAX) {
                assert_eq!(length, Some(taken));
            }
            let again = encoded(&packet);
            assert_eq!(LearnerPacket::decode(&mut Reader::new(&again)).as_ref(), Ok(&packet));
        }
        Err(PacketError::Malformed(_) | PacketError::Kind(_)) => {}
    }
}

fn leader_packet(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(packet) = LeaderPacket::decode(&mut reader) else { return };
    let again = encoded(&packet);
    assert_eq!(LeaderPacket::decode(&mut Reader::new(&again)).as_ref(), Ok(&packet));
    if let LeaderPacket::Proposal { txn, .. }
    | LeaderPacket::Inform { txn, .. }
    | LeaderPacket::InformAndActivate { txn, .. } = packet
    {
        let _ = Entry::decode(txn);
    }
}

fn auth_packet(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(packet) = QuorumAuthPacket::decode(&mut reader) {
        let taken = bytes.len() - reader.rest().len();
        if let Ok(length) = auth_packet_length(bytes, DATA_BYTES_MAX) {
            assert_eq!(length, Some(taken));
        }
        assert_eq!(encoded(&packet), bytes[..taken]);
    }
}

/// A greeting, then frames with notifications; and the whole as one notification.
pub fn election_port(data: &[u8]) {
    notification(data);
    let mut reader = Reader::new(data);
    let Ok(greeting) = Greeting::decode(&mut reader) else { return };
    let again = encoded(&greeting);
    let no_address = matches!(&greeting, Greeting::Addressed { addresses, .. } if addresses.is_empty());
    if !no_address {
        assert_eq!(Greeting::decode(&mut Reader::new(&again)), Ok(greeting));
    }
    while let Ok(Some(frame)) = reader.take::<proto::Buffer<'_>>() {
        notification(frame);
    }
}

fn notification(frame: &[u8]) {
    match Notification::decode(frame) {
        Ok(notification) => {
            let again = encoded(&notification);
            assert_eq!(Notification::decode(&again).as_ref(), Ok(&notification));
        }
        Err(
            DecodeError::Truncated
            | DecodeError::Length(_)
            | DecodeError::Unknown { .. }
            | DecodeError::Null { .. },
        ) => {}
    }
}
