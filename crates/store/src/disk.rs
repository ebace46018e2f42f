//! The only way to files: what the store asks of a disk, and what a disk may answer.
//!
//! `server` implements it with the real file system, [`mem`](crate::mem) with one that can lose power. Nothing
//! else in the program creates, renames or removes files (reliability.md R7), so what stands here is what a
//! crash can leave behind.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use mutants::mutant;

/// What the operating system said to one file operation. Every variant names the path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DiskError {
    /// The file system or a quota is full.
    #[error("no space left for {path}; free space on its file system, the server goes on by itself")]
    NoSpace {
        /// What was being written.
        path: String,
    },
    /// There is no such file or directory.
    #[error("{path} does not exist")]
    NotFound {
        /// What was looked for.
        path: String,
    },
    /// A file that was to be created is there already.
    #[error("{path} exists already")]
    Exists {
        /// What was to be created.
        path: String,
    },
    /// The file system is mounted read-only, or this user may not write there.
    #[error("{path} cannot be written; check its owner, its mode and that its file system is not read-only")]
    ReadOnly {
        /// What was to be written.
        path: String,
    },
    /// Another process holds the lock.
    #[error("{path} is locked by another process; stop the other server that uses this directory")]
    Locked {
        /// The lock file.
        path: String,
    },
    /// Anything else, above all a failing device.
    #[error("{doing} {path} failed: {text}; check the device and the system's log")]
    Io {
        /// The file.
        path: String,
        /// `writing`, `syncing`, …
        doing: &'static str,
        /// The number of the system's error, if it gave one.
        code: Option<i32>,
        /// The system's words for it.
        text: String,
    },
}

impl DiskError {
    /// The file or directory it is about.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::NoSpace { path }
            | Self::NotFound { path }
            | Self::Exists { path }
            | Self::ReadOnly { path }
            | Self::Locked { path }
            | Self::Io { path, .. } => path,
        }
    }
}

/// A file system. Paths are whole, with `/` between their parts.
pub trait Disk: Clone + Debug {
    /// An open file.
    type File: DiskFile;
    /// Holds a lock until it is dropped.
    type Lock;

    /// Makes an empty file for reading and writing, mode 0600.
    ///
    /// # Errors
    /// [`DiskError::Exists`] if there is one of that name; others as they come.
    fn create(&self, path: &str) -> Result<Self::File, DiskError>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; others as they come.
    fn open(&self, path: &str) -> Result<Self::File, DiskError>;

    /// Opens a file for reading and writing in place.
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; others as they come.
    fn open_to_write(&self, path: &str) -> Result<Self::File, DiskError>;

    /// Gives a file another name in one step; a file of that name is replaced. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; others as they come.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; others as they come.
    fn remove(&self, path: &str) -> Result<(), DiskError>;

    /// Makes a directory and those above it, mode 0700. One that is there stays as it is.
    ///
    /// # Errors
    /// As they come.
    fn create_dir(&self, path: &str) -> Result<(), DiskError>;

    /// Makes names that were created, changed or removed in a directory durable.
    ///
    /// # Errors
    /// As they come; the names may then be on disk or not.
    fn sync_dir(&self, path: &str) -> Result<(), DiskError>;

    /// The names in a directory, in no order.
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; others as they come.
    fn list(&self, path: &str) -> Result<Vec<String>, DiskError>;

    /// Whether there is a file or directory of that name.
    ///
    /// # Errors
    /// As they come, never [`DiskError::NotFound`].
    fn exists(&self, path: &str) -> Result<bool, DiskError>;

    /// Whether this process may create files in a directory.
    ///
    /// # Errors
    /// As they come; a plain "no" is `false`.
    fn is_writable(&self, path: &str) -> Result<bool, DiskError>;

    /// Bytes that this user may still write to the file system of a directory.
    ///
    /// # Errors
    /// As they come.
    fn free_bytes(&self, path: &str) -> Result<u64, DiskError>;

    /// When a file was last written, in milliseconds since 1970.
    ///
    /// # Errors
    /// As they come.
    fn modified_ms(&self, path: &str) -> Result<i64, DiskError>;

    /// Takes the one lock of a file, which is created if missing and never removed.
    ///
    /// # Errors
    /// [`DiskError::Locked`] at once if somebody has it.
    fn lock(&self, path: &str) -> Result<Self::Lock, DiskError>;
}

