//! Appending: one write and one sync for each batch, into files that are zeroes before.
//!
//! A log file starts small, so that an empty server starts at once, and grows in small steps. Once it is half
//! full the writer asks for a spare of the full size ([`LogWriter::spare_wanted`]), which a background thread
//! makes; when the file is full the writer goes over to the spare. So the appending thread hardly ever fills in
//! zeroes, and never waits for many.

use alloc::string::String;

use proto::Zxid;

use super::mark::{Mark, MarkFile};
use super::scan::{self, Step};
use super::spare::{self, MAKING_NAME, Spare, SpareJob};
use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::entry::LOG_HEADER_LEN;
use crate::names;

/// How the log is written. The keys are ZooKeeper's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogOptions {
    /// `preAllocSize`, here in bytes: how many zeroes a full-size file starts with; 0 makes none.
    pub prealloc_bytes: u64,
    /// `txnLogSizeLimitInKb`, here in bytes: a file with more entries than this is followed by a new one; 0 is
    /// no limit.
    pub size_limit_bytes: u64,
    /// `forceSync`: without it [`LogWriter::sync`] promises nothing.
    pub force_sync: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { prealloc_bytes: 64 << 20, size_limit_bytes: 0, force_sync: true }
    }
}

/// Why a batch is not in the log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LogError {
    /// There is no room. Nothing of the batch is in the log and the writer is as it was: the same batch may be
    /// appended again once there is space.
    #[error(
        "no space left to log transactions in {path}; free space on its file system, the server goes on by itself"
    )]
    NoSpace {
        /// The log file.
        path: String,
    },
    /// The file that should be created holds entries: another history is in this directory.
    #[error(
        "{path} exists and holds transactions that are newer than this server's; \
             restart the server, and if that is not enough move the file aside"
    )]
    Occupied {
        /// The log file.
        path: String,
    },
    /// The disk failed. What is in the file is unknown, so nothing more is written: the process has to end.
    #[error(transparent)]
    Failed(DiskError),
    /// The disk failed before, and this writer was used again.
    #[error("the log failed before; the server has to be restarted on a healthy disk")]
    AfterFailure,
}

impl LogError {
    /// Whether the process has to end (reliability.md R6). Otherwise writes stop until there is space.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::NoSpace { .. } => false,
            Self::Occupied { .. } | Self::Failed(_) | Self::AfterFailure => true,
        }
    }
}

/// A file starts with this much, and grows by this much where no spare is ready.
const STEP_BYTES: u64 = 1 << 20;
/// A file is hardly begun as long as this part of it is not used.
const HARDLY_BEGUN: u64 = 8;
/// What Java keeps free behind the last entry before it grows a file. Source: `FilePadding`.
const MARGIN_BYTES: u64 = 4096;

/// The file that entries go to.
#[derive(Debug)]
struct Current<D: Disk> {
    file: D::File,
    path: String,
    name: Zxid,
    /// Behind the last entry.
    position: u64,
    /// Entries up to here overwrite zeroes.
    zeroed: u64,
    /// Whether entries were written that no sync has covered.
    dirty: bool,
}

/// The end of the log. One thread appends; it is the only writer in the directory.
#[derive(Debug)]
pub struct LogWriter<D: Disk> {
    disk: D,
    dir: String,
    options: LogOptions,
    current: Option<Current<D>>,
    spare: Option<Spare<D>>,
    spare_asked: bool,
    mark: Option<MarkFile<D::File>>,
    last: Zxid,
    durable: Zxid,
    /// Whether the next batch starts a new file.
    rolling: bool,
    failed: bool,
    appended_bytes: u64,
}

impl<D: Disk> LogWriter<D> {
    /// A writer behind `last`, the end of the recovered history. Makes no file before the first entry comes, and
    /// never goes on in an old one.
    #[must_use]
    pub fn new(disk: D, dir: &str, options: LogOptions, last: Zxid) -> Self {
        Self {
            disk,
            dir: dir.into(),
            options,
            current: None,
            spare: None,
            spare_asked: false,
            mark: None,
            last,
            durable: last,
            rolling: false,
            failed: false,
            appended_bytes: 0,
        }
    }

