//! A snapshot that comes in from a leader.

use alloc::boxed::Box;
use alloc::vec::Vec;

use proto::{AclList, SessionId, Zxid};
use store::snapshot::{NodeRecord, Progress, STREAM_END_BYTES, SnapshotSink, StreamDecoder};
use tree::{LoadError, Tree, TreeLoader, TreeOptions};

/// A tree in the making.
#[derive(Debug)]
struct Sink {
    loader: Box<TreeLoader>,
}

impl SnapshotSink for Sink {
    type Error = LoadError;

    fn begin(&mut self, _zxid: Zxid) {}

    fn session(&mut self, id: SessionId, timeout_ms: i32) -> Result<(), LoadError> {
        self.loader.add_session(id, timeout_ms);
        Ok(())
    }

    fn acl(&mut self, acl_id: i64, acl: AclList) -> Result<(), LoadError> {
        self.loader.add_acl(acl_id, acl);
        Ok(())
    }

    fn node(&mut self, node: NodeRecord<'_>) -> Result<(), LoadError> {
        self.loader.add_node(&node.path, node.data, node.acl_id, &node.stat)
    }
}

/// What a piece of the stream led to.
pub(super) enum Received {
    /// All of it belongs to the snapshot, which goes on.
    More,
    /// The snapshot is whole; so many bytes of the piece belonged to it.
    Whole { taken: usize, tree: Box<Tree>, nodes: u64 },
    /// It is none.
    Broken,
}

/// The stream behind SNAP.
#[derive(Debug)]
pub(super) struct Receiving {
    zxid: Zxid,
    decoder: StreamDecoder,
    sink: Option<Sink>,
}

impl Receiving {
    /// Behind SNAP of `zxid`. No field is longer than `field_max` bytes.
    pub(super) fn begin(zxid: Zxid, field_max: usize, options: TreeOptions) -> Self {
        let mut sink = Sink { loader: Box::new(TreeLoader::new(options)) };
        let decoder = StreamDecoder::begin(zxid, field_max, &mut sink);
        Self { zxid, decoder, sink: Some(sink) }
    }

    /// The next bytes of the leader.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Received {
        let Some(sink) = &mut self.sink else { return Received::Broken };
        match self.decoder.feed(piece, sink) {
            Ok(Progress::More) => Received::More,
            Ok(Progress::Done { taken }) => {
                let nodes = self.decoder.nodes();
                let tree = self.sink.take().and_then(|sink| sink.loader.finish(self.zxid).ok());
                tree.map_or(Received::Broken, |tree| Received::Whole { taken, tree: Box::new(tree), nodes })
            }
            Err(_) => Received::Broken,
        }
    }
}

/// So many bytes go to the file at once.
const PIECE_BYTES: usize = 256 << 10;

/// With so many on their way to the file, nothing more is read from the leader: the disk is slower than it.
const UNWRITTEN_BYTES_MAX: usize = 4 << 20;

/// The bytes of the stream on their way to a file.
#[derive(Debug)]
pub(super) struct Saving {
    zxid: Zxid,
    /// What came and was not handed on. The end of the stream is no part of the file, so as many bytes stay behind.
    collected: Vec<u8>,
    /// Room for more of it.
    spare: Vec<Vec<u8>>,
    /// Handed on and not given back.
    unwritten: usize,
    /// All is handed on.
    is_whole: bool,
    /// When bytes came last, or a piece came back.
    moved_ms: u64,
}

impl Saving {
    /// Of a snapshot of this moment.
    pub(super) fn begin(zxid: Zxid, now_ms: u64) -> Self {
        let (collected, spare) = (Vec::new(), Vec::new());
        Self { zxid, collected, spare, unwritten: 0, is_whole: false, moved_ms: now_ms }
    }

    /// Whether more may come. What comes behind its end is for others.
    pub(super) fn has_room(&self) -> bool {
        self.is_whole || self.unwritten < UNWRITTEN_BYTES_MAX
    }

