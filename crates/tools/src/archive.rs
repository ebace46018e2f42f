//! Jute's primitive values off a stream, with Java's answers to what is wrong with it.
//!
//! Source: `BinaryInputArchive`, `DataInputStream`.

use std::io::{ErrorKind, Read};

use proto::wire::text_lossy;

use crate::failure::{Thrown, reason};

/// Room made ahead of bytes that a length only promises.
const RESERVED_BYTES_MAX: usize = 1 << 20;

/// A stream of records.
pub(crate) struct Archive<R> {
    input: R,
    /// How far it has been read.
    offset: u64,
    /// `jute.maxbuffer` and its extra.
    length_max: i32,
    /// The bytes of the last string read.
    scratch: Vec<u8>,
}

impl<R: Read> Archive<R> {
    /// Starts at the first byte of `input`, which should be buffered.
    pub(crate) fn new(input: R, length_max: i32) -> Self {
        Self { input, offset: 0, length_max, scratch: Vec::new() }
    }

    /// How many bytes have been read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What it reads from, behind what was read.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Thrown> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Thrown> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next four bytes as a number.
    pub(crate) fn int(&mut self) -> Result<i32, Thrown> {
        self.array().map(i32::from_be_bytes)
    }

    /// The next eight bytes as a number.
    pub(crate) fn long(&mut self) -> Result<i64, Thrown> {
        self.array().map(i64::from_be_bytes)
    }

    /// Puts the next buffer in place of what is in `into`; `false` for null.
    pub(crate) fn buffer(&mut self, into: &mut Vec<u8>) -> Result<bool, Thrown> {
        into.clear();
        let length = match self.int()? {
            -1 => return Ok(false),
            length if length < 0 || length > self.length_max => return Err(Thrown::length(length)),
            length => usize::try_from(length).map_err(|_| Thrown::length(length))?,
        };
        into.reserve(length.min(RESERVED_BYTES_MAX));
        let read = (&mut self.input).take(length as u64).read_to_end(into);
        let read = read.map_err(|error| thrown(&error))?;
        self.offset += read as u64;
        if read < length { Err(Thrown::end_of_file()) } else { Ok(true) }
    }

    /// The next string: `None` for null.
    pub(crate) fn text(&mut self) -> Result<Option<String>, Thrown> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = self.buffer(&mut scratch);
        let text = read.map(|there| there.then(|| text_lossy(&scratch).into_owned()));
        self.scratch = scratch;
        text
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Thrown> {
        self.input.read_exact(bytes).map_err(|error| thrown(&error))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

/// What Java throws where reading ends in `error`.
fn thrown(error: &std::io::Error) -> Thrown {
    if error.kind() == ErrorKind::UnexpectedEof { Thrown::end_of_file() } else { Thrown::io(reason(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(bytes: &[u8]) -> Archive<&[u8]> {
        Archive::new(bytes, 8)
    }

    #[test]
    fn values_come_in_their_order() {
        let mut archive = archive(&[0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255, 7]);
        assert_eq!(archive.text().unwrap().unwrap(), "ab");
        assert!(!archive.buffer(&mut Vec::new()).unwrap());
        assert_eq!((archive.byte().unwrap(), archive.offset()), (7, 11));
        assert!(archive.long().unwrap_err().is_end_of_file());
    }

    #[test]
    fn lengths_are_looked_at_before_anything_is_read() {
        for (bytes, message) in [
            (&[0, 0, 0, 9][..], "Unreasonable length = 9"),
            (&[255, 255, 255, 254], "Unreasonable length = -2"),
            (&[0, 0, 0, 8, 1], "null"),
        ] {
            assert_eq!(archive(bytes).buffer(&mut Vec::new()).unwrap_err().message(), message);
        }
    }
}
