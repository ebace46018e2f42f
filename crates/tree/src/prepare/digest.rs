//! A znode's part of the digest in two steps, so that a parent is not read again for every child it gets.
//!
//! The sum is the one of [`node_digest`](crate::digest::node_digest); here it stops behind path and data, and the
//! stat is added as often as it changes.

use proto::StatPersisted;

const STAT_BYTES: usize = 60;
/// Shorter texts are put in one piece before they are summed.
const JOINED_MAX: usize = 320;

/// Whether the digest covers this path. Source: `DigestCalculator#calculateDigest`.
pub(super) fn covers(path: &str) -> bool {
    !path.starts_with("/zookeeper/")
}

/// The running sum behind the path and the data. The root's path counts as empty.
pub(super) fn prefix(path: &str, data: &[u8]) -> u32 {
    let path = if path == "/" { &[] } else { path.as_bytes() };
    let length = path.len() + data.len();
    if length > JOINED_MAX {
        let mut crc = crc32fast::Hasher::new();
        crc.update(path);
        crc.update(data);
        return crc.finalize();
    }
    let mut joined = [0; JOINED_MAX];
    joined[..path.len()].copy_from_slice(path);
    joined[path.len()..length].copy_from_slice(data);
    crc32fast::hash(&joined[..length])
}

/// The whole digest, from the sum behind path and data.
pub(super) fn finish(prefix: u32, stat: &StatPersisted) -> i64 {
    let mut crc = crc32fast::Hasher::new_with_initial(prefix);
    crc.update(&stat_bytes(stat));
    crc.finalize().into()
}

/// Note the order: pzxid stands third.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_digest;
    use proto::Zxid;

    #[test]
    fn two_steps_give_the_sum_of_one() {
        let stat = StatPersisted {
            czxid: Zxid(1),
            mzxid: Zxid(2),
            ctime: 3,
            mtime: 4,
            version: 5,
            cversion: 6,
            aversion: 7,
            ephemeral_owner: 8,
            pzxid: Zxid(9),
        };
        for path in ["/", "/a", "/zookeeper"] {
            for length in [0, 1, 100, 310, 320, 321, 5000] {
                let data = alloc::vec![7; length];
                let digest = finish(prefix(path, &data), &stat);
                assert_eq!(digest.cast_unsigned(), node_digest(path, &data, &stat), "{path} {length}");
            }
        }
        assert!(!covers("/zookeeper/quota") && covers("/zookeeper") && covers("/zookeeperx/y"));
    }
}
