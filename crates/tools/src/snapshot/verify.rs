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

/// Reads a snapshot to its end and looks at its records and at the first checksum, which is over all of them, and at each
/// later one that is where this release writes it.
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
            // An older form of the digest, which the first seal does not need.
            _ => return true,
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
