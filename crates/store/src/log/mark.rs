//! How far the log is known to be durable: what tells a torn tail from a damaged log.
//!
//! An entry that does not match its checksum near the end of the newest file may be the last write, cut short by
//! a power failure, and then was never acknowledged; or an acknowledged write on a disk that lost it. The file
//! itself cannot say which, because the sectors of one write reach the disk in any order. So after each sync the
//! writer notes beside the log up to where everything was durable. The note itself is not synced: it may be
//! some writes behind after a power failure, which is on the safe side, and is exact after the end of a process.
//!
//! Java does not know this file and does not mind it.

use alloc::string::String;
use alloc::vec::Vec;

use proto::{Encode, Reader, Zxid};

use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::names;

/// In the log directory. Neither `log.*` nor `snapshot.*`, so Java passes it over.
pub const MARK_NAME: &str = ".oxkeeper.mark";
/// `OXMK`.
const MAGIC: i32 = 0x4f58_4d4b;
/// Magic, three numbers, checksum: less than a sector, so a write of it is whole or not there.
const LEN: usize = 4 + 8 + 8 + 8 + 4;

/// Everything in one file before one place was durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// The log file, by the zxid in its name.
    pub log: Zxid,
    /// Behind the last durable entry, in bytes from the start of the file.
    pub offset: u64,
    /// The last durable entry, in this file or before.
    pub last: Zxid,
}

impl Mark {
    /// The name of the log file.
    #[must_use]
    pub fn log_name(&self) -> String {
        names::log_name(self.log)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LEN);
        MAGIC.encode(&mut out);
        self.log.encode(&mut out);
        self.offset.cast_signed().encode(&mut out);
        self.last.encode(&mut out);
        let checksum = simd_adler32::adler32(&out.as_slice());
        out.extend_from_slice(&checksum.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_at_checked(LEN - 4)?;
        let mut reader = Reader::new(body);
        let magic: i32 = reader.take().ok()?;
        let mark = Self {
            log: reader.take().ok()?,
            offset: reader.take::<i64>().ok()?.cast_unsigned(),
            last: reader.take().ok()?,
        };
        let intact = magic == MAGIC && checksum == simd_adler32::adler32(&body).to_be_bytes();
        intact.then_some(mark)
    }

    /// Reads the mark of a log directory. `None`: there is none, or it does not match its own checksum.
    ///
    /// # Errors
    /// As the disk gives them.
    pub fn load<D: Disk>(disk: &D, dir: &str) -> Result<Option<Self>, DiskError> {
        match disk::read_small(disk, &disk::join(dir, MARK_NAME), LEN) {
            Ok(bytes) => Ok(Self::decode(&bytes)),
            Err(DiskError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts this mark in the place of whatever is there, durably.
    ///
    /// # Errors
    /// As the disk gives them.
    pub fn save<D: Disk>(&self, disk: &D, dir: &str) -> Result<(), DiskError> {
        disk::replace(disk, &disk::join(dir, MARK_NAME), &self.encode())
    }
}

/// The open mark of a log being written.
#[derive(Debug)]
pub(crate) struct MarkFile<F> {
    file: F,
}

impl<F: DiskFile> MarkFile<F> {
    /// Saves `mark` durably and keeps the file open for more.
    pub(crate) fn start<D: Disk<File = F>>(disk: &D, dir: &str, mark: Mark) -> Result<Self, DiskError> {
        let path = disk::join(dir, MARK_NAME);
        let file = match disk.open_to_write(&path) {
            Ok(file) => file,
            Err(DiskError::NotFound { .. }) => {
                mark.save(disk, dir)?;
                return Ok(Self { file: disk.open_to_write(&path)? });
            }
            Err(error) => return Err(error),
        };
        let started = Self { file };
        started.note_durably(mark)?;
        Ok(started)
    }

    /// Notes progress; it becomes durable whenever the system writes it out.
    pub(crate) fn note(&self, mark: Mark) -> Result<(), DiskError> {
        self.file.write_at(&mark.encode(), 0)
    }

    /// Notes a new file, durably: the first entry may only be written after this.
    pub(crate) fn note_durably(&self, mark: Mark) -> Result<(), DiskError> {
        self.note(mark)?;
        self.file.datasync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_mark_is_no_mark() {
        let mark = Mark { log: Zxid(5), offset: 1234, last: Zxid(0x1_0000_0007) };
        let bytes = mark.encode();
        assert_eq!(Mark::decode(&bytes), Some(mark));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert_eq!(Mark::decode(&bad), None, "byte {at}");
            assert_eq!(Mark::decode(&bytes[..at]), None);
        }
    }
}
