//! The digest by which members prove that their trees are equal. Source: `DigestCalculator`; storage.md §5.

use alloc::collections::VecDeque;

use proto::{StatPersisted, TxnDigest, Zxid};

/// The version this crate computes, and the only one it compares.
pub const DIGEST_VERSION: i32 = 2;
const STAT_BYTES: usize = 60;
/// Pieces are put side by side up to this size: one long checksum run beats three short ones.
const JOINED_MAX: usize = 512;
/// And where they come to no more than this, less memory is cleared before.
const JOINED_FEW: usize = 256;
/// A run of whole blocks is the fastest.
const BLOCK: usize = 64;

/// What one znode adds to the digest of its tree.
///
/// * `path`: the whole path; the root is `""` or `"/"`. Everything below `/zookeeper/` adds nothing.
/// * `data`: empty for null.
#[must_use]
pub fn node_digest(path: &str, data: &[u8], stat: &StatPersisted) -> u64 {
    u64::from(node_crc(path.as_bytes(), data, stat))
}

pub(crate) fn node_crc(path: &[u8], data: &[u8], stat: &StatPersisted) -> u32 {
    if path.starts_with(b"/zookeeper/") {
        return 0;
    }
    let path = if path == b"/" { &[] } else { path };
    let stat = stat_bytes(stat);
    let parts = [path, data, &stat];
    let length = path.len() + data.len() + STAT_BYTES;
    if length <= JOINED_FEW {
        joined_crc::<JOINED_FEW>(parts)
    } else if length <= JOINED_MAX {
        joined_crc::<JOINED_MAX>(parts)
    } else {
        let mut crc = crc32fast::Hasher::new();
        parts.into_iter().for_each(|part| crc.update(part));
        crc.finalize()
    }
}

/// The checksum of parts that come to 4 bytes at least and to `MAX` at most.
///
/// A register that is zero stays so over zeroes, so that these can fill the first block; and a register of ones, with
/// which the checksum begins, is one of zeroes and four bytes inverted.
#[inline]
fn joined_crc<const MAX: usize>(parts: [&[u8]; 3]) -> u32 {
    let mut joined = [0; MAX];
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let whole = length.next_multiple_of(BLOCK);
    let message = &mut joined[whole - length..whole];
    let mut rest = &mut message[..];
    for part in parts {
        let (front, behind) = rest.split_at_mut(part.len());
        front.copy_from_slice(part);
        rest = behind;
    }
    message[..4].iter_mut().for_each(|byte| *byte = !*byte);
    let mut crc = crc32fast::Hasher::new_with_initial(u32::MAX);
    crc.update(&joined[..whole]);
    crc.finalize()
}

/// Note the order: pzxid stands third here, and last in a snapshot.
fn stat_bytes(stat: &StatPersisted) -> [u8; STAT_BYTES] {
    let mut bytes = [0; STAT_BYTES];
    let longs = [stat.czxid.0, stat.mzxid.0, stat.pzxid.0, stat.ctime, stat.mtime];
    for (place, long) in bytes.chunks_exact_mut(8).zip(longs) {
        place.copy_from_slice(&long.to_be_bytes());
    }
    for (place, int) in bytes[40..52].chunks_exact_mut(4).zip([stat.version, stat.cversion, stat.aversion]) {
        place.copy_from_slice(&int.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    bytes
}

/// What became of the digest that came with a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DigestCheck {
    /// The tree is as its writer had it.
    Match,
    /// It is not.
    Mismatch {
        /// What the transaction, or the snapshot before it, said.
        expected: u64,
        /// What the tree is.
        actual: u64,
    },
    /// There was none, or one of another version, or a fuzzy snapshot has not been made whole yet.
    NotCompared,
}

impl DigestCheck {
    pub(crate) fn of(expected: u64, actual: u64) -> Self {
        if expected == actual { Self::Match } else { Self::Mismatch { expected, actual } }
    }

    pub(crate) fn of_txn(given: Option<TxnDigest>, actual: u64) -> Self {
        match given {
            Some(given) if given.version == DIGEST_VERSION => {
                Self::of(given.tree_digest.cast_unsigned(), actual)
            }
            Some(_) | None => Self::NotCompared,
        }
    }
}

/// The digest at every 128th zxid, the newest 1024 of them. Source: `DataTree#logZxidDigest`.
#[derive(Debug, Default)]
pub(crate) struct DigestLog {
    entries: VecDeque<(Zxid, u64)>,
}

impl DigestLog {
    const INTERVAL: i64 = 128;
    const KEPT: usize = 1024;

    pub(crate) fn note(&mut self, zxid: Zxid, digest: u64) {
        if zxid.0 % Self::INTERVAL != 0 {
            return;
        }
        if self.entries.len() == Self::KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back((zxid, digest));
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (Zxid, u64)> + '_ {
        self.entries.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_has_the_digests_java_computes() {
        let root = StatPersisted::default();
        assert_eq!(node_digest("", &[], &root), 68_323_592);
        assert_eq!(node_digest("/", &[], &root), 68_323_592);
        assert_eq!(node_digest("/zookeeper", &[], &root), 1_303_661_912);
        assert_eq!(node_digest("/zookeeper/quota", &[], &root), 0);
    }

    #[test]
    fn data_of_any_length_is_checked_as_one_run() {
        let stat = StatPersisted { version: 3, pzxid: Zxid(9), ..StatPersisted::default() };
        for length in (0..2 * JOINED_MAX).step_by(3) {
            let data: alloc::vec::Vec<u8> = (0..=255).cycle().take(length).collect();
            for path in [&b""[..], b"/x", b"/a longer name"] {
                let whole = [path, &data, &stat_bytes(&stat)].concat();
                assert_eq!(node_crc(path, &data, &stat), crc32fast::hash(&whole), "{length} bytes");
            }
        }
    }
}