    /// The last entry appended.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.last
    }

    /// The last entry that survives a power failure. Without `forceSync`: that was handed to the system.
    #[must_use]
    pub fn durable(&self) -> Zxid {
        self.durable
    }

    /// Bytes of entries appended since the start.
    #[must_use]
    pub fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// The size of the file being written, zeroes included; 0 before the first entry.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.zeroed.max(current.position))
    }

    /// Appends a batch of entries made by [`frame_entry`](crate::frame_entry), of which the first and the last
    /// have these zxids. One write; durable after [`LogWriter::sync`].
    ///
    /// # Errors
    /// [`LogError::NoSpace`] leaves everything as it was. All others are fatal.
    ///
    /// # Panics
    /// If the batch does not come behind what is in the log: that would be another history.
    pub fn append_batch(&mut self, framed: &[u8], first: Zxid, last: Zxid) -> Result<(), LogError> {
        if self.failed {
            return Err(LogError::AfterFailure);
        }
        if framed.is_empty() {
            return Ok(());
        }
        assert!(
            self.last < first && first <= last,
            "the log holds {}, {first} to {last} do not follow",
            self.last
        );
        let result = self.make_room(framed.len() as u64, first).and_then(|()| self.write(framed));
        match result {
            Ok(()) => {
                self.last = last;
                self.appended_bytes += framed.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.failed = error.is_fatal();
                Err(error)
            }
        }
    }

    /// Makes everything appended durable, with one sync if one file is concerned, as always but after a roll.
    ///
    /// # Errors
    /// Always fatal; a failed sync is never repeated (reliability.md R6).
    pub fn sync(&mut self) -> Result<Zxid, LogError> {
        if self.failed {
            return Err(LogError::AfterFailure);
        }
        if self.options.force_sync
            && let Err(error) = self.sync_current()
        {
            self.failed = true;
            return Err(LogError::Failed(error));
        }
        self.durable = self.last;
        let limit = self.options.size_limit_bytes;
        self.rolling |= limit > 0 && self.current.as_ref().is_some_and(|current| current.position > limit);
        Ok(self.durable)
    }

    fn sync_current(&mut self) -> Result<(), DiskError> {
        let Some(current) = self.current.as_mut().filter(|current| current.dirty) else { return Ok(()) };
        current.dirty = false;
        current.file.datasync()?;
        let mark = Mark { log: current.name, offset: current.position, last: self.last };
        self.mark.as_ref().map_or(Ok(()), |file| file.note(mark))
    }

    /// The next batch starts a new file, as behind a snapshot.
    pub fn roll(&mut self) {
        self.rolling = self.current.is_some();
    }

    /// Whether the file being written is nearly all zeroes still. Leaving it for a new one would have been their only use.
    #[must_use]
    pub fn is_hardly_begun(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.position < current.zeroed / HARDLY_BEGUN)
    }

    /// Whether a spare file should now be made, in the background; asked for once until it is offered.
    ///
    /// A job that failed is given up with [`LogWriter::spare_failed`], and this asks again later.
    #[must_use]
    pub fn spare_wanted(&mut self) -> Option<SpareJob<D>> {
        let bytes = match &self.current {
            // Made before the first entry comes, the first file costs that entry only a rename.
            None => self.full_bytes().min(STEP_BYTES),
            Some(current) if current.position > current.zeroed / 2 && self.full_bytes() > STEP_BYTES => {
                self.full_bytes()
            }
            Some(_) => return None,
        };
        if bytes == 0 || self.spare_asked || self.spare.is_some() {
            return None;
        }
        self.spare_asked = true;
        Some(SpareJob { disk: self.disk.clone(), dir: self.dir.clone(), bytes })
    }

    /// Takes over what [`SpareJob::run`] made.
    pub fn offer_spare(&mut self, spare: Spare<D>) {
        self.spare_asked = false;
        self.spare = Some(spare);
    }

    /// The spare asked for will not come.
    pub fn spare_failed(&mut self) {
        self.spare_asked = false;
    }

    /// How long a full-size file is when it is new.
    fn full_bytes(&self) -> u64 {
        match self.options.size_limit_bytes {
            0 => self.options.prealloc_bytes,
            limit => self.options.prealloc_bytes.min(limit + MARGIN_BYTES),
        }
    }

    /// Sees to it that `n` bytes from the end of the current file are zeroes, or will be the end of the file.
    fn make_room(&mut self, n: u64, first: Zxid) -> Result<(), LogError> {
        let full = self.current.as_ref().is_none_or(|current| current.position + n > current.zeroed);
        let spare_fits =
            self.spare.as_ref().is_some_and(|spare| spare.bytes >= LOG_HEADER_LEN as u64 + n + MARGIN_BYTES);
        if self.current.is_none() || self.rolling || (full && spare_fits) {
            self.start_file(first)?;
        }
        let current = self.current.as_mut().expect("a file was started");
        let end = current.position + n;
        if self.options.prealloc_bytes == 0 || end + MARGIN_BYTES <= current.zeroed {
            return Ok(());
        }
        let step = STEP_BYTES.min(self.options.prealloc_bytes);
        let grown = (end + MARGIN_BYTES).next_multiple_of(step);
        match disk::write_zeroes(&current.file, current.zeroed, grown) {
            Ok(()) => {
                current.zeroed = grown;
                Ok(())
            }
            // Zeroes beyond the end are no entries, so what was written of them may stay.
            Err(error) => Err(no_space_or_failed(error)),
        }
    }

    /// Goes over to a new file: the spare, or a small one made here.
    fn start_file(&mut self, first: Zxid) -> Result<(), LogError> {
        // Even if this fails half-way nothing more may go to the old file: a file of a later name exists then,
        // and readers that start behind that name would miss it.
        self.rolling = true;
        // The entries of the old file have to be durable before any of the new one can be, also without
        // `forceSync`: a power failure then costs the end of the history, but leaves no hole in it.
        self.sync_current().map_err(LogError::Failed)?;
        let path = disk::join(&self.dir, &names::log_name(first));
        self.refuse_occupied(&path)?;
        let spare = match self.spare.take() {
            Some(spare) => spare,
            None => {
                let bytes = self.full_bytes().min(STEP_BYTES);
                spare::make(&self.disk, &self.dir, MAKING_NAME, bytes).map_err(no_space_or_failed)?
            }
        };
        let header = LOG_HEADER_LEN as u64;
        let zeroed = spare.bytes.max(header);
        let file = spare.adopt(&self.disk, &self.dir, first).map_err(no_space_or_failed)?;
        let mark = Mark { log: first, offset: header, last: self.last };
        match &self.mark {
            Some(file) => file.note_durably(mark).map_err(no_space_or_failed)?,
            None => {
                self.mark = Some(MarkFile::start(&self.disk, &self.dir, mark).map_err(no_space_or_failed)?)
            }
        }
        self.current = Some(Current { file, path, name: first, position: header, zeroed, dirty: false });
        self.rolling = false;
        Ok(())
    }

    /// A file of that name without entries is a crash's leftover, or our own of an attempt without space.
    fn refuse_occupied(&self, path: &str) -> Result<(), LogError> {
        if !self.disk.exists(path).map_err(LogError::Failed)? {
            return Ok(());
        }
        let mut occupied = false;
        let seen = scan::scan(&self.disk, path, &mut |_, _| {
            occupied = true;
            Ok::<_, core::convert::Infallible>(Step::Stop)
        });
        match seen {
            Err(scan::ScanError::Disk(error)) => Err(LogError::Failed(error)),
            Ok(_) | Err(_) if occupied => Err(LogError::Occupied { path: path.into() }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn write(&mut self, framed: &[u8]) -> Result<(), LogError> {
        let current = self.current.as_mut().expect("room was made in a file");
        match current.file.write_at(framed, current.position) {
            Ok(()) => {
                current.position += framed.len() as u64;
                current.zeroed = current.zeroed.max(current.position);
                current.dirty = true;
                Ok(())
            }
            Err(DiskError::NoSpace { path }) => {
                // Without preallocation a part of the batch may stand behind the last entry. Cut or cleared, it
                // cannot be taken for entries; if that fails too, nobody knows what is there.
                current.file.set_length(current.position).map_err(LogError::Failed)?;
                current.zeroed = current.position;
                Err(LogError::NoSpace { path })
            }
            Err(error) => Err(LogError::Failed(error)),
        }
    }

    /// The file being written.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.path.as_str())
    }
}

fn no_space_or_failed(error: DiskError) -> LogError {
    match error {
        DiskError::NoSpace { path } => LogError::NoSpace { path },
        other @ (DiskError::NotFound { .. }
        | DiskError::Exists { .. }
        | DiskError::ReadOnly { .. }
        | DiskError::Locked { .. }
        | DiskError::Io { .. }) => LogError::Failed(other),
    }
}
