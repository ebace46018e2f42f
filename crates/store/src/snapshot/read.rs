//! Reading a snapshot: a stream of records, and at its end the proof that they were right.
//!
//! The checksums stand behind the records, so whoever takes the records must be ready to throw them away again
//! ([`SnapshotSink::begin`]). Stricter than Java: the slash of a seal is looked at, and nothing may stand behind
//! the last section.

use alloc::string::{String, ToString};

use proto::{AclList, Buffer, DecodeError, Reader, SessionId, Zxid};

use super::codec::{CodecError, Compression, Decoder, GZIP_MAGIC, SNAPPY_HEADER, SNAPPY_MAGIC_LEN};
use super::format::{
    DIGEST_LEN, DIGEST_VERSION, LAST_ZXID_LEN, SEAL_LEN, SLASH, SNAPSHOT_HEADER_LEN, SNAPSHOT_MAGIC,
    SnapshotDigest,
};
use super::records::{NodeRecord, RecordError, Records, SnapshotSink, Taken};
use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::window::Window;

/// What stands behind the nodes of a sound snapshot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SnapshotEnd {
    /// How many nodes there were.
    pub nodes: u64,
    /// The length of the file in bytes.
    pub file_bytes: u64,
    /// `None`: written without digests, or in a form older than version 2, which says nothing here.
    pub digest: Option<SnapshotDigest>,
    /// The last transaction in it; `None`: written before 3.9 or switched off.
    pub last: Option<Zxid>,
}

/// Why a snapshot cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SnapshotError<E> {
    /// As the disk gives it.
    #[error(transparent)]
    Disk(DiskError),
    /// It is not what was written.
    #[error("{file} is damaged at offset {offset}: {what}")]
    Damaged {
        /// The snapshot.
        file: String,
        /// In the uncompressed bytes, except where the compressed stream itself is damaged.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// Whoever reads does not accept a record.
    #[error("{file}, offset {offset}: {error}")]
    Sink {
        /// The snapshot.
        file: String,
        /// Behind the record.
        offset: u64,
        /// What they say.
        error: E,
    },
}

/// A record longer than this is a damaged length: requests are far smaller.
const RECORD_BYTES_MAX: usize = 256 << 20;

/// What went wrong, before the file is named.
enum Trouble<E> {
    Codec(CodecError),
    Damaged(&'static str),
    Sink(E),
}

impl<E> From<CodecError> for Trouble<E> {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl<E> From<RecordError<E>> for Trouble<E> {
    fn from(error: RecordError<E>) -> Self {
        match error {
            RecordError::Broken(what) => Self::Damaged(what),
            RecordError::TooLong { .. } => Self::Damaged("a record has an impossible length"),
            RecordError::Sink(error) => Self::Sink(error),
        }
    }
}

impl<E> From<DecodeError> for Trouble<E> {
    fn from(_: DecodeError) -> Self {
        Self::Damaged("a record breaks its own rules")
    }
}

/// Reads the snapshot `name` of `dir` into `sink` and checks it to its last byte.
///
/// # Errors
/// [`SnapshotError`]; what the sink was given is then worth nothing.
pub fn load_snapshot<D: Disk, S: SnapshotSink>(
    disk: &D,
    dir: &str,
    name: &str,
    sink: &mut S,
) -> Result<SnapshotEnd, SnapshotError<S::Error>> {
    let path = disk::join(dir, name);
    let file = disk.open(&path).map_err(SnapshotError::Disk)?;
    let file_bytes = file.length().map_err(SnapshotError::Disk)?;
    let damaged = |offset, what| SnapshotError::Damaged { file: path.clone(), offset, what };
    let decoder = match Decoder::new(Compression::of_file(name), file) {
        Ok(decoder) => decoder,
        Err(CodecError::Disk(error)) => return Err(SnapshotError::Disk(error)),
        Err(CodecError::Damaged { offset }) => return Err(damaged(offset, "the compressed stream")),
    };
    let mut records = File { window: Window::hashing(decoder) };
    sink.begin(crate::names::snapshot_zxid(name).unwrap_or(Zxid::NONE));
    match records.all(sink) {
        Ok(end) => Ok(SnapshotEnd { file_bytes, ..end }),
        Err(trouble) => {
            let offset = records.window.offset();
            Err(match trouble {
                Trouble::Codec(CodecError::Disk(error)) => SnapshotError::Disk(error),
                Trouble::Codec(CodecError::Damaged { offset }) => damaged(offset, "the compressed stream"),
                Trouble::Damaged(what) => damaged(offset, what),
                Trouble::Sink(error) => SnapshotError::Sink { file: path.clone(), offset, error },
            })
        }
    }
}

struct File<F> {
    window: Window<Decoder<F>>,
}

impl<F: DiskFile> File<F> {
    fn all<S: SnapshotSink>(&mut self, sink: &mut S) -> Result<SnapshotEnd, Trouble<S::Error>> {
        let magic: i32 = Reader::new(self.have(SNAPSHOT_HEADER_LEN)?).take()?;
        if magic != SNAPSHOT_MAGIC {
            return Err(Trouble::Damaged("it does not start as a snapshot does"));
        }
        self.window.advance(SNAPSHOT_HEADER_LEN);
        let mut records = Records::new(RECORD_BYTES_MAX);
        loop {
            match records.step(self.window.bytes(), sink)? {
                Taken::Bytes(n) => self.window.advance(n),
                Taken::Want(n) => drop(self.have(n)?),
                Taken::End(n) => {
                    self.window.advance(n);
                    break;
                }
            }
        }
        let mut end = SnapshotEnd { nodes: records.nodes(), ..SnapshotEnd::default() };
        self.seal()?;
        self.sections(&mut end)?;
        Ok(end)
    }

