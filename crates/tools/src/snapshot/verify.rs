//! Whether a snapshot is sound to its last byte.
//!
//! Source: `SnapStream#checkSealIntegrity`; storage.md §6.

use std::io::Read;

use proto::StatPersisted;
use simd_adler32::Adler32;

use super::file::open;
use super::read::{Sink, read};
use crate::archive::Archive;
use crate::failure::Thrown;

/// Behind the nodes at most two sections and three seals.
const REST_BYTES_MAX: u64 = 128;
/// A checksum and the string "/".
const SEAL_LEN: usize = 13;

/// Reads a snapshot to its end and looks at its records and at every checksum behind them.
pub(crate) fn is_sound(file: &str) -> bool {
    let Ok(input) = open(file) else { return false };
    let mut archive = Archive::new(Summed { input, sum: Adler32::new() }, i32::MAX);
    if read(&mut archive, &mut Nobody).is_err() {
        return false;
    }
    let Summed { mut input, mut sum } = archive.into_input();
    let mut rest = Vec::new();
    if (&mut input).take(REST_BYTES_MAX).read_to_end(&mut rest).is_err() {
        return false;
    }
    let mut rest = rest.as_slice();
    loop {
        let Some((seal, behind)) = rest.split_first_chunk::<SEAL_LEN>() else { return false };
        if seal[..8] != u64::from(sum.finish()).to_be_bytes() || seal[8..] != [0, 0, 0, 1, b'/'] {
            return false;
        }
        sum.write(seal);
        // What is left tells which sections are there: a digest, the last zxid, both, or none.
        let section = match behind.len() {
            0 => return true,
            33 | 54 => 20,
            21 => 8,
            // Cut off; or a digest as text, as older releases wrote it, which counts as damage: then nothing goes.
            _ => return false,
        };
        let (section, behind) = behind.split_at(section);
        sum.write(section);
        rest = behind;
    }
}

/// Takes everything and keeps nothing.
struct Nobody;

impl Sink for Nobody {
    fn session(&mut self, _: i64, _: i32) {}

    fn node(&mut self, _: String, _: &[u8], _: StatPersisted) -> Result<(), Thrown> {
        Ok(())
    }
}

/// Sums what is read up.
struct Summed<R> {
    input: R,
    sum: Adler32,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.input.read(into)?;
        self.sum.write(&into[..n]);
        Ok(n)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proto::{Reader, SessionId, Zxid};
    use store::Disk;
    use store::mem::MemDisk;
    use store::snapshot::{
        Compression, SnapshotDigest, SnapshotOptions, SnapshotWriter, put_node, put_session,
    };

    /// The bytes of a small snapshot, as the server writes it, with those of its sections that are wanted.
    pub(crate) fn written(compression: Compression, digest: bool, last: bool) -> Vec<u8> {
        let disk = MemDisk::new();
        disk.create_dir("dir").unwrap();
        let options = SnapshotOptions { compression };
        let mut writer = SnapshotWriter::create(disk.clone(), "dir", Zxid(5), options, 1).unwrap();
        let mut bytes = Vec::new();
        put_session(&mut bytes, SessionId(7), 30_000);
        writer.push(&bytes).unwrap();
        writer.start_acls(0).unwrap();
        bytes.clear();
        let stat = Reader::new(&[0; 60]).take().unwrap();
        for path in ["", "/a", "/a/b"] {
            put_node(&mut bytes, path.as_bytes(), Some(b"data"), -1, &stat);
        }
        writer.push(&bytes).unwrap();
        let digest = digest.then_some(SnapshotDigest { zxid: Zxid(5), version: 2, digest: 9 });
        let (name, _) = writer.finish(digest, last.then_some(Zxid(5))).unwrap();
        disk.contents(&format!("dir/{name}")).unwrap()
    }

    #[test]
    fn what_the_server_writes_is_sound_and_every_changed_byte_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let sound = |end: &str, bytes: &[u8]| {
            let file = dir.path().join(format!("snapshot.5{end}"));
            std::fs::write(&file, bytes).unwrap();
            is_sound(file.to_str().unwrap())
        };
        for (digest, last) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(sound("", &written(Compression::Plain, digest, last)), "{digest} {last}");
        }
        assert!(sound(".gz", &written(Compression::Gzip, true, true)));
        assert!(sound(".snappy", &written(Compression::Snappy, true, true)));
        let bytes = written(Compression::Plain, true, true);
        // Version and database id, which nobody reads, are below the checksum too.
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(!sound("", &bad), "byte {at}");
        }
        // Without its last section, or the last two, it is one of an older release.
        let whole = [bytes.len() - 54, bytes.len() - 21];
        for length in (0..bytes.len()).filter(|length| !whole.contains(length)) {
            assert!(!sound("", &bytes[..length]), "{length} bytes");
        }
    }
}
