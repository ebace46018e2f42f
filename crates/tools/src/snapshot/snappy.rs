//! The stream of snappy-java: a header, then blocks with their lengths.
//!
//! Source: `SnappyInputStream`; storage.md §6.2.

use std::io::{self, ErrorKind, Read};

/// Name, version 1, readable by version 1.
pub(super) const HEADER: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// How much of that tells snappy from others.
pub(super) const MAGIC_LEN: usize = 8;
/// No block of snappy-java comes near this; a longer one is a damaged length.
const BLOCK_BYTES_MAX: usize = 64 << 20;

/// What a snappy stream says.
pub(super) struct Snappy<R> {
    input: R,
    started: bool,
    block: Vec<u8>,
    taken: usize,
}

impl<R: Read> Snappy<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, started: false, block: Vec::new(), taken: 0 }
    }

    fn start(&mut self) -> io::Result<()> {
        let mut header = [0; HEADER.len()];
        self.input.read_exact(&mut header)?;
        self.started = true;
        let (magic, versions) = header.split_at(MAGIC_LEN);
        // The version that wrote it, which nobody looks at; and the oldest that can read it, which is 1 or more.
        let readable = versions[4] < 0x80 && versions[4..] != [0; 4];
        if *magic == HEADER[..MAGIC_LEN] && readable { Ok(()) } else { Err(damaged("not a snappy stream")) }
    }

    /// Fills the block anew; leaves it empty at the end.
    fn next_block(&mut self) -> io::Result<()> {
        self.block.clear();
        self.taken = 0;
        let mut length = [0; 4];
        match self.input.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let length = usize::try_from(i32::from_be_bytes(length)).ok().filter(|&n| n <= BLOCK_BYTES_MAX);
        let length = length.ok_or_else(|| damaged("impossible length of a snappy block"))?;
        let mut compressed = Vec::new();
        if (&mut self.input).take(length as u64).read_to_end(&mut compressed)? < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let size = snap::raw::decompress_len(&compressed).map_err(|_| damaged("damaged snappy block"))?;
        if size > BLOCK_BYTES_MAX {
            return Err(damaged("impossible length of a snappy block"));
        }
        self.block.resize(size, 0);
        let filled = snap::raw::Decoder::new().decompress(&compressed, &mut self.block);
        filled.map(drop).map_err(|_| damaged("damaged snappy block"))
    }
}

impl<R: Read> Read for Snappy<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.started {
            self.start()?;
        }
        if self.taken == self.block.len() {
            self.next_block()?;
        }
        let rest = &self.block[self.taken..];
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}

fn damaged(text: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(blocks: &[&[u8]]) -> Vec<u8> {
        let mut out = HEADER.to_vec();
        for block in blocks {
            let compressed = snap::raw::Encoder::new().compress_vec(block).unwrap();
            proto::wire::put_bytes(&compressed, &mut out);
        }
        out
    }

    #[test]
    fn blocks_join_and_damage_is_noticed() {
        let whole = stream(&[b"one ", b"two"]);
        let mut text = String::new();
        Snappy::new(&*whole).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
        let cut = &whole[..whole.len() - 1];
        let error = Snappy::new(cut).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let error = Snappy::new(&[0; 20][..]).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