    /// The next `n` bytes.
    #[inline]
    fn have<E>(&mut self, n: usize) -> Result<&[u8], Trouble<E>> {
        if !self.window.want(n)? {
            return Err(Trouble::Damaged("it ends too early"));
        }
        Ok(&self.window.bytes()[..n])
    }

    fn seal<E>(&mut self) -> Result<(), Trouble<E>> {
        let expected = i64::from(self.window.checksum());
        let bytes = self.have(SEAL_LEN)?;
        let checksum: i64 = Reader::new(bytes).take()?;
        if checksum != expected || &bytes[8..] != SLASH {
            return Err(Trouble::Damaged("it does not match its checksum"));
        }
        self.window.advance(SEAL_LEN);
        Ok(())
    }

    /// The optional sections are told apart by how many bytes are left (storage.md §6.4).
    fn sections<E>(&mut self, end: &mut SnapshotEnd) -> Result<(), Trouble<E>> {
        const DIGEST: usize = DIGEST_LEN + SEAL_LEN;
        const LAST: usize = LAST_ZXID_LEN + SEAL_LEN;
        const BOTH: usize = DIGEST + LAST;
        // One byte more than the longest we know, a digest as text, so that more is noticed.
        self.window.want(BOTH + 64)?;
        match self.window.bytes().len() {
            0 => return Ok(()),
            LAST => {}
            DIGEST | BOTH => self.digest(end)?,
            _ => self.old_digest()?,
        }
        match self.window.bytes().len() {
            0 => Ok(()),
            LAST => {
                end.last = Some(Reader::new(self.window.bytes()).take()?);
                self.window.advance(LAST_ZXID_LEN);
                self.seal()
            }
            _ => Err(Trouble::Damaged("unknown bytes stand behind the nodes")),
        }
    }

    fn digest<E>(&mut self, end: &mut SnapshotEnd) -> Result<(), Trouble<E>> {
        let mut reader = Reader::new(self.have(DIGEST_LEN)?);
        end.digest =
            Some(SnapshotDigest { zxid: reader.take()?, version: reader.take()?, digest: reader.take()? });
        self.window.advance(DIGEST_LEN);
        self.seal()
    }

    /// Before version 2 a digest was text in hex; its rules are gone, so it is passed over.
    fn old_digest<E>(&mut self) -> Result<(), Trouble<E>> {
        let bytes = self.window.bytes();
        let mut reader = Reader::new(bytes);
        let (_zxid, version): (i64, i32) = (reader.take()?, reader.take()?);
        if version >= DIGEST_VERSION {
            return Err(Trouble::Damaged("unknown bytes stand behind the nodes"));
        }
        reader.take::<Buffer<'_>>()?;
        let taken = bytes.len() - reader.rest().len();
        self.window.advance(taken);
        self.seal()
    }
}

/// Java's cheap test: whether a file may be a finished snapshot. Source: `SnapStream#isValidSnapshot`.
///
/// # Errors
/// As the disk gives them.
pub fn looks_valid<D: Disk>(disk: &D, dir: &str, name: &str) -> Result<bool, DiskError> {
    let file = disk.open(&disk::join(dir, name))?;
    let starts_with = |magic: &[u8]| {
        let mut start = [0; SNAPPY_MAGIC_LEN];
        let n = disk::read_full(&file, &mut start[..magic.len()], 0)?;
        Ok(start[..n] == *magic)
    };
    match Compression::of_file(name) {
        Compression::Gzip => starts_with(GZIP_MAGIC),
        Compression::Snappy => starts_with(&SNAPPY_HEADER[..SNAPPY_MAGIC_LEN]),
        Compression::Plain => {
            let length = file.length()?;
            let mut tail = [0; SLASH.len()];
            let Some(at) = length.checked_sub(tail.len() as u64).filter(|_| length >= 10) else {
                return Ok(false);
            };
            disk::read_full(&file, &mut tail, at)?;
            Ok(tail == *SLASH)
        }
    }
}

/// Reads a snapshot only to see whether it is sound.
///
/// # Errors
/// [`SnapshotError`]
pub fn verify_snapshot<D: Disk>(
    disk: &D,
    dir: &str,
    name: &str,
) -> Result<SnapshotEnd, SnapshotError<String>> {
    load_snapshot(disk, dir, name, &mut Nobody)
}

/// Takes everything and keeps nothing.
struct Nobody;

impl SnapshotSink for Nobody {
    type Error = String;

    fn begin(&mut self, _: Zxid) {}

    fn session(&mut self, _: SessionId, _: i32) -> Result<(), String> {
        Ok(())
    }

    fn acl(&mut self, _: i64, _: AclList) -> Result<(), String> {
        Ok(())
    }

    fn node(&mut self, node: NodeRecord<'_>) -> Result<(), String> {
        match node.path.as_bytes() {
            [] | [b'/', ..] => Ok(()),
            _ => Err(node.path.to_string()),
        }
    }
}
