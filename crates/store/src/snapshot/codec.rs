//! The three forms of a snapshot on disk: plain, one gzip member, or the stream of snappy-java.
//!
//! Source: `SnapStream`; storage.md §6.2. `flate2` is `no_std` as used here; `snap` links `std` but is only used
//! for its slice functions.

use alloc::vec::Vec;

use flate2::{Compress, Compression as Level, Decompress, FlushCompress, FlushDecompress, Status};

use crate::disk::{DiskError, DiskFile};
use crate::window::{FileSource, Source, Window};

/// `snapshot.compression.method`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compression {
    /// The bytes as they are.
    #[default]
    Plain,
    /// `gz`: one gzip member.
    Gzip,
    /// `snappy`: the stream of snappy-java, which is not the snappy frame format.
    Snappy,
}

impl Compression {
    /// The method with this name, in any case. As in Java every other name is none.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            name if name.eq_ignore_ascii_case("gz") => Self::Gzip,
            name if name.eq_ignore_ascii_case("snappy") => Self::Snappy,
            _ => Self::Plain,
        }
    }

    /// What a file is compressed with, by the last part of its name.
    #[must_use]
    pub fn of_file(name: &str) -> Self {
        name.rsplit_once('.').map_or(Self::Plain, |(_, last)| Self::from_name(last))
    }

    /// The end of the file's name, with its dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
        }
    }
}

/// Why compressed bytes give none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CodecError {
    /// As the disk gives it.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The compressed stream breaks its own rules.
    #[error("the compressed stream is damaged at offset {offset} of the file")]
    Damaged {
        /// Near this place.
        offset: u64,
    },
}

/// What the first bytes of a compressed file are.
pub(crate) const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// Name, version 1, readable by version 1.
pub(crate) const SNAPPY_HEADER: &[u8] =
    &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// How much of that Java looks at.
pub(crate) const SNAPPY_MAGIC_LEN: usize = 8;
/// snappy-java compresses this much at a time.
const SNAPPY_BLOCK: usize = 32 << 10;
/// No block of snappy-java comes near this; a longer one is a damaged length.
const SNAPPY_BLOCK_MAX: usize = 64 << 20;
/// gzip's window of 32 KiB, as Java uses it.
const GZIP_WINDOW_BITS: u8 = 15;

/// Turns a snapshot's bytes into the file's bytes.
pub(crate) enum Encoder {
    Plain,
    Gzip(Compress),
    /// What does not fill a block yet.
    Snappy(Vec<u8>),
}

impl Encoder {
    pub(crate) fn new(compression: Compression, out: &mut Vec<u8>) -> Self {
        match compression {
            Compression::Plain => Self::Plain,
            Compression::Gzip => Self::Gzip(Compress::new_gzip(Level::default(), GZIP_WINDOW_BITS)),
            Compression::Snappy => {
                out.extend_from_slice(SNAPPY_HEADER);
                Self::Snappy(Vec::new())
            }
        }
    }

    /// Appends what `bytes` become to `out`, as far as that is decided.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(bytes),
            Self::Gzip(gzip) => deflate(gzip, bytes, FlushCompress::None, out),
            Self::Snappy(block) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let (taken, behind) = rest.split_at(rest.len().min(SNAPPY_BLOCK - block.len()));
                    block.extend_from_slice(taken);
                    rest = behind;
                    if block.len() == SNAPPY_BLOCK {
                        put_block(block, out);
                        block.clear();
                    }
                }
            }
        }
    }

    /// Appends what is left.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Plain => {}
            Self::Gzip(gzip) => deflate(gzip, &[], FlushCompress::Finish, out),
            Self::Snappy(block) => {
                if !block.is_empty() {
                    put_block(block, out);
                    block.clear();
                }
            }
        }
    }
}

fn deflate(gzip: &mut Compress, bytes: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    let start = gzip.total_in();
    loop {
        out.reserve(STEP);
        let taken = usize::try_from(gzip.total_in() - start).expect("no more than was given");
        let status = gzip.compress_vec(&bytes[taken..], out, flush).expect("compressing breaks no rule");
        let all = gzip.total_in() - start == bytes.len() as u64;
        let room = out.len() < out.capacity();
        match (flush, status) {
            (FlushCompress::Finish, Status::StreamEnd) => return,
            (FlushCompress::None, _) if all && room => return,
            _ => {}
        }
    }
}

fn put_block(block: &[u8], out: &mut Vec<u8>) {
    let compressed =
        snap::raw::Encoder::new().compress_vec(block).expect("a block is far below snappy's limit");
    proto::wire::put_bytes(&compressed, out);
}

