//! A bounded view onto a long stream of bytes: 1 MiB at a time, longer only where one record is longer.

use alloc::vec::Vec;

use simd_adler32::Adler32;

use crate::disk::{DiskError, DiskFile};

/// Where a window gets its bytes from.
pub(crate) trait Source {
    /// What can go wrong.
    type Error;
    /// Puts some bytes at the front of `buf`; 0 only at the end.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error>;
    /// At most so many bytes will come, as far as that is known: room for more would be wasted.
    fn bytes_max(&self) -> u64;
}

/// A file, from some place on.
pub(crate) struct FileSource<F> {
    pub(crate) file: F,
    pub(crate) offset: u64,
}

impl<F: DiskFile> Source for FileSource<F> {
    type Error = DiskError;

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, DiskError> {
        let n = self.file.read_at(buf, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }

    fn bytes_max(&self) -> u64 {
        self.file.length().unwrap_or(u64::MAX)
    }
}

/// One sequential read.
const STEP: usize = 1 << 20;

/// The bytes `start..end` of `buf` are there and not yet taken.
pub(crate) struct Window<S> {
    source: S,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the stream the byte `start` is.
    offset: u64,
    ended: bool,
    /// Over everything taken, as long as `hashed..start` is added. Only kept if asked for.
    adler: Option<Adler32>,
    hashed: usize,
}

impl<S: Source> Window<S> {
    /// `offset` only names places; the source decides what comes.
    pub(crate) fn new(source: S, offset: u64) -> Self {
        // A little more, so that the end is noticed without making room first.
        let room = usize::try_from(source.bytes_max()).map_or(STEP, |max| STEP.min(max.saturating_add(64)));
        Self {
            source,
            buf: alloc::vec![0; room],
            start: 0,
            end: 0,
            offset,
            ended: false,
            adler: None,
            hashed: 0,
        }
    }

    /// Also keeps the Adler-32 of everything taken.
    pub(crate) fn hashing(source: S) -> Self {
        Self { adler: Some(Adler32::new()), ..Self::new(source, 0) }
    }

    /// Where in the stream the next byte is.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether at least `n` bytes are left; then [`Window::bytes`] holds them.
    #[inline]
    pub(crate) fn want(&mut self, n: usize) -> Result<bool, S::Error> {
        if self.end - self.start >= n {
            return Ok(true);
        }
        self.refill(n)
    }

    fn refill(&mut self, n: usize) -> Result<bool, S::Error> {
        self.hash();
        self.buf.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.hashed) = (0, 0);
        while self.end < n && !self.ended {
            // A length is only a claim: room grows with the bytes that really come.
            if self.end == self.buf.len() {
                self.buf.resize(self.buf.len() * 2, 0);
            }
            let got = self.source.read(&mut self.buf[self.end..])?;
            self.end += got;
            self.ended = got == 0;
        }
        Ok(self.end >= n)
    }

    /// What is there without reading on.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Goes on behind `n` bytes that are there.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        assert!(n <= self.end - self.start, "only what was read is taken");
        self.start += n;
        self.offset += n as u64;
    }

    fn hash(&mut self) {
        if let Some(adler) = &mut self.adler {
            adler.write(&self.buf[self.hashed..self.start]);
            self.hashed = self.start;
        }
    }

    /// The Adler-32 of everything taken so far.
    pub(crate) fn checksum(&mut self) -> u32 {
        self.hash();
        self.adler.as_ref().map_or(1, Adler32::finish)
    }
}