    /// When there was room last, or a little of it came back, if there is none.
    pub(super) fn stuck_since_ms(&self) -> Option<u64> {
        (!self.has_room()).then_some(self.moved_ms)
    }

    /// Whether all was handed on, and is of this moment.
    pub(super) fn is_whole(&self, zxid: Zxid) -> bool {
        self.is_whole && self.zxid == zxid
    }

    /// The next bytes; what is to be written now is returned.
    pub(super) fn push(&mut self, bytes: &[u8], now_ms: u64) -> Option<Vec<u8>> {
        self.moved_ms = now_ms;
        self.collected.extend_from_slice(bytes);
        if self.collected.len() < PIECE_BYTES { None } else { self.take() }
    }

    /// That was all.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        self.is_whole = true;
        let last = self.take();
        (self.collected, self.spare) = (Vec::new(), Vec::new());
        last
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let length = self.collected.len().checked_sub(STREAM_END_BYTES).filter(|&length| length > 0)?;
        let mut next = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4));
        next.clear();
        next.extend_from_slice(&self.collected[length..]);
        let mut piece = core::mem::replace(&mut self.collected, next);
        piece.truncate(length);
        self.unwritten += length;
        Some(piece)
    }

    /// A piece was written, or one of a snapshot before this, which counts for nothing.
    pub(super) fn give_back(&mut self, piece: Vec<u8>, now_ms: u64) {
        self.moved_ms = now_ms;
        if let Some(unwritten) = self.unwritten.checked_sub(piece.len()) {
            self.unwritten = unwritten;
            if !self.is_whole {
                self.spare.push(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn all_but_the_end_of_the_stream_is_handed_on_whatever_the_pieces() {
        for size in [1000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 7, 3 * PIECE_BYTES] {
            let stream: Vec<u8> = (0..=250).cycle().take(2_000_003).collect();
            let mut saving = Saving::begin(Zxid(7), 0);
            let mut file = Vec::<u8>::new();
            let mut write = |saving: &mut Saving, piece: Option<Vec<u8>>| {
                file.extend(piece.iter().flatten());
                piece.into_iter().for_each(|piece| saving.give_back(piece, 0));
            };
            for bytes in stream.chunks(size) {
                let piece = saving.push(bytes, 0);
                write(&mut saving, piece);
            }
            assert!(!saving.is_whole(Zxid(7)));
            let piece = saving.finish();
            write(&mut saving, piece);
            assert!(file == stream[..stream.len() - STREAM_END_BYTES], "in pieces of {size}");
            assert!(saving.is_whole(Zxid(7)) && !saving.is_whole(Zxid(8)));
        }
    }

    #[test]
    fn nothing_more_is_wanted_while_too_much_is_unwritten() {
        let mut saving = Saving::begin(Zxid(7), 0);
        let mut unwritten = Vec::new();
        while saving.has_room() {
            assert_eq!(saving.stuck_since_ms(), None);
            unwritten.extend(saving.push(&vec![1; 64 << 10], 5));
            assert!(unwritten.len() <= UNWRITTEN_BYTES_MAX / PIECE_BYTES + 1);
        }
        assert_eq!(saving.stuck_since_ms(), Some(5));
        saving.give_back(unwritten.pop().unwrap(), 6);
        assert!(saving.has_room());
        // What is left of one before is no room.
        (0..3).for_each(|_| saving.give_back(vec![0; 2 * UNWRITTEN_BYTES_MAX], 7));
        let length = unwritten.len();
        while saving.has_room() {
            unwritten.extend(saving.push(&vec![1; 64 << 10], 8));
        }
        assert_eq!(unwritten.len(), length + 1);
        assert_eq!(saving.stuck_since_ms(), Some(8));
        saving.finish();
        assert!(saving.has_room(), "what comes behind it is no part of it");
    }
}
