//! Header and entries of a log, as they lie in the file.
//!
//! Source: `FileHeader`, `TxnLogToolkit#dump`.

use store::LOG_MAGIC;

use super::Log;
use crate::failure::Thrown;

/// What every entry ends with.
const END: u8 = b'B';

/// The first bytes of a log.
pub(super) struct Header {
    /// `ZKLG`, if it is one.
    pub(super) magic: i32,
    /// 2; nobody looks at it.
    pub(super) version: i32,
    /// 0; nobody looks at it.
    pub(super) dbid: i64,
}

impl Header {
    pub(super) fn read(log: &mut Log) -> Result<Self, Thrown> {
        Ok(Self { magic: log.int()?, version: log.int()?, dbid: log.long()? })
    }

    pub(super) fn is_log(&self) -> bool {
        self.magic == LOG_MAGIC
    }

    /// As it lies in the file.
    pub(super) fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.magic.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.version.to_be_bytes());
        bytes[8..].copy_from_slice(&self.dbid.to_be_bytes());
        bytes
    }
}

/// One entry without its end mark.
pub(super) struct RawEntry {
    /// What the file says the checksum is.
    pub(super) checksum: i64,
    /// Header, transaction, digest.
    pub(super) payload: Vec<u8>,
    /// Where it starts in the file.
    pub(super) offset: u64,
}

impl RawEntry {
    /// Reads the next one into `self`; `false` at the end: zeroes, or no more bytes.
    ///
    /// Only a null payload has no answer of the original's own.
    pub(super) fn read(&mut self, log: &mut Log) -> Result<bool, Thrown> {
        self.offset = log.offset();
        match self.read_whole(log) {
            Ok(()) => Ok(!self.payload.is_empty()),
            Err(thrown) if thrown.is_end_of_file() => Ok(false),
            Err(thrown) => Err(thrown),
        }
    }

    fn read_whole(&mut self, log: &mut Log) -> Result<(), Thrown> {
        self.checksum = log.long()?;
        if log.buffer(&mut self.payload)? { Ok(()) } else { Err(Thrown::null()) }
    }

    /// What the checksum has to be.
    pub(super) fn computed(&self) -> i64 {
        i64::from(simd_adler32::adler32(&self.payload.as_slice()))
    }
}

/// Reads the end mark behind an entry; `false` if something else stands there.
pub(super) fn has_end(log: &mut Log) -> Result<bool, Thrown> {
    Ok(log.byte()? == END)
}

/// An entry as it is written: with this checksum.
pub(super) fn put(out: &mut Vec<u8>, checksum: i64, payload: &[u8]) {
    out.extend_from_slice(&checksum.to_be_bytes());
    proto::wire::put_bytes(payload, out);
    out.push(END);
}
