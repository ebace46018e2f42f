//! One entry of the log: checksum, length, payload, end mark.
//!
//! Source: `FileTxnLog#append`, `persistence.Util#writeTxnBytes`; storage.md §3.1.

use alloc::vec::Vec;

use proto::wire::length_of;
use proto::{Encode, Reader};

/// Before the entries: magic, version, database id.
pub const LOG_HEADER_LEN: usize = 16;
/// `ZKLG`.
pub const LOG_MAGIC: i32 = 0x5a4b_4c47;
/// The one version there is of logs and snapshots.
pub const FILE_VERSION: i32 = 2;
/// Checksum and length, before the payload.
pub(crate) const ENTRY_HEAD_LEN: usize = 12;
/// Behind the payload, the byte that says the entry was written to its end.
pub(crate) const ENTRY_END: u8 = 0x42;
/// Every payload starts with a transaction header of this length.
pub(crate) const PAYLOAD_LEN_MIN: usize = 32;

/// The first bytes of every log file.
#[must_use]
pub fn log_header() -> Vec<u8> {
    let mut header = Vec::with_capacity(LOG_HEADER_LEN);
    LOG_MAGIC.encode(&mut header);
    FILE_VERSION.encode(&mut header);
    0_i64.encode(&mut header);
    header
}

/// Whether a log file may start with these bytes. As in Java, only the magic is looked at.
pub(crate) fn is_log_header(bytes: &[u8]) -> bool {
    bytes.len() >= LOG_HEADER_LEN && Reader::new(bytes).take() == Ok(LOG_MAGIC)
}

/// Appends one framed entry to a batch: 13 bytes more than what `payload` appends.
///
/// # Panics
/// If the payload is empty or longer than `i32::MAX` bytes: no transaction is.
#[inline]
pub fn frame_entry(out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; ENTRY_HEAD_LEN]);
    payload(out);
    let (head, payload) = out[start..].split_at_mut(ENTRY_HEAD_LEN);
    assert!(!payload.is_empty(), "an empty entry would read as the end of the file");
    let checksum = u64::from(simd_adler32::adler32(&&*payload));
    head[..8].copy_from_slice(&checksum.to_be_bytes());
    head[8..].copy_from_slice(&length_of(payload.len()).to_be_bytes());
    out.push(ENTRY_END);
}

/// Why the bytes at some place of a log are not an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// The file ends inside it.
    CutOff,
    /// Its length is impossible.
    Length,
    /// Its end mark is missing.
    Unfinished,
    /// Its checksum does not match its payload.
    Checksum,
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::CutOff => "the file ends inside an entry",
            Self::Length => "an entry has an impossible length",
            Self::Unfinished => "an entry has no end mark",
            Self::Checksum => "an entry does not match its checksum",
        })
    }
}

/// What the first bytes of `bytes` say about the entry there.
pub(crate) enum Head {
    /// Zeroes: nothing was ever written here.
    End,
    /// An entry with a payload of this many bytes.
    Payload(usize),
    /// No entry.
    Broken(Broken),
}

/// Reads checksum and length; `bytes` holds at least those.
pub(crate) fn head(bytes: &[u8]) -> Head {
    let mut reader = Reader::new(bytes);
    let (Ok(checksum), Ok(length)) = (reader.take::<i64>(), reader.take::<i32>()) else {
        return Head::Broken(Broken::CutOff);
    };
    match usize::try_from(length) {
        Ok(0) if checksum == 0 => Head::End,
        Ok(n) if n >= PAYLOAD_LEN_MIN => Head::Payload(n),
        Ok(_) | Err(_) => Head::Broken(Broken::Length),
    }
}

/// The payload of a whole entry whose head was read; `entry` ends with its end mark.
pub(crate) fn payload(entry: &[u8]) -> Result<&[u8], Broken> {
    let (payload, end) = entry[ENTRY_HEAD_LEN..].split_at(entry.len() - ENTRY_HEAD_LEN - 1);
    if end != [ENTRY_END] {
        return Err(Broken::Unfinished);
    }
    let checksum = u64::from(simd_adler32::adler32(&payload));
    if entry[..8] == checksum.to_be_bytes() { Ok(payload) } else { Err(Broken::Checksum) }
}

/// Whether an intact entry starts anywhere in `bytes`: then what is broken before it is no torn tail.
pub(crate) fn any_intact(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| {
        let rest = &bytes[at..];
        // Checksums are 32 bits in eight bytes, which rules out almost every place at a glance.
        if rest.len() <= ENTRY_HEAD_LEN || rest[..4] != [0; 4] {
            return false;
        }
        match head(rest) {
            Head::Payload(n) => {
                rest.get(..ENTRY_HEAD_LEN + n + 1).is_some_and(|entry| payload(entry).is_ok())
            }
            Head::End | Head::Broken(_) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first entry of storage.md §15.1.
    const PAYLOAD: &[u8] = &[
        0x01, 0x00, 0x00, 0x24, 0x8d, 0xd1, 0x00, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x00, 0x00, 0x01,
        0xa2, 0x03, 0x0a, 0x2b, 0x41, 0xff, 0xff, 0xff, 0xf6, 0x00, 0x00, 0x75, 0x30, 0, 0, 0, 2, 0, 0, 0, 0,
        0x51, 0xc6, 0xd6, 0x60,
    ];

    #[test]
    fn an_entry_has_the_bytes_java_writes() {
        let mut out = Vec::new();
        frame_entry(&mut out, |out| out.extend_from_slice(PAYLOAD));
        assert_eq!(out[..12], [0, 0, 0, 0, 0xb3, 0xf0, 0x09, 0x88, 0, 0, 0, 0x30]);
        assert_eq!(out[12..60], *PAYLOAD);
        assert_eq!(out[60..], [0x42]);
        assert_eq!(log_header(), *b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn every_changed_byte_of_an_entry_is_noticed() {
        let mut entry = Vec::new();
        frame_entry(&mut entry, |out| out.extend_from_slice(PAYLOAD));
        assert!(any_intact(&entry));
        for at in 0..entry.len() {
            let mut bad = entry.clone();
            bad[at] ^= 1;
            let good = match head(&bad) {
                Head::Payload(n) => bad.get(..n + 13).is_some_and(|entry| payload(entry).is_ok()),
                Head::End | Head::Broken(_) => false,
            };
            assert!(!good, "byte {at}");
        }
    }
}