/// One open file. Every call names its place; there is no position.
pub trait DiskFile: Debug {
    /// Reads at most `buf.len()` bytes; 0 only at the end of the file.
    ///
    /// # Errors
    /// As they come.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError>;

    /// Writes all of `bytes`, making the file longer if they reach beyond its end.
    ///
    /// # Errors
    /// As they come; any part of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError>;

    /// Cuts the file, or makes it longer with zeroes.
    ///
    /// # Errors
    /// As they come.
    fn set_length(&self, length: u64) -> Result<(), DiskError>;

    /// How long the file is, in bytes.
    ///
    /// # Errors
    /// As they come.
    fn length(&self) -> Result<u64, DiskError>;

    /// Makes the bytes and what is needed to read them durable.
    ///
    /// # Errors
    /// As they come. Whether the bytes are durable is then unknown for ever: asking again proves nothing,
    /// because the system may have dropped the pages (reliability.md R6).
    fn datasync(&self) -> Result<(), DiskError>;

    /// [`DiskFile::datasync`], and everything else about the file too.
    ///
    /// # Errors
    /// As for [`DiskFile::datasync`].
    fn sync(&self) -> Result<(), DiskError>;
}

/// The path of `name` in `dir`.
#[must_use]
pub fn join(dir: &str, name: &str) -> String {
    alloc::format!("{}/{name}", dir.trim_end_matches('/'))
}

/// The last part of a path.
#[must_use]
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The directory a path lies in.
#[must_use]
pub fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((dir, _)) => dir,
        None => ".",
    }
}

/// How many zero bytes one write call carries.
const ZEROES_AT_ONCE: usize = 1 << 20;

/// Writes real zeroes over `from..to`, so that later writes there change no metadata (performance.md §1.6).
///
/// # Errors
/// As they come; any part may have been written, and zeroes never read as entries.
pub fn write_zeroes<F: DiskFile>(file: &F, from: u64, to: u64) -> Result<(), DiskError> {
    let left = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    let zeroes = alloc::vec![0; left.min(ZEROES_AT_ONCE)];
    let mut at = from;
    while at < to {
        let n = usize::try_from(to - at).unwrap_or(usize::MAX).min(zeroes.len());
        file.write_at(&zeroes[..n], at)?;
        at += n as u64;
    }
    Ok(())
}

/// Reads until `buf` is full or the file ends, and says how much that was.
///
/// # Errors
/// As they come.
pub fn read_full<F: DiskFile>(file: &F, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(&mut buf[filled..], offset + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Reads a file of at most `max` bytes; what is beyond is not read.
///
/// # Errors
/// [`DiskError::NotFound`]; others as they come.
pub fn read_small<D: Disk>(disk: &D, path: &str, max: usize) -> Result<Vec<u8>, DiskError> {
    let mut bytes = alloc::vec![0; max];
    let n = read_full(&disk.open(path)?, &mut bytes, 0)?;
    bytes.truncate(n);
    Ok(bytes)
}

/// Replaces a small file in one durable step: temporary name, sync, rename, directory sync (R7).
///
/// # Errors
/// As they come. The file then holds what it held before, or, if only the last step failed, either.
pub fn replace<D: Disk>(disk: &D, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let temporary = crate::names::temporary(path);
    remove_if_there(disk, &temporary)?;
    let written = write_new(disk, &temporary, bytes).and_then(|()| disk.rename(&temporary, path));
    if let Err(error) = written {
        // The first error is the one to tell; a temporary file left behind is removed at the next try.
        let _ = disk.remove(&temporary);
        return Err(error);
    }
    if mutant!(RenameNotSynced) {
        return Ok(());
    }
    disk.sync_dir(parent(path))
}

fn write_new<D: Disk>(disk: &D, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let file = disk.create(path)?;
    file.write_at(bytes, 0)?;
    file.sync()
}

/// Removes a file unless it is gone already.
///
/// # Errors
/// As they come, never [`DiskError::NotFound`].
pub fn remove_if_there<D: Disk>(disk: &D, path: &str) -> Result<bool, DiskError> {
    match disk.remove(path) {
        Ok(()) => Ok(true),
        Err(DiskError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
