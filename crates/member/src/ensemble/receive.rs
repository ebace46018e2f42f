//! A snapshot that comes in from a leader.

use alloc::boxed::Box;

use proto::{AclList, SessionId, Zxid};
use store::snapshot::{NodeRecord, Progress, SnapshotSink, StreamDecoder};
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
