//! A snapshot's file: plain, gzip or snappy, by the last part of its name.
//!
//! Source: `SnapStream`.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::GzDecoder;
use store::snapshot::Compression;

use super::snappy::{self, Snappy};
use crate::failure::Thrown;
use crate::java::path;

/// What is read of the file in one go.
const READ_BYTES: usize = 256 << 10;
/// What a gzip file starts with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The end of every finished snapshot: the string "/".
const SLASH: [u8; 5] = [0, 0, 0, 1, b'/'];
/// No plain snapshot is shorter.
const PLAIN_BYTES_MIN: u64 = 10;

/// A snapshot's bytes, uncompressed.
pub(super) type Input = BufReader<Box<dyn Read>>;

/// Opens a snapshot.
///
/// Source: `SnapStream#getInputStream`.
pub(super) fn open(file: &str) -> Result<Input, Thrown> {
    let opened = File::open(file).and_then(|opened| match opened.metadata()?.is_dir() {
        true => Err(io::Error::other("Is a directory")),
        false => Ok(opened),
    });
    let opened = opened.map_err(|error| Thrown::open(file, &error))?;
    let bytes = BufReader::with_capacity(READ_BYTES, opened);
    let input: Box<dyn Read> = match Compression::of_file(path::name(file)) {
        Compression::Plain => Box::new(bytes),
        Compression::Gzip => gzip(bytes)?,
        Compression::Snappy => Box::new(Snappy::new(bytes)),
    };
    Ok(BufReader::with_capacity(READ_BYTES, input))
}

fn gzip(mut bytes: BufReader<File>) -> Result<Box<dyn Read>, Thrown> {
    let mut magic = [0; GZIP_MAGIC.len()];
    match bytes.read_exact(&mut magic) {
        Err(_) => return Err(Thrown::end_of_file()),
        Ok(()) if magic != GZIP_MAGIC => {
            return Err(Thrown::new("java.util.zip.ZipException", "Not in GZIP format"));
        }
        Ok(()) => {}
    }
    bytes.rewind().map_err(|error| Thrown::io(crate::failure::reason(&error)))?;
    Ok(Box::new(GzDecoder::new(bytes)))
}

/// Whether a file can be a finished snapshot, judged by a few of its bytes.
///
/// Source: `SnapStream#isValidSnapshot`.
///
/// # Errors
/// As the system gives them.
pub(crate) fn looks_valid(file: &str) -> io::Result<bool> {
    let mut opened = File::open(file)?;
    let mut starts_with = |magic: &[u8]| -> io::Result<bool> {
        let mut start = Vec::new();
        (&mut opened).take(magic.len() as u64).read_to_end(&mut start)?;
        Ok(start == magic)
    };
    match Compression::of_file(path::name(file)) {
        Compression::Gzip => starts_with(&GZIP_MAGIC),
        Compression::Snappy => starts_with(&snappy::HEADER[..snappy::MAGIC_LEN]),
        Compression::Plain => {
            if opened.metadata()?.len() < PLAIN_BYTES_MIN {
                return Ok(false);
            }
            let mut end = [0; SLASH.len()];
            opened.seek(SeekFrom::End(-5))?;
            opened.read_exact(&mut end)?;
            Ok(end == SLASH)
        }
    }
}
