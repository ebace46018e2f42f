//! The seeds of the fuzz targets, and what proptest makes of bytes, through every decoder of this crate.
//!
//! Decoders are total: a value or an error, never a panic. What they give is written to bytes that give the same.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proto::quorum::{
    Greeting, LeaderPacket, LearnerPacket, Notification, QuorumAuthPacket, auth_packet_length, packet_length,
};
use proto::{
    AddWatchRequest, AuthPacket, ConnectRequest, ConnectResponse, CreateRequest, CreateTtlRequest, Decode,
    DeleteContainerRequest, Encode, Entry, MultiHeader, PathWatchRequest, Reader, ReconfigRequest,
    ReplyHeader, RequestHeader, SetAclRequest, SetDataRequest, SetWatches, SetWatches2, SubTxn, Txn,
    WatcherEvent, WhoAmIReply, decode_multi, decode_multi_read, decode_multi_results,
};

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

/// Reads a `T`; what it writes is a `T` again, and the same.
fn record<'a, T: Decode<'a> + Encode + Debug>(bytes: &'a [u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(value) = reader.take::<T>() {
        assert!(encoded(&value).len() <= 3 * bytes.len() + 64, "{value:?} grew");
    }
}

/// Every decoder of the crate.
fn every_decoder(bytes: &[u8]) {
    record::<ConnectRequest<'_>>(bytes);
    record::<ConnectResponse>(bytes);
    record::<RequestHeader>(bytes);
    record::<ReplyHeader>(bytes);
    record::<MultiHeader>(bytes);
    record::<CreateRequest<'_>>(bytes);
    record::<CreateTtlRequest<'_>>(bytes);
    record::<DeleteContainerRequest<'_>>(bytes);
    record::<SetDataRequest<'_>>(bytes);
    record::<SetAclRequest<'_>>(bytes);
    record::<PathWatchRequest<'_>>(bytes);
    record::<ReconfigRequest<'_>>(bytes);
    record::<SetWatches<'_>>(bytes);
    record::<SetWatches2<'_>>(bytes);
    record::<AddWatchRequest<'_>>(bytes);
    record::<AuthPacket<'_>>(bytes);
    record::<WatcherEvent<'_>>(bytes);
    record::<WhoAmIReply<'_>>(bytes);
    record::<Option<Vec<SubTxn<'_>>>>(bytes);
    record::<QuorumAuthPacket<'_>>(bytes);
    let _ = decode_multi(bytes);
    let _ = decode_multi_read(bytes);
    let _ = decode_multi_results(bytes);
    let _ = (packet_length(bytes, 1000), auth_packet_length(bytes, 1000));
    if let Ok(entry) = Entry::decode(bytes) {
        if let Txn::Multi(subs) = &entry.txn {
            subs.iter().for_each(|sub| drop(Txn::decode_sub(sub)));
        }
        let again = encoded(&entry);
        assert_eq!(Entry::decode(&again).expect("what was written can be read").header, entry.header);
    }
    ensemble(bytes);
}

fn ensemble(bytes: &[u8]) {
    if let Ok(packet) = LearnerPacket::decode(&mut Reader::new(bytes)) {
        let again = encoded(&packet);
        assert_eq!(LearnerPacket::decode(&mut Reader::new(&again)), Ok(packet));
    }
    if let Ok(packet) = LeaderPacket::decode(&mut Reader::new(bytes)) {
        let again = encoded(&packet);
        assert_eq!(LeaderPacket::decode(&mut Reader::new(&again)), Ok(packet));
    }
    if let Ok(notification) = Notification::decode(bytes) {
        let again = encoded(&notification);
        assert_eq!(Notification::decode(&again), Ok(notification));
    }
    let _ = Greeting::decode(&mut Reader::new(bytes));
}

#[test]
fn seeds() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let mut seeds = 0;
    for target in ["client_port", "quorum_port", "election_port", "txn_payload"] {
        for entry in fs::read_dir(root.join(target)).expect("the seeds are part of the repository") {
            let seed = fs::read(entry.expect("a listed entry").path()).expect("a seed");
            seeds += 1;
            // Records start at many places of a seed; a few of them are enough.
            for start in (0..seed.len()).step_by(seed.len() / 64 + 1) {
                every_decoder(&seed[start..]);
            }
        }
    }
    assert!(seeds > 10);
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        every_decoder(&bytes);
    }

    /// Small numbers are lengths, counts and types far more often than any numbers are.
    #[test]
    fn any_small_numbers(words in prop::collection::vec(-2_i32..20, 0..60)) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        every_decoder(&bytes);
    }
}