/// How much compressed input is looked at in one go.
const STEP: usize = 64 << 10;

/// A snapshot's bytes, taken out of its file.
pub(crate) enum Decoder<F> {
    Plain(FileSource<F>),
    Gzip { window: Window<FileSource<F>>, gzip: Decompress, ended: bool },
    Snappy { window: Window<FileSource<F>>, block: Vec<u8>, taken: usize },
}

impl<F: DiskFile> Decoder<F> {
    pub(crate) fn new(compression: Compression, file: F) -> Result<Self, CodecError> {
        let source = FileSource { file, offset: 0 };
        Ok(match compression {
            Compression::Plain => Self::Plain(source),
            Compression::Gzip => Self::Gzip {
                window: Window::new(source, 0),
                gzip: Decompress::new_gzip(GZIP_WINDOW_BITS),
                ended: false,
            },
            Compression::Snappy => {
                let mut window = Window::new(source, 0);
                if !window.want(SNAPPY_HEADER.len())? || !window.bytes().starts_with(SNAPPY_HEADER) {
                    return Err(CodecError::Damaged { offset: 0 });
                }
                window.advance(SNAPPY_HEADER.len());
                Self::Snappy { window, block: Vec::new(), taken: 0 }
            }
        })
    }
}

impl<F: DiskFile> Source for Decoder<F> {
    type Error = CodecError;

    fn bytes_max(&self) -> u64 {
        match self {
            Self::Plain(source) => source.bytes_max(),
            Self::Gzip { .. } | Self::Snappy { .. } => u64::MAX,
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, CodecError> {
        match self {
            Self::Plain(source) => Ok(source.read(buf)?),
            Self::Gzip { window, gzip, ended } => inflate(window, gzip, ended, buf),
            Self::Snappy { window, block, taken } => {
                if *taken == block.len() {
                    *taken = 0;
                    if !next_block(window, block)? {
                        return Ok(0);
                    }
                }
                let n = buf.len().min(block.len() - *taken);
                buf[..n].copy_from_slice(&block[*taken..*taken + n]);
                *taken += n;
                Ok(n)
            }
        }
    }
}

fn inflate<F: DiskFile>(
    window: &mut Window<FileSource<F>>,
    gzip: &mut Decompress,
    ended: &mut bool,
    buf: &mut [u8],
) -> Result<usize, CodecError> {
    let damaged = |offset| CodecError::Damaged { offset };
    while !*ended {
        // `want` may find less than that at the end of the file, and then gives what there is.
        let more = window.want(STEP)?;
        let before = (gzip.total_in(), gzip.total_out());
        let status = gzip
            .decompress(window.bytes(), buf, FlushDecompress::None)
            .map_err(|_| damaged(window.offset()))?;
        let taken = usize::try_from(gzip.total_in() - before.0).expect("no more than was given");
        let given = usize::try_from(gzip.total_out() - before.1).expect("no more than fits");
        window.advance(taken);
        *ended = status == Status::StreamEnd;
        if *ended && window.want(1)? {
            // Bytes behind the one member: nobody writes that.
            return Err(damaged(window.offset()));
        }
        if given > 0 {
            return Ok(given);
        }
        if !*ended && taken == 0 && !more {
            return Err(damaged(window.offset()));
        }
    }
    Ok(0)
}

/// Replaces `block` by the next one; `false` at the end of the file.
fn next_block<F: DiskFile>(
    window: &mut Window<FileSource<F>>,
    block: &mut Vec<u8>,
) -> Result<bool, CodecError> {
    let offset = window.offset();
    let damaged = || CodecError::Damaged { offset };
    if !window.want(4)? {
        return if window.bytes().is_empty() { Ok(false) } else { Err(damaged()) };
    }
    let length = proto::Reader::new(window.bytes()).take::<i32>().map_err(|_| damaged())?;
    let length = usize::try_from(length).ok().filter(|&n| n <= SNAPPY_BLOCK_MAX).ok_or_else(damaged)?;
    window.advance(4);
    if !window.want(length)? {
        return Err(damaged());
    }
    let compressed = &window.bytes()[..length];
    let size = snap::raw::decompress_len(compressed).map_err(|_| damaged())?;
    // The claimed size is believed only within what the format can reach from so few bytes.
    if size == 0 || size > SNAPPY_BLOCK_MAX || size / 64 > length {
        return Err(damaged());
    }
    block.resize(size, 0);
    snap::raw::Decoder::new().decompress(compressed, block).map_err(|_| damaged())?;
    window.advance(length);
    Ok(true)
}
