//! Children lists as they were last sent, for znodes that are listed again and again: registries of services, say.

use alloc::vec::Vec;

use tree::{Node, NodeId};

/// Shorter lists are made as fast as they are copied.
const CHILDREN_MIN: u32 = 64;
/// Longer ones are not kept.
const BYTES_MAX: usize = 256 * 1024;
/// So many are kept, the latest.
const KEPT_MAX: usize = 8;

/// Which children a znode had: both numbers change with every child that comes or goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Version {
    id: NodeId,
    pzxid: i64,
    cversion: i32,
}

#[derive(Debug)]
struct Listing {
    version: Version,
    /// Empty until the list is asked for a second time.
    bytes: Vec<u8>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Listings {
    /// The latest used last.
    kept: Vec<Listing>,
}

impl Listings {
    /// Appends the list of this znode's children, by `put` where it is not known, and returns how many bytes that were.
    pub(super) fn append(
        &mut self,
        node: &Node<'_>,
        out: &mut Vec<u8>,
        put: impl FnOnce(&Node<'_>, &mut Vec<u8>),
    ) -> usize {
        let start = out.len();
        if node.child_count() < CHILDREN_MIN {
            put(node, out);
            return out.len() - start;
        }
        let stat = node.stat();
        let version = Version { id: node.id(), pzxid: stat.pzxid.0, cversion: stat.cversion };
        match self.kept.iter().position(|listing| listing.version == version) {
            None => {
                put(node, out);
                if out.len() - start <= BYTES_MAX {
                    self.note(version);
                }
            }
            Some(at) => {
                self.kept[at..].rotate_left(1);
                let bytes = &mut self.kept.last_mut().expect("it was found").bytes;
                if bytes.is_empty() {
                    put(node, out);
                    bytes.extend_from_slice(&out[start..]);
                } else {
                    out.extend_from_slice(bytes);
                }
            }
        }
        out.len() - start
    }

    fn note(&mut self, version: Version) {
        self.kept.retain(|listing| listing.version.id != version.id);
        if self.kept.len() == KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push(Listing { version, bytes: Vec::new() });
    }

    /// The tree is another one.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}
