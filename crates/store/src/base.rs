//! Where the history of this member begins that its own log can tell.
//!
//! A snapshot that a leader sent stands behind a hole: the log before it ends somewhere earlier, and the log behind it
//! goes on. The zxids do not show such a hole where an epoch ends in it, so it is written down. No recovery crosses
//! it from an older snapshot, and no learner is told the log across it (ZOOKEEPER-2846).
//!
//! Java does not know this file and does not mind it.

use alloc::vec::Vec;

use proto::{Encode, Reader, Zxid};

use crate::dirs::Dirs;
use crate::disk::{self, Disk, DiskError};
use crate::reserve;

/// In the snapshot directory; Java passes it over.
pub const BASE_NAME: &str = ".oxkeeper.base";
/// `OXBS`.
const MAGIC: i32 = 0x4f58_4253;
/// Magic, zxid, checksum.
const LEN: usize = 4 + 8 + 4;

/// The zxid of the snapshot the history begins with; 0 where the log has never been left, and the largest number there
/// is where the file cannot be read, for then any place may be the one.
pub(crate) fn load<D: Disk>(disk: &D, dirs: &Dirs) -> Result<Zxid, DiskError> {
    match disk::read_small(disk, &disk::join(&dirs.snap, BASE_NAME), LEN) {
        Ok(bytes) => Ok(decode(&bytes).unwrap_or(Zxid(i64::MAX))),
        Err(DiskError::NotFound { .. }) => Ok(Zxid::ZERO),
        Err(error) => Err(error),
    }
}

/// Writes down, durably, that the history begins with the snapshot `zxid`.
pub(crate) fn save<D: Disk>(disk: &D, dirs: &Dirs, zxid: Zxid) -> Result<(), DiskError> {
    reserve::replace(disk, &disk::join(&dirs.snap, BASE_NAME), &encode(zxid))
}

fn encode(zxid: Zxid) -> Vec<u8> {
    let mut out = Vec::with_capacity(LEN);
    MAGIC.encode(&mut out);
    zxid.encode(&mut out);
    let checksum = simd_adler32::adler32(&out.as_slice());
    out.extend_from_slice(&checksum.to_be_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<Zxid> {
    let (body, checksum) = bytes.split_at_checked(LEN - 4)?;
    let mut reader = Reader::new(body);
    let (magic, zxid): (i32, Zxid) = (reader.take().ok()?, reader.take().ok()?);
    let intact = magic == MAGIC && checksum == simd_adler32::adler32(&body).to_be_bytes();
    intact.then_some(zxid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_base_is_none() {
        let bytes = encode(Zxid(0x7_0000_0005));
        assert_eq!(decode(&bytes), Some(Zxid(0x7_0000_0005)));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(decode(&bad), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None);
        }
    }
}
